//! Why an offer, or a later change of a session, is refused.

use std::time::Duration;

use crate::media::{Codec, TrackKind};

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

/// [`OfferError::BadSdp`] with its reason.
pub(super) fn bad(reason: impl Into<String>) -> OfferError {
    OfferError::BadSdp(reason.into())
}
