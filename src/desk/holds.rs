//! Holds: set by query, listed, shown, released by two.
//!
//! # Invariants
//! 1. A query is resolved once, when the hold is set: what it names are leaf indexes, frozen. A record that comes later
//!    is not under it.
//! 2. With a record its companion is held, where it is there: an object and the trace record of its facts stand or fall
//!    together.
//! 3. Resolving is bounded: a page of records in memory at a time, and of the rest the indexes alone, at most
//!    [`HOLD_RECORDS_MAX`].

use super::{Desk, DeskError, SearchQuery};
use crate::access::{Hold, Holds, Release};
use crate::custody::{self, CustodyError, HoldToSet};
use crate::disclosure::longest_lived;
use crate::holds::{self, KeptHold};
use crate::record::open;
use crate::store::Order;
use crate::store::Rows;
use crate::store::cf::secret::{SecretKey, Secrets};
use ceralacca_formats::hold::HoldAuthority;
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use std::collections::BTreeSet;

/// The most records that a query may name; whole intervals are not counted.
pub const HOLD_RECORDS_MAX: usize = 1 << 20;
/// The most holds on a page.
pub const HOLDS_PAGE: usize = 100;
/// Records read at a time while a query is resolved.
const STEP: usize = 1000;

/// What a hold is to name.
#[derive(Clone, Debug)]
pub enum Scope {
    /// The records that a search finds, each with the record beside it.
    Query(SearchQuery),
    /// Every leaf of the intervals that start within these instants, the second excluded.
    Intervals {
        /// The first instant.
        from: UtcMillis,
        /// The first one no more.
        until: UtcMillis,
    },
}

/// A hold that is asked for.
#[derive(Clone, Debug)]
pub struct HoldOrder {
    /// What it is to name.
    pub scope: Scope,
    /// Who orders it.
    pub authority: HoldAuthority,
    /// The act, as it is cited.
    pub act: String,
    /// From when it is in force, where the act says so.
    pub start: Option<UtcMillis>,
    /// The first instant at which it no longer is, where it has an end.
    pub end: Option<UtcMillis>,
}

/// A hold that was set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldNow {
    /// Its number: the leaf that says so.
    pub hold: LeafIndex,
    /// How many leaves it names.
    pub leaves: u64,
    /// In how many places of the log they stand.
    pub ranges: usize,
}

/// What a scope came to.
#[derive(Default)]
struct Named {
    ranges: Vec<(LeafIndex, LeafIndex)>,
    units: BTreeSet<(IntervalId, Class)>,
}

impl Desk<'_, Hold> {
    /// Sets a hold on what the scope names now.
    pub fn set_hold(&self, order: HoldOrder) -> Result<HeldNow, DeskError> {
        let (named, words) = match &order.scope {
            Scope::Query(query) => (self.named_by(query)?, query.words("hold")),
            Scope::Intervals { from, until } => (
                self.intervals_within(*from, *until)?,
                format!("hold intervals from={from} until={until}"),
            ),
        };
        let leaves = named.ranges.iter();
        let leaves = leaves.map(|(first, last)| last.get() - first.get() + 1);
        let (leaves, ranges) = (leaves.sum(), named.ranges.len());
        let class = longest_lived(named.units.iter().map(|(_, class)| *class));
        let hold = self.custodian.set_hold(HoldToSet {
            authority: order.authority,
            start: order.start,
            end: order.end,
            ranges: named.ranges,
            units: named.units,
            role: self.permit.role().word().into(),
            detail: custody::detail(self.permit, Some(&order.act), &words),
            class,
        })?;
        Ok(HeldNow {
            hold,
            leaves,
            ranges,
        })
    }

    fn named_by(&self, query: &SearchQuery) -> Result<Named, DeskError> {
        let mut indexes = Vec::new();
        let mut units = BTreeSet::new();
        let mut begun = None;
        loop {
            let walk = self.walk(query, Order::Ascending, STEP, begun)?;
            for shown in &walk.records {
                let index = shown.opened.leaf.seq;
                indexes.push(index.get());
                units.insert((shown.interval, shown.opened.leaf.class));
                if let Some(companion) = shown.companion() {
                    let leaf = self.reader.leaf(&self.published, companion)?;
                    let interval = self.published.interval_of(companion);
                    // Of an object that is gone the facts are held alone: what is gone cannot be.
                    let is_there = open::is_there(self.reader.store(), interval, &leaf);
                    if is_there.map_err(crate::audit::ReadError::from)? {
                        indexes.push(companion.get());
                        units.insert((interval, leaf.class));
                    }
                }
            }
            if indexes.len() > HOLD_RECORDS_MAX {
                return Err(DeskError::TooMany {
                    what: "records under one hold",
                    limit: HOLD_RECORDS_MAX as u64,
                });
            }
            begun = walk.stopped_at;
            if begun.is_none() {
                break;
            }
        }
        indexes.sort_unstable();
        indexes.dedup();
        let runs = indexes.chunk_by(|a, b| a.checked_add(1) == Some(*b));
        let ends = |run: &[u64]| {
            let ends = run.first().zip(run.last());
            ends.map(|(first, last)| (LeafIndex::new(*first), LeafIndex::new(*last)))
        };
        Ok(Named {
            ranges: runs.filter_map(ends).collect(),
            units,
        })
    }

    /// The leaves of whole intervals; of the open one those that are there.
    fn intervals_within(&self, from: UtcMillis, until: UtcMillis) -> Result<Named, DeskError> {
        let mut named = Named::default();
        let spans = &self.published.spans;
        let ends = spans.iter().skip(1).map(|span| span.first.get());
        let ends = ends.chain([self.published.tip.size.get()]);
        for (span, end) in spans.iter().zip(ends) {
            let first = span.first.get();
            if span.id.start() < from || span.id.start() >= until || end <= first {
                continue;
            }
            let last = LeafIndex::new(end - 1);
            match named.ranges.last_mut() {
                Some((_, before)) if before.get() + 1 == first => *before = last,
                _ => named.ranges.push((LeafIndex::new(first), last)),
            }
            for class in Class::ALL {
                let key = SecretKey::Class(span.id, *class);
                // A class that was disposed of cannot be held; the others of the interval can.
                let secret = self.reader.store().read::<Secrets>(&key);
                if secret.map_err(crate::audit::ReadError::from)?.is_some() {
                    named.units.insert((span.id, *class));
                }
            }
        }
        Ok(named)
    }
}

impl Desk<'_, Holds> {
    /// Holds in order of their numbers, above one, or of them those that name a leaf; and whether there are more. A
    /// disclosure: each names an act.
    pub fn holds(
        &self,
        above: Option<LeafIndex>,
        record: Option<LeafIndex>,
        limit: usize,
    ) -> Result<(Vec<KeptHold>, bool), DeskError> {
        let limit = limit.clamp(1, HOLDS_PAGE);
        let query = match record {
            None => "holds".to_owned(),
            Some(record) => format!("holds record={record}"),
        };
        let (store, keyring) = (self.reader.store(), self.reader.keyring());
        let mut holds = Vec::new();
        for kept in holds::after(store, keyring, above) {
            let kept = kept.map_err(CustodyError::from)?;
            if record.is_some_and(|record| !kept.names(record)) {
                continue;
            }
            if holds.len() == limit {
                return self.told(&query, holds, true);
            }
            holds.push(kept);
        }
        self.told(&query, holds, false)
    }

    /// A hold by its number. A disclosure.
    pub fn hold(&self, hold: LeafIndex) -> Result<KeptHold, DeskError> {
        let found = holds::find(self.reader.store(), self.reader.keyring(), hold);
        let found = found.map_err(CustodyError::from)?;
        let found = found.ok_or(CustodyError::NoHold(hold))?;
        let (mut one, _) = self.told(&format!("hold number={hold}"), vec![found], false)?;
        one.pop().ok_or(DeskError::NotShown)
    }

    fn told(
        &self,
        query: &str,
        holds: Vec<KeptHold>,
        more: bool,
    ) -> Result<(Vec<KeptHold>, bool), DeskError> {
        // What is shown is what the leaf beside each says, which lives as long as that.
        let mut shown = Vec::with_capacity(2 * holds.len());
        for kept in &holds {
            for index in [kept.hold, LeafIndex::new(kept.hold.get() + 1)] {
                let leaf = self.reader.leaf(&self.published, index)?;
                shown.push((index, leaf.class));
            }
        }
        let recorded = self.disclosures.record(self.permit, query, &shown);
        recorded.map_err(DeskError::Disclosure)?;
        Ok((holds, more))
    }
}

impl Desk<'_, Release> {
    /// Proposes to release a hold; gives the leaf that says so.
    pub fn propose_release(&self, hold: LeafIndex, reason: &str) -> Result<LeafIndex, DeskError> {
        let release = self.release_of(hold, reason)?;
        Ok(self.custodian.propose_release(release)?)
    }

    /// Releases a hold that another principal proposed to release; gives the leaf that says so.
    pub fn release_hold(&self, hold: LeafIndex, reason: &str) -> Result<LeafIndex, DeskError> {
        let release = self.release_of(hold, reason)?;
        Ok(self.custodian.release_hold(release)?)
    }

    fn release_of(&self, hold: LeafIndex, reason: &str) -> Result<custody::Release, DeskError> {
        let beside = LeafIndex::new(hold.get().saturating_add(1));
        let class = match self.reader.leaf(&self.published, beside) {
            Ok(leaf) if leaf.class != Class::Custody => leaf.class,
            // No hold: the custodian says so.
            _ => Class::Trace,
        };
        Ok(custody::Release {
            hold,
            role: self.permit.role().word().into(),
            detail: custody::detail(self.permit, None, reason),
            class,
        })
    }
}
