//! Forecast of how long the free storage will last, from the use of the last weeks.

use jiff::civil::{Date, Weekday};

/// Input of a forecast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Today.
    pub today: Date,
    /// Bytes recorded on each day before today, one entry a day.
    pub recorded: Vec<(Date, u64)>,
    /// Bytes that retention will delete, by date.
    pub leaving: Vec<(Date, u64)>,
    /// Free bytes now.
    pub free_bytes: u64,
}

/// How long the free storage lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// Too few days of recording to tell.
    Unknown,
    /// It is used up this many days from now; 0 is today.
    Days(u32),
    /// It lasts at least [`DAYS_MAX`] days.
    Enough,
}

impl Outlook {
    /// Each future weekday uses that weekday's average over the last four weeks; deletions by retention free space.
    /// Holidays count in the average as they fell in those weeks.
    #[must_use]
    pub fn forecast(&self) -> Forecast {
        let Some(first) = self.recorded.iter().filter(|(_, bytes)| *bytes > 0).map(|(day, _)| *day).min() else {
            return Forecast::Unknown;
        };
        let Ok(since) = first.until(self.today).map(|span| span.get_days()) else { return Forecast::Unknown };
        if since < DAYS_KNOWN_MIN {
            return Forecast::Unknown;
        }
        let days = since.min(WEEKS * 7);
        let takes = |weekday: Weekday| {
            let mut sum = 0_u128;
            for (day, bytes) in &self.recorded {
                let ago = day.until(self.today).map_or(i32::MAX, |span| span.get_days());
                if day.weekday() == weekday && (1..=days).contains(&ago) {
                    sum += u128::from(*bytes);
                }
            }
            // Number of this weekday in the days considered.
            let of_them = (1..=days).filter(|ago| back(self.today, *ago).weekday() == weekday).count();
            sum / of_them.max(1) as u128
        };
        let by_weekday: Vec<u128> = (0..7).map(|offset| takes(Weekday::Monday.wrapping_add(offset))).collect();
        let mut free = u128::from(self.free_bytes);
        let mut day = self.today;
        for ahead in 0..DAYS_MAX {
            free += self.leaving.iter().filter(|(at, _)| *at == day).map(|(_, bytes)| u128::from(*bytes)).sum::<u128>();
            let needs = by_weekday.get(usize::from(day.weekday().to_monday_zero_offset().unsigned_abs())).copied();
            match free.checked_sub(needs.unwrap_or(0)) {
                Some(left) => free = left,
                None => return Forecast::Days(ahead),
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        Forecast::Enough
    }
}

fn back(day: Date, days: i32) -> Date {
    day.checked_sub(jiff::Span::new().days(days)).unwrap_or(day)
}

/// Horizon of a forecast, in days: two school years.
pub const DAYS_MAX: u32 = 730;

/// Minimum days of history: a week includes every weekday.
const DAYS_KNOWN_MIN: i32 = 7;

/// Weeks of history considered; older weeks may have had other bell times.
const WEEKS: i32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    /// 2026-11-30 is a Monday.
    fn school_weeks(free_bytes: u64) -> Outlook {
        let today = date(2026, 11, 30);
        let recorded = (1..=28).map(|ago| back(today, ago)).filter(|day| day.weekday().to_monday_zero_offset() < 5);
        Outlook { today, recorded: recorded.map(|day| (day, 10)).collect(), leaving: Vec::new(), free_bytes }
    }

    #[test]
    fn school_days_take_room_and_weekends_do_not() {
        // Monday to Friday take 10 each: 49 are not enough for Friday, the fifth day.
        assert_eq!(school_weeks(0).forecast(), Forecast::Days(0));
        assert_eq!(school_weeks(49).forecast(), Forecast::Days(4));
        // 50 last the week, and the weekend uses nothing: the next Monday is the eighth day.
        assert_eq!(school_weeks(50).forecast(), Forecast::Days(7));
        assert_eq!(school_weeks(1_000_000).forecast(), Forecast::Enough);
    }

    #[test]
    fn what_retention_removes_makes_room() {
        let mut outlook = school_weeks(20);
        assert_eq!(outlook.forecast(), Forecast::Days(2));
        outlook.leaving = vec![(date(2026, 12, 2), 20), (date(2026, 12, 3), 5)];
        // 20 and 20 are Monday to Thursday; the other 5 are less than a day.
        assert_eq!(outlook.forecast(), Forecast::Days(4));
    }

    #[test]
    fn a_hub_of_less_than_a_week_says_nothing_and_a_young_one_counts_only_its_own_days() {
        let today = date(2026, 11, 30);
        let days = |days: i32| Outlook {
            today,
            recorded: (1..=days).map(|ago| (back(today, ago), 10)).collect(),
            leaving: Vec::new(),
            free_bytes: 35,
        };
        assert_eq!(Outlook { today, ..Outlook::default() }.forecast(), Forecast::Unknown);
        assert_eq!(days(6).forecast(), Forecast::Unknown);
        assert_eq!(days(9).forecast(), Forecast::Days(3));
        // Older days do not count.
        let mut old = days(28);
        old.recorded.extend((29..=60).map(|ago| (back(today, ago), 1_000_000)));
        assert_eq!(old.forecast(), Forecast::Days(3));
    }

    #[test]
    fn no_number_is_too_large() {
        let mut outlook = school_weeks(u64::MAX);
        outlook.recorded.iter_mut().for_each(|(_, bytes)| *bytes = u64::MAX);
        assert_eq!(outlook.forecast(), Forecast::Days(1));
    }
}
