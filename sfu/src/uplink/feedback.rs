//! Feedback to a publisher: transport-wide arrival times and reception reports.

use std::time::{Duration, Instant};

use rtc_rtcp::reception_report::ReceptionReport;

use crate::packet::extend;

/// Arrival times by transport-wide sequence number, for `transport-cc` feedback
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
#[derive(Debug)]
pub struct ArrivalLog {
    epoch: Instant,
    seen: Vec<(u64, Instant)>,
    highest: Option<u64>,
    next: u64,
    count: u8,
}

impl ArrivalLog {
    /// `epoch` is where the feedback's 24-bit reference time begins.
    #[must_use]
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, seen: Vec::new(), highest: None, next: 0, count: 0 }
    }

    /// Notes a packet.
    pub fn note(&mut self, now: Instant, seq: u16) {
        let seq = match self.highest {
            None => {
                self.next = u64::from(seq) + (1 << 16);
                self.next
            }
            Some(highest) => extend(highest, seq),
        };
        self.highest = Some(self.highest.map_or(seq, |highest| highest.max(seq)));
        if seq >= self.next && self.seen.len() < SPAN_MAX {
            self.seen.push((seq, now));
        }
    }

    /// The feedback packet for what came since the last one. `None`: nothing did.
    pub fn feedback(&mut self, sender_ssrc: u32, media_ssrc: u32) -> Option<Vec<u8>> {
        self.seen.sort_unstable_by_key(|(seq, _)| *seq);
        self.seen.dedup_by_key(|(seq, _)| *seq);
        let (&(_, first_at), &(last, _)) = (self.seen.first()?, self.seen.last()?);
        let base = self.next.max(last.saturating_sub(SPAN_MAX as u64 - 1));
        self.seen.retain(|(seq, _)| *seq >= base);
        let earliest = self.seen.iter().map(|(_, at)| *at).min().unwrap_or(first_at);
        let reference = earliest.saturating_duration_since(self.epoch).as_millis() as u64 / 64;
        let mut clock = self.epoch + Duration::from_millis(reference * 64);

        let statuses = (last - base + 1) as usize;
        let mut symbols = vec![0u8; statuses];
        let mut deltas = Vec::with_capacity(self.seen.len());
        for (seq, at) in &self.seen {
            let ticks = if *at >= clock {
                (at.duration_since(clock).as_micros() / TICK_MICROS) as i64
            } else {
                -((clock.duration_since(*at).as_micros() / TICK_MICROS) as i64)
            };
            let ticks = ticks.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            let step = Duration::from_micros(u64::from(ticks.unsigned_abs()) * TICK_MICROS as u64);
            clock = if ticks >= 0 { clock + step } else { clock - step };
            let small = u8::try_from(ticks);
            symbols[(seq - base) as usize] = if small.is_ok() { 1 } else { 2 };
            match small {
                Ok(ticks) => deltas.push(ticks),
                Err(_) => deltas.extend_from_slice(&ticks.to_be_bytes()),
            }
        }

        let mut packet = vec![0x80 | 15, 205, 0, 0];
        packet.extend_from_slice(&sender_ssrc.to_be_bytes());
        packet.extend_from_slice(&media_ssrc.to_be_bytes());
        packet.extend_from_slice(&(base as u16).to_be_bytes());
        packet.extend_from_slice(&(statuses as u16).to_be_bytes());
        packet.extend_from_slice(&(reference as u32).to_be_bytes()[1..]);
        packet.push(self.count);
        for seven in symbols.chunks(7) {
            // A status vector chunk with two-bit symbols.
            let symbols = seven.iter().zip([12, 10, 8, 6, 4, 2, 0]);
            let chunk = symbols.fold(0xc000u16, |chunk, (symbol, shift)| chunk | u16::from(*symbol) << shift);
            packet.extend_from_slice(&chunk.to_be_bytes());
        }
        packet.append(&mut deltas);
        pad_and_measure(&mut packet);
        self.count = self.count.wrapping_add(1);
        self.next = last + 1;
        self.seen.clear();
        Some(packet)
    }
}

/// The longest run of numbers that one feedback speaks of: a tenth of a second at 100 Mbit/s.
const SPAN_MAX: usize = 1_200;

/// Deltas are in quarters of a millisecond.
const TICK_MICROS: u128 = 250;

/// RTCP padding (RFC 3550 §6.4.1) to full words, and the length field.
fn pad_and_measure(packet: &mut Vec<u8>) {
    let pad = (4 - packet.len() % 4) % 4;
    if pad > 0 {
        packet[0] |= 0x20;
        packet.resize(packet.len() + pad - 1, 0);
        packet.push(pad as u8);
    }
    let words = (packet.len() / 4 - 1) as u16;
    packet[2..4].copy_from_slice(&words.to_be_bytes());
}

/// One source's reception (RFC 3550 appendix A.3 and A.8).
#[derive(Debug, Default)]
pub struct ReceptionStats {
    first: Option<u64>,
    highest: u64,
    received: u64,
    reported: (u64, u64),
    jitter: f64,
    transit: Option<f64>,
    report: Option<(u32, Instant)>,
    /// Share lost in the last reported interval, 0 to 1.
    pub loss: f64,
}

impl ReceptionStats {
    /// Notes a packet that came on its own SSRC (repaired ones do not count).
    pub fn note(&mut self, now: Instant, epoch: Instant, seq: u64, timestamp: u32, clock_rate: u32) {
        self.first.get_or_insert(seq);
        self.highest = self.highest.max(seq);
        self.received += 1;
        let arrival = now.saturating_duration_since(epoch).as_secs_f64() * f64::from(clock_rate);
        let transit = arrival - f64::from(timestamp);
        if let Some(before) = self.transit {
            let difference = (transit - before).abs();
            // A wrapped or jumping timestamp is no jitter.
            if difference < f64::from(clock_rate) {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
        self.transit = Some(transit);
    }

    /// Notes a sender report: the middle of its NTP time goes back in ours.
    pub fn note_report(&mut self, now: Instant, ntp: u64) {
        self.report = Some(((ntp >> 16) as u32, now));
    }

    /// The report block. `None`: nothing was received yet.
    pub fn report(&mut self, now: Instant, ssrc: u32) -> Option<ReceptionReport> {
        let expected = self.highest - self.first? + 1;
        let (expected_before, received_before) = self.reported;
        let expected_now = expected.saturating_sub(expected_before);
        let lost_now = expected_now.saturating_sub(self.received - received_before);
        self.reported = (expected, self.received);
        self.loss = if expected_now == 0 { 0.0 } else { lost_now as f64 / expected_now as f64 };
        let (last_sender_report, delay) = match self.report {
            Some((middle, at)) => (middle, (now.saturating_duration_since(at).as_secs_f64() * 65_536.0) as u32),
            None => (0, 0),
        };
        Some(ReceptionReport {
            ssrc,
            fraction_lost: (self.loss * 256.0).min(255.0) as u8,
            total_lost: expected.saturating_sub(self.received).min(0x7f_ffff) as u32,
            last_sequence_number: self.highest as u32,
            jitter: self.jitter as u32,
            last_sender_report,
            delay,
        })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use super::*;
    use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
    use rtc_shared::marshal::Unmarshal;

    #[test]
    fn the_reference_parser_reads_every_arrival_back() {
        let epoch = Instant::now();
        let mut arrivals = ArrivalLog::new(epoch);
        let mut expected = Vec::new();
        for seq in 65_500u32..65_700 {
            if seq % 10 == 3 {
                continue;
            }
            let at = epoch
                + Duration::from_micros(u64::from(seq) * 1_000)
                + Duration::from_millis(if seq % 50 == 0 { 90 } else { 0 });
            arrivals.note(at, seq as u16);
            expected.push(seq as u16);
        }
        let packet = arrivals.feedback(1, 2).unwrap();
        let parsed = TransportLayerCc::unmarshal(&mut &packet[..]).unwrap();
        assert_eq!((parsed.base_sequence_number, parsed.packet_status_count), (65_500, 200));
        assert_eq!(parsed.recv_deltas.len(), expected.len());
        assert!(arrivals.feedback(1, 2).is_none());
        arrivals.note(epoch + Duration::from_secs(67), 165);
        let parsed = TransportLayerCc::unmarshal(&mut &arrivals.feedback(1, 2).unwrap()[..]).unwrap();
        assert_eq!((parsed.base_sequence_number, parsed.fb_pkt_count), (164, 1), "what is still missing is named");
    }

    #[test]
    fn one_lost_in_ten_is_reported_as_a_tenth() {
        let epoch = Instant::now();
        let mut reception = ReceptionStats::default();
        for seq in 0..100u64 {
            if seq % 10 != 5 {
                reception.note(epoch, epoch, 1_000 + seq, 0, 90_000);
            }
        }
        let report = reception.report(epoch, 9).unwrap();
        assert_eq!((report.total_lost, report.fraction_lost), (10, 25));
        assert_eq!(reception.report(epoch, 9).unwrap().fraction_lost, 0);
    }
}
