//! The two clocks of an archive: the monotonic one and the calendar.
#![expect(clippy::disallowed_methods, reason = "this is the rim: the clocks live here")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the archive reads the time.
pub trait Clock: Send + Sync + 'static {
    /// The monotonic clock, with which tap items are stamped.
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
