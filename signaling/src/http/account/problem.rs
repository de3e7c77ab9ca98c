//! What an account refuses: coming in, setting up, being given a role.

use axum::http::StatusCode;
use school::account::password::{FAILURES_MAX, LOCK};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::web::problem::Problem;

/// Why somebody does not come in.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum AccountProblem {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    SignedOut,
    /// The link is unknown, used or expired.
    #[error("the link is unknown, used or expired")]
    LinkRefused,
    /// A password or a second factor has to be set first.
    #[error("a password or a second factor has to be set first")]
    SetUpNeeded,
    /// Name, password or code are wrong, or the name is locked: which of them is nobody's business.
    #[error(
        "name, password or code are wrong: {failures_max} failures in a row lock a name for {lock_minutes} minutes"
    )]
    SignInRefused {
        /// So many failures in a row lock a name.
        failures_max: i64,
        /// For so long.
        lock_minutes: u64,
    },
    /// Others on the line could read what somebody with power sends.
    #[error("the connection is not encrypted")]
    PlainHttp,
    /// The hub has its administrators already.
    #[error("the hub is set up already")]
    AlreadySetUp,
}

impl AccountProblem {
    /// Name, password or code are wrong.
    pub(crate) fn sign_in_refused() -> Self {
        Self::SignInRefused { failures_max: FAILURES_MAX, lock_minutes: LOCK.as_secs() / 60 }
    }
}

impl Problem for AccountProblem {
    fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut | Self::LinkRefused | Self::SignInRefused { .. } => StatusCode::UNAUTHORIZED,
            Self::SetUpNeeded | Self::PlainHttp => StatusCode::FORBIDDEN,
            Self::AlreadySetUp => StatusCode::CONFLICT,
        }
    }
}

/// Why a field of an account is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum AccountReason {
    /// It is not what the authenticator app shows now.
    #[error("it is not the code that the authenticator app shows now")]
    WrongCode,
    /// Above all others stands a bureau of a province, a city or a county.
    #[error("above all others stands a bureau of a province, a city or a county")]
    NotATopKind,
    /// It does not lie after the start.
    #[error("it must lie after the start")]
    NotAfterStart,
}
