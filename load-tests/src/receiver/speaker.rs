//! One voice slot of the model.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::clock::{DelayBounds, MediaClock};

/// What a speaker has played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpeakerCounts {
    /// Pieces of 20 ms that were there in time.
    pub played: u64,
    /// Pieces that were not.
    pub concealed: u64,
    /// The most of them in a row.
    pub longest_gap: u64,
}

impl SpeakerCounts {
    /// Share that was concealed, 0 to 1.
    #[must_use]
    pub fn concealed_share(&self) -> f64 {
        self.concealed as f64 / (self.played + self.concealed).max(1) as f64
    }
}

/// One voice slot.
#[derive(Debug, Default)]
pub struct Speaker {
    clock: Option<MediaClock>,
    there: BTreeSet<i64>,
    /// Pieces of late that were concealed.
    concealed: BTreeSet<i64>,
    next: i64,
    gap: u64,
    counts: SpeakerCounts,
}

impl Speaker {
    /// A silent speaker.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet of 20 ms by its RTP timestamp, 48 kHz.
    pub fn handle_packet(&mut self, now: Instant, timestamp: u32) {
        self.advance(now);
        let clock = self.clock.get_or_insert_with(|| MediaClock::new(now, timestamp, 48_000, SPEAKER_DELAY));
        clock.due(now, timestamp);
        let piece = clock.media(timestamp) / SAMPLES;
        if piece >= self.next && self.there.len() < THERE_MAX {
            self.there.insert(piece);
        }
    }

    /// Takes a packet that came again inside a later one, by its own timestamp.
    pub fn handle_repeat(&mut self, now: Instant, timestamp: u32) {
        let Some(clock) = &self.clock else { return };
        let piece = clock.media(timestamp).div_euclid(SAMPLES);
        // A copy of what came in time says nothing; the first copy of what was lost says how long it is worth waiting.
        if self.concealed.remove(&piece) || (piece >= self.next && !self.there.contains(&piece)) {
            self.handle_packet(now, timestamp);
        }
    }

    /// Plays up to `now`.
    pub fn advance(&mut self, now: Instant) {
        let Some(clock) = &self.clock else { return };
        while clock.time_of(self.next * SAMPLES) + clock.delay <= now {
            if self.there.remove(&self.next) {
                self.counts.played += 1;
                self.gap = 0;
            } else {
                self.counts.concealed += 1;
                self.concealed.insert(self.next);
                if self.concealed.len() > CONCEALED_MAX {
                    self.concealed.pop_first();
                }
                self.gap += 1;
                self.counts.longest_gap = self.counts.longest_gap.max(self.gap);
            }
            self.next += 1;
        }
    }

    /// What was played up to the last packet or [`Self::advance`].
    #[must_use]
    pub fn counts(&self) -> SpeakerCounts {
        self.counts
    }
}

const SPEAKER_DELAY: DelayBounds = DelayBounds {
    least: Duration::from_millis(40),
    most: Duration::from_millis(400),
    margin: Duration::from_millis(20),
    // libwebrtc forgets overtaken and repeated packets by 0.07 % with each one: its delay stands for half a minute.
    falls_per_second: Duration::from_millis(3),
};
/// Opus packets of 20 ms at 48 kHz.
const SAMPLES: i64 = 960;
/// A copy comes a third of a second after its time at the latest.
const CONCEALED_MAX: usize = 32;
/// Ten seconds of voice ahead of its time.
const THERE_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made from nothing")]
        Instant::now()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn voice_that_is_not_there_in_time_is_concealed() {
        let (start, mut speaker) = (origin(), Speaker::new());
        for piece in (0..1_000u32).filter(|piece| piece % 10 != 3) {
            speaker.handle_packet(start + ms(u64::from(piece) * 20), piece.wrapping_mul(960).wrapping_sub(5_000));
        }
        speaker.advance(start + ms(20_000));
        let counts = speaker.counts();
        assert!((counts.concealed_share() - 0.1).abs() < 0.01, "{counts:?}");
        assert!(counts.played + counts.concealed >= 995);
    }

    #[test]
    fn voice_that_comes_again_in_time_is_not_concealed() {
        for back in [1u32, 2, 12] {
            let (start, mut speaker) = (origin(), Speaker::new());
            for piece in (0..1_000u32).filter(|piece| piece % 20 != 13) {
                let now = start + ms(u64::from(piece) * 20);
                speaker.handle_packet(now, piece.wrapping_mul(960).wrapping_sub(5_000));
                if piece >= back {
                    speaker.handle_repeat(now, (piece - back).wrapping_mul(960).wrapping_sub(5_000));
                }
            }
            speaker.advance(start + ms(20_000));
            let counts = speaker.counts();
            assert!(counts.concealed <= 2, "{back}: {counts:?}, after the delay was learnt");
            assert!(counts.played + counts.concealed >= 980);
        }
    }

    #[test]
    fn a_slower_line_is_learnt_and_then_nothing_is_concealed() {
        let (start, mut speaker) = (origin(), Speaker::new());
        let mut concealed_early = 0;
        let mut arrivals: Vec<(u64, u32)> =
            (0..1_000u32).map(|piece| (u64::from(piece) * 20 + if piece % 3 == 0 { 120 } else { 0 }, piece)).collect();
        arrivals.sort_unstable();
        for (at, piece) in arrivals {
            speaker.handle_packet(start + ms(at), piece * 960);
            if piece == 100 {
                concealed_early = speaker.counts().concealed;
            }
        }
        assert!(concealed_early > 0);
        assert!(speaker.counts().concealed <= concealed_early + 2, "{:?}", speaker.counts());
    }
}
