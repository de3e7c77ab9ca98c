//! State of the bell between two ticks. Its actions are in [`ring`].

pub mod ring;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use school::{
    base::{id::LessonId, time::Now},
    lesson::bell_clock::{BellClock, BellClockRule},
    timetable::rules::RuleSet,
};

/// State of the bell between two ticks.
pub(in crate::live) struct Bell {
    pub(in crate::live) clock: BellClock,
    pub(in crate::live) read_at: Option<Instant>,
    pub(in crate::live) rests_until: Option<Instant>,
    /// Lessons with a transition under way.
    pub(in crate::live) moving: BTreeSet<LessonId>,
    pub(in crate::live) archives_after: Duration,
}

impl Bell {
    pub(in crate::live) fn new(now: Now) -> Self {
        let days = u64::from(RuleSet::default().archives_after_days);
        Self {
            clock: BellClock::new(BellClockRule::default(), now),
            read_at: None,
            rests_until: None,
            moving: BTreeSet::new(),
            archives_after: Duration::from_secs(days * 24 * 3600),
        }
    }
}
