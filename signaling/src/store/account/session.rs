//! Sessions, and the one-time links that start them.

use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, Writing, word, word_or_null};
use school::{
    account::{
        permission::Asker,
        session::{SEEN_EVERY, Stage, has_idled, idle_limit},
    },
    base::{
        id::{ClassroomId, DeviceId, PersonId, SessionId},
        time::UnixMs,
        words::words,
    },
    organisation::{Grant, Holder},
};

/// Session of a person or device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Public id, for lists.
    pub session_id: SessionId,
    /// Caller that the session authenticates.
    pub asker: Asker,
    /// Name of the person or classroom.
    pub name: String,
    /// What the session may be used for.
    pub stage: Stage,
    /// Device of the classroom. `None`: a person, or a classroom that signed in by a link.
    pub device_id: Option<DeviceId>,
    /// The person has bound a second factor.
    pub has_second_factor: bool,
    /// Assistant teacher present in the classroom. `None`: a person's session, or none was named.
    pub assistant: Option<(PersonId, String)>,
    /// Last use, to the minute.
    pub seen_at: UnixMs,
    /// Expiry.
    pub expires_at: UnixMs,
}

/// A session to be stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of `Session`")]
pub struct NewSession<'a> {
    pub session_sha256: &'a str,
    pub holder: Holder,
    pub device_id: Option<DeviceId>,
    pub stage: Stage,
    pub address: String,
    pub expires_at: UnixMs,
}

words!(
    /// Purpose of a one-time link.
    LinkPurpose {
        /// Signs in.
        SignIn = "sign_in",
        /// Lets the person set a password and a second factor.
        SetUp = "set_up",
    }
);

impl Store {
    /// Stores a one-time link by its SHA-256.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn insert_sign_in_link(
        &self,
        link_sha256: &str,
        holder: Holder,
        expires_at: UnixMs,
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        writing.insert_link(link_sha256, LinkPurpose::SignIn, holder, row.at, expires_at).await?;
        writing.commit(row).await
    }

    /// Uses up a link. `None`: no such link, used, expired, or its holder has been closed; the cases are
    /// deliberately not distinguished.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn use_sign_in_link(
        &self,
        link_sha256: &str,
        now: UnixMs,
    ) -> Result<Option<(Holder, LinkPurpose)>, StoreError> {
        let mut writing = self.write().await?;
        let row = sqlx::query(
            "update sign_in_link set used_at_ms = $2
             where link_sha256 = $1 and used_at_ms is null and expires_at_ms > $2
               and not exists (select 1 from person
                               where person.person_id = sign_in_link.person_id
                                 and (closed_at_ms is not null or locked_at_ms is not null))
               and not exists (select 1 from classroom
                               where classroom.classroom_id = sign_in_link.classroom_id and closed_at_ms is not null)
             returning person_id, classroom_id, purpose",
        )
        .bind(link_sha256)
        .bind(now.0)
        .fetch_optional(writing.on())
        .await?;
        writing.commit_unseen().await?;
        let Some(row) = row else { return Ok(None) };
        let person: Option<PersonId> = word_or_null(&row, "person_id")?;
        let classroom: Option<ClassroomId> = word_or_null(&row, "classroom_id")?;
        let purpose = word(&row, "purpose")?;
        Ok(person.map(Holder::Person).or(classroom.map(Holder::Classroom)).map(|holder| (holder, purpose)))
    }

    /// Stores a session together with its audit row.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn insert_session(&self, session: &NewSession<'_>, row: &AuditRow) -> Result<SessionId, StoreError> {
        let mut writing = self.write().await?;
        let session_id = writing.insert_session(session, row.at).await?;
        if let Holder::Person(person_id) = session.holder {
            writing.signed_in(person_id).await?;
        }
        if let Some(device_id) = session.device_id {
            writing.device_seen(device_id, row.at).await?;
        }
        writing.commit(row).await?;
        Ok(session_id)
    }

    /// The session of a cookie's SHA-256. `None`: signed out, expired, idle for too long, or its holder has
    /// been closed.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn session(&self, session_sha256: &str, now: UnixMs) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query(
            "select session.session_id as session_id, session.person_id as person_id,
                    session.classroom_id as classroom_id, session.device_id as device_id, stage, session.seen_at_ms as seen_at_ms,
                    expires_at_ms, person.name as person_name, classroom.name as classroom_name,
                    session.assistant_id as assistant_id, assistant.name as assistant_name,
                    (select count(*) from second_factor where second_factor.person_id = session.person_id
                                                          and confirmed_at_ms is not null) as factors
             from session
             left join person on person.person_id = session.person_id
             left join classroom on classroom.classroom_id = session.classroom_id
             left join device on device.device_id = session.device_id
             left join person assistant on assistant.person_id = session.assistant_id
             where session_sha256 = $1 and expires_at_ms > $2 and person.closed_at_ms is null
               and person.locked_at_ms is null and classroom.closed_at_ms is null and device.revoked_at_ms is null",
        )
        .bind(session_sha256)
        .bind(now.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let session = self.session_from(&row).await?;
        let limit = idle_limit(session.asker.roles(now));
        let idled = session.asker.person_id().is_some() && has_idled(session.seen_at, limit, now);
        Ok((!idled).then_some(session))
    }

    async fn session_from(&self, row: &AnyRow) -> Result<Session, StoreError> {
        let person_id: Option<PersonId> = word_or_null(row, "person_id")?;
        let (holder, name, grants) = match person_id {
            Some(person_id) => {
                (Holder::Person(person_id), row.try_get("person_name")?, self.grants_of(person_id).await?)
            }
            None => (Holder::Classroom(word(row, "classroom_id")?), row.try_get("classroom_name")?, Vec::new()),
        };
        let assistant: Option<PersonId> = word_or_null(row, "assistant_id")?;
        let assistant_name: Option<String> = row.try_get("assistant_name")?;
        Ok(Session {
            session_id: word(row, "session_id")?,
            asker: Asker { holder, grants },
            name,
            stage: word(row, "stage")?,
            device_id: word_or_null(row, "device_id")?,
            has_second_factor: row.try_get::<i64, _>("factors")? > 0,
            assistant: assistant.zip(assistant_name),
            seen_at: UnixMs(row.try_get("seen_at_ms")?),
            expires_at: UnixMs(row.try_get("expires_at_ms")?),
        })
    }

    /// All past, present and future roles of a person at places that are open.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn grants_of(&self, person_id: PersonId) -> Result<Vec<Grant>, StoreError> {
        let rows = sqlx::query(
            "select role, role_grant.organisation_id as organisation_id, path, from_ms, until_ms
             from role_grant
             join organisation on organisation.organisation_id = role_grant.organisation_id
             where person_id = $1 order by role_grant_id",
        )
        .bind(person_id.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Grant {
                    role: word(row, "role")?,
                    organisation_id: word(row, "organisation_id")?,
                    path: row.try_get("path")?,
                    from: UnixMs(row.try_get("from_ms")?),
                    until: row.try_get::<Option<i64>, _>("until_ms")?.map(UnixMs),
                })
            })
            .collect()
    }

    /// Updates the time of last use. Writes at most once a minute.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn touch_session(&self, session: &Session, now: UnixMs) -> Result<(), StoreError> {
        if now < session.seen_at.plus(SEEN_EVERY) {
            return Ok(());
        }
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update session set seen_at_ms = ");
        sql.bind(now.0).push(" where session_id = ").bind(session.session_id.to_string());
        sql.run(writing.on()).await?;
        writing.commit_unseen().await
    }

    /// Signs out. Idempotent.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn delete_session(&self, session_sha256: &str, row: &AuditRow) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        sqlx::query("delete from session where session_sha256 = $1").bind(session_sha256).execute(writing.on()).await?;
        writing.commit(row).await
    }
}

impl Writing {
    /// See [`Store::insert_sign_in_link`]. Deletes long expired links.
    pub(crate) async fn insert_link(
        &mut self,
        link_sha256: &str,
        purpose: LinkPurpose,
        holder: Holder,
        now: UnixMs,
        expires_at: UnixMs,
    ) -> Result<(), StoreError> {
        sqlx::query("delete from sign_in_link where expires_at_ms <= $1").bind(now.0).execute(self.on()).await?;
        let (person_id, classroom_id) = columns(holder);
        let mut sql =
            Sql::new("insert into sign_in_link (link_sha256, purpose, person_id, classroom_id, created_at_ms,");
        sql.push(" expires_at_ms) values (").bind(link_sha256).push(", ").bind(purpose.as_str()).push(", ");
        sql.bind(person_id).push(", ").bind(classroom_id).push(", ").bind(now.0).push(", ");
        sql.bind(expires_at.0).push(")");
        sql.run(self.on()).await?;
        Ok(())
    }

    /// See [`Store::insert_session`].
    pub(crate) async fn insert_session(
        &mut self,
        session: &NewSession<'_>,
        now: UnixMs,
    ) -> Result<SessionId, StoreError> {
        sqlx::query("delete from session where expires_at_ms <= $1").bind(now.0).execute(self.on()).await?;
        let (person_id, classroom_id) = columns(session.holder);
        let session_id = SessionId::fresh();
        let mut sql = Sql::new(
            "insert into session (session_id, session_sha256, stage, person_id, classroom_id, device_id, address,
                                  created_at_ms, seen_at_ms, expires_at_ms) values (",
        );
        sql.bind(session_id.to_string()).push(", ").bind(session.session_sha256).push(", ");
        sql.bind(session.stage.as_str()).push(", ").bind(person_id).push(", ").bind(classroom_id).push(", ");
        sql.bind(session.device_id.map(|id| id.to_string())).push(", ").bind(session.address.as_str()).push(", ");
        sql.bind(now.0).push(", ").bind(now.0).push(", ").bind(session.expires_at.0).push(")");
        sql.run(self.on()).await?;
        Ok(session_id)
    }
}

fn columns(holder: Holder) -> (Option<String>, Option<String>) {
    match holder {
        Holder::Person(id) => (Some(id.to_string()), None),
        Holder::Classroom(id) => (None, Some(id.to_string())),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::{
        Database, Seed,
        stores::{fresh_postgres_url, on_both},
    };
    use school::{
        account::{session::PERSON_SESSION, system_scope},
        base::id::OrganisationId,
        organisation::{Organisation, OrganisationKind, Person, Role},
    };

    const NOW: UnixMs = UnixMs(1_000_000);

    /// A county with one person in it.
    pub(crate) async fn with_a(role: Role, store: &Store) -> (OrganisationId, PersonId) {
        let (organisation_id, person_id) = (OrganisationId::fresh(), PersonId::fresh());
        let (name, kind) = ("汉滨区教育体育局".to_owned(), OrganisationKind::County);
        let person = Person { person_id, organisation_id, name: "张老师".into(), sign_in_name: None };
        let seed = Seed {
            organisations: vec![Organisation { organisation_id, parent_id: None, kind, name, code: None }],
            classrooms: vec![],
            people: vec![(person, Some(role))],
        };
        store.seed(&system_scope::sample(), &seed, NOW).await.unwrap();
        (organisation_id, person_id)
    }

    fn row(act: &'static str) -> AuditRow {
        AuditRow::by_system(NOW, act, "session".into())
    }

    on_both! {
        async fn a_link_is_used_once_and_in_its_time(database) {
            let store = Store::open(&database).await.unwrap();
            let (_, person_id) = with_a(Role::LeadTeacher, &store).await;
            let holder = Holder::Person(person_id);
            store.insert_sign_in_link("a", holder, NOW.plus(Duration::from_secs(9)), &row("link")).await.unwrap();
            store.insert_sign_in_link("b", holder, NOW.plus(Duration::from_secs(9)), &row("link")).await.unwrap();
            let used = store.use_sign_in_link("a", NOW).await.unwrap();
            assert_eq!(used, Some((holder, LinkPurpose::SignIn)));
            assert_eq!(store.use_sign_in_link("a", NOW).await.unwrap(), None);
            assert_eq!(store.use_sign_in_link("b", NOW.plus(Duration::from_secs(9))).await.unwrap(), None);
            assert_eq!(store.use_sign_in_link("c", NOW).await.unwrap(), None);
        }

        async fn an_unused_session_ends_and_a_used_one_goes_on(database) {
            let store = Store::open(&database).await.unwrap();
            let (_, person_id) = with_a(Role::LeadTeacher, &store).await;
            let expires_at = NOW.plus(PERSON_SESSION);
            let new = NewSession {
                session_sha256: "x",
                holder: Holder::Person(person_id),
                device_id: None,
                stage: Stage::Full,
                address: "10.0.0.1".into(),
                expires_at,
            };
            store.insert_session(&new, &row("sign_in")).await.unwrap();
            let minutes = |minutes: u64| NOW.plus(Duration::from_secs(60 * minutes));
            let session = store.session("x", minutes(29)).await.unwrap().unwrap();
            assert_eq!((session.name.as_str(), session.asker.grants.len()), ("张老师", 1));
            assert_eq!(store.session("x", minutes(30)).await.unwrap(), None);
            store.touch_session(&session, minutes(29)).await.unwrap();
            assert!(store.session("x", minutes(58)).await.unwrap().is_some());
            assert_eq!(store.session("x", expires_at).await.unwrap(), None);
            store.delete_session("x", &row("sign_out")).await.unwrap();
            assert_eq!(store.session("x", NOW).await.unwrap(), None);
        }
    }
}
