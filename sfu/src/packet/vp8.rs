//! VP8 payloads (RFC 7741).

use super::payload_facts::{PayloadFacts, Vp8Descriptor};

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
    let (mut picture_id, mut tl0_pic_idx, mut temporal_id, mut needs_base_only) = (None, None, 0, false);
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
            needs_base_only = extended & 0x20 != 0 && temporal & 0x20 != 0;
        }
    }
    // The payload header's first byte is there in every packet that starts a picture; a packet of nothing but a
    // descriptor is no packet.
    let header = next()?;
    let frame_start = first & 0x10 != 0 && first & 0x07 == 0;
    Some(PayloadFacts {
        keyframe: frame_start && header & 0x01 == 0,
        temporal_id,
        switch: needs_base_only,
        vp8: (picture_id.is_some() || tl0_pic_idx.is_some()).then_some(Vp8Descriptor {
            picture_id,
            tl0_pic_idx,
            picture_id_at,
            tl0_pic_idx_at,
            long_picture_id,
        }),
        ..PayloadFacts::plain(frame_start)
    })
}

#[cfg(test)]
mod tests {
    use super::{Vp8Descriptor, parse, rewrite_vp8};

    #[test]
    fn a_picture_starts_in_its_first_partition() {
        for (what, payload, expected) in [
            ("a key picture without numbers", &[0x10, 0x10, 0x02][..], Some((true, true, 0))),
            ("another picture", &[0x10, 0x11, 0x02], Some((false, true, 0))),
            ("a packet that goes on", &[0x00, 0x10, 0x02], Some((false, false, 0))),
            ("the start of another partition", &[0x11, 0x10, 0x02], Some((false, false, 0))),
            ("a short picture id", &[0x90, 0x80, 0x55, 0x10], Some((true, true, 0))),
            ("a long picture id", &[0x90, 0x80, 0xd5, 0x55, 0x11], Some((false, true, 0))),
            ("temporal layer 2", &[0x90, 0xe0, 0x81, 0x02, 0x07, 0x80, 0x11], Some((false, true, 2))),
            ("a layer without its T bit", &[0x90, 0x10, 0x9f, 0x11], Some((false, true, 0))),
            ("a descriptor and no more", &[0x90, 0x80, 0x55], None),
            ("half a picture id", &[0x90, 0x80, 0xd5], None),
            ("nothing", &[], None),
        ] {
            let facts = parse(payload).map(|facts| (facts.keyframe, facts.frame_start, facts.temporal_id));
            assert_eq!(facts, expected, "{what}");
        }
    }

    #[test]
    fn numbers_stand_where_the_descriptor_says() {
        let short = Vp8Descriptor {
            picture_id: Some(0x55),
            tl0_pic_idx: Some(9),
            picture_id_at: 2,
            tl0_pic_idx_at: 3,
            long_picture_id: false,
        };
        let mut payload = [0x90, 0xc0, 0x55, 9, 0x10];
        assert_eq!(parse(&payload).and_then(|facts| facts.vp8), Some(short));
        rewrite_vp8(&mut payload, &short, 0x01ff, 10);
        assert_eq!(payload, [0x90, 0xc0, 0x7f, 10, 0x10], "the low 7 bits");
        let only_tl0 = Vp8Descriptor { picture_id: None, picture_id_at: 0, tl0_pic_idx_at: 2, ..short };
        let mut payload = [0x90, 0x40, 9, 0x10];
        assert_eq!(parse(&payload).and_then(|facts| facts.vp8), Some(only_tl0));
        rewrite_vp8(&mut payload, &only_tl0, 0x01ff, 10);
        assert_eq!(payload, [0x90, 0x40, 10, 0x10]);
        assert_eq!(parse(&[0x10, 0x10]).and_then(|facts| facts.vp8), None, "nothing to renumber");
    }
}
