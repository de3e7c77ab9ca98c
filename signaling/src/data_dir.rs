//! **Rim.** Small files of the data folder: keys, certificates, the sample's notes.
#![expect(clippy::disallowed_methods, reason = "the front door's own files are read and written here")]

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// A small file cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Others on this machine can read a secret.
    #[error("{path} can be read by others: run `chmod 600` on it")]
    Exposed {
        /// Which.
        path: PathBuf,
    },
    /// Another process works in this data folder.
    #[error("another hub is running in {path}")]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// It holds no key.
    #[error("{path} holds no key")]
    NotAKey {
        /// Which.
        path: PathBuf,
    },
}

/// Makes a folder that only the hub may look into.
///
/// # Errors
/// [`DataDirError::Write`] where it cannot be made.
pub fn folder(path: &Path) -> Result<(), DataDirError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| DataDirError::Write { path: path.to_owned(), source })
}

/// Takes a data folder for as long as the answer is kept: two hubs would write the same recordings. However a process
/// ends, what it took is free again.
///
/// # Errors
/// [`DataDirError::Taken`] where another process has it.
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

/// Reads a file. `None`: there is none.
///
/// # Errors
/// [`DataDirError::Read`] where it is there but cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, DataDirError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DataDirError::Read { path: path.to_owned(), source }),
    }
}

/// Writes a file of which nobody ever sees a half: beside it first, then renamed. `mode` as in `chmod`.
///
/// # Errors
/// [`DataDirError::Write`] where it cannot be written.
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

/// A new file, written piece by piece beside its place and put there when it is whole.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    beside: PathBuf,
    file: io::BufWriter<fs::File>,
}

impl NewFile {
    /// Begins one that only the hub may read.
    ///
    /// # Errors
    /// [`DataDirError::Write`] where it cannot be made.
    pub fn begin(path: &Path) -> Result<Self, DataDirError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let _ = fs::remove_file(&beside);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let file = file.map_err(|source| DataDirError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), beside, file: io::BufWriter::new(file) })
    }

    /// It is whole, and stays.
    ///
    /// # Errors
    /// [`DataDirError::Write`] where it cannot be written or renamed.
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

/// A file, to be read line by line.
///
/// # Errors
/// [`DataDirError::Read`] where it is not there or cannot be read.
pub fn lines(path: &Path) -> Result<io::BufReader<fs::File>, DataDirError> {
    let file = fs::File::open(path).map_err(|source| DataDirError::Read { path: path.to_owned(), source })?;
    Ok(io::BufReader::new(file))
}

/// Whether there is nothing in a folder, or no folder.
#[must_use]
pub fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |mut files| files.next().is_none())
}

/// Reads a secret, or makes and keeps it on the first run.
///
/// # Errors
/// [`DataDirError`] where it cannot be read or written, or where others can read it.
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

/// Reads a secret that somebody put there for the hub.
///
/// # Errors
/// [`DataDirError`] where it cannot be read, or where others can read it.
pub fn given_secret(path: &Path) -> Result<Vec<u8>, DataDirError> {
    let missing = || DataDirError::Read { path: path.to_owned(), source: io::ErrorKind::NotFound.into() };
    if read(path)?.is_none() {
        return Err(missing());
    }
    secret(path, Vec::new)
}

/// The database file of a data folder, where no other database is named.
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
