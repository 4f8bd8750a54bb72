//! Holds as they are kept: the rows, held against what the log says of them.
//!
//! ```text
//! state 06   n set, m released, index of the last leaf of kind 6 or 7      in the batch of each such leaf
//! that leaf  n set, m released                                             in the tree
//! hold       n rows that say "set", m that say "released"
//! ```
//!
//! # Invariants
//! 1. Holds are loaded whole or not at all: a family that was emptied, or lost a row, is [`HoldsError::Rule`], never
//!    the absence of holds.
//! 2. A hold outlives the class secrets of what it names: its rows need the log key only.
//! 3. A row names no less, and ends no earlier, than its leaf says; a release is of the hold that its leaf names.
//! 4. Nothing is read that grows with the records: the rows of the holds, one state row, a leaf or two of each hold; where
//!    no hold was ever set, a look into the index of each interval.
//!
//! # Not here
//! How long a hold suspends disposal (`ceralacca_retention`), who may set one (`desk`).

mod leaves;

use crate::keyring::{DetailOf, KeyError, Keyring};
use crate::record::open::{RecordError, open};
use crate::store::cf::hold::{HoldAct, HoldRow, HoldStep, Holds, WrappedDetail};
use crate::store::cf::index::{Index, Posting};
use crate::store::cf::interval::{Intervals, Phase};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::state::{State, StateKey, StateRow};
use crate::store::{KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::hold::{ActDetail, HOLD_SET, HoldAuthority, HoldCounts};
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Field, Metadata, MetadataError};
use ceralacca_retention as retention;

/// Why holds cannot be loaded. Nothing may be disposed of, nor erased, on any of these.
#[derive(Debug, thiserror::Error)]
pub enum HoldsError {
    /// The rows are not those the log speaks of, or one of them is no hold. An alarm: restore from a copy.
    #[error("holds")]
    Rule(#[from] retention::HoldError),
    /// A row lacks the one it rests on, or its detail is not one. An alarm, as above.
    #[error("hold {hold}: {why}")]
    Row {
        /// The hold.
        hold: LeafIndex,
        /// What is wrong.
        why: &'static str,
    },
    /// The last act on holds that the log knows is not a leaf that says so. An alarm, as above.
    #[error("leaf {leaf} is not the last act on holds: {why}")]
    Last {
        /// The leaf.
        leaf: LeafIndex,
        /// What is wrong.
        why: &'static str,
    },
    /// The detail of a hold reads as something else. An alarm, as above.
    #[error("detail of hold {hold}")]
    Detail {
        /// The hold.
        hold: LeafIndex,
        /// Why it does not read.
        #[source]
        source: MetadataError,
    },
    /// A secret cannot be had, or a detail does not open.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A hold as it is kept, for lists: all that was done to it.
#[derive(Clone, Debug)]
pub struct KeptHold {
    /// Its number: the leaf that set it.
    pub hold: LeafIndex,
    /// Who ordered it.
    pub authority: HoldAuthority,
    /// From when it is in force.
    pub start: UtcMillis,
    /// The first instant at which it no longer is, where it has an end.
    pub end: Option<UtcMillis>,
    /// First and last leaf of each range.
    pub ranges: Vec<(LeafIndex, LeafIndex)>,
    /// Who set it, under which act, on what query.
    pub detail: ActDetail,
    /// The proposal of its release, where there is one.
    pub proposed: Option<KeptAct>,
    /// Its release.
    pub released: Option<KeptAct>,
}

/// An act on a hold.
#[derive(Clone, Debug)]
pub struct KeptAct {
    /// The leaf that says so.
    pub leaf: LeafIndex,
    /// When.
    pub at: UtcMillis,
    /// By whom, and why.
    pub detail: ActDetail,
}

impl KeptHold {
    /// Whether it names a leaf.
    pub fn names(&self, leaf: LeafIndex) -> bool {
        // Ascending and apart.
        let after = self.ranges.partition_point(|(first, _)| *first <= leaf);
        let before = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        before.is_some_and(|(_, last)| leaf <= *last)
    }
}

/// How many holds the log has set and released, as its last act on holds says; none where no hold was ever set.
///
/// The leaf is asked as far as it still opens: its detail goes with its class secret, its kind stays.
pub fn counts(
    store: &dyn Store,
    keyring: &Keyring,
    interval_of: impl Fn(LeafIndex) -> Option<IntervalId>,
) -> Result<HoldCounts, HoldsError> {
    let (counts, last) = match store.read::<State>(&StateKey::Holds)? {
        Some(StateRow::Holds { counts, last }) => (counts, last),
        _ => return uncounted(store, keyring),
    };
    let wrong = |why| HoldsError::Last { leaf: last, why };
    let leaf = store.read::<Leaves>(&last)?;
    let leaf = leaf.ok_or(wrong("there is no such leaf"))?;
    if !matches!(leaf.kind, Kind::HoldSet | Kind::HoldReleased) {
        return Err(wrong("it is of another kind"));
    }
    let interval = interval_of(last).ok_or(wrong("it is in no interval"))?;
    let opened = match open(store, keyring, interval, leaf) {
        Ok(opened) => opened,
        // Acts of custody live ten years; what they did may live longer.
        Err(RecordError::Disposed { .. } | RecordError::Keys(KeyError::Missing { .. })) => {
            return Ok(counts);
        }
        Err(_) => return Err(wrong("it does not open")),
    };
    let says = match opened.metadata() {
        Ok(Metadata::Custody(CustodyRecord::HoldPlaced(placed))) => placed.counts,
        Ok(Metadata::Custody(CustodyRecord::HoldReleased(released))) => released.counts,
        _ => return Err(wrong("it says something else")),
    };
    if says != counts {
        return Err(wrong("it counts other holds"));
    }
    Ok(counts)
}

/// Without a count there are no holds, if the index finds none either: a look for each interval. A store whose table of
/// holds went with its count, or that was built again without them, is told so here.
fn uncounted(store: &dyn Store, keyring: &Keyring) -> Result<HoldCounts, HoldsError> {
    for row in store.rows::<Intervals>(&KeyRange::all(), Order::Ascending) {
        let ((interval, phase), _) = row?;
        if phase != Phase::Opened {
            continue;
        }
        let class = Class::Custody;
        let keys = match keyring.class(store, interval, class) {
            Err(KeyError::Missing { .. }) => continue,
            keys => keys?,
        };
        let token = keys.token(Field::Event, HOLD_SET.as_bytes());
        let prefix = Posting::prefix(interval, class, Field::Event, token);
        let mut found = store.rows::<Index>(&KeyRange::prefix(&prefix), Order::Ascending);
        if let Some(found) = found.next() {
            let (posting, ()) = found?;
            return Err(HoldsError::Last {
                leaf: posting.index,
                why: "it set a hold, and the count of holds is not there",
            });
        }
    }
    Ok(HoldCounts::default())
}

/// All holds, whole, held against the log: what a disposal and an erasure are judged by. In the writer's thread nothing
/// is recorded meanwhile; elsewhere what was read while another hold was set is read again.
pub fn load(
    store: &dyn Store,
    keyring: &Keyring,
    interval_of: impl Fn(LeafIndex) -> Option<IntervalId>,
) -> Result<retention::HoldSet, HoldsError> {
    loop {
        let told = counts(store, keyring, &interval_of)?;
        let holds: Result<Vec<_>, _> = each(store, keyring)
            .map(|kept| {
                let kept = kept?;
                let rule = kept.rule()?;
                leaves::hold_to(store, keyring, &kept, &rule, &interval_of)?;
                Ok::<_, HoldsError>(rule)
            })
            .collect();
        match retention::HoldSet::reconciled(holds?, told.set, told.released) {
            Ok(set) => return Ok(set),
            Err(_) if counts(store, keyring, &interval_of)? != told => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The holds in order of their numbers, each with all that was done to it.
pub fn each<'a>(
    store: &'a dyn Store,
    keyring: &'a Keyring,
) -> impl Iterator<Item = Result<KeptHold, HoldsError>> + 'a {
    after(store, keyring, None)
}

/// The same, of those above a number.
pub fn after<'a>(
    store: &'a dyn Store,
    keyring: &'a Keyring,
    above: Option<LeafIndex>,
) -> impl Iterator<Item = Result<KeptHold, HoldsError>> + 'a {
    let mut range = KeyRange::all();
    if let Some(first) = above {
        range.start = first.get().saturating_add(1).to_be_bytes().to_vec();
    }
    let mut rows = store.rows::<Holds>(&range, Order::Ascending).peekable();
    std::iter::from_fn(move || {
        let ((hold, step), row) = match rows.next()? {
            Ok(row) => row,
            Err(error) => return Some(Err(error.into())),
        };
        let mut acts = Vec::new();
        while let Some(Ok(_)) = rows.peek().map(|row| match row {
            Ok(((other, _), _)) if *other == hold => Ok(()),
            _ => Err(()),
        }) {
            match rows.next() {
                Some(Ok((key, row))) => acts.push((key.1, row)),
                _ => break,
            }
        }
        Some(kept(keyring, hold, (step, row), acts))
    })
}

/// A hold by its number.
pub fn find(
    store: &dyn Store,
    keyring: &Keyring,
    hold: LeafIndex,
) -> Result<Option<KeptHold>, HoldsError> {
    let Some(set) = store.read::<Holds>(&(hold, HoldStep::Set))? else {
        return Ok(None);
    };
    let mut acts = Vec::new();
    for step in [HoldStep::Proposed, HoldStep::Released] {
        if let Some(row) = store.read::<Holds>(&(hold, step))? {
            acts.push((step, row));
        }
    }
    kept(keyring, hold, (HoldStep::Set, set), acts).map(Some)
}

fn kept(
    keyring: &Keyring,
    hold: LeafIndex,
    set: (HoldStep, HoldRow),
    acts: Vec<(HoldStep, HoldRow)>,
) -> Result<KeptHold, HoldsError> {
    let row = |why| HoldsError::Row { hold, why };
    let (
        HoldStep::Set,
        HoldRow::Set {
            authority,
            start,
            end,
            ranges,
            detail,
        },
    ) = set
    else {
        return Err(row("what was done to it is there, and it is not"));
    };
    let mut kept = KeptHold {
        hold,
        authority,
        start,
        end,
        ranges,
        detail: opened(keyring, hold, HoldStep::Set, &detail)?,
        proposed: None,
        released: None,
    };
    for (step, act) in acts {
        let read = |act: HoldAct| -> Result<KeptAct, HoldsError> {
            Ok(KeptAct {
                leaf: act.leaf,
                at: act.at,
                detail: opened(keyring, hold, step, &act.detail)?,
            })
        };
        match (step, act) {
            (HoldStep::Proposed, HoldRow::Proposed(act)) => kept.proposed = Some(read(act)?),
            (HoldStep::Released, HoldRow::Released(act)) => kept.released = Some(read(act)?),
            _ => return Err(row("a row stands under the key of another")),
        }
    }
    if kept.released.is_some() && kept.proposed.is_none() {
        return Err(row("it was released and never proposed to be"));
    }
    Ok(kept)
}

fn opened(
    keyring: &Keyring,
    hold: LeafIndex,
    step: HoldStep,
    detail: &WrappedDetail,
) -> Result<ActDetail, HoldsError> {
    let plain = keyring.open_detail(DetailOf::Hold(hold, step.code()), &detail.0)?;
    match Metadata::parse(&plain) {
        Ok(Metadata::ActDetail(detail)) => Ok(detail),
        Ok(_) => Err(HoldsError::Row {
            hold,
            why: "its detail is something else",
        }),
        Err(source) => Err(HoldsError::Detail { hold, source }),
    }
}

impl KeptHold {
    /// The same, as the rule of time judges it.
    pub fn rule(&self) -> Result<retention::Hold, HoldsError> {
        let wrong = |why| HoldsError::Row {
            hold: self.hold,
            why,
        };
        let id = retention::HoldId::new(self.hold.get());
        let authority = match self.authority {
            HoldAuthority::Judicial => retention::Authority::Judicial,
            HoldAuthority::Administrative => retention::Authority::Administrative,
        };
        let text = |text: &ceralacca_formats::canonical::Text| text.to_str().map(str::to_owned);
        let act = self.detail.act.as_ref().and_then(text);
        let act = retention::Act::new(&act.ok_or(wrong("it cites no act"))?)?;
        let index = |index: LeafIndex| retention::LeafIndex::new(index.get());
        let ranges = self.ranges.iter();
        let ranges: Result<Vec<_>, _> = ranges
            .map(|(first, last)| retention::IndexRange::new(index(*first), index(*last)))
            .collect();
        let ranges = ranges.map_err(|_| wrong("a range of it runs backwards"))?;
        let ranges = retention::IndexRanges::new(ranges);
        let ranges = ranges.map_err(|_| wrong("it names no leaf"))?;
        let hold = retention::Hold::new(
            id,
            authority,
            act,
            ranges,
            instant(self.start),
            self.end.map(instant),
        )?;
        let (Some(first), Some(second)) = (&self.proposed, &self.released) else {
            return Ok(hold);
        };
        let principal = |act: &KeptAct| {
            let name = text(&act.detail.principal);
            name.and_then(|name| retention::Principal::new(&name).ok())
        };
        let both = principal(first).zip(principal(second));
        let both = both.ok_or(wrong("who released it has no name"))?;
        let both = retention::TwoPrincipals::new(both.0, both.1);
        let both = both.map_err(|_| wrong("one principal released it"))?;
        Ok(hold.release(instant(second.at), both)?)
    }
}

/// An instant as the rule of time has it.
pub fn instant(at: UtcMillis) -> retention::UtcMillis {
    retention::UtcMillis::new(i64::try_from(at.get()).unwrap_or(i64::MAX))
}
