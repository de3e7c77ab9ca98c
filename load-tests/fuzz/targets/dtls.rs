//! A handshake, either role, fed any datagrams at any time. The first byte says which role.
#![no_main]

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use sfu::transport::dtls::{Handshake, Identity};

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| Identity::generate().expect("a certificate"));

fuzz_target!(|bytes: &[u8]| {
    let Some((&role, mut rest)) = bytes.split_first() else { return };
    let mut now = Instant::now();
    let theirs = vec![("sha-256".to_owned(), vec![0; 32])];
    let mut handshake = match role & 1 {
        0 => Handshake::passive(&IDENTITY, theirs),
        _ => Handshake::active(now, &IDENTITY, theirs).expect("a ClientHello"),
    };
    // Two bytes of length before each datagram; the top bit lets the clock run to the next timeout first.
    let mut sent = 0;
    while let Some((head, tail)) = rest.split_first_chunk::<2>() {
        let word = u16::from_be_bytes(*head);
        let (datagram, tail) = tail.split_at(usize::from(word & 0x07ff).min(tail.len()));
        rest = tail;
        if word & 0x8000 != 0
            && let Some(due) = handshake.poll_timeout()
        {
            now = due + Duration::from_millis(1);
            if handshake.handle_timeout(now).is_err() {
                return;
            }
        }
        if handshake.handle_datagram(now, datagram).is_err() {
            return;
        }
        while let Some(answer) = handshake.poll_transmit() {
            sent += answer.len();
        }
    }
    assert!(sent <= 64 * 1_024 + bytes.len() * 16, "{} bytes are answered by {sent}", bytes.len());
});
