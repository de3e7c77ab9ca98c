use std::collections::HashSet;

use jiff::civil::{Weekday, date};
use tokio::task::JoinSet;

use super::*;
use crate::{
    scheduling::planner::plan_term,
    store::{
        AgreementError, Database, GridOf, RuleKind,
        dispatch::booking::ONE_AT_A_TIME,
        stores::{fresh_postgres_url, on_both},
    },
};
use school::{
    account::system_scope,
    base::time::UnixMs,
    dispatch::{CancelKind, CancelReason, DispatchAction, DispatchedLesson, after, booking::Resource, swap},
    fixtures::county::County,
    lesson::life::LessonTimes,
    organisation::Stage,
    timetable::{bell_schedule::PeriodName, calendar::Term, pairing::StandingAct, rules::RuleSet, two_ends::Span},
};

const NOW: UnixMs = UnixMs(1_789_948_800_000);

fn row() -> AuditRow {
    AuditRow::by_system(NOW, "dispatch", "lesson".into())
}

async fn county_in(database: &Database) -> (Store, County) {
    let (store, county) = (Store::open(database).await.unwrap(), County::fresh());
    store.seed_county(&system_scope::sample(), &county, NOW).await.unwrap();
    (store, county)
}

/// The first town's English lesson of a week's Wednesday, not stored yet.
async fn a_lesson(store: &Store, county: &County, term: &Term) -> NewLesson {
    let scope = system_scope::sample();
    let path = format!("/{}/", county.bureau().organisation_id);
    let plan = plan_term(store, &scope, term, &path, UnixMs(0)).await.unwrap();
    assert_eq!(plan.left_out.iter().filter(|(_, left)| left.end.is_some()).count(), 0);
    let first = plan.lessons.into_iter().find(|new| new.lesson.organisation_id == county.schools()[0].organisation_id);
    let mut lesson = first.unwrap();
    lesson.course = None;
    lesson
}

on_both! {
    async fn a_hundred_identical_requests_give_one_lesson_and_99_clear_refusals(database) {
        let (store, county) = county_in(&database).await;
        let asked = a_lesson(&store, &county, &county.terms[0]).await;
        let mut requests = JoinSet::new();
        for _ in 0..100 {
            let (store, mut asked) = (store.clone(), asked.clone());
            asked.lesson.lesson_id = LessonId::fresh();
            requests.spawn(async move {
                let done = store.schedule(&system_scope::sample(), std::slice::from_ref(&asked), row()).await;
                (asked.lesson.lesson_id, done)
            });
        }
        let (mut kept, mut refused) = (Vec::new(), HashSet::new());
        while let Some(answered) = requests.join_next().await {
            match answered.unwrap() {
                (lesson_id, Ok(1)) => kept.push(lesson_id),
                (_, Err(ScheduleError::Clashes(clashes))) => {
                    refused.extend(clashes.iter().map(|clash| clash.with));
                    // Teacher, room and class of the school; room and class of each of the three teaching points.
                    assert_eq!(clashes.len(), 9, "{clashes:?}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(kept.len(), 1);
        assert_eq!(refused, HashSet::from([kept[0]]), "all 99 name the one lesson");
        let count: i64 = sqlx::query_scalar("select count(*) from lesson").fetch_one(&store.pool).await.unwrap();
        assert_eq!(count, 1);
    }

    async fn the_table_itself_refuses_what_overlaps(database) {
        let (store, county) = county_in(&database).await;
        let asked = a_lesson(&store, &county, &county.terms[0]).await;
        store.schedule(&system_scope::sample(), std::slice::from_ref(&asked), row()).await.unwrap();
        let Span { starts_at, ends_at } = asked.lesson.span;
        let second = NewLesson { lesson: DispatchedLesson { lesson_id: LessonId::fresh(), span: Span {
            starts_at: UnixMs(ends_at.0), ends_at: UnixMs(ends_at.0 + 2_400_000) }, ..asked.lesson.clone() }, ..asked.clone() };
        let first_and_second = store.schedule(&system_scope::sample(), std::slice::from_ref(&second), row()).await;
        assert_eq!(first_and_second.unwrap(), 1, "adjacent periods are the normal case");
        let book = async |lesson_id: LessonId, from: i64, until: i64| {
            let mut writing = store.write().await.unwrap();
            let mut sql = Sql::new("insert into booking (lesson_id, resource, from_ms, until_ms) values (");
            sql.bind(lesson_id.to_string()).push(", ").bind("device:x").push(", ").bind(from).push(", ").bind(until);
            sql.push(")");
            let done = sql.run(writing.on()).await;
            if done.is_ok() {
                writing.commit_unseen().await.unwrap();
            }
            done
        };
        let (one, two) = (asked.lesson.lesson_id, second.lesson.lesson_id);
        book(one, starts_at.0, ends_at.0).await.unwrap();
        for (from, until) in [(starts_at.0 + 1, ends_at.0 + 1), (starts_at.0 - 9, ends_at.0 + 9), (ends_at.0 - 1, ends_at.0 + 5)] {
            match book(two, from, until).await {
                Err(StoreError::Rule { rule, kind: RuleKind::Unique }) => assert_eq!(rule, ONE_AT_A_TIME),
                other => panic!("{other:?}"),
            }
        }
        book(two, ends_at.0, ends_at.0 + 5).await.unwrap();
    }

    async fn a_term_is_planned_in_one_go_and_only_once(database) {
        let (store, county) = county_in(&database).await;
        let (scope, term) = (system_scope::sample(), &county.terms[0]);
        let path = format!("/{}/", county.bureau().organisation_id);
        let plan = plan_term(&store, &scope, term, &path, UnixMs(0)).await.unwrap();
        assert_eq!(store.schedule(&scope, &plan.lessons, row()).await.unwrap(), plan.lessons.len());
        let again = plan_term(&store, &scope, term, &path, UnixMs(0)).await.unwrap();
        assert_eq!(store.schedule(&scope, &again.lessons, row()).await.unwrap(), 0);

        // Week 6 begins on the last holidays; its Wednesday is taught on Saturday the 10th.
        let grid = async |of| store.week_grid(&scope, date(2026, 10, 5), date(2026, 10, 11), &of).await.unwrap();
        let town = &county.schools()[0];
        let by_teacher = grid(GridOf::Teacher(town.teachers[0].0)).await;
        let told: Vec<_> = by_teacher.iter().map(|lesson| (lesson.weekday, lesson.period.as_str(), lesson.held_on)).collect();
        assert_eq!(told, [(5, "lesson-2", date(2026, 10, 9)), (3, "lesson-3", date(2026, 10, 10))]);
        assert_eq!(by_teacher[0].listening.len(), 3);
        let point = &county.points()[0];
        let by_class = grid(GridOf::Class(point.classes[0].class_id)).await;
        assert_eq!(by_class, by_teacher, "the class listens to nothing else");
        assert_eq!(grid(GridOf::Classroom(point.classes[0].classroom_id.unwrap())).await, by_teacher);
        let of_point = GridOf::Path(format!("{path}{}/{}/", town.organisation_id, point.organisation_id));
        assert_eq!(grid(of_point).await, by_teacher, "a point that only listens has a week of its own");
        let whole = grid(GridOf::Path(path.clone())).await;
        let in_plan = plan.lessons.iter().filter(|new| {
            new.lesson.slot.is_some_and(|slot| (date(2026, 10, 5)..=date(2026, 10, 11)).contains(&slot.date))
        });
        assert_eq!(whole.len(), in_plan.count());
    }

    async fn dispatch_substitutes_moves_swaps_and_calls_off(database) {
        let (store, county) = county_in(&database).await;
        let (scope, term) = (system_scope::sample(), &county.terms[0]);
        let path = format!("/{}/", county.bureau().organisation_id);
        let plan = plan_term(&store, &scope, term, &path, UnixMs(0)).await.unwrap();
        store.schedule(&scope, &plan.lessons, row()).await.unwrap();
        let town = &county.schools()[0];
        let (english, music) = (town.teachers[0].0, town.teachers[1].0);
        let day = store.dispatched_on(&scope, &path, date(2026, 9, 30)).await.unwrap();
        let of = |teacher| day.iter().find(|lesson| lesson.teacher_id == teacher).unwrap().clone();
        let (third, fourth) = (of(english), of(music));
        assert_eq!((third.slot.unwrap().period, third.listening.len()), (PeriodName::lesson(3), 3));
        assert_eq!(fourth.slot.unwrap().period, PeriodName::lesson(4));
        let change = |before: &DispatchedLesson, after: DispatchedLesson| {
            let times = Some(LessonTimes::by(&RuleSet::default(), after.span));
            Change { before: before.clone(), after, times, join_windows: None }
        };

        // The English lesson to the music lesson's time: another teacher and class, so it clashes only with itself.
        let time = county.time_of(town.organisation_id, term).unwrap();
        let slot = time.resolve(Stage::Primary, 5, Weekday::Wednesday, PeriodName::lesson(4)).unwrap();
        let moved = after(&third, &DispatchAction::Move { slot, span: slot.span, classroom_id: None }, NOW).unwrap();
        let with_music = DispatchedLesson { teacher_id: music, ..moved.clone() };
        let clashes = store.clashes(&scope, &[change(&third, with_music.clone())]).await.unwrap();
        assert_eq!(clashes.iter().map(|clash| (clash.resource, clash.with)).collect::<Vec<_>>(),
            [(Resource::Teacher(music), fourth.lesson_id)]);
        let refused = store.change_lessons(&scope, &[change(&third, with_music)], "", row()).await;
        assert!(matches!(refused, Err(ScheduleError::Clashes(named)) if named == clashes));
        store.change_lessons(&scope, &[change(&third, moved.clone())], "", row()).await.unwrap();
        let now_there = store.dispatched(&scope, &[third.lesson_id]).await.unwrap().remove(0);
        assert_eq!((now_there.span, now_there.slot.unwrap().period), (slot.span, PeriodName::lesson(4)));
        // A change based on an older read is refused.
        let late = store.change_lessons(&scope, &[change(&third, moved)], "", row()).await;
        assert!(matches!(late, Err(ScheduleError::ChangedMeanwhile(id)) if id == third.lesson_id));

        // Planning the term again does not move the lesson back.
        let again = plan_term(&store, &scope, term, &path, UnixMs(0)).await.unwrap();
        assert_eq!(store.schedule(&scope, &again.lessons, row()).await.unwrap(), 0);

        let friday = store.dispatched_on(&scope, &path, date(2026, 10, 9)).await.unwrap();
        let friday = friday.into_iter().find(|lesson| lesson.teacher_id == english).unwrap();
        let [a, b] = swap(&now_there, &friday, NOW).unwrap();
        store.change_lessons(&scope, &[change(&now_there, a), change(&friday, b)], "", row()).await.unwrap();
        let swapped = store.dispatched(&scope, &[third.lesson_id]).await.unwrap().remove(0);
        assert_eq!((swapped.span, swapped.slot.unwrap().date), (friday.span, date(2026, 10, 9)));

        let other = county.schools()[1].teachers[0].0;
        let substitute = after(&swapped, &DispatchAction::Substitute { teacher_id: other }, NOW).unwrap();
        // That teacher has another lesson in that period.
        let taken = store.change_lessons(&scope, &[change(&swapped, substitute.clone())], "", row()).await;
        assert!(matches!(taken, Err(ScheduleError::Clashes(named)) if named[0].resource == Resource::Teacher(other)));
        let free = DispatchedLesson { teacher_id: county.schools()[6].teachers[0].0, ..substitute };
        store.change_lessons(&scope, &[change(&swapped, free.clone())], "", row()).await.unwrap();

        let reason = CancelReason { kind: CancelKind::Weather, words: "大雪封山".into() };
        let free = store.dispatched(&scope, &[free.lesson_id]).await.unwrap().remove(0);
        let off = after(&free, &DispatchAction::Cancel(reason), NOW).unwrap();
        store.change_lessons(&scope, &[Change { times: None, ..change(&free, off) }], "大雪封山", row()).await.unwrap();
        let steps = store.transitions(&scope, third.lesson_id).await.unwrap();
        assert_eq!(steps.iter().map(|step| (step.to, step.reason.as_str())).collect::<Vec<_>>(),
            [(LessonState::Cancelled, "大雪封山")]);
        let booked: i64 = sqlx::query_scalar("select count(*) from booking where lesson_id = $1")
            .bind(third.lesson_id.to_string()).fetch_one(&store.pool).await.unwrap();
        assert_eq!(booked, 0, "what is called off takes up nothing");
    }

    async fn pairings_stand_once_and_end_with_their_rights(database) {
        let (store, county) = county_in(&database).await;
        let (scope, term) = (system_scope::sample(), &county.terms[0]);
        let pairings = store.pairings(&scope, term.term_id).await.unwrap();
        assert_eq!(pairings.len(), 18);
        let first = &pairings[0].value;
        let second = school::timetable::pairing::Pairing { pairing_id: school::base::id::PairingId::fresh(), ..first.clone() };
        let refused = store.insert_pairing(&scope, &second, row()).await;
        assert!(matches!(refused, Err(AgreementError::PairedAlready(already)) if already.pairing_id == first.pairing_id));
        store.change_pairing(&scope, first.pairing_id, StandingAct::Cancel, row()).await.unwrap();
        let rights = store.rights_of_classes(&scope, term.term_id, &first.class_ids).await.unwrap();
        let of_first: Vec<_> = rights.iter().filter(|right| right.pairing_id == Some(first.pairing_id)).collect();
        assert_eq!(of_first.len(), first.class_ids.len());
        assert!(of_first.iter().all(|right| right.ended_at == Some(NOW)));
        store.insert_pairing(&scope, &second, row()).await.unwrap();
        let again = store.change_pairing(&scope, first.pairing_id, StandingAct::Resume, row()).await;
        assert!(matches!(again, Err(AgreementError::WrongStanding(_))));
    }

    async fn a_bureaus_figures_hold_below_it_by_version(database) {
        let (store, county) = county_in(&database).await;
        let (scope, bureau) = (system_scope::sample(), county.bureau().organisation_id);
        let path = format!("/{bureau}/{}/", county.schools()[0].organisation_id);
        assert_eq!(store.rules_at(&scope, &path).await.unwrap(), RuleSet::default());
        let early = RuleSet { opens_before_min: 20, ..RuleSet::default() };
        let kept = store.set_rules(&scope, bureau, &early, row()).await.unwrap().unwrap();
        assert_eq!((kept.version, store.rules_at(&scope, &path).await.unwrap()), (2, kept));
    }
}
