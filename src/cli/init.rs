//! `init`: a new log.

use super::{Answer, key};
use crate::archive::{self, Archive, Settings};
use crate::store::{StoreError, outside};
use anyhow::Result;
use ceralacca_formats::id::{LogId, Origin};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `init` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The data directory; made if it is not there
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Name of the log in this installation: a-z, 0-9 and -
    #[arg(long, value_name = "ID", value_parser = super::log_id)]
    log: LogId,
    /// Origin of the log: a URL without scheme, its own for ever, such as archivio.example/log
    #[arg(long, value_name = "ORIGIN", value_parser = super::origin)]
    origin: Origin,
    /// File of the master key, outside the data directory; made if it is not there
    #[arg(long, value_name = "FILE")]
    master_key: PathBuf,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Makes the log. The verifier key alone is the answer; what was made is said beside it.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let Arguments {
        data,
        log,
        origin,
        master_key,
        json,
    } = arguments;
    key::outside(data, master_key)?;
    let directory = Archive::directory_of(data, log);
    match outside::check_format(&directory) {
        Err(StoreError::Missing(_)) => {}
        Err(other) => return Err(other.into()),
        Ok(()) => return Err(StoreError::Exists(directory).into()),
    }
    let settings = Settings::default();
    let made = key::make(master_key, &*settings.entropy)?;
    let master = key::read(master_key)?;
    let verifier = archive::init(&directory, log, origin, &master, &settings)?;
    let mut beside = std::io::stderr();
    if made {
        writeln!(
            beside,
            "New master key in {}: keep a copy elsewhere; without it nothing of this archive can be read.",
            master_key.display()
        )?;
    }
    writeln!(
        beside,
        "New log {log} in {}. Publish its verifier key, which follows: all proofs are checked with it.",
        directory.display()
    )?;
    if *json {
        let answer = json!({
            "log": log.as_str(),
            "origin": origin.as_str(),
            "verifier_key": verifier.to_string(),
            "directory": directory.display().to_string(),
            "master_key_made": made,
        });
        writeln!(std::io::stdout(), "{}", super::show::json(&answer))?;
    } else {
        writeln!(std::io::stdout(), "{verifier}")?;
    }
    Ok(Answer::Yes)
}
