//! The rule against a second implementation ([`Walk`]) that shares nothing with the first: days are
//! counted one by one from a Saturday, Easter comes from the printed table of full moons (golden
//! numbers, 1900 to 2199), midnights from a count of days.

use super::tests::{date, start_on};
use super::*;

#[test]
fn the_second_implementation_agrees_on_every_start_from_2005_to_2100() {
    let walk = Walk::to(2111);
    for at in 0..walk.days.len() {
        let start = walk.days[at].ymd;
        if start.0 > 2100 {
            break;
        }
        for months in [1, 30, 60, 120] {
            let (nominal, last) = walk.end(at, months);
            let reckoning = Term::of_months(months)
                .unwrap()
                .reckon(start_on(start))
                .unwrap();
            assert_eq!(
                reckoning.nominal(),
                date(walk.days[nominal].ymd),
                "{start:?} + {months}"
            );
            assert_eq!(
                reckoning.last(),
                date(walk.days[last].ymd),
                "{start:?} + {months}"
            );
            assert_eq!(
                reckoning.lawful_from().as_millis(),
                walk.days[last + 1].midnight,
                "{start:?} + {months}"
            );
            if months == 30 {
                assert!(
                    (911..=915).contains(&(nominal - at)),
                    "{start:?}: {} days",
                    nominal - at
                );
                assert!(last - nominal <= 3, "{start:?}");
            }
        }
    }
}

/// Month ends, leap days and the two nights of the year in which the hands move among them: every day, at its first
/// and at its last millisecond, whatever the day's length.
#[test]
fn the_whole_of_a_day_in_italy_and_nothing_beside_it_has_one_end() {
    let walk = Walk::to(2111);
    let mut lengths = [0; 3];
    for at in 0..walk.days.len() {
        let day = &walk.days[at];
        if day.ymd.0 > 2100 {
            break;
        }
        let next = walk.days[at + 1].midnight;
        lengths[usize::try_from((next - day.midnight) / 3_600_000 - 23).unwrap()] += 1;
        let (_, last) = walk.end(at, 30);
        for millis in [day.midnight, next - 1] {
            let instant = UtcMillis::new(millis);
            let start = Start::new(
                instant,
                instant,
                ProvenTime::from_token(instant, 0).unwrap(),
            );
            let end = Term::THIRTY_MONTHS.reckon(start).unwrap().lawful_from();
            assert_eq!(
                end.as_millis(),
                walk.days[last + 1].midnight,
                "{:?}",
                day.ymd
            );
        }
    }
    // 96 years, 23 of them leap (2100 is none): a day of 23 hours and one of 25 in each.
    assert_eq!(lengths, [96, 34_871, 96]);
}

#[test]
fn thirty_months_are_sometimes_each_number_of_days_from_911_to_915() {
    let walk = Walk::to(2111);
    let starts = (0..walk.days.len()).take_while(|at| walk.days[*at].ymd.0 <= 2100);
    let mut lengths: Vec<usize> = starts.map(|at| walk.end(at, 30).0 - at).collect();
    lengths.sort_unstable();
    lengths.dedup();
    assert_eq!(lengths, [911, 912, 913, 914, 915]);
}

pub type Ymd = (i32, u32, u32);

pub const DAY: i64 = 86_400_000;
/// 2005-01-01, UTC.
pub const FIRST: i64 = 1_104_537_600_000;

pub struct Day {
    pub ymd: Ymd,
    pub holiday: bool,
    /// UTC milliseconds of its midnight in Italy.
    pub midnight: i64,
}

/// Every day from 2005-01-01 on, found by walking.
pub struct Walk {
    pub days: Vec<Day>,
}

impl Walk {
    /// Through the end of the year `last`.
    pub fn to(last: i32) -> Self {
        let mut days: Vec<Day> = Vec::new();
        let mut ymd = (2005, 1, 1);
        let mut weekday = 6; // a Saturday; Sunday is 0
        let mut utc_midnight = FIRST;
        let mut summer = false;
        let mut days_since_full_moon = None;
        while ymd.0 <= last {
            let (year, month, day) = ymd;
            let sunday = weekday == 0;
            // Easter is the first Sunday after the full moon; then comes its Monday.
            let easter = sunday && days_since_full_moon.is_some_and(|days| days > 0);
            let easter_monday = weekday == 1 && days_since_full_moon == Some(-1);
            days_since_full_moon = match days_since_full_moon {
                _ if (month, day) == paschal_full_moon(year) => Some(1),
                _ if easter => Some(-1),
                Some(days) if days > 0 => Some(days + 1),
                _ => None,
            };
            let ahead_hours = if summer { 2 } else { 1 };
            days.push(Day {
                ymd,
                holiday: sunday || easter_monday || is_fixed_holiday(ymd),
                midnight: utc_midnight - ahead_hours * 3_600_000,
            });
            // The hands move after the midnight that begins the Sunday: the next one is the first changed.
            if sunday && day > 24 && (month == 3 || month == 10) {
                summer = month == 3;
            }
            utc_midnight += DAY;
            weekday = (weekday + 1) % 7;
            ymd = if day < month_length(year, month) {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
        Self { days }
    }

    /// Places of the nominal and of the last day of a term that starts at the place `at`.
    pub fn end(&self, at: usize, months: u16) -> (usize, usize) {
        let wanted = months_later(self.days[at].ymd, months);
        let nominal = (at..)
            .find(|place| self.days[*place].ymd == wanted)
            .unwrap();
        let last = (nominal..)
            .find(|place| !self.days[*place].holiday)
            .unwrap();
        (nominal, last)
    }
}

/// Turns the pages of the calendar one by one.
pub fn months_later((mut year, mut month, day): Ymd, months: u16) -> Ymd {
    for _ in 0..months {
        (year, month) = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
    }
    (year, month, day.min(month_length(year, month)))
}

fn month_length(year: i32, month: u32) -> u32 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Month and day of the ecclesiastical full moon, by golden number; valid from 1900 to 2199.
fn paschal_full_moon(year: i32) -> (u32, u32) {
    match year % 19 + 1 {
        1 => (4, 14),
        2 => (4, 3),
        3 => (3, 23),
        4 => (4, 11),
        5 => (3, 31),
        6 => (4, 18),
        7 => (4, 8),
        8 => (3, 28),
        9 => (4, 16),
        10 => (4, 5),
        11 => (3, 25),
        12 => (4, 13),
        13 => (4, 2),
        14 => (3, 22),
        15 => (4, 10),
        16 => (3, 30),
        17 => (4, 17),
        18 => (4, 7),
        _ => (3, 27),
    }
}

fn is_fixed_holiday((year, month, day): Ymd) -> bool {
    match (month, day) {
        (1, 1 | 6) | (4, 25) | (5, 1) | (6, 2) | (8, 15) | (11, 1) | (12, 8 | 25 | 26) => true,
        (10, 4) => year >= 2026,
        (3, 17) => year == 2011,
        _ => false,
    }
}
