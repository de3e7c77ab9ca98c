//! Whatever is lost, late, doubled or dropped: no picture is ever written without the one that it needs.
#![expect(clippy::disallowed_methods, reason = "the test needs one first moment of time")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use mp4_atom::{Any, Decode};
use proptest::prelude::*;
use recorder::{recording::Recording, track::action::Action};
use sfu::{
    id::TrackId,
    limits::REPAIR_WITHIN,
    media::{Codec, TrackKind},
    packet::Packet,
    tap::TapItem,
};

/// A camera of 25 pictures a second, of three packets each.
const PICTURE_MS: u64 = 40;
const PACKETS: u64 = 3;
const TRACK: TrackId = TrackId(1);

/// What becomes of one packet.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    /// Comes again by NACK, so long after the others.
    Repaired(u64),
    Lost,
    Twice,
    /// The tap was full.
    Dropped,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        60 => Just(Fate::Arrives),
        // Asked for within a second and a half, and a round trip later; now and then too late.
        6 => (0_u64..2_600).prop_map(Fate::Repaired),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Twice),
        1 => Just(Fate::Dropped),
    ]
}

/// What happens to the lesson around the packets.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Nothing,
    /// The line is gone for so many pictures.
    Outage(u64),
    /// The disk has no room for the camera for so many pictures.
    Spared(u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![30 => Just(Turn::Nothing), 1 => (1_u64..100).prop_map(Turn::Outage), 1 => (1_u64..60).prop_map(Turn::Spared)]
}

/// Picture `n`'s packet `i`: an FU-A (RFC 6184 §5.8) whose payload tells both, or a key picture's parameter sets.
fn payload(n: u64, i: u64, key: bool) -> Bytes {
    const SETS: &[u8] = &[
        0x78, 0, 13, 0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00, 0, 5, 0x68, 0xCB,
        0x83, 0xCB, 0x20,
    ];
    if key && i == 0 {
        return Bytes::from_static(SETS);
    }
    let first = u64::from(key);
    let flags = (u8::from(i == first) << 7) | (u8::from(i + 1 == PACKETS) << 6);
    let mut bytes = vec![0x7C, flags | if key { 5 } else { 1 }];
    bytes.extend_from_slice(&n.to_be_bytes());
    bytes.push(i as u8);
    bytes.into()
}

/// Which picture a sample shows, by all of its parts. `None`: it is torn, or mixed of several.
fn shown(sample: &[u8], key: bool) -> Option<u64> {
    let parts = if key { PACKETS - 1 } else { PACKETS };
    // The parameter sets lie before a key picture; of the last NAL, behind its first byte, nine bytes tell of each part.
    let (mut rest, mut last) = (sample, None);
    while let Some((len, behind)) = rest.split_first_chunk::<4>() {
        let nal = behind.get(..u32::from_be_bytes(*len) as usize)?;
        (last, rest) = (Some(nal), &behind[nal.len()..]);
    }
    let body = last?.get(1..)?;
    if !rest.is_empty() || body.len() as u64 != parts * 9 {
        return None;
    }
    let told: Vec<(u64, u64)> = body
        .chunks_exact(9)
        .map(|part| (u64::from_be_bytes(part[..8].try_into().unwrap()), u64::from(part[8])))
        .collect();
    let n = told[0].0;
    told.iter().enumerate().all(|(at, part)| *part == (n, at as u64 + u64::from(key))).then_some(n)
}

/// The samples of a fragment, and whether each stands alone.
fn samples(fragment: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let (mut rest, mut sizes, mut media) = (fragment, Vec::new(), Vec::new());
    while !rest.is_empty() {
        match Any::decode(&mut rest).unwrap() {
            Any::Moof(moof) => {
                let run = &moof.traf[0].trun[0].samples;
                sizes = (0..run.len()).map(|at| run.get(at).unwrap()).map(|s| (s.size.unwrap(), s.flags)).collect();
            }
            Any::Mdat(mdat) => media = mdat.data.to_vec(),
            _ => {}
        }
    }
    let mut at = 0;
    let cut = sizes.iter().map(|(size, flags)| {
        let sample = media[at..at + *size as usize].to_vec();
        at += *size as usize;
        (sample, *flags == Some(0x0200_0000))
    });
    cut.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_broken_group_of_pictures_is_ever_written(
        fates in proptest::collection::vec(fate(), 300..1_500),
        turns in proptest::collection::vec(turn(), 100..500),
        group in 5_u64..120,
    ) {
        let start = Instant::now();
        let moment = |ms: u64| start + Duration::from_millis(ms);
        let mut recording = Recording::new(start, Duration::ZERO, []);
        let mut items: Vec<(u64, u64, TapItem)> = Vec::new();
        let (mut dropped, mut outage, mut spared_until, mut spared) = (0, 0, 0, Vec::new());
        let pictures = fates.len() as u64 / PACKETS;
        // A teacher whose page is asked for a keyframe gives one: here every group begins with one.
        for n in 0..pictures {
            let at = n * PICTURE_MS;
            match turns[n as usize % turns.len()] {
                Turn::Outage(length) if n > 0 => outage = outage.max(n + length),
                Turn::Spared(length) if n >= spared_until => {
                    spared_until = n + length;
                    spared.push((at, spared_until * PICTURE_MS));
                }
                _ => {}
            }
            for i in 0..PACKETS {
                let key = n.is_multiple_of(group);
                let packet = |arrived: u64| TapItem::Packet {
                    track: TRACK,
                    arrived: moment(arrived),
                    packet: Arc::new(Packet {
                        seq: n * PACKETS + i,
                        timestamp: (at * 90) as u32,
                        marker: i + 1 == PACKETS,
                        codec: Codec::H264,
                        keyframe: key,
                        payload: payload(n, i, key),
                        audio_level: None,
                        vp8: None,
                        frame_start: i == 0,
                        layered: None,
                    }),
                };
                let order = n * PACKETS + i;
                if n < outage {
                    continue;
                }
                match fates[order as usize] {
                    Fate::Arrives => items.push((at + 30, order, packet(at + 30))),
                    Fate::Repaired(late) => items.push((at + 30 + late, order, packet(at + 30 + late))),
                    Fate::Twice => items.extend([30, 90].map(|late| (at + late, order, packet(at + late)))),
                    Fate::Lost => {}
                    Fate::Dropped => dropped += 1,
                }
            }
        }
        items.sort_by_key(|(at, order, _)| (*at, *order));
        let started =
            TapItem::Started { track: TRACK, kind: TrackKind::Camera, codec: Codec::H264, arrived: moment(0) };
        recording.handle_item(moment(0), started);
        let (mut now, mut written) = (0, Vec::new());
        let mut told = |recording: &mut Recording| {
            while let Some(action) = recording.poll_action() {
                if let Action::Append { bytes, .. } = action {
                    written.extend(samples(&bytes));
                }
            }
        };
        for (at, _, item) in items {
            while now < at {
                now = (now + 50).min(at);
                let lean = spared.iter().any(|(from, to)| (*from..*to).contains(&now));
                recording.omit(moment(now), if lean { &[TrackKind::Camera] } else { &[] });
                recording.handle_timeout(moment(now));
                told(&mut recording);
            }
            recording.handle_item(moment(at), item);
            told(&mut recording);
        }
        recording.handle_dropped(dropped);
        now += 5_000;
        recording.handle_timeout(moment(now));
        recording.finish(moment(now), true);
        told(&mut recording);
        let mut before: Option<u64> = None;
        for (at, (sample, stands_alone)) in written.iter().enumerate() {
            let n = shown(sample, *stands_alone);
            prop_assert!(n.is_some(), "sample {at} is torn: {sample:?}");
            prop_assert!(
                *stands_alone || (before.is_some() && before.map(|before| before + 1) == n),
                "sample {at} shows picture {n:?} behind {before:?}"
            );
            before = n;
        }
    }
}

/// A packet that is asked for until the last moment and comes a round trip of half a second later is still kept.
#[test]
fn whatever_the_hub_asked_for_is_waited_for() {
    let start = Instant::now();
    let moment = |ms: u64| start + Duration::from_millis(ms);
    let late = REPAIR_WITHIN.as_millis() as u64 + 450;
    let mut recording = Recording::new(start, Duration::ZERO, []);
    let started = TapItem::Started { track: TRACK, kind: TrackKind::Camera, codec: Codec::H264, arrived: start };
    recording.handle_item(start, started);
    let mut items: Vec<(u64, u64)> = (0..150 * PACKETS).map(|order| (order / PACKETS * PICTURE_MS, order)).collect();
    items[60 * PACKETS as usize].0 += late;
    items.sort_unstable();
    let (mut now, mut written) = (0, 0);
    for (at, order) in items {
        while now < at {
            now = (now + 20).min(at);
            recording.handle_timeout(moment(now));
        }
        let (n, i) = (order / PACKETS, order % PACKETS);
        let packet = Arc::new(Packet {
            seq: order,
            timestamp: (n * PICTURE_MS * 90) as u32,
            marker: i + 1 == PACKETS,
            codec: Codec::H264,
            keyframe: n == 0,
            payload: payload(n, i, n == 0),
            audio_level: None,
            vp8: None,
            frame_start: i == 0,
            layered: None,
        });
        recording.handle_item(moment(at), TapItem::Packet { track: TRACK, arrived: moment(at), packet });
    }
    recording.finish(moment(now), true);
    while let Some(action) = recording.poll_action() {
        if let Action::Append { bytes, .. } = action {
            written += samples(&bytes).len();
        }
    }
    assert_eq!(written, 150, "one keyframe, and every picture hangs on it");
}
