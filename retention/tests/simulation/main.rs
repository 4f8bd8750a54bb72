//! Ten years of retention, a thousand times: records of all classes, clocks that jump both ways, authorities that fail
//! and lie, an archive that is down, holds that come and go, forged approvals, disposals that crash between any two
//! steps. After every step the crate must say what [`model`] says, and what goes must be lawful by the true time, which
//! neither of them knows.

mod calendar;
mod model;
mod planner;
mod world;

use std::collections::BTreeSet;

use ceralacca_retention::{
    Disposal, Intent, IntentId, LeafIndex, RetentionClass, SoftClock, Stage, Unit, UnitId, plan,
};

use calendar::DAY;
use model::{Approved, Clock};
use planner::{Chains, MUTANTS, Mutant, Planner, approval, at, cap, hold, numbers, proven, two};
use world::{Asked, HOUR, HoldFacts, T0, World, YEARS_10};

const NAMES: [&str; 4] = ["anna", "Anna ", "bruno", "carla"];

/// A disposal on its way, as the crate and as the model keep it.
struct Active {
    part: usize,
    intent: u8,
    named: Vec<UnitId>,
    real: Disposal,
    model: model::Stage,
    /// The approvals that are leaves of the log.
    record: Vec<Approved>,
    /// When the second one was truly given.
    approved: i64,
}

/// What came of a decade.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    units: u64,
    records: u64,
    carried: u64,
    refused: u64,
    no_time: u64,
    late_holds: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.units += other.units;
        self.records += other.records;
        self.carried += other.carried;
        self.refused += other.refused;
        self.no_time += other.no_time;
        self.late_holds += other.late_holds;
    }
}

struct Decade {
    world: World,
    planner: Planner,
    clock: Option<(SoftClock, Clock)>,
    chains: Chains,
    active: Vec<Active>,
    done: Vec<Disposal>,
    gone: BTreeSet<u64>,
    leaf: u64,
    intents: u8,
    tally: Tally,
}

/// Where the crate and the model, or the truth, part ways.
type Lived<T> = Result<T, String>;

fn agree<T: PartialEq + std::fmt::Debug>(what: &str, real: T, model: T) -> Lived<()> {
    if real == model {
        return Ok(());
    }
    Err(format!(
        "{what}: the crate says {real:?}, the model {model:?}"
    ))
}

impl Decade {
    fn new(seed: u64, planner: Planner) -> Self {
        Self {
            world: World::new(seed),
            planner,
            clock: None,
            chains: Chains::new(),
            active: Vec::new(),
            done: Vec::new(),
            gone: BTreeSet::new(),
            leaf: 1 << 40,
            intents: 0,
            tally: Tally::default(),
        }
    }

    fn live(mut self) -> Lived<Tally> {
        let mut day = 0;
        while day < YEARS_10 {
            if self.world.dice.thousandths(2) {
                day += self.be_down();
                continue;
            }
            self.day(T0 + day * DAY)?;
            day += 1;
        }
        Ok(self.tally)
    }

    /// The archive is down for days; what was ticked today may be lost.
    fn be_down(&mut self) -> i64 {
        let days = self.world.dice.between(1, 30);
        self.world.now += days * DAY;
        self.world.monotonic = self.world.dice.below(1_000_000);
        if let Some((real, model)) = &mut self.clock {
            *real = SoftClock::restart(real.kept(), self.world.monotonic, at(self.world.wall()));
            *model = model.again(self.world.monotonic, self.world.wall());
        }
        days
    }

    fn day(&mut self, interval: i64) -> Lived<()> {
        for _ in 0..24 {
            self.world.hour();
            if let Some((real, model)) = &mut self.clock {
                real.tick(self.world.monotonic, at(self.world.wall()));
                model.tick(self.world.monotonic, self.world.wall());
            }
        }
        self.world.ingest(interval);
        self.world.now = interval + DAY + 120_000;
        self.world.authorities();
        if let Some(token) = self.world.seal() {
            let (now, wall) = (self.world.monotonic, self.world.wall());
            let (real, model) = self.clock.get_or_insert_with(|| {
                (
                    SoftClock::initialise(now, at(wall), proven(token)),
                    Clock::first(now, wall, token),
                )
            });
            real.verified(proven(token), at(wall));
            model.verified(token, wall);
        }
        if let Some((real, model)) = &self.clock {
            let shown = (real.reading().as_millis(), real.run_ms(), real.step_ms());
            agree("clock", shown, (model.reading, model.run, model.step))?;
        }
        if self.world.dice.thousandths(15) {
            self.hold()?;
        }
        if self.world.dice.thousandths(15) {
            self.release()?;
        }
        if self.world.dice.thousandths(120) {
            self.dispose()?;
        }
        Ok(())
    }

    /// A hold is set, on whatever is near something not long before it goes.
    fn hold(&mut self) -> Lived<()> {
        let leaves = self.world.leaves();
        if leaves == 0 {
            return Ok(());
        }
        let dice = &mut self.world.dice;
        let first = dice.below(leaves);
        let facts = HoldFacts {
            id: self.world.holds.len() as u64,
            first,
            last: (first + dice.below(12)).min(leaves - 1),
            end: dice
                .thousandths(400)
                .then(|| self.world.now + dice.between(-100, 900) * DAY),
            released: false,
        };
        // A hold without end needs none; one whose end is before its start is refused before it comes here.
        let wanted = hold(&facts);
        let known = self
            .done
            .iter()
            .chain(self.active.iter().map(|one| &one.real));
        let admitted = self.planner.is(Mutant::AdmitsHoldsTooLate)
            || known.into_iter().all(|one| one.admits(&wanted).is_ok());
        let free = self.gone.range(facts.first..=facts.last).next().is_none();
        agree("hold", admitted, free)?;
        if free {
            self.world.holds.push(facts);
        } else {
            self.tally.late_holds += 1;
        }
        Ok(())
    }

    /// Two principals, or one twice, release a hold.
    fn release(&mut self) -> Lived<()> {
        let holds = self.world.holds.len() as u64;
        if holds == 0 {
            return Ok(());
        }
        let at = self.world.dice.below(holds) as usize;
        let (one, other) = (self.name(), self.name());
        let differ = !model::same(one, other);
        agree("release", two(one, other).is_ok(), differ)?;
        self.world.holds[at].released |= differ;
        Ok(())
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.world.dice.below(4) as usize]
    }

    /// Asks the time, goes on with what is on its way, and plans more.
    fn dispose(&mut self) -> Lived<()> {
        let asked = self.world.ask();
        self.world.holds_emptied = self.world.dice.thousandths(60) && !self.world.holds.is_empty();
        for mut one in std::mem::take(&mut self.active) {
            for _ in 0..1 + self.world.dice.below(2) {
                self.step(&mut one, &asked)?;
            }
            match &one.model {
                model::Stage::Completed => self.done.push(one.real),
                model::Stage::Executed => self.active.push(one),
                _ if self.world.dice.thousandths(60) => {
                    let unit = one.real.withdraw().map_err(|why| why.to_string())?;
                    agree("withdrawn", unit, self.planner.unit(&self.world, one.part))?;
                    self.world.parts[one.part].busy = false;
                }
                _ => self.active.push(one),
            }
        }
        if self.active.len() < 24 && self.world.dice.thousandths(350) {
            self.plan(&asked)?;
        }
        self.world.holds_emptied = false;
        Ok(())
    }

    fn plan(&mut self, asked: &Asked) -> Lived<()> {
        let Some((real_clock, clock)) = self.clock else {
            return Ok(());
        };
        let (world, planner) = (&self.world, self.planner);
        let waiting: Vec<usize> = (0..world.parts.len())
            .filter(|part| !world.parts[*part].busy && !world.parts[*part].gone)
            .collect();
        let interval = |part: &usize| world.sealed[world.parts[*part].of].interval;
        let Some(since) = waiting.iter().map(interval).min() else {
            return Ok(());
        };
        let real_time = planner.time(world, asked, &real_clock, since, &mut self.chains);
        let time = model::time(world, asked, &clock, since);
        let shown = real_time
            .as_ref()
            .map(|time| (time.proven().instant().as_millis(), time.run_ms()));
        agree("time", shown, time.map(|time| (time.proven, time.run)))?;
        let (Some(real_time), Some(time)) = (real_time, time) else {
            self.tally.no_time += 1;
            return Ok(());
        };
        if world.holds_emptied {
            return agree("emptied holds", planner.holds(world).is_some(), false);
        }
        let holds = planner.holds(world).ok_or("no holds")?;
        let units = waiting.iter().map(|part| planner.unit(world, *part));
        let planned = plan(units, &planner.policy(world), &holds, &real_time, cap());

        let id = |part: usize| UnitId {
            interval: at(interval(&part)),
            class: RetentionClass::ALL[world.sealed[world.parts[part].of].class as usize],
            carried: world.parts[part].carried,
        };
        let due = waiting
            .iter()
            .filter_map(|part| model::may(world, *part, &time).map(|may| (may.since, *part)));
        let mut due: Vec<(i64, UnitId, usize)> =
            due.map(|(since, part)| (since, id(part), part)).collect();
        due.sort_unstable();
        let left = due.len().saturating_sub(cap().units()) as u64;
        due.truncate(cap().units());
        let named: Vec<UnitId> = due.iter().map(|(_, id, _)| *id).collect();
        let found: Vec<UnitId> = planned.units.iter().map(Unit::id).collect();
        agree("plan", (found, planned.left), (named.clone(), left))?;

        self.intents = self.intents.wrapping_add(1);
        for (unit, (_, _, part)) in planned.units.into_iter().zip(due) {
            let real = Disposal::plan(unit, &planner.policy(&self.world), &holds, &real_time)
                .map_err(|why| format!("planned, then refused: {why}"))?;
            self.world.parts[part].busy = true;
            self.active.push(Active {
                part,
                intent: self.intents,
                named: named.clone(),
                real,
                model: model::Stage::Planned,
                record: Vec::new(),
                approved: 0,
            });
        }
        Ok(())
    }

    /// One step, in order or not, honest or forged; then perhaps a crash before it was kept.
    fn step(&mut self, one: &mut Active, asked: &Asked) -> Lived<()> {
        match (&one.model, self.world.dice.below(10)) {
            (model::Stage::Planned, 0..8) => self.intend(one),
            (model::Stage::Intended | model::Stage::Once(_), 0..8) => self.approve(one),
            (model::Stage::Intended, 8) if self.world.dice.thousandths(300) => self.forge(one),
            (model::Stage::Executed, 0..7) => self.complete(one),
            _ => self.execute(one, asked),
        }
    }

    fn intend(&mut self, one: &mut Active) -> Lived<()> {
        let forged = self.world.dice.thousandths(100);
        let mut named = one.named.clone();
        if forged {
            named.retain(|id| *id != one.real.unit().id());
            if named.is_empty() {
                return Ok(());
            }
        }
        let intent = Intent::new(IntentId::new([one.intent; 32]), named, cap());
        let intent = intent.map_err(|why| why.to_string())?;
        let real = one.real.intend(&intent).ok();
        agree("intent", real.is_some(), !forged)?;
        if let Some(real) = real {
            self.keep(one, real, model::Stage::Intended);
        }
        Ok(())
    }

    fn approve(&mut self, one: &mut Active) -> Lived<()> {
        let Some((real_clock, clock)) = self.clock else {
            return Ok(());
        };
        self.leaf += 1;
        let approved = Approved {
            name: self.name(),
            leaf: self.leaf,
            intent: one
                .intent
                .wrapping_add(u8::from(self.world.dice.thousandths(100))),
        };
        let mut shown = approved.clone();
        if self.planner.is(Mutant::LetsOneApproveTwice)
            && matches!(one.model, model::Stage::Once(_))
        {
            shown.name = "somebody else";
        }
        let real = one.real.approve(approval(&shown), &real_clock).ok();
        let model = model::approve(&one.model, &approved, one.intent, &clock);
        agree("approval", real.is_some(), model.is_some())?;
        if let (Some(real), Some(model)) = (real, model) {
            // The leaf is in the log, whether or not the state was kept.
            one.record.push(approved);
            if self.keep(one, real, model) {
                one.approved = self.world.now;
            }
        }
        Ok(())
    }

    /// Somebody writes into the store that two approved; the log has one of these approvals at most.
    fn forge(&mut self, one: &mut Active) -> Lived<()> {
        let Some((real_clock, clock)) = self.clock else {
            return Ok(());
        };
        let approved = |name, leaf| Approved {
            name,
            leaf,
            intent: one.intent,
        };
        let by = [approved("anna", 7), approved("bruno", 8)];
        if self.world.dice.thousandths(500) {
            one.record.push(by[0].clone());
        }
        let mut real = one.real.clone();
        for approved in &by {
            let next = real.approve(approval(approved), &real_clock);
            real = next.map_err(|why| why.to_string())?;
        }
        let (run, reading) = (clock.run, clock.reading);
        self.keep(one, real, model::Stage::Grace { by, run, reading });
        Ok(())
    }

    fn execute(&mut self, one: &mut Active, asked: &Asked) -> Lived<()> {
        let Some((real_clock, clock)) = self.clock else {
            return Ok(());
        };
        let (world, planner) = (&self.world, self.planner);
        let since = world.sealed[world.parts[one.part].of].interval;
        let real_time = planner.time(world, asked, &real_clock, since, &mut self.chains);
        let time = model::time(world, asked, &clock, since);
        let shown = real_time
            .as_ref()
            .map(|time| time.proven().instant().as_millis());
        agree("time", shown, time.map(|time| time.proven))?;
        let (Some(real_time), Some(time)) = (real_time, time) else {
            self.tally.no_time += 1;
            return Ok(());
        };
        let intent = Intent::new(IntentId::new([one.intent; 32]), one.named.clone(), cap());
        let intent = intent.map_err(|why| why.to_string())?;
        let real = planner.execute(world, &one.real, &intent, &one.record, &real_time);
        let model = model::execute(world, one.part, &one.model, &one.record, &time);
        let carried = |unit: &Option<Unit>| {
            let set = unit
                .as_ref()
                .map(|unit| numbers(unit.candidate().indexes()));
            set.unwrap_or_default()
        };
        let shown = real
            .as_ref()
            .map(|(execution, gone)| (gone.clone(), carried(&execution.carried)));
        let wanted = model
            .as_ref()
            .map(|may| (may.go.clone(), may.carry.clone()));
        agree("execution", shown, wanted)?;
        let (Some((execution, _)), Some(may)) = (real, model) else {
            self.tally.refused += 1;
            return Ok(());
        };
        self.is_lawful(one, &may)?;
        if !self.keep(one, execution.disposal, model::Stage::Executed) {
            return Ok(());
        }
        self.tally.units += 1;
        self.tally.records += may.go.len() as u64;
        self.tally.carried += may.carry.len() as u64;
        self.gone.extend(&may.go);
        let part = &mut self.world.parts[one.part];
        part.gone = true;
        if !may.carry.is_empty() {
            let mut rest = part.clone();
            (rest.carried, rest.indexes) = (rest.carried + 1, may.carry);
            (rest.busy, rest.gone) = (false, false);
            self.world.parts.push(rest);
        }
        Ok(())
    }

    /// By the true time, which nobody in the archive knows.
    fn is_lawful(&self, one: &Active, may: &model::May) -> Lived<()> {
        let world = &self.world;
        let unit = &world.sealed[world.parts[one.part].of];
        let months = |class: u16| world.months[class as usize];
        let truly = unit
            .records
            .iter()
            .map(|record| calendar::end(record.truly, months(unit.class)));
        let about = unit
            .about
            .map(|about| calendar::end(about.truly, months(about.class)));
        if truly.chain(about).any(|end| world.now < end) {
            return Err("disposed of early by the true time".to_owned());
        }
        if world.now - one.approved < 72 * HOUR {
            return Err("disposed of before 72 hours had truly gone by".to_owned());
        }
        let in_force =
            |hold: &&HoldFacts| !hold.released && hold.end.is_none_or(|end| end > world.now);
        let mut holds = world.holds.iter().filter(in_force);
        if holds.any(|hold| may.go.range(hold.first..=hold.last).next().is_some()) {
            return Err("disposed of under hold".to_owned());
        }
        if may.go.iter().any(|index| self.gone.contains(index)) {
            return Err("disposed of twice".to_owned());
        }
        Ok(())
    }

    fn complete(&mut self, one: &mut Active) -> Lived<()> {
        self.leaf += 1;
        let real = one.real.complete(LeafIndex::new(self.leaf));
        let real = real.map_err(|why| why.to_string())?;
        self.keep(one, real, model::Stage::Completed);
        Ok(())
    }

    /// Keeps a step and reads it back, unless the archive crashes before that. True when it was kept.
    fn keep(&mut self, one: &mut Active, real: Disposal, model: model::Stage) -> bool {
        if self.world.dice.thousandths(120) {
            return false;
        }
        let (unit, stage): (Unit, Stage) = (real.unit().clone(), real.stage().clone());
        let Ok(resumed) = Disposal::resume(unit, stage) else {
            return false;
        };
        (one.real, one.model) = (resumed, model);
        true
    }
}

/// Lives the decades of these seeds on every core; the first that goes wrong, if one does.
fn decades(seeds: std::ops::Range<u64>, planner: Planner) -> Result<Tally, (u64, String)> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    std::thread::scope(|scope| {
        let shares: Vec<_> = (0..cores)
            .map(|core| {
                let seeds = seeds.clone();
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    for seed in seeds.filter(|seed| seed % cores == core) {
                        let lived = Decade::new(seed, planner).live();
                        tally.add(&lived.map_err(|why| (seed, why))?);
                    }
                    Ok(tally)
                })
            })
            .collect();
        let mut all = Tally::default();
        let mut wrong: Vec<(u64, String)> = Vec::new();
        for share in shares {
            match share.join().unwrap() {
                Ok(tally) => all.add(&tally),
                Err(found) => wrong.push(found),
            }
        }
        wrong.into_iter().min().map_or(Ok(all), Err)
    })
}

/// How many seeds: a thousand, or what RETENTION_SEEDS says.
fn seeds() -> u64 {
    let told = std::env::var("RETENTION_SEEDS").ok();
    told.and_then(|told| told.parse().ok()).unwrap_or(1_000)
}

#[test]
fn a_thousand_decades_without_a_disagreement() {
    let seeds = seeds();
    match decades(0..seeds, Planner(None)) {
        Ok(tally) => {
            println!("{seeds} decades: {tally:?}");
            // A simulation in which little happens shows little.
            assert!(tally.units > 100 * seeds, "{tally:?}");
            assert!(
                tally.carried > seeds && tally.late_holds > seeds,
                "{tally:?}"
            );
            assert!(
                tally.refused > 50 * seeds && tally.no_time > 20 * seeds,
                "{tally:?}"
            );
        }
        Err((seed, why)) => panic!("seed {seed}: {why}"),
    }
}

#[test]
fn every_mutant_of_the_planner_is_found_out() {
    let mut survivors = Vec::new();
    for mutant in MUTANTS {
        match (0..400).find_map(|seed| {
            Decade::new(seed, Planner(Some(mutant)))
                .live()
                .err()
                .map(|why| (seed, why))
        }) {
            Some((seed, why)) => {
                let why: String = why.chars().take(120).collect();
                println!("{mutant:?}: seed {seed}: {why}");
            }
            None => survivors.push(mutant),
        }
    }
    assert!(survivors.is_empty(), "not found out: {survivors:?}");
}
