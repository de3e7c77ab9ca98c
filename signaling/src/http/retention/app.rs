//! What requests about retention need of the hub.

use axum::extract::FromRef;

use crate::{app::App, clock::Clock, live::recording::Recordings, state::retention::RetentionState, store::Store};

/// The parts of [`App`] that these requests use.
#[derive(Clone)]
pub struct RetentionApp {
    /// What is stored.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// What remains of lessons.
    pub recordings: Recordings,
    /// What recordings take, and how long they stay.
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
