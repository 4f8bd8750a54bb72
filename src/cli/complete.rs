//! `complete`: a package that was given while intervals were open, with what their closing added.
//!
//! # Invariants
//! 1. What was there stays to the octet, its first manifest and signature too; what is added is signed with it by a
//!    second manifest, which is the one computed here from the files at hand, or nothing is written.
//! 2. The package must be whole before anything is asked; the new one is written beside it and read back.

use super::output::{Existing, Output};
use super::remote::{self, Pieces, RemoteError};
use super::v1::complete_package_response::Part;
use super::verify::Folder;
use super::{Answer, package, show, v1, waiting};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ceralacca_evidence::asic::{
    self, AsicError, Container, ContainerWriter, FILES_MAX, FileName, Files, FinishError, Form,
    META_BYTES_MAX, SignedPart,
};
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::proof::ProofFile;
use serde_json::json;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// What `complete` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The package: .asice, .zip, or its folder
    #[arg(value_name = "FILE")]
    package: PathBuf,
    /// The file to write, or the new folder
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// English commands in what is added; Italian otherwise
    #[arg(long)]
    english: bool,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    seal: waiting::Arguments,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
Status 0: completed. 1: nothing is missing, nothing was written. 3: the records are not for you, be they there or not.
4: not yet: the intervals are not closed, nothing was written. 2: it cannot be done.

--json: written, and path, files (added), sealed, disclosure_leaf; where nothing is written why (reason), message.";

/// Bytes of what is added, at most: some files of each of ten years' intervals.
const ADDED_BYTES_MAX: u64 = 256 << 20;
/// A proof file is some kilobytes; the longest metadata an archive reads has 4 MiB.
const PROOF_BYTES_MAX: u64 = 16 << 20;

/// Where trust material lies in a package.
const MATERIAL: &str = "proof/material/";

/// A package at hand.
enum Opened {
    File(Box<Container<BufReader<File>>>),
    Folder(Folder, PathBuf),
}

impl Opened {
    fn of(path: &Path) -> Result<Self> {
        let attempt = || format!("read package {}", path.display());
        if path.is_dir() {
            return Ok(Self::Folder(Folder::open(path)?, path.to_owned()));
        }
        let file = File::open(path).with_context(attempt)?;
        let container = Container::open(BufReader::new(file)).with_context(attempt)?;
        Ok(Self::File(Box::new(container)))
    }

    fn files(&mut self) -> &mut dyn Files {
        match self {
            Self::File(container) => container.as_mut(),
            Self::Folder(folder, _) => folder,
        }
    }

    fn form(&self) -> Form {
        match self {
            Self::File(container) => container.form(),
            Self::Folder(..) => Form::Zip,
        }
    }

    fn content(&mut self, name: &str) -> Result<Box<dyn Read + '_>, AsicError> {
        Ok(match self {
            Self::File(container) => Box::new(container.content(name)?),
            Self::Folder(_, path) => Box::new(File::open(path.join(name))?),
        })
    }
}

/// A file that is added.
struct Added {
    name: String,
    media_type: String,
    octets: Vec<u8>,
}

/// Looks, asks, writes, looks again.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    ensure!(
        arguments.out.symlink_metadata().is_err(),
        "{} is there already",
        arguments.out.display()
    );
    let mut opened = Opened::of(&arguments.package)?;
    let attempt = || format!("read package {}", arguments.package.display());
    let verified = asic::verify(opened.files()).with_context(attempt)?;
    if let Some(problem) = verified.problems.into_iter().next() {
        return Err(problem).with_context(attempt);
    }
    let Some(last) = verified.signed.into_iter().next_back() else {
        bail!("{} is not signed", arguments.package.display());
    };
    let request = request(arguments, opened.files(), &last)?;
    let asked = remote::run_until_interrupted(async {
        let remote = arguments.remote.connect().await?;
        let ask = || async {
            let mut pieces = remote.completion(request.clone()).await?;
            let first = pieces.next().await?.and_then(|piece| piece.part);
            match first {
                Some(Part::Head(head)) => Ok((head, pieces)),
                _ => bail!("the answer does not begin with its head"),
            }
        };
        let (head, mut pieces) = arguments.seal.ask(ask).await?;
        let added = take(&mut pieces).await?;
        ensure!(added.len() == head.files as usize, "files are missing");
        Ok((head, added))
    });
    let (head, added) = match asked {
        Ok(answer) => answer,
        Err(error) => return refused(arguments, error),
    };
    let container = arguments.container(matches!(opened, Opened::Folder(..)));
    write(&mut opened, &last, &added, &container)?;
    package::look(&container)?;
    if let Opened::Folder(..) = opened {
        package::unpack(&container, &arguments.out)?;
        std::fs::remove_file(&container).context("remove the ZIP")?;
    }
    tell(arguments, &head, added.len())?;
    Ok(Answer::Yes)
}

impl Arguments {
    /// Where the container is written.
    fn container(&self, is_folder: bool) -> PathBuf {
        match is_folder {
            false => self.out.clone(),
            true => {
                let mut name = self.out.clone().into_os_string();
                name.push(".zip");
                PathBuf::from(name)
            }
        }
    }
}

fn request(
    arguments: &Arguments,
    files: &mut dyn Files,
    last: &SignedPart,
) -> Result<v1::CompletePackageRequest> {
    let mut records = Vec::new();
    for name in files.names() {
        let Some(stem) = name.strip_suffix(".tlog-proof") else {
            continue;
        };
        // Proofs of closings, and those that were added under a closed interval, are complete.
        // Trust material is no record that was asked for: its proof stays as it is.
        let is_material = stem.starts_with(MATERIAL);
        if is_material || stem.ends_with("/closing") || stem.ends_with(".sealed") {
            continue;
        }
        let octets = files.read(&name, PROOF_BYTES_MAX);
        let octets = octets.with_context(|| name.clone())?;
        let proof = ProofFile::parse(&octets).with_context(|| name.clone())?;
        records.push(v1::PackageRecord {
            stem: stem.to_owned(),
            index: proof.index.get(),
        });
    }
    let name = arguments.out.file_name().and_then(|name| name.to_str());
    let name = name.filter(|name| FileName::new(name).is_ok());
    let is_folder = arguments.package.is_dir();
    Ok(v1::CompletePackageRequest {
        log: String::new(),
        manifest: last.octets.clone().into(),
        signature: last.signature.clone().into(),
        records,
        file_name: name
            .ok_or_else(|| anyhow!("--out: a name of letters, digits, points, lines"))?
            .to_owned(),
        language: match arguments.english {
            true => v1::Language::English,
            false => v1::Language::Italian,
        }
        .into(),
        form: match is_folder {
            true => v1::PackageForm::Folder,
            false => v1::PackageForm::Asice,
        }
        .into(),
    })
}

async fn take(pieces: &mut Pieces<v1::CompletePackageResponse>) -> Result<Vec<Added>> {
    let mut added: Vec<Added> = Vec::new();
    let mut bytes = 0u64;
    while let Some(piece) = pieces.next().await? {
        match (piece.part, added.last_mut()) {
            (Some(Part::File(file)), _) => {
                ensure!(added.len() < FILES_MAX, "the answer has too many files");
                added.push(Added {
                    name: file.name,
                    media_type: file.media_type,
                    octets: Vec::new(),
                });
            }
            (Some(Part::Chunk(chunk)), Some(file)) => {
                bytes = bytes.saturating_add(chunk.len() as u64);
                ensure!(bytes <= ADDED_BYTES_MAX, "the answer is too long");
                file.octets.extend_from_slice(&chunk);
            }
            _ => bail!("the answer has something else among its files"),
        }
    }
    Ok(added)
}

/// The signature is over another manifest than the one of the files at hand.
#[derive(Debug, thiserror::Error)]
#[error("what was signed is not the manifest of these files")]
struct OtherManifest;

/// Writes what was there, what is added, and the second manifest with its signature.
fn write(opened: &mut Opened, last: &SignedPart, added: &[Added], path: &Path) -> Result<()> {
    let attempt = || format!("write {}", path.display());
    let [rest @ .., manifest, signature] = added else {
        bail!("the answer has no manifest");
    };
    let output = Output::create(path, Existing::Keep)?;
    let mut writer =
        ContainerWriter::begin(Writing(output), opened.form()).with_context(attempt)?;
    let listed = asic::listed(&last.octets).with_context(attempt)?;
    for (name, media_type) in &listed {
        if FileName::new(name).with_context(attempt)?.is_meta() {
            keep(&mut writer, opened, name)?;
            continue;
        }
        let measured = opened.files().copy(name, &mut io::sink());
        let part = asic::Part {
            name,
            media_type,
            measured: measured.with_context(attempt)?,
            content: opened.content(name).with_context(attempt)?,
        };
        writer.add(part).with_context(attempt)?;
    }
    keep(&mut writer, opened, &last.manifest)?;
    keep(&mut writer, opened, &last.signature_name)?;
    for file in rest {
        let name = FileName::new(&file.name).with_context(attempt)?;
        match name.is_meta() {
            true => writer.keep(&file.name, &file.octets),
            false => writer.add(asic::Part::of(&file.name, &file.media_type, &file.octets)),
        }
        .with_context(attempt)?;
    }
    let signed = writer.sign(|found| match found == manifest.octets {
        true => Ok(signature.octets.clone()),
        false => Err(OtherManifest),
    });
    match signed {
        Ok(()) => {}
        Err(FinishError::Sign(error)) => return Err(error.into()),
        Err(FinishError::Container(error)) => return Err(error).with_context(attempt),
    }
    writer.finish().with_context(attempt)?.0.finish()
}

fn keep(writer: &mut ContainerWriter<Writing>, opened: &mut Opened, name: &str) -> Result<()> {
    let octets = opened.files().read(name, META_BYTES_MAX);
    let octets = octets.with_context(|| name.to_owned())?;
    writer.keep(name, &octets).with_context(|| name.to_owned())
}

/// A file that appears whole.
struct Writing(Output);

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing was written: a refusal that says how things stand is an answer, any other is a failure.
fn refused(arguments: &Arguments, error: anyhow::Error) -> Result<Answer> {
    let Some(refusal) = error.downcast_ref::<RemoteError>() else {
        return Err(error);
    };
    let (answer, words) = match refusal.reason.as_str() {
        "NOTHING_TO_ADD" => (Answer::No, "COMPLETE ALREADY: nothing was written"),
        "NOT_SHOWN" => (Answer::NotShown, "NOT SHOWN: there is nothing for you here"),
        _ if waiting::is_not_yet(refusal) => (
            Answer::NotYet,
            "NOT YET: the interval is not closed; ask again after its end, or with --wait-seal",
        ),
        _ => return Err(error),
    };
    let mut out = io::stdout().lock();
    let end = refusal.number("end_ms");
    if arguments.json {
        let told = json!({
            "written": false,
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

fn tell(arguments: &Arguments, head: &v1::CompletionHead, files: usize) -> Result<()> {
    let mut out = io::stdout().lock();
    let path = arguments.out.display().to_string();
    if arguments.json {
        let answer = json!({
            "written": true,
            "path": path,
            "files": files,
            "sealed": head.sealed,
            "disclosure_leaf": head.disclosure_leaf,
        });
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(());
    }
    let path = show::printable(&path);
    writeln!(out, "{files} files added, in {path}.")?;
    if !head.sealed {
        writeln!(
            out,
            "Another interval is still open: complete it again after its end."
        )?;
    }
    writeln!(
        out,
        "Disclosure recorded at leaf {}. `ceralacca verify` checks the whole.",
        head.disclosure_leaf
    )?;
    Ok(())
}
