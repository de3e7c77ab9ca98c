//! A backup: a folder with the tables as lines of JSON and the keys without which tokens and second factors are lost.
//!
//! It is taken while the hub runs, and opens in either store. Recordings are files that never change once they are
//! sealed: whoever backs up copies their folder beside it.

use std::path::Path;

use crate::{
    data_dir::{self, DataDirError, NewFile, database_file},
    store::{Database, Store, StoreError, db::copy::CopyError},
};

const TABLES: &str = "tables.jsonl";

/// Keys of the data folder. The certificate is made anew where it is of our own making.
const KEYS: [&str; 5] = ["token.key", "seal.key", "recording.key", "ca.pem", "ca.key"];

/// Keys are small.
const KEY_BYTES_MAX: usize = 64 * 1024;

/// A backup cannot be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file.
    #[error(transparent)]
    Keep(#[from] DataDirError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tables.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// There is something already.
    #[error("{0} is not empty")]
    NotEmpty(String),
    /// The folder holds no backup.
    #[error("{0} holds no backup of ours")]
    NotABackup(String),
}

/// Writes a backup of the hub's `data` folder and `store` into the empty folder `to`. Answers the lines of its tables.
///
/// # Errors
/// [`BackupError`].
pub async fn back_up(store: &Store, data: &Path, to: &Path) -> Result<u64, BackupError> {
    if !data_dir::is_empty(to) {
        return Err(BackupError::NotEmpty(to.display().to_string()));
    }
    data_dir::folder(to)?;
    for key in KEYS {
        if let Some(bytes) = data_dir::read(&data.join(key))?.filter(|bytes| bytes.len() <= KEY_BYTES_MAX) {
            data_dir::write(&to.join(key), &bytes, 0o600)?;
        }
    }
    // The tables come last: where they are, the backup is whole.
    let mut file = NewFile::begin(&to.join(TABLES))?;
    let lines = store.copy_out(&mut file).await?;
    file.finish()?;
    Ok(lines)
}

/// Reads the backup in `from` into the empty folder `data` and an empty database. Answers the lines of its tables.
///
/// # Errors
/// [`BackupError`]. Where the tables cannot be read nothing of them is kept.
pub async fn restore(from: &Path, data: &Path, database: Option<Database>) -> Result<u64, BackupError> {
    let tables = from.join(TABLES);
    if !tables.is_file() {
        return Err(BackupError::NotABackup(from.display().to_string()));
    }
    if !data_dir::is_empty(data) {
        return Err(BackupError::NotEmpty(data.display().to_string()));
    }
    data_dir::folder(data)?;
    let database = database.unwrap_or_else(|| Database::file(&database_file(data)));
    let store = Store::open(&database).await?;
    let lines = store.copy_in(data_dir::lines(&tables)?).await?;
    store.close().await;
    for key in KEYS {
        if let Some(bytes) = data_dir::read(&from.join(key))?.filter(|bytes| bytes.len() <= KEY_BYTES_MAX) {
            data_dir::write(&data.join(key), &bytes, 0o600)?;
        }
    }
    Ok(lines)
}
