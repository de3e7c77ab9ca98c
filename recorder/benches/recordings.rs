//! What 200 recordings at once cost this machine: `cargo bench -p recorder --bench recordings`, a table of figures.
//!
//! Voice, camera and board at 190 KB/s each, in real time, on a real disk. The process that records is killed with
//! `kill -9` at its end, and what it left is recovered against the clock. Two other ways of syncing are measured beside
//! the one that is built in. `BENCH_DIR` names a folder on the disk to be measured, `SECONDS` how long.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock, and writes files")]

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use nix::unistd::syncfs;
use opus::{Application, Channels, Encoder};
use recorder::{
    Archive, ArchiveOptions, Recorder, RecordingId, SystemClock,
    disk::{Disk, DiskFile, LocalDisk, space::FreeSpace},
};
use sfu::{
    id::TrackId,
    limits::TAP_ITEMS_MAX,
    media::{Codec, TrackKind},
    packet::Packet,
    tap::{TapItem, TapSender, channel},
};
use uuid::Uuid;

const RECORDINGS: u64 = 200;

/// How what was written is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As built in: each recording's thread calls fdatasync itself.
    Own,
    /// One thread for all: gathers for 100 ms, then one fdatasync after the other.
    OneByOne,
    /// One thread for all: gathers for 100 ms, then one syncfs.
    Syncfs,
}

fn main() {
    if let Ok(way) = env::var("RECORD_AS") {
        let way = match way.as_str() {
            "own" => Way::Own,
            "one by one" => Way::OneByOne,
            _ => Way::Syncfs,
        };
        record(way, Path::new(&env::var("RECORD_IN").expect("a folder")));
        return;
    }
    let root = env::var("BENCH_DIR").map_or_else(|_| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    for (way, name) in [(Way::Own, "own"), (Way::OneByOne, "one by one"), (Way::Syncfs, "syncfs")] {
        let folder = tempfile::tempdir_in(&root).expect("a folder");
        let took = recovered_after_a_kill(name, folder.path());
        if way == Way::Own {
            let met = if took <= Duration::from_secs(2) { "met" } else { "NOT MET" };
            println!(
                "row: recovery of {RECORDINGS} recordings after kill -9: asked <= 2 s, measured {:.2} s [{met}]",
                took.as_secs_f64()
            );
        }
    }
}

/// How long it takes to put in order what a process leaves that is killed while it records.
fn recovered_after_a_kill(way: &str, folder: &Path) -> Duration {
    let mut child = Command::new(env::current_exe().expect("our own name"))
        .env("RECORD_AS", way)
        .env("RECORD_IN", folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    for line in BufReader::new(child.stdout.take().expect("its words")).lines() {
        let line = line.expect("a line");
        if line == END {
            break;
        }
        println!("{line}");
    }
    child.kill().and_then(|()| child.wait()).expect("it dies");
    let began = Instant::now();
    let archive = Archive::open(folder.to_owned(), Arc::new(SystemClock)).expect("the archive");
    let found = archive.recover().expect("a recovery");
    let took = began.elapsed();
    assert_eq!(found.len() as u64, RECORDINGS, "every recording goes on");
    for id in found {
        archive.verify(id).expect("a look").unwrap_or_else(|misfit| panic!("{id}: {misfit}"));
    }
    took
}

/// The line after which the process may be killed.
const END: &str = "END";

fn record(way: Way, folder: &Path) {
    let lasts = Duration::from_secs(env::var("SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(match way {
        Way::Own => 60,
        Way::OneByOne | Way::Syncfs => 20,
    }));
    let disk = Arc::new(Measured::new(way, folder));
    let archive = Archive::open_with(
        folder.to_owned(),
        Arc::new(SystemClock),
        ArchiveOptions { disk: disk.clone(), ..Default::default() },
    )
    .expect("the archive");
    let before = resident_bytes();
    let lessons: Vec<(Recorder, TapSender)> = (0..RECORDINGS)
        .map(|_| {
            let (sender, receiver) = channel(TAP_ITEMS_MAX);
            (archive.record(RecordingId(Uuid::now_v7()), receiver).expect("a recording"), sender)
        })
        .collect();
    let cpu_before = recorders_cpu();
    let (began, material) = (Instant::now(), Material::new());
    let bytes = teach(&lessons, &material, lasts);
    let took = began.elapsed().as_secs_f64();
    let cpu = recorders_cpu().saturating_sub(cpu_before).as_secs_f64();
    let memory = resident_bytes().saturating_sub(before);
    let dropped: u64 = lessons.iter().map(|(recorder, _)| recorder.status().dropped).sum();
    let each = RECORDINGS as f64;
    let latencies = disk.latencies.lock().expect("nobody panicked");
    let ms = |quantile: f64| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    let verdict = if dropped == 0 { "met" } else { "NOT MET" };
    println!(
        "row: {RECORDINGS} recordings at once, {:.0} KB/s each, {took:.0} s, {way:?}: asked 0 packets dropped by the taps, \
         measured {dropped}; fragment written and durable in p50 {:.1} ms, p99 {:.1} ms, worst {:.0} ms ({} fragments); \
         CPU {:.2} % of a core and {:.2} MiB of memory for each recording [{verdict}]",
        bytes as f64 / took / each / 1_000.0,
        ms(0.5),
        ms(0.99),
        ms(1.0),
        latencies.len(),
        cpu / took / each * 100.0,
        memory as f64 / each / f64::from(1 << 20),
    );
    println!("{END}");
    // Until it is killed, mid-lesson.
    teach(&lessons, &material, Duration::from_secs(3_600));
}

/// Packets of a lesson, shared by all.
struct Material {
    voice: Vec<Bytes>,
    keyframe: Vec<Bytes>,
    picture: Vec<Bytes>,
    board: Vec<Bytes>,
}

impl Material {
    fn new() -> Self {
        let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Voip).expect("an encoder");
        let voice = (0..50_u32).map(|packet| {
            let tone = |i: u32| ((packet * 960 + i) as f32 * 0.03).sin() * 0.4 + ((i * 7_919) % 97) as f32 * 0.001;
            let pcm: Vec<f32> = (0..960).map(tone).collect();
            Bytes::from(encoder.encode_vec_float(&pcm, 1_500).expect("a packet"))
        });
        let voice = voice.collect();
        const SPS: &[u8] = &[0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00];
        const PPS: &[u8] = &[0x68, 0xCB, 0x83, 0xCB, 0x20];
        let mut keyframe = vec![Bytes::from_static(SPS), Bytes::from_static(PPS)];
        keyframe.extend(slices(0x65, 30_000));
        Self { voice, keyframe, picture: slices(0x61, 5_750), board: slices(0x61, 6_400) }
    }
}

/// One picture in packets (RFC 6184 §5.8).
fn slices(nal: u8, bytes: usize) -> Vec<Bytes> {
    let count = bytes.div_ceil(1_150);
    (0..count)
        .map(|n| {
            let flags = (u8::from(n == 0) << 7) | (u8::from(n + 1 == count) << 6);
            let mut packet = vec![0x7C, flags | (nal & 0x1F)];
            packet.extend((0..bytes / count).map(|i| (i * 31 + n * 17) as u8 | 1));
            Bytes::from(packet)
        })
        .collect()
}

/// Teaches all lessons in real time: voice every 20 ms, camera every 40, board every 200, a keyframe every 4 s. Each began
/// a little after the one before, as schools do. Answers how many bytes were sent.
fn teach(lessons: &[(Recorder, TapSender)], material: &Material, lasts: Duration) -> u64 {
    let (began, mut bytes) = (Instant::now(), 0);
    let mut seqs = vec![[0_u64; 3]; lessons.len()];
    for (_, tap) in lessons {
        for (kind, codec) in
            [(TrackKind::Voice, Codec::Opus), (TrackKind::Camera, Codec::H264), (TrackKind::Board, Codec::H264)]
        {
            let started = TapItem::Started { track: TrackId(kind as u64), kind, codec, arrived: Instant::now() };
            tap.send(started).expect("it listens");
        }
    }
    for tick in 0_u64.. {
        let due = began + Duration::from_millis(5 * tick);
        if due > began + lasts {
            break;
        }
        // A late tick is made up for at once: a lesson waits for nobody.
        thread::sleep(due.saturating_duration_since(Instant::now()));
        for (n, (_, tap)) in lessons.iter().enumerate().skip((tick % 4) as usize).step_by(4) {
            // A quarter of the lessons at each tick, and each of them at its own point of its four seconds.
            let at = tick / 4 + n as u64 * 7;
            let send = |track: TrackKind,
                        of: usize,
                        packets: &[Bytes],
                        codec,
                        keyframe,
                        timestamp: u64,
                        seqs: &mut [u64; 3]| {
                for (i, payload) in packets.iter().enumerate() {
                    let packet = Arc::new(Packet {
                        seq: seqs[of],
                        timestamp: timestamp as u32,
                        marker: i + 1 == packets.len(),
                        codec,
                        keyframe,
                        payload: payload.clone(),
                        audio_level: None,
                        vp8: None,
                        frame_start: i == 0,
                        layered: None,
                    });
                    seqs[of] += 1;
                    let item = TapItem::Packet { track: TrackId(track as u64), arrived: Instant::now(), packet };
                    tap.send(item).expect("it listens");
                }
                packets.iter().map(|packet| packet.len() as u64).sum::<u64>()
            };
            let voice = &material.voice[(at % 50) as usize..][..1];
            bytes += send(TrackKind::Voice, 0, voice, Codec::Opus, true, tick / 4 * 960, &mut seqs[n]);
            if at.is_multiple_of(2) {
                let is_key = at.is_multiple_of(200);
                let packets = if is_key { &material.keyframe } else { &material.picture };
                bytes += send(TrackKind::Camera, 1, packets, Codec::H264, is_key, tick / 4 * 1_800, &mut seqs[n]);
            }
            if at.is_multiple_of(10) {
                let is_key = at.is_multiple_of(500);
                let packets = if is_key { &material.keyframe } else { &material.board };
                bytes += send(TrackKind::Board, 2, packets, Codec::H264, is_key, tick / 4 * 1_800, &mut seqs[n]);
            }
        }
    }
    bytes
}

/// The real disk with a stop watch.
struct Measured {
    /// From the write of a fragment until it is durable, in microseconds.
    latencies: Arc<Mutex<Histogram<u64>>>,
    syncer: Option<SyncSender<Request>>,
}

/// A file to be synced, and who waits for it.
type Request = (Arc<fs::File>, SyncSender<io::Result<()>>);

impl Measured {
    fn new(way: Way, folder: &Path) -> Self {
        let latencies = Arc::new(Mutex::new(Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds")));
        let syncer = (way != Way::Own).then(|| {
            let (sender, requests) = sync_channel(4_096);
            let folder = fs::File::open(folder).expect("the folder");
            thread::spawn(move || sync_all(way, &folder, &requests));
            sender
        });
        Self { latencies, syncer }
    }
}

/// The one thread that syncs for all.
fn sync_all(way: Way, folder: &fs::File, requests: &Receiver<Request>) {
    while let Ok(first) = requests.recv() {
        thread::sleep(Duration::from_millis(100));
        let batch: Vec<Request> = std::iter::once(first).chain(requests.try_iter()).collect();
        let all = (way == Way::Syncfs).then(|| syncfs(folder).map_err(io::Error::from));
        for (file, waits) in batch {
            let _ = waits.send(match &all {
                None => file.sync_data(),
                Some(Ok(())) => Ok(()),
                Some(Err(error)) => Err(error.kind().into()),
            });
        }
    }
}

impl Disk for Measured {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        LocalDisk.read(path)
    }
    fn open(&self, path: &Path, len: u64) -> io::Result<Box<dyn DiskFile>> {
        let file = fs::OpenOptions::new().create(true).append(true).open(path)?;
        if file.metadata()?.len() != len {
            file.set_len(len)?;
        }
        let latencies = path.extension().is_some_and(|end| end == "part").then(|| self.latencies.clone());
        Ok(Box::new(MeasuredFile {
            file: Arc::new(file),
            latencies,
            syncer: self.syncer.clone(),
            since: Instant::now(),
        }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }
    fn free_space(&self, path: &Path) -> io::Result<FreeSpace> {
        LocalDisk.free_space(path)
    }
    fn reserve_file(&self, path: &Path, bytes: u64) -> io::Result<()> {
        LocalDisk.reserve_file(path, bytes)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(path)
    }
}

struct MeasuredFile {
    file: Arc<fs::File>,
    /// `None`: it holds no media.
    latencies: Option<Arc<Mutex<Histogram<u64>>>>,
    syncer: Option<SyncSender<Request>>,
    since: Instant,
}

impl DiskFile for MeasuredFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.since = Instant::now();
        io::Write::write_all(&mut &*self.file, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        match &self.syncer {
            None => self.file.sync_data()?,
            Some(syncer) => {
                let (sender, done) = sync_channel(1);
                syncer.send((self.file.clone(), sender)).map_err(io::Error::other)?;
                done.recv().map_err(io::Error::other)??;
            }
        }
        if let Some(latencies) = &self.latencies {
            let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
            latencies.lock().map_err(|_| io::ErrorKind::Other)?.saturating_record(micros);
        }
        Ok(())
    }
}

/// Time on a processor of all recordings' threads.
fn recorders_cpu() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("our own threads").flatten();
    let nanos = threads.filter_map(|thread| {
        let read = |name: &str| fs::read_to_string(thread.path().join(name)).ok();
        (read("comm")?.trim() == "recorder").then_some(())?;
        read("schedstat")?.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("our own memory");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
}
