//! Replay: the contents of a recording, and its media files.

use std::{io::SeekFrom, time::UNIX_EPOCH};

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use recorder::{Chapter, TrackManifest};
use serde::Serialize;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;
use utoipa::ToSchema;

use super::{authorize::authorize_replay_as, recording_may::RecordingMay};
use crate::{
    http::{
        account::identity::Identity,
        lesson::view,
        library::app::LibraryApp,
        web::{
            extract::PathId,
            problem::{ApiError, Problems, common::CommonProblem},
            range::{self, ByteRange},
        },
    },
    live::wire::LessonView,
    state::concurrency::Permit,
};
use school::{account::permission::Permission, base::id::RecordingId, lesson::RecordingState};

/// The contents of a recording.
#[derive(Serialize, ToSchema)]
pub struct RecordingView {
    recording_id: RecordingId,
    lesson: LessonView,
    state: RecordingState,
    duration_ms: u64,
    main_playlist: Option<String>,
    board_playlist: Option<String>,
    tracks: Vec<TrackManifest>,
    /// Chapters found by the recorder (board changes, stage turns), in order of time.
    chapters: Vec<Chapter>,
    may: RecordingMay,
}

/// Show the contents of a recording, with the paths of its playlists
#[utoipa::path(get, path = "/recordings/{recording_id}", tag = "recordings", operation_id = "show_recording",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("replay"))),
    responses((status = 200, body = RecordingView), Problems))]
pub async fn show(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
) -> Result<Json<RecordingView>, ApiError> {
    let lesson = authorize_replay_as(&app, &identity, Permission::Replay, recording_id).await?;
    let note = lesson.recording.ok_or(CommonProblem::NotFound)?;
    // A replay shows a class of minors, so each is audited.
    let row =
        identity.row(&app.clock, "look_into_recording", format!("recording:{recording_id}")).at_place(lesson.place());
    app.store.audit(&row).await?;
    let recordings = app.recordings.clone();
    let manifest = blocking(move || recordings.manifest(recording_id)).await?;
    let media = |name: String| format!("/api/v1/recordings/{recording_id}/media/{name}");
    let mut shown = RecordingView {
        recording_id,
        state: note.state,
        lesson: view(&app.store, app.clock.wall(), &identity, &lesson).await?,
        duration_ms: 0,
        main_playlist: None,
        board_playlist: None,
        tracks: Vec::new(),
        chapters: Vec::new(),
        may: RecordingMay::looking(&app, &identity, &lesson, recording_id).await?,
    };
    if let Some(manifest) = manifest {
        shown.duration_ms = manifest.duration_ms;
        shown.chapters = manifest.chapters;
        shown.main_playlist = manifest.main_playlist.map(media);
        shown.board_playlist = manifest.board_playlist.map(media);
        // A track of which nothing was recorded has no playlist.
        shown.tracks = manifest.tracks.into_iter().filter(|track| track.playlist.is_some()).collect();
        for track in &mut shown.tracks {
            track.playlist = track.playlist.take().map(media);
        }
    }
    Ok(Json(shown))
}

/// `GET /api/v1/recordings/{recording_id}/media/{file}`
///
/// # Errors
/// [`CommonProblem::NotFound`] where there is no such file, or the caller may not replay it; `recording-deleted`.
pub async fn media(
    State(app): State<LibraryApp>,
    identity: Identity,
    Path((recording_id, file)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    no_secret_in_query(&uri)?;
    let recording_id: RecordingId = recording_id.parse().map_err(|_| CommonProblem::NotFound)?;
    let lesson = authorize_replay_as(&app, &identity, Permission::Replay, recording_id).await?;
    let sealed = lesson.recording.is_some_and(|note| note.state == RecordingState::Sealed);
    let recordings = app.recordings.clone();
    let mut response = if file.ends_with(".m3u8") {
        let playlist =
            blocking(move || recordings.playlist(recording_id, &file)).await?.ok_or(CommonProblem::NotFound)?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.apple.mpegurl")),
            (header::CACHE_CONTROL, HeaderValue::from_static(if sealed { "private, max-age=60" } else { "no-store" })),
        ];
        (headers, playlist).into_response()
    } else {
        let turn = app.segments.take(&identity.session_sha256).await?;
        let opened = blocking(move || recordings.open_media(recording_id, &file)).await?;
        let (file, sha256) = opened.ok_or(CommonProblem::NotFound)?;
        send(File::from_std(file), Some(&sha256), &headers, turn).await?
    };
    // The query does not affect the response: caches may ignore it.
    response.headers_mut().insert(NO_VARY_SEARCH, HeaderValue::from_static("params"));
    Ok(response)
}

/// `No-Vary-Search` (HTTP working group): the query is not part of the cache key.
const NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");

/// Refuses a URL with a credential in its query, which would end up in logs, histories and referrers. Recordings are
/// authorised by the cookie only.
///
/// # Errors
/// [`CommonProblem::SecretInUrl`] where a parameter name looks like that of a credential.
pub(crate) fn no_secret_in_query(uri: &Uri) -> Result<(), ApiError> {
    let names = uri.query().unwrap_or_default().split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRETS.iter().any(|secret| name.contains(secret))
    };
    if names.into_iter().any(is_secret) { Err(CommonProblem::SecretInUrl.into()) } else { Ok(()) }
}

/// Parts of parameter names that indicate a credential, in lower case.
const SECRETS: [&str; 8] = ["token", "session", "cookie", "auth", "jwt", "passw", "secret", "signature"];

/// Sends a file or the requested range of it. A segment, whose SHA-256 is known, never changes, so browsers may cache
/// it.
pub(crate) async fn send(
    mut file: File,
    sha256: Option<&str>,
    headers: &HeaderMap,
    turn: Permit,
) -> Result<Response, ApiError> {
    let about = file.metadata().await.map_err(ApiError::internal)?;
    let size_bytes = about.len();
    // A derived file may be rendered again: length and modification time identify its version.
    let made_at = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let tag = sha256.map_or(format!("\"{size_bytes}-{}\"", made_at.as_nanos()), |sha256| format!("\"{sha256}\""));
    let caching = if sha256.is_some() { "private, max-age=86400, immutable" } else { "private, no-cache" };
    let kept = [
        (header::CONTENT_TYPE, HeaderValue::from_static("video/mp4")),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::ETAG, HeaderValue::try_from(&tag).unwrap_or(HeaderValue::from_static("\"\""))),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let range = range::asked(headers, &tag, size_bytes)?;
    let part = range.unwrap_or(ByteRange { from: 0, length: size_bytes });
    file.seek(SeekFrom::Start(part.from)).await.map_err(ApiError::internal)?;
    // The permit is released after the last byte, or when the client disconnects.
    let bytes = ReaderStream::new(file.take(part.length)).map(move |piece| {
        let _held = &turn;
        piece
    });
    let mut response = (kept, Body::from_stream(bytes)).into_response();
    range::mark(&mut response, range, size_bytes);
    Ok(response)
}

/// Runs disk work on a blocking thread.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
}
