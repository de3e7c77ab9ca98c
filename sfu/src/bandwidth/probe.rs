//! Probes: short clusters of more than the estimate, to find out whether there is more bandwidth.

use std::time::Duration;

use super::sent::PacketOutcome;

/// When to probe, and what came of it. Times are microseconds.
#[derive(Debug)]
pub(super) struct Prober {
    cluster: Option<Cluster>,
    next_id: u8,
    next_at_us: i64,
    pause: Duration,
}

#[derive(Debug)]
struct Cluster {
    id: u8,
    began_us: i64,
    ends_us: i64,
    bps: u64,
    sent_bytes: u64,
    /// One past its last packet. `None`: it is still being sent.
    end: Option<u64>,
    first: Option<ProbeArrival>,
    last: Option<ProbeArrival>,
    /// Bytes after the first arrival up to the last, those missing included; and those since then.
    between: u64,
    since: u64,
    packets: u32,
    missing: u32,
}

#[derive(Debug, Clone, Copy)]
struct ProbeArrival {
    sent_us: i64,
    arrived_us: i64,
}

impl Prober {
    pub(super) fn new() -> Self {
        Self { cluster: None, next_id: 1, next_at_us: 0, pause: PAUSE_MIN }
    }

    /// The cluster that is being sent; 0: none.
    pub(super) fn cluster(&self) -> u8 {
        self.cluster.as_ref().filter(|cluster| cluster.end.is_none()).map_or(0, |cluster| cluster.id)
    }

    /// Is a cluster being sent, or its outcome still awaited?
    pub(super) fn is_busy(&self) -> bool {
        self.cluster.is_some()
    }

    /// Begins a cluster that aims at `aim` bits per second, if it is time.
    pub(super) fn begin(&mut self, now_us: i64, estimate: u64, aim: u64, bound: bool) {
        if self.cluster.is_some() || now_us < self.next_at_us {
            return;
        }
        // Small steps on a thin line: what it cannot carry becomes a queue in front of the voice.
        let step = if !bound {
            300
        } else if estimate < THIN_BPS {
            130
        } else {
            170
        };
        let bps = aim.min(estimate * step / 100);
        if bps <= estimate {
            return;
        }
        let packets_us = (CLUSTER_BITS * 1_000_000 / bps) as i64;
        let length = packets_us.clamp(LENGTH_MIN_US, LENGTH_MAX_US);
        self.cluster = Some(Cluster {
            id: self.next_id,
            began_us: now_us,
            ends_us: now_us + length,
            bps,
            sent_bytes: 0,
            end: None,
            first: None,
            last: None,
            between: 0,
            since: 0,
            packets: 0,
            missing: 0,
        });
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
    }

    pub(super) fn note_sent(&mut self, bytes: usize) {
        if let Some(cluster) = &mut self.cluster
            && cluster.end.is_none()
        {
            cluster.sent_bytes += bytes as u64;
        }
    }

    /// Bytes that the cluster lacks at `now`. `next` is the next transport-wide number.
    pub(super) fn due_bytes(&mut self, now_us: i64, next: u64) -> usize {
        let Some(cluster) = &mut self.cluster else { return 0 };
        if cluster.end.is_some() {
            return 0;
        }
        if now_us >= cluster.ends_us {
            cluster.end = Some(next);
            return 0;
        }
        let passed = (now_us - cluster.began_us + TICK_US) as u64;
        let lacking = (cluster.bps * passed / 8_000_000).saturating_sub(cluster.sent_bytes) as usize;
        if lacking < LACKING_MIN { 0 } else { lacking }
    }

    /// When the cluster wants to be looked at again. `None`: no cluster is being sent.
    pub(super) fn tick_us(&self) -> Option<i64> {
        self.cluster.as_ref().filter(|cluster| cluster.end.is_none()).map(|_| TICK_US)
    }

    /// Takes the outcome of one packet of a cluster, in the order of sending.
    pub(super) fn note(&mut self, packet: &PacketOutcome) {
        let Some(cluster) = &mut self.cluster else { return };
        if packet.cluster != cluster.id || packet.was_missing {
            return;
        }
        cluster.packets += 1;
        match packet.arrived_us {
            Some(arrived_us) => {
                let seen = ProbeArrival { sent_us: packet.sent_us, arrived_us };
                if cluster.first.is_none() {
                    cluster.first = Some(seen);
                    cluster.since = 0;
                } else {
                    cluster.between += cluster.since + u64::from(packet.bytes);
                    cluster.since = 0;
                }
                cluster.last = Some(seen);
            }
            None => {
                cluster.missing += 1;
                cluster.since += u64::from(packet.bytes);
            }
        }
    }

    /// A report has covered everything up to `seq`. `Some`: the cluster is over, with the rate that came through where
    /// the line had room for it.
    pub(super) fn judge(&mut self, now_us: i64, seq: u64, calm_loss: f64) -> Option<Option<u64>> {
        let cluster = self.cluster.as_ref()?;
        let end = cluster.end?;
        let late = now_us > cluster.ends_us + OUTCOME_WITHIN_US;
        if seq + 1 < end && !late {
            return None;
        }
        let (Some(first), Some(last)) = (cluster.first, cluster.last) else { return Some(self.end(now_us, None)) };
        let sent_us = (last.sent_us - first.sent_us).max(1);
        let came_us = (last.arrived_us - first.arrived_us).max(1);
        let lost = f64::from(cluster.missing) / f64::from(cluster.packets.max(1));
        let stretched = came_us as f64 / sent_us as f64;
        let whole = cluster.packets >= PACKETS_MIN
            && sent_us >= LENGTH_MIN_US / 2
            && stretched < STRETCH_MAX
            && lost <= calm_loss * 1.5 + 0.15;
        let bps = cluster.between * 8 * 1_000_000 / sent_us.max(came_us) as u64;
        let outcome = whole.then_some(bps.min(cluster.bps) * 95 / 100);
        Some(self.end(now_us, outcome))
    }

    /// Congestion: no probe for a while.
    pub(super) fn hold(&mut self, now_us: i64) {
        self.cluster = None;
        self.next_at_us = self.next_at_us.max(now_us + self.pause.as_micros() as i64);
    }

    fn end(&mut self, now_us: i64, outcome: Option<u64>) -> Option<u64> {
        self.cluster = None;
        self.pause = if outcome.is_some() { PAUSE_MIN } else { (self.pause * 3 / 2).min(PAUSE_MAX) };
        let rest = if outcome.is_some() { AGAIN_US } else { self.pause.as_micros() as i64 };
        self.next_at_us = now_us + rest;
        outcome
    }
}

const TICK_US: i64 = 5_000;

/// Less is not worth a packet.
const LACKING_MIN: usize = 200;

/// A probe is twelve packets or so, and never so long that it queues more than it must.
const CLUSTER_BITS: u64 = 12 * 1_200 * 8;
const LENGTH_MIN_US: i64 = 100_000;
const LENGTH_MAX_US: i64 = 240_000;
const PACKETS_MIN: u32 = 5;

/// A cluster that takes longer to arrive than to send has met the bottleneck.
const STRETCH_MAX: f64 = 1.15;

/// After a success the next probe follows at once, after failures with growing pauses.
const AGAIN_US: i64 = 100_000;
const PAUSE_MIN: Duration = Duration::from_millis(2_000);
const PAUSE_MAX: Duration = Duration::from_millis(5_000);

/// A probe without an outcome by then has failed.
const OUTCOME_WITHIN_US: i64 = 1_500_000;

const THIN_BPS: u64 = 250_000;
