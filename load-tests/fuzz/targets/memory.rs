//! A disk in memory, on which nothing goes wrong.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use recorder::disk::{Disk, DiskFile, space::FreeSpace};

/// See the module. A clone is the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>);

impl MemoryDisk {
    /// Puts a file there.
    pub fn put(&self, path: PathBuf, bytes: &[u8]) {
        self.files().insert(path, bytes.to_vec());
    }

    /// All files.
    pub fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Vec<u8>>> {
        self.0.lock().expect("nobody panics with it")
    }
}

impl Disk for MemoryDisk {
    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let name = |file: &PathBuf| Some(file.strip_prefix(path).ok()?.to_str()?.to_owned());
        Ok(self.files().keys().filter_map(name).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open(&self, path: &Path, len: u64) -> io::Result<Box<dyn DiskFile>> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.files().entry(path.to_owned()).or_default().resize(len, 0);
        Ok(Box::new(MemoryFile(self.clone(), path.to_owned())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files();
        let bytes = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn free_space(&self, _path: &Path) -> io::Result<FreeSpace> {
        Ok(FreeSpace { free_bytes: 1 << 40, total_bytes: 1 << 40, free_files: 0, total_files: 0 })
    }

    fn reserve_file(&self, _path: &Path, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files().remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryFile(MemoryDisk, PathBuf);

impl DiskFile for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.files().entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
