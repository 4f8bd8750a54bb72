//! What there is to dispose of, and what the rule of time says of it.
//!
//! A unit is the records of one class in one closed interval, or those of them that a hold kept so far. Its start is the
//! latest of its records': the latest ingest, or the time proven at the closing where that is later (it is, unless the
//! clock ran ahead). An event time is capped at ingest, so it moves nothing; records of a migrated interval wait as those
//! beside them.

use super::time::Proven;
use super::{DisposalError, Disposer, class_of, from_instant, index_of, instant, lock, unit_id};
use crate::holds;
use crate::seal::{Authorities, SealError};
use crate::sequencer::{Published, Span};
use crate::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, HeldUnitRow};
use crate::store::cf::erasure::{ErasureStep, Erasures};
use crate::store::cf::leaf::Leaves;
use crate::store::{KeyRange, Order, Rows};
use ceralacca_formats::closing::ClosedClass;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::{INTEGER_MAX, IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_retention::{
    self as retention, Candidate, Closing, HoldSet, IndexRange, IndexRanges, ProvenTime, Start,
    Unit, Verdict, judge,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A closed interval, as its closing leaf says.
pub(super) struct SealedInterval {
    pub(super) span: Span,
    pub(super) closing: Closing,
    pub(super) classes: Vec<ClosedClass>,
    /// The latest time of its leaves; none before it was asked for.
    latest: std::sync::OnceLock<UtcMillis>,
}

/// What is to be done with a unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnitVerdict {
    /// Its term has ended, in proven time, and something of it is free.
    Due,
    /// Its term has not ended, as far as time is proven.
    Kept,
    /// All of it is under hold.
    Held,
    /// It is due and named by an open intent, at this leaf.
    Intended(LeafIndex),
    /// Its term has ended by the software clock, and no time is proven.
    Waiting,
    /// Its term cannot be counted: to be looked into.
    Broken,
}

impl UnitVerdict {
    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Kept => "kept",
            Self::Held => "held",
            Self::Intended(_) => "intended",
            Self::Waiting => "waiting",
            Self::Broken => "broken",
        }
    }
}

/// A unit, and what the rule says of it.
#[derive(Clone, Debug)]
pub struct UnitReport {
    /// Which.
    pub unit: DisposalUnit,
    /// Its records.
    pub records: u64,
    /// What is to be done with it.
    pub verdict: UnitVerdict,
    /// Why, with the article, in English.
    pub english: String,
    /// The same in Italian.
    pub italian: String,
    /// The first instant at which its disposal is lawful, where the term can be counted.
    pub lawful_from: Option<UtcMillis>,
}

/// What is due, and what is not and why.
#[derive(Clone, Debug)]
pub struct PlanReport {
    /// The proven time and its witness, or why none is proven: in English and in Italian.
    pub time: Result<(String, String), (String, String)>,
    /// What those authorities said that gave no token.
    pub silent: Vec<String>,
    /// Every unit that is there, oldest first.
    pub units: Vec<UnitReport>,
}

impl SealedInterval {
    fn hull(&self) -> Option<IndexRange> {
        let size = self.span.cut?.get();
        let last = LeafIndex::new(size.checked_sub(1)?);
        IndexRange::new(index_of(self.span.first), index_of(last)).ok()
    }

    pub(super) fn class(&self, class: Class) -> Option<&ClosedClass> {
        self.classes.iter().find(|closed| closed.class == class)
    }
}

impl Disposer {
    /// The closed intervals, oldest first, from the first one whose closing still opens.
    pub(super) fn sealed(&self) -> Result<Vec<Arc<SealedInterval>>, DisposalError> {
        let state = self.reader.published();
        let mut sealed: Vec<Arc<SealedInterval>> = Vec::new();
        for span in state.spans.iter() {
            let Some(leaf) = span.closed else { break };
            if let Some(known) = lock(&self.known).get(&span.id) {
                sealed.push(Arc::clone(known));
                continue;
            }
            let opened = self.reader.record(&state, leaf)?;
            let closing = crate::seal::closing_of(&opened.canonical)?;
            let interval = Arc::new(interval(&state, *span, closing)?);
            lock(&self.known).insert(span.id, Arc::clone(&interval));
            sealed.push(interval);
        }
        Ok(sealed)
    }

    /// A closed interval.
    pub(super) fn sealed_at(
        &self,
        interval: IntervalId,
    ) -> Result<Arc<SealedInterval>, DisposalError> {
        let mut sealed = self.sealed()?.into_iter();
        let found = sealed.find(|sealed| sealed.span.id == interval);
        found.ok_or(DisposalError::Corrupt(
            "a unit of an interval that is not closed",
        ))
    }

    /// The latest time of the leaves of an interval.
    fn latest(&self, sealed: &SealedInterval) -> Result<UtcMillis, DisposalError> {
        if let Some(latest) = sealed.latest.get() {
            return Ok(*latest);
        }
        let mut latest = UtcMillis::new(0);
        for row in self
            .reader
            .store()
            .rows::<Leaves>(&leaves_of(sealed), Order::Ascending)
        {
            latest = latest.max(row?.1.time);
        }
        Ok(*sealed.latest.get_or_init(|| latest))
    }

    /// The start of a unit's term.
    fn start(&self, sealed: &SealedInterval) -> Result<Start, DisposalError> {
        let latest = instant(self.latest(sealed)?);
        Ok(Start::new(latest, latest, sealed.closing.token))
    }

    /// The holds, whole, held against the log.
    pub(super) fn holds(&self) -> Result<HoldSet, DisposalError> {
        let state = self.reader.published();
        let store = self.reader.store();
        let interval_of = |index| Some(state.interval_of(index));
        Ok(holds::load(store, self.reader.keyring(), interval_of)?)
    }

    /// What was carried over and is there.
    pub(super) fn carried(&self) -> Result<BTreeMap<DisposalUnit, HeldUnitRow>, DisposalError> {
        let range = KeyRange::prefix(DisposalKey::ALL_HELD);
        let mut carried = BTreeMap::new();
        for row in self
            .reader
            .store()
            .rows::<Disposals>(&range, Order::Ascending)
        {
            if let (DisposalKey::Held(unit), DisposalRow::Held(row)) = row?
                && !self.is_gone(unit)?
            {
                carried.insert(unit, row);
            }
        }
        Ok(carried)
    }

    /// Whether the secret of a unit was destroyed.
    pub(super) fn is_gone(&self, unit: DisposalUnit) -> Result<bool, DisposalError> {
        let row = self
            .reader
            .store()
            .read::<Disposals>(&DisposalKey::Gone(unit))?;
        Ok(row.is_some())
    }

    /// Every unit that is there, but for acts of the archive: oldest first.
    pub(super) fn there(&self) -> Result<Vec<(DisposalUnit, u64)>, DisposalError> {
        let mut units = Vec::new();
        for sealed in self.sealed()? {
            for closed in &sealed.classes {
                let unit = DisposalUnit {
                    interval: sealed.span.id,
                    class: closed.class,
                    carried: 0,
                };
                if closed.class != Class::Custody && closed.records > 0 && !self.is_gone(unit)? {
                    units.push((unit, closed.records));
                }
            }
        }
        for (unit, row) in self.carried()? {
            units.push((
                unit,
                row.ranges.iter().map(|(a, b)| b.get() - a.get() + 1).sum(),
            ));
        }
        units.sort();
        Ok(units)
    }

    /// A unit as the rule of time judges it. Of the leaves that it spans, those of other classes are left out where a
    /// hold names them: only what a hold names must be told apart.
    pub(super) fn unit(&self, unit: DisposalUnit, holds: &HoldSet) -> Result<Unit, DisposalError> {
        let interval = instant(unit.interval.start());
        let class = class_of(unit.class)?;
        if unit.carried > 0 {
            let key = DisposalKey::Held(unit);
            let row = self.reader.store().read::<Disposals>(&key)?;
            let Some(DisposalRow::Held(row)) = row else {
                return Err(DisposalError::Corrupt("what was carried over"));
            };
            let latest = instant(row.latest);
            let closing = ProvenTime::from_token(latest, 0);
            let closing = closing.map_err(|_| DisposalError::Corrupt("a start"))?;
            let start = Start::new(latest, latest, closing);
            let candidate = Candidate::unit(class, ranges(&row.ranges)?, start);
            return Ok(Unit::carried(interval, unit.carried, candidate));
        }
        let sealed = self.sealed_at(unit.interval)?;
        let start = self.start(&sealed)?;
        let whole = IndexRanges::from(
            sealed
                .hull()
                .ok_or(DisposalError::Corrupt("a unit of an empty interval"))?,
        );
        let named = holds.holds().iter().flat_map(|hold| hold.indexes().iter());
        let named = IndexRanges::new(named).ok();
        let named = named.and_then(|named| whole.intersection(&named));
        let indexes = match named {
            None => whole,
            Some(named) => self.told_apart(&sealed, unit.class, whole, named)?,
        };
        Ok(Unit::sealed(
            interval,
            Candidate::unit(class, indexes, start),
        ))
    }

    /// Of the leaves that a unit spans those that it has, where holds name some: without those named of other classes,
    /// and without what was erased singly, of which a hold keeps nothing.
    fn told_apart(
        &self,
        sealed: &SealedInterval,
        class: Class,
        whole: IndexRanges,
        named: IndexRanges,
    ) -> Result<IndexRanges, DisposalError> {
        let erased = self.erased(sealed)?;
        let (whole, named) = match &erased {
            None => (whole, Some(named)),
            Some(erased) => (
                whole.difference(erased).map_or_else(none_left, Ok)?,
                named.difference(erased),
            ),
        };
        let Some(named) = named else {
            return Ok(whole);
        };
        let gone = match &erased {
            None => 0,
            Some(erased) => {
                let (own, _) = self.parted(erased, class)?;
                own.map_or(0, |own| own.count())
            }
        };
        let (own, others) = self.parted(&named, class)?;
        let records = sealed.class(class).map_or(0, |closed| closed.records);
        Ok(match own {
            Some(own) if own.count() + gone >= u128::from(records) => own,
            _ => match others {
                None => whole,
                // The class has records beside those, so something is left, unless it was erased.
                Some(others) => whole.difference(&others).map_or_else(none_left, Ok)?,
            },
        })
    }

    /// The leaves of an interval that were erased singly.
    fn erased(&self, sealed: &SealedInterval) -> Result<Option<IndexRanges>, DisposalError> {
        let mut erased = Vec::new();
        let store = self.reader.store();
        for row in store.rows::<Erasures>(&leaves_of(sealed), Order::Ascending) {
            if let ((record, ErasureStep::Erased), _) = row? {
                let index = index_of(record);
                erased.extend(IndexRange::new(index, index));
            }
        }
        Ok(IndexRanges::new(erased).ok())
    }

    /// Leaves, parted into those of a class and the others.
    fn parted(
        &self,
        named: &IndexRanges,
        class: Class,
    ) -> Result<(Option<IndexRanges>, Option<IndexRanges>), DisposalError> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        let mut begun: Option<(bool, u64, u64)> = None;
        let mut end = |run: Option<(bool, u64, u64)>| {
            let Some((is_own, first, last)) = run else {
                return;
            };
            let index = retention::LeafIndex::new;
            let to = if is_own { &mut own } else { &mut others };
            to.extend(IndexRange::new(index(first), index(last)));
        };
        for range in named.iter() {
            let (first, last) = (range.first().as_u64(), range.last().as_u64());
            let keys = KeyRange {
                start: first.to_be_bytes().to_vec(),
                end: Some(last.saturating_add(1).to_be_bytes().to_vec()),
            };
            for row in self.reader.store().rows::<Leaves>(&keys, Order::Ascending) {
                let (index, leaf) = row?;
                let (is_own, index) = (leaf.class == class, index.get());
                begun = match begun {
                    Some((same, first, before)) if same == is_own && before + 1 == index => {
                        Some((same, first, index))
                    }
                    other => {
                        end(other);
                        Some((is_own, index, index))
                    }
                };
            }
        }
        end(begun);
        Ok((IndexRanges::new(own).ok(), IndexRanges::new(others).ok()))
    }

    /// What is due now, and of all else why it is not.
    pub fn plan(&self, authorities: &Authorities) -> Result<PlanReport, DisposalError> {
        let proven = match self.prove(authorities) {
            Ok(proven) => Ok(proven),
            Err(DisposalError::NotProven(why)) => Err((why.to_string(), why.italian())),
            Err(why @ DisposalError::NothingSealed) => Err((
                why.to_string(),
                "Nessun intervallo è chiuso: nulla dimostra quanto tempo è passato.".to_owned(),
            )),
            Err(other) => return Err(other),
        };
        let holds = self.holds()?;
        let intended = self.intended()?;
        let there = self.there()?;
        let units = there.into_iter().map(|(unit, records)| {
            let intent = intended.get(&unit).copied();
            self.report(unit, records, &holds, proven.as_ref().ok(), intent)
        });
        let units = units.collect::<Result<_, _>>()?;
        Ok(PlanReport {
            time: proven.map(|proven| (proven.time.to_string(), proven.time.italian())),
            silent: self.silent(),
            units,
        })
    }

    fn report(
        &self,
        unit: DisposalUnit,
        records: u64,
        holds: &HoldSet,
        proven: Option<&Proven>,
        intent: Option<LeafIndex>,
    ) -> Result<UnitReport, DisposalError> {
        let judged = self.unit(unit, holds)?;
        let policy = &self.rules.policy;
        let candidate = judged.candidate();
        let now = match (proven, self.soft_clock()) {
            (Some(proven), _) => proven.time.proven(),
            (None, Some(clock)) => clock.proven(),
            // Nothing is known to be past.
            (None, None) => candidate_zero()?,
        };
        let lawful = policy.term(candidate.class()).reckon(candidate.latest());
        let lawful_from = lawful.ok().map(|end| from_instant(end.lawful_from()));
        let (verdict, english, italian) = match proven {
            Some(proven) => match retention::due(&judged, policy, holds, &proven.time) {
                Ok(due) => {
                    let verdict = intent.map_or(UnitVerdict::Due, UnitVerdict::Intended);
                    let (since, reason) = (due.since, due.reason);
                    let said = Verdict::Disposable { since, reason };
                    (verdict, said.to_string(), said.italian())
                }
                Err(why) => {
                    let verdict = match why {
                        retention::NotDue::Held { .. } => UnitVerdict::Held,
                        retention::NotDue::Term(_) => UnitVerdict::Broken,
                        retention::NotDue::Kept { .. }
                        | retention::NotDue::NotProvenSince { .. } => UnitVerdict::Kept,
                    };
                    (verdict, why.to_string(), why.italian())
                }
            },
            None => match judge(candidate, policy, holds, now) {
                Ok(said) => {
                    let verdict = match said {
                        Verdict::Keep { .. } => UnitVerdict::Kept,
                        Verdict::Held { .. } => UnitVerdict::Held,
                        Verdict::Disposable { .. } => UnitVerdict::Waiting,
                    };
                    (verdict, said.to_string(), said.italian())
                }
                Err(error) => {
                    let italian = format!("Il termine non si può calcolare ({error}).");
                    (UnitVerdict::Broken, error.to_string(), italian)
                }
            },
        };
        Ok(UnitReport {
            unit,
            records,
            verdict,
            english,
            italian,
            lawful_from,
        })
    }

    /// The units to be named by one intent: those due for longest, none that an open intent names.
    pub(super) fn chosen(
        &self,
        holds: &HoldSet,
        proven: &Proven,
        only: &[DisposalUnit],
    ) -> Result<Vec<DisposalUnit>, DisposalError> {
        let intended = self.intended()?;
        let mut all = BTreeMap::new();
        for (unit, _) in self.there()? {
            let is_asked = only.is_empty() || only.contains(&unit);
            if is_asked && !intended.contains_key(&unit) {
                all.insert(unit_id(unit)?, (unit, self.unit(unit, holds)?));
            }
        }
        let units = all.values().map(|(_, unit)| unit.clone());
        let plan = retention::plan(
            units,
            &self.rules.policy,
            holds,
            &proven.time,
            self.rules.cap,
        );
        let chosen = plan.units.iter();
        let chosen = chosen.filter_map(|unit| all.get(&unit.id()).map(|(unit, _)| *unit));
        Ok(chosen.collect())
    }
}

/// The leaf by which a unit is judged whose records were all erased: no log reaches it, so no hold names it.
fn none_left() -> Result<IndexRanges, DisposalError> {
    let beyond = retention::LeafIndex::new(INTEGER_MAX);
    let beyond = IndexRange::new(beyond, beyond);
    let beyond = beyond.map_err(|_| DisposalError::Corrupt("a leaf beyond the log"))?;
    Ok(IndexRanges::from(beyond))
}

fn candidate_zero() -> Result<ProvenTime, DisposalError> {
    let zero = ProvenTime::from_token(retention::UtcMillis::new(0), 0);
    zero.map_err(|_| DisposalError::Corrupt("the beginning of time"))
}

/// The keys of the leaves of an interval.
pub(super) fn leaves_of(sealed: &SealedInterval) -> KeyRange {
    let end = sealed
        .span
        .cut
        .map_or(sealed.span.first.get(), |size| size.get());
    KeyRange {
        start: sealed.span.first.get().to_be_bytes().to_vec(),
        end: Some(end.to_be_bytes().to_vec()),
    }
}

/// Leaf indexes as the rule of time has them.
pub(super) fn ranges(ranges: &[(LeafIndex, LeafIndex)]) -> Result<IndexRanges, DisposalError> {
    let ranges = ranges.iter();
    let ranges = ranges.map(|(first, last)| IndexRange::new(index_of(*first), index_of(*last)));
    let ranges: Result<Vec<_>, _> = ranges.collect();
    let ranges = ranges.ok().and_then(|ranges| IndexRanges::new(ranges).ok());
    ranges.ok_or(DisposalError::Corrupt("ranges of what was carried over"))
}

fn interval(
    state: &Published,
    span: Span,
    closing: ceralacca_formats::closing::Closing,
) -> Result<SealedInterval, DisposalError> {
    let previous = closing.previous.map(|leaf| {
        let before = state.spans.iter().find(|span| span.closed == Some(leaf));
        let before = before.map(|span| instant(span.id.start()));
        before.ok_or(SealError::Corrupt("a closing that follows none"))
    });
    let token = ProvenTime::from_token(instant(closing.token_time), closing.token_accuracy_ms);
    Ok(SealedInterval {
        span,
        closing: Closing {
            start: instant(closing.interval.start()),
            end: instant(closing.end),
            previous: previous.transpose()?,
            token: token.map_err(|_| DisposalError::Corrupt("the token of a closing"))?,
        },
        classes: closing.contents.classes,
        latest: std::sync::OnceLock::new(),
    })
}
