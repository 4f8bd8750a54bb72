use proptest::prelude::*;

use super::*;
use crate::civil::CivilDate;
use crate::hold::{Act, Authority};
use crate::principal::{Principal, TwoPrincipals};
use crate::term::Term;

fn midnight(year: i32, month: u32, day: u32) -> UtcMillis {
    CivilDate::new(year, month, day).unwrap().begins_at()
}

fn proven(instant: UtcMillis) -> ProvenTime {
    ProvenTime::from_token(instant, 0).unwrap()
}

fn start(instant: UtcMillis) -> Start {
    Start::new(instant, instant, proven(instant))
}

fn before(instant: UtcMillis) -> UtcMillis {
    UtcMillis::new(instant.as_millis() - 1)
}

fn range(first: u64, last: u64) -> IndexRanges {
    IndexRange::new(LeafIndex::new(first), LeafIndex::new(last))
        .unwrap()
        .into()
}

fn hold(id: u64, indexes: IndexRanges, end: Option<UtcMillis>) -> Hold {
    Hold::new(
        HoldId::new(id),
        Authority::Judicial,
        Act::new("decreto 12/2026").unwrap(),
        indexes,
        midnight(2024, 1, 1),
        end,
    )
    .unwrap()
}

/// A trace record of 15 May 2023: its last day is 15 November 2025.
fn record() -> Candidate {
    Candidate::record(
        RetentionClass::Trace,
        LeafIndex::new(12),
        start(midnight(2023, 5, 15)),
    )
}

fn end_of_record() -> UtcMillis {
    midnight(2025, 11, 16)
}

fn held(by: u64) -> Verdict {
    let by = HoldId::new(by);
    Verdict::Held { by }
}

fn set(holds: &[Hold]) -> HoldSet {
    let released = holds
        .iter()
        .filter(|hold| hold.released().is_some())
        .count();
    HoldSet::reconciled(holds.to_vec(), holds.len() as u64, released as u64).unwrap()
}

fn judged(candidate: &Candidate, holds: &[Hold], now: UtcMillis) -> Verdict {
    judge(candidate, &Policy::default(), &set(holds), proven(now)).unwrap()
}

fn two() -> TwoPrincipals {
    let named = |name| Principal::new(name).unwrap();
    TwoPrincipals::new(named("anna"), named("bruno")).unwrap()
}

/// Since when a verdict lets it go.
fn disposable_since(verdict: Verdict) -> Option<UtcMillis> {
    match verdict {
        Verdict::Disposable { since, .. } => Some(since),
        _ => None,
    }
}

#[test]
fn a_record_is_kept_through_the_last_millisecond_of_its_term() {
    let Verdict::Keep { until, reason } = judged(&record(), &[], before(end_of_record())) else {
        panic!("not kept");
    };
    assert_eq!(until, end_of_record());
    assert_eq!(reason.class(), RetentionClass::Trace);
    assert_eq!(reason.term(), Term::THIRTY_MONTHS);
    assert_eq!(reason.reckoning().lawful_from(), until);
    assert!(!reason.is_of_the_record_concerned());
}

#[test]
fn a_record_is_disposable_from_the_first_instant_after_its_term() {
    let since = end_of_record();
    assert_eq!(disposable_since(judged(&record(), &[], since)), Some(since));
    let later = midnight(2090, 1, 1);
    assert_eq!(disposable_since(judged(&record(), &[], later)), Some(since));
}

#[test]
fn a_longer_term_keeps_longer() {
    let policy = Policy::default()
        .with(RetentionClass::Trace, Term::of_months(31).unwrap())
        .unwrap();
    let verdict = judge(
        &record(),
        &policy,
        &HoldSet::none(),
        proven(end_of_record()),
    )
    .unwrap();
    assert!(matches!(verdict, Verdict::Keep { until, .. } if until == midnight(2025, 12, 16)));
}

#[test]
fn a_hold_wins_before_and_after_the_term() {
    let holds = [hold(7, range(0, 99), None)];
    assert_eq!(judged(&record(), &holds, midnight(2024, 6, 1)), held(7));
    assert_eq!(judged(&record(), &holds, midnight(2090, 1, 1)), held(7));
}

#[test]
fn a_hold_not_yet_begun_in_proven_time_holds_already() {
    let holds = [hold(7, range(0, 99), None)];
    assert_eq!(judged(&record(), &holds, UtcMillis::new(0)), held(7));
}

#[test]
fn of_several_holds_the_lowest_number_is_named() {
    let holds = [
        hold(9, range(0, 99), None),
        hold(3, range(12, 12), None),
        hold(1, range(13, 99), None),
    ];
    assert_eq!(judged(&record(), &holds, end_of_record()), held(3));
}

#[test]
fn a_hold_released_or_past_its_end_or_on_other_leaves_holds_nothing() {
    let released = hold(1, range(0, 99), None)
        .release(midnight(2025, 1, 1), two())
        .unwrap();
    let past = hold(2, range(0, 99), Some(end_of_record()));
    let elsewhere = hold(3, range(13, 99), None);
    let verdict = judged(&record(), &[released, past, elsewhere], end_of_record());
    assert_eq!(disposable_since(verdict), Some(end_of_record()));
}

#[test]
fn a_hold_on_one_record_holds_its_unit() {
    let unit = Candidate::unit(RetentionClass::Trace, range(10, 20), record().latest());
    let verdict = judged(&unit, &[hold(7, range(20, 400), None)], end_of_record());
    assert_eq!(verdict, held(7));
}

#[test]
fn a_unit_parted_from_its_held_records_is_disposable() {
    let unit = Candidate::unit(RetentionClass::Trace, range(10, 20), record().latest());
    let now = proven(end_of_record());
    let holds = [
        hold(7, range(20, 400), None),
        hold(8, range(12, 13), None),
        hold(9, range(13, 14), None),
    ];
    let parted = unit.part(&set(&holds), now);
    let held = IndexRanges::new(range(12, 14).iter().chain(range(20, 20).iter())).unwrap();
    assert_eq!(parted.held, Some(held));
    let free = parted.free.unwrap();
    let left = IndexRanges::new(range(10, 11).iter().chain(range(15, 19).iter())).unwrap();
    assert_eq!(free.indexes(), &left);
    assert_eq!(
        disposable_since(judged(&free, &holds, end_of_record())),
        Some(end_of_record())
    );
}

#[test]
fn a_unit_without_holds_is_free_and_one_wholly_held_is_not() {
    let now = proven(end_of_record());
    assert_eq!(
        record().part(&HoldSet::none(), now),
        Parted {
            held: None,
            free: Some(record())
        }
    );
    let elsewhere = [hold(7, range(13, 99), None)];
    assert_eq!(
        record().part(&set(&elsewhere), now),
        Parted {
            held: None,
            free: Some(record())
        }
    );
    let parted = record().part(&set(&[hold(7, range(0, 99), None)]), now);
    assert_eq!(
        parted,
        Parted {
            held: Some(range(12, 12)),
            free: None
        }
    );
}

#[test]
fn an_act_of_the_archive_outlives_the_last_record_it_concerns() {
    let policy = Policy::default()
        .with(RetentionClass::Custody, Term::of_months(1).unwrap())
        .unwrap();
    let act = Candidate::record(
        RetentionClass::Custody,
        LeafIndex::new(40),
        record().latest(),
    );
    let judged_with = |now, holds: &[Hold]| {
        let of_act = judge(&act, &policy, &set(holds), proven(now)).unwrap();
        let of_record = judge(&record(), &policy, &set(holds), proven(now)).unwrap();
        let together = of_act.concerning(of_record);
        // The candidate that knows what it concerns says the same.
        let concerned = Concerned {
            class: RetentionClass::Trace,
            indexes: IndexRange::single(LeafIndex::new(12)),
            latest: record().latest(),
        };
        let knowing = act.clone().concerning(concerned);
        let of_knowing = judge(&knowing, &policy, &set(holds), proven(now)).unwrap();
        assert_eq!(of_knowing, together);
        let parted = knowing.part(&set(holds), proven(now));
        assert_eq!(parted.free.is_none(), !holds.is_empty());
        together
    };
    let Verdict::Keep { until, reason } = judged_with(before(end_of_record()), &[]) else {
        panic!("not kept");
    };
    assert_eq!(
        (until, reason.class()),
        (end_of_record(), RetentionClass::Trace)
    );
    assert!(reason.is_of_the_record_concerned());
    assert_eq!(
        disposable_since(judged_with(end_of_record(), &[])),
        Some(end_of_record())
    );
    let holds = [hold(7, range(12, 12), None)];
    assert_eq!(judged_with(end_of_record(), &holds), held(7));
}

#[test]
fn facts_outside_the_calendar_give_an_error_and_no_verdict() {
    let ingest = UtcMillis::new(i64::MAX);
    let lost = Candidate::record(RetentionClass::Trace, LeafIndex::new(0), start(ingest));
    let judged = judge(&lost, &Policy::default(), &HoldSet::none(), proven(ingest));
    assert!(matches!(judged, Err(TermError::Start(_))));
}

#[test]
fn a_verdict_can_be_said_in_both_languages() {
    let keep = judged(&record(), &[], midnight(2024, 1, 1));
    assert_eq!(
        keep.to_string(),
        "keep until 2025-11-15T23:00:00.000Z: class trace, 30 months from 2023-05-15 by DPR \
         68/2005 art. 11(2), through 2025-11-15"
    );
    assert_eq!(
        keep.italian(),
        "Non eliminabile prima di 2025-11-15T23:00:00.000Z. Da conservare fino a tutto il giorno \
         15/11/2025: log dei messaggi, 30 mesi dal giorno 15/05/2023, ai sensi dell'art. 11, \
         comma 2, del d.P.R. 11 febbraio 2005, n. 68."
    );
    assert_eq!(held(7).to_string(), "held by hold 7");
    assert_eq!(
        held(7).italian(),
        "Eliminazione sospesa dal vincolo di conservazione n. 7."
    );
    let disposable = judged(&record(), &[], end_of_record());
    assert_eq!(
        disposable.to_string(),
        "disposable since 2025-11-15T23:00:00.000Z: class trace, 30 months from 2023-05-15 by DPR \
         68/2005 art. 11(2), through 2025-11-15"
    );
    assert_eq!(
        disposable.italian(),
        "Eliminabile da 2025-11-15T23:00:00.000Z. Da conservare fino a tutto il giorno \
         15/11/2025: log dei messaggi, 30 mesi dal giorno 15/05/2023, ai sensi dell'art. 11, \
         comma 2, del d.P.R. 11 febbraio 2005, n. 68."
    );
}

/// Two records that a holiday brings to one end: the unit's verdict names the later start, and so must the
/// stricter of the records' verdicts (found by the property below).
#[test]
fn of_two_ends_that_a_holiday_makes_one_the_later_start_is_the_reason() {
    let now = UtcMillis::new(1_325_419_200_000);
    let ingests = [1_293_058_800_000, 1_293_145_200_000];
    let record = |millis| {
        let start = start(UtcMillis::new(millis));
        Candidate::record(RetentionClass::Receipt, LeafIndex::new(0), start)
    };
    let [first, second] = ingests.map(|millis| judged(&record(millis), &[], now));
    assert_ne!(first, second);
    assert_eq!(first.stricter(second), second);
    assert_eq!(second.stricter(first), second);
}

#[test]
fn what_acts_concern_counts_together_for_each_class() {
    let concerned = |class, first, last, day| Concerned {
        class,
        indexes: IndexRange::new(LeafIndex::new(first), LeafIndex::new(last)).unwrap(),
        latest: start(midnight(2024, 1, day)),
    };
    let unit = Candidate::unit(RetentionClass::Custody, range(50, 60), record().latest())
        .concerning(concerned(RetentionClass::Justice, 8, 9, 5))
        .concerning(concerned(RetentionClass::Trace, 1, 2, 7))
        .concerning(concerned(RetentionClass::Justice, 4, 5, 6));
    assert_eq!(
        unit.concerned(),
        [
            concerned(RetentionClass::Trace, 1, 2, 7),
            concerned(RetentionClass::Justice, 4, 9, 6)
        ]
    );
}

const YEAR: i64 = 31_557_600_000;

proptest! {
    #[test]
    fn a_unit_is_disposable_only_when_every_record_of_it_is(
        ingests in prop::collection::vec(40 * YEAR..41 * YEAR, 1..20),
        now in 42 * YEAR..45 * YEAR,
        held in prop::option::of((0u64..25, 0u64..25)),
    ) {
        let now = UtcMillis::new(now);
        let holds: Vec<Hold> =
            held.iter().map(|(a, b)| hold(7, range(*a.min(b), *a.max(b)), None)).collect();
        let records: Vec<Candidate> = (0..)
            .zip(&ingests)
            .map(|(index, millis)| {
                let start = start(UtcMillis::new(*millis));
                Candidate::record(RetentionClass::Receipt, LeafIndex::new(index), start)
            })
            .collect();
        let latest = records.iter().map(Candidate::latest).max().unwrap();
        let last = records.len() as u64 - 1;
        let unit = Candidate::unit(RetentionClass::Receipt, range(0, last), latest);

        let of_records = records.iter().map(|record| judged(record, &holds, now));
        prop_assert_eq!(judged(&unit, &holds, now), of_records.reduce(Verdict::stricter).unwrap());
    }

    #[test]
    fn more_proven_time_never_takes_a_disposable_record_back(
        ingest in 40 * YEAR..60 * YEAR, now in 40 * YEAR..70 * YEAR, later in 0..5 * YEAR,
    ) {
        let start = start(UtcMillis::new(ingest));
        let candidate = Candidate::record(RetentionClass::Justice, LeafIndex::new(0), start);
        if let disposable @ Verdict::Disposable { .. } = judged(&candidate, &[], UtcMillis::new(now)) {
            prop_assert_eq!(judged(&candidate, &[], UtcMillis::new(now + later)), disposable);
        }
    }
}
