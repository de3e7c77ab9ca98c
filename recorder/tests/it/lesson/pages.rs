//! A board on which pages are turned, as encoders send it: every page is a chapter, and nothing else is.

use std::fmt::Write as _;

use recorder::ChapterKind;

use super::*;

const WIDTH: usize = 960;
const HEIGHT: usize = 540;

/// A page of so many lines of strokes, as a PGM picture.
fn page(seed: u64, lines: usize) -> Vec<u8> {
    let mut seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut pixels = vec![0xF0_u8; WIDTH * HEIGHT];
    let mut fill = |x: usize, y: usize, width: usize, height: usize, shade: u8| {
        for row in y..(y + height).min(HEIGHT) {
            pixels[row * WIDTH + x.min(WIDTH)..row * WIDTH + (x + width).min(WIDTH)].fill(shade);
        }
    };
    fill(0, 0, WIDTH, 40, 0x50);
    for line in 0..lines {
        for letter in 0..8 + random(22) {
            let (x, y) = (50 + letter * 28, 70 + line * 34);
            for _ in 0..5 {
                match random(2) {
                    0 => fill(x + random(14), y + random(20), 4 + random(14), 3, 0x20),
                    _ => fill(x + random(18), y + random(12), 3, 4 + random(12), 0x20),
                }
            }
        }
    }
    [format!("P5 {WIDTH} {HEIGHT} 255\n").as_bytes(), &pixels].concat()
}

/// When each page but the first is turned up, in seconds, and the board as an encoder with these parameters sends it: a
/// hand moves over it now and then, and in the end a video plays.
fn board(dir: &Path, parameters: &str) -> (Vec<f64>, Vec<(bytes::Bytes, bool)>) {
    const LINES: [usize; 11] = [5, 9, 13, 3, 11, 13, 12, 4, 8, 13, 6];
    const SECONDS: [f64; 11] = [9.3, 6.1, 8.7, 7.2, 6.6, 9.9, 5.5, 8.1, 7.7, 6.3, 9.0];
    let (mut inputs, mut turned, mut at) = (Vec::new(), Vec::new(), 0.0);
    let mut graph = String::new();
    for (n, (lines, seconds)) in LINES.iter().zip(SECONDS).enumerate() {
        let file = dir.join(format!("page-{n}.pgm"));
        fs::write(&file, page(n as u64 + 1, *lines)).unwrap();
        let seconds = seconds.to_string();
        inputs.extend(["-loop", "1", "-framerate", "30", "-t", &seconds, "-i", ffmpeg::path(&file)].map(str::to_owned));
        write!(graph, "[{n}]format=yuv420p[p{n}];").unwrap();
        at += SECONDS[n];
        turned.push(at);
    }
    let pages: String = (0..LINES.len()).map(|n| format!("[p{n}]")).collect();
    let video = format!("testsrc2=s={WIDTH}x{HEIGHT}:r=30:d=12,format=yuv420p");
    write!(
        graph,
        "{video}[v];{pages}[v]concat=n={}[c];color=red:s=14x14:r=30[hand];\
         [c][hand]overlay=x='400+300*sin(t*1.3)':y='280+150*cos(t*0.9)':enable='lt(mod(t,16),7)':shortest=1,\
         format=yuv420p",
        LINES.len() + 1
    )
    .unwrap();
    let file = dir.join("board.h264");
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let asked = "3.1,12.9,13.4,22.8,31.7,33.2,41.2,52.5,58.8,66.6,77.7,90";
    let encoder = [
        "-r",
        "30",
        "-c:v",
        "libx264",
        "-profile:v",
        "baseline",
        "-preset",
        "veryfast",
        "-tune",
        "zerolatency",
        "-b:v",
        "1200k",
        "-maxrate",
        "1200k",
        "-bufsize",
        "1200k",
        "-x264-params",
        parameters,
        "-f",
        "h264",
        "-y",
    ];
    // Keyframes on request, where the encoder listens.
    let listens: &[&str] = if parameters.contains("scenecut=0") { &["-force_key_frames", asked] } else { &[] };
    let args = [&inputs[..], &["-filter_complex", &graph], listens, &encoder, &[ffmpeg::path(&file)]].concat();
    ffmpeg::ffmpeg(&args);
    (turned, teacher::access_units(&teacher::read(&file)))
}

#[test]
fn every_page_that_is_turned_is_a_chapter() {
    for (who, parameters, may_miss) in [
        ("a browser, asked now and then", "aud=1:keyint=300:min-keyint=1:scenecut=0", 0),
        ("an encoder that sees scenes", "aud=1:keyint=60:min-keyint=1:scenecut=40", 1),
    ] {
        let mut lesson = Lesson::begin();
        let (turned, pictures) = board(lesson.folder.path(), parameters);
        let seconds = pictures.len() as f64 / 30.0;
        let mut items = teacher::camera(lesson.start, 0.0, CAMERA, Codec::H264, &pictures, &mut Line::clean());
        if let Some((_, TapItem::Started { kind, .. })) = items.first_mut() {
            *kind = TrackKind::Board;
        }
        lesson.play(items, seconds + 0.5);
        let recorded = lesson.finish();
        let chapters = &recorded.manifest.chapters;
        assert!(chapters.iter().all(|chapter| chapter.kind == ChapterKind::Board));
        let is_turn = |at_ms: u64| turned.iter().any(|at| (at_ms as f64 / 1_000.0 - at).abs() < 0.5);
        let found = |at: f64| chapters.iter().any(|chapter| (chapter.at_ms as f64 / 1_000.0 - at).abs() < 0.5);
        let missed: Vec<f64> = turned.iter().copied().filter(|at| !found(*at)).collect();
        let wrong: Vec<u64> = chapters.iter().map(|chapter| chapter.at_ms).filter(|at| !is_turn(*at)).collect();
        println!("{who}: {} pages, {} chapters, missed {missed:?}, wrong {wrong:?}", turned.len(), chapters.len());
        assert!(missed.len() <= may_miss && wrong.is_empty(), "{who}");
    }
}
