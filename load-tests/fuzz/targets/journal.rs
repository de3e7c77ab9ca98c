//! A recording's journal: any bytes, and any records that are whole and in their chain. Nothing may panic, reading again
//! gives the same, recovery changes nothing the second time, and what it seals passes its own check.
#![no_main]

mod memory;

use std::{path::Path, sync::Arc};

use libfuzzer_sys::fuzz_target;
use memory::MemoryDisk;
use recorder::{
    Expected, RecordingSummary, Signed,
    disk::{Disk, recover, verify},
    export::playlist,
    journal::{
        HashChain, JOURNAL, Record,
        manifest::{Ledger, RecordingPhase},
        read,
        seal::{self, SEAL},
    },
};
use sfu::media::TrackKind;

const DIR: &str = "/archive/0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a";

/// Any whole records: one a line, as JSON.
fn chained(bytes: &[u8]) -> Vec<u8> {
    let (mut chain, mut journal) = (HashChain::default(), Vec::new());
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(record) = serde_json::from_slice::<Record>(line) {
            journal.extend(chain.frame(&record).expect("what was read from JSON can be told in it"));
        }
    }
    journal
}

fn look(journal: &[u8]) {
    let (records, chain, kept) = read(journal);
    assert!(kept <= journal.len());
    assert_eq!(read(&journal[..kept]), (records.clone(), chain.clone(), kept));
    let Some(ledger) = Ledger::fold(&records, chain.head()) else { return };
    let id = ledger.recording_id;
    let manifest = ledger.manifest();
    let _ = RecordingSummary::new(id, Some(&ledger), false);
    for name in TrackKind::ALL.into_iter().map(playlist::name).chain([playlist::MAIN.to_owned()]) {
        let _ = playlist::write(&ledger, &name);
    }
    for track in &manifest.tracks {
        assert!(ledger.of(track.kind).is_some());
    }

    let disk = MemoryDisk::default();
    disk.put(Path::new(DIR).join(JOURNAL), journal);
    let _ = verify::verify(&disk, Path::new(DIR), id, &Expected::default()).expect("this disk refuses nothing");
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let recover = || recover::recover(&shared, Path::new(DIR), None).expect("this disk refuses nothing");
    assert!(recover().is_some());
    let once = disk.files().clone();
    assert!(recover().is_some());
    assert_eq!(once, *disk.files(), "the second time changes nothing");
    let _ = verify::verify(&disk, Path::new(DIR), id, &Expected::default()).expect("this disk refuses nothing");
    if let RecordingPhase::Ended(_) = ledger.phase {
        let seal = &once[&Path::new(DIR).join(SEAL)];
        assert_eq!(seal::check(seal, id, &ledger.chain_head, None), Ok(Signed::No));
    }
}

fuzz_target!(|bytes: &[u8]| {
    look(bytes);
    look(&chained(bytes));
});
