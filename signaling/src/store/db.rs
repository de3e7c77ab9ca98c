//! The database: connections, the two dialects, statements put together from parts, columns, and the whole of it as lines
//! of JSON. Knows no table but those of the migrations.

pub mod again;
pub mod column;
pub mod copy;
pub(crate) mod dialect;
pub mod edit;
pub mod list;
pub(crate) mod sql;

use std::{path::Path, str::FromStr, sync::Arc};

use sqlx::{
    AnyPool,
    error::{DatabaseError, ErrorKind},
};
use tokio::sync::Semaphore;

use dialect::Dialect;

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
    pub(in crate::store) pool: AnyPool,
    pub(in crate::store) dialect: Dialect,
    /// SQLite's one writer. Its own way of waiting is to try again and again, and the last may wait longest.
    pub(in crate::store) writer: Arc<Semaphore>,
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
            if let Some(rule) = exclusion_of(refused) {
                return Some(Self::Rule { rule, kind: RuleKind::Unique });
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

/// The name of an exclusion constraint, for which sqlx has no kind. SQLite has no such constraint: a trigger raises its
/// bare name, which no other message looks like.
fn exclusion_of(refused: &dyn DatabaseError) -> Option<String> {
    let name = refused.constraint().unwrap_or(refused.message());
    let is_bare_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (matches!(refused.kind(), ErrorKind::Other) && is_bare_name).then(|| name.to_owned())
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
    /// Connects, and brings the tables up to date.
    pub(crate) async fn connect(database: &Database) -> Result<Self, StoreError> {
        let dialect = database.dialect;
        let writers = match dialect {
            Dialect::Sqlite => 1,
            Dialect::Postgres => Semaphore::MAX_PERMITS,
        };
        let pool = dialect.connect(database).await?;
        Ok(Self { pool, dialect, writer: Arc::new(Semaphore::new(writers)) })
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
}
