//! Playback of a recording, or a window of it, for callers authorised by a share or a lesson's source: its playlists,
//! cut to the window, and the files they name; nothing else.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use recorder::TrackManifest;
use serde::Serialize;
use sfu::media::TrackKind;
use tokio::fs::File;
use utoipa::ToSchema;

use super::recording::{blocking, send};
use crate::{
    http::web::problem::{ApiError, common::CommonProblem},
    live::recording::Recordings,
    state::concurrency::ConcurrencyLimit,
};
use school::{
    base::id::RecordingId,
    library::clip::{Cut, Window},
};

/// One playlist of a recording.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlaylistView {
    /// URL path of the playlist.
    path: String,
    /// Start of its first segment, in lesson time.
    origin_ms: i64,
}

/// The playlists to play, and the span.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlayView {
    /// Lesson time of the recording.
    from_ms: i64,
    to_ms: i64,
    /// Camera (or else board) with voice. `null`: there is nothing to play.
    main: Option<PlaylistView>,
    /// The board, where it is not in the main playlist. `null`: there is none.
    board: Option<PlaylistView>,
}

/// The part of a recording that is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub recording_id: RecordingId,
    /// `None`: the whole recording.
    pub window: Option<Window>,
}

/// The multivariant playlist, which names the other playlists and no segments.
const MAIN: &str = "main.m3u8";

impl Shown {
    /// Its playlists, with paths below `base`.
    ///
    /// # Errors
    /// [`CommonProblem::Internal`] where the blocking task fails.
    pub async fn playlists(self, recordings: &Recordings, base: String) -> Result<PlayView, ApiError> {
        let recordings = recordings.clone();
        let Self { recording_id, window } = self;
        let read = move || {
            let manifest = recordings.manifest(recording_id)?;
            let length_ms = i64::try_from(manifest.duration_ms).unwrap_or(i64::MAX);
            let origin = |name: &str| match window {
                None => Some(0),
                Some(window) => Some(Cut::of(&recordings.playlist(recording_id, name)?, window)?.origin_ms),
            };
            let playlist_of = |kind| {
                let is = |track: &&TrackManifest| track.kind == kind && track.playlist.is_some();
                manifest.tracks.iter().find(is).and_then(|track| track.playlist.clone())
            };
            // The track that the recorder puts first into the main playlist: its origin is that of the playlist.
            let first = [TrackKind::Camera, TrackKind::Board, TrackKind::Stage, TrackKind::Voice].map(playlist_of);
            let main_origin = first.into_iter().flatten().next().and_then(|name| origin(&name));
            let view = |name: String, origin_ms| PlaylistView { path: format!("{base}/{name}"), origin_ms };
            let board = manifest.board_playlist.clone().filter(|_| playlist_of(TrackKind::Camera).is_some());
            let board = board.and_then(|name| Some((name.clone(), origin(&name)?)));
            Some(PlayView {
                from_ms: window.map_or(0, |window| window.from_ms),
                to_ms: window.map_or(length_ms, |window| window.to_ms.min(length_ms)),
                main: manifest.main_playlist.clone().zip(main_origin).map(|(name, at)| view(name, at)),
                board: board.map(|(name, at)| view(name, at)),
            })
        };
        Ok(blocking(read).await?.unwrap_or(PlayView { from_ms: 0, to_ms: 0, main: None, board: None }))
    }

    /// A playlist, or a file that one of them names. `holder` is the key of the limit of concurrent reads.
    ///
    /// # Errors
    /// [`CommonProblem::NotFound`] where there is no such file, or it is outside the window.
    pub async fn file(
        self,
        recordings: &Recordings,
        segments: &ConcurrencyLimit,
        holder: &str,
        file: String,
        headers: &HeaderMap,
    ) -> Result<Response, ApiError> {
        let recordings = recordings.clone();
        let Self { recording_id, window } = self;
        if file.ends_with(".m3u8") {
            let read = move || {
                let whole = recordings.playlist(recording_id, &file)?;
                match window {
                    Some(window) if file != MAIN => Cut::of(&whole, window).map(|cut| cut.text),
                    _ => Some(whole),
                }
            };
            let playlist = blocking(read).await?.ok_or(CommonProblem::NotFound)?;
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.apple.mpegurl")),
                // Access may be revoked at any time.
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            return Ok((headers, playlist).into_response());
        }
        let find = move || {
            if let Some(window) = window {
                let (kind, _) = file.split_once('-')?;
                let whole = recordings.playlist(recording_id, &format!("{kind}.m3u8"))?;
                Cut::of(&whole, window).filter(|cut| cut.has(&file))?;
            }
            recordings.open_media(recording_id, &file)
        };
        let turn = segments.take(holder).await?;
        let (file, sha256) = blocking(find).await?.ok_or(CommonProblem::NotFound)?;
        let mut response = send(File::from_std(file), Some(&sha256), headers, turn).await?;
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        Ok(response)
    }
}
