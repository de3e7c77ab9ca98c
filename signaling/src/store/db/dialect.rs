//! All differences between SQLite and PostgreSQL. Every other statement runs unchanged on both.

use std::{path::Path, time::Duration};

use sqlx::{
    Any, AnyConnection, AnyPool, Connection, Executor,
    any::{AnyPoolOptions, install_default_drivers},
    migrate::{Migration, MigrationType, Migrator},
};

use crate::store::StoreError;

/// SQL dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// SQLite allows one writer at a time; concurrent readers are cheap.
const SQLITE_CONNECTIONS_MAX: u32 = 4;

/// PostgreSQL allows 100 connections by default, and other programs use them too.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;

/// Longest wait for the store; after it, the caller gets an error.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(5);

/// Every migration of the folder: version, description, statements. Not `sqlx::migrate!`, whose macro
/// would compile both drivers, including SQLite's C, a second time for the compiler's own use. A released file is
/// never edited, not even its comments: existing hubs compare its checksum and would refuse to start.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first lesson", include_str!("../../../migrations/0001_first_lesson.sql")),
    (3, "schools", include_str!("../../../migrations/0003_schools.sql")),
    (4, "timetable", include_str!("../../../migrations/0004_timetable.sql")),
    (7, "readiness", include_str!("../../../migrations/0007_readiness.sql")),
    (12, "locks and retention", include_str!("../../../migrations/0012_locks_and_retention.sql")),
    (13, "join windows", include_str!("../../../migrations/0013_join_windows.sql")),
    (15, "recording checkpoints", include_str!("../../../migrations/0015_recording_checkpoints.sql")),
    (16, "stage consent", include_str!("../../../migrations/0016_stage_consent.sql")),
    (17, "attendance", include_str!("../../../migrations/0017_attendance.sql")),
    (18, "library", include_str!("../../../migrations/0018_library.sql")),
    (19, "storage", include_str!("../../../migrations/0019_storage.sql")),
    (20, "aged", include_str!("../../../migrations/0020_aged.sql")),
];

/// Prevents overlapping bookings of one resource, behind the check that `store/dispatch.rs` makes first. It looks
/// back one day, which is the maximum length of a booking.
const BOOKING_ON_SQLITE: &str = "
    create trigger if not exists booking_is_one_at_a_time before insert on booking
    when exists (select 1 from booking taken where taken.resource = new.resource and taken.from_ms < new.until_ms
                 and taken.from_ms > new.from_ms - 86400000 and taken.until_ms > new.from_ms)
    begin select raise(abort, 'booking_is_one_at_a_time'); end";

/// The same. A range of one number avoids the index on text, and so its extension; a hash collision of two resources
/// would be a clash that no school ever sees.
const BOOKING_ON_POSTGRES: &str = "
    do $$ begin
        if not exists (select 1 from pg_constraint where conname = 'booking_is_one_at_a_time') then
            alter table booking add constraint booking_is_one_at_a_time exclude using gist (
                int8range(hashtextextended(resource, 0), hashtextextended(resource, 0), '[]') with &&,
                int8range(from_ms, until_ms) with &&);
        end if;
    end $$";

impl Dialect {
    /// `None`: neither scheme.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, _) = url.split_once(':')?;
        match scheme {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }

    /// The URL of an SQLite file, created if it is missing.
    pub(crate) fn url_of_file(file: &Path) -> String {
        let mut url = String::from("sqlite://");
        for byte in file.as_os_str().as_encoded_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => url.push(char::from(*byte)),
                byte => url.push_str(&format!("%{byte:02X}")),
            }
        }
        url + "?mode=rwc"
    }

    /// Statement that begins a write transaction. SQLite must know at its first statement: a reader that turns writer
    /// later is refused without waiting.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "begin immediate",
            Self::Postgres => "begin",
        }
    }

    /// Statement that begins a read transaction on one consistent snapshot.
    pub(crate) fn begin_reading(self) -> &'static str {
        match self {
            Self::Sqlite => "begin",
            Self::Postgres => "begin isolation level repeatable read read only",
        }
    }

    /// Statements run once on each new connection.
    ///
    /// SQLite `synchronous = normal`: with a write-ahead log a killed process loses nothing and a power cut at most the
    /// last transactions, and the file is never corrupted. Recordings must survive a power cut; the recorder syncs
    /// those itself.
    fn on_connect(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "pragma busy_timeout = 5000",
                "pragma journal_mode = wal",
                "pragma synchronous = normal",
                "pragma foreign_keys = on",
            ],
            Self::Postgres => &["set lock_timeout = '5s'", "set statement_timeout = '20s'", "set time zone 'UTC'"],
        }
    }

    /// Statement run before the last connection closes: moves the write-ahead log into the file, so that it is whole.
    pub(crate) fn on_close(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("pragma wal_checkpoint(truncate)"),
            Self::Postgres => None,
        }
    }

    /// Statements run before the migrations: drop the first version's audit triggers.
    fn before_migrations(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => {
                &["drop trigger if exists audit_is_never_changed", "drop trigger if exists audit_is_never_deleted"]
            }
            Self::Postgres => &[],
        }
    }

    /// Triggers that refuse changes and deletions of audit rows, except rows covered by a tombstone.
    fn after_migrations(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "create trigger if not exists audit_is_never_changed before update on audit
                 begin select raise(abort, 'audit rows are never changed'); end",
                "create trigger if not exists audit_is_never_deleted before delete on audit
                 when old.seq > (select retired_seq from audit_head)
                 begin select raise(abort, 'audit rows are never deleted'); end",
                BOOKING_ON_SQLITE,
                "create trigger if not exists booking_is_made_anew before update on booking
                 begin select raise(abort, 'bookings are made and deleted, never changed'); end",
            ],
            Self::Postgres => &[
                "create or replace function audit_only_grows() returns trigger language plpgsql as
                 $$ begin
                     if tg_op = 'DELETE' then
                         if old.seq <= (select retired_seq from audit_head) then return old; end if;
                     end if;
                     raise exception 'audit rows are neither changed nor deleted';
                 end $$",
                "create or replace trigger audit_is_never_changed before update or delete on audit
                 for each row execute function audit_only_grows()",
                "create or replace trigger audit_is_never_emptied before truncate on audit
                 for each statement execute function audit_only_grows()",
                BOOKING_ON_POSTGRES,
            ],
        }
    }

    pub(crate) async fn connect(self, url: &str) -> Result<AnyPool, StoreError> {
        install_default_drivers();
        let connections = match self {
            Self::Sqlite => SQLITE_CONNECTIONS_MAX,
            Self::Postgres => POSTGRES_CONNECTIONS_MAX,
        };
        let options = AnyPoolOptions::new().max_connections(connections).acquire_timeout(WAIT_MAX).after_connect(
            move |connection, _| {
                Box::pin(async move {
                    for statement in self.on_connect() {
                        connection.execute(*statement).await?;
                    }
                    Ok(())
                })
            },
        );
        let pool = options.connect(url).await?;
        let mut connection = pool.acquire().await?;
        self.bring_up_to_date(&mut connection).await?;
        Ok(pool)
    }

    async fn bring_up_to_date(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        for statement in self.before_migrations() {
            connection.execute(*statement).await?;
        }
        // The first version's second migration was for SQLite only; its content is in this file now.
        let mut migrations = Migrator { migrations: known_migrations().into(), ..Migrator::DEFAULT };
        migrations.set_ignore_missing(true);
        migrations.run(&mut *connection).await?;
        let newest: i64 = sqlx::query_scalar::<Any, i64>("select max(version) from _sqlx_migrations")
            .fetch_one(&mut *connection)
            .await?;
        let known = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
        if newest > known {
            return Err(StoreError::Newer { newest, known });
        }
        for statement in self.after_migrations() {
            connection.execute(*statement).await?;
        }
        connection.flush().await?;
        Ok(())
    }
}

fn known_migrations() -> Vec<Migration> {
    let migration = |&(version, description, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, description.into(), MigrationType::Simple, sql.into(), false)
    };
    MIGRATIONS.iter().map(migration).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the folder of migrations is listed")]
    fn every_file_of_the_folder_is_a_known_migration() {
        let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let name = |(version, description, _): &(i64, &str, &str)| {
            format!("{version:04}_{}.sql", description.replace(' ', "_"))
        };
        assert_eq!(files, MIGRATIONS.iter().map(name).collect::<Vec<_>>());
    }
}
