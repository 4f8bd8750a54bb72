//! `rotate-key`: another key signs the checkpoints of a log.
//!
//! # Invariants
//! 1. The key to be retired is named: the same command again changes nothing more, and answers the same.
//! 2. The verifier key alone is the answer; what was done is said beside it.

use super::output::{self, Existing};
use super::{Answer, key, show};
use crate::archive::{Archive, Log, Settings};
use anyhow::Result;
use ceralacca_formats::id::LogId;
use ceralacca_formats::note::VerifierKey;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `rotate-key` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Name of the log; no process may have it open
    #[arg(long, value_name = "ID", value_parser = super::log_id)]
    log: LogId,
    /// File of the master key
    #[arg(long, value_name = "FILE")]
    master_key: PathBuf,
    /// The verifier key that is to be retired: the one that `init`, or the last rotation, gave
    #[arg(long, value_name = "VKEY", value_parser = super::log_key)]
    retire: VerifierKey,
    /// Where the proof of the rotation is written (.tlog-proof); a served archive gives it to everybody who may audit
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Rotates the key, or finds that it was rotated.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let master = key::read(&arguments.master_key)?;
    let directory = Archive::directory_of(&arguments.data, &arguments.log);
    let log = Log::open(&directory, &master, &Settings::default())?;
    let rotation = log.rotate_key(&arguments.retire)?;
    if let Some(path) = &arguments.out {
        // The same proof again, where the command is repeated.
        output::write(path, rotation.proof.to_text().as_bytes(), Existing::Replace)?;
    }
    let index = rotation.proof.index;
    let mut beside = std::io::stderr();
    let done = match rotation.repeated {
        true => "its key was rotated before and nothing was changed: key event",
        false => "its key is rotated: key event",
    };
    let (log, out) = (&arguments.log, arguments.out.as_ref());
    let shown = out.map(|path| show::printable(&path.display().to_string()));
    let place = shown.unwrap_or_else(|| "what `ceralacca follow-key` fetches".to_owned());
    writeln!(
        beside,
        "Log {log}: {done} {index}, its proof in {place}. Publish both, the proof and the new verifier key, which follows."
    )?;
    if arguments.json {
        let answer = json!({
            "log": log.as_str(),
            "retired_key": arguments.retire.to_string(),
            "verifier_key": rotation.current.to_string(),
            "index": index.get(),
            "proof": out.map(|path| path.display().to_string()),
            "repeated": rotation.repeated,
        });
        writeln!(std::io::stdout(), "{}", show::json(&answer))?;
    } else {
        writeln!(std::io::stdout(), "{}", rotation.current)?;
    }
    Ok(Answer::Yes)
}
