//! The timeline of one picture track: every picture lasts until the next one, so there are no holes.

use bytes::Bytes;
use sfu::media::TrackKind;

use crate::{
    format::{
        clock::LessonTime,
        codec::CodecConfig,
        depacketize::Picture,
        fmp4::{self, Sample},
    },
    id::MediaName,
    journal::{
        digest::sha256,
        record::{Chapter, ChapterKind, Gap, GapReason, InitRecord, Record},
    },
    track::{
        action::{Action, TrackResume},
        page_turns::PageTurns,
        segment::Writer,
    },
};

/// The writer of a camera, board or stage track.
#[derive(Debug)]
pub struct PictureTrack {
    kind: TrackKind,
    writer: Writer,
    init: InitSegments,
    /// The latest picture: its duration is known when the next one comes. It begins at the end of the writer.
    pending: Option<Sample>,
    /// The latest keyframe, to hold where nothing else is left.
    key: Option<Bytes>,
    gap: OpenGap,
    /// When the latest picture was taken, however long it has been held.
    newest_ms: u64,
    /// `None`: it is no board.
    turns: Option<PageTurns>,
}

impl PictureTrack {
    /// A new or resumed track.
    #[must_use]
    pub fn new(kind: TrackKind, resume: TrackResume) -> Self {
        let writer = Writer::new(kind, resume.next_seq, resume.end);
        let from_ms = LessonTime::from_ticks(resume.end, writer.scale()).millis();
        Self {
            kind,
            writer,
            key: resume.key,
            init: InitSegments { next: resume.next_init, current: resume.init },
            pending: None,
            gap: OpenGap::since(from_ms, resume.reason),
            newest_ms: from_ms,
            turns: (kind == TrackKind::Board).then(PageTurns::default),
        }
    }

    /// Where the next sample will be written, in lesson time.
    #[must_use]
    pub fn end(&self) -> LessonTime {
        LessonTime::from_ticks(self.writer.end(), self.writer.scale())
    }

    /// Media is missing from here on.
    pub fn lost(&mut self, reason: GapReason) {
        self.gap.open(self.newest_ms, reason);
        if let Some(turns) = &mut self.turns {
            turns.broken();
        }
    }

    /// The tap dropped packets: the next loss is attributed to it.
    pub fn overflowed(&mut self) {
        self.gap.overflowed = true;
    }

    /// The next picture, taken at `at`.
    pub fn picture(&mut self, at: LessonTime, picture: &Picture, out: &mut Vec<Action>) {
        let scale = self.writer.scale();
        let mut start = at.ticks(scale);
        if let Some(mut last) = self.pending.take() {
            start = start.max(self.writer.end() + SHORTEST_TICKS);
            last.duration = duration(start - self.writer.end());
            self.writer.write(last, out);
        }
        if let Some(config) = &picture.config {
            let n = self.init.of(self.kind, config, out, &mut self.writer);
            self.writer.set_init(n, out);
        }
        if picture.keyframe {
            // The first picture after an outage is shown from the outage's beginning on.
            self.hold(&picture.data, start, out);
            self.key = Some(picture.data.clone());
        }
        self.newest_ms = at.millis();
        let turn =
            self.turns.as_mut().and_then(|turns| turns.picture(self.newest_ms, picture.keyframe, picture.data.len()));
        if let Some(at_ms) = turn {
            out.push(Action::Record(Record::Chapter(Chapter { at_ms, kind: ChapterKind::Board })));
        }
        self.gap.close(self.kind, self.newest_ms, out);
        self.pending = Some(Sample { duration: 0, sync: picture.keyframe, data: picture.data.clone() });
    }

    /// Writes a picture that has had no successor for long, so that it is not only in memory.
    pub fn tick(&mut self, now: LessonTime, out: &mut Vec<Action>) {
        let idle = now.0 - self.end().0;
        if idle >= CUT_AFTER_MICROS {
            self.writer.cut(out);
        }
        if idle < HOLD_MICROS {
            return;
        }
        if let Some(mut last) = self.pending.take() {
            let until = LessonTime(now.0 - SETTLE_MICROS).ticks(self.writer.scale());
            last.duration = duration(until.saturating_sub(self.writer.end()).max(SHORTEST_TICKS));
            self.writer.write(last, out);
            self.writer.cut(out);
        }
    }

    /// Extends to `end` and closes.
    pub fn finish(&mut self, end: LessonTime, out: &mut Vec<Action>) {
        let until = end.ticks(self.writer.scale());
        if let Some(mut last) = self.pending.take() {
            last.duration = duration(until.saturating_sub(self.writer.end()).max(SHORTEST_TICKS));
            self.writer.write(last, out);
        } else if let (Some(key), Some((n, _))) = (self.key.clone(), &self.init.current) {
            self.writer.set_init(*n, out);
            self.hold(&key, until, out);
            let rest = until.saturating_sub(self.writer.end());
            if rest > SHORTEST_TICKS {
                self.writer.write(Sample { duration: duration(rest), sync: true, data: key }, out);
            }
        }
        self.gap.close(self.kind, end.millis(), out);
        self.writer.close(out);
    }

    /// Repeats a key frame until less than one [`HELD_TICKS`] is missing to `until`.
    fn hold(&mut self, key: &Bytes, until: u64, out: &mut Vec<Action>) {
        let missing = until.saturating_sub(self.writer.end());
        let each = HELD_TICKS.max(missing / HELD_SEGMENTS_MAX);
        while until.saturating_sub(self.writer.end()) > each {
            self.writer.write(Sample { duration: duration(each), sync: true, data: key.clone() }, out);
        }
    }
}

/// The init segments of one track.
#[derive(Debug)]
pub struct InitSegments {
    /// The number of the next new one.
    pub next: u32,
    /// The one in use, with its bytes.
    pub current: Option<(u32, Bytes)>,
}

impl InitSegments {
    /// The number of `config`'s init segment, which is written if it is not the one in use.
    pub fn of(&mut self, kind: TrackKind, config: &CodecConfig, out: &mut Vec<Action>, writer: &mut Writer) -> u32 {
        let bytes = fmp4::init(config);
        if let Some((n, current)) = &self.current
            && *current == bytes
        {
            return *n;
        }
        // Earlier samples need the old one: recovery goes by the order of the journal.
        writer.close(out);
        let n = self.next;
        self.next = n.saturating_add(1);
        out.push(Action::Init {
            name: MediaName::Init { kind, n },
            record: InitRecord {
                kind,
                n,
                codec: config.codec(),
                codecs: config.rfc6381(),
                width: config.size().map(|size| size.width),
                height: config.size().map(|size| size.height),
                sha256: sha256(&bytes),
            },
            bytes: bytes.clone(),
        });
        self.current = Some((n, bytes));
        n
    }
}

/// The gap in progress.
#[derive(Debug, Default)]
pub struct OpenGap {
    since: Option<GapStart>,
    /// The tap dropped packets since the last gap.
    pub overflowed: bool,
}

#[derive(Debug, Clone, Copy)]
struct GapStart {
    /// In lesson time.
    from_ms: u64,
    reason: GapReason,
}

impl OpenGap {
    /// A gap since `from_ms`.
    #[must_use]
    pub fn since(from_ms: u64, reason: GapReason) -> Self {
        Self { since: Some(GapStart { from_ms, reason }), overflowed: false }
    }

    /// True while a gap is going on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.since.is_some()
    }

    /// Opens a gap unless one is open. A specific reason replaces `Silent`.
    pub fn open(&mut self, from_ms: u64, reason: GapReason) {
        let reason = if self.overflowed && reason == GapReason::Loss { GapReason::TapFull } else { reason };
        match &mut self.since {
            Some(start) if start.reason == GapReason::Silent => start.reason = reason,
            Some(_) => {}
            None => self.since = Some(GapStart { from_ms, reason }),
        }
    }

    /// Media continues: the gap is recorded if it is long enough.
    pub fn close(&mut self, kind: TrackKind, to_ms: u64, out: &mut Vec<Action>) {
        if let Some(GapStart { from_ms, reason }) = self.since.take() {
            self.overflowed = false;
            if to_ms >= from_ms.saturating_add(GAP_MS_MIN) {
                out.push(Action::Record(Record::Gap(Gap { kind, from_ms, to_ms, reason })));
            }
        }
    }
}

fn duration(ticks: u64) -> u32 {
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Shorter gaps are not recorded: they are neither heard nor seen.
pub const GAP_MS_MIN: u64 = 100;

/// One millisecond, the shortest duration of a picture, whatever its timestamp.
const SHORTEST_TICKS: u64 = 90;

/// A still board sends a picture a second; after six the sender has stopped or is out of reach.
const HOLD_MICROS: i64 = 6_000_000;

/// A fragment is written after so long even if it is not full.
pub const CUT_AFTER_MICROS: i64 = 1_200_000;

/// Pictures younger than this may still be on their way through repair: [`REPAIR_WAIT`](crate::format::reorder::REPAIR_WAIT), and as
/// long as a picture takes to come.
const SETTLE_MICROS: i64 = 2_500_000;

/// Ten seconds: a held picture is repeated so that segments stay short enough to seek in.
const HELD_TICKS: u64 = 900_000;

/// An outage of any length costs at most so many repeats.
const HELD_SEGMENTS_MAX: u64 = 60;
