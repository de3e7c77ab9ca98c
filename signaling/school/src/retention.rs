//! Retention: how long each class of data is retained, what holds it, and how it is deleted: announced for a week, a
//! few items at a time, each with an audit row.

pub mod forecast;
pub mod quota;
pub mod trusted_clock;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::{time::UnixMs, words::words};

words!(
    /// A class of data with its own retention. Audit rows have a fixed retention that no bureau sets.
    DataClass {
        /// Pictures and sound of lessons.
        Recordings = "recordings",
        /// Clips cut from recordings.
        Clips = "clips",
        /// Measurements of connection and picture quality, every five seconds.
        Samples = "samples",
        /// Attendance and lesson reports.
        Attendance = "attendance",
    }
);

/// Retention policy of a bureau's schools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionPolicy {
    /// Recordings: days after the lesson. `null`: unlimited.
    #[schema(minimum = 7, maximum = 36500)]
    pub recordings_days: Option<u32>,
    /// Clips: days after they were cut. `null`: unlimited.
    #[schema(minimum = 7, maximum = 36500)]
    pub clips_days: Option<u32>,
    /// Samples: days after the lesson.
    #[schema(minimum = 7, maximum = 36500)]
    pub samples_days: Option<u32>,
    /// Attendance: days after the lesson. `null`: unlimited.
    #[schema(minimum = 180, maximum = 36500)]
    pub attendance_days: Option<u32>,
}

impl Default for RetentionPolicy {
    /// Recordings of minors: a month unless the bureau decides otherwise (《儿童个人信息网络保护规定》 §12: no longer than
    /// needed), except those chosen for the library or a future lesson. Reports are needed a year later.
    fn default() -> Self {
        Self { recordings_days: Some(30), clips_days: None, samples_days: Some(30), attendance_days: Some(1_100) }
    }
}

/// The reason of every [`NoPolicy`]. An enum, because the OpenAPI schema does not include the tag of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoPolicyReason {
    /// Fewer days than the required minimum, or more than the maximum.
    PolicyDaysOutOfRange,
}

/// A number of days is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[error("{field} is between {min} and {max}, or null for ever")]
pub struct NoPolicy {
    /// The data class.
    #[serde(skip)]
    pub field: &'static str,
    /// The reason; always the same.
    pub reason: NoPolicyReason,
    /// Minimum days.
    pub min: u32,
    /// Maximum days.
    pub max: u32,
}

impl RetentionPolicy {
    /// Validates every number.
    ///
    /// # Errors
    /// [`NoPolicy`] with the first number out of range.
    pub fn check(&self) -> Result<(), NoPolicy> {
        let fields = [
            ("recordings_days", self.recordings_days, DAYS_MIN),
            ("clips_days", self.clips_days, DAYS_MIN),
            ("samples_days", self.samples_days, DAYS_MIN),
            ("attendance_days", self.attendance_days, ATTENDANCE_DAYS_MIN),
        ];
        let bad = fields.into_iter().find(|(_, days, min)| days.is_some_and(|days| !(*min..=DAYS_MAX).contains(&days)));
        let reason = NoPolicyReason::PolicyDaysOutOfRange;
        bad.map_or(Ok(()), |(field, _, min)| Err(NoPolicy { field, reason, min, max: DAYS_MAX }))
    }

    /// Retention of this class. `None`: unlimited.
    #[must_use]
    pub fn kept(&self, class: DataClass) -> Option<Duration> {
        let days = match class {
            DataClass::Recordings => self.recordings_days,
            DataClass::Clips => self.clips_days,
            DataClass::Samples => self.samples_days,
            DataClass::Attendance => self.attendance_days,
        };
        days.map(|days| DAY * days)
    }
}

words!(
    /// Storage state of a recording.
    StorageState {
        /// Its lesson is running.
        Live = "live",
        /// Its lesson is over, and the recording is complete.
        Sealed = "sealed",
        /// A day old, and fully in the bucket if there is one.
        Archived = "archived",
        /// Announced for deletion; until then visible and can be unmarked.
        Pending = "pending_deletion",
        /// Being deleted; cannot be undone.
        Deleting = "deleting",
        /// Deleted; only an audit row is left.
        Deleted = "deleted",
    }
);

words!(
    /// Why a recording is to be deleted.
    DeletionRule {
        /// Its retention has expired.
        Retention = "retention",
        /// An entitled person requested it: a guardian, a school.
        Request = "request",
    }
);

/// A recording as retention sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetainedItem {
    /// Its state.
    pub state: StorageState,
    /// When its lesson ended; for a running lesson, when it began.
    pub ended_at: UnixMs,
    /// End of its hold; the maximum time for a hold without an end. `None`: not held.
    pub held_until: Option<UnixMs>,
    /// Chosen for the library or for a future lesson.
    pub is_chosen: bool,
    /// Fully copied to the bucket, or there is no bucket.
    pub is_mirrored: bool,
    /// When it was marked for deletion, and why. `None`: not marked.
    pub pending: Option<(UnixMs, DeletionRule)>,
    /// Number of daily runs since it was marked.
    pub runs_pending: u32,
}

/// A retention step of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetentionStep {
    /// Archive it.
    Archive,
    /// Mark it for deletion in a week.
    Mark,
    /// Unmark it: it is held, chosen, or retained for longer.
    Unmark,
    /// Delete it: the week is over.
    Delete,
    /// Finish a deletion that was interrupted by a stop of the hub.
    Finish,
}

impl RetainedItem {
    /// The step due at `now`. `None`: no step.
    #[must_use]
    pub fn due(&self, policy: &RetentionPolicy, now: UnixMs) -> Option<RetentionStep> {
        use RetentionStep as S;
        let &Self { ended_at: since, held_until, is_chosen, .. } = self;
        let expiring = ExpiringItem { class: DataClass::Recordings, since, held_until, is_chosen };
        let (held, over) = (expiring.is_held(now), expiring.is_due(policy, now));
        match (self.state, self.pending) {
            (StorageState::Live | StorageState::Deleted, _) => None,
            (StorageState::Deleting, _) => Some(S::Finish),
            // A request overrides the policy and yields only to a hold.
            (StorageState::Pending, Some((since, rule))) => {
                let stays = held || (rule == DeletionRule::Retention && !over);
                let seen = now >= since.plus(PENDING) && self.runs_pending >= PENDING_RUNS;
                if stays { Some(S::Unmark) } else { seen.then_some(S::Delete) }
            }
            (StorageState::Pending, None) => Some(S::Unmark),
            (StorageState::Sealed | StorageState::Archived, _) if over => Some(S::Mark),
            (StorageState::Sealed, _) => (self.is_mirrored && now >= self.ended_at.plus(DAY)).then_some(S::Archive),
            (StorageState::Archived, _) => None,
        }
    }

    /// When it will be deleted if nothing changes. `None`: no deletion is planned.
    #[must_use]
    pub fn deletes_at(&self, policy: &RetentionPolicy) -> Option<UnixMs> {
        match (self.state, self.pending) {
            (StorageState::Pending, Some((since, _))) => Some(since.plus(PENDING)),
            (StorageState::Sealed | StorageState::Archived, _) if !self.is_chosen => {
                let over = self.ended_at.plus(policy.kept(DataClass::Recordings)?);
                let after = self.held_until.map_or(over, |until| over.max(until));
                (after != UnixMs(i64::MAX)).then(|| after.plus(PENDING))
            }
            _ => None,
        }
    }
}

/// Anything that expires: a recording, a clip, or the samples or attendance of a lesson. All but recordings are deleted
/// by age only, on the day they expire: their recording's deletion was announced, and no second notice is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiringItem {
    /// Its class.
    pub class: DataClass,
    /// When its lesson ended, or when it was cut.
    pub since: UnixMs,
    /// End of its recording's hold; the maximum time for a hold without an end. `None`: not held, or there is no
    /// recording.
    pub held_until: Option<UnixMs>,
    /// It is published, or a future lesson plays it.
    pub is_chosen: bool,
}

impl ExpiringItem {
    /// Whether it is held.
    #[must_use]
    pub fn is_held(&self, now: UnixMs) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    /// Whether it has expired and nothing prevents its deletion.
    #[must_use]
    pub fn is_due(&self, policy: &RetentionPolicy, now: UnixMs) -> bool {
        let over = policy.kept(self.class).is_some_and(|kept| now >= self.since.plus(kept));
        over && !self.is_chosen && !self.is_held(now)
    }
}

/// Maximum of `all` items that one run may move towards deletion. If confirmed: all of them.
#[must_use]
pub fn run_bound(all: usize, confirmed: bool) -> usize {
    if confirmed { all } else { all.div_ceil(20) }
}

/// One day.
pub const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Time between marking and deletion, in which an item is visible and can be unmarked.
pub const PENDING: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Number of daily runs required as well, so that a clock set ahead cannot shorten the week.
pub const PENDING_RUNS: u32 = 7;

/// Minimum days of retention: no shorter than the week of notice.
const DAYS_MIN: u32 = 7;

/// Minimum days of attendance retention: as long as the logs behind it.
const ATTENDANCE_DAYS_MIN: u32 = 180;

/// Maximum days of retention: a hundred years.
const DAYS_MAX: u32 = 36_500;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    fn days(days: u32) -> UnixMs {
        NOW.minus(DAY * days)
    }

    fn item(state: StorageState, ended_at: UnixMs) -> RetainedItem {
        RetainedItem {
            state,
            ended_at,
            held_until: None,
            is_chosen: false,
            is_mirrored: true,
            pending: None,
            runs_pending: 0,
        }
    }

    #[test]
    fn each_state_has_its_step() {
        use {RetentionStep as S, StorageState as K};
        let policy = RetentionPolicy::default();
        let pending = |since, rule, runs_pending| RetainedItem {
            pending: Some((since, rule)),
            runs_pending,
            ..item(K::Pending, days(40))
        };
        let held = Some(NOW.plus(DAY));
        let table = [
            ("it goes on", item(K::Live, days(900)), None),
            ("it is young", item(K::Sealed, NOW), None),
            ("it is a day old", item(K::Sealed, days(1)), Some(S::Archive)),
            ("not yet in the bucket", RetainedItem { is_mirrored: false, ..item(K::Sealed, days(2)) }, None),
            ("its time is not over", item(K::Archived, days(29)), None),
            ("its time is over", item(K::Archived, days(30)), Some(S::Mark)),
            (
                "over, without a bucket's word",
                RetainedItem { is_mirrored: false, ..item(K::Sealed, days(30)) },
                Some(S::Mark),
            ),
            ("it is held", RetainedItem { held_until: held, ..item(K::Archived, days(40)) }, None),
            ("the hold is over", RetainedItem { held_until: Some(NOW), ..item(K::Archived, days(40)) }, Some(S::Mark)),
            ("it is in the library", RetainedItem { is_chosen: true, ..item(K::Archived, days(40)) }, None),
            ("a week is not over", pending(days(6), DeletionRule::Retention, 6), None),
            ("a week is over", pending(days(7), DeletionRule::Retention, 7), Some(S::Delete)),
            ("a clock ran ahead", pending(days(300), DeletionRule::Retention, 2), None),
            (
                "held at last",
                RetainedItem { held_until: held, ..pending(days(7), DeletionRule::Request, 7) },
                Some(S::Unmark),
            ),
            (
                "chosen at last",
                RetainedItem { is_chosen: true, ..pending(days(7), DeletionRule::Retention, 7) },
                Some(S::Unmark),
            ),
            (
                "asked for",
                RetainedItem { is_chosen: true, ..pending(days(7), DeletionRule::Request, 7) },
                Some(S::Delete),
            ),
            ("half gone", item(K::Deleting, days(40)), Some(S::Finish)),
            ("gone", item(K::Deleted, days(40)), None),
        ];
        for (told, item, step) in table {
            assert_eq!(item.due(&policy, NOW), step, "{told}");
        }
        let for_ever = RetentionPolicy { recordings_days: None, ..policy };
        assert_eq!(item(K::Archived, UnixMs(0)).due(&for_ever, NOW), None);
        assert_eq!(pending(days(1), DeletionRule::Retention, 1).due(&for_ever, NOW), Some(S::Unmark));
    }

    #[test]
    fn what_has_an_age_goes_by_the_days_of_its_class_unless_it_is_held_or_chosen() {
        use DataClass as C;
        let policy = RetentionPolicy {
            recordings_days: Some(10),
            clips_days: Some(20),
            samples_days: Some(30),
            attendance_days: Some(180),
        };
        let expiring = |class, since| ExpiringItem { class, since, held_until: None, is_chosen: false };
        for (class, kept) in [(C::Recordings, 10), (C::Clips, 20), (C::Samples, 30), (C::Attendance, 180)] {
            let old = expiring(class, days(kept));
            let table = [
                ("its time is over", old, true),
                ("a millisecond is left", ExpiringItem { since: UnixMs(old.since.0 + 1), ..old }, false),
                ("it is held", ExpiringItem { held_until: Some(NOW.plus(DAY)), ..old }, false),
                ("the hold is over", ExpiringItem { held_until: Some(NOW), ..old }, true),
                ("it is chosen", ExpiringItem { is_chosen: true, ..old }, false),
                ("it comes from tomorrow", ExpiringItem { since: NOW.plus(DAY), ..old }, false),
            ];
            for (told, item, is_due) in table {
                assert_eq!(item.is_due(&policy, NOW), is_due, "{class:?}: {told}");
            }
        }
        let for_ever = RetentionPolicy { clips_days: None, ..policy };
        assert!(!expiring(C::Clips, UnixMs(0)).is_due(&for_ever, NOW));
    }

    #[test]
    fn it_is_known_beforehand_when_something_goes() {
        let policy = RetentionPolicy::default();
        let item = item(StorageState::Archived, days(29));
        assert_eq!(item.deletes_at(&policy), Some(NOW.plus(DAY * 8)));
        assert_eq!(
            RetainedItem { held_until: Some(NOW.plus(DAY * 50)), ..item }.deletes_at(&policy),
            Some(NOW.plus(DAY * 57))
        );
        assert_eq!(RetainedItem { held_until: Some(UnixMs(i64::MAX)), ..item }.deletes_at(&policy), None);
        assert_eq!(RetainedItem { is_chosen: true, ..item }.deletes_at(&policy), None);
        assert_eq!(item.deletes_at(&RetentionPolicy { recordings_days: None, ..policy }), None);
        let pending =
            RetainedItem { state: StorageState::Pending, pending: Some((days(2), DeletionRule::Request)), ..item };
        assert_eq!(pending.deletes_at(&policy), Some(NOW.plus(DAY * 5)));
    }

    #[test]
    fn one_run_takes_a_twentieth_and_a_small_school_goes_on() {
        assert_eq!([0, 1, 20, 21, 1_000].map(|all| run_bound(all, false)), [0, 1, 1, 2, 50]);
        assert_eq!(run_bound(1_000, true), 1_000);
    }

    #[test]
    fn numbers_that_nobody_can_mean_are_named() {
        let policy = RetentionPolicy::default();
        assert_eq!(policy.check(), Ok(()));
        assert_eq!(
            RetentionPolicy { recordings_days: Some(6), ..policy }.check().unwrap_err().field,
            "recordings_days"
        );
        assert_eq!(RetentionPolicy { attendance_days: Some(179), ..policy }.check().unwrap_err().min, 180);
        assert!(RetentionPolicy { clips_days: Some(36_501), ..policy }.check().is_err());
    }
}
