//! What is kept can be trusted, and brought elsewhere.

use std::{net::Ipv4Addr, path::Path};

use crate::fixtures::program::{Program, done, refused};
use crate::fixtures::school::{CHROMIUM_SEND, School};
use crate::fixtures::stores::{fresh_postgres_url, on_both};
use axum::http::StatusCode;
use serde_json::{Value, json};
use signaling::{
    data_dir::database_file,
    store::{Database, Store, audit::chain::Touch},
};
use tempfile::TempDir;

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "somebody has the disk in their hands")]
async fn one_byte_that_is_changed_on_disk_is_found_and_its_row_named() {
    let school = School::open().await;
    school.teacher().await;
    let marked = school.get("/api/v1/lessons/mark-of-the-test", &school.officer().await).await;
    assert_eq!(marked.status, StatusCode::NOT_FOUND);
    let lines = school.app.store.verify_audit().await.unwrap().unwrap().rows;
    assert!(lines > 5);
    school.app.shut_down().await;
    let file = database_file(school.folder.path());
    // Everything goes from the log into the file.
    let store = Store::open(&Database::file(&file)).await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(15).position(|window| window == b"schedule_lesson").unwrap();
    bytes[at] = b'S';
    std::fs::write(&file, bytes).unwrap();
    let store = Store::open(&Database::file(&file)).await.unwrap();
    let touched = store.verify_audit().await.unwrap().unwrap_err();
    assert_eq!((touched.seq, touched.touched), (2, Touch::Changed), "the lesson is scheduled right after the county");
}

/// A hub with the sample county, and how the command line is told of it.
struct Running {
    program: Program,
    data: String,
    /// `None`: SQLite in the folder.
    database: Option<String>,
    _folder: TempDir,
}

impl Running {
    fn serve(folder: TempDir, database: Option<String>, more: &[&str]) -> Self {
        let data = folder.path().join("data").to_str().unwrap().to_owned();
        let url = database.iter().flat_map(|url| ["--database", url]);
        let more: Vec<&str> = url.chain(more.iter().copied()).collect();
        let program = Program::serve(Path::new(&data), Ipv4Addr::LOCALHOST.into(), &more);
        Self { program, data, database, _folder: folder }
    }

    /// These words of the command line, for this hub.
    fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        let hub = ["--data", self.data.as_str()].into_iter();
        words.iter().copied().chain(hub).chain(self.database.iter().flat_map(|url| ["--database", url])).collect()
    }

    async fn sample(&self) -> Value {
        let file = tokio::fs::read(Path::new(&self.data).join("sample.json")).await.unwrap();
        serde_json::from_slice(&file).unwrap()
    }
}

/// `None`: SQLite in the data folder, as a hub has it that was told nothing.
fn url_of(database: &Database) -> Option<String> {
    (!database.is_a_file()).then(fresh_postgres_url)
}

on_both! {
    async fn a_backup_that_is_taken_while_the_hub_writes_opens_the_lesson_elsewhere(database) {
        let hub = Running::serve(tempfile::tempdir().unwrap(), url_of(&database), &["--sample"]);
        let sample = hub.sample().await;
        let text = |field: &str| sample[field].as_str().unwrap().to_owned();
        let (lesson_id, token) = (text("lesson_id"), text("publish_token"));
        let lesson = format!("/api/v1/lessons/{lesson_id}");
        let teacher = hub.program.sign_in(sample["sign_in_links"]["teacher"].as_str().unwrap()).await;

        // Seats are taken, links used and refusals noted for as long as the backup takes.
        let backup = tempfile::tempdir().unwrap();
        let to = backup.path().join("backup").to_str().unwrap().to_owned();
        let words: Vec<String> = hub.words(&["backup", "--to", &to]).into_iter().map(str::to_owned).collect();
        let taking = tokio::task::spawn_blocking(move || done(&words.iter().map(String::as_str).collect::<Vec<_>>()));
        let mut written = 0;
        while !taking.is_finished() {
            assert_eq!(hub.program.post(&format!("{lesson}/seats"), &teacher, "{}").await.status, 201);
            assert_eq!(hub.program.get("/api/v1/people/not-mine", &teacher).await.status, 404);
            written += 1;
        }
        let said = taking.await.unwrap();
        assert!(said.contains("lines in") && written > 0, "{said} {written}");
        assert!(refused(&hub.words(&["backup", "--to", &to])).contains("is not empty"), "never over another");
        assert!(done(&hub.words(&["verify", "audit"])).contains("none touched"), "also while it runs");
        let there = hub.program.get(&lesson, &teacher).await.json();
        drop(hub);

        let elsewhere = tempfile::tempdir().unwrap();
        let data = elsewhere.path().join("data").to_str().unwrap().to_owned();
        let database = url_of(&database);
        let mut words = vec!["restore", "--from", &to, "--data", &data];
        words.extend(database.iter().flat_map(|url| ["--database", url]));
        assert!(done(&words).contains("lines restored"));
        assert!(refused(&words).contains("is not empty"), "never over another");
        let hub = Running::serve(elsewhere, database.clone(), &[]);
        assert!(done(&hub.words(&["verify", "audit"])).contains("none touched"));
        // The lesson is open there; who was signed in still is, and the tokens of before are good.
        let here = hub.program.get(&lesson, &teacher).await.json();
        assert_eq!((&here["state"], &here["title"]), (&json!("open"), &there["title"]));
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/sdp")];
        let offered = hub.program.ask("POST", &format!("/whip/{lesson_id}"), &headers, CHROMIUM_SEND).await;
        assert_eq!(offered.status, 201, "{}", offered.body);
        let started = hub.program.post(&format!("{lesson}/start"), &teacher, "{}").await.json();
        assert_eq!((&started["state"], &started["recording"]["state"]), (&json!("live"), &json!("recording")));
        let ended = hub.program.post(&format!("{lesson}/end"), &teacher, "{}").await.json();
        assert_eq!((&ended["state"], &ended["recording"]["state"]), (&json!("ended"), &json!("sealed")));
    }

    async fn who_forgot_everything_comes_in_again_by_a_link_of_the_console(database) {
        let hub = Running::serve(tempfile::tempdir().unwrap(), url_of(&database), &[]);
        let printed = hub.program.printed("/set-up#");
        let secret = printed.split_once('#').unwrap().1.split(' ').next().unwrap();
        let three = |name: &str| json!({"name": "某人", "sign_in_name": name});
        let ask = json!({
            "secret": secret,
            "organisation": {"kind": "county", "name": "汉滨区教育体育局", "code": "610902"},
            "system_administrator": three("sys.one"),
            "security_administrator": three("sec.one"),
            "audit_administrator": three("aud.one"),
        });
        let made = hub.program.post("/api/v1/set-up", "", &ask.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let name = "sec.one";
        let words = ["set-up-link", "--sign-in-name", name, "--base-url", "https://school.example"];
        let link = done(&hub.words(&words));
        assert!(link.starts_with("https://school.example/enter#"), "{link}");
        let newcomer = hub.program.sign_in(&link).await;
        assert_eq!(hub.program.get("/api/v1/me", &newcomer).await.json()["stage"], "set_up");
        let headers = [("Cookie", newcomer.as_str()), ("Content-Type", "application/json")];
        let set = hub.program.ask("PUT", "/api/v1/me/password", &headers, r#"{"new":"Shan-Lu-2026x"}"#).await;
        assert_eq!(set.status, 200, "{}", set.body);
        // The link is used up, and nobody gets one for a name that is not there.
        let (_, secret) = link.trim().split_once('#').unwrap();
        let again = hub.program.post("/api/v1/sign-in", "", &json!({ "link": secret }).to_string()).await;
        assert_eq!(again.status, 401, "{}", again.body);
        assert!(refused(&hub.words(&["set-up-link", "--sign-in-name", "nobody.here"])).contains("nobody signs in as"));
        assert!(done(&hub.words(&["verify", "audit"])).contains("none touched"));
    }
}

#[tokio::test]
async fn the_first_start_asks_for_three_people_and_knows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let clock = signaling::clock::Clock::standing_at(crate::fixtures::school::MORNING);
    let school = School::empty(folder, clock).await;
    assert_eq!(school.get("/api/v1/set-up", "").await.json(), json!({"needed": true}));
    let secret = school.app.first_start.begin(&school.app.store, &school.app.clock).await.unwrap().unwrap();
    let ask = |secret: &str, audit: &str| {
        let three = |name: &str| json!({"name": "某人", "sign_in_name": name});
        json!({
            "secret": secret,
            "organisation": {"kind": "county", "name": "汉滨区教育体育局", "code": "610902"},
            "system_administrator": three("sys.one"),
            "security_administrator": three("sec.one"),
            "audit_administrator": three(audit),
        })
        .to_string()
    };
    let refused = school.post("/api/v1/set-up", "", &ask("guess", "aud.one")).await;
    assert_eq!(refused.problem(), (401, "link-refused".into()));
    let one_for_two = school.post("/api/v1/set-up", "", &ask(&secret, "sys.one")).await;
    assert_eq!(one_for_two.problem(), (409, "already-there".into()));
    let made = school.post("/api/v1/set-up", "", &ask(&secret, "aud.one")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(school.get("/api/v1/set-up", "").await.json(), json!({"needed": false}));
    let again = school.post("/api/v1/set-up", "", &ask(&secret, "aud.two")).await;
    assert_eq!(again.problem(), (401, "link-refused".into()), "the secret is used up");
    // Each link lets its person set a password and nothing else.
    let link = made.json()["audit_administrator"].as_str().unwrap().to_owned();
    let newcomer = school.sign_in(&link).await;
    assert_eq!(school.get("/api/v1/me", &newcomer).await.json()["stage"], "set_up");
    assert_eq!(school.get("/api/v1/audit", &newcomer).await.problem(), (403, "set-up-needed".into()));
}
