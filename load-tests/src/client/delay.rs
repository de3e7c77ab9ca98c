//! When each payload left the teacher's socket, for receivers in the same process.
//!
//! The hub rewrites sequence numbers and timestamps but never a payload, so a payload's fingerprint finds its send
//! time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A table that one teacher writes and many receivers read, without locks: a slot holds 24 bits of fingerprint and
/// 40 bits of microseconds. A payload that is sent again (the clip goes round) replaces its older time.
pub struct SendTimes {
    origin: Instant,
    slots: Box<[AtomicU64]>,
}

impl SendTimes {
    /// An empty table; `origin` lies before every send.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self { origin, slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Notes that `payload` leaves at `now`.
    pub fn note(&self, now: Instant, payload: &[u8]) {
        if let Some((slot, tag)) = place(payload) {
            let micros = now.saturating_duration_since(self.origin).as_micros() as u64 & TIME_MASK;
            self.slots[slot].store(tag << TIME_BITS | micros, Ordering::Relaxed);
        }
    }

    /// How long ago `payload` left. `None`: unknown, or too short to be distinguished from others (as silence is).
    #[must_use]
    pub fn delay(&self, now: Instant, payload: &[u8]) -> Option<Duration> {
        let (slot, tag) = place(payload)?;
        let entry = self.slots[slot].load(Ordering::Relaxed);
        if entry >> TIME_BITS != tag {
            return None;
        }
        let sent = Duration::from_micros(entry & TIME_MASK);
        now.saturating_duration_since(self.origin).checked_sub(sent).filter(|delay| *delay < DELAY_MAX)
    }
}

/// FNV-1a over the length and 8-byte words from the start, the middle and the end.
fn place(payload: &[u8]) -> Option<(usize, u64)> {
    if payload.len() < BYTES_MIN {
        return None;
    }
    let word = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().unwrap_or_default());
    let (length, last) = (payload.len(), payload.len() - 8);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for value in [length as u64, word(0), word(8), word(last / 2), word(last)] {
        hash = (hash ^ value).wrapping_mul(0x0100_0000_01b3);
        hash ^= hash >> 29;
    }
    Some((hash as usize % SLOTS, hash >> (64 - 24)))
}

/// Ten minutes of a lesson pass before a place is likely taken twice within one delay.
const SLOTS: usize = 1 << 17;
const TIME_BITS: u32 = 40;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
/// An Opus packet of silence is shorter and looks like every other.
const BYTES_MIN: usize = 24;
/// A longer one is the last round of the clip.
const DELAY_MAX: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_finds_its_send_time() {
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made from nothing")]
        let origin = Instant::now();
        let times = SendTimes::new(origin);
        let payloads: Vec<Vec<u8>> = (0..200u8).map(|byte| vec![byte; 900 + usize::from(byte)]).collect();
        for (at, payload) in payloads.iter().enumerate() {
            times.note(origin + Duration::from_millis(at as u64), payload);
        }
        let now = origin + Duration::from_millis(300);
        let found: Vec<_> = payloads.iter().filter_map(|payload| times.delay(now, payload)).collect();
        assert_eq!(found.first(), Some(&Duration::from_millis(300)));
        assert!(found.len() >= 198, "{}", found.len());
        assert_eq!(times.delay(now, &[1; 700]), None);
        assert_eq!(times.delay(now, b"silence"), None);
    }
}
