//! A lesson spreads over all workers: what is relayed to another worker, and what is taken from it.

use std::{sync::Arc, time::Instant};

use super::{Relay, Worker};
use crate::{
    event::HubEvent,
    id::{RoomId, TrackId, WorkerId},
    packet::Packet,
    room::{Admitted, Home, LayerPackets, LayerSource, Room},
    stats::Dropped,
};

impl Worker {
    /// What is to be relayed to another worker, in this order; drain to `None`.
    pub fn poll_relay(&mut self) -> Option<(WorkerId, Relay)> {
        self.relays.pop_front()
    }

    /// Takes what another worker handed over. What it brings goes out with the next [`Self::flush`].
    pub fn handle_relay(&mut self, now: Instant, relay: Relay) {
        self.end_flush(now);
        match relay {
            Relay::Here { room, from } => self.welcome_worker(now, room, from),
            Relay::Gone { room, from } => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.others.retain(|other| *other != from);
                }
            }
            Relay::Cached { room, source, packets, newest_at, sync } => {
                // Refused where its publisher has been replaced meanwhile.
                let _ = self.admit(now, room, &source, LayerPackets::Cached { packets: &packets, newest_at });
                if let Home::Elsewhere { id, .. } = source.home
                    && let Some(layer) = self.rooms.get_mut(&room).and_then(|room| room.layer_mut(id))
                {
                    layer.sync = sync;
                }
                self.route_room(now, room);
            }
            Relay::Burst { room, source, packets } => {
                let _ = self.admit(now, room, &source, LayerPackets::Released(&packets));
            }
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
            Relay::RequestKeyframe { room, layer, need } => {
                if let Some(layer) = self.rooms.get_mut(&room).and_then(|room| room.layer_mut(layer)) {
                    layer.keyframe_requests.request(need);
                }
            }
            Relay::Datagram { from, bytes } => self.receive(now, from, bytes, true),
        }
    }

    /// The room on this worker. Where it is new here, it is opened and announced to the other workers.
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

    /// Hands what a room has just released to the other workers with peers in it.
    pub(super) fn relay_bursts(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get(&id).filter(|room| !room.others.is_empty()) else { return };
        for (source, layer) in room.sources(self.config.id).filter(|(_, layer)| !layer.burst.is_empty()) {
            let packets: Arc<[Arc<Packet>]> = layer.burst.as_slice().into();
            let burst = |to: &WorkerId| (*to, Relay::Burst { room: id, source, packets: packets.clone() });
            self.relays.extend(room.others.iter().map(burst));
        }
    }

    /// Sends a message to every other worker in a room.
    pub(super) fn relay_to_room(&mut self, id: RoomId, relay: &Relay) {
        if let Some(room) = self.rooms.get(&id) {
            self.relays.extend(room.others.iter().map(|to| (*to, relay.clone())));
        }
    }

    fn welcome_worker(&mut self, now: Instant, id: RoomId, newcomer: WorkerId) {
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

    /// Admits packets of a layer into its room, and reports the track that they begin.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        id: RoomId,
        source: &LayerSource,
        arrivals: LayerPackets<'_>,
    ) -> Result<(), Dropped> {
        let room = self.rooms.get_mut(&id).ok_or(Dropped::Unroutable)?;
        let next_track = &mut self.next_track;
        let next_id = || {
            *next_track += 1;
            TrackId(*next_track)
        };
        let Some(began) = room.admit(now, source, arrivals, next_id)? else { return Ok(()) };
        if let Some(due) = room.due() {
            self.flush_at = Some(self.flush_at.map_or(due, |at| at.min(due)));
            if !self.dirty.contains(&id) {
                self.dirty.push(id);
            }
        }
        if let Admitted::NewTrack { replaced } = began {
            let LayerSource { publisher, kind, codec, .. } = *source;
            if let Some((peer, kind)) = replaced {
                self.events.push_back(HubEvent::TrackEnded { room: id, peer, kind });
            }
            if source.home.elsewhere().is_none() {
                self.config.lobby.note_flow(id, kind, Some(codec));
                self.events.push_back(HubEvent::TrackStarted { room: id, peer: publisher, kind, codec });
            }
            self.route_room(now, id);
        }
        Ok(())
    }
}
