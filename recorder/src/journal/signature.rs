//! Who signs recordings, and what a signature says.

use serde::Serialize;

/// Signs what must not be changed any more. The recorder never sees the key.
pub trait Signer: Send + Sync + 'static {
    /// By which the signatures can be checked: raw Ed25519 (RFC 8032).
    fn public_key(&self) -> [u8; 32];
    /// Ed25519 over a message.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// Whether a recording bears its hub's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signed {
    /// It is not over yet.
    NotYet,
    /// It was sealed without a key: whoever can write the whole folder can write another lesson.
    No,
    /// By the key that was expected, in hex.
    Yes(String),
    /// By this key, in hex. Nobody said whose it must be.
    By(String),
}

pub(crate) const SIGNED: &str = "sha256+ed25519";
pub(crate) const UNSIGNED: &str = "sha256";
