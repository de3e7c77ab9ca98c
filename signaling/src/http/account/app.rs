//! State of the account and session routes.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::{
    app::{App, Refusals},
    clock::Clock,
    secret::Secrets,
    state::{attempts::Attempts, challenges::Challenges, first_start::FirstStart, rights_watch::RightsWatch},
    store::Store,
};

/// The parts of [`App`] that these routes use.
#[derive(Clone)]
pub struct AccountApp {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// Failed attempts to sign in, by address.
    pub attempts: Arc<Attempts>,
    /// Challenges that devices sign.
    pub challenges: Arc<Challenges>,
    /// Hashes passwords and seals second factors.
    pub secrets: Arc<Secrets>,
    /// The secret of the first start. `None` in it: the hub is set up.
    pub first_start: Arc<FirstStart>,
    /// Notifies that sessions, devices or roles have changed.
    pub rights: RightsWatch,
    /// Queue of refused requests for the audit.
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
