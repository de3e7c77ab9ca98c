//! What is kept, in SQL by noun. The statements run on SQLite and PostgreSQL alike; what the two do differently stands
//! in [`dialect`]. Whatever touches school data takes a [`Scope`](school::account::permission::Scope).

pub mod account;
pub mod audit;
pub mod db;
mod dispatch;
mod lesson;
pub mod library;
mod organisation;
pub mod report;
pub mod retention;
mod timetable;

use std::{path::Path, str::FromStr, sync::Arc};

use sqlx::{
    Any, AnyConnection, AnyPool, Row, Transaction,
    any::AnyRow,
    error::{DatabaseError, ErrorKind},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use crate::store::account::session::{LinkPurpose, NewSession, Session};
use crate::store::db::dialect::{Dialect, WAIT_MAX};
pub(crate) use crate::store::db::sql::Sql;
pub use crate::store::dispatch::readiness::{Heard, Waiver};
pub use crate::store::organisation::stage_consent::StageConsent;
pub use crate::store::report::presence::{Minute, NewHeadCount};
pub use crate::store::timetable::calendar::Kept;
pub use crate::store::timetable::calendar_edit::{EditError, Standing, StandsOn};
pub use crate::store::timetable::pairing::AgreementError;
pub use audit::{AuditRow, Outcome};
pub use dispatch::{Change, NewLesson, ScheduleError};
pub use lesson::LessonCursor;
pub use organisation::Seed;
pub use timetable::{GRID_MAX, GridDay, GridLesson, GridListening, GridOf};

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    dialect: Dialect,
    url: String,
}

impl std::fmt::Debug for Database {
    /// Without the password that may stand in the URL.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = match self.url.rsplit_once('@') {
            Some((_, place)) => format!("{:?}://…@{place}", self.dialect),
            None => self.url.clone(),
        };
        f.write_str(&shown)
    }
}

/// The URL names no database that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a database is sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME")]
pub struct NotADatabase;

impl Database {
    /// An SQLite file, made where it is missing.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self { dialect: Dialect::Sqlite, url: Dialect::url_of_file(path) }
    }

    /// The file, where it is one that [`Database::file`] names.
    #[must_use]
    pub fn is_a_file(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    fn url(&self) -> &str {
        &self.url
    }
}

impl FromStr for Database {
    type Err = NotADatabase;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match Dialect::of(url).ok_or(NotADatabase)? {
            Dialect::Sqlite => {
                let file = url.trim_start_matches("sqlite:").trim_start_matches("//");
                let file = file.split('?').next().unwrap_or_default();
                if file.is_empty() { Err(NotADatabase) } else { Ok(Self::file(Path::new(file))) }
            }
            Dialect::Postgres => Ok(Self { dialect: Dialect::Postgres, url: url.to_owned() }),
        }
    }
}

/// The database of one hub. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    dialect: Dialect,
    /// SQLite's one writer. Its own way of waiting is to try again and again, and the last may wait longest.
    writer: Arc<Semaphore>,
}

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or is not there.
    #[error("the database refused")]
    Database(#[source] sqlx::Error),
    /// The tables cannot be brought to this version.
    #[error("the tables cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A newer version has been here.
    #[error("the tables are of a newer version ({newest}) than this program ({known}): use the newer program")]
    Newer {
        /// Of the tables.
        newest: i64,
        /// Of this program.
        known: i64,
    },
    /// A rule of the tables forbids it: the name of the constraint, or on SQLite the columns that must differ.
    #[error("the database holds to `{rule}`")]
    Rule {
        /// Which.
        rule: String,
        /// What it is about.
        kind: RuleKind,
    },
    /// Nobody may be two of system, security and audit administrator (三权分立).
    #[error("nobody may hold two of the three separated powers")]
    SeparatedPowers,
    /// Others have been writing for longer than anybody should wait.
    #[error("the store is busy")]
    Busy,
    /// A row holds a word that this version does not know.
    #[error("{column} holds `{value}`, which this version does not know")]
    UnknownWord {
        /// Where.
        column: &'static str,
        /// What.
        value: String,
    },
}

/// What a rule of the tables is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// Something must differ from all others.
    Unique,
    /// Something must be there.
    Reference,
    /// Something must be so.
    Check,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let ruled = error.as_database_error().and_then(|refused| {
            // Neither store has a kind of its own for this one.
            if refused.constraint() == Some(booking::ONE_AT_A_TIME) || refused.message() == booking::ONE_AT_A_TIME {
                return Some(Self::Rule { rule: booking::ONE_AT_A_TIME.to_owned(), kind: RuleKind::Unique });
            }
            let kind = match refused.kind() {
                ErrorKind::UniqueViolation => RuleKind::Unique,
                ErrorKind::ForeignKeyViolation => RuleKind::Reference,
                ErrorKind::CheckViolation | ErrorKind::NotNullViolation => RuleKind::Check,
                _ => return None,
            };
            Some(Self::Rule { rule: rule_of(refused), kind })
        });
        match ruled {
            Some(ruled) => ruled,
            None if matches!(error, sqlx::Error::PoolTimedOut) => Self::Busy,
            None => Self::Database(error),
        }
    }
}

/// PostgreSQL says the constraint's name; SQLite says `UNIQUE constraint failed: table.column, …`, or a check's name.
fn rule_of(refused: &dyn DatabaseError) -> String {
    let said = || refused.message().rsplit_once("failed: ").map(|(_, rule)| rule.to_owned());
    refused.constraint().map(str::to_owned).or_else(said).unwrap_or_default()
}

impl StoreError {
    /// Whether it is this unique rule: by its name, or by the columns with their table's name in front.
    #[must_use]
    pub fn is_unique(&self, name: &str, columns: &str) -> bool {
        matches!(self, Self::Rule { rule, kind: RuleKind::Unique } if rule == name || rule == columns)
    }
}

impl Store {
    /// Opens the database, makes an SQLite file where it is missing, and brings the tables up to date.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be opened or the tables not be brought up to date.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let dialect = database.dialect;
        let writers = match dialect {
            Dialect::Sqlite => 1,
            Dialect::Postgres => Semaphore::MAX_PERMITS,
        };
        let pool = dialect.connect(database).await?;
        let store = Self { pool, dialect, writer: Arc::new(Semaphore::new(writers)) };
        store.chain_the_unchained().await?;
        Ok(store)
    }

    /// Waits for running statements and closes the database.
    pub async fn close(&self) {
        if let Some(farewell) = self.dialect.farewell()
            && let Err(error) = sqlx::query(farewell).execute(&self.pool).await
        {
            tracing::debug!(%error, "The write-ahead log stays beside the file");
        }
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
        audit::append(&mut self.transaction, row).await?;
        Ok(self.transaction.commit().await?)
    }

    /// Keeps what nobody did: housekeeping, and what is told elsewhere.
    pub(crate) async fn commit_unseen(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
}

/// Reads a text column that holds an id or a known word.
pub(crate) fn word<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    let value: String = row.try_get(column)?;
    value.parse().map_err(|_| StoreError::UnknownWord { column, value })
}

/// Reads a text column that may be null.
pub(crate) fn word_or_null<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<Option<T>, StoreError> {
    let value: Option<String> = row.try_get(column)?;
    value.map(|value| value.parse().map_err(|_| StoreError::UnknownWord { column, value })).transpose()
}

#[cfg(test)]
#[path = "../../tests/it/fixtures/stores.rs"]
pub(crate) mod stores;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::stores::{fresh_postgres_url, on_both};

    on_both! {
        async fn opening_twice_changes_nothing(database) {
            let store = Store::open(&database).await.unwrap();
            store.close().await;
            let again = Store::open(&database).await.unwrap();
            again.ping().await.unwrap();
            assert!(again.is_empty().await.unwrap());
        }

        async fn tables_of_a_newer_version_are_left_alone(database) {
            let store = Store::open(&database).await.unwrap();
            sqlx::query("update _sqlx_migrations set version = 9999 where version = 3").execute(&store.pool).await.unwrap();
            store.close().await;
            let error = Store::open(&database).await.unwrap_err();
            assert!(matches!(error, StoreError::Migrate(_) | StoreError::Newer { newest: 9999, .. }), "{error:?}");
        }

        async fn a_hundred_writers_at_once_all_get_their_turn(database) {
            let store = Store::open(&database).await.unwrap();
            let mut writers = tokio::task::JoinSet::new();
            for n in 0..100_i64 {
                let store = store.clone();
                writers.spawn(async move {
                    let row = AuditRow::by_system(school::base::time::UnixMs(n), "start", "hub".into());
                    store.write().await?.commit(&row).await
                });
            }
            while let Some(done) = writers.join_next().await {
                done.unwrap().unwrap();
            }
            assert_eq!(store.verify_audit().await.unwrap().unwrap().rows, 100);
        }
    }

    #[test]
    fn a_database_is_told_by_its_url_and_its_password_is_not_shown() {
        let database: Database = "postgres://tongke:geheim@db/tongke".parse().unwrap();
        assert!(!format!("{database:?}").contains("geheim"));
        assert!("sqlite:/data/x.sqlite".parse::<Database>().unwrap().is_a_file());
        for nothing in ["", "mysql://x/y", "sqlite:", "/data/x.sqlite"] {
            assert_eq!(nothing.parse::<Database>(), Err(NotADatabase), "{nothing}");
        }
    }
}
