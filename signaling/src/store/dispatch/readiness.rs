//! Readiness before a lesson, waivers of missing items, and the right by which a class listens.

use std::collections::HashMap;

use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, word, word_or_null};
use school::{
    account::permission::{Reach, Scope},
    base::{
        id::{ClassId, LessonId, OrganisationId, TermId},
        time::UnixMs,
    },
    timetable::program::{Prepared, ReadinessItem},
};

/// A waiver of one readiness item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Waived item.
    pub item: ReadinessItem,
    /// `person:<id>`
    pub actor: String,
    /// Their name at the time.
    pub name: String,
    /// Reason.
    pub reason: String,
    /// When.
    pub at: UnixMs,
}

/// What decides the listening rights of a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its term. `None`: outside of any, where no right holds.
    pub term_id: Option<TermId>,
    /// The teaching school.
    pub teaching_id: OrganisationId,
    /// Listening classes in scope; `None` for a classroom without a class.
    pub classes: Vec<Option<ClassId>>,
}

impl Store {
    /// Readiness data of those of these lessons that are in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn prepared(
        &self,
        _scope: &Scope,
        lesson_ids: &[LessonId],
        now: UnixMs,
    ) -> Result<HashMap<LessonId, Prepared>, StoreError> {
        let mut sql = Sql::new(
            "select lesson.lesson_id as lesson_id, to_play_id, piece, observation_purpose,
                    (select count(*) from person where person_id = teacher_id and closed_at_ms is null) as teachers,
                    (select count(*) from device where device.classroom_id = lesson.classroom_id
                        and revoked_at_ms is null) as devices, lesson.classroom_id as classroom_id,
                    (select count(*) from lesson_classroom hears where hears.lesson_id = lesson.lesson_id) as receivers,
                    (select count(*) from lesson_classroom hears where hears.lesson_id = lesson.lesson_id
                        and exists (select 1 from device where device.classroom_id = hears.classroom_id
                                    and revoked_at_ms is null)) as receiving_devices,
                    (select count(*) from lesson_classroom hears
                        join classroom on classroom.classroom_id = hears.classroom_id
                        where hears.lesson_id = lesson.lesson_id
                        and exists (select 1 from role_grant where role = 'assistant'
                                    and role_grant.organisation_id = classroom.organisation_id and from_ms <= ",
        );
        sql.bind(now.0).push(" and (until_ms is null or until_ms > ").bind(now.0);
        sql.push(
            "))) as assistants,
                    (select count(*) from lesson_classroom hears where hears.lesson_id = lesson.lesson_id
                        and exists (select 1 from listening_right held where held.class_id = hears.class_id
                                    and held.term_id = lesson.term_id and held.standing = 'active'
                                    and held.teaching_id = lesson.organisation_id
                                    and (subjects is null or ",
        );
        sql.push(ONE_OF_THE_SUBJECTS).push("))) as listening_rights from lesson where lesson.lesson_id in ");
        sql.list(lesson_ids.iter().map(ToString::to_string));
        let read = |row: &AnyRow| {
            let count = |column: &str| Ok::<_, StoreError>(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
            let there = |column: &str| Ok::<_, StoreError>(row.try_get::<Option<String>, _>(column)?.is_some());
            let prepared = Prepared {
                lead_teacher: count("teachers")? > 0,
                // A teacher on their own laptop needs no broadcast device.
                broadcast_device: count("devices")? > 0 || !there("classroom_id")?,
                receivers: count("receivers")?,
                receiving_devices: count("receiving_devices")?,
                assistants: count("assistants")?,
                listening_rights: count("listening_rights")?,
                recording_chosen: there("to_play_id")?,
                piece_chosen: there("piece")?,
                observation_purpose: there("observation_purpose")?,
            };
            Ok((word(row, "lesson_id")?, prepared))
        };
        sql.all(&self.pool).await?.iter().map(read).collect()
    }

    /// Waivers of these lessons, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn waivers(
        &self,
        _scope: &Scope,
        lesson_ids: &[LessonId],
    ) -> Result<HashMap<LessonId, Vec<Waiver>>, StoreError> {
        let mut sql = Sql::new(
            "select lesson_id, item, actor, name, reason, waived_at_ms from lesson_waiver where lesson_id in ",
        );
        sql.list(lesson_ids.iter().map(ToString::to_string)).push(" order by waived_at_ms, item");
        let mut waivers: HashMap<LessonId, Vec<Waiver>> = HashMap::new();
        for row in sql.all(&self.pool).await? {
            waivers.entry(word(&row, "lesson_id")?).or_default().push(Waiver {
                item: word(&row, "item")?,
                actor: row.try_get("actor")?,
                name: row.try_get("name")?,
                reason: row.try_get("reason")?,
                at: UnixMs(row.try_get("waived_at_ms")?),
            });
        }
        Ok(waivers)
    }

    /// Stores a waiver of one readiness item. False: the lesson is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; a unique rule if the item is waived already.
    pub async fn waive(
        &self,
        scope: &Scope,
        lesson_id: LessonId,
        waiver: &Waiver,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        if !writing.sees_lesson(scope, lesson_id).await? {
            return Ok(false);
        }
        let mut sql =
            Sql::new("insert into lesson_waiver (lesson_id, item, actor, name, reason, waived_at_ms) values (");
        sql.bind(lesson_id.to_string()).push(", ").bind(waiver.item.as_str()).push(", ");
        sql.bind(waiver.actor.as_str()).push(", ").bind(waiver.name.as_str()).push(", ");
        sql.bind(waiver.reason.as_str()).push(", ").bind(waiver.at.0).push(")");
        sql.run(writing.on()).await?;
        writing.commit(&row.saying(format!("{}: {}", waiver.item.as_str(), waiver.reason))).await?;
        Ok(true)
    }

    /// Term, school and classes by which the classrooms in scope heard a lesson. `None`: no such lesson.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn heard(&self, scope: &Scope, lesson_id: LessonId) -> Result<Option<Heard>, StoreError> {
        let mut sql = Sql::new("select term_id, organisation_id from lesson where lesson_id = ");
        let Some(lesson) = sql.bind(lesson_id.to_string()).optional(&self.pool).await? else { return Ok(None) };
        let mut sql = Sql::new(
            "select class_id from lesson_classroom
             join classroom on classroom.classroom_id = lesson_classroom.classroom_id
             join organisation on organisation.organisation_id = classroom.organisation_id where lesson_id = ",
        );
        sql.bind(lesson_id.to_string()).push(" and (").within(scope, "organisation.path");
        if let Reach::Some { classroom: Some(classroom_id), .. } = scope.reach() {
            sql.push(" or lesson_classroom.classroom_id = ").bind(classroom_id.to_string());
        }
        sql.push(")");
        let rows = sql.all(&self.pool).await?;
        let classes = rows.iter().map(|row| word_or_null(row, "class_id")).collect::<Result<_, StoreError>>()?;
        let term_id = word_or_null(&lesson, "term_id")?;
        Ok(Some(Heard { term_id, teaching_id: word(&lesson, "organisation_id")?, classes }))
    }
}

/// Subjects are stored one per line.
const ONE_OF_THE_SUBJECTS: &str = "('\n' || subjects || '\n') like ('%\n' || subject || '\n%')";
