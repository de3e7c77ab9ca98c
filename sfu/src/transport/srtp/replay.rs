//! Which packets of one SSRC were received: replay protection and the roll-over counter.

use crate::packet::extend;

/// The newest index of one SSRC and which of the last 128 were seen (RFC 3711 §3.3.1, §3.3.2).
#[derive(Debug, Clone, Copy)]
pub(super) struct ReplayWindow {
    pub(super) highest: u64,
    window: u128,
}

impl ReplayWindow {
    pub(super) fn starting_at(index: u64) -> Self {
        Self { highest: index, window: 1 }
    }

    /// The index nearest to the highest one that ends in `seq`.
    pub(super) fn guess(&self, seq: u16) -> u64 {
        extend(self.highest, seq)
    }

    pub(super) fn has(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => false,
            Some(age) if age < REPLAY_WINDOW as u64 => self.window >> age & 1 == 1,
            Some(_) => true,
        }
    }

    pub(super) fn note(&mut self, index: u64) {
        match index.checked_sub(self.highest) {
            None | Some(0) => self.window |= 1 << (self.highest - index).min(127),
            Some(step) => {
                self.window = if step < REPLAY_WINDOW as u64 { self.window << step } else { 0 } | 1;
                self.highest = index;
            }
        }
    }
}

/// Bits of a [`ReplayWindow::window`].
pub(super) const REPLAY_WINDOW: usize = 128;
