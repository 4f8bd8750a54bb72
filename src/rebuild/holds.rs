//! Holds: rows beside the log, held to the leaves that set and released them.

use super::{RebuildError, damaged};
use crate::holds::{self, KeptHold};
use crate::keyring::Keyring;
use crate::record::open::{self, RecordError};
use crate::store::cf::leaf::Leaves;
use crate::store::{Rows, Store};
use ceralacca_formats::hold::HoldCounts;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::{Class, Kind, Leaf};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};

/// Counts a leaf that sets or releases a hold; the leaf beside it is of another class.
pub(super) fn count(counts: &mut HoldCounts, leaf: &Leaf) {
    match (leaf.kind, leaf.class) {
        (Kind::HoldSet, Class::Custody) => counts.set += 1,
        (Kind::HoldReleased, Class::Custody) => counts.released += 1,
        _ => {}
    }
}

/// That the holds in a store are those that its leaves set and released, as they did.
pub(super) fn check(
    store: &dyn Store,
    keyring: &Keyring,
    counted: HoldCounts,
    interval_of: impl Fn(LeafIndex) -> Option<IntervalId>,
) -> Result<(), RebuildError> {
    let told = holds::counts(store, keyring, &interval_of)?;
    if told != counted {
        let why = "other holds than the leaves set and released";
        return Err(damaged("the holds of the contents", why));
    }
    for kept in holds::each(store, keyring) {
        let kept = kept?;
        // A leaf whose class was disposed of says nothing more: its kind was counted.
        let says = |index: LeafIndex, is: &dyn Fn(&Metadata) -> bool| {
            let leaf = store.read::<Leaves>(&index)?;
            let Some((leaf, interval)) = leaf.zip(interval_of(index)) else {
                return Ok(false);
            };
            match open::open(store, keyring, interval, leaf) {
                Ok(opened) => Ok(opened.metadata().is_ok_and(|said| is(&said))),
                Err(RecordError::Disposed { .. }) => Ok(true),
                Err(source) => Err(RebuildError::Record { interval, source }),
            }
        };
        let set = says(kept.hold, &|said| is_set(&kept, said))?;
        let released = match &kept.released {
            None => true,
            Some(act) => {
                let proposal = kept.proposed.as_ref().map(|proposed| proposed.leaf);
                says(act.leaf, &|said| {
                    matches!(said, Metadata::Custody(CustodyRecord::HoldReleased(said))
                        if said.hold == kept.hold && Some(said.proposal) == proposal)
                })?
            }
        };
        if !set || !released {
            let what = format!("hold {} of the contents", kept.hold);
            return Err(damaged(&what, "its leaves say something else"));
        }
    }
    // As whoever disposes of anything loads them.
    holds::load(store, keyring, interval_of)?;
    Ok(())
}

fn is_set(kept: &KeptHold, said: &Metadata) -> bool {
    let Metadata::Custody(CustodyRecord::HoldPlaced(said)) = said else {
        return false;
    };
    let index = |n: ceralacca_formats::canonical::Integer| u64::try_from(n.get()).ok();
    let ranges = said.ranges.iter().map(|range| {
        let both = index(range.first).zip(index(range.last));
        both.map(|(first, last)| (LeafIndex::new(first), LeafIndex::new(last)))
    });
    (said.authority, said.start, said.end) == (kept.authority, kept.start, kept.end)
        && ranges.collect::<Option<Vec<_>>>().as_ref() == Some(&kept.ranges)
}
