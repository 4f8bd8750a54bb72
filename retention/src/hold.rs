//! Suspension of disposal by an authority, over leaf indexes.
//!
//! # Invariants
//! 1. A hold suspends disposal from the moment it is known. Its start is a fact for the record: proven
//!    time is a lower bound of now, and can never show that a start has not come yet.
//! 2. It stops suspending when its end is past in proven time, or when it is released; nothing else.
//! 3. It is released once. A release is an act with two approvals, so it works at once, with no date to
//!    wait for.
//! 4. Its indexes are frozen when it is set: no query is evaluated later.
//!
//! A hold overrides both the end of the term and a request of erasure (GDPR art. 17(3)(b) and (e)).

use std::fmt;

use crate::ranges::{IndexRanges, LeafIndex};
use crate::time::{ProvenTime, UtcMillis};

/// The number of a hold, unique in its log.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HoldId(u64);

impl HoldId {
    /// Any number; the caller keeps it unique, best as the index of the leaf that set the hold.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who wants the records kept.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Authority {
    /// A judge or a public prosecutor (*autorità giudiziaria*).
    Judicial,
    /// A supervisor or another public body (*autorità amministrativa*).
    Administrative,
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Judicial => "judicial",
            Self::Administrative => "administrative",
        })
    }
}

/// An order to keep records beyond their term.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hold {
    id: HoldId,
    authority: Authority,
    indexes: IndexRanges,
    start: UtcMillis,
    end: Option<UtcMillis>,
    released: Option<UtcMillis>,
}

impl Hold {
    /// A hold not released, on `indexes` from `start` until just before `end`, or without end.
    ///
    /// # Errors
    /// [`HoldError::EndNotAfterStart`].
    pub fn new(
        id: HoldId,
        authority: Authority,
        indexes: IndexRanges,
        start: UtcMillis,
        end: Option<UtcMillis>,
    ) -> Result<Self, HoldError> {
        match end {
            Some(end) if end <= start => Err(HoldError::EndNotAfterStart { id, start, end }),
            _ => Ok(Self {
                id,
                authority,
                indexes,
                start,
                end,
                released: None,
            }),
        }
    }

    /// The same hold, released at `at`.
    ///
    /// # Errors
    /// [`HoldError::AlreadyReleased`] with the instant of the first release, which stands.
    pub fn release(self, at: UtcMillis) -> Result<Self, HoldError> {
        match self.released {
            Some(at) => Err(HoldError::AlreadyReleased { id: self.id, at }),
            None => Ok(Self {
                released: Some(at),
                ..self
            }),
        }
    }

    /// True when the hold was in force on `index` at the instant `at`: from its start until its end or
    /// its release, whichever is first. For history; disposal asks [`Hold::suspends`].
    pub fn covers(&self, index: LeafIndex, at: UtcMillis) -> bool {
        let begun = self.start <= at;
        let over = [self.end, self.released]
            .into_iter()
            .flatten()
            .any(|end| end <= at);
        begun && !over && self.indexes.contains(index)
    }

    /// True when nothing it names may be disposed of, as far as `now` can show (invariants 1 and 2).
    pub fn suspends(&self, now: ProvenTime) -> bool {
        let ended = self.end.is_some_and(|end| now.is_past(end));
        self.released.is_none() && !ended
    }

    /// Its number.
    pub const fn id(&self) -> HoldId {
        self.id
    }

    /// Who set it.
    pub const fn authority(&self) -> Authority {
        self.authority
    }

    /// What it names.
    pub const fn indexes(&self) -> &IndexRanges {
        &self.indexes
    }

    /// From when it is in force.
    pub const fn start(&self) -> UtcMillis {
        self.start
    }

    /// The first instant at which it no longer is, if it has an end.
    pub const fn end(&self) -> Option<UtcMillis> {
        self.end
    }

    /// When it was released, if it was.
    pub const fn released(&self) -> Option<UtcMillis> {
        self.released
    }
}

/// Why a hold cannot be set or released. The caller's fault; retrying is useless.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HoldError {
    /// The hold would never be in force.
    #[error("hold {id} ends at {end}, not after its start at {start}")]
    EndNotAfterStart {
        /// The hold.
        id: HoldId,
        /// Its start.
        start: UtcMillis,
        /// The end found.
        end: UtcMillis,
    },
    /// A hold is released once.
    #[error("hold {id} was already released at {at}")]
    AlreadyReleased {
        /// The hold.
        id: HoldId,
        /// Its release.
        at: UtcMillis,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranges::IndexRange;

    fn at(millis: i64) -> UtcMillis {
        UtcMillis::new(millis)
    }

    fn proven(millis: i64) -> ProvenTime {
        ProvenTime::from_token(at(millis), 0).unwrap()
    }

    fn hold(end: Option<i64>) -> Hold {
        let indexes = IndexRange::new(LeafIndex::new(10), LeafIndex::new(19)).unwrap();
        Hold::new(
            HoldId::new(7),
            Authority::Judicial,
            indexes.into(),
            at(1_000),
            end.map(at),
        )
        .unwrap()
    }

    #[test]
    fn a_hold_covers_its_indexes_from_its_start_until_just_before_its_end() {
        let hold = hold(Some(2_000));
        let covered = |index, millis| hold.covers(LeafIndex::new(index), at(millis));
        assert!(covered(10, 1_000) && covered(19, 1_999));
        assert!(!covered(10, 999) && !covered(10, 2_000));
        assert!(!covered(9, 1_500) && !covered(20, 1_500));
    }

    #[test]
    fn a_hold_without_end_covers_for_ever() {
        assert!(hold(None).covers(LeafIndex::new(10), at(i64::MAX)));
        assert!(hold(None).suspends(proven(i64::MAX)));
    }

    #[test]
    fn a_released_hold_covers_only_the_time_before_its_release() {
        let hold = hold(Some(2_000)).release(at(1_500)).unwrap();
        assert!(hold.covers(LeafIndex::new(10), at(1_499)));
        assert!(!hold.covers(LeafIndex::new(10), at(1_500)));
        assert!(!hold.suspends(proven(1_200)));
    }

    #[test]
    fn a_hold_suspends_before_its_start_is_proven() {
        assert!(hold(None).suspends(proven(0)));
    }

    #[test]
    fn a_hold_suspends_until_its_end_is_proven() {
        assert!(hold(Some(2_000)).suspends(proven(1_999)));
        assert!(!hold(Some(2_000)).suspends(proven(2_000)));
    }

    #[test]
    fn a_hold_that_ends_before_it_starts_is_refused() {
        let indexes = IndexRange::single(LeafIndex::new(1));
        let id = HoldId::new(7);
        for end in [999, 1_000] {
            let set = Hold::new(
                id,
                Authority::Administrative,
                indexes.into(),
                at(1_000),
                Some(at(end)),
            );
            assert_eq!(
                set,
                Err(HoldError::EndNotAfterStart {
                    id,
                    start: at(1_000),
                    end: at(end)
                })
            );
        }
    }

    #[test]
    fn a_hold_is_released_once() {
        let released = hold(None).release(at(1_500)).unwrap();
        let again = released.release(at(1_600));
        assert_eq!(
            again,
            Err(HoldError::AlreadyReleased {
                id: HoldId::new(7),
                at: at(1_500)
            })
        );
    }
}
