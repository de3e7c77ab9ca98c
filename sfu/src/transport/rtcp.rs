//! RTCP (RFC 3550 §6, RFC 4585, RFC 5104): compounds are read in place, without a copy.
//!
//! Every classroom reports ten times a second, so reading a report costs no more than forwarding a packet. What we send
//! ourselves is rare and is written by the protocol crate.

use std::slice::ChunksExact;

use bytes::Bytes;
use rtc_shared::marshal::Marshal;

use crate::stats::Dropped;

/// One packet of a compound, of the types that the hub uses.
#[derive(Debug, Clone)]
pub enum Report<'a> {
    /// A publisher's clock (RFC 3550 §6.4.1).
    Sender {
        /// Its stream.
        ssrc: u32,
        /// Its wall clock, 32.32 fixed point seconds.
        ntp: u64,
        /// The stream's timestamp at that time.
        rtp: u32,
    },
    /// What a viewer has received (RFC 3550 §6.4.2).
    Receptions(Receptions<'a>),
    /// A viewer's missing packets of one stream (RFC 4585 §6.2.1).
    Nack {
        /// The stream.
        ssrc: u32,
        /// Which.
        lost: Lost<'a>,
    },
    /// When packets arrived, or that they did not.
    Arrivals(TransportFeedback<'a>),
    /// A viewer cannot decode (PLI, RFC 4585 §6.3.1; FIR, RFC 5104 §4.3.1).
    Keyframe {
        /// The stream.
        ssrc: u32,
    },
    /// What a viewer believes that its line carries, bits per second (REMB, draft-alvestrand-rmcat-remb-03).
    Remb(u64),
}

/// Reads a compound. An error ends it.
#[must_use]
pub fn reports(compound: &[u8]) -> Reports<'_> {
    Reports { rest: compound, keyframes: [].chunks_exact(8) }
}

/// The packets of a compound, in order.
#[derive(Debug)]
pub struct Reports<'a> {
    rest: &'a [u8],
    /// What is left of the entries of a FIR.
    keyframes: ChunksExact<'a, u8>,
}

impl<'a> Iterator for Reports<'a> {
    type Item = Result<Report<'a>, Dropped>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.keyframes.next() {
                return Some(Ok(Report::Keyframe { ssrc: word(entry, 0)? }));
            }
            if self.rest.is_empty() {
                return None;
            }
            let Some((first, kind, body)) = self.take() else {
                self.rest = &[];
                return Some(Err(Dropped::Malformed));
            };
            let read = match (kind, first & 0x1f) {
                (200, _) => sender(body),
                (201, count) => receptions(count, body),
                (205, 1) => nack(body),
                (205, 15) => TransportFeedback::read(body).map(Report::Arrivals),
                (206, 1) => word(body, 4).map(|ssrc| Report::Keyframe { ssrc }),
                (206, 4) => {
                    self.keyframes = body.get(8..).unwrap_or_default().chunks_exact(8);
                    continue;
                }
                (206, 15) if body.get(8..12) == Some(b"REMB") => remb(body),
                _ => continue,
            };
            return Some(read.ok_or(Dropped::Malformed));
        }
    }
}

impl<'a> Reports<'a> {
    /// The next packet's first byte, its type and all behind its first word, without padding.
    fn take(&mut self) -> Option<(u8, u8, &'a [u8])> {
        let &[first, kind, high, low, ..] = self.rest else { return None };
        if first >> 6 != 2 {
            return None;
        }
        let (packet, rest) = self.rest.split_at_checked(4 + 4 * usize::from(u16::from_be_bytes([high, low])))?;
        let mut body = &packet[4..];
        if first & 0x20 != 0 {
            let padding = usize::from(*body.last()?);
            body = &body[..body.len().checked_sub(padding.max(1))?];
        }
        self.rest = rest;
        Some((first, kind, body))
    }
}

/// The blocks of a receiver report.
#[derive(Debug, Clone)]
pub struct Receptions<'a>(ChunksExact<'a, u8>);

/// What a viewer has received of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceptionBlock {
    /// The stream.
    pub ssrc: u32,
    /// Share lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Middle of the NTP time of our last sender report. 0: none came.
    pub last_sender_report: u32,
    /// Time since that came, in 65,536ths of a second.
    pub delay: u32,
}

impl Iterator for Receptions<'_> {
    type Item = ReceptionBlock;

    fn next(&mut self) -> Option<ReceptionBlock> {
        let block = self.0.next()?;
        Some(ReceptionBlock {
            ssrc: word(block, 0)?,
            fraction_lost: *block.get(4)?,
            last_sender_report: word(block, 16)?,
            delay: word(block, 20)?,
        })
    }
}

/// The sequence numbers of a NACK.
#[derive(Debug, Clone)]
pub struct Lost<'a> {
    pairs: ChunksExact<'a, u8>,
    /// The number that the mask counts from, and what is left of it: bit 0 is that number itself.
    seq: u16,
    mask: u32,
}

impl Iterator for Lost<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        while self.mask == 0 {
            let pair = word(self.pairs.next()?, 0)?;
            self.seq = (pair >> 16) as u16;
            self.mask = (pair & 0xffff) << 1 | 1;
        }
        let ahead = self.mask.trailing_zeros();
        self.mask &= self.mask - 1;
        Some(self.seq.wrapping_add(ahead as u16))
    }
}

/// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1): each packet's number, and when it
/// arrived by the receiver's clock, in microseconds; the clock wraps every 12 days. `None`: it is missing.
#[derive(Debug, Clone)]
pub struct TransportFeedback<'a> {
    seq: u16,
    left: u16,
    clock_us: i64,
    chunks: &'a [u8],
    deltas: &'a [u8],
    /// Symbols of the current chunk: how many are left, what they are.
    run: u16,
    symbols: Symbols,
}

#[derive(Debug, Clone, Copy)]
enum Symbols {
    /// The same again.
    Same(u8),
    /// One bit each, the next on top.
    Bits(u16),
    /// Two bits each, the next on top.
    Pairs(u16),
}

impl<'a> TransportFeedback<'a> {
    fn read(body: &'a [u8]) -> Option<Self> {
        let left = half(body, 10)?;
        let chunks = body.get(16..)?;
        let mut this = Self {
            seq: half(body, 8)?,
            left,
            clock_us: i64::from(word(body, 12)? >> 8) * 64_000,
            chunks,
            deltas: &[],
            run: 0,
            symbols: Symbols::Same(0),
        };
        // The deltas begin where the chunks have covered every packet.
        let mut told = 0u32;
        let mut bytes = 0;
        while told < left.into() {
            told += u32::from(this.open_chunk(half(chunks, bytes)?));
            bytes += 2;
        }
        (this.chunks, this.deltas) = chunks.split_at_checked(bytes)?;
        this.run = 0;
        Some(this)
    }

    /// The number of the first packet.
    #[must_use]
    pub fn first(&self) -> u16 {
        self.seq
    }

    /// The receiver's clock where it begins, microseconds.
    #[must_use]
    pub fn reference_us(&self) -> i64 {
        self.clock_us
    }

    fn open_chunk(&mut self, chunk: u16) -> u16 {
        (self.run, self.symbols) = match chunk >> 14 {
            0 | 1 => (chunk & 0x1fff, Symbols::Same((chunk >> 13 & 3) as u8)),
            2 => (14, Symbols::Bits(chunk << 2)),
            _ => (7, Symbols::Pairs(chunk << 2)),
        };
        self.run
    }
}

impl Iterator for TransportFeedback<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        while self.run == 0 {
            let chunk = half(self.chunks, 0)?;
            self.chunks = &self.chunks[2..];
            self.open_chunk(chunk);
        }
        let symbol = match &mut self.symbols {
            Symbols::Same(symbol) => *symbol,
            Symbols::Bits(bits) => {
                let symbol = (*bits >> 15) as u8;
                *bits <<= 1;
                symbol
            }
            Symbols::Pairs(pairs) => {
                let symbol = (*pairs >> 14) as u8;
                *pairs <<= 2;
                symbol
            }
        };
        let arrived = match symbol {
            1 => {
                let (&delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                Some(i64::from(delta))
            }
            2 => {
                let delta = half(self.deltas, 0)? as i16;
                self.deltas = &self.deltas[2..];
                Some(i64::from(delta))
            }
            _ => None,
        };
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        self.left -= 1;
        self.run -= 1;
        let arrived = arrived.map(|delta| {
            self.clock_us += delta * TICK_US;
            self.clock_us
        });
        Some((seq, arrived))
    }
}

/// Deltas are in quarters of a millisecond.
const TICK_US: i64 = 250;

fn sender(body: &[u8]) -> Option<Report<'_>> {
    let ntp = u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?);
    Some(Report::Sender { ssrc: word(body, 0)?, ntp, rtp: word(body, 12)? })
}

fn receptions(count: u8, body: &[u8]) -> Option<Report<'_>> {
    let blocks = body.get(4..4 + 24 * usize::from(count))?;
    Some(Report::Receptions(Receptions(blocks.chunks_exact(24))))
}

fn nack(body: &[u8]) -> Option<Report<'_>> {
    let lost = Lost { pairs: body.get(8..)?.chunks_exact(4), seq: 0, mask: 0 };
    Some(Report::Nack { ssrc: word(body, 4)?, lost })
}

fn remb(body: &[u8]) -> Option<Report<'_>> {
    let value = word(body, 12)?;
    let (exponent, mantissa) = (value >> 18 & 0x3f, u64::from(value & 0x3_ffff));
    Some(Report::Remb(mantissa.checked_shl(exponent).filter(|bps| bps >> exponent == mantissa).unwrap_or(u64::MAX)))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// Appends one RTCP packet. Our own packets always fit their own encoding.
pub fn append(packet: &dyn Marshalled, out: &mut Vec<u8>) {
    if let Some(bytes) = packet.bytes() {
        out.extend_from_slice(&bytes);
    }
}

/// Anything that `rtc-rtcp` can write.
pub trait Marshalled {
    /// Its bytes. `None`: it breaks a bound of its own format.
    fn bytes(&self) -> Option<Bytes>;
}

impl<T: Marshal> Marshalled for T {
    fn bytes(&self) -> Option<Bytes> {
        self.marshal().ok().map(|bytes| bytes.freeze())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rtc_rtcp::{
        Packet,
        payload_feedbacks::{
            full_intra_request::{FirEntry, FullIntraRequest},
            picture_loss_indication::PictureLossIndication,
            receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate,
        },
        receiver_report::ReceiverReport,
        reception_report::ReceptionReport,
        sender_report::SenderReport,
        transport_feedbacks::{
            transport_layer_cc::{
                PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, StatusVectorChunk, SymbolSizeTypeTcc,
                SymbolTypeTcc, TransportLayerCc,
            },
            transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
        },
    };

    /// The transport-wide feedback that a packet consists of.
    pub(crate) fn arrivals_of(packet: &[u8]) -> TransportFeedback<'_> {
        let Some(Ok(Report::Arrivals(arrivals))) = reports(packet).next() else { panic!("no arrivals") };
        arrivals
    }

    fn compound(packets: Vec<Box<dyn Packet>>) -> Vec<u8> {
        rtc_rtcp::packet::marshal(&packets).unwrap().to_vec()
    }

    #[test]
    fn what_the_protocol_crate_writes_is_read_back() {
        let block = ReceptionReport {
            ssrc: 70,
            fraction_lost: 25,
            last_sender_report: 0x1234_5678,
            delay: 65_536,
            ..Default::default()
        };
        let bytes = compound(vec![
            Box::new(SenderReport { ssrc: 7, ntp_time: 1 << 40 | 5, rtp_time: 99, ..Default::default() }),
            Box::new(ReceiverReport { ssrc: 1, reports: vec![block.clone(), block], ..Default::default() }),
            Box::new(TransportLayerNack {
                sender_ssrc: 1,
                media_ssrc: 80,
                nacks: nack_pairs_from_sequence_numbers(&[65_534, 65_535, 0, 3, 500]),
            }),
            Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc: 81 }),
            Box::new(FullIntraRequest {
                sender_ssrc: 1,
                media_ssrc: 0,
                fir: [82, 83].map(|ssrc| FirEntry { ssrc, sequence_number: 1 }).to_vec(),
            }),
            Box::new(ReceiverEstimatedMaximumBitrate { sender_ssrc: 1, bitrate: 1_500_000.0, ssrcs: vec![80, 81] }),
        ]);
        let mut seen = Vec::new();
        for report in reports(&bytes) {
            seen.push(match report.unwrap() {
                Report::Sender { ssrc, ntp, rtp } => format!("sender {ssrc} {ntp} {rtp}"),
                Report::Receptions(blocks) => format!("{:?}", blocks.collect::<Vec<_>>().len()),
                Report::Nack { ssrc, lost } => format!("nack {ssrc} {:?}", lost.collect::<Vec<_>>()),
                Report::Arrivals(_) => unreachable!(),
                Report::Keyframe { ssrc } => format!("keyframe {ssrc}"),
                Report::Remb(bps) => format!("remb {bps}"),
            });
        }
        let expected = [
            "sender 7 1099511627781 99",
            "2",
            "nack 80 [65534, 65535, 0, 3, 500]",
            "keyframe 81",
            "keyframe 82",
            "keyframe 83",
            "remb 1500000",
        ];
        assert_eq!(seen, expected);
        let Some(Ok(Report::Receptions(mut blocks))) = reports(&bytes).nth(1) else { unreachable!() };
        let first = ReceptionBlock { ssrc: 70, fraction_lost: 25, last_sender_report: 0x1234_5678, delay: 65_536 };
        assert_eq!(blocks.next(), Some(first));
    }

    #[test]
    fn every_form_of_arrival_is_read() {
        use SymbolTypeTcc::{PacketNotReceived, PacketReceivedLargeDelta, PacketReceivedSmallDelta};
        let run = |symbol, run_length| {
            PacketStatusChunk::RunLengthChunk(RunLengthChunk {
                type_tcc: StatusChunkTypeTcc::RunLengthChunk,
                packet_status_symbol: symbol,
                run_length,
            })
        };
        let vector = |symbol_size, symbol_list| {
            PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
                type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
                symbol_size,
                symbol_list,
            })
        };
        let mut bits = vec![PacketNotReceived; 14];
        bits[3] = PacketReceivedSmallDelta;
        let mut pairs = vec![PacketNotReceived; 7];
        pairs[6] = PacketReceivedLargeDelta;
        let delta = |type_tcc_packet, delta| RecvDelta { type_tcc_packet, delta };
        let bytes = compound(vec![Box::new(TransportLayerCc {
            sender_ssrc: 1,
            media_ssrc: 2,
            base_sequence_number: 65_530,
            packet_status_count: 2 + 14 + 7 + 1,
            reference_time: 5,
            fb_pkt_count: 0,
            packet_chunks: vec![
                run(PacketReceivedSmallDelta, 2),
                vector(SymbolSizeTypeTcc::OneBit, bits),
                vector(SymbolSizeTypeTcc::TwoBit, pairs),
                run(PacketNotReceived, 1),
            ],
            recv_deltas: vec![
                delta(PacketReceivedSmallDelta, 250),
                delta(PacketReceivedSmallDelta, 1_000),
                delta(PacketReceivedSmallDelta, 0),
                delta(PacketReceivedLargeDelta, -2_000),
            ],
        })]);
        let arrivals = arrivals_of(&bytes);
        assert_eq!((arrivals.first(), arrivals.reference_us()), (65_530, 320_000));
        let all: Vec<_> = arrivals.collect();
        assert_eq!(all.len(), 24);
        let came: Vec<_> = all.iter().filter_map(|(seq, at)| at.map(|at| (*seq, at))).collect();
        assert_eq!(came, [(65_530, 320_250), (65_531, 321_250), (65_535, 321_250), (16, 319_250)]);
    }

    #[test]
    fn every_prefix_of_a_compound_is_an_error_or_shorter() {
        let bytes = compound(vec![
            Box::new(ReceiverReport { ssrc: 1, reports: vec![ReceptionReport::default()], ..Default::default() }),
            Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc: 81 }),
        ]);
        for length in 1..bytes.len() {
            let read: Vec<_> = reports(&bytes[..length]).collect();
            assert_eq!(read.iter().any(Result::is_err), length != 32, "{length} bytes: {read:?}");
        }
    }
}
