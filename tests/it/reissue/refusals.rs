//! Who may not see gets one answer; what cannot be done is said.

use super::*;
use ceralacca::desk::DeskError;
use ceralacca_formats::metadata::Metadata;

#[test]
fn the_disclosure_stands_in_the_log_before_anything_is_given() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    let before = court.log.reader().published().tip.size;
    let made = court.made(&of_transaction(&transaction));
    let leaf = made.report.request.disclosure_leaf.unwrap();
    assert_eq!(leaf, before.get());
    let reader = court.log.reader();
    let index = ceralacca_formats::id::LeafIndex::new(leaf + 1);
    let detail = reader.record(&reader.published(), index).unwrap();
    let Metadata::DisclosureDetail(detail) = detail.metadata().unwrap() else {
        panic!("another record");
    };
    let query = detail.query.to_str().unwrap();
    assert_eq!(detail.act.unwrap().to_str(), Some("decreto 12/2026"));
    for word in [
        "package",
        "Tribunale di Prova",
        "capacity=court",
        "R.G. 345/2026",
    ] {
        assert!(query.contains(word), "{query}");
    }
}

#[test]
fn what_is_not_there_and_what_may_not_be_seen_are_one_answer_and_recorded() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    let size = |court: &Court| court.log.reader().published().tip.size.get();
    let other = grant("altra-transazione@pec.example");
    for asked in [
        of_transaction(&transaction),
        wanted(Field::Msgid, "mai-visto@casella.example"),
    ] {
        let before = size(&court);
        let refused = court.prepared(&asked, other.clone());
        assert!(matches!(
            refused,
            Err(ReissueError::Desk(DeskError::NotShown))
        ));
        assert_eq!(size(&court), before + 2);
    }
}

#[test]
fn without_a_seal_key_there_is_no_package() {
    let test = TestLog::new();
    let log = test.open();
    let standings = vec![(log.id().clone(), Standing::Role(Role::Provider))];
    let principal = Principal::new("gestore", standings);
    let permit = access::authorize(&principal, log.id(), UtcMillis::new(START_MS)).unwrap();
    let refused = log.reissuer(&permit).unwrap();
    assert!(matches!(refused, Err(ReissueError::NoAuthorities)));
}
