//! Download of a recording, or a span of it, as one MP4 file.

use std::{fmt::Write, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use recorder::{Export, ExportCursor, ExportSpan, ExportTracks};
use serde::Deserialize;
use tokio::fs::File;

use super::{
    authorize::authorize_replay_as,
    problem::LibraryReason,
    recording::{blocking, no_secret_in_query, send},
};
use crate::{
    http::{
        account::identity::Identity,
        library::app::LibraryApp,
        web::{
            extract::{PathId, QueryParams},
            problem::{ApiError, common::CommonProblem, invalid},
            range::{self, ByteRange},
        },
    },
    state::concurrency::Permit,
};
use school::{
    account::permission::Permission,
    base::{
        id::RecordingId,
        zone::{SHANGHAI, Zone},
    },
    lesson::Lesson,
};

/// The tracks and span of a download.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownloadQuery {
    /// `camera`, `board`, `both` or `voice`; `composite`: both in one frame, whole recording only.
    tracks: String,
    /// Start, in lesson time. `None`: the start of the recording.
    from_ms: Option<u64>,
    /// End, in lesson time. `None`: the end of the recording.
    to_ms: Option<u64>,
}

/// `GET /api/v1/recordings/{recording_id}/download?tracks=…`
///
/// # Errors
/// [`CommonProblem::NotFound`] where the span holds nothing of these tracks, or the caller may not export it;
/// `recording-deleted`.
pub async fn download(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
    QueryParams(ask): QueryParams<DownloadQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    no_secret_in_query(&uri)?;
    let derived = ask.tracks == COMPOSITE && ask.from_ms.is_none() && ask.to_ms.is_none();
    let asked = if derived { None } else { Some(read(&ask)?) };
    let lesson = authorize_replay_as(&app, &identity, Permission::ExportRecording, recording_id).await?;
    let turn = app.downloads.take(&identity.session_sha256).await?;
    let Some((tracks, span)) = asked else {
        let composer = app.composer.clone();
        let opened = blocking(move || composer.file(recorder::RecordingId(recording_id.uuid()))).await?;
        let file = opened.map_err(|_| CommonProblem::NotFound)?;
        note(&app, &identity, &lesson, recording_id, &ask).await?;
        let mut response = send(File::from_std(file), None, &headers, turn).await?;
        let name = disposition(&lesson, COMPOSITE, "一个画面", "mp4", None);
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
        return Ok(response);
    };
    let recordings = app.recordings.clone();
    let export =
        blocking(move || recordings.export(recording_id, tracks, span)).await?.ok_or(CommonProblem::NotFound)?;
    let tag = format!("\"{}\"", export.tag());
    let range = range::asked(&headers, &tag, export.size_bytes())?;
    note(&app, &identity, &lesson, recording_id, &ask).await?;
    let part = range.unwrap_or(ByteRange { from: 0, length: export.size_bytes() });
    let kind = if tracks == ExportTracks::Voice { "audio/mp4" } else { "video/mp4" };
    let mut response = (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            // Access is personal: no shared caches, and every use is revalidated.
            (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
            (header::CONTENT_DISPOSITION, disposition(&lesson, tracks.as_str(), word(tracks), end(tracks), span)),
        ],
        Body::from_stream(bytes(export.clone(), part, turn)),
    )
        .into_response();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    range::mark(&mut response, range, export.size_bytes());
    Ok(response)
}

fn read(ask: &DownloadQuery) -> Result<(ExportTracks, Option<ExportSpan>), ApiError> {
    let tracks = ask.tracks.parse().map_err(|_| invalid("tracks", &LibraryReason::NoSuchTracks))?;
    if ask.from_ms.is_none() && ask.to_ms.is_none() {
        return Ok((tracks, None));
    }
    let span = ExportSpan { from_ms: ask.from_ms.unwrap_or(0), to_ms: ask.to_ms.unwrap_or(u64::MAX) };
    if span.from_ms >= span.to_ms {
        return Err(invalid("to_ms", &LibraryReason::NotAfterStart));
    }
    Ok((tracks, Some(span)))
}

/// The file's bytes, read on demand: one piece in memory at a time, and no thread blocked by a slow client.
fn bytes(
    export: Arc<Export>,
    part: ByteRange,
    turn: Permit,
) -> impl stream::Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let begin = (export, ExportCursor::at(part.from), part.length, turn);
    stream::try_unfold(begin, |(export, mut cursor, left, turn)| async move {
        if left == 0 {
            return Ok(None);
        }
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; want];
            let filled = export.read(&mut cursor, &mut piece)?;
            piece.truncate(filled);
            Ok::<_, std::io::Error>((export, cursor, piece))
        });
        let (export, cursor, piece) = read.await.map_err(std::io::Error::other)??;
        if piece.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let left = left - piece.len() as u64;
        Ok(Some((Bytes::from(piece), (export, cursor, left, turn))))
    })
}

/// Writes an audit row for a download, since the file leaves the hub's access control.
async fn note(
    app: &LibraryApp,
    identity: &Identity,
    lesson: &Lesson,
    recording_id: RecordingId,
    ask: &DownloadQuery,
) -> Result<(), ApiError> {
    let ms = |ms: Option<u64>| ms.map(|ms| ms.to_string()).unwrap_or_default();
    let what = format!("{} {}-{}", ask.tracks, ms(ask.from_ms), ms(ask.to_ms));
    if app.exported.is_new(format!("{} {recording_id} {what}", identity.session_sha256), identity.now) {
        let row = identity.row(&app.clock, "export_recording", format!("recording:{recording_id}"));
        app.store.audit(&row.at_place(lesson.place()).saying(what)).await?;
    }
    Ok(())
}

/// `Content-Disposition` with an ASCII name as fallback, and the lesson's title in UTF-8 (RFC 6266, RFC 8187).
fn disposition(lesson: &Lesson, tracks: &str, word: &str, end: &str, span: Option<ExportSpan>) -> HeaderValue {
    let local = Zone::named(SHANGHAI).ok().and_then(|zone| zone.local(lesson.live_at?));
    let date = local.map(|at| at.date().to_string()).unwrap_or_default();
    let moment = |ms: u64| format!("{}分{:02}秒", ms / 60_000, ms / 1_000 % 60);
    let clip = match span {
        None => String::new(),
        Some(ExportSpan { from_ms, to_ms: u64::MAX }) => format!(" {}起", moment(from_ms)),
        Some(ExportSpan { from_ms, to_ms }) => format!(" {}至{}", moment(from_ms), moment(to_ms)),
    };
    // Leaves out characters that file systems refuse, and those that change text direction.
    let plain = |c: char| {
        !c.is_control() && !"/\\:*?\"<>|".contains(c) && !matches!(c, '\u{200e}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let title: String = lesson.title.chars().filter(|c| plain(*c)).take(TITLE_CHARACTERS_MAX).collect();
    let name = format!("{} {date} {word}{clip}.{end}", title.trim());
    let mut value = format!("attachment; filename=\"tongke-{date}-{tracks}.{end}\"; filename*=UTF-8''");
    for byte in name.trim().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            value.push(char::from(byte));
        } else {
            let _ = write!(value, "%{byte:02X}");
        }
    }
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

fn word(tracks: ExportTracks) -> &'static str {
    match tracks {
        ExportTracks::Camera => "摄像头",
        ExportTracks::Board => "板书",
        ExportTracks::Both => "板书和摄像头",
        ExportTracks::Voice => "声音",
    }
}

fn end(tracks: ExportTracks) -> &'static str {
    if tracks == ExportTracks::Voice { "m4a" } else { "mp4" }
}

/// Value of `tracks` for the composite video.
const COMPOSITE: &str = "composite";

/// Size of one disk read: large enough for few reads, small enough for the memory of a thousand downloads.
const PIECE_BYTES: usize = 256 * 1024;

/// File names have at most 255 bytes, which is 85 Chinese characters; the rest of the name needs room too.
const TITLE_CHARACTERS_MAX: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use school::{
        base::{id::PersonId, time::UnixMs},
        fixtures::lesson_of,
    };

    #[test]
    fn a_file_bears_its_lessons_name_and_nothing_that_harms() {
        let mut lesson = lesson_of(PersonId::fresh(), &[]);
        lesson.live_at = Some(UnixMs(1_789_999_200_000));
        lesson.title = "英语/..\\\u{202e}\"第3课\r\n".into();
        let span = Some(ExportSpan { from_ms: 61_000, to_ms: 125_500 });
        let value = disposition(&lesson, "board", word(ExportTracks::Board), "mp4", span);
        let text = value.to_str().unwrap();
        let (plain, name) = text.split_once("; filename*=UTF-8''").unwrap();
        assert_eq!(plain, "attachment; filename=\"tongke-2026-09-21-board.mp4\"");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)), "{name}");
        let bytes: Vec<u8> = name.split('%').enumerate().fold(Vec::new(), |mut bytes, (n, part)| {
            let (hex, rest) = if n == 0 { ("", part) } else { part.split_at(2) };
            bytes.extend(u8::from_str_radix(hex, 16));
            bytes.extend(rest.bytes());
            bytes
        });
        assert_eq!(String::from_utf8(bytes).unwrap(), "英语..第3课 2026-09-21 板书 1分01秒至2分05秒.mp4");
        lesson.title = "课".repeat(400);
        let long = disposition(&lesson, "both", word(ExportTracks::Both), "mp4", None);
        assert!(long.len() < 700 && long.to_str().unwrap().ends_with(".mp4"));
    }
}
