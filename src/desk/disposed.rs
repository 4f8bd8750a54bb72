//! What was disposed of: by interval and class, with its certificates. It names no record, so it is told to everybody who
//! may ask, whatever is asked for.

use super::{Desk, DeskError, SearchQuery};
use crate::disposal::{self, CertifiedUnit};
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::{IntervalId, UtcMillis};
use ceralacca_formats::leaf::Class;

/// The most units that an answer names.
pub const DISPOSED_MAX: usize = 1000;

impl<A> Desk<'_, A> {
    /// What of a class of an interval is gone: as it was sealed, and as it was carried over under a hold; each with its
    /// certificate, none before that is issued. Empty where nothing is.
    pub fn certificates_of(
        &self,
        interval: IntervalId,
        class: Class,
    ) -> Result<Vec<CertifiedUnit>, DeskError> {
        let found = disposal::certificates(self.reader.store(), interval, class);
        found.map_err(DeskError::from)
    }

    /// Units that are gone of the intervals that these instants touch, oldest first; at most [`DISPOSED_MAX`].
    pub fn disposed_within(
        &self,
        from: Option<UtcMillis>,
        until: Option<UtcMillis>,
    ) -> Result<Vec<DisposalUnit>, DeskError> {
        let spans = self.published.spans.iter();
        let touched = spans.filter(|span| {
            from.is_none_or(|from| span.end > from)
                && until.is_none_or(|until| span.id.start() < until)
        });
        let mut gone = Vec::new();
        for span in touched {
            for class in Class::ALL {
                if gone.len() < DISPOSED_MAX && self.reader.is_disposed(span.id, *class)? {
                    gone.push(DisposalUnit {
                        interval: span.id,
                        class: *class,
                        carried: 0,
                    });
                }
            }
        }
        Ok(gone)
    }

    /// What is gone of the time that a search asks of; nothing where it asks of no time.
    pub(super) fn gone_of(&self, query: &SearchQuery) -> Result<Vec<DisposalUnit>, DeskError> {
        let instant = |ms: Option<i64>| ms.map(|ms| UtcMillis::new(u64::try_from(ms).unwrap_or(0)));
        let recorded = query.recorded;
        let (from, until) = match recorded {
            (None, None) => (instant(query.event.0), instant(query.event.1)),
            recorded => recorded,
        };
        match (from, until) {
            (None, None) => Ok(Vec::new()),
            (from, until) => self.disposed_within(from, until),
        }
    }
}
