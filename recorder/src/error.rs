//! Errors of the archive.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::id::RecordingId;

/// An error of the archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk failed.
    #[error("cannot {doing} {path}")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is no recording of that name.
    #[error("there is no recording {id}")]
    NoRecording {
        /// The name.
        id: RecordingId,
    },
    /// The recording has no such file or playlist.
    #[error("recording {id} has no file {name:?}")]
    NoFile {
        /// The recording.
        id: RecordingId,
        /// The name that was asked for.
        name: String,
    },
    /// It has a writer already.
    #[error("recording {id} is being written already")]
    AlreadyRecording {
        /// The recording.
        id: RecordingId,
    },
    /// It is sealed, and never changes again.
    #[error("recording {id} is sealed")]
    Sealed {
        /// The recording.
        id: RecordingId,
    },
    /// It is not sealed: a copy would be truncated.
    #[error("recording {id} is not over")]
    NotOver {
        /// The recording.
        id: RecordingId,
    },
    /// The folder holds no journal of a known version.
    #[error("{path} is no recording of this version")]
    NotARecording {
        /// The folder.
        path: PathBuf,
    },
    /// The recording's thread could not be started, or died.
    #[error("the thread of recording {id} has failed")]
    Thread {
        /// The recording.
        id: RecordingId,
    },
}

impl ArchiveError {
    /// True: the disk is full, or a quota is exceeded.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let Self::Disk { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// The message with that of the operating system.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Disk { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

/// An error of the disk: what was tried, and with which file.
pub(crate) fn failed(doing: &'static str, path: &Path, source: io::Error) -> ArchiveError {
    ArchiveError::Disk { doing, path: path.to_owned(), source }
}
