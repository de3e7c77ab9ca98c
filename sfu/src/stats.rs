//! Plain snapshots of what the workers count.

use std::collections::HashMap;

use serde::Serialize;

use crate::id::{PeerId, RoomId, WorkerId};
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
    /// Keyframes asked of publishers (PLI or FIR sent), by need.
    pub keyframes_asked: HashMap<&'static str, u64>,
    /// Peers dropped because their state panicked. Any value but 0 is a defect.
    pub panics: u64,
    /// Packets dropped, by reason.
    pub dropped: HashMap<&'static str, u64>,
}

impl HubStats {
    /// Adds another worker's figures.
    pub(crate) fn add(&mut self, worker: &Self) {
        self.rooms = self.rooms.max(worker.rooms);
        self.peers.extend(worker.peers.iter().map(|(id, peer)| (*id, peer.clone())));
        self.packets_in += worker.packets_in;
        self.packets_out += worker.packets_out;
        self.bytes_in += worker.bytes_in;
        self.bytes_out += worker.bytes_out;
        self.panics += worker.panics;
        let add = |into: &mut HashMap<&'static str, u64>, from: &HashMap<&'static str, u64>| {
            for (name, count) in from {
                *into.entry(name).or_default() += count;
            }
        };
        add(&mut self.keyframes_asked, &worker.keyframes_asked);
        add(&mut self.dropped, &worker.dropped);
    }
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
    /// Its packets go by TCP: its UDP is blocked.
    pub by_tcp: bool,
    /// The worker that has it.
    pub worker: WorkerId,
    /// Smoothed round trip in milliseconds. `None`: not measured yet.
    pub rtt_ms: Option<f64>,
    /// Share of packets lost, 0 to 1. On the way to a viewer that reports on every packet: of the last five seconds. To
    /// another, and from a publisher: of the last report, the worst of its tracks.
    pub loss: f64,
    /// Bits per second in the last second: to a viewer, or from a publisher.
    pub bitrate_bps: u64,
    /// What flows.
    pub tracks: Vec<TrackKind>,
    /// What the line to a viewer carries, bits per second. `None`: a publisher.
    pub estimate_bps: Option<u64>,
    /// A viewer's slots. Empty: a publisher.
    pub slots: Vec<SlotStats>,
}

/// What one slot of a viewer carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotStats {
    /// What it shows.
    pub kind: TrackKind,
    /// The layer that flows: the index of its rid, 0 without simulcast. `None`: nothing does.
    pub layer: Option<usize>,
    /// Its track flows, but the bandwidth does not suffice for it.
    pub paused: bool,
}

/// Why a packet was dropped. The name is also the label of its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// Not STUN, DTLS, RTP or RTCP, or cut short.
    Malformed,
    /// No peer is known at that address.
    Unroutable,
    /// An ICE check for an unknown user fragment, or signed with another password.
    BadCheck,
    /// The SRTP or SRTCP tag does not fit.
    NotAuthentic,
    /// Received before, or older than the replay window.
    Replayed,
    /// One peer with more sources than any device has.
    TooManySsrcs,
    /// A payload type that was not agreed, or media from a viewer.
    NotAgreed,
    /// Sent before the keys were there.
    NotReady,
    /// Older than anything that could still be used.
    TooOld,
    /// The slot waits for a keyframe.
    AwaitingKeyframe,
    /// The sender sends more than any teacher's device does.
    TooFast,
    /// The recorder, or another reader, is too slow.
    TapFull,
    /// The socket's buffer is full.
    SocketFull,
    /// Another worker does not keep up: a burst for its viewers, or a datagram, is not handed over.
    WorkerBehind,
}

impl Dropped {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::Unroutable,
        Self::BadCheck,
        Self::NotAuthentic,
        Self::Replayed,
        Self::TooManySsrcs,
        Self::NotAgreed,
        Self::NotReady,
        Self::TooOld,
        Self::AwaitingKeyframe,
        Self::TooFast,
        Self::TapFull,
        Self::SocketFull,
        Self::WorkerBehind,
    ];

    /// The metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unroutable => "unroutable",
            Self::BadCheck => "bad_check",
            Self::NotAuthentic => "not_authentic",
            Self::Replayed => "replayed",
            Self::TooManySsrcs => "too_many_ssrcs",
            Self::NotAgreed => "not_agreed",
            Self::NotReady => "not_ready",
            Self::TooOld => "too_old",
            Self::AwaitingKeyframe => "awaiting_keyframe",
            Self::TooFast => "too_fast",
            Self::TapFull => "tap_full",
            Self::SocketFull => "socket_full",
            Self::WorkerBehind => "worker_behind",
        }
    }
}
