//! The recent packets of one track layer, shared by all its viewers: NACKs are answered and joiners started from here.

use std::{cmp::Ordering, sync::Arc, time::Instant};

use crate::{media::ticks, packet::Packet};

/// A ring of shared packets, addressed by extended sequence number.
#[derive(Debug)]
pub struct History {
    ring: Box<[Option<Arc<Packet>>]>,
    newest: Option<u64>,
    /// Timestamp of the newest packet and when it came.
    live: Option<(u32, Instant)>,
    group: Option<Group>,
}

/// The newest group of pictures: a keyframe and all since.
#[derive(Debug, Clone, Copy)]
struct Group {
    start: u64,
    timestamp: u32,
    keyframe_bytes: usize,
    bytes: usize,
}

impl History {
    /// Keeps at most `packets` packets, rounded up to a power of two.
    #[must_use]
    pub fn new(packets: usize) -> Self {
        Self { ring: vec![None; packets.next_power_of_two()].into(), newest: None, live: None, group: None }
    }

    /// Keeps a packet. False where it is known already or too old to keep: then it must not be forwarded either.
    pub fn insert_at(&mut self, now: Instant, packet: Arc<Packet>) -> bool {
        let seq = packet.seq;
        if !self.is_new(seq) {
            return false;
        }
        self.count_into_group(&packet);
        if self.newest.is_none_or(|newest| seq > newest) {
            self.newest = Some(seq);
            self.live = Some((packet.timestamp, now));
        }
        let at = self.at(seq);
        self.ring[at] = Some(packet);
        true
    }

    /// Would a packet of that number be kept? Not where it is known already or too old.
    #[must_use]
    pub fn is_new(&self, seq: u64) -> bool {
        self.newest.is_none_or(|newest| seq + self.ring.len() as u64 > newest && self.get(seq).is_none())
    }

    /// The packet of that number, if it is still here.
    #[must_use]
    pub fn get(&self, seq: u64) -> Option<&Arc<Packet>> {
        self.ring[self.at(seq)].as_ref().filter(|packet| packet.seq == seq)
    }

    /// The packet whose `key` is `Equal`, by binary search from `from` on: `key` must not fall along the numbers.
    #[must_use]
    pub fn search(&self, from: u64, key: impl Fn(&Packet) -> Ordering) -> Option<&Arc<Packet>> {
        let mut end = self.newest? + 1;
        let mut start = from.max(end.saturating_sub(self.ring.len() as u64));
        while start < end {
            let middle = start + (end - start) / 2;
            // In a gap: the next packet above it.
            match (middle..end).find_map(|seq| self.get(seq)) {
                None => end = middle,
                Some(packet) => match key(packet) {
                    Ordering::Less => start = packet.seq + 1,
                    Ordering::Equal => return Some(packet),
                    Ordering::Greater => end = middle,
                },
            }
        }
        None
    }

    /// The highest number kept.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// What the source's timestamp is at `now`, if it went on since the newest packet. `None`: nothing came yet.
    #[must_use]
    pub fn live_timestamp(&self, now: Instant, clock_rate: u32) -> Option<u32> {
        let (timestamp, at) = self.live?;
        Some(timestamp.wrapping_add(ticks(now.saturating_duration_since(at), clock_rate)))
    }

    /// When the newest packet came. `None`: nothing came yet.
    #[must_use]
    pub fn newest_at(&self) -> Option<Instant> {
        self.live.map(|(_, at)| at)
    }

    /// Where the newest keyframe begins, if everything since then is within reach. `None`: a joiner needs a new one.
    #[must_use]
    pub fn group_start(&self) -> Option<u64> {
        let group = self.group?;
        let reach = self.newest? - group.start < self.ring.len() as u64;
        (reach && group.bytes <= GROUP_BYTES_MAX).then_some(group.start)
    }

    /// Bytes of the newest keyframe, and of all since it began.
    #[must_use]
    pub fn group_bytes(&self) -> (usize, usize) {
        self.group.map_or((0, 0), |group| (group.keyframe_bytes, group.bytes))
    }

    fn at(&self, seq: u64) -> usize {
        seq as usize & (self.ring.len() - 1)
    }

    fn count_into_group(&mut self, packet: &Packet) {
        let size = packet.payload.len();
        match &mut self.group {
            // A late first packet of the keyframe (its SPS, say) moves the start down; a new keyframe moves it up.
            Some(group) if packet.keyframe && packet.timestamp == group.timestamp => {
                group.start = group.start.min(packet.seq);
                group.bytes += size;
                group.keyframe_bytes += size;
            }
            Some(group) if !packet.keyframe || packet.seq < group.start => {
                if packet.seq > group.start {
                    group.bytes += size;
                    if packet.timestamp == group.timestamp {
                        group.keyframe_bytes += size;
                    }
                }
            }
            group => {
                if packet.keyframe {
                    *group = Some(Group {
                        start: packet.seq,
                        timestamp: packet.timestamp,
                        keyframe_bytes: size,
                        bytes: size,
                    });
                }
            }
        }
    }
}

/// A joiner is sent at most this much: a board's keyframe of 300 kB and ten seconds of camera at 2.5 Mbit/s both fit.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use super::*;
    use crate::media::Codec;
    use bytes::Bytes;

    fn packet(seq: u64, keyframe: bool) -> Arc<Packet> {
        Arc::new(Packet {
            keyframe,
            payload: Bytes::from_static(&[0; 100]),
            ..Packet::empty(Codec::H264, seq, seq as u32 * 3000)
        })
    }

    #[test]
    fn what_was_kept_is_found_until_the_ring_comes_round() {
        let now = Instant::now();
        let mut history = History::new(8);
        for seq in 100..120 {
            assert!(history.insert_at(now, packet(seq, false)));
        }
        assert!(history.get(111).is_none() && history.get(112).is_some());
        assert!(!history.insert_at(now, packet(115, false)), "a duplicate is not forwarded");
        assert!(!history.insert_at(now, packet(111, false)), "too old");
    }

    #[test]
    fn a_joiner_starts_at_the_newest_keyframe_while_it_is_in_reach() {
        let now = Instant::now();
        let mut history = History::new(16);
        assert_eq!(history.group_start(), None);
        for seq in 0..10 {
            history.insert_at(now, packet(seq, seq == 2 || seq == 6));
        }
        assert_eq!(history.group_start(), Some(6));
        assert_eq!(history.group_bytes(), (100, 400));
        for seq in 10..30 {
            history.insert_at(now, packet(seq, false));
        }
        assert_eq!(history.group_start(), None);
    }
}
