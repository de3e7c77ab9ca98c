//! Which of a picture's layers a room's taps are sent.
#![expect(clippy::disallowed_methods, reason = "the test needs one first moment of time")]

use std::time::{Duration, Instant};

use sfu::{
    Codec, PeerId, RoomId, TrackId, TrackKind,
    packet::Packet,
    room::{Home, LayerPackets, LayerSource, Room},
    tap::{self, TapItem, TapReceiver},
};

/// A teacher's camera of two layers, and the room it is shown in.
struct Camera {
    now: Instant,
    room: Room,
    seq: u64,
    ids: u64,
}

const SMALL: usize = 0;
const LARGE: usize = 1;

impl Camera {
    fn new() -> Self {
        Self { now: Instant::now(), room: Room::new(RoomId(1)), seq: 0, ids: 0 }
    }

    /// So many seconds of ten pictures each of these layers; the first of a second is a keyframe.
    fn show(&mut self, seconds: u32, layers: &[usize]) {
        for picture in 0..seconds * 10 {
            self.seq += 1;
            for &layer in layers {
                let packet = Packet {
                    seq: self.seq,
                    timestamp: (self.seq * 9_000) as u32,
                    marker: true,
                    codec: Codec::H264,
                    keyframe: picture % 10 == 0,
                    frame_start: true,
                    layered: None,
                    payload: vec![7; if layer == SMALL { 200 } else { 1_000 }].into(),
                    audio_level: None,
                    vp8: None,
                };
                let ids = &mut self.ids;
                let next_id = || {
                    *ids += 1;
                    TrackId(*ids)
                };
                let source = LayerSource {
                    publisher: PeerId(1),
                    kind: TrackKind::Camera,
                    codec: Codec::H264,
                    layer,
                    layers: 2,
                    best: layer,
                    home: Home::Here { index: 0 },
                };
                let began = self.room.admit(self.now, &source, LayerPackets::Packet(packet), next_id);
                began.unwrap().expect("a packet that was not there before");
            }
            self.now += Duration::from_millis(100);
            self.room.release(self.now);
            self.room.end_bursts();
            if picture % 10 == 9 {
                self.room.choose_layers(self.now);
            }
        }
    }

    fn tap(&mut self) -> TapReceiver {
        let (sender, reader) = tap::channel(10_000);
        self.room.tap(self.now, sender);
        reader
    }
}

/// How many bytes the newest packet had that came, and how many tracks began. Whatever came before is read.
fn newest(reader: &TapReceiver) -> (usize, usize) {
    let (mut bytes, mut began) = (0, 0);
    while let Some(item) = reader.try_recv() {
        match item {
            TapItem::Packet { packet, .. } => bytes = packet.payload.len(),
            TapItem::Started { .. } => began += 1,
            _ => {}
        }
    }
    (bytes, began)
}

#[test]
fn a_reader_gets_the_best_layer_and_the_lightest_while_that_is_enough_for_all_readers() {
    let mut camera = Camera::new();
    let reader = camera.tap();
    camera.show(3, &[SMALL, LARGE]);
    assert_eq!(newest(&reader).0, 1_000);

    reader.want_light(&[TrackKind::Board]);
    camera.show(3, &[SMALL, LARGE]);
    assert_eq!(newest(&reader), (1_000, 0), "of another track");

    reader.want_light(&[TrackKind::Camera]);
    camera.show(3, &[SMALL, LARGE]);
    assert_eq!(newest(&reader), (200, 1), "one change, at a keyframe");
    camera.show(20, &[SMALL, LARGE]);
    assert_eq!(newest(&reader), (200, 0), "and it stays");

    let other = camera.tap();
    camera.show(3, &[SMALL, LARGE]);
    assert_eq!((newest(&reader).0, newest(&other).0), (1_000, 1_000), "one reader wants it whole");
    drop(other);
    camera.show(3, &[SMALL, LARGE]);
    assert_eq!(newest(&reader).0, 200);

    reader.want_light(&[]);
    camera.show(3, &[SMALL, LARGE]);
    assert_eq!(newest(&reader), (1_000, 1));
}

#[test]
fn a_lightest_layer_that_falls_silent_gives_way_to_the_one_that_flows() {
    let mut camera = Camera::new();
    let reader = camera.tap();
    reader.want_light(&[TrackKind::Camera]);
    camera.show(3, &[SMALL, LARGE]);
    assert_eq!(newest(&reader).0, 200);
    camera.show(5, &[LARGE]);
    assert_eq!(newest(&reader).0, 1_000, "the sender has switched the small one off");
    camera.show(3, &[SMALL, LARGE]);
    assert_eq!(newest(&reader).0, 200);
}
