//! What tests of several topics share.
#![expect(clippy::disallowed_methods, reason = "a test needs one first moment; all others are counted from it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use recorder::{Clock, RecordingId, track::sound_meter::SILENCE};
use sfu::{
    id::TrackId,
    media::{Codec, TrackKind},
    packet::Packet,
    tap::{TapItem, TapSender},
};

pub const ID: &str = "0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a";

pub fn id() -> RecordingId {
    ID.parse().unwrap()
}

/// A clock that the test moves.
pub struct HandClock {
    start: Instant,
    ms: AtomicU64,
    looks: AtomicU64,
}

impl HandClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), ms: AtomicU64::new(0), looks: AtomicU64::new(0) })
    }

    pub fn ms(&self) -> u64 {
        self.ms.load(Ordering::SeqCst)
    }

    /// How often it was read.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }

    pub fn advance(&self, ms: u64) {
        self.ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Instant {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.start + Duration::from_millis(self.ms())
    }

    fn wall_ms(&self) -> u64 {
        1_800_000_000_000 + self.ms()
    }
}

/// Speaks for `ms`, moving the clock.
pub fn speak(clock: &HandClock, tap: &TapSender, track: TrackId, ms: u64) {
    let arrived = clock.now();
    tap.send(TapItem::Started { track, kind: TrackKind::Voice, codec: Codec::Opus, arrived }).unwrap();
    for seq in 0..ms / 20 {
        clock.advance(20);
        tap.send(word(clock, track, seq)).unwrap();
    }
}

/// Twenty milliseconds of voice.
pub fn word(clock: &HandClock, track: TrackId, seq: u64) -> TapItem {
    let packet = Arc::new(Packet {
        seq,
        timestamp: (seq * 960) as u32,
        marker: false,
        codec: Codec::Opus,
        keyframe: true,
        payload: Bytes::from_static(SILENCE),
        audio_level: None,
        vp8: None,
        frame_start: true,
        layered: None,
    });
    TapItem::Packet { track, arrived: clock.now(), packet }
}

/// Shows pictures that each stand alone, ten a second, moving the clock.
pub fn show(clock: &HandClock, tap: &TapSender, track: TrackId, pictures: std::ops::Range<u64>) {
    for picture in pictures {
        clock.advance(100);
        show_one(clock, tap, track, picture);
    }
}

pub fn show_one(clock: &HandClock, tap: &TapSender, track: TrackId, picture: u64) {
    const SPS: &[u8] = &[0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00];
    const PPS: &[u8] = &[0x68, 0xCB, 0x83, 0xCB, 0x20];
    let mut slice = vec![0xA5; 60_000];
    slice[0] = 0x65;
    let nals = [Bytes::from_static(SPS), Bytes::from_static(PPS), Bytes::from(slice)];
    for (at, nal) in nals.into_iter().enumerate() {
        let packet = Arc::new(Packet {
            seq: picture * 3 + at as u64,
            timestamp: (picture * 9_000) as u32,
            marker: at == 2,
            codec: Codec::H264,
            keyframe: at == 2,
            payload: nal,
            audio_level: None,
            vp8: None,
            frame_start: true,
            layered: None,
        });
        tap.send(TapItem::Packet { track, arrived: clock.now(), packet }).unwrap();
    }
}
