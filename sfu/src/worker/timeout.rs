//! What becomes due: handshakes, repairs, reports, keyframes, closing.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use super::{Relay, Worker};
use crate::{
    event::{GoneReason, HubEvent},
    id::RoomId,
    room::PeerKey,
    uplink::keyframe::KeyframeReason,
    worker::peer::Role,
};

impl Worker {
    /// Does what is due at `now`, after a flush.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.flush(now);
        while let Some((at, key)) = self.timers.pop_due(now) {
            let Some(peer) = self.peers[key].as_mut() else { continue };
            if peer.scheduled != Some(at) {
                continue;
            }
            peer.scheduled = None;
            if catch_unwind(AssertUnwindSafe(|| self.service_peer(now, key))).is_err() {
                self.drop_peer(now, Some(key));
            }
            // Not again in the same instant, whatever is due: the clock must advance.
            self.schedule_at_least(key, now + Duration::from_millis(1));
        }
        if now >= self.second_at + Duration::from_secs(1) {
            self.open_attempts = 0;
            self.take_stats(now);
            let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
            for id in rooms {
                self.request_tap_keyframes(id);
                let changed = self.rooms.get_mut(&id).is_some_and(|room| !room.choose_layers(now).is_empty());
                if changed {
                    self.route_room(now, id);
                }
            }
            if self.config.id.0 == 0 {
                for (peer, room) in self.config.lobby.expire(now) {
                    self.events.push_back(HubEvent::PeerGone { room, peer, reason: GoneReason::NeverConnected });
                }
            }
        }
    }

    /// Once a second. The publisher is asked more rarely than that in any case.
    fn request_tap_keyframes(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let remote = room.note_wanted().into_iter();
        self.relays.extend(
            remote
                .map(|(home, layer)| (home, Relay::RequestKeyframe { room: id, layer, need: KeyframeReason::Viewer })),
        );
    }

    /// When [`Self::handle_timeout`] is due. Never `None`: statistics are taken once a second.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let second = self.second_at + Duration::from_secs(1);
        [self.timers.next(), self.flush_at].into_iter().flatten().chain([second]).min()
    }

    pub(super) fn schedule(&mut self, key: PeerKey) {
        self.schedule_at_least(key, self.config.epoch);
    }

    fn schedule_at_least(&mut self, key: PeerKey, floor: Instant) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let due = peer.due().max(floor);
        if peer.scheduled.is_none_or(|at| due < at) {
            peer.scheduled = Some(due);
            self.timers.set(due, key);
        }
    }

    pub(super) fn schedule_catch_up(&mut self, due: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        if peer.scheduled.is_none_or(|at| due < at) {
            peer.scheduled = Some(due);
            self.timers.set(due, key);
        }
    }

    fn service_peer(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        if peer.has_expired(now) {
            let reason = if peer.srtp.is_some() { GoneReason::Silent } else { GoneReason::NeverConnected };
            self.remove(now, key, reason);
            return;
        }
        if let Some(handshake) = &mut peer.handshake {
            let outcome = handshake.handle_timeout(now);
            peer.flush_handshake(&mut self.outbox);
            if outcome.is_err() && peer.srtp.is_none() {
                self.remove(now, key, GoneReason::HandshakeFailed);
                return;
            }
        }
        if peer.srtp.is_none() {
            return;
        }
        match peer.role {
            Role::Publisher(_) => self.service_publisher(now, key),
            Role::Viewer(_) => self.service_viewer(now, key),
        }
    }

    fn service_publisher(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Role::Publisher(publisher) = &mut peer.role else { return };
        let mut compound = Vec::new();
        let is_report_due = now >= peer.report_at;
        if is_report_due {
            peer.report_at = now + FEEDBACK_EVERY;
        }
        publisher.receiver_report(now, &mut compound);
        let empty = compound.len();
        publisher.nacks(now, &mut compound);
        if is_report_due {
            if let Some(feedback) = publisher.transport_feedback() {
                compound.extend_from_slice(&feedback);
            }
            if let Some(room) = self.rooms.get_mut(&peer.room) {
                for track in
                    room.tracks.iter_mut().filter(|track| track.publisher == peer.id && !track.codec.is_sound())
                {
                    for (rid, layer) in track.layers.iter_mut().enumerate() {
                        let Some(layer) = layer else { continue };
                        if publisher.take_lost(track.index, rid) {
                            layer.keyframe_requests.request(KeyframeReason::Loss);
                        }
                        let (keyframe, group) = layer.history.group_bytes();
                        if let Some(need) = layer.keyframe_requests.poll(now, keyframe, group)
                            && publisher.ask_keyframe(track.index, rid, &mut compound)
                        {
                            self.counters.keyframes[need as usize] += 1;
                        }
                    }
                }
            }
        }
        if compound.len() > empty || is_report_due {
            peer.send_rtcp(&compound, &mut self.outbox);
        }
    }

    fn service_viewer(&mut self, now: Instant, key: PeerKey) {
        self.refresh_allocation(now, key);
        self.catch_up(now, key);
        self.probe(now, key);
        let ntp = self.ntp(now);
        let Some(peer) = self.peers[key].as_mut() else { return };
        let Role::Viewer(viewer) = &mut peer.role else { return };
        if now >= peer.report_at {
            peer.report_at = now + REPORT_EVERY;
            let Some(room) = self.rooms.get(&peer.room) else { return };
            let mut compound = Vec::new();
            viewer.sender_reports(
                ntp,
                |id, _| room.layer(id).and_then(|(track, layer)| layer.source_time(now, track.codec.clock_rate())),
                &mut compound,
            );
            peer.send_rtcp(&compound, &mut self.outbox);
        }
    }
}

/// Feedback to a publisher: frequent enough for its congestion control, rare enough for its line.
const FEEDBACK_EVERY: Duration = Duration::from_millis(60);

/// Sender reports to a viewer.
const REPORT_EVERY: Duration = Duration::from_secs(1);
