//! One virtual classroom, sans-I/O: a transport, a subscriber, and what it has seen so far.

use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use super::{
    delay::SendTimes,
    description::{Answer, RTX},
    subscriber::{SlotCounts, Subscriber},
    transport::{Incoming, Transport},
};
use crate::media::{
    picture::FirstPicture,
    rtp::{RtpLayout, is_rtcp},
};

/// A classroom that receives.
pub struct Classroom {
    transport: Transport,
    subscriber: Subscriber,
    sounds: Vec<bool>,
    asked_at: Instant,
    first_packet: Option<Duration>,
    first_picture: Option<Duration>,
    pictures: Vec<FirstPicture>,
    ask_keyframe_at: Option<Instant>,
    check_every: u64,
    datagrams: u64,
    bytes: u64,
    baseline: ReceptionTotals,
    flood_at: Option<Instant>,
}

/// What classrooms received, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceptionTotals {
    /// RTP and RTCP datagrams.
    pub datagrams: u64,
    /// Their bytes, UDP payload.
    pub bytes: u64,
    /// Different media packets.
    pub packets: u64,
    /// Packets missing when a later one came.
    pub missed: u64,
    /// Of those, how many came after all.
    pub repaired: u64,
    /// Packets received twice.
    pub duplicates: u64,
    /// Keyframes asked for.
    pub keyframes_asked: u64,
    /// Datagrams whose tag did not fit.
    pub refused: u64,
    /// Different voice packets received.
    pub voice_packets: u64,
    /// Voice packets that never came.
    pub voice_lost: u64,
    /// Payload bytes of different picture packets.
    pub picture_bytes: u64,
    /// Payload bytes that came by RTX, asked for or not.
    pub resent_bytes: u64,
}

impl ReceptionTotals {
    /// Share of packets that never came, 0 to 1.
    #[must_use]
    pub fn loss(&self) -> f64 {
        (self.missed - self.repaired.min(self.missed)) as f64 / (self.packets + self.missed).max(1) as f64
    }
}

/// How a classroom behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Habit {
    /// As a browser.
    #[default]
    Ordinary,
    /// Asks for 200 keyframes and 10,000 packets a second.
    Flooding,
}

impl Classroom {
    /// `asked_at` is when its POST began, from which joining is measured. `check_every` opens one packet in so many
    /// (1: every tag is checked) once the first picture is there.
    #[must_use]
    pub fn new(
        now: Instant,
        asked_at: Instant,
        transport: Transport,
        answer: &Answer,
        check_every: u64,
        habit: Habit,
    ) -> Self {
        Self {
            transport,
            subscriber: Subscriber::new(now, &answer.media),
            sounds: answer.media.iter().map(|media| media.sound).collect(),
            asked_at,
            first_packet: None,
            first_picture: None,
            pictures: vec![FirstPicture::default(); answer.media.len()],
            ask_keyframe_at: None,
            check_every: check_every.max(1),
            datagrams: 0,
            bytes: 0,
            baseline: ReceptionTotals::default(),
            flood_at: (habit == Habit::Flooding).then_some(now),
        }
    }

    /// The transport, for what it wants sent.
    pub fn transport(&mut self) -> &mut Transport {
        &mut self.transport
    }

    /// Takes one datagram. `delays` collects how long packets took, in microseconds.
    ///
    /// # Errors
    /// The connection is dead.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        from: std::net::SocketAddr,
        datagram: &[u8],
        times: &SendTimes,
        delays: &mut Histogram<u64>,
    ) -> Result<()> {
        if datagram.first().is_some_and(|byte| (128..=191).contains(byte)) {
            self.datagrams += 1;
            self.bytes += datagram.len() as u64;
            if self.may_skip(datagram) {
                // Headers are in the clear; what lies behind the tag is not looked at.
                self.subscriber.handle_rtp(now, &datagram[..datagram.len() - TAG_BYTES]);
                return Ok(());
            }
        }
        match self.transport.handle_datagram(now, from, datagram)? {
            Some(Incoming::Rtp(packet)) => self.media(now, &packet, times, delays),
            Some(Incoming::Rtcp(compound)) => {
                if let Ok(packets) = rtc_rtcp::packet::unmarshal(&mut &compound[..]) {
                    self.subscriber.handle_rtcp(now, &packets);
                }
            }
            Some(Incoming::Closed) => anyhow::bail!("the hub closed the connection"),
            Some(Incoming::Connected) | None => {}
        }
        Ok(())
    }

    /// Does what is due.
    ///
    /// # Errors
    /// The handshake has been repeated too often.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        self.transport.handle_timeout(now)?;
        if !self.transport.connected() {
            return Ok(());
        }
        if let Some(rtt) = self.transport.rtt() {
            self.subscriber.set_rtt(rtt);
        }
        if self.ask_keyframe_at.is_some_and(|at| at <= now) {
            self.ask_keyframe_at = Some(now + ASK_KEYFRAME_AGAIN);
            for slot in 0..self.subscriber.slots() {
                if !self.sounds[slot] && !self.pictures[slot].is_whole() {
                    self.subscriber.ask_keyframe(slot)?;
                }
            }
        }
        while let Some(at) = self.flood_at.filter(|at| *at <= now) {
            // Nothing is made up for from before the connection, or after a long wait.
            self.flood_at = Some((at + FLOOD_INTERVAL).max(now.checked_sub(FLOOD_BEHIND_MAX).unwrap_or(at)));
            for slot in (0..self.subscriber.slots()).filter(|slot| !self.sounds[*slot]) {
                self.subscriber.flood(slot, FLOOD_NACKS)?;
            }
        }
        self.subscriber.handle_timeout(now)?;
        while let Some(compound) = self.subscriber.poll_output() {
            self.transport.send_rtcp(&compound)?;
        }
        Ok(())
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let due = self.transport.poll_timeout();
        if !self.transport.connected() {
            return due;
        }
        let due = due.min(self.subscriber.poll_timeout());
        [self.ask_keyframe_at, self.flood_at].into_iter().flatten().fold(due, Instant::min)
    }

    /// From the POST to the first media packet. `None`: none yet.
    #[must_use]
    pub fn first_packet(&self) -> Option<Duration> {
        self.first_packet
    }

    /// From the POST to the first whole keyframe. `None`: none yet.
    #[must_use]
    pub fn first_picture(&self) -> Option<Duration> {
        self.first_picture
    }

    /// Starts the steady interval: [`Self::tally`] counts from here.
    pub fn mark(&mut self) {
        self.baseline = self.total();
    }

    /// What was received since [`Self::mark`].
    #[must_use]
    pub fn tally(&self) -> ReceptionTotals {
        let (now, then) = (self.total(), self.baseline);
        ReceptionTotals {
            datagrams: now.datagrams - then.datagrams,
            bytes: now.bytes - then.bytes,
            packets: now.packets - then.packets,
            missed: now.missed - then.missed,
            repaired: now.repaired - then.repaired,
            duplicates: now.duplicates - then.duplicates,
            keyframes_asked: now.keyframes_asked - then.keyframes_asked,
            refused: now.refused - then.refused,
            voice_packets: now.voice_packets - then.voice_packets,
            voice_lost: now.voice_lost.saturating_sub(then.voice_lost),
            picture_bytes: now.picture_bytes - then.picture_bytes,
            resent_bytes: now.resent_bytes - then.resent_bytes,
        }
    }

    fn total(&self) -> ReceptionTotals {
        let mut tally = ReceptionTotals {
            datagrams: self.datagrams,
            bytes: self.bytes,
            refused: self.transport.refused(),
            ..ReceptionTotals::default()
        };
        for slot in 0..self.subscriber.slots() {
            let counts = self.subscriber.counts(slot);
            let SlotCounts { packets, missed, repaired, duplicates, keyframes_asked, .. } = counts;
            if self.sounds[slot] {
                tally.voice_packets += packets;
                tally.voice_lost += counts.lost();
            } else {
                tally.picture_bytes += counts.bytes;
            }
            tally.resent_bytes += counts.resent_bytes;
            tally.packets += packets;
            tally.missed += missed;
            tally.repaired += repaired;
            tally.duplicates += duplicates;
            tally.keyframes_asked += keyframes_asked;
        }
        tally
    }

    fn media(&mut self, now: Instant, packet: &[u8], times: &SendTimes, delays: &mut Histogram<u64>) {
        let Some(media) = self.subscriber.handle_rtp(now, packet) else { return };
        let since_asked = now.saturating_duration_since(self.asked_at);
        self.first_packet.get_or_insert(since_asked);
        let mut payload = &packet[media.payload];
        if media.redundant {
            // What is new in it stands last.
            let blocks = sfu::forward::red::read(payload, media.timestamp);
            payload = blocks.and_then(|blocks| blocks.last().map(|block| block.payload)).unwrap_or_default();
        }
        if let Some(delay) = times.delay(now, payload) {
            delays.saturating_record((delay.as_micros() as u64).max(1));
        }
        if self.sounds[media.slot] {
            return;
        }
        if self.pictures[media.slot].note(media.seq, media.timestamp, media.marker, payload) {
            self.first_picture.get_or_insert(since_asked);
            self.ask_keyframe_at = None;
        } else if self.first_picture.is_none() && self.ask_keyframe_at.is_none() {
            self.ask_keyframe_at = Some(now + ASK_KEYFRAME_AFTER);
        }
    }

    fn may_skip(&self, datagram: &[u8]) -> bool {
        self.check_every > 1
            && !self.datagrams.is_multiple_of(self.check_every)
            && self.first_picture.is_some()
            && !is_rtcp(datagram)
            && datagram.len() > TAG_BYTES
            && RtpLayout::read(datagram).is_some_and(|layout| layout.payload_type != RTX)
    }
}

impl std::ops::AddAssign for ReceptionTotals {
    fn add_assign(&mut self, other: Self) {
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.packets += other.packets;
        self.missed += other.missed;
        self.repaired += other.repaired;
        self.duplicates += other.duplicates;
        self.keyframes_asked += other.keyframes_asked;
        self.refused += other.refused;
        self.voice_packets += other.voice_packets;
        self.voice_lost += other.voice_lost;
        self.picture_bytes += other.picture_bytes;
        self.resent_bytes += other.resent_bytes;
    }
}

/// Packets flow but no keyframe does: a browser asks after about this long.
const ASK_KEYFRAME_AFTER: Duration = Duration::from_millis(500);
const ASK_KEYFRAME_AGAIN: Duration = Duration::from_secs(1);
/// 200 keyframes and 50 × 200 packets asked for in each second.
const FLOOD_INTERVAL: Duration = Duration::from_millis(5);
const FLOOD_NACKS: u16 = 50;
const FLOOD_BEHIND_MAX: Duration = Duration::from_millis(50);
/// AES-GCM's (RFC 7714).
const TAG_BYTES: usize = 16;
