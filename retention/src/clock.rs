//! The software clock of disposal: a lower bound of now that is kept on disk and is never set.
//!
//! ```text
//! tick      reading += min(monotonic delta, wall delta), an hour at most; never decreases
//! restart   downtime counts for nothing, until the first verified token after it: then the reading
//!           becomes min(wall, token) where that is later
//! ```
//!
//! As the compliance clocks of WORM storage: a jump forward is bounded, time without power puts disposal off.
//!
//! # Invariants
//! 1. The reading never decreases, and a wall clock alone never moves it.
//! 2. [`SoftClock::run_ms`] grows by ticks alone: between two of its values at least so much true time went by.
//! 3. A step of the wall clock is remembered, across restarts too, until a verified token agrees with the wall.
//!
//! # Crash
//! What was ticked after the last [`SoftClock::kept`] was written is lost: the clock is then later, never earlier.
//!
//! # Not here
//! Clocks: both are read by the caller, the monotonic one counting suspended time too (`CLOCK_BOOTTIME`).

use crate::time::{ProvenTime, UtcMillis};

/// What is kept on disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeptClock {
    /// The reading.
    pub reading: UtcMillis,
    /// How long the archive has run, in milliseconds.
    pub run_ms: u64,
    /// A step of the wall clock not yet explained, in milliseconds; forward is positive.
    pub step_ms: Option<i64>,
}

/// The clock of a running archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SoftClock {
    kept: KeptClock,
    monotonic_ms: u64,
    wall: UtcMillis,
    /// No token was verified since the start.
    behind: bool,
}

/// What a tick came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ticked {
    /// By how much the clock went on, in milliseconds.
    pub advanced_ms: u64,
    /// A step of the wall clock, in milliseconds, to be recorded as a clock event (leaf of kind 10).
    pub step_ms: Option<i64>,
}

impl SoftClock {
    /// The most that a tick counts for, in milliseconds: an hour. Ticks come every few seconds; one that comes much
    /// later is a machine that slept or was tampered with.
    pub const TICK_MAX_MS: u64 = 3_600_000;
    /// From which difference between the two clocks the wall is said to have stepped, in milliseconds.
    pub const STEP_MS: i64 = 2_000;
    /// How near a verified token the wall must be for a step to be forgotten, in milliseconds: five minutes.
    pub const SETTLED_MS: i64 = 300_000;

    /// The clock of a new log: the earlier of the wall and the first verified token. Done once in the life of a log.
    pub fn initialise(monotonic_ms: u64, wall: UtcMillis, token: ProvenTime) -> Self {
        Self {
            kept: KeptClock {
                reading: wall.min(token.instant()),
                run_ms: 0,
                step_ms: None,
            },
            monotonic_ms,
            wall,
            behind: false,
        }
    }

    /// The clock after a start: as it was kept. The monotonic clock may have begun anew.
    pub const fn restart(kept: KeptClock, monotonic_ms: u64, wall: UtcMillis) -> Self {
        Self {
            kept,
            monotonic_ms,
            wall,
            behind: true,
        }
    }

    /// Goes on to what both clocks show now.
    pub fn tick(&mut self, monotonic_ms: u64, wall: UtcMillis) -> Ticked {
        let monotonic_delta = monotonic_ms.saturating_sub(self.monotonic_ms);
        let wall_delta = wall.as_millis().saturating_sub(self.wall.as_millis());
        self.monotonic_ms = monotonic_ms.max(self.monotonic_ms);
        self.wall = wall;
        let advanced_ms = u64::try_from(wall_delta)
            .unwrap_or(0)
            .min(monotonic_delta)
            .min(Self::TICK_MAX_MS);
        let reading = self.kept.reading.as_millis();
        self.kept.reading = UtcMillis::new(reading.saturating_add_unsigned(advanced_ms));
        self.kept.run_ms = self.kept.run_ms.saturating_add(advanced_ms);

        let step = wall_delta.saturating_sub_unsigned(monotonic_delta);
        let step_ms = (step.saturating_abs() > Self::STEP_MS).then_some(step);
        self.kept.step_ms = step_ms.or(self.kept.step_ms);
        Ticked {
            advanced_ms,
            step_ms,
        }
    }

    /// Learns of a verified, fresh token, the wall clock showing `wall`: makes up for downtime, once after a start,
    /// and forgets a step when the wall is near the token.
    pub fn verified(&mut self, token: ProvenTime, wall: UtcMillis) {
        let off = wall
            .as_millis()
            .saturating_sub(token.instant().as_millis())
            .saturating_abs();
        if off <= Self::SETTLED_MS {
            self.kept.step_ms = None;
        }
        if std::mem::take(&mut self.behind) {
            let caught_up = wall.min(token.instant());
            self.kept.reading = self.kept.reading.max(caught_up);
        }
    }

    /// The instant that it has reached.
    pub const fn reading(&self) -> UtcMillis {
        self.kept.reading
    }

    /// The same as a lower bound of now: good for an alarm. Disposal wants more than one witness.
    pub const fn proven(&self) -> ProvenTime {
        ProvenTime::by_clock(self.kept.reading)
    }

    /// How long the archive has run, in milliseconds, over all its starts.
    pub const fn run_ms(&self) -> u64 {
        self.kept.run_ms
    }

    /// A step of the wall clock that no token has explained yet, in milliseconds.
    pub const fn step_ms(&self) -> Option<i64> {
        self.kept.step_ms
    }

    /// What is to be kept on disk.
    pub const fn kept(&self) -> KeptClock {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;
    const TEN_YEARS: i64 = 315_576_000_000;

    fn at(millis: i64) -> UtcMillis {
        UtcMillis::new(millis)
    }

    fn token(millis: i64) -> ProvenTime {
        ProvenTime::from_token(at(millis), 0).unwrap()
    }

    fn clock() -> SoftClock {
        SoftClock::initialise(0, at(1_000_000), token(1_000_000))
    }

    #[test]
    fn a_tick_goes_on_by_the_lesser_of_both_clocks() {
        let mut clock = clock();
        assert_eq!(clock.tick(1_000, at(1_000_900)).advanced_ms, 900);
        assert_eq!(clock.tick(2_000, at(1_002_400)).advanced_ms, 1_000);
        assert_eq!(clock.reading(), at(1_001_900));
        assert_eq!((clock.run_ms(), clock.step_ms()), (1_900, None));
    }

    #[test]
    fn a_wall_clock_ten_years_ahead_moves_nothing_but_is_remembered() {
        let mut clock = clock();
        let ticked = clock.tick(1_000, at(1_001_000 + TEN_YEARS));
        assert_eq!(
            (ticked.advanced_ms, ticked.step_ms),
            (1_000, Some(TEN_YEARS))
        );
        assert_eq!(clock.reading(), at(1_001_000));
        let mut again = SoftClock::restart(clock.kept(), 0, at(1_002_000 + TEN_YEARS));
        assert_eq!(again.reading(), at(1_001_000));
        assert_eq!(again.step_ms(), Some(TEN_YEARS));
        // A token of the true time does not settle a wall ten years ahead; the wall put right is settled.
        again.verified(token(1_002_000), at(1_002_000 + TEN_YEARS));
        assert_eq!(
            (again.reading(), again.step_ms()),
            (at(1_002_000), Some(TEN_YEARS))
        );
        again.verified(token(1_002_000), at(1_002_500));
        assert_eq!(again.step_ms(), None);
    }

    #[test]
    fn a_wall_clock_that_goes_back_stops_the_clock_and_never_turns_it() {
        let mut clock = clock();
        let ticked = clock.tick(10_000, at(0));
        assert_eq!((ticked.advanced_ms, ticked.step_ms), (0, Some(-1_010_000)));
        assert_eq!(clock.reading(), at(1_000_000));
    }

    #[test]
    fn downtime_is_made_up_for_once_and_only_by_a_token() {
        let mut clock = SoftClock::restart(clock().kept(), 5, at(1_000_000 + 90 * MINUTE));
        assert_eq!(clock.reading(), at(1_000_000));
        clock.verified(token(1_000_000 + 60 * MINUTE), at(1_000_000 + 90 * MINUTE));
        assert_eq!(clock.reading(), at(1_000_000 + 60 * MINUTE));
        clock.verified(token(1_000_000 + 80 * MINUTE), at(1_000_000 + 90 * MINUTE));
        assert_eq!(clock.reading(), at(1_000_000 + 60 * MINUTE));
        assert_eq!(clock.run_ms(), 0);
    }

    #[test]
    fn a_token_of_the_future_makes_up_for_no_more_than_the_wall_shows() {
        let mut clock = SoftClock::restart(clock().kept(), 5, at(1_000_000 + MINUTE));
        clock.verified(token(1_000_000 + TEN_YEARS), at(1_000_000 + MINUTE));
        assert_eq!(clock.reading(), at(1_000_000 + MINUTE));
    }

    #[test]
    fn both_clocks_ten_years_ahead_count_for_an_hour() {
        let mut clock = clock();
        let ticked = clock.tick(TEN_YEARS as u64, at(1_000_000 + TEN_YEARS));
        assert_eq!(ticked.advanced_ms, SoftClock::TICK_MAX_MS);
    }

    proptest! {
        #[test]
        fn the_reading_never_decreases_and_never_outruns_the_monotonic_clock(
            steps in prop::collection::vec((0u64..7_200_000, any::<i64>()), 1..50),
        ) {
            let mut clock = clock();
            let mut monotonic = 0;
            for (delta, wall) in steps {
                let before = clock.reading();
                monotonic += delta;
                let ticked = clock.tick(monotonic, at(wall));
                prop_assert!(clock.reading() >= before);
                prop_assert!(ticked.advanced_ms <= delta);
                prop_assert!(clock.run_ms() <= monotonic);
            }
        }
    }
}
