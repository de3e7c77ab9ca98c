//! One RTP packet, parsed once when it arrives and never again.

mod av1;
mod dependency;
mod h264;
mod header;
mod payload_facts;
mod sequence;
pub mod target;
mod vp8;
mod vp9;

use bytes::Bytes;

pub use dependency::{Descriptor, Indication, Structure};
pub use header::{Extensions, RtpHeader, rtp_header};
pub use payload_facts::{PayloadFacts, Vp8Descriptor};
pub use sequence::extend;
pub use vp8::rewrite_vp8;

use crate::{media::Codec, packet::target::Layered};

/// A publisher's packet after its SRTP was opened: what slots and taps read.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Sequence number of this track layer, extended over its 2^16 wraps (RFC 3550 A.1), never decreasing by a wrap.
    pub seq: u64,
    /// RTP timestamp in the codec's clock rate, as the publisher sent it.
    pub timestamp: u32,
    /// Last packet of a picture; for voice the first of a talk spurt.
    pub marker: bool,
    /// How `payload` is encoded.
    pub codec: Codec,
    /// This packet starts a picture that needs no earlier one. Always true for sound.
    pub keyframe: bool,
    /// This packet is the first of its picture, as far as the payload tells (see [`PayloadFacts::frame_start`]).
    pub frame_start: bool,
    /// Its place among the layers inside the stream. `None`: it has none.
    pub layered: Option<Box<Layered>>,
    /// RTP payload without padding. Shared by every viewer, never copied.
    pub payload: Bytes,
    /// RFC 6464 level in −dBov (0 loudest, 127 silent). `None`: the publisher does not say.
    pub audio_level: Option<u8>,
    /// What a layer switch has to rewrite in the payload. `None`: nothing.
    pub vp8: Option<Vp8Descriptor>,
}

#[cfg(test)]
impl Packet {
    /// A packet with nothing in it.
    pub(crate) fn empty(codec: Codec, seq: u64, timestamp: u32) -> Self {
        Self {
            seq,
            timestamp,
            marker: true,
            codec,
            keyframe: false,
            frame_start: true,
            layered: None,
            payload: Bytes::new(),
            audio_level: None,
            vp8: None,
        }
    }
}

/// Reads the first bytes of a payload (padding already taken off). `None`: malformed, or empty.
#[must_use]
pub fn parse(codec: Codec, payload: &[u8]) -> Option<PayloadFacts> {
    if payload.is_empty() {
        return None;
    }
    match codec {
        Codec::Opus => Some(PayloadFacts { keyframe: true, ..PayloadFacts::plain(true) }),
        Codec::H264 => h264::parse(payload),
        Codec::Vp8 => vp8::parse(payload),
        Codec::Vp9 => vp9::parse(payload),
        Codec::Av1 => av1::parse(payload),
    }
}
