//! Names of what lives in memory. They are counters: nothing here is stored.

use std::fmt;

use serde::Serialize;

macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident, $number:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(pub $number);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

counter_id!(
    /// One lesson on the wire. (A school's room is a classroom, never a `Room`.)
    RoomId,
    u64
);
counter_id!(
    /// One WebRTC connection. A seat in a lesson outlives its peers; a peer does not outlive its connection.
    PeerId,
    u64
);
counter_id!(
    /// One published voice or picture. A teacher who comes back publishes a new track.
    TrackId,
    u64
);
counter_id!(
    /// One core of the hub: a thread that owns its peers outright.
    WorkerId,
    u8
);
