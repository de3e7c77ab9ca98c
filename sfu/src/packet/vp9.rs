//! VP9 payloads (RFC 9628 §4.2).

use super::payload_facts::PayloadFacts;

pub(super) fn parse(payload: &[u8]) -> Option<PayloadFacts> {
    let mut rest = payload.iter().copied();
    let first = rest.next()?;
    let has = |bit: u8| first & bit != 0;
    if has(PICTURE_ID) && rest.next()? & 0x80 != 0 {
        rest.next()?;
    }
    let (mut temporal_id, mut spatial_id, mut switching_up) = (0, 0, false);
    if has(LAYERS) {
        let layers = rest.next()?;
        temporal_id = layers >> 5;
        switching_up = layers & 0x10 != 0;
        spatial_id = (layers >> 1) & 0x07;
        if !has(FLEXIBLE) {
            rest.next()?; // TL0PICIDX
        }
    }
    if has(FLEXIBLE) && has(PREDICTED) {
        // At most three references; the last bit says whether another follows.
        let mut more = true;
        for _ in 0..3 {
            if more {
                more = rest.next()? & 0x01 != 0;
            }
        }
        if more {
            return None;
        }
    }
    if has(STRUCTURE) {
        skip_structure(&mut rest)?;
    }
    rest.next()?; // A descriptor without a byte of picture is no packet.
    let frame_start = has(BEGIN) && spatial_id == 0;
    Some(PayloadFacts {
        keyframe: frame_start && !has(PREDICTED),
        frame_start,
        temporal_id,
        spatial_id,
        begins: has(BEGIN),
        ends: has(END),
        switch: switching_up,
        vp8: None,
    })
}

/// The scalability structure (§4.2.1): sizes of the spatial layers, then a group of pictures.
fn skip_structure(rest: &mut impl Iterator<Item = u8>) -> Option<()> {
    let head = rest.next()?;
    if head & 0x10 != 0 {
        let size_bytes = 4 * (usize::from(head >> 5) + 1);
        rest.nth(size_bytes - 1)?;
    }
    if head & 0x08 != 0 {
        for _ in 0..rest.next()? {
            let references = (rest.next()? >> 2) & 0x03;
            for _ in 0..references {
                rest.next()?;
            }
        }
    }
    Some(())
}

const PICTURE_ID: u8 = 0x80;
const PREDICTED: u8 = 0x40;
const LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const BEGIN: u8 = 0x08;
const END: u8 = 0x04;
const STRUCTURE: u8 = 0x02;

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_key_picture_begins_in_the_lowest_layer() {
        for (what, payload, expected) in [
            ("a key picture", &[0x88, 0x01, 0xa2][..], Some((true, true, 0, 0))),
            ("another picture", &[0xc8, 0x01, 0xa2], Some((false, true, 0, 0))),
            ("a packet that goes on", &[0x80, 0x01, 0xa2], Some((false, false, 0, 0))),
            ("a long picture id", &[0x88, 0x81, 0x02, 0xa2], Some((true, true, 0, 0))),
            ("a higher layer of the key picture", &[0xa8, 0x01, 0x02, 0x07, 0xa2], Some((false, false, 0, 1))),
            ("temporal layer 2", &[0xe8, 0x01, 0x40, 0x07, 0xa2], Some((false, true, 2, 0))),
            ("flexible, with two references", &[0xf8, 0x01, 0x20, 0x03, 0x04, 0xa2], Some((false, true, 1, 0))),
            ("flexible, with a fourth reference", &[0xf8, 0x01, 0x20, 0x03, 0x03, 0x05, 0xa2], None),
            (
                "two sizes and a group of one",
                &[0x8a, 0x01, 0x38, 0, 1, 0, 1, 0, 2, 0, 2, 0x01, 0x04, 0x01, 0xa2],
                Some((true, true, 0, 0)),
            ),
            ("a structure that is cut", &[0x8a, 0x01, 0x38, 0, 1, 0, 1], None),
            ("a descriptor and no more", &[0x88, 0x01], None),
            ("nothing", &[], None),
        ] {
            let facts =
                parse(payload).map(|facts| (facts.keyframe, facts.frame_start, facts.temporal_id, facts.spatial_id));
            assert_eq!(facts, expected, "{what}");
        }
    }
}
