//! All recordings of one hub: starts and resumes them, and answers for what they hold.
#![expect(clippy::disallowed_methods, reason = "this is the rim: the clock and the recording threads live here")]

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sfu::tap::TapReceiver;

use crate::{
    disk::{Disk, LocalDisk},
    export::Exports,
    id::{MediaName, RecordingId},
    journal::{GapReason, JOURNAL, Record, VERSION, sha256},
    kept::Kept,
    manifest::{Ledger, Listed, Manifest, Phase},
    playlist,
    recorder::{Recorder, Session},
    recording::Recording,
    recover::{self, SEAL},
    seal::Signer,
    store::{SharedLedger, Store, lock},
    verify::{self, Misfit, Verified},
};

/// Why the archive could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk refused.
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
    /// It is being recorded by this archive already.
    #[error("recording {id} is being written already")]
    AlreadyRecording {
        /// The recording.
        id: RecordingId,
    },
    /// It is over, and never changes again.
    #[error("recording {id} is sealed")]
    Sealed {
        /// The recording.
        id: RecordingId,
    },
    /// It goes on, and would be cut off.
    #[error("recording {id} is not over")]
    NotOver {
        /// The recording.
        id: RecordingId,
    },
    /// The folder holds no journal of a version that is known here.
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

/// What the archive reads the time from.
pub trait Clock: Send + Sync + 'static {
    /// The clock that tap items are stamped with.
    fn now(&self) -> Instant;
    /// Milliseconds since 1970.
    fn wall_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// All recordings under one folder.
pub struct Archive {
    pub(crate) root: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signer: Option<Arc<dyn Signer>>,
    ledgers: Mutex<Ledgers>,
    pub(crate) exports: Mutex<Exports>,
}

#[derive(Default)]
struct Ledgers {
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
            return Err(crate::store::failed("open", &root, io::ErrorKind::NotFound.into()));
        }
        Ok(Arc::new(Self {
            root,
            disk: Arc::new(LocalDisk),
            clock,
            signer,
            ledgers: Mutex::default(),
            exports: Mutex::default(),
        }))
    }

    /// As [`Archive::open`], and every recording that is over is signed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn signed(root: PathBuf, clock: Arc<dyn Clock>, signer: Arc<dyn Signer>) -> Result<Arc<Self>, ArchiveError> {
        LocalDisk.create_dir(&root).map_err(|source| crate::store::failed("create", &root, source))?;
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
        disk.create_dir(&root).map_err(|source| crate::store::failed("create", &root, source))?;
        Ok(Arc::new(Self { root, disk, clock, signer, ledgers: Mutex::default(), exports: Mutex::default() }))
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
            Err(source) => Err(crate::store::failed("read", &path, source)),
        }
    }

    /// The archive on a disk of one's own.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn on_disk(root: PathBuf, clock: Arc<dyn Clock>, disk: Arc<dyn Disk>) -> Result<Arc<Self>, ArchiveError> {
        disk.create_dir(&root).map_err(|source| crate::store::failed("create", &root, source))?;
        Ok(Arc::new(Self { root, disk, clock, signer: None, ledgers: Mutex::default(), exports: Mutex::default() }))
    }

    /// Puts every recording in order that is not sealed, and names those that may go on. Call it once, at the start.
    ///
    /// # Errors
    /// When the folder cannot be listed; a single recording that cannot be recovered is logged and left out.
    pub fn recover(&self) -> Result<Vec<RecordingId>, ArchiveError> {
        let names = self.disk.list(&self.root).map_err(|source| crate::store::failed("list", &self.root, source))?;
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
        let files = self.disk.list(&dir).map_err(|source| crate::store::failed("list", &dir, source))?;
        if files.iter().any(|file| file == SEAL) || self.ledgers().live.contains_key(&id) {
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
        let mut session = self.begin(id)?;
        session.recording = session.recording.keeping(kept);
        Recorder::spawn(self.clone(), session, tap, kept)
    }

    /// Ends a recording whose lesson is over already, where its media ends.
    ///
    /// # Errors
    /// When it is sealed or being recorded, or the disk refuses.
    pub fn seal(&self, id: RecordingId) -> Result<Manifest, ArchiveError> {
        if peek(self, id)?.is_none() {
            return Err(ArchiveError::NoRecording { id });
        }
        let mut session = self.begin(id)?;
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
        self.disk.bring_back(&path, &digest).map_err(|source| crate::store::failed("bring back", &path, source))?;
        Ok(path)
    }

    /// The names of all recordings in the folder, in order.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn ids(&self) -> Result<Vec<RecordingId>, ArchiveError> {
        let names = self.disk.list(&self.root).map_err(|source| crate::store::failed("list", &self.root, source))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Every recording in the folder, the oldest first, without changing anything.
    ///
    /// # Errors
    /// When the folder cannot be listed; a recording that cannot be read says so itself.
    pub fn list(&self) -> Result<Vec<Listed>, ArchiveError> {
        let names = self.disk.list(&self.root).map_err(|source| crate::store::failed("list", &self.root, source))?;
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
        if self.ledgers().live.contains_key(&id) {
            return Err(ArchiveError::AlreadyRecording { id });
        }
        let dir = self.dir(id);
        let mut files = self.disk.list(&dir).map_err(|source| crate::store::failed("list", &dir, source))?;
        // Whoever finds a seal does not try to put the rest in order.
        files.sort_by_key(|name| (name == SEAL, name == JOURNAL));
        for name in files {
            let path = dir.join(name);
            self.disk.remove(&path).map_err(|source| crate::store::failed("remove", &path, source))?;
        }
        self.disk.remove_dir(&dir).map_err(|source| crate::store::failed("remove", &dir, source))?;
        self.disk.sync_dir(&self.root).map_err(|source| crate::store::failed("sync", &self.root, source))?;
        self.ledgers().sealed.remove(&id);
        Ok(())
    }

    fn look_at(&self, id: RecordingId) -> Listed {
        let files = self.disk.list(&self.dir(id)).unwrap_or_default();
        let ledger = peek(self, id).ok().flatten();
        Listed::new(id, ledger.as_ref(), files.iter().any(|file| file == SEAL))
    }

    /// Whether a recording is as it was written, and if not, what is the first thing that does not fit; signatures must be
    /// of the archive's own signer, if it has one. It changes
    /// nothing, and may be asked of a recording that is being written.
    ///
    /// # Errors
    /// When there is none of that name, or the disk refuses.
    pub fn verify(&self, id: RecordingId) -> Result<Result<Verified, Misfit>, ArchiveError> {
        let key = self.signer().map(Signer::public_key);
        verify::verify(self.disk.as_ref(), &self.dir(id), id, key.as_ref())
    }

    pub(crate) fn signer(&self) -> Option<&dyn Signer> {
        self.signer.as_deref()
    }

    pub(crate) fn dir(&self, id: RecordingId) -> PathBuf {
        self.root.join(id.to_string())
    }

    /// Takes a recording in hand: recovered and resumed, or new. No one else may write it until it is released.
    pub(crate) fn begin(&self, id: RecordingId) -> Result<Session, ArchiveError> {
        let mut ledgers = self.ledgers();
        if ledgers.live.contains_key(&id) {
            return Err(ArchiveError::AlreadyRecording { id });
        }
        let session = self.session(id, GapReason::Crash)?;
        ledgers.live.insert(id, session.store.ledger());
        Ok(session)
    }

    /// Opens what is on the disk. `reason` names the gap where the recording had not said goodbye.
    pub(crate) fn session(&self, id: RecordingId, reason: GapReason) -> Result<Session, ArchiveError> {
        let dir = self.dir(id);
        let now = self.clock.now();
        let wall_ms = self.clock.wall_ms();
        let Some(mut store) = recover::recover(&self.disk, &dir, self.signer())? else {
            let start = Record::Start {
                recording_id: id,
                version: VERSION,
                started_at_ms: wall_ms,
                software: concat!("tongke ", env!("CARGO_PKG_VERSION")).to_owned(),
            };
            let store = Store::create(self.disk.clone(), dir, &start)?;
            return Ok(Session { id, store, recording: Recording::new(now, Duration::ZERO, []), resumed: None });
        };
        let ledger = lock(&store.ledger()).clone();
        let reason = match ledger.phase {
            Phase::Ended(_) => return Err(ArchiveError::Sealed { id }),
            Phase::Suspended => GapReason::Suspended,
            Phase::Running | Phase::Interrupted => reason,
        };
        let tracks = recover::resume(self.disk.as_ref(), &dir, &ledger, reason)?;
        // The wall clock may have been set meanwhile: never back over what is written, never days ahead.
        let done_ms = ledger.duration_ms();
        let at_ms = wall_ms.saturating_sub(ledger.started_at_ms).clamp(done_ms, done_ms.saturating_add(OUTAGE_MS_MAX));
        let recording = Recording::new(now, Duration::from_millis(at_ms), tracks);
        store.record(&Record::Resumed { at_ms })?;
        Ok(Session { id, store, recording, resumed: Some(at_ms) })
    }

    pub(crate) fn replace(&self, id: RecordingId, ledger: SharedLedger) {
        self.ledgers().live.insert(id, ledger);
    }

    pub(crate) fn release(&self, id: RecordingId) {
        self.ledgers().live.remove(&id);
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
