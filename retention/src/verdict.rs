//! Facts in; keep, held or disposable out.
//!
//! # Invariants
//! 1. A hold that suspends wins over everything, over a term not yet ended too.
//! 2. A record is disposable when proven time has reached the end of its term, not before.
//! 3. A unit is disposable only when its latest record is: the end never moves back as the start moves
//!    forward ([`crate::term`]), so one start stands for all.
//! 4. An error is not a verdict: nothing may be disposed of on it.
//! 5. The verdict on facts taken together ([`Verdict::stricter`]) keeps whatever either of them keeps.
//!
//! # Not here
//! Approvals, grace, the number of tokens: conditions of the act, not of the rule.

use std::fmt;

use crate::class::{Policy, RetentionClass};
use crate::hold::{Hold, HoldId};
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
        }
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
    pub fn part(self, holds: &[Hold], now: ProvenTime) -> Parted {
        let suspending = holds.iter().filter(|hold| hold.suspends(now));
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
    },
}

/// Judges a record or a unit.
///
/// # Errors
/// When the term cannot be counted: a start or an end outside the calendar.
pub fn judge(
    candidate: &Candidate,
    policy: &Policy,
    holds: &[Hold],
    now: ProvenTime,
) -> Result<Verdict, TermError> {
    let suspending = holds.iter().filter(|hold| hold.suspends(now));
    let holding = suspending.filter(|hold| hold.indexes().overlaps(&candidate.indexes));
    if let Some(by) = holding.map(Hold::id).min() {
        return Ok(Verdict::Held { by });
    }
    let term = policy.term(candidate.class);
    let reckoning = term.reckon(candidate.latest)?;
    let end = reckoning.lawful_from();
    if now.is_past(end) {
        return Ok(Verdict::Disposable { since: end });
    }
    Ok(Verdict::Keep {
        until: end,
        reason: Reason::new(candidate.class, term, reckoning),
    })
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
            (
                Keep { until, reason },
                Keep {
                    until: later,
                    reason: their,
                },
            ) => {
                // Holidays bring different starts to one end: the later start is then the reason.
                let (mine, theirs) = (reason.reckoning().start(), their.reckoning().start());
                if (until, mine) < (later, theirs) {
                    other
                } else {
                    self
                }
            }
            (kept @ Keep { .. }, Disposable { .. }) | (Disposable { .. }, kept @ Keep { .. }) => {
                kept
            }
            (Disposable { since }, Disposable { since: later }) => Disposable {
                since: since.max(later),
            },
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
            other => other,
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
            Self::Disposable { since } => format!("Eliminabile da {since}."),
        }
    }
}

/// The verdict in English, lowercase, without a final period.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep { until, reason } => write!(f, "keep until {until}: {reason}"),
            Self::Held { by } => write!(f, "held by hold {by}"),
            Self::Disposable { since } => write!(f, "disposable since {since}"),
        }
    }
}

#[cfg(test)]
mod tests;
