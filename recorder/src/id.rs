//! Names of what is stored: recordings and the files of one recording.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sfu::media::TrackKind;
use uuid::Uuid;

/// One lesson's recording: a UUID, and the name of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordingId(pub Uuid);

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The text is no UUID in its one canonical form (lower case, with hyphens).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a recording's name is a lower-case UUID with hyphens")]
pub struct NotARecordingId;

impl FromStr for RecordingId {
    type Err = NotARecordingId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Self(Uuid::try_parse(text).map_err(|_| NotARecordingId)?);
        // Canonical form only: the braced, URN and upper-case forms would be other paths.
        if id.to_string() == text { Ok(id) } else { Err(NotARecordingId) }
    }
}

/// A media file of a recording. The only grammar of names that becomes paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaName {
    /// `{kind}-init-{n}.mp4`: how a track's segments are to be decoded.
    Init {
        /// Whose.
        kind: TrackKind,
        /// Counts the codec configurations of this track, from 1.
        n: u32,
    },
    /// `{kind}-{seq:06}.m4s`: some four seconds of a track.
    Segment {
        /// Whose.
        kind: TrackKind,
        /// Counts the segments of this track, from 1.
        seq: u32,
    },
}

impl MediaName {
    /// The track that the file belongs to.
    #[must_use]
    pub fn kind(self) -> TrackKind {
        match self {
            Self::Init { kind, .. } | Self::Segment { kind, .. } => kind,
        }
    }

    /// The name while the file is being written.
    #[must_use]
    pub fn part(self) -> String {
        format!("{self}{PART}")
    }

    /// Parses a name read from the disk. The flag: the file is still a part.
    #[must_use]
    pub fn of_file(name: &str) -> Option<(Self, bool)> {
        match name.strip_suffix(PART) {
            Some(whole) => Some((whole.parse().ok()?, true)),
            None => Some((name.parse().ok()?, false)),
        }
    }
}

impl fmt::Display for MediaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init { kind, n } => write!(f, "{kind}-init-{n}.mp4"),
            Self::Segment { kind, seq } => write!(f, "{kind}-{seq:06}.m4s"),
        }
    }
}

/// No file of a recording has such a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no file of a recording is named like that")]
pub struct NotAMediaName;

impl FromStr for MediaName {
    type Err = NotAMediaName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = parse(text).ok_or(NotAMediaName)?;
        // The round trip refuses signs, leading zeros and other spellings of a number.
        if name.to_string() == text { Ok(name) } else { Err(NotAMediaName) }
    }
}

fn parse(text: &str) -> Option<MediaName> {
    if let Some(stem) = text.strip_suffix(".mp4") {
        let (kind, n) = stem.split_once("-init-")?;
        Some(MediaName::Init { kind: track_kind(kind)?, n: n.parse().ok()? })
    } else {
        let (kind, seq) = text.strip_suffix(".m4s")?.split_once('-')?;
        Some(MediaName::Segment { kind: track_kind(kind)?, seq: seq.parse().ok()? })
    }
}

/// The name of a track's media playlist.
#[must_use]
pub fn playlist_name(kind: TrackKind) -> String {
    format!("{kind}{PLAYLIST}")
}

/// The track of a playlist, by the name of the playlist.
#[must_use]
pub fn playlist_track(name: &str) -> Option<TrackKind> {
    track_kind(name.strip_suffix(PLAYLIST)?)
}

/// A track's kind by its name, published kinds and the mixed voice.
#[must_use]
pub fn track_kind(word: &str) -> Option<TrackKind> {
    let mixed = (word == TrackKind::MixedVoice.as_str()).then_some(TrackKind::MixedVoice);
    mixed.or_else(|| word.parse().ok())
}

/// The multivariant playlist: camera (or else board, or else stage) as picture, voice as its audio rendition,
/// mixed with the stage's where there is one.
pub const MAIN_PLAYLIST: &str = "main.m3u8";

const PLAYLIST: &str = ".m3u8";
const PART: &str = ".part";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_the_recorder_writes_are_names() {
        for good in [
            "voice-init-1.mp4",
            "stage_voice-init-12.mp4",
            "mixed_voice-000003.m4s",
            "camera-000001.m4s",
            "board-1234567.m4s",
        ] {
            assert_eq!(good.parse::<MediaName>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "..",
            "../voice-init-1.mp4",
            "voice-init-1.mp4/..",
            "voice-init-01.mp4",
            "voice-init-+1.mp4",
            "voice-1.m4s",
            "camera-000001.m4s.part",
            "camera-000001.m4s\0",
            "/etc/passwd",
            "journal.log",
            "Camera-000001.m4s",
        ] {
            assert!(bad.parse::<MediaName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_recording_has_one_name() {
        let id = "0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a";
        assert_eq!(id.parse::<RecordingId>().unwrap().to_string(), id);
        for bad in ["..", "0192F0C4-7D5E-7CC1-8A6B-1F2E3D4C5B6A", "0192f0c47d5e7cc18a6b1f2e3d4c5b6a", "{x}"] {
            assert!(bad.parse::<RecordingId>().is_err(), "{bad:?}");
        }
    }
}
