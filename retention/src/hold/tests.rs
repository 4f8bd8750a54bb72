use super::*;
use crate::ranges::IndexRange;

fn at(millis: i64) -> UtcMillis {
    UtcMillis::new(millis)
}

fn proven(millis: i64) -> ProvenTime {
    ProvenTime::from_token(at(millis), 0).unwrap()
}

fn act() -> Act {
    Act::new("decreto 12/2026").unwrap()
}

fn two() -> TwoPrincipals {
    let named = |name| crate::principal::Principal::new(name).unwrap();
    TwoPrincipals::new(named("anna"), named("bruno")).unwrap()
}

fn hold(end: Option<i64>) -> Hold {
    let indexes = IndexRange::new(LeafIndex::new(10), LeafIndex::new(19)).unwrap();
    Hold::new(
        HoldId::new(7),
        Authority::Judicial,
        act(),
        indexes.into(),
        at(1_000),
        end.map(at),
    )
    .unwrap()
}

#[test]
fn a_hold_covers_its_indexes_from_its_start_until_just_before_its_end() {
    let hold = hold(Some(2_000));
    let covered = |index, millis| hold.covers(LeafIndex::new(index), at(millis));
    assert!(covered(10, 1_000) && covered(19, 1_999));
    assert!(!covered(10, 999) && !covered(10, 2_000));
    assert!(!covered(9, 1_500) && !covered(20, 1_500));
}

#[test]
fn a_hold_without_end_covers_for_ever() {
    assert!(hold(None).covers(LeafIndex::new(10), at(i64::MAX)));
    assert!(hold(None).suspends(proven(i64::MAX)));
}

#[test]
fn a_released_hold_covers_only_the_time_before_its_release() {
    let hold = hold(Some(2_000)).release(at(1_500), two()).unwrap();
    assert!(hold.covers(LeafIndex::new(10), at(1_499)));
    assert!(!hold.covers(LeafIndex::new(10), at(1_500)));
    assert!(!hold.suspends(proven(1_200)));
}

#[test]
fn a_hold_suspends_before_its_start_is_proven() {
    assert!(hold(None).suspends(proven(0)));
}

#[test]
fn a_hold_suspends_until_its_end_is_proven() {
    assert!(hold(Some(2_000)).suspends(proven(1_999)));
    assert!(!hold(Some(2_000)).suspends(proven(2_000)));
}

#[test]
fn a_hold_that_ends_before_it_starts_is_refused() {
    let indexes = IndexRange::single(LeafIndex::new(1));
    let id = HoldId::new(7);
    for end in [999, 1_000] {
        let set = Hold::new(
            id,
            Authority::Administrative,
            act(),
            indexes.into(),
            at(1_000),
            Some(at(end)),
        );
        assert_eq!(
            set,
            Err(HoldError::EndNotAfterStart {
                id,
                start: at(1_000),
                end: at(end)
            })
        );
    }
}

#[test]
fn a_hold_is_released_once() {
    let released = hold(None).release(at(1_500), two()).unwrap();
    let again = released.release(at(1_600), two());
    assert_eq!(
        again,
        Err(HoldError::AlreadyReleased {
            id: HoldId::new(7),
            at: at(1_500)
        })
    );
}

#[test]
fn an_emptied_table_of_holds_is_an_error_and_not_the_absence_of_holds() {
    let error = HoldSet::reconciled(Vec::new(), 1, 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "0 holds at hand, 0 of them released; the log says 1 set, 0 released"
    );
    assert!(HoldSet::reconciled(vec![hold(None)], 1, 0).is_ok());
    assert!(HoldSet::reconciled(vec![hold(None)], 0, 0).is_err());
    assert_eq!(HoldSet::reconciled(Vec::new(), 0, 0), Ok(HoldSet::none()));
}

#[test]
fn a_release_that_the_log_does_not_know_is_an_error() {
    let released = hold(None).release(at(1_500), two()).unwrap();
    assert!(HoldSet::reconciled(vec![released.clone()], 1, 0).is_err());
    assert!(HoldSet::reconciled(vec![released.clone()], 1, 1).is_ok());
    assert!(HoldSet::reconciled(vec![hold(None)], 1, 1).is_err());
    assert_eq!(
        HoldSet::reconciled(vec![released, hold(None)], 2, 1),
        Err(HoldError::SameId { id: HoldId::new(7) })
    );
}

#[test]
fn an_act_is_cited_and_is_not_written_by_debug() {
    for text in ["", " ", "a\nb", &"x".repeat(1025)] {
        assert!(Act::new(text).is_err(), "{text:?}");
    }
    assert_eq!(act().as_str(), "decreto 12/2026");
    assert!(!format!("{:?}", hold(None)).contains("decreto"));
}
