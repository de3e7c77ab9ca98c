//! The seats of one lesson and what flows between them: a pure state machine.
//!
//! It takes events with their time; its outputs are read with [`Session::poll_output`]. A seat outlives its socket and
//! peers by [`SEAT_KEPT_FOR`]; a guest without a page cannot reconnect, so that seat is removed with its peer.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use sfu::{HubEvent, PeerId, TrackKind, stats::PeerStats};

pub mod output;
mod seat;
pub mod sitter;

use self::seat::{Peer, Seat};
pub use self::{
    output::Output,
    sitter::{Purpose, Sitter, SocketId},
};
use super::{
    presence::{Figures, TeacherPresence},
    wire::{CloseReason, Report, SeatRole, SeatView, Slot, Slots},
};
use school::{
    base::{id::SeatId, time::Now},
    report::End,
};

/// How long a seat is reserved after its last socket and peer, so that a disconnected page can return to it.
pub const SEAT_KEPT_FOR: Duration = Duration::from_secs(120);

/// Offers of one seat per minute. A teacher's page makes two at a time, camera and board; on a line that breaks every
/// three seconds that is forty a minute.
pub const OFFERS_PER_MINUTE_MAX: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// What a guest uses a seat for. Each has its own limit: a page takes one of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestUse {
    /// The page's socket.
    Socket,
    /// Video and audio.
    Media,
}

/// The lesson's limit of guests is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every guest seat is taken")]
pub struct GuestsFull;

/// A seat has made [`OFFERS_PER_MINUTE_MAX`] offers in this minute: its client is in a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this seat has made too many offers")]
pub struct TooManyOffers {
    /// Time until the next minute begins.
    pub retry_after: Duration,
}

/// The seats of one lesson.
#[derive(Debug)]
pub struct Session {
    guests_max: usize,
    seats: BTreeMap<SeatId, Seat>,
    peers: HashMap<PeerId, SeatId>,
    slots: Slots,
    publishers: HashMap<TrackKind, PeerId>,
    teacher_seen: TeacherPresence,
    told: Vec<SeatView>,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A lesson without seats.
    #[must_use]
    pub fn new(guests_max: usize) -> Self {
        Self {
            guests_max,
            seats: BTreeMap::new(),
            peers: HashMap::new(),
            slots: Slots::default(),
            publishers: HashMap::new(),
            teacher_seen: TeacherPresence::default(),
            told: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes the sitter's own seat. No effect if they are in it already.
    pub fn sit(&mut self, now: Now, sitter: Sitter) {
        self.seats.entry(sitter.seat_id).or_insert_with(|| Seat::new(now, sitter));
    }

    /// Takes a guest seat: the one that the page had, if it still exists, else a new one.
    ///
    /// # Errors
    /// [`GuestsFull`] if the lesson's limit is reached.
    pub fn sit_guest(
        &mut self,
        now: Now,
        had: Option<SeatId>,
        fresh: SeatId,
        usage: GuestUse,
    ) -> Result<SeatId, GuestsFull> {
        let had = had.filter(|id| self.seats.get(id).is_some_and(|seat| seat.sitter.role == SeatRole::Guest));
        let already = had.and_then(|id| self.seats.get(&id)).is_some_and(|seat| match usage {
            GuestUse::Media => seat.media,
            GuestUse::Socket => seat.socket.is_some(),
        });
        if !already && self.guests(usage) >= self.guests_max {
            return Err(GuestsFull);
        }
        let seat_id = had.unwrap_or(fresh);
        let seat = self.seats.entry(seat_id).or_insert_with(|| {
            let sitter = Sitter { seat_id, role: SeatRole::Guest, name: String::new(), classroom_id: None };
            Seat::new(now, sitter)
        });
        seat.media |= usage == GuestUse::Media;
        Ok(seat_id)
    }

    /// Releases a guest seat that has no socket and no peer, because its offer was refused.
    pub fn stand_up(&mut self, seat_id: SeatId) {
        if let Some(seat) = self.seats.get(&seat_id)
            && seat.sitter.role == SeatRole::Guest
            && seat.is_empty()
        {
            self.seats.remove(&seat_id);
        }
    }

    /// Closes the media of a seat whose holder is no longer authorised.
    pub fn expel(&mut self, seat_id: SeatId) {
        if let Some(seat) = self.seats.get_mut(&seat_id) {
            self.outputs.extend(seat.peers.drain(..).map(|peer| Output::ClosePeer(peer.peer)));
        }
    }

    /// A page has opened its socket. The previous page in this seat is closed as replaced.
    pub fn handle_socket_opened(&mut self, now: Now, seat_id: SeatId, socket: SocketId) {
        let Some(seat) = self.seats.get_mut(&seat_id) else { return };
        self.outputs.extend(seat.last_seen(now));
        seat.seen.begin(now);
        // A new page knows of no paused tracks: the next statistics update it.
        seat.peers.iter_mut().for_each(|peer| peer.paused.clear());
        if let Some(before) = seat.socket.replace(socket) {
            self.outputs.push_back(Output::Bye(before, CloseReason::Replaced));
        }
        seat.had_page = true;
        seat.report = None;
    }

    /// A page's socket has closed.
    pub fn handle_socket_closed(&mut self, now: Now, seat_id: SeatId, socket: SocketId) {
        let Some(seat) = self.seats.get_mut(&seat_id) else { return };
        if seat.socket == Some(socket) {
            self.outputs.extend(seat.last_seen(now));
            seat.socket = None;
            seat.report = None;
            seat.empty_since = now.steady;
        }
    }

    /// Counts an offer of a seat; each costs the hub keys and state.
    ///
    /// # Errors
    /// [`TooManyOffers`] if the seat is over its limit.
    pub fn handle_offer(&mut self, now: Now, seat_id: SeatId) -> Result<(), TooManyOffers> {
        let Some(seat) = self.seats.get_mut(&seat_id) else { return Ok(()) };
        let taken = seat.offers.take(now.steady, OFFERS_PER_MINUTE_MAX, MINUTE);
        taken.map_err(|retry_after| TooManyOffers { retry_after })
    }

    /// The hub has answered this seat's offer. The seat's previous peer for the same purpose is closed.
    pub fn handle_peer_answered(&mut self, seat_id: SeatId, peer: PeerId, purpose: Purpose) {
        let Some(seat) = self.seats.get_mut(&seat_id) else {
            self.outputs.push_back(Output::ClosePeer(peer));
            return;
        };
        let replaced: Vec<PeerId> =
            seat.peers.iter().filter(|before| before.purpose.is_same_thing_as(purpose)).map(|p| p.peer).collect();
        seat.peers.push(Peer {
            peer,
            purpose,
            connected: false,
            loss: 0.0,
            rtt_ms: None,
            figures: None,
            paused: Vec::new(),
        });
        self.peers.insert(peer, seat_id);
        for before in replaced {
            self.outputs.push_back(Output::ClosePeer(before));
            self.forget_peer(None, before);
        }
    }

    /// The client closed its peer with DELETE.
    pub fn handle_peer_left(&mut self, now: Now, peer: PeerId) {
        self.forget_peer(Some(now), peer);
    }

    /// Handles a hub event.
    pub fn handle_hub_event(&mut self, now: Now, event: &HubEvent) {
        match *event {
            HubEvent::PeerConnected { peer, .. } => {
                if let Some(known) = self.peer_mut(peer) {
                    known.connected = true;
                }
            }
            HubEvent::PeerGone { peer, .. } => self.forget_peer(Some(now), peer),
            HubEvent::TrackStarted { peer, kind, codec, .. } => {
                let Some(Purpose::Publish { auto_start, .. }) = self.peer_mut(peer).map(|known| known.purpose) else {
                    return; // It has just been replaced or closed.
                };
                self.publishers.insert(kind, peer);
                let slot = Slot { flowing: true, codec: Some(codec) };
                if std::mem::replace(self.slots.of(kind), slot) != slot {
                    self.outputs.push_back(Output::SlotsChanged);
                }
                if auto_start {
                    self.outputs.push_back(Output::GoLive);
                }
            }
            HubEvent::TrackEnded { peer, kind, .. } => self.end_track(peer, kind),
        }
    }

    /// A page has sent a report.
    pub fn handle_report(&mut self, now: Now, seat_id: SeatId, report: Report) {
        let teacher_sends = self.teacher_sends();
        let Some(seat) = self.seats.get_mut(&seat_id) else { return };
        if let Some(classroom_id) = seat.sitter.classroom_id
            && let Some(sample) = seat.seen.word(now, &report, seat.line(), teacher_sends)
        {
            self.outputs.push_back(Output::Seen(End::Classroom(classroom_id), sample));
        }
        seat.report = Some((now.steady, report));
    }

    /// The lesson is over: produces the last windows of its ends.
    pub fn handle_end(&mut self, now: Now) {
        for seat in self.seats.values_mut() {
            self.outputs.extend(seat.last_seen(now));
        }
        let figures = self.teacher_figures();
        let window = self.teacher_seen.end(now, figures);
        self.outputs.extend(window.map(|window| Output::Seen(End::Teacher, window)));
    }

    /// The hub's latest statistics of one peer.
    pub fn handle_line(&mut self, peer: PeerId, line: &PeerStats) {
        let Some(known) = self.peer_mut(peer) else { return };
        known.loss = line.loss;
        known.rtt_ms = line.rtt_ms;
        known.figures = Some(Figures::of(line));
        let paused: Vec<TrackKind> = line.slots.iter().filter(|slot| slot.paused).map(|slot| slot.kind).collect();
        if known.paused != paused {
            known.paused = paused;
            self.outputs.extend(self.peers.get(&peer).map(|seat_id| Output::PausedChanged(*seat_id)));
        }
    }

    /// The tracks paused on a seat's line, and the socket to send them to. `None`: its page is not connected.
    #[must_use]
    pub fn paused(&self, seat_id: SeatId) -> Option<(SocketId, Vec<TrackKind>)> {
        let seat = self.seats.get(&seat_id)?;
        let receives = |peer: &&Peer| peer.purpose == Purpose::Receive;
        let paused = seat.peers.iter().rfind(receives).map(|peer| peer.paused.clone()).unwrap_or_default();
        Some((seat.socket?, paused))
    }

    /// Removes expired seats and updates the teacher's presence.
    pub fn handle_timeout(&mut self, now: Now) {
        let (sends, figures) = (self.teacher_sends(), self.teacher_figures());
        let window = self.teacher_seen.poll(now, sends, figures);
        self.outputs.extend(window.map(|window| Output::Seen(End::Teacher, window)));
        self.seats.retain(|_, seat| {
            !seat.is_empty() || now.steady.saturating_duration_since(seat.empty_since) < SEAT_KEPT_FOR
        });
    }

    /// The next output. Drain to `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The slots, and which of them flow.
    #[must_use]
    pub fn slots(&self) -> Slots {
        self.slots
    }

    /// The teacher's page or encoder is connected.
    #[must_use]
    pub fn teacher_is_there(&self) -> bool {
        self.seats.values().any(|seat| {
            let here = seat.socket.is_some() || seat.peers.iter().any(|peer| peer.connected);
            seat.sitter.role == SeatRole::Teacher && here
        })
    }

    /// The seats in use, teacher first. Observers are hidden from the room, guests are many and have no name.
    #[must_use]
    pub fn seats(&self, now: Now) -> Vec<SeatView> {
        let mut views: Vec<SeatView> = self
            .seats
            .values()
            .filter(|seat| matches!(seat.sitter.role, SeatRole::Teacher | SeatRole::Classroom))
            .map(|seat| seat.view(now, self.publishers.is_empty()))
            .collect();
        views.sort_by_key(|view| (view.role, view.joined_at_ms, view.seat_id));
        views
    }

    /// The seats in use. `None`: unchanged since the last call.
    pub fn seats_if_changed(&mut self, now: Now) -> Option<Vec<SeatView>> {
        let views = self.seats(now);
        (views != self.told).then(|| {
            self.told.clone_from(&views);
            views
        })
    }

    fn publishing(&self) -> impl Iterator<Item = &Peer> {
        let publishes = |peer: &&Peer| self.publishers.values().any(|publisher| *publisher == peer.peer);
        self.seats.values().flat_map(|seat| &seat.peers).filter(publishes)
    }

    fn teacher_figures(&self) -> Option<Figures> {
        Figures::together(self.publishing().filter_map(|peer| peer.figures))
    }

    /// A track of the teacher flows. A connection without statistics yet counts as flowing.
    fn teacher_sends(&self) -> bool {
        self.publishing().any(|peer| peer.figures.is_none_or(Figures::flows))
    }

    fn guests(&self, usage: GuestUse) -> usize {
        let guests = self.seats.values().filter(|seat| seat.sitter.role == SeatRole::Guest);
        match usage {
            GuestUse::Media => guests.filter(|seat| seat.media).count(),
            // A disconnected page's seat is reserved for it, and so counts.
            GuestUse::Socket => guests.filter(|seat| seat.socket.is_some() || !seat.media).count(),
        }
    }

    fn peer_mut(&mut self, peer: PeerId) -> Option<&mut Peer> {
        let seat = self.seats.get_mut(self.peers.get(&peer)?)?;
        seat.peers.iter_mut().find(|known| known.peer == peer)
    }

    /// `now`: the seat may have become empty. `None`: it has just been given a new peer.
    fn forget_peer(&mut self, now: Option<Now>, peer: PeerId) {
        let Some(seat_id) = self.peers.remove(&peer) else { return };
        for kind in TrackKind::ALL {
            self.end_track(peer, kind);
        }
        let Some(seat) = self.seats.get_mut(&seat_id) else { return };
        seat.peers.retain(|known| known.peer != peer);
        let Some(now) = now else { return };
        if seat.is_empty() {
            seat.empty_since = now.steady;
            if seat.sitter.role == SeatRole::Guest && !seat.had_page {
                self.seats.remove(&seat_id);
            }
        }
    }

    fn end_track(&mut self, peer: PeerId, kind: TrackKind) {
        if self.publishers.get(&kind) != Some(&peer) {
            return; // Another publisher has taken this slot.
        }
        self.publishers.remove(&kind);
        self.slots.of(kind).flowing = false;
        self.outputs.push_back(Output::SlotsChanged);
    }
}

#[cfg(test)]
mod tests;
