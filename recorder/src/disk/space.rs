//! How full the volume is, and what is recorded at each level: pure rules.

use serde::{Deserialize, Serialize};
use sfu::media::TrackKind;

/// Free space as the file system reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeSpace {
    /// Available to unprivileged processes.
    pub free_bytes: u64,
    /// The whole volume.
    pub total_bytes: u64,
    /// Free inodes.
    pub free_files: u64,
    /// All inodes. 0: the file system has no such limit.
    pub total_files: u64,
}

/// How full the volume is, the best first, and what that means for recordings. Live lessons feel none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DiskLevel {
    /// There is room.
    Fine,
    /// Somebody should make room; all is kept.
    Low,
    /// What a receiving class shows and says on stage is not kept any more, and of the camera the smallest picture alone.
    Tight,
    /// Voice and board alone are kept: with them a lesson can still be followed.
    Lean,
    /// Nothing is kept. It goes on by itself when there is room.
    Paused,
}

impl DiskLevel {
    /// Tracks that are not recorded at this level.
    #[must_use]
    pub fn omitted_tracks(self) -> &'static [TrackKind] {
        use TrackKind::{Board, Camera, Stage, StageVoice, Voice};
        match self {
            Self::Fine | Self::Low => &[],
            Self::Tight => &[Stage, StageVoice],
            Self::Lean => &[Stage, StageVoice, Camera],
            Self::Paused => &[Stage, StageVoice, Camera, Board, Voice],
        }
    }

    /// Tracks of which only the lowest simulcast layer is recorded. Not the board, which must stay readable; a voice
    /// has one layer.
    #[must_use]
    pub fn reduced_tracks(self) -> &'static [TrackKind] {
        match self {
            Self::Fine | Self::Low => &[],
            // A camera that is recorded again after `Lean` starts with its lowest layer.
            Self::Tight | Self::Lean | Self::Paused => &[TrackKind::Camera],
        }
    }
}

/// How the volume stands, for whoever looks after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DiskState {
    /// What it means for recordings.
    pub level: DiskLevel,
    /// What recordings may still take: the reserve is not theirs.
    pub free_bytes: u64,
    /// The whole volume. 0: nobody has looked yet.
    pub total_bytes: u64,
    /// When it is full if it fills as it did in the last minutes. `None`: it does not fill, as far as can be told.
    pub full_in_minutes: Option<u64>,
}

impl DiskState {
    /// Less than a fifth is left: local copies that a bucket has confirmed make room. Where nobody has looked yet, it is
    /// not said to be.
    #[must_use]
    pub fn is_short(self) -> bool {
        self.free_bytes < self.total_bytes / 5
    }
}

/// Where a level begins: below the lesser of a share and a fixed figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Of the bytes and of the inodes.
    pub percent: u64,
    /// An absolute cap: a share of many terabytes is more than needed.
    pub bytes_max: u64,
    /// As `bytes_max`, for file systems that are made with a fixed number of files.
    pub files_max: u64,
}

/// The thresholds of all levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// An early warning: three quarters of an hour of 200 lessons (38 MB/s).
    pub low: Threshold,
    /// Half of that.
    pub tight: Threshold,
    /// Voice and board are a fifth of the bytes: what is left lasts five times as long.
    pub lean: Threshold,
    /// Enough for the database and for closing open files, not for another minute of media.
    pub paused: Threshold,
    /// Where recording resumes: far enough above `paused` not to oscillate within minutes.
    pub resume: Threshold,
}

impl Default for Thresholds {
    fn default() -> Self {
        let at = |percent, gib: u64, files_max| Threshold { percent, bytes_max: gib << 30, files_max };
        Self {
            low: at(20, 100, 200_000),
            tight: at(10, 50, 100_000),
            lean: at(5, 25, 50_000),
            paused: at(2, 2, 5_000),
            resume: at(8, 40, 80_000),
        }
    }
}

impl Thresholds {
    /// The level for `room`. Hysteresis: a level is left a quarter above the threshold at which it was entered.
    #[must_use]
    pub fn level(&self, before: DiskLevel, room: FreeSpace) -> DiskLevel {
        if self.paused.is_above(room, 4) || (before == DiskLevel::Paused && self.resume.is_above(room, 4)) {
            return DiskLevel::Paused;
        }
        let levels = [(DiskLevel::Lean, self.lean), (DiskLevel::Tight, self.tight), (DiskLevel::Low, self.low)];
        let entered = |level: DiskLevel| before >= level && before != DiskLevel::Paused;
        levels
            .into_iter()
            .find(|(level, threshold)| threshold.is_above(room, if entered(*level) { 5 } else { 4 }))
            .map_or(DiskLevel::Fine, |(level, _)| level)
    }
}

impl Threshold {
    /// True: `room` is less than `quarters` quarters of it.
    fn is_above(self, room: FreeSpace, quarters: u64) -> bool {
        let less = |free: u64, total: u64, max: u64| {
            let asked = (total / 100).saturating_mul(self.percent).min(max);
            free < asked.saturating_mul(quarters) / 4
        };
        less(room.free_bytes, room.total_bytes, self.bytes_max)
            || (room.total_files > 0 && less(room.free_files, room.total_files, self.files_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(free_bytes: u64, total_bytes: u64) -> FreeSpace {
        FreeSpace { free_bytes, total_bytes, free_files: 900_000, total_files: 1_000_000 }
    }

    #[test]
    fn a_disk_that_fills_gives_up_the_stage_then_the_camera_then_everything_and_comes_back() {
        use DiskLevel::{Fine, Lean, Low, Paused, Tight};
        let thresholds = Thresholds::default();
        let mut level = Fine;
        // Free per mille of 100 GB, on the way down and up again.
        for (free, expected) in [
            (210, Fine),
            (190, Low),
            (240, Low),
            (260, Fine),
            (99, Tight),
            (49, Lean),
            (60, Lean),
            (64, Tight),
            (20, Lean),
            (19, Paused),
            (79, Paused),
            (81, Tight),
            (124, Tight),
            (126, Low),
            (0, Paused),
            (1_000, Fine),
        ] {
            level = thresholds.level(level, room(free * 100_000_000, 100_000_000_000));
            assert_eq!(level, expected, "{free}");
        }
    }

    #[test]
    fn a_share_of_terabytes_is_not_waited_for_and_a_volume_without_files_left_is_full() {
        let thresholds = Thresholds::default();
        assert_eq!(thresholds.level(DiskLevel::Fine, room(120 << 30, 100 << 40)), DiskLevel::Fine);
        assert_eq!(thresholds.level(DiskLevel::Fine, room(1 << 30, 100 << 40)), DiskLevel::Paused);
        let files = |free_files, total_files| FreeSpace { free_files, total_files, ..room(50 << 30, 100 << 30) };
        assert_eq!(thresholds.level(DiskLevel::Fine, files(1_900, 100_000)), DiskLevel::Paused);
        assert_eq!(thresholds.level(DiskLevel::Fine, files(0, 0)), DiskLevel::Fine, "no such limit");
    }

    #[test]
    fn every_level_spares_what_the_one_before_it_spares() {
        use DiskLevel::{Fine, Lean, Low, Paused, Tight};
        for pair in [Fine, Low, Tight, Lean, Paused].windows(2) {
            assert!(pair[0].omitted_tracks().iter().all(|kind| pair[1].omitted_tracks().contains(kind)), "{pair:?}");
            assert!(pair[0].reduced_tracks().iter().all(|kind| pair[1].reduced_tracks().contains(kind)), "{pair:?}");
        }
        // The camera is reduced before it is omitted.
        assert!(Tight.reduced_tracks() == [TrackKind::Camera] && !Tight.omitted_tracks().contains(&TrackKind::Camera));
        assert_eq!(Paused.omitted_tracks().len(), TrackKind::ALL.len());
    }
}
