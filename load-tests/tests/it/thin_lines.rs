//! Each classroom gets the best that its own line carries: layers, shares and queues on the virtual clock.

use std::time::Duration;

use load_tests::{line::Line, simulate::Simulation};
use sfu::TrackKind;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn wire(kbps: u64, delay_ms: u64) -> Line {
    Line { rate_bps: Some(kbps * 1_000), delay: Duration::from_millis(delay_ms), ..Line::CLEAN }
}

/// What flowed to a classroom second by second, and the longest queue in each.
struct Seconds {
    camera: Vec<Option<usize>>,
    board: Vec<Option<usize>>,
    queue: Vec<Duration>,
    bitrate: Vec<u64>,
    trace: String,
}

fn watch(lesson: &mut Simulation, name: &str, seconds: u64) -> Seconds {
    let mut seen = Seconds { camera: vec![], board: vec![], queue: vec![], bitrate: vec![], trace: String::new() };
    for second in 0..seconds {
        let mut longest = Duration::ZERO;
        for _ in 0..50 {
            lesson.run_for(Duration::from_millis(20));
            longest = longest.max(lesson.queue(name));
        }
        let seat = lesson.seat(name).expect("the hub counts every second");
        let layer = |kind| seat.slots.iter().find(|slot| slot.kind == kind).and_then(|slot| slot.layer);
        seen.camera.push(layer(TrackKind::Camera));
        seen.board.push(layer(TrackKind::Board));
        seen.queue.push(longest);
        seen.bitrate.push(seat.bitrate_bps);
        let kbps = seat.estimate_bps.unwrap_or(0) / 1_000;
        seen.trace += &format!(
            "{second:3} s: estimate {kbps} kbit/s, sent {}, board {:?}, camera {:?}, queue {longest:?}\n",
            seat.bitrate_bps / 1_000,
            layer(TrackKind::Board),
            layer(TrackKind::Camera)
        );
    }
    seen
}

fn whole_lesson(seed: u64) -> Simulation {
    Simulation::seeded(seed).layered_camera().teacher("board")
}

#[test]
fn a_line_that_shrinks_to_300_kbit_and_grows_again() {
    let name = "Hill School";
    let mut lesson = whole_lesson(7).classroom(name, wire(4_000, 20));
    let wide = watch(&mut lesson, name, 20);
    println!("4 Mbit/s\n{}", wide.trace);
    assert_eq!(wide.camera.last(), Some(&Some(1)), "the full layer\n{}", wide.trace);

    lesson.set_line(name, wire(300, 20));
    let thin = watch(&mut lesson, name, 40);
    println!("300 kbit/s\n{}", thin.trace);
    let gap = Duration::from_millis(20) * lesson.attendance(name).speaker.longest_gap as u32;
    println!("longest voice gap {gap:?}, freezes {:?}", lesson.attendance(name).screen);
    assert!(gap < Duration::from_millis(200), "voice gap {gap:?}\n{}", thin.trace);
    assert!(thin.queue[5..].iter().all(|queue| *queue < Duration::from_millis(300)), "{}", thin.trace);
    assert!(thin.board[5..].iter().all(Option::is_some), "the board stays\n{}", thin.trace);

    lesson.set_line(name, wire(4_000, 20));
    let again = watch(&mut lesson, name, 20);
    println!("4 Mbit/s again\n{}", again.trace);
    assert!(again.camera[15..].iter().all(|layer| *layer == Some(1)), "full within 15 s\n{}", again.trace);
}

#[test]
fn one_classroom_at_100_kbit_harms_nobody_and_hears_everything() {
    let thin = "Hill School";
    let near = |rate: Option<u64>| {
        let mut lesson = whole_lesson(7);
        for number in 0..4 {
            lesson = lesson.classroom(&format!("Centre School {number}"), wire(20_000, 10));
        }
        if let Some(kbps) = rate {
            lesson = lesson.classroom(thin, wire(kbps, 20));
        }
        lesson
    };
    let mut alone = near(None);
    let before = watch(&mut alone, "Centre School 2", 60);
    let mut lesson = near(Some(100));
    // Its beginning is the line being learnt.
    lesson.run_for(secs(10));
    let before_thin = lesson.attendance(thin);
    let seen = watch(&mut lesson, thin, 50);
    println!("{}", seen.trace);
    let others = lesson.attendance("Centre School 2");
    let sum = |bitrate: &[u64]| bitrate.iter().sum::<u64>() as f64;
    let others_rate = {
        let mut again = near(Some(100));
        sum(&watch(&mut again, "Centre School 2", 60).bitrate[10..])
    };
    let share = others_rate / sum(&before.bitrate[10..]);
    let after = lesson.attendance(thin);
    let concealed = after.speaker.concealed - before_thin.speaker.concealed;
    println!(
        "others get {share:.4} of what they got alone; of its voice {concealed} of 2500 frames concealed, {} before",
        before_thin.speaker.concealed
    );
    assert!((0.98..1.02).contains(&share), "{share}");
    assert_eq!((others.screen.freezes, others.speaker.concealed), (0, 0));
    assert_eq!(after.voice_packets_lost, before_thin.voice_packets_lost, "its voice is whole\n{}", seen.trace);
    assert!(concealed <= 12, "{concealed} of 2500 frames came too late\n{}", seen.trace);
    assert!(seen.queue.iter().all(|queue| *queue <= Duration::from_millis(200)), "{}", seen.trace);
    assert!(lesson.hub().keyframes_asked["viewer"] <= 30, "{:?}", lesson.hub().keyframes_asked);
}

#[test]
fn loss_without_delay_is_no_congestion() {
    // Of two pictures for a minute, camera and board.
    let watched = 120.0;
    for (loss, burst, frozen) in
        [(0.10, 0.0, 0.03), (0.10, 3.0, 0.03), (0.20, 0.0, 0.1), (0.20, 3.0, 0.1), (0.40, 0.0, 0.5), (0.40, 3.0, 0.5)]
    {
        let name = "Hill School";
        let line = Line { delay: Duration::from_millis(40), loss, burst, ..Line::CLEAN };
        let mut lesson = whole_lesson(11).classroom(name, line);
        let seen = watch(&mut lesson, name, 60);
        let low = seen.camera[8..].iter().filter(|layer| **layer != Some(1)).count();
        let none = seen.camera[8..].iter().filter(|layer| layer.is_none()).count();
        let screen = lesson.attendance(name).screen;
        println!("{loss} in {burst}: low {low} s, paused {none} s, {screen:?}\n{}", seen.trace);
        assert_eq!(none, 0, "never paused at {loss}\n{}", seen.trace);
        assert!(loss > 0.15 || low == 0, "the layer is kept at {loss}\n{}", seen.trace);
        assert!(screen.frozen.as_secs_f64() < watched * frozen, "{screen:?}");
    }
}

#[test]
fn the_narrow_rural_lines_carry_voice_and_board() {
    // The same share of the voice is lost that the line loses, until redundancy mends it.
    for (name, line, concealed) in [("500k", Line::RURAL_500K, 0.07), ("300k", Line::RURAL_300K, 0.13)] {
        let mut lesson = whole_lesson(5).classroom(name, line);
        let seen = watch(&mut lesson, name, 90);
        println!("{name}: {:?} {:?}\n{}", lesson.attendance(name).screen, lesson.attendance(name).speaker, seen.trace);
        assert!(lesson.concealed(name) < concealed, "{}", lesson.concealed(name));
        assert!(seen.board[5..].iter().all(Option::is_some), "{}", seen.trace);
        let pictures = lesson.attendance(name).screen.pictures;
        assert!(pictures > 90 * 5, "{pictures} pictures of board and camera\n{}", seen.trace);
    }
}

#[test]
fn a_layer_that_falls_silent_is_left_and_a_fat_line_is_never_bothered() {
    let name = "Centre School";
    let mut lesson = whole_lesson(3).classroom(name, wire(20_000, 5));
    let seen = watch(&mut lesson, name, 60);
    println!("{}", seen.trace);
    assert!(seen.camera[5..].iter().all(|layer| *layer == Some(1)), "{}", seen.trace);
    assert_eq!(lesson.attendance(name).screen.freezes, 0);
}
