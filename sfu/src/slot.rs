//! One receive slot of one classroom: its SSRC, numbers and timestamps run on for ever, whatever flows in it.
//!
//! Everything is worked out when a source is chosen; per packet a slot only adds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{answer::ViewSlot, history::History, id::TrackId, media::Codec, packet::Packet};

/// Numbers and state of one slot. It seals nothing and sends nothing: [`crate::view`] does.
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
    route: Option<Route>,
    /// Earlier routes, for NACKs that still ask for their packets.
    past: VecDeque<Span>,
    /// A layer that takes the slot over when its next keyframe comes; until then the old one stays.
    pub next: Option<(TrackId, usize)>,
    /// The line has no room for it.
    pub is_paused: bool,
    /// Numbers from here on went out only once.
    pub once: u64,
    /// RTP packets and payload bytes sent, for sender reports.
    pub sent: (u32, u32),
}

#[derive(Debug, Clone)]
struct Route {
    span: Span,
    phase: Phase,
}

/// How one source's numbers become ours. A packet keeps its place for ever, so that it can be sent again.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The source.
    pub track: TrackId,
    /// The source's layer.
    pub layer: usize,
    /// Payload type of `codec` in this viewer's answer.
    pub pt: u8,
    /// Payload type of its retransmissions.
    pub rtx_pt: Option<u8>,
    clock_rate: u32,
    source_start: u64,
    index_start: u64,
    timestamps: Timestamps,
    picture_id_offset: u16,
    tl0_offset: u8,
}

/// Timestamps before `pivot` are pressed together: what was cached is shown at once, and live needs no catching up.
#[derive(Debug, Clone, Copy)]
struct Timestamps {
    /// Source timestamp at which the cached group begins.
    group: u32,
    /// Source timestamps from here on are only shifted.
    pivot: u32,
    /// Ours at the beginning of the group.
    start: u32,
    /// Ours minus the source's from the pivot on.
    shift: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing goes out before a keyframe.
    AwaitingKeyframe,
    /// The cached group goes out, up to but without this source number; live packets wait in the history.
    CatchingUp { cursor: u64, per_tick: usize },
    /// Every packet goes out as it comes.
    Live,
}

/// A packet's place in the slot's own series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// 48-bit index: roll-over counter and sequence number.
    pub index: u64,
    /// Timestamp.
    pub timestamp: u32,
    /// Payload type.
    pub pt: u8,
    /// PictureID and TL0PICIDX to write into a VP8 payload. `None`: the payload stays as it is.
    pub vp8: Option<(u16, u8)>,
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
            route: None,
            past: VecDeque::new(),
            next: None,
            is_paused: false,
            once: 0,
            sent: (0, 0),
            terms,
        }
    }

    /// What was agreed for it.
    #[must_use]
    pub fn terms(&self) -> &ViewSlot {
        &self.terms
    }

    /// As [`crate::peer::Peer::warm`].
    #[must_use]
    pub fn warm(&self) -> u64 {
        let route = self.route.as_ref().map_or(0, |route| route.span.source_start);
        route ^ self.next_index ^ u64::from(self.sent.0) ^ u64::from(self.terms.ssrc)
    }

    /// What flows in it. `None`: nothing.
    #[must_use]
    pub fn source(&self) -> Option<(TrackId, usize)> {
        self.route.as_ref().map(|route| (route.span.track, route.span.layer))
    }

    /// Does it wait for a keyframe that the cache does not have?
    #[must_use]
    pub fn awaits_keyframe(&self) -> bool {
        self.route.as_ref().is_some_and(|route| route.phase == Phase::AwaitingKeyframe)
    }

    /// Is it still being sent the cached group?
    #[must_use]
    pub fn catches_up(&self) -> bool {
        self.route.as_ref().is_some_and(|route| matches!(route.phase, Phase::CatchingUp { .. }))
    }

    /// Lets a source flow in it from its newest keyframe on, cached if the history has it. False where the viewer cannot
    /// decode `codec`: then nothing flows.
    pub fn start(&mut self, now: Instant, track: TrackId, layer: usize, codec: Codec, history: &History) -> bool {
        self.stop();
        self.is_paused = false;
        let Some((pt, rtx_pt)) = self.terms.payload_type(codec).map(|known| (known.pt, known.rtx_pt)) else {
            return false;
        };
        let span = Span {
            track,
            layer,
            pt,
            rtx_pt,
            clock_rate: codec.clock_rate(),
            source_start: 0,
            index_start: self.next_index,
            timestamps: Timestamps { group: 0, pivot: 0, start: 0, shift: 0 },
            picture_id_offset: 0,
            tl0_offset: 0,
        };
        let mut route = Route { span, phase: Phase::AwaitingKeyframe };
        if !codec.is_sound()
            && let Some(start) = history.group_start()
            && let (Some(first), Some(live)) = (history.get(start), history.live_timestamp(now, codec.clock_rate()))
        {
            self.begin_group(now, &mut route.span, first, live);
            let (_, bytes) = history.group_bytes();
            let per_tick = (bytes / CATCH_UP_TICKS).max(CATCH_UP_BYTES_MIN);
            route.phase = Phase::CatchingUp { cursor: start, per_tick };
        }
        self.route = Some(route);
        true
    }

    /// Nothing flows any more. What was sent can still be asked for again.
    pub fn stop(&mut self) {
        self.next = None;
        if let Some(route) = self.route.take()
            && route.phase != Phase::AwaitingKeyframe
        {
            if self.past.len() == PAST_SPANS_MAX {
                self.past.pop_back();
            }
            self.past.push_front(route.span);
        }
    }

    /// From now on live packets wait in the history, behind those that were sent, until [`Self::next_cached`] takes them.
    pub fn hold(&mut self) {
        if let Some(route) = &mut self.route
            && route.phase == Phase::Live
        {
            let cursor = route.span.source_start + self.next_index.saturating_sub(route.span.index_start);
            route.phase = Phase::CatchingUp { cursor, per_tick: CATCH_UP_BYTES_MIN };
        }
    }

    /// How far what waits in the history is behind the newest packet there, where the keyframe of its group has gone out
    /// whole and a newer group waits: then it may begin anew with that. `None`: it may not.
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
    pub fn place(&mut self, now: Instant, packet: &Packet) -> Option<Placed> {
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
        let placed = self.route.as_ref()?.span.place(packet)?;
        self.note(now, placed);
        Some(placed)
    }

    /// The next cached packet of the group, while `budget_bytes` lasts; taking it moves on. `None`: no more for now, and
    /// at the newest packet the slot has become live.
    pub fn next_cached<'a>(
        &mut self,
        now: Instant,
        history: &'a History,
        budget_bytes: &mut Option<usize>,
    ) -> Option<(&'a Packet, Placed)> {
        let mut route = self.route.take()?;
        let found = loop {
            let Phase::CatchingUp { cursor, per_tick } = &mut route.phase else { break None };
            let left = budget_bytes.get_or_insert(*per_tick);
            if history.newest().is_none_or(|newest| *cursor > newest) {
                route.phase = Phase::Live;
                break None;
            }
            let packet = history.get(*cursor);
            if packet.is_some_and(|packet| *left < packet.payload.len()) {
                *left = 0;
                break None;
            }
            *cursor += 1;
            // A hole: it is being repaired, and goes out when it comes.
            let Some(packet) = packet else { continue };
            *left -= packet.payload.len();
            if let Some(placed) = route.span.place(packet) {
                self.note(now, placed);
                break Some((&**packet, placed));
            }
        };
        self.route = Some(route);
        found
    }

    /// The source packet behind one of our sequence numbers, and the span that placed it. `None`: never sent, or too old.
    #[must_use]
    pub fn locate(&self, seq: u16) -> Option<(Span, u64)> {
        let index = crate::feedback::extend(self.next_index.checked_sub(1)?, seq);
        if index >= self.next_index {
            return None;
        }
        let current = self.route.iter().filter(|route| route.phase != Phase::AwaitingKeyframe).map(|route| &route.span);
        let span = current.chain(&self.past).find(|span| span.index_start <= index)?;
        Some((*span, span.source_start + (index - span.index_start)))
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

    fn note(&mut self, now: Instant, placed: Placed) {
        if placed.index >= self.next_index {
            self.next_index = placed.index + 1;
            self.newest = Some((placed.timestamp, now));
            if let Some((picture_id, tl0_pic_idx)) = placed.vp8 {
                (self.picture_id, self.tl0_pic_idx) = (picture_id, tl0_pic_idx);
            }
        }
    }

    /// Our timestamp for a picture of now, if the series ran on by the clock.
    fn timestamp_now(&self, now: Instant, clock_rate: u32) -> u32 {
        let Some((timestamp, at)) = self.newest else { return (self.next_index as u32).wrapping_mul(0x9e37_79b1) };
        let elapsed = ticks(now.saturating_duration_since(at), clock_rate).max(1);
        // Opus goes in steps of 20 ms: a step that is none costs concealment.
        let elapsed =
            if clock_rate == 48_000 { (elapsed.saturating_add(480) / 960).max(1).saturating_mul(960) } else { elapsed };
        timestamp.wrapping_add(elapsed)
    }

    fn begin_live(&mut self, now: Instant, span: &mut Span, packet: &Packet) {
        let start = self.timestamp_now(now, span.clock_rate);
        span.timestamps = Timestamps {
            group: packet.timestamp,
            pivot: packet.timestamp,
            start,
            shift: start.wrapping_sub(packet.timestamp),
        };
        self.begin(span, packet);
    }

    fn begin_group(&mut self, now: Instant, span: &mut Span, first: &Packet, live: u32) {
        let start = self.timestamp_now(now, span.clock_rate);
        let age = live.wrapping_sub(first.timestamp);
        // The pictures of a very old group still need a tick each.
        let catch_up = ticks(CATCH_UP_WITHIN, span.clock_rate).max(age / 500);
        span.timestamps = Timestamps {
            group: first.timestamp,
            pivot: live.wrapping_add(catch_up),
            start,
            shift: start.wrapping_sub(live),
        };
        self.begin(span, first);
    }

    fn begin(&mut self, span: &mut Span, first: &Packet) {
        span.source_start = first.seq;
        span.index_start = self.next_index;
        if let Some(vp8) = first.vp8 {
            span.picture_id_offset = (self.picture_id.wrapping_add(1)).wrapping_sub(vp8.picture_id.unwrap_or(0));
            span.tl0_offset = self.tl0_pic_idx.wrapping_add(1).wrapping_sub(vp8.tl0_pic_idx.unwrap_or(0));
        }
    }
}

impl Span {
    /// A packet's place. `None`: it is older than where the span begins.
    #[must_use]
    pub fn place(&self, packet: &Packet) -> Option<Placed> {
        let age = packet.seq.checked_sub(self.source_start)?;
        let vp8 = packet.vp8.map(|vp8| {
            let mask = if vp8.long_picture_id { 0x7fff } else { 0x7f };
            let picture_id = vp8.picture_id.unwrap_or(0).wrapping_add(self.picture_id_offset) & mask;
            (picture_id, vp8.tl0_pic_idx.unwrap_or(0).wrapping_add(self.tl0_offset))
        });
        Some(Placed {
            index: self.index_start + age,
            timestamp: self.timestamps.map(packet.timestamp),
            pt: self.pt,
            vp8,
        })
    }
}

impl Timestamps {
    fn map(&self, source: u32) -> u32 {
        let before_pivot = self.pivot.wrapping_sub(source);
        if before_pivot == 0 || before_pivot > i32::MAX as u32 {
            return source.wrapping_add(self.shift);
        }
        let since_group = source.wrapping_sub(self.group);
        if since_group > i32::MAX as u32 {
            return self.start.wrapping_sub(1);
        }
        let theirs = u64::from(self.pivot.wrapping_sub(self.group)).max(1);
        let ours = u64::from(self.pivot.wrapping_add(self.shift).wrapping_sub(self.start));
        self.start.wrapping_add((u64::from(since_group) * ours / theirs) as u32)
    }
}

/// RTP ticks of a span of time, bounded.
#[must_use]
pub fn ticks(span: Duration, clock_rate: u32) -> u32 {
    u32::try_from(span.as_micros() * u128::from(clock_rate) / 1_000_000).unwrap_or(u32::MAX / 2)
}

/// The cached group is out this long after a joiner is ready, if its line carries it.
const CATCH_UP_WITHIN: Duration = Duration::from_millis(300);

/// How often a slot that catches up is given its share.
pub const CATCH_UP_TICK: Duration = Duration::from_millis(5);

/// Shares of a cached group: with one every 5 ms it is out in a fifth of a second.
const CATCH_UP_TICKS: usize = 40;

/// A small group is not worth pacing.
const CATCH_UP_BYTES_MIN: usize = 6_000;

/// NACKs ask for what is a round trip old; a slot changes its source less often than that.
const PAST_SPANS_MAX: usize = 4;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use super::*;
    use crate::{answer::PayloadType, media::TrackKind};
    use bytes::Bytes;
    use std::sync::Arc;

    fn slot(kind: TrackKind, codecs: &[(Codec, u8)]) -> Slot {
        let codecs = codecs
            .iter()
            .map(|(codec, pt)| PayloadType { codec: *codec, pt: *pt, rtx_pt: Some(pt + 1), fmtp: String::new() })
            .collect();
        let terms = ViewSlot { kind, mid: "1".into(), ssrc: 1, rtx_ssrc: 2, codecs, red_pt: None, nack: true };
        Slot::new(terms, 0x1234_5678_9abc_def0)
    }

    fn packet(seq: u64, timestamp: u32, keyframe: bool) -> Packet {
        Packet { keyframe, payload: Bytes::from_static(&[0; 1000]), ..Packet::empty(Codec::H264, seq, timestamp) }
    }

    #[test]
    fn nothing_flows_before_a_keyframe_and_numbers_run_on_over_a_switch() {
        let start = Instant::now();
        let mut slot = slot(TrackKind::Camera, &[(Codec::H264, 100), (Codec::Vp8, 102)]);
        assert!(slot.start(start, TrackId(1), 0, Codec::H264, &History::new(8)));
        assert_eq!(slot.place(start, &packet(70_000, 5, false)), None);
        let first = slot.place(start, &packet(70_001, 3_005, true)).unwrap();
        let second = slot.place(start, &packet(70_003, 6_005, false)).unwrap();
        assert_eq!(second.index, first.index + 2, "what is lost on the way stays missing");
        assert_eq!(second.timestamp.wrapping_sub(first.timestamp), 3_000);

        let later = start + Duration::from_millis(100);
        assert!(slot.start(later, TrackId(2), 0, Codec::H264, &History::new(8)));
        let third = slot.place(later, &packet(5, 777, true)).unwrap();
        assert_eq!(third.index, second.index + 1);
        assert_eq!(third.timestamp.wrapping_sub(second.timestamp), 9_000, "by the clock: 100 ms");
        assert_eq!(slot.locate(third.index as u16).map(|(span, seq)| (span.track, seq)), Some((TrackId(2), 5)));
        assert_eq!(slot.locate(first.index as u16).map(|(span, seq)| (span.track, seq)), Some((TrackId(1), 70_001)));
        assert!(slot.locate(third.index as u16 + 1).is_none());
    }

    #[test]
    fn a_joiner_is_given_the_cached_group_pressed_into_the_present() {
        let start = Instant::now();
        let mut history = History::new(512);
        // Three seconds at 25 fps, one packet a picture, the keyframe first.
        for picture in 0..75u32 {
            let at = start + Duration::from_millis(u64::from(picture) * 40);
            history.insert_at(at, Arc::new(packet(500 + u64::from(picture), picture * 3_600, picture == 0)));
        }
        let now = start + Duration::from_millis(75 * 40);
        let mut slot = slot(TrackKind::Camera, &[(Codec::H264, 100)]);
        assert!(slot.start(now, TrackId(1), 0, Codec::H264, &history));
        let mut sent = Vec::new();
        for tick in 0..100u32 {
            let at = now + CATCH_UP_TICK * tick;
            let mut budget = None;
            while let Some((_, placed)) = slot.next_cached(at, &history, &mut budget) {
                sent.push(placed);
            }
            if tick == 3 {
                let live = packet(575, 75 * 3_600, false);
                history.insert_at(at, Arc::new(live.clone()));
                assert_eq!(slot.place(at, &live), None, "it waits for its turn");
            }
        }
        assert!(!slot.catches_up());
        assert_eq!(sent.len(), 76);
        assert!(sent.windows(2).all(|pair| pair[1].index == pair[0].index + 1));
        assert!(sent.windows(2).all(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) as i32 > 0));
        let span = sent[75].timestamp.wrapping_sub(sent[0].timestamp);
        assert!(span < 90_000 * 4 / 10, "three seconds are shown within 0.4: {span}");
        // Seamless: from the pivot on pictures keep their own distance.
        let much_later = packet(600, 75 * 3_600 + 90_000, false);
        let next = packet(601, 76 * 3_600 + 90_000, false);
        let (one, two) = (slot.place(now, &much_later).unwrap(), slot.place(now, &next).unwrap());
        assert_eq!(two.timestamp.wrapping_sub(one.timestamp), 3_600);
    }

    #[test]
    fn sound_changes_its_source_in_whole_frames() {
        let start = Instant::now();
        let mut slot = slot(TrackKind::Voice, &[(Codec::Opus, 111)]);
        let sound = |seq, timestamp| Packet { keyframe: true, ..Packet::empty(Codec::Opus, seq, timestamp) };
        slot.start(start, TrackId(1), 0, Codec::Opus, &History::new(8));
        let one = slot.place(start, &sound(10, 960)).unwrap();
        let later = start + Duration::from_millis(33);
        slot.start(later, TrackId(2), 0, Codec::Opus, &History::new(8));
        let two = slot.place(later, &sound(99, 123_456)).unwrap();
        assert_eq!(two.timestamp.wrapping_sub(one.timestamp), 1_920);
    }

    #[test]
    fn a_codec_that_the_viewer_cannot_decode_does_not_flow() {
        let start = Instant::now();
        let mut slot = slot(TrackKind::Camera, &[(Codec::Vp8, 102)]);
        assert!(!slot.start(start, TrackId(1), 0, Codec::H264, &History::new(8)));
        assert_eq!(slot.source(), None);
    }

    proptest::proptest! {
        /// No pair of SSRC and index may ever seal two different packets.
        #[test]
        fn an_index_is_given_to_one_packet_only(steps in proptest::collection::vec((0u8..8, 0u64..40), 1..300)) {
            let start = Instant::now();
            let mut slot = slot(TrackKind::Camera, &[(Codec::H264, 100)]);
            let mut histories = [History::new(64), History::new(64)];
            let mut tops = [1_000u64, 5_000];
            let mut given = std::collections::HashMap::new();
            let mut current = 0usize;
            for (step, (what, jump)) in steps.into_iter().enumerate() {
                let now = start + Duration::from_millis(step as u64 * 7);
                match what {
                    0 => {
                        current = 1 - current;
                        slot.start(now, TrackId(current as u64), 0, Codec::H264, &histories[current]);
                    }
                    1 => slot.stop(),
                    _ => {
                        let seq = (tops[current] + 10).saturating_sub(jump);
                        tops[current] = tops[current].max(seq);
                        let packet = packet(seq, (seq as u32).wrapping_mul(3_000), what == 2);
                        if histories[current].insert_at(now, Arc::new(packet.clone()))
                            && let Some(placed) = slot.place(now, &packet)
                        {
                            proptest::prop_assert_eq!(given.insert(placed.index, (current, seq)), None);
                        }
                    }
                }
                let mut budget = None;
                let source = slot.source().map(|(track, _)| track.0 as usize);
                if let Some(source) = source {
                    while let Some((packet, placed)) = slot.next_cached(now, &histories[source], &mut budget) {
                        proptest::prop_assert_eq!(given.insert(placed.index, (source, packet.seq)), None);
                    }
                }
            }
        }
    }
}
