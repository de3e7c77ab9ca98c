//! RTP that Chromium 156 sent (decrypted; long payloads cut after 24 bytes), read back, and malformed bytes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sfu::{
    Codec,
    packet::{PayloadFacts, RtpHeader, parse, rewrite_vp8, rtp_header},
};

const H264: &str = include_str!("../packets/chromium-h264.hex");
/// `scalabilityMode: L1T3`.
const VP8: &str = include_str!("../packets/chromium-vp8.hex");
/// `scalabilityMode: L3T3_KEY`, of which the encoder made two spatial layers.
const VP9: &str = include_str!("../packets/chromium-vp9.hex");
/// `scalabilityMode: L1T3`.
const AV1: &str = include_str!("../packets/chromium-av1.hex");

fn packets(capture: &str) -> Vec<Vec<u8>> {
    let byte = |line: &str, at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("hex");
    capture.lines().map(|line| (0..line.len()).step_by(2).map(|at| byte(line, at)).collect()).collect()
}

/// The packets of a capture that are no probes, with what was read of them.
fn read(capture: &str, codec: Codec) -> Vec<(RtpHeader, PayloadFacts)> {
    packets(capture)
        .iter()
        .filter_map(|bytes| {
            let header = rtp_header(bytes).expect("RTP");
            let payload = header.payload_range(bytes.len(), bytes).expect("a payload");
            if payload.is_empty() {
                return None;
            }
            let facts = parse(codec, &bytes[payload]).expect("a payload of its codec");
            Some((header, facts))
        })
        .collect()
}

#[test]
fn only_the_first_picture_of_a_capture_is_a_key_picture() {
    for (capture, codec) in [(H264, Codec::H264), (VP8, Codec::Vp8), (VP9, Codec::Vp9), (AV1, Codec::Av1)] {
        let packets = read(capture, codec);
        let first = packets[0].0.timestamp;
        let keyframes: Vec<usize> =
            packets.iter().enumerate().filter(|(_, (_, facts))| facts.keyframe).map(|(at, _)| at).collect();
        let expected: &[usize] = match codec {
            Codec::H264 => &[0, 1], // SPS and PPS in one packet, the IDR slice's first fragment in the next.
            _ => &[0],
        };
        assert_eq!(keyframes, expected, "{codec:?}");
        assert!(keyframes.iter().all(|at| packets[*at].0.timestamp == first));
    }
}

#[test]
fn every_picture_of_a_capture_has_its_start() {
    for (capture, codec) in [(H264, Codec::H264), (VP8, Codec::Vp8), (VP9, Codec::Vp9), (AV1, Codec::Av1)] {
        let packets = read(capture, codec);
        let mut previous: Option<&RtpHeader> = None;
        for (header, facts) in &packets {
            let begins = previous.is_none_or(|previous| previous.timestamp != header.timestamp);
            // VP9 loses its marker with a top layer that the encoder left out: there only the timestamp ends a picture.
            let marked = previous.is_none_or(|previous| begins == previous.marker);
            assert!(marked || codec == Codec::Vp9, "a marker ends each picture");
            // The second packet of a key picture begins its slice.
            assert!(facts.frame_start == begins || codec == Codec::H264 && facts.keyframe, "{codec:?} {header:?}");
            previous = Some(header);
        }
    }
}

#[test]
fn layers_are_read_from_payload_headers() {
    let layers = |capture, codec| -> BTreeSet<(u8, u8)> {
        read(capture, codec).iter().map(|(_, facts)| (facts.spatial_id, facts.temporal_id)).collect()
    };
    assert_eq!(layers(H264, Codec::H264), [(0, 0)].into());
    assert_eq!(layers(VP8, Codec::Vp8), [(0, 0), (0, 1), (0, 2)].into());
    assert_eq!(layers(VP9, Codec::Vp9), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)].into());
    assert_eq!(layers(AV1, Codec::Av1), [(0, 0), (0, 1), (0, 2)].into());
}

#[test]
fn a_vp8_picture_can_be_renumbered_in_place() {
    let mut pictures = BTreeSet::new();
    for mut bytes in packets(VP8) {
        let header = rtp_header(&bytes).expect("RTP");
        let payload = header.payload_range(bytes.len(), &bytes).expect("a payload");
        if payload.is_empty() {
            continue;
        }
        let payload = &mut bytes[payload];
        let before = parse(Codec::Vp8, payload).expect("VP8");
        let numbers = before.vp8.expect("numbers");
        assert!(numbers.long_picture_id);
        pictures.insert(numbers.picture_id.expect("a picture id"));
        let original = payload.to_vec();
        rewrite_vp8(payload, &numbers, 0x7fff, 0xa5);
        let after = parse(Codec::Vp8, payload).expect("still VP8");
        let renumbered = after.vp8.expect("numbers");
        assert_eq!((renumbered.picture_id, renumbered.tl0_pic_idx), (Some(0x7fff), Some(0xa5)));
        assert_eq!(
            (after.keyframe, after.frame_start, after.temporal_id),
            (before.keyframe, before.frame_start, before.temporal_id)
        );
        rewrite_vp8(payload, &numbers, numbers.picture_id.unwrap_or(0), numbers.tl0_pic_idx.unwrap_or(0));
        assert_eq!(payload, original);
    }
    let (first, last) = (*pictures.first().expect("one"), *pictures.last().expect("one"));
    assert_eq!(usize::from(last - first) + 1, pictures.len(), "they run on");
}

#[test]
fn a_probe_is_a_packet_of_nothing() {
    let probe = packets(H264).remove(0);
    let header = rtp_header(&probe).expect("RTP");
    assert!(header.has_padding);
    assert_eq!(header.payload_range(probe.len(), &probe), Some(24..24));
    assert_eq!(parse(Codec::H264, &[]), None);
    // The media id "1" and the transport-wide sequence number 4, as the answer numbered them.
    assert_eq!(header.extension(4, &probe), Some(&b"1"[..]));
    assert_eq!(header.extension(3, &probe), Some(&[0, 4][..]));
    assert_eq!(header.extension(2, &probe), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_048) })]

    #[test]
    fn no_packet_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..160), rtp in any::<bool>()) {
        if rtp && let Some(first) = bytes.first_mut() {
            *first = *first & 0x3f | 0x80;
        }
        if let Some(header) = rtp_header(&bytes) {
            prop_assert!(usize::from(header.header_len) <= bytes.len());
            for (id, _) in &header.extensions {
                prop_assert!(header.extension(*id, &bytes).is_some());
            }
            for len in 0..bytes.len() + 2 {
                if let Some(payload) = header.payload_range(len, &bytes) {
                    prop_assert!(payload.start <= payload.end && payload.end <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn no_payload_panics(mut payload in proptest::collection::vec(any::<u8>(), 0..96), id in any::<u16>(), tl0 in any::<u8>()) {
        for codec in [Codec::Opus, Codec::H264, Codec::Vp9, Codec::Av1, Codec::Vp8] {
            if let Some(facts) = parse(codec, &payload) {
                prop_assert!(facts.temporal_id < 8 && facts.spatial_id < 8);
                if let Some(numbers) = facts.vp8 {
                    rewrite_vp8(&mut payload, &numbers, id, tl0);
                    let again = parse(codec, &payload).and_then(|facts| facts.vp8);
                    prop_assert_eq!(again.map(|again| again.picture_id_at), Some(numbers.picture_id_at));
                    rewrite_vp8(&mut payload[..1], &numbers, id, tl0);
                }
            }
        }
    }

    #[test]
    fn no_change_of_a_real_packet_panics(
        capture in proptest::sample::select(vec![(H264, Codec::H264), (VP8, Codec::Vp8), (VP9, Codec::Vp9), (AV1, Codec::Av1)]),
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        end in any::<prop::sample::Index>(),
    ) {
        let mut packets = packets(capture.0);
        let which = which.index(packets.len());
        let bytes = &mut packets[which];
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let len = end.index(bytes.len() + 1);
        if let Some(header) = rtp_header(&bytes[..len])
            && let Some(payload) = header.payload_range(len, bytes)
        {
            let _ = parse(capture.1, &bytes[payload]);
        }
    }
}
