//! Storage format of samples: one line of small integers per window; a value equal to the line before is left empty.
//!
//! 480 windows of one classroom and lesson take 18 kB if every figure changes. A county's day of 700 lessons has
//! 3,500 ends: 62 MB at most.

use super::{attendance::Cause, quality::Sample};
use crate::base::time::UnixMs;

/// Fields of a line, in order.
const FIELDS: usize = 19;

/// No value, where the line before had one.
const NONE: &str = "-";

/// A malformed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the windows cannot be read")]
pub struct Unreadable {
    /// Line number, from 1.
    pub line: usize,
}

/// Windows as text. The first begins no earlier than `from`; shares are rounded to a hundredth of a percent.
#[must_use]
pub fn write(from: UnixMs, samples: &[Sample]) -> String {
    let (mut text, mut before, mut at) = (String::new(), [None; FIELDS], from);
    for sample in samples {
        let fields = fields_of(at, sample);
        let mut line = String::new();
        for (field, before) in fields.iter().zip(&before) {
            if field != before {
                match field {
                    Some(value) => line.push_str(&value.to_string()),
                    None => line.push_str(NONE),
                }
            }
            line.push(',');
        }
        text.push_str(line.trim_end_matches(','));
        text.push('\n');
        (before, at) = (fields, sample.until);
    }
    text
}

/// Parses windows written by [`write()`].
///
/// # Errors
/// [`Unreadable`] with the first malformed line.
pub fn read(from: UnixMs, text: &str) -> Result<Vec<Sample>, Unreadable> {
    let (mut samples, mut fields, mut at) = (Vec::new(), [None; FIELDS], from);
    for (n, line) in text.lines().enumerate() {
        let bad = Unreadable { line: n + 1 };
        let mut parts = line.split(',');
        for field in &mut fields {
            match parts.next() {
                None | Some("") => {}
                Some(NONE) => *field = None,
                Some(value) => *field = Some(value.parse::<i64>().map_err(|_| bad)?),
            }
        }
        let sample = sample_of(at, &fields).filter(|_| parts.next().is_none()).ok_or(bad)?;
        at = sample.until;
        samples.push(sample);
    }
    Ok(samples)
}

fn fields_of(at: UnixMs, sample: &Sample) -> [Option<i64>; FIELDS] {
    let share = |share: Option<f64>| share.map(|share| (share * 10_000.0).round() as i64);
    let whole = |value: Option<f64>| value.map(|value| value.round() as i64);
    let count = |value: Option<u32>| value.map(i64::from);
    let cause = sample.cause.and_then(|cause| Cause::ALL.iter().position(|known| *known == cause));
    [
        Some(sample.from.0.saturating_sub(at.0)),
        Some(sample.span_ms()),
        Some(sample.span_ms() - i64::from(sample.shown_ms)),
        Some(i64::from(sample.shown_last)),
        cause.and_then(|cause| i64::try_from(cause).ok()),
        share(sample.loss),
        share(sample.hub_loss),
        whole(sample.rtt_ms),
        whole(sample.jitter_ms),
        whole(sample.buffer_ms),
        share(sample.concealed),
        count(sample.frames),
        count(sample.dropped),
        count(sample.freezes),
        count(sample.frozen_ms),
        sample.size.map(|(width, height)| (i64::from(width) << 16) + i64::from(height)),
        sample.layer.map(i64::from),
        sample.spared.map(i64::from),
        count(sample.kbps),
    ]
}

/// `None`: a figure is out of range.
fn sample_of(at: UnixMs, fields: &[Option<i64>; FIELDS]) -> Option<Sample> {
    let share = |n: usize| fields[n].map(|value| value as f64 / 10_000.0);
    let whole = |n: usize| fields[n].map(|value| value as f64);
    let count = |n: usize| fields[n].map(|value| u32::try_from(value).ok()).map_or(Some(None), |value| value.map(Some));
    let small = |n: usize| fields[n].map(|value| u8::try_from(value).ok()).map_or(Some(None), |value| value.map(Some));
    let from = UnixMs(at.0.checked_add(fields[0]?)?);
    let span_ms = fields[1].filter(|ms| *ms >= 0)?;
    let cause = match fields[4] {
        None => None,
        Some(n) => Some(*Cause::ALL.get(usize::try_from(n).ok()?)?),
    };
    let size = match fields[15] {
        None => None,
        Some(size) => Some((u16::try_from(size >> 16).ok()?, u16::try_from(size & 0xffff).ok()?)),
    };
    Some(Sample {
        from,
        until: UnixMs(from.0.checked_add(span_ms)?),
        shown_ms: u32::try_from(span_ms.checked_sub(fields[2]?)?).ok()?,
        shown_last: fields[3]? == 1,
        cause,
        loss: share(5),
        hub_loss: share(6),
        rtt_ms: whole(7),
        jitter_ms: whole(8),
        buffer_ms: whole(9),
        concealed: share(10),
        frames: count(11)?,
        dropped: count(12)?,
        freezes: count(13)?,
        frozen_ms: count(14)?,
        size,
        layer: small(16)?,
        spared: small(17)?,
        kbps: count(18)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::sample;

    fn busy(n: i64, noise: u32) -> Sample {
        Sample {
            until: UnixMs(n * 5_000 + 4_990 + i64::from(noise % 20)),
            from: UnixMs(n * 5_000),
            shown_ms: 4_990 + noise % 20,
            cause: None,
            loss: Some(f64::from(noise % 7) / 10_000.0),
            hub_loss: Some(0.0),
            rtt_ms: Some(f64::from(58 + noise % 9)),
            jitter_ms: Some(f64::from(3 + noise % 4)),
            buffer_ms: Some(f64::from(80 + noise % 30)),
            concealed: Some(f64::from(noise % 3) / 10_000.0),
            frames: Some(123 + noise % 4),
            dropped: Some(0),
            freezes: Some(0),
            frozen_ms: Some(0),
            size: Some((1_280, 720)),
            layer: Some(1),
            spared: Some(0),
            kbps: Some(1_400 + noise % 200),
            ..sample(0, 0)
        }
    }

    #[test]
    fn a_lesson_of_a_classroom_is_small_and_is_read_as_it_was_written() {
        let mut noise = 7_u32;
        let samples: Vec<Sample> = (0..480)
            .map(|n| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                busy(n, noise >> 8)
            })
            .collect();
        let text = write(UnixMs(0), &samples);
        assert_eq!(read(UnixMs(0), &text).unwrap(), samples);
        println!("480 windows of a busy line: {} bytes", text.len());
        assert!(text.len() < 20_000, "{}", text.len());
    }

    #[test]
    fn what_was_spoiled_is_no_window() {
        let text = write(UnixMs(0), &[busy(0, 1), busy(1, 2)]);
        for (spoiled, line) in [
            (text.replacen("1280", "x", 1).replacen(',', "x", 1), 1),
            (format!("{text}nonsense\n"), 3),
            (format!("{text},-5\n"), 3),
            (format!("{text},,,,99\n"), 3),
            (format!("{text}{}\n", ",".repeat(19)), 3),
            ("1\n".to_owned(), 1),
            (format!("{text}{},{}\n", i64::MAX, i64::MAX), 3),
        ] {
            assert_eq!(read(UnixMs(0), &spoiled), Err(Unreadable { line }), "{spoiled}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-0-9,\n]{0,200}") {
            let _ = read(UnixMs(0), &text);
        }
    }
}
