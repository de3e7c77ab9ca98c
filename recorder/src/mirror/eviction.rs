//! Removal of local copies that the bucket has confirmed.

use std::{sync::Arc, time::Duration};

use super::{
    Mirror, Object, Piece, blocking,
    bucket::{BucketError, QUESTION_TIMEOUT},
    made_at_ms,
};
use crate::{
    disk::recording_files::lock,
    error::{ArchiveError, failed},
    id::{MediaName, RecordingId},
    journal::{chain::JOURNAL, digest::sha256, manifest::RecordingPhase, seal::SEAL},
};

/// Why a local copy is not removed.
#[derive(Debug, thiserror::Error)]
pub enum NotEvicted {
    /// It is not sealed.
    #[error("recording {0} is not sealed")]
    NotSealed(RecordingId),
    /// It is younger than [`KEPT_HERE_MIN`].
    #[error("recording {0} is younger than a day")]
    TooYoung(RecordingId),
    /// Not everything is in the bucket yet.
    #[error("recording {0} is not in the bucket as a whole")]
    NotMirrored(RecordingId),
    /// The bucket does not confirm its copy.
    #[error("the bucket does not confirm its copy")]
    Bucket(#[from] BucketError),
    /// The disk.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// A file on this disk, as the journal has it.
struct LocalCopy {
    name: MediaName,
    size_bytes: u64,
    /// In hex.
    sha256: String,
}

impl Mirror {
    /// Removes the media of a recording from this disk, after the bucket has confirmed every file of it. Journal and
    /// seal stay. Returns the bytes freed.
    ///
    /// # Errors
    /// [`NotEvicted`]; nothing was removed.
    pub async fn evict(self: &Arc<Self>, recording: RecordingId) -> Result<u64, NotEvicted> {
        let mirror = self.clone();
        let files = blocking(move || mirror.evictable(recording)).await?;
        if files.is_empty() {
            return Ok(0);
        }
        for LocalCopy { name, size_bytes, sha256 } in &files {
            let object = Object::of(recording, Piece::Media(*name));
            self.bucket.check(&object, *size_bytes, sha256, QUESTION_TIMEOUT).await?;
        }
        for piece in [Piece::Journal, Piece::Seal] {
            let (mirror, object) = (self.clone(), Object::of(recording, piece));
            let bytes = blocking(move || mirror.bytes(&object)).await?;
            self.bucket.check(&object, bytes.len() as u64, &sha256(&bytes), QUESTION_TIMEOUT).await?;
        }
        let mirror = self.clone();
        let freed = blocking(move || {
            let (dir, mut freed) = (mirror.archive.dir(recording), 0);
            for LocalCopy { name, size_bytes, .. } in files {
                let path = dir.join(name.to_string());
                mirror.archive.disk.remove(&path).map_err(|source| failed("remove", &path, source))?;
                freed += size_bytes;
            }
            mirror.archive.disk.sync_dir(&dir).map_err(|source| failed("sync", &dir, source))?;
            Ok::<_, ArchiveError>(freed)
        });
        Ok(freed.await?)
    }

    /// The evictable files of a recording, as far as known locally: names, sizes and digests.
    fn evictable(&self, recording: RecordingId) -> Result<Vec<LocalCopy>, NotEvicted> {
        let dir = self.archive.dir(recording);
        let here = self.archive.disk.list(&dir).map_err(|source| failed("list", &dir, source))?;
        if here == [JOURNAL, SEAL] {
            return Ok(Vec::new());
        }
        let ledger = lock(&self.archive.ledger(recording)?).clone();
        let RecordingPhase::Ended(duration_ms) = ledger.phase else { return Err(NotEvicted::NotSealed(recording)) };
        if !here.iter().any(|name| name == SEAL) {
            return Err(NotEvicted::NotSealed(recording));
        }
        let age = self.archive.clock.wall_ms().saturating_sub(made_at_ms(&ledger, duration_ms));
        if u128::from(age) < KEPT_HERE_MIN.as_millis() {
            return Err(NotEvicted::TooYoung(recording));
        }
        if !self.is_whole(recording) {
            return Err(NotEvicted::NotMirrored(recording));
        }
        let mut files = Vec::new();
        for (name, digest) in ledger.media() {
            if here.binary_search(&name.to_string()).is_ok() {
                let bytes = self.read(recording, &name.to_string())?;
                // A changed file stays: it is evidence.
                if sha256(&bytes) != *digest {
                    return Err(NotEvicted::Bucket(BucketError::Different {
                        object: Object::of(recording, Piece::Media(name)),
                    }));
                }
                files.push(LocalCopy { name, size_bytes: bytes.len() as u64, sha256: digest.clone() });
            }
        }
        Ok(files)
    }
}

/// Younger local copies are not removed: they are still replayed often, and the bucket may still be replicating.
pub const KEPT_HERE_MIN: Duration = Duration::from_secs(24 * 3_600);
