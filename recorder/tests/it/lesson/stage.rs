//! A class on stage: kept only where that was chosen, and then as one voice with the teacher's.

use recorder::{ChapterKind, ExportTracks, TrackSelection};

use super::*;

const STAGE: TrackId = TrackId(7);

/// A teacher who beeps at every even second, and a class that beeps at every odd one while it is on stage, from the
/// tenth second to the twentieth, of thirty.
fn told(start: Instant) -> Vec<(f64, TapItem)> {
    let mut line = Line::clean();
    let mut items = teacher::microphone(start, 0.0, VOICE, &teacher::voice(30), &mut line);
    let beep = |t: f64| if (t + 1.0) % 2.0 < 0.2 { 0.5 * (t * 1_000.0 * std::f64::consts::TAU).sin() } else { 0.0 };
    let mut stage = teacher::microphone(start, 10.0, STAGE, &teacher::sound(10, beep), &mut line);
    if let Some((_, TapItem::Started { kind, .. })) = stage.first_mut() {
        *kind = TrackKind::StageVoice;
    }
    let end = 20.1;
    stage.push((end, TapItem::Ended { track: STAGE, at: at(start, end) }));
    items.extend(stage);
    items
}

fn lesson(kept: TrackSelection) -> Lesson {
    let mut lesson = Lesson::begin();
    lesson.recording = Recording::new(lesson.start, Duration::ZERO, []).with_selection(kept);
    lesson
}

/// The whole seconds at which it beeps.
fn seconds(file: &Path) -> Vec<u32> {
    beeps(&ffmpeg::pcm(file)).into_iter().map(|at| at.round() as u32).collect()
}

#[test]
fn a_class_on_stage_is_not_kept_unless_its_school_has_said_so() {
    let mut lesson = lesson(TrackSelection::default());
    lesson.play(told(lesson.start), 30.5);
    let recorded = lesson.finish();
    let kinds: Vec<TrackKind> = recorded.manifest.tracks.iter().map(|track| track.kind).collect();
    assert_eq!((kinds, recorded.manifest.chapters.len()), (vec![TrackKind::Voice], 0));
    let names = fs::read_dir(recorded.folder.path().join(ID)).unwrap();
    assert!(names.flatten().all(|file| !file.file_name().to_string_lossy().contains("stage")));
}

#[test]
fn a_stage_is_mixed_while_it_is_open_and_the_teachers_packets_are_kept_as_they_are_otherwise() {
    let mut lesson = lesson(TrackSelection::WITH_STAGE);
    lesson.play(told(lesson.start), 30.5);
    let recorded = lesson.finish();
    recorded.plays_for(30.5);
    let (alone, mixed) = (recorded.file(TrackKind::Voice), recorded.file(TrackKind::MixedVoice));
    assert_eq!(seconds(&alone), (1..15).map(|n| n * 2).collect::<Vec<u32>>());
    let expected: Vec<u32> = (2..30).filter(|n| n % 2 == 0 || (10..20).contains(n)).collect();
    assert_eq!(seconds(&mixed), expected);
    assert_eq!(seconds(&recorded.file(TrackKind::StageVoice)), [11, 13, 15, 17, 19]);
    let (theirs, packets) = (ffmpeg::packets(&alone, "a:0"), ffmpeg::packets(&mixed, "a:0"));
    let as_they_are = theirs.iter().zip(&packets).filter(|(one, other)| one == other).count();
    println!("{as_they_are} of {} packets are the teacher's own", packets.len());
    assert_eq!(theirs.len(), packets.len());
    assert!(theirs[..490] == packets[..490] && theirs[1_300..] == packets[1_300..], "not on stage");
    assert!(theirs[520..980].iter().zip(&packets[520..980]).all(|(one, other)| one != other), "on stage");
    // What is played and taken away is the mix.
    let main = recorded.archive.playlist(recorded.id(), "main.m3u8").unwrap();
    assert!(main.contains("mixed_voice.m3u8"), "{main}");
    let file = recorded.folder.path().join("whole.mp4");
    let mut bytes = Vec::new();
    let export = recorded.archive.export(recorded.id(), ExportTracks::Voice, None).unwrap();
    std::io::Read::read_to_end(&mut export.reader(0), &mut bytes).unwrap();
    fs::write(&file, bytes).unwrap();
    ffmpeg::decodes_cleanly(&file);
    assert_eq!(seconds(&file), expected);
    let [chapter] = recorded.manifest.chapters[..] else { panic!("{:?}", recorded.manifest.chapters) };
    assert!(chapter.kind == ChapterKind::Stage && chapter.at_ms.abs_diff(10_050) < 150, "{chapter:?}");
}

#[test]
fn a_mix_goes_on_after_a_crash() {
    let mut lesson = lesson(TrackSelection::WITH_STAGE);
    let mut items = told(lesson.start);
    items.retain(|(arrival, _)| *arrival < 15.0);
    lesson.play(items, 15.0);
    lesson.crash(2.0);
    lesson.recording = lesson.recording.with_selection(TrackSelection::WITH_STAGE);
    let begun = lesson.clock;
    let items = teacher::microphone(lesson.start, begun, TrackId(11), &teacher::voice(10), &mut Line::clean());
    lesson.play(items, begun + 10.5);
    let recorded = lesson.finish();
    recorded.plays_for(begun + 10.5);
    assert!(seconds(&recorded.file(TrackKind::MixedVoice)).len() >= 14);
}
