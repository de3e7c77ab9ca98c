//! How much of one kind a single session may have under way at once.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::ApiError;

/// Turns of one kind, counted for each session on its own: one that opens a thousand connections slows itself.
#[derive(Debug)]
pub struct Turns {
    each: usize,
    held: DashMap<String, Arc<Semaphore>>,
}

/// A turn in hand. Dropping it gives it back.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    /// So many at once for each session.
    #[must_use]
    pub fn of(each: usize) -> Self {
        Self { each, held: DashMap::new() }
    }

    /// A turn for a session, waited for a moment: a player that seeks lets go of one request as it sends the next.
    ///
    /// # Errors
    /// [`ApiError::TooManyAtOnce`] where all of its turns stay taken.
    pub async fn take(&self, session: &str) -> Result<Turn, ApiError> {
        if self.held.len() >= SESSIONS_MAX {
            // Whoever holds a turn holds its semaphore too.
            self.held.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = self.held.entry(session.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone();
        match tokio::time::timeout(WITHIN, turns.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            _ => Err(ApiError::TooManyAtOnce { max: self.each }),
        }
    }
}

/// A browser's request that was given up is noticed in much less.
const WITHIN: Duration = Duration::from_secs(2);

/// Sessions remembered before those without a turn are forgotten.
const SESSIONS_MAX: usize = 4_096;

/// Whole recordings or spans of them. One is being saved, one is being looked at.
pub const DOWNLOADS_AT_ONCE: usize = 2;

/// Segments. A player reads three tracks, and the next of each while it reads one.
pub const SEGMENTS_AT_ONCE: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_has_its_turns_and_takes_none_of_anothers() {
        let turns = Turns::of(2);
        let (first, _second) = (turns.take("a").await.unwrap(), turns.take("a").await.unwrap());
        assert!(matches!(turns.take("a").await, Err(ApiError::TooManyAtOnce { max: 2 })));
        turns.take("b").await.unwrap();
        drop(first);
        turns.take("a").await.unwrap();
    }
}
