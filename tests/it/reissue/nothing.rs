//! That nothing is held: proven to who may know it, and one and the same answer to who may not.

use super::house::House;
use super::served::{asked, refused};
use super::*;
use crate::conformance::{PYTHON, are_there};
use crate::support::program::{out, status};
use crate::support::sealing::as_disposed;
use crate::support::tls::{Authority, Installation};
use ceralacca::api::v1;
use ceralacca_evidence::asic::{Container, Files};
use ceralacca_formats::leaf::Class;
use serde_json::Value;
use std::io::Cursor;
use tonic::Code;
use v1::get_package_response::Part;
use v1::reissue_client::ReissueClient;

const NEVER: &str = "opec.mai-vista@pec.example";

fn of(identificativo: &str) -> v1::GetPackageRequest {
    v1::GetPackageRequest {
        identificativo: identificativo.to_owned(),
        ..asked()
    }
}

#[test]
fn that_an_identificativo_was_never_recorded_is_proven_in_a_file_that_verifies_offline() {
    let house = House::new();
    house.seal();
    house.put("altra@pec.example");
    house.seal();
    house.put("terza@pec.example");
    let before = house.size();
    let parts = house.parts(of(NEVER)).unwrap();
    let Some(Part::Nothing(head)) = &parts[0].part else {
        panic!("{:?}", parts[0]);
    };
    assert_eq!((head.intervals, head.closed), (3, 2));
    assert_eq!(head.proven_until_ms - head.proven_from_ms, 2 * DAY_MS);
    assert_eq!(head.disposed, []);
    assert_eq!((head.disclosure_leaf, house.size()), (before, before + 2));
    let mut octets = Vec::new();
    for part in &parts[1..] {
        let Some(Part::Chunk(chunk)) = &part.part else {
            panic!("{part:?}");
        };
        octets.extend_from_slice(chunk);
    }
    std::fs::write(house.path().join("assenza.asice"), &octets).unwrap();
    let output = house.verify("assenza.asice");
    let text = out(&output);
    assert_eq!(status(&output), 0, "{text}");
    assert!(text.contains("no record in 2 of 3 intervals"), "{text}");
    assert!(text.contains("records still come into it"), "{text}");
    assert!(text.contains("VERIFICATO: "), "{text}");
    // Without the log's key nothing of it is proven.
    let output = house.run(&["verify", "assenza.asice", "--roots", "roots.pem"]);
    assert_eq!(status(&output), 1);
    let mut container = Container::open(Cursor::new(&octets)).unwrap();
    let words = container.read("assenza.txt", 1 << 16).unwrap();
    let words = String::from_utf8(words).unwrap();
    for word in [
        NEVER,
        "Tribunale di Prova",
        "decreto 12/2026",
        "ESITO NEGATIVO",
    ] {
        assert!(words.contains(word), "{words}");
    }
    foreign_judge(&house, &mut container);
    // Every octet of the lines counts.
    let lines = container.read("proof/assenza-001.jsonl", 1 << 24).unwrap();
    let at = octets
        .windows(lines.len())
        .position(|w| w == lines)
        .unwrap();
    for step in (0..lines.len()).step_by(lines.len() / 23) {
        let mut altered = octets.clone();
        altered[at + step] ^= 1;
        std::fs::write(house.path().join("altered.asice"), &altered).unwrap();
        let output = house.verify("altered.asice");
        assert_eq!(status(&output), 1, "octet {step}: {}", out(&output));
        assert!(out(&output).contains("FAILED"), "octet {step}");
    }
}

/// The map proofs of the answer, by a program of others.
fn foreign_judge(house: &House, container: &mut Container<Cursor<&Vec<u8>>>) {
    if !are_there(&[(PYTHON, &["-c", ""])]) {
        return;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/check_absence.py");
    for name in ["proof/assenza.json", "proof/assenza-001.jsonl"] {
        let octets = container.read(name, 1 << 24).unwrap();
        std::fs::write(house.path().join(name.replace('/', "-")), octets).unwrap();
    }
    let key = std::fs::read_to_string(house.path().join("log.vkey")).unwrap();
    let judge = |lines: &str| {
        let mut command = Command::new(PYTHON);
        command.current_dir(house.path()).arg(&program);
        command
            .args([key.trim(), "proof-assenza.json", lines])
            .output()
            .unwrap()
    };
    let output = judge("proof-assenza-001.jsonl");
    assert!(output.status.success(), "{output:?}");
    assert!(out(&output).contains("OK: 2 of 3 intervals"), "{output:?}");
    let text = std::fs::read_to_string(house.path().join("proof-assenza-001.jsonl")).unwrap();
    let at = text.find("\"proof\":\"").unwrap() + 80;
    let digit = if &text[at..=at] == "0" { "1" } else { "0" };
    let twin = [&text[..at], digit, &text[at + 1..]].concat();
    std::fs::write(house.path().join("twin.jsonl"), twin).unwrap();
    assert!(!judge("twin.jsonl").status.success());
}

#[test]
fn each_way_of_having_nothing_has_its_status_and_its_line() {
    let house = House::new();
    // No interval is closed: nothing is proven yet.
    let answer = house.ask(of(NEVER));
    refused(answer, Code::NotFound, "NOTHING_YET");
    let output = house.package(NEVER, &["--out", "a.asice"]);
    assert_eq!(status(&output), 4, "{output:?}");
    assert!(out(&output).starts_with("NOT YET: "), "{output:?}");
    assert!(!house.path().join("a.asice").exists());
    house.seal();
    let output = house.package(NEVER, &["--out", "a.asice", "--language", "en"]);
    assert_eq!(status(&output), 1, "{output:?}");
    assert!(
        out(&output).starts_with("NOTHING HELD: no record from "),
        "{output:?}"
    );
    assert_eq!(status(&house.verify("a.asice")), 0);
    for form in ["zip", "folder"] {
        let output = house.package(NEVER, &["--out", form, "--form", form, "--json"]);
        assert_eq!(status(&output), 1, "{output:?}");
        let told: Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(
            (&told["written"], &told["held"]),
            (&true.into(), &false.into())
        );
        assert_eq!(told["closed"], 1);
        assert_eq!(status(&house.verify(form)), 0, "{form}");
    }
    // By another name nothing is proven.
    let other = v1::GetPackageRequest {
        msgid: "mai-visto@casella.example".to_owned(),
        ..asked()
    };
    refused(house.ask(other), Code::NotFound, "NOTHING_FOUND");
    // Records of it are there, but none of that time: nor is its absence proven.
    let elsewhere = v1::GetPackageRequest {
        event_until_ms: Some(1),
        ..house.of_transaction()
    };
    refused(house.ask(elsewhere), Code::NotFound, "NOTHING_FOUND");
    let id = house.transaction.identificativo.clone();
    let output = house.package(
        &id,
        &["--until", "1971-01-01T00:00:00Z", "--out", "b", "--json"],
    );
    assert_eq!(status(&output), 6, "{output:?}");
    let told: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(told["why"], "NOTHING_FOUND");
    // A class is gone, as a disposal leaves it.
    let interval = house.log().reader().published().spans[0].id;
    as_disposed(house.log().reader().store(), interval, &[Class::Trace]);
    let output = house.package(NEVER, &["--out", "c.asice"]);
    assert_eq!(status(&output), 5, "{output:?}");
    assert!(
        out(&output).contains("DISPOSED OF, and not proven: class trace"),
        "{output:?}"
    );
    let output = house.verify("c.asice");
    assert!(
        out(&output).contains("disposed of: class trace"),
        "{}",
        out(&output)
    );
    assert_eq!(status(&output), 1, "nothing is proven of the only interval");
}

/// A service over TLS with one court, whose grant names one transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_see_gets_one_answer_whether_it_exists_or_not() {
    const LOG: &str = "gestore-1";
    const GRANTED: &str = "opec.concessa@pec.example";
    let authority = Authority::new();
    let (court, provider) = (authority.certify(), authority.certify());
    let tables = format!(
        "[[principal]]\nname = \"tribunale\"\ncertificates = [\"{}\"]\n[[principal.role]]\nlog = \"{LOG}\"\n\
         role = \"court\"\nact = \"decreto 7/2026\"\nuntil = \"2100-01-01T00:00:00Z\"\n\
         identificativi = [\"{GRANTED}\"]\n\
         [[principal]]\nname = \"gestore\"\ncertificates = [\"{}\"]\n[[principal.role]]\nlog = \"{LOG}\"\n\
         role = \"provider\"\n",
        court.sha256, provider.sha256
    );
    let installation = Installation::new(&[LOG]);
    installation.configure_tls(&authority, &[LOG], &tables);
    let office = super::served::Office::open(installation);
    let client = |certified| {
        let endpoint = office.served.secured(&authority, Some(certified));
        async move { ReissueClient::new(endpoint.connect().await.unwrap()) }
    };
    let there = office
        .transaction
        .first(ceralacca_synthetic::mail::MessageKind::Acceptance);
    let there = there.unwrap();
    let facts = there.facts().unwrap();
    let (id, sender) = (
        office.transaction.identificativo.clone(),
        facts.sender.clone(),
    );
    let msgid = facts.msgid.clone().unwrap();
    let with = |change: &dyn Fn(&mut v1::GetPackageRequest)| {
        let mut request = asked();
        change(&mut request);
        request
    };
    let pairs = [
        (
            with(&|r| r.identificativo = id.clone()),
            with(&|r| r.identificativo = NEVER.into()),
        ),
        (
            with(&|r| r.msgid = msgid.clone()),
            with(&|r| r.msgid = "<mai@casella.example>".into()),
        ),
        (
            with(&|r| r.message_id = there.draft.message_id.clone()),
            with(&|r| r.message_id = "mai@pec.example".into()),
        ),
        (
            with(&|r| r.party = sender.clone()),
            with(&|r| r.party = "mai@casella.example".into()),
        ),
        (
            with(&|r| r.sender = sender.clone()),
            with(&|r| r.sender = "mai@casella.example".into()),
        ),
        (
            with(&|r| r.index = Some(3)),
            with(&|r| r.index = Some(1 << 40)),
        ),
    ];
    let mut told = Vec::new();
    for (exists, does_not) in pairs {
        for mut request in [exists, does_not] {
            for sealed_only in [false, true] {
                request.sealed_only = sealed_only;
                let mut client = client(&court).await;
                let status = client.get_package(request.clone()).await.err().unwrap();
                let mut headers: Vec<String> = status
                    .metadata()
                    .clone()
                    .into_headers()
                    .iter()
                    .filter(|(name, _)| *name != "date")
                    .map(|(name, value)| format!("{name}: {value:?}"))
                    .collect();
                headers.sort();
                let message = status.message().to_owned();
                told.push((status.code(), message, status.details().to_vec(), headers));
            }
        }
    }
    assert_eq!(told.len(), 24);
    assert!(told.iter().all(|answer| *answer == told[0]), "{told:?}");
    assert_eq!(told[0].0, Code::NotFound);
    // What its grant names was never recorded: that it may know.
    let mut court_client = client(&court).await;
    let request = with(&|r| r.identificativo = GRANTED.into());
    let answer = court_client.get_package(request.clone()).await;
    match answer {
        // As soon as the first day is closed it is proven.
        Ok(answer) => {
            let first = answer.into_inner().message().await.unwrap();
            assert!(matches!(first.and_then(|m| m.part), Some(Part::Nothing(_))));
        }
        Err(status) => {
            refused::<()>(Err(status), Code::NotFound, "NOTHING_YET");
        }
    }
    // And the provider finds what is there.
    let mut provider = client(&provider).await;
    let request = with(&|r| r.identificativo = id.clone());
    assert!(provider.get_package(request).await.is_ok());
}
