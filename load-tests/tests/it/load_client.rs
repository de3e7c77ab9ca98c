//! The load client against a hub on real sockets: what `tongke-load` measures with must itself be right.
#![expect(clippy::disallowed_methods, reason = "an integration test over real sockets: it needs the clock")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use load_tests::{
    client::{
        classrooms::{Classrooms, Reception},
        delay::SendTimes,
        http::Session,
        seat::Entry,
        teacher::Teacher,
    },
    media::clip::{Clip, Picture},
};
use sfu::{Hub, HubConfig, TrackKind};

const CLASSROOMS: usize = 8;

/// A clip of two seconds: a keyframe of 20 packets, pictures of 4; every byte different enough to be told apart.
fn clip() -> Clip {
    let picture = |number: u32| {
        let keyframe = number == 0;
        let mut unit = Vec::new();
        if keyframe {
            unit.extend_from_slice(b"\0\0\0\x01\x67\x42\xe0\x1f\x8c\x8d\x40\0\0\0\x01\x68\xce\x3c\x80");
        }
        unit.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }, 0x88]);
        let bytes = if keyframe { 22_000 } else { 4_000 };
        unit.extend(
            (0..bytes).map(|at: u32| (at.wrapping_mul(2_654_435_761).wrapping_add(number * 977) >> 24) as u8 | 1),
        );
        Picture { access_unit: Bytes::from(unit), keyframe }
    };
    let voice = (0..100u32).map(|number| (0..80).map(|at| (at * 7 + number) as u8 | 1).collect()).collect();
    Clip { pictures: (0..50).map(picture).collect(), voice, frame_rate: 25 }
}

/// A busy machine takes longer, so packets are waited for and not time.
fn wait_until_sent(teacher: &Teacher, packets: u64) {
    let until = Instant::now() + Duration::from_secs(60);
    while teacher.counts().packets < packets {
        assert!(Instant::now() < until, "the teacher sent {:?}", teacher.counts());
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

#[test]
fn classrooms_receive_everything_that_a_teacher_sends() {
    let config = HubConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        announce: vec![Ipv4Addr::LOCALHOST.into()],
        tcp: false,
        workers: 1,
        max_seats: None,
    };
    let hub = Hub::start(config, Arc::new(|_| {})).unwrap();
    let room = hub.open_room();
    let times = Arc::new(SendTimes::new(Instant::now()));
    let publish = |offer: &str| {
        let answered = hub.publish(room, TrackKind::Camera, offer)?;
        Ok(Session { sdp: answered.sdp, location: String::new() })
    };
    let teacher = Teacher::start(publish, Arc::new(clip()), times.clone(), None).unwrap();

    let slots = vec![TrackKind::Voice, TrackKind::Camera];
    let reception = Reception { threads: 1, gro: false, check_every: 1, slots: slots.clone(), cpu: None };
    let classrooms = Classrooms::open(reception).unwrap();
    for number in 0..CLASSROOMS {
        let play = |offer: &str| {
            let answered = hub.play(room, Some(&slots), offer)?;
            Ok(Session { sdp: answered.sdp, location: String::new() })
        };
        classrooms.join(number, Entry::ordinary(&times), play).unwrap();
    }
    wait_until_sent(&teacher, 300);
    classrooms.start_counting();
    let before = teacher.counts().packets;
    wait_until_sent(&teacher, before + 500);
    let sent = teacher.counts().packets - before;
    let lanes = classrooms.finish().unwrap();
    teacher.stop().unwrap();

    let lane = &lanes[0];
    assert_eq!((lane.broken_count, lane.tally.refused), (0, 0), "{:?}", lane.broken);
    assert_eq!((lane.first_packets.len(), lane.first_pictures.len()), (CLASSROOMS, CLASSROOMS));
    // The two counts do not begin and end in the same microsecond: a picture more or less.
    let expected = sent * CLASSROOMS as u64;
    assert!(lane.tally.packets.abs_diff(expected) < expected / 5, "{} of {expected}", lane.tally.packets);
    assert!(lane.tally.missed - lane.tally.repaired.min(lane.tally.missed) <= expected / 100, "{:?}", lane.tally);
    assert!(lane.delays.len() > expected / 2, "{} of {expected} found their send time", lane.delays.len());
    assert_eq!(hub.stats().panics, 0);
    hub.shut_down();
}
