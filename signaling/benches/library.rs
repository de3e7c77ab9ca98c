//! What a large library costs: `cargo bench --workspace --bench library`, a table of figures for both stores.
//!
//! 100,000 recordings of one county (`RECORDINGS` says another number), each heard by one point, with two knowledge points.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock and its environment")]

#[path = "../tests/it/fixtures/stores.rs"]
#[allow(unused_macros, unused_imports, reason = "what makes two tests of one is for tests")]
mod stores;
#[path = "../tests/it/fixtures/taught.rs"]
#[allow(dead_code, reason = "the benchmark uses a part of the fixture")]
mod taught;

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use school::{
    account::{
        permission::{Asker, Permission, Place, Readers, may},
        system_scope,
    },
    base::{
        id::{OrganisationId, PersonId},
        time::UnixMs,
    },
    fixtures::county::County,
    organisation::{Grant, Holder, Role},
};
use serde_json::{Value, json};
use signaling::store::{
    Database, Store,
    library::{LibraryFilter, LibraryScope, edit::EntryEdit},
};
use taught::{Lesson, MORNING, Taught};
use uuid::Uuid;

const LOOKS: usize = 20;
const PAGE: u32 = 51;

/// Of what lessons are about: each word is in a seventh of the titles.
const WORDS: [&str; 7] = ["分数的意义", "茉莉花", "圆的面积", "Unit 3 My Family", "静夜思", "水的三态", "校园安全"];

#[tokio::main]
async fn main() {
    let recordings: usize = std::env::var("RECORDINGS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let small = Taught::open(Database::file(&folder.path().join("small.sqlite"))).await;
    let (_, first) = small.lesson(Lesson::default()).await;
    let edit = EntryEdit { points: Some(vec!["分数".into(), "加法".into()]), ..EntryEdit::default() };
    let row = signaling::store::AuditRow::by_system(MORNING, "edit_recording", "recording".into());
    small.app.store.edit_entry(&system_scope::sample(), (first, 1), &edit, row).await.expect("an edit");
    let mut copy = Vec::new();
    small.app.store.copy_out(&mut copy).await.expect("a copy");
    let grown = grown(&String::from_utf8(copy).expect("text"), &small.county, recordings);
    let databases = [
        ("SQLite", Database::file(&folder.path().join("large.sqlite"))),
        ("PostgreSQL", stores::fresh_postgres_url().parse().expect("a URL")),
    ];
    for (name, database) in databases {
        let store = Store::open(&database).await.expect("a store");
        let started = Instant::now();
        store.copy_in(grown.as_bytes()).await.expect("a copy");
        println!("{name}: {recordings} recordings read in {:.0} s", started.elapsed().as_secs_f64());
        measure(&store, &small.county).await;
    }
}

async fn measure(store: &Store, county: &County) {
    let (bureau, town) = (county.bureau().organisation_id, county.schools()[0].organisation_id);
    let path = |ids: &[OrganisationId]| ids.iter().fold("/".to_owned(), |path, id| format!("{path}{id}/"));
    let who = [
        ("county's reviewer", scope_of(Role::Reviewer, PersonId::fresh(), path(&[bureau]))),
        ("school's patrol", scope_of(Role::Patrol, PersonId::fresh(), path(&[bureau, town]))),
        (
            "point's patrol",
            scope_of(Role::Patrol, PersonId::fresh(), path(&[bureau, town, county.points()[0].organisation_id])),
        ),
        ("teacher", scope_of(Role::LeadTeacher, county.schools()[0].teachers[0].0, path(&[bureau, town]))),
    ];
    let text = |text: &str| LibraryFilter { text: Some(text.into()), ..LibraryFilter::default() };
    let asks = [
        ("everything", LibraryFilter::default()),
        ("two words", text("分数 三年级")),
        ("a word that is nowhere", text("量子力学")),
        (
            "subject and point",
            LibraryFilter { subject: Some("英语".into()), point: Some("分数".into()), ..LibraryFilter::default() },
        ),
    ];
    println!(
        "  {:<20} {:<24} {:>22} {:>22} {:>8}",
        "who", "looks for", "page: median / worst", "counts: median / worst", "found"
    );
    for (who, scope) in &who {
        for (what, ask) in &asks {
            let (mut pages, mut counts, mut found) = (Vec::new(), Vec::new(), 0);
            for _ in 0..LOOKS {
                let started = Instant::now();
                store.library(scope, ask, None, PAGE).await.expect("a page");
                pages.push(started.elapsed());
                let started = Instant::now();
                (found, _) = store.library_facets(scope, ask).await.expect("counts");
                counts.push(started.elapsed());
            }
            println!("  {who:<20} {what:<24} {:>22} {:>22} {found:>8}", figure(pages), figure(counts));
        }
    }
}

fn scope_of(role: Role, person_id: PersonId, path: String) -> LibraryScope {
    let grant = Grant { role, organisation_id: OrganisationId::fresh(), path, from: UnixMs(0), until: None };
    let asker = Asker { holder: Holder::Person(person_id), grants: vec![grant] };
    let scope = |act| may(&asker, act, Place::Wherever, MORNING);
    LibraryScope {
        below: scope(Permission::SeeLibrary).expect("they see the library"),
        readers: Readers::of(&asker, MORNING),
        keeps: scope(Permission::EditLibrary).ok(),
    }
}

fn figure(mut times: Vec<Duration>) -> String {
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    format!("{:.1} / {:.1} ms", ms(times[times.len() / 2]), ms(times[times.len() - 1]))
}

/// The copy with so many recordings instead of one: every row that says something of the one, again with other ids.
fn grown(copy: &str, county: &County, recordings: usize) -> String {
    let lines: Vec<Value> = copy.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut columns: Vec<String> = Vec::new();
    let mut table = String::new();
    let mut out: Vec<String> = Vec::new();
    for line in &lines {
        if let Some(begun) = line.get("table") {
            table = begun["name"].as_str().expect("a name").to_owned();
            columns = serde_json::from_value(begun["columns"].clone()).expect("names");
            out.push(line.to_string());
        } else if let Some(row) = line.get("row").and_then(Value::as_array) {
            if MULTIPLIED.contains(&table.as_str()) {
                out.extend((0..recordings).map(|n| json!({ "row": again(&columns, row, county, n) }).to_string()));
            } else if !LEFT_OUT.contains(&table.as_str()) {
                out.push(line.to_string());
            }
        } else if line.get("end").is_none() {
            out.push(line.to_string());
        }
    }
    let text = out.join("\n") + "\n";
    let hash = digest(&SHA256, text.as_bytes());
    let hex = hash.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    text + &json!({ "end": { "lines": out.len(), "sha256": hex } }).to_string() + "\n"
}

const MULTIPLIED: [&str; 5] = ["lesson", "lesson_classroom", "recording", "library_entry", "recording_point"];

/// What else the one lesson left.
const LEFT_OUT: [&str; 2] = ["lesson_transition", "booking"];

/// The same row for another recording. Ids are made of its number, so that all tables agree.
fn again(columns: &[String], row: &[Value], county: &County, n: usize) -> Vec<Value> {
    let id = |kind: u64| json!(Uuid::from_u64_pair(kind, n as u64).to_string());
    let school = &county.schools()[n % county.schools().len()];
    let (teacher, _) = &school.teachers[n / 7 % school.teachers.len()];
    let point = &county.points()[n % county.points().len()];
    let (word, subject) = (WORDS[n % WORDS.len()], ["英语", "数学", "音乐", "语文"][n / 3 % 4]);
    let grade = ["三年级", "四年级", "五年级"][n / 11 % 3];
    let at = MORNING.0 - (n as i64) * 600_000;
    let value = |(column, value): (&String, &Value)| match column.as_str() {
        "lesson_id" => id(1),
        "recording_id" => id(2),
        "organisation_id" => json!(school.organisation_id),
        "teacher_id" => json!(teacher),
        "classroom_id" if !value.is_null() => json!(point.classes[0].classroom_id),
        "class_id" if !value.is_null() => json!(point.classes[0].class_id),
        "subject" => json!(subject),
        "grade" => json!(grade),
        "title" => json!(format!("{word} 第{n}课")),
        "searched" => json!(format!("{} 第{n}课 {subject} {grade} 教师{n} 分数 加法", word.to_lowercase())),
        "started_at_ms" | "live_at_ms" | "starts_at_ms" => json!(at),
        "ends_at_ms" | "ended_at_ms" | "sealed_at_ms" | "closes_at_ms" => json!(at + 2_400_000),
        _ => value.clone(),
    };
    columns.iter().zip(row).map(value).collect()
}
