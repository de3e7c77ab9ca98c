//! A simulated network line, seeded: rate, queue, delay, jitter and loss. Sans-I/O: time and packets are arguments.
//!
//! One [`Link`] is one direction. The same seed loses the same packets. The meaning of every figure is that of
//! `tongke-line`, which puts the same links between two network namespaces for real browsers.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

/// How one direction of a line behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Bits per second at the bottleneck. `None`: no bottleneck.
    pub rate_bps: Option<u64>,
    /// Longest wait at the bottleneck; what would wait longer is dropped.
    pub queue: Duration,
    /// Time on the way, one direction.
    pub delay: Duration,
    /// Each packet's delay is off by up to this much, either way, so packets may overtake each other.
    pub jitter: Duration,
    /// Long-run share of packets lost, 0 to 1.
    pub loss: f64,
    /// Mean number of packets lost in a row (Gilbert's model). 0: each packet is lost or not by itself.
    pub burst: f64,
}

impl Line {
    /// A line without delay, loss or bottleneck.
    pub const CLEAN: Self = Self {
        rate_bps: None,
        queue: Duration::from_millis(300),
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: 0.0,
        burst: 0.0,
    };

    /// The rural presets of the product's published definitions: 2 Mbit/s, 1 % loss, 60 ms round trip.
    pub const RURAL_2M: Self = Self::rural(2_000_000, 0.01, 60);
    /// 1 Mbit/s, 3 % loss, 100 ms round trip.
    pub const RURAL_1M: Self = Self::rural(1_000_000, 0.03, 100);
    /// 500 kbit/s, 5 % loss, 150 ms round trip.
    pub const RURAL_500K: Self = Self::rural(500_000, 0.05, 150);
    /// 300 kbit/s, 10 % loss, 200 ms round trip.
    pub const RURAL_300K: Self = Self::rural(300_000, 0.10, 200);
    /// Nothing passes: for the 10 s outage, and for UDP blocked.
    pub const DEAD: Self = Self { loss: 1.0, ..Self::CLEAN };

    const fn rural(rate_bps: u64, loss: f64, rtt_ms: u64) -> Self {
        Self { rate_bps: Some(rate_bps), delay: Duration::from_millis(rtt_ms / 2), loss, ..Self::CLEAN }
    }

    /// An ordinary wire of 20 ms each way that loses this share of packets.
    #[must_use]
    pub const fn losing(loss: f64) -> Self {
        Self { loss, delay: Duration::from_millis(20), ..Self::CLEAN }
    }

    /// The preset of that name: `clean`, `2m`, `1m`, `500k`, `300k`, `dead`.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        Some(match name {
            "clean" => Self::CLEAN,
            "2m" => Self::RURAL_2M,
            "1m" => Self::RURAL_1M,
            "500k" => Self::RURAL_500K,
            "300k" => Self::RURAL_300K,
            "dead" => Self::DEAD,
            _ => return None,
        })
    }

    /// A whole line: a preset's name, a bare rate such as `100k` or `4m`, or settings as [`Self::set`] takes them,
    /// which may begin with either: `100k,delay_ms=40`.
    ///
    /// # Errors
    /// The sentence names what cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (first, rest) = text.split_once(',').unwrap_or((text, ""));
        let rate = |unit: char, kbps: u32| first.strip_suffix(unit)?.parse::<u32>().ok()?.checked_mul(kbps);
        let mut line = Self::CLEAN;
        if let Some(preset) = Self::preset(first) {
            line = preset;
        } else if let Some(kbps) = rate('k', 1).or_else(|| rate('m', 1_000)).filter(|kbps| *kbps > 0) {
            line.rate_bps = Some(u64::from(kbps) * 1_000);
        } else {
            return line.set(text).map(|()| line);
        }
        line.set(rest).map(|()| line)
    }

    /// Changes what `settings` names, as `rate_kbps=300,loss_pct=5`; `rate_kbps=0` takes the bottleneck away. Other
    /// keys: `delay_ms`, `jitter_ms`, `burst`, `queue_ms`, and `preset=300k` for a whole line.
    ///
    /// # Errors
    /// The sentence names the pair that cannot be read. Nothing is changed then.
    pub fn set(&mut self, settings: &str) -> Result<(), String> {
        let mut line = *self;
        for pair in settings.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| format!("not key=value: {pair}"))?;
            if key == "preset" {
                line = Self::preset(value).ok_or_else(|| format!("no such preset: {value}"))?;
                continue;
            }
            let value: f64 = value.parse().map_err(|_| format!("not a number: {pair}"))?;
            if !(0.0..=1e9).contains(&value) {
                return Err(format!("out of range: {pair}"));
            }
            let time = Duration::from_secs_f64(value / 1e3);
            match key {
                "rate_kbps" => line.rate_bps = (value > 0.0).then_some((value * 1e3) as u64),
                "delay_ms" => line.delay = time,
                "jitter_ms" => line.jitter = time,
                "loss_pct" => line.loss = (value / 100.0).min(1.0),
                "burst" => line.burst = if value > 0.0 { value.max(1.0) } else { 0.0 },
                "queue_ms" => line.queue = time,
                _ => return Err(format!("unknown key: {key}")),
            }
        }
        *self = line;
        Ok(())
    }
}

/// What became of what was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Packets handed over.
    pub sent: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped because the queue at the bottleneck was too long.
    pub overflowed: u64,
}

/// One direction of a line, with what is under way on it.
#[derive(Debug)]
pub struct Link<T> {
    line: Line,
    dice: StdRng,
    losing: bool,
    free_at: Option<Instant>,
    in_flight: BinaryHeap<InFlight<T>>,
    counts: LinkCounts,
}

impl<T> Link<T> {
    /// The same seed and the same packets give the same losses and delays.
    #[must_use]
    pub fn new(line: Line, seed: u64) -> Self {
        Self {
            line,
            dice: StdRng::seed_from_u64(seed),
            losing: false,
            free_at: None,
            in_flight: BinaryHeap::new(),
            counts: LinkCounts::default(),
        }
    }

    /// The line as it is now.
    #[must_use]
    pub fn line(&self) -> Line {
        self.line
    }

    /// Changes the line at once; what is under way arrives as it would have.
    pub fn set(&mut self, line: Line) {
        self.line = line;
    }

    /// What became of everything so far.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        self.counts
    }

    /// How long a packet handed over at `now` would wait at the bottleneck.
    #[must_use]
    pub fn waiting(&self, now: Instant) -> Duration {
        self.free_at.map_or(Duration::ZERO, |free| free.saturating_duration_since(now))
    }

    /// Hands `item` over at `now`; `bytes` is its size on the wire.
    pub fn send(&mut self, now: Instant, bytes: usize, item: T) {
        self.counts.sent += 1;
        if self.is_lost() {
            self.counts.lost += 1;
            return;
        }
        let mut leaves = self.free_at.map_or(now, |free| free.max(now));
        if let Some(rate) = self.line.rate_bps {
            if leaves - now > self.line.queue || self.in_flight.len() >= UNDER_WAY_MAX {
                self.counts.overflowed += 1;
                return;
            }
            leaves += Duration::from_nanos(bytes as u64 * 8 * 1_000_000_000 / rate.max(1));
            self.free_at = Some(leaves);
        }
        let sway = (self.dice.random::<f64>() * 2.0 - 1.0) * self.line.jitter.as_secs_f64();
        let delay = Duration::from_secs_f64((self.line.delay.as_secs_f64() + sway).max(0.0));
        self.in_flight.push(InFlight { due: leaves + delay, number: self.counts.sent, item });
    }

    /// The next item that has arrived by `now`.
    pub fn poll(&mut self, now: Instant) -> Option<T> {
        if self.in_flight.peek()?.due > now {
            return None;
        }
        self.in_flight.pop().map(|packet| packet.item)
    }

    /// When the next item arrives. `None`: nothing is under way.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.in_flight.peek().map(|packet| packet.due)
    }

    /// Independent losses, or Gilbert's two states: the bad one loses everything and lasts `burst` packets on average.
    fn is_lost(&mut self) -> bool {
        let Line { loss, burst, .. } = self.line;
        let chance: f64 = self.dice.random();
        self.losing = if loss >= 1.0 {
            true
        } else if burst == 0.0 {
            chance < loss
        } else if self.losing {
            chance >= 1.0 / burst
        } else {
            chance < loss / (burst * (1.0 - loss))
        };
        self.losing
    }
}

#[derive(Debug)]
struct InFlight<T> {
    due: Instant,
    number: u64,
    item: T,
}

// Earliest first, and in order of sending where the times are equal: the heap is a maximum heap.
impl<T> Ord for InFlight<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl<T> PartialOrd for InFlight<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for InFlight<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for InFlight<T> {}

/// A gigabit for a third of a second is about 30,000 packets: more is a fault of the caller.
const UNDER_WAY_MAX: usize = 32_768;

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made from nothing")]
        Instant::now()
    }

    /// Sends one packet of 1,000 bytes each millisecond; returns which arrived and when (ms).
    fn pass(line: Line, seed: u64, packets: u64) -> Vec<(u64, u128)> {
        let start = origin();
        let mut link = Link::new(line, seed);
        for number in 0..packets {
            link.send(start + Duration::from_millis(number), 1_000, number);
        }
        let mut arrived = Vec::new();
        while let Some(due) = link.poll_timeout() {
            arrived.push((link.poll(due).unwrap(), (due - start).as_millis()));
        }
        arrived
    }

    #[test]
    fn a_clean_line_delays_and_nothing_else() {
        let line = Line { delay: Duration::from_millis(40), ..Line::CLEAN };
        assert_eq!(pass(line, 1, 3), [(0, 40), (1, 41), (2, 42)]);
    }

    #[test]
    fn the_same_seed_loses_the_same_packets() {
        let line = Line::losing(0.1);
        assert_eq!(pass(line, 7, 1_000), pass(line, 7, 1_000));
        assert_ne!(pass(line, 7, 1_000), pass(line, 8, 1_000));
    }

    #[test]
    fn the_long_run_share_of_losses_is_what_was_asked() {
        for burst in [0.0, 3.0, 10.0] {
            for loss in [0.05, 0.2, 0.4] {
                let line = Line { loss, burst, ..Line::CLEAN };
                let lost = 1.0 - pass(line, 3, 100_000).len() as f64 / 100_000.0;
                assert!((lost - loss).abs() < 0.02, "{lost} lost, {loss} asked, bursts of {burst}");
            }
        }
    }

    #[test]
    fn losses_in_bursts_have_the_mean_length_asked() {
        let arrived = pass(Line { loss: 0.2, burst: 4.0, ..Line::CLEAN }, 5, 100_000);
        let gaps: Vec<u64> = arrived.windows(2).map(|pair| pair[1].0 - pair[0].0 - 1).filter(|gap| *gap > 0).collect();
        let mean = gaps.iter().sum::<u64>() as f64 / gaps.len() as f64;
        assert!((3.5..4.5).contains(&mean), "{mean}");
    }

    #[test]
    fn a_bottleneck_queues_and_then_drops() {
        // 8 kbit each millisecond into 4 Mbit/s: every second packet is too much; the queue holds 50 ms.
        let line = Line { rate_bps: Some(4_000_000), queue: Duration::from_millis(50), ..Line::CLEAN };
        let arrived = pass(line, 1, 1_000);
        assert!((500..540).contains(&arrived.len()), "{}", arrived.len());
        let wait = arrived.iter().map(|(sent, at)| at - u128::from(*sent)).max().unwrap();
        assert!((50..=53).contains(&wait), "{wait} ms");
    }

    #[test]
    fn settings_are_read_or_refused_whole() {
        let mut line = Line::CLEAN;
        line.set("rate_kbps=300, loss_pct=5,burst=3").unwrap();
        assert_eq!((line.rate_bps, line.loss, line.burst), (Some(300_000), 0.05, 3.0));
        assert!(line.set("rate_kbps=0,colour=3").is_err());
        assert_eq!(line.rate_bps, Some(300_000));
        line.set("preset=1m").unwrap();
        assert_eq!(line, Line::RURAL_1M);
        let slow = Line { rate_bps: Some(100_000), delay: Duration::from_millis(40), ..Line::CLEAN };
        assert_eq!(Line::parse("100k,delay_ms=40"), Ok(slow));
        assert_eq!(Line::parse("300k").map(|line| line.loss), Ok(0.1), "a preset comes before a rate");
        assert!(Line::parse("k").is_err() && Line::parse("0k").is_err() && Line::parse("fast").is_err());
    }
}
