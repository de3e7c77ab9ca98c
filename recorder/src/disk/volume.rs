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
    space::{DiskLevel, DiskState, Room, Thresholds},
};

/// What is known of one volume.
pub struct Volume {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    thresholds: Thresholds,
    /// Apart from what a look holds on to: nobody who asks waits for a disk that does not answer.
    state: Mutex<DiskState>,
    known: Mutex<Known>,
}

struct Known {
    /// The reserve is in its place. `None`: nobody has looked yet.
    reserved: Option<bool>,
    /// Free bytes at earlier looks.
    looks: VecDeque<(Instant, u64)>,
}

impl Volume {
    /// The volume of the folder `root`. Nothing is known of it before the first look.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, root: PathBuf, thresholds: Thresholds) -> Self {
        let state = DiskState { level: DiskLevel::Fine, free_bytes: 0, total_bytes: 0, full_in_minutes: None };
        let known = Known { reserved: None, looks: VecDeque::with_capacity(LOOKS_KEPT) };
        Self { disk, root, thresholds, state: Mutex::new(state), known: Mutex::new(known) }
    }

    /// How it stood at the last look.
    #[must_use]
    pub fn state(&self) -> DiskState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks how full it is, sets the reserve aside or gives it up.
    pub fn look(&self, now: Instant) {
        self.look_at(&mut self.known(), now, true);
    }

    /// Somebody could not write for want of room: the reserve is given up at once. True: there is room again for what is
    /// being closed.
    pub fn refused(&self, now: Instant) -> bool {
        let mut known = self.known();
        let gave_up = self.give_up(&mut known);
        // Were it set aside again at once, nobody could use what it left.
        self.look_at(&mut known, now, false);
        gave_up
    }

    fn look_at(&self, known: &mut Known, now: Instant, reserves: bool) {
        let room = match self.disk.room(&self.root) {
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
        let reserved = known.reserved.unwrap_or_else(found);
        // What the reserve holds, or is to hold again, is not for media.
        let left = |reserved: bool| Room {
            free_bytes: if reserved { room.free_bytes } else { room.free_bytes.saturating_sub(reserve) },
            ..room
        };
        let before = self.state().level;
        let level = self.thresholds.level(before, left(reserved));
        known.reserved = Some(reserved);
        if level == DiskLevel::Paused {
            self.give_up(known);
        } else if reserves && !reserved {
            match self.disk.set_aside(&path, reserve) {
                Ok(()) => known.reserved = Some(true),
                Err(error) => tracing::warn!(%error, "Cannot set {reserve} bytes aside in {}", path.display()),
            }
        }
        let free_bytes = left(reserved).free_bytes;
        if known.looks.len() == LOOKS_KEPT {
            known.looks.pop_front();
        }
        known.looks.push_back((now, room.free_bytes));
        let full_in_minutes = fills_in(&known.looks);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) =
            DiskState { level, free_bytes, total_bytes: room.total_bytes, full_in_minutes };
        if level > before {
            tracing::warn!(?level, free_bytes, "The recordings' disk fills: {free_bytes} bytes are left");
        } else if level < before {
            tracing::info!(?level, free_bytes, "The recordings' disk has room again: {free_bytes} bytes");
        }
    }

    /// True: there was something to give up.
    fn give_up(&self, known: &mut Known) -> bool {
        let path = self.root.join(RESERVE);
        known.reserved = Some(false);
        let gave_up = self.disk.remove(&path).is_ok();
        if gave_up {
            tracing::warn!("Gave up the reserve {}: what is open finds its place", path.display());
        }
        gave_up
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 MiB close 200 recordings, their journals and the database many times over; on a small disk it must not be what
/// fills it.
fn reserve_bytes(room: Room) -> u64 {
    RESERVE_BYTES.min(room.total_bytes / 50) / BLOCK_BYTES * BLOCK_BYTES
}

/// Whole minutes, by the looks that are kept. `None`: it does not fill, or was not looked at for long enough to tell.
fn fills_in(looks: &VecDeque<(Instant, u64)>) -> Option<u64> {
    let ((since, then), (until, now)) = (looks.front()?, looks.back()?);
    let passed = until.saturating_duration_since(*since);
    let filled = then.checked_sub(*now).filter(|filled| *filled > 0)?;
    (passed >= TELLING).then(|| now.saturating_mul(passed.as_secs()) / filled / 60)
}

/// How often the volume is looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Five minutes of looks: long enough to see through one large export.
const LOOKS_KEPT: usize = 150;

/// One file that is copied in a moment fills no disk in the next.
const TELLING: Duration = Duration::from_secs(60);

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
        let told = |looks: &[(u64, u64)]| {
            fills_in(&looks.iter().map(|(at_s, free)| (start + Duration::from_secs(*at_s), free << 30)).collect())
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
        for (looks, expected) in table {
            assert_eq!(told(&looks), expected, "{looks:?}");
        }
    }
}
