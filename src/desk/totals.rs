//! Records by type of event over a period, as closing leaves count them. They name nobody: no disclosure.

use super::{Desk, DeskError, INTERVALS_MAX};
use crate::access::Totals;
use ceralacca_formats::id::{IntervalId, UtcMillis};
use ceralacca_formats::leaf::Class;
use std::collections::BTreeMap;

/// What closed intervals count.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PeriodTotals {
    /// Intervals that are counted.
    pub intervals: u64,
    /// Where the first of them begins and the last ends; none where none is counted.
    pub span: Option<(UtcMillis, UtcMillis)>,
    /// Intervals of the period that are not closed, and not counted.
    pub not_closed: Vec<IntervalId>,
    /// How many records say a type of event: a word of the closed list, and the direction after a space where the
    /// record has one.
    pub counts: BTreeMap<(Class, String), u64>,
}

impl Desk<'_, Totals> {
    /// Counts the intervals that begin in a period. One with intervals that are not closed is refused
    /// ([`DeskError::NotClosed`]), unless a part is wanted.
    pub fn totals(
        &self,
        from: UtcMillis,
        until: UtcMillis,
        is_partial: bool,
    ) -> Result<PeriodTotals, DeskError> {
        let within = |start: UtcMillis| from <= start && start < until;
        let spans = self.published.spans.iter();
        let spans: Vec<_> = spans.filter(|span| within(span.id.start())).collect();
        if spans.len() > INTERVALS_MAX {
            return Err(DeskError::TooMany {
                what: "intervals",
                limit: INTERVALS_MAX as u64,
            });
        }
        let open = spans.iter().filter(|span| span.closed.is_none());
        let mut totals = PeriodTotals {
            not_closed: open.map(|span| span.id).collect(),
            ..PeriodTotals::default()
        };
        if let Some(first) = totals.not_closed.first().filter(|_| !is_partial) {
            return Err(DeskError::NotClosed {
                first: *first,
                intervals: totals.not_closed.len() as u64,
            });
        }
        for span in spans.into_iter().filter(|span| span.closed.is_some()) {
            let closing = self.sealer.closing(span)?;
            totals.intervals += 1;
            let begins = totals.span.map_or(span.id.start(), |(begins, _)| begins);
            totals.span = Some((begins, closing.end));
            for count in &closing.contents.counts {
                let event = count.event.to_str().unwrap_or("other").to_owned();
                *totals.counts.entry((count.class, event)).or_default() += count.count;
            }
        }
        Ok(totals)
    }
}
