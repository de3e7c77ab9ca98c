//! One load run over real UDP: a teacher, classrooms that join, a steady interval that is counted, and the floor.
#![expect(clippy::disallowed_methods, reason = "a rim: it reads the sample, waits and starts threads")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use sfu::TrackKind;

use crate::{
    client::{
        classrooms::{Classrooms, LaneReport, Reception, new_delays},
        delay::SendTimes,
        encode::Recipe,
        http,
        teacher::Teacher,
    },
    floor::{self, Floor},
    process::{self, Reading},
    report::{Report, ServerCost, Spread},
};

/// The lesson that the server's `--sample` made: where to publish and receive, and with which tokens.
#[derive(Debug, Clone, Deserialize)]
pub struct Sample {
    /// Where the teacher posts.
    pub whip_url: String,
    /// Where receivers post.
    pub whep_url: String,
    /// The teacher's.
    pub publish_token: String,
    /// A guest's: mints a seat with each use.
    pub viewer_token: String,
}

impl Sample {
    /// # Errors
    /// The file cannot be read or lacks a field.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no sample", path.display()))
    }
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Load {
    /// The lesson.
    pub sample: Sample,
    /// How many classrooms.
    pub receivers: usize,
    /// Length of the steady interval.
    pub steady: Duration,
    /// Joins per second. `None`: all as fast as they come.
    pub joins_per_second: Option<f64>,
    /// The server's process, for its processor time and memory.
    pub server_pid: Option<u32>,
    /// How the classrooms receive.
    pub reception: Reception,
    /// What the teacher sends.
    pub recipe: Recipe,
    /// Where clips are kept.
    pub cache: PathBuf,
    /// Measure the floor afterwards, for as long as this.
    pub floor: Option<Duration>,
}

/// Runs it.
///
/// # Errors
/// The clip cannot be made, the teacher cannot teach, nobody can join, or a thread broke.
pub fn run(load: &Load) -> Result<Report> {
    let files = process::raise_file_limit()?;
    ensure!(files > load.receivers as u64 + 100, "only {files} files may be open here: see ulimit -Hn");
    let clip = Arc::new(load.recipe.clip(&load.cache)?);
    let times = Arc::new(SendTimes::new(Instant::now()));
    let Sample { whip_url, publish_token, .. } = &load.sample;
    let teacher = Teacher::start(|offer| http::post_offer(whip_url, publish_token, offer), clip.clone(), times.clone())
        .context("the teacher cannot teach")?;
    thread::sleep(TEACHER_SETTLES);

    let server_alone = load.server_pid.map(Reading::take).transpose()?;
    let classrooms = Classrooms::open(load.reception.clone(), &times)?;
    let joins_began = Instant::now();
    let Joined { sessions, refusals } = join_all(load, &classrooms)?;
    let joins_took = joins_began.elapsed();
    thread::sleep(CLASSROOMS_SETTLE);

    let server_before = load.server_pid.map(Reading::take).transpose()?;
    let taught_before = teacher.counts();
    classrooms.start_counting();
    thread::sleep(load.steady);
    let server_after = load.server_pid.map(Reading::take).transpose()?;
    let taught = teacher.counts();
    let lanes = classrooms.finish()?;
    leave_all(&sessions);
    let teaching = teacher.session().to_owned();
    let teacher_end = teacher.stop().and_then(|_| http::delete(&teaching));

    let floor_cpu = load.server_pid.map(process::only_cpu).transpose()?.flatten();
    let floor = load.floor.map(|time| floor::measure(&clip, sessions.len(), time, floor_cpu, &load.reception));
    let cost = server_before.zip(server_after).map(|(before, after)| {
        let grown = server_alone.map_or(0, |alone| before.resident_bytes.saturating_sub(alone.resident_bytes));
        ServerCost::new(after.since(&before), grown, after.resident_bytes, sessions.len())
    });
    let teacher_problem = teacher_end.err().map(|error| format!("{error:#}"));
    let mut problems: Vec<String> = teacher_problem.into_iter().chain(refusals.into_iter().take(5)).collect();
    problems.extend(lanes.iter().flat_map(|lane| lane.broken.iter().cloned()));
    let sent = taught.packets - taught_before.packets;
    let keyframes_asked = taught.keyframes_asked;
    summarise(load, sessions.len(), joins_took, sent, keyframes_asked, &lanes, cost, floor.transpose()?, problems)
}

struct Joined {
    sessions: Vec<String>,
    refusals: Vec<String>,
}

/// Joins from several threads, because each POST blocks its own.
fn join_all(load: &Load, classrooms: &Classrooms) -> Result<Joined> {
    let whep_url = slots_url(&load.sample.whep_url, &load.reception.slots);
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    let (sessions, refusals) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..JOINERS.min(load.receivers) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= load.receivers {
                        break;
                    }
                    if let Some(rate) = load.joins_per_second {
                        let due = began + Duration::from_secs_f64(number as f64 / rate);
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                    let exchange = |offer: &str| http::post_offer(&whep_url, &load.sample.viewer_token, offer);
                    match classrooms.join(number, exchange) {
                        Ok(session) => keep(&sessions, session),
                        Err(error) => keep(&refusals, format!("{error:#}")),
                    }
                }
            });
        }
    });
    let joined = Joined {
        sessions: sessions.into_inner().unwrap_or_default(),
        refusals: refusals.into_inner().unwrap_or_default(),
    };
    ensure!(!joined.sessions.is_empty(), "nobody could join: {}", joined.refusals.first().map_or("", |why| why));
    Ok(joined)
}

fn keep(list: &Mutex<Vec<String>>, text: String) {
    if let Ok(mut list) = list.lock() {
        list.push(text);
    }
}

fn leave_all(sessions: &[String]) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..JOINERS.min(sessions.len()) {
            scope.spawn(|| {
                while let Some(session) = sessions.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let _ = http::delete(session); // the goodbye over DTLS may have been faster
                }
            });
        }
    });
}

/// A plain client's voice and camera need no word; other slots are named.
fn slots_url(whep_url: &str, slots: &[TrackKind]) -> String {
    if slots == [TrackKind::Voice, TrackKind::Camera] {
        return whep_url.to_owned();
    }
    let names: Vec<&str> = slots.iter().map(|slot| slot.as_str()).collect();
    format!("{whep_url}{}slots={}", if whep_url.contains('?') { '&' } else { '?' }, names.join(","))
}

#[expect(clippy::too_many_arguments, reason = "each is one line of the report")]
fn summarise(
    load: &Load,
    joined: usize,
    joins_took: Duration,
    sent: u64,
    keyframes_asked: u64,
    lanes: &[LaneReport],
    server: Option<ServerCost>,
    floor: Option<Floor>,
    problems: Vec<String>,
) -> Result<Report> {
    let mut delays = new_delays();
    let mut tally = crate::client::classroom::Tally::default();
    let (mut packets, mut pictures) = (Vec::new(), Vec::new());
    for lane in lanes {
        delays.add(&lane.delays)?;
        tally += lane.tally;
        packets.extend_from_slice(&lane.first_packets);
        pictures.extend_from_slice(&lane.first_pictures);
    }
    let steady = lanes.iter().map(|lane| lane.steady).max().unwrap_or(load.steady);
    Ok(Report {
        receivers: load.receivers,
        joined,
        with_first_picture: pictures.len(),
        broken: lanes.iter().map(|lane| lane.broken_count).sum(),
        gro: load.reception.gro,
        steady_seconds: steady.as_secs_f64(),
        joins_seconds: joins_took.as_secs_f64(),
        teacher_packets_per_second: sent as f64 / load.steady.as_secs_f64(),
        keyframes_asked_of_teacher: keyframes_asked,
        packets_per_second: tally.packets as f64 / steady.as_secs_f64(),
        megabits_per_second: tally.bytes as f64 * 8.0 / 1e6 / steady.as_secs_f64(),
        loss: (tally.missed - tally.repaired.min(tally.missed)) as f64 / (tally.packets + tally.missed).max(1) as f64,
        missed: tally.missed,
        repaired: tally.repaired,
        duplicates: tally.duplicates,
        refused: tally.refused,
        keyframes_asked_by_receivers: tally.keyframes_asked,
        join_to_first_packet_ms: Spread::of_durations(&packets),
        join_to_first_picture_ms: Spread::of_durations(&pictures),
        delay_ms: Spread::of_micros(&delays),
        server: server.map(|cost| cost.per_packet(tally.packets)),
        load_tool_busy: lanes.iter().map(|lane| lane.busy.share()).collect(),
        floor,
        problems,
    })
}

/// So long a join storm stays a storm: each POST occupies one thread.
const JOINERS: usize = 64;
const TEACHER_SETTLES: Duration = Duration::from_secs(1);
const CLASSROOMS_SETTLE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_named_where_they_are_not_the_plain_ones() {
        use TrackKind::{Board, Camera, Voice};
        assert_eq!(slots_url("http://h/whep/1", &[Voice, Camera]), "http://h/whep/1");
        assert_eq!(slots_url("http://h/whep/1", &[Voice, Board]), "http://h/whep/1?slots=voice,board");
    }
}
