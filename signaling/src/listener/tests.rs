//! Hostile connections, on a clock that jumps to the next deadline.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[test]
fn the_first_bytes_tell_media_from_requests() {
    let table: [(&[u8], Beginning); 6] = [
        (&[0x16, 3, 1], Beginning::Request),
        (b"GET / HTTP/1.1", Beginning::Request),
        (b"PRI * HTTP/2.0", Beginning::Request),
        (&[0x80, 0x60], Beginning::Request),
        (&[0, 108, 0, 1, 0, 88], Beginning::Check),
        (&[2, 4, 0, 1, 1, 240], Beginning::Check),
    ];
    for (bytes, expected) in table {
        assert_eq!(Beginning::by(bytes[0]), expected, "{bytes:?}");
    }
    assert!(is_check([0, 108, 0, 1, 0, 88, 0x21, 0x12, 0xa4, 0x42]));
    for other in [
        [0, 108, 0, 1, 0, 88, 0x21, 0x12, 0xa4, 0x43],
        [0, 109, 0, 1, 0, 88, 0x21, 0x12, 0xa4, 0x42],
        [0, 108, 1, 1, 0, 88, 0x21, 0x12, 0xa4, 0x42],
        [0, 3, 0, 1, 0xff, 0xff, 0x21, 0x12, 0xa4, 0x42],
    ] {
        assert!(!is_check(other), "{other:?}");
    }
}

#[test]
fn one_address_cannot_take_every_place() {
    let connections = Connections::default();
    let school = IpAddr::from([203, 0, 113, 7]);
    let place = |address| connections.place(address, &[IpAddr::from([203, 0, 113, 9])]);
    let mut places: Vec<_> = (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| place(school).unwrap()).collect();
    assert!(place(school).is_none());
    assert!(place(IpAddr::from([203, 0, 113, 8])).is_some());
    places.pop();
    assert!(place(school).is_some());
    // Loopback and a trusted proxy stand for many clients; only the total limit applies.
    for many in [IpAddr::from([127, 0, 0, 1]), IpAddr::from([203, 0, 113, 9])] {
        places.extend((0..CONNECTIONS_PER_ADDRESS_MAX + 1).map(|_| place(many).unwrap()));
    }
    places.extend((places.len()..CONNECTIONS_MAX).map(|_| place(IpAddr::from([127, 0, 0, 1])).unwrap()));
    assert!(place(IpAddr::from([127, 0, 0, 1])).is_none() && place(IpAddr::from([203, 0, 113, 8])).is_none());
    drop(places);
    assert!(connections.by_address.is_empty());
    assert_eq!(connections.all.load(Ordering::Relaxed), 0);
}

/// A client over a pipe, on a clock that jumps to the next deadline.
fn visitor(router: &Router) -> tokio::io::DuplexStream {
    let (theirs, ours) = tokio::io::duplex(4_096);
    let caller = Caller { address: ([10, 0, 0, 1], 1).into(), tls: false, plain_before: false };
    let visit = Visit { caller, proxies: [].into(), place: HeldPlace::default() };
    let (keep, stop) = watch::channel(false);
    let router = router.clone();
    tokio::spawn(async move {
        speak(ours, false, visit, router, stop).await;
        drop(keep);
    });
    theirs
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_or_half_is_closed_after_ten_seconds() {
    let router = Router::new().route("/", axum::routing::get(async || "hello"));
    for said in ["", "G", "GET / HTTP/1.1\r\nHost: school\r\n"] {
        let begin = tokio::time::Instant::now();
        let mut visitor = visitor(&router);
        visitor.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = visitor.read_to_end(&mut answer).await;
        assert!(begin.elapsed() <= Duration::from_secs(11), "{said:?} {:?}", begin.elapsed());
        assert!(!String::from_utf8_lossy(&answer).contains("200"), "{said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_asked_may_ask_again_until_it_idles() {
    let router = Router::new().route("/", axum::routing::get(async || "hello"));
    let mut visitor = visitor(&router);
    let begin = tokio::time::Instant::now();
    let mut answer = [0; 2_048];
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(8)).await;
        visitor.write_all(b"GET / HTTP/1.1\r\nHost: school\r\n\r\n").await.unwrap();
        let read = visitor.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{:?}", begin.elapsed());
    }
    let _ = visitor.read_to_end(&mut Vec::new()).await;
    assert!(begin.elapsed() < Duration::from_secs(160 + 121), "{:?}", begin.elapsed());
}

/// The answer to these bytes, until the connection is closed.
async fn answers_to(router: &Router, said: &[u8]) -> String {
    let mut visitor = visitor(router);
    let _ = visitor.write_all(said).await;
    let mut answer = Vec::new();
    let _ = visitor.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(start_paused = true)]
async fn no_request_hides_in_the_body_of_another() {
    let router = Router::new()
        .route("/", axum::routing::post(async |body: axum::body::Bytes| body))
        .route("/hidden", axum::routing::get(async || "the hidden one was answered"));
    let hidden = "GET /hidden HTTP/1.1\r\nHost: school\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let length = format!("Content-Length: {}\r\n", hidden.len() + 5);
    let fifty = "Content-Length: 5\r\nContent-Length: 0\r\n".to_owned();
    for (headers, body) in [
        (format!("{length}{chunked}"), format!("0\r\n\r\n{hidden}")),
        (format!("{chunked}{length}"), format!("0\r\n\r\n{hidden}")),
        (fifty, format!("01234{hidden}")),
        ("Content-Length: 5\r\nContent-Length: 5\r\n".into(), format!("01234{hidden}")),
        ("Transfer-Encoding: chunked, identity\r\n".into(), format!("0\r\n\r\n{hidden}")),
        ("Transfer-Encoding : chunked\r\n".into(), format!("0\r\n\r\n{hidden}")),
        ("X: y\nContent-Length: 0\r\n".into(), hidden.into()),
        ("X: y\r\n Content-Length: 0\r\n".into(), hidden.into()),
    ] {
        let said = format!("POST / HTTP/1.1\r\nHost: school\r\n{headers}\r\n{body}");
        let answer = answers_to(&router, said.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "and closed: {headers:?}: {answer}");
    }
    // A body that becomes ambiguous later: nothing after that is read.
    let torn = format!("POST / HTTP/1.1\r\nHost: school\r\n{chunked}\r\n3\nabc\n0\n\n{hidden}");
    let answer = answers_to(&router, torn.as_bytes()).await;
    assert!(!answer.contains("200 OK") && answer.matches("HTTP/1.1").count() <= 1, "{answer}");
    // Valid requests pass, pipelined.
    let well = format!("POST / HTTP/1.1\r\nHost: school\r\n{chunked}\r\n5\r\nhello\r\n0\r\n\r\n{hidden}");
    let answer = answers_to(&router, well.as_bytes()).await;
    assert!(answer.contains("hello") && answer.contains("the hidden one was answered"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn behind_an_upgrade_that_is_not_taken_up_nothing_is_read() {
    let router = Router::new().route("/", axum::routing::get(async || "hello"));
    let asked =
        "GET / HTTP/1.1\r\nHost: school\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nGET / HTTP/1.1\nHost: b\n\n";
    let answer = answers_to(&router, asked.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
}

/// HTTP/2 frames (RFC 9113 §4.1), without regard to the protocol's rules.
mod frame {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const CONTINUATION: u8 = 9;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const ACK: u8 = 1;

    pub fn of(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// `GET /` or `POST /` of `https://school`, by the static table (RFC 7541 appendix A).
    pub fn request(method: u8) -> Vec<u8> {
        let mut block = vec![method, 0x84, 0x87, 0x41, 6];
        block.extend(b"school");
        block
    }
    pub const GET: u8 = 0x82;
    pub const POST: u8 = 0x83;
}

/// The answer over HTTP/2, counted by frame type. `ended`: the other side closed.
#[derive(Debug, Default)]
struct Heard {
    kinds: std::collections::BTreeMap<u8, usize>,
    ended: bool,
}

/// Sends the preface and these frames over HTTP/2, and reads until the hub closes or sends no more.
async fn over_http2(router: Router, frames: Vec<u8>) -> Heard {
    let (theirs, ours) = tokio::io::duplex(1 << 20);
    let caller = Caller { address: ([10, 0, 0, 1], 1).into(), tls: true, plain_before: false };
    let (keep, stop) = watch::channel(false);
    tokio::spawn(async move {
        let visit = Visit { caller, proxies: [].into(), place: HeldPlace::default() };
        speak(ours, true, visit, router, stop).await;
        drop(keep);
    });
    let (mut reads, mut writes) = tokio::io::split(theirs);
    let writing = tokio::spawn(async move {
        let _ = writes.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let _ = writes.write_all(&frame::of(frame::SETTINGS, 0, 0, &[])).await;
        let _ = writes.write_all(&frames).await;
        writes
    });
    let mut heard = Heard::default();
    loop {
        let mut head = [0; 9];
        match timeout(Duration::from_secs(5), reads.read_exact(&mut head)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => {
                heard.ended = true;
                break;
            }
            Err(_) => break, // Open, without data.
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        let _ = reads.read_exact(&mut payload).await;
        *heard.kinds.entry(head[3]).or_default() += 1;
    }
    drop(writing.await);
    heard
}

fn counting() -> (Router, Arc<AtomicUsize>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = begun.clone();
    let wait = async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<&str>().await
    };
    let body = async |body: axum::body::Bytes| body;
    (Router::new().route("/", axum::routing::get(wait).post(body)), begun)
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_opened_and_reset_at_once_end_the_connection() {
    let (router, begun) = counting();
    let mut frames = Vec::new();
    for n in 0..20_000_u32 {
        let flags = frame::END_HEADERS | frame::END_STREAM;
        frames.extend(frame::of(frame::HEADERS, flags, 2 * n + 1, &frame::request(frame::GET)));
        frames.extend(frame::of(frame::RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes()));
    }
    let heard = over_http2(router, frames).await;
    assert!(heard.ended && heard.kinds.contains_key(&frame::GOAWAY), "{heard:?}");
    assert!(begun.load(Ordering::Relaxed) < 2_000, "{}", begun.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn headers_that_never_end_end_the_connection() {
    let (router, begun) = counting();
    let mut frames = frame::of(frame::HEADERS, 0, 1, &frame::request(frame::GET));
    // A literal header without indexing, repeated (RFC 7541 §6.2.2).
    let mut more = vec![0, 1, b'x', 100];
    more.extend([b'y'; 100]);
    for _ in 0..10_000 {
        frames.extend(frame::of(frame::CONTINUATION, 0, 1, &more.repeat(10)));
    }
    let heard = over_http2(router, frames).await;
    assert!(heard.ended, "{heard:?}");
    assert_eq!(begun.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn more_streams_than_a_hundred_at_once_are_refused() {
    let (router, begun) = counting();
    let mut frames = Vec::new();
    for n in 0..STREAMS_MAX + 50 {
        let flags = frame::END_HEADERS | frame::END_STREAM;
        frames.extend(frame::of(frame::HEADERS, flags, 2 * n + 1, &frame::request(frame::GET)));
    }
    let heard = over_http2(router, frames).await;
    let refused = heard.kinds.get(&frame::RST_STREAM).copied().unwrap_or_default();
    assert!(heard.ended || refused == 50, "{heard:?}");
    assert!(begun.load(Ordering::Relaxed) <= STREAMS_MAX as usize);
}

#[tokio::test(start_paused = true)]
async fn empty_frames_and_pings_without_end_cost_no_memory_and_hold_up_nobody() {
    let (router, _) = counting();
    let mut frames = frame::of(frame::HEADERS, frame::END_HEADERS, 1, &frame::request(frame::POST));
    for _ in 0..50_000 {
        frames.extend(frame::of(frame::DATA, 0, 1, &[]));
    }
    for _ in 0..1_000 {
        frames.extend(frame::of(frame::PING, 0, 0, b"12345678"));
        frames.extend(frame::of(frame::SETTINGS, frame::ACK, 0, &[]));
    }
    let heard = over_http2(router.clone(), frames).await;
    assert!(heard.kinds.get(&frame::PING).copied().unwrap_or_default() <= 1_001, "{heard:?}");
    // Another client is answered meanwhile.
    let well = b"POST / HTTP/1.1\r\nHost: school\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    assert!(answers_to(&router, well).await.ends_with("hello"));
}
