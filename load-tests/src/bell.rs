//! The bell: many classrooms join at once beside a lesson that runs.
#![expect(clippy::disallowed_methods, reason = "I/O: it waits")]

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    client::{
        classroom::ReceptionTotals,
        classrooms::{Classrooms, LaneReport},
    },
    load::{Load, Running, leave_all},
    report::{BellReport, Report, Spread},
};

/// Runs a lesson with `load.receivers`, and lets `joins` more join at once.
///
/// # Errors
/// As [`crate::load::run`].
pub fn run(load: &Load, joins: usize) -> Result<Report> {
    let mut running = Running::start(load)?;
    running.join(load.receivers, load.joins_per_second)?;
    let newcomers = Classrooms::open(load.reception.clone())?;
    let asked_before = running.keyframes_asked();
    running.classrooms.start_counting();
    newcomers.start_counting();
    let rang = Instant::now();
    let joined = running.join_into(&newcomers, load.receivers, joins, None);
    let mut lanes = newcomers.lane_reports()?;
    while pictures(&lanes) < joined.sessions.len() && rang.elapsed() < PATIENCE {
        thread::sleep(LOOK_AGAIN);
        lanes = newcomers.lane_reports()?;
    }
    let seconds = rang.elapsed().as_secs_f64();
    let keyframes_asked = running.keyframes_asked() - asked_before;
    thread::sleep(LATE_REPAIRS);
    let running_lanes = running.classrooms.lane_reports()?;
    let mut during = ReceptionTotals::default();
    running_lanes.iter().for_each(|lane| during += lane.tally);
    newcomers.finish()?;
    leave_all(&joined.sessions);
    let window = running.measure_interval(load.steady)?;
    let mut report = running.end(&window)?;
    let all = |pick: fn(&LaneReport) -> &Vec<Duration>| lanes.iter().flat_map(pick).copied().collect::<Vec<_>>();
    let broken = lanes.iter().flat_map(|lane| lane.broken.iter().cloned());
    report.bell = Some(BellReport {
        joins,
        answered: joined.sessions.len(),
        with_first_picture: pictures(&lanes),
        seconds,
        join_to_first_packet_ms: Spread::of_durations(&all(|lane| &lane.first_packets)),
        join_to_first_picture_ms: Spread::of_durations(&all(|lane| &lane.first_pictures)),
        keyframes_asked,
        running_lost: during.loss(),
        load_tool_busy: lanes.iter().map(|lane| lane.busy.share()).collect(),
        problems: joined.refusals.into_iter().chain(broken).take(PROBLEMS_KEPT).collect(),
    });
    Ok(report)
}

fn pictures(lanes: &[LaneReport]) -> usize {
    lanes.iter().map(|lane| lane.first_pictures.len()).sum()
}

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Time for retransmissions of packets that were lost while they joined.
const LATE_REPAIRS: Duration = Duration::from_millis(500);
const PROBLEMS_KEPT: usize = 5;
