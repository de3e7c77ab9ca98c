//! What went wrong, as RFC 9457 problems. What they say stands in `problem/words.rs`.

pub mod clash;
mod words;

use std::time::Duration;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use jiff::civil::Date;
use recorder::composite::CompositeRefused;
use serde::Serialize;
use sfu::{OfferError, PatchError};
use tracing::error;
use utoipa::{IntoResponses, ToSchema};

use self::clash::ClashView;
use crate::state::{attempts::TooManyAttempts, concurrency::TooManyAtOnce};
use crate::{
    error_chain::chain,
    live::{actor::TransitionError, session::TooManyOffers, table::SeatRefused, token::TokenError},
    secret::TooBusy,
    store::{EditError, RuleKind, StandsOn, StoreError, organisation::place::PlaceError},
};
use school::{
    dispatch::ReceiverLimit,
    lesson::life::WrongState,
    library::RightsError,
    organisation::sheet::Fault,
    retention::{DeletionRule, StorageState},
};

/// Why a request is not answered as it hoped. Only here are status codes known.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    SignedOut,
    /// The sign-in link is unknown, used or expired.
    #[error("the link is unknown, used or expired")]
    LinkRefused,
    /// The token is not accepted.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token is good, but for something else.
    #[error("the token does not allow this")]
    WrongKind,
    /// The request came from another site, or may have.
    #[error("the request came from another site")]
    CrossSite,
    /// There is no such thing, or the asker may not know of it.
    #[error("not found")]
    NotFound,
    /// It was taken down, and the asker keeps it.
    #[error("it was taken down")]
    TakenDown {
        /// Why.
        reason: String,
    },
    /// The rights of a recording do not change like this.
    #[error(transparent)]
    Rights(#[from] RightsError),
    /// None of the asker's roles allows it.
    #[error("none of the asker's roles allows it")]
    NotAllowed,
    /// A field holds what it must not.
    #[error("{field} is not acceptable: {why}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Why, in Chinese.
        why: String,
    },
    /// Lines of a table are bad, and so nothing of it was kept.
    #[error("{} cells of the table are bad", .0.len())]
    BadLines(Vec<Fault>),
    /// Another thing has this name or code already, or has had it.
    #[error("there is one already")]
    AlreadyThere,
    /// Something stands on what was to be changed or taken away.
    #[error(transparent)]
    StandsOn(#[from] StandsOn),
    /// Nobody may be two of the three administrators.
    #[error("nobody may be two of the three administrators")]
    SeparatedPowers,
    /// An edit must say which version it was made of.
    #[error("an edit must say which version it was made of")]
    VersionNeeded,
    /// Somebody else has edited it since.
    #[error("somebody else has edited it since")]
    OtherVersion,
    /// The same key came with another request.
    #[error("the same key came with another request")]
    KeyReused,
    /// A password or a second factor has to be set first.
    #[error("a password or a second factor has to be set first")]
    SetUpNeeded,
    /// Name, password or code are wrong: which of them is nobody's business.
    #[error("name, password or code are wrong")]
    SignInRefused,
    /// Others on the line could read what an administrator sends.
    #[error("the connection is not encrypted")]
    PlainHttp,
    /// The hub has its administrators already.
    #[error("the hub is set up already")]
    AlreadySetUp,
    /// The store is busy.
    #[error("the store is busy")]
    Busy,
    /// Lessons want what other lessons have.
    #[error("{} clashes", .0.len())]
    Clashes(Vec<ClashView>),
    /// One receiving classroom too many.
    #[error(transparent)]
    ReceiverLimit(#[from] ReceiverLimit),
    /// The path exists, but not for this method.
    #[error("the path is not for this method")]
    MethodNotAllowed,
    /// The lesson's state does not allow it.
    #[error(transparent)]
    WrongState(#[from] WrongState),
    /// A recording's state does not allow it.
    #[error("the recording is {}", .0.as_str())]
    StorageState(StorageState),
    /// Somebody holds the recording.
    #[error("somebody holds the recording")]
    Held,
    /// The recording was deleted, and the asker may know that it was there.
    #[error("the recording was deleted")]
    RecordingDeleted(GoneView),
    /// The report of a lesson was deleted, and the asker may know that it was there.
    #[error("the report was deleted")]
    ReportDeleted(GoneView),
    /// Another media type is expected.
    #[error("another media type is expected: {0}")]
    UnsupportedMediaType(&'static str),
    /// The body is larger than this many bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body did not come in time.
    #[error("the body did not come in time")]
    TooSlow,
    /// The body or the query cannot be read.
    #[error("the request cannot be read: {0}")]
    BadRequest(String),
    /// The hub does not accept the offer.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The hub does not accept the PATCH.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// RFC 9725 §4.3.1: a PATCH needs an `If-Match`.
    #[error("an If-Match is needed")]
    PreconditionRequired,
    /// RFC 9725 §4.3.1: the ICE session has another entity tag by now.
    #[error("the entity tag is another")]
    PreconditionFailed,
    /// Every guest seat is taken.
    #[error("every guest seat is taken")]
    GuestsFull,
    /// Too many attempts from this address, or offers of this seat.
    #[error("too many attempts")]
    TooManyRequests {
        /// When to try again.
        retry_after: Duration,
    },
    /// The session has as many of these under way as it may.
    #[error(transparent)]
    TooManyAtOnce(#[from] TooManyAtOnce),
    /// Board and camera cannot be put into one frame.
    #[error(transparent)]
    Composite(#[from] CompositeRefused),
    /// The URL holds what lets somebody in, and stands in logs.
    #[error("the URL holds a secret")]
    SecretInUrl,
    /// The `Range` lies outside the file.
    #[error("the range lies outside the file")]
    RangeNotSatisfiable {
        /// How long the file is.
        size_bytes: u64,
    },
    /// A fault of ours. The cause is in the log, not in the answer.
    #[error("a fault of ours")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How something went that was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct GoneView {
    /// By which rule.
    pub rule: DeletionRule,
    /// The day, in the schools' zone. `null`: it is still going.
    #[schema(value_type = Option<String>, format = Date)]
    pub on: Option<Date>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clashes: Option<&'a [ClashView]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<&'a [Fault]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<GoneView>,
}

/// A guest who finds every seat taken may find one free after this long.
const GUEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Whoever writes now has written by then.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(5);

impl ApiError {
    /// What is wrong and what to do, in a sentence.
    pub(crate) fn detail(&self) -> String {
        self.words().3
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Rule { kind: RuleKind::Unique, .. } => Self::AlreadyThere,
            StoreError::SeparatedPowers => Self::SeparatedPowers,
            StoreError::Busy => Self::Busy,
            error => Self::Internal(Box::new(error)),
        }
    }
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::StandsOn(stands_on) => stands_on.into(),
            EditError::Store(error) => error.into(),
        }
    }
}

impl From<TooManyAttempts> for ApiError {
    fn from(TooManyAttempts { retry_after }: TooManyAttempts) -> Self {
        Self::TooManyRequests { retry_after }
    }
}

impl From<TooBusy> for ApiError {
    fn from(_: TooBusy) -> Self {
        Self::Busy
    }
}

impl From<PlaceError> for ApiError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Store(error) => error.into(),
            PlaceError::Code(why) => Self::Invalid { field: "code", why: why.to_string() },
            PlaceError::Kind => Self::Invalid { field: "kind", why: error.to_string() },
            PlaceError::BelowItself => Self::Invalid { field: "parent_id", why: error.to_string() },
            PlaceError::NotEmpty => Self::Invalid { field: "closed", why: error.to_string() },
        }
    }
}

/// A field that must be written otherwise.
pub(crate) fn invalid(field: &'static str, why: &str) -> ApiError {
    ApiError::Invalid { field, why: why.to_owned() }
}

/// What every problem looks like (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Problem {
    /// Stable, as `/problems/not-found`.
    #[serde(rename = "type")]
    kind: String,
    /// 没有找到
    title: String,
    /// The status, once more.
    status: u16,
    /// What to do now.
    detail: String,
    /// With `double-booked`: each clash, with the lesson that has what is wanted.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    clashes: Option<Vec<ClashView>>,
    /// With `bad-lines`: each bad cell.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<Vec<Fault>>,
    /// With `recording-deleted` and `report-deleted`: how it went.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<GoneView>,
}

/// The problems that any request may meet.
#[derive(IntoResponses)]
pub enum Problems {
    /// It cannot be read.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// Nobody is signed in.
    #[response(status = 401, content_type = "application/problem+json")]
    SignedOut(Problem),
    /// No role of the asker's allows it.
    #[response(status = 403, content_type = "application/problem+json")]
    NotAllowed(Problem),
    /// There is none, or it is not theirs to know of.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// It was there, and was taken down or deleted; the asker may know that.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(Problem),
    /// Another thing stands in the way.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// Somebody else has edited it since.
    #[response(status = 412, content_type = "application/problem+json")]
    OtherVersion(Problem),
    /// Too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// Of a kind that is not taken.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(Problem),
    /// A field holds what it must not.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// An edit must say which version it was made of.
    #[response(status = 428, content_type = "application/problem+json")]
    VersionNeeded(Problem),
    /// Too many attempts.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// Busy.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
}

impl From<TransitionError> for ApiError {
    fn from(error: TransitionError) -> Self {
        match error {
            TransitionError::WrongState(error) => Self::WrongState(error),
            TransitionError::Store(error) => error.into(),
        }
    }
}

impl From<SeatRefused> for ApiError {
    fn from(error: SeatRefused) -> Self {
        match error {
            SeatRefused::WrongState(error) => Self::WrongState(error),
            SeatRefused::NotListed => Self::Token(TokenError::OtherLesson),
            SeatRefused::GuestsFull(_) => Self::GuestsFull,
        }
    }
}

impl From<TooManyOffers> for ApiError {
    fn from(TooManyOffers { retry_after }: TooManyOffers) -> Self {
        Self::TooManyRequests { retry_after }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Internal(cause) = &self {
            error!(error = chain(cause.as_ref()), "A request failed by a fault of ours");
        }
        let (status, kind, title, detail) = self.words();
        metrics::counter!("tongke_problems_total", "type" => kind).increment(1);
        let clashes = match &self {
            Self::Clashes(clashes) => Some(clashes.as_slice()),
            _ => None,
        };
        let faults = match &self {
            Self::BadLines(faults) => Some(faults.as_slice()),
            _ => None,
        };
        let gone = match &self {
            Self::RecordingDeleted(gone) | Self::ReportDeleted(gone) => Some(*gone),
            _ => None,
        };
        let kind = format!("/problems/{kind}");
        let body = Body { kind, title, status: status.as_u16(), detail: &detail, clashes, faults, gone };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let retry_after = match &self {
            Self::Offer(OfferError::Full { retry_after }) | Self::TooManyRequests { retry_after } => Some(*retry_after),
            Self::GuestsFull => Some(GUEST_RETRY_AFTER),
            Self::Busy | Self::TooManyAtOnce(_) => Some(BUSY_RETRY_AFTER),
            _ => None,
        };
        if let Some(retry_after) = retry_after {
            // Whole seconds, and never 0: that would be a request for a storm.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        match &self {
            Self::Token(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::RangeNotSatisfiable { size_bytes } => {
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size_bytes}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
            _ => {}
        }
        response
    }
}
