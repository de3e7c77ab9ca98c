//! **Rim.** Small files in the data folder: keys, certificates, the sample's notes.
#![expect(clippy::disallowed_methods, reason = "the front door's own files are read and written here")]

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Why a small file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Other users of this machine can read a secret.
    #[error("{path} can be read by others: run `chmod 600` on it")]
    Exposed {
        /// Its path.
        path: PathBuf,
    },
    /// Another process uses this data folder.
    #[error("another hub is running in {path}")]
    Taken {
        /// The data folder.
        path: PathBuf,
    },
    /// It holds no key.
    #[error("{path} holds no key")]
    NotAKey {
        /// Its path.
        path: PathBuf,
    },
}

/// Creates a folder that only the hub can read.
///
/// # Errors
/// [`DataDirError::Write`] if it cannot be created.
pub fn folder(path: &Path) -> Result<(), DataDirError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| DataDirError::Write { path: path.to_owned(), source })
}

/// Locks a data folder until the returned value is dropped: two hubs would write the same recordings. The lock ends
/// with its process, however that ends.
///
/// # Errors
/// [`DataDirError::Taken`] if another process holds the lock.
pub fn alone(data: &Path) -> Result<fs::File, DataDirError> {
    let path = data.join("hub.lock");
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|source| DataDirError::Write { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(DataDirError::Taken { path: data.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(DataDirError::Write { path, source }),
    }
}

/// Reads a file. `None`: it does not exist.
///
/// # Errors
/// [`DataDirError::Read`] if it exists but cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, DataDirError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DataDirError::Read { path: path.to_owned(), source }),
    }
}

/// Writes a file atomically: to a temporary file beside it, then renamed. `mode` as in `chmod`.
///
/// # Errors
/// [`DataDirError::Write`] if it cannot be written.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DataDirError> {
    let beside = path.with_extension("new");
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&beside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| DataDirError::Write { path: path.to_owned(), source })
}

/// A new file, written in parts to a temporary file and renamed when complete.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    beside: PathBuf,
    file: io::BufWriter<fs::File>,
}

impl NewFile {
    /// Creates one that only the hub can read.
    ///
    /// # Errors
    /// [`DataDirError::Write`] if it cannot be created.
    pub fn begin(path: &Path) -> Result<Self, DataDirError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let _ = fs::remove_file(&beside);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let file = file.map_err(|source| DataDirError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), beside, file: io::BufWriter::new(file) })
    }

    /// Completes the file: moves it to its path.
    ///
    /// # Errors
    /// [`DataDirError::Write`] if it cannot be written or renamed.
    pub fn finish(mut self) -> Result<(), DataDirError> {
        let mut finish = || {
            self.file.flush()?;
            self.file.get_ref().sync_all()?;
            fs::rename(&self.beside, &self.path)
        };
        let done: io::Result<()> = finish();
        done.map_err(|source| DataDirError::Write { path: self.path.clone(), source })
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Opens a file to be read line by line.
///
/// # Errors
/// [`DataDirError::Read`] if it does not exist or cannot be read.
pub fn lines(path: &Path) -> Result<io::BufReader<fs::File>, DataDirError> {
    let file = fs::File::open(path).map_err(|source| DataDirError::Read { path: path.to_owned(), source })?;
    Ok(io::BufReader::new(file))
}

/// Whether a folder is empty or does not exist.
#[must_use]
pub fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |mut files| files.next().is_none())
}

/// Reads a secret, or creates and writes it on the first run.
///
/// # Errors
/// [`DataDirError`] if it cannot be read or written, or other users can read it.
pub fn secret(path: &Path, make: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, DataDirError> {
    let Some(bytes) = read(path)? else {
        let bytes = make();
        write(path, &bytes, 0o600)?;
        return Ok(bytes);
    };
    let mode = fs::metadata(path).map_err(|source| DataDirError::Read { path: path.to_owned(), source })?;
    if mode.permissions().mode() & 0o077 != 0 {
        return Err(DataDirError::Exposed { path: path.to_owned() });
    }
    Ok(bytes)
}

/// Reads a secret file that an operator provides.
///
/// # Errors
/// [`DataDirError`] if it cannot be read, or other users can read it.
pub fn given_secret(path: &Path) -> Result<Vec<u8>, DataDirError> {
    let missing = || DataDirError::Read { path: path.to_owned(), source: io::ErrorKind::NotFound.into() };
    if read(path)?.is_none() {
        return Err(missing());
    }
    secret(path, Vec::new)
}

/// The database file of a data folder, if no other database is configured.
#[must_use]
pub fn database_file(data: &Path) -> PathBuf {
    data.join("tongke.sqlite")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_hub_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = alone(folder.path()).unwrap();
        assert!(matches!(alone(folder.path()), Err(DataDirError::Taken { .. })));
        drop(first);
        alone(folder.path()).unwrap();
    }

    #[test]
    fn a_secret_is_made_once_and_refused_once_others_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(secret(&path, || vec![1]).unwrap(), [1]);
        assert_eq!(secret(&path, || vec![2]).unwrap(), [1]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(secret(&path, || vec![3]), Err(DataDirError::Exposed { .. })));
    }
}
