//! Lessons that are to be kept or changed, and why they are not.

use super::StoreError;
use school::{
    base::id::{CourseId, LessonId, TermId},
    dispatch::{DispatchedLesson, booking::Clash},
    lesson::life::{LessonState, LessonTimes, RunsBy},
    timetable::{
        PlannedLesson,
        course::Course,
        program::{Delivery, Mode, Program},
        two_ends::Span,
    },
};

/// A lesson that is not kept yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLesson {
    /// Who, where, when.
    pub lesson: DispatchedLesson,
    /// 英语 三年级
    pub title: String,
    /// 英语
    pub subject: String,
    /// 三年级
    pub grade: String,
    /// Which of the three classrooms.
    pub program: Program,
    /// How it is taught.
    pub mode: Mode,
    /// With a local class or without.
    pub delivery: Delivery,
    /// The term that it is in. `None`: outside of any.
    pub term_id: Option<TermId>,
    /// Its course and its number there. `None`: it was put there by hand.
    pub course: Option<(CourseId, u16)>,
    /// When the bell does what.
    pub times: LessonTimes,
    /// Who starts it.
    pub runs_by: RunsBy,
    /// Guests at once.
    pub guests_max: u32,
    /// When each listening end may come in, in their order.
    pub join_windows: Vec<Span>,
}

impl NewLesson {
    /// A lesson of a course, as the timetable planned it.
    #[must_use]
    pub fn of_course(
        course: &Course,
        planned: &PlannedLesson,
        times: LessonTimes,
        guests_max: u32,
        alone: bool,
    ) -> Self {
        Self {
            lesson: DispatchedLesson {
                lesson_id: LessonId::fresh(),
                organisation_id: course.organisation_id,
                state: LessonState::Scheduled,
                teacher_id: course.teacher_id,
                classroom_id: course.classroom_id,
                class_id: course.class_id,
                device_ids: Vec::new(),
                slot: Some(planned.slot),
                span: planned.span,
                listening: planned.listening.iter().map(|(end, _)| course.listening[*end]).collect(),
                version: 1,
            },
            title: course.title.clone(),
            subject: course.subject.clone(),
            grade: course.grade.clone(),
            program: course.program,
            mode: course.mode,
            delivery: course.delivery,
            term_id: Some(course.term_id),
            course: Some((course.course_id, planned.number)),
            times,
            runs_by: if alone { RunsBy::BellAlone } else { RunsBy::Bell },
            guests_max,
            join_windows: planned.listening.iter().map(|(_, window)| *window).collect(),
        }
    }

    /// Its place in its course's plan, which stays when it is moved. `None`: it has none.
    #[must_use]
    pub fn planned(&self) -> Option<String> {
        let slot = self.lesson.slot.filter(|_| self.course.is_some())?;
        Some(format!("{}-{}-{}", slot.week_no, slot.weekday.to_monday_one_offset(), slot.period))
    }
}

/// A lesson before and after dispatch changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As it was when dispatch looked.
    pub before: DispatchedLesson,
    /// As it shall be.
    pub after: DispatchedLesson,
    /// When the bell does what then. `None`: as before.
    pub times: Option<LessonTimes>,
    /// When each listening end may come in then, in their order. `None`: as much earlier or later as the lesson is.
    pub join_windows: Option<Vec<Span>>,
}

/// Why lessons are not kept.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// They want what other lessons have.
    #[error("{} clashes", .0.len())]
    Clashes(Vec<Clash>),
    /// A school, or a lesson, is not in scope.
    #[error("there is no such school or lesson here")]
    NotFound,
    /// Somebody else changed one of them in between.
    #[error("a lesson was changed by somebody else")]
    ChangedMeanwhile(LessonId),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}
