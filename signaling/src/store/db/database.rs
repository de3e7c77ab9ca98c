//! Database URL: an SQLite file or a PostgreSQL server.

use std::{path::Path, str::FromStr};

use super::dialect::Dialect;

/// Location of the database.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    dialect: Dialect,
    url: String,
}

impl std::fmt::Debug for Database {
    /// Omits the password that the URL may contain.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = match self.url.rsplit_once('@') {
            Some((_, place)) => format!("{:?}://…@{place}", self.dialect),
            None => self.url.clone(),
        };
        f.write_str(&shown)
    }
}

/// The URL names no supported database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a database is sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME")]
pub struct NotADatabase;

impl Database {
    /// An SQLite file, created if it is missing.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self { dialect: Dialect::Sqlite, url: Dialect::url_of_file(path) }
    }

    /// The file. `None`: not an SQLite database that [`Database::file`] names.
    #[must_use]
    pub fn is_a_file(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn url(&self) -> &str {
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
