//! `intervals`: the intervals of a served log, and how far each is.

use super::{Answer, remote, show, v1};
use anyhow::Result;
use ceralacca_formats::id::UtcMillis;
use serde_json::{Value, json};
use std::io::Write;

/// What `intervals` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only intervals that start after this one
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
    /// Answer as JSON Lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// Lists them, page after page.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let mut out = std::io::stdout().lock();
    if !arguments.json {
        let head = [
            "interval",
            "start",
            "records",
            "state",
            "leaf",
            "time-stamp",
        ];
        let [id, start, records, state, leaf, stamp] = head;
        writeln!(
            out,
            "{id:<14}  {start:<24}  {records:>10}  {state:<6}  {leaf:>10}  {stamp}"
        )?;
    }
    remote::run(async {
        let remote = arguments.remote.connect().await?;
        let mut after = arguments.after;
        loop {
            let page = remote.intervals(after).await?;
            for interval in &page.intervals {
                match arguments.json {
                    true => writeln!(out, "{}", show::json(&to_json(interval)))?,
                    false => tell(interval, &mut out)?,
                }
            }
            after = page.intervals.last().map(|last| last.interval_ms);
            if !page.more || after.is_none() {
                return Ok(());
            }
        }
    })?;
    Ok(Answer::Yes)
}

fn state(interval: &v1::Interval) -> &'static str {
    match interval.state() {
        v1::IntervalPhase::Unspecified => "?",
        v1::IntervalPhase::Open => "OPEN",
        v1::IntervalPhase::Cut => "CUT",
        v1::IntervalPhase::Closed => "CLOSED",
    }
}

fn records(interval: &v1::Interval) -> Option<u64> {
    interval.tree_size.checked_sub(interval.first_index)
}

fn tell(interval: &v1::Interval, out: &mut impl Write) -> Result<()> {
    let records = records(interval).map_or_else(|| "-".to_owned(), |n| n.to_string());
    let closed = interval.closed.as_ref();
    let leaf = closed.map_or_else(|| "-".to_owned(), |closed| closed.index.to_string());
    let stamp = closed.map(|closed| {
        let proven = match closed.proven {
            true => "",
            false => " (unproven)",
        };
        format!("{}{proven}", show::utc(UtcMillis::new(closed.token_ms)))
    });
    writeln!(
        out,
        "{:<14}  {:<24}  {records:>10}  {:<6}  {leaf:>10}  {}",
        interval.interval_ms,
        show::utc(UtcMillis::new(interval.interval_ms)),
        state(interval),
        stamp.unwrap_or_default(),
    )?;
    Ok(())
}

fn to_json(interval: &v1::Interval) -> Value {
    let closed = interval.closed.as_ref().map(|closed| {
        let classes = closed.classes.iter().map(|held| {
            json!({
                "class": held.retention_class,
                "records": held.records,
                "files": held.files,
                "keys": held.keys,
                "map_root": hex::encode(&held.map_root),
            })
        });
        let counts = closed.counts.iter().map(|count| {
            json!({
                "class": count.retention_class,
                "event": count.event,
                "count": count.count,
            })
        });
        json!({
            "index": closed.index,
            "catalogue_sha256": hex::encode(&closed.catalogue_sha256),
            "pindex_sha256": hex::encode(&closed.pindex_sha256),
            "evidence_sha256": hex::encode(&closed.evidence_sha256),
            "token_ms": closed.token_ms,
            "token_accuracy_ms": closed.token_accuracy_ms,
            "proven": closed.proven,
            "trust": closed.trust,
            "previous": closed.previous,
            "classes": classes.collect::<Vec<_>>(),
            "counts": counts.collect::<Vec<_>>(),
        })
    });
    json!({
        "interval_ms": interval.interval_ms,
        "end_ms": interval.end_ms,
        "first_index": interval.first_index,
        "tree_size": interval.tree_size,
        "state": state(interval),
        "closed": closed,
    })
}
