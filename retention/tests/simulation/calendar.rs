//! The model's calendar: days counted one by one, Easter by Lichtenberg's form of Gauss's rule, summer time by looking
//! for the last Sunday. It shares nothing with the crate.

use std::sync::OnceLock;

pub const DAY: i64 = 86_400_000;

struct Day {
    /// Year, month, day as one number: 20260101.
    number: u32,
    holiday: bool,
    /// UTC milliseconds of its midnight in Italy.
    midnight: i64,
}

/// Every day from 1 January 2019 to 31 December 2060.
fn days() -> &'static [Day] {
    static DAYS: OnceLock<Vec<Day>> = OnceLock::new();
    DAYS.get_or_init(|| {
        let mut days = Vec::new();
        let (mut year, mut month, mut day) = (2019, 1, 1);
        let mut weekday = 2; // a Tuesday; Sunday is 0
        let mut utc = 1_546_300_800_000;
        while year <= 2060 {
            let length = length(year, month);
            // The Sunday on which the hands move is itself still begun by the old time.
            let last_sunday = length - (weekday + 70 + length - day) % 7;
            let summer = match month {
                4..=9 => true,
                3 => day > last_sunday,
                10 => day <= last_sunday,
                _ => false,
            };
            days.push(Day {
                number: year * 10_000 + month * 100 + day,
                holiday: weekday == 0 || is_feast(year, month, day),
                midnight: utc - if summer { 7_200_000 } else { 3_600_000 },
            });
            weekday = (weekday + 1) % 7;
            utc += DAY;
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        days
    })
}

fn length(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) => 29, // 2019 to 2060
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_feast(year: u32, month: u32, day: u32) -> bool {
    let century = year / 100;
    let m = 15 + (3 * century).div_ceil(4) - (8 * century + 13) / 25;
    let s = (3 * century).div_ceil(4) - 2;
    let a = year % 19;
    let d = (19 * a + m) % 30;
    let full_moon = 21 + d - (d + a / 11) / 29;
    let first_sunday = 7 - (year + year / 4 - s) % 7;
    let easter = full_moon + 7 - (full_moon - first_sunday) % 7;
    let monday = easter + 1;
    let easter_monday = if monday > 31 {
        (4, monday - 31)
    } else {
        (3, monday)
    };
    let fixed = [
        (1, 1),
        (1, 6),
        (4, 25),
        (5, 1),
        (6, 2),
        (8, 15),
        (11, 1),
        (12, 8),
        (12, 25),
        (12, 26),
    ];
    fixed.contains(&(month, day))
        || (month, day) == easter_monday
        || (year >= 2026 && (month, day) == (10, 4))
}

/// The first instant at which something that starts at `start` may go after `months`.
pub fn end(start: i64, months: u32) -> i64 {
    let days = days();
    let at = days.partition_point(|day| day.midnight <= start) - 1;
    let number = days[at].number;
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    let count = year * 12 + (month - 1) + months;
    let (year, month) = (count / 12, count % 12 + 1);
    let wanted = year * 10_000 + month * 100 + day.min(length(year, month));
    let mut last = days.partition_point(|day| day.number < wanted);
    while days[last].holiday {
        last += 1;
    }
    days[last + 1].midnight
}

#[test]
fn the_calendar_of_the_model_says_what_is_published() {
    // 25 June 2023, noon: thirty months end on Christmas, so on the 27th, and it may go on 28 December 2025.
    assert_eq!(end(1_687_687_200_000, 30), 1_766_876_400_000);
    // 6 October 2023: Easter Monday, 6 April 2026, so through the 7th, in summer time.
    assert_eq!(end(1_696_586_400_000, 30), 1_775_599_200_000);
}
