//! Finds the samples of one track in a span of lesson time, and lays them out as one or more tracks of a file.

use std::{fs::File, io, os::unix::fs::FileExt};

use bytes::Bytes;
use mp4_atom::Codec as SampleEntry;
use sfu::media::{Codec, TrackKind};

use crate::{
    disk::media_folder::MediaFolder,
    export::selection::ExportSpan,
    format::{
        clock::LessonTime,
        fmp4::{self, FragmentLayout},
    },
    id::MediaName,
    journal::{
        manifest::Ledger,
        record::{InitRecord, SegmentRecord},
    },
};

/// One track of the file. A publisher that returns with another codec begins another one: players do not change the
/// decoder within a track. A change of size is another sample description in the same track.
#[derive(Debug)]
pub(crate) struct TrackLayout {
    pub(crate) kind: TrackKind,
    /// Ticks per second.
    pub(crate) scale: u32,
    codec: Codec,
    /// Sample descriptions of the init segments in use, with their numbers.
    pub(crate) descriptions: Vec<(u32, SampleEntry)>,
    /// The largest picture.
    pub(crate) size: (u16, u16),
    /// In order.
    pub(crate) chunks: Vec<Chunk>,
    /// Run lengths of sample durations: count, ticks.
    pub(crate) durations: Vec<(u32, u32)>,
    /// Size of each sample.
    pub(crate) sizes: Vec<u32>,
    /// Numbers of the sync samples, from 1.
    pub(crate) syncs: Vec<u32>,
    /// The spans of lesson time in which it has media.
    runs: Vec<SampleRun>,
    /// Of all samples, in ticks.
    pub(crate) duration: u64,
}

/// Samples that are contiguous in one segment and in the file.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Where it begins, in ticks of lesson time.
    start: u64,
    pub(crate) segment: MediaName,
    /// Where in the segment it begins.
    pub(crate) from: u64,
    pub(crate) size_bytes: u64,
    pub(crate) samples: u32,
    /// Which of the track's descriptions, from 1.
    pub(crate) description: u32,
    /// Offset in the file's body; known when all tracks are laid out.
    pub(crate) at: u64,
}

/// Samples that are contiguous in time.
#[derive(Debug, Clone, Copy)]
struct SampleRun {
    /// In ticks of lesson time.
    start: u64,
    /// In ticks of the track's own media timeline, which has no holes.
    media_start: u64,
    duration: u64,
}

/// One entry of an edit list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    /// In milliseconds.
    pub(crate) duration_ms: u64,
    /// In ticks. `None`: an empty edit.
    pub(crate) media_time: Option<u64>,
}

impl Chunk {
    pub(crate) fn at_ms(&self, scale: u32) -> u64 {
        LessonTime::from_ticks(self.start, scale).millis()
    }
}

/// Lays out the samples of a track in a span. Empty if it has none.
///
/// # Errors
/// When a segment cannot be read, or does not match the journal.
pub(crate) fn lay_out(
    ledger: &Ledger,
    folder: &MediaFolder,
    kind: TrackKind,
    span: ExportSpan,
) -> io::Result<Vec<TrackLayout>> {
    let Some(track) = ledger.of(kind) else { return Ok(Vec::new()) };
    let scale = track.scale();
    let ticks = |ms: u64| LessonTime(i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX)).ticks(scale);
    let (from, to) = (ticks(span.from_ms), ticks(span.to_ms));
    let first = track.segments.partition_point(|segment| segment.start.saturating_add(segment.duration) <= from);
    let end = track.segments.partition_point(|segment| segment.start < to);
    if first >= end {
        return Ok(Vec::new());
    }
    let wanted = if kind.is_sound() { from.saturating_sub(PREROLL_TICKS) } else { from };
    let SpanStart { segment: begin, start, shown, mut known } = span_start(folder, &track.segments, first, wanted)?;
    let moved = (!kind.is_sound()).then_some((shown, from));
    let mut builder = LayoutBuilder { folder, kind, scale, inits: &track.inits, moved, laid: Vec::new() };
    for segment in &track.segments[begin..end] {
        let layout = match known.pop() {
            Some(layout) => layout,
            None => layout_of(folder, segment)?,
        };
        for fragment in &layout {
            builder.take(segment, fragment, start, to)?;
        }
    }
    // Drop a codec that is only used before the span.
    builder.laid.retain(|laid| laid.end() > from);
    Ok(builder.laid)
}

/// Where a span begins.
struct SpanStart {
    /// Which of the track's segments.
    segment: usize,
    /// The last sync sample at or before it, in ticks.
    start: u64,
    /// The last sample at or before it, in ticks: the picture on the screen there.
    shown: u64,
    /// Layouts read on the way; that of the first segment last.
    known: Vec<Vec<FragmentLayout>>,
}

/// Finds where a span begins that begins in segment `first`.
fn span_start(folder: &MediaFolder, segments: &[SegmentRecord], first: usize, from: u64) -> io::Result<SpanStart> {
    let (mut known, mut shown) = (Vec::new(), None);
    for (n, segment) in segments[..=first].iter().enumerate().rev() {
        let layout = layout_of(folder, segment)?;
        let mut sync = None;
        for fragment in &layout {
            let mut at = fragment.start;
            for sample in &fragment.samples {
                if at > from {
                    break;
                }
                if sample.sync {
                    sync = Some(at);
                }
                if n == first {
                    shown = Some(at);
                }
                at += u64::from(sample.duration);
            }
        }
        known.push(layout);
        if let Some(start) = sync {
            return Ok(SpanStart { segment: n, start, shown: shown.unwrap_or(start), known });
        }
    }
    // No sync sample before it: from the very beginning.
    Ok(SpanStart { segment: 0, start: 0, shown: shown.unwrap_or(0), known })
}

fn layout_of(folder: &MediaFolder, segment: &SegmentRecord) -> io::Result<Vec<FragmentLayout>> {
    let file: File = folder.open(MediaName::Segment { kind: segment.kind, seq: segment.seq }, &segment.sha256)?;
    fmp4::layout(segment.size_bytes, |at, out| file.read_exact_at(out, at))
}

/// The state of a walk through the segments of a track.
struct LayoutBuilder<'a> {
    folder: &'a MediaFolder,
    kind: TrackKind,
    scale: u32,
    inits: &'a [InitRecord],
    /// Moves the picture that is on the screen where the span begins: from its own start to that of the span, in ticks.
    /// Players would otherwise show nothing until the next picture. `None`: a voice, of which the edit list hides a
    /// part.
    moved: Option<(u64, u64)>,
    laid: Vec<TrackLayout>,
}

impl LayoutBuilder<'_> {
    /// Takes the samples of a fragment between two ticks, as one chunk.
    fn take(&mut self, segment: &SegmentRecord, fragment: &FragmentLayout, from: u64, to: u64) -> io::Result<()> {
        let on_screen = self.moved;
        let moved = |tick: u64| on_screen.filter(|(shown, _)| *shown == tick).map_or(tick, |(_, to)| to);
        let (mut at, mut data_at) = (fragment.start, fragment.data_at);
        let mut chunk: Option<Chunk> = None;
        let mut taken = None;
        for sample in &fragment.samples {
            let (start, data) = (at, data_at);
            at += u64::from(sample.duration);
            data_at += u64::from(sample.size_bytes);
            if start < from || start >= to {
                continue;
            }
            let n = match taken {
                Some(n) => n,
                None => *taken.insert(self.layout_for(segment.init)?),
            };
            let laid = &mut self.laid[n];
            let chunk = chunk.get_or_insert_with(|| Chunk {
                start,
                segment: MediaName::Segment { kind: segment.kind, seq: segment.seq },
                from: data,
                size_bytes: 0,
                samples: 0,
                description: laid.description(segment.init),
                at: 0,
            });
            chunk.size_bytes += u64::from(sample.size_bytes);
            chunk.samples += 1;
            // The last one is cut at the end of the span.
            let (start, end) = (moved(start), moved(at).min(to));
            let duration = u32::try_from(end.saturating_sub(start)).unwrap_or(sample.duration);
            laid.sample(start, duration, sample.size_bytes, sample.sync);
        }
        if let (Some(chunk), Some(n)) = (chunk, taken) {
            self.laid[n].chunks.push(chunk);
        }
        Ok(())
    }

    /// The track of the file for samples of init segment `n`.
    fn layout_for(&mut self, n: u32) -> io::Result<usize> {
        let known = |laid: &TrackLayout| laid.descriptions.iter().any(|(known, _)| *known == n);
        if let Some(at) = self.laid.iter().position(known) {
            return Ok(at);
        }
        let init = self.inits.iter().find(|init| init.n == n).ok_or(io::ErrorKind::InvalidData)?;
        let name = MediaName::Init { kind: self.kind, n };
        let bytes = read_whole(&self.folder.open(name, &init.sha256)?)?;
        let entry = fmp4::sample_entries(&bytes).and_then(|entries| entries.into_iter().next());
        let entry = entry.ok_or(io::ErrorKind::InvalidData)?;
        let at = self.laid.iter().position(|laid| laid.codec == init.codec).unwrap_or_else(|| {
            self.laid.push(TrackLayout::new(self.kind, self.scale, init.codec));
            self.laid.len() - 1
        });
        let laid = &mut self.laid[at];
        laid.size = laid.size.max((init.width.unwrap_or(0), init.height.unwrap_or(0)));
        laid.descriptions.push((n, entry));
        Ok(at)
    }
}

fn read_whole(file: &File) -> io::Result<Bytes> {
    let len = file.metadata()?.len().min(INIT_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes.into())
}

impl TrackLayout {
    fn new(kind: TrackKind, scale: u32, codec: Codec) -> Self {
        Self {
            kind,
            scale,
            codec,
            descriptions: Vec::new(),
            size: (0, 0),
            chunks: Vec::new(),
            durations: Vec::new(),
            sizes: Vec::new(),
            syncs: Vec::new(),
            runs: Vec::new(),
            duration: 0,
        }
    }

    fn description(&self, init: u32) -> u32 {
        let at = self.descriptions.iter().position(|(known, _)| *known == init).unwrap_or(0);
        u32::try_from(at + 1).unwrap_or(1)
    }

    fn sample(&mut self, start: u64, duration: u32, size_bytes: u32, sync: bool) {
        match self.durations.last_mut() {
            Some((count, of)) if *of == duration => *count += 1,
            _ => self.durations.push((1, duration)),
        }
        self.sizes.push(size_bytes);
        if sync {
            self.syncs.push(u32::try_from(self.sizes.len()).unwrap_or(u32::MAX));
        }
        match self.runs.last_mut() {
            Some(run) if run.start + run.duration == start => run.duration += u64::from(duration),
            _ => self.runs.push(SampleRun { start, media_start: self.duration, duration: u64::from(duration) }),
        }
        self.duration += u64::from(duration);
    }

    /// The edit list, from the start of the span. Empty: the media from its start.
    pub(crate) fn edits(&self, span: ExportSpan) -> Vec<Edit> {
        let ms = |ticks: u64| LessonTime::from_ticks(ticks, self.scale).millis();
        let from = LessonTime(i64::try_from(span.from_ms.saturating_mul(1_000)).unwrap_or(i64::MAX)).ticks(self.scale);
        let mut at_ms = span.from_ms;
        let mut edits = Vec::new();
        for run in &self.runs {
            let hidden = from.saturating_sub(run.start);
            let (start_ms, end_ms) = (ms(run.start + hidden), ms(run.start + run.duration).min(span.to_ms));
            if start_ms > at_ms {
                edits.push(Edit { duration_ms: start_ms - at_ms, media_time: None });
            }
            let duration_ms = end_ms.saturating_sub(start_ms.max(at_ms));
            if duration_ms > 0 {
                edits.push(Edit { duration_ms, media_time: Some(run.media_start + hidden) });
            }
            at_ms = at_ms.max(end_ms);
        }
        if let [Edit { media_time: Some(0), .. }] = edits[..] {
            edits.clear();
        }
        edits
    }

    /// In ticks of lesson time.
    fn end(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.start + run.duration)
    }

    /// Its duration from the start of the span.
    pub(crate) fn shown_ms(&self, span: ExportSpan) -> u64 {
        LessonTime::from_ticks(self.end(), self.scale).millis().min(span.to_ms).saturating_sub(span.from_ms)
    }
}

/// An Opus decoder converges within 80 ms (RFC 7845 §4.6): a clip has this much pre-roll, hidden by the edit list.
const PREROLL_TICKS: u64 = 3_840;

/// An init segment holds parameter sets and some fifty fixed fields.
const INIT_BYTES_MAX: u64 = 1 << 20;
