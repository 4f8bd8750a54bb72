//! A package fetched over the wire, verified offline by the shipped program; and every twin that is not it, refused.

use crate::support::DAY_MS;
use crate::support::program::{cannot, out, status};
use crate::support::sealing::{Sealing, closed_days};
use crate::support::tls::Installation;
use ceralacca::ambient::SystemClock;
use ceralacca::verification::{self, Given, report::Ended, report::Report};
use ceralacca_formats::catalogue::Catalogue;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_pec::judge::{Material, Trust};
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const LOG: &str = "gestore-1";

/// Two packages of one log, fetched; what they are verified with.
struct House {
    folder: tempfile::TempDir,
    sealing: Sealing,
    key: VerifierKey,
    closed: Vec<IntervalId>,
}

impl House {
    fn dir(&self, number: usize) -> PathBuf {
        self.folder.path().join(self.closed[number].to_string())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        let command = command.args(arguments).current_dir(self.folder.path());
        command.output().unwrap()
    }

    /// Verifies a folder with everything there is to verify with, as the successor of the first package.
    fn verify(&self, dir: &Path) -> Report {
        self.verify_with(dir, false)
    }

    fn verify_with(&self, dir: &Path, partial: bool) -> Report {
        let anchors = vec![self.sealing.root.clone()];
        let material = Material {
            anchors: anchors.clone(),
            ..Material::default()
        };
        let given = Given {
            keys: Some(KeyChain::new(self.key.clone())),
            anchors: Some(anchors),
            seal: Some(Trust::new(material).unwrap()),
            previous: Some(self.dir(0)),
            partial,
            maps: true,
            clock: &SystemClock::default(),
        };
        verification::verify(dir, &given).unwrap()
    }

    /// A copy of the second package, to be spoilt.
    fn copy(&self) -> tempfile::TempDir {
        let to = tempfile::tempdir().unwrap();
        copy(&self.dir(1), to.path());
        to
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let installation = Installation::plain(&[LOG], "");
        let (sealing, closed) = closed_days(&installation.log(LOG), &[60, 700]);
        assert_eq!(closed[0].get() + DAY_MS, closed[1].get());
        let key = installation.verifier(LOG).clone();
        let folder = tempfile::tempdir().unwrap();
        let served = installation.serve();
        let fetch = |interval: &str| {
            let arguments = [
                "fetch-interval",
                "--json",
                "--interval",
                interval,
                "--dir",
                interval,
            ];
            let output = served.command(folder.path(), &arguments).output().unwrap();
            assert_eq!(status(&output), 0, "{output:?}");
            serde_json::from_str::<Value>(&out(&output)).unwrap()
        };
        for interval in &closed {
            let interval = interval.to_string();
            let first = fetch(&interval);
            assert_eq!(first["kept"], 0);
            assert!(first["files"].as_u64().unwrap() > 20, "{first}");
            // What a run that broke off did not bring is brought by the next, and nothing else.
            let gone = folder.path().join(&interval).join("log-trace-0001.jsonl");
            let octets = std::fs::read(&gone).unwrap();
            std::fs::remove_file(&gone).unwrap();
            let second = fetch(&interval);
            assert_eq!(
                (&second["files"], &second["kept"]),
                (&1.into(), &(first["files"].as_u64().unwrap() - 1).into())
            );
            assert_eq!(std::fs::read(&gone).unwrap(), octets);
            // What is there and is another file stays, and stops it.
            std::fs::write(&gone, b"altro").unwrap();
            let arguments = [
                "fetch-interval",
                "--interval",
                &interval,
                "--dir",
                &interval,
            ];
            let output = served.command(folder.path(), &arguments).output().unwrap();
            cannot(&output, "is there, and is another file");
            std::fs::write(&gone, octets).unwrap();
        }
        let table = served
            .command(folder.path(), &["intervals"])
            .output()
            .unwrap();
        let table = out(&table);
        assert_eq!(table.lines().count(), 1 + closed.len() + 1, "{table}");
        assert!(
            table.contains("CLOSED") && table.contains("OPEN"),
            "{table}"
        );
        let lines = served
            .command(folder.path(), &["intervals", "--json"])
            .output()
            .unwrap();
        let lines = out(&lines);
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&first["interval_ms"], &first["state"]),
            (&closed[0].get().into(), &"CLOSED".into())
        );
        House {
            folder,
            sealing,
            key,
            closed,
        }
    })
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    found
}

/// What is red, in one line.
fn red(report: &Report) -> String {
    let checks = report.checks.iter().filter_map(|check| match &check.ended {
        Ended::Badly(why) => Some(format!("{} / {}: {why}", check.group, check.what)),
        _ => None,
    });
    checks.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_package_that_was_fetched_is_verified_without_the_archive() {
    let house = house();
    let report = house.verify(&house.dir(1));
    assert_eq!(red(&report), "");
    assert_eq!(report.not_checked(), 0, "{:?}", report.checks);
    assert!(report.records > 700 && report.keys > 0);
    let pem = house.folder.path().join("root.pem");
    std::fs::write(&pem, house.sealing.root_pem()).unwrap();
    let dir = house.closed[1].to_string();
    let (key, previous) = (house.key.to_string(), house.closed[0].to_string());
    let all = [
        "verify-interval",
        &dir,
        "--key",
        &key,
        "--anchors",
        "root.pem",
        "--seal-anchors",
        "root.pem",
        "--previous",
        &previous,
    ];
    let output = house.run(&all);
    assert_eq!(status(&output), 0, "{}", out(&output));
    assert!(out(&output).ends_with("VERIFIED.\n"), "{}", out(&output));
    // Without keys and roots nothing of theirs is said to be checked.
    let output = house.run(&["verify-interval", &dir, "--json", "--no-maps"]);
    assert_eq!(status(&output), 0);
    let answer: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(answer["verified"], true);
    assert!(answer["not_checked"].as_u64().unwrap() >= 8, "{answer}");
    let with = |at: usize, value: &str| {
        let mut arguments = all;
        arguments[at] = value;
        house.run(&arguments)
    };
    // Another key, and a folder that is none.
    let other = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
    let output = with(3, other);
    assert_eq!(status(&output), 1, "{}", out(&output));
    assert!(out(&output).ends_with("NOT VERIFIED: see what failed above.\n"));
    let output = with(1, "nowhere");
    assert_ne!(status(&output), 0);
    // The first package is no successor of itself.
    let output = with(1, &previous);
    assert_eq!(status(&output), 1);
}

#[test]
fn a_byte_of_any_file_altered_is_red_and_names_the_file() {
    let house = house();
    let copy = house.copy();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(19);
    for path in files(copy.path()) {
        let octets = std::fs::read(&path).unwrap();
        let name = path
            .strip_prefix(copy.path())
            .unwrap()
            .display()
            .to_string();
        let places = [0, octets.len() - 1, random.random_range(0..octets.len())];
        for at in places {
            let mut altered = octets.clone();
            altered[at] ^= 1 << random.random_range(0..8);
            std::fs::write(&path, altered).unwrap();
            let report = house.verify(copy.path());
            assert!(report.is_bad(), "{name} at {at}");
            let red = red(&report);
            let stem = name.split('.').next().unwrap();
            assert!(red.contains(stem), "{name} at {at}: {red}");
        }
        // Shorter, longer, gone.
        std::fs::write(&path, &octets[..octets.len() - 1]).unwrap();
        assert!(house.verify(copy.path()).is_bad(), "{name} shorter");
        std::fs::write(&path, [octets.as_slice(), b"\n"].concat()).unwrap();
        assert!(house.verify(copy.path()).is_bad(), "{name} longer");
        std::fs::remove_file(&path).unwrap();
        assert!(house.verify(copy.path()).is_bad(), "{name} missing");
        std::fs::write(&path, octets).unwrap();
    }
    assert_eq!(red(&house.verify(copy.path())), "");
}

/// Writes other octets in the place of a file and corrects the catalogue, so that only what the file is can tell.
fn replace(dir: &Path, name: &str, octets: &[u8]) {
    std::fs::write(dir.join(name), octets).unwrap();
    let path = dir.join("catalogue.json");
    let mut catalogue = Catalogue::parse(&std::fs::read(&path).unwrap()).unwrap();
    let entry = catalogue.files.iter_mut().find(|entry| entry.path == name);
    let entry = entry.unwrap();
    entry.bytes = octets.len() as u64;
    entry.sha256 = Sha256::of(octets);
    std::fs::write(path, catalogue.to_bytes()).unwrap();
}

#[test]
fn lines_left_out_reordered_repeated_or_of_another_interval_are_red() {
    let house = house();
    let name = "log-trace-0001.jsonl";
    let whole = std::fs::read_to_string(house.dir(1).join(name)).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let text = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let mut left_out = lines.clone();
    left_out.remove(200);
    let mut reordered = lines.clone();
    reordered.swap(100, 101);
    let mut repeated = lines.clone();
    repeated.insert(50, lines[50]);
    let last = &lines[..lines.len() - 1];
    let other = std::fs::read_to_string(house.dir(0).join(name)).unwrap();
    let twins = [
        ("left out", text(&left_out)),
        ("reordered", text(&reordered)),
        ("repeated", text(&repeated)),
        ("last left out", text(last)),
        ("another interval", other),
        ("empty", String::new()),
        ("head alone", text(&lines[..1])),
    ];
    for (twin, text) in twins {
        let copy = house.copy();
        replace(copy.path(), name, text.as_bytes());
        let report = house.verify(copy.path());
        let red = red(&report);
        assert!(
            red.contains("log files / log file of class trace"),
            "{twin}: {red}"
        );
        // Beside it, the catalogue is not the one that was closed.
        assert!(
            red.contains("closing.json names this catalogue"),
            "{twin}: {red}"
        );
    }
    // Another interval's file in the place of each.
    for path in files(&house.dir(0)) {
        let name = path
            .strip_prefix(house.dir(0))
            .unwrap()
            .display()
            .to_string();
        let theirs = std::fs::read(&path).unwrap();
        let ours = std::fs::read(house.dir(1).join(&name)).unwrap_or_default();
        if theirs == ours || name == "catalogue.json" {
            continue;
        }
        let copy = house.copy();
        match ["closing.json", "closing.tlog-proof"].contains(&name.as_str()) {
            true => std::fs::write(copy.path().join(&name), theirs).unwrap(),
            false if ours.is_empty() => std::fs::write(copy.path().join(&name), theirs).unwrap(),
            false => replace(copy.path(), &name, &theirs),
        }
        assert!(house.verify(copy.path()).is_bad(), "{name}");
    }
}

#[test]
fn a_damaged_line_is_named_once_and_those_after_it_are_judged_on_their_own() {
    let house = house();
    let name = "log-trace-0001.jsonl";
    let whole = std::fs::read_to_string(house.dir(1).join(name)).unwrap();
    let lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        let copy = house.copy();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        replace(copy.path(), name, text.as_bytes());
        let report = house.verify(copy.path());
        let check = report
            .checks
            .iter()
            .find(|check| check.what.starts_with("log file of class trace"));
        match &check.unwrap().ended {
            // What is wrong with the file as a whole follows from what is wrong with its lines.
            Ended::Badly(why) => why
                .split("; ")
                .filter(|why| !why.contains("contents.json") && !why.contains("catalogue"))
                .map(str::to_owned)
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    // A character of the metadata, one of the leaf's index, one that makes it no line.
    let spoilt = |line: &str| line.replacen("\"schema\":1", "\"schema\":2", 1);
    let found = with(&|lines| {
        lines[200] = spoilt(&lines[200]);
        lines[400] = spoilt(&lines[400]);
    });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("record 199 of its class") && found[0].contains("commit"));
    assert!(found[1].contains("record 399 of its class"));
    let found = with(&|lines| lines[300] = lines[300].replacen("leaf", "Leaf", 1));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("record 299 of its class: not a line"));
    let index_at = "{\"leaf\":\"".len() + 2 * 19;
    let found = with(&|lines| {
        let digit = if &lines[300][index_at..=index_at] == "f" {
            "e"
        } else {
            "f"
        };
        lines[300].replace_range(index_at..=index_at, digit);
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("not the same leaf"), "{found:?}");
    // Left out, repeated, in the other order.
    let found = with(&|lines| drop(lines.drain(200..203)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("and 2 more before leaf"), "{found:?}");
    let found = with(&|lines| lines.insert(50, lines[50].clone()));
    assert_eq!(found.len(), 1, "{found:?}");
    let found = with(&|lines| lines.swap(100, 101));
    assert_eq!(found.len(), 2, "{found:?}");
    let found = with(&|lines| lines.insert(50, "aggiunta".to_owned()));
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_file_too_many_is_red_and_a_class_that_was_not_handed_out_is_told() {
    let house = house();
    for extra in [
        "aggiunto.txt",
        "material/aggiunto.der",
        "catalogue.json.bak",
    ] {
        let copy = house.copy();
        let extra_path = copy.path().join(extra);
        std::fs::create_dir_all(extra_path.parent().unwrap()).unwrap();
        std::fs::write(extra_path, b"x").unwrap();
        let red = red(&house.verify(copy.path()));
        assert!(red.contains(extra), "{red}");
    }
    let copy = house.copy();
    for path in files(copy.path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_log = name.starts_with("log-") && name.ends_with(".jsonl");
        if is_log || name.starts_with("map-") || name.starts_with("salt-") {
            std::fs::remove_file(&path).unwrap();
        }
    }
    assert!(house.verify(copy.path()).is_bad());
    let report = house.verify_with(copy.path(), true);
    assert_eq!(red(&report), "");
    assert!(report.not_checked() >= 3 && report.records == 0);
    // Of a class of which something is there, all must be.
    let map = "map-trace.bin";
    std::fs::copy(house.dir(1).join(map), copy.path().join(map)).unwrap();
    assert!(red(&house.verify_with(copy.path(), true)).contains("log-trace-0001.jsonl"));
}
