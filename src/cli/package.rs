//! `package`: receipts given again for a court: objects, pages, proofs, signed and time-stamped, in one file.
//!
//! # Invariants
//! 1. The file appears only when the stream ended well; nothing that is there is replaced.
//! 2. What arrived is read back by its layout before it is said to be there; `verify` says what it proves.

use super::output::{Existing, Output};
use super::remote::{self, Pieces, Remote};
use super::v1::get_package_response::Part;
use super::{Answer, show, v1};
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_evidence::asic::{self, Container, FileName, Files};
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `package` is told.
#[derive(clap::Args)]
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
    /// Waits until the intervals concerned are sealed; without it the package says that the seal is to follow
    #[arg(long)]
    wait_seal: bool,
    /// How often it is asked again meanwhile, in seconds; each time is a disclosure
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        requires = "wait_seal"
    )]
    poll_seconds: u64,
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

/// The reason word of a refusal that passes with time.
const NOT_SEALED: &str = "NOT_SEALED";

/// Asks, takes, looks.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    ensure!(
        arguments.out.symlink_metadata().is_err(),
        "{} is there already",
        arguments.out.display()
    );
    let head = remote::run(async {
        let remote = arguments.remote.connect().await?;
        let (head, mut pieces) = ask(&remote, arguments).await?;
        take(&mut pieces, &arguments.container()).await?;
        Ok(head)
    })?;
    let files = look(&arguments.container())?;
    if arguments.form == Form::Folder {
        let container = arguments.container();
        unpack(&container, &arguments.out)?;
        std::fs::remove_file(&container).context("remove the ZIP")?;
    }
    tell(arguments, &head, files)?;
    Ok(Answer::Yes)
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
            sealed_only: self.wait_seal,
        }
    }
}

async fn ask(
    remote: &Remote,
    arguments: &Arguments,
) -> Result<(v1::PackageHead, Pieces<v1::GetPackageResponse>)> {
    loop {
        match remote.package(arguments.request()).await {
            Ok(mut pieces) => {
                let first = pieces.next().await?.and_then(|piece| piece.part);
                let Some(Part::Head(head)) = first else {
                    bail!("the answer does not begin with its head");
                };
                return Ok((head, pieces));
            }
            Err(error) if arguments.wait_seal && error.reason == NOT_SEALED => {
                remote::pause(Duration::from_secs(arguments.poll_seconds.max(1))).await;
            }
            Err(error) => return Err(error.into()),
        }
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
fn look(path: &Path) -> Result<usize> {
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
fn unpack(path: &Path, to: &Path) -> Result<()> {
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

fn tell(arguments: &Arguments, head: &v1::PackageHead, files: usize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let path = arguments.out.display().to_string();
    if arguments.json {
        let answer = json!({
            "written": true,
            "path": path,
            "name": head.file_name,
            "files": files,
            "records": head.records,
            "objects": head.objects,
            "sealed": head.sealed,
            "development": head.development,
            "disclosure_leaf": head.disclosure_leaf,
        });
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(());
    }
    let (records, objects) = (head.records, head.objects);
    writeln!(
        out,
        "{records} records, {objects} objects, {files} files, in {}.",
        show::printable(&path)
    )?;
    if !head.sealed {
        writeln!(
            out,
            "The seal is to follow: ask again after the end of the interval, or with --wait-seal."
        )?;
    }
    if head.development {
        writeln!(
            out,
            "Signed or stamped by development keys: worth nothing in earnest."
        )?;
    }
    writeln!(
        out,
        "Disclosure recorded at leaf {}. LEGGIMI.txt and `ceralacca verify` say how to check it.",
        head.disclosure_leaf
    )?;
    Ok(())
}
