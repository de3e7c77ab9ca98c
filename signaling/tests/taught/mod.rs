//! A county whose lessons have been taught and recorded, behind a router in memory, on either store.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::disallowed_methods, reason = "a recording is made by a clock that the test moves")]

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use serde_json::Value;
use sfu::{
    HubConfig,
    id::TrackId,
    media::{Codec, TrackKind},
    packet::Packet,
    tap::{TapItem, channel},
};
use signaling::{
    app::App,
    clock::Clock,
    county::{County, Node},
    domain::{
        course::Listening,
        dispatch::DispatchedLesson,
        id::{LessonId, OrganisationId, PersonId, RecordingId},
        lesson::{RecordingNote, RecordingState},
        lesson_life::{LessonState, LessonTimes, RunsBy},
        organisation::{Holder, Person, Role},
        program::{Delivery, Mode, Program},
        rules::RuleSet,
        time::UnixMs,
        two_ends::Span,
    },
    router, sample,
    store::{AuditRow, Database, NewLesson, Seed},
    system_scope,
};
use tempfile::TempDir;
use tower::ServiceExt;

/// 2026-09-21 08:00 in China.
pub const MORNING: UnixMs = UnixMs(1_789_948_800_000);

pub struct Taught {
    pub app: App,
    pub router: Router,
    pub county: County,
    pub clock: Clock,
    pub folder: TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }

    pub fn problem(&self) -> (u16, String) {
        let body = self.json();
        (self.status.as_u16(), body["type"].as_str().unwrap_or_default().trim_start_matches("/problems/").to_owned())
    }

    /// The values of one field of a list.
    pub fn items(&self, field: &str) -> Vec<String> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        let items = self.json()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item[field].as_str().map_or_else(|| item[field].to_string(), str::to_owned)).collect()
    }
}

/// What was taught. The rest is the first centre school's English in the third grade, heard by its first point.
pub struct Lesson {
    pub title: &'static str,
    pub subject: &'static str,
    pub grade: &'static str,
    pub school: usize,
    pub teacher: usize,
    /// After eight.
    pub minutes: i64,
    /// Whose first class hears it.
    pub point: usize,
    pub heard: bool,
    pub mode: Mode,
}

impl Default for Lesson {
    fn default() -> Self {
        let (title, subject, grade) = ("英语 三年级", "英语", "三年级");
        Self { title, subject, grade, school: 0, teacher: 0, minutes: 0, point: 0, heard: true, mode: Mode::Live }
    }
}

impl Taught {
    pub async fn open(database: Database) -> Self {
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
        app.store.plant_county(&system_scope::sample(), &county, MORNING).await.unwrap();
        Self { router: router::router(app.clone()), app, county, clock, folder }
    }

    pub fn town(&self) -> &Node {
        &self.county.schools()[0]
    }

    pub fn point(&self) -> &Node {
        &self.county.points()[0]
    }

    /// A lesson of 40 minutes that was put into the timetable, by the bell alone.
    pub async fn schedule(&self, taught: Lesson) -> LessonId {
        let (school, class) = (&self.county.schools()[taught.school], &self.county.points()[taught.point].classes[0]);
        let starts_at = UnixMs(MORNING.0 + taught.minutes * 60_000);
        let span = Span { starts_at, ends_at: UnixMs(starts_at.0 + 40 * 60_000) };
        let is_live = taught.mode == Mode::Live;
        let listening = Listening {
            classroom_id: class.classroom_id.unwrap(),
            class_id: Some(class.class_id),
            organisation_id: class.organisation_id,
            interactive: is_live,
        };
        let lesson = DispatchedLesson {
            lesson_id: LessonId::fresh(),
            organisation_id: school.organisation_id,
            state: LessonState::Scheduled,
            version: 1,
            teacher_id: school.teachers[taught.teacher].0,
            classroom_id: None,
            class_id: None,
            device_ids: Vec::new(),
            slot: None,
            span,
            listening: if taught.heard { vec![listening] } else { Vec::new() },
        };
        let lesson_id = lesson.lesson_id;
        let new = NewLesson {
            lesson,
            title: taught.title.into(),
            subject: taught.subject.into(),
            grade: taught.grade.into(),
            program: Program::DeliveryClass,
            mode: taught.mode,
            delivery: if is_live { Delivery::Synchronous } else { Delivery::Pushed },
            term_id: Some(self.county.terms[0].term_id),
            course: None,
            times: LessonTimes::by(&RuleSet::default(), span),
            runs_by: RunsBy::BellAlone,
            guests_max: 0,
            join_windows: Vec::new(),
        };
        let row = AuditRow::by_system(self.clock.wall(), "plant", format!("lesson:{lesson_id}"));
        assert_eq!(self.app.store.schedule(&system_scope::sample(), &[new], row).await.unwrap(), 1);
        lesson_id
    }

    /// A lesson that is over, and its recording.
    pub async fn lesson(&self, taught: Lesson) -> (LessonId, RecordingId) {
        let (store, scope) = (&self.app.store, system_scope::sample());
        let lesson_id = self.schedule(taught).await;
        let row = |at| AuditRow::by_system(at, "plant", format!("lesson:{lesson_id}"));
        let mut lesson = store.lesson(&scope, lesson_id).await.unwrap().unwrap();
        let (starts_at, ends_at) = (lesson.times.starts_at, lesson.times.ends_at);
        let recording_id = RecordingId::fresh();
        let steps = [(LessonState::Open, starts_at), (LessonState::Live, starts_at), (LessonState::Ended, ends_at)];
        for (state, at) in steps {
            let before = std::mem::replace(&mut lesson.state, state);
            let begins = (state == LessonState::Live).then_some(recording_id);
            match state {
                LessonState::Live => lesson.live_at = Some(at),
                LessonState::Ended => lesson.ended_at = Some(at),
                _ => {}
            }
            assert!(store.move_lesson(&scope, &lesson, before, begins, &row(at)).await.unwrap());
        }
        lesson.recording = Some(RecordingNote { recording_id, state: RecordingState::Sealed });
        store.seal_recording(&scope, recording_id, &row(ends_at)).await.unwrap();
        (lesson_id, recording_id)
    }

    /// A lesson of tomorrow at eight that a school gives to the class of a point, and that plays something.
    pub async fn to_come(&self, school: usize, point: usize, mode: Mode) -> LessonId {
        let (title, minutes) = ("英语 看课", 24 * 60);
        self.schedule(Lesson { title, school, point, minutes, mode, ..Lesson::default() }).await
    }

    /// Lets time go by until so many minutes after eight, and the bell look at its clock.
    pub async fn ring_at(&self, minutes: i64) {
        let by = MORNING.0 + minutes * 60_000 - self.clock.wall().0;
        self.clock.turn(Duration::from_millis(u64::try_from(by).unwrap()));
        self.app.registry.ring().await;
    }

    /// Puts so many milliseconds of a silent voice behind a recording.
    pub fn speak(&self, recording_id: RecordingId, ms: u64) {
        let clock = Arc::new(HandClock { start: Instant::now(), ms: AtomicU64::new(0) });
        let archive = recorder::Archive::open(self.folder.path().join("recordings"), clock.clone()).unwrap();
        let (tap, receiver) = channel(100_000);
        let recorder = archive.record(recorder::RecordingId(recording_id.uuid()), receiver).unwrap();
        let track = TrackId(1);
        let now = || clock.start + Duration::from_millis(clock.ms.load(Ordering::SeqCst));
        tap.send(TapItem::Started { track, kind: TrackKind::Voice, codec: Codec::Opus, arrived: now() }).unwrap();
        for seq in 0..ms / 20 {
            clock.ms.fetch_add(20, Ordering::SeqCst);
            let packet = Arc::new(Packet {
                seq,
                timestamp: (seq * 960) as u32,
                marker: false,
                codec: Codec::Opus,
                keyframe: true,
                payload: bytes::Bytes::from_static(recorder::track::sound_meter::SILENCE),
                audio_level: None,
                vp8: None,
                frame_start: true,
                layered: None,
            });
            tap.send(TapItem::Packet { track, arrived: now(), packet }).unwrap();
        }
        drop(tap);
        assert_eq!(recorder.finish().unwrap().duration_ms, ms);
    }

    /// The cookie of a teacher of a centre school.
    pub async fn teacher(&self, school: usize, n: usize) -> String {
        self.enter(Holder::Person(self.county.schools()[school].teachers[n].0)).await
    }

    /// The cookie of the classroom of the first class of a point.
    pub async fn classroom(&self, point: usize) -> String {
        self.enter(Holder::Classroom(self.county.points()[point].classes[0].classroom_id.unwrap())).await
    }

    /// The cookie of somebody with this role there.
    pub async fn somebody(&self, role: Role, organisation_id: OrganisationId) -> String {
        let person_id = PersonId::fresh();
        let person = Person { person_id, organisation_id, name: format!("某{}", role.as_str()), sign_in_name: None };
        let seed = Seed { people: vec![(person, Some(role))], ..Seed::default() };
        self.app.store.plant(&system_scope::sample(), &seed, self.clock.wall()).await.unwrap();
        self.enter(Holder::Person(person_id)).await
    }

    async fn enter(&self, holder: Holder) -> String {
        let link = sample::sign_in_link(&self.app.store, "http://school", holder, self.clock.wall()).await.unwrap();
        let (_, secret) = link.split_once('#').unwrap();
        let answer = self.ask("POST", "/api/v1/sign-in", "", None, &format!(r#"{{"link":"{secret}"}}"#)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        cookie_of(&answer)
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.ask("GET", path, cookie, None, "").await
    }

    pub async fn post(&self, path: &str, cookie: &str, body: &Value) -> Answer {
        self.ask("POST", path, cookie, None, &body.to_string()).await
    }

    /// `version`: what `If-Match` says.
    pub async fn ask(&self, method: &str, path: &str, cookie: &str, version: Option<i64>, body: &str) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        request = request.header(header::COOKIE, cookie).header(header::CONTENT_TYPE, "application/json");
        if let Some(version) = version {
            request = request.header(header::IF_MATCH, format!("\"v{version}\""));
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// The newest acts of the audit, each with its object and detail, the newest first.
    pub async fn acts(&self, limit: u32) -> Vec<(String, String, String)> {
        let (scope, all) = (system_scope::console(), signaling::store::audit::AuditSearch::default());
        let lines = self.app.store.audit_lines(&scope, &all, None, limit).await.unwrap();
        lines.into_iter().map(|line| (line.act, line.object, line.detail)).collect()
    }
}

/// The cookie that an answer sets.
pub fn cookie_of(answer: &Answer) -> String {
    answer.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

struct HandClock {
    start: Instant,
    ms: AtomicU64,
}

impl recorder::Clock for HandClock {
    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.ms.load(Ordering::SeqCst))
    }

    fn wall_ms(&self) -> u64 {
        1_800_000_000_000 + self.ms.load(Ordering::SeqCst)
    }
}
