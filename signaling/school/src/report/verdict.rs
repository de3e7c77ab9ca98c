//! Verdict on a lesson: 有效授课 and the four other outcomes, for the broadcasting end and for each receiving end.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attendance::{Attendance, AttendanceState};
use crate::{
    base::{formula::Formula, words::words},
    lesson::life::LessonState,
    timetable::{rules::RuleSet, two_ends::Span},
};

words!(
    /// Outcome of a lesson for one end.
    Verdict {
        /// 有效授课
        Valid = "valid",
        /// 无效授课: held, but too short.
        Short = "short",
        /// 因故停课: cancelled, with a reason.
        Cancelled = "cancelled",
        /// 无故停课: its time passed without it being held at this end.
        Missed = "missed",
        /// 未判定: not over yet, or no data was collected.
        Unjudged = "unjudged",
    }
);

/// A verdict with the data it is based on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Judged {
    /// The outcome.
    pub verdict: Verdict,
    /// The rule: `broadcast` or `receive`.
    pub rule: String,
    /// Version of the rule, as in its formula.
    pub rule_version: u32,
    /// Version of the bureau's rules that were applied.
    pub figures_version: u32,
    /// Time held at this end, in milliseconds. `null`: not evaluated.
    pub held_ms: Option<i64>,
    /// Required time, in milliseconds.
    pub needed_ms: i64,
}

/// Its formula.
pub const BROADCAST: Formula = Formula {
    figure: "broadcast",
    version: 1,
    zh: "输出端判定：取消的课为“因故停课”（附原因）；到时间没有开始的为“无故停课”；正常结束，并且老师的声音或画面到达平台的时长不少于门槛的为“有效授课”，不足的为\
“无效授课”（播放录像的课按开课到下课计）；没有结束或没有任何采集数据的为“未判定”。门槛 = 计划时长 × 规则 valid_at_least_min ÷ \
valid_out_of_min（默认 40 分钟中的 30 分钟）。",
    en: "The outcome for the end that teaches: a lesson that was called off is cancelled (with its reason); one whose time passed \
without a start is missed; one that ended and in which the teacher's voice or picture reached the hub for at least the threshold \
is valid, else short (a recording that is played counts from start to end); one that is not over, or of which nothing was \
collected, is unjudged. The threshold is the planned length times valid_at_least_min / valid_out_of_min of the rules (30 of 40 \
minutes unless set).",
};

/// Its formula.
pub const RECEIVE: Formula = Formula {
    figure: "receive",
    version: 1,
    zh: "接收端判定，每间教室各判各的：取消的课为“因故停课”；课没有开始，或这间教室从未真正看到的为“无故停课”；在课时长（见“在课时长”）不少于门槛的为“有效授课”，\
不足的为“无效授课”；没有结束或没有任何采集数据的为“未判定”。门槛与输出端相同。",
    en: "The outcome for each end that listens, by itself: a lesson that was called off is cancelled; one that was never held, or \
never really seen there, is missed; one that was present (see time present) for at least the threshold is valid, else short; one \
that is not over, or of which nothing was collected, is unjudged. The threshold is that of the end that teaches.",
};

/// Required time for a lesson of this planned length, in milliseconds.
#[must_use]
pub fn needed_ms(planned: Span, rules: &RuleSet) -> i64 {
    let planned_ms = planned.ends_at.0 - planned.starts_at.0;
    planned_ms.saturating_mul(i64::from(rules.valid_at_least_min)) / i64::from(rules.valid_out_of_min.get())
}

/// Input of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// State of the lesson at its end.
    pub state: LessonState,
    /// From bell to bell.
    pub planned: Span,
    /// Time taught, in milliseconds. `None`: no data was collected.
    pub taught_ms: Option<i64>,
}

/// Verdict for the broadcasting end.
#[must_use]
pub fn broadcast(case: &Case, rules: &RuleSet) -> Judged {
    judged(case, case.taught_ms, Verdict::Short, &BROADCAST, rules)
}

/// Verdict for one receiving end.
#[must_use]
pub fn receive(case: &Case, attendance: &Attendance, rules: &RuleSet) -> Judged {
    let held_ms = (attendance.state != AttendanceState::Unknown).then_some(attendance.present_ms);
    judged(case, held_ms, Verdict::Missed, &RECEIVE, rules)
}

/// `never`: the verdict where the lesson was held, but for no time at this end.
fn judged(case: &Case, held_ms: Option<i64>, never: Verdict, rule: &Formula, rules: &RuleSet) -> Judged {
    let needed_ms = needed_ms(case.planned, rules);
    let (verdict, held_ms) = match (case.state, held_ms) {
        (LessonState::Cancelled, _) => (Verdict::Cancelled, None),
        (LessonState::Missed, _) => (Verdict::Missed, None),
        (LessonState::Ended, Some(ms)) if ms >= needed_ms => (Verdict::Valid, Some(ms)),
        (LessonState::Ended, Some(0)) => (never, Some(0)),
        (LessonState::Ended, Some(ms)) => (Verdict::Short, Some(ms)),
        (_, held_ms) => (Verdict::Unjudged, held_ms),
    };
    let (rule, rule_version) = (rule.figure.to_owned(), rule.version);
    Judged { verdict, rule, rule_version, figures_version: rules.version, held_ms, needed_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::time::UnixMs, report::attendance};

    const MINUTE: i64 = 60_000;

    fn case(state: LessonState, planned_min: i64, taught_ms: Option<i64>) -> Case {
        let planned = Span { starts_at: UnixMs(0), ends_at: UnixMs(planned_min * MINUTE) };
        Case { state, planned, taught_ms }
    }

    /// Manual calculation: of 40 minutes 30 are required, 40 x 30 / 40; 29:59.999 is one millisecond short.
    #[test]
    fn twenty_nine_minutes_are_short_and_thirty_are_valid() {
        use LessonState::{Archived, Cancelled, Ended, Live, Missed, Scheduled};
        let rules = RuleSet::default();
        let table = [
            (Ended, Some(29 * MINUTE), Verdict::Short),
            (Ended, Some(30 * MINUTE - 1), Verdict::Short),
            (Ended, Some(30 * MINUTE), Verdict::Valid),
            (Ended, Some(40 * MINUTE), Verdict::Valid),
            (Ended, Some(0), Verdict::Short),
            (Ended, None, Verdict::Unjudged),
            (Cancelled, Some(35 * MINUTE), Verdict::Cancelled),
            (Cancelled, None, Verdict::Cancelled),
            (Missed, None, Verdict::Missed),
            (Live, Some(35 * MINUTE), Verdict::Unjudged),
            (Scheduled, None, Verdict::Unjudged),
            (Archived, None, Verdict::Unjudged),
        ];
        for (state, taught_ms, expected) in table {
            let found = broadcast(&case(state, 40, taught_ms), &rules);
            assert_eq!(found.verdict, expected, "{state:?} {taught_ms:?}");
            assert_eq!((found.rule.as_str(), found.rule_version, found.needed_ms), ("broadcast", 1, 30 * MINUTE));
        }
    }

    #[test]
    fn each_listening_end_is_judged_by_what_was_on_its_screen() {
        let rules = RuleSet { version: 7, ..RuleSet::default() };
        let held = case(LessonState::Ended, 40, Some(40 * MINUTE));
        let was_there =
            |present_ms| Attendance { state: AttendanceState::Present, present_ms, ..attendance::unknown() };
        let absent = Attendance { state: AttendanceState::Absent, ..attendance::unknown() };
        let table = [
            (was_there(30 * MINUTE), Verdict::Valid),
            (was_there(29 * MINUTE), Verdict::Short),
            (was_there(1), Verdict::Short),
            (absent, Verdict::Missed),
            (attendance::unknown(), Verdict::Unjudged),
        ];
        for (attendance, expected) in &table {
            let found = receive(&held, attendance, &rules);
            assert_eq!((found.verdict, found.figures_version), (*expected, 7), "{attendance:?}");
        }
        let off = case(LessonState::Cancelled, 40, None);
        assert_eq!(receive(&off, &attendance::unknown(), &rules).verdict, Verdict::Cancelled);
        let missed = case(LessonState::Missed, 40, None);
        assert_eq!(receive(&missed, &attendance::unknown(), &rules).verdict, Verdict::Missed);
    }

    /// Manual calculation: 45 x 30 / 40 = 33.75 minutes = 2,025,000 ms; with a rule of 35 of 45: 45 x 35 / 45 = 35.
    #[test]
    fn the_threshold_is_the_bureaus_and_goes_with_the_planned_length() {
        let planned = case(LessonState::Ended, 45, None).planned;
        assert_eq!(needed_ms(planned, &RuleSet::default()), 2_025_000);
        let out_of = std::num::NonZeroU16::new(45).unwrap();
        let strict = RuleSet { valid_at_least_min: 35, valid_out_of_min: out_of, ..RuleSet::default() };
        assert_eq!(needed_ms(planned, &strict), 35 * MINUTE);
    }
}
