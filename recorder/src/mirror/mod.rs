//! Copies of recordings in an S3 bucket: files go there as journals name them, and evicted ones are read from there.
//!
//! **Upload:** a scan of the folder finds files that journals name and [`receipts`] do not list → [`upload_queue`]
//! schedules them by the measured [`throughput`] → [`bucket`] creates the object, or compares an existing one. One
//! object per init segment and segment, `rec/{recording}/{file}`; a growing journal is uploaded in parts of a minute
//! each, and as a whole when it has ended; the seal goes last, so that a seal in the bucket implies the whole
//! recording.
//!
//! **Download:** [`eviction`] removes local copies that the bucket has confirmed; [`remote_disk::MirroredDisk`] is the
//! disk on which the archive still finds them.
//!
//! **Rim:** the clock is that of the archive; tasks and the network are here.

pub mod bucket;
pub mod eviction;
pub mod object;
pub mod receipts;
pub mod remote_disk;
pub(crate) mod throughput;
pub mod upload_queue;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use sfu::media::TrackKind;
use tokio::task::JoinSet;

pub use self::object::{Object, Piece};
use self::{
    bucket::{Bucket, BucketError, Put},
    receipts::Receipts,
    upload_queue::{MirrorLag, Upload, UploadQueue, UploadResult, UploadRule},
};
use crate::{
    archive::Archive,
    disk::recording_files::lock,
    error::{ArchiveError, failed},
    format::clock::LessonTime,
    id::{MediaName, RecordingId},
    journal::{
        chain::{HashChain, JOURNAL},
        manifest::{Ledger, RecordingPhase},
        seal::SEAL,
    },
};

/// The state of the mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorStatus {
    /// What is not in the bucket yet.
    pub lag: MirrorLag,
    /// Failures in a row. 0: the bucket responds.
    pub failures: u32,
    /// Since when it fails, milliseconds since 1970. `None`: it responds.
    pub failing_since_ms: Option<u64>,
    /// Objects uploaded since the start.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Objects that existed already when they were uploaded.
    pub found: u64,
    /// Failed uploads since the start; each is retried.
    pub failed: u64,
    /// Objects that hold other bytes in the bucket, or are missing on the disk; at most [`ALARMS_MAX`] names.
    pub alarms: Vec<String>,
}

/// See the module.
pub struct Mirror {
    archive: Arc<Archive>,
    bucket: Bucket,
    state: Mutex<MirrorState>,
}

struct MirrorState {
    queue: UploadQueue,
    receipts: Receipts,
    following: HashMap<RecordingId, RecordingProgress>,
    status: MirrorStatus,
}

/// A recording that is not completely in the bucket.
struct RecordingProgress {
    /// The number of init segments and segments seen of each track.
    seen: HashMap<TrackKind, Seen>,
    /// Its objects in the queue.
    waiting: usize,
    /// The journal is uploaded up to this byte.
    journal_to: u64,
    /// When the next part of the journal is due.
    journal_due: Instant,
    /// Which of journal and seal was queued last.
    last: Option<Piece>,
    /// An object of it can never be uploaded: it stays incomplete, with an alarm.
    given_up: bool,
}

/// How much of a track was seen in its journal.
#[derive(Clone, Copy, Default)]
struct Seen {
    inits: usize,
    segments: usize,
}

impl Mirror {
    /// The mirror of an archive in a bucket; `receipts` is the file that lists confirmed objects.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(
        archive: Arc<Archive>,
        bucket: Bucket,
        receipts: PathBuf,
        rule: UploadRule,
    ) -> Result<Arc<Self>, ArchiveError> {
        let receipts = Receipts::open(archive.disk.clone(), receipts)?;
        let lot = archive.clock.wall_ms() ^ u64::from(std::process::id()) << 32;
        let state = MirrorState {
            queue: UploadQueue::new(rule, lot),
            receipts,
            following: HashMap::new(),
            status: MirrorStatus::default(),
        };
        Ok(Arc::new(Self { archive, bucket, state: Mutex::new(state) }))
    }

    /// Mirrors until the future is dropped. Only one may run at a time.
    pub async fn run(self: Arc<Self>) {
        let mut uploads = JoinSet::new();
        let mut scan_at = self.archive.clock.now();
        loop {
            if self.archive.clock.now() >= scan_at {
                let mirror = self.clone();
                let scanned = tokio::task::spawn_blocking(move || mirror.scan()).await;
                if let Ok(Err(error)) = scanned {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "The folder of recordings cannot be scanned");
                }
                scan_at = self.archive.clock.now() + SCAN_EVERY;
            }
            let now = self.archive.clock.now();
            while let Some(upload) = self.state().queue.poll_upload(now) {
                uploads.spawn(self.clone().send(upload));
            }
            let due = self.state().queue.poll_timeout(now).map_or(scan_at, |due| due.min(scan_at));
            tokio::select! {
                Some(_) = uploads.join_next() => {}
                () = tokio::time::sleep(due.saturating_duration_since(now)) => {}
            }
        }
    }

    /// The state of the mirror.
    #[must_use]
    pub fn status(&self) -> MirrorStatus {
        let state = self.state();
        let lag = state.queue.lag(self.archive.clock.wall_ms());
        MirrorStatus { lag, failures: state.queue.failures(), ..state.status.clone() }
    }

    /// Everything of a recording is in the bucket, by the receipts.
    #[must_use]
    pub fn is_whole(&self, recording: RecordingId) -> bool {
        self.state().receipts.is_whole(recording)
    }

    /// Uploads nothing more of a recording that is about to be deleted. False: an upload of it is in flight.
    #[must_use]
    pub fn cancel_uploads(&self, recording: RecordingId) -> bool {
        let mut state = self.state();
        if !state.queue.forget(recording) {
            return false;
        }
        state.following.remove(&recording);
        // Its folder still exists: let no scan find it new.
        note_failure(state.receipts.note_whole(recording));
        true
    }

    /// Deletes all objects of a recording that is no longer on the disk. Returns their number.
    ///
    /// # Errors
    /// [`BucketError`]: some objects may be left; it may be repeated.
    pub async fn remove(&self, recording: RecordingId) -> Result<u64, BucketError> {
        let removed = self.bucket.remove(recording, LIST_TIMEOUT).await?;
        note_failure(self.state().receipts.forget(recording));
        Ok(removed)
    }

    /// Finds files that were completed since the last scan. Reads folders and journals: blocking.
    ///
    /// # Errors
    /// When the folder of recordings cannot be listed. A recording that cannot be read is skipped until the next scan.
    pub fn scan(&self) -> Result<(), ArchiveError> {
        for recording in self.archive.ids()? {
            if self.state().receipts.is_whole(recording) {
                continue;
            }
            if let Err(error) = self.scan_recording(recording) {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(recording.id = %recording, error, "Recording {recording} cannot be mirrored now");
            }
        }
        Ok(())
    }

    fn scan_recording(&self, recording: RecordingId) -> Result<(), ArchiveError> {
        let ledger = lock(&self.archive.ledger(recording)?).clone();
        let now = self.archive.clock.now();
        let grown = {
            let mut state = self.state();
            let MirrorState { queue, receipts, following, .. } = &mut *state;
            let following =
                following.entry(recording).or_insert_with(|| RecordingProgress::new(receipts, recording, now));
            following.add_media(&ledger, queue, receipts);
            (now >= following.journal_due).then_some(following.journal_to)
        };
        if let RecordingPhase::Ended(_) = ledger.phase {
            return self.scan_ended(recording, &ledger);
        }
        let Some(from) = grown else { return Ok(()) };
        let to = self.journal_end(recording, &ledger)?;
        let mut state = self.state();
        let MirrorState { queue, following, .. } = &mut *state;
        if let Some(following) = following.get_mut(&recording) {
            following.journal_due = now + JOURNAL_EVERY;
            if to > from {
                following.journal_to = to;
                let made_at_ms = made_at_ms(&ledger, ledger.duration_ms());
                following.add(queue, Object::of(recording, Piece::JournalPart { from, to }), to - from, made_at_ms);
            }
        }
        Ok(())
    }

    /// Uploads of an ended recording: all media first, then the journal, then the seal.
    fn scan_ended(&self, recording: RecordingId, ledger: &Ledger) -> Result<(), ArchiveError> {
        let dir = self.archive.dir(recording);
        let sealed = self.archive.disk.list(&dir).map_err(|source| failed("list", &dir, source))?;
        if !sealed.iter().any(|name| name == SEAL) {
            return Ok(());
        }
        let next = {
            let mut state = self.state();
            let MirrorState { receipts, following, .. } = &mut *state;
            let Some(following_it) = following.get_mut(&recording) else { return Ok(()) };
            if following_it.waiting > 0 || following_it.given_up {
                return Ok(());
            }
            let missing = |piece: &Piece| !receipts.has(&Object::of(recording, *piece));
            let Some(next) = [Piece::Journal, Piece::Seal].into_iter().find(missing) else {
                following.remove(&recording);
                note_failure(receipts.note_whole(recording));
                tracing::info!(recording.id = %recording, "Recording {recording} is in the bucket as a whole");
                return Ok(());
            };
            if following_it.last == Some(next) {
                return Ok(());
            }
            next
        };
        // The journal of a long lesson is as large as some segments.
        let size_bytes = self.read(recording, &next.to_string())?.len() as u64;
        let mut state = self.state();
        let MirrorState { queue, following, .. } = &mut *state;
        if let Some(following) = following.get_mut(&recording) {
            following.last = Some(next);
            let made_at_ms = made_at_ms(ledger, ledger.duration_ms());
            following.add(queue, Object::of(recording, next), size_bytes, made_at_ms);
        }
        Ok(())
    }

    /// The end of the durable part of the journal. Written but not yet synced bytes are excluded.
    fn journal_end(&self, recording: RecordingId, ledger: &Ledger) -> Result<u64, ArchiveError> {
        let bytes = self.read(recording, JOURNAL)?;
        let (mut chain, mut to) = (HashChain::default(), 0);
        while let Ok((_, len)) = chain.follow(bytes.get(to..).unwrap_or_default()) {
            to += len;
            if chain.head() == ledger.chain_head {
                return Ok(to as u64);
            }
        }
        Ok(0)
    }

    async fn send(self: Arc<Self>, Upload { object, timeout, retry }: Upload) {
        let mirror = self.clone();
        let bytes = blocking(move || mirror.bytes(&object)).await;
        let (sent, size) = match bytes {
            Ok(bytes) => {
                let size = bytes.len() as u64;
                let put = if retry {
                    self.bucket.put_if_missing(&object, bytes, timeout).await
                } else {
                    self.bucket.put(&object, bytes, timeout).await
                };
                (put, size)
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(object = %object, error, cause = error.source(), "{object} cannot be read for the bucket");
                self.record_result(&object, UploadResult::GivenUp, 0, false);
                return;
            }
        };
        match sent {
            Ok(put) => self.record_result(&object, UploadResult::Stored, size, put == Put::New),
            Err(error @ BucketError::Different { .. }) => {
                tracing::error!(object = %object, "{error}: they are left as they are");
                self.record_result(&object, UploadResult::GivenUp, 0, false);
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                // Only the first failure in a row is logged.
                if self.state().queue.failures() == 0 {
                    tracing::warn!(object = %object, error, cause = error.source(), "{error}: it is tried again");
                }
                self.record_result(&object, UploadResult::Failed, 0, false);
            }
        }
    }

    fn record_result(&self, object: &Object, sent: UploadResult, size: u64, is_new: bool) {
        let mut state = self.state();
        let MirrorState { queue, receipts, following, status } = &mut *state;
        queue.handle_result(self.archive.clock.now(), object, sent);
        status.failing_since_ms = match (queue.failures(), status.failing_since_ms) {
            (0, Some(_)) => {
                tracing::info!("The bucket answers again");
                None
            }
            (0, None) => None,
            (_, since) => Some(since.unwrap_or_else(|| self.archive.clock.wall_ms())),
        };
        if sent == UploadResult::Failed {
            status.failed += 1;
            return;
        }
        if let Some(following) = following.get_mut(&object.recording) {
            following.waiting = following.waiting.saturating_sub(1);
            following.given_up |= sent == UploadResult::GivenUp;
        }
        if sent == UploadResult::GivenUp {
            if status.alarms.len() < ALARMS_MAX {
                status.alarms.push(object.to_string());
            }
            return;
        }
        if is_new {
            status.sent += 1;
            status.sent_bytes += size;
        } else {
            status.found += 1;
        }
        note_failure(receipts.note(object));
    }

    fn bytes(&self, object: &Object) -> Result<Bytes, ArchiveError> {
        match object.piece {
            Piece::JournalPart { from, to } => {
                let journal = Bytes::from(self.read(object.recording, JOURNAL)?);
                let (from, to) = (from as usize, to as usize);
                if to > journal.len() || from > to {
                    let path = self.archive.dir(object.recording).join(JOURNAL);
                    return Err(failed("read", &path, io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(journal.slice(from..to))
            }
            piece => Ok(self.read(object.recording, &piece.to_string())?.into()),
        }
    }

    fn read(&self, recording: RecordingId, name: &str) -> Result<Vec<u8>, ArchiveError> {
        let path = self.archive.dir(recording).join(name);
        self.archive.disk.read(&path).map_err(|source| failed("read", &path, source))
    }

    fn state(&self) -> MutexGuard<'_, MirrorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordingProgress {
    fn new(receipts: &Receipts, recording: RecordingId, now: Instant) -> Self {
        let parts = receipts.of(recording).filter_map(|piece| match piece {
            Piece::JournalPart { to, .. } => Some(*to),
            _ => None,
        });
        let journal_to = parts.max().unwrap_or(0);
        Self {
            seen: HashMap::new(),
            waiting: 0,
            journal_to,
            journal_due: now + JOURNAL_EVERY,
            last: None,
            given_up: false,
        }
    }

    fn add(&mut self, queue: &mut UploadQueue, object: Object, size_bytes: u64, made_at_ms: u64) {
        self.waiting += 1;
        queue.add(object, size_bytes, made_at_ms);
    }

    fn add_media(&mut self, ledger: &Ledger, queue: &mut UploadQueue, receipts: &Receipts) {
        for track in &ledger.tracks {
            let Some(kind) = track.kind else { continue };
            let Seen { inits, segments } = self.seen.get(&kind).copied().unwrap_or_default();
            let mut found = Vec::new();
            for init in track.inits.iter().skip(inits) {
                found.push((MediaName::Init { kind, n: init.n }, 0, track.duration_ms()));
            }
            for segment in track.segments.iter().skip(segments) {
                let end = LessonTime::from_ticks(segment.start.saturating_add(segment.duration), track.scale());
                found.push((MediaName::Segment { kind, seq: segment.seq }, segment.size_bytes, end.millis()));
            }
            self.seen.insert(kind, Seen { inits: track.inits.len(), segments: track.segments.len() });
            for (name, size_bytes, at_ms) in found {
                let object = Object::of(ledger.recording_id, Piece::Media(name));
                if !receipts.has(&object) {
                    self.add(queue, object, size_bytes, made_at_ms(ledger, at_ms));
                }
            }
        }
    }
}

fn made_at_ms(ledger: &Ledger, lesson_ms: u64) -> u64 {
    ledger.started_at_ms.saturating_add(lesson_ms)
}

fn note_failure(noted: Result<(), ArchiveError>) {
    if let Err(error) = noted {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "A receipt could not be kept: the bucket is asked again after the next start");
    }
}

async fn blocking<T: Send + 'static, E: From<ArchiveError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(E::from(failed("work with", Path::new("the recordings"), io::ErrorKind::Interrupted.into())))
    })
}

/// Length of the list of alarms; the log has all of them.
pub const ALARMS_MAX: usize = 20;

/// Interval of scans; a segment lasts four seconds.
const SCAN_EVERY: Duration = Duration::from_secs(2);

/// Interval of journal parts: the most that is lost with the machine.
const JOURNAL_EVERY: Duration = Duration::from_secs(60);

/// The list of a long recording takes several pages.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);
