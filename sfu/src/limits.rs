//! Every bound of the media plane, with its reason.

use std::time::Duration;

/// A classroom's line carries three decoded videos at most: voice, board and camera, one class on stage with its voice.
pub const SLOTS_PER_PEER_MAX: usize = 6;

/// Unread items in a tap: about 4 s of one teacher's camera, board and voice, so a disk may stall that long.
pub const TAP_ITEMS_MAX: usize = 4_096;

/// A publisher's missing packet is asked for this long. Browsers keep what they sent for about a second or three round
/// trips, and the recorder waits half a second longer than this.
pub const REPAIR_WITHIN: Duration = Duration::from_millis(1_500);

/// Consent expires sooner than the 30 s of RFC 7675, so that a victim of a spoofed address is sent less.
pub const CONSENT_EXPIRES_AFTER: Duration = Duration::from_secs(15);

/// An answered offer that never connects is forgotten, with its memory.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(15);

/// No browser's SDP is larger.
pub const SDP_BYTES_MAX: usize = 64 * 1024;

/// Seats on each worker unless `--max-seats` says otherwise: a camera of 1.5 Mbit/s and a voice are 240 packets a
/// second at about 2 µs, so a core is full at this many.
pub const SEATS_PER_WORKER: usize = 2_000;

/// A full hub still admits so many publishers, because their lessons are running.
pub const PUBLISHERS_BEYOND_LIMIT: usize = 64;

/// Peers of one room that were answered and have not connected: more than join a lesson in [`CONNECT_WITHIN`] at the
/// bell, and 16 MiB at most.
pub const HALF_OPEN_PER_ROOM_MAX: usize = 800;

/// Kernel buffers of the media port: a keyframe to 500 classrooms, or 50 ms of everything, while a worker is busy.
pub const SOCKET_BUFFER_BYTES: usize = 8 * 1024 * 1024;
