//! Copies a recording to another disk: every file is checked as it is read, and the copy is verified where it lies.

use std::path::Path;

use crate::{
    archive::{Archive, ArchiveOptions},
    disk::{
        local::Disk,
        recording_files::lock,
        verify::{Mismatch, VerifyReport},
    },
    error::{ArchiveError, failed},
    id::RecordingId,
    journal::{chain::JOURNAL, seal::SEAL},
};

impl Archive {
    /// Copies a sealed recording into `to`, as a folder of the same name: segments, journal and seal. Evicted segments
    /// are read from the bucket. The copy is verified as the recording itself is.
    ///
    /// # Errors
    /// When there is no such recording, it is not sealed, or a disk fails. The copy may be incomplete then; the next
    /// call makes it anew.
    pub fn copy_out(&self, id: RecordingId, to: &Path) -> Result<Result<VerifyReport, Mismatch>, ArchiveError> {
        let ledger = lock(&self.ledger(id)?).clone();
        let from = self.dir(id);
        let files = self.disk.list(&from).map_err(|source| failed("list", &from, source))?;
        if !files.iter().any(|name| name == SEAL) {
            return Err(ArchiveError::NotOver { id });
        }
        let options = ArchiveOptions { signer: self.signer.clone(), ..ArchiveOptions::default() };
        let copy = Self::open_with(to.to_owned(), self.clock.clone(), options)?;
        let dir = copy.dir(id);
        copy.disk.create_dir(&dir).map_err(|source| failed("create", &dir, source))?;
        let names = ledger.media().map(|(name, _)| name.to_string());
        // The seal goes last: a folder without one is an incomplete copy.
        for name in names.chain([JOURNAL.to_owned(), SEAL.to_owned()]) {
            let path = from.join(&name);
            let bytes = self.disk.read(&path).map_err(|source| failed("read", &path, source))?;
            write_whole(copy.disk.as_ref(), &dir, &name, &bytes)?;
        }
        copy.disk.sync_dir(&dir).map_err(|source| failed("sync", &dir, source))?;
        copy.verify(id)
    }
}

fn write_whole(disk: &dyn Disk, dir: &Path, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
    let (part, whole) = (dir.join(format!("{name}.part")), dir.join(name));
    let mut file = disk.open(&part, 0).map_err(|source| failed("open", &part, source))?;
    file.append(bytes).map_err(|source| failed("append to", &part, source))?;
    file.sync().map_err(|source| failed("sync", &part, source))?;
    disk.rename(&part, &whole).map_err(|source| failed("rename", &part, source))
}
