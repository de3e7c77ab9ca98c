//! AV1 payloads (RTP Payload Format For AV1, §4.3 and §4.4).

use super::payload_facts::PayloadFacts;

/// Layers stand in the headers of OBUs: a packet that goes on with a fragment does not tell them, and neither does a
/// sequence header. So layers are chosen by the dependency descriptor alone.
pub(super) fn parse(payload: &[u8]) -> Option<PayloadFacts> {
    let (&aggregation, elements) = payload.split_first()?;
    let goes_on = aggregation & CONTINUES != 0;
    let new_sequence = aggregation & NEW_SEQUENCE != 0;
    if elements.is_empty() || (goes_on && new_sequence) {
        return None;
    }
    let mut facts = PayloadFacts { keyframe: new_sequence, ..PayloadFacts::plain(false) };
    if goes_on {
        return Some(facts);
    }
    // With a count of one the only element has no length field.
    let element = if (aggregation >> 4) & 0x03 == 1 {
        elements
    } else {
        let (size, behind) = leb128(elements)?;
        behind.get(..size)?
    };
    let (&header, behind) = element.split_first()?;
    if header & 0x80 != 0 {
        return None; // obu_forbidden_bit
    }
    if header & OBU_EXTENSION != 0 {
        // A fragment of one byte leaves it for the next packet.
        let extension = behind.first().copied().unwrap_or_default();
        facts.temporal_id = extension >> 5;
        facts.spatial_id = (extension >> 3) & 0x03;
    }
    let begins = matches!((header >> 3) & 0x0f, SEQUENCE_HEADER | DELIMITER | FRAME_HEADER | METADATA | FRAME);
    facts.frame_start = begins && facts.spatial_id == 0;
    facts.begins = begins;
    Some(facts)
}

/// A size of at most five bytes: no packet is longer. What stands behind it, too.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut size: u64 = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        size |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(size).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

/// The Z bit: the first element goes on from the packet before.
const CONTINUES: u8 = 0x80;
/// The N bit: a new coded video sequence begins.
const NEW_SEQUENCE: u8 = 0x08;
const OBU_EXTENSION: u8 = 0x04;
const SEQUENCE_HEADER: u8 = 1;
const DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const METADATA: u8 = 5;
const FRAME: u8 = 6;

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_new_sequence_is_a_key_picture() {
        for (what, payload, expected) in [
            ("a sequence header and more", &[0x28, 0x02, 0x08, 0x00, 0x30, 0x10][..], Some((true, true, 0, 0))),
            ("one frame", &[0x10, 0x30, 0x10], Some((false, true, 0, 0))),
            ("a frame of temporal layer 2", &[0x10, 0x34, 0x40, 0x10], Some((false, true, 2, 0))),
            ("a frame of spatial layer 1", &[0x10, 0x34, 0x08, 0x10], Some((false, false, 0, 1))),
            ("a further tile group", &[0x10, 0x20, 0x10], Some((false, false, 0, 0))),
            ("a fragment that goes on", &[0x90, 0x30, 0x10], Some((false, false, 0, 0))),
            ("any number of elements", &[0x00, 0x02, 0x30, 0x10], Some((false, true, 0, 0))),
            ("a new sequence that goes on", &[0x98, 0x30, 0x10], None),
            ("an element that is cut", &[0x00, 0x03, 0x30, 0x10], None),
            ("an empty element", &[0x00, 0x00, 0x30], None),
            ("a size without end", &[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], None),
            ("the forbidden bit", &[0x10, 0xb0, 0x10], None),
            ("a header and no more", &[0x10], None),
        ] {
            let facts =
                parse(payload).map(|facts| (facts.keyframe, facts.frame_start, facts.temporal_id, facts.spatial_id));
            assert_eq!(facts, expected, "{what}");
        }
    }
}
