//! What a worker is asked to do by the hub.

use crate::{
    id::{PeerId, RoomId},
    tap::TapSender,
    transport::ice::Credentials,
};

/// What a worker is asked to do.
#[derive(Debug)]
pub enum Command {
    /// End a room and all its peers.
    CloseRoom(RoomId),
    /// End a peer.
    ClosePeer(PeerId),
    /// The client restarts ICE: accept checks signed with these new credentials too.
    Restart {
        /// The peer.
        peer: PeerId,
        /// Our new credentials.
        ours: Credentials,
    },
    /// Read a room at full quality.
    Tap {
        /// The room.
        room: RoomId,
        /// Where its packets go.
        tap: TapSender,
    },
    /// End every peer and room.
    CloseAll,
}
