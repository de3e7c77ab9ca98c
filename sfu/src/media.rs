//! What a track shows and how it is encoded.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// What a track shows, and so what a classroom's receive slot carries.
///
/// The order is that of priority: voice before board before camera before the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    /// The teacher's voice.
    Voice,
    /// The teacher's board: a screen, a window, a tab, a document camera.
    Board,
    /// The teacher's face.
    Camera,
    /// The picture of a class on stage.
    Stage,
    /// The sound of a class on stage.
    StageVoice,
    /// Teacher and stage as one sound. It is never published and never flows: only a recording has it.
    MixedVoice,
}

impl TrackKind {
    /// Every kind that is published, most important first.
    pub const ALL: [Self; 5] = [Self::Voice, Self::Board, Self::Camera, Self::Stage, Self::StageVoice];

    /// True for sound, false for pictures.
    #[must_use]
    pub fn is_sound(self) -> bool {
        matches!(self, Self::Voice | Self::StageVoice | Self::MixedVoice)
    }

    /// True for what comes from a class on stage.
    #[must_use]
    pub fn is_stage(self) -> bool {
        matches!(self, Self::Stage | Self::StageVoice)
    }

    /// The word used in URLs, messages and file names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Board => "board",
            Self::Camera => "camera",
            Self::Stage => "stage",
            Self::StageVoice => "stage_voice",
            Self::MixedVoice => "mixed_voice",
        }
    }
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is none of `voice`, `board`, `camera`, `stage`, `stage_voice`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no track kind of that name")]
pub struct UnknownTrackKind;

impl FromStr for TrackKind {
    type Err = UnknownTrackKind;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(UnknownTrackKind)
    }
}

/// The codecs that the hub forwards. It never transcodes.
///
/// The order is the order in which an answer prefers them: what can be recorded to fMP4 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// RFC 7587, always 48 kHz.
    Opus,
    /// RFC 6184, packetization mode 1.
    H264,
    /// RFC 9628.
    Vp9,
    /// AV1 RTP payload specification.
    Av1,
    /// RFC 7741. Cannot be kept in fMP4: last.
    Vp8,
}

impl Codec {
    /// True for Opus.
    #[must_use]
    pub fn is_sound(self) -> bool {
        self == Self::Opus
    }

    /// RTP clock rate in hertz.
    #[must_use]
    pub fn clock_rate(self) -> u32 {
        if self.is_sound() { 48_000 } else { 90_000 }
    }

    /// The encoding name of `a=rtpmap`.
    #[must_use]
    pub fn encoding_name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::H264 => "H264",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::Vp8 => "VP8",
        }
    }
}

/// RTP ticks in that time, bounded.
#[must_use]
pub fn ticks(time: Duration, clock_rate: u32) -> u32 {
    u32::try_from(time.as_micros() * u128::from(clock_rate) / 1_000_000).unwrap_or(u32::MAX / 2)
}
