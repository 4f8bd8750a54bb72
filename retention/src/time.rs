//! Instants, and the only "now" that disposal may know.
//!
//! # Invariants
//! 1. A [`UtcMillis`] is any instant, also a nonsensical one: event times come from outside. It becomes
//!    a day only through [`crate::CivilDate::in_rome`], which refuses what lies outside the calendar.
//! 2. A [`ProvenTime`] is never later than the true time, so what it shows to be past is past.
//! 3. A [`StampedTime`] is never earlier than the time a time-stamp was made, so no term that starts with it starts
//!    early.

use std::fmt;

use chrono::{DateTime, SecondsFormat};

/// An instant: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UtcMillis(i64);

impl UtcMillis {
    /// Any number of milliseconds is an instant; whether it is a plausible one is asked later.
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

/// RFC 3339 in UTC, with milliseconds; the bare number where no date can be written for it.
impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_millis(self.0) {
            Some(utc) => f.write_str(&utc.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

/// A lower bound of now, shown by verified RFC 3161 time-stamps (*marche temporali*): the true time
/// is this or later. A wall clock proves nothing and has no way in.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ProvenTime(UtcMillis);

impl ProvenTime {
    /// What a verified token shows: its `genTime` less its `accuracy`.
    ///
    /// That the token was verified, is fresh, and agrees with another authority's is the caller's promise.
    ///
    /// # Errors
    /// [`TimeError::AccuracyTooLarge`] when the difference is not an instant.
    pub fn from_token(gen_time: UtcMillis, accuracy_ms: u64) -> Result<Self, TimeError> {
        let proven = gen_time.0.checked_sub_unsigned(accuracy_ms);
        proven
            .map(|millis| Self(UtcMillis(millis)))
            .ok_or(TimeError::AccuracyTooLarge {
                gen_time,
                accuracy_ms,
            })
    }

    /// What the software clock shows, which lags behind the true time or keeps up with it.
    pub(crate) const fn by_clock(reading: UtcMillis) -> Self {
        Self(reading)
    }

    /// The instant known to be past.
    pub const fn instant(self) -> UtcMillis {
        self.0
    }

    /// The earlier of the two: still a lower bound of now, whatever `instant` is.
    #[must_use]
    pub fn no_later_than(self, instant: UtcMillis) -> Self {
        Self(self.0.min(instant))
    }

    /// True when `instant` is past beyond doubt. False says nothing: it may be past all the same.
    pub fn is_past(self, instant: UtcMillis) -> bool {
        self.0 >= instant
    }
}

/// An upper bound of when a verified old time-stamp was made. A term may start with it; it proves nothing of now.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StampedTime(UtcMillis);

impl StampedTime {
    /// What is taken for an accuracy that a token does not state, in milliseconds. Unstated is not zero (RFC 3161
    /// section 2.4.2); EN 319 421 allows a second, and a minute leaves no doubt.
    pub const UNSTATED_ACCURACY_MS: u64 = 60_000;

    /// What a verified token shows: its `genTime` and its `accuracy`. A lower bound of now is `genTime` less the
    /// accuracy ([`ProvenTime::from_token`]); where a term starts, the other side is the one that keeps longer.
    ///
    /// # Errors
    /// [`TimeError::AccuracyTooLarge`] when the sum is not an instant.
    pub fn from_token(gen_time: UtcMillis, accuracy_ms: Option<u64>) -> Result<Self, TimeError> {
        let accuracy_ms = accuracy_ms.unwrap_or(Self::UNSTATED_ACCURACY_MS);
        let latest = gen_time.0.checked_add_unsigned(accuracy_ms);
        latest
            .map(|millis| Self(UtcMillis(millis)))
            .ok_or(TimeError::AccuracyTooLarge {
                gen_time,
                accuracy_ms,
            })
    }

    /// The instant by which the time-stamp was made.
    pub const fn instant(self) -> UtcMillis {
        self.0
    }
}

/// Why an instant or a date cannot be reckoned with. The caller's fact is wrong; retrying is useless.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TimeError {
    /// The instant lies outside the years of the calendar: seconds or microseconds taken for
    /// milliseconds are the usual cause.
    #[error("instant {instant} is outside the years {first} to {last}")]
    InstantOutsideCalendar {
        /// The instant found.
        instant: UtcMillis,
        /// First year of the calendar.
        first: i32,
        /// Last year of the calendar.
        last: i32,
    },
    /// No such day, or a day outside the years of the calendar.
    #[error("{year}-{month}-{day} is not a day of the years {first} to {last}")]
    NotADay {
        /// The year found.
        year: i32,
        /// The month found.
        month: u32,
        /// The day of the month found.
        day: u32,
        /// First year of the calendar.
        first: i32,
        /// Last year of the calendar.
        last: i32,
    },
    /// A token's accuracy reaches back before the first instant that can be written.
    #[error("accuracy of {accuracy_ms} ms is too large for a token of {gen_time}")]
    AccuracyTooLarge {
        /// The token's `genTime`.
        gen_time: UtcMillis,
        /// The token's `accuracy`.
        accuracy_ms: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proven_time_is_the_token_time_less_its_accuracy() {
        let proven = ProvenTime::from_token(UtcMillis::new(10_000), 1_000).unwrap();
        assert_eq!(proven.instant(), UtcMillis::new(9_000));
        assert!(proven.is_past(UtcMillis::new(9_000)));
        assert!(!proven.is_past(UtcMillis::new(9_001)));
    }

    #[test]
    fn an_accuracy_that_overflows_is_an_error() {
        let gen_time = UtcMillis::new(i64::MIN + 5);
        assert_eq!(
            ProvenTime::from_token(gen_time, 6),
            Err(TimeError::AccuracyTooLarge {
                gen_time,
                accuracy_ms: 6
            })
        );
        assert!(ProvenTime::from_token(UtcMillis::new(0), u64::MAX).is_err());
    }

    #[test]
    fn an_instant_is_written_in_utc_and_an_unwritable_one_as_its_number() {
        assert_eq!(
            UtcMillis::new(1_763_700_000_000).to_string(),
            "2025-11-21T04:40:00.000Z"
        );
        assert_eq!(
            UtcMillis::new(i64::MAX).to_string(),
            "9223372036854775807 ms"
        );
    }
}
