//! The measured throughput to the bucket: how many uploads may run at once, and the timeout of each.
//!
//! Progress of an upload cannot be observed: the buffers of two hosts and a modem may each hold a segment. So the
//! timeout is what the size takes at an eighth of the last measured rate, or at the slowest assumed rate if nothing is
//! known.

use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub struct Throughput {
    at_once: usize,
    slowest_bytes_per_second: u64,
    slots: usize,
    /// Bytes a second of the last upload of sufficient size. `None`: unknown.
    pace: Option<u64>,
}

impl Throughput {
    /// Nothing is known yet: at most `at_once` uploads, and no slower than `slowest_bytes_per_second`.
    #[must_use]
    pub fn new(at_once: usize, slowest_bytes_per_second: u64) -> Self {
        Self { at_once: at_once.max(1), slowest_bytes_per_second, slots: 1, pace: None }
    }

    /// How many uploads may run at once. At least one.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The timeout of so many bytes.
    #[must_use]
    pub fn timeout(&self, size_bytes: u64) -> Duration {
        let slowest = self.slowest_bytes_per_second.max(self.pace.unwrap_or(0) / SLOWER_AT_ONCE).max(1);
        Duration::from_secs_f64(size_bytes as f64 / slowest as f64)
    }

    /// An upload succeeded.
    pub fn handle_arrived(&mut self, took: Duration, size_bytes: u64) {
        if size_bytes < WEIGHT_MIN {
            return;
        }
        let pace = (size_bytes as f64 / took.as_secs_f64().max(0.001)) as u64;
        if pace >= WIDE_BYTES_PER_SECOND {
            self.slots = (self.slots + 1).min(self.at_once);
        } else if pace < THIN_BYTES_PER_SECOND {
            self.slots = (self.slots / 2).max(1);
        }
        self.pace = Some(pace);
    }

    /// An upload failed: forgets the measurements.
    pub fn handle_failed(&mut self) {
        (self.slots, self.pace) = (1, None);
    }
}

/// Smaller uploads measure the round trip, not the throughput: init segments do not count, segments of a voice do.
const WEIGHT_MIN: u64 = 8_192;

/// At this rate one more upload may run at once: a segment takes some seconds.
const WIDE_BYTES_PER_SECOND: u64 = 100_000;

/// Below this rate half as many may.
const THIN_BYTES_PER_SECOND: u64 = 25_000;

/// How much slower the next upload may be without failing: five more may share the link, and live media too.
const SLOWER_AT_ONCE: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_where_objects_go_fast_and_goes_where_they_are_slow_or_fail() {
        let seconds = Duration::from_secs;
        let mut line = Throughput::new(6, 5_000);
        // Took, size, room and timeout with a segment of 400 kB.
        for (took, size_bytes, room, timeout) in [
            // Too small to measure.
            (seconds(0), 700, 1, seconds(80)),
            (seconds(1), 400_000, 2, seconds(8)),
            (seconds(2), 400_000, 3, seconds(16)),
            (seconds(4), 400_000, 4, seconds(32)),
            // Neither fast nor slow.
            (seconds(8), 400_000, 4, seconds(64)),
            (seconds(40), 400_000, 2, seconds(80)),
            (seconds(40), 400_000, 1, seconds(80)),
            (seconds(40), 400_000, 1, seconds(80)),
        ] {
            line.handle_arrived(took, size_bytes);
            assert_eq!((line.slots(), line.timeout(400_000)), (room, timeout), "{size_bytes} in {took:?}");
        }
        (0..9).for_each(|_| line.handle_arrived(seconds(1), 400_000));
        assert_eq!((line.slots(), line.timeout(400_000)), (6, seconds(8)));
        line.handle_failed();
        assert_eq!((line.slots(), line.timeout(400_000)), (1, seconds(80)));
    }
}
