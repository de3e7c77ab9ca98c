//! Peers as they come, move and go, and the maps by which they are found.

use std::{net::SocketAddr, time::Instant};

use rand::RngCore;
use tracing::{debug, info};

use super::{Relay, Worker};
use crate::{
    event::{GoneReason, HubEvent},
    id::{PeerId, RoomId},
    lobby::Terms,
    room::PeerKey,
    transport::{
        ice::{Check, Credentials},
        srtp::Keys,
    },
    worker::peer::Peer,
};

impl Worker {
    /// Adds a peer that is connected already, with keys given from outside: simulations begin here. Its datagrams come
    /// from `address`.
    ///
    /// Returns false where the keys are not usable.
    pub fn connect_seeded(
        &mut self,
        now: Instant,
        room: RoomId,
        peer: PeerId,
        terms: Terms,
        keys: &Keys,
        address: SocketAddr,
    ) -> bool {
        let ours = Credentials { ufrag: format!("seeded{peer}"), pwd: String::new() };
        let random = &mut self.random;
        let mut peer = Peer::bare(now, self.config.epoch, peer, room, ours, terms, || random.next_u64());
        if !peer.install(keys, self.config.identity.provider().crypto()) {
            return false;
        }
        peer.note_path(now, address, true);
        let key = self.insert(now, peer);
        self.note_address(address, key);
        self.connected(now, key);
        true
    }

    pub(super) fn adopt(&mut self, now: Instant, ufrag: &str, check: &mut Check) -> Option<PeerKey> {
        let provider = self.config.identity.provider().clone();
        let is_signed = |pwd: &str| check.is_signed_with(pwd, provider.crypto());
        let admission = self.config.lobby.adopt(ufrag, self.config.id, is_signed)?;
        let (id, room) = (admission.peer, admission.room);
        let random = &mut self.random;
        match Peer::adopt(now, self.config.epoch, admission, &self.config.identity, || random.next_u64()) {
            Ok(peer) => Some(self.insert(now, peer)),
            Err(error) => {
                info!(peer = %id, %error, "Peer {id} cannot begin its handshake: {error}");
                self.config.lobby.leave(id);
                self.events.push_back(HubEvent::PeerGone { room, peer: id, reason: GoneReason::HandshakeFailed });
                None
            }
        }
    }

    pub(super) fn insert(&mut self, now: Instant, mut peer: Peer) -> PeerKey {
        let key = self.free.pop().unwrap_or_else(|| {
            self.peers.push(None);
            self.peers.len() - 1
        });
        self.by_id.insert(peer.id, key);
        self.by_ufrag.insert(peer.ours[0].ufrag.clone(), key);
        self.config.lobby.note_ufrag(&peer.ours[0].ufrag, self.config.id);
        self.room_entry(peer.room).members.push(key);
        self.timers.set(now, key);
        peer.scheduled = Some(now);
        self.peers[key] = Some(Box::new(peer));
        key
    }

    pub(super) fn connected(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        debug!(peer = %peer.id, room = %peer.room, "Peer {} is connected", peer.id);
        self.events.push_back(HubEvent::PeerConnected { room: peer.room, peer: peer.id });
        self.route(now, key);
        self.schedule(key);
    }

    pub(super) fn remove(&mut self, now: Instant, key: PeerKey, reason: GoneReason) {
        let Some(mut peer) = self.peers.get_mut(key).and_then(Option::take) else { return };
        self.free.push(key);
        self.by_id.remove(&peer.id);
        for ours in &peer.ours {
            self.by_ufrag.remove(&ours.ufrag);
            self.config.lobby.forget_ufrag(&ours.ufrag);
        }
        for path in &peer.paths {
            if self.by_address.get(path) == Some(&key) {
                self.by_address.remove(path);
                self.config.lobby.forget_address(*path, self.config.id);
            }
        }
        if reason == GoneReason::Closed
            && let Some(handshake) = &mut peer.handshake
        {
            handshake.close(now);
            peer.flush_handshake(&mut self.outbox);
        }
        self.config.lobby.leave(peer.id);
        if let Some(room) = self.rooms.get_mut(&peer.room) {
            room.members.retain(|member| *member != key);
            let ended = room.end_publisher(now, peer.id);
            let is_empty = room.members.is_empty() && !room.is_tapped();
            for &kind in &ended {
                self.relay_to_room(peer.room, &Relay::Ended { room: peer.room, publisher: peer.id, kind });
            }
            for kind in &ended {
                self.config.lobby.note_flow(peer.room, *kind, None);
                self.events.push_back(HubEvent::TrackEnded { room: peer.room, peer: peer.id, kind: *kind });
            }
            if is_empty {
                self.forget_room(peer.room);
            } else if !ended.is_empty() {
                self.route_room(now, peer.room);
            }
        }
        info!(peer = %peer.id, room = %peer.room, ?reason, "Peer {} is gone: {reason:?}", peer.id);
        self.events.push_back(HubEvent::PeerGone { room: peer.room, peer: peer.id, reason });
    }

    pub(super) fn note_address(&mut self, address: SocketAddr, key: PeerKey) {
        self.by_address.insert(address, key);
        self.config.lobby.note_address(address, self.config.id);
    }

    /// Enters a peer's new address `to` into the maps, and removes `from`, the path that it gave up for it.
    pub(super) fn move_address(&mut self, from: Option<SocketAddr>, to: SocketAddr, key: PeerKey) {
        if let Some(from) = from {
            self.by_address.remove(&from);
            self.config.lobby.forget_address(from, self.config.id);
        }
        if self.by_address.get(&to) != Some(&key) {
            self.note_address(to, key);
        }
    }
}
