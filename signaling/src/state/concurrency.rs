//! Limit of concurrent requests of one kind per session.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A limit per session: a client with a thousand connections slows only itself.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    each: usize,
    held: DashMap<String, Arc<Semaphore>>,
}

/// The session has reached its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {max} at once")]
pub struct TooManyAtOnce {
    /// The limit.
    pub max: usize,
}

/// A permit. Dropping it releases it.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl ConcurrencyLimit {
    /// A limit of `each` per session.
    #[must_use]
    pub fn of(each: usize) -> Self {
        Self { each, held: DashMap::new() }
    }

    /// Waits briefly for a permit: a player that seeks cancels one request as it sends the next.
    ///
    /// # Errors
    /// [`TooManyAtOnce`] if no permit becomes free in time.
    pub async fn take(&self, session: &str) -> Result<Permit, TooManyAtOnce> {
        if self.held.len() >= SESSIONS_MAX {
            // A permit holds its semaphore too.
            self.held.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = self.held.entry(session.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone();
        match tokio::time::timeout(WITHIN, turns.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit { _permit: permit }),
            _ => Err(TooManyAtOnce { max: self.each }),
        }
    }
}

/// Longest wait for a permit. A request cancelled by the browser is noticed in much less.
const WITHIN: Duration = Duration::from_secs(2);

/// Sessions tracked before those without a permit are dropped.
const SESSIONS_MAX: usize = 4_096;

/// Tables read or written at once, in the whole hub. Each may take some hundred megabytes for a moment.
pub const TABLES_AT_ONCE: usize = 2;

/// Downloads per session of recordings or spans of them: one is saved while one is played.
pub const DOWNLOADS_AT_ONCE: usize = 2;

/// Segment requests per session. A player reads three tracks, and prefetches the next segment of each.
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
