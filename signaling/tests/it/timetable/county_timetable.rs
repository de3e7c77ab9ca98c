//! Week 5, Wednesday, period 3, in a county of 12 schools and 30 teaching points: worked out by hand, and by the rules.
//!
//! The hand's way: 2026-09-30 00:00 UTC is 1,790,726,400,000 ms after 1970 (20,726 days of 86,400,000 ms); Shanghai is
//! eight hours ahead all year, so 10:00 there is 02:00 UTC, 7,200,000 ms into the day.

use std::collections::{HashMap, HashSet};

use jiff::civil::Weekday;
use school::{
    base::id::LessonId,
    dispatch::{DispatchedLesson, booking::Taken},
    fixtures::county::{County, Node},
    lesson::life::LessonState,
    timetable::{
        Slot, Unresolved,
        bell_schedule::PeriodName,
        pairing::{Hearing, may_listen},
        plan,
        rules::RuleSet,
    },
};

/// 2026-09-30 00:00 UTC.
const DAY: i64 = 20_726 * 86_400_000;

/// This many days later, at this hour and minute of the school's clock.
fn by_hand(days_later: i64, hour: i64, minute: i64) -> i64 {
    DAY + days_later * 86_400_000 + ((hour - 8) * 60 + minute) * 60_000
}

fn period_3(county: &County, school: &Node, term: usize, week_no: u8, weekday: Weekday) -> Result<Slot, Unresolved> {
    let time = county.time_of(school.organisation_id, &county.terms[term]).unwrap();
    time.resolve(school.stage, week_no, weekday, PeriodName::lesson(3))
}

#[test]
fn the_county_is_as_large_as_it_says() {
    let county = County::fresh();
    assert_eq!((county.schools().len(), county.points().len(), county.terms.len()), (12, 30, 3));
    for schedule in &county.bells {
        schedule.check(&county.bells).unwrap();
        assert!(schedule.periods.len() >= 7, "{}", schedule.name);
    }
    for term in &county.terms {
        let year = county.years.iter().find(|year| year.school_year_id == term.school_year_id).unwrap();
        term.check(year, &county.terms).unwrap();
        county.courses(term).iter().for_each(|course| course.check().unwrap());
        let pairings = county.pairings(term);
        pairings.iter().for_each(|pairing| pairing.check(&pairings).unwrap());
    }
}

#[test]
fn week_5_wednesday_period_3_is_when_the_hand_says() {
    let county = County::fresh();
    let (town, mountain, junior) = (&county.schools()[0], &county.schools()[5], &county.schools()[10]);
    let point = &county.points()[0];
    assert_eq!((town.name.as_str(), mountain.name.as_str()), ("沈坝镇中心小学", "高山镇中心小学"));
    // Whose, term, week, then the date and the clock times worked out on paper with a calendar of the year.
    let table = [
        // Wednesday of week 5 is 30 September 2026, the last day of the summer bells: 10:00 to 10:40.
        (town, 0, 5, "2026-09-30", by_hand(0, 10, 0), by_hand(0, 10, 40)),
        // A point goes by its centre school's bells, and that by the county's.
        (point, 0, 5, "2026-09-30", by_hand(0, 10, 0), by_hand(0, 10, 40)),
        // In the mountains winter began two days before: 10:40 to 11:20.
        (mountain, 0, 5, "2026-09-30", by_hand(0, 10, 40), by_hand(0, 11, 20)),
        // The junior middle school has lessons of 45 minutes and one schedule for the year: 10:05 to 10:50.
        (junior, 0, 5, "2026-09-30", by_hand(0, 10, 5), by_hand(0, 10, 50)),
        // Wednesday of week 6 is 7 October, a holiday, made up on Saturday the 10th, by winter bells: 10:20 to 11:00.
        (town, 0, 6, "2026-10-10", by_hand(10, 10, 20), by_hand(10, 11, 0)),
        (junior, 0, 6, "2026-10-10", by_hand(10, 10, 5), by_hand(10, 10, 50)),
        // Week 7: 14 October, an ordinary Wednesday of the winter.
        (town, 0, 7, "2026-10-14", by_hand(14, 10, 20), by_hand(14, 11, 0)),
        // Spring, week 5: 31 March 2027, still winter bells. 182 days after 30 September.
        (town, 1, 5, "2027-03-31", by_hand(182, 10, 20), by_hand(182, 11, 0)),
        // Spring, week 10: 5 May, a holiday, made up on Saturday 8 May, by summer bells again.
        (town, 1, 10, "2027-05-08", by_hand(220, 10, 0), by_hand(220, 10, 40)),
        // The next autumn, week 5: 29 September 2027, summer below, winter above. 364 days after.
        (town, 2, 5, "2027-09-29", by_hand(364, 10, 0), by_hand(364, 10, 40)),
        (mountain, 2, 5, "2027-09-29", by_hand(364, 10, 40), by_hand(364, 11, 20)),
        // Week 6: 6 October 2027 is made up before, on Sunday 26 September, while the summer bells still ring.
        (town, 2, 6, "2027-09-26", by_hand(361, 10, 0), by_hand(361, 10, 40)),
    ];
    for (school, term, week_no, date, starts_at, ends_at) in table {
        let slot = period_3(&county, school, term, week_no, Weekday::Wednesday).unwrap();
        let told = (slot.date.to_string(), slot.span.starts_at.0, slot.span.ends_at.0);
        assert_eq!(told, (date.to_owned(), starts_at, ends_at), "{} term {term} week {week_no}", school.name);
        assert_eq!((slot.week_no, slot.weekday), (week_no, Weekday::Wednesday), "it stays a Wednesday of the plan");
    }
}

#[test]
fn what_is_off_and_never_made_up_has_no_time() {
    let county = County::fresh();
    let town = &county.schools()[0];
    // Friday of week 4 is the Mid-Autumn Festival; Thursday of week 5 begins the National Day week.
    for (week_no, weekday, date) in [(4, Weekday::Friday, "2026-09-25"), (5, Weekday::Thursday, "2026-10-01")] {
        match period_3(&county, town, 0, week_no, weekday) {
            Err(Unresolved::Off { date: off, .. }) => assert_eq!(off.to_string(), date),
            other => panic!("{other:?}"),
        }
    }
    // The Saturday that makes up a Wednesday has no lessons of its own.
    let saturday = period_3(&county, town, 0, 6, Weekday::Saturday);
    assert!(matches!(saturday, Err(Unresolved::TakenFor { .. })), "{saturday:?}");
    assert!(matches!(period_3(&county, town, 0, 22, Weekday::Wednesday), Err(Unresolved::NotInTerm { week_no: 22 })));
}

#[test]
fn a_whole_term_of_the_county_is_planned_without_a_clash() {
    let county = County::fresh();
    for term in &county.terms {
        let schools: HashMap<_, _> = county
            .nodes
            .iter()
            .map(|node| (node.organisation_id, county.time_of(node.organisation_id, term).unwrap()))
            .collect();
        let rights: Vec<_> = county.pairings(term).iter().flat_map(|pairing| pairing.rights()).collect();
        let (mut taken, mut lessons, mut dates) = (Taken::default(), 0, HashSet::new());
        for course in county.courses(term) {
            let plan = plan(&course, &schools, &RuleSet::default(), &HashSet::new());
            for planned in &plan.lessons {
                let lesson = DispatchedLesson {
                    lesson_id: LessonId::fresh(),
                    organisation_id: course.organisation_id,
                    state: LessonState::Scheduled,
                    teacher_id: course.teacher_id,
                    classroom_id: course.classroom_id,
                    class_id: course.class_id,
                    device_ids: Vec::new(),
                    slot: Some(planned.slot),
                    span: planned.span,
                    listening: planned.listening.iter().map(|(end, _)| course.listening[*end]).collect(),
                    version: 1,
                };
                assert_eq!(taken.clashes(&lesson), [], "{} {:?}", course.title, planned.slot);
                taken.take_lesson(&lesson);
                dates.insert(planned.slot.date);
                lessons += 1;
            }
            for class_id in course.listening.iter().filter_map(|listening| listening.class_id) {
                let (term_id, teaching_id, subject) = (term.term_id, course.organisation_id, course.subject.as_str());
                assert!(may_listen(&rights, &Hearing { term_id, teaching_id, class_id, subject }));
            }
        }
        let off = county
            .days
            .iter()
            .filter(|day| matches!(day.kind, school::timetable::calendar::DayKind::Off) && dates.contains(&day.date));
        assert_eq!(off.count(), 0, "nobody teaches on a holiday");
        // 18 courses of two periods a week, for 18 to 21 weeks with some holidays.
        assert!((560..=740).contains(&lessons), "{} has {lessons} lessons", term.name);
    }
}
