//! `fsck`: checks everything that a log holds.
//!
//! # Invariants
//! 1. The log is opened for reading only, under a shared lock: no writer changes it meanwhile, and nothing is
//!    changed here.
//! 2. A log that is there and cannot be read for what its bytes say is damaged (status 1). One that is not
//!    there, in use, of another format or under another master key was not checked (status 2).

use super::{Answer, key, show};
use crate::archive::Archive;
use crate::audit::fsck::{self, Damage, Report};
use crate::keyring::{KeyError, Keyring};
use crate::sequencer::{self, OpenError};
use crate::store::cf::state::Identity;
use crate::store::rocks::{Mode, RocksStore};
use crate::store::{StoreError, outside};
use anyhow::{Context as _, Result, bail};
use ceralacca_formats::id::LogId;
use ceralacca_formats::secret::MasterKey;
use serde_json::json;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What `fsck` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Name of the log
    #[arg(long, value_name = "ID", value_parser = super::log_id)]
    log: LogId,
    /// File of the master key
    #[arg(long, value_name = "FILE")]
    master_key: PathBuf,
    /// Report as one JSON object
    #[arg(long)]
    json: bool,
}

/// Checks the log and reports.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let master = key::read(&arguments.master_key)?;
    let report = check(&arguments.data, &arguments.log, &master)?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", to_json(&arguments.log, &report))?;
    } else {
        tell(&arguments.log, &report, &mut out)?;
    }
    Ok(if report.is_clean() {
        Answer::Yes
    } else {
        Answer::No
    })
}

/// Checks a log that no process has open for writing.
pub(super) fn check(data: &Path, log: &LogId, master: &MasterKey) -> Result<Report> {
    let directory = Archive::directory_of(data, log);
    outside::check_format(&directory)?;
    let _lock = lock(&directory)?;
    let store = match RocksStore::open(&outside::database_of(&directory), Mode::Read) {
        Ok(store) => store,
        Err(error) => return unreadable(error),
    };
    let identity = match sequencer::identity(&store) {
        Ok(identity) => identity,
        Err(OpenError::Store(error)) => return unreadable(error),
        Err(other) => return Ok(damaged(&other.into())),
    };
    same_name(log, &identity)?;
    let (keyring, signer) = match Keyring::open(&store, master, &identity.origin) {
        Ok(keys) => keys,
        Err(KeyError::Store(error)) => return unreadable(error),
        Err(missing @ KeyError::Missing { .. }) => return Ok(damaged(&missing.into())),
        Err(other) => return Err(other.into()),
    };
    let subject = fsck::Subject {
        store: &store,
        keyring: &keyring,
        verifier: signer.verifier(),
        outside: outside::read_checkpoint(&directory)?,
    };
    // Twice over the log: leaves, then records. A log whose tip does not read is soon checked.
    let size = sequencer::tip(&store).map_or(0, |tip| tip.size.get());
    let bar = show::progress(size.saturating_mul(2), "checking");
    let (mut before, mut last) = (0u64, 0);
    let mut report = fsck::check(&subject, &mut |done| {
        if done < last {
            before = size;
        }
        last = done;
        bar.set_position(before.saturating_add(done));
    });
    bar.finish_and_clear();
    // `init` writes it and nothing removes it; without it a store that was rolled back would not show.
    if subject.outside.is_none() {
        report.damages.push(Damage::Checkpoint {
            which: "checkpoint beside the database".to_owned(),
            why: "is missing".to_owned(),
        });
        report.damaged += 1;
    }
    Ok(report)
}

/// Keeps writers away as long as it is held. A copy without its lock file has no writer.
pub(super) fn lock(directory: &Path) -> Result<Option<File>> {
    let attempt = || format!("lock {}", directory.display());
    let file = match File::open(directory.join("lock")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(attempt)?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(directory.to_owned()).into()),
        Err(TryLockError::Error(error)) => Err(error).with_context(attempt),
    }
}

fn same_name(log: &LogId, identity: &Identity) -> Result<()> {
    if identity.log != *log {
        bail!(
            "the log in the folder of {log} calls itself {}",
            identity.log
        );
    }
    Ok(())
}

/// Why a store that is there does not open: its bytes are damaged, or it could not be tried.
fn unreadable(error: StoreError) -> Result<Report> {
    let is_damage = match &error {
        StoreError::Corrupt(_)
        | StoreError::Row { .. }
        // Its `format` file is there, so the database was.
        | StoreError::Missing(_)
        | StoreError::Engine(_) => true,
        // A file of the database is gone: the engine gives no kind, only these words.
        StoreError::Io { source, .. } => source.to_string().contains("No such file"),
        StoreError::Exists(_)
        | StoreError::InUse(_)
        | StoreError::ReadOnly(_)
        | StoreError::DiskFull
        | StoreError::Version { .. }
        | StoreError::Stopped => false,
    };
    let error = anyhow::Error::from(error);
    if is_damage {
        Ok(damaged(&error))
    } else {
        Err(error)
    }
}

fn damaged(error: &anyhow::Error) -> Report {
    let damage = Damage::Unreadable {
        family: "store",
        why: super::chain(error),
    };
    Report {
        damages: vec![damage],
        damaged: 1,
        ..Report::default()
    }
}

/// The report in words.
pub(super) fn tell(log: &LogId, report: &Report, out: &mut impl Write) -> Result<()> {
    for (count, what) in [
        (report.leaves, "leaves rehashed into the tree"),
        (report.tiles, "tiles compared with it"),
        (report.checkpoints, "checkpoints verified"),
        (report.intervals, "intervals, none missing between them"),
        (
            report.records,
            "records opened and checked against their leaves",
        ),
        (report.content_bytes, "bytes of content read and digested"),
        (report.postings, "terms of the index compared"),
        (report.client_keys, "client keys looked up"),
        (
            report.holds,
            "holds, compared with the leaves that speak of them",
        ),
    ] {
        writeln!(out, "{count:>12}  {what}")?;
    }
    if report.staged_uploads > 0 {
        let swept = "unfinished uploads, swept when the log is next opened";
        writeln!(out, "{:>12}  {swept}", report.staged_uploads)?;
    }
    if let Some(root) = &report.root {
        writeln!(out, "Root hash, recomputed: {root}")?;
    }
    for damage in &report.damages {
        writeln!(out, "damaged: {}", show::printable(&damage.to_string()))?;
    }
    let unnamed = report.damaged.saturating_sub(report.damages.len() as u64);
    if unnamed > 0 {
        writeln!(out, "and {unnamed} more")?;
    }
    match report.damaged {
        0 => writeln!(out, "Log {log} is clean.")?,
        1 => writeln!(out, "Log {log} is DAMAGED in one place.")?,
        many => writeln!(out, "Log {log} is DAMAGED in {many} places.")?,
    }
    Ok(())
}

fn to_json(log: &LogId, report: &Report) -> serde_json::Value {
    let damages: Vec<String> = report.damages.iter().map(Damage::to_string).collect();
    json!({
        "log": log.as_str(),
        "clean": report.is_clean(),
        "leaves": report.leaves,
        "tiles": report.tiles,
        "checkpoints": report.checkpoints,
        "intervals": report.intervals,
        "records": report.records,
        "content_bytes": report.content_bytes,
        "postings": report.postings,
        "client_keys": report.client_keys,
        "erased": report.erased,
        "holds": report.holds,
        "staged_uploads": report.staged_uploads,
        "root": report.root.map(|root| root.to_string()),
        "damaged": report.damaged,
        "damages": damages,
    })
}
