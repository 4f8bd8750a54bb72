//! What the leaves say of a hold: its row must keep no less.
//!
//! Whoever writes to the store could narrow a hold, end it early, or put the release of one under another; the number of
//! holds would stay the same. The leaves are in the tree, so a row is held to them.

use super::{HoldsError, KeptHold};
use crate::keyring::Keyring;
use crate::record::open::{RecordError, open};
use crate::store::cf::leaf::Leaves;
use crate::store::{Rows, Store};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::hold::HoldPlaced;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_retention::{IndexRange, IndexRanges, LeafIndex as RuleIndex};

/// Holds the row of a hold, and that of its release, to their leaves. `rule` is the row as the rule has it.
pub(super) fn hold_to(
    store: &dyn Store,
    keyring: &Keyring,
    kept: &KeptHold,
    rule: &ceralacca_retention::Hold,
    interval_of: &impl Fn(LeafIndex) -> Option<IntervalId>,
) -> Result<(), HoldsError> {
    let wrong = |why| HoldsError::Row {
        hold: kept.hold,
        why,
    };
    let act = |index, kind| act(store, keyring, (index, kind), interval_of);
    match act(kept.hold, Kind::HoldSet)? {
        Said::Gone => {}
        Said::Act(CustodyRecord::HoldPlaced(placed)) if keeps(&placed, kept, rule) => {}
        Said::Act(CustodyRecord::HoldPlaced(_)) => {
            return Err(wrong("it names less, or ends earlier, than its leaf says"));
        }
        _ => return Err(wrong("the leaf that should have set it did not")),
    }
    let Some(released) = &kept.released else {
        return Ok(());
    };
    match act(released.leaf, Kind::HoldReleased)? {
        Said::Gone => Ok(()),
        Said::Act(CustodyRecord::HoldReleased(said)) if said.hold == kept.hold => Ok(()),
        _ => Err(wrong("the leaf that should have released it did not")),
    }
}

/// Whether a row keeps all that its leaf says.
fn keeps(placed: &HoldPlaced, kept: &KeptHold, rule: &ceralacca_retention::Hold) -> bool {
    let ends_no_earlier = match (kept.end, placed.end) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(kept), Some(placed)) => kept >= placed,
    };
    let number = |n: Integer| u64::try_from(n.get()).ok().map(RuleIndex::new);
    let ranges = placed.ranges.iter().map(|range| {
        let (first, last) = number(range.first).zip(number(range.last))?;
        IndexRange::new(first, last).ok()
    });
    let ranges: Option<Vec<_>> = ranges.collect();
    let ranges = ranges.and_then(|ranges| IndexRanges::new(ranges).ok());
    let is_whole = ranges.is_some_and(|said| said.difference(rule.indexes()).is_none());
    ends_no_earlier && is_whole
}

/// What a leaf says.
enum Said {
    /// It was disposed of: its kind is what it says.
    Gone,
    Act(CustodyRecord),
    /// It is of another kind, or does not open.
    Other,
}

fn act(
    store: &dyn Store,
    keyring: &Keyring,
    (index, kind): (LeafIndex, Kind),
    interval_of: &impl Fn(LeafIndex) -> Option<IntervalId>,
) -> Result<Said, HoldsError> {
    let leaf = store.read::<Leaves>(&index)?;
    let leaf = leaf.filter(|leaf| leaf.kind == kind);
    let Some((leaf, interval)) = leaf.zip(interval_of(index)) else {
        return Ok(Said::Other);
    };
    match open(store, keyring, interval, leaf).and_then(|opened| opened.metadata()) {
        Ok(Metadata::Custody(act)) => Ok(Said::Act(act)),
        Err(RecordError::Disposed { .. }) => Ok(Said::Gone),
        Err(RecordError::Store(error)) => Err(error.into()),
        _ => Ok(Said::Other),
    }
}
