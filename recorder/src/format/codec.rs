//! Decoder configuration, read from the stream itself.

use bytes::Bytes;
use sfu::media::Codec;

/// The decoder configuration of a track. Another value needs a new init segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecConfig {
    /// Opus, always declared as stereo (RFC 7587 §7: a sender may switch at will).
    Opus,
    /// H.264 with its parameter sets.
    H264 {
        /// Sequence parameter set, without start code.
        sps: Bytes,
        /// Picture parameter sets.
        pps: Vec<Bytes>,
        /// From the sequence parameter set.
        size: Size,
    },
    /// VP9, from the header of its key frame.
    Vp9 {
        /// 0 to 3.
        profile: u8,
        /// 8, 10 or 12.
        bit_depth: u8,
        /// As `vpcC` counts it: 1 is 4:2:0, 2 is 4:2:2, 3 is 4:4:4.
        subsampling: u8,
        /// Of the key frame.
        size: Size,
    },
    /// AV1, from its sequence header.
    Av1(Av1),
}

/// What `av1C` repeats of a sequence header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Av1 {
    /// The sequence header OBU, with its size field.
    pub sequence_header: Bytes,
    /// 0 to 2.
    pub profile: u8,
    /// Of operating point 0.
    pub level: u8,
    /// Of operating point 0: the high tier.
    pub high_tier: bool,
    /// 10 or 12 bits a sample.
    pub high_bitdepth: bool,
    /// 12 bits a sample.
    pub twelve_bit: bool,
    /// No chroma at all.
    pub monochrome: bool,
    /// Chroma is halved across.
    pub subsampling_x: bool,
    /// Chroma is halved down.
    pub subsampling_y: bool,
    /// The largest picture of the sequence.
    pub size: Size,
}

/// Pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Across.
    pub width: u16,
    /// Down.
    pub height: u16,
}

impl CodecConfig {
    /// Which codec it is.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self {
            Self::Opus => Codec::Opus,
            Self::H264 { .. } => Codec::H264,
            Self::Vp9 { .. } => Codec::Vp9,
            Self::Av1(_) => Codec::Av1,
        }
    }

    /// `None` for sound.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        match self {
            Self::Opus => None,
            Self::H264 { size, .. } | Self::Vp9 { size, .. } => Some(*size),
            Self::Av1(av1) => Some(av1.size),
        }
    }

    /// The name of RFC 6381, for a playlist's CODECS.
    #[must_use]
    pub fn rfc6381(&self) -> String {
        match self {
            Self::Opus => "opus".to_owned(),
            Self::H264 { sps, .. } => {
                let at = |i: usize| sps.get(i).copied().unwrap_or(0);
                format!("avc1.{:02x}{:02x}{:02x}", at(1), at(2), at(3))
            }
            Self::Vp9 { profile, bit_depth, .. } => format!("vp09.{profile:02}.{VP9_LEVEL:02}.{bit_depth:02}"),
            Self::Av1(av1) => {
                let depth = if av1.twelve_bit {
                    12
                } else if av1.high_bitdepth {
                    10
                } else {
                    8
                };
                let tier = if av1.high_tier { 'H' } else { 'M' };
                format!("av01.{}.{:02}{tier}.{depth:02}", av1.profile, av1.level)
            }
        }
    }
}

/// VP9 streams do not carry their level; 4.1 covers 1080p at 60 frames.
pub const VP9_LEVEL: u8 = 41;

/// Picture size of an H.264 sequence parameter set NAL (ITU-T H.264 §7.3.2.1.1). `None`: malformed.
#[must_use]
pub fn h264_size(sps: &[u8]) -> Option<Size> {
    let profile = *sps.get(1)?;
    let rbsp = without_emulation(sps.get(4..)?);
    let mut bits = BitReader::new(&rbsp);
    bits.ue()?; // seq_parameter_set_id
    let mut chroma = 1;
    let mut separate = false;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma = bits.ue()?;
        if chroma == 3 {
            separate = bits.flag()?;
        }
        bits.ue()?; // luma depth
        bits.ue()?; // chroma depth
        bits.flag()?; // lossless
        if bits.flag()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.ue()?; // log2_max_frame_num
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.flag()?;
            bits.ue()?;
            bits.ue()?;
            let cycle = bits.ue()?;
            for _ in 0..cycle.min(255) {
                bits.ue()?;
            }
        }
        _ => {}
    }
    bits.ue()?; // reference frames
    bits.flag()?; // gaps allowed
    let width = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let rows = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.flag()?;
    }
    let height = if frames_only { rows } else { rows.checked_mul(2)? };
    bits.flag()?; // direct 8x8
    let (mut across, mut down) = (0_u32, 0_u32);
    if bits.flag()? {
        let (x, y) = match (chroma, separate) {
            (1, false) => (2, 2),
            (2, false) => (2, 1),
            _ => (1, 1),
        };
        let y = if frames_only { y } else { y * 2 };
        across = bits.ue()?.checked_add(bits.ue()?)?.checked_mul(x)?;
        down = bits.ue()?.checked_add(bits.ue()?)?.checked_mul(y)?;
    }
    size(width.checked_sub(across)?, height.checked_sub(down)?)
}

fn skip_scaling_list(bits: &mut BitReader<'_>, len: usize) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..len {
        if next != 0 {
            let code = i64::from(bits.ue()?);
            let delta = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
            next = (last + delta).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// The configuration in a VP9 frame's uncompressed header (VP9 bitstream §6.2). `None`: no key frame.
#[must_use]
pub fn vp9_keyframe(frame: &[u8]) -> Option<CodecConfig> {
    let mut bits = BitReader::new(frame);
    if bits.take(2)? != 2 {
        return None;
    }
    let low = bits.take(1)?;
    let profile = u8::try_from(bits.take(1)? * 2 + low).ok()?;
    if profile == 3 {
        bits.take(1)?;
    }
    if bits.flag()? || bits.flag()? {
        return None; // an existing frame is shown, or this one leans on others
    }
    bits.take(2)?; // shown, error resilient
    if bits.take(24)? != 0x49_83_42 {
        return None;
    }
    let bit_depth = if profile >= 2 { if bits.flag()? { 12 } else { 10 } } else { 8 };
    const SRGB: u32 = 7;
    let subsampling = if bits.take(3)? == SRGB {
        if profile & 1 == 1 {
            bits.take(1)?;
        }
        3
    } else {
        bits.take(1)?; // full range
        if profile & 1 == 1 {
            let (x, y) = (bits.flag()?, bits.flag()?);
            bits.take(1)?;
            match (x, y) {
                (true, true) => 1,
                (true, false) => 2,
                _ => 3,
            }
        } else {
            1
        }
    };
    let width = bits.take(16)? + 1;
    let height = bits.take(16)? + 1;
    Some(CodecConfig::Vp9 { profile, bit_depth, subsampling, size: size(width, height)? })
}

/// The configuration in a temporal unit's sequence header, if the unit starts with a key frame. OBUs carry their sizes.
#[must_use]
pub fn av1_keyframe(unit: &Bytes) -> Option<CodecConfig> {
    let mut config = None;
    let mut at = 0;
    while at < unit.len() {
        let header = *unit.get(at)?;
        let mut body = at + if header & 4 != 0 { 2 } else { 1 };
        let mut len = 0_usize;
        for shift in 0..5 {
            let byte = *unit.get(body)?;
            body += 1;
            len |= usize::from(byte & 0x7F) << (7 * shift);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let end = body.checked_add(len).filter(|end| *end <= unit.len())?;
        match (header >> 3) & 0xF {
            1 => config = av1_sequence(&unit.slice(body..end), unit.slice(at..end)),
            // A frame, or its header alone: shown anew = 0, then its type, of which 0 is KEY_FRAME.
            3 | 6 => return if unit.get(body)? & 0xE0 == 0 { config } else { None },
            _ => {}
        }
        at = end;
    }
    None
}

/// AV1 §5.5.
fn av1_sequence(payload: &[u8], whole: Bytes) -> Option<CodecConfig> {
    let mut bits = BitReader::new(payload);
    let profile = u8::try_from(bits.take(3)?).ok()?;
    bits.take(1)?; // still picture
    let reduced = bits.flag()?;
    let (mut level, mut high_tier) = (0, false);
    if reduced {
        level = bits.take(5)?;
    } else {
        let mut model_delay_len = None;
        if bits.flag()? {
            bits.take(32)?;
            bits.take(32)?;
            if bits.flag()? {
                bits.ue()?;
            }
            if bits.flag()? {
                model_delay_len = Some(bits.take(5)? + 1);
                bits.take(32)?;
                bits.take(10)?;
            }
        }
        let initial_delay = bits.flag()?;
        let points = bits.take(5)? + 1;
        for point in 0..points {
            bits.take(12)?;
            let this_level = bits.take(5)?;
            let tier = this_level > 7 && bits.flag()?;
            if let Some(len) = model_delay_len
                && bits.flag()?
            {
                bits.take(len)?;
                bits.take(len)?;
                bits.take(1)?;
            }
            if initial_delay && bits.flag()? {
                bits.take(4)?;
            }
            if point == 0 {
                (level, high_tier) = (this_level, tier);
            }
        }
    }
    let across = bits.take(4)? + 1;
    let down = bits.take(4)? + 1;
    let width = bits.take(across)?.checked_add(1)?;
    let height = bits.take(down)?.checked_add(1)?;
    // Colour configuration follows after many branches and is not parsed: WebRTC sends 8 bits, and 4:2:0 in profile 0.
    // The sequence header itself is part of av1C.
    Some(CodecConfig::Av1(Av1 {
        sequence_header: whole,
        profile,
        level: u8::try_from(level).ok()?,
        high_tier,
        high_bitdepth: false,
        twelve_bit: false,
        monochrome: false,
        subsampling_x: profile != 1,
        subsampling_y: profile == 0,
        size: size(width, height)?,
    }))
}

fn size(width: u32, height: u32) -> Option<Size> {
    let (width, height) = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
    (width > 0 && height > 0).then_some(Size { width, height })
}

/// The payload of a NAL without its emulation prevention bytes (ITU-T H.264 §7.4.1).
fn without_emulation(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// Reads bits, most significant first.
struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0_u32;
        for _ in 0..count.min(32) {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// Exponential Golomb, as H.264's `ue(v)` and AV1's `uvlc()`.
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        (1_u32 << zeros).checked_add(self.take(zeros)?).map(|code| code - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cropped_sequence_parameter_set_tells_its_size() {
        // x264, Constrained Baseline, 640x360.
        let sps = [0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00];
        assert_eq!(h264_size(&sps), Some(Size { width: 640, height: 360 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = h264_size(&bytes);
            let _ = vp9_keyframe(&bytes);
            let _ = av1_keyframe(&Bytes::from(bytes));
        }
    }
}
