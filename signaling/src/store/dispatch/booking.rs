//! Bookings of lessons: teacher, rooms, classes and devices, each used by one lesson at a time.
//!
//! Double booking is prevented twice: a writer locks the rows of the resources first (`booking_turn`), then checks,
//! then writes; and the table itself refuses overlaps from any writer.

use std::collections::BTreeSet;

use sqlx::{Row, any::AnyRow};

use crate::store::{Change, NewLesson, ScheduleError, Sql, Store, StoreError, Writing, word};
use school::{
    account::permission::Scope,
    base::{id::LessonId, time::UnixMs},
    dispatch::{
        DispatchedLesson,
        booking::{Clash, DAY_MS, Resource, Taken, clashes_of, free_of},
    },
    timetable::two_ends::Span,
};

/// Constraint against two bookings of one resource at one time; see `store/db/dialect.rs`.
pub(crate) const ONE_AT_A_TIME: &str = "booking_is_one_at_a_time";

impl Store {
    /// Clashes that these changes would cause, without applying them.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn clashes(&self, _scope: &Scope, changes: &[Change]) -> Result<Vec<Clash>, StoreError> {
        let pairs: Vec<_> = changes.iter().map(|change| (change.before.clone(), change.after.clone())).collect();
        let resources = resources_of(changes.iter().flat_map(|change| [&change.before, &change.after]));
        let spans = changes.iter().flat_map(|change| [change.before.span, change.after.span]);
        let Some(sql) = taken_sql(&resources, spans) else { return Ok(Vec::new()) };
        let taken = taken_from(&sql.all(&self.pool).await?)?;
        Ok(clashes_of(&pairs, &taken))
    }

    /// The changes that clash with nothing, and the clashes of the others, without applying any.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn free_changes(
        &self,
        _scope: &Scope,
        changes: &[Change],
    ) -> Result<(Vec<LessonId>, Vec<Clash>), StoreError> {
        let pairs: Vec<_> = changes.iter().map(|change| (change.before.clone(), change.after.clone())).collect();
        let resources = resources_of(changes.iter().flat_map(|change| [&change.before, &change.after]));
        let spans = changes.iter().flat_map(|change| [change.before.span, change.after.span]);
        let taken = match taken_sql(&resources, spans) {
            Some(sql) => taken_from(&sql.all(&self.pool).await?)?,
            None => Taken::default(),
        };
        Ok(free_of(&pairs, &taken))
    }

    /// Clashes that new lessons would cause, without storing them.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn clashes_of_new(&self, _scope: &Scope, lessons: &[NewLesson]) -> Result<Vec<Clash>, StoreError> {
        let resources = resources_of(lessons.iter().map(|new| &new.lesson));
        let Some(sql) = taken_sql(&resources, lessons.iter().map(|new| new.lesson.span)) else { return Ok(Vec::new()) };
        let mut taken = taken_from(&sql.all(&self.pool).await?)?;
        let mut clashes = Vec::new();
        for new in lessons {
            clashes.extend(taken.clashes(&new.lesson));
            taken.take_lesson(&new.lesson);
        }
        Ok(clashes)
    }

    /// Translates the table's refusal of an undetected overlap into clashes.
    pub(crate) async fn second_guard(
        &self,
        kept: Result<(), StoreError>,
        resources: &BTreeSet<String>,
        lessons: &[DispatchedLesson],
    ) -> Result<(), ScheduleError> {
        match kept {
            Err(StoreError::Rule { rule, .. }) if rule == ONE_AT_A_TIME => {
                let Some(sql) = taken_sql(resources, lessons.iter().map(|lesson| lesson.span)) else { return Ok(()) };
                let taken = taken_from(&sql.all(&self.pool).await?)?;
                Err(ScheduleError::Clashes(lessons.iter().flat_map(|lesson| taken.clashes(lesson)).collect()))
            }
            kept => Ok(kept?),
        }
    }
}

impl Writing {
    /// Locks the rows of these resources, ordered by name, until the end of the transaction.
    pub(crate) async fn take_turns(&mut self, resources: &BTreeSet<String>) -> Result<(), StoreError> {
        let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
        for resources in resources.chunks(500) {
            let mut sql = Sql::new("insert into booking_turn (resource, turns) values ");
            for (n, resource) in resources.iter().enumerate() {
                sql.push(if n == 0 { "(" } else { ", (" }).bind(*resource).push(", 1)");
            }
            sql.push(" on conflict (resource) do update set turns = booking_turn.turns + 1");
            sql.run(self.on()).await?;
        }
        Ok(())
    }

    pub(crate) async fn taken(
        &mut self,
        resources: &BTreeSet<String>,
        spans: impl Iterator<Item = Span>,
    ) -> Result<Taken, StoreError> {
        let Some(sql) = taken_sql(resources, spans) else { return Ok(Taken::default()) };
        let rows = sql.query().fetch_all(self.on()).await?;
        taken_from(&rows)
    }

    pub(crate) async fn book<'a>(
        &mut self,
        lessons: impl Iterator<Item = &'a DispatchedLesson>,
    ) -> Result<(), StoreError> {
        let bookings: Vec<(String, Resource, Span)> = lessons
            .flat_map(|lesson| {
                let id = lesson.lesson_id.to_string();
                lesson.resources().into_iter().map(move |resource| (id.clone(), resource, lesson.span))
            })
            .collect();
        for bookings in bookings.chunks(500) {
            let mut sql = Sql::new("insert into booking (lesson_id, resource, from_ms, until_ms) values ");
            for (n, (lesson_id, resource, span)) in bookings.iter().enumerate() {
                sql.push(if n == 0 { "(" } else { ", (" }).bind(lesson_id.as_str()).push(", ");
                sql.bind(resource.to_string()).push(", ").bind(span.starts_at.0).push(", ");
                sql.bind(span.ends_at.0).push(")");
            }
            sql.run(self.on()).await?;
        }
        Ok(())
    }

    pub(crate) async fn unbook(&mut self, lesson_id: LessonId) -> Result<(), StoreError> {
        let mut sql = Sql::new("delete from booking where lesson_id = ");
        sql.bind(lesson_id.to_string());
        sql.run(self.on()).await?;
        Ok(())
    }

    pub(crate) async fn unbook_all(&mut self, lesson_ids: &[LessonId]) -> Result<(), StoreError> {
        for lesson_ids in lesson_ids.chunks(500) {
            let mut sql = Sql::new("delete from booking where lesson_id in ");
            sql.list(lesson_ids.iter().map(ToString::to_string)).run(self.on()).await?;
        }
        Ok(())
    }
}

pub(crate) fn resources_of<'a>(lessons: impl Iterator<Item = &'a DispatchedLesson>) -> BTreeSet<String> {
    lessons.flat_map(|lesson| lesson.resources()).map(|resource| resource.to_string()).collect()
}

/// Bookings of these resources that may overlap these spans. `None`: no resources or an empty span.
fn taken_sql(resources: &BTreeSet<String>, spans: impl Iterator<Item = Span>) -> Option<Sql> {
    let (mut from, mut until) = (i64::MAX, i64::MIN);
    for span in spans {
        (from, until) = (from.min(span.starts_at.0), until.max(span.ends_at.0));
    }
    if resources.is_empty() || from >= until {
        return None;
    }
    let mut sql = Sql::new("select resource, from_ms, until_ms, lesson_id from booking where from_ms > ");
    sql.bind(from.saturating_sub(DAY_MS)).push(" and from_ms < ").bind(until).push(" and until_ms > ").bind(from);
    sql.push(" and resource in ").list(resources.iter().map(String::as_str));
    Some(sql)
}

fn taken_from(rows: &[AnyRow]) -> Result<Taken, StoreError> {
    let mut taken = Taken::default();
    for row in rows {
        let span = Span { starts_at: UnixMs(row.try_get("from_ms")?), ends_at: UnixMs(row.try_get("until_ms")?) };
        taken.take(word(row, "resource")?, span, word(row, "lesson_id")?);
    }
    Ok(taken)
}
