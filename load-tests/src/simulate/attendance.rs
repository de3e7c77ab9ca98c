//! What a classroom of a simulated lesson saw and heard, and what the hub says of it.

use std::time::Duration;

use sfu::stats::{HubStats, PeerStats};

use super::{Simulation, classroom::SlotModel};
use crate::{
    line::LinkCounts,
    receiver::{ScreenCounts, SpeakerCounts},
};

/// What a classroom saw and heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attendance {
    /// From joining to the first picture. `None`: it never saw one.
    pub first_picture: Option<Duration>,
    /// All its screens together; the longest freeze is the longest on any of them.
    pub screen: ScreenCounts,
    /// Its speaker.
    pub speaker: SpeakerCounts,
    /// Packets that were missing when a later one came.
    pub missed: u64,
    /// Picture packets that never came.
    pub picture_packets_lost: u64,
    /// Voice packets that never came.
    pub voice_packets_lost: u64,
    /// Voice packets received, and their payload with all redundancy, in bytes.
    pub voice_packets: (u64, u64),
    /// Keyframes that it asked for.
    pub keyframes_asked: u64,
    /// The line towards it.
    pub down: LinkCounts,
}

impl Simulation {
    /// The longest freeze on any screen of a classroom.
    ///
    /// # Panics
    /// There is no classroom of that name.
    #[must_use]
    pub fn longest_freeze(&self, name: &str) -> Duration {
        self.attendance(name).screen.longest
    }

    /// Share of a classroom's voice that was concealed, 0 to 1.
    ///
    /// # Panics
    /// There is no classroom of that name.
    #[must_use]
    pub fn concealed(&self, name: &str) -> f64 {
        self.attendance(name).speaker.concealed_share()
    }

    /// Everything that a classroom saw and heard so far.
    ///
    /// # Panics
    /// There is no classroom of that name.
    #[must_use]
    pub fn attendance(&self, name: &str) -> Attendance {
        let place = &self.classrooms[self.find(name)];
        let mut attendance = Attendance {
            first_picture: place.who.first_picture(),
            screen: ScreenCounts::default(),
            speaker: SpeakerCounts::default(),
            missed: 0,
            picture_packets_lost: 0,
            voice_packets_lost: 0,
            voice_packets: (0, 0),
            keyframes_asked: 0,
            down: place.down.counts(),
        };
        for (index, slot) in place.who.slots().iter().enumerate() {
            let counts = place.who.counts(index);
            attendance.missed += counts.missed;
            attendance.keyframes_asked += counts.keyframes_asked;
            match slot {
                SlotModel::Speaker(speaker) => {
                    attendance.speaker = speaker.counts();
                    attendance.voice_packets_lost += counts.lost();
                    attendance.voice_packets = (counts.packets, counts.bytes);
                }
                SlotModel::Screen(screen) => {
                    attendance.picture_packets_lost += counts.lost();
                    let screen = screen.counts(self.now);
                    attendance.screen.pictures += screen.pictures;
                    attendance.screen.freezes += screen.freezes;
                    attendance.screen.frozen += screen.frozen;
                    attendance.screen.longest = attendance.screen.longest.max(screen.longest);
                }
            }
        }
        attendance
    }

    /// How long the queue is at the bottleneck towards a classroom, now.
    ///
    /// # Panics
    /// There is no classroom of that name.
    #[must_use]
    pub fn queue(&self, name: &str) -> Duration {
        self.classrooms[self.find(name)].down.waiting(self.now)
    }

    /// What the hub sends a classroom, as of its last full second. `None`: less has passed.
    ///
    /// # Panics
    /// There is no classroom of that name.
    #[must_use]
    pub fn seat(&self, name: &str) -> Option<&PeerStats> {
        self.hub().peers.get(&self.classroom_peers[self.find(name)])
    }

    /// Keyframes that the teachers encoded, their first ones included.
    #[must_use]
    pub fn keyframes(&self) -> u64 {
        self.teachers.iter().map(|place| place.who.keyframes()).sum()
    }

    /// The hub's figures as of its last full second.
    #[must_use]
    pub fn hub(&self) -> &HubStats {
        self.worker.stats()
    }
}
