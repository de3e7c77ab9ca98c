//! The sender's clock as a receiver learns it from what arrives.

use std::time::{Duration, Instant};

/// Maps the sender's clock to ours: the fastest packet seen sets the line, and a delay covers the slower ones.
#[derive(Debug)]
pub(super) struct MediaClock {
    origin: Instant,
    newest: (u32, i64),
    rate: i64,
    pub(super) delay: Duration,
    bounds: DelayBounds,
    looked: Instant,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct DelayBounds {
    pub(super) least: Duration,
    pub(super) most: Duration,
    pub(super) margin: Duration,
    pub(super) falls_per_second: Duration,
}

impl MediaClock {
    pub(super) fn new(now: Instant, timestamp: u32, rate: i64, bounds: DelayBounds) -> Self {
        let newest = (timestamp, 0);
        Self { origin: now, newest, rate, delay: bounds.least, bounds, looked: now }
    }

    /// Ticks since the first timestamp, over wraps.
    pub(super) fn media(&self, timestamp: u32) -> i64 {
        let (newest, media) = self.newest;
        media + i64::from(timestamp.wrapping_sub(newest) as i32)
    }

    /// When the fastest line would have brought it.
    pub(super) fn time_of(&self, media: i64) -> Instant {
        let time = Duration::from_nanos(media.unsigned_abs() * 1_000_000_000 / self.rate.unsigned_abs());
        if media < 0 { self.origin.checked_sub(time).unwrap_or(self.origin) } else { self.origin + time }
    }

    /// When something that is there at `now` is due; learns from how late it is.
    pub(super) fn due(&mut self, now: Instant, timestamp: u32) -> Instant {
        let media = self.media(timestamp);
        if media > self.newest.1 {
            self.newest = (timestamp, media);
        }
        let expected = self.time_of(media);
        if now < expected {
            // Faster than the fastest so far: everything else turns out to have been later by as much.
            let faster = expected - now;
            self.origin = self.origin.checked_sub(faster).unwrap_or(self.origin);
            self.delay = (self.delay + faster).min(self.bounds.most);
        }
        let fall = self.bounds.falls_per_second.mul_f64(now.saturating_duration_since(self.looked).as_secs_f64());
        self.looked = now;
        let late = now.saturating_duration_since(self.time_of(media));
        let kept = self.delay.saturating_sub(fall);
        self.delay = kept.max((late + self.bounds.margin).min(self.bounds.most)).max(self.bounds.least);
        self.time_of(media) + self.delay
    }
}
