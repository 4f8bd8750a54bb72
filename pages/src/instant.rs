//! Instants: RFC 3339 in JSON, civil time in Rome on paper.

use ceralacca_formats::id::UtcMillis;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Europe::Rome;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant, in milliseconds since 1970, on a scale without leap seconds. In JSON: RFC 3339, UTC, milliseconds.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Instant(i64);

impl Instant {
    /// So many milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds after 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    pub(crate) fn utc(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0)
    }

    /// Date and time in Rome with its distance from UTC.
    pub(crate) fn rome_both(self) -> String {
        self.rome("%d/%m/%Y %H:%M:%S (%:z)")
    }

    /// `2026-03-12T09:04:05.123Z`.
    pub fn rfc3339(self) -> String {
        let text = |utc: DateTime<Utc>| utc.to_rfc3339_opts(SecondsFormat::Millis, true);
        self.utc().map_or_else(|| format!("{} ms", self.0), text)
    }

    fn rome(self, format: &str) -> String {
        let text = |utc: DateTime<Utc>| utc.with_timezone(&Rome).format(format).to_string();
        self.utc().map_or_else(|| format!("{} ms", self.0), text)
    }
}

impl TryFrom<UtcMillis> for Instant {
    type Error = std::num::TryFromIntError;

    fn try_from(at: UtcMillis) -> Result<Self, Self::Error> {
        i64::try_from(at.get()).map(Self)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|at| Self(at.timestamp_millis()))
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_by_the_clock_of_rome_with_its_offset() {
        let winter = Instant::from_millis(1_769_000_000_000);
        assert_eq!(winter.rome_both(), "21/01/2026 13:53:20 (+01:00)");
        let summer = Instant::from_millis(1_784_000_000_000);
        assert_eq!(summer.rome_both(), "14/07/2026 05:33:20 (+02:00)");
    }

    #[test]
    fn the_hour_that_comes_twice_is_told_apart_by_its_offset() {
        // 25 October 2026: 02:30 comes at 00:30 and at 01:30 UTC.
        let first = Instant::from_millis(1_792_888_200_000);
        let second = Instant::from_millis(1_792_891_800_000);
        assert_eq!(first.rome_both(), "25/10/2026 02:30:00 (+02:00)");
        assert_eq!(second.rome_both(), "25/10/2026 02:30:00 (+01:00)");
    }

    #[test]
    fn json_keeps_the_millisecond() {
        let at = Instant::from_millis(1_769_000_000_123);
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(json, "\"2026-01-21T12:53:20.123Z\"");
        assert_eq!(serde_json::from_str::<Instant>(&json).unwrap(), at);
    }
}
