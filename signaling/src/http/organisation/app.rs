//! State for the handlers of schools, people and devices.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::Semaphore;

use crate::{
    app::App,
    clock::Clock,
    state::{attempts::Attempts, challenges::Challenges, rights_watch::RightsWatch},
    store::Store,
};

/// The parts of [`App`] that these handlers use.
#[derive(Clone)]
pub struct OrganisationApp {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// Failed sign-in attempts.
    pub attempts: Arc<Attempts>,
    /// Device enrolments, for the rate limit.
    pub enrolments: Arc<Attempts>,
    /// Challenges for devices to sign.
    pub challenges: Arc<Challenges>,
    /// Limits concurrent reading and writing of tables.
    pub tables: Arc<Semaphore>,
    /// Notifies of ended sessions, devices and roles.
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
