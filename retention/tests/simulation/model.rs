//! The rule written a second time, simple and slow, over sets of numbers: what the planner must say.

use std::collections::BTreeSet;

use crate::calendar::{DAY, end};
use crate::world::{Asked, HOUR, Sealed, World};

/// The software clock, a second time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    pub reading: i64,
    pub run: u64,
    pub step: Option<i64>,
    monotonic: u64,
    wall: i64,
    behind: bool,
}

impl Clock {
    pub fn first(monotonic: u64, wall: i64, token: i64) -> Self {
        Self {
            reading: if wall < token { wall } else { token },
            run: 0,
            step: None,
            monotonic,
            wall,
            behind: false,
        }
    }

    pub fn again(self, monotonic: u64, wall: i64) -> Self {
        Self {
            monotonic,
            wall,
            behind: true,
            ..self
        }
    }

    pub fn tick(&mut self, monotonic: u64, wall: i64) {
        let by_monotonic = (monotonic - self.monotonic) as i64;
        let by_wall = wall - self.wall;
        let mut advance = by_wall;
        if by_monotonic < advance {
            advance = by_monotonic;
        }
        if advance > HOUR {
            advance = HOUR;
        }
        if advance > 0 {
            self.reading += advance;
            self.run += advance as u64;
        }
        if by_wall - by_monotonic > 2_000 || by_monotonic - by_wall > 2_000 {
            self.step = Some(by_wall - by_monotonic);
        }
        (self.monotonic, self.wall) = (monotonic, wall);
    }

    pub fn verified(&mut self, token: i64, wall: i64) {
        if (wall - token).abs() <= 300_000 {
            self.step = None;
        }
        if self.behind {
            let to = if wall < token { wall } else { token };
            if to > self.reading {
                self.reading = to;
            }
            self.behind = false;
        }
    }
}

/// The time proven for records of the interval `since` and later ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Time {
    pub proven: i64,
    pub authorities: i64,
    pub since: i64,
    pub run: u64,
}

pub fn time(world: &World, asked: &Asked, clock: &Clock, since: i64) -> Option<Time> {
    if asked.age > HOUR as u64 || clock.step.is_some() {
        return None;
    }
    let mut names = BTreeSet::new();
    let mut bounds = Vec::new();
    let mut times = Vec::new();
    for name in ["tsa-uno", "tsa-due", "tsa-tre"] {
        let of_name = asked.tokens.iter().filter(|token| {
            token.authority.trim().eq_ignore_ascii_case(name)
                && token.nonce == asked.nonce
                && !token.embedded
        });
        // Of one authority the earliest counts, and of that one also the time.
        let bound = |token: &&crate::world::TokenFacts| {
            token.gen_time - token.accuracy.unwrap_or(60_000) as i64
        };
        if let Some(token) = of_name.min_by_key(bound) {
            names.insert(name);
            bounds.push(bound(&token));
            times.push(token.gen_time);
        }
    }
    if names.len() < 2 || times.iter().max()? - times.iter().min()? > DAY {
        return None;
    }
    let from = world
        .closings
        .partition_point(|closing| closing.start < since);
    let closings = &world.closings[from..];
    let latest = closings.iter().map(|closing| closing.token).max()?;
    if times.iter().any(|time| *time < latest - 300_000) {
        return None;
    }
    let lived = closings.first()?.start + closings.len() as i64 * DAY;
    let authorities = *bounds.iter().min()?;
    let mut proven = authorities;
    for other in [lived, clock.reading] {
        if other < proven {
            proven = other;
        }
    }
    Some(Time {
        proven,
        authorities,
        since,
        run: clock.run,
    })
}

/// What may go of a unit, and what is to be carried over.
#[derive(Clone, Debug, PartialEq)]
pub struct May {
    pub since: i64,
    pub go: BTreeSet<u64>,
    pub carry: BTreeSet<u64>,
}

/// When the term of a unit ends, that of what it concerns included.
pub fn ends(world: &World, unit: &Sealed) -> Option<i64> {
    let token = unit.token?;
    let months = |class: u16| world.months[class as usize];
    let own = unit.records.iter().map(|record| {
        let event = if record.event < record.ingest {
            record.event
        } else {
            record.ingest
        };
        let mut start = event;
        for other in [record.ingest, token] {
            if other > start {
                start = other;
            }
        }
        end(start, months(unit.class))
    });
    let about = unit
        .about
        .map(|about| end(about.latest_start, months(about.class)));
    own.chain(about).max()
}

pub fn may(world: &World, part: usize, time: &Time) -> Option<May> {
    let part = &world.parts[part];
    let unit = &world.sealed[part.of];
    let since = ends(world, unit)?;
    if unit.interval < time.since || time.proven < since {
        return None;
    }
    let mut held = BTreeSet::new();
    for hold in &world.holds {
        if hold.released || hold.end.is_some_and(|end| time.proven >= end) {
            continue;
        }
        if let Some(about) = unit.about
            && (hold.first..=hold.last).any(|index| (about.first..=about.last).contains(&index))
        {
            return None;
        }
        held.extend(hold.first..=hold.last);
    }
    let (carry, go): (BTreeSet<u64>, BTreeSet<u64>) =
        part.indexes.iter().partition(|index| held.contains(index));
    (!go.is_empty()).then_some(May { since, go, carry })
}

/// How far a disposal has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    Planned,
    Intended,
    Once(Approved),
    Grace {
        by: [Approved; 2],
        run: u64,
        reading: i64,
    },
    Executed,
    Completed,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Approved {
    pub name: &'static str,
    pub leaf: u64,
    pub intent: u8,
}

pub fn same(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

/// The stage after an approval, or none when it is refused.
pub fn approve(stage: &Stage, approved: &Approved, intent: u8, clock: &Clock) -> Option<Stage> {
    if approved.intent != intent {
        return None;
    }
    match stage {
        Stage::Intended => Some(Stage::Once(approved.clone())),
        Stage::Once(first) if !same(first.name, approved.name) && first.leaf != approved.leaf => {
            Some(Stage::Grace {
                by: [first.clone(), approved.clone()],
                run: clock.run,
                reading: clock.reading,
            })
        }
        _ => None,
    }
}

/// What execution disposes of, or none when it is refused.
pub fn execute(
    world: &World,
    part: usize,
    stage: &Stage,
    record: &[Approved],
    time: &Time,
) -> Option<May> {
    let Stage::Grace { by, run, reading } = stage else {
        return None;
    };
    let known = by.iter().all(|one| record.contains(one));
    let ran = time.run >= run + 72 * HOUR as u64;
    let shown = time.authorities >= reading + 72 * HOUR;
    if world.holds_emptied || !known || !ran || !shown {
        return None;
    }
    may(world, part, time)
}
