//! Records one lesson each, on a thread of its own.

mod status;
mod worker;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use sfu::tap::TapReceiver;

pub use self::status::{RecorderState, RecorderStatus};
use self::worker::{Release, Stop, Worker};
use crate::{
    archive::{Archive, open_recording::OpenRecording},
    error::ArchiveError,
    id::RecordingId,
    journal::{checkpoint::Checkpoint, manifest::Manifest, record::GapReason},
    track::selection::TrackSelection,
};

/// A recording in progress. Dropping it suspends the recording, which can be resumed later.
#[derive(Debug)]
pub struct Recorder {
    id: RecordingId,
    archive: Arc<Archive>,
    stop: SyncSender<Stop>,
    status: Arc<Mutex<RecorderStatus>>,
    thread: Option<JoinHandle<Result<(), ArchiveError>>>,
}

impl Archive {
    /// Records what the tap delivers, on a thread of its own: a new recording, or a resumed one. Lesson time counts
    /// from the first start; the time in between is a gap.
    ///
    /// # Errors
    /// When it is sealed or being recorded already, or the disk fails.
    pub fn record(self: &Arc<Self>, id: RecordingId, tap: TapReceiver) -> Result<Recorder, ArchiveError> {
        self.record_selection(id, tap, TrackSelection::default())
    }

    /// As [`Archive::record`], with another selection of tracks.
    ///
    /// # Errors
    /// As [`Archive::record`].
    pub fn record_selection(
        self: &Arc<Self>,
        id: RecordingId,
        tap: TapReceiver,
        selection: TrackSelection,
    ) -> Result<Recorder, ArchiveError> {
        self.claim(id)?;
        let session = match self.open_recording(id, GapReason::Crash) {
            Ok(mut session) => {
                session.recording = session.recording.with_selection(selection);
                Some(session)
            }
            // Recording starts as soon as the disk has space.
            Err(error) if error.is_full() => {
                self.volume.release_reserve(self.clock.now());
                tracing::error!(recording.id = %id, error = error.cause(), "Recording {id} waits for room");
                None
            }
            Err(error) => {
                self.release(id);
                return Err(error);
            }
        };
        Recorder::spawn(self.clone(), id, session, tap, selection)
    }
}

impl Recorder {
    /// `session`: `None` while it waits for disk space.
    pub(crate) fn spawn(
        archive: Arc<Archive>,
        id: RecordingId,
        session: Option<OpenRecording>,
        tap: TapReceiver,
        selection: TrackSelection,
    ) -> Result<Self, ArchiveError> {
        match session.as_ref().map(|session| session.resumed) {
            Some(Some(at_ms)) => tracing::info!(recording.id = %id, at_ms, "Recording {id} goes on at {at_ms} ms"),
            Some(None) => tracing::info!(recording.id = %id, "Recording {id} begins"),
            None => {}
        }
        let (stop, stopped) = sync_channel(2);
        let status = Arc::new(Mutex::new(RecorderStatus {
            state: if session.is_some() { RecorderState::Recording } else { RecorderState::Paused },
            kept_ms: 0,
            dropped: 0,
            waiting_bytes: 0,
        }));
        let work = Worker::new(archive.clone(), id, session, tap, selection, stopped, status.clone());
        let release = Release { archive: archive.clone(), id, status: status.clone() };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                let _release = release;
                work.run()
            })
            .map_err(|_| ArchiveError::Thread { id })?;
        Ok(Self { id, archive, stop, status, thread: Some(thread) })
    }

    /// Which recording it is.
    #[must_use]
    pub fn id(&self) -> RecordingId {
        self.id
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> RecorderStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest checkpoint of its journal. `None`: the first is not due yet.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.archive.checkpoint(self.id)
    }

    /// Ends and seals the recording. When it returns, everything is playable.
    ///
    /// # Errors
    /// When the disk fails. The recording is not sealed then; [`Archive::seal`] may retry.
    pub fn finish(mut self) -> Result<Manifest, ArchiveError> {
        self.stop(Stop::Finish)?;
        self.archive.manifest(self.id)
    }

    /// Closes the files without ending the recording, which the next process may resume.
    ///
    /// # Errors
    /// When the disk fails. Recovery keeps what was durable.
    pub fn suspend(mut self) -> Result<(), ArchiveError> {
        self.stop(Stop::Suspend)
    }

    fn stop(&mut self, how: Stop) -> Result<(), ArchiveError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let _ = self.stop.try_send(how);
        thread.join().unwrap_or(Err(ArchiveError::Thread { id: self.id }))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(error) = self.stop(Stop::Suspend) {
            let id = self.id;
            let error: &dyn std::error::Error = &error;
            tracing::error!(recording.id = %id, error, "Recording {id} was not closed cleanly");
        }
    }
}
