//! Problems of lessons: tokens, seats, offers, invalid state transitions.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use school::lesson::life::{LessonState, WrongState};
use serde::Serialize;
use sfu::{OfferError, PatchError, TrackKind};
use utoipa::ToSchema;

use crate::{
    http::web::problem::{ApiError, Problem, common::CommonProblem},
    live::{actor::TransitionError, session::TooManyOffers, table::SeatRefused, token::TokenError},
};

/// Problems of lessons, WHIP and WHEP.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum LessonProblem {
    /// The `Authorization` header holds no token.
    #[error("there is no token in the Authorization header")]
    TokenMissing,
    /// The token has expired.
    #[error("the token has expired")]
    TokenExpired,
    /// The token's signature is wrong, or it was issued for another lesson or holder.
    #[error("the token is not good for this lesson and whoever shows it")]
    TokenRefused,
    /// The token is valid, but does not allow this.
    #[error("the token does not allow this")]
    WrongKindOfToken,
    /// The lesson's state does not allow it.
    #[error("a lesson that is {} does not allow this", .state.as_str())]
    WrongLessonState {
        /// The lesson's state.
        state: LessonState,
    },
    /// Every guest seat is taken.
    #[error("every guest seat is taken")]
    GuestsFull,
    /// The offer is not valid SDP.
    #[error("the offer cannot be read: {why}")]
    BadSdp {
        /// The reason, in English.
        why: String,
    },
    /// The m-lines do not match the request.
    #[error("the offer's media do not fit: {why}")]
    MediaMismatch {
        /// The reason, in English.
        why: String,
    },
    /// The offer has no codec in common with this server, or with what the lesson's publisher sends.
    #[error("no codec in common for {track}: it takes {}", .wanted.join(", "))]
    UnsupportedCodec {
        /// The track or slot.
        track: TrackKind,
        /// The accepted codecs, named as in `a=rtpmap`.
        wanted: Vec<String>,
    },
    /// The hub has reached its connection limit.
    #[error("the hub is full")]
    HubFull {
        /// When to retry.
        #[serde(skip)]
        retry_after: Duration,
    },
    /// The connection has ended: send a new offer.
    #[error("the connection has gone")]
    SessionGone,
    /// The SDP fragment cannot be parsed (RFC 8840).
    #[error("the SDP fragment cannot be read: {why}")]
    BadSdpFragment {
        /// The reason, in English.
        why: String,
    },
    /// RFC 9725 §4.3.1: a PATCH needs an `If-Match`.
    #[error("an If-Match is needed: the latest ETag for candidates, \"*\" for an ICE restart")]
    IfMatchRequired,
    /// RFC 9725 §4.3.1: `If-Match` is not the current entity tag of the ICE session.
    #[error("the ICE session has another entity tag by now")]
    EtagDiffers,
}

/// `Retry-After` where every guest seat is taken.
const GUEST_RETRY_AFTER: Duration = Duration::from_secs(30);

impl Problem for LessonProblem {
    fn status(&self) -> StatusCode {
        match self {
            Self::TokenMissing | Self::TokenExpired | Self::TokenRefused => StatusCode::UNAUTHORIZED,
            Self::WrongKindOfToken => StatusCode::FORBIDDEN,
            Self::WrongLessonState { .. } => StatusCode::CONFLICT,
            Self::GuestsFull | Self::HubFull { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadSdp { .. } | Self::MediaMismatch { .. } | Self::BadSdpFragment { .. } => StatusCode::BAD_REQUEST,
            Self::UnsupportedCodec { .. } => StatusCode::NOT_ACCEPTABLE,
            Self::SessionGone => StatusCode::NOT_FOUND,
            Self::IfMatchRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::EtagDiffers => StatusCode::PRECONDITION_FAILED,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::HubFull { retry_after } => Some(*retry_after),
            Self::GuestsFull => Some(GUEST_RETRY_AFTER),
            _ => None,
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::TokenMissing | Self::TokenExpired | Self::TokenRefused => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
            }
            _ => None,
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Missing => LessonProblem::TokenMissing.into(),
            TokenError::Expired => LessonProblem::TokenExpired.into(),
            TokenError::Forged | TokenError::OtherLesson | TokenError::OtherHolder => {
                LessonProblem::TokenRefused.into()
            }
        }
    }
}

impl From<WrongState> for ApiError {
    fn from(WrongState(state): WrongState) -> Self {
        LessonProblem::WrongLessonState { state }.into()
    }
}

impl From<TransitionError> for ApiError {
    fn from(error: TransitionError) -> Self {
        match error {
            TransitionError::WrongState(error) => error.into(),
            TransitionError::Store(error) => error.into(),
        }
    }
}

impl From<SeatRefused> for ApiError {
    fn from(error: SeatRefused) -> Self {
        match error {
            SeatRefused::WrongState(error) => error.into(),
            SeatRefused::NotListed => TokenError::OtherLesson.into(),
            SeatRefused::GuestsFull(_) => LessonProblem::GuestsFull.into(),
        }
    }
}

impl From<TooManyOffers> for ApiError {
    fn from(TooManyOffers { retry_after }: TooManyOffers) -> Self {
        CommonProblem::TooManyAttempts { retry_after }.into()
    }
}

impl From<OfferError> for ApiError {
    fn from(error: OfferError) -> Self {
        match error {
            OfferError::BadSdp(why) => LessonProblem::BadSdp { why },
            OfferError::MediaMismatch(why) => LessonProblem::MediaMismatch { why },
            OfferError::UnsupportedCodec { kind, wanted } => LessonProblem::UnsupportedCodec {
                track: kind,
                wanted: wanted.iter().map(|codec| codec.encoding_name().to_owned()).collect(),
            },
            // The lesson's room is closed.
            OfferError::NoRoom => LessonProblem::WrongLessonState { state: LessonState::Ended },
            OfferError::Full { retry_after } => LessonProblem::HubFull { retry_after },
        }
        .into()
    }
}

impl From<PatchError> for ApiError {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::Gone => LessonProblem::SessionGone,
            PatchError::BadFragment(why) => LessonProblem::BadSdpFragment { why },
        }
        .into()
    }
}

/// Why a field of a lesson is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum LessonReason {
    /// The date is outside the supported calendar.
    #[error("it lies outside of the calendar")]
    DateOutOfRange,
    /// There is no such recording, or the caller may not see it.
    #[error("there is no such recording, or it is not shown to you")]
    NoSuchRecording,
    /// Its lesson is still being recorded.
    #[error("its lesson is still being recorded")]
    StillRecording,
    /// Only in an embedded lesson does the teacher control the playing of the source.
    #[error("only an embedded lesson has its piece played by its teacher")]
    NotEmbedded,
    /// Only recorded and embedded lessons play a recording.
    #[error("only a recorded and an embedded lesson play a recording")]
    PlaysNoRecording,
}
