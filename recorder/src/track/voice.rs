//! The timeline of one voice track: silence fills what was not received.

use bytes::Bytes;
use sfu::media::TrackKind;

use crate::{
    format::{clock::LessonTime, codec::CodecConfig, fmp4::Sample},
    journal::record::{GapReason, Record},
    track::{
        action::{Action, TrackResume},
        picture::{CUT_AFTER_MICROS, GAP_MS_MIN, InitSegments, OpenGap},
        segment::Writer,
        sound_meter::{SILENCE, SILENCE_SAMPLES, SoundMeter, opus_duration},
    },
};

/// The writer of a voice track.
#[derive(Debug)]
pub struct VoiceTrack {
    kind: TrackKind,
    writer: Writer,
    init: InitSegments,
    gap: OpenGap,
    meter: SoundMeter,
    /// The timestamp that follows the last packet without a hole.
    expected: Option<u32>,
    /// Packets are missing before the next one.
    after_hole: bool,
    /// What was written since it was last taken. `None`: there is no mix.
    written: Option<Vec<Sample>>,
    /// Smoothed offset between arrival and written position, in samples. Positive: packets are ahead.
    drift: f32,
}

impl VoiceTrack {
    /// A new or resumed track.
    #[must_use]
    pub fn new(kind: TrackKind, resume: TrackResume) -> Self {
        let writer = Writer::new(kind, resume.next_seq, resume.end);
        let from_ms = LessonTime::from_ticks(resume.end, writer.scale()).millis();
        Self {
            kind,
            writer,
            init: InitSegments { next: resume.next_init, current: resume.init },
            gap: OpenGap::since(from_ms, resume.reason),
            meter: SoundMeter::default(),
            expected: None,
            after_hole: false,
            written: None,
            drift: 0.0,
        }
    }

    /// Keeps what is written for the mix from now on.
    pub fn keep_for_mix(&mut self) {
        self.written.get_or_insert_default();
    }

    /// What was written since the last call.
    pub fn take_written(&mut self) -> Vec<Sample> {
        self.written.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Where the next sample will be written, in lesson time.
    #[must_use]
    pub fn end(&self) -> LessonTime {
        LessonTime::from_ticks(self.writer.end(), self.writer.scale())
    }

    /// The same in ticks.
    #[must_use]
    pub fn end_ticks(&self) -> u64 {
        self.writer.end()
    }

    /// Packets are missing. `Loss` alone opens no gap yet: it may be one packet.
    pub fn lost(&mut self, reason: GapReason) {
        self.after_hole = true;
        if reason != GapReason::Loss || self.gap.is_open() {
            let from_ms = self.end().millis();
            self.gap.open(from_ms, reason);
        }
        if reason == GapReason::Away {
            self.expected = None;
        }
    }

    /// The tap dropped packets: the next loss is attributed to it.
    pub fn overflowed(&mut self) {
        self.gap.overflowed = true;
    }

    /// The next packet in order, sampled from `at` on.
    pub fn packet(&mut self, at: LessonTime, rtp: u32, packet: &Bytes, out: &mut Vec<Action>) {
        let Some(samples) = opus_duration(packet) else { return };
        let follows = self.expected == Some(rtp);
        self.expected = Some(rtp.wrapping_add(samples));
        let ahead = signed(at.ticks(self.writer.scale())) - signed(self.writer.end());
        if follows && ahead.abs() <= FAR_SAMPLES {
            // Clock drift of the sender: corrected by whole frames once it is certain.
            self.drift += (ahead as f32 - self.drift) * DRIFT_WEIGHT;
            if self.drift > DRIFT_SAMPLES {
                self.silence(1, out);
                self.drift -= SILENCE_SAMPLES as f32;
            } else if self.drift < -DRIFT_SAMPLES {
                self.drift += samples as f32;
                return;
            }
        } else {
            self.drift = 0.0;
            if ahead < -OVERLAP_SAMPLES {
                return;
            }
            let frames = (ahead + i64::from(SILENCE_SAMPLES) / 2) / i64::from(SILENCE_SAMPLES);
            let missing_ms = u64::try_from(ahead.max(0)).unwrap_or(0) / 48;
            if self.after_hole && missing_ms >= GAP_MS_MIN {
                let from_ms = self.end().millis();
                self.gap.open(from_ms, GapReason::Loss);
            } else if missing_ms >= SILENT_MS {
                let from_ms = self.end().millis();
                self.gap.open(from_ms, GapReason::Silent);
            }
            self.silence(u64::try_from(frames).unwrap_or(0), out);
        }
        self.after_hole = false;
        self.gap.close(self.kind, at.millis(), out);
        if let Some(minute) = self.meter.packet(at, packet) {
            out.push(Action::Record(Record::Sound { kind: self.kind, minute }));
        }
        self.write(Sample { duration: samples, sync: true, data: packet.clone() }, out);
    }

    /// Fills with silence, at a distance at which a late packet still finds its place.
    pub fn tick(&mut self, now: LessonTime, out: &mut Vec<Action>) {
        let idle = now.0 - self.end().0;
        if idle >= CUT_AFTER_MICROS {
            self.writer.cut(out);
        }
        if idle < SILENCE_AFTER_MICROS {
            return;
        }
        let from_ms = self.end().millis();
        self.gap.open(from_ms, GapReason::Silent);
        self.fill(LessonTime(now.0 - SETTLE_MICROS), FILL_FRAMES_MAX, out);
    }

    /// Extends to `end` and closes.
    pub fn finish(&mut self, end: LessonTime, out: &mut Vec<Action>) {
        self.fill(end, u64::MAX, out);
        self.gap.close(self.kind, end.millis(), out);
        if let Some(minute) = self.meter.take() {
            out.push(Action::Record(Record::Sound { kind: self.kind, minute }));
        }
        self.writer.close(out);
    }

    fn fill(&mut self, until: LessonTime, frames_max: u64, out: &mut Vec<Action>) {
        let missing = until.ticks(self.writer.scale()).saturating_sub(self.writer.end());
        let frames = (missing + u64::from(SILENCE_SAMPLES) / 2) / u64::from(SILENCE_SAMPLES);
        self.silence(frames.min(frames_max), out);
    }

    fn silence(&mut self, frames: u64, out: &mut Vec<Action>) {
        self.meter.silence(frames.saturating_mul(u64::from(SILENCE_SAMPLES)));
        for _ in 0..frames {
            self.write(Sample { duration: SILENCE_SAMPLES, sync: true, data: Bytes::from_static(SILENCE) }, out);
        }
    }

    fn write(&mut self, sample: Sample, out: &mut Vec<Action>) {
        let n = self.init.of(self.kind, &CodecConfig::Opus, out, &mut self.writer);
        self.writer.set_init(n, out);
        if let Some(written) = &mut self.written {
            written.push(sample.clone());
        }
        self.writer.write(sample, out);
    }
}

fn signed(ticks: u64) -> i64 {
    i64::try_from(ticks).unwrap_or(i64::MAX / 2)
}

/// Packets that follow each other may stand this far off before they are put right at once (200 ms).
const FAR_SAMPLES: i64 = 9_600;

/// A packet that would lie this far over what is written already is dropped (60 ms).
const OVERLAP_SAMPLES: i64 = 2_880;

/// Fifteen milliseconds: with one frame of silence more or less the voice stays within twenty of the picture.
const DRIFT_SAMPLES: f32 = 720.0;

/// Smooths over some 32 packets, two thirds of a second.
const DRIFT_WEIGHT: f32 = 1.0 / 32.0;

/// Opus with DTX is still for 400 ms at a time; what is longer than this is not the codec's doing.
const SILENT_MS: u64 = 2_000;

/// Longer than any repair takes.
const SILENCE_AFTER_MICROS: i64 = 4_000_000;

/// Packets younger than this may still be on their way.
const SETTLE_MICROS: i64 = 3_000_000;

/// Five minutes of silence at a time: a long outage is filled over several ticks.
const FILL_FRAMES_MAX: u64 = 15_000;
