//! What all workers share: who was answered but has not come yet, who owns whom, what flows where.
//!
//! The worker that receives a peer's first authenticated check takes the peer out of the lobby and owns it from then on.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Instant,
};

use dashmap::DashMap;

use crate::{
    answer::{PublishTerms, RemoteIce, ViewTerms},
    ice::Credentials,
    id::{PeerId, RoomId, WorkerId},
    limits::CONNECT_WITHIN,
    media::{Codec, TrackKind},
};

/// A peer that was answered: everything its worker needs to begin.
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

/// What a peer does.
#[derive(Debug)]
pub enum Terms {
    /// It publishes.
    Publish(PublishTerms),
    /// It views.
    View(ViewTerms),
}

/// Who owns a peer, and what a PATCH of its session needs to know.
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
    rooms: DashMap<RoomId, Vec<(TrackKind, Codec)>>,
    next_id: AtomicU64,
    seats: AtomicUsize,
}

impl Lobby {
    /// A number never given before.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Opens a room.
    pub fn open_room(&self, room: RoomId) {
        self.rooms.insert(room, Vec::new());
    }

    /// Closes a room and forgets whoever was answered for it. Returns those.
    pub fn close_room(&self, room: RoomId) -> Vec<PeerId> {
        self.rooms.remove(&room);
        self.forget(|admission| admission.room == room)
    }

    /// What flows in a room. `None`: it is not open.
    #[must_use]
    pub fn flowing(&self, room: RoomId) -> Option<Vec<(TrackKind, Codec)>> {
        self.rooms.get(&room).map(|flowing| flowing.clone())
    }

    /// How many rooms are open.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Notes that a kind flows in a room, or no longer does.
    pub fn note_flow(&self, room: RoomId, kind: TrackKind, codec: Option<Codec>) {
        if let Some(mut flowing) = self.rooms.get_mut(&room) {
            flowing.retain(|(known, _)| *known != kind);
            flowing.extend(codec.map(|codec| (kind, codec)));
        }
    }

    /// Lets an answered peer wait for its first check. False where `limit` peers are here already.
    pub fn admit(&self, admission: Admission, limit: usize) -> bool {
        if self.seats.fetch_add(1, Ordering::Relaxed) >= limit {
            self.seats.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.waiting.insert(admission.ours.ufrag.clone(), admission);
        true
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
        Some(admission)
    }

    /// Who owns a peer. `None`: nobody yet, or it has gone.
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

    /// Was it answered, and has it not come yet?
    #[must_use]
    pub fn is_waiting(&self, peer: PeerId) -> bool {
        self.waiting.iter().any(|admission| admission.peer == peer)
    }

    /// Forgets a peer that has not come yet. True where it was waiting.
    pub fn withdraw(&self, peer: PeerId) -> bool {
        !self.forget(|admission| admission.peer == peer).is_empty()
    }

    /// Forgets those who never came. Returns them with their rooms.
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
        late
    }

    fn forget(&self, mut which: impl FnMut(&Admission) -> bool) -> Vec<PeerId> {
        let mut forgotten = Vec::new();
        self.waiting.retain(|_, admission| {
            let goes = which(admission);
            if goes {
                forgotten.push(admission.peer);
            }
            !goes
        });
        self.seats.fetch_sub(forgotten.len(), Ordering::Relaxed);
        forgotten
    }
}
