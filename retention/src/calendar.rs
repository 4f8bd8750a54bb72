//! Italian public holidays (*giorni festivi*): L. 27 May 1949 n. 260, art. 2, as amended.
//!
//! # Invariants
//! 1. For the years to date the table says what the law said in that year; for those to come, what it
//!    says today. It is valid from 1986, the first year of [`CivilDate`].
//! 2. Saturday is not a holiday: art. 155(5) c.p.c. extends only procedural acts done out of hearing.
//! 3. Two days that are holidays for other reasons stand once: there is no substitute day in Italy.
//!
//! # Not here
//! Feasts of patron saints, 29 June (Rome only), the August suspension of courts: none extends a term
//! that is the same for the whole country. The years before 1986, when 6 January was suppressed
//! (L. 54/1977).

use crate::civil::CivilDate;

/// A day of the year that is a holiday, and the years in which it is.
struct Fixed {
    month: u32,
    day: u32,
    from: i32,
    to: i32,
}

const fn always(month: u32, day: u32) -> Fixed {
    since(month, day, CivilDate::FIRST_YEAR)
}

const fn since(month: u32, day: u32, from: i32) -> Fixed {
    Fixed {
        month,
        day,
        from,
        to: CivilDate::LAST_YEAR,
    }
}

const fn only(month: u32, day: u32, year: i32) -> Fixed {
    Fixed {
        month,
        day,
        from: year,
        to: year,
    }
}

const FIXED: [Fixed; 12] = [
    always(1, 1),
    since(1, 6, 1986), // Epiphany, suppressed by L. 54/1977, restored by D.P.R. 792/1985
    only(3, 17, 2011), // 150 years of unity, for that year only: D.L. 5/2011 art. 1, conv. L. 47/2011
    always(4, 25),
    always(5, 1),
    since(6, 2, 2001), // moved to a Sunday by L. 54/1977, restored by L. 336/2000
    always(8, 15),
    since(10, 4, 2026), // Saint Francis: L. 151/2025, in force from 1 January 2026
    always(11, 1),
    always(12, 8),
    always(12, 25),
    always(12, 26),
];

/// True on public holidays: Sundays, the fixed days of that year, Easter Monday.
pub fn is_holiday(date: CivilDate) -> bool {
    let fixed = FIXED.iter().any(|holiday| {
        (holiday.month, holiday.day) == (date.month(), date.day())
            && (holiday.from..=holiday.to).contains(&date.year())
    });
    fixed
        || date.is_sunday()
        || (date.month(), date.day()) == easter_monday(date.year().unsigned_abs())
}

/// `date` itself, or the first day after it that is not a holiday (art. 2963(3) c.c.). `None` where
/// the calendar ends.
pub fn first_working_day_from(date: CivilDate) -> Option<CivilDate> {
    let mut day = date;
    // At most three steps: no four holidays follow each other.
    while is_holiday(day) {
        day = day.next()?;
    }
    Some(day)
}

/// Month and day of Easter Monday (*lunedì dell'Angelo*), by the anonymous Gregorian computus. No
/// subtraction goes below zero in the years of the calendar.
fn easter_monday(year: u32) -> (u32, u32) {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let f = (b + 8) / 25;
    let g = (b + 1 - f) / 3;
    let h = (19 * a + b + 15 - d - g) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    // Days are numbered so that the quotient by 31 is the month. March has 31 days, so the Monday is
    // the number after Easter's, also from 31 March to 1 April.
    let monday = h + l + 114 - 7 * m + 1;
    (monday / 31, monday % 31 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i32, month: u32, day: u32) -> CivilDate {
        CivilDate::new(year, month, day).unwrap()
    }

    fn holiday(year: i32, month: u32, day: u32) -> bool {
        is_holiday(date(year, month, day))
    }

    #[test]
    fn easter_mondays_fall_as_published() {
        let published = [
            (2024, 4, 1),
            (2025, 4, 21),
            (2026, 4, 6),
            (2027, 3, 29),
            (2028, 4, 17),
            (2029, 4, 2),
            (2030, 4, 22),
            (2031, 4, 14),
            (2032, 3, 29),
            (2033, 4, 18),
            (2034, 4, 10),
            (2035, 3, 26),
        ];
        for (year, month, day) in published {
            assert_eq!(
                easter_monday(year.try_into().unwrap()),
                (month, day),
                "{year}"
            );
            assert!(holiday(year, month, day), "{year}");
        }
    }

    #[test]
    fn easter_is_a_sunday_between_22_march_and_25_april_in_every_year_of_the_calendar() {
        for year in CivilDate::FIRST_YEAR..=CivilDate::LAST_YEAR {
            let (month, day) = easter_monday(year.try_into().unwrap());
            assert!(((3, 23)..=(4, 26)).contains(&(month, day)), "{year}");
            let mut sunday = date(year, 3, 22);
            while sunday.next() != Some(date(year, month, day)) {
                sunday = sunday.next().unwrap();
            }
            assert!(sunday.is_sunday(), "{year}");
        }
    }

    #[test]
    fn saturday_is_not_a_holiday() {
        assert!(!holiday(2025, 11, 15));
        assert!(holiday(2025, 11, 16));
    }

    #[test]
    fn the_fixed_holidays_of_a_year_are_these_twelve() {
        // In 2028 none of them falls on a Sunday.
        let mut day = date(2028, 1, 1);
        let mut found = Vec::new();
        while day.year() == 2028 {
            if is_holiday(day) && !day.is_sunday() {
                found.push((day.month(), day.day()));
            }
            day = day.next().unwrap();
        }
        let expected = [
            (1, 1),
            (1, 6),
            (4, 17),
            (4, 25),
            (5, 1),
            (6, 2),
            (8, 15),
            (10, 4),
            (11, 1),
            (12, 8),
            (12, 25),
            (12, 26),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn saint_francis_is_a_holiday_from_2026() {
        assert!(!holiday(2024, 10, 4)); // Friday
        assert!(!holiday(2025, 10, 4)); // Saturday
        assert!(holiday(2027, 10, 4)); // Monday
    }

    #[test]
    fn the_republic_is_a_holiday_from_2001() {
        assert!(!holiday(2000, 6, 2)); // Friday
        assert!(holiday(2001, 6, 2)); // Saturday
    }

    #[test]
    fn epiphany_is_a_holiday_from_1986() {
        assert!(holiday(1986, 1, 6)); // Monday
        assert!(holiday(2005, 1, 6)); // Thursday
    }

    #[test]
    fn seventeen_march_was_a_holiday_in_2011_only() {
        assert!(!holiday(2010, 3, 17)); // Wednesday
        assert!(holiday(2011, 3, 17)); // Thursday
        assert!(!holiday(2012, 3, 17)); // Saturday
    }

    #[test]
    fn days_that_are_not_national_holidays_are_not_in_the_table() {
        assert!(!holiday(2026, 6, 29)); // Rome only
        assert!(!holiday(2026, 3, 19)); // suppressed in 1977
        assert!(!holiday(2026, 11, 4)); // suppressed in 1977
        assert!(!holiday(2026, 12, 24));
    }

    #[test]
    fn at_most_three_holidays_follow_each_other() {
        assert_eq!(
            first_working_day_from(date(2020, 12, 25)),
            Some(date(2020, 12, 28))
        );
        let mut day = date(2005, 1, 1);
        let mut run = 0;
        while day.year() <= 2150 {
            run = if is_holiday(day) { run + 1 } else { 0 };
            assert!(run <= 3, "{day}");
            day = day.next().unwrap();
        }
    }
}
