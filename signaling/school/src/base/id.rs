//! Names of what is stored: UUIDv7, so that they sort by the time they were made.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The text is no UUID in its canonical form: lower case, with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is a lower-case UUID with hyphens")]
pub struct NotAnId;

macro_rules! stored_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A name that was never given before.
            #[must_use]
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare UUID.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Self(Uuid::try_parse(text).map_err(|_| NotAnId)?);
                // One name per thing: the braced, the urn and the upper-case form are other names.
                if id.to_string() == text { Ok(id) } else { Err(NotAnId) }
            }
        }
    };
}

stored_id!(
    /// A node of the organisation tree: a county, a centre school, a teaching point.
    OrganisationId
);
stored_id!(
    /// A room in a school with a PC and a big screen.
    ClassroomId
);
stored_id!(
    /// Someone who signs in. Pupils never do.
    PersonId
);
stored_id!(
    /// One dated teaching event.
    LessonId
);
stored_id!(
    /// One place in a lesson. A seat outlives reconnects; a peer does not.
    SeatId
);
stored_id!(
    /// What is kept of one lesson.
    RecordingId
);
stored_id!(
    /// 标记: a moment of a recording that somebody marked.
    MarkId
);
stored_id!(
    /// A span of a recording.
    ClipId
);
stored_id!(
    /// What somebody says about a second of a recording.
    CommentId
);
stored_id!(
    /// 量表
    RubricId
);
stored_id!(
    /// A reviewer's scores of a recording.
    ReviewId
);
stored_id!(
    /// A link that shows a recording or a clip to others.
    ShareId
);
stored_id!(
    /// One line of the audit.
    AuditId
);

stored_id!(
    /// A year of school, from September to August.
    SchoolYearId
);
stored_id!(
    /// Half a school year.
    TermId
);
stored_id!(
    /// When the bell rings, for one season.
    BellScheduleId
);
stored_id!(
    /// A subject for a class in a term.
    CourseId
);
stored_id!(
    /// Who teaches whom for a term.
    PairingId
);
stored_id!(
    /// A class's right to listen for a term.
    ListeningRightId
);
stored_id!(
    /// A class of pupils: 三年级（2）班.
    ClassId
);
stored_id!(
    /// A role that a person holds at a place.
    GrantId
);
stored_id!(
    /// A machine in a classroom, with a key of its own.
    DeviceId
);
stored_id!(
    /// A device that shows its code and waits to be let in.
    EnrolmentId
);
stored_id!(
    /// Someone who is signed in, somewhere.
    SessionId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_has_one_name() {
        let lesson = LessonId::fresh();
        assert_eq!(lesson.to_string().parse(), Ok(lesson));
        let other_forms =
            [lesson.to_string().to_uppercase(), format!("{{{lesson}}}"), format!("urn:uuid:{lesson}"), "..".into()];
        for text in other_forms {
            assert_eq!(text.parse::<LessonId>(), Err(NotAnId), "{text}");
        }
    }
}
