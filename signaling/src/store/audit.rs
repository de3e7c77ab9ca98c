//! Audit rows: acts done and refused, with their actor. Append-only, each chained to the previous one by SHA-256.

pub mod chain;
pub(crate) mod name;
pub(crate) mod writing;

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::{AnyConnection, Row, any::AnyRow};

use super::{Sql, Store, StoreError, word};
use school::{
    account::permission::{Reach, Scope},
    base::{id::AuditId, time::UnixMs, words::words},
};

words!(
    /// Result of an act.
    Outcome {
        /// Done.
        Done = "done",
        /// Refused.
        Refused = "refused",
    }
);

/// An audit row to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Time of the act.
    pub at: UnixMs,
    /// `person:<id>`, `classroom:<id>`, `guest`, `publisher` or `system`.
    pub actor: String,
    /// The assistant teacher present in the acting classroom. Empty: none was named.
    pub beside: String,
    /// Act: `sign_in`, `start_lesson`, `look_into_recording`.
    pub act: &'static str,
    /// Object of the act, as `lesson:<id>`.
    pub object: String,
    /// Path of the organisation that the object belongs to. Empty: the hub itself.
    pub place: String,
    /// Result.
    pub outcome: Outcome,
    /// Short further detail. Never a secret.
    pub detail: String,
    /// Network address of the request; empty for the system itself.
    pub address: String,
}

impl AuditRow {
    /// An act of `actor` on `object`.
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

    /// An act of the hub itself.
    #[must_use]
    pub fn by_system(at: UnixMs, act: &'static str, object: String) -> Self {
        Self::done(at, "system", act, object)
    }

    /// Marks it as refused.
    #[must_use]
    pub fn refused(mut self) -> Self {
        self.outcome = Outcome::Refused;
        self
    }

    /// Sets the network address.
    #[must_use]
    pub fn from(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Sets the path of the organisation.
    #[must_use]
    pub fn at_place(mut self, path: impl Into<String>) -> Self {
        self.place = path.into();
        self
    }

    /// Sets the detail, cut to [`DETAIL_CHARACTERS_MAX`].
    #[must_use]
    pub fn saying(mut self, detail: impl AsRef<str>) -> Self {
        self.detail = detail.as_ref().chars().take(DETAIL_CHARACTERS_MAX).collect();
        self
    }
}

/// Maximum length of a row's detail: people read these rows, and there are many.
const DETAIL_CHARACTERS_MAX: usize = 500;

/// A stored audit row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `AuditRow`")]
pub struct AuditLine {
    /// Sequence number from 1.
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
    /// SHA-256 of the previous row, in hex. Empty: this is the first.
    pub before_sha256: String,
    /// SHA-256 of this row and the previous one.
    pub sha256: String,
}

/// Filter for audit rows. An empty field matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `AuditRow`")]
pub struct AuditSearch {
    pub actor: Option<String>,
    pub act: Option<String>,
    pub object: Option<String>,
    pub outcome: Option<Outcome>,
    /// Earliest time, inclusive.
    pub from: Option<UnixMs>,
    /// Latest time, exclusive.
    pub until: Option<UnixMs>,
}

pub(super) const SELECT_LINE: &str = "
    select seq, audit_id, at_ms, actor, beside, act, object, place, outcome, detail, address, before_sha256, sha256
    from audit where ";

impl Store {
    /// Adds one row in a transaction of its own. Changes write their row in their own transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn audit(&self, row: &AuditRow) -> Result<(), StoreError> {
        self.write().await?.commit(row).await
    }

    /// Adds rows in one transaction of their own.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn audit_all(&self, rows: &[AuditRow]) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        for row in rows {
            append(writing.on(), row).await?;
        }
        writing.commit_unseen().await
    }

    /// Matching rows, newest first, at most `limit`, with numbers below `below`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
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

    /// Adds the rows of the first version, which had no chain, to the chain.
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

/// The hub's own rows are visible to those whose scope includes a top of the tree.
fn within(sql: &mut Sql, scope: &Scope) {
    sql.push("(").within(scope, "place");
    if let Reach::Some { below, .. } = scope.reach()
        && below.iter().any(|path| path.matches('/').count() == 2)
    {
        sql.push(" or place = ''");
    }
    sql.push(")");
}

/// Appends a row to the chain. Last in its transaction: holding the head blocks all other writers.
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
        // PostgreSQL text cannot hold NUL.
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
    /// SHA-256 of every field but itself, as a JSON list whose order and format never change.
    pub(super) fn hash(&self) -> String {
        let fields = serde_json::to_vec(&(
            &self.before_sha256,
            self.seq,
            self.audit_id,
            self.at,
            (&self.actor, &self.beside, &self.act, &self.object, &self.place),
            (self.outcome, &self.detail, &self.address),
        ));
        // Strings and numbers always serialise to JSON.
        let bytes = fields.unwrap_or_default();
        digest(&SHA256, &bytes).as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

pub(super) fn line_from(row: &AnyRow) -> Result<AuditLine, StoreError> {
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
