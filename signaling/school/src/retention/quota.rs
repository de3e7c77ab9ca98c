//! How much a school may keep, when it is told, and what is no longer recorded once it is full.

use crate::{base::words::words, lesson::life::RunsBy};

/// What a school may keep. A bound that is not set bounds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Of all its recordings together, in units of 10⁹ bytes. `None`: as much as there is room for.
    pub gigabytes: Option<u32>,
    /// How old its oldest recording may be. `None`: as old as retention lets it be.
    pub days: Option<u32>,
}

/// What a school keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Of all its recordings together, the running ones too.
    pub bytes: u64,
    /// Days since its oldest recording. 0: it is of today, or there is none.
    pub oldest_days: u32,
}

words!(
    /// What a school is told of its quota. None of them ever interrupts a lesson.
    QuotaNotice {
        /// 80 % and more.
        Near = "near",
        /// 95 % and more.
        Close = "close",
        /// 100 %: from now on lessons outside of the timetable are no longer recorded.
        Full = "full",
    }
);

impl Quota {
    /// How full it is, in per mille: of the bound that is nearer. `None`: nothing is bounded.
    #[must_use]
    pub fn fill_per_mille(&self, used: Used) -> Option<u32> {
        let share = |used: u128, bound: u128| u32::try_from(used * 1_000 / bound.max(1)).unwrap_or(u32::MAX);
        let bytes = self.gigabytes.map(|gigabytes| share(used.bytes.into(), u128::from(gigabytes) * GIGABYTE));
        let days = self.days.map(|days| share(used.oldest_days.into(), days.into()));
        bytes.max(days)
    }

    /// What the school is told. `None`: there is room.
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

/// Whether a recording may be left out where its school is full: that of a lesson which somebody opened outside of the
/// timetable. What stands in the timetable is recorded whatever the quota says, and what is running is never cut off.
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
