//! Problems of reports.

use serde::Serialize;
use utoipa::ToSchema;

/// Why a field of a report request is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum ReportReason {
    /// The head count exceeds any classroom.
    #[error("between {min} and {max}")]
    OutOfRange {
        /// Minimum.
        min: u32,
        /// Maximum.
        max: u32,
    },
    /// The range has more rows than one export may hold.
    #[error("an export has at most {max} lines")]
    ExportTooLong {
        /// The limit.
        max: usize,
    },
}
