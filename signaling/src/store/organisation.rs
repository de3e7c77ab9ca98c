//! The organisation tree, its people and classrooms.

use sqlx::Row;

use super::{Store, StoreError, word};
use crate::domain::{
    id::{ClassroomId, PersonId},
    organisation::{Classroom, Organisation, Person, Role},
};

impl Store {
    /// True before the first organisation was made.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        let count: i64 = sqlx::query_scalar("select count(*) from organisation").fetch_one(&self.pool).await?;
        Ok(count == 0)
    }

    /// Adds a node to the tree.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn insert_organisation(&self, organisation: &Organisation) -> Result<(), StoreError> {
        sqlx::query(
            "insert into organisation (organisation_id, parent_id, kind, name, code) values ($1, $2, $3, $4, $5)",
        )
        .bind(organisation.organisation_id.to_string())
        .bind(organisation.parent_id.map(|id| id.to_string()))
        .bind(organisation.kind.as_str())
        .bind(&organisation.name)
        .bind(&organisation.code)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Adds a classroom.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn insert_classroom(&self, classroom: &Classroom) -> Result<(), StoreError> {
        sqlx::query("insert into classroom (classroom_id, organisation_id, name) values ($1, $2, $3)")
            .bind(classroom.classroom_id.to_string())
            .bind(classroom.organisation_id.to_string())
            .bind(&classroom.name)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Adds a person.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn insert_person(&self, person: &Person) -> Result<(), StoreError> {
        sqlx::query("insert into person (person_id, organisation_id, name, role) values ($1, $2, $3, $4)")
            .bind(person.person_id.to_string())
            .bind(person.organisation_id.to_string())
            .bind(&person.name)
            .bind(person.role.as_str())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Everyone with this role, by name.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn people(&self, role: Role) -> Result<Vec<(PersonId, String)>, StoreError> {
        let rows = sqlx::query("select person_id, name from person where role = $1 order by name, person_id")
            .bind(role.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok((word(row, "person_id")?, row.try_get("name")?))).collect()
    }

    /// Every classroom with its school's name in front.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn classrooms(&self) -> Result<Vec<(ClassroomId, String)>, StoreError> {
        let rows = sqlx::query(
            "select classroom_id, organisation.name as school, classroom.name as name
             from classroom join organisation using (organisation_id)
             order by classroom_id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let (school, name): (String, String) = (row.try_get("school")?, row.try_get("name")?);
                Ok((word(row, "classroom_id")?, format!("{school} {name}")))
            })
            .collect()
    }
}
