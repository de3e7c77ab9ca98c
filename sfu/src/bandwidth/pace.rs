//! A leaky bucket: what is sent beyond the estimate waits in the layer's history, not in a queue on the line.

/// Bytes ahead of the line, and how fast the line takes them. Times are microseconds.
#[derive(Debug)]
pub(super) struct Pacer {
    bps: u64,
    /// Bits sent and not yet drained, at `at_us`.
    debt: f64,
    at_us: i64,
}

impl Pacer {
    pub(super) fn new(bps: u64) -> Self {
        Self { bps, debt: 0.0, at_us: 0 }
    }

    pub(super) fn set(&mut self, bps: u64) {
        self.bps = bps.max(1);
    }

    pub(super) fn advance(&mut self, now_us: i64) {
        let passed = (now_us - self.at_us).max(0);
        self.at_us = now_us;
        self.debt = (self.debt - self.bps as f64 * passed as f64 / 1e6).max(0.0);
    }

    pub(super) fn note_sent(&mut self, bytes: usize) {
        // Capped: voice is never refused, and its debt must not keep pictures back without end.
        self.debt = (self.debt + bytes as f64 * 8.0).min(self.bps as f64 * DEBT_MAX_SECONDS);
    }

    /// May a burst go out unpaced? So it does whenever it is small for the line.
    pub(super) fn allows(&self, bytes: usize) -> bool {
        self.debt + bytes as f64 * 8.0 <= (self.bps as f64 * STRAIGHT_SECONDS).max(STRAIGHT_BITS_MIN)
    }

    /// Bytes that may go out now of what waits. 0: later.
    pub(super) fn allowance(&self) -> usize {
        let quantum = (self.bps as f64 * QUANTUM_SECONDS).max(1.0);
        let is_clear = if self.bps < THIN_BPS { self.debt <= 0.0 } else { self.debt < quantum };
        if !is_clear { 0 } else { (((quantum - self.debt) / 8.0) as usize).max(PACKET_BYTES) }
    }

    /// Microseconds until [`Self::allowance`] is more than 0.
    pub(super) fn wait_us(&self) -> i64 {
        let quantum = (self.bps as f64 * QUANTUM_SECONDS).max(1.0);
        let over = if self.bps < THIN_BPS { self.debt } else { (self.debt - quantum).max(0.0) };
        ((over * 1e6 / self.bps as f64) as i64).clamp(TICK_US, WAIT_US_MAX)
    }
}

/// A burst that takes the line no longer than this is sent unpaced.
const STRAIGHT_SECONDS: f64 = 0.05;

/// One packet goes out at once on any line: on the thinnest it is a tenth of a second before the next voice.
const STRAIGHT_BITS_MIN: f64 = 10_500.0;

/// On a thin line a packet leaves when the one before has left the line.
const THIN_BPS: u64 = 250_000;

/// Sent in one tick.
const QUANTUM_SECONDS: f64 = 0.01;
const PACKET_BYTES: usize = 1_500;
const TICK_US: i64 = 5_000;
const WAIT_US_MAX: i64 = 100_000;
const DEBT_MAX_SECONDS: f64 = 2.0;
