//! One receive slot of one viewer: its SSRC, sequence numbers and timestamps run on, whatever flows in it.
//!
//! Offsets are computed when a source is chosen; per packet a slot only adds them.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    answer::ViewSlot,
    forward::{history::History, rate::HEADERS_BYTES},
    id::TrackId,
    media::{Codec, ticks},
    packet::{
        Descriptor, Packet,
        target::{Skipped, Target},
    },
};

use crate::forward::renumber::TimestampMap;
pub use crate::forward::renumber::{Placement, Renumbering};

/// Numbers and state of one slot. It seals nothing and sends nothing: [`crate::forward::view`] does.
#[derive(Debug)]
pub struct Slot {
    terms: ViewSlot,
    /// Next free 48-bit index of our SSRC.
    next_index: u64,
    /// Next free 48-bit index of our RTX SSRC.
    next_rtx_index: u64,
    /// Newest timestamp sent and when.
    newest: Option<(u32, Instant)>,
    picture_id: u16,
    tl0_pic_idx: u8,
    frame_number: u16,
    route: Option<Route>,
    /// Earlier routes, for NACKs that still ask for their packets.
    past: VecDeque<Renumbering>,
    /// The layer that the slot switches to at that layer's next keyframe.
    pub next: Option<(TrackId, usize)>,
    /// The target of a scalable layer that it should carry. It switches to that at the next packet that allows it.
    pub aim: Target,
    /// Paused by bandwidth.
    pub is_paused: bool,
    /// Numbers from here on have been sent only once.
    pub once: u64,
    /// RTP packets sent, for sender reports. Wraps.
    pub sent_packets: u32,
    /// Payload bytes sent, for sender reports. Wraps.
    pub sent_bytes: u32,
}

#[derive(Debug, Clone)]
struct Route {
    span: Renumbering,
    phase: Phase,
    /// Source numbers from here on have not been looked at.
    reached: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing goes out before a keyframe.
    AwaitingKeyframe,
    /// The cached group goes out. Source numbers from `cursor` on have not been sent; live packets wait in the history.
    CatchingUp { cursor: u64, per_tick: usize },
    /// Every packet goes out as it comes.
    Live,
}

impl Slot {
    /// A slot in which nothing flows. `seed` makes the first numbers unguessable; sequence numbers start below 2^15, so
    /// that a receiver who misses the beginning still guesses the roll-over counter right.
    #[must_use]
    pub fn new(terms: ViewSlot, seed: u64) -> Self {
        Self {
            next_index: seed & 0x3fff,
            next_rtx_index: (seed >> 16) & 0x3fff,
            newest: None,
            picture_id: (seed >> 32) as u16 & 0x7fff,
            tl0_pic_idx: (seed >> 48) as u8,
            frame_number: (seed >> 24) as u16,
            aim: Target::ALL,
            route: None,
            past: VecDeque::new(),
            next: None,
            is_paused: false,
            once: 0,
            sent_packets: 0,
            sent_bytes: 0,
            terms,
        }
    }

    /// What was agreed for it.
    #[must_use]
    pub fn terms(&self) -> &ViewSlot {
        &self.terms
    }

    /// As [`crate::worker::peer::Peer::prefetch`].
    #[must_use]
    pub fn prefetch(&self) -> u64 {
        let route = self.route.as_ref().map_or(0, |route| route.span.source_start);
        route ^ self.next_index ^ u64::from(self.sent_packets) ^ u64::from(self.terms.ssrc)
    }

    /// What flows in it. `None`: nothing.
    #[must_use]
    pub fn source(&self) -> Option<(TrackId, usize)> {
        self.route.as_ref().map(|route| (route.span.track, route.span.layer))
    }

    /// Does it wait for a live keyframe, because the cache has none?
    #[must_use]
    pub fn awaits_keyframe(&self) -> bool {
        self.route.as_ref().is_some_and(|route| route.phase == Phase::AwaitingKeyframe)
    }

    /// Is it still being sent the cached group?
    #[must_use]
    pub fn catches_up(&self) -> bool {
        self.route.as_ref().is_some_and(|route| matches!(route.phase, Phase::CatchingUp { .. }))
    }

    /// Lets a source flow in it from its newest keyframe on, cached if the history has it. False where the viewer
    /// cannot decode `codec`: then nothing flows.
    pub fn start(&mut self, now: Instant, track: TrackId, layer: usize, codec: Codec, history: &History) -> bool {
        self.stop();
        self.is_paused = false;
        let Some((pt, rtx_pt)) = self.terms.payload_type(codec).map(|known| (known.pt, known.rtx_pt)) else {
            return false;
        };
        let span = Renumbering {
            track,
            layer,
            pt,
            rtx_pt,
            clock_rate: codec.clock_rate(),
            source_start: 0,
            index_start: self.next_index,
            timestamps: TimestampMap { group: 0, pivot: 0, start: 0, shift: 0 },
            picture_id_offset: 0,
            tl0_offset: 0,
            target: self.aim,
            skipped: Skipped::default(),
            frame_offset: 0,
        };
        let mut route = Route { span, phase: Phase::AwaitingKeyframe, reached: 0 };
        if !codec.is_sound()
            && let Some(start) = history.group_start()
            && let (Some(first), Some(live)) = (history.get(start), history.live_timestamp(now, codec.clock_rate()))
        {
            self.begin_group(now, &mut route.span, first, live);
            let (_, bytes) = history.group_bytes();
            let per_tick = (bytes / CATCH_UP_TICKS).max(CATCH_UP_BYTES_MIN);
            route.reached = start;
            route.phase = Phase::CatchingUp { cursor: start, per_tick };
        }
        self.route = Some(route);
        true
    }

    /// Ends what flows. Packets already sent can still be retransmitted.
    pub fn stop(&mut self) {
        self.next = None;
        if let Some(route) = self.route.take()
            && route.phase != Phase::AwaitingKeyframe
        {
            self.remember(route.span);
        }
    }

    fn remember(&mut self, span: Renumbering) {
        if self.past.len() == PAST_MAX {
            self.past.pop_back();
        }
        self.past.push_front(span);
    }

    /// From now on live packets wait in the history, behind those that were sent, until [`Self::next_cached`] takes
    /// them.
    pub fn hold(&mut self) {
        if let Some(route) = &mut self.route
            && route.phase == Phase::Live
        {
            route.phase = Phase::CatchingUp { cursor: route.reached, per_tick: CATCH_UP_BYTES_MIN };
        }
    }

    /// How far the packets that wait in the history are behind the newest one, where the keyframe of their group has
    /// been sent whole and a newer group waits: then the slot may restart with that. `None`: it may not.
    #[must_use]
    pub fn overtaken_by(&self, history: &History) -> Option<Duration> {
        let route = self.route.as_ref()?;
        let Phase::CatchingUp { cursor, .. } = route.phase else { return None };
        let newer = history.group_start().filter(|start| *start > cursor)?;
        let (waiting, newest) = ((cursor..newer).find_map(|seq| history.get(seq))?, history.get(history.newest()?)?);
        if waiting.timestamp == route.span.timestamps.group {
            return None;
        }
        let behind = newest.timestamp.wrapping_sub(waiting.timestamp);
        Some(Duration::from_secs_f64(f64::from(behind) / f64::from(route.span.clock_rate.max(1))))
    }

    /// Bytes of a burst of `bytes` that are for this slot.
    #[must_use]
    pub fn takes_of(&self, burst: &[Arc<Packet>], bytes: usize) -> usize {
        let Some(route) = self.route.as_ref() else { return bytes };
        if burst.first().is_none_or(|packet| packet.layered.is_none()) {
            return bytes;
        }
        let sent = burst.iter().filter(|packet| route.span.has_place(packet));
        sent.map(|packet| packet.payload.len() + HEADERS_BYTES).sum()
    }

    /// Next free 48-bit index.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// The newest of our sequence numbers. `None`: nothing was sent.
    #[must_use]
    pub fn newest_seq(&self) -> Option<u16> {
        self.newest.map(|_| self.next_index.wrapping_sub(1) as u16)
    }

    /// A live packet's place. `None`: it is not sent now (it waits for a keyframe or in the history), or never.
    pub fn place(&mut self, now: Instant, packet: &Packet) -> Option<Placement> {
        match self.route.as_ref()?.phase {
            Phase::Live => {}
            Phase::CatchingUp { cursor, .. } if packet.seq >= cursor => return None,
            Phase::CatchingUp { .. } => {}
            Phase::AwaitingKeyframe if packet.keyframe && packet.frame_start => {
                let mut route = self.route.take()?;
                self.begin_live(now, &mut route.span, packet);
                route.phase = Phase::Live;
                self.route = Some(route);
            }
            Phase::AwaitingKeyframe => return None,
        }
        if packet.layered.is_some() {
            let mut route = self.route.take()?;
            let placed = self.place_in(now, &mut route, packet);
            self.route = Some(route);
            return placed;
        }
        let route = self.route.as_mut()?;
        route.reached = route.reached.max(packet.seq + 1);
        let placed = route.span.place(packet)?;
        self.note(now, placed);
        Some(placed)
    }

    /// A packet's place in a route that flows, turned first to what is aimed at where the packet lets it.
    fn place_in(&mut self, now: Instant, route: &mut Route, packet: &Packet) -> Option<Placement> {
        if let Some(layered) = &packet.layered
            && route.span.target != self.aim
            && packet.seq >= route.reached
            && layered.turns(route.span.target, self.aim, packet.keyframe)
        {
            self.turn(&mut route.span, packet);
        }
        route.reached = route.reached.max(packet.seq + 1);
        let placed = route.span.place(packet)?;
        self.note(now, placed);
        Some(placed)
    }

    /// Begins a span of the same source with the target that is aimed at.
    fn turn(&mut self, span: &mut Renumbering, packet: &Packet) {
        // Numbers that are still kept free for packets under repair would be closed up.
        let is_whole = span.index_of(packet) == Some(self.next_index);
        if !is_whole && !packet.keyframe {
            return;
        }
        self.remember(*span);
        span.target = self.aim;
        span.skipped = packet.layered.as_ref().map_or_else(Skipped::default, |layered| layered.before(self.aim));
        span.source_start = packet.seq;
        span.index_start = self.next_index;
        if let Some(picture_id) = packet.vp8.and_then(|vp8| vp8.picture_id) {
            span.picture_id_offset = self.picture_id.wrapping_add(1).wrapping_sub(picture_id);
        }
    }

    /// The next cached packet of the group, while `budget_bytes` lasts; taking it moves on. `None`: no more for now,
    /// and at the newest packet the slot has become live.
    pub fn next_cached<'a>(
        &mut self,
        now: Instant,
        history: &'a History,
        budget_bytes: &mut Option<usize>,
    ) -> Option<(&'a Packet, Placement)> {
        let mut route = self.route.take()?;
        let found = loop {
            let Phase::CatchingUp { cursor, per_tick } = &mut route.phase else { break None };
            let left = budget_bytes.get_or_insert(*per_tick);
            if history.newest().is_none_or(|newest| *cursor > newest) {
                route.phase = Phase::Live;
                break None;
            }
            let packet = history.get(*cursor);
            let (target, aim) = (route.span.target, self.aim);
            let is_sent = |packet: &Packet| {
                packet.layered.as_ref().is_none_or(|layered| layered.has_place(target) || layered.has_place(aim))
            };
            if packet.is_some_and(|packet| *left < packet.payload.len() && is_sent(packet)) {
                *left = 0;
                break None;
            }
            *cursor += 1;
            // A gap: the packet is under repair, and is sent when it comes.
            let Some(packet) = packet else { continue };
            if let Some(placed) = self.place_in(now, &mut route, packet) {
                *left -= packet.payload.len().min(*left);
                break Some((&**packet, placed));
            }
        };
        self.route = Some(route);
        found
    }

    /// The span that gave one of our sequence numbers, and its 48-bit index. `None`: never sent, or too old.
    #[must_use]
    pub fn locate(&self, seq: u16) -> Option<(Renumbering, u64)> {
        let index = crate::packet::extend(self.next_index.checked_sub(1)?, seq);
        if index >= self.next_index {
            return None;
        }
        let current = self.route.iter().filter(|route| route.phase != Phase::AwaitingKeyframe).map(|route| &route.span);
        let span = current.chain(&self.past).find(|span| span.index_start <= index)?;
        Some((*span, index))
    }

    /// The index of the next retransmission; each is given once.
    pub fn take_rtx_index(&mut self) -> u64 {
        let index = self.next_rtx_index;
        self.next_rtx_index += 1;
        index
    }

    /// Our timestamp at `now`, if the source's is `source` then. `None`: nothing flows.
    #[must_use]
    pub fn timestamp_of(&self, source: u32) -> Option<u32> {
        let route = self.route.as_ref().filter(|route| route.phase != Phase::AwaitingKeyframe)?;
        Some(route.span.timestamps.map(source))
    }

    fn note(&mut self, now: Instant, placed: Placement) {
        if placed.index >= self.next_index {
            self.next_index = placed.index + 1;
            self.newest = Some((placed.timestamp, now));
            if let Some((picture_id, tl0_pic_idx)) = placed.vp8 {
                (self.picture_id, self.tl0_pic_idx) = (picture_id, tl0_pic_idx);
            }
            if let Some(number) = placed.frame_number {
                self.frame_number = number;
            }
        }
    }

    /// Our timestamp for a picture of now, if the series ran on by the clock.
    fn timestamp_now(&self, now: Instant, clock_rate: u32) -> u32 {
        let Some((timestamp, at)) = self.newest else { return (self.next_index as u32).wrapping_mul(0x9e37_79b1) };
        let elapsed = ticks(now.saturating_duration_since(at), clock_rate).max(1);
        // Opus timestamps advance in steps of 20 ms: any other step costs concealment.
        let elapsed =
            if clock_rate == 48_000 { (elapsed.saturating_add(480) / 960).max(1).saturating_mul(960) } else { elapsed };
        timestamp.wrapping_add(elapsed)
    }

    fn begin_live(&mut self, now: Instant, span: &mut Renumbering, packet: &Packet) {
        let start = self.timestamp_now(now, span.clock_rate);
        span.timestamps = TimestampMap {
            group: packet.timestamp,
            pivot: packet.timestamp,
            start,
            shift: start.wrapping_sub(packet.timestamp),
        };
        self.begin(span, packet);
    }

    fn begin_group(&mut self, now: Instant, span: &mut Renumbering, first: &Packet, live: u32) {
        let start = self.timestamp_now(now, span.clock_rate);
        let age = live.wrapping_sub(first.timestamp);
        // The pictures of a very old group still need a tick each.
        let catch_up = ticks(CATCH_UP_WITHIN, span.clock_rate).max(age / 500);
        span.timestamps = TimestampMap {
            group: first.timestamp,
            pivot: live.wrapping_add(catch_up),
            start,
            shift: start.wrapping_sub(live),
        };
        self.begin(span, first);
    }

    fn begin(&mut self, span: &mut Renumbering, first: &Packet) {
        span.source_start = first.seq;
        span.index_start = self.next_index;
        if let Some(vp8) = first.vp8 {
            span.picture_id_offset = (self.picture_id.wrapping_add(1)).wrapping_sub(vp8.picture_id.unwrap_or(0));
            span.tl0_offset = self.tl0_pic_idx.wrapping_add(1).wrapping_sub(vp8.tl0_pic_idx.unwrap_or(0));
        }
        if let Some(layered) = &first.layered {
            span.skipped = layered.before(span.target);
            if let Some(number) = layered.descriptor.as_deref().and_then(Descriptor::number_of) {
                span.frame_offset = self.frame_number.wrapping_add(1).wrapping_sub(number);
            }
        }
    }
}

/// Time in which the cached group is sent to a joiner, if its line carries it.
const CATCH_UP_WITHIN: Duration = Duration::from_millis(300);

/// Interval at which a slot that catches up is served.
pub const CATCH_UP_TICK: Duration = Duration::from_millis(5);

/// Parts of a cached group: with one every 5 ms it is sent in a fifth of a second.
const CATCH_UP_TICKS: usize = 40;

/// A small group is not worth pacing.
const CATCH_UP_BYTES_MIN: usize = 6_000;

/// NACKs ask for what is a round trip old; a slot changes its source less often than that.
const PAST_MAX: usize = 4;
