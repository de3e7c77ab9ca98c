//! Board and camera in one frame, by the ffmpeg that is installed.

use std::{io::Read, thread};

use recorder::{
    ExportTracks,
    composite::{Composer, CompositeRefused, CompositeState},
};

use super::{export::lesson_with_board, *};

/// Looks until it is done with, and answers how often it grew.
fn made(composer: &Composer, id: RecordingId) -> (CompositeState, usize) {
    let (mut steps, mut last) = (0, -1.0);
    loop {
        match composer.state(id).expect("it was begun") {
            CompositeState::Making(share) => {
                assert!((0.0..=1.0).contains(&share) && share >= last, "{share} after {last}");
                steps += usize::from(share > last);
                last = share;
                thread::park_timeout(Duration::from_millis(20));
            }
            state => return (state, steps),
        }
    }
}

#[test]
fn board_and_camera_are_put_into_one_frame_and_the_evidence_is_left_alone() {
    let recorded = lesson_with_board(14);
    let dir = recorded.folder.path().join("derived");
    let composer = Composer::open(dir.clone(), "ffmpeg").unwrap();
    let export = recorded.archive.export(recorded.id(), ExportTracks::Both, None).unwrap();
    assert_eq!(composer.state(recorded.id()), None);
    composer.begin(recorded.id(), export.clone()).unwrap();
    let busy = composer.begin(recorded.id(), export.clone());
    assert!(matches!(busy, Err(CompositeRefused::Busy(id)) if id == recorded.id()), "{busy:?}");
    let (state, steps) = made(&composer, recorded.id());
    let CompositeState::Ready { size_bytes } = state else { panic!("{state:?}") };
    let mut bytes = Vec::new();
    composer.file(recorded.id()).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, size_bytes);
    println!("{size_bytes} bytes, progress told {steps} times");
    let file = dir.join(format!("{ID}.mp4"));
    ffmpeg::decodes_cleanly(&file);
    assert_eq!(ffmpeg::streams(&file), ["video,1280", "audio"]);
    assert!((ffmpeg::duration(&file) - 14.0).abs() < 0.15);
    assert!(matches!(composer.begin(recorded.id(), export), Err(CompositeRefused::Ready)));
    assert!(recorded.archive.verify(recorded.id()).unwrap().unwrap().sealed, "nothing was put beside the evidence");
    assert!(composer.cancel(recorded.id()) && !composer.cancel(recorded.id()));
    assert_eq!(composer.state(recorded.id()), None);
}

#[test]
fn a_composite_is_given_up_and_what_is_left_of_it_is_gone() {
    let recorded = lesson_with_board(14);
    let dir = recorded.folder.path().join("derived");
    let composer = Composer::open(dir.clone(), "ffmpeg").unwrap();
    let export = recorded.archive.export(recorded.id(), ExportTracks::Both, None).unwrap();
    composer.begin(recorded.id(), export.clone()).unwrap();
    assert!(composer.cancel(recorded.id()));
    assert_eq!(composer.state(recorded.id()), None);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    // Another may be begun at once; the first one's last words do not harm it.
    composer.begin(recorded.id(), export.clone()).unwrap();
    assert!(matches!(made(&composer, recorded.id()).0, CompositeState::Ready { .. }));
    // A process that died left a part; one without ffmpeg says so; one picture is none.
    fs::write(dir.join("x.part"), "half").unwrap();
    let nothing = Composer::open(dir.clone(), "no-such-ffmpeg").unwrap();
    assert!(!dir.join("x.part").exists());
    assert!(nothing.cancel(recorded.id()));
    assert!(matches!(nothing.begin(recorded.id(), export), Err(CompositeRefused::NoFfmpeg(_))));
    let one = recorded.archive.export(recorded.id(), ExportTracks::Board, None).unwrap();
    assert!(matches!(composer.begin(recorded.id(), one), Err(CompositeRefused::NotTwoPictures)));
    // A program that fails leaves nothing but its failure.
    let failing = Composer::open(dir, "false").unwrap();
    let export = recorded.archive.export(recorded.id(), ExportTracks::Both, None).unwrap();
    failing.begin(recorded.id(), export).unwrap();
    assert_eq!(made(&failing, recorded.id()).0, CompositeState::Failed);
}
