//! How things are shown to people: times, text from outside, progress.

use ceralacca_formats::id::UtcMillis;
use chrono::{DateTime, SecondsFormat};
use chrono_tz::Europe::Rome;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;

/// An instant as ISO 8601 in UTC; one beyond the calendar as its milliseconds.
pub fn utc(instant: UtcMillis) -> String {
    let date = i64::try_from(instant.get())
        .ok()
        .and_then(DateTime::from_timestamp_millis);
    match date {
        Some(date) => date.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => format!("{instant} ms after 1970"),
    }
}

/// An instant, milliseconds since 1970, as clocks in Italy show it, to the second and with the offset from UTC;
/// one beyond the calendar as its milliseconds.
pub fn rome(instant_ms: i64) -> String {
    match DateTime::from_timestamp_millis(instant_ms) {
        Some(date) => {
            let date = date.with_timezone(&Rome);
            date.format("%Y-%m-%d %H:%M:%S %:z").to_string()
        }
        None => format!("{instant_ms} ms after 1970"),
    }
}

/// An instant of RFC 3339, in milliseconds since 1970.
pub fn instant(text: &str) -> Option<i64> {
    let date = DateTime::parse_from_rfc3339(text).ok()?;
    Some(date.timestamp_millis())
}

/// JSON on one line, fit for a terminal: what [`printable`] escapes is escaped as JSON does.
pub fn json(value: &serde_json::Value) -> String {
    let text = value.to_string();
    let mut shown = String::with_capacity(text.len());
    // Outside strings JSON has none of these.
    for c in text.chars() {
        if c.is_control() || turns(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Text from outside, fit for a terminal: what would move its cursor or turn its letters is escaped.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Line separators and the marks that change the direction of writing.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A bar on standard error; nothing where that is not a terminal.
pub fn progress(length: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what);
    // The template is a constant; should it be refused, the plain bar does.
    let style = ProgressStyle::with_template("  {msg} {wide_bar} {percent:>3} %  {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Standard error during long work: a bar of bytes where it is a terminal, and lines of complaint.
#[derive(Clone)]
pub struct Voice(ProgressBar);

impl Voice {
    /// Begins a bar of so many bytes.
    pub fn new(what: &'static str, bytes: u64) -> Self {
        let bar = ProgressBar::new(bytes).with_message(what);
        let style = ProgressStyle::with_template(
            "  {msg} {wide_bar} {bytes} of {total_bytes}  {bytes_per_sec}  {eta}",
        );
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// So many bytes more.
    pub fn count(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// A line of its own.
    pub fn say(&self, line: &str) {
        self.0.suspend(|| {
            // With standard error closed the counts still say it.
            let _ = writeln!(std::io::stderr(), "{}", printable(line));
        });
    }

    /// The count goes away.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_to_the_millisecond_and_never_fail() {
        let shown = |ms| utc(UtcMillis::new(ms));
        assert_eq!(shown(1_763_700_000_007), "2025-11-21T04:40:00.007Z");
        assert_eq!(shown(u64::MAX), format!("{} ms after 1970", u64::MAX));
    }

    #[test]
    fn text_from_outside_moves_no_cursor() {
        assert_eq!(printable("perché \"sì\" 漢"), "perché \"sì\" 漢");
        assert_eq!(
            printable("a\u{1b}[2J\nb\u{9b}\u{202e}"),
            "a\\u{1b}[2J\\u{a}b\\u{9b}\\u{202e}"
        );
    }

    #[test]
    fn italian_time_follows_summer_and_says_its_offset() {
        assert_eq!(rome(1_763_700_000_007), "2025-11-21 05:40:00 +01:00");
        assert_eq!(rome(1_750_000_000_000), "2025-06-15 17:06:40 +02:00");
        assert_eq!(rome(i64::MAX), format!("{} ms after 1970", i64::MAX));
        assert_eq!(
            instant("2025-11-21T05:40:00+01:00"),
            Some(1_763_700_000_000)
        );
        assert_eq!(instant("2025-11-21"), None);
    }

    #[test]
    fn json_moves_no_cursor_either_and_says_the_same() {
        let value = serde_json::json!({ "a": "\u{1b}[2J\u{9b}\u{202e}\u{7f}è" });
        let shown = json(&value);
        assert_eq!(shown, "{\"a\":\"\\u001b[2J\\u009b\\u202e\\u007fè\"}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }
}
