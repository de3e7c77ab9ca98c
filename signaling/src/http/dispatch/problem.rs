//! What dispatch refuses, and why a field of it must be written otherwise.

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

/// What dispatch refuses.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum DispatchProblem {
    /// Lessons want what other lessons have.
    #[error("{} clashes", .clashes.len())]
    DoubleBooked {
        /// Each clash, with the lesson that has what is wanted.
        clashes: Vec<ClashView>,
    },
    /// One receiving classroom too many.
    #[error("{asked} receiving classrooms are asked for, {max} are allowed")]
    ReceiverLimit {
        /// It is about those that can be called on stage; else about those that watch only.
        interactive: bool,
        /// There is room for it among those that watch only.
        may_watch: bool,
        /// How many are allowed.
        max: u32,
        /// How many are asked for.
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

/// Why a field of dispatch must be written otherwise. Days and periods have `Unresolved`, lessons have `CourseError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum DispatchReason {
    /// A day is moved to another one.
    #[error("the new day is the old one")]
    SameDay,
    /// Nothing is planned on it.
    #[error("no lesson of that day can be moved")]
    NoLessonsToMove,
    /// Not every lesson of a day can be given on the other, and nobody said that some may stay.
    #[error("{count} lessons cannot be given on that day, one of them is {lesson_title}")]
    LessonsStay {
        /// How many.
        count: usize,
        /// What one of them is called.
        lesson_title: String,
        /// Why that one stays: `reason` and what belongs to it.
        #[schema(additional_properties)]
        because: Map<String, Value>,
    },
    /// The bureau does not use the program in this mode.
    #[error("the bureau does not use this program in this mode")]
    ModeNotUsed,
    /// A class has no right to listen to this subject in this term.
    #[error("the class has no right to listen")]
    NoListeningRight,
    /// Nothing is moved into the past.
    #[error("the time is over already")]
    InThePast,
    /// A reason is missing, or is a novel.
    #[error("a reason has 1 to {max} characters")]
    ReasonNeeded {
        /// How many characters it may have.
        max: usize,
    },
    /// A receiving school lies outside the radiation scope.
    #[error("a receiving school lies outside the radiation scope")]
    OutsideServeScope,
    /// The program asks for a class in each receiving room.
    #[error("a receiving classroom has no class in it")]
    ListeningClassNeeded,
    /// The program does not ask for it in this mode, so nobody has to answer for doing without.
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

/// Why a lesson stays where it is, as `reason` and what belongs to it. What is no reason of a field is there by the
/// `type` of its problem, as `wrong-lesson-state`.
pub(super) fn stays_because(refusal: Refusal) -> Map<String, Value> {
    let problem = ApiError::from(refusal);
    let mut because = problem.params().clone();
    // Nobody filled in a field for this one lesson.
    because.remove("field");
    because.entry("reason").or_insert_with(|| problem.kind().into());
    because
}

/// Says what could not be scheduled, each clash with the lesson that has what is wanted.
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
