//! What a recording asks the disk to do, and where a track goes on that was begun before.

use bytes::Bytes;
use sfu::media::TrackKind;

use crate::{
    id::MediaName,
    journal::record::{GapReason, InitRecord, Record},
};

/// What the disk is to do, in this order.
#[derive(Debug, Clone)]
pub enum Action {
    /// Write a whole init segment; its record follows once it is durable.
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
    /// The segment is whole: sync, rename, tell the journal.
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
        /// How many there are in it.
        fragments: u32,
    },
    /// Tell the journal.
    Record(Record),
}

/// Where a track goes on.
#[derive(Debug, Clone)]
pub struct TrackResume {
    /// The number of its next segment.
    pub next_seq: u32,
    /// The number of its next new init segment.
    pub next_init: u32,
    /// Where it ends so far, in ticks.
    pub end: u64,
    /// The init segment of its last segment, with its bytes.
    pub init: Option<(u32, Bytes)>,
    /// The first sample of its last segment, where that can stand alone.
    pub key: Option<Bytes>,
    /// Why nothing real follows at once.
    pub reason: GapReason,
}

impl Default for TrackResume {
    fn default() -> Self {
        Self { next_seq: 1, next_init: 1, end: 0, init: None, key: None, reason: GapReason::NotStarted }
    }
}
