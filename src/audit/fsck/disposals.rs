//! Units that are gone: each by an intent that names it, and two approvals, all of them leaves of the log.

use super::records::span_of;
use super::report::{Damage, Report, chain};
use super::{Subject, each};
use crate::record::open::{self, RecordError};
use crate::sequencer::Span;
use crate::store::Rows;
use crate::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, GoneRow};
use crate::store::cf::leaf::Leaves;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};

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
        if let Err(why) = gone(subject, spans, unit, &row) {
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
            Some(CustodyRecord::DisposalCompleted(said)) if said.unit == unit => {}
            None => {}
            Some(_) => return Err(format!("leaf {completed} does not say that it is gone")),
        }
    }
    Ok(())
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
