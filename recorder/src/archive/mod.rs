//! All recordings of one hub: starts and resumes them, and answers for what they hold.

mod clock;
pub(crate) mod copy;

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use sfu::tap::TapReceiver;

pub use self::clock::{Clock, SystemClock};
pub use crate::error::ArchiveError;
use crate::{
    disk::{
        local::{Disk, LocalDisk},
        recording_files::{SharedLedger, Store, lock},
        recover::{self, SEAL},
        space::{DiskState, Thresholds},
        verify::{self, Known, Misfit, Verified},
        volume::{LOOK_EVERY, Volume},
    },
    export::{mp4::Exports, playlist},
    id::{MediaName, RecordingId},
    journal::{
        checkpoint::Checkpoint,
        manifest::{Ledger, Listed, Manifest, Phase},
        record::{GapReason, JOURNAL, Record, VERSION, sha256},
        seal::Signer,
    },
    recorder::{Recorder, Session},
    recording::Recording,
    track::selection::Kept,
};

/// All recordings under one folder.
pub struct Archive {
    pub(crate) root: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signer: Option<Arc<dyn Signer>>,
    pub(crate) volume: Volume,
    /// What all recordings have still to write, in bytes.
    pub(crate) waiting: Arc<AtomicUsize>,
    ledgers: Mutex<Ledgers>,
    pub(crate) exports: Mutex<Exports>,
}

#[derive(Default)]
struct Ledgers {
    /// Those that have a writer, which may still wait for room.
    writers: HashSet<RecordingId>,
    /// Those of which a write or sync failed since they were last put in order.
    suspects: HashSet<RecordingId>,
    /// Those being written: always as new as the journal.
    live: HashMap<RecordingId, SharedLedger>,
    /// Those that are over and were looked at lately.
    sealed: HashMap<RecordingId, SharedLedger>,
}

impl Archive {
    /// The archive in the folder `root`, which is made if there is none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(root: PathBuf, clock: Arc<dyn Clock>) -> Result<Arc<Self>, ArchiveError> {
        Self::on_disk(root, clock, Arc::new(LocalDisk))
    }

    /// The archive that is in the folder `root` already, for looking into it.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn existing(
        root: PathBuf,
        clock: Arc<dyn Clock>,
        signer: Option<Arc<dyn Signer>>,
    ) -> Result<Arc<Self>, ArchiveError> {
        if !root.is_dir() {
            return Err(crate::disk::recording_files::failed("open", &root, io::ErrorKind::NotFound.into()));
        }
        Ok(Self::new(root, clock, Arc::new(LocalDisk), signer))
    }

    /// As [`Archive::open`], and every recording that is over is signed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn signed(root: PathBuf, clock: Arc<dyn Clock>, signer: Arc<dyn Signer>) -> Result<Arc<Self>, ArchiveError> {
        LocalDisk.create_dir(&root).map_err(|source| crate::disk::recording_files::failed("create", &root, source))?;
        Self::existing(root, clock, Some(signer))
    }

    /// As [`Archive::signed`], on a disk of one's own.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn signed_on(
        root: PathBuf,
        clock: Arc<dyn Clock>,
        signer: Option<Arc<dyn Signer>>,
        disk: Arc<dyn Disk>,
    ) -> Result<Arc<Self>, ArchiveError> {
        disk.create_dir(&root).map_err(|source| crate::disk::recording_files::failed("create", &root, source))?;
        Ok(Self::new(root, clock, disk, signer))
    }

    /// The archive on a disk of one's own.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn on_disk(root: PathBuf, clock: Arc<dyn Clock>, disk: Arc<dyn Disk>) -> Result<Arc<Self>, ArchiveError> {
        disk.create_dir(&root).map_err(|source| crate::disk::recording_files::failed("create", &root, source))?;
        Ok(Self::new(root, clock, disk, None))
    }

    fn new(root: PathBuf, clock: Arc<dyn Clock>, disk: Arc<dyn Disk>, signer: Option<Arc<dyn Signer>>) -> Arc<Self> {
        let volume = Volume::new(disk.clone(), root.clone(), Thresholds::default());
        let (waiting, exports, ledgers) = (Arc::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { root, disk, clock, signer, volume, waiting, exports, ledgers })
    }

    /// Looks after the disk from now on: how full it is decides what is recorded, and a reserve is set aside. It ends with
    /// the archive.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn watch_disk(self: &Arc<Self>) -> Result<(), ArchiveError> {
        self.look_at_disk();
        let archive = Arc::downgrade(self);
        let watch = move || {
            while let Some(archive) = archive.upgrade() {
                archive.look_at_disk();
                drop(archive);
                std::thread::park_timeout(LOOK_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("disk".to_owned()).spawn(watch);
        thread.map(drop).map_err(|source| crate::disk::recording_files::failed("watch", &self.root, source))
    }

    /// Looks once how full the disk is.
    pub fn look_at_disk(&self) {
        self.volume.look(self.clock.now());
    }

    /// How full the disk is, as far as it is looked after.
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
    /// When the disk refuses.
    pub fn seal_sha256(&self, id: RecordingId) -> Result<Option<String>, ArchiveError> {
        let path = self.dir(id).join(SEAL);
        match self.disk.read(&path) {
            Ok(bytes) => Ok(Some(sha256(&bytes))),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(crate::disk::recording_files::failed("read", &path, source)),
        }
    }

    /// Puts every recording in order that is not sealed, and names those that may go on. Call it once, at the start.
    ///
    /// # Errors
    /// When the folder cannot be listed; a single recording that cannot be recovered is logged and left out.
    pub fn recover(&self) -> Result<Vec<RecordingId>, ArchiveError> {
        let names = self
            .disk
            .list(&self.root)
            .map_err(|source| crate::disk::recording_files::failed("list", &self.root, source))?;
        let ids: Vec<RecordingId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let unsealed = Mutex::new(Vec::new());
        let share = ids.len().div_ceil(RECOVERY_THREADS).max(1);
        std::thread::scope(|scope| {
            for ids in ids.chunks(share) {
                let unsealed = &unsealed;
                scope.spawn(move || {
                    for &id in ids {
                        match self.recover_one(id) {
                            Ok(true) => unsealed.lock().unwrap_or_else(PoisonError::into_inner).push(id),
                            Ok(false) => {}
                            Err(error) => {
                                let error: &dyn std::error::Error = &error;
                                tracing::error!(recording.id = %id, error, "Cannot recover recording {id}");
                            }
                        }
                    }
                });
            }
        });
        let mut unsealed = unsealed.into_inner().unwrap_or_else(PoisonError::into_inner);
        unsealed.sort_unstable();
        Ok(unsealed)
    }

    /// True: it may go on.
    fn recover_one(&self, id: RecordingId) -> Result<bool, ArchiveError> {
        let dir = self.dir(id);
        let files =
            self.disk.list(&dir).map_err(|source| crate::disk::recording_files::failed("list", &dir, source))?;
        if files.iter().any(|file| file == SEAL) || self.ledgers().writers.contains(&id) {
            return Ok(false);
        }
        let Some(store) = recover::recover(&self.disk, &dir, self.signer())? else { return Ok(false) };
        let phase = lock(&store.ledger()).phase;
        Ok(!matches!(phase, Phase::Ended(_)))
    }

    /// Records what the tap tells, on a thread of its own: a new recording, or one that goes on. Lesson time runs from
    /// the moment when the recording was first started, so time in between is a gap.
    ///
    /// # Errors
    /// When it is sealed or being recorded already, or the disk refuses.
    pub fn record(self: &Arc<Self>, id: RecordingId, tap: TapReceiver) -> Result<Recorder, ArchiveError> {
        self.record_keeping(id, tap, Kept::default())
    }

    /// As [`Archive::record`], of a lesson of which something else is kept.
    ///
    /// # Errors
    /// As [`Archive::record`].
    pub fn record_keeping(
        self: &Arc<Self>,
        id: RecordingId,
        tap: TapReceiver,
        kept: Kept,
    ) -> Result<Recorder, ArchiveError> {
        self.claim(id)?;
        let session = match self.session(id, GapReason::Crash) {
            Ok(mut session) => {
                session.recording = session.recording.keeping(kept);
                Some(session)
            }
            // A lesson that begins on a full disk is recorded as soon as there is room.
            Err(error) if error.is_full() => {
                self.volume.refused(self.clock.now());
                tracing::error!(recording.id = %id, error = error.cause(), "Recording {id} waits for room");
                None
            }
            Err(error) => {
                self.release(id);
                return Err(error);
            }
        };
        Recorder::spawn(self.clone(), id, session, tap, kept)
    }

    /// Ends a recording whose lesson is over already, where its media ends.
    ///
    /// # Errors
    /// When it is sealed or being recorded, or the disk refuses.
    pub fn seal(&self, id: RecordingId) -> Result<Manifest, ArchiveError> {
        if peek(self, id)?.is_none() {
            return Err(ArchiveError::NoRecording { id });
        }
        self.claim(id)?;
        let mut session = self.session(id, GapReason::Crash).inspect_err(|_| self.release(id))?;
        let now = self.clock.now();
        let ended = (|| {
            let (ledger, tracks) = {
                let ledger = lock(&session.store.ledger()).clone();
                let tracks = recover::resume(self.disk.as_ref(), &self.dir(id), &ledger, GapReason::Crash)?;
                (ledger, tracks)
            };
            let mut recording = Recording::new(now, Duration::from_millis(ledger.duration_ms()), tracks);
            recording.finish(now, true);
            while let Some(action) = recording.poll_action() {
                session.store.perform(&action)?;
            }
            recover::seal(self.disk.as_ref(), &self.dir(id), &session.store, self.signer())
        })();
        self.release(id);
        ended?;
        self.manifest(id)
    }

    /// What a recording holds, as far as it is durable.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn manifest(&self, id: RecordingId) -> Result<Manifest, ArchiveError> {
        Ok(lock(&self.ledger(id)?).manifest())
    }

    /// A playlist of a recording, by the name that its manifest tells.
    ///
    /// # Errors
    /// When there is none of that name, or nothing in it yet.
    pub fn playlist(&self, id: RecordingId, name: &str) -> Result<String, ArchiveError> {
        let ledger = self.ledger(id)?;
        let text = playlist::write(&lock(&ledger), name);
        text.ok_or_else(|| ArchiveError::NoFile { id, name: name.to_owned() })
    }

    /// Where an init segment or a whole segment lies on disk; one that was given away is brought back first. Nothing but
    /// the recorder's own grammar becomes a path.
    ///
    /// # Errors
    /// When the name is none of ours, or the journal does not know the file.
    pub fn media_path(&self, id: RecordingId, name: &str) -> Result<PathBuf, ArchiveError> {
        let missing = || ArchiveError::NoFile { id, name: name.to_owned() };
        let media: MediaName = name.parse().map_err(|_| missing())?;
        let ledger = self.ledger(id)?;
        let path = self.dir(id).join(media.to_string());
        let digest = lock(&ledger).digest(media).ok_or_else(missing)?;
        self.disk
            .bring_back(&path, &digest)
            .map_err(|source| crate::disk::recording_files::failed("bring back", &path, source))?;
        Ok(path)
    }

    /// The names of all recordings in the folder, in order.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn ids(&self) -> Result<Vec<RecordingId>, ArchiveError> {
        let names = self
            .disk
            .list(&self.root)
            .map_err(|source| crate::disk::recording_files::failed("list", &self.root, source))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Every recording in the folder, the oldest first, without changing anything.
    ///
    /// # Errors
    /// When the folder cannot be listed; a recording that cannot be read says so itself.
    pub fn list(&self) -> Result<Vec<Listed>, ArchiveError> {
        let names = self
            .disk
            .list(&self.root)
            .map_err(|source| crate::disk::recording_files::failed("list", &self.root, source))?;
        let ids = names.iter().filter_map(|name| name.parse().ok());
        let mut listed: Vec<Listed> = ids.map(|id| self.look_at(id)).collect();
        listed.sort_by_key(|one| (one.started_at_ms, one.recording_id));
        Ok(listed)
    }

    /// Puts one recording in order that was left half written, as [`Archive::recover`] does with all. Nobody may be
    /// writing it.
    ///
    /// # Errors
    /// When there is none of that name, or the disk refuses.
    pub fn repair(&self, id: RecordingId) -> Result<Listed, ArchiveError> {
        if peek(self, id)?.is_none() {
            return Err(ArchiveError::NoRecording { id });
        }
        self.recover_one(id)?;
        Ok(self.look_at(id))
    }

    /// Removes a recording from this disk for good: its media first, its seal last. It may be interrupted and asked again,
    /// also where nothing is left.
    ///
    /// # Errors
    /// When it is being written, or the disk refuses.
    pub fn remove(&self, id: RecordingId) -> Result<(), ArchiveError> {
        if self.ledgers().writers.contains(&id) {
            return Err(ArchiveError::AlreadyRecording { id });
        }
        let dir = self.dir(id);
        let mut files =
            self.disk.list(&dir).map_err(|source| crate::disk::recording_files::failed("list", &dir, source))?;
        // Whoever finds a seal does not try to put the rest in order.
        files.sort_by_key(|name| (name == SEAL, name == JOURNAL));
        for name in files {
            let path = dir.join(name);
            self.disk.remove(&path).map_err(|source| crate::disk::recording_files::failed("remove", &path, source))?;
        }
        self.disk.remove_dir(&dir).map_err(|source| crate::disk::recording_files::failed("remove", &dir, source))?;
        self.disk
            .sync_dir(&self.root)
            .map_err(|source| crate::disk::recording_files::failed("sync", &self.root, source))?;
        self.ledgers().sealed.remove(&id);
        Ok(())
    }

    fn look_at(&self, id: RecordingId) -> Listed {
        let files = self.disk.list(&self.dir(id)).unwrap_or_default();
        let ledger = peek(self, id).ok().flatten();
        Listed::new(id, ledger.as_ref(), files.iter().any(|file| file == SEAL))
    }

    /// Whether a recording is as it was written, and if not, what is the first thing that does not fit; signatures must be
    /// of the archive's own signer, if it has one. It changes nothing, and may be asked of a recording that is being
    /// written.
    ///
    /// # Errors
    /// When there is none of that name, or the disk refuses.
    pub fn verify(&self, id: RecordingId) -> Result<Result<Verified, Misfit>, ArchiveError> {
        self.verify_beside(id, &[], None)
    }

    /// As [`Archive::verify`], beside what others keep of the recording: its checkpoints, in order, and the SHA-256 of its
    /// seal in hex, if they know of one.
    ///
    /// # Errors
    /// As [`Archive::verify`].
    pub fn verify_beside(
        &self,
        id: RecordingId,
        checkpoints: &[Checkpoint],
        seal_sha256: Option<&str>,
    ) -> Result<Result<Verified, Misfit>, ArchiveError> {
        let key = self.signer().map(Signer::public_key);
        let known = Known { key: key.as_ref(), checkpoints, seal_sha256 };
        verify::verify(self.disk.as_ref(), &self.dir(id), id, &known)
    }

    pub(crate) fn signer(&self) -> Option<&dyn Signer> {
        self.signer.as_deref()
    }

    pub(crate) fn dir(&self, id: RecordingId) -> PathBuf {
        self.root.join(id.to_string())
    }

    /// Takes a recording in hand. No one else may write it until it is released.
    fn claim(&self, id: RecordingId) -> Result<(), ArchiveError> {
        if self.ledgers().writers.insert(id) { Ok(()) } else { Err(ArchiveError::AlreadyRecording { id }) }
    }

    /// Opens what is on the disk: recovered and resumed, or new. `reason` names the gap where the recording had not said goodbye.
    pub(crate) fn session(&self, id: RecordingId, reason: GapReason) -> Result<Session, ArchiveError> {
        let dir = self.dir(id);
        let now = self.clock.now();
        let wall_ms = self.clock.wall_ms();
        let suspect = self.ledgers().suspects.contains(&id);
        let recover = if suspect { recover::recover_suspect } else { recover::recover };
        let recovered = recover(&self.disk, &dir, self.signer()).inspect_err(|_| self.suspect(id))?;
        self.ledgers().suspects.remove(&id);
        let Some(mut store) = recovered else {
            let start = Record::Start {
                recording_id: id,
                version: VERSION,
                started_at_ms: wall_ms,
                software: concat!("tongke ", env!("CARGO_PKG_VERSION")).to_owned(),
            };
            let store = Store::create(self.disk.clone(), dir, &start).inspect_err(|_| self.suspect(id))?;
            self.replace(id, store.ledger());
            return Ok(Session { store, recording: Recording::new(now, Duration::ZERO, []), resumed: None });
        };
        let ledger = lock(&store.ledger()).clone();
        let reason = match ledger.phase {
            Phase::Ended(_) => return Err(ArchiveError::Sealed { id }),
            Phase::Suspended => GapReason::Suspended,
            Phase::Paused => GapReason::DiskFull,
            Phase::Running | Phase::Interrupted => reason,
        };
        let tracks = recover::resume(self.disk.as_ref(), &dir, &ledger, reason)?;
        // The wall clock may have been set meanwhile: never back over what is written, never days ahead.
        let done_ms = ledger.duration_ms();
        let at_ms = wall_ms.saturating_sub(ledger.started_at_ms).clamp(done_ms, done_ms.saturating_add(OUTAGE_MS_MAX));
        let recording = Recording::new(now, Duration::from_millis(at_ms), tracks);
        store.record(&Record::Resumed { at_ms }).inspect_err(|_| self.suspect(id))?;
        self.replace(id, store.ledger());
        Ok(Session { store, recording, resumed: Some(at_ms) })
    }

    /// A write or sync of it failed: what can be read of it may not be durable.
    pub(crate) fn suspect(&self, id: RecordingId) {
        self.ledgers().suspects.insert(id);
    }

    fn replace(&self, id: RecordingId, ledger: SharedLedger) {
        self.ledgers().live.insert(id, ledger);
    }

    pub(crate) fn release(&self, id: RecordingId) {
        let mut ledgers = self.ledgers();
        ledgers.live.remove(&id);
        ledgers.writers.remove(&id);
    }

    pub(crate) fn ledger(&self, id: RecordingId) -> Result<SharedLedger, ArchiveError> {
        {
            let ledgers = self.ledgers();
            if let Some(known) = ledgers.live.get(&id).or_else(|| ledgers.sealed.get(&id)) {
                return Ok(known.clone());
            }
        }
        let ledger = peek(self, id)?.ok_or(ArchiveError::NoRecording { id })?;
        let sealed = matches!(ledger.phase, Phase::Ended(_));
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

    fn ledgers(&self) -> MutexGuard<'_, Ledgers> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn peek(archive: &Archive, id: RecordingId) -> Result<Option<Ledger>, ArchiveError> {
    recover::peek(archive.disk.as_ref(), &archive.dir(id))
}

/// Recovery waits for syncs most of the time.
const RECOVERY_THREADS: usize = 8;

/// Ledgers of sealed recordings kept in memory; each is some hundreds of kilobytes.
const SEALED_KEPT: usize = 64;

/// A lesson that was away for longer than half a day is not the same lesson: the clock was set.
const OUTAGE_MS_MAX: u64 = 12 * 3_600 * 1_000;
