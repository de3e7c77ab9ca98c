//! Finds page turns on the board by the sizes of its encoded pictures, while they are recorded.
//!
//! Nothing is decoded. A page that is turned makes one picture that is as heavy as a page, among pictures that are light;
//! a keyframe weighs a page whatever happened. So:
//!
//! 1. **A picture that needs others** is a turn if it weighs at least a fifth of what the page weighs (its last keyframe,
//!    or the turn that brought it), and six times what such pictures usually weighed in the four seconds before: a video
//!    that plays on the board is one turn and not a hundred. Within half a second after a keyframe, when pictures make
//!    the page finer, four fifths of the page are asked for.
//! 2. **A keyframe** is no turn by itself: it was asked for, or it was its time. But where it weighs half as much again
//!    as the one before, or two thirds of it, the page between them was turned unseen: with the heaviest picture between
//!    them, or else right behind the earlier one (of an encoder of rule 3: with the later one). The first two keyframes
//!    of a track are of a stream that still gets finer, and are not compared.
//! 3. **An encoder that keeps a distance between its keyframes to the picture**, as OBS and ffmpeg do and no browser
//!    that is asked for them, gives one earlier than that only where it sees another scene: that one is a turn.
//!
//! Turns are at least three seconds apart. Missed: a page turned right after a keyframe to one of the same size, or one
//! that differs from the page before by a line.

use std::collections::VecDeque;

/// Finds the turns of one board.
#[derive(Debug, Default)]
pub struct PageTurns {
    /// Time and size of the last keyframe.
    key: Option<PictureSize>,
    keys: u32,
    /// Size of the current page.
    page: usize,
    /// Pictures that need others, of the last four seconds.
    light: VecDeque<PictureSize>,
    /// The heaviest of them since the last keyframe, but for the first half second.
    heaviest: Option<PictureSize>,
    last_turn: Option<u64>,
    rhythm: Rhythm,
}

/// How far keyframes are apart.
#[derive(Debug, Default)]
struct Rhythm {
    longest_ms: u64,
    /// How many were that far apart.
    same: u32,
    /// How many were nearly that far apart.
    near: u32,
}

/// The size of a picture.
#[derive(Debug, Clone, Copy)]
struct PictureSize {
    at_ms: u64,
    bytes: usize,
}

impl PageTurns {
    /// Takes the next picture: its time, whether it is a keyframe, its bytes. Returns when a page was turned.
    pub fn picture(&mut self, at_ms: u64, keyframe: bool, bytes: usize) -> Option<u64> {
        let turn = if keyframe { self.keyframe(at_ms, bytes) } else { self.light(at_ms, bytes) }?;
        if self.last_turn.is_some_and(|last| turn < last.saturating_add(APART_MS)) {
            return None;
        }
        self.last_turn = Some(turn);
        Some(turn)
    }

    /// After a gap: what follows is not compared with what was before.
    pub fn broken(&mut self) {
        let last_turn = self.last_turn;
        *self = Self { last_turn, ..Self::default() };
    }

    fn keyframe(&mut self, at_ms: u64, bytes: usize) -> Option<u64> {
        let before = self.key.replace(PictureSize { at_ms, bytes });
        let heaviest = self.heaviest.take();
        self.keys = self.keys.saturating_add(1);
        self.page = bytes;
        let PictureSize { at_ms: before_ms, bytes: weighed } = before?;
        let told = self.last_turn.is_some_and(|last| last >= before_ms);
        if self.rhythm.is_early(at_ms.saturating_sub(before_ms)) {
            return Some(at_ms);
        }
        let other = bytes * 2 > weighed * 3 || bytes * 3 < weighed * 2;
        if self.keys <= KEYS_NOT_COMPARED || told || !other {
            return None;
        }
        let noteworthy = WEIGHT_MIN.max(bytes.min(weighed) / PAGE_PART);
        let unseen = if self.rhythm.is_kept() { at_ms } else { before_ms };
        Some(heaviest.filter(|picture| picture.bytes >= noteworthy).map_or(unseen, |picture| picture.at_ms))
    }

    fn light(&mut self, at_ms: u64, bytes: usize) -> Option<u64> {
        let key_ms = self.key?.at_ms;
        while self.light.front().is_some_and(|picture| picture.at_ms.saturating_add(USUAL_MS) < at_ms)
            || self.light.len() >= LIGHT_MAX
        {
            self.light.pop_front();
        }
        let mut weights: Vec<usize> = self.light.iter().map(|picture| picture.bytes).collect();
        let middle = weights.len() / 2;
        let usual = if weights.is_empty() { 0 } else { *weights.select_nth_unstable(middle).1 };
        let finer = at_ms < key_ms.saturating_add(FINER_MS);
        let page = if finer { self.page / 5 * 4 } else { self.page / PAGE_PART };
        self.light.push_back(PictureSize { at_ms, bytes });
        if !finer && self.heaviest.is_none_or(|most| bytes > most.bytes) {
            self.heaviest = Some(PictureSize { at_ms, bytes });
        }
        if bytes < WEIGHT_MIN.max(page).max(usual * UNUSUAL) {
            return None;
        }
        self.page = bytes;
        Some(at_ms)
    }
}

impl Rhythm {
    /// Takes the distance to the keyframe before. True: the encoder keeps a distance, and this one came before it was due.
    fn is_early(&mut self, distance_ms: u64) -> bool {
        if distance_ms > self.longest_ms + EXACT_MS {
            // What was the longest is nearly as long as this one, or another rhythm altogether.
            self.near = if self.longest_ms * 5 >= distance_ms * 4 { self.same + self.near } else { 0 };
            (self.longest_ms, self.same) = (distance_ms, 1);
            return false;
        }
        if distance_ms + EXACT_MS >= self.longest_ms {
            self.same = self.same.saturating_add(1);
            return false;
        }
        if distance_ms * 5 >= self.longest_ms * 4 {
            self.near = self.near.saturating_add(1);
        }
        self.is_kept()
    }

    /// The encoder sends keyframes at a fixed distance.
    fn is_kept(&self) -> bool {
        self.same >= SAME_MIN && self.near < self.same
    }
}

/// A page weighs so many times a noteworthy part of it.
const PAGE_PART: usize = 5;

/// So many times heavier than usual.
const UNUSUAL: usize = 6;

/// What is usual is seen in so much time.
const USUAL_MS: u64 = 4_000;

/// Four seconds of sixty pictures.
const LIGHT_MAX: usize = 240;

/// How long the pictures behind a keyframe make it finer.
const FINER_MS: u64 = 500;

/// A cursor, a word, a stroke of the pen are smaller, on any screen.
const WEIGHT_MIN: usize = 2_500;

/// No page is read in less.
const APART_MS: u64 = 3_000;

/// A stream begins coarse.
const KEYS_NOT_COMPARED: u32 = 2;

/// Distances that differ by less are the same: a third of a picture's time.
const EXACT_MS: u64 = 20;

/// How often an encoder must have kept its distance to be believed.
const SAME_MIN: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// A board of 15 pictures a second on which page after page is shown for ten seconds and a third. `keys`: when the
    /// encoder gives a keyframe.
    fn turns(pages: &[usize], keys: impl Fn(u64) -> bool, usual: usize) -> Vec<u64> {
        let mut found = PageTurns::default();
        let (mut told, mut shown, mut since_key) = (Vec::new(), usize::MAX, 0);
        for n in 0..pages.len() as u64 * 155 {
            let (at_ms, page) = (n * 1_000 / 15, pages[(n / 155) as usize]);
            let keyframe = n == 0 || keys(n);
            since_key = if keyframe { 0 } else { since_key + 1 };
            let bytes = match (keyframe, page != shown) {
                (true, _) => page,
                (false, true) => page * 9 / 10,
                // Each picture after a keyframe makes it finer.
                (false, false) => ((usual + page / 2) >> since_key.min(20)).max(usual),
            };
            shown = page;
            told.extend(found.picture(at_ms, keyframe, bytes));
        }
        told
    }

    const PAGES: [usize; 7] = [22_000, 26_000, 50_000, 12_000, 47_000, 12_000, 50_000];

    #[test]
    fn each_page_is_found_when_it_is_turned_and_a_keyframe_that_was_asked_for_is_no_page() {
        let expected: Vec<u64> = (1..7).map(|page| page * 155 * 1_000 / 15).collect();
        for every in [u64::MAX, 150, 37] {
            assert_eq!(turns(&PAGES, |n| n % every == 0, 300), expected, "a keyframe each {every} pictures");
        }
        assert_eq!(turns(&[40_000; 20], |n| n % 47 == 0, 300), [0; 0], "one page, whenever a keyframe is asked for");
    }

    #[test]
    fn a_video_on_the_board_is_no_book() {
        assert_eq!(turns(&[60_000; 6], |n| n % 150 == 0, 20_000), [0; 0]);
    }

    #[test]
    fn an_encoder_that_keeps_its_distance_tells_of_another_scene_by_a_keyframe() {
        // A keyframe at each page and each thirty pictures after: pages of the same weight.
        let expected: Vec<u64> = (1..7).map(|page| page * 155 * 1_000 / 15).collect();
        assert_eq!(turns(&[40_000; 7], |n| (n % 155) % 30 == 0, 300), expected);
    }

    #[test]
    fn what_is_missed_between_two_keyframes_is_told_by_the_second() {
        let mut found = PageTurns::default();
        let mut told = Vec::new();
        for (at_ms, keyframe, bytes) in [
            (0, true, 40_000),
            (10_000, true, 41_000),
            (20_130, true, 41_000),
            // Turned to a nearly empty page right behind a keyframe.
            (20_300, false, 6_000),
            (25_000, false, 100),
            (30_050, true, 8_000),
            (40_100, true, 8_000),
        ] {
            told.extend(found.picture(at_ms, keyframe, bytes));
        }
        assert_eq!(told, [20_130]);
    }
}
