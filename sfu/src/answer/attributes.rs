//! The values of single attributes, each bounded.

use rtc_sdp::description::common::Attribute;

use super::error::{OfferError, bad};

/// One payload type.
pub(super) struct Payload {
    pub pt: u8,
    pub name: String,
    pub clock_rate: u32,
    /// 1 where the offer leaves it out.
    pub channels: u8,
    /// Empty: none.
    pub fmtp: String,
    pub feedback: Feedback,
}

/// The feedback (RFC 4585) that we know.
#[derive(Clone, Copy, Default)]
pub(super) struct Feedback {
    pub nack: bool,
    pub pli: bool,
    pub fir: bool,
    pub transport_cc: bool,
}

/// One `a=extmap`.
#[derive(Clone)]
pub(super) struct Extension {
    pub id: u8,
    pub uri: String,
    /// `None`: the m-line's.
    pub direction: Option<Direction>,
}

/// The direction of an m-line, from the side of its author.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "sendrecv" => Self::SendRecv,
            "sendonly" => Self::SendOnly,
            "recvonly" => Self::RecvOnly,
            "inactive" => Self::Inactive,
            _ => return None,
        })
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// A value of `a=fmtp`, by its name. `None`: not there.
pub(super) fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

pub(super) fn pairs(attributes: &[Attribute]) -> impl Iterator<Item = (&str, &str)> {
    attributes.iter().map(|attribute| (attribute.key.as_str(), attribute.value.as_deref().unwrap_or_default().trim()))
}

pub(super) fn payloads(formats: &[String], attributes: &[Attribute]) -> Result<Vec<Payload>, OfferError> {
    /// Bounds each list, so that a line of many attributes stays cheap: a payload type has a handful of them.
    fn of<'a>(attributes: &'a [Attribute], wanted: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
        pairs(attributes)
            .filter(move |(key, _)| *key == wanted)
            .filter_map(|(_, value)| value.split_once(' '))
            .take(PAYLOAD_TYPES_MAX * 8)
    }
    let mut payloads: Vec<Payload> = Vec::with_capacity(formats.len());
    let mut seen = [false; 128];
    let mut maps = [None; 128];
    for (pt, map) in of(attributes, "rtpmap") {
        let pt: usize = pt.parse().map_err(|_| bad("a payload type is no number"))?;
        let place = maps.get_mut(pt).ok_or_else(|| bad("a payload type is above 127"))?;
        *place = place.or(Some(map.trim()));
    }
    for format in formats {
        let pt: usize = format.parse().map_err(|_| bad("a payload type is no number"))?;
        let seen = seen.get_mut(pt).ok_or_else(|| bad("a payload type is above 127"))?;
        // RTCP shares the port, and its packet types look like these (RFC 5761 §4).
        let taken_by_rtcp = (64..96).contains(&pt);
        if std::mem::replace(seen, true) || taken_by_rtcp {
            continue;
        }
        let Some(map) = maps[pt] else { continue };
        let mut parts = map.split('/');
        let (Some(name), Some(Ok(clock_rate))) = (parts.next(), parts.next().map(str::parse)) else {
            return Err(bad(format!("the rtpmap of payload type {pt} has no clock rate")));
        };
        let channels = parts.next().and_then(|channels| channels.parse().ok()).unwrap_or(1);
        payloads.push(Payload {
            pt: u8::try_from(pt).map_err(|_| bad("a payload type is above 127"))?,
            name: name.to_ascii_lowercase(),
            clock_rate,
            channels,
            fmtp: String::new(),
            feedback: Feedback::default(),
        });
    }
    for (pt, fmtp) in of(attributes, "fmtp") {
        if let Some(payload) = payloads.iter_mut().find(|payload| pt.parse() == Ok(payload.pt))
            && payload.fmtp.is_empty()
        {
            fmtp.trim().clone_into(&mut payload.fmtp);
        }
    }
    for (pt, kind) in of(attributes, "rtcp-fb") {
        for payload in payloads.iter_mut().filter(|payload| pt == "*" || pt.parse() == Ok(payload.pt)) {
            match kind.trim() {
                "nack" => payload.feedback.nack = true,
                "nack pli" => payload.feedback.pli = true,
                "ccm fir" => payload.feedback.fir = true,
                "transport-cc" => payload.feedback.transport_cc = true,
                _ => {}
            }
        }
    }
    Ok(payloads)
}

pub(super) fn push_extension(extensions: &mut Vec<Extension>, value: &str) -> Result<(), OfferError> {
    if extensions.len() == EXTENSIONS_MAX {
        return Err(bad(format!("an m-line has more than {EXTENSIONS_MAX} header extensions")));
    }
    let mut words = value.split_ascii_whitespace();
    let (Some(number), Some(uri)) = (words.next(), words.next()) else {
        return Err(bad("an extmap has no URI"));
    };
    let (id, direction) = match number.split_once('/') {
        Some((id, word)) => (id, Some(Direction::from_word(word).ok_or_else(|| bad("an extmap has no direction"))?)),
        None => (number, None),
    };
    let id: u16 = id.parse().map_err(|_| bad("an extmap has no id"))?;
    // We write the one-byte form only: what needs the other is not answered, and so not used (RFC 8285 §6).
    if let Ok(id @ 1..=14) = u8::try_from(id) {
        extensions.push(Extension { id, uri: uri.to_owned(), direction });
    }
    Ok(())
}

/// `q send pt=…` gives `q`.
pub(super) fn sendable_rid(value: &str) -> Option<String> {
    let mut words = value.split_ascii_whitespace();
    let rid = words.next()?;
    (words.next() == Some("send")).then(|| token(rid, RID_CHARS_MAX)).flatten()
}

/// The layers of `send q;h;f recv …`: of alternatives the first, paused ones too (RFC 8853 §5.1).
pub(super) fn layers(value: &str, sendable: &[String]) -> Vec<String> {
    let words: Vec<&str> = value.split_ascii_whitespace().take(4).collect();
    let Some([_, list]) = words.chunks_exact(2).find(|pair| pair[0] == "send") else { return Vec::new() };
    let mut rids: Vec<String> = Vec::new();
    for layer in list.split(';').take(LAYERS_MAX) {
        let rid = layer.split(',').next().unwrap_or_default().trim_start_matches('~');
        if sendable.iter().any(|known| known == rid) && rids.iter().all(|known| known != rid) {
            rids.push(rid.to_owned());
        }
    }
    rids
}

pub(super) fn first_number(text: &str) -> Option<u32> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// A token of RFC 8866 §9, not longer than `chars_max`.
pub(super) fn token(text: &str, chars_max: usize) -> Option<String> {
    let fits = !text.is_empty()
        && text.len() <= chars_max
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte));
    fits.then(|| text.to_owned())
}

/// `AB:cd:…` to bytes.
pub(super) fn hex(digits: &str) -> Option<Vec<u8>> {
    if digits.len() > HEX_CHARS_MAX {
        return None;
    }
    digits
        .split(':')
        .map(|pair| match pair.as_bytes() {
            [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => u8::from_str_radix(pair, 16).ok(),
            _ => None,
        })
        .collect()
}

/// Chromium offers some 35 for video.
pub(super) const PAYLOAD_TYPES_MAX: usize = 64;
/// Chromium offers some 14.
const EXTENSIONS_MAX: usize = 32;
/// Browsers send three.
pub(super) const LAYERS_MAX: usize = 4;
/// Browsers use one or two, GStreamer six.
pub(super) const MID_CHARS_MAX: usize = 32;
/// What the one-byte header extension holds (RFC 8285 §4.2).
const RID_CHARS_MAX: usize = 16;
/// SHA-512 with its colons.
const HEX_CHARS_MAX: usize = 3 * 64;
