//! `dispose run`: the steps that are due, of logs that no service has open.

use crate::archive::Archive;
use crate::cli::{Answer, key, serve, show};
use crate::disposal::DisposalProbe;
use crate::server::{self, config::Config};
use anyhow::{Context as _, Result, ensure};
use ceralacca_formats::id::LogId;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `dispose run` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file of the service (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this log
    #[arg(long, value_name = "ID", value_parser = crate::cli::log_id)]
    log: Option<LogId>,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Takes them, and tells which.
pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<Answer> {
    let config = Config::read(&arguments.config)?;
    key::outside(&config.data, &config.master_key)?;
    let master = key::read(&config.master_key)?;
    serve::log_to_stderr();
    let settings = server::settings(&config)?;
    let chosen = |id: &&LogId| arguments.log.as_ref().is_none_or(|log| log == *id);
    let logs: Vec<LogId> = config.logs.iter().filter(chosen).cloned().collect();
    ensure!(!logs.is_empty(), "no such log is configured");
    let archive = Archive::open(&config.data, &logs, &master, &settings)?;
    let mut taken = Vec::new();
    let result = archive.logs().try_for_each(|log| {
        let authorities = log.authorities();
        let authorities = authorities.context("no seal key: see [seal] of the configuration")?;
        let disposer = log.disposer();
        disposer.hear(authorities)?;
        disposer.tick()?;
        while let Some((unit, next)) = disposer.advance(authorities, &DisposalProbe::default())? {
            taken.push((log.id().clone(), unit, next));
        }
        Ok(())
    });
    let stopped = archive.stop();
    match arguments.json {
        true => {
            let steps = taken.iter().map(|(log, unit, next)| {
                json!({
                    "log": log.as_str(),
                    "interval_ms": unit.interval.get(),
                    "class": unit.class.word(),
                    "carried": unit.carried,
                    "next": next.word(),
                })
            });
            let answer = json!({ "steps": steps.collect::<Vec<_>>() });
            writeln!(out, "{}", show::json(&answer))?;
        }
        false => {
            for (log, unit, next) in &taken {
                let (interval, class) = (unit.interval, unit.class);
                writeln!(out, "{log}: {interval}/{class}: next {}", next.word())?;
            }
            writeln!(out, "{} steps taken", taken.len())?;
        }
    }
    result.and(Ok(stopped?)).map(|()| Answer::Yes)
}
