//! The corpus of the fuzz targets of evidence and of what a package holds, run without a fuzzer; and its making.
#![forbid(unsafe_code)]

mod seeds;
mod targets;

use ceralacca_evidence::ers::EvidenceRecord;
use ceralacca_formats::catalogue::Catalogue;
use ceralacca_formats::log_file::{Head, Line};
use ceralacca_formats::map::MapProof;
use std::path::{Path, PathBuf};

/// A target and its name.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("ers", targets::ers),
    ("stamp", targets::stamp),
    ("map", targets::map),
    ("package", targets::package),
    ("log_file", targets::log_file),
];

/// The most that is committed of the corpus of these targets together.
const CORPUS_BYTES_MAX: usize = 300_000;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz_folder().join("corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn every_file_of_the_corpus_holds_whole_cut_off_and_changed() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(files.len() >= 3, "{name}: a corpus of {}", files.len());
        for (path, bytes) in files {
            // Shown by the test harness where it panics.
            println!("{}", path.display());
            target(&bytes);
            let step = (bytes.len() / 64).max(1);
            for at in (0..bytes.len()).step_by(step) {
                target(&bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                target(&changed);
            }
        }
    }
}

/// An example, without the octet that the target reads first.
fn example(target: &str, name: &str) -> Vec<u8> {
    let path = fuzz_folder().join("corpus").join(target).join(name);
    std::fs::read(path).unwrap().split_off(1)
}

#[test]
fn the_valid_examples_hold_and_the_damaged_ones_do_not() {
    for (name, stamps) in [
        ("alone", 1),
        ("renewed", 2),
        ("renewed-both-ways", 3),
        ("group-with-siblings", 1),
    ] {
        let record = EvidenceRecord::from_der(&example("ers", name)).unwrap();
        let verified = targets::verified(&record, targets::FILE).unwrap();
        assert_eq!(verified.stamps.len(), stamps, "{name}");
    }
    for name in ["another-document", "renewed-at-once"] {
        let record = EvidenceRecord::from_der(&example("ers", name)).unwrap();
        assert!(targets::verified(&record, targets::FILE).is_err(), "{name}");
    }
    let answered = |name: &str| {
        let found = targets::checked(&targets::asked(), &example("stamp", name));
        found.map_or_else(|error| error.code(), |_| "good")
    };
    let found = [
        "answer",
        "answer-later",
        "answer-replayed",
        "answer-of-another-imprint",
        "answer-policy-refused",
        "answer-failure",
    ]
    .map(answered);
    let expected = [
        "good",
        "time-apart",
        "nonce-differs",
        "imprint-differs",
        "request-rejected",
        "authority-unavailable",
    ];
    assert_eq!(found, expected);
    for (name, number, is_present) in [("presence", 7, true), ("absence", 1000, false)] {
        let (key, value) = targets::entry(number);
        let proven = |name: &str| {
            let proof = MapProof::from_bytes(&example("map", name)).unwrap();
            proof.verify(targets::map_root(), &key)
        };
        let proof = format!("proof-of-{name}");
        assert_eq!(proven(&proof), Ok(Some(value).filter(|_| is_present)));
        assert!(proven(&format!("{proof}-turned-round")).is_err());
    }
    let lines = std::fs::read(fuzz_folder().join("corpus/log_file/three-records")).unwrap();
    let lines = lines.strip_suffix(b"\n").unwrap();
    let mut lines = lines.split(|octet| *octet == b'\n');
    assert!(Head::parse(lines.next().unwrap()).is_ok());
    assert_eq!(lines.filter(|line| Line::parse(line).is_ok()).count(), 3);
    let catalogue = |name: &str| Catalogue::parse(&example("package", name));
    assert_eq!(catalogue("catalogue").unwrap().files.len(), 2);
    for name in ["out-of-order", "that-leaves", "spaced"] {
        assert_eq!(catalogue(&format!("catalogue-{name}")), None);
    }
}

#[test]
fn the_corpus_is_small_and_every_folder_of_it_is_of_a_target_that_a_test_runs() {
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    let mut ours = Vec::new();
    for entry in std::fs::read_dir(fuzz_folder().join("corpus")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let target = fuzz_folder().join(format!("fuzz_targets/{name}.rs"));
        let text = std::fs::read_to_string(target).unwrap();
        assert!(text.contains(&format!("targets::{name}(data)")), "{name}");
        // Those of pec are held to their list there.
        match text.contains("../../evidence/tests/corpus/targets.rs") {
            true => ours.push(name),
            false => assert!(text.contains("../../pec/tests/corpus/targets.rs"), "{name}"),
        }
    }
    ours.sort();
    let mut expected = names.clone();
    expected.sort_unstable();
    assert_eq!(ours, expected);
    let files = names.iter().flat_map(|name| corpus(name));
    let octets: usize = files.map(|(_, bytes)| bytes.len()).sum();
    assert!(octets <= CORPUS_BYTES_MAX, "{octets}");
}
