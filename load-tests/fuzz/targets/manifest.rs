//! What stands in JSON beside the media, and the names of files: any bytes as a seal, a checkpoint, a manifest or a name.
//! Nothing may panic, a seal passes as it was written and with no byte changed, and a name has one way to be written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recorder::{
    Checkpoint, Manifest, RecordingId, Signed,
    id::MediaName,
    journal::seal::{check, write},
    mirror::Piece,
};

const ID: &str = "0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a";

fuzz_target!(|bytes: &[u8]| {
    let id: RecordingId = ID.parse().expect("a name");
    for key in [None, Some(&[7; 32])] {
        let _ = check(bytes, id, &"0".repeat(64), key);
        if let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(bytes)
            && checkpoint.check(key) == Ok(Signed::No)
        {
            assert_eq!((checkpoint.public_key, checkpoint.signature), (None, None));
        }
    }
    // The first two bytes choose what is changed of a seal that was just written.
    if let Some((&[high, low], json)) = bytes.split_first_chunk::<2>()
        && let Ok(manifest) = serde_json::from_slice::<Manifest>(json)
    {
        let (id, head) = (manifest.recording_id, manifest.chain_head.clone());
        let mut seal = write(&manifest, None).expect("what was read from JSON can be told in it");
        assert_eq!(check(&seal, id, &head, None), Ok(Signed::No));
        let at = usize::from(u16::from_be_bytes([high, low])) % seal.len();
        seal[at] ^= 1 << (low & 7);
        assert!(check(&seal, id, &head, None).is_err(), "a seal with another byte at {at}");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for line in text.lines() {
        if let Some((name, is_part)) = MediaName::of_file(line) {
            assert_eq!(line, if is_part { name.part() } else { name.to_string() });
        }
        if let Ok(id) = line.parse::<RecordingId>() {
            assert_eq!(line, id.to_string());
        }
        if let Ok(piece) = line.parse::<Piece>() {
            assert_eq!(Ok(piece), piece.to_string().parse(), "{line}");
        }
    }
});
