//! State of the library routes.

use std::sync::Arc;

use axum::extract::FromRef;
use recorder::composite::Composer;

use crate::{
    app::{App, Refusals},
    clock::Clock,
    live::{recording::Recordings, token::TokenSigner},
    state::{concurrency::ConcurrencyLimit, recent_exports::RecentExports},
    store::Store,
};

/// The parts of [`App`] that these routes use.
#[derive(Clone)]
pub struct LibraryApp {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The recordings of lessons.
    pub recordings: Recordings,
    /// Renders board and camera into one video.
    pub composer: Arc<Composer>,
    /// Signs and verifies tokens.
    pub tokens: Arc<TokenSigner>,
    /// Limits concurrent downloads per session.
    pub downloads: Arc<ConcurrencyLimit>,
    /// Limits concurrent segment reads per session.
    pub segments: Arc<ConcurrencyLimit>,
    /// Recent exports, so that repeated range requests write one audit row.
    pub exported: Arc<RecentExports>,
    /// Queue of refused requests for the audit.
    pub refusals: Refusals,
}

impl FromRef<App> for LibraryApp {
    fn from_ref(app: &App) -> Self {
        Self {
            store: app.store.clone(),
            clock: app.clock.clone(),
            recordings: app.recordings.clone(),
            composer: app.composer.clone(),
            tokens: app.tokens.clone(),
            downloads: app.downloads.clone(),
            segments: app.segments.clone(),
            exported: app.exported.clone(),
            refusals: app.refusals.clone(),
        }
    }
}
