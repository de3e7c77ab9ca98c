//! The audit chain: verification, and deletion of the oldest rows after their retention.
//!
//! Rows are deleted only from the front, after [`AUDIT_KEPT_MIN`], and the chain records it: a tombstone row
//! names the last deleted row and its SHA-256, which the first remaining row holds too.

use std::time::Duration;

use sqlx::{Row, any::AnyRow};

use crate::store::{
    AuditRow, Sql, Store, StoreError,
    audit::{SELECT_LINE, append, line_from},
};
use school::base::time::UnixMs;

/// 网络安全法 §21 requires logs for six months. Nothing shortens this.
pub const AUDIT_KEPT_MIN: Duration = Duration::from_secs(180 * DAY_SECS);

/// Result of a successful verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Number of rows.
    pub rows: i64,
    /// How many of them were deleted after their retention, and the tombstone. `None`: none.
    pub retired: Option<Retired>,
    /// SHA-256 of the last row. Noted elsewhere, it proves that the chain was not rebuilt as a whole.
    pub sha256: String,
}

/// The front of the chain that was deleted after its retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Rows 1 to this one, inclusive.
    pub rows: i64,
    /// Sequence number of the tombstone row.
    pub tombstone: i64,
}

/// The first row that was tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit row {seq} {touched}")]
pub struct Touched {
    /// Its sequence number.
    pub seq: i64,
    /// Kind of tampering.
    pub touched: Touch,
}

/// Kind of tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Touch {
    /// The content differs from what was written.
    #[error("was changed")]
    Changed,
    /// The row is missing.
    #[error("is missing")]
    Missing,
    /// The row is beyond the end of the chain.
    #[error("was added behind the end of the chain")]
    Added,
}

/// Rows read per batch during verification.
const VERIFY_ROWS: i64 = 2_000;

/// Rows deleted per transaction.
const RETIRE_ROWS: i64 = 10_000;

/// Maximum age difference of the rows that one call deletes: if the wall clock jumps years ahead, only two days of
/// audit rows are deleted per day, not all of them at once.
const RETIRE_SPAN: Duration = Duration::from_secs(2 * DAY_SECS);

const DAY_SECS: u64 = 24 * 3600;

const TOMBSTONE: &str = "retire_audit";

/// Verification state while reading along the chain.
struct Chain {
    /// The last row read.
    seq: i64,
    /// Its SHA-256. `None`: it was deleted, and the next row holds its hash.
    before: Option<String>,
    retired: i64,
    retired_sha256: String,
    tombstone: Option<i64>,
}

impl Chain {
    fn behind(retired: i64) -> Self {
        let before = (retired == 0).then(String::new);
        Self { seq: retired, before, retired, retired_sha256: String::new(), tombstone: None }
    }

    /// Verifies the next row. Returns when it was written.
    fn step(&mut self, row: &AnyRow) -> Result<Result<UnixMs, Touched>, StoreError> {
        let touched = |touched| Ok(Err(Touched { seq: self.seq + 1, touched }));
        if row.try_get::<i64, _>("seq")? != self.seq + 1 {
            return touched(Touch::Missing);
        }
        // A tampered row may hold unknown values, or no text at all.
        let Ok(line) = line_from(row) else { return touched(Touch::Changed) };
        let before = self.before.get_or_insert_with(|| {
            self.retired_sha256.clone_from(&line.before_sha256);
            line.before_sha256.clone()
        });
        if line.before_sha256 != *before || line.sha256 != line.hash() {
            return touched(Touch::Changed);
        }
        if self.retired > 0
            && (line.act.as_str(), line.actor.as_str()) == (TOMBSTONE, "system")
            && line.object == tombstone_object(self.retired)
            && line.detail.starts_with(&format!("sha256={} ", self.retired_sha256))
        {
            self.tombstone = Some(line.seq);
        }
        self.seq += 1;
        self.before = Some(line.sha256);
        Ok(Ok(line.at))
    }

    /// Checks that the chain ends where its head says.
    fn verdict(self, rows: i64, end: &str) -> Result<Verified, Touched> {
        let sha256 = self.before.unwrap_or_default();
        let retired = match (self.retired, self.tombstone) {
            (0, _) => None,
            (rows, Some(tombstone)) => Some(Retired { rows, tombstone }),
            // Rows were deleted without a tombstone.
            (rows, None) => return Err(Touched { seq: rows, touched: Touch::Missing }),
        };
        match self.seq {
            seq if seq < rows => Err(Touched { seq: seq + 1, touched: Touch::Missing }),
            seq if sha256 != end => Err(Touched { seq, touched: Touch::Changed }),
            _ => Ok(Verified { rows, retired, sha256 }),
        }
    }
}

fn tombstone_object(rows: i64) -> String {
    format!("audit:1-{rows}")
}

struct Head {
    rows: i64,
    retired: i64,
    sha256: String,
}

impl Store {
    async fn audit_head(&self) -> Result<Head, StoreError> {
        let head = sqlx::query("select seq, retired_seq, sha256 from audit_head").fetch_one(&self.pool).await?;
        Ok(Head { rows: head.try_get("seq")?, retired: head.try_get("retired_seq")?, sha256: head.try_get("sha256")? })
    }

    async fn audit_rows(&self, behind: i64, limit: i64) -> Result<Vec<AnyRow>, StoreError> {
        let mut sql = Sql::new(SELECT_LINE);
        sql.push("seq > ").bind(behind).push(" order by seq limit ").bind(limit);
        sql.all(&self.pool).await
    }

    /// Verifies the whole chain; returns the first row that was tampered with, if any.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn verify_audit(&self) -> Result<Result<Verified, Touched>, StoreError> {
        loop {
            let head = self.audit_head().await?;
            let retired = head.retired;
            let verified = self.verify_to(head).await?;
            // Rows may have been deleted concurrently.
            if verified.is_ok() || self.audit_head().await?.retired == retired {
                return Ok(verified);
            }
        }
    }

    async fn verify_to(&self, head: Head) -> Result<Result<Verified, Touched>, StoreError> {
        let mut chain = Chain::behind(head.retired);
        loop {
            let batch = self.audit_rows(chain.seq, VERIFY_ROWS).await?;
            for row in &batch {
                let at: i64 = row.try_get("seq")?;
                if at > head.rows {
                    // Written since the head was read, or inserted behind it.
                    let now: i64 = sqlx::query_scalar("select seq from audit_head").fetch_one(&self.pool).await?;
                    let added = Touched { seq: at, touched: Touch::Added };
                    return Ok(if now < at { Err(added) } else { chain.verdict(head.rows, &head.sha256) });
                }
                if let Err(touched) = chain.step(row)? {
                    return Ok(Err(touched));
                }
            }
            if batch.is_empty() {
                return Ok(chain.verdict(head.rows, &head.sha256));
            }
        }
    }

    /// Deletes rows older than `kept`, never younger than [`AUDIT_KEPT_MIN`], and writes a tombstone for them.
    /// Returns how many. Rows that were tampered with stay, as evidence.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn retire_audit(&self, now: UnixMs, kept: Duration) -> Result<Result<i64, Touched>, StoreError> {
        let head = self.audit_head().await?;
        let Some(oldest) = self.audit_rows(head.retired, 1).await?.pop() else { return Ok(Ok(0)) };
        let oldest = UnixMs(oldest.try_get("at_ms")?);
        let before = now.minus(kept.max(AUDIT_KEPT_MIN)).min(oldest.plus(RETIRE_SPAN));
        let mut gone = 0;
        loop {
            match self.retire_some(before, now).await? {
                Ok(0) => return Ok(Ok(gone)),
                Ok(rows) => gone += rows,
                Err(touched) => return Ok(Err(touched)),
            }
        }
    }

    async fn retire_some(&self, before: UnixMs, now: UnixMs) -> Result<Result<i64, Touched>, StoreError> {
        let head = self.audit_head().await?;
        let mut chain = Chain::behind(head.retired);
        let mut last = UnixMs(0);
        'walk: while chain.seq < head.rows && chain.seq - head.retired < RETIRE_ROWS {
            let batch = self.audit_rows(chain.seq, VERIFY_ROWS).await?;
            for row in &batch {
                // A row from a clock that ran ahead blocks those behind it until its own retention is over.
                if row.try_get::<i64, _>("at_ms")? >= before.0 {
                    break 'walk;
                }
                match chain.step(row)? {
                    Ok(at) => last = last.max(at),
                    Err(touched) => return Ok(Err(touched)),
                }
            }
            if batch.is_empty() {
                break;
            }
        }
        let (rows, sha256) = (chain.seq, chain.before.unwrap_or_default());
        if rows == head.retired {
            return Ok(Ok(0));
        }
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update audit_head set retired_seq = ");
        sql.bind(rows).push(" where retired_seq = ").bind(head.retired);
        if sql.run(writing.on()).await? == 0 {
            return Ok(Ok(0)); // Retired concurrently.
        }
        let row = AuditRow::by_system(now, TOMBSTONE, tombstone_object(rows));
        append(writing.on(), &row.saying(format!("sha256={sha256} until_ms={}", last.0))).await?;
        let mut sql = Sql::new("delete from audit where seq <= ");
        sql.bind(rows).run(writing.on()).await?;
        writing.commit_unseen().await?;
        Ok(Ok(rows - head.retired))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Database,
        audit::AuditSearch,
        stores::{fresh_postgres_url, on_both},
    };
    use school::account::system_scope;

    async fn with_rows(database: &Database, rows: i64) -> Store {
        let store = Store::open(database).await.unwrap();
        for n in 0..rows {
            store.audit(&AuditRow::by_system(UnixMs(n), "start", format!("hub:{n}"))).await.unwrap();
        }
        store
    }

    /// Tampers as someone with the file or the database's password could.
    async fn touch(store: &Store, statements: &[&str]) {
        let untie = match store.dialect {
            crate::store::db::dialect::Dialect::Sqlite => {
                "drop trigger audit_is_never_changed; drop trigger audit_is_never_deleted"
            }
            crate::store::db::dialect::Dialect::Postgres => "drop trigger audit_is_never_changed on audit",
        };
        sqlx::raw_sql(untie).execute(&store.pool).await.unwrap();
        for statement in statements {
            sqlx::query(statement).execute(&store.pool).await.unwrap();
        }
    }

    on_both! {
        async fn a_line_of_the_audit_is_neither_changed_nor_deleted(database) {
            let store = with_rows(&database, 1).await;
            assert!(sqlx::query("update audit set actor = 'nobody'").execute(&store.pool).await.is_err());
            assert!(sqlx::query("delete from audit").execute(&store.pool).await.is_err());
            let lines = store.audit_lines(&system_scope::console(), &AuditSearch::default(), None, 9).await.unwrap();
            assert_eq!((lines.len(), lines[0].act.as_str(), lines[0].seq), (1, "start", 1));
        }

        async fn the_first_touched_row_is_named(database) {
            let store = with_rows(&database, 5).await;
            assert_eq!(store.verify_audit().await.unwrap().unwrap().rows, 5);
            touch(&store, &["update audit set object = 'hub:8' where seq = 3"]).await;
            assert_eq!(store.verify_audit().await.unwrap(), Err(Touched { seq: 3, touched: Touch::Changed }));
        }

        async fn a_row_taken_out_of_the_middle_or_the_end_is_missed(database) {
            let store = with_rows(&database, 5).await;
            touch(&store, &["delete from audit where seq = 5"]).await;
            assert_eq!(store.verify_audit().await.unwrap(), Err(Touched { seq: 5, touched: Touch::Missing }));
            touch_again(&store, "delete from audit where seq = 2").await;
            assert_eq!(store.verify_audit().await.unwrap(), Err(Touched { seq: 2, touched: Touch::Missing }));
        }

        async fn a_row_slipped_in_behind_the_end_is_noticed(database) {
            let store = with_rows(&database, 2).await;
            touch(&store, &["insert into audit select 3, 'x', at_ms, actor, beside, act, object, place, outcome, detail,
                             address, sha256, sha256 from audit where seq = 2"]).await;
            assert_eq!(store.verify_audit().await.unwrap(), Err(Touched { seq: 3, touched: Touch::Added }));
        }
    }

    /// Rows for `days` days, one per day, starting on day 1.
    async fn of_days(database: &Database, days: i64) -> Store {
        let store = Store::open(database).await.unwrap();
        for n in 1..=days {
            store.audit(&AuditRow::by_system(day(n), "start", format!("hub:{n}"))).await.unwrap();
        }
        store
    }

    fn day(n: i64) -> UnixMs {
        UnixMs(n * 86_400_000)
    }

    fn days(n: u64) -> Duration {
        Duration::from_secs(n * DAY_SECS)
    }

    on_both! {
        async fn rows_whose_time_is_over_are_taken_out_and_the_chain_says_so(database) {
            let store = of_days(&database, 8).await;
            assert_eq!(store.retire_audit(day(181), days(200)).await.unwrap(), Ok(0));
            assert_eq!(store.retire_audit(day(180), Duration::ZERO).await.unwrap(), Ok(0), "never before 180 days");
            // Day 4 stays: it is exactly 180 days old.
            assert_eq!(store.retire_audit(day(184), Duration::ZERO).await.unwrap(), Ok(2), "two days at once");
            assert_eq!(store.retire_audit(day(184), Duration::ZERO).await.unwrap(), Ok(1));
            assert_eq!(store.retire_audit(day(184), Duration::ZERO).await.unwrap(), Ok(0));
            let whole = store.verify_audit().await.unwrap().unwrap();
            assert_eq!((whole.rows, whole.retired), (10, Some(Retired { rows: 3, tombstone: 10 })));
            let lines = store.audit_lines(&system_scope::console(), &AuditSearch::default(), None, 20).await.unwrap();
            assert_eq!((lines.len(), lines[0].object.as_str(), lines[6].seq), (7, "audit:1-3", 4));
            // A clock that is years ahead deletes two days and no more.
            assert_eq!(store.retire_audit(day(9_000), Duration::ZERO).await.unwrap(), Ok(2));
            assert_eq!(store.verify_audit().await.unwrap().unwrap().retired, Some(Retired { rows: 5, tombstone: 11 }));
            assert!(sqlx::query("delete from audit where seq = 6").execute(&store.pool).await.is_err());
        }

        async fn whoever_takes_rows_out_without_a_tombstone_is_found_out(database) {
            let store = of_days(&database, 6).await;
            store.retire_audit(day(182), Duration::ZERO).await.unwrap().unwrap();
            touch(&store, &["delete from audit where seq <= 3", "update audit_head set retired_seq = 3"]).await;
            assert_eq!(store.verify_audit().await.unwrap(), Err(Touched { seq: 3, touched: Touch::Missing }));
        }

        async fn what_was_touched_stays_as_its_own_proof(database) {
            let store = of_days(&database, 6).await;
            touch(&store, &["update audit set object = 'hub:8' where seq = 2"]).await;
            let touched = Touched { seq: 2, touched: Touch::Changed };
            assert_eq!(store.retire_audit(day(183), Duration::ZERO).await.unwrap(), Err(touched));
            assert_eq!(store.verify_audit().await.unwrap(), Err(touched));
        }
    }

    async fn touch_again(store: &Store, statement: &str) {
        sqlx::query(statement).execute(&store.pool).await.unwrap();
    }
}
