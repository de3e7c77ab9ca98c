//! Signing of recordings.

use serde::Serialize;

/// Signs seals and checkpoints. The recorder never sees the key.
pub trait Signer: Send + Sync + 'static {
    /// The raw Ed25519 public key (RFC 8032).
    fn public_key(&self) -> [u8; 32];
    /// Ed25519 over a message.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// Whether a recording is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signed {
    /// Not sealed yet.
    NotYet,
    /// Sealed without a key: write access to the folder is enough to forge the recording.
    No,
    /// By the expected key, in hex.
    Yes(String),
    /// By this key, in hex; no key was expected.
    By(String),
}

pub(crate) const SIGNED: &str = "sha256+ed25519";
pub(crate) const UNSIGNED: &str = "sha256";
