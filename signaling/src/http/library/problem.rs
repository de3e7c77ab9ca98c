//! What the library refuses: looking, publishing, putting two pictures into one, clips and marks beyond the recording.

use axum::http::StatusCode;
use recorder::composite::CompositeRefused;
use school::library::RightsError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::web::problem::{ApiError, Problem};

/// Why the library does not do what was asked.
#[derive(Debug, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum LibraryProblem {
    /// It was taken down, and the asker keeps it.
    #[error("the recording was taken down")]
    TakenDown {
        /// Why, as whoever took it down wrote it.
        reason: String,
    },
    /// The rights of a recording do not change like this.
    #[error("the rights of the recording do not allow it: {why}")]
    Rights {
        /// Why: `reason` and what belongs to it.
        #[serde(flatten)]
        why: RightsError,
    },
    /// ffmpeg is not installed, or cannot be run.
    #[error("ffmpeg cannot be run")]
    NoFfmpeg,
    /// Another recording is being put into one frame.
    #[error("another recording is being put into one frame")]
    CompositeBusy,
    /// The recording does not have exactly one board and one camera.
    #[error("the recording does not have one board and one camera")]
    NotTwoPictures,
    /// The disk refuses.
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

/// Why a field of the library is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum LibraryReason {
    /// Nothing is left of it.
    #[error("it must not be empty")]
    Empty,
    /// It has too many characters.
    #[error("it has at most {max} characters")]
    TooLong {
        /// How many it may have.
        max: usize,
    },
    /// It holds what cannot be read.
    #[error("it must not hold control characters")]
    ControlCharacters,
    /// There are too many of them.
    #[error("there are at most {max}")]
    TooMany {
        /// How many there may be.
        max: i64,
    },
    /// The recording has as many comments as it may.
    #[error("a recording has at most {max} comments")]
    TooManyComments {
        /// How many it may have.
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
    /// It must say why, in a few words.
    #[error("it must say why, in 1 to {max} characters")]
    ReasonNeeded {
        /// How many characters it may have.
        max: usize,
    },
    /// It is neither the recording's school nor a place above it.
    #[error("it is neither the recording's school nor a place above it")]
    NotAPlaceAbove,
    /// The moment lies outside of any lesson.
    #[error("it lies outside of any lesson")]
    OutsideTheLesson,
    /// The end does not lie after the start.
    #[error("it must lie after the start")]
    NotAfterStart,
    /// The end does not lie far enough behind the start.
    #[error("a clip lasts at least {min_seconds} s")]
    ClipTooShort {
        /// How long it lasts at least.
        min_seconds: i64,
    },
    /// The end lies behind that of the recording.
    #[error("it lies behind the end of the recording")]
    BeyondTheRecording,
    /// There are no tracks of this name.
    #[error("it is none of camera, board, both and voice")]
    NoSuchTracks,
    /// There is no such clip.
    #[error("there is no such clip")]
    NoSuchClip,
    /// There is no such rubric, or it is not the asker's to use.
    #[error("there is no such rubric")]
    NoSuchRubric,
    /// Nobody scores a lesson of their own.
    #[error("nobody scores a lesson of their own")]
    OwnLesson,
}

impl LibraryReason {
    /// There are more than `max` of them.
    pub(crate) fn too_many(max: impl TryInto<i64>) -> Self {
        Self::TooMany { max: max.try_into().unwrap_or(i64::MAX) }
    }
}
