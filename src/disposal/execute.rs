//! The point of no return: one batch in the writer's thread.
//!
//! ```text
//! beside the writer   time proven, holds read, what they keep copied under a hold secret of its own
//! in its thread       holds read again: the same; intent and approvals read from the log; the rule asked
//!                     class secret, object secrets: removed      rows of metadata, contents, chunks, index: removed
//!                     the copy in force, the unit's row, what was carried over as a unit     all in one synced batch
//! ```
//!
//! # Invariants
//! 1. What is copied is what the rule says to carry over: in the batch it is asked again, and must say the same.
//! 2. A removed range is one entry of the batch, however many rows it held, and what is in memory was brought to tables
//!    just before: the writer's turn is short.
//! 3. The grace began no earlier than the leaf of the second approval says: a forged row shortens nothing.

use super::intent::{Logged, View, ruled};
use super::steps::Step;
use super::time::Proven;
use super::{DisposalError, DisposalProbe, Disposer, from_instant, index_of, instant, unit_id};
use crate::record::held;
use crate::seal::Authorities;
use crate::store::cf::chunk::Chunks;
use crate::store::cf::content::Contents;
use crate::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, GoneRow, HeldUnitRow};
use crate::store::cf::held::{HeldCopy, HeldKey, HeldRecords, HeldRow};
use crate::store::cf::index::Index;
use crate::store::cf::metadata::EncryptedMetadata;
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::cf::staging::Staging;
use crate::store::cf::{Family, unit_prefix};
use crate::store::{Batch, KeyRange, Rows};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::disposal_certificate::{DisposalCertificate, GivenApproval};
use ceralacca_formats::id::{INTEGER_MAX, LeafIndex, UtcMillis};
use ceralacca_formats::metadata::LeafRange;
use ceralacca_retention::{
    self as retention, Approval, Disposal, Execution, Facts, Grace, GraceStart, HoldSet,
    IndexRanges, Refusal, Stage, Unit,
};

/// Name and version, as the certificate says it.
const SOFTWARE: &str = concat!("ceralacca ", env!("CARGO_PKG_VERSION"));

/// What a disposal is decided on, beside the writer.
struct Ready {
    unit: DisposalUnit,
    judged: Unit,
    intent: LeafIndex,
    holds: HoldSet,
    proven: Proven,
    carry: Option<IndexRanges>,
    facts: DisposalCertificate,
}

/// The copy into which what a hold keeps of a unit is carried over.
fn next_copy(unit: DisposalUnit) -> HeldCopy {
    HeldCopy {
        interval: unit.interval,
        class: unit.class,
        carried: unit.carried.saturating_add(1),
    }
}

/// A unit as it stands after being carried over.
fn next_unit(unit: DisposalUnit) -> DisposalUnit {
    DisposalUnit {
        carried: unit.carried.saturating_add(1),
        ..unit
    }
}

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

fn leaf_ranges(ranges: &IndexRanges) -> Vec<LeafRange> {
    let ranges = ranges.iter();
    let ranges = ranges.map(|range| LeafRange {
        first: integer(range.first().as_u64()),
        last: integer(range.last().as_u64()),
    });
    ranges.collect()
}

/// The refusal of a step that comes after a unit is gone.
pub(super) fn gone(unit: DisposalUnit, facts: &[u8]) -> Result<DisposalError, DisposalError> {
    let facts = DisposalCertificate::parse(facts);
    let facts = facts.ok_or(DisposalError::Corrupt("the facts of a disposal"))?;
    let refusal = Refusal::Gone {
        unit: unit_id(unit)?,
        proven: instant(facts.proven),
        hold: None,
    };
    Ok(refusal.into())
}

/// The stage of an intent's units before the batch: approvals and grace as the log has them.
fn stage(
    view: &View<'_>,
    intent: LeafIndex,
) -> Result<(Logged, Vec<Approval>, Stage), DisposalError> {
    let logged = view.intent(intent)?;
    let row = view.row(intent)?;
    let mut approvals = Vec::new();
    let mut latest = UtcMillis::new(0);
    for leaf in &row.approvals {
        let given = view.approval(*leaf)?;
        let (given, at) = given.ok_or(Refusal::NotOnRecord {
            leaf: index_of(*leaf),
        })?;
        latest = latest.max(at);
        approvals.push(given);
    }
    let id = retention::IntentId::new(*logged.hash.as_bytes());
    let stage = match (&approvals[..], row.grace) {
        ([first, second], Some((run_ms, reading))) => Stage::InGrace {
            approvals: [first.clone(), second.clone()],
            since: GraceStart {
                run_ms,
                // A row may be forged, a leaf may not (invariant 3).
                reading: instant(reading.max(latest)),
            },
        },
        ([first], _) => Stage::ApprovedOnce {
            first: first.clone(),
        },
        _ => Stage::Intended { intent: id },
    };
    Ok((logged, approvals, stage))
}

/// The longer of the grace that the intent said and the one configured now.
fn grace(logged: &Logged, configured: Grace) -> Result<Grace, DisposalError> {
    let said = Grace::of_hours(logged.says.grace_hours)?;
    Ok(said.max(configured))
}

impl Disposer {
    /// Judges a unit beside the writer, as its batch will.
    fn judge(
        &self,
        unit: DisposalUnit,
        judged: &Unit,
        intent: LeafIndex,
        (holds, proven): (&HoldSet, &Proven),
    ) -> Result<(Execution, Logged, Vec<Approval>), DisposalError> {
        self.with_view(|view| judge(view, judged, intent, (holds, proven), self))
            .map_err(|error| match error {
                DisposalError::NoIntent(_) => DisposalError::Refused(Refusal::OtherIntent),
                other => other,
            })
            .and_then(|found| {
                let id = unit_id(unit)?;
                match found.0.disposal.unit().id() == id {
                    true => Ok(found),
                    false => Err(Refusal::NotInIntent { unit: id }.into()),
                }
            })
    }

    /// Disposes of a unit that an intent names, up to the batch.
    pub(super) fn execute(
        &self,
        unit: DisposalUnit,
        intent: LeafIndex,
        authorities: &Authorities,
        probe: &DisposalProbe,
    ) -> Result<(), DisposalError> {
        let sealed = self.sealed_at(unit.interval)?;
        let size = sealed.span.cut.unwrap_or_default();
        if self.reader.coverage().runs < size {
            return Err(DisposalError::NotIndexed(unit.interval));
        }
        let holds = self.holds()?;
        let judged = self.unit(unit, &holds)?;
        let proven = self.prove(authorities)?;
        let (execution, logged, approvals) =
            self.judge(unit, &judged, intent, (&holds, &proven))?;
        let carry = execution.due.carry.clone();
        if let Some(carry) = &carry {
            self.copy(unit, carry, probe)?;
        }
        let (records, leaf_hashes) = self.leaf_hashes(unit, carry.as_ref())?;
        let facts = self.facts(
            unit, intent, &logged, &approvals, &execution, &proven, &holds,
        )?;
        let facts = DisposalCertificate {
            records,
            leaf_hashes,
            ..facts
        };
        probe.at("batch")?;
        // Beside the writer, who brings what is in memory to tables before this batch, and is not to wait for much of it.
        self.reader.store().flush(Family::OF_AN_INTERVAL)?;
        let ready = Ready {
            unit,
            judged,
            intent,
            holds,
            proven,
            carry,
            facts,
        };
        self.commit(ready)?;
        // From here on it is gone.
        let keyring = self.reader.keyring();
        keyring.forget(unit.interval, unit.class, unit.carried);
        Ok(())
    }

    /// Copies what a hold keeps under a secret of its own. Nothing of it counts before the batch.
    fn copy(
        &self,
        unit: DisposalUnit,
        carry: &IndexRanges,
        probe: &DisposalProbe,
    ) -> Result<(), DisposalError> {
        let (store, keyring) = (self.reader.store(), self.reader.keyring());
        let copy = next_copy(unit);
        probe.at("secret of the held")?;
        if store.read::<Secrets>(&SecretKey::Held(copy))?.is_none() {
            let mut batch = Batch::new();
            keyring.create_held(copy, &*self.entropy, &mut batch);
            store.commit(&batch)?;
        }
        let state = self.reader.published();
        for range in carry.iter() {
            for index in range.first().as_u64()..=range.last().as_u64() {
                probe.at("copy of the held")?;
                let opened = self.reader.record(&state, LeafIndex::new(index))?;
                held::carry(store, keyring, &*self.entropy, &opened, copy)?;
            }
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each is a fact of the certificate"
    )]
    fn facts(
        &self,
        unit: DisposalUnit,
        intent: LeafIndex,
        logged: &Logged,
        approvals: &[Approval],
        execution: &Execution,
        proven: &Proven,
        holds: &HoldSet,
    ) -> Result<DisposalCertificate, DisposalError> {
        let sealed = self.sealed_at(unit.interval)?;
        let given = |approval: &Approval| GivenApproval {
            leaf: LeafIndex::new(approval.leaf.as_u64()),
            principal: approval.principal.name().into(),
        };
        let [first, second] = approvals else {
            return Err(DisposalError::Corrupt("approvals of an intent"));
        };
        let released = holds
            .holds()
            .iter()
            .filter(|hold| hold.released().is_some());
        let due = &execution.due;
        let by = match proven.time.limited_by() {
            retention::Witness::Authorities => "authorities",
            retention::Witness::Chain => "chain",
            retention::Witness::Clock => "clock",
        };
        Ok(DisposalCertificate {
            approvals: [given(first), given(second)],
            authorities: proven.witnesses.clone(),
            clock: proven.clock,
            completed: None,
            completed_at: None,
            is_development: self.kind() == retention::StoreKind::Development,
            executed_at: self.clock.wall(),
            first: sealed.span.first,
            size: sealed.span.cut.unwrap_or_default(),
            freed_bytes: 0,
            grace_hours: logged.says.grace_hours,
            held: due.carry.as_ref().map_or_else(Vec::new, leaf_ranges),
            holds_set: holds.holds().len() as u64,
            holds_released: released.count() as u64,
            intent,
            interval_end: sealed.span.end,
            lawful_from: from_instant(due.since),
            leaf_hashes: ceralacca_formats::digest::Sha256::from_bytes([0; 32]),
            log: self.origin.as_str().into(),
            method: vec![Step::FIRST_WORD.into()],
            months: due.reason.term().months(),
            proven: from_instant(proven.time.proven().instant()),
            proven_by: by.into(),
            records: 0,
            rule: due.reason.italian().as_str().into(),
            software: SOFTWARE.into(),
            statement: super::certificate::STATEMENT.into(),
            unit,
        })
    }

    /// The batch.
    fn commit(&self, ready: Ready) -> Result<(), DisposalError> {
        let rules = (self.rules.policy, self.rules.grace);
        self.sequencer.perform(move |moment, batch| {
            let view = View::of(moment);
            // The holds as they are now: one set before this wins wholly.
            if view.holds()? != ready.holds {
                return Err(DisposalError::HoldsChanged);
            }
            let found = judge_by(
                &view,
                &ready.judged,
                ready.intent,
                (&ready.holds, &ready.proven),
                rules,
            )?;
            let execution = found.0;
            if execution.due.carry != ready.carry {
                return Err(DisposalError::HoldsChanged);
            }
            let key = DisposalKey::Gone(ready.unit);
            if view.store.read::<Disposals>(&key)?.is_some() {
                return Err(gone(ready.unit, &ready.facts.to_bytes())?);
            }
            remove(ready.unit, batch);
            if let Some(carry) = &ready.carry {
                put_in_force(&ready, carry, batch);
            }
            let row = GoneRow {
                step: Step::FIRST.code(),
                intent: ready.intent,
                completed: None,
                facts: ready.facts.to_bytes(),
            };
            batch.put::<Disposals>(&key, &DisposalRow::Gone(row));
            // From the commit of this on nothing brings it back.
            Ok((Vec::new(), ()))
        })?
    }
}

fn judge(
    view: &View<'_>,
    judged: &Unit,
    intent: LeafIndex,
    by: (&HoldSet, &Proven),
    disposer: &Disposer,
) -> Result<(Execution, Logged, Vec<Approval>), DisposalError> {
    let rules = (disposer.rules.policy, disposer.rules.grace);
    judge_by(view, judged, intent, by, rules)
}

/// Asks the rule: intent and approvals read from the log, everything judged now.
fn judge_by(
    view: &View<'_>,
    judged: &Unit,
    intent: LeafIndex,
    (holds, proven): (&HoldSet, &Proven),
    (policy, configured): (retention::Policy, Grace),
) -> Result<(Execution, Logged, Vec<Approval>), DisposalError> {
    let (logged, approvals, stage) = stage(view, intent)?;
    let ruled = ruled(&logged)?;
    let disposal = Disposal::resume(judged.clone(), stage)?;
    let execution = disposal.execute(&Facts {
        policy: &policy,
        holds,
        time: &proven.time,
        grace: grace(&logged, configured)?,
        intent: &ruled,
        approvals: &approvals,
    })?;
    Ok((execution, logged, approvals))
}

/// Removes the secrets of a unit, and its rows.
fn remove(unit: DisposalUnit, batch: &mut Batch) {
    let (interval, class) = (unit.interval, unit.class);
    batch.set_apart();
    if unit.carried == 0 {
        batch.delete::<Secrets>(&SecretKey::Class(interval, class));
        batch.delete_range::<Secrets>(&KeyRange::prefix(&SecretKey::objects(interval, class)));
        let rows = KeyRange::prefix(&unit_prefix(interval, class));
        batch.delete_range::<EncryptedMetadata>(&rows);
        batch.delete_range::<Contents>(&rows);
        batch.delete_range::<Chunks>(&rows);
        // Of uploads whose leaf never came, though the process that took them still runs.
        batch.delete_range::<Staging>(&rows);
        batch.delete_range::<Index>(&rows);
        return;
    }
    let copy = HeldCopy {
        interval,
        class,
        carried: unit.carried,
    };
    batch.delete::<Secrets>(&SecretKey::Held(copy));
    for prefix in copy.prefixes() {
        batch.delete_range::<HeldRecords>(&KeyRange::prefix(&prefix));
    }
    batch.delete::<HeldRecords>(&HeldKey::InForce(interval, class));
}

/// Puts the copy of what a hold keeps in force, and what it holds as a unit of its own.
fn put_in_force(ready: &Ready, carry: &IndexRanges, batch: &mut Batch) {
    let copy = next_copy(ready.unit);
    batch.put::<HeldRecords>(
        &HeldKey::InForce(copy.interval, copy.class),
        &HeldRow::InForce(copy.carried),
    );
    let index = LeafIndex::new;
    let ranges = carry.iter();
    let ranges = ranges.map(|range| (index(range.first().as_u64()), index(range.last().as_u64())));
    let row = HeldUnitRow {
        latest: from_instant(ready.judged.candidate().latest().instant()),
        ranges: ranges.collect(),
    };
    let key = DisposalKey::Held(next_unit(ready.unit));
    batch.put::<Disposals>(&key, &DisposalRow::Held(row));
}
