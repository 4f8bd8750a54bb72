//! Disposing of an interval while records go on arriving: promise P6 at a nation's rate.
//!
//! ```text
//! cargo bench --bench dispose                                  20 000 records an interval, stores of 1 and 5 intervals
//! cargo bench --bench dispose -- --records 1000000 --stores 1  by hand
//!     --stores N,N   intervals that the store keeps, of which one is disposed of (default 1,5)
//!     --ingest N     records a second that arrive meanwhile (default 10 000)
//! ```
//! The path measured is the shipped one (`Disposer::advance`, and the rest of the service after each step): the batch,
//! every table, the certificate. The yardstick of the acknowledgement is the same load on the same store in the same run,
//! with no disposal. Afterwards `fsck` is clean.

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

mod load;
#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

use ceralacca::access::{self, Act, Permit, Principal, Role, Standing};
use ceralacca::archive::{self, Log, Settings};
use ceralacca::disposal::{self, DisposalProbe, DisposalRules};
use ceralacca::seal::Authorities;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::leaf::Class;
use ceralacca_retention::{Policy, RetentionClass, Term};
use load::{fill, meanwhile};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::sealing::{Sealing, close_all};
use support::{
    DAY_MS, HOUR_MS, MovableClock, START_MS, check_directory, ingest, log_id, master, origin,
    settings,
};

/// Days after which the first interval is due.
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
            fill(&ingest(&log), day, options.records, Class::Receipt);
        }
        clock.pass(DAY_MS);
        log.tick().unwrap();
        close_all(&log, &one);
    }
    let authorities = one.with(vec![Arc::clone(&one.tsa) as _, Arc::clone(&two.tsa) as _]);
    ready(&log, &clock, &authorities);
    let submit = ingest(&log);
    let quiet = meanwhile(&submit, options.ingest, || std::thread::sleep(QUIET));
    let mut steps = Vec::new();
    let busy = meanwhile(&submit, options.ingest, || {
        loop {
            let begun = Instant::now();
            let probe = DisposalProbe::default();
            let Some((_, next)) = log.disposer().advance(&authorities, &probe).unwrap() else {
                break;
            };
            let ended = Instant::now();
            steps.push((next.word(), begun, ended));
            std::thread::sleep(disposal::rest(ended - begun));
        }
    });
    let gone = log.disposer().gone(None, 1).unwrap();
    let worked: Duration = steps.iter().map(|(_, from, to)| *to - *from).sum();
    println!(
        "{intervals:>2} intervals of {}: disposed of {} in {:.2} s of work, {:.1} s with rests, {} bytes freed; acknowledged \
         after {} us (half), {} us (99 %) without, {} us, {} us meanwhile ({} arrived): {:.2} times as long (asked: under 2)",
        options.records,
        gone[0].records,
        worked.as_secs_f64(),
        busy.took.as_secs_f64(),
        gone[0].freed_bytes,
        quiet.acknowledged[0],
        quiet.acknowledged[1],
        busy.acknowledged[0],
        busy.acknowledged[1],
        busy.records,
        busy.acknowledged[1] as f64 / quiet.acknowledged[1] as f64,
    );
    let steps = steps.iter().map(|(next, from, to)| {
        let slowest = busy.slowest(*from, *to) as f64 / 1000.0;
        format!(
            "{next} {:.2} s {slowest:.1} ms",
            (*to - *from).as_secs_f64()
        )
    });
    println!(
        "   to each step, and the slowest acknowledgement meanwhile: {}",
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
