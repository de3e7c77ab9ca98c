//! `tongke-load`: one lesson, many classrooms, real UDP; prints what it found.
#![expect(clippy::disallowed_methods, reason = "a rim: it writes the report")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use load_tests::{
    client::{classrooms::Reception, encode::Recipe},
    load::{self, Load, Sample},
};
use sfu::TrackKind;

/// Publishes an encoded lesson to a running server and receives it with many virtual classrooms.
#[derive(Debug, Parser)]
#[command(name = "tongke-load", version)]
struct Arguments {
    /// The `sample.json` that `tongke serve --sample` wrote.
    #[arg(long)]
    sample: PathBuf,
    /// Virtual classrooms.
    #[arg(long, default_value_t = 200)]
    receivers: usize,
    /// Length of the counted interval.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Joins per second, or `all` for as fast as they come.
    #[arg(long, default_value = "50")]
    joins_per_second: String,
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
    /// Receive slots in order.
    #[arg(long, default_value = "voice,camera", value_delimiter = ',')]
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

impl Arguments {
    fn load(&self) -> Result<Load> {
        let joins_per_second = match self.joins_per_second.as_str() {
            "all" => None,
            rate => match rate.parse::<f64>() {
                Ok(rate) if rate > 0.0 => Some(rate),
                _ => bail!("--joins-per-second is a number above 0, or all"),
            },
        };
        Ok(Load {
            sample: Sample::read(&self.sample)?,
            receivers: self.receivers.max(1),
            steady: Duration::from_secs(self.seconds.max(1)),
            joins_per_second,
            server_pid: self.server_pid,
            reception: Reception {
                threads: self.threads.max(1),
                gro: self.gro,
                check_every: self.check_every.max(1),
                slots: self.slots.clone(),
                cpu: self.cpu,
            },
            recipe: Recipe { bitrate_kbps: self.bitrate_kbps, ..Recipe::LESSON },
            cache: self.cache.clone(),
            floor: (self.floor_seconds > 0).then(|| Duration::from_secs(self.floor_seconds)),
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

/// True where every classroom joined and saw a picture.
fn run(arguments: &Arguments) -> Result<bool> {
    let report = load::run(&arguments.load()?)?;
    eprint!("{report}");
    let json = serde_json::to_string(&report)?;
    match &arguments.json {
        Some(path) => {
            std::fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => println!("{json}"),
    }
    Ok(report.with_first_picture == report.receivers && report.broken == 0)
}
