//! A child that records and is killed at a random moment; the parent holds its acknowledgements.
//!
//! What this covers: order, and what the kernel has been given. A killed process does not lose the page
//! cache, so that bytes survive power loss is shown elsewhere: every commit syncs (`a_commit_syncs`).

#![allow(clippy::disallowed_methods, reason = "a child is killed in real time")]

use crate::support::*;
use ceralacca::archive::{self, Log, Settings};
use ceralacca::ingest::{ClientKey, Submission};
use ceralacca::sequencer::Schedule;
use ceralacca_formats::acknowledgement::Acknowledgement;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{ObjectRecord, TraceRecord};
use ceralacca_formats::tree::{verify_consistency, verify_inclusion};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

fn real_settings() -> Settings {
    Settings {
        // Short intervals, so that kills fall on cuts too.
        schedule: Schedule::new(1000, 0).unwrap(),
        ..Settings::default()
    }
}

/// Records traces, small and large objects, from several threads, and prints each acknowledgement.
#[test]
fn child_that_records() {
    let Some(path) = std::env::var_os("CERALACCA_RECORD_IN") else {
        return;
    };
    let seed: u64 = std::env::var("CERALACCA_SEED").unwrap().parse().unwrap();
    let log = Log::open(&PathBuf::from(path), &master(), &real_settings()).unwrap();
    let out = Mutex::new(std::io::stdout());
    let say = |acknowledgement: &Acknowledgement| {
        let mut line = b"ACK ".to_vec();
        line.extend(acknowledgement.to_bytes());
        line.push(b'\n');
        let mut out = out.lock().unwrap();
        out.write_all(&line).and_then(|()| out.flush()).unwrap();
    };
    std::thread::scope(|scope| {
        for worker in 0..4u64 {
            let (log, say) = (&log, &say);
            scope.spawn(move || {
                let mut rng = ChaCha8Rng::seed_from_u64(seed * 10 + worker);
                for (number, record) in
                    traffic::Traffic::new(seed * 10 + worker, START_MS as i64).enumerate()
                {
                    say(&ingest(log)
                        .record(submission(log, record, number, (seed, worker), &mut rng))
                        .unwrap());
                }
            });
        }
    });
}

fn submission(
    log: &Log,
    record: TraceRecord,
    number: usize,
    (seed, worker): (u64, u64),
    rng: &mut ChaCha8Rng,
) -> Submission {
    let key = ClientKey(format!("{seed}-{worker}-{number}").into_bytes());
    let len = match number % 20 {
        3 => rng.random_range(0..20_000),
        // One worker also uploads, so that kills fall between chunks.
        13 if worker == 0 => rng.random_range(100_000..2_500_000),
        _ => return Submission::trace(Class::Trace, record, Some(key)),
    };
    let mut bytes = vec![0; len];
    rng.fill(bytes.as_mut_slice());
    let content = ingest(log).content(Class::Receipt, bytes).unwrap();
    Submission::object(
        Kind::Receipt,
        Class::Receipt,
        ObjectRecord::default(),
        content,
        Some((Class::Trace, record)),
        Some(key),
    )
}

#[test]
fn a_record_acknowledged_is_there_after_kill_9() {
    let kills: u64 = std::env::var("CERALACCA_KILLS").map_or(50, |text| text.parse().unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(kills);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    archive::init(&path, &log_id(), &origin(), &master(), &real_settings()).unwrap();
    let mut checkpoints: Vec<Checkpoint> = Vec::new();
    let (mut total, mut swept) = (0, 0);
    for kill in 0..kills {
        let acknowledgements = record_and_kill(&path, kill, &mut rng);
        total += acknowledgements.len();
        let log = Log::open(&path, &master(), &real_settings()).unwrap();
        swept += log.swept_uploads();
        let reader = log.reader();
        let state = reader.published();
        assert_eq!(
            reader.coverage().total,
            state.tip.size,
            "indexed = sequenced"
        );
        for acknowledgement in &acknowledgements {
            let checkpoint = acknowledgement.verify(log.verifier()).unwrap();
            for record in &acknowledgement.records {
                let seq = record.leaf.seq;
                let opened = reader.record(&state, seq).unwrap();
                assert_eq!((opened.leaf, opened.content), (record.leaf, record.content));
                opened.content(reader.store(), |_| {}).unwrap();
                let proof = reader.inclusion(&state, seq, state.tip.size).unwrap();
                verify_inclusion(&state.checkpoint, seq, record.leaf.hash(), &proof).unwrap();
            }
            checkpoints.push(checkpoint);
        }
        // Older checkpoints, of this round and of all before, are consistent with the newest.
        checkpoints.sort_by_key(Checkpoint::size);
        checkpoints.dedup_by_key(|checkpoint| checkpoint.size());
        let step = 1 + checkpoints.len() / 40;
        for checkpoint in checkpoints.iter().step_by(step) {
            let proof = reader
                .consistency(&state, checkpoint.size(), state.tip.size)
                .unwrap();
            verify_consistency(checkpoint, &state.checkpoint, &proof).unwrap();
        }
        drop(log);
        if kill % 10 == 9 || kill + 1 == kills {
            let report = check_directory(&path);
            assert!(report.is_clean(), "after kill {kill}: {:?}", report.damages);
        }
    }
    println!("{kills} kills, {total} acknowledgements, {swept} uploads swept");
    assert!(total as u64 > kills, "the children recorded something");
}

/// Runs the child, kills it after a random while, and gives the acknowledgements it printed whole.
fn record_and_kill(
    path: &std::path::Path,
    seed: u64,
    rng: &mut ChaCha8Rng,
) -> Vec<Acknowledgement> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_records", "--nocapture"])
        .env("CERALACCA_RECORD_IN", path)
        .env("CERALACCA_SEED", seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (first, came) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut acknowledgements = Vec::new();
        for line in out.split(b'\n') {
            // The last line may be cut in the middle: what was not printed whole was not received.
            if let Some(Ok(acknowledgement)) = line
                .ok()
                .as_deref()
                .and_then(|l| l.strip_prefix(b"ACK "))
                .map(Acknowledgement::parse)
            {
                let _ = first.send(());
                acknowledgements.push(acknowledgement);
            }
        }
        acknowledgements
    });
    // Some children die while they open; most while they record.
    if seed % 7 != 6 {
        let _ = came.recv_timeout(Duration::from_secs(20));
    }
    let end = Instant::now() + Duration::from_micros(rng.random_range(0..150_000));
    while Instant::now() < end {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// Power loss cannot be had in a test; that each commit calls for the disk can: strace sees the sync
/// between the write of the WAL and the answer.
#[test]
fn a_commit_syncs() {
    let test = TestLog::new();
    let trace = test.directory.path().join("trace");
    let child = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=fdatasync,fsync", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_records_ten", "--nocapture"])
        .env("CERALACCA_TEN_IN", test.path())
        .output();
    let output = match child {
        Ok(output) => output,
        Err(error) => {
            assert!(
                std::env::var_os("CI").is_none(),
                "strace is needed in CI: {error}"
            );
            println!("SKIPPED: strace: {error}");
            return;
        }
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let groups: u64 = text
        .lines()
        .find_map(|l| l.split_once("GROUPS "))
        .unwrap()
        .1
        .trim()
        .parse()
        .unwrap();
    let calls = std::fs::read_to_string(&trace).unwrap();
    let syncs = calls.lines().filter(|line| line.contains("sync(")).count() as u64;
    assert!(
        groups >= 10 && syncs >= groups,
        "{groups} groups, {syncs} syncs"
    );
}

#[test]
fn child_that_records_ten() {
    let Some(path) = std::env::var_os("CERALACCA_TEN_IN") else {
        return;
    };
    let log = Log::open(&PathBuf::from(path), &master(), &Settings::default()).unwrap();
    for record in traces(1, 10) {
        ingest(&log)
            .record(Submission::trace(Class::Trace, record, None))
            .unwrap();
    }
    println!("GROUPS {}", log.reader().published().commits);
}
