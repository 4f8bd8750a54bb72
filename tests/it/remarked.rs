//! What the archive records of objects beside the daticert: evidence of REM, and why a signature does not match.

use crate::support::START_MS;
use crate::support::tls::{Installation, Served};
use ceralacca_synthetic::damage;
use ceralacca_synthetic::mail::{Family, MessageKind, PkiOptions, Plan, Postal, Story};
use serde_json::Value;
use std::path::Path;

const LOG: &str = "gestore-1";

const EVIDENCE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <ev:Evidence xmlns:ev=\"http://uri.etsi.org/19522/v1#\" version=\"EN319522v1.1.1\">\n\
    <ev:EvidenceIdentifier>urn:uuid:00000000-0000-4000-8000-000000000001</ev:EvidenceIdentifier>\n\
    <ev:ERDSEventId>http://uri.etsi.org/19522/Event/ContentConsignment</ev:ERDSEventId>\n\
    <EventTime xmlns=\"\">2026-05-07T07:10:11Z</EventTime>\n\
    <ev:SenderDetails><Identifier xmlns=\"\">mailto:anna@rem.alfa.example</Identifier></ev:SenderDetails>\n\
    <ev:RecipientDetails><Identifier xmlns=\"\">bruno@rem.beta.example</Identifier></ev:RecipientDetails>\n\
    <Signature/></ev:Evidence>\n";

/// A service that has these objects.
fn archive(objects: &[(&str, Vec<u8>)], folder: &Path) -> Served {
    let installation = Installation::new(&[LOG]);
    let tables = format!("[development]\nplain_text = true\n[[log]]\nid = \"{LOG}\"\n");
    installation.configure("127.0.0.1:0", &tables);
    let served = installation.serve();
    let mail = folder.join("mail");
    std::fs::create_dir_all(&mail).unwrap();
    for (name, bytes) in objects {
        std::fs::write(mail.join(name), bytes).unwrap();
    }
    run(&served, folder, &["import", "mail"]);
    served
}

fn run(served: &Served, folder: &Path, arguments: &[&str]) -> String {
    let output = served.command(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn search(served: &Served, folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["search", "--json"], arguments].concat();
    let output = run(served, folder, &arguments);
    let lines = output.lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| line["metadata"].clone())
        .filter(Value::is_object)
        .collect()
}

fn findings(object: &Value) -> Vec<&str> {
    let findings = object["findings"].as_array().unwrap();
    findings.iter().map(|code| code.as_str().unwrap()).collect()
}

#[test]
fn rem_evidence_alone_is_found_by_its_facts_and_its_signature_is_not_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let unsigned = EVIDENCE
        .replace("<Signature/>", "")
        .replace("anna@", "carla@");
    let objects = [
        ("evidenza.xml", EVIDENCE.as_bytes().to_vec()),
        ("senza-firma.xml", unsigned.into_bytes()),
        ("pagina.xml", b"<html></html>\n".to_vec()),
    ];
    let served = archive(&objects, folder.path());
    let search = |arguments: &[&str]| search(&served, folder.path(), arguments);
    for arguments in [
        ["--sender", "anna@rem.alfa.example"],
        ["--sender", "carla@rem.alfa.example"],
    ] {
        let traces = search(&arguments);
        assert_eq!(traces.len(), 1, "{arguments:?}");
        assert_eq!(traces[0]["event"], "ContentConsignment", "{}", traces[0]);
        assert_eq!(traces[0]["event_ms"], 1_778_137_811_000_i64);
    }
    assert_eq!(search(&["--recipient", "bruno@rem.beta.example"]).len(), 2);
    let judged = search(&["--finding", "not-evaluated"]);
    assert_eq!(judged.len(), 1);
    assert_eq!(judged[0]["signature"], "not-evaluated");
    assert_eq!(
        findings(&judged[0]),
        ["rem-evidence", "xades-not-evaluated"]
    );
    let unsigned = search(&["--finding", "evidence-not-signed"]);
    assert_eq!(unsigned.len(), 1);
    assert_eq!(unsigned[0]["signature"], "absent");
    let codes = findings(&unsigned[0]);
    assert_eq!(codes, ["rem-evidence", "evidence-not-signed"]);
    let unread = search(&["--finding", "rem-evidence"]);
    assert_eq!(unread.len(), 2);
}

#[test]
fn a_broken_signature_is_explained_where_it_can_be_and_stays_broken() {
    let folder = tempfile::tempdir().unwrap();
    let postal = Postal::new(&PkiOptions::default(), START_MS as i64).unwrap();
    let one = |attachments: Vec<usize>| {
        let plan = Plan {
            story: Story::Delivered,
            from: postal.provider_of(Family::B).unwrap(),
            attachments,
            recipients: 1,
            ..postal.plan(3)
        };
        let transaction = postal.carry_out(3, &plan);
        let envelope = transaction.first(MessageKind::TransportEnvelope);
        envelope.unwrap().bytes.clone()
    };
    let (small, large) = (one(vec![2000]), one(vec![80_000]));
    let changed = small.iter().rposition(|octet| *octet == b'=').unwrap();
    let mut forged = small.clone();
    let within = forged.windows(4).position(|four| four == b"PD94").unwrap();
    assert!(within < changed);
    forged.splice(within..within, *b"\r\n");
    let objects = [
        ("intatto.eml", small.clone()),
        ("doppi.eml", damage::cr_cr_lf(&small)),
        ("doppi-grande.eml", damage::cr_cr_lf(&large)),
        ("alterato.eml", forged),
    ];
    let served = archive(&objects, folder.path());
    let search = |code: &str| search(&served, folder.path(), &["--finding", code]);
    assert_eq!(search("broken").len(), 3);
    let explained = search("doubled-carriage-returns");
    assert_eq!(explained.len(), 1);
    assert_eq!(explained[0]["signature"], "broken", "never upgraded");
    let untried = search("explanation-not-tried");
    assert_eq!(untried.len(), 1);
    assert_eq!(untried[0]["signature"], "broken");
    assert_eq!(search("integral-untrusted").len(), 1);
}
