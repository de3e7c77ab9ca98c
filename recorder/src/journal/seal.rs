//! The seal of an ended recording: its manifest and the head of its journal, signed by the hub that wrote it.
//!
//! `{"sealed": …, "sha256": …, "public_key": …, "signature": …}`, in this order and without spaces. Digest and
//! signature are over the bytes of `sealed` as they stand in the file, so that a check needs no canonical JSON. A hub
//! without a key omits the last two.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::{
    id::RecordingId,
    journal::{
        digest::{from_hex, hex, sha256},
        fault::Fault,
        manifest::Manifest,
        signature::{SIGNED, Signed, Signer, UNSIGNED},
    },
};

#[derive(Serialize, Deserialize)]
struct Sealed<M> {
    version: u32,
    algorithm: String,
    recording_id: RecordingId,
    chain_head: String,
    manifest: M,
}

/// The fields after the sealed bytes.
#[derive(Serialize, Deserialize)]
struct Tail {
    sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

#[derive(Deserialize)]
struct File {
    sealed: Sealed<serde::de::IgnoredAny>,
    #[serde(flatten)]
    tail: Tail,
}

/// The seal of an ended recording.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn write(manifest: &Manifest, signer: Option<&dyn Signer>) -> Result<Vec<u8>, serde_json::Error> {
    let sealed = serde_json::to_vec(&Sealed {
        version: VERSION,
        algorithm: if signer.is_some() { SIGNED } else { UNSIGNED }.to_owned(),
        recording_id: manifest.recording_id,
        chain_head: manifest.chain_head.clone(),
        manifest,
    })?;
    let tail = Tail {
        sha256: sha256(&sealed),
        public_key: signer.map(|signer| hex(&signer.public_key())),
        signature: signer.map(|signer| hex(&signer.sign(&message(&sealed)))),
    };
    Ok([HEAD, &sealed, &tail.bytes()?].concat())
}

/// Checks a seal: unchanged, of this recording with this head of its journal, and signed by `expected` if that is
/// given.
///
/// # Errors
/// The fault of the seal.
pub fn check(file: &[u8], id: RecordingId, chain_head: &str, expected: Option<&[u8; 32]>) -> Result<Signed, Fault> {
    let File { sealed, tail } = serde_json::from_slice(file).map_err(|_| Fault::Changed)?;
    let end = tail.bytes().map_err(|_| Fault::Changed)?;
    let bytes = file.strip_prefix(HEAD).and_then(|rest| rest.strip_suffix(end.as_slice())).ok_or(Fault::Changed)?;
    if sha256(bytes) != tail.sha256 || sealed.version != VERSION {
        return Err(Fault::Changed);
    }
    let signed = match (sealed.algorithm.as_str(), tail.public_key, tail.signature) {
        (UNSIGNED, None, None) => Signed::No,
        (SIGNED, Some(key), Some(signature)) => {
            let raw = from_hex::<32>(&key).ok_or(Fault::Changed)?;
            let signature = from_hex::<64>(&signature).ok_or(Fault::Changed)?;
            UnparsedPublicKey::new(&ED25519, raw).verify(&message(bytes), &signature).map_err(|_| Fault::Forged)?;
            match expected {
                Some(expected) if *expected != raw => return Err(Fault::OtherKey { public_key: key }),
                Some(_) => Signed::Yes(key),
                None => Signed::By(key),
            }
        }
        _ => return Err(Fault::Changed),
    };
    if sealed.recording_id != id || sealed.chain_head != chain_head {
        return Err(Fault::OtherEnd);
    }
    Ok(signed)
}

impl Tail {
    fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        // Replaces the opening brace: the object began before the sealed bytes.
        if let Some(first) = bytes.first_mut() {
            *first = b',';
        }
        Ok(bytes)
    }
}

/// The signed message. Its prefix separates it from other signatures of this hub (domain separation).
fn message(sealed: &[u8]) -> Vec<u8> {
    [PURPOSE, sealed].concat()
}

/// The file name of the seal.
pub const SEAL: &str = "seal.json";

const VERSION: u32 = 1;
const HEAD: &[u8] = b"{\"sealed\":";
const PURPOSE: &[u8] = b"tongke recording seal\n";
