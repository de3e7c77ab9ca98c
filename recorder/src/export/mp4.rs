//! A recording as one virtual MP4 file: its head is built from the index of the segments, its body is their bytes.
//!
//! The length is known before the first byte, and any range can be read at any time: nothing is encoded or written. A
//! clip is the same with a span: it begins at the last key frame before its in-point, and an edit list hides what
//! precedes it.
//!
//! [`layout`] finds the samples of a span and lays them out as tracks; [`moov`] writes the boxes in front of them.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::Arc,
};

use bytes::Bytes;
use sfu::media::TrackKind;

use crate::{
    disk::media_folder::MediaFolder,
    export::{
        layout::{self, Chunk},
        moov,
        selection::{ExportSpan, ExportTracks},
    },
    id::{MediaName, RecordingId},
    journal::manifest::Ledger,
};

/// A virtual MP4 file with random access. It holds what was durable when it was made.
#[derive(Debug)]
pub struct Export {
    /// `ftyp`, `moov`, and the head of `mdat`.
    head: Bytes,
    /// The rest of the file, in its order.
    pieces: Vec<Extent>,
    size_bytes: u64,
    duration_ms: u64,
    /// How many tracks of pictures there are.
    pictures: usize,
    tag: String,
    folder: MediaFolder,
    /// A snapshot, for the digests of the segments.
    ledger: Ledger,
}

/// A range of the file that lies in one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    /// Offset in the file.
    at: u64,
    segment: MediaName,
    /// Offset in the segment.
    from: u64,
    size_bytes: u64,
}

impl Export {
    /// The file of a recording. `Ok(None)`: none of these tracks has media in that span.
    ///
    /// # Errors
    /// When a segment cannot be read, or does not match the journal.
    pub(crate) fn new(
        ledger: Ledger,
        folder: MediaFolder,
        tracks: ExportTracks,
        span: ExportSpan,
    ) -> io::Result<Option<Self>> {
        let span = ExportSpan { to_ms: span.to_ms.min(ledger.duration_ms()), ..span };
        let mut laid = Vec::new();
        for kind in tracks.pictures() {
            laid.extend(layout::lay_out(&ledger, &folder, *kind, span)?);
        }
        if laid.is_empty() && tracks != ExportTracks::Voice {
            return Ok(None);
        }
        let mixed = ledger.of(TrackKind::MixedVoice).is_some_and(|track| !track.segments.is_empty());
        let voice = if mixed { TrackKind::MixedVoice } else { TrackKind::Voice };
        laid.extend(layout::lay_out(&ledger, &folder, voice, span)?);
        if laid.is_empty() {
            return Ok(None);
        }
        // Sound precedes the pictures of the same second, so that a player never waits for it.
        let mut order: Vec<(u64, usize, usize)> = laid
            .iter()
            .enumerate()
            .flat_map(|(t, track)| {
                let rank = if track.kind.is_sound() { 0 } else { t + 1 };
                track.chunks.iter().enumerate().map(move |(c, chunk)| (chunk.at_ms(track.scale), rank, t, c))
            })
            .map(|(at_ms, rank, t, c)| ((at_ms << 8) | rank as u64, t, c))
            .collect();
        order.sort_unstable();
        let body_bytes = laid.iter().flat_map(|track| &track.chunks).map(|chunk| chunk.size_bytes).sum();
        let mut at = 0;
        let mut pieces = Vec::with_capacity(order.len());
        for (_, t, c) in order {
            let chunk: &mut Chunk = &mut laid[t].chunks[c];
            chunk.at = at;
            pieces.push(Extent { at, segment: chunk.segment, from: chunk.from, size_bytes: chunk.size_bytes });
            at += chunk.size_bytes;
        }
        let head = moov::write(&laid, ledger.started_at_ms.saturating_add(span.from_ms), span, body_bytes);
        for piece in &mut pieces {
            piece.at += head.len() as u64;
        }
        let tag = format!("{}-{tracks}-{}-{}", ledger.chain_head.get(..32).unwrap_or(""), span.from_ms, span.to_ms);
        Ok(Some(Self {
            size_bytes: head.len() as u64 + body_bytes,
            duration_ms: span.to_ms.saturating_sub(span.from_ms),
            head,
            pieces,
            pictures: laid.iter().filter(|track| !track.kind.is_sound()).count(),
            tag,
            folder,
            ledger,
        }))
    }

    /// Its length in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Its duration.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.duration_ms
    }

    /// The number of picture tracks: more than requested if a publisher returned with another codec.
    #[must_use]
    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// An entity tag of these bytes: another span, or a later state of a running lesson, has another.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// A reader from an offset on.
    #[must_use]
    pub fn reader(&self, at: u64) -> ExportReader<'_> {
        ExportReader { cursor: ExportCursor::at(at), export: self }
    }

    /// Fills `out` as far as possible and advances the cursor. 0: end of file.
    ///
    /// # Errors
    /// When a segment cannot be read any more.
    pub fn read(&self, cursor: &mut ExportCursor, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < out.len() && cursor.at < self.size_bytes {
            let rest = &mut out[filled..];
            let head = self.head.get(usize::try_from(cursor.at).unwrap_or(usize::MAX)..).unwrap_or_default();
            let read = if head.is_empty() {
                self.read_piece(cursor, rest)?
            } else {
                let len = head.len().min(rest.len());
                rest[..len].copy_from_slice(&head[..len]);
                len
            };
            filled += read;
            cursor.at += read as u64;
        }
        Ok(filled)
    }

    fn read_piece(&self, cursor: &mut ExportCursor, out: &mut [u8]) -> io::Result<usize> {
        let next = self.pieces.partition_point(|piece| piece.at <= cursor.at);
        let piece = self.pieces[..next].last().ok_or(io::ErrorKind::UnexpectedEof)?;
        let inside = cursor.at - piece.at;
        let len = usize::try_from(piece.size_bytes - inside).unwrap_or(usize::MAX).min(out.len());
        let file = match cursor.open.get(&piece.segment.kind()) {
            Some((segment, file)) if *segment == piece.segment => file,
            _ => {
                let digest = self.ledger.digest(piece.segment).ok_or(io::ErrorKind::NotFound)?;
                let file = self.folder.open(piece.segment, &digest)?;
                &cursor.open.entry(piece.segment.kind()).insert_entry((piece.segment, file)).into_mut().1
            }
        };
        file.read_exact_at(&mut out[..len], piece.from + inside)?;
        Ok(len)
    }
}

/// An offset in an [`Export`], with the open files: at most one per track.
#[derive(Debug, Default)]
pub struct ExportCursor {
    at: u64,
    open: HashMap<TrackKind, (MediaName, File)>,
}

impl ExportCursor {
    /// A cursor at an offset.
    #[must_use]
    pub fn at(at: u64) -> Self {
        Self { at, open: HashMap::new() }
    }
}

/// Reads an [`Export`] to its end.
#[derive(Debug)]
pub struct ExportReader<'a> {
    export: &'a Export,
    cursor: ExportCursor,
}

impl io::Read for ExportReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.export.read(&mut self.cursor, out)
    }
}

/// A cache of the latest exports, so that range requests do not rebuild the head.
#[derive(Debug, Default)]
pub(crate) struct ExportCache {
    known: VecDeque<(ExportKey, Arc<Export>)>,
}

/// What identifies an export: the recording, how far it had come, tracks and span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportKey {
    pub(crate) id: RecordingId,
    pub(crate) chain_head: String,
    pub(crate) tracks: ExportTracks,
    pub(crate) span: ExportSpan,
}

impl ExportCache {
    pub(crate) fn find(&self, key: &ExportKey) -> Option<Arc<Export>> {
        self.known.iter().find(|(known, _)| known == key).map(|(_, export)| export.clone())
    }

    pub(crate) fn keep(&mut self, key: ExportKey, export: Arc<Export>) {
        if self.known.len() >= EXPORTS_KEPT {
            self.known.pop_front();
        }
        self.known.push_back((key, export));
    }
}

/// The head of a lesson of forty minutes takes some 2 MB.
const EXPORTS_KEPT: usize = 8;
