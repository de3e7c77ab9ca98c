//! New and changed lessons of dispatch, and why they are refused.

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

/// A lesson that is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLesson {
    /// Teacher, places and time.
    pub lesson: DispatchedLesson,
    /// 英语 三年级
    pub title: String,
    /// 英语
    pub subject: String,
    /// 三年级
    pub grade: String,
    /// Program: which of the three classrooms.
    pub program: Program,
    /// Teaching mode.
    pub mode: Mode,
    /// With or without a local class.
    pub delivery: Delivery,
    /// Its term. `None`: outside of any.
    pub term_id: Option<TermId>,
    /// Its course and its number there. `None`: added by hand.
    pub course: Option<(CourseId, u16)>,
    /// Times of its state changes.
    pub times: LessonTimes,
    /// Who starts it.
    pub runs_by: RunsBy,
    /// Maximum number of concurrent guests.
    pub guests_max: u32,
    /// When each listening end may join, in their order.
    pub join_windows: Vec<Span>,
}

impl NewLesson {
    /// A lesson of a course, as planned by the timetable.
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

    /// Its place in its course's plan, which stays when it is moved. `None`: not of a course.
    #[must_use]
    pub fn planned(&self) -> Option<String> {
        let slot = self.lesson.slot.filter(|_| self.course.is_some())?;
        Some(format!("{}-{}-{}", slot.week_no, slot.weekday.to_monday_one_offset(), slot.period))
    }
}

/// A lesson before and after a change by dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As dispatch read it.
    pub before: DispatchedLesson,
    /// As it will be.
    pub after: DispatchedLesson,
    /// New times of its state changes. `None`: unchanged.
    pub times: Option<LessonTimes>,
    /// New join windows of each listening end, in their order. `None`: shifted with the lesson.
    pub join_windows: Option<Vec<Span>>,
}

/// Why lessons are not stored.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Clashes with bookings of other lessons.
    #[error("{} clashes", .0.len())]
    Clashes(Vec<Clash>),
    /// A school or lesson is not in scope.
    #[error("there is no such school or lesson here")]
    NotFound,
    /// One of them was changed concurrently.
    #[error("a lesson was changed by somebody else")]
    ChangedMeanwhile(LessonId),
    /// Store error.
    #[error(transparent)]
    Store(#[from] StoreError),
}
