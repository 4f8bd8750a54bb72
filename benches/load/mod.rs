//! Records that arrive: as many as are asked for, or so many a second.

use crate::support::{START_MS, traffic};
use ceralacca::ingest::{ClientKey, Ingest, Submission};
use ceralacca_formats::leaf::Class;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Submissions whose answers are waited for at a time.
const UNDER_WAY: usize = 2048;

/// Submits so many records of a seed, each under a client key of its own; each is acknowledged in its turn.
pub fn fill(ingest: &Ingest, seed: u64, count: u64, class: Class) {
    let traffic = traffic::Traffic::new(seed, START_MS as i64);
    let mut under_way = VecDeque::new();
    for (number, record) in (0..count).zip(traffic) {
        let key = ClientKey(format!("{seed}-{number}").into_bytes());
        let submission = Submission::trace(class, record, Some(key));
        under_way.push_back(ingest.submit_waiting(submission).unwrap());
        if under_way.len() >= UNDER_WAY {
            ingest.wait(under_way.pop_front().unwrap()).unwrap();
        }
    }
    for pending in under_way {
        ingest.wait(pending).unwrap();
    }
}

/// What arrived while something else was done.
#[allow(dead_code, reason = "not every bench has records arrive")]
pub struct Arrived {
    /// How long the other thing took.
    pub took: Duration,
    /// Records acknowledged.
    pub records: usize,
    /// How long half and 99 % of the acknowledgements took at most, in microseconds.
    pub acknowledged: [u64; 2],
    /// When each was submitted, and how long its acknowledgement took, in microseconds.
    pub each: Vec<(Instant, u64)>,
}

impl Arrived {
    /// The slowest acknowledgement of what was submitted in a span of time, in microseconds.
    #[allow(dead_code, reason = "not every bench looks at parts")]
    pub fn slowest(&self, from: Instant, to: Instant) -> u64 {
        let within = self.each.iter().filter(|(at, _)| (from..to).contains(at));
        within.map(|(_, took)| *took).max().unwrap_or(0)
    }
}

/// Does something while so many records a second arrive.
#[allow(dead_code, reason = "not every bench has records arrive")]
pub fn meanwhile(ingest: &Ingest, rate: u64, work: impl FnOnce()) -> Arrived {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let arriving = scope.spawn(|| arrive(ingest, rate, &stop));
        let begun = Instant::now();
        work();
        let took = begun.elapsed();
        stop.store(true, Ordering::Relaxed);
        let each = arriving.join().unwrap();
        let mut waited: Vec<u64> = each.iter().map(|(_, took)| *took).collect();
        waited.sort_unstable();
        let at = |share: f64| waited.get((waited.len() as f64 * share) as usize).copied();
        Arrived {
            took,
            records: waited.len(),
            acknowledged: [0.5, 0.99].map(|share| at(share).unwrap_or(0)),
            each,
        }
    })
}

/// Submits at a rate until told to stop; when each was submitted, and how long its acknowledgement took, in microseconds.
fn arrive(ingest: &Ingest, rate: u64, stop: &AtomicBool) -> Vec<(Instant, u64)> {
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
            took.push((at, at.elapsed().as_micros() as u64));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    took
}
