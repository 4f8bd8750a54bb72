//! The corpus of the fuzz targets, run without a fuzzer; what is made to hurt; and the making of the corpus.
#![forbid(unsafe_code)]

mod hostile;
#[path = "../judge/make.rs"]
#[expect(dead_code, reason = "shared with the tests of judging")]
mod make;
#[path = "../judge/respond.rs"]
#[expect(dead_code, reason = "shared with the tests of judging")]
mod respond;
mod seeds;
mod targets;

use std::path::{Path, PathBuf};

/// A target and its name.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 8] = [
    ("reader", targets::reader),
    ("mime", targets::mime),
    ("daticert", targets::daticert),
    ("cms", targets::cms),
    ("trust", targets::trust),
    ("ldif", targets::ldif),
    ("logs", targets::logs),
    ("rem", targets::rem),
];

/// The most that is committed of the corpus of all targets together.
const CORPUS_BYTES_MAX: usize = 1_000_000;

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
            let step = (bytes.len() / 16).max(1);
            for at in (0..bytes.len()).step_by(step) {
                target(&bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                target(&changed);
            }
        }
    }
}

#[test]
fn the_corpus_is_small_and_each_target_has_one() {
    let folders = std::fs::read_dir(fuzz_folder().join("corpus")).unwrap();
    // The others are held to their list where their functions are.
    let is_ours = |name: &String| {
        let target = fuzz_folder().join(format!("fuzz_targets/{name}.rs"));
        let text = std::fs::read_to_string(target).unwrap();
        text.contains("../../pec/tests/corpus/targets.rs")
    };
    let mut folders: Vec<String> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(is_ours)
        .collect();
    folders.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(folders, names);
    let files = names.iter().flat_map(|name| corpus(name));
    let octets: usize = files.map(|(_, bytes)| bytes.len()).sum();
    assert!(octets <= CORPUS_BYTES_MAX, "{octets}");
    for name in names {
        let target = fuzz_folder().join(format!("fuzz_targets/{name}.rs"));
        let text = std::fs::read_to_string(target).unwrap();
        assert!(text.contains(&format!("targets::{name}(data)")), "{name}");
    }
}

#[test]
fn the_fixed_message_is_trusted_by_its_root() {
    use ceralacca_pec::judge::{Level, Material, Times, Trust, judge};
    let file = |name: &str| std::fs::read(fuzz_folder().join("fixed").join(name)).unwrap();
    let material = Material {
        anchors: vec![file("root.der")],
        ..Material::default()
    };
    let reading = ceralacca_pec::read(&file("message.eml"));
    let verdict = judge(&reading, &Trust::new(material).unwrap(), Times::default());
    assert_eq!(
        verdict.level,
        Level::IntegralTrusted,
        "{:?}",
        verdict.grounds
    );
}
