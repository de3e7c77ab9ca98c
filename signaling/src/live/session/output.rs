//! Outputs of a session, applied by the registry.

use school::{
    base::id::SeatId,
    report::{End, quality::Sample},
};
use sfu::PeerId;

use super::sitter::SocketId;
use crate::live::wire::CloseReason;

/// An action for the registry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// Close this peer.
    ClosePeer(PeerId),
    /// Send `bye` on this socket and close it.
    Bye(SocketId, CloseReason),
    /// The slots have changed: send them to all pages.
    SlotsChanged,
    /// The tracks paused on the seat's line have changed: send them to its page.
    PausedChanged(SeatId),
    /// An encoder's first packet has come: the lesson goes live.
    GoLive,
    /// An attendance window of an end, for the sample buffer.
    Seen(End, Sample),
}
