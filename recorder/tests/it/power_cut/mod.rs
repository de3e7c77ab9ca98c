//! The archive on a disk that forgets what was not synced: what was promised is there, whatever happens when.
#![expect(clippy::disallowed_methods, reason = "the test needs one first moment of time")]

mod disk;
mod lesson;
mod seeds;
mod sweep;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    thread,
};

use bytes::Bytes;
use recorder::{
    format::{clock::LessonTime, fmp4},
    journal::{GapReason, JOURNAL, manifest::RecordingPhase, seal::SEAL},
};
use sfu::media::TrackKind;

use disk::SimDisk;
use lesson::{DIR, KINDS, Writer, dry_run, recover_once, recovered};

/// How many power cuts are tried: all of them take a minute.
fn seeds() -> u64 {
    if std::env::var_os("DEEP").is_some() { 10_000 } else { 1_000 }
}

#[test]
fn after_a_power_cut_at_any_operation_everything_promised_is_there() {
    let (_, operations) = dry_run(LESSON_MS);
    let (cores, seeds) = (thread::available_parallelism().map_or(1, usize::from) as u64, seeds());
    let mut losses: Vec<u64> = thread::scope(|scope| {
        let shares: Vec<_> = (0..cores)
            .map(|core| scope.spawn(move || cut_power((core..seeds).step_by(cores as usize), operations)))
            .collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    });
    losses.sort_unstable();
    let at = |percent: usize| losses[(losses.len() - 1) * percent / 100];
    println!("{seeds} power cuts: lost of each track: p50 {} ms, p95 {} ms, worst {} ms", at(50), at(95), at(100));
}

/// What each cut cost of each track, in milliseconds.
fn cut_power(seeds: impl Iterator<Item = u64>, operations: u64) -> Vec<u64> {
    let mut losses = Vec::new();
    for seed in seeds {
        let disk = SimDisk::seeded(seed);
        disk.cut_power_at(1 + disk.random(operations));
        let mut writer = None;
        let ended = Writer::begin(&disk).and_then(|mut begun| {
            let result = begun.teach(LESSON_MS, false).and_then(|()| begun.finish(false));
            writer = Some(begun);
            result
        });
        assert!(ended.is_err(), "seed {seed}: the power was cut");
        disk.power_on();
        if seed % 3 == 0 {
            // And once more, in the middle of the recovery.
            disk.cut_power_at(1 + disk.random(12));
            let _ = recover_once(&disk);
            disk.power_on();
        }
        let Some(writer) = writer else {
            recovered(&disk);
            continue;
        };
        let ledger = recovered(&disk).unwrap_or_else(|| panic!("seed {seed}: the recording was begun"));
        let before = disk.snapshot();
        recovered(&disk);
        assert_eq!(before, disk.snapshot(), "seed {seed}: recovery twice gives the same bytes");
        for kind in KINDS {
            let end = ledger.of(kind).map_or(0, |track| track.end());
            let promised = writer.promised.get(&kind).copied().unwrap_or(0);
            assert!(end >= promised, "seed {seed}: {kind} ends at {end}, {promised} was promised");
            let kept_ms = LessonTime::from_ticks(end, fmp4::time_scale(kind.is_sound())).millis();
            let lost_ms = writer.now_ms.saturating_sub(kept_ms);
            assert!(lost_ms <= 2_000, "seed {seed}: {kind} lost {lost_ms} ms");
            losses.push(lost_ms);
        }
        if matches!(ledger.phase, RecordingPhase::Ended(_)) {
            continue;
        }
        // The lesson goes on three seconds later, and ends well.
        let mut writer = Writer::resume(&disk, writer.now_ms.next_multiple_of(100) + 3_000).unwrap();
        let end_ms = writer.now_ms + 5_000;
        writer.teach(end_ms, false).unwrap();
        writer.finish(false).unwrap();
        disk.power_on();
        let manifest = recovered(&disk).unwrap().manifest();
        assert_eq!(manifest.duration_ms, end_ms);
        for track in manifest.tracks {
            assert!(track.duration_ms.abs_diff(end_ms) < 100, "seed {seed}: {track:?}");
            assert!(
                track.gaps.iter().any(|gap| gap.reason == GapReason::Crash)
                    || ledger.of(track.kind).is_none_or(|track| track.segments.is_empty())
            );
        }
    }
    losses
}

const LESSON_MS: u64 = 14_000;

#[test]
fn every_prefix_of_a_part_gives_its_whole_fragments() {
    let disk = SimDisk::seeded(5);
    let mut writer = Writer::begin(&disk).unwrap();
    writer.teach(11_800, false).unwrap();
    let files = disk.snapshot();
    let part =
        files.keys().find(|name| name.to_str().unwrap().contains("/camera-0") && name.extension().unwrap() == "part");
    let part = part.expect("a segment is open").clone();
    let whole = Bytes::from(files[&part].clone());
    let (fragments, kept) = fmp4::scan(&whole);
    assert_eq!((kept, fragments.len() >= 2), (whole.len(), true));
    for len in 0..=whole.len() {
        let mut cut: BTreeMap<PathBuf, Vec<u8>> = files.clone();
        cut.get_mut(&part).unwrap().truncate(len);
        let disk = SimDisk::holding(&cut);
        let ledger = recovered(&disk).unwrap();
        let expected = fmp4::scan(&whole.slice(..len)).0;
        let end = expected.last().map(|fragment| fragment.start + fragment.duration);
        let track = ledger.of(TrackKind::Camera).unwrap();
        assert_eq!(track.end(), end.unwrap_or(fragments[0].start), "cut at {len}");
        let before = disk.snapshot();
        recovered(&disk);
        assert_eq!(before, disk.snapshot());
    }
}

#[test]
fn every_prefix_of_a_journal_is_recovered_from() {
    let (disk, _) = dry_run(5_000);
    let files = disk.snapshot();
    let journal = Path::new(DIR).join(JOURNAL);
    for len in 0..=files[&journal].len() {
        let mut cut = files.clone();
        cut.get_mut(&journal).unwrap().truncate(len);
        if len < files[&journal].len() {
            cut.remove(&Path::new(DIR).join(SEAL));
        }
        let disk = SimDisk::holding(&cut);
        if let Some(ledger) = recovered(&disk) {
            // All segments are there, told or not, as soon as their init segment is known.
            for track in &ledger.tracks {
                assert!(track.inits.is_empty() || !track.segments.is_empty(), "cut at {len}");
            }
        }
    }
}
