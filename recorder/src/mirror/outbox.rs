//! What has still to go into the bucket, and when which of it is tried: a pure state machine.
//!
//! One object is on its way at first, and a few at once where each goes fast, the oldest first, not faster than the
//! rate that they are given. A thin line has one at a time: six that share it take six times as long each, and one that is
//! given up begins anew. The first failure leaves one at a time as well, behind waits that grow and are drawn by lot, so
//! that the hubs of a county do not all come back in the same second. What was on its way when the bucket failed is tried
//! again: an object that arrived all the same is there already, and its bytes are compared.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use crate::{
    id::RecordingId,
    mirror::{Object, throughput::Line},
};

/// How objects are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxRule {
    /// On their way at once at most, on a line that has room for them.
    pub at_once: usize,
    /// Of all of them together. Live media has the rest of the line.
    pub bytes_per_second: u64,
    /// About so long after a first failure.
    pub first_wait: Duration,
    /// At most so long, however often it failed.
    pub longest_wait: Duration,
    /// An object may take so long, and what its size takes besides; twice as long after each failure of its own.
    pub patience: Duration,
    /// What a line is taken for of which nothing is known. On one that is slower by far nothing is mirrored.
    pub slowest_bytes_per_second: u64,
}

impl Default for OutboxRule {
    fn default() -> Self {
        Self {
            at_once: 6,
            // 200 recordings at 190 kB/s, three times over, would be 114 MB/s; a county's uplink is a tenth of that.
            bytes_per_second: 25_000_000,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(30),
            patience: Duration::from_secs(15),
            // A line of 10 kB/s, of which live media takes half: a segment of 500 kB is waited for two minutes.
            slowest_bytes_per_second: 5_000,
        }
    }
}

/// An object that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Which.
    pub object: Object,
    /// It has failed if it takes longer.
    pub patience: Duration,
    /// It was sent before, and may have arrived all the same.
    pub again: bool,
}

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is there, with these bytes.
    There,
    /// The bucket failed, or cannot be reached: later.
    Failed,
    /// It can never be sent: other bytes have its name, or it is gone from the disk.
    GivenUp,
}

/// How far the bucket is behind the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Not there yet.
    pub objects: u64,
    /// Of them.
    pub bytes: u64,
    /// How long the oldest of them has waited. Zero: nothing waits.
    pub oldest: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    rule: OutboxRule,
    /// By turn.
    waiting: BTreeMap<u64, Waiting>,
    turns: HashMap<Object, u64>,
    next_turn: u64,
    ready: BTreeSet<u64>,
    resting: BTreeSet<(Instant, u64)>,
    on_their_way: usize,
    line: Line,
    bytes: u64,
    failures: u32,
    rests_until: Option<Instant>,
    /// When all bytes that were given out are paid for at the rate.
    paid_at: Option<Instant>,
    lot: u64,
}

#[derive(Debug)]
struct Waiting {
    object: Object,
    size_bytes: u64,
    made_at_ms: u64,
    failures: u32,
    /// When it was sent last.
    sent_at: Option<Instant>,
}

impl Outbox {
    /// An empty one. `lot` seeds what is drawn by lot.
    #[must_use]
    pub fn new(rule: OutboxRule, lot: u64) -> Self {
        Self {
            rule,
            waiting: BTreeMap::new(),
            turns: HashMap::new(),
            next_turn: 0,
            ready: BTreeSet::new(),
            resting: BTreeSet::new(),
            on_their_way: 0,
            line: Line::new(rule.at_once, rule.slowest_bytes_per_second),
            bytes: 0,
            failures: 0,
            rests_until: None,
            paid_at: None,
            lot: lot | 1,
        }
    }

    /// Takes an object of `size_bytes` that was made at `made_at_ms` (milliseconds since 1970). Harmless where it waits
    /// already.
    pub fn add(&mut self, object: Object, size_bytes: u64, made_at_ms: u64) {
        if self.turns.contains_key(&object) {
            return;
        }
        let turn = self.next_turn;
        self.next_turn += 1;
        self.turns.insert(object, turn);
        self.waiting.insert(turn, Waiting { object, size_bytes, made_at_ms, failures: 0, sent_at: None });
        self.ready.insert(turn);
        self.bytes += size_bytes;
    }

    /// The next object to be sent. Drain to `None` before waiting.
    pub fn poll_upload(&mut self, now: Instant) -> Option<Upload> {
        let too_early = |until: Option<Instant>| until.is_some_and(|until| now < until);
        if self.on_their_way >= self.line.room() || too_early(self.rests_until) || too_early(self.paid_at) {
            return None;
        }
        while let Some(rested) = self.resting.first().copied().filter(|(until, _)| *until <= now) {
            self.resting.remove(&rested);
            self.ready.insert(rested.1);
        }
        let turn = self.ready.pop_first()?;
        let waiting = self.waiting.get_mut(&turn)?;
        waiting.sent_at = Some(now);
        self.on_their_way += 1;
        let paid_at = self.paid_at.map_or(now, |paid_at| paid_at.max(now));
        self.paid_at = Some(paid_at + seconds(waiting.size_bytes, self.rule.bytes_per_second));
        let patience = self.rule.patience + self.line.patience(waiting.size_bytes);
        let patience = patience * 2_u32.pow(waiting.failures.min(DOUBLINGS_MAX));
        Some(Upload { object: waiting.object, patience, again: waiting.failures > 0 })
    }

    /// When [`Outbox::poll_upload`] may have something that it has not now. `None`: not before an upload ends or
    /// something is added.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.on_their_way >= self.line.room() {
            return None;
        }
        let due = if self.ready.is_empty() { self.resting.first().map(|(until, _)| *until)? } else { now };
        Some(due.max(self.rests_until.unwrap_or(now)).max(self.paid_at.unwrap_or(now)))
    }

    /// Takes what became of an upload.
    pub fn handle_sent(&mut self, now: Instant, object: &Object, sent: Sent) {
        let Some(turn) = self.turns.get(object).copied() else { return };
        self.on_their_way = self.on_their_way.saturating_sub(1);
        if sent == Sent::Failed {
            self.line.handle_failed();
            // Those that were on their way together failed once, not six times.
            if self.rests_until.is_none_or(|until| until <= now) {
                self.failures = self.failures.saturating_add(1);
                self.rests_until = Some(now + self.wait(self.failures));
            }
            let failures = self.waiting.get_mut(&turn).map_or(1, |waiting| {
                waiting.failures = waiting.failures.saturating_add(1);
                waiting.failures
            });
            // Behind the others: one that the bucket refuses must not hold them up.
            let until = now + self.wait(failures);
            self.resting.insert((until, turn));
            return;
        }
        if sent == Sent::There
            && let Some(waiting) = self.waiting.get(&turn)
            && let Some(took) = waiting.sent_at.map(|sent_at| now.saturating_duration_since(sent_at))
        {
            self.line.handle_arrived(took, waiting.size_bytes);
        }
        // Whatever the answer was, the bucket answers.
        self.failures = 0;
        self.rests_until = None;
        self.remove(turn);
    }

    /// Forgets the objects of a recording that is being deleted. False: some of them are on their way.
    pub fn forget(&mut self, recording: RecordingId) -> bool {
        let turns: Vec<u64> = self.turns.iter().filter(|(o, _)| o.recording == recording).map(|(_, t)| *t).collect();
        let rests = |turn: &u64| self.ready.contains(turn) || self.resting.iter().any(|(_, resting)| resting == turn);
        if !turns.iter().all(rests) {
            return false;
        }
        for turn in turns {
            self.ready.remove(&turn);
            self.resting.retain(|(_, resting)| *resting != turn);
            self.remove(turn);
        }
        true
    }

    /// How far the bucket is behind at `wall_ms` (milliseconds since 1970).
    #[must_use]
    pub fn lag(&self, wall_ms: u64) -> Lag {
        let oldest = self.waiting.values().map(|waiting| waiting.made_at_ms).min();
        Lag {
            objects: self.waiting.len() as u64,
            bytes: self.bytes,
            oldest: Duration::from_millis(oldest.map_or(0, |made_at_ms| wall_ms.saturating_sub(made_at_ms))),
        }
    }

    /// Failures in a row. 0: the last upload went well.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    fn remove(&mut self, turn: u64) {
        if let Some(waiting) = self.waiting.remove(&turn) {
            self.turns.remove(&waiting.object);
            self.bytes = self.bytes.saturating_sub(waiting.size_bytes);
        }
    }

    /// Half of the wait is sure, the other half drawn by lot.
    fn wait(&mut self, failures: u32) -> Duration {
        let doubled = self.rule.first_wait.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
        let longest = doubled.min(self.rule.longest_wait);
        // xorshift64: nothing here has to be unguessable.
        self.lot ^= self.lot << 13;
        self.lot ^= self.lot >> 7;
        self.lot ^= self.lot << 17;
        let share = (self.lot >> 40) as f64 / (1_u64 << 24) as f64;
        longest.mul_f64(0.5 + share / 2.0)
    }
}

fn seconds(bytes: u64, per_second: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / per_second.max(1) as f64)
}

/// Four times the patience: a segment of 500 kB is given up after some eight minutes at last.
const DOUBLINGS_MAX: u32 = 2;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use super::*;
    use crate::mirror::Piece;

    fn object(n: u64) -> Object {
        let recording = "0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a".parse().unwrap();
        Object { recording, piece: Piece::JournalPart { from: n, to: n + 1 } }
    }

    /// A bucket on a virtual clock: it is down in one span, and takes `latency` and bytes at `rate` otherwise.
    struct Story {
        now: Instant,
        outbox: Outbox,
        down: std::ops::Range<Duration>,
        latency: Duration,
        rate: f64,
        start: Instant,
        tries: u64,
        there: BTreeSet<u64>,
        flying: BTreeSet<(Instant, u64, bool)>,
    }

    impl Story {
        fn at(&self) -> Duration {
            self.now - self.start
        }

        fn run_until(&mut self, end: Duration, sizes: &dyn Fn(u64) -> u64) {
            let end = self.start + end;
            loop {
                while let Some(upload) = self.outbox.poll_upload(self.now) {
                    let Piece::JournalPart { from, .. } = upload.object.piece else { panic!("{upload:?}") };
                    self.tries += 1;
                    let fails = self.down.contains(&self.at());
                    let takes = if fails { Duration::from_millis(1) } else { self.latency };
                    let takes =
                        takes + Duration::from_secs_f64(if fails { 0.0 } else { sizes(from) as f64 / self.rate });
                    self.flying.insert((self.now + takes, from, fails));
                }
                let due = self.outbox.poll_timeout(self.now).into_iter();
                let next = due.chain(self.flying.first().map(|(at, ..)| *at)).min().unwrap_or(end);
                if next >= end {
                    self.now = end;
                    return;
                }
                self.now = next;
                while let Some(landed) = self.flying.first().copied().filter(|(at, ..)| *at <= self.now) {
                    self.flying.remove(&landed);
                    let sent = if landed.2 { Sent::Failed } else { Sent::There };
                    if !landed.2 {
                        assert!(self.there.insert(landed.1), "object {} went twice", landed.1);
                    }
                    self.outbox.handle_sent(self.now, &object(landed.1), sent);
                }
            }
        }
    }

    fn story(rule: OutboxRule, down: std::ops::Range<Duration>) -> Story {
        let now = Instant::now();
        Story {
            now,
            outbox: Outbox::new(rule, 7),
            down,
            latency: Duration::from_millis(20),
            rate: 12_500_000.0,
            start: now,
            tries: 0,
            there: BTreeSet::new(),
            flying: BTreeSet::new(),
        }
    }

    const SEGMENT: u64 = 760_000;

    #[test]
    fn forty_lessons_catch_up_three_times_faster_than_they_were_taught_after_half_an_hour_without_a_bucket() {
        // 40 recordings of 190 kB/s, a segment of each every four seconds, for an hour; the bucket is away for half of it.
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let mut story = story(OutboxRule::default(), minutes(10)..minutes(40));
        let (mut n, mut caught_up) = (0, None);
        let step = Duration::from_secs(4);
        for at in (0..1_200).map(|k| step * k) {
            story.run_until(at, &|_| SEGMENT);
            if at <= minutes(60) {
                for _ in 0..40 {
                    story.outbox.add(object(n), SEGMENT, at.as_millis() as u64);
                    n += 1;
                }
            }
            let lag = story.outbox.lag(at.as_millis() as u64);
            if at == minutes(40) {
                assert!(lag.oldest > minutes(29) && lag.objects >= 40 * 450, "{lag:?}");
            }
            if at > minutes(40) && caught_up.is_none() && lag.objects <= 40 {
                caught_up = Some(at - minutes(40));
            }
        }
        let caught_up = caught_up.expect("it caught up");
        // While it catches up the lessons go on: what came in that time has to go out as well.
        let taught = minutes(30) + caught_up;
        let factor = taught.as_secs_f64() / caught_up.as_secs_f64();
        println!(
            "40 lessons, 30 min without a bucket, 100 Mbit/s: caught up in {caught_up:?}, {factor:.1} × real time"
        );
        assert_eq!(story.there.len() as u64, n);
        let spare = story.tries - n;
        println!("{n} objects, {spare} tries failed while it was away");
        assert!((40..200).contains(&spare), "it neither hammers nor sleeps: {spare}");
    }

    #[test]
    fn the_rate_is_held_to_and_no_more_than_a_few_go_at_once() {
        let rule = OutboxRule { bytes_per_second: 1_000_000, ..OutboxRule::default() };
        let mut story = story(rule, Duration::ZERO..Duration::ZERO);
        (0..100).for_each(|n| story.outbox.add(object(n), 100_000, 0));
        story.run_until(Duration::from_secs(5), &|_| 100_000);
        assert!((49..=51).contains(&story.there.len()), "{}", story.there.len());
        story.run_until(Duration::from_secs(11), &|_| 100_000);
        assert_eq!((story.there.len(), story.outbox.lag(0)), (100, Lag::default()));

        let now = Instant::now();
        let mut outbox = on_a_wide_line(now);
        (0..100).for_each(|n| outbox.add(object(n), 0, 0));
        let mut flying = 0;
        while outbox.poll_upload(now).is_some() {
            flying += 1;
        }
        assert_eq!((flying, outbox.poll_timeout(now)), (6, None));
    }

    /// One that has seen enough arrive to send six at once.
    fn on_a_wide_line(now: Instant) -> Outbox {
        let mut outbox = Outbox::new(OutboxRule { bytes_per_second: u64::MAX, ..OutboxRule::default() }, 3);
        for n in 1_000..1_010 {
            outbox.add(object(n), 10_000, 0);
            let upload = outbox.poll_upload(now).unwrap();
            outbox.handle_sent(now, &upload.object, Sent::There);
        }
        outbox
    }

    #[test]
    fn a_line_that_turns_thin_fails_once_and_then_carries_one_at_a_time() {
        let mut now = Instant::now();
        let mut outbox = on_a_wide_line(now);
        (0..20).for_each(|n| outbox.add(object(n), 500_000, 0));
        let flying: Vec<Upload> = std::iter::from_fn(|| outbox.poll_upload(now)).collect();
        assert_eq!(flying.len(), 6);
        // At 10 kB/s that they share, none of them arrives within what a wide line takes.
        assert!(flying.iter().all(|upload| upload.patience < Duration::from_secs(20)), "{flying:?}");
        now += Duration::from_secs(20);
        flying.iter().for_each(|upload| outbox.handle_sent(now, &upload.object, Sent::Failed));
        let mut again = 0;
        for _ in 0..20 {
            now = outbox.poll_timeout(now).unwrap();
            let upload = outbox.poll_upload(now).unwrap();
            assert_eq!(outbox.poll_upload(now), None, "one at a time");
            again += u32::from(upload.again);
            let takes = Duration::from_secs(50);
            assert!(upload.patience >= takes * 2, "{upload:?}");
            now += takes;
            outbox.handle_sent(now, &upload.object, Sent::There);
        }
        assert_eq!((again, outbox.lag(0)), (6, Lag::default()));
        // It is wide again: five objects later there are six at once.
        (20..40).for_each(|n| outbox.add(object(n), 500_000, 0));
        for _ in 0..5 {
            let upload = outbox.poll_upload(now).unwrap();
            now += Duration::from_secs(1);
            outbox.handle_sent(now, &upload.object, Sent::There);
        }
        assert_eq!(std::iter::from_fn(|| outbox.poll_upload(now)).count(), 6);
    }

    #[test]
    fn waits_grow_to_their_bound_are_drawn_by_lot_and_end_with_the_first_success() {
        let mut now = Instant::now();
        let mut outbox = Outbox::new(OutboxRule::default(), 3);
        (0..3).for_each(|n| outbox.add(object(n), 10, 0));
        let mut waits = Vec::new();
        for _ in 0..20 {
            let upload = outbox.poll_upload(now).unwrap();
            assert_eq!(outbox.poll_upload(now), None, "one at a time, or waiting");
            outbox.handle_sent(now, &upload.object, Sent::Failed);
            let next = outbox.poll_timeout(now).unwrap();
            waits.push((next - now).as_secs_f64());
            now = next;
        }
        assert!((0.5..=1.0).contains(&waits[0]), "{waits:?}");
        assert!(waits[6..].iter().all(|wait| (15.0..=30.0).contains(wait)), "{waits:?}");
        assert!(waits[6..].windows(2).any(|pair| (pair[0] - pair[1]).abs() > 1.0), "by lot: {waits:?}");
        let upload = outbox.poll_upload(now).unwrap();
        outbox.handle_sent(now, &upload.object, Sent::There);
        assert_eq!(outbox.failures(), 0);
    }

    #[test]
    fn six_that_fail_together_are_one_failure() {
        let now = Instant::now();
        let mut outbox = on_a_wide_line(now);
        (0..9).for_each(|n| outbox.add(object(n), 0, 0));
        let flying: Vec<Upload> = std::iter::from_fn(|| outbox.poll_upload(now)).collect();
        assert_eq!(flying.len(), 6);
        flying.iter().for_each(|upload| outbox.handle_sent(now, &upload.object, Sent::Failed));
        assert_eq!(outbox.failures(), 1);
        assert!(outbox.poll_timeout(now).unwrap() <= now + Duration::from_secs(1), "it is back within a second");
    }

    #[test]
    fn an_object_that_is_refused_again_and_again_holds_nobody_up_and_is_given_more_patience() {
        let mut now = Instant::now();
        let mut outbox = Outbox::new(OutboxRule::default(), 5);
        outbox.add(object(0), 160_000, 0);
        (1..50).for_each(|n| outbox.add(object(n), 10, 0));
        let (mut sent, mut patience) = (0, Vec::new());
        for _ in 0..300 {
            let Some(upload) = outbox.poll_upload(now) else {
                let Some(due) = outbox.poll_timeout(now) else { break };
                now = due;
                continue;
            };
            let bad = upload.object == object(0);
            if bad {
                patience.push(upload.patience.as_secs());
            } else {
                sent += 1;
            }
            outbox.handle_sent(now, &upload.object, if bad { Sent::Failed } else { Sent::There });
        }
        assert_eq!((sent, outbox.lag(0).objects), (49, 1));
        assert_eq!(patience[..5], [47, 94, 188, 188, 188], "at least 5 kB/s, twice as long each time");
        outbox.handle_sent(now, &object(0), Sent::GivenUp);
        assert_eq!(outbox.lag(0), Lag::default());
    }

    #[test]
    fn what_is_deleted_is_forgotten_but_never_under_an_upload() {
        let now = Instant::now();
        let mut outbox = Outbox::new(OutboxRule { at_once: 1, ..OutboxRule::default() }, 5);
        (0..3).for_each(|n| outbox.add(object(n), 10, 0));
        let upload = outbox.poll_upload(now).unwrap();
        assert!(!outbox.forget(upload.object.recording));
        outbox.handle_sent(now, &upload.object, Sent::Failed);
        assert!(outbox.forget(upload.object.recording));
        assert_eq!((outbox.lag(0), outbox.poll_timeout(now)), (Lag::default(), None));
        // A failure of long ago makes nobody wait who comes later.
        outbox.add(object(9), 10, 0);
        assert!(outbox.poll_timeout(now).unwrap() <= now + Duration::from_secs(1));
    }
}
