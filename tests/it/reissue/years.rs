//! A package of evidence that was renewed, verified when the archive is gone and the first authority's certificates
//! have ended; and the same without renewals.

use super::*;
use crate::conformance::are_there;
use crate::support::program::{out, status};
use ceralacca::seal::RenewalRules;
use ceralacca_evidence::asic::{self, Container, Files};
use ceralacca_formats::renewal::RenewalKind;
use std::io::Cursor;

const YEARS_15: u64 = 15 * 365 * DAY_MS;
/// Ten years after the packages here are made: the certificates of the first authority ended long ago.
const TEN_YEARS_ON: &str = "2050-08-01T00:00:00Z";
const WITH_ANCHORS: [&str; 6] = [
    "--key",
    "log.vkey",
    "--roots",
    "roots.pem",
    "--mail-roots",
    "roots.pem",
];

/// SHA-256 is not accepted from so many days on.
fn sha256_ends(now: u64, days: u64) -> RenewalRules {
    let mut rules = RenewalRules::default();
    let mut rows = rules.table.rows.iter_mut();
    let row = rows.find(|row| row.algorithm == "SHA-256");
    let end = i64::try_from(now + days * DAY_MS).unwrap();
    let end = chrono::DateTime::from_timestamp_millis(end).unwrap();
    row.unwrap().end = Some(end.date_naive());
    rules
}

/// A package made fourteen years and a half after its records, by an archive whose authority is another by then. What
/// its reader has from elsewhere lies beside it; the archive is gone.
struct Kept {
    made: Made,
    folder: tempfile::TempDir,
    tsa_certificate: Vec<u8>,
}

fn kept(renew: bool) -> Kept {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    court.test.clock.pass(YEARS_15 - 100 * DAY_MS);
    let later = Sealing::new(&court.test.clock, true);
    if renew {
        let renewed = |rules: &RenewalRules| {
            let renewed = court.log.renew_next(rules, &*later.tsa, &Probe::default());
            renewed.unwrap().map(|renewed| renewed.record.kind)
        };
        let rules = RenewalRules::default();
        assert_eq!(renewed(&rules), Some(RenewalKind::TimeStamp));
        let rules = sha256_ends(court.test.clock.now(), 100);
        court.test.clock.pass(60 * DAY_MS);
        while let Some(kind) = renewed(&rules) {
            assert_eq!(kind, RenewalKind::HashTree);
        }
    }
    let Court {
        mut test,
        sealing,
        postal,
        log,
        _folder,
    } = court;
    log.stop().unwrap();
    drop(log);
    test.settings.authorities = Some(later.authorities());
    let log = test.open();
    let court = Court {
        test,
        sealing,
        postal,
        log,
        _folder,
    };
    let made = court.made(&of_transaction(&transaction));
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    let roots = folder.path().join("roots.pem");
    let all = std::fs::read_to_string(&roots).unwrap() + &later.root_pem();
    std::fs::write(roots, all).unwrap();
    court.log.stop().unwrap();
    Kept {
        made,
        folder,
        tsa_certificate: later.tsa_certificate,
    }
}

#[test]
fn ten_years_on_a_package_verifies_through_the_renewals_of_its_evidence() {
    let kept = kept(true);
    let output = verify_at(
        kept.folder.path(),
        &kept.made.name,
        TEN_YEARS_ON,
        &WITH_ANCHORS,
    );
    let text = out(&output);
    assert_eq!(status(&output), 0, "{text}");
    assert!(text.contains("\nVERIFICATO: "), "{text}");
    for interval in &kept.made.report.intervals {
        let kinds: Vec<_> = interval.renewals.iter().map(|r| r.kind.as_str()).collect();
        assert_eq!(kinds, ["time-stamp", "hash-tree"]);
        assert!(interval.renewals[0].time > interval.tokens[0].time);
        assert!(interval.renewals[1].time > interval.renewals[0].time);
    }
    // Beyond the certificates of the last renewal nothing is proven any more.
    let never = "2080-01-01T00:00:00Z";
    let output = verify_at(kept.folder.path(), &kept.made.name, never, &WITH_ANCHORS);
    assert_eq!(status(&output), 1);
    assert!(out(&output).contains("FAILED       "), "{}", out(&output));
}

#[test]
fn ten_years_on_a_package_whose_evidence_was_not_renewed_is_refused_and_the_record_named() {
    let kept = kept(false);
    // While the certificates hold it is good.
    let output = verify_at(
        kept.folder.path(),
        &kept.made.name,
        "2040-08-20T00:00:00Z",
        &WITH_ANCHORS,
    );
    assert_eq!(status(&output), 0, "{}", out(&output));
    let output = verify_at(
        kept.folder.path(),
        &kept.made.name,
        TEN_YEARS_ON,
        &WITH_ANCHORS,
    );
    let text = out(&output);
    assert_eq!(status(&output), 1, "{text}");
    let failed = text.lines().filter(|line| line.starts_with("FAILED"));
    let named = failed.filter(|line| line.contains("META-INF/evidencerecord"));
    assert!(named.count() >= 1, "{text}");
}

#[test]
fn bouncy_castle_accepts_the_renewed_records_of_a_package_and_refuses_their_damaged_twins() {
    const JARS: &str =
        "/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar";
    if !are_there(&[("java", &["--version"])]) {
        return;
    }
    if !Path::new("/usr/share/java/bcpkix.jar").exists() {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "missing: bcpkix.jar");
        println!("SKIPPED: missing bcpkix.jar");
        return;
    }
    let kept = kept(true);
    let mut container = Container::open(Cursor::new(&kept.made.octets)).unwrap();
    let verified = asic::verify(&mut container).unwrap();
    let write = |name: &str, octets: &[u8]| {
        let path = kept.folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut command = Command::new("java");
    command.args(["-cp", JARS]);
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence/tests/it/JudgeRecords.java");
    command.arg(judge);
    command.arg(write("tsa.der", &kept.tsa_certificate));
    let at = chrono::DateTime::parse_from_rfc3339(TEN_YEARS_ON).unwrap();
    command.arg(at.timestamp_millis().to_string());
    let mut expected = Vec::new();
    for (number, part) in verified.evidence_records.iter().enumerate() {
        let is_object = part.covers.iter().any(|file| file.name.ends_with(".eml"));
        if !is_object {
            continue;
        }
        let documents: Vec<Vec<u8>> = part
            .covers
            .iter()
            .map(|file| container.read(&file.name, 1 << 24).unwrap())
            .collect();
        let mut twin = part.record.clone();
        *twin.last_mut().unwrap() ^= 1;
        let mut other = documents.clone();
        other[0][0] ^= 1;
        let cases = [
            (&part.record, &documents, "OK"),
            (&twin, &documents, "REFUSED"),
            (&part.record, &other, "REFUSED"),
        ];
        for (case, (record, documents, word)) in cases.into_iter().enumerate() {
            let name = format!("{number}.{case}");
            command.arg(write(&format!("{name}.ers"), record));
            let files = documents.iter().enumerate();
            let files = files.map(|(n, octets)| write(&format!("{name}.{n}"), octets));
            command.arg(files.collect::<Vec<_>>().join(":"));
            expected.push(word);
        }
    }
    assert!(expected.len() >= 6, "two objects at least");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said: Vec<_> = said
        .lines()
        .map(|line| line.split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(said, expected, "{output:?}");
}
