//! One load run over real UDP: teachers, classrooms that join, an interval that is counted, and the floor.
#![expect(clippy::disallowed_methods, reason = "I/O: it waits and starts threads")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use sfu::{Hub, HubConfig, TrackKind};

use crate::{
    client::{
        classroom::{Habit, ReceptionTotals},
        classrooms::{Classrooms, LaneReport, Reception, new_delays},
        delay::SendTimes,
        publisher::PublisherCounts,
        seat::Entry,
        teacher::Teacher,
    },
    floor,
    lesson::{Lesson, Sample},
    line::Line,
    media::{clip::Clip, encode::Recipe},
    process::{self, Reading},
    report::{Report, ServerCost, SingledOut, Spread},
};

/// Where the lessons are taught.
#[derive(Debug, Clone)]
pub enum LessonHost {
    /// One lesson at each of these servers.
    Servers(Vec<Sample>),
    /// So many lessons at a hub in this process.
    Here {
        /// How many.
        lessons: usize,
        /// Threads of the hub.
        workers: usize,
    },
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where.
    pub place: LessonHost,
    /// How many classrooms, shared out over the lessons.
    pub receivers: usize,
    /// Length of the steady interval.
    pub steady: Duration,
    /// Joins per second. `None`: all as fast as they come.
    pub joins_per_second: Option<f64>,
    /// The server's process, for its processor time and memory.
    pub server_pid: Option<u32>,
    /// How the classrooms receive.
    pub reception: Reception,
    /// What the teachers send.
    pub recipe: Recipe,
    /// Where clips are kept.
    pub cache: PathBuf,
    /// Measure the floor afterwards, for as long as this.
    pub floor: Option<Duration>,
    /// Every classroom's line. `None`: the socket alone.
    pub line: Option<Line>,
    /// The first so many classrooms are on this line instead, and counted apart.
    pub slow: Option<(usize, Line)>,
    /// The first so many classrooms flood the hub with requests, and are counted apart.
    pub flooding: usize,
    /// The board is shown, and stands still after a moment.
    pub still: bool,
}

/// A run under way.
pub(crate) struct Running<'a> {
    pub(crate) load: &'a Load,
    pub(crate) clip: Arc<Clip>,
    pub(crate) classrooms: Classrooms,
    lessons: Vec<(Lesson, Teacher, Arc<SendTimes>)>,
    sessions: Vec<(Lesson, String)>,
    refusals: Vec<String>,
    joins_took: Duration,
    alone: Option<Reading>,
    hub: Option<Hub>,
}

/// What was seen over one interval.
pub(crate) struct Interval {
    pub(crate) lanes: Vec<LaneReport>,
    taught: Vec<(PublisherCounts, PublisherCounts)>,
    server: Option<(Reading, Reading)>,
    length: Duration,
}

impl Interval {
    /// Packets received over packets sent to `seats` classrooms, 0 to 1.
    pub(crate) fn share_of_what_was_taught(&self, seats: usize) -> f64 {
        let sent: u64 = self.taught.iter().map(|(before, after)| after.packets - before.packets).sum();
        let due = sent as f64 / self.taught.len().max(1) as f64 * seats as f64;
        self.lanes.iter().map(|lane| lane.tally.packets).sum::<u64>() as f64 / due.max(1.0)
    }
}

/// Runs it.
///
/// # Errors
/// The clip cannot be made, a teacher cannot teach, no classroom can join, or a thread panicked.
pub fn run(load: &Load) -> Result<Report> {
    let mut running = Running::start(load)?;
    running.join(load.receivers, load.joins_per_second)?;
    let window = running.measure_interval(load.steady)?;
    running.end(&window)
}

impl<'a> Running<'a> {
    /// Starts the teachers, without classrooms.
    ///
    /// # Errors
    /// The clip cannot be made, or a teacher cannot teach.
    pub fn start(load: &'a Load) -> Result<Self> {
        let files = process::raise_file_limit()?;
        ensure!(files > load.receivers as u64 + 100, "only {files} files may be open here: see ulimit -Hn");
        let clip = Arc::new(load.recipe.clip(&load.cache)?);
        let (places, hub) = match &load.place {
            LessonHost::Servers(samples) => {
                (samples.iter().map(|sample| Lesson::Served(Arc::new(sample.clone()))).collect::<Vec<_>>(), None)
            }
            LessonHost::Here { lessons, workers } => {
                let hub = open_hub(*workers)?;
                ((0..*lessons).map(|_| Lesson::Hosted(hub.clone(), hub.open_room())).collect(), Some(hub))
            }
        };
        let (picture, still_after) =
            if load.still { (TrackKind::Board, Some(STILL_AFTER)) } else { (TrackKind::Camera, None) };
        let mut lessons = Vec::with_capacity(places.len());
        for lesson in places {
            let times = Arc::new(SendTimes::new(Instant::now()));
            let publish = |offer: &str| lesson.publish(picture, offer);
            let teacher = Teacher::start(publish, clip.clone(), times.clone(), still_after)
                .context("the teacher cannot teach")?;
            lessons.push((lesson, teacher, times));
        }
        thread::sleep(if load.still { STILL_AFTER * 3 } else { TEACHER_SETTLES });
        let classrooms = Classrooms::open(load.reception.clone())?;
        let (sessions, refusals, joins_took) = (Vec::new(), Vec::new(), Duration::ZERO);
        let alone = read_server(load)?;
        Ok(Self { load, clip, classrooms, lessons, sessions, refusals, joins_took, alone, hub })
    }

    /// Lets so many more classrooms join and waits until they have settled.
    ///
    /// # Errors
    /// No classroom could join.
    pub fn join(&mut self, count: usize, per_second: Option<f64>) -> Result<()> {
        let began = Instant::now();
        let joined = self.join_into(&self.classrooms, self.sessions.len(), count, per_second);
        self.joins_took += began.elapsed();
        self.sessions.extend(joined.sessions);
        self.refusals.extend(joined.refusals);
        ensure!(!self.sessions.is_empty(), "no classroom could join: {}", self.refusals.first().map_or("", |why| why));
        thread::sleep(CLASSROOMS_SETTLE);
        Ok(())
    }

    /// Joins from several threads, because each POST blocks its own. `first`: how many have joined before.
    pub(crate) fn join_into(&self, to: &Classrooms, first: usize, count: usize, per_second: Option<f64>) -> Joined {
        let (next, began) = (AtomicUsize::new(0), Instant::now());
        let joined = Mutex::new(Joined::default());
        thread::scope(|scope| {
            for _ in 0..JOINERS.min(count) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            break;
                        }
                        if let Some(rate) = per_second {
                            let due = began + Duration::from_secs_f64(number as f64 / rate);
                            thread::sleep(due.saturating_duration_since(Instant::now()));
                        }
                        let (lesson, _, times) = &self.lessons[(first + number) % self.lessons.len()];
                        let exchange = |offer: &str| lesson.play(&self.load.reception.slots, offer);
                        let session = to.join(number, self.entry(first + number, times), exchange);
                        let Ok(mut joined) = joined.lock() else { break };
                        match session {
                            Ok(session) => joined.sessions.push((lesson.clone(), session)),
                            Err(error) => joined.refusals.push(format!("{error:#}")),
                        }
                    }
                });
            }
        });
        joined.into_inner().unwrap_or_default()
    }

    /// Counts for so long.
    ///
    /// # Errors
    /// The server has gone, or a thread broke.
    pub(crate) fn measure_interval(&self, length: Duration) -> Result<Interval> {
        let before = self.taught();
        let server_before = read_server(self.load)?;
        self.classrooms.start_counting();
        thread::sleep(length);
        let server = server_before.zip(read_server(self.load)?);
        let taught = before.into_iter().zip(self.taught()).collect();
        Ok(Interval { lanes: self.classrooms.lane_reports()?, taught, server, length })
    }

    /// Keyframes that the teachers have been asked for so far.
    pub(crate) fn keyframes_asked(&self) -> u64 {
        self.taught().iter().map(|counts| counts.keyframes_asked).sum()
    }

    /// Ends the run and reports what `window` holds.
    ///
    /// # Errors
    /// The floor cannot be measured, or a thread broke.
    pub(crate) fn end(self, window: &Interval) -> Result<Report> {
        let Self { load, clip, classrooms, lessons, sessions, refusals, joins_took, alone, hub } = self;
        let asked_in_all: u64 = lessons.iter().map(|(_, teacher, _)| teacher.counts().keyframes_asked).sum();
        classrooms.finish()?;
        leave_all(&sessions);
        let mut problems: Vec<String> = refusals.into_iter().take(PROBLEMS_KEPT).collect();
        for (lesson, teacher, _) in lessons {
            let session = teacher.session().to_owned();
            if let Err(error) = teacher.stop().and_then(|_| lesson.leave(&session)) {
                problems.push(format!("{error:#}"));
            }
        }
        if let Some(hub) = hub {
            hub.shut_down();
        }
        problems.extend(window.lanes.iter().flat_map(|lane| lane.broken.iter().cloned()));
        let floor_cpu = load.server_pid.map(process::only_cpu).transpose()?.flatten();
        let measure = |time| floor::measure(&clip, sessions.len(), time, floor_cpu, &load.reception);
        let mut report = summarise(load, sessions.len(), window, alone.as_ref())?;
        report.floor = load.floor.map(measure).transpose()?;
        report.joins_seconds = joins_took.as_secs_f64();
        report.keyframes_asked_of_teacher = asked_in_all;
        report.problems = problems;
        Ok(report)
    }

    fn taught(&self) -> Vec<PublisherCounts> {
        self.lessons.iter().map(|(_, teacher, _)| teacher.counts()).collect()
    }

    fn entry(&self, number: usize, times: &Arc<SendTimes>) -> Entry {
        let ordinary = Entry { line: self.load.line, ..Entry::ordinary(times) };
        match self.load.slow {
            Some((slow, line)) if number < slow => Entry { line: Some(line), singled_out: true, ..ordinary },
            _ if number < self.load.flooding => Entry { habit: Habit::Flooding, singled_out: true, ..ordinary },
            _ => ordinary,
        }
    }
}

/// Who joined, and why others did not.
#[derive(Default)]
pub(crate) struct Joined {
    pub(crate) sessions: Vec<(Lesson, String)>,
    pub(crate) refusals: Vec<String>,
}

/// Ends sessions, several at a time.
pub(crate) fn leave_all(sessions: &[(Lesson, String)]) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..JOINERS.min(sessions.len()) {
            scope.spawn(|| {
                while let Some((lesson, session)) = sessions.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let _ = lesson.leave(session); // the goodbye over DTLS may have been faster
                }
            });
        }
    });
}

fn open_hub(workers: usize) -> Result<Hub> {
    let ip = Ipv4Addr::LOCALHOST;
    let config = HubConfig {
        listen: SocketAddr::from((ip, 0)),
        announce: vec![ip.into()],
        tcp: false,
        workers,
        max_seats: None,
    };
    Hub::start(config, Arc::new(|_| {})).context("the hub cannot start")
}

/// The server's process, or the media threads of our own.
fn read_server(load: &Load) -> Result<Option<Reading>> {
    match load.place {
        LessonHost::Here { .. } => Reading::take_threads(std::process::id(), HUB_THREADS).map(Some),
        LessonHost::Servers(_) => load.server_pid.map(Reading::take).transpose(),
    }
}

fn summarise(load: &Load, joined: usize, window: &Interval, alone: Option<&Reading>) -> Result<Report> {
    let (mut delays, mut singled_out_delays) = (new_delays(), new_delays());
    let (mut tally, mut singled_out) = (ReceptionTotals::default(), ReceptionTotals::default());
    let (mut packets, mut pictures) = (Vec::new(), Vec::new());
    let lanes = &window.lanes;
    for lane in lanes {
        delays.add(&lane.delays)?;
        singled_out_delays.add(&lane.singled_out_delays)?;
        tally += lane.tally;
        singled_out += lane.singled_out;
        packets.extend_from_slice(&lane.first_packets);
        pictures.extend_from_slice(&lane.first_pictures);
    }
    let server = window.server.as_ref().map(|(before, after)| {
        // A hub in this process shares its memory with the classrooms: memory per seat is unknown.
        let alone = alone.filter(|_| matches!(load.place, LessonHost::Servers(_)));
        let grown = alone.map_or(0, |alone| before.resident_bytes.saturating_sub(alone.resident_bytes));
        let cost = ServerCost::new(after.since(before), grown, after.resident_bytes, joined);
        cost.per_packet(tally.packets + singled_out.packets)
    });
    let lessons = window.taught.len().max(1);
    let sent: u64 = window.taught.iter().map(|(before, after)| after.packets - before.packets).sum();
    let asked = window.taught.iter().map(|(before, after)| after.keyframes_asked - before.keyframes_asked).sum();
    let slow_line = load.slow.map(|(_, line)| format!("{line:?}"));
    let apart = load.slow.map_or(0, |(slow, _)| slow).max(load.flooding).min(joined);
    let steady = lanes.iter().map(|lane| lane.steady).max().unwrap_or(window.length);
    Ok(Report {
        lessons,
        receivers: load.receivers,
        joined,
        with_first_picture: pictures.len(),
        broken: lanes.iter().map(|lane| lane.broken_count).sum(),
        gro: load.reception.gro,
        line: load.line.map(|line| format!("{line:?}")),
        still: load.still,
        steady_seconds: steady.as_secs_f64(),
        joins_seconds: 0.0,
        teacher_packets_per_second: sent as f64 / window.length.as_secs_f64(),
        keyframes_asked_of_teacher: asked,
        keyframes_asked_while_steady: asked,
        packets_per_second: tally.packets as f64 / steady.as_secs_f64(),
        megabits_per_second: tally.bytes as f64 * 8.0 / 1e6 / steady.as_secs_f64(),
        share_of_what_was_taught: window.share_of_what_was_taught(joined - apart),
        loss: tally.loss(),
        missed: tally.missed,
        repaired: tally.repaired,
        duplicates: tally.duplicates,
        refused: tally.refused,
        keyframes_asked_by_receivers: tally.keyframes_asked + singled_out.keyframes_asked,
        join_to_first_packet_ms: Spread::of_durations(&packets),
        join_to_first_picture_ms: Spread::of_durations(&pictures),
        delay_ms: Spread::of_micros(&delays),
        server,
        load_tool_busy: lanes.iter().map(|lane| lane.busy.share()).collect(),
        floor: None,
        singled_out: (apart > 0).then(|| SingledOut::new(apart, slow_line, singled_out, steady, &singled_out_delays)),
        bell: None,
        capacity: None,
        problems: Vec::new(),
    })
}

/// Threads that join. Each POST occupies one, so this bounds how many join at the same time.
const JOINERS: usize = 64;
/// Prefix of the thread names in `sfu::driver`.
const HUB_THREADS: &str = "media-";
const PROBLEMS_KEPT: usize = 5;
const TEACHER_SETTLES: Duration = Duration::from_secs(1);
const CLASSROOMS_SETTLE: Duration = Duration::from_secs(2);
/// After this time a board stands still.
const STILL_AFTER: Duration = Duration::from_secs(2);
