//! Who takes a seat, and by what it is reached.

use school::base::id::{ClassroomId, SeatId};
use sfu::TrackKind;

use crate::live::wire::SeatRole;

/// One page's socket. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u64);

/// What a peer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It publishes this picture, and the voice where it brings a sound.
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

/// Who takes a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sitter {
    /// Which seat.
    pub seat_id: SeatId,
    /// In which role.
    pub role: SeatRole,
    /// As others see it.
    pub name: String,
    /// The classroom, where it is one.
    pub classroom_id: Option<ClassroomId>,
}
