//! What one receive slot makes of its stream: extended numbers, gaps and their NACKs, jitter, the report block.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rtc_rtcp::{
    reception_report::ReceptionReport,
    transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
};

use super::description::AnsweredMedia;
use crate::media::rtp::extend;

/// What one slot has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotCounts {
    /// Different media packets received.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets received again, or far too late.
    pub duplicates: u64,
    /// Packets that were missing when a later one came.
    pub missed: u64,
    /// Of those, how many came after all.
    pub repaired: u64,
    /// Packets that are missing now and may still come.
    pub awaited: u64,
    /// Sequence numbers asked for by NACK, each time counted.
    pub nacked: u64,
    /// Keyframes asked for.
    pub keyframes_asked: u64,
    /// Payload bytes that came by RTX, asked for or not.
    pub resent_bytes: u64,
}

impl SlotCounts {
    /// Packets that never came.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.missed.saturating_sub(self.repaired + self.awaited)
    }
}

pub(super) struct SlotReceiver {
    pub(super) media: AnsweredMedia,
    pub(super) ssrc: Option<u32>,
    first: u64,
    pub(super) highest: Option<u64>,
    pub(super) missing: BTreeMap<u64, Missing>,
    /// How late packets come that were merely overtaken: so long a gap is not asked for.
    reordering: Duration,
    pub(super) counts: SlotCounts,
    origin: Instant,
    clock_rate: f64,
    jitter: f64,
    transit: Option<f64>,
    pub(super) report_heard: Option<(u32, Instant)>,
    reported: (u64, u64),
}

pub(super) struct Missing {
    pub(super) ask_at: Instant,
    since: Instant,
    asked: u32,
}

impl SlotReceiver {
    pub(super) fn new(origin: Instant, media: &AnsweredMedia) -> Self {
        Self {
            media: media.clone(),
            ssrc: None,
            first: 0,
            highest: None,
            missing: BTreeMap::new(),
            reordering: Duration::ZERO,
            counts: SlotCounts::default(),
            origin,
            clock_rate: if media.sound { 48_000.0 } else { 90_000.0 },
            jitter: 0.0,
            transit: None,
            report_heard: None,
            reported: (0, 0),
        }
    }

    /// The extended number and whether it came late. `None`: received before.
    pub(super) fn receive(&mut self, now: Instant, seq: u16, bytes: usize, by_rtx: bool) -> Option<(u64, bool)> {
        let Some(highest) = self.highest else {
            // One wrap above zero, so that what was overtaken by the first packet has a number too.
            let seq = u64::from(seq) + (1 << 16);
            (self.first, self.highest) = (seq, Some(seq));
            self.count(bytes);
            return Some((seq, false));
        };
        let seq = extend(highest, seq);
        let late = seq <= highest;
        if seq < self.first && self.first - seq <= OVERTAKEN_AT_START_MAX {
            // The very first packet had overtaken this one, and perhaps others between them.
            self.counts.missed += self.first - seq;
            self.counts.repaired += 1;
            for missed in seq + 1..self.first {
                self.missing.insert(missed, Missing { ask_at: now, since: now, asked: 0 });
            }
            self.first = seq;
        } else if late {
            let Some(missing) = self.missing.remove(&seq) else {
                self.counts.duplicates += 1;
                return None;
            };
            if !by_rtx {
                self.reordering = self.reordering.max(now - missing.since).min(REORDERING_MAX);
            }
            self.counts.repaired += 1;
        } else {
            self.counts.missed += seq - highest - 1;
            self.reordering = self.reordering.mul_f64(REORDERING_FADES);
            for missed in (highest + 1).max(seq.saturating_sub(MISSING_MAX))..seq {
                let ask_at = now + if self.media.nack { self.reordering } else { GIVE_UP_AFTER };
                self.missing.insert(missed, Missing { ask_at, since: now, asked: 0 });
            }
            while self.missing.len() > MISSING_MAX as usize {
                self.missing.pop_first();
            }
            self.highest = Some(seq);
        }
        self.count(bytes);
        Some((seq, late))
    }

    fn count(&mut self, bytes: usize) {
        self.counts.packets += 1;
        self.counts.bytes += bytes as u64;
    }

    pub(super) fn nack(&mut self, now: Instant, rtt: Duration) -> Option<TransportLayerNack> {
        if self.missing.is_empty() {
            return None;
        }
        self.missing.retain(|_, missing| missing.asked < ASK_TIMES_MAX && now - missing.since < GIVE_UP_AFTER);
        let ssrc = self.ssrc.filter(|_| self.media.nack);
        let again = now + rtt.max(ASK_AGAIN_MIN);
        let mut asked = Vec::new();
        for (seq, missing) in &mut self.missing {
            if missing.ask_at <= now {
                missing.ask_at = again;
                missing.asked += 1;
                asked.push(*seq as u16);
            }
        }
        if asked.is_empty() || ssrc.is_none() {
            return None;
        }
        self.counts.nacked += asked.len() as u64;
        let nacks = nack_pairs_from_sequence_numbers(&asked);
        ssrc.map(|media_ssrc| TransportLayerNack { sender_ssrc: OWN_SSRC, media_ssrc, nacks })
    }

    /// RFC 3550 §6.4.1: interarrival jitter in timestamp units.
    pub(super) fn measure_jitter(&mut self, now: Instant, timestamp: u32) {
        let arrival = now.saturating_duration_since(self.origin).as_secs_f64() * self.clock_rate;
        let transit = arrival - f64::from(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = (transit - before).abs();
            if change < self.clock_rate {
                self.jitter += (change - self.jitter) / 16.0;
            }
        }
    }

    pub(super) fn report(&mut self, now: Instant) -> Option<ReceptionReport> {
        let (ssrc, highest) = (self.ssrc?, self.highest?);
        let expected = highest - self.first + 1;
        let lost = expected.saturating_sub(self.counts.packets);
        let (expected_before, lost_before) = std::mem::replace(&mut self.reported, (expected, lost));
        let share = lost.saturating_sub(lost_before) * 256 / (expected - expected_before).max(1);
        let (last_sender_report, delay) = self.report_heard.map_or((0, 0), |(middle, at)| {
            (middle, (now.saturating_duration_since(at).as_secs_f64() * 65_536.0) as u32)
        });
        Some(ReceptionReport {
            ssrc,
            fraction_lost: share.min(255) as u8,
            total_lost: lost.min(0x7f_ffff) as u32,
            last_sequence_number: (highest - (1 << 16)) as u32,
            jitter: self.jitter as u32,
            last_sender_report,
            delay,
        })
    }
}

/// Chromium's own sender SSRC where it only receives.
pub(super) const OWN_SSRC: u32 = 1;
/// A browser asks again after one round trip, but not more often than this.
const ASK_AGAIN_MIN: Duration = Duration::from_millis(20);
/// Packets further back were sent before this receiver joined.
const OVERTAKEN_AT_START_MAX: u64 = 32;
/// Longer waits for an overtaken packet would cost more than a packet sent twice.
const REORDERING_MAX: Duration = Duration::from_millis(30);
/// Per packet: a line that stopped reordering is trusted again after a few hundred.
const REORDERING_FADES: f64 = 0.995;
/// libwebrtc asks ten times.
pub(super) const ASK_TIMES_MAX: u32 = 10;
/// A picture that late is of no use.
const GIVE_UP_AFTER: Duration = Duration::from_secs(2);
/// A second and more of a busy stream.
const MISSING_MAX: u64 = 512;
