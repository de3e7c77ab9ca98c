//! What retention remembers between its rounds: what the wall clock is worth, when it runs next, what will go.

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

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct RetentionState {
    state: Arc<Mutex<State>>,
}

/// The inside, for the job.
pub(crate) struct State {
    /// What the wall clock is worth.
    pub(crate) clock: TrustedClock,
    note: PathBuf,
    /// When retention is gone through next, by the steady clock.
    pub(crate) runs_at: Instant,
    /// When recordings are evicted next.
    pub(crate) evicts_at: Instant,
    /// When it is looked ahead next.
    pub(crate) looks_at: Instant,
    /// What retention will remove, and when.
    pub(crate) leaving: Vec<(Date, u64)>,
}

impl RetentionState {
    /// At the start of a hub, in its data folder.
    ///
    /// # Errors
    /// Where the note of an earlier hub cannot be read.
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

    /// What the wall clock is worth.
    #[must_use]
    pub fn trust(&self, now: Now) -> Trust {
        self.state().clock.poll(now)
    }

    /// What retention will remove on which day, as of the last hour.
    #[must_use]
    pub fn leaving(&self) -> Vec<(Date, u64)> {
        self.state().leaving.clone()
    }

    /// Somebody answers for the clock and for all that is due: the next round goes through it.
    pub fn run_soon(&self, now: Now) {
        self.state().runs_at = now.steady;
    }

    /// The inside, under its lock.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the time, as long as it can be believed: what is noted is what a later start is measured by.
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

/// The time that was noted last.
const SEEN_FILE: &str = "clock.seen";

/// A hub that has just started has better things to do.
const FIRST_RUN_AFTER: Duration = Duration::from_secs(3_600);
