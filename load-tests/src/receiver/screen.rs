//! One picture slot of the model.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::clock::{DelayBounds, MediaClock};

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

const SCREEN_DELAY: DelayBounds = DelayBounds {
    least: Duration::from_millis(10),
    most: Duration::from_secs(1),
    margin: Duration::from_millis(10),
    falls_per_second: Duration::from_millis(20),
};
const FIRST_PATIENCE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(3);
const ASK_AGAIN: Duration = Duration::from_secs(1);
const GAPS: usize = 30;
const GAPS_MIN: usize = 5;
/// Ten seconds of a busy picture.
const PIECES_MAX: usize = 4_096;

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
}
