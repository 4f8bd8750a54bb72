//! Other people's programs check what we emit: Python and openssl, from the published formats alone.
//!
//! A missing program fails in CI and skips aloud elsewhere.

use crate::support::*;
use ceralacca::ingest::Submission;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::ObjectRecord;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The system's Python: the one its packages are installed for.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let quiet = command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Whether all these programs answer; if not, the test is skipped, or fails where CI is set.
pub(crate) fn are_there(needed: &[(&str, &[&str])]) -> bool {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(p, a)| !runs(p, a))
        .map(|(p, _)| *p)
        .collect();
    if missing.is_empty() {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "missing: {}",
        missing.join(", ")
    );
    println!("SKIPPED: missing {}", missing.join(", "));
    false
}

fn verify(key: &str, proof: &Path, content: Option<&Path>) -> Output {
    let mut command = Command::new(PYTHON);
    command
        .arg(folder().join("verify_proof.py"))
        .arg(key)
        .arg(proof)
        .args(content);
    command.output().unwrap()
}

/// The script's last word, and that its status agrees with it.
fn verdict(output: &Output) -> bool {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let last = text.lines().last().unwrap_or_default();
    let good = last.starts_with("OK ");
    assert!(good || last.starts_with("FAIL: "), "{output:?}");
    assert_eq!(
        output.status.code(),
        Some(if good { 0 } else { 1 }),
        "{output:?}"
    );
    good
}

#[test]
fn the_verifier_in_another_language_is_under_eighty_lines() {
    let text = std::fs::read_to_string(folder().join("verify_proof.py")).unwrap();
    assert!(text.lines().count() < 80);
    assert!(
        text.lines().all(|line| line.len() <= 120),
        "lines one can read"
    );
}

#[test]
fn python_and_openssl_accept_a_live_proof_and_refuse_every_altered_line() {
    if !are_there(&[(PYTHON, &["--version"]), ("openssl", &["version"])]) {
        return;
    }
    let test = TestLog::new();
    let log = test.open();
    for record in traces(1, 300) {
        ingest(&log)
            .record(Submission::trace(Class::Trace, record, None))
            .unwrap();
    }
    let bytes = b"ricevuta inventata".repeat(5000);
    let content = ingest(&log).content(Class::Receipt, bytes.clone()).unwrap();
    let object = Submission::object(
        Kind::Receipt,
        Class::Receipt,
        ObjectRecord::default(),
        content,
        None,
        None,
    );
    let object = ingest(&log).record(object).unwrap().records[0].leaf.seq;
    for record in traces(2, 77) {
        ingest(&log)
            .record(Submission::trace(Class::Trace, record, None))
            .unwrap();
    }
    let key = log.verifier().to_string();
    let state = log.reader().published();
    let files = tempfile::tempdir().unwrap();
    let proof = files.path().join("proof");
    let write = |text: &str| std::fs::write(&proof, text).unwrap();
    let text_of = |index| log.reader().proof(&state, index).unwrap().to_text();
    for index in [0, 1, 255, 256, 257, object.get(), state.tip.size.get() - 1] {
        write(&text_of(LeafIndex::new(index)));
        assert!(verdict(&verify(&key, &proof, None)), "record {index}");
    }
    let text = text_of(object);
    write(&text);
    let content = files.path().join("content");
    std::fs::write(&content, &bytes).unwrap();
    assert!(verdict(&verify(&key, &proof, Some(&content))));
    std::fs::write(&content, &bytes[1..]).unwrap();
    assert!(
        !verdict(&verify(&key, &proof, Some(&content))),
        "another content"
    );
    let lines: Vec<&str> = text.lines().collect();
    for number in 0..lines.len() {
        for (what, twin) in twins(&lines, number) {
            write(&twin);
            assert!(
                !verdict(&verify(&key, &proof, None)),
                "line {number} {what}:\n{twin}"
            );
        }
    }
    let other = log.verifier().to_string().replace("pec.", "pek.");
    write(&text);
    assert!(!verdict(&verify(&other, &proof, None)), "another key");
}

/// The file with one line changed in one character, missing, or there twice.
fn twins(lines: &[&str], number: usize) -> Vec<(&'static str, String)> {
    let with = |replacement: &[&str]| {
        let mut twin = lines.to_vec();
        twin.splice(number..=number, replacement.iter().copied());
        twin.join("\n") + "\n"
    };
    let line = lines[number];
    let mut changed = line.to_owned();
    match line.char_indices().nth(line.chars().count() / 2) {
        Some((at, c)) => {
            changed.replace_range(at..at + c.len_utf8(), if c == 'A' { "B" } else { "A" })
        }
        None => changed.push('A'),
    }
    let mut twins = vec![("altered", with(&[&changed])), ("missing", with(&[]))];
    // A signature may stand there twice: it is the same good one.
    if number + 1 < lines.len() {
        twins.push(("repeated", with(&[line, line])));
    }
    twins
}

#[test]
fn every_golden_vector_is_recomputed_in_another_language() {
    let cryptography: &[&str] = &["-c", "import cryptography"];
    if !are_there(&[
        (PYTHON, cryptography),
        ("openssl", &["version"]),
        ("b3sum", &["--version"]),
    ]) {
        return;
    }
    let output = Command::new(PYTHON)
        .arg(folder().join("check_vectors.py"))
        .arg(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.trim_end().ends_with(", 0 failed"), "{text}");
}
