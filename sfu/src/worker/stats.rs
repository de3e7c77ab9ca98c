//! A worker's figures, once a second.

use std::{collections::HashMap, time::Instant};

use super::Worker;
use crate::{
    forward::view::SentTotals,
    stats::{Dropped, HubStats, PeerStats, SlotStats},
    transport::tcp_address,
    uplink::keyframe::KeyframeReason,
    worker::peer::Role,
};

impl Worker {
    /// Takes the statistics. Called once a second.
    pub(super) fn take_stats(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.second_at).as_secs_f64().max(0.1);
        self.second_at = now;
        let mut peers = HashMap::new();
        for peer in self.peers.iter_mut().flatten() {
            let connected = peer.is_connected();
            let by_tcp = peer.address.and_then(tcp_address::connection).is_some();
            let (mut estimate_bps, mut slots) = (None, Vec::new());
            let (publishes, rtt, loss, bytes, tracks) = match &mut peer.role {
                Role::Publisher(publisher) => {
                    (true, None, publisher.loss(), std::mem::take(&mut peer.received), publisher.flowing().collect())
                }
                Role::Viewer(viewer) => {
                    let SentTotals { packets, bytes } = std::mem::take(&mut viewer.sent);
                    self.counters.packets_out += packets;
                    self.counters.bytes_out += bytes;
                    estimate_bps = Some(viewer.bandwidth.estimate_bps());
                    slots.extend(viewer.slots.iter().map(|slot| SlotStats {
                        kind: slot.terms().kind,
                        layer: slot.source().map(|(_, layer)| layer),
                        paused: slot.is_paused,
                    }));
                    let loss = viewer.bandwidth.loss_of_late().unwrap_or(viewer.loss);
                    (false, viewer.rtt, loss, bytes, viewer.flowing().collect())
                }
            };
            let stats = PeerStats {
                room: peer.room,
                publishes,
                connected,
                by_tcp,
                worker: self.config.id,
                rtt_ms: rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
                loss,
                bitrate_bps: (bytes as f64 * 8.0 / seconds) as u64,
                tracks,
                estimate_bps,
                slots,
            };
            peers.insert(peer.id, stats);
        }
        let counters = &self.counters;
        self.stats = HubStats {
            rooms: self.config.lobby.rooms(),
            peers,
            packets_in: counters.packets_in,
            packets_out: counters.packets_out,
            bytes_in: counters.bytes_in,
            bytes_out: counters.bytes_out,
            keyframes_asked: KeyframeReason::ALL.map(|need| (need.as_str(), counters.keyframes[need as usize])).into(),
            panics: counters.panics,
            dropped: Dropped::ALL.map(|reason| (reason.as_str(), counters.dropped[reason as usize])).into(),
        };
    }
}
