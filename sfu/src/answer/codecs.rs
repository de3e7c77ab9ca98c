//! Which payload types of an offer we take, and in which order.

use super::{
    PayloadType,
    attributes::{Feedback, Payload, parameter},
    offer::MediaLine,
};
use crate::media::Codec;

/// One accepted payload type with what was offered beside it.
pub(super) struct CodecChoice {
    pub payload_type: PayloadType,
    pub feedback: Feedback,
    /// H.264 in single NAL unit mode (RFC 6184 §6.2).
    single_nal: bool,
    /// Among payload types of one codec: smaller is better.
    rank: u8,
}

/// Every payload type of the line that we can forward, best first: what can be recorded first, and of H.264 what
/// every decoder takes.
///
/// H.264 packets of single NAL unit mode cannot carry a picture larger than a packet, so that mode is left out
/// wherever there is anything else.
pub(super) fn choose(line: &MediaLine) -> Vec<CodecChoice> {
    let mut choices: Vec<CodecChoice> = line.payloads.iter().filter_map(|payload| choice(line, payload)).collect();
    if choices.iter().any(|choice| !choice.single_nal) {
        choices.retain(|choice| !choice.single_nal);
    }
    choices.sort_by_key(|choice| (choice.payload_type.codec, choice.rank));
    choices
}

/// The payload type of redundant Opus (RFC 2198) that repeats `opus`. `None`: not offered.
pub(super) fn redundancy(line: &MediaLine, opus: u8) -> Option<&Payload> {
    line.payloads.iter().find(|payload| {
        payload.name == "red"
            && payload.clock_rate == Codec::Opus.clock_rate()
            && payload.channels == 2
            && payload.fmtp.split('/').count() >= 2
            && payload.fmtp.split('/').all(|pt| pt.trim().parse() == Ok(opus))
    })
}

/// The format parameters of a payload type in the answer: the offered ones that describe the stream, without those that
/// describe what the offerer would like to receive.
pub(super) fn stream_parameters(payload_type: &PayloadType) -> String {
    let names: &[&str] = match payload_type.codec {
        Codec::H264 => &["level-asymmetry-allowed", "packetization-mode", "profile-level-id"],
        Codec::Vp9 => &["profile-id"],
        Codec::Av1 => &["level-idx", "profile", "tier"],
        Codec::Opus | Codec::Vp8 => &[],
    };
    let pairs = names.iter().filter_map(|name| Some(format!("{name}={}", parameter(&payload_type.fmtp, name)?)));
    pairs.collect::<Vec<_>>().join(";")
}

fn choice(line: &MediaLine, payload: &Payload) -> Option<CodecChoice> {
    let codec = *ALL.iter().find(|codec| codec.encoding_name().eq_ignore_ascii_case(&payload.name))?;
    let number = |name: &str| parameter(&payload.fmtp, name).map_or(Some(0), |value| value.parse::<u8>().ok());
    if codec.is_sound() != line.is_sound() || payload.clock_rate != codec.clock_rate() {
        return None;
    }
    let (mut rank, mut single_nal) = (0, false);
    match codec {
        Codec::Opus if payload.channels != 2 => return None, // RFC 7587 §7: always 2.
        Codec::Opus | Codec::Vp8 => {}
        Codec::Vp9 if number("profile-id")? != 0 => return None,
        Codec::Vp9 => {}
        Codec::Av1 if number("profile")? != 0 => return None,
        Codec::Av1 => {}
        Codec::H264 => {
            rank = profile_rank(parameter(&payload.fmtp, "profile-level-id"))?;
            single_nal = match number("packetization-mode")? {
                0 => true,
                1 => false,
                _ => return None, // Interleaved: not used by any browser, and it would need reordering.
            };
        }
    }
    let apt = |rtx: &&Payload| {
        rtx.name == "rtx" && parameter(&rtx.fmtp, "apt").is_some_and(|apt| apt.parse() == Ok(payload.pt))
    };
    Some(CodecChoice {
        payload_type: PayloadType {
            codec,
            pt: payload.pt,
            rtx_pt: line.payloads.iter().find(apt).map(|rtx| rtx.pt),
            fmtp: payload.fmtp.clone(),
        },
        feedback: payload.feedback,
        single_nal,
        rank,
    })
}

/// Constrained baseline, baseline, main, high (RFC 6184 §8.1, table 5). `None`: a profile that browsers do not decode.
fn profile_rank(profile_level_id: Option<&str>) -> Option<u8> {
    // Baseline at level 1 where the parameter is missing.
    let digits = profile_level_id.unwrap_or("42000a");
    let [profile, constraints, _level] = match u32::from_str_radix(digits, 16) {
        Ok(bits) if digits.len() == 6 => [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8],
        _ => return None,
    };
    let set = |bit: u8| constraints & (0x80 >> bit) != 0;
    Some(match profile {
        0x42 if set(1) => 0,
        0x4d if set(0) => 0,
        0x58 if set(0) && set(1) => 0,
        0x42 => 1,
        0x4d => 2,
        0x64 => 3,
        _ => return None,
    })
}

/// Every codec, in our order.
const ALL: [Codec; 5] = [Codec::Opus, Codec::H264, Codec::Vp9, Codec::Av1, Codec::Vp8];

/// What a sound, or a picture, may be encoded as; best first.
pub(super) fn known(sound: bool) -> Vec<Codec> {
    ALL.into_iter().filter(|codec| codec.is_sound() == sound).collect()
}
