//! An erasure that ends after its batch, by `kill -9`: what is gone stays gone, and its bytes go at the next start.

#![allow(clippy::disallowed_methods, reason = "a child is killed in real time")]

use super::*;
use ceralacca::audit::ReadError;
use ceralacca::record::open::RecordError;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATH: &str = "CERALACCA_ERASE_IN";
const INDEXES: &str = "CERALACCA_ERASE";
const NOW: &str = "CERALACCA_ERASE_NOW";
/// Ends after the first batch, and waits to be killed.
const WAITS: &str = "CERALACCA_ERASE_WAITS";

/// Erases what it is told, one object after the other; it is killed meanwhile.
#[test]
fn child_that_erases() {
    let Some(path) = std::env::var_os(PATH) else {
        return;
    };
    let number = |text: &str| text.parse::<u64>().unwrap();
    let clock = MovableClock::at(number(&std::env::var(NOW).unwrap()));
    let log = Log::open(&PathBuf::from(path), &master(), &settings(&clock)).unwrap();
    let (anna, bruno) = (
        permit::<Erase>("anna", Role::Provider),
        permit::<Erase>("bruno", Role::Approver),
    );
    for index in std::env::var(INDEXES).unwrap().split(',').map(number) {
        let record = LeafIndex::new(index);
        let desk = log.desk(&anna).unwrap();
        desk.propose_erasure(record, Ground::DataSubject, "richiesta")
            .unwrap();
        log.desk(&bruno).unwrap().erase(record, "visto").unwrap();
        println!("ERASED");
        if std::env::var_os(WAITS).is_some() {
            let _ = std::io::stdin().read(&mut [0]);
        }
        log.complete_erasure(record).unwrap();
    }
}

/// Runs the child until so long after its first batch.
fn erase_and_kill(path: &Path, now: u64, indexes: &[LeafIndex], after: Option<Duration>) {
    let indexes: Vec<_> = indexes.iter().map(LeafIndex::to_string).collect();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "gone::crash::child_that_erases", "--nocapture"]);
    command.env(PATH, path).env(NOW, now.to_string());
    command.env(INDEXES, indexes.join(","));
    if after.is_none() {
        command.env(WAITS, "1");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut lines = out.lines().map(Result::unwrap);
    assert!(
        lines.any(|line| line.ends_with("ERASED")),
        "the child ended"
    );
    let end = Instant::now() + after.unwrap_or_default();
    while Instant::now() < end {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_erasure_that_ends_after_its_batch_is_made_up_for_at_the_next_start() {
    let Kept {
        mut test,
        sealing,
        log,
    } = Kept::new();
    let sizes = [Size::Small, Size::Blob, Size::Chunks];
    let names = ["uno", "due", "tre", "quattro", "cinque", "sei"];
    let marked = names.iter().zip(sizes.iter().cycle());
    let marked: Vec<_> = marked
        .map(|(name, size)| put(&log, name, Class::Receipt, *size))
        .collect();
    for _ in 0..2 {
        test.clock.pass(DAY_MS);
        log.tick().unwrap();
        fill_more(&log);
    }
    close_all(&log, &sealing);
    log.reader().store().settle().unwrap();
    let all: Vec<_> = names
        .iter()
        .zip(&marked)
        .map(|(name, marked)| {
            let markers = both(&stored(&log, name, marked), &said(name).0);
            (marked.object, markers)
        })
        .collect();
    log.stop().unwrap();
    drop(log);
    test.settings.authorities = Some(sealing.authorities());
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut left: Vec<LeafIndex> = all.iter().map(|(object, _)| *object).collect();
    let mut first = true;
    while !left.is_empty() {
        let after = (!first).then(|| Duration::from_micros(rng.random_range(0..120_000)));
        erase_and_kill(&test.path(), test.clock.now(), &left, after);
        let log = test.open();
        let state = log.reader().published();
        let mut gone = Markers::default();
        left.clear();
        for (object, markers) in &all {
            match log.reader().record(&state, *object) {
                Ok(opened) => {
                    opened.content(log.reader().store(), |_| {}).unwrap();
                    left.push(*object);
                }
                Err(ReadError::Record(RecordError::Erased { .. })) => gone = both(&gone, markers),
                Err(error) => panic!("{object}: {error}"),
            }
        }
        if first {
            assert_eq!(left.len(), names.len() - 1, "one batch was done");
            let there = search::in_files(&test.path(), &gone);
            let keys = there.is_in("uno wrapped keys", "db/");
            assert!(keys, "nothing but the batch was done: {there:?}");
        }
        first = false;
        log.complete_erasures().unwrap();
        assert_eq!(log.complete_erasures().unwrap(), 0);
        let there = search::everywhere(&log, &test.path(), &gone);
        assert_eq!(there.names(), BTreeSet::new(), "{there:#?}");
        log.stop().unwrap();
        drop(log);
        let report = test.check();
        assert!(report.is_clean(), "{:?}", report.damages);
        assert_eq!(report.erased as usize, names.len() - left.len());
    }
}
