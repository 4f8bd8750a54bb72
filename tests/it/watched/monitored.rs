//! `monitor` against a server that lies: every lie is caught, and the same log, honest, is not.

use super::liar::{self, Lie, World};
use crate::support::program::{cannot, out, status};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::TreeSize;
use ceralacca_formats::policy::{Policy, Witness};
use ceralacca_formats::tree::{LeafHash, RootHash};
use ceralacca_formats::witness::{AddCheckpoint, judge};
use serde_json::Value;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Monitor {
    server: liar::Served,
    folder: tempfile::TempDir,
    more: Vec<&'static str>,
}

impl Monitor {
    /// That saw an honest log of five leaves.
    fn of_five(more: &[&'static str]) -> Self {
        let monitor = Self {
            server: liar::serve(World::new(5)),
            folder: tempfile::tempdir().unwrap(),
            more: more.to_vec(),
        };
        let witnesses = [2, 3].map(|n| format!("witness W{n} {}\n", liar::witness(n).verifier()));
        let policy = format!("{}group G all W2 W3\nquorum G\n", witnesses.concat());
        std::fs::write(monitor.folder.path().join("policy"), policy).unwrap();
        let output = monitor.run();
        assert_eq!(status(&output), 0, "{output:?}");
        let line: Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(line["first"], true);
        monitor
    }

    fn run(&self) -> Output {
        self.command(&liar::key().to_string()).output().unwrap()
    }

    fn command(&self, key: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        let server = format!("http://{}", self.server.address);
        command.env("CERALACCA_SERVER", server);
        command.args([
            "monitor", "--once", "--json", "--state", "stato", "--key", key,
        ]);
        command.args(&self.more).current_dir(self.folder.path());
        command
    }

    fn turn(&self, lie: Lie) {
        let mut world = self.server.world.lock().unwrap();
        world.grow(9);
        world.lie = lie;
    }

    /// Runs and is caught; the finding and the folder of evidence.
    fn caught(&self) -> (Value, PathBuf) {
        let before = std::fs::read(self.folder.path().join("stato")).unwrap();
        let output = self.run();
        assert_eq!(status(&output), 1, "{output:?}");
        assert_eq!(out(&output).lines().count(), 1);
        let told: Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(told["verdict"], "found");
        let after = std::fs::read(self.folder.path().join("stato")).unwrap();
        assert_eq!(after, before, "what is not trusted changes nothing");
        let folder = self.folder.path().join(told["evidence"].as_str().unwrap());
        let kept = std::fs::read_to_string(folder.join("finding.json")).unwrap();
        assert_eq!(kept.trim_end(), out(&output).trim_end());
        (told, folder)
    }

    /// The same server, honest again: the monitor goes on from where it was.
    fn content(&self) {
        self.turn(Lie::None);
        let output = self.run();
        assert_eq!(status(&output), 0, "{output:?}");
        let line: Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(
            (&line["tree_size"], &line["new"], &line["first"]),
            (&9.into(), &true.into(), &false.into())
        );
    }
}

fn opened(folder: &Path, name: &str) -> Checkpoint {
    let note = std::fs::read(folder.join(name)).unwrap();
    Checkpoint::open(&note, &liar::key()).unwrap()
}

#[test]
fn every_lie_about_checkpoints_and_proofs_is_caught_and_honesty_is_not() {
    for (lie, word) in [
        (Lie::Fork, "inconsistent"),
        (Lie::ForkSameSize, "fork"),
        (Lie::Rollback, "rollback"),
        (Lie::Size, "other-statement"),
        (Lie::Root, "other-statement"),
        (Lie::Origin, "other-statement"),
        (Lie::BadSignature, "bad-signature"),
        (Lie::OtherKey, "bad-signature"),
        (Lie::OtherOrigin, "other-origin"),
        (Lie::ProofCut, "inconsistent"),
        (Lie::ProofLong, "inconsistent"),
        (Lie::ProofEmpty, "inconsistent"),
        (Lie::ProofOfOtherSizes, "other-proof"),
        (Lie::ProofRefused, "proof-refused"),
        (Lie::ProofHashCut, "proof-refused"),
    ] {
        let monitor = Monitor::of_five(&[]);
        monitor.turn(lie);
        let (told, folder) = monitor.caught();
        assert_eq!(told["finding"], word, "{lie:?}");
        assert_eq!(
            opened(&folder, "trusted.checkpoint").size(),
            TreeSize::new(5)
        );
        assert!(folder.join("found.checkpoint").is_file());
        // A lie told twice is caught twice.
        assert_eq!(monitor.caught().0["finding"], word);
        monitor.content();
    }
}

#[test]
fn every_lie_in_leaves_is_caught_by_replay_and_honesty_is_not() {
    for (lie, word) in [
        (Lie::LeafTwice, "leaf-index"),
        (Lie::LeafLeftOut, "leaf-index"),
        (Lie::LeavesEnd, "gap"),
        (Lie::LeafAltered, "other-root"),
        (Lie::LeafMalformed, "bad-leaf"),
        (Lie::LeafCut, "bad-leaf"),
    ] {
        let monitor = Monitor::of_five(&["--replay"]);
        monitor.turn(lie);
        assert_eq!(monitor.caught().0["finding"], word, "{lie:?}");
        monitor.content();
        let state = std::fs::read_to_string(monitor.folder.path().join("stato")).unwrap();
        assert!(state.contains("\nreplayed 9\n"), "{state}");
    }
}

#[test]
fn every_lie_about_witnesses_is_caught_and_honesty_is_not() {
    for (lie, word) in [
        (Lie::NoWitness, "not-witnessed"),
        (Lie::TooFewWitnesses, "not-witnessed"),
        (Lie::Strangers, "not-witnessed"),
        (Lie::BadCosignature, "bad-signature"),
        (Lie::WitnessedFork, "inconsistent"),
    ] {
        let monitor = Monitor::of_five(&["--policy", "policy"]);
        monitor.turn(lie);
        assert_eq!(monitor.caught().0["finding"], word, "{lie:?}");
        monitor.content();
    }
    let witnesses = [2, 3].map(|n| Witness {
        name: format!("W{n}"),
        key: liar::witness(n).verifier().clone(),
        url: None,
    });
    assert!(Policy::of(2, witnesses.into()).is_ok());
}

#[test]
fn a_log_that_stands_still_or_is_silent_is_stale() {
    let monitor = Monitor::of_five(&["--stale", "0"]);
    monitor.turn(Lie::Stale);
    // A clock of milliseconds must have moved.
    std::thread::sleep(std::time::Duration::from_millis(5));
    let (told, folder) = monitor.caught();
    assert_eq!(told["finding"], "stale");
    assert_eq!(opened(&folder, "found.checkpoint").size(), TreeSize::new(5));
    monitor.content();
    // Patient, it is content with the same.
    let patient = Monitor::of_five(&["--stale", "3600"]);
    patient.turn(Lie::Stale);
    assert_eq!(status(&patient.run()), 0);
    // Nobody answers.
    let mut silent = Monitor::of_five(&[]);
    let state = std::fs::read(silent.folder.path().join("stato")).unwrap();
    silent.server = liar::serve(World::new(5));
    let mut command = silent.command(&liar::key().to_string());
    command.env("CERALACCA_SERVER", "http://127.0.0.1:9");
    cannot(&command.output().unwrap(), "connect");
    command.args(["--stale", "0"]);
    assert_eq!(status(&command.output().unwrap()), 1);
    assert_eq!(
        std::fs::read(silent.folder.path().join("stato")).unwrap(),
        state
    );
}

#[test]
fn the_evidence_of_a_fork_convinces_others_without_our_program() {
    let monitor = Monitor::of_five(&[]);
    monitor.turn(Lie::Fork);
    let (_, folder) = monitor.caught();
    let (old, new) = (
        opened(&folder, "trusted.checkpoint"),
        opened(&folder, "found.checkpoint"),
    );
    // A witness that had cosigned the one would not cosign the other.
    let text = std::fs::read(folder.join("consistency.txt")).unwrap();
    let request = AddCheckpoint::parse(&text).unwrap();
    assert_eq!(request.note, new.note());
    let last = |_: &Checkpoint| Ok::<_, Infallible>(Some((old.size(), old.root())));
    let judged = judge(&request, &[liar::key()], last).unwrap();
    assert_eq!(judged.unwrap_err().status(), 422);
    // Both are signed by the log: openssl says so, of the bytes as they are.
    for name in ["trusted.checkpoint", "found.checkpoint"] {
        openssl_verifies(&folder, name);
    }
    // An honest pair is no evidence: the same witness lets it through.
    monitor.turn(Lie::None);
    monitor.content();
    let leaves: Vec<LeafHash> = Vec::new();
    assert!(leaves.is_empty() && old.root() != RootHash::empty());
}

/// Ed25519 over the text before the last blank line, with the key in the verifier key.
fn openssl_verifies(folder: &Path, name: &str) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let note = std::fs::read_to_string(folder.join(name)).unwrap();
    let at = note.rfind("\n\n").unwrap() + 1;
    let (text, block) = note.split_at(at);
    let line = block.trim().rsplit(' ').next().unwrap();
    let signature = STANDARD.decode(line).unwrap()[4..].to_vec();
    // SubjectPublicKeyInfo of Ed25519 (RFC 8410): twelve bytes, then the key.
    let mut spki = hex::decode("302a300506032b6570032100").unwrap();
    spki.extend_from_slice(liar::key().public_key());
    for (file, bytes) in [
        ("text", text.as_bytes()),
        ("signature", &signature),
        ("key.der", &spki),
    ] {
        std::fs::write(folder.join(file), bytes).unwrap();
    }
    let output = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER"])
        .args(["-inkey", "key.der", "-in", "text", "-sigfile", "signature"])
        .current_dir(folder)
        .output()
        .expect("openssl is needed");
    assert!(output.status.success(), "{name}: {output:?}");
}

#[test]
fn a_monitor_is_pinned_to_its_key_and_to_its_state() {
    let monitor = Monitor::of_five(&[]);
    let other = ceralacca_formats::note::NoteSigner::new(
        liar::LOG,
        &ceralacca_formats::secret::SigningSeed::from_bytes([9; 32]),
    );
    let other = other.unwrap().verifier().to_string();
    cannot(&monitor.command(&other).output().unwrap(), "state");
    let path = monitor.folder.path().join("stato");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace("\n5\n", "\n4\n")).unwrap();
    cannot(&monitor.run(), "state stato: state: checkpoint");
    std::fs::write(&path, "").unwrap();
    cannot(&monitor.run(), "state is malformed");
    std::fs::write(&path, good).unwrap();
    monitor.content();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.args(["monitor", "--once", "--state", "stato"]);
    cannot(
        &command.current_dir(monitor.folder.path()).output().unwrap(),
        "key is needed",
    );
}
