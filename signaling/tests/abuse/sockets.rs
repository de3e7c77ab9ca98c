//! The page's socket and the connections below it: silent, deaf, talkative, in pieces, from elsewhere.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::school::School;

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
