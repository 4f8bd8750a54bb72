//! What the checks of the expert's list come to where nothing is wrong.

use super::*;
use ceralacca::ingest::Submission;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{ObjectRecord, TraceRecord};
use ceralacca_pages::model::{CheckId, Object, Outcome, Reason};

pub(super) fn outcome(made: &Made, id: CheckId) -> Outcome {
    made.report.checks.outcome(id)
}

/// The checks that failed.
pub(super) fn failed(made: &Made) -> Vec<&'static str> {
    let ids = CheckId::ALL.iter().copied();
    let failed = ids.filter(|id| outcome(made, *id) == Outcome::Failed);
    failed.map(CheckId::number).collect()
}

/// An object that is not handed out is never said to have been disposed of where it was not.
#[test]
fn of_an_infected_message_and_of_an_erased_one_the_report_says_what_became_of_them() {
    use ceralacca_formats::leaf::Kind;
    let court = Court::new();
    let put = |kind, class, event: &str| {
        let content = ingest(&court.log).content(class, b"octets".to_vec());
        let trace = TraceRecord {
            identificativo: Some("t1@pec.example".into()),
            event: Some(event.into()),
            ..TraceRecord::default()
        };
        let (object, facts) = (ObjectRecord::default(), Some((Class::Trace, trace)));
        let submission = Submission::object(kind, class, object, content.unwrap(), facts, None);
        let acknowledged = ingest(&court.log).record(submission).unwrap();
        acknowledged.records[0].leaf.seq
    };
    put(Kind::Infected, Class::Infected, "rilevazione-virus");
    let receipt = put(Kind::Receipt, Class::Receipt, "avvenuta-consegna");
    court.seal();
    let leaf = crate::gone::erase(&court.log, receipt).unwrap();
    let made = court.made(&wanted(Field::Identificativo, "t1@pec.example"));
    let objects = made.report.records.iter().map(|record| &record.object);
    let objects: Vec<&Object> = objects.collect();
    let erased = Object::Erased { leaf: leaf.get() };
    assert_eq!(objects, [&Object::Isolated, &erased]);
    let answers = made.report.checks.iter();
    let (_, answers) = { answers }
        .find(|(id, _)| *id == CheckId::Signature)
        .unwrap();
    let reasons: Vec<Reason> = answers.iter().map(|check| check.reason).collect();
    assert_eq!(reasons, [Reason::Isolated, Reason::Erased]);
    assert!(made.report.disposed.is_empty());
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
