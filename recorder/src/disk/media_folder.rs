//! Opens media files for reading, beneath the archive's folder only, without following links.
#![expect(clippy::disallowed_methods, reason = "this is the rim: files are opened here")]

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
};

use crate::{
    disk::local::Disk,
    id::{MediaName, RecordingId},
};

/// The folder of one recording, for reading.
#[derive(Clone)]
pub struct MediaFolder {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    id: RecordingId,
}

impl std::fmt::Debug for MediaFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MediaFolder").field(&self.id).finish()
    }
}

impl MediaFolder {
    /// The folder of recording `id` beneath `root`; `disk` fetches evicted files.
    #[must_use]
    pub fn new(root: PathBuf, disk: Arc<dyn Disk>, id: RecordingId) -> Self {
        Self { root, disk, id }
    }

    /// Opens an init segment or a segment with that SHA-256 in hex; an evicted one is fetched first. Symbolic links are
    /// not followed (`openat2(2)`, `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`): a planted link could otherwise expose
    /// any file that the hub can read.
    ///
    /// # Errors
    /// `NotFound` where there is no such file, `PermissionDenied` where a link stands on the way to it.
    pub fn open(&self, name: MediaName, digest: &str) -> io::Result<File> {
        let path = Path::new(&self.id.to_string()).join(name.to_string());
        match self.open_beneath(&path) {
            Err(Errno::ENOENT) => {
                self.disk.fetch(&self.root.join(&path), digest)?;
                plain(self.open_beneath(&path)?)
            }
            opened => plain(opened?),
        }
    }

    fn open_beneath(&self, path: &Path) -> Result<File, Errno> {
        let root = File::open(&self.root).map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
        // Non-blocking: opening a FIFO of that name would otherwise wait for its writer.
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        match openat2(&root, path, how) {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::ELOOP | Errno::EXDEV | Errno::ENXIO) => Err(Errno::EACCES),
            Err(error) => Err(error),
        }
    }
}

/// Only regular files: no FIFO, no device.
fn plain(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}
