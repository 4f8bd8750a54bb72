//! The record of what was shown, to whom: two leaves, durable before anything is shown (P9).
//!
//! ```text
//! leaf n    kind disclosure, class custody        role, ranges of leaf indexes
//! leaf n+1  kind disclosure, longest-lived class  principal, act of court, what was asked
//!           of what was shown (trace if nothing)
//! ```
//!
//! # Invariants
//! 1. Recorded once per call or stream, also when nothing was found.
//! 2. The custody leaf says nothing that names or identifies a person.

use crate::access::Permit;
use crate::ambient::Entropy;
use crate::record::prepare::{Draft, DraftContent, prepare};
use crate::sequencer::{
    Outcome, PreparedSubmission, PublishedCell, Sequencer, SubmitError, published,
};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::id::{INTEGER_MAX, LeafIndex};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, DisclosureDetail, LeafRange, Metadata};
use std::ops::Range;
use std::sync::Arc;

/// Records disclosures of one log.
#[derive(Clone)]
pub struct Disclosures {
    sequencer: Arc<Sequencer>,
    published: PublishedCell,
    entropy: Arc<dyn Entropy>,
}

impl Disclosures {
    pub(crate) fn new(sequencer: Arc<Sequencer>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            published: Arc::clone(sequencer.published()),
            sequencer,
            entropy,
        }
    }

    /// Records that these leaves are shown to the holder of a permit, who asked this. Durable on return;
    /// nothing may be shown on an error.
    pub fn record<A>(
        &self,
        permit: &Permit<A>,
        query: &str,
        shown: &[(LeafIndex, Class)],
    ) -> Result<(), SubmitError> {
        let recorded = self.record_under(permit, permit.acts(), query, shown);
        recorded.map(drop)
    }

    /// The same, under an act that the request names; gives the custody leaf.
    pub fn record_under<A>(
        &self,
        permit: &Permit<A>,
        act: Option<String>,
        query: &str,
        shown: &[(LeafIndex, Class)],
    ) -> Result<LeafIndex, SubmitError> {
        let ranges = ranges(shown.iter().map(|(index, _)| *index));
        let class = longest_lived(shown.iter().map(|(_, class)| *class));
        self.put(permit, act, query, ranges, class)
    }

    /// The same, of a file with all records of a class that are among so many leaves.
    pub fn record_file<A>(
        &self,
        permit: &Permit<A>,
        query: &str,
        leaves: Range<u64>,
        class: Class,
    ) -> Result<(), SubmitError> {
        let ends = [leaves.start, leaves.end.saturating_sub(1)];
        let [first, last] =
            ends.map(|end| Integer::try_from(end.min(INTEGER_MAX)).unwrap_or(Integer::ZERO));
        let ranges = match leaves.is_empty() {
            true => Vec::new(),
            false => vec![LeafRange { first, last }],
        };
        let class = longest_lived([class].into_iter());
        let recorded = self.put(permit, permit.acts(), query, ranges, class);
        recorded.map(drop)
    }

    fn put<A>(
        &self,
        permit: &Permit<A>,
        act: Option<String>,
        query: &str,
        ranges: Vec<LeafRange>,
        class: Class,
    ) -> Result<LeafIndex, SubmitError> {
        let role = permit.role().word().into();
        let custody = Metadata::Custody(CustodyRecord::Disclosure { role, ranges });
        let detail = Metadata::DisclosureDetail(DisclosureDetail {
            principal: permit.principal().into(),
            act: act.map(Into::into),
            query: query.into(),
        });
        let draft =
            |class, metadata| Draft::new(Kind::Disclosure, class, metadata, DraftContent::None);
        let drafts = [draft(Class::Custody, custody), draft(class, detail)];
        loop {
            let keys = Arc::clone(&published(&self.published).keys);
            let records = drafts.iter();
            let records = records.map(|draft| prepare(draft, &keys, &*self.entropy));
            let submission = PreparedSubmission {
                records: records.collect(),
                client_key: None,
            };
            match self.sequencer.submit_waiting(submission)?.wait()? {
                Outcome::Recorded { records, .. } => {
                    let first = records.first().map(|record| record.leaf.seq);
                    return first.ok_or(SubmitError::Stopped);
                }
                Outcome::Repeated(first) => return Ok(first),
                Outcome::Again(_) => {}
            }
        }
    }
}

/// Indexes as ranges, ascending and apart.
pub(crate) fn ranges(indexes: impl Iterator<Item = LeafIndex>) -> Vec<LeafRange> {
    let mut indexes: Vec<u64> = indexes.map(LeafIndex::get).collect();
    indexes.sort_unstable();
    indexes.dedup();
    let runs = indexes.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    let integer = |index: u64| Integer::try_from(index.min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
    let range = |run: &[u64]| {
        Some(LeafRange {
            first: integer(*run.first()?),
            last: integer(*run.last()?),
        })
    };
    runs.filter_map(range).collect()
}

/// The class whose records live longest. Custody's own details are its leaves: they name nobody.
pub(crate) fn longest_lived(classes: impl Iterator<Item = Class>) -> Class {
    // Five years are the longest floor; the others have thirty months, and by contract may have more.
    let rank = |class: &Class| match class {
        Class::Justice => 3,
        Class::Content => 2,
        Class::Receipt => 1,
        Class::Trace | Class::Infected | Class::Custody => 0,
    };
    let longest = classes.max_by_key(rank);
    longest
        .filter(|class| rank(class) > 0)
        .unwrap_or(Class::Trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_range() {
        let found = ranges([9, 3, 4, 5, 4, 7].map(LeafIndex::new).into_iter());
        let found: Vec<_> = found
            .iter()
            .map(|r| (r.first.get(), r.last.get()))
            .collect();
        assert_eq!(found, [(3, 5), (7, 7), (9, 9)]);
        assert_eq!(ranges(std::iter::empty()), []);
    }

    #[test]
    fn a_disclosure_lives_as_long_as_what_it_disclosed() {
        let of = |classes: &[Class]| longest_lived(classes.iter().copied());
        assert_eq!(of(&[]), Class::Trace);
        assert_eq!(of(&[Class::Custody]), Class::Trace);
        assert_eq!(
            of(&[Class::Trace, Class::Justice, Class::Content]),
            Class::Justice
        );
        assert_eq!(of(&[Class::Trace, Class::Receipt]), Class::Receipt);
    }
}
