//! What lies in the folder: lists, puts in order, verifies and removes.

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
    /// Puts every recording in order that is not sealed, and names those that may go on. Call it once, at the start.
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

    /// True: it may go on.
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

    /// Every recording in the folder, the oldest first, without changing anything.
    ///
    /// # Errors
    /// When the folder cannot be listed; a recording that cannot be read says so itself.
    pub fn list(&self) -> Result<Vec<RecordingSummary>, ArchiveError> {
        let names = self.disk.list(&self.root).map_err(|source| failed("list", &self.root, source))?;
        let ids = names.iter().filter_map(|name| name.parse().ok());
        let mut listed: Vec<RecordingSummary> = ids.map(|id| self.summary(id)).collect();
        listed.sort_by_key(|one| (one.started_at_ms, one.recording_id));
        Ok(listed)
    }

    /// Puts one recording in order that was left half written, as [`Archive::recover`] does with all. Nobody may be
    /// writing it.
    ///
    /// # Errors
    /// When there is none of that name, or the disk refuses.
    pub fn repair(&self, id: RecordingId) -> Result<RecordingSummary, ArchiveError> {
        if self.peek(id)?.is_none() {
            return Err(ArchiveError::NoRecording { id });
        }
        self.recover_one(id)?;
        Ok(self.summary(id))
    }

    /// Removes a recording from this disk for good: its media first, its seal last. It may be interrupted and asked again,
    /// also where nothing is left.
    ///
    /// # Errors
    /// When it is being written, or the disk refuses.
    pub fn remove(&self, id: RecordingId) -> Result<(), ArchiveError> {
        if self.ledgers().writers.contains(&id) {
            return Err(ArchiveError::AlreadyRecording { id });
        }
        let dir = self.dir(id);
        let mut files = self.disk.list(&dir).map_err(|source| failed("list", &dir, source))?;
        // Whoever finds a seal does not try to put the rest in order.
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

    /// Whether a recording is as it was written, and if not, what is the first thing that does not fit; signatures must be
    /// of the archive's own signer, if it has one. It changes nothing, and may be asked of a recording that is being
    /// written.
    ///
    /// # Errors
    /// When there is none of that name, or the disk refuses.
    pub fn verify(&self, id: RecordingId) -> Result<Result<VerifyReport, Mismatch>, ArchiveError> {
        self.verify_beside(id, &[], None)
    }

    /// As [`Archive::verify`], beside what others keep of the recording: its checkpoints, in order, and the SHA-256 of its
    /// seal in hex, if they know of one.
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

/// Recovery waits for syncs most of the time.
const RECOVERY_THREADS: usize = 8;
