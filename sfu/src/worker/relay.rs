//! A lesson spreads over all workers: what one worker tells another.
//!
//! The worker that has the publisher is the track's home. It hands what it releases, as shared read-only packets, to
//! every worker with somebody in the room; each keeps a history of its own, so joiners and repairs stay where they are.
//! Keyframes are asked of the home alone. Datagrams that the kernel dealt to the wrong worker are handed over too.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use bytes::BytesMut;

use crate::{
    id::{PeerId, RoomId, TrackId, WorkerId},
    media::TrackKind,
    packet::Packet,
    room::LayerSource,
    uplink::{keyframe::KeyframeReason, publish::SenderClock},
};

/// What one worker tells another. Nothing in it is ever written again.
#[derive(Debug, Clone)]
pub enum Relay {
    /// The sender has somebody in that room now: give it what is published, and what comes.
    Here {
        /// The room.
        room: RoomId,
        /// The sender.
        from: WorkerId,
    },
    /// The sender has nobody there any more.
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
        /// What it says.
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
    /// Somebody needs a keyframe of a layer that is at home with you.
    RequestKeyframe {
        /// The room.
        room: RoomId,
        /// The layer.
        layer: TrackId,
        /// Why.
        need: KeyframeReason,
    },
    /// A datagram for a peer of yours, or perhaps of yours.
    Datagram {
        /// Where it came from.
        from: SocketAddr,
        /// What it was.
        bytes: BytesMut,
    },
}

impl Relay {
    /// May it be dropped where the other worker does not keep up? What it carries is repaired, or sent again.
    #[must_use]
    pub fn is_media(&self) -> bool {
        matches!(self, Self::Burst { .. } | Self::Datagram { .. })
    }
}
