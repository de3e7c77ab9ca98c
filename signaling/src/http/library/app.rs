//! What requests about the library need of the hub.

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

/// The parts of [`App`] that these requests use.
#[derive(Clone)]
pub struct LibraryApp {
    /// What is stored.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// What remains of lessons.
    pub recordings: Recordings,
    /// Puts board and camera into one frame.
    pub composer: Arc<Composer>,
    /// Signs and checks tokens.
    pub tokens: Arc<TokenSigner>,
    /// Each session's turns at whole recordings.
    pub downloads: Arc<ConcurrencyLimit>,
    /// Each session's turns at segments.
    pub segments: Arc<ConcurrencyLimit>,
    /// What was exported lately.
    pub exported: Arc<RecentExports>,
    /// Refusals on their way to the audit.
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
