//! H.264 payloads (RFC 6184), packetization modes 0 and 1.

use super::payload_facts::PayloadFacts;

/// What the packet begins. An SPS begins a key picture, and so does the first slice of an IDR picture: where the SPS
/// travels in a packet of its own, both say so, with one timestamp.
pub(super) fn parse(payload: &[u8]) -> Option<PayloadFacts> {
    let header = *payload.first()?;
    if header & 0x80 != 0 {
        return None; // forbidden_zero_bit
    }
    let mut facts = PayloadFacts::plain(false);
    let mut see = |(keyframe, frame_start): (bool, bool)| {
        facts.keyframe |= keyframe;
        facts.frame_start |= frame_start;
        facts.begins |= frame_start;
    };
    match header & 0x1f {
        nal @ 1..=23 => see(begins(nal, payload.get(1).copied())),
        STAP_A => {
            let mut rest = &payload[1..];
            if rest.is_empty() {
                return None;
            }
            while let Some((size, behind)) = rest.split_first_chunk::<2>() {
                let unit = behind.get(..usize::from(u16::from_be_bytes(*size)))?;
                see(begins(unit.first()? & 0x1f, unit.get(1).copied()));
                rest = &behind[unit.len()..];
            }
            if !rest.is_empty() {
                return None;
            }
        }
        FU_A => {
            let [_, fragment, first, ..] = *payload else { return None };
            if fragment & FU_START != 0 {
                see(begins(fragment & 0x1f, Some(first)));
            }
        }
        // STAP-B, MTAP and FU-B belong to the interleaved mode, which no answer of ours agrees to.
        _ => return None,
    }
    Some(facts)
}

/// Whether a NAL unit begins a key picture, and whether it may begin any. `first`: the byte behind its header.
fn begins(nal: u8, first: Option<u8>) -> (bool, bool) {
    // A slice header opens with first_mb_in_slice, Exp-Golomb coded: 0 is a single 1 bit (ITU-T H.264 §7.3.3).
    let first_slice = first.is_some_and(|byte| byte & 0x80 != 0);
    match nal {
        IDR_SLICE => (first_slice, first_slice),
        SPS => (true, true),
        SLICE | SLICE_PARTITION_A => (false, first_slice),
        SEI | PPS | DELIMITER => (false, true),
        _ => (false, false),
    }
}

const SLICE: u8 = 1;
const SLICE_PARTITION_A: u8 = 2;
const IDR_SLICE: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_START: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_key_picture_begins_at_its_parameter_sets_or_its_first_slice() {
        for (what, payload, expected) in [
            ("IDR slice", &[0x65, 0x88, 0x84][..], Some((true, true))),
            ("a later slice of the IDR picture", &[0x65, 0x04, 0x20], Some((false, false))),
            ("SPS", &[0x67, 0x42, 0xc0, 0x1f], Some((true, true))),
            ("PPS", &[0x68, 0xce, 0x3c, 0x80], Some((false, true))),
            ("slice", &[0x41, 0x9a, 0x20], Some((false, true))),
            ("a later slice", &[0x41, 0x1a, 0x20], Some((false, false))),
            ("SEI", &[0x06, 0x05, 0x01], Some((false, true))),
            ("filler", &[0x0c, 0xff], Some((false, false))),
            ("STAP-A of SPS and PPS", &[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce], Some((true, true))),
            ("STAP-A of PPS and IDR", &[0x78, 0, 1, 0x68, 0, 2, 0x65, 0x88], Some((true, true))),
            ("STAP-A of slices", &[0x78, 0, 2, 0x41, 0x9a, 0, 2, 0x41, 0x1a], Some((false, true))),
            ("FU-A that starts an IDR slice", &[0x7c, 0x85, 0x88, 0x84], Some((true, true))),
            ("FU-A that starts a later one", &[0x7c, 0x85, 0x04, 0x84], Some((false, false))),
            ("FU-A that goes on", &[0x7c, 0x05, 0x88, 0x84], Some((false, false))),
            ("FU-A that ends", &[0x7c, 0x45, 0x88, 0x84], Some((false, false))),
            ("FU-A that starts an SPS", &[0x7c, 0x87, 0x42, 0xc0], Some((true, true))),
            ("FU-A that starts a slice", &[0x5c, 0x81, 0x9a, 0x20], Some((false, true))),
            ("FU-A without a byte", &[0x7c, 0x85], None),
            ("STAP-A without a unit", &[0x78], None),
            ("STAP-A with an empty unit", &[0x78, 0, 0], None),
            ("STAP-A that is cut", &[0x78, 0, 3, 0x67, 0x42], None),
            ("STAP-A with a byte too many", &[0x78, 0, 1, 0x67, 0], None),
            ("STAP-B", &[0x79, 0, 0, 0, 1, 0x67], None),
            ("FU-B", &[0x7d, 0x85, 0, 0, 0x88], None),
            ("type 0", &[0x60, 0x01], None),
            ("the forbidden bit", &[0xe5, 0x88], None),
        ] {
            assert_eq!(parse(payload).map(|facts| (facts.keyframe, facts.frame_start)), expected, "{what}");
        }
    }
}
