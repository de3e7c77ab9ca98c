//! State for the dispatch handlers.

use axum::extract::FromRef;

use crate::{
    app::{App, Refusals},
    clock::Clock,
    live::{recording::Recordings, registry::Registry},
    store::Store,
};

/// The parts of [`App`] that these handlers use.
#[derive(Clone)]
pub struct DispatchApp {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The lessons in progress.
    pub registry: Registry,
    /// Recordings of lessons.
    pub recordings: Recordings,
    /// Queue of refusals for the audit.
    pub refusals: Refusals,
}

impl FromRef<App> for DispatchApp {
    fn from_ref(app: &App) -> Self {
        Self {
            store: app.store.clone(),
            clock: app.clock.clone(),
            registry: app.registry.clone(),
            recordings: app.recordings.clone(),
            refusals: app.refusals.clone(),
        }
    }
}
