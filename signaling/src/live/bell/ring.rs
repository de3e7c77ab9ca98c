//! The bell: lessons open before their start, go live, end and are put away by themselves.
//!
//! Which step is due is a pure rule ([`due`]); which time it is, the bell's own clock says ([`BellClock`]). Here both
//! meet the lessons. Every lesson moves on a task of its own: the one whose disk hangs makes no other late.

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

/// How often the bell looks at its clock: a lesson is at most this late.
pub const BELL_TICK: Duration = Duration::from_millis(100);

/// How often the timetable is read for lessons that open.
const READS_EVERY: Duration = Duration::from_secs(2);

/// Lessons opened after one look. A province has 2,000 at once: they open over some seconds, ten minutes early.
const LESSONS_A_LOOK_MAX: i64 = 500;

/// A step that the store refused is tried again after this.
const TRIES_AGAIN_AFTER: Duration = Duration::from_secs(2);

impl Registry {
    /// Looks at the clock and moves every lesson on that is due. Answers when all of them have moved.
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
                // Its teacher was quicker.
                Err(TransitionError::WrongState(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens what is due, and puts away what is long over.
    async fn open_due(&self, at: UnixMs, archives_after: Duration) -> Result<(), StoreError> {
        let archives = at.minus(archives_after);
        let lessons = self.shared.store.lessons_due(&system_scope::bell(), at, archives, LESSONS_A_LOOK_MAX).await?;
        for mut lesson in lessons {
            // One may have been missed and be old enough to be put away, all while the hub was down.
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

    /// A step of a lesson that has no room. False: somebody else was quicker.
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
