//! Problems of the audit.

use serde::Serialize;
use utoipa::ToSchema;

/// Why a search field is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum AuditReason {
    /// The search matches more rows than one export may hold.
    #[error("one export holds {max} lines at most")]
    ExportTooLong {
        /// The limit.
        max: u32,
    },
}
