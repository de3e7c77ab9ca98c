//! The thin way to the recorder: what a lesson in progress and its replay ask of it, in this crate's words.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use recorder::{Archive, ArchiveError, Export, ExportTracks, Manifest, Recorder, Signer, Span, SystemClock};
use sfu::tap::TapReceiver;
use tracing::{error, info};

use super::registry::chain;
use crate::{
    domain::id::RecordingId,
    keep::{self, KeepError},
};

/// Every recording of this hub. Cheap to clone; its calls touch the disk, so they belong on a blocking thread.
#[derive(Clone)]
pub struct Recordings {
    archive: Arc<Archive>,
}

/// A recording that grows.
pub struct Recording {
    recorder: Recorder,
}

/// The key that seals this hub's recordings. It stays in the data folder, and apart from that of the tokens: tokens may
/// be given another key at any time, recordings are checked with theirs for years.
pub struct SealKey {
    pair: Ed25519KeyPair,
}

impl SealKey {
    /// Reads the key of a data folder, or makes it on the first run.
    ///
    /// # Errors
    /// [`KeepError`] where the file cannot be read or written, or holds no key.
    pub fn open(data: &Path) -> Result<Self, KeepError> {
        let path = data.join(KEY_FILE);
        let document = keep::secret(&path, || {
            Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
                .map(|document| document.as_ref().to_vec())
                .unwrap_or_default()
        })?;
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_| KeepError::NotAKey { path })?;
        Ok(Self { pair })
    }

    /// Reads the key of a data folder. `None`: no hub that signs has run there yet.
    ///
    /// # Errors
    /// As [`SealKey::open`].
    pub fn existing(data: &Path) -> Result<Option<Self>, KeepError> {
        if data.join(KEY_FILE).exists() { Self::open(data).map(Some) } else { Ok(None) }
    }
}

impl Signer for SealKey {
    fn public_key(&self) -> [u8; 32] {
        self.pair.public_key().as_ref().try_into().unwrap_or_default()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).as_ref().try_into().unwrap_or([0; 64])
    }
}

/// The key file in the data folder, readable by the hub alone.
const KEY_FILE: &str = "recording.key";

impl Recordings {
    /// Opens the folder of recordings. Those that end from now on are signed with `key`.
    ///
    /// # Errors
    /// As the archive says.
    pub fn open(root: PathBuf, key: SealKey) -> Result<Self, ArchiveError> {
        Ok(Self { archive: Archive::signed(root, Arc::new(SystemClock), Arc::new(key))? })
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

    /// An init segment or a segment, opened, and its SHA-256 in hex. `None`: there is none of that name.
    #[must_use]
    pub fn open_media(&self, recording_id: RecordingId, name: &str) -> Option<(File, String)> {
        self.found(recording_id, self.archive.open_media(named(recording_id), name))
    }

    /// The recording, or a span of it, as an MP4 file. `None`: nothing of these tracks lies there.
    #[must_use]
    pub fn export(&self, recording_id: RecordingId, tracks: ExportTracks, span: Option<Span>) -> Option<Arc<Export>> {
        self.found(recording_id, self.archive.export(named(recording_id), tracks, span))
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
