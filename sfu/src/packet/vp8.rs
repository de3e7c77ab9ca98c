//! VP8 payloads (RFC 7741).

use super::PayloadFacts;

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

/// Renumbers a picture in place. A PictureID of one byte takes the low 7 bits of `picture_id`, one of two the low 15;
/// what the sender left out stays out.
pub fn rewrite_vp8(payload: &mut [u8], descriptor: &Vp8Descriptor, picture_id: u16, tl0: u8) {
    let picture_id_at = usize::from(descriptor.picture_id_at);
    if descriptor.picture_id.is_some() {
        let [high, low] = picture_id.to_be_bytes();
        if !descriptor.long_picture_id {
            if let Some(byte) = payload.get_mut(picture_id_at) {
                *byte = low & 0x7f;
            }
        } else if let Some(bytes) = payload.get_mut(picture_id_at..picture_id_at + 2) {
            bytes.copy_from_slice(&[high | LONG_PICTURE_ID, low]);
        }
    }
    if descriptor.tl0_pic_idx.is_some()
        && let Some(byte) = payload.get_mut(usize::from(descriptor.tl0_pic_idx_at))
    {
        *byte = tl0;
    }
}

/// The M bit: the PictureID goes on in the next byte.
const LONG_PICTURE_ID: u8 = 0x80;

pub(super) fn parse(payload: &[u8]) -> Option<PayloadFacts> {
    let mut at = 0;
    let mut next = || {
        let byte = payload.get(at).copied();
        at += 1;
        byte
    };
    let first = next()?;
    let (mut picture_id, mut tl0_pic_idx, mut temporal_id) = (None, None, 0);
    let (mut picture_id_at, mut tl0_pic_idx_at, mut long_picture_id) = (0, 0, false);
    if first & 0x80 != 0 {
        let extended = next()?;
        let mut offset: u8 = 2;
        if extended & 0x80 != 0 {
            let high = next()?;
            picture_id_at = offset;
            long_picture_id = high & LONG_PICTURE_ID != 0;
            picture_id =
                Some(if long_picture_id { u16::from_be_bytes([high & 0x7f, next()?]) } else { u16::from(high) });
            offset += if long_picture_id { 2 } else { 1 };
        }
        if extended & 0x40 != 0 {
            tl0_pic_idx = Some(next()?);
            tl0_pic_idx_at = offset;
        }
        if extended & 0x30 != 0 {
            let temporal = next()?;
            // Without the T bit the two TID bits mean nothing (RFC 7741 §4.2).
            temporal_id = if extended & 0x20 != 0 { temporal >> 6 } else { 0 };
        }
    }
    // The payload header's first byte is there in every packet that starts a picture; a packet of nothing but a
    // descriptor is no packet.
    let header = next()?;
    let frame_start = first & 0x10 != 0 && first & 0x07 == 0;
    Some(PayloadFacts {
        keyframe: frame_start && header & 0x01 == 0,
        frame_start,
        temporal_id,
        spatial_id: 0,
        vp8: (picture_id.is_some() || tl0_pic_idx.is_some()).then_some(Vp8Descriptor {
            picture_id,
            tl0_pic_idx,
            picture_id_at,
            tl0_pic_idx_at,
            long_picture_id,
        }),
    })
}
