//! The archive with its threads and files, fed through a tap.
#![expect(clippy::disallowed_methods, reason = "the test looks at the files, and needs one first moment of time")]

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use bytes::Bytes;
use recorder::{
    Archive, ArchiveError, ArchiveOptions, Clock, Condition, DiskLevel, ManifestState, RecorderState, RecordingId,
    disk::{Disk, DiskFile, LocalDisk, space::FreeSpace},
    journal::{GapReason, TrackNote},
};
use sfu::{
    id::TrackId,
    media::{Codec, TrackKind},
    packet::Packet,
    tap::{TapItem, channel},
};

use crate::fixtures::{HandClock, ID, id, show, show_one, speak, word};

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..50_000_000_u64 {
        if done() {
            return;
        }
        thread::yield_now();
    }
    panic!("waited in vain until {what}");
}

#[test]
fn a_lesson_is_whole_the_moment_it_is_finished_and_never_changes_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let archive = Archive::open(folder.path().join("recordings"), clock.clone()).unwrap();
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    let (_other, second) = channel(1);
    assert!(matches!(archive.record(id(), second), Err(ArchiveError::AlreadyRecording { .. })));
    speak(&clock, &sender, TrackId(1), 9_000);
    wait_until("nine seconds are durable", || recorder.status().kept_ms >= 8_000);
    let live = archive.playlist(id(), "voice.m3u8").unwrap();
    assert!(live.contains("EVENT") && !live.contains("ENDLIST"), "{live}");
    assert_eq!(archive.manifest(id()).unwrap().state, ManifestState::Recording);

    let manifest = recorder.finish().unwrap();
    assert_eq!((manifest.state, manifest.duration_ms), (ManifestState::Sealed, 9_000));
    assert_eq!(manifest, archive.manifest(id()).unwrap());
    assert!(manifest.tracks[0].duration_ms.abs_diff(9_000) < 100);
    let playlist = archive.playlist(id(), "voice.m3u8").unwrap();
    assert!(
        playlist.contains("#EXT-X-ENDLIST") && playlist.contains("#EXT-X-MAP:URI=\"voice-init-1.mp4\""),
        "{playlist}"
    );
    assert!(archive.media_path(id(), "voice-000001.m4s").unwrap().is_file());
    for name in ["../../etc/passwd", "journal.log", "seal.json", "voice-000099.m4s", "voice-000001.m4s.part", "", "."] {
        assert!(matches!(archive.media_path(id(), name), Err(ArchiveError::NoFile { .. })), "{name}");
    }
    assert!(archive.playlist(id(), "camera.m3u8").is_err());
    let (_sender, receiver) = channel(1);
    assert!(matches!(archive.record(id(), receiver), Err(ArchiveError::Sealed { .. })));
    // Another process finds the same.
    let archive = Archive::open(folder.path().join("recordings"), clock).unwrap();
    assert_eq!(archive.recover().unwrap(), []);
    assert_eq!(archive.manifest(id()).unwrap(), manifest);
}

#[test]
fn a_process_that_stops_lets_the_next_one_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let archive = Archive::open(folder.path().to_owned(), clock.clone()).unwrap();
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    speak(&clock, &sender, TrackId(1), 5_000);
    recorder.suspend().unwrap();
    clock.advance(4_000);

    let archive = Archive::open(folder.path().to_owned(), clock.clone()).unwrap();
    assert_eq!(archive.recover().unwrap(), [id()]);
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    speak(&clock, &sender, TrackId(1), 3_000);
    drop(recorder);
    clock.advance(60_000);

    // The lesson has ended meanwhile: it is sealed where its media ends.
    let archive = Archive::open(folder.path().to_owned(), clock).unwrap();
    assert_eq!(archive.recover().unwrap(), [id()]);
    let manifest = archive.seal(id()).unwrap();
    assert_eq!(manifest.state, ManifestState::Sealed);
    assert!(manifest.duration_ms.abs_diff(12_000) < 50, "{}", manifest.duration_ms);
    let gap = manifest.tracks[0].gaps.iter().find(|gap| gap.reason == GapReason::Suspended).unwrap();
    assert!(gap.from_ms.abs_diff(5_000) < 50 && gap.to_ms.abs_diff(9_000) < 50, "{gap:?}");
    assert!(matches!(archive.seal(id()), Err(ArchiveError::Sealed { .. })));
}

#[test]
fn the_list_tells_in_which_condition_each_recording_lies_and_one_can_be_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let archive = Archive::open(folder.path().to_owned(), clock.clone()).unwrap();
    assert_eq!(archive.list().unwrap(), []);
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    speak(&clock, &sender, TrackId(1), 9_000);
    wait_until("nine seconds are durable", || recorder.status().kept_ms >= 8_000);
    let listed = archive.list().unwrap()[0];
    assert_eq!((listed.condition, listed.started_at_ms), (Condition::Running, 1_800_000_000_000));
    // As another process would find it after a crash.
    let crashed = tempfile::tempdir().unwrap();
    let name = |file: &str| crashed.path().join(ID).join(file);
    fs::create_dir(crashed.path().join(ID)).unwrap();
    for file in fs::read_dir(folder.path().join(ID)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), name(file.file_name().to_str().unwrap())).unwrap();
    }
    fs::create_dir(crashed.path().join("lost+found")).unwrap();
    let other = Archive::open_with(
        crashed.path().to_owned(),
        clock.clone(),
        ArchiveOptions { create: false, ..Default::default() },
    )
    .unwrap();
    let repaired = other.repair(id()).unwrap();
    assert_eq!(repaired.condition, Condition::Interrupted);
    assert!(repaired.duration_ms >= listed.duration_ms, "{repaired:?}");
    assert_eq!(other.list().unwrap(), [repaired]);
    assert_eq!(other.repair(id()).unwrap(), repaired, "once is enough");
    let none: RecordingId = "0192f0c4-7d5e-7cc1-8a6b-000000000000".parse().unwrap();
    assert!(matches!(other.repair(none), Err(ArchiveError::NoRecording { .. })));
    fs::write(name("journal.log"), b"?").unwrap();
    assert_eq!(other.list().unwrap()[0].condition, Condition::Unreadable);
    assert!(
        Archive::open_with(
            crashed.path().join("nowhere"),
            clock,
            ArchiveOptions { create: false, ..Default::default() }
        )
        .is_err()
    );

    recorder.suspend().unwrap();
    assert_eq!(archive.list().unwrap()[0].condition, Condition::Suspended);
    archive.seal(id()).unwrap();
    let sealed = archive.list().unwrap()[0];
    assert_eq!((sealed.condition, sealed.gaps), (Condition::Sealed, 0));
    assert!(sealed.duration_ms.abs_diff(9_000) < 100 && sealed.size_bytes > 1_000, "{sealed:?}");
    fs::remove_file(folder.path().join(ID).join("seal.json")).unwrap();
    assert_eq!(archive.list().unwrap()[0].condition, Condition::Unsealed);
    assert_eq!(archive.repair(id()).unwrap(), sealed);
}

#[test]
fn what_cannot_be_kept_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let archive = Archive::open(folder.path().to_owned(), clock.clone()).unwrap();
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    let arrived = clock.now();
    let started = TapItem::Started { track: TrackId(2), kind: TrackKind::Camera, codec: Codec::Vp8, arrived };
    sender.send(started).unwrap();
    speak(&clock, &sender, TrackId(1), 1_000);
    let manifest = recorder.finish().unwrap();
    let camera = manifest.tracks.iter().find(|track| track.kind == TrackKind::Camera).unwrap();
    assert_eq!(camera.notes, [TrackNote::CannotBeKept { codec: Codec::Vp8 }]);
    assert_eq!(camera.playlist, None);
    // The voice alone still plays.
    assert!(archive.playlist(id(), "main.m3u8").unwrap().contains("voice.m3u8"));
}

#[test]
fn a_room_that_closes_leaves_the_recording_to_be_finished() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let archive = Archive::open(folder.path().to_owned(), clock.clone()).unwrap();
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    speak(&clock, &sender, TrackId(1), 2_000);
    drop(sender);
    wait_until("the tap has been read", || recorder.status().kept_ms > 0 || archive.manifest(id()).is_ok());
    clock.advance(1_000);
    assert_eq!(recorder.finish().unwrap().duration_ms, 3_000);
}

/// A disk that can be full, and says how much room it has.
#[derive(Default)]
struct Full {
    full: AtomicBool,
    /// Per cent. The reserve is in it as long as it is there.
    used: AtomicU64,
    reserve: AtomicU64,
}

impl Full {
    fn check(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(io::Error::from_raw_os_error(28)) } else { Ok(()) }
    }
}

struct Shared(Arc<Full>);
struct FullFile(Arc<Full>, Box<dyn DiskFile>);

impl Disk for Shared {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        LocalDisk.read(path)
    }
    fn open(&self, path: &Path, len: u64) -> io::Result<Box<dyn DiskFile>> {
        self.0.check()?;
        Ok(Box::new(FullFile(self.0.clone(), LocalDisk.open(path, len)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }
    fn free_space(&self, _: &Path) -> io::Result<FreeSpace> {
        let total_bytes = 10_u64 << 30;
        let used = total_bytes / 100 * self.0.used.load(Ordering::SeqCst) + self.0.reserve.load(Ordering::SeqCst);
        Ok(FreeSpace { free_bytes: total_bytes.saturating_sub(used), total_bytes, free_files: 0, total_files: 0 })
    }
    fn reserve_file(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.0.check()?;
        self.0.reserve.store(bytes, Ordering::SeqCst);
        fs::write(path, b"a small one will do")
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)?;
        if path.ends_with("reserve") {
            self.0.reserve.store(0, Ordering::SeqCst);
        }
        Ok(())
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(path)
    }
}

impl DiskFile for FullFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.check()?;
        self.1.append(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.1.sync()
    }
}

#[test]
fn a_full_disk_pauses_the_recording_and_room_lets_it_catch_up() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let full = Arc::new(Full::default());
    let archive = Archive::open_with(
        PathBuf::from(folder.path()),
        clock.clone(),
        ArchiveOptions { disk: Arc::new(Shared(full.clone())), ..Default::default() },
    )
    .unwrap();
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    speak(&clock, &sender, TrackId(1), 5_000);
    wait_until("the first segment is durable", || recorder.status().kept_ms > 0);
    full.full.store(true, Ordering::SeqCst);
    speak(&clock, &sender, TrackId(2), 5_000);
    wait_until("it pauses", || recorder.status().state == RecorderState::Paused);
    assert_eq!(recorder.status().dropped, 0);
    full.full.store(false, Ordering::SeqCst);
    clock.advance(600);
    wait_until("it goes on", || recorder.status().state == RecorderState::Recording);
    let manifest = recorder.finish().unwrap();
    assert!(
        manifest.tracks[0].gaps.iter().all(|gap| gap.reason != GapReason::DiskFull),
        "{:?}",
        manifest.tracks[0].gaps
    );
    assert_eq!(manifest.duration_ms, 10_600);
    assert!(fs::metadata(archive.media_path(id(), "voice-000002.m4s").unwrap()).unwrap().len() > 0);
}

#[test]
fn a_disk_that_stays_full_costs_a_named_gap_and_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let full = Arc::new(Full::default());
    let archive = Archive::open_with(
        PathBuf::from(folder.path()),
        clock.clone(),
        ArchiveOptions { disk: Arc::new(Shared(full.clone())), ..Default::default() },
    )
    .unwrap();
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    let (track, arrived) = (TrackId(1), clock.now());
    sender.send(TapItem::Started { track, kind: TrackKind::Camera, codec: Codec::H264, arrived }).unwrap();
    show(&clock, &sender, track, 0..100);
    wait_until("the first segments are durable", || recorder.status().kept_ms > 5_000);
    full.full.store(true, Ordering::SeqCst);
    for second in 10..80 {
        show(&clock, &sender, track, second * 10..second * 10 + 10);
        let before = recorder.status().waiting_bytes;
        wait_until("the tap is read", || {
            let status = recorder.status();
            status.waiting_bytes != before || status.state == RecorderState::Paused
        });
    }
    wait_until("the backlog is given up", || {
        clock.advance(1);
        let status = recorder.status();
        status.state == RecorderState::Paused && status.waiting_bytes == 0
    });
    assert_eq!(recorder.status().dropped, 0);
    full.full.store(false, Ordering::SeqCst);
    wait_until("it goes on", || {
        clock.advance(1);
        recorder.status().state == RecorderState::Recording
    });
    show(&clock, &sender, track, 900..950);
    let end_ms = clock.ms();
    let manifest = recorder.finish().unwrap();
    assert_eq!(manifest.duration_ms, end_ms);
    let camera = &manifest.tracks[0];
    assert!(camera.duration_ms.abs_diff(end_ms) < 100, "{camera:?}");
    assert!(camera.gaps.iter().any(|gap| gap.reason == GapReason::DiskFull && gap.to_ms > 70_000), "{:?}", camera.gaps);
}

#[test]
fn a_disk_that_fills_costs_the_camera_first_then_everything_and_the_recording_goes_on_by_itself() {
    let (folder, clock, disk) = (tempfile::tempdir().unwrap(), HandClock::new(), Arc::new(Full::default()));
    let archive = Archive::open_with(
        PathBuf::from(folder.path()),
        clock.clone(),
        ArchiveOptions { disk: Arc::new(Shared(disk.clone())), ..Default::default() },
    )
    .unwrap();
    archive.measure_disk();
    let reserve = folder.path().join("reserve");
    assert!(reserve.is_file(), "set aside before anything is recorded");
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    let (voice, camera, arrived) = (TrackId(8), TrackId(9), clock.now());
    for (track, kind, codec) in [(voice, TrackKind::Voice, Codec::Opus), (camera, TrackKind::Camera, Codec::H264)] {
        sender.send(TapItem::Started { track, kind, codec, arrived }).unwrap();
    }
    let mut picture = 0;
    // Six seconds of both, once the recorder is in `state`.
    let mut teach_until = |state: RecorderState, used: u64| {
        disk.used.store(used, Ordering::SeqCst);
        archive.measure_disk();
        wait_until("it has noticed", || recorder.status().state == state);
        let is_light = sender.wants_light(TrackKind::Camera);
        assert_eq!(is_light, archive.disk_state().level >= DiskLevel::Tight, "the camera's smallest picture is enough");
        assert!(!sender.wants_light(TrackKind::Board), "a board is to be read");
        for _ in 0..60 {
            for n in 0..5 {
                clock.advance(20);
                sender.send(word(&clock, voice, picture * 5 + n)).unwrap();
            }
            show_one(&clock, &sender, camera, picture);
            picture += 1;
        }
        let (now_ms, looks) = (clock.ms(), clock.looks());
        wait_until("the tap is read", || match state {
            // Each round of the recorder's thread looks at the clock twice, and reads all of this.
            RecorderState::Paused => clock.looks() > looks + 6,
            _ => recorder.status().kept_ms + 5_000 > now_ms,
        });
        recorder.status()
    };
    assert_eq!(teach_until(RecorderState::Recording, 10).state, RecorderState::Recording);
    teach_until(RecorderState::Recording, 85);
    teach_until(RecorderState::Lean, 90);
    assert_eq!(archive.disk_state().level, DiskLevel::Tight);
    teach_until(RecorderState::Lean, 94);
    let paused = teach_until(RecorderState::Paused, 99);
    assert_eq!((paused.waiting_bytes, paused.dropped), (0, 0), "nothing is held in memory meanwhile");
    assert!(!reserve.exists(), "given up");
    archive.verify(id()).unwrap().unwrap();
    teach_until(RecorderState::Recording, 50);
    assert!(reserve.is_file(), "set aside again");
    let end_ms = clock.ms();
    let manifest = recorder.finish().unwrap();
    archive.verify(id()).unwrap().unwrap();
    let gaps = |kind: TrackKind| -> Vec<(u64, u64)> {
        let track = manifest.tracks.iter().find(|track| track.kind == kind).unwrap();
        assert!(track.duration_ms.abs_diff(end_ms) < 100, "{track:?}");
        let full = track.gaps.iter().filter(|gap| gap.reason == GapReason::DiskFull);
        full.map(|gap| (gap.from_ms, gap.to_ms)).collect()
    };
    let (voice, camera) = (gaps(TrackKind::Voice), gaps(TrackKind::Camera));
    println!("voice {voice:?}, camera {camera:?}");
    let length = |gaps: &[(u64, u64)]| gaps.iter().map(|(from, to)| to - from).sum::<u64>();
    assert!(!voice.is_empty() && length(&camera) > length(&voice) + 3_000, "the camera was left out longer");
}

#[test]
fn a_lesson_that_begins_on_a_full_disk_is_recorded_as_soon_as_there_is_room() {
    let (folder, clock, disk) = (tempfile::tempdir().unwrap(), HandClock::new(), Arc::new(Full::default()));
    let archive = Archive::open_with(
        PathBuf::from(folder.path()),
        clock.clone(),
        ArchiveOptions { disk: Arc::new(Shared(disk.clone())), ..Default::default() },
    )
    .unwrap();
    disk.full.store(true, Ordering::SeqCst);
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    let (_other, second) = channel(1);
    assert!(matches!(archive.record(id(), second), Err(ArchiveError::AlreadyRecording { .. })));
    speak(&clock, &sender, TrackId(1), 3_000);
    assert_eq!(recorder.status().state, RecorderState::Paused);
    disk.full.store(false, Ordering::SeqCst);
    wait_until("it goes on", || {
        clock.advance(1);
        recorder.status().state == RecorderState::Recording
    });
    speak(&clock, &sender, TrackId(2), 5_000);
    let manifest = recorder.finish().unwrap();
    assert!(manifest.duration_ms >= 5_000, "{manifest:?}");
    archive.verify(id()).unwrap().unwrap();
}

#[test]
fn a_keyframe_is_asked_for_after_a_hole_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let archive = Archive::open(folder.path().to_owned(), clock.clone()).unwrap();
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    let (track, arrived) = (TrackId(1), clock.now());
    sender.send(TapItem::Started { track, kind: TrackKind::Camera, codec: Codec::H264, arrived }).unwrap();
    show(&clock, &sender, track, 0..50);
    wait_until("the first segment is durable", || recorder.status().kept_ms > 3_000);
    // At the very beginning the clock of this test may outrun the thread.
    let _ = sender.take_wanted().count();
    let kept_ms = recorder.status().kept_ms;
    show(&clock, &sender, track, 50..150);
    wait_until("the next segment is durable", || recorder.status().kept_ms > kept_ms);
    assert_eq!(sender.take_wanted().count(), 0, "nothing is missing");
    // One packet is lost for good, and only pictures follow that need those before them.
    let mut seq = 452;
    let mut wanted = Vec::new();
    wait_until("a keyframe is asked for", || {
        clock.advance(100);
        let packet = Arc::new(Packet {
            seq,
            timestamp: (seq * 9_000) as u32,
            marker: true,
            codec: Codec::H264,
            keyframe: false,
            payload: Bytes::from_static(&[0x61, 0x9a, 1, 2, 3]),
            audio_level: None,
            vp8: None,
            frame_start: true,
            layered: None,
        });
        seq += 1;
        sender.send(TapItem::Packet { track, arrived: clock.now(), packet }).unwrap();
        wanted.extend(sender.take_wanted());
        !wanted.is_empty()
    });
    assert_eq!(wanted, [TrackKind::Camera]);
    recorder.finish().unwrap();
}
