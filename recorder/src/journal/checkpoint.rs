//! A signed position of a journal, also kept by the database. A journal that is rewritten later, with every digest in
//! order, does not match the checkpoints kept elsewhere.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::{
    id::RecordingId,
    journal::{
        digest::{from_hex, hex},
        fault::Fault,
        signature::{SIGNED, Signed, Signer, UNSIGNED},
    },
};

/// The first `records` records of a journal end with the digest `head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The recording.
    pub recording_id: RecordingId,
    /// The number of records it covers.
    pub records: u64,
    /// Digest of the last of them, in hex.
    pub head: String,
    /// When it was made, in lesson time.
    pub at_ms: u64,
    /// Of the digest and the signature.
    pub algorithm: String,
    /// The public key, in hex. `None`: unsigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// In hex. `None`: unsigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl Checkpoint {
    /// Makes a checkpoint, signed if there is a signer.
    #[must_use]
    pub fn new(recording_id: RecordingId, records: u64, head: String, at_ms: u64, signer: Option<&dyn Signer>) -> Self {
        let algorithm = if signer.is_some() { SIGNED } else { UNSIGNED }.to_owned();
        let mut made = Self { recording_id, records, head, at_ms, algorithm, public_key: None, signature: None };
        if let Some(signer) = signer {
            made.public_key = Some(hex(&signer.public_key()));
            made.signature = Some(hex(&signer.sign(&made.message())));
        }
        made
    }

    /// Checks the signature; it must be by `expected` if that is given.
    ///
    /// # Errors
    /// The fault of the signature.
    pub fn check(&self, expected: Option<&[u8; 32]>) -> Result<Signed, Fault> {
        match (self.algorithm.as_str(), &self.public_key, &self.signature) {
            (UNSIGNED, None, None) => Ok(Signed::No),
            (SIGNED, Some(key), Some(signature)) => {
                let raw = from_hex::<32>(key).ok_or(Fault::Forged)?;
                let signature = from_hex::<64>(signature).ok_or(Fault::Forged)?;
                UnparsedPublicKey::new(&ED25519, raw).verify(&self.message(), &signature).map_err(|_| Fault::Forged)?;
                match expected {
                    Some(expected) if *expected != raw => Err(Fault::OtherKey { public_key: key.clone() }),
                    Some(_) => Ok(Signed::Yes(key.clone())),
                    None => Ok(Signed::By(key.clone())),
                }
            }
            _ => Err(Fault::Forged),
        }
    }

    /// The signed message. Its first line separates it from other signatures of this hub (domain separation).
    fn message(&self) -> Vec<u8> {
        let Self { recording_id, records, head, at_ms, algorithm, .. } = self;
        format!("tongke recording checkpoint\n{algorithm}\n{recording_id}\n{records}\n{head}\n{at_ms}\n").into_bytes()
    }
}
