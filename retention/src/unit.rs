//! Units of disposal, and whether one is due.
//!
//! # Invariants
//! 1. A unit is due when its term has ended in proven time and something of it is free of holds.
//! 2. What is held is carried over, whole, to a unit of its own; the rest is disposed of. The two are apart and
//!    together are the unit.
//! 3. A plan takes the units whose terms ended first, as many as the cap allows.
//!
//! # Not here
//! Intent, approvals, grace ([`crate::disposal`]).

use std::fmt;

use crate::class::{Policy, RetentionClass};
use crate::disposal_time::DisposalTime;
use crate::hold::{HoldId, HoldSet};
use crate::ranges::IndexRanges;
use crate::reason::Reason;
use crate::term::TermError;
use crate::time::{ProvenTime, UtcMillis};
use crate::verdict::{Candidate, Verdict, judge};

/// Names a unit: the records of one class in one interval, or those of them that holds have kept so far.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnitId {
    /// The start of the interval.
    pub interval: UtcMillis,
    /// The class.
    pub class: RetentionClass,
    /// How often it was carried over from a disposal, under a hold: zero for the unit as it was sealed.
    pub carried: u32,
}

/// As in `2026-01-01T00:00:00.000Z/trace`, with `+1` once it was carried over.
impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.interval, self.class)?;
        if self.carried > 0 {
            write!(f, "+{}", self.carried)?;
        }
        Ok(())
    }
}

/// A unit of disposal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unit {
    interval: UtcMillis,
    carried: u32,
    candidate: Candidate,
}

impl Unit {
    /// The records of `candidate`, sealed in the interval that starts at `interval`.
    pub const fn sealed(interval: UtcMillis, candidate: Candidate) -> Self {
        Self {
            interval,
            carried: 0,
            candidate,
        }
    }

    /// The unit as kept: carried over so many times.
    pub const fn carried(interval: UtcMillis, carried: u32, candidate: Candidate) -> Self {
        Self {
            interval,
            carried,
            candidate,
        }
    }

    /// Its name.
    pub const fn id(&self) -> UnitId {
        UnitId {
            interval: self.interval,
            class: self.candidate.class(),
            carried: self.carried,
        }
    }

    /// Its records.
    pub const fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// What a disposal carries over: `held`, with the latest start of the whole.
    pub(crate) fn carry(&self, held: IndexRanges) -> Self {
        Self {
            interval: self.interval,
            carried: self.carried.saturating_add(1),
            candidate: self.candidate.clone().narrowed(held),
        }
    }
}

/// What may be disposed of, now, by the rule alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Due {
    /// Since when.
    pub since: UtcMillis,
    /// Which term has ended.
    pub reason: Reason,
    /// The leaves to dispose of.
    pub dispose: IndexRanges,
    /// The leaves under hold, to be carried over.
    pub carry: Option<IndexRanges>,
}

/// Why a unit is not due. Not a failure: it is asked again later.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotDue {
    /// The time was proven for later intervals only.
    #[error("time is not proven since the interval from {interval}")]
    NotProvenSince {
        /// The interval of the unit.
        interval: UtcMillis,
    },
    /// Its term has not ended in proven time.
    #[error("keep until {until}: {reason}")]
    Kept {
        /// The first instant at which disposal is lawful.
        until: UtcMillis,
        /// Which term it is.
        reason: Reason,
    },
    /// All of it is under hold.
    #[error("held by hold {by}")]
    Held {
        /// The hold; the lowest number where there are several.
        by: HoldId,
    },
    /// Its term cannot be counted. Its facts are wrong; retrying is useless.
    #[error("its term cannot be counted")]
    Term(#[from] TermError),
}

impl NotDue {
    /// The reason as an Italian sentence.
    pub fn italian(&self) -> String {
        match self {
            Self::NotProvenSince { interval } => {
                format!("Il tempo non è provato a partire dall'intervallo del {interval}.")
            }
            Self::Kept { until, reason } => Verdict::Keep {
                until: *until,
                reason: *reason,
            }
            .italian(),
            Self::Held { by } => Verdict::Held { by: *by }.italian(),
            Self::Term(error) => format!("Il termine non si può calcolare ({error})."),
        }
    }
}

/// Asks whether a unit is due.
///
/// # Errors
/// [`NotDue`], with the reason.
pub fn due(
    unit: &Unit,
    policy: &Policy,
    holds: &HoldSet,
    time: &DisposalTime,
) -> Result<Due, NotDue> {
    let interval = unit.interval;
    if !time.holds_for(interval) {
        return Err(NotDue::NotProvenSince { interval });
    }
    due_at(unit, policy, holds, time.proven())
}

fn due_at(unit: &Unit, policy: &Policy, holds: &HoldSet, now: ProvenTime) -> Result<Due, NotDue> {
    let candidate = &unit.candidate;
    let (since, reason) = match judge(candidate, policy, &HoldSet::none(), now)? {
        Verdict::Disposable { since, reason } => (since, reason),
        Verdict::Keep { until, reason } => return Err(NotDue::Kept { until, reason }),
        Verdict::Held { by } => return Err(NotDue::Held { by }),
    };
    let parted = candidate.clone().part(holds, now);
    match (parted.free, judge(candidate, policy, holds, now)?) {
        (Some(free), _) => Ok(Due {
            since,
            reason,
            dispose: free.indexes().clone(),
            carry: parted.held,
        }),
        (None, Verdict::Held { by }) => Err(NotDue::Held { by }),
        // Nothing is free only where a hold suspends: the verdict says so too.
        (
            None,
            Verdict::Keep { until, reason }
            | Verdict::Disposable {
                since: until,
                reason,
            },
        ) => Err(NotDue::Kept { until, reason }),
    }
}

/// How many units one intent may name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BatchCap(u16);

impl BatchCap {
    /// The largest: what approvers can read.
    pub const MAX: Self = Self(366);
    /// Unless configured: a month of one class.
    pub const USUAL: Self = Self(31);

    /// So many units; none where that is zero or over [`BatchCap::MAX`].
    pub fn new(units: u16) -> Option<Self> {
        (1..=Self::MAX.0).contains(&units).then_some(Self(units))
    }

    /// The number of units.
    pub const fn units(self) -> usize {
        self.0 as usize // widens
    }
}

/// Units to be named by one intent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// Those due, the longest due first.
    pub units: Vec<Unit>,
    /// How many more are due, for another plan.
    pub left: u64,
    /// Those whose term cannot be counted, to be looked into: as many as the cap at most.
    pub broken: Vec<(UnitId, TermError)>,
}

/// Chooses the units for one intent, in memory bounded by the cap.
pub fn plan(
    units: impl IntoIterator<Item = Unit>,
    policy: &Policy,
    holds: &HoldSet,
    time: &DisposalTime,
    cap: BatchCap,
) -> Plan {
    let mut chosen: Vec<(UtcMillis, Unit)> = Vec::new();
    let mut plan = Plan::default();
    for unit in units {
        match due(&unit, policy, holds, time) {
            Ok(due) => {
                let key = (due.since, unit.id());
                let place = chosen.partition_point(|(since, other)| (*since, other.id()) < key);
                chosen.insert(place, (due.since, unit));
                if chosen.len() > cap.units() {
                    chosen.pop();
                    plan.left = plan.left.saturating_add(1);
                }
            }
            Err(NotDue::Term(error)) if plan.broken.len() < cap.units() => {
                plan.broken.push((unit.id(), error));
            }
            Err(_) => {}
        }
    }
    plan.units = chosen.into_iter().map(|(_, unit)| unit).collect();
    plan
}

/// A unit that ought to be gone (*eliminazione in ritardo*): an alarm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Overdue {
    /// The unit.
    pub unit: UnitId,
    /// Since when disposal is lawful.
    pub since: UtcMillis,
    /// For how long, in milliseconds.
    pub for_ms: i64,
}

impl Overdue {
    /// For how long a unit may be due before the alarm, in milliseconds: thirty days, in which two people approve
    /// and the grace goes by.
    pub const USUAL_MS: i64 = 30 * 86_400_000;
}

/// As in `overdue for disposal by 31 days: 2026-01-01T00:00:00.000Z/trace, since 2028-07-02T22:00:00.000Z`.
impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.for_ms / 86_400_000;
        let (unit, since) = (self.unit, self.since);
        write!(
            f,
            "overdue for disposal by {days} days: {unit}, since {since}"
        )
    }
}

/// Says whether a unit ought to be gone: due for longer than `allowed_ms`. An alarm disposes of nothing, so `now` may
/// be the word of one witness: it must also sound when the authorities are silent.
///
/// # Errors
/// When the term cannot be counted.
pub fn overdue(
    unit: &Unit,
    policy: &Policy,
    holds: &HoldSet,
    now: ProvenTime,
    allowed_ms: i64,
) -> Result<Option<Overdue>, TermError> {
    let since = match due_at(unit, policy, holds, now) {
        Ok(due) => due.since,
        Err(NotDue::Term(error)) => return Err(error),
        Err(_) => return Ok(None),
    };
    let for_ms = now.instant().as_millis().saturating_sub(since.as_millis());
    Ok((for_ms > allowed_ms).then_some(Overdue {
        unit: unit.id(),
        since,
        for_ms,
    }))
}
