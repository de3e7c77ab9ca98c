//! The journal of one recording: what happened, in order, each record bound to the one before it.
//!
//! A frame is `len: u32` `type: u8` `crc32: u32` (little endian, the CRC over type and payload), then `len` bytes of
//! JSON: `{"algorithm": "sha256", "prev": …, "record": …}`. `prev` is the digest of the previous payload, so no record
//! can be changed, dropped or put elsewhere without the next one telling. A record never names data that is not yet
//! durable.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use sfu::media::{Codec, TrackKind};

use crate::{
    id::RecordingId,
    journal::checkpoint::Checkpoint,
    track::{chapter::Chapter, sound::SoundMinute},
};

/// One thing that happened to a recording.
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
    /// A segment is whole and durable.
    Segment(SegmentRecord),
    /// Nothing real was kept of a track in this span.
    Gap(Gap),
    /// Something a listener should know of a track.
    Note {
        /// Which track.
        kind: TrackKind,
        /// What it is.
        note: TrackNote,
    },
    /// How a minute of a voice sounded.
    Sound {
        /// Which track.
        kind: TrackKind,
        /// The minute's figures.
        minute: SoundMinute,
    },
    /// A lesson can be entered here.
    Chapter(Chapter),
    /// The writer closed cleanly, to go on later.
    Suspended {
        /// In lesson time.
        at_ms: u64,
    },
    /// Recovery found that the writer had stopped without a word.
    Interrupted {
        /// The last lesson time of which anything was kept.
        at_ms: u64,
    },
    /// The writer goes on.
    Resumed {
        /// In lesson time.
        at_ms: u64,
    },
    /// The disk had no room; the writer waits until it has.
    Paused {
        /// In lesson time.
        at_ms: u64,
    },
    /// How far the journal had come, signed. The database keeps it too.
    Checkpoint(Checkpoint),
    /// The recording is over: every track lasts exactly this long.
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
    /// How the track is encoded from here on.
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
    /// Closed by recovery, not by the writer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovered: bool,
}

/// A span of which nothing real was kept of a track; silence or a held picture stands there.
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

impl Record {
    fn tag(&self) -> u8 {
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

/// The end of a hash chain, to which the next record is tied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    prev: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { prev: "0".repeat(64) }
    }
}

#[derive(Serialize, Deserialize)]
struct Entry<R> {
    algorithm: String,
    prev: String,
    record: R,
}

impl Chain {
    /// The frame of the next record.
    ///
    /// # Errors
    /// When the record cannot be told in JSON.
    pub fn frame(&mut self, record: &Record) -> Result<Vec<u8>, serde_json::Error> {
        let payload = serde_json::to_vec(&Entry { algorithm: ALGORITHM.to_owned(), prev: self.prev.clone(), record })?;
        let tag = record.tag();
        let mut frame = Vec::with_capacity(HEAD_BYTES + payload.len());
        frame.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        frame.push(tag);
        frame.extend_from_slice(&crc(tag, &payload).to_le_bytes());
        frame.extend_from_slice(&payload);
        self.prev = sha256(&payload);
        Ok(frame)
    }

    /// Reads the frame at the head of `bytes`, which must be the next one: its record, and its length.
    ///
    /// # Errors
    /// [`Broken`] says why it is not; the chain stays as it was.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<(Record, usize), Broken> {
        let head: &[u8; HEAD_BYTES] = bytes.first_chunk().ok_or(Broken::CutOff)?;
        let [l0, l1, l2, l3, tag, c0, c1, c2, c3] = *head;
        let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).map_err(|_| Broken::CutOff)?;
        let end = HEAD_BYTES.checked_add(len).ok_or(Broken::CutOff)?;
        let payload = bytes.get(HEAD_BYTES..end).ok_or(Broken::CutOff)?;
        if crc(tag, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(Broken::Crc);
        }
        let entry: Entry<Record> = serde_json::from_slice(payload).map_err(|_| Broken::NotARecord)?;
        if entry.algorithm != ALGORITHM || entry.record.tag() != tag {
            return Err(Broken::NotARecord);
        }
        if entry.prev != self.prev {
            return Err(Broken::OutOfChain);
        }
        self.prev = sha256(payload);
        Ok((entry.record, end))
    }

    /// Digest of the last record, in hex.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.prev
    }
}

/// The records at the head of a journal, the chain behind them, and how many bytes they take. Whatever follows was cut,
/// torn or tampered with.
#[must_use]
pub fn read(journal: &[u8]) -> (Vec<Record>, Chain, usize) {
    let mut records = Vec::new();
    let mut chain = Chain::default();
    let mut kept = 0;
    while let Ok((record, len)) = chain.follow(journal.get(kept..).unwrap_or_default()) {
        records.push(record);
        kept += len;
    }
    (records, chain, kept)
}

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The journal ends inside it.
    #[error("is cut off")]
    CutOff,
    /// Its bytes are not those that were written.
    #[error("does not fit its CRC")]
    Crc,
    /// It is no record that is known here.
    #[error("is no record of this version")]
    NotARecord,
    /// It is a whole record, written behind another one than the one before it.
    #[error("does not follow the record before it")]
    OutOfChain,
}

/// SHA-256 in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    digest(&SHA256, bytes).as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn crc(tag: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[tag]);
    hasher.update(payload);
    hasher.finalize()
}

/// The file's name in a recording's folder.
pub const JOURNAL: &str = "journal.log";
/// Of the frames and records.
pub const VERSION: u32 = 1;
const ALGORITHM: &str = "sha256";
const HEAD_BYTES: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_journal_gives_its_whole_records_and_a_changed_one_stops_there() {
        let mut chain = Chain::default();
        let mut file = Vec::new();
        let mut ends = vec![0];
        for at_ms in 0..5 {
            file.extend(chain.frame(&Record::Suspended { at_ms }).unwrap());
            ends.push(file.len());
        }
        for cut in 0..=file.len() {
            let (records, _, kept) = read(&file[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!((records.len(), kept), (whole, ends[whole]));
        }
        assert_eq!(read(&file).1, chain);
        // A frame that is whole in itself but stands in another's place.
        let mut swapped = file[ends[1]..ends[2]].to_vec();
        swapped.extend_from_slice(&file[..ends[1]]);
        assert_eq!(read(&swapped).0.len(), 0);
        // One bit.
        file[ends[2] + HEAD_BYTES + 5] ^= 1;
        assert_eq!(read(&file).0.len(), 2);
    }
}
