//! The application state: everything a request handler needs.

use std::{path::Path, sync::Arc, time::Duration};

use recorder::{composite::Composer, mirror::bucket::BucketError};
use sfu::{Hub, HubConfig, HubEvent};
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::{error, info, warn};

use crate::{
    clock::Clock,
    config::s3::S3,
    data_dir::{self, DataDirError},
    error_chain::chain,
    http::web::idempotency::Idempotency,
    live::{
        bell::ring::BELL_TICK,
        recording::{self, Recordings, SealKey},
        registry::{Registry, TICK},
        token::TokenSigner,
        wire::CloseReason,
    },
    secret::Secrets,
    state::{
        attempts::{Attempts, ENROLMENTS_PER_MINUTE, FAILURES_PER_MINUTE},
        challenges::Challenges,
        concurrency::{ConcurrencyLimit, DOWNLOADS_AT_ONCE, SEGMENTS_AT_ONCE, TABLES_AT_ONCE},
        first_start::FirstStart,
        key_locks::KeyLocks,
        recent_exports::RecentExports,
        retention::RetentionState,
        rights_watch::RightsWatch,
    },
    store::{AuditRow, Database, Store, StoreError},
};
use axum::extract::FromRef;

/// State of the running hub. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The media plane.
    pub hub: Hub,
    /// The lessons in progress.
    pub registry: Registry,
    /// The recordings.
    pub recordings: Recordings,
    /// State of the retention job.
    pub retention: RetentionState,
    /// Composes board and camera into one frame.
    pub composer: Arc<Composer>,
    /// Signs and checks tokens.
    pub tokens: Arc<TokenSigner>,
    /// Rate limit of failed sign-ins.
    pub attempts: Arc<Attempts>,
    /// Rate limit of enrolments.
    pub enrolments: Arc<Attempts>,
    /// Challenges that devices have to sign.
    pub challenges: Arc<Challenges>,
    /// Locks of idempotency keys.
    pub under_way: Arc<KeyLocks>,
    /// Permits to read and write tables, for the whole hub.
    pub tables: Arc<Semaphore>,
    /// Permits to download recordings, per session.
    pub downloads: Arc<ConcurrencyLimit>,
    /// Permits to read segments, per session.
    pub segments: Arc<ConcurrencyLimit>,
    /// Exports that were audited recently.
    pub exported: Arc<RecentExports>,
    /// Hashes passwords and seals second factors.
    pub secrets: Arc<Secrets>,
    /// The setup secret of the first start. `None`: the hub has its administrators.
    pub first_start: Arc<FirstStart>,
    /// Queue of refusals for the audit.
    pub refusals: Refusals,
    /// The clock.
    pub clock: Clock,
    /// The CA that classroom PCs import, as PEM. `None`: the certificate was configured.
    pub ca_pem: Option<Arc<str>>,
    /// Notifies of sessions, devices and roles that have ended.
    pub rights: RightsWatch,
    stopping: watch::Sender<bool>,
}

/// Why the hub cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder.
    #[error(transparent)]
    Keep(#[from] DataDirError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The recordings.
    #[error("the recordings cannot be opened")]
    Recordings(#[from] recorder::ArchiveError),
    /// The bucket for their copies.
    #[error("the bucket cannot be asked")]
    Bucket(#[from] BucketError),
    /// The media plane.
    #[error("the media plane cannot start")]
    Hub(#[from] sfu::StartError),
}

/// Queue of events from the hub's workers to the registry. A thousand classrooms that join at the bell make 3,000.
const EVENTS_MAX: usize = 65_536;

/// Delay after a start, so that background work does not compete with it.
const RETIRE_AFTER: Duration = Duration::from_secs(3600);
const RETIRE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Queue of refusals to be audited. Beyond it a flood is only counted: it must not fill the disk.
const REFUSALS_MAX: usize = 1_024;

impl App {
    /// Opens the database and the data folder, starts the media plane and restores the lessons in progress.
    ///
    /// # Errors
    /// [`OpenError`]: which part could not start.
    pub async fn open(
        data: &Path,
        database: &Database,
        hub: HubConfig,
        clock: Clock,
        ca_pem: Option<Arc<str>>,
    ) -> Result<Self, OpenError> {
        Self::open_mirrored(data, database, hub, clock, ca_pem, None).await
    }

    /// As [`App::open`], with a bucket to which recordings are copied.
    ///
    /// # Errors
    /// [`OpenError`]: which part could not start.
    pub async fn open_mirrored(
        data: &Path,
        database: &Database,
        hub: HubConfig,
        clock: Clock,
        ca_pem: Option<Arc<str>>,
        s3: Option<&S3>,
    ) -> Result<Self, OpenError> {
        data_dir::folder(data)?;
        let retention = RetentionState::begin(data, &clock)?;
        let tokens = Arc::new(TokenSigner::open(data)?);
        let secrets = Arc::new(Secrets::open(data)?);
        let store = Store::open(database).await?;
        let recordings = Recordings::open(
            data,
            SealKey::open(data)?,
            s3.map(|s3| recording::bucket(s3).map(|bucket| (s3, bucket))).transpose()?,
        )?;
        let derived = data.join("derived");
        let composer = Composer::open(derived.clone(), "ffmpeg").map_err(|source| recorder::ArchiveError::Disk {
            doing: "open",
            path: derived,
            source,
        })?;
        let recovering = recordings.clone();
        let mended = tokio::task::spawn_blocking(move || recovering.recover()).await.unwrap_or(Ok(0))?;
        if mended > 0 {
            info!(mended, "{mended} recordings were not sealed: they can go on");
        }
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let hub = Hub::start(hub, Arc::new(move |event| save_event(&events, event)))?;
        let registry = Registry::new(hub.clone(), store.clone(), recordings.clone(), clock.clone());
        registry.restore().await?;
        let (refusals, refused) = Refusals::channel();
        let app = Self {
            store,
            hub,
            registry,
            recordings,
            retention,
            composer,
            tokens,
            attempts: Arc::new(Attempts::of(FAILURES_PER_MINUTE)),
            enrolments: Arc::new(Attempts::of(ENROLMENTS_PER_MINUTE)),
            challenges: Arc::default(),
            under_way: Arc::default(),
            tables: Arc::new(Semaphore::new(TABLES_AT_ONCE)),
            downloads: Arc::new(ConcurrencyLimit::of(DOWNLOADS_AT_ONCE)),
            segments: Arc::new(ConcurrencyLimit::of(SEGMENTS_AT_ONCE)),
            exported: Arc::default(),
            secrets,
            first_start: Arc::default(),
            rights: RightsWatch::default(),
            refusals,
            clock,
            ca_pem,
            stopping: watch::Sender::new(false),
        };
        tokio::spawn(route_events(app.clone(), inbox));
        tokio::spawn(write_refusals(app.store.clone(), refused));
        if let Some(mirror) = app.recordings.mirror().cloned() {
            let stopping = app.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = mirror.run() => {}
                    () = stopping.stopping() => {}
                }
            });
        }
        Ok(app)
    }

    /// Runs the lessons' tick until the hub stops.
    pub async fn beat(self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut rings = tokio::time::interval(BELL_TICK);
        rings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stopping = self.clone();
        let mut count = 0_u64;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.registry.tick(count).await;
                    count += 1;
                }
                _ = rings.tick() => self.registry.ring().await,
                () = stopping.stopping() => return,
            }
        }
    }

    /// Deletes audit rows older than `kept` once a day, until the hub stops.
    pub async fn retire_audit(self, kept: Duration) {
        let mut days = tokio::time::interval_at(tokio::time::Instant::now() + RETIRE_AFTER, RETIRE_EVERY);
        loop {
            tokio::select! {
                _ = days.tick() => {}
                () = self.stopping() => return,
            }
            match self.store.retire_audit(self.clock.wall(), kept).await {
                Ok(Ok(0)) => {}
                Ok(Ok(rows)) => info!(rows, "Took {rows} rows out of the audit after their time"),
                Ok(Err(touched)) => error!(%touched, "Nothing is taken out of the audit: {touched}"),
                Err(error) => error!(error = chain(&error), "The audit's old rows could not be taken out"),
            }
        }
    }

    /// Resolves when the hub is stopped.
    pub async fn stopping(&self) {
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Stops the hub: closes sockets, suspends recordings so that the next start resumes them, stops the media plane
    /// and closes the store.
    pub async fn shut_down(&self) {
        self.stopping.send_replace(true);
        self.registry.say_bye(CloseReason::ShuttingDown);
        // A store that does not answer must not delay the stop for long.
        match tokio::time::timeout(Duration::from_secs(2), self.registry.flush_attendance()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(error = chain(&error), "The last of the attendance could not be kept"),
            Err(_) => error!("The last of the attendance could not be kept: the store is too slow"),
        }
        self.registry.suspend_recordings().await;
        let hub = self.hub.clone();
        if tokio::task::spawn_blocking(move || hub.shut_down()).await.is_err() {
            error!("The media plane did not stop cleanly");
        }
        if tokio::time::timeout(Duration::from_secs(2), self.store.close()).await.is_err() {
            warn!("The store was still busy when the hub stopped");
        }
    }
}

/// Called on the hub's threads: must not block.
fn save_event(events: &mpsc::Sender<HubEvent>, event: HubEvent) {
    if events.try_send(event).is_err() {
        metrics::counter!("tongke_hub_events_dropped_total").increment(1);
    }
}

async fn route_events(app: App, mut inbox: mpsc::Receiver<HubEvent>) {
    loop {
        let event = tokio::select! {
            event = inbox.recv() => event,
            () = app.stopping() => None,
        };
        let Some(event) = event else { return };
        app.registry.handle_hub_event(&event);
    }
}

/// Refusals are audited through a bounded queue: a refused caller cannot make the hub wait for the disk.
#[derive(Clone, Debug)]
pub struct Refusals {
    queue: mpsc::Sender<AuditRow>,
}

impl Refusals {
    fn channel() -> (Self, mpsc::Receiver<AuditRow>) {
        let (queue, refused) = mpsc::channel(REFUSALS_MAX);
        (Self { queue }, refused)
    }

    /// Queues a refusal, or counts it if the queue is full.
    pub fn keep(&self, row: AuditRow) {
        metrics::counter!("tongke_refusals_total", "act" => row.act).increment(1);
        if self.queue.try_send(row).is_err() {
            metrics::counter!("tongke_refusals_not_kept_total").increment(1);
        }
    }
}

async fn write_refusals(store: Store, mut refused: mpsc::Receiver<AuditRow>) {
    let mut rows = Vec::new();
    while refused.recv_many(&mut rows, REFUSALS_MAX).await > 0 {
        let written = store.audit_all(&rows).await;
        rows.clear();
        if let Err(error) = written {
            error!(error = chain(&error), "A refusal could not be written to the audit");
        }
    }
}

impl FromRef<App> for Idempotency {
    fn from_ref(app: &App) -> Self {
        Self { store: app.store.clone(), locks: app.under_way.clone(), clock: app.clock.clone() }
    }
}
