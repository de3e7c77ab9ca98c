//! The thin way to the recorder: what a lesson in progress and its replay ask of it, in this crate's words.

use std::{path::PathBuf, sync::Arc};

use recorder::{Archive, ArchiveError, Manifest, Recorder, SystemClock};
use sfu::tap::TapReceiver;
use tracing::{error, info};

use super::registry::chain;
use crate::domain::id::RecordingId;

/// Every recording of this hub. Cheap to clone; its calls touch the disk, so they belong on a blocking thread.
#[derive(Clone)]
pub struct Recordings {
    archive: Arc<Archive>,
}

/// A recording that grows.
pub struct Recording {
    recorder: Recorder,
}

impl Recordings {
    /// Opens the folder of recordings.
    ///
    /// # Errors
    /// As the archive says.
    pub fn open(root: PathBuf) -> Result<Self, ArchiveError> {
        Ok(Self { archive: Archive::open(root, Arc::new(SystemClock))? })
    }

    /// Mends what a killed hub left half written. Answers how many recordings may go on.
    ///
    /// # Errors
    /// As the archive says.
    pub fn recover(&self) -> Result<usize, ArchiveError> {
        Ok(self.archive.recover()?.len())
    }

    /// Begins a recording, or goes on with one.
    ///
    /// # Errors
    /// As the archive says.
    pub fn record(&self, recording_id: RecordingId, tap: TapReceiver) -> Result<Recording, ArchiveError> {
        Ok(Recording { recorder: self.archive.record(named(recording_id), tap)? })
    }

    /// Completes a recording whose lesson is over and that nobody writes any more. True: it is complete now.
    #[must_use]
    pub fn seal(&self, recording_id: RecordingId) -> bool {
        match self.archive.seal(named(recording_id)) {
            // Killed between the seal and our note of it, or before the first byte.
            Ok(_) | Err(ArchiveError::Sealed { .. } | ArchiveError::NoRecording { .. }) => true,
            Err(error) => {
                error!(recording.id = %recording_id, error = chain(&error), "Recording {recording_id} cannot be sealed");
                false
            }
        }
    }

    /// What a recording holds. `None`: nothing yet, or it cannot be read.
    #[must_use]
    pub fn manifest(&self, recording_id: RecordingId) -> Option<Manifest> {
        self.found(recording_id, self.archive.manifest(named(recording_id)))
    }

    /// A playlist by the name that the manifest tells. `None`: there is none of that name.
    #[must_use]
    pub fn playlist(&self, recording_id: RecordingId, name: &str) -> Option<String> {
        self.found(recording_id, self.archive.playlist(named(recording_id), name))
    }

    /// An init segment's or segment's file. `None`: there is none of that name.
    #[must_use]
    pub fn media_path(&self, recording_id: RecordingId, name: &str) -> Option<PathBuf> {
        self.found(recording_id, self.archive.media_path(named(recording_id), name))
    }

    fn found<T>(&self, recording_id: RecordingId, answer: Result<T, ArchiveError>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(ArchiveError::NoRecording { .. } | ArchiveError::NoFile { .. }) => None,
            Err(error) => {
                error!(recording.id = %recording_id, error = chain(&error), "Recording {recording_id} cannot be read");
                None
            }
        }
    }
}

impl Recording {
    /// Ends it: complete, and never changed again. True: it is sealed.
    #[must_use]
    pub fn finish(self) -> bool {
        let recording_id = self.recorder.id();
        match self.recorder.finish() {
            Ok(manifest) => {
                info!(recording.id = %recording_id, duration_ms = manifest.duration_ms, "Sealed recording {recording_id}");
                true
            }
            Err(error) => {
                error!(recording.id = %recording_id, error = chain(&error), "Recording {recording_id} cannot be sealed");
                false
            }
        }
    }

    /// Closes it so that the next start goes on with it.
    pub fn suspend(self) {
        let recording_id = self.recorder.id();
        if let Err(error) = self.recorder.suspend() {
            error!(recording.id = %recording_id, error = chain(&error), "Recording {recording_id} was not closed cleanly");
        }
    }
}

fn named(recording_id: RecordingId) -> recorder::RecordingId {
    recorder::RecordingId(recording_id.uuid())
}
