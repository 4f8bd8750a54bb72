//! The interval table: contiguous in time and index, each with its secrets.

use super::report::{Damage, Report, chain};
use super::{Subject, disposals, each};
use crate::sequencer::Span;
use crate::store::Rows;
use crate::store::cf::interval::{IntervalRow, Intervals, Phase};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::state::Tip;
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::{Class, Kind};

pub(in crate::audit) fn intervals(
    subject: &Subject<'_>,
    tip: Tip,
    report: &mut Report,
) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    each::<Intervals>(subject.store, report, |(id, phase), row, report| {
        let expected = spans.last().copied();
        match (phase, row) {
            (Phase::Opened, IntervalRow::Opened { end, first }) => {
                let follows = expected.is_none_or(|before| {
                    before.end.get() == id.get()
                        && before.cut.is_some_and(|size| size.get() == first.get())
                });
                if !follows || end.get() <= id.get() {
                    report.add(wrong(id, "does not follow the one before"));
                }
                spans.push(Span {
                    id,
                    end,
                    first,
                    cut: None,
                    closed: None,
                });
            }
            (Phase::Cut, IntervalRow::Cut { size, .. }) => match spans.last_mut() {
                Some(span) if span.id == id && size.get() >= span.first.get() => {
                    span.cut = Some(size);
                }
                _ => report.add(wrong(
                    id,
                    "was cut and not opened, or ends before it begins",
                )),
            },
            (Phase::Closed, IntervalRow::Closed { leaf, .. }) => match spans.last_mut() {
                Some(span)
                    if span.id == id && span.cut.is_some_and(|size| size.get() <= leaf.get()) =>
                {
                    span.closed = Some(leaf);
                }
                _ => report.add(wrong(id, "was closed and not cut, or by a leaf within it")),
            },
            _ => report.add(wrong(id, "has a mixed row")),
        }
    });
    report.intervals = spans.len() as u64;
    for span in &spans {
        for class in Class::ALL {
            let keys = subject.keyring.class(subject.store, span.id, *class);
            if let Err(error) = keys {
                if disposals::is_gone(subject, span.id, *class) {
                    continue;
                }
                let why = format!("secret of class {class}: {}", chain(&error));
                report.add(wrong(span.id, &why));
            }
        }
    }
    closings(subject, &spans, report);
    open_at(&spans, tip, report);
    spans
}

/// Every closed interval has the leaf that closed it, and closings name each other in order.
fn closings(subject: &Subject<'_>, spans: &[Span], report: &mut Report) {
    for span in spans {
        let Some(index) = span.closed else { continue };
        match subject.store.read::<Leaves>(&index) {
            Ok(Some(leaf)) if leaf.kind == Kind::IntervalClosed => {}
            Ok(_) => report.add(wrong(span.id, "the leaf that closed it is none")),
            Err(error) => report.record(index, &error),
        }
    }
}

/// The last interval must be open at the tip: of a tip that was read before the table, only a closed log is told so.
fn open_at(spans: &[Span], tip: Tip, report: &mut Report) {
    let last = spans.last();
    let open = last.is_some_and(|span| span.cut.is_none() && span.first.get() <= tip.size.get());
    if tip.size.get() > 0 && !open {
        let id = last.map_or(IntervalId::new(0), |span| span.id);
        report.add(wrong(id, "the last interval is not open at the tip"));
    }
}

fn wrong(id: IntervalId, why: &str) -> Damage {
    Damage::Interval {
        start: id.get(),
        why: why.to_owned(),
    }
}
