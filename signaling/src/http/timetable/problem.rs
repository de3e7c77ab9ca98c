//! What the timetable refuses, and why a field of it must be written otherwise.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::web::problem::{ApiError, Problem, common::CommonProblem, invalid},
    store::{AgreementError, Dependents, EditError, StandsOn},
};
use school::timetable::course::CourseError;

/// What the timetable refuses.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum TimetableProblem {
    /// Something stands on what was to be changed or taken away.
    #[error("{count} {} stand on it", .what.as_str())]
    StandsOn {
        /// What.
        what: Dependents,
        /// How many.
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

/// Why a field of the timetable must be written otherwise, where the rules do not say it: see [`CourseError`],
/// `CalendarError`, `BellScheduleError` and `TooMuch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum TimetableReason {
    /// A school year of another century is a slip of the pen.
    #[error("a school year lies between {min} and {max}")]
    YearOutOfRange {
        /// The first year.
        min: i16,
        /// The last one.
        max: i16,
    },
    /// The term does not reach there. A period of the plan says the same as `Unresolved`.
    #[error("the term has no such day")]
    NotInTerm,
    /// Neither is said, or both are.
    #[error("either a week or a date is asked for")]
    WeekOrDate,
    /// The term is shorter.
    #[error("the term has no such week")]
    NoSuchWeek,
    /// Too few classes, or too many.
    #[error("{min} to {max} classes listen")]
    ClassCount {
        /// At least so many.
        min: usize,
        /// At most so many.
        max: usize,
    },
    /// No subject, or one that no curriculum has.
    #[error("at least one subject of the curriculum is needed, and none beside")]
    SubjectsNeeded,
    /// What was cancelled stays so.
    #[error("a cancelled pairing or right stays as it is")]
    AgreementCancelled,
    /// The text is no day of the year.
    #[error("a day of the year is written as 10-01")]
    NotAMonthDay,
    /// No day has such a minute.
    #[error("a time is minutes after midnight, at most {max}")]
    NotAMinute {
        /// The last one.
        max: u16,
    },
    /// The text is no period's name.
    #[error("a period is written as lesson-3, early_study-1")]
    NotAPeriod,
    /// The text says no weeks.
    #[error("weeks are written as every, odd, even or 3-8")]
    NotWeeks,
    /// Less or more than there is.
    #[error("between {min} and {max}")]
    OutOfRange {
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
}

/// Which field to mend, and why.
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
