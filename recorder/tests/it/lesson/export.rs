//! A lesson as one MP4 file: read from anywhere, judged by ffmpeg.

use std::{fs, io::Read, path::PathBuf, sync::OnceLock};

use proptest::prelude::*;
use recorder::{Archive, ArchiveError, Export, ExportCursor, ExportSpan, ExportTracks};

use super::*;

impl Recorded {
    fn export(&self, tracks: ExportTracks, span: Option<ExportSpan>) -> Arc<Export> {
        self.archive.export(self.id(), tracks, span).unwrap()
    }

    /// The export as a file beside the recording.
    fn written(&self, tracks: ExportTracks, span: Option<ExportSpan>) -> PathBuf {
        let export = self.export(tracks, span);
        let mut bytes = Vec::new();
        export.reader(0).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, export.size_bytes());
        let name = match span {
            None => format!("whole-{tracks}.mp4"),
            Some(ExportSpan { from_ms, to_ms }) => format!("clip-{tracks}-{from_ms}-{to_ms}.mp4"),
        };
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// Voice, camera and board from 0.5 s on, ended after `seconds`.
pub fn lesson_with_board(seconds: u32) -> Recorded {
    let mut lesson = Lesson::begin();
    let camera = teacher::pictures(Codec::H264, lesson.folder.path(), seconds - 1, "320x180");
    let board = teacher::pictures(Codec::H264, lesson.folder.path(), seconds - 1, "640x360");
    let mut line = Line::clean();
    let mut items = teacher::microphone(lesson.start, 0.5, VOICE, &teacher::voice(seconds - 1), &mut line);
    items.extend(teacher::camera(lesson.start, 0.5, CAMERA, Codec::H264, &camera, &mut line));
    let mut shown = teacher::camera(lesson.start, 0.5, TrackId(3), Codec::H264, &board, &mut line);
    if let Some((_, TapItem::Started { kind, .. })) = shown.first_mut() {
        *kind = TrackKind::Board;
    }
    items.extend(shown);
    lesson.play(items, f64::from(seconds));
    lesson.finish()
}

#[test]
fn a_lesson_with_outages_is_one_file_that_keeps_its_lips() {
    let mut lesson = Lesson::begin();
    let pictures = teacher::pictures(Codec::H264, lesson.folder.path(), 84, "640x360");
    let mut line = Line { seed: 7, repaired: 50, lost: 0, outages: vec![(20.0, 30.0), (55.0, 65.0)] };
    let mut items = teacher::microphone(lesson.start, 1.5, VOICE, &teacher::voice(84), &mut line);
    items.extend(teacher::camera(lesson.start, 1.5, CAMERA, Codec::H264, &pictures, &mut line));
    lesson.play(items, 88.0);
    let recorded = lesson.finish();
    let file = recorded.written(ExportTracks::Camera, None);
    ffmpeg::decodes_cleanly(&file);
    let duration = ffmpeg::duration(&file);
    assert!((duration - 88.0).abs() < 0.1, "{duration}");
    let beeps = beeps(&ffmpeg::pcm(&file));
    let mut pairs = 0;
    for flash in flashes(&file) {
        let beep = beeps.iter().copied().min_by(|a, b| (a - flash).abs().total_cmp(&(b - flash).abs())).unwrap();
        if (beep - flash).abs() < 0.5 {
            assert!((beep - flash).abs() <= 0.060, "at {flash}: {}", beep - flash);
            pairs += 1;
        }
    }
    assert!(pairs >= 28, "{pairs}");
}

#[test]
fn every_choice_of_tracks_is_a_clean_file_with_its_head_in_front() {
    let recorded = lesson_with_board(14);
    for (tracks, streams) in [
        (ExportTracks::Camera, &["video,320", "audio"][..]),
        (ExportTracks::Board, &["video,640", "audio"]),
        (ExportTracks::Both, &["video,640", "video,320", "audio"]),
        (ExportTracks::Voice, &["audio"]),
    ] {
        let file = recorded.written(tracks, None);
        ffmpeg::decodes_cleanly(&file);
        assert_eq!(ffmpeg::streams(&file), streams, "{tracks}");
        assert!((ffmpeg::duration(&file) - 14.0).abs() < 0.1, "{tracks}");
        let bytes = fs::read(&file).unwrap();
        let moov = bytes.windows(4).position(|kind| kind == b"moov").unwrap();
        let mdat = bytes.windows(4).position(|kind| kind == b"mdat").unwrap();
        assert!(moov < mdat);
        // Exactly the pictures and packets that the segments hold, in their order.
        for (stream, kind) in [("v:0", TrackKind::Camera), ("a:0", TrackKind::Voice)] {
            if tracks == ExportTracks::Camera {
                let (whole, parts) = (ffmpeg::packets(&file, stream), ffmpeg::packets(&recorded.file(kind), stream));
                assert!(whole.len() > 300 && whole == parts, "{kind}: {} and {}", whole.len(), parts.len());
            }
        }
    }
    let gone = recorded.archive.export(
        recorded.id(),
        ExportTracks::Board,
        Some(ExportSpan { from_ms: 20_000, to_ms: 30_000 }),
    );
    assert!(matches!(gone, Err(ArchiveError::NoFile { .. })), "{gone:?}");
    let empty =
        recorded.archive.export(recorded.id(), ExportTracks::Board, Some(ExportSpan { from_ms: 9_000, to_ms: 9_000 }));
    assert!(matches!(empty, Err(ArchiveError::NoFile { .. })), "{empty:?}");
}

#[test]
fn a_clip_begins_and_ends_at_the_very_picture_that_was_asked_for() {
    let recorded = lesson_with_board(14);
    let whole = ffmpeg::brightness(&recorded.written(ExportTracks::Camera, None));
    let sound = ffmpeg::pcm(&recorded.written(ExportTracks::Voice, None));
    // Inside a group, at a keyframe, shorter than a picture, across segments, to the very end.
    for (from_ms, to_ms) in [(3_217, 6_733), (4_545, 9_000), (5_000, 5_010), (0, 2_000), (1, 13_999), (12_000, 99_000)]
    {
        let span = ExportSpan { from_ms, to_ms };
        let file = recorded.written(ExportTracks::Camera, Some(span));
        ffmpeg::decodes_cleanly(&file);
        let (from, to) = (from_ms as f64 / 1_000.0, to_ms.min(14_000) as f64 / 1_000.0);
        let duration = ffmpeg::duration(&file);
        assert!((duration - (to - from)).abs() < 0.045, "{span:?} lasts {duration}");
        let clip = ffmpeg::brightness(&file);
        // The picture that is on the screen at the in-point is the first one, however long ago it was taken.
        let first = whole.iter().rposition(|(at, _)| *at <= from + 0.0005).unwrap();
        let end = whole.iter().position(|(at, _)| *at >= to - 0.0005).unwrap_or(whole.len());
        let expected = &whole[first..end];
        assert_eq!(clip.len(), expected.len(), "{span:?}");
        for (n, ((at, bright), (was, same))) in clip.iter().zip(expected).enumerate() {
            let due = (was - from).max(0.0);
            assert!((at - due).abs() < 0.0025 && bright == same, "{span:?} {n}: {at} {bright}, not {due} {same}");
        }
        // The voice is the same sample for sample, where the decoder has had its 80 ms.
        let heard = ffmpeg::pcm(&file);
        let same = &sound[(from * 48_000.0) as usize..];
        let skip = 480;
        let n = heard.len().min(same.len()).saturating_sub(skip).min(((to - from) * 48_000.0) as usize);
        let off = (skip..n).map(|i| (i32::from(heard[i]) - i32::from(same[i])).abs()).max().unwrap_or(0);
        assert!(off < 400, "{span:?}: {off}");
    }
}

#[test]
fn another_size_is_another_description_and_another_codec_another_track() {
    let mut lesson = Lesson::begin();
    let small = teacher::pictures(Codec::H264, lesson.folder.path(), 8, "320x180");
    let large = teacher::pictures(Codec::H264, lesson.folder.path(), 8, "640x360");
    let other = teacher::pictures(Codec::Vp9, lesson.folder.path(), 8, "640x360");
    let mut line = Line::clean();
    let mut items = teacher::microphone(lesson.start, 0.0, VOICE, &teacher::voice(29), &mut line);
    items.extend(teacher::camera(lesson.start, 1.0, CAMERA, Codec::H264, &small, &mut line));
    items.extend(teacher::camera(lesson.start, 11.0, TrackId(9), Codec::H264, &large, &mut line));
    lesson.play(items, 20.0);
    // So far one codec: one track, whose every picture is decoded, of both sizes.
    let archive = Archive::open(lesson.folder.path().to_owned(), Arc::new(SystemClock)).unwrap();
    let running = archive.export(ID.parse().unwrap(), ExportTracks::Camera, None).unwrap();
    let mut bytes = Vec::new();
    running.reader(0).read_to_end(&mut bytes).unwrap();
    let file = lesson.folder.path().join("running.mp4");
    fs::write(&file, bytes).unwrap();
    ffmpeg::decodes_cleanly(&file);
    assert_eq!(ffmpeg::sizes(&file), ["320x180", "640x360"]);
    assert!(ffmpeg::duration(&file) > 12.0, "what is durable of a lesson that goes on");
    let items = teacher::camera(lesson.start, 20.0, TrackId(10), Codec::Vp9, &other, &mut line);
    lesson.play(items, 29.0);
    let recorded = lesson.finish();
    let file = recorded.written(ExportTracks::Camera, None);
    ffmpeg::decodes_cleanly(&file);
    assert_eq!(ffmpeg::streams(&file), ["video,320", "video,640", "audio"], "the first of a track's sizes is told");
    assert!((ffmpeg::duration(&file) - 29.0).abs() < 0.1);
    let first = ExportSpan { from_ms: 15_000, to_ms: 19_000 };
    let clip = recorded.written(ExportTracks::Camera, Some(first));
    ffmpeg::decodes_cleanly(&clip);
    assert_eq!(ffmpeg::streams(&clip), ["video,640", "audio"], "a clip holds what it shows");
}

#[test]
fn vp9_and_av1_are_clean_files_too() {
    for codec in [Codec::Vp9, Codec::Av1] {
        let mut lesson = Lesson::begin();
        let pictures = teacher::pictures(codec, lesson.folder.path(), 10, "320x180");
        let mut line = Line::clean();
        let mut items = teacher::camera(lesson.start, 0.5, CAMERA, codec, &pictures, &mut line);
        items.extend(teacher::microphone(lesson.start, 0.5, VOICE, &teacher::voice(10), &mut line));
        lesson.play(items, 11.0);
        let recorded = lesson.finish();
        for span in [None, Some(ExportSpan { from_ms: 3_300, to_ms: 7_700 })] {
            let file = recorded.written(ExportTracks::Camera, span);
            ffmpeg::decodes_cleanly(&file);
            let expected = if span.is_none() { 11.0 } else { 4.4 };
            assert!((ffmpeg::duration(&file) - expected).abs() < 0.1, "{codec:?} {span:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    /// However a player asks, it is given the same file.
    #[test]
    fn the_ranges_of_any_span_are_the_whole(
        from_ms in 0_u64..14_500,
        len_ms in 1_u64..15_000,
        tracks in prop_oneof![
            Just(ExportTracks::Camera), Just(ExportTracks::Board), Just(ExportTracks::Both), Just(ExportTracks::Voice)],
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        static LESSON: OnceLock<Recorded> = OnceLock::new();
        let recorded = LESSON.get_or_init(|| lesson_with_board(14));
        let span = ExportSpan { from_ms, to_ms: from_ms + len_ms };
        let export = match recorded.archive.export(recorded.id(), tracks, Some(span)) {
            Ok(export) => export,
            Err(ArchiveError::NoFile { .. }) => {
                prop_assert!(from_ms >= 14_000);
                return Ok(());
            }
            Err(error) => panic!("{error}"),
        };
        let mut whole = Vec::new();
        export.reader(0).read_to_end(&mut whole).unwrap();
        prop_assert_eq!(whole.len() as u64, export.size_bytes());
        // Made anew it is the same, byte for byte.
        let again = Archive::open(recorded.folder.path().to_owned(), Arc::new(SystemClock)).unwrap();
        let again = again.export(recorded.id(), tracks, Some(span)).unwrap();
        prop_assert_eq!(again.tag(), export.tag());
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len())).collect();
        ends.push(whole.len());
        ends.sort_unstable();
        let (mut from, mut joined) = (0, Vec::new());
        for end in ends {
            let mut part = vec![0; end - from];
            let mut cursor = ExportCursor::at(from as u64);
            prop_assert_eq!(again.read(&mut cursor, &mut part).unwrap(), part.len());
            joined.extend(part);
            from = end;
        }
        prop_assert!(joined == whole);
        prop_assert_eq!(export.read(&mut ExportCursor::at(u64::MAX), &mut [0; 9]).unwrap(), 0);
    }
}

#[test]
fn a_link_planted_in_a_recordings_folder_is_not_followed() {
    let recorded = lesson_with_board(6);
    let folder = recorded.folder.path().join(ID);
    let secret = recorded.folder.path().join("secret");
    fs::write(&secret, "a key").unwrap();
    let name = "voice-000001.m4s";
    assert!(recorded.archive.open_media(recorded.id(), name).is_ok());
    for target in [secret.as_path(), Path::new("../secret"), Path::new("voice-init-1.mp4"), Path::new("/dev/zero")] {
        fs::remove_file(folder.join(name)).unwrap();
        std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
        let opened = recorded.archive.open_media(recorded.id(), name);
        assert!(matches!(opened, Err(ArchiveError::NoFile { .. })), "{target:?}: {opened:?}");
        assert!(recorded.archive.export(recorded.id(), ExportTracks::Voice, None).is_err());
    }
    // The whole folder elsewhere.
    fs::rename(&folder, recorded.folder.path().join("moved")).unwrap();
    std::os::unix::fs::symlink("moved", &folder).unwrap();
    assert!(recorded.archive.open_media(recorded.id(), "voice-init-1.mp4").is_err());
}
