//! `init`: a new log.

use super::{Answer, key};
use crate::archive::{self, Archive, Settings};
use crate::seal_key::{self, DevelopmentFiles};
use crate::store::{StoreError, outside};
use anyhow::Result;
use ceralacca_formats::id::{LogId, Origin};
use ceralacca_retention::StoreKind;
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
    /// To try the archive out: its embedded time-stamping authority is then enough to dispose of records. Fixed for the
    /// life of the log
    #[arg(long)]
    development: bool,
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
        development: to_try,
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
    let development = DevelopmentFiles::beside(master_key);
    let keys_made = seal_key::make(&development, settings.clock.wall(), &*settings.entropy)?;
    let kind = match to_try {
        true => StoreKind::Development,
        false => StoreKind::Production,
    };
    let verifier = archive::init_as(&directory, log, origin, &master, &settings, kind)?;
    let mut beside = std::io::stderr();
    if made {
        writeln!(
            beside,
            "New master key in {}: keep a copy elsewhere; without it nothing of this archive can be read.",
            master_key.display()
        )?;
    }
    if keys_made {
        writeln!(
            beside,
            "New development keys (SVILUPPO - NON QUALIFICATO) to seal and time-stamp with in {}.",
            development.folder().display()
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
            "development": to_try,
            "directory": directory.display().to_string(),
            "master_key_made": made,
            "development_keys": development.folder().display().to_string(),
            "development_keys_made": keys_made,
        });
        writeln!(std::io::stdout(), "{}", super::show::json(&answer))?;
    } else {
        writeln!(std::io::stdout(), "{verifier}")?;
    }
    Ok(Answer::Yes)
}
