//! The viewer's side of a connection: places packets in slots, seals them, and takes the viewer's reports.

use std::time::{Duration, Instant};

use rtc_rtcp::{
    sender_report::SenderReport,
    source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem},
};
use smallvec::SmallVec;

use crate::{
    answer::ViewTerms,
    bandwidth::Bandwidth,
    forward::{
        egress::Egress,
        history::History,
        red::{self, BLOCKS_MAX, PAYLOAD_BYTES_MAX, Pattern},
        redundancy::RedundancyControl,
        renumber::Placement,
        repeats::Repeats,
        slot::Slot,
    },
    media::TrackKind,
    packet::{Packet, rewrite_vp8, target::DESCRIPTOR_BYTES_MAX},
    transport::rtcp::{Receptions, TransportFeedback, append},
};

/// What flows to one viewer.
pub struct Viewer {
    /// Its slots, in the order of its offer.
    pub slots: SmallVec<[Slot; 4]>,
    /// What its line carries.
    pub bandwidth: Bandwidth,
    twcc_ext: Option<u8>,
    descriptor_ext: Option<u8>,
    twcc_seq: u16,
    scratch: Vec<u8>,
    repeats: Repeats,
    /// How much redundancy its voice carries, by what its line loses.
    pub redundancy: RedundancyControl,
    /// How many earlier packets its next voice packet carries: those sent to its old address when it moved.
    resend_voice: u8,
    /// Smoothed round trip. `None`: no report yet.
    pub rtt: Option<Duration>,
    /// Share lost on the way there in the last reports, 0 to 1: the worst slot.
    pub loss: f64,
    /// Packets and bytes sent since the last statistics.
    pub sent: SentTotals,
}

/// Packets and bytes sent to a viewer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SentTotals {
    /// RTP packets, retransmissions and probes included.
    pub packets: u64,
    /// Bytes of UDP payload.
    pub bytes: u64,
}

impl Viewer {
    /// A viewer whose slots are empty. `seed` makes its numbers unguessable.
    #[must_use]
    pub fn new(terms: ViewTerms, mut seed: impl FnMut() -> u64) -> Self {
        Self {
            slots: terms.slots.into_iter().map(|slot| Slot::new(slot, seed())).collect(),
            bandwidth: Bandwidth::new(terms.twcc_ext.is_some()),
            twcc_ext: terms.twcc_ext,
            descriptor_ext: terms.dependency_descriptor_ext,
            twcc_seq: 0,
            scratch: Vec::new(),
            repeats: Repeats::default(),
            redundancy: RedundancyControl::new(),
            resend_voice: 0,
            rtt: None,
            loss: 0.0,
            sent: SentTotals::default(),
        }
    }

    /// As [`crate::worker::peer::Peer::prefetch`].
    #[must_use]
    pub fn prefetch(&self) -> u64 {
        let slots = self.slots.iter().fold(0, |sum, slot| sum ^ slot.prefetch());
        slots ^ self.bandwidth.prefetch() ^ self.sent.packets ^ self.repeats.allowance as u64
    }

    /// Sends one live packet in a slot, if the slot has a place for it now. A picture's payload is padded to `even`
    /// bytes where little is missing, so that the kernel can send the whole burst at once. `history` is its layer's:
    /// voice takes its redundancy from there.
    pub fn forward(
        &mut self,
        now: Instant,
        slot: usize,
        packet: &Packet,
        history: &History,
        even: usize,
        egress: &mut Egress<'_>,
    ) {
        let Some(placed) = self.slots[slot].place(now, packet) else { return };
        if packet.codec.is_sound() {
            self.speak(now, slot, placed, packet, history, egress);
        } else {
            self.send(slot, placed, packet, even, egress);
        }
    }

    /// Sends what waits of a slot in the history, while `budget_bytes` last. True while there is more.
    pub fn catch_up(
        &mut self,
        now: Instant,
        slot: usize,
        history: &History,
        budget_bytes: &mut Option<usize>,
        egress: &mut Egress<'_>,
    ) -> bool {
        while let Some((packet, placed)) = self.slots[slot].next_cached(now, history, budget_bytes) {
            self.send(slot, placed, packet, 0, egress);
        }
        self.slots[slot].catches_up()
    }

    /// Answers a NACK for one of a slot's sequence numbers with a retransmission (RFC 4588). `history` finds the layer
    /// that a span was fed from. Nothing is sent where the packet is gone, or was repeated less than a round trip ago.
    pub fn repeat<'a>(
        &mut self,
        now: Instant,
        slot: usize,
        seq: u16,
        history: impl Fn(crate::id::TrackId, usize) -> Option<&'a History>,
        egress: &mut Egress<'_>,
    ) {
        let Some((span, index)) = self.slots[slot].locate(seq) else { return };
        let Some(rtx_pt) = span.rtx_pt else { return };
        let found = history(span.track, span.layer).and_then(|history| span.find(history, index));
        let Some((packet, placed)) = found else { return };
        let pause = self.rtt.unwrap_or(FIRST_RTT).clamp(RTT_MIN, RTT_MAX);
        if !self.repeats.allows(now, pause, slot, placed.index, packet.payload.len())
            || !self.bandwidth.may_repeat(packet.payload.len())
        {
            return;
        }
        self.retransmit(slot, rtx_pt, placed, packet, egress);
    }

    /// Sends once more what went out live in a slot before `live`, the slot's next number then: a picture later, so
    /// that what was lost in a row is not lost again. Where little is lost, nothing.
    pub fn send_twice(&mut self, slot: usize, live: u64, history: &History, egress: &mut Egress<'_>) {
        let first = std::mem::replace(&mut self.slots[slot].once, live);
        if !self.bandwidth.sends_twice() {
            return;
        }
        for index in first.max(live.saturating_sub(TWICE_MAX))..live {
            let Some((span, _)) = self.slots[slot].locate(index as u16) else { continue };
            let (Some(rtx_pt), Some((packet, placed))) = (span.rtx_pt, span.find(history, index)) else { continue };
            self.retransmit(slot, rtx_pt, placed, packet, egress);
        }
    }

    /// Sends about `bytes` of probe packets: the newest packets of a picture again by RTX, or padding where there are
    /// none.
    pub fn probe<'a>(
        &mut self,
        bytes: usize,
        history: impl Fn(crate::id::TrackId, usize) -> Option<&'a History>,
        egress: &mut Egress<'_>,
    ) {
        let repairs = |slot: &Slot| slot.terms().codecs.iter().find_map(|codec| codec.rtx_pt);
        let picture =
            |slot: &&usize| self.slots[**slot].source().is_some() && self.slots[**slot].newest_seq().is_some();
        let slots: SmallVec<[usize; 4]> =
            (0..self.slots.len()).filter(|at| repairs(&self.slots[*at]).is_some()).collect();
        let Some(slot) = slots.iter().find(picture).or(slots.first()).copied() else { return };
        let goal = self.sent.bytes + bytes as u64;
        self.bandwidth.set_probing(true);
        for back in 0..PROBE_PACKETS_MAX {
            if self.sent.bytes >= goal {
                break;
            }
            // A whole packet in front of the voice is a tenth of a second on the thinnest lines.
            let newest = self.slots[slot].newest_seq().filter(|_| bytes > 2 * PADDING_MAX);
            let newest = newest.map(|seq| seq.wrapping_sub(back));
            let found = newest.and_then(|seq| {
                let (span, index) = self.slots[slot].locate(seq)?;
                let (packet, placed) = span.find(history(span.track, span.layer)?, index)?;
                Some((span.rtx_pt?, placed, packet))
            });
            match found {
                Some((rtx_pt, placed, packet)) => self.retransmit(slot, rtx_pt, placed, packet, egress),
                None => {
                    let Some(pt) = repairs(&self.slots[slot]) else { break };
                    let placed = Placement::padding(self.slots[slot].take_rtx_index(), pt);
                    let rtx_ssrc = self.slots[slot].terms().rtx_ssrc;
                    self.write(rtx_ssrc, placed, None, &[], PADDING_MAX, egress);
                }
            }
        }
        self.bandwidth.set_probing(false);
    }

    fn retransmit(&mut self, slot: usize, rtx_pt: u8, placed: Placement, packet: &Packet, egress: &mut Egress<'_>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(&(placed.index as u16).to_be_bytes());
        if !placed.is_filler {
            scratch.extend_from_slice(&packet.payload);
            if let (Some((picture_id, tl0)), Some(descriptor)) = (placed.vp8, &packet.vp8) {
                rewrite_vp8(&mut scratch[2..], descriptor, picture_id, tl0);
            }
        }
        let rtx_ssrc = self.slots[slot].terms().rtx_ssrc;
        let placed = Placement { index: self.slots[slot].take_rtx_index(), pt: rtx_pt, ..placed };
        self.write(rtx_ssrc, placed, dependencies(packet), &scratch, 0, egress);
        self.scratch = scratch;
    }

    /// Sends voice: plain, or with earlier voice where the line loses and the viewer reads RFC 2198. The payload type
    /// says which, packet by packet.
    fn speak(
        &mut self,
        now: Instant,
        slot: usize,
        placed: Placement,
        packet: &Packet,
        history: &History,
        egress: &mut Egress<'_>,
    ) {
        let (pattern, bytes_max) = match std::mem::take(&mut self.resend_voice) {
            0 => (self.redundancy.pattern(), self.redundancy.bytes_allowed(now)),
            distance => (Pattern { distance, stride: 1 }, PAYLOAD_BYTES_MAX),
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let red_pt = self.slots[slot].terms().red_pt.filter(|_| {
            pattern.distance > 0 && red::write(history, packet, pattern, placed.pt, bytes_max, &mut scratch) > 0
        });
        let (payload, placed) = match red_pt {
            Some(pt) => (&scratch[..], Placement { pt, ..placed }),
            None => (&packet.payload[..], placed),
        };
        self.redundancy.note_sent(payload.len(), self.twcc_ext.map(|_| self.twcc_seq));
        let state = &mut self.slots[slot];
        state.sent_packets = state.sent_packets.wrapping_add(1);
        state.sent_bytes = state.sent_bytes.wrapping_add(payload.len() as u32);
        let ssrc = state.terms().ssrc;
        self.write(ssrc, placed, None, payload, 0, egress);
        self.scratch = scratch;
    }

    fn send(&mut self, slot: usize, placed: Placement, packet: &Packet, even: usize, egress: &mut Egress<'_>) {
        let state = &mut self.slots[slot];
        state.sent_packets = state.sent_packets.wrapping_add(1);
        state.sent_bytes = state.sent_bytes.wrapping_add(packet.payload.len() as u32);
        let ssrc = state.terms().ssrc;
        self.repeats.streamed(packet.payload.len(), self.bandwidth.repeat_part());
        if placed.is_filler {
            self.write(ssrc, placed, None, &[], FILLER_BYTES, egress);
            return;
        }
        let padding = even.checked_sub(packet.payload.len()).filter(|missing| *missing <= EVEN_WITHIN).unwrap_or(0);
        if let (Some((picture_id, tl0)), Some(descriptor)) = (placed.vp8, &packet.vp8) {
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.clear();
            scratch.extend_from_slice(&packet.payload);
            rewrite_vp8(&mut scratch, descriptor, picture_id, tl0);
            self.write(ssrc, placed, dependencies(packet), &scratch, padding, egress);
            self.scratch = scratch;
        } else {
            self.write(ssrc, placed, dependencies(packet), &packet.payload, padding, egress);
        }
    }

    fn write(
        &mut self,
        ssrc: u32,
        placed: Placement,
        descriptor: Option<&[u8]>,
        payload: &[u8],
        padding: usize,
        egress: &mut Egress<'_>,
    ) {
        let (mut plain, mut long);
        let header = match descriptor.filter(|_| self.descriptor_ext.is_some()) {
            None => {
                plain = [0u8; HEADER_PLAIN];
                &mut plain[..]
            }
            Some(_) => {
                long = [0u8; HEADER_MAX];
                &mut long[..]
            }
        };
        header[0] = 0x80;
        header[1] = placed.pt | u8::from(placed.marker) << 7;
        header[2..4].copy_from_slice(&(placed.index as u16).to_be_bytes());
        header[4..8].copy_from_slice(&placed.timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&ssrc.to_be_bytes());
        let [high, low] = self.twcc_seq.to_be_bytes();
        let header = match (self.twcc_ext, self.descriptor_ext.zip(descriptor)) {
            (None, None) => &mut header[..12],
            (Some(id), None) => {
                header[0] |= 0x10;
                header[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, id << 4 | 1, high, low, 0]);
                &mut header[..20]
            }
            (twcc, Some((id, bytes))) => {
                // Long values ask for two-byte headers (RFC 8285 §4.3), and no block mixes the two kinds.
                header[0] |= 0x10;
                let mut at = 16;
                if let Some(id) = twcc {
                    header[at..at + 4].copy_from_slice(&[id, 2, high, low]);
                    at += 4;
                }
                header[at..at + 2].copy_from_slice(&[id, bytes.len() as u8]);
                header[at + 2..at + 2 + bytes.len()].copy_from_slice(bytes);
                if let Some(number) = placed.frame_number {
                    header[at + 3..at + 5].copy_from_slice(&number.to_be_bytes());
                }
                at = (at + 2 + bytes.len()).next_multiple_of(4);
                header[12..16].copy_from_slice(&[0x10, 0, 0, ((at - 16) / 4) as u8]);
                &mut header[..at]
            }
        };
        if padding > 0 {
            header[0] |= 0x20;
        }
        let tail = &PADDING[..padding];
        let Egress { to, sealer, out } = egress;
        let size = header.len() + payload.len() + padding + sealer.tag_len();
        let size = out.sized(*to, size, |room| sealer.seal_rtp_into(ssrc, placed.index, header, payload, tail, room));
        if size > 0 {
            self.bandwidth.note_sent(self.twcc_seq, size);
            self.twcc_seq = self.twcc_seq.wrapping_add(1);
            self.sent.packets += 1;
            self.sent.bytes += size as u64;
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
            let (Some(rtp_time), true) = (timestamp, slot.sent_packets > 0) else { continue };
            let ssrc = slot.terms().ssrc;
            let report = SenderReport {
                ssrc,
                ntp_time: ntp,
                rtp_time,
                packet_count: slot.sent_packets,
                octet_count: slot.sent_bytes,
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

    /// Takes a viewer's transport-wide feedback.
    pub fn handle_arrivals(&mut self, now: Instant, arrivals: TransportFeedback<'_>) {
        self.redundancy.note_arrivals(now, arrivals.clone());
        self.bandwidth.handle_feedback(now, self.rtt, arrivals);
        self.redundancy.allow(self.bandwidth.voice_bps());
    }

    /// Takes a viewer's reception report. `ntp_middle` is the middle of the hub's NTP time now.
    pub fn handle_report(&mut self, now: Instant, ntp_middle: u32, reports: Receptions<'_>) {
        let ours = reports.filter(|report| self.slots.iter().any(|slot| slot.terms().ssrc == report.ssrc));
        let mut loss: Option<f64> = None;
        for report in ours {
            loss = Some(loss.unwrap_or(0.0).max(f64::from(report.fraction_lost) / 256.0));
            let round_trip = ntp_middle.wrapping_sub(report.last_sender_report).wrapping_sub(report.delay);
            if report.last_sender_report != 0 && round_trip < 10 << 16 {
                let measured = Duration::from_secs_f64(f64::from(round_trip) / 65_536.0);
                self.rtt = Some(self.rtt.map_or(measured, |rtt| (rtt * 7 + measured) / 8));
            }
        }
        if let Some(loss) = loss {
            self.redundancy.note_report(now, loss);
            self.bandwidth.handle_loss(now, loss);
            self.loss = loss;
        }
    }

    /// The viewer has moved, and was last heard on its old path so long ago: packets sent since are lost. It asks for
    /// pictures again by NACK; its next voice packet carries the lost voice as redundancy.
    pub fn resend_voice_after_move(&mut self, silent_for: Duration) {
        let lost_for = silent_for + self.rtt.unwrap_or(FIRST_RTT).min(RTT_MAX);
        self.resend_voice = (lost_for.as_millis() / VOICE_PACKET_MS).min(BLOCKS_MAX as u128 - 1) as u8;
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

/// A picture of more packets is a keyframe: repairs mend it.
const TWICE_MAX: u64 = 24;

/// A probe is cut into shares of 5 ms: more packets at once are none.
const PROBE_PACKETS_MAX: u16 = 64;

/// Of one packet.
const PADDING_MAX: usize = 240;

/// A packet's dependency descriptor.
fn dependencies(packet: &Packet) -> Option<&[u8]> {
    packet.layered.as_ref()?.descriptor.as_deref()
}

/// The last byte of a padding counts it, itself included; the others mean nothing (RFC 3550 §5.1).
static PADDING: [u8; PADDING_MAX] = {
    let mut bytes = [0; PADDING_MAX];
    let mut at = 0;
    while at < PADDING_MAX {
        bytes[at] = at as u8 + 1;
        at += 1;
    }
    bytes
};

/// What Opus is cut into, unless a publisher insists on less.
const VOICE_PACKET_MS: u128 = 20;

/// RTP header with the transport-wide sequence number.
const HEADER_PLAIN: usize = 20;

/// The same with the longest dependency descriptor.
const HEADER_MAX: usize = (16 + 4 + 2 + DESCRIPTOR_BYTES_MAX).next_multiple_of(4);

/// Padding of a packet that only fills its number.
const FILLER_BYTES: usize = 1;

/// What evenness may cost: 3 % of a full packet. Browsers cut a picture into parts that differ by a byte.
const EVEN_WITHIN: usize = 32;

/// All our tracks share one clock, so they share one canonical name (RFC 3550 §6.5.1): the answer says the same.
const CNAME: &str = "tongke";

const FIRST_RTT: Duration = Duration::from_millis(40);
const RTT_MIN: Duration = Duration::from_millis(10);
const RTT_MAX: Duration = Duration::from_millis(500);
