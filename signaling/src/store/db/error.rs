//! What a database refuses, and by which rule of its tables.

use sqlx::error::{DatabaseError, ErrorKind};

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

/// The name of an exclusion constraint, for which sqlx has no kind: PostgreSQL's code 23P01. SQLite has no such constraint;
/// a trigger raises the constraint's bare name, words joined by underscores, which no message of SQLite's own looks like.
fn exclusion_of(refused: &dyn DatabaseError) -> Option<String> {
    if refused.code().as_deref() == Some("23P01") {
        return refused.constraint().map(str::to_owned);
    }
    let message = refused.message();
    let is_bare_name = message.contains('_') && message.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (matches!(refused.kind(), ErrorKind::Other) && is_bare_name).then(|| message.to_owned())
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
