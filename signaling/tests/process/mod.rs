//! The real binary as a process of its own, which can be killed, with a virtual teacher and a few classrooms at it.
#![expect(dead_code, reason = "each test file uses its own part")]

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use load_tests::{
    client::{
        classrooms::{Classrooms, LaneReport, Reception},
        delay::SendTimes,
        seat::Entry,
        teacher::Teacher,
    },
    lesson::{Lesson, Sample},
    media::{clip::Clip, encode::Recipe},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sfu::TrackKind;
use tempfile::NamedTempFile;

/// Small enough for a machine that builds and tests beside it: 0.5 Mbit/s and voice.
const CLIP: Recipe = Recipe { height: 360, frame_rate: 25, bitrate_kbps: 500, seconds: 10 };

/// A hub in a process of its own.
pub struct Process {
    pub data: PathBuf,
    ports: [u16; 3],
    /// Beside the data: the disk that holds them may be full.
    log: NamedTempFile,
    child: Child,
}

impl Process {
    /// Starts a hub with a sample lesson and waits until it is ready.
    pub fn sample(data: &Path) -> Self {
        let (ports, log) = (free_ports(), NamedTempFile::new().expect("a log"));
        let child = spawn(data, ports, log.as_file(), true);
        let mut process = Self { data: data.to_owned(), ports, log, child };
        process.wait_until_ready();
        process
    }

    /// The same hub once more, on the same ports. Answers how long it took to be ready.
    pub fn start_again(&mut self) -> Duration {
        let began = Instant::now();
        self.start_and_not_wait();
        self.wait_until_ready();
        began.elapsed()
    }

    pub fn start_and_not_wait(&mut self) {
        self.child = spawn(&self.data, self.ports, self.log.as_file(), false);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("it dies");
    }

    /// Stops it as an operator does.
    pub fn stop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, Signal::SIGTERM).expect("it is there");
        assert!(self.child.wait().expect("it ends").success());
    }

    pub fn lesson(&self) -> Sample {
        Sample::read(&self.data.join("sample.json")).expect("a sample")
    }

    /// A figure of the operations' listener. `None`: it is not told, or nobody answers.
    pub fn figure(&self, name: &str) -> Option<f64> {
        let text = get(self.ports[2], "/metrics")?;
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// What the command line says, and whether it is content.
    pub fn console(&self, words: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_tongke"))
            .args(words)
            .arg("--data")
            .arg(&self.data)
            .env("RUST_LOG", "error")
            .output()
            .expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    fn wait_until_ready(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        while !get(self.ports[1], "/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            if let Some(ended) = self.child.try_wait().expect("a child") {
                panic!("the hub ended with {ended}: {}", fs::read_to_string(self.log.path()).unwrap_or_default());
            }
            assert!(Instant::now() < until, "the hub does not become ready");
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(data: &Path, [media, http, metrics]: [u16; 3], log: &File, sample: bool) -> Child {
    let at = |port: u16| format!("127.0.0.1:{port}");
    Command::new(env!("CARGO_BIN_EXE_tongke"))
        .arg("serve")
        .arg("--data")
        .arg(data)
        .args(["--listen", &at(media), "--http", &at(http), "--metrics", &at(metrics)])
        .args(sample.then_some("--sample"))
        .env("RUST_LOG", "warn,recorder=info,rtc_dtls=error")
        .stdout(log.try_clone().expect("a log"))
        .stderr(log.try_clone().expect("a log"))
        .spawn()
        .expect("the hub starts")
}

/// Three ports that are free for both protocols now. Nobody else asks for them in the tests' short time.
fn free_ports() -> [u16; 3] {
    let mut found = Vec::new();
    while found.len() < 3 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("its number").port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            found.push((port, listener));
        }
    }
    [found[0].0, found[1].0, found[2].0]
}

fn get(port: u16, path: &str) -> Option<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// A lesson that is taught and seen.
pub struct Taught {
    teacher: Teacher,
    classrooms: Classrooms,
}

impl Taught {
    /// Begins to teach at the hub, and lets three classrooms in. Returns when all of them have seen a picture.
    pub fn begin(process: &Process, clip: &Arc<Clip>) -> Self {
        const CLASSROOMS: usize = 3;
        let lesson = Lesson::Served(Arc::new(process.lesson()));
        let times = Arc::new(SendTimes::new(Instant::now()));
        let publish = |offer: &str| lesson.publish(TrackKind::Camera, offer);
        let teacher = Teacher::start(publish, clip.clone(), times.clone(), None).expect("a teacher");
        let slots = vec![TrackKind::Voice, TrackKind::Camera];
        let reception = Reception { threads: 1, gro: false, check_every: 1, slots: slots.clone(), cpu: None };
        let classrooms = Classrooms::open(reception).expect("classrooms");
        for number in 0..CLASSROOMS {
            classrooms.join(number, Entry::ordinary(&times), |offer| lesson.play(&slots, offer)).expect("a seat");
        }
        let until = Instant::now() + Duration::from_secs(60);
        while classrooms.lane_reports().expect("they live").iter().any(|lane| lane.first_pictures.len() < CLASSROOMS) {
            assert!(Instant::now() < until, "a classroom saw nothing");
            thread::park_timeout(Duration::from_millis(5));
        }
        Self { teacher, classrooms }
    }

    pub fn start_counting(&self) {
        self.classrooms.start_counting();
    }

    /// How many packets the teacher has sent.
    pub fn sent(&self) -> u64 {
        self.teacher.counts().packets
    }

    /// Ends it. What the classrooms saw since they were counted; nothing where the hub was killed under them.
    pub fn end(self) -> Option<LaneReport> {
        let _ = self.teacher.stop(); // its hub may be gone
        self.classrooms.finish().ok()?.pop()
    }
}

/// The clip that all these tests teach with.
pub fn clip() -> Arc<Clip> {
    // Made once: two tests of one program that make it at once write over each other's file.
    static MADE: OnceLock<Arc<Clip>> = OnceLock::new();
    let folder = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/clips"));
    MADE.get_or_init(|| Arc::new(CLIP.clip(folder).expect("a clip, by ffmpeg"))).clone()
}
