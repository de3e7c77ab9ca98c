//! A lesson on one worker, in virtual time, from SRTP upwards.

use std::{collections::BTreeSet, sync::mpsc::RecvTimeoutError, time::Duration};

use crate::seeded::{FRAME, Far, Lesson, ROOM, publish_terms, view_terms};
use bytes::BytesMut;
use sfu::{
    HubEvent, PeerId, TrackKind,
    lobby::Terms,
    tap::{self, TapItem},
    worker::Command,
};

#[test]
fn every_classroom_gets_voice_and_picture_in_its_own_numbers() {
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut rooms: Vec<Far> = (2..5).map(|peer| lesson.join(peer, view_terms())).collect();
    for number in 0..50 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        lesson.send(&mut teacher, 2_000, 111, number, u32::from(number) * 1_920, false, &[0xf8, 1, 2]);
        let sent = lesson.run(FRAME);
        for room in &mut rooms {
            let packets = room.rtp(&sent);
            let expected = BTreeSet::from([(70, 109), (80, 97)]);
            assert_eq!(packets.iter().map(|packet| (packet.0, packet.1)).collect::<BTreeSet<_>>(), expected);
            assert_eq!(packets.iter().find(|packet| packet.0 == 80).unwrap().4[2], (100 + number) as u8);
        }
    }
    let mut kinds = Vec::new();
    while let Some(event) = lesson.worker.poll_event() {
        if let HubEvent::TrackStarted { kind, .. } = event {
            kinds.push(kind);
        }
    }
    assert_eq!(kinds, [TrackKind::Camera, TrackKind::Voice]);
}

#[test]
fn a_late_joiner_sees_the_whole_group_and_causes_no_keyframe() {
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    for number in 0..60 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        let sent = lesson.run(FRAME);
        let asked = teacher.rtcp(&sent).iter().any(|packet| {
            packet.as_any().is::<rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication>()
        });
        assert!(!asked);
    }
    let mut late = lesson.join(2, view_terms());
    let sent = lesson.run(Duration::from_millis(400));
    let pictures: Vec<u8> = late.rtp(&sent).iter().map(|packet| packet.4[2]).collect();
    assert_eq!(pictures, (100..160).map(|number| number as u8).collect::<Vec<_>>());
    let asked = teacher.rtcp(&sent).iter().any(|packet| {
        packet.as_any().is::<rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication>()
    });
    assert!(!asked, "joining asks nothing of the teacher");
}

#[test]
fn what_a_classroom_misses_is_repeated_once_per_round_trip() {
    use rtc_rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut room = lesson.join(2, view_terms());
    let mut seqs = Vec::new();
    for number in 0..10 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        let sent = lesson.run(FRAME);
        seqs.extend(room.rtp(&sent).iter().filter(|packet| packet.0 == 80).map(|packet| (packet.2, packet.3)));
    }
    let missed = seqs[4];
    for round in 0..3 {
        let nacks = nack_pairs_from_sequence_numbers(&[missed.0]);
        let nack = room.report(&TransportLayerNack { sender_ssrc: 1, media_ssrc: 80, nacks });
        lesson.worker.handle_datagram(lesson.now, room.address, nack);
        let sent = lesson.run(Duration::from_millis(5));
        let repeated = room.rtp(&sent);
        if round == 0 {
            let (ssrc, pt, _, timestamp, payload) = &repeated[0];
            assert_eq!((*ssrc, *pt, *timestamp), (81, 98, missed.1));
            assert_eq!(payload[..2], missed.0.to_be_bytes(), "the original number stands first (RFC 4588)");
            assert_eq!(payload[4], 104);
        } else {
            assert!(repeated.is_empty(), "asked again within a round trip");
        }
    }
}

#[test]
fn what_the_teacher_loses_is_asked_for_again_and_repaired() {
    use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut room = lesson.join(2, view_terms());
    let (mut asked, mut seen) = (Vec::new(), Vec::new());
    for number in 0..20 {
        if number != 7 {
            lesson.picture(&mut teacher, 100 + number, number == 0);
        }
        let sent = lesson.run(FRAME);
        seen.extend(room.rtp(&sent).iter().map(|packet| packet.4[2]));
        for packet in teacher.rtcp(&sent) {
            if let Some(nack) = packet.as_any().downcast_ref::<TransportLayerNack>() {
                let first = asked.is_empty();
                asked.extend(nack.nacks.iter().flat_map(|pair| pair.packet_list()));
                if first {
                    let repair = [&107u16.to_be_bytes()[..], &[0x41, 0x80, 107], &[7; 500]].concat();
                    lesson.send(&mut teacher, 1_001, 103, 1, 107 * 3_600, true, &repair);
                }
            }
        }
    }
    assert_eq!(asked, [107]);
    seen.sort_unstable();
    assert_eq!(seen, (100..120).map(|number| number as u8).collect::<Vec<_>>());
}

#[test]
fn a_teacher_who_comes_back_takes_the_old_tracks_place() {
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut room = lesson.join(2, view_terms());
    let (tap, reader) = tap::channel(1_000);
    lesson.worker.handle_command(lesson.now, Command::Tap { room: ROOM, tap });
    let mut numbers = Vec::new();
    for number in 0..10 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        let sent = lesson.run(FRAME);
        numbers.extend(room.rtp(&sent).iter().map(|packet| packet.2));
    }
    let mut again = lesson.join(3, publish_terms());
    for number in 0..10 {
        lesson.picture(&mut again, 30_000 + number, number == 2);
        let sent = lesson.run(FRAME);
        numbers.extend(room.rtp(&sent).iter().map(|packet| packet.2));
    }
    let first = numbers[0];
    let expected: Vec<u16> = (0..18).map(|step| first + step).collect();
    assert_eq!(numbers, expected, "ten pictures, then eight from the first keyframe on, without a hole");
    let (mut started, mut ended) = (0, 0);
    while let Some(item) = reader.try_recv() {
        match item {
            TapItem::Started { .. } => started += 1,
            TapItem::Ended { .. } => ended += 1,
            _ => {}
        }
    }
    assert_eq!((started, ended), (2, 1));
}

#[test]
fn a_recorder_that_cannot_decode_gets_a_keyframe_within_the_teachers_budget() {
    use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let (tap, reader) = tap::channel(10_000);
    lesson.worker.handle_command(lesson.now, Command::Tap { room: ROOM, tap });
    let (mut asked, mut answer) = (Vec::new(), false);
    for number in 0..330 {
        // Nothing is missing in the first second; then the reader asks more often than anybody should.
        if number >= 30 {
            reader.want_keyframe(TrackKind::Camera);
            reader.want_keyframe(TrackKind::Voice);
        }
        lesson.picture(&mut teacher, 100 + number, number == 0 || std::mem::take(&mut answer));
        let sent = lesson.run(FRAME);
        if teacher.rtcp(&sent).iter().any(|packet| packet.as_any().is::<PictureLossIndication>()) {
            asked.push(number);
            answer = true;
        }
    }
    assert!((30..70).contains(&asked[0]), "{asked:?}");
    assert!((4..=6).contains(&asked.len()), "at most one in two seconds: {asked:?}");
}

#[test]
fn a_classroom_whose_address_changes_is_followed_by_its_next_report() {
    use rtc_rtcp::receiver_report::ReceiverReport;
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut room = lesson.join(2, view_terms());
    for number in 0..10 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        lesson.run(FRAME);
    }
    room.address = "198.51.100.9:5555".parse().unwrap();
    let noise = BytesMut::from(
        &[0x80, 201, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9][..],
    );
    lesson.worker.handle_datagram(lesson.now, "203.0.113.1:1".parse().unwrap(), noise);
    let report = room.report(&ReceiverReport { ssrc: 1, ..Default::default() });
    lesson.worker.handle_datagram(lesson.now, room.address, report);
    lesson.picture(&mut teacher, 110, false);
    let sent = lesson.run(FRAME);
    assert_eq!(room.rtp(&sent).len(), 1);
    assert!(sent.iter().all(|(to, _)| *to == room.address || *to == teacher.address));
}

#[test]
fn a_peer_that_moves_is_found_among_many_at_once_and_is_sent_the_lost_voice() {
    use rtc_rtcp::receiver_report::ReceiverReport;
    let report = ReceiverReport { ssrc: 1, ..Default::default() };
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let Terms::View(mut terms) = view_terms() else { unreachable!() };
    terms.slots[0].red_pt = Some(63);
    let mut mover = lesson.join(200, Terms::View(terms));
    let mut others: Vec<Far> = (2..150).map(|peer| lesson.join(peer, view_terms())).collect();
    let voice = |lesson: &mut Lesson, teacher: &mut Far, number: u16| {
        lesson.send(teacher, 2_000, 111, number, u32::from(number) * 960, false, &[number as u8; 60]);
        lesson.run(Duration::from_millis(20))
    };
    // Chromium's classrooms all report under one SSRC, at different intervals; all were heard just now.
    for number in 0..50u16 {
        voice(&mut lesson, &mut teacher, number);
        for (_, other) in others.iter_mut().enumerate().filter(|(at, _)| usize::from(number) % (at % 7 + 1) == 0) {
            let said = other.report(&report);
            lesson.worker.handle_datagram(lesson.now, other.address, said);
        }
        let said = mover.report(&report);
        lesson.worker.handle_datagram(lesson.now, mover.address, said);
    }
    // The old path is dead: four packets are lost before a report comes from another address.
    let late = mover.report(&report);
    for number in 50..54 {
        voice(&mut lesson, &mut teacher, number);
    }
    let before = std::mem::replace(&mut mover.address, "198.51.100.9:5555".parse().unwrap());
    let said = mover.report(&report);
    lesson.worker.handle_datagram(lesson.now, mover.address, said);
    // What is late on the old way leads nowhere.
    lesson.worker.handle_datagram(lesson.now, before, late);
    let sent = voice(&mut lesson, &mut teacher, 54);
    let packets = mover.rtp(&sent);
    assert_eq!((packets.len(), packets[0].1), (1, 63));
    let blocks = sfu::forward::red::read(&packets[0].4, packets[0].3).unwrap();
    let lost_voice: Vec<u8> = blocks.iter().map(|block| block.payload[0]).collect();
    assert!(lost_voice.ends_with(&[50, 51, 52, 53, 54]), "{lost_voice:?}");
    assert_eq!(mover.rtp(&voice(&mut lesson, &mut teacher, 55))[0].1, 109, "once is enough");
}

#[test]
fn a_room_that_was_closed_before_the_tap_came_stays_closed() {
    let mut lesson = Lesson::new();
    lesson.lobby.close_room(ROOM);
    lesson.worker.handle_command(lesson.now, Command::CloseRoom(ROOM));
    let (tap, reader) = tap::channel(8);
    lesson.worker.handle_command(lesson.now, Command::Tap { room: ROOM, tap });
    assert_eq!(reader.recv_timeout(Duration::ZERO).unwrap_err(), RecvTimeoutError::Disconnected);
}

#[test]
fn a_silent_peer_is_forgotten_and_said_so() {
    let mut lesson = Lesson::new();
    let _room = lesson.join(2, view_terms());
    lesson.run(Duration::from_secs(16));
    let gone = std::iter::from_fn(|| lesson.worker.poll_event()).any(|event| {
        matches!(event, HubEvent::PeerGone { peer: PeerId(2), reason: sfu::event::GoneReason::Silent, .. })
    });
    assert!(gone);
}

#[test]
fn who_joins_while_a_picture_is_gathered_is_given_each_packet_once() {
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut rooms: Vec<(Far, usize)> = Vec::new();
    let mut number = 100;
    for picture in 0..40u8 {
        for part in 0..3u8 {
            let kind = if picture == 0 { 0x65 } else { 0x41 };
            let payload = [&[kind, 0x80, picture, part][..], &[7; 400]].concat();
            lesson.send(&mut teacher, 1_000, 102, number, u32::from(picture) * 3_600, part == 2, &payload);
            number += 1;
            if picture > 0 && picture % 3 == part {
                let room = lesson.join(10 + u64::from(picture), view_terms());
                rooms.push((room, 0));
            }
            let sent =
                lesson.run(Duration::from_micros(if part == 2 { 37_000 } else { 300 + u64::from(picture) * 40 }));
            for (room, packets) in &mut rooms {
                // A packet that came twice would not open: it has been replayed.
                *packets += room.rtp(&sent).len();
            }
        }
    }
    let sent = lesson.run(Duration::from_millis(400));
    for (room, packets) in &mut rooms {
        assert_eq!(*packets + room.rtp(&sent).len(), 120);
    }
}
