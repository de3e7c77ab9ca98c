//! Passwords, second factors, and locks of sign-in names after failed sign-ins.

pub mod person;
pub(crate) mod session;

use sqlx::Row;

use super::{AuditRow, LinkPurpose, Sql, Store, StoreError, Writing, word};
use crate::store::account::person::StoredPerson;
use school::{
    account::{
        password::{FAILURES_MAX, HISTORY, LOCK},
        permission::Scope,
    },
    base::{
        id::{PersonId, SessionId},
        time::UnixMs,
    },
    organisation::Holder,
};

/// Failures older than this no longer count, in milliseconds.
const FAILURES_KEPT_MS: i64 = 24 * 3600 * 1000;

/// Sign-in credentials of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The person.
    pub person_id: PersonId,
    /// Sign-in name. `None`: they have none yet.
    pub sign_in_name: Option<String>,
    /// Hash of the password, and when it was set. `None`: none is set.
    pub password: Option<(String, UnixMs)>,
    /// The second factor. `None`: none is bound.
    pub second_factor: Option<SecondFactor>,
}

/// A TOTP second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// The sealed secret.
    pub sealed_secret: String,
    /// Confirmed by a valid code.
    pub confirmed: bool,
    /// Codes of this step and earlier ones are used.
    pub last_step: i64,
}

impl Store {
    /// Credentials by sign-in name. `None`: nobody has this name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn credentials_of_name(&self, sign_in_name: &str) -> Result<Option<Credentials>, StoreError> {
        self.credentials_where("sign_in_name", sign_in_name).await
    }

    /// Credentials of a person. `None`: no such person.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn credentials(&self, person_id: PersonId) -> Result<Option<Credentials>, StoreError> {
        self.credentials_where("person.person_id", &person_id.to_string()).await
    }

    async fn credentials_where(&self, column: &str, value: &str) -> Result<Option<Credentials>, StoreError> {
        let mut sql = Sql::new(
            "select person.person_id as person_id, sign_in_name, hash, changed_at_ms, sealed_secret, confirmed_at_ms,
                    last_step
             from person
             left join password on password.person_id = person.person_id
             left join second_factor on second_factor.person_id = person.person_id
             where person.closed_at_ms is null and person.locked_at_ms is null and ",
        );
        sql.push(column).push(" = ").bind(value);
        let rows = sql.all(&self.pool).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let hash: Option<String> = row.try_get("hash")?;
        let sealed_secret: Option<String> = row.try_get("sealed_secret")?;
        let changed_at: Option<i64> = row.try_get("changed_at_ms")?;
        let confirmed: Option<i64> = row.try_get("confirmed_at_ms")?;
        let last_step: Option<i64> = row.try_get("last_step")?;
        Ok(Some(Credentials {
            person_id: word(row, "person_id")?,
            sign_in_name: row.try_get("sign_in_name")?,
            password: hash.zip(changed_at.map(UnixMs)),
            second_factor: sealed_secret.map(|sealed_secret| SecondFactor {
                sealed_secret,
                confirmed: confirmed.is_some(),
                last_step: last_step.unwrap_or_default(),
            }),
        }))
    }

    /// Whether this sign-in name is locked, whether or not anyone has it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn is_locked(&self, sign_in_name: &str, now: UnixMs) -> Result<bool, StoreError> {
        let mut sql = Sql::new("select 1 from sign_in_failure where sign_in_name = ");
        sql.bind(sign_in_name).push(" and locked_until_ms > ").bind(now.0);
        Ok(!sql.all(&self.pool).await?.is_empty())
    }

    /// Counts a failure; the fifth in a row locks the name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn sign_in_failed(&self, sign_in_name: &str, row: AuditRow) -> Result<(), StoreError> {
        let now = row.at;
        let mut writing = self.write().await?;
        let mut sql = Sql::new("delete from sign_in_failure where at_ms < ");
        sql.bind(now.0.saturating_sub(FAILURES_KEPT_MS)).push(" and (locked_until_ms is null or locked_until_ms <= ");
        sql.bind(now.0).push(")").run(writing.on()).await?;
        let mut sql = Sql::new("insert into sign_in_failure (sign_in_name, failures, at_ms) values (");
        sql.bind(sign_in_name).push(", 1, ").bind(now.0).push(") on conflict (sign_in_name) do update set ");
        sql.push("failures = sign_in_failure.failures + 1, at_ms = ").bind(now.0).push(" returning failures");
        let counted = sql.optional_on(writing.on()).await?;
        let failures: i64 = counted.map(|row| row.try_get("failures")).transpose()?.unwrap_or_default();
        let mut row = row;
        if failures >= FAILURES_MAX {
            let mut sql = Sql::new("update sign_in_failure set failures = 0, locked_until_ms = ");
            sql.bind(now.plus(LOCK).0).push(" where sign_in_name = ").bind(sign_in_name);
            sql.run(writing.on()).await?;
            row = row.saying("locked");
        }
        writing.commit(&row).await
    }

    /// Marks a code of the second factor as used. False: it was used already.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn use_code(&self, person_id: PersonId, step: i64, confirms: Option<UnixMs>) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update second_factor set last_step = ");
        sql.bind(step);
        if let Some(now) = confirms {
            sql.push(", confirmed_at_ms = ").bind(now.0);
        }
        sql.push(" where last_step < ").bind(step).push(" and person_id = ").bind(person_id.to_string());
        let used = sql.run(writing.on()).await? == 1;
        writing.commit_unseen().await?;
        Ok(used)
    }

    /// Hashes of the last passwords, including the current one.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn last_passwords(&self, person_id: PersonId) -> Result<Vec<String>, StoreError> {
        let mut sql = Sql::new("select hash from password_before where person_id = ");
        sql.bind(person_id.to_string()).push(" order by changed_at_ms desc limit ");
        sql.bind(i64::try_from(HISTORY).unwrap_or(i64::MAX));
        let rows = sql.all(&self.pool).await?;
        rows.iter().map(|row| Ok(row.try_get("hash")?)).collect()
    }

    /// Sets a password, deletes the oldest of its history, unlocks the name, and ends all other sessions.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn set_password(
        &self,
        person_id: PersonId,
        hash: &str,
        here: Option<SessionId>,
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let id = person_id.to_string();
        let mut sql = Sql::new("insert into password (person_id, hash, changed_at_ms) values (");
        sql.bind(id.as_str()).push(", ").bind(hash).push(", ").bind(row.at.0);
        sql.push(
            ") on conflict (person_id) do update set hash = excluded.hash, changed_at_ms = excluded.changed_at_ms",
        );
        sql.run(writing.on()).await?;
        let mut sql = Sql::new("insert into password_before (person_id, hash, changed_at_ms) values (");
        sql.bind(id.as_str()).push(", ").bind(hash).push(", ").bind(row.at.0);
        sql.push(") on conflict (person_id, changed_at_ms) do update set hash = excluded.hash");
        sql.run(writing.on()).await?;
        let mut sql = Sql::new("delete from password_before where person_id = ");
        sql.bind(id.as_str())
            .push(" and changed_at_ms not in (select changed_at_ms from password_before where person_id = ");
        sql.bind(id.as_str()).push(" order by changed_at_ms desc limit ");
        sql.bind(i64::try_from(HISTORY).unwrap_or(i64::MAX)).push(")");
        sql.run(writing.on()).await?;
        writing.unlock(person_id).await?;
        writing.end_sessions_of(person_id, here).await?;
        writing.commit(row).await
    }

    /// Stores an unconfirmed second factor. False: a confirmed one exists.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn begin_second_factor(
        &self,
        person_id: PersonId,
        sealed: &str,
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("insert into second_factor (person_id, sealed_secret, last_step) values (");
        sql.bind(person_id.to_string()).push(", ").bind(sealed).push(", 0) on conflict (person_id) do update set ");
        sql.push("sealed_secret = excluded.sealed_secret, last_step = 0 where second_factor.confirmed_at_ms is null");
        if sql.run(writing.on()).await? == 0 {
            return Ok(false);
        }
        writing.commit(row).await?;
        Ok(true)
    }

    /// Removes a second factor, for a lost phone. False: the person is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn drop_second_factor(&self, scope: &Scope, id: PersonId, row: AuditRow) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(person) = writing.person(scope, id).await? else { return Ok(false) };
        let mut sql = Sql::new("delete from second_factor where person_id = ");
        sql.bind(id.to_string()).run(writing.on()).await?;
        writing.end_sessions_of(id, None).await?;
        writing.commit(&row.at_place(person.path)).await?;
        Ok(true)
    }

    /// Locks an account and ends all its sessions; or unlocks it, including a lock after too many wrong passwords.
    /// `None`: the person is not in scope, or has left.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lock(
        &self,
        scope: &Scope,
        id: PersonId,
        locked: bool,
        row: AuditRow,
    ) -> Result<Option<StoredPerson>, StoreError> {
        let mut writing = self.write().await?;
        let before = writing.person(scope, id).await?.filter(|person| person.closed_at_ms.is_none());
        let Some(before) = before else { return Ok(None) };
        let locked_at_ms = locked.then(|| before.locked_at_ms.unwrap_or(row.at.0));
        let mut sql = Sql::new("update person set version = version + 1, locked_at_ms = ");
        sql.bind(locked_at_ms).push(" where person_id = ").bind(id.to_string());
        sql.run(writing.on()).await?;
        if locked {
            writing.end_sessions_of(id, None).await?;
        } else {
            writing.unlock(id).await?;
        }
        let stored = writing.person(scope, id).await?;
        writing.commit(&row.at_place(before.path)).await?;
        Ok(stored)
    }

    /// Stores a one-time link to set a password, and unlocks the name. False: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn insert_set_up_link(
        &self,
        scope: &Scope,
        id: PersonId,
        link_sha256: &str,
        expires_at: UnixMs,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let person = writing.person(scope, id).await?;
        let Some(person) = person.filter(|person| person.closed_at_ms.is_none()) else { return Ok(false) };
        writing.insert_link(link_sha256, LinkPurpose::SetUp, Holder::Person(id), row.at, expires_at).await?;
        writing.unlock(id).await?;
        writing.commit(&row.at_place(person.path)).await?;
        Ok(true)
    }
}

impl Writing {
    async fn unlock(&mut self, id: PersonId) -> Result<(), StoreError> {
        let mut sql = Sql::new(
            "delete from sign_in_failure where sign_in_name in (select sign_in_name from person where person_id = ",
        );
        sql.bind(id.to_string()).push(")");
        sql.run(self.on()).await?;
        Ok(())
    }

    /// Clears the failures of the person's sign-in name.
    pub(crate) async fn signed_in(&mut self, id: PersonId) -> Result<(), StoreError> {
        self.unlock(id).await
    }
}
