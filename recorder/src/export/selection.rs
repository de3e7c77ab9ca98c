//! The selection of an export: which tracks, and which span of lesson time.

use std::{fmt, str::FromStr};

use sfu::media::TrackKind;

/// The tracks of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportTracks {
    /// The camera with the voice.
    Camera,
    /// The board with the voice.
    Board,
    /// Board and camera as two tracks, with the voice.
    Both,
    /// The voice alone.
    Voice,
}

impl ExportTracks {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::Camera, Self::Board, Self::Both, Self::Voice];

    /// The name used in URLs and file names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Board => "board",
            Self::Both => "both",
            Self::Voice => "voice",
        }
    }

    /// In the order of the file's tracks: a player that shows one picture shows the first.
    pub(crate) fn pictures(self) -> &'static [TrackKind] {
        match self {
            Self::Camera => &[TrackKind::Camera],
            Self::Board => &[TrackKind::Board],
            Self::Both => &[TrackKind::Board, TrackKind::Camera],
            Self::Voice => &[],
        }
    }
}

impl fmt::Display for ExportTracks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is none of `camera`, `board`, `both`, `voice`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a download takes camera, board, both or voice")]
pub struct UnknownTracks;

impl FromStr for ExportTracks {
    type Err = UnknownTracks;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|tracks| tracks.as_str() == word).ok_or(UnknownTracks)
    }
}

/// A span of lesson time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExportSpan {
    /// Its start.
    pub from_ms: u64,
    /// Its end (exclusive), clamped to that of the recording.
    pub to_ms: u64,
}

impl ExportSpan {
    /// The whole recording.
    pub const WHOLE: Self = Self { from_ms: 0, to_ms: u64::MAX };
}
