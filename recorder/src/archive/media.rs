//! Reads of a recording: playlists, segments, exports, sizes.

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
    /// Init segments and segments named by its journal.
    pub named: u64,
    /// How many of them are on the local disk.
    pub here: u64,
    /// Everything is in the bucket. Also false where there is no bucket.
    pub mirrored: bool,
}

impl Archive {
    /// A playlist of a recording, by the name that its manifest gives.
    ///
    /// # Errors
    /// When there is no such recording, or nothing in it yet.
    pub fn playlist(&self, id: RecordingId, name: &str) -> Result<String, ArchiveError> {
        let ledger = self.ledger(id)?;
        let text = playlist::write(&lock(&ledger), name);
        text.ok_or_else(|| ArchiveError::NoFile { id, name: name.to_owned() })
    }

    /// The path of an init segment or a complete segment; an evicted one is fetched first. Only names that
    /// [`MediaName`] parses become paths.
    ///
    /// # Errors
    /// When the name does not parse, or the journal does not name the file.
    pub fn media_path(&self, id: RecordingId, name: &str) -> Result<PathBuf, ArchiveError> {
        let missing = || ArchiveError::NoFile { id, name: name.to_owned() };
        let media: MediaName = name.parse().map_err(|_| missing())?;
        let ledger = self.ledger(id)?;
        let path = self.dir(id).join(media.to_string());
        let digest = lock(&ledger).digest(media).ok_or_else(missing)?;
        self.disk.fetch(&path, &digest).map_err(|source| failed("bring back", &path, source))?;
        Ok(path)
    }

    /// Opens an init segment or a complete segment that the journal names; also returns its SHA-256 in hex as
    /// journalled. Only names that [`MediaName`] parses become paths, and symbolic links are not followed.
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

    /// The recording, or a span of it, as one MP4 file with random access. It holds what is durable now.
    ///
    /// # Errors
    /// When there is no such recording, nothing of these tracks in that span, or the disk fails.
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
        // A snapshot: the recording may grow meanwhile.
        let ledger = lock(&ledger).clone();
        let key = ExportKey { chain_head: ledger.chain_head.clone(), ..key };
        let missing = || ArchiveError::NoFile { id, name: tracks.to_string() };
        let export = match Export::new(ledger, self.folder(id), tracks, span) {
            Ok(export) => export.map(Arc::new).ok_or_else(missing)?,
            // A file is missing, or something that is no plain file stands in its place.
            Err(gone) if matches!(gone.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                return Err(missing());
            }
            Err(source) => return Err(failed("read", &self.dir(id), source)),
        };
        exports().keep(key, export.clone());
        Ok(export)
    }

    /// Bytes of all complete segments, and milliseconds of lesson time.
    ///
    /// # Errors
    /// When there is no such recording.
    pub fn measure(&self, recording: RecordingId) -> Result<(u64, u64), ArchiveError> {
        let ledger = self.ledger(recording)?;
        let ledger = lock(&ledger);
        let size_bytes = ledger.tracks.iter().map(TrackLedger::size_bytes).fold(0, u64::saturating_add);
        Ok((size_bytes, ledger.duration_ms()))
    }

    /// Where a recording's media is stored. `mirrored`: as the mirror's receipts have it.
    ///
    /// # Errors
    /// When there is no such recording, or the disk fails.
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
