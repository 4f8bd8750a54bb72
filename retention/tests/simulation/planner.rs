//! The crate, told what happens; and mutants of it, each with one promise taken out.

use std::collections::{BTreeSet, HashMap};

use ceralacca_retention::*;

use crate::calendar::DAY;
use crate::model::Approved;
use crate::world::{Asked, HoldFacts, Sealed, World};

/// A promise taken out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mutant {
    IgnoresHolds,
    TrustsAnEmptiedTableOfHolds,
    ForgetsWhatIsHeld,
    ContentsItselfWithOneAuthority,
    TrustsReplayedTokens,
    TrustsOldAnswers,
    IgnoresTheChain,
    IgnoresTheClock,
    ForgetsSteps,
    SkipsTheGrace,
    TakesDowntimeForGrace,
    TrustsItsOwnApprovals,
    LetsOneApproveTwice,
    StartsAtTheEvent,
    StartsAtIngest,
    StartsAtTheFirstRecord,
    CountsAMonthLess,
    ForgetsWhatActsConcern,
    ForgetsThatItExecuted,
    AdmitsHoldsTooLate,
}

pub const MUTANTS: [Mutant; 20] = [
    Mutant::IgnoresHolds,
    Mutant::TrustsAnEmptiedTableOfHolds,
    Mutant::ForgetsWhatIsHeld,
    Mutant::ContentsItselfWithOneAuthority,
    Mutant::TrustsReplayedTokens,
    Mutant::TrustsOldAnswers,
    Mutant::IgnoresTheChain,
    Mutant::IgnoresTheClock,
    Mutant::ForgetsSteps,
    Mutant::SkipsTheGrace,
    Mutant::TakesDowntimeForGrace,
    Mutant::TrustsItsOwnApprovals,
    Mutant::LetsOneApproveTwice,
    Mutant::StartsAtTheEvent,
    Mutant::StartsAtIngest,
    Mutant::StartsAtTheFirstRecord,
    Mutant::CountsAMonthLess,
    Mutant::ForgetsWhatActsConcern,
    Mutant::ForgetsThatItExecuted,
    Mutant::AdmitsHoldsTooLate,
];

pub fn at(millis: i64) -> UtcMillis {
    UtcMillis::new(millis)
}

pub fn proven(millis: i64) -> ProvenTime {
    ProvenTime::from_token(at(millis), 0).unwrap()
}

pub fn cap() -> BatchCap {
    BatchCap::new(8).unwrap()
}

fn indexes(set: impl IntoIterator<Item = u64>) -> IndexRanges {
    let single = |index| IndexRange::single(LeafIndex::new(index));
    IndexRanges::new(set.into_iter().map(single)).unwrap()
}

pub fn numbers(ranges: &IndexRanges) -> BTreeSet<u64> {
    ranges
        .iter()
        .flat_map(|range| range.first().as_u64()..=range.last().as_u64())
        .collect()
}

pub fn two(first: &str, second: &str) -> Result<TwoPrincipals, PrincipalError> {
    TwoPrincipals::new(Principal::new(first)?, Principal::new(second)?)
}

pub fn hold(facts: &HoldFacts) -> Hold {
    let range = IndexRange::new(LeafIndex::new(facts.first), LeafIndex::new(facts.last)).unwrap();
    let act = Act::new("decreto 12/2026").unwrap();
    let end = facts.end.map(at);
    let id = HoldId::new(facts.id);
    let hold = Hold::new(id, Authority::Judicial, act, range.into(), at(0), end).unwrap();
    if facts.released {
        hold.release(at(1), two("anna", "bruno").unwrap()).unwrap()
    } else {
        hold
    }
}

pub fn approval(approved: &Approved) -> Approval {
    Approval {
        intent: IntentId::new([approved.intent; 32]),
        principal: Principal::new(approved.name).unwrap(),
        leaf: LeafIndex::new(approved.leaf),
    }
}

/// The chains built so far, by their first interval, with how many closings of the log each has seen: a store keeps
/// them too, and adds what was sealed since.
pub type Chains = HashMap<i64, (Chain, usize)>;

#[derive(Clone, Copy)]
pub struct Planner(pub Option<Mutant>);

impl Planner {
    pub fn is(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }

    pub fn policy(self, world: &World) -> Policy {
        let mut policy = Policy::default();
        for (class, months) in RetentionClass::ALL.into_iter().zip(world.months) {
            let free = !matches!(class.basis(), Basis::Law(_));
            let less = u32::from(self.is(Mutant::CountsAMonthLess) && free && months > 1);
            let term = Term::of_months((months - less) as u16).unwrap();
            policy = policy.with(class, term).unwrap();
        }
        policy
    }

    /// The holds, held against the log; none when the table is not what the log says.
    pub fn holds(self, world: &World) -> Option<HoldSet> {
        if self.is(Mutant::IgnoresHolds) && !world.holds_emptied {
            return Some(HoldSet::none());
        }
        let released = world.holds.iter().filter(|hold| hold.released).count() as u64;
        let set = world.holds.len() as u64;
        if world.holds_emptied {
            if self.is(Mutant::TrustsAnEmptiedTableOfHolds) {
                return Some(HoldSet::none());
            }
            return HoldSet::reconciled(Vec::new(), set, released).ok();
        }
        let holds = world.holds.iter().map(hold).collect();
        Some(HoldSet::reconciled(holds, set, released).unwrap())
    }

    pub fn unit(self, world: &World, part: usize) -> Unit {
        let part = &world.parts[part];
        let sealed = &world.sealed[part.of];
        let class = RetentionClass::ALL[sealed.class as usize];
        let starts = sealed.records.iter().map(|record| {
            let token = proven(sealed.token.unwrap());
            match self.0 {
                Some(Mutant::StartsAtTheEvent) => {
                    let event = record.event.min(record.ingest);
                    Start::new(at(event), at(event), proven(event))
                }
                Some(Mutant::StartsAtIngest) => {
                    let ingest = at(record.ingest);
                    Start::new(at(record.event), ingest, proven(record.ingest))
                }
                _ => Start::new(at(record.event), at(record.ingest), token),
            }
        });
        let latest = match self.0 {
            Some(Mutant::StartsAtTheFirstRecord) => starts.min(),
            _ => starts.max(),
        };
        let candidate = Candidate::unit(
            class,
            indexes(part.indexes.iter().copied()),
            latest.unwrap(),
        );
        let candidate = self.concerning(sealed, candidate);
        Unit::carried(at(sealed.interval), part.carried, candidate)
    }

    fn concerning(self, sealed: &Sealed, candidate: Candidate) -> Candidate {
        match sealed.about {
            Some(about) if !self.is(Mutant::ForgetsWhatActsConcern) => {
                let (first, last) = (LeafIndex::new(about.first), LeafIndex::new(about.last));
                let start = at(about.latest_start);
                candidate.concerning(Concerned {
                    class: RetentionClass::ALL[about.class as usize],
                    indexes: IndexRange::new(first, last).unwrap(),
                    latest: Start::new(start, start, proven(about.latest_start)),
                })
            }
            _ => candidate,
        }
    }

    /// The time proven for units of the interval `since` and later ones.
    pub fn time(
        self,
        world: &World,
        asked: &Asked,
        clock: &SoftClock,
        since: i64,
        chains: &mut Chains,
    ) -> Option<DisposalTime> {
        let nonce = Nonce::new([asked.nonce; 16]);
        let tokens: Vec<FreshToken> = asked
            .tokens
            .iter()
            .map(|token| FreshToken {
                authority: AuthorityId::new(token.authority),
                gen_time: at(token.gen_time),
                accuracy_ms: token.accuracy,
                nonce: Some(match self.0 {
                    Some(Mutant::TrustsReplayedTokens) => nonce,
                    _ => Nonce::new([token.nonce; 16]),
                }),
                clock: if token.embedded {
                    AuthorityClock::OfTheArchive
                } else {
                    AuthorityClock::Own
                },
                grade: if token.embedded {
                    AuthorityGrade::Development
                } else {
                    AuthorityGrade::Chosen
                },
            })
            .collect();
        let kept = clock.kept();
        let clock = match self.0 {
            Some(Mutant::IgnoresTheClock) => SoftClock::restart(
                KeptClock {
                    reading: at(i64::MAX),
                    ..kept
                },
                0,
                at(0),
            ),
            Some(Mutant::ForgetsSteps) => SoftClock::restart(
                KeptClock {
                    step_ms: None,
                    ..kept
                },
                0,
                at(0),
            ),
            _ => *clock,
        };
        let age_ms = if self.is(Mutant::TrustsOldAnswers) {
            0
        } else {
            asked.age
        };
        prove(&Grounds {
            kind: if self.is(Mutant::ContentsItselfWithOneAuthority) {
                StoreKind::Development
            } else {
                StoreKind::Production
            },
            inquiry: &Inquiry { nonce, age_ms },
            tokens: &tokens,
            chain: &self.chain(world, since, chains)?,
            clock: &clock,
        })
        .ok()
    }

    fn chain(self, world: &World, since: i64, chains: &mut Chains) -> Option<Chain> {
        let from = world
            .closings
            .partition_point(|closing| closing.start < since);
        let (mut chain, from) = match chains.get(&since) {
            Some((chain, seen)) => (Some(*chain), *seen),
            None => (None, from),
        };
        for facts in world.closings.get(from..)? {
            let closing = |start: i64, previous, token| Closing {
                start: at(start),
                end: at(start + DAY),
                previous,
                token: proven(token),
            };
            let Some(mut before) = chain else {
                let first = closing(facts.start, facts.previous.map(at), facts.token);
                chain = Some(Chain::begin(first).unwrap());
                continue;
            };
            let mut previous = facts.previous.map(at);
            if self.is(Mutant::IgnoresTheChain) {
                // As if every gap were full of intervals.
                while before.last().end.as_millis() < facts.start {
                    let end = before.last().end.as_millis();
                    let made_up = closing(end, Some(before.last().start), end + DAY);
                    before = before.then(made_up).unwrap();
                }
                previous = Some(before.last().start);
            }
            let next = closing(facts.start, previous, facts.token);
            chain = Some(before.then(next).unwrap());
        }
        chains.insert(since, (chain?, world.closings.len()));
        chain
    }

    pub fn execute(
        self,
        world: &World,
        disposal: &Disposal,
        intent: &Intent,
        record: &[Approved],
        time: &DisposalTime,
    ) -> Option<(Execution, BTreeSet<u64>)> {
        let holds = self.holds(world)?;
        let mut record: Vec<Approval> = record.iter().map(approval).collect();
        let mut disposal = disposal.clone();
        if let Stage::InGrace { approvals, since } = disposal.stage().clone() {
            if self.is(Mutant::TrustsItsOwnApprovals) {
                record.extend(approvals.clone());
            }
            let since = match self.0 {
                Some(Mutant::SkipsTheGrace) => GraceStart {
                    run_ms: 0,
                    reading: at(0),
                },
                Some(Mutant::TakesDowntimeForGrace) => GraceStart { run_ms: 0, ..since },
                _ => since,
            };
            let stage = Stage::InGrace { approvals, since };
            disposal = Disposal::resume(disposal.unit().clone(), stage).ok()?;
        }
        if let Stage::Executed { outcome } = disposal.stage().clone()
            && self.is(Mutant::ForgetsThatItExecuted)
        {
            let stage = Stage::InGrace {
                approvals: outcome.approvals,
                since: GraceStart {
                    run_ms: 0,
                    reading: at(0),
                },
            };
            disposal = Disposal::resume(disposal.unit().clone(), stage).ok()?;
        }
        let execution = disposal
            .execute(&Facts {
                policy: &self.policy(world),
                holds: &holds,
                time,
                grace: Grace::SHORTEST,
                intent,
                approvals: &record,
            })
            .ok()?;
        let mut gone = numbers(&execution.due.dispose);
        if self.is(Mutant::ForgetsWhatIsHeld) {
            gone.extend(execution.due.carry.iter().flat_map(numbers));
        }
        Some((execution, gone))
    }
}
