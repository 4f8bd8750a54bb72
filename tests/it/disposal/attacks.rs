//! The attacker's list: each is refused, and nothing goes.

use super::*;
use ceralacca::server::config::Config;
use ceralacca::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, IntentState};
use ceralacca::store::cf::hold::Holds as HoldFamily;
use ceralacca::store::cf::state::{State, StateKey, StateRow};
use ceralacca::store::{Batch, KeyRange, Rows};
use ceralacca_evidence::{Imprint, StampError, Stamped, Stamper};
use ceralacca_retention::Refusal;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

const TEN_YEARS: u64 = 3653 * DAY_MS;

/// Everything of the first interval is there.
fn nothing_went(house: &House) {
    for (index, bytes, _) in &house.known.receipts {
        assert_eq!(house.content(*index), *bytes);
    }
    assert_eq!(house.log.disposer().gone(None, 10).unwrap().len(), 0);
}

/// What a plan says of the time, in English.
fn doubts(house: &House, authorities: &Authorities) -> String {
    house.log.disposer().ask_again();
    let plan = house.log.disposer().plan(authorities).unwrap();
    assert!(
        plan.units
            .iter()
            .all(|unit| unit.verdict != UnitVerdict::Due)
    );
    let (english, italian) = plan.time.err().unwrap();
    assert!(italian.contains("non provato"), "{italian}");
    english
}

#[test]
fn a_clock_ten_years_ahead_disposes_of_nothing() {
    let house = House::of(fresh());
    // The authorities have a clock of their own, which is right.
    let theirs = MovableClock::at(house.clock.now());
    let [one, two] = ["uno", "due"].map(|name| Sealing::named(&theirs, true, name));
    let authorities = one.with(vec![Arc::clone(&one.tsa) as _, Arc::clone(&two.tsa) as _]);
    house.log.disposer().plan(&authorities).unwrap();
    let reading = |house: &House| house.log.disposer().soft_clock().unwrap();
    let before = reading(&house);
    house.clock.step_to(house.clock.now() + TEN_YEARS);
    house.log.disposer().tick().unwrap();
    let after = reading(&house);
    assert_eq!(after.reading(), before.reading());
    assert!(after.step_ms().is_some());
    let said = doubts(&house, &authorities);
    assert!(said.contains("the wall clock stepped"), "{said}");
    // After a start it is remembered.
    let house = house.reopen();
    assert!(reading(&house).step_ms().is_some());
    assert_eq!(reading(&house).reading(), before.reading());
    nothing_went(&house);
}

#[test]
fn both_clocks_and_both_authorities_ten_years_ahead_gain_an_hour_and_no_day_of_the_chain() {
    let house = House::of(fresh());
    let authorities = house.authorities();
    house.log.disposer().plan(&authorities).unwrap();
    house.clock.pass(TEN_YEARS);
    house.log.disposer().ask_again();
    let plan = house.log.disposer().plan(&authorities).unwrap();
    // The time may be proven; the chain and the software clock hold it back.
    assert!(
        plan.units
            .iter()
            .all(|unit| unit.verdict == UnitVerdict::Kept),
        "{:?}",
        plan.time
    );
    nothing_went(&house);
}

/// An archive whose receipts are a week old.
fn fresh() -> &'static Base {
    static FRESH: OnceLock<Base> = OnceLock::new();
    FRESH.get_or_init(|| make(StoreKind::Production, 7))
}

#[test]
fn a_term_configured_to_one_month_is_refused_with_the_article() {
    let text = ceralacca::server::config::EXAMPLE;
    assert!(text.contains("trace_months = 30"));
    let text = text.replace("trace_months = 30", "trace_months = 1");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ceralacca.toml");
    std::fs::write(&path, text).unwrap();
    let refused = Config::read(&path).unwrap_err().to_string();
    assert!(refused.contains("DPR 68/2005 art. 11(2)"), "{refused}");
    // A policy of the rule itself cannot be made so either.
    let month = Term::of_months(1).unwrap();
    for class in [
        RetentionClass::Trace,
        RetentionClass::Infected,
        RetentionClass::Justice,
    ] {
        assert!(Policy::default().with(class, month).is_err());
    }
}

/// Gives the first token it was given, for ever.
struct Replaying {
    inner: Arc<dyn Stamper>,
    kept: Mutex<Option<Stamped>>,
}

impl Stamper for Replaying {
    fn stamp(&self, imprint: &Imprint) -> Result<Stamped, StampError> {
        let mut kept = self.kept.lock().unwrap();
        if kept.is_none() {
            *kept = Some(self.inner.stamp(imprint)?);
        }
        Ok(kept.clone().unwrap())
    }

    fn is_development(&self) -> bool {
        false
    }
}

#[test]
fn a_replayed_token_does_not_count() {
    let house = House::new();
    let [one, two] = &house.sealings;
    let replaying = Arc::new(Replaying {
        inner: Arc::clone(&two.tsa) as _,
        kept: Mutex::default(),
    });
    let authorities = one.with(vec![Arc::clone(&one.tsa) as _, replaying]);
    // The first answer is to this question; from the second on it is a replay.
    house.log.disposer().plan(&authorities).unwrap();
    let said = doubts(&house, &authorities);
    assert!(said.contains("replayed"), "{said}");
    assert!(said.contains("that count: 1, needed: 2"), "{said}");
    nothing_went(&house);
}

/// Gives what another gives, under a name of its own.
struct Renamed(Arc<dyn Stamper>);

impl Stamper for Renamed {
    fn stamp(&self, imprint: &Imprint) -> Result<Stamped, StampError> {
        let stamped = self.0.stamp(imprint)?;
        Ok(Stamped {
            authority: "un altro nome".to_owned(),
            ..stamped
        })
    }

    fn is_development(&self) -> bool {
        false
    }
}

#[test]
fn one_authority_under_two_names_and_one_that_is_silent_are_one_authority() {
    let house = House::new();
    let [one, two] = &house.sealings;
    let renamed = Arc::new(Renamed(Arc::clone(&one.tsa) as _));
    let twice = one.with(vec![Arc::clone(&one.tsa) as _, renamed]);
    let said = doubts(&house, &twice);
    assert!(said.contains("that count: 1, needed: 2"), "{said}");
    two.tsa.silent.store(true, Ordering::SeqCst);
    let said = doubts(&house, &house.authorities());
    assert!(said.contains("that count: 1, needed: 2"), "{said}");
    let plan = house.log.disposer().plan(&house.authorities()).unwrap();
    assert_eq!(plan.silent, ["nobody answers"]);
    nothing_went(&house);
}

#[test]
fn under_the_embedded_authority_alone_nothing_is_ever_disposed_of_but_in_a_development_log() {
    let house = House::new();
    let embedded = Sealing::named(&house.clock, false, "incorporata");
    let authorities = embedded.authorities();
    let said = doubts(&house, &authorities);
    assert!(
        said.contains("only the embedded development authority answered"),
        "{said}"
    );
    nothing_went(&house);
    // The row that `init` writes, added later by whoever can, changes nothing: the first leaf says otherwise.
    let mut batch = Batch::new();
    batch.put::<State>(&StateKey::Development, &StateRow::Development);
    house.log.reader().store().commit(&batch).unwrap();
    let house = house.reopen();
    assert!(doubts(&house, &authorities).contains("embedded"));

    static DEVELOPMENT: OnceLock<Base> = OnceLock::new();
    let house = House::of(DEVELOPMENT.get_or_init(|| make(StoreKind::Development, DAYS)));
    let embedded = Sealing::named(&house.clock, false, "incorporata");
    let plan = house.log.disposer().plan(&embedded.authorities()).unwrap();
    assert!(plan.time.is_ok(), "{:?}", plan.time);
    assert!(
        plan.units
            .iter()
            .any(|unit| unit.verdict == UnitVerdict::Due)
    );
}

#[test]
fn a_forged_approval_is_refused() {
    let house = House::new();
    let intent = house.intend();
    house.approve("anna", &intent).unwrap();
    house.pass_hours(100);
    // Whoever writes to the store makes a second approval of a leaf that is none, long ago.
    let store = house.log.reader().store();
    let key = DisposalKey::Intent(intent.intent);
    for forged in [
        LeafIndex::new(1),
        LeafIndex::new(0),
        intent.intent,
        house.known.receipts[0].0,
    ] {
        let Some(DisposalRow::Intent(mut row)) = store.read::<Disposals>(&key).unwrap() else {
            panic!("no intent");
        };
        row.approvals.truncate(1);
        row.approvals.push(forged);
        row.grace = Some((0, UtcMillis::new(0)));
        row.state = IntentState::Open;
        let mut batch = Batch::new();
        batch.put::<Disposals>(&key, &DisposalRow::Intent(row));
        store.commit(&batch).unwrap();
        assert_not_on_record(&house.advance());
    }
    nothing_went(&house);
}

#[test]
fn one_principal_approves_once_however_the_name_is_written_and_a_forged_row_does_not_help() {
    let house = House::new();
    let intent = house.intend();
    let first = house.approve("anna", &intent).unwrap();
    for again in ["anna", "Anna", " ANNA "] {
        let refused = house.approve(again, &intent);
        assert!(
            matches!(refused, Err(DisposalError::Refused(Refusal::SameTwice))),
            "{again}: {refused:?}"
        );
    }
    // The same leaf twice in the row.
    let store = house.log.reader().store();
    let key = DisposalKey::Intent(intent.intent);
    let Some(DisposalRow::Intent(mut row)) = store.read::<Disposals>(&key).unwrap() else {
        panic!("no intent");
    };
    row.approvals = vec![first.leaf, first.leaf];
    row.grace = Some((0, UtcMillis::new(0)));
    let mut batch = Batch::new();
    batch.put::<Disposals>(&key, &DisposalRow::Intent(row));
    store.commit(&batch).unwrap();
    house.pass_hours(100);
    let refused = house.advance();
    let is_same = matches!(refused, Err(DisposalError::Refused(Refusal::SameTwice)));
    assert!(is_same, "{refused:?}");
    nothing_went(&house);
}

#[test]
fn what_is_approved_is_the_leaf_of_the_intent_and_no_other() {
    let house = House::new();
    let intent = house.intend();
    let other = Intended {
        hash: Sha256::from_bytes([7; 32]),
        ..intent.clone()
    };
    let refused = house.approve("anna", &other);
    assert!(
        matches!(refused, Err(DisposalError::OtherHash(_))),
        "{refused:?}"
    );
    let none = Intended {
        intent: LeafIndex::new(0),
        ..intent
    };
    let refused = house.approve("anna", &none);
    assert!(
        matches!(refused, Err(DisposalError::NoIntent(_))),
        "{refused:?}"
    );
}

#[test]
fn a_grace_whose_beginning_was_forged_is_still_that_of_the_second_approval() {
    let house = House::new();
    let intent = house.intend();
    house.pass_hours(200);
    house.approve("anna", &intent).unwrap();
    house.approve("bruno", &intent).unwrap();
    let store = house.log.reader().store();
    let key = DisposalKey::Intent(intent.intent);
    let Some(DisposalRow::Intent(mut row)) = store.read::<Disposals>(&key).unwrap() else {
        panic!("no intent");
    };
    row.grace = Some((0, UtcMillis::new(0)));
    let mut batch = Batch::new();
    batch.put::<Disposals>(&key, &DisposalRow::Intent(row));
    store.commit(&batch).unwrap();
    house.pass_hours(1);
    let refused = house.advance();
    let waits = matches!(refused, Err(DisposalError::Refused(Refusal::Grace { .. })));
    assert!(waits, "{refused:?}");
    nothing_went(&house);
}

#[test]
fn a_family_of_holds_that_was_emptied_stops_every_disposal() {
    let house = House::new();
    held::hold(&house, house.known.receipts[0].0);
    house.ready();
    let mut batch = Batch::new();
    let all = KeyRange {
        start: Vec::new(),
        end: Some(vec![0xff; 16]),
    };
    batch.delete_range::<HoldFamily>(&all);
    house.log.reader().store().commit(&batch).unwrap();
    let refused = house.advance();
    assert!(
        matches!(refused, Err(DisposalError::Holds(_))),
        "{refused:?}"
    );
    assert!(house.log.disposer().plan(&house.authorities()).is_err());
    nothing_went(&house);
}

#[test]
fn a_family_of_holds_that_was_dropped_stops_every_disposal() {
    let house = House::new();
    held::hold(&house, house.known.receipts[0].0);
    house.ready();
    house.log.stop().unwrap();
    let House {
        directory,
        clock,
        settings,
        sealings,
        known,
        log,
    } = house;
    drop(log);
    let path = directory.path().join("log");
    let database = ceralacca::store::outside::database_of(&path);
    let options = rocksdb::Options::default();
    let families = rocksdb::DB::list_cf(&options, &database).unwrap();
    let engine = rocksdb::DB::open_cf(&options, &database, families).unwrap();
    engine.drop_cf("hold").unwrap();
    drop(engine);
    let log = open(&path, &settings);
    let house = House {
        directory,
        clock,
        settings,
        sealings,
        known,
        log,
    };
    let refused = house.advance();
    assert!(
        matches!(refused, Err(DisposalError::Holds(_))),
        "{refused:?}"
    );
    assert!(house.log.disposer().plan(&house.authorities()).is_err());
    nothing_went(&house);
}

#[test]
fn an_event_dated_2099_neither_prolongs_a_term_nor_one_dated_1990_shortens_it() {
    let lawful = |event: i64| {
        let test = TestLog::new();
        let sealing = Sealing::named(&test.clock, true, "uno");
        let log = test.open();
        let record = TraceRecord {
            event_ms: Some(event.try_into().unwrap()),
            ..traces(1, 1).remove(0)
        };
        ingest(&log)
            .record(Submission::trace(Class::Trace, record, None))
            .unwrap();
        test.clock.pass(DAY_MS);
        log.tick().unwrap();
        close_all(&log, &sealing);
        let plan = log.disposer().plan(&sealing.authorities()).unwrap();
        let trace = plan
            .units
            .iter()
            .find(|unit| unit.unit.class == Class::Trace);
        trace.unwrap().lawful_from.unwrap()
    };
    let now = lawful(START_MS as i64);
    for event in [
        4_070_908_800_000,
        631_152_000_000,
        i64::from(i32::MAX) * 1000,
    ] {
        assert_eq!(lawful(event), now, "{event}");
    }
}
