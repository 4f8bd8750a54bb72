//! A log built again from packages, contents and secrets.
//!
//! ```text
//! cargo bench --bench rebuild                                    20 000 records, as CI runs it
//! cargo bench --bench rebuild -- --records 1000000               by hand
//!     --days N      so many intervals (default 1)
//! ```
//! The path measured is the shipped one (`rebuild::rebuild`): packages as they lie at rest, everything checked, the
//! store brought to disk, epoch and restore recorded. What was written is read back by `fsck`: of the rebuilt log the
//! size, the root and every record.

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

mod load;
#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

use ceralacca::archive::{Archive, Log};
use ceralacca::rebuild::{self, Sources, export};
use ceralacca::seal::Probe;
use ceralacca::store::outside;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca_formats::leaf::Class;
use load::fill;
use std::path::Path;
use std::time::Instant;
use support::sealing::Sealing;
use support::{DAY_MS, TestLog, check_directory, ingest, log_id, master};

struct Options {
    records: u64,
    days: u64,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            records: 20_000,
            days: 1,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let number = arguments.next().and_then(|n| n.parse().ok());
                number.expect("a number")
            };
            match argument.as_str() {
                "--records" => options.records = number(),
                "--days" => options.days = number(),
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }
}

fn day(log: &Log, test: &TestLog, sealing: &Sealing, seed: u64, records: u64) {
    let submit = ingest(log);
    std::thread::scope(|scope| {
        for half in 0..2 {
            let submit = &submit;
            scope.spawn(move || fill(submit, seed * 2 + half, records / 2, Class::Trace));
        }
    });
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    let mut authorities = sealing.authorities();
    authorities.file_bytes_max = ceralacca::seal::FILE_BYTES_MAX;
    log.close_next(&authorities, &Probe::default()).unwrap();
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() / 1024
}

/// Processor time of this process so far, in seconds.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    // utime and stime are the 14th and 15th field; the first two ended with the parenthesis. Ticks of 10 ms.
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

fn disk(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap();
    let sizes = entries.map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => disk(&path),
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
    let begun = Instant::now();
    for seed in 0..options.days {
        day(&log, &test, &sealing, seed, options.records / options.days);
    }
    log.stop().unwrap();
    let state = log.reader().published();
    let (size, root) = (state.tip.size, state.tip.root);
    drop((state, log));
    println!(
        "made {size} leaves in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    let work = tempfile::tempdir().unwrap();
    let (contents, secrets) = (work.path().join("contents"), work.path().join("secrets"));
    let checkpoint = outside::read_checkpoint(&test.path()).unwrap().unwrap();
    let begun = Instant::now();
    {
        let store = RocksStore::open(&outside::database_of(&test.path()), Mode::Read).unwrap();
        let log = export::Log {
            store: &store,
            checkpoint: std::str::from_utf8(&checkpoint).unwrap(),
        };
        export::contents(&log, &contents, &mut |_| {}).unwrap();
        export::secrets(&log, &secrets).unwrap();
    }
    let exported = begun.elapsed().as_secs_f64();
    println!("exported in {exported:.1} s");
    let packages = [test.path().join("packages")];
    let known = [("bench".to_owned(), checkpoint)];
    let sources = Sources {
        packages: &packages,
        contents: &contents,
        secrets: &secrets,
        known: &known,
    };
    let before = status("VmRSS");
    // What the process held at its most is counted from here.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (begun, worked) = (Instant::now(), processor());
    let data = work.path().join("data");
    let built = rebuild::rebuild(&sources, &data, &master(), &test.settings, &|_, _| {});
    let built = built.unwrap();
    let (took, worked) = (begun.elapsed().as_secs_f64(), processor() - worked);
    assert_eq!((built.size, built.root), (size, root));
    assert!(built.lines >= options.records / options.days * options.days);
    let records = built.size.get() as f64;
    println!(
        "rebuilt {} records in {took:.2} s: {:.0} a second; {:.1} us of processor a record",
        built.size,
        records / took,
        worked * 1e6 / records,
    );
    println!(
        "resident {before} MB before, {} MB at most; {:.0} bytes a record on disk, packages included",
        status("VmHWM"),
        disk(&data) as f64 / records,
    );
    let path = Archive::directory_of(&data, &log_id());
    let report = check_directory(&path);
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!(report.records, built.size.get() + 2);
    println!(
        "fsck: clean, {} records, {} terms",
        report.records, report.postings
    );
}
