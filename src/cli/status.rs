//! `status`: how the service fares, and its logs.

use super::{Answer, remote, show, v1};
use anyhow::Result;
use ceralacca_formats::id::UtcMillis;
use serde_json::{Value, json};
use std::io::Write;

/// What `status` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// Asks and shows.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let status = remote::run(async {
        let remote = arguments.remote.connect().await?;
        Ok(remote.status().await?)
    })?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", show::json(&to_json(&status)))?;
    } else {
        tell(&status, &mut out)?;
    }
    Ok(Answer::Yes)
}

fn tell(status: &v1::GetStatusResponse, out: &mut impl Write) -> Result<()> {
    let (software, up) = (show::printable(&status.software), status.uptime_ms / 1000);
    let (hours, minutes, seconds) = (up / 3600, up / 60 % 60, up % 60);
    writeln!(
        out,
        "{software}, up {hours} h {minutes:02} min {seconds:02} s"
    )?;
    if status.development {
        writeln!(
            out,
            "DEVELOPMENT: plain text, everybody has every role but a court's"
        )?;
    }
    for log in &status.logs {
        let interval = show::utc(UtcMillis::new(log.interval_ms));
        let cuts = match log.cuts_suspended {
            true => "SUSPENDED: the clock stepped",
            false => "on time",
        };
        let scrubbed = match log.scrubbed_ms {
            0 => "not yet".to_owned(),
            ms => show::utc(UtcMillis::new(ms)),
        };
        let closed = match log.closed_leaf {
            0 => "none".to_owned(),
            leaf => {
                let interval = show::utc(UtcMillis::new(log.closed_interval_ms));
                format!("{interval}, by leaf {leaf}")
            }
        };
        let damaged = match log.damaged {
            0 => "nothing found".to_owned(),
            many => format!("{many} DAMAGED: ceralacca scrub names them"),
        };
        let disposals = format!(
            "{} gone, {} going, {} intents open, {} bytes freed",
            log.disposals, log.disposals_under_way, log.disposal_intents, log.disposed_bytes
        );
        let overdue = match log.overdue {
            0 => "none".to_owned(),
            many => {
                let oldest = show::utc(UtcMillis::new(log.overdue_interval_ms));
                format!("{many} UNITS, the oldest of {oldest}: ceralacca dispose plan names them")
            }
        };
        let renewals = match (log.renewals_due, log.renewals_failing_ms) {
            (0, 0) => "none due".to_owned(),
            (due, since) => {
                let since = show::utc(UtcMillis::new(since));
                format!("{due} DUE, failing since {since}: ceralacca renew --dry-run says why")
            }
        };
        writeln!(out, "\nLog {}", show::printable(&log.log))?;
        for (name, value) in [
            ("origin", log.origin.clone()),
            ("verifier key", log.verifier_key.clone()),
            ("leaves", log.tree_size.to_string()),
            ("in sorted runs", log.indexed.to_string()),
            ("interval since", interval),
            ("cuts", cuts.to_owned()),
            ("not yet closed", log.intervals_cut.to_string()),
            ("last closed", closed),
            ("bytes on disk", log.disk_bytes.to_string()),
            ("scrubbed", scrubbed),
            ("damage", damaged),
            ("disposals", disposals),
            ("overdue", overdue),
            ("renewals", renewals),
        ] {
            writeln!(out, "  {name:<16}{}", show::printable(&value))?;
        }
        if !log.witnesses.is_empty() {
            writeln!(out, "  {:<16}{} leaves", "witnessed", log.witnessed_size)?;
        }
        for witness in &log.witnesses {
            let trouble = match witness.trouble.as_str() {
                "" => "ok",
                trouble => trouble,
            };
            let line = format!("{}: {trouble}, {} leaves", witness.name, witness.tree_size);
            writeln!(out, "  {:<16}{}", "witness", show::printable(&line))?;
        }
    }
    Ok(())
}

fn witness_json(witness: &v1::WitnessStatus) -> Value {
    json!({
        "name": witness.name,
        "tree_size": witness.tree_size,
        "cosigned_ms": witness.cosigned_ms,
        "trouble": witness.trouble,
    })
}

fn to_json(status: &v1::GetStatusResponse) -> Value {
    let logs = status.logs.iter();
    let logs = logs.map(|log| {
        json!({
            "log": log.log,
            "origin": log.origin,
            "verifier_key": log.verifier_key,
            "tree_size": log.tree_size,
            "interval_ms": log.interval_ms,
            "cuts_suspended": log.cuts_suspended,
            "intervals_cut": log.intervals_cut,
            "closed_interval_ms": log.closed_interval_ms,
            "closed_leaf": log.closed_leaf,
            "indexed": log.indexed,
            "disk_bytes": log.disk_bytes,
            "witnessed_size": log.witnessed_size,
            "witnesses": log.witnesses.iter().map(witness_json).collect::<Vec<_>>(),
            "scrubbed_ms": log.scrubbed_ms,
            "damaged": log.damaged,
            "overdue": log.overdue,
            "overdue_interval_ms": log.overdue_interval_ms,
            "disposal_intents": log.disposal_intents,
            "disposals_under_way": log.disposals_under_way,
            "disposals": log.disposals,
            "disposed_bytes": log.disposed_bytes,
            "renewals_due": log.renewals_due,
            "renewals_failing_ms": log.renewals_failing_ms,
        })
    });
    json!({
        "software": status.software,
        "uptime_ms": status.uptime_ms,
        "development": status.development,
        "logs": logs.collect::<Vec<_>>(),
    })
}
