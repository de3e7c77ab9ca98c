//! The hub against a stack that we did not write: the `webrtc` crate publishes and plays.
//!
//! Its ICE, DTLS, SRTP, SDP and feedback meet ours over real sockets. What went in must come out, byte for byte.
#![expect(clippy::disallowed_methods, reason = "an integration test over real sockets: it needs the clock")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtc::{
    media_stream::MediaStreamTrack,
    peer_connection::configuration::{
        interceptor_registry::{Registry, register_default_interceptors},
        media_engine::{MIME_TYPE_H264, MIME_TYPE_OPUS, MediaEngine},
    },
    rtp_transceiver::rtp_sender::{
        RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
        RtpCodecKind,
    },
};
use sfu::{Hub, HubConfig, HubEvent, TrackKind};
use tokio::sync::mpsc;
use webrtc::{
    media_stream::{
        track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP},
        track_remote::{TrackRemote, TrackRemoteEvent},
    },
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
        RTCPeerConnectionState, RTCSessionDescription,
    },
    rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit},
    runtime::default_runtime,
};

const VOICE_SSRC: u32 = 0x0051_CE00;
const PICTURE_SSRC: u32 = 0x000C_A3E0;
const OPUS: u8 = 111;
const H264: u8 = 102;
/// Enough that a wrong nonce, sequence or timestamp shows.
const PACKETS: usize = 60;
/// A machine that is busy building is slow; a working hub needs under a second.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_publisher_is_heard_and_seen_by_a_foreign_viewer() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = events.clone();
    let config = HubConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        announce: vec![Ipv4Addr::LOCALHOST.into()],
        tcp: false,
        workers: 1,
        max_seats: None,
    };
    let hub = Hub::start(config, Arc::new(move |event| sink.lock().unwrap().push(event))).unwrap();
    let room = hub.open_room();

    let mut publisher = Foreign::new().await;
    let voice = track(RtpCodecKind::Audio, VOICE_SSRC, opus());
    let picture = track(RtpCodecKind::Video, PICTURE_SSRC, h264());
    for track in [&voice, &picture] {
        publisher.connection.add_track(track.clone() as Arc<dyn TrackLocal>).await.unwrap();
    }
    let answer = hub.publish(room, TrackKind::Camera, &publisher.offer().await).unwrap();
    publisher.connect(answer.sdp).await;

    let sending = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for number in 0..u16::MAX {
            ticks.tick().await;
            let _ = voice.write_rtp(packet(VOICE_SSRC, OPUS, number, 960)).await;
            let _ = picture.write_rtp(packet(PICTURE_SSRC, H264, number, 3_600)).await;
        }
    });

    let mut viewer = Foreign::new().await;
    for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            streams: vec![],
            send_encodings: vec![],
        };
        viewer.connection.add_transceiver_from_kind(kind, Some(init)).await.unwrap();
    }
    let answer = hub.play(room, None, &viewer.offer().await).unwrap();
    viewer.connect(answer.sdp).await;

    let (mut voices, mut pictures) = (Vec::new(), Vec::new());
    let until = Instant::now() + PATIENCE;
    while voices.len() < PACKETS || pictures.len() < PACKETS {
        let left = until.saturating_duration_since(Instant::now());
        let received = tokio::time::timeout(left, viewer.received.recv()).await;
        let Ok(Some((payload_type, seq, payload))) = received else {
            panic!("{} voices and {} pictures came; {:?}", voices.len(), pictures.len(), events.lock().unwrap());
        };
        if payload_type == OPUS { &mut voices } else { &mut pictures }.push((seq, payload));
    }
    sending.abort();

    for (name, received) in [("voice", voices), ("picture", pictures)] {
        let first = number_of(&received[0].1);
        let (first_seq, _) = received[0];
        for (at, (seq, sent)) in received.iter().enumerate() {
            let expected = first.wrapping_add(at as u16);
            assert_eq!(number_of(sent), expected, "{name}: packet {at} is out of order");
            assert_eq!(*sent, payload(expected, name == "voice"), "{name}: packet {at} is not what was sent");
            assert_eq!(*seq, first_seq.wrapping_add(at as u16), "{name}: its number does not run on");
        }
    }
    let started: Vec<TrackKind> = events
        .lock()
        .unwrap()
        .iter()
        .filter_map(|event| if let HubEvent::TrackStarted { kind, .. } = event { Some(*kind) } else { None })
        .collect();
    assert!(started.contains(&TrackKind::Voice) && started.contains(&TrackKind::Camera), "{started:?}");

    publisher.connection.close().await.unwrap();
    viewer.connection.close().await.unwrap();
    assert_eq!(hub.stats().panics, 0);
    tokio::task::spawn_blocking(move || hub.shut_down()).await.unwrap();
}

/// A peer of the foreign stack.
struct Foreign {
    connection: Arc<dyn PeerConnection>,
    gathered: mpsc::Receiver<()>,
    connected: mpsc::Receiver<()>,
    /// Payload type, sequence number and payload of everything received.
    received: mpsc::Receiver<(u8, u16, Bytes)>,
}

struct Handler {
    gathered: mpsc::Sender<()>,
    connected: mpsc::Sender<()>,
    received: mpsc::Sender<(u8, u16, Bytes)>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.try_send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            let _ = self.connected.try_send(());
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let received = self.received.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let header = &packet.header;
                    let _ = received.send((header.payload_type, header.sequence_number, packet.payload)).await;
                }
            }
        });
    }
}

impl Foreign {
    async fn new() -> Self {
        let mut media = MediaEngine::default();
        let codecs = [(opus(), OPUS, RtpCodecKind::Audio), (h264(), H264, RtpCodecKind::Video)];
        for (rtp_codec, payload_type, kind) in codecs {
            let codec = RTCRtpCodecParameters { rtp_codec, payload_type };
            media.register_codec(codec, kind).unwrap();
        }
        let registry = register_default_interceptors(Registry::new(), &mut media).unwrap();
        let (gathered_sender, gathered) = mpsc::channel(1);
        let (connected_sender, connected) = mpsc::channel(1);
        let (received_sender, received) = mpsc::channel(1_024);
        let handler = Handler { gathered: gathered_sender, connected: connected_sender, received: received_sender };
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(handler))
            .with_runtime(default_runtime().unwrap())
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
            .build()
            .await
            .unwrap();
        Self { connection: Arc::new(connection), gathered, connected, received }
    }

    async fn offer(&mut self) -> String {
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        tokio::time::timeout(PATIENCE, self.gathered.recv()).await.expect("the foreign client gathers its addresses");
        self.connection.local_description().await.unwrap().sdp
    }

    async fn connect(&mut self, answer: String) {
        let answer = RTCSessionDescription::answer(answer).unwrap();
        self.connection.set_remote_description(answer).await.unwrap();
        tokio::time::timeout(PATIENCE, self.connected.recv()).await.expect("the foreign client connects");
    }
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: vec![],
    }
}

fn h264() -> RTCRtpCodec {
    let feedback = |kind: &str, parameter: &str| RTCPFeedback { typ: kind.to_owned(), parameter: parameter.to_owned() };
    RTCRtpCodec {
        mime_type: MIME_TYPE_H264.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".to_owned(),
        rtcp_feedback: vec![feedback("nack", ""), feedback("nack", "pli"), feedback("ccm", "fir")],
    }
}

fn track(kind: RtpCodecKind, ssrc: u32, codec: RTCRtpCodec) -> Arc<TrackLocalStaticRTP> {
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..RTCRtpCodingParameters::default() },
        codec,
        ..RTCRtpEncodingParameters::default()
    };
    let name = format!("{kind:?}");
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
        "lesson".to_owned(),
        name.clone(),
        name,
        kind,
        vec![coding],
    )))
}

fn packet(ssrc: u32, payload_type: u8, number: u16, step: u32) -> rtc::rtp::Packet {
    rtc::rtp::Packet {
        header: rtc::rtp::Header {
            version: 2,
            marker: payload_type == H264,
            payload_type,
            sequence_number: number,
            timestamp: u32::from(number).wrapping_mul(step),
            ssrc,
            ..rtc::rtp::Header::default()
        },
        payload: payload(number, payload_type == OPUS),
    }
}

/// Every picture is a whole keyframe in one packet (an IDR slice), so a viewer may begin at any.
fn payload(number: u16, is_voice: bool) -> Bytes {
    let head: [u8; 2] = if is_voice { [0x0b << 3, 1] } else { [0x65, 0x88] };
    let length = if is_voice { 80 } else { 900 };
    let fill = (0..length).map(|at| (at as u16).wrapping_mul(31).wrapping_add(number) as u8);
    head.into_iter().chain(number.to_be_bytes()).chain(fill).collect()
}

fn number_of(payload: &[u8]) -> u16 {
    u16::from_be_bytes([payload[2], payload[3]])
}
