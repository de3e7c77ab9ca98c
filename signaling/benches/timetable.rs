//! What a large county's timetable costs: `cargo bench --workspace --bench timetable`, a table of figures.
//!
//! 400 schools with two teaching points each and 60,000 lessons in a term, in an SQLite file.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::{
    net::Ipv4Addr,
    path::Path,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Request, header},
};
use jiff::civil::{Date, Weekday};
use school::{
    account::{permission::Scope, system_scope},
    base::{
        id::{ClassId, ClassroomId, CourseId, OrganisationId, PersonId},
        time::UnixMs,
    },
    fixtures::county::{County, Node},
    organisation::{Holder, OrganisationKind, Person, Role, Stage},
    timetable::{
        bell_schedule::PeriodName,
        calendar::{Term, monday_of},
        course::{Course, Listening, SchoolClass, WeeklyPeriod, Weeks},
        program::{Delivery, Mode, Program},
    },
};
use sfu::HubConfig;
use signaling::{
    app::App,
    clock::Clock,
    router, sample,
    scheduling::planner::{plan_courses, plan_term},
    store::{AuditRow, Database, GridOf, Seed, Store},
};
use tower::ServiceExt;

const SCHOOLS: usize = 400;
const NOW: UnixMs = UnixMs(1_789_948_800_000);

/// The term is planned before its first day.
const NOT_BEGUN: UnixMs = UnixMs(0);

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let database = Database::file(&folder.path().join("bench.sqlite"));
    let store = Store::open(&database).await.expect("a store");
    let (scope, county) = (system_scope::sample(), county());
    let (bureau, term) = (county.nodes[0].organisation_id, &county.terms[0]);
    store.seed_grounds(&scope, &county, NOW).await.expect("grounds");
    let schools: Vec<&Node> = county.nodes.iter().filter(|node| node.kind == OrganisationKind::School).collect();
    let mut courses = Vec::new();
    for school in &schools {
        let points: Vec<&Node> =
            county.nodes.iter().filter(|node| node.parent_id == Some(school.organisation_id)).collect();
        courses.extend(courses_of(term, school, &points));
    }
    for course in &courses {
        store.insert_course(&scope, course, row()).await.expect("a course");
    }
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!("{profile} profile, SQLite, {LOOKS} looks at each grid");
    println!("{} schools, {} courses", schools.len(), courses.len());

    // One school's term, as a school plans it: read, work out, look for clashes, keep.
    let mut one = Figures::default();
    for school in &schools[..20] {
        let path = format!("/{bureau}/{}/", school.organisation_id);
        let started = Instant::now();
        let plan = plan_term(&store, &scope, term, &path, NOT_BEGUN).await.expect("a plan");
        let kept = store.schedule(&scope, &plan.lessons, row()).await.expect("a term");
        one.add(started.elapsed());
        assert_eq!(kept, plan.lessons.len());
    }
    one.print("plan and keep one school's term", "seconds");
    let mut lessons = 0;
    for courses in courses.chunks(200) {
        let plan = plan_courses(&store, &scope, term, courses, NOT_BEGUN).await.expect("a plan");
        store.schedule(&scope, &plan.lessons, row()).await.expect("the rest");
        lessons += plan.lessons.len();
    }
    println!("{lessons} lessons in the term");

    let school = schools[7];
    let class = &school.classes[0];
    let county_of = GridOf::Path(format!("/{bureau}/"));
    measure(&store, &scope, term, "store: week grid, whole county", &county_of).await;

    // As pages are answered: signed in, permitted, read, written as JSON.
    let hub = Hub::open(folder.path(), &database, bureau).await;
    let grid = format!("/week-grid?term={}&by", term.term_id);
    let weeks: Vec<String> = (0..LOOKS).map(|n| format!("&week={}", n % i64::from(term.weeks()) + 1)).collect();
    let wednesday = |n| week_of(term, n).0.checked_add(jiff::Span::new().days(2)).expect("a Wednesday");
    let days: Vec<String> = (0..LOOKS).map(|n| format!("&date={}", wednesday(n))).collect();
    let schools_of = format!("/week-grid/schools?term={}&organisation_id={bureau}", term.term_id);
    let room = class.classroom_id.expect("a room");
    for (what, path, parts) in [
        ("county, counted by school and day", schools_of, &weeks),
        ("county, every lesson of the week", format!("{grid}=organisation&id={bureau}"), &weeks),
        ("county, every lesson of a day", format!("{grid}=organisation&id={bureau}"), &days),
        ("school", format!("{grid}=organisation&id={}", school.organisation_id), &weeks),
        ("class", format!("{grid}=class&id={}", class.class_id), &weeks),
        ("teacher", format!("{grid}=teacher&id={}", school.teachers[0].0), &weeks),
        ("classroom", format!("{grid}=classroom&id={room}"), &weeks),
    ] {
        hub.measure(what, &path, parts).await;
    }
    hub.move_a_day(bureau).await;
}

/// The front door in memory, and a scheduler of the bureau who is signed in.
struct Hub {
    router: Router,
    cookie: String,
}

impl Hub {
    async fn open(folder: &Path, database: &Database, bureau: OrganisationId) -> Self {
        let hub = HubConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            announce: vec![Ipv4Addr::LOCALHOST.into()],
            tcp: false,
            workers: 1,
            max_seats: None,
        };
        let app = App::open(folder, database, hub, Clock::standing_at(NOW), None).await.expect("a hub");
        let person_id = PersonId::fresh();
        let person = Person { person_id, organisation_id: bureau, name: "赵排课".into(), sign_in_name: None };
        let seed = Seed { people: vec![(person, Some(Role::Scheduler))], ..Seed::default() };
        app.store.seed(&system_scope::sample(), &seed, NOW).await.expect("a scheduler");
        let holder = Holder::Person(person_id);
        let link = sample::sign_in_link(&app.store, "http://bench", holder, NOW).await.expect("a link");
        let (_, secret) = link.split_once('#').expect("a secret");
        let mut hub = Self { router: router::router(app), cookie: String::new() };
        let (headers, _) = hub.ask("POST", "/sign-in", &format!(r#"{{"link":"{secret}"}}"#)).await;
        let cookie = headers[header::SET_COOKIE].to_str().expect("a cookie");
        hub.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        hub
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (HeaderMap, Bytes) {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        let request = request.header(header::COOKIE, &self.cookie).header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 26).await.expect("its body");
        assert_eq!(parts.status, 200, "{path} {}", String::from_utf8_lossy(&bytes));
        (parts.headers, bytes)
    }

    async fn measure(&self, what: &str, path: &str, parts: &[String]) {
        let mut figures = Figures::default();
        let mut most = 0;
        for part in parts {
            let started = Instant::now();
            let (_, body) = self.ask("GET", &format!("{path}{part}"), "").await;
            figures.add(started.elapsed());
            most = most.max(body.len());
        }
        figures.print(&format!("GET week grid, {what} (up to {} kB)", most / 1000), "p95 50 ms");
    }

    /// Snow on a Tuesday: every lesson of the county to the Saturday, looked at and done.
    async fn move_a_day(&self, bureau: OrganisationId) {
        for (what, dry_run) in [("look at moving a day of the county", true), ("move it", false)] {
            let act = format!(
                r#"{{"act":{{"kind":"move_day","organisation_id":"{bureau}","from":"2026-11-10","to":"2026-11-14"}},
                    "dry_run":{dry_run}}}"#
            );
            let started = Instant::now();
            let (_, body) = self.ask("POST", "/dispatch/acts", &act).await;
            let mut figures = Figures::default();
            figures.add(started.elapsed());
            let moved = String::from_utf8_lossy(&body).matches("\",\"").count() + 1;
            figures.print(&format!("{what} ({moved} lessons)"), "seconds");
        }
    }
}

async fn measure(store: &Store, scope: &Scope, term: &Term, what: &str, of: &GridOf) {
    let mut figures = Figures::default();
    let mut most = 0;
    for n in 0..LOOKS {
        let (monday, sunday) = week_of(term, n);
        let started = Instant::now();
        let lessons = store.week_grid(scope, monday, sunday, of).await.expect("a week");
        figures.add(started.elapsed());
        most = most.max(lessons.len());
    }
    figures.print(&format!("{what} (up to {most} lessons)"), "part of it");
}

/// Each grid is looked at so many times, week after week of the term.
const LOOKS: i64 = 200;

fn week_of(term: &Term, n: i64) -> (Date, Date) {
    let week = jiff::Span::new().weeks(n % i64::from(term.weeks()));
    let monday = monday_of(term.first_day).checked_add(week).expect("a Monday");
    (monday, monday.checked_add(jiff::Span::new().days(6)).expect("a Sunday"))
}

#[derive(Default)]
struct Figures {
    all: Vec<Duration>,
}

impl Figures {
    fn add(&mut self, one: Duration) {
        self.all.push(one);
    }

    fn print(&mut self, what: &str, asked: &str) {
        self.all.sort();
        let at = |share: usize| self.all[(self.all.len() * share / 100).min(self.all.len() - 1)].as_secs_f64() * 1000.0;
        println!("{what:<66} p50 {:>8.1} ms  p95 {:>8.1} ms  max {:>8.1} ms  asked {asked}", at(50), at(95), at(100));
    }
}

fn row() -> AuditRow {
    AuditRow::by_system(NOW, "bench", "timetable".into())
}

/// The sample county's calendar and bells over many more schools.
fn county() -> County {
    let small = County::fresh();
    let bureau = small.nodes[0].clone();
    let mut nodes = vec![bureau.clone()];
    let mut points = Vec::new();
    for n in 0..SCHOOLS {
        let school = node(Some(bureau.organisation_id), OrganisationKind::School, format!("第{n}小学"), 4);
        for point in ["东", "西"] {
            let name = format!("第{n}小学{point}教学点");
            points.push(node(Some(school.organisation_id), OrganisationKind::TeachingPoint, name, 1));
        }
        nodes.push(school);
    }
    nodes.extend(points);
    let bells = small.bells.into_iter().filter(|bells| bells.organisation_id == bureau.organisation_id).collect();
    County { nodes, bells, ..small }
}

fn node(parent_id: Option<OrganisationId>, kind: OrganisationKind, name: String, classes: usize) -> Node {
    let organisation_id = OrganisationId::fresh();
    let class = |n: usize| SchoolClass {
        class_id: ClassId::fresh(),
        organisation_id,
        name: format!("三年级{}班", n + 1),
        stage: Stage::Primary,
        grade: "三年级".into(),
        classroom_id: Some(ClassroomId::fresh()),
    };
    let classes: Vec<_> = (0..classes).map(class).collect();
    let teachers = (0..classes.len()).map(|n| (PersonId::fresh(), format!("教师{n}"))).collect();
    Node { organisation_id, parent_id, kind, name, stage: Stage::Primary, classes, teachers }
}

/// Four courses of two periods a week, two for each point.
fn courses_of(term: &Term, school: &Node, points: &[&Node]) -> Vec<Course> {
    let days = [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday];
    let course = |n: usize| {
        let (class, point) = (&school.classes[n], points[n / 2]);
        let listens = &point.classes[0];
        let period =
            |number, day| WeeklyPeriod { weekday: days[day], period: PeriodName::lesson(number), weeks: Weeks::Every };
        Course {
            course_id: CourseId::fresh(),
            term_id: term.term_id,
            organisation_id: school.organisation_id,
            title: "英语 三年级".into(),
            subject: "英语".into(),
            stage: Stage::Primary,
            grade: "三年级".into(),
            teacher_id: school.teachers[n].0,
            classroom_id: class.classroom_id,
            class_id: Some(class.class_id),
            program: Program::DeliveryClass,
            mode: Mode::Live,
            delivery: Delivery::Synchronous,
            weekly: vec![period(2, n), period(5, (n + 1) % 4)],
            listening: vec![Listening {
                classroom_id: listens.classroom_id.expect("a room"),
                class_id: Some(listens.class_id),
                organisation_id: point.organisation_id,
                interactive: true,
            }],
        }
    };
    (0..4).map(course).collect()
}
