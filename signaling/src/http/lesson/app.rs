//! What requests about lessons need of the hub.

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

/// The parts of [`App`] that these requests use.
#[derive(Clone)]
pub struct LessonApp {
    /// What is stored.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The media plane.
    pub hub: Hub,
    /// The lessons in progress.
    pub registry: Registry,
    /// What remains of lessons.
    pub recordings: Recordings,
    /// Each session's turns at segments.
    pub segments: Arc<ConcurrencyLimit>,
    /// Signs and checks tokens.
    pub tokens: Arc<TokenSigner>,
    /// Says that sessions, devices or roles have ended.
    pub rights: RightsWatch,
    /// Refusals on their way to the audit.
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
