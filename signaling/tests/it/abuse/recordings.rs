//! Recordings over HTTP: climbed out of, opened by what stands in a URL, torn to ranges, scraped.

use std::{
    io::Write,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    http::{Request, header},
};
use recorder::{
    disk::{LocalDisk, recording_files::RecordingFiles},
    journal::{Record, VERSION},
    recording::Recording,
    track::sound_meter::SILENCE,
};
use school::organisation::Role;
use sfu::{TrackKind, id::TrackId, media::Codec, packet::Packet, tap::TapItem};
use tower::ServiceExt;
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::fixtures::school::{Answer, School};

/// A lesson that is over, with twelve seconds of voice and board.
struct Recorded {
    school: School,
    teacher: String,
    id: String,
    folder: PathBuf,
}

impl Recorded {
    async fn open() -> Self {
        let school = School::open().await;
        let teacher = school.teacher().await;
        school.post(&school.lesson("/start"), &teacher, "{}").await;
        let ended = school.post(&school.lesson("/end"), &teacher, "{}").await.json();
        let id = ended["recording"]["recording_id"].as_str().unwrap().to_owned();
        let folder = school.folder.path().join("recordings").join(&id);
        // Nobody has sent anything: in its place one of the same name, into which somebody has.
        std::fs::remove_dir_all(&folder).unwrap();
        record(&id, folder.clone());
        // A hub remembers what it has looked at; the next one finds what is there.
        let school = school.restart(Duration::ZERO).await;
        Self { school, teacher, id, folder }
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/recordings/{}/{rest}", self.id)
    }

    async fn get(&self, rest: &str) -> Answer {
        self.school.get(&self.path(rest), &self.teacher).await
    }

    async fn with(&self, rest: &str, name: header::HeaderName, value: &str) -> Answer {
        let request = Request::get(self.path(rest)).header(header::COOKIE, &self.teacher).header(name, value);
        self.school.send(request.body(Body::empty()).unwrap()).await
    }

    /// An answer whose body is not read.
    async fn begin(&self, rest: &str) -> axum::response::Response {
        let request = Request::get(self.path(rest)).header(header::COOKIE, &self.teacher);
        self.school.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }
}

fn record(id: &str, folder: PathBuf) {
    const SPS: &[u8] = &[0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00];
    const PPS: &[u8] = &[0x68, 0xCB, 0x83, 0xCB, 0x20];
    let begun = Record::Start {
        recording_id: id.parse().unwrap(),
        version: VERSION,
        started_at_ms: 1_790_000_000_000,
        software: "test".into(),
    };
    let mut store = RecordingFiles::create(Arc::new(LocalDisk), folder, &begun).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test needs one first moment; all others are counted from it")]
    let start = Instant::now();
    let mut recording = Recording::new(start, Duration::ZERO, []);
    let kinds = [(TrackId(1), TrackKind::Voice, Codec::Opus), (TrackId(2), TrackKind::Board, Codec::H264)];
    for (track, kind, codec) in kinds {
        recording.handle_item(start, TapItem::Started { track, kind, codec, arrived: start });
    }
    let packet = |seq, timestamp, marker, codec, keyframe, payload| Packet {
        seq,
        timestamp,
        marker,
        codec,
        keyframe,
        payload,
        audio_level: None,
        vp8: None,
        frame_start: true,
        layered: None,
    };
    let mut slice = vec![0xA5; 20_000];
    slice[0] = 0x65;
    let nals = [Bytes::from_static(SPS), Bytes::from_static(PPS), Bytes::from(slice)];
    for tick in 0..600_u64 {
        let arrived = start + Duration::from_millis(tick * 20);
        let voice = packet(tick, (tick * 960) as u32, false, Codec::Opus, true, Bytes::from_static(SILENCE));
        recording.handle_item(arrived, TapItem::Packet { track: TrackId(1), arrived, packet: Arc::new(voice) });
        if tick % 5 == 0 {
            for (n, nal) in nals.iter().enumerate() {
                let seq = tick / 5 * 3 + n as u64;
                let picture = packet(seq, (tick * 1_800) as u32, n == 2, Codec::H264, n == 2, nal.clone());
                let item = TapItem::Packet { track: TrackId(2), arrived, packet: Arc::new(picture) };
                recording.handle_item(arrived, item);
            }
        }
        recording.handle_timeout(arrived);
        while let Some(action) = recording.poll_action() {
            store.perform(&action).unwrap();
        }
    }
    recording.finish(start + Duration::from_secs(12), true);
    while let Some(action) = recording.poll_action() {
        store.perform(&action).unwrap();
    }
}

/// Case 58.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "somebody has the disk in their hands")]
async fn no_path_leads_out_of_a_recording() {
    let recorded = Recorded::open().await;
    let good = "media/board-000001.m4s";
    assert_eq!(recorded.get(good).await.status, 200);
    let long = format!("media/board-{}.m4s", "0".repeat(300));
    let names = [
        "media/..",
        "media/../../../etc/passwd",
        "media/..%2f..%2fetc%2fpasswd",
        "media/%2e%2e%2fjournal.log",
        "media/%252e%252e%252fetc%252fpasswd",
        "media/..%5c..%5cwindows",
        "media/..\\..\\windows",
        "media/%2fetc%2fpasswd",
        "media/board-000001.m4s%00.txt",
        "media/board-000001.m4s/",
        "media/./board-000001.m4s",
        "media/BOARD-000001.M4S",
        "media/Board-000001.m4s",
        "media/board-000001.m4s.part",
        "media/board-1.m4s",
        "media/board-+00001.m4s",
        "media/board-000099.m4s",
        "media/journal.log",
        "media/seal.json",
        "media/%C0%AE%C0%AE/journal.log",
        &long,
    ];
    for name in names {
        let path = recorded.path(name);
        let Ok(request) = Request::get(&path).header(header::COOKIE, &recorded.teacher).body(Body::empty()) else {
            continue; // No URI at all: no client can ask for it.
        };
        let answer = recorded.school.send(request).await;
        assert_eq!(answer.problem().0, 404, "{name}: {}", answer.text);
    }
    for id in ["..", "%2e%2e", "..%2f..", &recorded.id.to_uppercase(), &format!("{}%00", recorded.id), "rec%2f1"] {
        for rest in [good, "download?tracks=board"] {
            let answer = recorded.school.get(&format!("/api/v1/recordings/{id}/{rest}"), &recorded.teacher).await;
            assert_eq!(answer.problem().0, 404, "{id}/{rest}: {}", answer.text);
        }
    }
    // Somebody on the machine has put a link where a segment was.
    let secret = recorded.school.folder.path().join("recording.key");
    assert!(secret.exists());
    let segment = recorded.folder.join("board-000001.m4s");
    for target in [secret, "../../recording.key".into(), "board-000002.m4s".into(), "/dev/zero".into()] {
        std::fs::remove_file(&segment).unwrap();
        std::os::unix::fs::symlink(&target, &segment).unwrap();
        assert_eq!(recorded.get(good).await.problem().0, 404, "{target:?}");
    }
    assert_eq!(recorded.get("download?tracks=board").await.problem().0, 404);
    // And once more where the folder was.
    let elsewhere = recorded.school.folder.path().join("elsewhere");
    std::fs::rename(&recorded.folder, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &recorded.folder).unwrap();
    assert_eq!(recorded.get("media/board-000002.m4s").await.problem().0, 404);
}

/// All that is logged in this process, by whatever thread, while somebody listens.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

static LISTENING: AtomicBool = AtomicBool::new(false);

impl Log {
    /// For the whole process: a subscriber of one thread does not hear of what another thread met first.
    fn open() -> Self {
        let log = Self::default();
        let heard = tracing_subscriber::filter::filter_fn(|_| LISTENING.load(Ordering::Relaxed));
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone()).with_filter(heard);
        tracing_subscriber::registry().with(layer).init();
        LISTENING.store(true, Ordering::Relaxed);
        log
    }

    /// What was said.
    fn close(self) -> String {
        LISTENING.store(false, Ordering::Relaxed);
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Case 59.
#[tokio::test]
async fn nothing_in_a_url_opens_a_recording_and_no_secret_is_logged() {
    let log = Log::open();
    let recorded = Recorded::open().await;
    let cookie = recorded.teacher.split_once('=').unwrap().1.to_owned();
    let tokens = [cookie.as_str(), &recorded.school.sample.viewer_token, &recorded.school.sample.publish_token];
    for rest in ["media/main.m3u8", "media/board-000001.m4s", "download?tracks=board"] {
        let joint = if rest.contains('?') { '&' } else { '?' };
        for name in ["token", "access_token", "session", "tongke", "auth", "X-Amz-Signature"] {
            for token in tokens {
                let with = recorded.path(&format!("{rest}{joint}{name}={token}"));
                assert_eq!(recorded.school.get(&with, "").await.status, 401, "{rest} {name}");
                // Whoever is signed in is told not to.
                if name != "tongke" {
                    assert_eq!(recorded.school.get(&with, &recorded.teacher).await.problem().0, 400, "{rest} {name}");
                }
            }
        }
        let answer = recorded.get(rest).await;
        assert_eq!(answer.status, 200, "{rest}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("cache-control").starts_with("private"), "{rest}: {}", answer.header("cache-control"));
        for token in tokens {
            assert!(!answer.text.contains(token), "{rest}");
        }
    }
    tracing::info!("the log is read");
    let lines = log.close();
    assert!(lines.contains("the log is read") && lines.lines().count() > 5, "{lines}");
    for token in tokens {
        assert!(!lines.contains(token), "a secret is in the log");
    }
}

/// Case 60.
#[tokio::test]
async fn whatever_ranges_are_asked_one_is_answered() {
    let recorded = Recorded::open().await;
    for rest in ["media/board-000001.m4s", "download?tracks=both"] {
        let whole = recorded.begin(rest).await;
        let whole = axum::body::to_bytes(whole.into_body(), 1 << 24).await.unwrap();
        let size = whole.len();
        let many: String = (0..10_000).map(|n| format!(",{n}-{n}")).collect();
        let overlapping = "0-,".repeat(500);
        let table = [
            (format!("bytes=5-9{many}"), 206, Some(5..10)),
            (format!("bytes={overlapping}5-"), 206, Some(0..size)),
            ("bytes=100-199,150-250".into(), 206, Some(100..200)),
            ("bytes=-9223372036854775808".into(), 206, Some(0..size)),
            ("bytes=0-18446744073709551615".into(), 206, Some(0..size)),
            ("bytes=9223372036854775808-".into(), 416, None),
            (format!("bytes={size}-"), 416, None),
            ("bytes=18446744073709551616-".into(), 200, Some(0..size)),
            ("lines=1-2".into(), 200, Some(0..size)),
        ];
        for (range, status, part) in table {
            let request = Request::get(recorded.path(rest)).header(header::COOKIE, &recorded.teacher);
            let request = request.header(header::RANGE, &range).body(Body::empty()).unwrap();
            let answer = recorded.school.router.clone().oneshot(request).await.unwrap();
            let told = &range[..range.len().min(40)];
            assert_eq!(answer.status(), status, "{rest} {told}");
            let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
            assert!(!kind.contains("multipart"), "{kind}");
            let length: usize = answer
                .headers()
                .get(header::CONTENT_LENGTH)
                .map_or(0, |length| length.to_str().unwrap().parse().unwrap());
            let body = axum::body::to_bytes(answer.into_body(), 1 << 24).await.unwrap();
            if let Some(part) = part {
                assert!(body == whole[part] && body.len() == length, "{rest} {told}");
            }
        }
    }
}

/// Case 61.
#[tokio::test]
async fn one_viewer_has_six_segments_and_two_downloads_at_once_and_a_query_makes_no_new_file() {
    let recorded = Recorded::open().await;
    let segment = "media/board-000001.m4s";
    for (rest, most) in [(segment, 6), ("download?tracks=both", 2)] {
        let mut open = Vec::new();
        for _ in 0..most {
            open.push(recorded.begin(rest).await);
        }
        assert!(open.iter().all(|answer| answer.status() == 200), "{rest}");
        let refused = recorded.get(rest).await;
        assert_eq!(refused.problem(), (429, "too-many-at-once".into()), "{rest}");
        assert!(!refused.header("retry-after").is_empty());
        // Another's turns are their own.
        let patrol = recorded.school.as_a(Role::Patrol).await;
        assert_eq!(recorded.school.get(&recorded.path(rest), &patrol).await.status, 200, "{rest}");
        // What is given up or read to its end is free for the next.
        let first = open.pop().unwrap();
        axum::body::to_bytes(first.into_body(), 1 << 24).await.unwrap();
        assert_eq!(recorded.get(rest).await.status, 200, "{rest}");
        open.clear();
        assert_eq!(recorded.get(rest).await.status, 200, "{rest}");
    }
    let plain = recorded.get(segment).await;
    let busted = recorded.get(&format!("{segment}?_=1790000000&x[]=y")).await;
    assert_eq!((plain.status, busted.status), (busted.status, plain.status));
    assert_eq!((plain.header("etag"), &plain.text), (busted.header("etag"), &busted.text));
    assert_eq!(plain.header("no-vary-search"), "params");
    assert!(plain.header("cache-control").contains("immutable"));
    let tag = plain.header("etag").to_owned();
    let again = recorded.with(&format!("{segment}?_=2"), header::IF_NONE_MATCH, &tag).await;
    assert_eq!((again.status.as_u16(), again.text.len()), (304, 0));
}

#[tokio::test]
async fn who_may_only_look_takes_nothing_away_and_who_takes_is_in_the_audit() {
    let recorded = Recorded::open().await;
    let school = &recorded.school;
    let path = recorded.path("download?tracks=board&from_ms=2000&to_ms=5000");
    assert_eq!(school.get(&path, "").await.problem(), (401, "signed-out".into()));
    let (reviewer, classroom) = (school.as_a(Role::Reviewer).await, school.classroom(0).await);
    for (who, cookie) in [
        ("reviewer", &reviewer),
        ("classroom", &classroom),
        ("stranger", &school.stranger().await),
        ("other teacher", &school.other_teacher().await),
        ("scheduler", &school.as_a(Role::Scheduler).await),
    ] {
        assert_eq!(school.get(&path, cookie).await.problem(), (404, "not-found".into()), "{who}");
    }
    assert_eq!(school.get(&format!("/api/v1/recordings/{}", recorded.id), &reviewer).await.status, 200, "may look");
    for bytes in ["bytes=0-99", "bytes=100-199", "bytes=200-"] {
        let part = recorded.with("download?tracks=board&from_ms=2000&to_ms=5000", header::RANGE, bytes).await;
        assert_eq!(part.status, 206, "{bytes}");
        assert!(part.header("content-disposition").contains("filename*=UTF-8''%E8%8B%B1%E8%AF%AD"));
    }
    let acts = school.acts(20).await;
    assert_eq!(acts.iter().filter(|act| *act == "export_recording").count(), 1, "{acts:?}");
    for (rest, problem) in [
        ("download", 400),
        ("download?tracks=screen", 422),
        ("download?tracks=board&from_ms=5000&to_ms=5000", 422),
        ("download?tracks=board&from_ms=-1", 400),
        ("download?tracks=board&to_ms=99999999999999999999", 400),
        ("download?tracks=board&from_ms=3600000", 404),
        ("download?tracks=camera", 404),
        ("download?tracks=board&tracks=camera", 400),
        ("download?tracks=board&x=1", 400),
    ] {
        assert_eq!(recorded.get(rest).await.problem().0, problem, "{rest}");
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "somebody has the disk in their hands")]
async fn one_frame_is_asked_for_where_there_are_two_pictures_and_taken_away_again() {
    let recorded = Recorded::open().await;
    let (school, path) = (&recorded.school, recorded.path("composite"));
    let reviewer = school.as_a(Role::Reviewer).await;
    for answer in [school.get(&path, &reviewer).await, school.post(&path, &reviewer, "{}").await] {
        assert_eq!(answer.problem(), (404, "not-found".into()));
    }
    assert_eq!(recorded.get("composite").await.json()["state"], "none");
    let refused = school.post(&path, &recorded.teacher, "{}").await;
    assert_eq!(refused.problem(), (409, "not-two-pictures".into()), "{}", refused.text);
    assert_eq!(recorded.get("download?tracks=composite").await.problem().0, 404);
    // One that was made, by whatever ffmpeg there is.
    let derived = school.folder.path().join("derived").join(format!("{}.mp4", recorded.id));
    std::fs::write(&derived, [7; 1_000]).unwrap();
    let ready = recorded.get("composite").await.json();
    assert_eq!((&ready["state"], &ready["size_bytes"]), (&"ready".into(), &1_000.into()));
    let part = recorded.with("download?tracks=composite", header::RANGE, "bytes=990-").await;
    assert_eq!((part.status.as_u16(), part.text.len()), (206, 10));
    assert!(part.header("content-disposition").contains("composite.mp4"));
    let delete = async || {
        let request = Request::delete(&path).header(header::COOKIE, &recorded.teacher);
        school
            .send(
                request
                    .header(header::ORIGIN, "http://school")
                    .header(header::HOST, "school")
                    .body(Body::empty())
                    .unwrap(),
            )
            .await
    };
    assert_eq!(delete().await.status, 204);
    assert_eq!(delete().await.problem().0, 404);
    assert!(!derived.exists());
    assert!(school.acts(3).await.contains(&"cancel_composite".to_owned()));
}
