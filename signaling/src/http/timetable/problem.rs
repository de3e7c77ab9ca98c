//! Problems of the timetable.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::web::problem::{ApiError, Problem, common::CommonProblem, invalid},
    store::{AgreementError, Dependents, EditError, StandsOn},
};
use school::timetable::course::CourseError;

/// Refusals of the timetable.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum TimetableProblem {
    /// Other resources depend on what was to be changed or removed.
    #[error("{count} {} stand on it", .what.as_str())]
    StandsOn {
        /// Their kind.
        what: Dependents,
        /// Their number.
        count: i64,
    },
}

impl Problem for TimetableProblem {
    fn status(&self) -> StatusCode {
        match self {
            Self::StandsOn { .. } => StatusCode::CONFLICT,
        }
    }
}

/// Why a field of the timetable is invalid, where no rule type covers it: see [`CourseError`], `CalendarError`,
/// `BellScheduleError` and `TooMuch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum TimetableReason {
    /// The school year is out of range.
    #[error("a school year lies between {min} and {max}")]
    YearOutOfRange {
        /// Minimum.
        min: i16,
        /// Maximum.
        max: i16,
    },
    /// The day is outside the term. For a period of the plan see `Unresolved`.
    #[error("the term has no such day")]
    NotInTerm,
    /// Exactly one of week and date is required.
    #[error("either a week or a date is asked for")]
    WeekOrDate,
    /// The week is outside the term.
    #[error("the term has no such week")]
    NoSuchWeek,
    /// The number of classes is out of range.
    #[error("{min} to {max} classes listen")]
    ClassCount {
        /// Minimum.
        min: usize,
        /// Maximum.
        max: usize,
    },
    /// No subject, or one outside the curriculum.
    #[error("at least one subject of the curriculum is needed, and none beside")]
    SubjectsNeeded,
    /// The pairing or right was cancelled, which is final.
    #[error("a cancelled pairing or right stays as it is")]
    AgreementCancelled,
    /// Not a day of the year.
    #[error("a day of the year is written as 10-01")]
    NotAMonthDay,
    /// The minute is outside the day.
    #[error("a time is minutes after midnight, at most {max}")]
    NotAMinute {
        /// Maximum.
        max: u16,
    },
    /// Not the name of a period.
    #[error("a period is written as lesson-3, early_study-1")]
    NotAPeriod,
    /// Not a pattern of weeks.
    #[error("weeks are written as every, odd, even or 3-8")]
    NotWeeks,
    /// The number is out of range.
    #[error("between {min} and {max}")]
    OutOfRange {
        /// Minimum.
        min: u32,
        /// Maximum.
        max: u32,
    },
}

/// The problem of a course error, with the invalid field.
pub(crate) fn course_problem(why: &CourseError) -> ApiError {
    let field = match why {
        CourseError::UnknownSubject { .. } => "subject",
        CourseError::UnknownGrade { .. } => "grade",
        CourseError::NoLessonsIn { .. } => "period",
        CourseError::WeeklyCount { .. } | CourseError::Twice { .. } => "weekly",
        CourseError::ListensTwice | CourseError::ListensToItself => "listening",
        CourseError::DeliveryDoesNotFit => "delivery",
    };
    invalid(field, why)
}

impl From<StandsOn> for ApiError {
    fn from(StandsOn { what, count }: StandsOn) -> Self {
        TimetableProblem::StandsOn { what, count }.into()
    }
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::StandsOn(stands_on) => stands_on.into(),
            EditError::Store(error) => error.into(),
        }
    }
}

impl From<AgreementError> for ApiError {
    fn from(error: AgreementError) -> Self {
        match error {
            AgreementError::NotFound => CommonProblem::NotFound.into(),
            AgreementError::PairedAlready(_) => CommonProblem::AlreadyThere.into(),
            AgreementError::WrongStanding(_) => invalid("act", &TimetableReason::AgreementCancelled),
            AgreementError::Store(error) => error.into(),
        }
    }
}
