//! Units that are gone: each by an intent that names it, and two approvals, all of them leaves of the log; and what a hold
//! kept of them, which is there.

use super::records::span_of;
use super::report::{Damage, Report, chain};
use super::{Subject, each};
use crate::record;
use crate::record::open::{self, RecordError};
use crate::sequencer::Span;
use crate::store::cf::Family;
use crate::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, GoneRow};
use crate::store::cf::held::{HeldKey, HeldRecords};
use crate::store::cf::leaf::Leaves;
use crate::store::{KeyRange, Order, Rows, StoreError};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::disposal_certificate::DisposalCertificate;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, LeafRange, Metadata};

/// Whether a class of an interval was disposed of, as the rows say; [`disposals`] holds them against the log.
pub(super) fn is_gone(subject: &Subject<'_>, interval: IntervalId, class: Class) -> bool {
    open::is_disposed(subject.store, interval, class).unwrap_or(false)
}

/// Every unit that is gone.
pub(in crate::audit) fn disposals(subject: &Subject<'_>, spans: &[Span], report: &mut Report) {
    each::<Disposals>(subject.store, report, |key, row, report| {
        let (DisposalKey::Gone(unit), DisposalRow::Gone(row)) = (key, row) else {
            return;
        };
        let found = gone(subject, spans, unit, &row).and_then(|()| kept(subject, unit, &row));
        if let Err(why) = found {
            report.add(Damage::Disposal {
                start: unit.interval.get(),
                class: unit.class,
                why,
            });
        }
    });
}

fn gone(
    subject: &Subject<'_>,
    spans: &[Span],
    unit: DisposalUnit,
    row: &GoneRow,
) -> Result<(), String> {
    match act(subject, spans, row.intent, Kind::DisposalIntent)? {
        Some(CustodyRecord::DisposalIntent(intent)) => {
            let named = intent.units.iter().any(|named| named.unit == unit);
            named.then_some(()).ok_or("its intent does not name it")?;
        }
        None => {}
        Some(_) => return Err("its intent is another act".into()),
    }
    let key = DisposalKey::Intent(row.intent);
    let approvals = match subject.store.read::<Disposals>(&key) {
        Ok(Some(DisposalRow::Intent(intent))) => intent.approvals,
        Ok(_) => return Err("its intent has no row".into()),
        Err(error) => return Err(chain(&error)),
    };
    let [first, second] = approvals[..] else {
        return Err("it has not two approvals".into());
    };
    let mut principals = Vec::new();
    for approval in [first, second] {
        match act(subject, spans, approval, Kind::Approval)? {
            Some(CustodyRecord::DisposalApproval(given)) if given.intent == row.intent => {}
            None => continue,
            Some(_) => return Err(format!("leaf {approval} is no approval of it")),
        }
        principals.extend(principal(subject, spans, approval)?);
    }
    if let [one, other] = &principals[..]
        && one.to_lowercase() == other.to_lowercase()
    {
        return Err("one principal approved it twice".into());
    }
    if let Some(completed) = row.completed {
        match act(subject, spans, completed, Kind::DisposalCompleted)? {
            Some(CustodyRecord::DisposalCompleted(said))
                if said.unit == unit && Some(&said.held) == held(row).as_ref() => {}
            None => {}
            Some(_) => return Err(format!("leaf {completed} does not say that it is gone")),
        }
    }
    Ok(())
}

/// What a hold kept of a unit, by its facts.
fn held(row: &GoneRow) -> Option<Vec<LeafRange>> {
    DisposalCertificate::parse(&row.facts).map(|facts| facts.held)
}

/// That what a hold kept of a unit is a unit of its own, which is gone itself or in force, whole, and found.
fn kept(subject: &Subject<'_>, unit: DisposalUnit, row: &GoneRow) -> Result<(), String> {
    let failed = |error: StoreError| chain(&error);
    let (store, keyring) = (subject.store, subject.keyring);
    let held = held(row).ok_or("its facts do not read")?;
    let next = DisposalUnit {
        carried: unit.carried.saturating_add(1),
        ..unit
    };
    let ranges = match store.read::<Disposals>(&DisposalKey::Held(next)) {
        Ok(Some(DisposalRow::Held(row))) => row.ranges,
        Ok(_) => Vec::new(),
        Err(error) => return Err(chain(&error)),
    };
    let number = |n: Integer| u64::try_from(n.get()).ok();
    let said = held.iter().map(|range| {
        let (first, last) = number(range.first).zip(number(range.last))?;
        Some((LeafIndex::new(first), LeafIndex::new(last)))
    });
    if said.collect::<Option<Vec<_>>>().as_ref() != Some(&ranges) {
        return Err("what a hold kept of it is not what its facts say".into());
    }
    let is_gone = store.read::<Disposals>(&DisposalKey::Gone(next));
    if ranges.is_empty() || is_gone.map_err(failed)?.is_some() {
        return Ok(());
    }
    let copy = record::held::in_force(store, unit.interval, unit.class).map_err(failed)?;
    let copy = copy.filter(|copy| copy.carried == next.carried);
    let copy = copy.ok_or("what a hold kept of it is not in force")?;
    let keys = keyring.held(store, copy).map_err(|error| chain(&error))?;
    let mut expected = 0u64;
    for index in ranges
        .iter()
        .flat_map(|(first, last)| first.get()..=last.get())
    {
        let index = LeafIndex::new(index);
        let wrong = |why: &str| format!("leaf {index}, which a hold kept, {why}");
        let leaf = store.read::<Leaves>(&index).map_err(failed)?;
        let leaf = leaf.ok_or_else(|| wrong("is missing"))?;
        let opened = record::held::open_in(store, keyring, copy, leaf);
        let opened = opened.map_err(|error| wrong(&chain(&error)))?;
        let opened = opened.ok_or_else(|| wrong("has no row"))?;
        let read = opened.content(store, |_| {});
        read.map_err(|error| wrong(&chain(&error)))?;
        let Ok(metadata) = opened.metadata() else {
            continue;
        };
        let tokens = record::prepare::tokens(&keys, &metadata);
        for (field, token) in tokens {
            expected += 1;
            let posting = HeldKey::Posting(copy, field, token, index);
            if store
                .read::<HeldRecords>(&posting)
                .map_err(failed)?
                .is_none()
            {
                return Err(wrong("is not found by a term that it has"));
            }
        }
    }
    let [_, _, postings] = copy.prefixes();
    let postings = KeyRange::prefix(&postings);
    let rows = store.scan(Family::Held, &postings, Order::Ascending);
    match rows.count() as u64 == expected {
        true => Ok(()),
        false => Err("what a hold kept of it is found by terms that it has not".into()),
    }
}

/// The act that a leaf records; `None` where it was disposed of itself, and only its kind is left.
fn act(
    subject: &Subject<'_>,
    spans: &[Span],
    index: LeafIndex,
    kind: Kind,
) -> Result<Option<CustodyRecord>, String> {
    let leaf = subject.store.read::<Leaves>(&index);
    let leaf = leaf.map_err(|error| chain(&error))?;
    let leaf = leaf.filter(|leaf| leaf.kind == kind);
    let leaf = leaf.ok_or_else(|| format!("leaf {index} is no {kind}"))?;
    let span = span_of(spans, index).ok_or("a leaf in no interval")?;
    match open::open(subject.store, subject.keyring, span.id, leaf) {
        Err(RecordError::Disposed { .. }) => Ok(None),
        Err(error) => Err(chain(&error)),
        Ok(opened) => match opened.metadata() {
            Ok(Metadata::Custody(act)) => Ok(Some(act)),
            _ => Err(format!("leaf {index} is no act of the archive")),
        },
    }
}

/// Who approved, by the leaf after the approval; none where that was disposed of.
fn principal(
    subject: &Subject<'_>,
    spans: &[Span],
    approval: LeafIndex,
) -> Result<Option<String>, String> {
    let index = LeafIndex::new(approval.get().saturating_add(1));
    let leaf = subject.store.read::<Leaves>(&index);
    let leaf = leaf.map_err(|error| chain(&error))?;
    let leaf = leaf.ok_or_else(|| format!("leaf {index} is missing"))?;
    let span = span_of(spans, index).ok_or("a leaf in no interval")?;
    match open::open(subject.store, subject.keyring, span.id, leaf) {
        Err(RecordError::Disposed { .. }) => Ok(None),
        Err(error) => Err(chain(&error)),
        Ok(opened) => match opened.metadata() {
            Ok(Metadata::ActDetail(detail)) => Ok(detail.principal.to_str().map(str::to_owned)),
            _ => Err(format!("leaf {index} does not say who approved")),
        },
    }
}
