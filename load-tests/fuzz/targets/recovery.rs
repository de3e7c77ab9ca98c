//! The part of a segment that a crash left: any bytes, as they are and with every CRC put right. Whole fragments are kept
//! and the tail is cut; what comes out is found whole again, and recovering it again changes nothing.
#![no_main]

mod memory;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use memory::MemoryDisk;
use recorder::{
    Expected, RecordingId,
    disk::{
        Disk,
        recording_files::{RecordingFiles, lock},
        recover, verify,
    },
    export::playlist,
    format::fmp4,
    id::MediaName,
    journal::{GapReason, InitRecord, Record, VERSION, sha256},
    track::action::Action,
};
use sfu::media::{Codec, TrackKind};

const DIR: &str = "/archive/0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a";

/// The same with the checks that its fragments would have if they had been written like this.
fn checked(bytes: &[u8]) -> Vec<u8> {
    let head = fmp4::fragment(1, 0, &[]);
    let (mut file, mut at) = (bytes.to_vec(), 0);
    let size_at = |file: &[u8], at: usize| {
        let size = file.get(at..at + 4)?.first_chunk().map(|size| u32::from_be_bytes(*size))?;
        usize::try_from(size).ok().filter(|size| *size >= 8)
    };
    loop {
        let Some(moof) = size_at(&file, at + CHECK) else { return file };
        let Some(mdat) = size_at(&file, at + CHECK + moof) else { return file };
        let end = at + CHECK + moof + mdat;
        let Some(covered) = file.get(at + CHECK..end) else { return file };
        let crc = crc32fast::hash(covered).to_be_bytes();
        file[at..at + 12].copy_from_slice(&head[..12]);
        file[at + 12..at + CHECK].copy_from_slice(&crc);
        at = end;
    }
}

/// A segment in front of which nothing was written.
fn recover(kind: TrackKind, part: &[u8]) {
    let part = Bytes::copy_from_slice(part);
    let (fragments, kept) = fmp4::scan(&part);
    assert!(kept <= part.len());
    assert_eq!(fmp4::scan(&part.slice(..kept)), (fragments.clone(), kept), "what is kept is whole");
    let layout = |len: usize| {
        fmp4::layout(len as u64, |at, out| {
            let at = usize::try_from(at).map_err(std::io::Error::other)?;
            let end = at.checked_add(out.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(part.get(at..end).ok_or(std::io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    };
    let laid = layout(kept).expect("what is kept can be downloaded");
    assert_eq!(laid.len(), fragments.len());
    for fragment in laid.into_iter().chain(layout(part.len()).unwrap_or_default()) {
        let size: u64 = fragment.samples.iter().map(|sample| u64::from(sample.size_bytes)).sum();
        assert!(fragment.data_at + size <= part.len() as u64);
    }

    let (disk, dir) = (MemoryDisk::default(), Path::new(DIR));
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let id: RecordingId = DIR.rsplit('/').next().and_then(|id| id.parse().ok()).expect("a name");
    let start = Record::Start { recording_id: id, version: VERSION, started_at_ms: 1, software: "fuzz".to_owned() };
    let mut store = RecordingFiles::create(shared.clone(), dir.to_owned(), &start).expect("this disk refuses nothing");
    let init = Bytes::from_static(b"as it is");
    let (codec, size) = if kind.is_sound() { (Codec::Opus, None) } else { (Codec::H264, Some(720)) };
    let (codecs, digest) = ("x".to_owned(), sha256(&init));
    let record = InitRecord { kind, n: 1, codec, codecs, width: size, height: size, sha256: digest };
    let init = Action::Init { name: MediaName::Init { kind, n: 1 }, bytes: init, record };
    store.perform(&init).expect("this disk refuses nothing");
    drop(store);
    let name = MediaName::Segment { kind, seq: 1 };
    disk.put(dir.join(name.part()), &part);

    let recover = || recover::recover(&shared, dir, None).expect("this disk refuses nothing").expect("a recording");
    let ledger = lock(&recover().ledger()).clone();
    let once = disk.files().clone();
    recover();
    assert_eq!(once, *disk.files(), "the second time changes nothing");
    let _ = recover::resume(&disk, dir, &ledger, GapReason::Crash).expect("this disk refuses nothing");
    let _ =
        (ledger.manifest(), playlist::write(&ledger, playlist::MAIN), playlist::write(&ledger, &playlist::name(kind)));
    let verified = verify::verify(&disk, dir, id, &Expected::default()).expect("this disk refuses nothing");
    match fragments.first() {
        Some(first) if first.start == 0 => {
            assert_eq!(once[&dir.join(name.to_string())], part[..kept], "whole fragments, and no more");
            assert_eq!(verified.expect("what is in order says so").segments, 1);
        }
        // It follows nothing: it is left where it is, and told of.
        Some(_) => assert_eq!(once[&dir.join(name.part())], part),
        None => assert_eq!(verified.expect("what is in order says so").segments, 0),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, part)) = bytes.split_first() else { return };
    let kind = if kind & 1 == 0 { TrackKind::Voice } else { TrackKind::Camera };
    recover(kind, part);
    recover(kind, &checked(part));
});

/// Of the box in front of a fragment.
const CHECK: usize = 16;
