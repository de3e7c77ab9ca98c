//! Join tokens and devices: stolen, replayed, outlived.

use std::time::Duration;

use aws_lc_rs::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use axum::{
    body::Body,
    http::{Request, header},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use school::{base::id::LessonId, organisation::Role};
use serde_json::json;
use signaling::{
    clock::Clock,
    live::token::{Claims, TokenSigner},
};

use crate::{
    abuse::bureau::cookie_of,
    fixtures::school::{CHROMIUM_RECEIVE, School},
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
#[expect(clippy::disallowed_methods, reason = "the thief reads the key's file")]
async fn no_token_that_was_made_or_changed_elsewhere_is_taken_and_the_audit_has_each_attempt() {
    let school = School::open().await;
    let mine = &school.sample.receive_tokens[0];
    let claims = school.app.tokens.check(mine, school.clock.wall()).unwrap();
    let (body, signature) = mine.split_once('.').unwrap();
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        format!("{}.{signature}", URL_SAFE_NO_PAD.encode(text.replace(from, to)))
    };
    let header = |json: &str| URL_SAFE_NO_PAD.encode(json);
    // Our public key is no secret: whoever signs with it as with a password must not be believed.
    let key = std::fs::read(school.folder.path().join("token.key")).unwrap();
    let public = Ed25519KeyPair::from_pkcs8(&key).unwrap();
    let by_public_key = |signed: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, public.public_key().as_ref());
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()))
    };
    let hs256 = format!("{}.{body}", header(r#"{"alg":"HS256","kid":"token.key"}"#));
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = TokenSigner::open(elsewhere.path()).unwrap();
    let signed = |change: &dyn Fn(&mut Claims)| {
        let mut claims = claims.clone();
        change(&mut claims);
        school.app.tokens.sign(&claims)
    };
    let tokens = [
        format!("{}.{body}.", header(r#"{"alg":"none"}"#)),
        format!("{}.{body}.{signature}", header(r#"{"alg":"EdDSA","kid":"../../dev/null"}"#)),
        format!("{hs256}.{}", by_public_key(&hs256)),
        format!("{body}.{}", by_public_key(body)),
        format!("{body}.{}", URL_SAFE_NO_PAD.encode([0_u8; 64])),
        foreign.sign(&claims),
        edited("receive", "publish"),
        edited("receive", "observe"),
        edited(&school.lesson_id().to_string(), &LessonId::fresh().to_string()),
        edited(&claims.exp.0.to_string(), "9999999999999"),
        signed(&|claims| claims.exp = school.clock.wall()),
        signed(&|claims| claims.lesson_id = LessonId::fresh()),
        signed(&|claims| claims.seat_id = None),
    ];
    for token in &tokens {
        let (status, text) = whep(&school, token, "").await;
        assert_eq!(status, 401, "{token}: {text}");
    }
    let auditor = school.as_a(Role::AuditAdministrator).await;
    // Refusals are written from behind a queue.
    for _ in 0..2_000 {
        let lines = school.get("/api/v1/audit?act=connect&outcome=refused&limit=200", &auditor).await.json();
        if lines["items"].as_array().unwrap().len() == tokens.len() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("not every refusal is in the audit");
}

#[tokio::test]
async fn a_token_in_other_hands_opens_nothing() {
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
async fn a_device_that_was_sent_away_gets_nothing_more_and_its_token_neither() {
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
async fn a_token_of_a_lesson_that_has_ended_opens_nothing() {
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

/// RELIABILITY §3, 63: somebody sets the clock back, so that what has expired counts again.
#[tokio::test]
async fn a_clock_that_is_set_back_brings_no_token_no_link_and_no_session_back() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    let token = school.sample.receive_tokens[0].clone();
    let unused = school.sample.sign_in_links.classrooms[1].clone();
    let lesson =
        school.app.store.lesson(&school::account::system_scope::console(), school.lesson_id()).await.unwrap().unwrap();
    // Four days later all of them are over.
    school.clock.turn(Duration::from_secs(4 * 24 * 3_600));
    assert_eq!(whep(&school, &token, "").await.0, 401);
    school.app.round().await.unwrap();
    for hours in [2, 24, 96] {
        school.clock.jump(-hours * 3_600_000);
        let (status, text) = whep(&school, &token, "").await;
        assert!(status == 401 && text.contains("token-expired"), "{hours} h back: {status} {text}");
        assert_eq!(school.get("/api/v1/me", &teacher).await.problem(), (401, "signed-out".into()), "{hours} h back");
        let (_, secret) = unused.split_once('#').unwrap();
        let answer = school.post("/api/v1/sign-in", "", &json!({ "link": secret }).to_string()).await;
        assert_eq!(answer.problem(), (401, "link-refused".into()), "{hours} h back");
        school.clock.jump(hours * 3_600_000);
        school.clock.turn(Duration::from_secs(60));
    }
    // Nor does a restart with the clock set back to where all of them were good.
    school.app.shut_down().await;
    let back = Clock::standing_at(school.clock.wall().minus(Duration::from_secs(4 * 24 * 3_600)));
    let School { folder, sample, .. } = school;
    let school = School::in_folder(folder, back).await;
    assert_eq!(school.get("/api/v1/me", &teacher).await.problem().0, 401);
    assert_eq!(whep(&school, &sample.receive_tokens[0], "").await.0, 401);
    // Whoever signs in now is signed in: all go by the same time.
    school.clock.jump(4 * 24 * 3_600_000);
    let link = school.link(lesson.teacher.person_id).await;
    school.clock.jump(-4 * 24 * 3_600_000);
    let again = school.sign_in(&link).await;
    assert_eq!(school.get("/api/v1/me", &again).await.status, 200);
}

/// And ahead, so that everybody is thrown out.
#[tokio::test]
async fn a_clock_that_is_set_a_year_ahead_ends_nothing_that_runs() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    school.clock.jump(365 * 24 * 3_600_000);
    assert_eq!(school.get("/api/v1/me", &teacher).await.status, 200);
    school.clock.jump(-365 * 24 * 3_600_000);
    assert_eq!(school.get("/api/v1/me", &teacher).await.status, 200);
}
