//! From a room's bursts into its viewers' slots, and what viewers say back.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use bytes::BytesMut;
use rtc_rtcp::{
    goodbye::Goodbye,
    packet::unmarshal,
    payload_feedbacks::{
        full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication,
        receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate,
    },
    receiver_report::ReceiverReport,
    sender_report::SenderReport,
    transport_feedbacks::{transport_layer_cc::TransportLayerCc, transport_layer_nack::TransportLayerNack},
};
use smallvec::SmallVec;

use super::Worker;
use crate::{
    id::{RoomId, TrackId},
    keyframe::Need,
    peer::{Peer, Role},
    room::{PeerKey, Room},
    stats::Dropped,
};

impl Worker {
    /// Sends what came since the last flush: every viewer gets each track's burst in one run.
    pub fn flush(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.dirty) {
            let Some(mut room) = self.rooms.remove(&id) else { continue };
            let mut broken = Vec::new();
            let mut waiting = Vec::new();
            for &key in &room.members {
                let Some(peer) = self.peers[key].as_mut() else { continue };
                let sent = catch_unwind(AssertUnwindSafe(|| forward_bursts(now, &room, peer, &mut self.outbox)));
                match sent {
                    Ok(None) => {}
                    Ok(Some(due)) => waiting.push((due, key)),
                    Err(_) => broken.push(key),
                }
            }
            for layer in room.tracks.iter_mut().flat_map(|track| track.layers.iter_mut().flatten()) {
                layer.burst.clear();
                layer.burst_bytes = 0;
            }
            self.rooms.insert(id, room);
            for (due, key) in waiting {
                self.schedule_catch_up(due, key);
            }
            for key in broken {
                self.bury(now, Some(key));
            }
        }
    }

    /// Chooses anew what flows in each slot of everybody in a room.
    pub(super) fn route_room(&mut self, now: Instant, room: RoomId) {
        let members = self.rooms.get(&room).map(|room| room.members.clone()).unwrap_or_default();
        for key in members {
            self.route(now, key);
        }
    }

    /// Sends a viewer its share of the cached groups, and comes back while there is more.
    ///
    /// Never while a burst waits: its packets are in the history already and would go out twice.
    pub(super) fn catch_up(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Some(room) = self.rooms.get(&peer.room) else { return };
        let (Some((sealer, _)), Some(to), Role::Viewer(viewer)) = (&mut peer.srtp, peer.address, &mut peer.role) else {
            return;
        };
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
                    super::share::overtake(now, &mut viewer.slots[slot], track, layer);
                    more |= viewer.catch_up(now, slot, &layer.history, &mut budget, to, sealer, &mut self.outbox);
                    self.outbox.seal_run();
                }
                None => viewer.slots[slot].stop(),
            }
        }
        if more {
            let due = viewer.bandwidth.allowed_at(now);
            self.schedule_catch_up(due, key);
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
        opener.open_rtcp(&mut bytes)?;
        peer.heard = now;
        peer.address = Some(from);
        let packets = unmarshal(&mut bytes.freeze()).map_err(|_| Dropped::Malformed)?;
        let room = self.rooms.get_mut(&peer.room).ok_or(Dropped::Unroutable)?;
        for packet in packets.iter().take(RTCP_PACKETS_MAX) {
            let packet = packet.as_any();
            match &mut peer.role {
                Role::Publisher(publisher) => {
                    if let Some(report) = packet.downcast_ref::<SenderReport>()
                        && let Some(clock) =
                            publisher.handle_sender_report(now, report.ssrc, report.ntp_time, report.rtp_time)
                    {
                        let terms = &publisher.terms().tracks[clock.track];
                        room.report(now, peer.id, terms, clock);
                    }
                    // A goodbye of one source is not the end of the connection: DTLS says that.
                    let _ = packet.downcast_ref::<Goodbye>();
                }
                Role::Viewer(_) if packet.is::<TransportLayerNack>() => {
                    if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
                        repeat(now, room, peer, nack, &mut self.outbox);
                    }
                }
                Role::Viewer(viewer) => {
                    if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
                        viewer.handle_report(ntp_middle, &report.reports);
                        viewer.bandwidth.handle_loss(now, viewer.loss);
                    } else if let Some(feedback) = packet.downcast_ref::<TransportLayerCc>() {
                        viewer.bandwidth.handle_feedback(now, viewer.rtt, feedback);
                    } else if let Some(remb) = packet.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
                        viewer.bandwidth.handle_remb(now, remb.bitrate as u64);
                    } else if let Some(pli) = packet.downcast_ref::<PictureLossIndication>() {
                        want_keyframe(room, viewer.slot_of(pli.media_ssrc).map(|slot| &viewer.slots[slot]));
                    } else if let Some(fir) = packet.downcast_ref::<FullIntraRequest>() {
                        for entry in fir.fir.iter().take(RTCP_PACKETS_MAX) {
                            want_keyframe(room, viewer.slot_of(entry.ssrc).map(|slot| &viewer.slots[slot]));
                        }
                    }
                }
            }
        }
        self.schedule(key);
        Ok(())
    }
}

/// When what the viewer's pacer holds back is due. `None`: nothing is.
fn forward_bursts(now: Instant, room: &Room, peer: &mut Peer, out: &mut crate::outbox::Outbox) -> Option<Instant> {
    let (Some((sealer, _)), Some(to), Role::Viewer(viewer)) = (&mut peer.srtp, peer.address, &mut peer.role) else {
        return None;
    };
    viewer.bandwidth.at(now);
    let mut due = None;
    for slot in 0..viewer.slots.len() {
        if viewer.slots[slot].next.is_some() && super::share::take_over(now, room, &mut viewer.slots[slot]) {
            due = Some(now);
        }
        let Some((id, layer_at)) = viewer.slots[slot].source() else { continue };
        let layer = room
            .track(viewer.slots[slot].terms().kind)
            .and_then(|track| track.layers.get(layer_at)?.as_ref())
            .filter(|layer| layer.id == id && !layer.burst.is_empty());
        if let Some(layer) = layer {
            // Voice never waits; a picture does where its burst is long for the line.
            if !viewer.slots[slot].terms().kind.is_sound() && !viewer.bandwidth.allows(layer.burst_bytes) {
                viewer.slots[slot].hold();
                due.get_or_insert_with(|| viewer.bandwidth.allowed_at(now));
            }
            for packet in &layer.burst {
                viewer.forward(now, slot, packet, to, sealer, out);
            }
            out.seal_run();
        }
    }
    due
}

fn repeat(now: Instant, room: &Room, peer: &mut Peer, nack: &TransportLayerNack, out: &mut crate::outbox::Outbox) {
    let (Some((sealer, _)), Some(to), Role::Viewer(viewer)) = (&mut peer.srtp, peer.address, &mut peer.role) else {
        return;
    };
    // What is paused is not missed.
    let Some(slot) = viewer.slot_of(nack.media_ssrc).filter(|slot| viewer.slots[*slot].source().is_some()) else {
        return;
    };
    viewer.bandwidth.at(now);
    let seqs = nack.nacks.iter().flat_map(|pair| pair.packet_list()).take(NACKED_MAX);
    let history = |id: TrackId, _| room.layer(id).map(|(_, layer)| &layer.history);
    for seq in seqs {
        viewer.repeat(now, slot, seq, history, to, sealer, out);
    }
    out.seal_run();
}

/// A viewer cannot decode. While it is still being given the cached group it has what it needs.
fn want_keyframe(room: &mut Room, slot: Option<&crate::slot::Slot>) {
    let Some(slot) = slot.filter(|slot| !slot.catches_up()) else { return };
    let Some((id, _)) = slot.source() else { return };
    let layer = room.tracks.iter_mut().flat_map(|track| track.layers.iter_mut().flatten()).find(|layer| layer.id == id);
    if let Some(layer) = layer {
        layer.authority.want(Need::Viewer);
    }
}

/// More packets in one compound are no report.
const RTCP_PACKETS_MAX: usize = 32;

/// More repairs at once are an outage.
const NACKED_MAX: usize = 512;
