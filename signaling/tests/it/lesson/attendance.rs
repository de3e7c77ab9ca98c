//! Attendance from a page's word to the report: over a real socket, through the store, out by the API.

use std::time::Duration;

use crate::fixtures::school::School;
use school::{
    base::{id::ClassroomId, time::UnixMs},
    organisation::Role,
    report::{End, attendance::Cause, quality::Sample},
};
use serde_json::{Value, json};
use signaling::jobs::reports;

fn window(from: i64, shown_ms: u32) -> Sample {
    Sample {
        from: UnixMs(from),
        until: UnixMs(from + 5_000),
        shown_ms,
        shown_last: false,
        cause: (shown_ms < 5_000).then_some(Cause::Hidden),
        loss: Some(0.02),
        hub_loss: Some(0.02),
        rtt_ms: Some(100.0),
        jitter_ms: Some(8.0),
        buffer_ms: Some(60.0),
        concealed: Some(0.02),
        frames: Some(125),
        dropped: Some(0),
        freezes: Some(0),
        frozen_ms: Some(0),
        size: Some((1_280, 720)),
        layer: Some(1),
        spared: Some(0),
        kbps: Some(1_400),
    }
}

/// The sample's lesson, begun; its classrooms as the API lists them.
async fn begun(school: &School, teacher: &str) -> (i64, Vec<ClassroomId>) {
    let lesson = school.post(&school.lesson("/start"), teacher, "{}").await.json();
    let rooms = lesson["classrooms"].as_array().unwrap().iter();
    let rooms = rooms.map(|room| room["classroom_id"].as_str().unwrap().parse().unwrap()).collect();
    (lesson["live_at_ms"].as_i64().unwrap(), rooms)
}

fn end_of<'a>(report: &'a Value, classroom_id: &ClassroomId) -> &'a Value {
    let ends = report["classrooms"].as_array().unwrap();
    ends.iter().find(|end| end["classroom_id"] == json!(classroom_id)).unwrap()
}

#[tokio::test]
async fn a_lesson_is_reported_at_its_end_and_each_figure_has_its_words() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    let (began, rooms) = begun(&school, &teacher).await;
    let lesson_id = school.lesson_id();
    school.app.registry.sample_buffer(|sample_buffer| {
        for n in 0..60 {
            sample_buffer.note(lesson_id, End::Teacher, window(began + n * 5_000, 5_000));
            let shown = if (12..24).contains(&n) { 0 } else { 5_000 };
            sample_buffer.note(lesson_id, End::Classroom(rooms[0]), window(began + n * 5_000, shown));
        }
    });
    school.clock.turn(Duration::from_secs(300));
    // While it runs it stands as far as it has come, though nothing is written down yet.
    let running = school.get(&school.lesson("/report"), &teacher).await.json();
    assert_eq!(
        (&running["worked_out_at_ms"], &running["broadcast"]["judged"]["verdict"]),
        (&Value::Null, &json!("unjudged"))
    );
    assert_eq!(end_of(&running, &rooms[0])["present_ms"], 240_000);
    school.post(&school.lesson("/end"), &teacher, "{}").await;
    reports::round(&school.app).await.unwrap();

    let report = school.get(&school.lesson("/report"), &teacher).await.json();
    assert_eq!(report["worked_out_at_ms"], report["ended_at_ms"]);
    let there = end_of(&report, &rooms[0]);
    assert_eq!(
        (&there["state"], &there["present_ms"], &there["came_after_ms"]),
        (&json!("present"), &json!(240_000), &json!(0))
    );
    let hole = json!([{ "from_ms": began + 60_000, "until_ms": began + 120_000, "cause": "hidden" }]);
    assert_eq!(there["interruptions"], hole);
    // R of 2 % made up at 100 ms and a buffer of 60 ms is 77.33: 3.9193, by hand in `voice_score.rs`.
    let mos = there["quality"]["mos"]["median"].as_f64().unwrap();
    assert!((mos - 3.9193).abs() < 0.001, "{mos}");
    let absent = end_of(&report, &rooms[1]);
    assert_eq!((&absent["state"], &absent["judged"]["verdict"]), (&json!("absent"), &json!("missed")));
    let figures: Vec<&str> =
        report["formulas"].as_array().unwrap().iter().map(|f| f["figure"].as_str().unwrap()).collect();
    for needed in [
        "present_ms",
        "mos",
        "freeze",
        there["judged"]["rule"].as_str().unwrap(),
        report["broadcast"]["judged"]["rule"].as_str().unwrap(),
    ] {
        assert!(figures.contains(&needed), "{needed} in {figures:?}");
    }

    let quality = school.get(&school.lesson("/quality"), &teacher).await.json();
    let ends = quality["ends"].as_array().unwrap();
    assert_eq!((ends.len(), ends[0]["at_ms"].as_array().unwrap().len()), (1 + rooms.len(), 60));
    let list = school.get("/api/v1/reports/lessons", &teacher).await.json();
    let line = &list["items"][0];
    assert_eq!(
        (&line["classrooms"], &line["present"], line["absent"].as_array().unwrap().len()),
        (&json!(rooms.len()), &json!(1), rooms.len() - 1)
    );
    assert_eq!(school.acts(1).await, ["look_into_report"]);
    let again = school.app.store.verify_attendance(&school::account::system_scope::console(), None).await.unwrap();
    assert_eq!(again.unwrap().rows, 1 + rooms.len() as u64);
}

#[tokio::test]
async fn pupils_are_counted_by_the_classrooms_own_hand() {
    let school = School::open().await;
    let (teacher, classroom) = (school.teacher().await, school.classroom(0).await);
    let (_, rooms) = begun(&school, &teacher).await;
    let count = async |cookie: &str, body: &str| school.post(&school.lesson("/head-counts"), cookie, body).await;
    let counted = count(&classroom, r#"{"pupils":24}"#).await;
    assert_eq!((counted.status.as_u16(), &counted.json()["pupils"]), (201, &json!(24)));
    assert_eq!(count(&classroom, r#"{"pupils":501}"#).await.problem(), (422, "invalid".into()));
    for bad in [r#"{"pupils":-1}"#, r#"{"pupils":2.5}"#, r#"{"pupils":1,"names":["小明"]}"#, "{}"] {
        assert_eq!(count(&classroom, bad).await.problem().0, 400, "{bad}");
    }
    for other in [&teacher, &school.officer().await, &school.stranger().await] {
        assert_eq!(count(other, r#"{"pupils":3}"#).await.problem(), (404, "not-found".into()));
    }
    school.post(&school.lesson("/end"), &teacher, "{}").await;
    reports::round(&school.app).await.unwrap();
    // Whoever forgot counts afterwards; the newest counts.
    assert_eq!(count(&classroom, r#"{"pupils":23}"#).await.status.as_u16(), 201);
    let report = school.get(&school.lesson("/report"), &teacher).await.json();
    let counted: Vec<&Value> =
        rooms.iter().map(|room| &end_of(&report, room)["heads"]["pupils"]).filter(|pupils| !pupils.is_null()).collect();
    assert_eq!(counted, [&json!(23)]);
    // Nothing was collected: nobody is called absent.
    assert!(report["classrooms"].as_array().unwrap().iter().all(|end| end["state"] == "unknown"));
    assert_eq!(report["broadcast"]["judged"]["verdict"], "unjudged");
    school.clock.turn(Duration::from_secs(24 * 3600));
    assert_eq!(count(&classroom, r#"{"pupils":1}"#).await.problem(), (409, "wrong-lesson-state".into()));
}

#[tokio::test]
async fn reports_are_taken_away_as_tables_in_which_no_cell_is_a_formula() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    let (_, rooms) = begun(&school, &teacher).await;
    school.post(&school.lesson("/end"), &teacher, "{}").await;
    reports::round(&school.app).await.unwrap();
    let scheduler = school.as_a(Role::Scheduler).await;
    let csv = school.get("/api/v1/exports/lesson-reports", &scheduler).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.text.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines.len(), 1 + 1 + rooms.len(), "{}", csv.text);
    let columns = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == columns), "{}", csv.text);
    assert!(lines.iter().flat_map(|line| line.split(',')).all(|cell| !cell.starts_with(['=', '+', '-', '@'])));
    assert_eq!(school.acts(1).await, ["export_reports"]);
    let xlsx = school.get("/api/v1/exports/lesson-reports?format=xlsx", &scheduler).await;
    assert!(xlsx.header("content-type").contains("spreadsheetml") && xlsx.text.starts_with("PK"));
    let none = school.get("/api/v1/exports/lesson-reports?from=2020-01-01&until=2020-01-02", &scheduler).await;
    assert_eq!(none.text.lines().count(), 1);
    for (path, status) in [
        ("/api/v1/reports/lessons?verdict=good", 400),
        ("/api/v1/reports/lessons?limit=0", 400),
        ("/api/v1/reports/lessons?after=x", 400),
        ("/api/v1/reports/lessons?from=2026-13-01", 400),
    ] {
        assert_eq!(school.get(path, &scheduler).await.problem().0, status, "{path}");
    }
    let classroom = school.classroom(0).await;
    assert_eq!(school.get("/api/v1/reports/lessons", &classroom).await.problem().0, 403);
    assert_eq!(school.get(&school.lesson("/report"), &classroom).await.problem().0, 404);
    assert_eq!(school.get(&school.lesson("/report"), &school.stranger().await).await.problem().0, 404);
}
