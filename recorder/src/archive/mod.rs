//! All recordings of one hub: starts, resumes and reads them.

mod clock;
mod copy;
mod inspect;
pub(crate) mod media;
pub(crate) mod open_recording;

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
};

pub use self::clock::{Clock, SystemClock};
use crate::{
    disk::{
        local::{Disk, LocalDisk},
        recording_files::{SharedLedger, lock},
        recover,
        space::{DiskState, Thresholds},
        volume::{MEASURE_EVERY, Volume},
    },
    error::{ArchiveError, failed},
    export::mp4::ExportCache,
    id::RecordingId,
    journal::{
        checkpoint::Checkpoint,
        digest::sha256,
        manifest::{Ledger, Manifest, RecordingPhase},
        seal::SEAL,
        signature::Signer,
    },
};

/// All recordings under one folder.
pub struct Archive {
    pub(crate) root: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signer: Option<Arc<dyn Signer>>,
    pub(crate) volume: Volume,
    /// Bytes that all recordings together still have to write.
    pub(crate) waiting: Arc<AtomicUsize>,
    pub(crate) ledgers: Mutex<Ledgers>,
    pub(crate) exports: Mutex<ExportCache>,
}

/// How an archive is opened.
pub struct ArchiveOptions {
    /// Where its files lie. Default: the local disk.
    pub disk: Arc<dyn Disk>,
    /// Signs checkpoints and seals. Default `None`: they are not signed.
    pub signer: Option<Arc<dyn Signer>>,
    /// Creates the folder if it is missing. Default true; false for read-only tools.
    pub create: bool,
}

impl Default for ArchiveOptions {
    fn default() -> Self {
        Self { disk: Arc::new(LocalDisk), signer: None, create: true }
    }
}

#[derive(Default)]
pub(crate) struct Ledgers {
    /// Recordings with a writer, which may still be waiting for disk space.
    pub(crate) writers: HashSet<RecordingId>,
    /// Recordings of which a write or sync failed since they were last recovered.
    pub(crate) suspects: HashSet<RecordingId>,
    /// Ledgers of recordings in progress; always as new as the journal.
    pub(crate) live: HashMap<RecordingId, SharedLedger>,
    /// Cached ledgers of sealed recordings.
    pub(crate) sealed: HashMap<RecordingId, SharedLedger>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Archive {
    /// The archive in the folder `root` of the local disk, which is made if there is none. Nothing is signed.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(root: PathBuf, clock: Arc<dyn Clock>) -> Result<Arc<Self>, ArchiveError> {
        Self::open_with(root, clock, ArchiveOptions::default())
    }

    /// The archive in the folder `root`.
    ///
    /// # Errors
    /// When the disk refuses, or the folder is not there and is not to be made.
    pub fn open_with(
        root: PathBuf,
        clock: Arc<dyn Clock>,
        ArchiveOptions { disk, signer, create }: ArchiveOptions,
    ) -> Result<Arc<Self>, ArchiveError> {
        if create {
            disk.create_dir(&root).map_err(|source| failed("create", &root, source))?;
        } else if !root.is_dir() {
            return Err(failed("open", &root, io::ErrorKind::NotFound.into()));
        }
        let volume = Volume::new(disk.clone(), root.clone(), Thresholds::default());
        let (waiting, exports, ledgers) = (Arc::default(), Mutex::default(), Mutex::default());
        Ok(Arc::new(Self { root, disk, clock, signer, volume, waiting, exports, ledgers }))
    }

    /// Starts to measure the free space every [`MEASURE_EVERY`] on a thread of its own, which ends with the archive.
    /// The level decides what is recorded; a reserve is allocated.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn watch_disk(self: &Arc<Self>) -> Result<(), ArchiveError> {
        self.measure_disk();
        let archive = Arc::downgrade(self);
        let watch = move || {
            while let Some(archive) = archive.upgrade() {
                archive.measure_disk();
                drop(archive);
                std::thread::park_timeout(MEASURE_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("disk".to_owned()).spawn(watch);
        thread.map(drop).map_err(|source| failed("watch", &self.root, source))
    }

    /// Measures the free space once.
    pub fn measure_disk(&self) {
        self.volume.measure(self.clock.now());
    }

    /// The latest measurement of the free space.
    #[must_use]
    pub fn disk_state(&self) -> DiskState {
        self.volume.state()
    }

    /// The newest checkpoint of a recording that is being written. `None`: the first is not due yet.
    #[must_use]
    pub fn checkpoint(&self, id: RecordingId) -> Option<Checkpoint> {
        let ledger = self.ledgers().live.get(&id).cloned()?;
        lock(&ledger).checkpoint.clone()
    }

    /// SHA-256 of a recording's seal, in hex. `None`: it has none.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn seal_sha256(&self, id: RecordingId) -> Result<Option<String>, ArchiveError> {
        let path = self.dir(id).join(SEAL);
        match self.disk.read(&path) {
            Ok(bytes) => Ok(Some(sha256(&bytes))),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("read", &path, source)),
        }
    }

    /// What a recording holds, as far as it is durable.
    ///
    /// # Errors
    /// When there is no such recording.
    pub fn manifest(&self, id: RecordingId) -> Result<Manifest, ArchiveError> {
        Ok(lock(&self.ledger(id)?).manifest())
    }

    /// The names of all recordings in the folder, in order.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn ids(&self) -> Result<Vec<RecordingId>, ArchiveError> {
        let names = self.disk.list(&self.root).map_err(|source| failed("list", &self.root, source))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    pub(crate) fn signer(&self) -> Option<&dyn Signer> {
        self.signer.as_deref()
    }

    pub(crate) fn dir(&self, id: RecordingId) -> PathBuf {
        self.root.join(id.to_string())
    }

    pub(crate) fn ledger(&self, id: RecordingId) -> Result<SharedLedger, ArchiveError> {
        {
            let ledgers = self.ledgers();
            if let Some(known) = ledgers.live.get(&id).or_else(|| ledgers.sealed.get(&id)) {
                return Ok(known.clone());
            }
        }
        let ledger = self.peek(id)?.ok_or(ArchiveError::NoRecording { id })?;
        let sealed = matches!(ledger.phase, RecordingPhase::Ended(_));
        let ledger = Arc::new(Mutex::new(ledger));
        let mut ledgers = self.ledgers();
        if sealed && !ledgers.live.contains_key(&id) {
            if ledgers.sealed.len() >= SEALED_KEPT {
                ledgers.sealed.clear();
            }
            ledgers.sealed.insert(id, ledger.clone());
        }
        Ok(ledger)
    }

    /// What the journal of a recording holds. `None`: there is no such recording.
    pub(crate) fn peek(&self, id: RecordingId) -> Result<Option<Ledger>, ArchiveError> {
        recover::peek(self.disk.as_ref(), &self.dir(id))
    }

    pub(crate) fn ledgers(&self) -> MutexGuard<'_, Ledgers> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ledgers of sealed recordings kept in memory; each is some hundreds of kilobytes.
const SEALED_KEPT: usize = 64;
