//! Edits of years, terms, courses and bell schedules, refused while dependents exist: lessons keep their plan.

use std::collections::HashMap;

use jiff::civil::Date;
use sqlx::Row;

use crate::store::{AuditRow, Sql, Store, StoreError, Writing, db::edit::Edited, word};
use school::{
    account::permission::Scope,
    base::{
        id::{BellScheduleId, CourseId, OrganisationId, SchoolYearId, TermId},
        words::words,
    },
    timetable::{
        bell_schedule::{BellSchedule, Bells},
        calendar::{SchoolYear, Term, monday_of},
        course::{Course, stage_of},
    },
};

words!(
    /// Dependents of a year, a term, a course or a bell schedule.
    Dependents {
        /// Its terms.
        Terms = "terms",
        /// Courses of the term.
        Courses = "courses",
        /// Pairings and listening rights of the term.
        Agreements = "agreements",
        /// Lessons.
        Lessons = "lessons",
    }
);

/// Dependents prevent this edit or deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} {} stand on it", .what.as_str())]
pub struct StandsOn {
    /// Kind.
    pub what: Dependents,
    /// Number.
    pub count: i64,
}

/// Why an edit is refused.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// Dependents exist.
    #[error(transparent)]
    StandsOn(#[from] StandsOn),
    /// Store error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for EditError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The edited row: a table of the calendar and an id.
#[derive(Clone, Copy)]
enum Thing {
    Year(SchoolYearId),
    Term(TermId),
    Course(CourseId),
    Bells(BellScheduleId),
}

impl Thing {
    fn table(self) -> &'static str {
        match self {
            Self::Year(_) => "school_year",
            Self::Term(_) => "term",
            Self::Course(_) => "course",
            Self::Bells(_) => "bell_schedule",
        }
    }

    fn id(self) -> String {
        match self {
            Self::Year(id) => id.to_string(),
            Self::Term(id) => id.to_string(),
            Self::Course(id) => id.to_string(),
            Self::Bells(id) => id.to_string(),
        }
    }

    /// Appends `where` with the row's id.
    fn find(self, sql: &mut Sql) -> &mut Sql {
        sql.push(" where ").push(self.table()).push(".").push(self.table()).push("_id = ").bind(self.id())
    }
}

/// An edit whose scope and version are checked; committed, or dropped after a dry run.
struct Editing {
    writing: Writing,
    path: String,
    /// Commit at the end; otherwise a dry run.
    really: bool,
}

impl Store {
    /// Changes a school year. The caller checks its terms first. `really` false: dry run.
    ///
    /// # Errors
    /// [`EditError`].
    pub async fn change_school_year(
        &self,
        scope: &Scope,
        (year, version): (&SchoolYear, i64),
        really: bool,
        row: AuditRow,
    ) -> Result<Edited<i64>, EditError> {
        let thing = Thing::Year(year.school_year_id);
        let mut editing = match self.edit(scope, thing, version, really).await? {
            Edited::Done(editing) => editing,
            other => return Ok(other.map(|_| 0)),
        };
        let mut sql = Sql::new("update school_year set name = ");
        sql.bind(year.name.as_str()).push(", first_day = ").bind(year.first_day.to_string()).push(", last_day = ");
        thing.find(sql.bind(year.last_day.to_string())).run(editing.writing.on()).await?;
        Ok(Edited::Done(editing.finish(version + 1, row).await?))
    }

    /// Deletes a school year without terms.
    ///
    /// # Errors
    /// [`StandsOn`] if it has terms.
    pub async fn delete_school_year(
        &self,
        scope: &Scope,
        (id, version): (SchoolYearId, i64),
        really: bool,
        row: AuditRow,
    ) -> Result<Edited<i64>, EditError> {
        self.delete(scope, Thing::Year(id), version, really, row, &[("term", Dependents::Terms)]).await
    }

    /// Changes a term. The caller checks its year and the other terms first.
    ///
    /// # Errors
    /// [`StandsOn`] if lessons would lie outside of it, or if weeks that have lessons would be renumbered.
    pub async fn change_term(
        &self,
        scope: &Scope,
        (before, term): (&Term, &Term),
        version: i64,
        really: bool,
        row: AuditRow,
    ) -> Result<Edited<i64>, EditError> {
        let thing = Thing::Term(term.term_id);
        let mut editing = match self.edit(scope, thing, version, really).await? {
            Edited::Done(editing) => editing,
            other => return Ok(other.map(|_| 0)),
        };
        let mut sql = Sql::new("select count(*) as n from lesson where state <> 'cancelled' and term_id = ");
        sql.bind(term.term_id.to_string());
        // A different first Monday renumbers all weeks, and lessons refer to theirs by number.
        if monday_of(before.first_day) == monday_of(term.first_day) {
            sql.push(" and (held_on < ").bind(term.first_day.to_string());
            sql.push(" or held_on > ").bind(term.last_day.to_string()).push(")");
        }
        editing.none(&sql, Dependents::Lessons).await?;
        let mut sql = Sql::new("update term set name = ");
        sql.bind(term.name.as_str()).push(", first_day = ").bind(term.first_day.to_string()).push(", last_day = ");
        thing.find(sql.bind(term.last_day.to_string())).run(editing.writing.on()).await?;
        Ok(Edited::Done(editing.finish(version + 1, row).await?))
    }

    /// Deletes a term in which nothing was planned.
    ///
    /// # Errors
    /// [`StandsOn`] if lessons, courses or agreements are in it.
    pub async fn delete_term(
        &self,
        scope: &Scope,
        (id, version): (TermId, i64),
        really: bool,
        row: AuditRow,
    ) -> Result<Edited<i64>, EditError> {
        let standing = [
            ("lesson", Dependents::Lessons),
            ("course", Dependents::Courses),
            ("pairing", Dependents::Agreements),
            ("listening_right", Dependents::Agreements),
        ];
        self.delete(scope, Thing::Term(id), version, really, row, &standing).await
    }

    /// Changes a course: its title always; anything else only while no coming lesson was planned by it.
    ///
    /// # Errors
    /// [`StandsOn`] if such a lesson exists.
    pub async fn change_course(
        &self,
        scope: &Scope,
        (before, course): (&Course, &Course),
        version: i64,
        really: bool,
        row: AuditRow,
    ) -> Result<Edited<i64>, EditError> {
        let thing = Thing::Course(course.course_id);
        let mut editing = match self.edit(scope, thing, version, really).await? {
            Edited::Done(editing) => editing,
            other => return Ok(other.map(|_| 0)),
        };
        let renamed = Course { title: course.title.clone(), ..before.clone() };
        if renamed != *course {
            let mut sql = Sql::new("select count(*) as n from lesson where state in ('scheduled', 'open', 'live')");
            sql.push(" and course_id = ").bind(course.course_id.to_string());
            editing.none(&sql, Dependents::Lessons).await?;
        }
        let mut sql = Sql::new("update course set title = ");
        sql.bind(course.title.as_str()).push(", teacher_id = ").bind(course.teacher_id.to_string());
        sql.push(", classroom_id = ").bind(course.classroom_id.map(|id| id.to_string()));
        thing.find(&mut sql).run(editing.writing.on()).await?;
        for table in ["course_period", "course_listening"] {
            let mut sql = Sql::new("delete from ");
            sql.push(table).push(" where course_id = ").bind(course.course_id.to_string());
            sql.run(editing.writing.on()).await?;
        }
        editing.writing.insert_course_parts(course).await?;
        Ok(Edited::Done(editing.finish(version + 1, row).await?))
    }

    /// Deletes a course by which no lesson was planned.
    ///
    /// # Errors
    /// [`StandsOn`] if one was.
    pub async fn delete_course(
        &self,
        scope: &Scope,
        (id, version): (CourseId, i64),
        really: bool,
        row: AuditRow,
    ) -> Result<Edited<i64>, EditError> {
        self.delete(scope, Thing::Course(id), version, really, row, &[("lesson", Dependents::Lessons)]).await
    }

    /// Changes a bell schedule: its name always; bells and season only while no coming lesson uses it.
    ///
    /// # Errors
    /// [`StandsOn`] if one does.
    pub async fn change_bell_schedule(
        &self,
        scope: &Scope,
        (before, schedule): (&BellSchedule, &BellSchedule),
        version: i64,
        really: bool,
        row: AuditRow,
    ) -> Result<Edited<i64>, EditError> {
        let thing = Thing::Bells(schedule.bell_schedule_id);
        if before.season != schedule.season || before.periods != schedule.periods {
            self.nothing_rings_by(scope, before.bell_schedule_id).await?;
        }
        let mut editing = match self.edit(scope, thing, version, really).await? {
            Edited::Done(editing) => editing,
            other => return Ok(other.map(|_| 0)),
        };
        let mut sql = Sql::new("update bell_schedule set name = ");
        sql.bind(schedule.name.as_str()).push(", from_day = ").bind(schedule.season.from.to_string());
        sql.push(", until_day = ");
        thing.find(sql.bind(schedule.season.until.to_string())).run(editing.writing.on()).await?;
        let mut sql = Sql::new("delete from bell_period where bell_schedule_id = ");
        sql.bind(thing.id()).run(editing.writing.on()).await?;
        editing.writing.insert_bell_periods(schedule).await?;
        Ok(Edited::Done(editing.finish(version + 1, row).await?))
    }

    /// Deletes a bell schedule that no coming lesson uses.
    ///
    /// # Errors
    /// [`StandsOn`] if one does.
    pub async fn delete_bell_schedule(
        &self,
        scope: &Scope,
        (id, version): (BellScheduleId, i64),
        really: bool,
        row: AuditRow,
    ) -> Result<Edited<i64>, EditError> {
        // Authorise first: dependents are not disclosed to callers who may not edit it.
        let editing = match self.edit(scope, Thing::Bells(id), version, false).await? {
            Edited::Done(editing) => editing,
            other => return Ok(other.map(|_| 0)),
        };
        drop(editing);
        self.nothing_rings_by(scope, id).await?;
        self.delete(scope, Thing::Bells(id), version, really, row, &[]).await
    }

    async fn edit(
        &self,
        scope: &Scope,
        thing: Thing,
        version: i64,
        really: bool,
    ) -> Result<Edited<Editing>, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("select organisation.path as path from ");
        sql.push(thing.table());
        if matches!(thing, Thing::Term(_)) {
            sql.push(" join school_year on school_year.school_year_id = term.school_year_id");
        }
        let whose = if matches!(thing, Thing::Term(_)) { "school_year" } else { thing.table() };
        sql.push(" join organisation on organisation.organisation_id = ").push(whose).push(".organisation_id");
        thing.find(&mut sql).push(" and ").within(scope, "organisation.path");
        let Some(found) = sql.optional_on(writing.on()).await? else { return Ok(Edited::Gone) };
        let path: String = found.try_get("path")?;
        // Locks the row: a concurrent edit waits, then finds another version.
        let mut sql = Sql::new("update ");
        sql.push(thing.table()).push(" set version = version + 1");
        thing.find(&mut sql).push(" and version = ").bind(version);
        if sql.run(writing.on()).await? == 0 {
            return Ok(Edited::OtherVersion);
        }
        Ok(Edited::Done(Editing { writing, path, really }))
    }

    async fn delete(
        &self,
        scope: &Scope,
        thing: Thing,
        version: i64,
        really: bool,
        row: AuditRow,
        standing: &[(&str, Dependents)],
    ) -> Result<Edited<i64>, EditError> {
        let mut editing = match self.edit(scope, thing, version, really).await? {
            Edited::Done(editing) => editing,
            other => return Ok(other.map(|_| 0)),
        };
        for (table, what) in standing {
            let mut sql = Sql::new("select count(*) as n from ");
            sql.push(table).push(" where ").push(thing.table()).push("_id = ").bind(thing.id());
            editing.none(&sql, *what).await?;
        }
        let parts: &[&str] = match thing {
            Thing::Course(_) => &["course_period", "course_listening"],
            Thing::Bells(_) => &["bell_period"],
            Thing::Year(_) | Thing::Term(_) => &[],
        };
        for table in parts.iter().chain(&[thing.table()]) {
            let mut sql = Sql::new("delete from ");
            sql.push(table).push(" where ").push(thing.table()).push("_id = ").bind(thing.id());
            sql.run(editing.writing.on()).await?;
        }
        Ok(Edited::Done(editing.finish(version, row).await?))
    }

    /// Refuses if coming lessons use these bells: the nearest to their school, for their day and stage.
    async fn nothing_rings_by(&self, scope: &Scope, id: BellScheduleId) -> Result<(), EditError> {
        let schedules: Vec<BellSchedule> =
            self.bell_schedules(scope).await?.into_iter().map(|stored| stored.value).collect();
        let Some(schedule) = schedules.iter().find(|schedule| schedule.bell_schedule_id == id) else { return Ok(()) };
        let mut sql = Sql::new(
            "select lesson.organisation_id as organisation_id, path, held_on, grade, count(*) as n
             from lesson join organisation on organisation.organisation_id = lesson.organisation_id
             where held_on is not null and state in ('scheduled', 'open') and path like ",
        );
        sql.bind(format!("%/{}/%", schedule.organisation_id));
        sql.push(" group by lesson.organisation_id, path, held_on, grade");
        let mut bells: HashMap<OrganisationId, Bells> = HashMap::new();
        let mut count = 0;
        for row in sql.all(&self.pool).await? {
            let (path, grade): (String, String) = (row.try_get("path")?, row.try_get("grade")?);
            let held_on: Date = word(&row, "held_on")?;
            let of = bells.entry(word(&row, "organisation_id")?).or_insert_with(|| {
                let lineage: Vec<OrganisationId> = path.split('/').rev().filter_map(|id| id.parse().ok()).collect();
                Bells::new(&lineage, schedules.iter().cloned())
            });
            if of.on(held_on, stage_of(&grade)).is_some_and(|found| found.bell_schedule_id == id) {
                count += row.try_get::<i64, _>("n")?;
            }
        }
        if count > 0 { Err(StandsOn { what: Dependents::Lessons, count }.into()) } else { Ok(()) }
    }
}

impl Editing {
    /// Refuses if the count is not zero.
    async fn none(&mut self, sql: &Sql, what: Dependents) -> Result<(), EditError> {
        let counted = sql.optional_on(self.writing.on()).await?;
        let count: i64 = counted.map_or(Ok(0), |row| row.try_get("n")).map_err(StoreError::from)?;
        if count > 0 { Err(StandsOn { what, count }.into()) } else { Ok(()) }
    }

    /// Commits, or drops a dry run.
    async fn finish(self, version: i64, row: AuditRow) -> Result<i64, StoreError> {
        if self.really {
            self.writing.commit(&row.at_place(self.path)).await?;
        }
        Ok(version)
    }
}
