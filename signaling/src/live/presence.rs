//! Attendance windows of the ends of a lesson: page reports combined with the hub's statistics. Pure.

use std::time::{Duration, Instant};

use sfu::{TrackKind, stats::PeerStats};

use super::wire::Report;
use school::{
    base::time::{Now, UnixMs},
    report::{
        attendance::Cause,
        quality::{Sample, WINDOW_MS},
    },
};

/// Longest span that one report may cover, in milliseconds.
const TOLD_AT_ONCE_MS: i64 = 15_000;

/// A page whose socket closes within this time of its last report counts as present until then, else not.
const WORD_HOLDS_FOR: Duration = Duration::from_millis(7_500);

/// The hub's statistics of one connection, updated every two seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Share of packets lost.
    loss: f64,
    kbps: u32,
    layer: Option<u8>,
    spared: u8,
}

impl Figures {
    pub(super) fn of(line: &PeerStats) -> Self {
        let camera = line.slots.iter().find(|slot| slot.kind == TrackKind::Camera);
        let spared = line.slots.iter().filter(|slot| slot.paused).count();
        Self {
            loss: line.loss,
            kbps: u32::try_from(line.bitrate_bps / 1_000).unwrap_or(u32::MAX),
            layer: camera.and_then(|slot| slot.layer).and_then(|layer| u8::try_from(layer).ok()),
            spared: u8::try_from(spared).unwrap_or(u8::MAX),
        }
    }
}

/// State of a receiving connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line {
    /// No connection, or not connected.
    Down,
    /// Connected. `None`: no statistics yet.
    Up(Option<Figures>),
}

/// Presence of one page, from its reports.
#[derive(Clone, Copy, Debug)]
pub(super) struct PagePresence {
    /// Time up to which windows have been produced.
    until: UnixMs,
    /// When the last report came, and whether it had the lesson on screen.
    last: Option<(Instant, bool)>,
}

impl PagePresence {
    pub(super) fn new(now: Now) -> Self {
        Self { until: now.wall, last: None }
    }

    /// A page has connected or reconnected: its presence starts now.
    pub(super) fn begin(&mut self, now: Now) {
        *self = Self::new(now);
    }

    /// Turns a report into a window. `None`: the window would be empty.
    pub(super) fn word(&mut self, now: Now, report: &Report, line: Line, teacher_sends: bool) -> Option<Sample> {
        let span_ms = whole(report.span_ms, TOLD_AT_ONCE_MS).unwrap_or(WINDOW_MS);
        let from = UnixMs(now.wall.0.saturating_sub(span_ms)).max(self.until);
        // The wall clock may have gone back: no time is reported twice.
        self.until = self.until.max(now.wall);
        let span_ms = now.wall.0.saturating_sub(from.0);
        if span_ms <= 0 {
            return None;
        }
        let figures = match line {
            Line::Up(figures) => figures,
            Line::Down => None,
        };
        let is_sent = matches!(line, Line::Up(figures) if figures.is_none_or(|figures| figures.kbps > 0));
        let told = whole(report.shown_ms, TOLD_AT_ONCE_MS).unwrap_or(0);
        let shown_ms = if is_sent { told.min(span_ms) } else { 0 };
        let shown_last = report.shown_last == Some(true);
        self.last = Some((now.steady, shown_last && shown_ms > 0));
        let cause = match report {
            _ if shown_ms == span_ms => None,
            Report { visible: Some(false), .. } => Some(Cause::Hidden),
            _ if line == Line::Down => Some(Cause::Line),
            _ if !teacher_sends => Some(Cause::Teacher),
            Report { playing: Some(false), .. } => Some(Cause::Silent),
            _ => Some(Cause::Black),
        };
        let pixels = |value: Option<f64>| whole(value, i64::from(u16::MAX)).and_then(|value| u16::try_from(value).ok());
        Some(Sample {
            from,
            until: now.wall,
            shown_ms: u32::try_from(shown_ms).unwrap_or_default(),
            shown_last,
            cause,
            loss: share(report.loss),
            hub_loss: figures.and_then(|figures| share(Some(figures.loss))),
            rtt_ms: milliseconds(report.rtt_ms),
            jitter_ms: milliseconds(report.jitter_ms),
            buffer_ms: milliseconds(report.buffer_ms),
            concealed: share(report.concealed_share),
            frames: count(report.frames_shown),
            dropped: count(report.frames_dropped),
            freezes: count(report.freezes),
            frozen_ms: count(report.frozen_ms).map(|ms| ms.min(u32::try_from(span_ms).unwrap_or(u32::MAX))),
            size: pixels(report.width).zip(pixels(report.height)),
            layer: figures.and_then(|figures| figures.layer),
            spared: figures.map(|figures| figures.spared),
            kbps: figures.map(|figures| figures.kbps),
        })
    }

    /// The page has disconnected or the lesson has ended. `None`: the last report is too old or had nothing on screen.
    pub(super) fn end(&mut self, now: Now) -> Option<Sample> {
        let (at, shown) = self.last.take()?;
        let from = self.until;
        let span_ms = now.wall.0.saturating_sub(from.0);
        if !shown || span_ms <= 0 || now.steady.saturating_duration_since(at) > WORD_HOLDS_FOR {
            return None;
        }
        self.until = now.wall;
        Some(Sample { shown_ms: u32::try_from(span_ms).ok()?, ..nothing(from, now.wall) })
    }
}

/// Presence of the teacher, from what they send.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TeacherPresence {
    since: Option<(UnixMs, bool)>,
}

impl TeacherPresence {
    /// Updates the state. Returns the window that ends now: on a change, and every five seconds.
    pub(super) fn poll(&mut self, now: Now, sends: bool, figures: Option<Figures>) -> Option<Sample> {
        let Some((from, sent)) = self.since else {
            self.since = Some((now.wall, sends));
            return None;
        };
        if sent == sends && (0..WINDOW_MS).contains(&(now.wall.0 - from.0)) {
            return None;
        }
        self.since = Some((now.wall, sends));
        self.window(from, now.wall, sent, figures)
    }

    /// The lesson has ended.
    pub(super) fn end(&mut self, now: Now, figures: Option<Figures>) -> Option<Sample> {
        let (from, sent) = self.since.take()?;
        self.window(from, now.wall, sent, figures)
    }

    fn window(self, from: UnixMs, until: UnixMs, sent: bool, figures: Option<Figures>) -> Option<Sample> {
        let span_ms = until.0.saturating_sub(from.0);
        if span_ms <= 0 || span_ms > TOLD_AT_ONCE_MS {
            return None; // The wall clock was set, or the hub was suspended.
        }
        let figures = figures.filter(|_| sent);
        Some(Sample {
            shown_ms: if sent { u32::try_from(span_ms).ok()? } else { 0 },
            cause: (!sent).then_some(Cause::Teacher),
            hub_loss: figures.and_then(|figures| share(Some(figures.loss))),
            kbps: figures.map(|figures| figures.kbps),
            ..nothing(from, until)
        })
    }
}

impl Figures {
    /// Combines the connections of one teacher, camera and board.
    pub(super) fn together(all: impl Iterator<Item = Self>) -> Option<Self> {
        all.reduce(|a, b| Self { loss: a.loss.max(b.loss), kbps: a.kbps.saturating_add(b.kbps), ..a })
    }

    pub(super) fn flows(self) -> bool {
        self.kbps > 0
    }
}

fn nothing(from: UnixMs, until: UnixMs) -> Sample {
    Sample {
        from,
        until,
        shown_ms: 0,
        shown_last: false,
        cause: None,
        loss: None,
        hub_loss: None,
        rtt_ms: None,
        jitter_ms: None,
        buffer_ms: None,
        concealed: None,
        frames: None,
        dropped: None,
        freezes: None,
        frozen_ms: None,
        size: None,
        layer: None,
        spared: None,
        kbps: None,
    }
}

// Page reports are untrusted: impossible values become `None`.

fn share(told: Option<f64>) -> Option<f64> {
    told.filter(|share| (0.0..=1.0).contains(share))
}

/// At most one minute: no real connection has more.
fn milliseconds(told: Option<f64>) -> Option<f64> {
    told.filter(|ms| (0.0..=60_000.0).contains(ms))
}

fn count(told: Option<f64>) -> Option<u32> {
    whole(told, 1_000_000).and_then(|count| u32::try_from(count).ok())
}

fn whole(told: Option<f64>, max: i64) -> Option<i64> {
    told.filter(|value| value.is_finite() && *value >= 0.0).map(|value| (value.round() as i64).min(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Now, ms: i64) -> Now {
        let later = Duration::from_millis(ms.unsigned_abs());
        Now { wall: start.wall.plus(later), steady: start.steady + later }
    }

    fn start() -> Now {
        #[expect(clippy::disallowed_methods, reason = "a steady clock has no other beginning")]
        Now { wall: UnixMs(1_000_000), steady: Instant::now() }
    }

    fn report(span_ms: f64, shown_ms: f64) -> Report {
        Report {
            span_ms: Some(span_ms),
            shown_ms: Some(shown_ms),
            shown_last: Some(shown_ms > 0.0),
            visible: Some(true),
            playing: Some(true),
            ..Report::default()
        }
    }

    const UP: Line = Line::Up(Some(Figures { loss: 0.01, kbps: 900, layer: Some(1), spared: 0 }));

    #[test]
    fn a_pages_word_counts_while_the_hub_sends_to_it() {
        let start = start();
        let mut page = PagePresence::new(start);
        let seen = page.word(at(start, 5_000), &report(5_000.0, 5_000.0), UP, true).unwrap();
        assert_eq!((seen.from, seen.until), (start.wall, at(start, 5_000).wall));
        assert_eq!((seen.shown_ms, seen.cause, seen.hub_loss, seen.layer), (5_000, None, Some(0.01), Some(1)));
        // Time on screen that is claimed while nothing is sent does not count.
        let down = page.word(at(start, 10_000), &report(5_000.0, 5_000.0), Line::Down, true).unwrap();
        assert_eq!((down.shown_ms, down.cause), (0, Some(Cause::Line)));
        let idle = Line::Up(Some(Figures::default()));
        let idle = page.word(at(start, 15_000), &report(5_000.0, 5_000.0), idle, false).unwrap();
        assert_eq!((idle.shown_ms, idle.cause), (0, Some(Cause::Teacher)));
    }

    #[test]
    fn what_is_not_on_the_screen_is_named() {
        let start = start();
        let table = [
            (Report { visible: Some(false), ..report(1_000.0, 0.0) }, Cause::Hidden),
            (Report { playing: Some(false), ..report(1_000.0, 0.0) }, Cause::Silent),
            (report(1_000.0, 0.0), Cause::Black),
        ];
        for (report, cause) in table {
            let seen = PagePresence::new(start).word(at(start, 1_000), &report, UP, true).unwrap();
            assert_eq!((seen.shown_ms, seen.cause), (0, Some(cause)));
        }
    }

    #[test]
    fn no_time_is_told_twice_and_no_more_than_there_was() {
        let start = start();
        let mut page = PagePresence::new(start);
        // Connected one second ago, claims a minute.
        let seen = page.word(at(start, 1_000), &report(60_000.0, 60_000.0), UP, true).unwrap();
        assert_eq!((seen.span_ms(), seen.shown_ms), (1_000, 1_000));
        assert_eq!(page.word(at(start, 1_000), &report(5_000.0, 5_000.0), UP, true), None, "the same moment again");
        // Suspended for ten minutes: at most fifteen seconds count.
        let slept = page.word(at(start, 601_000), &report(600_000.0, 600_000.0), UP, true).unwrap();
        assert_eq!(slept.span_ms(), TOLD_AT_ONCE_MS);
        let mad = Report {
            loss: Some(f64::NAN),
            rtt_ms: Some(-1.0),
            concealed_share: Some(7.0),
            frames_shown: Some(1e300),
            width: Some(f64::INFINITY),
            ..report(f64::NEG_INFINITY, f64::NAN)
        };
        let seen = page.word(at(start, 606_000), &mad, UP, true).unwrap();
        assert_eq!((seen.loss, seen.rtt_ms, seen.concealed, seen.size), (None, None, None, None));
        assert_eq!((seen.frames, seen.shown_ms), (Some(1_000_000), 0));
    }

    #[test]
    fn a_page_that_closes_was_there_until_then_and_one_that_fell_silent_was_not() {
        let start = start();
        let mut page = PagePresence::new(start);
        page.word(at(start, 5_000), &report(5_000.0, 5_000.0), UP, true).unwrap();
        let tail = page.end(at(start, 8_000)).unwrap();
        assert_eq!((tail.shown_ms, tail.loss), (3_000, None));
        assert_eq!(page.end(at(start, 9_000)), None);
        page.word(at(start, 10_000), &report(1_000.0, 1_000.0), UP, true).unwrap();
        assert_eq!(page.end(at(start, 40_000)), None, "it told nothing for half a minute");
        let hidden = Report { visible: Some(false), ..report(1_000.0, 0.0) };
        page.word(at(start, 41_000), &hidden, UP, true).unwrap();
        assert_eq!(page.end(at(start, 42_000)), None, "it was hidden");
    }

    #[test]
    fn the_teacher_is_seen_every_five_seconds_and_when_that_changes() {
        let start = start();
        let mut teacher = TeacherPresence::default();
        let figures = Some(Figures { loss: 0.02, kbps: 2_000, ..Figures::default() });
        assert_eq!(teacher.poll(start, true, figures), None);
        assert_eq!(teacher.poll(at(start, 4_999), true, figures), None);
        let window = teacher.poll(at(start, 5_000), true, figures).unwrap();
        assert_eq!((window.shown_ms, window.kbps, window.hub_loss), (5_000, Some(2_000), Some(0.02)));
        let went = teacher.poll(at(start, 6_500), false, figures).unwrap();
        assert_eq!((went.shown_ms, went.cause), (1_500, None));
        let away = teacher.end(at(start, 8_000), figures).unwrap();
        assert_eq!((away.shown_ms, away.cause, away.kbps), (0, Some(Cause::Teacher), None));
    }
}
