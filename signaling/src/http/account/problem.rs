//! Problems of accounts: signing in, setting up, granting roles.

use axum::http::StatusCode;
use school::account::password::{FAILURES_MAX, LOCK};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::web::problem::Problem;

/// Problems of signing in and setting up.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum AccountProblem {
    /// There is no valid session.
    #[error("nobody is signed in")]
    SignedOut,
    /// The link is unknown, used or expired.
    #[error("the link is unknown, used or expired")]
    LinkRefused,
    /// A password or a second factor must be set first.
    #[error("a password or a second factor has to be set first")]
    SetUpNeeded,
    /// Name, password or code is wrong, or the name is locked; which of them is not disclosed.
    #[error(
        "name, password or code are wrong: {failures_max} failures in a row lock a name for {lock_minutes} minutes"
    )]
    SignInRefused {
        /// Number of consecutive failures that lock a name.
        failures_max: i64,
        /// How long a name is locked, in minutes.
        lock_minutes: u64,
    },
    /// The connection is not encrypted, and the person's role requires it.
    #[error("the connection is not encrypted")]
    PlainHttp,
    /// The hub is already set up.
    #[error("the hub is set up already")]
    AlreadySetUp,
}

impl AccountProblem {
    /// Name, password or code is wrong.
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

/// Why a field of an account is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum AccountReason {
    /// It is not the code that the authenticator app shows now.
    #[error("it is not the code that the authenticator app shows now")]
    WrongCode,
    /// The root organisation must be a bureau of a province, a city or a county.
    #[error("above all others stands a bureau of a province, a city or a county")]
    NotATopKind,
    /// It is not after the start.
    #[error("it must lie after the start")]
    NotAfterStart,
}
