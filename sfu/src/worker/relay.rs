//! Messages between workers, by which one lesson spreads over all of them.
//!
//! The worker that has the publisher is the track's home. It hands what it releases, as shared read-only packets, to
//! every worker with peers in the room; each keeps a history of its own, which serves its joiners and repairs.
//! Keyframes are requested through the home alone. Datagrams that the kernel gave to the wrong worker are handed over
//! too.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use bytes::BytesMut;

use crate::{
    id::{PeerId, RoomId, TrackId, WorkerId},
    media::TrackKind,
    packet::Packet,
    room::LayerSource,
    uplink::{keyframe::KeyframeReason, publish::SenderClock},
};

/// A message of one worker to another. Its contents are immutable.
#[derive(Debug, Clone)]
pub enum Relay {
    /// The sender has peers in that room now: send it what is published, and what comes.
    Here {
        /// The room.
        room: RoomId,
        /// The sender.
        from: WorkerId,
    },
    /// The sender has no peer in that room any more.
    Gone {
        /// The room.
        room: RoomId,
        /// The sender.
        from: WorkerId,
    },
    /// A layer and its newest group of pictures.
    Cached {
        /// The room.
        room: RoomId,
        /// The layer.
        source: LayerSource,
        /// From the newest keyframe on. Empty: there is none, or it is sound.
        packets: Arc<[Arc<Packet>]>,
        /// When the newest packet of the layer came.
        newest_at: Instant,
        /// As [`crate::room::Layer::sync`].
        sync: Option<(u32, Instant)>,
    },
    /// What a layer has just released.
    Burst {
        /// The room.
        room: RoomId,
        /// The layer.
        source: LayerSource,
        /// In order of arrival.
        packets: Arc<[Arc<Packet>]>,
    },
    /// A publisher's sender report.
    Report {
        /// The room.
        room: RoomId,
        /// The publisher.
        publisher: PeerId,
        /// The track.
        kind: TrackKind,
        /// Its contents.
        clock: SenderClock,
    },
    /// A track has ended.
    Ended {
        /// The room.
        room: RoomId,
        /// Its publisher.
        publisher: PeerId,
        /// What it showed.
        kind: TrackKind,
    },
    /// A viewer or tap needs a keyframe of a layer whose home is the receiving worker.
    RequestKeyframe {
        /// The room.
        room: RoomId,
        /// The layer.
        layer: TrackId,
        /// Why.
        need: KeyframeReason,
    },
    /// A datagram that is, or may be, for a peer of the receiving worker.
    Datagram {
        /// Where it came from.
        from: SocketAddr,
        /// What it was.
        bytes: BytesMut,
    },
}

impl Relay {
    /// May it be dropped where the other worker does not keep up? True of what is repaired or sent again.
    #[must_use]
    pub fn is_media(&self) -> bool {
        matches!(self, Self::Burst { .. } | Self::Datagram { .. })
    }
}
