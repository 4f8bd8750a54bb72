//! An interval map, judged by a program in another language.

use crate::foreign::are_there;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::map::{MapFile, MapKey, MapSaltDigest, MapValue, MapWriter};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Command;

const PYTHON: &str = "/usr/bin/python3";

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/check_map.py")
}

/// The script's last word, which agrees with its status.
fn is_good(arguments: &[String]) -> bool {
    let output = Command::new(PYTHON).arg(script()).args(arguments).output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    let good = said.starts_with("OK: ");
    assert!(good || said.starts_with("FAIL: "), "{output:?}");
    assert_eq!(output.status.code(), Some(i32::from(!good)), "{output:?}");
    good
}

#[test]
fn the_checker_in_another_language_is_under_eighty_lines() {
    let text = std::fs::read_to_string(script()).unwrap();
    assert!(text.lines().count() < 80);
    assert!(
        text.lines().all(|line| line.len() <= 120),
        "lines one can read"
    );
}

#[test]
fn a_map_and_its_proofs_are_checked_in_another_language_and_damaged_twins_refused() {
    if !are_there(&[(PYTHON, &["--version"])]) {
        return;
    }
    let salt = [9; 32];
    let key = |n: u32| MapKey::of_identificativo(&salt, format!("opec{n}@pec.example").as_bytes());
    let value = |n: u32| MapValue::from_bytes(*Sha256::of(&n.to_be_bytes()).as_bytes());
    let mut entries: Vec<_> = (0..300).map(|n| (key(n), value(n))).collect();
    entries.sort();
    let mut bytes = Vec::new();
    let sink = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    };
    let mut writer = MapWriter::new(&MapSaltDigest::of(&salt), 3, sink).unwrap();
    for (key, value) in entries {
        writer.push(key, value).unwrap();
    }
    let (_, root) = writer.finish().unwrap();
    let read = |at: u64, length: usize| {
        let at = usize::try_from(at).unwrap();
        Ok::<_, Infallible>(bytes[at..at + length].to_vec())
    };
    let file = MapFile::open(bytes.len() as u64, read).unwrap();
    let present = file.prove(&key(7), read).unwrap().to_bytes();
    let absent = file.prove(&key(300), read).unwrap().to_bytes();

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (map, here, gone) = (
        write("map", &bytes),
        write("present", &present),
        write("absent", &absent),
    );
    let (root, seven, other) = (root.to_string(), key(7).to_string(), key(300).to_string());
    let words = |words: &[&String]| words.iter().map(|word| (*word).clone()).collect::<Vec<_>>();
    assert!(is_good(&words(&[
        &map, &root, &seven, &here, &other, &gone
    ])));

    let damaged = |bytes: &[u8], at: usize, name: &str| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        write(name, &bytes)
    };
    // A value, a stored node, and a start.
    for at in [48 + 40, bytes.len() - 8 * 9 - 5, bytes.len() - 9] {
        let twin = damaged(&bytes, at, "twin");
        assert!(!is_good(&words(&[&twin, &root])), "octet {at}");
    }
    let twin = damaged(&present, present.len() - 1, "twin");
    assert!(!is_good(&words(&[&map, &root, &seven, &twin])));
    let twin = damaged(&absent, 40, "twin");
    assert!(!is_good(&words(&[&map, &root, &other, &twin])));
    assert!(!is_good(&words(&[&map, &root, &seven, &gone])));
}
