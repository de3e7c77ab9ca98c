//! Recordings and their copies in a real S3 server, behind a proxy that injects faults.
#![expect(clippy::disallowed_methods, reason = "the test touches files, and waits for a real server")]

mod server;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use recorder::{
    Archive, ArchiveOptions, Clock, Fault as VerifyFault, Mirror, NotEvicted,
    disk::{Disk, LocalDisk, recording_files::RecordingFiles, verify::FaultLocation},
    id::MediaName,
    journal::{InitRecord, Record, VERSION},
    mirror::{
        Object, Piece,
        bucket::{BucketError, Put},
        remote_disk::MirroredDisk,
        upload_queue::UploadRule,
    },
    track::action::Action,
};
use server::{Fault, Server, Way};
use sfu::media::{Codec, TrackKind};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::fixtures::{ID, id};

/// The machine's clock, with a calendar that the test turns on.
struct Calendar(AtomicU64);

impl Clock for Calendar {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

const BEGAN_MS: u64 = 1_800_000_000_000;

/// What is waited for in a test comes sooner, on the slowest of lines too.
const UNTIL_AT_MOST: Duration = Duration::from_secs(600);

/// A hub's folder of recordings with a bucket behind it.
struct Hub {
    folder: TempDir,
    calendar: Arc<Calendar>,
    archive: Arc<Archive>,
    mirror: Arc<Mirror>,
    running: JoinHandle<()>,
}

/// Waits of a test's length, instead of a night's.
fn quick() -> UploadRule {
    UploadRule {
        first_wait: Duration::from_millis(20),
        longest_wait: Duration::from_millis(300),
        timeout: Duration::from_millis(600),
        bytes_per_second: 1_000_000_000,
        slowest_bytes_per_second: 16_000,
        ..UploadRule::default()
    }
}

/// As [`quick`], with the timeout that a hub has with a thin line.
fn thin() -> UploadRule {
    UploadRule { slowest_bytes_per_second: UploadRule::default().slowest_bytes_per_second, ..quick() }
}

impl Hub {
    fn open(way: &Way) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), way)
    }

    fn in_folder(folder: TempDir, way: &Way) -> Self {
        Self::by_rule(folder, way, quick())
    }

    fn by_rule(folder: TempDir, way: &Way, rule: UploadRule) -> Self {
        let calendar = Arc::new(Calendar(AtomicU64::new(BEGAN_MS)));
        let root = folder.path().join("recordings");
        let disk = MirroredDisk::over(Arc::new(LocalDisk), way.bucket(), tokio::runtime::Handle::current());
        let archive =
            Archive::open_with(root, calendar.clone(), ArchiveOptions { disk: Arc::new(disk), ..Default::default() })
                .unwrap();
        let receipts = folder.path().join("mirror.receipts");
        let mirror = Mirror::open(archive.clone(), way.bucket(), receipts, rule).unwrap();
        let running = tokio::spawn(mirror.clone().run());
        Self { folder, calendar, archive, mirror, running }
    }

    /// As a hub that is killed and starts again.
    async fn restart(self, way: &Way) -> Self {
        self.running.abort();
        let _ = self.running.await;
        Self::in_folder(self.folder, way)
    }

    fn dir(&self) -> std::path::PathBuf {
        self.folder.path().join("recordings").join(ID)
    }

    /// A lesson of so many segments of four seconds, of voice and camera, by the recorder's own store.
    fn writer(&self) -> Writer {
        let start = Record::Start {
            recording_id: id(),
            version: VERSION,
            started_at_ms: BEGAN_MS,
            software: "test".to_owned(),
        };
        let store = RecordingFiles::create(Arc::new(LocalDisk), self.dir(), &start).unwrap();
        let mut writer = Writer { store, seq: 0, lot: 7, voice_bytes: 32_000, calendar: self.calendar.clone() };
        for kind in [TrackKind::Voice, TrackKind::Camera] {
            let name = MediaName::Init { kind, n: 1 };
            let bytes = writer.bytes(700);
            let sha256 = recorder::journal::sha256(&bytes);
            let (codec, size) = if kind.is_sound() { (Codec::Opus, None) } else { (Codec::H264, Some(720)) };
            let record = InitRecord { kind, n: 1, codec, codecs: "x".to_owned(), width: size, height: size, sha256 };
            writer.store.perform(&Action::Init { name, bytes, record }).unwrap();
        }
        writer
    }

    fn end(&self, mut writer: Writer) {
        let duration_ms = u64::from(writer.seq) * 4_000;
        writer.store.record(&Record::End { duration_ms }).unwrap();
        drop(writer);
        self.archive.repair(id()).unwrap();
    }

    async fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is(self) {
            assert!(started.elapsed() < UNTIL_AT_MOST, "{what}: {:?}", self.mirror.status());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn until_whole(&self) {
        self.until("the bucket has all", |hub| hub.mirror.is_whole(id())).await;
    }

    /// The bucket holds what the folder holds, byte for byte, and nothing else but parts of the journal.
    fn same_in(&self, server: &Server) -> usize {
        let (here, there) = (files(&self.dir()), files(&server.objects(ID)));
        let (parts, there): (BTreeMap<_, _>, BTreeMap<_, _>) =
            there.into_iter().partition(|(name, _)| name.starts_with("journal-"));
        assert!(here == there, "here {:?}, there {:?}", here.keys(), there.keys());
        let journal = &here["journal.log"];
        for (name, bytes) in parts {
            let from: usize = name[8..20].parse().unwrap();
            assert_eq!(journal[from..from + bytes.len()], bytes, "{name}");
        }
        there.len()
    }
}

struct Writer {
    store: RecordingFiles,
    seq: u32,
    lot: u64,
    /// Of each segment of voice.
    voice_bytes: usize,
    calendar: Arc<Calendar>,
}

impl Writer {
    fn bytes(&mut self, len: usize) -> Bytes {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            self.lot ^= self.lot << 13;
            self.lot ^= self.lot >> 7;
            self.lot ^= self.lot << 17;
            bytes.extend_from_slice(&self.lot.to_le_bytes());
        }
        bytes.truncate(len);
        bytes.into()
    }

    /// Four seconds more, of so many bytes of camera.
    fn segment(&mut self, camera_bytes: usize) {
        self.seq += 1;
        let seq = self.seq;
        let voice = (TrackKind::Voice, 48_000, self.voice_bytes);
        for (kind, scale, len) in [voice, (TrackKind::Camera, 90_000, camera_bytes)] {
            let bytes = self.bytes(len);
            let (duration, name) = (4 * scale, MediaName::Segment { kind, seq });
            let start = u64::from(seq - 1) * duration;
            self.store.perform(&Action::Append { name, bytes, end: start + duration }).unwrap();
            let close = Action::Close { kind, seq, init: 1, start, duration, fragments: 1 };
            self.store.perform(&close).unwrap();
        }
        self.calendar.0.fetch_add(4_000, Ordering::SeqCst);
    }
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).into_iter().flatten().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_away_for_half_an_hour_of_a_lesson_gets_everything_once_and_catches_up() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let way = Way::to(&server).await;
    let hub = Hub::in_folder(folder, &way);
    let mut writer = hub.writer();
    (0..15).for_each(|_| writer.segment(728_000));
    hub.until("the first minute is there", |hub| hub.mirror.status().sent >= 32).await;

    way.is(Fault::Down);
    let knocks = way.accepted();
    (0..450).for_each(|_| writer.segment(728_000));
    hub.until("it is noticed", |hub| hub.mirror.status().failing_since_ms.is_some()).await;
    hub.until("it was looked through", |hub| hub.mirror.status().lag.objects >= 900).await;
    let lag = hub.mirror.status().lag;
    assert!(lag.oldest >= Duration::from_secs(1_790) && lag.bytes > 330_000_000, "{lag:?}");
    let knocks = way.accepted() - knocks;
    assert!(knocks < 200, "it knocked {knocks} times at a closed door");

    way.is(Fault::None);
    let started = Instant::now();
    hub.until("it caught up", |hub| hub.mirror.status().lag.objects == 0).await;
    let took = started.elapsed();
    hub.end(writer);
    hub.until_whole().await;
    let objects = hub.same_in(&server);
    let status = hub.mirror.status();
    assert_eq!((status.alarms.len(), status.found), (0, 0), "{status:?}");
    let factor = 1_800.0 / took.as_secs_f64();
    println!(
        "30 min of lesson time without a bucket: {} objects and {} MB behind, {knocks} knocks; caught up in {took:.1?}, \
         {factor:.0} × real time; {objects} objects, each once",
        lag.objects,
        lag.bytes / 1_000_000
    );
    assert!(factor >= 3.0, "{factor}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_way_does_nothing_is_lost_and_nothing_is_there_twice() {
    println!("{:24} {:>8} {:>8} {:>6} {:>9}", "fault, then a good way", "objects", "sent", "found", "took");
    let faults = [
        Fault::None,
        Fault::Down,
        Fault::ErrorAfterSuccess,
        Fault::SilenceAfterSuccess,
        Fault::Stall,
        Fault::ResetAt(100),
        Fault::ResetAt(20_000),
        Fault::HangsAt(20_000),
    ];
    // Each has a server and a hub of its own, all at once: most of the time they wait.
    let tasks: Vec<_> = faults.into_iter().map(|fault| tokio::spawn(through(fault))).collect();
    for task in tasks {
        println!("{}", task.await.unwrap());
    }
}

/// A lesson over a way with this fault, and over a good one afterwards. Answers a line of the table.
async fn through(fault: Fault) -> String {
    let server = Server::start().await;
    let way = Way::to(&server).await;
    way.is(fault);
    let hub = Hub::open(&way);
    let started = Instant::now();
    let mut writer = hub.writer();
    (0..6).for_each(|_| writer.segment(40_000));
    hub.end(writer);
    if fault != Fault::None {
        let enough = if let Fault::HangsAt(_) = fault { 2 } else { 4 };
        hub.until("it fails", |hub| hub.mirror.status().failed >= enough).await;
        way.is(Fault::None);
    }
    hub.until_whole().await;
    let objects = hub.same_in(&server);
    let status = hub.mirror.status();
    let took = started.elapsed();
    let line = format!("{:24} {objects:>8} {:>8} {:>6} {took:>9.1?}", format!("{fault:?}"), status.sent, status.found);
    assert_eq!(objects, 2 + 12 + 2, "{fault:?}");
    assert_eq!((status.sent + status.found, status.alarms.len()), (16, 0), "{status:?}");
    match fault {
        Fault::ErrorAfterSuccess | Fault::SilenceAfterSuccess => assert!(status.found > 0, "{fault:?}: {status:?}"),
        // What is small enough went through before the reset, and its answer did not.
        Fault::ResetAt(20_000) | Fault::HangsAt(20_000) => {}
        _ => assert_eq!(status.found, 0, "{fault:?}: {status:?}"),
    }
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_ten_kilobytes_a_second_carries_everything_at_the_first_attempt() {
    println!("{}", over_a_thin_line(thin(), 2, 40_000).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_ten_kilobytes_a_second_carries_whole_segments_at_the_first_attempt() {
    if std::env::var_os("DEEP").is_none() {
        println!("NOT RUN: it takes five minutes; DEEP=1 runs it");
        return;
    }
    println!("{}", over_a_thin_line(UploadRule::default(), 5, 500_000).await);
}

/// A lesson of so many segments, of so many bytes of camera each, over 10 kB/s. Answers a line of figures.
async fn over_a_thin_line(rule: UploadRule, segments: usize, camera_bytes: usize) -> String {
    let server = Server::start().await;
    let way = Way::to(&server).await;
    way.is(Fault::Slow(10_000));
    let hub = Hub::by_rule(tempfile::tempdir().unwrap(), &way, rule);
    let started = Instant::now();
    let mut writer = hub.writer();
    writer.voice_bytes = 6_000;
    (0..segments).for_each(|_| writer.segment(camera_bytes));
    hub.end(writer);
    hub.until_whole().await;
    let objects = hub.same_in(&server);
    let (took, status) = (started.elapsed(), hub.mirror.status());
    assert_eq!(objects, 2 + 2 * segments + 2);
    assert_eq!((status.sent, status.found, status.alarms.len()), (objects as u64, 0, 0), "{status:?}");
    assert_eq!(status.failed, 0, "{status:?}");
    let carried = way.carried_bytes();
    assert!(carried < status.sent_bytes + 2_000 * status.sent, "{carried} bytes went up for {status:?}");
    let (sent, failed, bytes) = (status.sent, status.failed, status.sent_bytes);
    let pace = bytes as f64 / took.as_secs_f64();
    format!(
        "10 kB/s: {objects} objects, {sent} attempts, {failed} failures, {bytes} bytes in {took:.1?}, {pace:.0} B/s"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrived_without_an_answer_is_asked_for_and_not_sent_again() {
    let server = Server::start().await;
    let way = Way::to(&server).await;
    let object = Object { recording: id(), piece: Piece::Media("camera-000002.m4s".parse().unwrap()) };
    let (bytes, timeout) = (Bytes::from(vec![7; 300_000]), Duration::from_secs(20));
    way.is(Fault::ErrorAfterSuccess);
    assert!(way.bucket().put(&object, bytes.clone(), timeout).await.is_err());
    way.is(Fault::None);
    let before = way.carried_bytes();
    assert!(before > 300_000, "{before}");
    assert_eq!(way.bucket().put_if_missing(&object, bytes.clone(), timeout).await.unwrap(), Put::Same);
    let asked = way.carried_bytes() - before;
    assert!(asked < 5_000, "{asked} bytes went up for a question");
    let other = way.bucket().put_if_missing(&object, Bytes::from_static(b"other"), timeout).await;
    assert!(matches!(other, Err(BucketError::Different { .. })), "{other:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_killed_goes_on_where_it_was_even_without_its_receipts() {
    let mut server = Server::start().await;
    let way = Way::to(&server).await;
    let mut hub = Hub::open(&way);
    let mut writer = hub.writer();
    (0..20).for_each(|_| writer.segment(40_000));
    hub.until("some are there", |hub| hub.mirror.status().sent >= 5).await;
    hub = hub.restart(&way).await;
    server.kill_and_start().await;
    (0..5).for_each(|_| writer.segment(40_000));
    hub.until("all media is there", |hub| {
        files(&server.objects(ID)).len() >= 52 && hub.mirror.status().lag.objects == 0
    })
    .await;
    assert!(hub.mirror.status().sent < 52, "not all of it again: {:?}", hub.mirror.status());

    fs::remove_file(hub.folder.path().join("mirror.receipts")).unwrap();
    hub = hub.restart(&way).await;
    hub.end(writer);
    hub.until_whole().await;
    assert_eq!(hub.same_in(&server), 54);
    let status = hub.mirror.status();
    assert_eq!((status.sent, status.found, status.alarms.len()), (2, 52, 0), "journal and seal are new: {status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_under_a_name_are_an_alarm_and_stay_as_they_are() {
    let server = Server::start().await;
    let way = Way::to(&server).await;
    let object = Object { recording: id(), piece: Piece::Media("camera-000002.m4s".parse().unwrap()) };
    let timeout = Duration::from_secs(5);
    way.bucket().put(&object, Bytes::from_static(b"somebody else's"), timeout).await.unwrap();
    let hub = Hub::open(&way);
    let mut writer = hub.writer();
    (0..3).for_each(|_| writer.segment(40_000));
    hub.end(writer);
    hub.until("the alarm", |hub| hub.mirror.status().alarms == [object.to_string()]).await;
    hub.until("the others are there", |hub| hub.mirror.status().lag.objects == 0).await;
    assert_eq!(way.bucket().get(&object, timeout).await.unwrap(), "somebody else's");
    assert!(!hub.mirror.is_whole(id()) && !server.objects(ID).join("seal.json").exists(), "no seal stands for it");
    hub.calendar.0.fetch_add(2 * 86_400_000, Ordering::SeqCst);
    assert!(hub.mirror.evict(id()).await.is_err());
    assert_eq!(hub.archive.copies(id(), false).unwrap().here, 8, "every file is still here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_copy_goes_only_when_the_bucket_confirms_it_and_all_is_read_from_there() {
    let server = Server::start().await;
    let way = Way::to(&server).await;
    let hub = Hub::open(&way);
    let mut writer = hub.writer();
    (0..5).for_each(|_| writer.segment(40_000));
    assert!(matches!(hub.mirror.evict(id()).await, Err(NotEvicted::NotSealed(_))));
    hub.end(writer);
    hub.until_whole().await;
    assert!(matches!(hub.mirror.evict(id()).await, Err(NotEvicted::TooYoung(_))));
    hub.calendar.0.fetch_add(86_400_000, Ordering::SeqCst);

    // One object is missing: nothing is removed.
    let gone = server.objects(ID).join("voice-000003.m4s");
    let bytes = fs::read(&gone).unwrap();
    fs::remove_file(&gone).unwrap();
    let refused = hub.mirror.evict(id()).await.unwrap_err();
    assert!(matches!(refused, NotEvicted::Bucket(BucketError::Missing { .. })), "{refused:?}");
    assert_eq!(hub.archive.copies(id(), true).unwrap().here, 12);
    fs::write(&gone, &bytes).unwrap();

    let before = files(&hub.dir());
    let freed = hub.mirror.evict(id()).await.unwrap();
    assert!(freed > 5 * 72_000, "{freed}");
    let copies = hub.archive.copies(id(), true).unwrap();
    assert_eq!((copies.named, copies.here), (12, 0));
    assert_eq!(files(&hub.dir()).into_keys().collect::<Vec<_>>(), ["journal.log", "seal.json"]);

    // verify reads from the bucket, and puts nothing on the disk.
    let archive = hub.archive.clone();
    let verified = move || {
        let archive = archive.clone();
        tokio::task::spawn_blocking(move || archive.verify(id()).unwrap())
    };
    assert_eq!(verified().await.unwrap().unwrap().segments, 10);
    assert_eq!(hub.archive.copies(id(), true).unwrap().here, 0);

    // So does a copy on another disk, which is verified there.
    let (archive, to) = (hub.archive.clone(), tempfile::tempdir().unwrap());
    let at = to.path().to_owned();
    let copied = tokio::task::spawn_blocking(move || archive.copy_out(id(), &at)).await.unwrap().unwrap().unwrap();
    assert_eq!((copied.segments, files(&to.path().join(ID)) == before), (10, true));

    // A replay brings a file back under its name.
    let media = |name: &'static str| {
        let archive = hub.archive.clone();
        tokio::task::spawn_blocking(move || archive.media_path(id(), name))
    };
    let path = media("camera-000004.m4s").await.unwrap().unwrap();
    assert_eq!(fs::read(path).unwrap(), before["camera-000004.m4s"]);
    assert_eq!(hub.archive.copies(id(), true).unwrap().here, 1);
    assert_eq!(LocalDisk.list(hub.dir().parent().unwrap()).unwrap(), [ID], "nothing is left beside it");

    // One bit in the bucket is named by verify, and never comes back.
    let mut bytes = fs::read(server.objects(ID).join("camera-000002.m4s")).unwrap();
    bytes[1_000] ^= 1;
    fs::write(server.objects(ID).join("camera-000002.m4s"), bytes).unwrap();
    let misfit = verified().await.unwrap().unwrap_err();
    println!("{misfit}");
    assert_eq!(
        (misfit.location, misfit.fault),
        (FaultLocation::File { name: "camera-000002.m4s".into() }, VerifyFault::Changed)
    );
    assert!(media("camera-000002.m4s").await.unwrap().is_err());

    // Deleted is deleted: no object is left.
    assert!(hub.mirror.cancel_uploads(id()));
    hub.archive.remove(id()).unwrap();
    hub.archive.remove(id()).unwrap();
    assert!(hub.mirror.remove(id()).await.unwrap() >= 14);
    hub.mirror.scan().unwrap();
    assert_eq!(hub.mirror.status().lag.objects, 0);
    assert!(files(&server.objects(ID)).is_empty());
    assert!(LocalDisk.list(&server.objects(ID)).unwrap().is_empty());
}
