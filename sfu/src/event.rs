//! What the hub reports: events of its peers and tracks, why a peer is gone, why the hub cannot start.

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;

use crate::{
    id::{PeerId, RoomId},
    media::{Codec, TrackKind},
};

/// What happens on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum HubEvent {
    /// ICE and DTLS are done: media can flow.
    PeerConnected {
        /// Its room.
        room: RoomId,
        /// The peer.
        peer: PeerId,
    },
    /// The peer has gone. Its id is never used again.
    PeerGone {
        /// Its room.
        room: RoomId,
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: GoneReason,
    },
    /// A publisher's track brought its first packet.
    TrackStarted {
        /// Its room.
        room: RoomId,
        /// Who publishes it.
        peer: PeerId,
        /// What it shows.
        kind: TrackKind,
        /// How it is encoded.
        codec: Codec,
    },
    /// A track has ended: nothing flows in the slots of this kind until another starts.
    TrackEnded {
        /// Its room.
        room: RoomId,
        /// Who published it.
        peer: PeerId,
        /// What it showed.
        kind: TrackKind,
    },
}

/// Why a peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoneReason {
    /// The caller closed it (DELETE, lesson ended, seat replaced).
    Closed,
    /// The client closed the connection (DTLS close_notify).
    Left,
    /// No authenticated packet for [`crate::limits::CONSENT_EXPIRES_AFTER`].
    Silent,
    /// It was answered but never connected in [`crate::limits::CONNECT_WITHIN`].
    NeverConnected,
    /// Its certificate is not the one in its offer, or its handshake broke.
    HandshakeFailed,
    /// Panic isolation: a defect of the hub made its state panic, and it was dropped.
    Panicked,
}

/// Where events go. Called on a worker's thread: it must not block.
pub type EventSink = Arc<dyn Fn(HubEvent) + Send + Sync>;

/// The hub cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The media port cannot be opened.
    #[error("cannot open UDP port {listen}")]
    Bind {
        /// What was asked for.
        listen: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No address of this machine can be announced to clients.
    #[error("no address to announce: give one with --announce")]
    NoAddress,
    /// The DTLS certificate could not be made.
    #[error("cannot make a DTLS certificate: {0}")]
    Certificate(String),
}
