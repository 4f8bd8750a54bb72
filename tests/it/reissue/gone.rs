//! What was asked for was disposed of: the answer carries the certificate, and others verify it.
//!
//! The disposal is a real one: intent, two approvals, the grace, the batch and every step after it.

use super::house::{House, fill, postal};
use super::served::{asked, refused};
use super::*;
use crate::conformance::are_there;
use crate::disposal::{copy, rules};
use crate::support::program::{out, status};
use crate::support::sealing::close_all;
use ceralacca::access::Act;
use ceralacca::api::v1;
use ceralacca::archive::{self, Archive, Settings};
use ceralacca::disposal::DisposalProbe;
use ceralacca_evidence::asic::{Container, Files};
use ceralacca_formats::disposal_certificate::DisposalCertificate;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::Metadata;
use ceralacca_pages::model::{CheckId, Object, Outcome, Reason};
use ceralacca_synthetic::mail::MessageKind;
use serde_json::Value;
use std::io::Cursor;
use std::sync::OnceLock;
use tonic::Code;
use v1::get_package_response::Part;

/// Days that the transaction lies back: receipts are kept for a month here.
const DAYS: usize = 36;

struct Base {
    directory: tempfile::TempDir,
    now: u64,
    transaction: Transaction,
    interval: IntervalId,
    /// Roots of those who sealed and stamped so far, and of the providers.
    roots: String,
}

fn permit<A: Act>(name: &str, role: Role) -> access::Permit<A> {
    let principal = Principal::new(name, vec![(log_id(), Standing::Role(role))]);
    access::authorize(&principal, &log_id(), UtcMillis::new(START_MS)).unwrap()
}

/// An archive whose first interval has lost its receipts; the trace and the envelope are there.
fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = Archive::directory_of(directory.path(), &log_id());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let clock = MovableClock::at(START_MS);
        let settings = Settings {
            disposal: rules(),
            ..settings(&clock)
        };
        archive::init(&path, &log_id(), &origin(), &master(), &settings).unwrap();
        let log = Log::open(&path, &master(), &settings).unwrap();
        let postal = postal();
        let transaction = fill(&log, &postal);
        let sealings = ["uno", "due"].map(|name| Sealing::named(&clock, true, name));
        for _ in 0..DAYS {
            clock.pass(DAY_MS);
            log.tick().unwrap();
            assert_eq!(close_all(&log, &sealings[0]).len(), 1);
        }
        let [one, two] = &sealings;
        let authorities = one.with(vec![Arc::clone(&one.tsa) as _, Arc::clone(&two.tsa) as _]);
        let disposer = log.disposer();
        let operator = permit::<access::Dispose>("gestione", Role::Operator);
        let intended = disposer.intend(&operator, &authorities, &[]).unwrap();
        for name in ["anna", "bruno"] {
            let approver = permit::<access::Approve>(name, Role::Approver);
            let approved = disposer.approve(&approver, intended.intent, intended.hash);
            approved.unwrap();
        }
        for _ in 0..73 {
            clock.pass(HOUR_MS);
            disposer.tick().unwrap();
        }
        let probe = DisposalProbe::default();
        while disposer.advance(&authorities, &probe).unwrap().is_some() {}
        let interval = log.reader().published().spans[0].id;
        log.stop().unwrap();
        Base {
            directory,
            now: clock.now(),
            transaction,
            interval,
            roots: one.root_pem() + &two.root_pem() + &postal.pki().root_pem(),
        }
    })
}

/// A copy of it, served under other authorities.
fn house() -> House {
    let base = base();
    let folder = tempfile::tempdir().unwrap();
    copy(base.directory.path(), &folder.path().join("data"));
    let clock = MovableClock::at(base.now);
    let sealing = Sealing::named(&clock, true, "tre");
    let roots = base.roots.clone() + &sealing.root_pem();
    std::fs::write(folder.path().join("roots.pem"), roots).unwrap();
    House::serve(folder, clock, sealing, base.transaction.clone())
}

fn stem() -> String {
    format!("proof/scarto/{}-receipt", base().interval)
}

fn read(path: &Path, name: &str) -> Vec<u8> {
    let octets = std::fs::read(path).unwrap();
    let mut container = Container::open(Cursor::new(octets)).unwrap();
    container.read(name, 1 << 24).unwrap()
}

/// That openssl accepts the certificate in a container and its time-stamp, and refuses damaged twins.
#[track_caller]
fn judged_by_openssl(house: &House, container: &str) {
    if !are_there(&[("openssl", &["version"])]) {
        return;
    }
    let path = house.path().join(container);
    let stem = stem();
    for (name, file) in [
        (".p7m", "c.p7m"),
        (".firma", "c.firma"),
        (".firma.tst", "c.tst"),
    ] {
        let octets = read(&path, &format!("{stem}{name}"));
        std::fs::write(house.path().join(file), octets).unwrap();
    }
    let openssl = |line: &str| {
        let mut command = Command::new("openssl");
        command.args(line.split(' ')).current_dir(house.path());
        command.output().unwrap()
    };
    let at = house.clock.now() / 1000;
    let verify = format!(
        "cms -verify -cades -binary -inform DER -in c.p7m -CAfile roots.pem -purpose any -attime {at} -out c.json"
    );
    let token =
        format!("ts -verify -token_in -in c.tst -data c.firma -CAfile roots.pem -attime {at}");
    for line in [&verify, &token] {
        let output = openssl(line);
        assert!(output.status.success(), "{line}: {output:?}");
    }
    let says = std::fs::read(house.path().join("c.json")).unwrap();
    let says = DisposalCertificate::parse(&says).unwrap();
    assert_eq!(
        (says.unit.interval, says.unit.class),
        (base().interval, Class::Receipt)
    );
    let receipts = base().transaction.messages.iter();
    let receipts = receipts.filter(|m| m.kind() != MessageKind::TransportEnvelope);
    assert_eq!(says.records, receipts.count() as u64);
    for (file, line) in [("c.p7m", &verify), ("c.firma", &token), ("c.tst", &token)] {
        let good = std::fs::read(house.path().join(file)).unwrap();
        let mut twin = good.clone();
        let at = twin.len() / 4;
        twin[at] ^= 1;
        std::fs::write(house.path().join(file), twin).unwrap();
        assert!(!openssl(line).status.success(), "a damaged twin of {file}");
        std::fs::write(house.path().join(file), good).unwrap();
    }
}

#[test]
fn a_package_of_a_transaction_whose_receipts_are_gone_tells_their_facts_and_carries_the_certificate()
 {
    let house = house();
    let id = house.transaction.identificativo.clone();
    let output = house.package(&id, &["--whole-transaction", "--out", "p.asice", "--json"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let told: Value = serde_json::from_str(&out(&output)).unwrap();
    let unit = &told["disposed"][0];
    assert_eq!(unit["interval_ms"], base().interval.get());
    assert_eq!(unit["class"], "receipt");
    assert_eq!(unit["certificate"], format!("{}.p7m", stem()));
    let path = house.path().join("p.asice");
    let report = Report::from_json(&read(&path, "proof/validation.json")).unwrap();
    let gone = report.records.iter();
    let gone = gone
        .filter(|record| record.object == Object::Disposed)
        .count();
    assert!(gone >= 3, "{gone}");
    assert_eq!(report.disposed.len(), 1);
    let answers = report
        .checks
        .iter()
        .find(|(id, _)| *id == CheckId::IngestDigest);
    let open = answers.unwrap().1.iter();
    let open = open.filter(|check| check.outcome == Outcome::NotChecked);
    assert!(open.clone().count() == gone);
    assert!(open.clone().all(|check| check.reason == Reason::Disposed));
    let output = house.verify("p.asice");
    let text = out(&output);
    assert_eq!(status(&output), 0, "{text}");
    assert!(
        text.contains("records of class receipt of the interval of"),
        "{text}"
    );
    judged_by_openssl(&house, "p.asice");
    // The package's own lines do the same, and write the certificate beside it.
    if are_there(&[("openssl", &["version"]), ("unzip", &["-v"])]) {
        std::fs::write(house.path().join("l.sh"), read(&path, "LEGGIMI.txt")).unwrap();
        let mut command = Command::new("sh");
        let command = command.current_dir(house.path()).args(["-e", "l.sh"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let written = format!("{}-receipt.json", base().interval);
        let written = std::fs::read(house.path().join(written)).unwrap();
        assert!(DisposalCertificate::parse(&written).is_some());
    }
    if are_there(&[("pdftotext", &["-v"])]) {
        let pages = read(&path, "relazione.pdf");
        std::fs::write(house.path().join("r.pdf"), pages).unwrap();
        let mut command = Command::new("pdftotext");
        let output = command.current_dir(house.path()).args(["r.pdf", "-"]);
        let text = out(&output.output().unwrap());
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in [
            "Scarti",
            "scartato alla scadenza del termine",
            "-receipt.p7m",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
    // Octets of the certificate and of what is cut from it are answered for.
    for end in [".p7m", ".firma", ".firma.tst"] {
        let name = format!("{}{end}", stem());
        let octets = read(&path, &name);
        let mut altered = std::fs::read(&path).unwrap();
        let at = altered
            .windows(octets.len())
            // Signature and time-stamp stand in the certificate too.
            .rposition(|w| w == octets)
            .unwrap();
        altered[at + octets.len() / 2] ^= 1;
        std::fs::write(house.path().join("x.asice"), altered).unwrap();
        let output = house.verify("x.asice");
        assert_eq!(status(&output), 1, "{name}");
        let failed = out(&output);
        let mut failed = failed.lines().filter(|line| line.starts_with("FAILED"));
        assert!(failed.any(|line| line.contains(&name)), "{name}");
    }
}

#[test]
fn what_is_asked_for_by_time_or_index_and_is_gone_is_answered_with_the_certificate_alone() {
    let house = house();
    let at = |ms: u64| chrono::DateTime::from_timestamp_millis(ms as i64).unwrap();
    let (from, until) = (at(START_MS - DAY_MS), at(START_MS + HOUR_MS));
    let (from, until) = (from.to_rfc3339(), until.to_rfc3339());
    let who = ["--requester", "Tribunale di Prova", "--capacity", "court"];
    let why = ["--act", "decreto 12/2026", "--purpose", "R.G. 345/2026"];
    let package = |what: &[&str]| house.run(&[&["package"][..], &who, &why, what].concat());
    let times = ["--from", &from, "--until", &until];
    let never = ["--msgid", "mai-visto@casella.example"];
    let before = house.size();
    let output = package(&[&never[..], &times, &["--out", "a.asice"]].concat());
    assert_eq!(status(&output), 5, "{output:?}");
    let text = out(&output);
    assert!(text.starts_with("NOTHING HELD: "), "{text}");
    assert!(
        text.contains("DISPOSED OF, and not proven: class receipt"),
        "{text}"
    );
    assert_eq!(house.size(), before + 2, "a disclosure");
    // A receipt by its leaf, in the other forms and in English.
    let facts = first_facts(&house);
    for form in ["asice", "zip", "folder"] {
        let index = facts.0.to_string();
        let asked = ["--index", &index, "--form", form, "--out", form, "--json"];
        let output = package(&[&asked[..], &["--language", "en"]].concat());
        assert_eq!(status(&output), 5, "{output:?}");
        let told: Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(
            (&told["written"], &told["held"]),
            (&true.into(), &false.into())
        );
        assert_eq!(
            told["disposed"][0]["certificate"],
            format!("{}.p7m", stem())
        );
        let output = house.verify(form);
        let text = out(&output);
        assert_eq!(status(&output), 0, "{text}");
        assert!(
            text.contains("units of pec.example.test/log named to"),
            "{text}"
        );
    }
    let words = String::from_utf8(read(&house.path().join("a.asice"), "scarto.txt")).unwrap();
    for word in [
        "SCARTATO",
        "Tribunale di Prova",
        "openssl cms -verify",
        "openssl ts -verify",
    ] {
        assert!(words.contains(word), "{words}");
    }
    judged_by_openssl(&house, "a.asice");
    assert_eq!(status(&house.verify("a.asice")), 0);
    // Without anchors nothing is said to be verified; a head that names a certificate that is not there is refused.
    let output = house.run(&["verify", "a.asice", "--key", "log.vkey"]);
    assert_eq!(status(&output), 1, "{}", out(&output));
    // A time of which nothing is gone: nothing is found, and nothing proven.
    let late = at(base().now).to_rfc3339();
    let output = package(&[&never[..], &["--from", &late, "--out", "b.asice"]].concat());
    assert_eq!(status(&output), 6, "{output:?}");
    // The absence of an identificativo carries the certificates of what nothing can be said of.
    let output = package(&["--identificativo", "mai@pec.example", "--out", "c.asice"]);
    assert_eq!(status(&output), 5, "{output:?}");
    judged_by_openssl(&house, "c.asice");
    let text = out(&house.verify("c.asice"));
    assert!(
        text.contains("records of class receipt of the interval of"),
        "{text}"
    );
    assert!(!text.contains("FAILED"), "{text}");
}

/// Leaves of the first receipt, which is gone, and of its facts, which are there.
fn first_facts(house: &House) -> (LeafIndex, LeafIndex) {
    let reader = house.log().reader();
    let state = reader.published();
    for index in (0..state.tip.size.get()).map(LeafIndex::new) {
        let leaf = reader.leaf(&state, index).unwrap();
        let is_gone = leaf.class == Class::Receipt && reader.record(&state, index).is_err();
        let facts = LeafIndex::new(index.get() + 1);
        if is_gone && let Ok(Metadata::Trace(_)) = reader.record(&state, facts).unwrap().metadata()
        {
            return (index, facts);
        }
    }
    panic!("nothing is gone");
}

#[test]
fn a_search_of_that_time_answers_with_the_certificate() {
    let house = house();
    let at = |ms: u64| chrono::DateTime::from_timestamp_millis(ms as i64).unwrap();
    let from = at(START_MS - DAY_MS).to_rfc3339();
    let until = at(START_MS + HOUR_MS).to_rfc3339();
    let times = ["--from", &from, "--until", &until];
    let output = house.run(&[&["search", "--json"][..], &times].concat());
    assert_eq!(status(&output), 0, "{output:?}");
    let last: Value = serde_json::from_str(out(&output).lines().last().unwrap()).unwrap();
    let [unit] = last["disposed"].as_array().unwrap().as_slice() else {
        panic!("{last}")
    };
    assert_eq!(unit["class"], "receipt");
    let disposer = house.log().disposer();
    let gone = disposer.gone_of(base().interval, Class::Receipt).unwrap();
    let kept = disposer.certificate(gone[0].unit).unwrap().unwrap();
    use base64::Engine as _;
    let came = unit["certificate"].as_str().unwrap();
    let came = base64::engine::general_purpose::STANDARD.decode(came);
    assert_eq!(came.unwrap(), kept);
    let output = house.run(&[&["search", "--certificates", "cert"][..], &times].concat());
    assert!(
        out(&output).contains("DISPOSED OF: class receipt of the interval of"),
        "{output:?}"
    );
    let file = format!("cert/{}-receipt.p7m", base().interval);
    assert_eq!(std::fs::read(house.path().join(file)).unwrap(), kept);
    // The duplicato of a receipt that is gone, by its leaf and by that of its facts.
    let (object, facts) = first_facts(&house);
    for (index, dir) in [(object, "d1"), (facts, "d2")] {
        let index = index.to_string();
        let output = house.run(&["reissue", "--index", &index, "--dir", dir, "--json"]);
        assert_eq!(status(&output), 5, "{output:?}");
        let told: Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(
            (&told["written"], &told["disposed"][0]["class"]),
            (&false.into(), &"receipt".into())
        );
        let file = format!("{dir}/{}-receipt.p7m", base().interval);
        assert_eq!(std::fs::read(house.path().join(file)).unwrap(), kept);
    }
    // Of no time nothing is said.
    let output = house.run(&["search", "--json"]);
    let last: Value = serde_json::from_str(out(&output).lines().last().unwrap()).unwrap();
    assert_eq!(last["disposed"], Value::Array(Vec::new()));
}

#[test]
fn a_court_whose_act_names_the_transaction_has_the_certificate_and_another_hears_nothing() {
    let house = house();
    let granted = grant(&house.transaction.identificativo);
    let standings = |standing| vec![(log_id(), standing)];
    let given = |standing, wanted: &Wanted| {
        let principal = Principal::new("tribunale", standings(standing));
        let now = UtcMillis::new(START_MS);
        let permit: access::Permit<Reissue> =
            access::authorize(&principal, &log_id(), now).unwrap();
        let reissuer = house.log().reissuer(&permit).unwrap().unwrap();
        match reissuer.prepare(wanted) {
            Ok(Given::Package(prepared)) => Ok(prepared.report.clone()),
            Ok(_) => panic!("no package"),
            Err(error) => Err(error),
        }
    };
    let report = given(granted, &of_transaction(&house.transaction)).unwrap();
    assert_eq!(report.disposed.len(), 1);
    assert!(report.records.iter().any(|r| r.object == Object::Disposed));
    let other = grant("altra@pec.example");
    let error = given(other, &of_transaction(&house.transaction))
        .err()
        .unwrap();
    assert!(matches!(
        error,
        ReissueError::Desk(ceralacca::desk::DeskError::NotShown)
    ));
    // Over the wire the first message says what is gone, and there is one disclosure.
    let request = v1::GetPackageRequest {
        index: Some(first_facts(&house).0.get()),
        ..asked()
    };
    let parts = house.parts(request).unwrap();
    let Some(Part::Disposed(head)) = &parts[0].part else {
        panic!("{:?}", parts[0]);
    };
    assert_eq!(head.disposed[0].class, "receipt");
    assert_eq!(head.disposed[0].certificate, format!("{}.p7m", stem()));
    let nothing = v1::GetPackageRequest {
        msgid: "mai-visto@casella.example".to_owned(),
        ..asked()
    };
    refused(house.ask(nothing), Code::NotFound, "NOTHING_FOUND");
}
