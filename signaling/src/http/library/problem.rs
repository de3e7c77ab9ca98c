//! Problems of the library: replay, publication rights, composite videos, clips, marks and reviews.

use axum::http::StatusCode;
use recorder::composite::CompositeRefused;
use school::library::RightsError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::web::problem::{ApiError, Problem};

/// Problems of the library.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum LibraryProblem {
    /// It was taken down, and the caller may edit it.
    #[error("the recording was taken down")]
    TakenDown {
        /// The reason given when it was taken down.
        reason: String,
    },
    /// The recording's rights do not allow this change.
    #[error("the rights of the recording do not allow it: {why}")]
    Rights {
        /// The reason: `reason` and its parameters.
        #[serde(flatten)]
        why: RightsError,
    },
    /// ffmpeg is not installed or cannot be run.
    #[error("ffmpeg cannot be run")]
    NoFfmpeg,
    /// Another composite video is being rendered.
    #[error("another recording is being put into one frame")]
    CompositeBusy,
    /// The recording does not have exactly one board and one camera track.
    #[error("the recording does not have one board and one camera")]
    NotTwoPictures,
    /// Writing to the disk failed.
    #[error("the disk refuses")]
    CompositeRefused,
}

impl Problem for LibraryProblem {
    fn status(&self) -> StatusCode {
        match self {
            Self::TakenDown { .. } => StatusCode::GONE,
            Self::Rights { .. }
            | Self::NoFfmpeg
            | Self::CompositeBusy
            | Self::NotTwoPictures
            | Self::CompositeRefused => StatusCode::CONFLICT,
        }
    }
}

impl From<RightsError> for ApiError {
    fn from(why: RightsError) -> Self {
        LibraryProblem::Rights { why }.into()
    }
}

impl From<CompositeRefused> for ApiError {
    fn from(refused: CompositeRefused) -> Self {
        match refused {
            CompositeRefused::NoFfmpeg(_) => LibraryProblem::NoFfmpeg,
            CompositeRefused::Busy(_) => LibraryProblem::CompositeBusy,
            CompositeRefused::NotTwoPictures => LibraryProblem::NotTwoPictures,
            CompositeRefused::Ready | CompositeRefused::Disk(_) => LibraryProblem::CompositeRefused,
        }
        .into()
    }
}

/// Why a field of the library is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum LibraryReason {
    /// It is empty.
    #[error("it must not be empty")]
    Empty,
    /// It has too many characters.
    #[error("it has at most {max} characters")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// It holds control characters.
    #[error("it must not hold control characters")]
    ControlCharacters,
    /// There are too many of them.
    #[error("there are at most {max}")]
    TooMany {
        /// The limit.
        max: i64,
    },
    /// The recording has reached its limit of comments.
    #[error("a recording has at most {max} comments")]
    TooManyComments {
        /// The limit.
        max: i64,
    },
    /// It is too small or too large.
    #[error("it must lie between {min} and {max}")]
    OutOfRange {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A short reason is required.
    #[error("it must say why, in 1 to {max} characters")]
    ReasonNeeded {
        /// Maximum length, in characters.
        max: usize,
    },
    /// It is neither the recording's school nor an organisation above it.
    #[error("it is neither the recording's school nor a place above it")]
    NotAPlaceAbove,
    /// The lesson time is out of range.
    #[error("it lies outside of any lesson")]
    OutsideTheLesson,
    /// The end is not after the start.
    #[error("it must lie after the start")]
    NotAfterStart,
    /// The clip is too short.
    #[error("a clip lasts at least {min_seconds} s")]
    ClipTooShort {
        /// The minimum length, in seconds.
        min_seconds: i64,
    },
    /// The end is after the end of the recording.
    #[error("it lies behind the end of the recording")]
    BeyondTheRecording,
    /// The value of `tracks` is unknown.
    #[error("it is none of camera, board, both and voice")]
    NoSuchTracks,
    /// There is no such clip.
    #[error("there is no such clip")]
    NoSuchClip,
    /// There is no such rubric, or the caller may not use it.
    #[error("there is no such rubric")]
    NoSuchRubric,
    /// A reviewer may not score their own lesson.
    #[error("nobody scores a lesson of their own")]
    OwnLesson,
}

impl LibraryReason {
    /// There are more than `max` of them.
    pub(crate) fn too_many(max: impl TryInto<i64>) -> Self {
        Self::TooMany { max: max.try_into().unwrap_or(i64::MAX) }
    }
}
