//! What happens in a simulated lesson, line by line.

use std::fmt::Write as _;

use super::{Attendance, SLOTS, Simulation, classroom::Observation};

impl Simulation {
    pub(super) fn record_observations(&mut self, at: usize, observations: &mut Vec<Observation>) {
        for what in observations.drain(..) {
            let name = self.classrooms[at].name.clone();
            match what {
                Observation::FirstPicture(waited) => {
                    self.record(format_args!("{name} sees its first picture after {} ms", waited.as_millis()));
                }
                Observation::Thawed(slot, freeze) => {
                    self.record(format_args!("{name}: the {} stood for {} ms", SLOTS[slot], freeze.lasted.as_millis()));
                }
                Observation::AskedKeyframe(slot) => {
                    self.record(format_args!("{name} asks for a keyframe of the {}", SLOTS[slot]));
                }
            }
        }
    }

    pub(super) fn record_totals(&mut self) {
        for at in 0..self.teachers.len() {
            let place = &self.teachers[at];
            let (name, counts, keyframes) = (place.name.clone(), place.who.counts(), place.who.keyframes());
            self.record(format_args!(
                "So far the {name}: {} packets, {} sent again, {keyframes} keyframes, {} asked for",
                counts.packets, counts.retransmitted, counts.keyframes_asked
            ));
        }
        for at in 0..self.classrooms.len() {
            let name = self.classrooms[at].name.clone();
            let Attendance { screen, speaker, missed, picture_packets_lost, voice_packets_lost, down, .. } =
                self.attendance(&name);
            self.record(format_args!(
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

    pub(super) fn record(&mut self, what: std::fmt::Arguments<'_>) {
        if self.story.len() > STORY_BYTES_MAX {
            return;
        }
        let at = (self.now - self.start).as_millis();
        let (seconds, millis) = (at / 1_000, at % 1_000);
        let _ = writeln!(self.story, "{:02}:{:02}.{millis:03} {what}", seconds / 60, seconds % 60);
    }
}

/// A longer story is a defect: the rest is cut.
const STORY_BYTES_MAX: usize = 4 << 20;
