//! Deadlines by peer.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

use crate::room::PeerKey;

/// A heap of deadlines. An entry that differs from `Peer::scheduled` is outdated and ignored.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, PeerKey)>>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Instant, key: PeerKey) {
        self.heap.push(Reverse((at, key)));
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, PeerKey)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}
