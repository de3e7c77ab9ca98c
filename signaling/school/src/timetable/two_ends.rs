//! A lesson with ends whose bells differ: 8:00 against 8:20, 40 minutes against 45.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rules::{EndsBy, RuleSet, minutes};
use crate::base::time::UnixMs;

/// Half-open interval between two bells: the start is included, the end is not, so adjacent lessons do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Span {
    /// The starting bell.
    pub starts_at: UnixMs,
    /// The ending bell.
    pub ends_at: UnixMs,
}

impl Span {
    /// Whether they overlap.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.starts_at < other.ends_at && other.starts_at < self.ends_at
    }

    /// Overlap in milliseconds.
    #[must_use]
    pub fn shared_ms(self, other: Self) -> i64 {
        (self.ends_at.0.min(other.ends_at.0) - self.starts_at.0.max(other.starts_at.0)).max(0)
    }
}

/// The span that all ends of a lesson share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLesson {
    /// From the broadcasting school's starting bell to the ending bell by the rule.
    pub span: Span,
    /// Join window of each receiving end, in their order.
    pub join_windows: Vec<Span>,
}

/// A receiving end overlaps the lesson too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("end {end} shares {shared_min} minutes of the lesson, at least {needed_min} are needed")]
pub struct TooLittleShared {
    /// The receiving end, from 0.
    pub end: usize,
    /// Overlap in minutes.
    pub shared_min: i64,
    /// Required overlap in minutes.
    pub needed_min: i64,
}

/// Combines the bells of a broadcasting end and its receiving ends.
///
/// # Errors
/// [`TooLittleShared`] with the first end whose overlap is too short.
pub fn share(broadcast: Span, receiving: &[Span], rules: &RuleSet) -> Result<SharedLesson, TooLittleShared> {
    let ends = receiving.iter().map(|span| span.ends_at).chain([broadcast.ends_at]);
    let ends_at = match rules.ends_by {
        EndsBy::BroadcastBell => broadcast.ends_at,
        EndsBy::FirstBell => ends.min().unwrap_or(broadcast.ends_at),
        EndsBy::LastBell => ends.max().unwrap_or(broadcast.ends_at),
    };
    let span = Span { starts_at: broadcast.starts_at, ends_at };
    let needed_min = i64::from(rules.shared_at_least_min);
    for (end, own) in receiving.iter().enumerate() {
        let shared_min = span.shared_ms(*own) / 60_000;
        if shared_min < needed_min {
            return Err(TooLittleShared { end, shared_min, needed_min });
        }
    }
    let opens_at = span.starts_at.minus(minutes(rules.opens_before_min));
    let window = |own: &Span| {
        let late = own.starts_at.max(span.starts_at).plus(minutes(rules.join_grace_min));
        Span { starts_at: opens_at, ends_at: late.min(ends_at) }
    };
    Ok(SharedLesson { span, join_windows: receiving.iter().map(window).collect() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(from_min: i64, until_min: i64) -> Span {
        Span { starts_at: UnixMs(from_min * 60_000), ends_at: UnixMs(until_min * 60_000) }
    }

    fn by(ends_by: EndsBy) -> RuleSet {
        RuleSet { ends_by, ..RuleSet::default() }
    }

    #[test]
    fn eight_against_twenty_past_eight() {
        // 8:00 to 8:40 here, 8:20 to 9:05 there.
        let (here, there) = (span(480, 520), span(500, 545));
        let shared = share(here, &[there], &by(EndsBy::BroadcastBell)).unwrap();
        assert_eq!(shared.span, span(480, 520));
        assert_eq!(shared.join_windows, [span(470, 510)], "from opening to ten minutes after their own bell");
        assert_eq!(share(here, &[there], &by(EndsBy::FirstBell)).unwrap().span, span(480, 520));
        assert_eq!(share(here, &[there], &by(EndsBy::LastBell)).unwrap().span, span(480, 545));
    }

    #[test]
    fn forty_minutes_against_forty_five() {
        let (here, there) = (span(480, 525), span(480, 520));
        assert_eq!(share(here, &[there], &by(EndsBy::FirstBell)).unwrap().span, span(480, 520));
        assert_eq!(share(here, &[there], &by(EndsBy::BroadcastBell)).unwrap().span, span(480, 525));
    }

    #[test]
    fn ends_that_hardly_meet_have_no_lesson_in_common() {
        let (here, near, far) = (span(480, 520), span(490, 530), span(505, 545));
        let refused = share(here, &[near, far], &by(EndsBy::BroadcastBell));
        assert_eq!(refused, Err(TooLittleShared { end: 1, shared_min: 15, needed_min: 20 }));
        assert!(share(here, &[near, far], &by(EndsBy::LastBell)).is_ok());
    }

    proptest! {
        #[test]
        fn the_rules_are_ordered(start in 0..60_i64, length in 30..60_i64, others in prop::collection::vec((0..60_i64, 30..60_i64), 0..5)) {
            let here = span(start, start + length);
            let there: Vec<_> = others.iter().map(|(start, length)| span(*start, start + length)).collect();
            let lax = |ends_by| RuleSet { shared_at_least_min: 0, ..by(ends_by) };
            let end = |ends_by| share(here, &there, &lax(ends_by)).unwrap().span.ends_at;
            prop_assert!(end(EndsBy::FirstBell) <= end(EndsBy::BroadcastBell));
            prop_assert!(end(EndsBy::BroadcastBell) <= end(EndsBy::LastBell));
            let shared = share(here, &there, &lax(EndsBy::BroadcastBell)).unwrap();
            for window in shared.join_windows {
                prop_assert!(window.starts_at < window.ends_at && window.ends_at <= shared.span.ends_at);
            }
        }
    }
}
