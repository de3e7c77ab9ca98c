//! State for the timetable handlers.

use axum::extract::FromRef;

use crate::{app::App, clock::Clock, store::Store};

/// The parts of [`App`] that these handlers use.
#[derive(Clone)]
pub struct TimetableApp {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
}

impl FromRef<App> for TimetableApp {
    fn from_ref(app: &App) -> Self {
        Self { store: app.store.clone(), clock: app.clock.clone() }
    }
}
