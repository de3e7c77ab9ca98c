//! Faults that verification finds in a recording.

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
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

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A frame of the journal.
    #[error(transparent)]
    Journal(#[from] FrameError),
    /// The journal's first record is no start, or of another recording.
    #[error("does not begin this recording")]
    OtherRecording,
    /// A record that cannot stand where it does.
    #[error("does not follow from the records before it")]
    OutOfPlace,
    /// The file is not there.
    #[error("is missing")]
    Missing,
    /// The file is longer or shorter than when it was written.
    #[error("has {is_bytes} bytes and was written with {was_bytes}")]
    Size {
        /// As it was written.
        was_bytes: u64,
        /// As it is.
        is_bytes: u64,
    },
    /// The file is not what was written.
    #[error("was changed: its SHA-256 is another one")]
    Changed,
    /// No record names the file.
    #[error("belongs to no record of the journal")]
    Extra,
    /// The record is valid in its chain, but a checkpoint kept elsewhere has another one there: the journal was
    /// rewritten.
    #[error("is not the one that stood there {} into the lesson, by the checkpoint that was kept then", minutes(*.at_ms))]
    OtherPast {
        /// When the checkpoint was made, in lesson time.
        at_ms: u64,
    },
    /// The seal is valid, but not the one whose digest was kept elsewhere.
    #[error("is not the seal that the audit tells of, with the SHA-256 {was}")]
    OtherSeal {
        /// In hex.
        was: String,
    },
    /// The seal names another end of the journal.
    #[error("seals a journal that ends otherwise")]
    OtherEnd,
    /// The seal's signature does not fit.
    #[error("bears a signature that does not fit")]
    Forged,
    /// The seal is signed by another key than expected.
    #[error("is signed by another key, {public_key}")]
    OtherKey {
        /// In hex.
        public_key: String,
    },
}

pub(crate) fn minutes(ms: u64) -> String {
    format!("{}:{:02}", ms / 60_000, ms / 1_000 % 60)
}
