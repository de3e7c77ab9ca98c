//! Storage quota of a school: limits, notices, and which recordings are skipped once it is full.

use crate::{base::words::words, lesson::life::RunsBy};

/// Limits of a school's recordings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Total size of its recordings, in units of 10⁹ bytes. `None`: unlimited.
    pub gigabytes: Option<u32>,
    /// Maximum age of its oldest recording, in days. `None`: limited by retention only.
    pub days: Option<u32>,
}

/// A school's use of its quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Total size of its recordings, running ones included.
    pub bytes: u64,
    /// Age of its oldest recording, in days. 0: from today, or there is none.
    pub oldest_days: u32,
}

words!(
    /// Notice to a school about its quota. No notice ever interrupts a lesson.
    QuotaNotice {
        /// 80 % and more.
        Near = "near",
        /// 95 % and more.
        Close = "close",
        /// 100 %: from now on lessons outside the timetable are not recorded.
        Full = "full",
    }
);

impl Quota {
    /// Use of the more exhausted limit, in per mille. `None`: no limit is set.
    #[must_use]
    pub fn fill_per_mille(&self, used: Used) -> Option<u32> {
        let share = |used: u128, bound: u128| u32::try_from(used * 1_000 / bound.max(1)).unwrap_or(u32::MAX);
        let bytes = self.gigabytes.map(|gigabytes| share(used.bytes.into(), u128::from(gigabytes) * GIGABYTE));
        let days = self.days.map(|days| share(used.oldest_days.into(), days.into()));
        bytes.max(days)
    }

    /// The notice due. `None`: no notice.
    #[must_use]
    pub fn notice(&self, used: Used) -> Option<QuotaNotice> {
        match self.fill_per_mille(used)? {
            1_000.. => Some(QuotaNotice::Full),
            950.. => Some(QuotaNotice::Close),
            800.. => Some(QuotaNotice::Near),
            _ => None,
        }
    }
}

/// Whether a recording may be skipped when its school is full: only that of a lesson opened outside the timetable.
/// Timetabled lessons are recorded regardless of the quota, and a running recording is never cut off.
#[must_use]
pub fn is_optional(runs_by: RunsBy) -> bool {
    runs_by == RunsBy::Teacher
}

const GIGABYTE: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_school_is_told_at_80_95_and_100_per_cent_of_whichever_bound_is_nearer() {
        let quota = |gigabytes, days| Quota { gigabytes, days };
        let used = |gigabytes_tenths: u64, oldest_days| Used { bytes: gigabytes_tenths * 100_000_000, oldest_days };
        use QuotaNotice as N;
        let table = [
            (quota(None, None), used(10_000, 900), None),
            (quota(Some(100), None), used(799, 0), None),
            (quota(Some(100), None), used(800, 0), Some(N::Near)),
            (quota(Some(100), None), used(949, 0), Some(N::Near)),
            (quota(Some(100), None), used(950, 0), Some(N::Close)),
            (quota(Some(100), None), used(999, 0), Some(N::Close)),
            (quota(Some(100), None), used(1_000, 0), Some(N::Full)),
            (quota(Some(100), Some(30)), used(10, 23), None),
            (quota(Some(100), Some(30)), used(10, 24), Some(N::Near)),
            (quota(Some(100), Some(30)), used(960, 24), Some(N::Close)),
            (quota(None, Some(30)), used(0, 31), Some(N::Full)),
            (quota(Some(0), None), used(1, 0), Some(N::Full)),
            (quota(Some(u32::MAX), Some(u32::MAX)), Used { bytes: u64::MAX, oldest_days: u32::MAX }, Some(N::Full)),
        ];
        for (quota, used, notice) in table {
            assert_eq!(quota.notice(used), notice, "{quota:?} {used:?}");
        }
    }

    #[test]
    fn only_lessons_outside_of_the_timetable_may_go_without_a_recording() {
        assert!(is_optional(RunsBy::Teacher) && !is_optional(RunsBy::Bell));
    }
}
