//! The door itself: other sites, made-up addresses, names that are code, creates sent twice.

use axum::{
    body::Body,
    http::{Request, header},
};
use school::organisation::Role;
use serde_json::{Value, json};
use signaling::{cli::document, telemetry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::ServiceExt;

use crate::fixtures::school::School;

#[tokio::test]
async fn no_route_that_changes_something_listens_to_another_site() {
    let school = School::open().await;
    let cookie = school.as_a(Role::SystemAdministrator).await;
    let document: Value = serde_json::to_value(document::document()).unwrap();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|method| *method != "get") {
            let id = school::base::id::PersonId::fresh().to_string();
            let uri = path.split('/').map(|part| if part.starts_with('{') { id.as_str() } else { part });
            let uri = format!("/api/v1{}", uri.collect::<Vec<_>>().join("/"));
            for (origin, kind) in
                [("https://evil.example", "application/json"), ("null", "text/plain"), ("", "text/plain")]
            {
                let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(&uri);
                request = request.header(header::COOKIE, &cookie).header(header::CONTENT_TYPE, kind);
                request = request.header(header::IF_MATCH, "\"v1\"").header(header::HOST, "school");
                if !origin.is_empty() {
                    request = request.header(header::ORIGIN, origin);
                }
                let answer = school.send(request.body(Body::from("{}")).unwrap()).await;
                assert_eq!(answer.problem(), (403, "cross-site".into()), "{method} {path} {origin} {kind}");
                asked += 1;
            }
        }
    }
    assert!(asked > 60, "{asked}");
}

#[tokio::test]
async fn a_made_up_forwarding_header_gives_a_guesser_no_new_address() {
    let school = School::open().await;
    for n in 0..11 {
        let request = Request::post("/api/v1/sign-in")
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-forwarded-for", format!("10.0.0.{n}"))
            .header("forwarded", format!("for=10.1.0.{n}"))
            .header(header::HOST, format!("host-{n}"))
            .body(Body::from(r#"{"link":"guess"}"#));
        let answer = school.send(request.unwrap()).await;
        assert_eq!(answer.status, if n < 10 { 401 } else { 429 }, "{n}");
    }
}

#[tokio::test]
async fn the_audit_names_whom_a_trusted_proxy_speaks_for_and_nobody_whom_another_does() {
    let school = School::open().await;
    let here = std::net::IpAddr::from([127, 0, 0, 1]);
    let auditor = school.as_a(Role::AuditAdministrator).await;
    for (proxies, address) in [(&[][..], "127.0.0.1"), (&[here][..], "203.0.113.7")] {
        let (door, _open) = school.door_at(here, proxies).await;
        let guess = r#"{"link":"guess"}"#;
        let said = format!(
            "POST /api/v1/sign-in HTTP/1.1\r\nHost: school\r\nContent-Type: application/json\r\nConnection: close\r\n\
             X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\nContent-Length: {}\r\n\r\n{guess}",
            guess.len()
        );
        let mut proxy = TcpStream::connect(door).await.unwrap();
        proxy.write_all(said.as_bytes()).await.unwrap();
        let mut answer = String::new();
        proxy.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        let lines = school.get("/api/v1/audit?act=sign_in&outcome=refused&limit=1", &auditor).await.json();
        assert_eq!(lines["items"][0]["address"], address, "{lines}");
    }
}

#[tokio::test]
async fn names_that_are_code_are_kept_as_they_are_and_run_nowhere() {
    let school = School::open().await;
    let system = school.as_a(Role::SystemAdministrator).await;
    let (_, county) = school.somebody("旁人", Role::Operator).await;
    let names =
        ["<img src=x onerror=alert(1)>", "\"><svg/onload=alert(1)>", "=cmd|'/c calc'!A1", "'; drop table person;--"];
    for name in names {
        let body = json!({"organisation_id": county, "name": name}).to_string();
        let answer = school.post("/api/v1/people", &system, &body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["name"]), (201, &name.into()));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    for name in ["a\u{202e}b", "a\u{1b}[2Jb", "a\r\nb", "a\0b", &"😀".repeat(10_000)] {
        let body = json!({"organisation_id": county, "name": name}).to_string();
        assert_eq!(school.post("/api/v1/people", &system, &body).await.problem(), (422, "invalid".into()));
    }
    for text in ["%25", "_", "%27%20or%201=1--", "%5C"] {
        let answer = school.get(&format!("/api/v1/people?text={text}"), &system).await;
        assert_eq!(answer.status, 200, "{text}: {}", answer.text);
        assert!(answer.json()["items"].as_array().unwrap().len() <= 1, "{text} means itself: {}", answer.text);
    }
    let auditor = school.as_a(Role::AuditAdministrator).await;
    let export = school.get("/api/v1/exports/audit", &auditor).await;
    assert!(export.header("content-disposition").starts_with("attachment"));
    assert!(export.text.lines().all(|line| !line.starts_with(['=', '+', '-', '@'])));
}

#[tokio::test]
async fn a_create_that_is_sent_twice_is_done_once() {
    let school = School::open().await;
    let system = school.as_a(Role::SystemAdministrator).await;
    let (_, county) = school.somebody("旁人", Role::Operator).await;
    let send = async |key: &str, name: &str| {
        let body = json!({"organisation_id": county, "name": name}).to_string();
        let request = Request::post("/api/v1/people")
            .header(header::COOKIE, &system)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body));
        school.send(request.unwrap()).await
    };
    let (first, second) = tokio::join!(send("k1", "赵老师"), send("k1", "赵老师"));
    assert_eq!((first.status.as_u16(), &first.text), (201, &second.text));
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(send("k1", "钱老师").await.problem(), (422, "key-reused".into()));
    assert_ne!(send("k2", "赵老师").await.text, first.text);
}

#[tokio::test]
async fn two_edits_of_one_version_are_one_edit_and_a_refusal() {
    let school = School::open().await;
    let system = school.as_a(Role::SystemAdministrator).await;
    let (person, _) = school.somebody("旁人", Role::LeadTeacher).await;
    let path = format!("/api/v1/people/{person}");
    let edit = async |tag: &str, name: &str| {
        school.method_with("PATCH", &path, &system, tag, &json!({"name": name}).to_string()).await
    };
    let tag = school.get(&path, &system).await.header("etag").to_owned();
    let (one, other) = tokio::join!(edit(&tag, "甲"), edit(&tag, "乙"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let without = Request::patch(&path)
        .header(header::COOKIE, &system)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("{}"));
    assert_eq!(school.send(without.unwrap()).await.problem(), (428, "version-needed".into()));
}

#[tokio::test]
async fn figures_and_other_insides_are_not_behind_the_public_door() {
    let school = School::open().await;
    for path in ["/metrics", "/debug", "/debug/pprof", "/api/v1/metrics", "/internal", "/actuator", "/.env"] {
        let answer = school.get(path, "").await;
        assert!(!answer.text.contains("tongke_") && !answer.text.contains("# HELP"), "{path}");
    }
    // They are behind a door of their own, which has nothing else.
    let operations = telemetry::router(school.app.clone(), None);
    for (path, status) in [("/metrics", 200), ("/healthz", 200), ("/api/v1/lessons", 404), ("/", 404)] {
        let answer = operations.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[tokio::test]
async fn every_refusal_of_somebody_who_is_signed_in_is_in_the_audit() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    let foreign = school::base::id::PersonId::fresh();
    school.get(&format!("/api/v1/people/{foreign}"), &teacher).await;
    let auditor = school.as_a(Role::AuditAdministrator).await;
    // Refusals are written from behind a queue.
    for _ in 0..200 {
        let lines = school.get("/api/v1/audit?act=ask&outcome=refused", &auditor).await.json();
        if let Some(line) = lines["items"].as_array().unwrap().first() {
            assert_eq!(line["object"], format!("GET /api/v1/people/{foreign}"));
            assert!(line["actor"].as_str().unwrap().starts_with("person:"));
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the refusal is not there");
}
