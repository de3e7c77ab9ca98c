//! What recordings take, how long they stay, and how they go; on both stores, with real recordings on a real disk.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use crate::fixtures::school::{MORNING, School};
use crate::fixtures::stores::{fresh_postgres_url, on_both};
use school::base::zone::school_day;
use school::{
    account::system_scope,
    base::{
        id::{LessonId, OrganisationId, RecordingId},
        time::UnixMs,
    },
    lesson::{
        Lesson,
        life::{LessonState, RunsBy},
    },
    organisation::Role,
    retention::{DeletionRule, RetentionPolicy, StorageState, quota::Quota},
};
use serde_json::{Value, json};
use sfu::HubConfig;
use signaling::{
    app::App,
    clock::Clock,
    config::s3::S3,
    data_dir,
    live::actor::Actor,
    sample,
    secret::sha256_hex,
    store::{
        AuditRow, Database,
        audit::AuditSearch,
        retention::{Hold, RetainedFilter, RetainedRecording, run::RunOutcome},
    },
};
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn open(folder: &Path, database: &Database, clock: &Clock, s3: Option<&S3>) -> App {
    let hub = HubConfig {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        announce: vec![Ipv4Addr::LOCALHOST.into()],
        tcp: true,
        workers: 1,
        max_seats: None,
    };
    App::open_mirrored(folder, database, hub, clock.clone(), None, s3).await.unwrap()
}

/// A hub on one of the stores, with the sample's county.
struct Hub {
    app: App,
    clock: Clock,
    folder: TempDir,
    database: Database,
    /// The sample's lesson, of which others are made.
    model: Lesson,
}

impl Hub {
    async fn open(database: Database) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::standing_at(MORNING));
        let app = open(folder.path(), &database, &clock, None).await;
        let (sample, _) = sample::prepare(&app, folder.path(), "http://school").await.unwrap();
        let model = app.store.lesson(&system_scope::sample(), sample.lesson_id).await.unwrap().unwrap();
        Self { app, clock, folder, database, model }
    }

    /// Stopped, and started again with this clock.
    async fn restart(self, clock: Clock) -> Self {
        self.app.shut_down().await;
        let app = open(self.folder.path(), &self.database, &clock, None).await;
        Self { app, clock, ..self }
    }

    /// A lesson that was begun.
    async fn begin(&self, runs_by: RunsBy) -> Lesson {
        let (scope, now) = (system_scope::sample(), self.clock.wall());
        let mut lesson = Lesson {
            lesson_id: LessonId::fresh(),
            runs_by,
            state: LessonState::Open,
            live_at: None,
            recording: None,
            ..self.model.clone()
        };
        lesson.times.closes_at = now.plus(DAY);
        let row = AuditRow::by_system(now, "schedule_lesson", format!("lesson:{}", lesson.lesson_id));
        assert!(self.app.store.insert_lesson(&scope, &lesson, &row).await.unwrap());
        let lesson = self.app.store.lesson(&scope, lesson.lesson_id).await.unwrap().unwrap();
        self.app.registry.take_up(lesson.clone());
        self.app.registry.start(lesson, &Actor::system()).await.unwrap()
    }

    /// Lessons that were recorded and are over.
    async fn record(&self, lessons: usize) -> Vec<RecordingId> {
        let mut recorded = Vec::new();
        for _ in 0..lessons {
            let lesson = self.begin(RunsBy::Teacher).await;
            let ended = self.app.registry.end(lesson, &Actor::system()).await.unwrap();
            recorded.push(ended.recording.unwrap().recording_id);
        }
        self.app.round().await.unwrap();
        recorded
    }

    async fn kept(&self, id: RecordingId) -> RetainedRecording {
        self.app.store.retained_recording(&system_scope::console(), id).await.unwrap().unwrap()
    }

    async fn in_state(&self, state: StorageState) -> Vec<RecordingId> {
        let ask = RetainedFilter { states: vec![state], limit: 1_000, ..RetainedFilter::default() };
        let found = self.app.store.retained_recordings(&system_scope::console(), &ask).await.unwrap();
        found.into_iter().map(|kept| kept.recording_id).collect()
    }

    /// A day later, and through retention once.
    async fn next_day(&self) -> (RunOutcome, u64, u64, u64) {
        self.clock.turn(DAY);
        let run = self.app.go_through_retention().await.unwrap();
        (run.outcome, run.marked, run.deleted, run.held_back)
    }

    async fn hold(&self, id: RecordingId, until: Option<UnixMs>) -> bool {
        let (at, reason) = (self.clock.wall(), "纠纷取证".to_owned());
        let hold = Hold { by: "person:x".into(), name: "李主任".into(), reason, at, until };
        let row = AuditRow::done(at, "person:x", "hold_recording", format!("recording:{id}"));
        self.app.store.hold_recording(&system_scope::console(), id, Some(&hold), row).await.unwrap()
    }

    async fn policy(&self, recordings_days: Option<u32>) {
        let path = self.model.place().to_owned();
        let id: OrganisationId = path.trim_matches('/').split('/').next().unwrap().parse().unwrap();
        let (policy, at) = (RetentionPolicy { recordings_days, ..RetentionPolicy::default() }, self.clock.wall());
        let row = AuditRow::by_system(at, "set_retention_policy", format!("organisation:{id}"));
        let version = self.app.store.policy(&system_scope::console(), id).await.unwrap().map_or(0, |kept| kept.1);
        self.app.store.set_policy(&system_scope::console(), id, &policy, version, row).await.unwrap();
    }

    async fn tombstones(&self) -> Vec<(String, String)> {
        let search = AuditSearch { act: Some("delete_recording".into()), ..AuditSearch::default() };
        let lines = self.app.store.audit_lines(&system_scope::console(), &search, None, 1_000).await.unwrap();
        lines.into_iter().map(|line| (line.object, line.detail)).collect()
    }

    fn seal(&self, id: RecordingId) -> Option<Vec<u8>> {
        data_dir::read(&self.folder.path().join("recordings").join(id.to_string()).join("seal.json")).unwrap()
    }

    fn is_on_disk(&self, id: RecordingId) -> bool {
        self.folder.path().join("recordings").join(id.to_string()).exists()
    }
}

on_both! {
    async fn recordings_go_a_twentieth_a_day_after_a_week_of_warning_and_leave_a_tombstone(database) {
        let hub = Hub::open(database).await;
        let recorded = hub.record(40).await;
        assert_eq!(hub.in_state(StorageState::Sealed).await.len(), 40);
        assert_eq!(hub.next_day().await, (RunOutcome::Done, 0, 0, 0));
        assert_eq!(hub.in_state(StorageState::Archived).await.len(), 40);
        hub.clock.turn(DAY * 28);
        // The first is held, and so the second and third are the first to go.
        assert!(hub.hold(recorded[0], None).await);
        assert_eq!(hub.next_day().await, (RunOutcome::TooMany, 2, 0, 37));
        let pending = hub.in_state(StorageState::Pending).await;
        assert_eq!(pending, recorded[1..3]);
        // One of them is taken back by somebody, and held: it stays.
        assert!(hub.hold(pending[1], None).await);
        assert_eq!(hub.kept(pending[1]).await.state, StorageState::Sealed);
        let seal = hub.seal(pending[0]).unwrap();
        for day in 1..7 {
            let (outcome, marked, deleted, _) = hub.next_day().await;
            assert_eq!((outcome, marked, deleted), (RunOutcome::TooMany, 2, 0), "day {day}");
        }
        assert!(hub.tombstones().await.is_empty() && hub.is_on_disk(pending[0]));
        let (_, marked, deleted, _) = hub.next_day().await;
        assert_eq!((marked, deleted), (2, 1));
        assert!(!hub.is_on_disk(pending[0]) && hub.is_on_disk(pending[1]) && hub.is_on_disk(recorded[0]));
        let tombstones = hub.tombstones().await;
        let object = format!("recording:{}", pending[0]);
        assert_eq!(tombstones.len(), 1);
        assert_eq!(tombstones[0].0, object);
        assert!(tombstones[0].1.starts_with(&format!("seal_sha256={} rule=retention ", sha256_hex(seal))), "{tombstones:?}");
        assert_eq!(hub.kept(pending[0]).await.state, StorageState::Deleted);
        hub.app.store.verify_audit().await.unwrap().unwrap();

        // A bureau that keeps for longer takes all back; its word is enough, and nothing more goes.
        hub.policy(Some(400)).await;
        hub.next_day().await;
        assert_eq!((hub.in_state(StorageState::Pending).await.len(), hub.tombstones().await.len()), (0, 1));
    }

    async fn somebodys_word_lets_a_run_take_all_that_is_due(database) {
        let hub = Hub::open(database).await;
        hub.record(10).await;
        hub.clock.turn(DAY * 30);
        assert_eq!(hub.next_day().await, (RunOutcome::TooMany, 1, 0, 9));
        let row = AuditRow::by_system(hub.clock.wall(), "confirm_retention", "hub".into());
        hub.app.store.confirm_retention(&system_scope::console(), "person:x", &row).await.unwrap();
        assert_eq!(hub.next_day().await, (RunOutcome::Done, 9, 0, 0));
        assert_eq!(hub.in_state(StorageState::Pending).await.len(), 10);
        for _ in 0..5 {
            hub.next_day().await;
        }
        assert_eq!(hub.next_day().await, (RunOutcome::Done, 0, 1, 0));
        // The word was used up: nine are due on one day, and one of nine goes.
        assert_eq!(hub.next_day().await, (RunOutcome::TooMany, 0, 1, 8));
    }

    async fn a_deletion_that_a_kill_interrupted_is_finished_and_told_once(database) {
        let hub = Hub::open(database).await;
        let id = hub.record(1).await[0];
        let seal = hub.seal(id).unwrap();
        hub.clock.turn(DAY * 30);
        hub.next_day().await;
        assert_eq!(hub.in_state(StorageState::Pending).await, [id]);
        hub.clock.turn(DAY * 8);
        assert!(hub.app.store.begin_deletion(&system_scope::console(), id, hub.clock.wall()).await.unwrap());
        // Half of it is gone, and the hub is killed.
        remove(&hub.folder.path().join("recordings").join(id.to_string()).join("journal.log"));
        assert!(!hub.hold(id, None).await, "there is no way back");
        let clock = hub.clock.clone();
        let hub = hub.restart(clock).await;
        for _ in 0..2 {
            hub.next_day().await;
            assert!(!hub.is_on_disk(id));
            let tombstones = hub.tombstones().await;
            assert_eq!(tombstones.len(), 1);
            assert!(tombstones[0].1.contains(&sha256_hex(&seal)), "{tombstones:?}");
        }
    }

    async fn a_clock_that_is_set_wrong_deletes_nothing(database) {
        const HOUR: i64 = 3_600_000;
        let hub = Hub::open(database).await;
        hub.record(20).await;
        hub.clock.turn(DAY * 20);
        hub.app.round().await.unwrap();
        for jump in [-2 * HOUR, 365 * 24 * HOUR] {
            hub.clock.jump(jump);
            for _ in 0..10 {
                let (outcome, marked, deleted, _) = hub.next_day().await;
                assert_eq!((outcome, marked, deleted), (RunOutcome::ClockMoved, 0, 0), "{jump}");
                hub.app.round().await.unwrap();
            }
            hub.clock.jump(-jump);
            hub.clock.turn(Duration::ZERO);
        }
        // Set right again, time has gone on: they are 40 days old, and what is due is due.
        assert_eq!(hub.next_day().await, (RunOutcome::TooMany, 1, 0, 19));
        hub.app.round().await.unwrap();

        // The same while the hub stands still: the clock of the next start is a year ahead, or two hours behind.
        let before = hub.clock.wall();
        let hub = hub.restart(Clock::standing_at(before.plus(DAY * 365))).await;
        for _ in 0..10 {
            assert_eq!(hub.next_day().await, (RunOutcome::ClockMoved, 0, 0, 0));
            hub.app.round().await.unwrap();
        }
        let hub = hub.restart(Clock::standing_at(before.minus(Duration::from_secs(7_200)))).await;
        assert_eq!(hub.next_day().await, (RunOutcome::ClockMoved, 0, 0, 0));
        assert!(hub.tombstones().await.is_empty());
        // Somebody answers for it.
        let row = AuditRow::by_system(hub.clock.wall(), "confirm_retention", "hub".into());
        hub.app.store.confirm_retention(&system_scope::console(), "person:x", &row).await.unwrap();
        assert_eq!(hub.next_day().await.0, RunOutcome::Done);
        assert_eq!(hub.next_day().await.0, RunOutcome::Done, "and is believed from now on");
    }

    async fn a_full_school_records_its_timetable_and_what_runs_and_leaves_out_the_rest(database) {
        let hub = Hub::open(database).await;
        hub.record(1).await;
        let path = hub.model.place().to_owned();
        let id: OrganisationId = path.trim_matches('/').rsplit('/').next().unwrap().parse().unwrap();
        let quota = Quota { gigabytes: None, days: Some(2) };
        let row = AuditRow::by_system(hub.clock.wall(), "set_quota", format!("organisation:{id}"));
        hub.app.store.set_quota(&system_scope::console(), id, quota, 0, row).await.unwrap();
        hub.clock.turn(DAY);
        hub.app.round().await.unwrap();
        let running = hub.begin(RunsBy::Teacher).await;
        assert!(running.recording.is_some(), "a day old of two: there is room");
        hub.clock.turn(DAY);
        hub.app.round().await.unwrap();
        let outside = hub.begin(RunsBy::Teacher).await;
        assert_eq!((outside.state, outside.recording), (LessonState::Live, None), "it is held, and not recorded");
        let inside = hub.begin(RunsBy::Bell).await;
        assert!(inside.recording.is_some(), "what stands in the timetable is recorded");
        // The one that was running is whole.
        let running = hub.app.registry.end(running, &Actor::system()).await.unwrap();
        assert!(hub.seal(running.recording.unwrap().recording_id).is_some());
        let outside = hub.app.registry.end(outside, &Actor::system()).await.unwrap();
        assert_eq!((outside.state, outside.recording), (LessonState::Ended, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "somebody looks into the bucket")]
async fn a_hub_with_a_bucket_copies_into_it_and_deletes_there_too() {
    let server = crate::fixtures::bucket::Server::start().await;
    let way = crate::fixtures::bucket::Way::to(&server).await;
    let address = way.address();
    let s3 = S3 {
        endpoint: address.endpoint,
        bucket: address.bucket,
        region: address.region,
        access_key: address.access_key_id,
        secret_key: address.secret_access_key.into(),
        bytes_per_second: 100_000_000,
        local: Some(DAY),
    };
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::standing_at(MORNING));
    let database = Database::file(&folder.path().join("tongke.sqlite"));
    let app = open(folder.path(), &database, &clock, Some(&s3)).await;
    let (sample, _) = sample::prepare(&app, folder.path(), "http://school").await.unwrap();
    let model = app.store.lesson(&system_scope::sample(), sample.lesson_id).await.unwrap().unwrap();
    let hub = Hub { app, clock, folder, database, model };
    let id = hub.record(1).await[0];
    let objects = || {
        let found = std::fs::read_dir(server.objects(&id.to_string()));
        found.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let whole = || hub.app.recordings.mirror().unwrap().is_whole(recorder::RecordingId(id.uuid()));
    for _ in 0..600 {
        if whole() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(whole(), "{:?}", hub.app.recordings.mirror().unwrap().status());
    assert!(objects().contains(&"seal.json".to_owned()), "{:?}", objects());
    hub.app.round().await.unwrap();
    assert!(hub.kept(id).await.is_mirrored);
    hub.next_day().await;
    assert_eq!(hub.in_state(StorageState::Archived).await, [id]);

    hub.clock.turn(DAY * 29);
    hub.next_day().await;
    // The bucket is away on the day when it goes: it is finished the day after, and told then.
    hub.clock.turn(DAY);
    for _ in 0..6 {
        hub.next_day().await;
    }
    way.is(crate::fixtures::bucket::Fault::Down);
    hub.next_day().await;
    assert_eq!((hub.in_state(StorageState::Deleting).await, hub.tombstones().await.len()), (vec![id], 0));
    assert!(!hub.is_on_disk(id) && !objects().is_empty());
    way.is(crate::fixtures::bucket::Fault::None);
    hub.next_day().await;
    assert_eq!((objects(), hub.tombstones().await.len()), (Vec::new(), 1));
}

#[expect(clippy::disallowed_methods, reason = "the test is the power cut")]
fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

async fn put(
    school: &School,
    path: &str,
    cookie: &str,
    tag: Option<&str>,
    body: Value,
) -> crate::fixtures::school::Answer {
    use axum::{body::Body, http::Request};
    let mut request = Request::put(path).header("cookie", cookie).header("content-type", "application/json");
    if let Some(tag) = tag {
        request = request.header("if-match", tag);
    }
    school.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn an_administrator_sees_holds_asks_for_deletion_and_takes_it_back_and_a_replay_says_when_it_is_gone() {
    let school = School::open().await;
    let (app, keeper) = (&school.app, school.at_the_top(Role::SystemAdministrator).await);
    let teacher = school.teacher().await;
    assert_eq!(school.post(&school.lesson("/start"), &teacher, "{}").await.status, 200);
    app.round().await.unwrap();
    let list = school.get("/api/v1/storage/recordings", &keeper).await.json();
    assert_eq!(list["items"][0]["state"], "live");
    let id = list["items"][0]["recording_id"].as_str().unwrap().to_owned();
    let at = |rest: &str| format!("/api/v1/storage/recordings/{id}{rest}");
    let reason = json!({ "reason": "家长要求" });
    let early = put(&school, &at("/deletion"), &keeper, None, reason.clone()).await;
    assert_eq!(early.problem(), (409, "wrong-storage-state".into()));
    assert_eq!(school.post(&school.lesson("/end"), &teacher, "{}").await.status, 200);
    app.round().await.unwrap();

    let held = put(&school, &at("/hold"), &keeper, None, json!({ "reason": "纠纷取证" })).await;
    assert_eq!((held.status.as_u16(), &held.json()["hold"]["reason"]), (200, &json!("纠纷取证")), "{}", held.text);
    let refused = put(&school, &at("/deletion"), &keeper, None, reason.clone()).await;
    assert_eq!(refused.problem(), (409, "recording-held".into()));
    let past = put(&school, &at("/hold"), &keeper, None, json!({ "reason": "x", "until_ms": 1 })).await;
    assert_eq!(past.problem().0, 422);
    let delete = |path: String, cookie: String| {
        let request = axum::http::Request::delete(path).header("cookie", cookie).body(axum::body::Body::empty());
        school.send(request.unwrap())
    };
    assert_eq!(delete(at("/hold"), keeper.clone()).await.json()["hold"], Value::Null);
    let asked = put(&school, &at("/deletion"), &keeper, None, reason.clone()).await.json();
    assert_eq!((&asked["state"], &asked["deletion"]["rule"]), (&json!("pending_deletion"), &json!("request")));
    assert!(asked["deletes_at_ms"].as_i64().unwrap() >= school.clock.wall().plus(DAY * 7).0);
    assert_eq!(delete(at("/deletion"), keeper.clone()).await.json()["state"], "sealed");
    assert_eq!(delete(at("/deletion"), keeper.clone()).await.problem().0, 409);
    let replay = format!("/api/v1/recordings/{id}");
    assert_eq!(school.get(&replay, &teacher).await.status, 200);

    put(&school, &at("/deletion"), &keeper, None, reason).await;
    for _ in 0..8 {
        school.clock.turn(DAY);
        app.go_through_retention().await.unwrap();
    }
    let lesson = app.store.lesson(&system_scope::console(), school.lesson_id()).await.unwrap().unwrap();
    let teacher = school.sign_in(&school.link(lesson.teacher.person_id).await).await;
    let stranger = school.other_teacher().await;
    let kept = app.store.retained_recording(&system_scope::console(), id.parse().unwrap()).await.unwrap().unwrap();
    let on = school_day(kept.deleted_at.unwrap());
    for rest in [
        "",
        "/media/main.m3u8",
        "/media/voice-000001.m4s",
        "/download?tracks=voice",
        "/composite",
        "/clips",
        "/chapters",
    ] {
        let path = format!("{replay}{rest}");
        let gone = school.get(&path, &teacher).await;
        assert_eq!(gone.problem(), (410, "recording-deleted".into()), "{path}");
        assert_eq!(gone.json()["gone"], json!({ "rule": "request", "on": on }), "{path}");
        assert_eq!(school.get(&path, &stranger).await.problem(), (404, "not-found".into()), "{path}");
    }
    assert_eq!(
        kept.deletion.map(|deletion| (deletion.rule, deletion.reason)),
        Some((DeletionRule::Request, "家长要求".into()))
    );
}

#[tokio::test]
async fn quotas_and_policies_are_edited_by_their_etag_and_seen_by_those_below() {
    let school = School::open().await;
    let keeper = school.at_the_top(Role::SystemAdministrator).await;
    let teacher = school.teacher().await;
    school.post(&school.lesson("/start"), &teacher, "{}").await;
    school.app.round().await.unwrap();
    let schools = school.get("/api/v1/storage/schools", &keeper).await.json();
    let id = schools["items"][0]["organisation_id"].as_str().unwrap().to_owned();
    assert_eq!(schools["items"][0]["policy"]["recordings_days"], 30);
    let quota = format!("/api/v1/storage/quotas/{id}");
    let shown = school.get(&quota, &keeper).await;
    assert_eq!((shown.header("etag"), shown.json()), ("\"v0\"", json!({ "gigabytes": null, "days": null })));
    let wanted = json!({ "gigabytes": 200, "days": 400 });
    assert_eq!(put(&school, &quota, &keeper, None, wanted.clone()).await.problem().0, 428);
    assert_eq!(put(&school, &quota, &keeper, Some("\"v1\""), wanted.clone()).await.problem().0, 412);
    let set = put(&school, &quota, &keeper, Some("\"v0\""), wanted.clone()).await;
    assert_eq!((set.status.as_u16(), set.header("etag")), (200, "\"v1\""), "{}", set.text);
    assert_eq!(put(&school, &quota, &keeper, Some("\"v0\""), wanted).await.problem().0, 412);
    let zero = put(&school, &quota, &keeper, Some("\"v1\""), json!({ "gigabytes": 0, "days": null })).await;
    assert_eq!(zero.problem().0, 422);

    let policy = format!("/api/v1/storage/policies/{id}");
    assert_eq!(school.get(&policy, &keeper).await.json()["set_here"], false);
    let week = json!({ "recordings_days": 365, "clips_days": null, "samples_days": 60, "attendance_days": 1100 });
    let set = put(&school, &policy, &keeper, Some("\"v0\""), week.clone()).await;
    assert_eq!((set.status.as_u16(), &set.json()["policy"]), (200, &week), "{}", set.text);
    let schools = school.get("/api/v1/storage/schools", &keeper).await.json();
    assert_eq!((&schools["items"][0]["policy"], &schools["items"][0]["quota"]["gigabytes"]), (&week, &json!(200)));
    for (role, may) in [(Role::Operator, 200), (Role::Patrol, 403), (Role::AuditAdministrator, 403)] {
        let somebody = school.at_the_top(role).await;
        assert_eq!(school.get("/api/v1/storage", &somebody).await.status.as_u16(), may, "{role:?}");
        assert_eq!(put(&school, &quota, &somebody, Some("\"v1\""), json!({})).await.status.as_u16(), 404, "{role:?}");
    }
    // The disk stands there as the desk and 今日 say it: by the same look.
    let (disk, looked) =
        (school.get("/api/v1/storage", &keeper).await.json()["disk"].clone(), school.app.recordings.disk());
    assert_eq!((&disk["level"], &disk["total_bytes"]), (&json!(looked.level), &json!(looked.total_bytes)), "{disk}");
    assert!(looked.total_bytes > 0 && disk["free_bytes"].is_u64() && disk.get("full_in_minutes").is_some(), "{disk}");
    let acts = school.acts(20).await;
    assert!(acts.contains(&"set_quota".to_owned()) && acts.contains(&"set_retention_policy".to_owned()), "{acts:?}");
}
