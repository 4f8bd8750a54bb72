//! `renew`: evidence that must be renewed, explained, and renewed.

use super::{Answer, fsck, key, show};
use crate::ambient::{Clock as _, SystemClock, SystemEntropy};
use crate::archive::{Archive, Log, Settings};
use crate::keyring::Keyring;
use crate::seal::{AtRest, Planned, Probe, Renewed};
use crate::sequencer;
use crate::server::config::Config;
use crate::store::outside;
use crate::store::rocks::{Mode, RocksStore};
use crate::tsa::Told;
use anyhow::{Context as _, Result, ensure};
use ceralacca_formats::id::{LogId, UtcMillis};
use ceralacca_formats::secret::MasterKey;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// What `renew` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The configuration of the service, which must not run
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One log; all of the configuration otherwise
    #[arg(long, value_name = "ID", value_parser = super::log_id)]
    log: Option<LogId>,
    /// Explains what is due and why, and renews nothing
    #[arg(long)]
    dry_run: bool,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
A service does the same by itself once a day. Each log is opened as the service opens it, which is on record as its
taking over; with --dry-run it is opened for reading only, and nothing of it is changed. Status 0: nothing is due, or
all that was is renewed; 1: something is due, after --dry-run or because it cannot be renewed before the table of
algorithms is brought up to date.

--json: for each log log, planned (interval_ms, due, urgency, by_ms, english, italian) as it is after the renewals, and
renewed (leaf, kind, first_ms, last_ms, packages, token).";

/// Of one log.
struct OfLog {
    log: LogId,
    planned: Vec<Planned>,
    renewed: Vec<Renewed>,
}

/// Plans, and renews.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let config = Config::read(&arguments.config)?;
    key::outside(&config.data, &config.master_key)?;
    let master = key::read(&config.master_key)?;
    let chosen = |id: &&LogId| arguments.log.as_ref().is_none_or(|log| log == *id);
    let logs: Vec<&LogId> = config.logs.iter().filter(chosen).collect();
    ensure!(!logs.is_empty(), "the configuration has no such log");
    let mut all = Vec::new();
    for id in logs {
        let done = match arguments.dry_run {
            true => planned(id, &config, &master),
            false => renewed(id, &config, &master),
        };
        all.push(done.with_context(|| format!("log {id}"))?);
    }
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => {
            let logs: Vec<Value> = all.iter().map(to_json).collect();
            writeln!(out, "{}", show::json(&json!({ "logs": logs })))?;
        }
        false => all.iter().try_for_each(|one| tell(one, &mut out))?,
    }
    let mut planned = all.iter().flat_map(|one| &one.planned);
    match planned.any(|one| one.step.is_due()) {
        true => Ok(Answer::No),
        false => Ok(Answer::Yes),
    }
}

/// Reads what is due, of a log that nobody writes meanwhile.
fn planned(id: &LogId, config: &Config, master: &MasterKey) -> Result<OfLog> {
    let directory = Archive::directory_of(&config.data, id);
    outside::check_format(&directory)?;
    let _lock = fsck::lock(&directory)?;
    let store = RocksStore::open(&outside::database_of(&directory), Mode::Read)?;
    let identity = sequencer::identity(&store)?;
    let (keyring, _) = Keyring::open(&store, master, &identity.origin)?;
    let at_rest = AtRest {
        store: &store,
        keyring: &keyring,
        packages: &Archive::packages_of(&config.data, id),
    };
    let now = SystemClock::default().wall();
    Ok(OfLog {
        log: identity.log,
        planned: at_rest.planned(&config.seal.rules, now)?,
        renewed: Vec::new(),
    })
}

/// Takes a log over, and renews.
fn renewed(id: &LogId, config: &Config, master: &MasterKey) -> Result<OfLog> {
    let settings = Settings::default();
    let log = Log::open(&Archive::directory_of(&config.data, id), master, &settings)?;
    let done = renew(&log, config, &settings);
    let stopped = log.stop();
    let done = done?;
    stopped?;
    Ok(done)
}

fn renew(log: &Log, config: &Config, settings: &Settings) -> Result<OfLog> {
    let rules = &config.seal.rules;
    let mut renewed = Vec::new();
    let clock = Arc::clone(&settings.clock);
    let entropy = Arc::new(SystemEntropy);
    let stamper = config.seal.stamper(clock, entropy, Arc::new(Told))?;
    while let Some(one) = log.renew_next(rules, &*stamper, &Probe::default())? {
        renewed.push(one);
    }
    Ok(OfLog {
        log: log.id().clone(),
        planned: log.sealer().planned(rules)?,
        renewed,
    })
}

fn tell(one: &OfLog, out: &mut impl Write) -> Result<()> {
    let name = show::printable(one.log.as_str());
    for renewed in &one.renewed {
        let record = &renewed.record;
        let at = |ms| show::utc(UtcMillis::new(ms));
        writeln!(
            out,
            "Log {name}: {} renewed of {} packages, {} to {}, leaf {}",
            record.kind.word(),
            record.packages,
            at(record.first.get()),
            at(record.last.get()),
            renewed.leaf
        )?;
    }
    if one.planned.is_empty() {
        writeln!(
            out,
            "Log {name}: no interval is closed, there is no evidence to renew."
        )?;
    }
    for planned in &one.planned {
        writeln!(
            out,
            "Log {name}: {}",
            show::printable(&planned.step.english())
        )?;
    }
    Ok(())
}

fn to_json(one: &OfLog) -> Value {
    let planned = one.planned.iter().map(|planned| {
        let urgency = format!("{:?}", planned.step.urgency).to_lowercase();
        json!({
            "interval_ms": planned.interval.get(),
            "due": planned.step.is_due(),
            "urgency": urgency,
            "by_ms": planned.step.by.map(UtcMillis::get),
            "english": planned.step.english(),
            "italian": planned.step.italian(),
        })
    });
    let renewed = one.renewed.iter().map(|renewed| {
        let record = &renewed.record;
        json!({
            "leaf": renewed.leaf.get(),
            "kind": record.kind.word(),
            "first_ms": record.first.get(),
            "last_ms": record.last.get(),
            "packages": record.packages,
            "token": record.token.to_string(),
        })
    });
    json!({
        "log": one.log.as_str(),
        "planned": planned.collect::<Vec<_>>(),
        "renewed": renewed.collect::<Vec<_>>(),
    })
}
