//! The check of everything that is held: the oracle of the tests, and `ceralacca fsck`.
//!
//! What is recomputed, and against what:
//!
//! ```text
//! leaves       dense, well formed, `seq` = index          every leaf hash ─▶ tree
//! tiles        the recomputed ones, all and no other
//! tip          size and root of the recomputed tree
//! checkpoints  signature; size and root at their size     kept ones, intervals', last, the one outside
//! rotations    key event and checkpoint of each           keys of other times verify what they signed then
//! intervals    contiguous in time and index
//! holds        as many as the leaves say, each whole
//! disposals    of each unit that is gone: intent, two approvals by two principals, completed leaf; what a hold kept
//! records      every metadata row opens under its keys and recomputes the commitment in its leaf
//! contents     every part opens; length, SHA-256, BLAKE3
//! index        postings below `indexed` are exactly the terms of the records
//! leaf hashes  rows of every run are those of its tiles
//! client keys  name a leaf of their interval
//! dictionaries are those of this program
//! ```
//!
//! - `report`: what was checked and found; then a file for each kind of thing, in the order above
//!
//! # Invariants
//! 1. Nothing is changed, and no finding stops the rest: what can still be checked is.
//! 2. Memory does not grow with the records: one pass a family, sums instead of lists. Held whole are the
//!    interval table, size and root of each kept checkpoint, and the uploads under way; the first
//!    [`DAMAGES_MAX`] damages are named, all are counted.

pub(in crate::audit) mod disposals;
pub(in crate::audit) mod holds;
pub(in crate::audit) mod index;
pub(in crate::audit) mod intervals;
pub(in crate::audit) mod records;
pub(in crate::audit) mod report;
pub(in crate::audit) mod rest;
mod rotations;
pub(in crate::audit) mod tree;

pub use report::{DAMAGES_MAX, Damage, Report};

/// An error with its causes, on one line.
pub(in crate::audit) fn chain_of<E: std::error::Error>(error: &E) -> String {
    report::chain(error)
}

use crate::keyring::Keyring;
use crate::store::cf::erasure::{ErasureRow, Erasures};
use crate::store::cf::{ColumnFamily, Family};
use crate::store::{KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::note::VerifierKey;

/// What a check works on.
pub struct Subject<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// Its secrets.
    pub keyring: &'a Keyring,
    /// The key its checkpoints are signed with today.
    pub verifier: &'a VerifierKey,
    /// The checkpoint beside the database, if the log has a directory.
    pub outside: Option<Vec<u8>>,
}

/// Checks everything. `progress` is told how many leaves and records are done.
pub fn check(subject: &Subject<'_>, progress: &mut dyn FnMut(u64)) -> Report {
    let mut report = Report::default();
    let tip = match crate::sequencer::tip(subject.store) {
        Ok(tip) => tip,
        Err(error) => {
            report.unreadable(Family::State, &error);
            return report;
        }
    };
    let spans = intervals::intervals(subject, tip, &mut report);
    disposals::disposals(subject, &spans, &mut report);
    let keys = rotations::rotations(subject, &spans, &mut report);
    let counted = tree::tree(subject, tip, &spans, &keys, &mut report, progress);
    holds::holds(subject, &spans, Some(counted), &mut report);
    tree::tiles(subject, tip, &mut report);
    records::records(subject, tip, &spans, &mut report, progress);
    records::contents(subject, &mut report);
    index::index(subject, tip, &spans, &mut report);
    rest::leaf_hashes(subject, tip, &mut report);
    rest::client_keys(subject, &spans, &mut report);
    rest::dictionaries(subject, &mut report);
    report
}

/// Checks only what is gone: that each disposal and each erasure is one that the log records, and that what a hold kept
/// of it is there.
pub fn gone(subject: &Subject<'_>) -> Report {
    let mut report = Report::default();
    let tip = match crate::sequencer::tip(subject.store) {
        Ok(tip) => tip,
        Err(error) => {
            report.unreadable(Family::State, &error);
            return report;
        }
    };
    let spans = intervals::intervals(subject, tip, &mut report);
    disposals::disposals(subject, &spans, &mut report);
    each::<Erasures>(subject.store, &mut report, |(record, _), row, report| {
        if matches!(row, ErasureRow::Erased(_)) {
            records::erased(subject, &spans, record, report);
        }
    });
    report
}

/// Reads a family to its end or to the first row that cannot be read, which is a damage.
pub(in crate::audit) fn each<C: ColumnFamily>(
    store: &dyn Store,
    report: &mut Report,
    mut take: impl FnMut(C::Key, C::Value, &mut Report),
) {
    for row in store.rows::<C>(&KeyRange::all(), Order::Ascending) {
        match row {
            Ok((key, value)) => take(key, value, report),
            Err(error) => {
                report.unreadable(C::FAMILY, &error);
                // A malformed row does not end the scan; an engine error does, and repeats itself.
                if !matches!(error, StoreError::Row { .. }) {
                    return;
                }
            }
        }
    }
}
