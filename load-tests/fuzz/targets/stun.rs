//! Connectivity checks: any datagram, and any datagram that claims to be signed.
#![no_main]

use std::{net::SocketAddr, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use sfu::transport::{dtls::Identity, ice::Check};

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| Identity::generate().expect("a certificate"));

fuzz_target!(|datagram: &[u8]| {
    let Some(mut check) = Check::read(datagram) else { return };
    let crypto = IDENTITY.provider().crypto();
    let from = SocketAddr::from(([192, 0, 2, 1], 4_000));
    let _ = (check.our_ufrag(), check.their_ufrag(), check.nominates());
    let _ = check.is_signed_with("0123456789abcdefghijklmn", crypto);
    let answer = check.response(from, "0123456789abcdefghijklmn", crypto).expect("an answer");
    assert!(answer.len() * 2 <= datagram.len() * 3, "{} bytes are answered by {}", datagram.len(), answer.len());
});
