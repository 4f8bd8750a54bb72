//! `export`: what a log is rebuilt from beside its packages, written from a log at rest.

use super::{Answer, fsck, show};
use crate::archive::Archive;
use crate::rebuild::export::{self, Summary};
use crate::sequencer;
use crate::store::outside;
use crate::store::rocks::{Mode, RocksStore};
use anyhow::{Context as _, Result, ensure};
use ceralacca_formats::id::LogId;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `export` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Name of the log
    #[arg(long, value_name = "ID", value_parser = super::log_id)]
    log: LogId,
    /// Folder for contents and what no package holds yet; what it has of them stays
    #[arg(long, value_name = "DIR", required_unless_present = "secrets")]
    contents: Option<PathBuf>,
    /// Folder for the wrapped secrets, in a place of its own
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
The log must not be in use. Contents are written as they are stored, encrypted, and secrets wrapped: no key is
needed. Keep the two apart: whoever has contents, secrets and the master key reads all of it. Secrets are not
to be kept once their class was disposed of: replace their copies, do not collect them.

With the packages of the closed intervals, rebuild makes the log again from the two.";

/// Writes, and tells what.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let (contents, secrets) = (&arguments.contents, &arguments.secrets);
    let apart = contents.is_none() || contents != secrets;
    ensure!(apart, "contents and secrets go into folders of their own");
    let directory = Archive::directory_of(&arguments.data, &arguments.log);
    outside::check_format(&directory)?;
    let _lock = fsck::lock(&directory)?;
    let store = RocksStore::open(&outside::database_of(&directory), Mode::Read)?;
    let checkpoint = outside::read_checkpoint(&directory)?;
    let checkpoint = checkpoint.and_then(|note| String::from_utf8(note).ok());
    let checkpoint = checkpoint.context("no checkpoint beside the database: run fsck")?;
    let log = export::Log {
        store: &store,
        checkpoint: &checkpoint,
    };
    let size = sequencer::tip(&store)?.size.get();
    let written = contents.as_ref().map(|to| {
        let bar = show::progress(size, "exporting");
        let written = export::contents(&log, to, &mut |done| bar.set_position(done));
        bar.finish_and_clear();
        written
    });
    let written = written.transpose()?;
    let wrapped = secrets.as_ref().map(|to| export::secrets(&log, to));
    let wrapped = wrapped.transpose()?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let shown = |summary: Summary| json!({ "files": summary.files, "bytes": summary.bytes, "kept": summary.kept });
        let answer = json!({
            "log": arguments.log.as_str(),
            "size": size,
            "contents": written.map(shown),
            "secrets": wrapped.map(shown),
        });
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(Answer::Yes);
    }
    let both = [("Contents", written), ("Secrets", wrapped)];
    for (what, summary) in both.into_iter().filter_map(|(w, s)| Some((w, s?))) {
        writeln!(
            out,
            "{what} of {} leaves: {} files, {} bytes; {} were there already.",
            summary.size, summary.files, summary.bytes, summary.kept
        )?;
    }
    Ok(Answer::Yes)
}
