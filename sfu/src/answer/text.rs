//! Writes answers. Every line ends in CRLF; values from the offer were checked when it was read.

use std::fmt::Write as _;

use super::{
    DtlsRole, Local, RemoteTransport,
    attributes::{Direction, Extension, Payload},
    codecs::{CodecChoice, stream_parameters},
    offer::{MediaLine, Offer},
};

/// One m-line of an answer.
pub(super) struct Accepted<'a> {
    /// Where it stands in the offer.
    pub index: usize,
    /// Ours.
    pub direction: Direction,
    /// Best first.
    pub choices: &'a [CodecChoice],
    /// Redundant sound, behind the sound itself.
    pub redundancy: Option<&'a Payload>,
    /// Header extensions as the offerer numbered them.
    pub extensions: &'a [Extension],
    /// What our format parameters say, behind those that describe the stream.
    pub parameters: &'a str,
    /// Layers that we take.
    pub rids: &'a [String],
    /// What we send: stream, track, SSRC, and the SSRC of its retransmissions where there are any.
    pub source: Option<StreamNames>,
}

/// The stream names of a viewer's slot: `a=msid` and `a=ssrc`.
pub(super) struct StreamNames {
    pub stream: &'static str,
    pub track: String,
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
}

/// The answer to `offer`: what is not accepted is rejected.
pub(super) fn answer(
    offer: &Offer,
    accepted: &[Accepted<'_>],
    mids: &[&str],
    tagged: usize,
    transport: &RemoteTransport,
    local: &Local<'_>,
) -> String {
    let mut text = String::with_capacity(4_096);
    line(&mut text, "v=0");
    line(&mut text, &format!("o=- {} 1 IN IP4 127.0.0.1", local.session_id & (u64::MAX >> 1)));
    line(&mut text, "s=-");
    line(&mut text, "t=0 0");
    line(&mut text, "a=ice-lite");
    if !mids.is_empty() {
        line(&mut text, &format!("a=group:BUNDLE {}", mids.join(" ")));
    }
    if offer.mixed {
        line(&mut text, MIXED);
    }
    if accepted.iter().any(|media| media.source.is_some()) {
        line(&mut text, "a=msid-semantic: WMS *");
    }
    for (index, media) in offer.lines.iter().enumerate() {
        match accepted.iter().find(|accepted| accepted.index == index) {
            Some(accepted) => accepted.write(&mut text, media, index == tagged, transport, local),
            None => reject(&mut text, media),
        }
    }
    text
}

/// Credentials, as they stand in answers and fragments.
pub(super) fn credentials(text: &mut String, local: &Local<'_>) {
    line(text, &format!("a=ice-ufrag:{}", local.ice_ufrag));
    line(text, &format!("a=ice-pwd:{}", local.ice_pwd));
}

/// All our candidates and the end of them (RFC 8839 §5.1, RFC 8840 §8.2).
pub(super) fn candidates(text: &mut String, local: &Local<'_>) {
    let candidates = (0_u16..).zip(local.candidates.iter().take(CANDIDATES_MAX));
    for (index, address) in candidates.clone() {
        // RFC 8445 §5.1.2.1: host candidates 126, the first address most, RTP component.
        let priority = (126 << 24) | (u32::from(u16::MAX - index) << 8) | 255;
        let foundation = index + 1;
        let (ip, port) = (address.ip(), address.port());
        line(text, &format!("a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host"));
    }
    for (index, address) in candidates.filter(|_| local.tcp) {
        // RFC 6544 §4.2: below every UDP candidate, since a lost packet holds up all that follow; passive is 4.
        let priority = (TCP_TYPE_PREFERENCE << 24) | (u32::from((4 << 13) | (8_191 - index)) << 8) | 255;
        let foundation = CANDIDATES_MAX + usize::from(index) + 1;
        let (ip, port) = (address.ip(), address.port());
        line(text, &format!("a=candidate:{foundation} 1 tcp {priority} {ip} {port} typ host tcptype passive"));
    }
    line(text, "a=end-of-candidates");
}

/// One line.
pub(super) fn line(text: &mut String, content: &str) {
    text.push_str(content);
    text.push_str("\r\n");
}

impl Accepted<'_> {
    fn write(
        &self,
        text: &mut String,
        media: &MediaLine,
        tagged: bool,
        transport: &RemoteTransport,
        local: &Local<'_>,
    ) {
        let _ = write!(text, "m={} 9 {}", media.media, media.proto);
        for choice in self.choices {
            let _ = write!(text, " {}", choice.payload_type.pt);
            if let Some(rtx) = choice.payload_type.rtx_pt {
                let _ = write!(text, " {rtx}");
            }
        }
        if let Some(redundancy) = self.redundancy {
            let _ = write!(text, " {}", redundancy.pt);
        }
        text.push_str("\r\n");
        line(text, "c=IN IP4 0.0.0.0");
        credentials(text, local);
        line(text, &format!("a=fingerprint:sha-256 {}", local.fingerprint_sha256));
        line(
            text,
            match transport.dtls_role {
                DtlsRole::Passive => "a=setup:passive",
                DtlsRole::Active => "a=setup:active",
            },
        );
        if tagged {
            candidates(text, local);
        }
        if !media.mid.is_empty() {
            line(text, &format!("a=mid:{}", media.mid));
        }
        line(text, &format!("a={}", self.direction.as_str()));
        line(text, "a=rtcp-mux");
        if media.rtcp_rsize {
            line(text, "a=rtcp-rsize");
        }
        if media.mixed {
            line(text, MIXED);
        }
        for Extension { id, uri, direction } in self.extensions {
            let mirrored = match direction {
                Some(Direction::SendOnly) => "/recvonly",
                Some(Direction::RecvOnly) => "/sendonly",
                _ => "",
            };
            line(text, &format!("a=extmap:{id}{mirrored} {uri}"));
        }
        for choice in self.choices {
            self.write_choice(text, choice);
        }
        if let Some(Payload { pt, fmtp, clock_rate, .. }) = self.redundancy {
            line(text, &format!("a=rtpmap:{pt} red/{clock_rate}/2"));
            line(text, &format!("a=fmtp:{pt} {fmtp}"));
        }
        for rid in self.rids {
            line(text, &format!("a=rid:{rid} recv"));
        }
        if !self.rids.is_empty() {
            line(text, &format!("a=simulcast:recv {}", self.rids.join(";")));
        }
        if let Some(source) = &self.source {
            source.write(text);
        }
    }

    fn write_choice(&self, text: &mut String, choice: &CodecChoice) {
        let pt = choice.payload_type.pt;
        let (codec, clock_rate) = (choice.payload_type.codec, choice.payload_type.codec.clock_rate());
        let channels = if codec.is_sound() { "/2" } else { "" };
        line(text, &format!("a=rtpmap:{pt} {}/{clock_rate}{channels}", codec.encoding_name()));
        let transport_cc = choice.feedback.transport_cc && self.extensions.iter().any(|known| known.uri == TWCC);
        for (known, word) in [
            (choice.feedback.nack, "nack"),
            (choice.feedback.pli, "nack pli"),
            (choice.feedback.fir, "ccm fir"),
            (transport_cc, "transport-cc"),
        ] {
            if known {
                line(text, &format!("a=rtcp-fb:{pt} {word}"));
            }
        }
        let stream = stream_parameters(&choice.payload_type);
        let separator = if stream.is_empty() || self.parameters.is_empty() { "" } else { ";" };
        if !stream.is_empty() || !self.parameters.is_empty() {
            line(text, &format!("a=fmtp:{pt} {stream}{separator}{}", self.parameters));
        }
        if let Some(rtx) = choice.payload_type.rtx_pt {
            line(text, &format!("a=rtpmap:{rtx} rtx/{clock_rate}"));
            line(text, &format!("a=fmtp:{rtx} apt={pt}"));
        }
    }
}

impl StreamNames {
    fn write(&self, text: &mut String) {
        let Self { stream, track, ssrc, rtx_ssrc } = self;
        line(text, &format!("a=msid:{stream} {track}"));
        if let Some(rtx) = rtx_ssrc {
            line(text, &format!("a=ssrc-group:FID {ssrc} {rtx}"));
        }
        for ssrc in [Some(ssrc), rtx_ssrc.as_ref()].into_iter().flatten() {
            line(text, &format!("a=ssrc:{ssrc} cname:{CNAME}"));
        }
    }
}

fn reject(text: &mut String, media: &MediaLine) {
    let formats: Vec<&str> = media.formats.iter().map(String::as_str).collect();
    line(text, &format!("m={} 0 {} {}", media.media, media.proto, formats.join(" ")));
    line(text, "c=IN IP4 0.0.0.0");
    if !media.mid.is_empty() {
        line(text, &format!("a=mid:{}", media.mid));
    }
    line(text, "a=inactive");
}

/// The media id (RFC 8843 §15).
pub(super) const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// The simulcast layer's name (RFC 8852).
pub(super) const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
/// The layer that a retransmission repairs (RFC 8852).
pub(super) const RRID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
/// The transport-wide sequence number.
pub(super) const TWCC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// The sound's level (RFC 6464).
pub(super) const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// The time of sending.
pub(super) const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
/// Header extensions in either form (RFC 8285 §6).
const MIXED: &str = "a=extmap-allow-mixed";
/// The wished playout delay.
pub(super) const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
/// AV1's, which VP9 and H.264 use too.
pub(super) const DEPENDENCY_DESCRIPTOR: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// One clock for all we send: browsers lip-sync what also shares a stream.
const CNAME: &str = "tongke";
/// Browsers pair each with all of theirs; a server has a few addresses.
const CANDIDATES_MAX: usize = 16;
/// Below that of a peer-reflexive candidate (110), which a client behind a NAT has on UDP.
const TCP_TYPE_PREFERENCE: u32 = 90;
