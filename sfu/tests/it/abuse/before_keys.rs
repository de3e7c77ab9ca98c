//! Cases 1 to 14: an attacker who can send datagrams to the media port, without keys.

use std::{net::SocketAddr, time::Duration};

use bytes::BytesMut;
use rtc_rtcp::receiver_report::ReceiverReport;
use sfu::{
    HubEvent, PeerId, TrackKind,
    answer::{DtlsRole, Local, answer_viewer},
    event::GoneReason,
    limits::{CONNECT_WITHIN, CONSENT_EXPIRES_AFTER, HALF_OPEN_PER_ROOM_MAX},
    lobby::{Admission, Terms},
    stats::Dropped,
    transport::{
        dtls::{Handshake, Identity},
        ice::Credentials,
    },
};

use crate::{
    abuse::beside::{Beside, Sent},
    abuse::browser::{Browser, fingerprints},
    seeded::{FRAME, Far, Lesson, ROOM, publish_terms, view_terms},
};

/// The client's whole handshake with nothing in its way. Returns whether it has keys.
fn connects(lesson: &mut Lesson, beside: &mut Beside, browser: &mut Browser) -> bool {
    browser.come(lesson);
    let mut sent = beside.frame(lesson);
    for _ in 0..20 {
        if !browser.answer(lesson, &sent) {
            break;
        }
        sent = beside.frame(lesson);
    }
    browser.keys.is_some() && events(lesson).iter().any(|event| matches!(event, HubEvent::PeerConnected { .. }))
}

fn events(lesson: &mut Lesson) -> Vec<HubEvent> {
    std::iter::from_fn(|| lesson.worker.poll_event()).collect()
}

fn gone(lesson: &mut Lesson, peer: u64) -> Option<GoneReason> {
    events(lesson).into_iter().find_map(|event| match event {
        HubEvent::PeerGone { peer: gone, reason, .. } if gone == PeerId(peer) => Some(reason),
        _ => None,
    })
}

fn is_sent_to(sent: &Sent, address: SocketAddr) -> bool {
    sent.iter().any(|(to, _)| *to == address)
}

fn hello(lesson: &Lesson) -> Vec<u8> {
    let own = Identity::generate().unwrap();
    let mut client = Handshake::active(lesson.now, &own, fingerprints(&lesson.identity)).unwrap();
    client.poll_transmit().unwrap().to_vec()
}

#[test]
fn a_strangers_client_hello_is_not_answered_and_the_real_client_connects() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let hello = hello(&lesson);
    let mut browser = Browser::new(&lesson, 2, view_terms());
    browser.come(&mut lesson);
    // Case 1: another host. Case 2: the same host, another port, as behind a school's router.
    let other_port = SocketAddr::new(browser.address.ip(), 5_001);
    let strangers: [SocketAddr; 2] = ["203.0.113.1:9".parse().unwrap(), other_port];
    for _ in 0..25 {
        for stranger in strangers {
            for _ in 0..40 {
                lesson.worker.handle_datagram(lesson.now, stranger, BytesMut::from(&hello[..]));
            }
        }
        let sent = beside.frame(&mut lesson);
        assert!(strangers.iter().all(|stranger| !is_sent_to(&sent, *stranger)));
        browser.answer(&mut lesson, &sent);
    }
    assert!(browser.keys.is_some());
    beside.frames(&mut lesson, 26);
    assert!(lesson.dropped(Dropped::Unroutable) >= 2_000);
    beside.lost_nothing(&mut lesson);
}

#[test]
fn handshakes_in_plain_text_change_nothing_once_the_keys_are_there() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut teacher = lesson.join(1, publish_terms());
    let mut browser = Browser::new(&lesson, 2, view_terms());
    assert!(connects(&mut lesson, &mut beside, &mut browser));
    let mut room = browser.far(&lesson);
    let mut answered = 0;
    for number in 0..50 {
        let hello = hello(&lesson);
        for _ in 0..20 {
            browser.say(&mut lesson, &hello);
        }
        // close_notify and a fatal alert, a change of cipher, data: all of epoch 0.
        for (kind, body) in [(21, &[1, 0][..]), (21, &[2, 40]), (20, &[1]), (23, &[0; 40])] {
            let mut record = vec![kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 1, number as u8, 0, body.len() as u8];
            record.extend_from_slice(body);
            browser.say(&mut lesson, &record);
        }
        lesson.picture(&mut teacher, number, number == 0);
        let sent = beside.frame(&mut lesson);
        assert_eq!(room.rtp(&sent).iter().filter(|packet| packet.0 == 80).count(), 1, "picture {number}");
        answered += sent.iter().filter(|(to, bytes)| *to == browser.address && bytes[0] < 64).count();
    }
    assert!(answered <= 40, "a thousand hellos were answered by {answered} datagrams");
    assert_eq!(gone(&mut lesson, 2), None);
    beside.lost_nothing(&mut lesson);
}

/// Records of one handshake fragment each, of message 0: (offset, length, whole length, bytes).
fn fragments(first_seq: u32, parts: &[(u32, u32, u32, usize)]) -> Vec<u8> {
    let mut datagram = Vec::new();
    for (seq, (offset, length, whole, bytes)) in (first_seq..).zip(parts) {
        datagram.extend_from_slice(&[22, 0xfe, 0xfd, 0, 0, 0, 0]);
        datagram.extend_from_slice(&seq.to_be_bytes());
        datagram.extend_from_slice(&(12 + *bytes as u16).to_be_bytes());
        datagram.push(1);
        datagram.extend_from_slice(&whole.to_be_bytes()[1..]);
        datagram.extend_from_slice(&[0, 0]);
        datagram.extend_from_slice(&offset.to_be_bytes()[1..]);
        datagram.extend_from_slice(&length.to_be_bytes()[1..]);
        datagram.resize(datagram.len() + bytes, 7);
    }
    datagram
}

#[test]
fn fragments_that_never_complete_are_bounded_and_forgotten() {
    const WHOLE: u32 = 0x00ff_ffff;
    // One byte each, each found from the one before it: every one is a step of a recursion.
    let chain = |at: u32| fragments(at * 45, &(0..45).map(|step| (at * 45 + step, 1, WHOLE, 1)).collect::<Vec<_>>());
    let backwards = |at: u32| {
        let last = 2_000 * 45 - at * 45;
        fragments(at * 45, &(1..46).map(|step| (last - step, 1, WHOLE, 1)).collect::<Vec<_>>())
    };
    let overlapping = |at: u32| fragments(at * 2, &[(0, 500, 1_000, 500), (100, 800, 1_000, 300)]);
    let empty = |at: u32| fragments(at * 45, &[(at + 1, 0, WHOLE, 0); 45]);
    let lying = |at: u32| fragments(at, &[(0, WHOLE, WHOLE, 40)]);
    let kinds: [&dyn Fn(u32) -> Vec<u8>; 5] = [&chain, &backwards, &overlapping, &empty, &lying];
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let browsers: Vec<Browser> = (2..7).map(|peer| Browser::new(&lesson, peer, view_terms())).collect();
    for browser in &browsers {
        browser.come(&mut lesson);
    }
    for round in 0..200 {
        for (browser, kind) in browsers.iter().zip(kinds) {
            for step in 0..10 {
                browser.say(&mut lesson, &kind(round * 10 + step));
            }
        }
        beside.frame(&mut lesson);
    }
    // Eight seconds; those who still stand by then are out after fifteen.
    let checks = CONNECT_WITHIN.as_millis() / FRAME.as_millis() - 200;
    for _ in 0..checks {
        browsers.iter().for_each(|browser| browser.come(&mut lesson));
        beside.frame(&mut lesson);
    }
    let gone = events(&mut lesson).iter().filter(|event| matches!(event, HubEvent::PeerGone { .. })).count();
    assert_eq!(gone, browsers.len());
    beside.lost_nothing(&mut lesson);
    assert_eq!(lesson.worker.stats().peers.len(), 3, "only the lesson beside it is left");
}

#[test]
fn fragments_after_the_handshake_are_bounded_too() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut browser = Browser::new(&lesson, 2, view_terms());
    assert!(connects(&mut lesson, &mut beside, &mut browser));
    let mut room = browser.far(&lesson);
    let mut teacher = lesson.join(1, publish_terms());
    for number in 0..50u16 {
        for step in 0..200 {
            let seq = 1_000 + (u32::from(number) * 200 + step) * 45;
            browser.say(&mut lesson, &fragments(seq, &[(1, 0, 0x00ff_ffff, 0); 45]));
        }
        lesson.picture(&mut teacher, number, number == 0);
        let sent = beside.frame(&mut lesson);
        assert_eq!(room.rtp(&sent).iter().filter(|packet| packet.0 == 80).count(), 1);
    }
    // An encrypted close_notify still counts.
    browser.handshake.close(lesson.now);
    let goodbye = browser.handshake.poll_transmit().unwrap();
    browser.say(&mut lesson, &goodbye);
    assert_eq!(gone(&mut lesson, 2), Some(GoneReason::Left));
    beside.lost_nothing(&mut lesson);
}

#[test]
fn a_certificate_that_was_not_offered_is_refused_in_either_role() {
    for role in [DtlsRole::Passive, DtlsRole::Active] {
        let mut lesson = Lesson::new();
        let mut beside = Beside::new(&mut lesson);
        let (offered, thief) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let mut browser = Browser::offers(&lesson, 2, publish_terms(), role, &offered, &thief);
        assert!(!connects(&mut lesson, &mut beside, &mut browser), "{role:?}");
        assert_eq!(gone(&mut lesson, 2).or(Some(GoneReason::HandshakeFailed)), Some(GoneReason::HandshakeFailed));
        beside.frames(&mut lesson, 26);
        assert!(!lesson.worker.stats().peers.contains_key(&PeerId(2)), "{role:?}");
        beside.lost_nothing(&mut lesson);

        let mut lesson = Lesson::new();
        let mut beside = Beside::new(&mut lesson);
        let mut honest = Browser::offers(&lesson, 2, publish_terms(), role, &offered, &offered);
        assert!(connects(&mut lesson, &mut beside, &mut honest), "an honest one in that role: {role:?}");
        beside.lost_nothing(&mut lesson);
    }
}

#[test]
fn old_versions_and_ciphers_without_a_key_are_refused() {
    // Where in a ClientHello: the version, and each cipher suite.
    type Patch = fn(&mut [u8]);
    let version: Patch = |hello| hello[25..27].copy_from_slice(&[0xfe, 0xff]);
    let ciphers: Patch = |hello| {
        let session = 25 + 34;
        let cookie = session + 1 + usize::from(hello[session]);
        let suites = cookie + 1 + usize::from(hello[cookie]);
        let size = usize::from(u16::from_be_bytes([hello[suites], hello[suites + 1]]));
        // TLS_RSA_WITH_NULL_SHA, and RC4-40 for export.
        for pair in hello[suites + 2..suites + 2 + size].chunks_exact_mut(4) {
            pair.copy_from_slice(&[0, 2, 0, 3]);
        }
    };
    for patch in [version, ciphers] {
        let mut lesson = Lesson::new();
        let mut beside = Beside::new(&mut lesson);
        let mut browser = Browser::new(&lesson, 2, view_terms());
        browser.come(&mut lesson);
        for _ in 0..420 {
            while let Some(mut datagram) = browser.handshake.poll_transmit() {
                if datagram[0] == 22 && datagram[13] == 1 {
                    patch(&mut datagram);
                }
                browser.say(&mut lesson, &datagram);
            }
            let sent = beside.frame(&mut lesson);
            for (to, datagram) in &sent {
                if *to == browser.address && (20..64).contains(&datagram[0]) {
                    let _ = browser.handshake.handle_datagram(lesson.now, datagram);
                }
            }
            let _ = browser.handshake.handle_timeout(lesson.now);
        }
        let refused = events(&mut lesson);
        assert!(!refused.iter().any(|event| matches!(event, HubEvent::PeerConnected { peer: PeerId(2), .. })));
        assert!(refused.iter().any(|event| matches!(event, HubEvent::PeerGone { peer: PeerId(2), .. })));
        beside.lost_nothing(&mut lesson);
    }
}

#[test]
fn broken_checks_are_dropped_without_an_answer() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let browser = Browser::new(&lesson, 2, view_terms());
    let real = browser.check(&lesson, &browser.ours.pwd);
    let patched = |at: usize, byte: u8| {
        let mut check = real.clone();
        check[at] = byte;
        check
    };
    let mut long = real.clone();
    long.resize(65_000, 0);
    let broken = [
        real[..19].to_vec(),
        real[..real.len() - 1].to_vec(),
        patched(3, real[3] + 1),                        // a length that is no multiple of four
        patched(3, 0),                                  // a length of nothing
        patched(23, 0xff),                              // USERNAME beyond the end
        patched(real.len() - 1, !real[real.len() - 1]), // FINGERPRINT
        patched(20, 0x7f),                              // an attribute that must be understood and is not
        patched(0, 0x11),                               // no class of a request
        patched(1, 0x11),                               // an indication
        long,
    ];
    for datagram in &broken {
        for _ in 0..20 {
            browser.say(&mut lesson, datagram);
        }
    }
    let sent = beside.frames(&mut lesson, 30);
    assert!(!is_sent_to(&sent, browser.address));
    let dropped = lesson.dropped(Dropped::Malformed) + lesson.dropped(Dropped::BadCheck);
    assert_eq!(dropped, 20 * broken.len() as u64);
    beside.lost_nothing(&mut lesson);
}

#[test]
fn only_our_password_is_answered_and_by_no_more_than_half_again() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut browser = Browser::new(&lesson, 2, view_terms());
    // Cases 8 and 9: 10,000 guesses in a second, of names and of passwords.
    for guess in 0..10_000u32 {
        let stranger = SocketAddr::from(([203, 0, 113, guess as u8], 9));
        let known = Credentials { ufrag: format!("hub{guess:05}"), pwd: String::new() };
        let named = Browser { ours: known, ..Browser::new_for_guesses(&lesson) };
        let check = match guess % 2 {
            0 => named.check(&lesson, "0123456789abcdefghijklmn"),
            _ => browser.check(&lesson, &format!("{guess:024}")),
        };
        // The right name with the right password is no guess.
        if guess != 2 {
            lesson.worker.handle_datagram(lesson.now, stranger, BytesMut::from(&check[..]));
        }
        if guess % 400 == 399 {
            let sent = beside.frame(&mut lesson);
            assert!(sent.iter().all(|(to, _)| to.ip() != stranger.ip() && !to.ip().to_string().starts_with("203.")));
        }
    }
    beside.frames(&mut lesson, 26);
    assert_eq!(lesson.dropped(Dropped::BadCheck), 9_999);
    let check = browser.check(&lesson, &browser.ours.pwd);
    browser.say(&mut lesson, &check);
    let sent = beside.frame(&mut lesson);
    let answer: usize = sent.iter().filter(|(to, _)| *to == browser.address).map(|(_, bytes)| bytes.len()).sum();
    assert!(answer > 0 && answer * 2 <= check.len() * 3, "{} bytes are answered by {answer}", check.len());
    assert!(connects(&mut lesson, &mut beside, &mut browser));
    beside.lost_nothing(&mut lesson);
}

#[test]
fn offers_that_never_come_are_capped_and_forgotten() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let admission = |peer: u64, lesson: &Lesson| Admission {
        peer: PeerId(peer),
        room: ROOM,
        ours: Credentials { ufrag: format!("half{peer}"), pwd: "x".repeat(24) },
        terms: view_terms(),
        at: lesson.now,
    };
    let admitted =
        (0..50_000).filter(|peer| lesson.lobby.admit(admission(1_000 + peer, &lesson), 10_000).is_ok()).count();
    assert_eq!(admitted, HALF_OPEN_PER_ROOM_MAX);
    beside.frames(&mut lesson, 16 * 25);
    let late = events(&mut lesson)
        .iter()
        .filter(|event| matches!(event, HubEvent::PeerGone { reason: GoneReason::NeverConnected, .. }))
        .count();
    assert_eq!(late, HALF_OPEN_PER_ROOM_MAX);
    assert!(lesson.lobby.admit(admission(1, &lesson), 10).is_ok(), "every seat is free again");
    beside.lost_nothing(&mut lesson);
}

#[test]
fn a_viewer_that_falls_silent_is_left_alone_after_15_seconds() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut teacher = lesson.join(1, publish_terms());
    let room = lesson.join(2, view_terms());
    let began = lesson.now;
    let mut last = lesson.now;
    for number in 0..500 {
        lesson.picture(&mut teacher, number, number % 50 == 0);
        if is_sent_to(&beside.frame(&mut lesson), room.address) {
            last = lesson.now;
        }
    }
    assert!(last.duration_since(began) <= CONSENT_EXPIRES_AFTER + FRAME);
    assert_eq!(gone(&mut lesson, 2), Some(GoneReason::Silent));
    beside.lost_nothing(&mut lesson);
}

#[test]
fn nothing_is_sent_to_candidates_of_an_offer() {
    let hostile = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.5", "224.0.0.1", "a-b.local"];
    let lines: String = (0..500)
        .map(|number| {
            let ip = hostile[number % hostile.len()];
            format!("a=candidate:{number} 1 udp 2130706431 {ip} {} typ host\r\n", 1_000 + number)
        })
        .collect();
    let offer = include_str!("../../offers/chromium-receive.sdp");
    let offer = offer.replacen("a=rtcp-mux\r\n", &format!("a=rtcp-mux\r\n{lines}"), 1);
    assert!(offer.contains("169.254.169.254"));
    let local = Local {
        ice_ufrag: "hub00002",
        ice_pwd: "0123456789abcdefghijklmn",
        fingerprint_sha256: "00",
        candidates: &[],
        tcp: false,
        session_id: 1,
    };
    let kinds = [TrackKind::Voice, TrackKind::Board, TrackKind::Camera];
    let (answer, terms) = answer_viewer(&offer, Some(&kinds), &[], &mut || 1, &local).unwrap();
    assert!(hostile.iter().all(|ip| !answer.contains(&format!(" {ip} "))));
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let ours = Credentials { ufrag: local.ice_ufrag.into(), pwd: local.ice_pwd.into() };
    let admission = Admission { peer: PeerId(2), room: ROOM, ours, terms: Terms::View(terms), at: lesson.now };
    assert!(lesson.lobby.admit(admission, 10).is_ok());
    let sent = beside.frames(&mut lesson, 400);
    assert!(sent.iter().all(|(to, _)| to.ip().to_string().starts_with("192.0.2.25")), "only the lesson beside it");
    beside.lost_nothing(&mut lesson);
}

#[test]
fn media_before_the_keys_is_dropped() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut browser = Browser::new(&lesson, 2, publish_terms());
    browser.come(&mut lesson);
    for number in 0..1_000u16 {
        let [high, low] = number.to_be_bytes();
        browser.say(&mut lesson, &[&[0x80, 111, high, low, 0, 0, 0, 1, 0, 0, 7, 208][..], &[0; 60]].concat());
        browser.say(&mut lesson, &[&[0x80, 200, 0, 6, 0, 0, 7, 208][..], &[0; 60]].concat());
    }
    beside.frames(&mut lesson, 26);
    assert_eq!(lesson.dropped(Dropped::NotReady), 2_000);
    assert!(connects(&mut lesson, &mut beside, &mut browser));
    beside.lost_nothing(&mut lesson);
}

/// Case 14 as far as the worker goes; that the kernel's buffer holds is for real sockets.
#[test]
fn noise_from_everywhere_is_counted_and_nothing_else() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut state = 7u64;
    let mut total = 0;
    for _ in 0..50 {
        for _ in 0..2_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bytes = state.to_be_bytes();
            let from = SocketAddr::from(([203, 0, bytes[0], bytes[1]], u16::from_be_bytes([bytes[2], bytes[3]])));
            let noise: Vec<u8> = bytes.iter().cycle().take(usize::from(bytes[4])).copied().collect();
            lesson.worker.handle_datagram(lesson.now, from, BytesMut::from(&noise[..]));
            total += 1;
        }
        let sent = beside.frame(&mut lesson);
        assert!(sent.iter().all(|(to, _)| !to.ip().to_string().starts_with("203.")));
    }
    beside.frames(&mut lesson, 26);
    assert_eq!(lesson.worker.stats().dropped.values().sum::<u64>(), total);
    beside.lost_nothing(&mut lesson);
}

#[test]
fn noise_buys_a_bounded_search_and_a_classroom_that_moves_is_found_a_second_later() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut teacher = lesson.join(1, publish_terms());
    beside.frames(&mut lesson, 30);
    // All peers were heard just now, so no keys are tried; the search alone is the cost.
    let mut room = lesson.join(2, view_terms());
    let _others: Vec<Far> = (3..200).map(|peer| lesson.join(peer, view_terms())).collect();
    let noise = [&[0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 7, 208][..], &[9; 60]].concat();
    for port in 0..2_000 {
        let from = SocketAddr::from(([203, 0, 113, 1], port));
        lesson.worker.handle_datagram(lesson.now, from, BytesMut::from(&noise[..]));
    }
    room.address = "198.51.100.9:5555".parse().unwrap();
    let mut found = Vec::new();
    for number in 0..40 {
        let report = room.report(&ReceiverReport { ssrc: 1, ..Default::default() });
        lesson.worker.handle_datagram(lesson.now, room.address, report);
        lesson.picture(&mut teacher, number, number == 0);
        found.push(room.rtp(&beside.frame(&mut lesson)).len() == 1);
    }
    assert!(!found[1..10].contains(&true), "the search of that second is spent");
    assert!(found[30..].iter().all(|found| *found), "{found:?}");
    beside.lost_nothing(&mut lesson);
}

#[test]
fn a_check_does_not_take_the_address_of_a_teacher_who_speaks() {
    let mut lesson = Lesson::new();
    let mut beside = Beside::new(&mut lesson);
    let mut teacher = lesson.join(1, publish_terms());
    let mut room = lesson.join(2, view_terms());
    // A classroom with a seat of its own forges where its checks come from.
    let mut thief = Browser::new(&lesson, 3, view_terms());
    thief.address = teacher.address;
    for number in 0..50 {
        thief.come(&mut lesson);
        lesson.picture(&mut teacher, number, number == 0);
        let sent = beside.frame(&mut lesson);
        assert_eq!(room.rtp(&sent).iter().filter(|packet| packet.0 == 80).count(), 1, "picture {number}");
        lesson.run(Duration::ZERO);
    }
    beside.lost_nothing(&mut lesson);
}
