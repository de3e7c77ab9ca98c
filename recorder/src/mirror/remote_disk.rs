//! The disk of an archive whose sealed recordings may be in the bucket only.

use std::{
    io,
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    Object, Piece,
    bucket::{Bucket, BucketError},
};
use crate::{
    disk::{
        local::{Disk, DiskFile},
        space::FreeSpace,
    },
    id::RecordingId,
    journal::{digest::sha256, seal::SEAL},
};

/// A disk that reads evicted files of sealed recordings from the bucket, and everything else from the disk below. Reads
/// may wait for the network: blocking.
pub struct MirroredDisk {
    disk: Arc<dyn Disk>,
    bucket: Bucket,
    runtime: Handle,
}

impl MirroredDisk {
    /// On top of `disk`; requests run on `runtime`.
    #[must_use]
    pub fn over(disk: Arc<dyn Disk>, bucket: Bucket, runtime: Handle) -> Self {
        Self { disk, bucket, runtime }
    }

    /// The bytes of a file in the bucket. `None`: a file that is never evicted.
    fn fetch(&self, path: &Path) -> Option<io::Result<Vec<u8>>> {
        let name = path.file_name()?.to_str()?.parse().ok()?;
        let dir = path.parent()?;
        let recording: RecordingId = dir.file_name()?.to_str()?.parse().ok()?;
        // Files of an unsealed recording are never evicted.
        if !self.disk.list(dir).ok()?.iter().any(|file| file == SEAL) {
            return None;
        }
        let (bucket, object) = (self.bucket.clone(), Object::of(recording, Piece::Media(name)));
        let (answer, answered) = mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            let _ = answer.send(bucket.get(&object, TIMEOUT).await);
        });
        Some(match answered.recv_timeout(TIMEOUT * 2) {
            Ok(Ok(bytes)) => Ok(bytes.into()),
            Ok(Err(BucketError::Missing { .. })) => Err(io::ErrorKind::NotFound.into()),
            Ok(Err(error)) => Err(io::Error::new(io::ErrorKind::HostUnreachable, error)),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        })
    }
}

impl Disk for MirroredDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.disk.read(path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => self.fetch(path).unwrap_or(Err(missing)),
            read => read,
        }
    }

    fn open(&self, path: &Path, len: u64) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(path, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn free_space(&self, path: &Path) -> io::Result<FreeSpace> {
        self.disk.free_space(path)
    }

    fn reserve_file(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.disk.reserve_file(path, bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }

    fn fetch(&self, path: &Path, digest: &str) -> io::Result<()> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Ok(());
        };
        if self.disk.list(dir)?.iter().any(|file| file == name) {
            return Ok(());
        }
        let Some(bytes) = self.fetch(path) else { return Ok(()) };
        let bytes = bytes?;
        if sha256(&bytes) != digest {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the bucket's copy is not what was written"));
        }
        // Outside of the folder until it is complete, so that scans of the folder see no partial file. Concurrent
        // fetches of one file write the same bytes.
        let part = dir.with_file_name(format!("{name}.back-{:?}", std::thread::current().id()));
        let written = (|| {
            let mut file = self.disk.open(&part, 0)?;
            file.append(&bytes)?;
            file.sync()?;
            self.disk.rename(&part, path)
        })();
        if written.is_err() {
            let _ = self.disk.remove(&part);
        }
        written
    }
}

/// As long as players wait for a segment.
const TIMEOUT: Duration = Duration::from_secs(20);
