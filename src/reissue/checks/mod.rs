//! The answers to every check of the reference (pec.md 10.4), each from what is held.
//!
//! # Invariants
//! 1. What needs an object that is not held is left open for that reason; what needs the other provider, for that.
//! 2. A check that was recorded as failed at ingest fails here too, whatever is found now.

mod correlation;
mod custody;
mod signature;
mod time;

use super::closed::Interval;
use super::facts::Item;
use crate::desk::{Absent, Demand};
use ceralacca_formats::id::{IntervalId, UtcMillis};
use ceralacca_pages::model::{Check, CheckId, Checks, Datum, Instant, Outcome, Reason};
use std::collections::BTreeMap;

/// All that the answers are from.
pub(super) struct Case<'a> {
    pub(super) items: &'a [Item],
    pub(super) intervals: &'a BTreeMap<IntervalId, Interval>,
    pub(super) demand: &'a Demand,
    /// The act of court on which the permit rests, where it rests on one.
    pub(super) granted: Option<String>,
    pub(super) provider: &'a str,
    pub(super) principal: &'a str,
    pub(super) disclosure: u64,
    pub(super) made: Instant,
    /// The latest instant that a closing of this log proves to be past; none before the first.
    pub(super) proven: Option<UtcMillis>,
}

pub(super) fn datum(name: &str, value: impl ToString) -> Datum {
    Datum {
        name: name.to_owned(),
        value: value.to_string(),
    }
}

fn check(leaf: Option<u64>, outcome: Outcome, reason: Reason, data: Vec<Datum>) -> Check {
    Check {
        leaf,
        outcome,
        reason,
        data,
    }
}

fn passed(leaf: Option<u64>, data: Vec<Datum>) -> Check {
    check(leaf, Outcome::Passed, Reason::AsExpected, data)
}

fn failed(leaf: Option<u64>, reason: Reason, data: Vec<Datum>) -> Check {
    check(leaf, Outcome::Failed, reason, data)
}

fn open(leaf: Option<u64>, reason: Reason, data: Vec<Datum>) -> Check {
    check(leaf, Outcome::NotChecked, reason, data)
}

impl Case<'_> {
    /// Every check, answered.
    pub(super) fn checks(&self) -> Checks {
        Checks::answer(|id| self.answer(id))
    }

    fn answer(&self, id: CheckId) -> Vec<Check> {
        use CheckId as C;
        match id {
            C::IngestDigest | C::Inclusion | C::Unmodified => {
                self.each(|item| self.bytes(id, item))
            }
            C::SignedDigest
            | C::Signature
            | C::Signer
            | C::Chain
            | C::Validity
            | C::Revocation
            | C::Algorithms
            | C::Directory
            | C::SenderAddress
            | C::ProviderName
            | C::ManagedDomain => self.each(|item| signature::answer(id, item)),
            C::TextTime | C::DateHeader | C::SigningTime => {
                self.each(|item| time::answer(id, item))
            }
            C::Order => vec![time::order(self.items)],
            C::TokenAfterEvent | C::TokenBeforeExpiry => {
                self.each(|item| time::token(id, item, self.interval(item)))
            }
            C::SameIdentificativo
            | C::SameMsgid
            | C::SameSender
            | C::SameRecipients
            | C::SameSubject => vec![correlation::same(id, self.items)],
            C::OriginalMessageId
            | C::DeliveredTo
            | C::OriginalPresent
            | C::Attachments
            | C::BriefDigests
            | C::SyntheticContent => self.each(|item| correlation::content(id, item)),
            C::OwnLog
            | C::OtherLog
            | C::FilesComplete
            | C::NoGaps
            | C::EachStamped
            | C::WithinRetention
            | C::ExtractedBy
            | C::ExtractedWhen
            | C::ExtractedUnder
            | C::Identity
            | C::Entitlement => custody::answer(id, self),
        }
    }

    fn each(&self, answer: impl Fn(&Item) -> Check) -> Vec<Check> {
        self.items.iter().map(answer).collect()
    }

    fn interval(&self, item: &Item) -> Option<&Interval> {
        self.intervals.get(&item.archived.record()?.interval)
    }

    fn bytes(&self, id: CheckId, item: &Item) -> Check {
        let leaf = Some(item.number());
        if id == CheckId::Inclusion {
            return self.inclusion(item);
        }
        let (Some(examined), Some(object)) = (&item.examined, &item.archived.object) else {
            return open(leaf, not_held(item), Vec::new());
        };
        let (found, recorded) = (examined.sha256(), object.opened.content.sha256);
        let data = vec![
            datum("file", item.file.as_deref().unwrap_or_default()),
            datum("expected", recorded),
            datum("found", found),
            datum("bytes", examined.measured.bytes),
        ];
        match found == recorded && examined.measured.bytes == object.opened.content.bytes {
            true => passed(leaf, data),
            false => failed(leaf, Reason::Mismatch, data),
        }
    }

    /// Each proof was verified under the log's key before this is said.
    fn inclusion(&self, item: &Item) -> Check {
        let leaf = Some(item.number());
        let Some((stem, _)) = item.proofs.first() else {
            return open(leaf, Reason::NoMaterial, Vec::new());
        };
        let mut data = vec![datum("file", format!("{stem}.tlog-proof"))];
        match self.interval(item).and_then(|i| i.closed.as_ref()) {
            Some(closed) => {
                data.push(datum("tree_size", closed.checkpoint.size()));
                data.push(datum("root_hash", closed.checkpoint.root()));
                passed(leaf, data)
            }
            None => open(leaf, Reason::SealPending, data),
        }
    }
}

/// Why an object is not at hand.
fn not_held(item: &Item) -> Reason {
    match item.archived.absent {
        None => Reason::TraceOnly,
        Some(Absent::Disposed { .. }) => Reason::Disposed,
        Some(Absent::Erased(_)) => Reason::Erased,
        Some(Absent::Isolated) => Reason::Isolated,
    }
}
