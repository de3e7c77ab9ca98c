//! `tongke-load`: one or many lessons, many classrooms, real UDP; prints what it found.
#![expect(clippy::disallowed_methods, reason = "I/O: it writes the report")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use load_tests::{
    bell, capacity,
    client::classrooms::Reception,
    lesson::Sample,
    line::Line,
    load::{self, LessonHost, Load},
    media::encode::Recipe,
    rows::rows,
};
use sfu::TrackKind;

/// Publishes an encoded lesson to a running server and receives it with many virtual classrooms.
#[derive(Debug, Parser)]
#[command(name = "tongke-load", version)]
struct Arguments {
    /// The `sample.json` that `tongke serve --sample` wrote. Several: a lesson at each server.
    #[arg(long, num_args = 1.., required_unless_present = "lessons")]
    sample: Vec<PathBuf>,
    /// So many lessons at a hub in this process, instead of at a server.
    #[arg(long, conflicts_with_all = ["sample", "server_pid"])]
    lessons: Option<usize>,
    /// Threads of the hub in this process.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Virtual classrooms, shared out over the lessons.
    #[arg(long, default_value_t = 200)]
    receivers: usize,
    /// Length of the counted interval.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Joins per second, or `all` for as fast as they come.
    #[arg(long, default_value = "50")]
    joins_per_second: String,
    /// Every classroom's line, both ways: a preset, a rate, or settings: `1m`, `4m`, `delay_ms=40,loss_pct=2`.
    #[arg(long, value_parser = Line::parse)]
    line: Option<Line>,
    /// So many classrooms on a slow line, counted apart: `1:100k`.
    #[arg(long, value_parser = slow, value_name = "N:LINE")]
    slow: Option<(usize, Line)>,
    /// So many classrooms ask for 200 keyframes and 10,000 packets a second, and are counted apart.
    #[arg(long, default_value_t = 0, conflicts_with = "slow")]
    flood: usize,
    /// The teacher shows a board, which soon stands still. Receives voice and board where no slots are named.
    #[arg(long)]
    still: bool,
    /// Once the lesson runs, so many more join as fast as they come.
    #[arg(long)]
    bell: Option<usize>,
    /// From --receivers on, add a fifth at a time until more than 0.1 % is lost, or so many are there.
    #[arg(long, num_args = 0..=1, default_missing_value = "6000", conflicts_with_all = ["bell", "slow", "flood"])]
    capacity: Option<usize>,
    /// The server's process: its processor time and memory are read from /proc.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Write the JSON here instead of to standard output.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Let the kernel join received packets (UDP_GRO).
    #[arg(long)]
    gro: bool,
    /// Threads that the classrooms share.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Processor that the classrooms' threads are pinned to.
    #[arg(long)]
    cpu: Option<usize>,
    /// Open one packet in so many once the first picture is there. 1 checks every tag.
    #[arg(long, default_value_t = 1)]
    check_every: u64,
    /// Receive slots in order [default: voice,camera].
    #[arg(long, value_delimiter = ',')]
    slots: Vec<TrackKind>,
    /// The picture's rate.
    #[arg(long, default_value_t = Recipe::LESSON.bitrate_kbps)]
    bitrate_kbps: u32,
    /// How long the floor is measured; 0 leaves it out.
    #[arg(long, default_value_t = 5)]
    floor_seconds: u64,
    /// Where encoded clips are kept.
    #[arg(long, default_value = "target/load-clips")]
    cache: PathBuf,
}

fn slow(text: &str) -> Result<(usize, Line), String> {
    let (count, line) = text.split_once(':').ok_or("not N:LINE, as 1:100k")?;
    let count = count.parse().map_err(|_| format!("not a number: {count}"))?;
    Ok((count, Line::parse(line)?))
}

impl Arguments {
    fn load(&self) -> Result<Load> {
        let joins_per_second = match self.joins_per_second.as_str() {
            "all" => None,
            rate => match rate.parse::<f64>() {
                Ok(rate) if rate > 0.0 => Some(rate),
                _ => bail!("--joins-per-second is a number above 0, or all"),
            },
        };
        let place = match self.lessons {
            Some(lessons) => LessonHost::Here { lessons: lessons.max(1), workers: self.workers.max(1) },
            None => LessonHost::Servers(self.sample.iter().map(|path| Sample::read(path)).collect::<Result<_>>()?),
        };
        let picture = if self.still { TrackKind::Board } else { TrackKind::Camera };
        let slots = if self.slots.is_empty() { vec![TrackKind::Voice, picture] } else { self.slots.clone() };
        let apart = self.slow.map_or(self.flood, |(slow, _)| slow);
        ensure!(apart == 0 || apart < self.receivers, "no classroom is left to compare with: raise --receivers");
        Ok(Load {
            place,
            receivers: self.receivers.max(1),
            steady: Duration::from_secs(self.seconds.max(1)),
            joins_per_second,
            server_pid: self.server_pid,
            reception: Reception {
                threads: self.threads.max(1),
                gro: self.gro,
                check_every: self.check_every.max(1),
                slots,
                cpu: self.cpu,
            },
            recipe: Recipe { bitrate_kbps: self.bitrate_kbps, ..Recipe::LESSON },
            cache: self.cache.clone(),
            floor: (self.floor_seconds > 0).then(|| Duration::from_secs(self.floor_seconds)),
            line: self.line,
            slow: self.slow,
            flooding: self.flood,
            still: self.still,
        })
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("tongke-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True where every classroom joined and saw a picture; a slow one may not see it.
fn run(arguments: &Arguments) -> Result<bool> {
    let load = arguments.load()?;
    let report = match (arguments.bell, arguments.capacity) {
        (Some(joins), _) => bell::run(&load, joins)?,
        (None, Some(most)) => capacity::run(&load, most)?,
        (None, None) => load::run(&load)?,
    };
    eprint!("{report}");
    let mut json = serde_json::to_value(&report)?;
    json["rows"] = serde_json::to_value(rows(&report))?;
    match &arguments.json {
        Some(path) => {
            std::fs::write(path, format!("{json}\n")).with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => println!("{json}"),
    }
    let apart = report.singled_out.as_ref().map_or(0, |apart| apart.classrooms);
    Ok(report.capacity.is_some() || (report.with_first_picture + apart >= report.receivers && report.broken == 0))
}
