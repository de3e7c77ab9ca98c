//! What goes by its age alone: clips, samples and attendance, by the policy of the nearest bureau, on both stores.

use std::time::Duration;

use crate::fixtures::stores::{fresh_postgres_url, on_both};
use crate::fixtures::taught::{Lesson, MORNING, Taught};
use school::{
    account::system_scope,
    base::{
        id::{ClipId, LessonId, OrganisationId, PersonId, RecordingId},
        time::UnixMs,
    },
    lesson::Teacher,
    library::clip::Window,
    organisation::Role,
    report::{End, quality::Sample},
    retention::{DAY, DataClass, RetentionPolicy},
    timetable::program::Mode,
};
use serde_json::json;
use signaling::{
    jobs::reports,
    store::{
        AuditRow, Database,
        audit::AuditSearch,
        library::clip::Clip,
        report::chain::ReportsVerified,
        retention::{
            Hold,
            expiry::{ExpiringId, Retired},
            run::RunOutcome,
        },
    },
};

/// What nothing else in a test keeps: recordings stay for ever, and what is left of them goes at different times.
const POLICY: RetentionPolicy =
    RetentionPolicy { recordings_days: None, clips_days: Some(40), samples_days: Some(30), attendance_days: Some(180) };

/// A lesson that was taught, recorded and reported, with a clip of it.
#[derive(Clone, Copy)]
struct TaughtLesson {
    lesson_id: LessonId,
    recording_id: RecordingId,
    clip_id: ClipId,
}

/// How a run ended, and what it deleted: clips, samples, attendance; and what it held back.
type Ran = (RunOutcome, u64, u64, u64, u64);

struct Hub(Taught);

impl Hub {
    async fn open(database: Database) -> Self {
        let hub = Self(Taught::open(database).await);
        hub.policy(hub.0.county.bureau().organisation_id, &POLICY).await;
        hub
    }

    async fn policy(&self, id: OrganisationId, policy: &RetentionPolicy) {
        let (scope, at) = (system_scope::console(), self.0.clock.wall());
        let row = AuditRow::by_system(at, "set_retention_policy", format!("organisation:{id}"));
        let version = self.0.app.store.policy(&scope, id).await.unwrap().map_or(0, |kept| kept.1);
        self.0.app.store.set_policy(&scope, id, policy, version, row).await.unwrap();
    }

    /// Lessons one after the other, all of them on the first day.
    async fn tell(&self, lessons: usize) -> Vec<TaughtLesson> {
        let (app, author) = (&self.0.app, self.author());
        let mut told = Vec::new();
        for n in 0..lessons {
            let minutes = i64::try_from(n).unwrap() * 50;
            let (lesson_id, recording_id) = self.0.lesson(Lesson { minutes, ..Lesson::default() }).await;
            app.registry.sample_buffer(|sample_buffer| {
                for n in 0..24 {
                    sample_buffer.note(lesson_id, End::Teacher, window(MORNING.0 + minutes * 60_000 + n * 5_000));
                }
            });
            let (clip_id, window) = (ClipId::fresh(), Window { from_ms: 1_000, to_ms: 9_000 });
            let (title, made_at) = ("导入".to_owned(), MORNING);
            let author = Teacher { person_id: author, name: String::new() };
            let clip = Clip { clip_id, recording_id, window, title, author, made_at, version: 1 };
            let row = AuditRow::by_system(MORNING, "cut_clip", format!("recording:{recording_id}"));
            assert!(app.store.add_clip(&system_scope::sample(), &clip, &row).await.unwrap());
            told.push(TaughtLesson { lesson_id, recording_id, clip_id });
        }
        app.registry.flush_attendance().await.unwrap();
        reports::round(app).await.unwrap();
        app.round().await.unwrap();
        told
    }

    fn author(&self) -> PersonId {
        self.0.town().teachers[0].0
    }

    /// Once through retention, so many days after the first.
    async fn run_on(&self, day: u32) -> Ran {
        let at = MORNING.plus(DAY * day);
        self.0.clock.turn(Duration::from_millis(u64::try_from(at.0 - self.0.clock.wall().0).unwrap()));
        self.run().await
    }

    async fn run(&self) -> Ran {
        let run = self.0.app.go_through_retention().await.unwrap();
        (run.outcome, run.clips, run.samples, run.attendance, run.held_back)
    }

    /// Somebody answers for the next run.
    async fn confirm(&self) {
        let row = AuditRow::by_system(self.0.clock.wall(), "confirm_retention", "hub".into());
        self.0.app.store.confirm_retention(&system_scope::console(), "person:x", &row).await.unwrap();
    }

    async fn hold(&self, told: TaughtLesson, held: bool) {
        let (at, id) = (self.0.clock.wall(), told.recording_id);
        let hold = Hold { by: "person:x".into(), name: "李主任".into(), reason: "取证".into(), at, until: None };
        let row = AuditRow::done(at, "person:x", "hold_recording", format!("recording:{id}"));
        let hold = held.then_some(&hold);
        assert!(self.0.app.store.hold_recording(&system_scope::console(), id, hold, row).await.unwrap());
    }

    /// Objects of the tombstones of one kind, in order, each with what it says.
    async fn tombstones(&self, act: &str) -> Vec<(String, String)> {
        let search = AuditSearch { act: Some(act.into()), ..AuditSearch::default() };
        let lines = self.0.app.store.audit_lines(&system_scope::console(), &search, None, 1_000).await.unwrap();
        lines.into_iter().rev().map(|line| (line.object, line.detail)).collect()
    }

    async fn verified(&self) -> ReportsVerified {
        self.0.app.store.verify_audit().await.unwrap().unwrap();
        self.0.app.store.verify_attendance(&system_scope::console(), None).await.unwrap().unwrap()
    }

    async fn has_clip(&self, told: TaughtLesson) -> bool {
        self.0.app.store.clip(&system_scope::published(), told.clip_id).await.unwrap().is_some()
    }

    async fn rights(&self, told: TaughtLesson, cookie: &str, version: i64, act: serde_json::Value) {
        let path = format!("/api/v1/recordings/{}/rights", told.recording_id);
        let answer = self.0.ask("POST", &path, cookie, Some(version), &act.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn play(&self, to_come: LessonId, told: Option<TaughtLesson>) {
        let row = AuditRow::by_system(self.0.clock.wall(), "choose_source", format!("lesson:{to_come}"));
        let chosen = told.map(|told| (told.recording_id, Some(told.clip_id), "导入".to_owned()));
        let scope = system_scope::sample();
        assert!(self.0.app.store.choose_source(&scope, to_come, chosen, self.author(), &row).await.unwrap());
    }
}

fn window(from: i64) -> Sample {
    Sample {
        from: UnixMs(from),
        until: UnixMs(from + 5_000),
        shown_ms: 5_000,
        shown_last: true,
        cause: None,
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

on_both! {
    async fn a_clip_goes_on_its_day_unless_it_is_held_published_or_chosen_for_a_lesson_to_come(database) {
        let hub = Hub::open(database).await;
        let told = hub.tell(4).await;
        let [plain, held, published, chosen] = told[..] else { panic!("four were told") };
        hub.hold(held, true).await;
        let bureau = hub.0.county.bureau().organisation_id;
        let admin = hub.0.somebody(Role::SchoolAdministrator, hub.0.town().organisation_id).await;
        hub.rights(published, &hub.0.teacher(0, 0).await, 1, json!({"act": "consent"})).await;
        hub.rights(published, &admin, 2, json!({"act": "publish", "to": bureau})).await;
        let to_come = hub.0.to_come(0, 0, Mode::Embedded).await;
        hub.play(to_come, Some(chosen)).await;
        // Samples are not what this is about.
        hub.policy(bureau, &RetentionPolicy { samples_days: None, ..POLICY }).await;

        assert_eq!(hub.run_on(39).await, (RunOutcome::Done, 0, 0, 0, 0));
        assert!(hub.has_clip(plain).await, "a day is left");
        hub.run_on(40).await;
        assert!(!hub.has_clip(plain).await);
        let tombstone = (
            format!("clip:{}", plain.clip_id),
            format!(
                "rule=retention days=40 recording:{} 1000-9000 author=person:{} made_at_ms={}",
                plain.recording_id,
                hub.author(),
                MORNING.0
            ),
        );
        assert_eq!(hub.tombstones("retire_clip").await, [tombstone]);
        hub.confirm().await;
        assert_eq!(hub.run_on(41).await, (RunOutcome::Done, 0, 0, 0, 0), "the others are spared, whoever answers for it");

        // Nothing spares them any more: a twentieth of three is one a day.
        hub.hold(held, false).await;
        let admin = hub.0.somebody(Role::SchoolAdministrator, hub.0.town().organisation_id).await;
        hub.rights(published, &admin, 3, json!({"act": "take_down", "reason": "有姓名"})).await;
        hub.play(to_come, None).await;
        assert_eq!(hub.run_on(42).await, (RunOutcome::TooMany, 1, 0, 0, 2));
        assert_eq!(hub.run().await, (RunOutcome::Done, 0, 0, 0, 0), "a hub that starts again makes no second day of it");
        assert_eq!(hub.run_on(43).await, (RunOutcome::TooMany, 1, 0, 0, 1));
        assert_eq!(hub.run_on(44).await, (RunOutcome::Done, 1, 0, 0, 0));
        assert_eq!(hub.run_on(45).await, (RunOutcome::Done, 0, 0, 0, 0));
        assert_eq!(hub.tombstones("retire_clip").await.len(), 4);
        hub.verified().await;
    }

    async fn samples_go_on_their_day_and_the_report_says_so_and_keeps_its_figures(database) {
        let hub = Hub::open(database).await;
        let told = hub.tell(3).await;
        let [plain, held, also_plain] = told[..] else { panic!("three were told") };
        hub.hold(held, true).await;
        let path = |told: TaughtLesson, what: &str| format!("/api/v1/lessons/{}/{what}", told.lesson_id);
        let get = async |told: TaughtLesson, what: &str| {
            hub.0.get(&path(told, what), &hub.0.teacher(0, 0).await).await.json()
        };
        assert_eq!(hub.run_on(30).await.2, 0, "the first ends forty minutes after the hour at which the run looks");
        let before = get(plain, "report").await;
        assert_eq!(before["samples_deleted_at_ms"], json!(null));
        assert_eq!(get(plain, "quality").await["ends"][0]["at_ms"].as_array().unwrap().len(), 24);
        hub.confirm().await;
        assert_eq!(hub.run_on(31).await, (RunOutcome::Done, 0, 2, 0, 0));
        for told in [plain, also_plain] {
            let after = get(told, "report").await;
            assert_eq!(after["samples_deleted_at_ms"], json!(hub.0.clock.wall()));
            assert_eq!(get(told, "quality").await["ends"][0]["at_ms"], json!([]));
        }
        let after = get(plain, "report").await;
        assert_eq!((&after["broadcast"], &after["classrooms"]), (&before["broadcast"], &before["classrooms"]));
        assert_ne!(after["sha256"], before["sha256"]);
        let tombstones = hub.tombstones("retire_samples").await;
        assert_eq!(tombstones.len(), 2);
        let of_it = tombstones.iter().find(|(object, _)| *object == format!("lesson:{}", plain.lesson_id)).unwrap();
        let (sha256, was) = (after["sha256"].as_str().unwrap(), before["sha256"].as_str().unwrap());
        assert_eq!(of_it.1, format!("sha256={sha256} rule=retention days=30 before={was}"));
        assert_eq!(get(held, "quality").await["ends"][0]["at_ms"].as_array().unwrap().len(), 24);
        let verified = hub.verified().await;
        assert_eq!((verified.lessons, verified.without_samples, verified.retired.len()), (3, 2, 0));
        hub.hold(held, false).await;
        assert_eq!(hub.run_on(32).await, (RunOutcome::Done, 0, 1, 0, 0));
        assert_eq!(hub.verified().await.without_samples, 3);
    }

    async fn attendance_goes_as_a_whole_and_whoever_asks_for_its_report_is_told(database) {
        let hub = Hub::open(database).await;
        let told = hub.tell(2).await;
        let [plain, held] = told[..] else { panic!("two were told") };
        hub.hold(held, true).await;
        let report = format!("/api/v1/lessons/{}/report", plain.lesson_id);
        let quality = format!("/api/v1/lessons/{}/quality", plain.lesson_id);
        let was = hub.0.get(&report, &hub.0.teacher(0, 0).await).await.json()["sha256"].as_str().unwrap().to_owned();
        // Its samples went long before, and the hash that stands in the tombstone is the one after that.
        assert_eq!(hub.run_on(179).await, (RunOutcome::Done, 1, 1, 0, 0));
        assert_eq!(hub.run_on(181).await, (RunOutcome::Done, 0, 0, 1, 0));
        let teacher = hub.0.teacher(0, 0).await;
        for path in [&report, &quality] {
            let gone = hub.0.get(path, &teacher).await;
            assert_eq!(gone.problem(), (410, "report-deleted".into()), "{path}");
            assert_eq!(gone.json()["gone"], json!({"rule": "retention", "on": "2027-03-21"}));
            assert_eq!(hub.0.get(path, &hub.0.teacher(1, 0).await).await.problem().0, 404, "{path}");
        }
        let listed = hub.0.get("/api/v1/reports/lessons", &teacher).await;
        assert_eq!(listed.items("lesson_id"), [held.lesson_id.to_string()]);
        let tombstones = hub.tombstones("retire_attendance").await;
        assert_eq!(tombstones.len(), 1);
        assert_eq!(tombstones[0].0, format!("lesson:{}", plain.lesson_id));
        assert!(tombstones[0].1.ends_with(" rule=retention days=180") && !tombstones[0].1.contains(&was), "{tombstones:?}");
        let verified = hub.verified().await;
        assert_eq!((verified.lessons, verified.retired.len()), (1, 1));
        let retired = &verified.retired[0];
        assert_eq!((&retired.lesson_id, retired.at), (&plain.lesson_id.to_string(), hub.0.clock.wall()));
        assert_eq!(retired.rule, "rule=retention days=180");
        // It is not worked out a second time.
        reports::round(&hub.0.app).await.unwrap();
        assert_eq!(hub.verified().await, verified);
        hub.hold(held, false).await;
        assert_eq!(hub.run_on(182).await, (RunOutcome::Done, 1, 1, 1, 0));
        assert_eq!(hub.verified().await.lessons, 0);
    }

    async fn the_nearest_policy_holds_and_a_clock_that_was_moved_deletes_nothing(database) {
        let hub = Hub::open(database).await;
        hub.tell(2).await;
        let for_ever = RetentionPolicy { clips_days: None, samples_days: None, attendance_days: None, ..POLICY };
        hub.policy(hub.0.town().organisation_id, &for_ever).await;
        assert_eq!(hub.run_on(2_000).await, (RunOutcome::Done, 0, 0, 0, 0));
        hub.policy(hub.0.town().organisation_id, &POLICY).await;
        for jump in [365 * 24 * 3_600_000, -2 * 3_600_000] {
            hub.0.clock.jump(jump);
            hub.0.clock.turn(DAY);
            assert_eq!(hub.run().await, (RunOutcome::ClockMoved, 0, 0, 0, 0));
            hub.0.clock.jump(-jump);
        }
        for act in ["retire_clip", "retire_samples", "retire_attendance"] {
            assert!(hub.tombstones(act).await.is_empty(), "{act}");
        }
        hub.0.clock.turn(DAY);
        assert_eq!(hub.run().await, (RunOutcome::TooMany, 1, 1, 1, 3), "of each class one of two");
    }

    async fn what_a_run_had_done_before_the_hub_was_killed_is_done_once(database) {
        let hub = Hub::open(database).await;
        let told = hub.tell(2).await;
        hub.0.clock.turn(DAY * 200);
        let (store, scope, now) = (&hub.0.app.store, system_scope::retention(), hub.0.clock.wall());
        // The run came so far, and never said how it ended.
        for id in [ExpiringId::Clip(told[0].clip_id), ExpiringId::Samples(told[1].lesson_id), ExpiringId::Attendance(told[0].lesson_id)] {
            assert_eq!(store.retire(&scope, id, &POLICY, now).await.unwrap(), Retired::Done);
            assert_eq!(store.retire(&scope, id, &POLICY, now).await.unwrap(), Retired::Skipped, "it is gone");
        }
        hub.confirm().await;
        assert_eq!(hub.run_on(201).await, (RunOutcome::Done, 1, 0, 1, 0));
        assert_eq!(hub.run_on(202).await, (RunOutcome::Done, 0, 0, 0, 0));
        for (act, tombstones) in [("retire_clip", 2), ("retire_samples", 1), ("retire_attendance", 2)] {
            assert_eq!(hub.tombstones(act).await.len(), tombstones, "{act}");
        }
        for class in [DataClass::Clips, DataClass::Samples, DataClass::Attendance] {
            assert_eq!(store.count_expiring(&scope, class).await.unwrap(), 0);
        }
        assert_eq!(hub.verified().await.retired.len(), 2);
    }
}
