//! Closing an interval while records go on arriving: promise P5 at a nation's rate.
//!
//! ```text
//! cargo bench --bench seal                                    20 000 records, as CI runs it
//! cargo bench --bench seal -- --records 1000000               by hand
//!     --ingest N     records a second that arrive meanwhile (default 10 000)
//!     --quiet        none arrive
//!     --objects N    so many objects of 32 KiB lie in the interval too (default 0)
//!     --renew        its hash tree is renewed in the end: every document that is there is read and hashed anew
//! ```
//! The package is then handed out to a folder and verified as a stranger does (`verify-interval`), maps apart.
//! The path measured is the shipped one (`Log::close_next`), with the development authority in process. What was
//! written is read back: the catalogue is complete, every digest is of its file, and `fsck` is clean afterwards.

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

mod load;
#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

use ceralacca::access::{self, Preserve, Principal, Role, Standing};
use ceralacca::ambient::SystemClock;
use ceralacca::archive::Log;
use ceralacca::ingest::{Ingest, Submission};
use ceralacca::seal::{EvidenceGroup, Probe, RenewalRules, SealError};
use ceralacca::verification::{self, Given, report::Ended};
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::ObjectRecord;
use ceralacca_formats::renewal::RenewalKind;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_pec::judge::{Material, Trust};
use load::{fill, meanwhile};
use rand::{RngCore as _, SeedableRng as _};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};
use support::sealing::Sealing;
use support::{DAY_MS, START_MS, TestLog, ingest};

/// Octets of an object.
const OBJECT_BYTES: usize = 32 << 10;

struct Options {
    records: u64,
    ingest: u64,
    objects: u64,
    renew: bool,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            records: 20_000,
            ingest: 10_000,
            objects: 0,
            renew: false,
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
                "--objects" => options.objects = number(),
                "--renew" => options.renew = true,
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }
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

/// Objects of invented octets, each with keys of its own.
fn fill_objects(ingest: &Ingest, count: u64) {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(count);
    for _ in 0..count {
        let mut bytes = vec![0; OBJECT_BYTES];
        random.fill_bytes(&mut bytes);
        let content = ingest.content(Class::Receipt, bytes).unwrap();
        let record = ObjectRecord::default();
        let (kind, class) = (Kind::Receipt, Class::Receipt);
        let submission = Submission::object(kind, class, record, content, None, None);
        ingest.record(submission).unwrap();
    }
}

/// Renews the hash tree of the interval, as the service does when its hash is about to end.
fn renew(test: &TestLog, log: &Log, sealing: &Sealing, objects: u64) {
    let package = || {
        let span = log.reader().published().spans[0];
        log.sealer().package(span.id).unwrap().unwrap()
    };
    let mut rules = RenewalRules::default();
    let mut rows = rules.table.rows.iter_mut();
    let row = rows.find(|row| row.algorithm == "SHA-256").unwrap();
    let end = i64::try_from(test.clock.now() + 10 * DAY_MS).unwrap();
    let end = chrono::DateTime::from_timestamp_millis(end).unwrap();
    row.end = Some(end.date_naive());
    // Half of the time that is left.
    test.clock.pass(6 * DAY_MS);
    let files = package().catalogue().files.clone();
    let files = files.iter().filter(|file| file.path.ends_with(".jsonl"));
    let bytes = files.map(|file| file.bytes).sum::<u64>() + objects * OBJECT_BYTES as u64;
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let begun = Instant::now();
    let renewed = log.renew_next(&rules, &*sealing.tsa, &Probe::default());
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(renewed.unwrap().unwrap().record.kind, RenewalKind::HashTree);
    let record = package().evidence(&EvidenceGroup::Package).unwrap();
    assert_eq!(record.chains().len(), 2);
    let megabytes = bytes as f64 / 1e6;
    println!(
        "renewed the tree of {objects} objects and the log files, {megabytes:.0} MB, in {took:.2} s: {:.0} MB a second; \
         {} MB at most",
        megabytes / took,
        memory("VmHWM")
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
            scope.spawn(move || fill(submit, seed, options.records / 2, Class::Trace));
        }
    });
    fill_objects(&submit, options.objects);
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
    let before = memory("VmRSS");
    // What the process held at its most is counted from here.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let arrived = meanwhile(&submit, options.ingest, || {
        log.close_next(&authorities, &Probe::default()).unwrap();
    });
    report(&log, options.records, arrived.took);
    if options.ingest > 0 {
        println!(
            "meanwhile {:.0} records a second arrived ({} asked); acknowledged after {} us (half), {} us (99 %)",
            arrived.records as f64 / arrived.took.as_secs_f64(),
            options.ingest,
            arrived.acknowledged[0],
            arrived.acknowledged[1],
        );
    }
    println!(
        "resident {before} MB before, {} MB at most",
        memory("VmHWM")
    );
    verify(&log, &sealing);
    if options.renew {
        renew(&test, &log, &sealing, options.objects);
    }
    log.stop().unwrap();
    drop(log);
    if options.records <= 200_000 {
        let checked = test.check();
        assert!(checked.is_clean(), "{:?}", checked.damages);
        println!("fsck: clean");
    }
}
