//! Days as people in Italy count them, and their conversion from and to instants, which exists once.
//!
//! # Invariants
//! 1. A [`CivilDate`] lies in the years 1986 to 9999. Before 1986 the holidays differ
//!    ([`crate::calendar`]); after 9999 the instant is a mistake of unit, and dates no longer have ten
//!    characters.
//! 2. `CivilDate::in_rome(d.begins_at()) == d`, and one millisecond earlier it is the day before.
//!
//! # The zone after 2099
//! The zone tables end in 2099 and would answer winter time for ever after: in the nights of summer
//! a start would fall one day early, and so would its end. From 2100 the rule behind the tables is
//! applied itself: Directive 2000/84/EC, art. 2 and 3, summer time from the last Sunday of March to the
//! last Sunday of October, both at 01:00 UTC.

use std::fmt;

use chrono::{
    DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone,
    Weekday,
};
use chrono_tz::Europe::Rome;

use crate::time::{TimeError, UtcMillis};

/// The last year whose summer the zone tables know.
const ZONE_TABLES_LAST_YEAR: i32 = 2099;

/// A day in Italy (Europe/Rome), from its midnight to the next.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CivilDate(NaiveDate);

impl CivilDate {
    /// First year of the calendar: 6 January is a holiday again (D.P.R. 792/1985).
    pub const FIRST_YEAR: i32 = 1986;
    /// Last year of the calendar: the last one of four digits.
    pub const LAST_YEAR: i32 = 9999;

    /// The day so numbered.
    ///
    /// # Errors
    /// [`TimeError::NotADay`] when there is no such day, or it is outside the calendar.
    pub fn new(year: i32, month: u32, day: u32) -> Result<Self, TimeError> {
        NaiveDate::from_ymd_opt(year, month, day)
            .and_then(Self::within_calendar)
            .ok_or(TimeError::NotADay {
                year,
                month,
                day,
                first: Self::FIRST_YEAR,
                last: Self::LAST_YEAR,
            })
    }

    /// The day it is in Italy at `instant`.
    ///
    /// # Errors
    /// [`TimeError::InstantOutsideCalendar`] when that day is outside the calendar.
    pub fn in_rome(instant: UtcMillis) -> Result<Self, TimeError> {
        DateTime::from_timestamp_millis(instant.as_millis())
            .map(|utc| utc.naive_utc())
            .and_then(|utc| utc.checked_add_signed(rome_ahead_of_utc(utc)?))
            .and_then(|local| Self::within_calendar(local.date()))
            .ok_or(TimeError::InstantOutsideCalendar {
                instant,
                first: Self::FIRST_YEAR,
                last: Self::LAST_YEAR,
            })
    }

    /// The first instant of the day: midnight in Italy. Since 1986 the hands are moved at 01:00 UTC, so
    /// every midnight exists, and once.
    pub fn begins_at(self) -> UtcMillis {
        let midnight = self.0.and_time(NaiveTime::MIN);
        // The years 1986 to 9999 leave room on both sides: the subtractions cannot overflow.
        let if_summer = midnight - SUMMER;
        let utc = if rome_ahead_of_utc(if_summer) == Some(SUMMER) {
            if_summer
        } else {
            midnight - WINTER
        };
        UtcMillis::new(utc.and_utc().timestamp_millis())
    }

    /// The day after, unless the calendar ends.
    pub fn next(self) -> Option<Self> {
        self.0.succ_opt().and_then(Self::within_calendar)
    }

    /// The day with the same number, `months` later; the last day of that month where it has no such
    /// day (art. 2963(4) and (5) c.c.). `None` where the calendar ends.
    pub fn plus_months(self, months: u16) -> Option<Self> {
        let later = self.0.checked_add_months(Months::new(u32::from(months)));
        later.and_then(Self::within_calendar)
    }

    /// The year, 1986 to 9999.
    pub fn year(self) -> i32 {
        self.0.year()
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u32 {
        self.0.month()
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u32 {
        self.0.day()
    }

    /// True on Sundays.
    pub fn is_sunday(self) -> bool {
        self.0.weekday() == Weekday::Sun
    }

    fn within_calendar(date: NaiveDate) -> Option<Self> {
        (Self::FIRST_YEAR..=Self::LAST_YEAR)
            .contains(&date.year())
            .then_some(Self(date))
    }
}

/// As in ISO 8601: `2026-02-28`.
impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}",
            self.year(),
            self.month(),
            self.day()
        )
    }
}

const WINTER: TimeDelta = TimeDelta::hours(1);
const SUMMER: TimeDelta = TimeDelta::hours(2);

/// How far Italian time is ahead of UTC; `None` at the edges of what chrono can write.
fn rome_ahead_of_utc(utc: NaiveDateTime) -> Option<TimeDelta> {
    if utc.year() > ZONE_TABLES_LAST_YEAR {
        return by_directive(utc);
    }
    let offset = Rome.offset_from_utc_datetime(&utc).fix();
    TimeDelta::try_seconds(i64::from(offset.local_minus_utc()))
}

/// Directive 2000/84/EC, applied by hand.
fn by_directive(utc: NaiveDateTime) -> Option<TimeDelta> {
    // An hour back, so that the change falls on the midnight of the Sunday.
    let day = utc.checked_sub_signed(TimeDelta::hours(1))?.date();
    // March and October have 31 days: their last Sunday is the one from the 25th on.
    let last_sunday_has_come = day.day() >= 25 + day.weekday().num_days_from_sunday();
    let summer = match day.month() {
        3 => last_sunday_has_come,
        4..=9 => true,
        10 => !last_sunday_has_come,
        _ => false,
    };
    Some(if summer { SUMMER } else { WINTER })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i32, month: u32, day: u32) -> CivilDate {
        CivilDate::new(year, month, day).unwrap()
    }

    #[test]
    fn a_day_begins_at_its_first_instant() {
        let mut day = date(1986, 1, 2);
        while day.year() < 2150 {
            let begin = day.begins_at();
            let before = UtcMillis::new(begin.as_millis() - 1);
            assert_eq!(CivilDate::in_rome(begin), Ok(day));
            assert_eq!(CivilDate::in_rome(before).unwrap().next(), Some(day));
            day = day.next().unwrap();
        }
    }

    #[test]
    fn the_directive_and_the_zone_tables_agree_from_1996_to_2099() {
        // Until 1995 summer time ended in September.
        let mut utc = date(1996, 1, 1).0.and_time(NaiveTime::MIN);
        while utc.year() <= ZONE_TABLES_LAST_YEAR {
            assert_eq!(by_directive(utc), rome_ahead_of_utc(utc), "{utc}");
            utc += TimeDelta::minutes(30);
        }
    }

    #[test]
    fn a_summer_night_of_2100_already_belongs_to_the_next_day() {
        let utc = date(2100, 6, 30)
            .0
            .and_hms_opt(22, 30, 0)
            .unwrap()
            .and_utc();
        let instant = UtcMillis::new(utc.timestamp_millis());
        assert_eq!(CivilDate::in_rome(instant), Ok(date(2100, 7, 1)));
    }

    #[test]
    fn the_calendar_ends_at_both_ends_in_italian_time() {
        let first = date(1986, 1, 1);
        let last = date(9999, 12, 31);
        assert_eq!(CivilDate::in_rome(first.begins_at()), Ok(first));
        assert_eq!(last.next(), None);
        assert_eq!(last.plus_months(1), None);
        assert!(CivilDate::in_rome(UtcMillis::new(first.begins_at().as_millis() - 1)).is_err());
        let day_ms = 86_400_000;
        let after = UtcMillis::new(last.begins_at().as_millis() + day_ms);
        assert!(CivilDate::in_rome(UtcMillis::new(after.as_millis() - 1)).is_ok());
        assert!(CivilDate::in_rome(after).is_err());
    }

    #[test]
    fn an_extreme_instant_is_an_error_that_names_it() {
        let edges = [
            i64::MIN,
            i64::MAX,
            0,
            -1,
            8_210_266_876_799_999,
            -8_334_601_228_800_000,
        ];
        for millis in edges {
            let instant = UtcMillis::new(millis);
            assert_eq!(
                CivilDate::in_rome(instant),
                Err(TimeError::InstantOutsideCalendar {
                    instant,
                    first: 1986,
                    last: 9999
                })
            );
        }
    }

    #[test]
    fn a_day_that_does_not_exist_is_an_error_that_names_it() {
        let error = CivilDate::new(2023, 2, 29).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2023-2-29 is not a day of the years 1986 to 9999"
        );
        assert!(CivilDate::new(1985, 12, 31).is_err());
        assert!(CivilDate::new(10_000, 1, 1).is_err());
    }
}
