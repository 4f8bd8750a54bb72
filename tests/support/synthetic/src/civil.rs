//! Civil time from an instant, in UTC and in Italy, without a clock and without tables.
//!
//! Italy: UTC+1, and UTC+2 from the last Sunday of March to the last Sunday of October, 01:00 UTC both
//! (in force since 1996, which covers every message that can exist).

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A date and time of day with its distance from UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) weekday: i64,
    pub(crate) offset_minutes: i32,
}

impl Civil {
    pub(crate) fn utc(ms: i64) -> Self {
        Self::at(ms, 0)
    }

    pub(crate) fn rome(ms: i64) -> Self {
        Self::at(ms, if is_summer(ms) { 120 } else { 60 })
    }

    fn at(ms: i64, offset_minutes: i32) -> Self {
        let local = ms + i64::from(offset_minutes) * 60_000;
        let (days, second) = (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS) / 1000);
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        Self {
            year: yoe + era * 400 + i64::from(month <= 2),
            month,
            day: doy - (153 * mp + 2) / 5 + 1,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            weekday: weekday(days),
            offset_minutes,
        }
    }

    /// `yyyymmddhhmmss`.
    pub(crate) fn compact(&self) -> String {
        let Self {
            year, month, day, ..
        } = self;
        let (hour, minute, second) = (self.hour, self.minute, self.second);
        format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
    }

    /// `dd/mm/yyyy`.
    pub(crate) fn giorno(&self) -> String {
        format!("{:02}/{:02}/{:04}", self.day, self.month, self.year)
    }

    /// `hh:mm:ss`.
    pub(crate) fn ora(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// `+hhmm`.
    pub(crate) fn zona(&self) -> String {
        format!(
            "+{:02}{:02}",
            self.offset_minutes / 60,
            self.offset_minutes % 60
        )
    }

    /// As in a `Date` header.
    pub(crate) fn mail_date(&self) -> String {
        let name = |names: &[&'static str], at: i64| {
            usize::try_from(at)
                .ok()
                .and_then(|at| names.get(at).copied())
                .unwrap_or_default()
        };
        format!(
            "{}, {} {} {:04} {} {}",
            name(&WEEKDAYS, self.weekday),
            self.day,
            name(&MONTHS, self.month - 1),
            self.year,
            self.ora(),
            self.zona()
        )
    }
}

/// Monday is 0; 1 January 1970 was a Thursday.
fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

fn is_summer(ms: i64) -> bool {
    let year = Civil::at(ms, 0).year;
    let from = last_sunday(year, 3) * DAY_MS + HOUR_MS;
    let until = last_sunday(year, 10) * DAY_MS + HOUR_MS;
    (from..until).contains(&ms)
}

/// The day, counted from 1970, of the last Sunday of a month of 31 days.
fn last_sunday(year: i64, month: i64) -> i64 {
    let last = days_from(year, month, 31);
    last - (weekday(last) + 1) % 7
}

fn days_from(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (month + 9) % 12;
    let doy = (153 * mp + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

#[cfg(test)]
mod tests {
    use super::Civil;

    #[test]
    fn the_two_half_past_two_of_october_differ_by_their_zone_only() {
        // 25 October 2026, 00:30 and 01:30 UTC.
        let (summer, winter) = (
            Civil::rome(1_792_888_200_000),
            Civil::rome(1_792_891_800_000),
        );
        assert_eq!(summer.mail_date(), "Sun, 25 Oct 2026 02:30:00 +0200");
        assert_eq!(winter.mail_date(), "Sun, 25 Oct 2026 02:30:00 +0100");
        assert_eq!(winter.giorno(), "25/10/2026");
    }

    #[test]
    fn the_hour_after_two_in_march_is_three() {
        // 29 March 2026, 00:59:59 and 01:00:00 UTC.
        assert_eq!(Civil::rome(1_774_745_999_000).ora(), "01:59:59");
        assert_eq!(Civil::rome(1_774_746_000_000).ora(), "03:00:00");
        assert_eq!(Civil::rome(1_774_746_000_000).zona(), "+0200");
        assert_eq!(Civil::utc(951_782_400_000).compact(), "20000229000000");
    }
}
