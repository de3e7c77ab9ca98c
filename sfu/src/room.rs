//! One lesson on one worker: its tracks, who views them, who taps them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use crate::{
    answer::PublishTrack,
    bandwidth::share::Rung,
    history::History,
    id::{PeerId, RoomId, TrackId},
    keyframe::Authority,
    media::{Codec, TrackKind},
    packet::Packet,
    publish::SenderClock,
    slot::ticks,
    tap::{TapItem, TapSender},
};

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
    taps: Vec<TapSender>,
}

/// One published voice or picture.
#[derive(Debug)]
pub struct Track {
    /// What it shows.
    pub kind: TrackKind,
    /// How it is encoded.
    pub codec: Codec,
    /// Who publishes it.
    pub publisher: PeerId,
    /// Where the publisher is.
    pub key: PeerKey,
    /// Index in the publisher's terms.
    pub index: usize,
    /// Its encodings; those that never came are `None`.
    pub layers: SmallVec<[Option<Layer>; 3]>,
    /// The layer that taps and viewers get.
    pub best: usize,
}

/// One encoding of a track.
#[derive(Debug)]
pub struct Layer {
    /// Its id.
    pub id: TrackId,
    /// Its recent packets.
    pub history: History,
    /// What came since the last flush.
    pub burst: Vec<Arc<Packet>>,
    /// Bytes of it, headers included.
    pub burst_bytes: usize,
    /// Who asks its publisher for keyframes.
    pub authority: Authority,
    /// This source timestamp was captured at this time of the hub. `None`: no sender report yet.
    pub sync: Option<(u32, Instant)>,
    /// When it began, and when its newest packet came.
    began: Instant,
    heard: Instant,
    /// Bytes since the last full second, headers included.
    bytes: usize,
    /// Bits per second, smoothed over some seconds, headers included. `None`: less than a second is known.
    rate_bps: Option<u64>,
}

impl Layer {
    /// What the source's timestamp is at `now`. `None`: nothing came yet.
    #[must_use]
    pub fn source_time(&self, now: Instant, clock_rate: u32) -> Option<u32> {
        match self.sync {
            Some((timestamp, at)) => Some(timestamp.wrapping_add(ticks(now.saturating_duration_since(at), clock_rate))),
            None => self.history.live_timestamp(now, clock_rate),
        }
    }

    /// What it takes of a viewer's line, bits per second.
    #[must_use]
    pub fn rate_bps(&self, now: Instant) -> u64 {
        self.rate_bps.unwrap_or_else(|| {
            let known = now.saturating_duration_since(self.began).max(RATE_KNOWN_AFTER);
            (self.bytes as f64 * 8.0 / known.as_secs_f64()) as u64
        })
    }

    /// Ends a second: smooths the rate.
    fn close_second(&mut self, now: Instant) {
        let bps = self.bytes as u64 * 8;
        self.rate_bps = match self.rate_bps {
            // A keyframe in one second is not what the layer takes.
            Some(before) => Some((before * 3 + bps) / 4),
            None if now.saturating_duration_since(self.began) >= RATE_KNOWN_AFTER => Some(self.rate_bps(now)),
            None => return,
        };
        self.bytes = 0;
    }
}

impl Track {
    /// The layer that flows now. `None` only before its first packet.
    #[must_use]
    pub fn flowing(&self) -> Option<&Layer> {
        self.layers.get(self.best)?.as_ref()
    }

    /// The layers that a viewer may be given, cheapest first. One that has fallen silent while others flow is no choice:
    /// browsers switch layers off as they like.
    pub fn rungs(&self, now: Instant) -> SmallVec<[Rung; 3]> {
        let newest = self.layers.iter().flatten().map(|layer| layer.heard).max();
        let flows = |layer: &Layer| newest.is_none_or(|at| at.saturating_duration_since(layer.heard) <= SILENT_AFTER);
        let layers = self.layers.iter().enumerate().filter_map(|(at, layer)| Some((at, layer.as_ref()?)));
        let mut rungs: SmallVec<[Rung; 3]> =
            layers.filter(|(_, layer)| flows(layer)).map(|(layer, it)| Rung { layer, bps: it.rate_bps(now) }).collect();
        rungs.sort_by_key(|rung| rung.bps);
        rungs
    }
}

impl Room {
    /// An empty room.
    #[must_use]
    pub fn new(id: RoomId) -> Self {
        Self { id, tracks: Vec::new(), members: Vec::new(), taps: Vec::new() }
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

    /// Takes a publisher's packet. `next_id` names a layer that is seen for the first time.
    ///
    /// Returns what the packet began: a new track, a first keyframe of a layer; `None` where it was a duplicate.
    pub fn arrived(
        &mut self,
        now: Instant,
        publisher: (PeerId, PeerKey),
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
            track.publisher == publisher.0 && track.codec == packet.codec
        });
        let at = match same {
            Some(at) => at,
            None => {
                // A new publisher of the kind, or another codec, takes the old track's place.
                began = Began::Track { replaced: known.map(|at| self.end_track(now, at)) };
                self.tracks.push(Track {
                    kind,
                    codec: packet.codec,
                    publisher: publisher.0,
                    key: publisher.1,
                    index,
                    layers: (0..terms.rids.len().max(1)).map(|_| None).collect(),
                    best: layer_at,
                });
                self.tracks.len() - 1
            }
        };
        let track = &mut self.tracks[at];
        let codec = track.codec;
        let best = track.best == layer_at;
        let slot = track.layers.get_mut(layer_at)?;
        let is_new = slot.is_none();
        let layer = slot.get_or_insert_with(|| Layer {
            id: next_id(),
            history: History::new(if codec.is_sound() { SOUND_PACKETS } else { PICTURE_PACKETS }),
            burst: Vec::new(),
            burst_bytes: 0,
            authority: Authority::new(kind),
            sync: None,
            began: now,
            heard: now,
            bytes: 0,
            rate_bps: None,
        });
        let packet = Arc::new(packet);
        if !layer.history.insert_at(now, packet.clone()) {
            return None;
        }
        layer.heard = now;
        layer.bytes += packet.payload.len() + HEADERS_BYTES;
        layer.burst_bytes += packet.payload.len() + HEADERS_BYTES;
        if packet.keyframe && !codec.is_sound() {
            layer.authority.came(now);
        }
        layer.burst.push(packet.clone());
        if best {
            let id = layer.id;
            if is_new {
                self.tell(TapItem::Started { track: id, kind, codec, arrived: now });
            }
            self.tell(TapItem::Packet { track: id, arrived: now, packet });
        }
        Some(began)
    }

    /// Takes a publisher's sender report.
    pub fn report(&mut self, now: Instant, publisher: PeerId, terms: &PublishTrack, report: SenderClock) {
        let found = self.tracks.iter_mut().find(|track| track.kind == terms.kind && track.publisher == publisher);
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

    /// Chooses, once a second, the layer that says most of each track. Returns the tracks whose choice has changed.
    pub fn choose_layers(&mut self, now: Instant) -> Vec<TrackKind> {
        let mut changed = Vec::new();
        let mut told = Vec::new();
        for track in &mut self.tracks {
            let rate = |at: usize| track.layers[at].as_ref().map_or(0, |layer| layer.bytes);
            let richest = (0..track.layers.len()).max_by_key(|&at| rate(at)).unwrap_or(track.best);
            let ready = track.layers[richest].as_ref().is_some_and(|layer| layer.history.group_start().is_some());
            if richest != track.best && ready && rate(richest) > rate(track.best) * 5 / 4 {
                if let Some(before) = track.flowing() {
                    told.push(TapItem::Ended { track: before.id, at: now });
                }
                track.best = richest;
                told.extend(cached(now, track));
                changed.push(track.kind);
            }
            for layer in track.layers.iter_mut().flatten() {
                layer.close_second(now);
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
        while let Some(at) = self.tracks.iter().position(|track| track.publisher == publisher) {
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

    fn end_track(&mut self, now: Instant, at: usize) -> (PeerId, TrackKind) {
        let track = self.tracks.remove(at);
        if let Some(layer) = track.flowing() {
            self.tell(TapItem::Ended { track: layer.id, at: now });
        }
        (track.publisher, track.kind)
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
        /// Whose track of the kind ended.
        replaced: Option<(PeerId, TrackKind)>,
    },
}

fn cached(now: Instant, track: &Track) -> Vec<TapItem> {
    let Some(layer) = track.flowing() else { return Vec::new() };
    let mut items = vec![TapItem::Started { track: layer.id, kind: track.kind, codec: track.codec, arrived: now }];
    if let (Some(start), Some(newest)) = (layer.history.group_start(), layer.history.newest()) {
        // The present picture is what a recording begins with; of the group before it only the keyframe counts, but
        // the pictures since then need it.
        let packets = (start..=newest).filter_map(|seq| layer.history.get(seq));
        items.extend(packets.map(|packet| TapItem::Packet { track: layer.id, arrived: now, packet: packet.clone() }));
    }
    items
}

/// RTP header with one extension, SRTP tag, IPv4 and UDP.
const HEADERS_BYTES: usize = 64;

/// A rate is told after so long.
const RATE_KNOWN_AFTER: Duration = Duration::from_millis(700);

/// A layer that is silent for longer, while another flows, was switched off by its sender.
const SILENT_AFTER: Duration = Duration::from_millis(1_500);

/// Ten seconds of voice.
const SOUND_PACKETS: usize = 512;

/// Ten seconds of camera or board at 4 Mbit/s.
const PICTURE_PACKETS: usize = 4_096;
