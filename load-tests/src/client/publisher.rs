//! A publisher's core, sans-I/O, above SRTP: encoded pictures and voice in, RTP and RTCP out, NACK and PLI answered.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::Result;
use bytes::{BufMut, Bytes, BytesMut};
use rtc_rtcp::{
    packet::Packet,
    payload_feedbacks::{full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication},
    sender_report::SenderReport,
    source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem},
    transport_feedbacks::{transport_layer_cc::TransportLayerCc, transport_layer_nack::TransportLayerNack},
};
use rtc_rtp::{codec::h264::H264Payloader, packetizer::Payloader};

use super::description::{AnsweredMedia, H264, OPUS, RTX, Sources};
use crate::media::rtp::RtpHeader;

/// What the publisher wants sent, not yet sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// One RTP packet.
    Rtp(Bytes),
    /// One RTCP compound.
    Rtcp(Bytes),
}

/// What was heard from the hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublisherCounts {
    /// Media packets sent, without retransmissions.
    pub packets: u64,
    /// Packets sent again because a NACK named them.
    pub retransmitted: u64,
    /// Packets named by a NACK that were no longer kept.
    pub forgotten: u64,
    /// Keyframes asked of us (PLI and FIR).
    pub keyframes_asked: u64,
    /// TWCC feedback packets.
    pub feedback: u64,
}

/// A teacher's camera or board, and voice.
pub struct Publisher {
    voice: Option<Track>,
    picture: Option<Track>,
    /// Cheaper layers of the picture.
    lower: Vec<Track>,
    payloader: H264Payloader,
    twcc_seq: u16,
    ntp_at_origin: u64,
    origin: Instant,
    next_report: Instant,
    keyframe_wanted: bool,
    /// The same for each of `lower`.
    lower_wanted: Vec<bool>,
    outputs: VecDeque<Outgoing>,
    counts: PublisherCounts,
}

struct Track {
    ssrc: u32,
    payload_type: u8,
    clock_rate: u32,
    rtx: Option<Rtx>,
    seq: u16,
    mid: String,
    mid_id: Option<u8>,
    twcc_id: Option<u8>,
    /// Its layer's name, with the extension ids of its own packets and of its retransmissions.
    rid: Option<(u8, u8, String)>,
    kept: VecDeque<SentPacket>,
    newest: Option<(u32, Instant)>,
    packets: u32,
    octets: u32,
}

struct Rtx {
    ssrc: u32,
    seq: u16,
}

struct SentPacket {
    seq: u16,
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

impl Publisher {
    /// `media` is what was answered to the offer of `sources`, voice first. `ntp` is wall-clock time at `now` as 32.32
    /// fixed point seconds since 1900; `first_seq` is where every sequence starts (below 2^15, or a receiver that
    /// misses the first wrap cannot open anything).
    #[must_use]
    pub fn new(now: Instant, ntp: u64, first_seq: u16, sources: Sources, media: &[AnsweredMedia]) -> Self {
        let answered = |sound: bool| media.iter().find(|media| media.sound == sound && !media.rejected);
        let track = |ssrc, payload_type, clock_rate, rtx: Option<u32>, sound| {
            let media = answered(sound)?;
            Some(Track {
                ssrc,
                payload_type,
                clock_rate,
                rtx: rtx.filter(|_| media.rtx).map(|ssrc| Rtx { ssrc, seq: first_seq }),
                seq: first_seq,
                mid: media.mid.clone(),
                mid_id: media.mid_id,
                twcc_id: media.twcc_id,
                rid: None,
                kept: VecDeque::new(),
                newest: None,
                packets: 0,
                octets: 0,
            })
        };
        Self {
            voice: sources.voice.and_then(|ssrc| track(ssrc, OPUS, 48_000, None, true)),
            picture: sources.picture.and_then(|(ssrc, rtx)| track(ssrc, H264, 90_000, Some(rtx), false)),
            lower: Vec::new(),
            payloader: H264Payloader::default(),
            twcc_seq: 0,
            ntp_at_origin: ntp,
            origin: now,
            next_report: now + REPORT_INTERVAL,
            keyframe_wanted: false,
            lower_wanted: Vec::new(),
            outputs: VecDeque::new(),
            counts: PublisherCounts::default(),
        }
    }

    /// Sends the picture in layers: `rid` names the one of [`Self::send_picture`], `lower` the cheaper ones with their
    /// sources and those of their retransmissions. Nothing happens where the answer agreed no layers.
    pub fn set_layers(&mut self, media: &[AnsweredMedia], rid: &str, lower: &[(&str, u32, u32)]) {
        let ids = media.iter().find_map(|media| media.rid_ids.filter(|_| !media.sound));
        let (Some((own, repaired)), Some(picture)) = (ids, &mut self.picture) else { return };
        picture.rid = Some((own, repaired, rid.to_owned()));
        for (rid, ssrc, rtx) in lower {
            self.lower.push(Track {
                ssrc: *ssrc,
                rtx: picture.rtx.as_ref().map(|before| Rtx { ssrc: *rtx, seq: before.seq }),
                mid: picture.mid.clone(),
                rid: Some((own, repaired, (*rid).to_owned())),
                kept: VecDeque::new(),
                ..*picture
            });
            self.lower_wanted.push(false);
        }
    }

    /// Queues one access unit of the cheaper layer of that index, as [`Self::send_picture`].
    ///
    /// # Errors
    /// The bytes are no Annex B.
    pub fn send_lower(&mut self, now: Instant, layer: usize, timestamp: u32, access_unit: &Bytes) -> Result<()> {
        let Some(track) = self.lower.get_mut(layer) else { return Ok(()) };
        let payloads = self.payloader.payload(PAYLOAD_BYTES_MAX, access_unit)?;
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.into_iter().enumerate() {
            let packet = track.next(now, timestamp, index == last, payload, &mut self.twcc_seq);
            self.counts.packets += 1;
            self.outputs.push_back(Outgoing::Rtp(packet));
        }
        Ok(())
    }

    /// True once after the hub asked for a keyframe of that cheaper layer.
    pub fn take_lower_wanted(&mut self, layer: usize) -> bool {
        self.lower_wanted.get_mut(layer).is_some_and(std::mem::take)
    }

    /// Queues one access unit (Annex B) sampled at `timestamp` (90 kHz). Returns how many packets it took.
    ///
    /// # Errors
    /// The bytes are no Annex B.
    pub fn send_picture(&mut self, now: Instant, timestamp: u32, access_unit: &Bytes) -> Result<usize> {
        let Some(track) = &mut self.picture else { return Ok(0) };
        let payloads = self.payloader.payload(PAYLOAD_BYTES_MAX, access_unit)?;
        let last = payloads.len().saturating_sub(1);
        let count = payloads.len();
        for (index, payload) in payloads.into_iter().enumerate() {
            let packet = track.next(now, timestamp, index == last, payload, &mut self.twcc_seq);
            self.counts.packets += 1;
            self.outputs.push_back(Outgoing::Rtp(packet));
        }
        Ok(count)
    }

    /// Queues one Opus packet sampled at `timestamp` (48 kHz). `talk_starts` sets the marker (RFC 7587 §4.2).
    pub fn send_voice(&mut self, now: Instant, timestamp: u32, talk_starts: bool, payload: Bytes) {
        let Some(track) = &mut self.voice else { return };
        let packet = track.next(now, timestamp, talk_starts, payload, &mut self.twcc_seq);
        self.counts.packets += 1;
        self.outputs.push_back(Outgoing::Rtp(packet));
    }

    /// Takes what the hub reported.
    pub fn handle_rtcp(&mut self, packets: &[Box<dyn Packet>]) {
        for packet in packets {
            let any = packet.as_any();
            if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
                for seq in nack.nacks.iter().take(NACK_PAIRS_MAX).flat_map(|pair| pair.packet_list()) {
                    self.retransmit(nack.media_ssrc, seq);
                }
            } else if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
                self.counts.keyframes_asked += 1;
                let asked = any.downcast_ref::<PictureLossIndication>().map(|pli| pli.media_ssrc);
                match self.lower.iter().position(|track| Some(track.ssrc) == asked) {
                    Some(layer) => self.lower_wanted[layer] = true,
                    None => self.keyframe_wanted = true,
                }
            } else if any.is::<TransportLayerCc>() {
                self.counts.feedback += 1;
            }
        }
    }

    /// Sends what is due: sender reports once a second.
    ///
    /// # Errors
    /// A report cannot be written.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        if now < self.next_report {
            return Ok(());
        }
        self.next_report = now + REPORT_INTERVAL;
        let since = now.saturating_duration_since(self.origin).as_nanos();
        let ntp = self.ntp_at_origin.wrapping_add(((since << 32) / 1_000_000_000) as u64);
        for track in self.voice.iter().chain(self.picture.iter()).chain(&self.lower) {
            let Some((timestamp, at)) = track.newest else { continue };
            let ahead = now.saturating_duration_since(at).as_micros() * u128::from(track.clock_rate) / 1_000_000;
            let report = SenderReport {
                ssrc: track.ssrc,
                ntp_time: ntp,
                rtp_time: timestamp.wrapping_add(ahead as u32),
                packet_count: track.packets,
                octet_count: track.octets,
                ..SenderReport::default()
            };
            let item =
                SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: Bytes::from_static(b"tongke-load") };
            let description =
                SourceDescription { chunks: vec![SourceDescriptionChunk { source: track.ssrc, items: vec![item] }] };
            let compound: [Box<dyn Packet>; 2] = [Box::new(report), Box::new(description)];
            self.outputs.push_back(Outgoing::Rtcp(rtc_rtcp::packet::marshal(&compound)?.freeze()));
        }
        Ok(())
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.next_report
    }

    /// The next packet to seal and send.
    pub fn poll_output(&mut self) -> Option<Outgoing> {
        self.outputs.pop_front()
    }

    /// True once after the hub asked for a keyframe.
    pub fn take_keyframe_wanted(&mut self) -> bool {
        std::mem::take(&mut self.keyframe_wanted)
    }

    /// What was heard so far.
    #[must_use]
    pub fn counts(&self) -> PublisherCounts {
        self.counts
    }

    fn retransmit(&mut self, ssrc: u32, seq: u16) {
        let tracks = [&mut self.voice, &mut self.picture].into_iter().flatten().chain(&mut self.lower);
        let Some(track) = tracks.into_iter().find(|track| track.ssrc == ssrc) else { return };
        let Some(rtx) = &mut track.rtx else { return };
        let newest = track.kept.back().map_or(0, |kept| kept.seq);
        let back = usize::from(newest.wrapping_sub(seq));
        let Some(kept) = track.kept.len().checked_sub(back + 1).and_then(|at| track.kept.get(at)) else {
            self.counts.forgotten += 1;
            return;
        };
        let mut packet = BytesMut::with_capacity(kept.payload.len() + HEADROOM);
        let twcc = self.twcc_seq.to_be_bytes();
        let rid = track.rid.as_ref().map(|(_, repaired, rid)| (*repaired, rid.as_bytes()));
        let extensions = extensions(track.mid_id, &track.mid, track.twcc_id, &twcc, rid);
        self.twcc_seq = self.twcc_seq.wrapping_add(u16::from(track.twcc_id.is_some()));
        RtpHeader {
            marker: kept.marker,
            payload_type: RTX,
            seq: rtx.seq,
            timestamp: kept.timestamp,
            ssrc: rtx.ssrc,
            extensions: &extensions,
        }
        .write(&mut packet);
        packet.put_u16(kept.seq); // RFC 4588 §4: the original sequence number comes first
        packet.put_slice(&kept.payload);
        rtx.seq = rtx.seq.wrapping_add(1);
        self.counts.retransmitted += 1;
        self.outputs.push_back(Outgoing::Rtp(packet.freeze()));
    }
}

impl Track {
    fn next(&mut self, now: Instant, timestamp: u32, marker: bool, payload: Bytes, twcc_seq: &mut u16) -> Bytes {
        let mut packet = BytesMut::with_capacity(payload.len() + HEADROOM);
        let twcc = twcc_seq.to_be_bytes();
        let rid = self.rid.as_ref().map(|(own, _, rid)| (*own, rid.as_bytes()));
        let extensions = extensions(self.mid_id, &self.mid, self.twcc_id, &twcc, rid);
        *twcc_seq = twcc_seq.wrapping_add(u16::from(self.twcc_id.is_some()));
        RtpHeader {
            marker,
            payload_type: self.payload_type,
            seq: self.seq,
            timestamp,
            ssrc: self.ssrc,
            extensions: &extensions,
        }
        .write(&mut packet);
        packet.put_slice(&payload);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        self.newest = Some((timestamp, now));
        if self.rtx.is_some() {
            if self.kept.len() == KEPT_PACKETS_MAX {
                self.kept.pop_front();
            }
            self.kept.push_back(SentPacket { seq: self.seq, timestamp, marker, payload });
        }
        self.seq = self.seq.wrapping_add(1);
        packet.freeze()
    }
}

fn extensions<'a>(
    mid_id: Option<u8>,
    mid: &'a str,
    twcc_id: Option<u8>,
    twcc: &'a [u8],
    rid: Option<(u8, &'a [u8])>,
) -> Vec<(u8, &'a [u8])> {
    let mid = mid_id.filter(|_| !mid.is_empty()).map(|id| (id, mid.as_bytes()));
    mid.into_iter().chain(twcc_id.map(|id| (id, twcc))).chain(rid).collect()
}

/// A browser's packets carry about this much, which leaves room for headers, extensions and tag below 1,200.
pub const PAYLOAD_BYTES_MAX: usize = 1_100;

const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Two seconds and more of 1.5 Mbit/s: no NACK asks for older packets.
const KEPT_PACKETS_MAX: usize = 512;
/// A NACK of one datagram names at most about this many runs.
const NACK_PAIRS_MAX: usize = 300;
/// Header, two extensions, original sequence number and authentication tag.
const HEADROOM: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtp::RtpLayout;
    use rtc_rtcp::transport_feedbacks::transport_layer_nack::NackPair;

    fn origin() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made from nothing")]
        Instant::now()
    }

    fn publisher(now: Instant) -> Publisher {
        let picture = AnsweredMedia {
            mid: "1".into(),
            rtx: true,
            nack: true,
            twcc_id: Some(3),
            mid_id: Some(4),
            ..AnsweredMedia::default()
        };
        let voice = AnsweredMedia { mid: "0".into(), sound: true, ..AnsweredMedia::default() };
        Publisher::new(now, 0, 100, Sources { voice: Some(5), picture: Some((6, 7)) }, &[voice, picture])
    }

    fn drain(publisher: &mut Publisher) -> Vec<Bytes> {
        std::iter::from_fn(|| publisher.poll_output())
            .map(|output| match output {
                Outgoing::Rtp(packet) | Outgoing::Rtcp(packet) => packet,
            })
            .collect()
    }

    #[test]
    fn a_picture_is_cut_into_packets_and_a_nack_brings_one_of_them_back() {
        let now = origin();
        let mut publisher = publisher(now);
        let picture = [&[0, 0, 0, 1, 0x65][..], &[7; 3_000]].concat();
        assert_eq!(publisher.send_picture(now, 90_000, &Bytes::from(picture)).unwrap(), 3);
        let sent = drain(&mut publisher);
        let layouts: Vec<_> = sent.iter().map(|packet| RtpLayout::read(packet).unwrap()).collect();
        assert_eq!(layouts.iter().map(|layout| layout.marker).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(layouts[2].extension(&sent[2], 3), Some(&[0, 2][..]));

        let nack =
            TransportLayerNack { sender_ssrc: 1, media_ssrc: 6, nacks: vec![NackPair::new(101), NackPair::new(50)] };
        publisher.handle_rtcp(&[Box::new(nack)]);
        let again = drain(&mut publisher);
        let layout = RtpLayout::read(&again[0]).unwrap();
        assert_eq!((again.len(), layout.ssrc, layout.payload_type), (1, 7, RTX));
        assert_eq!(again[0][layout.payload.clone()][..2], 101u16.to_be_bytes());
        assert_eq!(again[0][layout.payload][2..], sent[1][layouts[1].payload.clone()]);
        assert_eq!((publisher.counts().retransmitted, publisher.counts().forgotten), (1, 1));
    }

    #[test]
    fn a_sender_report_places_the_track_on_the_wall_clock() {
        let now = origin();
        let mut publisher = publisher(now);
        publisher.send_voice(now + Duration::from_millis(500), 24_000, true, Bytes::from_static(b"opus"));
        drain(&mut publisher);
        publisher.handle_timeout(now + Duration::from_secs(1)).unwrap();
        let report = drain(&mut publisher);
        let read = rtc_rtcp::packet::unmarshal(&mut &report[0][..]).unwrap();
        let report = read[0].as_any().downcast_ref::<SenderReport>().unwrap();
        assert_eq!((report.ntp_time, report.rtp_time, report.packet_count), (1 << 32, 48_000, 1));
    }

    #[test]
    fn a_keyframe_is_wanted_once_for_each_time_it_was_asked() {
        let mut publisher = publisher(origin());
        publisher.handle_rtcp(&[Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc: 6 })]);
        assert!(publisher.take_keyframe_wanted() && !publisher.take_keyframe_wanted());
    }
}
