//! What happens in a simulated lesson, line by line.

use std::fmt::Write as _;

use super::{Attendance, SLOTS, Simulation, classroom::Noticed};

impl Simulation {
    pub(super) fn notice(&mut self, at: usize, noticed: &mut Vec<Noticed>) {
        for what in noticed.drain(..) {
            let name = self.classrooms[at].name.clone();
            match what {
                Noticed::FirstPicture(waited) => {
                    self.tell(format_args!("{name} sees its first picture after {} ms", waited.as_millis()));
                }
                Noticed::Thawed(slot, freeze) => {
                    self.tell(format_args!("{name}: the {} stood for {} ms", SLOTS[slot], freeze.lasted.as_millis()));
                }
                Noticed::AskedKeyframe(slot) => {
                    self.tell(format_args!("{name} asks for a keyframe of the {}", SLOTS[slot]));
                }
            }
        }
    }

    pub(super) fn sum_up(&mut self) {
        for at in 0..self.teachers.len() {
            let place = &self.teachers[at];
            let (name, counts, keyframes) = (place.name.clone(), place.who.counts(), place.who.keyframes());
            self.tell(format_args!(
                "So far the {name}: {} packets, {} sent again, {keyframes} keyframes, {} asked for",
                counts.packets, counts.retransmitted, counts.keyframes_asked
            ));
        }
        for at in 0..self.classrooms.len() {
            let name = self.classrooms[at].name.clone();
            let Attendance { screen, speaker, missed, picture_packets_lost, voice_packets_lost, down, .. } =
                self.attendance(&name);
            self.tell(format_args!(
                "So far {name}: {} pictures, {} freezes of {} ms in all, the longest {} ms; {:.2} % of the voice concealed; \
                 {missed} packets missed, of the picture {picture_packets_lost} and of the voice {voice_packets_lost} lost for good; its line lost {} and overflowed {} of {}",
                screen.pictures,
                screen.freezes,
                screen.frozen.as_millis(),
                screen.longest.as_millis(),
                speaker.concealed_share() * 100.0,
                down.lost,
                down.overflowed,
                down.sent
            ));
        }
    }

    pub(super) fn tell(&mut self, what: std::fmt::Arguments<'_>) {
        if self.story.len() > STORY_BYTES_MAX {
            return;
        }
        let at = (self.now - self.start).as_millis();
        let (seconds, millis) = (at / 1_000, at % 1_000);
        let _ = writeln!(self.story, "{:02}:{:02}.{millis:03} {what}", seconds / 60, seconds % 60);
    }
}

/// A story that long is a fault in itself.
const STORY_BYTES_MAX: usize = 4 << 20;
