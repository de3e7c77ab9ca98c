//! Free space of the recordings' volume, and the reserve that is released when it runs out.
//!
//! The reserve is a file with allocated blocks. When the volume is full it is deleted: its space serves open fragments,
//! journals, seals and the database, not further media.

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

/// One volume.
pub struct Volume {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    thresholds: Thresholds,
    /// A lock of its own: readers do not wait for a disk that hangs.
    state: Mutex<DiskState>,
    measured: Mutex<Measured>,
}

struct Measured {
    /// The reserve exists. `None`: not looked up yet.
    reserved: Option<bool>,
    /// Free bytes at earlier measurements.
    measurements: VecDeque<Measurement>,
}

struct Measurement {
    at: Instant,
    free_bytes: u64,
}

impl Volume {
    /// The volume of the folder `root`. Nothing is known before the first measurement.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, root: PathBuf, thresholds: Thresholds) -> Self {
        let state = DiskState { level: DiskLevel::Fine, free_bytes: 0, total_bytes: 0, full_in_minutes: None };
        let measured = Measured { reserved: None, measurements: VecDeque::with_capacity(MEASUREMENTS_MAX) };
        Self { disk, root, thresholds, state: Mutex::new(state), measured: Mutex::new(measured) }
    }

    /// The latest measurement.
    #[must_use]
    pub fn state(&self) -> DiskState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Measures the free space, and allocates or releases the reserve.
    pub fn measure(&self, now: Instant) {
        self.measure_locked(&mut self.measured(), now, true);
    }

    /// A write failed for lack of space: releases the reserve at once. True: it freed space.
    pub fn release_reserve(&self, now: Instant) -> bool {
        let mut measured = self.measured();
        let removed = self.remove_reserve(&mut measured);
        // Not allocated again in this call: the freed space is for the writers.
        self.measure_locked(&mut measured, now, false);
        removed
    }

    fn measure_locked(&self, measured: &mut Measured, now: Instant, reserves: bool) {
        let room = match self.disk.free_space(&self.root) {
            Ok(room) => room,
            Err(error) => {
                // The writers notice themselves if the disk is gone.
                tracing::error!(%error, "Cannot see how full the recordings' disk is");
                return;
            }
        };
        let reserve = reserve_bytes(room);
        let path = self.root.join(RESERVE);
        let found = || self.disk.list(&self.root).is_ok_and(|names| names.iter().any(|name| name == RESERVE));
        let reserved = measured.reserved.unwrap_or_else(found);
        // Space that the reserve takes, or is to take again, is not for media.
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
        measured.measurements.push_back(Measurement { at: now, free_bytes: room.free_bytes });
        let full_in_minutes = full_in_minutes_by(&measured.measurements);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) =
            DiskState { level, free_bytes, total_bytes: room.total_bytes, full_in_minutes };
        if level > before {
            tracing::warn!(?level, free_bytes, "The recordings' disk fills: {free_bytes} bytes are left");
        } else if level < before {
            tracing::info!(?level, free_bytes, "The recordings' disk has room again: {free_bytes} bytes");
        }
    }

    /// True: there was a reserve.
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

/// 256 MiB are many times what it takes to close 200 recordings, their journals and the database; at most 2 % of a
/// small disk.
fn reserve_bytes(room: FreeSpace) -> u64 {
    RESERVE_BYTES.min(room.total_bytes / 50) / BLOCK_BYTES * BLOCK_BYTES
}

/// Minutes until the volume is full at the rate of the kept measurements. `None`: it does not fill, or was not observed
/// for long enough.
fn full_in_minutes_by(measurements: &VecDeque<Measurement>) -> Option<u64> {
    let (first, last) = (measurements.front()?, measurements.back()?);
    let passed = last.at.saturating_duration_since(first.at);
    let filled = first.free_bytes.checked_sub(last.free_bytes).filter(|filled| *filled > 0)?;
    (passed >= TREND_MIN).then(|| last.free_bytes.saturating_mul(passed.as_secs()) / filled / 60)
}

/// Interval of measurements.
pub const MEASURE_EVERY: Duration = Duration::from_secs(2);

/// Five minutes of measurements: longer than one large copy takes.
const MEASUREMENTS_MAX: usize = 150;

/// Shorter trends are noise: one file that was copied.
const TREND_MIN: Duration = Duration::from_secs(60);

/// Its name in the recordings' folder.
pub const RESERVE: &str = "reserve";

const RESERVE_BYTES: u64 = 256 << 20;

/// Allocation unit of common file systems.
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
                &measurements
                    .iter()
                    .map(|(at_s, free)| Measurement { at: start + Duration::from_secs(*at_s), free_bytes: free << 30 })
                    .collect(),
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
