//! The few things that the archive asks of a disk, so that its tests can have one that forgets.
#![expect(clippy::disallowed_methods, reason = "this is the rim: files live here")]

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use nix::{
    fcntl::{FallocateFlags, fallocate},
    sys::statvfs::statvfs,
};

use crate::disk::space::FreeSpace;

/// A file system, as far as the archive needs one. What returned is not durable before it was synced.
pub trait Disk: Send + Sync + 'static {
    /// Makes a folder and those above it, durably.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder. Empty where there is no such folder.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// A whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Opens a file for appending after its first `len` bytes; it is made if there is none, and cut to `len`.
    fn open(&self, path: &Path, len: u64) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file its final name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// How much room there is where `path` lies.
    fn free_space(&self, path: &Path) -> io::Result<FreeSpace>;
    /// Makes a file of `bytes` whose blocks are really set aside; one that is there is left as it is.
    fn reserve_file(&self, path: &Path, bytes: u64) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes what happened to names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder; where there is none, or the disk knows no folders, nothing happens.
    fn remove_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    /// Makes sure that a file is here whose copy may be the only one, elsewhere; its SHA-256 in hex is `digest`. A disk
    /// that gives nothing away has nothing to do.
    fn fetch(&self, _path: &Path, _digest: &str) -> io::Result<()> {
        Ok(())
    }
}

/// A file open for appending.
pub trait DiskFile: Send {
    /// Appends all of `bytes`, or fails having appended some.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was appended durable (fdatasync).
    fn sync(&mut self) -> io::Result<()>;
}

/// The real one.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)?;
        // The new folder's own name must outlive a power cut too.
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), |parent| self.sync_dir(parent))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn open(&self, path: &Path, len: u64) -> io::Result<Box<dyn DiskFile>> {
        let file = fs::OpenOptions::new().create(true).append(true).open(path)?;
        if file.metadata()?.len() != len {
            file.set_len(len)?;
        }
        Ok(Box::new(LocalFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn free_space(&self, path: &Path) -> io::Result<FreeSpace> {
        let told = statvfs(path)?;
        let block_bytes = told.fragment_size();
        Ok(FreeSpace {
            free_bytes: told.blocks_available().saturating_mul(block_bytes),
            total_bytes: told.blocks().saturating_mul(block_bytes),
            free_files: told.files_available(),
            total_files: told.files(),
        })
    }

    fn reserve_file(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        if file.metadata()?.len() == bytes {
            return Ok(());
        }
        let reserve_file = (|| {
            file.set_len(0)?;
            fallocate(&file, FallocateFlags::empty(), 0, i64::try_from(bytes).unwrap_or(i64::MAX))?;
            file.sync_all()
        })();
        if reserve_file.is_err() {
            // Half a reserve would be taken for a whole one.
            fs::remove_file(path)?;
        }
        reserve_file
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir(path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }
}

struct LocalFile(fs::File);

impl DiskFile for LocalFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
