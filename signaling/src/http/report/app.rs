//! State for the report handlers.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::Semaphore;

use crate::{app::App, clock::Clock, live::registry::Registry, store::Store};

/// The parts of [`App`] that these handlers use.
#[derive(Clone)]
pub struct ReportApp {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The lessons in progress.
    pub registry: Registry,
    /// Limits concurrent reading and writing of tables.
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
