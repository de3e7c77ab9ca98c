//! From a room's bursts into its viewers' slots, and what viewers say back.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_rtcp::{
    packet::unmarshal,
    payload_feedbacks::{full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication},
    receiver_report::ReceiverReport,
    sender_report::SenderReport,
    transport_feedbacks::{transport_layer_cc::TransportLayerCc, transport_layer_nack::TransportLayerNack},
};

use super::{Relay, Worker};
use crate::{
    id::{RoomId, TrackId, WorkerId},
    keyframe::Need,
    peer::{Peer, Role},
    room::{PeerKey, Room},
    slot::CATCH_UP_TICK,
    stats::Dropped,
};

impl Worker {
    /// Writes what is released now: every viewer gets each track's burst in one run.
    pub fn flush(&mut self, now: Instant) {
        while self.flush_part(now, usize::MAX) {}
    }

    /// As [`Self::flush`], but stops when the outbox holds `bytes`. True: send that, clear it, and call again before
    /// anything else. What was just written is still in the processor's cache when the kernel reads it.
    pub fn flush_part(&mut self, now: Instant, bytes: usize) -> bool {
        loop {
            let Some((id, mut at)) = self.flushing.take().or_else(|| Some((self.next_released(now)?, 0))) else {
                return false;
            };
            let Some(mut room) = self.rooms.remove(&id) else { continue };
            let mut broken = None;
            while broken.is_none()
                && self.outbox.len() < bytes
                && let Some(&key) = room.members.get(at)
            {
                at += 1;
                let Some(peer) = self.peers[key].as_mut() else { continue };
                let sent = catch_unwind(AssertUnwindSafe(|| forward_bursts(now, &room, peer, &mut self.outbox)));
                broken = sent.is_err().then_some(key);
            }
            let is_done = at >= room.members.len();
            if is_done {
                room.end_bursts();
            } else {
                // Who is buried is a member no more, and all behind it move up.
                self.flushing = Some((id, at - usize::from(broken.is_some())));
            }
            self.rooms.insert(id, room);
            if broken.is_some() {
                self.bury(now, broken);
            }
            if !is_done && self.outbox.len() >= bytes {
                return true;
            }
        }
    }

    /// The next room with something to send. Notes when the others have.
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

    /// Chooses anew what flows in each slot of everybody in a room.
    pub(super) fn route_room(&mut self, now: Instant, room: RoomId) {
        let members = self.rooms.get(&room).map(|room| room.members.clone()).unwrap_or_default();
        for key in members {
            self.route(now, key);
        }
    }

    /// Chooses anew what flows in each slot of a viewer.
    pub(super) fn route(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Some(room) = self.rooms.get(&peer.room) else { return };
        let Role::Viewer(viewer) = &mut peer.role else { return };
        if peer.srtp.is_none() {
            return;
        }
        let mut catches_up = false;
        for slot in &mut viewer.slots {
            let wanted = room.track(slot.terms().kind).and_then(|track| Some((track, track.flowing()?)));
            match wanted {
                None => slot.stop(),
                // Whoever still waits for a keyframe starts from the cache as soon as that has one.
                Some((_, layer))
                    if slot.source().is_some_and(|(id, _)| id == layer.id)
                        && !(slot.awaits_keyframe() && layer.history.group_start().is_some()) => {}
                Some((track, layer)) => {
                    slot.start(now, layer.id, track.best, track.codec, &layer.history);
                    catches_up |= slot.catches_up();
                }
            }
        }
        if catches_up {
            self.schedule_catch_up(now, key);
        }
    }

    /// Sends a viewer its share of the cached groups, and comes back while there is more.
    ///
    /// Never in the middle of a flush: what is released is in the history already and would go out twice.
    pub(super) fn catch_up(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Some(room) = self.rooms.get(&peer.room) else { return };
        let (Some((sealer, _)), Some(to), Role::Viewer(viewer)) = (&mut peer.srtp, peer.address, &mut peer.role) else {
            return;
        };
        let mut more = false;
        for slot in 0..viewer.slots.len() {
            if !viewer.slots[slot].catches_up() {
                continue;
            }
            let source = viewer.slots[slot].source().and_then(|(id, _)| room.layer(id));
            match source {
                Some((_, layer)) => {
                    more |= viewer.catch_up(now, slot, &layer.history, to, sealer, &mut self.outbox);
                    self.outbox.seal_run();
                }
                None => viewer.slots[slot].stop(),
            }
        }
        if more {
            self.schedule_catch_up(now + CATCH_UP_TICK, key);
        }
    }

    pub(super) fn take_rtcp(
        &mut self,
        now: Instant,
        key: PeerKey,
        from: SocketAddr,
        mut bytes: BytesMut,
    ) -> Result<(), Dropped> {
        let ntp_middle = (self.ntp(now) >> 16) as u32;
        let peer = self.peers[key].as_mut().ok_or(Dropped::Unroutable)?;
        let (_, opener) = peer.srtp.as_mut().ok_or(Dropped::NotReady)?;
        // What was late on the old way leads nobody back there.
        let leads = opener.rtcp_lead(&bytes).is_some();
        opener.open_rtcp(&mut bytes)?;
        if leads || peer.address.is_none() {
            peer.settle(now, from);
        }
        peer.heard = now;
        let packets = unmarshal(&mut bytes.freeze()).map_err(|_| Dropped::Malformed)?;
        let room = self.rooms.get_mut(&peer.room).ok_or(Dropped::Unroutable)?;
        for packet in packets.iter().take(RTCP_PACKETS_MAX) {
            let packet = packet.as_any();
            if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
                repeat(now, room, peer, nack, &mut self.outbox);
                continue;
            }
            match &mut peer.role {
                // A goodbye (BYE) of one source is not the end of the connection: DTLS says that.
                Role::Publisher(publisher) => {
                    if let Some(report) = packet.downcast_ref::<SenderReport>()
                        && let Some(clock) =
                            publisher.handle_sender_report(now, report.ssrc, report.ntp_time, report.rtp_time)
                    {
                        let kind = publisher.terms().tracks[clock.track].kind;
                        room.report(now, peer.id, kind, clock);
                        let relay = Relay::Report { room: peer.room, publisher: peer.id, kind, clock };
                        self.relays.extend(room.others.iter().map(|to| (*to, relay.clone())));
                    }
                }
                Role::Viewer(viewer) => {
                    if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
                        viewer.handle_report(now, ntp_middle, &report.reports);
                    } else if let Some(feedback) = packet.downcast_ref::<TransportLayerCc>() {
                        viewer.handle_arrivals(now, feedback);
                    } else if let Some(pli) = packet.downcast_ref::<PictureLossIndication>() {
                        let slot = viewer.slot_of(pli.media_ssrc).map(|slot| &viewer.slots[slot]);
                        self.relays.extend(want_keyframe(now, room, slot));
                    } else if let Some(fir) = packet.downcast_ref::<FullIntraRequest>() {
                        for entry in fir.fir.iter().take(RTCP_PACKETS_MAX) {
                            let slot = viewer.slot_of(entry.ssrc).map(|slot| &viewer.slots[slot]);
                            self.relays.extend(want_keyframe(now, room, slot));
                        }
                    }
                }
            }
        }
        // A viewer's deadlines only move away when it is heard.
        if matches!(peer.role, Role::Publisher(_)) {
            self.schedule(key);
        }
        Ok(())
    }
}

fn forward_bursts(now: Instant, room: &Room, peer: &mut Peer, out: &mut crate::outbox::Outbox) {
    let (Some((sealer, _)), Some(to), Role::Viewer(viewer)) = (&mut peer.srtp, peer.address, &mut peer.role) else {
        return;
    };
    for slot in 0..viewer.slots.len() {
        let Some((id, layer_at)) = viewer.slots[slot].source() else { continue };
        let layer = room
            .track(viewer.slots[slot].terms().kind)
            .and_then(|track| track.layers.get(layer_at)?.as_ref())
            .filter(|layer| layer.id == id && !layer.burst.is_empty());
        if let Some(layer) = layer {
            for (at, packet) in layer.burst.iter().enumerate() {
                // The last of a run may be shorter as it is.
                let even = if at + 1 == layer.burst.len() { 0 } else { layer.even };
                viewer.forward(now, slot, packet, &layer.history, even, to, sealer, out);
            }
            out.seal_run();
        }
    }
}

fn repeat(now: Instant, room: &Room, peer: &mut Peer, nack: &TransportLayerNack, out: &mut crate::outbox::Outbox) {
    let (Some((sealer, _)), Some(to), Role::Viewer(viewer)) = (&mut peer.srtp, peer.address, &mut peer.role) else {
        return;
    };
    let Some(slot) = viewer.slot_of(nack.media_ssrc) else { return };
    let seqs = nack.nacks.iter().flat_map(|pair| pair.packet_list()).take(NACKED_MAX);
    let history = |id: TrackId, _| room.layer(id).map(|(_, layer)| &layer.history);
    for seq in seqs {
        viewer.repeat(now, slot, seq, history, to, sealer, out);
    }
    out.seal_run();
}

/// A viewer cannot decode. While it is still being given the cached group it has what it needs.
///
/// Returns what the track's home must be told, if that is another worker.
fn want_keyframe(now: Instant, room: &mut Room, slot: Option<&crate::slot::Slot>) -> Option<(WorkerId, Relay)> {
    let (id, _) = slot.filter(|slot| !slot.catches_up())?.source()?;
    let home = room.layer(id)?.0.home;
    let (room, layer) = (room.id, room.layer_mut(id)?);
    let Some(home) = home else {
        layer.authority.want(Need::Viewer);
        return None;
    };
    let is_asked = layer.asked_home.is_some_and(|at| now.saturating_duration_since(at) < ASK_HOME_EVERY);
    (!is_asked).then(|| {
        layer.asked_home = Some(now);
        (home, Relay::Want { room, layer: id, need: Need::Viewer })
    })
}

/// The home asks its publisher more rarely; this only keeps a flood of requests on its own worker.
const ASK_HOME_EVERY: Duration = Duration::from_millis(250);

/// More packets in one compound are no report.
const RTCP_PACKETS_MAX: usize = 32;

/// More repairs at once are an outage.
const NACKED_MAX: usize = 512;
