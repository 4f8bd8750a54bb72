//! `absence`: whether closed intervals hold an identificativo, proven with the log's key alone.

mod check;

use super::search::Time;
use super::v1;
use super::{Answer, proven, remote, show};
use anyhow::{Context as _, Result};
use ceralacca_formats::absence::{Checked, Follower, Said};
use ceralacca_formats::id::UtcMillis;
use serde_json::{Value, json};
use std::io::Write;

/// What `absence` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Identificativo of the transaction
    #[arg(long, value_name = "ID")]
    identificativo: String,
    /// Intervals that end after this time: an instant (RFC 3339), or a day in Italy; from the first one otherwise
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    from: Option<Time>,
    /// Intervals that begin before this time; of a date, the end of its day; to the last closed one otherwise
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    until: Option<Time>,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: proven::KeyArguments,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
Status 0 when every interval asked of is closed and proven not to hold the identificativo; 1 when one holds it, or when
something is not proven: an interval that is not closed, a class that was disposed of, an answer that does not verify.
Absence from the archive is proven; what happened elsewhere is not.

--json: absent, proven_from_ms and proven_until_ms (null where nothing is proven), why (null where all is), and for each
interval interval_ms, end_ms, said (absent, present, disposed, not-closed), closing (leaf), records (of the interval),
present (records by class), disposed (classes), why.";

/// What came of it.
#[derive(Default)]
struct Told {
    intervals: Vec<Checked>,
    /// What is not proven; nothing after it is looked at.
    why: Option<String>,
}

impl Told {
    fn is_absent(&self) -> bool {
        let absent = |checked: &Checked| checked.said == Said::Absent;
        // What is asked for to the end is asked for as far as it is closed.
        let mut closed = self
            .intervals
            .iter()
            .filter(|c| c.closing.is_some())
            .peekable();
        self.why.is_none() && closed.peek().is_some() && closed.all(absent)
    }

    /// From when to when all is proven, milliseconds since 1970.
    fn span(&self) -> Option<(u64, u64)> {
        let closed = self.intervals.iter().take_while(|c| c.closing.is_some());
        let from = self.intervals.first()?.interval.get();
        closed.last().map(|last| (from, last.end.get()))
    }
}

/// Asks, checks and tells.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let keys = arguments.key.read_chain()?;
    let keys = keys.context("nothing is proven without the log's key: give --key or --key-file")?;
    let instant = |ms: i64| u64::try_from(ms).unwrap_or(0);
    let from_ms = arguments.from.map_or(0, |time| instant(time.begins()));
    let until_ms = arguments.until.map_or(0, |time| instant(time.ends()));
    let told = remote::run(async {
        let remote = arguments.remote.connect().await?;
        let request = v1::GetMapProofRequest {
            identificativo: arguments.identificativo.clone(),
            from_ms,
            until_ms,
            ..v1::GetMapProofRequest::default()
        };
        let mut answers = remote.map_proof(request).await?;
        let mut follower = Follower::new(&keys, arguments.identificativo.as_bytes());
        let mut told = Told::default();
        while let Some(answer) = answers.next().await? {
            let checked = check::told(&answer).and_then(|told| {
                let checked = follower.take(&told, UtcMillis::new(from_ms));
                Ok(checked?)
            });
            match checked {
                Ok(checked) => told.intervals.push(checked),
                Err(error) => {
                    let at = show::utc(UtcMillis::new(answer.interval_ms));
                    told.why = Some(format!("interval {at}: {}", super::chain(&error)));
                    return Ok(told);
                }
            }
        }
        let end_ms = follower.end().map(UtcMillis::get);
        told.why = missing(end_ms, &told, until_ms);
        Ok(told)
    })?;
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", show::json(&to_json(&told)))?,
        false => tell(&told, &mut out)?,
    }
    match told.is_absent() {
        true => Ok(Answer::Yes),
        false => Ok(Answer::No),
    }
}

/// What the answers leave open, once they ended well.
fn missing(end_ms: Option<u64>, told: &Told, until_ms: u64) -> Option<String> {
    let Some(end_ms) = end_ms else {
        return Some("no interval of this time".to_owned());
    };
    let at = |ms| show::utc(UtcMillis::new(ms));
    let open = told.intervals.iter().find_map(|c| match c.said {
        Said::NotClosed(why) => Some((c.interval.get(), why)),
        _ => None,
    });
    match open {
        // Without an end, what is closed is all that can be asked of.
        Some((interval, why)) if until_ms > 0 => Some(format!("interval {}: {why}", at(interval))),
        None if end_ms < until_ms => Some(format!("nothing is shown from {} on", at(end_ms))),
        _ => None,
    }
}

fn tell(told: &Told, out: &mut impl Write) -> Result<()> {
    let at = |ms| show::utc(UtcMillis::new(ms));
    for checked in &told.intervals {
        let said = match &checked.said {
            Said::Absent => "ABSENT".to_owned(),
            Said::Present(classes) => {
                let classes = classes
                    .iter()
                    .map(|(class, n)| format!("{n} of class {class}"));
                format!("PRESENT: {}", classes.collect::<Vec<_>>().join(", "))
            }
            Said::Disposed(classes) => {
                let classes: Vec<_> = classes.iter().map(|class| class.word()).collect();
                format!("DISPOSED OF: class {}", classes.join(", "))
            }
            Said::NotClosed(why) => format!("NOT CLOSED: {why}"),
        };
        let closed = checked.closing.map_or_else(String::new, |(leaf, records)| {
            format!("   ({records} records, closed by leaf {leaf})")
        });
        writeln!(
            out,
            "{} to {}  {said}{closed}",
            at(checked.interval.get()),
            at(checked.end.get())
        )?;
    }
    if let Some(why) = &told.why {
        writeln!(out, "NOT PROVEN: {}.", show::printable(why))?;
    } else if told.is_absent() {
        let (from, until) = told.span().unwrap_or_default();
        writeln!(
            out,
            "PROVEN: no record of this identificativo in the log from {} to {}.",
            at(from),
            at(until)
        )?;
    }
    Ok(())
}

fn to_json(told: &Told) -> Value {
    let intervals = told.intervals.iter().map(|checked| {
        let (said, present, disposed, why) = match &checked.said {
            Said::Absent => ("absent", json!({}), json!([]), None),
            Said::Present(classes) => {
                let classes = classes.iter().map(|(c, n)| (c.word().to_owned(), json!(n)));
                ("present", Value::Object(classes.collect()), json!([]), None)
            }
            Said::Disposed(classes) => {
                let classes: Vec<_> = classes.iter().map(|class| class.word()).collect();
                ("disposed", json!({}), json!(classes), None)
            }
            Said::NotClosed(why) => ("not-closed", json!({}), json!([]), Some(*why)),
        };
        json!({
            "interval_ms": checked.interval.get(),
            "end_ms": checked.end.get(),
            "said": said,
            "closing": checked.closing.map(|(leaf, _)| leaf.get()),
            "records": checked.closing.map(|(_, records)| records),
            "present": present,
            "disposed": disposed,
            "why": why,
        })
    });
    let span = told.span();
    json!({
        "absent": told.is_absent(),
        "proven_from_ms": span.map(|(from, _)| from),
        "proven_until_ms": span.map(|(_, until)| until),
        "why": told.why,
        "intervals": intervals.collect::<Vec<_>>(),
    })
}
