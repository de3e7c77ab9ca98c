//! Panic isolation: a panic inside one peer's state ends that peer and no other. Each test sets one peer's state by
//! hand so that debug arithmetic overflows; everything after that is the ordinary code path.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_rtcp::{receiver_report::ReceiverReport, reception_report::ReceptionReport};
use rtc_shared::marshal::Marshal;

use super::{Worker, WorkerConfig};
use crate::{
    answer::{DtlsRole, PayloadType, PublishTerms, PublishTrack, RemoteIce, RemoteTransport, ViewSlot, ViewTerms},
    event::{GoneReason, HubEvent},
    forward::view::Viewer,
    id::{PeerId, RoomId, WorkerId},
    lobby::{Lobby, Terms},
    media::{Codec, TrackKind},
    transport::{
        dtls::Identity,
        srtp::{Keys, Profile, Sealer},
    },
    worker::peer::{Peer, Role},
};

const ROOM: RoomId = RoomId(1);
const SSRC: u32 = 1_000;

struct Lesson {
    worker: Worker,
    now: Instant,
    seq: u16,
}

fn address(peer: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, peer as u8], 4_000))
}

fn keys(peer: u64) -> Keys {
    let material: Vec<u8> = (0..56).map(|byte| byte ^ peer as u8).collect();
    Keys::from_keying_material(Profile::AeadAes128Gcm, &material, false)
}

fn transport() -> RemoteTransport {
    RemoteTransport {
        remote_ice: RemoteIce { ufrag: "them".into(), pwd: "p".repeat(22) },
        fingerprint: Vec::new(),
        dtls_role: DtlsRole::Passive,
        tagged_mid: String::new(),
    }
}

fn opus() -> Vec<PayloadType> {
    vec![PayloadType { codec: Codec::Opus, pt: 111, rtx_pt: None, fmtp: String::new() }]
}

fn teacher() -> Terms {
    let voice = PublishTrack {
        kind: TrackKind::Voice,
        mid: String::new(),
        codecs: opus(),
        ssrcs: vec![SSRC],
        rtx_ssrcs: Vec::new(),
        rids: Vec::new(),
        nack: false,
        pli: false,
        fir: false,
    };
    Terms::Publish(PublishTerms {
        transport: transport(),
        tracks: vec![voice],
        mid_ext: None,
        rid_ext: None,
        rrid_ext: None,
        twcc_ext: None,
        audio_level_ext: None,
        dependency_descriptor_ext: None,
    })
}

fn classroom() -> Terms {
    let slot = ViewSlot {
        kind: TrackKind::Voice,
        mid: String::new(),
        ssrc: 70,
        rtx_ssrc: 71,
        codecs: opus(),
        red_pt: None,
        nack: false,
    };
    Terms::View(ViewTerms {
        transport: transport(),
        slots: vec![slot],
        twcc_ext: None,
        mid_ext: None,
        abs_send_time_ext: None,
        playout_delay_ext: None,
        dependency_descriptor_ext: None,
    })
}

impl Lesson {
    /// A teacher (1) and three classrooms (2 to 4).
    #[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
    fn new() -> Self {
        let now = Instant::now();
        let worker = Worker::new(WorkerConfig {
            id: WorkerId(0),
            identity: Identity::generate().unwrap(),
            lobby: Arc::new(Lobby::default()),
            epoch: now,
            epoch_ntp: 1 << 40,
            seed: 7,
        });
        let mut lesson = Self { worker, now, seq: 0 };
        lesson.join(1, teacher());
        (2..5).for_each(|peer| lesson.join(peer, classroom()));
        lesson
    }

    fn join(&mut self, peer: u64, terms: Terms) {
        assert!(self.worker.connect_seeded(self.now, ROOM, PeerId(peer), terms, &keys(peer), address(peer)));
    }

    fn peer(&mut self, peer: u64) -> &mut Peer {
        let key = self.worker.by_id[&PeerId(peer)];
        self.worker.peers[key].as_mut().unwrap()
    }

    fn viewer(&mut self, peer: u64) -> &mut Viewer {
        match &mut self.peer(peer).role {
            Role::Viewer(viewer) => viewer,
            Role::Publisher(_) => panic!("a teacher"),
        }
    }

    fn speak(&mut self, peer: u64) {
        self.seq += 1;
        let mut header = vec![0x80, 111];
        header.extend_from_slice(&self.seq.to_be_bytes());
        header.extend_from_slice(&(u32::from(self.seq) * 960).to_be_bytes());
        header.extend_from_slice(&SSRC.to_be_bytes());
        let mut sealer = Sealer::new(&keys(peer).mirrored(), self.worker.config.identity.provider().crypto()).unwrap();
        let mut datagram = Vec::new();
        assert!(sealer.seal_rtp(SSRC, self.seq.into(), &header, &[0xf8, 1, 2], &[], &mut datagram));
        self.worker.handle_datagram(self.now, address(peer), BytesMut::from(&datagram[..]));
    }

    /// Who was sent voice in the next 20 ms.
    fn heard_by(&mut self) -> Vec<u64> {
        self.worker.flush(self.now);
        self.now += Duration::from_millis(20);
        self.worker.handle_timeout(self.now);
        let mut heard = Vec::new();
        let outbox = self.worker.outbox();
        for run in outbox.runs() {
            let datagram = &outbox.bytes()[run.bytes.clone()];
            if datagram[1] & 0x7f == 111 {
                heard.extend((1..10).find(|peer| address(*peer) == run.to));
            }
        }
        outbox.clear();
        heard
    }

    fn gone(&mut self) -> Vec<(u64, GoneReason)> {
        std::iter::from_fn(|| self.worker.poll_event())
            .filter_map(|event| match event {
                HubEvent::PeerGone { peer, reason, .. } => Some((peer.0, reason)),
                _ => None,
            })
            .collect()
    }

    fn only_one_was_lost(mut self) {
        self.speak(1);
        assert_eq!(self.heard_by(), [2, 4]);
        assert_eq!(self.gone(), [(3, GoneReason::Panicked)]);
        self.now += Duration::from_secs(1);
        self.heard_by();
        assert_eq!(self.worker.stats().panics, 1);
        // The same classroom comes back.
        self.join(5, classroom());
        self.speak(1);
        assert_eq!(self.heard_by(), [2, 4, 5]);
    }
}

#[test]
fn a_panic_while_a_packet_is_forwarded_ends_one_classroom() {
    let mut lesson = Lesson::new();
    lesson.viewer(3).sent.packets = u64::MAX;
    lesson.speak(1);
    // It breaks after the packet is sealed: that one still goes out.
    assert_eq!(lesson.heard_by(), [2, 3, 4]);
    lesson.only_one_was_lost();
}

#[test]
fn a_panic_while_a_report_is_read_ends_one_classroom() {
    let mut lesson = Lesson::new();
    lesson.viewer(3).rtt = Some(Duration::MAX);
    let block = ReceptionReport { ssrc: 70, last_sender_report: 1 << 24, ..Default::default() };
    let report = ReceiverReport { ssrc: 9, reports: vec![block], ..Default::default() };
    let keys = keys(3).mirrored();
    let mut sealer = Sealer::new(&keys, lesson.worker.config.identity.provider().crypto()).unwrap();
    let mut sealed = Vec::new();
    assert!(sealer.seal_rtcp(&report.marshal().unwrap(), &mut sealed));
    // The report's round trip must be plausible: a little after its sender report.
    lesson.worker.config.epoch_ntp = u64::from(1u32 << 24) << 16;
    lesson.worker.handle_datagram(lesson.now, address(3), BytesMut::from(&sealed[..]));
    lesson.only_one_was_lost();
}

#[test]
fn a_panic_while_a_teachers_packet_is_read_ends_that_connection_and_another_takes_its_place() {
    let mut lesson = Lesson::new();
    lesson.speak(1);
    assert_eq!(lesson.heard_by(), [2, 3, 4]);
    lesson.peer(1).received = u64::MAX;
    lesson.speak(1);
    assert!(lesson.heard_by().is_empty());
    assert_eq!(lesson.gone(), [(1, GoneReason::Panicked)]);
    lesson.join(6, teacher());
    lesson.speak(6);
    assert_eq!(lesson.heard_by(), [2, 3, 4]);
}
