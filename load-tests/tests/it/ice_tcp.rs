//! Media by TCP through the front door, on the port that also answers HTTP: for schools whose UDP is blocked.
#![expect(clippy::disallowed_methods, reason = "an integration test over real sockets: it needs the clock")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use load_tests::client::{
    classroom::{Classroom, Habit},
    delay::SendTimes,
    description::{Answer, Sources, play_offer, publish_offer},
    publisher::{Outgoing, Publisher},
    transport::{Identity, Incoming, Transport},
};
use school::base::time::UnixMs;
use sfu::{Hub, HubConfig, RoomId, TrackKind};
use signaling::{
    app::App,
    clock::Clock,
    data_dir::database_file,
    listener::{self, Connections},
    router,
    store::Database,
};
use tokio::{runtime::Runtime, sync::watch};

/// A machine that is busy building is slow; a working hub needs under a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A hub behind its front door.
struct School {
    runtime: Runtime,
    app: App,
    door: SocketAddr,
    room: RoomId,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl School {
    fn open(workers: usize) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (app, door) = runtime.block_on(async {
            let listener = listener::listen_for_both(Ipv4Addr::LOCALHOST.into()).await.unwrap();
            let door = listener.local_addr().unwrap();
            let hub = HubConfig {
                listen: door,
                announce: vec![Ipv4Addr::LOCALHOST.into()],
                tcp: true,
                workers,
                max_seats: None,
            };
            let clock = Clock::standing_at(UnixMs(1_789_948_800_000));
            let app = App::open(folder.path(), &Database::file(&database_file(folder.path())), hub, clock, None)
                .await
                .unwrap();
            let router = router::router(app.clone());
            tokio::spawn(listener::serve(
                listener,
                None,
                [].into(),
                router,
                Some(app.hub.clone()),
                Connections::default(),
                stopped,
            ));
            (app, door)
        });
        let room = app.hub.open_room();
        Self { runtime, app, door, room, _stop: stop, _folder: folder }
    }

    fn hub(&self) -> &Hub {
        &self.app.hub
    }

    fn end_viewers(&self) {
        for (peer, _) in self.hub().stats().peers.iter().filter(|(_, stats)| !stats.publishes) {
            self.hub().close_peer(*peer);
        }
    }

    fn close(self) {
        assert_eq!(self.hub().stats().panics, 0);
        self.runtime.block_on(self.app.shut_down());
    }
}

/// Packets on a TCP connection, framed by hand: what is tested does not test itself.
struct Framed {
    stream: TcpStream,
    read: Vec<u8>,
    /// A check has gone out: browsers send nothing before it.
    checked: bool,
}

impl Framed {
    fn to(door: SocketAddr) -> Self {
        let stream = TcpStream::connect(door).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new(), checked: false }
    }

    fn send(&mut self, packet: &[u8]) {
        self.checked |= packet[0] <= 3;
        if !self.checked {
            return;
        }
        let frame = [&(packet.len() as u16).to_be_bytes()[..], packet].concat();
        self.stream.set_nonblocking(false).unwrap();
        self.stream.write_all(&frame).unwrap();
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        self.stream.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4_096];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the hub closed the connection"),
            Ok(count) => self.read.extend_from_slice(&buffer[..count]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
        let length = usize::from(u16::from_be_bytes(*self.read.first_chunk()?));
        let packet = self.read.get(2..2 + length)?.to_vec();
        self.read.drain(..2 + length);
        Some(packet)
    }
}

/// A teacher's publisher on one TCP connection.
struct Teacher {
    line: Framed,
    door: SocketAddr,
    transport: Transport,
    publisher: Publisher,
    pictures: u32,
}

impl Teacher {
    fn join(school: &School, now: Instant) -> Self {
        let identity = Identity::generate().unwrap();
        let own = identity.credentials();
        let sources = Sources { voice: Some(11), picture: Some((12, 13)) };
        let offer = publish_offer(&own, sources);
        let answered = school.hub().publish(school.room, TrackKind::Camera, &offer).unwrap();
        let port = school.door.port();
        assert!(answered.sdp.contains(&format!("tcp 1520435199 127.0.0.1 {port} typ host tcptype passive")));
        let answer = Answer::parse(&answered.sdp).unwrap();
        let transport = Transport::new(now, identity, own, &answer);
        let publisher = Publisher::new(now, 1 << 40, 7, sources, &answer.media);
        Self { line: Framed::to(school.door), door: school.door, transport, publisher, pictures: 0 }
    }

    fn work(&mut self, now: Instant) {
        while let Some(packet) = self.line.receive() {
            if let Some(Incoming::Rtcp(compound)) = self.transport.handle_datagram(now, self.door, &packet).unwrap()
                && let Ok(packets) = rtc_rtcp::packet::unmarshal(&mut &compound[..])
            {
                self.publisher.handle_rtcp(&packets);
            }
        }
        self.transport.handle_timeout(now).unwrap();
        if self.transport.connected() {
            self.publisher.handle_timeout(now).unwrap();
        }
        while let Some(output) = self.publisher.poll_output() {
            match output {
                Outgoing::Rtp(packet) => self.transport.send_rtp(&packet).unwrap(),
                Outgoing::Rtcp(packet) => self.transport.send_rtcp(&packet).unwrap(),
            }
        }
        while let Some((_, datagram)) = self.transport.poll_transmit() {
            self.line.send(&datagram);
        }
    }

    /// A voice packet and a picture of 5 packets; every tenth is a keyframe.
    fn teach(&mut self, now: Instant) {
        let number = self.pictures;
        self.pictures += 1;
        let mut unit = Vec::new();
        if number.is_multiple_of(10) {
            unit.extend_from_slice(b"\0\0\0\x01\x67\x42\xe0\x1f\x8c\x8d\x40\0\0\0\x01\x68\xce\x3c\x80");
        }
        unit.extend_from_slice(&[0, 0, 0, 1, if number.is_multiple_of(10) { 0x65 } else { 0x41 }, 0x88]);
        unit.extend((0..5_000u32).map(|at| (at.wrapping_mul(2_654_435_761).wrapping_add(number) >> 24) as u8 | 1));
        self.publisher.send_picture(now, number * 3_600, &unit.into()).unwrap();
        self.publisher.send_voice(now, number * 1_920, number == 0, Bytes::from_static(&[0x78; 80]));
    }
}

/// How a classroom's packets travel.
enum Way {
    Tcp(Framed),
    Udp(UdpSocket),
}

impl Way {
    fn udp(school: &School) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(school.hub().media_address()).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self::Udp(socket)
    }
}

struct Pupils {
    way: Way,
    door: SocketAddr,
    classroom: Classroom,
    times: SendTimes,
    delays: Histogram<u64>,
}

impl Pupils {
    fn join(school: &School, now: Instant) -> Self {
        Self::join_by(school, now, Way::Tcp(Framed::to(school.door)))
    }

    fn join_by(school: &School, now: Instant, way: Way) -> Self {
        let identity = Identity::generate().unwrap();
        let own = identity.credentials();
        let slots = [TrackKind::Voice, TrackKind::Camera];
        let answered = school.hub().play(school.room, Some(&slots), &play_offer(&own, &slots)).unwrap();
        let answer = Answer::parse(&answered.sdp).unwrap();
        let transport = Transport::new(now, identity, own, &answer);
        Self {
            way,
            door: school.door,
            classroom: Classroom::new(now, now, transport, &answer, 1, Habit::Ordinary),
            times: SendTimes::new(now),
            delays: Histogram::new(3).unwrap(),
        }
    }

    fn work(&mut self, now: Instant) {
        let mut buffer = [0; 2_048];
        loop {
            let packet = match &mut self.way {
                Way::Tcp(line) => line.receive(),
                Way::Udp(socket) => socket.recv(&mut buffer).ok().map(|count| buffer[..count].to_vec()),
            };
            let Some(packet) = packet else { break };
            self.classroom.handle_datagram(now, self.door, &packet, &self.times, &mut self.delays).unwrap();
        }
        self.classroom.handle_timeout(now).unwrap();
        while let Some((_, datagram)) = self.classroom.transport().poll_transmit() {
            match &mut self.way {
                Way::Tcp(line) => line.send(&datagram),
                Way::Udp(socket) => assert_eq!(socket.send(&datagram).unwrap(), datagram.len()),
            }
        }
    }
}

/// Teaches 25 pictures a second until `done`.
fn until(teacher: &mut Teacher, pupils: &mut Pupils, mut done: impl FnMut(&mut Pupils) -> bool) {
    let begin = Instant::now();
    let mut next = begin;
    loop {
        let now = Instant::now();
        assert!(now - begin < PATIENCE, "it takes too long: {:?}", pupils.classroom.tally());
        if teacher.transport.connected() && now >= next {
            next = now + Duration::from_millis(40);
            teacher.teach(now);
        }
        teacher.work(now);
        pupils.work(now);
        if done(pupils) {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn a_lesson_is_taught_and_received_by_tcp_and_goes_on_by_udp() {
    let school = School::open(1);
    let begin = Instant::now();
    let mut teacher = Teacher::join(&school, begin);
    let mut pupils = Pupils::join(&school, begin);
    until(&mut teacher, &mut pupils, |pupils| pupils.classroom.first_picture().is_some());
    println!("first picture by TCP after {:?}", pupils.classroom.first_picture().unwrap());
    pupils.classroom.mark();
    until(&mut teacher, &mut pupils, |pupils| pupils.classroom.tally().packets >= 300);
    let tally = pupils.classroom.tally();
    assert_eq!((tally.missed, tally.duplicates, tally.refused), (0, 0, 0), "{tally:?}");
    until(&mut teacher, &mut pupils, |_| {
        let stats = school.hub().stats();
        stats.peers.len() == 2 && stats.peers.values().all(|peer| peer.connected && peer.by_tcp)
    });

    // UDP opens: the next check, which nominates, moves the classroom over. Its keys and numbers go on.
    let before = std::mem::replace(&mut pupils.way, Way::udp(&school));
    until(&mut teacher, &mut pupils, |_| {
        let stats = school.hub().stats();
        stats.peers.values().any(|peer| !peer.by_tcp) && stats.peers.values().any(|peer| peer.by_tcp)
    });
    pupils.classroom.mark();
    until(&mut teacher, &mut pupils, |pupils| pupils.classroom.tally().packets >= 100);
    assert_eq!(pupils.classroom.tally().refused, 0);

    // A connection that breaks is no longer sent to; the peer stays for its next check.
    drop(before);
    drop(std::mem::replace(&mut teacher.line, Framed::to(school.door)));
    pupils.classroom.mark();
    until(&mut teacher, &mut pupils, |pupils| pupils.classroom.tally().packets >= 100);
    school.close();
}

#[test]
fn connections_are_dealt_to_all_workers_and_find_the_worker_that_has_their_peer() {
    let school = School::open(2);
    let begin = Instant::now();
    let mut teacher = Teacher::join(&school, begin);
    // By TCP from the start: each connection's worker takes its peer.
    let mut rooms: Vec<Pupils> = (0..4).map(|_| Pupils::join(&school, begin)).collect();
    let (last, others) = rooms.split_last_mut().unwrap();
    until(&mut teacher, last, |last| {
        others.iter_mut().for_each(|room| room.work(Instant::now()));
        last.classroom.first_picture().is_some()
            && others.iter().all(|room| room.classroom.first_picture().is_some())
            && school.hub().stats().peers.len() == 5
    });
    let workers: Vec<_> = school.hub().stats().peers.values().map(|peer| peer.worker.0).collect();
    assert!(workers.contains(&0) && workers.contains(&1), "{workers:?}");
    drop(rooms);
    school.end_viewers();
    // By UDP first, which the kernel deals out; then UDP is blocked, and the connection is anybody's.
    for _ in 0..4 {
        let mut room = Pupils::join_by(&school, Instant::now(), Way::udp(&school));
        until(&mut teacher, &mut room, |room| room.classroom.first_picture().is_some());
        room.way = Way::Tcp(Framed::to(school.door));
        until(&mut teacher, &mut room, |_| {
            let stats = school.hub().stats();
            let mut viewers = stats.peers.values().filter(|peer| !peer.publishes);
            viewers.next().is_some_and(|peer| peer.by_tcp) && viewers.next().is_none()
        });
        room.classroom.mark();
        until(&mut teacher, &mut room, |room| room.classroom.tally().packets >= 100);
        assert_eq!(room.classroom.tally().refused, 0);
        school.end_viewers();
    }
    school.close();
}

/// What the hub says to `bytes` until it closes, and how long that takes.
fn said_to(door: SocketAddr, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let begin = Instant::now();
    let mut stream = TcpStream::connect(door).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    (said, begin.elapsed())
}

#[test]
fn whoever_is_nobody_is_closed_soon_and_http_is_answered_beside_it() {
    let school = School::open(1);
    // A check that is well formed and signed by nobody.
    let unsigned = [&[0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let silent_after: [(&[u8], &str); 3] =
        [(&unsigned, "an unsigned check"), (&unsigned[..10], "half a check"), (&[0, 108], "a length")];
    std::thread::scope(|scope| {
        for (bytes, what) in silent_after {
            let door = school.door;
            scope.spawn(move || {
                let (said, after) = said_to(door, bytes);
                let in_time = (Duration::from_secs(4)..Duration::from_secs(9)).contains(&after);
                assert!(said.is_empty() && in_time, "{what}: {after:?} {said:?}");
            });
        }
        for (bytes, what) in [
            ([&unsigned[..], &[0x05, 0xdd]].concat(), "a frame that is too long"),
            ([&unsigned[..], &[0, 1, 0x80]].concat(), "media before a check"),
            (vec![0; 64], "zeros"),
        ] {
            let door = school.door;
            scope.spawn(move || {
                let (said, after) = said_to(door, &bytes);
                assert!(said.is_empty() && after < Duration::from_secs(4), "{what}: {after:?} {said:?}");
            });
        }
    });
    let (said, _) = said_to(school.door, b"GET /api/v1/nothing HTTP/1.1\r\nHost: school\r\nConnection: close\r\n\r\n");
    assert!(said.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&said));
    school.close();
}
