//! Cuts the samples of one track into fragments of one second and segments of about four.

use bytes::Bytes;
use sfu::media::TrackKind;

use crate::{
    format::fmp4::{Sample, fragment, time_scale},
    id::MediaName,
    track::action::Action,
};

/// Writes one track. Its samples follow each other without a hole: the next one begins where the last ended.
#[derive(Debug)]
pub struct Writer {
    kind: TrackKind,
    init: u32,
    next_seq: u32,
    fragment_number: u32,
    end: u64,
    open: Option<OpenSegment>,
    samples: Vec<Sample>,
    /// Where `samples` begin.
    samples_start: u64,
}

#[derive(Debug)]
struct OpenSegment {
    seq: u32,
    start: u64,
    fragments: u32,
}

impl Writer {
    /// A track whose next segment is `next_seq` and begins at `end` ticks.
    #[must_use]
    pub fn new(kind: TrackKind, next_seq: u32, end: u64) -> Self {
        Self { kind, init: 0, next_seq, fragment_number: 0, end, open: None, samples: Vec::new(), samples_start: end }
    }

    /// Where the next sample will begin, in ticks.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Ticks per second.
    #[must_use]
    pub fn scale(&self) -> u32 {
        time_scale(self.kind.is_sound())
    }

    /// Switches to init segment `n`; a segment refers to one only.
    pub fn set_init(&mut self, n: u32, actions: &mut impl Extend<Action>) {
        if n != self.init {
            self.close(actions);
            self.init = n;
        }
    }

    /// Takes the next sample.
    pub fn write(&mut self, sample: Sample, actions: &mut impl Extend<Action>) {
        if let Some(open) = &self.open {
            let long_ms = (self.end - open.start) * 1_000 / u64::from(self.scale());
            let enough_ms = if self.kind.is_sound() { VOICE_SEGMENT_MS } else { PICTURE_SEGMENT_MS };
            if (sample.sync && long_ms >= enough_ms) || long_ms >= SEGMENT_MS_MAX {
                self.close(actions);
            }
        }
        if self.open.is_none() {
            self.open = Some(OpenSegment { seq: self.next_seq, start: self.end, fragments: 0 });
            self.next_seq = self.next_seq.saturating_add(1);
        }
        self.end = self.end.saturating_add(u64::from(sample.duration));
        self.samples.push(sample);
        let long_ms = (self.end - self.samples_start) * 1_000 / u64::from(self.scale());
        if long_ms >= FRAGMENT_MS {
            self.cut(actions);
        }
    }

    /// Writes the gathered samples as a fragment.
    pub fn cut(&mut self, actions: &mut impl Extend<Action>) {
        let Some(open) = &mut self.open else { return };
        if self.samples.is_empty() {
            return;
        }
        self.fragment_number = self.fragment_number.wrapping_add(1);
        open.fragments += 1;
        let bytes: Bytes = fragment(self.fragment_number, self.samples_start, &self.samples);
        self.samples.clear();
        let name = MediaName::Segment { kind: self.kind, seq: open.seq };
        actions.extend([Action::Append { name, bytes, end: self.end }]);
        self.samples_start = self.end;
    }

    /// Ends the open segment, if there is one.
    pub fn close(&mut self, actions: &mut impl Extend<Action>) {
        self.cut(actions);
        if let Some(open) = self.open.take() {
            actions.extend([Action::Close {
                kind: self.kind,
                seq: open.seq,
                init: self.init,
                start: open.start,
                duration: self.end - open.start,
                fragments: open.fragments,
            }]);
        }
    }
}

/// The most that a crash loses, apart from the time of a sync.
const FRAGMENT_MS: u64 = 1_000;
const VOICE_SEGMENT_MS: u64 = 4_000;
/// A picture's segment begins with a key frame; the first at or after this ends the one before.
const PICTURE_SEGMENT_MS: u64 = 3_500;
/// A publisher that sends no key frame for so long gets a segment that begins without one.
pub const SEGMENT_MS_MAX: u64 = 12_000;
