//! The file-system operations that the archive needs, as a trait, so that tests can simulate power cuts; and the local
//! disk.
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

/// The file system as the archive needs it. A change is durable only after the matching sync.
pub trait Disk: Send + Sync + 'static {
    /// Creates a folder and its parents, durably.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder. Empty if there is no such folder.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Opens a file for appending after its first `len` bytes: creates it if missing, truncates it to `len`.
    fn open(&self, path: &Path, len: u64) -> io::Result<Box<dyn DiskFile>>;
    /// Renames a file, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Free space of the volume that holds `path`.
    fn free_space(&self, path: &Path) -> io::Result<FreeSpace>;
    /// Creates a file of `bytes` with allocated blocks; an existing one of this size is left alone.
    fn reserve_file(&self, path: &Path, bytes: u64) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes created, renamed and removed names of a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder. Does nothing if it is missing, or on a disk without folders.
    fn remove_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    /// Fetches an evicted file from remote storage to the local disk, if it is missing here; `digest` is its SHA-256 in
    /// hex. Does nothing on a disk that never evicts.
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

/// The local file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)?;
        // The new folder's name must be durable too.
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
            // A partial reserve would later pass for a complete one.
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
