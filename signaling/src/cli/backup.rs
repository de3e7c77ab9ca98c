//! Backups: a folder with the tables as JSON lines, and the keys without which tokens and second factors are lost.
//!
//! A backup can be made while the hub runs, and be restored into either store. Recordings are files, immutable once
//! sealed: their folder is to be copied separately.

use std::path::Path;

use crate::{
    data_dir::{self, DataDirError, NewFile, database_file},
    store::{Database, Store, StoreError, db::copy::CopyError},
};

const TABLES: &str = "tables.jsonl";

/// Keys in the data folder. A generated certificate is not backed up: it is generated again.
const KEYS: [&str; 5] = ["token.key", "seal.key", "recording.key", "ca.pem", "ca.key"];

/// Size limit of a key file, in bytes.
const KEY_BYTES_MAX: usize = 64 * 1024;

/// Why a backup cannot be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Keep(#[from] DataDirError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tables cannot be written or read.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The destination is not empty.
    #[error("{0} is not empty")]
    NotEmpty(String),
    /// The folder has no backup.
    #[error("{0} holds no backup of ours")]
    NotABackup(String),
}

/// Writes a backup of the hub's `data` folder and `store` to the empty folder `to`. Returns the number of rows.
///
/// # Errors
/// [`BackupError`], by cause.
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
    // The tables are written last: if they are there, the backup is complete.
    let mut file = NewFile::begin(&to.join(TABLES))?;
    let lines = store.copy_out(&mut file).await?;
    file.finish()?;
    Ok(lines)
}

/// Restores the backup in `from` to the empty folder `data` and an empty database. Returns the number of rows.
///
/// # Errors
/// [`BackupError`], by cause. If the tables cannot be read, no row is stored.
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
