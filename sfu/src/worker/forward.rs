//! From a room's bursts into the slots of its viewers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use smallvec::SmallVec;

use super::Worker;
use crate::{
    id::RoomId,
    room::{PeerKey, Room},
    transport::outbox::Outbox,
    worker::peer::Peer,
};

impl Worker {
    /// Writes what is released now: every viewer gets each track's burst in one run.
    pub fn flush(&mut self, now: Instant) {
        while self.flush_part(now, usize::MAX) {}
    }

    /// As [`Self::flush`], but stops when the outbox holds `bytes`. True: send that, clear it, and call again before
    /// anything else. In parts, what was written is still in the processor's cache when the kernel reads it.
    pub fn flush_part(&mut self, now: Instant, bytes: usize) -> bool {
        loop {
            let Some((id, mut at)) = self.flushing.take().or_else(|| Some((self.next_released(now)?, 0))) else {
                return false;
            };
            let Some(mut room) = self.rooms.remove(&id) else { continue };
            let mut broken = None;
            let mut held = None;
            while broken.is_none()
                && held.is_none()
                && self.outbox.len() < bytes
                && let Some(&key) = room.members.get(at)
            {
                if at.is_multiple_of(PREFETCHED) {
                    let ahead =
                        room.members[at..].iter().take(PREFETCHED).filter_map(|key| self.peers[*key].as_deref());
                    std::hint::black_box(ahead.fold(0, |sum, peer| sum ^ peer.prefetch()));
                }
                at += 1;
                let Some(peer) = self.peers[key].as_mut() else { continue };
                match catch_unwind(AssertUnwindSafe(|| forward_bursts(now, &room, peer, &mut self.outbox))) {
                    Ok(due) => held = due.map(|due| (due, key)),
                    Err(_) => broken = Some(key),
                }
            }
            let is_done = at >= room.members.len();
            if is_done {
                room.end_bursts();
            } else {
                // A dropped peer is no member any more, and all after it move up by one.
                self.flushing = Some((id, at - usize::from(broken.is_some())));
            }
            self.rooms.insert(id, room);
            if let Some((due, key)) = held {
                self.schedule_catch_up(due, key);
            }
            if broken.is_some() {
                self.drop_peer(now, broken);
            }
            if !is_done && self.outbox.len() >= bytes {
                return true;
            }
        }
    }

    /// The next room with released packets. Also notes when the next of the other rooms is due.
    fn next_released(&mut self, now: Instant) -> Option<RoomId> {
        self.flush_at = None;
        let mut at = 0;
        while let Some(&id) = self.dirty.get(at) {
            let Some(room) = self.rooms.get_mut(&id) else {
                self.dirty.swap_remove(at);
                continue;
            };
            let is_released = room.release(now);
            match room.due() {
                Some(due) => {
                    self.flush_at = Some(self.flush_at.map_or(due, |before| before.min(due)));
                    at += 1;
                }
                None => {
                    self.dirty.swap_remove(at);
                }
            }
            if is_released {
                self.relay_bursts(id);
                return Some(id);
            }
        }
        None
    }

    /// Chooses anew what flows in each slot of all peers of a room.
    pub(super) fn route_room(&mut self, now: Instant, room: RoomId) {
        let members = self.rooms.get(&room).map(|room| room.members.clone()).unwrap_or_default();
        for key in members {
            self.route(now, key);
        }
    }

    /// Sends a viewer its next part of the cached groups, and schedules the one after while there is more.
    ///
    /// Not to be called in the middle of a flush: released packets are in the history already and would go out twice.
    pub(super) fn catch_up(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Some(room) = self.rooms.get(&peer.room) else { return };
        let Some((viewer, mut egress)) = peer.viewing(&mut self.outbox) else { return };
        let mut waiting: SmallVec<[usize; 4]> =
            (0..viewer.slots.len()).filter(|slot| viewer.slots[*slot].catches_up()).collect();
        if waiting.is_empty() {
            return;
        }
        waiting.sort_by_key(|slot| viewer.slots[*slot].terms().kind);
        viewer.bandwidth.at(now);
        let mut budget = Some(viewer.bandwidth.allowance());
        let mut more = false;
        for slot in waiting {
            let source = viewer.slots[slot].source().and_then(|(id, _)| room.layer(id));
            match source {
                Some((track, layer)) => {
                    super::route::overtake(now, &mut viewer.slots[slot], track, layer);
                    more |= viewer.catch_up(now, slot, &layer.history, &mut budget, &mut egress);
                    egress.out.seal_run();
                }
                None => viewer.slots[slot].stop(),
            }
        }
        if more {
            let due = viewer.bandwidth.allowed_at(now);
            self.schedule_catch_up(due, key);
        }
    }
}

/// Sends a viewer the bursts of its slots. Returns when packets that its pacer holds back are due; `None`: there are
/// none.
fn forward_bursts(now: Instant, room: &Room, peer: &mut Peer, out: &mut Outbox) -> Option<Instant> {
    let (viewer, mut egress) = peer.viewing(out)?;
    viewer.bandwidth.at(now);
    let mut due = None;
    for slot in 0..viewer.slots.len() {
        if viewer.slots[slot].next.is_some() && super::route::take_over(now, room, &mut viewer.slots[slot]) {
            due = Some(now);
        }
        let Some((id, layer_at)) = viewer.slots[slot].source() else { continue };
        let layer = room
            .track(viewer.slots[slot].terms().kind)
            .and_then(|track| track.layers.get(layer_at)?.as_ref())
            .filter(|layer| layer.id == id && !layer.burst.is_empty());
        if let Some(layer) = layer {
            // Voice never waits; a picture waits where its burst is long for the line.
            if !viewer.slots[slot].terms().kind.is_sound()
                && !viewer.bandwidth.allows(viewer.slots[slot].takes_of(&layer.burst, layer.burst_bytes))
            {
                viewer.slots[slot].hold();
                due.get_or_insert_with(|| viewer.bandwidth.allowed_at(now));
            }
            let live = viewer.slots[slot].next_index();
            for (at, packet) in layer.burst.iter().enumerate() {
                // The last packet of a GSO run may be shorter without padding.
                let even = if at + 1 == layer.burst.len() { 0 } else { layer.even };
                viewer.forward(now, slot, packet, &layer.history, even, &mut egress);
            }
            egress.out.seal_run();
            if !viewer.slots[slot].terms().kind.is_sound() {
                viewer.send_twice(slot, live, &layer.history, &mut egress);
                egress.out.seal_run();
            }
        }
    }
    due
}

/// Viewers that are prefetched together before they are sent to. Hundreds of viewers do not fit the cache; this way the
/// processor waits for their cache lines side by side instead of one after the other.
const PREFETCHED: usize = 8;
