//! The copies of recordings in a bucket: what journals name goes there as it becomes whole, and is read from there once
//! it was given away here.
//!
//! **The way up:** a look at the folder finds what the journals name and no receipt tells of ([`receipts`]) → [`outbox`]
//! says when which of it is tried → [`bucket`] makes the object, or compares the one that is there. One object for each
//! init segment and segment, `rec/{recording}/{file}`; a journal that grows goes as parts, a minute's worth each, and
//! whole when it has ended; the seal goes last, so that whoever sees a seal in the bucket sees the whole recording.
//!
//! **The way down:** [`away::MirroredDisk`] is the disk on which the archive finds such files.
//!
//! **Rim:** the clock is the archive's; tasks and the network are here.

pub mod away;
pub mod bucket;
pub mod outbox;
pub mod receipts;

use std::{
    collections::HashMap,
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use sfu::media::TrackKind;
use tokio::task::JoinSet;

use self::{
    bucket::{Bucket, BucketError, Put},
    outbox::{Lag, Outbox, OutboxRule, Sent, Upload},
    receipts::Receipts,
};
use crate::{
    archive::{Archive, ArchiveError},
    clock::LessonTime,
    id::{MediaName, RecordingId},
    journal::{Chain, JOURNAL, sha256},
    manifest::{Ledger, Phase},
    recover::SEAL,
    store::{failed, lock},
};

/// One piece of a recording in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Piece {
    /// An init segment or a segment.
    Media(MediaName),
    /// Whole records of a journal that still grows, from one byte to another.
    JournalPart {
        /// The first byte.
        from: u64,
        /// Behind the last byte.
        to: u64,
    },
    /// The journal, from its first to its last record.
    Journal,
    /// The seal.
    Seal,
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Media(name) => name.fmt(f),
            Self::JournalPart { from, to } => write!(f, "journal-{from:012}-{to:012}.log"),
            Self::Journal => f.write_str(JOURNAL),
            Self::Seal => f.write_str(SEAL),
        }
    }
}

/// No piece of a recording is named like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no piece of a recording is named like that")]
pub struct NotAPiece;

impl FromStr for Piece {
    type Err = NotAPiece;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = || {
            let (from, to) = text.strip_prefix("journal-")?.strip_suffix(".log")?.split_once('-')?;
            Some(Self::JournalPart { from: from.parse().ok()?, to: to.parse().ok()? })
        };
        match text {
            JOURNAL => Ok(Self::Journal),
            SEAL => Ok(Self::Seal),
            _ => text.parse().map(Self::Media).ok().or_else(part).ok_or(NotAPiece),
        }
    }
}

/// One object: a piece of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    /// Of which recording.
    pub recording: RecordingId,
    /// Which piece.
    pub piece: Piece,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.recording, self.piece)
    }
}

/// How the bucket keeps up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorStatus {
    /// What it has not got yet.
    pub lag: Lag,
    /// Failures in a row. 0: it answers.
    pub failures: u32,
    /// Since when it fails, milliseconds since 1970. `None`: it answers.
    pub failing_since_ms: Option<u64>,
    /// Objects that went there since the start.
    pub sent: u64,
    /// Of them.
    pub sent_bytes: u64,
    /// Objects that were there already when they were sent.
    pub found: u64,
    /// Names under which the bucket holds other bytes, or that are gone from the disk, at most [`ALARMS_MAX`] of them.
    pub alarms: Vec<String>,
}

/// Where a recording's media lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Copies {
    /// Init segments and segments that its journal names.
    pub named: u64,
    /// Of them, on the disk.
    pub here: u64,
    /// Everything is in the bucket. False as well: there is no bucket.
    pub mirrored: bool,
}

/// Why a recording's local copy is not removed.
#[derive(Debug, thiserror::Error)]
pub enum NotEvicted {
    /// It goes on.
    #[error("recording {0} is not sealed")]
    NotSealed(RecordingId),
    /// It is younger than [`KEPT_HERE_MIN`].
    #[error("recording {0} is younger than a day")]
    TooYoung(RecordingId),
    /// Not everything is in the bucket yet.
    #[error("recording {0} is not in the bucket as a whole")]
    NotMirrored(RecordingId),
    /// The bucket does not confirm what it holds, or cannot say.
    #[error("the bucket does not confirm its copy")]
    Bucket(#[from] BucketError),
    /// The disk.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// See the module.
pub struct Mirror {
    archive: Arc<Archive>,
    bucket: Bucket,
    state: Mutex<State>,
}

struct State {
    outbox: Outbox,
    receipts: Receipts,
    following: HashMap<RecordingId, Following>,
    status: MirrorStatus,
}

/// A recording of which not everything is in the bucket yet.
struct Following {
    /// How many init segments and segments of each track were seen.
    seen: HashMap<TrackKind, (usize, usize)>,
    /// How many objects of it are in the outbox.
    waiting: usize,
    /// The journal is in the bucket up to here.
    journal_to: u64,
    /// When the journal's next part is due.
    journal_due: Instant,
    /// What was put into the outbox last of its last two.
    last: Option<Piece>,
}

impl Mirror {
    /// The mirror of an archive in a bucket; `receipts` is the file in which it notes what is there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(
        archive: Arc<Archive>,
        bucket: Bucket,
        receipts: PathBuf,
        rule: OutboxRule,
    ) -> Result<Arc<Self>, ArchiveError> {
        let receipts = Receipts::open(archive.disk.clone(), receipts)?;
        let lot = archive.clock.wall_ms() ^ u64::from(std::process::id()) << 32;
        let state = State {
            outbox: Outbox::new(rule, lot),
            receipts,
            following: HashMap::new(),
            status: MirrorStatus::default(),
        };
        Ok(Arc::new(Self { archive, bucket, state: Mutex::new(state) }))
    }

    /// Mirrors until the future is dropped. Only one may run.
    pub async fn run(self: Arc<Self>) {
        let mut uploads = JoinSet::new();
        let mut looks_at = self.archive.clock.now();
        loop {
            if self.archive.clock.now() >= looks_at {
                let mirror = self.clone();
                let looked = tokio::task::spawn_blocking(move || mirror.look()).await;
                if let Ok(Err(error)) = looked {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "The folder of recordings cannot be looked through");
                }
                looks_at = self.archive.clock.now() + LOOKS_EVERY;
            }
            let now = self.archive.clock.now();
            while let Some(upload) = self.state().outbox.poll_upload(now) {
                uploads.spawn(self.clone().send(upload));
            }
            let due = self.state().outbox.poll_timeout(now).map_or(looks_at, |due| due.min(looks_at));
            tokio::select! {
                Some(_) = uploads.join_next() => {}
                () = tokio::time::sleep(due.saturating_duration_since(now)) => {}
            }
        }
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> MirrorStatus {
        let state = self.state();
        let lag = state.outbox.lag(self.archive.clock.wall_ms());
        MirrorStatus { lag, failures: state.outbox.failures(), ..state.status.clone() }
    }

    /// Everything of a recording is in the bucket, as far as is noted.
    #[must_use]
    pub fn is_whole(&self, recording: RecordingId) -> bool {
        self.state().receipts.is_whole(recording)
    }

    /// Removes the media of a recording from this disk, after the bucket has confirmed every single file of it. Journal
    /// and seal stay. Answers how many bytes became free.
    ///
    /// # Errors
    /// [`NotEvicted`] says why nothing was removed.
    pub async fn evict(self: &Arc<Self>, recording: RecordingId) -> Result<u64, NotEvicted> {
        let mirror = self.clone();
        let files = blocking(move || mirror.evictable(recording)).await?;
        if files.is_empty() {
            return Ok(0);
        }
        for (name, size, digest) in &files {
            self.bucket.check(&Object::of(recording, Piece::Media(*name)), *size, digest, HEAD_PATIENCE).await?;
        }
        for piece in [Piece::Journal, Piece::Seal] {
            let (mirror, object) = (self.clone(), Object::of(recording, piece));
            let bytes = blocking(move || mirror.bytes(&object)).await?;
            self.bucket.check(&object, bytes.len() as u64, &sha256(&bytes), HEAD_PATIENCE).await?;
        }
        let mirror = self.clone();
        let freed = blocking(move || {
            let (dir, mut freed) = (mirror.archive.dir(recording), 0);
            for (name, size, _) in files {
                let path = dir.join(name.to_string());
                mirror.archive.disk.remove(&path).map_err(|source| failed("remove", &path, source))?;
                freed += size;
            }
            mirror.archive.disk.sync_dir(&dir).map_err(|source| failed("sync", &dir, source))?;
            Ok::<_, ArchiveError>(freed)
        });
        Ok(freed.await?)
    }

    /// Removes everything that the bucket holds of a recording. `None`: something of it is on its way just now; ask
    /// again. Otherwise how many objects were removed.
    ///
    /// # Errors
    /// [`BucketError`]: some may be left, and it may be asked again.
    pub async fn remove(&self, recording: RecordingId) -> Result<Option<u64>, BucketError> {
        {
            let mut state = self.state();
            if !state.outbox.forget(recording) {
                return Ok(None);
            }
            state.following.remove(&recording);
            // Nothing of it is looked for any more while its folder is still there.
            let noted = state.receipts.note_whole(recording);
            note_failure(noted);
        }
        let removed = self.bucket.remove(recording, LIST_PATIENCE).await?;
        let forgotten = self.state().receipts.forget(recording);
        note_failure(forgotten);
        Ok(Some(removed))
    }

    /// Finds what became whole since the last look. It reads folders and journals: call it where one may block.
    ///
    /// # Errors
    /// When the folder of recordings cannot be listed; a recording that cannot be read is left for later.
    pub fn look(&self) -> Result<(), ArchiveError> {
        for recording in self.archive.ids()? {
            if self.state().receipts.is_whole(recording) {
                continue;
            }
            if let Err(error) = self.look_at(recording) {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(recording.id = %recording, error, "Recording {recording} cannot be mirrored now");
            }
        }
        Ok(())
    }

    fn look_at(&self, recording: RecordingId) -> Result<(), ArchiveError> {
        let ledger = lock(&self.archive.ledger(recording)?).clone();
        let now = self.archive.clock.now();
        let grown = {
            let mut state = self.state();
            let State { outbox, receipts, following, .. } = &mut *state;
            let following = following.entry(recording).or_insert_with(|| Following::new(receipts, recording, now));
            following.add_media(&ledger, outbox, receipts);
            (now >= following.journal_due).then_some(following.journal_to)
        };
        if let Phase::Ended(_) = ledger.phase {
            return self.look_at_the_end(recording, &ledger);
        }
        let Some(from) = grown else { return Ok(()) };
        let to = self.journal_end(recording, &ledger)?;
        let mut state = self.state();
        let State { outbox, following, .. } = &mut *state;
        if let Some(following) = following.get_mut(&recording) {
            following.journal_due = now + JOURNAL_EVERY;
            if to > from {
                following.journal_to = to;
                let made_at_ms = made_at_ms(&ledger, ledger.duration_ms());
                following.add(outbox, Object::of(recording, Piece::JournalPart { from, to }), to - from, made_at_ms);
            }
        }
        Ok(())
    }

    /// First all media, then the journal, then the seal.
    fn look_at_the_end(&self, recording: RecordingId, ledger: &Ledger) -> Result<(), ArchiveError> {
        let dir = self.archive.dir(recording);
        let sealed = self.archive.disk.list(&dir).map_err(|source| failed("list", &dir, source))?;
        if !sealed.iter().any(|name| name == SEAL) {
            return Ok(());
        }
        let mut state = self.state();
        let State { outbox, receipts, following, .. } = &mut *state;
        let Some(following_it) = following.get_mut(&recording) else { return Ok(()) };
        if following_it.waiting > 0 {
            return Ok(());
        }
        let there = |piece| receipts.has(&Object::of(recording, piece));
        let next = if !there(Piece::Journal) { Some(Piece::Journal) } else { Some(Piece::Seal) };
        let next = next.filter(|piece| !there(*piece));
        match next {
            Some(piece) if following_it.last != Some(piece) => {
                following_it.last = Some(piece);
                let made_at_ms = made_at_ms(ledger, ledger.duration_ms());
                following_it.add(outbox, Object::of(recording, piece), 0, made_at_ms);
            }
            // It was given up: an alarm stands for it.
            Some(_) => {}
            None => {
                following.remove(&recording);
                note_failure(receipts.note_whole(recording));
                tracing::info!(recording.id = %recording, "Recording {recording} is in the bucket as a whole");
            }
        }
        Ok(())
    }

    /// Where the journal ends as far as it is durable. What was written and not yet synced is no part of it.
    fn journal_end(&self, recording: RecordingId, ledger: &Ledger) -> Result<u64, ArchiveError> {
        let bytes = self.read(recording, JOURNAL)?;
        let (mut chain, mut to) = (Chain::default(), 0);
        while let Ok((_, len)) = chain.follow(bytes.get(to..).unwrap_or_default()) {
            to += len;
            if chain.head() == ledger.chain_head {
                return Ok(to as u64);
            }
        }
        Ok(0)
    }

    async fn send(self: Arc<Self>, Upload { object, patience }: Upload) {
        let mirror = self.clone();
        let bytes = blocking(move || mirror.bytes(&object)).await;
        let (sent, size) = match bytes {
            Ok(bytes) => {
                let size = bytes.len() as u64;
                (self.bucket.put(&object, bytes, patience).await, size)
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(object = %object, error, cause = error.source(), "{object} cannot be read for the bucket");
                self.settle(&object, Sent::GivenUp, 0, false);
                return;
            }
        };
        match sent {
            Ok(put) => self.settle(&object, Sent::There, size, put == Put::New),
            Err(error @ BucketError::Different { .. }) => {
                tracing::error!(object = %object, "{error}: they are left as they are");
                self.settle(&object, Sent::GivenUp, 0, false);
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                // The first failure tells; those after it would fill the log for as long as the bucket is away.
                if self.state().outbox.failures() == 0 {
                    tracing::warn!(object = %object, error, cause = error.source(), "{error}: it is tried again");
                }
                self.settle(&object, Sent::Failed, 0, false);
            }
        }
    }

    fn settle(&self, object: &Object, sent: Sent, size: u64, is_new: bool) {
        let mut state = self.state();
        let State { outbox, receipts, following, status } = &mut *state;
        outbox.handle_sent(self.archive.clock.now(), object, sent);
        status.failing_since_ms = match (outbox.failures(), status.failing_since_ms) {
            (0, Some(_)) => {
                tracing::info!("The bucket answers again");
                None
            }
            (0, None) => None,
            (_, since) => Some(since.unwrap_or_else(|| self.archive.clock.wall_ms())),
        };
        if sent == Sent::Failed {
            return;
        }
        if let Some(following) = following.get_mut(&object.recording) {
            following.waiting = following.waiting.saturating_sub(1);
        }
        if sent == Sent::GivenUp {
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

    /// The files of a recording whose local copy may go, as far as this side knows: names, sizes and digests.
    fn evictable(&self, recording: RecordingId) -> Result<Vec<(MediaName, u64, String)>, NotEvicted> {
        let dir = self.archive.dir(recording);
        let here = self.archive.disk.list(&dir).map_err(|source| failed("list", &dir, source))?;
        if here == [JOURNAL, SEAL] {
            return Ok(Vec::new());
        }
        let ledger = lock(&self.archive.ledger(recording)?).clone();
        let Phase::Ended(duration_ms) = ledger.phase else { return Err(NotEvicted::NotSealed(recording)) };
        if !here.iter().any(|name| name == SEAL) {
            return Err(NotEvicted::NotSealed(recording));
        }
        let age = self.archive.clock.wall_ms().saturating_sub(made_at_ms(&ledger, duration_ms));
        if u128::from(age) < KEPT_HERE_MIN.as_millis() {
            return Err(NotEvicted::TooYoung(recording));
        }
        if !self.is_whole(recording) {
            return Err(NotEvicted::NotMirrored(recording));
        }
        let mut files = Vec::new();
        for (name, digest) in media(&ledger) {
            if here.binary_search(&name.to_string()).is_ok() {
                let bytes = self.read(recording, &name.to_string())?;
                // What is not as it was written stays where it is: it is a proof.
                if sha256(&bytes) != *digest {
                    return Err(NotEvicted::Bucket(BucketError::Different {
                        object: Object::of(recording, Piece::Media(name)),
                    }));
                }
                files.push((name, bytes.len() as u64, digest.clone()));
            }
        }
        Ok(files)
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    fn new(receipts: &Receipts, recording: RecordingId, now: Instant) -> Self {
        let parts = receipts.of(recording).filter_map(|piece| match piece {
            Piece::JournalPart { to, .. } => Some(*to),
            _ => None,
        });
        let journal_to = parts.max().unwrap_or(0);
        Self { seen: HashMap::new(), waiting: 0, journal_to, journal_due: now + JOURNAL_EVERY, last: None }
    }

    fn add(&mut self, outbox: &mut Outbox, object: Object, size_bytes: u64, made_at_ms: u64) {
        self.waiting += 1;
        outbox.add(object, size_bytes, made_at_ms);
    }

    fn add_media(&mut self, ledger: &Ledger, outbox: &mut Outbox, receipts: &Receipts) {
        for track in &ledger.tracks {
            let Some(kind) = track.kind else { continue };
            let (inits, segments) = self.seen.get(&kind).copied().unwrap_or_default();
            let mut found = Vec::new();
            for init in track.inits.iter().skip(inits) {
                found.push((MediaName::Init { kind, n: init.n }, 0, track.duration_ms()));
            }
            for segment in track.segments.iter().skip(segments) {
                let end = LessonTime::from_ticks(segment.start.saturating_add(segment.duration), track.scale());
                found.push((MediaName::Segment { kind, seq: segment.seq }, segment.size_bytes, end.millis()));
            }
            self.seen.insert(kind, (track.inits.len(), track.segments.len()));
            for (name, size_bytes, at_ms) in found {
                let object = Object::of(ledger.recording_id, Piece::Media(name));
                if !receipts.has(&object) {
                    self.add(outbox, object, size_bytes, made_at_ms(ledger, at_ms));
                }
            }
        }
    }
}

impl Archive {
    /// Where a recording's media lies. `mirrored` is what the mirror's receipts say of it.
    ///
    /// # Errors
    /// When there is none of that name, or the disk refuses.
    pub fn copies(&self, recording: RecordingId, mirrored: bool) -> Result<Copies, ArchiveError> {
        let ledger = lock(&self.ledger(recording)?).clone();
        let dir = self.dir(recording);
        let here = self.disk.list(&dir).map_err(|source| failed("list", &dir, source))?;
        let is_here = |name: MediaName| here.binary_search(&name.to_string()).is_ok();
        let named = media(&ledger).count() as u64;
        Ok(Copies { named, here: media(&ledger).filter(|(name, _)| is_here(*name)).count() as u64, mirrored })
    }
}

/// The files that a journal names, with their digests.
pub(crate) fn media(ledger: &Ledger) -> impl Iterator<Item = (MediaName, &String)> {
    ledger.tracks.iter().filter_map(|track| Some((track, track.kind?))).flat_map(|(track, kind)| {
        let inits = track.inits.iter().map(move |init| (MediaName::Init { kind, n: init.n }, &init.sha256));
        let segments = track.segments.iter().map(move |one| (MediaName::Segment { kind, seq: one.seq }, &one.sha256));
        inits.chain(segments)
    })
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

/// A local copy younger than this is never removed: it is still being looked at, and the bucket's own copies settle.
pub const KEPT_HERE_MIN: Duration = Duration::from_secs(24 * 3_600);

/// Names in the list of alarms. Somebody has to look after the first ones; the log has all of them.
pub const ALARMS_MAX: usize = 20;

/// A segment is four seconds long.
const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// What of a journal is lost with the machine.
const JOURNAL_EVERY: Duration = Duration::from_secs(60);

/// A question that is answered with a few lines.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);

/// The names of a long recording's objects are some pages.
const LIST_PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_read_as_it_is_written() {
        for name in [
            "voice-init-1.mp4",
            "camera-000123.m4s",
            "journal-000000000000-000000004096.log",
            "journal.log",
            "seal.json",
        ] {
            assert_eq!(name.parse::<Piece>().unwrap().to_string(), name);
        }
        for bad in ["", "..", "journal-1.log", "seal.json.part", "camera-1.m4s"] {
            assert_eq!(bad.parse::<Piece>(), Err(NotAPiece), "{bad}");
        }
    }
}
