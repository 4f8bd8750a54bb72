//! `scrub`: has a served archive check everything that a log holds, and waits for what is found.

use super::{Answer, remote, show, v1};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// How often it asks how far it is.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What `scrub` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Begin nothing; show how far it is and what was found
    #[arg(long)]
    show: bool,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// Begins, waits for the end of the round, and shows.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let report = remote::run(async {
        let remote = arguments.remote.connect().await?;
        if arguments.show {
            return Ok(remote.scrub().await?);
        }
        let round = remote.start_scrub().await?;
        let bar = show::progress(0, "scrubbing");
        loop {
            let report = remote.scrub().await?;
            if report.round != round || report.phase.is_empty() {
                bar.finish_and_clear();
                return Ok(report);
            }
            if !report.failure.is_empty() {
                bar.finish_and_clear();
                bail!("the scrub cannot go on: {}", report.failure);
            }
            bar.set_length(report.leaves);
            bar.set_position(report.leaves_done);
            remote.pause(ASK_EVERY).await;
        }
    })?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", show::json(&to_json(&report)))?;
    } else {
        tell(&report, &mut out)?;
    }
    Ok(match report.damaged {
        0 => Answer::Yes,
        _ => Answer::No,
    })
}

fn tell(report: &v1::GetScrubResponse, out: &mut impl Write) -> Result<()> {
    if report.round == 0 {
        writeln!(out, "Nothing was scrubbed yet.")?;
        return Ok(());
    }
    for (count, what) in [
        (report.files, "files of the store read whole"),
        (report.file_bytes, "bytes of them"),
        (
            report.files_new,
            "of them for the first time: to be compared with from now on",
        ),
        (report.intervals, "intervals"),
        (report.checkpoints, "checkpoints verified"),
        (
            report.leaves_done,
            "leaves, of which tree and root are made",
        ),
        (report.tiles, "tiles compared with them"),
        (
            report.records,
            "records opened and checked against their leaves",
        ),
        (report.content_bytes, "bytes of content read and digested"),
        (report.terms, "terms looked up in the index"),
        (report.rows, "other rows read"),
    ] {
        writeln!(out, "{count:>12}  {what}")?;
    }
    for finding in &report.findings {
        let line = format!(
            "damaged: {}: {}; with it: {}",
            finding.item, finding.why, finding.hangs
        );
        writeln!(out, "{}", show::printable(&line))?;
    }
    let unnamed = report.damaged.saturating_sub(report.findings.len() as u64);
    if unnamed > 0 {
        writeln!(out, "and {unnamed} more")?;
    }
    for name in &report.unreferenced {
        writeln!(out, "unreferenced: {}", show::printable(name))?;
    }
    let round = report.round;
    if !report.phase.is_empty() {
        let phase = show::printable(&report.phase);
        writeln!(out, "Round {round} is under way: {phase}.")?;
    }
    match report.damaged {
        0 => writeln!(out, "Round {round} found nothing damaged.")?,
        many => writeln!(out, "Round {round} found DAMAGE in {many} items.")?,
    }
    Ok(())
}

fn to_json(report: &v1::GetScrubResponse) -> Value {
    let findings = report.findings.iter().map(|finding| {
        json!({
            "kind": finding.kind,
            "index": finding.index,
            "item": finding.item,
            "why": finding.why,
            "hangs": finding.hangs,
        })
    });
    json!({
        "round": report.round,
        "phase": report.phase,
        "clean": report.damaged == 0,
        "leaves_done": report.leaves_done,
        "leaves": report.leaves,
        "started_ms": report.started_ms,
        "finished_ms": report.finished_ms,
        "files": report.files,
        "file_bytes": report.file_bytes,
        "files_new": report.files_new,
        "intervals": report.intervals,
        "checkpoints": report.checkpoints,
        "tiles": report.tiles,
        "records": report.records,
        "content_bytes": report.content_bytes,
        "terms": report.terms,
        "rows": report.rows,
        "damaged": report.damaged,
        "findings": findings.collect::<Vec<_>>(),
        "unreferenced": report.unreferenced,
        "failure": report.failure,
    })
}
