//! The holder of a seat, and its connections.

use school::base::id::{ClassroomId, SeatId};
use sfu::TrackKind;

use crate::live::wire::SeatRole;

/// The ID of one page's socket. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u64);

/// Purpose of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It publishes this video slot, and the voice if its offer has audio.
    Publish {
        /// Camera or board.
        picture: TrackKind,
        /// The lesson goes live with its first packet.
        auto_start: bool,
    },
    /// It receives.
    Receive,
}

impl Purpose {
    pub(super) fn is_same_thing_as(self, other: Self) -> bool {
        match (self, other) {
            (Self::Publish { picture, .. }, Self::Publish { picture: other, .. }) => picture == other,
            (Self::Receive, Self::Receive) => true,
            _ => false,
        }
    }
}

/// The holder of a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sitter {
    /// The seat.
    pub seat_id: SeatId,
    /// Role.
    pub role: SeatRole,
    /// Name shown to others.
    pub name: String,
    /// The classroom. `None`: not a classroom's seat.
    pub classroom_id: Option<ClassroomId>,
}
