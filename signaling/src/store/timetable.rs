//! The week grid, and the story of each lesson.

use std::collections::HashMap;

use jiff::civil::Date;
use sqlx::{Row, any::AnyRow};

use super::{Sql, Store, StoreError, word, word_or_null};
use crate::domain::{
    id::{ClassId, ClassroomId, LessonId, OrganisationId, PersonId},
    lesson_life::{LessonState, Transition},
    permission::Scope,
    time::UnixMs,
};

/// A lesson in the grid: no more than a cell shows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the lesson")]
pub struct GridLesson {
    pub lesson_id: LessonId,
    pub organisation_id: OrganisationId,
    pub title: String,
    pub subject: String,
    pub state: LessonState,
    pub teacher_id: PersonId,
    pub teacher: String,
    pub classroom_id: Option<ClassroomId>,
    pub class_id: Option<ClassId>,
    /// 1: Monday of the plan.
    pub weekday: i64,
    /// `lesson-3`
    pub period: String,
    pub held_on: Date,
    pub starts_at: UnixMs,
    pub ends_at: UnixMs,
    /// Listening classrooms, each with its class.
    pub listening: Vec<(ClassroomId, Option<ClassId>)>,
    pub version: i64,
}

/// Whose week it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GridOf {
    /// A class's, at either end.
    Class(ClassId),
    /// A teacher's.
    Teacher(PersonId),
    /// A classroom's, at either end.
    Classroom(ClassroomId),
    /// That of every school below this path, as they teach.
    Path(String),
}

/// Lessons in one grid: a county of 400 schools has 3,000 a week.
pub const GRID_MAX: i64 = 10_000;

impl Store {
    /// The lessons of one week from Monday to Sunday, by the date they are given on, that are taught or listened to in
    /// scope.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn week_grid(
        &self,
        scope: &Scope,
        monday: Date,
        sunday: Date,
        of: &GridOf,
    ) -> Result<Vec<GridLesson>, StoreError> {
        let mut sql = Sql::new(
            "select lesson_id, lesson.organisation_id as organisation_id, title, subject, state, teacher_id,
                    person.name as teacher, lesson.classroom_id as classroom_id, class_id, weekday, period, held_on,
                    starts_at_ms, ends_at_ms, lesson.version as version
             from lesson
             join organisation on organisation.organisation_id = lesson.organisation_id
             join person on person.person_id = teacher_id
             where held_on between ",
        );
        sql.bind(monday.to_string()).push(" and ").bind(sunday.to_string()).push(" and ");
        narrow(&mut sql, of, scope);
        sql.push(" order by starts_at_ms, lesson_id limit ").bind(GRID_MAX);
        let rows = sql.all(&self.pool).await?;
        let mut lessons = rows.iter().map(grid_from).collect::<Result<Vec<_>, _>>()?;
        let place: HashMap<LessonId, usize> =
            lessons.iter().enumerate().map(|(n, lesson)| (lesson.lesson_id, n)).collect();
        // The same lessons once more, rather than a list of thousands of ids.
        let mut sql = Sql::new(
            "select lesson_classroom.lesson_id as lesson_id, lesson_classroom.classroom_id as classroom_id,
                    lesson_classroom.class_id as class_id
             from lesson
             join organisation on organisation.organisation_id = lesson.organisation_id
             join lesson_classroom on lesson_classroom.lesson_id = lesson.lesson_id
             where held_on between ",
        );
        sql.bind(monday.to_string()).push(" and ").bind(sunday.to_string()).push(" and ");
        narrow(&mut sql, of, scope);
        for row in sql.all(&self.pool).await? {
            if let Some(n) = place.get(&word(&row, "lesson_id")?) {
                lessons[*n].listening.push((word(&row, "classroom_id")?, word_or_null(&row, "class_id")?));
            }
        }
        Ok(lessons)
    }

    /// Every step that a lesson took, the first one first. Empty: it took none, or it is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn transitions(&self, scope: &Scope, lesson_id: LessonId) -> Result<Vec<Transition>, StoreError> {
        if self.lesson(scope, lesson_id).await?.is_none() {
            return Ok(Vec::new());
        }
        let mut sql =
            Sql::new("select from_state, to_state, at_ms, actor, reason from lesson_transition where lesson_id = ");
        sql.bind(lesson_id.to_string());
        let read = |row: &AnyRow| {
            Ok(Transition {
                from: word(row, "from_state")?,
                to: word(row, "to_state")?,
                at: UnixMs(row.try_get("at_ms")?),
                actor: row.try_get("actor")?,
                reason: row.try_get("reason")?,
            })
        };
        let mut steps = sql.all(&self.pool).await?.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        // By the order of a life, not by the time: clocks go back.
        steps.sort_by_key(|step| step.to);
        Ok(steps)
    }
}

fn narrow(sql: &mut Sql, of: &GridOf, scope: &Scope) {
    match of {
        GridOf::Teacher(id) => {
            sql.push("teacher_id = ").bind(id.to_string());
        }
        GridOf::Class(id) => {
            sql.push("(lesson.class_id = ").bind(id.to_string());
            sql.push(" or lesson.lesson_id in (select lesson_id from lesson_classroom where class_id = ");
            sql.bind(id.to_string()).push("))");
        }
        GridOf::Classroom(id) => {
            sql.push("(lesson.classroom_id = ").bind(id.to_string());
            sql.push(" or lesson.lesson_id in (select lesson_id from lesson_classroom where classroom_id = ");
            sql.bind(id.to_string()).push("))");
        }
        GridOf::Path(path) => {
            sql.push("(organisation.path like ").bind(format!("{path}%"));
            // A teaching point teaches nothing and listens all day.
            sql.push(
                " or exists (select 1 from lesson_classroom there
                             join classroom on classroom.classroom_id = there.classroom_id
                             join organisation point on point.organisation_id = classroom.organisation_id
                             where there.lesson_id = lesson.lesson_id and point.path like ",
            );
            sql.bind(format!("{path}%")).push("))");
        }
    }
    sql.push(" and (").within(scope, "organisation.path");
    sql.push(
        " or exists (select 1 from lesson_classroom listening
                     join classroom on classroom.classroom_id = listening.classroom_id
                     join organisation listener on listener.organisation_id = classroom.organisation_id
                     where listening.lesson_id = lesson.lesson_id and ",
    );
    sql.within(scope, "listener.path").push("))");
}

fn grid_from(row: &AnyRow) -> Result<GridLesson, StoreError> {
    Ok(GridLesson {
        lesson_id: word(row, "lesson_id")?,
        organisation_id: word(row, "organisation_id")?,
        title: row.try_get("title")?,
        subject: row.try_get("subject")?,
        state: word(row, "state")?,
        teacher_id: word(row, "teacher_id")?,
        teacher: row.try_get("teacher")?,
        classroom_id: word_or_null(row, "classroom_id")?,
        class_id: word_or_null(row, "class_id")?,
        weekday: row.try_get("weekday")?,
        period: row.try_get("period")?,
        held_on: word(row, "held_on")?,
        starts_at: UnixMs(row.try_get("starts_at_ms")?),
        ends_at: UnixMs(row.try_get("ends_at_ms")?),
        listening: Vec::new(),
        version: row.try_get("version")?,
    })
}
