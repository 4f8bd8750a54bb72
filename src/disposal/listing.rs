//! What was disposed of, what is to be, and what ought to be.

use super::intent::View;
use super::steps::{Step, held_count};
use super::{DisposalError, Disposer, lock};
use crate::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, GoneRow, IntentState};
use crate::store::{KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::disposal::{DisposalUnit, IntendedUnit};
use ceralacca_formats::disposal_certificate::DisposalCertificate;
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_retention::{Grace, overdue};

/// How far an intent has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IntentStage {
    /// Nobody approved it.
    Intended,
    /// One principal did.
    ApprovedOnce,
    /// Two did: what is left of the grace by the software clock, in milliseconds.
    InGrace(u64),
    /// Who approved it is no longer on record, disposed of with the traces of that day: it counts no more, and its units
    /// are intended anew.
    Lapsed,
    /// It was given up.
    Withdrawn,
    /// All its units are gone.
    CarriedOut,
}

impl IntentStage {
    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::ApprovedOnce => "approved-once",
            Self::InGrace(_) => "in-grace",
            Self::Lapsed => "lapsed",
            Self::Withdrawn => "withdrawn",
            Self::CarriedOut => "carried-out",
        }
    }
}

/// An intent of the log.
#[derive(Clone, Debug)]
pub struct KnownIntent {
    /// Its leaf.
    pub intent: LeafIndex,
    /// The hash of it: what is approved.
    pub hash: Sha256,
    /// When it was recorded.
    pub at: UtcMillis,
    /// What it names.
    pub units: Vec<IntendedUnit>,
    /// Leaves of its approvals.
    pub approvals: Vec<LeafIndex>,
    /// How far it has come.
    pub stage: IntentStage,
}

/// A unit that is gone.
#[derive(Clone, Debug)]
pub struct GoneUnit {
    /// Which.
    pub unit: DisposalUnit,
    /// Its intent.
    pub intent: LeafIndex,
    /// What comes next.
    pub step: Step,
    /// The leaf that says that it is complete.
    pub completed: Option<LeafIndex>,
    /// Records disposed of, and records carried over.
    pub records: u64,
    /// See there.
    pub held: u64,
    /// Octets that were freed, as far as they were measured.
    pub freed_bytes: u64,
    /// When its secret was destroyed.
    pub executed_at: UtcMillis,
}

/// A unit that is gone, with its certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertifiedUnit {
    /// The unit.
    pub unit: DisposalUnit,
    /// Its certificate, CMS SignedData, DER; none before it is issued.
    pub certificate: Option<Vec<u8>>,
}

/// What of a class of an interval is gone: as it was sealed, and as it was carried over, in this order.
pub fn certificates(
    store: &dyn Store,
    interval: IntervalId,
    class: Class,
) -> Result<Vec<CertifiedUnit>, StoreError> {
    let certified = |(unit, _)| {
        let certificate = store.read::<Disposals>(&DisposalKey::Certificate(unit))?;
        Ok(CertifiedUnit {
            unit,
            certificate: match certificate {
                Some(DisposalRow::Certificate(octets)) => Some(octets),
                _ => None,
            },
        })
    };
    let rows = gone_rows(store, interval, class)?;
    rows.into_iter().map(certified).collect()
}

/// The rows of what of a class of an interval is gone.
fn gone_rows(
    store: &dyn Store,
    interval: IntervalId,
    class: Class,
) -> Result<Vec<(DisposalUnit, GoneRow)>, StoreError> {
    let mut found = Vec::new();
    for carried in 0.. {
        let unit = DisposalUnit {
            interval,
            class,
            carried,
        };
        let row = store.read::<Disposals>(&DisposalKey::Gone(unit))?;
        let Some(DisposalRow::Gone(row)) = row else {
            break;
        };
        found.push((unit, row));
    }
    Ok(found)
}

/// In numbers, for the state of a log and for alarms.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Overview {
    /// Units due for longer than allowed: an alarm.
    pub overdue: u64,
    /// The oldest of them, and since when it is due.
    pub oldest: Option<(DisposalUnit, UtcMillis)>,
    /// Open intents.
    pub open: u64,
    /// Units whose secret is destroyed, and whose bytes are not gone yet.
    pub under_way: u64,
    /// Units that are gone.
    pub gone: u64,
    /// Octets that were freed, as far as they were measured.
    pub freed_bytes: u64,
}

impl Disposer {
    /// Intents above a leaf, oldest first, at most so many.
    pub fn intents(
        &self,
        after: Option<LeafIndex>,
        limit: usize,
    ) -> Result<Vec<KnownIntent>, DisposalError> {
        let mut range = KeyRange::prefix(DisposalKey::INTENTS);
        if let Some(after) = after {
            let next = after.get().saturating_add(1).to_be_bytes();
            range.start.extend_from_slice(&next);
        }
        let mut intents = Vec::new();
        let rows = self
            .reader
            .store()
            .rows::<Disposals>(&range, Order::Ascending);
        for row in rows.take(limit) {
            if let (DisposalKey::Intent(intent), DisposalRow::Intent(row)) = row? {
                intents.push(self.with_view(|view| self.known(view, intent, row))?);
            }
        }
        Ok(intents)
    }

    fn known(
        &self,
        view: &View<'_>,
        intent: LeafIndex,
        row: crate::store::cf::disposal::IntentRow,
    ) -> Result<KnownIntent, DisposalError> {
        let logged = view.intent(intent)?;
        let is_lapsed = row.state == IntentState::Open && !view.is_on_record(&row)?;
        let stage = match (row.state, row.approvals.len(), row.grace) {
            (IntentState::Withdrawn, ..) => IntentStage::Withdrawn,
            (IntentState::CarriedOut, ..) => IntentStage::CarriedOut,
            (IntentState::Open, ..) if is_lapsed => IntentStage::Lapsed,
            (IntentState::Open, _, Some((run_ms, _))) => {
                let ran = self.soft_clock().map_or(0, |clock| clock.run_ms());
                let said = Grace::of_hours(logged.says.grace_hours)?;
                let grace = said.max(self.rules.grace);
                let gone_by = ran.saturating_sub(run_ms);
                IntentStage::InGrace(grace.millis().saturating_sub(gone_by))
            }
            (IntentState::Open, 0, _) => IntentStage::Intended,
            (IntentState::Open, ..) => IntentStage::ApprovedOnce,
        };
        Ok(KnownIntent {
            intent,
            hash: logged.hash,
            at: logged.at,
            units: logged.says.units,
            approvals: row.approvals,
            stage,
        })
    }

    /// Units that are gone, above one, oldest interval first, at most so many.
    pub fn gone(
        &self,
        after: Option<DisposalUnit>,
        limit: usize,
    ) -> Result<Vec<GoneUnit>, DisposalError> {
        let range = KeyRange::prefix(DisposalKey::ALL_GONE);
        let mut gone = Vec::new();
        for row in self
            .reader
            .store()
            .rows::<Disposals>(&range, Order::Ascending)
        {
            let (DisposalKey::Gone(unit), DisposalRow::Gone(row)) = row? else {
                continue;
            };
            if after.is_some_and(|after| unit <= after) {
                continue;
            }
            if gone.len() >= limit {
                break;
            }
            gone.push(shown(unit, &row)?);
        }
        Ok(gone)
    }

    /// The units of a class of an interval that are gone: as it was sealed, and as it was carried over.
    pub fn gone_of(
        &self,
        interval: IntervalId,
        class: Class,
    ) -> Result<Vec<GoneUnit>, DisposalError> {
        let found = gone_rows(self.reader.store(), interval, class)?;
        let found = found.iter().map(|(unit, row)| shown(*unit, row));
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Looks at everything: what is overdue by the software clock alone, what is open, what is gone. For the state of the
    /// log ([`Disposer::overview`]) and for alarms.
    pub fn look(&self) -> Result<Overview, DisposalError> {
        let mut overview = Overview::default();
        let rows = self
            .reader
            .store()
            .rows::<Disposals>(&KeyRange::all(), Order::Ascending);
        for row in rows {
            match row?.1 {
                DisposalRow::Intent(row) if row.state == IntentState::Open => overview.open += 1,
                DisposalRow::Gone(row) => {
                    let is_done = row.step == Step::Done.code();
                    overview.gone += u64::from(is_done);
                    overview.under_way += u64::from(!is_done);
                    let facts = DisposalCertificate::parse(&row.facts);
                    overview.freed_bytes += facts.map_or(0, |facts| facts.freed_bytes);
                }
                DisposalRow::Intent(_) | DisposalRow::Certificate(_) | DisposalRow::Held(_) => {}
            }
        }
        if let Some(clock) = self.soft_clock() {
            let holds = self.holds()?;
            for (unit, _) in self.there()? {
                let judged = self.unit(unit, &holds)?;
                let (policy, allowed) = (&self.rules.policy, self.rules.overdue_ms);
                let late = overdue(&judged, policy, &holds, clock.proven(), allowed);
                // A term that cannot be counted is told by the plan.
                if let Ok(Some(late)) = late {
                    overview.overdue += 1;
                    let since = super::from_instant(late.since);
                    overview.oldest.get_or_insert((unit, since));
                }
            }
        }
        *lock(&self.overview) = overview;
        Ok(overview)
    }

    /// What was seen when it was looked last.
    pub fn overview(&self) -> Overview {
        *lock(&self.overview)
    }
}

fn shown(unit: DisposalUnit, row: &GoneRow) -> Result<GoneUnit, StoreError> {
    let corrupt = || StoreError::Corrupt("the facts of a disposal".to_owned());
    let facts = DisposalCertificate::parse(&row.facts).ok_or_else(corrupt)?;
    Ok(GoneUnit {
        unit,
        intent: row.intent,
        step: Step::of(row.step).ok_or_else(corrupt)?,
        completed: row.completed,
        records: facts.records,
        held: held_count(&facts),
        freed_bytes: facts.freed_bytes,
        executed_at: facts.executed_at,
    })
}
