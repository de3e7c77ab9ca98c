//! Answers what a classroom's browser wants to receive.

use super::{
    Local, ViewSlot, ViewTerms,
    attributes::Direction,
    codecs::{choose, known, redundancy},
    error::OfferError,
    extensions::AgreedExtensions,
    offer::Offer,
    text::{ABS_SEND_TIME, Accepted, DEPENDENCY_DESCRIPTOR, MID, PLAYOUT_DELAY, StreamNames, TWCC, answer},
};
use crate::{
    limits::SLOTS_PER_PEER_MAX,
    media::{Codec, TrackKind},
};

/// Answers a viewer's offer.
///
/// `slots` names its sounds and pictures in order (other m-lines are not counted); what is not named is rejected with
/// port 0. `None`: the first sound is the voice, the first picture the camera. `flowing` is what the lesson's tracks
/// are encoded as now, `ssrc` gives random SSRCs.
///
/// # Errors
/// [`OfferError::BadSdp`]; [`OfferError::MediaMismatch`] where m-lines and slots do not fit;
/// [`OfferError::UnsupportedCodec`] where the viewer cannot decode what flows in a slot, or nothing that we forward.
pub fn answer_viewer(
    offer: &str,
    slots: Option<&[TrackKind]>,
    flowing: &[(TrackKind, Codec)],
    ssrc: &mut dyn FnMut() -> u32,
    local: &Local<'_>,
) -> Result<(String, ViewTerms), OfferError> {
    let offer = Offer::read(offer)?;
    let taken = assign(&offer, slots)?;
    let indices: Vec<usize> = taken.iter().map(|(index, _)| *index).collect();
    let (mids, tagged) = offer.bundle(&indices)?;
    let transport = offer.transport(tagged)?;

    let mut agreed = AgreedExtensions::default();
    let mut fresh = distinct(ssrc);
    let mut lines = Vec::with_capacity(taken.len());
    for (index, kind) in taken {
        let line = &offer.lines[index];
        let mut choices = choose(line);
        if choices.is_empty() {
            return Err(OfferError::UnsupportedCodec { kind, wanted: known(kind.is_sound()) });
        }
        if let Some((_, now)) = flowing.iter().find(|(flowing, _)| *flowing == kind) {
            if choices.iter().all(|choice| choice.payload_type.codec != *now) {
                return Err(OfferError::UnsupportedCodec { kind, wanted: vec![*now] });
            }
            // Stable: what flows comes first, the rest stays in our order.
            choices.sort_by_key(|choice| choice.payload_type.codec != *now);
        }
        if kind.is_sound() {
            // A repeat under its own number would be a second packet under one nonce, for its transport-wide number is
            // another and its redundancy may be: AES-GCM breaks at that. So voice is only repeated by RFC 4588, which
            // no browser offers for sound; RFC 2198 mends it without a round trip.
            for choice in &mut choices {
                choice.feedback.nack &= choice.payload_type.rtx_pt.is_some();
            }
        }
        let wanted: &[&str] = match (kind.is_sound(), offer.mixed || line.mixed) {
            (true, _) => &[MID, TWCC, ABS_SEND_TIME],
            // A key picture's descriptor does not fit the short form.
            (false, false) => &[MID, TWCC, ABS_SEND_TIME, PLAYOUT_DELAY],
            (false, true) => &[MID, TWCC, ABS_SEND_TIME, PLAYOUT_DELAY, DEPENDENCY_DESCRIPTOR],
        };
        let extensions = agreed.agree(line, wanted, Direction::SendOnly);
        let red = if kind.is_sound() { redundancy(line, choices[0].payload_type.pt) } else { None };
        let slot = ViewSlot {
            kind,
            mid: line.mid.clone(),
            ssrc: fresh(),
            rtx_ssrc: fresh(),
            codecs: choices.iter().map(|choice| choice.payload_type.clone()).collect(),
            red_pt: red.map(|red| red.pt),
            nack: choices.iter().any(|choice| choice.feedback.nack),
        };
        lines.push((index, choices, extensions, red, slot));
    }
    let red = lines.iter().find_map(|(.., red, _)| *red);
    agreed.refuse_shared_payload_types(lines.iter().map(|(_, choices, ..)| choices.as_slice()), red)?;

    let accepted: Vec<Accepted<'_>> = lines
        .iter()
        .enumerate()
        .map(|(number, (index, choices, extensions, red, slot))| Accepted {
            index: *index,
            direction: Direction::SendOnly,
            choices,
            redundancy: *red,
            extensions,
            parameters: if slot.kind.is_sound() { SOUND_PARAMETERS } else { "" },
            rids: &[],
            source: Some(source(slot, lines[..number].iter().map(|(.., earlier)| earlier))),
        })
        .collect();
    let text = answer(&offer, &accepted, &mids, tagged, &transport, local);
    let terms = ViewTerms {
        transport,
        slots: lines.into_iter().map(|(.., slot)| slot).collect(),
        twcc_ext: agreed.id(TWCC),
        mid_ext: agreed.id(MID),
        abs_send_time_ext: agreed.id(ABS_SEND_TIME),
        playout_delay_ext: agreed.id(PLAYOUT_DELAY),
        dependency_descriptor_ext: agreed.id(DEPENDENCY_DESCRIPTOR),
    };
    Ok((text, terms))
}

/// Which m-line carries which slot, in the order of the m-lines.
fn assign(offer: &Offer, slots: Option<&[TrackKind]>) -> Result<Vec<(usize, TrackKind)>, OfferError> {
    let mismatch = |reason: String| Err(OfferError::MediaMismatch(reason));
    let Some(slots) = slots else {
        let first = |sound: bool| offer.lines.iter().position(|line| line.receives() && line.is_sound() == sound);
        let voice = first(true).map(|line| (line, TrackKind::Voice));
        let camera = first(false).map(|line| (line, TrackKind::Camera));
        let mut taken: Vec<_> = [voice, camera].into_iter().flatten().collect();
        taken.sort_unstable();
        return Ok(taken);
    };
    if slots.len() > SLOTS_PER_PEER_MAX {
        return mismatch(format!("{} slots are asked for, at most {SLOTS_PER_PEER_MAX} are given", slots.len()));
    }
    let mut media = offer.lines.iter().enumerate().filter(|(_, line)| matches!(line.media.as_str(), "audio" | "video"));
    let mut taken = Vec::with_capacity(slots.len());
    for &kind in slots {
        let Some((index, line)) = media.next() else {
            return mismatch(format!("there is no m-line for the slot {kind}"));
        };
        if line.is_sound() != kind.is_sound() {
            return mismatch(format!("the m-line for the slot {kind} is {}", line.media));
        }
        if !line.receives() {
            return mismatch(format!("the m-line for the slot {kind} does not receive over RTP with rtcp-mux"));
        }
        taken.push((index, kind));
    }
    Ok(taken)
}

/// Voice and camera share a stream, so browsers keep lips and words together; so do a class on stage and its sound.
/// The board has its own, and is never held back for them.
fn source<'a>(slot: &ViewSlot, earlier: impl Iterator<Item = &'a ViewSlot>) -> StreamNames {
    let stream = match slot.kind {
        TrackKind::Voice | TrackKind::Camera | TrackKind::MixedVoice => "teacher",
        TrackKind::Board => "board",
        TrackKind::Stage | TrackKind::StageVoice => "stage",
    };
    let track = match earlier.filter(|other| other.kind == slot.kind).count() {
        0 => slot.kind.as_str().to_owned(),
        others => format!("{}{}", slot.kind, others + 1),
    };
    let repaired = slot.codecs.iter().any(|codec| codec.rtx_pt.is_some());
    StreamNames { stream, track, ssrc: slot.ssrc, rtx_ssrc: repaired.then_some(slot.rtx_ssrc) }
}

/// SSRCs that this peer has not yet: not 0, which some receivers take for "unknown".
fn distinct(ssrc: &mut dyn FnMut() -> u32) -> impl FnMut() -> u32 {
    let mut given: Vec<u32> = Vec::with_capacity(2 * SLOTS_PER_PEER_MAX);
    move || {
        let mut next = ssrc();
        // Counting on instead of asking again: even a generator that is stuck comes to an end.
        while next == 0 || given.contains(&next) {
            next = next.wrapping_add(1);
        }
        given.push(next);
        next
    }
}

/// What the answer says it receives, although it receives nothing: as browsers write it.
const SOUND_PARAMETERS: &str = "minptime=10;useinbandfec=1";
