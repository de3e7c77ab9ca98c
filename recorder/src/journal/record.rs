//! The records of a journal: what happened to a recording, in order.

use serde::{Deserialize, Serialize};
use sfu::media::{Codec, TrackKind};

use crate::{
    id::RecordingId,
    journal::{checkpoint::Checkpoint, sound::SoundMinute},
};

/// One event of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// The recording begins: lesson time 0.
    Start {
        /// Which recording.
        recording_id: RecordingId,
        /// Of this file format.
        version: u32,
        /// The wall clock at lesson time 0, milliseconds since 1970.
        started_at_ms: u64,
        /// Who wrote it.
        software: String,
    },
    /// A track has a new init segment; the segments after it need it.
    Init(InitRecord),
    /// A segment is complete and durable.
    Segment(SegmentRecord),
    /// A gap of a track.
    Gap(Gap),
    /// A note on a track.
    Note {
        /// Which track.
        kind: TrackKind,
        /// What it is.
        note: TrackNote,
    },
    /// Sound figures of one minute of a voice.
    Sound {
        /// Which track.
        kind: TrackKind,
        /// The minute's figures.
        minute: SoundMinute,
    },
    /// A chapter begins.
    Chapter(Chapter),
    /// The writer suspended the recording, to resume it later.
    Suspended {
        /// In lesson time.
        at_ms: u64,
    },
    /// Recovery found that the writer had died.
    Interrupted {
        /// The end of the durable media, in lesson time.
        at_ms: u64,
    },
    /// The writer resumed.
    Resumed {
        /// In lesson time.
        at_ms: u64,
    },
    /// The disk was full; the writer waits for space.
    Paused {
        /// In lesson time.
        at_ms: u64,
    },
    /// A signed position of the journal. The database keeps it too.
    Checkpoint(Checkpoint),
    /// The recording ended: every track lasts exactly this long.
    End {
        /// In lesson time.
        duration_ms: u64,
    },
}

/// See [`Record::Init`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitRecord {
    /// Whose.
    pub kind: TrackKind,
    /// Counts the track's init segments, from 1.
    pub n: u32,
    /// The codec of the track from here on.
    pub codec: Codec,
    /// The codec's name in a playlist (RFC 6381).
    pub codecs: String,
    /// Pixels. `None`: sound.
    pub width: Option<u16>,
    /// Pixels. `None`: sound.
    pub height: Option<u16>,
    /// Of the file, in hex.
    pub sha256: String,
}

/// See [`Record::Segment`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRecord {
    /// Whose.
    pub kind: TrackKind,
    /// Counts the track's segments, from 1.
    pub seq: u32,
    /// The init segment it needs.
    pub init: u32,
    /// Where it begins, in ticks of the track's time scale.
    pub start: u64,
    /// How long it lasts, in ticks.
    pub duration: u64,
    /// How many fragments it holds.
    pub fragments: u32,
    /// Its length on disk.
    pub size_bytes: u64,
    /// Of the file, in hex.
    pub sha256: String,
    /// Closed by recovery, not by its writer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovered: bool,
}

/// A span of a track without received media; silence or a held picture stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Which track.
    pub kind: TrackKind,
    /// In lesson time.
    pub from_ms: u64,
    /// In lesson time.
    pub to_ms: u64,
    /// Why.
    pub reason: GapReason,
}

/// Why nothing was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The track had not begun yet.
    NotStarted,
    /// Its publisher was gone.
    Away,
    /// Its packets did not reach the hub.
    Loss,
    /// Its publisher was there and sent nothing.
    Silent,
    /// The recorder was too slow and the tap overflowed.
    TapFull,
    /// The process died.
    Crash,
    /// The process was stopped and started again.
    Suspended,
    /// The disk took no more.
    DiskFull,
}

/// What a listener should know of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum TrackNote {
    /// The publisher chose a codec that the container cannot hold; the track was seen live and not kept.
    CannotBeKept {
        /// Which one.
        codec: Codec,
    },
}

/// Where a lesson can be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Chapter {
    /// In lesson time.
    pub at_ms: u64,
    /// What happens there.
    pub kind: ChapterKind,
}

/// What happens where a chapter begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChapterKind {
    /// The board shows another page.
    Board,
    /// A class comes on stage.
    Stage,
}

impl Record {
    pub(crate) fn tag(&self) -> u8 {
        match self {
            Self::Start { .. } => 1,
            Self::Init(_) => 2,
            Self::Segment(_) => 3,
            Self::Gap(_) => 4,
            Self::Note { .. } => 5,
            Self::Sound { .. } => 6,
            Self::Suspended { .. } => 7,
            Self::Interrupted { .. } => 8,
            Self::Resumed { .. } => 9,
            Self::End { .. } => 10,
            Self::Paused { .. } => 11,
            Self::Checkpoint(_) => 12,
            Self::Chapter(_) => 13,
        }
    }
}
