//! Redundant voice (RFC 2198): any payload that a publisher calls so, and what the hub builds out of any history.
#![no_main]

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use libfuzzer_sys::fuzz_target;
use sfu::{
    Codec,
    forward::{
        history::History,
        red::{BLOCKS_MAX, Pattern, read, write},
    },
    packet::Packet,
};

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

fn voice(seq: u64, timestamp: u32, payload: &[u8]) -> Packet {
    Packet {
        seq,
        timestamp,
        marker: false,
        codec: Codec::Opus,
        keyframe: true,
        frame_start: true,
        layered: None,
        payload: payload.to_vec().into(),
        audio_level: None,
        vp8: None,
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(blocks) = read(bytes, 960_000) {
        assert!((1..=BLOCKS_MAX).contains(&blocks.len()));
        let carried: usize = blocks.iter().map(|block| block.payload.len()).sum();
        assert_eq!(carried + 4 * (blocks.len() - 1) + 1, bytes.len());
    }
    let Some((&[distance, stride, room_high, room_low], mut rest)) = bytes.split_first_chunk::<4>() else { return };
    // Each packet: how far its number and its timestamp go on, and its length; cut from what follows.
    let (mut history, mut seq, mut timestamp) = (History::new(64), 70_000u64, u32::MAX - 9_000);
    let mut packet = voice(seq, timestamp, &[]);
    while let Some((&[ahead, ticks_high, ticks_low, size_high, size_low], tail)) = rest.split_first_chunk::<5>() {
        let size = usize::from(u16::from_be_bytes([size_high & 7, size_low])).min(tail.len());
        let (payload, tail) = tail.split_at(size);
        rest = tail;
        seq = seq.saturating_add_signed(i64::from(ahead as i8));
        timestamp = timestamp.wrapping_add(u32::from(u16::from_be_bytes([ticks_high, ticks_low])));
        packet = voice(seq, timestamp, payload);
        history.insert_at(*BEGAN, Arc::new(packet.clone()));
    }
    let (bytes_max, mut out) = (usize::from(u16::from_be_bytes([room_high, room_low])), vec![7; 3]);
    let count = write(&history, &packet, Pattern { distance, stride }, 111, bytes_max, &mut out);
    assert_eq!(count == 0, out.is_empty());
    if count > 0 {
        assert!(count < BLOCKS_MAX && out.len() <= bytes_max);
        let blocks = read(&out, packet.timestamp).expect("what we write can be read");
        let (last, earlier) = blocks.split_last().expect("the packet itself");
        assert_eq!((last.payload, earlier.len()), (&packet.payload[..], count));
        for block in earlier {
            let known = (0..packet.seq).rev().take(4_096).filter_map(|seq| history.get(seq));
            assert!(known.into_iter().any(|of| of.timestamp == block.timestamp && of.payload == block.payload));
        }
    }
});
