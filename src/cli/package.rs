//! `package`: receipts given again for a court: objects, pages, proofs, signed and time-stamped, in one file; or the
//! proof that there is none.
//!
//! # Invariants
//! 1. The file appears only when the stream ended well; nothing that is there is replaced.
//! 2. What arrived is read back by its layout before it is said to be there; `verify` says what it proves.

use super::output::{Existing, Output};
mod portal;

use super::remote::{self, Pieces, Remote, RemoteError};
use super::v1::get_package_response::Part;
use super::{Answer, show, v1, waiting};
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_evidence::asic::{self, Container, FileName, Files};
use ceralacca_formats::id::UtcMillis;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

/// What `package` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// All records of the transactions found, not only those that match
    #[arg(long)]
    whole_transaction: bool,
    /// Who asks, as the provider identified him
    #[arg(long, value_name = "NAME")]
    requester: String,
    /// In which capacity
    #[arg(long, value_enum)]
    capacity: Capacity,
    /// The act under which it is asked: order, number, date; of a holder, the written request
    #[arg(long, value_name = "ACT")]
    act: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    purpose: String,
    /// Language of the pages
    #[arg(long, value_enum, default_value = "it")]
    language: Language,
    /// ASiC-E, plain ZIP, or a folder of single files
    #[arg(long, value_enum, default_value = "asice")]
    form: Form,
    /// The file to write, or the new folder
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Also lays the files of a folder into sendings that a portal takes, beside it: PATH-invio-01, …
    #[arg(long, value_enum)]
    portal: Option<portal::Portal>,
    #[command(flatten)]
    seal: waiting::Arguments,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// Which records: those under all that is given.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Which {
    /// Index of an object, or of the trace record of its facts
    #[arg(long, value_name = "N")]
    index: Option<u64>,
    /// The transaction
    #[arg(long, value_name = "ID")]
    identificativo: Option<String>,
    /// The Message-ID the author's client gave
    #[arg(long, value_name = "ID")]
    msgid: Option<String>,
    /// A receipt's or object's own Message-ID
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// Sender
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// Recipient
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
    /// Sender or recipient
    #[arg(long, value_name = "ADDRESS")]
    party: Option<String>,
    /// Events from this instant on (RFC 3339)
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    from: Option<i64>,
    /// Events before this instant
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    until: Option<i64>,
}

fn instant(text: &str) -> Result<i64, String> {
    show::instant(text).ok_or_else(|| "not an instant of RFC 3339".to_owned())
}

/// In which capacity somebody asks.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Capacity {
    Holder,
    Court,
    Authority,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Language {
    It,
    En,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Form {
    Asice,
    Zip,
    Folder,
}

const HELP: &str = "\
Status 0: the package is written. 1: nothing is held, proven by closed intervals; the file written says so. 3: nothing
is shown, be it there or not. 4: not yet: an interval is not closed. 5: disposed of at its term; the file written holds
the certificates. 6: nothing found, and nothing proven: only the absence of an identificativo is. 2: it cannot be done.

--json: written, held, and of what is written path, name, files, disclosure_leaf, development; of a package records,
objects, sealed, and with --portal sendings (names) and refused (name, why); where nothing is held intervals, closed,
proven_from_ms, proven_until_ms; always disposed (interval_ms, class, carried, certificate: its file, or null). Where
nothing is written: why (reason), message.";

/// The head of what came.
enum Head {
    Package(v1::PackageHead),
    Nothing(v1::NothingHead),
    Disposed(v1::DisposedHead),
}

/// Asks, takes, looks.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    ensure!(
        arguments.portal.is_none() || arguments.form == Form::Folder,
        "a portal takes neither ASiC-E nor ZIP: ask with --form folder"
    );
    ensure!(
        arguments.out.symlink_metadata().is_err(),
        "{} is there already",
        arguments.out.display()
    );
    let taken = remote::run_until_interrupted(async {
        let remote = arguments.remote.connect().await?;
        let (head, mut pieces) = arguments.seal.ask(|| ask(&remote, arguments)).await?;
        take(&mut pieces, &arguments.container()).await?;
        Ok(head)
    });
    let head = match taken {
        Ok(head) => head,
        Err(error) => return refused(arguments, error),
    };
    let files = look(&arguments.container())?;
    let mut plan = None;
    if arguments.form == Form::Folder {
        let container = arguments.container();
        unpack(&container, &arguments.out)?;
        std::fs::remove_file(&container).context("remove the ZIP")?;
        let portal = arguments.portal.as_ref();
        plan = portal
            .map(|portal| portal.lay(&arguments.out))
            .transpose()?;
    }
    match head {
        Head::Package(head) => {
            tell(arguments, &head, files, plan.as_ref())?;
            Ok(Answer::Yes)
        }
        Head::Nothing(head) => {
            tell_nothing(arguments, &head, files)?;
            Ok(match head.disposed.is_empty() {
                true => Answer::No,
                false => Answer::Disposed,
            })
        }
        Head::Disposed(head) => {
            tell_disposed(arguments, &head, files)?;
            Ok(Answer::Disposed)
        }
    }
}

/// Nothing was written: a refusal that says how things stand is an answer, any other is a failure.
fn refused(arguments: &Arguments, error: anyhow::Error) -> Result<Answer> {
    let Some(refusal) = error.downcast_ref::<RemoteError>() else {
        return Err(error);
    };
    let (answer, words) = match refusal.reason.as_str() {
        "NOT_SHOWN" => (Answer::NotShown, "NOT SHOWN: there is nothing for you here"),
        "NOTHING_FOUND" => (
            Answer::NotFound,
            "NOTHING FOUND: nothing recorded matches; only the absence of an identificativo is proven",
        ),
        _ if waiting::is_not_yet(refusal) => (
            Answer::NotYet,
            "NOT YET: an interval asked of is not closed; ask again after its end, or with --wait-seal",
        ),
        _ => return Err(error),
    };
    let mut out = std::io::stdout().lock();
    let end = refusal.number("end_ms");
    if arguments.json {
        let told = json!({
            "written": false,
            "held": null,
            "why": refusal.reason,
            "message": refusal.to_string(),
            "end_ms": end,
        });
        writeln!(out, "{}", show::json(&told))?;
    } else if let Some(end) = end {
        let end = show::utc(UtcMillis::new(end));
        writeln!(out, "{words}. It ends at {end}.")?;
    } else {
        writeln!(out, "{words}.")?;
    }
    Ok(answer)
}

impl Arguments {
    /// Where the container is written.
    fn container(&self) -> PathBuf {
        match self.form {
            Form::Asice | Form::Zip => self.out.clone(),
            Form::Folder => {
                let mut name = self.out.clone().into_os_string();
                name.push(".zip");
                PathBuf::from(name)
            }
        }
    }

    /// The name for the commands, where it is one that they can have.
    fn file_name(&self) -> String {
        let name = self.out.file_name().and_then(|name| name.to_str());
        let name = name.filter(|name| FileName::new(name).is_ok());
        name.unwrap_or_default().to_owned()
    }

    fn request(&self) -> v1::GetPackageRequest {
        let which = &self.which;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        v1::GetPackageRequest {
            log: String::new(),
            index: which.index,
            identificativo: text(&which.identificativo),
            msgid: text(&which.msgid),
            message_id: text(&which.message_id),
            sender: text(&which.sender),
            recipient: text(&which.recipient),
            party: text(&which.party),
            event_from_ms: which.from,
            event_until_ms: which.until,
            whole_transaction: self.whole_transaction,
            requester: self.requester.clone(),
            capacity: match self.capacity {
                Capacity::Holder => v1::Capacity::Holder,
                Capacity::Court => v1::Capacity::Court,
                Capacity::Authority => v1::Capacity::Authority,
            }
            .into(),
            act: self.act.clone(),
            purpose: self.purpose.clone(),
            language: match self.language {
                Language::It => v1::Language::Italian,
                Language::En => v1::Language::English,
            }
            .into(),
            form: match self.form {
                Form::Asice => v1::PackageForm::Asice,
                Form::Zip => v1::PackageForm::Zip,
                Form::Folder => v1::PackageForm::Folder,
            }
            .into(),
            sealed_only: self.seal.wait_seal,
            file_name: self.file_name(),
        }
    }
}

async fn ask(
    remote: &Remote,
    arguments: &Arguments,
) -> Result<(Head, Pieces<v1::GetPackageResponse>)> {
    let mut pieces = remote.package(arguments.request()).await?;
    match pieces.next().await?.and_then(|piece| piece.part) {
        Some(Part::Head(head)) => Ok((Head::Package(head), pieces)),
        Some(Part::Nothing(head)) => Ok((Head::Nothing(head), pieces)),
        Some(Part::Disposed(head)) => Ok((Head::Disposed(head), pieces)),
        _ => bail!("the answer does not begin with its head"),
    }
}

async fn take(pieces: &mut Pieces<v1::GetPackageResponse>, path: &Path) -> Result<()> {
    let mut output = Output::create(path, Existing::Keep)?;
    let mut bytes = 0u64;
    while let Some(piece) = pieces.next().await? {
        let Some(Part::Chunk(chunk)) = piece.part else {
            bail!("the answer has something else among its bytes");
        };
        bytes = bytes.saturating_add(chunk.len() as u64);
        ensure!(
            bytes <= asic::BYTES_MAX,
            "the answer is longer than any package"
        );
        output.write(&chunk)?;
    }
    output.finish()
}

/// How many files there are, each as a manifest lists it.
pub(super) fn look(path: &Path) -> Result<usize> {
    let attempt = || format!("read package {}", path.display());
    let file = File::open(path).with_context(attempt)?;
    let mut container = Container::open(BufReader::new(file)).with_context(attempt)?;
    let verified = asic::verify(&mut container).with_context(attempt)?;
    if let Some(problem) = verified.problems.into_iter().next() {
        return Err(problem).with_context(attempt);
    }
    Ok(verified.digests.len())
}

/// Writes each file of a container into a new folder.
pub(super) fn unpack(path: &Path, to: &Path) -> Result<()> {
    let attempt = || format!("unpack into {}", to.display());
    let file = File::open(path).with_context(attempt)?;
    let mut container = Container::open(BufReader::new(file)).with_context(attempt)?;
    std::fs::create_dir(to).with_context(attempt)?;
    for name in container.names() {
        // The reader let pass only names that stay below the folder.
        let name = FileName::new(&name).with_context(attempt)?;
        let target = to.join(name.as_str());
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).with_context(attempt)?;
        }
        let mut file = File::create_new(&target).with_context(attempt)?;
        container
            .copy(name.as_str(), &mut file)
            .with_context(attempt)?;
        file.sync_all().with_context(attempt)?;
    }
    Ok(())
}

fn tell(
    arguments: &Arguments,
    head: &v1::PackageHead,
    files: usize,
    plan: Option<&portal::Laid>,
) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let path = arguments.out.display().to_string();
    if arguments.json {
        let mut answer = json!({
            "written": true,
            "held": true,
            "path": path,
            "name": head.file_name,
            "files": files,
            "records": head.records,
            "objects": head.objects,
            "sealed": head.sealed,
            "development": head.development,
            "disclosure_leaf": head.disclosure_leaf,
            "disposed": units(&head.disposed),
        });
        if let (Some(plan), Some(members)) = (plan, answer.as_object_mut()) {
            members.extend(plan.json());
        }
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(());
    }
    let (records, objects) = (head.records, head.objects);
    writeln!(
        out,
        "{records} records, {objects} objects, {files} files, in {}.",
        show::printable(&path)
    )?;
    if let Some(plan) = plan {
        plan.tell(&mut out)?;
    }
    tell_units(&head.disposed, &mut out)?;
    if !head.sealed {
        writeln!(
            out,
            "The seal is to follow: `ceralacca complete` adds it after the end of the interval."
        )?;
    }
    if head.development {
        writeln!(out, "{DEVELOPMENT}")?;
    }
    writeln!(
        out,
        "Disclosure recorded at leaf {}. LEGGIMI.txt and `ceralacca verify` say how to check it.",
        head.disclosure_leaf
    )?;
    Ok(())
}

const DEVELOPMENT: &str = "Signed or stamped by development keys: worth nothing in earnest.";

fn tell_nothing(arguments: &Arguments, head: &v1::NothingHead, files: usize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let path = arguments.out.display().to_string();
    if arguments.json {
        let answer = json!({
            "written": true,
            "held": false,
            "path": path,
            "name": head.file_name,
            "files": files,
            "intervals": head.intervals,
            "closed": head.closed,
            "proven_from_ms": head.proven_from_ms,
            "proven_until_ms": head.proven_until_ms,
            "disposed": units(&head.disposed),
            "development": head.development,
            "disclosure_leaf": head.disclosure_leaf,
        });
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(());
    }
    let at = |ms| show::utc(UtcMillis::new(ms));
    let (from, until) = (at(head.proven_from_ms), at(head.proven_until_ms));
    let (closed, intervals) = (head.closed, head.intervals);
    writeln!(
        out,
        "NOTHING HELD: no record from {from} to {until} ({closed} of {intervals} intervals are closed); the proof is in {}.",
        show::printable(&path)
    )?;
    tell_units(&head.disposed, &mut out)?;
    if head.development {
        writeln!(out, "{DEVELOPMENT}")?;
    }
    writeln!(
        out,
        "Disclosure recorded at leaf {}. `ceralacca verify` checks it.",
        head.disclosure_leaf
    )?;
    Ok(())
}

fn units(units: &[v1::DisposedUnit]) -> Vec<Value> {
    let unit = |unit: &v1::DisposedUnit| {
        let certificate = Some(&unit.certificate).filter(|file| !file.is_empty());
        json!({
            "interval_ms": unit.interval_ms,
            "class": unit.class,
            "carried": unit.carried,
            "certificate": certificate,
        })
    };
    units.iter().map(unit).collect()
}

fn tell_units(units: &[v1::DisposedUnit], out: &mut impl Write) -> Result<()> {
    for unit in units {
        let certificate = match unit.certificate.as_str() {
            "" => "its certificate is had by `ceralacca dispose certificate`".to_owned(),
            file => format!("certificate {}", show::printable(file)),
        };
        writeln!(
            out,
            "DISPOSED OF, and not proven: class {} of the interval of {}: {certificate}.",
            show::printable(&unit.class),
            show::utc(UtcMillis::new(unit.interval_ms)),
        )?;
    }
    Ok(())
}

fn tell_disposed(arguments: &Arguments, head: &v1::DisposedHead, files: usize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let path = arguments.out.display().to_string();
    if arguments.json {
        let answer = json!({
            "written": true,
            "held": false,
            "path": path,
            "name": head.file_name,
            "files": files,
            "disposed": units(&head.disposed),
            "development": head.development,
            "disclosure_leaf": head.disclosure_leaf,
        });
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(());
    }
    writeln!(
        out,
        "NOTHING HELD: what was asked for may have been disposed of; the certificates are in {}.",
        show::printable(&path)
    )?;
    tell_units(&head.disposed, &mut out)?;
    if head.development {
        writeln!(out, "{DEVELOPMENT}")?;
    }
    writeln!(
        out,
        "Disclosure recorded at leaf {}. `ceralacca verify` checks it.",
        head.disclosure_leaf
    )?;
    Ok(())
}
