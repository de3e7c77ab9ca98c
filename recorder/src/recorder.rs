//! The thread of one recording: reads the tap, drives the state machine, writes what it says.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde::Serialize;
use sfu::{
    id::TrackId,
    media::TrackKind,
    tap::{TapItem, TapReceiver},
};

use crate::{
    archive::{Archive, ArchiveError},
    id::RecordingId,
    journal::GapReason,
    kept::Kept,
    manifest::Manifest,
    recording::{Action, Recording},
    recover,
    store::{Store, lock},
};

/// A recording in hand: its files and its state.
pub struct Session {
    pub(crate) id: RecordingId,
    pub(crate) store: Store,
    pub(crate) recording: Recording,
    /// In lesson time. `None`: it is new.
    pub(crate) resumed: Option<u64>,
}

/// A lesson that is being recorded. Dropping it closes the files so that the recording can go on later.
#[derive(Debug)]
pub struct Recorder {
    id: RecordingId,
    archive: Arc<Archive>,
    stop: SyncSender<Stop>,
    status: Arc<Mutex<RecorderStatus>>,
    thread: Option<JoinHandle<Result<(), ArchiveError>>>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("root", &self.root).finish_non_exhaustive()
    }
}

/// How a recording is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecorderStatus {
    /// Whether the disk keeps up.
    pub state: RecorderState,
    /// How far it can be played. Up to a segment more is durable.
    pub kept_ms: u64,
    /// Items that the tap dropped because this thread was too slow.
    pub dropped: u64,
    /// What waits in memory for the disk.
    pub waiting_bytes: usize,
}

/// See [`RecorderStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecorderState {
    /// All is well.
    Recording,
    /// The disk refuses; it is tried again and again, and the lesson goes on.
    Paused,
    /// It has stopped.
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Finish,
    Suspend,
}

impl Recorder {
    pub(crate) fn spawn(
        archive: Arc<Archive>,
        session: Session,
        tap: TapReceiver,
        kept: Kept,
    ) -> Result<Self, ArchiveError> {
        let id = session.id;
        match session.resumed {
            Some(at_ms) => tracing::info!(recording.id = %id, at_ms, "Recording {id} goes on at {at_ms} ms"),
            None => tracing::info!(recording.id = %id, "Recording {id} begins"),
        }
        let (stop, stopped) = sync_channel(2);
        let status = Arc::new(Mutex::new(RecorderStatus {
            state: RecorderState::Recording,
            kept_ms: 0,
            dropped: 0,
            waiting_bytes: 0,
        }));
        let now = archive.clock.now();
        let work = Work {
            archive: archive.clone(),
            session,
            kept,
            tap,
            stopped,
            status: status.clone(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            sources: HashMap::new(),
            broken: (Vec::new(), now),
            paused: None,
            overflowed: false,
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                let (archive, id, status) = (work.archive.clone(), work.session.id, work.status.clone());
                let _release = Release { archive, id, status };
                work.run()
            })
            .map_err(|_| {
                archive.release(id);
                ArchiveError::Thread { id }
            })?;
        Ok(Self { id, archive, stop, status, thread: Some(thread) })
    }

    /// Which recording it is.
    #[must_use]
    pub fn id(&self) -> RecordingId {
        self.id
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> RecorderStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the recording for good. When it returns, everything plays.
    ///
    /// # Errors
    /// When the disk refuses; the recording is not sealed then, and [`Archive::seal`] may try again.
    pub fn finish(mut self) -> Result<Manifest, ArchiveError> {
        self.stop(Stop::Finish)?;
        self.archive.manifest(self.id)
    }

    /// Closes the files without ending the recording: the process stops, the lesson may go on in the next one.
    ///
    /// # Errors
    /// When the disk refuses; recovery then finds what was durable.
    pub fn suspend(mut self) -> Result<(), ArchiveError> {
        self.stop(Stop::Suspend)
    }

    fn stop(&mut self, how: Stop) -> Result<(), ArchiveError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let _ = self.stop.try_send(how);
        thread.join().unwrap_or(Err(ArchiveError::Thread { id: self.id }))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(error) = self.stop(Stop::Suspend) {
            let id = self.id;
            let error: &dyn std::error::Error = &error;
            tracing::error!(recording.id = %id, error, "Recording {id} was not closed cleanly");
        }
    }
}

/// However the thread ends, the recording is free for the next writer.
struct Release {
    archive: Arc<Archive>,
    id: RecordingId,
    status: Arc<Mutex<RecorderStatus>>,
}

impl Drop for Release {
    fn drop(&mut self) {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).state = RecorderState::Stopped;
        self.archive.release(self.id);
    }
}

/// What the thread works with.
struct Work {
    archive: Arc<Archive>,
    session: Session,
    kept: Kept,
    tap: TapReceiver,
    stopped: Receiver<Stop>,
    status: Arc<Mutex<RecorderStatus>>,
    /// What the disk has still to do.
    backlog: VecDeque<Action>,
    backlog_bytes: usize,
    /// Who publishes now, so that a recording opened anew knows them.
    sources: HashMap<TrackId, TapItem>,
    /// Tracks that waited for a keyframe when it was last looked, and when it is looked again.
    broken: (Vec<TrackKind>, Instant),
    /// When the disk is tried again.
    paused: Option<Instant>,
    /// The disk refused for too long: the backlog was given up, and the files will be opened anew.
    overflowed: bool,
}

impl Work {
    fn run(mut self) -> Result<(), ArchiveError> {
        let mut connected = true;
        loop {
            connected = connected && self.read();
            let now = self.archive.clock.now();
            let due = self.session.recording.poll_timeout().map_or(REST, |due| due.saturating_duration_since(now));
            // Who waits for packets is woken for each of them, at the cost of the thread that forwards it; who rests is
            // not. Where the room is closed, only the word that ends the recording is still to come.
            match self.stopped.recv_timeout(due.min(REST)) {
                Ok(stop) => return self.stop(stop),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if !connected => return self.stop(Stop::Suspend),
                // Nobody can stop it any more but the room, which is still open.
                Err(RecvTimeoutError::Disconnected) => {
                    if let Ok(item) = self.tap.recv_timeout(REST) {
                        self.take(item);
                    }
                }
            }
            let now = self.archive.clock.now();
            if !self.overflowed {
                self.session.recording.handle_dropped(self.tap.dropped());
                self.session.recording.handle_timeout(now);
                self.ask(now);
            }
            self.write(now);
            self.tell();
        }
    }

    /// Asks for a keyframe of every picture track that has been broken for a while. One that only begins has its
    /// keyframe on the way.
    fn ask(&mut self, now: Instant) {
        if now < self.broken.1 {
            return;
        }
        let broken: Vec<TrackKind> = self.session.recording.awaiting_keyframe().collect();
        for kind in broken.iter().filter(|kind| self.broken.0.contains(kind)) {
            self.tap.want_keyframe(*kind);
        }
        self.broken = (broken, now + ASK_EVERY);
    }

    /// Takes what waits. False: the tap is closed.
    fn read(&mut self) -> bool {
        for _ in 0..BATCH {
            match self.tap.recv_timeout(Duration::ZERO) {
                Ok(item) => self.take(item),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    fn take(&mut self, item: TapItem) {
        match &item {
            TapItem::Started { track, .. } => {
                self.sources.insert(*track, item.clone());
            }
            TapItem::Ended { track, .. } => {
                self.sources.remove(track);
            }
            TapItem::Packet { .. } | TapItem::SenderReport { .. } => {}
        }
        if !self.overflowed {
            self.session.recording.handle_item(self.archive.clock.now(), item);
        }
    }

    fn write(&mut self, now: Instant) {
        while let Some(action) = self.session.recording.poll_action() {
            if let Action::Append { bytes, .. } | Action::Init { bytes, .. } = &action {
                self.backlog_bytes += bytes.len();
            }
            self.backlog.push_back(action);
        }
        if self.paused.is_some_and(|until| now < until) {
            return;
        }
        let result = if self.overflowed { self.open_anew() } else { self.drain() };
        let id = self.session.id;
        match result {
            Ok(()) => {
                if self.paused.take().is_some() {
                    tracing::info!(recording.id = %id, "Recording {id} is being written again");
                }
            }
            Err(error) => {
                if self.paused.is_none() {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(recording.id = %id, error, cause = error.source(), "Recording {id} is paused");
                }
                self.paused = Some(now + RETRY);
                if self.backlog_bytes > BACKLOG_BYTES_MAX {
                    self.backlog.clear();
                    self.backlog_bytes = 0;
                    self.overflowed = true;
                }
            }
        }
    }

    fn drain(&mut self) -> Result<(), ArchiveError> {
        while let Some(action) = self.backlog.front() {
            self.session.store.perform(action)?;
            if let Some(Action::Append { bytes, .. } | Action::Init { bytes, .. }) = self.backlog.pop_front() {
                self.backlog_bytes = self.backlog_bytes.saturating_sub(bytes.len());
            }
        }
        Ok(())
    }

    /// As after a crash, but in the same process: what is durable stays, the rest is a named gap.
    fn open_anew(&mut self) -> Result<(), ArchiveError> {
        let mut session = self.archive.session(self.session.id, GapReason::DiskFull)?;
        session.recording = session.recording.keeping(self.kept);
        self.archive.replace(session.id, session.store.ledger());
        self.session = session;
        self.overflowed = false;
        let now = self.archive.clock.now();
        for started in self.sources.values() {
            self.session.recording.handle_item(now, started.clone());
        }
        Ok(())
    }

    fn stop(mut self, how: Stop) -> Result<(), ArchiveError> {
        let now = self.archive.clock.now();
        for _ in 0..LAST_ITEMS {
            match self.tap.try_recv() {
                Some(item) => self.take(item),
                None => break,
            }
        }
        if self.overflowed {
            self.open_anew()?;
        }
        self.session.recording.finish(now, how == Stop::Finish);
        while let Some(action) = self.session.recording.poll_action() {
            self.backlog.push_back(action);
        }
        self.drain()?;
        let id = self.session.id;
        if how == Stop::Finish {
            recover::seal(
                self.archive.disk.as_ref(),
                &self.archive.dir(id),
                &self.session.store,
                self.archive.signer(),
            )?;
        }
        let kept_ms = lock(&self.session.store.ledger()).duration_ms();
        tracing::info!(recording.id = %id, kept_ms, sealed = how == Stop::Finish, "Recording {id} is closed");
        Ok(())
    }

    fn tell(&self) {
        let kept_ms = lock(&self.session.store.ledger()).duration_ms();
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.state = if self.paused.is_some() { RecorderState::Paused } else { RecorderState::Recording };
        status.kept_ms = kept_ms;
        status.dropped = self.tap.dropped();
        status.waiting_bytes = self.backlog_bytes;
    }
}

/// The longest time between two looks at the tap.
const REST: Duration = Duration::from_millis(20);

/// Between two looks for broken tracks. The room asks a publisher more rarely.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Items read before the disk has its turn.
const BATCH: usize = 512;

/// Items still read at the end; no tap holds more.
const LAST_ITEMS: usize = 65_536;

/// Between two attempts at a disk that refuses.
const RETRY: Duration = Duration::from_millis(500);

/// A minute of a lesson with board, camera and voice at full quality.
const BACKLOG_BYTES_MAX: usize = 32 << 20;
