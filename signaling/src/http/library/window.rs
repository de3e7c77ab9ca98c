//! A recording, or a window of one, as it is played to those who were let in by another door than that of its replay:
//! its own playlists, cut to the window, and the files that they name; nothing else.

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
    /// Where it is.
    path: String,
    /// Where its first segment begins, in lesson time.
    origin_ms: i64,
}

/// What is played, from where to where.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlayView {
    /// In lesson time of the recording.
    from_ms: i64,
    to_ms: i64,
    /// Camera (or else board) with the voice. `null`: there is nothing to play.
    main: Option<PlaylistView>,
    /// The board, where it is not the main picture. `null`: there is none.
    board: Option<PlaylistView>,
}

/// What of a recording is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub recording_id: RecordingId,
    /// `None`: all of it.
    pub window: Option<Window>,
}

/// The multivariant playlist names the others, and no segment.
const MAIN: &str = "main.m3u8";

impl Shown {
    /// Its playlists, below `base`.
    ///
    /// # Errors
    /// [`CommonProblem::Internal`].
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
            // The picture that the recorder puts into the main playlist, and so the one whose beginning is its own.
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

    /// A playlist, or a file that one of them names. `holder` says who takes a turn at reading.
    ///
    /// # Errors
    /// [`CommonProblem::NotFound`] where it lies outside of the window, too.
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
                // Who is let in may be sent out again.
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
