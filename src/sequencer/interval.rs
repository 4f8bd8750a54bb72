//! When intervals are cut.
//!
//! # Invariants
//! 1. At most 24 hours (DM 2 November 2005 art. 10), cut at fixed UTC instants: the period divides the day.
//! 2. Starts strictly increase; each interval begins where the one before ended, in time and in index.

use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize, UtcMillis};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Why a schedule is refused. The operator's to correct.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// The law says at most 24 hours.
    #[error("interval of {0} ms is over 24 hours, the most DM 2 November 2005 art. 10 allows")]
    TooLong(u64),
    /// Cuts fall on the same instants every day only if the period divides it.
    #[error("interval of {0} ms does not divide 24 hours")]
    Uneven(u64),
    /// The offset is within the period.
    #[error("cut offset of {offset} ms is not below the interval of {period} ms")]
    Offset {
        /// The offset.
        offset: u64,
        /// The period.
        period: u64,
    },
}

/// Every how long, and at which instants, intervals are cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    period_ms: u64,
    offset_ms: u64,
}

impl Default for Schedule {
    /// 24 hours, at 00:00 UTC.
    fn default() -> Self {
        Self {
            period_ms: DAY_MS,
            offset_ms: 0,
        }
    }
}

impl Schedule {
    /// Intervals of `period_ms`, cut at `offset_ms` after midnight UTC and every period from there.
    pub fn new(period_ms: u64, offset_ms: u64) -> Result<Self, ScheduleError> {
        if period_ms > DAY_MS {
            return Err(ScheduleError::TooLong(period_ms));
        }
        if period_ms == 0 || !DAY_MS.is_multiple_of(period_ms) {
            return Err(ScheduleError::Uneven(period_ms));
        }
        if offset_ms >= period_ms {
            return Err(ScheduleError::Offset {
                offset: offset_ms,
                period: period_ms,
            });
        }
        Ok(Self {
            period_ms,
            offset_ms,
        })
    }

    /// The interval that holds an instant.
    pub fn holding(&self, instant: UtcMillis) -> IntervalId {
        let since = instant.get().saturating_sub(self.offset_ms);
        IntervalId::new(since / self.period_ms * self.period_ms + self.offset_ms)
    }

    /// When an interval that starts at `start` ends: the next instant of the schedule. After a change of
    /// schedule the first interval is shorter, never longer.
    pub fn end_of(&self, start: IntervalId) -> UtcMillis {
        UtcMillis::new(self.holding(start.start()).get() + self.period_ms)
    }
}

/// An interval and the leaves in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// The interval.
    pub id: IntervalId,
    /// When it is to be cut.
    pub end: UtcMillis,
    /// Index of its first leaf, which may not come.
    pub first: LeafIndex,
    /// Size of the tree when it was cut; `None` while it is open.
    pub cut: Option<TreeSize>,
    /// The leaf that closed it; `None` until its package is complete.
    pub closed: Option<LeafIndex>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_longer_than_the_law_allows_is_refused_by_its_article() {
        let found = Schedule::new(DAY_MS + 1, 0);
        assert_eq!(found, Err(ScheduleError::TooLong(DAY_MS + 1)));
        assert!(found.unwrap_err().to_string().contains("art. 10"));
        assert_eq!(
            Schedule::new(7 * 3_600_000, 0),
            Err(ScheduleError::Uneven(7 * 3_600_000))
        );
        assert_eq!(Schedule::new(0, 0), Err(ScheduleError::Uneven(0)));
        assert!(Schedule::new(3_600_000, 3_600_000).is_err());
    }

    #[test]
    fn intervals_tile_time_even_when_the_schedule_changes() {
        let day = Schedule::default();
        let hour = Schedule::new(3_600_000, 600_000).unwrap();
        let now = UtcMillis::new(1_763_700_000_000);
        let start = day.holding(now);
        assert_eq!(start.get() % DAY_MS, 0);
        assert_eq!(day.end_of(start).get(), start.get() + DAY_MS);
        let mut at = IntervalId::new(day.end_of(start).get());
        for _ in 0..50 {
            let end = hour.end_of(at);
            assert!(end.get() > at.get() && end.get() - at.get() <= 3_600_000);
            at = IntervalId::new(end.get());
        }
        assert_eq!(at.get() % 3_600_000, 600_000);
    }
}
