//! Records under hold: carried over, found and proven as before, and gone once the hold is.

use super::*;
use crate::support::sealing::as_disposed;
use ceralacca::access::{Erase, Hold, Release, Search};
use ceralacca::audit::ReadError;
use ceralacca::custody::CustodyError;
use ceralacca::desk::{DeskError, HoldOrder, Scope, SearchQuery};
use ceralacca::disposal::IntentStage;
use ceralacca::record::open::RecordError;
use ceralacca::seal::EvidenceGroup;
use ceralacca::store::cf::hold::{HoldRow, HoldStep, Holds};
use ceralacca::store::{Batch, Order, Rows};
use ceralacca_formats::erasure::Ground;
use ceralacca_formats::hold::HoldAuthority;
use ceralacca_formats::metadata::Field;

fn order(id: &str) -> HoldOrder {
    order_by(Field::MessageId, id)
}

fn order_by(field: Field, term: &str) -> HoldOrder {
    let term = term.as_bytes().to_vec();
    HoldOrder {
        scope: Scope::Query(SearchQuery {
            terms: vec![(field, term)],
            ..SearchQuery::default()
        }),
        authority: HoldAuthority::Judicial,
        act: "decreto 12/2026 R.G.N.R. 345/2026".to_owned(),
        start: None,
        end: None,
    }
}

fn set(house: &House, id: &str) -> Result<LeafIndex, DeskError> {
    let permit = permit::<Hold>("carla", Role::Approver);
    // What has facts beside it is found by them.
    let order = match id == house.known.receipts[ACCOMPANIED].2 {
        true => order_by(Field::Identificativo, IDENTIFICATIVO),
        false => order(id),
    };
    let held = house.log.desk(&permit).unwrap().set_hold(order);
    held.map(|held| held.hold)
}

/// Sets a hold on a receipt.
pub fn hold(house: &House, index: LeafIndex) -> LeafIndex {
    let mut receipts = house.known.receipts.iter();
    let (.., id) = receipts.find(|(at, ..)| *at == index).unwrap();
    set(house, id).unwrap()
}

pub fn release(house: &House, hold: LeafIndex) {
    let (carla, dario) = (
        permit::<Release>("carla", Role::Approver),
        permit::<Release>("dario", Role::Approver),
    );
    house
        .log
        .desk(&carla)
        .unwrap()
        .propose_release(hold, "revoca")
        .unwrap();
    house
        .log
        .desk(&dario)
        .unwrap()
        .release_hold(hold, "revoca")
        .unwrap();
}

#[test]
fn what_is_held_is_carried_over_and_found_and_proven_as_before() {
    let house = House::new();
    // A small one, one in a blob, and the large one.
    let held = [1, 2, RECEIPTS - 1];
    for number in held {
        hold(&house, house.known.receipts[number].0);
    }
    house.ready();
    house.run();
    let house = house.reopen();
    let reader = house.log.reader();
    let state = reader.published();
    let search = permit::<Search>("piattaforma-1", Role::Provider);
    for (number, (index, bytes, id)) in house.known.receipts.iter().enumerate() {
        let found = house.log.desk(&search).unwrap();
        let query = order(id);
        let Scope::Query(query) = query.scope else {
            panic!("a query")
        };
        let page = found
            .search(&query, Order::Ascending, 10, None)
            .unwrap()
            .unwrap();
        let found: Vec<_> = page
            .records
            .iter()
            .map(|shown| shown.opened.leaf.seq)
            .collect();
        if !held.contains(&number) {
            assert_eq!(found, [], "{number}");
            let gone = reader.record(&state, *index).err().unwrap();
            let is_gone = matches!(gone, ReadError::Record(RecordError::Disposed { .. }));
            assert!(is_gone, "{number}");
            continue;
        }
        assert_eq!(found, [*index], "{number}");
        assert_eq!(house.content(*index), *bytes, "{number}");
        // Its proof is made anew, and its evidence record cut from what outlives the class.
        let opened = reader.record(&state, *index).unwrap();
        assert!(opened.is_carried_over());
        let proof = reader.proof_of(&state, &opened).unwrap();
        proof.verify(house.log.verifier()).unwrap();
        assert_eq!(proof.index, *index);
        let package = house
            .log
            .sealer()
            .package(house.known.interval)
            .unwrap()
            .unwrap();
        package.evidence(&EvidenceGroup::Object(*index)).unwrap();
    }
    let report = house.check();
    assert_eq!(report.disposed, (RECEIPTS - held.len()) as u64);
}

#[test]
fn an_intent_whose_approvals_are_no_longer_on_record_has_lapsed_and_its_unit_is_intended_anew() {
    let mut house = House::new();
    // One approval, two, and then the details of who gave them go with the traces of their day.
    for approvals in [1, 2] {
        let intent = house.intend();
        for name in ["anna", "bruno"].into_iter().take(approvals) {
            house.approve(name, &intent).unwrap();
        }
        let reader = house.log.reader();
        let day = reader.published().interval_of(intent.intent);
        // A day later, so that the next intent does not fall into what is gone.
        house.pass_hours(73);
        house.log.tick().unwrap();
        as_disposed(reader.store(), day, &[Class::Trace]);
        house = house.reopen();
        let intents = house.log.disposer().intents(None, 10).unwrap();
        let known = intents.iter().find(|known| known.intent == intent.intent);
        assert_eq!(known.unwrap().stage, IntentStage::Lapsed);
        let refused = house.approve("dario", &intent);
        match approvals {
            1 => assert_not_on_record(&refused),
            _ => assert_not_on_record(&house.advance()),
        }
        assert_eq!(house.verdict(house.unit()), Some(UnitVerdict::Due));
    }
    let anew = house.ready();
    assert_eq!(anew.units, [house.unit()]);
    house.run();
    let intents = house.log.disposer().intents(None, 10).unwrap();
    let stages: Vec<_> = intents.iter().map(|known| known.stage).collect();
    // Nothing of them is left to be done.
    assert_eq!(stages, [IntentStage::CarriedOut; 3]);
    assert_eq!(house.log.disposer().look().unwrap().open, 0);
}

#[test]
fn a_hold_on_all_of_a_unit_disposes_of_nothing() {
    let house = House::new();
    for number in 0..RECEIPTS {
        hold(&house, house.known.receipts[number].0);
    }
    assert_eq!(house.verdict(house.unit()), Some(UnitVerdict::Held));
    let permit = permit::<access::Dispose>("gestione", Role::Operator);
    let none = house
        .log
        .disposer()
        .intend(&permit, &house.authorities(), &[]);
    assert!(matches!(none, Err(DisposalError::NothingDue)));
}

#[test]
fn a_hold_before_the_batch_wins_wholly_and_one_after_it_is_refused() {
    let house = House::new();
    house.ready();
    // After the approvals and the grace, a moment before the batch.
    let (first, bytes, _) = house.known.receipts[0].clone();
    hold(&house, first);
    house.run();
    assert_eq!(house.content(first), bytes);
    let gone = house
        .log
        .disposer()
        .gone_of(house.known.interval, Class::Receipt)
        .unwrap();
    assert_eq!(gone[0].held, 1);
    // The others are not there to be found, so a hold on them names nothing.
    let late = set(&house, &house.known.receipts[1].2);
    let is_refused = matches!(
        late,
        Err(DeskError::Custody(
            CustodyError::Nothing | CustodyError::Disposed { .. }
        ))
    );
    assert!(is_refused, "{late:?}");
    house.check();
}

#[test]
fn once_the_hold_is_released_what_it_kept_goes_too() {
    let house = House::new();
    let (index, bytes, _) = house.known.receipts[RECEIPTS - 1].clone();
    let number = hold(&house, index);
    house.ready();
    house.run();
    let carried = DisposalUnit {
        carried: 1,
        ..house.unit()
    };
    assert_eq!(house.verdict(carried), Some(UnitVerdict::Held));
    release(&house, number);
    assert_eq!(house.verdict(carried), Some(UnitVerdict::Due));
    assert_eq!(house.content(index), bytes);
    let intent = house.ready();
    assert_eq!(intent.units, [carried]);
    house.run();
    let reader = house.log.reader();
    let gone = reader.record(&reader.published(), index).err().unwrap();
    assert!(matches!(
        gone,
        ReadError::Record(RecordError::Disposed { .. })
    ));
    let units = house
        .log
        .disposer()
        .gone_of(house.known.interval, Class::Receipt)
        .unwrap();
    let records: Vec<_> = units.iter().map(|unit| (unit.records, unit.held)).collect();
    assert_eq!(records, [(RECEIPTS as u64 - 1, 1), (1, 0)]);
    assert!(house.log.disposer().certificate(carried).unwrap().is_some());
    let report = house.check();
    assert_eq!(report.disposed, RECEIPTS as u64);
}

#[test]
fn another_hold_can_be_set_on_what_is_carried_over_and_keeps_it_when_the_first_is_released() {
    let house = House::new();
    let (index, bytes, id) = house.known.receipts[3].clone();
    let first = hold(&house, index);
    house.ready();
    house.run();
    let second = set(&house, &id).unwrap();
    release(&house, first);
    let carried = DisposalUnit {
        carried: 1,
        ..house.unit()
    };
    assert_eq!(house.verdict(carried), Some(UnitVerdict::Held));
    release(&house, second);
    assert_eq!(house.verdict(carried), Some(UnitVerdict::Due));
    assert_eq!(house.content(index), bytes);
    house.check();
}

/// Proposed by one, confirmed by another, and its bytes removed.
fn erase(house: &House, index: LeafIndex) -> Result<LeafIndex, DeskError> {
    let anna = permit::<Erase>("anna", Role::Provider);
    let bruno = permit::<Erase>("bruno", Role::Approver);
    let desk = house.log.desk(&anna).unwrap();
    desk.propose_erasure(index, Ground::DataSubject, "richiesta")?;
    let leaf = house.log.desk(&bruno).unwrap().erase(index, "visto")?;
    house.log.complete_erasure(index).unwrap();
    Ok(leaf)
}

#[test]
fn what_was_carried_over_is_not_erased_singly_and_goes_by_disposal() {
    let house = House::new();
    let index = house.known.receipts[RECEIPTS - 1].0;
    let number = hold(&house, index);
    house.ready();
    house.run();
    let refused = |why: &str| {
        let refused = erase(&house, index).unwrap_err();
        let DeskError::Custody(
            error @ CustodyError::CarriedOver {
                class: Class::Receipt,
                ..
            },
        ) = refused
        else {
            panic!("{why}: {refused:?}")
        };
        let said = error.to_string();
        assert!(said.contains("was carried over under a hold"), "{said}");
        assert!(said.contains("goes by disposal"), "{said}");
    };
    refused("held");
    release(&house, number);
    refused("released");
    house.ready();
    house.run();
    let gone = erase(&house, index).unwrap_err();
    let DeskError::Custody(CustodyError::Record(RecordError::Disposed { .. })) = gone else {
        panic!("{gone:?}")
    };
}

/// A hold on facts named the object beside them, erased before: the copy of what is held failed at it, and the unit was
/// never disposed of.
#[test]
fn a_hold_on_facts_whose_object_was_erased_names_them_alone_and_the_unit_goes() {
    let house = House::new();
    let (object, ..) = house.known.receipts[ACCOMPANIED];
    let facts = LeafIndex::new(object.get() + 1);
    erase(&house, object).unwrap();
    let carla = permit::<Hold>("carla", Role::Approver);
    let by_facts = order_by(Field::Identificativo, IDENTIFICATIVO);
    let held = house.log.desk(&carla).unwrap().set_hold(by_facts).unwrap();
    assert_eq!(held.leaves, 1);
    // Set in the very moment of the erasure, it would name the object too.
    let store = house.log.reader().store();
    let key = (held.hold, HoldStep::Set);
    let Some(HoldRow::Set {
        authority,
        start,
        end,
        ranges,
        detail,
    }) = store.read::<Holds>(&key).unwrap()
    else {
        panic!("a hold")
    };
    assert_eq!(ranges, [(facts, facts)]);
    let named = HoldRow::Set {
        authority,
        start,
        end,
        ranges: vec![(object, facts)],
        detail,
    };
    let mut batch = Batch::new();
    batch.put::<Holds>(&key, &named);
    store.commit(&batch).unwrap();
    let (kept, bytes, _) = house.known.receipts[1].clone();
    hold(&house, kept);
    house.ready();
    house.run();
    let gone = house
        .log
        .disposer()
        .gone_of(house.known.interval, Class::Receipt)
        .unwrap();
    assert_eq!((gone[0].step, gone[0].held), (Step::Done, 1));
    assert_eq!(house.content(kept), bytes);
    let report = house.check();
    let gone = (report.disposed, report.erased);
    assert_eq!(gone, (RECEIPTS as u64 - 2, 1));
}

#[test]
fn what_was_erased_does_not_make_a_unit_due_whose_other_records_are_all_held() {
    let house = House::new();
    erase(&house, house.known.receipts[0].0).unwrap();
    for number in 1..RECEIPTS {
        hold(&house, house.known.receipts[number].0);
    }
    assert_eq!(house.verdict(house.unit()), Some(UnitVerdict::Held));
}

#[test]
fn the_facts_of_an_object_that_was_disposed_of_can_still_be_held() {
    let house = House::new();
    house.ready();
    house.run();
    let carla = permit::<Hold>("carla", Role::Approver);
    let by_facts = order_by(Field::Identificativo, IDENTIFICATIVO);
    let held = house.log.desk(&carla).unwrap().set_hold(by_facts).unwrap();
    assert_eq!(held.leaves, 1);
    house.check();
}
