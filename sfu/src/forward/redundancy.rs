//! How much redundancy one classroom's line needs, from what it reports as lost.
//!
//! Transport-wide feedback comes ten times a second and covers each packet, so it also shows whether losses are single
//! or bursty. Where a viewer sends none, its reception reports are used. Redundancy rises at once and falls after a
//! while.

use std::time::{Duration, Instant};

use crate::forward::red::{DISTANCE_MAX, PAYLOAD_BYTES_MAX, Pattern};
use crate::{packet::extend, transport::rtcp::TransportFeedback};

/// The redundancy of one viewer's voice.
#[derive(Debug)]
pub struct RedundancyControl {
    /// Share lost, smoothed, 0 to 1. `None`: nothing was reported yet.
    loss: Option<f64>,
    window: LossWindow,
    runs: LossRuns,
    sent: SentVoice,
    /// The newest number that transport-wide feedback reported on, extended.
    reported: Option<u64>,
    reported_at: Option<Instant>,
    distance: u8,
    is_bursty: bool,
    raised: Option<Instant>,
    budget: VoiceBudget,
}

/// Packets since the smoothed loss was last brought up to date.
#[derive(Debug, Default)]
struct LossWindow {
    began: Option<Instant>,
    packets: u32,
    lost: u32,
}

/// Loss of voice packets that follow a lost one, and of those that follow one that arrived.
#[derive(Debug, Default)]
struct LossRuns {
    after_loss: LossTally,
    after_arrival: LossTally,
    /// Was the last voice packet lost? `None`: unknown.
    before: Option<bool>,
    /// Voice packets that came since the last loss.
    arrived_since_loss: u32,
}

/// Packets, and how many of them were lost.
#[derive(Debug, Default)]
struct LossTally {
    packets: f64,
    lost: f64,
}

/// Transport-wide numbers of the voice packets that nothing was reported of yet, oldest first.
#[derive(Debug)]
struct SentVoice {
    ring: [u16; SENT_MAX],
    oldest: usize,
    count: usize,
}

/// What voice may take of the line: a token bucket.
#[derive(Debug)]
struct VoiceBudget {
    bps: u64,
    bytes: f64,
    at: Option<Instant>,
}

impl RedundancyControl {
    /// No redundancy until a loss is reported.
    #[must_use]
    pub fn new() -> Self {
        Self {
            loss: None,
            window: LossWindow::default(),
            runs: LossRuns::default(),
            sent: SentVoice { ring: [0; SENT_MAX], oldest: 0, count: 0 },
            reported: None,
            reported_at: None,
            distance: 0,
            is_bursty: false,
            raised: None,
            budget: VoiceBudget { bps: VOICE_BPS_MAX, bytes: 0.0, at: None },
        }
    }

    /// What the next packet should carry.
    #[must_use]
    pub fn pattern(&self) -> Pattern {
        let deeper = u8::from(self.is_bursty && self.distance > 0);
        Pattern {
            distance: (self.distance + deeper).min(DISTANCE_MAX),
            stride: if self.is_bursty { STRIDE_BURSTY } else { 1 },
        }
    }

    /// Share of packets lost on the way, smoothed, 0 to 1. `None`: nothing was reported yet.
    #[must_use]
    pub fn loss(&self) -> Option<f64> {
        self.loss
    }

    /// Caps voice with its redundancy at that many bits per second of payload; plain voice always goes out. More than
    /// [`VOICE_BPS_MAX`] is never used.
    pub fn allow(&mut self, bps: u64) {
        self.budget.bps = bps.min(VOICE_BPS_MAX);
    }

    /// How long the payload of a voice packet may be now.
    pub fn bytes_allowed(&mut self, now: Instant) -> usize {
        let budget = &mut self.budget;
        let rate = budget.bps as f64 / 8.0;
        let most = rate * SAVED_FOR.as_secs_f64();
        let since = budget.at.replace(now).map_or(SAVED_FOR, |at| now.saturating_duration_since(at));
        budget.bytes = (budget.bytes + rate * since.as_secs_f64()).min(most);
        PAYLOAD_BYTES_MAX.min(budget.bytes.max(0.0) as usize)
    }

    /// Notes a voice packet that goes out with a payload of `bytes`, under that transport-wide number if there is one.
    pub fn note_sent(&mut self, bytes: usize, number: Option<u16>) {
        // Plain voice goes out in any case; without this floor its debt would keep redundancy away without end.
        self.budget.bytes = (self.budget.bytes - bytes as f64).max(0.0);
        if let Some(number) = number {
            self.sent.push(number);
        }
    }

    /// Takes transport-wide feedback: what became of every packet, voice or not.
    pub fn note_arrivals(&mut self, now: Instant, arrivals: TransportFeedback<'_>) {
        let first = match self.reported {
            None => u64::from(arrivals.first()) + (1 << 16),
            Some(reported) => extend(reported, arrivals.first()),
        };
        for (number, (_, arrived)) in (first..).zip(arrivals.take(STATUSES_MAX)) {
            self.note_status(number, arrived.is_none());
        }
        self.reported_at = Some(now);
        self.close_window(now);
    }

    /// Takes the highest loss of a compound of reception reports. It is ignored while transport-wide feedback comes,
    /// which has the same sooner.
    pub fn note_report(&mut self, now: Instant, loss: f64) {
        if self.reported_at.is_some_and(|at| now.saturating_duration_since(at) < FEEDBACK_STOPPED) {
            return;
        }
        self.smooth(loss.clamp(0.0, 1.0));
        self.choose(now);
    }

    fn note_status(&mut self, at: u64, lost: bool) {
        if self.reported.is_none_or(|reported| at > reported) {
            self.reported = Some(at);
            self.window.packets += 1;
            self.window.lost += u32::from(lost);
            if let Some(skipped) = self.sent.take(at as u16) {
                if skipped {
                    self.runs.before = None;
                }
                self.runs.note(lost);
            }
        } else if !lost {
            // Reported lost before: it was only reordered.
            self.window.lost = self.window.lost.saturating_sub(1);
        }
    }

    fn close_window(&mut self, now: Instant) {
        let window = &mut self.window;
        let lasted = now.saturating_duration_since(*window.began.get_or_insert(now));
        // The first window is short, so that a lossy line is recognised within the first second of the lesson.
        let packets_min = if self.loss.is_none() { 20 } else { 40 };
        let full = window.packets >= packets_min && (lasted >= WINDOW || self.loss.is_none());
        if full || (lasted >= WINDOW_MAX && window.packets > 0) {
            let loss = f64::from(window.lost) / f64::from(window.packets);
            *window = LossWindow { began: Some(now), ..LossWindow::default() };
            self.smooth(loss);
            self.choose(now);
        } else if self.distance == 0 && window.lost >= LOST_AT_ONCE {
            // How much is lost is known later; that packets are lost is known now.
            self.distance = 1;
            self.raised = Some(now);
        }
    }

    fn smooth(&mut self, loss: f64) {
        self.loss = Some(self.loss.map_or(loss, |before| {
            let is_another_line = loss > before * 2.0 + JUMP;
            before + (loss - before) * if is_another_line { SMOOTHING_JUMP } else { SMOOTHING }
        }));
    }

    fn choose(&mut self, now: Instant) {
        let loss = self.loss.unwrap_or(0.0);
        let wanted = RAISE_AT.iter().filter(|threshold| loss >= **threshold).count() as u8;
        if wanted >= self.distance {
            if wanted > 0 {
                self.raised = Some(now);
            }
            self.distance = wanted;
        } else if loss < RAISE_AT[usize::from(self.distance) - 1] * LOWER_BELOW
            && self.raised.is_none_or(|at| now.saturating_duration_since(at) >= KEPT_FOR)
        {
            self.distance -= 1;
            // The next step down has to wait as long again.
            self.raised = Some(now);
        }
        if let Some(burstiness) = self.runs.burstiness() {
            self.is_bursty = burstiness > if self.is_bursty { BURSTY_STILL } else { BURSTY };
        }
    }
}

impl Default for RedundancyControl {
    fn default() -> Self {
        Self::new()
    }
}

impl LossRuns {
    fn note(&mut self, lost: bool) {
        match self.before.replace(lost) {
            Some(true) => self.after_loss.note(lost),
            // Packets after a long time without loss are not counted: they would hide the bursts.
            Some(false) if self.arrived_since_loss < QUIET => self.after_arrival.note(lost),
            _ => {}
        }
        self.arrived_since_loss = if lost { 0 } else { self.arrived_since_loss.saturating_add(1) };
    }

    /// How much likelier a packet is lost after a lost one than after one that arrived, −1 to 1. 0: losses are
    /// independent. `None`: too few packets.
    fn burstiness(&self) -> Option<f64> {
        (self.after_loss.packets >= RUNS_MIN).then(|| self.after_loss.share() - self.after_arrival.share())
    }
}

impl LossTally {
    fn note(&mut self, lost: bool) {
        if self.packets >= RUNS_REMEMBERED {
            self.packets /= 2.0;
            self.lost /= 2.0;
        }
        self.packets += 1.0;
        self.lost += f64::from(u8::from(lost));
    }

    fn share(&self) -> f64 {
        if self.packets > 0.0 { self.lost / self.packets } else { 0.0 }
    }
}

impl SentVoice {
    fn push(&mut self, number: u16) {
        if self.count == SENT_MAX {
            self.oldest = (self.oldest + 1) % SENT_MAX;
            self.count -= 1;
        }
        self.ring[(self.oldest + self.count) % SENT_MAX] = number;
        self.count += 1;
    }

    /// Removes `number`, with all before it. `None`: no voice packet has it. `Some(true)`: others were skipped.
    fn take(&mut self, number: u16) -> Option<bool> {
        let mut skipped = false;
        while self.count > 0 {
            let ahead = number.wrapping_sub(self.ring[self.oldest]);
            if ahead > u16::MAX / 2 {
                return None;
            }
            self.oldest = (self.oldest + 1) % SENT_MAX;
            self.count -= 1;
            if ahead == 0 {
                return Some(skipped);
            }
            skipped = true;
        }
        None
    }
}

/// Voice with all its redundancy: Opus at 40 kbit/s four times, and room for headers and loud syllables. The bandwidth
/// allocation may cap it lower.
pub const VOICE_BPS_MAX: u64 = 192_000;

/// Thresholds of the share lost from which one, two and three earlier packets go along. Of independent losses they
/// leave at most 0.25 % and 0.34 %, and at 20 % loss a sixth of a percent.
const RAISE_AT: [f64; DISTANCE_MAX as usize] = [0.01, 0.05, 0.15];

/// A step down needs a loss below this part of the threshold that led up.
const LOWER_BELOW: f64 = 0.7;

/// Minimum time between two steps down: the loss of rural radio comes and goes.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// Losses are bursty where a packet is so much likelier to be lost after a lost one than after one that arrived.
const BURSTY: f64 = 0.25;
const BURSTY_STILL: f64 = 0.12;

/// Packets without a loss in which the line counts as quiet.
const QUIET: u32 = 64;

/// Three packets in a row, and one to end the row.
const STRIDE_BURSTY: u8 = 4;

/// Fewer are too few to judge by.
const RUNS_MIN: f64 = 8.0;

/// The older half of more than these is forgotten.
const RUNS_REMEMBERED: f64 = 64.0;

/// Feedback comes every 50 to 250 ms.
const WINDOW: Duration = Duration::from_millis(500);

/// Voice alone is 50 packets a second; a feedback that was lost itself takes some away.
const WINDOW_MAX: Duration = Duration::from_secs(2);

/// Half a second of a thin line is some fifty packets, and a tenth of fifty is anything from two to eight.
const SMOOTHING: f64 = 0.25;

/// A window whose loss is above twice the known loss and this is taken at half weight at once.
const JUMP: f64 = 0.03;
const SMOOTHING_JUMP: f64 = 0.5;

/// So many packets lost of one window start redundancy before the window ends.
const LOST_AT_ONCE: u32 = 3;

/// A viewer whose feedback has stopped is judged by its reports again.
const FEEDBACK_STOPPED: Duration = Duration::from_secs(5);

/// Loud syllables make long packets: unused budget is saved for them for so long.
const SAVED_FOR: Duration = Duration::from_millis(500);

/// Two voices for two thirds of a second; older feedback is of no use.
const SENT_MAX: usize = 64;

/// Statuses read of one feedback at most: a tenth of a second has fewer.
const STATUSES_MAX: usize = 4_096;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use super::*;
    use crate::{transport::rtcp::tests::arrivals_of, uplink::feedback::ArrivalLog};
    use rand::{Rng, SeedableRng, rngs::StdRng};

    /// A line that reports on each packet every 100 ms; every `voice_every`-th packet is voice.
    struct Trial {
        depth: RedundancyControl,
        now: Instant,
        arrivals: ArrivalLog,
        number: u16,
        dice: StdRng,
        losing: bool,
    }

    impl Trial {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                depth: RedundancyControl::new(),
                now,
                arrivals: ArrivalLog::new(now),
                number: 65_000,
                dice: StdRng::seed_from_u64(7),
                losing: false,
            }
        }

        /// Fifty voice packets a second; `row` is the mean length of a row of losses, 1 for chance.
        fn run(&mut self, seconds: u64, loss: f64, row: f64, others: u16) {
            for step in 0..seconds * 50 {
                for other in 0..=others {
                    if other == 0 {
                        let allowed = self.depth.bytes_allowed(self.now);
                        self.depth.note_sent(80.min(allowed), Some(self.number));
                    }
                    let chance: f64 = self.dice.random();
                    self.losing = match (row > 1.0, self.losing) {
                        (false, _) => chance < loss,
                        (true, true) => chance >= 1.0 / row,
                        (true, false) => chance < loss / (row * (1.0 - loss)),
                    };
                    if !self.losing {
                        self.arrivals.note(self.now, self.number);
                    }
                    self.number = self.number.wrapping_add(1);
                }
                self.now += Duration::from_millis(20);
                if step % 5 == 4
                    && let Some(bytes) = self.arrivals.feedback(1, 1)
                {
                    self.depth.note_arrivals(self.now, arrivals_of(&bytes));
                }
            }
        }
    }

    #[test]
    fn a_clean_line_is_sent_nothing_extra() {
        let mut trial = Trial::new();
        trial.run(60, 0.0, 1.0, 4);
        assert_eq!((trial.depth.pattern(), trial.depth.loss()), (Pattern { distance: 0, stride: 1 }, Some(0.0)));
    }

    #[test]
    fn the_more_is_lost_the_more_goes_along() {
        for (loss, expected) in [(0.03, 1..=1), (0.08, 2..=2), (0.1, 2..=3), (0.2, 3..=3), (0.4, 3..=3)] {
            let mut trial = Trial::new();
            trial.run(1, loss, 1.0, 4);
            assert!(trial.depth.pattern().distance > 0, "{loss}: within a second");
            trial.run(30, loss, 1.0, 4);
            let Pattern { distance, stride } = trial.depth.pattern();
            assert!(expected.contains(&distance) && stride == 1, "{loss}: {:?}", trial.depth);
        }
    }

    #[test]
    fn losses_in_a_row_spread_the_repeats() {
        for loss in [0.05, 0.1, 0.2, 0.4] {
            let mut trial = Trial::new();
            trial.run(60, loss, 3.0, 0);
            let pattern = trial.depth.pattern();
            assert_eq!((pattern.stride, pattern.distance > 1), (STRIDE_BURSTY, true), "{loss}");
            trial.run(60, loss, 1.0, 0);
            assert_eq!(trial.depth.pattern().stride, 1, "{loss} {:?}", trial.depth.runs);
        }
    }

    #[test]
    fn a_line_that_recovers_is_let_down_step_by_step() {
        let mut trial = Trial::new();
        trial.run(10, 0.2, 1.0, 4);
        assert_eq!(trial.depth.pattern().distance, 3);
        trial.run(8, 0.0, 1.0, 4);
        assert_eq!(trial.depth.pattern().distance, 3, "it may come back");
        trial.run(5, 0.0, 1.0, 4);
        assert_eq!(trial.depth.pattern().distance, 2);
        trial.run(25, 0.0, 1.0, 4);
        assert_eq!(trial.depth.pattern().distance, 0);
    }

    #[test]
    fn reports_decide_where_no_feedback_comes() {
        let (start, mut depth) = (Instant::now(), RedundancyControl::new());
        depth.note_report(start, 0.1);
        assert_eq!(depth.pattern().distance, 2);
        let mut trial = Trial::new();
        trial.run(2, 0.0, 1.0, 4);
        trial.depth.note_report(trial.now, 0.3);
        assert_eq!(trial.depth.pattern().distance, 0, "feedback says more");
        trial.depth.note_report(trial.now + FEEDBACK_STOPPED, 0.3);
        assert!(trial.depth.pattern().distance > 0);
    }

    #[test]
    fn voice_keeps_to_its_share_and_saves_a_little() {
        let (start, mut depth) = (Instant::now(), RedundancyControl::new());
        depth.allow(64_000);
        let mut sent = 0;
        for step in 0..500u32 {
            let allowed = depth.bytes_allowed(start + Duration::from_millis(20) * step);
            let bytes = 330.min(allowed);
            sent += bytes;
            depth.note_sent(bytes, None);
        }
        // Ten seconds at 8,000 bytes, and half a second saved.
        assert!((80_000..=84_100).contains(&sent), "{sent}");
        depth.allow(u64::MAX);
        assert!(depth.bytes_allowed(start + Duration::from_secs(60)) <= PAYLOAD_BYTES_MAX);
        depth.allow(0);
        assert_eq!(depth.bytes_allowed(start + Duration::from_secs(61)), 0);
    }

    proptest::proptest! {
        /// Whatever a viewer reports, in any order: no panic, and never a deeper pattern than there is.
        #[test]
        fn any_feedback_is_taken(steps in proptest::collection::vec((proptest::prelude::any::<u16>(), 0u16..5_000, 0u16..4, 0u64..3_000), 0..60)) {
            let (mut now, mut depth) = (Instant::now(), RedundancyControl::new());
            for (base, count, symbol, pause) in steps {
                now += Duration::from_millis(pause);
                depth.note_sent(usize::from(count), Some(base.wrapping_add(count % 7)));
                let chunk = symbol << 13 | 0x1fff;
                let mut packet = vec![0x8f, 205, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                packet.extend([base, count, 0, 0, chunk, 0, 0, 0].iter().flat_map(|half| half.to_be_bytes()));
                packet[3] = packet.len() as u8 / 4 - 1;
                depth.note_arrivals(now, arrivals_of(&packet));
                let pattern = depth.pattern();
                proptest::prop_assert!(pattern.distance <= DISTANCE_MAX && pattern.stride > 0);
                proptest::prop_assert!(depth.bytes_allowed(now) <= PAYLOAD_BYTES_MAX);
            }
        }
    }
}
