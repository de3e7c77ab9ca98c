//! Whether the wall clock is trusted for deletions.
//!
//! While the hub runs, the monotonic clock shows whether the wall clock was moved. Across a stop there is only the last
//! stored time: a clock behind it was set back, and one ahead by more than a summer holiday was set ahead, unless a
//! person confirms that the hub was really stopped for that long.

use std::time::Duration;

use crate::base::time::{Now, UnixMs};

/// State of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It advanced as expected.
    Trusted,
    /// It is off by this many milliseconds; negative: it was set back.
    Moved(i64),
}

/// Tracks the wall clock from the start of the hub.
#[derive(Clone, Copy, Debug)]
pub struct TrustedClock {
    /// Last time stored by the previous run of the hub. `None`: there was none.
    seen: Option<UnixMs>,
    base: Now,
    believed: bool,
}

impl TrustedClock {
    /// At the start of the hub. `seen`: last time stored by an earlier run. `None`: there was none.
    #[must_use]
    pub fn begin(seen: Option<UnixMs>, now: Now) -> Self {
        let mut clock = Self { seen, base: now, believed: false };
        clock.believed = clock.since_the_stop(now) == Trust::Trusted;
        clock
    }

    /// State of the wall clock now.
    #[must_use]
    pub fn poll(&self, now: Now) -> Trust {
        if !self.believed {
            // The clock may have been corrected in the meantime.
            return self.since_the_stop(now);
        }
        let off_ms = self.base_by(now).saturating_sub(self.base.wall.0);
        if off_ms.unsigned_abs() > MOVED_MS { Trust::Moved(off_ms) } else { Trust::Trusted }
    }

    /// A person confirms the current time.
    pub fn believe(&mut self, now: Now) {
        *self = Self { seen: Some(now.wall), base: now, believed: true };
    }

    fn since_the_stop(&self, now: Now) -> Trust {
        let Some(seen) = self.seen else { return Trust::Trusted };
        let stood_ms = self.base_by(now).saturating_sub(seen.0);
        let longest_ms = i64::try_from(STOOD_MAX.as_millis()).unwrap_or(i64::MAX);
        let back = stood_ms < 0 && stood_ms.unsigned_abs() > MOVED_MS;
        if back || stood_ms > longest_ms { Trust::Moved(stood_ms) } else { Trust::Trusted }
    }

    /// Wall-clock time of the hub's start, derived from the current time.
    fn base_by(&self, now: Now) -> i64 {
        let gone = now.steady.saturating_duration_since(self.base.steady).as_millis();
        now.wall.0.saturating_sub(i64::try_from(gone).unwrap_or(i64::MAX))
    }
}

/// Largest tolerated deviation, in milliseconds: time servers correct by seconds, manual changes are hours.
const MOVED_MS: u64 = 3_600_000;

/// Longest trusted stop of the hub: a summer holiday.
const STOOD_MAX: Duration = Duration::from_secs(70 * 24 * 3_600);

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use std::time::Instant;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;
    const START: i64 = 1_800_000_000_000;

    #[test]
    fn a_clock_that_is_moved_while_the_hub_runs_is_not_believed_until_it_is_moved_back() {
        let steady = Instant::now();
        let at = |gone_ms: i64, jump_ms: i64| Now {
            wall: UnixMs(START + gone_ms + jump_ms),
            steady: steady + Duration::from_millis(gone_ms.unsigned_abs()),
        };
        let mut clock = TrustedClock::begin(Some(UnixMs(START - HOUR)), at(0, 0));
        assert_eq!(clock.poll(at(DAY, 0)), Trust::Trusted);
        assert_eq!(clock.poll(at(DAY, HOUR)), Trust::Trusted, "an hour may be summer time, set by hand");
        for jump in [-2 * HOUR, HOUR + 1, DAY, 365 * DAY] {
            assert_eq!(clock.poll(at(DAY, jump)), Trust::Moved(jump));
            assert_eq!(clock.poll(at(9 * DAY, jump)), Trust::Moved(jump), "it does not become true by waiting");
        }
        assert_eq!(clock.poll(at(10 * DAY, 0)), Trust::Trusted);
        clock.believe(at(10 * DAY, 365 * DAY));
        assert_eq!(clock.poll(at(11 * DAY, 365 * DAY)), Trust::Trusted);
        assert_eq!(clock.poll(at(11 * DAY, 0)), Trust::Moved(-365 * DAY));
    }

    #[test]
    fn a_clock_that_was_moved_while_the_hub_stood_still_is_not_believed_either() {
        let steady = Instant::now();
        let at = |wall: i64, gone_ms: u64| Now { wall: UnixMs(wall), steady: steady + Duration::from_millis(gone_ms) };
        let begin = |wall| TrustedClock::begin(Some(UnixMs(START)), at(wall, 0)).poll(at(wall + 60_000, 60_000));
        for kept in [0, -HOUR, HOUR, DAY, 62 * DAY] {
            assert_eq!(begin(START + kept), Trust::Trusted, "{kept}");
        }
        for moved in [-2 * HOUR, 365 * DAY] {
            assert_eq!(begin(START + moved), Trust::Moved(moved));
        }
        let right_again = TrustedClock::begin(Some(UnixMs(START)), at(START + 365 * DAY, 0));
        assert_eq!(right_again.poll(at(START + DAY, 60_000)), Trust::Trusted);
        assert_eq!(TrustedClock::begin(None, at(0, 0)).poll(at(1, 1)), Trust::Trusted, "the first start of all");
    }
}
