//! Whatever the tap delivers, every track tiles the lesson from its beginning to its end.
#![expect(clippy::disallowed_methods, reason = "the test needs one first moment of time")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;
use recorder::{
    RecordingSummary,
    export::playlist,
    format::{
        clock::LessonTime,
        fmp4::{scan, time_scale},
    },
    journal::{InitRecord, Record, SegmentRecord, VERSION, manifest::Ledger, sound::SoundMinute},
    recording::Recording,
    track::{action::Action, sound_meter::SILENCE},
};
use sfu::{
    id::TrackId,
    media::{Codec, TrackKind},
    packet::Packet,
    tap::TapItem,
};

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Start(u64, TrackKind, Codec),
    End(u64),
    /// How a track goes on: packets, and by how much sequence and timestamp step for each.
    Media {
        track: u64,
        packets: u8,
        seq_step: i64,
        rtp_step: u32,
        keyframes: bool,
        wait_ms: u64,
    },
    Report(u64, u64, u32),
    Junk(u64, Vec<u8>),
    Dropped,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(TrackKind::Voice), Just(TrackKind::Board), Just(TrackKind::Camera)];
    let codec = prop_oneof![Just(Codec::Opus), Just(Codec::H264), Just(Codec::Vp9), Just(Codec::Av1), Just(Codec::Vp8)];
    let rtp = prop_oneof![4 => Just(960_u32), 4 => Just(3_000), 1 => Just(0), 1 => Just(1 << 31), 1 => any::<u32>()];
    let seq = prop_oneof![8 => Just(1_i64), 1 => Just(2), 1 => Just(0), 1 => Just(-3), 1 => 0_i64..1 << 40];
    prop_oneof![
        2 => (0_u64..20_000).prop_map(Step::Wait),
        3 => (0_u64..5, kind, codec).prop_map(|(track, kind, codec)| Step::Start(track, kind, codec)),
        1 => (0_u64..5).prop_map(Step::End),
        8 => (0_u64..5, 1_u8..120, seq, rtp, any::<bool>(), 0_u64..60).prop_map(
            |(track, packets, seq_step, rtp_step, keyframes, wait_ms)| Step::Media {
                track, packets, seq_step, rtp_step, keyframes, wait_ms
            }
        ),
        1 => (0_u64..5, any::<u64>(), any::<u32>()).prop_map(|(track, ntp, rtp)| Step::Report(track, ntp, rtp)),
        1 => (0_u64..5, proptest::collection::vec(any::<u8>(), 0..80)).prop_map(|(track, junk)| Step::Junk(track, junk)),
        1 => Just(Step::Dropped),
    ]
}

fn payload(codec: Codec, keyframe: bool) -> Bytes {
    const H264_KEY: &[u8] = &[
        0x78, 0, 13, 0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00, 0, 5, 0x68, 0xCB,
        0x83, 0xCB, 0x20, 0, 4, 0x65, 0x88, 1, 2,
    ];
    const VP9_KEY: &[u8] = &[0x0C, 0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xF0, 0x0B, 0x30, 1];
    match (codec, keyframe) {
        (Codec::Opus, _) => Bytes::from_static(SILENCE),
        (Codec::Vp9, true) => Bytes::from_static(VP9_KEY),
        (Codec::Vp9, false) => Bytes::from_static(&[0x4C, 0x86, 1, 2]),
        (_, true) => Bytes::from_static(H264_KEY),
        (_, false) => Bytes::from_static(&[0x61, 0x9A, 1, 2]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn every_track_tiles_the_lesson(steps in proptest::collection::vec(step(), 1..60)) {
        let start = Instant::now();
        let mut recording = Recording::new(start, Duration::ZERO, []);
        let mut now_ms = 0;
        let mut codecs: BTreeMap<u64, Codec> = BTreeMap::new();
        let mut at: BTreeMap<u64, (u64, u32)> = BTreeMap::new();
        let mut ends: BTreeMap<TrackKind, u64> = BTreeMap::new();
        let mut dropped = 0;
        let moment = |ms: u64| start + Duration::from_millis(ms);
        for step in steps {
            match step {
                Step::Wait(ms) => {
                    let until = now_ms + ms;
                    while now_ms < until {
                        now_ms = (now_ms + 500).min(until);
                        recording.handle_timeout(moment(now_ms));
                    }
                }
                Step::Start(track, kind, codec) => {
                    codecs.insert(track, codec);
                    let arrived = moment(now_ms);
                    recording.handle_item(arrived, TapItem::Started { track: TrackId(track), kind, codec, arrived });
                }
                Step::End(track) => {
                    recording.handle_item(moment(now_ms), TapItem::Ended { track: TrackId(track), at: moment(now_ms) });
                }
                Step::Media { track, packets, seq_step, rtp_step, keyframes, wait_ms } => {
                    let codec = codecs.get(&track).copied().unwrap_or(Codec::Opus);
                    for n in 0..packets {
                        let (seq, timestamp) = at.entry(track).or_insert((1_000, 0));
                        *seq = seq.saturating_add_signed(seq_step);
                        *timestamp = timestamp.wrapping_add(rtp_step);
                        let keyframe = codec.is_sound() || (keyframes && n % 30 == 0);
                        let packet = Packet {
                            seq: *seq, timestamp: *timestamp, marker: true, codec, keyframe,
                            payload: payload(codec, keyframe), audio_level: None, vp8: None, frame_start: true, layered: None,
                        };
                        now_ms += wait_ms;
                        let arrived = moment(now_ms);
                        let item = TapItem::Packet { track: TrackId(track), arrived, packet: Arc::new(packet) };
                        recording.handle_item(arrived, item);
                    }
                }
                Step::Report(track, ntp, rtp) => {
                    let arrived = moment(now_ms);
                    let item = TapItem::SenderReport { track: TrackId(track), arrived, ntp, rtp };
                    recording.handle_item(arrived, item);
                }
                Step::Junk(track, junk) => {
                    let codec = codecs.get(&track).copied().unwrap_or(Codec::Opus);
                    let (seq, timestamp) = at.entry(track).or_insert((1_000, 0));
                    *seq += 1;
                    let packet = Packet {
                        seq: *seq, timestamp: *timestamp, marker: false, codec, keyframe: true,
                        payload: junk.into(), audio_level: None, vp8: None, frame_start: true, layered: None,
                    };
                    let arrived = moment(now_ms);
                    let item = TapItem::Packet { track: TrackId(track), arrived, packet: Arc::new(packet) };
                    recording.handle_item(arrived, item);
                }
                Step::Dropped => {
                    dropped += 1;
                    recording.handle_dropped(dropped);
                }
            }
            recording.handle_timeout(moment(now_ms));
            check(&mut recording, &mut ends);
        }
        recording.finish(moment(now_ms), true);
        check(&mut recording, &mut ends);
        for (kind, end) in ends {
            let end_ms = LessonTime::from_ticks(end, time_scale(kind.is_sound())).millis();
            // A timestamp may claim to be up to a second early; honest ones are held to a tenth elsewhere.
            prop_assert!(end_ms + 100 >= now_ms && end_ms <= now_ms + 1_600, "{kind} ends at {end_ms} of {now_ms}");
        }
    }
}

#[test]
fn a_journal_of_figures_beyond_all_measure_is_told_all_the_same() {
    let (kind, most) = (TrackKind::Voice, u64::MAX);
    let start = Record::Start {
        recording_id: "0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a".parse().unwrap(),
        version: VERSION,
        started_at_ms: most,
        software: String::new(),
    };
    let (codecs, sha256) = (String::new(), String::new());
    let init = |kind| InitRecord {
        kind,
        n: 1,
        codec: Codec::Opus,
        codecs: codecs.clone(),
        width: None,
        height: None,
        sha256: sha256.clone(),
    };
    let segment = |kind, seq| SegmentRecord {
        kind,
        seq,
        init: 1,
        start: most - 1,
        duration: most,
        fragments: u32::MAX,
        size_bytes: most,
        sha256: sha256.clone(),
        recovered: false,
    };
    let minute = SoundMinute {
        minute: most,
        rms_dbfs: None,
        clipped: 1.0,
        silent: 1.0,
        heard_ms: most,
        speech: 1.0,
        short_term_max_lufs: Some(f32::MAX),
        integrated_lufs: Some(f32::MAX),
    };
    let sound = Record::Sound { kind, minute };
    let records = [
        start,
        Record::Init(init(kind)),
        Record::Init(init(TrackKind::Camera)),
        Record::Segment(segment(kind, 1)),
        Record::Segment(segment(kind, u32::MAX)),
        Record::Segment(segment(TrackKind::Camera, 1)),
        sound.clone(),
        sound,
    ];
    let ledger = Ledger::fold(&records, "").unwrap();
    assert_eq!(RecordingSummary::new(ledger.recording_id, Some(&ledger), false).size_bytes, most);
    assert!(ledger.manifest().tracks[1].loudness.is_some() || ledger.manifest().tracks[0].loudness.is_some());
    for name in [playlist::MAIN.to_owned(), playlist::name(kind), playlist::name(TrackKind::Camera)] {
        assert!(playlist::write(&ledger, &name).is_some(), "{name}");
    }
}

/// Every fragment begins where the one before it ended.
fn check(recording: &mut Recording, ends: &mut BTreeMap<TrackKind, u64>) {
    while let Some(action) = recording.poll_action() {
        if let Action::Append { name, bytes, end } = action {
            let (fragments, kept) = scan(&bytes);
            assert_eq!((fragments.len(), kept), (1, bytes.len()));
            let at = ends.entry(name.kind()).or_default();
            assert_eq!(fragments[0].start, *at, "{name}");
            *at += fragments[0].duration;
            assert_eq!(*at, end);
        }
    }
}
