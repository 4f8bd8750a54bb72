//! Disposing of an interval while records go on arriving: promise P6 at a nation's rate.
//!
//! ```text
//! cargo bench --bench dispose                                  20 000 records an interval, stores of 1 and 5 intervals
//! cargo bench --bench dispose -- --records 1000000 --stores 1  by hand
//!     --stores N,N   intervals that the store keeps, of which one is disposed of (default 1,5)
//!     --ingest N     records a second that arrive meanwhile (default 10 000)
//! ```
//! The path measured is the shipped one (`Disposer::advance`): the batch, every table, the certificate. The yardstick of
//! the acknowledgement is the same load on the same store in the same run, with no disposal. Afterwards `fsck` is clean.

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

use ceralacca::access::{self, Act, Permit, Principal, Role, Standing};
use ceralacca::archive::{self, Log, Settings};
use ceralacca::disposal::{DisposalProbe, DisposalRules};
use ceralacca::ingest::{Ingest, Submission};
use ceralacca::seal::Authorities;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::leaf::Class;
use ceralacca_retention::{Policy, RetentionClass, Term};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::sealing::{Sealing, close_all};
use support::{
    DAY_MS, HOUR_MS, MovableClock, START_MS, check_directory, ingest, log_id, master, origin,
    settings, traffic,
};

/// Days after which the first interval is due, and the second is not.
const DAYS: u64 = 33;
/// How long the yardstick is measured.
const QUIET: Duration = Duration::from_secs(5);

struct Options {
    records: u64,
    ingest: u64,
    stores: Vec<u64>,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            records: 20_000,
            ingest: 10_000,
            stores: vec![1, 5],
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut text = || arguments.next().expect("a value");
            match argument.as_str() {
                "--records" => options.records = text().parse().expect("a number"),
                "--ingest" => options.ingest = text().parse().expect("a number"),
                "--stores" => {
                    let stores = text();
                    let stores = stores.split(',').map(|n| n.parse().expect("a number"));
                    options.stores = stores.collect();
                }
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }
}

/// By contract for a month: the class that a bench can wait for.
fn rules() -> DisposalRules {
    let month = Term::of_months(1).unwrap();
    DisposalRules {
        policy: Policy::default()
            .with(RetentionClass::Receipt, month)
            .unwrap(),
        ..DisposalRules::default()
    }
}

fn fill(ingest: &Ingest, seed: u64, count: u64) {
    let traffic = traffic::Traffic::new(seed, START_MS as i64);
    let mut under_way = VecDeque::new();
    for (_, record) in (0..count).zip(traffic) {
        let submission = Submission::trace(Class::Receipt, record, None);
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
fn arrive(ingest: &Ingest, rate: u64, stop: &AtomicBool) -> Vec<u64> {
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
        while under_way.len() > 256 || (!under_way.is_empty() && sent == due) {
            let (at, pending) = under_way.pop_front().unwrap();
            ingest.wait(pending).unwrap();
            took.push(at.elapsed().as_micros() as u64);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    took
}

/// Runs something while records arrive; how long it took, and half and 99 % of the acknowledgements, in microseconds.
fn meanwhile(log: &Log, rate: u64, work: impl FnOnce()) -> (Duration, [u64; 2], usize) {
    let (submit, stop) = (ingest(log), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let arriving = scope.spawn(|| arrive(&submit, rate, &stop));
        let begun = Instant::now();
        work();
        let took = begun.elapsed();
        stop.store(true, Ordering::Relaxed);
        let mut waited = arriving.join().unwrap();
        waited.sort_unstable();
        let at = |share: f64| waited.get((waited.len() as f64 * share) as usize).copied();
        let shares = [at(0.5).unwrap_or(0), at(0.99).unwrap_or(0)];
        (took, shares, waited.len())
    })
}

fn permit<A: Act>(name: &str, role: Role) -> Permit<A> {
    let principal = Principal::new(name, vec![(log_id(), Standing::Role(role))]);
    access::authorize(&principal, &log_id(), UtcMillis::new(START_MS)).unwrap()
}

/// Plans, approves, and lets the grace go by.
fn ready(log: &Log, clock: &MovableClock, authorities: &Authorities) {
    let disposer = log.disposer();
    let operator = permit::<access::Dispose>("gestione", Role::Operator);
    let first = DisposalUnit {
        interval: log.reader().published().spans[0].id,
        class: Class::Receipt,
        carried: 0,
    };
    let intent = disposer.intend(&operator, authorities, &[first]);
    let intent = intent.unwrap();
    assert_eq!(intent.units.len(), 1);
    for name in ["anna", "bruno"] {
        let approver = permit::<access::Approve>(name, Role::Approver);
        disposer
            .approve(&approver, intent.intent, intent.hash)
            .unwrap();
    }
    for _ in 0..73 {
        clock.pass(HOUR_MS);
        disposer.tick().unwrap();
    }
}

fn store(options: &Options, intervals: u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let clock = MovableClock::at(START_MS);
    let [one, two] = ["uno", "due"].map(|name| Sealing::named(&clock, true, name));
    let settings = Settings {
        disposal: rules(),
        ..settings(&clock)
    };
    archive::init(&path, &log_id(), &origin(), &master(), &settings).unwrap();
    let log = Log::open(&path, &master(), &settings).unwrap();
    for day in 0..DAYS {
        if day < intervals {
            fill(&ingest(&log), day, options.records);
        }
        clock.pass(DAY_MS);
        log.tick().unwrap();
        close_all(&log, &one);
    }
    let authorities = one.with(vec![Arc::clone(&one.tsa) as _, Arc::clone(&two.tsa) as _]);
    ready(&log, &clock, &authorities);
    let (_, quiet, _) = meanwhile(&log, options.ingest, || std::thread::sleep(QUIET));
    let mut steps = Vec::new();
    let (took, busy, arrived) = meanwhile(&log, options.ingest, || {
        loop {
            let begun = Instant::now();
            let probe = DisposalProbe::default();
            let Some((_, next)) = log.disposer().advance(&authorities, &probe).unwrap() else {
                break;
            };
            steps.push((next.word(), begun.elapsed()));
        }
    });
    let gone = log.disposer().gone(None, 1).unwrap();
    println!(
        "{intervals:>2} intervals of {}: disposed of {} in {:.2} s, {} bytes freed; acknowledged after {} us (half), {} us \
         (99 %) without, {} us, {} us meanwhile ({arrived} arrived)",
        options.records,
        gone[0].records,
        took.as_secs_f64(),
        gone[0].freed_bytes,
        quiet[0],
        quiet[1],
        busy[0],
        busy[1],
    );
    let steps = steps
        .iter()
        .map(|(next, took)| format!("{next} {:.2}", took.as_secs_f64()));
    println!(
        "   to each step, in s: {}",
        steps.collect::<Vec<_>>().join(", ")
    );
    log.stop().unwrap();
    drop(log);
    if options.records * intervals <= 200_000 {
        let checked = check_directory(&path);
        assert!(checked.is_clean(), "{:?}", checked.damages);
        println!("   fsck: clean, {} disposed of", checked.disposed);
    }
}

fn main() {
    let options = Options::parse();
    for intervals in &options.stores {
        store(&options, *intervals);
    }
}
