//! What a large county's timetable costs: `cargo bench -p signaling --bench timetable`, a table of figures.
//!
//! 400 schools with two teaching points each and 60,000 lessons in a term, in an SQLite file.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::time::{Duration, Instant};

use jiff::civil::{Date, Weekday};
use signaling::{
    county::{County, Node},
    domain::{
        bell_schedule::PeriodName,
        calendar::{Term, monday_of},
        course::{Course, Listening, SchoolClass, WeeklyPeriod, Weeks},
        id::{ClassId, ClassroomId, CourseId, OrganisationId, PersonId},
        organisation::{OrganisationKind, Stage},
        permission::Scope,
        program::{Delivery, Mode, Program},
        time::UnixMs,
    },
    planner::{plan_courses, plan_term},
    store::{AuditRow, Database, GridOf, Store},
    system_scope,
};

const SCHOOLS: usize = 400;
const NOW: UnixMs = UnixMs(1_789_948_800_000);

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let store = Store::open(&Database::file(&folder.path().join("bench.sqlite"))).await.expect("a store");
    let (scope, county) = (system_scope::sample(), county());
    let (bureau, term) = (county.nodes[0].organisation_id, &county.terms[0]);
    store.plant_grounds(&scope, &county, NOW).await.expect("grounds");
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
        let plan = plan_term(&store, &scope, term, &path).await.expect("a plan");
        let kept = store.schedule(&scope, &plan.lessons, row()).await.expect("a term");
        one.add(started.elapsed());
        assert_eq!(kept, plan.lessons.len());
    }
    one.print("plan and keep one school's term", "seconds");
    let mut lessons = 0;
    for courses in courses.chunks(200) {
        let plan = plan_courses(&store, &scope, term, courses).await.expect("a plan");
        store.schedule(&scope, &plan.lessons, row()).await.expect("the rest");
        lessons += plan.lessons.len();
    }
    println!("{lessons} lessons in the term");

    let school = schools[7];
    let class = &school.classes[0];
    let county_of = GridOf::Path(format!("/{bureau}/"));
    let school_of = GridOf::Path(format!("/{bureau}/{}/", school.organisation_id));
    measure(&store, &scope, term, "week grid, whole county", &county_of, "50 ms").await;
    measure_counts(&store, &scope, term, &format!("/{bureau}/")).await;
    measure(&store, &scope, term, "week grid, one school", &school_of, "50 ms").await;
    measure(&store, &scope, term, "week grid, one class", &GridOf::Class(class.class_id), "50 ms").await;
    measure(&store, &scope, term, "week grid, one teacher", &GridOf::Teacher(school.teachers[0].0), "50 ms").await;
    let room = GridOf::Classroom(class.classroom_id.expect("a room"));
    measure(&store, &scope, term, "week grid, one classroom", &room, "50 ms").await;
}

async fn measure(store: &Store, scope: &Scope, term: &Term, what: &str, of: &GridOf, asked: &str) {
    let mut figures = Figures::default();
    let mut most = 0;
    for n in 0..LOOKS {
        let (monday, sunday) = week_of(term, n);
        let started = Instant::now();
        let lessons = store.week_grid(scope, monday, sunday, of).await.expect("a week");
        figures.add(started.elapsed());
        most = most.max(lessons.len());
    }
    figures.print(&format!("{what} (up to {most} lessons)"), asked);
}

async fn measure_counts(store: &Store, scope: &Scope, term: &Term, path: &str) {
    let mut figures = Figures::default();
    let mut most = 0;
    for n in 0..LOOKS {
        let (monday, sunday) = week_of(term, n);
        let started = Instant::now();
        let days = store.week_counts(scope, monday, sunday, path).await.expect("a week");
        figures.add(started.elapsed());
        most = most.max(days.len());
    }
    figures.print(&format!("week grid, whole county counted (up to {most} days)"), "50 ms");
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
        println!("{what:<55} p50 {:>8.1} ms  p95 {:>8.1} ms  max {:>8.1} ms  asked {asked}", at(50), at(95), at(100));
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
