//! The log's key is changed under those who pinned it: over gRPC, and by the commands.

use super::*;
use crate::support::program::{cannot, out, status};
use crate::support::{ingest, master, traces};
use ceralacca::archive::{Log, Settings};
use ceralacca::ingest::Submission;
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::rotation::{RotationFlaw, follow};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A record in the log that is at rest, and its proof file under the key of now.
fn record(installation: &Installation, seed: u64) -> (Acknowledgement, String) {
    let settings = Settings::default();
    let log = Log::open(&installation.log(LOG), &master(), &settings).unwrap();
    let record = traces(seed, 1).pop().unwrap();
    let submission = Submission::trace(Class::Trace, record, None);
    let acknowledgement = ingest(&log).record(submission).unwrap();
    let (reader, index) = (log.reader(), acknowledgement.records[0].leaf.seq);
    let proof = reader.proof(&reader.published(), index).unwrap();
    log.stop().unwrap();
    (acknowledgement, proof.to_text())
}

/// Runs `rotate-key` on the log that is at rest.
fn rotate(installation: &Installation, retire: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.args(["rotate-key", "--log", LOG, "--retire", retire]);
    command.args(["--data", "data", "--master-key", "master.key"]);
    command.args(more).current_dir(installation.path(""));
    command.output().unwrap()
}

fn rotated(installation: &Installation, retire: &str) -> String {
    let output = rotate(installation, retire, &[]);
    assert_eq!(status(&output), 0, "{output:?}");
    out(&output).trim_end().to_owned()
}

/// A log with two rotations, its three keys, and a record of the time of each.
fn aged() -> (Installation, Vec<String>, Vec<(Acknowledgement, String)>) {
    let installation = Installation::plain(&[LOG], "");
    let mut keys = vec![installation.verifier(LOG).to_string()];
    let mut records = vec![record(&installation, 1)];
    for seed in [2, 3] {
        keys.push(rotated(&installation, keys.last().unwrap()));
        records.push(record(&installation, seed));
    }
    (installation, keys, records)
}

fn page(first: u32, limit: u32) -> v1::ListKeyRotationsRequest {
    v1::ListKeyRotationsRequest {
        log: LOG.to_owned(),
        first,
        limit,
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[tokio::test]
async fn whoever_pinned_the_first_key_comes_to_the_current_one_and_verifies_what_each_key_signed() {
    // Beside the runtime: a record is waited for.
    let aged = std::thread::spawn(aged).join().unwrap();
    let (installation, keys, records) = aged;
    // Said again, it answers the same; a key that nobody signs with is refused.
    let again = rotate(
        &installation,
        &keys[1],
        &["--json", "--out", "again.tlog-proof"],
    );
    let answer: Value = serde_json::from_str(&out(&again)).unwrap();
    assert_eq!(answer["verifier_key"], keys[2].as_str());
    assert_eq!(
        (&answer["repeated"], status(&again)),
        (&Value::Bool(true), 0)
    );
    let refused = rotate(&installation, &keys[0], &[]);
    assert_eq!((status(&refused), out(&refused).as_str()), (2, ""));
    let again = std::fs::read(installation.path("again.tlog-proof")).unwrap();

    let mut served = installation.serve();
    let clients = Clients::over(&served.channel().await);
    let mut audit = clients.audit.clone();
    let all = audit
        .list_key_rotations(page(0, 0))
        .await
        .unwrap()
        .into_inner();
    assert!(!all.more);
    assert_eq!(all.proofs[1].as_bytes(), again);
    let proofs: Vec<ProofFile> = all
        .proofs
        .iter()
        .map(|text| ProofFile::parse(text.as_bytes()).unwrap())
        .collect();
    let pinned = VerifierKey::parse(&keys[0]).unwrap();
    let chain = follow(&pinned, &proofs).unwrap();
    let followed: Vec<String> = chain.keys().map(ToString::to_string).collect();
    assert_eq!(followed, keys);
    assert!(
        proofs
            .iter()
            .all(|proof| proof.record.leaf.kind == Kind::KeyEvent)
    );
    for ((acknowledgement, _), key) in records.iter().zip(&keys) {
        let (_, by) = chain.open(acknowledgement.checkpoint.as_bytes()).unwrap();
        assert_eq!(&by.to_string(), key);
        acknowledgement.verify(by).unwrap();
    }
    let request = v1::GetCheckpointRequest {
        log: LOG.to_owned(),
        ..v1::GetCheckpointRequest::default()
    };
    let last = audit.get_checkpoint(request).await.unwrap().into_inner();
    let (_, by) = chain.open(last.note.as_bytes()).unwrap();
    assert_eq!(
        (by, last.verifier_key.as_str()),
        (chain.current(), keys[2].as_str())
    );
    // The checkpoint of a rotation is had by its size, with both signatures.
    let size = proofs[0].index.get() + 1;
    let request = v1::GetCheckpointRequest {
        log: LOG.to_owned(),
        which: Some(v1::get_checkpoint_request::Which::TreeSize(size)),
        witnessed: false,
    };
    let kept = audit.get_checkpoint(request).await.unwrap().into_inner();
    assert_eq!(kept.note, proofs[0].note);

    // Pages.
    let one = audit
        .list_key_rotations(page(0, 1))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((one.proofs.as_slice(), one.more), (&all.proofs[..1], true));
    let rest = audit
        .list_key_rotations(page(1, 1))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (rest.proofs.as_slice(), rest.more),
        (&all.proofs[1..], false)
    );
    let none = audit
        .list_key_rotations(page(2, 100))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((none.proofs.len(), none.more), (0, false));
    let wide = audit.list_key_rotations(page(0, 101)).await;
    assert_eq!(wide.unwrap_err().code(), Code::InvalidArgument);

    // A chain with one character changed anywhere it is signed is refused.
    let note = proofs[0]
        .note
        .replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
    assert_ne!(note, proofs[0].note);
    let forged = ProofFile {
        note,
        ..proofs[0].clone()
    };
    let refused = follow(&pinned, [&forged]).unwrap_err();
    assert!(
        matches!(refused.flaw, RotationFlaw::Retired(_)),
        "{refused}"
    );

    commands(&served, &keys, &records, &forged);
    // A log that is served is not at rest.
    let busy = rotate(&served.installation, &keys[2], &[]);
    cannot(&busy, "in use");
    served.stop_and_check();
}

/// The commands that follow, on the client's side.
fn commands(
    served: &Served,
    keys: &[String],
    records: &[(Acknowledgement, String)],
    forged: &ProofFile,
) {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = served.command(folder.path(), arguments).output().unwrap();
        (status(&output), out(&output))
    };
    let followed = format!("{}\n", keys[2]);
    for key in keys {
        let arguments = ["follow-key", "--key", key, "--out", "rotations"];
        assert_eq!(run(&arguments), (0, followed.clone()));
    }
    let (code, answer) = run(&["follow-key", "--key", &keys[0], "--json"]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((code, &answer["rotations"]), (0, &Value::from(2)));
    assert_eq!(answer["keys"], Value::from(keys));
    let stranger = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
    let (code, answer) = run(&["follow-key", "--key", stranger]);
    assert!(
        code == 1 && answer.starts_with("NOT FOLLOWED: "),
        "{answer}"
    );

    // Offline, with the first key and the folder: a record of every age.
    for (number, (_, proof)) in records.iter().enumerate() {
        write(folder.path(), "p.tlog-proof", proof);
        let verify = |more: &[&str]| {
            let arguments = ["verify", "p.tlog-proof", "--key", &keys[0]];
            run(&[&arguments, more].concat())
        };
        assert_eq!(verify(&[]).0, i32::from(number > 0), "key {number}");
        let (code, answer) = verify(&["--rotations", "rotations"]);
        assert!(code == 0 && answer.ends_with("VERIFIED.\n"), "{answer}");
        let retired = answer.contains("a key that was retired later");
        assert_eq!(retired, number < 2, "{answer}");
    }
    write(folder.path(), "forged.tlog-proof", &forged.to_text());
    let arguments = ["verify", "p.tlog-proof", "--key", &keys[0], "--rotations"];
    let (code, answer) = run(&[&arguments[..], &["forged.tlog-proof"]].concat());
    let says = "NOT VERIFIED: rotation 1: under the key trusted so far";
    assert!(code == 1 && answer.starts_with(says), "{answer}");
    in_python(folder.path(), &keys[0], &keys[2]);
    // A proof that is fetched today is under the current key.
    let index = records[0].0.records[0].leaf.seq.to_string();
    let prove = |more: &[&str]| {
        let arguments = [
            "prove", "--index", &index, "--out", "q", "--force", "--key", &keys[0],
        ];
        run(&[&arguments, more].concat())
    };
    assert_eq!(prove(&[]).0, 1);
    let (code, answer) = prove(&["--rotations", "rotations"]);
    assert!(code == 0 && answer.contains("VERIFIED: in "), "{answer}");
}

/// A program from the formats alone follows the same files, and refuses the forged one.
fn in_python(folder: &Path, pinned: &str, current: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/follow_key.py");
    let follow = |key: &str, files: &[PathBuf]| {
        let mut command = Command::new("/usr/bin/python3");
        let output = command.arg(&script).arg(key).args(files).output();
        output.map(|output| (status(&output), out(&output)))
    };
    let index = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let index: u64 = name.rsplit('-').next().unwrap().parse().unwrap();
        index
    };
    let entries = std::fs::read_dir(folder.join("rotations")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(index);
    assert_eq!(files.len(), 2);
    let (code, said) = match follow(pinned, &files) {
        Ok(answer) => answer,
        Err(missing) => {
            assert!(std::env::var_os("CI").is_none(), "python3: {missing}");
            println!("SKIPPED: python3: {missing}");
            return;
        }
    };
    assert!(said.ends_with(&format!("OK {current}\n")), "{said}");
    assert_eq!(code, 0);
    for bad in [
        vec![folder.join("forged.tlog-proof")],
        vec![files[1].clone()],
        vec![files[0].clone(), files[0].clone()],
    ] {
        let (code, said) = follow(pinned, &bad).unwrap();
        assert!(code == 1 && said.contains("\nFAIL: "), "{said}");
    }
}
