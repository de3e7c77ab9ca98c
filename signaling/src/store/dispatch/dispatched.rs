//! Reads of lessons for dispatch, and lookups before it acts.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Weekday;
use sqlx::{Row, any::AnyRow};

use crate::store::{Sql, Store, StoreError, timetable::course::listening_from, word, word_or_null};
use school::{
    account::permission::Scope,
    base::{
        id::{BellScheduleId, ClassId, ClassroomId, LessonId, OrganisationId, PersonId, TermId},
        time::UnixMs,
    },
    dispatch::{DispatchedLesson, booking::Resource},
    timetable::{Slot, course::Listening, two_ends::Span},
};

/// Most lessons of one day: a county of 400 schools has 700.
const DAY_LESSONS_MAX: i64 = 3_000;

impl Store {
    /// Lessons with these ids that are taught in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn dispatched(
        &self,
        scope: &Scope,
        lesson_ids: &[LessonId],
    ) -> Result<Vec<DispatchedLesson>, StoreError> {
        let mut sql = Sql::new(SELECT_DISPATCHED);
        sql.within(scope, "organisation.path").push(" and lesson_id in ");
        sql.list(lesson_ids.iter().map(ToString::to_string)).push(" order by starts_at_ms, lesson_id");
        self.fetch_dispatched(sql).await
    }

    /// Lessons that schools below `path` teach on a date, without cancelled ones.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn dispatched_on(
        &self,
        scope: &Scope,
        path: &str,
        held_on: jiff::civil::Date,
    ) -> Result<Vec<DispatchedLesson>, StoreError> {
        let mut sql = Sql::new(SELECT_DISPATCHED);
        sql.within(scope, "organisation.path").push(" and state <> 'cancelled' and held_on = ");
        sql.bind(held_on.to_string()).push(" and organisation.path like ").bind(format!("{path}%"));
        sql.push(" order by starts_at_ms, lesson_id limit ").bind(DAY_LESSONS_MAX);
        self.fetch_dispatched(sql).await
    }

    /// Term and grade of each of these lessons that is taught in scope. Lessons outside of any term are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn terms_and_grades(
        &self,
        scope: &Scope,
        lesson_ids: impl IntoIterator<Item = LessonId>,
    ) -> Result<HashMap<LessonId, (TermId, String)>, StoreError> {
        let mut sql = Sql::new(
            "select lesson_id, term_id, grade from lesson
             join organisation on organisation.organisation_id = lesson.organisation_id
             where term_id is not null and ",
        );
        sql.within(scope, "organisation.path").push(" and lesson_id in ");
        sql.list(lesson_ids.into_iter().map(|id| id.to_string()));
        let read = |row: &AnyRow| Ok((word(row, "lesson_id")?, (word(row, "term_id")?, row.try_get("grade")?)));
        sql.all(&self.pool).await?.iter().map(read).collect()
    }

    /// Owners of these classrooms. `None`: the teacher, a classroom or a class is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn rooms_in(
        &self,
        scope: &Scope,
        teacher_id: PersonId,
        classroom_ids: &[ClassroomId],
        class_ids: &[ClassId],
    ) -> Result<Option<HashMap<ClassroomId, OrganisationId>>, StoreError> {
        let (rooms, classes): (BTreeSet<_>, BTreeSet<_>) = (
            classroom_ids.iter().map(ToString::to_string).collect(),
            class_ids.iter().map(ToString::to_string).collect(),
        );
        let found = async |table: &str, key: &str, ids: BTreeSet<String>| {
            let mut sql = Sql::new("select ");
            sql.push(key).push(" as id, ").push(table).push(".organisation_id as organisation_id from ").push(table);
            sql.push(" join organisation on organisation.organisation_id = ")
                .push(table)
                .push(".organisation_id where ");
            sql.push(table).push(".closed_at_ms is null and ").push(key).push(" in ").list(ids).push(" and ");
            sql.within(scope, "organisation.path").all(&self.pool).await
        };
        let teachers = found("person", "person_id", BTreeSet::from([teacher_id.to_string()])).await?;
        let (wanted_rooms, wanted_classes) = (rooms.len(), classes.len());
        let classes = found("school_class", "class_id", classes).await?;
        let rooms = found("classroom", "classroom_id", rooms).await?;
        if teachers.len() != 1 || rooms.len() != wanted_rooms || classes.len() != wanted_classes {
            return Ok(None);
        }
        let read = |row: &AnyRow| Ok((word(row, "id")?, word(row, "organisation_id")?));
        rooms.iter().map(read).collect::<Result<_, StoreError>>().map(Some)
    }

    /// Titles of those of these lessons that are taught in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn titles(
        &self,
        scope: &Scope,
        lesson_ids: &[LessonId],
    ) -> Result<HashMap<LessonId, String>, StoreError> {
        let mut sql = Sql::new(
            "select lesson_id, title from lesson
             join organisation on organisation.organisation_id = lesson.organisation_id where ",
        );
        sql.within(scope, "organisation.path").push(" and lesson_id in ");
        sql.list(lesson_ids.iter().take(500).map(ToString::to_string));
        sql.all(&self.pool).await?.iter().map(|row| Ok((word(row, "lesson_id")?, row.try_get("title")?))).collect()
    }

    async fn fetch_dispatched(&self, sql: Sql) -> Result<Vec<DispatchedLesson>, StoreError> {
        let rows = sql.all(&self.pool).await?;
        let mut lessons = rows.iter().map(dispatched_from).collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<String> = lessons.iter().map(|lesson| lesson.lesson_id.to_string()).collect();
        let place: HashMap<LessonId, usize> =
            lessons.iter().enumerate().map(|(n, lesson)| (lesson.lesson_id, n)).collect();
        for ids in ids.chunks(500) {
            let mut sql = Sql::new(
                "select lesson_id, lesson_classroom.classroom_id as classroom_id, class_id, interactive,
                        classroom.organisation_id as organisation_id
                 from lesson_classroom join classroom on classroom.classroom_id = lesson_classroom.classroom_id
                 where lesson_id in ",
            );
            sql.list(ids.iter().map(String::as_str)).push(" order by lesson_classroom.classroom_id");
            for row in sql.all(&self.pool).await? {
                if let Some(n) = place.get(&word(&row, "lesson_id")?) {
                    lessons[*n].listening.push(listening_from(&row)?);
                }
            }
            let mut sql =
                Sql::new("select lesson_id, resource from booking where resource like 'device:%' and lesson_id in ");
            sql.list(ids.iter().map(String::as_str));
            for row in sql.all(&self.pool).await? {
                if let (Some(n), Resource::Device(id)) = (place.get(&word(&row, "lesson_id")?), word(&row, "resource")?)
                {
                    lessons[*n].device_ids.push(id);
                }
            }
        }
        Ok(lessons)
    }
}

const SELECT_DISPATCHED: &str = "
    select lesson_id, lesson.organisation_id as organisation_id, state, teacher_id, classroom_id, class_id, week_no,
           weekday, period, held_on, starts_at_ms, ends_at_ms, lesson.version as version
    from lesson join organisation on organisation.organisation_id = lesson.organisation_id where ";

fn dispatched_from(row: &AnyRow) -> Result<DispatchedLesson, StoreError> {
    let span = Span { starts_at: UnixMs(row.try_get("starts_at_ms")?), ends_at: UnixMs(row.try_get("ends_at_ms")?) };
    Ok(DispatchedLesson {
        lesson_id: word(row, "lesson_id")?,
        organisation_id: word::<OrganisationId>(row, "organisation_id")?,
        state: word(row, "state")?,
        teacher_id: word(row, "teacher_id")?,
        classroom_id: word_or_null(row, "classroom_id")?,
        class_id: word_or_null(row, "class_id")?,
        device_ids: Vec::new(),
        slot: slot_from(row, span)?,
        span,
        listening: Vec::<Listening>::new(),
        version: row.try_get("version")?,
    })
}

fn slot_from(row: &AnyRow, span: Span) -> Result<Option<Slot>, StoreError> {
    let (week_no, weekday): (Option<i64>, Option<i64>) = (row.try_get("week_no")?, row.try_get("weekday")?);
    let weekday =
        weekday.and_then(|day| i8::try_from(day).ok()).and_then(|day| Weekday::from_monday_one_offset(day).ok());
    let week_no = week_no.and_then(|week| u8::try_from(week).ok());
    let (period, date) = (word_or_null(row, "period")?, word_or_null(row, "held_on")?);
    // The bell schedule it was planned by is not stored, only the resulting times.
    let bell_schedule_id = BellScheduleId::from(uuid::Uuid::nil());
    let found = week_no.zip(weekday).zip(period).zip(date);
    Ok(found.map(|(((week_no, weekday), period), date)| Slot {
        week_no,
        weekday,
        period,
        date,
        span,
        bell_schedule_id,
    }))
}
