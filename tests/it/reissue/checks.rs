//! What the checks of the expert's list come to where nothing is wrong.

use super::*;
use ceralacca_pages::model::{CheckId, Outcome};

pub(super) fn outcome(made: &Made, id: CheckId) -> Outcome {
    made.report.checks.outcome(id)
}

/// The checks that failed.
pub(super) fn failed(made: &Made) -> Vec<&'static str> {
    let ids = CheckId::ALL.iter().copied();
    let failed = ids.filter(|id| outcome(made, *id) == Outcome::Failed);
    failed.map(CheckId::number).collect()
}

#[test]
fn of_a_good_transaction_no_check_fails_and_what_cannot_be_known_is_left_open() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    assert_eq!(failed(&made), [""; 0]);
    for id in [
        CheckId::IngestDigest,
        CheckId::Inclusion,
        CheckId::SignedDigest,
        CheckId::Signature,
        CheckId::Chain,
        CheckId::Order,
        CheckId::TokenAfterEvent,
        CheckId::TokenBeforeExpiry,
        CheckId::SameIdentificativo,
        CheckId::OriginalMessageId,
        CheckId::OriginalPresent,
        CheckId::FilesComplete,
        CheckId::NoGaps,
        CheckId::EachStamped,
        CheckId::WithinRetention,
    ] {
        assert_eq!(outcome(&made, id), Outcome::Passed, "{}", id.number());
    }
    for id in [
        CheckId::Revocation,
        CheckId::Directory,
        CheckId::OtherLog,
        CheckId::Identity,
    ] {
        assert_eq!(outcome(&made, id), Outcome::NotChecked, "{}", id.number());
    }
    let grant = grant(&transaction.identificativo);
    let made = court
        .prepared(&of_transaction(&transaction), grant)
        .unwrap();
    assert_eq!(outcome(&made, CheckId::ExtractedUnder), Outcome::Passed);
    assert_eq!(outcome(&made, CheckId::Entitlement), Outcome::Passed);
}
