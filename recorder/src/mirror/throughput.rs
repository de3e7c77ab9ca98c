//! What is known of the line to the bucket: how many objects it has room for at once, and how long one may take.
//!
//! Whether an object still moves nobody here can see: between it and the bucket lie the buffers of two machines and a
//! modem, each as large as a segment. So an object is given the time that its size takes at an eighth of what the last one
//! got, and where nothing is known, on the slowest line.

use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub struct Throughput {
    at_once: usize,
    slowest_bytes_per_second: u64,
    slots: usize,
    /// Bytes a second of the last object that had some weight. `None`: nothing is known, or no longer.
    pace: Option<u64>,
}

impl Throughput {
    /// One of which nothing is known: it is never given more than `at_once`, and taken to be no slower than
    /// `slowest_bytes_per_second`.
    #[must_use]
    pub fn new(at_once: usize, slowest_bytes_per_second: u64) -> Self {
        Self { at_once: at_once.max(1), slowest_bytes_per_second, slots: 1, pace: None }
    }

    /// How many objects may be on their way at once. At least one.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// How long so many bytes may take.
    #[must_use]
    pub fn timeout(&self, size_bytes: u64) -> Duration {
        let slowest = self.slowest_bytes_per_second.max(self.pace.unwrap_or(0) / SLOWER_AT_ONCE).max(1);
        Duration::from_secs_f64(size_bytes as f64 / slowest as f64)
    }

    /// An object arrived.
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

    /// An object did not arrive: what was known of the line is known no longer.
    pub fn handle_failed(&mut self) {
        (self.slots, self.pace) = (1, None);
    }
}

/// What is smaller tells how long a question takes, and nothing of the line: an init segment has no weight, a voice's
/// segment has some.
const WEIGHT_MIN: u64 = 8_192;

/// Where an object goes as fast as this, there is room for one more at once: a segment takes some seconds.
const WIDE_BYTES_PER_SECOND: u64 = 100_000;

/// Where one is slower than this, half as many share the line.
const THIN_BYTES_PER_SECOND: u64 = 25_000;

/// A line may become so many times slower from one object to the next without one that failed: five more may have come to
/// share it, and live media too.
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
            // What has no weight tells nothing.
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
