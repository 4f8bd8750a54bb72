//! Times without a zone, as logs have them.
//!
//! # Invariants
//! 1. The zone is the format's. An hour that the clocks show twice, when summer time ends, is taken for the
//!    first of the two, with a finding; one they skip in spring is no instant, with a finding.
//! 2. A missing year is taken from the date of the file alone: the year that brings the day nearest to it.

use super::Finding;
use super::format::{Format, TimePart};
use ceralacca_formats::canonical::Integer;
use chrono::{Datelike as _, LocalResult, NaiveDate, NaiveDateTime, Offset as _, TimeZone as _};

/// The zone of a log's times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Zone {
    /// Legal time in Italy (Europe/Rome).
    Rome,
    /// UTC.
    Utc,
}

/// The day a log file is of, as its name says.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FileDate(NaiveDate);

impl FileDate {
    /// The day so numbered, if there is one, of the years 1970 to 9999.
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        (1970..=9999).contains(&year).then_some(Self(date))
    }

    /// From the name of a file of this format, signed (`.p7m`) or not, without its folder.
    pub fn from_name(format: &Format, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(format.file_prefix)?;
        let (date, rest) = rest.split_at_checked("yyyy-mm-dd".len())?;
        let mut parts = date.split('-');
        let mut part = |digits: usize| number(parts.next()?, digits..=digits);
        let [year, month, day] = [part(4)?, part(2)?, part(2)?];
        let is_of_format = rest.starts_with(format.file_suffix);
        Self::new(i32::try_from(year).ok()?, month, day).filter(|_| is_of_format)
    }

    /// Year, month and day.
    pub fn parts(self) -> (i32, u32, u32) {
        (self.0.year(), self.0.month(), self.0.day())
    }
}

/// A time as written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Written {
    year: Option<u32>,
    month: u32,
    day: u32,
    clock: [u32; 3],
}

impl Written {
    /// The time that stands at the beginning, and what follows it.
    pub(super) fn parse<'a>(format: &Format, text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (mut time, mut rest) = (Self::default(), text);
        for part in format.time {
            let at = rest.trim_ascii_start();
            let end = at.iter().position(u8::is_ascii_whitespace);
            let (word, after) = at.split_at(end.unwrap_or(at.len()));
            let read = time.take(*part, word, format);
            match (read, part) {
                (Some(()), _) => rest = after,
                (None, TimePart::YearIfThere) => {}
                (None, _) => return None,
            }
        }
        Some((time, rest))
    }

    fn take(&mut self, part: TimePart, word: &[u8], format: &Format) -> Option<()> {
        let word = std::str::from_utf8(word).ok()?;
        match part {
            TimePart::MonthName => {
                let known = |(name, _): &&(&str, u32)| name.eq_ignore_ascii_case(word);
                self.month = format.months.iter().find(known)?.1;
            }
            TimePart::Day => self.day = number(word, 1..=2)?,
            TimePart::YearIfThere => self.year = Some(number(word, 4..=4)?),
            TimePart::Clock => {
                let mut parts = word.split(':').map(|part| number(part, 1..=2));
                self.clock = [parts.next()??, parts.next()??, parts.next()??];
                return parts.next().is_none().then_some(());
            }
            TimePart::Compact => {
                number(word, 14..=14)?;
                let of =
                    |from: usize, digits: usize| word.get(from..from + digits)?.parse::<u32>().ok();
                (self.year, self.month, self.day) = (Some(of(0, 4)?), of(4, 2)?, of(6, 2)?);
                self.clock = [of(8, 2)?, of(10, 2)?, of(12, 2)?];
            }
        }
        Some(())
    }

    /// The instant in milliseconds since 1970, and the offset of the zone then, in minutes.
    pub(super) fn resolve(
        &self,
        zone: Zone,
        file: Option<FileDate>,
        findings: &mut Vec<Finding>,
    ) -> Option<(Integer, Integer)> {
        let date = self.date(file, findings)?;
        if file.is_some_and(|file| file.0 != date) {
            findings.push(Finding::OtherDay);
        }
        let [hour, minute, second] = self.clock;
        let Some(local) = date.and_hms_opt(hour, minute, second) else {
            findings.push(Finding::TimeMalformed);
            return None;
        };
        let (ms, offset_s) = match zone {
            Zone::Utc => (local.and_utc().timestamp_millis(), 0),
            Zone::Rome => in_rome(&local, findings)?,
        };
        if ms < 0 {
            findings.push(Finding::TimeMalformed);
        }
        let ms = Integer::try_from(ms)
            .ok()
            .filter(|ms| *ms >= Integer::ZERO)?;
        Some((ms, Integer::from(offset_s / 60)))
    }

    fn date(&self, file: Option<FileDate>, findings: &mut Vec<Finding>) -> Option<NaiveDate> {
        let of = |year: i32| NaiveDate::from_ymd_opt(year, self.month, self.day);
        let date = match (self.year, file) {
            (Some(year), _) => i32::try_from(year).ok().and_then(of),
            (None, Some(FileDate(file))) => {
                findings.push(Finding::YearFromFile);
                let years = file.year() - 1..=file.year() + 1;
                let distance = |date: &NaiveDate| (*date - file).num_days().abs();
                years.filter_map(of).min_by_key(distance)
            }
            (None, None) => {
                findings.push(Finding::YearMissing);
                return None;
            }
        };
        if date.is_none() {
            findings.push(Finding::TimeMalformed);
        }
        date
    }
}

/// Milliseconds since 1970, and the offset in seconds.
fn in_rome(local: &NaiveDateTime, findings: &mut Vec<Finding>) -> Option<(i64, i32)> {
    let time = match chrono_tz::Europe::Rome.from_local_datetime(local) {
        LocalResult::Single(time) => time,
        LocalResult::Ambiguous(first, _) => {
            findings.push(Finding::DoubledHour);
            first
        }
        LocalResult::None => {
            findings.push(Finding::SkippedHour);
            return None;
        }
    };
    Some((
        time.timestamp_millis(),
        time.offset().fix().local_minus_utc(),
    ))
}

/// A number of so many digits.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let all = text.bytes().all(|c| c.is_ascii_digit()) && digits.contains(&text.len());
    // Fourteen digits are only counted here, and may be more than fits.
    all.then(|| text.parse().unwrap_or(u32::MAX))
}
