//! How a voice sounded, minute by minute and in the whole lesson.

use serde::{Deserialize, Serialize};

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
    /// Share of the decoded time in which somebody speaks, 0 to 1.
    #[serde(default)]
    pub speech: f32,
    /// The loudest three seconds of this minute, in LUFS. `None`: nothing was as loud as -70.
    #[serde(default)]
    pub short_term_max_lufs: Option<f32>,
    /// Integrated loudness from where the writer began to the end of this minute, in LUFS. `None`: nothing was as loud
    /// as -70.
    #[serde(default)]
    pub integrated_lufs: Option<f32>,
}

/// How loud a voice was in the whole lesson, and how clean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Loudness {
    /// Integrated loudness (EBU R128) in LUFS; good speech is near -23. `None`: nothing was as loud as -70.
    pub integrated_lufs: Option<f32>,
    /// The loudest three seconds, in LUFS. `None`: nothing was as loud as -70.
    pub short_term_max_lufs: Option<f32>,
    /// Share of samples at full scale, 0 to 1.
    pub clipped: f32,
    /// Share of the time that came below [`SILENT_DBFS`], 0 to 1.
    pub silent: f32,
    /// Share of the time that came in which somebody speaks, 0 to 1.
    pub speech: f32,
}

impl Loudness {
    /// Of all minutes. `runs`: where in `minutes` a writer began; each measured on its own, and their integrated
    /// loudness is joined by energy, weighted by how much each heard. `None`: nothing was heard.
    #[must_use]
    pub fn of(minutes: &[SoundMinute], runs: &[usize]) -> Option<Self> {
        let heard_ms =
            |minutes: &[SoundMinute]| minutes.iter().map(|minute| minute.heard_ms).fold(0, u64::saturating_add);
        let all_ms = heard_ms(minutes);
        if all_ms == 0 {
            return None;
        }
        let share = |of: fn(&SoundMinute) -> f32| {
            let sum: f64 = minutes.iter().map(|minute| f64::from(of(minute)) * minute.heard_ms as f64).sum();
            (sum / all_ms as f64) as f32
        };
        let mut begins: Vec<usize> = runs.iter().copied().filter(|at| (1..minutes.len()).contains(at)).collect();
        begins.dedup();
        let (mut energy, mut weight, mut from) = (0.0, 0.0, 0);
        for end in begins.into_iter().chain([minutes.len()]) {
            let run = &minutes[from..end];
            if let Some(lufs) = run.iter().rev().find_map(|minute| minute.integrated_lufs) {
                let heard = heard_ms(run) as f64;
                energy += 10_f64.powf(f64::from(lufs) / 10.0) * heard;
                weight += heard;
            }
            from = end;
        }
        let loudest = minutes.iter().filter_map(|minute| minute.short_term_max_lufs).max_by(f32::total_cmp);
        Some(Self {
            integrated_lufs: (weight > 0.0).then(|| (10.0 * (energy / weight).log10()) as f32),
            short_term_max_lufs: loudest,
            clipped: share(|minute| minute.clipped),
            silent: share(|minute| minute.silent),
            speech: share(|minute| minute.speech),
        })
    }
}

/// Below this a room is still.
pub const SILENT_DBFS: f32 = -50.0;
