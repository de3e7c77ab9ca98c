//! Connections over real TCP to the program as it is started: too many, half said, said in two ways.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures_util::future::join_all;
use signaling::listener::certificate::machine_address;
use tempfile::tempdir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    fixtures::program::{PATIENCE, Program, said_to},
    fixtures::school::School,
};

/// So many connections one address may hold.
const PER_ADDRESS: usize = 200;

const WELL: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: school\r\nConnection: close\r\n\r\n";

/// An address of this machine that is not its loopback, as a school's is not.
fn elsewhere() -> IpAddr {
    machine_address().expect("this machine has a network: without one nobody comes from anywhere")
}

/// Opens this many connections that say half a request, a hundred at a time; answers those that are held.
async fn half_open(door: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count / 100 {
        let mut streams = Vec::new();
        for _ in 0..100 {
            let mut stream = TcpStream::connect(door).await.unwrap();
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: school\r\n").await;
            streams.push(stream);
        }
        let half = join_all(streams.into_iter().map(async |mut stream| {
            match timeout(Duration::from_millis(500), stream.read(&mut [0])).await {
                Err(_) => Some(stream),
                Ok(read) => {
                    assert!(!matches!(read, Ok(1..)), "half a request has no answer");
                    None
                }
            }
        }));
        held.extend(half.await.into_iter().flatten());
    }
    held
}

#[tokio::test]
async fn one_address_holds_two_hundred_connections_and_its_next_one_is_refused() {
    let data = tempdir().unwrap();
    let program = Program::serve(data.path(), elsewhere(), &[]);
    let mut held = half_open(program.http, 2 * PER_ADDRESS).await;
    assert_eq!(held.len(), PER_ADDRESS);
    assert_eq!(said_to(program.http, WELL).await.as_deref(), Some(""), "nor is anything of theirs answered");
    // One that ends makes room for one.
    drop(held.pop());
    let answered = async {
        loop {
            if said_to(program.http, WELL).await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                break;
            }
        }
    };
    timeout(PATIENCE, answered).await.expect("there is room");
}

#[tokio::test]
async fn a_proxy_that_is_trusted_and_the_machine_itself_speak_for_many() {
    let proxy = elsewhere();
    let (one, other) = (tempdir().unwrap(), tempdir().unwrap());
    let behind_a_proxy = Program::serve(one.path(), proxy, &["--trusted-proxy", &proxy.to_string()]);
    let on_the_machine = Program::serve(other.path(), Ipv4Addr::LOCALHOST.into(), &[]);
    for program in [behind_a_proxy, on_the_machine] {
        let held = half_open(program.http, 2 * PER_ADDRESS).await;
        assert_eq!(held.len(), 2 * PER_ADDRESS);
        assert!(said_to(program.http, WELL).await.unwrap().starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn of_two_thousand_half_requests_the_last_is_gone_after_ten_seconds_and_they_may_come_again() {
    let school = School::open().await;
    let (door, _open) = school.door_at(elsewhere(), &[]).await;
    let held = half_open(door, 2_000).await;
    assert_eq!(held.len(), PER_ADDRESS);
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    for mut stream in held {
        let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("it is closed");
    }
    assert!(begin.elapsed() <= Duration::from_secs(11), "{:?}", begin.elapsed());
    tokio::time::resume();
    assert!(said_to(door, WELL).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_request_that_two_readers_may_read_in_two_ways_is_answered_400_and_nothing_behind_it() {
    let data = tempdir().unwrap();
    let program = Program::serve(data.path(), Ipv4Addr::LOCALHOST.into(), &[]);
    let hidden = "GET /healthz HTTP/1.1\r\nHost: hidden\r\n\r\n";
    let post = "POST /api/v1/sign-in HTTP/1.1\r\nHost: school\r\nContent-Type: application/json\r\n";
    let (chunked, length) = ("Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n");
    for (what, bytes) in [
        ("TE and CL", format!("{post}{chunked}{length}\r\n0\r\n\r\n{hidden}")),
        ("CL and TE", format!("{post}{length}{chunked}\r\n0\r\n\r\n{hidden}")),
        ("two lengths", format!("{post}{length}Content-Length: 0\r\n\r\n{{}}   {hidden}")),
        ("the same length twice", format!("{post}{length}{length}\r\n{{}}   {hidden}")),
        ("a list of lengths", format!("{post}Content-Length: 5, 5\r\n\r\n{{}}   {hidden}")),
        ("a length with a sign", format!("{post}Content-Length: +5\r\n\r\n{{}}   {hidden}")),
        ("two codings", format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a blank before the colon", format!("{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a folded line", format!("{post}X: y\r\n {length}\r\n{{}}   {hidden}")),
        ("a bare LF", format!("{post}X: y\n{length}\r\n{{}}   {hidden}")),
        ("nothing but bare LF", hidden.replace("\r\n", "\n")),
        ("a bare CR", format!("{post}X: y\rZ: z\r\n{length}\r\n{{}}   {hidden}")),
        ("a NUL", format!("{post}X: \0\r\n{length}\r\n{{}}   {hidden}")),
    ] {
        let answer = said_to(program.http, bytes.as_bytes()).await.unwrap_or_else(|| panic!("{what}: not closed"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{what}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{what}: {answer:?}");
    }
    // What is ambiguous only inside the body: whatever is answered, nothing hides behind it.
    for (what, body) in
        [("a chunk with a bare LF", "2\n{}\n0\n\n"), ("a chunk that is too long", "2\r\n{}x\r\n0\r\n\r\n")]
    {
        let answer = said_to(program.http, format!("{post}{chunked}\r\n{body}{hidden}").as_bytes()).await.unwrap();
        assert!(answer.matches("HTTP/1.1").count() <= 1 && !answer.contains("200 OK"), "{what}: {answer:?}");
    }
    assert!(said_to(program.http, WELL).await.unwrap().starts_with("HTTP/1.1 200"));
}
