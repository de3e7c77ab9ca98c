//! Retained recordings: deletion time, holds and requested deletions.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        account::identity::Identity,
        retention::{
            app::RetentionApp,
            problem::{RetentionProblem, RetentionReason},
        },
        web::{
            extract::{JsonBody, PathId, QueryParams},
            list::{self, Listed},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    store::retention::{Deletion, Hold, RetainedFilter, RetainedRecording, policy::Policies},
};
use school::{
    account::permission::{Permission, Scope},
    base::{
        id::{LessonId, OrganisationId, RecordingId},
        time::UnixMs,
    },
    retention::{DeletionRule, StorageState},
};

/// A retained recording.
#[derive(Serialize, ToSchema)]
pub struct RetainedRecordingView {
    recording_id: RecordingId,
    lesson_id: LessonId,
    title: String,
    organisation_id: OrganisationId,
    school: String,
    state: StorageState,
    size_bytes: u64,
    duration_ms: u64,
    /// End of its lesson; its start while the lesson is in progress.
    ended_at_ms: UnixMs,
    /// It is completely copied to the bucket.
    is_mirrored: bool,
    /// A future lesson will play it.
    is_chosen: bool,
    /// `null`: no hold.
    hold: Option<HoldView>,
    /// `null`: not marked for deletion.
    deletion: Option<DeletionView>,
    /// When it will be deleted if nothing changes. `null`: never.
    deletes_at_ms: Option<UnixMs>,
}

/// A hold on a recording.
#[derive(Serialize, ToSchema)]
pub struct HoldView {
    name: String,
    reason: String,
    at_ms: UnixMs,
    /// `null`: until released.
    until_ms: Option<UnixMs>,
}

/// Why a recording will be deleted.
#[derive(Serialize, ToSchema)]
pub struct DeletionView {
    rule: DeletionRule,
    /// Empty: the rule is the only reason.
    reason: String,
    since_ms: UnixMs,
}

/// A hold: the recording is exempt from retention.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// Why, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
    /// Milliseconds UTC. `null`: until released.
    until_ms: Option<i64>,
}

/// A reason as free text, 1 to 200 characters.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reasoned {
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) reason: String,
}

/// Page and filter of retained recordings.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RetainedPage {
    /// `next` of the page before.
    after: Option<RecordingId>,
    /// Page size, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only those in this state. Missing: all that still exist.
    state: Option<StorageState>,
    /// Only those on hold.
    #[serde(default)]
    held: bool,
}

/// List retained recordings, oldest first, with their deletion time
#[utoipa::path(get, path = "/storage/recordings", tag = "storage", params(RetainedPage),
    extensions(("x-act" = json!("see_storage"))),
    responses((status = 200, body = Listed<RetainedRecordingView>), Problems))]
pub async fn list_retained_recordings(
    State(app): State<RetentionApp>,
    identity: Identity,
    QueryParams(page): QueryParams<RetainedPage>,
) -> Result<Json<Listed<RetainedRecordingView>>, ApiError> {
    let scope = identity.scope(Permission::SeeStorage)?;
    let limit = list::limit(page.limit)? + 1;
    let after = match page.after {
        None => None,
        Some(id) => {
            let last = app.store.retained_recording(&scope, id).await?;
            let last = last.ok_or_else(|| CommonProblem::bad_request("after names no recording"))?;
            Some((last.ended_at, last.recording_id))
        }
    };
    let ask = RetainedFilter { states: page.state.into_iter().collect(), held: page.held, after, limit };
    let found = app.store.retained_recordings(&scope, &ask).await?;
    let policies = app.store.policies(&scope).await?;
    let items = found.into_iter().map(|retained| retained_view(&policies, retained)).collect();
    Ok(Json(Listed::new(items, limit, |retained: &RetainedRecordingView| retained.recording_id.to_string())))
}

/// Show one retained recording
#[utoipa::path(get, path = "/storage/recordings/{recording_id}", tag = "storage",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("see_storage"))),
    responses((status = 200, body = RetainedRecordingView), Problems))]
pub async fn show_retained_recording(
    State(app): State<RetentionApp>,
    identity: Identity,
    PathId(id): PathId<RecordingId>,
) -> Result<Json<RetainedRecordingView>, ApiError> {
    shown(&app, &identity.reach(Permission::SeeStorage)?, id).await
}

/// Hold a recording: it is not deleted, and a pending deletion is revoked
#[utoipa::path(put, path = "/storage/recordings/{recording_id}/hold", tag = "storage", request_body = NewHold,
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("edit_storage"))),
    responses((status = 200, body = RetainedRecordingView), Problems))]
pub async fn hold_recording(
    State(app): State<RetentionApp>,
    identity: Identity,
    PathId(id): PathId<RecordingId>,
    JsonBody(ask): JsonBody<NewHold>,
) -> Result<Json<RetainedRecordingView>, ApiError> {
    let scope = identity.reach(Permission::EditStorage)?;
    let retained = found(&app, &scope, id).await?;
    let (now, until) = (app.clock.wall(), ask.until_ms.map(UnixMs));
    if until.is_some_and(|until| until <= now) {
        return Err(invalid("until_ms", &RetentionReason::InThePast));
    }
    let (by, name) = (identity.actor(), identity.session.name.clone());
    let hold = Hold { by, name, reason: reason(&ask.reason)?, at: now, until };
    let row = identity.row(&app.clock, "hold_recording", format!("recording:{id}"));
    if !app.store.hold_recording(&scope, id, Some(&hold), row).await? {
        return Err(RetentionProblem::WrongStorageState { state: retained.state }.into());
    }
    shown(&app, &scope, id).await
}

/// Release a recording: the retention policy applies again
#[utoipa::path(delete, path = "/storage/recordings/{recording_id}/hold", tag = "storage",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("edit_storage"))),
    responses((status = 200, body = RetainedRecordingView), Problems))]
pub async fn release_recording(
    State(app): State<RetentionApp>,
    identity: Identity,
    PathId(id): PathId<RecordingId>,
) -> Result<Json<RetainedRecordingView>, ApiError> {
    let scope = identity.reach(Permission::EditStorage)?;
    let retained = found(&app, &scope, id).await?;
    if retained.hold.is_some() {
        let row = identity.row(&app.clock, "release_recording", format!("recording:{id}"));
        app.store.hold_recording(&scope, id, None, row).await?;
    }
    shown(&app, &scope, id).await
}

/// Request the deletion of a recording: it is deleted after a week and can be restored until then
#[utoipa::path(put, path = "/storage/recordings/{recording_id}/deletion", tag = "storage", request_body = Reasoned,
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("edit_storage"))),
    responses((status = 200, body = RetainedRecordingView), Problems))]
pub async fn ask_for_deletion(
    State(app): State<RetentionApp>,
    identity: Identity,
    PathId(id): PathId<RecordingId>,
    JsonBody(ask): JsonBody<Reasoned>,
) -> Result<Json<RetainedRecordingView>, ApiError> {
    let scope = identity.reach(Permission::EditStorage)?;
    let retained = found(&app, &scope, id).await?;
    let (since, by) = (app.clock.wall(), identity.actor());
    let deletion = Deletion { since, rule: DeletionRule::Request, by, reason: reason(&ask.reason)? };
    let row = identity.row(&app.clock, "mark_for_deletion", format!("recording:{id}"));
    if !app.store.mark_for_deletion(&scope, id, &deletion, row).await? {
        let problem = match retained.hold {
            Some(_) => RetentionProblem::RecordingHeld,
            None => RetentionProblem::WrongStorageState { state: retained.state },
        };
        return Err(problem.into());
    }
    shown(&app, &scope, id).await
}

/// Revoke a pending deletion
#[utoipa::path(delete, path = "/storage/recordings/{recording_id}/deletion", tag = "storage",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("edit_storage"))),
    responses((status = 200, body = RetainedRecordingView), Problems))]
pub async fn take_deletion_back(
    State(app): State<RetentionApp>,
    identity: Identity,
    PathId(id): PathId<RecordingId>,
) -> Result<Json<RetainedRecordingView>, ApiError> {
    let scope = identity.reach(Permission::EditStorage)?;
    let retained = found(&app, &scope, id).await?;
    let row = identity.row(&app.clock, "take_deletion_back", format!("recording:{id}"));
    if !app.store.unmark(&scope, id, row).await? {
        return Err(RetentionProblem::WrongStorageState { state: retained.state }.into());
    }
    shown(&app, &scope, id).await
}

async fn found(app: &RetentionApp, scope: &Scope, id: RecordingId) -> Result<RetainedRecording, ApiError> {
    app.store.retained_recording(scope, id).await?.ok_or_else(|| CommonProblem::NotFound.into())
}

async fn shown(app: &RetentionApp, scope: &Scope, id: RecordingId) -> Result<Json<RetainedRecordingView>, ApiError> {
    let retained = found(app, scope, id).await?;
    Ok(Json(retained_view(&app.store.policies(scope).await?, retained)))
}

/// One or two sentences.
const REASON_CHARS_MAX: usize = 200;

pub(crate) fn reason(typed: &str) -> Result<String, ApiError> {
    let reason = typed.trim();
    if !(1..=REASON_CHARS_MAX).contains(&reason.chars().count()) || reason.contains(char::is_control) {
        return Err(invalid("reason", &RetentionReason::ReasonNeeded { max: REASON_CHARS_MAX }));
    }
    Ok(reason.to_owned())
}

fn retained_view(policies: &Policies, retained: RetainedRecording) -> RetainedRecordingView {
    let deletes_at_ms = retained.item().deletes_at(&policies.at(&retained.path));
    let deletion = retained.deletion.map(|deletion| DeletionView {
        rule: deletion.rule,
        reason: deletion.reason,
        since_ms: deletion.since,
    });
    let hold = retained.hold.map(|hold| HoldView {
        name: hold.name,
        reason: hold.reason,
        at_ms: hold.at,
        until_ms: hold.until,
    });
    RetainedRecordingView {
        recording_id: retained.recording_id,
        lesson_id: retained.lesson_id,
        title: retained.title,
        organisation_id: retained.organisation_id,
        school: retained.school,
        state: retained.state,
        size_bytes: retained.size_bytes,
        duration_ms: retained.duration_ms,
        ended_at_ms: retained.ended_at,
        is_mirrored: retained.is_mirrored,
        is_chosen: retained.is_chosen,
        hold,
        deletion,
        deletes_at_ms,
    }
}
