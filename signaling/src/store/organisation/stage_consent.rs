//! Consent to record classes while they are on stage.

use sqlx::Row;

use crate::store::{AuditRow, Sql, Store, StoreError};
use school::{
    account::permission::Scope,
    base::{
        id::{LessonId, OrganisationId},
        time::UnixMs,
    },
};

/// Consent of a school for its classes on stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageConsent {
    /// Recording is allowed.
    pub record_on_stage: bool,
    /// Legal basis: the guardians' consent, and where it is filed. Empty if not allowed.
    pub basis: String,
    /// When it was set. `None`: never.
    pub set_at: Option<UnixMs>,
}

impl Store {
    /// Consent of a school. `None`: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn stage_consent(
        &self,
        scope: &Scope,
        organisation_id: OrganisationId,
    ) -> Result<Option<StageConsent>, StoreError> {
        let mut sql = Sql::new(
            "select record_on_stage, basis, set_at_ms from organisation
             left join stage_consent on stage_consent.organisation_id = organisation.organisation_id
             where organisation.organisation_id = ",
        );
        sql.bind(organisation_id.to_string()).push(" and ").within(scope, "organisation.path");
        let Some(row) = sql.all(&self.pool).await?.into_iter().next() else { return Ok(None) };
        let set_at: Option<i64> = row.try_get("set_at_ms")?;
        Ok(Some(StageConsent {
            record_on_stage: row.try_get::<Option<i64>, _>("record_on_stage")? == Some(1),
            basis: row.try_get::<Option<String>, _>("basis")?.unwrap_or_default(),
            set_at: set_at.map(UnixMs),
        }))
    }

    /// Stores a school's consent. False: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn set_stage_consent(
        &self,
        scope: &Scope,
        organisation_id: OrganisationId,
        consent: &StageConsent,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path(scope, organisation_id).await? else { return Ok(false) };
        let mut sql =
            Sql::new("insert into stage_consent (organisation_id, record_on_stage, basis, set_at_ms) values (");
        sql.bind(organisation_id.to_string()).push(", ").bind(i64::from(consent.record_on_stage)).push(", ");
        sql.bind(consent.basis.clone()).push(", ").bind(row.at.0);
        sql.push(
            ") on conflict (organisation_id) do update set record_on_stage = excluded.record_on_stage,
             basis = excluded.basis, set_at_ms = excluded.set_at_ms",
        );
        sql.run(writing.on()).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(true)
    }

    /// Whether a class on stage may be recorded in a lesson: only if every listening school has consented, because
    /// any of its classes may be called up. False for a lesson without listeners.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn stage_is_recorded(&self, scope: &Scope, lesson_id: LessonId) -> Result<bool, StoreError> {
        let mut sql = Sql::new(
            "select count(*) as listening, cast(coalesce(sum(coalesce(record_on_stage, 0)), 0) as bigint) as agreed
             from lesson_classroom
             join classroom on classroom.classroom_id = lesson_classroom.classroom_id
             join organisation on organisation.organisation_id = classroom.organisation_id
             left join stage_consent on stage_consent.organisation_id = classroom.organisation_id
             where lesson_classroom.lesson_id = ",
        );
        sql.bind(lesson_id.to_string()).push(" and ").within(scope, "organisation.path");
        let Some(row) = sql.all(&self.pool).await?.into_iter().next() else { return Ok(false) };
        let (listening, agreed): (i64, i64) = (row.try_get("listening")?, row.try_get("agreed")?);
        Ok(listening > 0 && listening == agreed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Database, Seed,
        stores::{fresh_postgres_url, on_both},
    };
    use school::{
        account::system_scope,
        base::id::{ClassroomId, PersonId},
        fixtures::lesson_of,
        organisation::{Classroom, Organisation, OrganisationKind, Person, Role},
    };

    on_both! {
        async fn a_stage_is_kept_only_where_every_school_that_listens_has_said_so(database) {
            let store = Store::open(&database).await.unwrap();
            let (scope, now) = (system_scope::sample(), UnixMs(1_000_000_000));
            let ids = [OrganisationId::fresh(), OrganisationId::fresh()];
            let rooms = [ClassroomId::fresh(), ClassroomId::fresh()];
            let organisations = ids.iter().zip(["景家小学", "双龙小学"]).map(|(id, name)| Organisation {
                organisation_id: *id,
                parent_id: None,
                kind: OrganisationKind::School,
                name: name.into(),
                code: None,
            });
            let classrooms = ids.iter().zip(rooms).map(|(id, classroom_id)| Classroom {
                classroom_id,
                organisation_id: *id,
                name: "一班".into(),
            });
            let person_id = PersonId::fresh();
            let person = Person { person_id, organisation_id: ids[0], name: "张老师".into(), sign_in_name: None };
            let seed = Seed {
                organisations: organisations.collect(),
                classrooms: classrooms.collect(),
                people: vec![(person, Some(Role::LeadTeacher))],
            };
            store.seed(&scope, &seed, now).await.unwrap();
            let row = |act| AuditRow::by_system(now, act, "test".into());
            let lesson = lesson_of(person_id, &rooms);
            assert!(store.insert_lesson(&scope, &lesson, &row("schedule_lesson")).await.unwrap());
            let stored = async || store.stage_is_recorded(&scope, lesson.lesson_id).await.unwrap();
            assert_eq!(store.stage_consent(&scope, ids[0]).await.unwrap(), Some(StageConsent::default()));
            assert!(!stored().await, "nobody has said anything");
            let yes = StageConsent { record_on_stage: true, basis: "家长同意书".into(), set_at: Some(now) };
            assert!(store.set_stage_consent(&scope, ids[0], &yes, row("set_stage_consent")).await.unwrap());
            assert!(!stored().await, "one of two has");
            assert!(store.set_stage_consent(&scope, ids[1], &yes, row("set_stage_consent")).await.unwrap());
            assert!(stored().await);
            assert_eq!(store.stage_consent(&scope, ids[1]).await.unwrap(), Some(yes));
            let no = StageConsent { record_on_stage: false, basis: String::new(), set_at: Some(now) };
            assert!(store.set_stage_consent(&scope, ids[0], &no, row("set_stage_consent")).await.unwrap());
            assert!(!stored().await, "taken back");
            let nowhere = OrganisationId::fresh();
            assert!(!store.set_stage_consent(&scope, nowhere, &no, row("set_stage_consent")).await.unwrap());
            assert_eq!(store.stage_consent(&scope, nowhere).await.unwrap(), None);
        }
    }
}
