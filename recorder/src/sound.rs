//! What a voice sounds like: decoded once while it is recorded, told per minute.

use opus::{Channels, Decoder};
use serde::{Deserialize, Serialize};

use crate::clock::LessonTime;

/// One minute of a voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SoundMinute {
    /// Which minute of the lesson, from 0.
    pub minute: u64,
    /// Level of the samples that came, relative to full scale. `None`: none came.
    pub rms_dbfs: Option<f32>,
    /// Share of samples at full scale, 0 to 1.
    pub clipped: f32,
    /// Share of the decoded time below [`SILENT_DBFS`], 0 to 1.
    pub silent: f32,
    /// How much sound came in this minute.
    pub heard_ms: u64,
}

/// Decodes one voice and measures it.
#[derive(Debug)]
pub struct SoundMeter {
    decoder: Option<Decoder>,
    pcm: Vec<f32>,
    minute: u64,
    samples: u64,
    energy: f64,
    clipped: u64,
    silent: u64,
}

impl Default for SoundMeter {
    fn default() -> Self {
        Self {
            // Mono: the level of the mix is what a listener hears.
            decoder: Decoder::new(RATE, Channels::Mono).ok(),
            pcm: vec![0.0; PACKET_SAMPLES_MAX],
            minute: 0,
            samples: 0,
            energy: 0.0,
            clipped: 0,
            silent: 0,
        }
    }
}

impl SoundMeter {
    /// Measures one Opus packet heard at `at`. Some: the minute before has ended with it.
    pub fn packet(&mut self, at: LessonTime, packet: &[u8]) -> Option<SoundMinute> {
        let minute = at.millis() / 60_000;
        let ended = if minute == self.minute { None } else { self.take() };
        self.minute = minute;
        let decoded = self.decoder.as_mut()?.decode_float(packet, &mut self.pcm, false).unwrap_or(0);
        let pcm = self.pcm.get(..decoded).unwrap_or_default();
        let energy: f64 = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        self.samples += pcm.len() as u64;
        self.energy += energy;
        self.clipped += pcm.iter().filter(|sample| sample.abs() >= CLIPPED).count() as u64;
        if dbfs(energy, pcm.len() as u64).is_none_or(|level| level < SILENT_DBFS) {
            self.silent += pcm.len() as u64;
        }
        ended
    }

    /// The minute so far, which begins anew. `None`: nothing was heard in it.
    pub fn take(&mut self) -> Option<SoundMinute> {
        if self.samples == 0 {
            return None;
        }
        let share = |part: u64| part as f32 / self.samples as f32;
        let minute = SoundMinute {
            minute: self.minute,
            rms_dbfs: dbfs(self.energy, self.samples),
            clipped: share(self.clipped),
            silent: share(self.silent),
            heard_ms: self.samples * 1_000 / u64::from(RATE),
        };
        (self.samples, self.energy, self.clipped, self.silent) = (0, 0.0, 0, 0);
        Some(minute)
    }
}

/// `None`: digital silence, which has no level.
fn dbfs(energy: f64, samples: u64) -> Option<f32> {
    (energy > 0.0 && samples > 0).then(|| (10.0 * (energy / samples as f64).log10()) as f32)
}

/// How long an Opus packet lasts at 48 kHz (RFC 6716 §3.1). `None`: it is no Opus packet.
#[must_use]
pub fn opus_duration(packet: &[u8]) -> Option<u32> {
    let samples = opus::packet::get_nb_samples(packet, RATE).ok()?;
    u32::try_from(samples).ok().filter(|samples| (1..=PACKET_SAMPLES_MAX as u32).contains(samples))
}

/// Below this a room is still.
pub const SILENT_DBFS: f32 = -50.0;

/// Twenty milliseconds of Opus silence, and their length at 48 kHz.
pub const SILENCE: &[u8] = &[0xF8, 0xFF, 0xFE];
/// See [`SILENCE`].
pub const SILENCE_SAMPLES: u32 = 960;

const RATE: u32 = 48_000;
const CLIPPED: f32 = 0.999;
/// Opus packets last 120 ms at most.
const PACKET_SAMPLES_MAX: usize = 5_760;

#[cfg(test)]
mod tests {
    use opus::{Application, Encoder};

    use super::*;

    #[test]
    fn a_tone_has_its_level_and_silence_has_none() {
        let mut encoder = Encoder::new(RATE, Channels::Mono, Application::Voip).unwrap();
        let mut meter = SoundMeter::default();
        for packet in 0..50_u64 {
            let pcm: Vec<f32> = (0..960_u64)
                .map(|i| ((packet * 960 + i) as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.5)
                .collect();
            let bytes = encoder.encode_vec_float(&pcm, 1_500).unwrap();
            assert_eq!(opus_duration(&bytes), Some(960));
            assert!(meter.packet(LessonTime(i64::try_from(packet * 20_000).unwrap()), &bytes).is_none());
        }
        let minute = meter.packet(LessonTime(60_000_000), SILENCE).unwrap();
        let level = minute.rms_dbfs.unwrap();
        assert!((-12.0..-7.0).contains(&level), "{level}");
        assert_eq!((minute.clipped, minute.minute, minute.heard_ms), (0.0, 0, 1_000));
        assert_eq!(opus_duration(SILENCE), Some(SILENCE_SAMPLES));
        assert_eq!(opus_duration(&[]), None);
        for packet in 0..50 {
            assert!(meter.packet(LessonTime(60_000_000 + packet * 20_000), SILENCE).is_none());
        }
        let silent = meter.take().unwrap().silent;
        assert!(silent > 0.9, "{silent}");
    }
}
