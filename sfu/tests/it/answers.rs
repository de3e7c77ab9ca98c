//! Offers that real clients made, and what we answer: Chromium 156, Firefox ESR 153, ffmpeg 9, aiortc 1.16, and one
//! written in the manner of GStreamer's `webrtcbin` with `max-bundle`.

use std::net::SocketAddr;

use proptest::prelude::*;
use sfu::{
    Codec, OfferError, TrackKind,
    answer::{
        DtlsRole, Local, PublishTerms, ViewTerms, answer_publisher, answer_viewer, fragment_credentials,
        restart_fragment,
    },
};

const CHROMIUM_SEND: &str = include_str!("../offers/chromium-send.sdp");
const CHROMIUM_SIMULCAST: &str = include_str!("../offers/chromium-simulcast.sdp");
const CHROMIUM_RECEIVE: &str = include_str!("../offers/chromium-receive.sdp");
const CHROMIUM_DATACHANNEL: &str = include_str!("../offers/chromium-datachannel.sdp");
const FIREFOX_SEND: &str = include_str!("../offers/firefox-send.sdp");
const FIREFOX_SIMULCAST: &str = include_str!("../offers/firefox-simulcast.sdp");
const FIREFOX_RECEIVE: &str = include_str!("../offers/firefox-receive.sdp");
const FFMPEG_SEND: &str = include_str!("../offers/ffmpeg-send.sdp");
const AIORTC_SEND: &str = include_str!("../offers/aiortc-send.sdp");
const AIORTC_RECEIVE: &str = include_str!("../offers/aiortc-receive.sdp");
const GSTREAMER_SEND: &str = include_str!("../offers/gstreamer-send.sdp");

const OFFERS: [&str; 11] = [
    CHROMIUM_SEND,
    CHROMIUM_SIMULCAST,
    CHROMIUM_RECEIVE,
    CHROMIUM_DATACHANNEL,
    FIREFOX_SEND,
    FIREFOX_SIMULCAST,
    FIREFOX_RECEIVE,
    FFMPEG_SEND,
    AIORTC_SEND,
    AIORTC_RECEIVE,
    GSTREAMER_SEND,
];

const LESSON: [TrackKind; 3] = [TrackKind::Voice, TrackKind::Board, TrackKind::Camera];

fn with_local<T>(act: impl FnOnce(&Local<'_>) -> T) -> T {
    let candidates: [SocketAddr; 2] =
        [SocketAddr::from(([192, 0, 2, 1], 3478)), "[2001:db8::1]:3478".parse().expect("an address")];
    act(&Local {
        ice_ufrag: "tongke01",
        ice_pwd: "0123456789abcdefghijkl",
        fingerprint_sha256: "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
        candidates: &candidates,
        tcp: false,
        session_id: 7,
    })
}

fn publish(offer: &str) -> Result<(String, PublishTerms), OfferError> {
    with_local(|local| answer_publisher(offer, TrackKind::Camera, local))
}

fn view(
    offer: &str,
    slots: Option<&[TrackKind]>,
    flowing: &[(TrackKind, Codec)],
) -> Result<(String, ViewTerms), OfferError> {
    let mut last = 1_000;
    let mut ssrc = || {
        last += 1;
        last
    };
    with_local(|local| answer_viewer(offer, slots, flowing, &mut ssrc, local))
}

fn codecs(terms: &PublishTerms, track: usize) -> Vec<Codec> {
    terms.tracks[track].codecs.iter().map(|payload_type| payload_type.codec).collect()
}

/// The m-line's section of an answer, the session's being 0.
fn section(answer: &str, number: usize) -> &str {
    let mut starts: Vec<usize> =
        answer.match_indices("m=").filter(|(at, _)| answer[..*at].ends_with('\n')).map(|(at, _)| at).collect();
    starts.insert(0, 0);
    starts.push(answer.len());
    &answer[starts[number]..starts[number + 1]]
}

#[test]
fn answers_to_real_offers_are_as_they_were_accepted() {
    for (name, offer) in [
        ("chromium_send", CHROMIUM_SEND),
        ("chromium_simulcast", CHROMIUM_SIMULCAST),
        ("firefox_simulcast", FIREFOX_SIMULCAST),
        ("ffmpeg_send", FFMPEG_SEND),
        ("aiortc_send", AIORTC_SEND),
        ("gstreamer_send", GSTREAMER_SEND),
    ] {
        let (answer, _) = publish(offer).expect(name);
        insta::assert_snapshot!(name, answer.replace("\r\n", "\n"));
    }
    for (name, offer, slots) in [
        ("chromium_receive", CHROMIUM_RECEIVE, Some(&LESSON[..])),
        ("chromium_datachannel", CHROMIUM_DATACHANNEL, None),
        ("firefox_receive", FIREFOX_RECEIVE, Some(&LESSON[..])),
        ("aiortc_receive", AIORTC_RECEIVE, None),
    ] {
        let (answer, _) = view(offer, slots, &[]).expect(name);
        insta::assert_snapshot!(name, answer.replace("\r\n", "\n"));
    }
}

#[test]
fn a_publisher_is_asked_for_what_can_be_recorded_first() {
    let (_, terms) = publish(CHROMIUM_SEND).expect("an answer");
    assert_eq!(codecs(&terms, 0), [Codec::Opus]);
    assert_eq!(codecs(&terms, 1), [Codec::H264, Codec::H264, Codec::H264, Codec::Vp9, Codec::Av1, Codec::Vp8]);
    let best = &terms.tracks[1].codecs[0];
    assert!(best.fmtp.contains("packetization-mode=1") && best.fmtp.contains("42e01f"), "{}", best.fmtp);
    assert!(terms.tracks[1].codecs.iter().all(|payload_type| payload_type.rtx_pt.is_some()));
    assert_eq!(terms.tracks.iter().map(|track| track.kind).collect::<Vec<_>>(), [TrackKind::Voice, TrackKind::Camera]);
    assert_eq!(
        (terms.twcc_ext, terms.mid_ext, terms.audio_level_ext, terms.rid_ext),
        (Some(3), Some(4), Some(1), None)
    );
    let camera = &terms.tracks[1];
    assert_eq!((camera.ssrcs.len(), camera.rtx_ssrcs.len()), (1, 1));
    assert_eq!(camera.ssrcs[0], camera.rtx_ssrcs[0].0);
    assert!(camera.nack && camera.pli && camera.fir);
    let best_pt = best.pt;
    assert_eq!(camera.payload_type(best_pt + 1).map(|(found, rtx)| (found.pt, rtx)), Some((best_pt, true)));

    let (_, terms) = publish(FIREFOX_SEND).expect("an answer");
    assert_eq!(codecs(&terms, 1), [Codec::Vp9, Codec::Av1, Codec::Vp8]);
}

#[test]
fn layers_are_taken_in_the_publishers_order() {
    for offer in [CHROMIUM_SIMULCAST, FIREFOX_SIMULCAST] {
        let (answer, terms) = publish(offer).expect("an answer");
        assert_eq!(terms.tracks[1].rids, ["q", "h", "f"]);
        assert!(answer.contains("a=rid:h recv\r\n") && answer.contains("a=simulcast:recv q;h;f\r\n"));
        assert!(terms.rid_ext.is_some() && terms.rrid_ext.is_some());
    }
}

#[test]
fn layers_without_their_header_extension_are_not_asked_for() {
    let offer = CHROMIUM_SIMULCAST.replace("sdes:rtp-stream-id", "sdes:unknown");
    let (answer, terms) = publish(&offer).expect("an answer");
    assert!(terms.tracks[1].rids.is_empty() && !answer.contains("simulcast"));
}

#[test]
fn a_class_on_stage_is_not_taken_for_the_teacher() {
    let (_, terms) = with_local(|local| answer_publisher(CHROMIUM_SEND, TrackKind::Stage, local)).expect("an answer");
    assert_eq!(
        terms.tracks.iter().map(|track| track.kind).collect::<Vec<_>>(),
        [TrackKind::StageVoice, TrackKind::Stage]
    );
}

#[test]
fn ffmpeg_waits_for_our_client_hello() {
    let (answer, terms) = publish(FFMPEG_SEND).expect("an answer");
    assert_eq!(terms.transport.dtls_role, DtlsRole::Active);
    assert!(answer.contains("a=setup:active\r\n") && !answer.contains("a=setup:passive"));
    assert_eq!(terms.tracks[1].ssrcs.len(), 1, "the rtx SSRC of the FID group is no track");
    let (_, terms) = publish(CHROMIUM_SEND).expect("an answer");
    assert_eq!(terms.transport.dtls_role, DtlsRole::Passive);
}

#[test]
fn a_bundle_is_tagged_by_its_first_accepted_line() {
    let (answer, terms) = publish(GSTREAMER_SEND).expect("an answer");
    assert!(section(&answer, 0).contains("a=group:BUNDLE video0 audio1\r\n"));
    assert_eq!(terms.transport.tagged_mid, "video0");
    assert!(section(&answer, 1).contains("a=candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host\r\n"));
    assert!(section(&answer, 1).contains("a=end-of-candidates\r\n") && !section(&answer, 2).contains("candidate"));

    let (answer, terms) = view(CHROMIUM_RECEIVE, Some(&LESSON[..1]), &[]).expect("an answer");
    assert_eq!(terms.transport.tagged_mid, "0");
    assert!(section(&answer, 0).contains("a=group:BUNDLE 0\r\n"));
    assert!(section(&answer, 2).starts_with("m=video 0 "), "an m-line without a slot is rejected");
}

#[test]
fn the_session_speaks_for_lines_that_are_silent() {
    let offer =
        AIORTC_SEND.replace("a=setup:actpass\r\n", "").replace("s=-\r\n", "s=-\r\nt=0 0\r\na=setup:passive\r\n");
    let offer = offer.replace("t=0 0\r\na=setup:passive\r\nt=0 0\r\n", "t=0 0\r\na=setup:passive\r\n");
    let (_, terms) = publish(&offer).expect("an answer");
    assert_eq!(terms.transport.dtls_role, DtlsRole::Active);
    assert_eq!(
        terms.transport.fingerprint.iter().map(|(name, bytes)| (name.as_str(), bytes.len())).collect::<Vec<_>>(),
        [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)]
    );
    // Firefox gives its fingerprint for the session only.
    let (_, terms) = publish(FIREFOX_SEND).expect("an answer");
    assert_eq!(terms.transport.fingerprint[0].1[..3], [0xa6, 0xff, 0x68]);
}

/// A repeat of voice under its own number would be a second packet under one nonce.
#[test]
fn voice_is_repeated_to_viewers_by_rtx_or_not_at_all() {
    let asks =
        CHROMIUM_RECEIVE.replace("a=rtcp-fb:111 transport-cc", "a=rtcp-fb:111 transport-cc\r\na=rtcp-fb:111 nack");
    assert_ne!(asks, CHROMIUM_RECEIVE);
    let (answer, terms) = view(&asks, Some(&LESSON), &[]).expect("an answer");
    assert!(!answer.contains("a=rtcp-fb:111 nack") && !terms.slots[0].nack && terms.slots[1].nack);

    let publishes =
        CHROMIUM_SEND.replace("a=rtcp-fb:111 transport-cc", "a=rtcp-fb:111 transport-cc\r\na=rtcp-fb:111 nack");
    let (answer, terms) = publish(&publishes).expect("an answer");
    assert!(answer.contains("a=rtcp-fb:111 nack") && terms.tracks[0].nack);
}

#[test]
fn a_viewer_may_be_sent_every_codec_and_what_flows_comes_first() {
    let (_, terms) = view(CHROMIUM_RECEIVE, Some(&LESSON), &[(TrackKind::Board, Codec::Av1)]).expect("an answer");
    let order = |slot: usize| {
        let mut order: Vec<Codec> = terms.slots[slot].codecs.iter().map(|payload_type| payload_type.codec).collect();
        order.dedup();
        order
    };
    assert_eq!(order(0), [Codec::Opus]);
    assert_eq!(order(1), [Codec::Av1, Codec::H264, Codec::Vp9, Codec::Vp8]);
    assert_eq!(order(2), [Codec::H264, Codec::Vp9, Codec::Av1, Codec::Vp8]);
    assert_eq!(terms.slots[0].red_pt, Some(63));
    assert_eq!(terms.slots.iter().map(|slot| slot.ssrc).collect::<Vec<_>>(), [1_001, 1_003, 1_005]);
    assert_eq!(terms.slots[1].payload_type(Codec::Vp8).map(|found| found.pt), Some(96));
}

#[test]
fn voice_and_camera_share_a_stream_and_the_board_has_its_own() {
    let (answer, _) = view(CHROMIUM_RECEIVE, Some(&LESSON), &[]).expect("an answer");
    assert!(section(&answer, 1).contains("a=msid:teacher voice\r\n"));
    assert!(section(&answer, 2).contains("a=msid:board board\r\n"));
    assert!(section(&answer, 3).contains("a=msid:teacher camera\r\n"));
    assert!(section(&answer, 3).contains("a=ssrc-group:FID 1005 1006\r\na=ssrc:1005 cname:tongke\r\n"));
    assert!(!section(&answer, 1).contains("FID"), "sound has no retransmission here");
    assert!(section(&answer, 1).starts_with("m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n"), "Opus first, RED behind");
}

#[test]
fn a_stuck_generator_still_gives_distinct_ssrcs() {
    let (_, terms) =
        with_local(|local| answer_viewer(CHROMIUM_RECEIVE, Some(&LESSON), &[], &mut || 0, local)).expect("an answer");
    let mut ssrcs: Vec<u32> = terms.slots.iter().flat_map(|slot| [slot.ssrc, slot.rtx_ssrc]).collect();
    ssrcs.sort_unstable();
    assert_eq!(ssrcs, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_plain_viewer_gets_voice_and_camera_and_nothing_else() {
    let (answer, terms) = view(CHROMIUM_RECEIVE, None, &[]).expect("an answer");
    assert_eq!(terms.slots.iter().map(|slot| slot.kind).collect::<Vec<_>>(), [TrackKind::Voice, TrackKind::Camera]);
    assert!(section(&answer, 3).starts_with("m=video 0 "));
    let (answer, _) = view(CHROMIUM_DATACHANNEL, None, &[]).expect("an answer");
    assert!(answer.contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
}

#[test]
fn a_viewer_that_cannot_decode_the_lesson_is_sent_its_codecs() {
    assert_eq!(
        view(FIREFOX_RECEIVE, Some(&LESSON), &[(TrackKind::Camera, Codec::H264)]).expect_err("no H.264 there"),
        OfferError::UnsupportedCodec { kind: TrackKind::Camera, wanted: vec![Codec::H264] }
    );
    // The codecs of tracks that no slot asked for do not matter.
    assert!(view(FIREFOX_RECEIVE, Some(&LESSON), &[(TrackKind::Stage, Codec::H264)]).is_ok());
    let offer = FFMPEG_SEND.replace("H264/90000", "H265/90000");
    assert!(matches!(
        publish(&offer).expect_err("HEVC is not forwarded"),
        OfferError::UnsupportedCodec { kind: TrackKind::Camera, .. }
    ));
}

#[test]
fn single_nal_units_are_a_last_resort() {
    let single = FFMPEG_SEND.replace("packetization-mode=1", "packetization-mode=0");
    let (answer, terms) = publish(&single).expect("an answer");
    assert_eq!(codecs(&terms, 1), [Codec::H264]);
    assert!(answer.contains("packetization-mode=0") && terms.tracks[1].codecs[0].fmtp.contains("packetization-mode=0"));
}

#[test]
fn slots_that_do_not_fit_the_offer_are_a_mismatch() {
    let mismatch =
        |offer: &str, slots: &[TrackKind]| matches!(view(offer, Some(slots), &[]), Err(OfferError::MediaMismatch(_)));
    assert!(mismatch(CHROMIUM_RECEIVE, &[TrackKind::Board]), "the first m-line is sound");
    assert!(mismatch(CHROMIUM_RECEIVE, &[]), "no slot at all");
    assert!(mismatch(CHROMIUM_RECEIVE, &[TrackKind::Voice; 7]), "too many");
    assert!(mismatch(AIORTC_RECEIVE, &LESSON), "one m-line too few");
    assert!(mismatch(CHROMIUM_SEND, &LESSON[..2]), "it sends");
    assert!(matches!(publish(CHROMIUM_RECEIVE), Err(OfferError::MediaMismatch(_))));
    let apart = CHROMIUM_SEND.replace("a=group:BUNDLE 0 1\r\n", "");
    assert!(matches!(publish(&apart), Err(OfferError::MediaMismatch(_))), "two transports");
}

#[test]
fn what_breaks_a_rule_is_refused() {
    let long = "x".repeat(257);
    for (what, offer) in [
        ("nothing", String::new()),
        ("too long", format!("{CHROMIUM_SEND}{}", "a=x\r\n".repeat(13_000))),
        ("too many lines", format!("{CHROMIUM_SEND}{}", "a=\n".repeat(4_096))),
        ("too many m-lines", format!("{CHROMIUM_SEND}{}", "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n".repeat(31))),
        ("a mid twice", CHROMIUM_SEND.replace("a=mid:1", "a=mid:0")),
        ("a mid of two words", CHROMIUM_SEND.replace("a=mid:1", "a=mid:1 2")),
        ("no certificate", CHROMIUM_SEND.replace("a=fingerprint:sha-256", "a=fingerprint:sha-1")),
        ("half a certificate", CHROMIUM_SEND.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 AA:")),
        ("no user", CHROMIUM_SEND.replace("a=ice-ufrag", "a=x-ufrag")),
        ("a short user", FFMPEG_SEND.replace("a=ice-ufrag:32a2cedb", "a=ice-ufrag:32a")),
        ("a long user", FFMPEG_SEND.replace("a=ice-ufrag:32a2cedb", &format!("a=ice-ufrag:{long}"))),
        ("a short password", FFMPEG_SEND.replace("8e55b5d44c5a16dc9480584adcb0307b", "8e55b5d44c5a16dc94805")),
        ("payload type 128", FFMPEG_SEND.replace("106", "128")),
        ("two codecs in one payload type", FFMPEG_SEND.replace("111", "106")),
        ("holdconn", FFMPEG_SEND.replace("a=setup:passive", "a=setup:holdconn")),
        ("two lite sides", FFMPEG_SEND.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n")),
        ("a stray carriage return", FFMPEG_SEND.replace("a=mid:0", "a=mid:0\rm=audio 9")),
        ("65 payload types", {
            let many: String = (0..65).map(|pt| format!(" {pt}")).collect();
            FFMPEG_SEND.replace("SAVPF 111", &format!("SAVPF{many}"))
        }),
        ("33 extensions", FFMPEG_SEND.replace("a=mid:0\r\n", &"a=extmap:1 urn:x\r\n".repeat(33))),
    ] {
        assert!(matches!(publish(&offer), Err(OfferError::BadSdp(_))), "{what}: {:?}", publish(&offer).map(|_| ()));
    }
}

#[test]
fn header_extensions_beyond_the_one_byte_form_are_not_answered() {
    let offer = CHROMIUM_SEND.replace("a=extmap:3 ", "a=extmap:15 ").replace("a=extmap:4 ", "a=extmap:21 ");
    let (answer, terms) = publish(&offer).expect("an answer");
    assert_eq!((terms.twcc_ext, terms.mid_ext, terms.audio_level_ext), (None, None, Some(1)));
    assert!(!answer.contains("transport-cc"), "feedback without its extension means nothing");
}

#[test]
fn an_extension_id_means_one_thing_in_a_bundle() {
    // The picture calls 1 what the sound calls the audio level.
    let offer = CHROMIUM_SIMULCAST.replace("a=extmap:10 urn", "a=extmap:1 urn");
    let (_, terms) = publish(&offer).expect("an answer");
    assert_eq!((terms.audio_level_ext, terms.rid_ext), (Some(1), None));
    assert!(terms.tracks[1].rids.is_empty());
}

#[test]
fn lines_may_end_in_lf_alone() {
    let (answer, _) = publish(&CHROMIUM_SEND.replace("\r\n", "\n")).expect("an answer");
    assert_eq!(answer, publish(CHROMIUM_SEND).expect("an answer").0);
}

#[test]
fn an_answer_can_be_read_back() {
    for offer in OFFERS {
        let answer = publish(offer).map(|found| found.0).or_else(|_| view(offer, None, &[]).map(|found| found.0));
        let answer = answer.expect("an answer");
        assert!(answer.lines().all(|line| line.as_bytes()[1] == b'='));
        assert_eq!(answer.matches('\n').count(), answer.matches("\r\n").count());
        let lines = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
        assert_eq!(lines(&answer), lines(offer), "an answer has the m-lines of its offer");
    }
}

#[test]
fn a_fragment_restarts_only_with_credentials() {
    let candidates = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.7 9 typ host\r\n";
    let restart = format!("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n{candidates}");
    assert_eq!(fragment_credentials(candidates), Ok(None));
    let found = fragment_credentials(&restart).expect("a fragment").expect("credentials");
    assert_eq!((found.ufrag.as_str(), found.pwd.as_str()), ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"));
    for bad in [
        "a=ice-ufrag:EsAw\r\n".to_owned(),
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n".to_owned(),
        format!("{restart}a=ice-ufrag:Other\r\n"),
        "a=ice-ufrag:E\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n".to_owned(),
        "{\"candidate\": 1}".to_owned(),
        "x".repeat(70_000),
    ] {
        assert!(fragment_credentials(&bad).is_err(), "{bad:.40}");
    }
    let ours = with_local(|local| restart_fragment(local, "0"));
    assert_eq!(fragment_credentials(&ours).expect("a fragment").expect("credentials").ufrag, "tongke01");
    assert!(ours.contains("a=candidate:2 1 udp 2130706175 2001:db8::1 3478 typ host\r\na=end-of-candidates\r\n"));
}

#[test]
fn tcp_is_named_behind_udp_and_below_it() {
    let ours = with_local(|local| restart_fragment(&Local { tcp: true, ..*local }, "0"));
    let candidates: Vec<&str> = ours.lines().filter(|line| line.starts_with("a=candidate")).collect();
    assert_eq!(
        candidates,
        [
            "a=candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host",
            "a=candidate:2 1 udp 2130706175 2001:db8::1 3478 typ host",
            "a=candidate:17 1 tcp 1520435199 192.0.2.1 3478 typ host tcptype passive",
            "a=candidate:18 1 tcp 1520434943 2001:db8::1 3478 typ host tcptype passive",
        ]
    );
}

fn survive(text: &str) {
    for answer in [
        publish(text).map(|found| found.0),
        view(text, None, &[(TrackKind::Camera, Codec::H264)]).map(|found| found.0),
        view(text, Some(&LESSON), &[]).map(|found| found.0),
    ]
    .into_iter()
    .flatten()
    {
        assert!(answer.len() < 256 * 1024 && answer.lines().all(|line| line.as_bytes().get(1) == Some(&b'=')));
    }
    let _ = fragment_credentials(text);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn no_bytes_in_an_offer_panic(
        offer in proptest::sample::select(&OFFERS[..]),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24),
    ) {
        let mut bytes = offer.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        survive(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_order_of_lines_panics(
        offer in proptest::sample::select(&OFFERS[..]),
        other in proptest::sample::select(&OFFERS[..]),
        moves in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..4), 1..16),
    ) {
        let mut lines: Vec<&str> = offer.lines().collect();
        let others: Vec<&str> = other.lines().collect();
        for (from, to, what) in moves {
            let to = to.index(lines.len().max(1));
            match what {
                0 => lines.insert(to, others[from.index(others.len())]),
                1 if lines.len() > 1 => { lines.remove(to); }
                2 if !lines.is_empty() => { let from = from.index(lines.len()); lines.swap(from, to); },
                _ => if let Some(line) = lines.get_mut(to) { *line = line.get(..from.index(line.len() + 1)).unwrap_or("") },
            }
        }
        survive(&lines.join("\r\n"));
    }

    #[test]
    fn no_text_panics(text in "(?s).{0,400}", head in any::<bool>()) {
        survive(&if head { format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{text}") } else { text });
    }
}
