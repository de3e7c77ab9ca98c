//! What is told of a voice, beside what ffmpeg's own meter says of the file that was kept.

use recorder::journal::sound::Loudness;

use super::*;

/// Speech, as far as a meter knows it: a buzz whose loudness goes with syllables, in sentences with pauses.
fn speech(t: f64, loud: f64) -> f64 {
    let sentence = t % 5.0 < 3.5;
    let syllable = (t * 4.0 * std::f64::consts::TAU).sin().max(0.0).sqrt();
    let buzz: f64 = (1..8).map(|n| (t * 140.0 * f64::from(n) * std::f64::consts::TAU).sin() / f64::from(n)).sum();
    if sentence { loud * syllable * buzz } else { 0.0 }
}

/// A room's noise, the same at each asking.
fn noise(t: f64) -> f64 {
    let n = (t * 48_000.0) as u64;
    let hash = (n ^ 0x9E37_79B9).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    ((hash >> 40) as f64 / f64::from(1 << 24) - 0.5) * 2.0
}

fn recorded(seconds: u32, at: impl Fn(f64) -> f64, line: &mut Line) -> (Recorded, Loudness) {
    let mut lesson = Lesson::begin();
    let items = teacher::microphone(lesson.start, 0.0, VOICE, &teacher::sound(seconds, at), line);
    lesson.play(items, f64::from(seconds) + 0.5);
    let recorded = lesson.finish();
    let loudness = recorded.track(TrackKind::Voice).loudness.clone().unwrap();
    (recorded, loudness)
}

#[test]
fn loudness_is_what_ffmpegs_meter_says_of_the_same_file() {
    // Louder and softer, with half a minute of stillness, and once with an outage.
    let loud = |t: f64| match t as u32 {
        0..30 => 0.12,
        30..60 => 0.0,
        60..90 => 0.35,
        _ => 0.02,
    };
    let outage = Line { outages: vec![(70.0, 80.0)], ..Line::clean() };
    for mut line in [Line::clean(), outage] {
        let (recorded, told) = recorded(120, |t| speech(t, loud(t)) + 0.0008 * noise(t), &mut line);
        let (integrated, short_term_max) = ffmpeg::loudness(&recorded.file(TrackKind::Voice));
        let (ours, our_max) = (told.integrated_lufs.unwrap(), told.short_term_max_lufs.unwrap());
        println!(
            "integrated {ours:.2} LUFS, ffmpeg {integrated:.2}; short-term max {our_max:.2}, ffmpeg {short_term_max:.2}"
        );
        assert!((ours - integrated).abs() <= 0.2, "{ours} and {integrated}");
        assert!((our_max - short_term_max).abs() <= 0.3, "{our_max} and {short_term_max}");
        let minutes = &recorded.track(TrackKind::Voice).sound;
        let heard: Vec<u64> = minutes.iter().map(|minute| minute.heard_ms / 10_000).filter(|tens| *tens > 0).collect();
        assert!(heard == [5, 6] || heard == [5, 5], "{minutes:?}");
    }
}

#[test]
fn speech_is_what_stands_out_of_the_room_and_clipping_is_what_is_cut_off() {
    let (_, told) = recorded(60, |t| speech(t, 0.2) + 0.002 * noise(t), &mut Line::clean());
    println!("{told:?}");
    // Three and a half of five seconds, but for what a syllable fades in and out.
    assert!((0.62..0.80).contains(&told.speech) && told.clipped == 0.0, "{told:?}");
    let (_, fan) = recorded(60, |t| 0.05 * noise(t), &mut Line::clean());
    println!("{fan:?}");
    assert!(fan.speech < 0.2 && fan.silent < 0.05, "a fan says nothing: {fan:?}");
    let (_, still) = recorded(60, |_| 0.0, &mut Line::clean());
    assert!(still.speech == 0.0 && still.silent > 0.99 && still.integrated_lufs.is_none(), "{still:?}");
    let (_, cut) = recorded(20, |t| (3.0 * speech(t, 1.0)).clamp(-1.0, 1.0), &mut Line::clean());
    assert!(cut.clipped > 0.02, "{cut:?}");
}

#[test]
fn a_lesson_that_was_broken_off_is_as_loud_as_its_parts() {
    let mut lesson = Lesson::begin();
    let packets = teacher::sound(70, |t| speech(t, 0.2));
    let mut line = Line::clean();
    let mut items = teacher::microphone(lesson.start, 0.0, VOICE, &packets, &mut line);
    items.retain(|(arrival, _)| *arrival < 65.0);
    lesson.play(items, 65.0);
    lesson.crash(3.0);
    let begun = lesson.clock;
    let items = teacher::microphone(lesson.start, begun, TrackId(11), &packets, &mut line);
    lesson.play(items, begun + 71.0);
    let recorded = lesson.finish();
    let told = recorded.track(TrackKind::Voice).loudness.clone().unwrap();
    let (integrated, _) = ffmpeg::loudness(&recorded.file(TrackKind::Voice));
    println!("integrated {:?}, ffmpeg {integrated:.2}", told.integrated_lufs);
    assert!((told.integrated_lufs.unwrap() - integrated).abs() <= 0.3);
}
