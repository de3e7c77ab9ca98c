//! The figures that a bureau may set: windows, limits, thresholds. They are values with a version, not constants.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    program::{Mode, Program, ProgramRule, default_rules},
    two_ends::EndsBy,
};

/// Every figure that the timetable, dispatch and the bell go by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// From 1; a lesson keeps what it was planned by.
    pub version: u32,
    /// A lesson opens this long before its start, in minutes: devices connect, sound and picture are tried.
    pub opens_before_min: u16,
    /// 拖堂: a lesson that nobody ends is ended this long after its bell, in minutes.
    pub closes_after_min: u16,
    /// 无故停课: a lesson whose teacher has not come this long after the bell is missed, in minutes.
    pub missed_after_min: u16,
    /// A classroom may come in this long after its own bell without being late, in minutes.
    pub join_grace_min: u16,
    /// Two ends that share fewer minutes have no lesson in common.
    pub shared_at_least_min: u16,
    /// Whose bell ends a lesson of two ends.
    pub ends_by: EndsBy,
    /// A lesson that is over is put away after this many days.
    pub archives_after_days: u16,
    /// What each program asks for in each mode.
    pub programs: Vec<ProgramRule>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self {
            version: 1,
            opens_before_min: 10,
            closes_after_min: 2,
            missed_after_min: 15,
            join_grace_min: 10,
            shared_at_least_min: 20,
            ends_by: EndsBy::BroadcastBell,
            archives_after_days: 30,
            programs: default_rules(),
        }
    }
}

impl RuleSet {
    /// The rule of a program in a mode. `None`: the bureau does not use it.
    #[must_use]
    pub fn program(&self, program: Program, mode: Mode) -> Option<&ProgramRule> {
        self.programs.iter().find(|rule| (rule.program, rule.mode) == (program, mode))
    }
}

/// Minutes, as a duration.
#[must_use]
pub fn minutes(minutes: u16) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}
