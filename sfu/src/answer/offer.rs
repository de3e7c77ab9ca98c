//! The offer, taken apart and bounded. What it means is decided elsewhere.

use std::{io::Cursor, ops::RangeInclusive};

use rtc_sdp::description::{common::Attribute, media::MediaDescription, session::SessionDescription};

use super::{
    DtlsRole, RemoteIce, RemoteTransport,
    attributes::{
        Direction, Extension, LAYERS_MAX, MID_CHARS_MAX, PAYLOAD_TYPES_MAX, Payload, first_number, hex, layers, pairs,
        payloads, push_extension, sendable_rid, token,
    },
    error::{OfferError, bad},
};
use crate::limits::SDP_BYTES_MAX;

/// An offer whose every part has been bounded and checked for what an answer may repeat of it.
pub(super) struct Offer {
    /// Its m-lines.
    pub lines: Vec<MediaLine>,
    /// Each `a=group:BUNDLE`.
    bundles: Vec<Vec<String>>,
    /// What stands before the first m-line holds for each of them.
    session: TransportAttributes,
    /// The client is built on libwebrtc: Chromium, Safari and others.
    pub libwebrtc: bool,
    /// As [`MediaLine::mixed`], said of all.
    pub mixed: bool,
}

/// One m-line with its attributes.
pub(super) struct MediaLine {
    /// `audio`, `video`, `application`.
    pub media: String,
    /// `UDP/TLS/RTP/SAVPF` and its like.
    pub proto: String,
    /// As they stand in the m-line.
    pub formats: Vec<String>,
    /// The payload types of `formats` that have an `a=rtpmap`, in the same order.
    pub payloads: Vec<Payload>,
    /// Empty: none.
    pub mid: String,
    /// The offerer's.
    pub direction: Direction,
    /// Reduced-size RTCP (RFC 5506).
    pub rtcp_rsize: bool,
    /// Header extensions in either form (RFC 8285 §6), said of this line alone: values beyond 16 bytes need the long
    /// one.
    pub mixed: bool,
    /// Header extensions with an id that fits the one-byte form.
    pub extensions: Vec<Extension>,
    /// SSRCs that are no retransmission and no repair of another.
    pub ssrcs: Vec<u32>,
    /// `(primary, rtx)`.
    pub rtx_ssrcs: Vec<(u32, u32)>,
    /// Simulcast layers to be sent, in the offerer's order.
    pub rids: Vec<String>,
    /// Not port 0, RTP over DTLS, RTCP on the same port.
    usable: bool,
    identity: TransportAttributes,
}

/// What ICE and DTLS need, at whichever level it stands.
#[derive(Default)]
struct TransportAttributes {
    ufrag: Option<String>,
    pwd: Option<String>,
    fingerprint: Vec<(String, Vec<u8>)>,
    setup: Option<String>,
}

impl Offer {
    pub(super) fn read(text: &str) -> Result<Self, OfferError> {
        if text.len() > SDP_BYTES_MAX {
            return Err(bad(format!("it has {} bytes, at most {SDP_BYTES_MAX} are read", text.len())));
        }
        // Pieces of the offer are written into the answer: nothing in them may start a new line there. A carriage
        // return alone ends a line for some readers.
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            let stray = match byte {
                b'\r' => bytes.peek().is_some_and(|next| *next != b'\n'),
                b'\n' | b'\t' => false,
                other => other.is_ascii_control(),
            };
            if stray {
                return Err(bad("it has control characters"));
            }
        }
        if text.lines().count() > TEXT_LINES_MAX {
            return Err(bad(format!("it has more than {TEXT_LINES_MAX} lines")));
        }
        if text.lines().filter(|line| line.starts_with("m=")).count() > LINES_MAX {
            return Err(bad(format!("it has more than {LINES_MAX} m-lines")));
        }
        let description =
            SessionDescription::unmarshal(&mut Cursor::new(text)).map_err(|error| bad(error.to_string()))?;
        Self::from_description(&description)
    }

    fn from_description(description: &SessionDescription) -> Result<Self, OfferError> {
        let session = TransportAttributes::read(&description.attributes)?;
        let mut direction = Direction::SendRecv;
        let (mut bundles, mut extensions, mut mixed) = (Vec::new(), Vec::new(), false);
        for (key, value) in pairs(&description.attributes) {
            match key {
                "ice-lite" => return Err(bad("both sides are ICE-lite: neither would start")),
                "group" => {
                    let mut words = value.split_ascii_whitespace();
                    if words.next() == Some("BUNDLE") {
                        bundles.push(words.take(LINES_MAX).map(str::to_owned).collect());
                    }
                }
                "extmap" => push_extension(&mut extensions, value)?,
                "extmap-allow-mixed" => mixed = true,
                word => direction = Direction::from_word(word).unwrap_or(direction),
            }
        }
        let mut lines: Vec<MediaLine> = Vec::with_capacity(description.media_descriptions.len());
        for media in &description.media_descriptions {
            let line = MediaLine::read(media, direction, &extensions)?;
            if !line.mid.is_empty() && lines.iter().any(|earlier| earlier.mid == line.mid) {
                return Err(bad(format!("two m-lines have the mid {}", line.mid)));
            }
            lines.push(line);
        }
        let libwebrtc =
            lines.iter().flat_map(|line| &line.extensions).any(|extension| extension.uri == LIBWEBRTC_EXTENSION);
        Ok(Self { lines, bundles, session, libwebrtc, mixed })
    }

    /// The mids of the accepted lines as the answer's BUNDLE group lists them, the tagged one first; and the index of
    /// that line (RFC 8843 §7.3). No mids: a single line outside any group.
    pub(super) fn bundle(&self, accepted: &[usize]) -> Result<(Vec<&str>, usize), OfferError> {
        let Some(&first) = accepted.first() else {
            return Err(OfferError::MediaMismatch("no m-line can be used".to_owned()));
        };
        let mid = self.lines[first].mid.as_str();
        let group = self.bundles.iter().find(|group| !mid.is_empty() && group.iter().any(|word| word == mid));
        let Some(group) = group else {
            return match accepted.len() {
                1 => Ok((Vec::new(), first)),
                _ => Err(OfferError::MediaMismatch("sound and picture must share one transport (BUNDLE)".to_owned())),
            };
        };
        let mut mids = Vec::with_capacity(accepted.len());
        let mut tagged = None;
        for word in group {
            if let Some(&line) = accepted.iter().find(|line| self.lines[**line].mid == *word)
                && !mids.contains(&word.as_str())
            {
                tagged = tagged.or(Some(line));
                mids.push(word.as_str());
            }
        }
        if mids.len() < accepted.len() {
            return Err(OfferError::MediaMismatch("sound and picture must share one transport (BUNDLE)".to_owned()));
        }
        Ok((mids, tagged.unwrap_or(first)))
    }

    /// The other side of the transport, from the tagged m-line, or from the session where that line has no value.
    pub(super) fn transport(&self, tagged: usize) -> Result<RemoteTransport, OfferError> {
        let line = &self.lines[tagged];
        let either = |pick: fn(&TransportAttributes) -> &Option<String>| {
            pick(&line.identity).as_ref().or(pick(&self.session).as_ref()).cloned()
        };
        let (Some(ufrag), Some(pwd)) = (either(|at| &at.ufrag), either(|at| &at.pwd)) else {
            return Err(bad("it has no ICE credentials"));
        };
        let remote_ice = remote_ice(ufrag, pwd).map_err(bad)?;
        let fingerprint = [&line.identity, &self.session]
            .into_iter()
            .map(|at| &at.fingerprint)
            .find(|fingerprints| !fingerprints.is_empty())
            .ok_or_else(|| bad("it has no fingerprint of sha-256 or better"))?
            .clone();
        // Where it is missing the offerer is active (RFC 4145 §4).
        let dtls_role = match either(|at| &at.setup).as_deref() {
            None | Some("actpass" | "active") => DtlsRole::Passive,
            Some("passive") => DtlsRole::Active,
            Some(_) => return Err(bad("its setup is none of actpass, active, passive")),
        };
        Ok(RemoteTransport { remote_ice, fingerprint, dtls_role, tagged_mid: line.mid.clone() })
    }
}

impl MediaLine {
    fn read(media: &MediaDescription, direction: Direction, session: &[Extension]) -> Result<Self, OfferError> {
        let name = &media.media_name;
        let proto = name.protos.join("/");
        let mut line = Self {
            media: name.media.clone(),
            formats: name.formats.clone(),
            payloads: Vec::new(),
            mid: String::new(),
            direction,
            rtcp_rsize: false,
            mixed: false,
            extensions: Vec::new(),
            ssrcs: Vec::new(),
            rtx_ssrcs: Vec::new(),
            rids: Vec::new(),
            usable: false,
            identity: TransportAttributes::read(&media.attributes)?,
            proto,
        };
        if line.formats.len() > PAYLOAD_TYPES_MAX {
            return Err(bad(format!("an m-line has more than {PAYLOAD_TYPES_MAX} payload types")));
        }
        let rtp = line.is_rtp();
        let (mut rtcp_mux, mut bundle_only, mut simulcast) = (false, false, None);
        let (mut ssrcs, mut secondary, mut sendable) = (Vec::new(), Vec::new(), Vec::new());
        for (key, value) in pairs(&media.attributes) {
            match key {
                "mid" => line.mid = token(value, MID_CHARS_MAX).ok_or_else(|| bad("a mid is no token"))?,
                "rtcp-mux" => rtcp_mux = true,
                "rtcp-rsize" => line.rtcp_rsize = true,
                "extmap-allow-mixed" => line.mixed = true,
                "bundle-only" => bundle_only = true,
                "extmap" => push_extension(&mut line.extensions, value)?,
                "simulcast" => simulcast = simulcast.or(Some(value)),
                "rid" => sendable.extend(sendable_rid(value).filter(|_| sendable.len() < LAYERS_MAX)),
                "ssrc" if ssrcs.len() < SSRCS_MAX => {
                    let ssrc = first_number(value).ok_or_else(|| bad("an SSRC is no number"))?;
                    if !ssrcs.contains(&ssrc) {
                        ssrcs.push(ssrc);
                    }
                }
                "ssrc-group" if secondary.len() < SSRCS_MAX => {
                    let mut words = value.split_ascii_whitespace();
                    let semantics = words.next();
                    let pair = (words.next().and_then(first_number), words.next().and_then(first_number));
                    if let (Some("FID" | "FEC-FR" | "FEC"), (Some(primary), Some(other))) = (semantics, pair) {
                        secondary.push(other);
                        if semantics == Some("FID") {
                            line.rtx_ssrcs.push((primary, other));
                        }
                        if !ssrcs.contains(&primary) {
                            ssrcs.push(primary);
                        }
                    }
                }
                word => line.direction = Direction::from_word(word).unwrap_or(line.direction),
            }
        }
        ssrcs.retain(|ssrc| !secondary.contains(ssrc));
        line.ssrcs = ssrcs;
        line.rids = simulcast.map(|value| layers(value, &sendable)).unwrap_or_default();
        for extension in session {
            if line.extensions.iter().all(|own| own.id != extension.id && own.uri != extension.uri) {
                line.extensions.push(extension.clone());
            }
        }
        line.usable = rtp && rtcp_mux && (name.port.value != 0 || bundle_only);
        if rtp {
            line.payloads = payloads(&line.formats, &media.attributes)?;
        }
        Ok(line)
    }

    fn is_rtp(&self) -> bool {
        matches!(self.media.as_str(), "audio" | "video") && PROTOCOLS.contains(&self.proto.as_str())
    }

    /// It brings us sound or pictures.
    pub(super) fn sends(&self) -> bool {
        self.usable && matches!(self.direction, Direction::SendOnly | Direction::SendRecv)
    }

    /// It takes sound or pictures from us.
    pub(super) fn receives(&self) -> bool {
        self.usable && matches!(self.direction, Direction::RecvOnly | Direction::SendRecv)
    }

    pub(super) fn is_sound(&self) -> bool {
        self.media == "audio"
    }
}

impl TransportAttributes {
    fn read(attributes: &[Attribute]) -> Result<Self, OfferError> {
        let mut found = Self::default();
        for (key, value) in pairs(attributes) {
            match key {
                "ice-ufrag" => found.ufrag = Some(value.to_owned()),
                "ice-pwd" => found.pwd = Some(value.to_owned()),
                "setup" => found.setup = Some(value.to_owned()),
                "fingerprint" => {
                    let (algorithm, digits) =
                        value.split_once(' ').ok_or_else(|| bad("a fingerprint has no algorithm"))?;
                    let algorithm = algorithm.to_ascii_lowercase();
                    // RFC 8122 §5 forbids MD2 and MD5; SHA-1 no longer proves anything. They are passed over.
                    let Some((_, size_bytes)) = HASHES.iter().find(|(name, _)| *name == algorithm) else { continue };
                    let bytes = hex(digits.trim())
                        .filter(|bytes| bytes.len() == *size_bytes)
                        .ok_or_else(|| bad(format!("a fingerprint is no {algorithm}")))?;
                    if found.fingerprint.len() < FINGERPRINTS_MAX {
                        found.fingerprint.push((algorithm, bytes));
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Credentials whose lengths and characters are those of RFC 8839 §5.4 (its `ice-char`, widened to what can be
/// printed: some stacks use `-` and `=`). The error says what is wrong.
pub(super) fn remote_ice(ufrag: String, pwd: String) -> Result<RemoteIce, &'static str> {
    let fits = |text: &str, chars: RangeInclusive<usize>| {
        chars.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    // A colon would make the USERNAME of checks ambiguous (RFC 8445 §7.2.2).
    if !fits(&ufrag, UFRAG_CHARS) || ufrag.contains(':') {
        return Err("its ice-ufrag is not one of RFC 8839");
    }
    if !fits(&pwd, PWD_CHARS) {
        return Err("its ice-pwd is not one of RFC 8839");
    }
    Ok(RemoteIce { ufrag, pwd })
}

/// m-lines at most: a classroom offers six slots.
const LINES_MAX: usize = 32;
/// Chromium writes some 130 for each video: its tokens cost more than its bytes.
const TEXT_LINES_MAX: usize = 4_096;
/// Three layers with retransmission and repair are nine.
const SSRCS_MAX: usize = 16;
/// Each hash once, and room for a second certificate.
const FINGERPRINTS_MAX: usize = 6;
const UFRAG_CHARS: RangeInclusive<usize> = 4..=256;
const PWD_CHARS: RangeInclusive<usize> = 22..=256;
/// Names and sizes in bytes; the longest last.
const HASHES: [(&str, usize); 3] = [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)];
/// RTP over DTLS; old encoders leave out what carries it.
const PROTOCOLS: [&str; 4] = ["UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF"];
/// Only libwebrtc offers it.
const LIBWEBRTC_EXTENSION: &str = "http://www.webrtc.org/experiments/rtp-hdrext/video-timing";
