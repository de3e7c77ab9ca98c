//! Problems of dispatch.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    http::{
        dispatch::clash::ClashView,
        timetable::problem::course_problem,
        web::problem::{ApiError, Problem, common::CommonProblem, invalid},
    },
    scheduling::dispatcher::Refusal,
    store::{ScheduleError, Store},
};
use school::{
    account::permission::Scope,
    dispatch::{DispatchError, REASON_CHARS_MAX, ReceiverLimit},
    lesson::life::WrongState,
};

/// Refusals of dispatch.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum DispatchProblem {
    /// Lessons need resources that other lessons hold.
    #[error("{} clashes", .clashes.len())]
    DoubleBooked {
        /// Each clash, with the lesson that holds the resource.
        clashes: Vec<ClashView>,
    },
    /// Too many receiving classrooms.
    #[error("{asked} receiving classrooms are asked for, {max} are allowed")]
    ReceiverLimit {
        /// The limit of interactive classrooms was exceeded; otherwise that of watch-only ones.
        interactive: bool,
        /// There is room for it as a watch-only classroom.
        may_watch: bool,
        /// The limit.
        max: u32,
        /// The number requested.
        asked: u32,
    },
}

impl Problem for DispatchProblem {
    fn status(&self) -> StatusCode {
        match self {
            Self::DoubleBooked { .. } | Self::ReceiverLimit { .. } => StatusCode::CONFLICT,
        }
    }
}

/// Why a field of dispatch is invalid. Days and periods have `Unresolved`, lessons have `CourseError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum DispatchReason {
    /// A day is moved to itself.
    #[error("the new day is the old one")]
    SameDay,
    /// The day has no lesson that can be moved.
    #[error("no lesson of that day can be moved")]
    NoLessonsToMove,
    /// Some lessons of the day do not fit on the new day, and `leave_clashing` was not set.
    #[error("{count} lessons cannot be given on that day, one of them is {lesson_title}")]
    LessonsStay {
        /// Their number.
        count: usize,
        /// The title of one of them.
        lesson_title: String,
        /// Why that one stays: `reason` with its parameters.
        #[schema(additional_properties)]
        because: Map<String, Value>,
    },
    /// The bureau does not use the program in this mode.
    #[error("the bureau does not use this program in this mode")]
    ModeNotUsed,
    /// A class has no listening right for this subject in this term.
    #[error("the class has no right to listen")]
    NoListeningRight,
    /// The new time is in the past.
    #[error("the time is over already")]
    InThePast,
    /// The reason is missing or too long.
    #[error("a reason has 1 to {max} characters")]
    ReasonNeeded {
        /// Maximum length in characters.
        max: usize,
    },
    /// A receiving school is outside the radiation scope.
    #[error("a receiving school lies outside the radiation scope")]
    OutsideServeScope,
    /// The program requires a class in each receiving room.
    #[error("a receiving classroom has no class in it")]
    ListeningClassNeeded,
    /// The program does not require this item in this mode, so there is nothing to waive.
    #[error("the program does not ask for this in this mode")]
    ItemNotAskedFor,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => CommonProblem::NotFound.into(),
            Refusal::Store(error) => error.into(),
            Refusal::Unresolved(why) => invalid("period", &why),
            Refusal::Course(why) => course_problem(&why),
            Refusal::NoRule => invalid("mode", &DispatchReason::ModeNotUsed),
            Refusal::NoListeningRight(_) => invalid("listening", &DispatchReason::NoListeningRight),
            Refusal::Dispatch(error) => match error {
                DispatchError::WrongState(state) => WrongState(state).into(),
                DispatchError::InThePast => invalid("date", &DispatchReason::InThePast),
                DispatchError::Reason => invalid("reason", &DispatchReason::ReasonNeeded { max: REASON_CHARS_MAX }),
                DispatchError::ReceiverLimit(limit) => {
                    let ReceiverLimit { interactive, asked, max, may_watch } = limit;
                    DispatchProblem::ReceiverLimit { interactive, may_watch, max, asked }.into()
                }
                DispatchError::OutsideServeScope { .. } => invalid("listening", &DispatchReason::OutsideServeScope),
                DispatchError::NoListeningClass { .. } => invalid("listening", &DispatchReason::ListeningClassNeeded),
            },
        }
    }
}

/// Why a lesson stays, as `reason` with its parameters. Without a field reason, `reason` is the `type` of the problem,
/// for example `wrong-lesson-state`.
pub(super) fn stays_because(refusal: Refusal) -> Map<String, Value> {
    let problem = ApiError::from(refusal);
    let mut because = problem.params().clone();
    // The request has no field for this single lesson.
    because.remove("field");
    because.entry("reason").or_insert_with(|| problem.kind().into());
    because
}

/// Converts a scheduling error into a problem, each clash with the lesson that holds the resource.
pub(crate) async fn schedule_problem(store: &Store, scope: &Scope, error: ScheduleError) -> ApiError {
    match error {
        ScheduleError::Clashes(clashes) => match ClashView::of(store, scope, &clashes).await {
            Ok(clashes) => DispatchProblem::DoubleBooked { clashes }.into(),
            Err(error) => error.into(),
        },
        ScheduleError::NotFound => CommonProblem::NotFound.into(),
        ScheduleError::ChangedMeanwhile(_) => CommonProblem::OtherVersion.into(),
        ScheduleError::Store(error) => error.into(),
    }
}
