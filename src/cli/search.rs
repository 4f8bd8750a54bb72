//! `search`: the trace of a log; of the time asked of, what was disposed of, with its certificates.

use super::gone::Gone;
use super::v1::{self, record::Facts};
use super::{Answer, proven, remote, show};
use anyhow::{Result, ensure};
use ceralacca_formats::id::UtcMillis;
use ceralacca_retention::CivilDate;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `search` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Identificativo of the transaction
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    identificativo: String,
    /// Message-ID of the original message
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    msgid: String,
    /// A receipt's or object's own Message-ID
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    message_id: String,
    /// Sender of the original
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "",
        hide_default_value = true
    )]
    sender: String,
    /// Recipient of the original
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "",
        hide_default_value = true
    )]
    recipient: String,
    /// Type of event, exact: accettazione, avvenuta-consegna, ...
    #[arg(
        long,
        value_name = "TYPE",
        default_value = "",
        hide_default_value = true
    )]
    event: String,
    /// A level or a finding of objects' signatures and form (docs/findings.md): gives objects
    #[arg(
        long,
        value_name = "CODE",
        default_value = "",
        hide_default_value = true
    )]
    finding: String,
    /// Event not before this time
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    from: Option<Time>,
    /// Event before this time; of a date, until the end of its day
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    until: Option<Time>,
    /// Recorded not before this time
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    recorded_from: Option<Time>,
    /// Recorded before this time; of a date, until the end of its day
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    recorded_until: Option<Time>,
    /// Oldest first; otherwise newest first
    #[arg(long)]
    oldest_first: bool,
    /// The most records
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Writes the certificates of what was disposed of of the time asked of into this folder
    #[arg(long, value_name = "FOLDER")]
    certificates: Option<PathBuf>,
    /// Go on from a token of the same search
    #[arg(
        long,
        value_name = "TOKEN",
        default_value = "",
        hide_default_value = true
    )]
    page_token: String,
    /// Answer as JSON Lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
TIME is an instant (RFC 3339: 2026-01-12T09:05:03+01:00) or a date (2026-01-12), a day in Italy.
Ids match with or without angle brackets, addresses without case. Every page is recorded as a
disclosure. Finding nothing is status 0.

With --json each line is a record: index, kind, class, times, companion, leaf, opening, digests
(hexadecimal), and metadata as the JSON it is. The last line has next_page_token and
previous_page_token, null where there is no such page, and disposed: what of the time asked of is
gone (interval_ms, class, carried, certificate: CMS in base64, or null).";

/// The largest page the service gives.
const PAGE_RECORDS_MAX: u32 = 1000;

/// A time as it is given: an instant, or a day in Italy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Time {
    Instant(i64),
    Day(CivilDate),
}

impl Time {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(instant) = show::instant(text) {
            return Ok(Self::Instant(instant));
        }
        let wrong = "neither an instant (RFC 3339) nor a date (YYYY-MM-DD, from 1986)";
        let day = day(text).ok_or(wrong)?;
        day.next().ok_or(wrong)?;
        Ok(Self::Day(day))
    }

    /// Where a span from it begins, in milliseconds since 1970.
    pub(super) fn begins(self) -> i64 {
        match self {
            Self::Instant(instant) => instant,
            Self::Day(day) => day.begins_at().as_millis(),
        }
    }

    /// Where a span until it ends: a day belongs to it.
    pub(super) fn ends(self) -> i64 {
        match self {
            Self::Instant(instant) => instant,
            Self::Day(day) => day.next().unwrap_or(day).begins_at().as_millis(),
        }
    }
}

/// `YYYY-MM-DD`.
fn day(text: &str) -> Option<CivilDate> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|c| c.is_ascii_digit());
        plain.then(|| part.parse::<u32>().ok())?
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() {
        return None;
    }
    CivilDate::new(i32::try_from(year).ok()?, month, day).ok()
}

impl Arguments {
    fn request(&self) -> Result<v1::SearchRequest> {
        let recorded = |instant: i64| u64::try_from(instant).unwrap_or(0);
        let order = match self.oldest_first {
            true => v1::Order::Ascending,
            false => v1::Order::Descending,
        };
        let spans = [
            (self.from, self.until),
            (self.recorded_from, self.recorded_until),
        ];
        for (from, until) in spans {
            let backward = from.zip(until);
            let backward = backward.is_some_and(|(from, until)| from.begins() >= until.ends());
            ensure!(!backward, "the span of time ends before it begins");
        }
        Ok(v1::SearchRequest {
            log: String::new(),
            identificativo: self.identificativo.clone(),
            msgid: self.msgid.clone(),
            message_id: self.message_id.clone(),
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            event: self.event.clone(),
            event_from_ms: self.from.map(Time::begins),
            event_until_ms: self.until.map(Time::ends),
            recorded_from_ms: self.recorded_from.map(|time| recorded(time.begins())),
            recorded_until_ms: self.recorded_until.map(|time| recorded(time.ends())),
            order: order.into(),
            page_size: 0,
            page_token: self.page_token.clone(),
            finding: self.finding.clone(),
        })
    }
}

/// Searches and shows page after page, so that a long answer needs no memory.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let mut request = arguments.request()?;
    let mut out = std::io::stdout().lock();
    remote::run(async {
        let remote = arguments.remote.connect().await?;
        let mut left = arguments.limit;
        let mut previous = None;
        let mut gone = None;
        loop {
            request.page_size = left.min(PAGE_RECORDS_MAX);
            let page = remote.search(request.clone()).await?;
            for record in &page.records {
                if arguments.json {
                    let proven = proven::record(record)?;
                    writeln!(out, "{}", show::json(&proven::to_json(record, &proven)))?;
                } else {
                    proven::record(record)?;
                    if left == arguments.limit {
                        writeln!(out, "{HEAD}")?;
                    }
                    tell(record, &mut out)?;
                }
                left = left.saturating_sub(1);
            }
            if gone.is_none() {
                gone = Some(Gone::of(page.disposed, page.certificates)?);
            }
            // The page before the first one shown: where the limit took many, they are one page here.
            previous.get_or_insert(page.previous_page_token);
            if left == 0 || page.next_page_token.is_empty() {
                let found = arguments.limit.saturating_sub(left);
                let previous = previous.unwrap_or_default();
                let gone = gone.unwrap_or_default();
                if let Some(folder) = &arguments.certificates {
                    gone.write(folder)?;
                }
                let tokens = (page.next_page_token.as_str(), previous.as_str());
                return end(arguments.json, found, tokens, &gone, &mut out);
            }
            request.page_token = page.next_page_token;
        }
    })?;
    Ok(Answer::Yes)
}

fn end(
    is_json: bool,
    found: u32,
    (next, previous): (&str, &str),
    gone: &Gone,
    out: &mut impl Write,
) -> Result<()> {
    if is_json {
        let token = |token: &str| (!token.is_empty()).then(|| token.to_owned());
        let last = json!({
            "next_page_token": token(next),
            "previous_page_token": token(previous),
            "disposed": gone.json(),
        });
        writeln!(out, "{}", show::json(&last))?;
        return Ok(());
    }
    match found {
        0 => writeln!(out, "Nothing found.")?,
        1 => writeln!(out, "\n1 record.")?,
        found => writeln!(out, "\n{found} records.")?,
    }
    gone.tell("--certificates FOLDER writes its certificate", out)?;
    for (token, what) in [(next, "Next page"), (previous, "Previous page")] {
        if !token.is_empty() {
            writeln!(out, "{what}: --page-token {}", show::printable(token))?;
        }
    }
    Ok(())
}

const HEAD: &str =
    "     index  event time (Italy)          event                          object at";

/// A record in some lines of at most a hundred columns, unless an id or address is longer.
fn tell(record: &v1::Record, out: &mut impl Write) -> Result<()> {
    let none = "-".to_owned();
    let object = proven::object_of(record).map_or(none.clone(), |index| index.to_string());
    let recorded = || {
        let time = show::utc(UtcMillis::new(record.time_ms));
        format!("recorded {time}")
    };
    let index = record.index;
    match &record.facts {
        Some(Facts::Trace(trace)) => {
            let time = trace.event_ms.map_or(none, show::rome);
            let event = show::printable(&trace.event);
            writeln!(out, "{index:>10}  {time:<26}  {event:<30} {object}")?;
            let parties = match trace.recipients.as_slice() {
                [] => String::new(),
                [only] => format!(" → {}", only.address),
                [first, rest @ ..] => format!(" → {} (+{})", first.address, rest.len()),
            };
            line(&trace.identificativo, out)?;
            line(&format!("{}{parties}", trace.sender), out)
        }
        Some(Facts::Object(facts)) => {
            let what = match (facts.unclassified.as_str(), facts.signature.as_str()) {
                ("", "") => "object".to_owned(),
                ("", signature) => format!("object, {signature}"),
                (reason, _) => format!("object, unclassified: {reason}"),
            };
            let what = show::printable(&what);
            writeln!(out, "{index:>10}  {none:<26}  {what:<30} {object}")?;
            line(&facts.message_id, out)?;
            line(&recorded(), out)
        }
        None => {
            let what = "not interpreted";
            writeln!(out, "{index:>10}  {none:<26}  {what:<30} {object}")?;
            line(&recorded(), out)
        }
    }
}

fn line(text: &str, out: &mut impl Write) -> Result<()> {
    if !text.is_empty() {
        writeln!(out, "{:>10}  {}", "", show::printable(text))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_whole_day_in_italy_and_an_instant_is_itself() {
        let day = Time::parse("2025-11-21").unwrap();
        assert_eq!(show::rome(day.begins()), "2025-11-21 00:00:00 +01:00");
        assert_eq!(show::rome(day.ends()), "2025-11-22 00:00:00 +01:00");
        let longest = Time::parse("2025-10-26").unwrap();
        assert_eq!(longest.ends() - longest.begins(), 25 * 3_600_000);
        let instant = Time::parse("2025-11-21T05:40:00+01:00").unwrap();
        assert_eq!(instant, Time::Instant(1_763_700_000_000));
        assert_eq!(instant.begins(), instant.ends());
        for wrong in [
            "",
            "ieri",
            "2025-2-1",
            "2025-02-30",
            "2025-02-01-01",
            "1985-12-31",
            "9999-12-31",
            "+025-02-01",
        ] {
            assert!(Time::parse(wrong).is_err(), "{wrong}");
        }
    }
}
