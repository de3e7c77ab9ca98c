//! A lesson on one worker, in virtual time: peers whose keys are known, so that a test is the other end of each.
#![expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_shared::marshal::Marshal;
use sfu::{
    Codec, PeerId, RoomId, TrackKind, WorkerId,
    answer::{DtlsRole, PayloadType, PublishTerms, PublishTrack, RemoteIce, RemoteTransport, ViewSlot, ViewTerms},
    lobby::{Lobby, Terms},
    packet::rtp_header,
    stats::Dropped,
    transport::{
        dtls::Identity,
        srtp::{Keys, Opener, Profile, Sealer},
    },
    worker::{Worker, WorkerConfig},
};

pub const ROOM: RoomId = RoomId(1);

/// A hub of one worker, with one room or several.
pub struct Lesson {
    pub worker: Worker,
    pub lobby: Arc<Lobby>,
    pub identity: Identity,
    pub began: Instant,
    pub now: Instant,
}

/// The other end of a seeded peer.
pub struct Far {
    pub address: SocketAddr,
    pub sealer: Sealer,
    pub opener: Opener,
}

pub fn transport() -> RemoteTransport {
    RemoteTransport {
        remote_ice: RemoteIce { ufrag: "them".into(), pwd: "p".repeat(22) },
        fingerprint: vec![("sha-256".into(), vec![0; 32])],
        dtls_role: DtlsRole::Passive,
        tagged_mid: "0".into(),
    }
}

pub fn codec(codec: Codec, pt: u8) -> PayloadType {
    PayloadType { codec, pt, rtx_pt: (!codec.is_sound()).then_some(pt + 1), fmtp: String::new() }
}

pub fn publish_terms() -> Terms {
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

pub fn view_terms() -> Terms {
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
    pub fn new() -> Self {
        Self::hosted_by(Identity::generate().unwrap())
    }

    pub fn hosted_by(identity: Identity) -> Self {
        let now = Instant::now();
        let lobby = Arc::new(Lobby::default());
        lobby.open_room(ROOM);
        let worker = Worker::new(WorkerConfig {
            id: WorkerId(0),
            identity: identity.clone(),
            lobby: lobby.clone(),
            epoch: now,
            epoch_ntp: 1 << 40,
            seed: 7,
        });
        Self { worker, lobby, identity, began: now, now }
    }

    pub fn join(&mut self, peer: u64, terms: Terms) -> Far {
        self.join_room(ROOM, peer, terms)
    }

    pub fn join_room(&mut self, room: RoomId, peer: u64, terms: Terms) -> Far {
        let material: Vec<u8> = (0..56).map(|byte| byte ^ peer as u8).collect();
        let keys = Keys::from_keying_material(Profile::AeadAes128Gcm, &material, false);
        let address = SocketAddr::from(([192, 0, 2, peer as u8], 4_000));
        assert!(self.worker.connect_seeded(self.now, room, PeerId(peer), terms, &keys, address));
        let crypto = self.identity.provider().crypto();
        let (sealer, opener) =
            (Sealer::new(&keys.mirrored(), crypto).unwrap(), Opener::new(&keys.mirrored(), crypto).unwrap());
        Far { address, sealer, opener }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one packet")]
    pub fn send(&mut self, far: &mut Far, ssrc: u32, pt: u8, seq: u16, timestamp: u32, marker: bool, payload: &[u8]) {
        let mut header = vec![0x80, pt | u8::from(marker) << 7];
        header.extend_from_slice(&seq.to_be_bytes());
        header.extend_from_slice(&timestamp.to_be_bytes());
        header.extend_from_slice(&ssrc.to_be_bytes());
        self.send_raw(far, &header, seq.into(), payload);
    }

    /// Sends any `header`, well formed or not, sealed as the packet of that 48-bit index.
    pub fn send_raw(&mut self, far: &mut Far, header: &[u8], index: u64, payload: &[u8]) {
        let datagram = far.seal(header, index, payload);
        self.worker.handle_datagram(self.now, far.address, datagram);
    }

    /// How many packets were dropped for that reason, as of the last full second.
    pub fn dropped(&self, reason: Dropped) -> u64 {
        self.worker.stats().dropped[reason.as_str()]
    }

    pub fn picture(&mut self, far: &mut Far, number: u16, keyframe: bool) {
        let payload = [&[if keyframe { 0x65 } else { 0x41 }, 0x80, number as u8][..], &[7; 500]].concat();
        self.send(far, 1_000, 102, number, u32::from(number) * 3_600, true, &payload);
    }

    /// Runs the worker to `now` + `span` and returns what each address was sent.
    pub fn run(&mut self, span: Duration) -> Vec<(SocketAddr, Vec<u8>)> {
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
    pub fn seal(&mut self, header: &[u8], index: u64, payload: &[u8]) -> BytesMut {
        let ssrc = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        let mut datagram = Vec::new();
        assert!(self.sealer.seal_rtp(ssrc, index, header, payload, &[], &mut datagram));
        BytesMut::from(&datagram[..])
    }

    /// The RTP packets for this end: SSRC, payload type, sequence number, timestamp, payload.
    pub fn rtp(&mut self, sent: &[(SocketAddr, Vec<u8>)]) -> Vec<(u32, u8, u16, u32, Vec<u8>)> {
        let mine = sent.iter().filter(|(to, bytes)| *to == self.address && is_rtp(bytes));
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

    pub fn rtcp(&mut self, sent: &[(SocketAddr, Vec<u8>)]) -> Vec<Box<dyn rtc_rtcp::Packet>> {
        let mine = sent.iter().filter(|(to, bytes)| *to == self.address && bytes[0] >= 128 && !is_rtp(bytes));
        mine.flat_map(|(_, bytes)| {
            let mut packet = BytesMut::from(&bytes[..]);
            self.opener.open_rtcp(&mut packet).unwrap();
            rtc_rtcp::packet::unmarshal(&mut packet.freeze()).unwrap()
        })
        .collect()
    }

    pub fn report(&mut self, packet: &impl Marshal) -> BytesMut {
        let mut sealed = Vec::new();
        assert!(self.sealer.seal_rtcp(&packet.marshal().unwrap(), &mut sealed));
        BytesMut::from(&sealed[..])
    }
}

fn is_rtp(datagram: &[u8]) -> bool {
    datagram[0] >= 128 && !(64..96).contains(&(datagram[1] & 0x7f))
}

/// 25 pictures a second.
pub const FRAME: Duration = Duration::from_millis(40);
