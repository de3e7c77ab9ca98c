//! H.264 payloads (RFC 6184), packetization modes 0 and 1.

use super::PayloadFacts;

/// What the packet begins. An SPS begins a key picture, and so does the first slice of an IDR picture: where the SPS
/// travels in a packet of its own, both say so, with one timestamp.
pub(super) fn parse(payload: &[u8]) -> Option<PayloadFacts> {
    let header = *payload.first()?;
    if header & 0x80 != 0 {
        return None; // forbidden_zero_bit
    }
    let mut facts = PayloadFacts { keyframe: false, frame_start: false, temporal_id: 0, spatial_id: 0, vp8: None };
    let mut see = |(keyframe, frame_start): (bool, bool)| {
        facts.keyframe |= keyframe;
        facts.frame_start |= frame_start;
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
