//! CMAF: writes init segments and fragments, and finds the complete fragments of a truncated file.
//!
//! Each fragment is `free` (a CRC of what follows), `moof`, `mdat`. Players skip the `free` box; after a power cut the
//! CRC distinguishes a durable fragment from one whose length reached the disk before its bytes.

use bytes::{BufMut, Bytes, BytesMut};
use mp4_atom::{
    Any, Audio, Av01, Av1c, Avc1, Avcc, AvccExt, Codec, Decode, Dinf, Dops, Dref, Encode, Ftyp, Hdlr, Mdhd, Mdia, Mfhd,
    Minf, Moof, Moov, Mvex, Mvhd, Opus, Smhd, Stbl, Stco, Stsd, Tfdt, Tfhd, Tkhd, Traf, Trak, Trex, Trun, TrunEntry,
    Url, Visual, Vmhd, Vp09, VpcC,
};

use crate::format::codec::{CodecConfig, VP9_LEVEL};

/// One sample of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// In ticks of the track's time scale.
    pub duration: u32,
    /// Decodable without any earlier sample.
    pub sync: bool,
    /// The sample's bytes.
    pub data: Bytes,
}

/// A fragment read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Where it begins, in ticks.
    pub start: u64,
    /// How long it lasts, in ticks.
    pub duration: u64,
    /// Its first sample.
    pub first: Sample,
}

/// Place and timing of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleLayout {
    /// In ticks of the track's time scale.
    pub duration: u32,
    /// Decodable without any earlier sample.
    pub sync: bool,
    /// Its bytes, which follow those of the previous sample.
    pub size_bytes: u32,
}

/// Places of the samples of a fragment in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FragmentLayout {
    /// Where it begins, in ticks.
    pub start: u64,
    /// Where in the file the first sample's bytes begin.
    pub data_at: u64,
    /// In order, contiguous.
    pub samples: Vec<SampleLayout>,
}

/// Ticks per second of a track's timeline: the RTP clock, so that nothing is rounded.
#[must_use]
pub fn time_scale(sound: bool) -> u32 {
    if sound { 48_000 } else { 90_000 }
}

/// The init segment of a track. The same config gives the same bytes.
#[must_use]
pub fn init(config: &CodecConfig) -> Bytes {
    let sound = config.size().is_none();
    let (width, height) = config.size().map_or((0, 0), |size| (size.width, size.height));
    let ftyp = Ftyp {
        major_brand: b"iso6".into(),
        minor_version: 0,
        compatible_brands: vec![b"iso6".into(), b"cmfc".into(), b"mp41".into()],
    };
    let moov = Moov {
        mvhd: Mvhd { timescale: 1_000, next_track_id: TRACK + 1, ..Default::default() },
        mvex: Some(Mvex {
            mehd: None,
            trex: vec![Trex { track_id: TRACK, default_sample_description_index: 1, ..Default::default() }],
        }),
        trak: vec![Trak {
            tkhd: Tkhd {
                track_id: TRACK,
                enabled: true,
                in_movie: true,
                volume: if sound { 1.into() } else { 0.into() },
                width: width.into(),
                height: height.into(),
                ..Default::default()
            },
            mdia: Mdia {
                mdhd: Mdhd { timescale: time_scale(sound), language: "und".to_owned(), ..Default::default() },
                hdlr: Hdlr {
                    handler: if sound { b"soun".into() } else { b"vide".into() },
                    name: if sound { "voice".to_owned() } else { "picture".to_owned() },
                },
                minf: Minf {
                    vmhd: (!sound).then(Vmhd::default),
                    smhd: sound.then(Smhd::default),
                    dinf: Dinf { dref: Dref { entries: vec![Url { location: String::new() }.into()] } },
                    stbl: Stbl {
                        stsd: Stsd { codecs: vec![sample_entry(config, width, height)] },
                        stco: Some(Stco::default()),
                        ..Default::default()
                    },
                    ..Default::default()
                },
            },
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut out = Vec::with_capacity(1_024);
    ftyp.encode(&mut out).and_then(|()| moov.encode(&mut out)).expect("every field was built within its range above");
    out.into()
}

fn sample_entry(config: &CodecConfig, width: u16, height: u16) -> Codec {
    let visual = Visual { data_reference_index: 1, width, height, ..Default::default() };
    match config {
        CodecConfig::Opus => Opus {
            audio: Audio { data_reference_index: 1, channel_count: 2, sample_size: 16, sample_rate: 48_000.into() },
            // No pre-skip: the encoder's delay is already part of the sender's capture times.
            dops: Dops {
                output_channel_count: 2,
                pre_skip: 0,
                input_sample_rate: 48_000,
                output_gain: 0,
                channel_mapping: None,
            },
            btrt: None,
        }
        .into(),
        CodecConfig::H264 { sps, pps, .. } => {
            let at = |i: usize| sps.get(i).copied().unwrap_or(0);
            let high = matches!(at(1), 100 | 110 | 122 | 144);
            Avc1 {
                visual,
                avcc: Avcc {
                    configuration_version: 1,
                    avc_profile_indication: at(1),
                    profile_compatibility: at(2),
                    avc_level_indication: at(3),
                    length_size: 4,
                    sequence_parameter_sets: vec![sps.to_vec()],
                    picture_parameter_sets: pps.iter().map(|pps| pps.to_vec()).collect(),
                    // WebRTC's High is 8 bit 4:2:0.
                    ext: high.then(AvccExt::default),
                },
                ..Default::default()
            }
            .into()
        }
        CodecConfig::Vp9 { profile, bit_depth, subsampling, .. } => Vp09 {
            visual,
            vpcc: VpcC {
                profile: *profile,
                level: VP9_LEVEL,
                bit_depth: *bit_depth,
                chroma_subsampling: *subsampling,
                ..Default::default()
            },
            ..Default::default()
        }
        .into(),
        CodecConfig::Av1(av1) => Av01 {
            visual,
            av1c: Av1c {
                seq_profile: av1.profile,
                seq_level_idx_0: av1.level,
                seq_tier_0: av1.high_tier,
                high_bitdepth: av1.high_bitdepth,
                twelve_bit: av1.twelve_bit,
                monochrome: av1.monochrome,
                chroma_subsampling_x: av1.subsampling_x,
                chroma_subsampling_y: av1.subsampling_y,
                chroma_sample_position: 0,
                initial_presentation_delay: None,
                config_obus: av1.sequence_header.to_vec(),
            },
            ..Default::default()
        }
        .into(),
    }
}

/// One fragment: `free`, `moof`, `mdat`. `start` in ticks; `number` counts a track's fragments.
#[must_use]
pub fn fragment(number: u32, start: u64, samples: &[Sample]) -> Bytes {
    let bytes: usize = samples.iter().map(|sample| sample.data.len()).sum();
    let entries = samples
        .iter()
        .map(|sample| TrunEntry {
            duration: Some(sample.duration),
            size: Some(u32::try_from(sample.data.len()).unwrap_or(u32::MAX)),
            flags: Some(if sample.sync { SYNC } else { NOT_SYNC }),
            cts: None,
        })
        .collect::<Vec<_>>();
    let mut moof = Moof {
        mfhd: Mfhd { sequence_number: number },
        traf: vec![Traf {
            tfhd: Tfhd { track_id: TRACK, default_base_is_moof: true, ..Default::default() },
            tfdt: Some(Tfdt { base_media_decode_time: start }),
            trun: vec![Trun { data_offset: Some(0), samples: entries.into() }],
            ..Default::default()
        }],
    };
    let head = encode(&moof).len();
    if let Some(trun) = moof.traf.first_mut().and_then(|traf| traf.trun.first_mut()) {
        trun.data_offset = i32::try_from(head + 8).ok();
    }
    let head = encode(&moof);
    let mut out = BytesMut::with_capacity(CHECK_BYTES + head.len() + 8 + bytes);
    out.put_bytes(0, CHECK_BYTES);
    out.extend_from_slice(&head);
    out.put_u32(u32::try_from(8 + bytes).unwrap_or(u32::MAX));
    out.put_slice(b"mdat");
    for sample in samples {
        out.extend_from_slice(&sample.data);
    }
    let crc = crc32fast::hash(&out[CHECK_BYTES..]);
    let mut check = &mut out[..CHECK_BYTES];
    check.put_u32(CHECK_BYTES as u32);
    check.put_slice(b"free");
    check.put_slice(CHECK_MARK);
    check.put_u32(crc);
    out.freeze()
}

fn encode(moof: &Moof) -> Vec<u8> {
    let mut out = Vec::with_capacity(2_048);
    moof.encode(&mut out).expect("a fragment's fields all fit their boxes");
    out
}

/// The complete fragments at the start of `file`, and the bytes they take. The rest is truncated or torn.
#[must_use]
pub fn scan(file: &Bytes) -> (Vec<Fragment>, usize) {
    let mut fragments = Vec::new();
    let mut kept = 0;
    while let Some((fragment, len)) = file.get(kept..).and_then(|_| read_fragment(&file.slice(kept..))) {
        fragments.push(fragment);
        kept += len;
    }
    (fragments, kept)
}

/// The places of the samples of a complete segment, read from its `moof` boxes alone. `read_at` fills a buffer from an
/// offset; `len` is the length of the file.
///
/// # Errors
/// When reading fails, or the file is no segment of this format (`InvalidData`).
pub fn layout(
    len: u64,
    mut read_at: impl FnMut(u64, &mut [u8]) -> std::io::Result<()>,
) -> std::io::Result<Vec<FragmentLayout>> {
    let mut fragments = Vec::new();
    let mut at = 0;
    let mut head = [0; CHECK_BYTES + 8];
    let mut moof = Vec::new();
    while at < len {
        read_at(at, &mut head)?;
        let moof_len = size_of(&head, CHECK_BYTES, b"moof").filter(|len| *len <= MOOF_BYTES_MAX).ok_or(NOT_OURS)?;
        if size_of(&head, 0, b"free") != Some(CHECK_BYTES) {
            return Err(NOT_OURS.into());
        }
        moof.resize(moof_len + 8, 0);
        read_at(at + CHECK_BYTES as u64, &mut moof)?;
        let mdat_len = size_of(&moof, moof_len, b"mdat").ok_or(NOT_OURS)?;
        let fragment = samples_of(&moof[..moof_len]).ok_or(NOT_OURS)?;
        let data_at = at + (CHECK_BYTES + moof_len + 8) as u64;
        let size_bytes: u64 = fragment.1.iter().map(|sample| u64::from(sample.size_bytes)).sum();
        if size_bytes + 8 != mdat_len as u64 || data_at + size_bytes > len {
            return Err(NOT_OURS.into());
        }
        at = data_at + size_bytes;
        fragments.push(FragmentLayout { start: fragment.0, data_at, samples: fragment.1 });
    }
    Ok(fragments)
}

const NOT_OURS: std::io::ErrorKind = std::io::ErrorKind::InvalidData;

/// The size of the box at `at`, if it is of that kind and at least as long as its header.
fn size_of(bytes: &[u8], at: usize, kind: &[u8; 4]) -> Option<usize> {
    let head = bytes.get(at..at + 8).filter(|head| &head[4..] == kind)?;
    let size = u32::from_be_bytes(head[..4].try_into().ok()?);
    usize::try_from(size).ok().filter(|size| *size >= 8)
}

/// Where a `moof` box's fragment begins, in ticks, and its samples.
fn samples_of(mut moof: &[u8]) -> Option<(u64, Vec<SampleLayout>)> {
    let Any::Moof(moof) = Any::decode(&mut moof).ok()? else { return None };
    let traf = moof.traf.first()?;
    let samples = traf.trun.first()?.samples.iter().map(|sample| {
        Some(SampleLayout { duration: sample.duration?, sync: sample.flags == Some(SYNC), size_bytes: sample.size? })
    });
    Some((traf.tfdt.as_ref()?.base_media_decode_time, samples.collect::<Option<_>>()?))
}

/// The sample entries of an init segment. `None`: malformed.
#[must_use]
pub fn sample_entries(init: &Bytes) -> Option<Vec<Codec>> {
    let mut rest = init.as_ref();
    while let Ok(found) = Any::decode(&mut rest) {
        if let Any::Moov(moov) = found {
            return Some(moov.trak.into_iter().next()?.mdia.minf.stbl.stsd.codecs);
        }
    }
    None
}

fn read_fragment(bytes: &Bytes) -> Option<(Fragment, usize)> {
    let size_at = |at: usize| -> Option<usize> {
        usize::try_from(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
    };
    let kind_at = |at: usize| bytes.get(at + 4..at + 8);
    if size_at(0)? != CHECK_BYTES || kind_at(0)? != b"free" || bytes.get(8..12)? != CHECK_MARK {
        return None;
    }
    let crc = u32::from_be_bytes(bytes.get(12..16)?.try_into().ok()?);
    let moof_len = size_at(CHECK_BYTES).filter(|len| (8..=MOOF_BYTES_MAX).contains(len))?;
    let mdat_at = CHECK_BYTES.checked_add(moof_len)?;
    let mdat_len = size_at(mdat_at).filter(|len| *len >= 8)?;
    let end = mdat_at.checked_add(mdat_len)?;
    if kind_at(CHECK_BYTES)? != b"moof" || kind_at(mdat_at)? != b"mdat" {
        return None;
    }
    if crc32fast::hash(bytes.get(CHECK_BYTES..end)?) != crc {
        return None;
    }
    let (start, samples) = samples_of(bytes.get(CHECK_BYTES..mdat_at)?)?;
    // All samples lie in this `mdat`; none reaches into what follows.
    let size_bytes: u64 = samples.iter().map(|sample| u64::from(sample.size_bytes)).sum();
    if size_bytes + 8 != mdat_len as u64 {
        return None;
    }
    let first = samples.first()?;
    let data = bytes.get(mdat_at + 8..end)?.get(..usize::try_from(first.size_bytes).ok()?)?;
    Some((
        Fragment {
            start,
            duration: samples.iter().map(|sample| u64::from(sample.duration)).sum(),
            first: Sample { duration: first.duration, sync: first.sync, data: Bytes::copy_from_slice(data) },
        },
        end,
    ))
}

/// One track a file.
const TRACK: u32 = 1;
/// `sample_depends_on` = 2, others not (ISO/IEC 14496-12 §8.8.3.1).
const SYNC: u32 = 0x0200_0000;
/// `sample_depends_on` = 1 and `sample_is_non_sync_sample`.
const NOT_SYNC: u32 = 0x0101_0000;
const CHECK_BYTES: usize = 16;
const CHECK_MARK: &[u8; 4] = b"crc1";
/// Twelve seconds of a voice in packets of 2.5 ms take 77 kB.
const MOOF_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a file is found to hold, read as from a disk.
    fn laid_out(file: &[u8]) -> std::io::Result<Vec<FragmentLayout>> {
        layout(file.len() as u64, |at, out| {
            let at = usize::try_from(at).unwrap();
            let bytes = file.get(at..at + out.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        })
    }

    proptest! {
        #[test]
        fn no_file_makes_its_layout_panic_or_lie_beyond_its_end(
            mut file in proptest::collection::vec(any::<u8>(), 0..300),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            ours in any::<bool>(),
        ) {
            if ours {
                let sample = |n: u8| Sample { duration: 960, sync: n == 0, data: Bytes::from(vec![n; 9]) };
                file = [fragment(1, 0, &[sample(0), sample(1)]), fragment(2, 1_920, &[sample(2)])].concat();
                let whole = laid_out(&file).unwrap();
                prop_assert_eq!(whole.iter().map(|fragment| fragment.samples.len()).collect::<Vec<_>>(), [2, 1]);
                prop_assert_eq!(&file[usize::try_from(whole[1].data_at).unwrap()..], [2; 9]);
            }
            if !file.is_empty() {
                for (at, byte) in changes {
                    *at.get_mut(&mut file) = byte;
                }
            }
            for fragment in laid_out(&file).unwrap_or_default() {
                let size: u64 = fragment.samples.iter().map(|sample| u64::from(sample.size_bytes)).sum();
                prop_assert!(fragment.data_at + size <= file.len() as u64);
            }
        }
    }

    #[test]
    fn a_cut_or_torn_file_gives_its_whole_fragments() {
        let sample = |n: u8| Sample { duration: 960, sync: true, data: Bytes::from(vec![n; 40]) };
        let one = fragment(1, 0, &[sample(1), sample(2)]);
        let two = fragment(2, 1_920, &[sample(3)]);
        let file = Bytes::from([one.clone(), two].concat());
        for cut in 0..=file.len() {
            let (found, kept) = scan(&file.slice(..cut));
            let expected = usize::from(cut >= one.len()) + usize::from(cut >= file.len());
            assert_eq!(found.len(), expected, "cut at {cut}");
            assert_eq!(kept, [0, one.len(), file.len()][expected]);
        }
        let mut torn = file.to_vec();
        torn[one.len() + 60] ^= 1;
        let (found, _) = scan(&torn.into());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].start, found[0].duration, found[0].first.data[0]), (0, 1_920, 1));
    }

    #[test]
    fn a_fragment_whose_sample_reaches_into_the_next_one_is_none_of_ours() {
        let sample = |n: u8| Sample { duration: 960, sync: true, data: Bytes::from(vec![n; 41]) };
        let mut file = [fragment(1, 0, &[sample(1)]), fragment(2, 960, &[sample(2)])].concat();
        assert_eq!(scan(&file.clone().into()).0.len(), 2);
        let one = file.len() / 2;
        let size = file.windows(4).position(|four| four == [0, 0, 0, 41]).unwrap();
        file[size + 3] = 60;
        let crc = crc32fast::hash(&file[CHECK_BYTES..one]).to_be_bytes();
        file[12..CHECK_BYTES].copy_from_slice(&crc);
        assert_eq!(scan(&file.clone().into()), (Vec::new(), 0));
        assert!(laid_out(&file).is_err());
    }
}
