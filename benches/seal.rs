//! Closing an interval while records go on arriving: promise P5 at a nation's rate.
//!
//! ```text
//! cargo bench --bench seal                                    20 000 records, as CI runs it
//! cargo bench --bench seal -- --records 1000000               by hand
//!     --ingest N     records a second that arrive meanwhile (default 10 000)
//!     --quiet        none arrive
//! ```
//! The package is then handed out to a folder and verified as a stranger does (`verify-interval`), maps apart.
//! The path measured is the shipped one (`Log::close_next`), with the development authority in process. What was
//! written is read back: the catalogue is complete, every digest is of its file, and `fsck` is clean afterwards.

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

use ceralacca::access::{self, Preserve, Principal, Role, Standing};
use ceralacca::ambient::SystemClock;
use ceralacca::archive::Log;
use ceralacca::ingest::{ClientKey, Ingest, Submission};
use ceralacca::seal::{Probe, SealError};
use ceralacca::verification::{self, Given, report::Ended};
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_pec::judge::{Material, Trust};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::sealing::Sealing;
use support::{DAY_MS, START_MS, TestLog, ingest, traffic};

struct Options {
    records: u64,
    ingest: u64,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            records: 20_000,
            ingest: 10_000,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let number = arguments.next().and_then(|n| n.parse().ok());
                number.expect("a number")
            };
            match argument.as_str() {
                "--records" => options.records = number(),
                "--ingest" => options.ingest = number(),
                "--quiet" => options.ingest = 0,
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }
}

/// Submits so many records of a seed; each is acknowledged in its turn.
fn fill(ingest: &Ingest, seed: u64, count: u64) {
    let traffic = traffic::Traffic::new(seed, START_MS as i64);
    let mut under_way = VecDeque::new();
    for (number, record) in (0..count).zip(traffic) {
        let key = ClientKey(format!("{seed}-{number}").into_bytes());
        let submission = Submission::trace(Class::Trace, record, Some(key));
        under_way.push_back(ingest.submit_waiting(submission).unwrap());
        if under_way.len() >= 2048 {
            ingest.wait(under_way.pop_front().unwrap()).unwrap();
        }
    }
    for pending in under_way {
        ingest.wait(pending).unwrap();
    }
}

/// Submits at a rate until told to stop; how long each acknowledgement took, in microseconds.
fn arrive(ingest: &Ingest, rate: u64, stop: &AtomicBool, recorded: &AtomicU64) -> Vec<u64> {
    let begun = Instant::now();
    let mut traffic = traffic::Traffic::new(99, START_MS as i64);
    let mut under_way: VecDeque<(Instant, _)> = VecDeque::new();
    let mut took = Vec::new();
    let mut sent = 0u64;
    while !stop.load(Ordering::Relaxed) {
        let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
        while sent < due {
            let record = traffic.next().unwrap();
            let submission = Submission::trace(Class::Trace, record, None);
            let at = Instant::now();
            under_way.push_back((at, ingest.submit_waiting(submission).unwrap()));
            sent += 1;
        }
        // Answers come in order: those that are there are taken, at the latest when many wait.
        while under_way.len() > 256 || (!under_way.is_empty() && sent == due) {
            let (at, pending) = under_way.pop_front().unwrap();
            ingest.wait(pending).unwrap();
            took.push(at.elapsed().as_micros() as u64);
            recorded.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    took
}

fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() / 1024
}

fn report(log: &Log, records: u64, took: Duration) {
    let span = log.reader().published().spans[0];
    let package = log.sealer().package(span.id).unwrap().unwrap();
    let mut bytes = 0;
    for entry in &package.catalogue().files {
        let mut file = package.file(&entry.path).unwrap().unwrap();
        let digest = file.each(|_| Ok::<(), SealError>(())).unwrap();
        assert_eq!(digest, entry.sha256, "{}", entry.path);
        bytes += entry.bytes;
    }
    let closed = package.closing().size.get() - package.closing().first.get();
    assert!(closed > records, "every record and the epoch");
    let at_rest: u64 = walk(log.sealer().packages().unwrap());
    let rate = closed as f64 / took.as_secs_f64();
    println!(
        "closed {closed} records in {:.1} s: {rate:.0} a second; {:.0} bytes a record handed out, {:.0} at rest",
        took.as_secs_f64(),
        bytes as f64 / closed as f64,
        at_rest as f64 / closed as f64,
    );
}

/// Hands a package out as the service does, and verifies it without the archive.
fn verify(log: &Log, sealing: &Sealing) {
    let standings = vec![(log.id().clone(), Standing::Role(Role::Provider))];
    let provider = Principal::new("gestore-1", standings);
    let now = UtcMillis::new(START_MS);
    let permit = access::authorize::<Preserve>(&provider, log.id(), now).unwrap();
    let packages = log.packages(&permit).unwrap();
    let interval = log.reader().published().spans[0].id;
    let package = log.sealer().package(interval).unwrap().unwrap();
    let listed = package.catalogue().files.iter();
    let own = ["catalogue.json", "closing.json", "closing.tlog-proof"];
    let folder = tempfile::tempdir().unwrap();
    for path in listed.map(|entry| entry.path.as_str()).chain(own) {
        let to = folder.path().join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let mut to = BufWriter::new(File::create(to).unwrap());
        let file = packages.file(interval, path).unwrap();
        file.each(|octets| to.write_all(octets).unwrap()).unwrap();
        to.flush().unwrap();
    }
    let anchors = vec![sealing.root.clone()];
    let material = Material {
        anchors: anchors.clone(),
        ..Material::default()
    };
    let given = Given {
        keys: Some(KeyChain::new(log.verifier().clone())),
        anchors: Some(anchors),
        seal: Some(Trust::new(material).unwrap()),
        previous: None,
        partial: false,
        maps: true,
        clock: &SystemClock::default(),
    };
    let begun = Instant::now();
    let report = verification::verify(folder.path(), &given).unwrap();
    let took = begun.elapsed();
    let of_lines = |ended: &Ended| matches!(ended, Ended::Badly(_));
    let bad: Vec<_> = report
        .checks
        .iter()
        .filter(|c| of_lines(&c.ended))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    let rest = took - report.maps_time;
    println!(
        "verified {} records in {:.2} s: {:.0} a second; {} keys of maps built again in {:.2} s",
        report.records,
        rest.as_secs_f64(),
        report.records as f64 / rest.as_secs_f64(),
        report.keys,
        report.maps_time.as_secs_f64(),
    );
}

fn walk(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap();
    let sizes = entries.map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => walk(&path),
            false => path.metadata().unwrap().len(),
        }
    });
    sizes.sum()
}

fn main() {
    let options = Options::parse();
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    let log = test.open();
    let submit = ingest(&log);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for seed in 0..2 {
            let submit = &submit;
            scope.spawn(move || fill(submit, seed, options.records / 2));
        }
    });
    let filled = begun.elapsed();
    println!(
        "recorded {} in {:.1} s",
        options.records,
        filled.as_secs_f64()
    );
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    let mut authorities = sealing.authorities();
    authorities.file_bytes_max = ceralacca::seal::FILE_BYTES_MAX;
    let (stop, recorded) = (AtomicBool::new(false), AtomicU64::new(0));
    let before = memory("VmRSS");
    // What the process held at its most is counted from here.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    std::thread::scope(|scope| {
        let (submit, stop, recorded) = (&submit, &stop, &recorded);
        let arriving = (options.ingest > 0)
            .then(|| scope.spawn(move || arrive(submit, options.ingest, stop, recorded)));
        let begun = Instant::now();
        log.close_next(&authorities, &Probe::default()).unwrap();
        let took = begun.elapsed();
        stop.store(true, Ordering::Relaxed);
        report(&log, options.records, took);
        if let Some(arriving) = arriving {
            let mut waited = arriving.join().unwrap();
            waited.sort_unstable();
            let at = |share: f64| waited.get((waited.len() as f64 * share) as usize).copied();
            println!(
                "meanwhile {:.0} records a second arrived ({} asked); acknowledged after {} us (half), {} us (99 %)",
                recorded.load(Ordering::Relaxed) as f64 / took.as_secs_f64(),
                options.ingest,
                at(0.5).unwrap_or(0),
                at(0.99).unwrap_or(0),
            );
        }
    });
    println!(
        "resident {before} MB before, {} MB at most",
        memory("VmHWM")
    );
    verify(&log, &sealing);
    log.stop().unwrap();
    drop(log);
    if options.records <= 200_000 {
        let checked = test.check();
        assert!(checked.is_clean(), "{:?}", checked.damages);
        println!("fsck: clean");
    }
}
