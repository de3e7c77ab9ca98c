use super::*;
use crate::{
    live::sample_buffer::SampleBuffer,
    store::{
        Database, Minute, NewHeadCount,
        report::chain::{Edited, How, head_count_words},
        retention::expiry::{ExpiringId, Retired},
        stores::{fresh_postgres_url, on_both},
    },
};
use school::{
    account::system_scope,
    base::id::ClassroomId,
    fixtures::{county::County, sample},
    lesson::{
        ListedClassroom, Teacher,
        life::{LessonState, LessonTimes, RunsBy},
    },
    report::{HeadCount, quality::Sample, work_out},
    retention::RetentionPolicy,
    timetable::rules::RuleSet,
};

const NOW: UnixMs = UnixMs(1_789_948_800_000);
const MINUTE: i64 = 60_000;

/// A held lesson of 40 minutes with two listening classrooms.
async fn held(store: &Store) -> (Lesson, [ClassroomId; 2]) {
    let county = County::fresh();
    store.seed_county(&system_scope::sample(), &county, NOW).await.unwrap();
    let (town, points) = (&county.schools()[0], county.points());
    let rooms = [0, 1].map(|n: usize| points[n].classes[0].classroom_id.unwrap());
    let span = Span { starts_at: NOW, ends_at: UnixMs(NOW.0 + 40 * MINUTE) };
    let listed = |id: ClassroomId| ListedClassroom { classroom_id: id, name: String::new(), school: String::new() };
    let lesson = Lesson {
        lesson_id: LessonId::fresh(),
        title: "英语 三年级".into(),
        subject: "英语".into(),
        grade: "三年级".into(),
        program: "delivery_class".into(),
        mode: "live".into(),
        teacher: Teacher { person_id: town.teachers[0].0, name: String::new() },
        state: LessonState::Ended,
        times: LessonTimes::by(&RuleSet::default(), span),
        runs_by: RunsBy::Bell,
        live_at: Some(span.starts_at),
        ended_at: Some(span.ends_at),
        classrooms: rooms.iter().map(|id| listed(*id)).collect(),
        places: Vec::new(),
        guests_max: 0,
        recording: None,
    };
    let row = AuditRow::by_system(NOW, "schedule_lesson", "lesson".into());
    assert!(store.insert_lesson(&system_scope::sample(), &lesson, &row).await.unwrap());
    let kept = store.lesson(&system_scope::sample(), lesson.lesson_id).await.unwrap().unwrap();
    (kept, rooms)
}

/// Adds shown windows of five seconds, for a range of minutes of the lesson.
fn note(sample_buffer: &mut SampleBuffer, lesson: &Lesson, end: End, minutes: Range<i64>) {
    for n in minutes.start * 12..minutes.end * 12 {
        let from = UnixMs(NOW.0 + n * 5_000);
        let until = UnixMs(from.0 + 5_000);
        sample_buffer.note(
            lesson.lesson_id,
            end,
            Sample { from, until, loss: Some(0.01), cause: None, ..sample(0, 5_000) },
        );
    }
}

async fn keep(store: &Store, sample_buffer: &mut SampleBuffer) {
    let rows = sample_buffer.on_their_way(10_000);
    let minutes: Vec<Minute> = rows.iter().map(|row| row.minute.clone()).collect();
    store.save_minutes(&system_scope::bell(), &minutes).await.unwrap();
    sample_buffer.arrived(&rows);
}

/// The lesson, held and reported: one classroom was present throughout, the other for 29 minutes.
async fn reported(database: &Database) -> (Store, Lesson, [ClassroomId; 2]) {
    let store = Store::open(database).await.unwrap();
    let (lesson, [whole, short]) = held(&store).await;
    let (mut sample_buffer, scope) = (SampleBuffer::new(NOW), system_scope::bell());
    note(&mut sample_buffer, &lesson, End::Teacher, 0..40);
    note(&mut sample_buffer, &lesson, End::Classroom(whole), 0..40);
    note(&mut sample_buffer, &lesson, End::Classroom(short), 11..40);
    keep(&store, &mut sample_buffer).await;
    let due = store.lessons_to_report(&scope, NOW, 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.lesson_id).collect::<Vec<_>>(), [lesson.lesson_id]);
    let collected = store.collected(&scope, &lesson, Vec::new()).await.unwrap();
    let report = work_out(&lesson, &collected, &RuleSet::default(), lesson.times.ends_at);
    let row = || AuditRow::by_system(lesson.times.ends_at, ACT, format!("lesson:{}", lesson.lesson_id));
    assert!(store.save_report(&scope, &report, &collected, row()).await.unwrap());
    assert!(!store.save_report(&scope, &report, &collected, row()).await.unwrap(), "once");
    (store, lesson, [whole, short])
}

async fn edit(store: &Store, statement: String) {
    let edited = sqlx::query(&statement).execute(&store.pool).await.unwrap();
    assert_eq!(edited.rows_affected(), 1, "{statement}");
}

on_both! {
    async fn a_lesson_is_to_be_reported_until_it_is_and_reads_as_it_was_worked_out(database) {
        let (store, lesson, _) = reported(&database).await;
        let scope = system_scope::bell();
        assert!(store.lessons_to_report(&scope, NOW, 10).await.unwrap().is_empty());
        let kept = store.report(&scope, lesson.lesson_id).await.unwrap().unwrap();
        let verdicts: Vec<Verdict> = kept.report.ends.iter().map(|end| end.judged.verdict).collect();
        assert_eq!((kept.report.ends[0].end, verdicts[0]), (End::Teacher, Verdict::Valid));
        let mut listening = verdicts[1..].to_vec();
        listening.sort();
        assert_eq!(listening, [Verdict::Valid, Verdict::Short]);
        let windows = store.stored_windows(&scope, lesson.lesson_id).await.unwrap();
        assert_eq!(windows[&End::Teacher].len(), 480);
        assert_eq!(windows[&End::Teacher][479].until, lesson.times.ends_at);
        let all = ReportSearch::default();
        let find = async |search: &ReportSearch| {
            let days = NOW..UnixMs(NOW.0 + 1);
            store.reported_lessons(&scope, days, search, None, 10).await.unwrap().len()
        };
        assert_eq!(find(&all).await, 1);
        assert_eq!(find(&ReportSearch { verdict: Some(Verdict::Short), ..all.clone() }).await, 0);
        assert_eq!(find(&ReportSearch { listening_verdict: Some(Verdict::Short), ..all.clone() }).await, 1);
        assert_eq!(find(&ReportSearch { listening_verdict: Some(Verdict::Missed), ..all }).await, 0);
    }

    async fn an_edited_row_is_named_exactly(database) {
        let (store, lesson, [whole, _]) = reported(&database).await;
        let (scope, id) = (system_scope::console(), lesson.lesson_id.to_string());
        let verify = async || store.verify_attendance(&scope, Some(lesson.lesson_id)).await.unwrap();
        let sound = verify().await.unwrap();
        assert_eq!((sound.lessons, sound.rows, sound.unattested), (1, 3, 0));
        assert_eq!(store.verify_attendance(&scope, None).await.unwrap(), Ok(sound.clone()));
        let row = |how| Edited::Attendance { lesson_id: id.clone(), end: whole.to_string(), how };
        let of_it = format!("where lesson_id = '{id}' and end_name = '{whole}'");
        // Adds one minute in each of the columns, then restores it.
        for (column, edited) in [
            ("present_ms", "present_ms + 60000"),
            ("state", "'late'"),
            ("verdict", "'short'"),
            ("came_at_ms", "came_at_ms + 1"),
            ("left_at_ms", "null"),
            ("detail", "replace(detail, '2400000', '2460000')"),
            ("windows", "windows || ',60000'"),
        ] {
            let aside = format!("create table aside as select * from attendance {of_it}");
            sqlx::query(&aside).execute(&store.pool).await.unwrap();
            edit(&store, format!("update attendance set {column} = {edited} {of_it}")).await;
            assert_eq!(verify().await, Err(row(How::Changed)), "{column}");
            edit(&store, format!("delete from attendance {of_it}")).await;
            assert_eq!(verify().await, Err(row(How::Missing)));
            edit(&store, "insert into attendance select * from aside".to_owned()).await;
            sqlx::query("drop table aside").execute(&store.pool).await.unwrap();
            assert_eq!(verify().await, Ok(sound.clone()));
        }
        // Another hash in the lesson's row counts as a change of that row.
        edit(&store, format!("update lesson_report set ended_ms = ended_ms + 1 where lesson_id = '{id}'")).await;
        let report = |how| Edited::Report { lesson_id: id.clone(), how };
        assert_eq!(verify().await, Err(report(How::Changed)));
        edit(&store, format!("update lesson_report set sha256 = 'x' where lesson_id = '{id}'")).await;
        assert_eq!(verify().await, Err(report(How::Changed)));
        edit(&store, format!("delete from lesson_report where lesson_id = '{id}'")).await;
        assert_eq!(verify().await, Err(report(How::Missing)));
    }

    async fn an_edited_head_count_is_named(database) {
        let (store, lesson, [whole, _]) = reported(&database).await;
        let scope = system_scope::console();
        let count = HeadCount { pupils: 24, at_ms: NOW, by: "李老师".into() };
        let words = head_count_words(&whole.to_string(), 24, NOW.0, "李老师");
        for head_count_id in ["01", "02"] {
            let object = format!("lesson:{}", lesson.lesson_id);
            let row = AuditRow::done(NOW, format!("classroom:{whole}"), "count_heads", object);
            let row = row.saying(format!("{head_count_id} {words}"));
            let (lesson_id, classroom_id) = (lesson.lesson_id, whole);
            let head_count_id = head_count_id.to_owned();
            let new = NewHeadCount { head_count_id, lesson_id, classroom_id, count: count.clone() };
            assert!(store.save_head_count(&scope, &new, &row).await.unwrap());
        }
        let verified = store.verify_attendance(&scope, None).await.unwrap().unwrap();
        assert_eq!(verified.head_counts, 2);
        let kept = store.report(&scope, lesson.lesson_id).await.unwrap().unwrap();
        let counted: Vec<Option<HeadCount>> = kept.report.ends.into_iter().map(|end| end.heads).collect();
        assert!(counted.contains(&Some(count)), "{counted:?}");
        edit(&store, "update head_count set pupils = 25 where head_count_id = '02'".into()).await;
        let edited = store.verify_attendance(&scope, None).await.unwrap().unwrap_err();
        assert_eq!(edited.to_string(), format!("the head count 02 of lesson {} was changed", lesson.lesson_id));
    }

    async fn a_store_that_was_away_gets_everything_once(database) {
        let store = Store::open(&database).await.unwrap();
        let (lesson, [whole, _]) = held(&store).await;
        let (mut sample_buffer, scope) = (SampleBuffer::new(NOW), system_scope::bell());
        note(&mut sample_buffer, &lesson, End::Classroom(whole), 0..2);
        keep(&store, &mut sample_buffer).await;
        // Ten minutes without a store: nothing is lost, and rows that may have been stored before are sent again.
        store.close().await;
        note(&mut sample_buffer, &lesson, End::Classroom(whole), 2..12);
        let rows = sample_buffer.on_their_way(1_000);
        let minutes: Vec<Minute> = rows.iter().map(|row| row.minute.clone()).collect();
        assert!(store.save_minutes(&scope, &minutes).await.is_err());
        let store = Store::open(&database).await.unwrap();
        store.save_minutes(&scope, &minutes).await.unwrap();
        keep(&store, &mut sample_buffer).await;
        let collected = store.collected(&scope, &lesson, Vec::new()).await.unwrap();
        let windows = &collected.windows[&End::Classroom(whole)];
        assert_eq!(windows.len(), 12 * 12);
        assert!(windows.is_sorted_by(|a, b| a.until <= b.from), "nothing twice");
        // A hub that was killed and restarted writes separate rows.
        let mut again = SampleBuffer::new(UnixMs(NOW.0 + 12 * MINUTE));
        note(&mut again, &lesson, End::Classroom(whole), 13..14);
        let unkept = again.of(lesson.lesson_id);
        let collected = store.collected(&scope, &lesson, unkept).await.unwrap();
        assert_eq!((collected.windows[&End::Classroom(whole)].len(), collected.runs.len()), (13 * 12, 2));
        let report = work_out(&lesson, &collected, &RuleSet::default(), lesson.times.ends_at);
        let holes = &report.ends.iter().find(|end| end.end == End::Classroom(whole)).unwrap().attendance.interruptions;
        assert_eq!((holes.len(), holes[0].cause), (1, school::report::attendance::Cause::Hub));
    }
}

const POLICY: RetentionPolicy =
    RetentionPolicy { recordings_days: None, clips_days: None, samples_days: Some(30), attendance_days: Some(180) };

on_both! {
    async fn a_hole_without_a_tombstone_is_named_and_what_went_by_a_rule_is_told(database) {
        let (store, lesson, [whole, _]) = reported(&database).await;
        let (scope, id) = (system_scope::console(), lesson.lesson_id);
        let words = head_count_words(&whole.to_string(), 24, NOW.0, "");
        let row = AuditRow::by_system(NOW, "count_heads", format!("lesson:{id}")).saying(format!("01 {words}"));
        let count = HeadCount { pupils: 24, at_ms: NOW, by: String::new() };
        let new = NewHeadCount { head_count_id: "01".into(), lesson_id: id, classroom_id: whole, count };
        assert!(store.save_head_count(&scope, &new, &row).await.unwrap());
        let verify = async || store.verify_attendance(&scope, None).await.unwrap();
        let then = lesson.times.ends_at.plus(std::time::Duration::from_secs(180 * 86_400));
        assert_eq!(store.retire(&scope, ExpiringId::Samples(id), &POLICY, then).await.unwrap(), Retired::Done);
        assert!(store.stored_windows(&scope, id).await.unwrap().values().all(Vec::is_empty));
        let sound = verify().await.unwrap();
        assert_eq!((sound.lessons, sound.rows, sound.without_samples), (1, 3, 1));
        // The deletion time of the samples is hashed too.
        let of_it = format!("where lesson_id = '{id}'");
        let day = |by: &str| format!("update lesson_report set samples_deleted_at_ms = samples_deleted_at_ms {by} {of_it}");
        let report = |how| Err(Edited::Report { lesson_id: id.to_string(), how });
        edit(&store, day("- 1")).await;
        assert_eq!(verify().await, report(How::Changed));
        edit(&store, day("+ 1")).await;
        assert_eq!(verify().await, Ok(sound));

        // Edited rows stay, as evidence.
        edit(&store, format!("update attendance set present_ms = present_ms + 1 {of_it} and end_name = '{whole}'")).await;
        let edited = store.retire(&scope, ExpiringId::Attendance(id), &POLICY, then).await.unwrap();
        assert!(matches!(edited, Retired::Edited(Edited::Attendance { how: How::Changed, .. })), "{edited:?}");
        edit(&store, format!("update attendance set present_ms = present_ms - 1 {of_it} and end_name = '{whole}'")).await;

        // Deleting the same rows by hand leaves a gap.
        let aside = format!("create table aside as select * from lesson_report {of_it}");
        sqlx::query(&aside).execute(&store.pool).await.unwrap();
        edit(&store, format!("delete from lesson_report {of_it}")).await;
        assert_eq!(verify().await, report(How::Missing));
        edit(&store, "insert into lesson_report select * from aside".into()).await;
        edit(&store, "delete from head_count where head_count_id = '01'".into()).await;
        assert!(matches!(verify().await, Err(Edited::HeadCount { how: How::Missing, .. })));
        let edited = store.retire(&scope, ExpiringId::Attendance(id), &POLICY, then).await.unwrap();
        assert!(matches!(edited, Retired::Edited(_)), "nor is a hole made to look like a rule: {edited:?}");
    }

    async fn a_deletion_that_broke_off_has_deleted_nothing_and_said_nothing(database) {
        let (store, lesson, _) = reported(&database).await;
        let (scope, id) = (system_scope::console(), lesson.lesson_id);
        let then = lesson.times.ends_at.plus(std::time::Duration::from_secs(180 * 86_400));
        let before = store.verify_attendance(&scope, None).await.unwrap();
        for n in 0..2 {
            let mut writing = store.write().await.unwrap();
            if n == 0 {
                writing.delete_samples(id, then).await.unwrap();
            } else {
                writing.delete_attendance(id, then).await.unwrap();
            }
            drop(writing);
            assert_eq!(store.verify_attendance(&scope, None).await.unwrap(), before);
        }
        assert_eq!(store.retire(&scope, ExpiringId::Attendance(id), &POLICY, then).await.unwrap(), Retired::Done);
        let after = store.verify_attendance(&scope, None).await.unwrap().unwrap();
        let told: Vec<(&str, UnixMs)> = after.retired.iter().map(|one| (one.lesson_id.as_str(), one.at)).collect();
        assert_eq!((after.lessons, told), (0, vec![(id.to_string().as_str(), then)]));
        // Restoring an old row is detected.
        let put_back = format!(
            "insert into lesson_report (lesson_id, worked_out_at_ms, figures_version, ends, sha256)
             values ('{id}', 0, 1, '', 'x')"
        );
        edit(&store, put_back).await;
        let report = Edited::Report { lesson_id: id.to_string(), how: How::Added };
        assert_eq!(store.verify_attendance(&scope, None).await.unwrap(), Err(report));
    }
}
