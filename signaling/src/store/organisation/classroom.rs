//! Classrooms, for administrators.

use serde::Serialize;
use sqlx::{Row, any::AnyRow};
use utoipa::ToSchema;

use super::place::PlaceError;
use crate::store::{
    AuditRow, Sql, Store, StoreError, Writing,
    db::{edit::Edited, list::ListQuery},
    word,
};
use school::{
    account::permission::Scope,
    base::id::{ClassroomId, OrganisationId},
    organisation::Classroom,
};

/// A stored classroom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Classroom`")]
pub struct StoredClassroom {
    pub classroom_id: ClassroomId,
    pub organisation_id: OrganisationId,
    /// Name of its school.
    pub school: String,
    pub name: String,
    /// When it was closed. `null`: open.
    pub closed_at_ms: Option<i64>,
    /// Number of edits: the ETag.
    pub version: i64,
    #[serde(skip)]
    pub path: String,
}

/// Changes to a classroom. `None`: unchanged.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of `Classroom`")]
pub struct ClassroomEdit {
    pub name: Option<String>,
    pub close: bool,
}

pub(crate) const SELECT_CLASSROOM: &str = "
    select classroom_id, classroom.organisation_id as organisation_id, organisation.name as school,
           classroom.name as name, path, classroom.closed_at_ms as closed_at_ms, classroom.version as version
    from classroom
    join organisation on organisation.organisation_id = classroom.organisation_id
    where ";

impl Store {
    /// Classrooms in scope, by id.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn classrooms(&self, scope: &Scope, ask: &ListQuery) -> Result<Vec<StoredClassroom>, StoreError> {
        let mut sql = Sql::new(SELECT_CLASSROOM);
        sql.within(scope, "path");
        ask.finish(&mut sql, scope, "classroom", "classroom_id", &["classroom.name"]);
        sql.all(&self.pool).await?.iter().map(classroom_from).collect()
    }

    /// One classroom. `None`: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn classroom(&self, scope: &Scope, id: ClassroomId) -> Result<Option<StoredClassroom>, StoreError> {
        let mut sql = Sql::new(SELECT_CLASSROOM);
        sql.within(scope, "path").push(" and classroom_id = ").bind(id.to_string());
        sql.all(&self.pool).await?.first().map(classroom_from).transpose()
    }

    /// Adds a classroom. `None`: its school is not in scope.
    ///
    /// # Errors
    /// [`PlaceError::Place`] if the organisation is a bureau.
    pub async fn add_classroom(
        &self,
        scope: &Scope,
        classroom: &Classroom,
        row: AuditRow,
    ) -> Result<Option<StoredClassroom>, PlaceError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.insert_classroom(scope, classroom, row.at).await? else { return Ok(None) };
        writing.needs_a_school(classroom.organisation_id).await?;
        let stored = writing.classroom(scope, classroom.classroom_id).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(stored)
    }

    /// Changes a classroom's name, or closes it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn edit_classroom(
        &self,
        scope: &Scope,
        id: ClassroomId,
        version: i64,
        edit: &ClassroomEdit,
        row: AuditRow,
    ) -> Result<Edited<StoredClassroom>, StoreError> {
        let mut writing = self.write().await?;
        let Some(before) = writing.classroom(scope, id).await? else { return Ok(Edited::Gone) };
        if !writing.take_version("classroom", "classroom_id", &id.to_string(), version).await? {
            return Ok(Edited::OtherVersion);
        }
        let mut sql = Sql::new("update classroom set version = version");
        if let Some(name) = &edit.name {
            sql.push(", name = ").bind(name.as_str());
        }
        if edit.close && before.closed_at_ms.is_none() {
            sql.push(", closed_at_ms = ").bind(row.at.0);
        }
        sql.push(" where classroom_id = ").bind(id.to_string());
        sql.run(writing.on()).await?;
        let Some(stored) = writing.classroom(scope, id).await? else { return Ok(Edited::Gone) };
        writing.commit(&row.at_place(stored.path.as_str())).await?;
        Ok(Edited::Done(stored))
    }
}

impl Writing {
    pub(crate) async fn classroom(
        &mut self,
        scope: &Scope,
        id: ClassroomId,
    ) -> Result<Option<StoredClassroom>, StoreError> {
        let mut sql = Sql::new(SELECT_CLASSROOM);
        sql.within(scope, "path").push(" and classroom_id = ").bind(id.to_string());
        sql.optional_on(self.on()).await?.as_ref().map(classroom_from).transpose()
    }
}

pub(crate) fn classroom_from(row: &AnyRow) -> Result<StoredClassroom, StoreError> {
    Ok(StoredClassroom {
        classroom_id: word(row, "classroom_id")?,
        organisation_id: word(row, "organisation_id")?,
        school: row.try_get("school")?,
        name: row.try_get("name")?,
        closed_at_ms: row.try_get("closed_at_ms")?,
        version: row.try_get("version")?,
        path: row.try_get("path")?,
    })
}
