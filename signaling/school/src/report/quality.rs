//! Quality of picture and sound at an end: samples of five seconds, and their aggregate over a lesson.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    attendance::{Cause, Stretch},
    voice_score::voice_score,
};
use crate::base::{formula::Formula, time::UnixMs};

/// Interval between a page's reports and between the hub's readings, in milliseconds.
pub const WINDOW_MS: i64 = 5_000;

/// Sample of one end in one window: the page's report joined with the hub's figures of the same time. `None`: not
/// measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Start.
    pub from: UnixMs,
    /// End.
    pub until: UnixMs,
    /// Time for which the lesson was on screen, in milliseconds.
    pub shown_ms: u32,
    /// If only part of the window was on screen: true where it is the window's end, false where it is the start.
    pub shown_last: bool,
    /// Why the rest was not on screen. `None`: there is no rest.
    pub cause: Option<Cause>,
    /// Share of packets lost on the way to the page, 0 to 1, as counted by the page.
    pub loss: Option<f64>,
    /// The same, from the receiver's RTCP as read by the hub.
    pub hub_loss: Option<f64>,
    /// Round-trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Jitter of the voice in milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: Option<f64>,
    /// Playout delay of the voice in the page, in milliseconds.
    pub buffer_ms: Option<f64>,
    /// Share of the sound that was concealed, 0 to 1.
    pub concealed: Option<f64>,
    /// Frames drawn.
    pub frames: Option<u32>,
    /// Frames received but not drawn.
    pub dropped: Option<u32>,
    /// Freezes that ended in this window.
    pub freezes: Option<u32>,
    /// Their duration, in milliseconds.
    pub frozen_ms: Option<u32>,
    /// Width and height of the largest picture, in pixels.
    pub size: Option<(u16, u16)>,
    /// The camera's layer as sent by the hub, 0 the smallest.
    pub layer: Option<u8>,
    /// Number of pictures paused for lack of bandwidth.
    pub spared: Option<u8>,
    /// Bit rate in kbit/s sent by the hub, or received from a teacher.
    pub kbps: Option<u32>,
}

/// Its formula.
pub const LINE: Formula = Formula {
    figure: "line",
    version: 1,
    zh: "线路：每 5 秒取一次。丢包 = 页面少收到的包 ÷ 应收到的包（修补之前）；平台按接收端的 RTCP 报告另记一份，两者并排显示。往返时延取自连接检查；抖动按 \
RFC 3550 §6.4.1；画面层是平台正在发送的那一层（0 最小）。",
    en: "The line, every 5 s. Loss is packets missing at the page over packets expected, before any repair; the hub keeps a second \
figure from the receiver's RTCP reports, shown beside it. The round trip is that of the connectivity checks; jitter is that of \
RFC 3550 §6.4.1; the layer is the one that the hub sends (0 is the smallest).",
};

/// Its formula.
pub const FREEZE: Formula = Formula {
    figure: "freeze",
    version: 1,
    zh: "卡顿 = 相邻两帧画面的间隔 ≥ max(3 × 平均间隔, 平均间隔 + 150 毫秒)，平均间隔取最近 30 帧；卡顿占比 = 卡顿时间之和 ÷ 在课时长。由页面的浏览器按此定义\
计数（freezeCount、totalFreezesDuration）。",
    en: "A freeze is a gap between two rendered frames of at least max(3 x average, average + 150 ms), the average being that of \
the last 30 frames. The share of time frozen is the sum of freezes over the time present. The page's browser counts them by this \
definition (freezeCount, totalFreezesDuration).",
};

/// Its formula.
pub const CONCEALED: Formula = Formula {
    figure: "concealed",
    version: 1,
    zh: "补音占比 = 浏览器补出来的声音样本 ÷ 播放的声音样本（concealedSamples ÷ totalSamplesReceived），是冗余和重传修补之后仍然缺的部分。",
    en: "The share of sound made up is the samples that the browser concealed over those that it played (concealedSamples / \
totalSamplesReceived): what was still missing after redundancy and repeats.",
};

/// Its formula.
pub const ROLL_UP: Formula = Formula {
    figure: "roll_up",
    version: 1,
    zh: "全课汇总只算在课的时间：中位数 = 各 5 秒窗口排序后居中的一个；最差 = 最差的一个窗口；占比 = 满足条件的时间 ÷ 有数据的时间。",
    en: "Over a lesson only time present counts. The median is the middle one of the 5 s windows in order, the worst is the worst \
window, a share is the time for which a condition held over the time with figures.",
};

impl Sample {
    /// Voice score of this window. `None`: no voice was played, or its delay is unknown.
    #[must_use]
    pub fn mos(&self) -> Option<f64> {
        Some(voice_score(self.rtt_ms?, self.buffer_ms.unwrap_or_default(), self.concealed?))
    }

    /// Its length in milliseconds.
    #[must_use]
    pub fn span_ms(&self) -> i64 {
        self.until.0 - self.from.0
    }

    /// Frames per second. `None`: not counted.
    #[must_use]
    pub fn fps(&self) -> Option<f64> {
        let seconds = self.span_ms() as f64 / 1_000.0;
        self.frames.filter(|_| seconds > 0.0).map(|frames| f64::from(frames) / seconds)
    }

    /// The part in which the lesson was on screen, and the part in which it was not.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> + use<> {
        let shown = i64::from(self.shown_ms).min(self.span_ms());
        let turns_at = UnixMs(if self.shown_last {
            self.until.0.saturating_sub(shown)
        } else {
            self.from.0.saturating_add(shown)
        });
        let rest = Some(self.cause.unwrap_or(Cause::Line));
        let parts = if self.shown_last { [rest, None] } else { [None, rest] };
        [(self.from, turns_at, parts[0]), (turns_at, self.until, parts[1])]
            .into_iter()
            .filter(|(from, until, _)| from < until)
            .map(|(from, until, cause)| Stretch { from, until, cause })
    }
}

/// Aggregate of a figure over a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Figure {
    /// Median of the windows.
    pub median: f64,
    /// Worst window: the largest value; for voice score and frame rate the smallest.
    pub worst: f64,
}

/// Quality of a lesson at an end. `null`: not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RolledUp {
    /// Number of windows counted.
    pub windows: u32,
    /// Their total time, in milliseconds.
    pub covered_ms: i64,
    /// Packet loss on the way to the page, 0 to 1, by the page's figures.
    pub loss: Option<Figure>,
    /// The same, by the hub's figures.
    pub hub_loss: Option<Figure>,
    /// Round-trip time in milliseconds.
    pub rtt_ms: Option<Figure>,
    /// Jitter in milliseconds.
    pub jitter_ms: Option<Figure>,
    /// Voice score, 1 to 4.5.
    pub mos: Option<Figure>,
    /// Share of time with a voice score below 3.6.
    pub mos_below_share: Option<f64>,
    /// Share of the sound that was concealed, 0 to 1.
    pub concealed: Option<Figure>,
    /// Frames per second.
    pub fps: Option<Figure>,
    /// Height of the picture, in pixels.
    pub height: Option<Figure>,
    /// Number of freezes.
    pub freezes: Option<u32>,
    /// Share of time frozen.
    pub frozen_share: Option<f64>,
    /// Share of time in which some picture was paused for lack of bandwidth.
    pub spared_share: Option<f64>,
}

/// Voice score below which many listeners are dissatisfied (G.107 annex B, table B.1: R = 70).
const MOS_GOOD: f64 = 3.6;

/// Aggregates the windows of a lesson in which the lesson was on screen.
#[must_use]
pub fn roll_up(samples: &[Sample]) -> RolledUp {
    let there: Vec<&Sample> = samples.iter().filter(|sample| sample.shown_ms > 0 && sample.span_ms() > 0).collect();
    let largest = |value: fn(&Sample) -> Option<f64>| figure(&there, value, f64::max);
    let smallest = |value: fn(&Sample) -> Option<f64>| figure(&there, value, f64::min);
    let shown_ms: i64 = there.iter().map(|sample| i64::from(sample.shown_ms)).sum();
    let frozen: Vec<u32> = there.iter().filter_map(|sample| sample.frozen_ms).collect();
    let frozen_ms: i64 = frozen.iter().map(|ms| i64::from(*ms)).sum();
    let freezes: Vec<u32> = there.iter().filter_map(|sample| sample.freezes).collect();
    RolledUp {
        windows: u32::try_from(there.len()).unwrap_or(u32::MAX),
        covered_ms: there.iter().map(|sample| sample.span_ms()).sum(),
        loss: largest(|sample| sample.loss),
        hub_loss: largest(|sample| sample.hub_loss),
        rtt_ms: largest(|sample| sample.rtt_ms),
        jitter_ms: largest(|sample| sample.jitter_ms),
        mos: smallest(Sample::mos),
        mos_below_share: share(&there, |sample| sample.mos().map(|mos| mos < MOS_GOOD)),
        concealed: largest(|sample| sample.concealed),
        fps: smallest(Sample::fps),
        height: smallest(|sample| sample.size.map(|(_, height)| f64::from(height))),
        freezes: (!freezes.is_empty()).then(|| freezes.iter().sum()),
        frozen_share: (!frozen.is_empty() && shown_ms > 0).then(|| (frozen_ms as f64 / shown_ms as f64).min(1.0)),
        spared_share: share(&there, |sample| sample.spared.map(|spared| spared > 0)),
    }
}

fn figure(there: &[&Sample], value: fn(&Sample) -> Option<f64>, worst: fn(f64, f64) -> f64) -> Option<Figure> {
    let mut values: Vec<f64> =
        there.iter().filter_map(|sample| value(sample)).filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let median = *values.get(values.len().saturating_sub(1) / 2)?;
    Some(Figure { median, worst: values.iter().copied().reduce(worst)? })
}

fn share(there: &[&Sample], holds: impl Fn(&Sample) -> Option<bool>) -> Option<f64> {
    let (mut of, mut all) = (0, 0);
    for sample in there {
        let Some(holds) = holds(sample) else { continue };
        all += sample.span_ms();
        of += if holds { sample.span_ms() } else { 0 };
    }
    (all > 0).then(|| of as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::sample;

    #[test]
    fn a_window_that_was_shown_in_part_is_two_stretches() {
        let stretch = |from, until, cause| Stretch { from: UnixMs(from), until: UnixMs(until), cause };
        let went = sample(10, 2_000);
        let expected = [stretch(10_000, 12_000, None), stretch(12_000, 15_000, Some(Cause::Hidden))];
        assert_eq!(went.stretches().collect::<Vec<_>>(), expected);
        let came = Sample { shown_last: true, ..went };
        let expected = [stretch(10_000, 13_000, Some(Cause::Hidden)), stretch(13_000, 15_000, None)];
        assert_eq!(came.stretches().collect::<Vec<_>>(), expected);
        assert_eq!(sample(0, 5_000).stretches().collect::<Vec<_>>(), [stretch(0, 5_000, None)]);
        assert_eq!(sample(0, 9_000).stretches().collect::<Vec<_>>(), [stretch(0, 5_000, None)]);
        assert_eq!(sample(0, 0).stretches().count(), 1);
    }

    /// Manual calculation: losses 0, 1, 2, 9 and 50 % have median 2 %; 125 frames in 5 s are 25 a second; one window of
    /// five was frozen for a second, of 25 seconds in all: 4 %.
    #[test]
    fn five_windows_come_to_what_one_counts_by_hand() {
        let losses = [0.0, 0.02, 0.5, 0.01, 0.09];
        let mut samples: Vec<Sample> = (0_i64..)
            .zip(losses)
            .map(|(n, loss)| Sample {
                loss: Some(loss),
                rtt_ms: Some(60.0),
                buffer_ms: Some(40.0),
                concealed: Some(if n == 2 { 0.1 } else { 0.0 }),
                frames: Some(125),
                freezes: Some(u32::from(n == 2)),
                frozen_ms: Some(if n == 2 { 1_000 } else { 0 }),
                size: Some((640, if n == 2 { 180 } else { 360 })),
                spared: Some(u8::from(n == 2)),
                ..sample(n * 5, 5_000)
            })
            .collect();
        samples.push(Sample { loss: Some(1.0), ..sample(25, 0) });
        let rolled = roll_up(&samples);
        assert_eq!((rolled.windows, rolled.covered_ms), (5, 25_000), "a hidden window does not count");
        assert_eq!(rolled.loss, Some(Figure { median: 0.02, worst: 0.5 }));
        assert_eq!(rolled.fps, Some(Figure { median: 25.0, worst: 25.0 }));
        assert_eq!(rolled.height, Some(Figure { median: 360.0, worst: 180.0 }));
        assert_eq!((rolled.freezes, rolled.frozen_share, rolled.spared_share), (Some(1), Some(0.04), Some(0.2)));
        // R = 93.2 - 47.5 = 45.7: 1 + 1.5995 - 45.7 x 14.3 x 54.3 x 7e-6 = 2.3511.
        let mos = rolled.mos.unwrap();
        assert!((mos.median - 4.4093).abs() < 1e-4 && (mos.worst - 2.3511).abs() < 1e-4, "{mos:?}");
        assert_eq!(rolled.mos_below_share, Some(0.2));
        assert_eq!(rolled.jitter_ms, None);
        assert_eq!(roll_up(&[]), RolledUp::default());
    }
}
