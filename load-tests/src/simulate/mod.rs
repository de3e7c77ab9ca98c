//! Whole lessons on a virtual clock: the hub's real worker, the load client's real cores, seeded lines between them.
//!
//! Everything below SRTP is left out: peers are connected with seeded keys. Everything above is what runs over real
//! sockets, but the receiver: what was seen and heard is judged by the model in [`crate::receiver`]. The same seed
//! gives the same text.

mod attendance;
mod classroom;
mod rehearsal;
mod story;
mod teacher;

pub use attendance::Attendance;
pub use rehearsal::rehearse;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rand::{Rng, SeedableRng, rngs::StdRng};
use sfu::{
    PeerId, RoomId, TrackKind, WorkerId,
    answer::{Local, answer_publisher, answer_viewer},
    lobby::{Lobby, Terms},
    transport::{
        dtls::Identity,
        srtp::{Keys, Profile},
    },
    worker::{Worker, WorkerConfig},
};

use crate::{
    client::{
        description::{Answer, Credentials, Sources, play_offer, publish_offer, simulcast_offer},
        srtp::{KEYING_MATERIAL_BYTES, Srtp},
    },
    line::{Line, Link},
};
use classroom::Classroom;
use teacher::{LAYERS, Teacher};

/// A lesson that runs as fast as it can be computed.
pub struct Simulation {
    now: Instant,
    start: Instant,
    worker: Worker,
    lobby: Arc<Lobby>,
    dice: StdRng,
    teachers: Vec<Endpoint<Teacher>>,
    classrooms: Vec<Endpoint<Classroom>>,
    classroom_peers: Vec<PeerId>,
    by_address: HashMap<SocketAddr, EndpointId>,
    story: String,
    next_peer: u64,
}

#[derive(Debug, Clone, Copy)]
enum EndpointId {
    Teacher(usize),
    Classroom(usize),
}

/// A teacher or classroom at the far end of a line.
struct Endpoint<T> {
    name: String,
    address: SocketAddr,
    up: Link<BytesMut>,
    down: Link<BytesMut>,
    who: T,
}

impl Simulation {
    /// An empty room. Everything that happens by chance follows from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "an Instant cannot be made from nothing; only its beginning is real"
        )]
        let start = Instant::now();
        let lobby = Arc::new(Lobby::default());
        lobby.open_room(ROOM);
        let identity = Identity::generate().expect("a certificate can be made wherever tests run");
        let epoch_ntp = 3_997_180_800 << 32;
        let config = WorkerConfig { id: WorkerId(0), identity, lobby: lobby.clone(), epoch: start, epoch_ntp, seed };
        Self {
            now: start,
            start,
            worker: Worker::new(config),
            lobby,
            dice: StdRng::seed_from_u64(seed),
            teachers: Vec::new(),
            classrooms: Vec::new(),
            classroom_peers: Vec::new(),
            by_address: HashMap::new(),
            story: String::new(),
            next_peer: 1,
        }
    }

    /// A teacher who shows a `camera` or a `board`, over a clean line of 10 ms. The first one speaks too.
    ///
    /// # Panics
    /// The word is no picture, or the hub does not accept the offer: a fault of the test or of the hub.
    #[must_use]
    pub fn teacher(self, picture: &str) -> Self {
        self.teacher_over(picture, Line { delay: Duration::from_millis(10), ..Line::CLEAN })
    }

    /// As [`Self::teacher`], with a line of its own in both directions.
    ///
    /// # Panics
    /// As [`Self::teacher`].
    #[must_use]
    pub fn teacher_over(self, picture: &str, line: Line) -> Self {
        self.publish(picture, false, line)
    }

    /// A teacher whose camera comes in two layers, 180p of 120 kbit/s and 720p of 950, over a clean line of 10 ms.
    ///
    /// # Panics
    /// The hub does not accept the offer: a fault of the hub.
    #[must_use]
    pub fn layered_camera(self) -> Self {
        self.publish("camera", true, Line { delay: Duration::from_millis(10), ..Line::CLEAN })
    }

    fn publish(mut self, picture: &str, layered: bool, line: Line) -> Self {
        let kind: TrackKind = picture.parse().expect("the picture is camera or board");
        let number = self.teachers.len();
        let base = 1_000 + 100 * number as u32;
        let sources = Sources { voice: (number == 0).then_some(base), picture: Some((base + 1, base + 2)) };
        let (keys, srtp) = self.keys();
        let local = local(&[]);
        let offer =
            if layered { simulcast_offer(&far_end(), sources, &LAYERS) } else { publish_offer(&far_end(), sources) };
        let (sdp, terms) = answer_publisher(&offer, kind, &local).expect("the hub takes our offer");
        let media = Answer::parse(&sdp).expect("we can read the hub's answer").media;
        let address = SocketAddr::from(([10, 0, 1, number as u8], 5_000));
        self.connect(Terms::Publish(terms), &keys, address);
        let seed = self.dice.random();
        let mut who = Teacher::new(self.now, seed, kind, sources, &media, srtp);
        if layered {
            who.layer(&media, (base + 3, base + 4));
        }
        self.record(format_args!("A teacher shows the {picture}"));
        self.by_address.insert(address, EndpointId::Teacher(number));
        let (up, down) = self.links(line, line);
        self.teachers.push(Endpoint { name: picture.to_owned(), address, up, down, who });
        self
    }

    /// A classroom that joins now, with the same line in both directions.
    ///
    /// # Panics
    /// The hub does not accept the offer: a fault of the hub.
    #[must_use]
    pub fn classroom(mut self, name: &str, line: Line) -> Self {
        self.join(name, line);
        self
    }

    /// As [`Self::classroom`], in the middle of a lesson.
    ///
    /// # Panics
    /// As [`Self::classroom`].
    pub fn join(&mut self, name: &str, line: Line) {
        let number = self.classrooms.len();
        let (keys, srtp) = self.keys();
        let flowing = self.lobby.flowing(ROOM).unwrap_or_default();
        let mut ssrc = 10_000 * (number as u32 + 1);
        let mut next_ssrc = || {
            ssrc += 1;
            ssrc
        };
        let offer = play_offer(&far_end(), &SLOTS);
        let (sdp, terms) = answer_viewer(&offer, Some(&SLOTS), &flowing, &mut next_ssrc, &local(&[]))
            .expect("the hub takes our offer");
        let media = Answer::parse(&sdp).expect("we can read the hub's answer").media;
        let address = SocketAddr::from(([10, 0, 2, number as u8], 5_000));
        self.classroom_peers.push(PeerId(self.next_peer));
        self.connect(Terms::View(terms), &keys, address);
        let who = Classroom::new(self.now, line.delay * 2 + HUB_TIME, &media, srtp);
        self.record(format_args!("{name} joins"));
        self.by_address.insert(address, EndpointId::Classroom(number));
        let (up, down) = self.links(line, line);
        self.classrooms.push(Endpoint { name: name.to_owned(), address, up, down, who });
        self.settle();
    }

    /// Changes a classroom's line, both directions, at once.
    ///
    /// # Panics
    /// There is no classroom of that name.
    pub fn set_line(&mut self, name: &str, line: Line) {
        let at = self.find(name);
        self.classrooms[at].up.set(line);
        self.classrooms[at].down.set(line);
        self.record(format_args!("The line of {name} is now {line:?}"));
    }

    /// Lets so much lesson time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            // The clock must advance, and nothing depends on a shorter step.
            let next = self.due().max(self.now + STEP);
            if next > end {
                break;
            }
            self.now = next;
            self.step();
        }
        self.now = end;
        let mut observations = Vec::new();
        for at in 0..self.classrooms.len() {
            // A failure is a packet that cannot be written, which its own tests would have shown.
            let _ = self.classrooms[at].who.handle_timeout(end, &mut observations);
            self.record_observations(at, &mut observations);
        }
        self.settle();
        self.record_totals();
    }

    /// What happened, line by line. The same seed and the same calls give the same text.
    #[must_use]
    pub fn story(&self) -> &str {
        &self.story
    }

    fn find(&self, name: &str) -> usize {
        let found = self.classrooms.iter().position(|place| place.name == name);
        found.unwrap_or_else(|| panic!("no classroom is called {name}"))
    }

    fn connect(&mut self, terms: Terms, keys: &Keys, address: SocketAddr) {
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        let connected = self.worker.connect_seeded(self.now, ROOM, peer, terms, keys, address);
        assert!(connected, "seeded keys are keys");
    }

    fn keys(&mut self) -> (Keys, Srtp) {
        let mut material = [0; KEYING_MATERIAL_BYTES];
        self.dice.fill(&mut material[..]);
        let keys = Keys::from_keying_material(Profile::AeadAes128Gcm, &material, false);
        (keys, Srtp::from_exporter(&material, true).expect("the material has the length of its profile"))
    }

    fn links(&mut self, up: Line, down: Line) -> (Link<BytesMut>, Link<BytesMut>) {
        (Link::new(up, self.dice.random()), Link::new(down, self.dice.random()))
    }

    fn due(&self) -> Instant {
        let links =
            |up: &Link<BytesMut>, down: &Link<BytesMut>| up.poll_timeout().into_iter().chain(down.poll_timeout());
        let teachers = self
            .teachers
            .iter()
            .flat_map(|place| links(&place.up, &place.down).chain(std::iter::once(place.who.poll_timeout())));
        let classrooms = self
            .classrooms
            .iter()
            .flat_map(|place| links(&place.up, &place.down).chain(std::iter::once(place.who.poll_timeout())));
        let due = teachers.chain(classrooms).chain(self.worker.poll_timeout()).min();
        due.unwrap_or(self.now + Duration::from_secs(1))
    }

    /// Everything that is due at `now`, in a fixed order.
    fn step(&mut self) {
        let now = self.now;
        for place in &mut self.teachers {
            while let Some(datagram) = place.down.poll(now) {
                place.who.handle_datagram(&datagram);
            }
            // A failure is a picture that is no Annex B, and ours is.
            let _ = place.who.handle_timeout(now);
            while let Some(datagram) = place.who.poll_transmit() {
                place.up.send(now, datagram.len() + WIRE_BYTES, datagram);
            }
        }
        let mut observations = Vec::new();
        for at in 0..self.classrooms.len() {
            let place = &mut self.classrooms[at];
            while let Some(datagram) = place.down.poll(now) {
                place.who.handle_datagram(now, &datagram, &mut observations);
            }
            // A failure is a packet that cannot be written, which its own tests would have shown.
            let _ = place.who.handle_timeout(now, &mut observations);
            while let Some(datagram) = place.who.poll_transmit() {
                place.up.send(now, datagram.len() + WIRE_BYTES, datagram);
            }
            self.record_observations(at, &mut observations);
        }
        for place in &mut self.teachers {
            while let Some(datagram) = place.up.poll(now) {
                self.worker.handle_datagram(now, place.address, datagram);
            }
        }
        for place in &mut self.classrooms {
            while let Some(datagram) = place.up.poll(now) {
                self.worker.handle_datagram(now, place.address, datagram);
            }
        }
        self.worker.flush(now);
        if self.worker.poll_timeout().is_some_and(|due| due <= now) {
            self.worker.handle_timeout(now);
            self.worker.flush(now);
        }
        self.settle();
    }

    /// Puts what the hub wants sent on its lines, and its events into the story.
    fn settle(&mut self) {
        let outbox = self.worker.outbox();
        for run in outbox.runs() {
            for datagram in outbox.bytes()[run.bytes.clone()].chunks(run.segment.max(1)) {
                let link = match self.by_address.get(&run.to) {
                    Some(EndpointId::Teacher(at)) => &mut self.teachers[*at].down,
                    Some(EndpointId::Classroom(at)) => &mut self.classrooms[*at].down,
                    None => continue,
                };
                link.send(self.now, datagram.len() + WIRE_BYTES, BytesMut::from(datagram));
            }
        }
        outbox.clear();
        while let Some(event) = self.worker.poll_event() {
            self.record(format_args!("The hub: {event:?}"));
        }
    }
}

/// The hub's side of an answer. No packet of a simulation uses it.
fn local(candidates: &[SocketAddr]) -> Local<'_> {
    let candidates = if candidates.is_empty() { CANDIDATES } else { candidates };
    Local {
        ice_ufrag: "hubhubhu",
        ice_pwd: "hubhubhubhubhubhubhubhub",
        fingerprint_sha256: FINGERPRINT,
        candidates,
        tcp: false,
        session_id: 1,
    }
}

fn far_end() -> Credentials {
    Credentials {
        ufrag: "farfarfa".into(),
        password: "farfarfarfarfarfarfarfar".into(),
        fingerprint: FINGERPRINT.into(),
    }
}

const ROOM: RoomId = RoomId(1);
const SLOTS: [TrackKind; 3] = [TrackKind::Voice, TrackKind::Board, TrackKind::Camera];
const CANDIDATES: &[SocketAddr] = &[SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 8_443)];
const FINGERPRINT: &str =
    "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F";
/// IPv4 and UDP headers.
const WIRE_BYTES: usize = 28;
/// Time that a browser would measure beyond the line itself.
const HUB_TIME: Duration = Duration::from_millis(5);
/// Events closer than this are handled together.
const STEP: Duration = Duration::from_micros(100);
