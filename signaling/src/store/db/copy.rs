//! Copies the whole database to JSON lines and back. One format for both dialects: a copy of one opens in the other.
//!
//! The first line has the format and the schema version; then each table's name and columns, followed by its
//! rows; the last line has the number of lines and the SHA-256 of them all.

use std::{fmt::Write as _, io};

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Column, Row, TypeInfo, ValueRef, any::AnyRow};

use crate::store::{Sql, Store, StoreError};

/// Every table, referenced tables before those that refer to them, with the order of its rows where that matters.
pub(crate) const TABLES: &[(&str, &str)] = &[
    ("organisation", "length(path)"),
    ("organisation_code", "code"),
    ("classroom", "classroom_id"),
    ("school_class", "class_id"),
    ("person", "person_id"),
    ("role_grant", "role_grant_id"),
    ("separated_power", "person_id"),
    ("password", "person_id"),
    ("password_before", "person_id"),
    ("sign_in_failure", "sign_in_name"),
    ("second_factor", "person_id"),
    ("device", "device_id"),
    ("enrolment", "enrolment_id"),
    ("school_zone", "organisation_id"),
    ("stage_consent", "organisation_id"),
    ("school_year", "school_year_id"),
    ("term", "term_id"),
    ("special_day", "special_day_id"),
    ("bell_schedule", "bell_schedule_id"),
    ("bell_period", "bell_schedule_id"),
    ("rule_set", "organisation_id"),
    ("course", "course_id"),
    ("course_period", "course_id"),
    ("course_listening", "course_id"),
    ("pairing", "pairing_id"),
    ("pairing_class", "pairing_id"),
    ("listening_right", "listening_right_id"),
    ("lesson", "lesson_id"),
    ("lesson_classroom", "lesson_id"),
    ("lesson_transition", "lesson_id"),
    ("lesson_waiver", "lesson_id"),
    ("booking", "lesson_id"),
    ("booking_turn", "resource"),
    ("seat", "seat_id"),
    ("session", "session_id"),
    ("sign_in_link", "link_sha256"),
    ("recording", "recording_id"),
    ("presence_minute", "lesson_id, end_name, from_ms"),
    ("head_count", "head_count_id"),
    ("lesson_report", "lesson_id"),
    ("attendance", "lesson_id, end_name"),
    ("library_entry", "recording_id"),
    ("recording_point", "recording_id, point"),
    ("recording_mark", "recording_mark_id"),
    ("clip", "clip_id"),
    ("recording_comment", "recording_comment_id"),
    ("rubric", "rubric_id, revision"),
    ("review", "review_id"),
    ("share", "share_id"),
    ("share_view", "view_sha256"),
    ("lesson_source", "lesson_id"),
    ("kept_recording", "recording_id"),
    ("retention_policy", "organisation_id"),
    ("storage_quota", "organisation_id"),
    ("retention_run", "one"),
    ("recording_checkpoint", "recording_id, records"),
    ("idempotency", "holder"),
    ("audit", "seq"),
    ("audit_head", "one"),
];

/// Tables that are empty, or that belong to sqlx.
#[cfg(test)]
const NOT_COPIED: &[&str] = &["audit_unchained", "_sqlx_migrations"];

const FORM: &str = "tongke-copy-1";

/// Why a copy cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error("the copy cannot be read or written")]
    File(#[from] io::Error),
    /// The file is not a copy, or is incomplete.
    #[error("line {line} of the copy: {why}")]
    NotACopy {
        /// Line number, from 1.
        line: u64,
        /// Reason.
        why: String,
    },
    /// The database is not empty.
    #[error("the database is not empty: a copy is only read into an empty one")]
    NotEmpty,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Begin { form: String, tables_version: i64 },
    Table { name: String, columns: Vec<String> },
    Row(Vec<Value>),
    End { lines: u64, sha256: String },
}

impl Store {
    /// Writes a consistent snapshot of everything; writers are not blocked. Returns the number of lines.
    ///
    /// # Errors
    /// [`CopyError`].
    pub async fn copy_out(&self, to: &mut (impl io::Write + Send)) -> Result<u64, CopyError> {
        let mut out = Out { to, hash: Context::new(&SHA256), lines: 0 };
        let mut reading = self.pool.begin_with(self.dialect.begin_reading()).await.map_err(StoreError::from)?;
        let tables_version = self.tables_version().await?;
        out.line(&Line::Begin { form: FORM.into(), tables_version })?;
        for (table, order) in TABLES {
            let statement = format!("select * from {table} order by {order}");
            let mut rows = sqlx::query(&statement).fetch(&mut *reading);
            let mut named = false;
            while let Some(row) = rows.try_next().await.map_err(StoreError::from)? {
                if !named {
                    let columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
                    out.line(&Line::Table { name: (*table).into(), columns })?;
                    named = true;
                }
                out.line(&Line::Row(values(&row)?))?;
            }
        }
        out.end()
    }

    async fn tables_version(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&self.pool).await?)
    }

    /// Restores a copy into this empty store, in one transaction.
    ///
    /// # Errors
    /// [`CopyError`].
    pub async fn copy_in(&self, from: impl io::BufRead + Send) -> Result<u64, CopyError> {
        let version = self.tables_version().await?;
        let mut writing = self.write().await?;
        for table in ["organisation", "audit"] {
            let count = format!("select count(*) from {table}");
            let rows: i64 = sqlx::query_scalar(&count).fetch_one(writing.on()).await.map_err(StoreError::from)?;
            if rows > 0 {
                return Err(CopyError::NotEmpty);
            }
        }
        sqlx::query("delete from audit_head").execute(writing.on()).await.map_err(StoreError::from)?;
        let (mut hash, mut line, mut table) = (Context::new(&SHA256), 0_u64, None);
        for text in from.lines() {
            let text = text?;
            line += 1;
            let bad = |why: &str| CopyError::NotACopy { line, why: why.into() };
            let read: Line = serde_json::from_str(&text).map_err(|error| bad(&error.to_string()))?;
            match read {
                Line::End { lines, sha256 } => {
                    if lines != line - 1 || sha256 != hex(hash) {
                        return Err(bad("it was changed, or is not whole"));
                    }
                    writing.commit_unseen().await?;
                    return Ok(lines);
                }
                Line::Begin { form, tables_version } => {
                    if line != 1 || form != FORM {
                        return Err(bad("it is no copy that this program knows"));
                    }
                    if tables_version != version {
                        return Err(bad("it is of another version of the tables"));
                    }
                }
                Line::Table { name, columns } => {
                    let known = TABLES.iter().any(|(table, _)| *table == name);
                    let plain = |text: &str| {
                        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
                    };
                    if line == 1 || !known || !columns.iter().all(|column| plain(column)) {
                        return Err(bad("there is no such table"));
                    }
                    table = Some(format!("insert into {name} ({}) values ", columns.join(", ")));
                }
                Line::Row(values) => {
                    let mut sql = Sql::new(table.clone().ok_or_else(|| bad("a row of no table"))?);
                    sql.list(values.into_iter().map(super::sql::Value::from));
                    sql.run(writing.on()).await?;
                }
            }
            hash.update(text.as_bytes());
            hash.update(b"\n");
        }
        Err(CopyError::NotACopy { line, why: "its end is missing".into() })
    }
}

struct Out<'a, W> {
    to: &'a mut W,
    hash: Context,
    lines: u64,
}

impl<W: io::Write> Out<'_, W> {
    fn line(&mut self, line: &Line) -> Result<(), CopyError> {
        // Strings and numbers always serialise to JSON.
        let mut text = serde_json::to_string(line).unwrap_or_default();
        text.push('\n');
        self.hash.update(text.as_bytes());
        self.lines += 1;
        Ok(self.to.write_all(text.as_bytes())?)
    }

    fn end(self) -> Result<u64, CopyError> {
        let end = Line::End { lines: self.lines, sha256: hex(self.hash) };
        let text = serde_json::to_string(&end).unwrap_or_default();
        self.to.write_all(text.as_bytes())?;
        self.to.write_all(b"\n")?;
        Ok(self.lines)
    }
}

fn hex(hash: Context) -> String {
    hash.finish().as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn values(row: &AnyRow) -> Result<Vec<Value>, StoreError> {
    let read = |at: usize| {
        let raw = row.try_get_raw(at)?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        match raw.type_info().name() {
            "TEXT" => Ok(Value::String(row.try_get(at)?)),
            "DOUBLE" | "REAL" => Ok(row.try_get::<f64, _>(at)?.into()),
            _ => Ok(row.try_get::<i64, _>(at)?.into()),
        }
    };
    (0..row.len()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        AuditRow, Database,
        stores::{fresh_postgres_url, on_both},
    };
    use school::base::time::UnixMs;

    async fn tables(store: &Store) -> Vec<String> {
        let sql = match store.dialect {
            crate::store::db::dialect::Dialect::Sqlite => {
                "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
            }
            crate::store::db::dialect::Dialect::Postgres => {
                "select tablename::text as name from pg_tables where schemaname = 'public'"
            }
        };
        sqlx::query_scalar(sql).fetch_all(&store.pool).await.unwrap()
    }

    async fn filled(database: &Database, rows: i64) -> Store {
        let store = Store::open(database).await.unwrap();
        crate::store::account::session::tests::with_a(school::organisation::Role::Patrol, &store).await;
        for n in 0..rows {
            store.audit(&AuditRow::by_system(UnixMs(n), "start", "hub".into())).await.unwrap();
        }
        store
    }

    on_both! {
        async fn no_table_is_forgotten(database) {
            let store = Store::open(&database).await.unwrap();
            for table in tables(&store).await {
                let copied = TABLES.iter().any(|(name, _)| *name == table);
                assert!(copied || NOT_COPIED.contains(&table.as_str()), "{table} is in no copy");
            }
        }

        async fn a_copy_made_while_others_write_opens_in_the_other_store_and_its_audit_holds(database) {
            let store = filled(&database, 3).await;
            let writer = store.clone();
            let writing = tokio::spawn(async move {
                for n in 0..200 {
                    writer.audit(&AuditRow::by_system(UnixMs(n), "write", "hub".into())).await.unwrap();
                }
            });
            let mut copy = Vec::new();
            let lines = store.copy_out(&mut copy).await.unwrap();
            writing.await.unwrap();

            let folder = tempfile::tempdir().unwrap();
            let other: Database = if database.is_a_file() {
                fresh_postgres_url().parse().unwrap()
            } else {
                Database::file(&folder.path().join("x.sqlite"))
            };
            let other = Store::open(&other).await.unwrap();
            assert_eq!(other.copy_in(copy.as_slice()).await.unwrap(), lines);
            assert!(other.verify_audit().await.unwrap().unwrap().rows >= 4);
            assert!(!other.is_empty().await.unwrap());
            let mut again = Vec::new();
            other.copy_out(&mut again).await.unwrap();
            assert!(again == copy, "a copy of a copy is the same");
            assert!(matches!(other.copy_in(copy.as_slice()).await, Err(CopyError::NotEmpty)));
        }

        async fn a_copy_with_one_byte_changed_or_its_end_missing_changes_nothing(database) {
            let folder = tempfile::tempdir().unwrap();
            let source = filled(&Database::file(&folder.path().join("x.sqlite")), 3).await;
            let mut copy = Vec::new();
            source.copy_out(&mut copy).await.unwrap();
            let store = Store::open(&database).await.unwrap();
            let text = String::from_utf8(copy).unwrap();
            let torn = &text[..text.len() / 2];
            let torn = &torn[..=torn.rfind('\n').unwrap()];
            for broken in [text.replacen("汉滨", "汉宾", 1), torn.to_owned(), String::new(), "{}\n".to_owned()] {
                let error = store.copy_in(broken.as_bytes()).await.unwrap_err();
                assert!(matches!(error, CopyError::NotACopy { .. }), "{error:?}");
                assert!(store.is_empty().await.unwrap());
            }
            store.copy_in(text.as_bytes()).await.unwrap();
        }
    }
}
