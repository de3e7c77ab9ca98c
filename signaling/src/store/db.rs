//! The database: connections, the two dialects, statement builder, column readers, and copies as JSON lines.
//! Knows no table but those of the migrations.

pub mod column;
pub mod copy;
pub mod database;
pub(crate) mod dialect;
pub mod edit;
pub mod error;
pub mod idempotency;
pub mod list;
pub(crate) mod sql;

use std::sync::Arc;

use sqlx::AnyPool;
use tokio::sync::Semaphore;

use self::{database::Database, dialect::Dialect, error::StoreError};

/// The database of one hub. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(in crate::store) pool: AnyPool,
    pub(in crate::store) dialect: Dialect,
    /// Serialises SQLite's writers. Its own busy handler polls and is not fair: the last one may wait longest.
    pub(in crate::store) writer: Arc<Semaphore>,
}

impl Store {
    /// Connects and migrates the tables.
    pub(crate) async fn connect(database: &Database) -> Result<Self, StoreError> {
        let dialect = database.dialect();
        let writers = match dialect {
            Dialect::Sqlite => 1,
            Dialect::Postgres => Semaphore::MAX_PERMITS,
        };
        let pool = dialect.connect(database.url()).await?;
        Ok(Self { pool, dialect, writer: Arc::new(Semaphore::new(writers)) })
    }

    /// Waits for running statements and closes the database.
    pub async fn close(&self) {
        if let Some(on_close) = self.dialect.on_close()
            && let Err(error) = sqlx::query(on_close).execute(&self.pool).await
        {
            tracing::debug!(%error, "The write-ahead log stays beside the file");
        }
        self.pool.close().await;
    }

    /// Checks that the database responds.
    ///
    /// # Errors
    /// [`StoreError`] if it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }
}
