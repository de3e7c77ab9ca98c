//! One encoding of a track: the packets that wait for the rest of their picture, those on their way, and those kept.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use crate::{
    forward::{
        history::History,
        rate::{HEADERS_BYTES, Rates},
    },
    id::TrackId,
    media::{TrackKind, ticks},
    packet::Packet,
    uplink::keyframe::KeyframeRequests,
};

/// One encoding of a track.
#[derive(Debug)]
pub struct Layer {
    /// Its id.
    pub id: TrackId,
    /// Its recent packets.
    pub history: History,
    /// Packets that came and are not released yet: neither in the history nor in the burst.
    pub(super) waiting: Vec<Arc<Packet>>,
    /// When that is released at the latest.
    pub(super) due: Option<Instant>,
    /// Packets that are released and being sent to the viewers.
    pub burst: Vec<Arc<Packet>>,
    /// The longest payload of the burst: others are padded to it where little is missing.
    pub even: usize,
    /// Bytes of it, headers included.
    pub burst_bytes: usize,
    /// When its publisher is asked for keyframes.
    pub keyframe_requests: KeyframeRequests,
    /// This source timestamp was captured at this time of the hub. `None`: no sender report yet.
    pub sync: Option<(u32, Instant)>,
    /// When its home was asked for a keyframe.
    pub asked_home: Option<Instant>,
    /// When its newest packet came.
    pub(super) heard: Instant,
    /// What it takes of a line.
    pub rates: Rates,
}

/// What comes of a layer.
#[derive(Debug)]
pub enum LayerPackets<'a> {
    /// A packet of a publisher of this worker. It waits for the rest of its picture.
    Packet(Packet),
    /// What another worker has released. It goes out with the next flush.
    Released(&'a [Arc<Packet>]),
    /// The newest group of pictures that another worker keeps: kept here too, for viewers that start from it.
    Cached {
        /// From the keyframe on.
        packets: &'a [Arc<Packet>],
        /// When the newest of them came.
        newest_at: Instant,
    },
}

impl Layer {
    pub(super) fn new(now: Instant, id: TrackId, kind: TrackKind) -> Self {
        Self {
            id,
            history: History::new(if kind.is_sound() { SOUND_PACKETS } else { PICTURE_PACKETS }),
            waiting: Vec::new(),
            due: None,
            burst: Vec::new(),
            even: 0,
            burst_bytes: 0,
            keyframe_requests: KeyframeRequests::new(kind),
            sync: None,
            asked_home: None,
            heard: now,
            rates: Rates::new(now),
        }
    }

    /// Is a packet of that number neither kept nor waiting, nor too old?
    fn is_new(&self, seq: u64) -> bool {
        self.history.is_new(seq) && !self.waiting.iter().any(|packet| packet.seq == seq)
    }

    /// Takes what comes of it and was neither taken before nor is too old. Returns that.
    pub(super) fn take(&mut self, now: Instant, arrivals: LayerPackets<'_>) -> SmallVec<[Arc<Packet>; 1]> {
        match arrivals {
            LayerPackets::Packet(packet) => {
                if !self.is_new(packet.seq) {
                    return SmallVec::new();
                }
                let packet = Arc::new(packet);
                self.note_heard(now, &packet);
                if packet.keyframe && !packet.codec.is_sound() {
                    self.keyframe_requests.note_keyframe(now);
                }
                self.gather(now, packet.clone());
                SmallVec::from_buf([packet])
            }
            LayerPackets::Released(packets) => {
                let fresh: SmallVec<[_; 1]> =
                    packets.iter().filter(|packet| self.is_new(packet.seq)).cloned().collect();
                for packet in &fresh {
                    self.note_heard(now, packet);
                    self.waiting.push(packet.clone());
                    self.due = Some(now);
                }
                fresh
            }
            LayerPackets::Cached { packets, newest_at } => {
                let fresh: SmallVec<[_; 1]> =
                    packets.iter().filter(|packet| self.is_new(packet.seq)).cloned().collect();
                for packet in &fresh {
                    self.history.insert_at(newest_at, packet.clone());
                }
                fresh
            }
        }
    }

    /// Holds a packet until the rest of its picture has come. Sound and the last packet of a picture are due at once.
    fn gather(&mut self, now: Instant, packet: Arc<Packet>) {
        let is_whole = packet.codec.is_sound() || packet.marker || self.waiting.len() + 1 >= GATHERED_MAX;
        let latest = self.due.unwrap_or(now + GATHER_WITHIN);
        self.due = Some(if is_whole { now } else { latest.min(now + GATHER_PAUSE) });
        self.waiting.push(packet);
    }

    /// Moves packets that are due into history and burst. False where there are none.
    pub(super) fn release(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.due = None;
        for packet in self.waiting.drain(..) {
            if self.history.insert_at(now, packet.clone()) {
                self.burst.push(packet);
            }
        }
        self.even = self.burst.iter().map(|packet| packet.payload.len()).max().unwrap_or(0);
        self.burst_bytes = self.burst.iter().map(|packet| packet.payload.len() + HEADERS_BYTES).sum();
        !self.burst.is_empty()
    }

    /// What the source's timestamp is at `now`. `None`: nothing came yet.
    #[must_use]
    pub fn source_time(&self, now: Instant, clock_rate: u32) -> Option<u32> {
        match self.sync {
            Some((timestamp, at)) => Some(timestamp.wrapping_add(ticks(now.saturating_duration_since(at), clock_rate))),
            None => self.history.live_timestamp(now, clock_rate),
        }
    }

    fn note_heard(&mut self, now: Instant, packet: &Packet) {
        self.heard = now;
        self.rates.note(now, packet);
    }
}

/// A picture's packets leave a browser within a millisecond and are sent on together, which is what makes sending
/// cheap. The marker bit ends a picture. Where that packet is lost, the others are released this long after the newest
/// of them.
const GATHER_PAUSE: Duration = Duration::from_millis(1);

/// The same, after the first of them.
const GATHER_WITHIN: Duration = Duration::from_millis(2);

/// Packets held at most: more do not fit one GSO send.
const GATHERED_MAX: usize = 32;

/// Ten seconds of voice.
const SOUND_PACKETS: usize = 512;

/// Ten seconds of camera or board at 4 Mbit/s.
const PICTURE_PACKETS: usize = 4_096;
