//! An encoded lesson to broadcast: access units of H.264 and packets of Opus, read from what ffmpeg wrote.

use anyhow::{Result, ensure};
use bytes::Bytes;

/// A clip that can be sent round and round: it begins with a keyframe.
#[derive(Debug, Clone)]
pub struct Clip {
    /// Pictures in order of sending (no reordering: baseline has none).
    pub pictures: Vec<Picture>,
    /// Opus packets of 20 ms.
    pub voice: Vec<Bytes>,
    /// Pictures per second.
    pub frame_rate: u32,
}

/// One access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Annex B bytes, parameter sets included where it is a keyframe.
    pub access_unit: Bytes,
    /// It needs no earlier picture.
    pub keyframe: bool,
}

impl Clip {
    /// # Errors
    /// There is no picture, no voice, or the first picture is no keyframe.
    pub fn read(h264: &Bytes, ogg: &[u8], frame_rate: u32) -> Result<Self> {
        let clip = Self { pictures: access_units(h264), voice: opus_packets(ogg), frame_rate };
        ensure!(clip.pictures.first().is_some_and(|first| first.keyframe), "the clip does not begin with a keyframe");
        ensure!(!clip.voice.is_empty(), "the clip has no voice");
        Ok(clip)
    }

    /// The index of the next keyframe after `at`, round the end.
    #[must_use]
    pub fn next_keyframe(&self, at: usize) -> usize {
        let after = self.pictures.iter().skip(at + 1).position(|picture| picture.keyframe);
        after.map_or(0, |ahead| at + 1 + ahead)
    }
}

/// Splits Annex B into access units of one slice or more: a unit ends before the next parameter set, delimiter or SEI,
/// or before a slice that is the first of its picture (`first_mb_in_slice` is 0, so its first bit is set).
fn access_units(stream: &Bytes) -> Vec<Picture> {
    let starts = start_codes(stream);
    let mut pictures = Vec::new();
    let (mut begin, mut has_slice, mut keyframe) = (0, false, false);
    for &(code, nal) in &starts {
        let Some(kind) = stream.get(nal).map(|byte| byte & 0x1f) else { break };
        let is_slice = matches!(kind, 1 | 5);
        let first_slice = is_slice && stream.get(nal + 1).is_some_and(|byte| byte & 0x80 != 0);
        if has_slice && (!is_slice || first_slice) {
            pictures.push(Picture { access_unit: stream.slice(begin..code), keyframe });
            (begin, has_slice, keyframe) = (code, false, false);
        }
        has_slice |= is_slice;
        keyframe |= kind == 5;
    }
    if has_slice {
        pictures.push(Picture { access_unit: stream.slice(begin..), keyframe });
    }
    pictures
}

/// Offsets of each start code and of the NAL unit after it.
fn start_codes(stream: &[u8]) -> Vec<(usize, usize)> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(found) = stream.get(at..).and_then(|rest| rest.windows(3).position(|code| code == [0, 0, 1])) {
        let code = at + found;
        let long = code > 0 && stream[code - 1] == 0;
        starts.push((code - usize::from(long), code + 3));
        at = code + 3;
    }
    starts
}

/// The packets of an Ogg stream (RFC 3533) without Opus's two header packets (RFC 7845).
fn opus_packets(ogg: &[u8]) -> Vec<Bytes> {
    let mut packets = Vec::new();
    let mut packet = Vec::new();
    let mut rest = ogg;
    'pages: while rest.len() >= PAGE_HEADER_BYTES && rest.starts_with(b"OggS") {
        let count = usize::from(rest[26]);
        let Some(lacing) = rest.get(PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + count) else { break };
        let mut body = PAGE_HEADER_BYTES + count;
        for &length in lacing {
            let Some(segment) = rest.get(body..body + usize::from(length)) else { break 'pages };
            packet.extend_from_slice(segment);
            body += usize::from(length);
            if length < 255 {
                packets.push(Bytes::from(std::mem::take(&mut packet)));
            }
        }
        rest = &rest[body..];
    }
    packets.retain(|packet| !packet.starts_with(b"OpusHead") && !packet.starts_with(b"OpusTags"));
    packets
}

const PAGE_HEADER_BYTES: usize = 27;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_into_its_pictures() {
        let stream = Bytes::from_static(
            b"\0\0\0\x01\x67sps\0\0\0\x01\x68pps\0\0\x01\x65\x88idr\0\0\x01\x65\x08second slice\0\0\0\x01\x41\x9aone\0\0\0\x01\x41\x9atwo",
        );
        let pictures = access_units(&stream);
        assert_eq!(pictures.iter().map(|picture| picture.keyframe).collect::<Vec<_>>(), [true, false, false]);
        assert!(pictures[0].access_unit.ends_with(b"second slice"));
        assert_eq!(&pictures[2].access_unit[..], b"\0\0\0\x01\x41\x9atwo");
        let clip = Clip { pictures, voice: vec![], frame_rate: 25 };
        assert_eq!(clip.next_keyframe(1), 0);
    }

    #[test]
    fn voice_is_taken_out_of_its_pages() {
        let mut page = b"OggS".to_vec();
        page.extend([0; 22]);
        page.extend([4, 8, 255, 2, 1]);
        page.extend(b"OpusHead");
        page.extend([7; 257]);
        page.extend([9]);
        let packets = opus_packets(&page);
        assert_eq!(packets.iter().map(Bytes::len).collect::<Vec<_>>(), [257, 1]);
        assert!(opus_packets(&page[..200]).is_empty());
    }
}
