//! The recordings in the folder: recovery, list, verification, removal.

use std::sync::{Mutex, PoisonError};

use crate::{
    archive::Archive,
    disk::{
        recording_files::lock,
        recover,
        verify::{self, Expected, Mismatch, VerifyReport},
    },
    error::{ArchiveError, failed},
    id::RecordingId,
    journal::{
        chain::JOURNAL,
        checkpoint::Checkpoint,
        manifest::{RecordingPhase, RecordingSummary},
        seal::SEAL,
        signature::Signer,
    },
};

impl Archive {
    /// Recovers every recording that is not sealed, and returns those that may be resumed. To be called once, at the
    /// start.
    ///
    /// # Errors
    /// When the folder cannot be listed; a single recording that cannot be recovered is logged and left out.
    pub fn recover(&self) -> Result<Vec<RecordingId>, ArchiveError> {
        let names = self.disk.list(&self.root).map_err(|source| failed("list", &self.root, source))?;
        let ids: Vec<RecordingId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let unsealed = Mutex::new(Vec::new());
        let share = ids.len().div_ceil(RECOVERY_THREADS).max(1);
        std::thread::scope(|scope| {
            for ids in ids.chunks(share) {
                let unsealed = &unsealed;
                scope.spawn(move || {
                    for &id in ids {
                        match self.recover_one(id) {
                            Ok(true) => unsealed.lock().unwrap_or_else(PoisonError::into_inner).push(id),
                            Ok(false) => {}
                            Err(error) => {
                                let error: &dyn std::error::Error = &error;
                                tracing::error!(recording.id = %id, error, "Cannot recover recording {id}");
                            }
                        }
                    }
                });
            }
        });
        let mut unsealed = unsealed.into_inner().unwrap_or_else(PoisonError::into_inner);
        unsealed.sort_unstable();
        Ok(unsealed)
    }

    /// True: it may be resumed.
    fn recover_one(&self, id: RecordingId) -> Result<bool, ArchiveError> {
        let dir = self.dir(id);
        let files = self.disk.list(&dir).map_err(|source| failed("list", &dir, source))?;
        if files.iter().any(|file| file == SEAL) || self.ledgers().writers.contains(&id) {
            return Ok(false);
        }
        let Some(store) = recover::recover(&self.disk, &dir, self.signer())? else { return Ok(false) };
        let phase = lock(&store.ledger()).phase;
        Ok(!matches!(phase, RecordingPhase::Ended(_)))
    }

    /// A summary of every recording in the folder, oldest first. Changes nothing.
    ///
    /// # Errors
    /// When the folder cannot be listed. A recording that cannot be read is listed as
    /// [`Condition::Unreadable`](crate::Condition::Unreadable).
    pub fn list(&self) -> Result<Vec<RecordingSummary>, ArchiveError> {
        let names = self.disk.list(&self.root).map_err(|source| failed("list", &self.root, source))?;
        let ids = names.iter().filter_map(|name| name.parse().ok());
        let mut listed: Vec<RecordingSummary> = ids.map(|id| self.summary(id)).collect();
        listed.sort_by_key(|one| (one.started_at_ms, one.recording_id));
        Ok(listed)
    }

    /// Recovers one recording after its writer died, as [`Archive::recover`] does with all. It must have no writer.
    ///
    /// # Errors
    /// When there is no such recording, or the disk fails.
    pub fn repair(&self, id: RecordingId) -> Result<RecordingSummary, ArchiveError> {
        if self.peek(id)?.is_none() {
            return Err(ArchiveError::NoRecording { id });
        }
        self.recover_one(id)?;
        Ok(self.summary(id))
    }

    /// Deletes a recording from this disk: media first, then the journal, the seal last. It may be interrupted and
    /// repeated, also when nothing is left.
    ///
    /// # Errors
    /// When it is being written, or the disk fails.
    pub fn remove(&self, id: RecordingId) -> Result<(), ArchiveError> {
        if self.ledgers().writers.contains(&id) {
            return Err(ArchiveError::AlreadyRecording { id });
        }
        let dir = self.dir(id);
        let mut files = self.disk.list(&dir).map_err(|source| failed("list", &dir, source))?;
        // Recovery skips a folder that has a seal, so the seal goes last.
        files.sort_by_key(|name| (name == SEAL, name == JOURNAL));
        for name in files {
            let path = dir.join(name);
            self.disk.remove(&path).map_err(|source| failed("remove", &path, source))?;
        }
        self.disk.remove_dir(&dir).map_err(|source| failed("remove", &dir, source))?;
        self.disk.sync_dir(&self.root).map_err(|source| failed("sync", &self.root, source))?;
        self.ledgers().sealed.remove(&id);
        Ok(())
    }

    fn summary(&self, id: RecordingId) -> RecordingSummary {
        let files = self.disk.list(&self.dir(id)).unwrap_or_default();
        let ledger = self.peek(id).ok().flatten();
        RecordingSummary::new(id, ledger.as_ref(), files.iter().any(|file| file == SEAL))
    }

    /// Verifies that a recording is as it was written, or returns the first mismatch. Signatures must be those of the
    /// archive's own signer, if it has one. Changes nothing; the recording may be in progress.
    ///
    /// # Errors
    /// When there is no such recording, or the disk fails.
    pub fn verify(&self, id: RecordingId) -> Result<Result<VerifyReport, Mismatch>, ArchiveError> {
        self.verify_beside(id, &[], None)
    }

    /// As [`Archive::verify`], and compares with what is kept outside of the folder: checkpoints, in order, and the
    /// SHA-256 of the seal in hex, if known.
    ///
    /// # Errors
    /// As [`Archive::verify`].
    pub fn verify_beside(
        &self,
        id: RecordingId,
        checkpoints: &[Checkpoint],
        seal_sha256: Option<&str>,
    ) -> Result<Result<VerifyReport, Mismatch>, ArchiveError> {
        let key = self.signer().map(Signer::public_key);
        let expected = Expected { key: key.as_ref(), checkpoints, seal_sha256 };
        verify::verify(self.disk.as_ref(), &self.dir(id), id, &expected)
    }
}

/// Recovery is bound by the latency of syncs, not by CPU.
const RECOVERY_THREADS: usize = 8;
