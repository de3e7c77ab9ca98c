//! State shared by all workers: peers that were answered but have not connected yet, the owner of each peer, what flows
//! in each room.
//!
//! The worker that receives a peer's first authenticated check takes the peer out of the lobby and owns it from then
//! on.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Instant,
};

use dashmap::DashMap;

use crate::{
    answer::{PublishTerms, RemoteIce, ViewTerms},
    id::{PeerId, RoomId, WorkerId},
    limits::{CONNECT_WITHIN, HALF_OPEN_PER_ROOM_MAX, PUBLISHERS_BEYOND_LIMIT},
    media::{Codec, TrackKind},
    transport::ice::Credentials,
};

/// A peer that was answered: everything its worker needs to create it.
#[derive(Debug)]
pub struct Admission {
    /// The new peer.
    pub peer: PeerId,
    /// Its room.
    pub room: RoomId,
    /// Our ICE credentials for it.
    pub ours: Credentials,
    /// What was agreed.
    pub terms: Terms,
    /// When it was answered.
    pub at: Instant,
}

/// What was agreed with a peer.
#[derive(Debug)]
pub enum Terms {
    /// It publishes.
    Publish(PublishTerms),
    /// It views.
    View(ViewTerms),
}

/// The worker that owns a peer, and what a PATCH of its session needs to know.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Its worker.
    pub worker: WorkerId,
    /// The mid that its transport is known by.
    pub mid: String,
    /// Its ICE user fragment and password.
    pub theirs: RemoteIce,
}

/// Shared by the hub's handle and all workers. Nothing here is touched per packet.
#[derive(Debug, Default)]
pub struct Lobby {
    waiting: DashMap<String, Admission>,
    owners: DashMap<PeerId, Owner>,
    rooms: DashMap<RoomId, LobbyRoom>,
    /// Addresses of the peers of all workers, if there is more than one: the kernel distributes datagrams by address.
    addresses: DashMap<SocketAddr, WorkerId>,
    /// Owners of our user fragments, if there is more than one worker.
    ufrags: DashMap<String, WorkerId>,
    others: usize,
    next_id: AtomicU64,
    seats: AtomicUsize,
    /// One bit for each worker that does not keep up.
    overloaded: [AtomicU64; 2],
}

/// Why a new peer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdmissionError {
    /// All seats are taken.
    Seats,
    /// A worker does not keep up.
    Workers,
    /// Too many peers were answered for this room that have not connected yet.
    HalfOpen,
}

/// What all workers know of a room.
#[derive(Debug, Default)]
struct LobbyRoom {
    flowing: Vec<(TrackKind, Codec)>,
    /// Peers that were answered and have not connected yet.
    half_open: usize,
    /// One bit for each worker with peers in it.
    workers: u128,
}

impl Lobby {
    /// A lobby for so many workers: at least 1, at most 128.
    #[must_use]
    pub fn for_workers(workers: usize) -> Self {
        Self { others: workers.clamp(1, WORKERS_MAX) - 1, ..Self::default() }
    }

    /// Every worker but this one.
    pub fn others(&self, than: WorkerId) -> impl Iterator<Item = WorkerId> + use<> {
        (0..=self.others).map(|number| WorkerId(number as u8)).filter(move |other| *other != than)
    }

    /// Notes whether a worker has peers in a room. Returns the other workers that have.
    pub fn note_room(&self, room: RoomId, worker: WorkerId, is_here: bool) -> Vec<WorkerId> {
        let Some(mut entry) = self.rooms.get_mut(&room) else { return Vec::new() };
        let bit = 1 << worker.0;
        entry.workers = if is_here { entry.workers | bit } else { entry.workers & !bit };
        let workers = entry.workers;
        self.others(worker).filter(|other| workers >> other.0 & 1 == 1).collect()
    }

    /// Notes which worker a peer at that address, or with that user fragment of ours, belongs to.
    pub fn note_address(&self, address: SocketAddr, worker: WorkerId) {
        if self.others > 0 {
            self.addresses.insert(address, worker);
        }
    }

    /// As [`Self::note_address`], for checks.
    pub fn note_ufrag(&self, ufrag: &str, worker: WorkerId) {
        if self.others > 0 {
            self.ufrags.insert(ufrag.to_owned(), worker);
        }
    }

    /// That worker has no peer at that address any more.
    pub fn forget_address(&self, address: SocketAddr, worker: WorkerId) {
        self.addresses.remove_if(&address, |_, owner| *owner == worker);
    }

    /// Those credentials are not used any more.
    pub fn forget_ufrag(&self, ufrag: &str) {
        self.ufrags.remove(ufrag);
    }

    /// The other worker that has a peer at that address.
    #[must_use]
    pub fn worker_at(&self, address: SocketAddr, than: WorkerId) -> Option<WorkerId> {
        self.addresses.get(&address).map(|worker| *worker).filter(|worker| *worker != than)
    }

    /// The other worker that checks with that user fragment belong to.
    #[must_use]
    pub fn worker_of(&self, ufrag: &str, than: WorkerId) -> Option<WorkerId> {
        self.ufrags.get(ufrag).map(|worker| *worker).filter(|worker| *worker != than)
    }

    /// A number never given before.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Opens a room.
    pub fn open_room(&self, room: RoomId) {
        self.rooms.insert(room, LobbyRoom::default());
    }

    /// Closes a room and forgets the peers that were answered for it and have not connected. Returns those.
    pub fn close_room(&self, room: RoomId) -> Vec<PeerId> {
        self.rooms.remove(&room);
        self.forget(|admission| admission.room == room)
    }

    /// What flows in a room. `None`: it is not open.
    #[must_use]
    pub fn flowing(&self, room: RoomId) -> Option<Vec<(TrackKind, Codec)>> {
        self.rooms.get(&room).map(|entry| entry.flowing.clone())
    }

    /// How many rooms are open.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Notes that a kind flows in a room, or no longer does.
    pub fn note_flow(&self, room: RoomId, kind: TrackKind, codec: Option<Codec>) {
        if let Some(mut entry) = self.rooms.get_mut(&room) {
            entry.flowing.retain(|(known, _)| *known != kind);
            entry.flowing.extend(codec.map(|codec| (kind, codec)));
        }
    }

    /// Notes whether a worker keeps up.
    pub fn note_load(&self, worker: WorkerId, is_overloaded: bool) {
        let (word, bit) = (&self.overloaded[usize::from(worker.0 >> 6 & 1)], 1 << (worker.0 & 63));
        if is_overloaded {
            word.fetch_or(bit, Ordering::Relaxed);
        } else {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Lets an answered peer wait for its first check.
    ///
    /// A viewer is refused where there are `limit` peers already, or a worker does not keep up. A publisher is admitted
    /// for [`PUBLISHERS_BEYOND_LIMIT`] peers more, because viewers wait for it.
    ///
    /// # Errors
    /// [`AdmissionError`].
    pub fn admit(&self, admission: Admission, limit: usize) -> Result<(), AdmissionError> {
        let limit = match &admission.terms {
            Terms::Publish(_) => limit + PUBLISHERS_BEYOND_LIMIT,
            Terms::View(_) if self.overloaded.iter().any(|word| word.load(Ordering::Relaxed) != 0) => {
                return Err(AdmissionError::Workers);
            }
            Terms::View(_) => limit,
        };
        if self.seats.fetch_add(1, Ordering::Relaxed) >= limit {
            self.seats.fetch_sub(1, Ordering::Relaxed);
            return Err(AdmissionError::Seats);
        }
        if let Some(mut entry) = self.rooms.get_mut(&admission.room) {
            if entry.half_open >= HALF_OPEN_PER_ROOM_MAX {
                self.seats.fetch_sub(1, Ordering::Relaxed);
                return Err(AdmissionError::HalfOpen);
            }
            entry.half_open += 1;
        }
        self.waiting.insert(admission.ours.ufrag.clone(), admission);
        Ok(())
    }

    /// Takes the peer that a check is for, if `is_signed` agrees with its password.
    pub fn adopt(&self, ufrag: &str, worker: WorkerId, is_signed: impl FnOnce(&str) -> bool) -> Option<Admission> {
        let (_, admission) = self.waiting.remove_if(ufrag, |_, admission| is_signed(&admission.ours.pwd))?;
        let transport = match &admission.terms {
            Terms::Publish(terms) => &terms.transport,
            Terms::View(terms) => &terms.transport,
        };
        let owner = Owner { worker, mid: transport.tagged_mid.clone(), theirs: transport.remote_ice.clone() };
        self.owners.insert(admission.peer, owner);
        self.release_half_open([admission.room]);
        Some(admission)
    }

    /// The owner of a peer. `None`: it has not connected yet, or has gone.
    #[must_use]
    pub fn owner(&self, peer: PeerId) -> Option<Owner> {
        self.owners.get(&peer).map(|owner| owner.clone())
    }

    /// Notes that a peer has restarted ICE with new credentials.
    pub fn restarted(&self, peer: PeerId, theirs: RemoteIce) {
        if let Some(mut owner) = self.owners.get_mut(&peer) {
            owner.theirs = theirs;
        }
    }

    /// Notes that a peer has gone.
    pub fn leave(&self, peer: PeerId) {
        if self.owners.remove(&peer).is_some() {
            self.seats.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Was it answered, and has it not connected yet?
    #[must_use]
    pub fn is_waiting(&self, peer: PeerId) -> bool {
        self.waiting.iter().any(|admission| admission.peer == peer)
    }

    /// Forgets a peer that has not connected yet. True where it was waiting.
    pub fn withdraw(&self, peer: PeerId) -> bool {
        !self.forget(|admission| admission.peer == peer).is_empty()
    }

    /// Forgets peers that did not connect in time. Returns them with their rooms.
    pub fn expire(&self, now: Instant) -> Vec<(PeerId, RoomId)> {
        let mut late = Vec::new();
        self.waiting.retain(|_, admission| {
            let stays = now.saturating_duration_since(admission.at) < CONNECT_WITHIN;
            if !stays {
                late.push((admission.peer, admission.room));
            }
            stays
        });
        self.seats.fetch_sub(late.len(), Ordering::Relaxed);
        self.release_half_open(late.iter().map(|(_, room)| *room));
        late
    }

    fn forget(&self, mut which: impl FnMut(&Admission) -> bool) -> Vec<PeerId> {
        let (mut forgotten, mut rooms) = (Vec::new(), Vec::new());
        self.waiting.retain(|_, admission| {
            let goes = which(admission);
            if goes {
                forgotten.push(admission.peer);
                rooms.push(admission.room);
            }
            !goes
        });
        self.seats.fetch_sub(forgotten.len(), Ordering::Relaxed);
        self.release_half_open(rooms);
        forgotten
    }

    /// Counts one half-open peer less in each of these rooms.
    fn release_half_open(&self, rooms: impl IntoIterator<Item = RoomId>) {
        for room in rooms {
            if let Some(mut entry) = self.rooms.get_mut(&room) {
                entry.half_open = entry.half_open.saturating_sub(1);
            }
        }
    }
}

/// A set of workers is a `u128`.
const WORKERS_MAX: usize = 128;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use super::*;
    use crate::answer::{DtlsRole, RemoteTransport};

    fn admission(lobby: &Lobby, at: Instant, publishes: bool) -> Admission {
        let peer = PeerId(lobby.next_id());
        let transport = RemoteTransport {
            remote_ice: RemoteIce { ufrag: "them".into(), pwd: "p".into() },
            fingerprint: vec![],
            dtls_role: DtlsRole::Passive,
            tagged_mid: "0".into(),
        };
        let terms = if publishes {
            Terms::Publish(PublishTerms {
                transport,
                tracks: vec![],
                mid_ext: None,
                rid_ext: None,
                rrid_ext: None,
                twcc_ext: None,
                audio_level_ext: None,
                dependency_descriptor_ext: None,
            })
        } else {
            Terms::View(ViewTerms {
                transport,
                slots: vec![],
                twcc_ext: None,
                mid_ext: None,
                abs_send_time_ext: None,
                playout_delay_ext: None,
                dependency_descriptor_ext: None,
            })
        };
        let ours = Credentials { ufrag: format!("us{peer}"), pwd: "secret".into() };
        Admission { peer, room: RoomId(1), ours, terms, at }
    }

    #[test]
    fn a_full_hub_refuses_a_classroom_and_still_takes_the_teacher() {
        let (lobby, now) = (Lobby::default(), Instant::now());
        lobby.open_room(RoomId(1));
        let mut seats = Vec::new();
        for _ in 0..3 {
            let seat = admission(&lobby, now, false);
            seats.push(seat.peer);
            assert_eq!(lobby.admit(seat, 3), Ok(()));
        }
        assert_eq!(lobby.admit(admission(&lobby, now, false), 3), Err(AdmissionError::Seats));
        assert_eq!(lobby.admit(admission(&lobby, now, true), 3), Ok(()));
        assert!(lobby.withdraw(seats[0]) && lobby.withdraw(seats[1]));
        assert_eq!(lobby.admit(admission(&lobby, now, false), 3), Ok(()));
    }

    #[test]
    fn a_hub_that_does_not_keep_up_takes_no_classroom_until_it_does() {
        let (lobby, now) = (Lobby::for_workers(100), Instant::now());
        lobby.note_load(WorkerId(77), true);
        lobby.note_load(WorkerId(3), false);
        assert_eq!(lobby.admit(admission(&lobby, now, false), 9), Err(AdmissionError::Workers));
        assert_eq!(lobby.admit(admission(&lobby, now, true), 9), Ok(()));
        lobby.note_load(WorkerId(77), false);
        assert_eq!(lobby.admit(admission(&lobby, now, false), 9), Ok(()));
    }

    #[test]
    fn fifty_thousand_peers_that_never_connect_do_not_fill_another_lesson() {
        let (lobby, now) = (Lobby::default(), Instant::now());
        lobby.open_room(RoomId(1));
        lobby.open_room(RoomId(2));
        let refused = (0..50_000).filter(|_| lobby.admit(admission(&lobby, now, false), 4_000).is_err()).count();
        assert_eq!(refused, 50_000 - HALF_OPEN_PER_ROOM_MAX);
        let elsewhere = Admission { room: RoomId(2), ..admission(&lobby, now, false) };
        assert_eq!(lobby.admit(elsewhere, 4_000), Ok(()));
        assert_eq!(lobby.expire(now + CONNECT_WITHIN).len(), HALF_OPEN_PER_ROOM_MAX + 1);
        assert_eq!(lobby.admit(admission(&lobby, now, false), 4_000), Ok(()), "their places are free again");
    }
}
