//! The files of one recording: performs the state machine's actions in an order that survives a power cut.
//!
//! Each recording's thread syncs its own files; the file system's journal groups concurrent commits. One thread that
//! syncs for all of 200 recordings was measured far slower (until a fragment is durable: 1.9 ms, p99 30 ms, each by
//! itself; 1,160 ms one after the other, which falls behind; 154 ms, p99 710 ms, by one `syncfs` every 100 ms, which
//! also waits for unrelated writes). `benches/recordings.rs` measures all three.
//!
//! Every operation may be retried after an error: what is durable is known, the rest is written again.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sfu::media::TrackKind;

use crate::{
    disk::local::{Disk, DiskFile},
    error::{ArchiveError, failed},
    id::MediaName,
    journal::{
        chain::{HashChain, JOURNAL},
        checkpoint::Checkpoint,
        digest::sha256,
        manifest::Ledger,
        record::{Record, SegmentRecord},
        signature::Signer,
    },
    track::action::Action,
};

/// A ledger shared between its writer and readers.
pub type SharedLedger = Arc<Mutex<Ledger>>;

/// Locks a ledger. Poison is ignored: readers change nothing.
pub fn lock(ledger: &SharedLedger) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The open files of one recording.
pub struct RecordingFiles {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    journal: Journal,
    parts: HashMap<TrackKind, OpenSegment>,
    ledger: SharedLedger,
}

struct Journal {
    file: Option<Box<dyn DiskFile>>,
    len: u64,
    chain: HashChain,
}

/// A segment that is being written.
struct OpenSegment {
    name: MediaName,
    file: Option<Box<dyn DiskFile>>,
    /// The durable bytes: for the digest, and to rewrite the file after a failed sync.
    durable: Vec<u8>,
    /// A sync failed: the content of the file is unknown, even if the next sync succeeds.
    suspect: bool,
    renamed: bool,
}

impl RecordingFiles {
    /// Begins a recording in `dir`.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn create(disk: Arc<dyn Disk>, dir: PathBuf, start: &Record) -> Result<Self, ArchiveError> {
        disk.create_dir(&dir).map_err(|source| failed("create", &dir, source))?;
        let ledger = Ledger::begin(start).ok_or_else(|| ArchiveError::NotARecording { path: dir.clone() })?;
        let mut store = Self::open(disk, dir, 0, HashChain::default(), Arc::new(Mutex::new(ledger)));
        store.record(start)?;
        store.sync_dir()?;
        Ok(store)
    }

    /// Resumes after `journal_len` bytes of journal.
    #[must_use]
    pub fn open(disk: Arc<dyn Disk>, dir: PathBuf, journal_len: u64, chain: HashChain, ledger: SharedLedger) -> Self {
        let journal = Journal { file: None, len: journal_len, chain };
        Self { disk, dir, journal, parts: HashMap::new(), ledger }
    }

    /// What the journal holds.
    #[must_use]
    pub fn ledger(&self) -> SharedLedger {
        self.ledger.clone()
    }

    /// Performs one action. When it returns, the effect is durable.
    ///
    /// # Errors
    /// When the disk fails. The same action must be retried before any other.
    pub fn perform(&mut self, action: &Action) -> Result<(), ArchiveError> {
        match action {
            Action::Init { name, bytes, record } => {
                self.write_whole(&name.to_string(), bytes)?;
                self.record(&Record::Init(record.clone()))
            }
            Action::Append { name, bytes, .. } => self.append(*name, bytes),
            Action::Close { kind, seq, init, start, duration, fragments } => {
                let (size_bytes, sha256) = self.close(*kind)?;
                self.record(&Record::Segment(SegmentRecord {
                    kind: *kind,
                    seq: *seq,
                    init: *init,
                    start: *start,
                    duration: *duration,
                    fragments: *fragments,
                    size_bytes,
                    sha256,
                    recovered: false,
                }))?;
                self.parts.remove(kind);
                Ok(())
            }
            Action::Record(record) => self.record(record),
        }
    }

    /// Appends a record and makes it durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn record(&mut self, record: &Record) -> Result<(), ArchiveError> {
        let path = self.dir.join(JOURNAL);
        let mut chain = self.journal.chain.clone();
        let frame = chain.frame(record).map_err(|source| failed("tell", &path, source.into()))?;
        let mut file = match self.journal.file.take() {
            Some(file) => file,
            None => self.disk.open(&path, self.journal.len).map_err(|source| failed("open", &path, source))?,
        };
        // On failure the file is dropped: the next attempt opens it anew, cut to what is known to be whole.
        file.append(&frame).map_err(|source| failed("append to", &path, source))?;
        file.sync().map_err(|source| failed("sync", &path, source))?;
        self.journal.file = Some(file);
        self.journal.len += frame.len() as u64;
        self.journal.chain = chain;
        let mut ledger = lock(&self.ledger);
        ledger.apply(record);
        ledger.chain_head = self.journal.chain.head().to_owned();
        Ok(())
    }

    /// Tells how far the journal has come, signed where there is a signer.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn checkpoint(&mut self, at_ms: u64, signer: Option<&dyn Signer>) -> Result<(), ArchiveError> {
        let checkpoint = {
            let ledger = lock(&self.ledger);
            Checkpoint::new(ledger.recording_id, ledger.records, ledger.chain_head.clone(), at_ms, signer)
        };
        self.record(&Record::Checkpoint(checkpoint))
    }

    /// Writes a whole file that appears under its name only when all of it is durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        let part = self.dir.join(format!("{name}.part"));
        let whole = self.dir.join(name);
        let mut file = self.disk.open(&part, 0).map_err(|source| failed("open", &part, source))?;
        file.append(bytes).map_err(|source| failed("append to", &part, source))?;
        file.sync().map_err(|source| failed("sync", &part, source))?;
        self.disk.rename(&part, &whole).map_err(|source| failed("rename", &part, source))?;
        self.sync_dir()
    }

    fn append(&mut self, name: MediaName, bytes: &[u8]) -> Result<(), ArchiveError> {
        let path = self.dir.join(name.part());
        let part = self.parts.entry(name.kind()).or_insert_with(|| OpenSegment::new(name));
        if part.name != name {
            *part = OpenSegment::new(name);
        }
        if part.suspect {
            // Into another file, from memory: a page whose write-back failed may count as clean.
            let fresh = self.dir.join(format!("{}{REWRITTEN}", name.part()));
            let mut file = self.disk.open(&fresh, 0).map_err(|source| failed("open", &fresh, source))?;
            file.append(&part.durable).map_err(|source| failed("append to", &fresh, source))?;
            file.sync().map_err(|source| failed("sync", &fresh, source))?;
            self.disk.rename(&fresh, &path).map_err(|source| failed("rename", &fresh, source))?;
            self.disk.sync_dir(&self.dir).map_err(|source| failed("sync", &self.dir, source))?;
            part.suspect = false;
        }
        let mut file = match part.file.take() {
            Some(file) => file,
            None => self.disk.open(&path, part.durable.len() as u64).map_err(|source| failed("open", &path, source))?,
        };
        file.append(bytes).map_err(|source| failed("append to", &path, source))?;
        if let Err(source) = file.sync() {
            part.suspect = true;
            return Err(failed("sync", &path, source));
        }
        if part.durable.is_empty() {
            self.disk.sync_dir(&self.dir).map_err(|source| failed("sync", &self.dir, source))?;
        }
        part.file = Some(file);
        part.durable.extend_from_slice(bytes);
        Ok(())
    }

    /// Length and digest of the segment, which has its final name then.
    fn close(&mut self, kind: TrackKind) -> Result<(u64, String), ArchiveError> {
        let part = self.parts.get_mut(&kind).ok_or_else(|| ArchiveError::NotARecording { path: self.dir.clone() })?;
        let from = self.dir.join(part.name.part());
        if !part.renamed {
            let to = self.dir.join(part.name.to_string());
            self.disk.rename(&from, &to).map_err(|source| failed("rename", &from, source))?;
            part.renamed = true;
        }
        part.file = None;
        let told = (part.durable.len() as u64, sha256(&part.durable));
        self.sync_dir()?;
        Ok(told)
    }

    fn sync_dir(&self) -> Result<(), ArchiveError> {
        self.disk.sync_dir(&self.dir).map_err(|source| failed("sync", &self.dir, source))
    }
}

impl OpenSegment {
    fn new(name: MediaName) -> Self {
        Self { name, file: None, durable: Vec::new(), suspect: false, renamed: false }
    }
}

/// Behind the name of a part that is written again.
const REWRITTEN: &str = ".again";
