//! Who comes in, and how.

use std::time::Duration;

use crate::fixtures::school::School;
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use signaling::http::web::extract::Caller;

#[tokio::test]
async fn a_link_signs_in_once() {
    let school = School::open().await;
    let link = school.sample.sign_in_links.teacher.clone();
    let cookie = school.sign_in(&link).await;
    let me = school.get("/api/v1/me", &cookie).await;
    assert_eq!(me.status, StatusCode::OK);
    assert_eq!((&me.json()["name"], &me.json()["role"]), (&"张老师".into(), &"lead_teacher".into()));
    assert_eq!(me.header("cache-control"), "no-store");

    let secret = link.split_once('#').unwrap().1;
    let again = school.post("/api/v1/sign-in", "", &format!(r#"{{"link":"{secret}"}}"#)).await;
    assert_eq!(again.problem(), (401, "link-refused".into()));
    insta::assert_json_snapshot!(again.json());
    assert_eq!(again.header("set-cookie"), "");
}

#[tokio::test]
async fn a_link_expires_and_so_does_a_session() {
    let school = School::open().await;
    let (teacher, device) = (school.teacher().await, school.classroom(0).await);
    school.clock.turn(Duration::from_secs(24 * 3600));
    let secret = school.sample.sign_in_links.bureau_officer.split_once('#').unwrap().1.to_owned();
    let late = school.post("/api/v1/sign-in", "", &format!(r#"{{"link":"{secret}"}}"#)).await;
    assert_eq!(late.problem(), (401, "link-refused".into()));
    assert_eq!(school.get("/api/v1/me", &teacher).await.problem(), (401, "signed-out".into()));
    // A classroom's device stays enrolled.
    let me = school.get("/api/v1/me", &device).await.json();
    assert_eq!((&me["role"], &me["classroom"]["name"]), (&"classroom".into(), &"三年级（2）班".into()));
}

#[tokio::test]
async fn signing_out_ends_the_session_for_good() {
    let school = School::open().await;
    let cookie = school.teacher().await;
    let out = school.post("/api/v1/sign-out", &cookie, "{}").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(school.get("/api/v1/me", &cookie).await.problem(), (401, "signed-out".into()));
    assert_eq!(school.acts(2).await, ["sign_out", "sign_in"]);
}

#[tokio::test]
async fn a_made_up_cookie_is_nobody() {
    let school = School::open().await;
    school.teacher().await;
    for cookie in ["", "tongke=", "tongke=x", "__Host-tongke=x", "tongke='or'1'='1", "tongke=%00; tongke=y"] {
        assert_eq!(school.get("/api/v1/me", cookie).await.problem(), (401, "signed-out".into()), "{cookie}");
    }
}

#[tokio::test]
async fn a_guesser_is_told_to_wait_and_a_whole_school_is_not() {
    let school = School::open().await;
    for _ in 0..10 {
        let answer = school.post("/api/v1/sign-in", "", r#"{"link":"guess"}"#).await;
        assert_eq!(answer.problem(), (401, "link-refused".into()));
    }
    let eleventh = school.post("/api/v1/sign-in", "", r#"{"link":"guess"}"#).await;
    assert_eq!(eleventh.problem(), (429, "too-many-attempts".into()));
    assert_eq!(eleventh.header("retry-after"), "60");
    school.clock.turn(Duration::from_secs(60));
    school.teacher().await;
}

#[tokio::test]
async fn on_tls_the_cookie_is_held_to_the_host() {
    let school = School::open().await;
    let secret = school.sample.sign_in_links.teacher.split_once('#').unwrap().1.to_owned();
    let mut request = Request::post("/api/v1/sign-in")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(format!(r#"{{"link":"{secret}"}}"#)))
        .unwrap();
    request.extensions_mut().insert(Caller { address: ([10, 0, 0, 1], 1).into(), tls: true, plain_before: false });
    let cookie = school.send(request).await.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-tongke="), "{cookie}");
    for part in ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    // The plain listener does not take it.
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(school.get("/api/v1/me", pair).await.problem(), (401, "signed-out".into()));
}

#[tokio::test]
async fn another_site_cannot_act_for_a_teacher() {
    let school = School::open().await;
    let cookie = school.teacher().await;
    let from = |origin: Option<&str>, kind: Option<&str>| {
        let mut request =
            Request::post(school.lesson("/start")).header(header::COOKIE, &cookie).header(header::HOST, "school:8443");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        school.send(request.body(Body::empty()).unwrap())
    };
    let json = Some("application/json");
    let refused = [
        (Some("https://evil.example"), json),
        (Some("https://evil.example"), None),
        (Some("null"), json),
        (Some("https://school"), json),
        (Some("https://school:8443"), Some("text/plain")),
        (None, Some("application/x-www-form-urlencoded")),
        (None, None),
    ];
    for (origin, kind) in refused {
        assert_eq!(from(origin, kind).await.problem(), (403, "cross-site".into()), "{origin:?} {kind:?}");
    }
    // Our own page, with a body's type or without.
    assert_eq!(from(Some("https://school:8443"), None).await.status, StatusCode::OK);
    assert_eq!(from(Some("https://SCHOOL:8443"), json).await.status, StatusCode::OK);
    assert_eq!(from(None, json).await.status, StatusCode::OK);
}

#[tokio::test]
async fn strange_json_is_refused_and_harms_nothing() {
    let school = School::open().await;
    let deep = "[".repeat(10_000);
    let large = format!(r#"{{"link":"{}"}}"#, "x".repeat(70_000));
    let table = [
        (r#"{"link":"x","role":"bureau_officer"}"#, (400, "bad-request")),
        (r#"{"link":"x","link":"y"}"#, (400, "bad-request")),
        (r#"{"link":1e400}"#, (400, "bad-request")),
        (r#"{"link":"\ud800"}"#, (400, "bad-request")),
        (r#"{"__proto__":{}}"#, (400, "bad-request")),
        ("{\"link\":\"\u{0}\"}", (400, "bad-request")),
        (&deep, (400, "bad-request")),
        (&large, (413, "too-large")),
        ("", (400, "bad-request")),
    ];
    for (body, (status, kind)) in table {
        let answer = school.post("/api/v1/sign-in", "", body).await;
        assert_eq!(answer.problem(), (status, kind.into()), "{}", &body[..body.len().min(40)]);
    }
    school.teacher().await;
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_a_page_safe() {
    let school = School::open().await;
    for path in ["/", "/healthz", "/api/v1/me", "/lessons", "/assets/gone.js"] {
        let answer = school.get(path, "").await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(answer.header("permissions-policy").contains("camera=(self)"), "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
    }
    assert_eq!(school.get("/readyz", "").await.text, "ready\n");
    assert!(!school.get("/metrics", "").await.text.contains("tongke_"), "figures are for operations only");
    for path in ["/api/v1/nothing", "/api/v2/me", "/assets/gone.js", "/whip", "/sessions"] {
        assert_eq!(school.get(path, "").await.problem(), (404, "not-found".into()), "{path}");
    }
    assert_eq!(school.post("/api/v1/me", "", "{}").await.problem(), (405, "method-not-allowed".into()));
}
