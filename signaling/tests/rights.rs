//! A listening right that ends: lessons to come are taken away, past replays stay, and what is offered is let in.

mod stores;

use std::{net::Ipv4Addr, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::Value;
use sfu::HubConfig;
use signaling::{
    app::App,
    clock::Clock,
    county::{County, Node},
    domain::{
        course::Listening,
        dispatch::DispatchedLesson,
        id::{LessonId, PairingId},
        lesson_life::{LessonState, LessonTimes, RunsBy},
        organisation::Holder,
        pairing::StandingAct,
        program::{Delivery, Mode, Program},
        rules::RuleSet,
        time::UnixMs,
        timetable::Unresolved,
        two_ends::Span,
    },
    planner::plan_term,
    router, sample,
    store::{AuditRow, Database, NewLesson},
    system_scope,
};
use stores::{fresh_postgres_url, on_both};
use tempfile::TempDir;
use tower::ServiceExt;

/// 2026-09-21 08:00 in China.
const MORNING: UnixMs = UnixMs(1_789_948_800_000);

struct Paired {
    app: App,
    router: Router,
    county: County,
    clock: Clock,
    pairing_id: PairingId,
    /// The cookie of the classroom that listens.
    classroom: String,
    _folder: TempDir,
}

impl Paired {
    async fn open(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, county) = (Clock::standing_at(MORNING), County::fresh());
        let hub = HubConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            announce: vec![Ipv4Addr::LOCALHOST.into()],
            tcp: true,
            workers: 1,
            max_seats: None,
        };
        let app = App::open(folder.path(), &database, hub, clock.clone(), None).await.unwrap();
        let scope = system_scope::sample();
        app.store.plant_county(&scope, &county, MORNING).await.unwrap();
        let (town, class) = (&county.schools()[0], &county.points()[0].classes[0]);
        let pairings = app.store.pairings(&scope, county.terms[0].term_id).await.unwrap();
        let ours = pairings
            .iter()
            .map(|kept| &kept.value)
            .find(|pairing| pairing.teaching_id == town.organisation_id && pairing.class_ids.contains(&class.class_id));
        let pairing_id = ours.unwrap().pairing_id;
        let holder = Holder::Classroom(class.classroom_id.unwrap());
        let link = sample::sign_in_link(&app.store, "http://school", holder, MORNING).await.unwrap();
        let router = router::router(app.clone());
        let (_, secret) = link.split_once('#').unwrap();
        let request = Request::post("/api/v1/sign-in").header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(format!(r#"{{"link":"{secret}"}}"#))).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { app, router, county, clock, pairing_id, classroom: cookie, _folder: folder }
    }

    fn town(&self) -> &Node {
        &self.county.schools()[0]
    }

    /// An English lesson of 40 minutes in the term, so many minutes after eight, that goes live by itself.
    async fn lesson(&self, minutes: i64, teacher: usize) -> LessonId {
        let (town, point) = (self.town(), &self.county.points()[0].classes[0]);
        let starts_at = UnixMs(MORNING.0 + minutes * 60_000);
        let span = Span { starts_at, ends_at: UnixMs(starts_at.0 + 40 * 60_000) };
        let listening = Listening {
            classroom_id: point.classroom_id.unwrap(),
            class_id: Some(point.class_id),
            organisation_id: point.organisation_id,
            interactive: true,
        };
        let lesson = DispatchedLesson {
            lesson_id: LessonId::fresh(),
            organisation_id: town.organisation_id,
            state: LessonState::Scheduled,
            version: 1,
            teacher_id: town.teachers[teacher].0,
            classroom_id: None,
            class_id: None,
            device_ids: Vec::new(),
            slot: None,
            span,
            listening: vec![listening],
        };
        let lesson_id = lesson.lesson_id;
        let new = NewLesson {
            lesson,
            title: "英语 三年级".into(),
            subject: "英语".into(),
            grade: "三年级".into(),
            program: Program::DeliveryClass,
            mode: Mode::Live,
            delivery: Delivery::Synchronous,
            term_id: Some(self.county.terms[0].term_id),
            course: None,
            times: LessonTimes::by(&RuleSet::default(), span),
            runs_by: RunsBy::BellAlone,
            guests_max: 0,
            join_windows: Vec::new(),
        };
        let row = AuditRow::by_system(self.clock.wall(), "schedule_lesson", "lesson".into());
        assert_eq!(self.app.store.schedule(&system_scope::sample(), &[new], row).await.unwrap(), 1);
        lesson_id
    }

    /// Lets time go by until so many minutes after eight, and the bell look at its clock.
    async fn at(&self, minutes: i64) {
        let by = MORNING.0 + minutes * 60_000 - self.clock.wall().0;
        self.clock.turn(Duration::from_millis(u64::try_from(by).unwrap()));
        self.app.registry.ring().await;
    }

    async fn the_pairing(&self, act: StandingAct) {
        let row = AuditRow::by_system(self.clock.wall(), "change_pairing", "pairing".into()).saying(act.as_str());
        self.app.store.change_pairing(&system_scope::sample(), self.pairing_id, act, row).await.unwrap();
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).header(header::COOKIE, &self.classroom).body(Body::empty()).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// Whether the classroom is offered the replay of a lesson, and whether it gets in.
    async fn replay(&self, lesson_id: LessonId) -> (bool, bool) {
        let lesson = self.app.store.lesson(&system_scope::sample(), lesson_id).await.unwrap().unwrap();
        let recording_id = lesson.recording.unwrap().recording_id;
        let (status, view) = self.get(&format!("/api/v1/lessons/{lesson_id}")).await;
        assert_eq!(status, 200, "{view}");
        let (_, list) = self.get("/api/v1/lessons").await;
        let listed = list["items"].as_array().unwrap().iter().find(|item| item["lesson_id"] == lesson_id.to_string());
        assert_eq!(listed.unwrap()["may"], view["may"]);
        let (status, _) = self.get(&format!("/api/v1/recordings/{recording_id}")).await;
        assert!(matches!(status.as_u16(), 200 | 404), "{status}");
        (view["may"]["replay"] == true, status == 200)
    }

    async fn receivers(&self, lesson_id: LessonId) -> usize {
        self.app.store.lesson(&system_scope::sample(), lesson_id).await.unwrap().unwrap().classrooms.len()
    }
}

on_both! {
    async fn a_cancelled_pairing_takes_the_lessons_to_come_and_leaves_the_replays(database) {
        let school = Paired::open(database).await;
        let (heard, to_come) = (school.lesson(20, 0).await, school.lesson(180, 0).await);
        school.at(10).await;
        school.at(20).await;
        school.at(63).await;
        assert_eq!(school.replay(heard).await, (true, true));
        school.the_pairing(StandingAct::Freeze).await;
        assert_eq!((school.receivers(to_come).await, school.replay(heard).await), (1, (true, true)));
        school.the_pairing(StandingAct::Cancel).await;
        assert_eq!((school.receivers(to_come).await, school.receivers(heard).await), (0, 1));
        assert_eq!(school.replay(heard).await, (true, true), "what was heard stays");
        // The room and the class can be had by another lesson at that time.
        school.lesson(180, 1).await;
        let (status, _) = school.get(&format!("/api/v1/lessons/{to_come}")).await;
        assert_eq!(status, 404);
    }

    async fn a_term_planned_again_leaves_out_the_class_whose_right_has_ended(database) {
        let school = Paired::open(database).await;
        let (scope, term) = (system_scope::sample(), &school.county.terms[0]);
        let (town, class) = (school.town().organisation_id, school.county.points()[0].classes[0].class_id);
        let path = school.app.store.paths(&scope, [town]).await.unwrap().remove(&town).unwrap();
        let planned = async || {
            let plan = plan_term(&school.app.store, &scope, term, &path, MORNING).await.unwrap();
            let hears = |lesson: &&NewLesson| lesson.lesson.listening.iter().any(|end| end.class_id == Some(class));
            let barred = plan.left_out.iter().filter(|(_, left_out)| left_out.why == Unresolved::NoListeningRight);
            (plan.lessons.len(), plan.lessons.iter().filter(hears).count(), barred.count())
        };
        let (lessons, heard, barred) = planned().await;
        assert!(heard > 20 && barred == 0, "{lessons} {heard} {barred}");
        school.the_pairing(StandingAct::Freeze).await;
        assert_eq!(planned().await, (lessons, heard, 0), "what rests can go on");
        school.the_pairing(StandingAct::Cancel).await;
        let (after, heard, barred) = planned().await;
        assert!(after == lessons && heard == 0 && barred > 0, "{after} {heard} {barred}");
    }

    async fn what_went_live_while_the_right_rested_is_neither_offered_nor_let_in(database) {
        let school = Paired::open(database).await;
        let lesson = school.lesson(20, 0).await;
        school.the_pairing(StandingAct::Freeze).await;
        school.at(10).await;
        school.at(20).await;
        school.at(63).await;
        assert_eq!(school.replay(lesson).await, (false, false));
        school.the_pairing(StandingAct::Resume).await;
        assert_eq!(school.replay(lesson).await, (true, true));
    }
}
