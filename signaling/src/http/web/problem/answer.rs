//! The HTTP response of a problem: status, `type`, typed parameters, headers.

use std::{error::Error, fmt, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::error;
use utoipa::{IntoResponses, ToSchema};

use crate::error_chain::chain;

/// The problems of one feature. They serialise as `{"type": "not-found", …}`.
pub trait Problem: Error + Serialize {
    /// The HTTP status.
    fn status(&self) -> StatusCode;

    /// Value of `Retry-After`. `None`: retrying does not help.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// A further header that the status requires, beside `Retry-After`. `None`: there is none.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        None
    }
}

/// The error of a request handler: a problem of any feature.
#[derive(Debug)]
pub struct ApiError(Box<Answer>);

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    kind: String,
    detail: String,
    params: Map<String, Value>,
    retry_after: Option<Duration>,
    header: Option<(HeaderName, HeaderValue)>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// Sets the cause, which is logged.
    pub(super) fn caused_by(&mut self, cause: Box<dyn Error + Send + Sync>) {
        self.0.cause = Some(cause);
    }

    /// The last segment of `type`, such as `not-found`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The typed parameters beside `type`.
    pub(crate) fn params(&self) -> &Map<String, Value> {
        &self.0.params
    }
}

impl<P: Problem> From<P> for ApiError {
    fn from(problem: P) -> Self {
        let mut params = params(&problem);
        let kind = match params.remove("type") {
            Some(Value::String(kind)) => kind,
            _ => "internal".to_owned(),
        };
        Self(Box::new(Answer {
            status: problem.status(),
            kind,
            detail: problem.to_string(),
            params,
            retry_after: problem.retry_after(),
            header: problem.header(),
            cause: None,
        }))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

/// The fields of a value that serialises as an object; empty for any other value.
pub(crate) fn params(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(params)) => params,
        _ => Map::new(),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Answer { status, kind, detail, params, retry_after, header, cause } = *self.0;
        if let Some(cause) = &cause {
            error!(error = chain(cause.as_ref()), "A request failed by a fault of ours");
        }
        metrics::counter!("tongke_problems_total", "type" => kind.clone()).increment(1);
        let title = status.canonical_reason().unwrap_or_default().to_owned();
        let body = ProblemBody { kind: format!("/problems/{kind}"), title, status: status.as_u16(), detail, params };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(retry_after) = retry_after {
            // Whole seconds, and never 0, which would cause immediate retries.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        if let Some((name, value)) = header {
            headers.insert(name, value);
        }
        response
    }
}

/// The body of every problem (RFC 9457). The typed parameters of its `type` are further members, listed by
/// `CommonProblem`, `LessonProblem` and the others. `title` and `detail` are not meant for display.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Stable identifier, such as `/problems/not-found`.
    #[serde(rename = "type")]
    kind: String,
    /// The reason phrase of the status, such as `Not Found`.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong, in English, for logs and programs.
    detail: String,
    #[serde(flatten)]
    params: Map<String, Value>,
}

/// The problem responses that any request may get.
#[derive(IntoResponses)]
pub enum Problems {
    /// The request cannot be parsed.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemBody),
    /// There is no valid session.
    #[response(status = 401, content_type = "application/problem+json")]
    SignedOut(ProblemBody),
    /// None of the caller's roles allows it.
    #[response(status = 403, content_type = "application/problem+json")]
    NotAllowed(ProblemBody),
    /// It does not exist, or the caller may not know of it.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// It was taken down or deleted, and the caller may know that.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(ProblemBody),
    /// It conflicts with the current state.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
    /// The version in `If-Match` is not the current one.
    #[response(status = 412, content_type = "application/problem+json")]
    OtherVersion(ProblemBody),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The media type is not supported.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(ProblemBody),
    /// A field is not valid.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// An edit needs `If-Match` with the version it is based on.
    #[response(status = 428, content_type = "application/problem+json")]
    VersionNeeded(ProblemBody),
    /// Too many attempts.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// The server is busy.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(ProblemBody),
}
