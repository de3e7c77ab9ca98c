//! Cases 15 to 22 and 27 to 30: a publisher, or a classroom that would be one, with keys of its own.

use std::collections::BTreeSet;

use bytes::BytesMut;
use rtc_rtcp::{
    payload_feedbacks::picture_loss_indication::PictureLossIndication, receiver_report::ReceiverReport,
    reception_report::ReceptionReport, transport_feedbacks::transport_layer_nack::TransportLayerNack,
};
use sfu::{
    Codec, HubEvent, PeerId, TrackKind,
    answer::PublishTerms,
    lobby::Terms,
    stats::Dropped,
    tap::{self, TapItem, TapReceiver},
    worker::Command,
};

use crate::{
    abuse::beside::Beside,
    seeded::{Far, Lesson, ROOM, codec, publish_terms, view_terms},
};

/// A lesson under attack with its teacher and one classroom, the tap of a recorder, and the lesson beside it.
struct Scene {
    lesson: Lesson,
    beside: Beside,
    teacher: Far,
    room: Far,
    tap: TapReceiver,
}

/// The camera may come as any codec that we forward.
const CODECS: [(Codec, u8); 4] = [(Codec::H264, 102), (Codec::Vp8, 104), (Codec::Vp9, 106), (Codec::Av1, 108)];

/// A first packet of a key picture, and of another one.
fn payloads(of: Codec) -> [&'static [u8]; 2] {
    match of {
        Codec::Opus => [&[0xf8, 1, 2], &[0xf8, 1, 2]],
        Codec::H264 => [&[0x65, 0x80, 1, 2], &[0x41, 0x80, 1, 2]],
        Codec::Vp8 => [&[0x10, 0x10, 2], &[0x10, 0x11, 2]],
        Codec::Vp9 => [&[0x88, 0x01, 0xa2], &[0xc8, 0x01, 0xa2]],
        Codec::Av1 => [&[0x18, 0x0a, 0x01, 0x00], &[0x10, 0x32, 0x01, 0x00]],
    }
}

impl Scene {
    fn new() -> Self {
        let mut lesson = Lesson::new();
        let beside = Beside::new(&mut lesson);
        let Terms::Publish(mut publish) = publish_terms() else { unreachable!() };
        publish.tracks[1].codecs = CODECS.map(|(of, pt)| codec(of, pt)).to_vec();
        let publish = PublishTerms { audio_level_ext: Some(1), mid_ext: Some(4), ..publish };
        let Terms::View(mut view) = view_terms() else { unreachable!() };
        view.slots[1].codecs = CODECS.map(|(of, pt)| codec(of, pt)).to_vec();
        let teacher = lesson.join(1, Terms::Publish(publish));
        let room = lesson.join(2, Terms::View(view));
        let (sender, tap) = tap::channel(100_000);
        lesson.worker.handle_command(lesson.now, Command::Tap { room: ROOM, tap: sender });
        Self { lesson, beside, teacher, room, tap }
    }

    fn picture(&mut self, number: u16, keyframe: bool) {
        self.lesson.picture(&mut self.teacher, number, keyframe);
    }

    /// The sequence numbers of the pictures that the classroom gets in the next 40 ms, all of which it can open.
    fn frame(&mut self) -> Vec<u16> {
        let sent = self.beside.frame(&mut self.lesson);
        self.room.rtp(&sent).iter().filter(|packet| packet.0 == 80).map(|packet| packet.2).collect()
    }

    /// The attack is over: the classroom's lesson works, and the one beside it has lost nothing.
    fn dropped_at_the_end(mut self, reason: Dropped) -> u64 {
        self.beside.frames(&mut self.lesson, 26);
        let dropped = self.lesson.dropped(reason);
        self.beside.lost_nothing(&mut self.lesson);
        dropped
    }
}

fn taped(tap: &TapReceiver) -> Vec<TapItem> {
    std::iter::from_fn(|| tap.try_recv()).collect()
}

fn header(pt: u8, seq: u16, ssrc: u32) -> Vec<u8> {
    let mut header = vec![0x80, pt];
    header.extend_from_slice(&seq.to_be_bytes());
    header.extend_from_slice(&[0, 0, 0, 1]);
    header.extend_from_slice(&ssrc.to_be_bytes());
    header
}

#[test]
fn forged_tags_are_counted_and_never_end_a_connection() {
    let mut scene = Scene::new();
    let mut forged = 0;
    for number in 0..100 {
        for step in 0..500u16 {
            let rtp = [&header(102, number * 500 + step, 1_000)[..], &[9; 40]].concat();
            let rtcp = [&[0x80, 201, 0, 1, 0, 0, 0, 1][..], &[9; 20], &[0x80, 0, 0, step as u8]].concat();
            scene.lesson.worker.handle_datagram(scene.lesson.now, scene.teacher.address, BytesMut::from(&rtp[..]));
            scene.lesson.worker.handle_datagram(scene.lesson.now, scene.room.address, BytesMut::from(&rtcp[..]));
            forged += 2;
        }
        scene.picture(number, number == 0);
        assert_eq!(scene.frame().len(), 1);
    }
    assert_eq!(scene.dropped_at_the_end(Dropped::NotAuthentic), forged);
}

#[test]
fn a_packet_counts_once() {
    let mut scene = Scene::new();
    let mut old = Vec::new();
    for number in 0..300u16 {
        let payload = [&[if number == 0 { 0x65 } else { 0x41 }, 0x80][..], &[7; 50]].concat();
        let packet = scene.teacher.seal(&header(102, number, 1_000), number.into(), &payload);
        old.push(packet.clone());
        scene.lesson.worker.handle_datagram(scene.lesson.now, scene.teacher.address, packet);
        assert_eq!(scene.frame().len(), 1);
    }
    for packet in &old {
        scene.lesson.worker.handle_datagram(scene.lesson.now, scene.teacher.address, packet.clone());
    }
    // Once round: the old numbers look new again, but they were sealed under the roll-over counter before.
    for index in [30_000, 60_000, 65_586u64] {
        scene.lesson.send_raw(&mut scene.teacher, &header(102, index as u16, 1_000), index, &[0x41, 0x80, 9]);
    }
    scene.frame();
    for packet in &old[60..110] {
        scene.lesson.worker.handle_datagram(scene.lesson.now, scene.teacher.address, packet.clone());
    }
    assert_eq!(scene.frame().len(), 0);
    scene.beside.frames(&mut scene.lesson, 26);
    assert_eq!(scene.lesson.dropped(Dropped::NotAuthentic), 50);
    assert_eq!(scene.dropped_at_the_end(Dropped::Replayed), 300);
}

#[test]
fn jumps_of_the_numbers_leave_the_stream_decodable() {
    let mut scene = Scene::new();
    let mut index = 100u64;
    let mut got = 0;
    for step in 0..60 {
        // As far as a receiver can follow, every second time; three times round all numbers.
        index += if step % 2 == 0 { 32_767 } else { 1 };
        let payload = [if step % 4 == 0 { 0x65 } else { 0x41 }, 0x80, 7, 7];
        scene.lesson.send_raw(&mut scene.teacher, &header(102, index as u16, 1_000), index, &payload);
        got += scene.frame().len();
    }
    assert_eq!(got, 60);
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn headers_that_lie_are_dropped() {
    let mut scene = Scene::new();
    scene.picture(0, true);
    assert_eq!(scene.frame().len(), 1);
    // Padding of nothing, of more than there is, of everything but one byte too many.
    for (number, padding) in [(1u16, 0u8), (2, 255), (3, 5)] {
        let mut padded = header(102, number, 1_000);
        padded[0] |= 0x20;
        scene.lesson.send_raw(&mut scene.teacher, &padded, number.into(), &[0x41, 0x80, 7, padding]);
    }
    // Fifteen sources, an extension of 65,535 words, an element beyond its block: not even opened.
    let mut sources = header(102, 4, 1_000);
    sources[0] |= 0x0f;
    let mut long = header(102, 5, 1_000);
    long[0] |= 0x10;
    long.extend_from_slice(&[0xbe, 0xde, 0xff, 0xff]);
    let mut overrun = header(102, 6, 1_000);
    overrun[0] |= 0x10;
    overrun.extend_from_slice(&[0x10, 0, 0, 1, 1, 200, 0, 0]);
    for (index, lying) in [(4, sources), (5, long), (6, overrun)] {
        scene.lesson.send_raw(&mut scene.teacher, &lying, index, &[0x41, 0x80, 7]);
    }
    // Id 15 ends the walk: the packet itself is good.
    let mut fifteen = header(102, 7, 1_000);
    fifteen[0] |= 0x10;
    fifteen.extend_from_slice(&[0xbe, 0xde, 0, 1, 0xff, 9, 9, 9]);
    scene.lesson.send_raw(&mut scene.teacher, &fifteen, 7, &[0x41, 0x80, 7]);
    assert_eq!(scene.frame().len(), 1);
    assert_eq!(scene.dropped_at_the_end(Dropped::Malformed), 6);
}

#[test]
fn a_classroom_cannot_speak_for_the_teacher() {
    let mut scene = Scene::new();
    for number in 0..50u16 {
        scene.picture(number, number == 0);
        let mut forged = header(102, 1_000 + number, 1_000);
        forged[0] |= 0x10;
        forged.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x40, b'1', 0, 0]);
        scene.lesson.send_raw(&mut scene.room, &forged, (1_000 + number).into(), &[0x65, 0x80, 66]);
        assert_eq!(scene.frame().len(), 1);
    }
    let taped = taped(&scene.tap).into_iter().filter(|item| matches!(item, TapItem::Packet { .. })).count();
    assert_eq!(taped, 50);
    assert_eq!(scene.dropped_at_the_end(Dropped::NotAgreed), 50);
}

#[test]
fn one_teacher_has_a_few_sources_and_no_more() {
    let mut scene = Scene::new();
    scene.picture(0, true);
    assert_eq!(scene.frame().len(), 1);
    for number in 0..10_000u32 {
        scene.lesson.send_raw(&mut scene.teacher, &header(102, 7, 50_000 + number), 7, &[0x41, 0x80, 7]);
        if number % 400 == 399 {
            scene.frame();
        }
    }
    let dropped = scene.dropped_at_the_end(Dropped::TooManySsrcs);
    assert!(dropped >= 10_000 - 16, "{dropped}");
}

#[test]
fn what_was_not_agreed_is_dropped() {
    let mut scene = Scene::new();
    scene.picture(0, true);
    scene.lesson.send(&mut scene.teacher, 2_000, 111, 0, 0, false, &[0xf8, 1, 2]);
    scene.frame();
    // Undeclared; redundant sound, which no teacher was asked for, in itself and too long; a repeat on the stream of
    // what it repeats; a picture's payload type where the sound is.
    scene.lesson.send_raw(&mut scene.teacher, &header(50, 1, 1_000), 1, &[1; 20]);
    scene.lesson.send_raw(&mut scene.teacher, &header(63, 1, 2_000), 1, &[0xbf, 0, 0, 4, 63, 1]);
    scene.lesson.send_raw(&mut scene.teacher, &header(63, 2, 2_000), 2, &[0xef, 0xff, 0xff, 0xff, 111, 1]);
    scene.lesson.send_raw(&mut scene.teacher, &header(103, 2, 1_000), 2, &[0, 0, 0x41]);
    scene.lesson.send_raw(&mut scene.teacher, &header(102, 3, 2_000), 3, &[0x41, 0x80]);
    // Sound of no bytes, a repeat of no bytes: taken, and nothing comes of it.
    scene.lesson.send_raw(&mut scene.teacher, &header(111, 4, 2_000), 4, &[]);
    scene.lesson.send_raw(&mut scene.teacher, &header(103, 5, 1_001), 5, &[]);
    scene.lesson.send_raw(&mut scene.teacher, &header(103, 6, 1_001), 6, &[0]);
    assert_eq!(scene.frame().len(), 0);
    assert_eq!(scene.dropped_at_the_end(Dropped::NotAgreed), 5);
}

#[test]
fn torn_payloads_of_every_codec_do_no_harm() {
    let mut scene = Scene::new();
    let torn: [(u8, &[u8]); 12] = [
        (102, &[0x18, 0, 0, 0x65]),                   // STAP-A of a unit of 0 bytes
        (102, &[0x18, 0xff, 0xff, 0x65]),             // and of one beyond the end
        (102, &[0x5c, 0x45]),                         // FU-A: an end without its beginning
        (102, &[0x67, 0xff, 0xff, 0xff, 0xff, 0xff]), // SPS of 65,535 × 65,535
        (102, &[0x1c]),
        (104, &[0x90, 0x80]),
        (104, &[0x90, 0xff, 0xff]),
        (106, &[0x8a, 0x01, 0x08, 0xff]), // a structure of 255 pictures
        (106, &[0xff; 40]),
        (108, &[0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), // a size that never ends
        (108, &[0x00, 0x7f]),
        (111, &[]),
    ];
    let mut seq = 0u16;
    for round in 0..60 {
        for (pt, payload) in torn {
            seq += 1;
            let ssrc = if pt == 111 { 2_000 } else { 1_000 };
            scene.lesson.send_raw(&mut scene.teacher, &header(pt, seq, ssrc), seq.into(), payload);
        }
        seq += 1;
        scene.lesson.send_raw(&mut scene.teacher, &header(102, seq, 1_000), seq.into(), &[0x65, 0x80, round]);
        scene.frame();
    }
    assert!(scene.dropped_at_the_end(Dropped::Malformed) > 60);
}

#[test]
fn a_teacher_at_100_megabits_is_cut_and_heard_again() {
    let mut scene = Scene::new();
    let mut index = 0u64;
    let (mut sent, mut got) = (0usize, 0usize);
    for frame in 0..75 {
        for step in 0..416 {
            let mut payload = vec![7; 1_200];
            payload[..2].copy_from_slice(&[if frame % 25 == 0 && step == 0 { 0x65 } else { 0x41 }, 0x80]);
            scene.lesson.send_raw(&mut scene.teacher, &header(102, index as u16, 1_000), index, &payload);
            index += 1;
            sent += 1_200;
        }
        got += scene.frame().len() * 1_200;
    }
    assert!(sent * 8 / 3 > 95_000_000 && got * 8 / 3 <= 25_000_000, "{sent} bytes came, {got} went on");
    // What waits for a classroom whose share is paced runs out.
    for step in 0..300 {
        if step % 25 == 0 {
            let block = ReceptionReport { ssrc: 80, ..Default::default() };
            let report = scene.room.report(&ReceiverReport { ssrc: 1, reports: vec![block], ..Default::default() });
            scene.lesson.worker.handle_datagram(scene.lesson.now, scene.room.address, report);
        }
        drop(scene.frame());
    }
    let before = scene.frame().len();
    scene.lesson.send_raw(&mut scene.teacher, &header(102, index as u16, 1_000), index, &[0x65, 0x80, 7]);
    assert_eq!((before, scene.frame().len()), (0, 1));
    assert!(scene.dropped_at_the_end(Dropped::TooFast) > 20_000);
}

#[test]
fn a_teacher_who_alternates_codecs_begins_one_track_a_second_at_most() {
    let mut scene = Scene::new();
    let mut asked = 0;
    for number in 0..250u16 {
        let (of, pt) = CODECS[usize::from(number) % CODECS.len()];
        let payload = payloads(of)[0];
        scene.lesson.send_raw(&mut scene.teacher, &header(pt, number, 1_000), number.into(), payload);
        let pli = scene.room.report(&PictureLossIndication { sender_ssrc: 1, media_ssrc: 80 });
        scene.lesson.worker.handle_datagram(scene.lesson.now, scene.room.address, pli);
        let sent = scene.beside.frame(&mut scene.lesson);
        scene.room.rtp(&sent);
        asked +=
            scene.teacher.rtcp(&sent).iter().filter(|packet| packet.as_any().is::<PictureLossIndication>()).count();
    }
    let began = taped(&scene.tap).iter().filter(|item| matches!(item, TapItem::Started { .. })).count();
    assert!((5..=11).contains(&began), "{began} tracks in ten seconds");
    assert!(asked <= 6, "{asked} keyframes asked in ten seconds");
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn two_teachers_at_once_do_not_take_turns() {
    let mut scene = Scene::new();
    let mut again = scene.lesson.join(3, publish_terms());
    for number in 0..100u16 {
        scene.picture(number, number % 10 == 0);
        scene.lesson.picture(&mut again, 30_000 + number, number % 10 == 0);
        scene.frame();
    }
    let tracks: Vec<TapItem> =
        taped(&scene.tap).into_iter().filter(|item| matches!(item, TapItem::Started { .. })).collect();
    assert_eq!(tracks.len(), 2, "the one who came last keeps the place");
    // When that one leaves, the other is seen again.
    scene.lesson.worker.handle_command(scene.lesson.now, Command::ClosePeer(PeerId(3)));
    scene.picture(100, true);
    assert_eq!(scene.frame().len(), 1);
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn a_teacher_without_keyframes_is_asked_ever_more_rarely_and_not_shown() {
    let mut scene = Scene::new();
    let mut asked = Vec::new();
    for number in 0..1_500 {
        scene.picture(number, false);
        if number % 20 == 0 {
            let pli = scene.room.report(&PictureLossIndication { sender_ssrc: 1, media_ssrc: 80 });
            scene.lesson.worker.handle_datagram(scene.lesson.now, scene.room.address, pli);
        }
        let sent = scene.beside.frame(&mut scene.lesson);
        assert!(scene.room.rtp(&sent).is_empty());
        if scene.teacher.rtcp(&sent).iter().any(|packet| packet.as_any().is::<PictureLossIndication>()) {
            asked.push(number);
        }
    }
    assert!((2..=7).contains(&asked.len()), "asked at {asked:?}");
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn timestamps_that_jump_or_stand_still_do_no_harm() {
    let mut scene = Scene::new();
    let mut got = 0;
    for number in 0..150u16 {
        let timestamp = match number / 50 {
            0 => u32::from(number) << 31,
            1 => 7,
            _ => u32::from(number).wrapping_mul(0x9e37_79b1),
        };
        let payload = payloads(Codec::H264)[usize::from(number % 10 != 0)];
        scene.lesson.send(&mut scene.teacher, 1_000, 102, number, timestamp, true, payload);
        let report = rtc_rtcp::sender_report::SenderReport {
            ssrc: 1_000,
            ntp_time: u64::from(number).wrapping_mul(0x9e37_79b1_7f4a_7c15),
            rtp_time: timestamp,
            ..Default::default()
        };
        let report = scene.teacher.report(&report);
        scene.lesson.worker.handle_datagram(scene.lesson.now, scene.teacher.address, report);
        got += scene.frame().len();
        if number % 30 == 29 {
            // Joiners start from such a group, too.
            scene.lesson.join(10 + u64::from(number), view_terms());
        }
    }
    assert_eq!(got, 150);
    // One picture a second.
    for number in 150..160 {
        scene.picture(number, number == 150);
        scene.beside.frames(&mut scene.lesson, 24);
        scene.frame();
    }
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn a_voice_that_claims_to_be_loud_changes_nothing() {
    let mut scene = Scene::new();
    let other = scene.lesson.join(3, publish_terms());
    for number in 0..50u16 {
        let mut loud = header(111, number, 2_000);
        loud[0] |= 0x10;
        loud.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0x80, 0, 0]);
        scene.lesson.send_raw(&mut scene.teacher, &loud, number.into(), &[0xf8, 1, 2]);
        scene.picture(number, number == 0);
        let sent = scene.beside.frame(&mut scene.lesson);
        let slots: BTreeSet<u32> = scene.room.rtp(&sent).iter().map(|packet| packet.0).collect();
        assert_eq!(slots, [70, 80].into(), "voice and picture, each in its slot");
    }
    drop(other);
    let levels = taped(&scene.tap).into_iter().filter(
        |item| matches!(item, TapItem::Packet { packet, .. } if packet.codec == Codec::Opus && packet.audio_level == Some(0)),
    );
    assert_eq!(levels.count(), 50);
    let started: Vec<TrackKind> = std::iter::from_fn(|| scene.lesson.worker.poll_event())
        .filter_map(|event| match event {
            HubEvent::TrackStarted { kind, room: ROOM, .. } => Some(kind),
            _ => None,
        })
        .collect();
    assert_eq!(started, [TrackKind::Voice, TrackKind::Camera]);
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn repairs_are_asked_for_within_bounds() {
    let mut scene = Scene::new();
    let mut asked = 0;
    // Two of three packets are missing for good.
    for number in 0..500u16 {
        scene.picture(3 * number, number == 0);
        let sent = scene.beside.frame(&mut scene.lesson);
        for packet in scene.teacher.rtcp(&sent) {
            if let Some(nack) = packet.as_any().downcast_ref::<TransportLayerNack>() {
                asked += nack.nacks.iter().map(|pair| pair.packet_list().len()).sum::<usize>();
            }
        }
    }
    assert!(asked < 1_000 * 12, "{asked} repairs asked for 1,000 packets");
    scene.beside.lost_nothing(&mut scene.lesson);
}
