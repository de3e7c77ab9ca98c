//! Classes of pupils, for administrators.

use serde::Serialize;
use sqlx::{Row, any::AnyRow};
use utoipa::ToSchema;

use super::place::PlaceError;
use crate::store::{
    AuditRow, Sql, Store, StoreError, Writing,
    db::{edit::Edited, list::ListQuery},
    word, word_or_null,
};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassId, ClassroomId, OrganisationId},
        time::UnixMs,
    },
    organisation::Stage,
};

/// A stored class of pupils. Holds no number and no name of any pupil.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StoredClass {
    pub class_id: ClassId,
    pub organisation_id: OrganisationId,
    /// Name of its school.
    pub school: String,
    /// Its own classroom. `null`: none.
    pub classroom_id: Option<ClassroomId>,
    pub stage: Stage,
    /// 三年级
    pub grade: String,
    /// （2）班
    pub name: String,
    /// When it was closed. `null`: open.
    pub closed_at_ms: Option<i64>,
    /// Number of edits: the ETag.
    pub version: i64,
    #[serde(skip)]
    pub path: String,
}

/// A class to be stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of `KeptClass`")]
pub struct NewClass {
    pub class_id: ClassId,
    pub organisation_id: OrganisationId,
    pub classroom_id: Option<ClassroomId>,
    pub stage: Stage,
    pub grade: String,
    pub name: String,
}

/// Changes to a class. `None`: unchanged.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of `KeptClass`")]
pub struct ClassEdit {
    pub classroom_id: Option<Option<ClassroomId>>,
    pub grade: Option<String>,
    pub name: Option<String>,
    pub close: bool,
}

pub(crate) const SELECT_CLASS: &str = "
    select class_id, school_class.organisation_id as organisation_id, organisation.name as school, classroom_id, stage,
           grade, school_class.name as name, path, school_class.closed_at_ms as closed_at_ms,
           school_class.version as version
    from school_class
    join organisation on organisation.organisation_id = school_class.organisation_id
    where ";

impl Store {
    /// Classes in scope, by id.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn classes(&self, scope: &Scope, ask: &ListQuery) -> Result<Vec<StoredClass>, StoreError> {
        let mut sql = Sql::new(SELECT_CLASS);
        sql.within(scope, "path");
        ask.finish(&mut sql, scope, "school_class", "class_id", &["school_class.name", "grade"]);
        sql.all(&self.pool).await?.iter().map(class_from).collect()
    }

    /// One class. `None`: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn class(&self, scope: &Scope, id: ClassId) -> Result<Option<StoredClass>, StoreError> {
        let mut sql = Sql::new(SELECT_CLASS);
        sql.within(scope, "path").push(" and class_id = ").bind(id.to_string());
        sql.all(&self.pool).await?.first().map(class_from).transpose()
    }

    /// Adds a class. `None`: its school or classroom is not in scope.
    ///
    /// # Errors
    /// [`PlaceError::Place`] if the organisation is a bureau.
    pub async fn add_class(
        &self,
        scope: &Scope,
        class: &NewClass,
        row: AuditRow,
    ) -> Result<Option<StoredClass>, PlaceError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.insert_class(scope, class, row.at).await? else { return Ok(None) };
        writing.needs_a_school(class.organisation_id).await?;
        let stored = writing.class(scope, class.class_id).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(stored)
    }

    /// Changes a class's name, grade or classroom, or closes it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn edit_class(
        &self,
        scope: &Scope,
        id: ClassId,
        version: i64,
        edit: &ClassEdit,
        row: AuditRow,
    ) -> Result<Edited<StoredClass>, StoreError> {
        let mut writing = self.write().await?;
        let Some(before) = writing.class(scope, id).await? else { return Ok(Edited::Gone) };
        if !writing.take_version("school_class", "class_id", &id.to_string(), version).await? {
            return Ok(Edited::OtherVersion);
        }
        let mut sql = Sql::new("update school_class set version = version");
        if let Some(room) = edit.classroom_id {
            if let Some(room) = room
                && writing.classroom(scope, room).await?.is_none()
            {
                return Ok(Edited::Gone);
            }
            sql.push(", classroom_id = ").bind(room.map(|id| id.to_string()));
        }
        for (column, value) in [("grade", &edit.grade), ("name", &edit.name)] {
            if let Some(value) = value {
                sql.push(", ").push(column).push(" = ").bind(value.as_str());
            }
        }
        if edit.close && before.closed_at_ms.is_none() {
            sql.push(", closed_at_ms = ").bind(row.at.0);
        }
        sql.push(" where class_id = ").bind(id.to_string());
        sql.run(writing.on()).await?;
        let Some(stored) = writing.class(scope, id).await? else { return Ok(Edited::Gone) };
        writing.commit(&row.at_place(stored.path.as_str())).await?;
        Ok(Edited::Done(stored))
    }
}

impl Writing {
    async fn class(&mut self, scope: &Scope, id: ClassId) -> Result<Option<StoredClass>, StoreError> {
        let mut sql = Sql::new(SELECT_CLASS);
        sql.within(scope, "path").push(" and class_id = ").bind(id.to_string());
        sql.optional_on(self.on()).await?.as_ref().map(class_from).transpose()
    }

    /// Adds a class. `None`: its school or classroom is not in scope.
    pub(crate) async fn insert_class(
        &mut self,
        scope: &Scope,
        class: &NewClass,
        now: UnixMs,
    ) -> Result<Option<String>, StoreError> {
        let Some(path) = self.path(scope, class.organisation_id).await? else { return Ok(None) };
        if let Some(room) = class.classroom_id
            && self.classroom(scope, room).await?.is_none()
        {
            return Ok(None);
        }
        let mut sql =
            Sql::new("insert into school_class (class_id, organisation_id, classroom_id, stage, grade, name,");
        sql.push(" created_at_ms, version) values (").bind(class.class_id.to_string()).push(", ");
        sql.bind(class.organisation_id.to_string()).push(", ").bind(class.classroom_id.map(|id| id.to_string()));
        sql.push(", ").bind(class.stage.as_str()).push(", ").bind(class.grade.as_str()).push(", ");
        sql.bind(class.name.as_str()).push(", ").bind(now.0).push(", 1)");
        sql.run(self.on()).await?;
        Ok(Some(path))
    }
}

pub(crate) fn class_from(row: &AnyRow) -> Result<StoredClass, StoreError> {
    Ok(StoredClass {
        class_id: word(row, "class_id")?,
        organisation_id: word(row, "organisation_id")?,
        school: row.try_get("school")?,
        classroom_id: word_or_null(row, "classroom_id")?,
        stage: word(row, "stage")?,
        grade: row.try_get("grade")?,
        name: row.try_get("name")?,
        closed_at_ms: row.try_get("closed_at_ms")?,
        version: row.try_get("version")?,
        path: row.try_get("path")?,
    })
}
