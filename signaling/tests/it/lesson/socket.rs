//! The page's socket over a real connection: hello, welcome, news, goodbye, and the way back.

use std::{net::SocketAddr, time::Duration};

use crate::fixtures::school::{CHROMIUM_SEND, School};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

/// Longer than any message takes, shorter than a person waits.
const PATIENCE: Duration = Duration::from_secs(10);

struct Page(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Page {
    async fn open(door: SocketAddr, school: &School) -> Self {
        Self(connect_async(format!("ws://{door}{}", school.lesson("/socket"))).await.unwrap().0)
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hello(door: SocketAddr, school: &School, token: &str, seat_id: Option<&str>) -> (Self, Value) {
        let mut page = Self::open(door, school).await;
        page.say(json!({"type": "hello", "token": token, "seat_id": seat_id})).await;
        let first = page.hear().await.unwrap();
        (page, first)
    }

    /// The next message. `None`: the socket was closed.
    async fn hear(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("the hub says something") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return None,
            }
        }
    }

    async fn hear_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.hear().await.unwrap_or_else(|| panic!("closed before `{kind}`"));
            if message["type"] == kind {
                return message;
            }
        }
    }
}

#[tokio::test]
async fn a_page_is_welcomed_and_told_what_happens() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    let (mut teacher, welcome) = Page::hello(door, &school, &school.sample.publish_token, None).await;
    assert_eq!((&welcome["type"], &welcome["role"]), (&"welcome".into(), &"teacher".into()));
    assert_eq!((&welcome["lesson"]["state"], &welcome["lesson"]["may"]["teach"]), (&"open".into(), &true.into()));
    assert_eq!(welcome["slots"]["camera"], json!({"flowing": false, "codec": null}));

    let (mut classroom, welcome) = Page::hello(door, &school, &school.sample.receive_tokens[0], None).await;
    assert_eq!(welcome["seats"].as_array().unwrap().len(), 2);
    school.app.registry.tick(1).await;
    let seats = teacher.hear_of("seats").await;
    assert_eq!(seats["seats"][1]["name"], "三年级（2）班");
    assert_eq!(seats["seats"][1]["presence"], "online");

    classroom.say(json!({"type": "ping", "sent_ms": 12.5})).await;
    let pong = classroom.hear_of("pong").await;
    assert_eq!((&pong["sent_ms"], pong["now_ms"].as_i64()), (&12.5.into(), Some(crate::fixtures::school::MORNING.0)));

    classroom
        .say(json!({"type": "report", "frames_shown": 0, "visible": true, "concealed_share": 0.5, "freezes": 3, "loss": 0.3,
            "rtt_ms": 80, "width": 640, "height": 360, "playing": true}))
        .await;
    classroom.say(json!({"type": "ping", "sent_ms": 1})).await;
    classroom.hear_of("pong").await; // The report before it was heard.
    school.app.registry.tick(1).await;
    assert_eq!(teacher.hear_of("seats").await["seats"][1]["presence"], "weak");

    let cookie = school.teacher().await;
    school.post(&school.lesson("/start"), &cookie, "{}").await;
    assert_eq!(classroom.hear_of("lesson").await["lesson"]["state"], "live");
    school.post(&school.lesson("/end"), &cookie, "{}").await;
    let last = classroom.hear_of("lesson").await;
    assert_eq!((&last["lesson"]["state"], &last["lesson"]["may"]["replay"]), (&"ended".into(), &true.into()));
    assert_eq!(classroom.hear().await, Some(json!({"type": "bye", "reason": "lesson_ended"})));
    assert_eq!(classroom.hear().await, None);
}

#[tokio::test]
async fn a_seat_is_kept_over_a_reconnect() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    let token = &school.sample.receive_tokens[1];
    let (mut page, welcome) = Page::hello(door, &school, token, None).await;
    let seat = |message: &Value| message["seats"].as_array().unwrap()[0].clone();
    school.clock.turn(Duration::from_secs(30));
    // The line breaks without a word: the new page is there before the hub knows of it.
    let (mut again, welcome_back) = Page::hello(door, &school, token, None).await;
    assert_eq!(welcome_back["seat_id"], welcome["seat_id"]);
    assert_eq!(seat(&welcome_back)["joined_at_ms"], seat(&welcome)["joined_at_ms"]);
    assert_eq!(page.hear().await, Some(json!({"type": "bye", "reason": "replaced"})));

    // The page closes; the seat is lost, not gone.
    again.0.close(None).await.unwrap();
    while again.hear().await.is_some() {}
    let (mut teacher, _) = Page::hello(door, &school, &school.sample.publish_token, None).await;
    let lost = loop {
        school.app.registry.tick(1).await;
        let seats = teacher.hear_of("seats").await;
        let classroom = seats["seats"].as_array().unwrap().iter().find(|seat| seat["role"] == "classroom").cloned();
        if let Some(seat) = classroom.filter(|seat| seat["presence"] == "lost") {
            break seat;
        }
    };
    assert_eq!(lost["seat_id"], welcome["seat_id"]);
    school.clock.turn(Duration::from_secs(120));
    school.app.registry.tick(1).await;
    let seats = teacher.hear_of("seats").await;
    assert_eq!(seats["seats"].as_array().unwrap().len(), 1, "after two minutes it is given up");
}

#[tokio::test]
async fn a_guest_sees_the_teacher_alone_and_keeps_its_seat() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    let (_classroom, _) = Page::hello(door, &school, &school.sample.receive_tokens[0], None).await;
    let (_teacher, _) = Page::hello(door, &school, &school.sample.publish_token, None).await;
    let (_guest, welcome) = Page::hello(door, &school, &school.sample.viewer_token, None).await;
    assert_eq!(welcome["role"], "guest");
    let roles: Vec<_> = welcome["seats"].as_array().unwrap().iter().map(|seat| &seat["role"]).collect();
    assert_eq!(roles, ["teacher"]);
    assert_eq!(welcome["lesson"]["may"], json!({"teach": false, "attend": false, "watch": false, "replay": false}));
    let had = welcome["seat_id"].as_str();
    let (_again, back) = Page::hello(door, &school, &school.sample.viewer_token, had).await;
    assert_eq!(back["seat_id"].as_str(), had);
}

#[tokio::test]
async fn a_socket_that_is_no_page_of_ours_is_closed() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    // Another site's page.
    let mut request = format!("ws://{door}{}", school.lesson("/socket")).into_client_request().unwrap();
    request.headers_mut().insert("origin", HeaderValue::from_static("https://evil.example"));
    assert!(connect_async(request).await.unwrap_err().to_string().contains("403"));
    // A forged token, and one for nothing.
    for token in ["x", "a.b", school.sample.publish_token.trim_end_matches(|_| true)] {
        let (mut page, first) = Page::hello(door, &school, token, None).await;
        assert_eq!(first, json!({"type": "bye", "reason": "token_expired"}));
        assert_eq!(page.hear().await, None);
    }
    // Something else than hello.
    for first in ["{}", r#"{"type":"ping","sent_ms":1}"#, "x", &"[".repeat(9_999), &" ".repeat(70_000)] {
        let mut page = Page::open(door, &school).await;
        let _ = page.0.send(Message::text(first)).await;
        assert_eq!(page.hear().await, None);
    }
    // Hello twice, and more than twenty messages a second.
    let (mut page, _) = Page::hello(door, &school, &school.sample.receive_tokens[0], None).await;
    page.say(json!({"type": "hello", "token": "x", "seat_id": null})).await;
    assert_eq!(page.hear().await, None);
    let (mut page, _) = Page::hello(door, &school, &school.sample.receive_tokens[0], None).await;
    for n in 0..21 {
        let _ = page.0.send(Message::text(json!({"type": "ping", "sent_ms": n}).to_string())).await;
    }
    let mut pongs = 0;
    while page.hear().await.is_some() {
        pongs += 1;
    }
    assert_eq!(pongs, 20);
}

#[tokio::test]
async fn a_hub_that_stops_says_so_and_lets_everyone_back_in() {
    let school = School::open().await;
    let (door_before, stop) = school.door().await;
    let token = school.sample.receive_tokens[2].clone();
    let (mut page, welcome) = Page::hello(door_before, &school, &token, None).await;
    let answer = school.offer(&school.whip(), &school.sample.publish_token, CHROMIUM_SEND).await;
    assert_eq!(answer.status, 201);
    stop.send_replace(true);
    let school = school.restart(Duration::from_secs(3)).await;
    assert_eq!(page.hear_of("bye").await["reason"], "shutting_down");
    // The old token opens the same seat on the hub that came after.
    let (door, _open) = school.door().await;
    let (_page, back) = Page::hello(door, &school, &token, None).await;
    assert_eq!((&back["type"], &back["seat_id"]), (&"welcome".into(), &welcome["seat_id"]));
}

#[tokio::test]
async fn a_role_that_ends_ends_the_open_socket_too() {
    use school::{
        account::system_scope,
        organisation::{Holder, Role},
    };
    use signaling::sample;
    let school = School::open().await;
    let (door, _stop) = school.door().await;
    let scope = system_scope::console();
    let (officer, _) = school.app.store.people_who_are(&scope, Role::Patrol).await.unwrap()[0].clone();
    let cookie = school.officer().await;
    let ticket = school.post(&school.lesson("/seats"), &cookie, "{}").await.json();
    let open = async |cookie: &str| {
        let mut request = format!("ws://{door}{}", school.lesson("/socket")).into_client_request().unwrap();
        request.headers_mut().insert("cookie", HeaderValue::from_str(cookie).unwrap());
        let mut page = Page(connect_async(request).await.unwrap().0);
        page.say(json!({"type": "hello", "token": ticket["token"]})).await;
        let first = page.hear().await.unwrap();
        (page, first)
    };
    // 44: the ticket alone is not enough.
    let (_, stolen) = open("").await;
    assert_eq!((&stolen["type"], &stolen["reason"]), (&"bye".into(), &"token_expired".into()));
    let (mut page, first) = open(&cookie).await;
    assert_eq!(first["type"], "welcome");

    let security = {
        use school::{base::id::PersonId, organisation::Person};
        use signaling::store::Seed;
        let person_id = PersonId::fresh();
        let organisation_id = school.app.store.grants_of(officer).await.unwrap()[0].organisation_id;
        let person = Person { person_id, organisation_id, name: "安全员".into(), sign_in_name: None };
        let seed = Seed { people: vec![(person, Some(Role::SecurityAdministrator))], ..Seed::default() };
        school.app.store.seed(&system_scope::sample(), &seed, school.clock.wall()).await.unwrap();
        let holder = Holder::Person(person_id);
        let link = sample::sign_in_link(&school.app.store, "http://school", holder, school.clock.wall()).await.unwrap();
        school.sign_in(&link).await
    };
    let roles = school.get(&format!("/api/v1/people/{officer}/roles"), &security).await.json();
    let grant = roles["items"][0]["role_grant_id"].as_str().unwrap().to_owned();
    let request = axum::http::Request::delete(format!("/api/v1/people/{officer}/roles/{grant}"))
        .header("cookie", &security)
        .header("content-type", "application/json");
    assert_eq!(school.send(request.body(axum::body::Body::empty()).unwrap()).await.status, 204);
    assert_eq!(page.hear_of("bye").await["reason"], "token_expired");
}

#[tokio::test]
async fn a_role_that_ends_by_its_date_ends_the_open_socket_within_seconds() {
    use school::{
        account::system_scope,
        organisation::{Holder, Role},
    };
    use signaling::{sample, store::AuditRow};
    let school = School::open().await;
    let (door, _stop) = school.door().await;
    let (store, now) = (&school.app.store, school.clock.wall());
    let (officer, _) = store.people_who_are(&system_scope::console(), Role::Patrol).await.unwrap()[0].clone();
    let grant = store.grants(&system_scope::console(), officer).await.unwrap().unwrap()[0].clone();
    let row = AuditRow::by_system(now, "end_role", format!("person:{officer}"));
    let until = now.plus(Duration::from_secs(600));
    store.end_grant(&system_scope::console(), officer, grant.role_grant_id, until, row).await.unwrap();
    let link = sample::sign_in_link(store, "http://school", Holder::Person(officer), now).await.unwrap();
    let cookie = school.sign_in(&link).await;
    let ticket = school.post(&school.lesson("/seats"), &cookie, "{}").await.json();
    let mut request = format!("ws://{door}{}", school.lesson("/socket")).into_client_request().unwrap();
    request.headers_mut().insert("cookie", HeaderValue::from_str(&cookie).unwrap());
    let mut page = Page(connect_async(request).await.unwrap().0);
    page.say(json!({"type": "hello", "token": ticket["token"]})).await;
    assert_eq!(page.hear().await.unwrap()["type"], "welcome");
    school.clock.turn(Duration::from_secs(599));
    page.say(json!({"type": "ping", "sent_ms": 1})).await;
    page.hear_of("pong").await;
    school.clock.turn(Duration::from_secs(1));
    let said = timeout(Duration::from_secs(5), page.hear_of("bye")).await.expect("within five seconds");
    assert_eq!(said["reason"], "token_expired");
}
