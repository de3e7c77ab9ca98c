//! Prints a report as a table, with the rows of required figures.

use std::fmt;

use crate::{
    report::{Report, Spread},
    rows::rows,
};

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
