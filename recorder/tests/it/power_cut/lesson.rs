//! A lesson as the recorder's thread writes it, driven without threads, and the judge of what is left of it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use recorder::{
    ArchiveError, Expected, RecordingId, Signer,
    disk::{
        Disk,
        recording_files::{RecordingFiles, lock},
        recover, verify,
    },
    format::fmp4,
    id::MediaName,
    journal::{GapReason, Record, VERSION, manifest::Ledger, sha256},
    recording::Recording,
    track::{action::Action, sound_meter::SILENCE},
};
use sfu::{
    id::TrackId,
    media::{Codec, TrackKind},
    packet::Packet,
    tap::TapItem,
};

use super::disk::SimDisk;

pub const DIR: &str = "/archive/0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a";
/// More often than in a real lesson, so that every short one has some.
const CHECK_EVERY_MS: u64 = 3_000;

pub const KINDS: [TrackKind; 2] = [TrackKind::Voice, TrackKind::Camera];

/// How what is on a disk is put in order.
type Recover = fn(&Arc<dyn Disk>, &Path, Option<&dyn Signer>) -> Result<Option<RecordingFiles>, ArchiveError>;

/// A writer as it runs in the recorder's thread, on one disk.
pub struct Writer {
    disk: SimDisk,
    start: Instant,
    store: RecordingFiles,
    recording: Recording,
    pub now_ms: u64,
    /// Where each track ends, in ticks, as far as syncs returned.
    pub promised: HashMap<TrackKind, u64>,
    /// The same, after how many written bytes each was promised.
    pub promises: Vec<(u64, TrackKind, u64)>,
    seqs: (u64, u64),
}

impl Writer {
    pub fn begin(disk: &SimDisk) -> Result<Self, ArchiveError> {
        let id: RecordingId = DIR.rsplit('/').next().unwrap().parse().unwrap();
        let record =
            Record::Start { recording_id: id, version: VERSION, started_at_ms: 1, software: "test".to_owned() };
        let store = RecordingFiles::create(Arc::new(disk.clone()), PathBuf::from(DIR), &record)?;
        let start = Instant::now();
        let recording = Recording::new(start, Duration::ZERO, []);
        Ok(Self {
            disk: disk.clone(),
            start,
            store,
            recording,
            now_ms: 0,
            promised: HashMap::new(),
            promises: Vec::new(),
            seqs: (0, 0),
        })
    }

    /// As [`Self::begin`], and tries once more where that fails.
    pub fn begin_patiently(disk: &SimDisk) -> Self {
        Self::begin(disk).or_else(|_| Self::go_on(disk, 0, recover::recover_suspect)).unwrap()
    }

    /// Goes on with what is on the disk, at `now_ms`.
    pub fn resume(disk: &SimDisk, now_ms: u64) -> Result<Self, ArchiveError> {
        Self::go_on(disk, now_ms, recover::recover)
    }

    fn go_on(disk: &SimDisk, now_ms: u64, recover: Recover) -> Result<Self, ArchiveError> {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let Some(mut store) = recover(&shared, Path::new(DIR), None)? else { return Self::begin(disk) };
        let ledger = lock(&store.ledger()).clone();
        let tracks = recover::resume(disk, Path::new(DIR), &ledger, GapReason::Crash)?;
        store.record(&Record::Resumed { at_ms: now_ms })?;
        let start = Instant::now();
        let recording = Recording::new(start, Duration::from_millis(now_ms), tracks);
        Ok(Self {
            disk: disk.clone(),
            start: start - Duration::from_millis(now_ms),
            store,
            recording,
            now_ms,
            promised: HashMap::new(),
            promises: Vec::new(),
            seqs: (0, 0),
        })
    }

    /// Tells how far the journal has come.
    pub fn check(&mut self, patient: bool) -> Result<(), ArchiveError> {
        let at_ms = self.now_ms;
        match self.store.checkpoint(at_ms, None) {
            Err(_) if patient => self.store.checkpoint(at_ms, None),
            done => done,
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.now_ms)
    }

    /// Teaches until `until_ms`. `patient`: an action that fails is tried again.
    pub fn teach(&mut self, until_ms: u64, patient: bool) -> Result<(), ArchiveError> {
        let base = u64::from(self.now_ms > 0) * 100;
        let (voice, camera) = (TrackId(base + 1), TrackId(base + 2));
        for (track, kind, codec) in [(voice, TrackKind::Voice, Codec::Opus), (camera, TrackKind::Camera, Codec::H264)] {
            let arrived = self.now();
            self.recording.handle_item(arrived, TapItem::Started { track, kind, codec, arrived });
        }
        let first_ms = self.now_ms;
        while self.now_ms < until_ms {
            self.now_ms += 20;
            let timestamp = (self.now_ms * 48) as u32;
            self.tell(voice, self.seqs.0, timestamp, Codec::Opus, true, Bytes::from_static(SILENCE));
            self.seqs.0 += 1;
            if self.now_ms.is_multiple_of(100) {
                let key = (self.now_ms - first_ms) % 2_000 == 100;
                let timestamp = (self.now_ms * 90) as u32;
                self.tell(camera, self.seqs.1, timestamp, Codec::H264, key, picture(key, self.now_ms));
                self.seqs.1 += 1;
            }
            self.recording.handle_timeout(self.now());
            self.write(patient)?;
            if self.now_ms.is_multiple_of(CHECK_EVERY_MS) {
                self.check(patient)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, track: TrackId, seq: u64, timestamp: u32, codec: Codec, keyframe: bool, payload: Bytes) {
        let packet = Arc::new(Packet {
            seq,
            timestamp,
            marker: true,
            codec,
            keyframe,
            payload,
            audio_level: None,
            vp8: None,
            frame_start: true,
            layered: None,
        });
        let arrived = self.now();
        self.recording.handle_item(arrived, TapItem::Packet { track, arrived, packet });
    }

    fn write(&mut self, patient: bool) -> Result<(), ArchiveError> {
        while let Some(action) = self.recording.poll_action() {
            let mut result = self.store.perform(&action);
            if patient && result.is_err() {
                result = self.store.perform(&action);
            }
            result?;
            if let Action::Append { name, end, .. } = action {
                self.promised.insert(name.kind(), end);
                self.promises.push((self.disk.written(), name.kind(), end));
            }
        }
        Ok(())
    }

    pub fn finish(&mut self, patient: bool) -> Result<(), ArchiveError> {
        self.recording.finish(self.now(), true);
        self.write(patient)?;
        recover::seal(&self.disk, Path::new(DIR), &self.store, None)
    }
}

fn picture(key: bool, n: u64) -> Bytes {
    const SPS: &[u8] = &[0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00];
    const PPS: &[u8] = &[0x68, 0xCB, 0x83, 0xCB, 0x20];
    let mut body: Vec<u8> = (0..if key { 900 } else { 150 }).map(|i| (i * 7 + n) as u8 | 1).collect();
    body[0] = if key { 0x65 } else { 0x61 };
    if !key {
        return body.into();
    }
    let mut stap = vec![0x78];
    for nal in [SPS, PPS, &body] {
        stap.extend_from_slice(&(nal.len() as u16).to_be_bytes());
        stap.extend_from_slice(nal);
    }
    stap.into()
}

/// Recovers what `disk` holds and checks every file against the journal.
pub fn recovered(disk: &SimDisk) -> Option<Ledger> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let store = recover::recover(&shared, Path::new(DIR), None).unwrap()?;
    let ledger = lock(&store.ledger()).clone();
    let files = disk.snapshot();
    for track in &ledger.tracks {
        let mut end = 0;
        for segment in &track.segments {
            let name = MediaName::Segment { kind: segment.kind, seq: segment.seq };
            let bytes = Bytes::from(files[&Path::new(DIR).join(name.to_string())].clone());
            assert_eq!(sha256(&bytes), segment.sha256, "{name}");
            let (fragments, kept) = fmp4::scan(&bytes);
            assert_eq!((kept, kept as u64), (bytes.len(), segment.size_bytes), "{name} is whole");
            assert_eq!(segment.start, end, "{name} follows the one before");
            for fragment in fragments {
                assert_eq!(fragment.start, end);
                end += fragment.duration;
            }
            assert_eq!(segment.start + segment.duration, end);
            let init = MediaName::Init { kind: segment.kind, n: segment.init };
            let record = track.inits.iter().find(|init| init.n == segment.init).unwrap();
            assert_eq!(sha256(&files[&Path::new(DIR).join(init.to_string())]), record.sha256);
        }
    }
    assert!(!files.keys().any(|name| name.to_str().unwrap().ends_with(".part")));
    // What is in order says so itself.
    verify::verify(disk, Path::new(DIR), ledger.recording_id, &Expected::default()).unwrap().unwrap();
    Some(ledger)
}

/// Recovers what `disk` holds; whatever it says, it may be asked again.
pub fn recover_once(disk: &SimDisk) -> Result<(), ArchiveError> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    recover::recover(&shared, Path::new(DIR), None).map(drop)
}

/// Every track reaches at least where it was promised to.
pub fn holds(ledger: Option<&Ledger>, promised: impl IntoIterator<Item = (TrackKind, u64)>, when: &str) {
    for (kind, promised) in promised {
        let end = ledger.and_then(|ledger| ledger.of(kind)).map_or(0, |track| track.end());
        assert!(end >= promised, "{when}: {kind} ends at {end}, {promised} was promised");
    }
}

/// A whole lesson on a disk on which nothing goes wrong, and how many operations it took.
pub fn dry_run(lesson_ms: u64) -> (SimDisk, u64) {
    let disk = SimDisk::seeded(1);
    let mut writer = Writer::begin(&disk).unwrap();
    writer.teach(lesson_ms, false).unwrap();
    writer.finish(false).unwrap();
    let operations = disk.operations();
    (disk, operations)
}
