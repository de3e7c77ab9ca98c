//! Replay: what a recording holds, and its files, for those who may see them.

use std::io::SeekFrom;

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use recorder::TrackManifest;
use serde::Serialize;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;
use utoipa::ToSchema;

use super::{
    ask::Named,
    identity::Identity,
    lesson::view,
    problem::{ApiError, Problems},
    readiness,
};
use crate::{
    app::App,
    domain::{
        id::{ClassId, RecordingId},
        lesson::{Lesson, RecordingState},
        pairing::{Hearing, may_replay},
        permission::{Act, Scope},
    },
    live::wire::LessonView,
};

/// What a recording holds.
#[derive(Serialize, ToSchema)]
pub struct RecordingView {
    recording_id: RecordingId,
    lesson: LessonView,
    state: RecordingState,
    duration_ms: u64,
    main_playlist: Option<String>,
    board_playlist: Option<String>,
    tracks: Vec<TrackManifest>,
}

/// What a recording holds, with the paths of its playlists
#[utoipa::path(get, path = "/recordings/{recording_id}", tag = "recordings", operation_id = "show_recording",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("replay"))),
    responses((status = 200, body = RecordingView), Problems))]
pub async fn show(
    State(app): State<App>,
    identity: Identity,
    Named(recording_id): Named<RecordingId>,
) -> Result<Json<RecordingView>, ApiError> {
    let lesson = lesson_of(&app, &identity, recording_id).await?;
    let note = lesson.recording.ok_or(ApiError::NotFound)?;
    // A replay looks into a class of minors: the audit sees who did.
    let row = identity.row(&app, "look_into_recording", format!("recording:{recording_id}")).at_place(lesson.place());
    app.store.audit(&row).await?;
    let recordings = app.recordings.clone();
    let manifest = blocking(move || recordings.manifest(recording_id)).await?;
    let media = |name: String| format!("/api/v1/recordings/{recording_id}/media/{name}");
    let mut shown = RecordingView {
        recording_id,
        state: note.state,
        lesson: view(&app, &identity, &lesson).await?,
        duration_ms: 0,
        main_playlist: None,
        board_playlist: None,
        tracks: Vec::new(),
    };
    if let Some(manifest) = manifest {
        shown.duration_ms = manifest.duration_ms;
        shown.main_playlist = manifest.main_playlist.map(media);
        shown.board_playlist = manifest.board_playlist.map(media);
        // A track of which nothing could be kept has no playlist, and nothing to show.
        shown.tracks = manifest.tracks.into_iter().filter(|track| track.playlist.is_some()).collect();
        for track in &mut shown.tracks {
            track.playlist = track.playlist.take().map(media);
        }
    }
    Ok(Json(shown))
}

/// `GET /api/v1/recordings/{recording_id}/media/{file}`
pub async fn media(
    State(app): State<App>,
    identity: Identity,
    Path((recording_id, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let recording_id: RecordingId = recording_id.parse().map_err(|_| ApiError::NotFound)?;
    let lesson = lesson_of(&app, &identity, recording_id).await?;
    let sealed = lesson.recording.is_some_and(|note| note.state == RecordingState::Sealed);
    if file.ends_with(".m3u8") {
        let recordings = app.recordings.clone();
        let playlist = blocking(move || recordings.playlist(recording_id, &file)).await?.ok_or(ApiError::NotFound)?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.apple.mpegurl")),
            (header::CACHE_CONTROL, HeaderValue::from_static(if sealed { "private, max-age=60" } else { "no-store" })),
        ];
        return Ok((headers, playlist).into_response());
    }
    let kind = if file.ends_with(".m4s") || file.ends_with(".mp4") { "video/mp4" } else { "application/octet-stream" };
    let recordings = app.recordings.clone();
    let path = blocking(move || recordings.media_path(recording_id, &file)).await?.ok_or(ApiError::NotFound)?;
    let file = File::open(path).await.map_err(|_| ApiError::NotFound)?;
    let size_bytes = file.metadata().await.map_err(|error| ApiError::Internal(Box::new(error)))?.len();
    send(file, size_bytes, kind, headers.get(header::RANGE)).await
}

async fn lesson_of(app: &App, identity: &Identity, recording_id: RecordingId) -> Result<Lesson, ApiError> {
    let scope = identity.reach(Act::Replay)?;
    let lesson = app.store.lesson_of_recording(&scope, recording_id).await?.ok_or(ApiError::NotFound)?;
    if may_look(app, identity, &scope, &lesson).await? { Ok(lesson) } else { Err(ApiError::NotFound) }
}

/// Whether the asker, in whose scope of replay the lesson lies, may look into its recording: who taught it, who looks
/// over its school, and who could hear it.
pub(super) async fn may_look(app: &App, identity: &Identity, scope: &Scope, lesson: &Lesson) -> Result<bool, ApiError> {
    let teaches = identity.session.asker.person_id() == Some(lesson.teacher.person_id);
    Ok(teaches || scope.covers(lesson.place()) || had_the_right(app, scope, lesson).await?)
}

/// Whether one of the listening ends in scope could hear the lesson by a right that held then. What it could hear stays
/// its own, also after the right was frozen or cancelled.
async fn had_the_right(app: &App, scope: &Scope, lesson: &Lesson) -> Result<bool, ApiError> {
    if !readiness::rule(app, scope, lesson).await?.is_some_and(|rule| rule.needs_listening_right) {
        return Ok(true);
    }
    let Some(heard) = app.store.heard(scope, lesson.lesson_id).await? else { return Ok(false) };
    // Rights are given for a term: a lesson outside of any was put there for the classrooms that it lists.
    let (Some(term_id), Some(live_at)) = (heard.term_id, lesson.live_at) else { return Ok(!heard.classes.is_empty()) };
    let class_ids: Vec<ClassId> = heard.classes.iter().copied().flatten().collect();
    let rights = app.store.rights_of_classes(scope, term_id, &class_ids).await?;
    let (teaching_id, subject) = (heard.teaching_id, lesson.subject.as_str());
    Ok(class_ids
        .into_iter()
        .any(|class_id| may_replay(&rights, &Hearing { term_id, teaching_id, class_id, subject }, live_at)))
}

/// Sends a file or the one range of it that is asked for. A segment never changes, so a browser may keep it.
async fn send(
    mut file: File,
    size_bytes: u64,
    kind: &'static str,
    range: Option<&HeaderValue>,
) -> Result<Response, ApiError> {
    let range = match range.and_then(|range| range.to_str().ok()) {
        None => None,
        Some(text) => read_range(text, size_bytes)?,
    };
    let (from, length) = range.unwrap_or((0, size_bytes));
    file.seek(SeekFrom::Start(from)).await.map_err(|error| ApiError::Internal(Box::new(error)))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400, immutable")),
    ];
    let mut response = (headers, Body::from_stream(ReaderStream::new(file.take(length)))).into_response();
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let value = format!("bytes {from}-{}/{size_bytes}", from + length - 1);
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(header::CONTENT_RANGE, value);
        }
    }
    Ok(response)
}

/// `bytes=a-b`, `bytes=a-` or `bytes=-n`, as first byte and length. More than one range, or another unit, is answered
/// with the whole file (RFC 9110 §14.2 allows it).
fn read_range(text: &str, size_bytes: u64) -> Result<Option<(u64, u64)>, ApiError> {
    let Some(text) = text.strip_prefix("bytes=") else { return Ok(None) };
    let Some((first, last)) = text.split_once('-') else { return Ok(None) };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, last) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last),
        (Some(first), None) if last.trim().is_empty() => (first, u64::MAX),
        (None, Some(length)) if first.trim().is_empty() && length > 0 => (size_bytes.saturating_sub(length), u64::MAX),
        _ => return Ok(None),
    };
    if first >= size_bytes {
        return Err(ApiError::RangeNotSatisfiable { size_bytes });
    }
    Ok(Some((first, last.min(size_bytes - 1) - first + 1)))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::Internal(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_nothing_overflows() {
        let table = [
            ("bytes=0-9", Some((0, 10))),
            ("bytes=90-", Some((90, 10))),
            ("bytes=90-1000", Some((90, 10))),
            ("bytes=-10", Some((90, 10))),
            ("bytes=-1000", Some((0, 100))),
            ("bytes=0-18446744073709551615", Some((0, 100))),
            ("bytes=9-0", None),
            ("bytes=0-1,2-3", None),
            ("bytes=-0", None),
            ("bytes=18446744073709551616-", None),
            ("pages=1-2", None),
            ("bytes=", None),
        ];
        for (text, expected) in table {
            assert_eq!(read_range(text, 100).unwrap(), expected, "{text}");
        }
        assert!(read_range("bytes=100-", 100).is_err());
        assert!(read_range("bytes=0-", 0).is_err());
    }
}
