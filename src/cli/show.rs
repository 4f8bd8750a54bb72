//! How things are shown to people: times, text from outside, progress.

use ceralacca_formats::id::UtcMillis;
use chrono::{DateTime, SecondsFormat};
use indicatif::{ProgressBar, ProgressStyle};

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
}
