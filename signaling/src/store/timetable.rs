//! The week grid, and the state transitions of each lesson.

pub(crate) mod calendar;
pub(crate) mod calendar_edit;
pub(crate) mod course;
pub(crate) mod pairing;
pub(crate) mod revoke;

use std::{collections::HashMap, str::FromStr};

use jiff::civil::Date;
use sqlx::{Row, any::AnyRow};

use super::{Sql, Store, StoreError, word};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassId, ClassroomId, LessonId, OrganisationId, PersonId},
        time::UnixMs,
    },
    lesson::life::{LessonState, Transition},
    timetable::{course::Listening, program::Mode, two_ends::Span},
};

/// A lesson in the grid, with the fields that a cell shows.
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
    /// Weekday of the plan, 1 for Monday.
    pub weekday: i64,
    /// `lesson-3`
    pub period: String,
    pub held_on: Date,
    pub starts_at: UnixMs,
    pub ends_at: UnixMs,
    pub mode: Mode,
    /// Classrooms may join from this time on.
    pub opens_at: UnixMs,
    pub listening: Vec<GridListening>,
    pub version: i64,
}

/// A listening end in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridListening {
    /// The classroom.
    pub classroom_id: ClassroomId,
    /// The class in it. `None`: teachers.
    pub class_id: Option<ClassId>,
    /// Latest time to join, by its own bell. `None`: the end of the lesson.
    pub join_until: Option<UnixMs>,
}

/// Filter of the grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GridOf {
    /// A class, at either end.
    Class(ClassId),
    /// A teacher.
    Teacher(PersonId),
    /// A classroom, at either end.
    Classroom(ClassroomId),
    /// Every school below this path, as teaching school.
    Path(String),
}

/// Lesson counts of one school and day, in a grid of many schools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridDay {
    /// The school.
    pub organisation_id: OrganisationId,
    /// Name of the school.
    pub name: String,
    /// The day.
    pub held_on: Date,
    /// All lessons of the day.
    pub lessons: i64,
    /// Cancelled ones of them.
    pub cancelled: i64,
    /// Missed ones of them.
    pub missed: i64,
}

/// Most lessons in one grid: a county of 400 schools has 3,000 a week.
pub const GRID_MAX: i64 = 10_000;

impl Store {
    /// Lessons of one week from Monday to Sunday, by the date they are held on, that are taught or listened to in
    /// scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn week_grid(
        &self,
        scope: &Scope,
        monday: Date,
        sunday: Date,
        of: &GridOf,
    ) -> Result<Vec<GridLesson>, StoreError> {
        // One text for all: a county's week has 3,000 lessons, and reading each as a row of 18 values takes far longer
        // than finding them. Stored names contain no separator: control characters are refused.
        let columns = [
            "lesson_id",
            "lesson.organisation_id",
            "title",
            "subject",
            "state",
            "teacher_id",
            "person.name",
            "coalesce(lesson.classroom_id, '')",
            "coalesce(class_id, '')",
            "cast(weekday as text)",
            "period",
            "held_on",
            "cast(starts_at_ms as text)",
            "cast(ends_at_ms as text)",
            "cast(lesson.version as text)",
            "mode",
            "cast(opens_at_ms as text)",
            "listening",
        ];
        let mut sql = Sql::new("select string_agg(cell, '");
        sql.push(&LESSON_SEPARATOR.to_string()).push("') as cells from (select ");
        sql.push(&columns.join(&format!(" || '{SEPARATOR}' || "))).push(
            " as cell from lesson
             join organisation on organisation.organisation_id = lesson.organisation_id
             join person on person.person_id = teacher_id
             where held_on between ",
        );
        sql.bind(monday.to_string()).push(" and ").bind(sunday.to_string()).push(" and ");
        narrow(&mut sql, of, scope);
        sql.push(" order by held_on, starts_at_ms, lesson_id limit ").bind(GRID_MAX).push(") as grid");
        let Some(row) = sql.optional(&self.pool).await? else { return Ok(Vec::new()) };
        let cells: Option<&str> = row.try_get("cells")?;
        let cells = cells.into_iter().flat_map(|cells| cells.split(LESSON_SEPARATOR));
        let mut lessons = cells.map(grid_from).collect::<Result<Vec<_>, _>>()?;
        // Neither database guarantees the order of aggregation.
        lessons.sort_by_key(|lesson| (lesson.held_on, lesson.starts_at, lesson.lesson_id));
        Ok(lessons)
    }

    /// Number of lessons that each school below `path` teaches on each day from Monday to Sunday, by name and day; days
    /// and schools without any are left out. Empty: `path` is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn week_counts(
        &self,
        scope: &Scope,
        monday: Date,
        sunday: Date,
        path: &str,
    ) -> Result<Vec<GridDay>, StoreError> {
        if !scope.covers(path) {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(
            "select lesson.organisation_id as organisation_id, held_on, max(organisation.name) as name, count(*) as lessons,
                    count(case when state = 'cancelled' then 1 end) as cancelled,
                    count(case when state = 'missed' then 1 end) as missed
             from lesson join organisation on organisation.organisation_id = lesson.organisation_id
             where held_on between ",
        );
        sql.bind(monday.to_string()).push(" and ").bind(sunday.to_string()).push(" and organisation.path >= ");
        sql.bind(path).push(" and organisation.path < ").bind(format!("{}0", path.trim_end_matches('/')));
        sql.push(" group by held_on, lesson.organisation_id order by name, lesson.organisation_id, held_on limit ");
        sql.bind(GRID_MAX);
        let read = |row: &AnyRow| {
            Ok(GridDay {
                organisation_id: word(row, "organisation_id")?,
                name: row.try_get("name")?,
                held_on: word(row, "held_on")?,
                lessons: row.try_get("lessons")?,
                cancelled: row.try_get("cancelled")?,
                missed: row.try_get("missed")?,
            })
        };
        sql.all(&self.pool).await?.iter().map(read).collect()
    }

    /// Reasons why these lessons, already read in scope, were cancelled or missed; those without one are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn reasons(
        &self,
        _scope: &Scope,
        lesson_ids: &[LessonId],
    ) -> Result<HashMap<LessonId, String>, StoreError> {
        let mut sql = Sql::new("select lesson_id, reason from lesson_transition where reason <> '' and to_state in ");
        sql.list([LessonState::Cancelled.as_str(), LessonState::Missed.as_str()]).push(" and lesson_id in ");
        sql.list(lesson_ids.iter().map(ToString::to_string));
        sql.all(&self.pool).await?.iter().map(|row| Ok((word(row, "lesson_id")?, row.try_get("reason")?))).collect()
    }

    /// All state transitions of a lesson, in order. Empty: none, or it is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
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
        // By the order of states, not by time: clocks may go back.
        steps.sort_by_key(|step| step.to);
        Ok(steps)
    }
}

/// Separates the columns of one lesson.
const SEPARATOR: char = '\u{1f}';

/// Separates the lessons of a grid.
const LESSON_SEPARATOR: char = '\u{1e}';

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
            // `0` follows `/`: a range of paths. Lessons that its schools teach are found first, without reading their
            // listeners. A teaching point teaches nothing and listens all day.
            let end = format!("{}0", path.trim_end_matches('/'));
            sql.push("((organisation.path >= ")
                .bind(path.as_str())
                .push(" and organisation.path < ")
                .bind(end.as_str());
            sql.push(
                ") or exists (
                     select 1 from lesson_classroom there
                     join classroom on classroom.classroom_id = there.classroom_id
                     join organisation point on point.organisation_id = classroom.organisation_id
                     where there.lesson_id = lesson.lesson_id and point.path >= ",
            );
            sql.bind(path.as_str()).push(" and point.path < ").bind(end).push("))");
            if scope.covers(path) {
                return;
            }
        }
    }
    sql.push(" and (").within(scope, "organisation.path");
    sql.push(
        " or exists (select 1 from lesson_classroom heard
                     join classroom on classroom.classroom_id = heard.classroom_id
                     join organisation listener on listener.organisation_id = classroom.organisation_id
                     where heard.lesson_id = lesson.lesson_id and ",
    );
    sql.within(scope, "listener.path").push("))");
}

fn grid_from(cell: &str) -> Result<GridLesson, StoreError> {
    let read = || {
        let mut columns = cell.split(SEPARATOR);
        let mut next = || columns.next();
        let mut lesson = GridLesson {
            lesson_id: next()?.parse().ok()?,
            organisation_id: next()?.parse().ok()?,
            title: next()?.into(),
            subject: next()?.into(),
            state: next()?.parse().ok()?,
            teacher_id: next()?.parse().ok()?,
            teacher: next()?.into(),
            classroom_id: maybe(next()?)?,
            class_id: maybe(next()?)?,
            weekday: next()?.parse().ok()?,
            period: next()?.into(),
            held_on: next()?.parse().ok()?,
            starts_at: UnixMs(next()?.parse().ok()?),
            ends_at: UnixMs(next()?.parse().ok()?),
            version: next()?.parse().ok()?,
            mode: next()?.parse().ok()?,
            opens_at: UnixMs(next()?.parse().ok()?),
            listening: Vec::new(),
        };
        lesson.listening = read_listening(next()?, lesson.starts_at)?;
        Some(lesson)
    };
    read().ok_or_else(|| StoreError::UnknownWord { column: "cell", value: cell.to_owned() })
}

/// Parses an optional value. Empty: none.
fn maybe<T: FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

/// One line per listening end: classroom, class, and the seconds after the start until which it may join.
pub(super) fn write_listening(listening: &[Listening], join_windows: &[Span], starts_at: UnixMs) -> String {
    let line = |(n, end): (usize, &Listening)| {
        let class = end.class_id.map(|id| id.to_string()).unwrap_or_default();
        let until = join_windows.get(n).map(|window| ((window.ends_at.0 - starts_at.0) / 1000).to_string());
        format!("{} {class} {}", end.classroom_id, until.unwrap_or_default())
    };
    listening.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn read_listening(text: &str, starts_at: UnixMs) -> Option<Vec<GridListening>> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let (classroom_id, class_id) = (words.next()?.parse().ok()?, maybe(words.next()?)?);
        let until: Option<i64> = maybe(words.next().unwrap_or_default())?;
        let join_until = until.map(|seconds| UnixMs(starts_at.0 + seconds * 1000));
        Some(GridListening { classroom_id, class_id, join_until })
    };
    text.lines().map(line).collect()
}
