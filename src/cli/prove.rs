//! `prove`: the proof file of a record, checked and kept.

use super::output::{self, Existing};
use super::{Answer, proven, remote, show};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `prove` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Index of the record
    #[arg(long, value_name = "N")]
    index: u64,
    /// Where the proof is written, as `verify` takes it (.tlog-proof)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replaces a file that is there
    #[arg(long)]
    force: bool,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: proven::KeyArguments,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// Fetches the proof, checks it, and only then writes it.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let key = arguments.key.read()?;
    let answer = remote::run(async {
        let remote = arguments.remote.connect().await?;
        Ok(remote.record(arguments.index, true).await?)
    })?;
    let record = answer.record.context("the answer has no record")?;
    let record = proven::record(&record)?;
    let mut out = std::io::stdout().lock();
    let index = arguments.index;
    let checkpoint = match proven::proof(&answer.proof, &record, key.as_ref()) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            let why = super::chain(&error);
            if arguments.json {
                let answer = json!({ "written": false, "index": index, "why": why });
                writeln!(out, "{}", show::json(&answer))?;
            } else {
                writeln!(out, "NOT WRITTEN: {}.", show::printable(&why))?;
            }
            return Ok(Answer::No);
        }
    };
    let existing = match arguments.force {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    output::write(&arguments.out, answer.proof.as_bytes(), existing)?;
    if arguments.json {
        let answer = json!({
            "written": true,
            "index": index,
            "kind": record.leaf.kind.word(),
            "proof": arguments.out.display().to_string(),
            "verified": checkpoint.is_some(),
            "tree_size": checkpoint.as_ref().map(|checkpoint| checkpoint.size().get()),
        });
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(Answer::Yes);
    }
    let (kind, path) = (record.leaf.kind, arguments.out.display());
    let path = show::printable(&path.to_string());
    writeln!(out, "Proof of record {index}, kind {kind}, in {path}.")?;
    match checkpoint {
        Some(checkpoint) => writeln!(
            out,
            "VERIFIED: in {}, under the root of {} leaves.",
            checkpoint.origin(),
            checkpoint.size()
        )?,
        None => writeln!(
            out,
            "Not verified: no key was given. `ceralacca verify` does it, with the log's key."
        )?,
    }
    Ok(Answer::Yes)
}
