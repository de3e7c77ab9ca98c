//! The content of a recording, folded from its journal.

use serde::{Deserialize, Serialize};
use sfu::media::{Codec, TrackKind};

use crate::{
    format::{clock::LessonTime, fmp4::time_scale},
    id::{MAIN_PLAYLIST, MediaName, RecordingId, playlist_name},
    journal::{
        checkpoint::Checkpoint,
        record::{Chapter, Gap, GapReason, InitRecord, Record, SegmentRecord, TrackNote},
        sound::{Loudness, SoundMinute},
    },
};

/// The content of a recording for replay pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Which recording.
    pub recording_id: RecordingId,
    /// Whether it goes on.
    pub state: ManifestState,
    /// The wall clock at lesson time 0, milliseconds since 1970.
    pub started_at_ms: u64,
    /// While recording: as far as the longest track reaches.
    pub duration_ms: u64,
    /// Camera (or else board) with the voice. `None`: there is nothing to play yet.
    pub main_playlist: Option<String>,
    /// The board alone. `None`: there is no board.
    pub board_playlist: Option<String>,
    /// All tracks.
    pub tracks: Vec<TrackManifest>,
    /// Where the lesson can be entered, in order.
    #[serde(default)]
    pub chapters: Vec<Chapter>,
    /// Digest of the journal's last record, in hex.
    pub chain_head: String,
}

/// Whether a recording goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestState {
    /// In progress, or resumable.
    Recording,
    /// Complete; it never changes again.
    Sealed,
}

/// One track of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TrackManifest {
    /// What it shows.
    pub kind: TrackKind,
    /// How it is encoded at its end. `None`: nothing was kept.
    pub codec: Option<Codec>,
    /// Pixels at its end. `None`: sound.
    pub width: Option<u16>,
    /// Pixels at its end. `None`: sound.
    pub height: Option<u16>,
    /// When it first held something real. Its timeline begins at 0 all the same.
    pub starts_at_ms: u64,
    /// How long its timeline is.
    pub duration_ms: u64,
    /// Its media playlist's name. `None`: nothing was kept.
    pub playlist: Option<String>,
    /// Where silence or a held picture stands in for what was not kept.
    pub gaps: Vec<GapManifest>,
    /// What a listener should know.
    pub notes: Vec<TrackNote>,
    /// How a voice sounded, minute by minute.
    pub sound: Vec<SoundMinute>,
    /// How it sounded in the whole lesson. `None`: a picture, or nothing was heard.
    #[serde(default)]
    pub loudness: Option<Loudness>,
}

/// A summary of one recording, for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RecordingSummary {
    /// Which recording.
    pub recording_id: RecordingId,
    /// Whether it goes on.
    pub condition: Condition,
    /// The wall clock at lesson time 0, milliseconds since 1970. 0: it cannot be read.
    pub started_at_ms: u64,
    /// As far as the longest track reaches.
    pub duration_ms: u64,
    /// Of its whole segments.
    pub size_bytes: u64,
    /// Number of gaps, of all tracks.
    pub gaps: usize,
}

/// The condition of a recording on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It is being written, or its writer died and it was not recovered since.
    Running,
    /// Its writer suspended it; it can be resumed.
    Suspended,
    /// Paused by a full disk; it can be resumed.
    Paused,
    /// Its writer died, and it was recovered; it can be resumed.
    Interrupted,
    /// Ended; its seal is missing.
    Unsealed,
    /// It is over.
    Sealed,
    /// Its journal does not begin as one.
    Unreadable,
}

impl RecordingSummary {
    /// The summary of a recording. `is_sealed`: its folder holds a seal.
    #[must_use]
    pub fn new(recording_id: RecordingId, ledger: Option<&Ledger>, is_sealed: bool) -> Self {
        let condition = match ledger.map(|ledger| ledger.phase) {
            None => Condition::Unreadable,
            Some(RecordingPhase::Running) => Condition::Running,
            Some(RecordingPhase::Suspended) => Condition::Suspended,
            Some(RecordingPhase::Paused) => Condition::Paused,
            Some(RecordingPhase::Interrupted) => Condition::Interrupted,
            Some(RecordingPhase::Ended(_)) if is_sealed => Condition::Sealed,
            Some(RecordingPhase::Ended(_)) => Condition::Unsealed,
        };
        let tracks = ledger.map_or(&[][..], |ledger| &ledger.tracks);
        Self {
            recording_id,
            condition,
            started_at_ms: ledger.map_or(0, |ledger| ledger.started_at_ms),
            duration_ms: ledger.map_or(0, Ledger::duration_ms),
            size_bytes: tracks.iter().map(TrackLedger::size_bytes).fold(0, u64::saturating_add),
            gaps: tracks.iter().map(|track| track.gaps.len()).sum(),
        }
    }
}

/// See [`Gap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GapManifest {
    /// In lesson time.
    pub from_ms: u64,
    /// In lesson time.
    pub to_ms: u64,
    /// Why.
    pub reason: GapReason,
}

/// A journal's records, folded.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Which recording.
    pub recording_id: RecordingId,
    /// The wall clock at lesson time 0, milliseconds since 1970.
    pub started_at_ms: u64,
    /// The last reported state of the writer.
    pub phase: RecordingPhase,
    /// Sorted by kind.
    pub tracks: Vec<TrackLedger>,
    /// Sorted by lesson time.
    pub chapters: Vec<Chapter>,
    /// Digest of the last record.
    pub chain_head: String,
    /// The number of records.
    pub records: u64,
    /// The latest checkpoint. `None`: the first is not due yet.
    pub checkpoint: Option<Checkpoint>,
}

/// The last reported state of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingPhase {
    /// Writing, or died while writing.
    Running,
    /// Suspended.
    Suspended,
    /// Paused by a full disk; waiting, or died while waiting.
    Paused,
    /// Died, and was recovered.
    Interrupted,
    /// Ended, after so many milliseconds of lesson time.
    Ended(u64),
}

/// One track's records.
#[derive(Debug, Clone, Default)]
pub struct TrackLedger {
    /// `None` only while it is being built.
    pub kind: Option<TrackKind>,
    /// In order.
    pub inits: Vec<InitRecord>,
    /// In order.
    pub segments: Vec<SegmentRecord>,
    /// In order.
    pub gaps: Vec<Gap>,
    /// In order.
    pub notes: Vec<TrackNote>,
    /// In order.
    pub sound: Vec<SoundMinute>,
    /// Indexes into `sound` at which a resumed writer began.
    pub sound_runs: Vec<usize>,
}

impl Ledger {
    /// Folds a journal. `None`: it does not begin with a start of this version.
    #[must_use]
    pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>, chain_head: &str) -> Option<Self> {
        let mut records = records.into_iter();
        let start = records.next()?;
        let mut ledger = Self::begin(start)?;
        ledger.apply(start);
        for record in records {
            ledger.apply(record);
        }
        ledger.chain_head = chain_head.to_owned();
        Some(ledger)
    }

    /// An empty ledger, to which the start itself is still to be applied. `None`: this is no start of a version that is known here.
    #[must_use]
    pub fn begin(start: &Record) -> Option<Self> {
        match start {
            Record::Start { recording_id, version: crate::journal::chain::VERSION, started_at_ms, .. } => Some(Self {
                recording_id: *recording_id,
                started_at_ms: *started_at_ms,
                phase: RecordingPhase::Running,
                tracks: Vec::new(),
                chapters: Vec::new(),
                chain_head: String::new(),
                records: 0,
                checkpoint: None,
            }),
            _ => None,
        }
    }

    /// Takes the next record.
    pub fn apply(&mut self, record: &Record) {
        self.records += 1;
        match record {
            Record::Start { .. } => {}
            Record::Init(init) => self.track(init.kind).inits.push(init.clone()),
            Record::Segment(segment) => self.track(segment.kind).segments.push(segment.clone()),
            Record::Gap(gap) => self.track(gap.kind).gaps.push(gap.clone()),
            Record::Note { kind, note } => self.track(*kind).notes.push(*note),
            Record::Sound { kind, minute } => self.track(*kind).sound.push(minute.clone()),
            Record::Chapter(chapter) => {
                // Chapters are not always found in order.
                let at = self.chapters.partition_point(|known| known.at_ms <= chapter.at_ms);
                self.chapters.insert(at, *chapter);
            }
            Record::Suspended { .. } => self.phase = RecordingPhase::Suspended,
            Record::Interrupted { .. } => self.phase = RecordingPhase::Interrupted,
            Record::Paused { .. } => self.phase = RecordingPhase::Paused,
            Record::Checkpoint(checkpoint) => self.checkpoint = Some(checkpoint.clone()),
            Record::Resumed { .. } => {
                self.phase = RecordingPhase::Running;
                for track in &mut self.tracks {
                    track.sound_runs.push(track.sound.len());
                }
            }
            Record::End { duration_ms } => self.phase = RecordingPhase::Ended(*duration_ms),
        }
    }

    /// The track of a kind. `None`: the journal does not name it.
    #[must_use]
    pub fn of(&self, kind: TrackKind) -> Option<&TrackLedger> {
        self.tracks.iter().find(|track| track.kind == Some(kind))
    }

    /// The SHA-256 of a file in hex, as it was written. `None`: the journal does not know the file.
    #[must_use]
    pub fn digest(&self, name: MediaName) -> Option<String> {
        let track = self.of(name.kind())?;
        match name {
            MediaName::Init { n, .. } => track.inits.iter().find(|init| init.n == n).map(|init| init.sha256.clone()),
            MediaName::Segment { seq, .. } => {
                let at = track.segments.binary_search_by_key(&seq, |segment| segment.seq).ok()?;
                Some(track.segments[at].sha256.clone())
            }
        }
    }

    /// The files that the journal names, with their digests.
    pub fn media(&self) -> impl Iterator<Item = (MediaName, &String)> {
        self.tracks.iter().filter_map(|track| Some((track, track.kind?))).flat_map(|(track, kind)| {
            let inits = track.inits.iter().map(move |init| (MediaName::Init { kind, n: init.n }, &init.sha256));
            let segments =
                track.segments.iter().map(move |one| (MediaName::Segment { kind, seq: one.seq }, &one.sha256));
            inits.chain(segments)
        })
    }

    /// The end of the longest track.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        match self.phase {
            RecordingPhase::Ended(duration_ms) => duration_ms,
            _ => self.tracks.iter().map(TrackLedger::duration_ms).max().unwrap_or(0),
        }
    }

    /// The manifest, for replay pages.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        let has = |kind| self.of(kind).is_some_and(|track| !track.segments.is_empty());
        Manifest {
            recording_id: self.recording_id,
            state: match self.phase {
                RecordingPhase::Ended(_) => ManifestState::Sealed,
                _ => ManifestState::Recording,
            },
            started_at_ms: self.started_at_ms,
            duration_ms: self.duration_ms(),
            main_playlist: TrackKind::ALL.into_iter().any(has).then(|| MAIN_PLAYLIST.to_owned()),
            board_playlist: has(TrackKind::Board).then(|| playlist_name(TrackKind::Board)),
            tracks: self.tracks.iter().filter_map(TrackLedger::manifest).collect(),
            chapters: self.chapters.clone(),
            chain_head: self.chain_head.clone(),
        }
    }

    fn track(&mut self, kind: TrackKind) -> &mut TrackLedger {
        let at = self.tracks.partition_point(|track| track.kind < Some(kind));
        if self.tracks.get(at).is_none_or(|track| track.kind != Some(kind)) {
            self.tracks.insert(at, TrackLedger { kind: Some(kind), ..Default::default() });
        }
        &mut self.tracks[at]
    }
}

impl TrackLedger {
    /// Where its last segment ends, in ticks.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.start.saturating_add(segment.duration))
    }

    /// Of its segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size_bytes).fold(0, u64::saturating_add)
    }

    /// Ticks per second.
    #[must_use]
    pub fn scale(&self) -> u32 {
        time_scale(self.kind.is_some_and(TrackKind::is_sound))
    }

    /// How long its timeline is.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        LessonTime::from_ticks(self.end(), self.scale()).millis()
    }

    fn manifest(&self) -> Option<TrackManifest> {
        let kind = self.kind?;
        let init = self.inits.last();
        let first = self.gaps.first().filter(|gap| gap.from_ms == 0 && gap.reason == GapReason::NotStarted);
        Some(TrackManifest {
            kind,
            codec: init.map(|init| init.codec),
            width: init.and_then(|init| init.width),
            height: init.and_then(|init| init.height),
            starts_at_ms: first.map_or(0, |gap| gap.to_ms),
            duration_ms: self.duration_ms(),
            playlist: (!self.segments.is_empty()).then(|| playlist_name(kind)),
            gaps: self
                .gaps
                .iter()
                .map(|gap| GapManifest { from_ms: gap.from_ms, to_ms: gap.to_ms, reason: gap.reason })
                .collect(),
            notes: self.notes.clone(),
            sound: self.sound.clone(),
            loudness: Loudness::of(&self.sound, &self.sound_runs),
        })
    }
}
