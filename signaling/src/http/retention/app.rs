//! State for the retention handlers.

use axum::extract::FromRef;

use crate::{app::App, clock::Clock, live::recording::Recordings, state::retention::RetentionState, store::Store};

/// The parts of [`App`] that these handlers use.
#[derive(Clone)]
pub struct RetentionApp {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// Recordings of lessons.
    pub recordings: Recordings,
    /// State of the retention job.
    pub retention: RetentionState,
}

impl FromRef<App> for RetentionApp {
    fn from_ref(app: &App) -> Self {
        Self {
            store: app.store.clone(),
            clock: app.clock.clone(),
            recordings: app.recordings.clone(),
            retention: app.retention.clone(),
        }
    }
}
