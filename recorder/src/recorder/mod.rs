//! Recorders: one lesson each, written by a thread of its own.

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

/// A lesson that is being recorded. Dropping it closes the files so that the recording can go on later.
#[derive(Debug)]
pub struct Recorder {
    id: RecordingId,
    archive: Arc<Archive>,
    stop: SyncSender<Stop>,
    status: Arc<Mutex<RecorderStatus>>,
    thread: Option<JoinHandle<Result<(), ArchiveError>>>,
}

impl Archive {
    /// Records what the tap tells, on a thread of its own: a new recording, or one that goes on. Lesson time runs from
    /// the moment when the recording was first started, so time in between is a gap.
    ///
    /// # Errors
    /// When it is sealed or being recorded already, or the disk refuses.
    pub fn record(self: &Arc<Self>, id: RecordingId, tap: TapReceiver) -> Result<Recorder, ArchiveError> {
        self.record_selection(id, tap, TrackSelection::default())
    }

    /// As [`Archive::record`], of a lesson of which something else is selection.
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
            // A lesson that begins on a full disk is recorded as soon as there is room.
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
    /// `session` is `None` where it waits for room on the disk.
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

    /// The newest word on how far its journal has come, for others to keep. `None`: the first is not due yet.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.archive.checkpoint(self.id)
    }

    /// Ends the recording for good. When it returns, everything plays.
    ///
    /// # Errors
    /// When the disk refuses; the recording is not sealed then, and [`Archive::seal`] may try again.
    pub fn finish(mut self) -> Result<Manifest, ArchiveError> {
        self.stop(Stop::Finish)?;
        self.archive.manifest(self.id)
    }

    /// Closes the files without ending the recording: the process stops, the lesson may go on in the next one.
    ///
    /// # Errors
    /// When the disk refuses; recovery then finds what was durable.
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
