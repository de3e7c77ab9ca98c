//! Intelligibility of the teacher's voice: the E-model's rating and the mean opinion score derived from it.
//!
//! ITU-T G.107 (06/2015) with its default values, so that `R0 - Is` is 93.2 (§7.7, table 3). Of the delay impairment
//! `Id` only `Idd` is used (§7.4, eq. 7-27 and 7-28): the two echo terms need a talker who hears their own voice come
//! back, and a listening classroom's microphone is off. `Ie,eff` is eq. 7-29 with `BurstR` = 1: its input is not
//! loss on the line but the loss left after repair: the share of the sound that the browser had to conceal
//! (`concealedSamples` of the W3C's webrtc-stats), which already includes every burst.

use crate::base::formula::Formula;

/// The E-model's rating without impairments: `R0 - Is` at the default values (G.107 §7.7).
const R_DEFAULT: f64 = 93.2;

/// `Ie` of Opus. G.113 gives no value; at the 24 kbit/s and more that teachers send, it is no worse than G.711, which
/// is 0 on this narrow-band scale (G.113 table I.1).
const IE_OPUS: f64 = 0.0;

/// `Bpl` of Opus. G.113 gives no value. 10.0 is the smallest in its table I.4 for a codec that conceals losses
/// (GSM-EFR; G.729A 19.0, G.711 with concealment 25.1): it errs towards a low score.
const BPL_OPUS: f64 = 10.0;

/// Added to the measured delay: a packet of 20 ms, and 6.5 ms of encoder look-ahead (RFC 6716 §2).
pub const CODEC_DELAY_MS: f64 = 26.5;

/// Its formula.
pub const VOICE_SCORE: Formula = Formula {
    figure: "mos",
    version: 1,
    zh: "语音得分（MOS，1 到 4.5）按 ITU-T G.107 E 模型计算：R = 93.2 − Idd(T) − Ie,eff。T = 往返时延的一半 + 播放缓冲 + 26.5 毫秒（不含老师\
到平台的一段）；Idd 在 T 不超过 100 毫秒时为 0，以上按 G.107 式 7-27、7-28。Ie,eff = 95 × P ÷ (P + 10)，P 是修补之后仍靠补音的百分比，\
Opus 取 Ie = 0、Bpl = 10（G.113 未列 Opus，取其表中会补音的编码里最小的 Bpl）。MOS = 1 + 0.035R + R(R−60)(100−R)×7×10⁻⁶。3.6 以上\
多数人满意，3.1 以下听着费力。",
    en: "The voice score (MOS, 1 to 4.5) is that of the E-model, ITU-T G.107: R = 93.2 - Idd(T) - Ie,eff. T is half of the round \
trip, the playout buffer and 26.5 ms (without the way from the teacher to the hub); Idd is 0 up to 100 ms, and above by \
eq. 7-27 and 7-28. Ie,eff = 95 P / (P + 10), P being the percentage of sound still made up after all repair; for Opus Ie = 0 \
and Bpl = 10 (G.113 does not list Opus: the smallest Bpl of a codec that conceals is taken). MOS = 1 + 0.035 R + \
R (R - 60) (100 - R) 7e-6. Above 3.6 most listeners are satisfied, below 3.1 listening is hard work.",
};

/// `Idd`: impairment by a mouth-to-ear delay in milliseconds.
#[must_use]
pub fn delay_impairment(delay_ms: f64) -> f64 {
    if delay_ms <= 100.0 {
        return 0.0;
    }
    let x = (delay_ms / 100.0).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
}

/// `Ie,eff`: impairment by losses. `concealed`: the share of the sound that was concealed, 0 to 1.
#[must_use]
pub fn loss_impairment(concealed: f64) -> f64 {
    let percent = concealed.clamp(0.0, 1.0) * 100.0;
    IE_OPUS + (95.0 - IE_OPUS) * percent / (percent + BPL_OPUS)
}

/// The rating `R`, at most 93.2. Below 0: no speech is understood.
#[must_use]
pub fn rating(delay_ms: f64, concealed: f64) -> f64 {
    R_DEFAULT - delay_impairment(delay_ms) - loss_impairment(concealed)
}

/// The mean opinion score of a rating (G.107 §B.3), 1 to 4.5.
#[must_use]
pub fn score(rating: f64) -> f64 {
    match rating {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        // Between 0 and 6.5 the polynomial is below 1, the lowest valid score.
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

/// Voice score of one window, from the round-trip time and the playout delay, both in milliseconds, and the share of
/// the sound that was concealed.
#[must_use]
pub fn voice_score(rtt_ms: f64, buffer_ms: f64, concealed: f64) -> f64 {
    score(rating(rtt_ms / 2.0 + buffer_ms + CODEC_DELAY_MS, concealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found} is not {expected}");
    }

    /// Manual calculation, with a table of logarithms.
    ///
    /// 200 ms: X = lg 2 / lg 2 = 1; (1 + 1)^(1/6) = 1.122462; (1 + 1/729)^(1/6) = 1.000229;
    /// Idd = 25 (1.122462 - 3.000686 + 2) = 25 x 0.121776 = 3.0444.
    /// 400 ms: X = 2; (1 + 64)^(1/6) = 2.005178; (1 + 64/729)^(1/6) = 1.014125;
    /// Idd = 25 (2.005178 - 3.042375 + 2) = 25 x 0.962803 = 24.0701.
    #[test]
    fn delay_takes_away_what_g_107_says() {
        near(delay_impairment(0.0), 0.0, 0.0);
        near(delay_impairment(100.0), 0.0, 0.0);
        near(delay_impairment(200.0), 3.0444, 0.001);
        near(delay_impairment(400.0), 24.0701, 0.003);
    }

    /// Manual calculation: 95 x 1 / 11 = 8.6364; 95 x 2 / 12 = 15.8333; 95 x 10 / 20 = 47.5.
    #[test]
    fn loss_takes_away_what_g_107_says() {
        for (percent, expected) in [(0.0, 0.0), (1.0, 8.6364), (2.0, 15.8333), (10.0, 47.5), (100.0, 86.3636)] {
            near(loss_impairment(percent / 100.0), expected, 0.0001);
        }
    }

    /// Manual calculation: R = 93.2: 1 + 3.262 + 93.2 x 33.2 x 6.8 x 7e-6 = 4.262 + 0.14728 = 4.4093, G.107's score for
    /// its defaults. R = 70: 1 + 2.45 + 70 x 10 x 30 x 7e-6 = 3.597. R = 50: 1 + 1.75 - 50 x 10 x 50 x 7e-6 = 2.575.
    #[test]
    fn scores_are_those_of_g_107_annex_b() {
        for (r, expected) in [(93.2, 4.4093), (70.0, 3.597), (60.0, 3.1), (50.0, 2.575), (0.0, 1.0), (-7.0, 1.0)] {
            near(score(r), expected, 0.0001);
        }
        near(score(100.0), 4.5, 0.0);
    }

    /// Manual calculation for the rural network presets.
    ///
    /// Clean: 60 ms and a buffer of 40 ms: T = 30 + 40 + 26.5 = 96.5, no Idd, R = 93.2, MOS 4.4093.
    /// 2 % concealed at 100 ms with a buffer of 60 ms: T = 136.5, X = log2 1.365 = 0.448901, X^6 = 0.0081830,
    /// (1.0081830)^(1/6) = 1.0013592, (1 + 0.0081830/729)^(1/6) = 1.00000187, Idd = 25 (1.0013592 - 3.0000056 + 2)
    /// = 0.03384; R = 93.2 - 0.0338 - 15.8333 = 77.3328; MOS = 1 + 2.706648 + 77.3328 x 17.3328 x 22.6672 x 7e-6
    /// = 3.706648 + 0.212681 = 3.9193.
    /// 8 % concealed at 200 ms with a buffer of 500 ms: T = 626.5; X = log2 6.265 = 2.647315; X^6 = 344.22;
    /// (345.22)^(1/6) = 2.648595; (1 + 344.22/729)^(1/6) = 1.066573; Idd = 25 (2.648595 - 3.199719 + 2) = 36.2219;
    /// Ie,eff = 95 x 8 / 18 = 42.2222; R = 14.7559; MOS = 1 + 0.516457 - 14.7559 x 45.2441 x 85.2441 x 7e-6
    /// = 1.516457 - 0.398373 = 1.1181.
    #[test]
    fn rural_lines_score_as_computed_by_hand() {
        near(voice_score(60.0, 40.0, 0.0), 4.4093, 0.0005);
        near(voice_score(100.0, 60.0, 0.02), 3.9193, 0.001);
        near(voice_score(200.0, 500.0, 0.08), 1.1181, 0.005);
    }

    #[test]
    fn more_delay_or_more_loss_never_sounds_better() {
        let mut before = f64::INFINITY;
        for step in 0..200 {
            let score = voice_score(f64::from(step) * 20.0, 40.0, f64::from(step) / 200.0);
            assert!(score <= before && (1.0..=4.5).contains(&score), "{step}: {score} after {before}");
            before = score;
        }
    }
}
