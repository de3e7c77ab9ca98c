//! Plain snapshots of what the workers count.

use std::collections::HashMap;

use serde::Serialize;

use crate::id::{PeerId, RoomId};
use crate::media::TrackKind;

/// The whole hub.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HubStats {
    /// Rooms open now.
    pub rooms: usize,
    /// Peers by id.
    pub peers: HashMap<PeerId, PeerStats>,
    /// RTP packets received from publishers and accepted.
    pub packets_in: u64,
    /// RTP packets sent to viewers, retransmissions included.
    pub packets_out: u64,
    /// Bytes of UDP payload received.
    pub bytes_in: u64,
    /// Bytes of UDP payload sent.
    pub bytes_out: u64,
    /// Keyframes asked of publishers (PLI sent).
    pub keyframes_asked: u64,
    /// Peers thrown away because their state panicked. Any value but 0 is a defect.
    pub panics: u64,
    /// Packets dropped, by reason.
    pub dropped: HashMap<&'static str, u64>,
}

/// One connection.
#[derive(Debug, Clone, Serialize)]
pub struct PeerStats {
    /// Its room.
    pub room: RoomId,
    /// True for a publisher.
    pub publishes: bool,
    /// ICE and DTLS are done.
    pub connected: bool,
    /// Smoothed round trip in milliseconds. `None`: not measured yet.
    pub rtt_ms: Option<f64>,
    /// Share of packets lost in the last report, 0 to 1: on the way to a viewer, or from a publisher.
    pub loss: f64,
    /// Bits per second in the last second: to a viewer, or from a publisher.
    pub bitrate_bps: u64,
    /// What flows.
    pub tracks: Vec<TrackKind>,
}
