//! What a lesson refuses: tokens, seats, offers, steps that do not fit its state.

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

/// Why a lesson, or its wire, does not do what was asked.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum LessonProblem {
    /// There is no token.
    #[error("there is no token in the Authorization header")]
    TokenMissing,
    /// The token's time is over.
    #[error("the token has expired")]
    TokenExpired,
    /// The token is not ours, belongs to another lesson, or was given to somebody else.
    #[error("the token is not good for this lesson and whoever shows it")]
    TokenRefused,
    /// The token is good, but for something else.
    #[error("the token does not allow this")]
    WrongKindOfToken,
    /// The lesson's state does not allow it.
    #[error("a lesson that is {} does not allow this", .state.as_str())]
    WrongLessonState {
        /// What it is.
        state: LessonState,
    },
    /// Every guest seat is taken.
    #[error("every guest seat is taken")]
    GuestsFull,
    /// The text is no SDP.
    #[error("the offer cannot be read: {why}")]
    BadSdp {
        /// Why, in English: a program made it.
        why: String,
    },
    /// The m-lines do not fit what was asked.
    #[error("the offer's media do not fit: {why}")]
    MediaMismatch {
        /// Why, in English: a program made it.
        why: String,
    },
    /// Nothing in the offer can be decoded by us, or by what the lesson's publisher sends.
    #[error("no codec in common for {track}: it takes {}", .wanted.join(", "))]
    UnsupportedCodec {
        /// The track or slot.
        track: TrackKind,
        /// What would have been accepted, as `a=rtpmap` names it.
        wanted: Vec<String>,
    },
    /// The hub has as many connections as it holds.
    #[error("the hub is full")]
    HubFull {
        /// When to try again.
        #[serde(skip)]
        retry_after: Duration,
    },
    /// The connection has gone: offer anew.
    #[error("the connection has gone")]
    SessionGone,
    /// The fragment cannot be read (RFC 8840).
    #[error("the SDP fragment cannot be read: {why}")]
    BadSdpFragment {
        /// Why, in English: a program made it.
        why: String,
    },
    /// RFC 9725 §4.3.1: a PATCH needs an `If-Match`.
    #[error("an If-Match is needed: the latest ETag for candidates, \"*\" for an ICE restart")]
    IfMatchRequired,
    /// RFC 9725 §4.3.1: the ICE session has another entity tag by now.
    #[error("the ICE session has another entity tag by now")]
    EtagDiffers,
}

/// A guest who finds every seat taken may find one free after this long.
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
            // The lesson has no open room any more.
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

/// Why a field that says something of a lesson is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum LessonReason {
    /// No calendar of ours has that day.
    #[error("it lies outside of the calendar")]
    DateOutOfRange,
    /// There is no such recording, or it is not shown to whoever asks.
    #[error("there is no such recording, or it is not shown to you")]
    NoSuchRecording,
    /// Its lesson is still being recorded.
    #[error("its lesson is still being recorded")]
    StillRecording,
    /// Only an embedded lesson has its piece played by its teacher.
    #[error("only an embedded lesson has its piece played by its teacher")]
    NotEmbedded,
    /// Only a recorded and an embedded lesson play a recording.
    #[error("only a recorded and an embedded lesson play a recording")]
    PlaysNoRecording,
}
