//! Thousands of short lessons opened, taught, seen and ended: what they leave behind is nothing.
#![expect(unsafe_code, reason = "the C library's allocator, which our crypto uses too, is asked by its own calls")]
#![expect(
    clippy::disallowed_methods,
    reason = "an integration test over real sockets: it needs clock, threads and /proc"
)]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bytes::Bytes;
use load_tests::{
    client::{
        classrooms::{Classrooms, Reception},
        delay::SendTimes,
        seat::Entry,
        teacher::Teacher,
    },
    lesson::Lesson,
    media::clip::{Clip, Picture},
};
use sfu::{Hub, HubConfig, TrackKind};

/// What the process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Asked of the allocator and not given back, ours and the crypto library's: what leaks is in here.
    in_use_kib: u64,
    /// Memory of the process, without what the allocator can give back.
    resident_kib: u64,
    descriptors: usize,
    threads: usize,
}

impl Held {
    fn now() -> Self {
        // SAFETY: neither takes a pointer, and both lock what they look at.
        let in_use = unsafe {
            nix::libc::malloc_trim(0);
            let info = nix::libc::mallinfo2();
            info.uordblks + info.hblkhd
        };
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Self {
            in_use_kib: in_use as u64 / 1024,
            resident_kib: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
        }
    }
}

/// A keyframe of three packets and a small picture, over and over.
fn clip() -> Clip {
    let keyframe =
        [&b"\0\0\0\x01\x67\x42\xe0\x1f\x8c\x8d\x40\0\0\0\x01\x68\xce\x3c\x80\0\0\0\x01\x65\x88"[..], &[0x55; 3_000]];
    let delta = [&b"\0\0\0\x01\x41\x88"[..], &[0x33; 500]];
    let picture = |unit: [&[u8]; 2], keyframe| Picture { access_unit: Bytes::from(unit.concat()), keyframe };
    Clip {
        pictures: vec![picture(keyframe, true), picture(delta, false)],
        voice: vec![Bytes::from(vec![7; 80])],
        frame_rate: 50,
    }
}

/// One lesson with a teacher and a classroom, until the classroom has seen a picture.
fn teach(hub: &Hub, clip: &Arc<Clip>, times: &Arc<SendTimes>) -> Result<()> {
    let room = hub.open_room();
    let lesson = Lesson::Hosted(hub.clone(), room);
    let publish = |offer: &str| lesson.publish(TrackKind::Camera, offer);
    let teacher = Teacher::start(publish, clip.clone(), times.clone(), None)?;
    let slots = vec![TrackKind::Voice, TrackKind::Camera];
    let reception = Reception { threads: 1, gro: false, check_every: 1, slots: slots.clone(), cpu: None };
    let classrooms = Classrooms::open(reception)?;
    classrooms.join(0, Entry::ordinary(times), |offer| lesson.play(&slots, offer))?;
    let until = Instant::now() + PATIENCE;
    while classrooms.lane_reports()?.iter().all(|lane| lane.first_pictures.is_empty()) {
        ensure!(Instant::now() < until, "a classroom saw nothing");
        thread::park_timeout(Duration::from_millis(2));
    }
    classrooms.finish()?;
    teacher.stop()?;
    hub.close_room(room);
    Ok(())
}

/// Teaches so many lessons, several at once, and waits until the hub has let go of them.
fn teach_many(hub: &Hub, lessons: usize) {
    let (clip, times, next) = (Arc::new(clip()), Arc::new(SendTimes::new(Instant::now())), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < lessons {
                    teach(hub, &clip, &times).unwrap();
                }
            });
        }
    });
    let until = Instant::now() + PATIENCE;
    while hub.stats().rooms != 0 || !hub.stats().peers.is_empty() {
        assert!(Instant::now() < until, "left behind: {} rooms, {} peers", hub.stats().rooms, hub.stats().peers.len());
        thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn lessons_that_ended_leave_nothing_behind() {
    // Every lesson's clients are threads of this process. In arenas of their own what they free is scattered, and the
    // process grew by a twentieth while what it had in use stayed the same.
    // SAFETY: no memory is touched.
    unsafe { nix::libc::mallopt(nix::libc::M_ARENA_MAX, 1) };
    let usual = if std::env::var_os("DEEP").is_some() { 10_000 } else { 150 };
    let lessons = std::env::var("SOAK_LESSONS").map_or(usual, |count| count.parse().unwrap());
    let ip = Ipv4Addr::LOCALHOST;
    let config = HubConfig {
        listen: SocketAddr::from((ip, 0)),
        announce: vec![ip.into()],
        tcp: false,
        workers: 1,
        max_seats: None,
    };
    let hub = Hub::start(config, Arc::new(|_| {})).unwrap();
    // The hub's tables grow to their size in the first rounds: what leaks goes on growing.
    let began = Instant::now();
    let rounds: Vec<Held> = (0..ROUNDS)
        .map(|_| {
            teach_many(&hub, lessons / ROUNDS);
            thread::park_timeout(Duration::from_millis(50)); // the kernel takes a moment to bury a thread
            Held::now()
        })
        .collect();
    let took = began.elapsed().as_secs_f64();
    let (base, end) = (rounds[ROUNDS / 2 - 1], rounds[ROUNDS - 1]);
    let grown = |held: fn(&Held) -> u64| (held(&end) as f64 / held(&base) as f64 - 1.0) * 100.0;
    let (grown, resident_grown) = (grown(|held| held.in_use_kib), grown(|held| held.resident_kib));
    println!(
        "row: soak, {lessons} short lessons: asked memory, descriptors, tasks back to base +- 5 %, measured memory in use {grown:+.1} % over the second half ({:?} KiB), of the process {resident_grown:+.1} % ({:?} KiB), descriptors {} to {}, threads {} to {}, in {took:.0} s",
        rounds.iter().map(|held| held.in_use_kib).collect::<Vec<_>>(),
        rounds.iter().map(|held| held.resident_kib).collect::<Vec<_>>(),
        base.descriptors,
        end.descriptors,
        base.threads,
        end.threads
    );
    assert_eq!(hub.stats().panics, 0);
    assert!(end.descriptors <= base.descriptors && end.threads <= base.threads, "{base:?} to {end:?}");
    // A short run is too short for the allocator to have settled.
    let grown_max = if lessons >= 1_000 { 5.0 } else { 50.0 };
    assert!(grown.max(resident_grown) <= grown_max, "memory has grown: {base:?} to {end:?}");
    hub.shut_down();
}

const AT_ONCE: usize = 8;
const ROUNDS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);
