//! Which layer each slot of a viewer carries: the room's layers against the viewer's bandwidth.

use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tracing::trace;

use super::Worker;
use crate::{
    bandwidth::allocation::{Allocation, Demand},
    forward::slot::Slot,
    packet::target::Target,
    room::{Layer, PeerKey, Room, Track},
    uplink::keyframe::KeyframeReason,
    worker::peer::Role,
};

impl Worker {
    /// Chooses anew what flows in each slot of a viewer.
    pub(super) fn route(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Some(room) = self.rooms.get_mut(&peer.room) else { return };
        let Role::Viewer(viewer) = &mut peer.role else { return };
        if peer.srtp.is_none() {
            return;
        }
        let demands: SmallVec<[Demand; 6]> = viewer.slots.iter().map(|slot| demand(now, room, slot)).collect();
        let allocations = viewer.bandwidth.allocate(now, &demands, viewer.slots.iter().any(Slot::catches_up));
        let bps = viewer.bandwidth.estimate_bps();
        trace!(peer = %peer.id, bps, queue = ?viewer.bandwidth.queue(), ?demands, ?allocations, "Bandwidth is allocated");
        let mut catches_up = false;
        for ((slot, demand), allocation) in viewer.slots.iter_mut().zip(&demands).zip(allocations) {
            match allocation {
                Allocation::Nothing | Allocation::Paused => {
                    slot.stop();
                    slot.is_paused = allocation == Allocation::Paused;
                }
                Allocation::Layer(at, target) => {
                    let Some(track) = room.track_mut(demand.kind) else { continue };
                    catches_up |= carry(now, slot, track, (at, target), bps);
                }
            }
        }
        if catches_up {
            self.schedule_catch_up(now, key);
        }
    }

    /// Allocates a viewer's bandwidth anew, if that is due.
    pub(super) fn refresh_allocation(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Role::Viewer(viewer) = &mut peer.role else { return };
        viewer.bandwidth.at(now);
        if viewer.bandwidth.is_due() {
            self.route(now, key);
        }
    }

    /// Sends the padding or repeats that a viewer's bandwidth probe still lacks.
    pub(super) fn probe(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Some(room) = self.rooms.get(&peer.room) else { return };
        let Some((viewer, mut egress)) = peer.viewing(&mut self.outbox) else { return };
        viewer.bandwidth.at(now);
        let bytes = viewer.bandwidth.probe_bytes();
        if bytes > 0 {
            let history = |id, _| room.layer(id).map(|(_, layer)| &layer.history);
            viewer.probe(bytes, history, &mut egress);
            egress.out.seal_run();
        }
    }
}

fn demand(now: Instant, room: &Room, slot: &Slot) -> Demand {
    let kind = slot.terms().kind;
    let track = room.track(kind).filter(|track| slot.terms().payload_type(track.codec).is_some());
    let Some(track) = track else { return Demand { kind, rungs: SmallVec::new(), current: None } };
    let flows =
        slot.next.or(slot.source()).filter(|(id, _)| track.layers.iter().flatten().any(|layer| layer.id == *id));
    Demand { kind, rungs: track.rungs(now), current: flows.map(|(_, layer)| (layer, slot.aim)) }
}

/// Lets a layer flow in a slot: at once where its cached group can be sent soon, else from its next keyframe on, and
/// until then the old layer stays. True where the slot has to catch up.
fn carry(now: Instant, slot: &mut Slot, track: &mut Track, (at, target): (usize, Target), bps: u64) -> bool {
    let (codec, is_sound) = (track.codec, track.kind.is_sound());
    let rate = |layer: &Layer| layer.rates.bps(now);
    let before = slot.source().and_then(|(id, _)| track.layers.iter().flatten().find(|layer| layer.id == id)).map(rate);
    let Some(Some(layer)) = track.layers.get_mut(at) else { return false };
    let aimed = std::mem::replace(&mut slot.aim, target);
    if slot.source().is_some_and(|(id, _)| id == layer.id) {
        slot.next = None;
        if target.spatial() > aimed.spatial() {
            layer.keyframe_requests.request(KeyframeReason::Viewer);
        }
        return false;
    }
    let within = match before {
        Some(before) if before > rate(layer) => SWITCH_DOWN_WITHIN,
        Some(_) => SWITCH_UP_WITHIN,
        None if slot.is_paused => RESUME_WITHIN,
        // It shows nothing yet, or its publisher has changed: the cached group is the best allocation.
        None => Duration::MAX,
    };
    let (_, bytes) = layer.history.group_bytes();
    let out_after = Duration::from_secs_f64(bytes as f64 * 8.0 / bps.max(1) as f64);
    let is_cached = layer.history.group_start().is_some() && out_after <= within;
    if is_sound || is_cached || within == Duration::MAX {
        slot.start(now, layer.id, at, codec, &layer.history);
        return slot.catches_up();
    }
    if slot.next.is_none_or(|(id, _)| id != layer.id) {
        slot.next = Some((layer.id, at));
        layer.keyframe_requests.request(KeyframeReason::Viewer);
    }
    false
}

/// Switches a slot to the layer that it waits for, if the keyframe of that layer has just come.
pub(super) fn take_over(now: Instant, room: &Room, slot: &mut Slot) -> bool {
    let Some((id, at)) = slot.next else { return false };
    let Some((track, layer)) = room.layer(id) else {
        slot.next = None;
        return false;
    };
    let came = layer.burst.iter().any(|packet| packet.keyframe) && layer.history.group_start().is_some();
    came && slot.start(now, id, at, track.codec, &layer.history)
}

/// Continues a slot from a newer keyframe where the packets that wait are far behind.
pub(super) fn overtake(now: Instant, slot: &mut Slot, track: &Track, layer: &Layer) {
    let behind = slot.overtaken_by(&layer.history);
    if behind.is_some_and(|behind| behind >= BEHIND_MAX)
        && let Some((id, at)) = slot.source()
    {
        let next = slot.next;
        slot.start(now, id, at, track.codec, &layer.history);
        slot.next = next;
    }
}

/// How long the cached group of a lower layer may take: about as long as requesting and encoding a new keyframe.
const SWITCH_DOWN_WITHIN: Duration = Duration::from_millis(1_000);

/// How long the cached group of a better layer may take. Otherwise it waits for a keyframe: the current layer is
/// intact.
const SWITCH_UP_WITHIN: Duration = Duration::from_millis(400);

/// How long the cached group of a paused slot may take: it shows nothing, and the next keyframe is further away.
const RESUME_WITHIN: Duration = Duration::from_millis(2_500);

/// Packets that have waited for longer are skipped where a newer keyframe is there.
const BEHIND_MAX: Duration = Duration::from_millis(500);
