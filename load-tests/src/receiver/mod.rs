//! The receiver model: what pupils would have seen and heard of the packets that arrived.
//!
//! In plain words, so that its figures can be argued with:
//!
//! - **The screen** decodes pictures in order. A picture can be shown when all its packets are there and the one before
//!   was decoded, or when it is a whole keyframe. Missing packets are asked for by NACK, the first time at once, again
//!   after each round trip, ten times at most (`client::subscriber`). A whole keyframe further on ends the wait.
//!   Where a packet is given up, or no picture could be decoded for 200 ms at the start or 3 s later, it asks for a
//!   keyframe, at most once a second. (libwebrtc's receiver does the same.)
//! - Pictures are rendered on the sender's clock, later by a delay that is 10 ms longer than the latest picture needed, at
//!   most 1 s, and which falls by 20 ms each second. A picture that is still later is rendered when it is whole.
//! - **A freeze** is a gap between rendered pictures of at least three times the average gap, or the average and 150 ms,
//!   whichever is longer; the average is of the last 30 gaps, and nothing counts before there were five.
//!   The gap that is open when the question is asked counts like one that ends then.
//! - **The speaker** plays 20 ms of voice every 20 ms, later than the fastest packet by a delay that is 20 ms longer
//!   than the latest packet needed, between 40 and 400 ms, and which falls by 3 ms each second. A packet that is not there when
//!   its time comes is **concealed**. A packet that comes again in a later one (RED, RFC 2198) counts as there, and the
//!   delay learns from how late the first copy was, as libwebrtc's does. Voice rebuilt from in-band FEC is not counted as
//!   there: 0 for now, so figures are worse than a browser's. Voice that is stretched while the delay grows is not
//!   counted as concealed.
//! - Decoding takes no time, and screens show a picture the moment it is due.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

/// One gap that counts as a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// When the next picture was rendered.
    pub ended: Instant,
    /// How long the one before stood.
    pub lasted: Duration,
}

/// What a screen has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScreenCounts {
    /// Pictures rendered.
    pub pictures: u64,
    /// Gaps that were freezes.
    pub freezes: u64,
    /// Time in them.
    pub frozen: Duration,
    /// The longest of them.
    pub longest: Duration,
}

/// One picture slot: decodes in order, renders on the sender's clock.
#[derive(Debug)]
pub struct Screen {
    pieces: BTreeMap<u64, Piece>,
    next: Option<u64>,
    clock: Option<MediaClock>,
    rendered: Option<Instant>,
    gaps: VecDeque<Duration>,
    counts: ScreenCounts,
    waiting_since: Option<Instant>,
    asked: Option<Instant>,
}

#[derive(Debug)]
struct Piece {
    timestamp: u32,
    marker: bool,
    starts_keyframe: bool,
    is_padding: bool,
}

/// One packet for a screen.
#[derive(Debug, Clone, Copy)]
pub struct PicturePacket {
    /// Extended sequence number.
    pub seq: u64,
    /// RTP timestamp, 90 kHz.
    pub timestamp: u32,
    /// Last packet of its picture.
    pub marker: bool,
    /// First packet of a keyframe: it carries the parameter sets.
    pub starts_keyframe: bool,
    /// It carries nothing.
    pub is_padding: bool,
}

impl Screen {
    /// A dark screen.
    #[must_use]
    pub fn new() -> Self {
        Self {
            pieces: BTreeMap::new(),
            next: None,
            clock: None,
            rendered: None,
            gaps: VecDeque::new(),
            counts: ScreenCounts::default(),
            waiting_since: None,
            asked: None,
        }
    }

    /// Takes a packet. Returns the freezes that ended with what could be shown.
    pub fn handle_packet(&mut self, now: Instant, packet: PicturePacket) -> Vec<Freeze> {
        let PicturePacket { seq, timestamp, marker, starts_keyframe, is_padding } = packet;
        if self.next.is_none_or(|next| seq >= next) {
            self.pieces.insert(seq, Piece { timestamp, marker, starts_keyframe, is_padding });
        }
        if self.pieces.len() > PIECES_MAX {
            self.pieces.pop_first();
        }
        self.waiting_since.get_or_insert(now);
        let mut freezes = Vec::new();
        loop {
            if let Some((last, timestamp)) = self.next.and_then(|next| self.whole(next)) {
                freezes.extend(timestamp.and_then(|timestamp| self.render(now, timestamp)));
                self.next = Some(last + 1);
                self.pieces = self.pieces.split_off(&(last + 1));
                self.waiting_since = if self.pieces.is_empty() { None } else { Some(now) };
            } else if let Some(start) = self.whole_keyframe() {
                self.next = Some(start);
                self.pieces = self.pieces.split_off(&start);
            } else {
                return freezes;
            }
        }
    }

    /// True where a keyframe has to be asked for now. `given_up`: something before the next picture will never come.
    pub fn wants_keyframe(&mut self, now: Instant, given_up: bool) -> bool {
        let patience = if self.rendered.is_none() { FIRST_PATIENCE } else { PATIENCE };
        let waits = self.waiting_since.is_some_and(|since| now.saturating_duration_since(since) >= patience);
        let may_ask = self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= ASK_AGAIN);
        let wants = may_ask && (waits || (given_up && !self.pieces.is_empty()));
        if wants {
            self.asked = Some(now);
        }
        wants
    }

    /// The packet that keeps what has arrived from being shown. `None`: nothing waits, or for a keyframe.
    #[must_use]
    pub fn held_up_by(&self) -> Option<u64> {
        self.pieces.first_key_value()?;
        let next = self.next?;
        (next..).zip(self.pieces.keys()).find_map(|(expected, seq)| (*seq != expected).then_some(expected))
    }

    /// What was shown up to `now`, an open gap included.
    #[must_use]
    pub fn counts(&self, now: Instant) -> ScreenCounts {
        let mut counts = self.counts;
        let open = self.rendered.map(|rendered| now.saturating_duration_since(rendered));
        if let Some(gap) = open.filter(|gap| self.is_freeze(*gap)) {
            counts.freezes += 1;
            counts.frozen += gap;
            counts.longest = counts.longest.max(gap);
        }
        counts
    }

    /// The last packet of the picture that starts at `start`, and its timestamp, where all of it is there.
    /// Padding is a picture without a timestamp.
    fn whole(&self, start: u64) -> Option<(u64, Option<u32>)> {
        let first = self.pieces.get(&start)?;
        if first.is_padding {
            return Some((start, None));
        }
        for (expected, (seq, piece)) in (start..).zip(self.pieces.range(start..)) {
            if *seq != expected || piece.timestamp != first.timestamp {
                return None;
            }
            if piece.marker {
                return Some((*seq, Some(first.timestamp)));
            }
        }
        None
    }

    fn whole_keyframe(&self) -> Option<u64> {
        let starts = self.pieces.iter().filter(|(seq, piece)| piece.starts_keyframe && Some(**seq) != self.next);
        starts.map(|(seq, _)| *seq).find(|seq| self.whole(*seq).is_some())
    }

    fn render(&mut self, now: Instant, timestamp: u32) -> Option<Freeze> {
        let clock = self.clock.get_or_insert_with(|| MediaClock::new(now, timestamp, 90_000, SCREEN_DELAY));
        let due = clock.due(now, timestamp).max(now);
        let due = self.rendered.map_or(due, |rendered| due.max(rendered));
        self.counts.pictures += 1;
        let gap = due - self.rendered.replace(due)?;
        let is_freeze = self.is_freeze(gap);
        if self.gaps.len() == GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
        is_freeze.then(|| {
            self.counts.freezes += 1;
            self.counts.frozen += gap;
            self.counts.longest = self.counts.longest.max(gap);
            Freeze { ended: due, lasted: gap }
        })
    }

    fn is_freeze(&self, gap: Duration) -> bool {
        if self.gaps.len() < GAPS_MIN {
            return false;
        }
        let average = self.gaps.iter().sum::<Duration>() / self.gaps.len() as u32;
        gap >= (average * 3).max(average + Duration::from_millis(150))
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

/// What a speaker has played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpeakerCounts {
    /// Pieces of 20 ms that were there in time.
    pub played: u64,
    /// Pieces that were not.
    pub concealed: u64,
    /// The most of them in a row.
    pub longest_gap: u64,
}

impl SpeakerCounts {
    /// Share that was concealed, 0 to 1.
    #[must_use]
    pub fn concealed_share(&self) -> f64 {
        self.concealed as f64 / (self.played + self.concealed).max(1) as f64
    }
}

/// One voice slot.
#[derive(Debug, Default)]
pub struct Speaker {
    clock: Option<MediaClock>,
    there: BTreeSet<i64>,
    /// Pieces of late that were concealed.
    concealed: BTreeSet<i64>,
    next: i64,
    gap: u64,
    counts: SpeakerCounts,
}

impl Speaker {
    /// A silent speaker.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet of 20 ms by its RTP timestamp, 48 kHz.
    pub fn handle_packet(&mut self, now: Instant, timestamp: u32) {
        self.advance(now);
        let clock = self.clock.get_or_insert_with(|| MediaClock::new(now, timestamp, 48_000, SPEAKER_DELAY));
        clock.due(now, timestamp);
        let piece = clock.media(timestamp) / SAMPLES;
        if piece >= self.next && self.there.len() < THERE_MAX {
            self.there.insert(piece);
        }
    }

    /// Takes a packet that came again inside a later one, by its own timestamp.
    pub fn handle_repeat(&mut self, now: Instant, timestamp: u32) {
        let Some(clock) = &self.clock else { return };
        let piece = clock.media(timestamp).div_euclid(SAMPLES);
        // A copy of what came in time says nothing; the first copy of what was lost says how long it is worth waiting.
        if self.concealed.remove(&piece) || (piece >= self.next && !self.there.contains(&piece)) {
            self.handle_packet(now, timestamp);
        }
    }

    /// Plays up to `now`.
    pub fn advance(&mut self, now: Instant) {
        let Some(clock) = &self.clock else { return };
        while clock.time_of(self.next * SAMPLES) + clock.delay <= now {
            if self.there.remove(&self.next) {
                self.counts.played += 1;
                self.gap = 0;
            } else {
                self.counts.concealed += 1;
                self.concealed.insert(self.next);
                if self.concealed.len() > CONCEALED_MAX {
                    self.concealed.pop_first();
                }
                self.gap += 1;
                self.counts.longest_gap = self.counts.longest_gap.max(self.gap);
            }
            self.next += 1;
        }
    }

    /// What was played up to the last packet or [`Self::advance`].
    #[must_use]
    pub fn counts(&self) -> SpeakerCounts {
        self.counts
    }
}

/// Maps the sender's clock to ours: the fastest packet seen sets the line, and a delay covers the slower ones.
#[derive(Debug)]
struct MediaClock {
    origin: Instant,
    newest: (u32, i64),
    rate: i64,
    delay: Duration,
    bounds: DelayBounds,
    looked: Instant,
}

#[derive(Debug, Clone, Copy)]
struct DelayBounds {
    least: Duration,
    most: Duration,
    margin: Duration,
    falls_per_second: Duration,
}

impl MediaClock {
    fn new(now: Instant, timestamp: u32, rate: i64, bounds: DelayBounds) -> Self {
        let newest = (timestamp, 0);
        Self { origin: now, newest, rate, delay: bounds.least, bounds, looked: now }
    }

    /// Ticks since the first timestamp, over wraps.
    fn media(&self, timestamp: u32) -> i64 {
        let (newest, media) = self.newest;
        media + i64::from(timestamp.wrapping_sub(newest) as i32)
    }

    /// When the fastest line would have brought it.
    fn time_of(&self, media: i64) -> Instant {
        let time = Duration::from_nanos(media.unsigned_abs() * 1_000_000_000 / self.rate.unsigned_abs());
        if media < 0 { self.origin.checked_sub(time).unwrap_or(self.origin) } else { self.origin + time }
    }

    /// When something that is there at `now` is due; learns from how late it is.
    fn due(&mut self, now: Instant, timestamp: u32) -> Instant {
        let media = self.media(timestamp);
        if media > self.newest.1 {
            self.newest = (timestamp, media);
        }
        let expected = self.time_of(media);
        if now < expected {
            // Faster than the fastest so far: everything else turns out to have been later by as much.
            let faster = expected - now;
            self.origin = self.origin.checked_sub(faster).unwrap_or(self.origin);
            self.delay = (self.delay + faster).min(self.bounds.most);
        }
        let fall = self.bounds.falls_per_second.mul_f64(now.saturating_duration_since(self.looked).as_secs_f64());
        self.looked = now;
        let late = now.saturating_duration_since(self.time_of(media));
        let kept = self.delay.saturating_sub(fall);
        self.delay = kept.max((late + self.bounds.margin).min(self.bounds.most)).max(self.bounds.least);
        self.time_of(media) + self.delay
    }
}

const SCREEN_DELAY: DelayBounds = DelayBounds {
    least: Duration::from_millis(10),
    most: Duration::from_secs(1),
    margin: Duration::from_millis(10),
    falls_per_second: Duration::from_millis(20),
};
const SPEAKER_DELAY: DelayBounds = DelayBounds {
    least: Duration::from_millis(40),
    most: Duration::from_millis(400),
    margin: Duration::from_millis(20),
    // libwebrtc forgets overtaken and repeated packets by 0.07 % with each one: its delay stands for half a minute.
    falls_per_second: Duration::from_millis(3),
};
const FIRST_PATIENCE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(3);
const ASK_AGAIN: Duration = Duration::from_secs(1);
const GAPS: usize = 30;
const GAPS_MIN: usize = 5;
/// Opus packets of 20 ms at 48 kHz.
const SAMPLES: i64 = 960;
/// Ten seconds of a busy picture.
const PIECES_MAX: usize = 4_096;
/// A copy comes a third of a second after its time at the latest.
const CONCEALED_MAX: usize = 32;
/// Ten seconds of voice ahead of its time.
const THERE_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made from nothing")]
        Instant::now()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Picture `number` of two packets at 25 a second; every 50th is a keyframe.
    fn picture(number: u64) -> [PicturePacket; 2] {
        let timestamp = (number * 3_600) as u32;
        let packet = |at: u64| PicturePacket {
            seq: number * 2 + at,
            timestamp,
            marker: at == 1,
            starts_keyframe: at == 0 && number.is_multiple_of(50),
            is_padding: false,
        };
        [packet(0), packet(1)]
    }

    fn show(screen: &mut Screen, start: Instant, numbers: std::ops::Range<u64>) -> Vec<Freeze> {
        let mut freezes = Vec::new();
        for number in numbers {
            for packet in picture(number) {
                freezes.extend(screen.handle_packet(start + ms(number * 40), packet));
            }
        }
        freezes
    }

    #[test]
    fn a_clean_stream_shows_every_picture_and_never_freezes() {
        let (start, mut screen) = (origin(), Screen::new());
        assert!(show(&mut screen, start, 0..500).is_empty());
        assert_eq!(screen.counts(start + ms(500 * 40)), ScreenCounts { pictures: 500, ..ScreenCounts::default() });
    }

    #[test]
    fn a_packet_that_comes_late_holds_the_pictures_behind_it() {
        let (start, mut screen) = (origin(), Screen::new());
        show(&mut screen, start, 0..20);
        let [first, second] = picture(20);
        screen.handle_packet(start + ms(800), first);
        assert!(show(&mut screen, start, 21..30).is_empty());
        let freezes = screen.handle_packet(start + ms(1_200), second);
        assert_eq!(freezes.len(), 1);
        assert!((ms(390)..ms(450)).contains(&freezes[0].lasted), "{:?}", freezes[0].lasted);
        assert_eq!(screen.counts(start + ms(1_200)).pictures, 30);
    }

    #[test]
    fn a_short_repair_is_hidden_once_the_delay_has_grown() {
        let (start, mut screen) = (origin(), Screen::new());
        show(&mut screen, start, 0..20);
        for late in [20u64, 40] {
            let [first, second] = picture(late);
            screen.handle_packet(start + ms(late * 40), first);
            screen.handle_packet(start + ms(late * 40 + 60), second);
            show(&mut screen, start, late + 1..late + 20);
        }
        assert_eq!(screen.counts(start + ms(60 * 40)).freezes, 0);
    }

    #[test]
    fn what_is_lost_for_good_stands_until_the_next_keyframe() {
        let (start, mut screen) = (origin(), Screen::new());
        show(&mut screen, start, 0..20);
        let freezes = show(&mut screen, start, 21..60);
        assert_eq!(freezes.len(), 1);
        assert!((ms(1_200)..ms(1_300)).contains(&freezes[0].lasted), "{:?}", freezes[0].lasted);
        let mut open = Screen::new();
        show(&mut open, start, 0..20);
        assert_eq!(open.counts(start + ms(5_000)).freezes, 1, "the open gap counts");
    }

    #[test]
    fn a_keyframe_is_asked_for_once_a_second_while_the_screen_is_dark() {
        let (start, mut screen) = (origin(), Screen::new());
        show(&mut screen, start, 1..3);
        let asked = (0..50).filter(|step| screen.wants_keyframe(start + ms(step * 100), false)).count();
        assert_eq!(asked, 5);
    }

    #[test]
    fn voice_that_is_not_there_in_time_is_concealed() {
        let (start, mut speaker) = (origin(), Speaker::new());
        for piece in (0..1_000u32).filter(|piece| piece % 10 != 3) {
            speaker.handle_packet(start + ms(u64::from(piece) * 20), piece.wrapping_mul(960).wrapping_sub(5_000));
        }
        speaker.advance(start + ms(20_000));
        let counts = speaker.counts();
        assert!((counts.concealed_share() - 0.1).abs() < 0.01, "{counts:?}");
        assert!(counts.played + counts.concealed >= 995);
    }

    #[test]
    fn voice_that_comes_again_in_time_is_not_concealed() {
        for back in [1u32, 2, 12] {
            let (start, mut speaker) = (origin(), Speaker::new());
            for piece in (0..1_000u32).filter(|piece| piece % 20 != 13) {
                let now = start + ms(u64::from(piece) * 20);
                speaker.handle_packet(now, piece.wrapping_mul(960).wrapping_sub(5_000));
                if piece >= back {
                    speaker.handle_repeat(now, (piece - back).wrapping_mul(960).wrapping_sub(5_000));
                }
            }
            speaker.advance(start + ms(20_000));
            let counts = speaker.counts();
            assert!(counts.concealed <= 2, "{back}: {counts:?}, after the delay was learnt");
            assert!(counts.played + counts.concealed >= 980);
        }
    }

    #[test]
    fn a_slower_line_is_learnt_and_then_nothing_is_concealed() {
        let (start, mut speaker) = (origin(), Speaker::new());
        let mut concealed_early = 0;
        let mut arrivals: Vec<(u64, u32)> =
            (0..1_000u32).map(|piece| (u64::from(piece) * 20 + if piece % 3 == 0 { 120 } else { 0 }, piece)).collect();
        arrivals.sort_unstable();
        for (at, piece) in arrivals {
            speaker.handle_packet(start + ms(at), piece * 960);
            if piece == 100 {
                concealed_early = speaker.counts().concealed;
            }
        }
        assert!(concealed_early > 0);
        assert!(speaker.counts().concealed <= concealed_early + 2, "{:?}", speaker.counts());
    }
}
