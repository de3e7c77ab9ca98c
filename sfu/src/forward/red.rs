//! Redundant voice (RFC 2198), built by the hub for one classroom at a time: each packet carries earlier ones again, so
//! that a loss is mended by what comes after it, without a round trip.
//!
//! Nothing is encoded here: the earlier packets are taken from the shared [`History`], byte for byte. How many go
//! along, and how far apart, [`super::redundancy`] decides from what the classroom's line loses.

use smallvec::SmallVec;

use crate::{forward::history::History, packet::Packet};

/// Which earlier packets go along: `distance` of them, each `stride` packets before the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pattern {
    /// How many earlier packets, below [`BLOCKS_MAX`]. 0: plain Opus.
    pub distance: u8,
    /// 1 where packets are lost one by one; more where they are lost in a row, so that one burst does not take a packet
    /// together with all its repeats.
    pub stride: u8,
}

/// Writes `packet` with earlier ones of its own history into `out`, which is cleared first. `opus_pt` is what each
/// block is; the whole is at most `bytes_max` long.
///
/// Returns how many earlier packets went along. 0: none is there or none fits, and `out` is empty: send plain Opus.
/// A packet is left out that is longer than RFC 2198's 10 bits of length allow, or older than its 14 bits of timestamp.
pub fn write(
    history: &History,
    packet: &Packet,
    pattern: Pattern,
    opus_pt: u8,
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> usize {
    out.clear();
    let mut chosen: [Option<(&Packet, u16)>; BLOCKS_MAX - 1] = [None; BLOCKS_MAX - 1];
    let mut left = bytes_max.saturating_sub(packet.payload.len() + LAST_HEADER_BYTES);
    let mut blocks = 0;
    // The nearest first: it repairs soonest, and where space is short it matters most.
    for back in
        (1..=pattern.distance.min(BLOCKS_MAX as u8 - 1)).map(|number| u64::from(number) * u64::from(pattern.stride))
    {
        let earlier = packet.seq.checked_sub(back.max(1)).and_then(|seq| history.get(seq));
        let Some(earlier) = earlier.filter(|earlier| earlier.codec == packet.codec) else { continue };
        let offset = packet.timestamp.wrapping_sub(earlier.timestamp);
        let size = earlier.payload.len();
        let fits = (1..=BLOCK_BYTES_MAX).contains(&size) && size + HEADER_BYTES <= left;
        let (true, Ok(offset @ 1..=OFFSET_MAX)) = (fits, u16::try_from(offset)) else { continue };
        left -= size + HEADER_BYTES;
        chosen[blocks] = Some((earlier, offset));
        blocks += 1;
    }
    if blocks == 0 {
        return 0;
    }
    let oldest_first = chosen[..blocks].iter().rev().flatten();
    for (earlier, offset) in oldest_first.clone() {
        let bits = u32::from(*offset) << 10 | earlier.payload.len() as u32;
        let [_, high, middle, low] = bits.to_be_bytes();
        out.extend_from_slice(&[0x80 | opus_pt, high, middle, low]);
    }
    out.push(opus_pt & 0x7f);
    for (earlier, _) in oldest_first {
        out.extend_from_slice(&earlier.payload);
    }
    out.extend_from_slice(&packet.payload);
    blocks
}

/// One block of a redundant payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// Payload type.
    pub pt: u8,
    /// RTP timestamp.
    pub timestamp: u32,
    /// What was encoded.
    pub payload: &'a [u8],
}

/// Takes a redundant payload apart: the blocks in their order, the packet's own last. `timestamp` is the packet's.
/// `None`: cut short, or more blocks than [`BLOCKS_MAX`].
#[must_use]
pub fn read(payload: &[u8], timestamp: u32) -> Option<SmallVec<[Block<'_>; 4]>> {
    let mut headers: SmallVec<[(u8, u32, usize); 4]> = SmallVec::new();
    let mut rest = payload;
    let last = loop {
        let (&first, after) = rest.split_first()?;
        if first & 0x80 == 0 {
            rest = after;
            break first;
        }
        let (&[high, middle, low], after) = after.split_first_chunk::<3>()?;
        if headers.len() + 1 == BLOCKS_MAX {
            return None;
        }
        let bits = u32::from_be_bytes([0, high, middle, low]);
        headers.push((first & 0x7f, timestamp.wrapping_sub(bits >> 10), (bits & 0x3ff) as usize));
        rest = after;
    };
    let mut blocks = SmallVec::with_capacity(headers.len() + 1);
    for (pt, timestamp, size) in headers {
        let (payload, after) = rest.split_at_checked(size)?;
        blocks.push(Block { pt, timestamp, payload });
        rest = after;
    }
    blocks.push(Block { pt: last, timestamp, payload: rest });
    Some(blocks)
}

/// More repeats cost more bandwidth than they repair: at 40 % loss three leave 2.6 %.
pub const DISTANCE_MAX: u8 = 3;

/// A datagram of 1,200 bytes passes every tunnel; this is what RTP header, extensions and tag leave of it.
pub const PAYLOAD_BYTES_MAX: usize = 1_200 - 20 - 16;

/// Blocks of a redundant payload at most.
pub const BLOCKS_MAX: usize = 16;

/// Ten bits of block length.
const BLOCK_BYTES_MAX: usize = 0x3ff;

/// Fourteen bits of timestamp offset: a third of a second at 48 kHz.
const OFFSET_MAX: u16 = 0x3fff;

const HEADER_BYTES: usize = 4;
const LAST_HEADER_BYTES: usize = 1;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use std::{sync::Arc, time::Instant};

    use super::*;
    use crate::media::Codec;
    use bytes::Bytes;
    use proptest::prelude::*;

    const PT: u8 = 111;

    fn voice(seq: u64, timestamp: u32, size: usize) -> Packet {
        Packet { payload: vec![seq as u8; size].into(), keyframe: true, ..Packet::empty(Codec::Opus, seq, timestamp) }
    }

    fn kept(packets: &[Packet]) -> History {
        let mut history = History::new(64);
        for packet in packets {
            history.insert_at(Instant::now(), Arc::new(packet.clone()));
        }
        history
    }

    /// Twenty packets of 20 ms, numbers and timestamps over their wraps.
    fn talk() -> Vec<Packet> {
        (0..20).map(|at| voice(65_530 + at, (at as u32 * 960).wrapping_sub(9_000), 80)).collect()
    }

    fn pattern(distance: u8, stride: u8) -> Pattern {
        Pattern { distance, stride }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        let (before, now) = (voice(1, 1_000, 2), voice(2, 1_960, 3));
        let mut out = Vec::new();
        assert_eq!(write(&kept(&[before]), &now, pattern(1, 1), PT, 1_000, &mut out), 1);
        // 960 << 10 | 2 = 0x0f_00_02.
        assert_eq!(out, [0x80 | 111, 0x0f, 0x00, 0x02, 111, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn each_distance_and_stride_carries_the_packets_it_says() {
        let packets = talk();
        let history = kept(&packets);
        let now = &packets[19];
        let mut out = Vec::new();
        let table: [((u8, u8), &[usize]); 6] = [
            ((0, 1), &[]),
            ((1, 1), &[18]),
            ((2, 1), &[17, 18]),
            ((3, 1), &[16, 17, 18]),
            ((3, 4), &[7, 11, 15]),
            // The third is 18 packets back: more than 14 bits of timestamp.
            ((3, 6), &[7, 13]),
        ];
        for ((distance, stride), expected) in table {
            let count = write(&history, now, pattern(distance, stride), PT, 1_200, &mut out);
            assert_eq!(count, expected.len());
            let blocks = if count == 0 { SmallVec::new() } else { read(&out, now.timestamp).unwrap() };
            let read: Vec<_> = blocks.iter().map(|block| (block.pt, block.timestamp, block.payload)).collect();
            let sent = expected.iter().chain((count > 0).then_some(&19)).map(|at| &packets[*at]);
            assert_eq!(read, sent.map(|packet| (PT, packet.timestamp, &packet.payload[..])).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut packets = talk();
        let now = packets[19].clone();
        let mut out = Vec::new();
        let write = |packets: &[Packet], bytes_max, out: &mut Vec<u8>| {
            write(&kept(packets), &now, pattern(3, 1), PT, bytes_max, out)
        };
        assert_eq!(write(&packets, 81 + 3 * 84, &mut out), 3);
        assert_eq!(out.len(), 81 + 3 * 84);
        assert_eq!(write(&packets, 81 + 3 * 84 - 1, &mut out), 2);
        assert_eq!(write(&packets, 81 + 83, &mut out), 0);
        assert!(out.is_empty());
        assert_eq!(write(&packets, 0, &mut out), 0);
        packets[18].payload = vec![0; 1_024].into();
        assert_eq!(write(&packets, 5_000, &mut out), 2, "eleven bits of length");
        packets[18].payload = vec![7; 1_023].into();
        assert_eq!(write(&packets, 5_000, &mut out), 3);
        packets[18].payload = Bytes::new();
        assert_eq!(write(&packets, 5_000, &mut out), 2, "an empty block mends nothing");
        packets[18] = voice(packets[18].seq, now.timestamp, 80);
        assert_eq!(write(&packets, 5_000, &mut out), 2, "two packets of one moment");
        packets.remove(18);
        assert_eq!(write(&packets, 5_000, &mut out), 2, "lost on the way to us");
        assert_eq!(write(&[], 5_000, &mut out), 0);
    }

    #[test]
    fn after_a_pause_the_old_packets_stay_at_home() {
        let (before, now) = (voice(1, 0, 80), voice(2, 16_384, 80));
        let mut out = Vec::new();
        assert_eq!(write(&kept(&[before]), &now, pattern(3, 1), PT, 1_200, &mut out), 0);
    }

    #[test]
    fn a_payload_that_lies_is_refused() {
        for lie in [&[][..], &[0x80], &[0xef, 0, 0], &[0xef, 0, 0, 4], &[0xef, 0, 0, 4, 111], &[0xef, 0, 0, 4, 111, 1]]
        {
            assert_eq!(read(lie, 0), None, "{lie:?}");
        }
        let endless = [0xef, 0, 0, 0].repeat(BLOCKS_MAX);
        assert_eq!(read(&endless, 0), None);
        assert_eq!(read(&[111], 5).unwrap()[..], [Block { pt: 111, timestamp: 5, payload: &[] }]);
    }

    proptest! {
        /// Any history, any pattern: never longer than allowed, and every block is a packet that was.
        #[test]
        fn whatever_is_in_the_history_it_is_read_back(
            packets in proptest::collection::vec((0u64..100_000, any::<u32>(), 0usize..1_400), 0..40),
            near in proptest::collection::vec((1u64..20, 1u32..20_000, 0usize..1_400), 0..12),
            (seq, timestamp, size) in (0u64..100_000, any::<u32>(), 0usize..1_400),
            (distance, stride) in (any::<u8>(), any::<u8>()),
            bytes_max in 0usize..6_000,
        ) {
            let mut packets: Vec<_> = packets.into_iter().map(|(seq, at, size)| voice(seq, at, size)).collect();
            packets.extend(near.into_iter().filter_map(|(back, offset, size)| {
                Some(voice(seq.checked_sub(back)?, timestamp.wrapping_sub(offset), size))
            }));
            let history = kept(&packets);
            let now = voice(seq, timestamp, size);
            let mut out = vec![9; 10];
            let count = write(&history, &now, pattern(distance, stride), PT, bytes_max, &mut out);
            prop_assert!(count < BLOCKS_MAX);
            prop_assert_eq!(out.is_empty(), count == 0);
            if count > 0 {
                prop_assert!(out.len() <= bytes_max);
                let blocks = read(&out, timestamp).unwrap();
                prop_assert_eq!(blocks.len(), count + 1);
                let (last, earlier) = blocks.split_last().unwrap();
                prop_assert_eq!(last.payload, &now.payload[..]);
                for block in earlier {
                    let known = packets.iter().any(|packet| {
                        packet.timestamp == block.timestamp && packet.payload == block.payload && packet.seq < seq
                    });
                    prop_assert!(known);
                }
            }
        }

        /// Whatever a publisher calls redundant: no panic, and nothing is read that was not there.
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..600), timestamp in any::<u32>()) {
            if let Some(blocks) = read(&bytes, timestamp) {
                prop_assert!(blocks.len() <= BLOCKS_MAX);
                let carried: usize = blocks.iter().map(|block| block.payload.len()).sum();
                prop_assert_eq!(carried + 4 * (blocks.len() - 1) + 1, bytes.len());
            }
        }
    }
}
