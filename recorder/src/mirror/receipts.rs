//! Which objects the bucket has confirmed: one line each, in a file beside the recordings.
//!
//! The upload queue holds what journals name and no receipt lists. The file is a cache: a line lost in a power cut
//! costs one request, and no local file is ever removed because of it alone. A database table would need a row for
//! every four seconds of every track, and make recording depend on the database.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use crate::{
    disk::local::{Disk, DiskFile},
    error::{ArchiveError, failed},
    id::RecordingId,
    mirror::{Object, Piece},
};

/// See the module.
pub struct Receipts {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Option<Box<dyn DiskFile>>,
    len: u64,
    /// Recordings that are completely in the bucket.
    whole: HashSet<RecordingId>,
    /// The confirmed objects of the others.
    some: HashMap<RecordingId, HashSet<Piece>>,
}

impl Receipts {
    /// Reads the file, and compacts it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(disk: Arc<dyn Disk>, path: PathBuf) -> Result<Self, ArchiveError> {
        let mut receipts = Self::read(disk, path)?;
        receipts.rewrite()?;
        Ok(receipts)
    }

    /// Reads the file without changing it: another hub may be writing it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn read(disk: Arc<dyn Disk>, path: PathBuf) -> Result<Self, ArchiveError> {
        let bytes = match disk.read(&path) {
            Ok(bytes) => bytes,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(failed("read", &path, source)),
        };
        let mut receipts = Self { disk, path, file: None, len: 0, whole: HashSet::new(), some: HashMap::new() };
        // A truncated last line is ignored.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default()).lines() {
            receipts.take(line);
        }
        Ok(receipts)
    }

    /// Everything of a recording is in the bucket.
    #[must_use]
    pub fn is_whole(&self, recording: RecordingId) -> bool {
        self.whole.contains(&recording)
    }

    /// An object is in the bucket.
    #[must_use]
    pub fn has(&self, object: &Object) -> bool {
        let pieces = self.some.get(&object.recording);
        self.is_whole(object.recording) || pieces.is_some_and(|pieces| pieces.contains(&object.piece))
    }

    /// The confirmed pieces of a recording that is not complete.
    pub fn of(&self, recording: RecordingId) -> impl Iterator<Item = &Piece> {
        self.some.get(&recording).into_iter().flatten()
    }

    /// Adds an object.
    ///
    /// # Errors
    /// When the disk fails; in memory it is added all the same.
    pub fn note(&mut self, object: &Object) -> Result<(), ArchiveError> {
        self.some.entry(object.recording).or_default().insert(object.piece);
        self.append(&format!("{} {}\n", object.recording, object.piece))
    }

    /// Marks a recording as complete.
    ///
    /// # Errors
    /// As [`Receipts::note`].
    pub fn note_whole(&mut self, recording: RecordingId) -> Result<(), ArchiveError> {
        self.some.remove(&recording);
        self.whole.insert(recording);
        self.append(&format!("{recording} {WHOLE}\n"))
    }

    /// Removes a recording that was deleted.
    ///
    /// # Errors
    /// As [`Receipts::note`].
    pub fn forget(&mut self, recording: RecordingId) -> Result<(), ArchiveError> {
        self.some.remove(&recording);
        self.whole.remove(&recording);
        self.append(&format!("{recording} {GONE}\n"))
    }

    fn take(&mut self, line: &str) {
        let Some((recording, word)) = line.split_once(' ') else { return };
        let Ok(recording) = recording.parse::<RecordingId>() else { return };
        match word {
            WHOLE => {
                self.some.remove(&recording);
                self.whole.insert(recording);
            }
            GONE => {
                self.some.remove(&recording);
                self.whole.remove(&recording);
            }
            piece => {
                if let Ok(piece) = piece.parse() {
                    self.some.entry(recording).or_default().insert(piece);
                }
            }
        }
    }

    fn append(&mut self, line: &str) -> Result<(), ArchiveError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.disk.open(&self.path, self.len).map_err(|source| failed("open", &self.path, source))?,
        };
        file.append(line.as_bytes()).map_err(|source| failed("append to", &self.path, source))?;
        self.file = Some(file);
        self.len += line.len() as u64;
        Ok(())
    }

    fn rewrite(&mut self) -> Result<(), ArchiveError> {
        let mut text = String::new();
        for recording in &self.whole {
            text += &format!("{recording} {WHOLE}\n");
        }
        for (recording, pieces) in &self.some {
            for piece in pieces {
                text += &format!("{recording} {piece}\n");
            }
        }
        let new = self.path.with_extension("new");
        let mut file = self.disk.open(&new, 0).map_err(|source| failed("open", &new, source))?;
        file.append(text.as_bytes()).map_err(|source| failed("append to", &new, source))?;
        file.sync().map_err(|source| failed("sync", &new, source))?;
        self.disk.rename(&new, &self.path).map_err(|source| failed("rename", &new, source))?;
        self.len = text.len() as u64;
        Ok(())
    }
}

const WHOLE: &str = "whole";
const GONE: &str = "gone";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::local::LocalDisk;

    #[test]
    fn receipts_outlive_a_restart_and_a_torn_line_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.receipts");
        let open = || Receipts::open(Arc::new(LocalDisk), path.clone()).unwrap();
        let [one, two, three] = [1_u128, 2, 3].map(|n| RecordingId(uuid::Uuid::from_u128(n)));
        let segment = |seq| Piece::Media(format!("voice-{seq:06}.m4s").parse().unwrap());
        let mut receipts = open();
        receipts.note(&Object { recording: one, piece: segment(1) }).unwrap();
        receipts.note(&Object { recording: one, piece: Piece::JournalPart { from: 0, to: 90 } }).unwrap();
        receipts.note(&Object { recording: two, piece: segment(1) }).unwrap();
        receipts.note_whole(two).unwrap();
        receipts.note_whole(three).unwrap();
        receipts.forget(three).unwrap();
        drop(receipts);
        let bytes = LocalDisk.read(&path).unwrap();
        LocalDisk.open(&path, bytes.len() as u64).unwrap().append(format!("{one} voice-00").as_bytes()).unwrap();
        for _ in 0..2 {
            let receipts = open();
            assert_eq!([one, two, three].map(|id| receipts.is_whole(id)), [false, true, false]);
            assert!(receipts.has(&Object { recording: one, piece: segment(1) }));
            assert!(receipts.has(&Object { recording: two, piece: segment(7) }));
            assert!(!receipts.has(&Object { recording: three, piece: segment(1) }));
            assert_eq!(receipts.of(one).count(), 2);
        }
    }
}
