//! The journal file of one recording: framed records in a hash chain.
//!
//! A frame is `len: u32` `type: u8` `crc32: u32` (little endian, the CRC over type and payload), then `len` bytes of
//! JSON: `{"algorithm": "sha256", "prev": …, "record": …}`. `prev` is the digest of the previous payload, so a changed,
//! dropped or moved record breaks the chain. A record never names data that is not yet durable.

use serde::{Deserialize, Serialize};

use crate::journal::{digest::sha256, fault::FrameError, record::Record};

/// The head of a hash chain, which the next record refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashChain {
    prev: String,
}

impl Default for HashChain {
    fn default() -> Self {
        Self { prev: "0".repeat(64) }
    }
}

#[derive(Serialize, Deserialize)]
struct JournalEntry<R> {
    algorithm: String,
    prev: String,
    record: R,
}

impl HashChain {
    /// The frame of the next record.
    ///
    /// # Errors
    /// When the record cannot be written as JSON.
    pub fn frame(&mut self, record: &Record) -> Result<Vec<u8>, serde_json::Error> {
        let payload =
            serde_json::to_vec(&JournalEntry { algorithm: ALGORITHM.to_owned(), prev: self.prev.clone(), record })?;
        let tag = record.tag();
        let mut frame = Vec::with_capacity(HEAD_BYTES + payload.len());
        frame.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        frame.push(tag);
        frame.extend_from_slice(&crc(tag, &payload).to_le_bytes());
        frame.extend_from_slice(&payload);
        self.prev = sha256(&payload);
        Ok(frame)
    }

    /// Decodes the frame at the start of `bytes`, which must be the next of the chain: its record, and its length.
    ///
    /// # Errors
    /// [`FrameError`]; the chain is unchanged then.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<(Record, usize), FrameError> {
        let head: &[u8; HEAD_BYTES] = bytes.first_chunk().ok_or(FrameError::CutOff)?;
        let [l0, l1, l2, l3, tag, c0, c1, c2, c3] = *head;
        let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).map_err(|_| FrameError::CutOff)?;
        let end = HEAD_BYTES.checked_add(len).ok_or(FrameError::CutOff)?;
        let payload = bytes.get(HEAD_BYTES..end).ok_or(FrameError::CutOff)?;
        if crc(tag, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(FrameError::Crc);
        }
        let entry: JournalEntry<Record> = serde_json::from_slice(payload).map_err(|_| FrameError::NotARecord)?;
        if entry.algorithm != ALGORITHM || entry.record.tag() != tag {
            return Err(FrameError::NotARecord);
        }
        if entry.prev != self.prev {
            return Err(FrameError::OutOfChain);
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

/// The complete records of a journal, the chain after them, and the bytes they take. What follows is truncated, torn or
/// tampered with.
#[must_use]
pub fn read(journal: &[u8]) -> (Vec<Record>, HashChain, usize) {
    let mut records = Vec::new();
    let mut chain = HashChain::default();
    let mut kept = 0;
    while let Ok((record, len)) = chain.follow(journal.get(kept..).unwrap_or_default()) {
        records.push(record);
        kept += len;
    }
    (records, chain, kept)
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
        let mut chain = HashChain::default();
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
