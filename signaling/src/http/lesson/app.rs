//! State of the lesson routes.

use std::sync::Arc;

use axum::extract::FromRef;
use sfu::Hub;

use crate::{
    app::{App, Refusals},
    clock::Clock,
    live::{recording::Recordings, registry::Registry, token::TokenSigner},
    state::{concurrency::ConcurrencyLimit, rights_watch::RightsWatch},
    store::Store,
};

/// The parts of [`App`] that these routes use.
#[derive(Clone)]
pub struct LessonApp {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The media plane.
    pub hub: Hub,
    /// The lessons in progress.
    pub registry: Registry,
    /// The recordings of lessons.
    pub recordings: Recordings,
    /// Limits concurrent segment reads per session.
    pub segments: Arc<ConcurrencyLimit>,
    /// Signs and verifies tokens.
    pub tokens: Arc<TokenSigner>,
    /// Notifies that sessions, devices or roles have changed.
    pub rights: RightsWatch,
    /// Queue of refused requests for the audit.
    pub refusals: Refusals,
}

impl FromRef<App> for LessonApp {
    fn from_ref(app: &App) -> Self {
        Self {
            store: app.store.clone(),
            clock: app.clock.clone(),
            hub: app.hub.clone(),
            registry: app.registry.clone(),
            recordings: app.recordings.clone(),
            segments: app.segments.clone(),
            tokens: app.tokens.clone(),
            rights: app.rights.clone(),
            refusals: app.refusals.clone(),
        }
    }
}
