//! Holds set and released.

use super::{Custodian, CustodyError};
use crate::holds::{self, KeptHold};
use crate::keyring::DetailOf;
use crate::record::held;
use crate::record::prepare::{Draft, DraftContent};
use crate::sequencer::Moment;
use crate::store::cf::hold::{HOLD_RANGES_MAX, HoldAct, HoldRow, HoldStep, Holds, WrappedDetail};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::cf::state::{State, StateRow};
use crate::store::{Batch, KeyRange, Order, Rows};
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::hold::{
    ActDetail, HoldAuthority, HoldCounts, HoldPlaced, HoldReleaseProposed, HoldReleased,
};
use ceralacca_formats::id::{INTEGER_MAX, IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, LeafRange, Metadata};
use ceralacca_retention::{Principal, TwoPrincipals};
use std::collections::BTreeSet;

/// A hold to set: what it names is frozen.
pub struct HoldToSet {
    /// Who orders it.
    pub authority: HoldAuthority,
    /// From when it is in force; from when it is set, where the act does not say.
    pub start: Option<UtcMillis>,
    /// The first instant at which it no longer is, where it has an end.
    pub end: Option<UtcMillis>,
    /// First and last leaf of each range: ascending and apart.
    pub ranges: Vec<(LeafIndex, LeafIndex)>,
    /// Interval and class of every record that is named.
    pub units: BTreeSet<(IntervalId, Class)>,
    /// The role that allows it.
    pub role: Text,
    /// Who sets it, under which act, on what query.
    pub detail: ActDetail,
    /// The class of the leaf that says so.
    pub class: Class,
}

/// A release to propose or to confirm.
pub struct Release {
    /// The hold.
    pub hold: LeafIndex,
    /// The role that allows it.
    pub role: Text,
    /// Who releases it, and why.
    pub detail: ActDetail,
    /// The class of the leaf that says so.
    pub class: Class,
}

impl Custodian {
    /// Sets a hold; gives its number, the index of the leaf that says so. Durable on return.
    pub fn set_hold(&self, hold: HoldToSet) -> Result<LeafIndex, CustodyError> {
        self.sequencer
            .perform(move |moment, batch| set(moment, batch, hold))?
    }

    /// Proposes to release a hold: another principal confirms. A second proposal takes the place of the first. Gives the
    /// leaf that says so.
    pub fn propose_release(&self, release: Release) -> Result<LeafIndex, CustodyError> {
        self.sequencer
            .perform(move |moment, batch| propose(moment, batch, &release))?
    }

    /// Releases a hold that another principal proposed to release; gives the leaf that says so.
    pub fn release_hold(&self, release: Release) -> Result<LeafIndex, CustodyError> {
        self.sequencer
            .perform(move |moment, batch| confirm(moment, batch, &release))?
    }
}

type Decided = Result<(Vec<Draft>, LeafIndex), CustodyError>;

fn set(moment: &Moment<'_>, batch: &mut Batch, hold: HoldToSet) -> Decided {
    if hold.ranges.is_empty() {
        return Err(CustodyError::Nothing);
    }
    if hold.ranges.len() > HOLD_RANGES_MAX {
        return Err(CustodyError::TooManyRanges(HOLD_RANGES_MAX));
    }
    for (interval, class) in &hold.units {
        let (interval, class) = (*interval, *class);
        let secret = moment
            .store
            .read::<Secrets>(&SecretKey::Class(interval, class))?;
        if secret.is_none() && !is_carried_over(moment, interval, class, &hold.ranges)? {
            return Err(CustodyError::Disposed { interval, class });
        }
    }
    let before = counts(moment)?;
    let counts = HoldCounts {
        set: before.set.saturating_add(1),
        ..before
    };
    let number = moment.next;
    let start = hold.start.unwrap_or(moment.time);
    let detail = wrapped(moment, number, HoldStep::Set, &hold.detail);
    let kept = KeptHold {
        hold: number,
        authority: hold.authority,
        start,
        end: hold.end,
        ranges: hold.ranges,
        detail: hold.detail,
        proposed: None,
        released: None,
    };
    // What the rule would refuse later is refused now.
    match kept.rule() {
        Ok(_) => {}
        Err(holds::HoldsError::Rule(refused)) => return Err(refused.into()),
        Err(other) => return Err(other.into()),
    }
    let integer =
        |index: LeafIndex| Integer::try_from(index.get().min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
    let placed = HoldPlaced {
        authority: kept.authority,
        role: hold.role,
        start,
        end: kept.end,
        ranges: kept.ranges.iter().map(range(integer)).collect(),
        counts,
    };
    let row = HoldRow::Set {
        authority: kept.authority,
        start,
        end: kept.end,
        ranges: kept.ranges,
        detail,
    };
    batch.put::<Holds>(&(number, HoldStep::Set), &row);
    count(batch, counts, number);
    let custody = CustodyRecord::HoldPlaced(placed);
    Ok((
        drafts(Kind::HoldSet, custody, hold.class, kept.detail),
        number,
    ))
}

/// Whether what is named of a class of an interval that was disposed of is all under another hold, and so still there.
fn is_carried_over(
    moment: &Moment<'_>,
    interval: IntervalId,
    class: Class,
    ranges: &[(LeafIndex, LeafIndex)],
) -> Result<bool, CustodyError> {
    let Some(copy) = held::in_force(moment.store, interval, class)? else {
        return Ok(false);
    };
    for (first, last) in ranges {
        let keys = KeyRange {
            start: first.get().to_be_bytes().to_vec(),
            end: Some(last.get().saturating_add(1).to_be_bytes().to_vec()),
        };
        for row in moment.store.rows::<Leaves>(&keys, Order::Ascending) {
            let (index, leaf) = row?;
            if leaf.class != class || moment.interval_of(index) != Some(interval) {
                continue;
            }
            if !held::has(moment.store, copy, index)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn range(integer: impl Fn(LeafIndex) -> Integer) -> impl Fn(&(LeafIndex, LeafIndex)) -> LeafRange {
    move |(first, last)| LeafRange {
        first: integer(*first),
        last: integer(*last),
    }
}

fn propose(moment: &Moment<'_>, batch: &mut Batch, release: &Release) -> Decided {
    let kept = unreleased(moment, release.hold)?;
    principal(&release.detail)?;
    let act = HoldAct {
        leaf: moment.next,
        at: moment.time,
        detail: wrapped(moment, kept.hold, HoldStep::Proposed, &release.detail),
    };
    let key = (kept.hold, HoldStep::Proposed);
    batch.put::<Holds>(&key, &HoldRow::Proposed(act));
    let custody = CustodyRecord::HoldReleaseProposed(HoldReleaseProposed {
        hold: kept.hold,
        role: release.role.clone(),
    });
    let drafts = drafts(
        Kind::Approval,
        custody,
        release.class,
        release.detail.clone(),
    );
    Ok((drafts, moment.next))
}

fn confirm(moment: &Moment<'_>, batch: &mut Batch, release: &Release) -> Decided {
    let kept = unreleased(moment, release.hold)?;
    let proposed = kept.proposed.as_ref();
    let proposed = proposed.ok_or(CustodyError::NotProposed(kept.hold))?;
    TwoPrincipals::new(principal(&proposed.detail)?, principal(&release.detail)?)?;
    let before = counts(moment)?;
    let counts = HoldCounts {
        released: before.released.saturating_add(1),
        ..before
    };
    let act = HoldAct {
        leaf: moment.next,
        at: moment.time,
        detail: wrapped(moment, kept.hold, HoldStep::Released, &release.detail),
    };
    let key = (kept.hold, HoldStep::Released);
    batch.put::<Holds>(&key, &HoldRow::Released(act));
    count(batch, counts, moment.next);
    let custody = CustodyRecord::HoldReleased(HoldReleased {
        hold: kept.hold,
        proposal: proposed.leaf,
        role: release.role.clone(),
        counts,
    });
    let drafts = drafts(
        Kind::HoldReleased,
        custody,
        release.class,
        release.detail.clone(),
    );
    Ok((drafts, moment.next))
}

fn unreleased(moment: &Moment<'_>, hold: LeafIndex) -> Result<KeptHold, CustodyError> {
    let kept = holds::find(moment.store, moment.keyring, hold)?;
    let kept = kept.ok_or(CustodyError::NoHold(hold))?;
    match kept.released {
        Some(_) => Err(CustodyError::Released(hold)),
        None => Ok(kept),
    }
}

fn principal(detail: &ActDetail) -> Result<Principal, CustodyError> {
    // A name of the configuration is text.
    Ok(Principal::new(
        detail.principal.to_str().unwrap_or_default(),
    )?)
}

fn counts(moment: &Moment<'_>) -> Result<HoldCounts, CustodyError> {
    let interval_of = |index| moment.interval_of(index);
    Ok(holds::counts(moment.store, moment.keyring, interval_of)?)
}

fn count(batch: &mut Batch, counts: HoldCounts, last: LeafIndex) {
    let row = StateRow::Holds { counts, last };
    batch.put::<State>(&row.key(), &row);
}

fn wrapped(
    moment: &Moment<'_>,
    hold: LeafIndex,
    step: HoldStep,
    detail: &ActDetail,
) -> WrappedDetail {
    let plain = Metadata::ActDetail(detail.clone()).to_bytes();
    let what = DetailOf::Hold(hold, step.code());
    WrappedDetail(moment.keyring.wrap_detail(what, &plain, moment.entropy))
}

/// The two leaves of an act: what the log alone needs, and who did it.
pub(super) fn drafts(
    kind: Kind,
    custody: CustodyRecord,
    class: Class,
    detail: ActDetail,
) -> Vec<Draft> {
    let draft = |class, metadata| Draft::new(kind, class, metadata, DraftContent::None);
    vec![
        draft(Class::Custody, Metadata::Custody(custody)),
        draft(class, Metadata::ActDetail(detail)),
    ]
}
