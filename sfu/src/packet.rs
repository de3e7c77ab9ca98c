//! One RTP packet, parsed once when it arrives and never again.

use bytes::Bytes;

use crate::media::Codec;

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
    /// RTP payload without padding. Shared by every viewer, never copied.
    pub payload: Bytes,
    /// RFC 6464 level in −dBov (0 loudest, 127 silent). `None`: the publisher does not say.
    pub audio_level: Option<u8>,
    /// What a layer switch has to rewrite in the payload. `None`: nothing.
    pub vp8: Option<Vp8Descriptor>,
}

/// Where the numbers stand that must run on without a jump when a slot changes its source (RFC 7741 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// PictureID, 7 or 15 bits wide. `None`: the sender leaves it out.
    pub picture_id: Option<u16>,
    /// TL0PICIDX. `None`: the sender leaves it out.
    pub tl0_pic_idx: Option<u8>,
    /// Byte offset of the PictureID in the payload (0 where there is none).
    pub picture_id_at: u8,
    /// Byte offset of TL0PICIDX in the payload (0 where there is none).
    pub tl0_pic_idx_at: u8,
    /// The PictureID takes two bytes.
    pub long_picture_id: bool,
}
