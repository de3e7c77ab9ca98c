//! The composite video of a recording, board and camera in one frame: create, show progress, cancel.

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

/// Progress of a composite video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompositeStage {
    /// It was not requested.
    None,
    /// It is being rendered.
    Making,
    /// `download?tracks=composite` returns it.
    Ready,
    /// Rendering failed.
    Failed,
}

/// The composite video of a recording: board and camera in one frame.
#[derive(Serialize, ToSchema)]
pub struct CompositeView {
    recording_id: RecordingId,
    state: CompositeStage,
    /// Progress in percent.
    #[schema(maximum = 100)]
    percent: u8,
    /// Size of the file in bytes. `null`: it does not exist.
    size_bytes: Option<u64>,
}

/// Show the state of a recording's composite video
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

/// Start rendering board and camera of a recording into one video; one recording is rendered at a time
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
        Err(CompositeRefused::Ready) => {} // Already done.
        Err(CompositeRefused::Busy(id)) if id.0 == recording_id.uuid() => {}
        Err(refused) => return Err(refused.into()),
    }
    view(&app, recording_id).await
}

/// Cancel the rendering of a composite video, or delete the finished one
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
