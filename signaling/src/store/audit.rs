//! What was done and refused, by whom. Rows are only ever added, each chained to the one before by SHA-256.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::{AnyConnection, Row, any::AnyRow};

use super::{Sql, Store, StoreError, word};
use crate::domain::{
    id::AuditId,
    permission::{Reach, Scope},
    time::UnixMs,
    words::words,
};

words!(
    /// How an act went.
    Outcome {
        /// It was done.
        Done = "done",
        /// It was refused.
        Refused = "refused",
    }
);

/// One line, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// When.
    pub at: UnixMs,
    /// `person:<id>`, `classroom:<id>`, `guest`, `publisher` or `system`.
    pub actor: String,
    /// The assistant teacher who stands in the classroom that acts. Empty: nobody was named.
    pub beside: String,
    /// What: `sign_in`, `start_lesson`, `look_into_recording`.
    pub act: &'static str,
    /// What it was done to, as `lesson:<id>`.
    pub object: String,
    /// The path of the organisation that it belongs to. Empty: the hub itself.
    pub place: String,
    /// How it went.
    pub outcome: Outcome,
    /// What else there is to know, in a few words. Never a secret.
    pub detail: String,
    /// The network address it came from; empty for the system itself.
    pub address: String,
}

impl AuditRow {
    /// Something that `actor` did to `object`.
    #[must_use]
    pub fn done(at: UnixMs, actor: impl Into<String>, act: &'static str, object: impl Into<String>) -> Self {
        Self {
            at,
            actor: actor.into(),
            beside: String::new(),
            act,
            object: object.into(),
            place: String::new(),
            outcome: Outcome::Done,
            detail: String::new(),
            address: String::new(),
        }
    }

    /// Something that the hub did of itself.
    #[must_use]
    pub fn by_system(at: UnixMs, act: &'static str, object: String) -> Self {
        Self::done(at, "system", act, object)
    }

    /// It was refused.
    #[must_use]
    pub fn refused(mut self) -> Self {
        self.outcome = Outcome::Refused;
        self
    }

    /// From this network address.
    #[must_use]
    pub fn from(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// At the organisation with this path.
    #[must_use]
    pub fn at_place(mut self, path: impl Into<String>) -> Self {
        self.place = path.into();
        self
    }

    /// With a few words more, at most [`DETAIL_CHARACTERS_MAX`] of them kept.
    #[must_use]
    pub fn saying(mut self, detail: impl AsRef<str>) -> Self {
        self.detail = detail.as_ref().chars().take(DETAIL_CHARACTERS_MAX).collect();
        self
    }
}

/// A line is read by people, and there are many.
const DETAIL_CHARACTERS_MAX: usize = 500;

/// One line, as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `AuditRow`")]
pub struct AuditLine {
    /// Its number: 1, 2, 3 ….
    pub seq: i64,
    pub audit_id: AuditId,
    pub at: UnixMs,
    pub actor: String,
    pub beside: String,
    pub act: String,
    pub object: String,
    pub place: String,
    pub outcome: Outcome,
    pub detail: String,
    pub address: String,
    /// SHA-256 of the line before, in hex. Empty: it is the first.
    pub before_sha256: String,
    /// SHA-256 of this line and of the one before.
    pub sha256: String,
}

/// What lines are looked for. Whatever is empty, all have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `AuditRow`")]
pub struct AuditSearch {
    pub actor: Option<String>,
    pub act: Option<String>,
    pub object: Option<String>,
    pub outcome: Option<Outcome>,
    /// Not before.
    pub from: Option<UnixMs>,
    /// Before.
    pub until: Option<UnixMs>,
}

/// The whole chain holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many rows.
    pub rows: i64,
    /// SHA-256 of the last one. Written down elsewhere, it proves that nobody made the whole chain anew.
    pub sha256: String,
}

/// The first row that was touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit row {seq} {touched}")]
pub struct Touched {
    /// Its number.
    pub seq: i64,
    /// How one can tell.
    pub touched: Touch,
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Touch {
    /// It says something else than when it was written.
    #[error("was changed")]
    Changed,
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It stands behind the end of the chain.
    #[error("was added behind the end of the chain")]
    Added,
}

const SELECT_LINE: &str = "
    select seq, audit_id, at_ms, actor, beside, act, object, place, outcome, detail, address, before_sha256, sha256
    from audit where ";

/// Rows read at once while the chain is verified.
const VERIFY_ROWS: i64 = 2_000;

impl Store {
    /// Adds one line that stands alone. Changes write theirs in their own transaction.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn audit(&self, row: &AuditRow) -> Result<(), StoreError> {
        self.write().await?.commit(row).await
    }

    /// Adds lines that stand alone, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn audit_all(&self, rows: &[AuditRow]) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        for row in rows {
            append(writing.on(), row).await?;
        }
        writing.commit_unseen().await
    }

    /// Lines that are looked for, newest first, at most `limit`, with numbers below `below`.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn audit_lines(
        &self,
        scope: &Scope,
        search: &AuditSearch,
        below: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditLine>, StoreError> {
        let mut sql = Sql::new(SELECT_LINE);
        within(&mut sql, scope);
        if let Some(below) = below {
            sql.push(" and seq < ").bind(below);
        }
        let texts = [("actor", &search.actor), ("act", &search.act), ("object", &search.object)];
        for (column, wanted) in texts {
            if let Some(wanted) = wanted {
                sql.push(" and ").push(column).push(" = ").bind(wanted.as_str());
            }
        }
        if let Some(outcome) = search.outcome {
            sql.push(" and outcome = ").bind(outcome.as_str());
        }
        if let Some(from) = search.from {
            sql.push(" and at_ms >= ").bind(from.0);
        }
        if let Some(until) = search.until {
            sql.push(" and at_ms < ").bind(until.0);
        }
        sql.push(" order by seq desc limit ").bind(i64::from(limit));
        sql.all(&self.pool).await?.iter().map(line_from).collect()
    }

    /// Reads the whole chain and says which row was touched first, if any.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn verify_audit(&self) -> Result<Result<Verified, Touched>, StoreError> {
        let head = sqlx::query("select seq, sha256 from audit_head").fetch_one(&self.pool).await?;
        let (rows, end): (i64, String) = (head.try_get("seq")?, head.try_get("sha256")?);
        let (mut seq, mut before) = (0, String::new());
        loop {
            let mut sql = Sql::new(SELECT_LINE);
            sql.push("seq > ").bind(seq).push(" order by seq limit ").bind(VERIFY_ROWS);
            let batch = sql.all(&self.pool).await?;
            for row in &batch {
                let touched = |touched| Ok(Err(Touched { seq: seq + 1, touched }));
                let at: i64 = row.try_get("seq")?;
                if at > rows {
                    // Written since the head was read, or slipped in behind it.
                    return self.verify_behind(seq, before, rows, &end, at).await;
                }
                if at != seq + 1 {
                    return touched(Touch::Missing);
                }
                // A touched row may hold what is no word of ours, or no text at all.
                match line_from(row) {
                    Ok(line) if line.before_sha256 == before && line.sha256 == line.hash() => before = line.sha256,
                    _ => return touched(Touch::Changed),
                }
                seq += 1;
            }
            if batch.is_empty() {
                return Ok(verdict(seq, before, rows, &end));
            }
        }
    }

    async fn verify_behind(
        &self,
        seq: i64,
        before: String,
        rows: i64,
        end: &str,
        extra: i64,
    ) -> Result<Result<Verified, Touched>, StoreError> {
        let now: i64 = sqlx::query_scalar("select seq from audit_head").fetch_one(&self.pool).await?;
        if now < extra {
            return Ok(Err(Touched { seq: extra, touched: Touch::Added }));
        }
        Ok(verdict(seq, before, rows, end))
    }

    /// Takes the rows of the first version, which had no chain, into it.
    pub(super) async fn chain_the_unchained(&self) -> Result<(), StoreError> {
        const COUNT: &str = "select count(*) from audit_unchained";
        if sqlx::query_scalar::<_, i64>(COUNT).fetch_one(&self.pool).await? == 0 {
            return Ok(());
        }
        let mut writing = self.write().await?;
        let rows = sqlx::query(
            "select audit_id, at_ms, actor, act, object, outcome, address from audit_unchained order by audit_id",
        )
        .fetch_all(writing.on())
        .await?;
        for row in rows {
            let line = AuditLine {
                seq: 0,
                audit_id: word(&row, "audit_id")?,
                at: UnixMs(row.try_get("at_ms")?),
                actor: row.try_get("actor")?,
                beside: String::new(),
                act: row.try_get("act")?,
                object: row.try_get("object")?,
                place: String::new(),
                outcome: word(&row, "outcome")?,
                detail: String::new(),
                address: row.try_get("address")?,
                before_sha256: String::new(),
                sha256: String::new(),
            };
            append_line(writing.on(), line).await?;
        }
        sqlx::query("delete from audit_unchained").execute(writing.on()).await?;
        writing.commit_unseen().await
    }
}

/// What ends where the chain's head says it ends.
fn verdict(seq: i64, before: String, rows: i64, end: &str) -> Result<Verified, Touched> {
    match seq {
        _ if seq < rows => Err(Touched { seq: seq + 1, touched: Touch::Missing }),
        _ if before != end => Err(Touched { seq, touched: Touch::Changed }),
        _ => Ok(Verified { rows, sha256: before }),
    }
}

/// The hub's own lines belong to whoever reads the audit of a top of the tree.
fn within(sql: &mut Sql, scope: &Scope) {
    sql.push("(").within(scope, "place");
    if let Reach::Some { below, .. } = scope.reach()
        && below.iter().any(|path| path.matches('/').count() == 2)
    {
        sql.push(" or place = ''");
    }
    sql.push(")");
}

/// Adds a line to the chain. It comes last in its transaction: whoever has the head holds up all other writers.
pub(super) async fn append(on: &mut AnyConnection, row: &AuditRow) -> Result<(), StoreError> {
    let line = AuditLine {
        seq: 0,
        audit_id: AuditId::fresh(),
        at: row.at,
        actor: row.actor.clone(),
        beside: row.beside.clone(),
        act: row.act.to_owned(),
        object: row.object.clone(),
        place: row.place.clone(),
        outcome: row.outcome,
        // PostgreSQL keeps no NUL.
        detail: row.detail.replace('\0', ""),
        address: row.address.clone(),
        before_sha256: String::new(),
        sha256: String::new(),
    };
    append_line(on, line).await
}

async fn append_line(on: &mut AnyConnection, mut line: AuditLine) -> Result<(), StoreError> {
    let head = sqlx::query("update audit_head set seq = seq + 1 returning seq, sha256").fetch_one(&mut *on).await?;
    line.seq = head.try_get("seq")?;
    line.before_sha256 = head.try_get("sha256")?;
    line.sha256 = line.hash();
    sqlx::query(
        "insert into audit (seq, audit_id, at_ms, actor, beside, act, object, place, outcome, detail, address,
                            before_sha256, sha256)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(line.seq)
    .bind(line.audit_id.to_string())
    .bind(line.at.0)
    .bind(&line.actor)
    .bind(&line.beside)
    .bind(&line.act)
    .bind(&line.object)
    .bind(&line.place)
    .bind(line.outcome.as_str())
    .bind(&line.detail)
    .bind(&line.address)
    .bind(&line.before_sha256)
    .bind(&line.sha256)
    .execute(&mut *on)
    .await?;
    sqlx::query("update audit_head set sha256 = $1").bind(&line.sha256).execute(on).await?;
    Ok(())
}

impl AuditLine {
    /// SHA-256 of every field but itself, in an order and form that never changes: a JSON list.
    fn hash(&self) -> String {
        let fields = serde_json::to_vec(&(
            &self.before_sha256,
            self.seq,
            self.audit_id,
            self.at,
            (&self.actor, &self.beside, &self.act, &self.object, &self.place),
            (self.outcome, &self.detail, &self.address),
        ));
        // Plain texts and numbers always have a JSON form.
        let bytes = fields.unwrap_or_default();
        digest(&SHA256, &bytes).as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

fn line_from(row: &AnyRow) -> Result<AuditLine, StoreError> {
    Ok(AuditLine {
        seq: row.try_get("seq")?,
        audit_id: word(row, "audit_id")?,
        at: UnixMs(row.try_get("at_ms")?),
        actor: row.try_get("actor")?,
        beside: row.try_get("beside")?,
        act: row.try_get("act")?,
        object: row.try_get("object")?,
        place: row.try_get("place")?,
        outcome: word(row, "outcome")?,
        detail: row.try_get("detail")?,
        address: row.try_get("address")?,
        before_sha256: row.try_get("before_sha256")?,
        sha256: row.try_get("sha256")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::{
            Database,
            stores::{fresh_postgres_url, on_both},
        },
        system_scope,
    };

    async fn with_rows(database: &Database, rows: i64) -> Store {
        let store = Store::open(database).await.unwrap();
        for n in 0..rows {
            store.audit(&AuditRow::by_system(UnixMs(n), "start", format!("hub:{n}"))).await.unwrap();
        }
        store
    }

    /// As somebody would who has the file or the database's password.
    async fn touch(store: &Store, statements: &[&str]) {
        let untie = match store.dialect {
            crate::store::Dialect::Sqlite => "drop trigger audit_is_never_changed; drop trigger audit_is_never_deleted",
            crate::store::Dialect::Postgres => "drop trigger audit_is_never_changed on audit",
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

    async fn touch_again(store: &Store, statement: &str) {
        sqlx::query(statement).execute(&store.pool).await.unwrap();
    }
}
