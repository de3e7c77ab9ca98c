//! Bell schedules: periods by season, school and stage.

use std::{fmt, str::FromStr};

use crate::{
    base::{
        id::{BellScheduleId, OrganisationId},
        words::words,
        zone::Minute,
    },
    organisation::Stage,
};
use jiff::civil::Date;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// Maximum periods per day: twice the usual eight lessons, two studies and three breaks; more is a typing error.
pub const PERIODS_MAX: usize = 32;

/// A day of any year, such as 10-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MonthDay {
    month: i8,
    day: i8,
}

impl MonthDay {
    /// New Year's Day.
    pub const FIRST: Self = Self { month: 1, day: 1 };
    /// New Year's Eve.
    pub const LAST: Self = Self { month: 12, day: 31 };

    /// `None`: no month has this day. The 29th of February is valid.
    #[must_use]
    pub fn new(month: i8, day: i8) -> Option<Self> {
        // 2024 is a leap year.
        Date::new(2024, month, day).ok().map(|_| Self { month, day })
    }

    fn of(date: Date) -> Self {
        Self { month: date.month(), day: date.day() }
    }
}

impl fmt::Display for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

/// The text is no day of the year such as `10-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a day of the year is written as 10-01")]
pub struct NotAMonthDay;

impl FromStr for MonthDay {
    type Err = NotAMonthDay;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (month, day) = text.split_once('-')?;
            Self::new(month.parse().ok()?, day.parse().ok()?)
        };
        read().filter(|read| read.to_string() == text).ok_or(NotAMonthDay)
    }
}

/// The days of every year on which a bell schedule applies, both ends included. It may cross the new year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Season {
    /// Its first day.
    pub from: MonthDay,
    /// Its last day.
    pub until: MonthDay,
}

impl Season {
    /// Whether it includes the day.
    #[must_use]
    pub fn contains(self, date: Date) -> bool {
        self.has(MonthDay::of(date))
    }

    fn has(self, day: MonthDay) -> bool {
        if self.from <= self.until {
            self.from <= day && day <= self.until
        } else {
            self.from <= day || day <= self.until
        }
    }

    /// Whether the seasons share a day.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.has(other.from) || other.has(self.from)
    }
}

words!(
    /// Kind of period.
    PeriodKind {
        /// 早自习
        EarlyStudy = "early_study",
        /// 第几节
        Lesson = "lesson",
        /// 大课间
        LongBreak = "long_break",
        /// 眼保健操
        EyeExercises = "eye_exercises",
        /// 晚自习
        EveningStudy = "evening_study",
    }
);

impl PeriodKind {
    /// Whether a course can be taught in it.
    #[must_use]
    pub fn takes_lessons(self) -> bool {
        matches!(self, Self::EarlyStudy | Self::Lesson | Self::EveningStudy)
    }
}

/// A period's name, such as the third lesson or the first evening study. In the store: `lesson-3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeriodName {
    /// Its kind.
    pub kind: PeriodKind,
    /// Number among periods of its kind, from 1.
    pub number: u8,
}

impl PeriodName {
    /// 第 `number` 节.
    #[must_use]
    pub fn lesson(number: u8) -> Self {
        Self { kind: PeriodKind::Lesson, number }
    }
}

impl fmt::Display for PeriodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind.as_str(), self.number)
    }
}

/// Text form as in the store.
impl Serialize for PeriodName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The text is no period name such as `lesson-3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a period is written as lesson-3, early_study-1, evening_study-2")]
pub struct NotAPeriod;

impl FromStr for PeriodName {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (word, number) = text.rsplit_once('-')?;
            let kind = PeriodKind::from_word(word)?;
            let number = number.parse().ok().filter(|number| (1..=20).contains(number))?;
            Some(Self { kind, number })
        };
        read().filter(|name: &Self| name.to_string() == text).ok_or(NotAPeriod)
    }
}

/// A period between two bells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its name.
    pub name: PeriodName,
    /// The starting bell.
    pub starts: Minute,
    /// The ending bell.
    pub ends: Minute,
}

/// 作息时间表: bell times of a school, or of all below a bureau, for a season and optionally one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BellSchedule {
    /// Its id in the store.
    pub bell_schedule_id: BellScheduleId,
    /// Its owner; nodes below inherit it until they have their own.
    pub organisation_id: OrganisationId,
    /// Its stage. `None`: all stages without a schedule of their own.
    pub stage: Option<Stage>,
    /// 夏季作息
    pub name: String,
    /// The days on which it applies.
    pub season: Season,
    /// Its periods, in order of time.
    pub periods: Vec<Period>,
}

/// Why a bell schedule is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum BellScheduleError {
    /// No periods, or too many.
    #[error("{name} has no period, or more than {max}")]
    PeriodCount {
        /// The schedule.
        name: String,
        /// Maximum number of periods.
        max: usize,
    },
    /// The ending bell precedes the starting bell.
    #[error("{period} ends before it begins")]
    PeriodEndsBeforeItBegins {
        /// The period.
        #[schema(value_type = String)]
        period: PeriodName,
    },
    /// Two periods overlap, or are out of order.
    #[error("{second} begins before {first} ends")]
    PeriodsOverlap {
        /// The earlier period in the list.
        #[schema(value_type = String)]
        first: PeriodName,
        /// The later one.
        #[schema(value_type = String)]
        second: PeriodName,
    },
    /// Two periods have the same name.
    #[error("{period} is there twice")]
    PeriodTwice {
        /// The name.
        #[schema(value_type = String)]
        period: PeriodName,
    },
    /// Another schedule of the same organisation and stage applies on some of the same days.
    #[error("{name} and {other} hold on the same days")]
    SeasonsMeet {
        /// This schedule.
        name: String,
        /// The other schedule.
        other: String,
    },
}

impl BellSchedule {
    /// Validates it against the other schedules of its organisation.
    ///
    /// # Errors
    /// See [`BellScheduleError`].
    pub fn check(&self, others: &[Self]) -> Result<(), BellScheduleError> {
        if self.periods.is_empty() || self.periods.len() > PERIODS_MAX {
            return Err(BellScheduleError::PeriodCount { name: self.name.clone(), max: PERIODS_MAX });
        }
        for (n, period) in self.periods.iter().enumerate() {
            if period.ends <= period.starts {
                return Err(BellScheduleError::PeriodEndsBeforeItBegins { period: period.name });
            }
            if self.periods[..n].iter().any(|before| before.name == period.name) {
                return Err(BellScheduleError::PeriodTwice { period: period.name });
            }
        }
        if let Some(pair) = self.periods.windows(2).find(|pair| pair[1].starts < pair[0].ends) {
            return Err(BellScheduleError::PeriodsOverlap { first: pair[0].name, second: pair[1].name });
        }
        let clashes = |other: &&Self| {
            other.bell_schedule_id != self.bell_schedule_id
                && other.organisation_id == self.organisation_id
                && other.stage == self.stage
                && other.season.meets(self.season)
        };
        match others.iter().find(clashes) {
            Some(other) => Err(BellScheduleError::SeasonsMeet { name: self.name.clone(), other: other.name.clone() }),
            None => Ok(()),
        }
    }

    /// A period by name. `None`: not in this schedule.
    #[must_use]
    pub fn period(&self, name: PeriodName) -> Option<&Period> {
        self.periods.iter().find(|period| period.name == name)
    }
}

/// All bell schedules that may apply to a school, the nearest first.
#[derive(Clone, Debug, Default)]
pub struct Bells {
    nearest_first: Vec<BellSchedule>,
}

impl Bells {
    /// `lineage` is the school, then its ancestors up to the root; schedules of other organisations are left out.
    #[must_use]
    pub fn new(lineage: &[OrganisationId], schedules: impl IntoIterator<Item = BellSchedule>) -> Self {
        let rank = |schedule: &BellSchedule| lineage.iter().position(|id| *id == schedule.organisation_id);
        let mut nearest_first: Vec<BellSchedule> =
            schedules.into_iter().filter(|schedule| rank(schedule).is_some()).collect();
        nearest_first.sort_by_key(|schedule| (rank(schedule), schedule.stage.is_none()));
        Self { nearest_first }
    }

    /// The schedule of a stage on a date: the nearest organisation's, and there the stage's own before the general one.
    /// `None`: no schedule applies that day.
    #[must_use]
    pub fn on(&self, date: Date, stage: Stage) -> Option<&BellSchedule> {
        self.nearest_first.iter().find(|schedule| {
            schedule.stage.is_none_or(|its_stage| its_stage == stage) && schedule.season.contains(date)
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn season(from: &str, until: &str) -> Season {
        Season { from: from.parse().unwrap(), until: until.parse().unwrap() }
    }

    fn period(name: &str, starts: u16, ends: u16) -> Period {
        Period { name: name.parse().unwrap(), starts: Minute::new(starts).unwrap(), ends: Minute::new(ends).unwrap() }
    }

    fn schedule(organisation_id: OrganisationId, stage: Option<Stage>, season: Season) -> BellSchedule {
        BellSchedule {
            bell_schedule_id: BellScheduleId::fresh(),
            organisation_id,
            stage,
            name: format!("{season:?}"),
            season,
            periods: vec![
                period("early_study-1", 460, 480),
                period("lesson-1", 480, 520),
                period("lesson-2", 520, 560),
            ],
        }
    }

    #[test]
    fn a_season_may_go_over_the_new_year() {
        let winter = season("10-01", "04-30");
        for (date, holds) in [
            (date(2026, 9, 30), false),
            (date(2026, 10, 1), true),
            (date(2027, 1, 1), true),
            (date(2028, 2, 29), true),
            (date(2027, 4, 30), true),
            (date(2027, 5, 1), false),
        ] {
            assert_eq!(winter.contains(date), holds, "{date}");
        }
        assert!(!winter.meets(season("05-01", "09-30")) && winter.meets(season("04-30", "09-30")));
    }

    #[test]
    fn the_nearest_schedule_rings() {
        let (county, school, stranger) = (OrganisationId::fresh(), OrganisationId::fresh(), OrganisationId::fresh());
        let (summer, winter) = (season("05-01", "09-30"), season("10-01", "04-30"));
        let of_county = [schedule(county, None, summer), schedule(county, None, winter)];
        let of_school = schedule(school, Some(Stage::Junior), summer);
        let foreign = schedule(stranger, None, season("01-01", "12-31"));
        let all = [of_county.to_vec(), vec![of_school.clone(), foreign]].concat();
        let bells = Bells::new(&[school, county], all);
        let rings = |date, stage| bells.on(date, stage).map(|schedule| schedule.bell_schedule_id);
        assert_eq!(rings(date(2026, 9, 30), Stage::Junior), Some(of_school.bell_schedule_id));
        assert_eq!(rings(date(2026, 9, 30), Stage::Primary), Some(of_county[0].bell_schedule_id));
        assert_eq!(rings(date(2026, 10, 1), Stage::Junior), Some(of_county[1].bell_schedule_id));
    }

    #[test]
    fn a_schedule_that_cannot_be_is_named() {
        let school = OrganisationId::fresh();
        let good = schedule(school, None, season("05-01", "09-30"));
        assert_eq!(good.check(&[]), Ok(()), "adjacent periods are the normal case");
        let change = |change: fn(&mut BellSchedule)| {
            let mut schedule = good.clone();
            change(&mut schedule);
            schedule.check(&[]).unwrap_err().to_string()
        };
        assert!(change(|s| s.periods.clear()).contains("no period"));
        assert!(change(|s| s.periods[1].ends = s.periods[1].starts).contains("lesson-1 ends before"));
        assert!(change(|s| s.periods[1].starts = Minute::new(470).unwrap()).contains("lesson-1 begins before early"));
        assert!(change(|s| s.periods[2].name = s.periods[1].name).contains("lesson-1 is there twice"));
        let other = schedule(school, None, season("09-30", "04-30"));
        assert!(matches!(good.check(&[other]), Err(BellScheduleError::SeasonsMeet { .. })));
        let other_stage = schedule(school, Some(Stage::Primary), season("09-30", "04-30"));
        assert_eq!(good.check(&[other_stage]), Ok(()));
    }

    #[test]
    fn names_are_written_in_one_way() {
        for text in ["lesson-3", "early_study-1", "evening_study-2"] {
            let name: PeriodName = text.parse().unwrap();
            assert_eq!((name.to_string(), serde_json::to_value(name).unwrap()), (text.to_owned(), text.into()));
        }
        for text in ["lesson-0", "lesson-03", "lesson-21", "lesson", "lunch-1", "", "-"] {
            assert_eq!(text.parse::<PeriodName>(), Err(NotAPeriod), "{text}");
        }
        for text in ["02-30", "2-1", "13-01", "", "x-y"] {
            assert_eq!(text.parse::<MonthDay>(), Err(NotAMonthDay), "{text}");
        }
    }
}
