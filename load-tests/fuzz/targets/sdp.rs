//! Offers and fragments. The first byte says whose.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use sfu::{
    Codec, TrackKind,
    answer::{Local, answer_publisher, answer_viewer, fragment_credentials},
};

const LESSON: [TrackKind; 3] = [TrackKind::Voice, TrackKind::Board, TrackKind::Camera];

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let candidates = [SocketAddr::from(([192, 0, 2, 1], 3478))];
    let local = Local {
        ice_ufrag: "tongke01",
        ice_pwd: "0123456789abcdefghijkl",
        fingerprint_sha256: "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
        candidates: &candidates,
        tcp: false,
        session_id: 7,
    };
    let mut last = 0;
    let mut ssrc = || {
        last += 1;
        last
    };
    let answer = match which % 4 {
        0 => answer_publisher(text, TrackKind::Camera, &local).map(|(answer, _)| answer),
        1 => answer_viewer(text, Some(&LESSON), &[(TrackKind::Camera, Codec::H264)], &mut ssrc, &local)
            .map(|(answer, _)| answer),
        2 => answer_viewer(text, None, &[], &mut ssrc, &local).map(|(answer, _)| answer),
        _ => {
            let _ = fragment_credentials(text);
            return;
        }
    };
    let Ok(answer) = answer else { return };
    // Nothing of the offer may begin a line of its own in the answer.
    assert!(answer.ends_with("\r\n") && answer.split("\r\n").all(|line| !line.contains(['\r', '\n'])));
    let lines = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
    assert_eq!(lines(&answer), lines(text), "one m-line for each");
});
