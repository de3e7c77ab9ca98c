//! What requests about schools, people and devices need of the hub.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::Semaphore;

use crate::{
    app::App,
    clock::Clock,
    state::{attempts::Attempts, challenges::Challenges, rights_watch::RightsWatch},
    store::Store,
};

/// The parts of [`App`] that these requests use.
#[derive(Clone)]
pub struct OrganisationApp {
    /// What is stored.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Failed attempts to sign in.
    pub attempts: Arc<Attempts>,
    /// Devices that asked to be let in.
    pub enrolments: Arc<Attempts>,
    /// What devices are asked to sign.
    pub challenges: Arc<Challenges>,
    /// Turns at reading and writing tables.
    pub tables: Arc<Semaphore>,
    /// Says that sessions, devices or roles have ended.
    pub rights: RightsWatch,
}

impl FromRef<App> for OrganisationApp {
    fn from_ref(app: &App) -> Self {
        Self {
            store: app.store.clone(),
            clock: app.clock.clone(),
            attempts: app.attempts.clone(),
            enrolments: app.enrolments.clone(),
            challenges: app.challenges.clone(),
            tables: app.tables.clone(),
            rights: app.rights.clone(),
        }
    }
}
