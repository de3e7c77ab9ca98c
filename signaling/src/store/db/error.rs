//! Store errors, and which table rule a refused statement violated.

use sqlx::error::{DatabaseError, ErrorKind};

/// Error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed or is unreachable.
    #[error("the database refused")]
    Database(#[source] sqlx::Error),
    /// The migrations failed.
    #[error("the tables cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The tables were migrated by a newer version.
    #[error("the tables are of a newer version ({newest}) than this program ({known}): use the newer program")]
    Newer {
        /// Version of the tables.
        newest: i64,
        /// Newest version that this program knows.
        known: i64,
    },
    /// Violates a rule of the tables: the name of the constraint, or on SQLite the columns that must be unique.
    #[error("the database holds to `{rule}`")]
    Rule {
        /// Name of the rule.
        rule: String,
        /// Kind of the rule.
        kind: RuleKind,
    },
    /// Nobody may hold two of system, security and audit administrator (三权分立).
    #[error("nobody may hold two of the three separated powers")]
    SeparatedPowers,
    /// Waited too long for other writers.
    #[error("the store is busy")]
    Busy,
    /// A column holds a value that this version does not know.
    #[error("{column} holds `{value}`, which this version does not know")]
    UnknownWord {
        /// Column.
        column: &'static str,
        /// Value.
        value: String,
    },
}

/// Kind of a table rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// Unique or exclusion constraint.
    Unique,
    /// Foreign key.
    Reference,
    /// Check or not-null constraint.
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

/// Name of an exclusion constraint, for which sqlx has no kind: PostgreSQL's code 23P01. SQLite has no such constraint;
/// a trigger raises the bare name, words joined by underscores, which none of SQLite's own messages looks like.
fn exclusion_of(refused: &dyn DatabaseError) -> Option<String> {
    if refused.code().as_deref() == Some("23P01") {
        return refused.constraint().map(str::to_owned);
    }
    let message = refused.message();
    let is_bare_name = message.contains('_') && message.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (matches!(refused.kind(), ErrorKind::Other) && is_bare_name).then(|| message.to_owned())
}

/// PostgreSQL gives the constraint's name; SQLite `UNIQUE constraint failed: table.column, …`, or a check's name.
fn rule_of(refused: &dyn DatabaseError) -> String {
    let said = || refused.message().rsplit_once("failed: ").map(|(_, rule)| rule.to_owned());
    refused.constraint().map(str::to_owned).or_else(said).unwrap_or_default()
}

impl StoreError {
    /// Whether it is this unique rule: by its name, or by its columns prefixed with the table's name.
    #[must_use]
    pub fn is_unique(&self, name: &str, columns: &str) -> bool {
        matches!(self, Self::Rule { rule, kind: RuleKind::Unique } if rule == name || rule == columns)
    }
}
