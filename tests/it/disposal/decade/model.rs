//! What an archive must do with each record, known from outside: when it came, who holds it, and from when it may go. The
//! rule is written a second time here, and shares nothing with the crate that has it; nor does its calendar.

use super::super::*;
use super::calendar::{self, DAY};
use std::collections::BTreeSet;

/// What became of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    There,
    Erased,
    Gone,
}

/// A record, as whoever brought it knows it.
pub struct Known {
    pub class: Class,
    pub index: LeafIndex,
    pub interval: IntervalId,
    /// Its content, or of a record of the trace what it says.
    pub bytes: Vec<u8>,
    /// What it is found by; some records share it.
    pub mark: String,
    /// When it truly came.
    pub came: i64,
    /// The latest instant that its term may run from, once its interval is closed.
    pub start: Option<i64>,
    pub fate: Fate,
    /// A proof made when it came.
    pub proof: String,
}

/// A hold: what it names is frozen.
pub struct Held {
    pub number: LeafIndex,
    pub names: BTreeSet<usize>,
    pub end: Option<i64>,
    pub is_released: bool,
}

/// Whether a hold keeps a record. What the archive can prove of the time is a little behind the truth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keeps {
    No,
    Perhaps,
    Yes,
}

/// What the archive can prove is behind the truth by this at most: the open interval, and what comes after.
const BEHIND: i64 = 2 * DAY;

pub struct Model {
    pub records: Vec<Known>,
    pub holds: Vec<Held>,
    /// Months of receipts, and of other content.
    pub contract: [u16; 2],
}

impl Model {
    fn months(&self, class: Class) -> u32 {
        let months = match class {
            Class::Trace | Class::Infected => 30,
            Class::Justice => 60,
            Class::Receipt => self.contract[0],
            Class::Content => self.contract[1],
            Class::Custody => 1_200,
        };
        u32::from(months)
    }

    /// Whether its term has truly ended.
    pub fn may_go(&self, which: usize, now: i64) -> bool {
        let known = &self.records[which];
        now >= calendar::end(known.came, self.months(known.class))
    }

    /// Whether its term has ended for whoever knows only what is proven.
    fn must_go(&self, which: usize, now: i64) -> bool {
        let known = &self.records[which];
        let start = known.start.filter(|start| *start <= now);
        start.is_some_and(|start| now - BEHIND >= calendar::end(start, self.months(known.class)))
    }

    /// Those that a disposal begun now must take.
    pub fn due(&self, now: i64) -> BTreeSet<usize> {
        let all = 0..self.records.len();
        all.filter(|which| self.must_go(*which, now) && self.keeps(*which, now) == Keeps::No)
            .collect()
    }

    pub fn keeps(&self, which: usize, now: i64) -> Keeps {
        let mut keeps = Keeps::No;
        for hold in &self.holds {
            if hold.is_released || !hold.names.contains(&which) {
                continue;
            }
            match hold.end {
                Some(end) if now >= end + BEHIND => {}
                Some(end) if now >= end => keeps = Keeps::Perhaps,
                _ => return Keeps::Yes,
            }
        }
        keeps
    }

    /// Whether a hold that was not released names a record, whatever its end.
    pub fn is_named(&self, which: usize) -> bool {
        let mut holds = self.holds.iter();
        holds.any(|hold| !hold.is_released && hold.names.contains(&which))
    }

    /// Those with a mark that are there.
    pub fn marked(&self, mark: &str) -> BTreeSet<usize> {
        let records = self.records.iter().enumerate();
        let marked = records.filter(|(_, known)| known.mark == mark && known.fate == Fate::There);
        marked.map(|(which, _)| which).collect()
    }

    pub fn count(&self, fate: Fate) -> u64 {
        let records = self.records.iter();
        records.filter(|known| known.fate == fate).count() as u64
    }
}
