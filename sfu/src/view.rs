//! The viewer's side of a connection: slots in, sealed packets out, and what the viewer says of them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use rtc_rtcp::{
    reception_report::ReceptionReport,
    sender_report::SenderReport,
    source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem},
};
use smallvec::SmallVec;

use crate::{
    answer::ViewTerms,
    bandwidth::Bandwidth,
    history::History,
    media::TrackKind,
    outbox::Outbox,
    packet::{Packet, rewrite_vp8},
    publish::append,
    slot::{Placed, Slot},
    srtp::Sealer,
};

/// What flows to one viewer.
pub struct Viewer {
    /// Its slots, in the order of its offer.
    pub slots: SmallVec<[Slot; 4]>,
    /// What its line carries.
    pub bandwidth: Bandwidth,
    twcc_ext: Option<u8>,
    twcc_seq: u16,
    scratch: Vec<u8>,
    repeats: Repeats,
    /// Smoothed round trip. `None`: no report yet.
    pub rtt: Option<Duration>,
    /// Share lost on the way there in the last reports, 0 to 1: the worst slot.
    pub loss: f64,
    /// Packets and bytes sent since the last look.
    pub sent: (u64, u64),
}

impl Viewer {
    /// A viewer whose slots are empty. `seed` makes its numbers unguessable.
    #[must_use]
    pub fn new(terms: ViewTerms, mut seed: impl FnMut() -> u64) -> Self {
        Self {
            slots: terms.slots.into_iter().map(|slot| Slot::new(slot, seed())).collect(),
            bandwidth: Bandwidth::new(terms.twcc_ext.is_some()),
            twcc_ext: terms.twcc_ext,
            twcc_seq: 0,
            scratch: Vec::new(),
            repeats: Repeats::default(),
            rtt: None,
            loss: 0.0,
            sent: (0, 0),
        }
    }

    /// Sends one live packet in a slot, if the slot has a place for it now.
    pub fn forward(
        &mut self,
        now: Instant,
        slot: usize,
        packet: &Packet,
        to: SocketAddr,
        sealer: &mut Sealer,
        out: &mut Outbox,
    ) {
        if let Some(placed) = self.slots[slot].place(now, packet) {
            self.send(slot, placed, packet, to, sealer, out);
        }
    }

    /// Sends what waits of a slot in the history, while `budget_bytes` last. True while there is more.
    #[expect(clippy::too_many_arguments, reason = "the way of one packet, in one call")]
    pub fn catch_up(
        &mut self,
        now: Instant,
        slot: usize,
        history: &History,
        budget_bytes: &mut Option<usize>,
        to: SocketAddr,
        sealer: &mut Sealer,
        out: &mut Outbox,
    ) -> bool {
        while let Some((packet, placed)) = self.slots[slot].next_cached(now, history, budget_bytes) {
            self.send(slot, placed, packet, to, sealer, out);
        }
        self.slots[slot].catches_up()
    }

    /// Answers a NACK for one of a slot's sequence numbers with a retransmission (RFC 4588). `history` finds the layer
    /// that a span was fed from. Nothing is sent where the packet is gone, or was repeated less than a round trip ago.
    #[expect(clippy::too_many_arguments, reason = "the way of one packet, in one call")]
    pub fn repeat<'a>(
        &mut self,
        now: Instant,
        slot: usize,
        seq: u16,
        history: impl Fn(crate::id::TrackId, usize) -> Option<&'a History>,
        to: SocketAddr,
        sealer: &mut Sealer,
        out: &mut Outbox,
    ) {
        let Some((span, source_seq)) = self.slots[slot].locate(seq) else { return };
        let Some(rtx_pt) = span.rtx_pt else { return };
        let Some(packet) = history(span.track, span.layer).and_then(|history| history.get(source_seq)) else { return };
        let Some(placed) = span.place(packet) else { return };
        let pause = self.rtt.unwrap_or(FIRST_RTT).clamp(RTT_MIN, RTT_MAX);
        if !self.repeats.allows(now, pause, slot, placed.index, packet.payload.len())
            || !self.bandwidth.may_repeat(packet.payload.len())
        {
            return;
        }
        self.send_again(slot, rtx_pt, placed, packet, to, sealer, out);
    }

    /// Sends about `bytes` that nobody needs, so that the line shows what it carries: the newest packets of a picture
    /// once more, by RTX, or padding where there are none.
    pub fn probe<'a>(
        &mut self,
        bytes: usize,
        history: impl Fn(crate::id::TrackId, usize) -> Option<&'a History>,
        to: SocketAddr,
        sealer: &mut Sealer,
        out: &mut Outbox,
    ) {
        let repairs = |slot: &Slot| slot.terms().codecs.iter().find_map(|codec| codec.rtx_pt);
        let picture =
            |slot: &&usize| self.slots[**slot].source().is_some() && self.slots[**slot].newest_seq().is_some();
        let slots: SmallVec<[usize; 4]> =
            (0..self.slots.len()).filter(|at| repairs(&self.slots[*at]).is_some()).collect();
        let Some(slot) = slots.iter().find(picture).or(slots.first()).copied() else { return };
        let goal = self.sent.1 + bytes as u64;
        self.bandwidth.set_probing(true);
        for back in 0..PROBE_PACKETS_MAX {
            if self.sent.1 >= goal {
                break;
            }
            // A whole packet in front of the voice is a tenth of a second on the thinnest lines.
            let newest = self.slots[slot].newest_seq().filter(|_| bytes > 2 * PADDING_BYTES);
            let newest = newest.map(|seq| seq.wrapping_sub(back));
            let found = newest.and_then(|seq| {
                let (span, source_seq) = self.slots[slot].locate(seq)?;
                let packet = history(span.track, span.layer)?.get(source_seq)?;
                Some((span.rtx_pt?, span.place(packet)?, packet))
            });
            match found {
                Some((rtx_pt, placed, packet)) => self.send_again(slot, rtx_pt, placed, packet, to, sealer, out),
                None => {
                    let Some(pt) = repairs(&self.slots[slot]) else { break };
                    let placed = Placed { index: self.slots[slot].take_rtx_index(), timestamp: 0, pt, vp8: None };
                    let padding = [PADDING_BYTES as u8; PADDING_BYTES];
                    let rtx_ssrc = self.slots[slot].terms().rtx_ssrc;
                    self.write(rtx_ssrc, placed, false, true, &padding, to, sealer, out);
                }
            }
        }
        self.bandwidth.set_probing(false);
    }

    #[expect(clippy::too_many_arguments, reason = "the way of one packet, in one call")]
    fn send_again(
        &mut self,
        slot: usize,
        rtx_pt: u8,
        placed: Placed,
        packet: &Packet,
        to: SocketAddr,
        sealer: &mut Sealer,
        out: &mut Outbox,
    ) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(&(placed.index as u16).to_be_bytes());
        scratch.extend_from_slice(&packet.payload);
        if let (Some((picture_id, tl0)), Some(descriptor)) = (placed.vp8, &packet.vp8) {
            rewrite_vp8(&mut scratch[2..], descriptor, picture_id, tl0);
        }
        let rtx_ssrc = self.slots[slot].terms().rtx_ssrc;
        let placed = Placed { index: self.slots[slot].take_rtx_index(), pt: rtx_pt, ..placed };
        self.write(rtx_ssrc, placed, packet.marker, false, &scratch, to, sealer, out);
        self.scratch = scratch;
    }

    fn send(
        &mut self,
        slot: usize,
        placed: Placed,
        packet: &Packet,
        to: SocketAddr,
        sealer: &mut Sealer,
        out: &mut Outbox,
    ) {
        let state = &mut self.slots[slot];
        state.sent.0 = state.sent.0.wrapping_add(1);
        state.sent.1 = state.sent.1.wrapping_add(packet.payload.len() as u32);
        let ssrc = state.terms().ssrc;
        if let (Some((picture_id, tl0)), Some(descriptor)) = (placed.vp8, &packet.vp8) {
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.clear();
            scratch.extend_from_slice(&packet.payload);
            rewrite_vp8(&mut scratch, descriptor, picture_id, tl0);
            self.write(ssrc, placed, packet.marker, false, &scratch, to, sealer, out);
            self.scratch = scratch;
        } else {
            self.write(ssrc, placed, packet.marker, false, &packet.payload, to, sealer, out);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the way of one packet, in one call")]
    fn write(
        &mut self,
        ssrc: u32,
        placed: Placed,
        marker: bool,
        is_padding: bool,
        payload: &[u8],
        to: SocketAddr,
        sealer: &mut Sealer,
        out: &mut Outbox,
    ) {
        let mut header = [0u8; HEADER_MAX];
        header[0] = 0x80 | u8::from(is_padding) << 5;
        header[1] = placed.pt | u8::from(marker) << 7;
        header[2..4].copy_from_slice(&(placed.index as u16).to_be_bytes());
        header[4..8].copy_from_slice(&placed.timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&ssrc.to_be_bytes());
        let header = match self.twcc_ext {
            None => &header[..12],
            Some(id) => {
                header[0] |= 0x10;
                let [high, low] = self.twcc_seq.to_be_bytes();
                header[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, id << 4 | 1, high, low, 0]);
                &header[..20]
            }
        };
        let size = out.datagram(to, |arena| sealer.seal_rtp(ssrc, placed.index, header, payload, &[], arena));
        if size > 0 {
            self.bandwidth.note_sent(self.twcc_seq, size);
            self.twcc_seq = self.twcc_seq.wrapping_add(1);
            self.sent.0 += 1;
            self.sent.1 += size as u64;
        }
    }

    /// Sender reports of every slot that flows, and the name that binds them. `ntp` is the hub's clock at `now`, 32.32
    /// fixed point; `source_time` gives what a source's timestamp is at `now`. Empty where nothing flows.
    pub fn sender_reports(
        &self,
        ntp: u64,
        source_time: impl Fn(crate::id::TrackId, usize) -> Option<u32>,
        compound: &mut Vec<u8>,
    ) {
        let mut chunks = Vec::new();
        for slot in &self.slots {
            let timestamp = slot
                .source()
                .and_then(|(track, layer)| source_time(track, layer))
                .and_then(|source| slot.timestamp_of(source));
            let (Some(rtp_time), true) = (timestamp, slot.sent.0 > 0) else { continue };
            let ssrc = slot.terms().ssrc;
            let report = SenderReport {
                ssrc,
                ntp_time: ntp,
                rtp_time,
                packet_count: slot.sent.0,
                octet_count: slot.sent.1,
                ..Default::default()
            };
            append(&report, compound);
            let name = SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: CNAME.into() };
            chunks.push(SourceDescriptionChunk { source: ssrc, items: vec![name] });
        }
        if !chunks.is_empty() {
            append(&SourceDescription { chunks }, compound);
        }
    }

    /// Takes a viewer's reception report. `ntp_middle` is the middle of the hub's NTP time now.
    pub fn handle_report(&mut self, ntp_middle: u32, reports: &[ReceptionReport]) {
        let ours = reports.iter().filter(|report| self.slots.iter().any(|slot| slot.terms().ssrc == report.ssrc));
        let mut loss: Option<f64> = None;
        for report in ours {
            loss = Some(loss.unwrap_or(0.0).max(f64::from(report.fraction_lost) / 256.0));
            let round_trip = ntp_middle.wrapping_sub(report.last_sender_report).wrapping_sub(report.delay);
            if report.last_sender_report != 0 && round_trip < 10 << 16 {
                let measured = Duration::from_secs_f64(f64::from(round_trip) / 65_536.0);
                self.rtt = Some(self.rtt.map_or(measured, |rtt| (rtt * 7 + measured) / 8));
            }
        }
        self.loss = loss.unwrap_or(self.loss);
    }

    /// The slot that sends on that SSRC.
    #[must_use]
    pub fn slot_of(&self, ssrc: u32) -> Option<usize> {
        self.slots.iter().position(|slot| slot.terms().ssrc == ssrc)
    }

    /// What flows.
    pub fn flowing(&self) -> impl Iterator<Item = TrackKind> {
        self.slots.iter().filter(|slot| slot.source().is_some()).map(|slot| slot.terms().kind)
    }
}

/// A probe is cut into shares of 5 ms: more packets at once are none.
const PROBE_PACKETS_MAX: u16 = 64;

/// A padding of one packet: its last byte counts it (RFC 3550 §5.1).
const PADDING_BYTES: usize = 240;

/// RTP header with the transport-wide sequence number.
const HEADER_MAX: usize = 20;

/// All our tracks share one clock, so they share one canonical name (RFC 3550 §6.5.1): the answer says the same.
const CNAME: &str = "tongke";

const FIRST_RTT: Duration = Duration::from_millis(40);
const RTT_MIN: Duration = Duration::from_millis(10);
const RTT_MAX: Duration = Duration::from_millis(500);

/// Guards retransmissions: the same packet once per round trip, and a fifth of the stream at most.
#[derive(Debug, Default)]
struct Repeats {
    last: HashMap<(usize, u64), Instant>,
    window: Option<Instant>,
    bytes: usize,
}

impl Repeats {
    fn allows(&mut self, now: Instant, pause: Duration, slot: usize, index: u64, size: usize) -> bool {
        if self.window.is_none_or(|began| now.saturating_duration_since(began) >= Duration::from_secs(1)) {
            self.window = Some(now);
            self.bytes = 0;
            self.last.retain(|_, at| now.saturating_duration_since(*at) < RTT_MAX);
        }
        if self.bytes + size > REPEAT_BYTES_PER_SECOND_MAX {
            return false;
        }
        if self.last.get(&(slot, index)).is_some_and(|at| now.saturating_duration_since(*at) < pause) {
            return false;
        }
        self.bytes += size;
        self.last.insert((slot, index), now);
        true
    }
}

/// About a fifth of camera and board at their best, and enough to mend a burst of 50 ms.
const REPEAT_BYTES_PER_SECOND_MAX: usize = 100_000;
