//! Ten years of an archive, in its store, with its packages and time-stamp authorities: records of all classes, a wall
//! clock that jumps both ways, authorities that fail, holds that come and go, single erasures, disposals that crash
//! between any two steps. After every sweep the archive must have done what [`model`] says: nothing gone early or under
//! hold, everything gone that a completed disposal ought to have taken, the rest there to the last octet.
//!
//! Ten years are 3653 closed intervals. As many decades are lived as `CERALACCA_DECADES` says, each of as many days as
//! `CERALACCA_DECADE_DAYS`, from the seed `CERALACCA_DECADE_FIRST` on.

#[path = "../../../../retention/tests/simulation/calendar.rs"]
mod calendar;
mod model;
mod sweep;
mod world;

use super::*;
use model::{Fate, Held, Keeps, Known, Model};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// Three and a half years: the terms of the law for traces and infected messages end within.
const DAYS: u64 = 1_280;
const SEEDS: u64 = 3;

struct Dice(ChaCha20Rng);

impl Dice {
    /// From zero to just under `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from)
    }

    /// True so many times in a hundred.
    fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    records: u64,
    gone: u64,
    erased: u64,
    refused_erasures: u64,
    holds: u64,
    carried: u64,
    intents: u64,
    crashes: u64,
    unproven: u64,
    jumps: u64,
    closed: u64,
    unclosed: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.gone += other.gone;
        self.erased += other.erased;
        self.refused_erasures += other.refused_erasures;
        self.holds += other.holds;
        self.carried += other.carried;
        self.intents += other.intents;
        self.crashes += other.crashes;
        self.unproven += other.unproven;
        self.jumps += other.jumps;
        self.closed += other.closed;
        self.unclosed += other.unclosed;
    }
}

struct Decade {
    dice: Dice,
    directory: tempfile::TempDir,
    /// What the archive takes for the time.
    clock: Arc<MovableClock>,
    /// What the time is: the authorities know it.
    truth: Arc<MovableClock>,
    settings: Settings,
    sealings: [Sealing; 2],
    log: Option<Log>,
    model: Model,
    /// The wall clock is not right.
    is_off: bool,
    /// The latest that the wall clock showed, of late and before that.
    peaks: [u64; 2],
    tally: Tally,
}

impl Decade {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(ChaCha20Rng::seed_from_u64(seed));
        let directory = folder();
        let path = directory.path().join("log");
        let (clock, truth) = (MovableClock::at(START_MS), MovableClock::at(START_MS));
        let sealings = ["uno", "due"].map(|name| Sealing::named(&truth, true, name));
        let contract = [1 + dice.below(9) as u16, 2 + dice.below(24) as u16];
        let term = |months| Term::of_months(months).unwrap();
        let policy = Policy::default().with(RetentionClass::Receipt, term(contract[0]));
        let policy = policy.and_then(|p| p.with(RetentionClass::Content, term(contract[1])));
        let settings = Settings {
            disposal: DisposalRules {
                policy: policy.unwrap(),
                cap: ceralacca_retention::BatchCap::MAX,
                ..DisposalRules::default()
            },
            authorities: Some(both(&sealings)),
            ..settings(&clock)
        };
        let kind = StoreKind::Production;
        archive::init_as(&path, &log_id(), &origin(), &master(), &settings, kind).unwrap();
        let log = Some(open(&path, &settings));
        let model = Model {
            records: Vec::new(),
            holds: Vec::new(),
            contract,
        };
        Self {
            dice,
            directory,
            clock,
            truth,
            settings,
            sealings,
            log,
            model,
            is_off: false,
            peaks: [START_MS; 2],
            tally: Tally::default(),
        }
    }

    fn live(mut self, days: u64) -> Tally {
        let end = START_MS + days * DAY_MS;
        let mut checked = START_MS;
        while self.truth.now() < end {
            self.authorities_fail();
            self.bring();
            if self.dice.percent(15) {
                self.jump();
            }
            if self.dice.percent(40) {
                self.hold();
            }
            if self.dice.percent(20) {
                self.release();
            }
            if self.dice.percent(40) {
                self.erase();
            }
            let stretch = self.dice.between(5, 45);
            self.pass_days(stretch);
            if self.is_off && self.dice.percent(70) {
                self.put_right();
            }
            if self.dice.percent(35) {
                self.sweep();
            }
            if self.truth.now() > checked + 400 * DAY_MS {
                checked = self.truth.now();
                self.fsck();
            }
        }
        self.end()
    }

    /// All goes well for a while, and every hold is released: what is due then is gone.
    fn end(mut self) -> Tally {
        self.answer();
        if self.is_off {
            self.put_right();
        }
        while self.model.holds.iter().any(|hold| !hold.is_released) {
            self.release();
        }
        self.pass_days(5);
        self.sweep();
        self.sweep();
        self.fsck();
        self.log().stop().unwrap();
        Tally {
            records: self.model.records.len() as u64,
            gone: self.model.count(Fate::Gone),
            erased: self.model.count(Fate::Erased),
            holds: self.model.holds.len() as u64,
            ..self.tally
        }
    }

    fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// The true time.
    fn now(&self) -> i64 {
        self.truth.now() as i64
    }

    /// Ends the process, and starts it again.
    fn reopen(&mut self) {
        if let Some(log) = self.log.take() {
            log.stop().unwrap();
        }
        self.log = Some(open(&self.path(), &self.settings));
        self.see_wall();
    }

    /// Everything on disk, from scratch.
    fn fsck(&mut self) {
        if let Some(log) = self.log.take() {
            log.stop().unwrap();
        }
        let report = check_directory(&self.path());
        assert!(report.is_clean(), "{:?}", report.damages);
        assert_eq!(report.holds, self.model.holds.len() as u64);
        // Details of acts are disposed of too, with the records of the trace.
        assert!(report.disposed >= self.model.count(Fate::Gone));
        self.reopen();
    }
}

/// In memory where the system has it: no power is lost here, and each interval is synced many times.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// Both authorities, of which the first seals.
fn both(sealings: &[Sealing; 2]) -> Authorities {
    let [one, two] = sealings;
    one.with(vec![Arc::clone(&one.tsa) as _, Arc::clone(&two.tsa) as _])
}

fn number(name: &str, otherwise: u64) -> u64 {
    let said = std::env::var(name).ok();
    said.map_or(otherwise, |said| said.parse().unwrap())
}

#[test]
fn over_the_years_nothing_goes_early_or_under_hold_and_everything_goes_that_is_due() {
    let seeds = number("CERALACCA_DECADES", SEEDS);
    let days = number("CERALACCA_DECADE_DAYS", DAYS);
    let first = number("CERALACCA_DECADE_FIRST", 0);
    let lived: Vec<Tally> = std::thread::scope(|scope| {
        let threads: Vec<_> = (first..first + seeds)
            .map(|seed| {
                let thread = std::thread::Builder::new().name(format!("seed {seed}"));
                let work = move || {
                    let tally = Decade::new(seed).live(days);
                    println!("seed {seed}, {days} days: {tally:?}");
                    tally
                };
                thread.spawn_scoped(scope, work).unwrap()
            })
            .collect();
        let lived = threads.into_iter();
        lived.map(|thread| thread.join().unwrap()).collect()
    });
    let mut all = Tally::default();
    for tally in &lived {
        all.add(tally);
    }
    println!("{all:?}");
    // A simulation in which nothing happens shows nothing.
    assert!(all.gone > 20 * seeds && all.erased > 0 && all.refused_erasures > 0);
    assert!(all.holds > seeds && all.carried > 0 && all.intents > seeds);
    assert!(all.crashes > 0 && all.unproven > 0 && all.jumps > seeds && all.unclosed > 0);
}
