//! One recording as a pure state machine: items of the tap go in, actions for the disk come out.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use sfu::{
    id::TrackId,
    media::{Codec, TrackKind},
    tap::TapItem,
};

use crate::{
    format::{
        clock::{LessonClocks, LessonTime},
        depacketize::Depacketizer,
        reorder::{Ordered, REPAIR_WAIT, Reorder},
    },
    journal::record::{Chapter, ChapterKind, GapReason, Record, TrackNote},
    track::{
        action::{Action, TrackResume},
        mix::MixTrack,
        picture::PictureTrack,
        selection::TrackSelection,
        voice::VoiceTrack,
    },
};

/// A recording in progress.
#[derive(Debug)]
pub struct Recording {
    clocks: LessonClocks,
    sources: HashMap<TrackId, PublishedTrack>,
    tracks: BTreeMap<TrackKind, Timeline>,
    refused: Vec<TrackKind>,
    selection: TrackSelection,
    /// `None`: the stage is not recorded.
    mix: Option<MixTrack>,
    dropped: u64,
    /// Tracks that are omitted for lack of disk space.
    omitted: &'static [TrackKind],
    next_tick: Instant,
    actions: Vec<Action>,
    ready: VecDeque<Action>,
}

/// A published track on its way into the recording.
#[derive(Debug)]
struct PublishedTrack {
    kind: TrackKind,
    codec: Codec,
    reorder: Reorder,
    /// `None`: sound, or a codec that the container cannot hold.
    pictures: Option<Depacketizer>,
    kept: bool,
    /// When its newest packet arrived.
    last_packet: Instant,
}

#[derive(Debug)]
enum Timeline {
    Picture(PictureTrack),
    Voice(VoiceTrack),
}

impl Recording {
    /// Begins or resumes: `now` is `elapsed` into the lesson; `tracks` are those of before.
    #[must_use]
    pub fn new(now: Instant, elapsed: Duration, tracks: impl IntoIterator<Item = (TrackKind, TrackResume)>) -> Self {
        let mut mix_resume = None;
        let mut own = BTreeMap::new();
        for (kind, resume) in tracks {
            if kind == TrackKind::MixedVoice {
                mix_resume = Some(resume);
            } else {
                own.insert(kind, Timeline::new(kind, resume));
            }
        }
        let mut recording = Self {
            clocks: LessonClocks::new(now, elapsed),
            sources: HashMap::new(),
            tracks: own,
            refused: Vec::new(),
            selection: TrackSelection::default(),
            mix: None,
            dropped: 0,
            omitted: &[],
            next_tick: now,
            actions: Vec::new(),
            ready: VecDeque::new(),
        };
        // A mix, once begun, lasts as long as the lesson, whatever is selected from now on.
        if let Some(resume) = mix_resume {
            recording.begin_mix(resume);
        }
        recording
    }

    fn begin_mix(&mut self, resume: TrackResume) {
        let end = |kind| match self.tracks.get(&kind) {
            Some(Timeline::Voice(track)) => track.end_ticks(),
            _ => 0,
        };
        self.mix = Some(MixTrack::new(resume, end(TrackKind::Voice), end(TrackKind::StageVoice)));
        for track in self.tracks.values_mut() {
            if let Timeline::Voice(track) = track {
                track.keep_for_mix();
            }
        }
    }

    /// Selects the tracks. Resumed tracks continue with that selection. To be called before the first item.
    #[must_use]
    pub fn with_selection(mut self, selection: TrackSelection) -> Self {
        self.selection = selection;
        if selection.stage && selection.voice && self.mix.is_none() {
            self.begin_mix(TrackResume::default());
        }
        self
    }

    /// Handles an item of the tap.
    pub fn handle_item(&mut self, now: Instant, item: TapItem) {
        match item {
            TapItem::Started { track, kind, codec, .. } => self.start(now, track, kind, codec),
            TapItem::Packet { track, arrived, packet } => {
                if let Some(source) = self.sources.get_mut(&track) {
                    source.last_packet = source.last_packet.max(arrived);
                }
                let omitted = self.omitted;
                let is_kept = |source: &&mut PublishedTrack| source.kept && !omitted.contains(&source.kind);
                if let Some(source) = self.sources.get_mut(&track).filter(is_kept) {
                    self.clocks.packet(track, arrived, packet.timestamp);
                    source.reorder.push(arrived, packet);
                    self.pump(track, arrived);
                }
            }
            TapItem::SenderReport { track, arrived, ntp, rtp } => self.clocks.sender_report(track, arrived, ntp, rtp),
            TapItem::Ended { track, .. } => self.end(now, track),
        }
        self.mix();
        self.ready.extend(self.actions.drain(..));
    }

    /// The tap has dropped `total` items so far.
    pub fn handle_dropped(&mut self, total: u64) {
        if total > self.dropped {
            self.dropped = total;
            for track in self.tracks.values_mut() {
                match track {
                    Timeline::Picture(track) => track.overflowed(),
                    Timeline::Voice(track) => track.overflowed(),
                }
            }
        }
    }

    /// Ends overdue waits for retransmissions, and extends silence and held pictures.
    pub fn handle_timeout(&mut self, now: Instant) {
        let tracks: Vec<TrackId> = self.sources.keys().copied().collect();
        for track in tracks {
            self.pump(track, now);
        }
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            let now = self.clocks.at(now);
            for track in self.tracks.values_mut() {
                match track {
                    Timeline::Picture(track) => track.tick(now, &mut self.actions),
                    Timeline::Voice(track) => track.tick(now, &mut self.actions),
                }
            }
        }
        self.mix();
        self.ready.extend(self.actions.drain(..));
    }

    /// Extends all tracks to the same end and closes them. `sealed`: the recording ends; otherwise it is suspended.
    pub fn finish(&mut self, now: Instant, sealed: bool) {
        self.close(now, |at_ms| if sealed { Record::End { duration_ms: at_ms } } else { Record::Suspended { at_ms } });
    }

    fn close(&mut self, now: Instant, record: impl FnOnce(u64) -> Record) {
        let sources: Vec<TrackId> = self.sources.keys().copied().collect();
        for track in sources {
            self.flush(now, track);
        }
        let end = self.clocks.at(now);
        for track in self.tracks.values_mut() {
            match track {
                Timeline::Picture(track) => track.finish(end, &mut self.actions),
                Timeline::Voice(track) => track.finish(end, &mut self.actions),
            }
        }
        self.mix();
        if let Some(mix) = &mut self.mix {
            mix.finish(&mut self.actions);
        }
        self.actions.push(Action::Record(record(end.millis())));
        self.sources.clear();
        self.ready.extend(self.actions.drain(..));
    }

    /// As [`Recording::finish`], for lack of disk space; it can be resumed.
    pub fn pause(&mut self, now: Instant) {
        self.close(now, |at_ms| Record::Paused { at_ms });
    }

    /// Omits these tracks from now on, for lack of disk space. Replaces the previous set.
    pub fn omit(&mut self, now: Instant, kinds: &'static [TrackKind]) {
        if self.omitted == kinds {
            return;
        }
        let changed: Vec<(TrackId, TrackKind)> = self
            .sources
            .iter()
            .map(|(id, source)| (*id, source.kind))
            .filter(|(_, kind)| self.omitted.contains(kind) != kinds.contains(kind))
            .collect();
        for (id, kind) in changed {
            self.flush(now, id);
            if let Some(source) = self.sources.get_mut(&id) {
                source.reset();
            }
            if let Some(track) = self.tracks.get_mut(&kind).filter(|_| kinds.contains(&kind)) {
                track.lost(GapReason::DiskFull);
            }
        }
        self.omitted = kinds;
        self.ready.extend(self.actions.drain(..));
    }

    /// The next action. Drain to `None` before waiting.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.ready.pop_front()
    }

    /// When [`Recording::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.sources.values().filter_map(|source| source.reorder.deadline()).chain([self.next_tick]).min()
    }

    /// Picture tracks that cannot be decoded before their next keyframe.
    pub fn awaiting_keyframe(&self) -> impl Iterator<Item = TrackKind> {
        let pictures = |source: &PublishedTrack| source.pictures.as_ref().is_some_and(Depacketizer::awaiting_keyframe);
        let kept = self.sources.values().filter(|source| !self.omitted.contains(&source.kind));
        kept.filter(move |source| pictures(source)).map(|source| source.kind)
    }

    /// The lesson time of a moment of the hub's clock.
    #[must_use]
    pub fn at(&self, moment: Instant) -> LessonTime {
        self.clocks.at(moment)
    }

    fn start(&mut self, now: Instant, id: TrackId, kind: TrackKind, codec: Codec) {
        // A publisher may return before its old track has ended: the newest track of a kind replaces the others.
        let replaced: Vec<TrackId> =
            self.sources.iter().filter(|(_, source)| source.kind == kind).map(|(id, _)| *id).collect();
        for old in replaced {
            self.end(now, old);
        }
        if !self.selection.includes(kind) {
            let source = PublishedTrack {
                kind,
                codec,
                reorder: Reorder::default(),
                pictures: None,
                kept: false,
                last_packet: now,
            };
            self.sources.insert(id, source);
            return;
        }
        if kind.is_stage() && !self.sources.values().any(|source| source.kind.is_stage()) {
            let at_ms = self.clocks.at(now).millis();
            self.actions.push(Action::Record(Record::Chapter(Chapter { at_ms, kind: ChapterKind::Stage })));
        }
        let kept = codec != Codec::Vp8 && codec.is_sound() == kind.is_sound();
        if !kept && !self.refused.contains(&kind) {
            self.refused.push(kind);
            tracing::warn!(track.kind = %kind, codec = codec.encoding_name(), "Cannot keep {kind} in {}", codec.encoding_name());
            self.actions.push(Action::Record(Record::Note { kind, note: TrackNote::CannotBeKept { codec } }));
        }
        if kept {
            self.clocks.start(id, codec.clock_rate());
            let track = self.tracks.entry(kind).or_insert_with(|| Timeline::new(kind, TrackResume::default()));
            if let (Timeline::Voice(track), Some(mix)) = (track, &mut self.mix) {
                track.keep_for_mix();
                if kind == TrackKind::StageVoice {
                    mix.open();
                }
            }
        }
        let pictures = (kept && !kind.is_sound()).then(|| Depacketizer::new(codec));
        self.sources
            .insert(id, PublishedTrack { kind, codec, reorder: Reorder::default(), pictures, kept, last_packet: now });
    }

    fn end(&mut self, now: Instant, id: TrackId) {
        self.flush(now, id);
        self.clocks.end(id);
        if let Some(source) = self.sources.remove(&id).filter(|source| source.kept)
            && let Some(track) = self.tracks.get_mut(&source.kind)
        {
            // A track that ends long after its last packet was cut off by the network; a publisher that stops ends it
            // at once.
            let cut_off = now.saturating_duration_since(source.last_packet) >= CUT_OFF_AFTER;
            track.lost(if cut_off { GapReason::Loss } else { GapReason::Away });
            if source.kind == TrackKind::StageVoice {
                self.mix();
                if let Some(mix) = &mut self.mix {
                    mix.leave();
                }
            }
        }
    }

    /// Passes what the voices have written to the mix.
    fn mix(&mut self) {
        let Some(mix) = &mut self.mix else { return };
        for (kind, track) in &mut self.tracks {
            match (kind, track) {
                (TrackKind::Voice, Timeline::Voice(track)) => mix.teacher(track.take_written(), &mut self.actions),
                (TrackKind::StageVoice, Timeline::Voice(track)) => mix.stage(track.take_written(), &mut self.actions),
                _ => {}
            }
        }
    }

    /// Takes everything out of the reorder buffer, across holes.
    fn flush(&mut self, now: Instant, id: TrackId) {
        self.pump(id, now + REPAIR_WAIT * 2);
    }

    fn pump(&mut self, id: TrackId, now: Instant) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        let Some(track) = self.tracks.get_mut(&source.kind).filter(|_| source.kept) else { return };
        while let Some(ordered) = source.reorder.pop(now) {
            match (ordered, &mut source.pictures, &mut *track) {
                (Ordered::Hole, pictures, track) => {
                    if let Some(pictures) = pictures {
                        pictures.hole();
                    }
                    track.lost(GapReason::Loss);
                }
                (Ordered::Packet(arrived, packet), Some(pictures), Timeline::Picture(track)) => {
                    let mended = !pictures.awaiting_keyframe();
                    for picture in pictures.packet(arrived, &packet).into_iter().flatten() {
                        let at = self.clocks.place(id, picture.arrived, picture.rtp);
                        track.picture(at, &picture, &mut self.actions);
                    }
                    if mended && pictures.awaiting_keyframe() {
                        track.lost(GapReason::Loss);
                    }
                }
                (Ordered::Packet(arrived, packet), None, Timeline::Voice(track)) => {
                    let at = self.clocks.place(id, arrived, packet.timestamp);
                    track.packet(at, packet.timestamp, &packet.payload, &mut self.actions);
                }
                (Ordered::Packet(..), ..) => {}
            }
        }
    }
}

impl PublishedTrack {
    /// Resets reorder buffer and depacketiser: packets were left out.
    fn reset(&mut self) {
        self.reorder = Reorder::default();
        self.pictures = self.pictures.as_ref().map(|_| Depacketizer::new(self.codec));
    }
}

impl Timeline {
    fn new(kind: TrackKind, resume: TrackResume) -> Self {
        if kind.is_sound() {
            Self::Voice(VoiceTrack::new(kind, resume))
        } else {
            Self::Picture(PictureTrack::new(kind, resume))
        }
    }

    fn lost(&mut self, reason: GapReason) {
        match self {
            Self::Picture(track) => track.lost(reason),
            Self::Voice(track) => track.lost(reason),
        }
    }
}

/// The hub reports a stopped track within moments, and even a still board sends a picture a second.
const CUT_OFF_AFTER: Duration = Duration::from_secs(3);

/// Interval of extending silence and held pictures.
const TICK: Duration = Duration::from_millis(250);
