//! The lines of `LEGGIMI.txt`, run as they stand, by form and kind of package; and `verify` over the same.

use super::*;
use crate::conformance::{PYTHON, are_there};
use crate::support::program::{out, status};
use ceralacca::ingest::Submission;
use ceralacca::seal::RenewalRules;
use ceralacca_evidence::asic::{Container, Files};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::renewal::RenewalKind;
use ceralacca_pages::model::Kind;
use std::io::Cursor;

/// After the last renewal here, and while every certificate holds.
const AT: &str = "2026-03-01T00:00:00Z";
const ANCHORS: [&str; 4] = ["--key", "log.vkey", "--roots", "roots.pem"];

fn tools() -> bool {
    let needed: [(&str, &[&str]); 5] = [
        ("openssl", &["version"]),
        ("unzip", &["-v"]),
        ("sha256sum", &["--version"]),
        ("sh", &["-c", "true"]),
        (PYTHON, &["-c", ""]),
    ];
    are_there(&needed)
}

/// Puts a package where its text expects it: its files beside, in a folder of its name.
fn laid_out(court: &Court, made: &Made) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(made, folder.path());
    let (name, _) = made.name.rsplit_once('.').unwrap();
    let within = folder.path().join(name);
    let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
    for file in container.names() {
        let path = within.join(&file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, container.read(&file, 1 << 24).unwrap()).unwrap();
    }
    (folder, within)
}

/// The text of a package.
fn text(within: &Path) -> String {
    std::fs::read_to_string(within.join("LEGGIMI.txt")).unwrap()
}

/// Runs the very lines, one after the other, stopping at the first that fails.
fn script(folder: &Path, within: &Path) -> Output {
    // A copy: the package's own is unpacked again by its lines.
    let path = folder.join("righe.sh");
    std::fs::write(&path, text(within)).unwrap();
    let mut command = Command::new("sh");
    command.current_dir(folder).args(["-e", "righe.sh"]);
    command.output().unwrap()
}

/// That the lines and `verify` accept a package in every way it may lie, and neither a damaged twin.
#[track_caller]
fn is_good(court: &Court, made: &Made, as_folder: bool, what: &str) {
    let (folder, within) = laid_out(court, made);
    let lying = within.file_name().unwrap().to_str().unwrap();
    for package in [made.name.as_str(), lying] {
        let output = verify_at(folder.path(), package, AT, &ANCHORS);
        assert_eq!(status(&output), 0, "{what} {package}: {}", out(&output));
        let json = [&ANCHORS[..], &["--json"]].concat();
        let output = verify_at(folder.path(), package, AT, &json);
        assert_eq!(status(&output), 0, "{what} {package}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["verified"], true, "{what} {package}");
        assert_eq!(json["failed"], 0, "{what} {package}");
        assert!(json["checks"][0]["checks"].as_array().unwrap().len() > 3);
    }
    if !tools() {
        return;
    }
    let output = script(folder.path(), &within);
    let said = out(&output) + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
    assert!(said.contains("manifesti esatti"), "{what}: {said}");
    assert!(said.contains("OK record"), "{what}: {said}");
    // One octet of the first file of the package.
    let first = made.report.files.first().unwrap().name.clone();
    let damaged = match as_folder {
        true => within.join(&first),
        false => folder.path().join(&made.name),
    };
    let mut octets = std::fs::read(&damaged).unwrap();
    let at = octets.len().min(400) / 2;
    octets[at] ^= 1;
    std::fs::write(&damaged, octets).unwrap();
    assert!(
        !script(folder.path(), &within).status.success(),
        "{what}: a damaged twin"
    );
    let package = match as_folder {
        true => lying,
        false => &made.name,
    };
    let output = verify_at(folder.path(), package, AT, &ANCHORS);
    assert_eq!(status(&output), 1, "{what}");
}

#[test]
fn the_lines_of_a_duplicato_run_in_every_form_and_language() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    for (form, as_folder, language) in [
        (Form::AsicE, false, Language::It),
        (Form::Zip, false, Language::It),
        (Form::Zip, true, Language::En),
    ] {
        let asked = Wanted {
            form,
            as_folder,
            language,
            ..of_transaction(&transaction)
        };
        let made = court.made(&asked);
        assert!(made.report.kind == Kind::Duplicato);
        is_good(&court, &made, as_folder, &format!("{form:?} {as_folder}"));
    }
}

#[test]
fn the_lines_of_an_attestazione_run_in_every_form_and_language() {
    let court = Court::new();
    let trace = crate::support::traces(7, 1).remove(0);
    let identificativo = trace.identificativo.clone().unwrap();
    let submission = Submission::trace(Class::Trace, trace, None);
    ingest(&court.log).record(submission).unwrap();
    court.seal();
    let term = String::from_utf8(identificativo.as_bytes().to_vec()).unwrap();
    for (form, as_folder, language) in [
        (Form::AsicE, false, Language::It),
        (Form::Zip, false, Language::En),
        (Form::Zip, true, Language::It),
    ] {
        let asked = Wanted {
            form,
            as_folder,
            language,
            ..wanted(Field::Identificativo, &term)
        };
        let made = court.made(&asked);
        assert!(made.report.kind == Kind::Attestazione);
        is_good(&court, &made, as_folder, &format!("attestazione {form:?}"));
    }
}

#[test]
fn the_lines_of_a_package_with_renewals_run() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    // So that openssl, which reads the clock, finds the certificates valid: the hash ends, not they.
    let mut rules = RenewalRules::default();
    let mut rows = rules.table.rows.iter_mut();
    let end = i64::try_from(court.test.clock.now() + 100 * DAY_MS).unwrap();
    let end = chrono::DateTime::from_timestamp_millis(end).unwrap();
    rows.find(|row| row.algorithm == "SHA-256").unwrap().end = Some(end.date_naive());
    court.test.clock.pass(60 * DAY_MS);
    let mut kinds = Vec::new();
    while let Some(renewed) = court
        .log
        .renew_next(&rules, &*court.sealing.tsa, &Probe::default())
        .unwrap()
    {
        kinds.push(renewed.record.kind);
    }
    assert!(kinds.contains(&RenewalKind::HashTree), "{kinds:?}");
    let made = court.made(&of_transaction(&transaction));
    let renewals: usize = made.report.intervals.iter().map(|i| i.renewals.len()).sum();
    assert!(renewals > 0);
    is_good(&court, &made, false, "renewed");
}

#[test]
fn what_is_no_package_or_is_told_wrongly_has_an_exit_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vuoto.asice"), b"").unwrap();
    std::fs::create_dir(folder.path().join("vuota")).unwrap();
    for package in ["vuoto.asice", "vuota"] {
        let output = verify_with(folder.path(), package, &[]);
        assert_eq!(status(&output), 1, "{package}: {}", out(&output));
        assert!(out(&output).contains("FAILED"), "{package}");
    }
    for (package, arguments) in [
        ("non-esiste.asice", &[][..]),
        ("vuota", &["--roots", "non-esiste.pem"]),
        ("vuota", &["--key", "nessuna"]),
    ] {
        let output = verify_with(folder.path(), package, arguments);
        assert_eq!(status(&output), 2, "{package} {arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!error.is_empty() && output.stdout.is_empty(), "{package}");
    }
}
