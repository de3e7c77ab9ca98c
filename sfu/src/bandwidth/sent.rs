//! What was sent when, by transport-wide sequence number, and rates over short times.

/// The newest packets sent. Times are microseconds since an origin of its owner.
#[derive(Debug)]
pub(super) struct SentLog {
    ring: Box<[SentPacket; LOG_PACKETS]>,
    /// One past the newest number, extended.
    next: u64,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SentPacket {
    /// Low 32 bits of the time of sending.
    at: u32,
    /// Bytes of UDP payload.
    pub(super) bytes: u16,
    /// The probe it was sent during; 0: none.
    pub(super) cluster: u8,
    status: PacketStatus,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum PacketStatus {
    /// Nothing was reported, or nothing sent.
    #[default]
    Unknown,
    Missing,
    Arrived,
}

/// A packet of which something new is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct PacketOutcome {
    pub(super) sent_us: i64,
    /// When it arrived by the receiver's clock. `None`: it is missing.
    pub(super) arrived_us: Option<i64>,
    pub(super) bytes: u32,
    pub(super) cluster: u8,
    pub(super) seq: u64,
    /// It was reported missing before.
    pub(super) was_missing: bool,
}

impl SentLog {
    pub(super) fn new() -> Self {
        Self { ring: Box::new([SentPacket::default(); LOG_PACKETS]), next: 0 }
    }

    /// Notes a packet. Its number is the one after the last.
    pub(super) fn note(&mut self, now_us: i64, seq: u16, bytes: usize, cluster: u8) {
        if self.next == 0 {
            // One wrap above zero: what is reported before it has a number too.
            self.next = u64::from(seq) + (1 << 16);
        }
        let sent = SentPacket {
            at: now_us as u32,
            bytes: u16::try_from(bytes).unwrap_or(u16::MAX),
            cluster,
            status: PacketStatus::Unknown,
        };
        self.ring[self.next as usize % LOG_PACKETS] = sent;
        self.next += 1;
    }

    /// As [`crate::worker::peer::Peer::prefetch`].
    pub(super) fn prefetch(&self) -> u64 {
        u64::from(self.ring[self.next as usize % LOG_PACKETS].at)
    }

    /// One past the newest number.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Takes the outcome of one packet. `None`: never sent, forgotten, or known already.
    pub(super) fn take(&mut self, now_us: i64, seq: u16, arrived_us: Option<i64>) -> Option<PacketOutcome> {
        let seq = crate::packet::extend(self.next.checked_sub(1)?, seq);
        if seq >= self.next || seq + LOG_PACKETS as u64 <= self.next {
            return None;
        }
        let sent = &mut self.ring[seq as usize % LOG_PACKETS];
        let was_missing = sent.status == PacketStatus::Missing;
        if sent.bytes == 0 || sent.status == PacketStatus::Arrived || (was_missing && arrived_us.is_none()) {
            return None;
        }
        sent.status = if arrived_us.is_some() { PacketStatus::Arrived } else { PacketStatus::Missing };
        let age = i64::from((now_us as u32).wrapping_sub(sent.at));
        Some(PacketOutcome {
            sent_us: now_us - age,
            arrived_us,
            bytes: u32::from(sent.bytes) + WIRE_BYTES,
            cluster: sent.cluster,
            seq,
            was_missing,
        })
    }
}

/// Three seconds of 4 Mbit/s; reports are a tenth of that and a round trip old.
pub(super) const LOG_PACKETS: usize = 1_024;

/// What a line carries beside UDP payload: IPv4 and UDP headers.
pub(super) const WIRE_BYTES: u32 = 28;

/// Bytes over the last half second, in bins.
#[derive(Debug, Default)]
pub(super) struct BinnedRate {
    bins: [u32; BINS],
    /// Number of the newest bin.
    newest: i64,
    first_us: Option<i64>,
    last_us: i64,
}

impl BinnedRate {
    pub(super) fn add(&mut self, at_us: i64, bytes: u32) {
        let bin = at_us.div_euclid(BIN_US);
        if self.first_us.is_none() {
            self.first_us = Some(at_us);
            self.newest = bin;
            self.last_us = at_us;
        }
        if bin > self.newest {
            let passed = (bin - self.newest).min(BINS as i64);
            for empty in 0..passed {
                self.bins[(bin - empty).rem_euclid(BINS as i64) as usize] = 0;
            }
            self.newest = bin;
        }
        if bin + BINS as i64 > self.newest {
            let slot = &mut self.bins[bin.rem_euclid(BINS as i64) as usize];
            *slot = slot.saturating_add(bytes);
        }
        self.last_us = self.last_us.max(at_us);
    }

    /// Bits per second over the newest `bins` bins up to the newest byte. `None`: less than two bins are known.
    pub(super) fn bps(&self, bins: usize) -> Option<u64> {
        let bins = bins.min(BINS);
        let since = ((self.newest - bins as i64 + 1) * BIN_US).max(self.first_us?);
        let span = self.last_us - since;
        if span < BIN_US {
            return None;
        }
        let bytes: u64 = (0..bins as i64)
            .map(|back| u64::from(self.bins[(self.newest - back).rem_euclid(BINS as i64) as usize]))
            .sum();
        Some(bytes * 8 * 1_000_000 / span as u64)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

const BIN_US: i64 = 50_000;

/// Half a second, and the bin that is being filled.
const BINS: usize = 11;
