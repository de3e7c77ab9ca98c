//! Locks of idempotency keys.

use std::sync::Arc;

use dashmap::DashMap;

/// Locks by holder and key: a second request with the same key waits for the first.
#[derive(Debug, Default)]
pub struct KeyLocks {
    /// Each is held while its request is answered.
    pub keys: DashMap<(String, String), Arc<tokio::sync::Mutex<()>>>,
}
