//! Why what is asked of reports must be written otherwise.

use serde::Serialize;
use utoipa::ToSchema;

/// Why a field of reports must be written otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum ReportReason {
    /// No classroom seats so many.
    #[error("between {min} and {max}")]
    OutOfRange {
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
    /// The days hold more than one table does.
    #[error("an export has at most {max} lines")]
    ExportTooLong {
        /// How many lines it may have.
        max: usize,
    },
}
