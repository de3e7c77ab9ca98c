//! Verifies a recording against its journal: walks the records and every file that they name. Changes nothing.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::Path,
};

use serde::Serialize;
use sfu::media::TrackKind;

use crate::{
    disk::local::Disk,
    error::{ArchiveError, failed},
    id::{MediaName, RecordingId},
    journal::{
        chain::{HashChain, JOURNAL},
        checkpoint::Checkpoint,
        digest::sha256,
        fault::{Fault, FrameError, minutes},
        manifest::{Ledger, RecordingPhase},
        record::{Record, SegmentRecord},
        seal::{self, SEAL},
        signature::Signed,
    },
};

/// The report of a recording without mismatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Which recording.
    pub recording_id: RecordingId,
    /// It is sealed. Of one that is not, trailing records may have been removed without a trace.
    pub sealed: bool,
    /// Whether its seal is signed.
    pub signed: Signed,
    /// How many there are in the journal.
    pub records: usize,
    /// How many there are of all tracks.
    pub segments: usize,
    /// Of init segments and segments.
    pub size_bytes: u64,
    /// Digest of the journal's last record, in hex.
    pub chain_head: String,
}

/// What is known of a recording outside of its folder. The folder alone cannot show that all of it was rewritten.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'a> {
    /// The key that must have signed. `None`: any key.
    pub key: Option<&'a [u8; 32]>,
    /// Checkpoints kept elsewhere, in order.
    pub checkpoints: &'a [Checkpoint],
    /// SHA-256 of its seal, in hex. `None`: unknown.
    pub seal_sha256: Option<&'a str>,
}

/// The first mismatch, in the order of writing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location} {fault}")]
pub struct Mismatch {
    /// Where it is.
    pub location: FaultLocation,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Where a mismatch is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultLocation {
    /// A record of the journal.
    #[error("record {number} of journal.log, from byte {at_byte},")]
    Record {
        /// Counts from 1.
        number: usize,
        /// Where its frame begins.
        at_byte: usize,
    },
    /// A checkpoint that is kept elsewhere.
    #[error("the checkpoint that was kept {} into the lesson", minutes(*.at_ms))]
    Checkpoint {
        /// In lesson time.
        at_ms: u64,
    },
    /// A file of the recording's folder.
    #[error("{name}")]
    File {
        /// Its name.
        name: String,
    },
}

/// Verifies the recording in `dir` against `expected`. If the journal grew meanwhile, it is verified again.
///
/// # Errors
/// When there is no such recording, or the disk fails.
pub fn verify(
    disk: &dyn Disk,
    dir: &Path,
    id: RecordingId,
    expected: &Expected<'_>,
) -> Result<Result<VerifyReport, Mismatch>, ArchiveError> {
    let missing = || ArchiveError::NoRecording { id };
    let mut journal = read(disk, dir, JOURNAL)?.ok_or_else(missing)?;
    for _ in 0..ATTEMPTS {
        let verified = verify_once(disk, dir, id, expected, &journal)?;
        let now = read(disk, dir, JOURNAL)?.ok_or_else(missing)?;
        if verified.is_ok() || now == journal {
            return Ok(verified);
        }
        journal = now;
    }
    verify_once(disk, dir, id, expected, &journal)
}

fn verify_once(
    disk: &dyn Disk,
    dir: &Path,
    id: RecordingId,
    expected: &Expected<'_>,
    journal: &[u8],
) -> Result<Result<VerifyReport, Mismatch>, ArchiveError> {
    let mut walk = Walk { disk, dir, ends: HashMap::new(), known: BTreeSet::new(), size_bytes: 0, ended: false };
    let (mut chain, mut records, mut at_byte) = (HashChain::default(), Vec::new(), 0);
    let mut kept_elsewhere = expected.checkpoints.iter().peekable();
    loop {
        let before = chain.head().to_owned();
        let location = FaultLocation::Record { number: records.len() + 1, at_byte };
        let rest = journal.get(at_byte..).filter(|rest| !rest.is_empty());
        let (record, len) = match rest.map(|rest| chain.follow(rest)) {
            Some(Ok(next)) => next,
            Some(Err(broken)) => return Ok(Err(Mismatch { location, fault: broken.into() })),
            None => break,
        };
        if let Record::Checkpoint(checkpoint) = &record {
            let told = (checkpoint.recording_id, checkpoint.records, checkpoint.head.as_str());
            let checked = if told == (id, records.len() as u64, before.as_str()) {
                checkpoint.check(expected.key).map(drop)
            } else {
                Err(Fault::OutOfPlace)
            };
            if let Err(fault) = checked {
                return Ok(Err(Mismatch { location, fault }));
            }
        }
        if let Err(misfit) = walk.record(location.clone(), &record, id)? {
            return Ok(Err(misfit));
        }
        records.push(record);
        while let Some(kept) = kept_elsewhere.next_if(|kept| kept.records <= records.len() as u64) {
            if let Err(fault) = kept.check(expected.key) {
                return Ok(Err(Mismatch { location: FaultLocation::Checkpoint { at_ms: kept.at_ms }, fault }));
            }
            if kept.records == records.len() as u64 && kept.head != chain.head() {
                return Ok(Err(Mismatch { location, fault: Fault::OtherPast { at_ms: kept.at_ms } }));
            }
        }
        at_byte += len;
    }
    if kept_elsewhere.next().is_some() {
        return Ok(Err(Mismatch {
            location: FaultLocation::Record { number: records.len() + 1, at_byte },
            fault: Fault::Missing,
        }));
    }
    let Some(ledger) = Ledger::fold(&records, chain.head()) else {
        return Ok(Err(Mismatch {
            location: FaultLocation::Record { number: 1, at_byte: 0 },
            fault: FrameError::CutOff.into(),
        }));
    };
    let names = disk.list(dir).map_err(|source| failed("list", dir, source))?;
    if let Some(name) = names.iter().find(|name| !walk.accounts_for(name, ledger.phase)) {
        return Ok(at_file(name.clone(), Fault::Extra));
    }
    let signed = match walk.seal(&ledger, expected)? {
        Ok(signed) => signed,
        Err(misfit) => return Ok(Err(misfit)),
    };
    Ok(Ok(VerifyReport {
        recording_id: id,
        sealed: walk.ended,
        signed,
        records: records.len(),
        segments: ledger.tracks.iter().map(|track| track.segments.len()).sum(),
        size_bytes: walk.size_bytes,
        chain_head: ledger.chain_head,
    }))
}

/// The state of a walk through a journal.
struct Walk<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    /// Where each track ends so far, in ticks.
    ends: HashMap<TrackKind, u64>,
    /// Files that have a record.
    known: BTreeSet<MediaName>,
    size_bytes: u64,
    ended: bool,
}

impl Walk<'_> {
    /// Checks the next record and the file that it names.
    fn record(
        &mut self,
        location: FaultLocation,
        record: &Record,
        id: RecordingId,
    ) -> Result<Result<(), Mismatch>, ArchiveError> {
        let is_first = matches!(location, FaultLocation::Record { number: 1, .. });
        if is_first && Ledger::begin(record).is_none_or(|ledger| ledger.recording_id != id) {
            return Ok(Err(Mismatch { location, fault: Fault::OtherRecording }));
        }
        let begins = matches!(record, Record::Start { .. });
        let follows = !matches!(record, Record::Segment(segment) if !self.follows(segment));
        if self.ended || begins != is_first || !follows {
            return Ok(Err(Mismatch { location, fault: Fault::OutOfPlace }));
        }
        match record {
            Record::Init(init) => self.file(MediaName::Init { kind: init.kind, n: init.n }, None, &init.sha256),
            Record::Segment(segment) => {
                self.ends.insert(segment.kind, segment.start.saturating_add(segment.duration));
                let name = MediaName::Segment { kind: segment.kind, seq: segment.seq };
                self.file(name, Some(segment.size_bytes), &segment.sha256)
            }
            _ => {
                self.ended |= matches!(record, Record::End { .. });
                Ok(Ok(()))
            }
        }
    }

    /// A segment begins where the one before it ends, and its init segment is known.
    fn follows(&self, segment: &SegmentRecord) -> bool {
        let init = MediaName::Init { kind: segment.kind, n: segment.init };
        self.ends.get(&segment.kind).copied().unwrap_or(0) == segment.start && self.known.contains(&init)
    }

    fn file(
        &mut self,
        name: MediaName,
        was_bytes: Option<u64>,
        digest: &str,
    ) -> Result<Result<(), Mismatch>, ArchiveError> {
        self.known.insert(name);
        let Some(bytes) = read(self.disk, self.dir, &name.to_string())? else {
            return Ok(at_file(name.to_string(), Fault::Missing));
        };
        let is_bytes = bytes.len() as u64;
        let was_bytes = was_bytes.unwrap_or(is_bytes);
        if is_bytes != was_bytes {
            return Ok(at_file(name.to_string(), Fault::Size { was_bytes, is_bytes }));
        }
        if sha256(&bytes) != digest {
            return Ok(at_file(name.to_string(), Fault::Changed));
        }
        self.size_bytes += is_bytes;
        Ok(Ok(()))
    }

    /// Before the end there may be files without a record: parts, and a segment that was renamed but not yet recorded.
    fn accounts_for(&self, name: &str, phase: RecordingPhase) -> bool {
        if name == JOURNAL || (name == SEAL && self.ended) {
            return true;
        }
        let media = MediaName::of_file(name);
        if media.is_some_and(|(media, is_part)| !is_part && self.known.contains(&media)) {
            return true;
        }
        phase == RecordingPhase::Running
            && match media {
                Some((_, true)) => true,
                Some((MediaName::Segment { kind, seq }, false)) => self.known.iter().all(|known| match known {
                    MediaName::Segment { kind: of, seq: before } => *of != kind || *before < seq,
                    MediaName::Init { .. } => true,
                }),
                Some((MediaName::Init { kind, n }, false)) => self.known.iter().all(|known| match known {
                    MediaName::Init { kind: of, n: before } => *of != kind || *before < n,
                    MediaName::Segment { .. } => true,
                }),
                None => name.ends_with(".again"),
            }
    }

    fn seal(&self, ledger: &Ledger, expected: &Expected<'_>) -> Result<Result<Signed, Mismatch>, ArchiveError> {
        if !self.ended && expected.seal_sha256.is_none() {
            return Ok(Ok(Signed::NotYet));
        }
        let Some(bytes) = read(self.disk, self.dir, SEAL)? else {
            return Ok(at_file(SEAL.to_owned(), Fault::Missing));
        };
        let checked = seal::check(&bytes, ledger.recording_id, &ledger.chain_head, expected.key);
        match (checked, expected.seal_sha256) {
            (Ok(_), Some(was)) if sha256(&bytes) != was => {
                Ok(at_file(SEAL.to_owned(), Fault::OtherSeal { was: was.to_owned() }))
            }
            (Ok(signed), _) => Ok(Ok(signed)),
            (Err(fault), _) => Ok(at_file(SEAL.to_owned(), fault)),
        }
    }
}

fn at_file<T>(name: String, fault: Fault) -> Result<T, Mismatch> {
    Err(Mismatch { location: FaultLocation::File { name }, fault })
}

/// A file of the recording. `None`: it is not there.
fn read(disk: &dyn Disk, dir: &Path, name: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
    let path = dir.join(name);
    match disk.read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed("read", &path, source)),
    }
}

/// A writer appends a record every second or so; one verification takes a fraction of that.
const ATTEMPTS: usize = 4;
