//! Verification finds every change of the files, and names what was changed.
#![expect(clippy::disallowed_methods, reason = "the test touches files, and needs one first moment of time")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use proptest::prelude::*;
use recorder::{
    Archive, ArchiveError, ArchiveOptions, Checkpoint, Fault, RecordingId, Signed, Signer, VerifyReport,
    disk::verify::FaultLocation,
    journal::{self, FrameError, HashChain, Record},
};
use sfu::{id::TrackId, tap::channel};
use tempfile::TempDir;

use crate::fixtures::{HandClock, ID, id, speak};

struct Key(Ed25519KeyPair);

impl Signer for Key {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().unwrap()
    }
}

fn key() -> Arc<dyn Signer> {
    Arc::new(Key(Ed25519KeyPair::generate().unwrap()))
}

/// A recording of ten seconds.
struct Recorded {
    folder: TempDir,
    archive: Arc<Archive>,
}

impl Recorded {
    fn sealed() -> Self {
        Self::sealed_by(None, 10_000)
    }

    fn sealed_by(key: Option<Arc<dyn Signer>>, ms: u64) -> Self {
        let (clock, folder) = (HandClock::new(), tempfile::tempdir().unwrap());
        let archive = match key {
            Some(key) => Archive::open_with(
                folder.path().to_owned(),
                clock.clone(),
                ArchiveOptions { signer: Some(key), ..Default::default() },
            )
            .unwrap(),
            None => Archive::open(folder.path().to_owned(), clock.clone()).unwrap(),
        };
        let (sender, receiver) = channel(10_000);
        let recorder = archive.record(id(), receiver).unwrap();
        speak(&clock, &sender, TrackId(1), ms);
        recorder.finish().unwrap();
        Self { folder, archive }
    }

    /// So many minutes, each of which has its checkpoint.
    fn checked(key: Arc<dyn Signer>, minutes: u64) -> Self {
        let (clock, folder) = (HandClock::new(), tempfile::tempdir().unwrap());
        let archive = Archive::open_with(
            folder.path().to_owned(),
            clock.clone(),
            ArchiveOptions { signer: Some(key), ..Default::default() },
        )
        .unwrap();
        let (sender, receiver) = channel(10_000);
        let recorder = archive.record(id(), receiver).unwrap();
        for minute in 1..=minutes {
            speak(&clock, &sender, TrackId(1), 60_000);
            while archive.checkpoint(id()).is_none_or(|checkpoint| checkpoint.at_ms < minute * 60_000) {
                std::thread::yield_now();
            }
        }
        recorder.finish().unwrap();
        Self { folder, archive }
    }

    /// The same files, verified with another key or with none.
    fn seen_with(&self, key: Option<Arc<dyn Signer>>) -> Arc<Archive> {
        Archive::open_with(
            self.folder.path().to_owned(),
            HandClock::new(),
            ArchiveOptions { signer: key, create: false, ..Default::default() },
        )
        .unwrap()
    }

    /// Stopped cleanly, and not over.
    fn suspended() -> Self {
        let (clock, folder) = (HandClock::new(), tempfile::tempdir().unwrap());
        let archive = Archive::open(folder.path().to_owned(), clock.clone()).unwrap();
        let (sender, receiver) = channel(10_000);
        let recorder = archive.record(id(), receiver).unwrap();
        speak(&clock, &sender, TrackId(1), 10_000);
        recorder.suspend().unwrap();
        Self { folder, archive }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join(ID)
    }

    fn whole(&self) -> VerifyReport {
        self.archive.verify(id()).unwrap().unwrap()
    }

    fn misfit(&self) -> (FaultLocation, Fault) {
        let before = files(&self.dir());
        let misfit = self.archive.verify(id()).unwrap().unwrap_err();
        assert_eq!(files(&self.dir()), before, "it only looks");
        println!("{misfit}");
        (misfit.location, misfit.fault)
    }
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn file(name: &str) -> FaultLocation {
    FaultLocation::File { name: name.to_owned() }
}

/// Where each frame of a journal begins.
fn frames(journal: &[u8]) -> Vec<usize> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some(len) = journal.get(at..at + 4) {
        frames.push(at);
        at += 9 + u32::from_le_bytes(len.try_into().unwrap()) as usize;
    }
    frames
}

#[test]
fn what_nobody_touched_is_whole_whether_it_is_over_or_not() {
    let sealed = Recorded::sealed().whole();
    assert!(sealed.sealed && sealed.segments == 3 && sealed.size_bytes > 1_000, "{sealed:?}");
    let suspended = Recorded::suspended().whole();
    assert!(!suspended.sealed && suspended.segments == 3, "{suspended:?}");
    let none: RecordingId = "0192f0c4-7d5e-7cc1-8a6b-000000000000".parse().unwrap();
    assert!(matches!(Recorded::sealed().archive.verify(none), Err(ArchiveError::NoRecording { .. })));
}

#[test]
fn a_recording_that_is_being_written_is_whole_at_any_moment() {
    let (clock, folder) = (HandClock::new(), tempfile::tempdir().unwrap());
    let archive = Archive::open(folder.path().to_owned(), clock.clone()).unwrap();
    let (sender, receiver) = channel(10_000);
    let recorder = archive.record(id(), receiver).unwrap();
    for _ in 0..10 {
        speak(&clock, &sender, TrackId(1), 1_000);
        archive.verify(id()).unwrap().unwrap();
    }
    recorder.finish().unwrap();
}

#[test]
fn one_bit_of_one_segment_names_it() {
    let recorded = Recorded::sealed();
    change(&recorded.dir().join("voice-000002.m4s"), |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
    });
    assert_eq!(recorded.misfit(), (file("voice-000002.m4s"), Fault::Changed));
}

#[test]
fn one_byte_of_the_journal_names_its_record() {
    let recorded = Recorded::sealed();
    let journal = recorded.dir().join("journal.log");
    let at_byte = frames(&fs::read(&journal).unwrap())[3];
    change(&journal, |bytes| bytes[at_byte + 60] ^= 1);
    assert_eq!(recorded.misfit(), (FaultLocation::Record { number: 4, at_byte }, Fault::Journal(FrameError::Crc)));
}

#[test]
fn a_record_that_was_taken_out_names_the_one_that_follows() {
    let recorded = Recorded::sealed();
    let journal = recorded.dir().join("journal.log");
    let starts = frames(&fs::read(&journal).unwrap());
    change(&journal, |bytes| drop(bytes.drain(starts[2]..starts[3])));
    let place = FaultLocation::Record { number: 3, at_byte: starts[2] };
    assert_eq!(recorded.misfit(), (place, Fault::Journal(FrameError::OutOfChain)));
}

#[test]
fn files_that_are_gone_longer_shorter_or_new_are_named() {
    let recorded = Recorded::sealed();
    let segment = recorded.dir().join("voice-000002.m4s");
    let bytes = fs::read(&segment).unwrap();
    let was_bytes = bytes.len() as u64;
    fs::remove_file(&segment).unwrap();
    assert_eq!(recorded.misfit(), (file("voice-000002.m4s"), Fault::Missing));
    for is_bytes in [was_bytes - 1, was_bytes + 1, 0] {
        let mut other = bytes.clone();
        other.resize(is_bytes as usize, 0);
        fs::write(&segment, other).unwrap();
        assert_eq!(recorded.misfit(), (file("voice-000002.m4s"), Fault::Size { was_bytes, is_bytes }));
    }
    fs::write(&segment, bytes).unwrap();
    recorded.whole();
    for extra in ["voice-000004.m4s", "voice-000004.m4s.part", "note.txt", "camera-init-1.mp4"] {
        fs::write(recorded.dir().join(extra), b"extra").unwrap();
        assert_eq!(recorded.misfit(), (file(extra), Fault::Extra));
        fs::remove_file(recorded.dir().join(extra)).unwrap();
    }
    fs::remove_file(recorded.dir().join("seal.json")).unwrap();
    assert_eq!(recorded.misfit(), (file("seal.json"), Fault::Missing));
}

#[test]
fn a_journal_that_ends_too_early_is_found_out() {
    let recorded = Recorded::sealed();
    let journal = recorded.dir().join("journal.log");
    let whole = fs::read(&journal).unwrap();
    let starts = frames(&whole);
    for len in 0..whole.len() {
        fs::write(&journal, &whole[..len]).unwrap();
        let misfit = recorded.archive.verify(id()).unwrap().unwrap_err();
        let number = starts.partition_point(|start| *start <= len);
        if !starts.contains(&len) {
            let place = FaultLocation::Record { number, at_byte: starts[number - 1] };
            assert_eq!((misfit.location, misfit.fault), (place, Fault::Journal(FrameError::CutOff)), "{len}");
        }
    }
    // Cut between two records: what they named is left over.
    fs::write(&journal, &whole[..*starts.last().unwrap()]).unwrap();
    assert_eq!(recorded.misfit(), (file("seal.json"), Fault::Extra));
}

#[test]
fn another_recordings_files_under_this_name_are_found_out() {
    let recorded = Recorded::sealed();
    let other = "0192f0c4-7d5e-7cc1-8a6b-000000000001";
    fs::rename(recorded.dir(), recorded.folder.path().join(other)).unwrap();
    let misfit = recorded.archive.verify(other.parse().unwrap()).unwrap().unwrap_err();
    assert_eq!(misfit.fault, Fault::OtherRecording);
}

#[test]
fn a_seal_is_signed_and_nobody_elses_will_do() {
    let (own, other) = (key(), key());
    let recorded = Recorded::sealed_by(Some(own.clone()), 10_000);
    let Signed::Yes(hex) = recorded.whole().signed else { panic!("it is signed") };
    let looked = |key| recorded.seen_with(key).verify(id()).unwrap();
    assert_eq!(looked(None).unwrap().signed, Signed::By(hex.clone()), "whose key it is must be known from elsewhere");
    assert_eq!(looked(Some(other.clone())).unwrap_err().fault, Fault::OtherKey { public_key: hex });
    let seal = fs::read_to_string(recorded.dir().join("seal.json")).unwrap();
    assert!(seal.contains(r#""algorithm":"sha256+ed25519""#) && seal.contains(&recorded.whole().chain_head), "{seal}");
    // Another end with a digest that fits: only the signature tells.
    let at = seal.find(r#","sha256":"#).unwrap();
    let sealed = seal[r#"{"sealed":"#.len()..at].replace("1800000000000", "1700000000000");
    let digest = recorder::journal::sha256(sealed.as_bytes());
    let forged = format!(r#"{{"sealed":{sealed},"sha256":"{digest}"{}"#, &seal[at + 11 + 65..]);
    fs::write(recorded.dir().join("seal.json"), forged).unwrap();
    assert_eq!(recorded.misfit(), (file("seal.json"), Fault::Forged));

    let unsigned = Recorded::sealed_by(None, 9_000);
    assert_eq!(unsigned.whole().signed, Signed::No);
    assert_eq!(unsigned.seen_with(Some(other)).verify(id()).unwrap().unwrap().signed, Signed::No);
    // The seal of another lesson, signed by the same hub.
    fs::write(unsigned.dir().join("seal.json"), seal).unwrap();
    assert_eq!(unsigned.misfit(), (file("seal.json"), Fault::OtherEnd));
    // What a lesson holds is no seal of it.
    let manifest = serde_json::to_vec_pretty(&unsigned.archive.manifest(id()).unwrap()).unwrap();
    fs::write(unsigned.dir().join("seal.json"), manifest).unwrap();
    assert_eq!(unsigned.misfit(), (file("seal.json"), Fault::Changed));
    assert_eq!(Recorded::suspended().whole().signed, Signed::NotYet);
}

#[test]
fn a_signed_recording_whose_seal_was_lost_is_signed_again_when_it_is_repaired() {
    let recorded = Recorded::sealed_by(Some(key()), 10_000);
    let before = files(&recorded.dir());
    fs::remove_file(recorded.dir().join("seal.json")).unwrap();
    recorded.archive.repair(id()).unwrap();
    assert_eq!(files(&recorded.dir()), before, "Ed25519 gives the same signature again");
}

/// Somebody who has the folder and the key writes the whole journal anew, with another beginning.
fn rewrite(recorded: &Recorded, key: &dyn Signer) {
    let path = recorded.dir().join("journal.log");
    let (records, ..) = journal::read(&fs::read(&path).unwrap());
    let (mut chain, mut bytes, mut told) = (HashChain::default(), Vec::new(), 0);
    for record in records {
        let record = match record {
            Record::Start { recording_id, version, software, .. } => {
                Record::Start { recording_id, version, started_at_ms: 1_500_000_000_000, software }
            }
            Record::Checkpoint(was) => {
                let head = chain.head().to_owned();
                Record::Checkpoint(Checkpoint::new(was.recording_id, told, head, was.at_ms, Some(key)))
            }
            other => other,
        };
        bytes.extend(chain.frame(&record).unwrap());
        told += 1;
    }
    fs::write(&path, bytes).unwrap();
    fs::remove_file(recorded.dir().join("seal.json")).unwrap();
    recorded.archive.repair(id()).unwrap();
}

#[test]
fn a_journal_written_anew_as_a_whole_is_found_out_by_what_others_keep_of_it() {
    let key = key();
    let recorded = Recorded::checked(key.clone(), 3);
    let (records, ..) = journal::read(&fs::read(recorded.dir().join("journal.log")).unwrap());
    let kept: Vec<Checkpoint> = records
        .iter()
        .filter_map(|record| if let Record::Checkpoint(kept) = record { Some(kept.clone()) } else { None })
        .collect();
    assert_eq!(kept.len(), 3, "one a minute");
    assert!(kept.iter().all(|kept| kept.algorithm == "sha256+ed25519"));
    let seal = recorded.archive.seal_sha256(id()).unwrap().unwrap();
    let beside = |kept: &[Checkpoint], seal: Option<&str>| recorded.archive.verify_beside(id(), kept, seal).unwrap();
    beside(&kept, Some(seal.as_str())).unwrap();

    rewrite(&recorded, key.as_ref());
    recorded.whole(); // Nothing in the folder tells.
    let misfit = beside(&kept, None).unwrap_err();
    println!("{misfit}");
    let number = kept[0].records as usize;
    assert!(matches!(misfit.location, FaultLocation::Record { number: found, .. } if found == number), "{misfit}");
    assert_eq!(misfit.fault, Fault::OtherPast { at_ms: kept[0].at_ms });
    let misfit = beside(&[], Some(seal.as_str())).unwrap_err();
    println!("{misfit}");
    assert_eq!(
        (misfit.location, misfit.fault),
        (file("seal.json"), Fault::OtherSeal { was: seal.as_str().to_owned() })
    );

    // What is kept elsewhere may be touched as well.
    let mut forged = kept.clone();
    forged[1].head = forged[0].head.clone();
    let misfit = beside(&forged[1..], None).unwrap_err();
    assert_eq!((misfit.location, misfit.fault), (FaultLocation::Checkpoint { at_ms: forged[1].at_ms }, Fault::Forged));
    let mut later = kept[2].clone();
    later.records += 10_000;
    assert_eq!(beside(&[later], None).unwrap_err().fault, Fault::Missing, "the journal once was longer");
}

#[test]
fn a_checkpoint_that_speaks_of_another_journal_is_out_of_place() {
    let recorded = Recorded::checked(key(), 1);
    let path = recorded.dir().join("journal.log");
    let (records, ..) = journal::read(&fs::read(&path).unwrap());
    let at = records.iter().position(|record| matches!(record, Record::Checkpoint(_))).unwrap();
    let (mut chain, mut bytes) = (HashChain::default(), Vec::new());
    for (n, record) in records.iter().enumerate() {
        let Record::Checkpoint(kept) = record else {
            bytes.extend(chain.frame(record).unwrap());
            continue;
        };
        assert_eq!(n, at);
        let moved = Checkpoint { records: kept.records - 1, ..kept.clone() };
        bytes.extend(chain.frame(&Record::Checkpoint(moved)).unwrap());
    }
    fs::write(&path, bytes).unwrap();
    let (place, fault) = recorded.misfit();
    assert!(matches!(place, FaultLocation::Record { number, .. } if number == at + 1), "{place}");
    assert_eq!(fault, Fault::OutOfPlace);
}

/// The same recordings for all cases: they are put back after each.
fn all() -> &'static [Recorded; 3] {
    static ALL: OnceLock<[Recorded; 3]> = OnceLock::new();
    ALL.get_or_init(|| [Recorded::sealed(), Recorded::suspended(), Recorded::sealed_by(Some(key()), 10_000)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_single_byte_that_is_changed_is_noticed_and_its_file_named(
        which in 0..3_usize, pick in any::<prop::sample::Index>(), mask in 1_u8..,
    ) {
        let recorded = &all()[which];
        let files = files(&recorded.dir());
        let mut at = pick.index(files.iter().map(|(_, bytes)| bytes.len()).sum());
        let (name, bytes) = files
            .iter()
            .find(|(_, bytes)| bytes.len() > at || { at -= bytes.len(); false })
            .unwrap();
        let mut touched = bytes.clone();
        touched[at] ^= mask;
        fs::write(recorded.dir().join(name), touched).unwrap();
        let verified = recorded.archive.verify(id()).unwrap();
        fs::write(recorded.dir().join(name), bytes).unwrap();
        let misfit = verified.expect_err("a changed byte");
        let expected = match misfit.location {
            FaultLocation::Checkpoint { .. } => "kept elsewhere",
            FaultLocation::Record { .. } => "journal.log",
            FaultLocation::File { ref name } => name,
        };
        prop_assert_eq!(expected, name, "byte {}: {}", at, misfit);
        recorded.whole();
    }
}
