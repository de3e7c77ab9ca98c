//! A fixed-window rate limit: failed sign-ins of an address, offers of a seat, messages of a page.
//!
//! Not a library's token bucket: for sign-ins only failures count, which are known after the check, and the time is
//! the caller's.

use std::time::{Duration, Instant};

/// Number of events since the window began.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    since: Instant,
    count: u32,
}

impl RateLimit {
    /// An empty window that begins now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { since: now, count: 0 }
    }

    /// Checks that fewer than `max` were counted within `per`.
    ///
    /// # Errors
    /// Time until the window ends, if the limit is reached.
    pub fn check(&self, now: Instant, max: u32, per: Duration) -> Result<(), Duration> {
        if self.count >= max && !self.is_over(now, per) { Err(per - self.passed(now)) } else { Ok(()) }
    }

    /// Counts one, in a new window if the last has ended.
    pub fn count(&mut self, now: Instant, per: Duration) {
        if self.is_over(now, per) {
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
    }

    /// Checks the limit, and counts one if it is not reached.
    ///
    /// # Errors
    /// Time until the window ends, if the limit is reached.
    pub fn take(&mut self, now: Instant, max: u32, per: Duration) -> Result<(), Duration> {
        self.check(now, max, per)?;
        self.count(now, per);
        Ok(())
    }

    /// Whether the window has ended.
    #[must_use]
    pub fn is_over(&self, now: Instant, per: Duration) -> bool {
        self.passed(now) >= per
    }

    fn passed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
    fn a_window_lets_in_so_many_and_says_when_the_next_one_begins() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let mut limit = RateLimit::new(begun);
        assert!((0..3).all(|_| limit.take(begun, 3, 60 * second).is_ok()));
        assert_eq!(limit.take(begun + 20 * second, 3, 60 * second), Err(40 * second));
        assert_eq!(limit.take(begun + 60 * second, 3, 60 * second), Ok(()));
        assert_eq!(limit.check(begun + 61 * second, 1, 60 * second), Err(59 * second), "the new window has one");
    }
}
