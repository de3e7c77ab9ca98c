//! What storage refuses, what it says of what is gone, and why a field of it must be written otherwise.

use axum::http::StatusCode;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::web::problem::Problem;
use school::retention::{DeletionRule, StorageState};

/// How something went that was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct GoneView {
    /// By which rule.
    pub rule: DeletionRule,
    /// The day, in the schools' zone. `null`: it is still going.
    #[schema(value_type = Option<String>, format = Date)]
    pub on: Option<Date>,
}

/// What storage refuses, and what is gone from it.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum RetentionProblem {
    /// A recording's state does not allow it.
    #[error("the recording is {}", .state.as_str())]
    WrongStorageState {
        /// Which.
        state: StorageState,
    },
    /// Somebody holds the recording.
    #[error("somebody holds the recording")]
    RecordingHeld,
    /// The recording was deleted, and the asker may know that it was there.
    #[error("the recording was deleted")]
    RecordingDeleted {
        /// How it went.
        gone: GoneView,
    },
    /// The report of a lesson was deleted, and the asker may know that it was there.
    #[error("the report was deleted")]
    ReportDeleted {
        /// How it went.
        gone: GoneView,
    },
}

impl Problem for RetentionProblem {
    fn status(&self) -> StatusCode {
        match self {
            Self::WrongStorageState { .. } | Self::RecordingHeld => StatusCode::CONFLICT,
            Self::RecordingDeleted { .. } | Self::ReportDeleted { .. } => StatusCode::GONE,
        }
    }
}

/// Why a field of storage must be written otherwise. Policies have `NoPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum RetentionReason {
    /// No bound of a school is so small or so large.
    #[error("between {min} and {max} gigabytes; without a number there is no bound")]
    QuotaGigabytesOutOfRange {
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
    /// No bound of a school is so short or so long.
    #[error("between {min} and {max} days; without a number there is no bound")]
    QuotaDaysOutOfRange {
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
    /// Nothing is held until yesterday.
    #[error("the time is over already")]
    InThePast,
    /// A reason is missing, or is a novel.
    #[error("a reason has 1 to {max} characters")]
    ReasonNeeded {
        /// How many characters it may have.
        max: usize,
    },
}
