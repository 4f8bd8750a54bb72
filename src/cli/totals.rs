//! `totals`: the figures of a period, as closing leaves count them, and what of a supervisor's report they answer.

use super::search::Time;
use super::{Answer, remote, show, v1};
use anyhow::{Result, ensure};
use ceralacca_formats::id::UtcMillis;
use serde_json::{Value, json};
use std::io::Write;

/// What `totals` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Intervals that begin at this time or later: an instant (RFC 3339), or a day in Italy
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    from: Time,
    /// Intervals that begin before this time; of a date, the end of its day
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    until: Time,
    /// Counts what is closed, and says which intervals are left out
    #[arg(long)]
    partial: bool,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
Counts are of records, as the closing leaves have them: an event that came both in a log file and as a receipt counts
twice. A period with intervals that are not closed is refused, unless --partial.

--json: intervals, from_ms, until_ms (of what is counted), not_closed (starts of intervals), totals (class, event,
direction, count) and report (MsgUscita, MsgIngresso, VirusIngresso, VirusUscita: value, null where the records do not
tell, and note).";

/// A figure of the periodic report (pec.md 6.7: draft guideline of 2019).
struct Figure {
    name: &'static str,
    value: Option<u64>,
    note: String,
}

/// The figures, with what is unsure about each.
fn report(totals: &[v1::EventTotal]) -> Vec<Figure> {
    let sum = |event: &str, direction: &str| -> u64 {
        let of = |t: &&v1::EventTotal| t.event == event && t.direction == direction;
        totals.iter().filter(of).map(|t| t.count).sum()
    };
    let unsure = |event: &str| match sum(event, "") {
        0 => String::new(),
        many => format!("; {many} records of {event} say no direction"),
    };
    let accepted = sum("accettazione", "emesso") + sum("accettazione", "");
    vec![
        Figure {
            name: "MsgUscita",
            value: Some(accepted),
            note: format!(
                "acceptance receipts issued: only the sender's own provider issues them{}",
                unsure("accettazione")
            ),
        },
        Figure {
            name: "MsgIngresso",
            value: Some(sum("presa-in-carico", "emesso")),
            note: format!(
                "takeovers issued to other providers{}",
                match sum("presa-in-carico", "") {
                    0 => String::new(),
                    many => format!(
                        "; {many} records of presa-in-carico say no direction and are not in it"
                    ),
                }
            ),
        },
        Figure {
            name: "VirusIngresso",
            value: Some(sum("rilevazione-virus", "emesso")),
            note: format!(
                "UNCONFIRMED reading: virus notices issued to other providers{}",
                unsure("rilevazione-virus")
            ),
        },
        Figure {
            name: "VirusUscita",
            value: None,
            note: format!(
                "UNCONFIRMED, not told by these records: a refusal for a virus is counted with the other refusals, {} of \
                 non-accettazione",
                sum("non-accettazione", "emesso") + sum("non-accettazione", "")
            ),
        },
    ]
}

/// Asks and shows.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let instant = |ms: i64| u64::try_from(ms).unwrap_or(0);
    let (from_ms, until_ms) = (
        instant(arguments.from.begins()),
        instant(arguments.until.ends()),
    );
    ensure!(from_ms < until_ms, "--until is not after --from");
    let totals = remote::run(async {
        let remote = arguments.remote.connect().await?;
        let request = v1::GetTotalsRequest {
            from_ms,
            until_ms,
            partial: arguments.partial,
            ..v1::GetTotalsRequest::default()
        };
        Ok(remote.totals(request).await?)
    })?;
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", show::json(&to_json(&totals)))?,
        false => tell(&totals, &mut out)?,
    }
    Ok(Answer::Yes)
}

fn tell(totals: &v1::GetTotalsResponse, out: &mut impl Write) -> Result<()> {
    let at = |ms| show::utc(UtcMillis::new(ms));
    match totals.intervals {
        0 => writeln!(out, "No closed interval in this period.")?,
        many => writeln!(
            out,
            "{many} closed intervals, {} to {}",
            at(totals.from_ms),
            at(totals.until_ms)
        )?,
    }
    if !totals.not_closed_ms.is_empty() {
        let count = totals.not_closed_ms.len();
        let first = totals.not_closed_ms.first().copied().unwrap_or(0);
        writeln!(
            out,
            "PARTIAL: {count} intervals of the period are not closed and not counted, the first {}",
            at(first)
        )?;
    }
    writeln!(out)?;
    for total in &totals.totals {
        let event = show::printable(&format!("{} {}", total.event, total.direction));
        let class = show::printable(&total.class);
        writeln!(
            out,
            "{:>12}  {:<36}  {class}",
            total.count,
            event.trim_end()
        )?;
    }
    writeln!(out)?;
    for figure in report(&totals.totals) {
        let value = figure
            .value
            .map_or("-".to_owned(), |value| value.to_string());
        writeln!(out, "{:<14}{value:>12}  {}", figure.name, figure.note)?;
    }
    Ok(())
}

fn to_json(totals: &v1::GetTotalsResponse) -> Value {
    let all = totals.totals.iter().map(|total| {
        json!({
            "class": total.class,
            "event": total.event,
            "direction": Some(&total.direction).filter(|d| !d.is_empty()),
            "count": total.count,
        })
    });
    let report = report(&totals.totals).into_iter().map(|figure| {
        let value = json!({ "value": figure.value, "note": figure.note });
        (figure.name.to_owned(), value)
    });
    json!({
        "intervals": totals.intervals,
        "from_ms": totals.from_ms,
        "until_ms": totals.until_ms,
        "not_closed": totals.not_closed_ms,
        "totals": all.collect::<Vec<_>>(),
        "report": Value::Object(report.collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_say_what_they_count_and_what_they_cannot_tell() {
        let total = |event: &str, direction: &str, count| v1::EventTotal {
            class: "trace".to_owned(),
            event: event.to_owned(),
            direction: direction.to_owned(),
            count,
        };
        let totals = [
            total("accettazione", "emesso", 10),
            total("accettazione", "", 2),
            total("presa-in-carico", "emesso", 7),
            total("presa-in-carico", "ricevuto", 5),
            total("presa-in-carico", "", 3),
            total("rilevazione-virus", "emesso", 1),
            total("non-accettazione", "emesso", 4),
        ];
        let figures = report(&totals);
        let values: Vec<_> = figures.iter().map(|f| (f.name, f.value)).collect();
        assert_eq!(
            values,
            [
                ("MsgUscita", Some(12)),
                ("MsgIngresso", Some(7)),
                ("VirusIngresso", Some(1)),
                ("VirusUscita", None)
            ]
        );
        assert!(
            figures[0]
                .note
                .contains("2 records of accettazione say no direction")
        );
        assert!(figures[1].note.contains("3 records of presa-in-carico"));
        assert!(figures[2].note.contains("UNCONFIRMED"));
        assert!(figures[3].note.contains("4 of non-accettazione"));
    }
}
