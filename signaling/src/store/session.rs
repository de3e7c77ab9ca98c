//! Who is signed in, and the one-time links by which they came in.

use sqlx::Row;

use super::{AuditRow, Store, StoreError, audit, word_or_null};
use crate::domain::{
    id::{ClassroomId, PersonId},
    organisation::{Holder, Role},
    permission::Asker,
    time::UnixMs,
};

/// A signed-in person or an enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who it speaks for.
    pub asker: Asker,
    /// The person's name, or the classroom's.
    pub name: String,
    /// When it ends.
    pub expires_at: UnixMs,
}

impl Store {
    /// Keeps a one-time link by its SHA-256.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn insert_sign_in_link(
        &self,
        link_sha256: &str,
        holder: Holder,
        now: UnixMs,
        expires_at: UnixMs,
    ) -> Result<(), StoreError> {
        let (person_id, classroom_id) = columns(holder);
        sqlx::query(
            "insert into sign_in_link (link_sha256, person_id, classroom_id, created_at_ms, expires_at_ms)
             values ($1, $2, $3, $4, $5)",
        )
        .bind(link_sha256)
        .bind(person_id)
        .bind(classroom_id)
        .bind(now.0)
        .bind(expires_at.0)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Uses a link up. `None`: there is no such link, it was used, or it has expired; which of them is nobody's business.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn use_sign_in_link(&self, link_sha256: &str, now: UnixMs) -> Result<Option<Holder>, StoreError> {
        let row = sqlx::query(
            "update sign_in_link set used_at_ms = $2
             where link_sha256 = $1 and used_at_ms is null and expires_at_ms > $2
             returning person_id, classroom_id",
        )
        .bind(link_sha256)
        .bind(now.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let person: Option<PersonId> = word_or_null(&row, "person_id")?;
        let classroom: Option<ClassroomId> = word_or_null(&row, "classroom_id")?;
        Ok(person.map(Holder::Person).or(classroom.map(Holder::Classroom)))
    }

    /// Signs in: the session and its line in the audit, or neither.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn insert_session(
        &self,
        session_sha256: &str,
        holder: Holder,
        expires_at: UnixMs,
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let (person_id, classroom_id) = columns(holder);
        let mut transaction = self.pool.begin().await?;
        sqlx::query("delete from session where expires_at_ms <= $1").bind(row.at.0).execute(&mut *transaction).await?;
        sqlx::query(
            "insert into session (session_sha256, person_id, classroom_id, created_at_ms, expires_at_ms)
             values ($1, $2, $3, $4, $5)",
        )
        .bind(session_sha256)
        .bind(person_id)
        .bind(classroom_id)
        .bind(row.at.0)
        .bind(expires_at.0)
        .execute(&mut *transaction)
        .await?;
        audit::insert(&mut *transaction, row).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The session behind a cookie's SHA-256. `None`: signed out or expired.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn session(&self, session_sha256: &str, now: UnixMs) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query(
            "select session.person_id as person_id, session.classroom_id as classroom_id, expires_at_ms,
                    person.name as person_name, person.role as role, classroom.name as classroom_name
             from session
             left join person on person.person_id = session.person_id
             left join classroom on classroom.classroom_id = session.classroom_id
             where session_sha256 = $1 and expires_at_ms > $2",
        )
        .bind(session_sha256)
        .bind(now.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let expires_at = UnixMs(row.try_get("expires_at_ms")?);
        if let Some(classroom_id) = word_or_null(&row, "classroom_id")? {
            let asker = Asker { holder: Holder::Classroom(classroom_id), role: Role::Classroom };
            return Ok(Some(Session { asker, name: row.try_get("classroom_name")?, expires_at }));
        }
        let Some(person_id) = word_or_null(&row, "person_id")? else { return Ok(None) };
        let word: String = row.try_get("role")?;
        let role = Role::from_word(&word).ok_or(StoreError::UnknownWord { column: "role", value: word })?;
        let asker = Asker { holder: Holder::Person(person_id), role };
        Ok(Some(Session { asker, name: row.try_get("person_name")?, expires_at }))
    }

    /// Signs out. Harmless where nobody was signed in.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn delete_session(&self, session_sha256: &str, row: &AuditRow) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("delete from session where session_sha256 = $1")
            .bind(session_sha256)
            .execute(&mut *transaction)
            .await?;
        audit::insert(&mut *transaction, row).await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn columns(holder: Holder) -> (Option<String>, Option<String>) {
    match holder {
        Holder::Person(id) => (Some(id.to_string()), None),
        Holder::Classroom(id) => (None, Some(id.to_string())),
    }
}
