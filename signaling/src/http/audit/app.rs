//! State for the audit handlers.

use axum::extract::FromRef;

use crate::{app::App, clock::Clock, store::Store};

/// The parts of [`App`] that these handlers use.
#[derive(Clone)]
pub struct AuditApp {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
}

impl FromRef<App> for AuditApp {
    fn from_ref(app: &App) -> Self {
        Self { store: app.store.clone(), clock: app.clock.clone() }
    }
}
