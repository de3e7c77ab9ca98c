//! What requests about reports need of the hub.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::Semaphore;

use crate::{app::App, clock::Clock, live::registry::Registry, store::Store};

/// The parts of [`App`] that these requests use.
#[derive(Clone)]
pub struct ReportApp {
    /// What is stored.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The lessons in progress.
    pub registry: Registry,
    /// Turns at reading and writing tables.
    pub tables: Arc<Semaphore>,
}

impl FromRef<App> for ReportApp {
    fn from_ref(app: &App) -> Self {
        Self {
            store: app.store.clone(),
            clock: app.clock.clone(),
            registry: app.registry.clone(),
            tables: app.tables.clone(),
        }
    }
}
