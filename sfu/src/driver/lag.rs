//! Whether a worker keeps up. A hub that does not admits no new viewers, before the running lessons suffer.

use std::time::{Duration, Instant};

/// How long one worker's turns take.
#[derive(Debug, Default)]
pub struct Lag {
    window: Option<Instant>,
    longest: Duration,
    late_windows: u32,
}

impl Lag {
    /// Notes one turn: what came before `began` was dealt with at `ended`.
    pub fn note(&mut self, began: Instant, ended: Instant) {
        let window = *self.window.get_or_insert(began);
        self.longest = self.longest.max(ended.saturating_duration_since(began));
        if ended.saturating_duration_since(window) >= WINDOW {
            self.late_windows = if self.longest > TURN_MAX { self.late_windows + 1 } else { 0 };
            self.longest = Duration::ZERO;
            self.window = Some(ended);
        }
    }

    /// Were there turns of more than 50 ms all through the last two seconds?
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.late_windows >= LATE_WINDOWS
    }
}

/// Pictures come every 33 ms: a worker whose turns are longer than this falls behind.
const TURN_MAX: Duration = Duration::from_millis(50);

/// A single long turn is the system's, or a keyframe's.
const WINDOW: Duration = Duration::from_millis(500);
const LATE_WINDOWS: u32 = 4;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use super::*;

    #[test]
    fn only_a_worker_that_stays_late_for_two_seconds_is_overloaded() {
        let ms = Duration::from_millis;
        let mut now = Instant::now();
        let mut lag = Lag::default();
        let mut turns = |lag: &mut Lag, count: u32, took: Duration| {
            for _ in 0..count {
                lag.note(now, now + took);
                now += took;
                // Reports come in between, and are quick.
                lag.note(now, now + ms(1));
                now += ms(10);
            }
        };
        turns(&mut lag, 100, ms(20));
        turns(&mut lag, 10, ms(120));
        assert!(!lag.is_overloaded(), "a moment");
        turns(&mut lag, 10, ms(120));
        assert!(lag.is_overloaded());
        turns(&mut lag, 60, ms(20));
        assert!(!lag.is_overloaded());
    }
}
