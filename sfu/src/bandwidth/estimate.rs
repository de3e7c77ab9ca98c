//! What a receiver's line carries: growing delay is congestion, loss alone is not.
//!
//! Every send burst gives one sample: the delay of the first of its packets that arrived, so that a burst's own length
//! does not look like a queue. A regression line through the samples of the last half second shows whether the delay
//! grows; their distance from that line shows how much growth is only jitter. The least delay of the last 10 to 20 s is
//! the line's own, what is above it is queue.

use std::{collections::VecDeque, time::Duration};

use super::sent::{BinnedRate, PacketOutcome};

/// The estimate for one receiver. Times are microseconds since an origin of its owner.
#[derive(Debug)]
pub(super) struct Estimator {
    bps: u64,
    /// Congestion was met, and the estimate has not doubled since: it is a ceiling, not a guess.
    bound: bool,
    /// The estimate after the last congestion; falls only slowly with those that follow.
    after_congestion: u64,
    /// What it took when it was last full.
    capacity: u64,
    delivered: BinnedRate,
    /// The same packets, and those missing, by the time of sending.
    offered: BinnedRate,
    samples: VecDeque<DelaySample>,
    least: [Option<i64>; 2],
    least_since: i64,
    queue_us: f64,
    /// Share lost, smoothed; and the same while no queue stood.
    loss: f64,
    calm_loss: f64,
    over: u32,
    fallen_at: Option<i64>,
    /// Falls one after another that did not shorten the queue, and the queue at the first.
    in_vain: (u32, f64),
    grown_at: Option<i64>,
    burst: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct DelaySample {
    sent_us: i64,
    delay_us: i64,
}

/// What a report shows of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CongestionState {
    /// No queue grows.
    Calm,
    /// A queue grows or stands, but the last fall has yet to show.
    Waiting,
    /// The estimate has fallen.
    Fallen,
}

impl Estimator {
    pub(super) fn new() -> Self {
        Self {
            bps: START_BPS,
            bound: false,
            after_congestion: 0,
            capacity: 0,
            delivered: BinnedRate::default(),
            offered: BinnedRate::default(),
            samples: VecDeque::with_capacity(SAMPLES_MAX),
            least: [None; 2],
            least_since: 0,
            queue_us: 0.0,
            loss: 0.0,
            calm_loss: 0.0,
            over: 0,
            fallen_at: None,
            in_vain: (0, 0.0),
            grown_at: None,
            burst: None,
        }
    }

    pub(super) fn bps(&self) -> u64 {
        self.bps
    }

    pub(super) fn is_bound(&self) -> bool {
        self.bound
    }

    /// How long the queue is at the bottleneck.
    pub(super) fn queue(&self) -> Duration {
        Duration::from_micros(self.queue_us.max(0.0) as u64)
    }

    pub(super) fn loss(&self) -> f64 {
        self.loss
    }

    pub(super) fn calm_loss(&self) -> f64 {
        self.calm_loss
    }

    /// Takes one packet's outcome, in the order of sending.
    pub(super) fn note(&mut self, packet: PacketOutcome) {
        if !packet.was_missing {
            self.offered.add(packet.sent_us, packet.bytes);
        }
        let Some(arrived_us) = packet.arrived_us else { return };
        self.delivered.add(arrived_us, packet.bytes);
        if self.burst.is_some_and(|burst| packet.sent_us - burst < BURST_US) || packet.was_missing {
            return;
        }
        self.burst = Some(packet.sent_us);
        let delay_us = arrived_us - packet.sent_us;
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        if packet.sent_us - self.least_since > LEAST_FOR_US {
            self.least_since = packet.sent_us;
            self.least = [None, self.least[0]];
        }
        self.least[0] = Some(self.least[0].map_or(delay_us, |least| least.min(delay_us)));
        // On a thin line a large packet takes long by itself: that is no queue.
        let own_us = if self.bound { i64::from(packet.bytes) * 8_000_000 / self.bps.max(1) as i64 } else { 0 };
        let queue = (delay_us - self.base() - own_us).max(0) as f64;
        self.queue_us += (queue - self.queue_us) * QUEUE_SMOOTH;
        self.samples.push_back(DelaySample { sent_us: packet.sent_us, delay_us });
    }

    /// A report ends: `lost` of `packets` were missing. `probing`: a probe's own queue is expected.
    pub(super) fn judge(
        &mut self,
        now_us: i64,
        rtt: Duration,
        packets: u32,
        lost: u32,
        probing: bool,
    ) -> CongestionState {
        if packets > 0 {
            let share = f64::from(lost) / f64::from(packets);
            let weight = (f64::from(packets) / 200.0).min(0.3);
            self.loss += (share - self.loss) * weight;
            if self.queue_us < 30_000.0 {
                self.calm_loss += (share - self.calm_loss) * weight;
            }
        }
        let newest = self.samples.back().map_or(0, |sample| sample.sent_us);
        while self.samples.front().is_some_and(|sample| newest - sample.sent_us > TREND_US) {
            self.samples.pop_front();
        }
        let (growth, off) = self.trend();
        let threshold = (3.0 * off).clamp(GROWTH_MIN_US, GROWTH_MAX_US);
        let climbing = self.climbs() && !self.bursts();
        let growing = climbing || (growth > threshold && self.queue_us > 15_000.0 + off);
        let standing = self.queue_us > STANDING_US && growth > -threshold / 2.0;
        let is_over = if probing { growing && self.queue_us > PROBE_QUEUE_US } else { growing || standing };
        self.over = if is_over { self.over + 1 } else { 0 };
        let sure = climbing || (growing && self.queue_us > SURE_US) || self.over >= if growing { 2 } else { 3 };
        let flooded = self.loss > LOSS_IS_CONGESTION;
        let settled = self.fallen_at.is_none_or(|at| now_us - at > (rtt + FALL_PAUSE).as_micros() as i64);
        if (is_over && sure) || flooded {
            if !settled {
                return CongestionState::Waiting;
            }
            self.fall(now_us, flooded, climbing);
            return CongestionState::Fallen;
        }
        if is_over {
            return CongestionState::Waiting;
        }
        self.in_vain = (0, 0.0);
        self.grow(now_us);
        CongestionState::Calm
    }

    /// Reports come again after a silence: the estimate starts anew, from a little less than before.
    pub(super) fn resume(&mut self) {
        self.bps = (self.bps * 8 / 10).max(BPS_MIN);
        self.loss = 0.0;
        self.calm_loss = 0.0;
        self.forget();
    }

    /// A probe of `bps` came through whole.
    pub(super) fn raise(&mut self, bps: u64) {
        self.bps = self.bps.max(bps.min(BPS_MAX));
        self.loosen();
    }

    /// Takes REMB or reported loss from a receiver without transport-wide feedback.
    pub(super) fn hint(&mut self, bps: u64, share_lost: f64) {
        if share_lost > LOSS_IS_CONGESTION {
            self.bps = (self.bps * 8 / 10).max(BPS_MIN);
            self.bound = true;
        } else {
            let most = bps.clamp(HINT_LEAST_BPS, BPS_MAX);
            self.bps = most.min(self.bps + self.bps / 4);
            self.bound = most < UNHINTED_BPS;
        }
    }

    fn base(&self) -> i64 {
        let [this, before] = self.least;
        this.into_iter().chain(before).min().unwrap_or(0)
    }

    /// Does the delay of the newest samples rise from each to the next? A line that has just become narrow shows so; a
    /// delay that jumps falls again from there.
    fn climbs(&self) -> bool {
        let newest = self.samples.iter().rev();
        let Some(last) = newest.clone().next() else { return false };
        let recent = newest.take_while(|sample| last.sent_us - sample.sent_us <= CLIMB_US);
        let (mut steps, mut rises, mut least, mut before) = (0, 0, last.delay_us, last.delay_us);
        for sample in recent.skip(1) {
            steps += 1;
            rises += i32::from(before > sample.delay_us);
            least = least.min(sample.delay_us);
            before = sample.delay_us;
        }
        steps >= CLIMB_STEPS && rises * 5 >= steps * 4 && last.delay_us - least > CLIMB_RISE_US
    }

    /// Was much more sent just now than before? Then the queue is that of a keyframe, and ends with it.
    fn bursts(&self) -> bool {
        let (newest, ever) = (self.offered.bps(BUSY_BINS), self.offered.bps(RATE_BINS));
        newest.zip(ever).is_none_or(|(newest, ever)| newest > ever * 13 / 10)
    }

    /// Growth of the delay over the samples, and how far they lie off a straight line on average, microseconds.
    fn trend(&self) -> (f64, f64) {
        let count = self.samples.len();
        if count < SAMPLES_MIN {
            return (0.0, 0.0);
        }
        let first = self.samples[0];
        let points = || {
            self.samples
                .iter()
                .map(move |sample| ((sample.sent_us - first.sent_us) as f64, (sample.delay_us - first.delay_us) as f64))
        };
        let (sum_x, sum_y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        let (mean_x, mean_y) = (sum_x / count as f64, sum_y / count as f64);
        let (cross, square) = points().fold((0.0, 0.0), |(cross, square), (x, y)| {
            (cross + (x - mean_x) * (y - mean_y), square + (x - mean_x) * (x - mean_x))
        });
        if square == 0.0 {
            return (0.0, 0.0);
        }
        let slope = cross / square;
        let off = points().map(|(x, y)| (y - mean_y - slope * (x - mean_x)).abs()).sum::<f64>() / count as f64;
        let span = (self.samples[count - 1].sent_us - first.sent_us) as f64;
        (slope * span, off)
    }

    fn fall(&mut self, now_us: i64, flooded: bool, climbing: bool) {
        let through = 1.0 - self.calm_loss.min(LOSS_IS_CONGESTION);
        // A line with a queue is busy: where it is fast enough to measure, the newest tenth of a second is its
        // capacity.
        let newest = self.delivered.bps(BUSY_BINS).filter(|bps| *bps > BUSY_ABOVE_BPS);
        let delivered = self.delivered.bps(FALL_BINS).max(newest).unwrap_or(self.bps);
        let offered = self.offered.bps(FALL_BINS).unwrap_or(self.bps);
        let capacity = delivered as f64 / through;
        let mut next = capacity * 0.85;
        // Where the usual rate suddenly queues, the part of the estimate that was never used does not count.
        let used = if climbing { self.bps.min(offered) } else { self.bps } as f64;
        // Where everything that was sent came through, the queue is not ours alone: the estimate falls in steps.
        if offered as f64 <= capacity * 1.1 {
            next = next.max(used * 0.7);
        }
        if flooded || self.queue_us < DEEP_US {
            next = next.max(used * 0.65);
        }
        self.capacity = capacity as u64;
        let (falls, queue) = self.in_vain;
        self.in_vain = if falls == 0 { (1, self.queue_us) } else { (falls + 1, queue) };
        if falls >= 4 && self.queue_us > queue * 0.8 {
            // A queue that does not shrink with our rate is the delay of a new path.
            self.forget();
        }
        self.bps = (next as u64).min(self.bps).max(BPS_MIN);
        // A fall that was too deep must not make an ordinary estimate look like a doubled bandwidth.
        let before = self.after_congestion * 95 / 100;
        self.after_congestion = self.bps.max(before.min(self.bps * 4));
        self.bound = true;
        self.fallen_at = Some(now_us);
        self.grown_at = Some(now_us);
        self.over = 0;
    }

    fn grow(&mut self, now_us: i64) {
        let since = self.grown_at.replace(now_us).map_or(0, |at| (now_us - at).min(1_000_000));
        let seconds = since as f64 / 1e6;
        let Some(delivered) = self.delivered.bps(RATE_BINS) else { return };
        // While a queue drains, nothing is known of spare bandwidth.
        if self.queue_us > 40_000.0 && self.bound {
            return;
        }
        let through = (1.0 - self.calm_loss.min(LOSS_IS_CONGESTION)).max(0.5);
        let sent = delivered as f64 / through;
        let (factor, reach) = match self.bound {
            // Up to what the line took when it was last full quickly, beyond that carefully.
            true if self.bps < self.capacity * 9 / 10 => (0.25, 1.5),
            true => (0.06, 1.5),
            false => (1.0, 2.0),
        };
        let most = (sent * reach + 20_000.0) as u64;
        let grown = self.bps as f64 * (1.0 + factor * seconds) + 8_000.0 * seconds;
        if (grown as u64) <= most || self.bps < most {
            self.bps = self.bps.max((grown as u64).min(most)).min(BPS_MAX);
        }
        if !self.bound {
            self.bps = self.bps.max((sent * 1.1) as u64).min(BPS_MAX);
        }
        self.loosen();
    }

    fn loosen(&mut self) {
        if self.bound && self.bps >= self.after_congestion * 2 {
            self.bound = false;
        }
    }

    /// Forgets the delays measured so far: the path has changed.
    pub(super) fn forget(&mut self) {
        self.least = [None; 2];
        self.samples.clear();
        self.queue_us = 0.0;
        self.over = 0;
        self.in_vain = (0, 0.0);
        self.delivered.clear();
        self.offered.clear();
    }
}

/// A school's line before anything is known of it.
pub(super) const START_BPS: u64 = 1_000_000;

/// Upper bound of an estimate: twice camera, board and stage at their best. Feedback can be forged.
pub(super) const BPS_MAX: u64 = 8_000_000;

/// Voice alone.
const BPS_MIN: u64 = 40_000;

/// Assumed for a receiver that only reports loss.
const UNHINTED_BPS: u64 = 2_500_000;

/// Estimates of old receivers start near zero.
const HINT_LEAST_BPS: u64 = 150_000;

/// Rural radio loses this share without being full (RELIABILITY row 40 % loss).
const LOSS_IS_CONGESTION: f64 = 0.55;

/// Packets sent within this time are one burst.
const BURST_US: i64 = 4_000;

/// How far back the trend looks.
const TREND_US: i64 = 600_000;
const SAMPLES_MAX: usize = 40;
const SAMPLES_MIN: usize = 5;

/// Growth that is never taken for jitter and growth that is never taken for anything else.
const GROWTH_MIN_US: f64 = 10_000.0;
const GROWTH_MAX_US: f64 = 60_000.0;

/// A queue this long is congestion, growing or not.
const STANDING_US: f64 = 80_000.0;

/// Growing beyond this, one report is enough.
const SURE_US: f64 = 50_000.0;

/// Queue that a probe may cause.
const PROBE_QUEUE_US: f64 = 110_000.0;

/// So many bursts in a row, each later than the one before, and so much in all.
const CLIMB_US: i64 = 200_000;
const CLIMB_STEPS: i32 = 4;
const CLIMB_RISE_US: i64 = 50_000;

const QUEUE_SMOOTH: f64 = 0.35;

/// The least delay is kept for one to two times as long: clocks drift 5 ms in that time.
const LEAST_FOR_US: i64 = 10_000_000;

/// A fall shows a round trip and a report later.
const FALL_PAUSE: Duration = Duration::from_millis(250);

/// What comes in is measured over half a second, in a fall over the last quarter.
const RATE_BINS: usize = 11;
const FALL_BINS: usize = 6;
const BUSY_BINS: usize = 3;

/// Below this a tenth of a second is three packets, too few to measure.
const BUSY_ABOVE_BPS: u64 = 500_000;

/// A queue this long is not drained in small steps.
const DEEP_US: f64 = 120_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of its own: packets of 1,200 bytes at `bps`, over a bottleneck, with losses and jitter by the packet's
    /// number.
    struct Path {
        estimator: Estimator,
        now_us: i64,
        free_us: i64,
        seq: u64,
        fallen: u32,
    }

    impl Path {
        fn new() -> Self {
            Self { estimator: Estimator::new(), now_us: 1_000_000, free_us: 0, seq: 0, fallen: 0 }
        }

        fn run(&mut self, seconds: u32, bps: u64, bottleneck_bps: u64, lose_every: u64, jitter_us: i64) {
            for _ in 0..seconds * 10 {
                let (mut packets, mut lost) = (0, 0);
                for _ in 0..(bps / 96_000).max(1) {
                    self.now_us += 100_000 / (bps / 96_000).max(1) as i64;
                    self.seq += 1;
                    self.free_us = self.free_us.max(self.now_us) + (9_600 * 1_000_000 / bottleneck_bps) as i64;
                    let sway = (self.seq as i64 * 7_919 % 101 - 50) * jitter_us / 50;
                    let is_lost = lose_every > 0 && (self.seq * 31).is_multiple_of(lose_every);
                    packets += 1;
                    lost += u32::from(is_lost);
                    self.estimator.note(PacketOutcome {
                        sent_us: self.now_us,
                        arrived_us: (!is_lost).then_some(self.free_us + 30_000 + sway),
                        bytes: 1_200,
                        cluster: 0,
                        seq: self.seq,
                        was_missing: false,
                    });
                }
                let verdict = self.estimator.judge(self.now_us, Duration::from_millis(60), packets, lost, false);
                self.fallen += u32::from(verdict == CongestionState::Fallen);
            }
        }
    }

    #[test]
    fn loss_and_jitter_without_growing_delay_are_no_congestion() {
        for (lose_every, jitter_us) in [(10, 0), (5, 0), (3, 0), (0, 10_000), (5, 15_000)] {
            let mut path = Path::new();
            path.run(60, 1_500_000, 1_000_000_000, lose_every, jitter_us);
            assert_eq!(path.fallen, 0, "one in {lose_every} lost, {jitter_us} µs of jitter");
            assert!(path.estimator.bps() >= 1_500_000, "{}", path.estimator.bps());
        }
    }

    #[test]
    fn a_line_that_shrinks_is_known_within_half_a_second() {
        let mut path = Path::new();
        path.run(10, 1_500_000, 4_000_000, 0, 2_000);
        assert_eq!(path.fallen, 0);
        path.run(1, 1_500_000, 300_000, 0, 2_000);
        let bps = path.estimator.bps();
        assert!(path.fallen > 0 && (150_000..330_000).contains(&bps), "{bps} after {} falls", path.fallen);
    }

    #[test]
    fn what_a_receiver_invents_buys_it_no_more_than_the_bound() {
        let mut estimator = Estimator::new();
        for _ in 0..100 {
            estimator.raise(u64::MAX);
            estimator.hint(u64::MAX, 0.0);
        }
        assert_eq!(estimator.bps(), BPS_MAX);
        for _ in 0..1_000 {
            estimator.hint(0, 1.0);
        }
        assert!(estimator.bps() >= BPS_MIN);
    }
}
