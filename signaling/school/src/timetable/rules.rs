//! Rules that a bureau may set: windows, limits, thresholds. They are versioned values, not constants.

use std::{num::NonZeroU16, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::program::{Mode, Program, ProgramRule, default_rules};
use crate::base::words::words;

words!(
    /// Whose bell ends a lesson with several ends.
    EndsBy {
        /// The broadcasting school's.
        BroadcastBell = "broadcast_bell",
        /// The earliest: no class loses its break.
        FirstBell = "first_bell",
        /// The latest: no class misses part of the lesson.
        LastBell = "last_bell",
    }
);

/// All rule values of the timetable, dispatch and the bell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// Version, from 1; a lesson keeps the version it was planned with.
    pub version: u32,
    /// Minutes before its start that a lesson opens: devices connect, and sound and picture are tested.
    #[schema(maximum = 120)]
    pub opens_before_min: u16,
    /// 拖堂: minutes after its bell at which a lesson that was not ended is closed.
    #[schema(maximum = 60)]
    pub closes_after_min: u16,
    /// 无故停课: minutes after the bell at which a lesson without its teacher is missed.
    #[schema(maximum = 240)]
    pub missed_after_min: u16,
    /// Minutes after its own bell in which a classroom may join without being late.
    #[schema(maximum = 240)]
    pub join_grace_min: u16,
    /// Minimum overlap of two ends, in minutes.
    #[schema(maximum = 240)]
    pub shared_at_least_min: u16,
    /// Whose bell ends a lesson with several ends.
    pub ends_by: EndsBy,
    /// Days after which an ended lesson is archived.
    #[schema(maximum = 3650)]
    pub archives_after_days: u16,
    /// 早退: minutes before the end from which a classroom may leave without leaving early.
    #[serde(default = "leave_grace_min")]
    #[schema(maximum = 240)]
    pub leave_grace_min: u16,
    /// 有效授课: of this many minutes of a lesson as planned …
    #[serde(default = "valid_out_of_min")]
    #[schema(value_type = u16, minimum = 1, maximum = 240)]
    pub valid_out_of_min: NonZeroU16,
    /// … this many must be held. Longer and shorter lessons need the same proportion.
    #[serde(default = "valid_at_least_min")]
    #[schema(maximum = 240)]
    pub valid_at_least_min: u16,
    /// Rule of each program in each mode.
    #[schema(max_items = 12)]
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
            leave_grace_min: leave_grace_min(),
            valid_out_of_min: valid_out_of_min(),
            valid_at_least_min: valid_at_least_min(),
            programs: default_rules(),
        }
    }
}

// Defaults for stored rules that predate these fields.
fn leave_grace_min() -> u16 {
    1
}

fn valid_out_of_min() -> NonZeroU16 {
    const { NonZeroU16::new(40).unwrap() }
}

fn valid_at_least_min() -> u16 {
    30
}

/// A rule value is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum TooMuch {
    /// It is larger than the maximum.
    #[error("{figure} is at most {max}")]
    FigureTooLarge {
        /// The field.
        figure: &'static str,
        /// Its maximum.
        max: u32,
    },
}

impl RuleSet {
    /// Validates every value.
    ///
    /// # Errors
    /// [`TooMuch`] with the first value that is too large.
    pub fn check(&self) -> Result<(), TooMuch> {
        let figures = [
            ("opens_before_min", u32::from(self.opens_before_min), 120),
            ("closes_after_min", u32::from(self.closes_after_min), 60),
            ("missed_after_min", u32::from(self.missed_after_min), 240),
            ("join_grace_min", u32::from(self.join_grace_min), 240),
            ("shared_at_least_min", u32::from(self.shared_at_least_min), 240),
            ("archives_after_days", u32::from(self.archives_after_days), 3_650),
            ("leave_grace_min", u32::from(self.leave_grace_min), 240),
            ("valid_out_of_min", u32::from(self.valid_out_of_min.get()), 240),
            // More than the whole lesson cannot be held.
            ("valid_at_least_min", u32::from(self.valid_at_least_min), u32::from(self.valid_out_of_min.get())),
            ("programs", u32::try_from(self.programs.len()).unwrap_or(u32::MAX), 12),
        ];
        let of_programs = self.programs.iter().flat_map(|rule| {
            [
                ("interactive_max", rule.interactive_max, 100),
                ("watch_only_max", rule.watch_only_max, 10_000),
                ("guests_max", rule.guests_max, 10_000),
                ("readiness", u32::try_from(rule.readiness.len()).unwrap_or(u32::MAX), 20),
            ]
        });
        match figures.into_iter().chain(of_programs).find(|(_, value, max)| value > max) {
            Some((figure, _, max)) => Err(TooMuch::FigureTooLarge { figure, max }),
            None => Ok(()),
        }
    }

    /// The rule of a program in a mode. `None`: the bureau does not offer it.
    #[must_use]
    pub fn program(&self, program: Program, mode: Mode) -> Option<&ProgramRule> {
        self.programs.iter().find(|rule| (rule.program, rule.mode) == (program, mode))
    }
}

/// Minutes as a duration.
#[must_use]
pub fn minutes(minutes: u16) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_nobody_can_mean_are_named() {
        let rules = RuleSet::default();
        assert_eq!(rules.check(), Ok(()));
        let early = RuleSet { opens_before_min: 121, ..rules.clone() };
        assert_eq!(early.check(), Err(TooMuch::FigureTooLarge { figure: "opens_before_min", max: 120 }));
        let unreachable = RuleSet { valid_at_least_min: 41, ..rules.clone() };
        assert_eq!(unreachable.check(), Err(TooMuch::FigureTooLarge { figure: "valid_at_least_min", max: 40 }));
        let mut crowded = rules;
        crowded.programs[0].guests_max = 10_001;
        assert_eq!(crowded.check(), Err(TooMuch::FigureTooLarge { figure: "guests_max", max: 10_000 }));
    }

    #[test]
    fn rules_of_before_there_were_verdicts_have_the_default_thresholds() {
        let mut kept = serde_json::to_value(RuleSet::default()).unwrap();
        for figure in ["leave_grace_min", "valid_out_of_min", "valid_at_least_min"] {
            kept.as_object_mut().unwrap().remove(figure);
        }
        assert_eq!(serde_json::from_value::<RuleSet>(kept).unwrap(), RuleSet::default());
    }
}
