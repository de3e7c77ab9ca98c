//! What one packet costs, part by part. Without arguments each part's time is printed; `NAME COUNT` runs one part so
//! often and prints nothing, for `load-tests/instructions.sh` to count its instructions.
#![expect(clippy::disallowed_methods, reason = "I/O: it measures time")]

use std::{
    hint::black_box,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sfu::{
    Codec, TrackId, TrackKind,
    answer::{DtlsRole, PayloadType, RemoteIce, RemoteTransport, ViewSlot, ViewTerms},
    forward::{egress::Egress, history::History, slot::Slot, view::Viewer},
    packet::{Packet, Vp8Descriptor, parse, rewrite_vp8, rtp_header},
    transport::{
        dtls::Identity,
        outbox::Outbox,
        srtp::{Keys, Profile, Sealer},
    },
};

/// A part, run so often.
type Part = (&'static str, fn(u64));

const PARTS: [Part; 7] = [
    ("header", header),
    ("parse", parse_payload),
    ("history", history),
    ("slot", slot),
    ("rewrite", rewrite),
    ("seal", seal),
    ("forward", forward),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match &words[..] {
        [name, count] => {
            let part = PARTS.iter().find(|(known, _)| known == name).expect("a part's name");
            (part.1)(count.parse().expect("how often"));
        }
        [name] if name == "list" => PARTS.iter().for_each(|(name, _)| println!("{name}")),
        _ => {
            for (name, part) in PARTS {
                part(ROUNDS / 10);
                let began = Instant::now();
                part(ROUNDS);
                println!("{name:8} {:6.1} ns", began.elapsed().as_secs_f64() * 1e9 / ROUNDS as f64);
            }
        }
    }
}

/// The RTP header of an arriving packet, with two header extensions.
fn header(count: u64) {
    let packet: Vec<u8> = [
        &[0x90, 0xe6, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5, 0xbe, 0xde, 0, 2][..],
        &[0x10, 0x31, 0x51, 0, 1, 0, 0, 0],
        &[7; 1_100],
    ]
    .concat();
    for _ in 0..count {
        black_box(rtp_header(black_box(&packet)));
    }
}

/// The facts of an H.264 fragment.
fn parse_payload(count: u64) {
    let payload = [&[0x7c, 0x85][..], &[7; 1_100]].concat();
    for _ in 0..count {
        black_box(parse(Codec::H264, black_box(&payload)));
    }
}

/// A packet kept, and found again for a repair.
fn history(count: u64) {
    let now = Instant::now();
    let mut history = History::new(4_096);
    let packets: Vec<_> = (0..8_192).map(|seq| Arc::new(packet(seq))).collect();
    for round in 0..count {
        let at = (round % 8_192) as usize;
        if at == 0 {
            history = History::new(4_096);
        }
        history.insert_at(now, packets[at].clone());
        black_box(history.get(black_box(at as u64)));
    }
}

/// The decision whether and where a packet goes in one viewer's series.
fn slot(count: u64) {
    let now = Instant::now();
    let mut slot = Slot::new(terms().slots.remove(0), 7);
    slot.start(now, TrackId(1), 0, Codec::H264, &History::new(8));
    let mut packet = packet(0);
    for seq in 0..count {
        packet.seq = seq;
        black_box(slot.place(now, black_box(&packet)));
    }
}

/// The numbers in a VP8 payload.
fn rewrite(count: u64) {
    let mut payload = [&[0x90, 0xc0, 0x80, 1, 2][..], &[7; 1_100]].concat();
    let descriptor = Vp8Descriptor {
        picture_id: Some(1),
        tl0_pic_idx: Some(2),
        picture_id_at: 2,
        tl0_pic_idx_at: 4,
        long_picture_id: true,
    };
    for round in 0..count {
        rewrite_vp8(black_box(&mut payload), &descriptor, round as u16, round as u8);
    }
}

/// AES-128-GCM over one packet.
fn seal(count: u64) {
    let mut sealer = sealer();
    let (header, payload) = ([0x80; 20], vec![7; PAYLOAD_BYTES]);
    let mut out = vec![0; header.len() + PAYLOAD_BYTES + sealer.tag_len()];
    for index in 0..count {
        assert!(sealer.seal_rtp_into(1, index, &header, black_box(&payload), &[], &mut out));
    }
}

/// All of our own work for one packet and viewer: everything but the system call.
fn forward(count: u64) {
    let now = Instant::now();
    let to = SocketAddr::from(([192, 0, 2, 1], 9));
    let (mut viewer, mut sealer, mut outbox) = (Viewer::new(terms(), || 7), sealer(), Outbox::default());
    viewer.slots[0].start(now, TrackId(1), 0, Codec::H264, &History::new(8));
    let (mut packet, history) = (packet(0), History::new(8));
    for seq in 0..count {
        packet.seq = seq;
        let mut egress = Egress { to, sealer: &mut sealer, out: &mut outbox };
        viewer.forward(now, 0, black_box(&packet), &history, PAYLOAD_BYTES, &mut egress);
        if seq % 8 == 7 {
            black_box(outbox.bytes());
            outbox.clear();
        }
    }
}

fn packet(seq: u64) -> Packet {
    Packet {
        seq,
        timestamp: seq as u32 * 500,
        marker: false,
        codec: Codec::H264,
        keyframe: seq == 0,
        frame_start: seq == 0,
        layered: None,
        payload: Bytes::from(vec![7; PAYLOAD_BYTES]),
        audio_level: None,
        vp8: None,
    }
}

fn sealer() -> Sealer {
    let keys = Keys::from_keying_material(Profile::AeadAes128Gcm, &[7; 56], false);
    let identity = Identity::generate().expect("a certificate");
    Sealer::new(&keys, identity.provider().crypto()).expect("keys of the right length")
}

fn terms() -> ViewTerms {
    ViewTerms {
        transport: RemoteTransport {
            remote_ice: RemoteIce { ufrag: "them".into(), pwd: "p".repeat(22) },
            fingerprint: vec![],
            dtls_role: DtlsRole::Passive,
            tagged_mid: "0".into(),
        },
        slots: vec![ViewSlot {
            kind: TrackKind::Camera,
            mid: "0".into(),
            ssrc: 80,
            rtx_ssrc: 81,
            codecs: vec![PayloadType { codec: Codec::H264, pt: 97, rtx_pt: Some(98), fmtp: String::new() }],
            red_pt: None,
            nack: true,
        }],
        twcc_ext: Some(5),
        mid_ext: None,
        abs_send_time_ext: None,
        playout_delay_ext: None,
        dependency_descriptor_ext: None,
    }
}

/// What a browser puts into one packet.
const PAYLOAD_BYTES: usize = 1_150;

/// Long enough that the clock does not matter, and a tenth of a second in all.
const ROUNDS: u64 = Duration::from_millis(200).as_micros() as u64;
