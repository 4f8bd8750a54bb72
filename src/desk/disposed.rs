//! What was disposed of: by interval and class, with its certificates. It names no record, so it is told to everybody who
//! may ask, whatever is asked for.

use super::{Desk, DeskError, SearchQuery};
use crate::disposal::{self, CertifiedUnit};
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;

/// The most units that an answer names.
pub const DISPOSED_MAX: usize = 1000;
/// The most octets of certificates in one answer of a search: a message over the wire has four times as many.
pub const CERTIFICATES_BYTES_MAX: usize = 1 << 20;
/// How far the time of an event and that of its record may be apart: the clocks of providers differ, and an event is
/// recorded after it happened.
const APART_MS: i64 = 24 * 60 * 60 * 1000;

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

    /// Classes that are gone of the intervals that these instants touch, oldest first; at most [`DISPOSED_MAX`].
    pub fn disposed_within(
        &self,
        from: Option<UtcMillis>,
        until: Option<UtcMillis>,
    ) -> Result<Vec<(IntervalId, Class)>, DeskError> {
        let spans = self.published.spans.iter();
        let touched = spans.filter(|span| {
            from.is_none_or(|from| span.end > from)
                && until.is_none_or(|until| span.id.start() < until)
        });
        let mut gone = Vec::new();
        for span in touched {
            for class in Class::ALL {
                if gone.len() < DISPOSED_MAX && self.reader.is_disposed(span.id, *class)? {
                    gone.push((span.id, *class));
                }
            }
        }
        Ok(gone)
    }

    /// The class of an interval to which a leaf belongs, where that was disposed of.
    pub(super) fn gone_with(
        &self,
        index: LeafIndex,
    ) -> Result<Option<(IntervalId, Class)>, DeskError> {
        if !index.is_within(self.published.tip.size) {
            return Ok(None);
        }
        let class = self.reader.leaf(&self.published, index)?.class;
        let interval = self.published.interval_of(index);
        let is_gone = self.reader.is_disposed(interval, class)?;
        Ok(is_gone.then_some((interval, class)))
    }

    /// What is gone of the time that a search asks of; nothing where it asks of no time.
    pub(super) fn gone_of(
        &self,
        query: &SearchQuery,
    ) -> Result<Vec<(IntervalId, Class)>, DeskError> {
        let instant = |ms: i64| UtcMillis::new(u64::try_from(ms).unwrap_or(0));
        let (from, until) = match (query.recorded, query.event) {
            ((None, None), (from, until)) => (
                from.map(|ms| instant(ms.saturating_sub(APART_MS))),
                until.map(|ms| instant(ms.saturating_add(APART_MS))),
            ),
            (recorded, _) => recorded,
        };
        match (from, until) {
            (None, None) => Ok(Vec::new()),
            (from, until) => self.disposed_within(from, until),
        }
    }

    /// The same, each with its certificate, as many as fit [`CERTIFICATES_BYTES_MAX`].
    pub(super) fn certified_of(
        &self,
        query: &SearchQuery,
    ) -> Result<Vec<CertifiedUnit>, DeskError> {
        let mut certified = Vec::new();
        let mut room = CERTIFICATES_BYTES_MAX;
        for (interval, class) in self.gone_of(query)? {
            for mut unit in self.certificates_of(interval, class)? {
                if certified.len() == DISPOSED_MAX {
                    return Ok(certified);
                }
                let bytes = unit.certificate.as_ref().map_or(0, Vec::len);
                match room.checked_sub(bytes) {
                    Some(left) => room = left,
                    None => unit.certificate = None,
                }
                certified.push(unit);
            }
        }
        Ok(certified)
    }
}
