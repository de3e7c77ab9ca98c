//! Maps RTP timestamps and sender reports to lesson time.
//!
//! Before a track's first sender report, its offset is the least (arrival − timestamp) seen, a minimum filter against
//! queueing delay. Afterwards the sender's own clock decides: tracks whose reports put that clock within a tenth of a
//! second of each other are taken to come from one machine and share one offset, so that voice and camera of one
//! teacher stay in sync.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use sfu::id::TrackId;

/// Microseconds since the recording began; negative before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LessonTime(pub i64);

impl LessonTime {
    /// In ticks of a track's time scale, clamped to the beginning.
    #[must_use]
    pub fn ticks(self, rate: u32) -> u64 {
        let ticks = i128::from(self.0.max(0)) * i128::from(rate) / i128::from(MICROS);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// In whole milliseconds, clamped to the beginning.
    #[must_use]
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.max(0)).unwrap_or(0) / 1_000
    }

    /// The moment `ticks` of a track's time scale after the beginning.
    #[must_use]
    pub fn from_ticks(ticks: u64, rate: u32) -> Self {
        let micros = i128::from(ticks) * i128::from(MICROS) / i128::from(rate.max(1));
        Self(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// The clocks of all tracks of one recording.
#[derive(Debug)]
pub struct LessonClocks {
    /// `anchor` is `anchor_micros` into the lesson.
    anchor: Instant,
    anchor_micros: i64,
    tracks: HashMap<TrackId, TrackClock>,
}

impl LessonClocks {
    /// Lesson time runs from here: `now` is `elapsed` into the recording.
    #[must_use]
    pub fn new(now: Instant, elapsed: Duration) -> Self {
        Self {
            anchor: now,
            anchor_micros: i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX / 4),
            tracks: HashMap::new(),
        }
    }

    /// The lesson time of a moment of the hub's clock.
    #[must_use]
    pub fn at(&self, moment: Instant) -> LessonTime {
        let ahead = match moment.checked_duration_since(self.anchor) {
            Some(later) => i64::try_from(later.as_micros()).unwrap_or(i64::MAX / 4),
            None => -i64::try_from((self.anchor - moment).as_micros()).unwrap_or(i64::MAX / 4),
        };
        LessonTime(self.anchor_micros.saturating_add(ahead))
    }

    /// A track begins; `rate` is its RTP clock in hertz.
    pub fn start(&mut self, track: TrackId, rate: u32) {
        self.tracks.insert(track, TrackClock::new(rate));
    }

    /// A track has ended.
    pub fn end(&mut self, track: TrackId) {
        self.tracks.remove(&track);
    }

    /// Updates a track's clock by a packet, in order of arrival.
    pub fn packet(&mut self, track: TrackId, arrived: Instant, rtp: u32) {
        let arrived = self.at(arrived).0;
        if let Some(track) = self.tracks.get_mut(&track) {
            track.packet(arrived, rtp);
        }
    }

    /// Updates a track's clock by a sender report (RFC 3550 §6.4.1).
    pub fn sender_report(&mut self, id: TrackId, arrived: Instant, ntp: u64, rtp: u32) {
        let arrived = self.at(arrived).0;
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(own) = track.report(arrived, ntp, rtp) else { return };
        // One machine's clock, seen through several tracks: the report with the least delay decides for all.
        let shared = self
            .tracks
            .values()
            .filter_map(TrackClock::offset)
            .filter(|other| (other - own).abs() <= SAME_CLOCK_MICROS)
            .min()
            .unwrap_or(own);
        if let Some(track) = self.tracks.get_mut(&id) {
            track.steer(shared);
        }
    }

    /// The lesson time of a sample with timestamp `rtp`, limited to a window around its arrival.
    #[must_use]
    pub fn place(&self, track: TrackId, arrived: Instant, rtp: u32) -> LessonTime {
        let arrived = self.at(arrived).0;
        let placed = self.tracks.get(&track).and_then(|track| track.map(track.extend(rtp))).unwrap_or(arrived);
        LessonTime(placed.clamp(arrived.saturating_sub(LATE_MICROS), arrived.saturating_add(EARLY_MICROS)))
    }
}

/// One track's clock.
#[derive(Debug)]
struct TrackClock {
    rate: u32,
    /// The newest timestamp, and what it is when its 2^32 wraps are counted.
    newest: Option<(u32, i64)>,
    /// Least (arrival − timestamp) seen: where the track stands before its first report.
    provisional: Option<i64>,
    report: Option<SenderReport>,
    /// (Arrival − sender's clock) of the last reports.
    offsets: VecDeque<i64>,
    /// What is added to the sender's clock to have lesson time.
    applied: Option<i64>,
    reports: u32,
}

#[derive(Debug, Clone, Copy)]
struct SenderReport {
    ntp_micros: i64,
    rtp: i64,
}

impl TrackClock {
    fn new(rate: u32) -> Self {
        Self {
            rate: rate.max(1),
            newest: None,
            provisional: None,
            report: None,
            offsets: VecDeque::with_capacity(REPORTS_KEPT),
            applied: None,
            reports: 0,
        }
    }

    fn extend(&self, rtp: u32) -> i64 {
        match self.newest {
            Some((last, extended)) => extended.saturating_add(i64::from(rtp.wrapping_sub(last).cast_signed())),
            None => i64::from(rtp),
        }
    }

    fn micros(&self, ticks: i64) -> i64 {
        let micros = i128::from(ticks) * i128::from(MICROS) / i128::from(self.rate);
        i64::try_from(micros).unwrap_or(i64::MAX / 4)
    }

    fn map(&self, extended: i64) -> Option<i64> {
        if let (Some(report), Some(applied)) = (self.report, self.applied) {
            let since = self.micros(extended.saturating_sub(report.rtp));
            return Some(report.ntp_micros.saturating_add(since).saturating_add(applied));
        }
        self.provisional.map(|offset| self.micros(extended).saturating_add(offset))
    }

    fn packet(&mut self, arrived: i64, rtp: u32) {
        let extended = self.extend(rtp);
        let believable = self.map(extended).is_none_or(|placed| is_near(placed, arrived));
        if !believable {
            // The timestamps jumped or stand still: start over from arrival times.
            self.forget();
        }
        let offset = arrived.saturating_sub(self.micros(extended));
        self.provisional = Some(self.provisional.map_or(offset, |least| least.min(offset)));
        if self.newest.is_none_or(|(_, newest)| extended > newest) || !believable {
            self.newest = Some((rtp, extended));
        }
    }

    /// The track's own offset after this report. `None`: the report contradicts the arrival times and is ignored.
    fn report(&mut self, arrived: i64, ntp: u64, rtp: u32) -> Option<i64> {
        let extended = self.extend(rtp);
        let ntp_micros = ntp_micros(ntp);
        let offset = arrived.saturating_sub(ntp_micros);
        if let (Some(provisional), Some(_)) = (self.provisional, self.newest) {
            let placed = self.micros(extended).saturating_add(provisional);
            if self.report.is_none() && !is_near(placed, arrived) {
                return None;
            }
        }
        if self.offset().is_some_and(|known| (known - offset).abs() > STEP_MICROS) {
            // The sender's clock was set.
            self.offsets.clear();
            self.applied = None;
        }
        if self.offsets.len() == REPORTS_KEPT {
            self.offsets.pop_front();
        }
        self.offsets.push_back(offset);
        self.reports = self.reports.saturating_add(1);
        self.report = Some(SenderReport { ntp_micros, rtp: extended });
        if self.newest.is_none() {
            self.newest = Some((rtp, extended));
        }
        self.offset()
    }

    fn offset(&self) -> Option<i64> {
        self.offsets.iter().min().copied()
    }

    fn steer(&mut self, target: i64) {
        self.applied = Some(match self.applied {
            Some(applied) if self.reports > REPORTS_TO_SETTLE && (target - applied).abs() < STEP_MICROS => {
                applied + (target - applied).clamp(-STEER_MICROS, STEER_MICROS)
            }
            _ => target,
        });
    }

    fn forget(&mut self) {
        self.provisional = None;
        self.report = None;
        self.offsets.clear();
        self.applied = None;
        self.reports = 0;
    }
}

fn is_near(placed: i64, arrived: i64) -> bool {
    placed >= arrived.saturating_sub(LATE_MICROS) && placed <= arrived.saturating_add(EARLY_MICROS)
}

/// 32.32 fixed point seconds to microseconds.
fn ntp_micros(ntp: u64) -> i64 {
    let micros = (u128::from(ntp) * 1_000_000) >> 32;
    i64::try_from(micros).unwrap_or(0)
}

const MICROS: i64 = 1_000_000;

/// The clocks of two machines seldom agree within a tenth of a second; one machine always agrees with itself but for
/// the jitter of its reports.
const SAME_CLOCK_MICROS: i64 = 100_000;

/// A sender's clock that moves by more was set, it did not drift.
const STEP_MICROS: i64 = 1_000_000;

/// At most this much correction per report once settled: 5 ms a second is far above any crystal's drift.
const STEER_MICROS: i64 = 5_000;

/// The first reports set the offset, later ones steer it.
const REPORTS_TO_SETTLE: u32 = 4;

/// A quarter of a minute of a picture track's reports: long enough to hold one without queueing delay.
const REPORTS_KEPT: usize = 16;

/// A link may stall for this long and deliver afterwards; older timestamps are not believed.
const LATE_MICROS: i64 = 10_000_000;

/// Nothing is sampled after it arrived, but for the error of a clock.
const EARLY_MICROS: i64 = 1_000_000;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs one first moment; all others are counted from it")]
mod tests {
    use super::*;

    const VOICE: TrackId = TrackId(1);
    const CAMERA: TrackId = TrackId(2);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The sender's clock `ms` after it began, as 32.32.
    fn ntp(ms: u64) -> u64 {
        (3_900_000_000_u64 << 32) + (ms << 32) / 1000
    }

    #[test]
    fn voice_and_camera_of_one_teacher_meet_although_their_packets_travel_unequally() {
        let start = Instant::now();
        let mut clocks = LessonClocks::new(start, Duration::ZERO);
        clocks.start(VOICE, 48_000);
        clocks.start(CAMERA, 90_000);
        for step in 0..500_u64 {
            let sampled = step * 20;
            let rtp_voice = 77_u32.wrapping_add((sampled * 48) as u32);
            let rtp_camera = 0xFFFF_F000_u32.wrapping_add((sampled * 90) as u32);
            clocks.packet(VOICE, start + ms(sampled + 30), rtp_voice);
            clocks.packet(CAMERA, start + ms(sampled + 110), rtp_camera);
            if step % 50 == 0 {
                clocks.sender_report(CAMERA, start + ms(sampled + 40), ntp(sampled), rtp_camera);
            }
            if step % 100 == 5 {
                clocks.sender_report(VOICE, start + ms(sampled + 25), ntp(sampled), rtp_voice);
            }
        }
        let sampled = 9_980;
        let voice = clocks.place(VOICE, start + ms(sampled + 30), 77 + (sampled * 48) as u32);
        let camera =
            clocks.place(CAMERA, start + ms(sampled + 110), 0xFFFF_F000_u32.wrapping_add((sampled * 90) as u32));
        assert!((voice.0 - camera.0).abs() < 20_000, "{voice:?} {camera:?}");
    }

    #[test]
    fn a_timestamp_that_jumps_or_freezes_is_never_placed_far_from_its_arrival() {
        let start = Instant::now();
        let mut clocks = LessonClocks::new(start, Duration::ZERO);
        clocks.start(CAMERA, 90_000);
        let mut seed = 1_u64;
        for step in 0..5_000_u64 {
            let arrived = start + ms(step * 20);
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let rtp = match step % 7 {
                0 => u32::MAX,
                1 => 1 << 31,
                2 => (seed >> 32) as u32,
                _ => 5,
            };
            clocks.packet(CAMERA, arrived, rtp);
            if step % 11 == 0 {
                clocks.sender_report(CAMERA, arrived, seed, rtp);
            }
            let placed = clocks.place(CAMERA, arrived, rtp).0;
            let expected = i64::try_from(step * 20_000).unwrap();
            assert!((expected - LATE_MICROS..=expected + EARLY_MICROS).contains(&placed), "{step}: {placed}");
        }
    }

    #[test]
    fn after_a_resume_lesson_time_goes_on() {
        let now = Instant::now();
        let clocks = LessonClocks::new(now, Duration::from_secs(90));
        assert_eq!(clocks.at(now + ms(500)).millis(), 90_500);
        assert_eq!(clocks.at(now).ticks(48_000), 90 * 48_000);
    }
}
