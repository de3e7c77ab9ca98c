//! One lesson on one worker: its tracks, viewers and taps.

mod layer;
mod track;

use std::{
    cmp::Ordering,
    time::{Duration, Instant},
};

use crate::{
    id::{PeerId, RoomId, TrackId, WorkerId},
    media::TrackKind,
    stats::Dropped,
    tap::{TapItem, TapSender},
    uplink::{
        keyframe::{ASK_EVERY, KeyframeReason},
        publish::SenderClock,
    },
};

pub use layer::{Layer, LayerPackets};
pub use track::{Home, LayerSource, Track};

/// Index of a peer in its worker.
pub type PeerKey = usize;

/// One room's share on one worker.
#[derive(Debug)]
pub struct Room {
    /// Its id.
    pub id: RoomId,
    /// What is published, oldest first. At most one of each kind.
    pub tracks: Vec<Track>,
    /// All peers here, publishers too.
    pub members: Vec<PeerKey>,
    /// Other workers with peers in the room.
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

    /// The layer of that id, and its track.
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

    /// Takes what comes of a layer, in a track of its own where it is the first of its publisher or codec. `next_id`
    /// names a layer that is seen for the first time on its home.
    ///
    /// Returns what it began; `None` where all of it is known already.
    ///
    /// # Errors
    /// See [`Self::admits`].
    pub fn admit(
        &mut self,
        now: Instant,
        source: &LayerSource,
        arrivals: LayerPackets<'_>,
        next_id: impl FnOnce() -> TrackId,
    ) -> Result<Option<Admitted>, Dropped> {
        self.admits(now, source)?;
        let mut began = Admitted::Continued;
        let known = self.tracks.iter().position(|track| track.kind == source.kind);
        let at = match known.filter(|&at| self.tracks[at].continues(source)) {
            Some(at) => at,
            None => {
                began = Admitted::NewTrack { replaced: known.and_then(|at| self.end_track(now, at)) };
                self.tracks.push(Track::new(now, source));
                self.tracks.len() - 1
            }
        };
        let track = &mut self.tracks[at];
        let is_best = track.best == source.layer;
        let Some(slot) = track.layers.get_mut(source.layer) else { return Ok(None) };
        let is_known = |layer: &Layer| match source.home {
            Home::Here { .. } => true,
            Home::Elsewhere { id, .. } => layer.id == id,
        };
        let is_new = !slot.as_ref().is_some_and(is_known);
        if is_new {
            let id = match source.home {
                Home::Here { .. } => next_id(),
                Home::Elsewhere { id, .. } => id,
            };
            *slot = Some(Layer::new(now, id, source.kind));
        }
        let Some(layer) = slot else { return Ok(None) };
        let id = layer.id;
        let fresh = layer.take(now, arrivals);
        if fresh.is_empty() && !is_new {
            return Ok(None);
        }
        if is_best && self.is_tapped() {
            if is_new {
                let LayerSource { kind, codec, .. } = *source;
                self.send_to_taps(TapItem::Started { track: id, kind, codec, arrived: now });
            }
            for packet in fresh {
                self.send_to_taps(TapItem::Packet { track: id, arrived: now, packet });
            }
        }
        Ok(Some(began))
    }

    /// May packets of that source go on with the track of their kind, or take its place? The later publisher wins, so
    /// that two that send at once do not take turns.
    ///
    /// # Errors
    /// `TooOld` where a connection that was answered later has the place. `TooFast` where the codec of a
    /// publisher of this worker has only just changed: every change is a new track for viewers and taps.
    fn admits(&self, now: Instant, source: &LayerSource) -> Result<(), Dropped> {
        let Some(track) = self.track(source.kind) else { return Ok(()) };
        let just_began = now.saturating_duration_since(track.began) < CODEC_STAYS_FOR;
        match source.publisher.cmp(&track.publisher) {
            Ordering::Less => Err(Dropped::TooOld),
            // Its home has judged a relayed source already.
            Ordering::Equal if source.codec != track.codec && just_began && source.home.elsewhere().is_none() => {
                Err(Dropped::TooFast)
            }
            Ordering::Equal | Ordering::Greater => Ok(()),
        }
    }

    /// When the first of the packets that wait is due. `None`: none waits.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.layers().filter_map(|layer| layer.due).min()
    }

    /// Releases packets that are due into the histories and bursts. False where there are none.
    pub fn release(&mut self, now: Instant) -> bool {
        let mut released = false;
        for layer in self.tracks.iter_mut().flat_map(|track| track.layers.iter_mut().flatten()) {
            released |= layer.release(now);
        }
        released
    }

    /// Ends the bursts: every viewer has been sent what was released.
    pub fn end_bursts(&mut self) {
        for layer in self.tracks.iter_mut().flat_map(|track| track.layers.iter_mut().flatten()) {
            layer.burst.clear();
        }
    }

    /// What is published on this worker, layer by layer, as it is named to others. `me` is this worker.
    pub fn sources(&self, me: WorkerId) -> impl Iterator<Item = (LayerSource, &Layer)> {
        self.tracks.iter().filter(|track| track.home.is_none()).flat_map(move |track| {
            track.layers.iter().enumerate().filter_map(move |(at, layer)| {
                let layer = layer.as_ref()?;
                let source = LayerSource {
                    publisher: track.publisher,
                    kind: track.kind,
                    codec: track.codec,
                    layer: at,
                    layers: track.layers.len(),
                    best: track.best,
                    home: Home::Elsewhere { worker: me, id: layer.id },
                };
                Some((source, layer))
            })
        })
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
                self.send_to_taps(item);
            }
        }
    }

    /// Chooses, once a second, the layer of each track that taps get. Returns the tracks whose choice has changed.
    pub fn choose_layers(&mut self, now: Instant) -> Vec<TrackKind> {
        let mut changed = Vec::new();
        let mut items = Vec::new();
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
                    items.push(TapItem::Ended { track: before.id, at: now });
                }
                track.best = wanted;
                items.extend(cached(now, track));
                changed.push(track.kind);
            }
            for layer in track.layers.iter_mut().flatten() {
                layer.rates.close_second(now);
            }
        }
        for item in items {
            self.send_to_taps(item);
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

    /// Adds a tap, and sends it the tracks that flow already, from the newest keyframe on.
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

    /// Notes what taps cannot decode. Returns the layers whose home is another worker, to which the request must be
    /// passed on.
    pub fn note_wanted(&mut self) -> Vec<(WorkerId, TrackId)> {
        let mut remote = Vec::new();
        for kind in self.taps.iter().flat_map(TapSender::take_wanted).filter(|kind| !kind.is_sound()) {
            let Some(track) = self.tracks.iter_mut().find(|track| track.kind == kind) else { continue };
            let (home, best) = (track.home, track.best);
            let Some(Some(layer)) = track.layers.get_mut(best) else { continue };
            match home {
                Some(home) => remote.push((home, layer.id)),
                None => layer.keyframe_requests.request(KeyframeReason::Viewer),
            }
        }
        remote
    }

    /// Ends a track. Returns whose it was, if that peer is on this worker.
    fn end_track(&mut self, now: Instant, at: usize) -> Option<(PeerId, TrackKind)> {
        let track = self.tracks.remove(at);
        if let Some(layer) = track.flowing() {
            self.send_to_taps(TapItem::Ended { track: layer.id, at: now });
        }
        track.home.is_none().then_some((track.publisher, track.kind))
    }

    fn send_to_taps(&mut self, item: TapItem) {
        self.taps.retain(|tap| tap.send(item.clone()).is_ok());
    }
}

/// What a packet began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// Nothing new.
    Continued,
    /// A track, perhaps in the place of another.
    NewTrack {
        /// Whose track of the kind ended, if its publisher is on this worker.
        replaced: Option<(PeerId, TrackKind)>,
    },
}

fn cached(now: Instant, track: &Track) -> Vec<TapItem> {
    let Some(layer) = track.flowing() else { return Vec::new() };
    let mut items = vec![TapItem::Started { track: layer.id, kind: track.kind, codec: track.codec, arrived: now }];
    if let (Some(start), Some(newest)) = (layer.history.group_start(), layer.history.newest()) {
        // A recording begins with the present picture, which cannot be decoded without the group since the keyframe.
        let packets = (start..=newest).filter_map(|seq| layer.history.get(seq)).chain(&layer.waiting);
        items.extend(packets.map(|packet| TapItem::Packet { track: layer.id, arrived: now, packet: packet.clone() }));
    }
    items
}

/// The codec of a track changes at most once in this time: a device falls back to another encoder only once.
const CODEC_STAYS_FOR: Duration = ASK_EVERY;
