//! What each slot of a viewer carries: the room's layers against the viewer's line.

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
        let demands: SmallVec<[Demand; 6]> = viewer.slots.iter().map(|slot| want(now, room, slot)).collect();
        let allocations = viewer.bandwidth.share(now, &demands, viewer.slots.iter().any(Slot::catches_up));
        let bps = viewer.bandwidth.estimate_bps();
        trace!(peer = %peer.id, bps, queue = ?viewer.bandwidth.queue(), ?demands, ?allocations, "A line is shared");
        let mut catches_up = false;
        for ((slot, want), choice) in viewer.slots.iter_mut().zip(&demands).zip(allocations) {
            match choice {
                Allocation::Nothing | Allocation::Paused => {
                    slot.stop();
                    slot.is_paused = choice == Allocation::Paused;
                }
                Allocation::Layer(at, target) => {
                    let Some(track) = room.track_mut(want.kind) else { continue };
                    catches_up |= carry(now, slot, track, (at, target), bps);
                }
            }
        }
        if catches_up {
            self.schedule_catch_up(now, key);
        }
    }

    /// Shares a viewer's line anew, if it is time.
    pub(super) fn refresh_allocation(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Role::Viewer(viewer) = &mut peer.role else { return };
        viewer.bandwidth.at(now);
        if viewer.bandwidth.is_due() {
            self.route(now, key);
        }
    }

    /// Sends what a probe of a viewer's line lacks.
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

fn want(now: Instant, room: &Room, slot: &Slot) -> Demand {
    let kind = slot.terms().kind;
    let track = room.track(kind).filter(|track| slot.terms().payload_type(track.codec).is_some());
    let Some(track) = track else { return Demand { kind, rungs: SmallVec::new(), current: None } };
    let flows =
        slot.next.or(slot.source()).filter(|(id, _)| track.layers.iter().flatten().any(|layer| layer.id == *id));
    Demand { kind, rungs: track.rungs(now), current: flows.map(|(_, layer)| (layer, slot.aim)) }
}

/// Lets a layer flow in a slot: at once where its cached group is soon out, else from its next keyframe on, and until
/// then the old layer stays. True where there is something to catch up with.
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
        // It shows nothing yet, or its publisher has changed: nothing is better than the cached group.
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

/// The layer that a slot waits for takes it over, if its keyframe has just come.
pub(super) fn take_over(now: Instant, room: &Room, slot: &mut Slot) -> bool {
    let Some((id, at)) = slot.next else { return false };
    let Some((track, layer)) = room.layer(id) else {
        slot.next = None;
        return false;
    };
    let came = layer.burst.iter().any(|packet| packet.keyframe) && layer.history.group_start().is_some();
    came && slot.start(now, id, at, track.codec, &layer.history)
}

/// What waits is far behind and a newer keyframe is there: the slot goes on with that.
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

/// A lower layer is welcome soon; its cached group may take as long as a new keyframe would, and the encoder's time.
const SWITCH_DOWN_WITHIN: Duration = Duration::from_millis(1_000);

/// A better layer may wait for its keyframe: what flows is whole.
const SWITCH_UP_WITHIN: Duration = Duration::from_millis(400);

/// A paused picture shows nothing: a long group is still sooner than the next keyframe.
const RESUME_WITHIN: Duration = Duration::from_millis(2_500);

/// What waits for longer is left out where there is something newer to begin with.
const BEHIND_MAX: Duration = Duration::from_millis(500);
