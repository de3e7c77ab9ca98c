//! What a viewer may be sent again.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Limits retransmissions: the same packet once per round trip, and a fifth of the stream at most, more where loss is
/// high.
#[derive(Debug)]
pub(super) struct Repeats {
    last: HashMap<(usize, u64), Instant>,
    cleared: Option<Instant>,
    /// Bytes that may be repeated now: every byte of the stream adds a part of one.
    pub(super) allowance: usize,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { last: HashMap::new(), cleared: None, allowance: REPEAT_BURST_BYTES }
    }
}

impl Repeats {
    /// Notes a packet of the stream itself, of which `part` may be repeated.
    pub(super) fn streamed(&mut self, size: usize, part: f64) {
        let earned = (size + PACKET_OVERHEAD_BYTES) as f64 * part;
        self.allowance = (self.allowance + earned as usize).min(REPEAT_BURST_BYTES);
    }

    pub(super) fn allows(&mut self, now: Instant, pause: Duration, slot: usize, index: u64, size: usize) -> bool {
        if self.cleared.is_none_or(|at| now.saturating_duration_since(at) >= Duration::from_secs(1)) {
            self.cleared = Some(now);
            self.last.retain(|_, at| now.saturating_duration_since(*at) < REMEMBERED_FOR);
        }
        let Some(left) = self.allowance.checked_sub(size + PACKET_OVERHEAD_BYTES) else { return false };
        if self.last.get(&(slot, index)).is_some_and(|at| now.saturating_duration_since(*at) < pause) {
            return false;
        }
        self.allowance = left;
        self.last.insert((slot, index), now);
        true
    }
}

/// No pause between two repeats of a packet is longer.
const REMEMBERED_FOR: Duration = Duration::from_millis(500);

/// Enough to repair 100 ms of camera and board at their best, or a large keyframe of which every fifth packet was lost.
const REPEAT_BURST_BYTES: usize = 64 * 1024;

/// IP, UDP, RTP with an extension, tag: a small packet is not free.
const PACKET_OVERHEAD_BYTES: usize = 64;
