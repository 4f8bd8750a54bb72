//! `import`: mail into a served archive, and every acknowledgement checked and kept.
//!
//! ```text
//! walk ─▶ mbox ─▶ read (a thread) ─▶ channel of batches ─▶ send ─▶ check ─▶ acknowledged (JSON Lines)
//! ```
//!
//! # Invariants
//! 1. Memory does not grow with the number of messages, except for what is read of the file of acknowledgements,
//!    nor with their size.
//! 2. Nothing counts as archived before its acknowledgement was checked.
//! 3. Interrupted anywhere, it goes on where it was: what has a line in the file is not sent again, what was sent
//!    and has none is recognised by the archive (during the interval it was recorded in and the next).

pub(super) mod acknowledged;
pub(super) mod check;
pub mod kept;
mod mbox;
pub(super) mod read;
mod send;
pub(super) mod walk;

use super::show::Voice;
use super::{Answer, proven, remote, show};
use crate::ambient::{Clock, SystemClock};
use acknowledged::{Acknowledgements, Known};
use anyhow::{Context as _, Result, bail};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::ProvenRecord;
use remote::Remote;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;

/// What `import` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Files, folders, Maildirs, mboxes
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Where acknowledgements are kept, and found when the import is repeated
    #[arg(long, value_name = "FILE", default_value = "ceralacca-import.jsonl")]
    acknowledgements: PathBuf,
    /// How often in a row to try again what fails for now
    #[arg(long, value_name = "N", default_value_t = 10)]
    retries: u32,
    /// Report as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: proven::KeyArguments,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
Every file is a message, whatever its name. A folder gives all files below it; a Maildir (a
folder with cur and new) what is in these two, and its subfolders that are Maildirs. A file
outside a Maildir that begins with \"From \" is an mbox: a message begins at every line \"From \"
that begins the file or follows an empty line; one empty line before it belongs to the mbox; of
every line of one or more \">\" before \"From \" one \">\" is taken off (mboxrd). Links are not
followed.

The file of acknowledgements is JSON Lines: path, offset in an mbox, length, SHA-256, id, time,
repeated, unclassified, and of each record index, kind, class, leaf, opening and digests; then
the checkpoints that cover them. Keep it: it is what you hold against the archive. Run again with
the same file, from the same folder, the import goes on where it was. Without that file the
archive recognises a message for a day or two, and then records it once more.

Exit status: 0 all archived, those not understood included; 1 some refused or not readable,
named on standard error; 2 it could not go on.";

/// Batches read ahead.
const AHEAD: usize = 2;

/// What came of it all.
struct Report {
    read: read::Tally,
    sent: send::Tally,
    passed: Duration,
}

/// Imports and reports.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let key = arguments.key.read()?;
    for path in &arguments.paths {
        let there = path.symlink_metadata();
        let there = there.with_context(|| path.display().to_string())?;
        if there.is_symlink() {
            bail!("{} is a link, and links are not followed", path.display());
        }
    }
    let clock = SystemClock::default();
    let report = remote::run(async {
        let remote = arguments.remote.connect().await?;
        let origin = match (remote.checkpoint().await, &key) {
            // What is held back from auditors is recorded all the same.
            (Err(error), Some(key)) if error.reason == "NOT_WITNESSED" => key.name().to_owned(),
            (answer, _) => answer?.origin,
        };
        let file = &arguments.acknowledgements;
        let (mut acknowledgements, known) = Acknowledgements::open(file, &origin)?;
        let context = (&remote, origin.as_str(), key.as_ref());
        let imported = import(arguments, context, &mut acknowledgements, known).await;
        acknowledgements.sync()?;
        let (read, sent) = imported?;
        let passed = clock.monotone();
        Ok(Report { read, sent, passed })
    })?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", show::json(&report.to_json(arguments)))?;
    } else {
        report.tell(arguments, &mut out)?;
    }
    let whole = report.sent.refused.is_empty() && report.unreadable() == 0;
    Ok(if whole { Answer::Yes } else { Answer::No })
}

async fn import(
    arguments: &Arguments,
    (remote, origin, key): (&Remote, &str, Option<&VerifierKey>),
    acknowledgements: &mut Acknowledgements,
    known: Known,
) -> Result<(read::Tally, send::Tally)> {
    let voice = Voice::new("acknowledged", walk::bytes(&arguments.paths));
    let (to, works) = mpsc::channel(AHEAD);
    let reader = read::Reader {
        known,
        own: acknowledgements.identity()?,
        to,
        voice: voice.clone(),
    };
    let paths = arguments.paths.clone();
    let reading = std::thread::spawn(move || reader.read(&paths));
    let mut tally = send::Tally::default();
    let mut sender = send::Sender {
        remote,
        origin,
        key,
        acknowledgements,
        tally: &mut tally,
        voice: &voice,
        retries: arguments.retries,
        failures: 0,
    };
    // It takes the channel with it: when it fails, the reader finds nobody and ends.
    let sent = sender.send(works).await;
    let read = reading.join();
    voice.end();
    let done = tally.archived + tally.repeated;
    sent.with_context(|| format!("stopped after {done} acknowledgements, run again to go on"))?;
    match read {
        Ok(read) => Ok((read, tally)),
        Err(_) => bail!("the reader failed"),
    }
}

impl Report {
    fn unreadable(&self) -> u64 {
        self.read.unreadable + self.sent.unreadable
    }

    fn tell(&self, arguments: &Arguments, out: &mut impl Write) -> Result<()> {
        let (read, sent) = (&self.read, &self.sent);
        let refused: u64 = sent.refused.values().sum();
        let unclassified: u64 = sent.unclassified.values().sum();
        let none = &BTreeMap::new();
        for (count, what, reasons) in [
            (sent.archived, "archived", none),
            (
                sent.repeated,
                "recognised by the archive, recorded before",
                none,
            ),
            (
                read.skipped,
                "skipped, acknowledged in the file already",
                none,
            ),
            (
                unclassified,
                "of those sent not understood, archived as received",
                &sent.unclassified,
            ),
            (refused, "REFUSED", &sent.refused),
            (self.unreadable(), "NOT READABLE", none),
            (
                read.ignored,
                "ignored: links, devices, other files of Maildirs",
                none,
            ),
        ] {
            let always = what == "archived";
            if count > 0 || always {
                writeln!(out, "{count:>12}  {what}")?;
            }
            for (reason, count) in reasons {
                writeln!(out, "{:>12}  {count:>12}  {}", "", show::printable(reason))?;
            }
        }
        let (bytes, seconds) = (sent.bytes, self.passed.as_secs_f64());
        let file = arguments.acknowledgements.display().to_string();
        writeln!(
            out,
            "{bytes} bytes in {seconds:.1} s. Acknowledgements in {}.",
            show::printable(&file)
        )?;
        Ok(())
    }

    fn to_json(&self, arguments: &Arguments) -> Value {
        json!({
            "archived": self.sent.archived,
            "repeated": self.sent.repeated,
            "skipped": self.read.skipped,
            "unclassified": self.sent.unclassified,
            "refused": self.sent.refused,
            "unreadable": self.unreadable(),
            "ignored": self.read.ignored,
            "bytes": self.sent.bytes,
            "seconds": self.passed.as_secs_f64(),
            "acknowledgements": arguments.acknowledgements.display().to_string(),
        })
    }
}
