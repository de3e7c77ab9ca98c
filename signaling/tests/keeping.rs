//! What is kept can be trusted, and brought elsewhere.

mod school;

use axum::http::StatusCode;
use school::School;
use serde_json::json;
use signaling::{
    app::{App, database_file},
    backup,
    http::set_up::FirstStart,
    store::{Database, Store, audit_chain::Touch},
};

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

#[tokio::test]
async fn a_backup_that_is_taken_while_the_hub_writes_opens_the_lesson_elsewhere() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    let (to, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = elsewhere.path().join("data");
    let writing = async {
        for _ in 0..50 {
            school.post(&school.lesson("/seats"), &teacher, "{}").await;
        }
    };
    let (lines, ()) = tokio::join!(backup::back_up(&school.app.store, school.folder.path(), to.path()), writing);
    assert!(lines.unwrap() > 10);
    assert!(backup::back_up(&school.app.store, school.folder.path(), to.path()).await.is_err(), "never over another");
    backup::restore(to.path(), &data, None).await.unwrap();
    assert!(backup::restore(to.path(), &data, None).await.is_err(), "never over another");

    let hub = sfu::HubConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        announce: vec![[127, 0, 0, 1].into()],
        tcp: true,
        workers: 1,
        max_seats: None,
    };
    let database = Database::file(&database_file(&data));
    let app = App::open(&data, &database, hub, school.clock.clone(), None).await.unwrap();
    // The lesson is open there, and the tokens of before are good.
    assert!(app.registry.room(school.lesson_id()).is_some());
    let claims = app.tokens.check(&school.sample.publish_token, school.clock.wall()).unwrap();
    assert_eq!(claims.lesson_id, school.lesson_id());
    app.store.verify_audit().await.unwrap().unwrap();
}

#[tokio::test]
async fn the_first_start_asks_for_three_people_and_knows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let clock = signaling::clock::Clock::standing_at(school::MORNING);
    let school = School::empty(folder, clock).await;
    assert_eq!(school.get("/api/v1/set-up", "").await.json(), json!({"needed": true}));
    let secret = FirstStart::begin(&school.app).await.unwrap().unwrap();
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
