//! Holds: as many as the leaves say were set and released, each whole.

use super::Subject;
use super::records::span_of;
use super::report::{Damage, Report, chain};
use crate::holds;
use crate::sequencer::Span;
use ceralacca_formats::hold::HoldCounts;
use ceralacca_formats::leaf::{Class, Kind, Leaf};

/// Counts a leaf that sets or releases a hold; the leaf beside it is of another class.
pub(super) fn count(counts: &mut HoldCounts, leaf: &Leaf) {
    match (leaf.kind, leaf.class) {
        (Kind::HoldSet, Class::Custody) => counts.set += 1,
        (Kind::HoldReleased, Class::Custody) => counts.released += 1,
        _ => {}
    }
}

/// Compares rows, their number and the leaves that speak of them; `counted` is of the leaves, where all were read.
pub(in crate::audit) fn holds(
    subject: &Subject<'_>,
    spans: &[Span],
    counted: Option<HoldCounts>,
    report: &mut Report,
) {
    let (store, keyring) = (subject.store, subject.keyring);
    let interval_of = |index| span_of(spans, index).map(|span| span.id);
    let told = match holds::counts(store, keyring, interval_of) {
        Ok(told) => told,
        Err(error) => {
            return report.add(Damage::Holds { why: chain(&error) });
        }
    };
    if let Some(counted) = counted.filter(|counted| *counted != told) {
        report.add(Damage::Holds {
            why: format!(
                "{} set and {} released by the leaves, {} and {} by their number",
                counted.set, counted.released, told.set, told.released
            ),
        });
    }
    match holds::load(store, keyring, interval_of) {
        Ok(set) => report.holds = set.holds().len() as u64,
        Err(error) => report.add(Damage::Holds { why: chain(&error) }),
    }
}
