//! A lesson on one worker, in virtual time, from SRTP upwards.
#![expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_shared::marshal::Marshal;
use sfu::{
    Codec, HubEvent, PeerId, RoomId, TrackKind, WorkerId,
    answer::{DtlsRole, PayloadType, PublishTerms, PublishTrack, RemoteIce, Transport, ViewSlot, ViewTerms},
    dtls::Identity,
    lobby::{Lobby, Terms},
    packet::rtp_header,
    srtp::{Keys, Opener, Profile, Sealer},
    tap::{self, TapItem},
    worker::{Command, Worker, WorkerConfig},
};

const ROOM: RoomId = RoomId(1);

struct Lesson {
    worker: Worker,
    identity: Identity,
    now: Instant,
}

/// The other end of a seeded peer.
struct Far {
    address: SocketAddr,
    sealer: Sealer,
    opener: Opener,
}

fn transport() -> Transport {
    Transport {
        remote_ice: RemoteIce { ufrag: "them".into(), pwd: "p".repeat(22) },
        fingerprint: vec![("sha-256".into(), vec![0; 32])],
        dtls_role: DtlsRole::Passive,
        tagged_mid: "0".into(),
    }
}

fn codec(codec: Codec, pt: u8) -> PayloadType {
    PayloadType { codec, pt, rtx_pt: (!codec.is_sound()).then_some(pt + 1), fmtp: String::new() }
}

fn publish_terms() -> Terms {
    let track = |kind, codecs, ssrc, rtx: Option<u32>| PublishTrack {
        kind,
        mid: String::new(),
        codecs,
        ssrcs: vec![ssrc],
        rtx_ssrcs: rtx.map(|rtx| (ssrc, rtx)).into_iter().collect(),
        rids: vec![],
        nack: rtx.is_some(),
        pli: true,
        fir: false,
    };
    Terms::Publish(PublishTerms {
        transport: transport(),
        tracks: vec![
            track(TrackKind::Voice, vec![codec(Codec::Opus, 111)], 2_000, None),
            track(TrackKind::Camera, vec![codec(Codec::H264, 102)], 1_000, Some(1_001)),
        ],
        mid_ext: None,
        rid_ext: None,
        rrid_ext: None,
        twcc_ext: None,
        audio_level_ext: None,
        dependency_descriptor_ext: None,
    })
}

fn view_terms() -> Terms {
    let slot = |kind, codecs, ssrc| ViewSlot {
        kind,
        mid: String::new(),
        ssrc,
        rtx_ssrc: ssrc + 1,
        codecs,
        red_pt: None,
        nack: true,
    };
    Terms::View(ViewTerms {
        transport: transport(),
        slots: vec![
            slot(TrackKind::Voice, vec![codec(Codec::Opus, 109)], 70),
            slot(TrackKind::Camera, vec![codec(Codec::H264, 97)], 80),
        ],
        twcc_ext: Some(5),
        mid_ext: None,
        abs_send_time_ext: None,
        playout_delay_ext: None,
        dependency_descriptor_ext: None,
    })
}

impl Lesson {
    fn new() -> Self {
        let now = Instant::now();
        let identity = Identity::generate().unwrap();
        let lobby = Arc::new(Lobby::default());
        lobby.open_room(ROOM);
        let worker = Worker::new(WorkerConfig {
            id: WorkerId(0),
            identity: identity.clone(),
            lobby,
            epoch: now,
            epoch_ntp: 1 << 40,
            seed: 7,
        });
        Self { worker, identity, now }
    }

    fn join(&mut self, peer: u64, terms: Terms) -> Far {
        let material: Vec<u8> = (0..56).map(|byte| byte ^ peer as u8).collect();
        let keys = Keys::from_keying_material(Profile::AeadAes128Gcm, &material, false);
        let address = SocketAddr::from(([192, 0, 2, peer as u8], 4_000));
        assert!(self.worker.connect_seeded(self.now, ROOM, PeerId(peer), terms, &keys, address));
        let crypto = self.identity.provider().crypto();
        let (sealer, opener) =
            (Sealer::new(&keys.mirrored(), crypto).unwrap(), Opener::new(&keys.mirrored(), crypto).unwrap());
        Far { address, sealer, opener }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one packet")]
    fn send(&mut self, far: &mut Far, ssrc: u32, pt: u8, seq: u16, timestamp: u32, marker: bool, payload: &[u8]) {
        let mut header = vec![0x80, pt | u8::from(marker) << 7];
        header.extend_from_slice(&seq.to_be_bytes());
        header.extend_from_slice(&timestamp.to_be_bytes());
        header.extend_from_slice(&ssrc.to_be_bytes());
        let mut datagram = Vec::new();
        assert!(far.sealer.seal_rtp(ssrc, seq.into(), &header, payload, &[], &mut datagram));
        self.worker.handle_datagram(self.now, far.address, BytesMut::from(&datagram[..]));
    }

    fn picture(&mut self, far: &mut Far, number: u16, keyframe: bool) {
        let payload = [&[if keyframe { 0x65 } else { 0x41 }, 0x80, number as u8][..], &[7; 500]].concat();
        self.send(far, 1_000, 102, number, u32::from(number) * 3_600, true, &payload);
    }

    /// Runs the worker to `now` + `span` and returns what each address was sent.
    fn run(&mut self, span: Duration) -> Vec<(SocketAddr, Vec<u8>)> {
        let end = self.now + span;
        let mut sent = Vec::new();
        loop {
            self.worker.flush(self.now);
            self.worker.handle_timeout(self.now);
            let outbox = self.worker.outbox();
            for run in outbox.runs() {
                for datagram in outbox.bytes()[run.bytes.clone()].chunks(run.segment) {
                    sent.push((run.to, datagram.to_vec()));
                }
            }
            outbox.clear();
            let due = self.worker.poll_timeout().unwrap();
            if due > end {
                self.now = end;
                return sent;
            }
            self.now = due.max(self.now);
        }
    }
}

impl Far {
    /// The RTP packets for this end: SSRC, payload type, sequence number, timestamp, payload.
    fn rtp(&mut self, sent: &[(SocketAddr, Vec<u8>)]) -> Vec<(u32, u8, u16, u32, Vec<u8>)> {
        let mine = sent.iter().filter(|(to, bytes)| *to == self.address && !(64..96).contains(&(bytes[1] & 0x7f)));
        let mut packets = Vec::new();
        for (_, bytes) in mine {
            let header = rtp_header(bytes).unwrap();
            let mut packet = BytesMut::from(&bytes[..]);
            self.opener.open_rtp(header.ssrc, header.seq, header.header_len.into(), &mut packet).unwrap();
            let payload = packet[usize::from(header.header_len)..].to_vec();
            packets.push((header.ssrc, header.pt, header.seq, header.timestamp, payload));
        }
        packets
    }

    fn rtcp(&mut self, sent: &[(SocketAddr, Vec<u8>)]) -> Vec<Box<dyn rtc_rtcp::Packet>> {
        let mine = sent.iter().filter(|(to, bytes)| *to == self.address && (64..96).contains(&(bytes[1] & 0x7f)));
        mine.flat_map(|(_, bytes)| {
            let mut packet = BytesMut::from(&bytes[..]);
            self.opener.open_rtcp(&mut packet).unwrap();
            rtc_rtcp::packet::unmarshal(&mut packet.freeze()).unwrap()
        })
        .collect()
    }

    fn report(&mut self, packet: &impl Marshal) -> BytesMut {
        let mut sealed = Vec::new();
        assert!(self.sealer.seal_rtcp(&packet.marshal().unwrap(), &mut sealed));
        BytesMut::from(&sealed[..])
    }
}

const FRAME: Duration = Duration::from_millis(40);

#[test]
fn every_classroom_gets_voice_and_picture_in_its_own_numbers() {
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut rooms: Vec<Far> = (2..5).map(|peer| lesson.join(peer, view_terms())).collect();
    for number in 0..50 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        lesson.send(&mut teacher, 2_000, 111, number, u32::from(number) * 1_920, false, &[0xf8, 1, 2]);
        let sent = lesson.run(FRAME);
        for room in &mut rooms {
            let packets = room.rtp(&sent);
            let expected = BTreeSet::from([(70, 109), (80, 97)]);
            assert_eq!(packets.iter().map(|packet| (packet.0, packet.1)).collect::<BTreeSet<_>>(), expected);
            assert_eq!(packets.iter().find(|packet| packet.0 == 80).unwrap().4[2], (100 + number) as u8);
        }
    }
    let mut kinds = Vec::new();
    while let Some(event) = lesson.worker.poll_event() {
        if let HubEvent::TrackStarted { kind, .. } = event {
            kinds.push(kind);
        }
    }
    assert_eq!(kinds, [TrackKind::Camera, TrackKind::Voice]);
}

#[test]
fn a_late_joiner_sees_the_whole_group_and_asks_nobody() {
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    for number in 0..60 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        let sent = lesson.run(FRAME);
        let asked = teacher.rtcp(&sent).iter().any(|packet| {
            packet.as_any().is::<rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication>()
        });
        assert!(!asked);
    }
    let mut late = lesson.join(2, view_terms());
    let sent = lesson.run(Duration::from_millis(400));
    let pictures: Vec<u8> = late.rtp(&sent).iter().map(|packet| packet.4[2]).collect();
    assert_eq!(pictures, (100..160).map(|number| number as u8).collect::<Vec<_>>());
    let asked = teacher.rtcp(&sent).iter().any(|packet| {
        packet.as_any().is::<rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication>()
    });
    assert!(!asked, "joining asks nothing of the teacher");
}

#[test]
fn what_a_classroom_misses_is_repeated_once_per_round_trip() {
    use rtc_rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut room = lesson.join(2, view_terms());
    let mut seqs = Vec::new();
    for number in 0..10 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        let sent = lesson.run(FRAME);
        seqs.extend(room.rtp(&sent).iter().filter(|packet| packet.0 == 80).map(|packet| (packet.2, packet.3)));
    }
    let missed = seqs[4];
    for round in 0..3 {
        let nacks = nack_pairs_from_sequence_numbers(&[missed.0]);
        let nack = room.report(&TransportLayerNack { sender_ssrc: 1, media_ssrc: 80, nacks });
        lesson.worker.handle_datagram(lesson.now, room.address, nack);
        let sent = lesson.run(Duration::from_millis(5));
        let repeated = room.rtp(&sent);
        if round == 0 {
            let (ssrc, pt, _, timestamp, payload) = &repeated[0];
            assert_eq!((*ssrc, *pt, *timestamp), (81, 98, missed.1));
            assert_eq!(payload[..2], missed.0.to_be_bytes(), "the original number stands first (RFC 4588)");
            assert_eq!(payload[4], 104);
        } else {
            assert!(repeated.is_empty(), "asked again within a round trip");
        }
    }
}

#[test]
fn what_the_teacher_loses_is_asked_for_again_and_repaired() {
    use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut room = lesson.join(2, view_terms());
    let (mut asked, mut seen) = (Vec::new(), Vec::new());
    for number in 0..20 {
        if number != 7 {
            lesson.picture(&mut teacher, 100 + number, number == 0);
        }
        let sent = lesson.run(FRAME);
        seen.extend(room.rtp(&sent).iter().map(|packet| packet.4[2]));
        for packet in teacher.rtcp(&sent) {
            if let Some(nack) = packet.as_any().downcast_ref::<TransportLayerNack>() {
                let first = asked.is_empty();
                asked.extend(nack.nacks.iter().flat_map(|pair| pair.packet_list()));
                if first {
                    let repair = [&107u16.to_be_bytes()[..], &[0x41, 0x80, 107], &[7; 500]].concat();
                    lesson.send(&mut teacher, 1_001, 103, 1, 107 * 3_600, true, &repair);
                }
            }
        }
    }
    assert_eq!(asked, [107]);
    seen.sort_unstable();
    assert_eq!(seen, (100..120).map(|number| number as u8).collect::<Vec<_>>());
}

#[test]
fn a_teacher_who_comes_back_takes_the_old_tracks_place() {
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut room = lesson.join(2, view_terms());
    let (tap, reader) = tap::channel(1_000);
    lesson.worker.handle_command(lesson.now, Command::Tap { room: ROOM, tap });
    let mut numbers = Vec::new();
    for number in 0..10 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        let sent = lesson.run(FRAME);
        numbers.extend(room.rtp(&sent).iter().map(|packet| packet.2));
    }
    let mut again = lesson.join(3, publish_terms());
    for number in 0..10 {
        lesson.picture(&mut again, 30_000 + number, number == 2);
        let sent = lesson.run(FRAME);
        numbers.extend(room.rtp(&sent).iter().map(|packet| packet.2));
    }
    let first = numbers[0];
    let expected: Vec<u16> = (0..18).map(|step| first + step).collect();
    assert_eq!(numbers, expected, "ten pictures, then eight from the first keyframe on, without a hole");
    let (mut started, mut ended) = (0, 0);
    while let Some(item) = reader.try_recv() {
        match item {
            TapItem::Started { .. } => started += 1,
            TapItem::Ended { .. } => ended += 1,
            _ => {}
        }
    }
    assert_eq!((started, ended), (2, 1));
}

#[test]
fn a_classroom_whose_address_changes_is_followed_by_its_next_report() {
    use rtc_rtcp::receiver_report::ReceiverReport;
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut room = lesson.join(2, view_terms());
    for number in 0..10 {
        lesson.picture(&mut teacher, 100 + number, number == 0);
        lesson.run(FRAME);
    }
    room.address = "198.51.100.9:5555".parse().unwrap();
    let noise = BytesMut::from(
        &[0x80, 201, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9][..],
    );
    lesson.worker.handle_datagram(lesson.now, "203.0.113.1:1".parse().unwrap(), noise);
    let report = room.report(&ReceiverReport { ssrc: 1, ..Default::default() });
    lesson.worker.handle_datagram(lesson.now, room.address, report);
    lesson.picture(&mut teacher, 110, false);
    let sent = lesson.run(FRAME);
    assert_eq!(room.rtp(&sent).len(), 1);
    assert!(sent.iter().all(|(to, _)| *to == room.address || *to == teacher.address));
}

#[test]
fn a_silent_peer_is_forgotten_and_said_so() {
    let mut lesson = Lesson::new();
    let _room = lesson.join(2, view_terms());
    lesson.run(Duration::from_secs(16));
    let gone = std::iter::from_fn(|| lesson.worker.poll_event())
        .any(|event| matches!(event, HubEvent::PeerGone { peer: PeerId(2), reason: sfu::hub::GoneReason::Silent, .. }));
    assert!(gone);
}

#[test]
fn who_joins_while_a_picture_is_gathered_is_given_each_packet_once() {
    let mut lesson = Lesson::new();
    let mut teacher = lesson.join(1, publish_terms());
    let mut rooms: Vec<(Far, usize)> = Vec::new();
    let mut number = 100;
    for picture in 0..40u8 {
        for part in 0..3u8 {
            let kind = if picture == 0 { 0x65 } else { 0x41 };
            let payload = [&[kind, 0x80, picture, part][..], &[7; 400]].concat();
            lesson.send(&mut teacher, 1_000, 102, number, u32::from(picture) * 3_600, part == 2, &payload);
            number += 1;
            if picture > 0 && picture % 3 == part {
                let room = lesson.join(10 + u64::from(picture), view_terms());
                rooms.push((room, 0));
            }
            let sent =
                lesson.run(Duration::from_micros(if part == 2 { 37_000 } else { 300 + u64::from(picture) * 40 }));
            for (room, packets) in &mut rooms {
                // A packet that came twice would not open: it has been replayed.
                *packets += room.rtp(&sent).len();
            }
        }
    }
    let sent = lesson.run(Duration::from_millis(400));
    for (room, packets) in &mut rooms {
        assert_eq!(*packets + room.rtp(&sent).len(), 120);
    }
}
