//! Required figures beside measured ones, one row each.

use std::fmt;

use serde::Serialize;

use crate::report::Report;

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What was measured, and how.
    pub figure: String,
    /// The bound.
    pub asked: String,
    /// What was found.
    pub measured: String,
    /// It is within the bound.
    pub met: bool,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figure, asked, measured, met } = self;
        write!(f, "row: {figure}: asked {asked}, measured {measured} [{}]", if *met { "met" } else { "NOT MET" })
    }
}

/// The rows that this run has figures for.
#[must_use]
pub fn rows(report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    let gro = if report.gro { "with GRO" } else { "without GRO" };
    if let Some(capacity) = &report.capacity {
        let asked = if report.gro { 3_000 } else { 1_400 };
        rows.push(Row {
            figure: format!("receivers of one lesson before loss > 0.1 %, {gro}"),
            asked: format!(">= {asked}"),
            measured: format!("{}, ended by: {}", capacity.good, capacity.ended),
            met: capacity.good >= asked,
        });
        return rows;
    }
    bell(report, &mut rows);
    singled_out(report, &mut rows);
    if report.bell.is_some() || report.singled_out.is_some() {
        return rows;
    }
    if report.line.is_some() {
        let p95 = report.join_to_first_picture_ms.map_or(f64::INFINITY, |spread| spread.p95);
        rows.push(Row {
            figure: format!("late joiner, {} picture", if report.still { "still" } else { "moving" }),
            asked: "first picture p95 <= 800 ms, of all".to_owned(),
            measured: format!("{p95:.0} ms, {} of {}", report.with_first_picture, report.receivers),
            met: p95 <= 800.0 && report.with_first_picture == report.receivers,
        });
        return rows;
    }
    let who = format!("{} receivers of {} lessons, {gro}", report.receivers, report.lessons);
    if let (Some(server), Some(floor)) = (&report.server, &report.floor) {
        let cost = server.cpu_us_per_packet;
        let bound = if report.gro { 0.9 } else { floor.cpu_us_per_packet + 0.4 };
        rows.push(Row {
            figure: format!("server CPU per forwarded packet, {who}"),
            asked: format!("<= {}{bound:.2} us", if report.gro { "" } else { "floor + 0.4 = " }),
            measured: format!("{cost:.2} us (floor {:.2})", floor.cpu_us_per_packet),
            met: cost <= bound,
        });
    }
    if let Some(delay) = report.delay_ms {
        rows.push(Row {
            figure: format!("delay from socket to socket, p50 / p99, {who}"),
            asked: "<= 1 / 4 ms".to_owned(),
            measured: format!("{:.1} / {:.1} ms", delay.p50, delay.p99),
            met: delay.p50 <= 1.0 && delay.p99 <= 4.0,
        });
    }
    if let Some(server) = report.server.filter(|server| server.kib_per_seat > 0.0) {
        rows.push(Row {
            figure: format!("memory per receiving seat, {who}"),
            asked: "<= 60 KiB".to_owned(),
            measured: format!("{:.0} KiB", server.kib_per_seat),
            met: server.kib_per_seat <= 60.0,
        });
    }
    rows
}

fn bell(report: &Report, rows: &mut Vec<Row>) {
    let Some(bell) = &report.bell else { return };
    let p95 = bell.join_to_first_picture_ms.map_or(f64::INFINITY, |spread| spread.p95);
    // One may fall into an interval that has only begun.
    let keyframes_max = (bell.seconds / 2.0).floor() as u64 + 1;
    rows.push(Row {
        figure: format!("the bell, {} joins beside {} receivers", bell.joins, report.receivers),
        asked: format!("all, first picture p95 <= 1000 ms, <= {keyframes_max} keyframes, the lesson loses 0 %"),
        measured: format!(
            "{} of {}, p95 {p95:.0} ms, {} keyframes in {:.1} s, {:.4} % lost",
            bell.with_first_picture,
            bell.joins,
            bell.keyframes_asked,
            bell.seconds,
            bell.running_lost * 100.0
        ),
        met: bell.with_first_picture == bell.joins
            && p95 <= 1_000.0
            && bell.keyframes_asked <= keyframes_max
            && bell.running_lost == 0.0,
    });
}

fn singled_out(report: &Report, rows: &mut Vec<Row>) {
    let Some(apart) = &report.singled_out else { return };
    let off = (report.share_of_what_was_taught - 1.0) * 100.0;
    let others = format!("others {off:+.2} %, loss {:.4} %", report.loss * 100.0);
    let untouched = off.abs() <= 2.0 && report.loss == 0.0;
    if let Some(line) = &apart.line {
        let queue = apart.delay_ms.map_or(f64::INFINITY, |delay| delay.p95);
        let heard = apart.voice_packets as f64 / (report.steady_seconds * VOICE_PER_SECOND * apart.classrooms as f64);
        rows.push(Row {
            figure: format!("{} of {} receivers on {line}", apart.classrooms, report.receivers),
            asked: "others +- 2 %, voice whole, queue p95 <= 200 ms".to_owned(),
            measured: format!(
                "{others}; slow: voice {:.2} % of packets, {} lost, delay p95 {queue:.0} ms, {:.0} kbit/s",
                heard * 100.0,
                apart.voice_lost,
                apart.kilobits_per_second
            ),
            met: untouched && apart.voice_lost == 0 && heard > 0.99 && queue <= 200.0,
        });
    } else {
        let keyframes_max = (report.steady_seconds / 2.0).floor() as u64 + 1;
        rows.push(Row {
            figure: format!("{} of {} receivers flood: 200 PLI/s, 10,000 NACK/s", apart.classrooms, report.receivers),
            asked: format!("<= {keyframes_max} keyframes, RTX <= 20 % of its stream, others untouched"),
            measured: format!(
                "{} keyframes in {:.0} s, RTX {:.1} %, {others}",
                report.keyframes_asked_while_steady,
                report.steady_seconds,
                apart.resent * 100.0
            ),
            met: report.keyframes_asked_while_steady <= keyframes_max && apart.resent <= 0.2 && untouched,
        });
    }
}

/// Opus packets of 20 ms.
const VOICE_PER_SECOND: f64 = 50.0;
