//! Courses with their weekly periods and listeners.

use std::collections::HashMap;

use jiff::civil::Weekday;
use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, Versioned, Writing, word, word_or_null};
use school::{
    account::permission::Scope,
    base::id::{CourseId, OrganisationId, TermId},
    timetable::course::{Course, Listening, WeeklyPeriod},
};

impl Store {
    /// Stores a new course. False: its school is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; a reference rule if a class, room, teacher or term does not exist.
    pub async fn insert_course(&self, scope: &Scope, course: &Course, row: AuditRow) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path(scope, course.organisation_id).await? else { return Ok(false) };
        let mut sql = Sql::new(
            "insert into course (course_id, term_id, organisation_id, title, subject, stage, grade, teacher_id,
                                 classroom_id, class_id, program, mode, delivery, version) values (",
        );
        sql.bind(course.course_id.to_string()).push(", ").bind(course.term_id.to_string()).push(", ");
        sql.bind(course.organisation_id.to_string()).push(", ").bind(course.title.as_str()).push(", ");
        sql.bind(course.subject.as_str()).push(", ").bind(course.stage.as_str()).push(", ");
        sql.bind(course.grade.as_str()).push(", ").bind(course.teacher_id.to_string()).push(", ");
        sql.bind(course.classroom_id.map(|id| id.to_string())).push(", ");
        sql.bind(course.class_id.map(|id| id.to_string())).push(", ").bind(course.program.as_str()).push(", ");
        sql.bind(course.mode.as_str()).push(", ").bind(course.delivery.as_str()).push(", 1)");
        sql.run(writing.on()).await?;
        writing.insert_course_parts(course).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(true)
    }

    /// Courses of a term in scope, optionally only those of schools at or below `path`, after `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn courses(
        &self,
        scope: &Scope,
        term_id: TermId,
        path: Option<&str>,
        after: Option<CourseId>,
        limit: i64,
    ) -> Result<Vec<Versioned<Course>>, StoreError> {
        let mut sql = courses_sql();
        sql.bind(term_id.to_string()).push(" and ").within(scope, "organisation.path");
        if let Some(path) = path {
            sql.push(" and organisation.path like ").bind(format!("{path}%"));
        }
        if let Some(after) = after {
            sql.push(" and course_id > ").bind(after.to_string());
        }
        sql.push(" order by course_id limit ").bind(limit);
        let rows = sql.all(&self.pool).await?;
        let mut courses = rows.iter().map(course_from).collect::<Result<Vec<_>, _>>()?;
        self.fill(&mut courses).await?;
        Ok(courses)
    }

    /// One course. `None`: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn course(&self, scope: &Scope, course_id: CourseId) -> Result<Option<Versioned<Course>>, StoreError> {
        let mut sql = Sql::new(SELECT_COURSE);
        sql.push(" where course_id = ").bind(course_id.to_string()).push(" and ").within(scope, "organisation.path");
        let Some(row) = sql.optional(&self.pool).await? else { return Ok(None) };
        let mut courses = vec![course_from(&row)?];
        self.fill(&mut courses).await?;
        Ok(courses.pop())
    }

    async fn fill(&self, courses: &mut [Versioned<Course>]) -> Result<(), StoreError> {
        if courses.is_empty() {
            return Ok(());
        }
        let place: HashMap<CourseId, usize> =
            courses.iter().enumerate().map(|(n, stored)| (stored.value.course_id, n)).collect();
        // One page at a time: the number of values per statement is limited.
        let ids: Vec<String> = courses.iter().map(|stored| stored.value.course_id.to_string()).collect();
        for ids in ids.chunks(500) {
            let mut sql = Sql::new("select course_id, weekday, period, weeks from course_period where course_id in ");
            sql.list(ids.iter().map(String::as_str)).push(" order by weekday, period, weeks");
            for row in sql.all(&self.pool).await? {
                let weekday: i64 = row.try_get("weekday")?;
                let unknown = || StoreError::UnknownWord { column: "weekday", value: weekday.to_string() };
                let weekly = WeeklyPeriod {
                    weekday: i8::try_from(weekday)
                        .ok()
                        .and_then(|day| Weekday::from_monday_one_offset(day).ok())
                        .ok_or_else(unknown)?,
                    period: word(&row, "period")?,
                    weeks: word(&row, "weeks")?,
                };
                if let Some(n) = place.get(&word(&row, "course_id")?) {
                    courses[*n].value.weekly.push(weekly);
                }
            }
            let mut sql = Sql::new(
                "select course_id, classroom_id, class_id, organisation_id, interactive from course_listening
                 where course_id in ",
            );
            sql.list(ids.iter().map(String::as_str)).push(" order by course_id, place");
            for row in sql.all(&self.pool).await? {
                if let Some(n) = place.get(&word(&row, "course_id")?) {
                    courses[*n].value.listening.push(listening_from(&row)?);
                }
            }
        }
        Ok(())
    }
}

impl Writing {
    /// Stores a course's weekly periods and listeners.
    pub(crate) async fn insert_course_parts(&mut self, course: &Course) -> Result<(), StoreError> {
        let mut sql = Sql::new("insert into course_period (course_id, weekday, period, weeks) values ");
        for (n, weekly) in course.weekly.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).bind(course.course_id.to_string()).push(", ");
            sql.bind(i64::from(weekly.weekday.to_monday_one_offset())).push(", ");
            sql.bind(weekly.period.to_string()).push(", ").bind(weekly.weeks.to_string()).push(")");
        }
        sql.run(self.on()).await?;
        for (place, listening) in (0_i64..).zip(&course.listening) {
            let mut sql = Sql::new(
                "insert into course_listening (course_id, place, classroom_id, class_id, organisation_id, interactive)
                 values (",
            );
            sql.bind(course.course_id.to_string()).push(", ").bind(place).push(", ");
            sql.bind(listening.classroom_id.to_string()).push(", ");
            sql.bind(listening.class_id.map(|id| id.to_string())).push(", ");
            sql.bind(listening.organisation_id.to_string()).push(", ").bind(i64::from(listening.interactive)).push(")");
            sql.run(self.on()).await?;
        }
        Ok(())
    }
}

const SELECT_COURSE: &str = "
    select course_id, term_id, course.organisation_id as organisation_id, title, subject, stage, grade, teacher_id,
           classroom_id, class_id, program, mode, delivery, course.version as version
    from course join organisation on organisation.organisation_id = course.organisation_id";

fn courses_sql() -> Sql {
    let mut sql = Sql::new(SELECT_COURSE);
    sql.push(" where term_id = ");
    sql
}

fn course_from(row: &AnyRow) -> Result<Versioned<Course>, StoreError> {
    let value = Course {
        course_id: word(row, "course_id")?,
        term_id: word(row, "term_id")?,
        organisation_id: word::<OrganisationId>(row, "organisation_id")?,
        title: row.try_get("title")?,
        subject: row.try_get("subject")?,
        stage: word(row, "stage")?,
        grade: row.try_get("grade")?,
        teacher_id: word(row, "teacher_id")?,
        classroom_id: word_or_null(row, "classroom_id")?,
        class_id: word_or_null(row, "class_id")?,
        program: word(row, "program")?,
        mode: word(row, "mode")?,
        delivery: word(row, "delivery")?,
        weekly: Vec::new(),
        listening: Vec::new(),
    };
    Ok(Versioned { value, version: row.try_get("version")? })
}

pub(crate) fn listening_from(row: &AnyRow) -> Result<Listening, StoreError> {
    Ok(Listening {
        classroom_id: word(row, "classroom_id")?,
        class_id: word_or_null(row, "class_id")?,
        organisation_id: word(row, "organisation_id")?,
        interactive: row.try_get::<i64, _>("interactive")? != 0,
    })
}
