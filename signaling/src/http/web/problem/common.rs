//! Problems shared by all features: malformed requests, versions and idempotency keys, missing objects, limits.

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

/// Problems that any request may get.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum CommonProblem {
    /// The request came from another site, or may have.
    #[error("the request came from another site")]
    CrossSite,
    /// It does not exist, or the caller may not know of it.
    #[error("not found")]
    NotFound,
    /// None of the caller's roles allows it.
    #[error("none of the asker's roles allows it")]
    NotAllowed,
    /// A field is not valid.
    #[error("{field} is not acceptable: {english}")]
    Invalid {
        /// The name of the field.
        field: &'static str,
        /// The reason in English, for logs.
        #[serde(skip)]
        english: String,
        /// The reason: `reason` and its parameters.
        #[serde(flatten)]
        reason: Map<String, Value>,
    },
    /// The name or code is in use, or was in use, by another object.
    #[error("there is one already")]
    AlreadyThere,
    /// One person cannot hold two of the three administrator roles (三权分立).
    #[error("nobody may be two of the three administrators")]
    SeparatedPowers,
    /// An edit needs `If-Match` with the version it is based on.
    #[error("an edit must say which version it was made of, in If-Match")]
    VersionNeeded,
    /// The version in `If-Match` is not the current one.
    #[error("somebody else has edited it since")]
    OtherVersion,
    /// The `Idempotency-Key` was used for another request.
    #[error("the same Idempotency-Key came with another request")]
    KeyReused,
    /// The store is busy.
    #[error("the store is busy")]
    Busy,
    /// The path does not support this method.
    #[error("the path is not for this method")]
    MethodNotAllowed,
    /// The media type is not supported.
    #[error("another media type is expected: {expected}")]
    UnsupportedMediaType {
        /// The expected media type.
        expected: &'static str,
    },
    /// The body is too large.
    #[error("the body is larger than {max_bytes} bytes")]
    TooLarge {
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// The body was not received within the timeout.
    #[error("the body did not come in time")]
    TooSlow,
    /// The body or the query cannot be parsed.
    #[error("the request cannot be read: {why}")]
    BadRequest {
        /// The parse error, in English.
        why: String,
    },
    /// Too many attempts from this address, or offers for this seat.
    #[error("too many attempts")]
    TooManyAttempts {
        /// When to retry.
        #[serde(skip)]
        retry_after: Duration,
    },
    /// The session has reached its limit of concurrent requests of this kind.
    #[error("{max} are under way already")]
    TooManyAtOnce {
        /// The limit.
        max: usize,
    },
    /// The URL holds a secret, which would end up in logs.
    #[error("the URL holds a secret")]
    SecretInUrl,
    /// The `Range` is outside the file.
    #[error("the range lies outside the file")]
    RangeNotSatisfiable {
        /// The size of the file, in bytes.
        size_bytes: u64,
    },
    /// An internal error.
    #[error("a fault of ours, which the log names")]
    Internal,
}

/// `Retry-After` where the server is busy or the concurrency limit is reached: most work in progress has ended by then.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(5);

impl CommonProblem {
    /// The request cannot be parsed; `why` is in English.
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
    /// An internal error. The cause is logged and not part of the response.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::from(CommonProblem::Internal);
        error.caused_by(cause.into());
        error
    }
}

/// A field that is not valid. `reason` serialises as `{"reason": "too-long", …}`.
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
