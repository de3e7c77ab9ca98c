//! The volume that the recordings lie on: how full it is, and the reserve that is given up when it is.
//!
//! The reserve is a file whose blocks are really set aside. When nothing is left, it is removed, and fragments, journals,
//! seals and the database, which are small, still find their place; media do not.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::disk::{
    local::Disk,
    space::{DiskLevel, DiskState, FreeSpace, Thresholds},
};

/// What is measured of one volume.
pub struct Volume {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    thresholds: Thresholds,
    /// Apart from what a look holds on to: nobody who asks waits for a disk that does not answer.
    state: Mutex<DiskState>,
    measured: Mutex<Measured>,
}

struct Measured {
    /// The reserve is in its place. `None`: nobody has looked yet.
    reserved: Option<bool>,
    /// Free bytes at earlier measurements.
    measurements: VecDeque<(Instant, u64)>,
}

impl Volume {
    /// The volume of the folder `root`. Nothing is measured of it before the first look.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, root: PathBuf, thresholds: Thresholds) -> Self {
        let state = DiskState { level: DiskLevel::Fine, free_bytes: 0, total_bytes: 0, full_in_minutes: None };
        let measured = Measured { reserved: None, measurements: VecDeque::with_capacity(MEASUREMENTS_MAX) };
        Self { disk, root, thresholds, state: Mutex::new(state), measured: Mutex::new(measured) }
    }

    /// How it stood at the last look.
    #[must_use]
    pub fn state(&self) -> DiskState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks how full it is, sets the reserve aside or gives it up.
    pub fn measure(&self, now: Instant) {
        self.measure_locked(&mut self.measured(), now, true);
    }

    /// Somebody could not write for want of room: the reserve is given up at once. True: there is room again for what is
    /// being closed.
    pub fn release_reserve(&self, now: Instant) -> bool {
        let mut measured = self.measured();
        let removed = self.remove_reserve(&mut measured);
        // Were it set aside again at once, nobody could use what it left.
        self.measure_locked(&mut measured, now, false);
        removed
    }

    fn measure_locked(&self, measured: &mut Measured, now: Instant, reserves: bool) {
        let room = match self.disk.free_space(&self.root) {
            Ok(room) => room,
            Err(error) => {
                // The writers find out themselves whether the disk is still there.
                tracing::error!(%error, "Cannot see how full the recordings' disk is");
                return;
            }
        };
        let reserve = reserve_bytes(room);
        let path = self.root.join(RESERVE);
        let found = || self.disk.list(&self.root).is_ok_and(|names| names.iter().any(|name| name == RESERVE));
        let reserved = measured.reserved.unwrap_or_else(found);
        // What the reserve holds, or is to hold again, is not for media.
        let left = |reserved: bool| FreeSpace {
            free_bytes: if reserved { room.free_bytes } else { room.free_bytes.saturating_sub(reserve) },
            ..room
        };
        let before = self.state().level;
        let level = self.thresholds.level(before, left(reserved));
        measured.reserved = Some(reserved);
        if level == DiskLevel::Paused {
            self.remove_reserve(measured);
        } else if reserves && !reserved {
            match self.disk.reserve_file(&path, reserve) {
                Ok(()) => measured.reserved = Some(true),
                Err(error) => tracing::warn!(%error, "Cannot set {reserve} bytes aside in {}", path.display()),
            }
        }
        let free_bytes = left(reserved).free_bytes;
        if measured.measurements.len() == MEASUREMENTS_MAX {
            measured.measurements.pop_front();
        }
        measured.measurements.push_back((now, room.free_bytes));
        let full_in_minutes = full_in_minutes_by(&measured.measurements);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) =
            DiskState { level, free_bytes, total_bytes: room.total_bytes, full_in_minutes };
        if level > before {
            tracing::warn!(?level, free_bytes, "The recordings' disk fills: {free_bytes} bytes are left");
        } else if level < before {
            tracing::info!(?level, free_bytes, "The recordings' disk has room again: {free_bytes} bytes");
        }
    }

    /// True: there was something to give up.
    fn remove_reserve(&self, measured: &mut Measured) -> bool {
        let path = self.root.join(RESERVE);
        measured.reserved = Some(false);
        let removed = self.disk.remove(&path).is_ok();
        if removed {
            tracing::warn!("Gave up the reserve {}: what is open finds its place", path.display());
        }
        removed
    }

    fn measured(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 MiB close 200 recordings, their journals and the database many times over; on a small disk it must not be what
/// fills it.
fn reserve_bytes(room: FreeSpace) -> u64 {
    RESERVE_BYTES.min(room.total_bytes / 50) / BLOCK_BYTES * BLOCK_BYTES
}

/// Whole minutes, by the measurements that are kept. `None`: it does not fill, or was not looked at for long enough to tell.
fn full_in_minutes_by(measurements: &VecDeque<(Instant, u64)>) -> Option<u64> {
    let ((since, then), (until, now)) = (measurements.front()?, measurements.back()?);
    let passed = until.saturating_duration_since(*since);
    let filled = then.checked_sub(*now).filter(|filled| *filled > 0)?;
    (passed >= TREND_MIN).then(|| now.saturating_mul(passed.as_secs()) / filled / 60)
}

/// How often the volume is looked at.
pub const MEASURE_EVERY: Duration = Duration::from_secs(2);

/// Five minutes of measurements: long enough to see through one large export.
const MEASUREMENTS_MAX: usize = 150;

/// One file that is copied in a moment fills no disk in the next.
const TREND_MIN: Duration = Duration::from_secs(60);

/// Its name in the recordings' folder.
pub const RESERVE: &str = "reserve";

const RESERVE_BYTES: u64 = 256 << 20;

/// File systems hand out blocks.
const BLOCK_BYTES: u64 = 4_096;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs one first moment; all others are counted from it")]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_full_when_it_fills_as_it_did_for_a_minute_and_more() {
        let start = Instant::now();
        let told = |measurements: &[(u64, u64)]| {
            full_in_minutes_by(
                &measurements.iter().map(|(at_s, free)| (start + Duration::from_secs(*at_s), free << 30)).collect(),
            )
        };
        let table = [
            (vec![], None),
            (vec![(0, 100)], None),
            // A large file, in two seconds.
            (vec![(0, 100), (2, 90)], None),
            (vec![(0, 100), (30, 95), (60, 90)], Some(9)),
            (vec![(0, 100), (300, 50)], Some(5)),
            (vec![(0, 90), (300, 100)], None),
        ];
        for (measurements, expected) in table {
            assert_eq!(told(&measurements), expected, "{measurements:?}");
        }
    }
}
