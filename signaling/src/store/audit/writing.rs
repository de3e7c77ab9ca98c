//! A transaction committed together with its audit row.

use sqlx::{Any, AnyConnection, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use super::{AuditRow, append};
use crate::store::{Store, StoreError, db::dialect::WAIT_MAX};

impl Store {
    /// Begins a write transaction. Nothing is stored before it is committed.
    pub(crate) async fn write(&self) -> Result<Writing, StoreError> {
        let turn = tokio::time::timeout(WAIT_MAX, self.writer.clone().acquire_owned());
        let turn = turn.await.map_err(|_| StoreError::Busy)?.map_err(|_| StoreError::Busy)?;
        let transaction = self.pool.begin_with(self.dialect.begin()).await?;
        Ok(Writing { transaction, _turn: turn })
    }
}

/// A write transaction. Committed with its audit row, or without one if no actor was involved.
pub(crate) struct Writing {
    transaction: Transaction<'static, Any>,
    _turn: OwnedSemaphorePermit,
}

impl Writing {
    /// The connection, to run a statement of fixed text.
    pub(crate) fn on(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// Commits the changes together with their audit row.
    pub(crate) async fn commit(mut self, row: &AuditRow) -> Result<(), StoreError> {
        append(&mut self.transaction, row).await?;
        Ok(self.transaction.commit().await?)
    }

    /// Commits changes without an actor: housekeeping, and changes audited elsewhere.
    pub(crate) async fn commit_unseen(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
}
