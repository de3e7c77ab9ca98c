//! Abuse case 14: rubbish at the real media port, as fast as it comes, and a lesson beside it.
#![expect(clippy::disallowed_methods, reason = "an integration test over real sockets: it needs the clock and threads")]

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use load_tests::{
    client::{
        classrooms::{Classrooms, Reception},
        delay::SendTimes,
        seat::Entry,
        teacher::Teacher,
    },
    lesson::Lesson,
    media::clip::{Clip, Picture},
};
use quinn_udp::{Transmit, UdpSocketState};
use rand::{Rng as _, RngCore as _, SeedableRng as _, rngs::SmallRng};
use sfu::{Hub, HubConfig, TrackKind};

const CLASSROOMS: usize = 8;

/// 1 Mbit/s: a keyframe of 20 packets, pictures of 4.
fn clip() -> Clip {
    let picture = |number: u32| {
        let keyframe = number == 0;
        let mut unit = Vec::new();
        if keyframe {
            unit.extend_from_slice(b"\0\0\0\x01\x67\x42\xe0\x1f\x8c\x8d\x40\0\0\0\x01\x68\xce\x3c\x80");
        }
        unit.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }, 0x88]);
        unit.resize(if keyframe { 22_000 } else { 4_400 }, 0x55);
        Picture { access_unit: Bytes::from(unit), keyframe }
    };
    Clip { pictures: (0..50).map(picture).collect(), voice: vec![Bytes::from(vec![7; 80])], frame_rate: 25 }
}

/// A datagram that looks like something at first sight: a check, a handshake, media, reports, or nothing at all.
fn rubbish(random: &mut SmallRng) -> [u8; RUBBISH_BYTES] {
    let mut bytes = [0; RUBBISH_BYTES];
    random.fill_bytes(&mut bytes);
    match random.random_range(0..5) {
        0 => {
            bytes[..8].copy_from_slice(&[0, 1, 0, (RUBBISH_BYTES - 20) as u8, 0x21, 0x12, 0xa4, 0x42]);
            bytes[20..24].copy_from_slice(&[0, 6, 0, 64]); // USERNAME
            bytes[28] = b':';
            bytes[88..92].copy_from_slice(&[0, 8, 0, 20]); // MESSAGE-INTEGRITY
            bytes[112..116].copy_from_slice(&[0, 0x24, 0, 0]);
        }
        1 => bytes[..3].copy_from_slice(&[22, 254, 253]),
        2 => bytes[..2].copy_from_slice(&[0x80, 111]),
        3 => bytes[..8].copy_from_slice(&[0x81, 201, 0, 7, 0, 0, 0, 1]), // Chromium's own SSRC
        _ => {}
    }
    bytes
}

/// Sends `total` datagrams from several ports, `per_second` a second, and counts in `sent` what the kernel took. Returns
/// how long that took.
fn flood(to: SocketAddr, per_second: u64, total: u64, sent: &AtomicU64) -> Duration {
    let sockets: Vec<_> = (0..8)
        .map(|_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let state = UdpSocketState::new((&socket).into()).unwrap();
            (socket, state)
        })
        .collect();
    let mut random = SmallRng::seed_from_u64(14);
    let each = sockets[0].1.max_gso_segments().clamp(1, 50);
    let runs: Vec<Vec<u8>> = (0..64).map(|_| (0..each).flat_map(|_| rubbish(&mut random)).collect()).collect();
    let (began, mut turn) = (Instant::now(), 0usize);
    while sent.load(Ordering::Relaxed) < total {
        let due = (began.elapsed().as_secs_f64() * per_second as f64) as u64;
        // After a machine's pause no burst makes up for it: that would be another flood than asked for.
        let due = due.min(sent.load(Ordering::Relaxed) + per_second / 50).min(total);
        while sent.load(Ordering::Relaxed) < due {
            let (socket, state) = &sockets[turn % sockets.len()];
            let contents = &runs[turn % runs.len()][..];
            let segment_size = (each > 1).then_some(RUBBISH_BYTES);
            let transmit = Transmit { destination: to, ecn: None, contents, segment_size, src_ip: None };
            turn += 1;
            // Where the kernel takes no more, a moment is lost and the rate is kept.
            if state.try_send(socket.into(), &transmit).is_err() {
                break;
            }
            sent.fetch_add(each as u64, Ordering::Relaxed);
        }
        thread::park_timeout(Duration::from_micros(500));
    }
    began.elapsed()
}

#[test]
fn rubbish_at_the_media_port_costs_a_lesson_nothing() {
    let is_deep = std::env::var_os("DEEP").is_some();
    let (per_second, lasts) = if is_deep { (200_000, 20) } else { (20_000, 3) };
    let config = HubConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        announce: vec![Ipv4Addr::LOCALHOST.into()],
        tcp: false,
        workers: 1,
        max_seats: None,
    };
    let hub = Hub::start(config, Arc::new(|_| {})).unwrap();
    let room = hub.open_room();
    let lesson = Lesson::Hosted(hub.clone(), room);
    let times = Arc::new(SendTimes::new(Instant::now()));
    let teacher =
        Teacher::start(|offer| lesson.publish(TrackKind::Camera, offer), Arc::new(clip()), times.clone(), None)
            .unwrap();
    let slots = vec![TrackKind::Voice, TrackKind::Camera];
    let reception = Reception { threads: 1, gro: false, check_every: 1, slots: slots.clone(), cpu: None };
    let classrooms = Classrooms::open(reception).unwrap();
    for number in 0..CLASSROOMS {
        classrooms.join(number, Entry::ordinary(&times), |offer| lesson.play(&slots, offer)).unwrap();
    }
    let until = Instant::now() + Duration::from_secs(60);
    while classrooms.lane_reports().unwrap().iter().any(|lane| lane.first_pictures.len() < CLASSROOMS) {
        assert!(Instant::now() < until, "a classroom saw nothing");
        thread::park_timeout(Duration::from_millis(5));
    }

    let (port, rubbish) = (hub.media_address(), Arc::new(AtomicU64::new(0)));
    let flooding = {
        let rubbish = rubbish.clone();
        thread::spawn(move || flood(port, per_second, per_second * lasts, &rubbish))
    };
    classrooms.start_counting();
    let before = teacher.counts().packets;
    while !flooding.is_finished() {
        thread::park_timeout(Duration::from_millis(20));
    }
    let sent = teacher.counts().packets - before;
    let (took, rubbish) = (flooding.join().unwrap().as_secs_f64(), rubbish.load(Ordering::Relaxed));
    let dropped: u64 = hub.stats().dropped.values().sum();
    // What was lost on the way is mended within a round trip.
    thread::park_timeout(Duration::from_millis(300));
    let lanes = classrooms.finish().unwrap();
    teacher.stop().unwrap();

    let tally = &lanes[0].tally;
    let lost = tally.missed.saturating_sub(tally.repaired);
    println!(
        "row: abuse 14, rubbish at the media port, one worker: asked 200000 packets a second and a lesson that loses nothing, measured {:.0} a second sent, {dropped} of {rubbish} read and dropped by the hub, of {} packets to {CLASSROOMS} classrooms {} missed, {} repaired, {lost} lost, voice {} lost of {}, delay p50 {} p99 {} us",
        rubbish as f64 / took,
        tally.packets,
        tally.missed,
        tally.repaired,
        tally.voice_lost,
        tally.voice_packets,
        lanes[0].delays.value_at_quantile(0.5),
        lanes[0].delays.value_at_quantile(0.99),
    );
    assert_eq!((lanes[0].broken_count, tally.refused, hub.stats().panics), (0, 0, 0), "{:?}", lanes[0].broken);
    assert!(!is_deep || rubbish as f64 >= per_second as f64 * took * 0.9, "{rubbish} in {took} s is no flood");
    assert!(tally.packets >= sent * CLASSROOMS as u64 * 9 / 10, "{} of {sent} each", tally.packets);
    assert_eq!((lost, tally.voice_lost), (0, 0), "{tally:?}");
    hub.shut_down();
}

const RUBBISH_BYTES: usize = 120;
