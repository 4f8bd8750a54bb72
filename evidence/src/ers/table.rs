//! How long algorithms are trusted: a versioned table, handed in as a value.
//!
//! ```text
//! algorithm        bits          accepted until   source
//! SHA-256          any           no end known     ETSI TS 119 312 V2.1.1
//! RSA-PSS          1900 … 2999   2029-01-01       …
//! ```
//! An end is the first day, UTC, on which the algorithm is not accepted. What is not in the table is not accepted at
//! all. Where several rows speak of one thing, the earliest end counts.

use super::RecordError;
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::judge::Scheme;
use ceralacca_pec::tsp::SignedWith;
use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a row of the table speaks of.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// A hash.
    Hash(DigestAlgorithm),
    /// A signature scheme, with the length of the key in bits.
    Signature(Scheme, usize),
}

impl Subject {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hash(algorithm) => algorithm.name(),
            Self::Signature(Scheme::RsaPkcs1, _) => "RSA PKCS#1 v1.5",
            Self::Signature(Scheme::RsaPss, _) => "RSA-PSS",
            Self::Signature(Scheme::Ecdsa, _) => "ECDSA",
        }
    }

    /// All that a signature rests on. Nothing new is made with what [`Table::check`] refuses now.
    pub fn of(signed: &SignedWith) -> [Self; 2] {
        let algorithm = signed.algorithm;
        let scheme = Self::Signature(algorithm.scheme, signed.key_bits);
        [scheme, Self::Hash(algorithm.digest)]
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(_) => f.write_str(self.name()),
            Self::Signature(_, bits) => write!(f, "{} {bits} bit", self.name()),
        }
    }
}

/// A row, as it stands in a file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Name of the algorithm.
    pub algorithm: String,
    /// The shortest key it speaks of, in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_from: Option<usize>,
    /// The shortest key above those it speaks of, in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_below: Option<usize>,
    /// The first day, UTC, on which it is not accepted; none where no end is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<NaiveDate>,
    /// Who says so.
    pub source: String,
    /// When the row was entered.
    pub entered: NaiveDate,
}

impl Row {
    fn speaks_of(&self, subject: Subject) -> bool {
        let fits = match subject {
            Subject::Hash(_) => true,
            Subject::Signature(_, bits) => {
                self.bits_from.is_none_or(|from| bits >= from)
                    && self.bits_below.is_none_or(|below| bits < below)
            }
        };
        fits && self.algorithm == subject.name()
    }

    fn end(&self) -> Option<UtcMillis> {
        let midnight = self.end?.and_time(NaiveTime::MIN).and_utc();
        Some(UtcMillis::new(
            u64::try_from(midnight.timestamp_millis()).unwrap_or(0),
        ))
    }
}

/// The table. A change of it is a change of configuration: a leaf of the log says so.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Rises with every change.
    pub version: u32,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Table {
    /// What is known: ETSI TS 119 312 V2.1.1 (2026-06) and V1.5.1 (2024-10), the earlier end where they differ.
    pub fn built_in() -> Self {
        const V1: &str = "ETSI TS 119 312 V1.5.1";
        const V2: &str = "ETSI TS 119 312 V2.1.1";
        let entered = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap_or_default();
        let row = |algorithm: &str, bits: (Option<usize>, Option<usize>), end, source: &str| Row {
            algorithm: algorithm.to_owned(),
            bits_from: bits.0,
            bits_below: bits.1,
            end: Option::and_then(end, |(y, m, d)| NaiveDate::from_ymd_opt(y, m, d)),
            source: source.to_owned(),
            entered,
        };
        let any = (None, None);
        let rows = vec![
            row("SHA-1", any, Some((2012, 8, 1)), V1),
            row("SHA-224", any, Some((2029, 1, 1)), V2),
            row("SHA-256", any, None, V2),
            row("SHA-384", any, None, V2),
            row("SHA-512", any, None, V2),
            row(
                "RSA PKCS#1 v1.5",
                (Some(1900), None),
                Some((2029, 1, 1)),
                V1,
            ),
            row("RSA-PSS", (Some(1900), Some(3000)), Some((2029, 1, 1)), V1),
            row("RSA-PSS", (Some(3000), None), None, V2),
            row("ECDSA", (Some(256), None), None, V2),
        ];
        Self { version: 1, rows }
    }

    /// The first instant at which it is not accepted; `None` where no end is known.
    pub fn end(&self, subject: Subject) -> Result<Option<UtcMillis>, RecordError> {
        let mut rows = self
            .rows
            .iter()
            .filter(|row| row.speaks_of(subject))
            .peekable();
        match rows.peek() {
            None => Err(RecordError::Unlisted(subject)),
            Some(_) => Ok(rows.filter_map(Row::end).min()),
        }
    }

    /// Refuses what is not accepted at an instant.
    pub fn check(&self, subject: Subject, at: UtcMillis) -> Result<(), RecordError> {
        match self.end(subject)? {
            Some(end) if at >= end => Err(RecordError::AlgorithmEnded { subject, end, at }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(subject: Subject) -> Result<Option<u64>, RecordError> {
        let end = Table::built_in().end(subject)?;
        Ok(end.map(UtcMillis::get))
    }

    #[test]
    fn the_earliest_end_counts_and_what_is_not_listed_is_refused() {
        let new_year_2029 = Some(1_861_920_000_000);
        assert_eq!(end(Subject::Hash(DigestAlgorithm::Sha256)), Ok(None));
        assert_eq!(
            end(Subject::Hash(DigestAlgorithm::Sha1)),
            Ok(Some(1_343_779_200_000))
        );
        assert_eq!(
            end(Subject::Signature(Scheme::RsaPss, 2048)),
            Ok(new_year_2029)
        );
        assert_eq!(end(Subject::Signature(Scheme::RsaPss, 3000)), Ok(None));
        assert_eq!(
            end(Subject::Signature(Scheme::RsaPkcs1, 4096)),
            Ok(new_year_2029)
        );
        assert_eq!(end(Subject::Signature(Scheme::Ecdsa, 256)), Ok(None));
        for unlisted in [
            Subject::Signature(Scheme::Ecdsa, 0),
            Subject::Signature(Scheme::RsaPss, 1024),
        ] {
            assert_eq!(end(unlisted), Err(RecordError::Unlisted(unlisted)));
        }
        let mut table = Table::built_in();
        let mut earlier = table.rows[2].clone();
        earlier.end = NaiveDate::from_ymd_opt(2040, 1, 1);
        table.rows.push(earlier);
        let sha256 = Subject::Hash(DigestAlgorithm::Sha256);
        let end = table.end(sha256).unwrap().unwrap();
        let before = UtcMillis::new(end.get() - 1);
        assert_eq!(table.check(sha256, before), Ok(()));
        let refused = RecordError::AlgorithmEnded {
            subject: sha256,
            end,
            at: end,
        };
        assert_eq!(table.check(sha256, end), Err(refused));
    }

    #[test]
    fn a_table_comes_from_a_file_and_unknown_members_are_refused() {
        let text = serde_json::to_string(&Table::built_in()).unwrap();
        assert_eq!(
            serde_json::from_str::<Table>(&text).unwrap(),
            Table::built_in()
        );
        assert!(text.contains("\"end\":\"2029-01-01\""), "{text}");
        assert!(serde_json::from_str::<Table>(&text.replace("\"end\"", "\"fine\"")).is_err());
        assert!(serde_json::from_str::<Table>(&text.replace("2029-01-01", "2029-13-01")).is_err());
    }
}
