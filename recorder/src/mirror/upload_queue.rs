//! What is still to be uploaded, and when: a pure state machine.
//!
//! Uploads start one at a time, oldest first; several run at once while each is fast, within a total rate. On a slow
//! link one at a time is best: six that share it take six times as long each, and a timeout wastes all six. After a
//! failure uploads are one at a time again, after randomised exponential back-off, so that the hubs of a county do not
//! return in the same second. Uploads in flight when the bucket failed are retried: an object that arrived after all
//! exists, and its bytes are compared.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use crate::{
    id::RecordingId,
    mirror::{Object, throughput::Throughput},
};

/// Limits of uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadRule {
    /// Uploads in flight at most.
    pub at_once: usize,
    /// Total rate of all uploads; live media has the rest of the link.
    pub bytes_per_second: u64,
    /// Back-off after a first failure.
    pub first_wait: Duration,
    /// Longest back-off.
    pub longest_wait: Duration,
    /// Timeout of an upload, in addition to what its size takes; doubled after each failure of its own.
    pub timeout: Duration,
    /// Assumed throughput of a link of which nothing is known. Much slower links are not supported.
    pub slowest_bytes_per_second: u64,
}

impl Default for UploadRule {
    fn default() -> Self {
        Self {
            at_once: 6,
            // 200 recordings at 190 kB/s, three times over, would be 114 MB/s; a county's uplink is a tenth of that.
            bytes_per_second: 25_000_000,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(30),
            timeout: Duration::from_secs(15),
            // A link of 10 kB/s, half of it for live media: two minutes for a segment of 500 kB.
            slowest_bytes_per_second: 5_000,
        }
    }
}

/// An upload to be started now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Which.
    pub object: Object,
    /// Its timeout.
    pub timeout: Duration,
    /// An earlier attempt may have arrived.
    pub retry: bool,
}

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadResult {
    /// The object is in the bucket, with these bytes.
    Stored,
    /// The bucket failed or is unreachable: retry later.
    Failed,
    /// It can never be uploaded: other bytes have its name, or it is gone from the disk.
    GivenUp,
}

/// How far the bucket is behind the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirrorLag {
    /// Objects not in the bucket yet.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The age of the oldest. Zero: nothing waits.
    pub oldest: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct UploadQueue {
    rule: UploadRule,
    /// By order of arrival.
    waiting: BTreeMap<u64, QueuedObject>,
    turns: HashMap<Object, u64>,
    next_turn: u64,
    ready: BTreeSet<u64>,
    resting: BTreeSet<(Instant, u64)>,
    in_flight: usize,
    throughput: Throughput,
    bytes: u64,
    failures: u32,
    rests_until: Option<Instant>,
    /// When the bytes started so far are paid for at the rate.
    paid_at: Option<Instant>,
    random: u64,
}

#[derive(Debug)]
struct QueuedObject {
    object: Object,
    size_bytes: u64,
    made_at_ms: u64,
    failures: u32,
    /// When its last attempt began.
    sent_at: Option<Instant>,
}

impl UploadQueue {
    /// An empty queue. `random` seeds the back-off.
    #[must_use]
    pub fn new(rule: UploadRule, random: u64) -> Self {
        Self {
            rule,
            waiting: BTreeMap::new(),
            turns: HashMap::new(),
            next_turn: 0,
            ready: BTreeSet::new(),
            resting: BTreeSet::new(),
            in_flight: 0,
            throughput: Throughput::new(rule.at_once, rule.slowest_bytes_per_second),
            bytes: 0,
            failures: 0,
            rests_until: None,
            paid_at: None,
            random: random | 1,
        }
    }

    /// Adds an object of `size_bytes`, made at `made_at_ms` (milliseconds since 1970). Does nothing if it is queued
    /// already.
    pub fn add(&mut self, object: Object, size_bytes: u64, made_at_ms: u64) {
        if self.turns.contains_key(&object) {
            return;
        }
        let turn = self.next_turn;
        self.next_turn += 1;
        self.turns.insert(object, turn);
        self.waiting.insert(turn, QueuedObject { object, size_bytes, made_at_ms, failures: 0, sent_at: None });
        self.ready.insert(turn);
        self.bytes += size_bytes;
    }

    /// The next upload to be started. Drain to `None` before waiting.
    pub fn poll_upload(&mut self, now: Instant) -> Option<Upload> {
        let too_early = |until: Option<Instant>| until.is_some_and(|until| now < until);
        if self.in_flight >= self.throughput.slots() || too_early(self.rests_until) || too_early(self.paid_at) {
            return None;
        }
        while let Some(rested) = self.resting.first().copied().filter(|(until, _)| *until <= now) {
            self.resting.remove(&rested);
            self.ready.insert(rested.1);
        }
        let turn = self.ready.pop_first()?;
        let waiting = self.waiting.get_mut(&turn)?;
        waiting.sent_at = Some(now);
        self.in_flight += 1;
        let paid_at = self.paid_at.map_or(now, |paid_at| paid_at.max(now));
        self.paid_at = Some(paid_at + seconds(waiting.size_bytes, self.rule.bytes_per_second));
        let timeout = self.rule.timeout + self.throughput.timeout(waiting.size_bytes);
        let timeout = timeout * 2_u32.pow(waiting.failures.min(DOUBLINGS_MAX));
        Some(Upload { object: waiting.object, timeout, retry: waiting.failures > 0 })
    }

    /// When [`UploadQueue::poll_upload`] may have something that it has not now. `None`: not before an upload ends or
    /// something is added.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.in_flight >= self.throughput.slots() {
            return None;
        }
        let due = if self.ready.is_empty() { self.resting.first().map(|(until, _)| *until)? } else { now };
        Some(due.max(self.rests_until.unwrap_or(now)).max(self.paid_at.unwrap_or(now)))
    }

    /// Handles the result of an upload.
    pub fn handle_result(&mut self, now: Instant, object: &Object, sent: UploadResult) {
        let Some(turn) = self.turns.get(object).copied() else { return };
        self.in_flight = self.in_flight.saturating_sub(1);
        if sent == UploadResult::Failed {
            self.throughput.handle_failed();
            // Uploads that were in flight together count as one failure.
            if self.rests_until.is_none_or(|until| until <= now) {
                self.failures = self.failures.saturating_add(1);
                self.rests_until = Some(now + self.wait(self.failures));
            }
            let failures = self.waiting.get_mut(&turn).map_or(1, |waiting| {
                waiting.failures = waiting.failures.saturating_add(1);
                waiting.failures
            });
            // Behind the others: an object that the bucket refuses must not block them.
            let until = now + self.wait(failures);
            self.resting.insert((until, turn));
            return;
        }
        if sent == UploadResult::Stored
            && let Some(waiting) = self.waiting.get(&turn)
            && let Some(took) = waiting.sent_at.map(|sent_at| now.saturating_duration_since(sent_at))
        {
            self.throughput.handle_arrived(took, waiting.size_bytes);
        }
        // Any answer shows that the bucket responds.
        self.failures = 0;
        self.rests_until = None;
        self.remove(turn);
    }

    /// Removes the objects of a recording that is being deleted. False: an upload of it is in flight.
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
    pub fn lag(&self, wall_ms: u64) -> MirrorLag {
        let oldest = self.waiting.values().map(|waiting| waiting.made_at_ms).min();
        MirrorLag {
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

    /// Exponential back-off: half of it fixed, half random.
    fn wait(&mut self, failures: u32) -> Duration {
        let doubled = self.rule.first_wait.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
        let longest = doubled.min(self.rule.longest_wait);
        // xorshift64: need not be unpredictable.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = (self.random >> 40) as f64 / (1_u64 << 24) as f64;
        longest.mul_f64(0.5 + share / 2.0)
    }
}

fn seconds(bytes: u64, per_second: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / per_second.max(1) as f64)
}

/// Four times the timeout: a segment of 500 kB fails after some eight minutes at last.
const DOUBLINGS_MAX: u32 = 2;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests;
