//! How many classrooms one lesson carries before packets are lost.

use std::time::Duration;

use anyhow::Result;

use crate::{
    client::classroom::ReceptionTotals,
    load::{Load, Running},
    report::{CapacityReport, CapacityStep, Report},
};

/// Starts with `load.receivers` and adds a fifth at a time, up to `most`. The report is of the last step.
///
/// # Errors
/// As [`crate::load::run`].
pub fn run(load: &Load, most: usize) -> Result<Report> {
    let mut running = Running::start(load)?;
    let mut found = CapacityReport { good: 0, bad: None, ended: "the limit of the search", steps: Vec::new() };
    let (mut seats, mut more) = (0, load.receivers);
    loop {
        if let Err(error) = running.join(more, load.joins_per_second) {
            if seats == 0 {
                return Err(error);
            }
            found.ended = "no more could join";
            break;
        }
        seats += more;
        let window = running.measure_interval(load.steady)?;
        let mut tally = ReceptionTotals::default();
        let mut delay_p99_ms: f64 = 0.0;
        let mut tool_busy: f64 = 0.0;
        for lane in &window.lanes {
            tally += lane.tally;
            delay_p99_ms = delay_p99_ms.max(lane.delays.value_at_quantile(0.99) as f64 / 1e3);
            tool_busy = tool_busy.max(lane.busy.share());
        }
        let came = window.share_of_what_was_taught(seats);
        let step = CapacityStep { receivers: seats, loss: tally.loss(), came, delay_p99_ms, tool_busy };
        eprintln!("{step:?}");
        found.steps.push(step);
        if step.loss > LOSS_MAX || came < CAME_MIN {
            found.bad = Some(seats);
            found.ended =
                if tool_busy > TOOL_BUSY { "packets were lost, and this tool was busy" } else { "packets were lost" };
            break;
        }
        found.good = seats;
        if seats >= most {
            break;
        }
        more = (seats / 5).max(1).min(most - seats);
    }
    let window = running.measure_interval(LAST_LOOK)?;
    let mut report = running.end(&window)?;
    report.capacity = Some(found);
    Ok(report)
}

/// A packet in a thousand.
const LOSS_MAX: f64 = 0.001;
/// A hub that sends less than is taught has lost packets before they had a number. Two per cent are the interval's
/// ends.
const CAME_MIN: f64 = 0.98;
const TOOL_BUSY: f64 = 0.95;
const LAST_LOOK: Duration = Duration::from_secs(1);
