//! What requests about the audit need of the hub.

use axum::extract::FromRef;

use crate::{app::App, clock::Clock, store::Store};

/// The parts of [`App`] that these requests use.
#[derive(Clone)]
pub struct AuditApp {
    /// What is stored.
    pub store: Store,
    /// The time.
    pub clock: Clock,
}

impl FromRef<App> for AuditApp {
    fn from_ref(app: &App) -> Self {
        Self { store: app.store.clone(), clock: app.clock.clone() }
    }
}
