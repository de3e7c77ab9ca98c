//! Display names of the objects that audit rows refer to by id.

use std::collections::{BTreeSet, HashMap};

use sqlx::Row;

use crate::store::{Sql, Store, StoreError};
use school::account::permission::Scope;

/// Kind, id column, name column, and the joined tables with the organisation.
const KINDS: [(&str, &str, &str, &str); 6] = [
    (
        "person",
        "person_id",
        "person.name",
        "person join organisation on organisation.organisation_id = person.organisation_id",
    ),
    (
        "classroom",
        "classroom_id",
        "organisation.name || ' ' || classroom.name",
        "classroom join organisation on organisation.organisation_id = classroom.organisation_id",
    ),
    ("organisation", "organisation_id", "organisation.name", "organisation"),
    (
        "class",
        "class_id",
        "organisation.name || ' ' || grade || school_class.name",
        "school_class join organisation on organisation.organisation_id = school_class.organisation_id",
    ),
    (
        "device",
        "device_id",
        "device.name",
        "device join classroom on classroom.classroom_id = device.classroom_id
         join organisation on organisation.organisation_id = classroom.organisation_id",
    ),
    (
        "lesson",
        "lesson_id",
        "title",
        "lesson join organisation on organisation.organisation_id = lesson.organisation_id",
    ),
];

/// Ids per statement.
const AT_ONCE: usize = 500;

impl Store {
    /// Display names of objects written as `person:<id>`, of those in scope, including closed ones.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn names(
        &self,
        scope: &Scope,
        things: impl IntoIterator<Item = &str>,
    ) -> Result<HashMap<String, String>, StoreError> {
        let mut by_kind: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for (kind, id) in things.into_iter().filter_map(|thing| thing.split_once(':')) {
            if uuid::Uuid::try_parse(id).is_ok() {
                by_kind.entry(kind).or_default().insert(id);
            }
        }
        let mut names = HashMap::new();
        for (kind, id, name, from) in KINDS {
            let ids: Vec<&str> = by_kind.remove(kind).unwrap_or_default().into_iter().collect();
            for ids in ids.chunks(AT_ONCE) {
                let mut sql = Sql::new("select ");
                sql.push(id).push(" as id, ").push(name).push(" as called from ").push(from).push(" where ");
                sql.within(scope, "organisation.path").push(" and ").push(id).push(" in ").list(ids.iter().copied());
                for row in sql.all(&self.pool).await? {
                    let id: String = row.try_get("id")?;
                    names.insert(format!("{kind}:{id}"), row.try_get("called")?);
                }
            }
        }
        Ok(names)
    }
}
