//! What somebody may do with a recording and its clips, as the views say it. The routes then do just that: what a page
//! offers by it is not refused for want of a right.

use serde::Serialize;
use utoipa::ToSchema;

use super::authorize::lets;
use crate::http::{account::identity::Identity, library::app::LibraryApp, web::problem::ApiError};
use school::{
    account::permission::Permission,
    base::id::{PersonId, RecordingId},
    lesson::Lesson,
};

/// What the asker may do with a recording.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct RecordingMay {
    /// Look into it.
    replay: bool,
    /// Cut clips of it.
    cut: bool,
    /// Take it, or a span of it, away as a file.
    export: bool,
    /// Name it, mark its moments, share it, take it down.
    edit: bool,
    /// Agree that others see it: it is their own lesson.
    consent: bool,
    /// Publish it: they keep the library of its school.
    publish: bool,
    /// Read what reviewers say of it.
    see_reviews: bool,
    /// Comment on its seconds.
    comment: bool,
    /// Score it by a rubric.
    review: bool,
}

impl RecordingMay {
    /// `replay` and `export` are what its doors answer. The rest follows from whose lesson it is: taught by the person, at
    /// the school with this path.
    pub(crate) fn of(identity: &Identity, (path, teacher_id): (&str, PersonId), replay: bool, export: bool) -> Self {
        let person_id = identity.session.asker.person_id();
        let owns = |act| identity.reach(act).is_ok_and(|scope| scope.owns_taught(path, teacher_id));
        let (edit, taught) = (owns(Permission::EditLibrary), person_id == Some(teacher_id));
        Self {
            replay,
            cut: replay && person_id.is_some(),
            export,
            edit,
            consent: edit && taught,
            publish: identity.reach(Permission::EditLibrary).is_ok_and(|scope| scope.covers(path)),
            see_reviews: owns(Permission::SeeReviews),
            comment: replay && owns(Permission::Comment),
            review: replay && owns(Permission::Review) && !taught,
        }
    }

    /// For somebody who was let in to look into the recording of this lesson.
    pub(crate) async fn looking(
        app: &LibraryApp,
        identity: &Identity,
        lesson: &Lesson,
        recording_id: RecordingId,
    ) -> Result<Self, ApiError> {
        let export = lets(app, identity, Permission::ExportRecording, recording_id).await?;
        Ok(Self::of(identity, (lesson.place(), lesson.teacher.person_id), true, export))
    }
}

/// What the asker may do with a clip.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ClipMay {
    /// Move its points, name it, take it away.
    edit: bool,
    /// Take it away as a file.
    export: bool,
}

/// What the asker may do with the clips of one recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClipsMay {
    person_id: Option<PersonId>,
    keeps: bool,
    export: bool,
}

impl ClipsMay {
    /// For somebody who was let in to the recording of this lesson, to look into it or to keep it.
    pub(crate) async fn read(
        app: &LibraryApp,
        identity: &Identity,
        lesson: &Lesson,
        recording_id: RecordingId,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            person_id: identity.session.asker.person_id(),
            keeps: identity.reach(Permission::EditLibrary).is_ok_and(|scope| scope.owns(lesson)),
            export: lets(app, identity, Permission::ExportRecording, recording_id).await?,
        })
    }

    /// With one that this person cut.
    pub(crate) fn of(self, author_id: PersonId) -> ClipMay {
        ClipMay { edit: self.keeps || self.person_id == Some(author_id), export: self.export }
    }
}
