//! The publisher's side of a connection: which layer a packet belongs to, what is missing, what feedback is sent.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtc_rtcp::{
    payload_feedbacks::{
        full_intra_request::{FirEntry, FullIntraRequest},
        picture_loss_indication::PictureLossIndication,
    },
    receiver_report::ReceiverReport,
    transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
};
use smallvec::SmallVec;

use crate::{
    answer::{PublishTerms, PublishTrack},
    limits::REPAIR_WITHIN,
    media::TrackKind,
    packet::{Packet, RtpHeader, extend, parse},
    stats::Dropped,
    transport::rtcp::append,
    uplink::{
        feedback::{ArrivalLog, ReceptionStats},
        layering::Layering,
    },
};

/// What one publisher sends, by track and layer.
pub struct Publisher {
    terms: PublishTerms,
    sources: SmallVec<[KnownSsrc; 4]>,
    layers: SmallVec<[ReceivedLayer; 4]>,
    arrivals: ArrivalLog,
    epoch: Instant,
    media_ssrc: u32,
    clock: Option<Duration>,
    policer: Policer,
    report_at: Instant,
}

/// One SSRC.
#[derive(Debug, Clone, Copy)]
struct KnownSsrc {
    ssrc: u32,
    layer: usize,
    is_rtx: bool,
}

/// One encoding of one track.
#[derive(Debug)]
struct ReceivedLayer {
    track: usize,
    /// Index in the offer's rids; 0 without simulcast.
    rid: usize,
    ssrc: Option<u32>,
    highest: Option<u64>,
    reception: ReceptionStats,
    missing: VecDeque<Missing>,
    layering: Layering,
    /// Repairs were given up since it was last asked: a keyframe is needed.
    lost: bool,
    fir: u8,
}

#[derive(Debug)]
struct Missing {
    seq: u64,
    since: Instant,
    ask_at: Instant,
    asked: u32,
}

/// A packet that belongs to a track.
#[derive(Debug)]
pub struct Arrived {
    /// Index in [`PublishTerms::tracks`].
    pub track: usize,
    /// Layer of that track: the index of its rid, 0 without simulcast.
    pub layer: usize,
    /// The packet, in that layer's own numbers.
    pub packet: Packet,
}

/// A sender report, in the hub's time.
#[derive(Debug, Clone, Copy)]
pub struct SenderClock {
    /// Index in [`PublishTerms::tracks`].
    pub track: usize,
    /// Layer of that track.
    pub layer: usize,
    /// The sender's own clock, 32.32 fixed point.
    pub ntp: u64,
    /// The RTP timestamp at that moment.
    pub rtp: u32,
    /// That moment in the hub's time, by the fastest report of this connection. All its tracks share one clock.
    pub at: Instant,
}

impl Publisher {
    /// A publisher that has sent nothing yet. `epoch` is the beginning of the hub's time.
    #[must_use]
    pub fn new(terms: PublishTerms, epoch: Instant) -> Self {
        let mut publisher = Self {
            sources: SmallVec::new(),
            layers: SmallVec::new(),
            arrivals: ArrivalLog::new(epoch),
            epoch,
            media_ssrc: 0,
            clock: None,
            policer: Policer::default(),
            report_at: epoch,
            terms,
        };
        for track in 0..publisher.terms.tracks.len() {
            if publisher.terms.tracks[track].rids.is_empty() {
                let declared = publisher.terms.tracks[track].clone();
                if let Some(&primary) = declared.ssrcs.first() {
                    publisher.learn(primary, track, 0, false);
                    for (of, rtx) in &declared.rtx_ssrcs {
                        if *of == primary {
                            publisher.learn(*rtx, track, 0, true);
                        }
                    }
                }
            }
        }
        publisher
    }

    /// What was agreed.
    #[must_use]
    pub fn terms(&self) -> &PublishTerms {
        &self.terms
    }

    /// Takes an opened RTP packet. `index` is its 48-bit SRTP index, `packet` header and payload without the tag.
    ///
    /// # Errors
    /// Why it is dropped. A probe of padding alone is `Malformed` only where its padding lies.
    pub fn handle_rtp(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        index: u64,
        packet: &[u8],
    ) -> Result<Option<Arrived>, Dropped> {
        if !self.policer.allows(now, packet.len()) {
            return Err(Dropped::TooFast);
        }
        if let Some(id) = self.terms.twcc_ext
            && let Some(&[high, low, ..]) = header.extension(id, packet)
        {
            self.arrivals.note(now, u16::from_be_bytes([high, low]));
        }
        let source = self.source(header, packet).ok_or(Dropped::NotAgreed)?;
        let layer = &mut self.layers[source.layer];
        let terms = &self.terms.tracks[layer.track];
        let (payload_type, is_rtx) = terms.payload_type(header.pt).ok_or(Dropped::NotAgreed)?;
        if is_rtx != source.is_rtx {
            return Err(Dropped::NotAgreed);
        }
        let codec = payload_type.codec;
        let range = header.payload_range(packet.len(), packet).ok_or(Dropped::Malformed)?;
        let mut payload = &packet[range];
        let seq = if source.is_rtx {
            // RFC 4588 §4: the original number stands before the original payload. An empty one is a probe.
            let Some((osn, rest)) = payload.split_first_chunk::<2>() else { return Ok(None) };
            payload = rest;
            extend(layer.highest.ok_or(Dropped::TooOld)?, u16::from_be_bytes(*osn))
        } else {
            index
        };
        let repaired = layer.note(now, seq, terms.nack);
        // Voice is repaired under its own number. The report speaks of the line all the same: in-band FEC goes by it.
        if !source.is_rtx && !repaired {
            layer.reception.note(now, self.epoch, index, header.timestamp, codec.clock_rate());
        }
        if payload.is_empty() {
            return Ok(None);
        }
        let facts = parse(codec, payload).ok_or(Dropped::Malformed)?;
        let audio_level = self
            .terms
            .audio_level_ext
            .and_then(|id| header.extension(id, packet))
            .and_then(|value| value.first())
            .map(|byte| byte & 0x7f);
        let descriptor = self
            .terms
            .dependency_descriptor_ext
            .and_then(|id| header.extension(id, packet))
            .filter(|it| !it.is_empty());
        let layered = layer.layering.judge(codec, seq, header.marker, &facts, descriptor)?;
        let packet = Packet {
            seq,
            timestamp: header.timestamp,
            marker: header.marker,
            codec,
            keyframe: facts.keyframe,
            frame_start: facts.frame_start,
            layered,
            // A copy of its own: a slice would keep the whole receive buffer alive for as long as the history.
            payload: Bytes::copy_from_slice(payload),
            audio_level,
            vp8: facts.vp8,
        };
        Ok(Some(Arrived { track: layer.track, layer: layer.rid, packet }))
    }

    /// Takes a sender report. `None`: it speaks of nothing known.
    pub fn handle_sender_report(&mut self, now: Instant, ssrc: u32, ntp: u64, rtp: u32) -> Option<SenderClock> {
        let layer = self.sources.iter().find(|source| source.ssrc == ssrc && !source.is_rtx)?.layer;
        let layer = &mut self.layers[layer];
        layer.reception.note_report(now, ntp);
        let theirs = Duration::from_secs_f64(ntp as f64 / 4_294_967_296.0);
        let ours = now.saturating_duration_since(self.epoch);
        // Ours = theirs + offset. A report that was quick on its way shows the least offset; all of one connection
        // share it, so voice and picture keep in step.
        let offset = (ours + NTP_SHIFT).saturating_sub(theirs);
        let known = self.clock.filter(|known| known.abs_diff(offset) < CLOCK_JUMP);
        let least = known.map_or(offset, |known| (known + CLOCK_DRIFT).min(offset));
        self.clock = Some(least);
        let at = (theirs + least).checked_sub(NTP_SHIFT).map_or(now, |since| self.epoch + since);
        Some(SenderClock { track: layer.track, layer: layer.rid, ntp, rtp, at: at.min(now) })
    }

    /// Repairs that are due, as one RTCP packet per source. Empty: none.
    pub fn nacks(&mut self, now: Instant, out: &mut Vec<u8>) {
        for layer in &mut self.layers {
            let Some(ssrc) = layer.ssrc else { continue };
            let mut due = Vec::new();
            layer.missing.retain_mut(|missing| {
                if now.saturating_duration_since(missing.since) > REPAIR_WITHIN {
                    layer.lost = true;
                    return false;
                }
                if missing.ask_at <= now && due.len() < NACKS_AT_ONCE_MAX {
                    due.push(missing.seq as u16);
                    missing.asked += 1;
                    missing.ask_at = now + (NACK_AGAIN * missing.asked).min(NACK_AGAIN_MAX);
                }
                true
            });
            if !due.is_empty() {
                let nack = TransportLayerNack {
                    sender_ssrc: OUR_SSRC,
                    media_ssrc: ssrc,
                    nacks: nack_pairs_from_sequence_numbers(&due),
                };
                append(&nack, out);
            }
        }
    }

    /// When [`Self::nacks`] is due next.
    #[must_use]
    pub fn nack_due(&self) -> Option<Instant> {
        self.layers.iter().flat_map(|layer| &layer.missing).map(|missing| missing.ask_at).min()
    }

    /// Were packets of that layer given up since the last call? Then the pictures on it are broken until a keyframe.
    pub fn take_lost(&mut self, track: usize, rid: usize) -> bool {
        let layer = self.layers.iter_mut().find(|layer| layer.track == track && layer.rid == rid);
        layer.is_some_and(|layer| std::mem::take(&mut layer.lost))
    }

    /// Arrival times since the last call, if transport-cc was agreed and anything came.
    pub fn transport_feedback(&mut self) -> Option<Vec<u8>> {
        self.arrivals.feedback(OUR_SSRC, self.media_ssrc)
    }

    /// The receiver report that every compound begins with (RFC 3550 §6.1): twice a second with figures of everything
    /// that came, else empty.
    pub fn receiver_report(&mut self, now: Instant, out: &mut Vec<u8>) {
        let mut reports = Vec::new();
        if now >= self.report_at {
            self.report_at = now + REPORT_EVERY;
            let layers = self.layers.iter_mut().take(31);
            reports.extend(layers.filter_map(|layer| layer.reception.report(now, layer.ssrc?)));
        }
        append(&ReceiverReport { ssrc: OUR_SSRC, reports, ..Default::default() }, out);
    }

    /// Appends the request for a keyframe of that layer. False where the layer has not come, or knows no such request.
    pub fn ask_keyframe(&mut self, track: usize, rid: usize, out: &mut Vec<u8>) -> bool {
        let Some(layer) = self.layers.iter_mut().find(|layer| layer.track == track && layer.rid == rid) else {
            return false;
        };
        let (Some(media_ssrc), terms) = (layer.ssrc, &self.terms.tracks[track]) else { return false };
        if terms.pli || !terms.fir {
            append(&PictureLossIndication { sender_ssrc: OUR_SSRC, media_ssrc }, out);
        } else {
            layer.fir = layer.fir.wrapping_add(1);
            let fir = FirEntry { ssrc: media_ssrc, sequence_number: layer.fir };
            append(&FullIntraRequest { sender_ssrc: OUR_SSRC, media_ssrc, fir: vec![fir] }, out);
        }
        true
    }

    /// Share of packets lost on the way here in the last report, 0 to 1: the worst layer.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.layers.iter().map(|layer| layer.reception.loss).fold(0.0, f64::max)
    }

    /// What kinds have sent anything.
    pub fn flowing(&self) -> impl Iterator<Item = TrackKind> {
        self.terms.tracks.iter().enumerate().filter_map(|(at, track)| {
            self.layers.iter().any(|layer| layer.track == at && layer.highest.is_some()).then_some(track.kind)
        })
    }

    fn source(&mut self, header: &RtpHeader, packet: &[u8]) -> Option<KnownSsrc> {
        if let Some(known) = self.sources.iter().find(|source| source.ssrc == header.ssrc) {
            return Some(*known);
        }
        let text = |id: Option<u8>| id.and_then(|id| header.extension(id, packet));
        let mid = text(self.terms.mid_ext);
        let by_mid = |track: &PublishTrack| mid.is_some_and(|mid| mid == track.mid.as_bytes());
        let by_payload_type = |track: &PublishTrack| track.payload_type(header.pt).is_some();
        let track = match mid {
            Some(_) => self.terms.tracks.iter().position(by_mid)?,
            // Foreign clients may declare neither SSRC nor mid: a payload type belongs to one m-line.
            None => self.terms.tracks.iter().position(by_payload_type)?,
        };
        let terms = &self.terms.tracks[track];
        let (_, is_rtx) = terms.payload_type(header.pt)?;
        let name = text(if is_rtx { self.terms.rrid_ext } else { self.terms.rid_ext });
        let rid = match name {
            Some(name) => terms.rids.iter().position(|rid| rid.as_bytes() == name)?,
            None if terms.rids.len() > 1 => return None,
            None => 0,
        };
        Some(self.learn(header.ssrc, track, rid, is_rtx))
    }

    fn learn(&mut self, ssrc: u32, track: usize, rid: usize, is_rtx: bool) -> KnownSsrc {
        let layer =
            self.layers.iter().position(|layer| layer.track == track && layer.rid == rid).unwrap_or_else(|| {
                self.layers.push(ReceivedLayer {
                    track,
                    rid,
                    ssrc: None,
                    highest: None,
                    reception: ReceptionStats::default(),
                    missing: VecDeque::new(),
                    layering: Layering::default(),
                    lost: false,
                    fir: 0,
                });
                self.layers.len() - 1
            });
        if !is_rtx {
            let restarted = self.layers[layer].ssrc.replace(ssrc).is_some_and(|before| before != ssrc);
            if restarted {
                // The sender began a new series: its numbers have nothing to do with the old one.
                self.sources.retain(|source| source.layer != layer || source.is_rtx);
                let layer = &mut self.layers[layer];
                layer.highest = None;
                layer.missing.clear();
                layer.reception = ReceptionStats::default();
            }
            self.media_ssrc = ssrc;
        }
        let source = KnownSsrc { ssrc, layer, is_rtx };
        self.sources.push(source);
        source
    }
}

impl ReceivedLayer {
    /// Notes what came. True: it was asked for again.
    fn note(&mut self, now: Instant, seq: u64, nack: bool) -> bool {
        let Some(highest) = self.highest else {
            self.highest = Some(seq);
            return false;
        };
        if seq > highest {
            self.highest = Some(seq);
            let gap = seq - highest - 1;
            if gap > MISSING_MAX as u64 {
                self.missing.clear();
                self.lost = true;
            } else if nack {
                for seq in highest + 1..seq {
                    self.missing.push_back(Missing { seq, since: now, ask_at: now + REORDER_GRACE, asked: 0 });
                }
                while self.missing.len() > MISSING_MAX {
                    self.missing.pop_front();
                    self.lost = true;
                }
            } else if gap > 0 {
                self.lost = true;
            }
        } else if let Ok(at) = self.missing.binary_search_by_key(&seq, |missing| missing.seq) {
            return self.missing.remove(at).is_some_and(|missing| missing.asked > 0);
        }
        false
    }
}

/// A teacher's device sends 4 Mbit/s at most; this drops more than that before it costs other peers anything.
#[derive(Debug, Default)]
struct Policer {
    window: Option<Instant>,
    bytes: usize,
}

impl Policer {
    fn allows(&mut self, now: Instant, size: usize) -> bool {
        if self.window.is_none_or(|began| now.saturating_duration_since(began) >= Duration::from_secs(1)) {
            self.window = Some(now);
            self.bytes = 0;
        }
        self.bytes += size;
        self.bytes <= PUBLISHER_BYTES_PER_SECOND_MAX
    }
}

/// Three layers of 1080p and a board at their best are half of it.
const PUBLISHER_BYTES_PER_SECOND_MAX: usize = 25_000_000 / 8;

/// Our SSRC in RTCP towards a publisher: we send no RTP there, so any constant does.
pub const OUR_SSRC: u32 = 1;

/// Times are kept as offsets between clocks that may be 126 years apart, either way.
const NTP_SHIFT: Duration = Duration::from_secs(1 << 33);

/// A sender whose clock jumps further than this was set anew.
const CLOCK_JUMP: Duration = Duration::from_secs(1);

/// Loss is a share of packets: over a shorter time there are too few of them.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// What two clocks may drift apart from one report to the next: 500 ppm.
const CLOCK_DRIFT: Duration = Duration::from_micros(500);

/// Reordering is shorter than this on any line that carries a lesson.
const REORDER_GRACE: Duration = Duration::from_millis(5);

/// The first repeat of an unanswered NACK comes after this long, the n-th after n times as long.
const NACK_AGAIN: Duration = Duration::from_millis(60);
const NACK_AGAIN_MAX: Duration = Duration::from_millis(240);

/// More missing packets than this are an outage, not loss: a keyframe repairs that sooner.
const MISSING_MAX: usize = 512;

/// Keeps one NACK inside one datagram.
const NACKS_AT_ONCE_MAX: usize = 256;
