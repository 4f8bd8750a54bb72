//! Holds: set by query and frozen, kept apart from what they name, released by two, and missed when they are gone.

use crate::support::{DAY_MS, START_MS, TestLog, check_store, log_id, master, origin, traces};
use ceralacca::access::{self, Act, Hold, Holds, Permit, Principal, Release, Role, Standing};
use ceralacca::ambient::SystemEntropy;
use ceralacca::archive::Log;
use ceralacca::custody::CustodyError;
use ceralacca::desk::{DeskError, HoldOrder, Scope, SearchQuery};
use ceralacca::holds::{self, HoldsError};
use ceralacca::ingest::Submission;
use ceralacca::keyring::{DetailOf, Keyring};
use ceralacca::store::cf::ColumnFamily;
use ceralacca::store::cf::hold::{HoldAct, HoldRow, HoldStep, Holds as HoldFamily, WrappedDetail};
use ceralacca::store::cf::state::{State, StateKey, StateRow};
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::store::{Batch, KeyRange, Order, Rows, Store, outside};
use ceralacca_formats::hold::{HoldAuthority, HoldCounts};
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Field, Metadata, TraceRecord};
use ceralacca_retention::{HoldError, ProvenTime};

fn permit<A: Act>(name: &str, role: Role) -> Permit<A> {
    let principal = Principal::new(name, vec![(log_id(), Standing::Role(role))]);
    access::authorize(&principal, &log_id(), UtcMillis::new(START_MS)).unwrap()
}

fn order(scope: Scope) -> HoldOrder {
    HoldOrder {
        scope,
        authority: HoldAuthority::Judicial,
        act: "decreto 12/2026 R.G.N.R. 345/2026".to_owned(),
        start: None,
        end: None,
    }
}

fn by(field: Field, term: &str) -> Scope {
    Scope::Query(SearchQuery {
        terms: vec![(field, term.as_bytes().to_vec())],
        ..SearchQuery::default()
    })
}

fn set(log: &Log, scope: Scope) -> Result<LeafIndex, DeskError> {
    let permit = permit::<Hold>("anna", Role::Provider);
    let held = log.desk(&permit).unwrap().set_hold(order(scope));
    held.map(|held| held.hold)
}

/// The holds as a disposal would load them.
fn load(log: &Log) -> Result<ceralacca_retention::HoldSet, HoldsError> {
    let store = log.reader().store();
    let (keyring, _) = Keyring::open(store, &master(), &origin()).unwrap();
    let published = log.reader().published();
    holds::load(store, &keyring, |index| Some(published.interval_of(index)))
}

fn indexes(hold: &ceralacca_retention::Hold) -> Vec<(u64, u64)> {
    let ranges = hold.indexes().iter();
    let ranges = ranges.map(|range| (range.first().as_u64(), range.last().as_u64()));
    ranges.collect()
}

#[test]
fn a_hold_names_the_records_found_when_it_was_set_and_no_later_one() {
    let test = TestLog::new();
    let log = test.open();
    let ingest = crate::support::ingest(&log);
    let records = traces(7, 40);
    let trace = |record: &TraceRecord| Submission::trace(Class::Trace, record.clone(), None);
    let sender = records[3].sender.clone().unwrap();
    let sender = sender.to_str().unwrap().to_owned();
    let mut expected = Vec::new();
    for record in &records {
        let acknowledged = ingest.record(trace(record)).unwrap();
        let index = acknowledged.records[0].leaf.seq.get();
        if record.sender == records[3].sender {
            expected.push(index);
        }
    }
    let number = set(&log, by(Field::Sender, &sender)).unwrap();
    // Another record of the same sender: it came later.
    ingest.record(trace(&records[3])).unwrap();
    let loaded = load(&log).unwrap();
    let [hold] = loaded.holds() else {
        panic!("one hold")
    };
    assert_eq!(hold.id().as_u64(), number.get());
    let named: Vec<u64> = indexes(hold)
        .into_iter()
        .flat_map(|(first, last)| first..=last)
        .collect();
    assert_eq!(named, expected);
    let long_after = ceralacca_retention::UtcMillis::new((START_MS + 9000 * DAY_MS) as i64);
    let proven = ProvenTime::from_token(long_after, 0).unwrap();
    assert!(hold.suspends(proven));
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean());
    assert_eq!(test.check().holds, 1);
}

#[test]
fn the_leaf_of_a_hold_names_nobody_and_the_one_beside_it_says_who_and_why() {
    let test = TestLog::new();
    let log = test.open();
    let ingest = crate::support::ingest(&log);
    let records = traces(8, 5);
    for record in &records {
        let submission = Submission::trace(Class::Trace, record.clone(), None);
        ingest.record(submission).unwrap();
    }
    let sender = records[0].sender.clone().unwrap();
    let sender = sender.to_str().unwrap().to_owned();
    let number = set(&log, by(Field::Sender, &sender)).unwrap();
    let reader = log.reader();
    let state = reader.published();
    let leaf = reader.record(&state, number).unwrap();
    assert_eq!(
        (leaf.leaf.kind, leaf.leaf.class),
        (Kind::HoldSet, Class::Custody)
    );
    let text = String::from_utf8(leaf.canonical.clone()).unwrap();
    for word in ["anna", "decreto", sender.as_str()] {
        assert!(!text.contains(word), "{text}");
    }
    let Metadata::Custody(CustodyRecord::HoldPlaced(placed)) = leaf.metadata().unwrap() else {
        panic!("{text}")
    };
    let counts = HoldCounts {
        set: 1,
        released: 0,
    };
    assert_eq!(placed.counts, counts);
    let beside = LeafIndex::new(number.get() + 1);
    let beside = reader.record(&state, beside).unwrap();
    assert_eq!(beside.leaf.class, Class::Trace);
    let Metadata::ActDetail(detail) = beside.metadata().unwrap() else {
        panic!("the detail")
    };
    assert_eq!(detail.principal.to_str(), Some("anna"));
    assert_eq!(
        detail.act.unwrap().to_str(),
        Some("decreto 12/2026 R.G.N.R. 345/2026")
    );
    assert!(detail.statement.to_str().unwrap().contains(&sender));
    // In the data directory it stands in ciphertext only.
    log.stop().unwrap();
    drop(log);
    let store = RocksStore::open(&outside::database_of(&test.path()), Mode::Read).unwrap();
    for row in store.scan(HoldFamily::FAMILY, &KeyRange::all(), Order::Ascending) {
        let (_, value) = row.unwrap();
        for word in ["anna", "decreto", sender.as_str()] {
            let found = value.windows(word.len()).any(|w| w == word.as_bytes());
            assert!(!found, "{word}");
        }
    }
}

#[test]
fn a_hold_is_released_by_two_different_principals_once() {
    let test = TestLog::new();
    let log = test.open();
    let number = set(&log, everything()).unwrap();
    let release = |name: &str| permit::<Release>(name, Role::Approver);
    let (anna, capital, bruno) = (release("anna"), release(" ANNA "), release("bruno"));
    let confirm = |permit: &Permit<Release>| {
        log.desk(permit)
            .unwrap()
            .release_hold(number, "archiviazione")
    };
    let refused = |result: Result<LeafIndex, DeskError>| match result {
        Err(DeskError::Custody(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let not_proposed = refused(confirm(&bruno));
    assert_eq!(
        not_proposed,
        format!("the release of hold {number} was not proposed")
    );
    let proposed = log.desk(&anna).unwrap();
    let proposed = proposed.propose_release(number, "archiviazione").unwrap();
    for one in [&anna, &capital] {
        let twice = refused(confirm(one));
        assert_eq!(twice, "two different principals are needed, not one twice");
    }
    let proven = ceralacca_retention::UtcMillis::new(START_MS as i64);
    let proven = ProvenTime::from_token(proven, 0).unwrap();
    assert!(load(&log).unwrap().holds()[0].suspends(proven));
    let released = confirm(&bruno).unwrap();
    assert!(!load(&log).unwrap().holds()[0].suspends(proven));
    assert_eq!(
        refused(confirm(&bruno)),
        format!("hold {number} was released already")
    );
    let reader = log.reader();
    let state = reader.published();
    let kinds = [(proposed, Kind::Approval), (released, Kind::HoldReleased)];
    for (index, kind) in kinds {
        let leaf = reader.leaf(&state, index).unwrap();
        assert_eq!((leaf.kind, leaf.class), (kind, Class::Custody));
    }
    let Metadata::Custody(CustodyRecord::HoldReleased(said)) =
        reader.record(&state, released).unwrap().metadata().unwrap()
    else {
        panic!("the release")
    };
    assert_eq!((said.hold, said.proposal), (number, proposed));
    let unknown = LeafIndex::new(number.get() + 1);
    let unknown = log.desk(&anna).unwrap().propose_release(unknown, "x");
    assert!(refused(unknown).starts_with("no hold has the number"));
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean());
}

fn everything() -> Scope {
    Scope::Intervals {
        from: UtcMillis::new(0),
        until: UtcMillis::new(u64::MAX),
    }
}

/// The attacker's: somebody who has the disk, and wants what is held to go.
#[test]
fn an_emptied_or_altered_table_of_holds_is_an_error_and_never_the_absence_of_holds() {
    let test = TestLog::new();
    let log = test.open();
    let first = set(&log, everything()).unwrap();
    let second = set(&log, everything()).unwrap();
    log.stop().unwrap();
    drop(log);
    let store = RocksStore::open(&outside::database_of(&test.path()), Mode::Write).unwrap();
    let (keyring, _) = Keyring::open(&store, &master(), &origin()).unwrap();
    let spans = ceralacca::sequencer::spans(&store).unwrap();
    let load = || holds::load(&store, &keyring, |_| spans.last().map(|span| span.id));
    assert_eq!(load().unwrap().holds().len(), 2);
    let rows: Vec<_> = store
        .rows::<HoldFamily>(&KeyRange::all(), Order::Ascending)
        .collect::<Result<_, _>>()
        .unwrap();
    let change = |change: &dyn Fn(&mut Batch)| {
        let mut batch = Batch::new();
        change(&mut batch);
        store.commit(&batch).unwrap();
    };
    let restore = || {
        change(&|batch| {
            for (key, row) in &rows {
                batch.put::<HoldFamily>(key, row);
            }
        });
        assert_eq!(load().unwrap().holds().len(), 2);
    };
    let damaged = |why: &str| {
        let error = load().unwrap_err();
        let chain = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(chain.contains(why), "{chain}");
        let report = check_store(&store, None);
        assert!(!report.is_clean());
        assert!(
            report
                .damages
                .iter()
                .any(|d| d.to_string().starts_with("holds")),
            "{:?}",
            report.damages
        );
    };
    // All of it, then one row of it.
    change(&|batch| {
        for (key, _) in &rows {
            batch.delete::<HoldFamily>(key);
        }
    });
    damaged("NotThoseOfTheLog");
    restore();
    change(&|batch| batch.delete::<HoldFamily>(&(first, HoldStep::Set)));
    damaged("NotThoseOfTheLog");
    restore();
    // The row that counts them, altered or gone.
    let counted = store.read::<State>(&StateKey::Holds).unwrap().unwrap();
    let less = StateRow::Holds {
        counts: HoldCounts {
            set: 1,
            released: 0,
        },
        last: second,
    };
    change(&|batch| {
        batch.put::<State>(&StateKey::Holds, &less);
        batch.delete::<HoldFamily>(&(first, HoldStep::Set));
    });
    damaged("it counts other holds");
    change(&|batch| {
        batch.delete::<State>(&StateKey::Holds);
        for (key, _) in &rows {
            batch.delete::<HoldFamily>(key);
        }
    });
    // Without a row that counts, the index still finds the leaves that set them.
    damaged("the count of holds is not there");
    change(&|batch| batch.put::<State>(&StateKey::Holds, &counted));
    restore();
    // The detail of one hold under another.
    let HoldRow::Set { detail, .. } = &rows[0].1 else {
        panic!("a hold")
    };
    let mut other = rows[1].1.clone();
    if let HoldRow::Set { detail: theirs, .. } = &mut other {
        *theirs = detail.clone();
    }
    change(&|batch| batch.put::<HoldFamily>(&rows[1].0, &other));
    let error = load().unwrap_err();
    assert!(error.to_string().contains("does not open"), "{error}");
    restore();
    // A hold that names less, or that ends; and a release, put under another hold.
    let HoldRow::Set {
        authority,
        start,
        ranges,
        detail,
        ..
    } = rows[1].1.clone()
    else {
        panic!("a hold")
    };
    assert!(ranges[0].1 > ranges[0].0, "{ranges:?}");
    let altered = |ranges: Vec<_>, end| HoldRow::Set {
        authority,
        start,
        end,
        ranges,
        detail: detail.clone(),
    };
    let first_leaf = LeafIndex::new(0);
    let narrower = altered(vec![(first_leaf, first_leaf)], None);
    let ended = altered(ranges, Some(UtcMillis::new(START_MS + 1)));
    for row in [narrower, ended] {
        change(&|batch| batch.put::<HoldFamily>(&rows[1].0, &row));
        damaged("names less, or ends earlier");
        restore();
    }
}

#[test]
fn a_release_put_under_another_hold_releases_nothing() {
    let test = TestLog::new();
    let log = test.open();
    let (kept, released) = (
        set(&log, everything()).unwrap(),
        set(&log, everything()).unwrap(),
    );
    let release = |name: &str| permit::<Release>(name, Role::Approver);
    let (anna, bruno) = (release("anna"), release("bruno"));
    let desk = log.desk(&anna).unwrap();
    for hold in [kept, released] {
        desk.propose_release(hold, "archiviazione").unwrap();
    }
    let desk = log.desk(&bruno).unwrap();
    desk.release_hold(released, "archiviazione").unwrap();
    assert_eq!(load(&log).unwrap().holds().len(), 2);
    let store = log.reader().store();
    let (keyring, _) = Keyring::open(store, &master(), &origin()).unwrap();
    let key = (released, HoldStep::Released);
    let Some(HoldRow::Released(act)) = store.read::<HoldFamily>(&key).unwrap() else {
        panic!("a release")
    };
    // Whoever has the master key too writes the detail anew, under the other hold.
    let detail = |hold: LeafIndex| DetailOf::Hold(hold, HoldStep::Released.code());
    let plain = keyring
        .open_detail(detail(released), &act.detail.0)
        .unwrap();
    let wrapped = keyring.wrap_detail(detail(kept), &plain, &SystemEntropy);
    let mut batch = Batch::new();
    batch.delete::<HoldFamily>(&key);
    let moved = HoldRow::Released(HoldAct {
        detail: WrappedDetail(wrapped),
        ..act
    });
    batch.put::<HoldFamily>(&(kept, HoldStep::Released), &moved);
    store.commit(&batch).unwrap();
    let error = load(&log).unwrap_err().to_string();
    assert!(error.contains("should have released it did not"), "{error}");
}

#[test]
fn what_is_no_hold_is_refused_and_leaves_no_trace() {
    let test = TestLog::new();
    let log = test.open();
    let size = log.reader().published().tip.size;
    let permit = permit::<Hold>("anna", Role::Provider);
    let desk = log.desk(&permit).unwrap();
    let nobody = order(by(Field::Sender, "nessuno@pec.example"));
    let error = desk.set_hold(nobody).unwrap_err();
    assert!(matches!(error, DeskError::Custody(CustodyError::Nothing)));
    for act in [
        "", "  ", "a
b",
    ] {
        let mut wrong = order(everything());
        wrong.act = act.to_owned();
        let error = desk.set_hold(wrong).unwrap_err();
        let custody = DeskError::Custody(CustodyError::Hold(HoldError::Act { bytes: 0 }));
        assert_eq!(
            std::mem::discriminant(&error),
            std::mem::discriminant(&custody)
        );
        assert!(
            error.to_string().contains("does not cite an act"),
            "{error}"
        );
    }
    let mut backwards = order(everything());
    backwards.end = Some(UtcMillis::new(START_MS - 1));
    let error = desk.set_hold(backwards).unwrap_err();
    assert!(error.to_string().contains("not after its start"), "{error}");
    assert_eq!(log.reader().published().tip.size, size);
    assert!(load(&log).unwrap().holds().is_empty());
}

#[test]
fn holds_are_listed_in_pages_and_their_showing_is_recorded() {
    let test = TestLog::new();
    let log = test.open();
    let numbers: Vec<_> = (0..3).map(|_| set(&log, everything()).unwrap()).collect();
    let permit = permit::<Holds>("carla", Role::Auditor);
    let mut found = Vec::new();
    let mut above = None;
    loop {
        let desk = log.desk(&permit).unwrap();
        let (page, more) = desk.holds(above, None, 2).unwrap();
        found.extend(page.iter().map(|kept| kept.hold));
        above = found.last().copied();
        if !more {
            break;
        }
    }
    assert_eq!(found, numbers);
    let desk = log.desk(&permit).unwrap();
    let one = desk.hold(numbers[1]).unwrap();
    assert_eq!(one.detail.principal.to_str(), Some("anna"));
    let state = log.reader().published();
    let last = LeafIndex::new(state.tip.size.get() - 1);
    let Metadata::DisclosureDetail(told) = log
        .reader()
        .record(&state, last)
        .unwrap()
        .metadata()
        .unwrap()
    else {
        panic!("a disclosure")
    };
    assert_eq!(told.principal.to_str(), Some("carla"));
    assert_eq!(
        told.query.to_str().unwrap(),
        format!("hold number={}", numbers[1])
    );
}

#[test]
fn the_holds_on_a_record_are_listed_alone_and_their_showing_names_it() {
    let test = TestLog::new();
    let log = test.open();
    let mut indexes = Vec::new();
    let records = traces(9, 30);
    for record in &records {
        let submission = Submission::trace(Class::Trace, record.clone(), None);
        let acknowledged = crate::support::ingest(&log).record(submission).unwrap();
        indexes.push(acknowledged.records[0].leaf.seq);
    }
    let sender = |at: usize| records[at].sender.clone().unwrap();
    let other = (1..30).find(|at| sender(*at) != sender(0)).unwrap();
    let set_on = |at: usize| {
        let sender = sender(at);
        set(&log, by(Field::Sender, sender.to_str().unwrap())).unwrap()
    };
    let on_first = [set_on(0), set_on(0)];
    let on_other = set_on(other);
    let permit = permit::<Holds>("carla", Role::Auditor);
    let listed = |index: LeafIndex, above: Option<LeafIndex>, limit: usize| {
        let desk = log.desk(&permit).unwrap();
        let (found, more) = desk.holds(above, Some(index), limit).unwrap();
        let found: Vec<_> = found.iter().map(|kept| kept.hold).collect();
        (found, more)
    };
    assert_eq!(listed(indexes[0], None, 10), (on_first.to_vec(), false));
    assert_eq!(listed(indexes[0], None, 1), (vec![on_first[0]], true));
    let rest = listed(indexes[0], Some(on_first[0]), 1);
    assert_eq!(rest, (vec![on_first[1]], false));
    assert_eq!(listed(indexes[other], None, 10), (vec![on_other], false));
    assert_eq!(listed(on_other, None, 10), (Vec::new(), false));
    let state = log.reader().published();
    let last = LeafIndex::new(state.tip.size.get() - 1);
    let told = log.reader().record(&state, last).unwrap().metadata();
    let Ok(Metadata::DisclosureDetail(told)) = told else {
        panic!("a disclosure")
    };
    let query = told.query.to_str().unwrap();
    assert_eq!(query, format!("holds record={on_other}"));
}
