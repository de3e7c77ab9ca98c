//! The seats of one lesson and what flows between them: a pure state machine.
//!
//! It is told what happened and when; it answers through [`Session::poll_output`]. A seat outlives its socket and its
//! peers by [`SEAT_KEPT_FOR`]; a guest without a page has nothing to come back with, so theirs goes with its peer.

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

/// A seat is kept this long after its last socket and peer: a page that lost its line comes back to it.
pub const SEAT_KEPT_FOR: Duration = Duration::from_secs(120);

/// Offers of one seat in a minute. A teacher's page makes two at a time, camera and board, and one on a line that breaks
/// every three seconds makes forty a minute.
pub const OFFERS_PER_MINUTE_MAX: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// What a guest wants a seat for. Each is bounded by itself: a page takes one of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestUse {
    /// The page's socket.
    Socket,
    /// Picture and sound.
    Media,
}

/// As many guests as the lesson allows are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every guest seat is taken")]
pub struct GuestsFull;

/// A seat has made [`OFFERS_PER_MINUTE_MAX`] in this minute: whatever makes them is in a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this seat has made too many offers")]
pub struct TooManyOffers {
    /// When its next minute begins.
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

    /// Takes a seat that is the sitter's own, or finds them in it already.
    pub fn sit(&mut self, now: Now, sitter: Sitter) {
        self.seats.entry(sitter.seat_id).or_insert_with(|| Seat::new(now, sitter));
    }

    /// Takes a guest seat: the one a page had, where it is still there, else a new one.
    ///
    /// # Errors
    /// [`GuestsFull`] where the lesson allows no more.
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

    /// Gives up a seat that nobody came to sit in: the offer behind it was refused.
    pub fn stand_up(&mut self, seat_id: SeatId) {
        if let Some(seat) = self.seats.get(&seat_id)
            && seat.sitter.role == SeatRole::Guest
            && seat.is_empty()
        {
            self.seats.remove(&seat_id);
        }
    }

    /// Empties a seat whose holder may not stay: their media end now.
    pub fn expel(&mut self, seat_id: SeatId) {
        if let Some(seat) = self.seats.get_mut(&seat_id) {
            self.outputs.extend(seat.peers.drain(..).map(|peer| Output::ClosePeer(peer.peer)));
        }
    }

    /// A page has said hello. The page before it in this seat is told that it was replaced.
    pub fn handle_socket_opened(&mut self, now: Now, seat_id: SeatId, socket: SocketId) {
        let Some(seat) = self.seats.get_mut(&seat_id) else { return };
        self.outputs.extend(seat.last_seen(now));
        seat.seen.begin(now);
        // A page that has just come knows of nothing spared: the next figures tell it.
        seat.peers.iter_mut().for_each(|peer| peer.paused.clear());
        if let Some(before) = seat.socket.replace(socket) {
            self.outputs.push_back(Output::Bye(before, CloseReason::Replaced));
        }
        seat.had_page = true;
        seat.report = None;
    }

    /// A page's socket has ended.
    pub fn handle_socket_closed(&mut self, now: Now, seat_id: SeatId, socket: SocketId) {
        let Some(seat) = self.seats.get_mut(&seat_id) else { return };
        if seat.socket == Some(socket) {
            self.outputs.extend(seat.last_seen(now));
            seat.socket = None;
            seat.report = None;
            seat.empty_since = now.steady;
        }
    }

    /// A seat makes an offer, which costs the hub keys and a port's worth of state.
    ///
    /// # Errors
    /// [`TooManyOffers`] where the hub shall not be asked.
    pub fn handle_offer(&mut self, now: Now, seat_id: SeatId) -> Result<(), TooManyOffers> {
        let Some(seat) = self.seats.get_mut(&seat_id) else { return Ok(()) };
        let taken = seat.offers.take(now.steady, OFFERS_PER_MINUTE_MAX, MINUTE);
        taken.map_err(|retry_after| TooManyOffers { retry_after })
    }

    /// The hub has answered this seat's offer. The seat's peer for the same thing before it is closed.
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

    /// A peer was closed by its own side's DELETE.
    pub fn handle_peer_left(&mut self, now: Now, peer: PeerId) {
        self.forget_peer(Some(now), peer);
    }

    /// Something happened on the wire.
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
                    return; // It was replaced or closed a moment ago.
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

    /// A page says how it goes.
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

    /// The lesson is over: what was seen of its ends until now.
    pub fn handle_end(&mut self, now: Now) {
        for seat in self.seats.values_mut() {
            self.outputs.extend(seat.last_seen(now));
        }
        let figures = self.teacher_figures();
        let window = self.teacher_seen.end(now, figures);
        self.outputs.extend(window.map(|window| Output::Seen(End::Teacher, window)));
    }

    /// The hub's newest figures of one peer.
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

    /// What a seat's line has no room for, and the socket to tell it on. `None`: its page is not here.
    #[must_use]
    pub fn paused(&self, seat_id: SeatId) -> Option<(SocketId, Vec<TrackKind>)> {
        let seat = self.seats.get(&seat_id)?;
        let receives = |peer: &&Peer| peer.purpose == Purpose::Receive;
        let paused = seat.peers.iter().rfind(receives).map(|peer| peer.paused.clone()).unwrap_or_default();
        Some((seat.socket?, paused))
    }

    /// Gives up seats that nobody came back to, and sees to the teacher.
    pub fn handle_timeout(&mut self, now: Now) {
        let (sends, figures) = (self.teacher_sends(), self.teacher_figures());
        let window = self.teacher_seen.poll(now, sends, figures);
        self.outputs.extend(window.map(|window| Output::Seen(End::Teacher, window)));
        self.seats.retain(|_, seat| {
            !seat.is_empty() || now.steady.saturating_duration_since(seat.empty_since) < SEAT_KEPT_FOR
        });
    }

    /// What is to be done. Drain to `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What flows.
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

    /// Who is here, teacher first. Observers are not shown to the room, guests are many and have no name.
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

    /// Who is here, where that differs from the answer before.
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

    /// Something of the teacher's flows. A connection of which there are no figures yet is believed.
    fn teacher_sends(&self) -> bool {
        self.publishing().any(|peer| peer.figures.is_none_or(Figures::flows))
    }

    fn guests(&self, usage: GuestUse) -> usize {
        let guests = self.seats.values().filter(|seat| seat.sitter.role == SeatRole::Guest);
        match usage {
            GuestUse::Media => guests.filter(|seat| seat.media).count(),
            // A lost page's seat waits for it, and so counts.
            GuestUse::Socket => guests.filter(|seat| seat.socket.is_some() || !seat.media).count(),
        }
    }

    fn peer_mut(&mut self, peer: PeerId) -> Option<&mut Peer> {
        let seat = self.seats.get_mut(self.peers.get(&peer)?)?;
        seat.peers.iter_mut().find(|known| known.peer == peer)
    }

    /// `now`: the seat may have become empty. `None`: it was given a new peer in the same breath.
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
            return; // Another publisher has this slot by now.
        }
        self.publishers.remove(&kind);
        self.slots.of(kind).flowing = false;
        self.outputs.push_back(Output::SlotsChanged);
    }
}

#[cfg(test)]
mod tests;
