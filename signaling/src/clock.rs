//! **Rim.** The only place where the front door reads a clock.
#![expect(clippy::disallowed_methods, reason = "this is the clock that the rest is told")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::domain::time::{Now, UnixMs};

/// Tells the time: the machine's, or one that a test turns by hand.
#[derive(Clone, Debug)]
pub struct Clock {
    by_hand: Option<Arc<Hand>>,
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
        Self { by_hand: None }
    }

    /// A clock that stands at `wall` until [`Clock::turn`] moves it.
    #[must_use]
    pub fn standing_at(wall: UnixMs) -> Self {
        let start = Now { wall, steady: Instant::now() };
        Self { by_hand: Some(Arc::new(Hand { start, turned_ms: AtomicU64::new(0), jumped_ms: AtomicI64::new(0) })) }
    }

    /// Moves a standing clock forward. The machine's own clock does not let itself be turned.
    pub fn turn(&self, by: Duration) {
        if let Some(hand) = &self.by_hand {
            hand.turned_ms.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Lets a standing clock's wall clock jump, forward or back, while the steady one stays: somebody set it wrong.
    pub fn jump(&self, by_ms: i64) {
        if let Some(hand) = &self.by_hand {
            hand.jumped_ms.fetch_add(by_ms, Ordering::Relaxed);
        }
    }

    /// Both clocks at once.
    #[must_use]
    pub fn now(&self) -> Now {
        if let Some(hand) = &self.by_hand {
            let turned = Duration::from_millis(hand.turned_ms.load(Ordering::Relaxed));
            let wall = UnixMs(hand.start.wall.plus(turned).0.saturating_add(hand.jumped_ms.load(Ordering::Relaxed)));
            return Now { wall, steady: hand.start.steady + turned };
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { wall: UnixMs(0).plus(since_1970), steady: Instant::now() }
    }

    /// The wall clock.
    #[must_use]
    pub fn wall(&self) -> UnixMs {
        self.now().wall
    }
}
