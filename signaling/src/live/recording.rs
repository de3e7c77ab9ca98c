//! The thin way to the recorder: what a lesson in progress asks of it.

use std::{path::PathBuf, sync::Arc};

use sfu::tap::TapReceiver;

use crate::domain::id::RecordingId;

/// Every recording of this hub.
#[derive(Clone)]
pub struct Recordings {
    root: Arc<PathBuf>,
}

/// A recording that grows.
pub struct Recording {
    tap: TapReceiver,
}

/// The recordings cannot be opened or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the recordings in {0}")]
pub struct RecordingError(PathBuf);

impl Recordings {
    /// Opens the folder of recordings.
    pub fn open(root: PathBuf) -> Result<Self, RecordingError> {
        Ok(Self { root: Arc::new(root) })
    }

    /// Mends what a killed hub left half written. Answers how many recordings it looked at.
    pub fn recover(&self) -> usize {
        0
    }

    /// Begins a recording, or goes on with one.
    pub fn record(&self, _recording_id: RecordingId, tap: TapReceiver) -> Result<Recording, RecordingError> {
        Ok(Recording { tap })
    }

    /// What a recording holds. `None`: nothing yet.
    pub fn contents(&self, _recording_id: RecordingId) -> Option<RecordingContents> {
        None
    }

    /// A playlist by its file name. `None`: there is none of that name.
    pub fn playlist(&self, _recording_id: RecordingId, _name: &str) -> Option<String> {
        None
    }

    /// A segment's file by its name. `None`: there is none of that name.
    pub fn media_path(&self, recording_id: RecordingId, name: &str) -> Option<PathBuf> {
        let path = self.root.join(recording_id.to_string()).join(name);
        path.exists().then_some(path)
    }
}

impl Recording {
    /// Ends it: complete, and never changed again.
    pub fn finish(self) {
        drop(self.tap);
    }

    /// Closes it so that it can be gone on with.
    pub fn suspend(self) {
        drop(self.tap);
    }
}

/// What a recording holds, as the replay page needs it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[expect(missing_docs, reason = "the names are those of the replay's JSON")]
pub struct RecordingContents {
    pub duration_ms: u64,
    pub main_playlist: Option<String>,
    pub board_playlist: Option<String>,
    pub tracks: Vec<RecordedTrack>,
}

/// One recorded track.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[expect(missing_docs, reason = "the names are those of the replay's JSON")]
pub struct RecordedTrack {
    pub kind: sfu::TrackKind,
    pub codec: sfu::Codec,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub starts_at_ms: u64,
    pub duration_ms: u64,
    pub playlist: String,
    pub gaps: Vec<RecordedGap>,
}

/// A stretch of a track where nothing was kept.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[expect(missing_docs, reason = "the names are those of the replay's JSON")]
pub struct RecordedGap {
    pub from_ms: u64,
    pub to_ms: u64,
    pub reason: String,
}
