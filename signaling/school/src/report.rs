//! Lesson reports: attendance, quality and verdict for each end of a lesson.

pub mod attendance;
pub mod quality;
pub mod verdict;
pub mod voice_score;
pub mod window;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lesson::Lesson;
use crate::{
    base::{
        formula::Formula,
        id::{ClassroomId, LessonId, NotAnId},
        time::UnixMs,
    },
    lesson::life::LessonState,
    report::{
        attendance::{Attendance, Expected, Stretch, attend},
        quality::{RolledUp, Sample, roll_up},
        verdict::{Case, Judged, broadcast, receive},
    },
    timetable::{
        program::Mode,
        rules::{RuleSet, minutes},
        two_ends::Span,
    },
};

/// One end of a lesson; its figures are stored under this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// The broadcasting end.
    Teacher,
    /// A receiving classroom.
    Classroom(ClassroomId),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Teacher => f.write_str("teacher"),
            Self::Classroom(classroom_id) => classroom_id.fmt(f),
        }
    }
}

impl FromStr for End {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "teacher" { Ok(Self::Teacher) } else { text.parse().map(Self::Classroom) }
    }
}

/// Number of pupils in a classroom, as counted by a person there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeadCount {
    /// The number; no names.
    pub pupils: u32,
    /// When it was counted.
    pub at_ms: UnixMs,
    /// Name of the assistant teacher who counted. Empty: not named; only the device is known.
    pub by: String,
}

/// Maximum of a head count: no classroom seats more.
pub const PUPILS_MAX: u32 = 500;

/// Data collected of a lesson.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// Samples of each end, in any order.
    pub windows: BTreeMap<End, Vec<Sample>>,
    /// Start times of the hubs that observed it, including restarts during the lesson.
    pub runs: BTreeSet<UnixMs>,
    /// The latest head count of each classroom.
    pub heads: BTreeMap<ClassroomId, HeadCount>,
    /// Until when each classroom may join without being late. Without an entry, the grace of the rules applies.
    pub late_after: BTreeMap<ClassroomId, UnixMs>,
}

/// Report of one end.
#[derive(Clone, Debug, PartialEq)]
pub struct EndReport {
    /// The end.
    pub end: End,
    /// Its attendance.
    pub attendance: Attendance,
    /// Its verdict.
    pub judged: Judged,
    /// Its quality.
    pub quality: RolledUp,
    /// Its head count. `None`: not counted.
    pub heads: Option<HeadCount>,
}

/// Report of a lesson.
#[derive(Clone, Debug, PartialEq)]
pub struct LessonReport {
    /// The lesson.
    pub lesson_id: LessonId,
    /// Version of the bureau's rules that were applied.
    pub figures_version: u32,
    /// From going live to its end, or to now. `None`: it never went live.
    pub held: Option<Span>,
    /// The broadcasting end first, then the receiving ends in the lesson's order.
    pub ends: Vec<EndReport>,
}

/// Computes a lesson's report. For a running lesson it is the report so far.
#[must_use]
pub fn work_out(lesson: &Lesson, collected: &Collected, rules: &RuleSet, now: UnixMs) -> LessonReport {
    let held =
        lesson.live_at.map(|starts_at| Span { starts_at, ends_at: lesson.ended_at.unwrap_or(now).max(starts_at) });
    let nobody_looked = collected.windows.values().all(Vec::is_empty);
    let windows = |end: End| collected.windows.get(&end).map(Vec::as_slice).unwrap_or_default();
    let attended = |end: End, late_after: UnixMs| match held {
        Some(held) if !nobody_looked => {
            let leaves_from = held.ends_at.minus(minutes(rules.leave_grace_min));
            let seen: Vec<Stretch> = windows(end).iter().flat_map(Sample::stretches).collect();
            let restarts: Vec<UnixMs> = collected.runs.iter().copied().filter(|at| *at > held.starts_at).collect();
            attend(&Expected { lesson: held, late_after, leaves_from }, &seen, &restarts)
        }
        _ => attendance::unknown(),
    };
    let grace = |from: UnixMs| from.plus(minutes(rules.join_grace_min));
    let began = held.map_or(lesson.times.starts_at, |held| held.starts_at);
    let teacher = attended(End::Teacher, grace(began));
    let plays_itself = lesson.mode == Mode::Recorded.as_str();
    let taught_ms = match held {
        _ if nobody_looked => None,
        Some(held) if plays_itself => Some(held.ends_at.0 - held.starts_at.0),
        _ => Some(teacher.present_ms),
    };
    let case = Case { state: put_away(lesson), planned: lesson.times.span(), taught_ms };
    let mut ends = vec![EndReport {
        end: End::Teacher,
        judged: broadcast(&case, rules),
        attendance: teacher,
        quality: roll_up(windows(End::Teacher)),
        heads: None,
    }];
    for listed in &lesson.classrooms {
        let classroom_id = listed.classroom_id;
        let end = End::Classroom(classroom_id);
        // Where the lesson began late, a classroom present at that time is not late.
        let own = collected.late_after.get(&classroom_id).copied().unwrap_or_else(|| grace(began)).max(began);
        let attendance = attended(end, own);
        ends.push(EndReport {
            end,
            judged: receive(&case, &attendance, rules),
            attendance,
            quality: roll_up(windows(end)),
            heads: collected.heads.get(&classroom_id).cloned(),
        });
    }
    LessonReport { lesson_id: lesson.lesson_id, figures_version: rules.version, held, ends }
}

/// An archived lesson is judged by the state in which it ended.
fn put_away(lesson: &Lesson) -> LessonState {
    match lesson.state {
        LessonState::Archived if lesson.ended_at.is_some() => LessonState::Ended,
        state => state,
    }
}

/// All formulas of a lesson's report.
pub const FORMULAS: [Formula; 10] = [
    attendance::PRESENT,
    attendance::CAME_AND_LEFT,
    attendance::STATE,
    verdict::BROADCAST,
    verdict::RECEIVE,
    quality::LINE,
    quality::FREEZE,
    quality::CONCEALED,
    quality::ROLL_UP,
    voice_score::VOICE_SCORE,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::id::PersonId,
        fixtures::{lesson_of, sample},
        report::{
            attendance::{AttendanceState, Cause},
            verdict::Verdict,
        },
    };

    const MINUTE: i64 = 60_000;

    /// A 40-minute lesson, held from bell to bell, with three receiving classrooms.
    fn held() -> (Lesson, [ClassroomId; 3]) {
        let classrooms = [ClassroomId::fresh(), ClassroomId::fresh(), ClassroomId::fresh()];
        let mut lesson = lesson_of(PersonId::fresh(), &classrooms);
        lesson.state = LessonState::Ended;
        lesson.live_at = Some(lesson.times.starts_at);
        lesson.ended_at = Some(lesson.times.ends_at);
        (lesson, classrooms)
    }

    /// Adjacent windows, between two minutes of the lesson.
    fn shown(lesson: &Lesson, from: i64, until: i64) -> Vec<Sample> {
        let at = |minute: i64| UnixMs(lesson.times.starts_at.0 + minute * MINUTE);
        let part = |from: i64| {
            let (from, until) = (at(from), at(from + 1));
            Sample { from, until, shown_ms: 60_000, cause: None, ..sample(0, 0) }
        };
        (from..until).map(part).collect()
    }

    #[test]
    fn a_lesson_is_judged_at_each_of_its_ends() {
        let (lesson, [whole, short, absent]) = held();
        let mut collected = Collected::default();
        collected.windows.insert(End::Teacher, shown(&lesson, 0, 40));
        collected.windows.insert(End::Classroom(whole), shown(&lesson, 0, 40));
        collected.windows.insert(End::Classroom(short), shown(&lesson, 11, 40));
        collected.heads.insert(whole, HeadCount { pupils: 24, at_ms: UnixMs(1), by: "李老师".into() });
        let report = work_out(&lesson, &collected, &RuleSet::default(), lesson.times.ends_at);
        let found: Vec<_> = report.ends.iter().map(|end| (end.attendance.state, end.judged.verdict)).collect();
        let expected = [
            (AttendanceState::Present, Verdict::Valid),
            (AttendanceState::Present, Verdict::Valid),
            (AttendanceState::Late, Verdict::Short),
            (AttendanceState::Absent, Verdict::Missed),
        ];
        assert_eq!(found, expected);
        assert_eq!(report.ends[2].judged.held_ms, Some(29 * MINUTE), "29 minutes are one too few");
        assert_eq!(report.ends[3].end, End::Classroom(absent));
        assert_eq!(report.ends[1].heads.as_ref().map(|heads| heads.pupils), Some(24));
    }

    #[test]
    fn the_classrooms_own_bell_says_who_is_late() {
        let (lesson, [early_bell, ..]) = held();
        let mut collected = Collected::default();
        collected.windows.insert(End::Classroom(early_bell), shown(&lesson, 12, 40));
        let state = |collected: &Collected| {
            work_out(&lesson, collected, &RuleSet::default(), lesson.times.ends_at).ends[1].attendance.state
        };
        assert_eq!(state(&collected), AttendanceState::Late);
        collected.late_after.insert(early_bell, UnixMs(lesson.times.starts_at.0 + 30 * MINUTE));
        assert_eq!(state(&collected), AttendanceState::Present);
    }

    #[test]
    fn a_teacher_who_goes_away_does_not_make_a_valid_lesson_but_a_recording_does() {
        let (mut lesson, _) = held();
        let mut collected = Collected::default();
        let mut seen = shown(&lesson, 0, 5);
        seen.extend(shown(&lesson, 5, 40).into_iter().map(|window| Sample {
            shown_ms: 0,
            cause: Some(Cause::Teacher),
            ..window
        }));
        collected.windows.insert(End::Teacher, seen);
        let verdict = |lesson: &Lesson, collected: &Collected| {
            work_out(lesson, collected, &RuleSet::default(), lesson.times.ends_at).ends[0].judged.verdict
        };
        assert_eq!(verdict(&lesson, &collected), Verdict::Short);
        lesson.mode = "recorded".into();
        assert_eq!(verdict(&lesson, &collected), Verdict::Valid);
        assert_eq!(verdict(&lesson, &Collected::default()), Verdict::Unjudged, "nobody looked");
    }

    #[test]
    fn a_lesson_that_never_was_has_no_attendance_and_its_reason_for_a_verdict() {
        let (mut lesson, _) = held();
        (lesson.live_at, lesson.ended_at) = (None, None);
        for (state, verdict) in [(LessonState::Cancelled, Verdict::Cancelled), (LessonState::Missed, Verdict::Missed)] {
            lesson.state = state;
            let report = work_out(&lesson, &Collected::default(), &RuleSet::default(), lesson.times.ends_at);
            assert_eq!(report.held, None);
            assert!(report.ends.iter().all(|end| end.judged.verdict == verdict), "{state:?}");
            assert!(report.ends.iter().all(|end| end.attendance.state == AttendanceState::Unknown));
        }
    }

    #[test]
    fn an_end_is_known_by_its_name() {
        for end in [End::Teacher, End::Classroom(ClassroomId::fresh())] {
            assert_eq!(end.to_string().parse(), Ok(end));
        }
        assert!("somebody".parse::<End>().is_err());
    }

    #[test]
    fn every_figure_is_explained_once_and_in_both_languages() {
        let figures: BTreeSet<&str> = FORMULAS.iter().map(|formula| formula.figure).collect();
        assert_eq!(figures.len(), FORMULAS.len());
        for formula in FORMULAS {
            assert!(formula.version >= 1 && formula.zh.chars().count() > 20 && formula.en.len() > 60, "{formula:?}");
        }
    }
}
