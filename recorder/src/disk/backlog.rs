//! Writes of one recording that wait for the disk, within a memory limit shared by all recordings.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::track::action::Action;

/// Actions in order, and the bytes they hold.
#[derive(Debug)]
pub struct Backlog {
    actions: VecDeque<Action>,
    bytes: usize,
    /// Bytes held by the backlogs of all recordings.
    all: Arc<AtomicUsize>,
}

impl Backlog {
    /// An empty backlog, counted in `all`.
    #[must_use]
    pub fn new(all: Arc<AtomicUsize>) -> Self {
        Self { actions: VecDeque::new(), bytes: 0, all }
    }

    /// Appends an action.
    pub fn push(&mut self, action: Action) {
        let bytes = bytes_of(&action);
        self.bytes += bytes;
        self.all.fetch_add(bytes, Ordering::Relaxed);
        self.actions.push_back(action);
    }

    /// The next one.
    #[must_use]
    pub fn front(&self) -> Option<&Action> {
        self.actions.front()
    }

    /// Removes the next action: it is done.
    pub fn pop(&mut self) {
        if let Some(action) = self.actions.pop_front() {
            let bytes = bytes_of(&action);
            self.bytes = self.bytes.saturating_sub(bytes);
            self.all.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Drops all actions.
    pub fn clear(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
        self.actions.clear();
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True: over its own limit, or it holds something and all together are over theirs.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes > BYTES_MAX || (self.bytes > 0 && self.all.load(Ordering::Relaxed) > ALL_BYTES_MAX)
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bytes_of(action: &Action) -> usize {
    match action {
        Action::Append { bytes, .. } | Action::Init { bytes, .. } => bytes.len(),
        Action::Close { .. } | Action::Record(_) => 0,
    }
}

/// A minute of a lesson with board, camera and voice at full quality.
const BYTES_MAX: usize = 32 << 20;

/// Of all recordings together: seven seconds of 200 lessons.
const ALL_BYTES_MAX: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sfu::media::TrackKind;

    use super::*;
    use crate::id::MediaName;

    fn append(len: usize) -> Action {
        let name = MediaName::Segment { kind: TrackKind::Voice, seq: 1 };
        Action::Append { name, bytes: Bytes::from(vec![0; len]), end: 0 }
    }

    #[test]
    fn one_recording_or_all_of_them_reach_their_bound_and_leave_nothing_behind() {
        let all = Arc::new(AtomicUsize::new(0));
        let mut many: Vec<Backlog> = (0..20).map(|_| Backlog::new(all.clone())).collect();
        many[0].push(append(BYTES_MAX));
        assert!(!many[0].is_full());
        many[0].push(append(1));
        assert!(many[0].is_full() && !many[1].is_full());
        many[0].pop();
        many[0].pop();
        assert_eq!((many[0].bytes(), all.load(Ordering::Relaxed)), (0, 0));
        for backlog in &mut many[1..] {
            backlog.push(append(15 << 20));
        }
        assert!(many[1].is_full() && !many[0].is_full(), "who holds nothing has nothing to give up");
        many[2].clear();
        drop(many);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
