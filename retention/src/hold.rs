//! Suspension of disposal by an authority, over leaf indexes.
//!
//! # Invariants
//! 1. A hold suspends disposal from the moment it is known. Its start is a fact for the record: proven
//!    time is a lower bound of now, and can never show that a start has not come yet.
//! 2. It stops suspending when its end is past in proven time, or when it is released; nothing else.
//! 3. It is released once, by two principals, so it works at once, with no date to wait for.
//! 4. Its indexes are frozen when it is set: no query is evaluated later.
//! 5. Holds are judged as a [`HoldSet`], which exists only where they are as many as the log says were set and
//!    released: a lost or emptied table of holds is an error, never the absence of holds.
//!
//! A hold overrides both the end of the term and a request of erasure (GDPR art. 17(3)(b) and (e)).

use std::fmt;

use crate::principal::TwoPrincipals;
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

impl Authority {
    /// Its name in Italian.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::Judicial => "autorità giudiziaria",
            Self::Administrative => "autorità amministrativa",
        }
    }
}

/// The act that orders a hold (*provvedimento*), as it is cited: `decreto 12/2026 R.G.N.R. 345/2026`.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Act(String);

impl Act {
    /// The longest citation, in bytes.
    pub const BYTES_MAX: usize = 1024;

    /// The act so cited.
    ///
    /// # Errors
    /// [`HoldError::Act`] when the citation is empty, too long, or has control characters.
    pub fn new(citation: &str) -> Result<Self, HoldError> {
        let citation = citation.trim();
        let fit = (1..=Self::BYTES_MAX).contains(&citation.len());
        if !fit || citation.chars().any(char::is_control) {
            return Err(HoldError::Act {
                bytes: citation.len(),
            });
        }
        Ok(Self(citation.to_owned()))
    }

    /// The citation.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A citation may name a person: it is shown where it is asked for, and nowhere else.
impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Act(..)")
    }
}

/// When a hold was released, and by whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Release {
    /// When.
    pub at: UtcMillis,
    /// By whom.
    pub by: TwoPrincipals,
}

/// An order to keep records beyond their term.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hold {
    id: HoldId,
    authority: Authority,
    act: Act,
    indexes: IndexRanges,
    start: UtcMillis,
    end: Option<UtcMillis>,
    released: Option<Release>,
}

impl Hold {
    /// A hold not released, on `indexes` from `start` until just before `end`, or without end.
    ///
    /// # Errors
    /// [`HoldError::EndNotAfterStart`].
    pub fn new(
        id: HoldId,
        authority: Authority,
        act: Act,
        indexes: IndexRanges,
        start: UtcMillis,
        end: Option<UtcMillis>,
    ) -> Result<Self, HoldError> {
        match end {
            Some(end) if end <= start => Err(HoldError::EndNotAfterStart { id, start, end }),
            _ => Ok(Self {
                id,
                authority,
                act,
                indexes,
                start,
                end,
                released: None,
            }),
        }
    }

    /// The same hold, released at `at` by two principals.
    ///
    /// # Errors
    /// [`HoldError::AlreadyReleased`] with the instant of the first release, which stands.
    pub fn release(self, at: UtcMillis, by: TwoPrincipals) -> Result<Self, HoldError> {
        match self.released {
            Some(first) => Err(HoldError::AlreadyReleased {
                id: self.id,
                at: first.at,
            }),
            None => Ok(Self {
                released: Some(Release { at, by }),
                ..self
            }),
        }
    }

    /// True when the hold was in force on `index` at the instant `at`: from its start until its end or
    /// its release, whichever is first. For history; disposal asks [`Hold::suspends`].
    pub fn covers(&self, index: LeafIndex, at: UtcMillis) -> bool {
        let begun = self.start <= at;
        let released = self.released.as_ref().map(|release| release.at);
        let over = [self.end, released]
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

    /// The act that ordered it.
    pub const fn act(&self) -> &Act {
        &self.act
    }

    /// When and by whom it was released, if it was.
    pub const fn released(&self) -> Option<&Release> {
        self.released.as_ref()
    }
}

/// The holds of a log, all of them: those set, those released.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HoldSet(Vec<Hold>);

impl HoldSet {
    /// The `holds` at hand, held against the log: `set` leaves of kind 6 and `released` leaves of kind 7, each of
    /// which names one hold.
    ///
    /// # Errors
    /// [`HoldError::NotThoseOfTheLog`] when they are fewer or more, [`HoldError::SameId`] when two have one number.
    pub fn reconciled(holds: Vec<Hold>, set: u64, released: u64) -> Result<Self, HoldError> {
        let mut ids: Vec<HoldId> = holds.iter().map(Hold::id).collect();
        ids.sort_unstable();
        let twice = ids.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(*one),
            _ => None,
        });
        if let Some(id) = twice {
            return Err(HoldError::SameId { id });
        }
        let found_released = holds.iter().filter(|hold| hold.released.is_some()).count();
        // A count of values in memory fits 64 bits.
        let (found, found_released) = (holds.len() as u64, found_released as u64);
        if (found, found_released) != (set, released) {
            return Err(HoldError::NotThoseOfTheLog {
                found,
                set,
                found_released,
                released,
            });
        }
        Ok(Self(holds))
    }

    /// A log in which no hold was ever set.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The holds, in the order in which they were given.
    pub fn holds(&self) -> &[Hold] {
        &self.0
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
    /// Not a citation: empty, too long, or with control characters. It is not repeated here.
    #[error("a text of {bytes} bytes does not cite an act")]
    Act {
        /// Its length.
        bytes: usize,
    },
    /// Two holds with one number: the table of holds is damaged. Nothing may be disposed of.
    #[error("two holds have the number {id}")]
    SameId {
        /// The number.
        id: HoldId,
    },
    /// The table of holds is not what the log says: damaged, emptied or forged. Nothing may be disposed of.
    #[error(
        "{found} holds at hand, {found_released} of them released; the log says {set} set, {released} released"
    )]
    NotThoseOfTheLog {
        /// Holds at hand.
        found: u64,
        /// Holds set, by the log.
        set: u64,
        /// Holds at hand that are released.
        found_released: u64,
        /// Holds released, by the log.
        released: u64,
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
mod tests;
