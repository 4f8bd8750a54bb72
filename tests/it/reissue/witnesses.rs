//! Witnesses: whose cosignatures a package brings, with their keys and times, and how they are checked.

use super::*;
use crate::support::program::{out, status};
use ceralacca::witnessed::{OnMissing, Rule};
use ceralacca_formats::cosignature::Cosigner;
use ceralacca_formats::policy::{Policy, Witness};
use ceralacca_formats::secret::SigningSeed;

fn cosigner(number: u8) -> Cosigner {
    let name = format!("testimone.example/{number}");
    Cosigner::new(&name, &SigningSeed::from_bytes([number; 32])).unwrap()
}

#[test]
fn a_cosigned_checkpoint_goes_along_and_names_its_witness_with_key_and_time() {
    let own = cosigner(1);
    let witness = Witness {
        name: "uno".to_owned(),
        key: own.verifier().clone(),
        url: None,
    };
    let rule = Rule {
        policy: Policy::of(1, vec![witness]).unwrap(),
        on_missing: OnMissing::PublishMarked,
    };
    let court = Court::witnessed_by(rule);
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let checkpoint = court.log.reader().published().checkpoint.clone();
    let seconds = court.test.clock.now() / 1000;
    let cosigned = checkpoint.with_lines(&own.cosign(&checkpoint, seconds));
    assert!(court.log.witnessed().keep(&cosigned).unwrap());
    let made = court.made(&of_transaction(&transaction));
    let [interval] = &made.report.intervals[..] else {
        panic!("one interval");
    };
    let [found] = &interval.checkpoint.witnesses[..] else {
        panic!("one witness: {:?}", interval.checkpoint.witnesses);
    };
    assert_eq!(found.name, "testimone.example/1");
    assert_eq!(found.key, own.verifier().to_string());
    assert_eq!(found.tree_size, checkpoint.size().get());
    let at = i64::try_from(seconds * 1000).unwrap();
    assert_eq!(found.time.unwrap().millis(), at);
    assert_eq!(interval.checkpoint.key, court.log.verifier().to_string());

    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    let anchors = ["--key", "log.vkey", "--roots", "roots.pem"];
    let key = own.verifier().to_string();
    let output = verify_with(
        folder.path(),
        &made.name,
        &[&anchors[..], &["--witness", &key]].concat(),
    );
    let text = out(&output);
    assert_eq!(status(&output), 0, "{text}");
    assert!(text.contains("cosigned by testimone.example/1"), "{text}");
    // One that did not cosign is not said to have; one that is no key is refused.
    let other = cosigner(2).verifier().to_string();
    let output = verify_with(
        folder.path(),
        &made.name,
        &[&anchors[..], &["--witness", &other]].concat(),
    );
    let text = out(&output);
    assert_eq!(status(&output), 0, "{text}");
    let line = text
        .lines()
        .find(|line| line.contains("testimone.example/2"));
    assert!(line.unwrap().starts_with("not checked"), "{text}");
    let output = verify_with(folder.path(), &made.name, &["--witness", "nessuno"]);
    assert_eq!(status(&output), 2);
}
