//! The bit rate of one encoding: of the whole, and of each target that a viewer can be sent.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::{
    bandwidth::allocation::Rung,
    packet::{
        Packet,
        target::{TARGETS, Target},
    },
};

/// The rates of one encoding.
#[derive(Debug)]
pub struct Rates {
    began: Instant,
    whole: SmoothedRate,
    /// `None`: it has no layers inside.
    parts: Option<Box<TargetRates>>,
}

#[derive(Debug, Default)]
struct TargetRates {
    /// What each target is sent.
    rates: [SmoothedRate; TARGETS],
    /// When a frame of just those layers came last.
    heard: [Option<Instant>; TARGETS],
}

#[derive(Debug, Default, Clone, Copy)]
struct SmoothedRate {
    /// Bytes since the last full second, headers included.
    bytes: usize,
    /// Bits per second, smoothed over some seconds. `None`: less than a second is known.
    bps: Option<u64>,
}

impl Rates {
    /// The rates of what begins now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { began: now, whole: SmoothedRate::default(), parts: None }
    }

    /// Notes a packet.
    pub fn note(&mut self, now: Instant, packet: &Packet) {
        let bytes = packet.payload.len() + HEADERS_BYTES;
        self.whole.bytes += bytes;
        let Some(layered) = &packet.layered else { return };
        // What came before the first layer was seen is part of every target.
        let before = SmoothedRate { bytes: self.whole.bytes - bytes, ..self.whole };
        let parts = self
            .parts
            .get_or_insert_with(|| Box::new(TargetRates { rates: [before; TARGETS], heard: [None; TARGETS] }));
        parts.heard[layered.frame.index()] = Some(now);
        for target in Target::every().filter(|target| layered.is_wanted(*target)) {
            parts.rates[target.index()].bytes += bytes;
        }
    }

    /// Ends a second.
    pub fn close_second(&mut self, now: Instant) {
        let began = self.began;
        self.whole.close_second(now, began);
        for rate in self.parts.iter_mut().flat_map(|parts| &mut parts.rates) {
            rate.close_second(now, began);
        }
    }

    /// Bytes since the last full second.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.whole.bytes
    }

    /// Bits per second of the whole, headers included.
    #[must_use]
    pub fn bps(&self, now: Instant) -> u64 {
        self.whole.bps(now, self.began)
    }

    /// The targets that a viewer may be sent, cheapest first; the last is all of it. `layer` is its index in its track.
    ///
    /// The smallest size may come at any frame rate, a larger one at half the frame rate at least: below that the
    /// smaller size shows a lesson better.
    #[must_use]
    pub fn rungs(&self, now: Instant, layer: usize) -> SmallVec<[Rung; 3]> {
        let mut rungs = SmallVec::from_iter([Rung { layer, target: Target::ALL, size: 0, bps: self.bps(now) }]);
        let Some(parts) = &self.parts else { return rungs };
        let fresh = |target: &Target| {
            parts.heard[target.index()].is_some_and(|at| now.saturating_duration_since(at) <= LAYER_SILENT_AFTER)
        };
        let top = |of: fn(Target) -> u8| Target::every().filter(fresh).map(of).max().unwrap_or(0);
        let (spatial, temporal) = (top(Target::spatial), top(Target::temporal));
        rungs[0].size = spatial;
        rungs[0].bps = parts.rates[Target::new(spatial, temporal).index()].bps(now, self.began).max(1);
        for size in (0..=spatial).rev() {
            let least = if size == 0 { 0 } else { temporal.saturating_sub(1) };
            for target in (least..=temporal).rev().map(|rate| Target::new(size, rate)) {
                let bps = parts.rates[target.index()].bps(now, self.began);
                // A step that saves less than a tenth is left out.
                if bps > 0 && rungs.last().is_some_and(|above: &Rung| bps * 10 <= above.bps * 9) {
                    rungs.push(Rung { layer, target, size, bps });
                }
            }
        }
        rungs.reverse();
        rungs
    }
}

impl SmoothedRate {
    fn bps(&self, now: Instant, began: Instant) -> u64 {
        self.bps.unwrap_or_else(|| {
            let known = now.saturating_duration_since(began).max(RATE_KNOWN_AFTER);
            (self.bytes as f64 * 8.0 / known.as_secs_f64()) as u64
        })
    }

    fn close_second(&mut self, now: Instant, began: Instant) {
        let bps = self.bytes as u64 * 8;
        self.bps = match self.bps {
            // Smoothed, because one second may hold a keyframe.
            Some(before) => Some((before * 3 + bps) / 4),
            None if now.saturating_duration_since(began) >= RATE_KNOWN_AFTER => Some(self.bps(now, began)),
            None => return,
        };
        self.bytes = 0;
    }
}

/// RTP header with one extension, SRTP tag, IPv4 and UDP.
pub const HEADERS_BYTES: usize = 64;

/// A rate is known after so long.
const RATE_KNOWN_AFTER: Duration = Duration::from_millis(700);

/// A layer inside a stream that is silent for longer does not count: senders drop layers as their bandwidth falls.
const LAYER_SILENT_AFTER: Duration = Duration::from_secs(2);
