//! The service closes intervals by itself, and its operator hears in time where it cannot: its own loop, by a clock that
//! a test moves, under an authority that is silent.

use crate::support::sealing::{Sealing, fill};
use crate::support::*;
use crate::told;
use ceralacca::ambient::Clock;
use ceralacca::archive::{self, Archive, Settings};
use ceralacca::server::closing::{self, ALARM_MS};
use ceralacca_formats::id::{LeafIndex, LogId};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;

const LOG: &str = "gestore-senza-marche";

#[test]
fn an_interval_without_a_time_stamp_is_told_at_once_and_an_alarm_half_a_day_later() {
    told::listen();
    const { assert!(ALARM_MS <= DAY_MS / 2, "well before the day is over") };
    let clock = MovableClock::at(START_MS);
    let sealing = Sealing::new(&clock, true);
    let settings = Settings {
        authorities: Some(sealing.authorities()),
        ..settings(&clock)
    };
    let data = tempfile::tempdir().unwrap();
    let id = LogId::try_from(LOG).unwrap();
    let path = Archive::directory_of(data.path(), &id);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    archive::init(&path, &id, &origin(), &master(), &settings).unwrap();
    let ids = [id.clone()];
    let archive = Arc::new(Archive::open(data.path(), &ids, &master(), &settings).unwrap());
    let log = archive.log(&id).unwrap();
    fill(log, 1, 5);
    clock.pass(DAY_MS);
    log.tick().unwrap();
    let end = log.sealer().due().unwrap().end.get();
    sealing.tsa.silent.store(true, Ordering::SeqCst);

    let runtime = Runtime::new().unwrap();
    let (stop, stops) = watch::channel(false);
    let (followed, time) = (Arc::clone(&archive), Arc::clone(&clock));
    let following = closing::follow(followed, time as Arc<dyn Clock>, stops);
    let running = runtime.spawn(following);
    let tried = [LOG, "an interval is not closed; it is tried again"];
    let alarm = [LOG, "ALARM: an interval is not closed"];
    told::wait_for(1, &tried);
    // Up to half a day after the end it is tried again, and no alarm.
    clock.pass(end + ALARM_MS - clock.now());
    told::wait_for(2, &tried);
    assert_eq!(told::lines(&alarm).len(), 0);
    clock.pass(HOUR_MS);
    told::wait_for(1, &alarm);
    assert!(log.sealer().due().is_some());

    // It answers again: closed, and the outage is on record once.
    sealing.tsa.silent.store(false, Ordering::SeqCst);
    clock.pass(HOUR_MS);
    for _ in 0..600 {
        if log.sealer().due().is_none() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(log.sealer().last_closed().is_some());
    let reader = log.reader();
    let state = reader.published();
    let indexes = (0..state.tip.size.get()).map(LeafIndex::new);
    let outages = indexes.filter(|index| {
        let metadata = reader.record(&state, *index).unwrap().metadata();
        matches!(
            metadata,
            Ok(Metadata::Custody(CustodyRecord::StampOutage { .. }))
        )
    });
    assert_eq!(outages.count(), 1);
    stop.send(true).unwrap();
    runtime.block_on(running).unwrap();
    archive.stop().unwrap();
}
