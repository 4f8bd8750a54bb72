//! The software clock of a log: ticked by the service, kept in the store, and taught by verified tokens.
//!
//! # Invariants
//! 1. What is kept is what was ticked: a crash loses the last seconds, which puts disposal off.
//! 2. A step of the wall clock that suspends disposal is a leaf (kind 10); those that suspend cuts too are recorded by
//!    the writer.

use super::{DisposalError, Disposer, from_instant, instant, lock};
use crate::sequencer::STEP_MS_MAX;
use crate::store::cf::state::{ClockRow, State, StateKey, StateRow};
use crate::store::{Batch, Rows, StoreError};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::CustodyRecord;
use ceralacca_retention::{KeptClock, ProvenTime, SoftClock};

/// How far the writer's sight of a step may be from this one's, in milliseconds.
const DRIFT_MS: u64 = 2_000;

impl Disposer {
    /// The clock as it was kept; none before the first authority that counts was heard.
    pub(super) fn kept_clock(&self) -> Result<Option<SoftClock>, StoreError> {
        let row = self.reader.store().read::<State>(&StateKey::Clock)?;
        let Some(StateRow::Clock(row)) = row else {
            return Ok(None);
        };
        let kept = KeptClock {
            reading: instant(row.reading),
            run_ms: row.run_ms,
            step_ms: row.step_ms,
        };
        let (monotone, wall) = self.now();
        Ok(Some(SoftClock::restart(kept, monotone, wall)))
    }

    fn now(&self) -> (u64, ceralacca_retention::UtcMillis) {
        let monotone = self.clock.monotone().as_millis();
        let monotone = u64::try_from(monotone).unwrap_or(u64::MAX);
        (monotone, instant(self.clock.wall()))
    }

    /// Goes on to what both clocks show now: every few seconds. A step is recorded.
    pub fn tick(&self) -> Result<(), DisposalError> {
        let (monotone, wall) = self.now();
        let mut soft = lock(&self.soft);
        let Some(clock) = soft.as_mut() else {
            return Ok(());
        };
        let ticked = clock.tick(monotone, wall);
        let kept = clock.kept();
        drop(soft);
        self.keep(kept)?;
        let Some(step_ms) = ticked.step_ms else {
            return Ok(());
        };
        // A larger one the writer saw, which looks every second.
        if step_ms.unsigned_abs() <= STEP_MS_MAX.saturating_add(DRIFT_MS) {
            let step_ms = Integer::try_from(step_ms).unwrap_or(Integer::ZERO);
            let act = CustodyRecord::ClockStep { step_ms };
            self.sequencer.act(Kind::ClockEvent, act)?;
        }
        Ok(())
    }

    /// Learns of a verified, fresh token.
    pub(super) fn learn(&self, token: ProvenTime) -> Result<(), DisposalError> {
        self.tick()?;
        let (monotone, wall) = self.now();
        let mut soft = lock(&self.soft);
        let clock = match soft.as_mut() {
            Some(clock) => {
                clock.verified(token, wall);
                *clock
            }
            None => *soft.insert(SoftClock::initialise(monotone, wall, token)),
        };
        drop(soft);
        self.keep(clock.kept())?;
        Ok(())
    }

    fn keep(&self, kept: KeptClock) -> Result<(), StoreError> {
        let row = StateRow::Clock(ClockRow {
            reading: from_instant(kept.reading),
            run_ms: kept.run_ms,
            step_ms: kept.step_ms,
        });
        let mut batch = Batch::new();
        batch.put::<State>(&row.key(), &row);
        self.reader.store().commit(&batch)
    }

    /// The software clock; none before the first authority that counts was heard.
    pub fn soft_clock(&self) -> Option<SoftClock> {
        *lock(&self.soft)
    }
}
