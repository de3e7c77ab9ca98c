//! Attendance, to the second, from the timetable's list, the reports of each end's page and the hub's own figures.
//!
//! Presence is media actually rendered. A page reports every five seconds, and at once on a change, how long the lesson
//! was on screen since its last report; the hub counts this only while it was sending to that page. Time without a
//! report does not count.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    base::{formula::Formula, time::UnixMs, words::words},
    timetable::two_ends::Span,
};

words!(
    /// Why the lesson was not on an end's screen.
    Cause {
        /// The page was open but hidden by another one, or the screen was off.
        Hidden = "hidden",
        /// The page was open, but its sound was not switched on.
        Silent = "silent",
        /// Pictures were sent but none was drawn: the screen was black or frozen.
        Black = "black",
        /// Nothing reached the page, or the page sent no report.
        Line = "line",
        /// The hub was restarted.
        Hub = "hub",
        /// The teacher sent no media.
        Teacher = "teacher",
    }
);

words!(
    /// Attendance of an end.
    AttendanceState {
        /// From beginning to end.
        Present = "present",
        /// It joined after its bell and grace.
        Late = "late",
        /// It left before the end.
        LeftEarly = "left_early",
        /// Both.
        LateAndLeftEarly = "late_and_left_early",
        /// It never joined, or nothing was ever on its screen.
        Absent = "absent",
        /// No data of the lesson was collected.
        Unknown = "unknown",
    }
);

/// One interval of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Start.
    pub from: UnixMs,
    /// End.
    pub until: UnixMs,
    /// Why the lesson was not on screen. `None`: it was.
    pub cause: Option<Cause>,
}

/// An interval after joining in which the lesson was not on the end's screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Interruption {
    /// Start.
    pub from_ms: UnixMs,
    /// End.
    pub until_ms: UnixMs,
    /// Its cause.
    pub cause: Cause,
}

/// The presence expected of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The lesson as held: from going live to its end.
    pub lesson: Span,
    /// Joining later is late: the end of the join window.
    pub late_after: UnixMs,
    /// Leaving before this is leaving early.
    pub leaves_from: UnixMs,
}

/// Attendance of an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendance {
    /// Its state.
    pub state: AttendanceState,
    /// When the lesson was first on its screen. `None`: never.
    pub came_at: Option<UnixMs>,
    /// When the lesson was last on its screen. `None`: never.
    pub left_at: Option<UnixMs>,
    /// Time present during the lesson, in milliseconds.
    pub present_ms: i64,
    /// Time from the lesson's start to joining, in milliseconds. 0: present at the start.
    pub came_after_ms: i64,
    /// Time from leaving to the lesson's end, in milliseconds. 0: present until the end.
    pub left_before_ms: i64,
    /// Absences between joining and leaving: the longest [`INTERRUPTIONS_MAX`], in order of time.
    pub interruptions: Vec<Interruption>,
    /// Intervals of presence, at most [`STRETCHES_MAX`].
    pub there: Vec<Span>,
}

/// Reports are timestamped on arrival, and network delay varies: a gap between two reports of at most this many
/// milliseconds is ignored.
const BRIDGED_MS: i64 = 1_000;

/// Maximum interruptions listed; a connection with more is described by its quality figures.
pub const INTERRUPTIONS_MAX: usize = 50;

/// Maximum intervals listed; a bar cannot show more parts.
pub const STRETCHES_MAX: usize = 200;

/// Its formula.
pub const PRESENT: Formula = Formula {
    figure: "present_ms",
    version: 1,
    zh: "在课时长 = 这节课在屏幕上真正播放的时间之和（只算开课到下课之间）。教室页面每 5 秒（状态一变就立刻）报告：页面在前台、声音已打开，并且 5 秒内画出过\
画面；没有画面可看时（板书静止、线路太窄），以声音在播放为准。平台同时核对确实正在向这间教室发送。页面被遮住、黑屏、没有声音、停止报告的时间不算；\
相邻两段相隔不到 1 秒的连起来算。",
    en: "Time present is the sum of the time in which the lesson was really playing on the screen, between its beginning and its \
end. The classroom's page reports every 5 s, and at once when that changes: it is in the foreground, its sound is on, and a \
picture was drawn within the last 5 s; where there is no picture to see (a board that stands still, a thin line), the voice \
was playing. The hub checks that it was sending to this room. Time in which the page was hidden, black, silent or told nothing \
does not count; two stretches less than 1 s apart are one.",
};

/// Its formula.
pub const CAME_AND_LEFT: Formula = Formula {
    figure: "came_and_left",
    version: 1,
    zh: "到课 = 开课后第一次真正看到这节课的时刻；离开 = 最后一次真正看到的时刻，都精确到秒。中间没有看到的每一段都列出原因：页面被遮住、没有声音、黑屏、\
线路中断、平台重启、老师没有发送。",
    en: "Came is the moment at which the lesson was really seen first after it began, left the moment at which it was seen last, \
to the second. Every stretch between them in which it was not seen is listed with its cause: page hidden, no sound, black, line \
interrupted, hub restarted, nothing sent by the teacher.",
};

/// Its formula.
pub const STATE: Formula = Formula {
    figure: "attendance",
    version: 1,
    zh: "应到教室来自课表。迟到 = 到课时刻晚于本校铃声加宽限（规则 join_grace_min，默认 10 分钟）；早退 = 离开时刻早于下课前的宽限（规则 \
leave_grace_min，默认 1 分钟）；未到 = 从未真正看到这节课。",
    en: "Who is expected comes from the timetable. Late is whoever came later than their own bell and its grace (rule \
join_grace_min, 10 minutes unless set). Left early is whoever left earlier than the grace before the end (rule leave_grace_min, \
1 minute unless set). Absent is whoever never really saw the lesson.",
};

/// Attendance of one end from its stretches, in any order.
///
/// `restarts`: start times of the hub; a gap that contains one is attributed to the hub.
#[must_use]
pub fn attend(expected: &Expected, seen: &[Stretch], restarts: &[UnixMs]) -> Attendance {
    let lesson = expected.lesson;
    let there = joined(lesson, seen.iter().filter(|stretch| stretch.cause.is_none()));
    let (Some(first), Some(last)) = (there.first(), there.last()) else {
        return Attendance {
            state: AttendanceState::Absent,
            came_at: None,
            left_at: None,
            present_ms: 0,
            came_after_ms: 0,
            left_before_ms: 0,
            interruptions: Vec::new(),
            there,
        };
    };
    let (came_at, left_at) = (first.starts_at, last.ends_at);
    let late = came_at > expected.late_after;
    let state = match (late, left_at < expected.leaves_from) {
        (false, false) => AttendanceState::Present,
        (true, false) => AttendanceState::Late,
        (false, true) => AttendanceState::LeftEarly,
        (true, true) => AttendanceState::LateAndLeftEarly,
    };
    Attendance {
        state,
        came_at: Some(came_at),
        left_at: Some(left_at),
        present_ms: there.iter().map(|span| span.ends_at.0 - span.starts_at.0).sum(),
        came_after_ms: came_at.0 - lesson.starts_at.0,
        left_before_ms: lesson.ends_at.0 - left_at.0,
        interruptions: interruptions(&there, seen, restarts),
        there: there.into_iter().take(STRETCHES_MAX).collect(),
    }
}

/// Attendance for a lesson of which no data was collected.
#[must_use]
pub fn unknown() -> Attendance {
    let nothing = Span { starts_at: UnixMs(0), ends_at: UnixMs(0) };
    let expected = Expected { lesson: nothing, late_after: UnixMs(0), leaves_from: UnixMs(0) };
    Attendance { state: AttendanceState::Unknown, ..attend(&expected, &[], &[]) }
}

/// The parts of these stretches within the lesson, in order, merged where they touch.
fn joined<'a>(lesson: Span, seen: impl Iterator<Item = &'a Stretch>) -> Vec<Span> {
    let mut spans: Vec<Span> = seen
        .map(|stretch| Span {
            starts_at: stretch.from.max(lesson.starts_at),
            ends_at: stretch.until.min(lesson.ends_at),
        })
        .filter(|span| span.starts_at < span.ends_at)
        .collect();
    spans.sort_by_key(|span| (span.starts_at, span.ends_at));
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(before) if span.starts_at.0 - before.ends_at.0 < BRIDGED_MS => {
                before.ends_at = before.ends_at.max(span.ends_at);
            }
            _ => joined.push(span),
        }
    }
    joined
}

fn interruptions(there: &[Span], seen: &[Stretch], restarts: &[UnixMs]) -> Vec<Interruption> {
    let mut holes: Vec<Interruption> = there
        .iter()
        .zip(there.iter().skip(1))
        .map(|(before, after)| {
            let hole = Span { starts_at: before.ends_at, ends_at: after.starts_at };
            Interruption { from_ms: hole.starts_at, until_ms: hole.ends_at, cause: cause(hole, seen, restarts) }
        })
        .collect();
    if holes.len() > INTERRUPTIONS_MAX {
        holes.sort_by_key(|hole| std::cmp::Reverse(hole.until_ms.0 - hole.from_ms.0));
        holes.truncate(INTERRUPTIONS_MAX);
        holes.sort_by_key(|hole| hole.from_ms);
    }
    holes
}

/// Cause of a gap: the hub's restart, else the reported cause that covers most of it, else the line.
fn cause(hole: Span, seen: &[Stretch], restarts: &[UnixMs]) -> Cause {
    if restarts.iter().any(|at| hole.starts_at <= *at && *at <= hole.ends_at) {
        return Cause::Hub;
    }
    let told = |cause: Cause| -> i64 {
        let of = seen.iter().filter(|stretch| stretch.cause == Some(cause));
        of.map(|stretch| hole.shared_ms(Span { starts_at: stretch.from, ends_at: stretch.until })).sum()
    };
    let most = Cause::ALL.iter().map(|cause| (told(*cause), *cause)).max_by_key(|(ms, _)| *ms);
    most.filter(|(ms, _)| 2 * ms >= hole.ends_at.0 - hole.starts_at.0).map_or(Cause::Line, |(_, cause)| cause)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(minute: i64, second: i64) -> UnixMs {
        UnixMs(1_789_948_800_000 + minute * MINUTE + second * 1_000)
    }

    fn there(from: UnixMs, until: UnixMs) -> Stretch {
        Stretch { from, until, cause: None }
    }

    fn away(from: UnixMs, until: UnixMs, cause: Cause) -> Stretch {
        Stretch { from, until, cause: Some(cause) }
    }

    /// Lesson from minute 0 to 40; late after minute 10, leaving early before minute 39.
    fn expected() -> Expected {
        let lesson = Span { starts_at: at(0, 0), ends_at: at(40, 0) };
        Expected { lesson, late_after: at(10, 0), leaves_from: at(39, 0) }
    }

    #[test]
    fn late_and_early_are_told_to_the_second() {
        use AttendanceState::{Late, LateAndLeftEarly, LeftEarly, Present};
        //        came      left      state             after    before   present
        let table = [
            ((0, 0), (40, 0), Present, 0, 0, 2_400),
            ((-5, 0), (41, 0), Present, 0, 0, 2_400),
            ((0, 3), (39, 58), Present, 3, 2, 2_395),
            ((10, 0), (40, 0), Present, 600, 0, 1_800),
            ((10, 1), (40, 0), Late, 601, 0, 1_799),
            ((0, 0), (38, 59), LeftEarly, 0, 61, 2_339),
            ((12, 34), (30, 7), LateAndLeftEarly, 754, 593, 1_053),
        ];
        for (came, left, state, after, before, present) in table {
            let found = attend(&expected(), &[there(at(came.0, came.1), at(left.0, left.1))], &[]);
            assert_eq!(
                (found.state, found.came_after_ms, found.left_before_ms, found.present_ms),
                (state, after * 1_000, before * 1_000, present * 1_000),
                "{came:?} {left:?}"
            );
        }
    }

    #[test]
    fn who_never_comes_is_absent_and_who_only_sat_behind_a_hidden_page_too() {
        let hidden = away(at(0, 0), at(40, 0), Cause::Hidden);
        let early = there(at(-9, 0), at(-1, 0));
        for seen in [vec![], vec![hidden], vec![early]] {
            let found = attend(&expected(), &seen, &[]);
            assert_eq!((found.state, found.came_at, found.present_ms), (AttendanceState::Absent, None, 0));
        }
        assert_eq!(unknown().state, AttendanceState::Unknown);
    }

    #[test]
    fn fifteen_minutes_behind_another_page_are_not_counted() {
        let seen = [there(at(0, 2), at(12, 0)), away(at(12, 0), at(27, 0), Cause::Hidden), there(at(27, 0), at(40, 0))];
        let found = attend(&expected(), &seen, &[]);
        assert_eq!(found.present_ms, (24 * 60 + 58) * 1_000);
        assert_eq!(found.state, AttendanceState::Present);
        let hole = Interruption { from_ms: at(12, 0), until_ms: at(27, 0), cause: Cause::Hidden };
        assert_eq!(found.interruptions, [hole]);
    }

    #[test]
    fn holes_are_named_by_what_was_told_of_them_or_by_the_hubs_own_restart() {
        let seen = [
            there(at(0, 0), at(5, 0)),
            away(at(5, 0), at(5, 20), Cause::Silent),
            away(at(5, 20), at(6, 0), Cause::Black),
            there(at(6, 0), at(10, 0)),
            there(at(10, 30), at(20, 0)),
            there(at(20, 4), at(30, 0)),
            // A gap of half a second is ignored.
            there(UnixMs(at(30, 0).0 + 500), at(40, 0)),
        ];
        let found = attend(&expected(), &seen, &[at(20, 3)]);
        let named: Vec<(UnixMs, Cause)> = found.interruptions.iter().map(|hole| (hole.from_ms, hole.cause)).collect();
        assert_eq!(named, [(at(5, 0), Cause::Black), (at(10, 0), Cause::Line), (at(20, 0), Cause::Hub)]);
        assert_eq!(found.present_ms, 40 * MINUTE - 60_000 - 30_000 - 4_000);
    }

    #[test]
    fn a_line_that_breaks_all_the_time_leaves_its_longest_interruptions() {
        let seen: Vec<Stretch> =
            (0..300).map(|n| there(at(0, 8 * n), at(0, 8 * n + if n == 7 { 2 } else { 5 }))).collect();
        let found = attend(&expected(), &seen, &[]);
        assert_eq!((found.interruptions.len(), found.there.len()), (INTERRUPTIONS_MAX, STRETCHES_MAX));
        assert!(found.interruptions.iter().any(|hole| hole.until_ms.0 - hole.from_ms.0 == 6_000));
        assert!(found.interruptions.is_sorted_by_key(|hole| hole.from_ms));
    }

    proptest! {
        /// However reports overlap and in whatever order they arrive, presence is at most the lesson's length, and
        /// presence plus gaps equals the time between joining and leaving.
        #[test]
        fn nothing_is_counted_twice(
            seen in prop::collection::vec((-300_i64..2_700, 0_i64..120, any::<bool>()), 0..80)
        ) {
            let stretch = |&(from, length, shown): &(i64, i64, bool)| Stretch {
                from: at(0, from),
                until: at(0, from + length),
                cause: (!shown).then_some(Cause::Hidden),
            };
            let mut stretches: Vec<Stretch> = seen.iter().map(stretch).collect();
            let found = attend(&expected(), &stretches, &[]);
            prop_assert!((0..=40 * MINUTE).contains(&found.present_ms));
            stretches.reverse();
            prop_assert_eq!(&attend(&expected(), &stretches, &[]), &found);
            if let (Some(came), Some(left)) = (found.came_at, found.left_at) && found.interruptions.len() < INTERRUPTIONS_MAX {
                let holes: i64 = found.interruptions.iter().map(|hole| hole.until_ms.0 - hole.from_ms.0).sum();
                prop_assert_eq!(found.present_ms + holes, left.0 - came.0);
                prop_assert_eq!(found.came_after_ms + (left.0 - came.0) + found.left_before_ms, 40 * MINUTE);
            }
        }
    }
}
