//! WHIP and WHEP with real offers against the real hub.

use std::time::Duration;

use crate::fixtures::school::{CHROMIUM_RECEIVE, CHROMIUM_SEND, School};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use school::{
    account::system_scope,
    base::id::{LessonId, SeatId},
};
use signaling::{
    live::token::{Claims, TokenKind},
    store::AuditRow,
};
use uuid::Uuid;

#[tokio::test]
async fn an_offer_is_answered_as_rfc_9725_says() {
    let school = School::open().await;
    let answer = school.offer(&school.whip(), &school.sample.publish_token, CHROMIUM_SEND).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/sdp");
    assert!(answer.header("location").starts_with("/sessions/") && answer.header("location").len() > 50);
    assert_eq!(answer.header("accept-patch"), "application/trickle-ice-sdpfrag");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-expose-headers").contains("Location"));
    let ufrag = answer.text.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap();
    assert_eq!(answer.header("etag"), format!("\"{ufrag}\""));
    assert!(answer.text.contains("a=candidate:") && answer.text.contains("a=setup:passive"));

    let receive = school
        .offer(
            &format!("{}?slots=voice,board,camera", school.whep()),
            &school.sample.receive_tokens[0],
            CHROMIUM_RECEIVE,
        )
        .await;
    assert_eq!(receive.status, StatusCode::CREATED, "{}", receive.text);
}

#[tokio::test]
async fn a_session_is_patched_and_deleted_by_its_own_url() {
    let school = School::open().await;
    let answer = school.offer(&school.whip(), &school.sample.publish_token, CHROMIUM_SEND).await;
    let (location, etag) = (answer.header("location").to_owned(), answer.header("etag").to_owned());
    let trickle = "a=mid:0\r\na=candidate:1 1 udp 2130706431 192.0.2.9 50000 typ host\r\na=end-of-candidates\r\n";
    let patch = |tag: Option<&str>, kind: &str, body: &str| {
        let mut request = Request::patch(&location).header(header::CONTENT_TYPE, kind);
        if let Some(tag) = tag {
            request = request.header(header::IF_MATCH, tag);
        }
        school.send(request.body(Body::from(body.to_owned())).unwrap())
    };
    let fragment = "application/trickle-ice-sdpfrag";
    assert_eq!(patch(None, fragment, trickle).await.problem(), (428, "if-match-required".into()));
    assert_eq!(patch(Some("\"other\""), fragment, trickle).await.problem(), (412, "etag-differs".into()));
    assert_eq!(patch(Some(&etag), "application/sdp", trickle).await.problem(), (415, "unsupported-media-type".into()));
    assert_eq!(patch(Some(&etag), fragment, trickle).await.status, StatusCode::NO_CONTENT);
    for _ in 0..2 {
        assert_eq!(school.method(Method::DELETE, &location).await.status, StatusCode::OK);
    }
    assert_eq!(patch(Some("*"), fragment, trickle).await.problem(), (404, "not-found".into()));
    assert_eq!(school.get(&location, "").await.problem(), (405, "method-not-allowed".into()));
}

#[tokio::test]
async fn a_browser_of_another_site_may_ask_first() {
    let school = School::open().await;
    for path in [school.whip(), school.whep(), "/sessions/x".into()] {
        let answer = school.method(Method::OPTIONS, &path).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(answer.header("access-control-allow-methods").contains("PATCH"));
        assert!(answer.header("access-control-allow-headers").contains("Authorization"));
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    // A refusal, too, can be read over there.
    assert_eq!(school.offer(&school.whip(), "x", "").await.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn no_token_no_way_in() {
    let school = School::open().await;
    let (now, sample) = (school.clock.wall(), &school.sample);
    let sign = |lesson_id, exp| {
        let (seat_id, jti) = (Some(SeatId::fresh()), Uuid::now_v7());
        let kind = TokenKind::Publish;
        school.app.tokens.sign(&Claims {
            kind,
            lesson_id,
            seat_id,
            classroom_id: None,
            session: None,
            device_id: None,
            auto_start: false,
            exp,
            jti,
        })
    };
    let half = sample.publish_token.len() / 2;
    let table = [
        (String::new(), "token-refused"),
        ("eyJhbGciOiJub25lIn0.e30.".into(), "token-refused"),
        (sample.publish_token[..half].into(), "token-refused"),
        (sign(school.lesson_id(), now), "token-expired"),
        (sign(LessonId::fresh(), now.plus(Duration::from_secs(60))), "token-refused"),
    ];
    for (token, kind) in table {
        let answer = school.offer(&school.whip(), &token, CHROMIUM_SEND).await;
        assert_eq!(answer.problem(), (401, kind.into()), "{token}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let request = Request::post(format!("{}?token={}", school.whip(), sample.publish_token))
        .header(header::CONTENT_TYPE, "application/sdp")
        .body(Body::from(CHROMIUM_SEND));
    assert_eq!(school.send(request.unwrap()).await.problem(), (401, "token-missing".into()));
    insta::assert_json_snapshot!(school.offer(&school.whip(), "x", CHROMIUM_SEND).await.json());
}

#[tokio::test]
async fn a_token_that_receives_cannot_publish() {
    let school = School::open().await;
    let officer = school.officer().await;
    let observe = school.post(&school.lesson("/seats"), &officer, "{}").await.json();
    let tokens = [&school.sample.receive_tokens[0], &school.sample.viewer_token, observe["token"].as_str().unwrap()];
    for token in tokens {
        let answer = school.offer(&school.whip(), token, CHROMIUM_SEND).await;
        assert_eq!(answer.problem(), (403, "wrong-kind-of-token".into()));
        // An observer's token is good in the observer's own browser only.
        let request = Request::post(school.whep())
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/sdp")
            .header(header::COOKIE, &officer)
            .body(Body::from(CHROMIUM_RECEIVE));
        assert_eq!(school.send(request.unwrap()).await.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn what_is_no_offer_is_refused_by_name() {
    let school = School::open().await;
    let token = &school.sample.publish_token;
    let send = |kind: &str, body: Vec<u8>| {
        let request = Request::post(school.whip())
            .header(header::AUTHORIZATION, format!("bearer {token}"))
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body));
        school.send(request.unwrap())
    };
    let offer = CHROMIUM_SEND.as_bytes().to_vec();
    assert_eq!(send("text/plain", offer.clone()).await.problem(), (415, "unsupported-media-type".into()));
    assert_eq!(send("application/sdp", vec![b'a'; 65 * 1024]).await.problem(), (413, "too-large".into()));
    assert_eq!(send("application/sdp", vec![0xff, 0xfe]).await.problem(), (400, "bad-sdp".into()));
    assert_eq!(send("application/sdp", b"v=0".to_vec()).await.problem(), (400, "bad-sdp".into()));
    assert_eq!(send("application/sdp", Vec::new()).await.problem(), (400, "bad-sdp".into()));
    assert_eq!(send("Application/SDP; charset=utf-8", offer).await.status, StatusCode::CREATED);
    for query in ["track=stage", "track=", "track=../board"] {
        let answer = school.offer(&format!("{}?{query}", school.whip()), token, CHROMIUM_SEND).await;
        assert_eq!(answer.problem(), (400, "bad-request".into()), "{query}");
    }
    for query in ["slots=", "slots=voice,,", "slots=Voice", &format!("slots={}", "voice,".repeat(9_999))] {
        let answer = school.offer(&format!("{}?{query}", school.whep()), token, CHROMIUM_RECEIVE).await;
        assert_eq!(answer.problem(), (400, "bad-request".into()));
    }
}

#[tokio::test]
async fn a_device_without_our_codecs_is_told_what_to_do() {
    let school = School::open().await;
    let offer = CHROMIUM_SEND.replace("H264", "H999").replace("VP9", "VP0").replace("VP8", "VP1").replace("AV1", "AV0");
    let answer = school.offer(&school.whip(), &school.sample.publish_token, &offer).await;
    assert_eq!(answer.problem(), (406, "unsupported-codec".into()));
    insta::assert_json_snapshot!(answer.json());
}

#[tokio::test]
async fn nobody_connects_to_a_lesson_that_is_over() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    let before = school.offer(&school.whip(), &school.sample.publish_token, CHROMIUM_SEND).await;
    school.post(&school.lesson("/end"), &teacher, "{}").await;
    for (path, token) in [(school.whip(), &school.sample.publish_token), (school.whep(), &school.sample.viewer_token)] {
        let answer = school.offer(&path, token, CHROMIUM_SEND).await;
        assert_eq!(answer.problem(), (409, "wrong-lesson-state".into()));
    }
    assert_eq!(school.method(Method::DELETE, before.header("location")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_offer_of_the_same_seat_takes_the_place_of_the_old_one() {
    let school = School::open().await;
    let token = &school.sample.publish_token;
    let camera = school.offer(&school.whip(), token, CHROMIUM_SEND).await;
    let board = school.offer(&format!("{}?track=board", school.whip()), token, CHROMIUM_SEND).await;
    let again = school.offer(&school.whip(), token, CHROMIUM_SEND).await;
    assert_eq!([&camera, &board, &again].map(|answer| answer.status), [StatusCode::CREATED; 3]);
    let patch = |location: &str| {
        school.send(Request::patch(location).header(header::IF_MATCH, "*").body(Body::empty()).unwrap())
    };
    assert_eq!(patch(camera.header("location")).await.problem(), (404, "not-found".into()));
    assert_eq!(patch(board.header("location")).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(patch(again.header("location")).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn guests_have_as_many_seats_as_the_lesson_gives_them() {
    let school = School::open().await;
    let mut lesson = school.app.registry.lesson(school.lesson_id()).unwrap();
    lesson.lesson_id = LessonId::fresh();
    lesson.guests_max = 2;
    let row = AuditRow::by_system(school.clock.wall(), "schedule_lesson", format!("lesson:{}", lesson.lesson_id));
    school.app.store.insert_lesson(&system_scope::sample(), &lesson, &row).await.unwrap();
    school.app.registry.take_up(lesson.clone());
    let token = school.app.tokens.sign(&Claims {
        kind: TokenKind::Guest,
        lesson_id: lesson.lesson_id,
        seat_id: None,
        classroom_id: None,
        session: None,
        device_id: None,
        auto_start: false,
        exp: school.clock.wall().plus(Duration::from_secs(60)),
        jti: Uuid::now_v7(),
    });
    let whep = format!("/whep/{}", lesson.lesson_id);
    // A refused offer takes no seat.
    assert_eq!(school.offer(&whep, &token, "v=0").await.problem(), (400, "bad-sdp".into()));
    let first = school.offer(&whep, &token, CHROMIUM_RECEIVE).await;
    assert_eq!(school.offer(&whep, &token, CHROMIUM_RECEIVE).await.status, StatusCode::CREATED);
    let third = school.offer(&whep, &token, CHROMIUM_RECEIVE).await;
    assert_eq!(third.problem(), (503, "guests-full".into()));
    assert_eq!(third.header("retry-after"), "30");
    // A guest who leaves makes room.
    school.method(Method::DELETE, first.header("location")).await;
    assert_eq!(school.offer(&whep, &token, CHROMIUM_RECEIVE).await.status, StatusCode::CREATED);
}
