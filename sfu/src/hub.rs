//! The way in for the rest of the house: rooms, peers and taps by call, what happens by event.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;

use crate::{
    id::{PeerId, RoomId},
    media::{Codec, TrackKind},
    stats::HubStats,
    tap::TapReceiver,
};

/// What the hub needs to know before its port opens.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// UDP address of the media port.
    pub listen: SocketAddr,
    /// Addresses written as candidates into every answer. Empty: the addresses of this machine's interfaces.
    pub announce: Vec<IpAddr>,
    /// Worker threads, each pinned to a core of its own. At least 1.
    pub workers: usize,
}

/// What happens on the wire, for whoever keeps the lesson.
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
    /// The peer is no more. Its id is never used again.
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
    /// The lesson's side asked for it (DELETE, lesson ended, seat replaced).
    Closed,
    /// The other side said goodbye (DTLS close_notify).
    Left,
    /// No authenticated packet for [`crate::limits::CONSENT_EXPIRES_AFTER`].
    Silent,
    /// It was answered but never connected in [`crate::limits::CONNECT_WITHIN`].
    NeverConnected,
    /// Its certificate is not the one in its offer, or its handshake broke.
    HandshakeFailed,
    /// A fault of ours: its state panicked and was thrown away.
    Panicked,
}

/// An accepted offer.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The new peer.
    pub peer: PeerId,
    /// The SDP answer, complete with candidates.
    pub sdp: String,
    /// The ICE user fragment of our side; RFC 9725 §4.3.1 makes the entity tag of it.
    pub ice_ufrag: String,
}

/// Why an offer is not accepted. Each is a caller's fault but `Full`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The text is no SDP that RFC 8866 knows, or breaks a rule of JSEP.
    #[error("the offer cannot be read: {0}")]
    BadSdp(String),
    /// Nothing in it can be decoded by us, or by what the lesson's publisher sends.
    #[error("no codec in common for {kind}: the lesson has {wanted:?}")]
    UnsupportedCodec {
        /// The track or slot.
        kind: TrackKind,
        /// What would have been accepted.
        wanted: Vec<Codec>,
    },
    /// The m-lines do not fit what was asked: too many, none, wrong direction.
    #[error("the offer's media do not fit: {0}")]
    MediaMismatch(String),
    /// There is no such room, or it is closed.
    #[error("the lesson is not open")]
    NoRoom,
    /// The hub is at its limit: try again after this long.
    #[error("the hub is full")]
    Full {
        /// When to try again.
        retry_after: Duration,
    },
}

/// Why an ICE restart or trickle is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The peer has gone: offer anew.
    #[error("the connection has gone")]
    Gone,
    /// The fragment cannot be read (RFC 8840).
    #[error("the SDP fragment cannot be read: {0}")]
    BadFragment(String),
}

/// What a PATCH of a session did (RFC 9725 §4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patched {
    /// Candidates only: noted. ICE-lite learns addresses from checks, so nothing more is needed.
    Trickled,
    /// New credentials on the other side: here are ours as an SDP fragment.
    Restarted {
        /// The fragment to answer with (`application/trickle-ice-sdpfrag`).
        fragment: String,
        /// Our new user fragment: the new entity tag.
        ice_ufrag: String,
    },
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

/// The running media plane. Cheap to clone; the last clone's end stops the workers.
#[derive(Clone)]
pub struct Hub {}

impl Hub {
    /// Opens the media port and starts the workers.
    ///
    /// # Errors
    /// [`StartError`] says which part could not start.
    pub fn start(_config: HubConfig, _events: EventSink) -> Result<Self, StartError> {
        Err(StartError::NoAddress)
    }

    /// Opens a room: a lesson may now be published and played.
    pub fn open_room(&self) -> RoomId {
        RoomId(0)
    }

    /// Closes a room: its peers are told goodbye, its taps end.
    pub fn close_room(&self, _room: RoomId) {}

    /// Answers a publisher's offer (WHIP): at most one sound, which is the voice, and one picture, which is `picture`
    /// (`Camera`, `Board` or `Stage`; with `Stage` a sound is the `StageVoice`).
    ///
    /// A new publisher of a kind replaces the one before at its first packet.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub fn publish(&self, _room: RoomId, _picture: TrackKind, _offer: &str) -> Result<Answered, OfferError> {
        Err(OfferError::NoRoom)
    }

    /// Answers a viewer's offer (WHEP). `slots` names the offer's m-lines in order; `None`: the first sound is the
    /// voice, the first picture the camera.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub fn play(&self, _room: RoomId, _slots: Option<&[TrackKind]>, _offer: &str) -> Result<Answered, OfferError> {
        Err(OfferError::NoRoom)
    }

    /// Takes trickled candidates, or restarts ICE where the fragment brings new credentials.
    ///
    /// # Errors
    /// See [`PatchError`].
    pub fn patch(&self, _peer: PeerId, _fragment: &str) -> Result<Patched, PatchError> {
        Err(PatchError::Gone)
    }

    /// Ends a peer. Harmless where it has gone already.
    pub fn close_peer(&self, _peer: PeerId) {}

    /// Reads a room at full quality. Tracks that flow already are told at once, from their newest keyframe on.
    pub fn tap(&self, _room: RoomId) -> TapReceiver {
        crate::tap::channel(crate::limits::TAP_ITEMS_MAX).1
    }

    /// The workers' newest figures, at most a second old.
    pub fn stats(&self) -> HubStats {
        HubStats::default()
    }

    /// The UDP address that is really bound (the port where 0 was asked for).
    pub fn media_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// Says goodbye to every peer and stops the workers; returns when they have stopped.
    pub fn shut_down(&self) {}
}
