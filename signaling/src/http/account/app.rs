//! What requests about accounts and sessions need of the hub.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::{
    app::{App, Refusals},
    clock::Clock,
    secret::Secrets,
    state::{attempts::Attempts, challenges::Challenges, first_start::FirstStart, rights_watch::RightsWatch},
    store::Store,
};

/// The parts of [`App`] that these requests use.
#[derive(Clone)]
pub struct AccountApp {
    /// What is stored.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Failed attempts to sign in.
    pub attempts: Arc<Attempts>,
    /// What devices are asked to sign.
    pub challenges: Arc<Challenges>,
    /// Passwords and second factors.
    pub secrets: Arc<Secrets>,
    /// The secret of the first start. `None` in it: the hub has its administrators.
    pub first_start: Arc<FirstStart>,
    /// Says that sessions, devices or roles have ended.
    pub rights: RightsWatch,
    /// Refusals on their way to the audit.
    pub refusals: Refusals,
}

impl FromRef<App> for AccountApp {
    fn from_ref(app: &App) -> Self {
        Self {
            store: app.store.clone(),
            clock: app.clock.clone(),
            attempts: app.attempts.clone(),
            challenges: app.challenges.clone(),
            secrets: app.secrets.clone(),
            first_start: app.first_start.clone(),
            rights: app.rights.clone(),
            refusals: app.refusals.clone(),
        }
    }
}
