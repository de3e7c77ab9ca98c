//! Stored responses to create requests, for idempotent retries.

use sqlx::Row;

use crate::store::{Sql, Store, StoreError};
use school::base::time::UnixMs;

/// A stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Answered {
    pub request_sha256: String,
    pub status: i64,
    pub location: String,
    pub answer: String,
}

impl Store {
    /// The response stored for this holder's key since `since`. `None`: the key is new.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn answered(&self, holder: &str, key: &str, since: UnixMs) -> Result<Option<Answered>, StoreError> {
        let mut sql = Sql::new("select request_sha256, status, location, answer from idempotency where holder = ");
        sql.bind(holder).push(" and key = ").bind(key).push(" and at_ms >= ").bind(since.0);
        let read = |row: &sqlx::any::AnyRow| {
            Ok(Answered {
                request_sha256: row.try_get("request_sha256")?,
                status: row.try_get("status")?,
                location: row.try_get("location")?,
                answer: row.try_get("answer")?,
            })
        };
        sql.all(&self.pool).await?.first().map(read).transpose()
    }

    /// Stores a response, and deletes those from before `since`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn save_answer(
        &self,
        holder: &str,
        key: &str,
        answered: &Answered,
        now: UnixMs,
        since: UnixMs,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("delete from idempotency where at_ms < ");
        sql.bind(since.0).run(writing.on()).await?;
        let mut sql =
            Sql::new("insert into idempotency (holder, key, request_sha256, status, location, answer, at_ms)");
        sql.push(" values (").bind(holder).push(", ").bind(key).push(", ").bind(answered.request_sha256.as_str());
        sql.push(", ").bind(answered.status).push(", ").bind(answered.location.as_str()).push(", ");
        sql.bind(answered.answer.as_str()).push(", ").bind(now.0).push(")");
        sql.run(writing.on()).await?;
        writing.commit_unseen().await
    }
}
