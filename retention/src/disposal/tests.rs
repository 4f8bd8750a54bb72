//! The steps in order, out of order, and forged.

use super::*;
use crate::authority::{
    AuthorityClock, AuthorityGrade, AuthorityId, FreshToken, Inquiry, Nonce, StoreKind,
};
use crate::chain::{Chain, Closing};
use crate::class::RetentionClass;
use crate::disposal_time::{Grounds, prove};
use crate::hold::{Act, Authority};
use crate::principal::Principal;
use crate::ranges::IndexRange;
use crate::term::{Start, Term};
use crate::time::ProvenTime;
use crate::unit::{BatchCap, overdue, plan};
use crate::verdict::Candidate;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// 2023-05-15, UTC: the interval of the unit. Its records are kept through 16 November 2025, a day after the 15th
/// because the closing of the interval falls on the 16th; 16 November 2025 is a Sunday, so through the 17th.
const INTERVAL: i64 = 1_684_108_800_000;
/// 2025-11-18T00:00 in Italy.
const END: i64 = 1_763_420_400_000;

fn at(millis: i64) -> UtcMillis {
    UtcMillis::new(millis)
}

fn proven(millis: i64) -> ProvenTime {
    ProvenTime::from_token(at(millis), 0).unwrap()
}

fn named(name: &str) -> Principal {
    Principal::new(name).unwrap()
}

/// A clock that has run since the interval, to `now`.
fn clock(now: i64) -> SoftClock {
    SoftClock::restart(
        crate::clock::KeptClock {
            reading: at(now),
            run_ms: u64::try_from(now - INTERVAL).unwrap(),
            step_ms: None,
        },
        0,
        at(now),
    )
}

/// Time proven for disposal at about `now`: everything is as it should, but for the clock.
fn time_with(now: i64, clock: &SoftClock) -> DisposalTime {
    let closing = |day: i64, previous| Closing {
        start: at(INTERVAL + day * DAY),
        end: at(INTERVAL + (day + 1) * DAY),
        previous,
        token: proven(INTERVAL + (day + 1) * DAY),
    };
    let mut chain = Chain::begin(closing(0, None)).unwrap();
    for day in 1..=(now - INTERVAL) / DAY {
        let previous = Some(chain.last().start);
        chain = chain.then(closing(day, previous)).unwrap();
    }
    let nonce = Nonce::new([1; 16]);
    let token = |name| FreshToken {
        authority: AuthorityId::new(name),
        gen_time: at(chain.last().end.as_millis().max(now)),
        accuracy_ms: Some(0),
        nonce: Some(nonce),
        clock: AuthorityClock::Own,
        grade: AuthorityGrade::Chosen,
    };
    prove(&Grounds {
        kind: StoreKind::Production,
        inquiry: &Inquiry { nonce, age_ms: 0 },
        tokens: &[token("a"), token("b")],
        chain: &chain,
        clock,
    })
    .unwrap()
}

fn time(now: i64) -> DisposalTime {
    time_with(now, &clock(now))
}

fn indexes(first: u64, last: u64) -> IndexRanges {
    IndexRange::new(LeafIndex::new(first), LeafIndex::new(last))
        .unwrap()
        .into()
}

fn unit() -> Unit {
    let start = Start::new(
        at(INTERVAL + HOUR),
        at(INTERVAL + HOUR),
        proven(INTERVAL + DAY),
    );
    let candidate = Candidate::unit(RetentionClass::Trace, indexes(10, 19), start);
    Unit::sealed(at(INTERVAL), candidate)
}

fn hold(first: u64, last: u64) -> HoldSet {
    HoldSet::reconciled(vec![one_hold(first, last)], 1, 0).unwrap()
}

fn one_hold(first: u64, last: u64) -> Hold {
    Hold::new(
        HoldId::new(90),
        Authority::Judicial,
        Act::new("decreto 12/2026").unwrap(),
        indexes(first, last),
        at(INTERVAL),
        None,
    )
    .unwrap()
}

fn intent() -> Intent {
    Intent::new(IntentId::new([5; 32]), vec![unit().id()], BatchCap::USUAL).unwrap()
}

fn approval(name: &str, leaf: u64) -> Approval {
    Approval {
        intent: IntentId::new([5; 32]),
        principal: named(name),
        leaf: LeafIndex::new(leaf),
    }
}

fn approvals() -> Vec<Approval> {
    vec![approval("anna", 100), approval("bruno", 101)]
}

/// Planned, intended and approved when it was due.
fn in_grace() -> Disposal {
    let planned = Disposal::plan(unit(), &Policy::default(), &HoldSet::none(), &time(END)).unwrap();
    let mut disposal = planned.intend(&intent()).unwrap();
    for approval in approvals() {
        disposal = disposal.approve(approval, &clock(END)).unwrap();
    }
    disposal
}

fn execute_with(
    disposal: &Disposal,
    holds: &HoldSet,
    now: &DisposalTime,
    approvals: &[Approval],
) -> Result<Execution, Refusal> {
    disposal.execute(&Facts {
        policy: &Policy::default(),
        holds,
        time: now,
        grace: Grace::SHORTEST,
        intent: &intent(),
        approvals,
    })
}

fn execute(disposal: &Disposal, now: i64) -> Result<Execution, Refusal> {
    execute_with(disposal, &HoldSet::none(), &time(now), &approvals())
}

#[test]
fn a_unit_goes_from_plan_to_completion() {
    let execution = execute(&in_grace(), END + 72 * HOUR).unwrap();
    assert_eq!(execution.due.dispose, indexes(10, 19));
    assert_eq!(execution.due.since, at(END));
    assert_eq!(execution.carried, None);
    let done = execution.disposal.complete(LeafIndex::new(200)).unwrap();
    assert_eq!(done.stage().word(), "completed");
    assert_eq!(
        Disposal::resume(unit(), done.stage().clone()),
        Ok(done.clone())
    );
}

#[test]
fn a_unit_is_not_planned_a_millisecond_early() {
    let early = clock(END - 1);
    let refused = Disposal::plan(
        unit(),
        &Policy::default(),
        &HoldSet::none(),
        &time_with(END + DAY, &early),
    );
    assert!(
        matches!(refused, Err(Refusal::NotDue(NotDue::Kept { until, .. })) if until == at(END))
    );
}

#[test]
fn a_unit_older_than_the_chain_is_not_due() {
    let older = Unit::sealed(at(INTERVAL - 1), unit().candidate().clone());
    let refused = Disposal::plan(older, &Policy::default(), &HoldSet::none(), &time(END));
    assert!(matches!(
        refused,
        Err(Refusal::NotDue(NotDue::NotProvenSince { .. }))
    ));
}

#[test]
fn one_principal_twice_is_refused() {
    let intended = Disposal::plan(unit(), &Policy::default(), &HoldSet::none(), &time(END))
        .unwrap()
        .intend(&intent())
        .unwrap();
    let once = intended
        .approve(approval("anna", 100), &clock(END))
        .unwrap();
    for again in [
        approval("anna", 101),
        approval("Anna", 101),
        approval("bruno", 100),
    ] {
        assert_eq!(once.approve(again, &clock(END)), Err(Refusal::SameTwice));
    }
    assert!(once.approve(approval("bruno", 101), &clock(END)).is_ok());
}

#[test]
fn an_approval_of_another_intent_is_refused() {
    let other = Approval {
        intent: IntentId::new([6; 32]),
        ..approval("bruno", 101)
    };
    let intended = Disposal::plan(unit(), &Policy::default(), &HoldSet::none(), &time(END))
        .unwrap()
        .intend(&intent())
        .unwrap();
    assert_eq!(
        intended.approve(other.clone(), &clock(END)),
        Err(Refusal::OtherIntent)
    );
    let once = intended
        .approve(approval("anna", 100), &clock(END))
        .unwrap();
    assert_eq!(once.approve(other, &clock(END)), Err(Refusal::OtherIntent));
}

#[test]
fn a_forged_approval_is_not_on_record_and_is_refused() {
    // The state says that bruno approved; the log has no such leaf, or says otherwise at that leaf.
    let now = time(END + 90 * DAY);
    let forged_elsewhere = [approval("anna", 100), approval("carla", 101)];
    for record in [&approvals()[..1], &[], &forged_elsewhere[..]] {
        let refused = execute_with(&in_grace(), &HoldSet::none(), &now, record);
        assert!(
            matches!(refused, Err(Refusal::NotOnRecord { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn a_kept_state_with_one_principal_twice_does_not_resume() {
    let Stage::InGrace { approvals, since } = in_grace().stage().clone() else {
        panic!("not in grace");
    };
    let [first, _] = approvals;
    let forged = |second| Stage::InGrace {
        approvals: [first.clone(), second],
        since,
    };
    let twice = approval("anna", 101);
    assert_eq!(
        Disposal::resume(unit(), forged(twice)),
        Err(Refusal::SameTwice)
    );
    let other = Approval {
        intent: IntentId::new([6; 32]),
        ..approval("bruno", 101)
    };
    assert_eq!(
        Disposal::resume(unit(), forged(other)),
        Err(Refusal::OtherIntent)
    );
}

#[test]
fn the_grace_is_72_hours_of_running_time_and_of_the_authorities_time() {
    assert_eq!(Grace::of_hours(71), Err(Refusal::ShortGrace { hours: 71 }));
    let grace_ms = 72 * HOUR;
    let now = time(END + 90 * DAY);
    let shown = now.by_authorities().instant().as_millis();
    let ran = i64::try_from(now.run_ms()).unwrap();
    // A grace that began so long ago by the authorities, and so long ago by running time.
    let judged = |by_authorities, by_running| {
        let Stage::InGrace { approvals, .. } = in_grace().stage().clone() else {
            panic!("not in grace");
        };
        let since = GraceStart {
            run_ms: u64::try_from(ran - by_running).unwrap(),
            reading: at(shown - by_authorities),
        };
        let disposal = Disposal::resume(unit(), Stage::InGrace { approvals, since }).unwrap();
        execute_with(&disposal, &HoldSet::none(), &now, &self::approvals()).map(|_| ())
    };
    assert_eq!(judged(grace_ms, grace_ms), Ok(()));
    let one_left = Err(Refusal::Grace { left_ms: 1 });
    assert_eq!(judged(grace_ms - 1, 80 * DAY), one_left);
    assert_eq!(judged(80 * DAY, grace_ms - 1), one_left);
    let all_left = Err(Refusal::Grace {
        left_ms: Grace::SHORTEST.millis(),
    });
    assert_eq!(judged(-DAY, 80 * DAY), all_left);
}

#[test]
fn a_hold_before_execution_wins_and_the_rest_goes() {
    let now = time(END + 72 * HOUR);
    let part = execute_with(&in_grace(), &hold(15, 400), &now, &approvals()).unwrap();
    assert_eq!(part.due.dispose, indexes(10, 14));
    assert_eq!(part.due.carry, Some(indexes(15, 19)));
    let carried = part.carried.unwrap();
    assert_eq!(carried.id().carried, 1);
    assert_eq!(carried.candidate().indexes(), &indexes(15, 19));
    let whole = execute_with(&in_grace(), &hold(0, 400), &now, &approvals());
    let by = HoldId::new(90);
    assert_eq!(whole, Err(Refusal::NotDue(NotDue::Held { by })));
}

#[test]
fn a_hold_after_execution_is_refused_but_for_what_was_carried_over() {
    let now = time(END + 72 * HOUR);
    let done = execute_with(&in_grace(), &hold(15, 400), &now, &approvals())
        .unwrap()
        .disposal;
    assert!(matches!(
        done.admits(&one_hold(14, 14)),
        Err(Refusal::Gone { hold: Some(_), .. })
    ));
    assert_eq!(done.admits(&one_hold(15, 19)), Ok(()));
    assert_eq!(in_grace().admits(&one_hold(14, 14)), Ok(()));
    assert!(matches!(
        done.withdraw(),
        Err(Refusal::Gone { hold: None, .. })
    ));
    assert_eq!(in_grace().withdraw(), Ok(unit()));
}

#[test]
fn a_term_made_longer_meanwhile_is_obeyed_at_execution() {
    let policy = Policy::default()
        .with(RetentionClass::Trace, Term::of_months(60).unwrap())
        .unwrap();
    let refused = in_grace().execute(&Facts {
        policy: &policy,
        holds: &HoldSet::none(),
        time: &time(END + 72 * HOUR),
        grace: Grace::SHORTEST,
        intent: &intent(),
        approvals: &approvals(),
    });
    assert!(matches!(refused, Err(Refusal::NotDue(NotDue::Kept { .. }))));
}

#[test]
fn every_step_out_of_order_is_refused() {
    let planned = Disposal::plan(unit(), &Policy::default(), &HoldSet::none(), &time(END)).unwrap();
    let executed = execute(&in_grace(), END + 72 * HOUR).unwrap().disposal;
    let completed = executed.complete(LeafIndex::new(9)).unwrap();
    let step = |found| Err(Refusal::Step { found });
    let approve = |disposal: &Disposal| {
        disposal
            .approve(approval("carla", 300), &clock(END))
            .map(|_| ())
    };
    let run = |disposal: &Disposal| execute(disposal, END + 90 * DAY).map(|_| ());
    let complete = |disposal: &Disposal| disposal.complete(LeafIndex::new(9)).map(|_| ());
    let intend = |disposal: &Disposal| disposal.intend(&intent()).map(|_| ());
    assert_eq!(approve(&planned), step("planned"));
    assert_eq!(run(&planned), step("planned"));
    assert_eq!(complete(&planned), step("planned"));
    assert_eq!(intend(&in_grace()), step("in grace"));
    assert_eq!(approve(&in_grace()), step("in grace"));
    assert_eq!(complete(&in_grace()), step("in grace"));
    for (done, word) in [(executed, "executed"), (completed.clone(), "completed")] {
        assert_eq!(intend(&done), step(word));
        assert_eq!(approve(&done), step(word));
        assert_eq!(run(&done), step(word));
    }
    assert_eq!(complete(&completed), step("completed"));
}

#[test]
fn an_intent_names_at_least_one_unit_and_no_more_than_the_cap() {
    let cap = BatchCap::new(2).unwrap();
    let unit_of = |day: i64| UnitId {
        interval: at(day * DAY),
        ..unit().id()
    };
    let intent = |units| Intent::new(IntentId::new([5; 32]), units, cap);
    assert_eq!(intent(vec![]), Err(Refusal::Cap { found: 0, cap: 2 }));
    let three = (1..=3).map(unit_of).collect();
    assert_eq!(intent(three), Err(Refusal::Cap { found: 3, cap: 2 }));
    assert!(intent(vec![unit_of(1), unit_of(2), unit_of(1)]).is_ok());
    for units in [0, 367] {
        assert_eq!(BatchCap::new(units), None);
    }
    let of_others = intent(vec![unit_of(1)]).unwrap();
    let planned = Disposal::plan(unit(), &Policy::default(), &HoldSet::none(), &time(END)).unwrap();
    let unit = unit().id();
    assert_eq!(
        planned.intend(&of_others),
        Err(Refusal::NotInIntent { unit })
    );
}

#[test]
fn a_plan_takes_the_longest_due_and_says_how_many_are_left() {
    let candidate = |day: i64| {
        let instant = at(INTERVAL + day * DAY);
        let start = Start::new(instant, instant, proven(instant.as_millis()));
        let candidate = Candidate::unit(RetentionClass::Trace, indexes(0, 9), start);
        Unit::sealed(instant, candidate)
    };
    let lost = {
        let start = Start::new(at(i64::MAX), at(i64::MAX), proven(0));
        let candidate = Candidate::unit(RetentionClass::Trace, indexes(0, 9), start);
        Unit::sealed(at(INTERVAL), candidate)
    };
    let units = [40, 3, 400, 1, 20, 2].map(candidate).into_iter();
    let plan = plan(
        units.chain([lost]),
        &Policy::default(),
        &HoldSet::none(),
        &time(END + 60 * DAY),
        BatchCap::new(3).unwrap(),
    );
    let days: Vec<i64> = plan
        .units
        .iter()
        .map(|unit| (unit.id().interval.as_millis() - INTERVAL) / DAY)
        .collect();
    assert_eq!((days, plan.left, plan.broken.len()), (vec![1, 2, 3], 2, 1));
}

#[test]
fn a_unit_due_for_over_thirty_days_raises_the_alarm_unless_it_is_held() {
    let alarm = |now, holds: &HoldSet| {
        let allowed_ms = crate::unit::Overdue::USUAL_MS;
        overdue(&unit(), &Policy::default(), holds, proven(now), allowed_ms).unwrap()
    };
    assert_eq!(alarm(END + 30 * DAY, &HoldSet::none()), None);
    let overdue = alarm(END + 31 * DAY, &HoldSet::none()).unwrap();
    assert_eq!(
        overdue.to_string(),
        "overdue for disposal by 31 days: 2023-05-15T00:00:00.000Z/trace, since \
         2025-11-17T23:00:00.000Z"
    );
    assert_eq!(alarm(END + 31 * DAY, &hold(0, 99)), None);
    assert!(alarm(END + 31 * DAY, &hold(15, 99)).is_some());
}

#[test]
fn every_refusal_can_be_said_in_italian() {
    let refusals = [
        Refusal::SameTwice,
        Refusal::OtherIntent,
        Refusal::NotOnRecord {
            leaf: LeafIndex::new(4),
        },
        Refusal::NotDue(NotDue::Held { by: HoldId::new(7) }),
        execute(&in_grace(), END + HOUR).unwrap_err(),
    ];
    for refusal in refusals {
        assert!(refusal.italian().ends_with('.'), "{refusal}");
        assert!(!refusal.to_string().ends_with('.'), "{refusal}");
    }
}
