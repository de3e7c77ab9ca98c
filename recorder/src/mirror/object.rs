//! Names of objects in the bucket: `{recording}/{piece}`.

use std::{fmt, str::FromStr};

use crate::{
    id::{MediaName, RecordingId},
    journal::{chain::JOURNAL, seal::SEAL},
};

/// A part of a recording that is one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Piece {
    /// An init segment or a segment.
    Media(MediaName),
    /// Complete records of a growing journal, from one byte to another.
    JournalPart {
        /// The first byte.
        from: u64,
        /// Exclusive.
        to: u64,
    },
    /// The complete journal.
    Journal,
    /// The seal.
    Seal,
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Media(name) => name.fmt(f),
            Self::JournalPart { from, to } => write!(f, "journal-{from:012}-{to:012}.log"),
            Self::Journal => f.write_str(JOURNAL),
            Self::Seal => f.write_str(SEAL),
        }
    }
}

/// No piece of a recording is named like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no piece of a recording is named like that")]
pub struct NotAPiece;

impl FromStr for Piece {
    type Err = NotAPiece;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = || {
            let (from, to) = text.strip_prefix("journal-")?.strip_suffix(".log")?.split_once('-')?;
            Some(Self::JournalPart { from: from.parse().ok()?, to: to.parse().ok()? })
        };
        match text {
            JOURNAL => Ok(Self::Journal),
            SEAL => Ok(Self::Seal),
            _ => text.parse().map(Self::Media).ok().or_else(part).ok_or(NotAPiece),
        }
    }
}

/// One object: a piece of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    /// The recording.
    pub recording: RecordingId,
    /// The piece.
    pub piece: Piece,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.recording, self.piece)
    }
}

impl Object {
    /// An object by recording and piece.
    #[must_use]
    pub fn of(recording: RecordingId, piece: Piece) -> Self {
        Self { recording, piece }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_read_as_it_is_written() {
        for name in [
            "voice-init-1.mp4",
            "camera-000123.m4s",
            "journal-000000000000-000000004096.log",
            "journal.log",
            "seal.json",
        ] {
            assert_eq!(name.parse::<Piece>().unwrap().to_string(), name);
        }
        for bad in ["", "..", "journal-1.log", "seal.json.part", "camera-1.m4s"] {
            assert_eq!(bad.parse::<Piece>(), Err(NotAPiece), "{bad}");
        }
    }
}
