//! Authorisation for recordings, shared by all routes that give access to one.

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

/// The library entries that the caller may know of.
///
/// # Errors
/// [`CommonProblem::NotAllowed`] where the caller may see the library nowhere.
pub(crate) fn library_scope(identity: &Identity) -> Result<LibraryScope, ApiError> {
    let asker = &identity.session.asker;
    Ok(LibraryScope {
        below: identity.scope(Permission::SeeLibrary)?,
        readers: Readers::of(asker, identity.now),
        keeps: may(asker, Permission::EditLibrary, Place::Wherever, identity.now).ok(),
    })
}

/// The same scope for one object by its id.
///
/// # Errors
/// [`CommonProblem::NotFound`] where the caller may see the library nowhere.
pub(crate) fn library_reach(identity: &Identity) -> Result<LibraryScope, ApiError> {
    library_scope(identity).map_err(|_| CommonProblem::NotFound.into())
}

/// The lesson of a recording that the caller may replay: they taught, supervise or received it, or it is published to
/// an organisation of theirs. For readers of a publication the lesson's classrooms are left out.
///
/// # Errors
/// [`LibraryProblem::TakenDown`] for those who may edit it, [`RetentionProblem::RecordingDeleted`] for those who could
/// access it, and [`CommonProblem::NotFound`] for everyone else.
pub(crate) async fn authorize_replay(
    app: &LibraryApp,
    identity: &Identity,
    recording_id: RecordingId,
) -> Result<Lesson, ApiError> {
    authorize_replay_as(app, identity, Permission::Replay, recording_id).await
}

/// The same for another permission. Publication allows replay only.
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

/// Whether [`authorize_replay_as`] succeeds.
///
/// # Errors
/// [`RetentionProblem::RecordingDeleted`] where it was deleted, or an error of the store.
pub(crate) async fn lets(
    app: &LibraryApp,
    identity: &Identity,
    act: Permission,
    recording_id: RecordingId,
) -> Result<bool, ApiError> {
    Ok(matches!(door(app, identity, act, recording_id).await?, Door::Open(_)))
}

/// Result of the access check for a recording.
enum Door {
    /// Access is allowed.
    Open(Box<Lesson>),
    /// It was taken down, and the caller may edit it.
    TakenDown { reason: String },
    /// Access is refused; the recording's existence is not disclosed.
    Shut,
}

async fn door(
    app: &LibraryApp,
    identity: &Identity,
    act: Permission,
    recording_id: RecordingId,
) -> Result<Door, ApiError> {
    let door = kept_door(app, identity, act, recording_id).await?;
    // Callers who may know of it get `recording-deleted` before anything else.
    if !matches!(door, Door::Shut)
        && let Some(gone) = app.store.recording_gone(&system_scope::published(), recording_id).await?
    {
        let gone = GoneView { rule: gone.rule, on: gone.at.map(school_day) };
        return Err(RetentionProblem::RecordingDeleted { gone }.into());
    }
    Ok(door)
}

/// The access check without regard to deletion.
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

/// The lesson of a recording that the caller owns for `act`: see [`school::account::permission::Scope::owns`].
///
/// # Errors
/// [`CommonProblem::NotFound`] where the caller does not own it.
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

/// Whether the caller may replay the recording of a lesson in `scope`: they taught it, supervise its school, or
/// received it with a listening right.
pub(crate) async fn may_look(
    store: &Store,
    identity: &Identity,
    scope: &Scope,
    lesson: &Lesson,
) -> Result<bool, ApiError> {
    let teaches = identity.session.asker.person_id() == Some(lesson.teacher.person_id);
    Ok(teaches || scope.covers(lesson.place()) || had_the_right(store, scope, lesson).await?)
}

/// Whether a receiving classroom in scope had a listening right valid at the time of the lesson. Replay stays allowed
/// after the right is frozen or cancelled.
async fn had_the_right(store: &Store, scope: &Scope, lesson: &Lesson) -> Result<bool, ApiError> {
    if !readiness::rule(store, scope, lesson).await?.is_some_and(|rule| rule.needs_listening_right) {
        return Ok(true);
    }
    let Some(heard) = store.heard(scope, lesson.lesson_id).await? else { return Ok(false) };
    // Rights are per term: a lesson outside any term was scheduled for the classrooms it lists.
    let (Some(term_id), Some(live_at)) = (heard.term_id, lesson.live_at) else { return Ok(!heard.classes.is_empty()) };
    let class_ids: Vec<ClassId> = heard.classes.iter().copied().flatten().collect();
    let rights = store.rights_of_classes(scope, term_id, &class_ids).await?;
    let (teaching_id, subject) = (heard.teaching_id, lesson.subject.as_str());
    Ok(class_ids
        .into_iter()
        .any(|class_id| may_replay(&rights, &Hearing { term_id, teaching_id, class_id, subject }, live_at)))
}
