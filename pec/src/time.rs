//! The two spellings of time: `<data>` of the daticert, and the Date header.
//!
//! # Invariants
//! 1. A time without its offset is no instant: no zone is assumed.
//! 2. Instants before 1970 are nobody's PEC; they are left out, the text remains.

use ceralacca_formats::canonical::Integer;
use chrono::{DateTime, FixedOffset, NaiveDate, Offset as _, TimeZone as _};
use chrono_tz::Europe::Rome;

/// An instant, and the offset it was stated with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Moment {
    /// Milliseconds since 1970, UTC.
    pub ms: Integer,
    /// Offset from UTC, in minutes.
    pub offset_min: Integer,
}

impl Moment {
    fn new(time: DateTime<FixedOffset>) -> Option<Self> {
        let ms = Integer::try_from(time.timestamp_millis()).ok()?;
        let offset_min = Integer::from(time.offset().local_minus_utc() / 60);
        (ms >= Integer::ZERO).then_some(Self { ms, offset_min })
    }

    /// From `giorno` (dd/mm/yyyy), `ora` (hh:mm:ss) and `zona` (`+hhmm` or `+hh:mm`).
    pub(crate) fn from_daticert(day: &str, hour: &str, zone: &str) -> Option<Self> {
        let [day, month, year] = numbers(day.trim(), '/')?;
        let [hour, minute, second] = numbers(hour.trim(), ':')?;
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        let local = date.and_hms_opt(hour, minute, second)?;
        Self::new(offset(zone.trim())?.from_local_datetime(&local).single()?)
    }

    /// Whether the offset is that of Italian time at this instant: providers write no other.
    pub(crate) fn is_italian(self) -> bool {
        let instant = DateTime::from_timestamp_millis(self.ms.get());
        instant.is_some_and(|instant| {
            let offset = Rome.offset_from_utc_datetime(&instant.naive_utc()).fix();
            Integer::from(offset.local_minus_utc() / 60) == self.offset_min
        })
    }

    /// From a Date header (RFC 5322 section 3.3): comments, one-digit days and old zone names allowed; the
    /// day of the week is not looked at, since some writers get it wrong.
    pub(crate) fn from_header(value: &str) -> Option<Self> {
        let date = value.split_once(',').map_or(value, |(_, date)| date);
        Self::new(DateTime::parse_from_rfc2822(date.trim()).ok()?)
    }
}

/// Three numbers of at most four digits.
fn numbers(text: &str, separator: char) -> Option<[u32; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let digits = part.bytes().all(|c| c.is_ascii_digit());
        let part = part.get(..).filter(|_| digits && part.len() <= 4)?;
        part.parse().ok()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

fn offset(zone: &str) -> Option<FixedOffset> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None => digits.split_at_checked(2)?,
    };
    let two = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|c| c.is_ascii_digit());
        text.parse::<i32>().ok().filter(|_| digits)
    };
    let (hours, minutes) = (two(hours)?, two(minutes).filter(|minutes| *minutes < 60)?);
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daticert(day: &str, hour: &str, zone: &str) -> Option<(i64, i64)> {
        let moment = Moment::from_daticert(day, hour, zone)?;
        Some((moment.ms.get(), moment.offset_min.get()))
    }

    fn header(value: &str) -> Option<(i64, i64)> {
        let moment = Moment::from_header(value)?;
        Some((moment.ms.get(), moment.offset_min.get()))
    }

    #[test]
    fn both_spellings_of_the_zone_are_one_instant() {
        let expected = Some((1_715_065_811_000, 120));
        assert_eq!(daticert("07/05/2024", "09:10:11", "+0200"), expected);
        assert_eq!(daticert("7/5/2024", "9:10:11", " +02:00"), expected);
        assert_eq!(
            daticert("07/05/2024", "05:40:11", "-0130"),
            Some((1_715_065_811_000, -90))
        );
    }

    #[test]
    fn the_doubled_hour_is_told_apart_by_its_zone() {
        let (summer, _) = daticert("25/10/2026", "02:30:00", "+0200").unwrap();
        let (winter, _) = daticert("25/10/2026", "02:30:00", "+0100").unwrap();
        assert_eq!(winter - summer, 3_600_000);
    }

    #[test]
    fn an_offset_is_italian_or_not_on_its_day() {
        let is_italian = |day: &str, hour: &str, zone: &str| {
            Moment::from_daticert(day, hour, zone).unwrap().is_italian()
        };
        for (day, hour, zone, expected) in [
            ("07/05/2024", "09:10:11", "+0200", true),
            ("07/05/2024", "08:10:11", "+0100", false),
            ("07/05/2024", "07:10:11", "+0000", false),
            ("12/01/2026", "09:05:03", "+0100", true),
            ("25/10/2026", "02:30:00", "+0200", true),
            ("25/10/2026", "02:30:00", "+0100", true),
            ("25/10/2026", "03:30:00", "+0200", false),
        ] {
            assert_eq!(is_italian(day, hour, zone), expected, "{day} {hour} {zone}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for (day, hour, zone) in [
            ("31/02/2024", "09:10:11", "+0200"),
            ("07/05/2024", "24:10:11", "+0200"),
            ("07/05/2024", "09:10", "+0200"),
            ("07/05/2024/1", "09:10:11", "+0200"),
            ("07-05-2024", "09:10:11", "+0200"),
            ("+7/05/2024", "09:10:11", "+0200"),
            ("07/05/2024", "09:10:11", ""),
            ("07/05/2024", "09:10:11", "CEST"),
            ("07/05/2024", "09:10:11", "+0260"),
            ("07/05/2024", "09:10:11", "+9900"),
            ("07/05/2024", "09:10:11", "+02000"),
            ("07/05/1924", "09:10:11", "+0200"),
            ("07/05/20245", "09:10:11", "+0200"),
            ("", "", ""),
        ] {
            assert_eq!(daticert(day, hour, zone), None, "{day} {hour} {zone}");
        }
    }

    #[test]
    fn date_headers_may_have_comments_and_short_days() {
        let expected = Some((1_715_065_811_000, 120));
        for value in [
            "Tue, 7 May 2024 09:10:11 +0200 (CEST)",
            "Tue, 07 May 2024 09:10:11 +0200",
            "Tue,  7 May 2024 09:10:11 +0200",
            "7 May 2024 09:10:11 +0200",
            "Mon, 7 May 2024 09:10:11 +0200 (wrong (day) of the week)",
        ] {
            assert_eq!(header(value), expected, "{value}");
        }
        assert_eq!(
            header("Tue, 7 May 2024 07:10:11 GMT"),
            Some((1_715_065_811_000, 0))
        );
        for value in [
            "",
            ",",
            "ieri",
            "Tue, 7 May 2024",
            "Tue, 32 May 2024 09:10:11 +0200",
        ] {
            assert_eq!(header(value), None, "{value}");
        }
    }
}
