//! The registry of lessons in progress: hub room, seats and sockets of each. Recording is in `recorded.rs`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use recorder::TrackSelection;
use sfu::{Hub, HubEvent, PeerId, RoomId};
use tracing::{Instrument, error, info, info_span};

use super::table::SeatRefused;
use super::{
    actor::{Actor, TransitionError, act_of},
    bell::Bell,
    recording::Recordings,
    resource::Resources,
    sample_buffer::SampleBuffer,
    session::{GuestUse, Output, Session, SocketId},
    table::{InProgress, Joined, Listener, Table, role_of, seats_for, text_of},
    token::Claims,
    unread::{Outgoing, unread},
    wire::{CloseReason, Report, SeatRole, ToPage},
};
use crate::{
    clock::Clock,
    error_chain::chain,
    live::recording::finish,
    store::{AuditRow, Store, StoreError},
};
use school::{
    account::system_scope,
    base::{
        id::{LessonId, RecordingId, SeatId},
        time::Now,
    },
    lesson::{
        Lesson, RecordingNote, RecordingState,
        life::{LessonState, RunsBy, Step, WrongState},
    },
    retention::quota::is_optional,
};

/// Interval of the tick; seat updates that pages receive are at most this old.
pub const TICK: Duration = Duration::from_millis(500);

/// Ticks between two reads of the hub's statistics.
const TICKS_PER_ROUND: u64 = 4;

/// The lessons in progress. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    hub: Hub,
    pub(super) store: Store,
    pub(super) recordings: Recordings,
    pub(super) clock: Clock,
    pub(super) bell: Mutex<Bell>,
    pub(super) lessons: DashMap<LessonId, Arc<InProgress>>,
    rooms: DashMap<RoomId, LessonId>,
    resources: Resources,
    sample_buffer: Mutex<SampleBuffer>,
    sockets: AtomicU64,
    /// A write of checkpoints to the store is under way.
    pub(super) checkpointing: AtomicBool,
}

impl Registry {
    /// A registry without lessons.
    #[must_use]
    pub fn new(hub: Hub, store: Store, recordings: Recordings, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                hub,
                store,
                recordings,
                bell: Mutex::new(Bell::new(clock.now())),
                sample_buffer: Mutex::new(SampleBuffer::new(clock.wall())),
                clock,
                lessons: DashMap::new(),
                rooms: DashMap::new(),
                resources: Resources::default(),
                sockets: AtomicU64::new(0),
                checkpointing: AtomicBool::new(false),
            }),
        }
    }

    /// Restores every open or live lesson after a start of the hub: opens their rooms, and resumes or seals recordings
    /// that a killed hub left.
    ///
    /// # Errors
    /// [`StoreError`] if the lessons cannot be read.
    pub async fn restore(&self) -> Result<(), StoreError> {
        for lesson in self.shared.store.lessons_in_progress(&system_scope::bell()).await? {
            let kept = self.kept(lesson.lesson_id).await;
            self.resume_recording(lesson, kept);
        }
        // These lessons are over: the hub was killed while it sealed their recordings.
        for recording_id in self.shared.store.unsealed_recordings(&system_scope::bell()).await? {
            let recordings = self.shared.recordings.clone();
            if tokio::task::spawn_blocking(move || recordings.seal(recording_id)).await.unwrap_or(false) {
                self.seal(recording_id).await?;
            }
        }
        Ok(())
    }

    /// Opens a room for an open or live lesson. No effect if it has one. A lesson that is already live is recorded
    /// without classes on stage: see [`Registry::restore`].
    pub fn take_up(&self, lesson: Lesson) {
        self.resume_recording(lesson, TrackSelection::default());
    }

    fn resume_recording(&self, lesson: Lesson, kept: TrackSelection) {
        let lesson_id = lesson.lesson_id;
        let entry = self.shared.lessons.entry(lesson_id).or_insert_with(|| {
            let room = self.shared.hub.open_room();
            self.shared.rooms.insert(room, lesson_id);
            let recording = (lesson.state == LessonState::Live)
                .then_some(lesson.recording)
                .flatten()
                .and_then(|note| self.record(note.recording_id, self.shared.hub.tap(room), kept));
            info!(lesson.id = %lesson_id, state = lesson.state.as_str(), "Lesson {lesson_id} is in progress");
            let session = Session::new(lesson.guests_max as usize);
            InProgress::new(
                room,
                Table {
                    armed: RecordingId::fresh(),
                    lesson,
                    session,
                    sockets: BTreeMap::new(),
                    recording,
                    keeping: None,
                    checkpointed: 0,
                },
            )
        });
        drop(entry);
    }

    /// A lesson in progress. `None`: not in progress.
    #[must_use]
    pub fn lesson(&self, lesson_id: LessonId) -> Option<Lesson> {
        Some(self.entry(lesson_id)?.table().lesson.clone())
    }

    /// Reloads a lesson in progress after dispatch changed its teacher. No effect if it is not in progress.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub async fn reread(&self, lesson_id: LessonId) -> Result<(), StoreError> {
        let Some(entry) = self.entry(lesson_id) else { return Ok(()) };
        let _moving = entry.moving.lock().await;
        if let Some(lesson) = self.shared.store.lesson(&system_scope::bell(), lesson_id).await? {
            let mut table = entry.table();
            table.lesson = lesson;
            table.send_lesson(self.shared.clock.now());
        }
        Ok(())
    }

    /// The lesson's room in the hub. `None`: not in progress.
    #[must_use]
    pub fn room(&self, lesson_id: LessonId) -> Option<RoomId> {
        Some(self.entry(lesson_id)?.room)
    }

    /// The WHIP and WHEP session URLs.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.shared.resources
    }

    /// Closes a peer and removes its URL: the hub sends no event for a peer that never connected.
    pub fn close_peer(&self, peer: PeerId) {
        self.shared.resources.forget(peer);
        self.shared.hub.close_peer(peer);
    }

    /// Closes the media of a seat whose holder is no longer authorised.
    pub fn close_seat(&self, lesson_id: LessonId, seat_id: SeatId) {
        self.with_session(lesson_id, |session, _| session.expel(seat_id));
    }

    /// Number of lessons in progress, and of open sockets.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let sockets = self.shared.lessons.iter().map(|entry| entry.table().sockets.len()).sum();
        (self.shared.lessons.len(), sockets)
    }

    /// Starts a lesson: it becomes live and is recorded from now on.
    ///
    /// # Errors
    /// See [`TransitionError`].
    pub async fn start(&self, lesson: Lesson, actor: &Actor) -> Result<Lesson, TransitionError> {
        let Some(entry) = self.entry(lesson.lesson_id) else {
            return Err(WrongState(lesson.state).into());
        };
        let _moving = entry.moving.lock().await;
        let mut lesson = entry.table().lesson.clone();
        let before = lesson.state;
        lesson.state = before.after(Step::Start)?;
        if lesson.state == before {
            return Ok(lesson);
        }
        // Lessons of the timetable are recorded even if the school is over its quota.
        let left_out = is_optional(lesson.runs_by) && self.shared.recordings.is_full(lesson.place());
        let kept = self.kept(lesson.lesson_id).await;
        // Recording starts before the transition is stored, so that it has the lesson's first word.
        let (recording_id, recording) = {
            let mut table = entry.table();
            let recording_id = table.armed;
            let record = || self.record(recording_id, self.shared.hub.tap(entry.room), kept);
            let recording = table.recording.take().or_else(|| if left_out { None } else { record() });
            (recording_id, recording)
        };
        lesson.live_at = Some(self.shared.clock.wall());
        let begins = (!left_out).then_some(recording_id);
        lesson.recording = begins.map(|recording_id| RecordingNote { recording_id, state: RecordingState::Recording });
        let row = self.row(actor, "start_lesson", &lesson).saying(if left_out { "not recorded: quota" } else { "" });
        let moved = self.shared.store.move_lesson(&system_scope::bell(), &lesson, before, begins, &row).await;
        if !matches!(moved, Ok(true)) {
            // The next attempt uses it.
            entry.table().recording = recording;
            return if moved? { Ok(lesson) } else { Err(WrongState(before).into()) };
        }
        let mut table = entry.table();
        table.recording = recording;
        table.lesson = lesson.clone();
        table.send_lesson(self.shared.clock.now());
        info!(lesson.id = %lesson.lesson_id, recording.id = %recording_id, "Lesson {} is live", lesson.lesson_id);
        Ok(lesson)
    }

    /// Ends a lesson: seals its recording, notifies its pages and closes its room.
    ///
    /// # Errors
    /// See [`TransitionError`].
    pub async fn end(&self, lesson: Lesson, actor: &Actor) -> Result<Lesson, TransitionError> {
        self.close(lesson, Step::End, "", actor).await
    }

    /// Takes a lesson in progress to its last state: ended, cancelled or missed.
    ///
    /// # Errors
    /// See [`TransitionError`].
    pub async fn close(
        &self,
        lesson: Lesson,
        step: Step,
        reason: &str,
        actor: &Actor,
    ) -> Result<Lesson, TransitionError> {
        let Some(entry) = self.entry(lesson.lesson_id) else {
            lesson.state.after(step)?;
            return Ok(lesson);
        };
        let _moving = entry.moving.lock().await;
        let mut lesson = entry.table().lesson.clone();
        let before = lesson.state;
        lesson.state = before.after(step)?;
        if lesson.state == before {
            return Ok(lesson);
        }
        let now = self.shared.clock.now();
        lesson.ended_at = (step == Step::End).then_some(now.wall);
        {
            let mut table = entry.table();
            table.session.handle_end(now);
            self.reconcile(&mut table);
        }
        let row = self.row(actor, act_of(step), &lesson).saying(reason);
        if !self.shared.store.move_lesson(&system_scope::bell(), &lesson, before, None, &row).await? {
            return Err(WrongState(before).into());
        }
        let recording = {
            let mut table = entry.table();
            table.lesson = lesson.clone(); // No one can join from here on.
            table.recording.take()
        };
        let sealed = match recording {
            Some(recording) => finish(recording).await,
            None => false,
        };
        if let Some(note) = &mut lesson.recording
            && sealed
        {
            self.seal(note.recording_id).await?;
            note.state = RecordingState::Sealed;
        }
        {
            let mut table = entry.table();
            table.lesson = lesson.clone();
            table.send_lesson(self.shared.clock.now());
            table.say_bye(CloseReason::LessonEnded);
        }
        self.shared.lessons.remove(&lesson.lesson_id);
        self.shared.rooms.remove(&entry.room);
        self.shared.resources.forget_lesson(lesson.lesson_id);
        self.shared.hub.close_room(entry.room);
        info!(lesson.id = %lesson.lesson_id, "Lesson {} is {}", lesson.lesson_id, lesson.state.as_str());
        Ok(lesson)
    }

    /// Takes the seat named in a token, for media.
    ///
    /// # Errors
    /// See [`SeatRefused`].
    pub fn sit(&self, claims: &Claims, guest_had: Option<SeatId>, usage: GuestUse) -> Result<SeatId, SeatRefused> {
        let Some(entry) = self.entry(claims.lesson_id) else {
            return Err(WrongState(LessonState::Ended).into());
        };
        entry.table().sit(self.shared.clock.now(), claims, guest_had, usage)
    }

    /// Calls `ask` on a lesson's session and applies its outputs. `None`: the lesson is not in progress.
    pub fn with_session<T>(&self, lesson_id: LessonId, ask: impl FnOnce(&mut Session, Now) -> T) -> Option<T> {
        let entry = self.entry(lesson_id)?;
        let now = self.shared.clock.now();
        let mut table = entry.table();
        let answer = ask(&mut table.session, now);
        self.reconcile(&mut table);
        Some(answer)
    }

    /// Opens a page's socket.
    ///
    /// # Errors
    /// See [`SeatRefused`].
    pub fn join(&self, claims: &Claims, had: Option<SeatId>) -> Result<Joined, SeatRefused> {
        let entry = self.entry(claims.lesson_id).ok_or(WrongState(LessonState::Ended))?;
        let now = self.shared.clock.now();
        let socket = SocketId(self.shared.sockets.fetch_add(1, Ordering::Relaxed));
        let (page, unread) = unread();
        let mut table = entry.table();
        let seat_id = table.sit(now, claims, had, GuestUse::Socket)?;
        let role = role_of(claims.kind);
        table.session.handle_socket_opened(now, seat_id, socket);
        self.reconcile(&mut table);
        if let Some(keeping) = table.keeping.filter(|_| role == SeatRole::Teacher) {
            // Sent right after the welcome.
            let _ = page.send(Outgoing::Text(text_of(&ToPage::Keeping { keeping })));
        }
        table.sockets.insert(socket, Listener { role, page });
        let welcome = ToPage::Welcome {
            seat_id,
            role,
            lesson: Box::new(table.view(role, now)),
            seats: seats_for(role, &table.session.seats(now)),
            slots: table.session.slots(),
            now_ms: now.wall,
        };
        Ok(Joined { socket, seat_id, welcome, unread })
    }

    /// A page's socket has closed.
    pub fn leave(&self, lesson_id: LessonId, seat_id: SeatId, socket: SocketId) {
        let Some(entry) = self.entry(lesson_id) else { return };
        let mut table = entry.table();
        table.sockets.remove(&socket);
        table.session.handle_socket_closed(self.shared.clock.now(), seat_id, socket);
        self.reconcile(&mut table);
    }

    /// A page has sent a report.
    pub fn report(&self, lesson_id: LessonId, seat_id: SeatId, report: Report) {
        self.with_session(lesson_id, |session, now| session.handle_report(now, seat_id, report));
    }

    /// Handles a hub event. A lesson that goes live because of it does so in a task of its own.
    pub fn handle_hub_event(&self, event: &HubEvent) {
        let (HubEvent::PeerConnected { room, .. }
        | HubEvent::PeerGone { room, .. }
        | HubEvent::TrackStarted { room, .. }
        | HubEvent::TrackEnded { room, .. }) = event;
        if let HubEvent::PeerGone { peer, .. } = event {
            self.shared.resources.forget(*peer);
        }
        let Some(lesson_id) = self.shared.rooms.get(room).map(|lesson_id| *lesson_id) else { return };
        self.with_session(lesson_id, |session, now| session.handle_hub_event(now, event));
    }

    /// Runs one tick of all lessons: expired seats, seat updates, statistics.
    pub async fn tick(&self, count: u64) {
        let now = self.shared.clock.now();
        let round = count.is_multiple_of(TICKS_PER_ROUND);
        let figures = round.then(|| self.shared.hub.stats());
        let entries: Vec<Arc<InProgress>> = self.shared.lessons.iter().map(|entry| entry.clone()).collect();
        for entry in entries {
            let mut table = entry.table();
            for (peer, line) in figures.iter().flat_map(|figures| &figures.peers) {
                if line.room == entry.room {
                    table.session.handle_line(*peer, line);
                }
            }
            table.session.handle_timeout(now);
            self.reconcile(&mut table);
            table.send_seats(now);
            table.send_keeping();
        }
        if round {
            self.save_checkpoints();
        }
    }

    /// Calls `ask` on the sample buffer, which stays locked until it returns.
    pub fn sample_buffer<T>(&self, ask: impl FnOnce(&mut SampleBuffer) -> T) -> T {
        ask(&mut self.shared.sample_buffer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends `bye` to every socket and closes it.
    pub fn say_bye(&self, reason: CloseReason) {
        for entry in &self.shared.lessons {
            entry.table().say_bye(reason);
        }
    }

    /// Applies the session's outputs. Socket messages are queued; calls to the hub do not wait.
    fn reconcile(&self, table: &mut Table) {
        let mut slots_changed = false;
        while let Some(output) = table.session.poll_output() {
            match output {
                Output::ClosePeer(peer) => self.close_peer(peer),
                Output::Bye(socket, reason) => {
                    if let Some(listener) = table.sockets.remove(&socket) {
                        listener.say_last(reason);
                    }
                }
                Output::SlotsChanged => slots_changed = true,
                Output::PausedChanged(seat_id) => table.send_paused(seat_id),
                // A lesson of the timetable starts at the bell only, whatever its encoder sends.
                Output::GoLive
                    if table.lesson.state == LessonState::Open && table.lesson.runs_by == RunsBy::Teacher =>
                {
                    self.go_live(table.lesson.clone());
                }
                Output::GoLive => {}
                // Attendance counts from the start of the lesson.
                Output::Seen(end, sample) if table.lesson.state == LessonState::Live => {
                    self.sample_buffer(|sample_buffer| sample_buffer.note(table.lesson.lesson_id, end, sample));
                }
                Output::Seen(..) => {}
            }
        }
        if slots_changed {
            table.send_slots();
        }
    }

    fn go_live(&self, lesson: Lesson) {
        let registry = self.clone();
        let span = info_span!("lesson", lesson.id = %lesson.lesson_id);
        let start = async move {
            let actor = Actor { actor: "publisher".into(), address: String::new() };
            match registry.start(lesson, &actor).await {
                Ok(_) | Err(TransitionError::WrongState(_)) => {} // It has just ended.
                Err(error) => error!(error = chain(&error), "A publisher's lesson could not be started"),
            }
        };
        tokio::spawn(start.instrument(span));
    }

    pub(super) fn row(&self, actor: &Actor, act: &'static str, lesson: &Lesson) -> AuditRow {
        let object = format!("lesson:{}", lesson.lesson_id);
        AuditRow::done(self.shared.clock.wall(), actor.actor.as_str(), act, object)
            .from(actor.address.as_str())
            .at_place(lesson.place())
    }

    pub(super) fn entry(&self, lesson_id: LessonId) -> Option<Arc<InProgress>> {
        self.shared.lessons.get(&lesson_id).map(|entry| entry.clone())
    }
}
