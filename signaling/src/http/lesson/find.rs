//! Finds a lesson by its id, within the caller's scope of a permission.

use school::{account::permission::Permission, base::id::LessonId, lesson::Lesson};

use crate::{
    http::{
        account::identity::Identity,
        web::problem::{ApiError, common::CommonProblem},
    },
    store::Store,
};

/// A lesson on which the caller may do `act`; 404 for everyone else.
pub(crate) async fn find(
    store: &Store,
    identity: &Identity,
    act: Permission,
    lesson_id: LessonId,
) -> Result<Lesson, ApiError> {
    store.lesson(&identity.reach(act)?, lesson_id).await?.ok_or_else(|| CommonProblem::NotFound.into())
}
