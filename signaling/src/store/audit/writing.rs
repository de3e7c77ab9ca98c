//! A transaction that is kept together with its line in the audit.

use sqlx::{Any, AnyConnection, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use super::{AuditRow, append};
use crate::store::{Store, StoreError, db::dialect::WAIT_MAX};

impl Store {
    /// Begins to write. Nothing of it is kept before it is committed.
    pub(crate) async fn write(&self) -> Result<Writing, StoreError> {
        let turn = tokio::time::timeout(WAIT_MAX, self.writer.clone().acquire_owned());
        let turn = turn.await.map_err(|_| StoreError::Busy)?.map_err(|_| StoreError::Busy)?;
        let transaction = self.pool.begin_with(self.dialect.begin()).await?;
        Ok(Writing { transaction, _turn: turn })
    }
}

/// A transaction. It is kept together with its line in the audit, or without one where nobody acted.
pub(crate) struct Writing {
    transaction: Transaction<'static, Any>,
    _turn: OwnedSemaphorePermit,
}

impl Writing {
    /// Runs a statement of fixed text.
    pub(crate) fn on(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// Keeps everything, and the line that says who did it.
    pub(crate) async fn commit(mut self, row: &AuditRow) -> Result<(), StoreError> {
        append(&mut self.transaction, row).await?;
        Ok(self.transaction.commit().await?)
    }

    /// Keeps what nobody did: housekeeping, and what is told elsewhere.
    pub(crate) async fn commit_unseen(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
}
