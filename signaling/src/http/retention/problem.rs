//! Problems of storage and retention.

use axum::http::StatusCode;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::web::problem::Problem;
use school::retention::{DeletionRule, StorageState};

/// How something stored was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct GoneView {
    /// The rule that deleted it.
    pub rule: DeletionRule,
    /// Day of deletion in the schools' zone. `null`: deletion is in progress.
    #[schema(value_type = Option<String>, format = Date)]
    pub on: Option<Date>,
}

/// Refusals of storage, and deleted resources.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum RetentionProblem {
    /// The recording's state does not allow the request.
    #[error("the recording is {}", .state.as_str())]
    WrongStorageState {
        /// Its state.
        state: StorageState,
    },
    /// The recording is on hold.
    #[error("somebody holds the recording")]
    RecordingHeld,
    /// The recording was deleted, and the caller may know that it existed.
    #[error("the recording was deleted")]
    RecordingDeleted {
        /// How it was deleted.
        gone: GoneView,
    },
    /// The lesson's report was deleted, and the caller may know that it existed.
    #[error("the report was deleted")]
    ReportDeleted {
        /// How it was deleted.
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

/// Why a field of storage is invalid. Policies have `NoPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum RetentionReason {
    /// The quota is out of range.
    #[error("between {min} and {max} gigabytes; without a number there is no bound")]
    QuotaGigabytesOutOfRange {
        /// Minimum.
        min: u32,
        /// Maximum.
        max: u32,
    },
    /// The quota is out of range.
    #[error("between {min} and {max} days; without a number there is no bound")]
    QuotaDaysOutOfRange {
        /// Minimum.
        min: u32,
        /// Maximum.
        max: u32,
    },
    /// The hold would end in the past.
    #[error("the time is over already")]
    InThePast,
    /// The reason is missing or too long.
    #[error("a reason has 1 to {max} characters")]
    ReasonNeeded {
        /// Maximum length in characters.
        max: usize,
    },
}
