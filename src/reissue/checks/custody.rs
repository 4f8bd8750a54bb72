//! Areas 7 and 8: the logs, and who had what in hands.

use super::{Case, datum, failed, open, passed};
use crate::reissue::closed::{Closed, Interval};
use crate::reissue::facts::{Item, instant};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pages::model::{Check, CheckId, Datum, Reason};
use ceralacca_retention::{
    Candidate, HoldSet, LeafIndex, Policy, ProvenTime, RetentionClass, Start, Verdict, judge,
};

pub(super) fn answer(id: CheckId, case: &Case<'_>) -> Vec<Check> {
    match id {
        CheckId::OwnLog => case.items.iter().map(own).collect(),
        CheckId::OtherLog => vec![open(None, Reason::OtherProvider, Vec::new())],
        CheckId::FilesComplete | CheckId::NoGaps | CheckId::EachStamped => {
            let intervals = case.intervals.values();
            intervals
                .map(|interval| of_interval(id, interval))
                .collect()
        }
        CheckId::WithinRetention => {
            let items = case.items.iter();
            items.map(|item| within_retention(item, case)).collect()
        }
        _ => vec![extraction(id, case)],
    }
}

fn own(item: &Item) -> Check {
    let stems = item.proofs.iter().map(|(stem, _)| stem.as_str());
    let files = stems.map(|stem| datum("file", format!("{stem}.record.json")));
    passed(Some(item.number()), files.collect())
}

fn of_interval(id: CheckId, interval: &Interval) -> Check {
    let start = instant(interval.span.id.start()).rfc3339();
    let mut data = vec![datum("interval", start)];
    let Some(closed) = &interval.closed else {
        return open(None, Reason::SealPending, data);
    };
    match id {
        CheckId::FilesComplete => complete(closed, data),
        CheckId::NoGaps => {
            data.push(datum("first_leaf", interval.span.first));
            match closed.follows {
                Some(false) => failed(None, Reason::Mismatch, data),
                Some(true) | None => passed(None, data),
            }
        }
        _ => {
            for (name, sha256, stamp) in &closed.logs {
                data.push(datum("log_file", name));
                data.push(datum("sha256", sha256));
                let Some(stamp) = stamp else {
                    return failed(None, Reason::Absent, data);
                };
                data.push(datum("token_time", instant(stamp.time).rfc3339()));
            }
            passed(None, data)
        }
    }
}

/// The log files hold as many records as the interval has leaves, and are the files that the closing leaf names.
fn complete(closed: &Closed, mut data: Vec<Datum>) -> Check {
    let closing = closed.package.closing();
    let records: u64 = closing.contents.classes.iter().map(|c| c.records).sum();
    let leaves = closing.size.get().saturating_sub(closing.first.get());
    data.push(datum("records", records));
    data.push(datum("leaves", leaves));
    let named = closing
        .contents
        .classes
        .iter()
        .flat_map(|class| &class.files);
    let mut named: Vec<_> = named.copied().collect();
    let mut found: Vec<_> = closed.logs.iter().map(|(_, sha256, _)| *sha256).collect();
    named.sort();
    found.sort();
    match records == leaves && named == found {
        true => passed(None, data),
        false => failed(None, Reason::Mismatch, data),
    }
}

fn within_retention(item: &Item, case: &Case<'_>) -> Check {
    let leaf = Some(item.number());
    let facts = item
        .archived
        .facts
        .as_ref()
        .or(item.archived.object.as_ref());
    let Some(facts) = facts else {
        return open(leaf, Reason::NoMaterial, Vec::new());
    };
    let made = UtcMillis::new(u64::try_from(case.made.millis()).unwrap_or_default());
    let closed = case
        .interval(item)
        .and_then(|interval| interval.closed.as_ref());
    let proven = closed.map_or(facts.opened.leaf.time, |closed| closed.stamp.time);
    let ingest = facts.opened.leaf.time;
    let event = item.trace().and_then(|trace| trace.event_ms);
    let event = event.and_then(|ms| u64::try_from(ms.get()).ok());
    let judged = |at: UtcMillis| {
        term(
            facts.opened.leaf.class.code(),
            event.map_or(ingest, UtcMillis::new),
            ingest,
            proven,
            at,
        )
    };
    let Some((last, is_over)) = judged(made) else {
        return open(leaf, Reason::NoMaterial, Vec::new());
    };
    // The term of the law: a longer one that is configured ends later. Over by the archive's clock, or by the time that
    // its closings prove, it is over.
    let mut data = vec![
        datum("last_day", last),
        datum("rule", "floor"),
        datum("reckoned_at", case.made.rfc3339()),
    ];
    let mut is_proven_over = false;
    if let Some(at) = case.proven {
        data.push(datum("proven_past", instant(at).rfc3339()));
        is_proven_over = judged(at).is_some_and(|(_, is_over)| is_over);
    }
    match is_over || is_proven_over {
        false => passed(leaf, data),
        true => failed(leaf, Reason::OutsideValidity, data),
    }
}

/// The last day of the term by the floor of the law, and whether it is over.
fn term(
    class: u16,
    event: UtcMillis,
    ingest: UtcMillis,
    proven: UtcMillis,
    made: UtcMillis,
) -> Option<(String, bool)> {
    let class = RetentionClass::try_from(class).ok()?;
    let millis = |at: UtcMillis| {
        ceralacca_retention::UtcMillis::new(i64::try_from(at.get()).unwrap_or(i64::MAX))
    };
    let start = Start::new(
        millis(event),
        millis(ingest),
        ProvenTime::from_token(millis(proven), 0).ok()?,
    );
    let candidate = Candidate::record(class, LeafIndex::new(0), start);
    let now = ProvenTime::from_token(millis(made), 0).ok()?;
    let verdict = judge(&candidate, &Policy::default(), &HoldSet::none(), now).ok()?;
    match verdict {
        Verdict::Keep { reason, .. } => Some((reason.reckoning().last().to_string(), false)),
        Verdict::Disposable { reason, .. } => Some((reason.reckoning().last().to_string(), true)),
        _ => None,
    }
}

fn extraction(id: CheckId, case: &Case<'_>) -> Check {
    let demand = case.demand;
    let disclosure = datum("disclosure_leaf", case.disclosure);
    match id {
        CheckId::ExtractedBy => passed(
            None,
            vec![
                datum("provider", case.provider),
                datum("principal", case.principal),
                disclosure,
            ],
        ),
        CheckId::ExtractedWhen => {
            let at = case.made.rfc3339();
            passed(None, vec![datum("at", at), disclosure])
        }
        CheckId::ExtractedUnder => {
            let mut data = vec![
                datum("act", &demand.act),
                datum("purpose", &demand.purpose),
                disclosure,
            ];
            match &case.granted {
                // The grant was in force: the archive held it before it answered.
                Some(act) => {
                    data.push(datum("grant", act));
                    passed(None, data)
                }
                None => open(None, Reason::AsDeclared, data),
            }
        }
        CheckId::Identity => {
            let requester = datum("requester", &demand.requester);
            open(None, Reason::AsDeclared, vec![requester])
        }
        _ => {
            let data = vec![datum("capacity", demand.capacity)];
            match &case.granted {
                Some(act) => passed(None, vec![datum("grant", act)]),
                None => open(None, Reason::AsDeclared, data),
            }
        }
    }
}
