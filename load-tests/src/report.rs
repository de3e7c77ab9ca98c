//! What a load run found, as one JSON and as a table that reads alone.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    bell::BellReport, capacity::CapacityReport, client::classroom::Tally, floor::Floor, load::Load, process::CpuTime,
    rows::rows,
};

/// One load run. Counts and rates are of the steady interval.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Lessons taught at once.
    pub lessons: usize,
    /// Classrooms asked for.
    pub receivers: usize,
    /// Classrooms that were answered.
    pub joined: usize,
    /// Classrooms that had a whole first picture.
    pub with_first_picture: usize,
    /// Classrooms whose connection broke.
    pub broken: usize,
    /// Receivers let the kernel join packets.
    pub gro: bool,
    /// The line of every classroom. `None`: its socket alone.
    pub line: Option<String>,
    /// A board was shown that stood still.
    pub still: bool,
    /// Length of the steady interval.
    pub steady_seconds: f64,
    /// From the first POST to the last answer.
    pub joins_seconds: f64,
    /// What the teacher sent.
    pub teacher_packets_per_second: f64,
    /// PLI and FIR that the teacher heard in the whole run.
    pub keyframes_asked_of_teacher: u64,
    /// Of those in the steady interval.
    pub keyframes_asked_while_steady: u64,
    /// Media packets received by all classrooms that are not counted apart; so are the figures down to `refused`.
    pub packets_per_second: f64,
    /// UDP payload received by all classrooms.
    pub megabits_per_second: f64,
    /// Packets received over packets that the teacher sent to them, 0 to 1 but for the interval's ends.
    pub share_of_what_was_taught: f64,
    /// Share of packets that never came, 0 to 1.
    pub loss: f64,
    /// Packets that were missing when a later one came.
    pub missed: u64,
    /// Of those, how many came after all.
    pub repaired: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Datagrams whose tag did not fit.
    pub refused: u64,
    /// PLI that the classrooms sent.
    pub keyframes_asked_by_receivers: u64,
    /// From POST to first media packet.
    pub join_to_first_packet_ms: Option<Spread>,
    /// From POST to first whole keyframe.
    pub join_to_first_picture_ms: Option<Spread>,
    /// From the teacher's socket to the classroom's.
    pub delay_ms: Option<Spread>,
    /// What the server spent. `None`: its process was not named.
    pub server: Option<ServerCost>,
    /// Share of a processor that each of the load tool's receiving threads used. Near 1, the figures are the tool's.
    pub load_tool_busy: Vec<f64>,
    /// The same sends with no work of the server's. `None`: not measured.
    pub floor: Option<Floor>,
    /// Classrooms counted apart. `None`: there were none.
    pub singled_out: Option<SingledOut>,
    /// `None`: it did not ring.
    pub bell: Option<BellReport>,
    /// `None`: it was not searched for.
    pub capacity: Option<CapacityReport>,
    /// What went wrong; the first few of each kind.
    pub problems: Vec<String>,
}

/// What classrooms saw that are slow or misbehave, over the steady interval.
#[derive(Debug, Clone, Serialize)]
pub struct SingledOut {
    /// How many.
    pub classrooms: usize,
    /// Their line. `None`: they flood instead.
    pub line: Option<String>,
    /// Received by each, on average.
    pub kilobits_per_second: f64,
    /// Different voice packets that they received.
    pub voice_packets: u64,
    /// Voice packets that never came.
    pub voice_lost: u64,
    /// Share of what came by RTX in all picture bytes that came.
    pub resent: f64,
    /// Socket to socket: the queue, where the line has no delay of its own.
    pub delay_ms: Option<Spread>,
}

impl SingledOut {
    pub(crate) fn new(classrooms: usize, load: &Load, tally: Tally, steady: Duration, delays: &Histogram<u64>) -> Self {
        Self {
            classrooms,
            line: load.slow.map(|(_, line)| format!("{line:?}")),
            kilobits_per_second: tally.bytes as f64 * 8.0 / 1e3 / steady.as_secs_f64() / classrooms.max(1) as f64,
            voice_packets: tally.voice_packets,
            voice_lost: tally.voice_lost,
            resent: tally.resent_bytes as f64 / (tally.picture_bytes + tally.resent_bytes).max(1) as f64,
            delay_ms: Spread::of_micros(delays),
        }
    }
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half are faster.
    pub p50: f64,
    /// 95 of 100 are faster.
    pub p95: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

impl Spread {
    /// `None`: there is nothing to speak of.
    #[must_use]
    pub fn of_durations(durations: &[Duration]) -> Option<Self> {
        let mut sorted = durations.to_vec();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let at = |share: f64| sorted[(last as f64 * share).round() as usize].as_secs_f64() * 1e3;
        Some(Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) })
    }

    /// From a histogram of microseconds. `None`: it is empty.
    #[must_use]
    pub fn of_micros(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |share: f64| histogram.value_at_quantile(share) as f64 / 1e3;
        (!histogram.is_empty()).then(|| Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) })
    }
}

/// What the server's process spent over the steady interval.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServerCost {
    /// Processor time of all its threads, in seconds.
    pub cpu_seconds: f64,
    /// Of it in the program, as sampled.
    pub user_seconds: f64,
    /// Of it in the kernel, as sampled.
    pub system_seconds: f64,
    /// Processor time over media packets received by all classrooms, in microseconds.
    pub cpu_us_per_packet: f64,
    /// Resident memory at the end.
    pub resident_kib: u64,
    /// Growth of resident memory over the joins, per classroom.
    pub kib_per_seat: f64,
}

impl ServerCost {
    /// Before the packets are known: the cost of each is 0.
    #[must_use]
    pub fn new(time: CpuTime, grown_bytes: u64, resident_bytes: u64, seats: usize) -> Self {
        Self {
            cpu_seconds: time.total.as_secs_f64(),
            user_seconds: time.user.as_secs_f64(),
            system_seconds: time.system.as_secs_f64(),
            cpu_us_per_packet: 0.0,
            resident_kib: resident_bytes / 1_024,
            kib_per_seat: grown_bytes as f64 / 1_024.0 / seats.max(1) as f64,
        }
    }

    /// Shares the time out over so many packets.
    #[must_use]
    pub fn per_packet(self, packets: u64) -> Self {
        Self { cpu_us_per_packet: self.cpu_seconds * 1e6 / packets.max(1) as f64, ..self }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<34} {value}");
        let spread = |spread: &Option<Spread>| {
            spread.map_or("nothing measured".to_owned(), |Spread { p50, p95, p99, max }| {
                format!("p50 {p50:.1}  p95 {p95:.1}  p99 {p99:.1}  max {max:.1} ms")
            })
        };
        row(
            "classrooms",
            format!(
                "{} asked of {} lessons, {} joined in {:.1} s, {} saw a picture, {} broke",
                self.receivers, self.lessons, self.joined, self.joins_seconds, self.with_first_picture, self.broken
            ),
        )?;
        row("teacher sends", format!("{:.0} packets/s", self.teacher_packets_per_second))?;
        row(
            "classrooms receive",
            format!(
                "{:.0} packets/s, {:.1} Mbit/s, over {:.1} s{}",
                self.packets_per_second,
                self.megabits_per_second,
                self.steady_seconds,
                if self.gro { ", with GRO" } else { ", without GRO" }
            ),
        )?;
        row(
            "loss",
            format!(
                "{:.4} % ({} missed, {} repaired, {} twice, {} refused)",
                self.loss * 100.0,
                self.missed,
                self.repaired,
                self.duplicates,
                self.refused
            ),
        )?;
        row("delay, socket to socket", spread(&self.delay_ms))?;
        row("join to first packet", spread(&self.join_to_first_packet_ms))?;
        row("join to first picture", spread(&self.join_to_first_picture_ms))?;
        row(
            "keyframes asked",
            format!(
                "{} of the teacher, {} by classrooms",
                self.keyframes_asked_of_teacher, self.keyframes_asked_by_receivers
            ),
        )?;
        if let Some(server) = &self.server {
            row(
                "server, per forwarded packet",
                format!(
                    "{:.2} µs ({:.2} s: user {:.2}, system {:.2})",
                    server.cpu_us_per_packet, server.cpu_seconds, server.user_seconds, server.system_seconds
                ),
            )?;
            row("server, memory", format!("{} KiB, {:.0} KiB per seat", server.resident_kib, server.kib_per_seat))?;
        }
        if let Some(floor) = &self.floor {
            row(
                "floor, the sends alone",
                format!(
                    "{:.2} µs ({} sent, {} received, {} refused)",
                    floor.cpu_us_per_packet, floor.sent, floor.received, floor.refused
                ),
            )?;
        }
        let busy: Vec<String> = self.load_tool_busy.iter().map(|share| format!("{:.0} %", share * 100.0)).collect();
        row("this tool's threads were busy", busy.join(", "))?;
        for problem in &self.problems {
            row("problem", problem.clone())?;
        }
        rows(self).iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let durations: Vec<_> = (0..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(Spread::of_durations(&durations), Some(Spread { p50: 50.0, p95: 95.0, p99: 99.0, max: 100.0 }));
        assert_eq!(Spread::of_durations(&[]), None);
    }

    #[test]
    fn a_packet_costs_its_share() {
        let time = CpuTime { total: Duration::from_secs(2), ..CpuTime::default() };
        let cost = ServerCost::new(time, 200 * 1_024, 0, 10).per_packet(1_000_000);
        assert_eq!((cost.cpu_us_per_packet, cost.kib_per_seat), (2.0, 20.0));
    }
}
