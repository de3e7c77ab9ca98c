//! The control lesson: whatever is done to another one, it loses nothing.

use std::net::SocketAddr;

use rtc_rtcp::receiver_report::ReceiverReport;
use sfu::RoomId;

use crate::seeded::{FRAME, Far, Lesson, publish_terms, view_terms};

/// What each address was sent.
pub type Sent = Vec<(SocketAddr, Vec<u8>)>;

/// A teacher and two classrooms in a room of their own on the same worker.
pub struct Beside {
    teacher: Far,
    rooms: [Far; 2],
    number: u16,
    pictures: [u16; 2],
    voices: [u16; 2],
}

impl Beside {
    pub fn new(lesson: &mut Lesson) -> Self {
        lesson.lobby.open_room(ROOM);
        let teacher = lesson.join_room(ROOM, 250, publish_terms());
        let rooms = [251, 252].map(|peer| lesson.join_room(ROOM, peer, view_terms()));
        Self { teacher, rooms, number: 0, pictures: [0; 2], voices: [0; 2] }
    }

    /// One picture and two voice packets, and all that happens until the next picture.
    pub fn frame(&mut self, lesson: &mut Lesson) -> Sent {
        lesson.picture(&mut self.teacher, self.number, self.number.is_multiple_of(50));
        for half in 0..2 {
            let number = 2 * self.number + half;
            lesson.send(&mut self.teacher, 2_000, 111, number, u32::from(number) * 960, false, &[0xf8, 1, 2]);
        }
        if self.number.is_multiple_of(25) {
            for room in &mut self.rooms {
                let report = room.report(&ReceiverReport { ssrc: 1, ..Default::default() });
                lesson.worker.handle_datagram(lesson.now, room.address, report);
            }
        }
        self.number += 1;
        let sent = lesson.run(FRAME);
        for (at, room) in self.rooms.iter_mut().enumerate() {
            for (ssrc, ..) in room.rtp(&sent) {
                match ssrc {
                    70 => self.voices[at] += 1,
                    80 => self.pictures[at] += 1,
                    other => panic!("a packet of SSRC {other}"),
                }
            }
        }
        sent
    }

    pub fn frames(&mut self, lesson: &mut Lesson, count: u16) -> Sent {
        (0..count).flat_map(|_| self.frame(lesson)).collect()
    }

    /// Runs on for a second, so that the figures are there, and judges.
    pub fn lost_nothing(mut self, lesson: &mut Lesson) {
        self.frames(lesson, 30);
        assert_eq!(self.pictures, [self.number; 2], "pictures of the lesson beside it");
        assert_eq!(self.voices, [2 * self.number; 2], "voice of the lesson beside it");
        assert_eq!(lesson.worker.stats().panics, 0);
    }
}

const ROOM: RoomId = RoomId(99);
