//! One lesson on two workers, in virtual time: what one releases, both send.
#![expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_rtcp::{
    payload_feedbacks::picture_loss_indication::PictureLossIndication,
    receiver_report::ReceiverReport,
    transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
};
use rtc_shared::marshal::Marshal;
use sfu::{
    Codec, HubEvent, PeerId, RoomId, TrackKind, WorkerId,
    answer::{DtlsRole, PayloadType, PublishTerms, PublishTrack, RemoteIce, RemoteTransport, ViewSlot, ViewTerms},
    event::GoneReason,
    lobby::{Lobby, Terms},
    packet::rtp_header,
    tap::{self, TapItem},
    transport::{
        dtls::Identity,
        srtp::{Keys, Opener, Profile, Sealer},
    },
    worker::{Command, Worker, WorkerConfig},
};

const ROOM: RoomId = RoomId(1);
const FRAME: Duration = Duration::from_millis(40);

struct Hub {
    workers: [Worker; 2],
    identity: Identity,
    now: Instant,
    events: Vec<HubEvent>,
}

/// The other end of a seeded peer on one of the workers.
struct Far {
    worker: usize,
    address: SocketAddr,
    sealer: Sealer,
    opener: Opener,
}

fn transport() -> RemoteTransport {
    RemoteTransport {
        remote_ice: RemoteIce { ufrag: "them".into(), pwd: "p".repeat(22) },
        fingerprint: vec![("sha-256".into(), vec![0; 32])],
        dtls_role: DtlsRole::Passive,
        tagged_mid: "0".into(),
    }
}

fn h264(pt: u8) -> Vec<PayloadType> {
    vec![PayloadType { codec: Codec::H264, pt, rtx_pt: Some(pt + 1), fmtp: String::new() }]
}

fn teacher() -> Terms {
    Terms::Publish(PublishTerms {
        transport: transport(),
        tracks: vec![PublishTrack {
            kind: TrackKind::Camera,
            mid: String::new(),
            codecs: h264(102),
            ssrcs: vec![1_000],
            rtx_ssrcs: vec![(1_000, 1_001)],
            rids: vec![],
            nack: true,
            pli: true,
            fir: false,
        }],
        mid_ext: None,
        rid_ext: None,
        rrid_ext: None,
        twcc_ext: None,
        audio_level_ext: None,
        dependency_descriptor_ext: None,
    })
}

fn classroom() -> Terms {
    Terms::View(ViewTerms {
        transport: transport(),
        slots: vec![ViewSlot {
            kind: TrackKind::Camera,
            mid: String::new(),
            ssrc: 80,
            rtx_ssrc: 81,
            codecs: h264(97),
            red_pt: None,
            nack: true,
        }],
        twcc_ext: Some(5),
        mid_ext: None,
        abs_send_time_ext: None,
        playout_delay_ext: None,
        dependency_descriptor_ext: None,
    })
}

impl Hub {
    fn new() -> Self {
        let now = Instant::now();
        let identity = Identity::generate().unwrap();
        let lobby = Arc::new(Lobby::for_workers(2));
        lobby.open_room(ROOM);
        let workers = [0, 1].map(|number| {
            Worker::new(WorkerConfig {
                id: WorkerId(number),
                identity: identity.clone(),
                lobby: lobby.clone(),
                epoch: now,
                epoch_ntp: 1 << 40,
                seed: 7 + u64::from(number),
            })
        });
        Self { workers, identity, now, events: Vec::new() }
    }

    fn join(&mut self, worker: usize, peer: u64, terms: Terms) -> Far {
        let material: Vec<u8> = (0..56).map(|byte| byte ^ peer as u8).collect();
        let keys = Keys::from_keying_material(Profile::AeadAes128Gcm, &material, false);
        let address = SocketAddr::from(([192, 0, 2, peer as u8], 4_000));
        assert!(self.workers[worker].connect_seeded(self.now, ROOM, PeerId(peer), terms, &keys, address));
        let crypto = self.identity.provider().crypto();
        let far = keys.mirrored();
        let (sealer, opener) = (Sealer::new(&far, crypto).unwrap(), Opener::new(&far, crypto).unwrap());
        Far { worker, address, sealer, opener }
    }

    fn picture(&mut self, far: &mut Far, number: u16, keyframe: bool) {
        let mut header = vec![0x80, 102 | 0x80];
        header.extend_from_slice(&number.to_be_bytes());
        header.extend_from_slice(&(u32::from(number) * 3_600).to_be_bytes());
        header.extend_from_slice(&1_000u32.to_be_bytes());
        let payload = [&[if keyframe { 0x65 } else { 0x41 }, 0x80, number as u8][..], &[7; 500]].concat();
        let mut datagram = Vec::new();
        assert!(far.sealer.seal_rtp(1_000, number.into(), &header, &payload, &[], &mut datagram));
        self.arrive(far.worker, far.address, &datagram);
    }

    fn report(&mut self, far: &mut Far, to: usize, packet: &impl Marshal) {
        let mut sealed = Vec::new();
        assert!(far.sealer.seal_rtcp(&packet.marshal().unwrap(), &mut sealed));
        self.arrive(to, far.address, &sealed);
    }

    fn arrive(&mut self, worker: usize, from: SocketAddr, datagram: &[u8]) {
        self.workers[worker].handle_datagram(self.now, from, BytesMut::from(datagram));
    }

    /// Runs both workers to `now` + `span`, carries their relays, and returns what each address was sent,
    /// and by which worker.
    fn run(&mut self, span: Duration) -> Vec<(usize, SocketAddr, Vec<u8>)> {
        let end = self.now + span;
        let mut sent = Vec::new();
        loop {
            let mut is_quiet = false;
            while !is_quiet {
                is_quiet = true;
                for number in 0..2 {
                    let worker = &mut self.workers[number];
                    worker.flush(self.now);
                    worker.handle_timeout(self.now);
                    self.events.extend(std::iter::from_fn(|| worker.poll_event()));
                    let relays: Vec<_> = std::iter::from_fn(|| worker.poll_relay()).collect();
                    let outbox = worker.outbox();
                    for run in outbox.runs() {
                        let datagrams = outbox.bytes()[run.bytes.clone()].chunks(run.segment);
                        sent.extend(datagrams.map(|datagram| (number, run.to, datagram.to_vec())));
                    }
                    outbox.clear();
                    for (to, relay) in relays {
                        is_quiet = false;
                        assert_eq!(usize::from(to.0), 1 - number);
                        self.workers[1 - number].handle_relay(self.now, relay);
                    }
                }
            }
            let due = self.workers.iter().filter_map(Worker::poll_timeout).min().unwrap();
            if due > end {
                self.now = end;
                return sent;
            }
            self.now = due.max(self.now);
        }
    }
}

impl Far {
    /// SSRC, sequence number and payload of the RTP packets for this end.
    fn rtp(&mut self, sent: &[(usize, SocketAddr, Vec<u8>)]) -> Vec<(u32, u16, Vec<u8>)> {
        let mut packets = Vec::new();
        for (worker, to, bytes) in sent {
            if *to != self.address || (64..96).contains(&(bytes[1] & 0x7f)) {
                continue;
            }
            assert_eq!(*worker, self.worker, "a peer is sent to by its own worker only");
            let header = rtp_header(bytes).unwrap();
            let mut packet = BytesMut::from(&bytes[..]);
            self.opener.open_rtp(header.ssrc, header.seq, header.header_len.into(), &mut packet).unwrap();
            packets.push((header.ssrc, header.seq, packet[usize::from(header.header_len)..].to_vec()));
        }
        packets
    }

    fn keyframes_asked(&mut self, sent: &[(usize, SocketAddr, Vec<u8>)]) -> usize {
        let mine = sent.iter().filter(|(_, to, bytes)| *to == self.address && (64..96).contains(&(bytes[1] & 0x7f)));
        mine.flat_map(|(_, _, bytes)| {
            let mut packet = BytesMut::from(&bytes[..]);
            self.opener.open_rtcp(&mut packet).unwrap();
            rtc_rtcp::packet::unmarshal(&mut packet.freeze()).unwrap()
        })
        .filter(|packet| packet.as_any().is::<PictureLossIndication>())
        .count()
    }
}

#[test]
fn a_lesson_spreads_over_both_workers_and_a_late_joiner_causes_no_keyframe() {
    let mut hub = Hub::new();
    let mut teacher = hub.join(0, 1, teacher());
    let mut rooms = [hub.join(0, 2, classroom()), hub.join(1, 3, classroom())];
    let mut seen = [Vec::new(), Vec::new()];
    let mut asked = 0;
    for number in 0..40u16 {
        hub.picture(&mut teacher, 100 + number, number == 0);
        let sent = hub.run(FRAME);
        asked += teacher.keyframes_asked(&sent);
        for (room, seen) in rooms.iter_mut().zip(&mut seen) {
            seen.extend(room.rtp(&sent).iter().map(|packet| packet.2[2]));
        }
    }
    let all: Vec<u8> = (100..140).collect();
    assert_eq!(seen, [all.clone(), all.clone()]);

    // The second worker has the group: a third classroom there is given it at once.
    let mut late = hub.join(1, 4, classroom());
    let sent = hub.run(Duration::from_millis(400));
    asked += teacher.keyframes_asked(&sent);
    assert_eq!(late.rtp(&sent).iter().map(|packet| packet.2[2]).collect::<Vec<_>>(), all);
    assert_eq!(asked, 0, "joining asks nothing of the teacher");
}

#[test]
fn a_worker_that_comes_to_a_lesson_late_is_given_its_cache() {
    let mut hub = Hub::new();
    let mut teacher = hub.join(0, 1, teacher());
    for number in 0..40u16 {
        hub.picture(&mut teacher, 100 + number, number == 0);
        hub.run(FRAME);
    }
    // A still board: nothing has flowed for a minute.
    for _ in 0..12 {
        hub.run(Duration::from_secs(5));
        hub.report(&mut teacher, 0, &ReceiverReport { ssrc: 1_000, ..Default::default() });
    }
    let mut late = hub.join(1, 3, classroom());
    let sent = hub.run(Duration::from_millis(400));
    assert_eq!(late.rtp(&sent).iter().map(|packet| packet.2[2]).collect::<Vec<_>>(), (100..140).collect::<Vec<_>>());
    hub.picture(&mut teacher, 140, false);
    let sent = hub.run(FRAME);
    assert_eq!(late.rtp(&sent).len(), 1, "live from here on");
}

#[test]
fn repairs_stay_on_their_worker_and_requests_for_keyframes_reach_the_teacher_as_one() {
    let mut hub = Hub::new();
    let mut teacher = hub.join(0, 1, teacher());
    let mut rooms: Vec<Far> = (3..8).map(|peer| hub.join(1, peer, classroom())).collect();
    let mut numbers = Vec::new();
    for number in 0..10u16 {
        hub.picture(&mut teacher, 100 + number, number == 0);
        let sent = hub.run(FRAME);
        numbers.extend(rooms[0].rtp(&sent).iter().map(|packet| packet.1));
    }
    let nacks = nack_pairs_from_sequence_numbers(&[numbers[4]]);
    hub.report(&mut rooms[0], 1, &TransportLayerNack { sender_ssrc: 1, media_ssrc: 80, nacks });
    let repaired = rooms[0].rtp(&hub.run(Duration::from_millis(5)));
    assert_eq!((repaired.len(), repaired[0].0, repaired[0].2[4]), (1, 81, 104));

    let mut asked = 0;
    for _ in 0..20 {
        for room in &mut rooms {
            hub.report(room, 1, &PictureLossIndication { sender_ssrc: 1, media_ssrc: 80 });
        }
        let sent = hub.run(Duration::from_millis(90));
        asked += teacher.keyframes_asked(&sent);
    }
    assert_eq!(asked, 1, "a hundred requests in 1.8 s are one");
}

#[test]
fn a_classroom_that_the_kernel_deals_to_the_other_worker_is_followed() {
    let mut hub = Hub::new();
    let mut teacher = hub.join(0, 1, teacher());
    let mut room = hub.join(1, 3, classroom());
    for number in 0..10u16 {
        hub.picture(&mut teacher, 100 + number, number == 0);
        hub.run(FRAME);
    }
    // Its address changes, and the new one hashes to the worker that does not know it.
    room.address = "198.51.100.9:5555".parse().unwrap();
    hub.report(&mut room, 0, &ReceiverReport { ssrc: 1, ..Default::default() });
    hub.run(Duration::from_millis(1));
    hub.picture(&mut teacher, 110, false);
    assert_eq!(room.rtp(&hub.run(FRAME)).len(), 1);
    // From now on the table knows the way: a request there reaches the teacher.
    hub.report(&mut room, 0, &PictureLossIndication { sender_ssrc: 1, media_ssrc: 80 });
    let sent = hub.run(Duration::from_millis(90));
    assert_eq!(teacher.keyframes_asked(&sent), 1);
}

#[test]
fn a_teacher_who_comes_back_on_the_other_worker_takes_the_old_tracks_place() {
    let mut hub = Hub::new();
    let mut first = hub.join(0, 1, teacher());
    let mut rooms = [hub.join(0, 2, classroom()), hub.join(1, 3, classroom())];
    let (tap, reader) = tap::channel(1_000);
    hub.workers[0].handle_command(hub.now, Command::Tap { room: ROOM, tap });
    let mut again = None;
    let mut numbers = [Vec::new(), Vec::new()];
    for number in 0..20u16 {
        if number < 10 {
            hub.picture(&mut first, 100 + number, number == 0);
        } else {
            let again = again.get_or_insert_with(|| hub.join(1, 4, teacher()));
            hub.picture(again, 30_000 + number, number == 10);
        }
        let sent = hub.run(FRAME);
        for (room, numbers) in rooms.iter_mut().zip(&mut numbers) {
            numbers.extend(room.rtp(&sent).iter().map(|packet| packet.1));
        }
    }
    for numbers in numbers {
        let expected: Vec<u16> = (0..20).map(|step| numbers[0] + step).collect();
        assert_eq!(numbers, expected, "without a hole on either worker");
    }
    hub.workers[0].handle_command(hub.now, Command::ClosePeer(PeerId(1)));
    hub.workers[1].handle_command(hub.now, Command::ClosePeer(PeerId(4)));
    hub.run(FRAME);
    let of_camera = |event: &&HubEvent| matches!(event, HubEvent::TrackStarted { .. } | HubEvent::TrackEnded { .. });
    let story: Vec<_> = hub
        .events
        .iter()
        .filter(of_camera)
        .map(|event| match event {
            HubEvent::TrackStarted { peer, .. } => (true, peer.0),
            HubEvent::TrackEnded { peer, .. } => (false, peer.0),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(story.iter().filter(|(started, _)| *started).count(), 2);
    assert_eq!(story.iter().filter(|(started, _)| !*started).count(), 2, "each ends once: {story:?}");
    let (mut started, mut ended, mut packets) = (0, 0, 0);
    while let Some(item) = reader.try_recv() {
        match item {
            TapItem::Started { .. } => started += 1,
            TapItem::Ended { .. } => ended += 1,
            TapItem::Packet { .. } => packets += 1,
            TapItem::SenderReport { .. } => {}
        }
    }
    assert_eq!((started, ended, packets), (2, 2, 20), "the recorder sits on one worker and misses nothing");
    let gone = hub.events.iter().filter(|event| matches!(event, HubEvent::PeerGone { reason: GoneReason::Closed, .. }));
    assert_eq!(gone.count(), 2);
}
