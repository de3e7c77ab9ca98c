//! Bodies that are no bodies: JSON and SDP, written to harm whoever reads them.

use axum::{
    body::{Body, Bytes},
    http::{Request, header},
};
use school::{base::id::PersonId, organisation::Role};
use serde_json::Value;
use signaling::{cli::document, http::web::extract::read_body};

use crate::fixtures::school::{Answer, CHROMIUM_RECEIVE, CHROMIUM_SEND, School};

async fn ask(school: &School, method: &str, uri: &str, cookie: &str, body: &str) -> Answer {
    let request = Request::builder().method(method.to_uppercase().as_str()).uri(uri);
    let request = request.header(header::COOKIE, cookie).header(header::CONTENT_TYPE, "application/json");
    school.send(request.header(header::IF_MATCH, "\"v1\"").body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn no_route_takes_json_that_means_two_things_or_a_field_that_it_does_not_know() {
    let school = School::open().await;
    let cookie = school.as_a(Role::SystemAdministrator).await;
    let document: Value = serde_json::to_value(document::document()).unwrap();
    let (deep, broad) = ("[".repeat(10_000), format!("{{\"x\":{}}}", "[".repeat(10_000)));
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let takes_json = |operation: &Value| !operation["requestBody"]["content"]["application/json"].is_null();
        for (method, _) in item.as_object().unwrap().iter().filter(|(_, operation)| takes_json(operation)) {
            let id = PersonId::fresh().to_string();
            let uri = path.split('/').map(|part| if part.starts_with('{') { id.as_str() } else { part });
            let uri = format!("/api/v1{}", uri.collect::<Vec<_>>().join("/"));
            for body in [
                &deep,
                &broad,
                r#"{"no_such_field":1}"#,
                r#"{"__proto__":{"role":"operator"}}"#,
                r#"{"constructor":{"prototype":{}}}"#,
                "{\"name\":\"\u{0}\"}",
                r#"{"name":"\ud800"}"#,
                r#"{"name":1e400}"#,
                "null",
                "[]",
                "7",
                "{}{}",
                "\u{feff}{}",
            ] {
                let answer = ask(&school, method, &uri, &cookie, body).await;
                let told =
                    format!("{method} {path} {}: {} {}", &body[..body.len().min(40)], answer.status, answer.text);
                assert!(matches!(answer.status.as_u16(), 400 | 401 | 403 | 404), "{told}");
                asked += 1;
            }
        }
    }
    assert!(asked > 400, "{asked}");
    // The same key twice: whichever of them another reader takes.
    let twice = r#"{"link":"x","link":"y"}"#;
    assert_eq!(ask(&school, "POST", "/api/v1/sign-in", "", twice).await.problem().0, 400);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_half_way_is_waited_for_thirty_seconds() {
    let begin = tokio::time::Instant::now();
    let half = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{\"link\":"))]);
    let body = Body::from_stream(futures_util::StreamExt::chain(half, futures_util::stream::pending()));
    assert_eq!(read_body(body, 1_000).await.unwrap_err().kind(), "too-slow");
    assert_eq!(begin.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn an_offer_that_breaks_the_rules_is_refused_and_the_next_one_is_answered() {
    let school = School::open().await;
    let token = &school.sample.publish_token;
    let good = CHROMIUM_SEND;
    let sections = good.find("m=audio").unwrap();
    let (head, audio) = (&good[..sections], good[sections..].split("m=video").next().unwrap());
    let candidate = "a=candidate:1 1 udp 2122194687 192.0.2.2 51544 typ host\r\n";
    let table = [
        ("5 MB", "a=x\r\n".repeat(1_000_000), 413),
        ("10,000 m-lines", format!("{head}{}", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(1_500)), 400),
        ("100,000 candidates", good.replacen(candidate_line(good), &candidate.repeat(100_000), 1), 413),
        (
            "as many as fit",
            good.replacen("a=setup:actpass", &format!("{}a=setup:actpass", "a=x\r\n".repeat(4_200)), 1),
            400,
        ),
        ("no line ends", good.replace("\r\n", " "), 400),
        ("payload type 255", good.replace("SAVPF 111", "SAVPF 255").replace(":111 ", ":255 "), 400),
        ("a negative port", good.replacen("m=audio 51544", "m=audio -1", 1), 400),
        ("a port beyond all", good.replacen("m=audio 51544", "m=audio 99999", 1), 400),
        ("the same mid twice", good.replace("a=mid:1", "a=mid:0"), 400),
        ("a ufrag of one letter", good.replace("a=ice-ufrag:Voll", "a=ice-ufrag:V"), 400),
        ("a ufrag of 257", good.replace("a=ice-ufrag:Voll", &format!("a=ice-ufrag:{}", "V".repeat(257))), 400),
        ("a short password", good.replace("a=ice-pwd:iTODMn5JWbOItnPMA8yQVVgV", "a=ice-pwd:short"), 400),
        ("no fingerprint", without(good, "a=fingerprint:"), 400),
        ("one section, again and again", format!("{head}{}", audio.repeat(40)), 400),
    ];
    for (what, offer, status) in table {
        assert_ne!(offer, good, "{what}");
        let answer = school.offer(&school.whip(), token, &offer).await;
        assert_eq!(answer.problem().0, status, "{what}: {}", answer.text);
    }
    let request = Request::post(school.whip())
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/sdp")
        .body(Body::from([good.as_bytes(), &[0xff, 0xfe, 0]].concat()));
    assert_eq!(school.send(request.unwrap()).await.problem().0, 400, "no UTF-8");
    assert_eq!(school.offer(&school.whip(), token, good).await.status, 201);
}

fn candidate_line(offer: &str) -> &str {
    let from = offer.find("a=candidate").unwrap();
    let length = offer[from..].find('\n').unwrap() + 1;
    &offer[from..from + length]
}

fn without(offer: &str, begins: &str) -> String {
    offer.split_inclusive('\n').filter(|line| !line.starts_with(begins)).collect()
}

#[tokio::test]
async fn a_storm_of_offers_is_answered_sixty_times_a_minute_and_leaves_one_publisher() {
    let school = School::open().await;
    let (token, url) = (&school.sample.publish_token, school.whip());
    let storm = (0..1_000).map(|_| school.offer(&url, token, CHROMIUM_SEND));
    let answers = futures_util::future::join_all(storm).await;
    let (answered, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((answered.len(), refused.len()), (60, 940));
    for answer in refused {
        assert_eq!(answer.problem(), (429, "too-many-attempts".into()));
        assert_eq!(answer.header("retry-after"), "60");
    }
    // Each took the place of the one before: what the storm leaves is one peer.
    let patch = async |location: &str| {
        school.send(Request::patch(location).header(header::IF_MATCH, "*").body(Body::empty()).unwrap()).await.status
    };
    let mut alive = 0;
    for answer in answered {
        alive += usize::from(patch(answer.header("location")).await == 415);
    }
    assert_eq!(alive, 1);
    // Others come in meanwhile, and the seat itself after its minute.
    let receive = school.offer(&school.whep(), &school.sample.receive_tokens[0], CHROMIUM_RECEIVE).await;
    assert_eq!(receive.status, 201, "{}", receive.text);
    school.clock.turn(std::time::Duration::from_secs(60));
    assert_eq!(school.offer(&url, token, CHROMIUM_SEND).await.status, 201);
}

#[tokio::test]
async fn a_viewer_brings_nothing_in_and_nobody_restarts_what_was_not_offered() {
    let school = School::open().await;
    for token in [&school.sample.receive_tokens[0], &school.sample.viewer_token] {
        let publish = school.offer(&school.whip(), token, CHROMIUM_SEND).await;
        assert_eq!(publish.problem(), (403, "wrong-kind-of-token".into()));
        let bring = school.offer(&school.whep(), token, CHROMIUM_SEND).await;
        assert_eq!(bring.problem(), (400, "media-mismatch".into()), "{}", bring.text);
    }
    // A restart before anything was offered.
    for path in ["/sessions/x", "/sessions/", "/sessions/..%2f..%2fx"] {
        let request = Request::patch(path)
            .header(header::IF_MATCH, "*")
            .header(header::CONTENT_TYPE, "application/trickle-ice-sdpfrag")
            .body(Body::from("a=ice-ufrag:aaaa\r\na=ice-pwd:bbbbbbbbbbbbbbbbbbbbbbbb\r\n"));
        let answer = school.send(request.unwrap()).await;
        assert!(matches!(answer.status.as_u16(), 404 | 405), "{path}: {}", answer.status);
    }
}
