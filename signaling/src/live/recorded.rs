//! Recording of lessons in progress: start, checkpoint, suspend, seal.

use std::sync::atomic::Ordering;

use recorder::TrackSelection;
use sfu::tap::TapReceiver;
use tracing::{error, warn};

use super::{recording::Recording, registry::Registry, wire::Keeping};
use crate::{
    error_chain::chain,
    store::{AuditRow, StoreError},
};
use school::{
    account::system_scope,
    base::id::{LessonId, RecordingId},
};

impl Registry {
    /// Tracks to record: classes on stage only if every listening school has consented.
    pub(super) async fn kept(&self, lesson_id: LessonId) -> TrackSelection {
        match self.shared.store.stage_is_recorded(&system_scope::bell(), lesson_id).await {
            Ok(stage) => TrackSelection { stage, ..TrackSelection::default() },
            Err(error) => {
                // Consent is unknown: fail closed and do not record children.
                error!(error = chain(&error), "A lesson is recorded without its stage");
                TrackSelection::default()
            }
        }
    }

    /// Copies the recordings' checkpoints into the store, in a task of its own: lessons do not wait for a busy
    /// store.
    pub(super) fn save_checkpoints(&self) {
        if self.shared.checkpointing.swap(true, Ordering::AcqRel) {
            return; // The previous run is still busy.
        }
        let registry = self.clone();
        tokio::spawn(async move {
            if let Err(error) = registry.save_new_checkpoints().await {
                warn!(error = chain(&error), "How far recordings have come could not be kept: trying again");
            }
            registry.shared.checkpointing.store(false, Ordering::Release);
        });
    }

    async fn save_new_checkpoints(&self) -> Result<(), StoreError> {
        let mut fresh = Vec::new();
        for entry in &self.shared.lessons {
            let table = entry.table();
            let newest = table.recording.as_ref().and_then(Recording::checkpoint);
            if let Some(checkpoint) = newest.filter(|newest| newest.records > table.checkpointed) {
                fresh.push((entry.clone(), checkpoint));
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let checkpoints: Vec<_> = fresh.iter().map(|(_, checkpoint)| checkpoint.clone()).collect();
        let now = self.shared.clock.wall();
        self.shared.store.save_checkpoints(&system_scope::bell(), &checkpoints, now).await?;
        for (entry, checkpoint) in fresh {
            entry.table().checkpointed = checkpoint.records;
        }
        Ok(())
    }

    /// Number of lessons recorded in full, in part, and paused for lack of disk space.
    #[must_use]
    pub fn recordings(&self) -> (usize, usize, usize) {
        let keeping: Vec<Keeping> =
            self.shared.lessons.iter().filter_map(|entry| entry.table().recording.as_ref()?.keeping()).collect();
        let count = |wanted| keeping.iter().filter(|keeping| **keeping == wanted).count();
        (count(Keeping::Recording), count(Keeping::Lean), count(Keeping::Paused))
    }

    /// Recording state of a lesson in progress. `None`: nothing is recorded.
    #[must_use]
    pub fn keeping(&self, lesson_id: LessonId) -> Option<Keeping> {
        self.entry(lesson_id)?.table().recording.as_ref().and_then(Recording::keeping)
    }

    /// Suspends every recording so that the next start can resume it.
    pub async fn suspend_recordings(&self) {
        let recordings: Vec<Recording> =
            self.shared.lessons.iter().filter_map(|entry| entry.table().recording.take()).collect();
        let suspend = move || recordings.into_iter().for_each(Recording::suspend);
        if tokio::task::spawn_blocking(suspend).await.is_err() {
            error!("A recording could not be suspended");
        }
    }

    pub(super) fn record(
        &self,
        recording_id: RecordingId,
        tap: TapReceiver,
        kept: TrackSelection,
    ) -> Option<Recording> {
        match self.shared.recordings.record(recording_id, tap, kept) {
            Ok(recording) => Some(recording),
            Err(error) => {
                // The lesson goes on without a recording.
                error!(recording.id = %recording_id, error = chain(&error), "Recording {recording_id} cannot begin");
                None
            }
        }
    }

    pub(super) async fn seal(&self, recording_id: RecordingId) -> Result<(), StoreError> {
        let recordings = self.shared.recordings.clone();
        let sha256 = tokio::task::spawn_blocking(move || recordings.seal_sha256(recording_id)).await.ok().flatten();
        let row = AuditRow::by_system(self.shared.clock.wall(), SEAL_RECORDING, format!("recording:{recording_id}"))
            .saying(sha256.map(|sha256| format!("{SEAL_SHA256}{sha256}")).unwrap_or_default());
        self.shared.store.seal_recording(&system_scope::bell(), recording_id, &row).await
    }
}

/// The audit action for a sealed recording, whose row has the digest of its seal.
pub const SEAL_RECORDING: &str = "seal_recording";
/// See [`SEAL_RECORDING`].
pub const SEAL_SHA256: &str = "sha256 ";
