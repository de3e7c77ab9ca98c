//! Everything that a request may need, put together once.

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

/// The running hub behind its front door. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// What is kept.
    pub store: Store,
    /// The media plane.
    pub hub: Hub,
    /// The lessons in progress.
    pub registry: Registry,
    /// What remains of lessons.
    pub recordings: Recordings,
    /// What they take, and how long they stay.
    pub retention: RetentionState,
    /// Puts board and camera into one frame.
    pub composer: Arc<Composer>,
    /// Signs and checks tokens.
    pub tokens: Arc<TokenSigner>,
    /// Failed attempts to sign in.
    pub attempts: Arc<Attempts>,
    /// Devices that asked to be let in.
    pub enrolments: Arc<Attempts>,
    /// What devices are asked to sign.
    pub challenges: Arc<Challenges>,
    /// Creates under way.
    pub under_way: Arc<KeyLocks>,
    /// Turns at reading and writing tables.
    pub tables: Arc<Semaphore>,
    /// Each session's turns at whole recordings.
    pub downloads: Arc<ConcurrencyLimit>,
    /// Each session's turns at segments.
    pub segments: Arc<ConcurrencyLimit>,
    /// What was exported lately.
    pub exported: Arc<RecentExports>,
    /// Passwords and second factors.
    pub secrets: Arc<Secrets>,
    /// The secret of the first start. `None`: the hub has its administrators.
    pub first_start: Arc<FirstStart>,
    /// Refusals on their way to the audit.
    pub refusals: Refusals,
    /// The time.
    pub clock: Clock,
    /// The CA that classroom PCs may trust, as PEM. `None`: the certificate is a real one.
    pub ca_pem: Option<Arc<str>>,
    /// Says that sessions, devices or roles have ended.
    pub rights: RightsWatch,
    stopping: watch::Sender<bool>,
}

/// The hub cannot start.
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

/// Events between the hub's workers and the registry. A thousand classrooms that join at the bell make 3,000.
const EVENTS_MAX: usize = 65_536;

/// A hub that has just started has better things to do.
const RETIRE_AFTER: Duration = Duration::from_secs(3600);
const RETIRE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Refusals that wait to be written. A flood of them must not fill the disk, and its first thousand tell enough.
const REFUSALS_MAX: usize = 1_024;

impl App {
    /// Opens the database and everything in the data folder, starts the media plane and takes up the lessons in progress.
    ///
    /// # Errors
    /// [`OpenError`] says which part could not start.
    pub async fn open(
        data: &Path,
        database: &Database,
        hub: HubConfig,
        clock: Clock,
        ca_pem: Option<Arc<str>>,
    ) -> Result<Self, OpenError> {
        Self::open_mirrored(data, database, hub, clock, ca_pem, None).await
    }

    /// As [`App::open`], with a bucket into which recordings are copied.
    ///
    /// # Errors
    /// [`OpenError`] says which part could not start.
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

    /// Beats the lessons' clock until the hub stops.
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

    /// Once a day takes out of the audit what is older than `kept`, until the hub stops.
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

    /// Resolves when the hub is told to stop.
    pub async fn stopping(&self) {
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Tells everyone that the hub goes away, closes recordings so that the next start goes on with them, stops the
    /// media plane and closes the store.
    pub async fn shut_down(&self) {
        self.stopping.send_replace(true);
        self.registry.say_bye(CloseReason::ShuttingDown);
        // A store that does not answer holds nobody up for long.
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

/// Called on the hub's threads: it must not block.
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

/// Refusals go to the audit from behind a bounded queue: whoever is refused cannot make the hub wait for the disk.
#[derive(Clone, Debug)]
pub struct Refusals {
    queue: mpsc::Sender<AuditRow>,
}

impl Refusals {
    fn channel() -> (Self, mpsc::Receiver<AuditRow>) {
        let (queue, refused) = mpsc::channel(REFUSALS_MAX);
        (Self { queue }, refused)
    }

    /// Keeps one, or counts it where a flood of them is on its way.
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
