//! Board and camera in one frame: asked for, followed, given up.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use recorder::{
    ExportTracks,
    composite::{CompositeRefused, CompositeState},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{authorize::authorize_replay_as, recording::blocking};
use crate::http::{
    account::identity::Identity,
    library::app::LibraryApp,
    web::{
        extract::{JsonBody, Nothing, PathId},
        problem::{ApiError, Problems, common::CommonProblem},
    },
};
use school::{account::permission::Permission, base::id::RecordingId};

/// How far the one frame of a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompositeStage {
    /// Nobody has asked for it.
    None,
    /// It is being made.
    Making,
    /// `download?tracks=composite` gives it.
    Ready,
    /// It could not be made.
    Failed,
}

/// Board and camera of a recording in one frame.
#[derive(Serialize, ToSchema)]
pub struct CompositeView {
    recording_id: RecordingId,
    state: CompositeStage,
    /// So much of it is made, in percent.
    #[schema(maximum = 100)]
    percent: u8,
    /// How long the file is. `null`: it is not there.
    size_bytes: Option<u64>,
}

/// Whether a recording is there in one frame, or how far it is
#[utoipa::path(get, path = "/recordings/{recording_id}/composite", tag = "recordings", operation_id = "show_composite",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("export_recording"))),
    responses((status = 200, body = CompositeView), Problems))]
pub async fn show(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
) -> Result<Json<CompositeView>, ApiError> {
    authorize_replay_as(&app, &identity, Permission::ExportRecording, recording_id).await?;
    view(&app, recording_id).await
}

/// Put board and camera of a recording into one frame: it takes a while, and one is made at a time
#[utoipa::path(post, path = "/recordings/{recording_id}/composite", tag = "recordings", operation_id = "make_composite",
    request_body = Nothing, params(("recording_id" = RecordingId, Path)),
    extensions(("x-act" = json!("export_recording"))),
    responses((status = 200, body = CompositeView), Problems))]
pub async fn make(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<CompositeView>, ApiError> {
    let lesson = authorize_replay_as(&app, &identity, Permission::ExportRecording, recording_id).await?;
    let (recordings, composer) = (app.recordings.clone(), app.composer.clone());
    let begun = blocking(move || {
        let export = recordings.export(recording_id, ExportTracks::Both, None);
        let export = export.ok_or(CompositeRefused::NotTwoPictures)?;
        composer.begin(recorder::RecordingId(recording_id.uuid()), export)
    });
    match begun.await? {
        Ok(()) => {
            let row = identity.row(&app.clock, "make_composite", format!("recording:{recording_id}"));
            app.store.audit(&row.at_place(lesson.place())).await?;
        }
        Err(CompositeRefused::Ready) => {} // As it was asked for.
        Err(CompositeRefused::Busy(id)) if id.0 == recording_id.uuid() => {}
        Err(refused) => return Err(refused.into()),
    }
    view(&app, recording_id).await
}

/// Give up one that is being made, or take away one that is there
#[utoipa::path(delete, path = "/recordings/{recording_id}/composite", tag = "recordings",
    operation_id = "cancel_composite", params(("recording_id" = RecordingId, Path)),
    extensions(("x-act" = json!("export_recording"))), responses((status = 204), Problems))]
pub async fn cancel(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
) -> Result<StatusCode, ApiError> {
    let lesson = authorize_replay_as(&app, &identity, Permission::ExportRecording, recording_id).await?;
    let composer = app.composer.clone();
    if !blocking(move || composer.cancel(recorder::RecordingId(recording_id.uuid()))).await? {
        return Err(CommonProblem::NotFound.into());
    }
    let row = identity.row(&app.clock, "cancel_composite", format!("recording:{recording_id}"));
    app.store.audit(&row.at_place(lesson.place())).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn view(app: &LibraryApp, recording_id: RecordingId) -> Result<Json<CompositeView>, ApiError> {
    let composer = Arc::clone(&app.composer);
    let state = blocking(move || composer.state(recorder::RecordingId(recording_id.uuid()))).await?;
    let (state, percent, size_bytes) = match state {
        None => (CompositeStage::None, 0, None),
        Some(CompositeState::Making(share)) => (CompositeStage::Making, (share * 100.0) as u8, None),
        Some(CompositeState::Ready { size_bytes }) => (CompositeStage::Ready, 100, Some(size_bytes)),
        Some(CompositeState::Failed) => (CompositeStage::Failed, 0, None),
    };
    Ok(Json(CompositeView { recording_id, state, percent, size_bytes }))
}
