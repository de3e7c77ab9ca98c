//! The bell: opens, starts, ends and archives lessons on time.
//!
//! Which step is due is a pure rule ([`due`]); the time is that of the bell's own clock (`BellClock`). Each lesson
//! moves in a task of its own: a hanging disk delays no other lesson.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::Bell;
use crate::{
    error_chain::chain,
    live::{
        actor::{Actor, TransitionError, act_of},
        registry::Registry,
        table::InProgress,
    },
    store::StoreError,
};
use school::{
    account::system_scope,
    base::time::{Now, UnixMs},
    lesson::{
        Lesson,
        bell_clock::ClockChange,
        life::{Step, due},
    },
};

/// Interval of the bell's tick: a lesson is at most this late.
pub const BELL_TICK: Duration = Duration::from_millis(100);

/// Interval at which the timetable is read for lessons to open.
const READS_EVERY: Duration = Duration::from_secs(2);

/// Lessons opened per read. A province has 2,000 at once: they open over some seconds, ten minutes early.
const LESSONS_A_LOOK_MAX: i64 = 500;

/// Delay before a step that the store refused is tried again.
const TRIES_AGAIN_AFTER: Duration = Duration::from_secs(2);

impl Registry {
    /// Moves every lesson whose step is due. Returns when all have moved.
    pub async fn ring(&self) {
        let now = self.shared.clock.now();
        let (at, archives_after, reads) = {
            let mut bell = self.bell();
            let (at, change) = bell.clock.poll(now);
            match change {
                ClockChange::Steady => {}
                ClockChange::Jumped(ms) => warn!(ms, "The wall clock jumped by {ms} ms: the steady clock holds"),
                ClockChange::Believed => warn!("The wall clock keeps its new time: the bell follows it"),
            }
            if bell.rests_until.is_some_and(|until| now.steady < until) {
                return;
            }
            let reads = bell.read_at.is_none_or(|read| now.steady.saturating_duration_since(read) >= READS_EVERY);
            if reads {
                bell.read_at = Some(now.steady);
            }
            (at, bell.archives_after, reads)
        };
        let mut moves = JoinSet::new();
        let entries: Vec<Arc<InProgress>> = self.shared.lessons.iter().map(|entry| entry.clone()).collect();
        for entry in entries {
            let (lesson, is_due) = {
                let table = entry.table();
                let standing = table.lesson.standing(table.session.teacher_is_there());
                (table.lesson.lesson_id, due(&standing, at, archives_after).is_some())
            };
            if is_due && self.bell().moving.insert(lesson) {
                let registry = self.clone();
                moves.spawn(async move {
                    let moved = registry.move_on(&entry, at, archives_after).await;
                    registry.bell().moving.remove(&lesson);
                    moved
                });
            }
        }
        if reads && let Err(error) = self.open_due(at, archives_after).await {
            self.rest(now, &error);
        }
        while let Some(moved) = moves.join_next().await {
            match moved {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.rest(now, &error),
                Err(error) => error!(error = chain(&error), "A lesson could not be moved on"),
            }
        }
    }

    async fn move_on(&self, entry: &InProgress, at: UnixMs, archives_after: Duration) -> Result<(), TransitionError> {
        loop {
            let (lesson, step) = {
                let table = entry.table();
                let standing = table.lesson.standing(table.session.teacher_is_there());
                match due(&standing, at, archives_after) {
                    Some(step) if standing.state.is_in_progress() => (table.lesson.clone(), step),
                    _ => return Ok(()),
                }
            };
            let lesson_id = lesson.lesson_id;
            let late_ms = at.0 - lesson.times.starts_at.0;
            let moved = match step {
                Step::Start => self.start(lesson, &Actor::system()).await.map(drop),
                step => self.close(lesson, step, "", &Actor::system()).await.map(drop),
            };
            match moved {
                Ok(()) if step == Step::Start => {
                    info!(lesson.id = %lesson_id, late_ms, "Started lesson {lesson_id} {late_ms} ms after the bell");
                }
                Ok(()) => info!(lesson.id = %lesson_id, act = act_of(step), "The bell moved lesson {lesson_id} on"),
                // The teacher has already started it.
                Err(TransitionError::WrongState(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens lessons that are due, and archives those long over.
    async fn open_due(&self, at: UnixMs, archives_after: Duration) -> Result<(), StoreError> {
        let archives = at.minus(archives_after);
        let lessons = self.shared.store.lessons_due(&system_scope::bell(), at, archives, LESSONS_A_LOOK_MAX).await?;
        for mut lesson in lessons {
            // While the hub was down, a lesson may have been missed and become old enough to be archived.
            while let Some(step) = due(&lesson.standing(false), at, archives_after) {
                if !self.step_of_the_store(&mut lesson, step).await? || lesson.state.is_in_progress() {
                    break;
                }
            }
            if lesson.state.is_in_progress() {
                self.take_up(lesson);
            }
        }
        Ok(())
    }

    /// Moves a lesson that has no room. False: another step came first.
    async fn step_of_the_store(&self, lesson: &mut Lesson, step: Step) -> Result<bool, StoreError> {
        let before = lesson.state;
        let Ok(after) = before.after(step) else { return Ok(false) };
        lesson.state = after;
        let row = self.row(&Actor::system(), act_of(step), lesson);
        let moved = self.shared.store.move_lesson(&system_scope::bell(), lesson, before, None, &row).await?;
        if !moved {
            lesson.state = before;
        }
        Ok(moved)
    }

    fn rest(&self, now: Now, error: &(dyn std::error::Error + 'static)) {
        error!(error = chain(error), "The bell could not move lessons on: it tries again in {TRIES_AGAIN_AFTER:?}");
        self.bell().rests_until = Some(now.steady + TRIES_AGAIN_AFTER);
    }

    fn bell(&self) -> std::sync::MutexGuard<'_, Bell> {
        self.shared.bell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
