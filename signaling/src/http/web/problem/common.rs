//! Problems that any feature may meet: of the request itself, of versions and keys, of what is there and what is not.

use std::{error::Error, time::Duration};

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::answer::{ApiError, Problem, params};
use crate::{
    secret::TooBusy,
    state::{attempts::TooManyAttempts, concurrency::TooManyAtOnce},
    store::{RuleKind, StoreError},
};

/// What any request may be refused for.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum CommonProblem {
    /// The request came from another site, or may have.
    #[error("the request came from another site")]
    CrossSite,
    /// There is no such thing, or the asker may not know of it.
    #[error("not found")]
    NotFound,
    /// None of the asker's roles allows it.
    #[error("none of the asker's roles allows it")]
    NotAllowed,
    /// A field holds what it must not.
    #[error("{field} is not acceptable: {english}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Why, for logs.
        #[serde(skip)]
        english: String,
        /// Why: `reason` and what belongs to it.
        #[serde(flatten)]
        reason: Map<String, Value>,
    },
    /// Another thing has this name or code already, or has had it.
    #[error("there is one already")]
    AlreadyThere,
    /// Nobody may be two of the three administrators (三权分立).
    #[error("nobody may be two of the three administrators")]
    SeparatedPowers,
    /// An edit must say which version it was made of.
    #[error("an edit must say which version it was made of, in If-Match")]
    VersionNeeded,
    /// Somebody else has edited it since.
    #[error("somebody else has edited it since")]
    OtherVersion,
    /// The same key came with another request.
    #[error("the same Idempotency-Key came with another request")]
    KeyReused,
    /// The store is busy.
    #[error("the store is busy")]
    Busy,
    /// The path exists, but not for this method.
    #[error("the path is not for this method")]
    MethodNotAllowed,
    /// Another media type is expected.
    #[error("another media type is expected: {expected}")]
    UnsupportedMediaType {
        /// Which.
        expected: &'static str,
    },
    /// The body is larger than this many bytes.
    #[error("the body is larger than {max_bytes} bytes")]
    TooLarge {
        /// How many there may be.
        max_bytes: usize,
    },
    /// The body did not come in time.
    #[error("the body did not come in time")]
    TooSlow,
    /// The body or the query cannot be read.
    #[error("the request cannot be read: {why}")]
    BadRequest {
        /// Why, in English: a program made it.
        why: String,
    },
    /// Too many attempts from this address, or offers of this seat.
    #[error("too many attempts")]
    TooManyAttempts {
        /// When to try again.
        #[serde(skip)]
        retry_after: Duration,
    },
    /// The session has as many of these under way as it may.
    #[error("{max} are under way already")]
    TooManyAtOnce {
        /// How many may be.
        max: usize,
    },
    /// The URL holds what lets somebody in, and stands in logs.
    #[error("the URL holds a secret")]
    SecretInUrl,
    /// The `Range` lies outside the file.
    #[error("the range lies outside the file")]
    RangeNotSatisfiable {
        /// How long the file is.
        size_bytes: u64,
    },
    /// A fault of ours.
    #[error("a fault of ours, which the log names")]
    Internal,
}

/// Whoever writes now has written by then.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(5);

impl CommonProblem {
    /// The request cannot be read: why, in English.
    pub(crate) fn bad_request(why: impl Into<String>) -> Self {
        Self::BadRequest { why: why.into() }
    }
}

impl Problem for CommonProblem {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest { .. } | Self::SecretInUrl => StatusCode::BAD_REQUEST,
            Self::CrossSite | Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::AlreadyThere | Self::SeparatedPowers => StatusCode::CONFLICT,
            Self::OtherVersion => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RangeNotSatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Invalid { .. } | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::VersionNeeded => StatusCode::PRECONDITION_REQUIRED,
            Self::TooManyAttempts { .. } | Self::TooManyAtOnce { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyAttempts { retry_after } => Some(*retry_after),
            Self::Busy | Self::TooManyAtOnce { .. } => Some(BUSY_RETRY_AFTER),
            _ => None,
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::RangeNotSatisfiable { size_bytes } => {
                Some((header::CONTENT_RANGE, HeaderValue::from_str(&format!("bytes */{size_bytes}")).ok()?))
            }
            _ => None,
        }
    }
}

impl ApiError {
    /// A fault of ours. The cause is in the log, not in the answer.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::from(CommonProblem::Internal);
        error.caused_by(cause.into());
        error
    }
}

/// A field that must be written otherwise. `reason` serialises as `{"reason": "too-long", …}`.
pub(crate) fn invalid(field: &'static str, reason: &(impl Error + Serialize)) -> ApiError {
    CommonProblem::Invalid { field, english: reason.to_string(), reason: params(reason) }.into()
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Rule { kind: RuleKind::Unique, .. } => CommonProblem::AlreadyThere.into(),
            StoreError::SeparatedPowers => CommonProblem::SeparatedPowers.into(),
            StoreError::Busy => CommonProblem::Busy.into(),
            error => Self::internal(error),
        }
    }
}

impl From<TooManyAttempts> for ApiError {
    fn from(TooManyAttempts { retry_after }: TooManyAttempts) -> Self {
        CommonProblem::TooManyAttempts { retry_after }.into()
    }
}

impl From<TooManyAtOnce> for ApiError {
    fn from(TooManyAtOnce { max }: TooManyAtOnce) -> Self {
        CommonProblem::TooManyAtOnce { max }.into()
    }
}

impl From<TooBusy> for ApiError {
    fn from(_: TooBusy) -> Self {
        CommonProblem::Busy.into()
    }
}
