//! Opens a recording for its only writer, and seals it.

use std::time::Duration;

use crate::{
    archive::Archive,
    disk::{
        recording_files::{RecordingFiles, SharedLedger, lock},
        recover,
    },
    error::ArchiveError,
    id::RecordingId,
    journal::{
        chain::VERSION,
        manifest::{Manifest, RecordingPhase},
        record::{GapReason, Record},
    },
    recording::Recording,
};

/// A recording with its files open and its state machine.
pub(crate) struct OpenRecording {
    pub(crate) files: RecordingFiles,
    pub(crate) recording: Recording,
    /// Where it was resumed, in lesson time. `None`: it is new.
    pub(crate) resumed: Option<u64>,
}

impl Archive {
    /// Ends and seals a recording that has no writer any more, at the end of its media.
    ///
    /// # Errors
    /// When it is sealed or being recorded, or the disk fails.
    pub fn seal(&self, id: RecordingId) -> Result<Manifest, ArchiveError> {
        if self.peek(id)?.is_none() {
            return Err(ArchiveError::NoRecording { id });
        }
        self.claim(id)?;
        let mut open = self.open_recording(id, GapReason::Crash).inspect_err(|_| self.release(id))?;
        let now = self.clock.now();
        let ended = (|| {
            let (ledger, tracks) = {
                let ledger = lock(&open.files.ledger()).clone();
                let tracks = recover::resume(self.disk.as_ref(), &self.dir(id), &ledger, GapReason::Crash)?;
                (ledger, tracks)
            };
            let mut recording = Recording::new(now, Duration::from_millis(ledger.duration_ms()), tracks);
            recording.finish(now, true);
            while let Some(action) = recording.poll_action() {
                open.files.perform(&action)?;
            }
            recover::seal(self.disk.as_ref(), &self.dir(id), &open.files, self.signer())
        })();
        self.release(id);
        ended?;
        self.manifest(id)
    }

    /// Reserves a recording for one writer, until [`Archive::release`].
    pub(crate) fn claim(&self, id: RecordingId) -> Result<(), ArchiveError> {
        if self.ledgers().writers.insert(id) { Ok(()) } else { Err(ArchiveError::AlreadyRecording { id }) }
    }

    /// Creates a recording, or recovers and resumes it. `reason` names the gap if the previous writer did not suspend
    /// it.
    pub(crate) fn open_recording(&self, id: RecordingId, reason: GapReason) -> Result<OpenRecording, ArchiveError> {
        let dir = self.dir(id);
        let now = self.clock.now();
        let wall_ms = self.clock.wall_ms();
        let suspect = self.ledgers().suspects.contains(&id);
        let recover = if suspect { recover::recover_suspect } else { recover::recover };
        let recovered = recover(&self.disk, &dir, self.signer()).inspect_err(|_| self.mark_suspect(id))?;
        self.ledgers().suspects.remove(&id);
        let Some(mut store) = recovered else {
            let start = Record::Start {
                recording_id: id,
                version: VERSION,
                started_at_ms: wall_ms,
                software: concat!("tongke ", env!("CARGO_PKG_VERSION")).to_owned(),
            };
            let store =
                RecordingFiles::create(self.disk.clone(), dir, &start).inspect_err(|_| self.mark_suspect(id))?;
            self.publish_ledger(id, store.ledger());
            return Ok(OpenRecording {
                files: store,
                recording: Recording::new(now, Duration::ZERO, []),
                resumed: None,
            });
        };
        let ledger = lock(&store.ledger()).clone();
        let reason = match ledger.phase {
            RecordingPhase::Ended(_) => return Err(ArchiveError::Sealed { id }),
            RecordingPhase::Suspended => GapReason::Suspended,
            RecordingPhase::Paused => GapReason::DiskFull,
            RecordingPhase::Running | RecordingPhase::Interrupted => reason,
        };
        let tracks = recover::resume(self.disk.as_ref(), &dir, &ledger, reason)?;
        // The calendar may have been set meanwhile: resume neither before the end of the media nor days after it.
        let done_ms = ledger.duration_ms();
        let at_ms = wall_ms.saturating_sub(ledger.started_at_ms).clamp(done_ms, done_ms.saturating_add(OUTAGE_MS_MAX));
        let recording = Recording::new(now, Duration::from_millis(at_ms), tracks);
        store.record(&Record::Resumed { at_ms }).inspect_err(|_| self.mark_suspect(id))?;
        self.publish_ledger(id, store.ledger());
        Ok(OpenRecording { files: store, recording, resumed: Some(at_ms) })
    }

    /// A write or sync failed: what reads back may not be durable.
    pub(crate) fn mark_suspect(&self, id: RecordingId) {
        self.ledgers().suspects.insert(id);
    }

    fn publish_ledger(&self, id: RecordingId, ledger: SharedLedger) {
        self.ledgers().live.insert(id, ledger);
    }

    pub(crate) fn release(&self, id: RecordingId) {
        let mut ledgers = self.ledgers();
        ledgers.live.remove(&id);
        ledgers.writers.remove(&id);
    }
}

/// An outage of more than half a day is taken for a changed calendar.
const OUTAGE_MS_MAX: u64 = 12 * 3_600 * 1_000;
