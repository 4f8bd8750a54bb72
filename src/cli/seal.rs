//! `seal`: closes what was cut, of logs that no service has open.

use super::{Answer, key, show};
use crate::archive::Archive;
use crate::seal::Probe;
use crate::server;
use crate::server::config::Config;
use anyhow::{Context as _, Result};
use ceralacca_formats::id::{LogId, UtcMillis};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `seal` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The configuration file of the service (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this log
    #[arg(long, value_name = "ID", value_parser = super::log_id)]
    log: Option<LogId>,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
A service closes intervals by itself. This is for logs at rest: what is due is cut, and every interval that
was cut is closed.

Exit status: 0 all are closed; 2 one cannot be, and stays cut.";

/// Closes, and tells what.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let config = Config::read(&arguments.config)?;
    key::outside(&config.data, &config.master_key)?;
    let master = key::read(&config.master_key)?;
    super::serve::log_to_stderr();
    let settings = server::settings(&config)?;
    let logs = config.logs.iter();
    let logs = logs.filter(|id| arguments.log.as_ref().is_none_or(|log| log == *id));
    let logs: Vec<LogId> = logs.cloned().collect();
    anyhow::ensure!(!logs.is_empty(), "no such log is configured");
    let archive = Archive::open(&config.data, &logs, &master, &settings)?;
    let mut closed = Vec::new();
    let result = archive.logs().try_for_each(|log| {
        let authorities = log.authorities();
        let authorities = authorities.context("no seal key: see [seal] of the configuration")?;
        log.sealer().confirm_clock(authorities)?;
        log.tick()?;
        while let Some(sealed) = log.close_next(authorities, &Probe::default())? {
            closed.push((log.id().clone(), sealed));
        }
        Ok(())
    });
    let stopped = archive.stop();
    let mut out = std::io::stdout().lock();
    let records = |c: &ceralacca_formats::closing::Closing| c.size.get() - c.first.get();
    if arguments.json {
        let closed = closed.iter().map(|(log, sealed)| {
            json!({
                "log": log.as_str(),
                "interval_ms": sealed.closing.interval.get(),
                "records": records(&sealed.closing),
                "leaf": sealed.leaf.get(),
                "proven": sealed.closing.is_proven,
            })
        });
        writeln!(out, "{}", json!({ "closed": closed.collect::<Vec<_>>() }))?;
    } else {
        for (log, sealed) in &closed {
            let closing = &sealed.closing;
            let start = show::utc(UtcMillis::new(closing.interval.get()));
            let (records, leaf) = (records(closing), sealed.leaf);
            let time = match closing.is_proven {
                true => "time proven",
                false => "time NOT proven: development authority",
            };
            writeln!(
                out,
                "{log}: {start}: {records} records, leaf {leaf}, {time}"
            )?;
        }
        writeln!(out, "{} intervals closed", closed.len())?;
    }
    result.and(Ok(stopped?)).map(|()| Answer::Yes)
}
