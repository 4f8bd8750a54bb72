//! `erase`: one object kept by contract, before its term, in a served log.

use super::output::{self, Existing};
use super::{Answer, remote, show, v1};
use anyhow::{Result, ensure};
use ceralacca_formats::id::UtcMillis;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `erase` is told.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Proposes to erase an object; another principal confirms
    Propose(Propose),
    /// Erases an object whose erasure another principal proposed: it cannot be undone
    Confirm(Confirm),
    /// Tells that an object was erased, and writes its certificate
    Show(Show),
}

#[derive(clap::Args)]
struct Propose {
    /// Leaf index of the object
    index: u64,
    /// Why it is erased before its term
    #[arg(long, value_enum)]
    ground: Ground,
    /// What is asked, by whom, on what paper: kept beside the record of the act
    #[arg(long, value_name = "TEXT")]
    statement: String,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

#[derive(clap::Args)]
struct Confirm {
    /// Leaf index of the object
    index: u64,
    /// What was looked at
    #[arg(long, value_name = "TEXT")]
    statement: String,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

#[derive(clap::Args)]
struct Show {
    /// Leaf index of the object
    index: u64,
    /// Where to write the certificate (CMS, .p7m)
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Ground {
    /// A person asked for it (GDPR art. 17)
    DataSubject,
    /// The contract under which it was kept ended
    ContractEnd,
    /// A supervisory authority ordered it (GDPR art. 58(2)(g))
    AuthorityOrder,
}

impl Ground {
    fn asked(self) -> v1::ErasureGround {
        match self {
            Self::DataSubject => v1::ErasureGround::DataSubject,
            Self::ContractEnd => v1::ErasureGround::ContractEnd,
            Self::AuthorityOrder => v1::ErasureGround::AuthorityOrder,
        }
    }
}

/// Does what is asked.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    match &arguments.command {
        Command::Propose(propose) => propose.run(),
        Command::Confirm(confirm) => confirm.run(),
        Command::Show(show) => show.run(),
    }
}

impl Propose {
    fn run(&self) -> Result<Answer> {
        let request = v1::ProposeErasureRequest {
            log: String::new(),
            index: self.index,
            ground: self.ground.asked().into(),
            statement: self.statement.clone(),
        };
        let leaf = remote::run(async {
            let remote = self.remote.connect().await?;
            Ok(remote.propose_erasure(request).await?.index)
        })?;
        let mut out = std::io::stdout().lock();
        if self.json {
            let answer = json!({ "index": self.index, "proposal": leaf });
            writeln!(out, "{}", show::json(&answer))?;
        } else {
            let then = "another principal confirms it with `erase confirm`";
            writeln!(
                out,
                "Erasure of object {} is proposed (leaf {leaf}): {then}.",
                self.index
            )?;
        }
        Ok(Answer::Yes)
    }
}

impl Confirm {
    fn run(&self) -> Result<Answer> {
        let (index, statement) = (self.index, self.statement.clone());
        let erased = remote::run(async {
            let remote = self.remote.connect().await?;
            Ok(remote.confirm_erasure(index, statement).await?)
        })?;
        let mut out = std::io::stdout().lock();
        if self.json {
            let answer = json!({
                "index": index, "erasure": erased.index, "certified": erased.certified,
            });
            writeln!(out, "{}", show::json(&answer))?;
        } else {
            let certificate = match erased.certified {
                true => "Its certificate is signed: `erase show` gives it.",
                false => "Its certificate is not signed yet: ask for it later.",
            };
            writeln!(
                out,
                "Object {index} is erased (leaf {}). {certificate}",
                erased.index
            )?;
        }
        Ok(Answer::Yes)
    }
}

impl Show {
    fn run(&self) -> Result<Answer> {
        let told = remote::run(async {
            let remote = self.remote.connect().await?;
            Ok(remote.erasure(self.index).await?)
        })?;
        if let Some(path) = &self.certificate {
            ensure!(
                !told.certificate.is_empty(),
                "the certificate is not signed yet: ask for it later"
            );
            output::write(path, &told.certificate, Existing::Keep)?;
        }
        let ground = match told.ground() {
            v1::ErasureGround::DataSubject => "data-subject",
            v1::ErasureGround::ContractEnd => "contract-end",
            v1::ErasureGround::AuthorityOrder => "authority-order",
            v1::ErasureGround::Unspecified => "?",
        };
        let mut out = std::io::stdout().lock();
        if self.json {
            let answer = json!({
                "index": told.index,
                "class": told.retention_class,
                "ground": ground,
                "proposal": told.proposal,
                "erasure": told.erasure,
                "erased_ms": told.erased_ms,
                "facts": told.facts,
                "purged": told.purged,
                "certified": !told.certificate.is_empty(),
            });
            writeln!(out, "{}", show::json(&answer))?;
            return Ok(Answer::Yes);
        }
        writeln!(
            out,
            "Object {} was erased on {} ({ground}), as leaf {} says.",
            told.index,
            show::utc(UtcMillis::new(told.erased_ms)),
            told.erasure
        )?;
        if let Some(facts) = told.facts {
            writeln!(out, "  facts        stay, record {facts}")?;
        }
        let gone = match told.purged {
            true => "gone from the files too",
            false => "without keys; being removed from the files",
        };
        writeln!(out, "  its bytes    {gone}")?;
        let certificate = match (told.certificate.is_empty(), &self.certificate) {
            (true, _) => "not signed yet".to_owned(),
            (false, None) => "signed; --certificate FILE writes it".to_owned(),
            (false, Some(path)) => format!(
                "signed, in {}",
                show::printable(&path.display().to_string())
            ),
        };
        writeln!(out, "  certificate  {certificate}")?;
        Ok(Answer::Yes)
    }
}
