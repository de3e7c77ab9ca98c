//! A lesson spreads over all workers: what is handed to another worker, and what is taken from it.

use std::{sync::Arc, time::Instant};

use super::{Relay, Worker};
use crate::{
    event::HubEvent,
    id::{RoomId, WorkerId},
    packet::Packet,
    room::{Began, Room, Source},
};

impl Worker {
    /// What is to be handed to another worker, in this order; drain to `None`.
    pub fn poll_relay(&mut self) -> Option<(WorkerId, Relay)> {
        self.relays.pop_front()
    }

    /// Takes what another worker handed over. What it brings goes out with the next [`Self::flush`].
    pub fn handle_relay(&mut self, now: Instant, relay: Relay) {
        self.end_flush(now);
        match relay {
            Relay::Here { room, from } => self.greet(now, room, from),
            Relay::Gone { room, from } => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.others.retain(|other| *other != from);
                }
            }
            Relay::Cached { room, source, packets, newest_at, sync } => {
                self.take_relayed(now, room, &source, &packets, Some(newest_at));
                let layer = self.rooms.get_mut(&room).and_then(|room| room.layer_mut(source.id));
                if let Some(layer) = layer {
                    layer.sync = sync;
                }
                self.route_room(now, room);
            }
            Relay::Burst { room, source, packets } => self.take_relayed(now, room, &source, &packets, None),
            Relay::Report { room, publisher, kind, clock } => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.report(now, publisher, kind, clock);
                }
            }
            Relay::Ended { room: id, publisher, kind } => {
                if self.rooms.get_mut(&id).is_some_and(|room| room.end_relayed(now, publisher, kind)) {
                    self.route_room(now, id);
                }
            }
            Relay::Want { room, layer, need } => {
                if let Some(layer) = self.rooms.get_mut(&room).and_then(|room| room.layer_mut(layer)) {
                    layer.authority.want(need);
                }
            }
            Relay::Datagram { from, bytes } => self.take_any(now, from, bytes, true),
        }
    }

    /// The room, opened on this worker and said so to the others where it is new here.
    pub(super) fn room_entry(&mut self, id: RoomId) -> &mut Room {
        let (lobby, me) = (&self.config.lobby, self.config.id);
        self.rooms.entry(id).or_insert_with(|| {
            let mut room = Room::new(id);
            room.others = lobby.note_room(id, me, true);
            self.relays.extend(lobby.others(me).map(|to| (to, Relay::Here { room: id, from: me })));
            room
        })
    }

    pub(super) fn forget_room(&mut self, id: RoomId) {
        if self.rooms.remove(&id).is_some() {
            let (lobby, me) = (&self.config.lobby, self.config.id);
            lobby.note_room(id, me, false);
            self.relays.extend(lobby.others(me).map(|to| (to, Relay::Gone { room: id, from: me })));
        }
    }

    /// Hands what a room has just released to the other workers that have somebody in it.
    pub(super) fn relay_bursts(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get(&id).filter(|room| !room.others.is_empty()) else { return };
        for (source, layer) in room.sources(self.config.id).filter(|(_, layer)| !layer.burst.is_empty()) {
            let packets: Arc<[Arc<Packet>]> = layer.burst.as_slice().into();
            let burst = |to: &WorkerId| (*to, Relay::Burst { room: id, source, packets: packets.clone() });
            self.relays.extend(room.others.iter().map(burst));
        }
    }

    /// Tells every other worker in a room.
    pub(super) fn relay_to_room(&mut self, id: RoomId, relay: &Relay) {
        if let Some(room) = self.rooms.get(&id) {
            self.relays.extend(room.others.iter().map(|to| (*to, relay.clone())));
        }
    }

    fn greet(&mut self, now: Instant, id: RoomId, newcomer: WorkerId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.others.contains(&newcomer) {
            return;
        }
        room.others.push(newcomer);
        for (source, layer) in room.sources(self.config.id) {
            let history = &layer.history;
            let group = history.group_start().filter(|_| !source.codec.is_sound()).zip(history.newest());
            let packets: Vec<_> = group
                .into_iter()
                .flat_map(|(start, newest)| start..=newest)
                .filter_map(|seq| history.get(seq))
                .collect();
            let cached = Relay::Cached {
                room: id,
                source,
                packets: packets.into_iter().cloned().collect(),
                newest_at: history.newest_at().unwrap_or(now),
                sync: layer.sync,
            };
            self.relays.push_back((newcomer, cached));
        }
    }

    fn take_relayed(
        &mut self,
        now: Instant,
        id: RoomId,
        source: &Source,
        packets: &[Arc<Packet>],
        cached_at: Option<Instant>,
    ) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let began = room.relayed(now, source, packets, cached_at);
        if room.due().is_some() && !self.dirty.contains(&id) {
            self.dirty.push(id);
        }
        if let Some(Began::Track { replaced }) = began {
            if let Some((peer, kind)) = replaced {
                self.events.push_back(HubEvent::TrackEnded { room: id, peer, kind });
            }
            self.route_room(now, id);
        }
    }
}
