//! The rule against published vectors, and its properties on random starts and terms.

use proptest::prelude::*;

use super::walk::{DAY, FIRST, Ymd, months_later};
use super::*;

pub fn date((year, month, day): Ymd) -> CivilDate {
    CivilDate::new(year, month, day).unwrap()
}

fn start_at(instant: UtcMillis) -> Start {
    Start::new(
        instant,
        instant,
        ProvenTime::from_token(instant, 0).unwrap(),
    )
}

/// Noon of the day, more or less.
pub fn start_on(day: Ymd) -> Start {
    start_at(UtcMillis::new(
        date(day).begins_at().as_millis() + 43_200_000,
    ))
}

fn thirty_months_from(day: Ymd) -> Reckoning {
    Term::THIRTY_MONTHS.reckon(start_on(day)).unwrap()
}

fn assert_thirty_months(start: Ymd, nominal: Ymd, last: Ymd) {
    let reckoning = thirty_months_from(start);
    assert_eq!(reckoning.start(), date(start));
    assert_eq!(reckoning.nominal(), date(nominal));
    assert_eq!(reckoning.last(), date(last));
    assert_eq!(reckoning.is_extended(), nominal != last);
    assert_eq!(
        Some(reckoning.lawful_from()),
        date(last).next().map(CivilDate::begins_at)
    );
}

#[test]
fn thirty_months_that_end_on_a_saturday_are_not_extended() {
    assert_thirty_months((2023, 5, 15), (2025, 11, 15), (2025, 11, 15));
}

#[test]
fn thirty_months_from_31_august_end_on_the_last_day_of_february() {
    assert_thirty_months((2023, 8, 31), (2026, 2, 28), (2026, 2, 28));
}

#[test]
fn three_starts_end_together_on_29_february_of_a_leap_year() {
    for day in [29, 30, 31] {
        assert_thirty_months((2021, 8, day), (2024, 2, 29), (2024, 2, 29));
    }
}

#[test]
fn thirty_months_from_29_february_end_on_29_august() {
    assert_thirty_months((2024, 2, 29), (2026, 8, 29), (2026, 8, 29));
}

#[test]
fn an_end_on_christmas_moves_past_saint_stephen() {
    assert_thirty_months((2023, 6, 25), (2025, 12, 25), (2025, 12, 27));
}

#[test]
fn an_end_on_new_year_moves_to_the_second() {
    assert_thirty_months((2023, 7, 1), (2026, 1, 1), (2026, 1, 2));
}

#[test]
fn an_end_on_easter_monday_moves_to_tuesday() {
    assert_thirty_months((2023, 10, 6), (2026, 4, 6), (2026, 4, 7));
}

#[test]
fn an_end_on_saturday_25_april_moves_past_the_sunday() {
    assert_thirty_months((2023, 10, 25), (2026, 4, 25), (2026, 4, 27));
}

#[test]
fn an_end_on_saint_francis_moves_from_2026() {
    assert_thirty_months((2024, 4, 4), (2026, 10, 4), (2026, 10, 5));
    assert_thirty_months((2025, 4, 4), (2027, 10, 4), (2027, 10, 5));
    assert_thirty_months((2022, 4, 4), (2024, 10, 4), (2024, 10, 4));
}

#[test]
fn an_end_on_17_march_moves_in_2011_only() {
    assert_thirty_months((2008, 9, 17), (2011, 3, 17), (2011, 3, 18));
    assert_thirty_months((2009, 9, 17), (2012, 3, 17), (2012, 3, 17));
}

#[test]
fn the_logs_of_cec_pac_were_kept_through_17_march_2018() {
    // Closed on 17 September 2015; access to the logs "dal 18 settembre 2015 al 17 marzo 2018".
    assert_thirty_months((2015, 9, 17), (2018, 3, 17), (2018, 3, 17));
}

#[test]
fn the_end_is_midnight_in_italy_whatever_the_season() {
    // Start day, and the UTC instant of the end. The last days are those around both changes of 2026:
    // 28 March, 29 March (a Sunday, so the 30th), 24 October, 25 October (a Sunday, so the 26th).
    let ends = [
        ((2023, 9, 28), "2026-03-28T23:00:00.000Z"),
        ((2023, 9, 29), "2026-03-30T22:00:00.000Z"),
        ((2024, 4, 24), "2026-10-24T22:00:00.000Z"),
        ((2024, 4, 25), "2026-10-26T23:00:00.000Z"),
    ];
    for (start, end) in ends {
        assert_eq!(thirty_months_from(start).lawful_from().to_string(), end);
    }
    // And the four days of the changes themselves, without the holidays.
    let midnights_after = [
        ((2026, 3, 28), "2026-03-28T23:00:00.000Z"),
        ((2026, 3, 29), "2026-03-29T22:00:00.000Z"),
        ((2026, 10, 24), "2026-10-24T22:00:00.000Z"),
        ((2026, 10, 25), "2026-10-25T23:00:00.000Z"),
    ];
    for (day, end) in midnights_after {
        assert_eq!(date(day).next().unwrap().begins_at().to_string(), end);
    }
}

#[test]
fn the_start_is_the_day_it_is_in_italy() {
    let millis = |text: &str| {
        UtcMillis::new(
            chrono::DateTime::parse_from_rfc3339(text)
                .unwrap()
                .timestamp_millis(),
        )
    };
    let starts = [
        ("2023-08-30T21:59:59.999Z", (2023, 8, 30)),
        ("2023-08-30T22:00:00.000Z", (2023, 8, 31)),
        ("2023-12-31T22:59:59.999Z", (2023, 12, 31)),
        ("2023-12-31T23:00:00.000Z", (2024, 1, 1)),
    ];
    for (instant, day) in starts {
        let reckoning = Term::THIRTY_MONTHS
            .reckon(start_at(millis(instant)))
            .unwrap();
        assert_eq!(reckoning.start(), date(day), "{instant}");
    }
}

#[test]
fn the_start_is_the_latest_of_ingest_and_closing_and_no_event_time_moves_it() {
    let at = UtcMillis::new;
    let proven = |millis| ProvenTime::from_token(at(millis), 0).unwrap();
    for event in [i64::MIN, 0, 500, 1_000, 1_500, i64::MAX] {
        assert_eq!(
            Start::new(at(event), at(1_000), proven(1_200)).instant(),
            at(1_200)
        );
        assert_eq!(
            Start::new(at(event), at(1_000), proven(800)).instant(),
            at(1_000)
        );
    }
}

#[test]
fn a_term_of_no_months_is_refused() {
    assert_eq!(Term::of_months(0), Err(TermError::NoMonths));
    assert_eq!(Term::of_months(1).map(Term::months), Ok(1));
}

#[test]
fn a_start_outside_the_calendar_is_an_error_that_names_it() {
    for millis in [i64::MIN, i64::MAX, 0, 1_763_700_000, 1_763_700_000_000_000] {
        let instant = UtcMillis::new(millis);
        let error = Term::THIRTY_MONTHS.reckon(start_at(instant)).unwrap_err();
        let cause = TimeError::InstantOutsideCalendar {
            instant,
            first: 1986,
            last: 9999,
        };
        assert_eq!(error, TermError::Start(cause));
        assert!(
            cause
                .to_string()
                .starts_with(&format!("instant {instant} "))
        );
    }
}

#[test]
fn an_end_beyond_the_calendar_is_an_error_that_names_start_and_term() {
    let refused = |start, term: Term| term.reckon(start_on(start)).unwrap_err().to_string();
    assert_eq!(
        refused((9998, 1, 1), Term::THIRTY_MONTHS),
        "30 months from 9998-01-01 end after the year 9999"
    );
    // The last day is in the calendar, the midnight after it is not.
    assert!(Term::THIRTY_MONTHS.reckon(start_on((9997, 6, 30))).is_ok());
    assert!(
        Term::of_months(1)
            .unwrap()
            .reckon(start_on((9999, 11, 30)))
            .is_ok()
    );
    assert!(
        Term::of_months(1)
            .unwrap()
            .reckon(start_on((9999, 12, 1)))
            .is_err()
    );
    assert!(
        Term::of_months(u16::MAX)
            .unwrap()
            .reckon(start_on((2100, 1, 1)))
            .is_ok()
    );
    assert!(
        Term::of_months(u16::MAX)
            .unwrap()
            .reckon(start_on((9000, 1, 1)))
            .is_err()
    );
}

proptest! {
    #[test]
    fn the_end_is_never_before_the_calendar_months(millis in FIRST..LAST, months in 1u16..=600) {
        let reckoning = Term::of_months(months).unwrap().reckon(start_at(UtcMillis::new(millis))).unwrap();
        let start = reckoning.start();
        let (year, month, day) = months_later((start.year(), start.month(), start.day()), months);
        // Fields compared one by one: no date arithmetic on this side.
        let last = reckoning.last();
        prop_assert!((last.year(), last.month(), last.day()) >= (year, month, day));
        prop_assert!(reckoning.lawful_from() > last.begins_at());
        prop_assert!(reckoning.lawful_from().as_millis() > millis);
    }

    #[test]
    fn a_later_start_never_has_an_earlier_end(a in FIRST..LAST, ahead in 0i64..100 * DAY, months in 1u16..=600) {
        let end = |millis| Term::of_months(months).unwrap().reckon(start_at(UtcMillis::new(millis))).unwrap();
        prop_assert!(end(a).lawful_from() <= end(a + ahead).lawful_from());
    }

    #[test]
    fn a_longer_term_never_has_an_earlier_end(millis in FIRST..LAST, a in 1u16..600, b in 1u16..600) {
        let end = |months| Term::of_months(months).unwrap().reckon(start_at(UtcMillis::new(millis))).unwrap();
        prop_assert!(end(a.min(b)).lawful_from() <= end(a.max(b)).lawful_from());
    }

    #[test]
    fn no_instant_and_no_term_panic(millis: i64, months in 1u16..) {
        let start = start_at(UtcMillis::new(millis));
        let _ = Term::of_months(months).unwrap().reckon(start);
    }
}

/// 2101-01-01, UTC.
const LAST: i64 = 4_133_980_800_000;

/// Milliseconds after midnight of a day.
fn at(day: Ymd, ms: i64) -> UtcMillis {
    UtcMillis::new(date(day).begins_at().as_millis() + ms)
}

const HOUR_MS: i64 = 3_600_000;

/// The start of a record of an event, with an old time-stamp or without, that came here at the end of 2025.
fn migrated_start(event: UtcMillis, stamped: Option<StampedTime>) -> Start {
    let ingest = at((2025, 12, 30), 12 * HOUR_MS);
    let closing = ProvenTime::from_token(at((2025, 12, 31), 0), 1000).unwrap();
    let others = Start::new(event, ingest, closing);
    Start::migrated(event, stamped, ingest, others)
}

fn stamped(day: Ymd, ms: i64, accuracy_ms: Option<u64>) -> Option<StampedTime> {
    Some(StampedTime::from_token(at(day, ms), accuracy_ms).unwrap())
}

fn last_day(start: Start) -> CivilDate {
    Term::THIRTY_MONTHS.reckon(start).unwrap().last()
}

#[test]
fn a_migrated_term_runs_from_the_day_of_the_old_time_stamp() {
    // The log of a day is stamped five minutes after its midnight; the vectors are those of the plain rule.
    for (stamp, last) in [
        ((2023, 5, 15), (2025, 11, 15)),
        ((2023, 8, 31), (2026, 2, 28)),
        ((2023, 6, 25), (2025, 12, 27)),
        ((2023, 10, 6), (2026, 4, 7)),
        ((2024, 2, 29), (2026, 8, 29)),
        ((2025, 4, 4), (2027, 10, 5)),
    ] {
        let event = UtcMillis::new(date(stamp).begins_at().as_millis() - HOUR_MS);
        let start = migrated_start(event, stamped(stamp, 300_000, Some(1000)));
        assert_eq!(last_day(start), date(last), "{stamp:?}");
    }
}

#[test]
fn without_a_verified_old_time_stamp_the_term_runs_from_here() {
    let event = at((2023, 5, 14), 0);
    // Thirty months from the closing of 31 December 2025, less its accuracy: 30 December.
    assert_eq!(last_day(migrated_start(event, None)), date((2028, 6, 30)));
}

#[test]
fn an_accuracy_keeps_longer_and_one_that_is_not_stated_is_not_zero() {
    let event = at((2023, 5, 14), 0);
    let before_midnight = 24 * HOUR_MS - 500;
    let of = |accuracy| {
        last_day(migrated_start(
            event,
            stamped((2023, 5, 14), before_midnight, accuracy),
        ))
    };
    assert_eq!(of(Some(499)), date((2025, 11, 14)));
    assert_eq!(of(Some(500)), date((2025, 11, 15)));
    assert_eq!(of(None), date((2025, 11, 15)));
    let most = UtcMillis::new(i64::MAX);
    assert!(matches!(
        StampedTime::from_token(most, Some(1)),
        Err(TimeError::AccuracyTooLarge { .. })
    ));
}

#[test]
fn an_event_after_the_old_time_stamp_starts_the_term() {
    let start = migrated_start(at((2023, 8, 31), 0), stamped((2023, 5, 15), 0, Some(0)));
    assert_eq!(last_day(start), date((2026, 2, 28)));
}

#[test]
fn an_old_time_stamp_of_the_future_moves_nothing() {
    let event = at((2023, 5, 14), 0);
    let start = migrated_start(event, stamped((2030, 1, 1), 0, Some(0)));
    assert_eq!(start, migrated_start(event, None));
}

proptest! {
    #[test]
    fn a_migrated_start_is_never_before_event_or_stamp_and_never_after_that_of_others(
        event in any::<i64>(), stamp in any::<i64>(), ingest in any::<i64>(), closing in any::<i64>(),
    ) {
        let [event, stamp, ingest, closing] = [event, stamp, ingest, closing].map(UtcMillis::new);
        let others = Start::new(event, ingest, ProvenTime::from_token(closing, 0).unwrap());
        let stamped = StampedTime::from_token(stamp, Some(0)).unwrap();
        let start = Start::migrated(event, Some(stamped), ingest, others);
        prop_assert!(start <= others);
        prop_assert!(start.instant() >= event.min(ingest));
        prop_assert!(start.instant() >= stamp || start == others);
    }
}
