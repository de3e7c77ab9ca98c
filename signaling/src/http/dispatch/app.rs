//! What requests about dispatch need of the hub.

use axum::extract::FromRef;

use crate::{
    app::{App, Refusals},
    clock::Clock,
    live::{recording::Recordings, registry::Registry},
    store::Store,
};

/// The parts of [`App`] that these requests use.
#[derive(Clone)]
pub struct DispatchApp {
    /// What is stored.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The lessons in progress.
    pub registry: Registry,
    /// What remains of lessons.
    pub recordings: Recordings,
    /// Refusals on their way to the audit.
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
