//! Says that a session, a device or a role has ended, to all who hold a line open.

use std::sync::Arc;

use tokio::sync::watch;

/// One change after another of what people may do. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RightsWatch(Arc<watch::Sender<u64>>);

impl Default for RightsWatch {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl RightsWatch {
    /// A session, device or role has ended: open lines check again whether they may stay.
    pub fn changed(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// Resolves at each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
