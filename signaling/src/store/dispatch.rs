//! Scheduling, moving and cancelling lessons. Their bookings are in [`crate::store::dispatch::booking`], reads in
//! [`crate::store::dispatch::dispatched`].

use std::collections::{BTreeSet, HashSet};

use sqlx::{Row, any::AnyRow};

use self::change::{Change, NewLesson, ScheduleError};
use super::{AuditRow, Sql, Store, StoreError, Writing, word};
use crate::store::dispatch::booking::resources_of;
use school::{
    account::permission::Scope,
    base::id::{CourseId, LessonId},
    dispatch::booking::{Clash, clashes_of, free_of},
    lesson::life::LessonState,
};

/// How clashes in a set of changes are handled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clashing {
    /// No change is made.
    RefuseAll,
    /// The clashing lessons stay unchanged.
    LeaveThere,
}

impl Store {
    /// Stores new lessons with all their bookings, in one transaction. Skips lessons of a course that were planned
    /// before. Returns the number of new lessons.
    ///
    /// # Errors
    /// [`ScheduleError::Clashes`] lists every clash with the lesson that holds the booking.
    pub async fn schedule(&self, scope: &Scope, lessons: &[NewLesson], row: AuditRow) -> Result<usize, ScheduleError> {
        let mut writing = self.write().await?;
        let mut place = None;
        for organisation_id in lessons.iter().map(|new| new.lesson.organisation_id).collect::<BTreeSet<_>>() {
            place = Some(writing.path(scope, organisation_id).await?.ok_or(ScheduleError::NotFound)?);
        }
        let Some(place) = place else { return Ok(0) };
        let resources: BTreeSet<String> =
            lessons.iter().flat_map(|new| new.lesson.resources()).map(|resource| resource.to_string()).collect();
        writing.take_turns(&resources).await?;
        let planned = writing.planned(lessons).await?;
        let fresh: Vec<&NewLesson> = lessons.iter().filter(|new| !is_planned(new, &planned)).collect();
        if fresh.is_empty() {
            return Ok(0);
        }
        let spans = fresh.iter().map(|new| new.lesson.span);
        let mut taken = writing.taken(&resources, spans).await?;
        let mut clashes = Vec::new();
        for new in &fresh {
            clashes.extend(taken.clashes(&new.lesson));
            taken.take_lesson(&new.lesson);
        }
        if !clashes.is_empty() {
            return Err(ScheduleError::Clashes(clashes));
        }
        writing.insert_lessons(&fresh).await?;
        let kept = writing.book(fresh.iter().map(|new| &new.lesson)).await;
        self.second_guard(kept, &resources, &fresh.iter().map(|new| new.lesson.clone()).collect::<Vec<_>>()).await?;
        writing.commit(&row.at_place(place).saying(format!("{} lessons", fresh.len()))).await?;
        Ok(fresh.len())
    }

    /// These lessons, except those planned before.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn unplanned(&self, _scope: &Scope, lessons: Vec<NewLesson>) -> Result<Vec<NewLesson>, StoreError> {
        let mut planned = BTreeSet::new();
        for sql in planned_sql(&lessons) {
            planned_from(&sql.all(&self.pool).await?, &mut planned)?;
        }
        Ok(lessons.into_iter().filter(|new| !is_planned(new, &planned)).collect())
    }

    /// Applies changes in one transaction. A cancelled lesson releases its bookings and keeps its reason.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub async fn change_lessons(
        &self,
        scope: &Scope,
        changes: &[Change],
        reason: &str,
        row: AuditRow,
    ) -> Result<(), ScheduleError> {
        self.change(scope, changes, Clashing::RefuseAll, reason, row).await.map(|_| ())
    }

    /// Applies the changes that clash with nothing, in one transaction, and leaves the other lessons unchanged. Returns
    /// the applied changes, and the clashes of the others.
    ///
    /// # Errors
    /// [`ScheduleError`]; [`ScheduleError::Clashes`] if no change is left to apply.
    pub async fn change_free_lessons(
        &self,
        scope: &Scope,
        changes: &[Change],
        row: AuditRow,
    ) -> Result<(Vec<LessonId>, Vec<Clash>), ScheduleError> {
        self.change(scope, changes, Clashing::LeaveThere, "", row).await
    }

    async fn change(
        &self,
        scope: &Scope,
        changes: &[Change],
        clashing: Clashing,
        reason: &str,
        row: AuditRow,
    ) -> Result<(Vec<LessonId>, Vec<Clash>), ScheduleError> {
        let mut writing = self.write().await?;
        let mut place = String::new();
        for organisation_id in changes.iter().map(|change| change.before.organisation_id).collect::<BTreeSet<_>>() {
            place = writing.path(scope, organisation_id).await?.ok_or(ScheduleError::NotFound)?;
        }
        let resources = resources_of(changes.iter().flat_map(|change| [&change.before, &change.after]));
        writing.take_turns(&resources).await?;
        let spans = changes.iter().flat_map(|change| [change.before.span, change.after.span]);
        let taken = writing.taken(&resources, spans).await?;
        let pairs: Vec<_> = changes.iter().map(|change| (change.before.clone(), change.after.clone())).collect();
        let (free, clashes) = match clashing {
            Clashing::RefuseAll => {
                (pairs.iter().map(|(before, _)| before.lesson_id).collect(), clashes_of(&pairs, &taken))
            }
            Clashing::LeaveThere => free_of(&pairs, &taken),
        };
        if !clashes.is_empty() && (clashing == Clashing::RefuseAll || free.is_empty()) {
            return Err(ScheduleError::Clashes(clashes));
        }
        let made: HashSet<LessonId> = free.iter().copied().collect();
        let changes: Vec<&Change> = changes.iter().filter(|change| made.contains(&change.before.lesson_id)).collect();
        writing.unbook_all(&free).await?;
        for changes in changes.chunks(200) {
            writing.update_lessons(changes).await?;
        }
        for Change { before, after, .. } in &changes {
            if before.state != after.state {
                writing.insert_transition(before.lesson_id, before.state, after.state, reason, &row).await?;
            }
        }
        let kept = writing.book(changes.iter().map(|change| &change.after)).await;
        let after: Vec<_> = changes.iter().map(|change| change.after.clone()).collect();
        self.second_guard(kept, &resources, &after).await?;
        let said = if reason.is_empty() { format!("{} lessons", free.len()) } else { reason.to_owned() };
        writing.commit(&row.at_place(place).saying(said)).await?;
        Ok((free, clashes))
    }
}

impl Writing {
    /// Places of the plan that have a lesson already.
    async fn planned(&mut self, lessons: &[NewLesson]) -> Result<BTreeSet<(CourseId, String)>, StoreError> {
        let mut planned = BTreeSet::new();
        for sql in planned_sql(lessons) {
            planned_from(&sql.query().fetch_all(self.on()).await?, &mut planned)?;
        }
        Ok(planned)
    }

    async fn insert_lessons(&mut self, lessons: &[&NewLesson]) -> Result<(), StoreError> {
        for lessons in lessons.chunks(200) {
            let mut sql = Sql::new(
                "insert into lesson (lesson_id, organisation_id, teacher_id, title, subject, grade, program, mode, state,
                     starts_at_ms, ends_at_ms, guests_max, course_id, term_id, number, planned, week_no, weekday, period,
                     held_on, classroom_id, class_id, delivery, opens_at_ms, missed_at_ms, closes_at_ms, runs_by, listening)
                 values ",
            );
            let (mut listening, mut any) = (Sql::new(
                "insert into lesson_classroom (lesson_id, classroom_id, class_id, interactive, join_from_ms, join_until_ms)
                 values ",
            ), false);
            for (n, new) in lessons.iter().enumerate() {
                let (lesson, slot) = (&new.lesson, new.lesson.slot);
                sql.push(if n == 0 { "(" } else { ", (" }).bind(lesson.lesson_id.to_string());
                sql.push(", ").bind(lesson.organisation_id.to_string()).push(", ").bind(lesson.teacher_id.to_string());
                sql.push(", ").bind(new.title.as_str()).push(", ").bind(new.subject.as_str());
                sql.push(", ").bind(new.grade.as_str()).push(", ").bind(new.program.as_str());
                sql.push(", ").bind(new.mode.as_str()).push(", ").bind(lesson.state.as_str());
                sql.push(", ").bind(lesson.span.starts_at.0).push(", ").bind(lesson.span.ends_at.0);
                sql.push(", ").bind(i64::from(new.guests_max));
                sql.push(", ").bind(new.course.map(|(id, _)| id.to_string()));
                sql.push(", ").bind(new.term_id.map(|id| id.to_string()));
                sql.push(", ").bind(new.course.map(|(_, number)| i64::from(number)));
                sql.push(", ").bind(new.planned()).push(", ").bind(slot.map(|slot| i64::from(slot.week_no)));
                sql.push(", ").bind(slot.map(|slot| i64::from(slot.weekday.to_monday_one_offset())));
                sql.push(", ").bind(slot.map(|slot| slot.period.to_string()));
                sql.push(", ").bind(slot.map(|slot| slot.date.to_string()));
                sql.push(", ").bind(lesson.classroom_id.map(|id| id.to_string()));
                sql.push(", ").bind(lesson.class_id.map(|id| id.to_string())).push(", ").bind(new.delivery.as_str());
                sql.push(", ").bind(new.times.opens_at.0).push(", ").bind(new.times.missed_at.0);
                sql.push(", ").bind(new.times.closes_at.0).push(", ").bind(new.runs_by.as_str()).push(", ");
                sql.bind(super::timetable::write_listening(
                    &lesson.listening,
                    &new.join_windows,
                    lesson.span.starts_at,
                ));
                sql.push(")");
                for (end, listens) in lesson.listening.iter().enumerate() {
                    let window = new.join_windows.get(end);
                    listening.push(if any { ", (" } else { "(" }).bind(lesson.lesson_id.to_string());
                    listening.push(", ").bind(listens.classroom_id.to_string());
                    listening.push(", ").bind(listens.class_id.map(|id| id.to_string()));
                    listening.push(", ").bind(i64::from(listens.interactive));
                    listening.push(", ").bind(window.map(|window| window.starts_at.0));
                    listening.push(", ").bind(window.map(|window| window.ends_at.0)).push(")");
                    any = true;
                }
            }
            sql.run(self.on()).await?;
            if any {
                listening.run(self.on()).await?;
            }
        }
        Ok(())
    }

    /// Updates all lessons in one statement, unless one was changed since it was read.
    async fn update_lessons(&mut self, changes: &[&Change]) -> Result<(), ScheduleError> {
        let mut sql = Sql::new(
            "with changed (lesson_id, old_state, old_version, teacher_id, state, classroom_id, starts_at_ms, ends_at_ms,
                           opens_at_ms, missed_at_ms, closes_at_ms, week_no, weekday, period, held_on, listening)
             as (values ",
        );
        for (n, Change { before, after, times, join_windows }) in changes.iter().enumerate() {
            let slot = after.slot;
            sql.push(if n == 0 { "(" } else { ", (" }).bind(before.lesson_id.to_string()).push(", ");
            sql.bind(before.state.as_str()).push(", ").bind(before.version).push(", ");
            sql.bind(after.teacher_id.to_string()).push(", ").bind(after.state.as_str()).push(", ");
            sql.bind(after.classroom_id.map(|id| id.to_string())).push(", ").bind(after.span.starts_at.0).push(", ");
            sql.bind(after.span.ends_at.0).push(", ").bind(times.map(|times| times.opens_at.0)).push(", ");
            sql.bind(times.map(|times| times.missed_at.0)).push(", ").bind(times.map(|times| times.closes_at.0));
            sql.push(", ").bind(slot.map(|slot| i64::from(slot.week_no))).push(", ");
            sql.bind(slot.map(|slot| i64::from(slot.weekday.to_monday_one_offset()))).push(", ");
            sql.bind(slot.map(|slot| slot.period.to_string())).push(", ").bind(slot.map(|slot| slot.date.to_string()));
            let listening = join_windows
                .as_ref()
                .map(|windows| super::timetable::write_listening(&after.listening, windows, after.span.starts_at));
            sql.push(", ").bind(listening).push(")");
        }
        // The numbers are cast: PostgreSQL types a column of nulls only as text.
        sql.push(
            ") update lesson set version = lesson.version + 1, teacher_id = changed.teacher_id, state = changed.state,
                   classroom_id = changed.classroom_id, starts_at_ms = cast(changed.starts_at_ms as bigint),
                   ends_at_ms = cast(changed.ends_at_ms as bigint),
                   opens_at_ms = coalesce(cast(changed.opens_at_ms as bigint), lesson.opens_at_ms),
                   missed_at_ms = coalesce(cast(changed.missed_at_ms as bigint), lesson.missed_at_ms),
                   closes_at_ms = coalesce(cast(changed.closes_at_ms as bigint), lesson.closes_at_ms),
                   week_no = coalesce(cast(changed.week_no as bigint), lesson.week_no),
                   weekday = coalesce(cast(changed.weekday as bigint), lesson.weekday),
                   period = coalesce(changed.period, lesson.period), held_on = coalesce(changed.held_on, lesson.held_on),
                   listening = coalesce(changed.listening, lesson.listening)
               from changed where lesson.lesson_id = changed.lesson_id and lesson.state = changed.old_state
                   and lesson.version = cast(changed.old_version as bigint)",
        );
        if sql.run(self.on()).await? < changes.len() as u64 {
            return Err(ScheduleError::ChangedMeanwhile(changes[0].before.lesson_id));
        }
        self.update_join_windows(changes).await?;
        Ok(())
    }

    async fn update_join_windows(&mut self, changes: &[&Change]) -> Result<(), StoreError> {
        let mut sql = Sql::new("with changed (lesson_id, classroom_id, join_from_ms, join_until_ms) as (values ");
        let mut any = false;
        for Change { before, after, join_windows, .. } in changes {
            match join_windows {
                Some(windows) => {
                    for (end, window) in after.listening.iter().zip(windows) {
                        sql.push(if any { ", (" } else { "(" }).bind(after.lesson_id.to_string()).push(", ");
                        sql.bind(end.classroom_id.to_string()).push(", ").bind(window.starts_at.0).push(", ");
                        sql.bind(window.ends_at.0).push(")");
                        any = true;
                    }
                }
                None if before.span.starts_at != after.span.starts_at => {
                    let by = after.span.starts_at.0 - before.span.starts_at.0;
                    let mut sql = Sql::new("update lesson_classroom set join_from_ms = join_from_ms + ");
                    sql.bind(by).push(", join_until_ms = join_until_ms + ").bind(by).push(" where lesson_id = ");
                    sql.bind(after.lesson_id.to_string()).run(self.on()).await?;
                }
                None => {}
            }
        }
        if any {
            sql.push(
                ") update lesson_classroom set join_from_ms = cast(changed.join_from_ms as bigint),
                       join_until_ms = cast(changed.join_until_ms as bigint)
                   from changed where lesson_classroom.lesson_id = changed.lesson_id
                       and lesson_classroom.classroom_id = changed.classroom_id",
            );
            sql.run(self.on()).await?;
        }
        Ok(())
    }

    /// Stores a state transition of a lesson. The table refuses the same state a second time.
    pub(super) async fn insert_transition(
        &mut self,
        lesson_id: LessonId,
        from: LessonState,
        to: LessonState,
        reason: &str,
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let mut sql =
            Sql::new("insert into lesson_transition (lesson_id, to_state, from_state, at_ms, actor, reason) values (");
        sql.bind(lesson_id.to_string()).push(", ").bind(to.as_str()).push(", ").bind(from.as_str()).push(", ");
        sql.bind(row.at.0).push(", ").bind(row.actor.as_str()).push(", ").bind(reason).push(")");
        sql.run(self.on()).await?;
        Ok(())
    }
}

fn planned_sql(lessons: &[NewLesson]) -> Vec<Sql> {
    let courses: BTreeSet<String> =
        lessons.iter().filter_map(|new| new.course).map(|(course_id, _)| course_id.to_string()).collect();
    let courses: Vec<String> = courses.into_iter().collect();
    let sql = |courses: &[String]| {
        let mut sql = Sql::new("select course_id, planned from lesson where planned is not null and course_id in ");
        sql.list(courses.iter().map(String::as_str));
        sql
    };
    courses.chunks(500).map(sql).collect()
}

fn planned_from(rows: &[AnyRow], planned: &mut BTreeSet<(CourseId, String)>) -> Result<(), StoreError> {
    for row in rows {
        planned.insert((word(row, "course_id")?, row.try_get("planned")?));
    }
    Ok(())
}

fn is_planned(new: &NewLesson, planned: &BTreeSet<(CourseId, String)>) -> bool {
    new.course.zip(new.planned()).is_some_and(|((id, _), slot)| planned.contains(&(id, slot)))
}

pub(crate) mod booking;
pub mod change;
pub(crate) mod dispatched;
pub(crate) mod readiness;
#[cfg(test)]
mod tests;
