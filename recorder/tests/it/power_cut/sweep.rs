//! Sweeps: the n-th operation fails, the recovery is cut off at its n-th, and every prefix of what was written.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    thread,
};

use recorder::journal::{manifest::RecordingPhase, seal::SEAL};

use super::{
    disk::{Change, SimDisk},
    lesson::{DIR, Writer, dry_run, holds, recover_once, recovered},
};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

#[test]
fn any_one_operation_may_fail_and_nothing_is_lost() {
    const LESSON_MS: u64 = 6_000;
    let (reference, operations) = dry_run(LESSON_MS);
    let expected = reference.snapshot();
    let mut failed: BTreeMap<&str, u64> = BTreeMap::new();
    for errno in [ENOSPC, EIO] {
        for operation in 1..=operations {
            let disk = SimDisk::seeded(operation);
            disk.fail_at(operation, errno);
            let begun = Writer::begin(&disk);
            let is_first_try = begun.is_ok();
            let mut writer = begun.unwrap_or_else(|_| Writer::begin_patiently(&disk));
            writer.teach(LESSON_MS, true).unwrap();
            if writer.finish(true).is_err() {
                recovered(&disk);
            }
            // What a page cache pretends to hold is gone after this.
            disk.power_on();
            let ledger = recovered(&disk).unwrap();
            assert_eq!(ledger.phase, RecordingPhase::Ended(LESSON_MS));
            *failed.entry(disk.failed().expect("it failed")).or_default() += 1;
            let found = disk.snapshot();
            for (name, bytes) in expected.iter().filter(|_| is_first_try) {
                assert_eq!(found.get(name), Some(bytes), "operation {operation}: {}", name.display());
            }
        }
    }
    let all: BTreeMap<&str, u64> = reference.kinds().into_iter().map(|(kind, count)| (kind, count * 2)).collect();
    println!("failed once each, with ENOSPC and with EIO: {failed:?}");
    assert_eq!(failed, all);
    for kind in ["open", "write", "sync", "rename", "sync_dir"] {
        assert!(failed.contains_key(kind), "{kind}");
    }
}

#[test]
fn an_operation_that_failed_leaves_nothing_to_be_lost_by_the_next_power_cut() {
    const LESSON_MS: u64 = 6_000;
    let (_, operations) = dry_run(LESSON_MS);
    for errno in [ENOSPC, EIO] {
        for operation in 1..=operations {
            let disk = SimDisk::seeded(operation * 7 + errno as u64);
            disk.fail_at(operation, errno);
            let mut writer = Writer::begin_patiently(&disk);
            disk.cut_power_at(1 + disk.random(operations));
            let _ = writer.teach(LESSON_MS, true).and_then(|()| writer.finish(true));
            disk.power_on();
            let promised = writer.promised.clone();
            holds(recovered(&disk).as_ref(), promised, &format!("operation {operation}, errno {errno}"));
        }
    }
}

#[test]
fn a_recovery_that_fails_or_is_cut_off_anywhere_ends_with_the_same_bytes() {
    const LESSON_MS: u64 = 9_000;
    let (_, operations) = dry_run(LESSON_MS);
    let mut tried = 0;
    for seed in 0..12 {
        let crashed = SimDisk::seeded(seed);
        crashed.cut_power_at(operations / 2 + crashed.random(operations / 2));
        let mut writer = Writer::begin(&crashed).unwrap();
        assert!(writer.teach(LESSON_MS, false).and_then(|()| writer.finish(false)).is_err());
        crashed.power_on();
        let found = crashed.snapshot();
        let whole = SimDisk::holding(&found);
        recover_once(&whole).unwrap();
        let (steps, expected) = (whole.operations(), whole.snapshot());
        for step in 1..=steps {
            for fault in [None, Some(ENOSPC), Some(EIO)] {
                let disk = SimDisk::holding(&found);
                match fault {
                    None => disk.cut_power_at(step),
                    Some(errno) => disk.fail_at(step, errno),
                }
                assert!(recover_once(&disk).is_err(), "seed {seed}: step {step} is needed");
                if fault.is_none() {
                    disk.power_on();
                }
                recovered(&disk);
                assert_eq!(disk.snapshot(), expected, "seed {seed}, step {step}, {fault:?}");
                tried += 1;
            }
        }
    }
    println!("{tried} recoveries were cut off or failed, and ended alike when they were run again");
}

/// What was on the disk before `change`, and after how many bytes of the lesson.
struct Moment {
    files: BTreeMap<PathBuf, Vec<u8>>,
    written: u64,
    change: Change,
}

#[test]
fn every_prefix_of_a_recording_gives_what_was_promised_by_then() {
    const LESSON_MS: u64 = 6_000;
    let disk = SimDisk::seeded(3);
    disk.keep_history();
    let mut writer = Writer::begin(&disk).unwrap();
    writer.teach(LESSON_MS, false).unwrap();
    writer.finish(false).unwrap();
    let (mut files, mut written, mut moments) = (BTreeMap::new(), 0, Vec::new());
    for change in disk.history() {
        moments.push(Moment { files: files.clone(), written, change: change.clone() });
        change.apply(&mut files, change.len());
        written += change.len() as u64;
    }
    assert!(files == disk.snapshot() && written == disk.written(), "the history tells it all");
    let (promises, cores) = (&writer.promises, thread::available_parallelism().map_or(1, usize::from));
    thread::scope(|scope| {
        for core in 0..cores {
            let moments = &moments;
            scope.spawn(move || {
                for moment in moments.iter().skip(core).step_by(cores) {
                    // Each byte of an append, and before what else is done.
                    for len in 0..moment.change.len().max(1) {
                        let mut cut = moment.files.clone();
                        if moment.change.len() > 0 {
                            moment.change.apply(&mut cut, len);
                        }
                        let at = moment.written + len as u64;
                        let disk = SimDisk::holding(&cut);
                        let ledger = recovered(&disk);
                        let due = promises.iter().filter(|(by, ..)| *by <= at).map(|(_, kind, end)| (*kind, *end));
                        holds(ledger.as_ref(), due, &format!("after {at} bytes"));
                        if cut.contains_key(&Path::new(DIR).join(SEAL)) {
                            assert!(matches!(
                                ledger.map(|ledger| ledger.phase),
                                Some(RecordingPhase::Ended(LESSON_MS))
                            ));
                        }
                    }
                }
            });
        }
    });
    println!("recovered from each of {written} prefixes of a recording");
}
