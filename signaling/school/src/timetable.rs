//! Resolves "week 5, Wednesday, period 3" to an instant, and a course's weekly periods to dated lessons.

pub mod bell_schedule;
pub mod calendar;
pub mod course;
pub mod pairing;
pub mod program;
pub mod rules;
pub mod two_ends;

use std::collections::{HashMap, HashSet};

use jiff::civil::{Date, Weekday};
use serde::Serialize;
use utoipa::ToSchema;

use super::organisation::Stage;
use crate::{
    base::{
        id::{BellScheduleId, ClassId, OrganisationId},
        zone::Zone,
    },
    timetable::{
        bell_schedule::{Bells, PeriodName},
        calendar::{Calendar, DayKind, Held, SpecialDay},
        course::Course,
        program::Delivery,
        rules::RuleSet,
        two_ends::{Span, share},
    },
};

/// Everything that determines a school's lesson times.
#[derive(Clone, Debug)]
pub struct SchoolTime {
    /// Its term with holidays and swapped days.
    pub calendar: Calendar,
    /// Its bell schedules, own and inherited.
    pub bells: Bells,
    /// Its time zone.
    pub zone: Zone,
}

/// A period on a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// 第几周, as planned.
    pub week_no: u8,
    /// 星期几, as planned.
    pub weekday: Weekday,
    /// 第几节
    pub period: PeriodName,
    /// The actual date: differs from the plan where the day was swapped.
    pub date: Date,
    /// From bell to bell.
    pub span: Span,
    /// The bell schedule that applies.
    pub bell_schedule_id: BellScheduleId,
}

/// Why a planned period has no date and time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Unresolved {
    /// The term has no such day.
    #[error("the term has no such day in week {week_no}")]
    NotInTerm {
        /// Week number. 0, and not shown: a date was requested.
        #[serde(skip)]
        week_no: u8,
    },
    /// A holiday that is not made up.
    #[error("{date} is off: {name}")]
    Off {
        /// The day.
        #[schema(value_type = String, format = Date)]
        date: Date,
        /// The holiday.
        name: String,
    },
    /// The day is used for another day's lessons.
    #[error("{date} is taken for the lessons of {other}")]
    TakenFor {
        /// The day.
        #[schema(value_type = String, format = Date)]
        date: Date,
        /// The day whose lessons are given.
        #[schema(value_type = String, format = Date)]
        other: Date,
    },
    /// No bell schedule applies on that day.
    #[error("no bell schedule holds on {date}")]
    NoBells {
        /// The day.
        #[schema(value_type = String, format = Date)]
        date: Date,
    },
    /// That day's schedule has no such period.
    #[error("{schedule} has no {period}")]
    NoSuchPeriod {
        /// The schedule.
        schedule: String,
        /// The period.
        #[schema(value_type = String)]
        period: PeriodName,
    },
    /// No receiving period overlaps the lesson enough.
    #[error("the bells of both ends share {shared_min} minutes, at least {needed_min} are needed")]
    TooLittleShared {
        /// Longest overlap, in minutes.
        shared_min: i64,
        /// Required overlap, in minutes.
        needed_min: i64,
    },
    /// No class can listen.
    #[error("nobody can listen that day")]
    NobodyListens,
    /// The class has no listening right for this course in this term.
    #[error("the class has no right to listen")]
    NoListeningRight,
}

impl SchoolTime {
    /// Resolves a planned period.
    ///
    /// # Errors
    /// See [`Unresolved`].
    pub fn resolve(&self, stage: Stage, week_no: u8, weekday: Weekday, period: PeriodName) -> Result<Slot, Unresolved> {
        let planned = self.calendar.term().date_of(week_no, weekday).ok_or(Unresolved::NotInTerm { week_no })?;
        let date = match self.calendar.held(planned) {
            Held::On(date) => date,
            Held::Off { name } => return Err(Unresolved::Off { date: planned, name }),
            Held::TakenFor(other) => return Err(Unresolved::TakenFor { date: planned, other }),
        };
        let schedule = self.bells.on(date, stage).ok_or(Unresolved::NoBells { date })?;
        let no_period = || Unresolved::NoSuchPeriod { schedule: schedule.name.clone(), period };
        let bells = schedule.period(period).ok_or_else(no_period)?;
        let instant = |minute| self.zone.instant(date, minute).ok_or(Unresolved::NoBells { date });
        let span = Span { starts_at: instant(bells.starts)?, ends_at: instant(bells.ends)? };
        Ok(Slot { week_no, weekday, period, date, span, bell_schedule_id: schedule.bell_schedule_id })
    }

    /// The period on a date, regardless of the planned week: for lessons put on a date by hand.
    ///
    /// # Errors
    /// See [`Unresolved`].
    pub fn on_date(&self, stage: Stage, date: Date, period: PeriodName) -> Result<Slot, Unresolved> {
        let term = self.calendar.term();
        let planned = match self.calendar.special(date) {
            None => date,
            Some(SpecialDay { kind: DayKind::TaughtAs { date: other }, .. }) => *other,
            Some(day) => return Err(Unresolved::Off { date, name: day.name.clone() }),
        };
        let week_no = term.week_of(planned).ok_or(Unresolved::NotInTerm { week_no: 0 })?;
        self.resolve(stage, week_no, planned.weekday(), period)
    }

    /// This school's own period with the longest overlap with a lesson given elsewhere.
    ///
    /// # Errors
    /// [`Unresolved::Off`] or [`Unresolved::NoBells`] without lessons that day, [`Unresolved::TooLittleShared`].
    pub fn receiving(&self, stage: Stage, date: Date, lesson: Span, rules: &RuleSet) -> Result<Span, Unresolved> {
        if let Some(SpecialDay { kind: DayKind::Off, name, .. }) = self.calendar.special(date) {
            return Err(Unresolved::Off { date, name: name.clone() });
        }
        let schedule = self.bells.on(date, stage).ok_or(Unresolved::NoBells { date })?;
        let spans = schedule.periods.iter().filter(|period| period.name.kind.takes_lessons()).filter_map(|period| {
            let starts_at = self.zone.instant(date, period.starts)?;
            Some(Span { starts_at, ends_at: self.zone.instant(date, period.ends)? })
        });
        // On a tie the earlier period: a class should leave early rather than late.
        let best = spans.max_by_key(|span| (span.shared_ms(lesson), -span.starts_at.0));
        let (shared_min, needed_min) =
            (best.map_or(0, |span| span.shared_ms(lesson) / 60_000), i64::from(rules.shared_at_least_min));
        best.filter(|_| shared_min >= needed_min).ok_or(Unresolved::TooLittleShared { shared_min, needed_min })
    }
}

/// A planned lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedLesson {
    /// 第几次课 of its course, from 1.
    pub number: u16,
    /// The broadcasting end's period.
    pub slot: Slot,
    /// From the starting bell to the ending bell by the rules.
    pub span: Span,
    /// Receiving ends, by index in the course's list, and their join windows.
    pub listening: Vec<(usize, Span)>,
}

/// A planned period that became no lesson, or that a classroom cannot listen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// 第几周
    pub week_no: u8,
    /// 星期几
    pub weekday: Weekday,
    /// 第几节
    pub period: PeriodName,
    /// The receiving end, by index in the course's list. `None`: the lesson itself.
    pub end: Option<usize>,
    /// The reason.
    pub why: Unresolved,
}

/// A term of one course.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoursePlan {
    /// Its lessons, in order of time.
    pub lessons: Vec<PlannedLesson>,
    /// What could not be planned, for a person to decide.
    pub left_out: Vec<LeftOut>,
}

/// Expands a course's weekly periods into a term of dated lessons.
///
/// `schools` holds the times of the broadcasting school and of each receiving one; a receiving school not in it uses
/// the broadcasting school's bells. `barred` classes have no listening right: each is reported once, with its first
/// period. Periods before the first or after the last day of the term are skipped without report: every term has
/// them.
#[must_use]
pub fn plan(
    course: &Course,
    schools: &HashMap<OrganisationId, SchoolTime>,
    rules: &RuleSet,
    barred: &HashSet<ClassId>,
) -> CoursePlan {
    let mut plan = CoursePlan::default();
    let Some(home) = schools.get(&course.organisation_id) else { return plan };
    let mut named = HashSet::new();
    for week_no in 1..=home.calendar.term().weeks() {
        for weekly in course.weekly.iter().filter(|weekly| weekly.weeks.has(week_no)) {
            let left_out = |end, why| LeftOut { week_no, weekday: weekly.weekday, period: weekly.period, end, why };
            let slot = match home.resolve(course.stage, week_no, weekly.weekday, weekly.period) {
                Ok(slot) => slot,
                Err(Unresolved::NotInTerm { .. }) => continue,
                Err(why) => {
                    plan.left_out.push(left_out(None, why));
                    continue;
                }
            };
            let (mut listening, mut spans) = (Vec::new(), Vec::new());
            for (end, listens) in course.listening.iter().enumerate() {
                if listens.class_id.is_some_and(|class_id| barred.contains(&class_id)) {
                    if named.insert(end) {
                        plan.left_out.push(left_out(Some(end), Unresolved::NoListeningRight));
                    }
                    continue;
                }
                let there = schools.get(&listens.organisation_id).unwrap_or(home);
                match there.receiving(course.stage, slot.date, slot.span, rules) {
                    Ok(span) => {
                        listening.push(end);
                        spans.push(span);
                    }
                    Err(why) => plan.left_out.push(left_out(Some(end), why)),
                }
            }
            if listening.is_empty() && course.delivery == Delivery::Dedicated {
                plan.left_out.push(left_out(None, Unresolved::NobodyListens));
                continue;
            }
            match share(slot.span, &spans, rules) {
                Ok(shared) => plan.lessons.push(PlannedLesson {
                    number: 0,
                    slot,
                    span: shared.span,
                    listening: listening.into_iter().zip(shared.join_windows).collect(),
                }),
                // The rule ends the lesson before the overlap with one end is long enough.
                Err(few) => plan.left_out.push(left_out(
                    None,
                    Unresolved::TooLittleShared { shared_min: few.shared_min, needed_min: few.needed_min },
                )),
            }
        }
    }
    plan.lessons.sort_by_key(|lesson| lesson.span.starts_at);
    for (number, lesson) in (1..).zip(&mut plan.lessons) {
        lesson.number = number;
    }
    plan
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::{
        base::{
            id::{SchoolYearId, TermId},
            zone::{Minute, SHANGHAI},
        },
        timetable::{
            bell_schedule::{BellSchedule, Period, Season},
            calendar::Term,
            course::{WeeklyPeriod, Weeks, tests::english},
        },
    };

    /// Periods of 40 minutes with breaks of 10, starting at `first`.
    fn school(organisation_id: OrganisationId, first: (u16, u16), days: &[SpecialDay]) -> SchoolTime {
        let first = Minute::at(first.0, first.1).unwrap().after_midnight();
        let at = |n: u16| Minute::new(first + n).unwrap();
        let period = |n: u8| Period {
            name: PeriodName::lesson(n),
            starts: at(u16::from(n - 1) * 50),
            ends: at(u16::from(n) * 50 - 10),
        };
        let schedule = BellSchedule {
            bell_schedule_id: BellScheduleId::fresh(),
            organisation_id,
            stage: None,
            name: "全年作息".into(),
            season: Season { from: "01-01".parse().unwrap(), until: "12-31".parse().unwrap() },
            periods: (1..=4).map(period).collect(),
        };
        let term = Term {
            term_id: TermId::fresh(),
            school_year_id: SchoolYearId::fresh(),
            name: "第一学期".into(),
            first_day: date(2026, 9, 1),
            last_day: date(2026, 10, 14),
        };
        SchoolTime {
            calendar: Calendar::new(term, days.to_vec()).unwrap(),
            bells: Bells::new(&[organisation_id], [schedule]),
            zone: Zone::named(SHANGHAI).unwrap(),
        }
    }

    fn special(date: Date, kind: DayKind) -> SpecialDay {
        SpecialDay { date, kind, name: "国庆节".into() }
    }

    #[test]
    fn a_course_becomes_a_lesson_a_week_but_for_holidays() {
        let course = english();
        let (wednesday, saturday) = (date(2026, 10, 7), date(2026, 10, 10));
        let days = [special(wednesday, DayKind::Off), special(saturday, DayKind::TaughtAs { date: wednesday })];
        let there = course.listening[0].organisation_id;
        let schools = HashMap::from([
            (course.organisation_id, school(course.organisation_id, (8, 0), &days)),
            (there, school(there, (8, 20), &days)),
        ]);
        let plan = plan(&course, &schools, &RuleSet::default(), &HashSet::new());
        let dates: Vec<_> = plan.lessons.iter().map(|lesson| (lesson.number, lesson.slot.date.to_string())).collect();
        let expected = ["09-02", "09-09", "09-16", "09-23", "09-30", "10-10", "10-14"];
        let expected: Vec<_> = (1..).zip(expected.map(|day| format!("2026-{day}"))).collect();
        assert_eq!(dates, expected);
        assert_eq!(plan.left_out, []);
        let zone = Zone::named(SHANGHAI).unwrap();
        let clock = |at| zone.local(at).unwrap().time().to_string();
        let fifth = &plan.lessons[4];
        assert_eq!((clock(fifth.span.starts_at), clock(fifth.span.ends_at)), ("09:40:00".into(), "10:20:00".into()));
        // Their third period is 10:00 to 10:40: the join window is 9:30 to 10:10.
        let window = fifth.listening[0].1;
        assert_eq!((clock(window.starts_at), clock(window.ends_at)), ("09:30:00".into(), "10:10:00".into()));
    }

    #[test]
    fn a_receiving_school_on_holiday_is_left_out_and_named() {
        let mut course = english();
        let there = course.listening[0].organisation_id;
        let fair = [special(date(2026, 9, 9), DayKind::Off)];
        let schools = HashMap::from([
            (course.organisation_id, school(course.organisation_id, (8, 0), &[])),
            (there, school(there, (8, 0), &fair)),
        ]);
        let rules = RuleSet::default();
        let synchronous = plan(&course, &schools, &rules, &HashSet::new());
        assert_eq!(synchronous.lessons.len(), 7);
        assert!(synchronous.lessons[1].listening.is_empty());
        assert_eq!((synchronous.left_out[0].end, synchronous.left_out[0].week_no), (Some(0), 2));
        // A dedicated lesson without its only receiving class is not planned.
        course.delivery = Delivery::Dedicated;
        course.class_id = None;
        let dedicated = plan(&course, &schools, &rules, &HashSet::new());
        assert_eq!((dedicated.lessons.len(), dedicated.left_out.len()), (6, 2));
        assert_eq!(dedicated.left_out[1].why, Unresolved::NobodyListens);
    }

    #[test]
    fn a_class_without_a_right_is_planned_into_nothing_and_named_once() {
        let mut course = english();
        let (there, class_id) = (course.listening[0].organisation_id, course.listening[0].class_id.unwrap());
        let schools = HashMap::from([
            (course.organisation_id, school(course.organisation_id, (8, 0), &[])),
            (there, school(there, (8, 20), &[])),
        ]);
        let (rules, barred) = (RuleSet::default(), HashSet::from([class_id]));
        let synchronous = plan(&course, &schools, &rules, &barred);
        assert_eq!(synchronous.lessons.len(), 7);
        assert!(synchronous.lessons.iter().all(|lesson| lesson.listening.is_empty()));
        assert!(matches!(synchronous.left_out[..], [LeftOut { end: Some(0), why: Unresolved::NoListeningRight, .. }]));
        course.delivery = Delivery::Dedicated;
        course.class_id = None;
        assert!(plan(&course, &schools, &rules, &barred).lessons.is_empty(), "nobody would be taught");
    }

    #[test]
    fn odd_weeks_and_missing_periods() {
        let mut course = english();
        course.listening.clear();
        course.weekly[0].weeks = Weeks::Odd;
        course.weekly.push(WeeklyPeriod {
            weekday: Weekday::Monday,
            period: PeriodName::lesson(7),
            weeks: Weeks::Between(2, 2),
        });
        let schools = HashMap::from([(course.organisation_id, school(course.organisation_id, (8, 0), &[]))]);
        let plan = plan(&course, &schools, &RuleSet::default(), &HashSet::new());
        let weeks: Vec<_> = plan.lessons.iter().map(|lesson| lesson.slot.week_no).collect();
        assert_eq!(weeks, [1, 3, 5, 7]);
        assert!(matches!(plan.left_out[..], [LeftOut { why: Unresolved::NoSuchPeriod { .. }, .. }]));
    }

    #[test]
    fn a_lesson_put_on_a_date_by_hand_knows_its_week() {
        let organisation_id = OrganisationId::fresh();
        let (wednesday, saturday) = (date(2026, 10, 7), date(2026, 10, 10));
        let days = [special(wednesday, DayKind::Off), special(saturday, DayKind::TaughtAs { date: wednesday })];
        let school = school(organisation_id, (8, 0), &days);
        let period = PeriodName::lesson(1);
        let plain = school.on_date(Stage::Primary, date(2026, 9, 30), period).unwrap();
        assert_eq!((plain.week_no, plain.weekday), (5, Weekday::Wednesday));
        let swapped = school.on_date(Stage::Primary, saturday, period).unwrap();
        assert_eq!((swapped.week_no, swapped.weekday, swapped.date), (6, Weekday::Wednesday, saturday));
        assert!(matches!(school.on_date(Stage::Primary, date(2027, 1, 1), period), Err(Unresolved::NotInTerm { .. })));
    }
}
