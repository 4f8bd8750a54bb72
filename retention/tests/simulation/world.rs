//! What happens in ten years, in plain numbers: the true time, clocks that jump, authorities that fail and lie,
//! records, holds. Planner and model are both told this, and nothing else.

use std::collections::BTreeSet;

use crate::calendar::DAY;

/// 2020-01-01T00:00:00Z.
pub const T0: i64 = 1_577_836_800_000;
pub const YEARS_10: i64 = 3_653;
pub const HOUR: i64 = 3_600_000;

/// A generator of numbers (splitmix64): the seed says all that happens.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From zero to just under `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from) as u64) as i64
    }

    /// True so many times in a thousand.
    pub fn thousandths(&mut self, n: u64) -> bool {
        self.below(1_000) < n
    }
}

#[derive(Clone, Debug)]
pub struct Record {
    pub index: u64,
    /// When it truly came; only the judge of the truth looks at it.
    pub truly: i64,
    pub event: i64,
    pub ingest: i64,
}

/// What an act of the archive concerns.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub class: u16,
    pub first: u64,
    pub last: u64,
    pub latest_start: i64,
    pub truly: i64,
}

/// The records of one class in one interval.
#[derive(Clone, Debug)]
pub struct Sealed {
    pub interval: i64,
    pub class: u16,
    pub records: Vec<Record>,
    pub about: Option<About>,
    /// What the token of the closing shows; none until it is sealed.
    pub token: Option<i64>,
}

/// What is left of a unit.
#[derive(Clone, Debug)]
pub struct Part {
    pub of: usize,
    pub carried: u32,
    pub indexes: BTreeSet<u64>,
    pub busy: bool,
    pub gone: bool,
}

#[derive(Clone, Debug)]
pub struct HoldFacts {
    pub id: u64,
    pub first: u64,
    pub last: u64,
    pub end: Option<i64>,
    pub released: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct ClosingFacts {
    pub start: i64,
    pub previous: Option<i64>,
    pub token: i64,
}

#[derive(Clone, Debug)]
pub struct TokenFacts {
    pub authority: &'static str,
    pub gen_time: i64,
    pub accuracy: Option<u64>,
    pub nonce: u8,
    pub embedded: bool,
}

/// One question to the authorities and what they answered.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub nonce: u8,
    pub age: u64,
    pub tokens: Vec<TokenFacts>,
}

pub struct World {
    pub dice: Dice,
    pub now: i64,
    pub wall_off: i64,
    pub monotonic: u64,
    pub months: [u32; 6],
    pub sealed: Vec<Sealed>,
    pub parts: Vec<Part>,
    pub closings: Vec<ClosingFacts>,
    pub holds: Vec<HoldFacts>,
    /// The table of holds was emptied by somebody; the log still counts them.
    pub holds_emptied: bool,
    unsealed: Vec<i64>,
    lies: [i64; 3],
    down: [bool; 3],
    indexes: u64,
    nonce: u8,
}

const AUTHORITIES: [&str; 3] = ["tsa-uno", "tsa-due", "tsa-tre"];

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut months = [30, 30, 60, 30, 30, 120];
        // Most archives keep receipts and their own acts for less than ten years here, so that much is disposed of.
        months[3] = 1 + dice.below(40) as u32;
        months[4] = 1 + dice.below(40) as u32;
        months[5] = 1 + dice.below(60) as u32;
        Self {
            dice,
            now: T0,
            wall_off: 0,
            monotonic: 0,
            months,
            sealed: Vec::new(),
            parts: Vec::new(),
            closings: Vec::new(),
            holds: Vec::new(),
            holds_emptied: false,
            unsealed: Vec::new(),
            lies: [0; 3],
            down: [false; 3],
            indexes: 0,
            nonce: 0,
        }
    }

    pub fn wall(&self) -> i64 {
        self.now + self.wall_off
    }

    /// An hour goes by; rarely the wall clock jumps, further still rarely back to where it should be.
    pub fn hour(&mut self) {
        self.now += HOUR;
        self.monotonic += HOUR as u64;
        if self.dice.below(4_000) == 0 {
            let years = self.dice.between(-10 * 365, 10 * 365);
            self.wall_off = match self.dice.below(3) {
                0 => years * DAY,
                1 => self.dice.between(-3_000, 3_000),
                _ => self.dice.between(-2, 3) * DAY,
            };
        } else if self.wall_off != 0 && self.dice.below(100) == 0 {
            self.wall_off = 0;
        }
    }

    /// What came in the interval that starts at `interval`, a day that is over.
    pub fn ingest(&mut self, interval: i64) {
        self.unsealed.push(interval);
        if !self.dice.thousandths(220) {
            return;
        }
        let first_class = self.dice.below(6) as u16;
        let classes = 1 + self.dice.below(2) as u16;
        let mut units: Vec<Sealed> = (0..classes)
            .map(|more| Sealed {
                interval,
                class: (first_class + more * 2) % 6,
                records: Vec::new(),
                about: None,
                token: None,
            })
            .collect();
        for _ in 0..1 + self.dice.below(8) {
            let truly = interval + self.dice.between(0, DAY);
            let ingest = truly + self.wall_off.clamp(-4_000 * DAY, 4_000 * DAY);
            let event = match self.dice.below(10) {
                0 => 4_070_908_800_000, // 2099
                1 => 631_152_000_000,   // 1990
                2 => truly + self.dice.between(-30, 30) * DAY,
                _ => truly,
            };
            let unit = self.dice.below(u64::from(classes)) as usize;
            units[unit].records.push(Record {
                index: self.indexes,
                truly,
                event,
                ingest,
            });
            self.indexes += 1;
        }
        for mut unit in units {
            if unit.records.is_empty() {
                continue;
            }
            if unit.class == 5 {
                unit.about = self.about();
            }
            self.sealed.push(unit);
        }
    }

    /// Some unit sealed before, which an act of today concerns.
    fn about(&mut self) -> Option<About> {
        let known = self.sealed.len() as u64;
        if known == 0 {
            return None;
        }
        let of = &self.sealed[self.dice.below(known) as usize];
        let token = of.token?;
        let latest = of.records.iter().map(|one| one.ingest.max(token)).max()?;
        Some(About {
            class: of.class,
            first: of.records.first()?.index,
            last: of.records.last()?.index,
            latest_start: latest,
            truly: of.records.iter().map(|one| one.truly).max()?,
        })
    }

    /// Authorities begin and cease to fail and to lie.
    pub fn authorities(&mut self) {
        for at in 0..3 {
            self.down[at] = if self.down[at] {
                !self.dice.thousandths(150)
            } else {
                self.dice.thousandths(6)
            };
            if self.lies[at] != 0 {
                if self.dice.thousandths(80) {
                    self.lies[at] = 0;
                }
            } else if self.dice.thousandths(4) {
                self.lies[at] = match self.dice.below(4) {
                    0 => self.dice.between(-400, 400) * DAY,
                    1 => 3_652 * DAY,
                    2 => self.dice.between(-20, 20) * HOUR,
                    _ => -self.dice.between(1, 30) * DAY,
                };
            }
        }
    }

    /// Seals what waits, in order, when some authority answers with a time that is not before the end. A token far in
    /// the future is seldom accepted.
    pub fn seal(&mut self) -> Option<i64> {
        let mut last = None;
        for interval in std::mem::take(&mut self.unsealed) {
            let end = interval + DAY;
            let accepted = (0..3)
                .filter(|at| !self.down[*at])
                .map(|at| self.now + self.lies[at] - 1_000)
                .find(|token| *token >= end);
            let late = self.unsealed.is_empty();
            match accepted {
                Some(token) if late => {
                    if token > self.now + 2 * DAY && !self.dice.thousandths(4) {
                        self.unsealed.push(interval);
                        continue;
                    }
                    let previous = self.closings.last().map(|closing| closing.start);
                    self.closings.push(ClosingFacts {
                        start: interval,
                        previous,
                        token,
                    });
                    last = Some(token);
                    self.sealed_at(interval, token);
                }
                _ => self.unsealed.push(interval),
            }
        }
        last
    }

    fn sealed_at(&mut self, interval: i64, token: i64) {
        let of_interval = self.sealed.iter_mut().enumerate().rev();
        let waiting = of_interval.take_while(|(_, unit)| unit.interval >= interval);
        let mut found = Vec::new();
        for (of, unit) in waiting {
            if unit.interval == interval {
                unit.token = Some(token);
                let indexes = unit.records.iter().map(|record| record.index).collect();
                found.push((of, indexes));
            }
        }
        for (of, indexes) in found.into_iter().rev() {
            self.parts.push(Part {
                of,
                carried: 0,
                indexes,
                busy: false,
                gone: false,
            });
        }
    }

    /// Asks every authority what time it is. Some do not answer, some answer another question, one is embedded and one
    /// may have two names.
    pub fn ask(&mut self) -> Asked {
        self.nonce = self.nonce.wrapping_add(1);
        let mut tokens = Vec::new();
        for (at, authority) in AUTHORITIES.into_iter().enumerate() {
            if self.down[at] {
                continue;
            }
            let replayed = self.dice.thousandths(30);
            let accuracy = match self.dice.below(4) {
                0 => None,
                1 => Some(60_000),
                _ => Some(1_000),
            };
            let gen_time = self.now + self.lies[at] - if replayed { 30 * DAY } else { 0 };
            tokens.push(TokenFacts {
                authority,
                gen_time,
                accuracy,
                nonce: self.nonce.wrapping_sub(u8::from(replayed)),
                embedded: false,
            });
        }
        if self.dice.thousandths(50) {
            tokens.truncate(1);
            let again = tokens.first().cloned();
            tokens.extend(again.map(|token| TokenFacts {
                authority: match token.authority {
                    "tsa-uno" => " TSA-Uno",
                    "tsa-due" => "TSA-due ",
                    _ => "TSA-TRE",
                },
                gen_time: token.gen_time + 1,
                ..token
            }));
        }
        if self.dice.thousandths(300) {
            tokens.push(TokenFacts {
                authority: "embedded",
                gen_time: self.wall(),
                accuracy: Some(1_000),
                nonce: self.nonce,
                embedded: true,
            });
        }
        let age = if self.dice.thousandths(20) {
            4_000_000
        } else {
            1_000
        };
        Asked {
            nonce: self.nonce,
            age,
            tokens,
        }
    }

    pub fn leaves(&self) -> u64 {
        self.indexes
    }
}
