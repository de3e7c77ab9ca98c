//! In-memory state of the retention job: trust in the wall clock, times of the next runs, forecast.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::civil::Date;
use school::{
    base::time::{Now, UnixMs},
    retention::trusted_clock::{Trust, TrustedClock},
};
use tracing::warn;

use crate::{clock::Clock, data_dir, error_chain::chain};

/// State of the retention job. Cheap to clone.
#[derive(Clone)]
pub struct RetentionState {
    state: Arc<Mutex<State>>,
}

/// The state itself, for the job.
pub(crate) struct State {
    /// Whether the wall clock can be trusted.
    pub(crate) clock: TrustedClock,
    note: PathBuf,
    /// Next retention run, by the steady clock.
    pub(crate) runs_at: Instant,
    /// Next eviction of local copies.
    pub(crate) evicts_at: Instant,
    /// Next forecast.
    pub(crate) looks_at: Instant,
    /// Forecast: bytes that retention will delete, by date.
    pub(crate) leaving: Vec<(Date, u64)>,
}

impl RetentionState {
    /// The state at the start of a hub with this data folder.
    ///
    /// # Errors
    /// [`data_dir::DataDirError`] if the time noted by an earlier run of the hub cannot be read.
    pub fn begin(data: &Path, clock: &Clock) -> Result<Self, data_dir::DataDirError> {
        let (note, now) = (data.join(SEEN_FILE), clock.now());
        let seen =
            data_dir::read(&note)?.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok()).map(UnixMs);
        if let Some(seen) = seen {
            clock.not_before(seen);
        }
        let state = State {
            clock: TrustedClock::begin(seen, now),
            note,
            runs_at: now.steady + FIRST_RUN_AFTER,
            evicts_at: now.steady + FIRST_RUN_AFTER,
            looks_at: now.steady,
            leaving: Vec::new(),
        };
        Ok(Self { state: Arc::new(Mutex::new(state)) })
    }

    /// Whether the wall clock can be trusted.
    #[must_use]
    pub fn trust(&self, now: Now) -> Trust {
        self.state().clock.poll(now)
    }

    /// Bytes that retention will delete, by date; at most an hour old.
    #[must_use]
    pub fn leaving(&self) -> Vec<(Date, u64)> {
        self.state().leaving.clone()
    }

    /// An administrator confirms the clock and what is due: the next round runs retention.
    pub fn run_soon(&self, now: Now) {
        self.state().runs_at = now.steady;
    }

    /// Locks the state.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the time to the data folder if the clock is trusted: a later start compares its clock with it.
    pub(crate) fn note_time(&self, clock: &Clock) {
        let (now, state) = (clock.now(), self.state());
        if state.clock.poll(now) != Trust::Trusted {
            return;
        }
        if let Err(error) = data_dir::write(&state.note, now.wall.0.to_string().as_bytes(), 0o600) {
            warn!(error = chain(&error), "The time could not be noted");
        }
    }
}

/// File with the last trusted time.
const SEEN_FILE: &str = "clock.seen";

/// Delay after a start, so that retention does not compete with it.
const FIRST_RUN_AFTER: Duration = Duration::from_secs(3_600);
