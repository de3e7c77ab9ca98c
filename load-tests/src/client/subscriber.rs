//! A receiver's core, sans-I/O, above SRTP: counts losses, asks again, unpacks RTX and reports, as a browser does.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::Result;
use bytes::Bytes;
use rtc_rtcp::{
    packet::Packet,
    payload_feedbacks::picture_loss_indication::PictureLossIndication,
    receiver_report::ReceiverReport,
    sender_report::SenderReport,
    transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
};

use super::{
    arrivals::Arrivals,
    description::{AnsweredMedia, OPUS, RED, RTX},
    slot_receiver::{OWN_SSRC, SlotReceiver},
};

pub use super::slot_receiver::SlotCounts;
use crate::media::rtp::RtpLayout;

/// One media packet that had not been received before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Index of the slot in the offer.
    pub slot: usize,
    /// Sequence number, extended.
    pub seq: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Last packet of a picture.
    pub marker: bool,
    /// Its payload is redundant voice (RFC 2198): `sfu::forward::red` takes it apart.
    pub redundant: bool,
    /// Where its payload lies in the packet that was handed in. Empty for padding, which takes a number too.
    pub payload: Range<usize>,
    /// It came by RTX, or later than packets after it.
    pub repaired: bool,
}

/// The receiving side of one connection, slot by slot.
pub struct Subscriber {
    slots: Vec<SlotReceiver>,
    sources: Vec<Source>,
    arrivals: Arrivals,
    twcc: bool,
    next_feedback: Instant,
    next_report: Instant,
    rtt: Duration,
    outputs: VecDeque<Bytes>,
}

struct Source {
    ssrc: u32,
    slot: usize,
    is_rtx: bool,
}

impl Subscriber {
    /// `media` is what was answered, one per slot.
    #[must_use]
    pub fn new(now: Instant, media: &[AnsweredMedia]) -> Self {
        let mut sources = Vec::new();
        for (slot, line) in media.iter().enumerate() {
            sources.extend(line.ssrc.map(|ssrc| Source { ssrc, slot, is_rtx: false }));
            sources.extend(line.rtx_ssrc.map(|ssrc| Source { ssrc, slot, is_rtx: true }));
        }
        Self {
            slots: media.iter().map(|line| SlotReceiver::new(now, line)).collect(),
            sources,
            arrivals: Arrivals::new(now),
            twcc: media.iter().any(|line| line.twcc_id.is_some()),
            next_feedback: now + FEEDBACK_INTERVAL,
            next_report: now + REPORT_INTERVAL,
            rtt: Duration::from_millis(50),
            outputs: VecDeque::new(),
        }
    }

    /// Sets the round trip to the hub, which paces repeated NACKs.
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    /// Takes one opened packet. `None`: a duplicate, a probe, a foreign source, or no RTP.
    pub fn handle_rtp(&mut self, now: Instant, packet: &[u8]) -> Option<Media> {
        let layout = RtpLayout::read(packet)?;
        let source = self.sources.iter().position(|source| source.ssrc == layout.ssrc);
        let source = source.or_else(|| self.bind(&layout, packet))?;
        let Source { slot: index, is_rtx, .. } = self.sources[source];
        let slot = &mut self.slots[index];
        if let Some(id) = slot.media.twcc_id
            && let Some(&[high, low]) = layout.extension(packet, id)
        {
            self.arrivals.note(now, u16::from_be_bytes([high, low]));
        }
        if is_rtx {
            slot.counts.resent_bytes += layout.payload.len() as u64;
            if layout.payload.is_empty() {
                return None;
            }
        }
        if !is_rtx {
            slot.ssrc = Some(layout.ssrc);
            slot.measure_jitter(now, layout.timestamp);
            let (seq, repaired) = slot.receive(now, layout.seq, layout.payload.len(), false)?;
            return Some(Media {
                slot: index,
                seq,
                timestamp: layout.timestamp,
                marker: layout.marker,
                redundant: layout.payload_type == RED,
                payload: layout.payload,
                repaired,
            });
        }
        let original = packet.get(layout.payload.start..layout.payload.start + 2)?;
        let payload = layout.payload.start + 2..layout.payload.end;
        slot.highest?; // a retransmission of what was never seen is padding: probes look like that
        let original = u16::from_be_bytes([original[0], original[1]]);
        let (seq, _) = slot.receive(now, original, payload.len(), true)?;
        let RtpLayout { timestamp, marker, .. } = layout;
        Some(Media { slot: index, seq, timestamp, marker, redundant: false, payload, repaired: true })
    }

    /// Takes an opened RTCP compound.
    pub fn handle_rtcp(&mut self, now: Instant, packets: &[Box<dyn Packet>]) {
        for packet in packets {
            if let Some(report) = packet.as_any().downcast_ref::<SenderReport>()
                && let Some(slot) = self.slots.iter_mut().find(|slot| slot.ssrc == Some(report.ssrc))
            {
                slot.report_heard = Some(((report.ntp_time >> 16) as u32, now));
            }
        }
    }

    /// Asks for a keyframe in a slot (RFC 4585 §6.3.1).
    ///
    /// # Errors
    /// The request cannot be written.
    pub fn ask_keyframe(&mut self, slot: usize) -> Result<()> {
        let slot = &mut self.slots[slot];
        let Some(media_ssrc) = slot.ssrc else { return Ok(()) };
        slot.counts.keyframes_asked += 1;
        let request: [Box<dyn Packet>; 1] = [Box::new(PictureLossIndication { sender_ssrc: OWN_SSRC, media_ssrc })];
        self.outputs.push_back(rtc_rtcp::packet::marshal(&request)?.freeze());
        Ok(())
    }

    /// Asks for a keyframe and for the newest `packets` packets, one NACK each, as no honest receiver does.
    ///
    /// # Errors
    /// The requests cannot be written.
    pub fn flood(&mut self, slot: usize, packets: u16) -> Result<()> {
        self.ask_keyframe(slot)?;
        let slot = &self.slots[slot];
        let (Some(media_ssrc), Some(highest)) = (slot.ssrc, slot.highest) else { return Ok(()) };
        let nacks = (0..packets).map(|back| {
            let nacks = nack_pairs_from_sequence_numbers(&[(highest as u16).wrapping_sub(back)]);
            Box::new(TransportLayerNack { sender_ssrc: OWN_SSRC, media_ssrc, nacks }) as Box<dyn Packet>
        });
        self.outputs.push_back(rtc_rtcp::packet::marshal(&nacks.collect::<Vec<_>>())?.freeze());
        Ok(())
    }

    /// Sends what is due: NACKs, transport-wide feedback, receiver reports.
    ///
    /// # Errors
    /// A report cannot be written.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        for slot in &mut self.slots {
            if let Some(nack) = slot.nack(now, self.rtt) {
                let packets: [Box<dyn Packet>; 1] = [Box::new(nack)];
                self.outputs.push_back(rtc_rtcp::packet::marshal(&packets)?.freeze());
            }
        }
        if now >= self.next_feedback {
            self.next_feedback = now + FEEDBACK_INTERVAL;
            let media_ssrc = self.slots.iter().find_map(|slot| slot.ssrc).unwrap_or(0);
            if self.twcc {
                self.outputs.extend(self.arrivals.feedback(OWN_SSRC, media_ssrc));
            }
        }
        if now >= self.next_report {
            self.next_report = now + REPORT_INTERVAL;
            let reports: Vec<_> = self.slots.iter_mut().filter_map(|slot| slot.report(now)).collect();
            if !reports.is_empty() {
                let report = ReceiverReport { ssrc: OWN_SSRC, reports, ..ReceiverReport::default() };
                let packets: [Box<dyn Packet>; 1] = [Box::new(report)];
                self.outputs.push_back(rtc_rtcp::packet::marshal(&packets)?.freeze());
            }
        }
        Ok(())
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let nacks = self.slots.iter().flat_map(|slot| slot.missing.values().map(|missing| missing.ask_at)).min();
        let due = self.next_feedback.min(self.next_report);
        nacks.map_or(due, |ask_at| ask_at.min(due))
    }

    /// The next RTCP compound to seal and send.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.outputs.pop_front()
    }

    /// What a slot has seen.
    #[must_use]
    pub fn counts(&self, slot: usize) -> SlotCounts {
        let slot = &self.slots[slot];
        SlotCounts { awaited: slot.missing.len() as u64, ..slot.counts }
    }

    /// True where `seq` is missing and will not be asked for again.
    #[must_use]
    pub fn has_given_up(&self, slot: usize, seq: u64) -> bool {
        let slot = &self.slots[slot];
        slot.highest.is_some_and(|highest| highest > seq) && !slot.missing.contains_key(&seq)
    }

    /// How many slots there are.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// A source that the answer did not name: by its mid, or the first free slot of its payload type.
    fn bind(&mut self, layout: &RtpLayout, packet: &[u8]) -> Option<usize> {
        if self.sources.len() >= SOURCES_MAX {
            return None;
        }
        let is_rtx = layout.payload_type == RTX;
        let slots = &self.slots;
        let by_mid = slots.iter().position(|slot| {
            let mid = slot.media.mid_id.and_then(|id| layout.extension(packet, id));
            mid.is_some_and(|mid| mid == slot.media.mid.as_bytes())
        });
        let slot = by_mid.or_else(|| {
            (0..slots.len()).find(|at| {
                let taken = self.sources.iter().any(|source| source.slot == *at && source.is_rtx == is_rtx);
                let slot = &slots[*at];
                !taken && !slot.media.rejected && slot.media.sound == [OPUS, RED].contains(&layout.payload_type)
            })
        })?;
        self.sources.push(Source { ssrc: layout.ssrc, slot, is_rtx });
        Some(self.sources.len() - 1)
    }
}

/// What Chromium's receivers send as a rule (62.5 ms at its busiest).
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Six slots with their retransmissions, and room for a source that changed.
const SOURCES_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::{super::slot_receiver::ASK_TIMES_MAX, *};
    use crate::{client::description::H264, media::rtp::RtpHeader};
    use bytes::{BufMut, BytesMut};

    fn origin() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made from nothing")]
        Instant::now()
    }

    fn camera() -> AnsweredMedia {
        AnsweredMedia {
            mid: "1".into(),
            ssrc: Some(6),
            rtx_ssrc: Some(7),
            nack: true,
            rtx: true,
            ..AnsweredMedia::default()
        }
    }

    fn packet(ssrc: u32, payload_type: u8, seq: u16, payload: &[u8]) -> BytesMut {
        let mut packet = BytesMut::new();
        RtpHeader { marker: false, payload_type, seq, timestamp: 0, ssrc, extensions: &[] }.write(&mut packet);
        packet.put_slice(payload);
        packet
    }

    fn nacked(subscriber: &mut Subscriber) -> Vec<u16> {
        let mut seqs = Vec::new();
        while let Some(compound) = subscriber.poll_output() {
            for packet in rtc_rtcp::packet::unmarshal(&mut &compound[..]).unwrap() {
                if let Some(nack) = packet.as_any().downcast_ref::<TransportLayerNack>() {
                    seqs.extend(nack.nacks.iter().flat_map(|pair| pair.packet_list()));
                }
            }
        }
        seqs
    }

    #[test]
    fn a_gap_is_asked_for_and_filled_by_rtx() {
        let now = origin();
        let mut subscriber = Subscriber::new(now, &[camera()]);
        for seq in [65_534u16, 1] {
            subscriber.handle_rtp(now, &packet(6, H264, seq, b"x")).unwrap();
        }
        subscriber.handle_timeout(now).unwrap();
        assert_eq!(nacked(&mut subscriber), [65_535, 0]);
        subscriber.handle_timeout(now + Duration::from_millis(49)).unwrap();
        assert!(nacked(&mut subscriber).is_empty());
        subscriber.handle_timeout(now + Duration::from_millis(50)).unwrap();
        assert_eq!(nacked(&mut subscriber), [65_535, 0]);

        let rtx = packet(7, RTX, 9, &[0xff, 0xff, b'y']);
        let media = subscriber.handle_rtp(now, &rtx).unwrap();
        assert_eq!((media.seq, media.repaired, &rtx[media.payload]), ((1 << 16) + 65_535, true, &b"y"[..]));
        assert_eq!(subscriber.handle_rtp(now, &rtx), None, "a duplicate");
        let counts = subscriber.counts(0);
        assert_eq!((counts.packets, counts.missed, counts.repaired, counts.awaited, counts.lost()), (3, 2, 1, 1, 0));
    }

    #[test]
    fn what_the_first_packet_overtook_is_not_lost() {
        let now = origin();
        let mut subscriber = Subscriber::new(now, &[camera()]);
        for seq in [12u16, 10, 11, 13] {
            subscriber.handle_rtp(now, &packet(6, H264, seq, b"x")).unwrap();
        }
        subscriber.handle_timeout(now).unwrap();
        assert!(nacked(&mut subscriber).is_empty());
        assert_eq!((subscriber.counts(0).packets, subscriber.counts(0).lost()), (4, 0));
    }

    #[test]
    fn a_source_that_the_answer_does_not_name_finds_its_slot() {
        let now = origin();
        let voice = AnsweredMedia { sound: true, ..AnsweredMedia::default() };
        let mut subscriber = Subscriber::new(now, &[voice, AnsweredMedia { ssrc: None, rtx_ssrc: None, ..camera() }]);
        assert_eq!(subscriber.handle_rtp(now, &packet(60, H264, 1, b"x")).unwrap().slot, 1);
        assert_eq!(subscriber.handle_rtp(now, &packet(50, OPUS, 1, b"x")).unwrap().slot, 0);
        for ssrc in 100..1_000 {
            subscriber.handle_rtp(now, &packet(ssrc, H264, 1, b"x"));
        }
        assert!(subscriber.sources.len() <= SOURCES_MAX);
    }

    #[test]
    fn what_never_comes_is_asked_for_a_bounded_number_of_times() {
        let mut now = origin();
        let mut subscriber = Subscriber::new(now, &[camera()]);
        for seq in [1u16, 3] {
            subscriber.handle_rtp(now, &packet(6, H264, seq, b"x")).unwrap();
        }
        let mut asked = 0;
        for _ in 0..300 {
            subscriber.handle_timeout(now).unwrap();
            asked += nacked(&mut subscriber).len();
            now += Duration::from_millis(10);
        }
        assert_eq!(asked, ASK_TIMES_MAX as usize);
        assert!(subscriber.has_given_up(0, (1 << 16) + 2) && !subscriber.has_given_up(0, (1 << 16) + 4));
    }

    #[test]
    fn a_report_tells_the_share_lost_since_the_last() {
        let now = origin();
        let mut subscriber = Subscriber::new(now, &[AnsweredMedia { nack: false, ..camera() }]);
        for seq in (0..100u16).filter(|seq| seq % 4 != 1) {
            subscriber.handle_rtp(now, &packet(6, H264, seq, b"x"));
        }
        subscriber.handle_timeout(now + REPORT_INTERVAL).unwrap();
        let compound = subscriber.poll_output().unwrap();
        let read = rtc_rtcp::packet::unmarshal(&mut &compound[..]).unwrap();
        let report = &read[0].as_any().downcast_ref::<ReceiverReport>().unwrap().reports[0];
        assert_eq!((report.fraction_lost, report.total_lost, report.last_sequence_number), (64, 25, 99));
    }
}
