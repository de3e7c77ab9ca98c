//! `kill -9` at many moments of a lesson under load: the same recording goes on, and hardly anything is missing.
#![expect(clippy::disallowed_methods, reason = "a test of real processes: it needs the clock, threads and files")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::fixtures::process::{Process, Taught, clip};
use load_tests::client::http;
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use recorder::{Archive, Manifest, RecordingId, SystemClock, journal::GapReason};
use sfu::TrackKind;

/// When the hub is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// At any time within two segments.
    Any,
    /// A segment has just been given its name: its record is not written yet, or only just.
    Renamed,
    /// The journal has just grown.
    Journalled,
    /// A new segment has just been opened.
    Opened,
    /// The database has just written.
    Committed,
}

/// What one kill cost.
struct Killed {
    moment: Moment,
    /// In lesson time.
    at_ms: u64,
    voice_ms: u64,
    camera_ms: u64,
    ready: Duration,
}

#[test]
fn killed_at_any_moment_the_same_recording_goes_on_and_hardly_anything_is_missing() {
    let kills = if std::env::var_os("DEEP").is_some() { 50 } else { 5 };
    let (folder, clip, mut random) = (tempfile::tempdir().unwrap(), clip(), SmallRng::seed_from_u64(19));
    let data = folder.path().join("data");
    let mut hub = Process::sample(&data);
    let mut killed = Vec::new();
    for round in 0..kills {
        let taught = Taught::begin(&hub, &clip);
        let moment = match round % 2 {
            0 => Moment::Any,
            _ => [Moment::Renamed, Moment::Journalled, Moment::Opened, Moment::Committed][round / 2 % 4],
        };
        wait_for(moment, &hub, &mut random);
        let wall_ms = wall_ms();
        hub.kill();
        let _ = taught.end();
        let (id, manifest) = recovered_copy(&data, folder.path());
        let at_ms = wall_ms - manifest.started_at_ms;
        let lost = |kind| {
            let track = manifest.tracks.iter().find(|track| track.kind == kind);
            at_ms.saturating_sub(track.map_or(0, |track| track.duration_ms))
        };
        let (voice_ms, camera_ms) = (lost(TrackKind::Voice), lost(TrackKind::Camera));
        if round % 5 == 4 {
            // And once more while it puts its recordings in order.
            hub.start_and_not_wait();
            thread::park_timeout(Duration::from_millis(random.random_range(1..80)));
            hub.kill();
        }
        let ready = hub.start_again();
        let (whole, said) = hub.console(&["verify", "recording", &id.to_string()]);
        assert!(whole, "kill {round}: {said}");
        killed.push(Killed { moment, at_ms, voice_ms, camera_ms, ready });
    }
    // The lesson goes on to its end.
    let taught = Taught::begin(&hub, &clip);
    thread::park_timeout(Duration::from_secs(5));
    let _ = taught.end();
    hub.stop();
    table(&killed);
    for what in ["audit", "recording"] {
        let id = only_recording(&data).to_string();
        let words = if what == "audit" { vec!["verify", what] } else { vec!["verify", what, &id] };
        let (whole, said) = hub.console(&words);
        assert!(whole, "{said}");
    }
    let archive = Archive::open_with(
        data.join("recordings"),
        Arc::new(SystemClock),
        recorder::ArchiveOptions { create: false, ..Default::default() },
    )
    .unwrap();
    let id = only_recording(&data);
    let manifest = archive.seal(id).unwrap();
    archive.verify(id).unwrap().unwrap();
    for kind in [TrackKind::Voice, TrackKind::Camera] {
        let track = manifest.tracks.iter().find(|track| track.kind == kind).unwrap();
        for kill in &killed {
            let named = track
                .gaps
                .iter()
                .any(|gap| gap.reason == GapReason::Crash && gap.from_ms <= kill.at_ms && kill.at_ms <= gap.to_ms);
            assert!(named, "the gap at {} ms is not named in {:?}", kill.at_ms, track.gaps);
        }
        assert!(track.duration_ms.abs_diff(manifest.duration_ms) < 100, "{kind} lasts as long as the lesson");
        decodes(&archive, &manifest, kind, folder.path());
    }
    for kill in &killed {
        assert!(kill.voice_ms.max(kill.camera_ms) <= 2_000, "more than two seconds are lost");
    }
}

/// Returns at the very moment, or ten seconds later where it does not come.
fn wait_for(moment: Moment, hub: &Process, random: &mut SmallRng) {
    // What is taught for less than a fragment was never there to be lost.
    thread::park_timeout(Duration::from_millis(1_200 + random.random_range(0..4_000)));
    if moment == Moment::Any {
        return;
    }
    let folder = hub.data.join("recordings").join(only_recording(&hub.data).to_string());
    let len = |path: PathBuf| fs::metadata(path).map_or(0, |file| file.len());
    let names = |end: &str| -> BTreeSet<String> {
        let names = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(end)).collect()
    };
    let commits = (moment == Moment::Committed).then(|| {
        // A publisher who may not leaves a line in the audit.
        let url = hub.lesson().whip_url;
        thread::spawn(move || http::post_offer(&url, "nobody", "v=0\r\n"))
    });
    let written = || {
        let wal = hub.data.join("tongke.sqlite-wal");
        fs::metadata(wal).and_then(|file| file.modified()).ok()
    };
    let until = Instant::now() + Duration::from_secs(10);
    match moment {
        Moment::Any => {}
        Moment::Renamed => {
            let before = names(".m4s");
            while names(".m4s") == before && Instant::now() < until {}
        }
        Moment::Opened => {
            let before = names(".part");
            while names(".part").is_subset(&before) && Instant::now() < until {}
        }
        Moment::Journalled => {
            let before = len(folder.join("journal.log"));
            while len(folder.join("journal.log")) == before && Instant::now() < until {}
        }
        Moment::Committed => {
            let before = written();
            while written() == before && Instant::now() < until {}
        }
    }
    if let Some(commits) = commits {
        // It was refused, or its hub died meanwhile: nobody waits for it.
        drop(commits);
    }
}

fn only_recording(data: &Path) -> RecordingId {
    let names = fs::read_dir(data.join("recordings")).unwrap().map(|entry| entry.unwrap().file_name());
    let ids: Vec<RecordingId> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    assert_eq!(ids.len(), 1, "the same recording goes on");
    ids[0]
}

/// Puts a copy of what the killed hub left in order, and looks whether all of it is sound.
fn recovered_copy(data: &Path, folder: &Path) -> (RecordingId, Manifest) {
    let (id, copy) = (only_recording(data), folder.join("copy"));
    fs::create_dir_all(copy.join(id.to_string())).unwrap();
    for file in fs::read_dir(data.join("recordings").join(id.to_string())).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.join(id.to_string()).join(file.file_name())).unwrap();
    }
    let archive = Archive::open_with(
        copy.clone(),
        Arc::new(SystemClock),
        recorder::ArchiveOptions { create: false, ..Default::default() },
    )
    .unwrap();
    archive.repair(id).unwrap();
    archive.verify(id).unwrap().unwrap_or_else(|misfit| panic!("{misfit}"));
    let manifest = archive.manifest(id).unwrap();
    fs::remove_dir_all(copy).unwrap();
    (id, manifest)
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A foreign judge decodes the whole track and has nothing to say.
fn decodes(archive: &Archive, manifest: &Manifest, kind: TrackKind, folder: &Path) {
    let mut bytes = Vec::new();
    for line in archive.playlist(manifest.recording_id, &format!("{kind}.m3u8")).unwrap().lines() {
        let name = match line.strip_prefix("#EXT-X-MAP:URI=\"") {
            Some(rest) => rest.trim_end_matches('"'),
            None if line.starts_with('#') || line.is_empty() => continue,
            None => line,
        };
        bytes.extend(fs::read(archive.media_path(manifest.recording_id, name).unwrap()).unwrap());
    }
    let file = folder.join(format!("{kind}.mp4"));
    fs::write(&file, bytes).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(&file)
        .args(["-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"])
        .output()
        .expect("this test needs ffmpeg");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{kind}: {said}");
}

fn table(killed: &[Killed]) {
    println!("{:>4}  {:10}  {:>9}  {:>8}  {:>9}  {:>8}", "KILL", "MOMENT", "LESSON", "VOICE", "CAMERA", "READY");
    for (n, Killed { moment, at_ms, voice_ms, camera_ms, ready }) in killed.iter().enumerate() {
        println!(
            "{:>4}  {:10}  {at_ms:>6} ms  {voice_ms:>5} ms  {camera_ms:>6} ms  {:>5} ms",
            n + 1,
            format!("{moment:?}"),
            ready.as_millis()
        );
    }
    let mut losses: Vec<u64> = killed.iter().flat_map(|kill| [kill.voice_ms, kill.camera_ms]).collect();
    losses.sort_unstable();
    let at = |percent: usize| losses[(losses.len() - 1) * percent / 100];
    println!(
        "lost of each track by {} kills: p50 {} ms, p95 {} ms, worst {} ms (asked: 2000, aimed at: 1200)",
        killed.len(),
        at(50),
        at(95),
        at(100)
    );
}
