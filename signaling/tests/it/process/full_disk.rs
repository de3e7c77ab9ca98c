//! The disk is full in the middle of a lesson: the lesson feels nothing, the recording waits, says so, and goes on.
#![expect(clippy::disallowed_methods, reason = "a test of real processes: it needs the clock, threads and files")]

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::fixtures::process::{Process, Taught, clip};
use recorder::{Archive, RecordingId, SystemClock, journal::GapReason};
use tempfile::TempDir;

/// A file system in memory, of its own size.
struct Tmpfs(TempDir);

impl Tmpfs {
    fn mount(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path()).output();
        let mounted = mounted.expect("mount runs");
        let why = String::from_utf8_lossy(&mounted.stderr);
        assert!(mounted.status.success(), "NOT RUN: this test mounts a tmpfs, which takes root: {why}");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// Takes all room, by one large file or by many empty ones. Answers what has to be removed to give it back.
fn fill(folder: &Path, by_files: bool) -> PathBuf {
    let filler = folder.join("filler");
    if by_files {
        fs::create_dir(&filler).unwrap();
        (0..).find(|n| File::create(filler.join(n.to_string())).is_err()).expect("it is full at last");
    } else {
        let (mut file, block) = (File::create(&filler).unwrap(), vec![1; 64 << 10]);
        while file.write_all(&block).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
    }
    filler
}

fn wait_until(what: &str, within: Duration, mut done: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < within, "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
    began.elapsed()
}

fn fills_up(options: &str, by_files: bool) {
    let (disk, clip) = (Tmpfs::mount(options), clip());
    let data = disk.path().join("data");
    let mut hub = Process::sample(&data);
    let paused = |hub: &Process| hub.figure("tongke_recordings_paused");
    let taught = Taught::begin(&hub, &clip);
    wait_until("it is recorded", Duration::from_secs(30), || hub.figure("tongke_recordings_kept") == Some(1.0));
    thread::park_timeout(Duration::from_secs(3));
    taught.start_counting();
    let before = taught.sent();

    let filler = fill(disk.path(), by_files);
    let stopped = wait_until("the recording pauses", Duration::from_secs(10), || paused(&hub) == Some(1.0));
    let level = hub.figure("tongke_disk_level");
    thread::park_timeout(Duration::from_secs(4));
    assert_eq!((paused(&hub), hub.figure("tongke_recordings_kept")), (Some(1.0), Some(0.0)), "it stays so");
    if by_files { fs::remove_dir_all(&filler) } else { fs::remove_file(&filler) }.unwrap();
    let resumed = wait_until("it goes on", Duration::from_secs(10), || paused(&hub) == Some(0.0));
    thread::park_timeout(Duration::from_secs(4));

    let sent = taught.sent() - before;
    let tally = taught.end().expect("the lesson went on").tally;
    let lost = tally.missed.saturating_sub(tally.repaired);
    println!(
        "{options}: paused after {} ms (level {level:?}), went on {} ms after there was room; {} packets to classrooms \
         meanwhile of {} sent to three, {lost} lost",
        stopped.as_millis(),
        resumed.as_millis(),
        tally.packets,
        sent * 3
    );
    hub.stop();
    assert_eq!((lost, tally.voice_lost), (0, 0), "the lesson felt it");
    assert!(tally.packets + sent / 4 > sent * 3, "{} of {}", tally.packets, sent * 3);
    // A second look every two seconds, and a figure that is asked for over HTTP.
    assert!(stopped <= Duration::from_millis(2_500), "{stopped:?}");

    let recordings = data.join("recordings");
    let names = fs::read_dir(&recordings).unwrap().map(|entry| entry.unwrap().file_name());
    let ids: Vec<RecordingId> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    let id = ids[0].to_string();
    for words in [&["verify", "recording", id.as_str()][..], &["verify", "audit"]] {
        let (whole, said) = hub.console(words);
        assert!(whole, "{said}");
    }
    let archive = Archive::open_with(
        recordings,
        Arc::new(SystemClock),
        recorder::ArchiveOptions { create: false, ..Default::default() },
    )
    .unwrap();
    let manifest = archive.seal(ids[0]).unwrap();
    archive.verify(ids[0]).unwrap().unwrap();
    assert_eq!(manifest.tracks.len(), 2);
    for track in &manifest.tracks {
        let full: Vec<_> = track.gaps.iter().filter(|gap| gap.reason == GapReason::DiskFull).collect();
        let gap_ms: u64 = full.iter().map(|gap| gap.to_ms - gap.from_ms).sum();
        assert!((3_000..15_000).contains(&gap_ms), "{}: {:?}", track.kind, track.gaps);
        assert!(track.duration_ms.abs_diff(manifest.duration_ms) < 100, "{track:?}");
    }
}

#[test]
fn a_lesson_feels_nothing_of_a_disk_without_room_and_its_recording_goes_on_by_itself() {
    fills_up("size=64m", false);
}

#[test]
fn a_lesson_feels_nothing_of_a_disk_without_room_for_another_file() {
    fills_up("size=512m,nr_inodes=2000", true);
}
