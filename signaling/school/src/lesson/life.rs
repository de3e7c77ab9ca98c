//! Life of a lesson: seven states, the steps between them, and when each step is due.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    base::{time::UnixMs, words::words},
    timetable::{
        rules::{RuleSet, minutes},
        two_ends::Span,
    },
};

words!(
    /// State of a lesson. It never goes back.
    LessonState {
        /// In the timetable.
        Scheduled = "scheduled",
        /// Seats can be taken; recording is armed, but nothing is recorded yet.
        Open = "open",
        /// Being taught and recorded.
        Live = "live",
        /// Over; its recording can be replayed.
        Ended = "ended",
        /// 因故停课: called off, with a reason.
        Cancelled = "cancelled",
        /// 无故停课: its time passed without a start.
        Missed = "missed",
        /// Archived; it never changes again.
        Archived = "archived",
    }
);

/// A step between two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Its opening time is reached.
    Open,
    /// The bell, or the teacher, starts it.
    Start,
    /// The bell, or the teacher, ends it.
    End,
    /// It is cancelled.
    Cancel,
    /// Its time passed without a start.
    Miss,
    /// Its time as an ended lesson is over.
    Archive,
}

/// The step does not fit the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lesson that is {} cannot take this step", .0.as_str())]
pub struct WrongState(pub LessonState);

impl LessonState {
    /// The state after `step`. A step that was already taken changes nothing, so that a double click or a clock that
    /// rings twice has no effect.
    ///
    /// # Errors
    /// [`WrongState`] where the step does not fit the state.
    pub fn after(self, step: Step) -> Result<Self, WrongState> {
        match (self, step) {
            (Self::Scheduled | Self::Open, Step::Open) => Ok(Self::Open),
            (Self::Open | Self::Live, Step::Start) => Ok(Self::Live),
            (Self::Open | Self::Live | Self::Ended, Step::End) => Ok(Self::Ended),
            (Self::Scheduled | Self::Open | Self::Cancelled, Step::Cancel) => Ok(Self::Cancelled),
            (Self::Scheduled | Self::Open | Self::Missed, Step::Miss) => Ok(Self::Missed),
            (Self::Ended | Self::Cancelled | Self::Missed | Self::Archived, Step::Archive) => Ok(Self::Archived),
            (state, _) => Err(WrongState(state)),
        }
    }

    /// Seats can be taken and media can flow.
    #[must_use]
    pub fn is_in_progress(self) -> bool {
        matches!(self, Self::Open | Self::Live)
    }

    /// It books its teacher, rooms, classes and devices.
    #[must_use]
    pub fn is_booked(self) -> bool {
        !matches!(self, Self::Cancelled)
    }

    /// No teaching takes place in it any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Cancelled | Self::Missed | Self::Archived)
    }
}

words!(
    /// What starts a lesson.
    RunsBy {
        /// The bell, once the teacher is connected.
        Bell = "bell",
        /// The bell, with or without a teacher: a recording is played.
        BellAlone = "bell_alone",
        /// The teacher: a lesson outside the timetable.
        Teacher = "teacher",
    }
);

/// The instants of a lesson, computed once when it is planned: a rule change affects only lessons planned later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LessonTimes {
    /// Seats can be taken from here on.
    pub opens_at: UnixMs,
    /// The starting bell.
    pub starts_at: UnixMs,
    /// The ending bell, by the rules.
    pub ends_at: UnixMs,
    /// Missed if the teacher is not connected by then.
    pub missed_at: UnixMs,
    /// Ended by then at the latest, even if still being taught.
    pub closes_at: UnixMs,
}

/// A lesson outside the timetable that is not ended is closed this long after its planned end, so that it is not
/// recorded into the night.
const HAND_RUN_CLOSES_AFTER: Duration = Duration::from_secs(10 * 60);

impl LessonTimes {
    /// By the rules in force at planning.
    #[must_use]
    pub fn by(rules: &RuleSet, span: Span) -> Self {
        let closes_at = span.ends_at.plus(minutes(rules.closes_after_min));
        Self {
            opens_at: span.starts_at.minus(minutes(rules.opens_before_min)),
            starts_at: span.starts_at,
            ends_at: span.ends_at,
            missed_at: span.starts_at.plus(minutes(rules.missed_after_min)).min(closes_at),
            closes_at,
        }
    }

    /// For a lesson that its teacher starts: it can start until its end.
    #[must_use]
    pub fn by_hand(rules: &RuleSet, span: Span) -> Self {
        let closes_at = span.ends_at.plus(HAND_RUN_CLOSES_AFTER);
        Self { missed_at: closes_at, closes_at, ..Self::by(rules, span) }
    }

    /// From bell to bell.
    #[must_use]
    pub fn span(&self) -> Span {
        Span { starts_at: self.starts_at, ends_at: self.ends_at }
    }
}

/// What the bell needs to know of a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: LessonState,
    /// Its instants.
    pub times: LessonTimes,
    /// What starts it.
    pub runs_by: RunsBy,
    /// Whether the teacher's page or encoder is connected.
    pub teacher_is_there: bool,
}

/// The step due at `now`. `None`: no step. Where several are due, take this one and call again for the next.
///
/// Depends on nothing but state and clock, so a repeated call, or a clock set back, repeats no step.
#[must_use]
pub fn due(lesson: &Standing, now: UnixMs, archives_after: Duration) -> Option<Step> {
    let times = &lesson.times;
    match lesson.state {
        // The hub was not running during the whole lesson.
        LessonState::Scheduled if now >= times.closes_at => Some(Step::Miss),
        LessonState::Scheduled => (now >= times.opens_at).then_some(Step::Open),
        LessonState::Open if now >= times.closes_at => Some(Step::Miss),
        LessonState::Open if now < times.starts_at => None,
        LessonState::Open => match lesson.runs_by {
            RunsBy::BellAlone => Some(Step::Start),
            RunsBy::Bell if lesson.teacher_is_there => Some(Step::Start),
            RunsBy::Bell => (now >= times.missed_at).then_some(Step::Miss),
            RunsBy::Teacher => None,
        },
        LessonState::Live => (now >= times.closes_at).then_some(Step::End),
        LessonState::Ended | LessonState::Cancelled | LessonState::Missed => {
            (now >= times.closes_at.plus(archives_after)).then_some(Step::Archive)
        }
        LessonState::Archived => None,
    }
}

/// The next instant at which a step may be due. `None`: no further step is due by the clock.
#[must_use]
pub fn next_due_at(lesson: &Standing) -> Option<UnixMs> {
    let times = &lesson.times;
    match lesson.state {
        LessonState::Scheduled => Some(times.opens_at),
        LessonState::Open => match lesson.runs_by {
            RunsBy::BellAlone => Some(times.starts_at),
            RunsBy::Bell if lesson.teacher_is_there => Some(times.starts_at),
            RunsBy::Bell => Some(times.missed_at),
            RunsBy::Teacher => Some(times.closes_at),
        },
        LessonState::Live => Some(times.closes_at),
        _ => None,
    }
}

/// One step of a lesson, stored permanently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: LessonState,
    /// The state after.
    pub to: LessonState,
    /// When.
    pub at: UnixMs,
    /// `person:<id>`, `publisher` or `system`.
    pub actor: String,
    /// Reason. Empty: the bell.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;
    const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

    /// From minute 100 to 140: opens at 90, missed at 115, closes at 142.
    fn standing(state: LessonState, teacher_is_there: bool) -> Standing {
        let span = Span { starts_at: UnixMs(100 * MINUTE), ends_at: UnixMs(140 * MINUTE) };
        let times = LessonTimes::by(&RuleSet::default(), span);
        Standing { state, times, runs_by: RunsBy::Bell, teacher_is_there }
    }

    #[test]
    fn a_lesson_only_goes_forward() {
        use LessonState::{Archived, Cancelled, Ended, Live, Missed, Open, Scheduled};
        let steps = [Step::Open, Step::Start, Step::End, Step::Cancel, Step::Miss, Step::Archive];
        let table = [
            (Scheduled, [Some(Open), None, None, Some(Cancelled), Some(Missed), None]),
            (Open, [Some(Open), Some(Live), Some(Ended), Some(Cancelled), Some(Missed), None]),
            (Live, [None, Some(Live), Some(Ended), None, None, None]),
            (Ended, [None, None, Some(Ended), None, None, Some(Archived)]),
            (Cancelled, [None, None, None, Some(Cancelled), None, Some(Archived)]),
            (Missed, [None, None, None, None, Some(Missed), Some(Archived)]),
            (Archived, [None, None, None, None, None, Some(Archived)]),
        ];
        for (state, expected) in table {
            for (step, expected) in steps.into_iter().zip(expected) {
                assert_eq!(state.after(step), expected.ok_or(WrongState(state)), "{state:?} {step:?}");
            }
            assert_eq!(LessonState::from_word(state.as_str()), Some(state));
        }
    }

    #[test]
    fn the_bell_runs_a_lesson_by_itself() {
        use LessonState::{Cancelled, Ended, Live, Missed, Open, Scheduled};
        //        state      there  minute due
        let table = [
            (Scheduled, false, 89, None),
            (Scheduled, false, 90, Some(Step::Open)),
            (Scheduled, false, 141, Some(Step::Open)),
            (Scheduled, false, 142, Some(Step::Miss)),
            (Open, true, 99, None),
            (Open, true, 100, Some(Step::Start)),
            (Open, false, 100, None),
            (Open, false, 114, None),
            (Open, true, 114, Some(Step::Start)),
            (Open, false, 115, Some(Step::Miss)),
            (Live, false, 141, None),
            (Live, true, 142, Some(Step::End)),
            (Ended, false, 142 + 30 * 24 * 60, Some(Step::Archive)),
            (Missed, false, 142 + 30 * 24 * 60 - 1, None),
            (Cancelled, false, 100, None),
        ];
        for (state, there, minute, expected) in table {
            let due = due(&standing(state, there), UnixMs(minute * MINUTE), MONTH);
            assert_eq!(due, expected, "{state:?} {there} at {minute}");
        }
        let by = |runs_by, state| Standing { runs_by, ..standing(state, true) };
        let bell = UnixMs(100 * MINUTE);
        assert_eq!(due(&by(RunsBy::Teacher, Open), bell, MONTH), None, "the teacher starts it");
        let alone = Standing { teacher_is_there: false, ..by(RunsBy::BellAlone, Open) };
        assert_eq!(due(&alone, bell, MONTH), Some(Step::Start));
    }

    #[test]
    fn back_to_back_lessons_overlap_only_while_the_first_is_ended() {
        let rules = RuleSet::default();
        let span = |from: i64| Span { starts_at: UnixMs(from * MINUTE), ends_at: UnixMs((from + 40) * MINUTE) };
        let (first, second) = (LessonTimes::by(&rules, span(100)), LessonTimes::by(&rules, span(140)));
        assert_eq!(first.ends_at, second.starts_at);
        assert!(second.opens_at < first.ends_at, "the second opens while the first is live");
        assert!(!first.span().meets(second.span()), "adjacent lessons share nobody's time");
    }

    proptest! {
        /// Whatever the clock does (forward, back, frozen), each state is entered at most once.
        #[test]
        fn no_clock_starts_or_ends_a_lesson_twice(
            clock in prop::collection::vec((-200_i64..400, any::<bool>()), 1..200),
            runs_by in prop::sample::select(vec![RunsBy::Bell, RunsBy::BellAlone, RunsBy::Teacher]),
        ) {
            let mut lesson = Standing { runs_by, ..standing(LessonState::Scheduled, false) };
            let mut entered = Vec::new();
            for (minute, there) in clock {
                lesson.teacher_is_there = there;
                while let Some(step) = due(&lesson, UnixMs(minute * MINUTE), MONTH) {
                    let next = lesson.state.after(step);
                    prop_assert!(next.is_ok_and(|next| next != lesson.state), "{step:?} in {:?}", lesson.state);
                    lesson.state = next.unwrap_or(lesson.state);
                    prop_assert!(!entered.contains(&lesson.state));
                    entered.push(lesson.state);
                }
            }
        }
    }
}
