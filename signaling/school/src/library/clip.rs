//! A span of a recording, and the part of an HLS playlist that holds it: media are neither copied nor re-encoded.

use m3u8_rs::{MediaPlaylist, MediaPlaylistType, Start, parse_media_playlist_res};

/// A span of a recording, in milliseconds of lesson time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Start, inclusive.
    pub from_ms: i64,
    /// End, exclusive.
    pub to_ms: i64,
}

/// Minimum length of a clip, in milliseconds: shorter ones show nothing useful.
pub const CLIP_MS_MIN: i64 = 1_000;

/// Maximum length of a clip, in milliseconds: no lesson is longer.
pub const CLIP_MS_MAX: i64 = 24 * 3_600_000;

/// Maximum clips of a recording: one a minute of a double lesson.
pub const CLIPS_MAX: usize = 100;

impl Window {
    /// `None`: it runs backwards, or is too short or too long.
    #[must_use]
    pub fn new(from_ms: i64, to_ms: i64) -> Option<Self> {
        let length = to_ms.checked_sub(from_ms)?;
        (from_ms >= 0 && (CLIP_MS_MIN..=CLIP_MS_MAX).contains(&length)).then_some(Self { from_ms, to_ms })
    }

    /// Its length in milliseconds.
    #[must_use]
    pub fn length_ms(self) -> i64 {
        self.to_ms - self.from_ms
    }
}

/// A media playlist reduced to the segments of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// Playlist text as sent.
    pub text: String,
    /// Start of its first segment, in milliseconds of lesson time.
    pub origin_ms: i64,
    names: Vec<String>,
}

impl Cut {
    /// The segments of `playlist` overlapping the window, with a start offset at its first point (RFC 8216 §4.3.5.2).
    /// `None`: not a media playlist, or no segment overlaps.
    #[must_use]
    pub fn of(playlist: &str, window: Window) -> Option<Self> {
        let whole = parse_media_playlist_res(playlist.as_bytes()).ok()?;
        let (mut at_s, mut origin_s) = (0.0_f64, None);
        let (from_s, to_s) = (window.from_ms as f64 / 1_000.0, window.to_ms as f64 / 1_000.0);
        let (mut segments, mut map, mut skipped) = (Vec::new(), None, 0);
        for mut segment in whole.segments {
            let (begins, ends) = (at_s, at_s + f64::from(segment.duration));
            at_s = ends;
            map = segment.map.clone().or(map);
            if ends <= from_s {
                skipped += 1;
            } else if begins < to_s {
                if segments.is_empty() {
                    origin_s = Some(begins);
                    // The last map before the first of these segments applies to it as well.
                    segment.map.clone_from(&map);
                }
                segments.push(segment);
            }
        }
        let origin_s = origin_s?;
        let names = segments
            .iter()
            .flat_map(|segment| segment.map.iter().map(|map| map.uri.clone()).chain([segment.uri.clone()]))
            .collect();
        let cut = MediaPlaylist {
            segments,
            media_sequence: whole.media_sequence + skipped,
            // Segments that overlap the window no longer change once the window is over.
            end_list: whole.end_list || at_s >= to_s,
            playlist_type: Some(MediaPlaylistType::Vod).filter(|_| whole.end_list || at_s >= to_s),
            start: Some(Start {
                time_offset: (from_s - origin_s).max(0.0),
                precise: Some(true),
                other_attributes: Default::default(),
            }),
            ..whole
        };
        let mut text = Vec::new();
        cut.write_to(&mut text).ok()?;
        let origin_ms = (origin_s * 1_000.0).round() as i64;
        // Lesson time as a date: players use it to synchronise tracks whose first segments begin at different times.
        let date = format!("#EXT-X-PROGRAM-DATE-TIME:{}\n#EXTINF", date_of(origin_ms));
        let text = String::from_utf8(text).ok()?.replacen("#EXTINF", &date, 1);
        Some(Self { text, origin_ms, names })
    }

    /// Whether it lists this file.
    #[must_use]
    pub fn has(&self, file: &str) -> bool {
        self.names.iter().any(|name| name == file)
    }
}

/// Milliseconds since 1970 as a date. Lessons are shorter than a month.
fn date_of(ms: i64) -> String {
    let (day, ms) = (ms / 86_400_000 + 1, ms % 86_400_000);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("1970-01-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten segments of four seconds; the picture size changes with the sixth.
    fn playlist(ended: bool) -> String {
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:8\n#EXT-X-MEDIA-SEQUENCE:1\n");
        text.push_str(if ended { "#EXT-X-PLAYLIST-TYPE:VOD\n" } else { "#EXT-X-PLAYLIST-TYPE:EVENT\n" });
        for n in 1..=10 {
            if n == 1 || n == 6 {
                text.push_str(&format!("#EXT-X-MAP:URI=\"camera-init-{}.mp4\"\n", if n == 1 { 1 } else { 2 }));
            }
            text.push_str(&format!("#EXTINF:4.000,\ncamera-{n:06}.m4s\n"));
        }
        if ended {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }

    fn segments(cut: &Cut) -> Vec<&str> {
        cut.text.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn a_window_holds_what_overlaps_it_and_nothing_else() {
        let table = [
            ((0, 4_000), vec![1], 0),
            ((0, 4_001), vec![1, 2], 0),
            ((3_999, 5_000), vec![1, 2], 0),
            ((4_000, 8_000), vec![2], 4_000),
            ((17_500, 22_000), vec![5, 6], 16_000),
            ((36_000, 90_000), vec![10], 36_000),
        ];
        for ((from_ms, to_ms), expected, origin_ms) in table {
            let cut = Cut::of(&playlist(true), Window { from_ms, to_ms }).unwrap();
            let names: Vec<String> = expected.iter().map(|n| format!("camera-{n:06}.m4s")).collect();
            assert_eq!((segments(&cut), cut.origin_ms), (names.iter().map(String::as_str).collect(), origin_ms));
            assert!(cut.text.contains(&format!("#EXT-X-MEDIA-SEQUENCE:{}\n", expected[0])), "{}", cut.text);
            assert!(cut.text.ends_with("#EXT-X-ENDLIST\n"), "{}", cut.text);
            let date = format!("#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:{:02}.000Z\n#EXTINF", origin_ms / 1_000);
            assert_eq!(cut.text.matches("PROGRAM-DATE-TIME").count(), 1);
            assert!(cut.text.contains(&date), "{}", cut.text);
            let offset = (from_ms - origin_ms) as f64 / 1_000.0;
            assert!(cut.text.contains(&format!("#EXT-X-START:TIME-OFFSET={offset},PRECISE=YES")), "{}", cut.text);
        }
        assert_eq!(Cut::of(&playlist(true), Window { from_ms: 40_000, to_ms: 50_000 }), None);
        assert_eq!(Cut::of("no playlist", Window { from_ms: 0, to_ms: 1_000 }), None);
    }

    #[test]
    fn every_segment_finds_its_beginning_and_no_other_file_is_named() {
        let cut = Cut::of(&playlist(true), Window { from_ms: 17_500, to_ms: 30_000 }).unwrap();
        let lines: Vec<&str> =
            cut.text.lines().filter(|line| line.starts_with("#EXT-X-MAP") || !line.starts_with('#')).collect();
        let expected = [
            "#EXT-X-MAP:URI=\"camera-init-1.mp4\"",
            "camera-000005.m4s",
            "#EXT-X-MAP:URI=\"camera-init-2.mp4\"",
            "camera-000006.m4s",
            "camera-000007.m4s",
            "camera-000008.m4s",
        ];
        assert_eq!(lines, expected);
        assert!(cut.has("camera-init-1.mp4") && cut.has("camera-000008.m4s"));
        assert!(!cut.has("camera-000004.m4s") && !cut.has("camera-000009.m4s") && !cut.has("main.m3u8"));
        let later = Cut::of(&playlist(true), Window { from_ms: 25_000, to_ms: 30_000 }).unwrap();
        assert!(later.has("camera-init-2.mp4") && !later.has("camera-init-1.mp4"));
    }

    #[test]
    fn a_window_of_a_lesson_that_goes_on_ends_when_it_is_over() {
        let over = Cut::of(&playlist(false), Window { from_ms: 0, to_ms: 30_000 }).unwrap();
        let goes_on = Cut::of(&playlist(false), Window { from_ms: 0, to_ms: 60_000 }).unwrap();
        assert!(over.text.contains("ENDLIST") && !goes_on.text.contains("ENDLIST"));
    }

    #[test]
    fn a_piece_runs_forward_and_is_a_piece_of_a_lesson() {
        assert_eq!(Window::new(1_000, 2_000).map(Window::length_ms), Some(1_000));
        for (from_ms, to_ms) in
            [(-1, 5_000), (5_000, 5_000), (5_000, 5_999), (0, CLIP_MS_MAX + 1), (i64::MIN, i64::MAX)]
        {
            assert_eq!(Window::new(from_ms, to_ms), None);
        }
    }
}
