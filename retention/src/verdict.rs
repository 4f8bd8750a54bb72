//! Facts in; keep, held or disposable out.
//!
//! # Invariants
//! 1. A hold that suspends wins over everything, over a term not yet ended too.
//! 2. A record is disposable when proven time has reached the end of its term, not before.
//! 3. A unit is disposable only when its latest record is: the end never moves back as the start moves
//!    forward ([`crate::term`]), so one start stands for all.
//! 4. An error is not a verdict: nothing may be disposed of on it.
//! 5. The verdict on facts taken together ([`Verdict::stricter`]) keeps whatever either of them keeps.
//! 6. An act of the archive is kept while anything that it concerns is kept or held ([`Concerned`]).
//!
//! # Not here
//! Approvals, grace, the number of tokens: conditions of the act, not of the rule.

use std::fmt;

use crate::class::{Policy, RetentionClass};
use crate::hold::{Hold, HoldId, HoldSet};
use crate::ranges::{IndexRange, IndexRanges, LeafIndex};
use crate::reason::Reason;
use crate::term::{Start, TermError};
use crate::time::{ProvenTime, UtcMillis};

/// What is proposed for disposal: a record, or a unit of disposal, the records of one class in one
/// interval.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidate {
    class: RetentionClass,
    indexes: IndexRanges,
    latest: Start,
    /// At most one for each class, in order of class.
    concerned: Vec<Concerned>,
}

/// What acts of the archive concern, of one class: they are never disposed of before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Concerned {
    /// The class of the records concerned.
    pub class: RetentionClass,
    /// From the first of them to the last. It may span others: a hold on those keeps more than it must.
    pub indexes: IndexRange,
    /// The latest start among them.
    pub latest: Start,
}

impl Candidate {
    /// A single record.
    pub fn record(class: RetentionClass, index: LeafIndex, start: Start) -> Self {
        Self::unit(class, IndexRange::single(index).into(), start)
    }

    /// A unit, with the latest start of its records. Its ranges may also span leaves of other classes
    /// in the same interval: a hold on those then keeps more than it must, never less.
    pub const fn unit(class: RetentionClass, indexes: IndexRanges, latest: Start) -> Self {
        Self {
            class,
            indexes,
            latest,
            concerned: Vec::new(),
        }
    }

    /// The same, its records being acts that concern other records. Of one class what is added counts together, so
    /// a unit of any size holds six entries at most.
    #[must_use]
    pub fn concerning(mut self, more: Concerned) -> Self {
        match self
            .concerned
            .iter_mut()
            .find(|known| known.class == more.class)
        {
            Some(known) => {
                known.indexes = known.indexes.hull(more.indexes);
                known.latest = known.latest.max(more.latest);
            }
            None => {
                self.concerned.push(more);
                self.concerned.sort_unstable_by_key(|known| known.class);
            }
        }
        self
    }

    /// What its records concern, in order of class.
    pub fn concerned(&self) -> &[Concerned] {
        &self.concerned
    }

    /// The same, of `indexes` alone.
    pub(crate) fn narrowed(self, indexes: IndexRanges) -> Self {
        Self { indexes, ..self }
    }

    /// Its class.
    pub const fn class(&self) -> RetentionClass {
        self.class
    }

    /// The leaves it spans.
    pub const fn indexes(&self) -> &IndexRanges {
        &self.indexes
    }

    /// The latest start of its records.
    pub const fn latest(&self) -> Start {
        self.latest
    }

    /// Parts what holds suspend from what they leave free, so that held records can be carried over to
    /// a keeping of their own and the rest disposed of.
    ///
    /// A hold on what its records concern holds them all: which act concerns which record is not known here.
    pub fn part(self, holds: &HoldSet, now: ProvenTime) -> Parted {
        let mut about = self.concerned.iter();
        if about.any(|other| holding(holds, &other.indexes.into(), now).is_some()) {
            return Parted {
                held: Some(self.indexes),
                free: None,
            };
        }
        let suspending = holds.holds().iter().filter(|hold| hold.suspends(now));
        let Ok(named) = IndexRanges::new(suspending.flat_map(|hold| hold.indexes().iter())) else {
            return Parted {
                held: None,
                free: Some(self),
            };
        };
        let held = self.indexes.intersection(&named);
        let free = self.indexes.difference(&named);
        Parted {
            held,
            free: free.map(|indexes| Self { indexes, ..self }),
        }
    }
}

/// A candidate, parted by the holds in force. At least one part is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parted {
    /// The leaves under hold.
    pub held: Option<IndexRanges>,
    /// The candidate without them. Its latest start is still that of the whole: no earlier than its own.
    pub free: Option<Candidate>,
}

/// What the rule says of a candidate at a proven time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The term has not ended, as far as time is proven.
    Keep {
        /// The first instant at which disposal is lawful.
        until: UtcMillis,
        /// Which term it is.
        reason: Reason,
    },
    /// A hold suspends disposal, whatever the term.
    Held {
        /// The hold; the lowest number where there are several.
        by: HoldId,
    },
    /// Disposal is lawful.
    Disposable {
        /// Since when.
        since: UtcMillis,
        /// Which term has ended.
        reason: Reason,
    },
}

/// Judges a record or a unit.
///
/// # Errors
/// When a term cannot be counted: a start or an end outside the calendar.
pub fn judge(
    candidate: &Candidate,
    policy: &Policy,
    holds: &HoldSet,
    now: ProvenTime,
) -> Result<Verdict, TermError> {
    let own = judge_one(
        candidate.class,
        &candidate.indexes,
        candidate.latest,
        policy,
        holds,
        now,
    )?;
    candidate.concerned.iter().try_fold(own, |verdict, other| {
        let indexes = other.indexes.into();
        let of_other = judge_one(other.class, &indexes, other.latest, policy, holds, now)?;
        Ok(verdict.concerning(of_other))
    })
}

fn judge_one(
    class: RetentionClass,
    indexes: &IndexRanges,
    latest: Start,
    policy: &Policy,
    holds: &HoldSet,
    now: ProvenTime,
) -> Result<Verdict, TermError> {
    let term = policy.term(class);
    let reckoning = term.reckon(latest)?;
    if let Some(by) = holding(holds, indexes, now) {
        return Ok(Verdict::Held { by });
    }
    let end = reckoning.lawful_from();
    let reason = Reason::new(class, term, reckoning);
    Ok(if now.is_past(end) {
        Verdict::Disposable { since: end, reason }
    } else {
        Verdict::Keep { until: end, reason }
    })
}

/// The hold of the lowest number that suspends disposal of some of `indexes`.
fn holding(holds: &HoldSet, indexes: &IndexRanges, now: ProvenTime) -> Option<HoldId> {
    let suspending = holds.holds().iter().filter(|hold| hold.suspends(now));
    let holding = suspending.filter(|hold| hold.indexes().overlaps(indexes));
    holding.map(Hold::id).min()
}

impl Verdict {
    /// The verdict on two things that can only go together: held if either is, else kept until the later
    /// end, else disposable since the later end.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        use Verdict::{Disposable, Held, Keep};
        match (self, other) {
            (Held { by }, Held { by: also }) => Held { by: by.min(also) },
            (Held { by }, _) | (_, Held { by }) => Held { by },
            (kept @ Keep { .. }, Disposable { .. }) | (Disposable { .. }, kept @ Keep { .. }) => {
                kept
            }
            (
                Keep { until: end, reason },
                Keep {
                    until: later,
                    reason: their,
                },
            )
            | (
                Disposable { since: end, reason },
                Disposable {
                    since: later,
                    reason: their,
                },
            ) => {
                // Holidays bring different starts to one end: the later start is then the reason.
                let (mine, theirs) = (reason.reckoning().start(), their.reckoning().start());
                if (end, mine) < (later, theirs) {
                    other
                } else {
                    self
                }
            }
        }
    }

    /// The verdict on an act of the archive (class custody), given that on the last record it concerns:
    /// the act is never disposed of before that record.
    #[must_use]
    pub fn concerning(self, last_concerned: Self) -> Self {
        let last_concerned = match last_concerned {
            Self::Keep { until, reason } => Self::Keep {
                until,
                reason: reason.of_the_record_concerned(),
            },
            Self::Disposable { since, reason } => Self::Disposable {
                since,
                reason: reason.of_the_record_concerned(),
            },
            held @ Self::Held { .. } => held,
        };
        self.stricter(last_concerned)
    }

    /// The verdict as an Italian sentence.
    pub fn italian(&self) -> String {
        match self {
            Self::Keep { until, reason } => {
                format!("Non eliminabile prima di {until}. {}", reason.italian())
            }
            Self::Held { by } => {
                format!("Eliminazione sospesa dal vincolo di conservazione n. {by}.")
            }
            Self::Disposable { since, reason } => {
                format!("Eliminabile da {since}. {}", reason.italian())
            }
        }
    }
}

/// The verdict in English, lowercase, without a final period.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep { until, reason } => write!(f, "keep until {until}: {reason}"),
            Self::Held { by } => write!(f, "held by hold {by}"),
            Self::Disposable { since, reason } => {
                write!(f, "disposable since {since}: {reason}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
