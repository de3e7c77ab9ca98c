//! Answers what a teacher's browser, or an encoder, wants to send.

use super::{
    Local, PublishTerms, PublishTrack,
    attributes::Direction,
    codecs::{CodecChoice, choose, known},
    error::OfferError,
    extensions::AgreedExtensions,
    offer::{MediaLine, Offer},
    text::{AUDIO_LEVEL, Accepted, DEPENDENCY_DESCRIPTOR, MID, RID, RRID, TWCC, answer},
};
use crate::media::TrackKind;

/// Answers a publisher's offer: its first sound and its first picture; everything else is rejected with port 0.
///
/// With the picture `Stage` a sound is the `StageVoice`, else the `Voice`.
///
/// # Errors
/// [`OfferError::BadSdp`]; [`OfferError::MediaMismatch`] where nothing is sent, or sound and picture do not share a
/// transport; [`OfferError::UnsupportedCodec`] where the sound is no Opus, or the picture nothing that we forward.
pub fn answer_publisher(
    offer: &str,
    picture: TrackKind,
    local: &Local<'_>,
) -> Result<(String, PublishTerms), OfferError> {
    let offer = Offer::read(offer)?;
    let sound = if picture == TrackKind::Stage { TrackKind::StageVoice } else { TrackKind::Voice };
    let first = |is_sound: bool| offer.lines.iter().position(|line| line.sends() && line.is_sound() == is_sound);
    let mut taken: Vec<(usize, TrackKind)> =
        [first(true).map(|line| (line, sound)), first(false).map(|line| (line, picture))]
            .into_iter()
            .flatten()
            .collect();
    taken.sort_unstable();

    let indices: Vec<usize> = taken.iter().map(|(index, _)| *index).collect();
    let (mids, tagged) = offer.bundle(&indices)?;
    let transport = offer.transport(tagged)?;
    let mut agreed = AgreedExtensions::default();
    let mut lines = Vec::with_capacity(taken.len());
    for (index, kind) in taken {
        let line = &offer.lines[index];
        let choices = choose(line);
        if choices.is_empty() {
            return Err(OfferError::UnsupportedCodec { kind, wanted: known(kind.is_sound()) });
        }
        // Layers are distinguished by a header extension, which only simulcast needs.
        let layered = !line.rids.is_empty() && line.extensions.iter().any(|offered| offered.uri == RID);
        let wanted: &[&str] = match (kind.is_sound(), layered) {
            (true, _) => &[MID, TWCC, AUDIO_LEVEL],
            (false, false) => &[MID, TWCC, DEPENDENCY_DESCRIPTOR],
            (false, true) => &[MID, RID, RRID, TWCC, DEPENDENCY_DESCRIPTOR],
        };
        let extensions = agreed.agree(line, wanted, Direction::RecvOnly);
        let rids = if extensions.iter().any(|known| known.uri == RID) { line.rids.clone() } else { Vec::new() };
        lines.push((index, kind, choices, extensions, rids));
    }
    agreed.refuse_shared_payload_types(lines.iter().map(|(.., choices, _, _)| choices.as_slice()), None)?;

    let accepted: Vec<Accepted<'_>> = lines
        .iter()
        .map(|(index, kind, choices, extensions, rids)| Accepted {
            index: *index,
            direction: Direction::RecvOnly,
            choices,
            redundancy: None,
            extensions,
            parameters: match (kind.is_sound(), offer.libwebrtc) {
                (true, _) => VOICE_PARAMETERS,
                (false, true) => START_BITRATE,
                (false, false) => "",
            },
            rids,
            source: None,
        })
        .collect();
    let text = answer(&offer, &accepted, &mids, tagged, &transport, local);

    let tracks = lines
        .iter()
        .map(|(index, kind, choices, _, rids)| track(&offer.lines[*index], *kind, choices, rids.clone()))
        .collect();
    let terms = PublishTerms {
        transport,
        tracks,
        mid_ext: agreed.id(MID),
        rid_ext: agreed.id(RID),
        rrid_ext: agreed.id(RRID),
        twcc_ext: agreed.id(TWCC),
        audio_level_ext: agreed.id(AUDIO_LEVEL),
        dependency_descriptor_ext: agreed.id(DEPENDENCY_DESCRIPTOR),
    };
    Ok((text, terms))
}

fn track(line: &MediaLine, kind: TrackKind, choices: &[CodecChoice], rids: Vec<String>) -> PublishTrack {
    PublishTrack {
        kind,
        mid: line.mid.clone(),
        codecs: choices.iter().map(|choice| choice.payload_type.clone()).collect(),
        ssrcs: line.ssrcs.clone(),
        rtx_ssrcs: line.rtx_ssrcs.clone(),
        rids,
        nack: choices.iter().any(|choice| choice.feedback.nack),
        pli: choices.iter().any(|choice| choice.feedback.pli),
        fir: choices.iter().any(|choice| choice.feedback.fir),
    }
}

/// A voice in a classroom: mended by in-band FEC, never silent in the recording, one channel.
const VOICE_PARAMETERS: &str = "minptime=10;useinbandfec=1;usedtx=0;stereo=0";
/// libwebrtc alone reads it, in kb/s: a lesson does not begin blurred, and a slow line is not flooded.
const START_BITRATE: &str = "x-google-start-bitrate=1200";
