//! The service renews evidence by itself: its own loop, by a clock that a test moves, under authorities that come, go
//! silent and answer again.

use crate::renewal::sha256_ends;
use crate::support::sealing::{Sealing, TestTsa, close_all, fill};
use crate::support::*;
use crate::told;
use ceralacca::access::{self, Principal, Role, Standing, Status};
use ceralacca::ambient::Clock;
use ceralacca::archive::{self, Archive, Log, LogState, Settings};
use ceralacca::seal::RenewalRules;
use ceralacca::server::renewal::{self, ALARM_MS};
use ceralacca_evidence::{Imprint, StampError, Stamped, Stamper};
use ceralacca_formats::id::{IntervalId, LeafIndex, LogId, UtcMillis};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_formats::renewal::{EvidenceRenewed, RenewalKind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const MINUTE_MS: u64 = 60_000;
const SILENT: &str = "gestore-senza-risposta";
const WAITING: &str = "gestore-con-tabella-vecchia";

/// Whoever stamps now.
struct Now(Mutex<Arc<TestTsa>>);

impl Now {
    fn tsa(&self) -> Arc<TestTsa> {
        Arc::clone(&self.0.lock().unwrap())
    }
}

impl Stamper for Now {
    fn stamp(&self, imprint: &Imprint) -> Result<Stamped, StampError> {
        self.tsa().stamp(imprint)
    }

    fn is_development(&self) -> bool {
        false
    }
}

/// An archive with three closed intervals: two under certificates for a year, the last for three.
struct House {
    id: LogId,
    clock: Arc<MovableClock>,
    now: Arc<Now>,
    archive: Arc<Archive>,
    closed: Vec<IntervalId>,
    data: tempfile::TempDir,
}

impl House {
    fn new(name: &str) -> Self {
        told::listen();
        let id = LogId::try_from(name).unwrap();
        let clock = MovableClock::at(START_MS);
        let data = tempfile::tempdir().unwrap();
        let path = Archive::directory_of(data.path(), &id);
        let short = Sealing::lasting(&clock, true, "breve", 1);
        let long = Sealing::lasting(&clock, true, "lunga", 3);
        let mut closed = Vec::new();
        let plain = settings(&clock);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        archive::init(&path, &id, &origin(), &master(), &plain).unwrap();
        let log = Log::open(&path, &master(), &plain).unwrap();
        for (seed, sealing) in (1..).zip([&short, &short, &long]) {
            fill(&log, seed, 20);
            clock.pass(DAY_MS);
            log.tick().unwrap();
            closed.extend(close_all(&log, sealing));
        }
        log.stop().unwrap();
        drop(log);
        let now = Arc::new(Now(Mutex::new(Arc::clone(&short.tsa))));
        let settings = Settings {
            authorities: Some(short.with(vec![Arc::clone(&now) as Arc<dyn Stamper>])),
            ..plain
        };
        let archive =
            Archive::open(data.path(), std::slice::from_ref(&id), &master(), &settings).unwrap();
        Self {
            id,
            clock,
            now,
            archive: Arc::new(archive),
            closed,
            data,
        }
    }

    /// Most of the time of the first certificates passes, and there is an authority with new ones.
    fn pass_most_of_a_year(&self) {
        self.clock.pass(265 * DAY_MS);
        *self.now.0.lock().unwrap() = Sealing::new(&self.clock, true).tsa;
    }

    fn log(&self) -> &Log {
        self.archive.log(&self.id).unwrap()
    }

    fn path(&self) -> PathBuf {
        Archive::directory_of(self.data.path(), &self.id)
    }

    /// What a monitor sees.
    fn state(&self) -> LogState {
        let standings = vec![(self.id.clone(), Standing::Role(Role::Monitor))];
        let monitor = Principal::new("monitor", standings);
        let now = UtcMillis::new(self.clock.now());
        let permit = access::authorize::<Status>(&monitor, &self.id, now).unwrap();
        self.log().state(&permit).unwrap()
    }

    /// Waits until the loop has looked at this time of the clock.
    fn looked(&self) -> LogState {
        for _ in 0..600 {
            let state = self.state();
            if state.renewals.looked.get() == self.clock.now() {
                return state;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the loop does not look: {:?}", self.state().renewals);
    }

    /// Time passes, and the loop does not look, though it comes by.
    fn passes_unlooked(&self, ms: u64) {
        let before = self.state().renewals;
        self.clock.pass(ms);
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(self.state().renewals, before);
    }

    /// Renewals of each package.
    fn renewed(&self) -> Vec<Vec<RenewalKind>> {
        let kinds = |interval: &IntervalId| {
            let package = self.log().sealer().package(*interval).unwrap().unwrap();
            let renewals = package.renewals().unwrap();
            renewals.iter().map(|(_, facts)| facts.kind).collect()
        };
        self.closed.iter().map(kinds).collect()
    }

    /// What leaves say of renewals.
    fn leaves(&self) -> Vec<EvidenceRenewed> {
        let reader = self.log().reader();
        let state = reader.published();
        let indexes = (0..state.tip.size.get()).map(LeafIndex::new);
        let renewed =
            indexes.filter_map(
                |index| match reader.record(&state, index).unwrap().metadata() {
                    Ok(Metadata::Custody(CustodyRecord::EvidenceRenewed(renewed))) => Some(renewed),
                    _ => None,
                },
            );
        renewed.collect()
    }
}

/// The loop of the service, as the service runs it.
struct Loop {
    runtime: Runtime,
    running: JoinHandle<()>,
    stops: watch::Sender<bool>,
}

impl Loop {
    fn of(house: &House, rules: &RenewalRules) -> Self {
        let runtime = Runtime::new().unwrap();
        let (stops, stopped) = watch::channel(false);
        let (archive, clock) = (Arc::clone(&house.archive), Arc::clone(&house.clock));
        let following = renewal::follow(archive, rules.clone(), clock as Arc<dyn Clock>, stopped);
        let running = runtime.spawn(following);
        Self {
            runtime,
            running,
            stops,
        }
    }

    fn stop(self) {
        self.stops.send(true).unwrap();
        self.runtime.block_on(self.running).unwrap();
    }
}

#[test]
fn the_loop_renews_what_is_due_leaves_alone_what_is_not_and_asks_a_silent_authority_again() {
    let house = House::new(SILENT);
    let following = Loop::of(&house, &RenewalRules::default());
    let state = house.looked().renewals;
    assert_eq!((state.due, state.failing_since.get()), (0, 0));
    assert!(house.renewed().iter().all(Vec::is_empty), "nothing is due");

    // The first two are due, and nobody answers: it is told, and nothing changes.
    house.pass_most_of_a_year();
    house.now.tsa().silent.store(true, Ordering::SeqCst);
    let since = house.clock.now();
    // By the monotone clock the day is long over.
    let state = house.looked().renewals;
    assert_eq!((state.due, state.failing_since.get()), (2, since));
    assert!(house.renewed().iter().all(Vec::is_empty));
    let tried = [
        SILENT,
        "evidence is not renewed; it is tried again",
        "\"due\":2",
    ];
    told::wait_for(1, &tried);
    house.passes_unlooked(MINUTE_MS - 1);
    house.clock.pass(1);
    let state = house.looked().renewals;
    assert_eq!((state.due, state.failing_since.get()), (2, since), "again");
    // Ever less often.
    house.passes_unlooked(2 * MINUTE_MS - 1);
    house.clock.pass(1);
    house.looked();
    told::wait_for(3, &tried);
    let alarm = [SILENT, "ALARM: evidence is not renewed"];
    assert_eq!(told::lines(&alarm).len(), 0);
    house.clock.pass(ALARM_MS);
    house.looked();
    told::wait_for(1, &alarm);

    // It answers: one token for both, and the third is left alone.
    let tsa = house.now.tsa();
    tsa.silent.store(false, Ordering::SeqCst);
    let given = tsa.given.load(Ordering::SeqCst);
    house.clock.pass(8 * MINUTE_MS);
    let state = house.looked().renewals;
    assert_eq!((state.due, state.failing_since.get()), (0, 0));
    let once = vec![RenewalKind::TimeStamp];
    assert_eq!(house.renewed(), [once.clone(), once, Vec::new()]);
    assert_eq!(tsa.given.load(Ordering::SeqCst), given + 1);
    let leaves = house.leaves();
    assert_eq!(leaves.len(), 1);
    assert_eq!(
        (leaves[0].first, leaves[0].last),
        (house.closed[0], house.closed[1])
    );
    assert_eq!(leaves[0].packages, 2);

    // The next look is a day later, and finds nothing to do.
    house.passes_unlooked(DAY_MS - 1);
    house.clock.pass(1);
    house.looked();
    assert_eq!(
        (house.leaves().len(), tsa.given.load(Ordering::SeqCst)),
        (1, given + 1)
    );
    following.stop();
    house.archive.stop().unwrap();
    let path = house.path();
    drop(house.archive);
    assert!(check_directory(&path).is_clean());
}

#[test]
fn evidence_that_waits_for_the_table_is_told_and_renewed_when_the_table_has_a_hash_that_lasts() {
    let house = House::new(WAITING);
    let rules = sha256_ends(house.clock.now(), 10);
    let mut bare = rules.clone();
    bare.table
        .rows
        .retain(|row| !["SHA-384", "SHA-512"].contains(&row.algorithm.as_str()));
    house.clock.pass(6 * DAY_MS);
    let since = house.clock.now();
    let following = Loop::of(&house, &bare);
    let state = house.looked().renewals;
    assert_eq!((state.due, state.failing_since.get()), (3, since));
    house.clock.pass(DAY_MS);
    let state = house.looked().renewals;
    assert_eq!((state.due, state.failing_since.get()), (3, since), "still");
    let alarm = [WAITING, "ALARM: evidence is due and waits"];
    told::wait_for(2, &alarm);
    assert!(house.renewed().iter().all(Vec::is_empty));
    following.stop();

    // The operator brings the table up to date: a start looks at once.
    house.clock.pass(1);
    let following = Loop::of(&house, &rules);
    let state = house.looked().renewals;
    assert_eq!((state.due, state.failing_since.get()), (0, 0));
    let once = vec![RenewalKind::HashTree];
    assert_eq!(house.renewed(), [once.clone(), once.clone(), once]);
    // A tree is of one interval.
    assert_eq!(house.leaves().len(), 3);

    // The authority goes on signing over SHA-256 when that has ended: what is renewed is late at once, which is an
    // alarm, and is not renewed again and again.
    house.clock.pass(6 * DAY_MS);
    let since = house.clock.now();
    let state = house.looked().renewals;
    assert_eq!((state.due, state.failing_since.get()), (3, since));
    told::wait_for(3, &alarm);
    let twice = vec![RenewalKind::HashTree, RenewalKind::TimeStamp];
    assert_eq!(house.renewed(), [twice.clone(), twice.clone(), twice]);
    following.stop();
    house.archive.stop().unwrap();
}
