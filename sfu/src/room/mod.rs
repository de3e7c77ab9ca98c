//! One lesson on one worker: its tracks, who views them, who taps them.

mod layer;
mod track;

use std::{
    cmp::Ordering,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    answer::PublishTrack,
    id::{PeerId, RoomId, TrackId, WorkerId},
    media::{Codec, TrackKind},
    packet::Packet,
    stats::Dropped,
    tap::{TapItem, TapSender},
    uplink::{
        keyframe::{ASK_EVERY, Need},
        publish::SenderClock,
    },
};

pub use layer::Layer;
pub use track::{Source, Track};

/// Index of a peer in its worker.
pub type PeerKey = usize;

/// One room's share on one worker.
#[derive(Debug)]
pub struct Room {
    /// Its id.
    pub id: RoomId,
    /// What is published, oldest first. At most one of each kind.
    pub tracks: Vec<Track>,
    /// Everybody here, publishers too.
    pub members: Vec<PeerKey>,
    /// Other workers with somebody in the room.
    pub others: Vec<WorkerId>,
    taps: Vec<TapSender>,
}

impl Room {
    /// An empty room.
    #[must_use]
    pub fn new(id: RoomId) -> Self {
        Self { id, tracks: Vec::new(), members: Vec::new(), others: Vec::new(), taps: Vec::new() }
    }

    /// The track of a kind.
    #[must_use]
    pub fn track(&self, kind: TrackKind) -> Option<&Track> {
        self.tracks.iter().find(|track| track.kind == kind)
    }

    /// As [`Self::track`], to change it.
    pub fn track_mut(&mut self, kind: TrackKind) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|track| track.kind == kind)
    }

    /// The layer behind a slot's span, wherever it is.
    #[must_use]
    pub fn layer(&self, id: TrackId) -> Option<(&Track, &Layer)> {
        self.tracks
            .iter()
            .find_map(|track| track.layers.iter().flatten().find(|layer| layer.id == id).map(|layer| (track, layer)))
    }

    /// As [`Self::layer`], to be changed.
    pub fn layer_mut(&mut self, id: TrackId) -> Option<&mut Layer> {
        self.tracks.iter_mut().flat_map(|track| track.layers.iter_mut().flatten()).find(|layer| layer.id == id)
    }

    /// May a packet of that publisher and codec go on with the track of its kind, or take its place?
    ///
    /// # Errors
    /// `TooOld` where a connection that was answered later has the place: two that send at once do not take turns.
    /// `TooFast` where the codec has only just changed: every change is a new track for viewers and readers.
    pub fn admits(&self, now: Instant, publisher: PeerId, kind: TrackKind, codec: Codec) -> Result<(), Dropped> {
        let Some(track) = self.track(kind) else { return Ok(()) };
        let just_began = now.saturating_duration_since(track.began) < CODEC_STAYS_FOR;
        match publisher.cmp(&track.publisher) {
            Ordering::Less => Err(Dropped::TooOld),
            Ordering::Equal if codec != track.codec && just_began => Err(Dropped::TooFast),
            Ordering::Equal | Ordering::Greater => Ok(()),
        }
    }

    /// Takes a publisher's packet. `next_id` names a layer that is seen for the first time.
    ///
    /// Returns what the packet began: a new track, a first keyframe of a layer; `None` where it was a duplicate.
    pub fn arrived(
        &mut self,
        now: Instant,
        publisher: PeerId,
        terms: &PublishTrack,
        (index, layer_at): (usize, usize),
        packet: Packet,
        next_id: &mut impl FnMut() -> TrackId,
    ) -> Option<Began> {
        let mut began = Began::Nothing;
        let kind = terms.kind;
        let known = self.tracks.iter().position(|track| track.kind == kind);
        let same = known.filter(|&at| {
            let track = &self.tracks[at];
            track.publisher == publisher && track.codec == packet.codec && track.home.is_none()
        });
        let at = match same {
            Some(at) => at,
            None => {
                // A new publisher of the kind, or another codec, takes the old track's place.
                began = Began::Track { replaced: known.and_then(|at| self.end_track(now, at)) };
                self.tracks.push(Track {
                    kind,
                    codec: packet.codec,
                    publisher,
                    home: None,
                    index,
                    layers: (0..terms.rids.len().max(1)).map(|_| None).collect(),
                    best: layer_at,
                    began: now,
                });
                self.tracks.len() - 1
            }
        };
        let track = &mut self.tracks[at];
        let codec = track.codec;
        let best = track.best == layer_at;
        let slot = track.layers.get_mut(layer_at)?;
        let is_new = slot.is_none();
        let layer = slot.get_or_insert_with(|| Layer::new(now, next_id(), kind));
        if !layer.is_new(packet.seq) {
            return None;
        }
        let packet = Arc::new(packet);
        layer.note_heard(now, &packet);
        if packet.keyframe && !codec.is_sound() {
            layer.authority.came(now);
        }
        layer.gather(now, packet.clone());
        if best {
            let id = layer.id;
            if is_new {
                self.tell(TapItem::Started { track: id, kind, codec, arrived: now });
            }
            self.tell(TapItem::Packet { track: id, arrived: now, packet });
        }
        Some(began)
    }

    /// When something that waits is released. `None`: nothing waits.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.layers().filter_map(|layer| layer.due).min()
    }

    /// Releases what is due: it is in the histories and the bursts then. False where nothing is.
    pub fn release(&mut self, now: Instant) -> bool {
        let mut released = false;
        for layer in self.tracks.iter_mut().flat_map(|track| track.layers.iter_mut().flatten()) {
            released |= layer.release(now);
        }
        released
    }

    /// Everybody has what was released.
    pub fn end_bursts(&mut self) {
        for layer in self.tracks.iter_mut().flat_map(|track| track.layers.iter_mut().flatten()) {
            layer.burst.clear();
        }
    }

    /// What is published on this worker, layer by layer.
    pub fn sources(&self, home: WorkerId) -> impl Iterator<Item = (Source, &Layer)> {
        self.tracks.iter().filter(|track| track.home.is_none()).flat_map(move |track| {
            track.layers.iter().enumerate().filter_map(move |(at, layer)| {
                let layer = layer.as_ref()?;
                let source = Source {
                    home,
                    publisher: track.publisher,
                    kind: track.kind,
                    codec: track.codec,
                    id: layer.id,
                    layer: at,
                    layers: track.layers.len(),
                    best: track.best,
                };
                Some((source, layer))
            })
        })
    }

    /// Takes packets that another worker has released: they go out with the next flush. Where `cached_at` says when the
    /// newest of them came, they are only kept, for whoever starts from the cache.
    ///
    /// Returns what they began; `None` where they come too late, from a publisher that has been replaced.
    pub fn relayed(
        &mut self,
        now: Instant,
        source: &Source,
        packets: &[Arc<Packet>],
        cached_at: Option<Instant>,
    ) -> Option<Began> {
        let mut began = Began::Nothing;
        let known = self.tracks.iter().position(|track| track.kind == source.kind);
        if known.is_some_and(|at| self.tracks[at].publisher.0 > source.publisher.0) {
            return None;
        }
        let same = known.filter(|&at| {
            let track = &self.tracks[at];
            track.home == Some(source.home) && track.publisher == source.publisher && track.codec == source.codec
        });
        let at = same.unwrap_or_else(|| {
            began = Began::Track { replaced: known.and_then(|at| self.end_track(now, at)) };
            self.tracks.push(Track {
                kind: source.kind,
                codec: source.codec,
                publisher: source.publisher,
                home: Some(source.home),
                index: 0,
                layers: (0..source.layers).map(|_| None).collect(),
                best: source.best,
                began: now,
            });
            self.tracks.len() - 1
        });
        let track = &mut self.tracks[at];
        let is_best = track.best == source.layer;
        let slot = track.layers.get_mut(source.layer)?;
        let is_new = slot.as_ref().is_none_or(|layer| layer.id != source.id);
        if is_new {
            *slot = Some(Layer::new(now, source.id, source.kind));
        }
        let layer = slot.as_mut()?;
        let fresh: Vec<_> = packets.iter().filter(|packet| layer.is_new(packet.seq)).cloned().collect();
        for packet in &fresh {
            match cached_at {
                Some(at) => {
                    layer.history.insert_at(at, packet.clone());
                }
                None => {
                    layer.note_heard(now, packet);
                    layer.waiting.push(packet.clone());
                    layer.due = Some(now);
                }
            }
        }
        if is_best && self.is_tapped() {
            if is_new {
                let Source { id, kind, codec, .. } = *source;
                self.tell(TapItem::Started { track: id, kind, codec, arrived: now });
            }
            for packet in fresh {
                self.tell(TapItem::Packet { track: source.id, arrived: now, packet });
            }
        }
        Some(began)
    }

    /// Ends a track whose publisher on another worker has gone. False where it has been replaced already.
    pub fn end_relayed(&mut self, now: Instant, publisher: PeerId, kind: TrackKind) -> bool {
        let is_that = |track: &Track| track.kind == kind && track.publisher == publisher && track.home.is_some();
        let at = self.tracks.iter().position(is_that);
        at.is_some_and(|at| {
            self.end_track(now, at);
            true
        })
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.tracks.iter().flat_map(|track| track.layers.iter().flatten())
    }

    /// Takes a publisher's sender report.
    pub fn report(&mut self, now: Instant, publisher: PeerId, kind: TrackKind, report: SenderClock) {
        let found = self.tracks.iter_mut().find(|track| track.kind == kind && track.publisher == publisher);
        let Some(track) = found else { return };
        let best = track.best == report.layer;
        if let Some(Some(layer)) = track.layers.get_mut(report.layer) {
            layer.sync = Some((report.rtp, report.at));
            if best {
                let item = TapItem::SenderReport { track: layer.id, arrived: now, ntp: report.ntp, rtp: report.rtp };
                self.tell(item);
            }
        }
    }

    /// Chooses, once a second, the layer of each track that taps get. Returns the tracks whose choice has changed.
    pub fn choose_layers(&mut self, now: Instant) -> Vec<TrackKind> {
        let mut changed = Vec::new();
        let mut told = Vec::new();
        let taps = &self.taps;
        for track in &mut self.tracks {
            let rate = |at: usize| track.layers[at].as_ref().map_or(0, |layer| layer.rates.bytes());
            let best = rate(track.best);
            let (wanted, better) = if !taps.is_empty() && taps.iter().all(|tap| tap.wants_light(track.kind)) {
                let flowing = (0..track.layers.len()).filter(|&at| rate(at) > 0);
                let lightest = flowing.min_by_key(|&at| rate(at)).unwrap_or(track.best);
                (lightest, best == 0 || rate(lightest) * 5 / 4 < best)
            } else {
                let richest = (0..track.layers.len()).max_by_key(|&at| rate(at)).unwrap_or(track.best);
                (richest, rate(richest) > best * 5 / 4)
            };
            let ready = track.layers[wanted].as_ref().is_some_and(|layer| layer.history.group_start().is_some());
            if wanted != track.best && ready && better {
                if let Some(before) = track.flowing() {
                    told.push(TapItem::Ended { track: before.id, at: now });
                }
                track.best = wanted;
                told.extend(cached(now, track));
                changed.push(track.kind);
            }
            for layer in track.layers.iter_mut().flatten() {
                layer.rates.close_second(now);
            }
        }
        for item in told {
            self.tell(item);
        }
        changed
    }

    /// Ends what a publisher published. Returns the kinds.
    pub fn end_publisher(&mut self, now: Instant, publisher: PeerId) -> Vec<TrackKind> {
        let mut ended = Vec::new();
        while let Some(at) = self.tracks.iter().position(|track| track.publisher == publisher && track.home.is_none()) {
            ended.push(self.tracks[at].kind);
            self.end_track(now, at);
        }
        ended
    }

    /// Adds a tap and tells it what flows already, from the newest keyframe on.
    pub fn tap(&mut self, now: Instant, tap: TapSender) {
        for item in self.tracks.iter().flat_map(|track| cached(now, track)) {
            if tap.send(item).is_err() {
                return;
            }
        }
        self.taps.push(tap);
    }

    /// Are there readers?
    #[must_use]
    pub fn is_tapped(&self) -> bool {
        !self.taps.is_empty()
    }

    /// Notes what taps cannot decode. Returns the layers whose home, another worker, must be told.
    pub fn note_wanted(&mut self) -> Vec<(WorkerId, TrackId)> {
        let mut abroad = Vec::new();
        for kind in self.taps.iter().flat_map(TapSender::take_wanted).filter(|kind| !kind.is_sound()) {
            let Some(track) = self.tracks.iter_mut().find(|track| track.kind == kind) else { continue };
            let (home, best) = (track.home, track.best);
            let Some(Some(layer)) = track.layers.get_mut(best) else { continue };
            match home {
                Some(home) => abroad.push((home, layer.id)),
                None => layer.authority.want(Need::Viewer),
            }
        }
        abroad
    }

    /// Ends a track. Returns whose it was, if that peer is on this worker.
    fn end_track(&mut self, now: Instant, at: usize) -> Option<(PeerId, TrackKind)> {
        let track = self.tracks.remove(at);
        if let Some(layer) = track.flowing() {
            self.tell(TapItem::Ended { track: layer.id, at: now });
        }
        track.home.is_none().then_some((track.publisher, track.kind))
    }

    fn tell(&mut self, item: TapItem) {
        self.taps.retain(|tap| tap.send(item.clone()).is_ok());
    }
}

/// What a packet began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Began {
    /// Nothing new.
    Nothing,
    /// A track, perhaps in the place of another.
    Track {
        /// Whose track of the kind ended, if its publisher is on this worker.
        replaced: Option<(PeerId, TrackKind)>,
    },
}

fn cached(now: Instant, track: &Track) -> Vec<TapItem> {
    let Some(layer) = track.flowing() else { return Vec::new() };
    let mut items = vec![TapItem::Started { track: layer.id, kind: track.kind, codec: track.codec, arrived: now }];
    if let (Some(start), Some(newest)) = (layer.history.group_start(), layer.history.newest()) {
        // The present picture is what a recording begins with; of the group before it only the keyframe counts, but
        // the pictures since then need it.
        let packets = (start..=newest).filter_map(|seq| layer.history.get(seq)).chain(&layer.waiting);
        items.extend(packets.map(|packet| TapItem::Packet { track: layer.id, arrived: now, packet: packet.clone() }));
    }
    items
}

/// A device that falls back to another encoder does so once; as rarely as a keyframe may be asked for.
const CODEC_STAYS_FOR: Duration = ASK_EVERY;
