//! Every lesson in progress: its room in the hub, its seats, its sockets. What it records stands in `recorded.rs`.

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

/// How often seats are looked at: what others see of a seat is at most this old.
pub const TICK: Duration = Duration::from_millis(500);

/// Every so many ticks the hub's figures are read.
const TICKS_PER_ROUND: u64 = 4;

/// Every lesson in progress. Cheap to clone.
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
    /// Checkpoints are on their way into the store.
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

    /// Takes up every lesson that is open or live, after a start of the hub: rooms are opened again, and recordings
    /// that a killed hub left are gone on with or sealed.
    ///
    /// # Errors
    /// [`StoreError`] where the lessons cannot be read.
    pub async fn restore(&self) -> Result<(), StoreError> {
        for lesson in self.shared.store.lessons_in_progress(&system_scope::bell()).await? {
            let kept = self.kept(lesson.lesson_id).await;
            self.resume_recording(lesson, kept);
        }
        // Their lessons are over: the hub was killed while it sealed them.
        for recording_id in self.shared.store.unsealed_recordings(&system_scope::bell()).await? {
            let recordings = self.shared.recordings.clone();
            if tokio::task::spawn_blocking(move || recordings.seal(recording_id)).await.unwrap_or(false) {
                self.seal(recording_id).await?;
            }
        }
        Ok(())
    }

    /// Opens a room for a lesson that is open or live. Harmless where it has one. One that is live already is recorded on
    /// without a class on stage: see [`Registry::restore`].
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

    /// A lesson in progress. `None`: it is not.
    #[must_use]
    pub fn lesson(&self, lesson_id: LessonId) -> Option<Lesson> {
        Some(self.entry(lesson_id)?.table().lesson.clone())
    }

    /// Reads a lesson in progress again: dispatch gave it another teacher. Harmless where it is not in progress.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be read.
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

    /// Its room in the hub. `None`: it is not in progress.
    #[must_use]
    pub fn room(&self, lesson_id: LessonId) -> Option<RoomId> {
        Some(self.entry(lesson_id)?.room)
    }

    /// The session URLs of WHIP and WHEP.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.shared.resources
    }

    /// Closes a peer, and its URL with it: the hub says nothing of a peer that never came.
    pub fn close_peer(&self, peer: PeerId) {
        self.shared.resources.forget(peer);
        self.shared.hub.close_peer(peer);
    }

    /// Ends the media of a seat whose holder may not stay.
    pub fn close_seat(&self, lesson_id: LessonId, seat_id: SeatId) {
        self.with_session(lesson_id, |session, _| session.expel(seat_id));
    }

    /// How many lessons are in progress, and how many sockets listen.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let sockets = self.shared.lessons.iter().map(|entry| entry.table().sockets.len()).sum();
        (self.shared.lessons.len(), sockets)
    }

    /// Starts a lesson: it is live, and recorded from now on.
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
        // A school that has used up its quota still has the lessons of its timetable recorded.
        let left_out = is_optional(lesson.runs_by) && self.shared.recordings.is_full(lesson.place());
        let kept = self.kept(lesson.lesson_id).await;
        // Armed since the lesson opened: it runs before anything is written down, so that the first word is in it.
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
            // The next try goes on with it.
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

    /// Ends a lesson: its recording is sealed, everyone is told, the room is closed.
    ///
    /// # Errors
    /// See [`TransitionError`].
    pub async fn end(&self, lesson: Lesson, actor: &Actor) -> Result<Lesson, TransitionError> {
        self.close(lesson, Step::End, "", actor).await
    }

    /// Takes the last step of a lesson in progress: it ends, it is called off, or it is missed.
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
            table.lesson = lesson.clone(); // From here on nobody joins.
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

    /// Takes the seat that a token speaks of, for its media.
    ///
    /// # Errors
    /// See [`SeatRefused`].
    pub fn sit(&self, claims: &Claims, guest_had: Option<SeatId>, usage: GuestUse) -> Result<SeatId, SeatRefused> {
        let Some(entry) = self.entry(claims.lesson_id) else {
            return Err(WrongState(LessonState::Ended).into());
        };
        entry.table().sit(self.shared.clock.now(), claims, guest_had, usage)
    }

    /// Asks the session of a lesson something, and does what it answers. `None`: the lesson is not in progress.
    pub fn with_session<T>(&self, lesson_id: LessonId, ask: impl FnOnce(&mut Session, Now) -> T) -> Option<T> {
        let entry = self.entry(lesson_id)?;
        let now = self.shared.clock.now();
        let mut table = entry.table();
        let answer = ask(&mut table.session, now);
        self.reconcile(&mut table);
        Some(answer)
    }

    /// Lets a page's socket in.
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
            // Its first word after the welcome.
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

    /// A page's socket has ended.
    pub fn leave(&self, lesson_id: LessonId, seat_id: SeatId, socket: SocketId) {
        let Some(entry) = self.entry(lesson_id) else { return };
        let mut table = entry.table();
        table.sockets.remove(&socket);
        table.session.handle_socket_closed(self.shared.clock.now(), seat_id, socket);
        self.reconcile(&mut table);
    }

    /// A page says how it goes.
    pub fn report(&self, lesson_id: LessonId, seat_id: SeatId, report: Report) {
        self.with_session(lesson_id, |session, now| session.handle_report(now, seat_id, report));
    }

    /// Something happened on the wire. Lessons that go live by it do so on a task of their own.
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

    /// One beat of the lessons' own clock: seats that nobody comes back to, news of seats, figures.
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

    /// Asks the roll something, or tells it. It is held for as long as `ask` takes.
    pub fn sample_buffer<T>(&self, ask: impl FnOnce(&mut SampleBuffer) -> T) -> T {
        ask(&mut self.shared.sample_buffer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says goodbye to every socket.
    pub fn say_bye(&self, reason: CloseReason) {
        for entry in &self.shared.lessons {
            entry.table().say_bye(reason);
        }
    }

    /// Does what the session answered. Sockets are told at once; the hub is asked without waiting for it.
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
                // A lesson of the timetable waits for the bell, whatever its encoder sends.
                Output::GoLive
                    if table.lesson.state == LessonState::Open && table.lesson.runs_by == RunsBy::Teacher =>
                {
                    self.go_live(table.lesson.clone());
                }
                Output::GoLive => {}
                // Before it begins nobody can be missing.
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
                Ok(_) | Err(TransitionError::WrongState(_)) => {} // It ended in the same moment.
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
