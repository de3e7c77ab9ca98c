//! What a load run found. It is written as JSON; `table` prints it.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{client::classroom::ReceptionTotals, floor::Floor, process::CpuTime};

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

/// What the bell did.
#[derive(Debug, Clone, Serialize)]
pub struct BellReport {
    /// Full joins (POST, ICE, DTLS) asked for at once.
    pub joins: usize,
    /// Answered.
    pub answered: usize,
    /// Had a whole first picture.
    pub with_first_picture: usize,
    /// Until the last of them had its picture, or patience ended.
    pub seconds: f64,
    /// From POST to first media packet.
    pub join_to_first_packet_ms: Option<Spread>,
    /// From POST to first whole keyframe.
    pub join_to_first_picture_ms: Option<Spread>,
    /// PLI and FIR that the teacher heard meanwhile.
    pub keyframes_asked: u64,
    /// Share of packets that the running lesson's classrooms never got meanwhile.
    pub running_lost: f64,
    /// Share of a processor that the joiners' threads used. Near 1, the figures are the tool's.
    pub load_tool_busy: Vec<f64>,
    /// Why some were not answered, or broke; the first few.
    pub problems: Vec<String>,
}

/// What the search found.
#[derive(Debug, Clone, Serialize)]
pub struct CapacityReport {
    /// The most classrooms that lost no more than a packet in a thousand.
    pub good: usize,
    /// The step that lost more. `None`: there was no such step below the limit of the search.
    pub bad: Option<usize>,
    /// Why the search ended.
    pub ended: &'static str,
    /// Every step.
    pub steps: Vec<CapacityStep>,
}

/// One step of the search.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CapacityStep {
    /// Classrooms.
    pub receivers: usize,
    /// Share of packets that never came.
    pub loss: f64,
    /// Share of what the teacher sent that came.
    pub came: f64,
    /// Socket to socket, 99 of 100.
    pub delay_p99_ms: f64,
    /// The busiest of the tool's threads.
    pub tool_busy: f64,
}

impl SingledOut {
    /// `line`: as [`Self::line`]. `delays`: socket to socket, in microseconds.
    #[must_use]
    pub fn new(
        classrooms: usize,
        line: Option<String>,
        tally: ReceptionTotals,
        steady: Duration,
        delays: &Histogram<u64>,
    ) -> Self {
        Self {
            classrooms,
            line,
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
    /// `None`: there are no durations.
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
