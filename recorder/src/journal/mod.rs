//! What is written down of a recording, as data: records in a hash chain, the ledger and manifest folded from them, and
//! the signatures over both. Nothing here touches a disk.

pub mod checkpoint;
pub mod manifest;
pub mod record;
pub mod seal;

pub use self::record::{
    Broken, Chain, Gap, GapReason, InitRecord, JOURNAL, Record, SegmentRecord, TrackNote, VERSION, read, sha256,
};
