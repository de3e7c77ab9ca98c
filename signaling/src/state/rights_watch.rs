//! Notifies open connections that a session, device or role has ended.

use std::sync::Arc;

use tokio::sync::watch;

/// Broadcasts changes of rights. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RightsWatch(Arc<watch::Sender<u64>>);

impl Default for RightsWatch {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl RightsWatch {
    /// A session, device or role has ended: open connections check their rights again.
    pub fn changed(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// Resolves at the next change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
