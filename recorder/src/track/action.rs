//! The actions by which a recording is written, and the state from which a track is resumed.

use bytes::Bytes;
use sfu::media::TrackKind;

use crate::{
    id::MediaName,
    journal::record::{GapReason, InitRecord, Record},
};

/// What is to be written, in this order.
#[derive(Debug, Clone)]
pub enum Action {
    /// Write an init segment; its record follows once it is durable.
    Init {
        /// Its name.
        name: MediaName,
        /// Its bytes.
        bytes: Bytes,
        /// For the journal.
        record: InitRecord,
    },
    /// Append one fragment to a segment that is still a part, opened by its first fragment.
    Append {
        /// Of the segment.
        name: MediaName,
        /// The fragment.
        bytes: Bytes,
        /// Where the fragment ends, in ticks of the track.
        end: u64,
    },
    /// The segment is complete: sync, rename, record in the journal.
    Close {
        /// Whose.
        kind: TrackKind,
        /// Its number.
        seq: u32,
        /// The init segment it needs.
        init: u32,
        /// In ticks.
        start: u64,
        /// In ticks.
        duration: u64,
        /// The number of its fragments.
        fragments: u32,
    },
    /// Append a record to the journal.
    Record(Record),
}

/// The state from which a track is resumed.
#[derive(Debug, Clone)]
pub struct TrackResume {
    /// The number of its next segment.
    pub next_seq: u32,
    /// The number of its next new init segment.
    pub next_init: u32,
    /// Its end, in ticks.
    pub end: u64,
    /// The init segment of its last segment, with its bytes.
    pub init: Option<(u32, Bytes)>,
    /// The first sample of its last segment, if it is a sync sample.
    pub key: Option<Bytes>,
    /// The reason of the gap that follows.
    pub reason: GapReason,
}

impl Default for TrackResume {
    fn default() -> Self {
        Self { next_seq: 1, next_init: 1, end: 0, init: None, key: None, reason: GapReason::NotStarted }
    }
}
