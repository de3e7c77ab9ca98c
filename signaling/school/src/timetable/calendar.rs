//! School years, terms, teaching weeks, holidays and swapped days (调休).

use std::collections::BTreeMap;

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::id::{OrganisationId, SchoolYearId, TermId};

/// Maximum weeks of a term: a term is at most half a year, so more is a typing error.
pub const WEEKS_MAX: u8 = 30;

/// A school year, such as 2026-2027学年.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchoolYear {
    /// Its id in the store.
    pub school_year_id: SchoolYearId,
    /// The bureau or school that set it; it applies to everything below.
    pub organisation_id: OrganisationId,
    /// 2026-2027学年
    pub name: String,
    /// Its first day.
    pub first_day: Date,
    /// Its last day.
    pub last_day: Date,
}

/// A term, such as 第一学期.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Its id in the store.
    pub term_id: TermId,
    /// Its school year.
    pub school_year_id: SchoolYearId,
    /// 2026-2027学年 第一学期
    pub name: String,
    /// The first day with lessons.
    pub first_day: Date,
    /// The last day with lessons.
    pub last_day: Date,
}

/// Why a calendar is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum CalendarError {
    /// The last day precedes the first.
    #[error("{name} ends before it begins")]
    EndsBeforeItBegins {
        /// The year or term.
        name: String,
    },
    /// Too many weeks.
    #[error("{name} has more than {max} weeks")]
    TooManyWeeks {
        /// The term.
        name: String,
        /// Maximum number of weeks.
        max: u8,
    },
    /// The term is not within its school year.
    #[error("{name} lies outside its school year")]
    OutsideYear {
        /// The term.
        name: String,
    },
    /// Two terms of a year share a day. The other term is not named: it may be a bureau's that the caller cannot see.
    #[error("{name} overlaps another term of its school year")]
    TermsOverlap {
        /// The term.
        name: String,
    },
    /// A day outside the term is made up.
    #[error("{on} makes up {taught_as}, which is not in the term")]
    MakesUpOutside {
        /// The day on which it is made up.
        #[schema(value_type = String, format = Date)]
        on: Date,
        /// The day whose lessons are given.
        #[schema(value_type = String, format = Date)]
        taught_as: Date,
    },
    /// The lessons of one day are assigned to two days.
    #[error("the lessons of {taught_as} would be given twice, on {first} and on {second}")]
    TaughtTwice {
        /// The day whose lessons are given.
        #[schema(value_type = String, format = Date)]
        taught_as: Date,
        /// The first day assigned.
        #[schema(value_type = String, format = Date)]
        first: Date,
        /// The second day assigned.
        #[schema(value_type = String, format = Date)]
        second: Date,
    },
}

impl SchoolYear {
    /// Validates the year.
    ///
    /// # Errors
    /// [`CalendarError::EndsBeforeItBegins`] where the last day precedes the first.
    pub fn check(&self) -> Result<(), CalendarError> {
        if self.last_day < self.first_day {
            return Err(CalendarError::EndsBeforeItBegins { name: self.name.clone() });
        }
        Ok(())
    }
}

impl Term {
    /// Validates the term within its year and against the year's other terms.
    ///
    /// # Errors
    /// See [`CalendarError`].
    pub fn check(&self, year: &SchoolYear, others: &[Self]) -> Result<(), CalendarError> {
        let name = || self.name.clone();
        if self.last_day < self.first_day {
            return Err(CalendarError::EndsBeforeItBegins { name: name() });
        }
        if self.first_day < year.first_day || self.last_day > year.last_day {
            return Err(CalendarError::OutsideYear { name: name() });
        }
        if self.week_number(self.last_day) > i32::from(WEEKS_MAX) {
            return Err(CalendarError::TooManyWeeks { name: name(), max: WEEKS_MAX });
        }
        let shares_a_day = |other: &Self| {
            other.term_id != self.term_id && other.first_day <= self.last_day && self.first_day <= other.last_day
        };
        if others.iter().any(shares_a_day) {
            return Err(CalendarError::TermsOverlap { name: name() });
        }
        Ok(())
    }

    /// Whether the date is in the term, weekends and holidays included.
    #[must_use]
    pub fn contains(&self, date: Date) -> bool {
        (self.first_day..=self.last_day).contains(&date)
    }

    /// 第几周: week 1 is the week, Monday to Sunday, with the term's first day. `None`: not in the term.
    #[must_use]
    pub fn week_of(&self, date: Date) -> Option<u8> {
        self.contains(date).then(|| u8::try_from(self.week_number(date)).ok()).flatten()
    }

    /// The date of a weekday in a week. `None`: not in the term.
    #[must_use]
    pub fn date_of(&self, week_no: u8, weekday: Weekday) -> Option<Date> {
        let days = (i64::from(week_no) - 1) * 7 + i64::from(weekday.to_monday_zero_offset());
        let date = monday_of(self.first_day).checked_add(days.days()).ok()?;
        (week_no > 0 && self.contains(date)).then_some(date)
    }

    /// Number of weeks, including an incomplete first and last week.
    #[must_use]
    pub fn weeks(&self) -> u8 {
        u8::try_from(self.week_number(self.last_day)).unwrap_or(WEEKS_MAX)
    }

    fn week_number(&self, date: Date) -> i32 {
        let days = (date - monday_of(self.first_day)).get_days();
        days.div_euclid(7) + 1
    }
}

/// The Monday of a date's week.
#[must_use]
pub fn monday_of(date: Date) -> Date {
    let back = i64::from(date.weekday().to_monday_zero_offset());
    date.checked_sub(back.days()).unwrap_or(date)
}

/// How a special day differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DayKind {
    /// 放假: no lessons.
    Off,
    /// 调休: the lessons of another date, by its weekday and week.
    TaughtAs {
        /// The date whose lessons are given.
        date: Date,
    },
}

/// A day that does not follow its weekday's plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialDay {
    /// The date.
    pub date: Date,
    /// How it differs.
    pub kind: DayKind,
    /// 国庆节
    pub name: String,
}

/// Where the lessons planned for a day are actually given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// On this date.
    On(Date),
    /// Not given: a holiday that is not made up.
    Off {
        /// The holiday.
        name: String,
    },
    /// Not given: the day is used for another day's lessons.
    TakenFor(Date),
}

/// A term with its special days.
#[derive(Clone, Debug)]
pub struct Calendar {
    term: Term,
    special: BTreeMap<Date, SpecialDay>,
    /// Dates whose lessons are made up, with the date on which they are given.
    made_up: BTreeMap<Date, Date>,
}

impl Calendar {
    /// Combines a term with its special days. Later entries win: days of a nearer organisation follow those of the
    /// bureau above, so that a school can close while the county teaches.
    ///
    /// # Errors
    /// [`CalendarError::MakesUpOutside`] where the made-up day is not in the term, [`CalendarError::TaughtTwice`].
    pub fn new(term: Term, days: impl IntoIterator<Item = SpecialDay>) -> Result<Self, CalendarError> {
        let special: BTreeMap<Date, SpecialDay> =
            days.into_iter().filter(|day| term.contains(day.date)).map(|day| (day.date, day)).collect();
        let mut made_up = BTreeMap::new();
        for (&on, day) in &special {
            let DayKind::TaughtAs { date: taught_as } = day.kind else { continue };
            if !term.contains(taught_as) {
                return Err(CalendarError::MakesUpOutside { on, taught_as });
            }
            if let Some(first) = made_up.insert(taught_as, on) {
                return Err(CalendarError::TaughtTwice { taught_as, first, second: on });
            }
            // The made-up date must have no lessons of its own: off, or itself used for another day's.
            if taught_as != on && !special.contains_key(&taught_as) {
                return Err(CalendarError::TaughtTwice { taught_as, first: taught_as, second: on });
            }
        }
        Ok(Self { term, special, made_up })
    }

    /// The term.
    #[must_use]
    pub fn term(&self) -> &Term {
        &self.term
    }

    /// Where the lessons planned for `date` are actually given.
    #[must_use]
    pub fn held(&self, date: Date) -> Held {
        if let Some(on) = self.made_up.get(&date) {
            return Held::On(*on);
        }
        match self.special.get(&date) {
            None => Held::On(date),
            Some(SpecialDay { kind: DayKind::Off, name, .. }) => Held::Off { name: name.clone() },
            Some(SpecialDay { kind: DayKind::TaughtAs { date: other }, .. }) => Held::TakenFor(*other),
        }
    }

    /// The special day on this date. `None`: an ordinary day.
    #[must_use]
    pub fn special(&self, date: Date) -> Option<&SpecialDay> {
        self.special.get(&date)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn autumn() -> Term {
        Term {
            term_id: TermId::fresh(),
            school_year_id: SchoolYearId::fresh(),
            name: "第一学期".into(),
            first_day: date(2026, 9, 1),
            last_day: date(2027, 1, 22),
        }
    }

    fn off(date: Date) -> SpecialDay {
        SpecialDay { date, kind: DayKind::Off, name: "国庆节".into() }
    }

    fn makes_up(on: Date, taught_as: Date) -> SpecialDay {
        SpecialDay { date: on, kind: DayKind::TaughtAs { date: taught_as }, name: "调休".into() }
    }

    #[test]
    fn week_one_is_the_one_with_the_first_day_in_it() {
        let term = autumn(); // A Tuesday.
        let table = [
            (date(2026, 8, 31), None),
            (date(2026, 9, 1), Some(1)),
            (date(2026, 9, 6), Some(1)),
            (date(2026, 9, 7), Some(2)),
            (date(2026, 9, 30), Some(5)),
            (date(2027, 1, 22), Some(21)),
            (date(2027, 1, 23), None),
        ];
        for (date, week) in table {
            assert_eq!(term.week_of(date), week, "{date}");
        }
        assert_eq!(term.date_of(1, Weekday::Monday), None, "the term begins on a Tuesday");
        assert_eq!(term.date_of(5, Weekday::Wednesday), Some(date(2026, 9, 30)));
        assert_eq!((term.date_of(0, Weekday::Sunday), term.date_of(22, Weekday::Monday)), (None, None));
        assert_eq!(term.weeks(), 21);
    }

    #[test]
    fn a_holiday_is_made_up_on_a_saturday() {
        let (wednesday, saturday) = (date(2026, 10, 7), date(2026, 10, 10));
        let calendar = Calendar::new(autumn(), [off(wednesday), makes_up(saturday, wednesday)]).unwrap();
        assert_eq!(calendar.held(wednesday), Held::On(saturday));
        assert_eq!(calendar.held(saturday), Held::TakenFor(wednesday));
        assert_eq!(calendar.held(date(2026, 10, 8)), Held::On(date(2026, 10, 8)));
    }

    #[test]
    fn the_nearer_organisation_wins() {
        let (day, name) = (date(2026, 12, 7), "雪天".to_owned());
        let snow = SpecialDay { date: day, kind: DayKind::Off, name };
        let calendar = Calendar::new(autumn(), [makes_up(day, day), snow]).unwrap();
        assert_eq!(calendar.held(day), Held::Off { name: "雪天".into() });
    }

    #[test]
    fn no_day_is_taught_twice() {
        let (thursday, friday, saturday, sunday) =
            (date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 10), date(2026, 10, 11));
        let twice = [off(thursday), makes_up(saturday, thursday), makes_up(sunday, thursday)];
        assert!(matches!(Calendar::new(autumn(), twice), Err(CalendarError::TaughtTwice { .. })));
        let not_off = [makes_up(saturday, friday)];
        assert!(matches!(Calendar::new(autumn(), not_off), Err(CalendarError::TaughtTwice { .. })));
        let outside = [makes_up(saturday, date(2026, 7, 1))];
        assert!(matches!(Calendar::new(autumn(), outside), Err(CalendarError::MakesUpOutside { .. })));
        // Two exchanged days are each taught once.
        let exchanged = Calendar::new(autumn(), [makes_up(thursday, friday), makes_up(friday, thursday)]).unwrap();
        assert_eq!((exchanged.held(thursday), exchanged.held(friday)), (Held::On(friday), Held::On(thursday)));
    }

    #[test]
    fn a_term_lies_in_its_year_and_beside_the_others() {
        let term = autumn();
        let year = SchoolYear {
            school_year_id: term.school_year_id,
            organisation_id: OrganisationId::fresh(),
            name: "2026-2027学年".into(),
            first_day: date(2026, 9, 1),
            last_day: date(2027, 8, 31),
        };
        assert_eq!(term.check(&year, std::slice::from_ref(&term)), Ok(()));
        let spring = Term { term_id: TermId::fresh(), first_day: date(2027, 1, 22), ..term.clone() };
        assert!(matches!(spring.check(&year, std::slice::from_ref(&term)), Err(CalendarError::TermsOverlap { .. })));
        let early = Term { first_day: date(2026, 8, 31), ..term.clone() };
        assert!(matches!(early.check(&year, &[]), Err(CalendarError::OutsideYear { .. })));
        let long = Term { last_day: date(2027, 8, 31), ..term.clone() };
        assert!(matches!(long.check(&year, &[]), Err(CalendarError::TooManyWeeks { max: 30, .. })));
        let backwards = Term { last_day: date(2026, 8, 1), ..term };
        assert!(matches!(backwards.check(&year, &[]), Err(CalendarError::EndsBeforeItBegins { .. })));
    }

    proptest! {
        #[test]
        fn week_and_weekday_lead_back_to_the_date(first in 0..2_000_i64, length in 0..200_i64, day in 0..200_i64) {
            let first_day = date(2024, 1, 1).checked_add(first.days()).unwrap();
            let term = Term { first_day, last_day: first_day.checked_add(length.days()).unwrap(), ..autumn() };
            let date = first_day.checked_add(day.days()).unwrap();
            match term.week_of(date) {
                Some(week) => prop_assert_eq!(term.date_of(week, date.weekday()), Some(date)),
                None => prop_assert!(day > length),
            }
        }
    }
}
