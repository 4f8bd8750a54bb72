//! `import-log`: log files of providers into a served archive; with `--migration`, those of an older one.
//!
//! ```text
//! walk ─▶ plan: format, time-stamp beside it, parts ─▶ ImportLog, one part at a time ─▶ check ─▶ acknowledged
//! ```
//!
//! # Invariants
//! 1. Memory does not grow with files nor with what is in them, except for what is read of the file of
//!    acknowledgements.
//! 2. A file counts as imported when its acknowledgement was checked and all its records are durable. Only then it
//!    has a line in the file of acknowledgements, and is skipped from then on.
//! 3. Interrupted anywhere, it is done again: the archive recognises the file and each record in it.

mod plan;
mod send;

use super::import::acknowledged::{Acknowledgements, Checked, Known};
use super::import::read::Item;
use super::import::walk;
use super::show::Voice;
use super::{Answer, proven, remote, show};
use anyhow::{Context as _, Error, Result};
use ceralacca_formats::note::VerifierKey;
use plan::{Job, Part};
use remote::{Remote, RemoteError, Verdict};
use send::Sent;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// What `import-log` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Log files, signed (.p7m) or not, and folders of them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Format of the files; not needed where their names tell. Known: milter
    #[arg(long, value_name = "NAME", value_parser = plan::format)]
    format: Option<&'static str>,
    /// The day they are of, yyyy-mm-dd; not needed where their names tell
    #[arg(long, value_name = "DATE", value_parser = plan::date)]
    date: Option<String>,
    /// They come from an older archive: index of the declaration that `migrate` gave
    #[arg(long, value_name = "INDEX")]
    migration: Option<u64>,
    /// Larger files go in as parts of at most so many bytes, cut between records
    #[arg(long, value_name = "BYTES", default_value_t = 128_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    part_bytes: u64,
    /// Where acknowledgements are kept, and found when the import is repeated
    #[arg(
        long,
        value_name = "FILE",
        default_value = "ceralacca-import-log.jsonl"
    )]
    acknowledgements: PathBuf,
    /// How often in a row to try again what fails for now
    #[arg(long, value_name = "N", default_value_t = 10)]
    retries: u32,
    /// Report as JSON Lines: one for each part, and one for all
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: proven::KeyArguments,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
A file is archived as it came, and each record in it becomes a trace record that names the file's
leaf and its own octets. What is not understood stays in the file, counted and told. Folders give
all files below them but time-stamps (.tsr, .tst, .p7). Links are not followed.

With --migration, the old time-stamp of a file is looked for beside it: its name with .tsr
(TimeStampResp), .tst or .p7 (TimeStampToken) after it, or instead of its ending. It is verified
over the file's exact bytes. Where it holds, the term of what the file has of the declared interval
runs from it; where it does not, or there is none, from here. Such a file is never cut into parts.

Exit status: 0 all imported, with lines that are not understood too; 1 some refused or not
readable, named on standard error; 2 it could not go on.";

/// The first pause before trying again; each is twice the one before, up to the longest.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What came of it all.
#[derive(Default)]
struct Totals {
    files: u64,
    repeated: u64,
    skipped: u64,
    refused: u64,
    unreadable: u64,
    ignored: u64,
    recorded: u64,
    records_repeated: u64,
    left: u64,
    migrated: u64,
    unread: u64,
}

/// What is told once, and used for every file.
struct Session<'a> {
    arguments: &'a Arguments,
    remote: Remote,
    origin: String,
    key: Option<VerifierKey>,
    known: Known,
    voice: Voice,
}

/// Imports and reports.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let key = arguments.key.read()?;
    for path in &arguments.paths {
        let there = path.symlink_metadata();
        there.with_context(|| path.display().to_string())?;
    }
    let totals = remote::run(async {
        let remote = arguments.remote.connect().await?;
        let origin = remote.checkpoint().await?.origin;
        let file = &arguments.acknowledgements;
        let (mut acknowledgements, known) = Acknowledgements::open(file, &origin)?;
        let session = Session {
            voice: Voice::new("imported", walk::bytes(&arguments.paths)),
            arguments,
            remote,
            origin,
            key,
            known,
        };
        let imported = session.import(&mut acknowledgements).await;
        session.voice.end();
        acknowledgements.sync()?;
        imported
    })?;
    let mut out = std::io::stdout().lock();
    totals.tell(arguments, &mut out)?;
    let whole = totals.refused == 0 && totals.unreadable == 0;
    Ok(if whole { Answer::Yes } else { Answer::No })
}

impl Session<'_> {
    async fn import(&self, acknowledgements: &mut Acknowledgements) -> Result<Totals> {
        let (mut totals, own) = (Totals::default(), acknowledgements.identity()?);
        for path in &self.arguments.paths {
            let found = plan::files(path, own);
            totals.ignored += found.ignored;
            for (path, error) in found.unreadable {
                totals.unreadable += 1;
                self.complain("not read", &path.display().to_string(), &error);
            }
            for path in found.files {
                let job = Job::of(&path, self.arguments);
                let parts = job.and_then(|job| Ok((job.parts(self.arguments.part_bytes)?, job)));
                let (parts, job) = match parts {
                    Ok(parts) => parts,
                    Err(error) => {
                        totals.unreadable += 1;
                        self.complain("not read", &path.display().to_string(), &error);
                        continue;
                    }
                };
                for part in &parts {
                    self.part(&job, part, acknowledgements, &mut totals).await?;
                }
            }
        }
        Ok(totals)
    }

    /// Imports a part, or a whole file, unless it is acknowledged already.
    async fn part(
        &self,
        job: &Job,
        part: &Part,
        acknowledgements: &mut Acknowledgements,
        totals: &mut Totals,
    ) -> Result<()> {
        let item = Item::named(job.shown(), part.offset(), part.digest, job.path.clone());
        let digest = part.digest;
        if self
            .known
            .has(&item.path, item.offset, digest.bytes, &digest.sha256)
        {
            totals.skipped += 1;
            self.voice.count(digest.bytes);
            return Ok(());
        }
        let mut failures = 0;
        let sent = loop {
            let error = match send::part(self, job, part, &item).await {
                Ok(sent) => break sent,
                Err(send::Failure::Unreadable(error)) => {
                    totals.unreadable += 1;
                    self.complain("not read", &item.path, &error.into());
                    return Ok(());
                }
                Err(send::Failure::NotHeld(error)) => return Err(error),
                Err(send::Failure::Remote(error)) => error,
            };
            match error.verdict {
                Verdict::Refused => {
                    totals.refused += 1;
                    self.complain("refused", &item.path, &error.into());
                    return Ok(());
                }
                Verdict::Later if failures < self.arguments.retries => {
                    let doubled = PAUSE.saturating_mul(1 << failures.min(16));
                    failures += 1;
                    tokio::time::sleep(doubled.min(PAUSE_MAX)).await;
                }
                Verdict::Later | Verdict::Never => return Err(self.ended(error, totals)),
            }
        };
        acknowledgements.append(&[sent.checked(&item)], &sent.file.checkpoint)?;
        totals.add(&sent);
        self.tell(job, &sent)
    }

    fn ended(&self, error: RemoteError, totals: &Totals) -> Error {
        let done = totals.files + totals.repeated;
        Error::new(error).context(format!("stopped after {done} files, run again to go on"))
    }

    fn complain(&self, what: &str, path: &str, error: &Error) {
        let path = show::printable(path);
        self.voice.say(&format!("{what}: {path}: {error:#}"));
    }

    /// What came of a part.
    fn tell(&self, job: &Job, sent: &Sent) -> Result<()> {
        let (facts, refusal) = (sent.facts(), &sent.file.token_refusal);
        if self.arguments.json {
            let line = json!({
                "path": job.path.display().to_string(),
                "id": sent.acknowledgement().id,
                "repeated": sent.acknowledgement().repeated,
                "signature": sent.acknowledgement().signature,
                "unclassified": sent.acknowledgement().unclassified,
                "records": sent.records.recorded,
                "records_repeated": sent.records.repeated,
                "records_left": sent.records.left,
                "records_migrated": sent.records.migrated,
                "entries": facts.entries,
                "unread": facts.unread,
                "unread_bytes": facts.unread_bytes,
                "part": facts.piece.as_ref().map(|piece| piece.number),
                "time_stamp": job.token_name(),
                "time_stamp_refusal": refusal,
                "proven_ms": sent.file.migrated.as_ref().and_then(|m| m.gen_ms),
                "file_is_migrated": sent.file.file_is_migrated,
            });
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", show::json(&line))?;
        }
        if facts.unread > 0 {
            let (count, bytes) = (facts.unread, facts.unread_bytes);
            let text =
                format!("{count} stretches of {bytes} bytes not understood, kept in the file");
            self.voice
                .say(&format!("{}: {text}", show::printable(&job.shown())));
        }
        if job.is_migrated()
            && sent
                .file
                .migrated
                .as_ref()
                .is_none_or(|m| m.gen_ms.is_none())
        {
            let why = match (refusal.as_str(), job.token_name()) {
                ("", None) => "no time-stamp beside it".to_owned(),
                // A repeated import: the reason was told when it was recorded.
                ("", Some(_)) => "its time-stamp was not verified when it was recorded".to_owned(),
                (code, _) => format!("its time-stamp proves nothing ({code})"),
            };
            let path = show::printable(&job.shown());
            self.voice
                .say(&format!("{path}: {why}, the term runs from here"));
        }
        Ok(())
    }
}

impl Totals {
    fn add(&mut self, sent: &Sent) {
        match sent.acknowledgement().repeated {
            true => self.repeated += 1,
            false => self.files += 1,
        }
        self.recorded += sent.records.recorded;
        self.records_repeated += sent.records.repeated;
        self.left += sent.records.left;
        self.migrated += sent.records.migrated;
        self.unread += sent.facts().unread;
    }

    fn tell(&self, arguments: &Arguments, out: &mut impl Write) -> Result<()> {
        let file = arguments.acknowledgements.display().to_string();
        if arguments.json {
            let all = json!({
                "files": self.files,
                "files_repeated": self.repeated,
                "files_skipped": self.skipped,
                "records": self.recorded,
                "records_repeated": self.records_repeated,
                "records_left": self.left,
                "records_migrated": self.migrated,
                "unread": self.unread,
                "refused": self.refused,
                "unreadable": self.unreadable,
                "ignored": self.ignored,
                "acknowledgements": file,
            });
            writeln!(out, "{}", show::json(&all))?;
            return Ok(());
        }
        for (count, what) in [
            (self.files, "files archived"),
            (self.recorded, "records recorded"),
            (
                self.repeated,
                "files recognised by the archive, recorded before",
            ),
            (self.records_repeated, "records recognised, recorded before"),
            (
                self.skipped,
                "files skipped, acknowledged in the file already",
            ),
            (self.migrated, "records within the declared interval"),
            (self.unread, "stretches not understood, kept in their files"),
            (
                self.left,
                "records too large for metadata, kept in their files",
            ),
            (self.refused, "REFUSED"),
            (self.unreadable, "NOT READABLE"),
            (self.ignored, "ignored: links, devices, time-stamps"),
        ] {
            let always = matches!(what, "files archived" | "records recorded");
            if count > 0 || always {
                writeln!(out, "{count:>12}  {what}")?;
            }
        }
        writeln!(out, "Acknowledgements in {}.", show::printable(&file))?;
        Ok(())
    }
}
