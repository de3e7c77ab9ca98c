//! Slots on their own: what flows, under which numbers and timestamps, and what is found again.

#![expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    history::History,
    slot::{CATCH_UP_TICK, Slot},
};
use crate::{
    answer::{PayloadType, ViewSlot},
    id::TrackId,
    media::{Codec, TrackKind},
    packet::{Packet, target::Target},
};

fn slot(kind: TrackKind, codecs: &[(Codec, u8)]) -> Slot {
    let codecs = codecs
        .iter()
        .map(|(codec, pt)| PayloadType { codec: *codec, pt: *pt, rtx_pt: Some(pt + 1), fmtp: String::new() })
        .collect();
    let terms = ViewSlot { kind, mid: "1".into(), ssrc: 1, rtx_ssrc: 2, codecs, red_pt: None, nack: true };
    Slot::new(terms, 0x1234_5678_9abc_def0)
}

fn packet(seq: u64, timestamp: u32, keyframe: bool) -> Packet {
    Packet { keyframe, payload: Bytes::from_static(&[0; 1000]), ..Packet::empty(Codec::H264, seq, timestamp) }
}

#[test]
fn nothing_flows_before_a_keyframe_and_numbers_run_on_over_a_switch() {
    let start = Instant::now();
    let mut slot = slot(TrackKind::Camera, &[(Codec::H264, 100), (Codec::Vp8, 102)]);
    assert!(slot.start(start, TrackId(1), 0, Codec::H264, &History::new(8)));
    assert_eq!(slot.place(start, &packet(70_000, 5, false)), None);
    let first = slot.place(start, &packet(70_001, 3_005, true)).unwrap();
    let second = slot.place(start, &packet(70_003, 6_005, false)).unwrap();
    assert_eq!(second.index, first.index + 2, "what is lost on the way stays missing");
    assert_eq!(second.timestamp.wrapping_sub(first.timestamp), 3_000);

    let later = start + Duration::from_millis(100);
    assert!(slot.start(later, TrackId(2), 0, Codec::H264, &History::new(8)));
    let third = slot.place(later, &packet(5, 777, true)).unwrap();
    assert_eq!(third.index, second.index + 1);
    assert_eq!(third.timestamp.wrapping_sub(second.timestamp), 9_000, "by the clock: 100 ms");
    let track = |index: u64| slot.locate(index as u16).map(|(span, found)| (span.track, found == index));
    assert_eq!(track(third.index), Some((TrackId(2), true)));
    assert_eq!(track(first.index), Some((TrackId(1), true)));
    assert!(slot.locate(third.index as u16 + 1).is_none());
}

#[test]
fn a_joiner_is_given_the_cached_group_pressed_into_the_present() {
    let start = Instant::now();
    let mut history = History::new(512);
    // Three seconds at 25 fps, one packet a picture, the keyframe first.
    for picture in 0..75u32 {
        let at = start + Duration::from_millis(u64::from(picture) * 40);
        history.insert_at(at, Arc::new(packet(500 + u64::from(picture), picture * 3_600, picture == 0)));
    }
    let now = start + Duration::from_millis(75 * 40);
    let mut slot = slot(TrackKind::Camera, &[(Codec::H264, 100)]);
    assert!(slot.start(now, TrackId(1), 0, Codec::H264, &history));
    let mut sent = Vec::new();
    for tick in 0..100u32 {
        let at = now + CATCH_UP_TICK * tick;
        let mut budget = None;
        while let Some((_, placed)) = slot.next_cached(at, &history, &mut budget) {
            sent.push(placed);
        }
        if tick == 3 {
            let live = packet(575, 75 * 3_600, false);
            history.insert_at(at, Arc::new(live.clone()));
            assert_eq!(slot.place(at, &live), None, "it waits for its turn");
        }
    }
    assert!(!slot.catches_up());
    assert_eq!(sent.len(), 76);
    assert!(sent.windows(2).all(|pair| pair[1].index == pair[0].index + 1));
    assert!(sent.windows(2).all(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) as i32 > 0));
    let span = sent[75].timestamp.wrapping_sub(sent[0].timestamp);
    assert!(span < 90_000 * 4 / 10, "three seconds are shown within 0.4: {span}");
    // Seamless: from the pivot on pictures keep their own distance.
    let much_later = packet(600, 75 * 3_600 + 90_000, false);
    let next = packet(601, 76 * 3_600 + 90_000, false);
    let (one, two) = (slot.place(now, &much_later).unwrap(), slot.place(now, &next).unwrap());
    assert_eq!(two.timestamp.wrapping_sub(one.timestamp), 3_600);
}

#[test]
fn sound_changes_its_source_in_whole_frames() {
    let start = Instant::now();
    let mut slot = slot(TrackKind::Voice, &[(Codec::Opus, 111)]);
    let sound = |seq, timestamp| Packet { keyframe: true, ..Packet::empty(Codec::Opus, seq, timestamp) };
    slot.start(start, TrackId(1), 0, Codec::Opus, &History::new(8));
    let one = slot.place(start, &sound(10, 960)).unwrap();
    let later = start + Duration::from_millis(33);
    slot.start(later, TrackId(2), 0, Codec::Opus, &History::new(8));
    let two = slot.place(later, &sound(99, 123_456)).unwrap();
    assert_eq!(two.timestamp.wrapping_sub(one.timestamp), 1_920);
}

#[test]
fn a_codec_that_the_viewer_cannot_decode_does_not_flow() {
    let start = Instant::now();
    let mut slot = slot(TrackKind::Camera, &[(Codec::Vp8, 102)]);
    assert!(!slot.start(start, TrackId(1), 0, Codec::H264, &History::new(8)));
    assert_eq!(slot.source(), None);
}

/// VP8 of three temporal layers: 0 2 1 2, two packets a picture, the pictures of the upper layers built on the base
/// alone.
fn temporal(seq: u64) -> (Vec<u8>, u8) {
    let picture = seq / 2;
    let temporal_id = [0, 2, 1, 2][picture as usize % 4];
    let first = u8::from(seq.is_multiple_of(2)) << 4;
    (vec![0x80 | first, 0xa0, picture as u8 & 0x7f, temporal_id << 6 | 0x20, u8::from(picture != 0)], temporal_id)
}

proptest::proptest! {
    /// Whatever of a scalable stream is aimed at, lost on its way here or comes late: what is sent has numbers of its
    /// own without gaps but for what is still to come, each is found again, and no picture lacks its base.
    #[test]
    fn what_is_skipped_closes_up_and_is_found_again(
        steps in proptest::collection::vec((0u8..16, 0u8..5), 40..400),
    ) {
        let start = Instant::now();
        let mut slot = slot(TrackKind::Camera, &[(Codec::Vp8, 100)]);
        let mut history = History::new(1024);
        let mut layering = crate::uplink::layering::Layering::default();
        let mut given = std::collections::BTreeMap::new();
        let mut late: VecDeque<u64> = VecDeque::new();
        slot.start(start, TrackId(1), 0, Codec::Vp8, &history);
        let mut arrive = |seq: u64, slot: &mut Slot| {
            let now = start + Duration::from_millis(seq * 10);
            let (bytes, temporal_id) = temporal(seq);
            let facts = crate::packet::parse(Codec::Vp8, &bytes).unwrap();
            let marker = seq % 2 == 1;
            let layered = layering.judge(Codec::Vp8, seq + 1000, marker, &facts, None).unwrap();
            let packet = Packet {
                marker,
                keyframe: facts.keyframe,
                frame_start: facts.frame_start,
                vp8: facts.vp8,
                layered,
                payload: bytes.into(),
                ..Packet::empty(Codec::Vp8, seq + 1000, (seq / 2 * 3_600) as u32)
            };
            let is_layered = packet.layered.is_some();
            proptest::prop_assert!(history.insert_at(now, Arc::new(packet.clone())));
            if let Some(placed) = slot.place(now, &packet) {
                proptest::prop_assert_eq!(given.insert(placed.index, (seq, placed)), None);
            }
            for (index, (seq, placed)) in given.iter().rev().take(12) {
                let (span, found) = slot.locate(*index as u16).unwrap();
                proptest::prop_assert_eq!(found, *index);
                let (packet, again) = span.find(&history, found).unwrap();
                proptest::prop_assert_eq!((packet.seq - 1000, again), (*seq, *placed));
            }
            proptest::prop_assert!(is_layered || temporal_id == 0);
            Ok(())
        };
        for (at, (what, aim)) in steps.iter().enumerate() {
            let seq = at as u64;
            if at % 24 == 0 && *aim < 4 {
                slot.aim = [Target::new(0, 0), Target::new(0, 1), Target::new(0, 2), Target::ALL][usize::from(*aim)];
            }
            // The first picture is whole; later every eighth packet comes up to eight others late.
            if seq > 1 && *what < 2 {
                late.push_back(seq);
            } else {
                arrive(seq, &mut slot)?;
            }
            if let Some(seq) = late.pop_front_if(|_| *what == 15) {
                arrive(seq, &mut slot)?;
            }
        }
        for seq in late {
            arrive(seq, &mut slot)?;
        }
        // Of the pictures that are whole the ids close up: a base picture follows within four of the one before.
        let ids: Vec<u16> = given.values().filter(|(_, it)| !it.is_filler).filter_map(|(_, it)| it.vp8).map(|it| it.0).collect();
        proptest::prop_assert!(ids.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) & 0x7f <= 4));
        // What came too late to be sent live is sent when it is asked for.
        let found = (0..slot.next_index()).rev().take(24).filter_map(|index| {
            let (span, index) = slot.locate(index as u16)?;
            Some((span.find(&history, index)?.0.seq - 1000) / 2)
        });
        let sent: std::collections::BTreeSet<u64> = found.collect();
        for picture in sent.iter().skip(4).filter(|picture| *picture % 4 != 0) {
            proptest::prop_assert!(sent.contains(&(picture - picture % 4)), "{picture} without its base");
        }
    }

    /// No pair of SSRC and index may ever seal two different packets.
    #[test]
    fn an_index_is_given_to_one_packet_only(steps in proptest::collection::vec((0u8..8, 0u64..40), 1..300)) {
        let start = Instant::now();
        let mut slot = slot(TrackKind::Camera, &[(Codec::H264, 100)]);
        let mut histories = [History::new(64), History::new(64)];
        let mut tops = [1_000u64, 5_000];
        let mut given = std::collections::HashMap::new();
        let mut current = 0usize;
        for (step, (what, jump)) in steps.into_iter().enumerate() {
            let now = start + Duration::from_millis(step as u64 * 7);
            match what {
                0 => {
                    current = 1 - current;
                    slot.start(now, TrackId(current as u64), 0, Codec::H264, &histories[current]);
                }
                1 => slot.stop(),
                _ => {
                    let seq = (tops[current] + 10).saturating_sub(jump);
                    tops[current] = tops[current].max(seq);
                    let packet = packet(seq, (seq as u32).wrapping_mul(3_000), what == 2);
                    if histories[current].insert_at(now, Arc::new(packet.clone()))
                        && let Some(placed) = slot.place(now, &packet)
                    {
                        proptest::prop_assert_eq!(given.insert(placed.index, (current, seq)), None);
                    }
                }
            }
            let mut budget = None;
            let source = slot.source().map(|(track, _)| track.0 as usize);
            if let Some(source) = source {
                while let Some((packet, placed)) = slot.next_cached(now, &histories[source], &mut budget) {
                    proptest::prop_assert_eq!(given.insert(placed.index, (source, packet.seq)), None);
                }
            }
        }
    }
}
