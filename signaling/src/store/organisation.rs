//! The organisation tree, classrooms and people: creation and lists by the hub itself.

pub mod classroom;
pub(crate) mod code;
pub mod device;
pub mod import;
pub(crate) mod import_line;
pub mod place;
pub mod school_class;
pub(crate) mod seed;
pub(crate) mod stage_consent;

use sqlx::Row;

use super::{AuditRow, LinkPurpose, Sql, Store, StoreError, Writing, word};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassroomId, GrantId, OrganisationId, PersonId},
        time::UnixMs,
    },
    organisation::{Classroom, Holder, Organisation, Person, Role},
};

impl Store {
    /// Whether no organisation exists yet.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        let count: i64 = sqlx::query_scalar("select count(*) from organisation").fetch_one(&self.pool).await?;
        Ok(count == 0)
    }

    /// Creates a part of the tree in one transaction, without an actor: for the sample and the first start.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn seed(&self, scope: &Scope, seed: &Seed, now: UnixMs) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        writing.seed(scope, seed, now).await?;
        let row = AuditRow::by_system(now, "plant", "organisation".into());
        writing.commit(&row).await
    }

    /// Creates the top of the tree, its first people and a set-up link for each, in the order of the seed. False:
    /// another first start was faster.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn found(
        &self,
        scope: &Scope,
        seed: &Seed,
        links: &[String],
        until: UnixMs,
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        // Locking the audit head serialises: two concurrent first starts make one hub.
        sqlx::query("update audit_head set seq = seq").execute(writing.on()).await?;
        let there: i64 = sqlx::query_scalar("select count(*) from organisation").fetch_one(writing.on()).await?;
        if there > 0 {
            return Ok(false);
        }
        writing.seed(scope, seed, row.at).await?;
        for ((person, _), link) in seed.people.iter().zip(links) {
            let holder = Holder::Person(person.person_id);
            writing.insert_link(link, LinkPurpose::SetUp, holder, row.at, until).await?;
        }
        writing.commit(row).await?;
        Ok(true)
    }

    /// Everyone who has ever held this role, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn people_who_are(&self, scope: &Scope, role: Role) -> Result<Vec<(PersonId, String)>, StoreError> {
        let mut sql = Sql::new(
            "select distinct person.person_id as person_id, person.name as name
             from role_grant
             join person on person.person_id = role_grant.person_id
             join organisation on organisation.organisation_id = role_grant.organisation_id
             where person.closed_at_ms is null and role = ",
        );
        sql.bind(role.as_str()).push(" and ").within(scope, "organisation.path");
        sql.push(" order by person.name, person.person_id");
        let rows = sql.all(&self.pool).await?;
        rows.iter().map(|row| Ok((word(row, "person_id")?, row.try_get("name")?))).collect()
    }

    /// Every classroom, its name prefixed with its school's.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn classrooms_with_school(&self, scope: &Scope) -> Result<Vec<(ClassroomId, String)>, StoreError> {
        let mut sql = Sql::new(
            "select classroom_id, organisation.name as school, classroom.name as name
             from classroom
             join organisation on organisation.organisation_id = classroom.organisation_id
             where classroom.closed_at_ms is null and ",
        );
        sql.within(scope, "organisation.path").push(" order by classroom_id");
        let read = |row: &sqlx::any::AnyRow| {
            let (school, name): (String, String) = (row.try_get("school")?, row.try_get("name")?);
            Ok((word(row, "classroom_id")?, format!("{school} {name}")))
        };
        sql.all(&self.pool).await?.iter().map(read).collect()
    }
}

/// A part of the tree: parents before their children.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    /// Organisations.
    pub organisations: Vec<Organisation>,
    /// Their classrooms.
    pub classrooms: Vec<Classroom>,
    /// Their people, with a role there.
    pub people: Vec<(Person, Option<Role>)>,
}

impl Writing {
    /// See [`Store::seed`].
    pub(crate) async fn seed(&mut self, scope: &Scope, seed: &Seed, now: UnixMs) -> Result<(), StoreError> {
        for organisation in &seed.organisations {
            self.insert_organisation(scope, organisation, now).await?;
        }
        for classroom in &seed.classrooms {
            self.insert_classroom(scope, classroom, now).await?;
        }
        for (person, role) in &seed.people {
            self.insert_person(scope, person, now).await?;
            if let Some(role) = role {
                let at = person.organisation_id;
                self.insert_grant(scope, GrantId::fresh(), person.person_id, *role, at, now, None).await?;
            }
        }
        Ok(())
    }

    /// Path of an open organisation in scope. `None`: not found.
    pub(crate) async fn path(&mut self, scope: &Scope, id: OrganisationId) -> Result<Option<String>, StoreError> {
        let mut sql = Sql::new("select path from organisation where closed_at_ms is null and organisation_id = ");
        sql.bind(id.to_string()).push(" and ").within(scope, "path");
        let row = sql.optional_on(self.on()).await?;
        Ok(row.map(|row| row.try_get("path")).transpose()?)
    }

    /// Adds an organisation with its code; returns its path. `None`: its parent is not in scope.
    pub(crate) async fn insert_organisation(
        &mut self,
        scope: &Scope,
        organisation: &Organisation,
        now: UnixMs,
    ) -> Result<Option<String>, StoreError> {
        let above = match organisation.parent_id {
            None => "/".to_owned(),
            Some(parent) => match self.path(scope, parent).await? {
                Some(path) => path,
                None => return Ok(None),
            },
        };
        let path = format!("{above}{}/", organisation.organisation_id);
        if organisation.parent_id.is_none() && !scope.covers(&path) {
            return Ok(None);
        }
        let mut sql = Sql::new(
            "insert into organisation (organisation_id, parent_id, kind, name, path, created_at_ms, version) values ",
        );
        let parent = organisation.parent_id.map(|id| id.to_string());
        sql.push("(").bind(organisation.organisation_id.to_string()).push(", ").bind(parent);
        sql.push(", ").bind(organisation.kind.as_str()).push(", ").bind(organisation.name.as_str());
        sql.push(", ").bind(path.as_str()).push(", ").bind(now.0).push(", 1)");
        sql.run(self.on()).await?;
        if let Some(code) = &organisation.code {
            self.give_code(organisation.organisation_id, code, organisation.kind, now).await?;
        }
        Ok(Some(path))
    }

    /// Adds a classroom; returns the school's path. `None`: the school is not in scope.
    pub(crate) async fn insert_classroom(
        &mut self,
        scope: &Scope,
        classroom: &Classroom,
        now: UnixMs,
    ) -> Result<Option<String>, StoreError> {
        let Some(path) = self.path(scope, classroom.organisation_id).await? else { return Ok(None) };
        let mut sql = Sql::new("insert into classroom (classroom_id, organisation_id, name, created_at_ms, version)");
        sql.push(" values (").bind(classroom.classroom_id.to_string()).push(", ");
        sql.bind(classroom.organisation_id.to_string()).push(", ").bind(classroom.name.as_str());
        sql.push(", ").bind(now.0).push(", 1)");
        sql.run(self.on()).await?;
        Ok(Some(path))
    }

    /// Adds a person; returns the organisation's path. `None`: the organisation is not in scope.
    pub(crate) async fn insert_person(
        &mut self,
        scope: &Scope,
        person: &Person,
        now: UnixMs,
    ) -> Result<Option<String>, StoreError> {
        let Some(path) = self.path(scope, person.organisation_id).await? else { return Ok(None) };
        let mut sql =
            Sql::new("insert into person (person_id, organisation_id, name, sign_in_name, created_at_ms, version)");
        sql.push(" values (").bind(person.person_id.to_string()).push(", ");
        sql.bind(person.organisation_id.to_string()).push(", ").bind(person.name.as_str()).push(", ");
        sql.bind(person.sign_in_name.clone()).push(", ").bind(now.0).push(", 1)");
        sql.run(self.on()).await?;
        Ok(Some(path))
    }

    /// Grants a role. `None`: the place is not in scope. The second of two separated powers is refused by the table
    /// `separated_power`.
    #[expect(clippy::too_many_arguments, reason = "a grant is these: who, what, where, from when, until when")]
    pub(crate) async fn insert_grant(
        &mut self,
        scope: &Scope,
        grant_id: GrantId,
        person_id: PersonId,
        role: Role,
        at: OrganisationId,
        from: UnixMs,
        until: Option<UnixMs>,
    ) -> Result<Option<String>, StoreError> {
        let Some(path) = self.path(scope, at).await? else { return Ok(None) };
        if role.is_separated() {
            // The first of the three stays; a different one does not match and is refused below.
            let mut sql = Sql::new("insert into separated_power (person_id, role) values (");
            sql.bind(person_id.to_string()).push(", ").bind(role.as_str()).push(") on conflict (person_id) do nothing");
            sql.run(self.on()).await?;
            let mut sql = Sql::new("select 1 from separated_power where person_id = ");
            sql.bind(person_id.to_string()).push(" and role = ").bind(role.as_str());
            if sql.optional_on(self.on()).await?.is_none() {
                return Err(StoreError::SeparatedPowers);
            }
        }
        let mut sql =
            Sql::new("insert into role_grant (role_grant_id, person_id, role, organisation_id, from_ms, until_ms)");
        sql.push(" values (").bind(grant_id.to_string()).push(", ").bind(person_id.to_string()).push(", ");
        sql.bind(role.as_str()).push(", ").bind(at.to_string()).push(", ").bind(from.0).push(", ");
        sql.bind(until.map(|until| until.0)).push(")");
        sql.run(self.on()).await?;
        Ok(Some(path))
    }
}
