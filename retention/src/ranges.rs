//! Sets of leaf indexes, as ranges: what a hold names and what a unit of disposal spans.
//!
//! # Invariants
//! 1. A range holds at least one index, so does a set of ranges: a hold over nothing does not exist.
//! 2. The ranges of a set are in order, apart from each other, and as few as can be.

use std::fmt;

/// Position of a leaf in its log, from zero.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LeafIndex(u64);

impl LeafIndex {
    /// Any number may be an index; whether the log has come so far is not known here.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The indexes from a first to a last, both in it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IndexRange {
    first: u64,
    last: u64,
}

impl IndexRange {
    /// The indexes from `first` to `last`, both in it.
    ///
    /// # Errors
    /// [`RangeError::Backwards`] when `last` comes before `first`.
    pub const fn new(first: LeafIndex, last: LeafIndex) -> Result<Self, RangeError> {
        if last.0 < first.0 {
            return Err(RangeError::Backwards {
                first: first.0,
                last: last.0,
            });
        }
        Ok(Self {
            first: first.0,
            last: last.0,
        })
    }

    /// A single index.
    pub const fn single(index: LeafIndex) -> Self {
        Self {
            first: index.0,
            last: index.0,
        }
    }

    /// The first index.
    pub const fn first(self) -> LeafIndex {
        LeafIndex(self.first)
    }

    /// The last index, in the range.
    pub const fn last(self) -> LeafIndex {
        LeafIndex(self.last)
    }

    /// The shortest range that holds both, and what lies between them.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// A set of indexes; never empty.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct IndexRanges(Vec<IndexRange>);

impl IndexRanges {
    /// The union of `ranges`, in any order, overlapping or not.
    ///
    /// # Errors
    /// [`RangeError::Empty`] when there is none.
    pub fn new(ranges: impl IntoIterator<Item = IndexRange>) -> Result<Self, RangeError> {
        let mut sorted: Vec<IndexRange> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<IndexRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(before) if range.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        Self::unless_empty(merged).ok_or(RangeError::Empty)
    }

    /// True when `index` is in the set.
    pub fn contains(&self, index: LeafIndex) -> bool {
        !self.meeting(IndexRange::single(index)).is_empty()
    }

    /// True when some index is in both sets.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().any(|range| !other.meeting(*range).is_empty())
    }

    /// The indexes in both sets, if any.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let mut both = Vec::new();
        for range in &self.0 {
            both.extend(other.meeting(*range).iter().map(|met| IndexRange {
                first: range.first.max(met.first),
                last: range.last.min(met.last),
            }));
        }
        Self::unless_empty(both)
    }

    /// The indexes of this set that are not in `other`, if any.
    pub fn difference(&self, other: &Self) -> Option<Self> {
        let mut left = Vec::new();
        for range in &self.0 {
            // The first index not yet decided; none once `other` reaches the end of all indexes.
            let mut next = Some(range.first);
            for met in other.meeting(*range) {
                if let Some(first) = next.filter(|first| *first < met.first) {
                    left.push(IndexRange {
                        first,
                        last: met.first - 1,
                    }); // `first` is below it
                }
                next = met.last.checked_add(1);
            }
            if let Some(first) = next.filter(|first| *first <= range.last) {
                left.push(IndexRange {
                    first,
                    last: range.last,
                });
            }
        }
        Self::unless_empty(left)
    }

    /// How many indexes are in it.
    pub fn count(&self) -> u128 {
        // The whole of 64 bits has one more member than 64 bits can say.
        let lengths = self.0.iter();
        lengths
            .map(|range| u128::from(range.last) - u128::from(range.first) + 1)
            .sum()
    }

    /// The indexes of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.iter().chain(other.iter())).unwrap_or_else(|_| self.clone())
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = IndexRange> {
        self.0.iter().copied()
    }

    /// The ranges that share an index with `range`: a contiguous run, by invariant 2.
    fn meeting(&self, range: IndexRange) -> &[IndexRange] {
        let from = self.0.partition_point(|own| own.last < range.first);
        let to = self.0.partition_point(|own| own.first <= range.last);
        self.0.get(from..to).unwrap_or_default()
    }

    fn unless_empty(ranges: Vec<IndexRange>) -> Option<Self> {
        (!ranges.is_empty()).then_some(Self(ranges))
    }
}

impl From<IndexRange> for IndexRanges {
    fn from(range: IndexRange) -> Self {
        Self(vec![range])
    }
}

/// Why indexes do not make a range or a set. The caller's fault; retrying is useless.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RangeError {
    /// The range ends before it begins.
    #[error("range of indexes from {first} to {last} runs backwards")]
    Backwards {
        /// The first index found.
        first: u64,
        /// The last index found.
        last: u64,
    },
    /// A set of no ranges.
    #[error("no range of indexes")]
    Empty,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &[(u64, u64)]) -> IndexRanges {
        let range = |(first, last): &(u64, u64)| {
            IndexRange::new(LeafIndex::new(*first), LeafIndex::new(*last)).unwrap()
        };
        IndexRanges::new(ranges.iter().map(range)).unwrap()
    }

    fn indexes(set: Option<&IndexRanges>) -> BTreeSet<u64> {
        set.into_iter()
            .flat_map(IndexRanges::iter)
            .flat_map(|range| range.first..=range.last)
            .collect()
    }

    #[test]
    fn ranges_that_touch_become_one() {
        assert_eq!(
            set(&[(5, 9), (0, 2), (3, 3), (8, 12)]),
            set(&[(0, 3), (5, 12)])
        );
        assert_eq!(set(&[(5, 9), (3, 3)]).iter().len(), 2);
    }

    #[test]
    fn a_range_may_reach_the_last_index_of_all() {
        let all = set(&[(0, u64::MAX)]);
        assert!(all.contains(LeafIndex::new(u64::MAX)));
        assert_eq!(set(&[(7, u64::MAX)]).difference(&all), None);
        assert_eq!(all.difference(&set(&[(7, u64::MAX)])), Some(set(&[(0, 6)])));
        assert_eq!(set(&[(0, u64::MAX), (3, 4)]), all);
    }

    #[test]
    fn a_range_that_runs_backwards_is_refused() {
        let error = IndexRange::new(LeafIndex::new(4), LeafIndex::new(3)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "range of indexes from 4 to 3 runs backwards"
        );
    }

    #[test]
    fn a_set_of_no_ranges_is_refused() {
        assert_eq!(IndexRanges::new([]), Err(RangeError::Empty));
    }

    fn some_set() -> impl Strategy<Value = IndexRanges> {
        let range = (0u64..60, 0u64..8).prop_map(|(first, more)| (first, first + more));
        prop::collection::vec(range, 1..8).prop_map(|ranges| set(&ranges))
    }

    proptest! {
        #[test]
        fn sets_of_ranges_behave_as_sets_of_numbers(a in some_set(), b in some_set(), index in 0u64..70) {
            let (left, right) = (indexes(Some(&a)), indexes(Some(&b)));
            prop_assert_eq!(a.contains(LeafIndex::new(index)), left.contains(&index));
            prop_assert_eq!(a.overlaps(&b), !left.is_disjoint(&right));
            prop_assert_eq!(indexes(a.intersection(&b).as_ref()), &left & &right);
            prop_assert_eq!(indexes(a.difference(&b).as_ref()), &left - &right);
            prop_assert_eq!(indexes(Some(&a.union(&b))), &left | &right);
            prop_assert_eq!(a.count(), left.len() as u128);
        }
    }
}
