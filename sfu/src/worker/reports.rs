//! What a peer reports by RTCP: repairs, receptions, arrival times, requests for keyframes.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::{Relay, Worker};
use crate::{
    forward::slot::Slot,
    id::{TrackId, WorkerId},
    room::{PeerKey, Room},
    stats::Dropped,
    transport::{
        outbox::Outbox,
        rtcp::{self, Lost, Report},
    },
    uplink::keyframe::KeyframeReason,
    worker::peer::{Peer, Role},
};

impl Worker {
    pub(super) fn handle_rtcp_from(
        &mut self,
        now: Instant,
        key: PeerKey,
        from: SocketAddr,
        mut bytes: BytesMut,
    ) -> Result<(), Dropped> {
        let ntp_middle = (self.ntp(now) >> 16) as u32;
        let peer = self.peers[key].as_mut().ok_or(Dropped::Unroutable)?;
        let (_, opener) = peer.srtp.as_mut().ok_or(Dropped::NotReady)?;
        // A packet that was late on the old path must not move the peer back to it.
        let leads = opener.rtcp_lead(&bytes).is_some();
        opener.open_rtcp(&mut bytes)?;
        if leads || peer.address.is_none() {
            peer.switch_path(now, from);
        }
        peer.heard = now;
        let room = self.rooms.get_mut(&peer.room).ok_or(Dropped::Unroutable)?;
        let mut outcome = Ok(());
        for report in rtcp::reports(&bytes) {
            match (report, &mut peer.role) {
                (Err(reason), _) => outcome = Err(reason),
                // BYE ends one source, not the connection: that is close_notify of DTLS.
                (Ok(Report::Sender { ssrc, ntp, rtp }), Role::Publisher(publisher)) => {
                    if let Some(clock) = publisher.handle_sender_report(now, ssrc, ntp, rtp) {
                        let kind = publisher.terms().tracks[clock.track].kind;
                        room.report(now, peer.id, kind, clock);
                        let relay = Relay::Report { room: peer.room, publisher: peer.id, kind, clock };
                        self.relays.extend(room.others.iter().map(|to| (*to, relay.clone())));
                    }
                }
                (Ok(_), Role::Publisher(_)) | (Ok(Report::Sender { .. }), Role::Viewer(_)) => {}
                (Ok(Report::Nack { ssrc, lost }), Role::Viewer(_)) => {
                    repeat(now, room, peer, ssrc, lost, &mut self.outbox);
                }
                (Ok(Report::Receptions(blocks)), Role::Viewer(viewer)) => {
                    viewer.handle_report(now, ntp_middle, blocks);
                }
                (Ok(Report::Arrivals(arrivals)), Role::Viewer(viewer)) => viewer.handle_arrivals(now, arrivals),
                (Ok(Report::Remb(bps)), Role::Viewer(viewer)) => viewer.bandwidth.handle_remb(now, bps),
                (Ok(Report::Keyframe { ssrc }), Role::Viewer(viewer)) => {
                    let slot = viewer.slot_of(ssrc).map(|slot| &viewer.slots[slot]);
                    self.relays.extend(want_keyframe(now, room, slot));
                }
            }
        }
        // A report only postpones a viewer's deadlines, unless the bandwidth has to be allocated anew.
        let is_due = match &peer.role {
            Role::Publisher(_) => true,
            Role::Viewer(viewer) => viewer.bandwidth.is_due(),
        };
        if is_due {
            self.schedule(key);
        }
        outcome
    }
}

fn repeat(now: Instant, room: &Room, peer: &mut Peer, ssrc: u32, lost: Lost<'_>, out: &mut Outbox) {
    let Some((viewer, mut egress)) = peer.viewing(out) else { return };
    // A paused slot is not repaired.
    let Some(slot) = viewer.slot_of(ssrc).filter(|slot| viewer.slots[*slot].source().is_some()) else {
        return;
    };
    viewer.bandwidth.at(now);
    let history = |id: TrackId, _| room.layer(id).map(|(_, layer)| &layer.history);
    for seq in lost.take(NACKED_MAX) {
        viewer.repeat(now, slot, seq, history, &mut egress);
    }
    egress.out.seal_run();
}

/// Notes that a viewer cannot decode. While it is still being sent the cached group no keyframe is requested.
///
/// Returns the request for the track's home, if that is another worker.
fn want_keyframe(now: Instant, room: &mut Room, slot: Option<&Slot>) -> Option<(WorkerId, Relay)> {
    let (id, _) = slot.filter(|slot| !slot.catches_up())?.source()?;
    let home = room.layer(id)?.0.home;
    let (room, layer) = (room.id, room.layer_mut(id)?);
    let Some(home) = home else {
        layer.keyframe_requests.request(KeyframeReason::Viewer);
        return None;
    };
    let is_asked = layer.asked_home.is_some_and(|at| now.saturating_duration_since(at) < ASK_HOME_EVERY);
    (!is_asked).then(|| {
        layer.asked_home = Some(now);
        (home, Relay::RequestKeyframe { room, layer: id, need: KeyframeReason::Viewer })
    })
}

/// The home asks its publisher more rarely; this only keeps a flood of requests on the worker that receives it.
const ASK_HOME_EVERY: Duration = Duration::from_millis(250);

/// Sequence numbers served of one NACK: more missing at once are an outage, not loss.
const NACKED_MAX: usize = 512;
