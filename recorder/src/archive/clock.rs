//! The two clocks of an archive: the one that never runs back, and the one on the wall.
#![expect(clippy::disallowed_methods, reason = "this is the rim: the clocks live here")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What the archive reads the time from.
pub trait Clock: Send + Sync + 'static {
    /// The clock that tap items are stamped with.
    fn now(&self) -> Instant;
    /// Milliseconds since 1970.
    fn wall_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
