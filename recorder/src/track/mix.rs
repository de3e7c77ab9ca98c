//! The mixed voice: the teacher's packets unchanged, and teacher and stage mixed while a class is on stage.
//!
//! Its input is what the two voice tracks write, so it covers lesson time without holes as they do. Nothing is decoded
//! or encoded while the stage is empty. While it is not, both voices are decoded, added, and encoded in packets of 20
//! ms; the mix ends where the shorter track ends. After the stage has closed, the teacher's packets continue with the
//! first one that begins where the mix ends.

use std::collections::VecDeque;

use bytes::Bytes;
use opus::{Application, Bitrate, Channels, Decoder, Encoder};
use sfu::media::TrackKind;

use crate::{
    format::{codec::CodecConfig, fmp4::Sample},
    track::{
        action::{Action, TrackResume},
        picture::InitSegments,
        segment::Writer,
        sound_meter::{SILENCE, SILENCE_SAMPLES},
    },
};

/// The mixed voice as it is written.
pub struct MixTrack {
    writer: Writer,
    init: InitSegments,
    teacher: MixInput,
    stage: MixInput,
    state: StageState,
    encoder: Option<Encoder>,
}

/// Whether a class is on stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StageState {
    /// The stage is empty.
    Alone,
    /// A class is on stage.
    Together,
    /// The class has left; the rest of both voices is still to be mixed.
    Leaving,
}

/// One of the two inputs.
struct MixInput {
    /// The end of the samples taken so far, in ticks.
    end: u64,
    decoder: Option<Decoder>,
    /// Decoded, not yet mixed. The first sample belongs at the end of the mix.
    pcm: VecDeque<f32>,
}

impl std::fmt::Debug for MixTrack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MixTrack").field("end", &self.writer.end()).field("state", &self.state).finish_non_exhaustive()
    }
}

impl MixTrack {
    /// A new or resumed track. `teacher` and `stage`: the ends of the two voice tracks, in ticks.
    #[must_use]
    pub fn new(resume: TrackResume, teacher: u64, stage: u64) -> Self {
        Self {
            writer: Writer::new(TrackKind::MixedVoice, resume.next_seq, resume.end),
            init: InitSegments { next: resume.next_init, current: resume.init },
            teacher: MixInput::new(teacher),
            stage: MixInput::new(stage),
            state: StageState::Alone,
            encoder: None,
        }
    }

    /// A class comes on stage.
    pub fn open(&mut self) {
        if self.state == StageState::Alone {
            self.teacher.begin();
            self.stage.begin();
            self.encoder = encoder();
        }
        self.state = StageState::Together;
    }

    /// The class leaves the stage.
    pub fn leave(&mut self) {
        if self.state == StageState::Together {
            self.state = StageState::Leaving;
        }
    }

    /// What the teacher's voice track has written.
    pub fn teacher(&mut self, samples: impl IntoIterator<Item = Sample>, out: &mut Vec<Action>) {
        for sample in samples {
            let start = self.teacher.end;
            self.teacher.end += u64::from(sample.duration);
            if self.state == StageState::Alone {
                self.pass(start, sample, out);
            } else {
                self.teacher.decode(start, &sample, self.writer.end());
                self.mix(out);
            }
        }
    }

    /// What the stage's voice track has written.
    pub fn stage(&mut self, samples: impl IntoIterator<Item = Sample>, out: &mut Vec<Action>) {
        for sample in samples {
            let start = self.stage.end;
            self.stage.end += u64::from(sample.duration);
            if self.state == StageState::Together {
                self.stage.decode(start, &sample, self.writer.end());
                self.mix(out);
            }
        }
    }

    /// Writes what has been gathered as a fragment, so that it is not only in memory.
    pub fn cut(&mut self, out: &mut Vec<Action>) {
        self.writer.cut(out);
    }

    /// Extends to the end of the teacher's voice and closes.
    pub fn finish(&mut self, out: &mut Vec<Action>) {
        if self.state != StageState::Alone {
            self.state = StageState::Leaving;
            self.mix(out);
        }
        self.silence(self.teacher.end, out);
        self.writer.close(out);
    }

    /// Writes the teacher's packet unchanged.
    fn pass(&mut self, start: u64, sample: Sample, out: &mut Vec<Action>) {
        let end = self.writer.end();
        if start + u64::from(sample.duration) / 2 < end {
            return; // After a crash one of the tracks may have come farther than the other.
        }
        self.silence(start, out);
        self.write(sample, out);
    }

    /// Silence up to `until`, in whole packets.
    fn silence(&mut self, until: u64, out: &mut Vec<Action>) {
        while self.writer.end() + u64::from(SILENCE_SAMPLES) <= until {
            self.write(Sample { duration: SILENCE_SAMPLES, sync: true, data: Bytes::from_static(SILENCE) }, out);
        }
    }

    /// Mixes up to the end of the shorter input.
    fn mix(&mut self, out: &mut Vec<Action>) {
        let frame = SILENCE_SAMPLES as usize;
        loop {
            let alone = self.state == StageState::Leaving && self.stage.pcm.len() < frame;
            if alone && self.teacher.pcm.is_empty() {
                self.state = StageState::Alone;
                self.stage.pcm.clear();
                self.encoder = None;
                return;
            }
            if self.teacher.pcm.len() < frame || (!alone && self.stage.pcm.len() < frame) {
                return;
            }
            let mixed: Vec<f32> = (0..frame)
                .map(|_| {
                    let both = self.teacher.pcm.pop_front().unwrap_or(0.0) + self.stage.pcm.pop_front().unwrap_or(0.0);
                    both.clamp(-1.0, 1.0)
                })
                .collect();
            let packet =
                self.encoder.as_mut().and_then(|encoder| encoder.encode_vec_float(&mixed, PACKET_BYTES_MAX).ok());
            let data = packet.map_or(Bytes::from_static(SILENCE), Bytes::from);
            self.write(Sample { duration: SILENCE_SAMPLES, sync: true, data }, out);
        }
    }

    fn write(&mut self, sample: Sample, out: &mut Vec<Action>) {
        let n = self.init.of(TrackKind::MixedVoice, &CodecConfig::Opus, out, &mut self.writer);
        self.writer.set_init(n, out);
        self.writer.write(sample, out);
    }
}

impl MixInput {
    fn new(end: u64) -> Self {
        Self { end, decoder: None, pcm: VecDeque::new() }
    }

    fn begin(&mut self) {
        self.decoder = Decoder::new(RATE, Channels::Mono).ok();
        self.pcm.clear();
    }

    /// Decodes a sample that begins at `start`, and keeps what lies after the end of the mix.
    fn decode(&mut self, start: u64, sample: &Sample, mixed: u64) {
        let length = sample.duration as usize;
        // Only the silence at the beginning of a track ever lies before the end of the mix.
        let gone = (mixed + self.pcm.len() as u64).saturating_sub(start);
        if gone >= length as u64 {
            return;
        }
        let mut pcm = vec![0.0; length.max(PACKET_SAMPLES_MAX)];
        if let Some(decoder) = &mut self.decoder {
            let decoded = decoder.decode_float(&sample.data, &mut pcm, false).unwrap_or(0);
            pcm[decoded..].fill(0.0);
        }
        self.pcm.extend(&pcm[usize::try_from(gone).unwrap_or(length)..length]);
    }
}

fn encoder() -> Option<Encoder> {
    let mut encoder = Encoder::new(RATE, Channels::Mono, Application::Audio).ok()?;
    encoder.set_bitrate(Bitrate::Bits(BITS_PER_SECOND)).ok()?;
    Some(encoder)
}

const RATE: u32 = 48_000;
/// Transparent for two voices at once.
const BITS_PER_SECOND: i32 = 48_000;
const PACKET_BYTES_MAX: usize = 1_500;
/// Opus packets last 120 ms at most.
const PACKET_SAMPLES_MAX: usize = 5_760;
