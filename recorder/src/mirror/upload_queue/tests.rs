use super::*;
use crate::mirror::Piece;

fn object(n: u64) -> Object {
    let recording = "0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a".parse().unwrap();
    Object { recording, piece: Piece::JournalPart { from: n, to: n + 1 } }
}

/// A bucket on a virtual clock: it is down in one span, and takes `latency` and bytes at `rate` otherwise.
struct Story {
    now: Instant,
    outbox: UploadQueue,
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
                let takes = takes + Duration::from_secs_f64(if fails { 0.0 } else { sizes(from) as f64 / self.rate });
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
                let sent = if landed.2 { UploadResult::Failed } else { UploadResult::Stored };
                if !landed.2 {
                    assert!(self.there.insert(landed.1), "object {} went twice", landed.1);
                }
                self.outbox.handle_result(self.now, &object(landed.1), sent);
            }
        }
    }
}

fn story(rule: UploadRule, down: std::ops::Range<Duration>) -> Story {
    let now = Instant::now();
    Story {
        now,
        outbox: UploadQueue::new(rule, 7),
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
    let mut story = story(UploadRule::default(), minutes(10)..minutes(40));
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
    println!("40 lessons, 30 min without a bucket, 100 Mbit/s: caught up in {caught_up:?}, {factor:.1} × real time");
    assert_eq!(story.there.len() as u64, n);
    let spare = story.tries - n;
    println!("{n} objects, {spare} tries failed while it was away");
    assert!((40..200).contains(&spare), "it neither hammers nor sleeps: {spare}");
}

#[test]
fn the_rate_is_held_to_and_no_more_than_a_few_go_at_once() {
    let rule = UploadRule { bytes_per_second: 1_000_000, ..UploadRule::default() };
    let mut story = story(rule, Duration::ZERO..Duration::ZERO);
    (0..100).for_each(|n| story.outbox.add(object(n), 100_000, 0));
    story.run_until(Duration::from_secs(5), &|_| 100_000);
    assert!((49..=51).contains(&story.there.len()), "{}", story.there.len());
    story.run_until(Duration::from_secs(11), &|_| 100_000);
    assert_eq!((story.there.len(), story.outbox.lag(0)), (100, MirrorLag::default()));

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
fn on_a_wide_line(now: Instant) -> UploadQueue {
    let mut outbox = UploadQueue::new(UploadRule { bytes_per_second: u64::MAX, ..UploadRule::default() }, 3);
    for n in 1_000..1_010 {
        outbox.add(object(n), 10_000, 0);
        let upload = outbox.poll_upload(now).unwrap();
        outbox.handle_result(now, &upload.object, UploadResult::Stored);
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
    assert!(flying.iter().all(|upload| upload.timeout < Duration::from_secs(20)), "{flying:?}");
    now += Duration::from_secs(20);
    flying.iter().for_each(|upload| outbox.handle_result(now, &upload.object, UploadResult::Failed));
    let mut again = 0;
    for _ in 0..20 {
        now = outbox.poll_timeout(now).unwrap();
        let upload = outbox.poll_upload(now).unwrap();
        assert_eq!(outbox.poll_upload(now), None, "one at a time");
        again += u32::from(upload.retry);
        let takes = Duration::from_secs(50);
        assert!(upload.timeout >= takes * 2, "{upload:?}");
        now += takes;
        outbox.handle_result(now, &upload.object, UploadResult::Stored);
    }
    assert_eq!((again, outbox.lag(0)), (6, MirrorLag::default()));
    // It is wide again: five objects later there are six at once.
    (20..40).for_each(|n| outbox.add(object(n), 500_000, 0));
    for _ in 0..5 {
        let upload = outbox.poll_upload(now).unwrap();
        now += Duration::from_secs(1);
        outbox.handle_result(now, &upload.object, UploadResult::Stored);
    }
    assert_eq!(std::iter::from_fn(|| outbox.poll_upload(now)).count(), 6);
}

#[test]
fn waits_grow_to_their_bound_are_drawn_by_lot_and_end_with_the_first_success() {
    let mut now = Instant::now();
    let mut outbox = UploadQueue::new(UploadRule::default(), 3);
    (0..3).for_each(|n| outbox.add(object(n), 10, 0));
    let mut waits = Vec::new();
    for _ in 0..20 {
        let upload = outbox.poll_upload(now).unwrap();
        assert_eq!(outbox.poll_upload(now), None, "one at a time, or waiting");
        outbox.handle_result(now, &upload.object, UploadResult::Failed);
        let next = outbox.poll_timeout(now).unwrap();
        waits.push((next - now).as_secs_f64());
        now = next;
    }
    assert!((0.5..=1.0).contains(&waits[0]), "{waits:?}");
    assert!(waits[6..].iter().all(|wait| (15.0..=30.0).contains(wait)), "{waits:?}");
    assert!(waits[6..].windows(2).any(|pair| (pair[0] - pair[1]).abs() > 1.0), "by lot: {waits:?}");
    let upload = outbox.poll_upload(now).unwrap();
    outbox.handle_result(now, &upload.object, UploadResult::Stored);
    assert_eq!(outbox.failures(), 0);
}

#[test]
fn six_that_fail_together_are_one_failure() {
    let now = Instant::now();
    let mut outbox = on_a_wide_line(now);
    (0..9).for_each(|n| outbox.add(object(n), 0, 0));
    let flying: Vec<Upload> = std::iter::from_fn(|| outbox.poll_upload(now)).collect();
    assert_eq!(flying.len(), 6);
    flying.iter().for_each(|upload| outbox.handle_result(now, &upload.object, UploadResult::Failed));
    assert_eq!(outbox.failures(), 1);
    assert!(outbox.poll_timeout(now).unwrap() <= now + Duration::from_secs(1), "it is back within a second");
}

#[test]
fn an_object_that_is_refused_again_and_again_holds_nobody_up_and_is_given_more_patience() {
    let mut now = Instant::now();
    let mut outbox = UploadQueue::new(UploadRule::default(), 5);
    outbox.add(object(0), 160_000, 0);
    (1..50).for_each(|n| outbox.add(object(n), 10, 0));
    let (mut sent, mut timeout) = (0, Vec::new());
    for _ in 0..300 {
        let Some(upload) = outbox.poll_upload(now) else {
            let Some(due) = outbox.poll_timeout(now) else { break };
            now = due;
            continue;
        };
        let bad = upload.object == object(0);
        if bad {
            timeout.push(upload.timeout.as_secs());
        } else {
            sent += 1;
        }
        outbox.handle_result(now, &upload.object, if bad { UploadResult::Failed } else { UploadResult::Stored });
    }
    assert_eq!((sent, outbox.lag(0).objects), (49, 1));
    assert_eq!(timeout[..5], [47, 94, 188, 188, 188], "at least 5 kB/s, twice as long each time");
    outbox.handle_result(now, &object(0), UploadResult::GivenUp);
    assert_eq!(outbox.lag(0), MirrorLag::default());
}

#[test]
fn what_is_deleted_is_forgotten_but_never_under_an_upload() {
    let now = Instant::now();
    let mut outbox = UploadQueue::new(UploadRule { at_once: 1, ..UploadRule::default() }, 5);
    (0..3).for_each(|n| outbox.add(object(n), 10, 0));
    let upload = outbox.poll_upload(now).unwrap();
    assert!(!outbox.forget(upload.object.recording));
    outbox.handle_result(now, &upload.object, UploadResult::Failed);
    assert!(outbox.forget(upload.object.recording));
    assert_eq!((outbox.lag(0), outbox.poll_timeout(now)), (MirrorLag::default(), None));
    // An old failure does not delay later uploads.
    outbox.add(object(9), 10, 0);
    assert!(outbox.poll_timeout(now).unwrap() <= now + Duration::from_secs(1));
}
