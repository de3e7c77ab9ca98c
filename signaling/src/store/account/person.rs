//! People, their roles and sessions, for administrators.

use serde::Serialize;
use sqlx::{Row, any::AnyRow};
use utoipa::ToSchema;

use crate::store::{
    AuditRow, Sql, Store, StoreError, Writing,
    db::{edit::Edited, list::ListQuery},
    word, word_or_null,
};
use school::{
    account::{permission::Scope, session::Stage},
    base::{
        id::{ClassroomId, DeviceId, GrantId, OrganisationId, PersonId, SessionId},
        time::UnixMs,
    },
    organisation::{Person, Role},
};

/// A stored person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Person`")]
pub struct StoredPerson {
    pub person_id: PersonId,
    pub organisation_id: OrganisationId,
    /// Name of their organisation.
    pub organisation: String,
    pub name: String,
    /// Sign-in name. `null`: they sign in only by links.
    pub sign_in_name: Option<String>,
    /// A password is set.
    pub has_password: bool,
    /// A second factor is bound.
    pub has_second_factor: bool,
    /// When an administrator locked the account. `null`: not locked.
    pub locked_at_ms: Option<i64>,
    /// Locked until then after too many wrong passwords. `null`: not locked.
    pub locked_until_ms: Option<i64>,
    /// When they left. `null`: they have not.
    pub closed_at_ms: Option<i64>,
    /// Number of edits: the ETag.
    pub version: i64,
    #[serde(skip)]
    pub path: String,
}

/// A role granted to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Grant`")]
pub struct StoredGrant {
    pub role_grant_id: GrantId,
    pub role: Role,
    pub organisation_id: OrganisationId,
    /// Name of the organisation.
    pub organisation: String,
    pub from_ms: i64,
    /// `null`: no end is set.
    pub until_ms: Option<i64>,
    #[serde(skip)]
    pub path: String,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Session`")]
pub struct StoredSession {
    pub session_id: SessionId,
    pub person_id: Option<PersonId>,
    pub classroom_id: Option<ClassroomId>,
    pub device_id: Option<DeviceId>,
    /// Name of the person or classroom.
    pub name: String,
    pub stage: Stage,
    /// Network address of the sign-in.
    pub address: String,
    pub created_at_ms: i64,
    pub seen_at_ms: i64,
    pub expires_at_ms: i64,
}

/// Changes to a person. `None`: unchanged.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of `Person`")]
pub struct PersonEdit {
    pub name: Option<String>,
    pub sign_in_name: Option<Option<String>>,
    /// The person leaves: their sessions and roles end.
    pub close: bool,
}

pub(crate) const SELECT_PERSON: &str = "
    select person.person_id as person_id, person.organisation_id as organisation_id, organisation.name as organisation,
           person.name as name, person.sign_in_name as sign_in_name, path, person.closed_at_ms as closed_at_ms,
           locked_at_ms, person.version as version,
           (select locked_until_ms from sign_in_failure
            where sign_in_failure.sign_in_name = person.sign_in_name) as locked_until_ms,
           (select count(*) from password where password.person_id = person.person_id) as passwords,
           (select count(*) from second_factor where second_factor.person_id = person.person_id
                                                 and confirmed_at_ms is not null) as factors
    from person
    join organisation on organisation.organisation_id = person.organisation_id
    where ";

impl Store {
    /// People in scope, by id.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn people(&self, scope: &Scope, ask: &ListQuery) -> Result<Vec<StoredPerson>, StoreError> {
        let mut sql = Sql::new(SELECT_PERSON);
        sql.within(scope, "path");
        ask.finish(&mut sql, scope, "person", "person.person_id", &["person.name", "sign_in_name"]);
        sql.all(&self.pool).await?.iter().map(person_from).collect()
    }

    /// One person. `None`: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn person(&self, scope: &Scope, id: PersonId) -> Result<Option<StoredPerson>, StoreError> {
        let mut sql = Sql::new(SELECT_PERSON);
        sql.within(scope, "path").push(" and person.person_id = ").bind(id.to_string());
        sql.all(&self.pool).await?.first().map(person_from).transpose()
    }

    /// Adds a person. `None`: their organisation is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn add_person(
        &self,
        scope: &Scope,
        person: &Person,
        row: AuditRow,
    ) -> Result<Option<StoredPerson>, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.insert_person(scope, person, row.at).await? else { return Ok(None) };
        let stored = writing.person(scope, person.person_id).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(stored)
    }

    /// Changes a person, or closes their account.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn edit_person(
        &self,
        scope: &Scope,
        id: PersonId,
        version: i64,
        edit: &PersonEdit,
        row: AuditRow,
    ) -> Result<Edited<StoredPerson>, StoreError> {
        let mut writing = self.write().await?;
        let Some(before) = writing.person(scope, id).await? else { return Ok(Edited::Gone) };
        if !writing.take_version("person", "person_id", &id.to_string(), version).await? {
            return Ok(Edited::OtherVersion);
        }
        let mut sql = Sql::new("update person set version = version");
        if let Some(name) = &edit.name {
            sql.push(", name = ").bind(name.as_str());
        }
        if let Some(sign_in_name) = &edit.sign_in_name {
            sql.push(", sign_in_name = ").bind(sign_in_name.clone());
        }
        if edit.close && before.closed_at_ms.is_none() {
            // Frees the sign-in name for a successor; the person's records stay.
            sql.push(", sign_in_name = null, closed_at_ms = ").bind(row.at.0);
            writing.end_sessions_of(id, None).await?;
            let mut end = Sql::new("update role_grant set until_ms = ");
            end.bind(row.at.0).push(" where from_ms <= ").bind(row.at.0).push(" and (until_ms is null or until_ms > ");
            end.bind(row.at.0).push(") and person_id = ").bind(id.to_string());
            end.run(writing.on()).await?;
        }
        sql.push(" where person_id = ").bind(id.to_string());
        sql.run(writing.on()).await?;
        let Some(stored) = writing.person(scope, id).await? else { return Ok(Edited::Gone) };
        writing.commit(&row.at_place(stored.path.as_str())).await?;
        Ok(Edited::Done(stored))
    }

    /// Roles of a person, including ended ones. `None`: the person is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn grants(&self, scope: &Scope, id: PersonId) -> Result<Option<Vec<StoredGrant>>, StoreError> {
        if self.person(scope, id).await?.is_none() {
            return Ok(None);
        }
        let mut sql = Sql::new(
            "select role_grant_id, role, role_grant.organisation_id as organisation_id, organisation.name as name, path,
                    from_ms, until_ms
             from role_grant
             join organisation on organisation.organisation_id = role_grant.organisation_id
             where person_id = ",
        );
        sql.bind(id.to_string()).push(" order by role_grant_id");
        let read = |row: &AnyRow| {
            Ok(StoredGrant {
                role_grant_id: word(row, "role_grant_id")?,
                role: word(row, "role")?,
                organisation_id: word(row, "organisation_id")?,
                organisation: row.try_get("name")?,
                from_ms: row.try_get("from_ms")?,
                until_ms: row.try_get("until_ms")?,
                path: row.try_get("path")?,
            })
        };
        sql.all(&self.pool).await?.iter().map(read).collect::<Result<_, StoreError>>().map(Some)
    }

    /// Grants a role. `None`: the person or the place is not in scope.
    ///
    /// # Errors
    /// [`StoreError::SeparatedPowers`], or another [`StoreError`] if the database fails.
    pub async fn grant(
        &self,
        scope: &Scope,
        id: PersonId,
        (role, at): (Role, OrganisationId),
        (from, until): (UnixMs, Option<UnixMs>),
        row: AuditRow,
    ) -> Result<Option<GrantId>, StoreError> {
        let mut writing = self.write().await?;
        let person = writing.person(scope, id).await?;
        if person.is_none_or(|person| person.closed_at_ms.is_some()) {
            return Ok(None);
        }
        let grant_id = GrantId::fresh();
        let Some(path) = writing.insert_grant(scope, grant_id, id, role, at, from, until).await? else {
            return Ok(None);
        };
        writing.commit(&row.at_place(path)).await?;
        Ok(Some(grant_id))
    }

    /// Ends a role, now or at `until`. False: no unended grant at a place in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn end_grant(
        &self,
        scope: &Scope,
        id: PersonId,
        grant_id: GrantId,
        until: UnixMs,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update role_grant set until_ms = case when from_ms > ");
        sql.bind(until.0).push(" then from_ms else ").bind(until.0).push(" end where role_grant_id = ");
        sql.bind(grant_id.to_string()).push(" and person_id = ").bind(id.to_string());
        sql.push(" and (until_ms is null or until_ms > ").bind(row.at.0);
        sql.push(") and organisation_id in (select organisation_id from organisation where ");
        sql.within(scope, "path").push(")");
        if sql.run(writing.on()).await? == 0 {
            return Ok(false);
        }
        writing.commit(&row).await?;
        Ok(true)
    }

    /// Sessions of people and classrooms in scope, newest first. `of`: only this person's.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn sessions(
        &self,
        scope: &Scope,
        of: Option<PersonId>,
        below: Option<&str>,
        limit: u32,
        now: UnixMs,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let mut sql = select_sessions(now);
        sql.push(" and (").within(scope, "of_person.path").push(" or ").within(scope, "of_classroom.path").push(")");
        if let Some(person_id) = of {
            sql.push(" and session.person_id = ").bind(person_id.to_string());
        }
        if let Some(below) = below {
            sql.push(" and session_id < ").bind(below);
        }
        sql.push(" order by session_id desc limit ").bind(i64::from(limit));
        sql.all(&self.pool).await?.iter().map(session_from).collect()
    }

    /// A person's own sessions, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn own_sessions(&self, id: PersonId, now: UnixMs) -> Result<Vec<StoredSession>, StoreError> {
        let mut sql = select_sessions(now);
        sql.push(" and session.person_id = ").bind(id.to_string()).push(" order by session_id desc limit 200");
        sql.all(&self.pool).await?.iter().map(session_from).collect()
    }

    /// Ends a session of this person, or one in scope. False: not found.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn end_session(
        &self,
        whose: Result<PersonId, &Scope>,
        id: SessionId,
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("delete from session where session_id = ");
        sql.bind(id.to_string());
        match whose {
            Ok(person_id) => {
                sql.push(" and person_id = ").bind(person_id.to_string());
            }
            Err(scope) => {
                for (push, table) in [(" and (person_id in (", "person"), (" or classroom_id in (", "classroom")] {
                    sql.push(push).push("select ").push(table).push("_id from ").push(table);
                    sql.push(" join organisation on organisation.organisation_id = ").push(table);
                    sql.push(".organisation_id where ").within(scope, "path").push(")");
                }
                sql.push(")");
            }
        }
        if sql.run(writing.on()).await? == 0 {
            return Ok(false);
        }
        writing.commit(row).await?;
        Ok(true)
    }
}

impl Writing {
    pub(crate) async fn person(&mut self, scope: &Scope, id: PersonId) -> Result<Option<StoredPerson>, StoreError> {
        let mut sql = Sql::new(SELECT_PERSON);
        sql.within(scope, "path").push(" and person.person_id = ").bind(id.to_string());
        sql.optional_on(self.on()).await?.as_ref().map(person_from).transpose()
    }

    /// Ends all sessions of a person, except one.
    pub(crate) async fn end_sessions_of(&mut self, id: PersonId, but: Option<SessionId>) -> Result<(), StoreError> {
        let mut sql = Sql::new("delete from session where person_id = ");
        sql.bind(id.to_string()).push(" and session_id <> ");
        sql.bind(but.map(|but| but.to_string()).unwrap_or_default());
        sql.run(self.on()).await?;
        Ok(())
    }
}

fn select_sessions(now: UnixMs) -> Sql {
    let mut sql = Sql::new(
        "select session_id, session.person_id as person_id, session.classroom_id as classroom_id, device_id,
                coalesce(person.name, classroom.name) as name, stage, address, session.created_at_ms as created_at_ms,
                seen_at_ms, expires_at_ms
         from session
         left join person on person.person_id = session.person_id
         left join organisation of_person on of_person.organisation_id = person.organisation_id
         left join classroom on classroom.classroom_id = session.classroom_id
         left join organisation of_classroom on of_classroom.organisation_id = classroom.organisation_id
         where expires_at_ms > ",
    );
    sql.bind(now.0);
    sql
}

pub(crate) fn person_from(row: &AnyRow) -> Result<StoredPerson, StoreError> {
    Ok(StoredPerson {
        person_id: word(row, "person_id")?,
        organisation_id: word(row, "organisation_id")?,
        organisation: row.try_get("organisation")?,
        name: row.try_get("name")?,
        sign_in_name: row.try_get("sign_in_name")?,
        has_password: row.try_get::<i64, _>("passwords")? > 0,
        has_second_factor: row.try_get::<i64, _>("factors")? > 0,
        locked_at_ms: row.try_get("locked_at_ms")?,
        locked_until_ms: row.try_get("locked_until_ms")?,
        closed_at_ms: row.try_get("closed_at_ms")?,
        version: row.try_get("version")?,
        path: row.try_get("path")?,
    })
}

fn session_from(row: &AnyRow) -> Result<StoredSession, StoreError> {
    Ok(StoredSession {
        session_id: word(row, "session_id")?,
        person_id: word_or_null(row, "person_id")?,
        classroom_id: word_or_null(row, "classroom_id")?,
        device_id: word_or_null(row, "device_id")?,
        name: row.try_get("name")?,
        stage: word(row, "stage")?,
        address: row.try_get("address")?,
        created_at_ms: row.try_get("created_at_ms")?,
        seen_at_ms: row.try_get("seen_at_ms")?,
        expires_at_ms: row.try_get("expires_at_ms")?,
    })
}
