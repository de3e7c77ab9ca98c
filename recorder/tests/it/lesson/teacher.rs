//! A teacher whose camera flashes and whose microphone beeps at the same moments of one clock, over a seeded line.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use opus::{Application, Channels, Encoder};
use rtc_rtp::{
    codec::{av1::Av1Payloader, h264::H264Payloader, vp9::Vp9Payloader},
    packetizer::Payloader,
};
use sfu::{
    id::TrackId,
    media::{Codec, TrackKind},
    packet::Packet,
    tap::TapItem,
};

use super::ffmpeg::{ffmpeg, path};

pub const VOICE: TrackId = TrackId(1);
pub const CAMERA: TrackId = TrackId(2);

/// Encoded pictures, and whether each needs no earlier one. Thirty a second, two seconds a group.
pub fn pictures(codec: Codec, dir: &Path, seconds: u32, size: &str) -> Vec<(Bytes, bool)> {
    let source = format!("color=black:s={size}:r=30:d={seconds},drawbox=c=white:t=fill:enable='lt(mod(t,2),0.2)'");
    let file = dir.join(format!("camera-{size}.{}", if codec == Codec::H264 { "h264" } else { "ivf" }));
    let encoder: &[&str] = match codec {
        Codec::H264 => &[
            "-c:v",
            "libx264",
            "-profile:v",
            "baseline",
            "-preset",
            "ultrafast",
            "-x264-params",
            "aud=1:bframes=0:keyint=60:min-keyint=60:scenecut=0",
            "-f",
            "h264",
        ],
        Codec::Vp9 => &[
            "-c:v",
            "libvpx-vp9",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-lag-in-frames",
            "0",
            "-g",
            "60",
            "-f",
            "ivf",
        ],
        Codec::Av1 => &[
            "-c:v",
            "libaom-av1",
            "-usage",
            "realtime",
            "-cpu-used",
            "8",
            "-lag-in-frames",
            "0",
            "-g",
            "60",
            "-f",
            "ivf",
        ],
        _ => panic!("no pictures in {codec:?}"),
    };
    ffmpeg(&[&["-y", "-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p"], encoder, &[path(&file)]].concat());
    let bytes = read(&file);
    if codec == Codec::H264 { access_units(&bytes) } else { ivf(&bytes) }
}

#[expect(clippy::disallowed_methods, reason = "the test reads what ffmpeg wrote")]
pub fn read(file: &Path) -> Bytes {
    std::fs::read(file).unwrap().into()
}

pub fn access_units(bytes: &Bytes) -> Vec<(Bytes, bool)> {
    const DELIMITER: &[u8] = &[0, 0, 0, 1, 9];
    let starts: Vec<usize> =
        bytes.windows(5).enumerate().filter(|(_, window)| *window == DELIMITER).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let unit = bytes.slice(*start..end);
            let key = unit.windows(4).any(|window| window[..3] == [0, 0, 1] && window[3] & 0x1F == 5);
            (unit, key)
        })
        .collect()
}

fn ivf(bytes: &Bytes) -> Vec<(Bytes, bool)> {
    let mut at = 32;
    let mut frames = Vec::new();
    while let Some(len) = bytes.get(at..at + 4) {
        let len = u32::from_le_bytes(len.try_into().unwrap()) as usize;
        frames.push(bytes.slice(at + 12..at + 12 + len));
        at += 12 + len;
    }
    frames.into_iter().enumerate().map(|(i, frame)| (frame, i % 60 == 0)).collect()
}

/// Packets of 20 ms: a beep every two seconds.
pub fn voice(seconds: u32) -> Vec<Bytes> {
    sound(seconds, |t| {
        let loud = if t % 2.0 < 0.2 { 0.5 } else { 0.0 };
        loud * (t * 1_000.0 * std::f64::consts::TAU).sin()
    })
}

/// Packets of 20 ms of what is heard at each moment, in seconds.
pub fn sound(seconds: u32, at: impl Fn(f64) -> f64) -> Vec<Bytes> {
    let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Voip).unwrap();
    (0..u64::from(seconds) * 50)
        .map(|packet| {
            let pcm: Vec<f32> = (0..960).map(|i| at((packet * 960 + i) as f64 / 48_000.0) as f32).collect();
            encoder.encode_vec_float(&pcm, 1_500).unwrap().into()
        })
        .collect()
}

/// How the line treats the teacher.
pub struct Line {
    pub seed: u64,
    /// Of a thousand packets so many are lost and come again, late.
    pub repaired: u64,
    /// Of a thousand packets so many never come.
    pub lost: u64,
    /// Nothing at all comes through in these spans of seconds.
    pub outages: Vec<(f64, f64)>,
}

impl Line {
    pub fn clean() -> Self {
        Self { seed: 1, repaired: 0, lost: 0, outages: Vec::new() }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    /// When a packet sent at `sent` arrives.
    fn arrival(&mut self, sent: f64) -> Option<f64> {
        if self.outages.iter().any(|(from, to)| (*from..*to).contains(&sent)) || self.random(1_000) < self.lost {
            return None;
        }
        let jitter = 0.040 + self.random(30) as f64 / 1_000.0;
        let again = if self.random(1_000) < self.repaired { 0.150 + self.random(500) as f64 / 1_000.0 } else { 0.0 };
        Some(sent + jitter + again)
    }
}

/// A publisher's clock against the hub's: 32.32 since 1900, an odd offset.
fn ntp(seconds: f64) -> u64 {
    (3_950_000_123_u64 << 32) + (seconds * 4_294_967_296.0) as u64
}

/// What the tap tells of the camera. `from`: when in the lesson the first picture was taken, in seconds.
pub fn camera(
    start: Instant,
    from: f64,
    id: TrackId,
    codec: Codec,
    pictures: &[(Bytes, bool)],
    line: &mut Line,
) -> Vec<(f64, TapItem)> {
    let mut payloader: Box<dyn Payloader> = match codec {
        Codec::H264 => Box::new(H264Payloader::default()),
        Codec::Vp9 => Box::new(Vp9Payloader::default()),
        _ => Box::new(Av1Payloader::default()),
    };
    let mut items = Vec::new();
    let mut seq = 1_000;
    for (i, (picture, key)) in pictures.iter().enumerate() {
        let taken = i as f64 / 30.0;
        let timestamp = 0xFFF0_0000_u32.wrapping_add(i as u32 * 3_000);
        let payloads = payloader.payload(1_200, picture).unwrap();
        let count = payloads.len();
        for (k, payload) in payloads.into_iter().enumerate() {
            let packet = Arc::new(Packet {
                seq,
                timestamp,
                marker: k + 1 == count,
                codec,
                keyframe: *key && k == 0,
                payload,
                audio_level: None,
                vp8: None,
                frame_start: true,
                layered: None,
            });
            seq += 1;
            // Encoding takes 45 ms.
            if let Some(arrival) = line.arrival(from + taken + 0.045) {
                items.push((arrival, TapItem::Packet { track: id, arrived: at(start, arrival), packet }));
            }
        }
        if i % 30 == 5
            && let Some(arrival) = line.arrival(from + taken + 0.01)
        {
            let report = TapItem::SenderReport {
                track: id,
                arrived: at(start, arrival),
                ntp: ntp(from + taken),
                rtp: timestamp,
            };
            items.push((arrival, report));
        }
    }
    with_start(items, start, id, TrackKind::Camera, codec)
}

/// What the tap tells of the voice.
pub fn microphone(start: Instant, from: f64, id: TrackId, packets: &[Bytes], line: &mut Line) -> Vec<(f64, TapItem)> {
    let mut items = Vec::new();
    for (i, payload) in packets.iter().enumerate() {
        let spoken = i as f64 * 0.020;
        let timestamp = 12_345 + i as u32 * 960;
        let packet = Arc::new(Packet {
            seq: i as u64,
            timestamp,
            marker: false,
            codec: Codec::Opus,
            keyframe: true,
            payload: payload.clone(),
            audio_level: None,
            vp8: None,
            frame_start: true,
            layered: None,
        });
        if let Some(arrival) = line.arrival(from + spoken + 0.020) {
            items.push((arrival, TapItem::Packet { track: id, arrived: at(start, arrival), packet }));
        }
        if i % 250 == 30
            && let Some(arrival) = line.arrival(from + spoken + 0.01)
        {
            let report = TapItem::SenderReport {
                track: id,
                arrived: at(start, arrival),
                ntp: ntp(from + spoken),
                rtp: timestamp,
            };
            items.push((arrival, report));
        }
    }
    with_start(items, start, id, TrackKind::Voice, Codec::Opus)
}

fn with_start(
    mut items: Vec<(f64, TapItem)>,
    start: Instant,
    track: TrackId,
    kind: TrackKind,
    codec: Codec,
) -> Vec<(f64, TapItem)> {
    items.sort_by(|a, b| a.0.total_cmp(&b.0));
    let first = items.first().expect("something arrives").0;
    items.insert(0, (first, TapItem::Started { track, kind, codec, arrived: at(start, first) }));
    items
}

pub fn at(start: Instant, seconds: f64) -> Instant {
    start + Duration::from_secs_f64(seconds)
}
