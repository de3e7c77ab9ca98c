//! How one source's numbers, timestamps and picture ids become a slot's own.
//!
//! A packet's placement never changes, so that it can be sent again.

use std::cmp::Ordering;

use crate::{
    forward::history::History,
    id::TrackId,
    packet::{
        Descriptor, Packet,
        target::{Skipped, Target},
    },
};

/// How one source's numbers become the slot's own.
#[derive(Debug, Clone, Copy)]
pub struct Renumbering {
    /// The source.
    pub track: TrackId,
    /// The source's layer.
    pub layer: usize,
    /// Payload type of `codec` in this viewer's answer.
    pub pt: u8,
    /// Payload type of its retransmissions.
    pub rtx_pt: Option<u8>,
    pub(crate) clock_rate: u32,
    pub(crate) source_start: u64,
    pub(crate) index_start: u64,
    pub(crate) timestamps: TimestampMap,
    pub(crate) picture_id_offset: u16,
    pub(crate) tl0_offset: u8,
    /// What of a scalable layer is sent. Numbers close up over the rest.
    pub(crate) target: Target,
    /// What the target was not sent before the renumbering began.
    pub(crate) skipped: Skipped,
    pub(crate) frame_offset: u16,
}

/// A packet's place in the slot's own series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// 48-bit index: roll-over counter and sequence number.
    pub index: u64,
    /// Timestamp.
    pub timestamp: u32,
    /// Payload type.
    pub pt: u8,
    /// PictureID and TL0PICIDX to write into a VP8 payload. `None`: the payload stays as it is.
    pub vp8: Option<(u16, u8)>,
    /// Last packet of its picture, or first of a talk spurt.
    pub marker: bool,
    /// The frame number to write into its dependency descriptor. `None`: it has none.
    pub frame_number: Option<u16>,
    /// The number was kept free for a packet that the viewer does not need: padding fills it.
    pub is_filler: bool,
}

impl Placement {
    /// Nothing but padding, under a number of its own.
    #[must_use]
    pub fn padding(index: u64, pt: u8) -> Self {
        Self { index, timestamp: 0, pt, vp8: None, marker: false, frame_number: None, is_filler: true }
    }
}

/// Maps source timestamps to ours. Those before `pivot` are compressed, so that the cached group is shown at once and
/// live packets need no catching up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimestampMap {
    /// Source timestamp at which the cached group begins.
    pub(crate) group: u32,
    /// Source timestamps from here on are only shifted.
    pub(crate) pivot: u32,
    /// Ours at the beginning of the group.
    pub(crate) start: u32,
    /// Ours minus the source's from the pivot on.
    pub(crate) shift: u32,
}

impl Renumbering {
    /// A packet's place. `None`: it is older than the renumbering, or not part of what is sent.
    #[must_use]
    pub fn place(&self, packet: &Packet) -> Option<Placement> {
        let layered = packet.layered.as_deref();
        if !self.has_place(packet) {
            return None;
        }
        let index = self.index_of(packet)?;
        let pictures = layered.map_or(0, |layered| self.skipped_of(layered.before(self.target)).pictures);
        let vp8 = packet.vp8.map(|vp8| {
            let mask = if vp8.long_picture_id { 0x7fff } else { 0x7f };
            let picture_id = vp8.picture_id.unwrap_or(0).wrapping_add(self.picture_id_offset).wrapping_sub(pictures);
            (picture_id & mask, vp8.tl0_pic_idx.unwrap_or(0).wrapping_add(self.tl0_offset))
        });
        let number = layered.and_then(|layered| layered.descriptor.as_deref()).and_then(Descriptor::number_of);
        Some(Placement {
            index,
            timestamp: self.timestamps.map(packet.timestamp),
            pt: self.pt,
            vp8,
            marker: layered.map_or(packet.marker, |layered| layered.ends(self.target)),
            frame_number: number.map(|number| number.wrapping_add(self.frame_offset)),
            is_filler: layered.is_some_and(|layered| !layered.is_wanted(self.target)),
        })
    }

    /// The packet that has an index of ours, and its place. `None`: it is not in the history any more, or never was.
    #[must_use]
    pub fn find<'a>(&self, history: &'a History, index: u64) -> Option<(&'a Packet, Placement)> {
        // Skipped packets move it up.
        let least = self.source_start + index.checked_sub(self.index_start)?;
        let packet = match history.get(least) {
            Some(packet) if packet.layered.is_none() => packet,
            _ => history.search(least, |packet| {
                let found = self.index_of(packet).map_or(Ordering::Less, |found| found.cmp(&index));
                // A skipped packet has the index of the next one that was not.
                found.then(if self.has_place(packet) { Ordering::Equal } else { Ordering::Less })
            })?,
        };
        self.place(packet).filter(|placed| placed.index == index).map(|placed| (&**packet, placed))
    }

    pub(crate) fn has_place(&self, packet: &Packet) -> bool {
        packet.layered.as_ref().is_none_or(|layered| layered.has_place(self.target))
    }

    /// Our index of a packet, if it has one. `None`: it is older than the renumbering.
    pub(crate) fn index_of(&self, packet: &Packet) -> Option<u64> {
        let age = packet.seq.checked_sub(self.source_start)?;
        let skipped = packet.layered.as_ref().map_or(0, |it| self.skipped_of(it.before(self.target)).packets);
        Some(self.index_start + age.checked_sub(u64::from(skipped))?)
    }

    /// What was skipped since the renumbering began.
    fn skipped_of(&self, before: Skipped) -> Skipped {
        Skipped {
            packets: before.packets.wrapping_sub(self.skipped.packets),
            pictures: before.pictures.wrapping_sub(self.skipped.pictures),
        }
    }
}

impl TimestampMap {
    pub(crate) fn map(&self, source: u32) -> u32 {
        let before_pivot = self.pivot.wrapping_sub(source);
        if before_pivot == 0 || before_pivot > i32::MAX as u32 {
            return source.wrapping_add(self.shift);
        }
        let since_group = source.wrapping_sub(self.group);
        if since_group > i32::MAX as u32 {
            return self.start.wrapping_sub(1);
        }
        let theirs = u64::from(self.pivot.wrapping_sub(self.group)).max(1);
        let ours = u64::from(self.pivot.wrapping_add(self.shift).wrapping_sub(self.start));
        self.start.wrapping_add((u64::from(since_group) * ours / theirs) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        media::Codec,
        packet::target::{Layered, TARGETS},
    };

    fn renumbering(target: Target) -> Renumbering {
        Renumbering {
            track: TrackId(1),
            layer: 0,
            pt: 97,
            rtx_pt: None,
            clock_rate: 90_000,
            source_start: 100,
            index_start: 70_000,
            timestamps: TimestampMap { group: 0, pivot: 0, start: 0, shift: 0 },
            picture_id_offset: 0,
            tl0_offset: 0,
            target,
            skipped: Skipped { packets: 7, pictures: 3 },
            frame_offset: 0,
        }
    }

    /// A packet of the targets in `wanted`, before which `packets` were skipped for every target.
    fn layered(seq: u64, wanted: u16, late: bool, packets: u32) -> Packet {
        let layered = Layered {
            frame: Target::new(0, 0),
            begins: true,
            wanted,
            switch: 0,
            ends: 0,
            nested: true,
            late,
            before: [Skipped { packets, pictures: 3 }; TARGETS],
            descriptor: None,
        };
        Packet { layered: Some(Box::new(layered)), ..Packet::empty(Codec::Vp8, seq, 0) }
    }

    #[test]
    fn a_cached_group_is_compressed_up_to_the_pivot_and_shifted_from_there() {
        // 9,000 ticks of the source become 900 of ours.
        let plain = TimestampMap { group: 1_000, pivot: 10_000, start: 500_000, shift: 490_900 };
        let over_the_wrap = TimestampMap {
            group: 0u32.wrapping_sub(1_000),
            pivot: 8_000,
            start: 10,
            shift: 910u32.wrapping_sub(8_000),
        };
        let table = [
            (plain, 1_000, 500_000),
            (plain, 5_500, 500_450),
            (plain, 9_990, 500_899),
            (plain, 10_000, 500_900),
            (plain, 13_600, 504_500),
            // Older than the group.
            (plain, 999, 499_999),
            (over_the_wrap, 0u32.wrapping_sub(1_000), 10),
            (over_the_wrap, 3_500, 460),
            (over_the_wrap, 8_000, 910),
            (over_the_wrap, 8_100, 1_010),
        ];
        for (map, source, expected) in table {
            assert_eq!(map.map(source), expected, "{source} by {map:?}");
        }
    }

    #[test]
    fn lost_packets_keep_their_numbers_and_skipped_ones_give_theirs_up() {
        let base = Target::new(0, 0);
        let (only_base, only_others) = (1, !1);
        let plain = |seq| Packet::empty(Codec::H264, seq, 0);
        // (packet, index, is filler)
        let table = [
            (plain(99), None, false),
            (plain(100), Some(70_000), false),
            (plain(103), Some(70_003), false),
            // Seven were skipped before the renumbering began, two more since.
            (layered(103, only_base, false, 7), Some(70_003), false),
            (layered(105, only_base, false, 9), Some(70_003), false),
            // Not of this target: no place, unless it came too late for its number to be given up.
            (layered(105, only_others, false, 9), None, false),
            (layered(105, only_others, true, 9), Some(70_003), true),
        ];
        for (packet, index, is_filler) in table {
            let placed = renumbering(base).place(&packet);
            let expected = index.map(|index| (index, is_filler));
            assert_eq!(placed.map(|placed| (placed.index, placed.is_filler)), expected, "{packet:?}");
        }
    }
}
