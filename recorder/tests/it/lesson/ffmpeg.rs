//! ffmpeg as independent judge: makes the media, and checks what was recorded.

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

/// Decodes everything; any output of ffmpeg is a failure.
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

/// What ffprobe says of a file, line by line.
fn probe(file: &Path, args: &[&str]) -> Vec<String> {
    let output = run("ffprobe", &[&["-v", "error"], args, &["-of", "csv=p=0", path(file)]].concat());
    assert_eq!(String::from_utf8_lossy(&output.stderr).trim(), "", "ffprobe {args:?} complains of {}", file.display());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| line.trim().trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Each stream: what it is, and how wide.
pub fn streams(file: &Path) -> Vec<String> {
    probe(file, &["-show_entries", "stream=codec_type,width"])
}

/// The sizes of the pictures of the first stream, each once, in their order.
pub fn sizes(file: &Path) -> Vec<String> {
    let mut sizes: Vec<String> = probe(file, &["-select_streams", "v:0", "-show_entries", "frame=width,height"])
        .into_iter()
        .map(|line| line.replace(',', "x"))
        .collect();
    sizes.dedup();
    sizes
}

/// Length and digest of every packet of a stream.
pub fn packets(file: &Path, stream: &str) -> Vec<String> {
    probe(file, &["-select_streams", stream, "-show_data_hash", "crc32", "-show_entries", "packet=size,data_hash"])
}

/// What ffmpeg's own meter (EBU R128) says of a file: integrated loudness and the most of the short-term one, in LUFS.
pub fn loudness(file: &Path) -> (f32, f32) {
    let filter = "ebur128=metadata=1,ametadata=print:file=-";
    let text = ffmpeg(&["-i", path(file), "-af", filter, "-f", "null", "-"]);
    let text = String::from_utf8_lossy(&text).into_owned();
    let values =
        |key: &str| -> Vec<f32> { text.lines().filter_map(|line| line.strip_prefix(key)?.parse().ok()).collect() };
    let integrated = *values("lavfi.r128.I=").last().expect("ffmpeg has a meter");
    (integrated, values("lavfi.r128.S=").into_iter().fold(f32::MIN, f32::max))
}
