//! Local dates and times of a school, and their conversion to UTC.

use std::fmt;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::{TimeZone, TimeZoneDatabase},
};

use super::time::UnixMs;

/// No such time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {0}")]
pub struct NoSuchZone(pub String);

/// A school's time zone. The zone data is bundled, so that every machine uses the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// The default zone.
pub const SHANGHAI: &str = "Asia/Shanghai";

impl Zone {
    /// A zone by its IANA name.
    ///
    /// # Errors
    /// [`NoSuchZone`] where the bundled data has no such name.
    pub fn named(name: &str) -> Result<Self, NoSuchZone> {
        TimeZoneDatabase::bundled().get(name).map(Self).map_err(|_| NoSuchZone(name.to_owned()))
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or(SHANGHAI)
    }

    /// The instant of a local date and time. A local time skipped by summer time becomes the one after the gap.
    /// `None`: out of range.
    #[must_use]
    pub fn instant(&self, date: Date, minute: Minute) -> Option<UnixMs> {
        let (date, minute) =
            if minute.0 == Minute::DAY { (date.tomorrow().ok()?, 0) } else { (date, i16::try_from(minute.0).ok()?) };
        let time = Time::new(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0).ok()?;
        let at = self.0.to_timestamp(DateTime::from_parts(date, time)).ok()?;
        Some(UnixMs(at.as_millisecond()))
    }

    /// The local date and time of an instant. `None`: out of range.
    #[must_use]
    pub fn local(&self, at: UnixMs) -> Option<DateTime> {
        Some(self.0.to_datetime(Timestamp::from_millisecond(at.0).ok()?))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Minutes after local midnight, 0 to 1440.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Minute(u16);

impl Minute {
    const DAY: u16 = 24 * 60;

    /// A minute of the day. `None`: out of range.
    #[must_use]
    pub fn new(minutes_after_midnight: u16) -> Option<Self> {
        (minutes_after_midnight <= Self::DAY).then_some(Self(minutes_after_midnight))
    }

    /// From hour and minute: 8, 20 is 8:20. `None`: out of range.
    #[must_use]
    pub fn at(hour: u16, minute: u16) -> Option<Self> {
        (minute < 60).then(|| Self::new(hour.checked_mul(60)?.checked_add(minute)?)).flatten()
    }

    /// Minutes after midnight.
    #[must_use]
    pub fn after_midnight(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// The date in the schools' zone.
#[must_use]
pub fn school_day(at: UnixMs) -> Date {
    Zone::named(SHANGHAI).ok().and_then(|zone| zone.local(at)).map_or(Date::ZERO, |local| local.date())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_local_time_is_one_instant() {
        let shanghai = Zone::named(SHANGHAI).unwrap();
        let eight = Minute::at(8, 0).unwrap();
        assert_eq!(shanghai.instant(date(2026, 9, 21), eight), Some(UnixMs(1_789_948_800_000)));
        assert_eq!(shanghai.local(UnixMs(1_789_948_800_000)).unwrap().to_string(), "2026-09-21T08:00:00");
        // Ürümqi local time is two hours behind: 8:00 there is 10:00 in Shanghai.
        let urumqi = Zone::named("Asia/Urumqi").unwrap();
        assert_eq!(urumqi.instant(date(2026, 9, 21), eight), Some(UnixMs(1_789_956_000_000)));
        let midnight = shanghai.instant(date(2026, 9, 21), Minute::new(1440).unwrap());
        assert_eq!(midnight, shanghai.instant(date(2026, 9, 22), Minute::new(0).unwrap()));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert_eq!(Zone::named("Asia/Atlantis"), Err(NoSuchZone("Asia/Atlantis".into())));
        assert_eq!((Minute::new(1441), Minute::at(8, 60), Minute::at(24, 1)), (None, None, None));
        assert_eq!(Minute::at(8, 5).unwrap().to_string(), "08:05");
    }
}
