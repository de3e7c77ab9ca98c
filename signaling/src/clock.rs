//! **Rim.** The only place in this crate that reads a clock.
#![expect(clippy::disallowed_methods, reason = "this is the clock that the rest is told")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use school::base::time::{Now, UnixMs};

/// Reads the time: of the machine, or of a manual clock in tests.
#[derive(Clone, Debug)]
pub struct Clock {
    by_hand: Option<Arc<Hand>>,
    lasting: Arc<Lasting>,
}

/// Base of the time that expiries are computed from.
#[derive(Debug)]
struct Lasting {
    start: Now,
    /// Offset ahead of the start plus the steady clock's elapsed time, in milliseconds.
    ahead_ms: AtomicI64,
}

impl Lasting {
    fn from(start: Now) -> Arc<Self> {
        Arc::new(Self { start, ahead_ms: AtomicI64::new(0) })
    }
}

#[derive(Debug)]
struct Hand {
    start: Now,
    turned_ms: AtomicU64,
    jumped_ms: AtomicI64,
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        Self { by_hand: None, lasting: Lasting::from(machine()) }
    }

    /// A manual clock that stands at `wall` until [`Clock::turn`] moves it.
    #[must_use]
    pub fn standing_at(wall: UnixMs) -> Self {
        let start = Now { wall, steady: Instant::now() };
        let hand = Hand { start, turned_ms: AtomicU64::new(0), jumped_ms: AtomicI64::new(0) };
        Self { by_hand: Some(Arc::new(hand)), lasting: Lasting::from(start) }
    }

    /// Moves a manual clock forward. No effect on the machine's clock.
    pub fn turn(&self, by: Duration) {
        if let Some(hand) = &self.by_hand {
            hand.turned_ms.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Moves a manual clock's wall clock, forward or back, while the steady one stays, as if it were set wrong.
    pub fn jump(&self, by_ms: i64) {
        if let Some(hand) = &self.by_hand {
            hand.jumped_ms.fetch_add(by_ms, Ordering::Relaxed);
        }
    }

    /// Wall clock and steady clock, read together.
    #[must_use]
    pub fn now(&self) -> Now {
        if let Some(hand) = &self.by_hand {
            let turned = Duration::from_millis(hand.turned_ms.load(Ordering::Relaxed));
            let wall = UnixMs(hand.start.wall.plus(turned).0.saturating_add(hand.jumped_ms.load(Ordering::Relaxed)));
            return Now { wall, steady: hand.start.steady + turned };
        }
        machine()
    }

    /// The time for issue and expiry of links, sessions, roles and tokens. It never goes back, nor over a restart if
    /// [`Clock::not_before`] was called; so what has expired stays expired, whatever the wall clock does. It follows
    /// the wall clock's corrections forward, and follows the steady clock if the wall clock jumps by more than an hour.
    #[must_use]
    pub fn lasting(&self) -> Now {
        let (now, start) = (self.now(), self.lasting.start);
        let plain = start.wall.plus(now.steady.saturating_duration_since(start.steady));
        let ahead_ms = now.wall.0.saturating_sub(plain.0);
        let followed = if ahead_ms <= CORRECTION_MS { ahead_ms } else { 0 };
        let ahead_ms = self.lasting.ahead_ms.fetch_max(followed, Ordering::Relaxed).max(followed);
        Now { wall: UnixMs(plain.0.saturating_add(ahead_ms)), ..now }
    }

    /// Sets a lower bound: an earlier run of the hub has already used this time.
    pub fn not_before(&self, seen: UnixMs) {
        let ahead_ms = seen.0.saturating_sub(self.lasting.start.wall.0);
        self.lasting.ahead_ms.fetch_max(ahead_ms, Ordering::Relaxed);
    }

    /// The wall clock.
    #[must_use]
    pub fn wall(&self) -> UnixMs {
        self.now().wall
    }
}

fn machine() -> Now {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { wall: UnixMs(0).plus(since_1970), steady: Instant::now() }
}

/// Largest forward correction that is followed: a manual error or a broken time server moves a clock by more.
const CORRECTION_MS: i64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn what_has_ended_stays_ended_whatever_becomes_of_the_wall_clock() {
        let clock = Clock::standing_at(UnixMs(1_000 * HOUR));
        let at = || clock.lasting().wall.0 - 1_000 * HOUR;
        clock.turn(Duration::from_secs(3_600));
        assert_eq!(at(), HOUR);
        clock.jump(-2 * HOUR);
        assert_eq!((at(), clock.wall().0 - 1_000 * HOUR), (HOUR, -HOUR), "set back, it goes on");
        clock.turn(Duration::from_secs(3_600));
        assert_eq!(at(), 2 * HOUR);
        clock.jump(2 * HOUR + HOUR / 2);
        assert_eq!(at(), 2 * HOUR + HOUR / 2, "corrected ahead, it follows");
        clock.jump(-HOUR / 2);
        assert_eq!(at(), 2 * HOUR + HOUR / 2, "and never comes back");
        clock.jump(365 * 24 * HOUR);
        assert_eq!(at(), 2 * HOUR + HOUR / 2, "a year ahead ends nothing");
    }

    #[test]
    fn a_restart_does_not_go_back_behind_what_was_seen() {
        let clock = Clock::standing_at(UnixMs(1_000 * HOUR));
        clock.not_before(UnixMs(1_002 * HOUR));
        clock.turn(Duration::from_secs(60));
        assert_eq!(clock.lasting().wall, UnixMs(1_002 * HOUR + 60_000));
        clock.not_before(UnixMs(900 * HOUR));
        assert_eq!(clock.lasting().wall, UnixMs(1_002 * HOUR + 60_000));
    }
}
