//! What the tree and its tables refuse, and why a field of them must be written otherwise.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::web::problem::{ApiError, Problem, invalid},
    store::organisation::place::PlaceError,
};
use school::organisation::{BadPlace, sheet::fault::Fault};

/// What the tree and its tables refuse.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum OrganisationProblem {
    /// A file that is given as a table cannot be read as one.
    #[error("the file cannot be read: {why}")]
    UnreadableFile {
        /// Why, in English, as its reader says it.
        why: String,
    },
    /// Lines of a table are bad, and so nothing of it was kept.
    #[error("{} cells of the table are bad, and nothing of it was kept", .faults.len())]
    BadLines {
        /// Each bad cell.
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

/// A file that cannot be read: why, in English.
pub(super) fn unreadable(why: impl Into<String>) -> OrganisationProblem {
    OrganisationProblem::UnreadableFile { why: why.into() }
}

/// Why a field of the tree or of its tables must be written otherwise. Names, codes and places have `BadName`,
/// `BadCode` and [`BadPlace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum OrganisationReason {
    /// A file holds more than is taken in at once.
    #[error("an import has at most {max} lines")]
    ImportTooLong {
        /// How many lines it may have.
        max: usize,
    },
    /// The part of the tree holds more than one table does.
    #[error("an export has at most {max} lines")]
    ExportTooLong {
        /// How many lines it may have.
        max: usize,
    },
    /// The key is not one of its algorithm.
    #[error("a public key is {bytes} bytes in base64url")]
    NotAPublicKey {
        /// How long such a key is.
        bytes: usize,
    },
    /// Who records pupils says on what ground.
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
