//! Join tokens and devices: stolen, replayed, outlived.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::json;
use signaling::domain::organisation::Role;

use crate::{
    bureau::cookie_of,
    school::{CHROMIUM_RECEIVE, School},
};

async fn whep(school: &School, token: &str, cookie: &str) -> (u16, String) {
    let request = Request::post(school.whep())
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/sdp")
        .header(header::COOKIE, cookie)
        .body(Body::from(CHROMIUM_RECEIVE));
    let answer = school.send(request.unwrap()).await;
    (answer.status.as_u16(), answer.text)
}

#[tokio::test]
async fn an_enrolled_device_comes_back_with_its_key_and_no_password() {
    let school = School::open().await;
    let (device_id, key) = school.device().await;
    let challenge = school.challenge(&device_id).await;
    let answer = school.by_device(&device_id, &challenge, &key).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!((&answer.json()["role"], &answer.json()["device_id"]), (&"classroom".into(), &device_id.clone().into()));
    // The same answer once more, another's key, an old challenge: nothing.
    assert_eq!(school.by_device(&device_id, &challenge, &key).await.problem(), (401, "sign-in-refused".into()));
    let other = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let challenge = school.challenge(&device_id).await;
    assert_eq!(school.by_device(&device_id, &challenge, &other).await.status, 401);
    let challenge = school.challenge(&device_id).await;
    school.clock.turn(Duration::from_secs(60));
    assert_eq!(school.by_device(&device_id, &challenge, &key).await.status, 401);
}

#[tokio::test]
async fn case_44_a_token_in_other_hands_opens_nothing() {
    let school = School::open().await;
    let (device_id, key) = school.device().await;
    let challenge = school.challenge(&device_id).await;
    let cookie = cookie_of(&school.by_device(&device_id, &challenge, &key).await);
    let ticket = school.post(&school.lesson("/seats"), &cookie, "{}").await.json();
    let token = ticket["token"].as_str().unwrap();
    assert_eq!(whep(&school, token, &cookie).await.0, 201);
    let thief = school.classroom(1).await;
    for hands in ["", thief.as_str()] {
        let (status, text) = whep(&school, token, hands).await;
        assert!(status == 401 && text.contains("token-refused"), "{status} {text}");
    }
    // The device itself may use it again: its line broke.
    assert_eq!(whep(&school, token, &cookie).await.0, 201);
}

#[tokio::test]
async fn case_45_a_device_that_was_sent_away_gets_nothing_more_and_its_token_neither() {
    let school = School::open().await;
    let (device_id, key) = school.device().await;
    let challenge = school.challenge(&device_id).await;
    let cookie = cookie_of(&school.by_device(&device_id, &challenge, &key).await);
    let ticket = school.post(&school.lesson("/seats"), &cookie, "{}").await.json();
    let operator = school.as_a(Role::Operator).await;
    let path = format!("/api/v1/devices/{device_id}");
    let gone = school.method_with("PATCH", &path, &operator, "\"v1\"", r#"{"revoked":true}"#).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    assert_eq!(whep(&school, ticket["token"].as_str().unwrap(), &cookie).await.0, 401);
    assert_eq!(school.get("/api/v1/me", &cookie).await.status, 401);
    let challenge = school.challenge(&device_id).await;
    assert_eq!(school.by_device(&device_id, &challenge, &key).await.status, 401);
}

#[tokio::test]
async fn case_45_a_token_of_a_lesson_that_has_ended_opens_nothing() {
    let school = School::open().await;
    let (teacher, classroom) = (school.teacher().await, school.classroom(0).await);
    let ticket = school.post(&school.lesson("/seats"), &classroom, "{}").await.json();
    school.post(&school.lesson("/start"), &teacher, "{}").await;
    school.post(&school.lesson("/end"), &teacher, "{}").await;
    let (status, text) = whep(&school, ticket["token"].as_str().unwrap(), &classroom).await;
    assert_eq!((status, text.contains("wrong-lesson-state")), (409, true), "{text}");
}

#[tokio::test]
async fn the_audit_names_the_device_and_the_person_beside_it() {
    let school = School::open().await;
    let (device_id, key) = school.device().await;
    let challenge = school.challenge(&device_id).await;
    let cookie = cookie_of(&school.by_device(&device_id, &challenge, &key).await);
    let (assistant, _) = school.somebody("陈老师", Role::Assistant).await;
    let (stranger, _) = school.somebody("路人", Role::Operator).await;
    let list = school.get("/api/v1/me/assistants", &cookie).await.text;
    assert!(list.contains(&assistant) && !list.contains(&stranger), "{list}");
    let name = async |id: &str| school.put("/api/v1/me/assistant", &cookie, &json!({"person_id": id})).await.status;
    assert_eq!(name(&stranger).await, 404);
    assert_eq!(name(&assistant).await, 204);
    school.post("/api/v1/sign-out", &cookie, "{}").await;
    let auditor = school.as_a(Role::AuditAdministrator).await;
    let lines = school.get("/api/v1/audit?act=sign_out", &auditor).await.json();
    let line = &lines["items"][0];
    assert!(line["actor"].as_str().unwrap().starts_with("classroom:"));
    assert_eq!(line["beside"], format!("person:{assistant}"));
}
