//! A whole worker: publishers and viewers of two rooms, any packets of theirs in any order at any time, commands between
//! them, and a clock that stands still, runs or jumps. Nothing may panic, and what it makes the hub send is bounded.
#![no_main]

#[path = "../../../sfu/tests/it/seeded.rs"]
mod seeded;

use std::{sync::LazyLock, time::Duration};

use arbitrary::{Arbitrary, Unstructured};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use seeded::{Far, Lesson, ROOM, codec, publish_terms, view_terms};
use sfu::{
    Codec, PeerId, RoomId,
    lobby::Terms,
    tap::{self, TapReceiver},
    transport::{dtls::Identity, ice::Credentials},
    worker::Command,
};

const CODECS: [(Codec, u8); 4] = [(Codec::H264, 102), (Codec::Vp8, 104), (Codec::Vp9, 106), (Codec::Av1, 108)];
const OTHER_ROOM: RoomId = RoomId(2);

#[derive(Debug, Arbitrary)]
enum Step<'a> {
    /// A sealed packet, most of it plausible: `ahead` steps of its stream's number on.
    Rtp {
        who: u8,
        stream: u8,
        ahead: i16,
        timestamp: u32,
        marker: bool,
        kind: u8,
        payload: &'a [u8],
    },
    /// A sealed packet whose header says anything.
    AnyRtp {
        who: u8,
        head: u8,
        pt: u8,
        seq: u16,
        ssrc: u32,
        rest: &'a [u8],
    },
    /// A sealed compound.
    Rtcp {
        who: u8,
        compound: &'a [u8],
    },
    /// NACK, PLI, FIR of a slot.
    Feedback {
        who: u8,
        kind: u8,
        ssrc: u8,
        seq: u16,
        mask: u16,
    },
    /// Bytes from the address of a peer, or of nobody.
    Raw {
        who: u8,
        bytes: &'a [u8],
    },
    /// A sealed packet again, from somewhere else.
    Moves {
        who: u8,
    },
    Runs {
        millis: u16,
    },
    Jumps {
        seconds: u8,
    },
    Joins {
        publishes: bool,
        other_room: bool,
    },
    Leaves {
        who: u8,
    },
    Restarts {
        who: u8,
    },
    Taps,
    TapEnds,
    ClosesRoom {
        other_room: bool,
    },
    ClosesAll,
}

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| Identity::generate().expect("a certificate"));

struct Story {
    lesson: Lesson,
    fars: Vec<Far>,
    peers: Vec<u64>,
    /// Newest index of each stream of each peer.
    indices: Vec<[u64; 4]>,
    taps: Vec<TapReceiver>,
    next: u64,
    taken: usize,
    sent: usize,
}

fn every_codec(terms: Terms) -> Terms {
    let codecs = CODECS.map(|(of, pt)| codec(of, pt)).to_vec();
    match terms {
        Terms::Publish(mut terms) => {
            terms.tracks[1].codecs = codecs;
            (terms.mid_ext, terms.twcc_ext, terms.audio_level_ext) = (Some(4), Some(5), Some(1));
            terms.dependency_descriptor_ext = Some(6);
            Terms::Publish(terms)
        }
        Terms::View(mut terms) => {
            terms.slots[1].codecs = codecs;
            terms.dependency_descriptor_ext = Some(6);
            Terms::View(terms)
        }
    }
}

impl Story {
    fn new() -> Self {
        let lesson = Lesson::hosted_by(IDENTITY.clone());
        lesson.lobby.open_room(OTHER_ROOM);
        let none = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (fars, peers, indices, taps) = none;
        let mut story = Self { lesson, fars, peers, indices, taps, next: 0, taken: 0, sent: 0 };
        story.join(true, ROOM);
        story.join(false, ROOM);
        story
    }

    fn join(&mut self, publishes: bool, room: RoomId) {
        if self.next >= 40 {
            return;
        }
        self.next += 1;
        let terms = every_codec(if publishes { publish_terms() } else { view_terms() });
        self.fars.push(self.lesson.join_room(room, self.next, terms));
        self.peers.push(self.next);
        self.indices.push([100; 4]);
    }

    fn say(&mut self, who: usize, datagram: &[u8]) {
        self.taken += datagram.len();
        self.lesson.worker.handle_datagram(self.lesson.now, self.fars[who].address, BytesMut::from(datagram));
    }

    fn rtp(&mut self, who: usize, header: &[u8], index: u64, payload: &[u8]) {
        let datagram = self.fars[who].seal(header, index & 0xffff_ffff_ffff, payload);
        self.say(who, &datagram);
    }

    fn rtcp(&mut self, who: usize, compound: &[u8]) {
        let mut sealed = Vec::new();
        if compound.len() >= 8 && self.fars[who].sealer.seal_rtcp(compound, &mut sealed) {
            self.say(who, &sealed);
        }
    }

    fn run(&mut self, span: Duration) {
        self.sent += self.lesson.run(span).iter().map(|(_, datagram)| datagram.len()).sum::<usize>();
        while self.lesson.worker.poll_event().is_some() {}
    }

    fn step(&mut self, step: Step<'_>) {
        let who = |who: u8| usize::from(who) % self.fars.len();
        match step {
            Step::Rtp { who: at, stream, ahead, timestamp, marker, kind, payload } => {
                let (at, stream) = (who(at), usize::from(stream & 3));
                let index = self.indices[at][stream].saturating_add_signed(i64::from(ahead >> (kind & 15)));
                self.indices[at][stream] = self.indices[at][stream].max(index);
                let pt = CODECS[usize::from(kind >> 4) % 4].1;
                let (ssrc, pt) = [(2_000u32, 111), (1_000, pt), (1_001, pt + 1), (70, 109)][stream];
                let mut header = vec![0x80, pt | u8::from(marker) << 7];
                header.extend_from_slice(&(index as u16).to_be_bytes());
                header.extend_from_slice(&timestamp.to_be_bytes());
                header.extend_from_slice(&ssrc.to_be_bytes());
                self.rtp(at, &header, index, &payload[..payload.len().min(1_300)]);
            }
            Step::AnyRtp { who: at, head, pt, seq, ssrc, rest } => {
                let at = who(at);
                let mut header = vec![head & 0x3f | 0x80, pt];
                header.extend_from_slice(&seq.to_be_bytes());
                header.extend_from_slice(&[0, 0, 1, 0]);
                header.extend_from_slice(&ssrc.to_be_bytes());
                // Where its header ends decides what is sealed.
                let rest = &rest[..rest.len().min(1_300)];
                header.extend_from_slice(rest);
                let Some(read) = sfu::packet::rtp_header(&header) else { return self.say(at, &header) };
                let payload = header.split_off(usize::from(read.header_len));
                self.rtp(at, &header, seq.into(), &payload);
            }
            Step::Rtcp { who: at, compound } => self.rtcp(who(at), &compound[..compound.len().min(1_300)]),
            Step::Feedback { who: at, kind, ssrc, seq, mask } => {
                let (format, kind) = [(1, 205), (1, 206), (4, 206), (15, 205)][usize::from(kind & 3)];
                let ssrc = [70u32, 71, 80, 81][usize::from(ssrc & 3)].to_be_bytes();
                let ([s0, s1], [m0, m1]) = (seq.to_be_bytes(), mask.to_be_bytes());
                let head = [0x80 | format, kind, 0, 3, 0, 0, 0, 9, ssrc[0], ssrc[1], ssrc[2], ssrc[3]];
                self.rtcp(who(at), &[&head[..], &[s0, s1, m0, m1]].concat());
            }
            Step::Raw { who: at, bytes } => {
                let at = usize::from(at) % (self.fars.len() + 1);
                let from = self.fars.get(at).map_or_else(|| ([203, 0, 113, 1], 9).into(), |far| far.address);
                self.taken += bytes.len();
                self.lesson.worker.handle_datagram(self.lesson.now, from, BytesMut::from(bytes));
            }
            Step::Moves { who: at } => {
                let at = who(at);
                let port = self.fars[at].address.port().wrapping_add(1);
                self.fars[at].address.set_port(port);
                self.rtcp(at, &[0x80, 201, 0, 1, 0, 0, 0, 1]);
            }
            Step::Runs { millis } => self.run(Duration::from_millis(u64::from(millis & 0x3ff))),
            Step::Jumps { seconds } => {
                self.lesson.now += Duration::from_secs(u64::from(seconds));
                self.run(Duration::ZERO);
            }
            Step::Joins { publishes, other_room } => self.join(publishes, if other_room { OTHER_ROOM } else { ROOM }),
            Step::Leaves { who: at } => self.command(Command::ClosePeer(PeerId(self.peers[who(at)]))),
            Step::Restarts { who: at } => {
                let ours = Credentials { ufrag: format!("again{}", self.taken), pwd: "x".repeat(24) };
                self.command(Command::Restart { peer: PeerId(self.peers[who(at)]), ours });
            }
            Step::Taps => {
                let (tap, reader) = tap::channel(64);
                self.taps.push(reader);
                self.command(Command::Tap { room: ROOM, tap });
            }
            Step::TapEnds => drop(self.taps.pop()),
            Step::ClosesRoom { other_room } => {
                self.command(Command::CloseRoom(if other_room { OTHER_ROOM } else { ROOM }));
            }
            Step::ClosesAll => self.command(Command::CloseAll),
        }
    }

    fn command(&mut self, command: Command) {
        self.lesson.worker.handle_command(self.lesson.now, command);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut story = Story::new();
    let mut rest = Unstructured::new(bytes);
    let mut steps = 0u32;
    while !rest.is_empty() && steps < 300 {
        let Ok(step) = Step::arbitrary(&mut rest) else { break };
        story.step(step);
        steps += 1;
    }
    story.run(Duration::from_millis(300));
    let now = story.lesson.now;
    // Forty viewers get what one sends, four times at the very most (live, cached, repeated), and reports by the clock.
    let seconds = now.duration_since(story.lesson.began).as_secs() as usize + 1;
    let bound = story.taken * 200 + steps as usize * 8_000 + seconds.min(1_000) * 40 * 4_000;
    assert!(story.sent <= bound, "{} bytes came, {} were sent", story.taken, story.sent);
    assert_eq!(story.lesson.worker.stats().panics, 0);
    // All of it goes when all have gone.
    story.command(Command::CloseAll);
    story.lesson.now += Duration::from_secs(2);
    story.run(Duration::from_millis(1));
    assert!(story.lesson.worker.stats().peers.is_empty());
});
