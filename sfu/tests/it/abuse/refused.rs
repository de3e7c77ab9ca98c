//! Cases 31 and 32: what the hub does not speak at all.

use sfu::{
    TrackKind,
    answer::{Local, answer_viewer},
    stats::Dropped,
};

use crate::{
    abuse::beside::Beside,
    abuse::browser::Browser,
    seeded::{Lesson, view_terms},
};

#[test]
fn a_data_channel_is_refused_in_the_answer_and_what_comes_for_one_is_dropped() {
    let local = Local {
        ice_ufrag: "hub00002",
        ice_pwd: "0123456789abcdefghijklmn",
        fingerprint_sha256: "00",
        candidates: &[],
        tcp: false,
        session_id: 1,
    };
    let offer = include_str!("../../offers/chromium-datachannel.sdp");
    assert!(offer.contains("m=application "));
    let kinds = [TrackKind::Voice, TrackKind::Camera];
    let (answer, _) = answer_viewer(offer, Some(&kinds), &[], &mut || 1, &local).unwrap();
    let line = answer.lines().find(|line| line.starts_with("m=application ")).unwrap();
    assert!(line.starts_with("m=application 0 "), "{line}");

    // SCTP goes inside DTLS: 1,000 records of it are ignored.
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut browser = Browser::new(&lesson, 2, view_terms());
    browser.come(&mut lesson);
    for _ in 0..20 {
        let sent = beside.frame(&mut lesson);
        browser.answer(&mut lesson, &sent);
    }
    assert!(browser.keys.is_some());
    for number in 0..1_000u16 {
        let mut record = vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 1];
        record.extend_from_slice(&number.to_be_bytes());
        record.extend_from_slice(&[4, 0]);
        record.resize(13 + 1_024, 7);
        browser.say(&mut lesson, &record);
    }
    let sent = beside.frames(&mut lesson, 5);
    assert!(sent.iter().all(|(to, bytes)| *to != browser.address || bytes[0] >= 128), "nothing is answered");
    beside.lost_nothing(&mut lesson);
}

/// There is no way from hub to hub on the media port: what comes from elsewhere is a peer with a seat, or nothing.
#[test]
fn a_packet_from_another_hub_is_a_strangers() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut relay = lesson.join(1, view_terms());
    lesson.worker.handle_command(lesson.now, sfu::worker::Command::ClosePeer(sfu::PeerId(1)));
    for number in 0..100 {
        lesson.picture(&mut relay, number, true);
    }
    beside.frames(&mut lesson, 30);
    assert_eq!(lesson.dropped(Dropped::Unroutable), 100);
    beside.lost_nothing(&mut lesson);
}
