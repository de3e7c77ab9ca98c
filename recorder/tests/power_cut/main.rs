//! The archive on a disk that forgets what was not synced: what was promised is there, whatever happens when.
#![expect(clippy::disallowed_methods, reason = "the test needs one first moment of time")]

mod disk;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use recorder::{
    ArchiveError, RecordingId,
    clock::LessonTime,
    disk::Disk,
    fmp4,
    id::MediaName,
    journal::{GapReason, JOURNAL, Record, VERSION, sha256},
    manifest::{Ledger, Phase},
    recording::{Action, Recording},
    recover,
    sound::SILENCE,
    store::{Store, lock},
    verify,
};
use sfu::{
    id::TrackId,
    media::{Codec, TrackKind},
    packet::Packet,
    tap::TapItem,
};

use disk::SimDisk;

const DIR: &str = "/archive/0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a";
const KINDS: [TrackKind; 2] = [TrackKind::Voice, TrackKind::Camera];

/// A writer as it runs in the recorder's thread, on one disk.
struct Writer {
    disk: SimDisk,
    start: Instant,
    store: Store,
    recording: Recording,
    now_ms: u64,
    /// Where each track ends, in ticks, as far as syncs returned.
    promised: HashMap<TrackKind, u64>,
    seqs: (u64, u64),
}

impl Writer {
    fn begin(disk: &SimDisk) -> Result<Self, ArchiveError> {
        let id: RecordingId = DIR.rsplit('/').next().unwrap().parse().unwrap();
        let record =
            Record::Start { recording_id: id, version: VERSION, started_at_ms: 1, software: "test".to_owned() };
        let store = Store::create(Arc::new(disk.clone()), PathBuf::from(DIR), &record)?;
        let start = Instant::now();
        let recording = Recording::new(start, Duration::ZERO, []);
        Ok(Self { disk: disk.clone(), start, store, recording, now_ms: 0, promised: HashMap::new(), seqs: (0, 0) })
    }

    /// Goes on with what is on the disk, at `now_ms`.
    fn resume(disk: &SimDisk, now_ms: u64) -> Result<Self, ArchiveError> {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut store = recover::recover(&shared, Path::new(DIR), None)?.expect("there is a recording");
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
            seqs: (0, 0),
        })
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.now_ms)
    }

    /// Teaches until `until_ms`. `patient`: an action that fails is tried again.
    fn teach(&mut self, until_ms: u64, patient: bool) -> Result<(), ArchiveError> {
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
            }
        }
        Ok(())
    }

    fn finish(&mut self, patient: bool) -> Result<(), ArchiveError> {
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
fn recovered(disk: &SimDisk) -> Option<Ledger> {
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
    verify::verify(disk, Path::new(DIR), ledger.recording_id, None).unwrap().unwrap();
    Some(ledger)
}

fn dry_run(lesson_ms: u64) -> (SimDisk, u64) {
    let disk = SimDisk::seeded(1);
    let mut writer = Writer::begin(&disk).unwrap();
    writer.teach(lesson_ms, false).unwrap();
    writer.finish(false).unwrap();
    let operations = disk.operations();
    (disk, operations)
}

#[test]
fn after_a_power_cut_at_any_operation_everything_promised_is_there() {
    const LESSON_MS: u64 = 14_000;
    let (_, operations) = dry_run(LESSON_MS);
    let mut worst_ms = 0;
    let mut losses = Vec::new();
    for seed in 0..300 {
        let disk = SimDisk::seeded(seed);
        disk.cut_power_at(1 + disk.random(operations));
        let mut writer = None;
        let ended = Writer::begin(&disk).and_then(|mut begun| {
            let result = begun.teach(LESSON_MS, false).and_then(|()| begun.finish(false));
            writer = Some(begun);
            result
        });
        assert!(ended.is_err(), "seed {seed}: the power was cut");
        disk.power_on();
        if seed % 3 == 0 {
            // And once more, in the middle of the recovery.
            disk.cut_power_at(1 + disk.random(12));
            let shared: Arc<dyn Disk> = Arc::new(disk.clone());
            let _ = recover::recover(&shared, Path::new(DIR), None);
            disk.power_on();
        }
        let Some(writer) = writer else {
            recovered(&disk);
            continue;
        };
        let ledger = recovered(&disk).unwrap_or_else(|| panic!("seed {seed}: the recording was begun"));
        let before = disk.snapshot();
        recovered(&disk);
        assert_eq!(before, disk.snapshot(), "seed {seed}: recovery twice gives the same bytes");
        for kind in KINDS {
            let end = ledger.of(kind).map_or(0, |track| track.end());
            let promised = writer.promised.get(&kind).copied().unwrap_or(0);
            assert!(end >= promised, "seed {seed}: {kind} ends at {end}, {promised} was promised");
            let kept_ms = LessonTime::from_ticks(end, fmp4::time_scale(kind.is_sound())).millis();
            let lost_ms = writer.now_ms.saturating_sub(kept_ms);
            assert!(lost_ms <= 2_000, "seed {seed}: {kind} lost {lost_ms} ms");
            worst_ms = worst_ms.max(lost_ms);
            losses.push(lost_ms);
        }
        if matches!(ledger.phase, Phase::Ended(_)) {
            continue;
        }
        // The lesson goes on three seconds later, and ends well.
        let mut writer = Writer::resume(&disk, writer.now_ms.next_multiple_of(100) + 3_000).unwrap();
        let end_ms = writer.now_ms + 5_000;
        writer.teach(end_ms, false).unwrap();
        writer.finish(false).unwrap();
        disk.power_on();
        let manifest = recovered(&disk).unwrap().manifest();
        assert_eq!(manifest.duration_ms, end_ms);
        for track in manifest.tracks {
            assert!(track.duration_ms.abs_diff(end_ms) < 100, "seed {seed}: {track:?}");
            assert!(
                track.gaps.iter().any(|gap| gap.reason == GapReason::Crash)
                    || ledger.of(track.kind).is_none_or(|track| track.segments.is_empty())
            );
        }
    }
    losses.sort_unstable();
    println!("lost: median {} ms, worst {worst_ms} ms of {} cuts", losses[losses.len() / 2], losses.len() / 2);
}

#[test]
fn any_one_operation_may_fail_and_nothing_is_lost() {
    const LESSON_MS: u64 = 6_000;
    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;
    let (reference, operations) = dry_run(LESSON_MS);
    let expected = reference.snapshot();
    for errno in [ENOSPC, EIO] {
        for operation in 1..=operations {
            let disk = SimDisk::seeded(operation);
            disk.fail_at(operation, errno);
            let Ok(mut writer) = Writer::begin(&disk) else { continue };
            writer.teach(LESSON_MS, true).unwrap();
            if writer.finish(true).is_err() {
                recovered(&disk);
            }
            // What a page cache pretends to hold is gone after this.
            disk.power_on();
            recovered(&disk).unwrap();
            let found = disk.snapshot();
            for (name, bytes) in &expected {
                assert_eq!(found.get(name), Some(bytes), "operation {operation}: {}", name.display());
            }
        }
    }
}

#[test]
fn every_prefix_of_a_part_gives_its_whole_fragments() {
    let disk = SimDisk::seeded(5);
    let mut writer = Writer::begin(&disk).unwrap();
    writer.teach(11_800, false).unwrap();
    let files = disk.snapshot();
    let part =
        files.keys().find(|name| name.to_str().unwrap().contains("/camera-0") && name.extension().unwrap() == "part");
    let part = part.expect("a segment is open").clone();
    let whole = Bytes::from(files[&part].clone());
    let (fragments, kept) = fmp4::scan(&whole);
    assert_eq!((kept, fragments.len() >= 2), (whole.len(), true));
    for len in 0..=whole.len() {
        let mut cut: BTreeMap<PathBuf, Vec<u8>> = files.clone();
        cut.get_mut(&part).unwrap().truncate(len);
        let disk = SimDisk::holding(&cut);
        let ledger = recovered(&disk).unwrap();
        let expected = fmp4::scan(&whole.slice(..len)).0;
        let end = expected.last().map(|fragment| fragment.start + fragment.duration);
        let track = ledger.of(TrackKind::Camera).unwrap();
        assert_eq!(track.end(), end.unwrap_or(fragments[0].start), "cut at {len}");
        let before = disk.snapshot();
        recovered(&disk);
        assert_eq!(before, disk.snapshot());
    }
}

#[test]
fn every_prefix_of_a_journal_is_recovered_from() {
    let (disk, _) = dry_run(5_000);
    let files = disk.snapshot();
    let journal = Path::new(DIR).join(JOURNAL);
    for len in 0..=files[&journal].len() {
        let mut cut = files.clone();
        cut.get_mut(&journal).unwrap().truncate(len);
        if len < files[&journal].len() {
            cut.remove(&Path::new(DIR).join(recover::SEAL));
        }
        let disk = SimDisk::holding(&cut);
        if let Some(ledger) = recovered(&disk) {
            // All segments are there, told or not, as soon as their init segment is known.
            for track in &ledger.tracks {
                assert!(track.inits.is_empty() || !track.segments.is_empty(), "cut at {len}");
            }
        }
    }
}
