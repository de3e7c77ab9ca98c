//! The thread of one recording: reads the tap, drives the state machine, performs its actions.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use sfu::{
    id::TrackId,
    media::TrackKind,
    tap::{TapItem, TapReceiver},
};

use super::status::{RecorderState, RecorderStatus};
use crate::{
    archive::{Archive, open_recording::OpenRecording},
    disk::{backlog::Backlog, recording_files::lock, recover, space::DiskLevel},
    error::ArchiveError,
    id::RecordingId,
    journal::record::GapReason,
    track::selection::TrackSelection,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Finish,
    Suspend,
}

/// Releases the recording for the next writer when the thread ends, also by a panic.
pub(super) struct Release {
    pub(super) archive: Arc<Archive>,
    pub(super) id: RecordingId,
    pub(super) status: Arc<Mutex<RecorderStatus>>,
}

impl Drop for Release {
    fn drop(&mut self) {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).state = RecorderState::Stopped;
        self.archive.release(self.id);
    }
}

/// The state of the thread.
pub(super) struct Worker {
    archive: Arc<Archive>,
    id: RecordingId,
    /// `None`: the disk is full, or failed for too long. Reopened when it works again.
    session: Option<OpenRecording>,
    selection: TrackSelection,
    tap: TapReceiver,
    stopped: Receiver<Stop>,
    status: Arc<Mutex<RecorderStatus>>,
    /// Actions that wait for the disk.
    backlog: Backlog,
    /// The `Started` items of current publishers, replayed into a reopened recording.
    publishers: HashMap<TrackId, TapItem>,
    keyframe_check: KeyframeCheck,
    /// When the next checkpoint is due.
    checkpoint: Instant,
    /// When a failed disk is tried again.
    retry: Option<Instant>,
    /// The recording was paused for lack of space; it is closed when its last actions are durable.
    closing: bool,
}

/// The last check for picture tracks that cannot be decoded.
struct KeyframeCheck {
    /// Tracks that were waiting for a keyframe then.
    undecodable: Vec<TrackKind>,
    /// When the next check is due.
    next: Instant,
}

impl Worker {
    /// `session`: `None` while it waits for disk space.
    pub(super) fn new(
        archive: Arc<Archive>,
        id: RecordingId,
        session: Option<OpenRecording>,
        tap: TapReceiver,
        selection: TrackSelection,
        stopped: Receiver<Stop>,
        status: Arc<Mutex<RecorderStatus>>,
    ) -> Self {
        let now = archive.clock.now();
        Self {
            backlog: Backlog::new(archive.waiting.clone()),
            archive,
            id,
            retry: session.is_none().then_some(now),
            session,
            selection,
            tap,
            stopped,
            status,
            publishers: HashMap::new(),
            keyframe_check: KeyframeCheck { undecodable: Vec::new(), next: now },
            checkpoint: now + CHECKPOINT_EVERY,
            closing: false,
        }
    }

    pub(super) fn run(mut self) -> Result<(), ArchiveError> {
        let mut connected = true;
        loop {
            connected = connected && self.read();
            let now = self.archive.clock.now();
            let due = self.session.as_ref().and_then(|session| session.recording.poll_timeout());
            let due = due.map_or(POLL_EVERY, |due| due.saturating_duration_since(now));
            // Poll every [`POLL_EVERY`] instead of blocking on the tap: a blocked receiver would cost the forwarding
            // thread a futex wake per packet. A closed tap leaves only the stop signal to wait for.
            match self.stopped.recv_timeout(due.min(POLL_EVERY)) {
                Ok(stop) => return self.stop(stop),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if !connected => return self.stop(Stop::Suspend),
                // The handle is gone: the end of the tap stops it.
                Err(RecvTimeoutError::Disconnected) => {
                    if let Ok(item) = self.tap.recv_timeout(POLL_EVERY) {
                        self.handle_item(item);
                    }
                }
            }
            let now = self.archive.clock.now();
            let level = self.archive.disk_state().level;
            self.tap.want_light(level.reduced_tracks());
            if !self.closing
                && let Some(session) = &mut self.session
            {
                session.recording.handle_dropped(self.tap.dropped());
                session.recording.handle_timeout(now);
                if level == DiskLevel::Paused {
                    session.recording.pause(now);
                    self.closing = true;
                } else {
                    session.recording.omit(now, level.omitted_tracks());
                }
                self.request_keyframes(now);
            }
            self.write(now, level);
            self.publish_status(level);
        }
    }

    /// Requests a keyframe for every picture track that has been undecodable for two checks in a row. One that has just
    /// begun has its keyframe on the way.
    fn request_keyframes(&mut self, now: Instant) {
        if now < self.keyframe_check.next {
            return;
        }
        let undecodable: Vec<TrackKind> =
            self.session.iter().flat_map(|session| session.recording.awaiting_keyframe()).collect();
        for kind in undecodable.iter().filter(|kind| self.keyframe_check.undecodable.contains(kind)) {
            self.tap.want_keyframe(*kind);
        }
        self.keyframe_check = KeyframeCheck { undecodable, next: now + KEYFRAME_CHECK_EVERY };
    }

    /// Reads what is queued. False: the tap is closed.
    fn read(&mut self) -> bool {
        for _ in 0..BATCH {
            match self.tap.recv_timeout(Duration::ZERO) {
                Ok(item) => self.handle_item(item),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    fn handle_item(&mut self, item: TapItem) {
        match &item {
            TapItem::Started { track, .. } => {
                self.publishers.insert(*track, item.clone());
            }
            TapItem::Ended { track, .. } => {
                self.publishers.remove(track);
            }
            TapItem::Packet { .. } | TapItem::SenderReport { .. } => {}
        }
        if !self.closing
            && let Some(session) = &mut self.session
        {
            session.recording.handle_item(self.archive.clock.now(), item);
        }
    }

    fn write(&mut self, now: Instant, level: DiskLevel) {
        self.collect_actions();
        if self.retry.is_some_and(|retry| now < retry) {
            return;
        }
        let result = match &self.session {
            None if level == DiskLevel::Paused => return,
            None => self.open_anew(),
            Some(_) => self.drain().and_then(|()| self.write_checkpoint(now)),
        };
        let id = self.id;
        match result {
            Ok(()) => {
                if self.retry.take().is_some() {
                    tracing::info!(recording.id = %id, "Recording {id} is being written again");
                }
                if self.closing {
                    tracing::warn!(recording.id = %id, "Recording {id} is paused: the disk has no room");
                    self.close_session();
                }
            }
            Err(error) => {
                self.archive.mark_suspect(id);
                // The released reserve has space for it: retry at once.
                let made_room = error.is_full() && self.archive.volume.release_reserve(now);
                if self.retry.is_none() {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(recording.id = %id, error, cause = error.source(), "Recording {id} is paused");
                }
                self.retry = Some(if made_room { now } else { now + RETRY });
                if self.backlog.is_full() {
                    self.close_session();
                }
            }
        }
    }

    fn collect_actions(&mut self) {
        while let Some(action) = self.session.as_mut().and_then(|session| session.recording.poll_action()) {
            self.backlog.push(action);
        }
    }

    fn drain(&mut self) -> Result<(), ArchiveError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        while let Some(action) = self.backlog.front() {
            session.files.perform(action)?;
            self.backlog.pop();
        }
        Ok(())
    }

    /// Writes a checkpoint if one is due.
    fn write_checkpoint(&mut self, now: Instant) -> Result<(), ArchiveError> {
        if self.closing || now < self.checkpoint {
            return Ok(());
        }
        let Some(session) = &mut self.session else { return Ok(()) };
        let at_ms = session.recording.at(now).millis();
        session.files.checkpoint(at_ms, self.archive.signer())?;
        self.checkpoint = now + CHECKPOINT_EVERY;
        Ok(())
    }

    /// Drops the open recording and its backlog; it is reopened later.
    fn close_session(&mut self) {
        self.backlog.clear();
        self.session = None;
        self.closing = false;
    }

    /// Recovers and resumes in the same process: durable media stays, the rest is a named gap.
    fn open_anew(&mut self) -> Result<(), ArchiveError> {
        let mut session = self.archive.open_recording(self.id, GapReason::DiskFull)?;
        session.recording = session.recording.with_selection(self.selection);
        let now = self.archive.clock.now();
        for started in self.publishers.values() {
            session.recording.handle_item(now, started.clone());
        }
        self.session = Some(session);
        Ok(())
    }

    fn stop(mut self, how: Stop) -> Result<(), ArchiveError> {
        let now = self.archive.clock.now();
        for _ in 0..LAST_ITEMS {
            match self.tap.try_recv() {
                Some(item) => self.handle_item(item),
                None => break,
            }
        }
        let id = self.id;
        if self.closing {
            // Its final record is queued already; it is reopened once more to be ended.
            self.collect_actions();
            self.with_reserve(Self::drain)?;
            self.close_session();
        }
        if self.session.is_none() {
            self.with_reserve(Self::open_anew)?;
        }
        if let Some(session) = &mut self.session {
            session.recording.finish(now, how == Stop::Finish);
        }
        self.collect_actions();
        self.with_reserve(Self::drain)?;
        let Some(session) = &self.session else { return Ok(()) };
        if how == Stop::Finish {
            recover::seal(self.archive.disk.as_ref(), &self.archive.dir(id), &session.files, self.archive.signer())?;
        }
        let kept_ms = lock(&session.files.ledger()).duration_ms();
        tracing::info!(recording.id = %id, kept_ms, sealed = how == Stop::Finish, "Recording {id} is closed");
        Ok(())
    }

    /// Performs `act`; if the disk is full, again after releasing the reserve.
    fn with_reserve(&mut self, act: fn(&mut Self) -> Result<(), ArchiveError>) -> Result<(), ArchiveError> {
        match act(self) {
            Err(error) if error.is_full() && self.archive.volume.release_reserve(self.archive.clock.now()) => act(self),
            done => done,
        }
    }

    fn publish_status(&self, level: DiskLevel) {
        let kept_ms = self.session.as_ref().map(|session| lock(&session.files.ledger()).duration_ms());
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.state = match level {
            _ if self.session.is_none() || self.closing || self.retry.is_some() => RecorderState::Paused,
            level if level.omitted_tracks().is_empty() => RecorderState::Recording,
            _ => RecorderState::Lean,
        };
        status.kept_ms = kept_ms.unwrap_or(status.kept_ms);
        status.dropped = self.tap.dropped();
        status.waiting_bytes = self.backlog.bytes();
    }
}

/// Interval of reading the tap.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Interval of keyframe checks. The room limits requests to a publisher further.
const KEYFRAME_CHECK_EVERY: Duration = Duration::from_millis(500);

/// Items read per turn, before the disk is written to.
const BATCH: usize = 512;

/// Items read at the end; more than any tap holds.
const LAST_ITEMS: usize = 65_536;

/// Interval of retries on a failed disk.
const RETRY: Duration = Duration::from_millis(500);

/// Bounds what can be rewritten unnoticed: the database keeps each checkpoint.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
