//! The bell's clock: wall-clock time without its jumps.
//!
//! A wall clock that jumps an hour ahead would end every lesson, and one that jumps back would ring twice. So the
//! bell follows the monotonic clock until the wall clock has held its new time for a while and is accepted.

use std::time::Duration;

use crate::base::time::{Now, UnixMs};

/// Largest wall-clock deviation between two polls, and how long a new time must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BellClockRule {
    /// A larger step is a jump. Time servers correct in smaller steps.
    pub jump_ms: i64,
    /// A new wall-clock time held this long is accepted.
    pub believed_after: Duration,
}

impl Default for BellClockRule {
    fn default() -> Self {
        Self { jump_ms: 5_000, believed_after: Duration::from_secs(120) }
    }
}

/// The bell's clock.
#[derive(Clone, Debug)]
pub struct BellClock {
    rule: BellClockRule,
    last: Now,
    /// Bell time minus wall-clock time, in milliseconds. 0: they agree.
    offset_ms: i64,
    /// Since when the wall clock has held a new, not yet accepted time. `None`: no jump is pending.
    doubted_since: Option<Now>,
}

/// Result of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// No jump.
    Steady,
    /// The wall clock jumped by this many milliseconds; bell time continues as before.
    Jumped(i64),
    /// The wall clock's new time is accepted from now on.
    Believed,
}

impl BellClock {
    /// Starts from the wall clock: nothing better is known.
    #[must_use]
    pub fn new(rule: BellClockRule, now: Now) -> Self {
        Self { rule, last: now, offset_ms: 0, doubted_since: None }
    }

    /// Reads both clocks. Returns the bell time, and what happened to the wall clock.
    pub fn poll(&mut self, now: Now) -> (UnixMs, ClockChange) {
        let gone = now.steady.saturating_duration_since(self.last.steady);
        let gone_ms = i64::try_from(gone.as_millis()).unwrap_or(i64::MAX);
        let step_ms = now.wall.0.saturating_sub(self.last.wall.0).saturating_sub(gone_ms);
        self.last = now;
        let mut look = ClockChange::Steady;
        if step_ms.saturating_abs() > self.rule.jump_ms {
            self.offset_ms = self.offset_ms.saturating_sub(step_ms);
            // Back at the old time: the jump is undone.
            let undone = self.offset_ms.saturating_abs() <= self.rule.jump_ms;
            self.doubted_since = (!undone).then_some(now);
            if undone {
                self.offset_ms = 0;
            }
            look = ClockChange::Jumped(step_ms);
        } else if let Some(since) = self.doubted_since
            && now.steady.saturating_duration_since(since.steady) >= self.rule.believed_after
        {
            self.offset_ms = 0;
            self.doubted_since = None;
            look = ClockChange::Believed;
        }
        (UnixMs(now.wall.0.saturating_add(self.offset_ms)), look)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use std::time::Instant;

    use super::*;

    struct Clocks {
        start: Instant,
        steady_ms: u64,
        wall_ms: i64,
        bell: BellClock,
    }

    impl Clocks {
        fn new() -> Self {
            let start = Instant::now();
            let now = Now { wall: UnixMs(1_000_000_000), steady: start };
            Self { start, steady_ms: 0, wall_ms: 1_000_000_000, bell: BellClock::new(BellClockRule::default(), now) }
        }

        /// Advances time, with the wall clock `jump_ms` off.
        fn pass(&mut self, ms: u64, jump_ms: i64) -> (i64, ClockChange) {
            self.steady_ms += ms;
            self.wall_ms += i64::try_from(ms).unwrap() + jump_ms;
            let steady = self.start + Duration::from_millis(self.steady_ms);
            let (at, look) = self.bell.poll(Now { wall: UnixMs(self.wall_ms), steady });
            (at.0 - 1_000_000_000, look)
        }
    }

    #[test]
    fn an_hour_ahead_and_back_is_no_hour() {
        let mut clocks = Clocks::new();
        assert_eq!(clocks.pass(500, 0), (500, ClockChange::Steady));
        assert_eq!(clocks.pass(500, 3_600_000), (1_000, ClockChange::Jumped(3_600_000)));
        assert_eq!(clocks.pass(60_000, 0), (61_000, ClockChange::Steady));
        assert_eq!(clocks.pass(500, -3_600_000), (61_500, ClockChange::Jumped(-3_600_000)));
        assert_eq!(clocks.pass(200_000, 0), (261_500, ClockChange::Steady));
    }

    #[test]
    fn a_clock_that_keeps_its_new_time_is_believed() {
        for jump in [3_600_000, -3_600_000, 86_400_000] {
            let mut clocks = Clocks::new();
            assert_eq!(clocks.pass(500, jump), (500, ClockChange::Jumped(jump)));
            assert_eq!(clocks.pass(119_999, 0), (120_499, ClockChange::Steady));
            assert_eq!(clocks.pass(1, 0), (120_500 + jump, ClockChange::Believed));
            assert_eq!(clocks.pass(500, 0), (121_000 + jump, ClockChange::Steady));
        }
    }

    #[test]
    fn small_corrections_are_followed_at_once() {
        let mut clocks = Clocks::new();
        assert_eq!(clocks.pass(500, 200), (700, ClockChange::Steady));
        assert_eq!(clocks.pass(500, -400), (800, ClockChange::Steady));
    }
}
