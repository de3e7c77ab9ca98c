//! What is written down of a recording, as data: records in a hash chain, the ledger and manifest folded from them, and
//! the signatures over both. Nothing here touches a disk.

pub mod chain;
pub mod checkpoint;
pub mod digest;
pub mod fault;
pub mod manifest;
pub mod record;
pub mod seal;
pub mod signature;
pub mod sound;

pub use self::{
    chain::{HashChain, JOURNAL, VERSION, read},
    digest::sha256,
    fault::FrameError,
    record::{Gap, GapReason, InitRecord, Record, SegmentRecord, TrackNote},
};
