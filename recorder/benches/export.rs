//! A lesson of forty minutes as one MP4 file: how long until its first byte, its last, and what ffmpeg says of it.
#![expect(clippy::disallowed_methods, reason = "the bench owns a folder and measures real time")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/lesson/ffmpeg.rs"]
mod ffmpeg;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/lesson/teacher.rs"]
mod teacher;

use std::{
    fs,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use recorder::{
    Archive, ExportSpan, ExportTracks, RecordingId, SystemClock,
    disk::{LocalDisk, recording_files::RecordingFiles},
    journal::{Record, VERSION},
    recording::Recording,
};
use sfu::{
    id::TrackId,
    media::{Codec, TrackKind},
    tap::TapItem,
};
use teacher::{CAMERA, Line, VOICE, at};

const ID: &str = "0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a";
const MINUTES: u32 = 40;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    record(folder.path());
    println!("recorded {MINUTES} minutes of voice, camera and board in {:.1} s", begun.elapsed().as_secs_f64());
    let id: RecordingId = ID.parse().unwrap();
    for tracks in ExportTracks::ALL {
        // Nothing of the recording is in memory, where the machine lets us say so.
        let cold = fs::write("/proc/sys/vm/drop_caches", "1").is_ok();
        let archive = Archive::open(folder.path().to_owned(), Arc::new(SystemClock)).unwrap();
        let begun = Instant::now();
        let export = archive.export(id, tracks, None).unwrap();
        let ready = begun.elapsed();
        let mut file = fs::File::create(folder.path().join(format!("{tracks}.mp4"))).unwrap();
        let mut head = [0; 64 * 1024];
        let first = export.reader(0).read(&mut head).unwrap();
        assert!(first > 0);
        let begun = Instant::now();
        io::copy(&mut export.reader(0), &mut file).unwrap();
        let whole = begun.elapsed();
        let archive = Archive::open(folder.path().to_owned(), Arc::new(SystemClock)).unwrap();
        let begun = Instant::now();
        let again = archive.export(id, tracks, None).unwrap();
        let warm = begun.elapsed();
        assert_eq!(again.tag(), export.tag());
        let begun = Instant::now();
        archive.export(id, tracks, Some(ExportSpan { from_ms: 1_234_567, to_ms: 1_294_567 })).unwrap();
        let clip = begun.elapsed();
        println!(
            "{tracks}: {:.1} MB, ready in {:.0} ms ({}), {:.0} ms from memory, copied in {:.2} s; a clip of a minute ready in {:.1} ms",
            export.size_bytes() as f64 / 1e6,
            ready.as_secs_f64() * 1e3,
            if cold { "from the disk" } else { "caches as they were" },
            warm.as_secs_f64() * 1e3,
            whole.as_secs_f64(),
            clip.as_secs_f64() * 1e3,
        );
    }
    let begun = Instant::now();
    let both = folder.path().join("both.mp4");
    println!("ffprobe: {:?}, {:.3} s", ffmpeg::streams(&both), ffmpeg::duration(&both));
    ffmpeg::decodes_cleanly(&both);
    println!("ffmpeg decodes all of it without a word, in {:.0} s", begun.elapsed().as_secs_f64());
}

/// A minute of moving pictures, again and again.
fn pictures(dir: &Path, name: &str, source: &str, rate: &str) -> Vec<(Bytes, bool)> {
    let file = dir.join(name);
    let encoder = ["-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-b:v", rate, "-maxrate", rate];
    let shape =
        ["-bufsize", rate, "-x264-params", "aud=1:bframes=0:keyint=120:min-keyint=120:scenecut=0", "-f", "h264"];
    let input = ["-y", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p"];
    ffmpeg::ffmpeg(&[&input[..], &encoder, &shape, &[ffmpeg::path(&file)]].concat());
    let minute = teacher::access_units(&teacher::read(&file));
    (0..MINUTES).flat_map(|_| minute.clone()).collect()
}

fn record(root: &Path) {
    let camera = pictures(root, "camera.h264", "testsrc2=s=640x360:r=30:d=60", "1000k");
    let board = pictures(root, "board.h264", "mandelbrot=s=1280x720:r=30:end_pts=1800,trim=duration=60", "800k");
    let mut line = Line { seed: 7, repaired: 10, lost: 0, outages: Vec::new() };
    let id: RecordingId = ID.parse().unwrap();
    let started =
        Record::Start { recording_id: id, version: VERSION, started_at_ms: 1_000_000, software: "bench".into() };
    let mut store = RecordingFiles::create(Arc::new(LocalDisk), root.join(ID), &started).unwrap();
    let start = Instant::now();
    let mut recording = Recording::new(start, Duration::ZERO, []);
    let mut items = teacher::microphone(start, 0.0, VOICE, &teacher::voice(MINUTES * 60), &mut line);
    items.extend(teacher::camera(start, 0.0, CAMERA, Codec::H264, &camera, &mut line));
    let mut shown = teacher::camera(start, 0.0, TrackId(3), Codec::H264, &board, &mut line);
    if let Some((_, TapItem::Started { kind, .. })) = shown.first_mut() {
        *kind = TrackKind::Board;
    }
    items.extend(shown);
    items.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut clock, end) = (0.0, f64::from(MINUTES) * 60.0);
    let write = |recording: &mut Recording, store: &mut RecordingFiles| {
        while let Some(action) = recording.poll_action() {
            store.perform(&action).unwrap();
        }
    };
    for (arrival, item) in items {
        while clock < arrival {
            clock = f64::min(clock + 0.050, arrival);
            recording.handle_timeout(at(start, clock));
        }
        recording.handle_item(at(start, arrival), item);
        write(&mut recording, &mut store);
    }
    recording.finish(at(start, end), true);
    write(&mut recording, &mut store);
}
