//! When a joiner has its first picture: every packet of one keyframe.

use super::rtp::starts_keyframe;

/// Follows one slot until a keyframe is whole.
#[derive(Debug, Clone, Default)]
pub struct FirstPicture {
    timestamp: Option<u32>,
    start: Option<u64>,
    end: Option<u64>,
    seen: Vec<u64>,
    whole: bool,
}

impl FirstPicture {
    /// Takes one packet; true once, when the picture is whole. H.264 only.
    pub fn note(&mut self, seq: u64, timestamp: u32, marker: bool, payload: &[u8]) -> bool {
        if self.whole {
            return false;
        }
        if starts_keyframe(payload) && self.timestamp != Some(timestamp) {
            *self = Self { timestamp: Some(timestamp), start: Some(seq), ..Self::default() };
        }
        if self.timestamp != Some(timestamp) || self.seen.len() >= PACKETS_MAX {
            return false;
        }
        if starts_keyframe(payload) {
            self.start = self.start.map(|start| start.min(seq));
        }
        if marker {
            self.end = Some(seq);
        }
        self.seen.push(seq);
        if let (Some(start), Some(end)) = (self.start, self.end) {
            self.seen.sort_unstable();
            self.seen.dedup();
            self.whole = self.seen.iter().filter(|seq| (start..=end).contains(seq)).count() as u64 == end - start + 1;
            if self.whole {
                self.seen = Vec::new();
            }
        }
        self.whole
    }

    /// The picture is whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }
}

/// A keyframe of a megabyte: no camera of a lesson sends larger ones.
const PACKETS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[24, 0, 3, 0x67];
    const IDR: &[u8] = &[28, 0x85];
    const REST: &[u8] = &[28, 0x05];
    const DELTA: &[u8] = &[1];

    #[test]
    fn a_picture_is_whole_when_its_last_gap_is_filled() {
        let mut first = FirstPicture::default();
        assert!(!first.note(9, 100, true, DELTA), "an earlier picture");
        for (seq, marker, payload) in [(10, false, SPS), (11, false, IDR), (13, true, REST)] {
            assert!(!first.note(seq, 200, marker, payload));
        }
        assert!(first.note(12, 200, false, REST));
        assert!(!first.note(12, 200, false, REST) && first.is_whole());
    }

    #[test]
    fn a_new_keyframe_replaces_one_that_never_became_whole() {
        let mut first = FirstPicture::default();
        first.note(10, 100, false, IDR);
        assert!(!first.note(20, 200, false, IDR));
        assert!(first.note(21, 200, true, REST));
    }
}
