//! Bandwidth estimation and allocation for one viewer.
//!
//! [`sent`] logs what was sent, `losses` counts what was lost, `estimate` derives the line's bandwidth from the
//! reports, `probe` tests whether there is more, [`allocation`] divides it among voice, board, camera and stage, `pace`
//! smooths bursts. The time is always an argument. A receiver's reports affect that receiver alone, and raise its
//! estimate to [`estimate::BPS_MAX`] at most.

pub mod allocation;
mod estimate;
mod losses;
mod pace;
mod probe;
mod sent;

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::bandwidth::allocation::{Allocation, Allocator, Budget, Demand};
use crate::transport::rtcp::TransportFeedback;
use estimate::{CongestionState, Estimator};
use losses::Losses;
use pace::Pacer;
use probe::Prober;
use sent::SentLog;

/// One receiver's bandwidth.
#[derive(Debug)]
pub struct Bandwidth {
    /// Transport-wide feedback was agreed.
    has_feedback: bool,
    origin: Option<Instant>,
    now_us: i64,
    log: SentLog,
    losses: Losses,
    estimator: Estimator,
    prober: Prober,
    pacer: Pacer,
    allocator: Allocator,
    rtt: Duration,
    /// When the oldest packet that no report has covered was sent. `None`: all are covered.
    unanswered_us: Option<i64>,
    heard_us: i64,
    silences: u32,
    /// Reference times wrap: what was added so far, and the newest.
    wraps: i64,
    reference_us: i64,
    is_probe: bool,
    is_lossy: bool,
    is_very_lossy: bool,
    /// Share lost over some seconds.
    settled_loss: f64,
    look_us: i64,
    /// The estimate has changed since the last allocation.
    is_due: bool,
    repeat_bits: f64,
    repeat_us: i64,
}

impl Bandwidth {
    /// Of a receiver of which nothing is known. `has_feedback`: transport-wide feedback was agreed.
    #[must_use]
    pub fn new(has_feedback: bool) -> Self {
        Self {
            has_feedback,
            origin: None,
            now_us: 0,
            log: SentLog::new(),
            losses: Losses::default(),
            estimator: Estimator::new(),
            prober: Prober::new(),
            pacer: Pacer::new(estimate::START_BPS * 5 / 2),
            allocator: Allocator::default(),
            rtt: Duration::from_millis(100),
            unanswered_us: None,
            heard_us: 0,
            silences: 0,
            wraps: 0,
            reference_us: 0,
            is_probe: false,
            is_lossy: false,
            is_very_lossy: false,
            settled_loss: 0.0,
            look_us: 0,
            is_due: true,
            repeat_bits: 0.0,
            repeat_us: 0,
        }
    }

    /// Sets the time. Called once per burst, before any other method.
    pub fn at(&mut self, now: Instant) {
        let origin = *self.origin.get_or_insert(now);
        // One second ahead of zero, so that what was sent before it has a time too.
        let now_us = 1_000_000 + now.saturating_duration_since(origin).as_micros() as i64;
        if now_us > self.now_us {
            self.now_us = now_us;
            self.pacer.advance(now_us);
        }
    }

    /// As [`crate::worker::peer::Peer::prefetch`].
    #[must_use]
    pub fn prefetch(&self) -> u64 {
        self.now_us as u64 ^ self.log.prefetch() ^ self.pacer.allowance() as u64 ^ u64::from(self.prober.cluster())
    }

    /// Notes a packet of `bytes` of UDP payload that is on its way under transport-wide number `seq`.
    pub fn note_sent(&mut self, seq: u16, bytes: usize) {
        let on_wire = bytes + sent::WIRE_BYTES as usize;
        if !self.is_probe {
            self.pacer.note_sent(on_wire);
        }
        self.prober.note_sent(on_wire);
        if self.has_feedback {
            self.log.note(self.now_us, seq, bytes, self.prober.cluster());
            self.unanswered_us.get_or_insert(self.now_us);
        }
    }

    /// Takes transport-wide feedback (TWCC). `rtt` is the measured round trip, where there is one.
    pub fn handle_feedback(&mut self, now: Instant, rtt: Option<Duration>, arrivals: TransportFeedback<'_>) {
        self.at(now);
        self.rtt = rtt.unwrap_or(self.rtt);
        let reference = arrivals.reference_us();
        if reference + WRAP_US / 2 < self.reference_us {
            self.wraps += WRAP_US;
        }
        self.reference_us = reference;
        let (mut packets, mut lost, mut newest) = (0, 0, None);
        for (seq, arrived) in arrivals.take(sent::LOG_PACKETS) {
            let arrived = arrived.map(|at| at + self.wraps);
            let Some(known) = self.log.take(self.now_us, seq, arrived) else { continue };
            newest = Some(known.seq);
            if !known.was_missing {
                packets += 1;
                lost += u32::from(known.arrived_us.is_none());
            }
            self.losses.note(known.arrived_us.is_none(), known.was_missing);
            self.prober.note(&known);
            self.estimator.note(known);
        }
        let Some(newest) = newest else { return };
        if std::mem::take(&mut self.silences) > 0 {
            // Paused slots resume at once: whether they still fit shows within a few reports.
            self.estimator.resume();
            self.allocator.skip_hold(now);
            self.is_due = true;
        }
        self.heard_us = self.now_us;
        self.unanswered_us = (newest + 1 < self.log.next()).then_some(self.now_us);
        let busy = self.prober.is_busy();
        if let Some(outcome) = self.prober.judge(self.now_us, newest, self.estimator.calm_loss())
            && let Some(bps) = outcome
        {
            self.estimator.raise(bps);
            self.is_due = true;
        }
        if self.estimator.judge(self.now_us, self.rtt, packets, lost, busy) == CongestionState::Fallen {
            self.prober.hold(self.now_us);
            self.is_due = true;
        }
        self.settled_loss += (self.estimator.loss() - self.settled_loss) * SETTLING;
        self.is_very_lossy = self.settled_loss >= if self.is_very_lossy { VERY_LOSSY_STILL } else { VERY_LOSSY };
        self.is_lossy = self.estimator.loss() >= if self.is_lossy { LOSSY_STILL } else { LOSSY };
        self.set_pace();
    }

    /// The receiver has moved to another path: delays measured on the old one no longer apply.
    pub fn handle_move(&mut self) {
        self.estimator.forget();
    }

    /// Takes the loss of a receiver report, 0 to 1: the only input from a receiver without transport-wide feedback.
    pub fn handle_loss(&mut self, now: Instant, loss: f64) {
        self.at(now);
        if !self.reports() {
            self.estimator.hint(u64::MAX, loss);
            self.set_pace();
        }
    }

    /// Takes a receiver's own estimate (REMB), which is used only where there is no transport-wide feedback.
    pub fn handle_remb(&mut self, now: Instant, bps: u64) {
        self.at(now);
        if !self.reports() {
            self.estimator.hint(bps, 0.0);
            self.set_pace();
            self.is_due = true;
        }
    }

    /// Is it time to allocate anew?
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.is_due || self.now_us >= self.look_us
    }

    /// When to allocate or probe again, at the latest.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let next = if self.is_due { self.now_us } else { self.look_us };
        let next = self.prober.tick_us().map_or(next, |tick| next.min(self.now_us + tick));
        self.instant(next)
    }

    /// Allocates the estimated bandwidth to `demands`. `is_behind`: packets wait for the pacer already.
    pub fn allocate(&mut self, now: Instant, demands: &[Demand], is_behind: bool) -> SmallVec<[Allocation; 6]> {
        self.at(now);
        self.note_silence();
        let best_bps = Allocator::best_bps(demands);
        let budget =
            Budget { bps: self.estimator.bps(), bound: self.estimator.is_bound(), voice_only: self.silences > 0 };
        let mut small: SmallVec<[Demand; 6]> = SmallVec::new();
        let demands = if self.is_very_lossy {
            small.extend(demands.iter().cloned());
            small.iter_mut().for_each(Demand::keep_smallest);
            &small[..]
        } else {
            demands
        };
        let allocations = self.allocator.choose(now, budget, demands);
        let best = |(demand, allocation): (&Demand, &Allocation)| match (demand.rungs.last(), allocation) {
            (Some(rung), Allocation::Layer(layer, target)) => (rung.layer, rung.target) == (*layer, *target),
            (Some(_), Allocation::Paused) => false,
            _ => true,
        };
        let content = demands.iter().zip(&allocations).all(best);
        let aim = (best_bps * 14 / 10).min(estimate::BPS_MAX);
        // Packets that wait fill the line already: no probe is needed.
        let may_ask = self.reports() && !budget.voice_only && !(is_behind && budget.bound);
        if may_ask && self.estimator.bps() < aim {
            // A line that carries everything is still probed now and then, so that a new track finds its bandwidth
            // known.
            self.prober.begin(self.now_us, self.estimator.bps(), aim, budget.bound);
        }
        self.is_due = false;
        self.look_us = self.now_us + if content && !self.prober.is_busy() { LOOK_CONTENT_US } else { LOOK_US };
        allocations
    }

    /// May a burst of `bytes` go out unpaced? [`Self::at`] must have been called.
    #[must_use]
    pub fn allows(&self, bytes: usize) -> bool {
        self.pacer.allows(bytes)
    }

    /// Bytes that may go out now of what waits. 0: at [`Self::allowed_at`].
    #[must_use]
    pub fn allowance(&self) -> usize {
        self.pacer.allowance()
    }

    /// When more of what waits may go out.
    #[must_use]
    pub fn allowed_at(&self, now: Instant) -> Instant {
        now + Duration::from_micros(self.pacer.wait_us() as u64)
    }

    /// Share of the stream that retransmissions may take. It grows with loss, since retransmissions are lost too.
    #[must_use]
    pub fn repeat_part(&self) -> f64 {
        let loss = self.estimator.loss().min(0.5);
        REPEAT_PART.max(loss / (1.0 - loss) * 1.5)
    }

    /// Is loss so high that every packet should be sent twice without a NACK? Only where there is bandwidth to spare.
    #[must_use]
    pub fn sends_twice(&self) -> bool {
        self.is_lossy && !self.estimator.is_bound() && self.silences == 0
    }

    /// May a retransmission of `bytes` go out?
    pub fn may_repeat(&mut self, bytes: usize) -> bool {
        let part = self.repeat_part().min(REPEAT_PART_MAX);
        let rate = self.estimator.bps() as f64 * part;
        let passed = (self.now_us - self.repeat_us) as f64 / 1e6;
        self.repeat_us = self.now_us;
        let most = (rate * REPEAT_SECONDS).max(REPEAT_BITS_MIN);
        self.repeat_bits = (self.repeat_bits + rate * passed).min(most);
        let bits = bytes as f64 * 8.0;
        if self.repeat_bits < bits {
            return false;
        }
        self.repeat_bits -= bits;
        true
    }

    /// Bytes of padding or repeats that a probe still lacks. They are sent between two calls of [`Self::set_probing`].
    pub fn probe_bytes(&mut self) -> usize {
        self.prober.due_bytes(self.now_us, self.log.next())
    }

    /// Whether packets sent from now on are a probe's or the stream's.
    pub fn set_probing(&mut self, probing: bool) {
        self.is_probe = probing;
    }

    /// What the line carries, bits per second.
    #[must_use]
    pub fn estimate_bps(&self) -> u64 {
        self.estimator.bps()
    }

    /// The share of packets lost in the last five seconds, 0 to 1, once a second. `None`: the receiver reported none.
    pub fn loss_of_late(&mut self) -> Option<f64> {
        self.losses.turn()
    }

    /// What voice may take with its repeats, bits per second of payload: half of a line that is full.
    #[must_use]
    pub fn voice_bps(&self) -> u64 {
        if self.estimator.is_bound() { self.estimator.bps() / VOICE_PART } else { u64::MAX }
    }

    /// The queueing delay at the bottleneck, as reports show it.
    #[must_use]
    pub fn queue(&self) -> Duration {
        self.estimator.queue()
    }

    /// Does it send feedback? Some clients agree to it and never send any.
    fn reports(&self) -> bool {
        self.heard_us > 0
    }

    fn note_silence(&mut self) {
        let Some(unanswered) = self.unanswered_us.filter(|_| self.reports()) else { return };
        let silent = self.now_us - unanswered.max(self.heard_us);
        if silent >= SILENT_US * i64::from(self.silences + 1) && self.silences < SILENCES_MAX {
            self.silences += 1;
            self.prober.hold(self.now_us);
            self.set_pace();
        }
    }

    fn set_pace(&mut self) {
        let bps = self.estimator.bps();
        let percent = if !self.estimator.is_bound() {
            250
        } else if self.estimator.queue() > DRAIN_ABOVE {
            80
        } else if bps < THIN_BPS {
            100
        } else {
            115
        };
        self.pacer.set(bps * percent / 100);
    }

    fn instant(&self, us: i64) -> Option<Instant> {
        Some(self.origin? + Duration::from_micros((us - 1_000_000).max(0) as u64))
    }
}

/// Allocation is repeated this often where a slot gets less than its best, else once a second.
const LOOK_US: i64 = 200_000;
const LOOK_CONTENT_US: i64 = 1_000_000;

/// Reports come ten times a second: without any for so long the line is down.
const SILENT_US: i64 = 2_000_000;
const SILENCES_MAX: u32 = 1_000;

/// A 24-bit count of 64 ms.
const WRAP_US: i64 = (1 << 24) * 64_000;

/// Below this a packet takes a tenth of a second: nothing is sent above the estimate.
const THIN_BPS: u64 = 250_000;

/// While the queue is longer, less is sent than the line carries.
const DRAIN_ABOVE: Duration = Duration::from_millis(50);

const VOICE_PART: u64 = 2;

/// Loss from which every packet is sent twice: retransmissions alone come too late for many pictures.
const LOSSY: f64 = 0.08;
const LOSSY_STILL: f64 = 0.05;

/// Loss from which only the smallest layer is sent: a picture of seven packets hardly ever arrives whole.
const VERY_LOSSY: f64 = 0.15;
const VERY_LOSSY_STILL: f64 = 0.11;

/// Weight of each report: a time constant of two and a half seconds.
const SETTLING: f64 = 0.04;

/// Retransmissions: a fifth of the stream, more where loss is high.
const REPEAT_PART: f64 = 0.2;
const REPEAT_PART_MAX: f64 = 0.7;
const REPEAT_SECONDS: f64 = 0.5;
const REPEAT_BITS_MIN: f64 = 20_000.0;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use super::*;
    use crate::{
        bandwidth::allocation::Rung, media::TrackKind, packet::target::Target, transport::rtcp::tests::arrivals_of,
        uplink::feedback::ArrivalLog,
    };

    fn demands(board: Option<usize>) -> [Demand; 2] {
        let rung = |bps| SmallVec::from_iter([Rung { layer: 0, target: Target::ALL, size: 0, bps }]);
        [
            Demand { kind: TrackKind::Voice, rungs: rung(50_000), current: Some((0, Target::ALL)) },
            Demand { kind: TrackKind::Board, rungs: rung(200_000), current: board.map(|layer| (layer, Target::ALL)) },
        ]
    }

    #[test]
    fn two_seconds_without_reports_leave_the_voice_alone_and_reports_bring_all_back() {
        let start = Instant::now();
        let mut bandwidth = Bandwidth::new(true);
        let mut arrivals = ArrivalLog::new(start);
        let mut seq = 0u16;
        let mut board = Some(0);
        let mut shown = Vec::new();
        for step in 0..600u32 {
            let now = start + Duration::from_millis(u64::from(step) * 20);
            bandwidth.at(now);
            bandwidth.note_sent(seq, 500);
            let is_deaf = (200..400).contains(&step);
            if !is_deaf {
                arrivals.note(now + Duration::from_millis(30), seq);
            }
            seq = seq.wrapping_add(1);
            if step % 5 == 4
                && !is_deaf
                && let Some(packet) = arrivals.feedback(1, 2)
            {
                let feedback = arrivals_of(&packet);
                bandwidth.handle_feedback(now, None, feedback);
            }
            let allocations = bandwidth.allocate(now, &demands(board), false);
            board = if let Allocation::Layer(layer, _) = allocations[1] { Some(layer) } else { None };
            assert_eq!(allocations[0], Allocation::Layer(0, Target::ALL), "voice always");
            if step % 50 == 49 {
                shown.push(board.is_some());
            }
        }
        // Seconds 4 to 8 are silent.
        assert_eq!(shown, [true, true, true, true, true, true, false, false, true, true, true, true]);
    }

    #[test]
    fn feedback_of_packets_never_sent_changes_nothing() {
        let start = Instant::now();
        let mut bandwidth = Bandwidth::new(true);
        let mut arrivals = ArrivalLog::new(start);
        for seq in 0..500u16 {
            arrivals.note(start, seq.wrapping_mul(3));
        }
        let packet = arrivals.feedback(1, 2).unwrap();
        let feedback = arrivals_of(&packet);
        let before = bandwidth.estimate_bps();
        bandwidth.handle_feedback(start, None, feedback);
        assert_eq!(bandwidth.estimate_bps(), before);
    }

    #[test]
    fn a_small_burst_goes_straight_and_a_long_one_waits() {
        let start = Instant::now();
        let mut bandwidth = Bandwidth::new(true);
        bandwidth.at(start);
        assert!(bandwidth.allows(6_000) && !bandwidth.allows(60_000));
        let mut sent = 0;
        for tick in 0..200u64 {
            let now = start + Duration::from_millis(tick * 5);
            bandwidth.at(now);
            let allowed = bandwidth.allowance();
            if allowed > 0 {
                bandwidth.note_sent(0, allowed);
                sent += allowed;
            }
        }
        let bps = sent * 8;
        assert!((2_200_000..3_000_000).contains(&bps), "two and a half times the first guess: {bps}");
    }
}
