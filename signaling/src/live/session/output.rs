//! What a session asks of the registry.

use school::{
    base::id::SeatId,
    report::{End, quality::Sample},
};
use sfu::PeerId;

use super::sitter::SocketId;
use crate::live::wire::CloseReason;

/// What the registry has to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// Close this peer.
    ClosePeer(PeerId),
    /// Say goodbye on this socket.
    Bye(SocketId, CloseReason),
    /// What flows has changed: tell everyone.
    SlotsChanged,
    /// What the seat's line has no room for has changed: tell its page.
    PausedChanged(SeatId),
    /// An encoder's first packet is here: the lesson goes live.
    GoLive,
    /// What was seen of an end, for the roll.
    Seen(End, Sample),
}
