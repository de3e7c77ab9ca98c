//! Measures a voice while it is recorded: decoded once, with figures per minute.
//!
//! **Level** (`rms_dbfs`): root of the mean square of the samples that came, full scale being 0.
//!
//! **Loudness** (EBU R128, ITU-R BS.1770-4): the samples are K-weighted, and their mean square is taken over blocks of
//! 400 ms, one every 100 ms. *Integrated* is the mean of the blocks above -70 LUFS that are at most 10 LU below the mean
//! of those; *short-term* is the mean of the last 3 s, looked at twice a second. A voice is decoded to one channel and
//! counts as coming from both loudspeakers, as it does in every player. Silence that stands for what did not come takes
//! part, so that three seconds are three seconds of the lesson.
//!
//! **Clipping**: share of the samples at full scale. **Silence**: share of the time in packets below [`SILENT_DBFS`].
//!
//! **Speech**: share of the time in packets at least [`SPEECH_ABOVE_NOISE_DB`] above the noise of the room and not below
//! [`SILENT_DBFS`], and up to [`SPEECH_HANGOVER`] packets after each, for the pauses within words. The noise of the room
//! is the lowest level heard, let rise by [`NOISE_RISES_DB_PER_SECOND`]: what stays the same, as a fan or a tone does, is
//! soon noise, while a speaker pauses more often than that.

use ebur128::{Channel, EbuR128, Mode};
use opus::{Channels, Decoder};

use crate::{
    format::clock::LessonTime,
    journal::sound::{SILENT_DBFS, SoundMinute},
};

/// Decodes one voice and measures it.
pub struct SoundMeter {
    decoder: Option<Decoder>,
    /// `None`: it cannot be had, which no sensible rate and channel bring about.
    loudness: Option<Box<EbuR128>>,
    pcm: Vec<f32>,
    /// Samples until the next short-term measurement.
    until_look: usize,
    noise_dbfs: f32,
    /// Packets that still count as spoken.
    hangover: u32,
    minute: u64,
    so_far: SoFar,
}

impl std::fmt::Debug for SoundMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoundMeter").field("minute", &self.minute).field("so_far", &self.so_far).finish_non_exhaustive()
    }
}

/// Sums of the current minute, in samples.
#[derive(Debug, Default)]
struct SoFar {
    samples: u64,
    energy: f64,
    clipped: u64,
    silent: u64,
    speech: u64,
    short_term_max: Option<f64>,
}

impl Default for SoundMeter {
    fn default() -> Self {
        // A histogram: what it remembers does not grow with the lesson.
        let mut loudness = EbuR128::new(1, RATE, Mode::I | Mode::S | Mode::HISTOGRAM).ok().map(Box::new);
        if let Some(meter) = &mut loudness {
            // Cannot fail: there is one channel.
            let _ = meter.set_channel(0, Channel::DualMono);
        }
        Self {
            // Mono: the level of the mix is what a listener hears.
            decoder: Decoder::new(RATE, Channels::Mono).ok(),
            loudness,
            pcm: vec![0.0; PACKET_SAMPLES_MAX],
            until_look: LOOK_SAMPLES,
            noise_dbfs: SILENT_DBFS,
            hangover: 0,
            minute: 0,
            so_far: SoFar::default(),
        }
    }
}

impl SoundMeter {
    /// Measures one Opus packet heard at `at`. Returns the previous minute if it has ended.
    pub fn packet(&mut self, at: LessonTime, packet: &[u8]) -> Option<SoundMinute> {
        let minute = at.millis() / 60_000;
        let ended = if minute == self.minute { None } else { self.take() };
        self.minute = minute;
        let decoded = self.decoder.as_mut()?.decode_float(packet, &mut self.pcm, false).unwrap_or(0);
        let pcm = self.pcm.get(..decoded).unwrap_or_default();
        let samples = pcm.len() as u64;
        let energy: f64 = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        self.so_far.samples += samples;
        self.so_far.energy += energy;
        self.so_far.clipped += pcm.iter().filter(|sample| sample.abs() >= CLIPPED).count() as u64;
        let level = dbfs(energy, samples);
        if level.is_none_or(|level| level < SILENT_DBFS) {
            self.so_far.silent += samples;
        }
        if self.is_speech(level, samples) {
            self.so_far.speech += samples;
        }
        self.weigh(decoded);
        ended
    }

    /// Measures so many samples of silence where nothing was received.
    pub fn silence(&mut self, samples: u64) {
        // No window is longer than three seconds. The rest counts modulo the block length, which keeps the blocks
        // aligned.
        let samples = if samples > WINDOW_SAMPLES { WINDOW_SAMPLES + samples % BLOCK_SAMPLES } else { samples };
        let mut left = usize::try_from(samples).unwrap_or(0);
        while left > 0 {
            let now = left.min(PACKET_SAMPLES_MAX);
            self.pcm[..now].fill(0.0);
            self.weigh(now);
            left -= now;
        }
    }

    /// Ends the current minute. `None`: nothing was received in it.
    pub fn take(&mut self) -> Option<SoundMinute> {
        let so_far = std::mem::take(&mut self.so_far);
        if so_far.samples == 0 {
            return None;
        }
        let share = |part: u64| part as f32 / so_far.samples as f32;
        Some(SoundMinute {
            minute: self.minute,
            rms_dbfs: dbfs(so_far.energy, so_far.samples),
            clipped: share(so_far.clipped),
            silent: share(so_far.silent),
            heard_ms: so_far.samples * 1_000 / u64::from(RATE),
            speech: share(so_far.speech),
            short_term_max_lufs: so_far.short_term_max.and_then(lufs),
            integrated_lufs: self.loudness.as_ref().and_then(|meter| meter.loudness_global().ok()).and_then(lufs),
        })
    }

    /// Whether a packet of that level is speech, see the module.
    fn is_speech(&mut self, level: Option<f32>, samples: u64) -> bool {
        let level = level.unwrap_or(f32::MIN);
        let risen = self.noise_dbfs + NOISE_RISES_DB_PER_SECOND * samples as f32 / RATE as f32;
        self.noise_dbfs = risen.min(level).max(SILENT_DBFS - SPEECH_ABOVE_NOISE_DB);
        if level >= SILENT_DBFS && level >= self.noise_dbfs + SPEECH_ABOVE_NOISE_DB {
            self.hangover = SPEECH_HANGOVER;
            return true;
        }
        let still = self.hangover > 0;
        self.hangover = self.hangover.saturating_sub(1);
        still
    }

    /// Feeds the first samples of `pcm` to the loudness meter.
    fn weigh(&mut self, samples: usize) {
        let Some(meter) = &mut self.loudness else { return };
        let Some(pcm) = self.pcm.get(..samples) else { return };
        let _ = meter.add_frames_f32(pcm);
        if self.until_look > samples {
            self.until_look -= samples;
            return;
        }
        self.until_look += LOOK_SAMPLES - samples.min(LOOK_SAMPLES);
        if let Ok(now) = meter.loudness_shortterm() {
            let most = self.so_far.short_term_max.map_or(now, |most| most.max(now));
            self.so_far.short_term_max = Some(most);
        }
    }
}

/// `None`: below what R128 calls sound.
fn lufs(loudness: f64) -> Option<f32> {
    (loudness > GATE_LUFS).then_some(loudness as f32)
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

/// Twenty milliseconds of Opus silence, and their length at 48 kHz.
pub const SILENCE: &[u8] = &[0xF8, 0xFF, 0xFE];
/// See [`SILENCE`].
pub const SILENCE_SAMPLES: u32 = 960;

/// A voice stands out of its room by so much.
pub const SPEECH_ABOVE_NOISE_DB: f32 = 9.0;

/// What stays the same for some ten seconds is noise.
pub const NOISE_RISES_DB_PER_SECOND: f32 = 1.5;

/// Ten packets of 20 ms: the stops within words are shorter.
pub const SPEECH_HANGOVER: u32 = 10;

const RATE: u32 = 48_000;
/// The absolute gate of R128.
const GATE_LUFS: f64 = -70.0;
/// Three seconds, the longest that any measure looks back.
const WINDOW_SAMPLES: u64 = 144_000;
/// A tenth of a second, the step of R128's blocks.
const BLOCK_SAMPLES: u64 = 4_800;
/// Half a second.
const LOOK_SAMPLES: usize = 24_000;
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
