//! What the fuzzers of the recorder's files begin with: a lesson as the recorder writes it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use recorder::{
    format::fmp4,
    journal::{self, checkpoint::Checkpoint, manifest::Ledger},
};

use super::lesson::{DIR, dry_run};

#[test]
fn the_fuzzers_begin_with_what_the_recorder_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../load-tests/fuzz/corpus");
    for (name, bytes) in seeds() {
        let path = folder.join(&name);
        if std::env::var_os("SEEDS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &bytes).unwrap();
        }
        let found = fs::read(&path).unwrap_or_default();
        assert!(found == bytes, "{} is not what the recorder writes today: SEEDS=1 writes it", name.display());
    }
}

/// Names below the fuzzers' corpus, and what they hold.
fn seeds() -> BTreeMap<PathBuf, Vec<u8>> {
    let (disk, _) = dry_run(5_000);
    let files = disk.snapshot();
    let file = |name: &str| files[&Path::new(DIR).join(name)].clone();
    let journal = file("journal.log");
    let (records, chain, _) = journal::read(&journal);
    let ledger = Ledger::fold(&records, chain.head()).unwrap();
    let lines: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let checkpoint: &Checkpoint = ledger.checkpoint.as_ref().unwrap();
    let names: Vec<&str> =
        files.keys().map(|path| path.file_name().unwrap().to_str().unwrap()).chain(["voice-000002.m4s.part"]).collect();
    let mut seeds = BTreeMap::new();
    let mut seed = |name: &str, bytes: Vec<u8>| seeds.insert(PathBuf::from(name), bytes);
    seed("journal/torn", journal[..journal.len() - 40].to_vec());
    seed("journal/whole", journal);
    seed("journal/records", lines.join("\n").into_bytes());
    seed("manifest/seal", file("seal.json"));
    seed("manifest/checkpoint", serde_json::to_vec(checkpoint).unwrap());
    // Two bytes choose what is changed of its seal.
    seed("manifest/manifest", [b"ab".to_vec(), serde_json::to_vec(&ledger.manifest()).unwrap()].concat());
    seed("manifest/names", [names.join("\n").as_str(), "\n", ledger.recording_id.to_string().as_str()].concat().into());
    for (name, first, kind) in [("voice", "voice-000001.m4s", 0), ("camera", "camera-000001.m4s", 1)] {
        let bytes = Bytes::from(file(first));
        // The fuzzers read no more than 8 kB: the first fragment, and the second cut off somewhere.
        let (_, whole) = fmp4::scan(&bytes.slice(..bytes.len().min(6_000)));
        seed(&format!("recovery/{name}"), [&[kind], &bytes[..whole]].concat());
        seed(&format!("recovery/{name}-torn"), [&[kind], &bytes[..whole - 90]].concat());
    }
    seeds
}
