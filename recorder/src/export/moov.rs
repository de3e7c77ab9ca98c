//! The boxes in front of the samples: `ftyp`, `moov`, and the head of `mdat` (ISO/IEC 14496-12).

use bytes::{BufMut, Bytes};
use mp4_atom::{
    Co64, Dinf, Dref, Edts, Elst, ElstEntry, Encode, Ftyp, Hdlr, Mdhd, Mdia, Minf, Moov, Mvhd, Smhd, Stbl, Stco, Stsc,
    StscEntry, Stsd, Stss, Stsz, StszSamples, Stts, SttsEntry, Tkhd, Trak, Url, Vmhd,
};

use crate::export::{layout::TrackLayout, selection::ExportSpan};

/// Everything before the first sample. `body_bytes`: size of all samples.
pub(crate) fn write(tracks: &[TrackLayout], begun_at_ms: u64, span: ExportSpan, body_bytes: u64) -> Bytes {
    let ftyp = Ftyp {
        major_brand: b"isom".into(),
        minor_version: 0x200,
        compatible_brands: vec![b"isom".into(), b"iso2".into(), b"mp41".into()],
    };
    let mut front = Vec::new();
    ftyp.encode(&mut front).expect("three brands fit");
    // The size of the boxes does not depend on the offsets, except that offsets beyond 4 GB need 64 bits in all of
    // them.
    let large = body_bytes + HEAD_BYTES_MAX > u64::from(u32::MAX);
    let mdat_head = if large { 16 } else { 8 };
    let mut moov = movie(tracks, begun_at_ms, span, large);
    let data_at = (front.len() + encode(&moov).len() + mdat_head) as u64;
    for (trak, laid) in moov.trak.iter_mut().zip(tracks) {
        place(&mut trak.mdia.minf.stbl, laid, data_at, large);
    }
    front.extend(encode(&moov));
    if large {
        front.put_u32(1);
        front.put_slice(b"mdat");
        front.put_u64(body_bytes + 16);
    } else {
        front.put_u32(u32::try_from(body_bytes + 8).unwrap_or(u32::MAX));
        front.put_slice(b"mdat");
    }
    debug_assert_eq!(front.len() as u64, data_at);
    front.into()
}

fn encode(moov: &Moov) -> Vec<u8> {
    let mut out = Vec::new();
    moov.encode(&mut out).expect("a lesson's figures fit their fields");
    out
}

fn movie(tracks: &[TrackLayout], begun_at_ms: u64, span: ExportSpan, large: bool) -> Moov {
    let begun = begun_at_ms / 1_000 + SECONDS_1904_TO_1970;
    let pictures = tracks.iter().filter(|track| !track.kind.is_sound()).count();
    let traks = tracks.iter().zip(1..).map(|(track, track_id)| {
        let sound = track.kind.is_sound();
        let edits = track.edits(span);
        let mut trak = Trak {
            tkhd: Tkhd {
                creation_time: begun,
                modification_time: begun,
                track_id,
                duration: track.shown_ms(span),
                // Several picture tracks are alternatives of one group.
                alternate_group: u16::from(!sound && pictures > 1),
                enabled: true,
                in_movie: true,
                volume: if sound { 1.into() } else { 0.into() },
                width: track.size.0.into(),
                height: track.size.1.into(),
                ..Default::default()
            },
            edts: (!edits.is_empty()).then(|| Edts {
                elst: Some(Elst {
                    entries: edits
                        .into_iter()
                        .map(|edit| ElstEntry {
                            segment_duration: edit.duration_ms,
                            media_time: edit.media_time,
                            media_rate: 1.into(),
                        })
                        .collect(),
                }),
            }),
            mdia: Mdia {
                mdhd: Mdhd {
                    creation_time: begun,
                    modification_time: begun,
                    timescale: track.scale,
                    duration: track.duration,
                    language: "und".to_owned(),
                },
                hdlr: Hdlr {
                    handler: if sound { b"soun".into() } else { b"vide".into() },
                    name: track.kind.as_str().to_owned(),
                },
                minf: Minf {
                    vmhd: (!sound).then(Vmhd::default),
                    smhd: sound.then(Smhd::default),
                    dinf: Dinf { dref: Dref { entries: vec![Url { location: String::new() }.into()] } },
                    stbl: tables(track),
                    ..Default::default()
                },
            },
            ..Default::default()
        };
        place(&mut trak.mdia.minf.stbl, track, 0, large);
        trak
    });
    Moov {
        mvhd: Mvhd {
            creation_time: begun,
            modification_time: begun,
            timescale: 1_000,
            duration: tracks.iter().map(|track| track.shown_ms(span)).max().unwrap_or(0),
            next_track_id: u32::try_from(tracks.len() + 1).unwrap_or(u32::MAX),
            ..Default::default()
        },
        trak: traks.collect(),
        ..Default::default()
    }
}

fn tables(track: &TrackLayout) -> Stbl {
    let mut chunks: Vec<StscEntry> = Vec::new();
    for (chunk, first_chunk) in track.chunks.iter().zip(1..) {
        let like = |last: &StscEntry| {
            last.samples_per_chunk == chunk.samples && last.sample_description_index == chunk.description
        };
        if !chunks.last().is_some_and(like) {
            chunks.push(StscEntry {
                first_chunk,
                samples_per_chunk: chunk.samples,
                sample_description_index: chunk.description,
            });
        }
    }
    Stbl {
        stsd: Stsd { codecs: track.descriptions.iter().map(|(_, entry)| entry.clone()).collect() },
        stts: Stts {
            entries: track
                .durations
                .iter()
                .map(|(sample_count, sample_delta)| SttsEntry {
                    sample_count: *sample_count,
                    sample_delta: *sample_delta,
                })
                .collect(),
        },
        // Without this box every sample is a sync sample.
        stss: (track.syncs.len() != track.sizes.len()).then(|| Stss { entries: track.syncs.clone() }),
        stsc: Stsc { entries: chunks },
        stsz: Stsz { samples: StszSamples::Different { sizes: track.sizes.clone() } },
        ..Default::default()
    }
}

/// Writes the chunk offsets, for samples that begin at `data_at`.
fn place(stbl: &mut Stbl, track: &TrackLayout, data_at: u64, large: bool) {
    let entries = track.chunks.iter().map(|chunk| chunk.at + data_at);
    if large {
        stbl.co64 = Some(Co64 { entries: entries.collect() });
    } else {
        stbl.stco = Some(Stco { entries: entries.map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect() });
    }
}

/// Half a day of all tracks takes some 60 MB.
const HEAD_BYTES_MAX: u64 = 256 << 20;

/// The epoch of these boxes.
const SECONDS_1904_TO_1970: u64 = 2_082_844_800;
