//! Board and camera in one frame, made by ffmpeg where it is installed, for players that show one picture only.
//!
//! A derived file in a folder of its own, never beside the evidence. Made at the lowest priority, one at a time, and
//! may be cancelled at any moment. Its input is an [`Export`], piped into ffmpeg.
#![expect(clippy::disallowed_methods, reason = "this is the rim: a foreign program is run here, and its file opened")]

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    export::mp4::{Export, ExportCursor},
    id::RecordingId,
};

/// Makes composites, and reports which exist.
#[derive(Debug)]
pub struct Composer {
    dir: PathBuf,
    program: OsString,
    /// The running job, or the last that failed.
    job: Mutex<Option<Job>>,
    begun: AtomicU64,
}

#[derive(Debug)]
struct Job {
    id: RecordingId,
    /// Distinguishes it from a later job of the same recording.
    number: u64,
    /// `None`: failed.
    child: Option<Child>,
    done_ms: Arc<AtomicU64>,
    duration_ms: u64,
}

/// The state of a composite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CompositeState {
    /// In progress, 0 to 1.
    Making(f32),
    /// Complete.
    Ready {
        /// Its length.
        size_bytes: u64,
    },
    /// ffmpeg failed.
    Failed,
}

/// Why a composite is not begun.
#[derive(Debug, thiserror::Error)]
pub enum CompositeRefused {
    /// ffmpeg is not installed, or cannot be run.
    #[error("ffmpeg cannot be run")]
    NoFfmpeg(#[source] io::Error),
    /// Another one is in progress.
    #[error("a composite of recording {0} is being made")]
    Busy(RecordingId),
    /// It exists already.
    #[error("it is there already")]
    Ready,
    /// The export does not have exactly one board and one camera.
    #[error("there are not one board and one camera")]
    NotTwoPictures,
    /// The disk failed.
    #[error("the disk refuses")]
    Disk(#[source] io::Error),
}

impl Composer {
    /// Opens the folder `dir`, which is created if missing; `program` is ffmpeg. Partial files of a previous process
    /// are removed.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(dir: PathBuf, program: impl Into<OsString>) -> io::Result<Arc<Self>> {
        fs::create_dir_all(&dir)?;
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == PART) {
                fs::remove_file(path)?;
            }
        }
        Ok(Arc::new(Self { dir, program: program.into(), job: Mutex::new(None), begun: AtomicU64::new(0) }))
    }

    /// Begins one. `export` must be of board and camera.
    ///
    /// # Errors
    /// [`CompositeRefused`].
    pub fn begin(self: &Arc<Self>, id: RecordingId, export: Arc<Export>) -> Result<(), CompositeRefused> {
        if export.pictures() != 2 {
            return Err(CompositeRefused::NotTwoPictures);
        }
        let mut job = self.job();
        if let Some(Job { id, child: Some(_), .. }) = *job {
            return Err(CompositeRefused::Busy(id));
        }
        if self.path(id).exists() {
            return Err(CompositeRefused::Ready);
        }
        let mut child = self.run(&self.part(id)).map_err(CompositeRefused::NoFfmpeg)?;
        let (feed, told) = (child.stdin.take(), child.stdout.take());
        let done_ms = Arc::new(AtomicU64::new(0));
        let duration_ms = export.duration_ms();
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        *job = Some(Job { id, number, child: Some(child), done_ms: done_ms.clone(), duration_ms });
        drop(job);
        let composer = self.clone();
        let work = move || {
            if let Some(told) = told {
                for line in BufReader::new(told).lines().map_while(Result::ok) {
                    if let Some(micros) = line.strip_prefix("out_time_us=").and_then(|text| text.parse::<u64>().ok()) {
                        done_ms.store(micros / 1_000, Ordering::Relaxed);
                    }
                }
            }
            composer.end(number);
        };
        let feeding = std::thread::Builder::new().name("composite-feed".to_owned()).spawn(move || pour(&export, feed));
        let started = feeding.and_then(|_| std::thread::Builder::new().name("composite".to_owned()).spawn(work));
        started.map(drop).map_err(|error| {
            self.cancel(id);
            CompositeRefused::Disk(error)
        })
    }

    /// The state of a recording's composite. `None`: none exists or is in progress.
    #[must_use]
    pub fn state(&self, id: RecordingId) -> Option<CompositeState> {
        if let Some(job) = self.job().as_ref().filter(|job| job.id == id) {
            let share = job.done_ms.load(Ordering::Relaxed) as f32 / job.duration_ms.max(1) as f32;
            return Some(match job.child {
                Some(_) => CompositeState::Making(share.min(1.0)),
                None => CompositeState::Failed,
            });
        }
        let size_bytes = fs::metadata(self.path(id)).ok()?.len();
        Some(CompositeState::Ready { size_bytes })
    }

    /// Cancels a running job, or removes a complete composite. False: there is none.
    pub fn cancel(&self, id: RecordingId) -> bool {
        let mut job = self.job();
        if let Some(mut known) = job.take_if(|job| job.id == id) {
            if let Some(child) = &mut known.child {
                let _ = child.kill();
                let _ = child.wait();
            }
            let _ = fs::remove_file(self.part(id));
            return true;
        }
        fs::remove_file(self.path(id)).is_ok()
    }

    /// Opens a complete composite.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub fn file(&self, id: RecordingId) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// ffmpeg has exited.
    fn end(&self, number: u64) {
        let mut job = self.job();
        let Some(known) = job.as_mut().filter(|job| job.number == number) else { return }; // Cancelled.
        let id = known.id;
        let Some(mut child) = known.child.take() else { return };
        let whole = child.wait().is_ok_and(|status| status.success());
        match whole.then(|| fs::rename(self.part(id), self.path(id))) {
            Some(Ok(())) => *job = None,
            _ => {
                let _ = fs::remove_file(self.part(id));
                tracing::error!(recording.id = %id, "ffmpeg made no composite of recording {id}");
            }
        }
    }

    fn run(&self, to: &Path) -> io::Result<Child> {
        // Fails here if ffmpeg is missing: `nice` itself would start.
        Command::new(&self.program).arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        Command::new("nice")
            .args(["-n", "19"])
            .arg(&self.program)
            .args(["-nostdin", "-v", "error", "-progress", "pipe:1", "-y", "-i", "pipe:0", "-filter_complex", FRAME])
            .args(["-map", "[v]", "-map", "0:a:0?", "-c:a", "copy", "-c:v", "libx264", "-preset", "veryfast"])
            .args(["-crf", "27", "-threads", "1", "-movflags", "+faststart", "-f", "mp4"])
            .arg(to)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    }

    fn path(&self, id: RecordingId) -> PathBuf {
        self.dir.join(format!("{id}.mp4"))
    }

    fn part(&self, id: RecordingId) -> PathBuf {
        self.dir.join(format!("{id}.{PART}"))
    }

    fn job(&self) -> MutexGuard<'_, Option<Job>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Composer {
    fn drop(&mut self) {
        if let Some(Job { child: Some(child), .. }) = self.job.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let _ = child.kill();
        }
    }
}

/// Pipes the export into ffmpeg.
fn pour(export: &Export, to: Option<ChildStdin>) {
    let Some(mut to) = to else { return };
    let (mut cursor, mut piece) = (ExportCursor::at(0), vec![0; PIECE_BYTES]);
    while let Ok(read @ 1..) = export.read(&mut cursor, &mut piece) {
        if to.write_all(&piece[..read]).is_err() {
            return; // Cancelled or failed: the exit status decides.
        }
    }
}

/// The board fills the frame, the camera is in its corner, both at 25 pictures a second, so that a still board does not
/// hold the camera.
const FRAME: &str = "[0:v:0]fps=25,scale=1280:720:force_original_aspect_ratio=decrease,\
pad=1280:720:(ow-iw)/2:(oh-ih)/2,setsar=1[board];[0:v:1]fps=25,scale=320:-2,setsar=1[camera];\
[board][camera]overlay=W-w-16:H-h-16:eof_action=repeat,format=yuv420p[v]";

const PART: &str = "part";
const PIECE_BYTES: usize = 256 * 1024;
