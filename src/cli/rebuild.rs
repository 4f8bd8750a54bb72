//! `rebuild`: a log made again from packages, contents and secrets alone.

use super::{Answer, key, show};
use crate::archive::Settings;
use crate::rebuild::{self, Rebuilt, Sources};
use crate::server;
use crate::server::config::Config;
use anyhow::{Context as _, Result};
use serde_json::json;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

/// What `rebuild` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// A folder of packages, or a package, as it lies at rest or was handed out; may be given again
    #[arg(long, value_name = "DIR", required = true)]
    from: Vec<PathBuf>,
    /// The folder that export wrote contents into
    #[arg(long, value_name = "DIR")]
    contents: PathBuf,
    /// The folder that export wrote secrets into
    #[arg(long, value_name = "DIR")]
    secrets: PathBuf,
    /// File of the master key
    #[arg(long, value_name = "FILE")]
    master_key: PathBuf,
    /// The data directory to make the log in
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// The newest checkpoint of the log that somebody holds (a witness, a monitor, a client, the file beside the old
    /// database); may be given again
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "without_checkpoint"
    )]
    checkpoint: Vec<PathBuf>,
    /// Nobody holds a checkpoint: the log may be behind what it signed, and fork
    #[arg(long, conflicts_with = "checkpoint")]
    without_checkpoint: bool,
    /// The configuration of the service, for when intervals are cut from here on
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
Everything is checked before the log may be opened: leaves against signed checkpoints, lines and contents against
leaves, packages against the leaves that closed them and against each other. What is damaged or missing is named,
and no usable log is left. A run that broke off begins anew.

The log goes on: a new epoch and the restore are its next leaves. It does not where a checkpoint that somebody
holds is ahead of what is at hand: that log would be a fork of itself.

Exit status: 0 the log is there and may be served; 2 it is not: one line says why.";

const NOTE_BYTES_MAX: u64 = 1 << 16;

/// Builds, and tells what.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    key::outside(&arguments.into, &arguments.master_key)?;
    let master = key::read(&arguments.master_key)?;
    let settings = match &arguments.config {
        None => Settings::default(),
        Some(path) => server::settings(&Config::read(path)?)?,
    };
    let known = arguments.checkpoint.iter().map(|path| note(path));
    let known: Vec<_> = known.collect::<Result<_>>()?;
    let sources = Sources {
        packages: &arguments.from,
        contents: &arguments.contents,
        secrets: &arguments.secrets,
        known: &known,
    };
    let bar = show::progress(0, "rebuilding");
    let built = rebuild::rebuild(
        &sources,
        &arguments.into,
        &master,
        &settings,
        &|done, all| {
            bar.set_length(all);
            bar.set_position(done);
        },
    );
    bar.finish_and_clear();
    let built = built?;
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", show::json(&to_json(&built)))?,
        false => tell(&built, &mut out)?,
    }
    Ok(Answer::Yes)
}

fn note(path: &Path) -> Result<(String, Vec<u8>)> {
    let attempt = || format!("read {}", path.display());
    let file = std::fs::File::open(path).with_context(attempt)?;
    let mut note = Vec::new();
    let read = file.take(NOTE_BYTES_MAX).read_to_end(&mut note);
    read.with_context(attempt)?;
    Ok((path.display().to_string(), note))
}

fn to_json(built: &Rebuilt) -> serde_json::Value {
    json!({
        "log": built.log.as_str(),
        "origin": built.origin.as_str(),
        "verifier_key": built.verifier.to_string(),
        "directory": built.directory.display().to_string(),
        "size": built.size.get(),
        "root": built.root.to_string(),
        "packages": built.packages,
        "intervals": built.intervals,
        "records_of_log_files": built.lines,
        "records_of_contents": built.rows,
        "records_gone": built.gone,
        "content_bytes": built.content_bytes,
        "known_checkpoint": built.known.map(|size| size.get()),
        "restored": built.restored.get(),
    })
}

fn tell(built: &Rebuilt, out: &mut impl Write) -> Result<()> {
    for (count, what) in [
        (
            built.size.get(),
            "leaves, under the checkpoints that were signed",
        ),
        (built.packages, "packages, each the one that its leaf names"),
        (built.intervals, "intervals, the open one among them"),
        (
            built.lines,
            "records of log files, checked against their leaves",
        ),
        (
            built.rows,
            "records of contents, opened and checked likewise",
        ),
        (
            built.gone,
            "records that were disposed of or erased, as their leaves say",
        ),
        (built.content_bytes, "bytes of content read and digested"),
    ] {
        writeln!(out, "{count:>12}  {what}")?;
    }
    writeln!(out, "Root hash: {}", built.root)?;
    match built.known {
        Some(size) => writeln!(out, "Held against a checkpoint of {size} leaves.")?,
        None => writeln!(out, "Held against NO checkpoint.")?,
    }
    let folder = show::printable(&built.directory.display().to_string());
    writeln!(
        out,
        "Log {} stands in {folder}; its restore is leaf {}.",
        built.log, built.restored
    )?;
    Ok(())
}
