//! The door of a recording: who may look into it, by whatever way they come.

use super::problem::LibraryProblem;
use crate::{
    http::{
        account::identity::Identity,
        dispatch::readiness,
        library::app::LibraryApp,
        retention::problem::{GoneView, RetentionProblem},
        web::problem::{ApiError, common::CommonProblem},
    },
    store::{Store, library::LibraryScope},
};
use school::{
    account::{
        permission::{Permission, Place, Readers, Scope, may},
        system_scope,
    },
    base::{
        id::{ClassId, RecordingId},
        zone::school_day,
    },
    lesson::Lesson,
    library::Rights,
    timetable::pairing::{Hearing, may_replay},
};

/// What the asker may know of in the library.
///
/// # Errors
/// [`CommonProblem::NotAllowed`] where that is nothing at all, whatever there is.
pub(crate) fn library_scope(identity: &Identity) -> Result<LibraryScope, ApiError> {
    let asker = &identity.session.asker;
    Ok(LibraryScope {
        below: identity.scope(Permission::SeeLibrary)?,
        readers: Readers::of(asker, identity.now),
        keeps: may(asker, Permission::EditLibrary, Place::Wherever, identity.now).ok(),
    })
}

/// The same for one thing by its id.
///
/// # Errors
/// [`CommonProblem::NotFound`].
pub(crate) fn library_reach(identity: &Identity) -> Result<LibraryScope, ApiError> {
    library_scope(identity).map_err(|_| CommonProblem::NotFound.into())
}

/// The lesson of a recording that the asker may look into: taught, looked over or heard by them, or published to a place
/// of theirs. To readers of what is published its lesson does not say who listened.
///
/// # Errors
/// [`LibraryProblem::TakenDown`] for those who keep it, [`RetentionProblem::RecordingDeleted`] for those who might, and
/// [`CommonProblem::NotFound`] for everybody else.
pub(crate) async fn authorize_replay(
    app: &LibraryApp,
    identity: &Identity,
    recording_id: RecordingId,
) -> Result<Lesson, ApiError> {
    authorize_replay_as(app, identity, Permission::Replay, recording_id).await
}

/// The same for another act. What is published is replayed, and nothing else.
///
/// # Errors
/// As [`authorize_replay`].
pub(crate) async fn authorize_replay_as(
    app: &LibraryApp,
    identity: &Identity,
    act: Permission,
    recording_id: RecordingId,
) -> Result<Lesson, ApiError> {
    match door(app, identity, act, recording_id).await? {
        Door::Open(lesson) => Ok(*lesson),
        Door::TakenDown { reason } => Err(LibraryProblem::TakenDown { reason }.into()),
        Door::Shut => Err(CommonProblem::NotFound.into()),
    }
}

/// Whether [`authorize_replay_as`] lets the asker in.
///
/// # Errors
/// Where it cannot be told.
pub(crate) async fn lets(
    app: &LibraryApp,
    identity: &Identity,
    act: Permission,
    recording_id: RecordingId,
) -> Result<bool, ApiError> {
    Ok(matches!(door(app, identity, act, recording_id).await?, Door::Open(_)))
}

/// How somebody finds the door of a recording.
enum Door {
    /// They look into it.
    Open(Box<Lesson>),
    /// It was taken down, and they keep it.
    TakenDown { reason: String },
    /// Whether there is such a recording is not theirs to know.
    Shut,
}

async fn door(
    app: &LibraryApp,
    identity: &Identity,
    act: Permission,
    recording_id: RecordingId,
) -> Result<Door, ApiError> {
    let door = kept_door(app, identity, act, recording_id).await?;
    // Whoever may know of it is told that it is gone, before anything else of it.
    if !matches!(door, Door::Shut)
        && let Some(gone) = app.store.recording_gone(&system_scope::published(), recording_id).await?
    {
        let gone = GoneView { rule: gone.rule, on: gone.at.map(school_day) };
        return Err(RetentionProblem::RecordingDeleted { gone }.into());
    }
    Ok(door)
}

/// As if nothing were ever deleted.
async fn kept_door(
    app: &LibraryApp,
    identity: &Identity,
    act: Permission,
    recording_id: RecordingId,
) -> Result<Door, ApiError> {
    let rights = app.store.rights_of_recording(&system_scope::published(), recording_id).await?.unwrap_or_default();
    if rights.taken_down.is_some() {
        return taken_down(app, identity, recording_id, rights).await;
    }
    if let Ok(scope) = identity.reach(act)
        && let Some(lesson) = app.store.lesson_of_recording(&scope, recording_id).await?
        && may_look(&app.store, identity, &scope, &lesson).await?
    {
        return Ok(Door::Open(Box::new(lesson)));
    }
    let readers = Readers::of(&identity.session.asker, identity.now);
    if act != Permission::Replay || !rights.published_to.is_some_and(|place| readers.reads(place)) {
        return Ok(Door::Shut);
    }
    let lesson = app.store.lesson_of_recording(&system_scope::published(), recording_id).await?;
    let Some(mut lesson) = lesson else { return Ok(Door::Shut) };
    lesson.classrooms.clear();
    Ok(Door::Open(Box::new(lesson)))
}

async fn taken_down(
    app: &LibraryApp,
    identity: &Identity,
    recording_id: RecordingId,
    rights: Rights,
) -> Result<Door, ApiError> {
    let Ok(keeps) = identity.reach(Permission::EditLibrary) else { return Ok(Door::Shut) };
    let lesson = app.store.lesson_of_recording(&keeps, recording_id).await?;
    match (lesson.filter(|lesson| keeps.owns(lesson)), rights.taken_down) {
        (Some(_), Some(taken_down)) => Ok(Door::TakenDown { reason: taken_down.reason }),
        _ => Ok(Door::Shut),
    }
}

/// The lesson of a recording that is the asker's own in this: see [`school::account::permission::Scope::owns`].
///
/// # Errors
/// [`CommonProblem::NotFound`].
pub(crate) async fn own(
    app: &LibraryApp,
    identity: &Identity,
    act: Permission,
    recording_id: RecordingId,
) -> Result<Lesson, ApiError> {
    let scope = identity.reach(act)?;
    let lesson = app.store.lesson_of_recording(&scope, recording_id).await?;
    lesson.filter(|lesson| scope.owns(lesson)).ok_or_else(|| CommonProblem::NotFound.into())
}

/// Whether the asker, in whose scope of replay the lesson lies, may look into its recording: who taught it, who looks
/// over its school, and who could hear it.
pub(crate) async fn may_look(
    store: &Store,
    identity: &Identity,
    scope: &Scope,
    lesson: &Lesson,
) -> Result<bool, ApiError> {
    let teaches = identity.session.asker.person_id() == Some(lesson.teacher.person_id);
    Ok(teaches || scope.covers(lesson.place()) || had_the_right(store, scope, lesson).await?)
}

/// Whether one of the listening ends in scope could hear the lesson by a right that held then. What it could hear stays
/// its own, also after the right was frozen or cancelled.
async fn had_the_right(store: &Store, scope: &Scope, lesson: &Lesson) -> Result<bool, ApiError> {
    if !readiness::rule(store, scope, lesson).await?.is_some_and(|rule| rule.needs_listening_right) {
        return Ok(true);
    }
    let Some(heard) = store.heard(scope, lesson.lesson_id).await? else { return Ok(false) };
    // Rights are given for a term: a lesson outside of any was put there for the classrooms that it lists.
    let (Some(term_id), Some(live_at)) = (heard.term_id, lesson.live_at) else { return Ok(!heard.classes.is_empty()) };
    let class_ids: Vec<ClassId> = heard.classes.iter().copied().flatten().collect();
    let rights = store.rights_of_classes(scope, term_id, &class_ids).await?;
    let (teaching_id, subject) = (heard.teaching_id, lesson.subject.as_str());
    Ok(class_ids
        .into_iter()
        .any(|class_id| may_replay(&rights, &Hearing { term_id, teaching_id, class_id, subject }, live_at)))
}
