//! Cases 23 to 26, and floods from one seat: what a classroom may send.

use std::time::Duration;

use bytes::BytesMut;
use rtc_rtcp::{
    goodbye::Goodbye,
    payload_feedbacks::{
        full_intra_request::{FirEntry, FullIntraRequest},
        picture_loss_indication::PictureLossIndication,
    },
    transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
};
use sfu::{PeerId, stats::Dropped, uplink::keyframe::ASK_EVERY};

use crate::{
    abuse::beside::Beside,
    seeded::{FRAME, Far, Lesson, publish_terms, view_terms},
};

/// A teacher, the flooding seat, and an honest classroom of the same lesson.
struct Scene {
    lesson: Lesson,
    beside: Beside,
    teacher: Far,
    flooder: Far,
    honest: Far,
    number: u16,
    keyframes: Vec<Duration>,
}

impl Scene {
    fn new() -> Self {
        let mut lesson = Lesson::new();
        let beside = Beside::new(&mut lesson);
        let [teacher, flooder, honest] =
            [(1, publish_terms()), (2, view_terms()), (3, view_terms())].map(|(peer, terms)| lesson.join(peer, terms));
        Self { lesson, beside, teacher, flooder, honest, number: 0, keyframes: Vec::new() }
    }

    /// A picture of two packets; the teacher answers each request with a keyframe. Returns what the flooder got.
    fn frame(&mut self) -> Vec<(u32, u8, u16, u32, Vec<u8>)> {
        let asked = self.keyframes.last().is_some_and(|at| self.lesson.now - self.lesson.began - *at < FRAME);
        let first = if self.number == 0 || asked { 0x65 } else { 0x41 };
        for (step, nal) in [first, 0x41].into_iter().enumerate() {
            let number = 2 * self.number + step as u16;
            let payload = [&[nal, 0x80, step as u8][..], &[7; 1_000]].concat();
            let timestamp = u32::from(self.number) * 3_600;
            self.lesson.send(&mut self.teacher, 1_000, 102, number, timestamp, step == 1, &payload);
        }
        self.number += 1;
        let sent = self.beside.frame(&mut self.lesson);
        if self.teacher.rtcp(&sent).iter().any(|packet| packet.as_any().is::<PictureLossIndication>()) {
            self.keyframes.push(self.lesson.now - self.lesson.began);
        }
        assert_eq!(self.honest.rtp(&sent).iter().filter(|packet| packet.0 == 80).count(), 2, "the honest classroom");
        if self.number.is_multiple_of(25) {
            self.say_honestly();
        }
        self.flooder.rtp(&sent)
    }

    fn say_honestly(&mut self) {
        let report = self.honest.report(&rtc_rtcp::receiver_report::ReceiverReport { ssrc: 1, ..Default::default() });
        self.lesson.worker.handle_datagram(self.lesson.now, self.honest.address, report);
    }

    /// Sends a compound, whatever it is.
    fn says(&mut self, compound: &[u8]) {
        let mut sealed = Vec::new();
        assert!(self.flooder.sealer.seal_rtcp(compound, &mut sealed));
        self.lesson.worker.handle_datagram(self.lesson.now, self.flooder.address, BytesMut::from(&sealed[..]));
    }

    fn keyframes_are_two_seconds_apart(&self) {
        let close = self.keyframes.windows(2).find(|pair| pair[1] - pair[0] < ASK_EVERY - FRAME);
        assert_eq!(close, None, "{:?}", self.keyframes);
    }
}

#[test]
fn two_hundred_plis_a_second_are_one_keyframe_in_two_seconds() {
    let mut scene = Scene::new();
    for _ in 0..500 {
        for _ in 0..8 {
            let pli = scene.flooder.report(&PictureLossIndication { sender_ssrc: 1, media_ssrc: 80 });
            scene.lesson.worker.handle_datagram(scene.lesson.now, scene.flooder.address, pli);
        }
        scene.frame();
    }
    assert!((5..=10).contains(&scene.keyframes.len()), "in 20 s: {:?}", scene.keyframes);
    scene.keyframes_are_two_seconds_apart();
    scene.beside.frames(&mut scene.lesson, 26);
    // What was asked in vain last is asked once more.
    let asked = scene.lesson.worker.stats().keyframes_asked["viewer"] - scene.keyframes.len() as u64;
    assert!(asked <= 1, "{asked}");
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn a_thousand_firs_a_second_are_one_keyframe_in_two_seconds() {
    let mut scene = Scene::new();
    for number in 0..500u32 {
        for step in 0..40 {
            let fir = (0..8).map(|entry| FirEntry { ssrc: 80, sequence_number: (number + step + entry) as u8 });
            let fir = FullIntraRequest { sender_ssrc: 1, media_ssrc: 80, fir: fir.collect() };
            let fir = scene.flooder.report(&fir);
            scene.lesson.worker.handle_datagram(scene.lesson.now, scene.flooder.address, fir);
        }
        scene.frame();
    }
    assert!((5..=10).contains(&scene.keyframes.len()), "in 20 s: {:?}", scene.keyframes);
    scene.keyframes_are_two_seconds_apart();
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn ten_thousand_nacks_a_second_are_a_fifth_of_the_stream() {
    let mut scene = Scene::new();
    let (mut streamed, mut repeated, mut repeats) = (0, 0, 0);
    let mut newest = Vec::new();
    for _ in 0..500 {
        // The newest 400 numbers, all valid, in four NACKs of a hundred: 10,000 a second.
        for seqs in newest.rchunks(100).take(4) {
            let nacks = nack_pairs_from_sequence_numbers(seqs);
            let nack = scene.flooder.report(&TransportLayerNack { sender_ssrc: 1, media_ssrc: 80, nacks });
            scene.lesson.worker.handle_datagram(scene.lesson.now, scene.flooder.address, nack);
        }
        for (ssrc, _, seq, _, payload) in scene.frame() {
            if ssrc == 80 {
                streamed += payload.len();
                newest.push(seq);
            } else {
                assert_eq!(ssrc, 81);
                repeated += payload.len();
                repeats += 1;
            }
        }
    }
    const BURST: usize = 64 * 1_024;
    assert!(repeats > 100, "an honest share is given");
    assert!(repeated <= streamed / 5 + BURST, "{repeated} bytes repeated of {streamed}");
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn compounds_that_lie_are_bounded_and_concern_only_their_sender() {
    let word = |value: u32| value.to_be_bytes();
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    let lies: Vec<Vec<u8>> = vec![
        // Lengths beyond the end, and of nothing; 31 blocks that are not there.
        vec![0x80, 201, 0xff, 0xff, 0, 0, 0, 1],
        vec![0x80, 201, 0, 0, 0, 0, 0, 1],
        vec![0x9f, 201, 0, 1, 0, 0, 0, 1],
        vec![0x9f, 200, 0, 1, 0, 0, 0, 1],
        // SDES: 31 chunks, an item of 255 bytes that has none, and no end.
        vec![0x9f, 202, 0, 1, 0, 0, 0, 1],
        vec![0x81, 202, 0, 2, 0, 0, 0, 1, 1, 255, 0, 0],
        vec![0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4],
        // XR: a block of 65,535 words, an unknown one, a run-length that lies.
        vec![0x80, 207, 0, 2, 0, 0, 0, 1, 1, 0, 0xff, 0xff],
        vec![0x80, 207, 0, 2, 0, 0, 0, 1, 99, 0, 0, 0],
        [&[0x80, 207, 0, 4, 0, 0, 0, 1, 1, 0, 0, 2][..], &word(80), &[0, 0, 0xff, 0xff]].concat(),
        // Goodbyes: for the teacher's sources, and with a reason of 255 bytes.
        [&[0x82, 203, 0, 2][..], &word(1_000), &word(2_000)].concat(),
        [&[0x81, 203, 0, 2][..], &word(80), &[255, 1, 2, 3]].concat(),
        // REMB of 0 and of 2^63 and more, with 255 sources that are not there.
        [&[0x8f, 206, 0, 5][..], &word(1), &word(0), b"REMB", &[1, 0, 0, 0], &word(80)].concat(),
        [&[0x8f, 206, 0, 5][..], &word(1), &word(0), b"REMB", &[1, 0xff, 0xff, 0xff], &word(80)].concat(),
        [&[0x8f, 206, 0, 4][..], &word(1), &word(0), b"REMB", &[255, 0xb7, 0xff, 0xff]].concat(),
        // Transport feedback of 65,535 statuses: in one run, and in no chunk at all.
        [&[0x8f, 205, 0, 5][..], &word(1), &word(80), &[0, 0, 0xff, 0xff, 0, 0, 1, 0, 0x1f, 0xff, 0x1f, 0xff]].concat(),
        [&[0x8f, 205, 0, 4][..], &word(1), &word(80), &[0, 0, 0xff, 0xff, 0, 0, 1, 0]].concat(),
        [&[0x8f, 205, 0, 5][..], &word(1), &word(80), &[0, 0, 0, 1, 0, 0, 1, 0, 0x20, 1, 0xff, 0xff]].concat(),
        // Congestion control feedback of RFC 8888 that claims 65,535 reports.
        [&[0x8b, 205, 0, 4][..], &word(1), &word(80), &[0, 0, 0xff, 0xff], &word(7)].concat(),
        // NACK, FIR and SLI cut short; unknown kinds.
        [&[0x81, 205, 0, 2][..], &word(1), &word(80)].concat(),
        [&[0x84, 206, 0, 3][..], &word(1), &word(80), &word(80)].concat(),
        [&[0x82, 206, 0, 2][..], &word(1), &word(80)].concat(),
        [&[0x80, 195, 0, 1][..], &word(1)].concat(),
        [&[0xa0, 201, 0, 2][..], &word(1), &[0, 0, 0, 255]].concat(),
    ];
    let mut scene = Scene::new();
    for _ in 0..50 {
        for lie in &lies {
            scene.says(lie);
            scene.says(&[&report[..], lie].concat());
        }
        // A hundred small packets in one datagram.
        scene.says(&[0x80, 206, 0, 0].repeat(300));
        scene.says(&report.repeat(150));
        assert!(scene.frame().iter().filter(|packet| packet.0 == 80).count() == 2);
    }
    scene.frame();
    scene.beside.frames(&mut scene.lesson, 26);
    assert!(scene.lesson.dropped(Dropped::Malformed) > 500);
    assert!(scene.lesson.worker.stats().peers.contains_key(&PeerId(1)), "the teacher has not left");
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn nacks_for_everything_there_ever_was_cost_little() {
    let mut scene = Scene::new();
    let mut got = 0;
    for round in 0..100u16 {
        // 330 pairs of 17 numbers, most of which never existed.
        let pairs = (0..330u16).map(|pair| (round.wrapping_mul(331) + pair).wrapping_mul(17));
        let body: Vec<u8> = pairs.flat_map(|first| [first.to_be_bytes(), [0xff, 0xff]].concat()).collect();
        let words = (2 + body.len() / 4) as u16;
        let head = [&[0x81, 205][..], &words.to_be_bytes(), &[0, 0, 0, 1, 0, 0, 0, 80]].concat();
        scene.says(&[head, body].concat());
        got += scene.frame().iter().filter(|packet| packet.0 == 81).count();
    }
    assert!(got <= 100, "{got} repeats");
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn a_line_that_is_praised_beyond_belief_carries_one_stream() {
    let mut scene = Scene::new();
    let mut bytes = 0;
    for number in 0..250u16 {
        // A gigabit by REMB, and every packet in the same quarter of a millisecond by transport feedback.
        let remb = [0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0x33, 0xb9, 0xac, 0, 0, 0, 80];
        scene.says(&remb);
        let [high, low] = (number * 2).to_be_bytes();
        let feedback =
            [0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 80, high, low, 0, 2, 0, 0, 1, number as u8, 0x20, 2, 0, 0];
        scene.says(&feedback);
        bytes += scene.frame().iter().map(|packet| packet.4.len()).sum::<usize>();
    }
    assert!(bytes <= 250 * 2 * 1_003 * 6 / 5, "{bytes} bytes for the stream of 250 pictures");
    scene.beside.lost_nothing(&mut scene.lesson);
}

#[test]
fn a_goodbye_in_rtcp_ends_nothing() {
    let mut scene = Scene::new();
    scene.frame();
    for _ in 0..50 {
        let sources = vec![80, 81, 70, 1_000, 2_000];
        let bye = scene.flooder.report(&Goodbye { sources: sources.clone(), reason: "left".into() });
        scene.lesson.worker.handle_datagram(scene.lesson.now, scene.flooder.address, bye);
        assert_eq!(scene.frame().iter().filter(|packet| packet.0 == 80).count(), 2);
    }
    scene.beside.lost_nothing(&mut scene.lesson);
}
