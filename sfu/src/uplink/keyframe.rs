//! The only place where a publisher's keyframes are requested: on a schedule, on loss, on a viewer's request, and not
//! more often than [`ASK_EVERY`].
//!
//! A joiner never causes one: it starts from the cached group of pictures.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::media::TrackKind;

/// Why a keyframe was asked for; also the label of its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyframeReason {
    /// The schedule: joiners and the recorder's segments need one now and then.
    Schedule,
    /// Packets from the publisher are lost for good.
    Loss,
    /// A viewer cannot decode (PLI or FIR), nor can a tap's reader, or one starts and the cache has nothing.
    Viewer,
}

impl KeyframeReason {
    /// Every need, in the order of the counters.
    pub const ALL: [Self; 3] = [Self::Schedule, Self::Loss, Self::Viewer];

    /// The metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Loss => "loss",
            Self::Viewer => "viewer",
        }
    }
}

/// The keyframe requests of one track layer.
#[derive(Debug)]
pub struct KeyframeRequests {
    kind: TrackKind,
    wanted: Option<KeyframeReason>,
    asked: Option<Instant>,
    came: Option<Instant>,
    /// Asked for and not come yet: asked again, ever more rarely.
    unanswered: u32,
}

impl KeyframeRequests {
    /// Of a layer of `kind` that has just begun.
    #[must_use]
    pub fn new(kind: TrackKind) -> Self {
        Self { kind, wanted: None, asked: None, came: None, unanswered: 0 }
    }

    /// Notes that a keyframe is needed. Several requests count as one.
    pub fn request(&mut self, need: KeyframeReason) {
        self.wanted.get_or_insert(need);
    }

    /// Notes that a keyframe begins.
    pub fn note_keyframe(&mut self, now: Instant) {
        self.came = Some(now);
        self.wanted = None;
        self.unanswered = 0;
    }

    /// Should the publisher be asked now? `keyframe_bytes` and `group_bytes` are the size of the newest keyframe and of
    /// all since it began. Asking is noted: the answer is `Some` at most once per [`ASK_EVERY`].
    pub fn poll(&mut self, now: Instant, keyframe_bytes: usize, group_bytes: usize) -> Option<KeyframeReason> {
        let pause = ASK_EVERY * (1 << self.unanswered.saturating_sub(1).min(3));
        if self.asked.is_some_and(|asked| now < asked + pause) {
            return None;
        }
        let need = self
            .wanted
            .or_else(|| self.is_scheduled(now, keyframe_bytes, group_bytes).then_some(KeyframeReason::Schedule))?;
        self.asked = Some(now);
        self.unanswered += 1;
        // An unanswered request is kept: the layer may have been silent when it was sent.
        self.wanted = Some(need).filter(|need| *need != KeyframeReason::Schedule);
        Some(need)
    }

    fn is_scheduled(&self, now: Instant, keyframe_bytes: usize, group_bytes: usize) -> bool {
        let Some(came) = self.came else { return false };
        let (early, late, share) = match self.kind {
            TrackKind::Board => (BOARD_EVERY, BOARD_EVERY, 2),
            _ => (CAMERA_EVERY, 2 * CAMERA_EVERY, 5),
        };
        let age = now.saturating_duration_since(came);
        let affordable = group_bytes >= share * keyframe_bytes;
        match self.kind {
            // A still board needs no second picture of itself.
            TrackKind::Board => age >= early && affordable,
            _ => age >= early && (affordable || age >= late),
        }
    }
}

/// A publisher is asked at most this often per layer, whatever the reasons.
pub const ASK_EVERY: Duration = Duration::from_secs(2);

/// The recorder cuts its segments at keyframes, 4 s long, so that every segment can be sought.
const CAMERA_EVERY: Duration = Duration::from_secs(4);

/// A board's keyframe is as large as seconds of its changes.
const BOARD_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_flood_of_requests_becomes_one_in_two_seconds() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new(TrackKind::Camera);
        requests.note_keyframe(start);
        let mut asked = 0;
        for millis in 0..10_000 {
            let now = start + Duration::from_millis(millis);
            requests.request(KeyframeReason::Viewer);
            if requests.poll(now, 1, 1).is_some() {
                asked += 1;
                requests.note_keyframe(now);
            }
        }
        assert_eq!(asked, 5);
    }

    #[test]
    fn a_still_board_is_left_alone_and_a_busy_one_is_not() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new(TrackKind::Board);
        requests.note_keyframe(start);
        assert_eq!(requests.poll(start + secs(60.0), 100_000, 120_000), None);
        assert_eq!(requests.poll(start + secs(61.0), 100_000, 200_000), Some(KeyframeReason::Schedule));
    }

    #[test]
    fn the_camera_gives_one_every_four_seconds_when_it_can_afford_it() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new(TrackKind::Camera);
        requests.note_keyframe(start);
        assert_eq!(requests.poll(start + secs(3.9), 10_000, 200_000), None);
        assert_eq!(requests.poll(start + secs(4.0), 10_000, 20_000), None, "a fifth of the stream at most");
        assert_eq!(requests.poll(start + secs(4.1), 10_000, 200_000), Some(KeyframeReason::Schedule));
    }

    #[test]
    fn a_publisher_that_does_not_answer_is_asked_ever_more_rarely() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new(TrackKind::Camera);
        requests.request(KeyframeReason::Viewer);
        let asked = (0..60).filter(|second| requests.poll(start + secs(f64::from(*second)), 0, 0).is_some()).count();
        assert_eq!(asked, 6, "at 0, 2, 6, 14, 30 and 46 s");
    }
}
