//! Puts a recording's folder in order after any end: whole fragments are kept, the tail is cut, nothing is invented.
//!
//! It may itself be interrupted anywhere and run again: the second run leaves the same bytes.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use sfu::media::TrackKind;

use crate::{
    disk::{
        local::Disk,
        recording_files::{RecordingFiles, lock},
    },
    error::{ArchiveError, failed},
    format::fmp4,
    id::MediaName,
    journal::{
        chain::{self, HashChain, JOURNAL},
        digest::sha256,
        manifest::{Ledger, RecordingPhase, TrackLedger},
        record::{GapReason, Record, SegmentRecord},
        seal::{self, SEAL},
        signature::Signer,
    },
    track::action::TrackResume,
};

/// Recovers the recording in `dir`, and seals it where it is over. `None`: nothing of it was ever durable.
///
/// # Errors
/// When the disk fails.
pub fn recover(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    signer: Option<&dyn Signer>,
) -> Result<Option<RecordingFiles>, ArchiveError> {
    recover_folder(disk, dir, signer, false)
}

/// As [`recover`], after a write or sync of this recording failed in this process. A page whose write-back failed may
/// be marked clean: it reads back, and is lost with the next power cut. So the journal, and every file that it does not
/// name yet, is written to a new file.
///
/// # Errors
/// When the disk fails.
pub fn recover_suspect(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    signer: Option<&dyn Signer>,
) -> Result<Option<RecordingFiles>, ArchiveError> {
    recover_folder(disk, dir, signer, true)
}

fn recover_folder(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    signer: Option<&dyn Signer>,
    suspect: bool,
) -> Result<Option<RecordingFiles>, ArchiveError> {
    let Some(ReadJournal { ledger, chain, valid_bytes, len_bytes }) = read_journal(disk.as_ref(), dir)? else {
        return Ok(None);
    };
    let path = dir.join(JOURNAL);
    if suspect {
        let bytes = disk.read(&path).map_err(|source| failed("read", &path, source))?;
        let whole = usize::try_from(valid_bytes).ok().and_then(|valid| bytes.get(..valid)).unwrap_or_default();
        rewrite(disk.as_ref(), dir, JOURNAL, whole)?;
    } else if valid_bytes < len_bytes {
        let mut file = disk.open(&path, valid_bytes).map_err(|source| failed("open", &path, source))?;
        file.sync().map_err(|source| failed("sync", &path, source))?;
    }
    let phase = ledger.phase;
    let mut store =
        RecordingFiles::open(disk.clone(), dir.to_owned(), valid_bytes, chain, Arc::new(Mutex::new(ledger)));
    if let RecordingPhase::Ended(_) = phase {
        seal(disk.as_ref(), dir, &store, signer)?;
        return Ok(Some(store));
    }
    let mut segments = Vec::new();
    for file in disk.list(dir).map_err(|source| failed("list", dir, source))? {
        match MediaName::of_file(&file) {
            Some((MediaName::Segment { kind, seq }, is_part)) => {
                let known = lock(&store.ledger()).of(kind).is_some_and(|track| track.knows(seq));
                if !known {
                    segments.push((kind, seq, is_part));
                }
            }
            Some((name @ MediaName::Init { kind, n }, false)) => {
                let known =
                    lock(&store.ledger()).of(kind).is_some_and(|track| track.inits.iter().any(|init| init.n == n));
                if !known {
                    // Unused: its record would precede that of the first segment that needs it.
                    remove(disk.as_ref(), dir, &name.to_string())?;
                }
            }
            Some((MediaName::Init { .. }, true)) => remove(disk.as_ref(), dir, &file)?,
            None if file.ends_with(".part") || file.ends_with(".again") => remove(disk.as_ref(), dir, &file)?,
            None => {}
        }
    }
    segments.sort_unstable();
    for (kind, seq, is_part) in segments {
        adopt(disk.as_ref(), dir, &mut store, (kind, seq, is_part), suspect)?;
    }
    if phase == RecordingPhase::Running {
        let at_ms = lock(&store.ledger()).duration_ms();
        store.record(&Record::Interrupted { at_ms })?;
    }
    Ok(Some(store))
}

/// The ledger of the journal in `dir`; changes nothing. `None`: there is no journal in it.
///
/// # Errors
/// When the disk fails.
pub fn peek(disk: &dyn Disk, dir: &Path) -> Result<Option<Ledger>, ArchiveError> {
    Ok(read_journal(disk, dir)?.map(|journal| journal.ledger))
}

/// Writes the seal of an ended recording, signed if there is a signer.
///
/// # Errors
/// When the disk fails.
pub fn seal(
    disk: &dyn Disk,
    dir: &Path,
    store: &RecordingFiles,
    signer: Option<&dyn Signer>,
) -> Result<(), ArchiveError> {
    let names = disk.list(dir).map_err(|source| failed("list", dir, source))?;
    if names.iter().any(|name| name == SEAL) {
        return Ok(());
    }
    let manifest = lock(&store.ledger()).manifest();
    let path = dir.join(SEAL);
    let bytes = seal::write(&manifest, signer).map_err(|source| failed("tell", &path, source.into()))?;
    store.write_whole(SEAL, &bytes)
}

/// The state from which each track of a recovered recording is resumed.
///
/// # Errors
/// When the disk fails.
pub fn resume(
    disk: &dyn Disk,
    dir: &Path,
    ledger: &Ledger,
    reason: GapReason,
) -> Result<Vec<(TrackKind, TrackResume)>, ArchiveError> {
    let files = disk.list(dir).map_err(|source| failed("list", dir, source))?;
    let mut tracks = Vec::new();
    for track in &ledger.tracks {
        let Some(kind) = track.kind else { continue };
        if track.inits.is_empty() {
            continue;
        }
        // Skip every number that was ever used, also by files that could not be adopted.
        let last_seq = files.iter().filter_map(|file| match MediaName::of_file(file) {
            Some((MediaName::Segment { kind: of, seq }, _)) if of == kind => Some(seq),
            _ => None,
        });
        let last_init = track.inits.iter().map(|init| init.n).max().unwrap_or(0);
        let mut resume = TrackResume {
            next_seq: last_seq.max().unwrap_or(0).saturating_add(1),
            next_init: last_init.saturating_add(1),
            end: track.end(),
            init: None,
            key: None,
            reason: if track.segments.is_empty() { GapReason::NotStarted } else { reason },
        };
        if let Some(last) = track.segments.last() {
            let init = read(disk, dir, MediaName::Init { kind, n: last.init })?;
            resume.init = Some((last.init, init));
            if !kind.is_sound() {
                let (fragments, _) = fmp4::scan(&read(disk, dir, MediaName::Segment { kind, seq: last.seq })?);
                resume.key =
                    fragments.into_iter().next().map(|fragment| fragment.first).filter(|s| s.sync).map(|s| s.data);
            }
        }
        tracks.push((kind, resume));
    }
    Ok(tracks)
}

/// Truncates a segment that the journal does not name to its complete fragments, and records it.
fn adopt(
    disk: &dyn Disk,
    dir: &Path,
    store: &mut RecordingFiles,
    (kind, seq, is_part): (TrackKind, u32, bool),
    suspect: bool,
) -> Result<(), ArchiveError> {
    let name = MediaName::Segment { kind, seq };
    let file = if is_part { name.part() } else { name.to_string() };
    let path = dir.join(&file);
    let bytes = Bytes::from(disk.read(&path).map_err(|source| failed("read", &path, source))?);
    let (fragments, kept) = fmp4::scan(&bytes);
    let (Some(first), Some(init)) =
        (fragments.first(), lock(&store.ledger()).of(kind).and_then(|track| track.inits.last().map(|init| init.n)))
    else {
        return remove(disk, dir, &file);
    };
    let end = lock(&store.ledger()).of(kind).map_or(0, TrackLedger::end);
    if first.start != end {
        // Not written by this track: left in place, not recorded.
        tracing::warn!(file = %path.display(), "Left {file} alone: it does not follow the segment before it");
        return Ok(());
    }
    if suspect {
        rewrite(disk, dir, &name.to_string(), bytes.slice(..kept).as_ref())?;
        if is_part {
            remove(disk, dir, &file)?;
        }
        return record_adopted(store, name, init, &bytes.slice(..kept), &fragments);
    }
    if kept < bytes.len() {
        let mut open = disk.open(&path, kept as u64).map_err(|source| failed("open", &path, source))?;
        open.sync().map_err(|source| failed("sync", &path, source))?;
    }
    if is_part {
        let whole = dir.join(name.to_string());
        disk.rename(&path, &whole).map_err(|source| failed("rename", &path, source))?;
    }
    disk.sync_dir(dir).map_err(|source| failed("sync", dir, source))?;
    record_adopted(store, name, init, &bytes.slice(..kept), &fragments)
}

/// Records an adopted segment in the journal.
fn record_adopted(
    store: &mut RecordingFiles,
    name: MediaName,
    init: u32,
    whole: &Bytes,
    fragments: &[fmp4::Fragment],
) -> Result<(), ArchiveError> {
    let MediaName::Segment { kind, seq } = name else { return Ok(()) };
    store.record(&Record::Segment(SegmentRecord {
        kind,
        seq,
        init,
        start: fragments.first().map_or(0, |first| first.start),
        duration: fragments.iter().map(|fragment| fragment.duration).sum(),
        fragments: u32::try_from(fragments.len()).unwrap_or(u32::MAX),
        size_bytes: whole.len() as u64,
        sha256: sha256(whole),
        recovered: true,
    }))
}

/// Writes `bytes` to a new file and renames it over `name`.
fn rewrite(disk: &dyn Disk, dir: &Path, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
    let (fresh, whole) = (dir.join(format!("{name}.again")), dir.join(name));
    let mut file = disk.open(&fresh, 0).map_err(|source| failed("open", &fresh, source))?;
    file.append(bytes).map_err(|source| failed("append to", &fresh, source))?;
    file.sync().map_err(|source| failed("sync", &fresh, source))?;
    disk.rename(&fresh, &whole).map_err(|source| failed("rename", &fresh, source))?;
    disk.sync_dir(dir).map_err(|source| failed("sync", dir, source))
}

fn read(disk: &dyn Disk, dir: &Path, name: MediaName) -> Result<Bytes, ArchiveError> {
    let path: PathBuf = dir.join(name.to_string());
    disk.read(&path).map(Bytes::from).map_err(|source| failed("read", &path, source))
}

fn remove(disk: &dyn Disk, dir: &Path, file: &str) -> Result<(), ArchiveError> {
    let path = dir.join(file);
    disk.remove(&path).map_err(|source| failed("remove", &path, source))?;
    disk.sync_dir(dir).map_err(|source| failed("sync", dir, source))
}

/// A journal as it was found.
struct ReadJournal {
    ledger: Ledger,
    chain: HashChain,
    /// Of its complete records.
    valid_bytes: u64,
    /// Of the file.
    len_bytes: u64,
}

fn read_journal(disk: &dyn Disk, dir: &Path) -> Result<Option<ReadJournal>, ArchiveError> {
    let path = dir.join(JOURNAL);
    let bytes = match disk.read(&path) {
        Ok(bytes) => bytes,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", &path, source)),
    };
    let (records, chain, valid) = chain::read(&bytes);
    let ledger = Ledger::fold(&records, chain.head());
    let (valid_bytes, len_bytes) = (valid as u64, bytes.len() as u64);
    Ok(ledger.map(|ledger| ReadJournal { ledger, chain, valid_bytes, len_bytes }))
}

impl TrackLedger {
    fn knows(&self, seq: u32) -> bool {
        self.segments.iter().rev().any(|segment| segment.seq == seq)
    }
}
