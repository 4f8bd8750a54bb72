//! A term in months: from the start of a record's keeping to the first instant of its lawful disposal.
//!
//! ```text
//! start    max(event capped at ingest, ingest, time proven at the closing), as a day in Italy; of a record of a
//!          migrated interval, max(event capped at ingest, old time-stamp) where that was verified
//! nominal  same day number, so many months later; the last day of the month if there is none
//! last     nominal, or the first day after it that is not a holiday
//! end      midnight in Italy after the last day
//! ```
//!
//! # Invariants
//! 1. Months are counted by the calendar (art. 2963(1), (4), (5) c.c.; art. 155(2) c.p.c.), never as a
//!    number of days: thirty months are 911 to 915 of them.
//! 2. The day of the start is not counted and the last day is kept whole (art. 2963(2) c.c.).
//! 3. A last day that is a holiday gives way to the next day that is not (art. 2963(3) c.c.). No text
//!    says whether this binds a duty to keep; extending never deletes early.
//! 4. A later start never has an earlier end.
//! 5. Without a verified old time-stamp, or with one later than ingest, a migrated record starts as any other.

use std::fmt;

use crate::calendar;
use crate::civil::CivilDate;
use crate::time::{ProvenTime, StampedTime, TimeError, UtcMillis};

/// A length of time in calendar months, at least one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Term(u16);

impl Term {
    /// How long the log of messages is kept: *trenta mesi*, DPR 68/2005 art. 11(2); infected messages
    /// likewise, art. 12(1) and (2). Law, not a setting.
    pub const THIRTY_MONTHS: Self = Self(30);
    /// How long the log of the provider of the Ministry of Justice is kept: five years, DM 44/2011
    /// art. 4(3).
    pub const FIVE_YEARS: Self = Self(60);
    /// How long the acts of the archive itself are kept unless configured: ten years, as commercial
    /// records are (art. 2220 c.c.).
    pub const TEN_YEARS: Self = Self(120);

    /// A term of `months`.
    ///
    /// # Errors
    /// [`TermError::NoMonths`] when it is zero.
    pub const fn of_months(months: u16) -> Result<Self, TermError> {
        if months == 0 {
            Err(TermError::NoMonths)
        } else {
            Ok(Self(months))
        }
    }

    /// Its length in calendar months, at least one.
    pub const fn months(self) -> u16 {
        self.0
    }

    /// Counts the term from `start`.
    ///
    /// # Errors
    /// [`TermError::Start`] when the start is outside the calendar, [`TermError::EndBeyondCalendar`] when
    /// the end is.
    pub fn reckon(self, start: Start) -> Result<Reckoning, TermError> {
        let start = CivilDate::in_rome(start.instant())?;
        let beyond = TermError::EndBeyondCalendar { start, term: self };
        let nominal = start.plus_months(self.0).ok_or(beyond)?;
        let last = calendar::first_working_day_from(nominal).ok_or(beyond)?;
        let lawful_from = last.next().ok_or(beyond)?.begins_at();
        Ok(Reckoning {
            start,
            nominal,
            last,
            lawful_from,
        })
    }
}

/// As in `30 months`.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.0 == 1 { "month" } else { "months" };
        write!(f, "{} {unit}", self.0)
    }
}

/// The instant whose day is excluded and from which a term runs.
///
/// The law does not fix it: the event, the last event of the transaction, the saved file (DM 2 November
/// 2005 art. 10). The latest of all readings is taken.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Start(UtcMillis);

impl Start {
    /// The later of event, ingest, and the time proven at the closing of the interval.
    ///
    /// The event time is the sender's word and may lie in any century, so it is capped at ingest: with
    /// ingest beside it, it can move the start neither forward nor back.
    pub fn new(event: UtcMillis, ingest: UtcMillis, closing: ProvenTime) -> Self {
        let event = event.min(ingest);
        Self(event.max(ingest).max(closing.instant()))
    }

    /// The start of a record of a migrated interval: kept elsewhere before, under a time-stamp that was verified when
    /// it came here. `others` is what its start would be without migration.
    ///
    /// The log data of a day are kept thirty months from that day whoever keeps them, and the old time-stamp proves
    /// that the day was over when it was made. An event after it is the later of the two; an old time-stamp that
    /// would start the term after `others` moves nothing.
    pub fn migrated(
        event: UtcMillis,
        stamped: Option<StampedTime>,
        ingest: UtcMillis,
        others: Self,
    ) -> Self {
        let Some(stamped) = stamped else {
            return others;
        };
        let event = event.min(ingest);
        Self(event.max(stamped.instant())).min(others)
    }

    /// The instant.
    pub const fn instant(self) -> UtcMillis {
        self.0
    }
}

/// A term counted out: every step, so that a certificate can show how the end was found.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Reckoning {
    start: CivilDate,
    nominal: CivilDate,
    last: CivilDate,
    lawful_from: UtcMillis,
}

impl Reckoning {
    /// The day of the start, in Italy; not counted.
    pub const fn start(self) -> CivilDate {
        self.start
    }

    /// The last day by the calendar alone.
    pub const fn nominal(self) -> CivilDate {
        self.nominal
    }

    /// The last day of keeping; later than the nominal one where that is a holiday.
    pub const fn last(self) -> CivilDate {
        self.last
    }

    /// The first instant at which disposal is lawful.
    pub const fn lawful_from(self) -> UtcMillis {
        self.lawful_from
    }

    /// True when a holiday moved the last day.
    pub fn is_extended(self) -> bool {
        self.last != self.nominal
    }
}

/// Why a term cannot be made or counted. The caller's value is wrong; retrying is useless.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TermError {
    /// A term of no months keeps nothing.
    #[error("a term has at least one month")]
    NoMonths,
    /// The start is not a day of the calendar.
    #[error("start of the term")]
    Start(#[from] TimeError),
    /// The end is not a day of the calendar.
    #[error("{term} from {start} end after the year {}", CivilDate::LAST_YEAR)]
    EndBeyondCalendar {
        /// The day of the start.
        start: CivilDate,
        /// The term counted from it.
        term: Term,
    },
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
