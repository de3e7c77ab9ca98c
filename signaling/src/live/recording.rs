//! Adapter to the recorder for live lessons and replay.

use std::{
    collections::BTreeSet,
    fs::File,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use recorder::{
    Archive, ArchiveError, Checkpoint, DiskState, Export, ExportSpan, ExportTracks, Manifest, Mirror, Recorder,
    RecorderState, Signer, SystemClock, TrackSelection,
    disk::{Disk, LocalDisk},
    mirror::{
        bucket::{Bucket, BucketAddress, BucketError},
        remote_disk::MirroredDisk,
        upload_queue::UploadRule,
    },
};
use secrecy::ExposeSecret;
use sfu::tap::TapReceiver;
use tokio::runtime::Handle;
use tracing::{error, info};

use super::wire::Keeping;
use crate::{
    config::s3::S3,
    data_dir::{self, DataDirError},
    error_chain::chain,
};
use school::base::id::RecordingId;

/// The recordings of a data folder. Evicted segments are read from the bucket, if there is one.
///
/// # Errors
/// Those of the archive.
pub fn archive(
    data: &Path,
    signer: Option<Arc<dyn Signer>>,
    bucket: Option<Bucket>,
) -> Result<Arc<Archive>, ArchiveError> {
    let disk: Arc<dyn Disk> = match bucket {
        Some(bucket) => Arc::new(MirroredDisk::over(Arc::new(LocalDisk), bucket, Handle::current())),
        None => Arc::new(LocalDisk),
    };
    Archive::open_with(
        data.join("recordings"),
        Arc::new(SystemClock),
        recorder::ArchiveOptions { disk, signer, create: true },
    )
}

/// Builds a bucket from its configuration, without a request.
///
/// # Errors
/// If its address is invalid.
pub fn bucket(s3: &S3) -> Result<Bucket, BucketError> {
    Bucket::at(&BucketAddress {
        endpoint: s3.endpoint.clone(),
        bucket: s3.bucket.clone(),
        region: s3.region.clone(),
        access_key_id: s3.access_key.clone(),
        secret_access_key: s3.secret_key.expose_secret().to_owned(),
    })
}

/// The record of what the bucket has confirmed, in the data folder.
pub const RECEIPTS_FILE: &str = "mirror.receipts";

/// All recordings of this hub. Cheap to clone; calls block on the disk and belong on a blocking thread.
#[derive(Clone)]
pub struct Recordings {
    archive: Arc<Archive>,
    mirror: Option<Arc<Mirror>>,
    local: Option<Duration>,
    /// Paths of schools over their quota.
    full: Arc<Mutex<BTreeSet<String>>>,
}

/// Size of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Bytes of its complete segments.
    pub size_bytes: u64,
    /// Length of the longest track.
    pub duration_ms: u64,
    /// SHA-256 of its seal, in hex. `None`: not sealed yet.
    pub seal_sha256: Option<String>,
}

/// A recording that is being written.
pub struct Recording {
    recorder: Recorder,
}

/// The key that seals this hub's recordings. It stays in the data folder and is separate from the token key: the token
/// key may be rotated at any time, recordings are verified with this one for years.
pub struct SealKey {
    pair: Ed25519KeyPair,
}

impl SealKey {
    /// Reads the key of a data folder, or creates it on the first run.
    ///
    /// # Errors
    /// [`DataDirError`] if the file cannot be read or written, or holds no key.
    pub fn open(data: &Path) -> Result<Self, DataDirError> {
        let path = data.join(KEY_FILE);
        let document = data_dir::secret(&path, || {
            Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
                .map(|document| document.as_ref().to_vec())
                .unwrap_or_default()
        })?;
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_| DataDirError::NotAKey { path })?;
        Ok(Self { pair })
    }

    /// Reads the key of a data folder. `None`: no signing hub has run there yet.
    ///
    /// # Errors
    /// As [`SealKey::open`].
    pub fn existing(data: &Path) -> Result<Option<Self>, DataDirError> {
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

/// The key file in the data folder, readable by the hub only.
const KEY_FILE: &str = "recording.key";

impl Recordings {
    /// Opens the recordings of a data folder and monitors their disk from now on. Finished recordings are signed with
    /// `key` and copied to the bucket, if there is one.
    ///
    /// # Errors
    /// Those of the archive.
    pub fn open(data: &Path, key: SealKey, s3: Option<(&S3, Bucket)>) -> Result<Self, ArchiveError> {
        let bucket = s3.as_ref().map(|(_, bucket)| bucket.clone());
        let archive = archive(data, Some(Arc::new(key)), bucket)?;
        archive.watch_disk()?;
        let local = s3.as_ref().and_then(|(s3, _)| s3.local);
        let mirror = s3.map(|(s3, bucket)| {
            let rule = UploadRule { bytes_per_second: s3.bytes_per_second, ..UploadRule::default() };
            Mirror::open(archive.clone(), bucket, data.join(RECEIPTS_FILE), rule)
        });
        Ok(Self { archive, mirror: mirror.transpose()?, local, full: Arc::default() })
    }

    /// Sets the paths of the schools over their quota.
    pub fn fill(&self, full: BTreeSet<String>) {
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) = full;
    }

    /// Whether the school with this path is over its quota.
    #[must_use]
    pub fn is_full(&self, path: &str) -> bool {
        self.full.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// The copies in the bucket. `None`: there is no bucket.
    #[must_use]
    pub fn mirror(&self) -> Option<&Arc<Mirror>> {
        self.mirror.as_ref()
    }

    /// How long media stays on disk after the bucket has confirmed it. `None`: until the disk runs short.
    #[must_use]
    pub fn local_kept(&self) -> Option<Duration> {
        self.local
    }

    /// Size of a recording. Zero if nothing is durable yet.
    #[must_use]
    pub fn measure(&self, recording_id: RecordingId) -> Measured {
        let (size_bytes, duration_ms) = self.archive.measure(named(recording_id)).unwrap_or_default();
        let seal_sha256 = self.archive.seal_sha256(named(recording_id)).unwrap_or_default();
        Measured { size_bytes, duration_ms, seal_sha256 }
    }

    /// Deletes a recording from the disk. False: it is being written, or the disk failed.
    #[must_use]
    pub fn remove(&self, recording_id: RecordingId) -> bool {
        match self.archive.remove(named(recording_id)) {
            Ok(()) => true,
            Err(error) => {
                error!(recording.id = %recording_id, error = chain(&error), "Recording {recording_id} cannot be removed");
                false
            }
        }
    }

    /// Disk usage of the recordings, measured every two seconds.
    #[must_use]
    pub fn disk(&self) -> DiskState {
        self.archive.disk_state()
    }

    /// SHA-256 of a recording's seal, in hex. `None`: not sealed, or unreadable.
    #[must_use]
    pub fn seal_sha256(&self, recording_id: RecordingId) -> Option<String> {
        self.found(recording_id, self.archive.seal_sha256(named(recording_id))).flatten()
    }

    /// Repairs what a killed hub left half written. Returns how many recordings can be resumed.
    ///
    /// # Errors
    /// Those of the archive.
    pub fn recover(&self) -> Result<usize, ArchiveError> {
        Ok(self.archive.recover()?.len())
    }

    /// Starts or resumes a recording.
    ///
    /// # Errors
    /// Those of the archive.
    pub fn record(
        &self,
        recording_id: RecordingId,
        tap: TapReceiver,
        kept: TrackSelection,
    ) -> Result<Recording, ArchiveError> {
        Ok(Recording { recorder: self.archive.record_selection(named(recording_id), tap, kept)? })
    }

    /// Seals a recording whose lesson is over and that has no writer. True: it is sealed now.
    #[must_use]
    pub fn seal(&self, recording_id: RecordingId) -> bool {
        match self.archive.seal(named(recording_id)) {
            // The hub was killed between the seal and its note, or before the first byte.
            Ok(_) | Err(ArchiveError::Sealed { .. } | ArchiveError::NoRecording { .. }) => true,
            Err(error) => {
                error!(recording.id = %recording_id, error = chain(&error), "Recording {recording_id} cannot be sealed");
                false
            }
        }
    }

    /// Manifest of a recording. `None`: nothing yet, or unreadable.
    #[must_use]
    pub fn manifest(&self, recording_id: RecordingId) -> Option<Manifest> {
        self.found(recording_id, self.archive.manifest(named(recording_id)))
    }

    /// A playlist by its name in the manifest. `None`: no such playlist.
    #[must_use]
    pub fn playlist(&self, recording_id: RecordingId, name: &str) -> Option<String> {
        self.found(recording_id, self.archive.playlist(named(recording_id), name))
    }

    /// An init segment or a segment, opened, and its SHA-256 in hex. `None`: no such file.
    #[must_use]
    pub fn open_media(&self, recording_id: RecordingId, name: &str) -> Option<(File, String)> {
        self.found(recording_id, self.archive.open_media(named(recording_id), name))
    }

    /// The recording, or a span of it, as an MP4 file. `None`: no media of these tracks.
    #[must_use]
    pub fn export(
        &self,
        recording_id: RecordingId,
        tracks: ExportTracks,
        span: Option<ExportSpan>,
    ) -> Option<Arc<Export>> {
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
    /// State of the recording. `None`: it has stopped.
    #[must_use]
    pub fn keeping(&self) -> Option<Keeping> {
        match self.recorder.status().state {
            RecorderState::Recording => Some(Keeping::Recording),
            RecorderState::Lean => Some(Keeping::Lean),
            RecorderState::Paused => Some(Keeping::Paused),
            RecorderState::Stopped => None,
        }
    }

    /// The newest journal checkpoint. `None`: the first is not due yet.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.recorder.checkpoint()
    }

    /// Ends the recording and seals it; it is immutable from then on. True: it is sealed.
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

    /// Closes the recording so that the next start resumes it.
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

/// Seals it on a blocking thread. False: the next start tries again.
pub(super) async fn finish(recording: Recording) -> bool {
    tokio::task::spawn_blocking(move || recording.finish()).await.unwrap_or(false)
}
