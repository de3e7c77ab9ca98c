//! A small county behind a router in memory: its own database, its own hub on a port of the system's choice.
#![expect(dead_code, reason = "each test file uses its own part")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use serde_json::Value;
use sfu::HubConfig;
use signaling::{
    app::{App, database_file},
    clock::Clock,
    domain::{
        id::{LessonId, OrganisationId, PersonId},
        organisation::{Holder, Organisation, OrganisationKind, Person, Role},
        time::UnixMs,
    },
    front::{self, Connections},
    router,
    sample::{self, Sample},
    store::{Database, Seed, audit::AuditSearch, place::ListAsk},
    system_scope,
};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

pub const CHROMIUM_SEND: &str = include_str!("../../../sfu/tests/offers/chromium-send.sdp");
pub const CHROMIUM_RECEIVE: &str = include_str!("../../../sfu/tests/offers/chromium-receive.sdp");

/// 2026-09-21 08:00 in China.
pub const MORNING: UnixMs = UnixMs(1_789_948_800_000);

pub struct School {
    pub app: App,
    pub router: Router,
    pub sample: Sample,
    pub clock: Clock,
    pub folder: TempDir,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }

    /// The problem's status and the last part of its type.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert!(!body["title"].as_str().unwrap().is_empty() && !body["detail"].as_str().unwrap().is_empty());
        (self.status.as_u16(), body["type"].as_str().unwrap().trim_start_matches("/problems/").to_owned())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl School {
    pub async fn open() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), Clock::standing_at(MORNING)).await
    }

    pub async fn in_folder(folder: TempDir, clock: Clock) -> Self {
        let app = Self::app(&folder, &clock).await;
        let (sample, _) = sample::prepare(&app, folder.path(), "http://school").await.unwrap();
        Self { router: router::router(app.clone()), app, sample, clock, folder }
    }

    /// A hub that nobody has set up. Its sample is made of nothing.
    pub async fn empty(folder: TempDir, clock: Clock) -> Self {
        let app = Self::app(&folder, &clock).await;
        let links = sample::SignInLinks {
            teacher: String::new(),
            classrooms: vec![],
            bureau_officer: String::new(),
            scheduler: None,
        };
        let sample = Sample {
            base_url: String::new(),
            lesson_id: LessonId::fresh(),
            whip_url: String::new(),
            whep_url: String::new(),
            publish_token: String::new(),
            receive_tokens: vec![],
            viewer_token: String::new(),
            sign_in_links: links,
            guest_watch_url: String::new(),
        };
        Self { router: router::router(app.clone()), app, sample, clock, folder }
    }

    async fn app(folder: &TempDir, clock: &Clock) -> App {
        let hub = HubConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            announce: vec![Ipv4Addr::LOCALHOST.into()],
            tcp: true,
            workers: 1,
            max_seats: None,
        };
        let database = Database::file(&database_file(folder.path()));
        App::open(folder.path(), &database, hub, clock.clone(), None).await.unwrap()
    }

    /// The hub is stopped, and started again a while later on the same folder.
    pub async fn restart(self, after: Duration) -> Self {
        self.app.shut_down().await;
        self.clock.turn(after);
        Self::in_folder(self.folder, self.clock).await
    }

    /// Opens the door on a port of the system's choice. It stays open until the sender says `true` or is dropped.
    pub async fn door(&self) -> (SocketAddr, watch::Sender<bool>) {
        self.door_at(Ipv4Addr::LOCALHOST.into(), &[]).await
    }

    /// The same on an address of this machine, with proxies that are trusted.
    pub async fn door_at(&self, ip: IpAddr, proxies: &[IpAddr]) -> (SocketAddr, watch::Sender<bool>) {
        let listener = front::listen((ip, 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (router, connections) = (self.router.clone(), Connections::default());
        tokio::spawn(front::serve(listener, None, proxies.into(), router, None, connections, stopped));
        (address, stop)
    }

    pub fn lesson_id(&self) -> LessonId {
        self.sample.lesson_id
    }

    pub fn lesson(&self, rest: &str) -> String {
        format!("/api/v1/lessons/{}{rest}", self.lesson_id())
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    /// Uses a one-time link of the sample; answers the cookie.
    pub async fn sign_in(&self, link: &str) -> String {
        let (_, secret) = link.split_once('#').unwrap();
        let answer = self.post("/api/v1/sign-in", "", &format!(r#"{{"link":"{secret}"}}"#)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    pub async fn teacher(&self) -> String {
        self.sign_in(&self.sample.sign_in_links.teacher).await
    }

    pub async fn classroom(&self, n: usize) -> String {
        self.sign_in(&self.sample.sign_in_links.classrooms[n]).await
    }

    pub async fn officer(&self) -> String {
        self.sign_in(&self.sample.sign_in_links.bureau_officer).await
    }

    /// A classroom that no lesson lists: it moved in this morning.
    pub async fn stranger(&self) -> String {
        use signaling::domain::{id::ClassroomId, organisation::Classroom};
        let organisation_id = OrganisationId::fresh();
        let (name, kind) = ("恒口小学".to_owned(), OrganisationKind::School);
        let organisation = Organisation { organisation_id, parent_id: None, kind, name, code: None };
        let classroom_id = ClassroomId::fresh();
        let classroom = Classroom { classroom_id, organisation_id, name: "一班".into() };
        let seed = Seed { organisations: vec![organisation], classrooms: vec![classroom], people: vec![] };
        let store = &self.app.store;
        store.plant(&system_scope::sample(), &seed, self.clock.wall()).await.unwrap();
        let holder = Holder::Classroom(classroom_id);
        let link = sample::sign_in_link(store, "http://school", holder, self.clock.wall()).await.unwrap();
        self.sign_in(&link).await
    }

    /// A teacher who teaches none of these lessons.
    pub async fn other_teacher(&self) -> String {
        let organisation_id = OrganisationId::fresh();
        let (name, kind) = ("恒口中学".to_owned(), OrganisationKind::School);
        let organisation = Organisation { organisation_id, parent_id: None, kind, name, code: None };
        let person_id = PersonId::fresh();
        let person = Person { person_id, organisation_id, name: "王老师".into(), sign_in_name: None };
        let people = vec![(person, Some(Role::LeadTeacher))];
        let seed = Seed { organisations: vec![organisation], classrooms: vec![], people };
        self.app.store.plant(&system_scope::sample(), &seed, self.clock.wall()).await.unwrap();
        let holder = Holder::Person(person_id);
        let link = sample::sign_in_link(&self.app.store, "http://school", holder, self.clock.wall()).await.unwrap();
        self.sign_in(&link).await
    }

    /// Somebody with this role at the top of the sample county.
    pub async fn person_at_the_top(&self, role: Role) -> PersonId {
        let (store, scope, now) = (&self.app.store, system_scope::sample(), self.clock.wall());
        let tree = store.organisations(&scope, &ListAsk { limit: 200, ..ListAsk::default() }).await.unwrap();
        let organisation_id = tree.iter().find(|kept| kept.parent_id.is_none()).unwrap().organisation_id;
        let person_id = PersonId::fresh();
        let person = Person { person_id, organisation_id, name: "管理员".into(), sign_in_name: None };
        let seed = Seed { people: vec![(person, Some(role))], ..Seed::default() };
        store.plant(&scope, &seed, now).await.unwrap();
        person_id
    }

    /// A school, a teaching point below it, and a school beside it, at the top of the sample county.
    pub async fn school_with_a_point(&self) -> [OrganisationId; 3] {
        let (store, scope, now) = (&self.app.store, system_scope::sample(), self.clock.wall());
        let tree = store.organisations(&scope, &ListAsk { limit: 200, ..ListAsk::default() }).await.unwrap();
        let top = tree.iter().find(|kept| kept.parent_id.is_none()).unwrap().organisation_id;
        let ids = [OrganisationId::fresh(), OrganisationId::fresh(), OrganisationId::fresh()];
        let node = |n: usize, parent, kind, name: &str| Organisation {
            organisation_id: ids[n],
            parent_id: Some(parent),
            kind,
            name: name.into(),
            code: None,
        };
        let organisations = vec![
            node(0, top, OrganisationKind::School, "石梯小学"),
            node(1, ids[0], OrganisationKind::TeachingPoint, "石梯教学点"),
            node(2, top, OrganisationKind::School, "双龙小学"),
        ];
        store.plant(&scope, &Seed { organisations, ..Seed::default() }, now).await.unwrap();
        ids
    }

    /// The same, signed in.
    pub async fn at_the_top(&self, role: Role) -> String {
        let person_id = self.person_at_the_top(role).await;
        self.sign_in(&self.link(person_id).await).await
    }

    /// A one-time link for this person.
    pub async fn link(&self, person_id: PersonId) -> String {
        let holder = Holder::Person(person_id);
        sample::sign_in_link(&self.app.store, "http://school", holder, self.clock.wall()).await.unwrap()
    }

    /// A cookie with this role at the sample's county, by a link of the console.
    pub async fn as_a(&self, role: Role) -> String {
        let (person_id, _) = self.somebody("某人", role).await;
        let holder = Holder::Person(person_id.parse().unwrap());
        let link = sample::sign_in_link(&self.app.store, "http://school", holder, self.clock.wall());
        self.sign_in(&link.await.unwrap()).await
    }

    /// A new person of the sample's county with this role; answers the person and the county.
    pub async fn somebody(&self, name: &str, role: Role) -> (String, String) {
        let scope = system_scope::sample();
        let ask = ListAsk { limit: 1, text: Some("汉滨区教育体育局".into()), ..Default::default() };
        let county = self.app.store.organisations(&scope, &ask);
        let organisation_id = county.await.unwrap()[0].organisation_id;
        let person_id = PersonId::fresh();
        let person = Person { person_id, organisation_id, name: name.into(), sign_in_name: None };
        let seed = Seed { people: vec![(person, Some(role))], ..Seed::default() };
        self.app.store.plant(&scope, &seed, self.clock.wall()).await.unwrap();
        (person_id.to_string(), organisation_id.to_string())
    }

    /// The newest acts of the audit, the newest first.
    pub async fn acts(&self, limit: u32) -> Vec<String> {
        let (scope, all) = (system_scope::console(), AuditSearch::default());
        let lines = self.app.store.audit_lines(&scope, &all, None, limit).await.unwrap();
        lines.into_iter().map(|line| line.act).collect()
    }

    pub async fn offer(&self, path: &str, token: &str, sdp: &str) -> Answer {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/sdp")
            .body(Body::from(sdp.to_owned()));
        self.send(request.unwrap()).await
    }

    pub fn whip(&self) -> String {
        format!("/whip/{}", self.lesson_id())
    }

    pub fn whep(&self) -> String {
        format!("/whep/{}", self.lesson_id())
    }

    pub async fn method(&self, method: Method, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }
}
