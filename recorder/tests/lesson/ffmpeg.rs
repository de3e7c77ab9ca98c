//! The foreign judge: makes the media, and says whether what was recorded is sound.

use std::{
    path::Path,
    process::{Command, Output},
};

fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("this test needs {program}, which could not be run: {error}"))
}

/// Runs ffmpeg; its standard output.
pub fn ffmpeg(args: &[&str]) -> Vec<u8> {
    let output = run("ffmpeg", &[&["-nostdin", "-hide_banner", "-v", "error"], args].concat());
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ffmpeg {args:?}: {complaints}");
    assert_eq!(complaints.trim(), "", "ffmpeg {args:?} complains");
    output.stdout
}

/// Decodes everything; any word of ffmpeg is a failure.
///
/// Pictures keep their own time base: rounded to a guessed frame rate, two of a varying rate meet, and the null muxer
/// complains of what the file does not hold.
pub fn decodes_cleanly(file: &Path) {
    ffmpeg(&["-i", path(file), "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"]);
}

/// Seconds.
pub fn duration(file: &Path) -> f64 {
    let output =
        run("ffprobe", &["-v", "error", "-show_entries", "format=duration", "-of", "default=nw=1:nk=1", path(file)]);
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    text.parse().unwrap_or_else(|_| panic!("ffprobe tells no duration: {text:?} {:?}", output.stderr))
}

/// When each picture is shown, in seconds, and how bright it is (0 to 255).
pub fn brightness(file: &Path) -> Vec<(f64, u8)> {
    let gray = ffmpeg(&[
        "-i",
        path(file),
        "-vf",
        "scale=1:1:flags=area,format=gray",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "-1",
        "-f",
        "rawvideo",
        "-",
    ]);
    let output = run(
        "ffprobe",
        &["-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0", path(file)],
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let times: Vec<f64> = text.lines().filter_map(|line| line.trim().trim_end_matches(',').parse().ok()).collect();
    assert_eq!(times.len(), gray.len(), "a time for each picture");
    times.into_iter().zip(gray).collect()
}

/// The voice at 48 kHz, mono.
pub fn pcm(file: &Path) -> Vec<i16> {
    let bytes = ffmpeg(&["-i", path(file), "-ac", "1", "-ar", "48000", "-f", "s16le", "-"]);
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

pub fn path(file: &Path) -> &str {
    file.to_str().expect("test paths are plain")
}
