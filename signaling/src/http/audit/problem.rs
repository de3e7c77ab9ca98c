//! What the audit does not export.

use serde::Serialize;
use utoipa::ToSchema;

/// Why a field of a search is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum AuditReason {
    /// More lines were found than one export holds.
    #[error("one export holds {max} lines at most")]
    ExportTooLong {
        /// How many it holds.
        max: u32,
    },
}
