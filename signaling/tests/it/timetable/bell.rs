//! Lessons that open, go live and end by themselves, on both stores, whatever the clocks do.

use std::{net::Ipv4Addr, time::Duration};

use crate::fixtures::stores::{fresh_postgres_url, on_both};
use school::{
    account::system_scope,
    base::{
        id::{LessonId, SeatId},
        time::UnixMs,
    },
    dispatch::DispatchedLesson,
    fixtures::county::{County, Node},
    lesson::{
        RecordingState,
        life::{LessonState, LessonTimes, RunsBy},
    },
    organisation::Holder,
    timetable::{
        course::Listening,
        program::{Delivery, Mode, Program},
        rules::RuleSet,
        two_ends::Span,
    },
};
use sfu::HubConfig;
use signaling::{
    app::App,
    clock::Clock,
    live::token::{Claims, TokenKind},
    store::{AuditRow, Database, NewLesson, Store},
};
use tempfile::TempDir;
use uuid::Uuid;

/// 2026-09-21 08:00 in China.
const MORNING: UnixMs = UnixMs(1_789_948_800_000);

struct School {
    app: App,
    county: County,
    clock: Clock,
    database: Database,
    folder: TempDir,
}

impl School {
    async fn open(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, county) = (Clock::standing_at(MORNING), County::fresh());
        let store = Store::open(&database).await.unwrap();
        store.seed_county(&system_scope::sample(), &county, MORNING).await.unwrap();
        store.close().await;
        let app = Self::app(&folder, &database, &clock).await;
        Self { app, county, clock, database, folder }
    }

    async fn app(folder: &TempDir, database: &Database, clock: &Clock) -> App {
        let hub = HubConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            announce: vec![Ipv4Addr::LOCALHOST.into()],
            tcp: true,
            workers: 1,
            max_seats: None,
        };
        App::open(folder.path(), database, hub, clock.clone(), None).await.unwrap()
    }

    async fn restart(self) -> Self {
        self.app.shut_down().await;
        let app = Self::app(&self.folder, &self.database, &self.clock).await;
        Self { app, ..self }
    }

    fn town(&self) -> &Node {
        &self.county.schools()[0]
    }

    /// A lesson of 40 minutes, so many minutes after eight, of the town's English teacher and one point.
    async fn lesson(&self, minutes: i64, runs_by: RunsBy) -> LessonId {
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
            teacher_id: town.teachers[0].0,
            classroom_id: town.classes[0].classroom_id,
            class_id: Some(town.classes[0].class_id),
            device_ids: Vec::new(),
            slot: None,
            span,
            listening: vec![listening],
            version: 1,
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
            term_id: None,
            course: None,
            times: LessonTimes::by(&RuleSet::default(), span),
            runs_by,
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

    async fn state(&self, lesson_id: LessonId) -> LessonState {
        self.app.store.lesson(&system_scope::sample(), lesson_id).await.unwrap().unwrap().state
    }

    /// The teacher's page is open in this lesson.
    async fn teacher_comes(&self, lesson_id: LessonId) {
        let (scope, holder) = (system_scope::sample(), Holder::Person(self.town().teachers[0].0));
        let seat = self.app.store.seat_of(&scope, lesson_id, holder, "teacher", SeatId::fresh()).await.unwrap();
        let claims = Claims {
            kind: TokenKind::Publish,
            lesson_id,
            seat_id: Some(seat.unwrap()),
            classroom_id: None,
            session: None,
            device_id: None,
            auto_start: false,
            exp: UnixMs(i64::MAX),
            jti: Uuid::now_v7(),
        };
        // The queue is dropped, but the seat is taken until somebody says that the page has gone.
        self.app.registry.join(&claims, None).unwrap();
    }

    async fn steps(&self, lesson_id: LessonId) -> Vec<(LessonState, i64, String)> {
        let steps = self.app.store.transitions(&system_scope::sample(), lesson_id).await.unwrap();
        steps.into_iter().map(|step| (step.to, (step.at.0 - MORNING.0) / 1000, step.actor)).collect()
    }
}

on_both! {
    async fn back_to_back_lessons_both_open_and_record_from_second_0(database) {
        use LessonState::{Ended, Live, Open, Scheduled};
        let school = School::open(database).await;
        let (first, second) = (school.lesson(20, RunsBy::Bell).await, school.lesson(60, RunsBy::Bell).await);
        school.at(9).await;
        assert_eq!((school.state(first).await, school.state(second).await), (Scheduled, Scheduled));
        school.at(10).await;
        assert_eq!(school.state(first).await, Open);
        school.teacher_comes(first).await;
        school.clock.turn(Duration::from_millis(10 * 60_000 - 1));
        school.app.registry.ring().await;
        assert_eq!(school.state(first).await, Open, "a millisecond before the bell");
        school.at(20).await;
        assert_eq!(school.state(first).await, Live);

        school.at(50).await;
        assert_eq!((school.state(first).await, school.state(second).await), (Live, Open));
        school.teacher_comes(second).await;
        school.at(60).await;
        // The one is still being wound up while the other is recorded already.
        assert_eq!((school.state(first).await, school.state(second).await), (Live, Live));
        school.at(62).await;
        assert_eq!((school.state(first).await, school.state(second).await), (Ended, Live));
        school.at(102).await;
        for (lesson_id, start) in [(first, 20), (second, 60)] {
            let lesson = school.app.store.lesson(&system_scope::sample(), lesson_id).await.unwrap().unwrap();
            assert_eq!(lesson.live_at, Some(UnixMs(MORNING.0 + start * 60_000)), "recorded from second 0");
            assert_eq!(lesson.recording.unwrap().state, RecordingState::Sealed);
            let by_bell = |state, minute: i64| (state, minute * 60, "system".to_owned());
            let steps = [by_bell(Open, start - 10), by_bell(Live, start), by_bell(Ended, start + 42)];
            assert_eq!(school.steps(lesson_id).await, steps);
        }
    }

    async fn clocks_that_jump_start_and_end_nothing_twice(database) {
        use LessonState::{Ended, Live, Scheduled};
        let school = School::open(database).await;
        let (now, later) = (school.lesson(20, RunsBy::BellAlone).await, school.lesson(100, RunsBy::BellAlone).await);
        school.at(10).await;
        school.at(20).await;
        assert_eq!(school.state(now).await, Live);
        // An hour ahead and back within a minute: nobody noticed.
        school.clock.jump(3_600_000);
        school.app.registry.ring().await;
        school.clock.turn(Duration::from_secs(60));
        school.app.registry.ring().await;
        school.clock.jump(-3_600_000);
        school.app.registry.ring().await;
        assert_eq!((school.state(now).await, school.state(later).await), (Live, Scheduled));
        // A day back, and it stays there: what has begun does not begin again.
        school.clock.jump(-86_400_000);
        for _ in 0..5 {
            school.app.registry.ring().await;
            school.clock.turn(Duration::from_secs(60));
        }
        assert_eq!((school.state(now).await, school.state(later).await), (Live, Scheduled));
        school.clock.jump(86_400_000);
        for _ in 0..60 {
            school.app.registry.ring().await;
            school.clock.turn(Duration::from_secs(60));
        }
        assert_eq!(school.state(now).await, Ended);
        // The hub is started again with a clock an hour slow.
        let school = school.restart().await;
        school.clock.jump(-3_600_000);
        school.app.registry.ring().await;
        assert_eq!(school.state(now).await, Ended);
        assert_eq!(school.steps(now).await.iter().map(|step| step.0).collect::<Vec<_>>(),
            [LessonState::Open, Live, Ended]);
    }

    async fn a_lesson_whose_teacher_never_comes_is_missed_and_gives_back_what_it_had(database) {
        let school = School::open(database).await;
        let lesson_id = school.lesson(20, RunsBy::Bell).await;
        for minute in [10, 20, 34] {
            school.at(minute).await;
            assert_eq!(school.state(lesson_id).await, LessonState::Open, "{minute}");
        }
        school.at(35).await;
        assert_eq!(school.state(lesson_id).await, LessonState::Missed);
        assert!(school.app.registry.room(lesson_id).is_none());
        // The same room, class and teacher can be had in the same hour.
        school.lesson(36, RunsBy::Bell).await;
        school.at(62 + 30 * 24 * 60).await;
        assert_eq!(school.state(lesson_id).await, LessonState::Archived);
    }

    async fn a_hub_that_slept_through_a_lesson_says_so(database) {
        let school = School::open(database).await;
        let (slept, near) = (school.lesson(20, RunsBy::Bell).await, school.lesson(100, RunsBy::Bell).await);
        school.clock.turn(Duration::from_secs(95 * 60));
        let school = school.restart().await;
        school.app.registry.ring().await;
        assert_eq!(school.state(slept).await, LessonState::Missed);
        assert_eq!(school.state(near).await, LessonState::Open);
    }
}
