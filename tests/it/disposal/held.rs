//! Records under hold: carried over, found and proven as before, and gone once the hold is.

use super::*;
use ceralacca::access::{Hold, Release, Search};
use ceralacca::audit::ReadError;
use ceralacca::custody::CustodyError;
use ceralacca::desk::{DeskError, HoldOrder, Scope, SearchQuery};
use ceralacca::record::open::RecordError;
use ceralacca::seal::EvidenceGroup;
use ceralacca::store::Order;
use ceralacca_formats::hold::HoldAuthority;
use ceralacca_formats::metadata::Field;

fn order(id: &str) -> HoldOrder {
    let id = id.as_bytes().to_vec();
    HoldOrder {
        scope: Scope::Query(SearchQuery {
            terms: vec![(Field::MessageId, id)],
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
    let held = house.log.desk(&permit).unwrap().set_hold(order(id));
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
