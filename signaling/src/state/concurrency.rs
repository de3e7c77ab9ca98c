//! How much of one kind a single session may have under way at once.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns of one kind, counted for each session on its own: one that opens a thousand connections slows itself.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    each: usize,
    held: DashMap<String, Arc<Semaphore>>,
}

/// The session has as many of these under way as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {max} at once")]
pub struct TooManyAtOnce {
    /// How many it may.
    pub max: usize,
}

/// A turn in hand. Dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl ConcurrencyLimit {
    /// So many at once for each session.
    #[must_use]
    pub fn of(each: usize) -> Self {
        Self { each, held: DashMap::new() }
    }

    /// A turn for a session, waited for a moment: a player that seeks lets go of one request as it sends the next.
    ///
    /// # Errors
    /// [`TooManyAtOnce`] where all of its turns stay taken.
    pub async fn take(&self, session: &str) -> Result<Permit, TooManyAtOnce> {
        if self.held.len() >= SESSIONS_MAX {
            // Whoever holds a turn holds its semaphore too.
            self.held.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = self.held.entry(session.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone();
        match tokio::time::timeout(WITHIN, turns.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit { _permit: permit }),
            _ => Err(TooManyAtOnce { max: self.each }),
        }
    }
}

/// A browser's request that was given up is noticed in much less.
const WITHIN: Duration = Duration::from_secs(2);

/// Sessions remembered before those without a turn are forgotten.
const SESSIONS_MAX: usize = 4_096;

/// Tables that are read or written at once, of the whole hub. Each may take some hundred megabytes for a moment.
pub const TABLES_AT_ONCE: usize = 2;

/// Whole recordings or spans of them. One is being saved, one is being looked at.
pub const DOWNLOADS_AT_ONCE: usize = 2;

/// Segments. A player reads three tracks, and the next of each while it reads one.
pub const SEGMENTS_AT_ONCE: usize = 6;

#[cfg(test)]
mod tests {
    use crate::state::concurrency::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_has_its_turns_and_takes_none_of_anothers() {
        let turns = ConcurrencyLimit::of(2);
        let (first, _second) = (turns.take("a").await.unwrap(), turns.take("a").await.unwrap());
        assert!(matches!(turns.take("a").await, Err(TooManyAtOnce { max: 2 })));
        turns.take("b").await.unwrap();
        drop(first);
        turns.take("a").await.unwrap();
    }
}
