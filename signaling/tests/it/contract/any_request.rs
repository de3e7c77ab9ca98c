//! Whatever the OpenAPI document allows, and what it does not, asked of a hub with the sample county by everybody.
//! schemathesis makes the requests up and judges the answers: none is a fault of ours, each is as it is described.
//!
//! `make` says where the program is. Without `SCHEMATHESIS` it is looked for where `.ci/setup test` puts it.
//! `DEEP=1`: every role, and more of each.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
    process::Command,
};

use crate::fixtures::school::School;
use school::organisation::Role;
use signaling::{cli::document, clock::Clock, sample};

/// What would end the session that asks: the rest would be 401. `sign_in.rs` and `abuse` ask these.
const LEFT_OUT: [&str; 2] = ["sign_out", "end_own_session"];

#[derive(Clone, Copy, Debug)]
enum Asking {
    As(Role),
    Classroom,
    Nobody,
}

/// The program. `None`: nobody has installed it here.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("SCHEMATHESIS") {
        return Some(named.into());
    }
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/schemathesis");
    usual.is_file().then_some(usual)
}

/// Ids of things that are there, by the name of the parameter: with none but made-up ones nearly all answers were 404.
async fn ids(school: &School, cookie: &str) -> BTreeMap<&'static str, Vec<String>> {
    let mut ids = BTreeMap::new();
    let list = async |path: &str, id: &str| -> Vec<String> {
        let answer = school.get(&format!("/api/v1/{path}"), cookie).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let items = answer.json()["items"].as_array().unwrap().clone();
        items.iter().take(4).map(|item| item[id].as_str().unwrap().to_owned()).collect()
    };
    for (name, path) in [
        ("organisation_id", "organisations"),
        ("classroom_id", "classrooms"),
        ("class_id", "classes"),
        ("person_id", "people"),
        ("school_year_id", "school-years"),
        ("term_id", "terms"),
        ("bell_schedule_id", "bell-schedules"),
        ("lesson_id", "lessons"),
    ] {
        ids.insert(name, list(path, name).await);
    }
    for (name, path) in
        [("course_id", "courses"), ("pairing_id", "pairings"), ("listening_right_id", "listening-rights")]
    {
        let term = &ids["term_id"][0];
        ids.insert(name, list(&format!("{path}?term_id={term}"), name).await);
    }
    ids.retain(|_, found| !found.is_empty());
    assert!(ids.len() >= 9, "{ids:?}");
    ids
}

/// The rules of `schemathesis.toml`, with who asks and what is there.
fn config(cookie: &str, ids: &BTreeMap<&str, Vec<String>>) -> String {
    let mut config = include_str!("../../../../load-tests/foreign/schemathesis.toml").to_owned();
    if let Some((_, secret)) = cookie.split_once('=') {
        write!(config, "\n[auth.openapi.session]\napi_key = {secret:?}\n").unwrap();
    }
    for (name, found) in ids {
        write!(config, "\n[dictionaries.{name}]\nvalues = {found:?}\n").unwrap();
    }
    config.push_str("\n[parameters]\n");
    for name in ids.keys() {
        for place in ["path", "query", "body"] {
            writeln!(config, "\"{place}.{name}\" = {{ dictionary = \"{name}\", probability = 0.6 }}").unwrap();
        }
    }
    config
}

// In the short form one asks who may change places and people, and one who may change the timetable: two tests, so that
// both cores have one.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_a_system_administrator_finds_a_fault_or_an_answer_that_is_not_described() {
    judge(&[Asking::As(Role::SystemAdministrator)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_a_scheduler_finds_a_fault_or_an_answer_that_is_not_described() {
    judge(&[Asking::As(Role::Scheduler)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_deep_no_request_of_anybody_else_does() {
    if std::env::var_os("DEEP").is_some() {
        let few = [Role::SystemAdministrator, Role::Scheduler];
        let others = Role::ALL.iter().copied().filter(|role| !few.contains(role)).map(Asking::As);
        judge(&others.chain([Asking::Classroom, Asking::Nobody]).collect::<Vec<_>>()).await;
    } else {
        println!("NOT RUN: the other roles are asked with DEEP=1");
    }
}

#[expect(clippy::disallowed_methods, reason = "it is given the document and its rules as files")]
async fn judge(who: &[Asking]) {
    let Some(program) = program() else {
        return println!("NOT RUN: schemathesis is not installed here; `make test` installs it");
    };
    let deep = std::env::var_os("DEEP").is_some();
    let school = School::in_folder(tempfile::tempdir().unwrap(), Clock::system()).await;
    sample::timetable(&school.app).await.unwrap();
    let (door, _open) = school.door().await;
    let ids = ids(&school, &school.as_a(Role::Scheduler).await).await;
    let folder = tempfile::tempdir().unwrap();
    let description = folder.path().join("openapi.json");
    // Without TLS the cookie has another name.
    let text = document::document().to_json().unwrap().replace("__Host-tongke", "tongke");
    std::fs::write(&description, text).unwrap();
    let mut cases = 0;
    for &asking in who {
        let cookie = match asking {
            Asking::As(role) => school.as_a(role).await,
            Asking::Classroom => school.classroom(0).await,
            Asking::Nobody => String::new(),
        };
        let rules = folder.path().join("schemathesis.toml");
        std::fs::write(&rules, config(&cookie, &ids)).unwrap();
        let mut command = Command::new(&program);
        command.arg("--config-file").arg(&rules).arg("run").arg(&description);
        command.args(["--url", &format!("http://{door}/api/v1"), "--workers", "1", "--no-color"]);
        command.args(["--continue-on-failure", "--output-sanitize", "false", "--phases", "coverage,fuzzing"]);
        command.args(["--max-examples", if deep { "40" } else { "2" }, "--warnings", "off"]);
        if !deep {
            command.args(["--seed", "4"]);
        }
        for operation in LEFT_OUT {
            command.args(["--exclude-operation-id", operation]);
        }
        command.current_dir(folder.path());
        let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        let ended = ended.expect("schemathesis can be started");
        let told = String::from_utf8_lossy(&ended.stdout);
        let figures = told.split("Test cases:").nth(1).and_then(|text| text.lines().nth(1)).unwrap_or_default().trim();
        println!("{asking:?}: {figures}");
        assert!(ended.status.success(), "{asking:?}:\n{told}\n{}", String::from_utf8_lossy(&ended.stderr));
        cases += figures.split(' ').next().and_then(|count| count.parse::<u32>().ok()).unwrap_or_default();
    }
    println!("{cases} requests made up by schemathesis, none of them found a fault");
    assert!(cases > 2_000, "{cases}");
    assert_eq!(school.get("/readyz", "").await.status, 200);
}
