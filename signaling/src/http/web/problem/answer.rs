//! A problem as it is answered: status, `type`, typed parameters, headers.

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

/// One feature's refusals. They serialise as `{"type": "not-found", …}`.
pub trait Problem: Error + Serialize {
    /// With which status it is answered.
    fn status(&self) -> StatusCode;

    /// When to try again. `None`: trying again does not help.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// What its status asks for beside `Retry-After`.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        None
    }
}

/// Why a request is not answered as it hoped.
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
    /// Names the cause for the log.
    pub(super) fn caused_by(&mut self, cause: Box<dyn Error + Send + Sync>) {
        self.0.cause = Some(cause);
    }

    /// The last part of `type`, as `not-found`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The typed parameters that stand beside `type`.
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

/// The fields of an object. What serialises otherwise has none.
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
            // Whole seconds, and never 0: that would be a request for a storm.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        if let Some((name, value)) = header {
            headers.insert(name, value);
        }
        response
    }
}

/// What every problem looks like (RFC 9457). The typed parameters of its `type` stand beside these members, as
/// `CommonProblem`, `LessonProblem` and the others list them. People read neither `title` nor `detail`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Stable, as `/problems/not-found`.
    #[serde(rename = "type")]
    kind: String,
    /// The name of the status, as `Not Found`.
    title: String,
    /// The status, once more.
    status: u16,
    /// What is wrong, in English, for logs and programs.
    detail: String,
    #[serde(flatten)]
    params: Map<String, Value>,
}

/// The problems that any request may meet.
#[derive(IntoResponses)]
pub enum Problems {
    /// It cannot be read.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemBody),
    /// Nobody is signed in.
    #[response(status = 401, content_type = "application/problem+json")]
    SignedOut(ProblemBody),
    /// No role of the asker's allows it.
    #[response(status = 403, content_type = "application/problem+json")]
    NotAllowed(ProblemBody),
    /// There is none, or it is not theirs to know of.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// It was there, and was taken down or deleted; the asker may know that.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(ProblemBody),
    /// Another thing stands in the way.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
    /// Somebody else has edited it since.
    #[response(status = 412, content_type = "application/problem+json")]
    OtherVersion(ProblemBody),
    /// Too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// Of a kind that is not taken.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(ProblemBody),
    /// A field holds what it must not.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// An edit must say which version it was made of.
    #[response(status = 428, content_type = "application/problem+json")]
    VersionNeeded(ProblemBody),
    /// Too many attempts.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// Busy.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(ProblemBody),
}
