//! Commands for recordings: list, verify, export, repair.

use std::{
    collections::HashMap,
    fmt::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    clock::Clock,
    config::ConfigArgs,
    data_dir,
    live::{
        recorded::{SEAL_RECORDING, SEAL_SHA256},
        recording::{self, SealKey},
    },
    store::{AuditRow, Database, Store, audit::AuditSearch},
};
use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use recorder::{
    Archive, Checkpoint, Condition, Copies, ExportTracks, RecordingId, RecordingSummary, Signed, Signer,
    disk::LocalDisk,
    mirror::{bucket, receipts::Receipts},
};
use school::{account::system_scope, base::id::LessonId};
use serde::Serialize;

/// The data folder and database of a hub, which may be running.
#[derive(Args)]
pub struct Hub {
    /// The hub's data folder
    #[arg(long, env = "TONGKE_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// Its database, if not in the data folder
    #[arg(long, env = "TONGKE_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
}

impl Hub {
    /// Opens the hub's database.
    ///
    /// # Errors
    /// If it does not exist or cannot be opened.
    pub async fn store(&self) -> anyhow::Result<Store> {
        let database = match &self.database {
            Some(url) => url.parse()?,
            None => {
                let file = data_dir::database_file(&self.data);
                anyhow::ensure!(file.is_file(), "{} is no data folder of ours", self.data.display());
                Database::file(&file)
            }
        };
        Ok(Store::open(&database).await?)
    }

    /// Whether a database is configured or lies in the data folder.
    fn has_database(&self) -> bool {
        self.database.is_some() || data_dir::database_file(&self.data).is_file()
    }

    fn archive(&self) -> anyhow::Result<Arc<Archive>> {
        archive(&self.data, None)
    }
}

/// The bucket with the copies, for recordings evicted from the disk.
#[derive(Args)]
pub struct Bucket {
    /// As in `serve`
    #[arg(long, env = "TONGKE_S3", value_name = "URL")]
    s3: Option<String>,
    /// As in `serve`
    #[arg(long, env = "TONGKE_S3_REGION", value_name = "NAME")]
    s3_region: Option<String>,
    /// As in `serve`
    #[arg(long, env = "TONGKE_S3_CREDENTIALS", value_name = "FILE")]
    s3_credentials: Option<PathBuf>,
}

impl Bucket {
    fn open(self) -> anyhow::Result<Option<bucket::Bucket>> {
        let said = ConfigArgs::of_bucket(self.s3, self.s3_region, self.s3_credentials);
        Ok(said.s3()?.map(|s3| recording::bucket(&s3)).transpose()?)
    }
}

/// The recordings of a data folder, with the key that signed them, if there is one yet.
fn archive(data: &Path, bucket: Option<bucket::Bucket>) -> anyhow::Result<Arc<Archive>> {
    let key = SealKey::existing(data)?;
    anyhow::ensure!(data.join("recordings").is_dir(), "there are no recordings in {}", data.display());
    Ok(recording::archive(data, key.map(|key| Arc::new(key) as Arc<dyn Signer>), bucket)?)
}

/// Verifies that a recording was not altered: its folder, and against the database.
#[derive(Args)]
pub struct Verify {
    /// As listed by `recordings`
    #[arg(value_name = "ID")]
    recording: RecordingId,
    #[command(flatten)]
    bucket: Bucket,
    #[command(flatten)]
    hub: Hub,
}

/// Checkpoints and seal digest of a recording in the database.
#[derive(Default)]
struct StoredSeal {
    checkpoints: Vec<Checkpoint>,
    seal_sha256: Option<String>,
}

impl StoredSeal {
    async fn of(hub: &Hub, recording: RecordingId) -> anyhow::Result<Self> {
        let store = hub.store().await?;
        let (console, id) = (system_scope::console(), school::base::id::RecordingId::from(recording.0));
        let checkpoints = store.checkpoints(&console, id).await?;
        let search = AuditSearch {
            act: Some(SEAL_RECORDING.to_owned()),
            object: Some(format!("recording:{recording}")),
            ..AuditSearch::default()
        };
        let sealed = store.audit_lines(&console, &search, None, 1).await?;
        store.close().await;
        let seal_sha256 = sealed.first().and_then(|line| line.detail.strip_prefix(SEAL_SHA256)).map(str::to_owned);
        Ok(Self { checkpoints, seal_sha256 })
    }
}

impl Verify {
    /// Prints a summary if nothing was altered.
    ///
    /// # Errors
    /// The first mismatch.
    pub async fn run(self) -> anyhow::Result<()> {
        let archive = archive(&self.hub.data, self.bucket.open()?)?;
        // Read before the folder: a recording in progress is never behind its stored checkpoints.
        let kept = if self.hub.has_database() { Some(StoredSeal::of(&self.hub, self.recording).await?) } else { None };
        let beside = kept.as_ref().map_or((&[][..], None), |kept| (&kept.checkpoints[..], kept.seal_sha256.as_deref()));
        let whole = archive.verify_beside(self.recording, beside.0, beside.1)?.map_err(anyhow::Error::new)?;
        println!(
            "{} records and {} segments ({}), none touched. SHA-256 of the last record: {}",
            whole.records,
            whole.segments,
            size(whole.size_bytes),
            whole.chain_head
        );
        match whole.signed {
            Signed::NotYet => {
                println!("The recording is not over: whether its newest records were cut off cannot be known.");
            }
            Signed::No => println!("It is not signed: whoever could write the whole folder could write another one."),
            Signed::Yes(key) => println!("Signed by this hub's key {key}"),
            Signed::By(key) => println!("Signed by {key}, which is not known here: compare it with its hub's."),
        }
        match kept {
            None => println!("The database is not here: whether all of it was written anew cannot be known."),
            Some(StoredSeal { checkpoints, seal_sha256 }) => {
                let seal = if seal_sha256.is_some() { ", and so is the seal that the audit tells of" } else { "" };
                println!("{} checkpoints of the database are all in it{seal}.", checkpoints.len());
            }
        }
        Ok(())
    }
}

/// Lists the recordings, or exports or repairs one.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Recordings {
    #[command(subcommand)]
    act: Option<RecordingCommand>,
    #[command(flatten)]
    hub: Option<Hub>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum RecordingCommand {
    /// Copy a finished recording into a folder: segments, journal and seal, verified after copying
    Export {
        /// As listed by `recordings`
        #[arg(value_name = "ID")]
        recording: RecordingId,
        /// Destination; a folder named after the recording is created in it
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Also write one MP4 file: camera, board, both or voice. Can be repeated
        #[arg(long, value_name = "TRACKS")]
        mp4: Vec<ExportTracks>,
        #[command(flatten)]
        hub: Hub,
        #[command(flatten)]
        bucket: Bucket,
    },
    /// Repair a recording left half written. The hub does so itself at start
    Repair {
        /// As listed by `recordings`
        #[arg(value_name = "ID")]
        recording: RecordingId,
        #[command(flatten)]
        hub: Hub,
    },
}

impl Recordings {
    /// Runs the command.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn run(self) -> anyhow::Result<()> {
        match (self.act, self.hub) {
            (Some(RecordingCommand::Export { recording, to, mp4, hub, bucket }), _) => {
                export(recording, to, mp4, &hub, bucket).await
            }
            (Some(RecordingCommand::Repair { recording, hub }), _) => repair(recording, &hub).await,
            (None, Some(hub)) => list(&hub, self.json).await,
            (None, None) => anyhow::bail!("say where the recordings are: --data DIR"),
        }
    }
}

/// A listed recording.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    recording: RecordingSummary,
    /// `None`: no lesson in the database has it.
    lesson_id: Option<LessonId>,
    title: Option<String>,
    /// `None`: unreadable.
    copies: Option<Copies>,
}

async fn list(hub: &Hub, json: bool) -> anyhow::Result<()> {
    let archive = hub.archive()?;
    let store = hub.store().await?;
    let lessons = store.recorded_lessons(&system_scope::console()).await?;
    store.close().await;
    let receipts = hub.data.join(recording::RECEIPTS_FILE);
    let receipts = receipts.is_file().then(|| Receipts::read(Arc::new(LocalDisk), receipts.clone())).transpose()?;
    let mut lessons: HashMap<_, _> =
        lessons.into_iter().map(|(id, lesson_id, title)| (id.uuid(), (lesson_id, title))).collect();
    let lines: Vec<Line> = archive
        .list()?
        .into_iter()
        .map(|recording| {
            let (lesson_id, title) = lessons.remove(&recording.recording_id.0).unzip();
            let mirrored = receipts.as_ref().is_some_and(|receipts| receipts.is_whole(recording.recording_id));
            let copies = archive.copies(recording.recording_id, mirrored).ok();
            Line { recording, lesson_id, title, copies }
        })
        .collect();
    if json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
        return Ok(());
    }
    print!("{}", table(&lines));
    if !lessons.is_empty() {
        println!("{} more are known to the database, and not in this folder.", lessons.len());
    }
    Ok(())
}

async fn repair(recording: RecordingId, hub: &Hub) -> anyhow::Result<()> {
    let archive = hub.archive()?;
    let _ours = data_dir::alone(&hub.data).context("stop the hub first: it may be writing this recording")?;
    let store = hub.store().await?;
    let row = AuditRow::by_system(Clock::system().wall(), "repair_recording", format!("recording:{recording}"));
    store.audit(&row).await?;
    store.close().await;
    let repaired = archive.repair(recording)?;
    let copies = archive.copies(recording, false).ok();
    print!("{}", table(&[Line { recording: repaired, lesson_id: None, title: None, copies }]));
    Ok(())
}

/// An export of a recording of minors is audited before the first byte is copied.
async fn export(
    recording: RecordingId,
    to: PathBuf,
    mp4: Vec<ExportTracks>,
    hub: &Hub,
    bucket: Bucket,
) -> anyhow::Result<()> {
    let archive = archive(&hub.data, bucket.open()?)?;
    let store = hub.store().await?;
    let row = AuditRow::by_system(Clock::system().wall(), "export_recording", format!("recording:{recording}"));
    store.audit(&row.saying(to.display().to_string())).await?;
    store.close().await;
    let (from, into) = (archive.clone(), to.clone());
    let copied = tokio::task::spawn_blocking(move || from.copy_out(recording, &into)).await??;
    let whole = copied.map_err(anyhow::Error::new)?;
    println!(
        "{} segments ({}) in {}, none touched. SHA-256 of the journal's last record: {}",
        whole.segments,
        size(whole.size_bytes),
        to.join(recording.to_string()).display(),
        whole.chain_head
    );
    for tracks in mp4 {
        let (from, path) = (archive.clone(), to.join(format!("{recording}-{tracks}.mp4")));
        let shown = path.display().to_string();
        let bytes = tokio::task::spawn_blocking(move || {
            let (export, mut file) = (from.export(recording, tracks, None)?, data_dir::NewFile::begin(&path)?);
            let bytes = std::io::copy(&mut export.reader(0), &mut file)?;
            file.finish()?;
            anyhow::Ok(bytes)
        });
        println!("{} in {shown}", size(bytes.await??));
    }
    Ok(())
}

/// The title is the last column: the width of Chinese text depends on the terminal.
fn table(lines: &[Line]) -> String {
    let mut table = format!(
        "{:36}  {:20}  {:>8}  {:11}  {:>9}  {:>4}  {:9}  LESSON\n",
        "RECORDING", "BEGAN", "LENGTH", "CONDITION", "SIZE", "GAPS", "COPIES"
    );
    for Line { recording, lesson_id, title, copies } in lines {
        let began = i64::try_from(recording.started_at_ms).ok().filter(|ms| *ms > 0);
        let began = began.and_then(|ms| Timestamp::from_second(ms / 1_000).ok());
        let began = began.map_or_else(|| "-".to_owned(), |began| began.to_string());
        let lesson = match (lesson_id, title) {
            (Some(lesson_id), Some(title)) => format!("{lesson_id} {}", title.replace(char::is_control, " ")),
            _ => "-".to_owned(),
        };
        let _ = writeln!(
            table,
            "{:36}  {began:20}  {:>8}  {:11}  {:>9}  {:>4}  {:9}  {lesson}",
            recording.recording_id.to_string(),
            length(Duration::from_millis(recording.duration_ms)),
            condition(recording.condition),
            size(recording.size_bytes),
            recording.gaps,
            copies.map_or("-", whereabouts),
        );
    }
    table
}

/// Where all media of a recording can be found.
fn whereabouts(copies: Copies) -> &'static str {
    match (copies.here == copies.named, copies.mirrored) {
        (true, true) => "disk + s3",
        (true, false) => "disk",
        (false, true) => "s3",
        (false, false) => "not whole",
    }
}

fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Running => "running",
        Condition::Suspended => "suspended",
        Condition::Paused => "paused",
        Condition::Interrupted => "interrupted",
        Condition::Unsealed => "unsealed",
        Condition::Sealed => "sealed",
        Condition::Unreadable => "unreadable",
    }
}

fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
