//! When each packet of a transport arrived, reported as transport-wide feedback.
//!
//! draft-holmer-rmcat-transport-wide-cc-extensions-01, written by hand: thousands of receivers send it ten times a
//! second.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::rtp::extend;

/// The packets that arrived since the last feedback.
#[derive(Debug)]
pub struct Arrivals {
    origin: Instant,
    newest: Option<u64>,
    /// Everything below was reported, or skipped.
    next: u64,
    seen: Vec<(u64, Instant)>,
    feedback_count: u8,
}

impl Arrivals {
    /// Arrival times are reported relative to `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self { origin, newest: None, next: 0, seen: Vec::new(), feedback_count: 0 }
    }

    /// Notes one packet by its transport-wide sequence number.
    pub fn note(&mut self, now: Instant, seq: u16) {
        let seq = if let Some(newest) = self.newest {
            extend(newest, seq)
        } else {
            // One wrap above zero, so that a packet that was overtaken by the first one has a number too.
            self.next = u64::from(seq) + (1 << 16);
            self.next
        };
        self.newest = self.newest.max(Some(seq));
        if seq >= self.next && self.seen.len() < SEEN_MAX {
            self.seen.push((seq, now));
        }
    }

    /// One feedback packet about everything since the last one. `None`: nothing arrived.
    pub fn feedback(&mut self, sender_ssrc: u32, media_ssrc: u32) -> Option<Bytes> {
        self.seen.sort_unstable_by_key(|(seq, _)| *seq);
        self.seen.dedup_by_key(|(seq, _)| *seq);
        let (&(first, first_at), &(last, _)) = (self.seen.first()?, self.seen.last()?);
        // Losses before the first arrival are reported too, unless there are so many that the line was down.
        let base = if first - self.next < STATUSES_MAX / 2 { self.next } else { first };
        let last = last.min(base + STATUSES_MAX - 1);

        let reference = first_at.saturating_duration_since(self.origin).as_micros() / REFERENCE.as_micros();
        let mut clock_us = (reference * REFERENCE.as_micros()) as i64;
        let mut symbols = Vec::with_capacity((last - base + 1) as usize);
        let mut deltas = BytesMut::new();
        let mut seen = self.seen.iter().peekable();
        for seq in base..=last {
            let Some((_, at)) = seen.next_if(|(arrived, _)| *arrived == seq) else {
                symbols.push(NOT_RECEIVED);
                continue;
            };
            let at_us = at.saturating_duration_since(self.origin).as_micros() as i64;
            let ticks = (at_us - clock_us).div_euclid(TICK_US);
            if let Ok(small) = u8::try_from(ticks) {
                symbols.push(SMALL_DELTA);
                deltas.put_u8(small);
                clock_us += ticks * TICK_US;
            } else {
                let large = ticks.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16;
                symbols.push(LARGE_DELTA);
                deltas.put_i16(large);
                clock_us += i64::from(large) * TICK_US;
            }
        }
        self.next = last + 1;
        let next = self.next;
        self.seen.retain(|(seq, _)| *seq >= next);

        let mut packet = BytesMut::with_capacity(32 + symbols.len() + deltas.len());
        packet.put_u8(0x80 | TRANSPORT_WIDE);
        packet.put_u8(TRANSPORT_FEEDBACK);
        packet.put_u16(0); // length, known at the end
        packet.put_u32(sender_ssrc);
        packet.put_u32(media_ssrc);
        packet.put_u16(base as u16);
        packet.put_u16(symbols.len() as u16);
        packet.put_u32((reference as u32 & 0x00ff_ffff) << 8 | u32::from(self.feedback_count));
        self.feedback_count = self.feedback_count.wrapping_add(1);
        write_chunks(&mut packet, &symbols);
        packet.put_slice(&deltas);
        let padding = packet.len().next_multiple_of(4) - packet.len();
        if padding > 0 {
            packet.put_bytes(0, padding - 1);
            packet.put_u8(padding as u8);
            packet[0] |= 0x20;
        }
        let words = (packet.len() / 4 - 1) as u16;
        packet[2..4].copy_from_slice(&words.to_be_bytes());
        Some(packet.freeze())
    }
}

/// Runs of one symbol as a run-length chunk, the rest seven to a two-bit vector chunk.
fn write_chunks(packet: &mut BytesMut, mut symbols: &[u16]) {
    while let Some(&symbol) = symbols.first() {
        let run = symbols.iter().take_while(|other| **other == symbol).count();
        if run >= 7 || run == symbols.len() {
            packet.put_u16(symbol << 13 | run as u16);
            symbols = &symbols[run..];
        } else {
            let (head, rest) = symbols.split_at(symbols.len().min(7));
            let vector = head.iter().enumerate().fold(0xC000, |bits, (at, symbol)| bits | symbol << (12 - 2 * at));
            packet.put_u16(vector);
            symbols = rest;
        }
    }
}

const NOT_RECEIVED: u16 = 0;
const SMALL_DELTA: u16 = 1;
const LARGE_DELTA: u16 = 2;
/// Reference times count in 64 ms.
const REFERENCE: Duration = Duration::from_millis(64);
/// Deltas count in 250 µs.
const TICK_US: i64 = 250;
const TRANSPORT_WIDE: u8 = 15;
const TRANSPORT_FEEDBACK: u8 = 205;
/// So many statuses and their deltas fit into one datagram.
const STATUSES_MAX: u64 = 400;
/// A tenth of a second at 40 Mbit/s.
const SEEN_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc};

    fn origin() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made from nothing")]
        Instant::now()
    }

    /// Reads feedback with the other implementation: sequence number and arrival in ticks since the reference.
    fn read(packet: &Bytes) -> (u16, Vec<bool>, Vec<i64>) {
        let parsed = rtc_rtcp::packet::unmarshal(&mut &packet[..]).unwrap();
        let feedback = parsed[0].as_any().downcast_ref::<TransportLayerCc>().unwrap();
        let mut received = Vec::new();
        for chunk in &feedback.packet_chunks {
            match chunk {
                PacketStatusChunk::RunLengthChunk(run) => {
                    let arrived = run.packet_status_symbol != SymbolTypeTcc::PacketNotReceived;
                    received.extend(std::iter::repeat_n(arrived, usize::from(run.run_length)));
                }
                PacketStatusChunk::StatusVectorChunk(vector) => {
                    received
                        .extend(vector.symbol_list.iter().map(|symbol| *symbol != SymbolTypeTcc::PacketNotReceived));
                }
            }
        }
        received.truncate(usize::from(feedback.packet_status_count));
        let deltas = feedback.recv_deltas.iter().map(|delta| delta.delta).collect();
        (feedback.base_sequence_number, received, deltas)
    }

    #[test]
    fn losses_and_arrival_times_come_back() {
        let origin = origin();
        let mut arrivals = Arrivals::new(origin);
        for seq in [65_534u16, 65_535, 2, 3] {
            arrivals.note(origin + Duration::from_millis(130 + u64::from(seq.wrapping_add(2))), seq);
        }
        let (base, received, deltas) = read(&arrivals.feedback(1, 2).unwrap());
        assert_eq!(base, 65_534);
        assert_eq!(received, [true, true, false, false, true, true]);
        assert_eq!(deltas, [2_000, 1_000, 3_000, 1_000], "µs after 128 ms, then from one to the next");
        assert_eq!(arrivals.feedback(1, 2), None);
    }

    #[test]
    fn a_pause_between_two_packets_takes_a_large_delta() {
        let origin = origin();
        let mut arrivals = Arrivals::new(origin);
        arrivals.note(origin, 1);
        arrivals.note(origin + Duration::from_millis(300), 2);
        assert_eq!(read(&arrivals.feedback(1, 2).unwrap()), (1, vec![true, true], vec![0, 300_000]));
    }

    #[test]
    fn every_pattern_of_losses_is_read_back_by_the_other_implementation() {
        let origin = origin();
        for pattern in 1u32..1 << 12 {
            let mut arrivals = Arrivals::new(origin);
            arrivals.note(origin, 9);
            arrivals.feedback(1, 2);
            for at in (0..12u16).filter(|at| pattern >> at & 1 == 1) {
                arrivals.note(origin + Duration::from_millis(u64::from(at)), 10 + at);
            }
            let (base, received, _) = read(&arrivals.feedback(1, 2).unwrap());
            assert_eq!(base, 10);
            for (at, arrived) in received.iter().enumerate() {
                assert_eq!(*arrived, pattern >> at & 1 == 1, "{pattern:b} at {at}");
            }
        }
    }
}
