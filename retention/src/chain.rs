//! The chain of sealed intervals: time that the log itself has lived through.
//!
//! ```text
//! interval   start ├── at most 24 h ──┤ end ... token (at end or later)
//! chain      first.start + the sum of all spans  <=  the true time
//! ```
//!
//! Each sealed interval counts for what it spans, a day at most, and what lies between two intervals counts for
//! nothing. So a clock moved ten years forward adds one day, and an outage puts disposal off by its length.
//!
//! # Invariants
//! 1. Each closing names the one before: a chain with a closing taken out or put in is an error.
//! 2. Intervals do not overlap, and none spans more than 24 hours (DM 2 November 2005 art. 10).
//! 3. The token of a closing shows that its interval was over, but for [`Chain::TOLERANCE_MS`].
//! 4. [`Chain::proven_through`] is never after the end of the last interval.
//!
//! # Not here
//! That the closings are leaves of the log and their tokens verify: the caller read and checked them.

use crate::time::{ProvenTime, UtcMillis};

/// One sealed interval.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Closing {
    /// Its start, which names it.
    pub start: UtcMillis,
    /// The first instant after it.
    pub end: UtcMillis,
    /// The start of the interval sealed before it; none for the first of the log.
    pub previous: Option<UtcMillis>,
    /// What the token of the closing shows.
    pub token: ProvenTime,
}

/// Sealed intervals in a row, summed up: as small after ten years as after a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Chain {
    first: UtcMillis,
    last: Closing,
    sealed: u64,
    spanned_ms: i64,
    longest_gap_ms: i64,
    latest_token: ProvenTime,
}

impl Chain {
    /// The longest interval, in milliseconds: 24 hours.
    pub const SPAN_MAX_MS: i64 = 86_400_000;
    /// How much earlier than the end of its interval the token of a closing may be, in milliseconds: five minutes,
    /// the step of a clock from which cuts are suspended.
    pub const TOLERANCE_MS: i64 = 300_000;

    /// A chain of one.
    ///
    /// # Errors
    /// When the closing is no interval, or its token does not show that it was over.
    pub fn begin(closing: Closing) -> Result<Self, ChainError> {
        let spanned_ms = span(&closing)?;
        Ok(Self {
            first: closing.start,
            last: closing,
            sealed: 1,
            spanned_ms,
            longest_gap_ms: 0,
            latest_token: closing.token,
        })
    }

    /// The chain with the next closing.
    ///
    /// # Errors
    /// As [`Chain::begin`]; [`ChainError::Unlinked`] and [`ChainError::Overlap`] when it does not follow the last.
    pub fn then(self, closing: Closing) -> Result<Self, ChainError> {
        let span_ms = span(&closing)?;
        let (last, start) = (self.last.start, closing.start);
        if closing.previous != Some(last) {
            return Err(ChainError::Unlinked {
                start,
                last,
                named: closing.previous,
            });
        }
        let gap_ms = millis_between(self.last.end, start);
        if gap_ms < 0 {
            return Err(ChainError::Overlap {
                start,
                end: self.last.end,
            });
        }
        Ok(Self {
            first: self.first,
            last: closing,
            sealed: self.sealed.saturating_add(1),
            spanned_ms: self.spanned_ms.saturating_add(span_ms),
            longest_gap_ms: self.longest_gap_ms.max(gap_ms),
            latest_token: self.latest_token.max(closing.token),
        })
    }

    /// The start of its first interval.
    pub const fn first(&self) -> UtcMillis {
        self.first
    }

    /// The last of its closings.
    pub const fn last(&self) -> &Closing {
        &self.last
    }

    /// How many intervals it has.
    pub const fn sealed(&self) -> u64 {
        self.sealed
    }

    /// The longest time between two intervals that no interval covers, in milliseconds.
    pub const fn longest_gap_ms(&self) -> i64 {
        self.longest_gap_ms
    }

    /// The latest time that a token in it shows.
    pub const fn latest_token(&self) -> ProvenTime {
        self.latest_token
    }

    /// The instant that the chain has lived through: its first start and the sum of its spans.
    pub const fn proven_through(&self) -> UtcMillis {
        UtcMillis::new(self.first.as_millis().saturating_add(self.spanned_ms))
    }
}

fn span(closing: &Closing) -> Result<i64, ChainError> {
    let (start, end) = (closing.start, closing.end);
    let span_ms = millis_between(start, end);
    if !(1..=Chain::SPAN_MAX_MS).contains(&span_ms) {
        return Err(ChainError::Span { start, end });
    }
    let token = closing.token;
    if millis_between(token.instant(), end) > Chain::TOLERANCE_MS {
        return Err(ChainError::NotOver { start, end, token });
    }
    Ok(span_ms)
}

/// From `from` to `to`; negative when `to` is earlier.
fn millis_between(from: UtcMillis, to: UtcMillis) -> i64 {
    to.as_millis().saturating_sub(from.as_millis())
}

/// Why closings make no chain. The log is damaged or was forged: nothing may be disposed of, and it is an alarm.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// An interval that ends before it starts, or spans more than 24 hours.
    #[error("interval from {start} to {end} is not one of at most 24 hours")]
    Span {
        /// Its start.
        start: UtcMillis,
        /// Its end.
        end: UtcMillis,
    },
    /// The token of the closing is earlier than the end of the interval.
    #[error("interval from {start} to {end} was closed before it was over: its token shows {}", token.instant())]
    NotOver {
        /// Its start.
        start: UtcMillis,
        /// Its end.
        end: UtcMillis,
        /// What the token shows.
        token: ProvenTime,
    },
    /// A closing is missing, or one was put in.
    #[error("interval from {start} does not follow the one from {last}")]
    Unlinked {
        /// The start of the interval that does not follow.
        start: UtcMillis,
        /// The start of the one before it.
        last: UtcMillis,
        /// The one that it names as the one before.
        named: Option<UtcMillis>,
    },
    /// Two intervals cover one instant.
    #[error("interval from {start} begins before the one that ends at {end} is over")]
    Overlap {
        /// The start of the later one.
        start: UtcMillis,
        /// The end of the earlier one.
        end: UtcMillis,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn closing(day: i64, previous: Option<i64>) -> Closing {
        let at = |day| UtcMillis::new(day * DAY);
        Closing {
            start: at(day),
            end: at(day + 1),
            previous: previous.map(at),
            token: ProvenTime::from_token(at(day + 1), 1_000).unwrap(),
        }
    }

    fn chain(days: &[i64]) -> Chain {
        let mut chain = Chain::begin(closing(days[0], None)).unwrap();
        for pair in days.windows(2) {
            chain = chain.then(closing(pair[1], Some(pair[0]))).unwrap();
        }
        chain
    }

    #[test]
    fn a_chain_without_gaps_has_lived_through_to_the_end_of_its_last_interval() {
        let days: Vec<i64> = (100..1_000).collect();
        let chain = chain(&days);
        assert_eq!(chain.proven_through().as_millis(), 1_000 * DAY);
        assert_eq!((chain.sealed(), chain.longest_gap_ms()), (900, 0));
    }

    #[test]
    fn a_gap_counts_for_nothing_and_an_interval_ten_years_ahead_for_a_day() {
        let chain = chain(&[100, 101, 102, 3_752]);
        assert_eq!(chain.proven_through().as_millis(), 104 * DAY);
        assert_eq!(chain.longest_gap_ms(), 3_649 * DAY);
    }

    #[test]
    fn a_closing_taken_out_or_put_in_is_an_error() {
        let two = chain(&[100, 101]);
        for previous in [None, Some(100), Some(102)] {
            let error = two.then(closing(103, previous)).unwrap_err();
            assert!(matches!(error, ChainError::Unlinked { .. }), "{error}");
        }
        assert!(two.then(closing(103, Some(101))).is_ok());
    }

    #[test]
    fn intervals_that_overlap_or_run_backwards_are_an_error() {
        let two = chain(&[100, 101]);
        for day in [101, 100, 5] {
            let error = two.then(closing(day, Some(101))).unwrap_err();
            assert!(matches!(error, ChainError::Overlap { .. }), "{error}");
        }
    }

    #[test]
    fn an_interval_of_more_than_a_day_or_of_no_time_is_an_error() {
        let day = closing(100, None);
        for end in [DAY * 101 + 1, DAY * 100, 0] {
            let end = UtcMillis::new(end);
            let error = Chain::begin(Closing { end, ..day }).unwrap_err();
            assert!(matches!(error, ChainError::Span { .. }), "{error}");
        }
    }

    #[test]
    fn an_interval_closed_before_its_token_shows_its_end_is_an_error() {
        let day = closing(100, None);
        let token = |before_end| {
            let instant = UtcMillis::new(DAY * 101 - before_end);
            ProvenTime::from_token(instant, 0).unwrap()
        };
        let with = |token| Chain::begin(Closing { token, ..day });
        assert!(with(token(Chain::TOLERANCE_MS)).is_ok());
        let error = with(token(Chain::TOLERANCE_MS + 1)).unwrap_err();
        assert!(matches!(error, ChainError::NotOver { .. }), "{error}");
    }

    #[test]
    fn extreme_instants_do_not_panic() {
        let extreme = |start, end| {
            Chain::begin(Closing {
                start: UtcMillis::new(start),
                end: UtcMillis::new(end),
                ..closing(1, None)
            })
        };
        assert!(extreme(i64::MIN, i64::MAX).is_err());
        assert!(extreme(i64::MAX, i64::MIN).is_err());
    }
}
