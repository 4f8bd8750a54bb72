//! Each check of the expert's list, made to fail by a case of its own, is named in the report and on the pages.

use super::*;
use ceralacca_pages::model::{CheckId, Outcome};
use ceralacca_synthetic::damage;
use ceralacca_synthetic::mail::MessageKind;

fn outcome(made: &Made, id: CheckId) -> Outcome {
    made.report.checks.outcome(id)
}

/// The checks that failed.
fn failed(made: &Made) -> Vec<&'static str> {
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

#[test]
fn each_fault_of_a_message_fails_its_check() {
    type Fault = fn(&Postal, &Message) -> Vec<u8>;
    let cases: [(CheckId, Fault); 7] = [
        (CheckId::SignedDigest, |_, m| {
            damage::flip_in_postacert(m).unwrap()
        }),
        (CheckId::SigningTime, |p, m| {
            damage::with_signing_offset(p, m, 60_000).bytes
        }),
        (CheckId::SameSender, |p, m| {
            damage::resigned(p, m, |d| d.facts.sender = "altro@casella.example".into()).bytes
        }),
        (CheckId::SameSubject, |p, m| {
            damage::resigned(p, m, |d| d.facts.subject = Some("Altro".into())).bytes
        }),
        (CheckId::Order, |p, m| {
            damage::resigned(p, m, |d| d.facts.at_ms -= 3_600_000).bytes
        }),
        (CheckId::OriginalPresent, |p, m| {
            damage::resigned(p, m, |d| d.postacert = None).bytes
        }),
        (CheckId::DateHeader, |_, m| {
            let text = String::from_utf8_lossy(&m.bytes).into_owned();
            let at = text.find("\r\nDate: ").unwrap();
            let end = at + 2 + text[at + 2..].find("\r\n").unwrap();
            let other = "\r\nDate: Mon, 12 Jan 2015 09:00:00 +0100";
            [&m.bytes[..at], other.as_bytes(), &m.bytes[end..]].concat()
        }),
    ];
    for (id, fault) in cases {
        let court = Court::new();
        let transaction = court.transaction();
        for message in &transaction.messages {
            match message.kind() {
                MessageKind::DeliveryComplete => court.put(&fault(&court.postal, message)),
                _ => court.put(&message.bytes),
            }
        }
        court.seal();
        let made = court.made(&of_transaction(&transaction));
        assert_eq!(
            outcome(&made, id),
            Outcome::Failed,
            "{}: {:?}",
            id.number(),
            failed(&made)
        );
    }
}
