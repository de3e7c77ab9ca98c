//! Problems of organisations and their tables.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::web::problem::{ApiError, Problem, invalid},
    store::organisation::place::PlaceError,
};
use school::organisation::{BadPlace, sheet::fault::Fault};

/// Refusals of organisations and tables.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum OrganisationProblem {
    /// A file cannot be read as a table.
    #[error("the file cannot be read: {why}")]
    UnreadableFile {
        /// The parser's reason, in English.
        why: String,
    },
    /// The table has invalid cells; nothing was imported.
    #[error("{} cells of the table are bad, and nothing of it was kept", .faults.len())]
    BadLines {
        /// Each invalid cell.
        faults: Vec<Fault>,
    },
}

impl Problem for OrganisationProblem {
    fn status(&self) -> StatusCode {
        match self {
            Self::UnreadableFile { .. } => StatusCode::BAD_REQUEST,
            Self::BadLines { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// The problem of an unreadable file, with the reason in English.
pub(super) fn unreadable(why: impl Into<String>) -> OrganisationProblem {
    OrganisationProblem::UnreadableFile { why: why.into() }
}

/// Why a field of an organisation or a table is invalid. Names, codes and places have `BadName`, `BadCode` and
/// [`BadPlace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum OrganisationReason {
    /// The file has more rows than one import may hold.
    #[error("an import has at most {max} lines")]
    ImportTooLong {
        /// The limit.
        max: usize,
    },
    /// The selection has more rows than one export may hold.
    #[error("an export has at most {max} lines")]
    ExportTooLong {
        /// The limit.
        max: usize,
    },
    /// The key does not have the length of its algorithm.
    #[error("a public key is {bytes} bytes in base64url")]
    NotAPublicKey {
        /// The length in bytes.
        bytes: usize,
    },
    /// Recording pupils needs a legal basis.
    #[error("whoever records pupils says on what ground")]
    BasisNeeded,
}

impl From<PlaceError> for ApiError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Store(error) => error.into(),
            PlaceError::Code(why) => invalid("code", &why),
            PlaceError::Place(why) => {
                let field = match why {
                    BadPlace::NotBelowThere => "kind",
                    BadPlace::BelowItself => "parent_id",
                    BadPlace::NotEmpty => "closed",
                };
                invalid(field, &why)
            }
        }
    }
}
