//! Checks of a package, and how they ended.

use ceralacca_formats::id::{IntervalId, Origin};
use std::time::Duration;

/// How a check ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Green.
    Well,
    /// Red, and why.
    Badly(String),
    /// Neither, and why.
    NotChecked(String),
}

/// A check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What it belongs to.
    pub group: &'static str,
    /// What is checked.
    pub what: String,
    /// How it ended.
    pub ended: Ended,
}

/// All checks of a package.
#[derive(Debug, Default)]
pub struct Report {
    /// The log, as the catalogue has it.
    pub origin: Option<Origin>,
    /// The interval, as the catalogue has it.
    pub interval: Option<IntervalId>,
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// Records in the log files that were read.
    pub records: u64,
    /// Keys of the maps that were built again.
    pub keys: u64,
    /// How long the log files took.
    pub lines_time: Duration,
    /// How long the maps took.
    pub maps_time: Duration,
}

impl Report {
    /// Adds a check.
    pub(super) fn add(&mut self, group: &'static str, what: &str, ended: Ended) {
        let what = what.to_owned();
        self.checks.push(Check { group, what, ended });
    }

    /// Adds one that is true or not.
    pub(super) fn tell(&mut self, group: &'static str, what: &str, is_good: bool) {
        let ended = match is_good {
            true => Ended::Well,
            false => Ended::Badly("it is not".to_owned()),
        };
        self.add(group, what, ended);
    }

    /// Adds one by its flaws: none is green.
    pub(super) fn flaws(&mut self, group: &'static str, what: &str, flaws: &[String]) {
        let ended = match flaws {
            [] => Ended::Well,
            flaws => Ended::Badly(some(flaws)),
        };
        self.add(group, what, ended);
    }

    /// Adds one by the first flaw of a sequence of steps.
    pub(super) fn result(&mut self, group: &'static str, what: &str, result: Result<(), String>) {
        let flaws = result.err();
        self.flaws(group, what, flaws.as_slice());
    }

    /// Whether a check of these is red.
    pub fn is_bad(&self) -> bool {
        let mut checks = self.checks.iter();
        checks.any(|check| matches!(check.ended, Ended::Badly(_)))
    }

    /// Checks that were not made.
    pub fn not_checked(&self) -> usize {
        let checks = self.checks.iter();
        checks
            .filter(|check| matches!(check.ended, Ended::NotChecked(_)))
            .count()
    }
}

/// The first flaws, and how many more there are.
fn some(flaws: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = flaws.iter().take(SHOWN).map(String::as_str).collect();
    match flaws.len().saturating_sub(SHOWN) {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}
