//! Lessons recorded in virtual time from real media, judged by ffmpeg.
#![expect(clippy::disallowed_methods, reason = "the test owns a folder, and one first moment of time")]

mod composite;
mod export;
mod ffmpeg;
mod pages;
mod sound;
mod stage;
mod teacher;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use recorder::{
    Archive, GapManifest, Manifest, ManifestState, RecordingId, SystemClock, TrackManifest,
    disk::{
        LocalDisk,
        recording_files::{RecordingFiles, lock},
        recover,
    },
    id::MediaName,
    journal::{GapReason, Record, VERSION},
    recording::Recording,
    track::action::TrackResume,
};
use sfu::{
    id::TrackId,
    media::{Codec, TrackKind},
    tap::TapItem,
};
use tempfile::TempDir;

use crate::fixtures::ID;
use teacher::{CAMERA, Line, VOICE, at};

/// One recording, driven without threads.
struct Lesson {
    folder: TempDir,
    start: Instant,
    store: RecordingFiles,
    recording: Recording,
    clock: f64,
}

impl Lesson {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let id: RecordingId = ID.parse().unwrap();
        let begun =
            Record::Start { recording_id: id, version: VERSION, started_at_ms: 1_000_000, software: "test".to_owned() };
        let store = RecordingFiles::create(Arc::new(LocalDisk), folder.path().join(ID), &begun).unwrap();
        let start = Instant::now();
        Self { folder, start, store, recording: Recording::new(start, Duration::ZERO, []), clock: 0.0 }
    }

    /// Feeds items in order of arrival, up to `until`.
    fn play(&mut self, mut items: Vec<(f64, TapItem)>, until: f64) {
        items.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (arrival, item) in items {
            self.run_to(arrival);
            self.recording.handle_item(at(self.start, arrival), item);
            self.write();
        }
        self.run_to(until);
    }

    fn run_to(&mut self, until: f64) {
        while self.clock < until {
            self.clock = (self.clock + 0.050).min(until);
            self.recording.handle_timeout(at(self.start, self.clock));
            self.write();
        }
    }

    fn write(&mut self) {
        while let Some(action) = self.recording.poll_action() {
            self.store.perform(&action).unwrap();
        }
    }

    /// The process dies and another takes over, `seconds` later.
    fn crash(&mut self, seconds: f64) {
        let disk: Arc<dyn recorder::disk::Disk> = Arc::new(LocalDisk);
        let dir = self.folder.path().join(ID);
        self.store = recover::recover(&disk, &dir, None).unwrap().expect("there is a recording");
        self.clock += seconds;
        let ledger = lock(&self.store.ledger()).clone();
        let tracks: Vec<(TrackKind, TrackResume)> =
            recover::resume(disk.as_ref(), &dir, &ledger, GapReason::Crash).unwrap();
        self.recording = Recording::new(at(self.start, self.clock), Duration::from_secs_f64(self.clock), tracks);
        self.store.record(&Record::Resumed { at_ms: (self.clock * 1_000.0) as u64 }).unwrap();
    }

    fn finish(mut self) -> Recorded {
        self.recording.finish(at(self.start, self.clock), true);
        self.write();
        let archive = Archive::open(self.folder.path().to_owned(), Arc::new(SystemClock)).unwrap();
        assert_eq!(archive.recover().unwrap(), []);
        assert!(archive.verify(ID.parse().unwrap()).unwrap().unwrap().sealed);
        let manifest = archive.manifest(ID.parse().unwrap()).unwrap();
        assert_eq!(manifest.state, ManifestState::Sealed);
        Recorded { folder: self.folder, archive, manifest }
    }
}

struct Recorded {
    folder: TempDir,
    archive: Arc<Archive>,
    manifest: Manifest,
}

impl Recorded {
    fn id(&self) -> RecordingId {
        self.manifest.recording_id
    }

    fn track(&self, kind: TrackKind) -> &TrackManifest {
        self.manifest.tracks.iter().find(|track| track.kind == kind).unwrap()
    }

    /// The files that a track's playlist names, put together as a player would.
    fn file(&self, kind: TrackKind) -> PathBuf {
        let playlist = self.archive.playlist(self.id(), self.track(kind).playlist.as_ref().unwrap()).unwrap();
        assert!(playlist.contains("#EXT-X-ENDLIST") && playlist.contains("VOD"), "{playlist}");
        let mut bytes = Vec::new();
        for line in playlist.lines() {
            let name = match line.strip_prefix("#EXT-X-MAP:URI=\"") {
                Some(rest) => rest.trim_end_matches('"'),
                None if line.starts_with('#') || line.is_empty() => continue,
                None => line,
            };
            assert!(name.parse::<MediaName>().is_ok(), "{name}");
            bytes.extend(fs::read(self.archive.media_path(self.id(), name).unwrap()).unwrap());
        }
        let path = self.folder.path().join(format!("{kind}.mp4"));
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A file name that a player opens: the playlist beside copies of all that it names.
    fn hls(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(ID);
        let mut names = vec![name.to_owned()];
        names.extend(self.manifest.tracks.iter().filter_map(|track| track.playlist.clone()));
        for name in names {
            fs::write(folder.join(&name), self.archive.playlist(self.id(), &name).unwrap()).unwrap();
        }
        folder.join(name)
    }

    /// Every track decodes without a complaint and lasts `seconds`.
    fn plays_for(&self, seconds: f64) {
        ffmpeg::decodes_cleanly(&self.hls(self.manifest.main_playlist.as_ref().unwrap()));
        let duration_ms = self.manifest.duration_ms as f64;
        assert!((duration_ms - seconds * 1_000.0).abs() < 100.0, "{duration_ms}");
        for track in &self.manifest.tracks {
            let hls = self.hls(track.playlist.as_ref().unwrap());
            ffmpeg::decodes_cleanly(&hls);
            assert!((ffmpeg::duration(&hls) - seconds).abs() < 0.100, "{} as HLS", track.kind);
            let file = self.file(track.kind);
            ffmpeg::decodes_cleanly(&file);
            let duration = ffmpeg::duration(&file);
            assert!((duration - seconds).abs() < 0.100, "{} lasts {duration}, not {seconds}", track.kind);
            assert!((track.duration_ms as f64 - seconds * 1_000.0).abs() < 100.0, "{track:?}");
        }
    }

    /// For each flash seen with its beep heard: when, and how much later the beep comes, in seconds.
    fn flash_to_beep(&self) -> Vec<(f64, f64)> {
        let beeps = beeps(&ffmpeg::pcm(&self.file(TrackKind::Voice)));
        flashes(&self.file(TrackKind::Camera))
            .into_iter()
            .filter_map(|flash| {
                let beep = beeps.iter().copied().min_by(|a, b| (a - flash).abs().total_cmp(&(b - flash).abs()))?;
                ((beep - flash).abs() < 0.5).then_some((flash, beep - flash))
            })
            .collect()
    }
}

/// When pictures turn from dark to bright.
fn flashes(file: &Path) -> Vec<f64> {
    let pictures = ffmpeg::brightness(file);
    pictures.windows(2).filter(|pair| pair[0].1 < 100 && pair[1].1 > 150).map(|pair| pair[1].0).collect()
}

/// When a beep begins after at least half a second of stillness.
fn beeps(pcm: &[i16]) -> Vec<f64> {
    let mut quiet = 0;
    let mut found = Vec::new();
    for (i, sample) in pcm.iter().enumerate() {
        if sample.unsigned_abs() > 3_000 {
            if quiet > 24_000 {
                found.push(i as f64 / 48_000.0);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    found
}

#[test]
fn a_lesson_on_a_lossy_line_with_two_outages_keeps_its_time_and_its_lips() {
    let mut lesson = Lesson::begin();
    let pictures = teacher::pictures(Codec::H264, lesson.folder.path(), 84, "640x360");
    let packets = teacher::voice(84);
    let mut line = Line { seed: 7, repaired: 50, lost: 0, outages: vec![(20.0, 30.0), (55.0, 65.0)] };
    let mut items = teacher::microphone(lesson.start, 1.5, VOICE, &packets, &mut line);
    items.extend(teacher::camera(lesson.start, 1.5, CAMERA, Codec::H264, &pictures, &mut line));
    lesson.play(items, 88.0);
    let recorded = lesson.finish();
    recorded.plays_for(88.0);
    let pairs = recorded.flash_to_beep();
    println!("flash to beep: {pairs:.3?}");
    assert!(pairs.len() >= 28, "{} of some 32 flashes were kept with their beep", pairs.len());
    for (flash, late) in &pairs {
        assert!(late.abs() <= 0.060, "at {flash}: {late}");
        // The clip began 1.5 s into the lesson, with a flash every two seconds.
        let off = (flash - 1.5).rem_euclid(2.0);
        assert!(off.min(2.0 - off) < 0.15, "flash at {flash}");
    }
    for kind in [TrackKind::Voice, TrackKind::Camera] {
        let gaps = &recorded.track(kind).gaps;
        println!("{kind}: {gaps:?}");
        for from in [20_000_u64, 55_000] {
            let gap = gaps.iter().find(|gap| gap.from_ms.abs_diff(from) < 300).unwrap();
            assert!((9_500..12_500).contains(&(gap.to_ms - gap.from_ms)), "{gap:?}");
            assert_eq!(gap.reason, GapReason::Loss);
        }
        assert!(gaps.len() <= 5, "repaired packets are no gaps: {gaps:?}");
    }
    let sound = &recorded.track(TrackKind::Voice).sound;
    assert_eq!(sound.len(), 2, "{sound:?}");
    let main = recorded.archive.playlist(recorded.id(), "main.m3u8").unwrap();
    println!("{main}");
    assert!(main.contains("voice.m3u8") && main.contains("camera.m3u8") && main.contains("avc1."), "{main}");
}

#[test]
fn pictures_lost_for_good_never_leave_a_broken_group() {
    let mut lesson = Lesson::begin();
    let pictures = teacher::pictures(Codec::H264, lesson.folder.path(), 40, "320x180");
    let mut line = Line { seed: 3, repaired: 30, lost: 8, outages: Vec::new() };
    let items = teacher::camera(lesson.start, 0.2, CAMERA, Codec::H264, &pictures, &mut line);
    lesson.play(items, 41.0);
    let recorded = lesson.finish();
    recorded.plays_for(41.0);
    assert!(!recorded.track(TrackKind::Camera).gaps.is_empty());
}

/// However much of the files of the last seconds is there, a foreign player plays what is recovered.
#[test]
fn a_recording_cut_off_anywhere_plays_to_its_end() {
    let mut lesson = Lesson::begin();
    let pictures = teacher::pictures(Codec::H264, lesson.folder.path(), 12, "320x180");
    let mut line = Line::clean();
    let mut items = teacher::camera(lesson.start, 0.2, CAMERA, Codec::H264, &pictures, &mut line);
    items.extend(teacher::microphone(lesson.start, 0.2, VOICE, &teacher::voice(12), &mut line));
    items.retain(|(arrival, _)| *arrival < 11.4);
    lesson.play(items, 11.4);
    let dir = lesson.folder.path().join(ID);
    let parts: Vec<PathBuf> = fs::read_dir(&dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "part"))
        .collect();
    assert_eq!(parts.len(), 2, "a segment of each track is open");
    for (nth, share) in [0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join(ID);
        fs::create_dir(&copy).unwrap();
        for file in fs::read_dir(&dir).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            if parts.contains(&path) {
                // One byte more or less than a round share, so that no box happens to end there.
                bytes.truncate((bytes.len() as f64 * share) as usize + nth % 3);
            }
            fs::write(copy.join(path.file_name().unwrap()), bytes).unwrap();
        }
        let archive = Archive::open(folder.path().to_owned(), Arc::new(SystemClock)).unwrap();
        archive.recover().unwrap();
        let manifest = archive.seal(ID.parse().unwrap()).unwrap();
        let seconds = manifest.duration_ms as f64 / 1_000.0;
        println!("cut at {share}: {seconds} s play");
        Recorded { folder, archive, manifest }.plays_for(seconds);
    }
}

#[test]
fn vp9_and_av1_play_as_well() {
    for codec in [Codec::Vp9, Codec::Av1] {
        let mut lesson = Lesson::begin();
        let pictures = teacher::pictures(codec, lesson.folder.path(), 10, "320x180");
        let mut line = Line::clean();
        let mut items = teacher::camera(lesson.start, 0.5, CAMERA, codec, &pictures, &mut line);
        items.extend(teacher::microphone(lesson.start, 0.5, VOICE, &teacher::voice(10), &mut line));
        lesson.play(items, 11.0);
        let recorded = lesson.finish();
        recorded.plays_for(11.0);
        let camera = recorded.track(TrackKind::Camera);
        assert_eq!((camera.codec, camera.width, camera.height), (Some(codec), Some(320), Some(180)));
        let pairs = recorded.flash_to_beep();
        println!("{codec:?} {pairs:.3?}");
        assert!(pairs.len() >= 4 && pairs.iter().all(|(_, late)| late.abs() < 0.060), "{pairs:?}");
    }
}

#[test]
fn a_teacher_who_comes_back_with_another_camera_goes_on_in_the_same_track() {
    let mut lesson = Lesson::begin();
    let small = teacher::pictures(Codec::H264, lesson.folder.path(), 8, "320x180");
    let large = teacher::pictures(Codec::H264, lesson.folder.path(), 8, "640x360");
    let mut line = Line::clean();
    let mut items = teacher::camera(lesson.start, 2.0, CAMERA, Codec::H264, &small, &mut line);
    items.push((10.5, TapItem::Ended { track: CAMERA, at: at(lesson.start, 10.5) }));
    items.extend(teacher::camera(lesson.start, 40.0, TrackId(9), Codec::H264, &large, &mut line));
    lesson.play(items, 49.0);
    let recorded = lesson.finish();
    let camera = recorded.track(TrackKind::Camera);
    assert_eq!((camera.width, camera.starts_at_ms / 500), (Some(640), 4));
    println!("{:?}", camera.gaps);
    assert!(camera.gaps.iter().any(|gap| gap.reason == GapReason::Away && gap.to_ms.abs_diff(40_045) < 150));
    let playlist = recorded.archive.playlist(recorded.id(), "camera.m3u8").unwrap();
    assert_eq!(playlist.matches("#EXT-X-MAP").count(), 2, "{playlist}");
    recorded.plays_for(49.0);
}

#[test]
fn a_teacher_who_was_cut_off_is_told_from_one_who_stopped() {
    let mut lesson = Lesson::begin();
    let pictures = teacher::pictures(Codec::H264, lesson.folder.path(), 8, "320x180");
    let packets = teacher::voice(8);
    let mut line = Line::clean();
    let mut items = teacher::camera(lesson.start, 0.2, CAMERA, Codec::H264, &pictures, &mut line);
    items.extend(teacher::microphone(lesson.start, 0.2, VOICE, &packets, &mut line));
    // The line breaks; ten seconds later the page has a new one, and the hub lets go of what it had.
    items.push((18.3, TapItem::Ended { track: CAMERA, at: at(lesson.start, 18.3) }));
    items.push((18.3, TapItem::Ended { track: VOICE, at: at(lesson.start, 18.3) }));
    items.extend(teacher::camera(lesson.start, 18.4, TrackId(9), Codec::H264, &pictures, &mut line));
    items.extend(teacher::microphone(lesson.start, 18.4, TrackId(10), &packets, &mut line));
    // Now the teacher stops the camera, and shows it again later.
    items.push((26.6, TapItem::Ended { track: TrackId(9), at: at(lesson.start, 26.6) }));
    items.extend(teacher::camera(lesson.start, 40.0, TrackId(11), Codec::H264, &pictures, &mut line));
    lesson.play(items, 49.0);
    let recorded = lesson.finish();
    let told = |kind: TrackKind, from_ms: u64, to_ms: u64| {
        let near = |gap: &&GapManifest| gap.from_ms.abs_diff(from_ms) < 150 && gap.to_ms.abs_diff(to_ms) < 150;
        recorded.track(kind).gaps.iter().find(near).map(|gap| gap.reason)
    };
    println!("{:?}", recorded.track(TrackKind::Camera).gaps);
    assert_eq!(told(TrackKind::Camera, 8_200, 18_440), Some(GapReason::Loss));
    assert_eq!(told(TrackKind::Voice, 8_200, 18_440), Some(GapReason::Loss));
    assert_eq!(told(TrackKind::Camera, 26_400, 40_040), Some(GapReason::Away));
}

#[test]
fn after_a_crash_the_same_recording_goes_on_with_a_gap_of_the_right_length() {
    let mut lesson = Lesson::begin();
    let pictures = teacher::pictures(Codec::H264, lesson.folder.path(), 16, "320x180");
    let packets = teacher::voice(16);
    let mut line = Line::clean();
    let mut items = teacher::microphone(lesson.start, 0.3, VOICE, &packets, &mut line);
    items.extend(teacher::camera(lesson.start, 0.3, CAMERA, Codec::H264, &pictures, &mut line));
    items.retain(|(arrival, _)| *arrival < 11.7);
    lesson.play(items, 11.7);
    lesson.crash(5.0);
    let begun = lesson.clock;
    for track in [TrackKind::Voice, TrackKind::Camera] {
        let ledger = lesson.store.ledger();
        let kept_ms = lock(&ledger).of(track).unwrap().duration_ms();
        println!("{track}: kept {kept_ms} ms of 11700");
        assert!(kept_ms >= 9_900, "{track} lost {} ms", 11_700 - kept_ms);
    }
    let mut items = teacher::microphone(lesson.start, begun + 1.0, TrackId(11), &packets, &mut line);
    items.extend(teacher::camera(lesson.start, begun + 1.0, TrackId(12), Codec::H264, &pictures, &mut line));
    lesson.play(items, begun + 18.0);
    let recorded = lesson.finish();
    recorded.plays_for(begun + 18.0);
    for kind in [TrackKind::Voice, TrackKind::Camera] {
        let gap = *recorded.track(kind).gaps.iter().find(|gap| gap.reason == GapReason::Crash).unwrap();
        println!("{kind}: {gap:?}");
        assert!(gap.to_ms.abs_diff(17_700) < 150 && gap.from_ms > 9_900 && gap.from_ms < 11_700, "{gap:?}");
    }
    let playlist = recorded.archive.playlist(recorded.id(), "camera.m3u8").unwrap();
    assert_eq!(playlist.matches("#EXT-X-MAP").count(), 1, "the same camera needs no new init segment");
    assert!(recorded.flash_to_beep().iter().all(|(_, late)| late.abs() <= 0.060));
}
