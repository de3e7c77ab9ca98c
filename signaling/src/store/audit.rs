//! What was done and refused, by whom. Rows are only ever added.

use sqlx::{Executor, Sqlite};

use super::{Store, StoreError};
use crate::domain::{id::AuditId, time::UnixMs};

/// How an act went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

/// One line of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// When.
    pub at: UnixMs,
    /// `person:<id>`, `classroom:<id>`, `guest`, `publisher` or `system`.
    pub actor: String,
    /// What: `sign_in`, `start_lesson`, `look_into_recording`.
    pub act: &'static str,
    /// What it was done to, as `lesson:<id>`.
    pub object: String,
    /// How it went.
    pub outcome: Outcome,
    /// The network address it came from; empty for the system itself.
    pub address: String,
}

impl Store {
    /// Adds one line that stands alone. Changes write theirs in their own transaction.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn audit(&self, row: &AuditRow) -> Result<(), StoreError> {
        insert(&self.pool, row).await
    }

    /// The newest lines first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn newest_audit_acts(&self, limit: u32) -> Result<Vec<(String, String, String)>, StoreError> {
        Ok(sqlx::query_as("select actor, act, outcome from audit order by audit_id desc limit $1")
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }
}

pub(super) async fn insert<'c>(to: impl Executor<'c, Database = Sqlite>, row: &AuditRow) -> Result<(), StoreError> {
    sqlx::query(
        "insert into audit (audit_id, at_ms, actor, act, object, outcome, address)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(AuditId::fresh().to_string())
    .bind(row.at.0)
    .bind(&row.actor)
    .bind(row.act)
    .bind(&row.object)
    .bind(match row.outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
    })
    .bind(&row.address)
    .execute(to)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_of_the_audit_is_neither_changed_nor_deleted() {
        let (store, _folder) = crate::store::tests::fresh().await;
        let row = AuditRow {
            at: UnixMs(1),
            actor: "system".into(),
            act: "start",
            object: "hub".into(),
            outcome: Outcome::Done,
            address: String::new(),
        };
        store.audit(&row).await.unwrap();
        assert!(sqlx::query("update audit set actor = 'nobody'").execute(&store.pool).await.is_err());
        assert!(sqlx::query("delete from audit").execute(&store.pool).await.is_err());
        assert_eq!(store.newest_audit_acts(9).await.unwrap(), [("system".into(), "start".into(), "done".into())]);
    }
}
