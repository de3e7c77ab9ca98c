//! Ids of stored things: UUIDv7, so that they sort by creation time.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The text is not a UUID in canonical form: lower case, with hyphens.
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
            /// A new, unique id.
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
                // One spelling per id: the braced, URN and upper-case forms are refused.
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
    /// A person who signs in. Pupils never do.
    PersonId
);
stored_id!(
    /// One dated teaching event.
    LessonId
);
stored_id!(
    /// One seat in a lesson. A seat outlives reconnects; a peer does not.
    SeatId
);
stored_id!(
    /// The recording of one lesson.
    RecordingId
);
stored_id!(
    /// 标记: a marked moment of a recording.
    MarkId
);
stored_id!(
    /// A span of a recording.
    ClipId
);
stored_id!(
    /// A comment on a second of a recording.
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
    /// A link that shares a recording or a clip.
    ShareId
);
stored_id!(
    /// One audit row.
    AuditId
);

stored_id!(
    /// A school year, from September to August.
    SchoolYearId
);
stored_id!(
    /// Half a school year.
    TermId
);
stored_id!(
    /// Bell times for one season.
    BellScheduleId
);
stored_id!(
    /// A subject for a class in a term.
    CourseId
);
stored_id!(
    /// Which school teaches which classes for a term.
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
    /// A device that shows its code and waits for approval.
    EnrolmentId
);
stored_id!(
    /// A signed-in session of a person or device.
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
