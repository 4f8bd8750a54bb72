//! The verdict on a message's signature when it came in, reached again by `verify` from what is in the package alone.

use super::*;
use crate::support::program::{out, status};
use ceralacca_evidence::asic::{self, Container, ContainerWriter, Files, Part};
use ceralacca_evidence::cades::{self, Content};
use ceralacca_synthetic::mail::MessageKind;
use std::io::Cursor;

const AT_INGEST: &str = ", the verdict at ingest: ";
/// Without roots for mail: what the reader trusts says nothing of it.
const ANCHORS: [&str; 4] = ["--key", "log.vkey", "--roots", "roots.pem"];

fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| line.contains(AT_INGEST))
        .collect()
}

fn revoked_at(postal: &Postal, at: i64) -> Vec<u8> {
    let providers = postal.providers().iter();
    let certificates: Vec<&[u8]> = providers.map(|p| p.signer().certificate_der()).collect();
    postal.pki().crl(&certificates, at).unwrap()
}

fn told(court: &Court, transaction: &Transaction) -> (String, i32) {
    let made = court.made(&of_transaction(transaction));
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    let output = verify_with(folder.path(), &made.name, &ANCHORS);
    (out(&output), status(&output))
}

#[test]
fn what_was_trusted_then_is_trusted_again_by_the_material_in_the_package() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let (text, status) = told(&court, &transaction);
    assert_eq!(status, 0, "{text}");
    let lines = lines(&text);
    assert_eq!(lines.len(), transaction.messages.len(), "{text}");
    for line in lines {
        assert!(line.starts_with("ok"), "{line}");
        assert!(line.contains("reached again from 1 pieces"), "{line}");
    }
}

#[test]
fn what_was_revoked_then_is_revoked_again_among_twenty_lists_of_others() {
    let court = Court::made_by(&PkiOptions::with_keys(Keys::P256), |postal, _| {
        let at = postal.start_ms() - HOUR_MS as i64;
        let mut items = vec![
            Item::held(What::Anchor, postal.pki().root_der().to_vec()),
            Item::held(What::Crl, revoked_at(postal, at)),
        ];
        // Archived after it: those that are handed out first say nothing of these certificates.
        for _ in 0..20 {
            let other = Postal::new(&PkiOptions::with_keys(Keys::P256), postal.start_ms());
            let crl = other.unwrap().pki().crl(&[], at).unwrap();
            items.push(Item::held(What::Crl, crl));
        }
        items
    });
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let (text, status) = told(&court, &transaction);
    assert_eq!(status, 0, "{text}");
    let lines = lines(&text);
    assert_eq!(lines.len(), transaction.messages.len(), "{text}");
    for line in lines {
        assert!(line.starts_with("ok"), "{line}");
        assert!(line.contains("integral-untrusted, reached again"), "{line}");
        assert!(!line.contains("recorded beside it: revoked"), "{line}");
    }
}

#[test]
fn a_verdict_that_was_reached_without_any_material_is_not_checked_and_says_so() {
    let court = Court::made_by(&PkiOptions::with_keys(Keys::P256), |_, _| Vec::new());
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let (text, status) = told(&court, &transaction);
    assert_eq!(status, 0, "{text}");
    for line in lines(&text) {
        assert!(line.starts_with("not checked"), "{line}");
        assert!(
            line.contains("it was judged without any trust material"),
            "{line}"
        );
    }
    // Without the log's key no piece is proven.
    let court = Court::new();
    court.put_all(&transaction.messages);
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    let text = out(&verify_with(
        folder.path(),
        &made.name,
        &["--roots", "roots.pem"],
    ));
    assert!(!lines(&text).is_empty(), "{text}");
    assert!(
        lines(&text)
            .iter()
            .all(|line| line.contains("no --key given")),
        "{text}"
    );
}

/// The same package with its report changed, sealed and stamped again by the archive's own key.
fn with_report(court: &Court, made: &Made, change: impl Fn(&mut Report)) -> Vec<u8> {
    let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
    let verified = asic::verify(&mut container).unwrap();
    let mut writer = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
    for name in container.names() {
        if name == "mimetype" || name.starts_with("META-INF/") {
            continue;
        }
        let mut octets = container.read(&name, 1 << 24).unwrap();
        if name == "proof/validation.json" {
            let mut report = Report::from_json(&octets).unwrap();
            change(&mut report);
            octets = report.to_json().unwrap();
        }
        let part = Part::of(&name, "application/octet-stream", &octets);
        writer.add(part).unwrap();
    }
    for part in &verified.evidence_records {
        let covers: Vec<&str> = part.covers.iter().map(|c| c.name.as_str()).collect();
        writer.evidence_record(&covers, &part.record).unwrap();
    }
    let now = UtcMillis::new(court.test.clock.now());
    let (seal, tsa) = (&*court.sealing.seal, &*court.sealing.tsa);
    writer
        .sign(|manifest| {
            let signed = cades::sign_stamped(Content::detached(manifest), now, seal, tsa);
            signed.map(|(signature, _)| signature)
        })
        .unwrap();
    writer.finish().unwrap()
}

#[test]
fn a_report_that_leaves_out_the_list_of_revocations_or_names_other_material_is_found_out() {
    let court = Court::made_by(&PkiOptions::with_keys(Keys::P256), |postal, _| {
        let at = postal.start_ms() - HOUR_MS as i64;
        vec![
            Item::held(What::Anchor, postal.pki().root_der().to_vec()),
            Item::held(What::Crl, revoked_at(postal, at)),
        ]
    });
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    let folder = tempfile::tempdir().unwrap();
    let path = court.hand_over(&made, folder.path());
    let delivery = transaction.first(MessageKind::DeliveryComplete);
    assert!(delivery.is_some());
    type Change = fn(&mut Vec<ceralacca_pages::model::Material>);
    let changes: [(&str, Change, &str); 5] = [
        (
            "the list left out",
            |material| material.retain(|piece| piece.kind != "crl"),
            "integral-trusted by the material in the package; recorded: integral-untrusted",
        ),
        (
            "the list as another kind",
            |material| {
                for piece in material.iter_mut().filter(|p| p.kind == "crl") {
                    piece.kind = "ocsp".to_owned();
                }
            },
            "its record is of something else",
        ),
        (
            "another leaf",
            |material| {
                for piece in material.iter_mut().filter(|p| p.kind == "crl") {
                    piece.leaf = piece.leaf.map(|leaf| leaf - 1);
                }
            },
            "its proof is of something else",
        ),
        (
            "archived after the message",
            |material| {
                for piece in material.iter_mut().filter(|p| p.kind == "crl") {
                    piece.leaf = Some(1 << 40);
                }
            },
            "was archived after the message",
        ),
        (
            "a file elsewhere",
            |material| {
                for piece in material.iter_mut().filter(|p| p.kind == "crl") {
                    piece.file = Some("proof/verify_proof.py".to_owned());
                }
            },
            "it lies where no material does",
        ),
    ];
    for (what, change, why) in changes {
        let octets = with_report(&court, &made, |report| {
            for record in &mut report.records {
                if let Some(signature) = &mut record.signature {
                    change(&mut signature.material);
                }
            }
        });
        std::fs::write(&path, octets).unwrap();
        let output = verify_with(folder.path(), &made.name, &ANCHORS);
        let text = out(&output);
        assert_eq!(status(&output), 1, "{what}: {text}");
        let lines = lines(&text);
        let mut lines = lines.iter();
        assert!(
            lines.any(|line| line.starts_with("FAILED") && line.contains(why)),
            "{what}: {text}"
        );
    }
    // A list that is named and has no file cannot be judged with: that is said, and is no failure.
    let octets = with_report(&court, &made, |report| {
        for record in &mut report.records {
            let signature = record.signature.iter_mut();
            for piece in signature.flat_map(|signature| &mut signature.material) {
                piece.file = piece.file.take().filter(|_| piece.kind != "crl");
            }
        }
    });
    std::fs::write(&path, octets).unwrap();
    let output = verify_with(folder.path(), &made.name, &ANCHORS);
    let text = out(&output);
    let lines = lines(&text);
    assert!(
        lines.iter().all(|line| line.starts_with("not checked")),
        "{text}"
    );
    assert!(
        lines
            .iter()
            .all(|line| line.contains("not in the package: ")),
        "{text}"
    );
}
