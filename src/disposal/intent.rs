//! Intents and approvals: leaves of the log, decided in the writer's thread.
//!
//! ```text
//! leaf n    kind 12 or 13, class custody     intent: units, counts, digests; approval: the hash of the intent's leaf
//! leaf n+1  the same kind, class of the trace  who, and what was stated (`act-detail`)
//! ```
//!
//! # Invariants
//! 1. An approval is of one intent, by the hash of its leaf, and two different principals give the two: looked at when it
//!    is recorded, and again in the batch that disposes.
//! 2. A unit is named by one open intent at a time.

use super::units::leaves_of;
use super::{DisposalError, Disposer, unit_id};
use crate::access::{self, Permit};
use crate::holds;
use crate::keyring::Keyring;
use crate::record::open::{self, Opened, RecordError};
use crate::record::prepare::{Draft, DraftContent};
use crate::seal::Authorities;
use crate::sequencer::{Moment, Span};
use crate::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, IntentRow, IntentState};
use crate::store::cf::leaf::Leaves;
use crate::store::{KeyRange, Order, Rows, Store};
use ceralacca_formats::digest::{ContentHasher, Sha256};
use ceralacca_formats::disposal::{DisposalApproval, DisposalIntent, DisposalUnit, IntendedUnit};
use ceralacca_formats::hold::ActDetail;
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind, Leaf};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_retention::{
    self as retention, Approval, BatchCap, HoldSet, Intent, IntentId, Principal, Refusal,
    TwoPrincipals,
};
use std::collections::BTreeMap;

/// An intent that was recorded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Intended {
    /// Its leaf.
    pub intent: LeafIndex,
    /// The hash of the leaf: what is approved.
    pub hash: Sha256,
    /// What it names.
    pub units: Vec<DisposalUnit>,
}

/// An approval that was recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Approved {
    /// Its leaf.
    pub leaf: LeafIndex,
    /// Approvals of the intent, this one included.
    pub approvals: usize,
}

/// The log, as the rule of time needs it: in the writer's thread or beside it.
pub(super) struct View<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) keyring: &'a Keyring,
    pub(super) spans: &'a [Span],
}

/// An intent, as its leaf says.
pub(super) struct Logged {
    pub(super) hash: Sha256,
    pub(super) at: UtcMillis,
    pub(super) says: DisposalIntent,
}

impl<'a> View<'a> {
    pub(super) fn of(moment: &Moment<'a>) -> Self {
        Self {
            store: moment.store,
            keyring: moment.keyring,
            spans: moment.spans,
        }
    }

    fn opened(&self, index: LeafIndex, kind: Kind) -> Result<Opened, DisposalError> {
        let leaf = self.store.read::<Leaves>(&index)?;
        let leaf = leaf.filter(|leaf| leaf.kind == kind);
        let leaf: Leaf = leaf.ok_or(DisposalError::NoIntent(index))?;
        let after = self.spans.partition_point(|span| span.first <= index);
        let span = after.checked_sub(1).and_then(|at| self.spans.get(at));
        let span = span.ok_or(DisposalError::Corrupt("a leaf in no interval"))?;
        Ok(open::open(self.store, self.keyring, span.id, leaf)?)
    }

    /// An intent of the log.
    pub(super) fn intent(&self, index: LeafIndex) -> Result<Logged, DisposalError> {
        let opened = self.opened(index, Kind::DisposalIntent)?;
        match opened.metadata()? {
            Metadata::Custody(CustodyRecord::DisposalIntent(says)) => Ok(Logged {
                hash: Sha256::from_bytes(*opened.leaf.hash().as_bytes()),
                at: opened.leaf.time,
                says,
            }),
            _ => Err(DisposalError::NoIntent(index)),
        }
    }

    /// An approval of the log, with its time; none where the leaf says anything else.
    pub(super) fn approval(
        &self,
        index: LeafIndex,
    ) -> Result<Option<(Approval, UtcMillis)>, DisposalError> {
        let opened = match self.opened(index, Kind::Approval) {
            Err(DisposalError::NoIntent(_)) => return Ok(None),
            other => other?,
        };
        let Metadata::Custody(CustodyRecord::DisposalApproval(says)) = opened.metadata()? else {
            return Ok(None);
        };
        let detail = self.opened(
            LeafIndex::new(index.get().saturating_add(1)),
            Kind::Approval,
        );
        let detail = match detail {
            // Who acted goes with the traces of that day: an approval of so long ago counts no more.
            Err(
                DisposalError::NoIntent(_) | DisposalError::Record(RecordError::Disposed { .. }),
            ) => return Ok(None),
            other => other?.metadata()?,
        };
        let Metadata::ActDetail(detail) = detail else {
            return Ok(None);
        };
        let principal = Principal::new(detail.principal.to_str().unwrap_or_default())?;
        let approval = Approval {
            intent: IntentId::new(*says.intent_hash.as_bytes()),
            principal,
            leaf: super::index_of(index),
        };
        Ok(Some((approval, opened.leaf.time)))
    }

    /// How an intent stands.
    pub(super) fn row(&self, intent: LeafIndex) -> Result<IntentRow, DisposalError> {
        match self.store.read::<Disposals>(&DisposalKey::Intent(intent))? {
            Some(DisposalRow::Intent(row)) => Ok(row),
            _ => Err(DisposalError::NoIntent(intent)),
        }
    }

    /// The row of an intent that is open.
    fn open_row(&self, intent: LeafIndex) -> Result<IntentRow, DisposalError> {
        let row = self.row(intent)?;
        match row.state {
            IntentState::Open => Ok(row),
            IntentState::Withdrawn | IntentState::CarriedOut => Err(DisposalError::Settled(intent)),
        }
    }

    /// Whether all that approved an intent are on record.
    pub(super) fn is_on_record(&self, row: &IntentRow) -> Result<bool, DisposalError> {
        for leaf in &row.approvals {
            if self.approval(*leaf)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The units that open intents name. One whose approvals are no longer on record is as none: its units are intended
    /// anew.
    pub(super) fn intended(&self) -> Result<BTreeMap<DisposalUnit, LeafIndex>, DisposalError> {
        let range = KeyRange::prefix(DisposalKey::INTENTS);
        let mut intended = BTreeMap::new();
        for row in self.store.rows::<Disposals>(&range, Order::Ascending) {
            let (DisposalKey::Intent(leaf), DisposalRow::Intent(row)) = row? else {
                continue;
            };
            if row.state == IntentState::Open && self.is_on_record(&row)? {
                let units = self.intent(leaf)?.says.units;
                intended.extend(units.into_iter().map(|unit| (unit.unit, leaf)));
            }
        }
        Ok(intended)
    }

    /// The holds, whole, held against the log.
    pub(super) fn holds(&self) -> Result<HoldSet, DisposalError> {
        let interval_of = |index: LeafIndex| {
            let after = self.spans.partition_point(|span| span.first <= index);
            let span = after.checked_sub(1).and_then(|at| self.spans.get(at));
            span.map(|span| span.id)
        };
        Ok(holds::load(self.store, self.keyring, interval_of)?)
    }
}

/// An intent as the rule of time has it.
pub(super) fn ruled(logged: &Logged) -> Result<Intent, DisposalError> {
    let units = logged.says.units.iter().map(|unit| unit_id(unit.unit));
    let units = units.collect::<Result<_, _>>()?;
    // What was recorded was within the cap of its day.
    let cap = BatchCap::MAX;
    Ok(Intent::new(
        IntentId::new(*logged.hash.as_bytes()),
        units,
        cap,
    )?)
}

impl Disposer {
    /// The units that open intents name. One whose approvals are no longer on record is as none: its units are intended
    /// anew.
    pub(super) fn intended(&self) -> Result<BTreeMap<DisposalUnit, LeafIndex>, DisposalError> {
        self.with_view(|view| view.intended())
    }

    pub(super) fn with_view<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        let state = self.reader.published();
        look(&View {
            store: self.reader.store(),
            keyring: self.reader.keyring(),
            spans: &state.spans,
        })
    }

    /// Records that what is due is to be disposed of: the units due for longest, as many as the cap allows; or of these
    /// the ones that are named.
    pub fn intend(
        &self,
        permit: &Permit<access::Dispose>,
        authorities: &Authorities,
        only: &[DisposalUnit],
    ) -> Result<Intended, DisposalError> {
        let holds = self.holds()?;
        let proven = self.prove(authorities)?;
        let mut chosen = self.chosen(&holds, &proven, only)?;
        chosen.sort();
        let units = chosen.iter().map(|unit| self.named(*unit));
        let units = units.collect::<Result<Vec<_>, _>>()?;
        if units.is_empty() {
            return Err(DisposalError::NothingDue);
        }
        let says = DisposalIntent {
            units,
            grace_hours: self.rules.grace_hours,
        };
        let detail = detail(permit.principal(), "intent of disposal");
        let class = self.details;
        let recorded = self.sequencer.perform(move |moment, batch| {
            let named = View::of(moment).intended()?;
            for unit in &says.units {
                if let Some(intent) = named.get(&unit.unit) {
                    return Err(DisposalError::Named {
                        unit: unit.unit,
                        intent: *intent,
                    });
                }
            }
            let row = IntentRow {
                state: IntentState::Open,
                approvals: Vec::new(),
                grace: None,
            };
            batch.put::<Disposals>(&DisposalKey::Intent(moment.next), &DisposalRow::Intent(row));
            let act = CustodyRecord::DisposalIntent(says);
            Ok((
                drafts(Kind::DisposalIntent, act, class, detail),
                moment.next,
            ))
        })?;
        let intent = recorded?;
        let hash = self.with_view(|view| view.intent(intent))?.hash;
        Ok(Intended {
            intent,
            hash,
            units: chosen,
        })
    }

    /// A unit as an intent names it: with the number of its records, and the digest of their leaf hashes.
    fn named(&self, unit: DisposalUnit) -> Result<IntendedUnit, DisposalError> {
        let sealed = self.sealed_at(unit.interval)?;
        let closed = sealed.class(unit.class);
        if let Some(closed) = closed.filter(|_| unit.carried == 0) {
            return Ok(IntendedUnit {
                unit,
                records: closed.records,
                leaf_hashes: closed.leaf_hashes,
            });
        }
        let (records, leaf_hashes) = self.leaf_hashes(unit, None)?;
        Ok(IntendedUnit {
            unit,
            records,
            leaf_hashes,
        })
    }

    /// How many leaves a unit has, but for those left out, and SHA-256 of their hashes in log order.
    pub(super) fn leaf_hashes(
        &self,
        unit: DisposalUnit,
        without: Option<&retention::IndexRanges>,
    ) -> Result<(u64, Sha256), DisposalError> {
        let sealed = self.sealed_at(unit.interval)?;
        let only = match unit.carried {
            0 => None,
            _ => match self
                .reader
                .store()
                .read::<Disposals>(&DisposalKey::Held(unit))?
            {
                Some(DisposalRow::Held(row)) => Some(super::units::ranges(&row.ranges)?),
                _ => return Err(DisposalError::Corrupt("what was carried over")),
            },
        };
        let (mut records, mut hashes) = (0u64, ContentHasher::default());
        let store = self.reader.store();
        for row in store.rows::<Leaves>(&leaves_of(&sealed), Order::Ascending) {
            let (index, leaf) = row?;
            let index = super::index_of(index);
            let is_of = leaf.class == unit.class
                && only.as_ref().is_none_or(|only| only.contains(index))
                && without.is_none_or(|without| !without.contains(index));
            if is_of {
                records += 1;
                hashes.update(leaf.hash().as_bytes());
            }
        }
        Ok((records, hashes.finish().sha256))
    }

    /// Approves an intent, by the hash of its leaf. With the second approval, of another principal, the grace begins.
    pub fn approve(
        &self,
        permit: &Permit<access::Approve>,
        intent: LeafIndex,
        hash: Sha256,
    ) -> Result<Approved, DisposalError> {
        self.tick()?;
        let clock = self.soft_clock().ok_or(DisposalError::ClockUnknown)?;
        let grace = (clock.run_ms(), super::from_instant(clock.reading()));
        let who = Principal::new(permit.principal())?;
        let role = permit.role().word();
        let detail = detail(permit.principal(), "approval of disposal");
        let class = self.details;
        self.sequencer.perform(move |moment, batch| {
            let view = View::of(moment);
            let mut row = view.open_row(intent)?;
            let logged = view.intent(intent)?;
            if logged.hash != hash {
                return Err(DisposalError::OtherHash(intent));
            }
            match row.approvals[..] {
                [] => {}
                [first] => {
                    let leaf = super::index_of(first);
                    let given = view.approval(first)?;
                    let (first, _) = given.ok_or(Refusal::NotOnRecord { leaf })?;
                    if TwoPrincipals::new(first.principal, who.clone()).is_err() {
                        return Err(Refusal::SameTwice.into());
                    }
                    row.grace = Some(grace);
                }
                _ => {
                    let found = "in grace";
                    return Err(Refusal::Step { found }.into());
                }
            }
            row.approvals.push(moment.next);
            let approvals = row.approvals.len();
            batch.put::<Disposals>(&DisposalKey::Intent(intent), &DisposalRow::Intent(row));
            let act = CustodyRecord::DisposalApproval(DisposalApproval {
                intent,
                intent_hash: hash,
                role: role.into(),
            });
            let approved = Approved {
                leaf: moment.next,
                approvals,
            };
            Ok((drafts(Kind::Approval, act, class, detail), approved))
        })?
    }

    /// Gives an intent up. What of it is gone already stays so, and then it cannot be given up.
    pub fn withdraw(
        &self,
        permit: &Permit<access::Withdraw>,
        intent: LeafIndex,
    ) -> Result<LeafIndex, DisposalError> {
        let detail = detail(permit.principal(), "withdrawal of an intent of disposal");
        let class = self.details;
        self.sequencer.perform(move |moment, batch| {
            let view = View::of(moment);
            let mut row = view.open_row(intent)?;
            for named in view.intent(intent)?.says.units {
                let gone = moment
                    .store
                    .read::<Disposals>(&DisposalKey::Gone(named.unit))?;
                if let Some(DisposalRow::Gone(gone)) = gone
                    && gone.intent == intent
                {
                    return Err(super::execute::gone(named.unit, &gone.facts)?);
                }
            }
            row.state = IntentState::Withdrawn;
            batch.put::<Disposals>(&DisposalKey::Intent(intent), &DisposalRow::Intent(row));
            let act = CustodyRecord::DisposalWithdrawn(intent);
            Ok((
                drafts(Kind::DisposalIntent, act, class, detail),
                moment.next,
            ))
        })?
    }
}

fn detail(principal: &str, statement: &str) -> ActDetail {
    ActDetail {
        principal: principal.into(),
        act: None,
        statement: statement.into(),
    }
}

/// The two leaves of an act: what the log alone needs, and who did it.
fn drafts(kind: Kind, act: CustodyRecord, class: Class, detail: ActDetail) -> Vec<Draft> {
    let draft = |class, metadata| Draft::new(kind, class, metadata, DraftContent::None);
    vec![
        draft(Class::Custody, Metadata::Custody(act)),
        draft(class, Metadata::ActDetail(detail)),
    ]
}
