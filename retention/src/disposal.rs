//! The disposal of a unit, step by step, as values: what was decided, by whom, and what may come next.
//!
//! ```text
//! planned ─▶ intended ─▶ approved once ─▶ in grace ─▶ EXECUTED ─▶ completed
//!    └──────────┴── withdrawn ──┴─────────────┘          the point of no return
//! ```
//!
//! # Invariants
//! 1. Each step is taken once, in this order; a refused step changes nothing.
//! 2. Two different principals approve the same intent, by its hash, and both approvals and the intent are leaves of
//!    the log: what only the state says is forged, and refused at execution.
//! 3. The grace is 72 hours or more of the archive's running time and of the authorities' time both: neither a clock
//!    set forward nor one made up for after downtime shortens it.
//! 4. Execution asks everything again, term and holds included, at that moment: a hold before it wins wholly.
//! 5. After execution no hold reaches what was disposed of: it is refused.
//!
//! # Crash
//! [`Disposal::execute`] is a judgement; the caller's batch is the act. A crash before that batch leaves the state as
//! it was, one after it leaves [`Stage::Executed`]: both resume from [`Disposal::resume`].
//!
//! # Not here
//! Leaves, secrets, files; who may approve (the caller's permit).

use std::fmt;

use crate::class::Policy;
use crate::clock::SoftClock;
use crate::disposal_time::DisposalTime;
use crate::hold::{Hold, HoldId, HoldSet};
use crate::principal::TwoPrincipals;
use crate::ranges::{IndexRanges, LeafIndex};
use crate::time::UtcMillis;
use crate::unit::{Due, NotDue, Unit, UnitId, due};

mod intent;
mod refusal;

pub use intent::{Approval, Grace, GraceStart, Intent, IntentId};
pub use refusal::Refusal;

/// How far a disposal has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Chosen by the rule.
    Planned,
    /// Its intent is a leaf of the log.
    Intended {
        /// The intent.
        intent: IntentId,
    },
    /// One principal approved.
    ApprovedOnce {
        /// The approval.
        first: Approval,
    },
    /// Two principals approved; the grace runs.
    InGrace {
        /// The approvals, of one intent and two principals.
        approvals: [Approval; 2],
        /// Since when.
        since: GraceStart,
    },
    /// The secrets are destroyed: nothing brings it back.
    Executed {
        /// What was done.
        outcome: Outcome,
    },
    /// The bytes are gone too, and the log says so (leaf of kind 5).
    Completed {
        /// What was done.
        outcome: Outcome,
        /// The leaf.
        leaf: LeafIndex,
    },
}

/// What an execution did, for the certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The approvals on which it was done.
    pub approvals: [Approval; 2],
    /// The leaves disposed of.
    pub disposed: IndexRanges,
    /// The leaves carried over under hold.
    pub carried: Option<IndexRanges>,
    /// The proven time on which it was done.
    pub proven: UtcMillis,
}

/// One unit's disposal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Disposal {
    unit: Unit,
    stage: Stage,
}

/// What an execution is judged by, all of it read anew.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The terms as configured now.
    pub policy: &'a Policy,
    /// The holds as they are now.
    pub holds: &'a HoldSet,
    /// The time as it is proven now.
    pub time: &'a DisposalTime,
    /// How long the grace is.
    pub grace: Grace,
    /// The intent as the log has it.
    pub intent: &'a Intent,
    /// The approvals of it that the log has.
    pub approvals: &'a [Approval],
}

/// A disposal that may be carried out now, in one batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Execution {
    /// The state to be written with the batch.
    pub disposal: Disposal,
    /// What to dispose of, what to carry over, and by which term.
    pub due: Due,
    /// The unit that what is carried over makes.
    pub carried: Option<Unit>,
}

impl Disposal {
    /// Plans the disposal of a unit that is due.
    ///
    /// # Errors
    /// [`Refusal::NotDue`].
    pub fn plan(
        unit: Unit,
        policy: &Policy,
        holds: &HoldSet,
        time: &DisposalTime,
    ) -> Result<Self, Refusal> {
        due(&unit, policy, holds, time)?;
        Ok(Self {
            unit,
            stage: Stage::Planned,
        })
    }

    /// A disposal as it was kept.
    ///
    /// # Errors
    /// [`Refusal::SameTwice`] and [`Refusal::OtherIntent`] when the stage is one that no step leads to.
    pub fn resume(unit: Unit, stage: Stage) -> Result<Self, Refusal> {
        let approvals = match &stage {
            Stage::InGrace { approvals, .. } => Some(approvals),
            Stage::Executed { outcome } | Stage::Completed { outcome, .. } => {
                Some(&outcome.approvals)
            }
            Stage::Planned | Stage::Intended { .. } | Stage::ApprovedOnce { .. } => None,
        };
        if let Some([first, second]) = approvals {
            together(first, second)?;
        }
        Ok(Self { unit, stage })
    }

    /// The unit.
    pub const fn unit(&self) -> &Unit {
        &self.unit
    }

    /// How far it has come.
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The intent was recorded in the log.
    ///
    /// # Errors
    /// [`Refusal::Step`] out of order, [`Refusal::NotInIntent`] when it names other units.
    pub fn intend(&self, intent: &Intent) -> Result<Self, Refusal> {
        if self.stage != Stage::Planned {
            return Err(self.out_of_order());
        }
        self.is_in(intent)?;
        Ok(self.at(Stage::Intended {
            intent: intent.id(),
        }))
    }

    /// A principal approved, and the log has it. With the second one the grace begins.
    ///
    /// # Errors
    /// [`Refusal::Step`] out of order, [`Refusal::OtherIntent`] when something else was approved,
    /// [`Refusal::SameTwice`] when one principal approves twice.
    pub fn approve(&self, approval: Approval, clock: &SoftClock) -> Result<Self, Refusal> {
        match &self.stage {
            Stage::Intended { intent } if *intent == approval.intent => {
                Ok(self.at(Stage::ApprovedOnce { first: approval }))
            }
            Stage::Intended { .. } => Err(Refusal::OtherIntent),
            Stage::ApprovedOnce { first } => {
                together(first, &approval)?;
                let approvals = [first.clone(), approval];
                let since = GraceStart {
                    run_ms: clock.run_ms(),
                    reading: clock.reading(),
                };
                Ok(self.at(Stage::InGrace { approvals, since }))
            }
            _ => Err(self.out_of_order()),
        }
    }

    /// Judges whether it may be carried out now. The caller's batch that writes the answer is the point of no return;
    /// it must read the holds itself, so that none comes between.
    ///
    /// # Errors
    /// Whatever stands against it: nothing may be disposed of.
    pub fn execute(&self, facts: &Facts<'_>) -> Result<Execution, Refusal> {
        let Stage::InGrace { approvals, since } = &self.stage else {
            return Err(self.out_of_order());
        };
        self.is_in(facts.intent)?;
        let [first, second] = approvals;
        together(first, second)?;
        for approval in approvals {
            if approval.intent != facts.intent.id() {
                return Err(Refusal::OtherIntent);
            }
            if !facts.approvals.contains(approval) {
                return Err(Refusal::NotOnRecord {
                    leaf: approval.leaf,
                });
            }
        }
        if let Some(left_ms) = grace_left_ms(*since, facts.grace, facts.time) {
            return Err(Refusal::Grace { left_ms });
        }
        let due = due(&self.unit, facts.policy, facts.holds, facts.time)?;
        let outcome = Outcome {
            approvals: approvals.clone(),
            disposed: due.dispose.clone(),
            carried: due.carry.clone(),
            proven: facts.time.proven().instant(),
        };
        Ok(Execution {
            disposal: self.at(Stage::Executed { outcome }),
            carried: due.carry.clone().map(|held| self.unit.carry(held)),
            due,
        })
    }

    /// The bytes are gone, and the log says so.
    ///
    /// # Errors
    /// [`Refusal::Step`] before execution, or a second time.
    pub fn complete(&self, leaf: LeafIndex) -> Result<Self, Refusal> {
        match &self.stage {
            Stage::Executed { outcome } => Ok(self.at(Stage::Completed {
                outcome: outcome.clone(),
                leaf,
            })),
            _ => Err(self.out_of_order()),
        }
    }

    /// Gives it up; the unit is then as if nothing had been planned.
    ///
    /// # Errors
    /// [`Refusal::Gone`] from execution on.
    pub fn withdraw(self) -> Result<Unit, Refusal> {
        match &self.stage {
            Stage::Executed { outcome } | Stage::Completed { outcome, .. } => Err(Refusal::Gone {
                unit: self.unit.id(),
                proven: outcome.proven,
                hold: None,
            }),
            _ => Ok(self.unit),
        }
    }

    /// Says whether a hold can still be set, as far as this unit goes.
    ///
    /// # Errors
    /// [`Refusal::Gone`] when it names something that was disposed of.
    pub fn admits(&self, hold: &Hold) -> Result<(), Refusal> {
        match &self.stage {
            Stage::Executed { outcome } | Stage::Completed { outcome, .. }
                if outcome.disposed.overlaps(hold.indexes()) =>
            {
                Err(Refusal::Gone {
                    unit: self.unit.id(),
                    proven: outcome.proven,
                    hold: Some(hold.id()),
                })
            }
            _ => Ok(()),
        }
    }

    fn at(&self, stage: Stage) -> Self {
        Self {
            unit: self.unit.clone(),
            stage,
        }
    }

    fn is_in(&self, intent: &Intent) -> Result<(), Refusal> {
        let unit = self.unit.id();
        if intent.names(unit) {
            Ok(())
        } else {
            Err(Refusal::NotInIntent { unit })
        }
    }

    fn out_of_order(&self) -> Refusal {
        Refusal::Step {
            found: self.stage.word(),
        }
    }
}

impl Stage {
    /// Its name in messages and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Intended { .. } => "intended",
            Self::ApprovedOnce { .. } => "approved once",
            Self::InGrace { .. } => "in grace",
            Self::Executed { .. } => "executed",
            Self::Completed { .. } => "completed",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Two approvals make one decision: of one intent, by two principals, in two leaves.
fn together(first: &Approval, second: &Approval) -> Result<(), Refusal> {
    if first.intent != second.intent {
        return Err(Refusal::OtherIntent);
    }
    let principals = TwoPrincipals::new(first.principal.clone(), second.principal.clone());
    if principals.is_err() || first.leaf == second.leaf {
        return Err(Refusal::SameTwice);
    }
    Ok(())
}

/// What is left of the grace, in milliseconds; none when it is over by running time and by the authorities.
fn grace_left_ms(since: GraceStart, grace: Grace, time: &DisposalTime) -> Option<u64> {
    let ran = time.run_ms().saturating_sub(since.run_ms);
    let shown = time.by_authorities().instant().as_millis();
    let shown = shown.saturating_sub(since.reading.as_millis());
    let gone_by = ran.min(u64::try_from(shown).unwrap_or(0));
    let left = grace.millis().saturating_sub(gone_by);
    (left > 0).then_some(left)
}
#[cfg(test)]
mod tests;
