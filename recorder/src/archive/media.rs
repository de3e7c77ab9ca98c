//! What players and downloads ask for, and where it lies.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::{Arc, PoisonError},
};

use crate::{
    archive::Archive,
    disk::{media_folder::MediaFolder, recording_files::lock},
    error::{ArchiveError, failed},
    export::{
        mp4::{Export, ExportKey},
        playlist,
        selection::{ExportSpan, ExportTracks},
    },
    id::{MediaName, RecordingId},
    journal::manifest::TrackLedger,
};

/// Where a recording's media lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Copies {
    /// Init segments and segments that its journal names.
    pub named: u64,
    /// Of them, on the disk.
    pub here: u64,
    /// Everything is in the bucket. False as well: there is no bucket.
    pub mirrored: bool,
}

impl Archive {
    /// A playlist of a recording, by the name that its manifest tells.
    ///
    /// # Errors
    /// When there is none of that name, or nothing in it yet.
    pub fn playlist(&self, id: RecordingId, name: &str) -> Result<String, ArchiveError> {
        let ledger = self.ledger(id)?;
        let text = playlist::write(&lock(&ledger), name);
        text.ok_or_else(|| ArchiveError::NoFile { id, name: name.to_owned() })
    }

    /// Where an init segment or a whole segment lies on disk; one that was given away is brought back first. Nothing but
    /// the recorder's own grammar becomes a path.
    ///
    /// # Errors
    /// When the name is none of ours, or the journal does not know the file.
    pub fn media_path(&self, id: RecordingId, name: &str) -> Result<PathBuf, ArchiveError> {
        let missing = || ArchiveError::NoFile { id, name: name.to_owned() };
        let media: MediaName = name.parse().map_err(|_| missing())?;
        let ledger = self.ledger(id)?;
        let path = self.dir(id).join(media.to_string());
        let digest = lock(&ledger).digest(media).ok_or_else(missing)?;
        self.disk.fetch(&path, &digest).map_err(|source| failed("bring back", &path, source))?;
        Ok(path)
    }

    /// Opens an init segment or a whole segment that the journal knows, and its SHA-256 in hex as the journal has it.
    /// Nothing but the recorder's own grammar becomes a path, and no link is followed.
    ///
    /// # Errors
    /// As [`Archive::media_path`], and when the file cannot be opened.
    pub fn open_media(&self, id: RecordingId, name: &str) -> Result<(File, String), ArchiveError> {
        let missing = || ArchiveError::NoFile { id, name: name.to_owned() };
        let media: MediaName = name.parse().map_err(|_| missing())?;
        let ledger = self.ledger(id)?;
        let digest = lock(&ledger).digest(media).ok_or_else(missing)?;
        match self.folder(id).open(media, &digest) {
            Ok(file) => Ok((file, digest)),
            Err(gone) if matches!(gone.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                Err(missing())
            }
            Err(source) => Err(failed("open", &self.dir(id).join(name), source)),
        }
    }

    /// The recording, or a span of it, as one MP4 file that can be read from anywhere: as far as it is durable now.
    ///
    /// # Errors
    /// When there is no such recording, nothing of these tracks in that span, or the disk refuses.
    pub fn export(
        &self,
        id: RecordingId,
        tracks: ExportTracks,
        span: Option<ExportSpan>,
    ) -> Result<Arc<Export>, ArchiveError> {
        let ledger = self.ledger(id)?;
        let span = span.unwrap_or(ExportSpan::WHOLE);
        let key = ExportKey { id, chain_head: lock(&ledger).chain_head.clone(), tracks, span };
        let exports = || self.exports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = exports().find(&key) {
            return Ok(known);
        }
        // It may grow meanwhile; the file is of what it holds now.
        let ledger = lock(&ledger).clone();
        let key = ExportKey { chain_head: ledger.chain_head.clone(), ..key };
        let missing = || ArchiveError::NoFile { id, name: tracks.to_string() };
        let export = match Export::new(ledger, self.folder(id), tracks, span) {
            Ok(export) => export.map(Arc::new).ok_or_else(missing)?,
            // Somebody took one of its files away, or put something else in its place.
            Err(gone) if matches!(gone.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                return Err(missing());
            }
            Err(source) => return Err(failed("read", &self.dir(id), source)),
        };
        exports().keep(key, export.clone());
        Ok(export)
    }

    /// What a recording takes so far: bytes of its whole segments, and milliseconds of lesson time.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn measure(&self, recording: RecordingId) -> Result<(u64, u64), ArchiveError> {
        let ledger = self.ledger(recording)?;
        let ledger = lock(&ledger);
        let size_bytes = ledger.tracks.iter().map(TrackLedger::size_bytes).fold(0, u64::saturating_add);
        Ok((size_bytes, ledger.duration_ms()))
    }

    /// Where a recording's media lies. `mirrored` is what the mirror's receipts say of it.
    ///
    /// # Errors
    /// When there is none of that name, or the disk refuses.
    pub fn copies(&self, recording: RecordingId, mirrored: bool) -> Result<Copies, ArchiveError> {
        let ledger = lock(&self.ledger(recording)?).clone();
        let dir = self.dir(recording);
        let here = self.disk.list(&dir).map_err(|source| failed("list", &dir, source))?;
        let is_here = |name: MediaName| here.binary_search(&name.to_string()).is_ok();
        let named = ledger.media().count() as u64;
        Ok(Copies { named, here: ledger.media().filter(|(name, _)| is_here(*name)).count() as u64, mirrored })
    }

    fn folder(&self, id: RecordingId) -> MediaFolder {
        MediaFolder::new(self.root.clone(), self.disk.clone(), id)
    }
}
