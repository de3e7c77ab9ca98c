//! The caller's permissions on a recording and its clips, as returned in views. They agree with the checks of the
//! routes, so that a page does not offer what would be refused.

use serde::Serialize;
use utoipa::ToSchema;

use super::authorize::lets;
use crate::http::{account::identity::Identity, library::app::LibraryApp, web::problem::ApiError};
use school::{
    account::permission::Permission,
    base::id::{PersonId, RecordingId},
    lesson::Lesson,
};

/// The caller's permissions on a recording.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct RecordingMay {
    /// Replay it.
    replay: bool,
    /// Make clips of it.
    cut: bool,
    /// Download it, or a span of it.
    export: bool,
    /// Edit its metadata and marks, share it, take it down.
    edit: bool,
    /// Consent to publication, as the lesson's teacher.
    consent: bool,
    /// Publish it, as an editor of its school's library.
    publish: bool,
    /// Read its comments and reviews.
    see_reviews: bool,
    /// Comment on it.
    comment: bool,
    /// Score it by a rubric.
    review: bool,
}

impl RecordingMay {
    /// `replay` and `export` are results of the access check. The rest follows from the lesson's teacher and the path
    /// of its school.
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

    /// For a caller who is already authorised to replay the recording of this lesson.
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

/// The caller's permissions on a clip.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ClipMay {
    /// Edit or delete it.
    edit: bool,
    /// Download it.
    export: bool,
}

/// The caller's permissions on the clips of one recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClipsMay {
    person_id: Option<PersonId>,
    keeps: bool,
    export: bool,
}

impl ClipsMay {
    /// For a caller who is already authorised to replay or edit the recording of this lesson.
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

    /// The permissions on a clip by this author.
    pub(crate) fn of(self, author_id: PersonId) -> ClipMay {
        ClipMay { edit: self.keeps || self.person_id == Some(author_id), export: self.export }
    }
}
