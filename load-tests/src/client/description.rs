//! Offers written as text, answers read by `rtc-sdp`: as much SDP as WHIP and WHEP need.

use std::{fmt::Write as _, io::Cursor, net::SocketAddr};

use anyhow::{Context as _, Result, bail, ensure};
use rtc_sdp::{MediaDescription, SessionDescription};
use sfu::TrackKind;

/// What one side says of itself in a description: ICE credentials (RFC 8445 §5.3) and its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// ICE user fragment, at least 4 characters.
    pub ufrag: String,
    /// ICE password, at least 22 characters.
    pub password: String,
    /// SHA-256 of the certificate as `AB:CD:…` (RFC 8122).
    pub fingerprint: String,
}

/// The sources that a teacher publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    /// Opus. `None`: no voice in this session.
    pub voice: Option<u32>,
    /// H.264, with the source of its retransmissions. `None`: no picture.
    pub picture: Option<(u32, u32)>,
}

/// A WHIP offer (RFC 9725): what a browser would send, less what a load tool never uses.
#[must_use]
pub fn publish_offer(own: &Credentials, sources: Sources) -> String {
    let mut sdp = session(usize::from(sources.voice.is_some()) + usize::from(sources.picture.is_some()));
    let mut mid = 0;
    if let Some(ssrc) = sources.voice {
        media(&mut sdp, own, mid, true, "sendonly");
        let _ = write!(sdp, "a=msid:lesson voice\r\na=ssrc:{ssrc} cname:{CNAME}\r\n");
        mid += 1;
    }
    if let Some((ssrc, rtx)) = sources.picture {
        media(&mut sdp, own, mid, false, "sendonly");
        let _ = write!(sdp, "a=msid:lesson picture\r\na=ssrc-group:FID {ssrc} {rtx}\r\n");
        let _ = write!(sdp, "a=ssrc:{ssrc} cname:{CNAME}\r\na=ssrc:{rtx} cname:{CNAME}\r\n");
    }
    sdp
}

/// As [`publish_offer`], with the picture in layers of those names, cheapest first (RFC 8853). Their sources are told
/// by header extensions, as browsers do.
#[must_use]
pub fn simulcast_offer(own: &Credentials, sources: Sources, rids: &[&str]) -> String {
    let picture = sources.picture.map(|(ssrc, rtx)| (format!(":{ssrc} "), format!(":{rtx} ")));
    let is_of_picture = |line: &&str| {
        let named = picture.as_ref().is_some_and(|(ssrc, rtx)| line.contains(ssrc) || line.contains(rtx));
        (line.starts_with("a=ssrc:") && named) || line.starts_with("a=ssrc-group:")
    };
    let offer = publish_offer(own, sources);
    let mut sdp: String = offer.lines().filter(|line| !is_of_picture(line)).flat_map(|line| [line, "\r\n"]).collect();
    let _ = write!(sdp, "a=extmap:{RID_ID} {RID_URI}\r\na=extmap:{REPAIRED_RID_ID} {REPAIRED_RID_URI}\r\n");
    for rid in rids {
        let _ = write!(sdp, "a=rid:{rid} send\r\n");
    }
    let _ = write!(sdp, "a=simulcast:send {}\r\n", rids.join(";"));
    sdp
}

/// A WHEP offer: one receive-only m-line per slot, in order.
#[must_use]
pub fn play_offer(own: &Credentials, slots: &[TrackKind]) -> String {
    let mut sdp = session(slots.len());
    for (mid, slot) in slots.iter().enumerate() {
        media(&mut sdp, own, mid, slot.is_sound(), "recvonly");
    }
    sdp
}

/// What the hub answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its credentials.
    pub remote: Credentials,
    /// UDP host candidates, in the answer's order. Never empty.
    pub candidates: Vec<SocketAddr>,
    /// One per m-line.
    pub media: Vec<AnsweredMedia>,
}

/// One m-line of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnsweredMedia {
    /// `a=mid`.
    pub mid: String,
    /// Audio, not video.
    pub sound: bool,
    /// Port 0: nothing will flow here.
    pub rejected: bool,
    /// The source that will flow, where the answer names it.
    pub ssrc: Option<u32>,
    /// The source of its retransmissions (`ssrc-group:FID`), where named.
    pub rtx_ssrc: Option<u32>,
    /// NACK was agreed (RFC 4585).
    pub nack: bool,
    /// RTX was agreed (RFC 4588).
    pub rtx: bool,
    /// Header extension id of the transport-wide sequence number, where agreed.
    pub twcc_id: Option<u8>,
    /// Header extension id of the mid, where agreed.
    pub mid_id: Option<u8>,
    /// Header extension ids of a layer's name and of the layer that a retransmission repairs, where agreed.
    pub rid_ids: Option<(u8, u8)>,
}

impl Answer {
    /// # Errors
    /// The text is no SDP, or lacks what a connection needs; the sentence says what.
    pub fn parse(text: &str) -> Result<Self> {
        let sdp = SessionDescription::unmarshal(&mut Cursor::new(text)).context("the answer is no SDP")?;
        let media: Vec<_> = sdp.media_descriptions.iter().collect();
        let first = media.iter().find(|media| media.media_name.port.value != 0).context("every m-line was rejected")?;
        let anywhere = |key: &str| first.attribute(key).flatten().or(sdp.attribute(key).map(String::as_str));
        let setup = anywhere("setup").unwrap_or("passive");
        ensure!(setup == "passive", "the answer says setup:{setup}, this client only opens DTLS");
        let Some(("sha-256", print)) = anywhere("fingerprint").and_then(|value| value.split_once(' ')) else {
            bail!("the answer has no sha-256 fingerprint")
        };
        let remote = Credentials {
            ufrag: anywhere("ice-ufrag").context("the answer has no ice-ufrag")?.to_owned(),
            password: anywhere("ice-pwd").context("the answer has no ice-pwd")?.to_owned(),
            fingerprint: print.trim().to_ascii_uppercase(),
        };
        let mut candidates = Vec::new();
        for attribute in media.iter().flat_map(|media| &media.attributes).filter(|a| a.key == "candidate") {
            if let Some(address) = attribute.value.as_deref().and_then(udp_candidate)
                && !candidates.contains(&address)
                && candidates.len() < CANDIDATES_MAX
            {
                candidates.push(address);
            }
        }
        ensure!(!candidates.is_empty(), "the answer has no UDP candidate");
        Ok(Self { remote, candidates, media: media.into_iter().map(AnsweredMedia::read).collect() })
    }
}

impl AnsweredMedia {
    fn read(media: &MediaDescription) -> Self {
        let mut read = Self {
            mid: media.attribute("mid").flatten().unwrap_or_default().to_owned(),
            sound: media.media_name.media == "audio",
            rejected: media.media_name.port.value == 0,
            ..Self::default()
        };
        let (mut rid, mut repaired_rid) = (None, None);
        for attribute in &media.attributes {
            let Some(value) = attribute.value.as_deref() else { continue };
            let mut words = value.split_whitespace();
            match attribute.key.as_str() {
                "ssrc-group" if words.next() == Some("FID") => {
                    read.ssrc = words.next().and_then(|word| word.parse().ok());
                    read.rtx_ssrc = words.next().and_then(|word| word.parse().ok());
                }
                "ssrc" if read.ssrc.is_none() => read.ssrc = words.next().and_then(|word| word.parse().ok()),
                "rtcp-fb" if words.nth(1) == Some("nack") && words.next().is_none() => read.nack = true,
                "rtpmap" if value.to_ascii_lowercase().contains(" rtx/") => read.rtx = true,
                "extmap" => {
                    let id = words.next().and_then(|word| word.split('/').next()).and_then(|word| word.parse().ok());
                    match words.next() {
                        Some(TWCC_URI) => read.twcc_id = id,
                        Some(MID_URI) => read.mid_id = id,
                        Some(RID_URI) => rid = id,
                        Some(REPAIRED_RID_URI) => repaired_rid = id,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        read.rid_ids = rid.zip(repaired_rid);
        read
    }
}

/// `foundation component transport priority address port typ …` (RFC 8839 §5.1); mDNS names are passed over.
fn udp_candidate(value: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = value.split_whitespace().collect();
    let [_, component, transport, _, address, port, ..] = words[..] else { return None };
    if component != "1" || !transport.eq_ignore_ascii_case("udp") {
        return None;
    }
    Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
}

fn session(lines: usize) -> String {
    let mids: Vec<String> = (0..lines).map(|mid| mid.to_string()).collect();
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n",
        mids.join(" ")
    )
}

fn media(sdp: &mut String, own: &Credentials, mid: usize, sound: bool, direction: &str) {
    let kind = if sound {
        format!("audio 9 UDP/TLS/RTP/SAVPF {OPUS} {RED}")
    } else {
        format!("video 9 UDP/TLS/RTP/SAVPF {H264} {RTX}")
    };
    let Credentials { ufrag, password, fingerprint } = own;
    let _ = write!(
        sdp,
        "m={kind}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n\
         a=ice-options:trickle\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\na=mid:{mid}\r\n\
         a=extmap:{MID_ID} {MID_URI}\r\na=extmap:{TWCC_ID} {TWCC_URI}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"
    );
    let _ = if sound {
        write!(
            sdp,
            "a=rtpmap:{OPUS} opus/48000/2\r\na=rtcp-fb:{OPUS} transport-cc\r\na=fmtp:{OPUS} minptime=10;useinbandfec=1\r\n\
             a=rtpmap:{RED} red/48000/2\r\na=fmtp:{RED} {OPUS}/{OPUS}\r\n"
        )
    } else {
        write!(
            sdp,
            "a=rtpmap:{H264} H264/90000\r\na=rtcp-fb:{H264} transport-cc\r\na=rtcp-fb:{H264} ccm fir\r\n\
             a=rtcp-fb:{H264} nack\r\na=rtcp-fb:{H264} nack pli\r\n\
             a=fmtp:{H264} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
             a=rtpmap:{RTX} rtx/90000\r\na=fmtp:{RTX} apt={H264}\r\n"
        )
    };
}

/// Payload type of Opus in our offers; an answer keeps the offerer's numbers.
pub const OPUS: u8 = 111;
/// Payload type of redundant Opus (RFC 2198) in our offers.
pub const RED: u8 = 63;
/// Payload type of H.264 in our offers.
pub const H264: u8 = 102;
/// Payload type of H.264's retransmissions in our offers.
pub const RTX: u8 = 103;

const MID_ID: u8 = 4;
const TWCC_ID: u8 = 3;
const RID_ID: u8 = 5;
const REPAIRED_RID_ID: u8 = 6;
const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const REPAIRED_RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const TWCC_URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const CNAME: &str = "tongke-load";
/// A hub has a handful of addresses; more would only cost checks.
const CANDIDATES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Credentials {
        Credentials { ufrag: "abcd".into(), password: "a".repeat(24), fingerprint: "AA:BB".into() }
    }

    #[test]
    fn an_offer_is_sdp_with_one_line_per_slot() {
        let offer = play_offer(&own(), &[TrackKind::Voice, TrackKind::Board, TrackKind::Camera]);
        let sdp = SessionDescription::unmarshal(&mut Cursor::new(&offer)).unwrap();
        let kinds: Vec<_> = sdp.media_descriptions.iter().map(|media| media.media_name.media.as_str()).collect();
        assert_eq!(kinds, ["audio", "video", "video"]);
        assert!(offer.contains("a=group:BUNDLE 0 1 2\r\n"));
    }

    #[test]
    fn an_answer_tells_where_to_go_and_what_will_flow() {
        let offer = publish_offer(&own(), Sources { voice: Some(5), picture: Some((6, 7)) });
        let answer = offer
            .replace("setup:actpass", "setup:passive")
            .replace("a=sendonly", "a=candidate:1 1 UDP 2130706431 10.0.0.7 8443 typ host\r\na=candidate:2 1 tcp 1 10.0.0.7 8443 typ host tcptype passive\r\na=recvonly");
        let answer = Answer::parse(&answer).unwrap();
        assert_eq!(answer.candidates, ["10.0.0.7:8443".parse::<SocketAddr>().unwrap()]);
        assert_eq!(answer.remote, own());
        assert_eq!(answer.media.len(), 2);
        assert!(answer.media[0].sound && answer.media[0].ssrc == Some(5) && !answer.media[0].nack);
        let picture = &answer.media[1];
        assert_eq!((picture.ssrc, picture.rtx_ssrc, picture.nack, picture.rtx), (Some(6), Some(7), true, true));
        assert_eq!((picture.twcc_id, picture.mid_id), (Some(TWCC_ID), Some(MID_ID)));
    }

    #[test]
    fn an_answer_that_cannot_be_used_says_why() {
        let offer = play_offer(&own(), &[TrackKind::Voice]);
        assert!(Answer::parse(&offer).unwrap_err().to_string().contains("actpass"));
        let passive = offer.replace("actpass", "passive");
        assert!(Answer::parse(&passive).unwrap_err().to_string().contains("candidate"));
        assert!(Answer::parse("hello").is_err());
    }
}
