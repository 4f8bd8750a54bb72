//! A package made again by who has the seal key itself: signed well, over something else.

use super::*;
use crate::support::program::{out, status};
use ceralacca_evidence::asic::{self, Container, ContainerWriter, Files, Part};
use ceralacca_evidence::cades::{self, Content};
use std::io::Cursor;

/// The same package with its data files changed, listed, stamped and signed again.
fn forged(court: &Court, made: &Made, change: impl Fn(&str, &mut Vec<u8>)) -> Vec<u8> {
    let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
    let verified = asic::verify(&mut container).unwrap();
    let mut writer = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
    for name in container.names() {
        if name == "mimetype" || name.starts_with("META-INF/") {
            continue;
        }
        let mut octets = container.read(&name, 1 << 24).unwrap();
        change(&name, &mut octets);
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
fn a_package_signed_again_over_another_object_proof_or_report_is_refused_and_the_part_named() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    let folder = tempfile::tempdir().unwrap();
    let path = court.hand_over(&made, folder.path());
    let object = made.report.files.iter().find(|f| f.name.ends_with(".eml"));
    let object = object.unwrap().name.clone();
    let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
    let other_proof = container.read("proof/002.tlog-proof", 1 << 20).unwrap();
    let interval = container.names().into_iter();
    let mut checkpoints = interval.filter(|name| name.ends_with("/checkpoint"));
    let checkpoint = checkpoints.next().unwrap();
    // Nothing changed: signed again it is as good as before.
    std::fs::write(&path, forged(&court, &made, |_, _| {})).unwrap();
    let output = verify(folder.path(), &made.name);
    assert_eq!(status(&output), 0, "{}", out(&output));
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>));
    let changes: [Change<'_>; 5] = [
        (&object, &|octets| {
            let last = octets.len() - 1;
            octets[last / 2] ^= 1;
        }),
        ("proof/001.tlog-proof", &|octets| {
            *octets = other_proof.clone()
        }),
        ("proof/001.r.bin", &|octets| octets[0] ^= 1),
        ("proof/001.leaf.bin", &|octets| octets[40] ^= 1),
        (&checkpoint, &|octets| {
            let text = String::from_utf8_lossy(octets).into_owned();
            *octets = text.replacen('\n', "x\n", 1).into_bytes();
        }),
    ];
    for (part, change) in changes {
        let octets = forged(&court, &made, |name, octets| {
            if name == part {
                change(octets);
            }
        });
        std::fs::write(&path, octets).unwrap();
        let output = verify(folder.path(), &made.name);
        let text = out(&output);
        assert_eq!(status(&output), 1, "{part}: {text}");
        // The signature is good: what it is over is not.
        let signature = text
            .lines()
            .find(|l| l.contains("META-INF/signature001.p7s"));
        assert!(signature.unwrap().starts_with("ok"), "{part}: {text}");
        let mut failed = text.lines().filter(|line| line.starts_with("FAILED"));
        let stem = part.split('.').next().unwrap_or(part);
        assert!(failed.any(|line| line.contains(stem)), "{part}: {text}");
    }
}
