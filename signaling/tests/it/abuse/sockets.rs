//! The page's socket and the connections below it: silent, deaf, talkative, in pieces, from elsewhere.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use school::base::id::SeatId;
use serde_json::{Value, json};
use signaling::live::{
    session::Sitter,
    wire::{Report, SeatRole},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::frame::coding::CloseCode},
};

use crate::fixtures::school::School;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

async fn socket(
    school: &School,
    door: std::net::SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<Socket, String> {
    let mut request = format!("ws://{door}{}", school.lesson("/socket")).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket).map_err(|error| error.to_string())
}

/// The next text. `None`: the hub has closed.
async fn hear(socket: &mut Socket) -> Option<String> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("the hub says something") {
            Some(Ok(Message::Text(text))) => return Some(text.to_string()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

/// A frame as a client sends it (RFC 6455 §5.2): masked with zeros.
fn frame(first: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0xff];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

const TEXT: u8 = 0x1;
const FINAL: u8 = 0x80;
const COMPRESSED: u8 = 0x40;

#[tokio::test]
async fn another_sites_page_opens_no_socket_and_a_cookie_alone_is_not_enough() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    let cookie = school.classroom(0).await;
    for origin in ["https://evil.example", "null", &format!("http://{door}.evil.example"), "file://"] {
        let refused = socket(&school, door, &[("origin", origin), ("cookie", &cookie)]).await.unwrap_err();
        assert!(refused.contains("403"), "{origin}: {refused}");
    }
    // Our own page, signed in, is let in and is told nothing until it shows its token.
    let own = format!("http://{door}");
    for hello in
        [json!({"type": "hello"}), json!({"type": "hello", "token": ""}), json!({"type": "ping", "sent_ms": 1})]
    {
        let mut page = socket(&school, door, &[("origin", &own), ("cookie", &cookie)]).await.unwrap();
        page.send(Message::text(hello.to_string())).await.unwrap();
        let told = hear(&mut page).await.unwrap_or_default();
        assert!(told.is_empty() || told.contains("token_expired"), "{hello}: {told}");
    }
}

#[tokio::test]
async fn a_socket_that_is_opened_and_says_nothing_is_closed_after_ten_seconds() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    let mut page = socket(&school, door, &[]).await.unwrap();
    let mut slow = socket(&school, door, &[]).await.unwrap();
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    // Byte by byte is silence, too: the first of these never becomes a message.
    slow.get_mut().write_all(&frame(TEXT, 1, b"{")).await.unwrap();
    assert_eq!((hear(&mut page).await, hear(&mut slow).await), (None, None));
    assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_message_that_is_announced_too_large_or_comes_in_endless_pieces_is_not_waited_for() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    let token = &school.sample.receive_tokens[0];
    let hello = json!({"type": "hello", "token": token, "seat_id": null}).to_string();
    let pieces: Vec<u8> = std::iter::once(frame(TEXT, 1, b"{"))
        .chain((0..70_000).map(|_| vec![0, 0x81, 0, 0, 0, 0, b' ']))
        .flatten()
        .collect();
    for (what, bytes) in [
        ("2 GiB", frame(TEXT | FINAL, 1 << 31, b"{")),
        ("2^63", frame(TEXT | FINAL, 1 << 63, b"{")),
        ("65 KiB", frame(TEXT | FINAL, 65 << 10, &[b' '; 65 << 10])),
        ("70,000 pieces", pieces),
        ("compressed", frame(TEXT | FINAL | COMPRESSED, 4, &[0xaa, 0x56, 0x4a, 0])),
        ("reserved", frame(0x3 | FINAL, 1, b"x")),
    ] {
        for said_hello in [false, true] {
            let mut page = socket(&school, door, &[("sec-websocket-extensions", "permessage-deflate")]).await.unwrap();
            if said_hello {
                page.send(Message::text(hello.clone())).await.unwrap();
                assert!(hear(&mut page).await.unwrap().contains("welcome"), "{what}");
            }
            let _ = page.get_mut().write_all(&bytes).await;
            while let Some(told) = hear(&mut page).await {
                assert!(!told.contains("pong"), "{what}: {told}");
            }
        }
    }
    // A hello in two pieces is a hello.
    let mut page = socket(&school, door, &[]).await.unwrap();
    let (one, other) = hello.as_bytes().split_at(9);
    page.get_mut().write_all(&frame(TEXT, one.len() as u64, one)).await.unwrap();
    page.get_mut().write_all(&frame(FINAL, other.len() as u64, other)).await.unwrap();
    assert!(hear(&mut page).await.unwrap().contains("welcome"));
}

#[tokio::test]
async fn a_page_that_comes_twice_sits_once() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    let hello = json!({"type": "hello", "token": school.sample.receive_tokens[0], "seat_id": null}).to_string();
    let mut before: Option<Socket> = None;
    for _ in 0..20 {
        let mut page = socket(&school, door, &[]).await.unwrap();
        page.send(Message::text(hello.clone())).await.unwrap();
        assert!(hear(&mut page).await.unwrap().contains("welcome"));
        if let Some(mut before) = before.replace(page) {
            while let Some(told) = hear(&mut before).await {
                assert!(!told.contains("\"bye\"") || told.contains("replaced"), "{told}");
            }
        }
    }
    assert_eq!(school.app.registry.counts().1, 1, "sockets");
}

/// A page that never reads what it is told, over a connection whose own buffer is as small as the system lets it be.
async fn deaf(school: &School, door: std::net::SocketAddr, hello: &str) -> WebSocketStream<TcpStream> {
    let connection = TcpSocket::new_v4().unwrap();
    connection.set_recv_buffer_size(1_024).unwrap();
    let stream = connection.connect(door).await.unwrap();
    let (mut page, _) = client_async(format!("ws://{door}{}", school.lesson("/socket")), stream).await.unwrap();
    page.send(Message::text(hello)).await.unwrap();
    page
}

#[tokio::test]
async fn a_page_that_never_reads_is_let_go_of_and_nobody_waits_for_it() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    let hello = |token: &str| json!({"type": "hello", "token": token, "seat_id": null}).to_string();
    let mut teacher = socket(&school, door, &[]).await.unwrap();
    teacher.send(Message::text(hello(&school.sample.publish_token))).await.unwrap();
    assert!(hear(&mut teacher).await.unwrap().contains("welcome"));
    let mut deaf = deaf(&school, door, &hello(&school.sample.receive_tokens[0])).await;
    let registry = &school.app.registry;
    while registry.counts().1 < 2 {
        tokio::task::yield_now().await;
    }
    // A large lesson, and news of it without end: one classroom sees badly, then well, then badly. The teacher's page hears
    // each time.
    registry.with_session(school.lesson_id(), |session, now| {
        for _ in 0..200 {
            let name = "汉滨区茨沟镇中心小学景家教学点三年级二班".to_owned();
            let (seat_id, role) = (SeatId::fresh(), SeatRole::Classroom);
            session.sit(now, Sitter { seat_id, role, name, classroom_id: None });
        }
    });
    let presence = async |teacher: &mut Socket| {
        registry.tick(1).await;
        loop {
            let told: Value = serde_json::from_str(&hear(teacher).await.expect("the teacher's page is open")).unwrap();
            if told["type"] == "seats" {
                let seats = told["seats"].as_array().unwrap();
                break seats.iter().find(|seat| !seat["classroom_id"].is_null()).unwrap().clone();
            }
        }
    };
    let seat_id = presence(&mut teacher).await["seat_id"].as_str().unwrap().parse().unwrap();
    let mut told = 0;
    while registry.counts().1 == 2 {
        let (freezes, expected) = if told % 2 == 0 { (1.0, "weak") } else { (0.0, "online") };
        registry.report(school.lesson_id(), seat_id, Report { freezes: Some(freezes), ..Report::default() });
        assert_eq!(presence(&mut teacher).await["presence"], expected);
        told += 1;
        assert!(told < 2_000, "somebody keeps all of it: the system has some megabytes, we have one");
    }
    // It finds what was on its way, and then why the hub has hung up.
    let (mut read, mut why) = (0, None);
    while let Some(Ok(message)) = timeout(PATIENCE, deaf.next()).await.expect("the hub has hung up") {
        read += usize::from(message.is_text());
        if let Message::Close(frame) = message {
            why = frame.map(|frame| frame.code);
        }
    }
    assert!(read <= told + 2, "{read} of {told}");
    assert_eq!(why, Some(CloseCode::Policy));
    assert_eq!(presence(&mut teacher).await["presence"], "lost");
}

#[tokio::test]
async fn a_page_that_asks_and_never_reads_the_answers_is_closed() {
    let school = School::open().await;
    let (door, _open) = school.door().await;
    let hello = json!({"type": "hello", "token": school.sample.receive_tokens[0], "seat_id": null}).to_string();
    let mut deaf = deaf(&school, door, &hello).await;
    // Never faster than the pace; each ping asks for a pong. In the end the hub waits for us, and so we for it.
    for n in 0..1_000_000 {
        school.clock.turn(Duration::from_millis(51));
        let ping = Message::text(json!({"type": "ping", "sent_ms": n}).to_string());
        if timeout(Duration::from_millis(500), deaf.send(ping)).await.is_err() {
            break;
        }
    }
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    while school.app.registry.counts().1 > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(begin.elapsed() < Duration::from_secs(12), "it is still waited for");
    }
}
