//! A virtual teacher: pictures and voice of plausible sizes on the virtual clock, through the real publisher's core.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sfu::TrackKind;

use crate::client::{
    description::{AnsweredMedia, Sources},
    publisher::{Outgoing, Publisher, PublisherCounts},
    srtp::Srtp,
};

/// What a track's pictures are like.
#[derive(Debug, Clone, Copy)]
struct Pictures {
    rate: u32,
    bytes: f64,
    keyframe_bytes: f64,
}

/// A face at 360p: 600 kbit/s.
const CAMERA: Pictures = Pictures { rate: 25, bytes: 2_900.0, keyframe_bytes: 16_000.0 };
/// A face at 720p and at 180p, as one camera in two layers.
const CAMERA_HIGH: Pictures = Pictures { rate: 25, bytes: 4_400.0, keyframe_bytes: 26_000.0 };
const CAMERA_LOW: Pictures = Pictures { rate: 25, bytes: 500.0, keyframe_bytes: 4_000.0 };
/// A board that is being written on: 200 kbit/s, and a keyframe as large as a screen full of text.
const BOARD: Pictures = Pictures { rate: 15, bytes: 1_600.0, keyframe_bytes: 45_000.0 };
/// Opus at 32 kbit/s.
const VOICE_BYTES: usize = 80;
const VOICE_INTERVAL: Duration = Duration::from_millis(20);
/// How long a browser's encoder takes to bring the keyframe that was asked for.
const ENCODER: Duration = Duration::from_millis(40);

/// One publishing connection.
pub struct Teacher {
    publisher: Publisher,
    srtp: Srtp,
    pictures: Pictures,
    dice: StdRng,
    began: Instant,
    shown: u32,
    spoken: u32,
    has_voice: bool,
    keyframe_from: Option<Instant>,
    keyframes: u64,
    /// The camera comes in two layers; when a keyframe of the cheaper one is due.
    layered: bool,
    low_from: Option<Instant>,
}

impl Teacher {
    /// `media` is what was answered; `picture` says what the pictures show.
    pub fn new(
        now: Instant,
        seed: u64,
        picture: TrackKind,
        sources: Sources,
        media: &[AnsweredMedia],
        srtp: Srtp,
    ) -> Self {
        Self {
            publisher: Publisher::new(now, NTP_AT_START, 1, sources, media),
            srtp,
            pictures: if picture == TrackKind::Board { BOARD } else { CAMERA },
            dice: StdRng::seed_from_u64(seed),
            began: now,
            shown: 0,
            spoken: 0,
            has_voice: sources.voice.is_some(),
            keyframe_from: Some(now),
            keyframes: 0,
            layered: false,
            low_from: Some(now),
        }
    }

    /// Sends its camera in two layers, [`LAYERS`]; `low` are the cheaper one's sources.
    pub fn layer(&mut self, media: &[AnsweredMedia], low: (u32, u32)) {
        self.layered = true;
        self.pictures = CAMERA_HIGH;
        self.publisher.set_layers(media, LAYERS[1], &[(LAYERS[0], low.0, low.1)]);
    }

    /// Encodes and sends what is due.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        if self.publisher.take_keyframe_wanted() && self.keyframe_from.is_none() {
            self.keyframe_from = Some(now + ENCODER);
        }
        if self.publisher.take_lower_wanted(0) && self.low_from.is_none() {
            self.low_from = Some(now + ENCODER);
        }
        while self.picture_at() <= now {
            let keyframe = self.keyframe_from.is_some_and(|from| from <= self.picture_at());
            if keyframe {
                self.keyframe_from = None;
                self.keyframes += 1;
            }
            let unit = self.encode(self.pictures, keyframe);
            let timestamp = (u64::from(self.shown) * 90_000 / u64::from(self.pictures.rate)) as u32;
            self.publisher.send_picture(now, timestamp, &unit)?;
            if self.layered {
                let keyframe = self.low_from.is_some_and(|from| from <= self.picture_at());
                self.low_from = self.low_from.filter(|_| !keyframe);
                self.keyframes += u64::from(keyframe);
                let unit = self.encode(CAMERA_LOW, keyframe);
                self.publisher.send_lower(now, 0, timestamp, &unit)?;
            }
            self.shown += 1;
        }
        while self.has_voice && self.voice_at() <= now {
            let mut packet = vec![0xAA; VOICE_BYTES];
            packet[0] = 0x0b << 3; // hybrid, fullband, 20 ms
            packet[1..5].copy_from_slice(&self.spoken.to_be_bytes());
            self.publisher.send_voice(now, self.spoken.wrapping_mul(960), self.spoken == 0, Bytes::from(packet));
            self.spoken += 1;
        }
        self.publisher.handle_timeout(now)
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Instant {
        let due = self.picture_at().min(self.publisher.poll_timeout());
        if self.has_voice { due.min(self.voice_at()) } else { due }
    }

    /// Takes a datagram of the hub.
    pub fn handle_datagram(&mut self, datagram: &[u8]) {
        let Ok(compound) = self.srtp.open_rtcp(datagram) else { return };
        if let Ok(packets) = rtc_rtcp::packet::unmarshal(&mut &compound[..]) {
            self.publisher.handle_rtcp(&packets);
        }
    }

    /// The next sealed datagram.
    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        let sealed = match self.publisher.poll_output()? {
            Outgoing::Rtp(packet) => self.srtp.seal_rtp(&packet),
            Outgoing::Rtcp(packet) => self.srtp.seal_rtcp(&packet),
        };
        // The publisher's own packets are well formed, so sealing them cannot fail.
        sealed.ok()
    }

    /// What was sent and heard.
    pub fn counts(&self) -> PublisherCounts {
        self.publisher.counts()
    }

    /// Keyframes encoded, the first one included.
    pub fn keyframes(&self) -> u64 {
        self.keyframes
    }

    fn picture_at(&self) -> Instant {
        self.began + Duration::from_secs(1) * self.shown / self.pictures.rate
    }

    fn voice_at(&self) -> Instant {
        self.began + VOICE_INTERVAL * self.spoken
    }

    /// Annex B with sizes as an encoder's: 30 % up and down. The content is arbitrary, but has no start code.
    fn encode(&mut self, pictures: Pictures, keyframe: bool) -> Bytes {
        let mean = if keyframe { pictures.keyframe_bytes } else { pictures.bytes };
        let size = (mean * self.dice.random_range(0.7..1.3)) as usize;
        let mut unit = Vec::with_capacity(size + 32);
        if keyframe {
            unit.extend_from_slice(b"\0\0\0\x01\x67\x42\xe0\x1f\x8c\x8d\x40\x50\x1e\xd0\0\0\0\x01\x68\xce\x3c\x80");
        }
        unit.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }, 0x88]);
        unit.resize(unit.len() + size, 0xAB);
        Bytes::from(unit)
    }
}

/// A layered camera's rids, the cheaper first.
pub const LAYERS: [&str; 2] = ["q", "h"];

/// 1 September 2026, 8:00 in Beijing; any fixed moment would do.
const NTP_AT_START: u64 = 3_997_180_800 << 32;
