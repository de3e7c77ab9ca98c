//! One lesson in progress: its seats and its open sockets, under one lock.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sfu::RoomId;
use tracing::warn;

use super::{
    recording::Recording,
    session::{GuestUse, Session, Sitter, SocketId},
    token::{Claims, TokenKind},
    unread::{MessageQueue, Outgoing, Unread},
    wire::{CloseReason, Keeping, LessonView, May, SeatRole, SeatView, Slots, ToPage},
};
use school::{
    base::{
        id::{RecordingId, SeatId},
        time::Now,
    },
    lesson::{Lesson, life::WrongState},
};

/// Why a seat cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum SeatRefused {
    /// The lesson is not in progress.
    #[error(transparent)]
    WrongState(#[from] WrongState),
    /// The token names a classroom that the lesson no longer lists.
    #[error("the lesson does not list this classroom any more")]
    NotListed,
    /// Every guest seat is taken.
    #[error(transparent)]
    GuestsFull(#[from] super::session::GuestsFull),
}

/// One lesson in progress.
pub struct InProgress {
    pub(super) room: RoomId,
    /// Held during a transition, so that each happens once.
    pub(super) moving: tokio::sync::Mutex<()>,
    table: Mutex<Table>,
}

/// Its current state.
pub(super) struct Table {
    pub(super) lesson: Lesson,
    pub(super) session: Session,
    pub(super) sockets: BTreeMap<SocketId, Listener>,
    pub(super) recording: Option<Recording>,
    /// The recording state last sent to teachers.
    pub(super) keeping: Option<Keeping>,
    /// Records of the newest checkpoint in the store.
    pub(super) checkpointed: u64,
    /// The ID that its recording will have.
    pub(super) armed: RecordingId,
}

/// An open socket.
pub(super) struct Listener {
    pub(super) role: SeatRole,
    pub(super) page: MessageQueue,
}

/// A socket that was accepted.
pub struct Joined {
    /// Its ID.
    pub socket: SocketId,
    /// The seat it sits in.
    pub seat_id: SeatId,
    /// The first message.
    pub welcome: ToPage,
    /// All further messages. They end if the page does not read them.
    pub unread: Unread,
}

impl InProgress {
    pub(super) fn new(room: RoomId, table: Table) -> Arc<Self> {
        Arc::new(Self { room, moving: tokio::sync::Mutex::new(()), table: Mutex::new(table) })
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // A panic elsewhere leaves the seats intact, so a poisoned lock is used on.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    pub(super) fn sit(
        &mut self,
        now: Now,
        claims: &Claims,
        guest_had: Option<SeatId>,
        usage: GuestUse,
    ) -> Result<SeatId, SeatRefused> {
        if !self.lesson.state.is_in_progress() {
            return Err(WrongState(self.lesson.state).into());
        }
        let Some(seat_id) = claims.seat_id else {
            return Ok(self.session.sit_guest(now, guest_had, SeatId::fresh(), usage)?);
        };
        let role = role_of(claims.kind);
        let listed =
            claims.classroom_id.and_then(|id| self.lesson.classrooms.iter().find(|listed| listed.classroom_id == id));
        let name = match role {
            SeatRole::Teacher => self.lesson.teacher.name.clone(),
            SeatRole::Classroom => listed.ok_or(SeatRefused::NotListed)?.name.clone(),
            SeatRole::Observer | SeatRole::Guest => String::new(),
        };
        self.session.sit(now, Sitter { seat_id, role, name, classroom_id: claims.classroom_id });
        Ok(seat_id)
    }

    pub(super) fn view(&self, role: SeatRole, now: Now) -> LessonView {
        let replay = self.lesson.recording.is_some() && role != SeatRole::Guest;
        let may = May {
            teach: role == SeatRole::Teacher,
            attend: role == SeatRole::Classroom,
            watch: role == SeatRole::Observer,
            replay,
        };
        LessonView::new(&self.lesson, may, now.wall)
    }

    pub(super) fn send_lesson(&mut self, now: Now) {
        self.send_by_role(|table, role| ToPage::Lesson { lesson: Box::new(table.view(role, now)) });
    }

    pub(super) fn send_slots(&mut self) {
        let slots: Slots = self.session.slots();
        self.send_by_role(|_, _| ToPage::Slots { slots });
    }

    pub(super) fn send_paused(&mut self, seat_id: SeatId) {
        let Some((socket, kinds)) = self.session.paused(seat_id) else { return };
        if let Some(listener) = self.sockets.get(&socket) {
            // If its queue is full, the next message to all closes the socket.
            let _ = listener.page.send(Outgoing::Text(text_of(&ToPage::Spared { kinds })));
        }
    }

    /// Sends teachers the recording state if it has changed.
    pub(super) fn send_keeping(&mut self) {
        let keeping = self.recording.as_ref().and_then(Recording::keeping);
        if self.keeping == keeping {
            return;
        }
        self.keeping = keeping;
        let Some(keeping) = keeping else { return };
        let text = text_of(&ToPage::Keeping { keeping });
        for listener in self.sockets.values().filter(|listener| listener.role == SeatRole::Teacher) {
            // If its queue is full, the next message to all closes the socket.
            let _ = listener.page.send(Outgoing::Text(text.clone()));
        }
    }

    pub(super) fn send_seats(&mut self, now: Now) {
        if let Some(seats) = self.session.seats_if_changed(now) {
            self.send_by_role(|_, role| ToPage::Seats { seats: seats_for(role, &seats) });
        }
    }

    /// Serialises each message once per role, and closes sockets whose queue is full.
    fn send_by_role(&mut self, message: impl Fn(&Self, SeatRole) -> ToPage) {
        let mut texts: HashMap<SeatRole, Arc<str>> = HashMap::new();
        let mut deaf = Vec::new();
        for (socket, listener) in &self.sockets {
            let text = texts.entry(listener.role).or_insert_with(|| text_of(&message(self, listener.role)));
            if listener.page.send(Outgoing::Text(text.clone())).is_err() {
                deaf.push(*socket);
            }
        }
        for socket in deaf {
            warn!(socket = socket.0, "A page does not read what it is told: closing its socket");
            metrics::counter!("tongke_sockets_deaf_total").increment(1);
            self.sockets.remove(&socket);
        }
    }

    pub(super) fn say_bye(&mut self, reason: CloseReason) {
        for listener in std::mem::take(&mut self.sockets).into_values() {
            listener.say_last(reason);
        }
    }
}

impl Listener {
    pub(super) fn say_last(self, reason: CloseReason) {
        // If the queue is full, the socket closes without this message.
        let _ = self.page.send(Outgoing::Last(text_of(&ToPage::Bye { reason })));
    }
}

/// The seat role of a token kind.
#[must_use]
pub fn role_of(kind: TokenKind) -> SeatRole {
    match kind {
        TokenKind::Publish => SeatRole::Teacher,
        TokenKind::Receive => SeatRole::Classroom,
        TokenKind::Observe => SeatRole::Observer,
        TokenKind::Guest => SeatRole::Guest,
    }
}

/// A message as JSON text.
#[must_use]
pub fn text_of(message: &ToPage) -> Arc<str> {
    // Messages are plain fields: they always have a JSON form.
    serde_json::to_string(message).unwrap_or_default().into()
}

/// Guests see the teacher's seat only: connection problems of classes are not shown to them.
pub(super) fn seats_for(role: SeatRole, seats: &[SeatView]) -> Vec<SeatView> {
    seats.iter().filter(|seat| role != SeatRole::Guest || seat.role == SeatRole::Teacher).cloned().collect()
}
