//! Restores the order of packets, with a bounded wait for retransmissions.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use sfu::{limits::REPAIR_WITHIN, packet::Packet};

/// The output, in the order of sending.
#[derive(Debug)]
pub enum Ordered {
    /// The next packet, and when it arrived.
    Packet(Instant, Arc<Packet>),
    /// Packets are lost here.
    Hole,
}

/// The reorder buffer of one track.
#[derive(Debug, Default)]
pub struct Reorder {
    /// When the first packet arrived.
    first: Option<Instant>,
    /// `None`: still waiting for packets that the first one overtook.
    next: Option<u64>,
    held: BTreeMap<u64, (Instant, Arc<Packet>)>,
    /// When the packet arrived that revealed the hole in front of `held`.
    hole_since: Option<Instant>,
}

impl Reorder {
    /// Takes a packet. False: it is late or a duplicate.
    pub fn push(&mut self, arrived: Instant, packet: Arc<Packet>) -> bool {
        self.first.get_or_insert(arrived);
        if self.next.is_some_and(|next| packet.seq < next) || self.held.contains_key(&packet.seq) {
            return false;
        }
        if self.next.is_some_and(|next| packet.seq > next) && self.hole_since.is_none() {
            self.hole_since = Some(arrived);
        }
        self.held.insert(packet.seq, (arrived, packet));
        true
    }

    /// The next packet or hole that is settled at `now`.
    pub fn pop(&mut self, now: Instant) -> Option<Ordered> {
        let (&seq, _) = self.held.first_key_value()?;
        let next = match self.next {
            Some(next) => next,
            None if now < self.first? + START_WAIT && self.held.len() <= HELD_MAX => return None,
            None => seq,
        };
        if seq == next {
            let (_, (arrived, packet)) = self.held.pop_first()?;
            self.next = Some(next.saturating_add(1));
            self.hole_since = self
                .held
                .first_key_value()
                .filter(|(seq, _)| **seq > next.saturating_add(1))
                // The hole behind this packet was first seen no later than its edge arrived.
                .map(|(_, (arrived, _))| self.hole_since.map_or(*arrived, |since| since.max(*arrived)));
            return Some(Ordered::Packet(arrived, packet));
        }
        let overdue = self.hole_since.is_none_or(|since| now.saturating_duration_since(since) >= REPAIR_WAIT);
        if overdue || self.held.len() > HELD_MAX {
            self.next = Some(seq);
            self.hole_since = None;
            return Some(Ordered::Hole);
        }
        None
    }

    /// When the wait for a missing packet ends. `None`: nothing is missing.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let begins = self.first.filter(|_| self.next.is_none()).map(|first| first + START_WAIT);
        begins.or_else(|| self.hole_since.map(|since| since + REPAIR_WAIT))
    }
}

/// The repair window of the hub, and half a second of round trip. Longer holes are losses: what waits behind them is in
/// memory only, and a crash must not cost more than two seconds.
pub const REPAIR_WAIT: Duration = REPAIR_WITHIN.saturating_add(Duration::from_millis(500));

/// A track's first packets may overtake each other, and its first key frame is worth a retransmission.
const START_WAIT: Duration = Duration::from_millis(300);

/// What a 12 Mbit/s board sends in [`REPAIR_WAIT`].
const HELD_MAX: usize = 2_560;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs one first moment; all others are counted from it")]
mod tests {
    use bytes::Bytes;
    use sfu::media::Codec;

    use super::*;

    fn packet(seq: u64) -> Arc<Packet> {
        Arc::new(Packet {
            seq,
            timestamp: 0,
            marker: false,
            codec: Codec::H264,
            keyframe: false,
            payload: Bytes::new(),
            audio_level: None,
            vp8: None,
            frame_start: true,
            layered: None,
        })
    }

    fn drain(reorder: &mut Reorder, now: Instant) -> Vec<Option<u64>> {
        std::iter::from_fn(|| reorder.pop(now))
            .map(|ordered| match ordered {
                Ordered::Packet(_, packet) => Some(packet.seq),
                Ordered::Hole => None,
            })
            .collect()
    }

    #[test]
    fn a_repaired_packet_takes_its_place_and_a_lost_one_leaves_a_hole() {
        let now = Instant::now();
        let mut reorder = Reorder::default();
        for seq in [11, 10, 13, 14] {
            assert!(reorder.push(now - START_WAIT, packet(seq)));
        }
        assert_eq!(drain(&mut reorder, now - START_WAIT), []);
        assert_eq!(drain(&mut reorder, now), [Some(10), Some(11)]);
        assert!(reorder.push(now + REPAIR_WAIT / 2, packet(12)));
        assert_eq!(drain(&mut reorder, now + REPAIR_WAIT / 2), [Some(12), Some(13), Some(14)]);
        assert!(reorder.push(now + REPAIR_WAIT, packet(20)));
        assert_eq!(drain(&mut reorder, now + REPAIR_WAIT), []);
        assert_eq!(drain(&mut reorder, now + REPAIR_WAIT * 2), [None, Some(20)]);
        assert!(!reorder.push(now, packet(19)));
        assert!(!reorder.push(now, packet(20)));
    }

    #[test]
    fn no_sequence_number_makes_it_hold_more_than_its_bound() {
        let now = Instant::now();
        let mut reorder = Reorder::default();
        for seq in 0..10_000_u64 {
            reorder.push(now, packet(seq * 3));
            while reorder.pop(now).is_some() {}
            assert!(reorder.held.len() <= HELD_MAX + 1);
        }
        reorder.push(now, packet(u64::MAX));
        while reorder.pop(now + REPAIR_WAIT * 3).is_some() {}
    }
}
