//! The built program: statuses, the one line of a failure, and what it leaves alone.

use crate::support::program::{cannot, out, status};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the program in a folder.
fn ceralacca(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ceralacca"))
        .args(arguments)
        .current_dir(folder)
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap()
}

const INIT: [&str; 9] = [
    "init",
    "--data",
    "data",
    "--log",
    "gestore-1",
    "--origin",
    "pec.example.test/log",
    "--master-key",
    "master.key",
];
const FSCK: [&str; 7] = [
    "fsck",
    "--data",
    "data",
    "--log",
    "gestore-1",
    "--master-key",
    "master.key",
];
const FSCK_DEMO: [&str; 7] = [
    "fsck",
    "--data",
    "demo/data",
    "--log",
    "demo",
    "--master-key",
    "demo/master.key",
];

/// A demo of few records in a folder of its own, and its verifier key.
fn demo() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = ceralacca(folder.path(), &["demo", "--transactions", "40"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let key = std::fs::read_to_string(folder.path().join("demo/verifier.key")).unwrap();
    (folder, key.trim_end().to_owned())
}

fn database(folder: &Path) -> PathBuf {
    folder.join("demo/data/logs/demo/db")
}

/// Every file below a folder, with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn init_makes_a_log_and_its_key_once_and_prints_the_verifier_key() {
    let folder = tempfile::tempdir().unwrap();
    let made = ceralacca(folder.path(), &INIT);
    assert_eq!(status(&made), 0, "{made:?}");
    let verifier = out(&made);
    assert!(verifier.starts_with("pec.example.test/log+"), "{verifier}");
    assert_eq!(verifier.lines().count(), 1);
    let json = ceralacca(
        folder.path(),
        &[
            "init",
            "--json",
            "--data",
            "altro",
            "--log",
            "b",
            "--origin",
            "pec.example.test/b",
            "--master-key",
            "master.key",
        ],
    );
    let json: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(
        (&json["log"], &json["master_key_made"]),
        (&"b".into(), &false.into())
    );
    let key = folder.path().join("master.key");
    let text = std::fs::read_to_string(&key).unwrap();
    assert_eq!(text.len(), 65);
    assert!(text.trim_end().bytes().all(|c| c.is_ascii_hexdigit()));
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        status(&ceralacca(folder.path(), &FSCK)),
        0,
        "a new log is clean"
    );
    cannot(
        &ceralacca(folder.path(), &INIT),
        "there is a log already in data/logs/gestore-1",
    );
    // A second log under the same key; the key is not made again.
    let mut second = INIT;
    (second[4], second[6]) = ("gestore-2", "pec2.example.test/log");
    assert_eq!(status(&ceralacca(folder.path(), &second)), 0);
    assert_eq!(std::fs::read_to_string(&key).unwrap(), text);
}

#[test]
fn a_master_key_inside_the_data_directory_is_refused_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("data", folder.path().join("link")).unwrap();
    for inside in [
        "data/master.key",
        "./elsewhere/../data/x/master.key",
        "data",
    ] {
        let mut init = INIT;
        init[8] = inside;
        cannot(
            &ceralacca(folder.path(), &init),
            "is inside the data directory",
        );
    }
    assert!(!folder.path().join("data").exists());
    // Through a link as well.
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let mut init = INIT;
    init[8] = "link/master.key";
    cannot(
        &ceralacca(folder.path(), &init),
        "is inside the data directory",
    );
    assert_eq!(contents(folder.path()), []);
}

#[test]
fn a_master_key_that_is_none_or_open_to_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(status(&ceralacca(folder.path(), &INIT)), 0);
    let key = folder.path().join("master.key");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    cannot(
        &ceralacca(folder.path(), &FSCK),
        "is open to others (mode 0644)",
    );
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    for text in ["", "00", &"0".repeat(66), &"g".repeat(64)] {
        std::fs::write(&key, text).unwrap();
        cannot(
            &ceralacca(folder.path(), &FSCK),
            "is not 64 hexadecimal digits",
        );
    }
    std::fs::write(&key, "0".repeat(64)).unwrap();
    cannot(&ceralacca(folder.path(), &FSCK), "wrong master key");
    std::fs::remove_file(&key).unwrap();
    cannot(
        &ceralacca(folder.path(), &FSCK),
        "open master key master.key",
    );
}

#[test]
fn wrong_use_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| ceralacca(folder.path(), arguments);
    cannot(&run(&[]), "no command given");
    cannot(&run(&["sigilla"]), "unrecognized subcommand");
    cannot(&run(&["verify", "proof"]), "read proof proof");
    cannot(
        &run(&["verify", "proof", "--key", "chiave"]),
        "verifier key is malformed",
    );
    cannot(&run(&FSCK), "open master key");
    let mut init = INIT;
    init[4] = "../altrove";
    cannot(&run(&init), "log id is not a lower-case label");
    init[4] = "a\n\u{1b}[2J";
    cannot(&run(&init), "log id is not a lower-case label");
    assert_eq!(status(&run(&INIT)), 0);
    let mut fsck = FSCK;
    fsck[4] = "gestore-9";
    cannot(&run(&fsck), "no log in data/logs/gestore-9");
    std::fs::rename(
        folder.path().join("data/logs/gestore-1"),
        folder.path().join("data/logs/gestore-9"),
    )
    .unwrap();
    cannot(&run(&fsck), "calls itself gestore-1");
    for help in [&["--help"][..], &["--version"], &["fsck", "--help"]] {
        let output = run(help);
        assert_eq!((status(&output), output.stderr.is_empty()), (0, true));
    }
}

#[test]
fn fsck_of_a_clean_log_says_so_and_changes_nothing() {
    let (folder, _) = demo();
    let data = folder.path().join("demo/data");
    let before = contents(&data);
    let text = ceralacca(folder.path(), &FSCK_DEMO);
    assert_eq!(status(&text), 0);
    assert!(out(&text).contains("Log demo is clean."), "{text:?}");
    let json = ceralacca(folder.path(), &[&FSCK_DEMO[..], &["--json"]].concat());
    assert_eq!(status(&json), 0);
    let report: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    // The writer's epoch; each message with the trace record of its facts; transaction, search twice, proof
    // and reissue, each a disclosure of two leaves.
    let mails = std::fs::read_dir(folder.path().join("demo/mail")).unwrap();
    assert_eq!(report["leaves"], 1 + 2 * mails.count() + 2 * 5);
    assert_eq!(
        (&report["clean"], &report["damaged"]),
        (&true.into(), &0.into())
    );
    // The engine writes a journal of its own doings; nothing else is touched.
    let journal = |(path, _): &(PathBuf, Vec<u8>)| {
        !path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("LOG")
    };
    let kept =
        |files: Vec<(PathBuf, Vec<u8>)>| files.into_iter().filter(journal).collect::<Vec<_>>();
    assert!(
        kept(before) == kept(contents(&data)),
        "fsck changed the log"
    );
}

#[test]
fn fsck_of_a_damaged_log_ends_with_status_1_and_names_the_damage() {
    let (folder, _) = demo();
    let outside = folder.path().join("demo/data/logs/demo/checkpoint");
    let good = std::fs::read(&outside).unwrap();
    let mut bad = good.clone();
    bad[40] ^= 1;
    std::fs::write(&outside, &bad).unwrap();
    let text = ceralacca(folder.path(), &FSCK_DEMO);
    assert_eq!(status(&text), 1, "{text:?}");
    assert!(
        out(&text).contains("damaged: ") && out(&text).contains("is DAMAGED in one place"),
        "{text:?}"
    );
    let json = ceralacca(folder.path(), &[&FSCK_DEMO[..], &["--json"]].concat());
    assert_eq!(status(&json), 1);
    let report: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(
        (&report["clean"], &report["damaged"]),
        (&false.into(), &1.into())
    );
    std::fs::remove_file(&outside).unwrap();
    let missing = ceralacca(folder.path(), &FSCK_DEMO);
    assert_eq!(status(&missing), 1);
    assert!(
        out(&missing).contains("checkpoint beside the database: is missing"),
        "{missing:?}"
    );
    std::fs::write(&outside, &good).unwrap();
    assert_eq!(status(&ceralacca(folder.path(), &FSCK_DEMO)), 0);
}

#[test]
fn a_database_that_does_not_open_is_damaged_too() {
    let (folder, _) = demo();
    let database = database(folder.path());
    let wal = contents(&database).into_iter().rfind(|(path, bytes)| {
        path.extension().is_some_and(|e| e == "log") && bytes.len() > 10_000
    });
    let (path, good) = wal.expect("a log that was not flushed");
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 0x40;
    std::fs::write(&path, bad).unwrap();
    assert_eq!(status(&ceralacca(folder.path(), &FSCK_DEMO)), 1);
    std::fs::write(&path, &good).unwrap();
    assert_eq!(status(&ceralacca(folder.path(), &FSCK_DEMO)), 0);
    for missing in ["CURRENT", "MANIFEST"] {
        let (path, bytes) = contents(&database)
            .into_iter()
            .find(|(path, _)| {
                path.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(missing)
            })
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        let output = ceralacca(folder.path(), &FSCK_DEMO);
        assert_eq!(status(&output), 1, "without {missing}: {output:?}");
        std::fs::write(&path, bytes).unwrap();
    }
    std::fs::remove_dir_all(&database).unwrap();
    assert_eq!(status(&ceralacca(folder.path(), &FSCK_DEMO)), 1);
}

#[test]
fn a_log_in_use_is_not_checked() {
    let (folder, _) = demo();
    let lock = std::fs::File::open(folder.path().join("demo/data/logs/demo/lock")).unwrap();
    lock.try_lock().unwrap();
    cannot(
        &ceralacca(folder.path(), &FSCK_DEMO),
        "in use by another process",
    );
    // Several may read.
    lock.unlock().unwrap();
    lock.try_lock_shared().unwrap();
    assert_eq!(status(&ceralacca(folder.path(), &FSCK_DEMO)), 0);
}

#[test]
fn verify_passes_a_proof_and_names_the_check_that_fails() {
    let (folder, key) = demo();
    let verify = |file: &str, more: &[&str]| {
        ceralacca(
            folder.path(),
            &[&["verify", file, "--key", &key], more].concat(),
        )
    };
    let good = verify("demo/receipt.tlog-proof", &[]);
    assert_eq!((status(&good), good.stderr.is_empty()), (0, true));
    assert_eq!(
        out(&good)
            .lines()
            .filter(|line| line.starts_with("ok  "))
            .count(),
        5
    );
    assert!(
        out(&good).ends_with("VERIFIED.\n") && out(&good).contains("message_id"),
        "{good:?}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&out(&verify("demo/receipt.tlog-proof", &["--json"]))).unwrap();
    assert_eq!(
        (&json["verified"], &json["kind"]),
        (&true.into(), &"receipt".into())
    );
    let bad = verify("demo/altered.tlog-proof", &[]);
    assert_eq!(status(&bad), 1);
    assert!(
        out(&bad).contains("FAILED     the leaf commits") && out(&bad).contains("NOT VERIFIED"),
        "{bad:?}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&out(&verify("demo/altered.tlog-proof", &["--json"]))).unwrap();
    assert_eq!(
        (&json["verified"], &json["checks"][3]["ended"]),
        (&false.into(), &"not tried".into())
    );
    cannot(
        &verify("demo/absent.tlog-proof", &[]),
        "read proof demo/absent.tlog-proof",
    );
    // A folder is a package given again; this one is none.
    let folder = verify("demo", &[]);
    assert_eq!(status(&folder), 1, "{folder:?}");
    assert!(out(&folder).contains("NOT VERIFIED"), "{folder:?}");
}

#[test]
fn verify_answers_no_to_hostile_files_and_never_panics() {
    let (folder, key) = demo();
    let good = std::fs::read(folder.path().join("demo/receipt.tlog-proof")).unwrap();
    let mut hostile: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0; 1 << 20],
        vec![b'\n'; 1 << 20],
        vec![0xff; 100],
        b"c2sp.org/tlog-proof@v1\nextra \nindex 18446744073709551615\n\n\n\n".to_vec(),
        [&good[..], &good].concat(),
        [good.clone(), vec![b'A'; 17 << 20]].concat(),
    ];
    hostile.extend((0..good.len()).step_by(97).map(|end| good[..end].to_vec()));
    let path = folder.path().join("hostile");
    for (number, bytes) in hostile.iter().enumerate() {
        std::fs::write(&path, bytes).unwrap();
        let output = ceralacca(folder.path(), &["verify", "hostile", "--key", &key]);
        assert_eq!(status(&output), 1, "file {number}: {output:?}");
        assert!(
            output.stderr.is_empty() && out(&output).contains("NOT VERIFIED"),
            "file {number}"
        );
    }
}

#[test]
fn a_closed_standard_output_is_an_error_and_no_panic() {
    let (folder, key) = demo();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_ceralacca"))
        .args(["verify", "demo/receipt.tlog-proof", "--key", &key])
        .current_dir(folder.path())
        .stdout(writer)
        .output()
        .unwrap();
    cannot(&output, "Broken pipe");
}

#[test]
fn the_demo_replaces_a_former_one_and_touches_no_other_folder() {
    let (folder, key) = demo();
    std::fs::write(folder.path().join("demo/note.txt"), "mine").unwrap();
    let again = ceralacca(folder.path(), &["demo", "--transactions", "2"]);
    assert_eq!(status(&again), 0, "{again:?}");
    let other = std::fs::read_to_string(folder.path().join("demo/verifier.key")).unwrap();
    assert_ne!(other.trim_end(), key);
    assert_eq!(
        std::fs::read(folder.path().join("demo/note.txt")).unwrap(),
        b"mine"
    );
    let mine = folder.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("verifier.key"), "x").unwrap();
    cannot(
        &ceralacca(folder.path(), &["demo", "--dir", "mine"]),
        "not empty and not a former demo",
    );
    assert_eq!(
        contents(&mine),
        [(mine.join("verifier.key"), b"x".to_vec())]
    );
}

#[test]
fn the_demo_says_how_to_repeat_its_check_and_it_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let output = ceralacca(
        folder.path(),
        &["demo", "--dir", "la mia prova", "--transactions", "5"],
    );
    assert_eq!(status(&output), 0, "{output:?}");
    let text = out(&output);
    let command = text
        .lines()
        .find(|line| line.contains(" verify '") && !line.contains("$ "))
        .unwrap();
    let again = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(status(&again), 0, "{again:?}");
    assert!(
        text.lines()
            .any(|line| line.starts_with("python3 tests/conformance/verify_proof.py "))
    );
}
