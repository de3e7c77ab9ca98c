//! Joins ordered packets to pictures.
//!
//! A picture with missing packets is dropped, and so is every one after it until a key frame.

use std::time::Instant;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc_rtp::{
    codec::{av1::Av1Depacketizer, h264::H264Packet, vp9::Vp9Packet},
    packetizer::Depacketizer as _,
};
use sfu::{media::Codec, packet::Packet};

use crate::format::codec::{CodecConfig, av1_keyframe, h264_size, vp9_keyframe};

/// One picture, in the form that fMP4 stores.
#[derive(Debug, Clone)]
pub struct Picture {
    /// RTP timestamp.
    pub rtp: u32,
    /// When its last packet arrived.
    pub arrived: Instant,
    /// Needs no earlier picture.
    pub keyframe: bool,
    /// Length-prefixed NALs, a VP9 (super)frame, or OBUs with sizes.
    pub data: Bytes,
    /// Decoder configuration; present at every key frame.
    pub config: Option<CodecConfig>,
}

/// Builds the pictures of one track.
#[derive(Debug)]
pub struct Depacketizer {
    codec: Codec,
    parts: PartialPicture,
    /// Pictures are dropped until the next key frame.
    awaiting_keyframe: bool,
    /// Packets are missing before the next picture, maybe its first ones.
    after_hole: bool,
    config: Option<CodecConfig>,
}

/// The picture in progress.
#[derive(Debug, Default)]
struct PartialPicture {
    rtp: Option<u32>,
    arrived: Option<Instant>,
    keyframe: bool,
    broken: bool,
    data: BytesMut,
    /// An H.264 FU-A or an AV1 OBU has begun and not ended.
    open: bool,
    h264: H264Packet,
    av1: Av1Depacketizer,
    /// Where each VP9 layer frame of this picture begins.
    layers: Vec<usize>,
}

impl Depacketizer {
    /// Depacketizer of `codec`, starting at the first key frame.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self { codec, parts: PartialPicture::default(), awaiting_keyframe: true, after_hole: true, config: None }
    }

    /// True while pictures are dropped for want of a key frame.
    #[must_use]
    pub fn awaiting_keyframe(&self) -> bool {
        self.awaiting_keyframe
    }

    /// Packets are lost here.
    pub fn hole(&mut self) {
        self.parts = PartialPicture::default();
        self.after_hole = true;
        self.awaiting_keyframe = true;
    }

    /// The next packet in order. It completes no picture, one, or two if a marker was missing.
    pub fn packet(&mut self, arrived: Instant, packet: &Packet) -> [Option<Picture>; 2] {
        let mut done = [None, None];
        if self.parts.rtp.is_some_and(|rtp| rtp != packet.timestamp) {
            done[0] = self.complete();
        }
        if self.parts.rtp.is_none() {
            self.parts.rtp = Some(packet.timestamp);
            self.parts.h264.is_avc = true;
            self.parts.broken = self.after_hole && !begins_picture(packet);
            self.after_hole = false;
        }
        self.parts.arrived = Some(arrived);
        self.parts.keyframe |= packet.keyframe;
        if !self.parts.broken && self.parts.take(self.codec, &packet.payload).is_none() {
            self.parts.broken = true;
        }
        if packet.marker {
            done[1] = self.complete();
        }
        done
    }

    fn complete(&mut self) -> Option<Picture> {
        let parts = std::mem::take(&mut self.parts);
        let picture = self.build(parts);
        if picture.is_none() {
            self.awaiting_keyframe = true;
        }
        let picture = picture?;
        if picture.keyframe {
            self.awaiting_keyframe = false;
        }
        (!self.awaiting_keyframe).then_some(picture)
    }

    /// `None`: the picture is broken.
    fn build(&mut self, mut parts: PartialPicture) -> Option<Picture> {
        if parts.broken || parts.open || parts.data.is_empty() {
            return None;
        }
        let data = std::mem::take(&mut parts.data);
        let (data, keyframe, config) = match self.codec {
            Codec::H264 => h264(data.freeze(), self.config.as_ref())?,
            Codec::Vp9 => {
                let data = superframe(data, &parts.layers);
                let config = vp9_keyframe(&data);
                (data, config.is_some(), config)
            }
            Codec::Av1 => {
                let data = data.freeze();
                let config = av1_keyframe(&data);
                (data, config.is_some(), config)
            }
            Codec::Opus | Codec::Vp8 => return None,
        };
        if config.is_some() {
            self.config.clone_from(&config);
        }
        Some(Picture { rtp: parts.rtp?, arrived: parts.arrived?, keyframe, data, config })
    }
}

impl PartialPicture {
    /// `None`: the payload is malformed, or the picture is larger than [`PICTURE_BYTES_MAX`].
    fn take(&mut self, codec: Codec, payload: &Bytes) -> Option<()> {
        if self.data.len() + payload.len() > PICTURE_BYTES_MAX {
            return None;
        }
        let piece = match codec {
            Codec::H264 => {
                self.open = check_h264(payload, self.open)?;
                self.h264.depacketize(payload).ok()?
            }
            Codec::Av1 => {
                check_av1(payload, self.open)?;
                let piece = self.av1.depacketize(payload).ok()?;
                self.open = self.av1.y;
                piece
            }
            Codec::Vp9 => {
                // A new one each time: the lists of a reused descriptor grow from packet to packet.
                let mut descriptor = Vp9Packet::default();
                let piece = match descriptor.depacketize(payload) {
                    Ok(piece) => piece,
                    Err(_) => three_references(payload)?,
                };
                if descriptor.b {
                    if self.layers.len() >= 8 {
                        return None;
                    }
                    self.layers.push(self.data.len());
                } else if self.layers.is_empty() {
                    return None;
                }
                self.open = !descriptor.e;
                piece
            }
            Codec::Opus | Codec::Vp8 => return None,
        };
        self.data.extend_from_slice(&piece);
        Some(())
    }
}

/// True: this packet is the first of its picture. Needed after a loss, where the marker of the previous picture may be
/// among the missing.
fn begins_picture(packet: &Packet) -> bool {
    if packet.codec != Codec::H264 {
        return packet.keyframe;
    }
    let payload: &[u8] = &packet.payload;
    let nal = match payload {
        [24, ..] | [56, ..] | [88, ..] | [120, ..] => payload.get(3..),
        _ => Some(payload),
    };
    match nal {
        // Parameter sets and delimiters stand before the first slice; a sender may give each its own packet.
        Some([header, ..]) if matches!(header & 0x1F, 7 | 9) => true,
        // The slice that begins at the first macroblock: `first_mb_in_slice` is 0, in one bit.
        Some([header, first, ..]) if header & 0x1F == 5 => first & 0x80 != 0,
        Some([header, fragment, first, ..]) if header & 0x1F == 28 => fragment & 0x9F == 0x85 && first & 0x80 != 0,
        _ => false,
    }
}

/// Checks what the depacketiser takes on trust: complete STAP-A entries, FU-A begun before it continues. `Some(open)`:
/// valid, and whether a fragmented NAL is still open.
fn check_h264(payload: &[u8], open: bool) -> Option<bool> {
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    match payload.first()? & 0x1F {
        FU_A => {
            let header = *payload.get(1)?;
            let (start, end) = (header & 0x80 != 0, header & 0x40 != 0);
            (start != open && payload.len() > 2).then_some(!end)
        }
        STAP_A if !open => {
            let mut rest = payload.get(1..)?;
            while !rest.is_empty() {
                let len = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
                rest = rest.get(2 + len..).filter(|_| len > 0)?;
            }
            Some(false)
        }
        _ if open => None,
        _ => Some(false),
    }
}

/// Checks what the depacketiser takes on trust: an OBU with an extension flag is long enough to hold the extension.
fn check_av1(payload: &[u8], open: bool) -> Option<()> {
    let header = *payload.first()?;
    let continues = header & 0x80 != 0;
    if continues != open {
        return None;
    }
    let count = usize::from((header >> 4) & 3);
    let mut at = 1;
    let mut element = 0;
    while at < payload.len() {
        let last = count != 0 && element + 1 == count;
        let mut len = payload.len() - at;
        if !last {
            len = 0;
            let mut shift = 0;
            loop {
                let byte = *payload.get(at)?;
                at += 1;
                len |= usize::from(byte & 0x7F).checked_shl(shift)?;
                if byte & 0x80 == 0 {
                    break;
                }
                shift += 7;
                if shift > 28 {
                    return None;
                }
            }
        }
        let body = payload.get(at..at.checked_add(len)?)?;
        let has_extension = body.first().is_some_and(|header| header & 4 != 0);
        if !(element == 0 && continues) && has_extension && body.len() < 2 {
            return None;
        }
        at += len;
        element += 1;
        if last {
            break;
        }
    }
    Some(())
}

/// A VP9 packet with three references, valid by RFC 9628 but refused by the depacketiser.
fn three_references(payload: &Bytes) -> Option<Bytes> {
    let mut rest = payload.clone();
    let byte = |rest: &mut Bytes| rest.has_remaining().then(|| rest.get_u8());
    let first = byte(&mut rest)?;
    let (picture_id, inter, layers, flexible, structure) =
        (first & 0x80 != 0, first & 0x40 != 0, first & 0x20 != 0, first & 0x10 != 0, first & 2 != 0);
    if picture_id && byte(&mut rest)? & 0x80 != 0 {
        byte(&mut rest)?;
    }
    if layers {
        byte(&mut rest)?;
    }
    if !flexible || !inter || structure {
        return None;
    }
    for _ in 0..3 {
        if byte(&mut rest)? & 1 == 0 {
            return Some(rest);
        }
    }
    None
}

/// Several layer frames of one picture need an index to form one sample (VP9 bitstream annex B).
fn superframe(mut data: BytesMut, layers: &[usize]) -> Bytes {
    if layers.len() > 1 {
        let ends = layers.iter().skip(1).copied().chain([data.len()]);
        let sizes: Vec<u32> =
            layers.iter().zip(ends).map(|(start, end)| u32::try_from(end - start).unwrap_or(u32::MAX)).collect();
        let marker = 0xC0 | 3 << 3 | u8::try_from(layers.len() - 1).unwrap_or(7);
        data.put_u8(marker);
        for size in sizes {
            data.put_u32_le(size);
        }
        data.put_u8(marker);
    }
    data.freeze()
}

/// Extracts parameter sets into the configuration, which `avc1` carries outside of the samples. Key frames repeat them:
/// a player that missed a new init segment, or ffmpeg over a joined file, survives a change of size.
fn h264(data: Bytes, known: Option<&CodecConfig>) -> Option<(Bytes, bool, Option<CodecConfig>)> {
    let (mut sps, mut pps) = (None, Vec::new());
    let mut keyframe = false;
    let mut kept = BytesMut::with_capacity(data.len());
    let mut rest = data;
    while rest.has_remaining() {
        if rest.remaining() < 4 {
            return None;
        }
        let len = usize::try_from(rest.get_u32()).ok()?;
        if len == 0 || len > rest.remaining() {
            return None;
        }
        let nal = rest.split_to(len);
        match nal.first()? & 0x1F {
            7 => sps = Some(nal),
            8 => pps.push(nal),
            // Access unit delimiters and filler are not stored in a container.
            9 | 12 => {}
            kind => {
                keyframe |= kind == 5;
                kept.put_u32(u32::try_from(len).ok()?);
                kept.extend_from_slice(&nal);
            }
        }
    }
    if kept.is_empty() {
        return None;
    }
    if !keyframe {
        return Some((kept.freeze(), false, None));
    }
    let (known_sps, known_pps) = match known {
        Some(CodecConfig::H264 { sps, pps, .. }) => (Some(sps.clone()), pps.clone()),
        _ => (None, Vec::new()),
    };
    let sps = sps.or(known_sps)?;
    let pps = if pps.is_empty() { known_pps } else { pps };
    if pps.is_empty() || pps.len() > 31 || pps.iter().any(|pps| pps.len() > usize::from(u16::MAX)) || sps.len() > 4096 {
        return None;
    }
    let size = h264_size(&sps)?;
    let mut whole = BytesMut::with_capacity(kept.len() + 256);
    for nal in [&sps].into_iter().chain(&pps) {
        whole.put_u32(u32::try_from(nal.len()).ok()?);
        whole.extend_from_slice(nal);
    }
    whole.extend_from_slice(&kept);
    Some((whole.freeze(), true, Some(CodecConfig::H264 { sps, pps, size })))
}

/// The largest 4K key frame.
const PICTURE_BYTES_MAX: usize = 4 << 20;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs one first moment; all others are counted from it")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(codec: Codec, seq: u64, timestamp: u32, marker: bool, keyframe: bool, payload: Vec<u8>) -> Packet {
        Packet {
            seq,
            timestamp,
            marker,
            codec,
            keyframe,
            payload: payload.into(),
            audio_level: None,
            vp8: None,
            frame_start: true,
            layered: None,
        }
    }

    const SPS: [u8; 13] = [0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00];

    fn h264_keyframe() -> Vec<u8> {
        let mut stap = vec![0x78];
        for nal in [&SPS[..], &[0x68, 0xCB, 0x83, 0xCB, 0x20], &[0x65, 1, 2, 3]] {
            stap.extend_from_slice(&u16::try_from(nal.len()).unwrap().to_be_bytes());
            stap.extend_from_slice(nal);
        }
        stap
    }

    #[test]
    fn after_a_hole_nothing_is_kept_until_the_next_keyframe() {
        let now = Instant::now();
        let mut pictures = Depacketizer::new(Codec::H264);
        let kept = |pictures: &mut Depacketizer, ts: u32, key: bool| {
            let payload = if key { h264_keyframe() } else { vec![0x61, 9, 9] };
            let [first, second] = pictures.packet(now, &packet(Codec::H264, 0, ts, true, key, payload));
            first.or(second)
        };
        assert!(kept(&mut pictures, 1, false).is_none());
        let key = kept(&mut pictures, 2, true).unwrap();
        assert!(key.keyframe);
        assert!(key.data.starts_with(&[0, 0, 0, 13, 0x67]) && key.data.ends_with(&[0, 0, 0, 4, 0x65, 1, 2, 3]));
        assert!(matches!(key.config, Some(CodecConfig::H264 { .. })));
        assert!(kept(&mut pictures, 3, false).is_some());
        pictures.hole();
        assert!(kept(&mut pictures, 4, false).is_none());
        assert!(kept(&mut pictures, 5, false).is_none());
        assert!(kept(&mut pictures, 6, true).is_some());
        assert!(kept(&mut pictures, 7, false).is_some());
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(
            payloads in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..60), any::<bool>(), any::<bool>(), 0_u32..3), 1..20),
            codec in prop_oneof![Just(Codec::H264), Just(Codec::Vp9), Just(Codec::Av1)],
        ) {
            let now = Instant::now();
            let mut pictures = Depacketizer::new(codec);
            for (payload, marker, keyframe, ts) in payloads {
                let _ = pictures.packet(now, &packet(codec, 0, ts, marker, keyframe, payload));
            }
        }
    }
}
