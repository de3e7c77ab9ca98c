//! HLS playlists (RFC 8216), generated from the ledger on request.

use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, Map, MasterPlaylist, MediaPlaylist, MediaPlaylistType, MediaSegment,
    Resolution, VariantStream,
};
use sfu::media::TrackKind;

use crate::{
    format::clock::LessonTime,
    id::{MediaName, playlist_track},
    journal::manifest::{Ledger, RecordingPhase, TrackLedger},
    track::segment::SEGMENT_MS_MAX,
};

pub use crate::id::{MAIN_PLAYLIST as MAIN, playlist_name as name};

/// The playlist of that name. `None`: unknown name, or no media yet.
#[must_use]
pub fn write(ledger: &Ledger, name: &str) -> Option<String> {
    let mut out = Vec::new();
    if name == MAIN {
        multivariant(ledger)?.write_to(&mut out).ok()?;
    } else {
        let kind = playlist_track(name)?;
        media(ledger, ledger.of(kind)?)?.write_to(&mut out).ok()?;
    }
    String::from_utf8(out).ok()
}

fn multivariant(ledger: &Ledger) -> Option<MasterPlaylist> {
    let kept = |kind| ledger.of(kind).filter(|track: &&TrackLedger| !track.segments.is_empty());
    let voice = kept(TrackKind::MixedVoice).or_else(|| kept(TrackKind::Voice));
    let picture = [TrackKind::Camera, TrackKind::Board, TrackKind::Stage].into_iter().find_map(kept);
    let alone = picture.or(voice).or_else(|| kept(TrackKind::StageVoice))?;
    let with_voice = picture.is_some().then_some(voice).flatten();
    let codecs = codecs_of(alone).chain(with_voice.into_iter().flat_map(codecs_of)).collect::<Vec<_>>().join(",");
    let size = alone.inits.last().and_then(|init| Some((init.width?, init.height?)));
    Some(MasterPlaylist {
        version: Some(VERSION),
        alternatives: with_voice
            .and_then(|voice| voice.kind)
            .map(|kind| AlternativeMedia {
                media_type: AlternativeMediaType::Audio,
                uri: Some(name(kind)),
                group_id: "voice".to_owned(),
                name: "voice".to_owned(),
                default: true,
                autoselect: true,
                channels: Some("2".to_owned()),
                ..Default::default()
            })
            .into_iter()
            .collect(),
        variants: vec![VariantStream {
            uri: name(alone.kind?),
            bandwidth: bits_per_second(alone).saturating_add(with_voice.map_or(0, bits_per_second)),
            codecs: Some(codecs),
            resolution: size.map(|(width, height)| Resolution { width: width.into(), height: height.into() }),
            audio: with_voice.map(|_| "voice".to_owned()),
            ..Default::default()
        }],
        ..Default::default()
    })
}

/// The distinct codecs of a track, in order of first use.
fn codecs_of(track: &TrackLedger) -> impl Iterator<Item = &str> {
    let used = |n: u32| track.segments.iter().any(|segment| segment.init == n);
    let mut seen = Vec::new();
    track.inits.iter().filter(move |init| used(init.n)).filter_map(move |init| {
        let new = !seen.contains(&init.codecs);
        seen.push(init.codecs.clone());
        new.then_some(init.codecs.as_str())
    })
}

/// The peak over the track's segments (RFC 8216 §4.3.4.2).
fn bits_per_second(track: &TrackLedger) -> u64 {
    let rate = |size: u64, ticks: u64| size.saturating_mul(8).saturating_mul(track.scale().into()) / ticks.max(1);
    track.segments.iter().map(|segment| rate(segment.size_bytes, segment.duration)).max().unwrap_or(0).max(1)
}

fn media(ledger: &Ledger, track: &TrackLedger) -> Option<MediaPlaylist> {
    let kind = track.kind?;
    let scale = f64::from(track.scale());
    let seconds = |ticks: u64| (ticks as f64 / scale) as f32;
    let ms = |ticks| LessonTime::from_ticks(ticks, track.scale()).millis();
    let longest_ms = track.segments.iter().map(|segment| ms(segment.duration)).max()?;
    let ended = matches!(ledger.phase, RecordingPhase::Ended(_));
    let mut init = None;
    let segments = track.segments.iter().map(|segment| {
        let map = (init != Some(segment.init)).then(|| Map {
            uri: MediaName::Init { kind, n: segment.init }.to_string(),
            byte_range: None,
            other_attributes: Default::default(),
        });
        init = Some(segment.init);
        MediaSegment {
            uri: MediaName::Segment { kind, seq: segment.seq }.to_string(),
            duration: seconds(segment.duration),
            map,
            ..MediaSegment::empty()
        }
    });
    let segments: Vec<_> = segments.collect();
    Some(MediaPlaylist {
        version: Some(VERSION),
        // Constant from the first request on: it must not change while a player follows the lesson.
        target_duration: longest_ms.max(SEGMENT_MS_MAX).div_ceil(1_000),
        media_sequence: u64::from(track.segments.first()?.seq),
        segments,
        end_list: ended,
        playlist_type: Some(if ended { MediaPlaylistType::Vod } else { MediaPlaylistType::Event }),
        ..Default::default()
    })
}

/// EXT-X-MAP in a playlist that is not of I-frames only (RFC 8216 §7).
const VERSION: usize = 7;
