//! The seal that follows: waited for, or added to a package that was given before it.

use super::house::House;
use super::*;
use crate::conformance::{PYTHON, are_there};
use crate::support::program::{cannot, out, status};
use ceralacca_evidence::asic::{Container, Files};
use serde_json::Value;
use std::fs::File;
use std::io::BufReader;
use std::process::Stdio;
use std::time::Duration;

fn read(path: &Path, name: &str) -> Vec<u8> {
    let mut container = Container::open(BufReader::new(File::open(path).unwrap())).unwrap();
    container.read(name, 1 << 24).unwrap()
}

fn names(path: &Path) -> Vec<String> {
    let container = Container::open(BufReader::new(File::open(path).unwrap())).unwrap();
    container.names()
}

#[test]
fn a_package_given_before_the_closing_is_completed_after_it() {
    let house = House::new();
    let id = house.transaction.identificativo.clone();
    let output = house.package(&id, &["--whole-transaction", "--out", "p.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    assert!(out(&output).contains("The seal is to follow"), "{output:?}");
    let before = out(&house.verify("p.asice"));
    assert!(before.contains("the seal is to follow"), "{before}");
    // Nothing is closed yet.
    let output = house.run(&["complete", "p.asice", "--out", "c.asice"]);
    assert_eq!(status(&output), 4, "{output:?}");
    assert!(out(&output).starts_with("NOT YET: "), "{output:?}");
    assert!(!house.path().join("c.asice").exists());
    house.seal();
    let size = house.size();
    let output = house.run(&["complete", "p.asice", "--out", "c.asice", "--json"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let told: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(told["sealed"], true);
    assert_eq!(told["disclosure_leaf"], size, "a disclosure");
    assert_eq!(house.size(), size + 2);
    let (old, new) = (house.path().join("p.asice"), house.path().join("c.asice"));
    for name in names(&old) {
        assert_eq!(read(&old, &name), read(&new, &name), "{name}");
    }
    let output = house.verify("c.asice");
    let after = out(&output);
    assert_eq!(status(&output), 0, "{after}");
    assert!(!after.contains("the seal is to follow"), "{after}");
    for part in [
        "META-INF/signature001.p7s",
        "META-INF/signature002.p7s",
        "interval closed",
        "the one that the closing leaf names",
        "existed at",
        "proof/001.sealed",
    ] {
        assert!(after.contains(part), "{part}: {after}");
    }
    let records = before.matches("existed at").count();
    let objects = house.transaction.messages.len();
    assert_eq!(after.matches("existed at").count(), records + objects + 1);
    // Once complete there is nothing to add.
    let output = house.run(&["complete", "c.asice", "--out", "d.asice"]);
    assert_eq!(status(&output), 1, "{output:?}");
    assert!(out(&output).starts_with("COMPLETE ALREADY"), "{output:?}");
    lines_of_its_text_run(&house);
    // An octet of what was added counts.
    let octets = std::fs::read(&new).unwrap();
    let added = read(&new, "proof/001.sealed.tlog-proof");
    let at = octets
        .windows(added.len())
        .position(|w| w == added)
        .unwrap();
    let mut altered = octets.clone();
    altered[at + added.len() / 2] ^= 1;
    std::fs::write(house.path().join("x.asice"), altered).unwrap();
    let output = house.verify("x.asice");
    assert_eq!(status(&output), 1);
    assert!(out(&output).contains("001.sealed"), "{}", out(&output));
}

fn lines_of_its_text_run(house: &House) {
    let needed: [(&str, &[&str]); 3] = [
        ("openssl", &["version"]),
        ("unzip", &["-v"]),
        (PYTHON, &["-c", ""]),
    ];
    if !are_there(&needed) {
        return;
    }
    let text = read(&house.path().join("c.asice"), "LEGGIMI-002.txt");
    std::fs::write(house.path().join("l.sh"), &text).unwrap();
    let run = || {
        let mut command = Command::new("sh");
        command.current_dir(house.path()).args(["-e", "l.sh"]);
        command.output().unwrap()
    };
    let output = run();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("signature002.p7s"), "{text}");
    let sum = text.find("  proof/").unwrap() - 1;
    let twin = [
        &text[..sum],
        if &text[sum..=sum] == "0" { "1" } else { "0" },
        &text[sum + 1..],
    ];
    std::fs::write(house.path().join("l.sh"), twin.concat()).unwrap();
    assert!(!run().status.success());
}

#[test]
fn a_folder_is_completed_into_a_folder() {
    let house = House::new();
    let id = house.transaction.identificativo.clone();
    let output = house.package(&id, &["--form", "folder", "--out", "prima"]);
    assert_eq!(status(&output), 0, "{output:?}");
    house.seal();
    let output = house.run(&["complete", "prima", "--out", "dopo"]);
    assert_eq!(status(&output), 0, "{output:?}");
    assert!(
        house
            .path()
            .join("dopo/META-INF/signature002.p7s")
            .is_file()
    );
    assert!(!house.path().join("dopo.zip").exists());
    let output = house.verify("dopo");
    assert_eq!(status(&output), 0, "{}", out(&output));
}

#[test]
fn what_this_log_did_not_sign_is_not_completed() {
    let (house, other) = (House::new(), House::new());
    for house in [&house, &other] {
        let id = house.transaction.identificativo.clone();
        let output = house.package(&id, &["--out", "p.asice"]);
        assert_eq!(status(&output), 0, "{output:?}");
        house.seal();
    }
    let foreign = other.path().join("p.asice").display().to_string();
    let output = house.run(&["complete", &foreign, "--out", "c.asice"]);
    cannot(&output, "OTHER_PACKAGE");
    let mut octets = std::fs::read(house.path().join("p.asice")).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(house.path().join("x.asice"), octets).unwrap();
    let output = house.run(&["complete", "x.asice", "--out", "c.asice"]);
    assert_eq!(status(&output), 2, "{output:?}");
    assert!(!house.path().join("c.asice").exists());
}

#[test]
fn the_seal_is_waited_for_as_long_as_the_user_says() {
    let house = House::new();
    let id = house.transaction.identificativo.clone();
    let waiting = ["--wait-seal", "--poll-seconds", "1", "--out", "w.asice"];
    // Given up.
    let bounded = [&waiting[..], &["--wait-at-most", "1"]].concat();
    let output = house.package(&id, &bounded);
    assert_eq!(status(&output), 4, "{output:?}");
    assert!(!house.path().join("w.asice").exists());
    // Waited for.
    let wait = |out: &str| {
        let who = [
            "package",
            "--requester",
            "r",
            "--capacity",
            "holder",
            "--act",
            "a",
        ];
        let what = ["--purpose", "p", "--identificativo", &id, "--out", out];
        let how = ["--wait-seal", "--poll-seconds", "1"];
        let mut command = house.command(&[&who[..], &what, &how].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let before = house.size();
        let mut child = command.spawn().unwrap();
        for _ in 0..400 {
            // Its first question is on record.
            if house.size() > before {
                return child;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        child.kill().unwrap();
        panic!("it never asked: {:?}", child.wait());
    };
    // Ended by its user: nothing is there.
    let mut child = wait("i.asice");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let left = std::fs::read_dir(house.path()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!left.into_iter().any(|name| name.starts_with("i.asice")));
    let child = wait("w.asice");
    house.seal();
    let output = child.wait_with_output().unwrap();
    assert_eq!(status(&output), 0, "{output:?}");
    assert!(
        !out(&output).contains("The seal is to follow"),
        "{output:?}"
    );
    let verified = house.verify("w.asice");
    assert!(
        out(&verified).contains("interval closed"),
        "{}",
        out(&verified)
    );
    assert_eq!(status(&verified), 0);
}
