//! A lesson from its opening to its replay, as each role sees it.

use std::time::Duration;

use crate::fixtures::school::School;
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use school::{base::id::LessonId, organisation::Role};
use serde_json::Value;

/// Names and times that differ from run to run are told apart by nothing in a snapshot.
fn settled(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(map) => map.iter_mut().for_each(|(key, value)| {
                if key.ends_with("_id") && value.is_string() {
                    *value = "[id]".into();
                } else if key == "token" {
                    *value = "[token]".into();
                } else {
                    walk(value);
                }
            }),
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::String(text) if text.len() > 36 && text.starts_with('/') => {
                let parts = text.split('/').map(|part| if part.len() == 36 { "[id]" } else { part });
                *text = parts.collect::<Vec<_>>().join("/");
            }
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[tokio::test]
async fn each_role_sees_the_lesson_with_its_own_rights() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    insta::assert_json_snapshot!(
        "lesson_of_the_teacher",
        settled(school.get(&school.lesson(""), &teacher).await.json())
    );
    let table = [
        (teacher, [true, false, false]),
        (school.classroom(1).await, [false, true, false]),
        (school.officer().await, [false, false, true]),
    ];
    for (cookie, expected) in table {
        let may = &school.get(&school.lesson(""), &cookie).await.json()["may"];
        assert_eq!(["teach", "attend", "watch"].map(|key| may[key] == true), expected);
        let list = school.get("/api/v1/lessons", &cookie).await.json();
        assert_eq!((list["items"].as_array().unwrap().len(), &list["next"]), (1, &Value::Null));
    }
}

#[tokio::test]
async fn a_foreign_lesson_is_not_there() {
    let school = School::open().await;
    let (stranger, teacher) = (school.stranger().await, school.other_teacher().await);
    let nowhere = format!("/api/v1/lessons/{}", LessonId::fresh());
    let missing = school.get(&nowhere, &teacher).await.text;
    for cookie in [&stranger, &teacher] {
        assert_eq!(school.get("/api/v1/lessons", cookie).await.json()["items"], Value::Array(vec![]));
        let foreign = school.get(&school.lesson(""), cookie).await;
        assert_eq!(foreign.problem(), (404, "not-found".into()));
        assert_eq!(foreign.text, missing, "a foreign lesson and no lesson look alike");
        for act in ["/start", "/end", "/seats"] {
            assert_eq!(school.post(&school.lesson(act), cookie, "{}").await.text, missing, "{act}");
        }
    }
    // Those who may see it may not do everything with it.
    for cookie in [school.classroom(0).await, school.officer().await] {
        for act in ["/start", "/end"] {
            assert_eq!(school.post(&school.lesson(act), &cookie, "{}").await.problem(), (404, "not-found".into()));
        }
    }
    for path in ["/api/v1/lessons/..%2f..%2fetc", "/api/v1/lessons/%00", "/api/v1/lessons/x"] {
        assert_eq!(school.get(path, &teacher).await.problem(), (404, "not-found".into()), "{path}");
    }
}

#[tokio::test]
async fn a_lesson_goes_from_open_to_live_to_its_replay() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    let live = school.post(&school.lesson("/start"), &teacher, "{}").await.json();
    assert_eq!((&live["state"], &live["recording"]["state"]), (&"live".into(), &"recording".into()));
    // A double click changes nothing.
    assert_eq!(school.post(&school.lesson("/start"), &teacher, "{}").await.json(), live);

    school.clock.turn(Duration::from_secs(60));
    let ended = school.post(&school.lesson("/end"), &teacher, "{}").await.json();
    assert_eq!((&ended["state"], &ended["recording"]["state"]), (&"ended".into(), &"sealed".into()));
    assert_eq!(ended["ended_at_ms"].as_i64(), ended["live_at_ms"].as_i64().map(|at| at + 60_000));
    assert_eq!(school.post(&school.lesson("/end"), &teacher, "{}").await.json()["state"], "ended");
    assert_eq!(
        school.post(&school.lesson("/start"), &teacher, "{}").await.problem(),
        (409, "wrong-lesson-state".into())
    );
    assert_eq!(
        school.post(&school.lesson("/seats"), &teacher, "{}").await.problem(),
        (409, "wrong-lesson-state".into())
    );

    let path = format!("/api/v1/recordings/{}", ended["recording"]["recording_id"].as_str().unwrap());
    let officer = school.officer().await;
    let replay = school.get(&path, &officer).await;
    assert_eq!(replay.status, StatusCode::OK);
    assert_eq!((&replay.json()["state"], &replay.json()["lesson"]["may"]["replay"]), (&"sealed".into(), &true.into()));
    let acts = school.acts(1).await;
    assert_eq!(acts[0], "look_into_recording");
}

#[tokio::test]
async fn a_replay_is_only_for_those_who_may_see_it() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    school.post(&school.lesson("/start"), &teacher, "{}").await;
    let ended = school.post(&school.lesson("/end"), &teacher, "{}").await.json();
    let path = format!("/api/v1/recordings/{}", ended["recording"]["recording_id"].as_str().unwrap());
    let stranger = school.stranger().await;
    for path in [path.clone(), format!("{path}/media/main.m3u8"), format!("{path}/media/camera-000001.m4s")] {
        assert_eq!(school.get(&path, "").await.problem(), (401, "signed-out".into()), "{path}");
        assert_eq!(school.get(&path, &stranger).await.problem(), (404, "not-found".into()), "{path}");
        // A token in the URL opens nothing.
        let with_token = format!("{path}?token={}", school.sample.viewer_token);
        assert_eq!(school.get(&with_token, "").await.problem(), (401, "signed-out".into()), "{path}");
    }
    for file in [
        "..%2f..%2ftongke.sqlite",
        "..%2F..%2Ftoken.key",
        "%2e%2e%2ftoken.key",
        "%252e%252e%252ftoken.key",
        "..%5c..%5ctoken.key",
        "%00",
        "journal.log",
        "seal.json",
        "camera-000001.m4s.part",
        "%2fetc%2fpasswd",
        &"a".repeat(300),
    ] {
        let answer = school.get(&format!("{path}/media/{file}"), &teacher).await;
        assert_eq!(answer.problem(), (404, "not-found".into()), "{file}");
    }
    let plain = school.get(&format!("{path}/media/../../../../token.key"), &teacher).await;
    assert_eq!(plain.problem(), (404, "not-found".into()));
}

#[tokio::test]
async fn whoever_asks_again_sits_where_they_sat() {
    let school = School::open().await;
    let (classroom, other) = (school.classroom(0).await, school.classroom(1).await);
    let take = async |cookie: &str| school.post(&school.lesson("/seats"), cookie, "{}").await;
    let first = take(&classroom).await;
    assert_eq!(first.status, StatusCode::CREATED);
    insta::assert_json_snapshot!("seat_of_a_classroom", settled(first.json()));
    assert_eq!(take(&classroom).await.json()["seat_id"], first.json()["seat_id"]);
    assert_ne!(take(&other).await.json()["seat_id"], first.json()["seat_id"]);
    // The token of the sample sits in the same seat: it is the same classroom.
    let claims = school.app.tokens.check(&school.sample.receive_tokens[0], school.clock.wall()).unwrap();
    assert_eq!(claims.seat_id.unwrap().to_string(), first.json()["seat_id"].as_str().unwrap());

    assert_eq!(take(&school.officer().await).await.json()["role"], "observer");
    let acts = school.acts(1).await;
    assert_eq!(acts[0], "look_into_lesson");

    let seat = first.json()["seat_id"].clone();
    let school = school.restart(Duration::from_secs(5)).await;
    let again = school.post(&school.lesson("/seats"), &classroom, "{}").await.json();
    assert_eq!(again["seat_id"], seat, "the seat outlives the hub");
}

#[tokio::test]
async fn a_live_lesson_comes_back_live_with_the_same_recording() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    let live = school.post(&school.lesson("/start"), &teacher, "{}").await.json();
    let school = school.restart(Duration::from_secs(7)).await;
    let after = school.get(&school.lesson(""), &teacher).await.json();
    assert_eq!((&after["state"], &after["recording"]), (&"live".into(), &live["recording"]));
    assert!(school.app.registry.room(school.lesson_id()).is_some());
    let ended = school.post(&school.lesson("/end"), &teacher, "{}").await.json();
    assert_eq!(ended["recording"]["state"], "sealed");
    // Started again, it stays ended, and the sample opens a new lesson.
    let before = school.lesson_id();
    let school = school.restart(Duration::from_secs(7)).await;
    assert_ne!(school.lesson_id(), before);
    assert!(school.app.registry.room(before).is_none());
}

#[tokio::test]
async fn a_lesson_that_nobody_ends_is_ended_after_its_time() {
    let school = School::open().await;
    let (teacher, classroom) = (school.teacher().await, school.classroom(0).await);
    school.post(&school.lesson("/start"), &teacher, "{}").await;
    school.clock.turn(Duration::from_secs(4 * 3600 + 599));
    school.app.registry.ring().await;
    assert_eq!(school.get(&school.lesson(""), &classroom).await.json()["state"], "live");
    school.clock.turn(Duration::from_secs(1));
    school.app.registry.ring().await;
    assert_eq!(school.get(&school.lesson(""), &classroom).await.json()["state"], "ended");
}

#[tokio::test]
async fn a_school_says_on_what_ground_its_classes_on_stage_are_recorded() {
    let school = School::open().await;
    let (_, county) = school.somebody("旁人", Role::Operator).await;
    let path = format!("/api/v1/organisations/{county}/stage-consent");
    let own = school.as_a(Role::SchoolAdministrator).await;
    let unsaid = school.get(&path, &own).await.json();
    assert_eq!((&unsaid["record_on_stage"], &unsaid["set_at_ms"]), (&false.into(), &Value::Null));
    let put = async |cookie: &str, body: &str| {
        let request = Request::put(&path).header(header::COOKIE, cookie);
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_owned()));
        school.send(request.unwrap()).await
    };
    assert_eq!(put(&own, r#"{"record_on_stage":true}"#).await.problem(), (422, "invalid".into()));
    let said = put(&own, r#"{"record_on_stage":true,"basis":"三年级家长同意书"}"#).await;
    assert_eq!((said.status.as_u16(), &said.json()["basis"]), (200, &"三年级家长同意书".into()));
    assert_eq!(school.acts(1).await, ["set_stage_consent"]);
    assert_eq!(school.get(&path, &own).await.json(), said.json());
    let scheduler = school.as_a(Role::Scheduler).await;
    assert_eq!(put(&scheduler, r#"{"record_on_stage":false}"#).await.problem(), (404, "not-found".into()));
    let off = put(&own, r#"{"record_on_stage":false}"#).await.json();
    assert_eq!((&off["record_on_stage"], &off["basis"]), (&false.into(), &Value::Null));
}
