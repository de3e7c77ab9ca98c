//! A fixed window that counts: failed sign-ins of an address, offers of a seat, messages of a page.
//!
//! Not a token bucket of a library: of sign-ins only failures count, which are known after the check, and the time is
//! the caller's.

use std::time::{Duration, Instant};

/// How many there were since the window began.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    since: Instant,
    count: u32,
}

impl RateLimit {
    /// A window that begins now, with nothing in it.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { since: now, count: 0 }
    }

    /// Whether fewer than `max` were counted within `per`.
    ///
    /// # Errors
    /// How long until the window ends.
    pub fn check(&self, now: Instant, max: u32, per: Duration) -> Result<(), Duration> {
        if self.count >= max && !self.is_over(now, per) { Err(per - self.passed(now)) } else { Ok(()) }
    }

    /// Counts one, in a new window where the last one is over.
    pub fn count(&mut self, now: Instant, per: Duration) {
        if self.is_over(now, per) {
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
    }

    /// Counts one where that is allowed.
    ///
    /// # Errors
    /// How long until the window ends.
    pub fn take(&mut self, now: Instant, max: u32, per: Duration) -> Result<(), Duration> {
        self.check(now, max, per)?;
        self.count(now, per);
        Ok(())
    }

    /// Whether the window is over.
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
