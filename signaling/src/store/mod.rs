//! What is kept, in SQL by noun. The statements run on SQLite and PostgreSQL alike.

mod audit;
mod lesson;
mod organisation;
mod recording;
mod session;

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

pub use audit::{AuditRow, Outcome};
pub use lesson::{LessonCursor, Scope};
pub use session::Session;

/// The database of one hub. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or is not there.
    #[error("the database refused")]
    Database(#[from] sqlx::Error),
    /// The tables cannot be brought to this version.
    #[error("the tables cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row holds a word that this version does not know.
    #[error("{column} holds `{value}`, which this version does not know")]
    UnknownWord {
        /// Where.
        column: &'static str,
        /// What.
        value: String,
    },
}

/// SQLite lets one writer in at a time; readers beside it are cheap.
const CONNECTIONS_MAX: u32 = 4;

/// A writer waits this long for the one before it. Longer means something hangs, and then an answer is better.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl Store {
    /// Opens the database file, makes it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be opened or the tables not be brought up to date.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        // `normal`: with a write-ahead log a killed process loses nothing and a power cut at most the last
        // transactions, never the file's soundness. What must survive a power cut is the recording, and the
        // recorder syncs that itself.
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_with(options).await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        Ok(Self { pool })
    }

    /// Waits for running statements and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Answers whether the database answers.
    ///
    /// # Errors
    /// [`StoreError`] where it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }
}

/// Reads a text column that holds an id or a known word.
fn word<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    let value: String = row.try_get(column)?;
    value.parse().map_err(|_| StoreError::UnknownWord { column, value })
}

/// Reads a text column that may be null.
fn word_or_null<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<Option<T>, StoreError> {
    let value: Option<String> = row.try_get(column)?;
    value.map(|value| value.parse().map_err(|_| StoreError::UnknownWord { column, value })).transpose()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A store of its own for one test, with the folder that it lives in.
    pub(crate) async fn fresh() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("tongke.sqlite")).await.unwrap();
        (store, folder)
    }

    #[tokio::test]
    async fn opening_twice_changes_nothing() {
        let (store, folder) = fresh().await;
        store.close().await;
        let again = Store::open(&folder.path().join("tongke.sqlite")).await.unwrap();
        again.ping().await.unwrap();
        assert!(again.is_empty().await.unwrap());
    }
}
