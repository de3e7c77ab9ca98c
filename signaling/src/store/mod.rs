//! The SQL store, one file per noun. The same statements run on SQLite and PostgreSQL; the differences are in
//! [`db::dialect`]. Every access to school data takes a [`Scope`](school::account::permission::Scope).

pub mod account;
pub mod audit;
pub mod db;
pub mod dispatch;
pub mod lesson;
pub mod library;
pub mod organisation;
pub mod report;
pub mod retention;
pub mod timetable;

pub use crate::store::dispatch::change::{Change, NewLesson, ScheduleError};
pub use account::session::{LinkPurpose, NewSession, Session};
pub(crate) use audit::writing::Writing;
pub use audit::{AuditRow, Outcome};
pub use db::{
    Store,
    database::{Database, NotADatabase},
    edit::Versioned,
    error::{RuleKind, StoreError},
};
pub(crate) use db::{
    column::{word, word_or_null},
    sql::Sql,
};
pub use dispatch::readiness::{Heard, Waiver};
pub use lesson::LessonCursor;
pub use organisation::{Seed, stage_consent::StageConsent};
pub use report::presence::{Minute, NewHeadCount};
pub use timetable::{
    GRID_MAX, GridDay, GridLesson, GridListening, GridOf,
    calendar_edit::{Dependents, EditError, StandsOn},
    pairing::AgreementError,
};

impl Store {
    /// Opens the database, creates a missing SQLite file, and migrates the tables.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be opened or the tables cannot be migrated.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let store = Self::connect(database).await?;
        store.chain_the_unchained().await?;
        Ok(store)
    }
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
