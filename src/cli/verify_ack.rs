//! `verify-ack`: holds a submitter's acknowledgements against the log, now or with proofs that were kept.
//!
//! ```text
//! FILE   one acknowledgement (docs/formats.md 9), or what `import` writes: a line for each, and checkpoints
//! ```

use super::output::{self, Existing};
use super::remote::{self, Remote};
use super::{Answer, import, proven, show};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use ceralacca_formats::acknowledgement::Acknowledgement;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::promise::{self, PromiseError, Shown};
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_formats::tree::NodeHash;
use ceralacca_formats::witness::AddCheckpoint;
use serde_json::json;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// What `verify-ack` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The acknowledgement, or the file of them that `import` writes
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Offline: the consistency proof and newer checkpoint that were kept (consistency.txt)
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    consistency: Option<PathBuf>,
    /// Offline: the proof file of a record of the acknowledgement (.tlog-proof); once for each record
    #[arg(long, value_name = "FILE", requires = "consistency")]
    proof: Vec<PathBuf>,
    /// Keeps the proofs in this folder, one folder in it for each acknowledgement
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Answer as JSON, one object for each acknowledgement
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: proven::KeyArguments,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// An acknowledgement names two records at most; a proof file is no longer than `verify` takes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Verifies every acknowledgement of the file; the answer is yes only if all are kept.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let keys = arguments.key.read_chain()?;
    let keys = keys.context("the log's key is needed: --key or --key-file")?;
    if let Some(consistency) = &arguments.consistency {
        return offline(arguments, consistency, &keys);
    }
    remote::run(async {
        let remote = arguments.remote.connect().await?;
        let mut told = Told::default();
        let single = Acknowledgement::parse(&read(&arguments.file)?);
        if let Ok(acknowledgement) = single {
            check(arguments, &remote, &keys, &acknowledgement, &mut told).await?;
        } else {
            let mut lines = import::kept::Kept::open(&arguments.file)?;
            while let Some(batch) = lines.next_batch()? {
                for acknowledgement in batch {
                    check(arguments, &remote, &keys, &acknowledgement, &mut told).await?;
                }
            }
        }
        ensure!(told.kept + told.not > 0, "the file has no acknowledgement");
        told.end(arguments)
    })
}

#[derive(Default)]
struct Told {
    kept: u64,
    not: u64,
}

impl Told {
    fn one(
        &mut self,
        arguments: &Arguments,
        acknowledgement: &Acknowledgement,
        verdict: &Result<Checkpoint, PromiseError>,
    ) -> Result<()> {
        let id = acknowledgement.id();
        let mut out = std::io::stdout();
        match verdict {
            Ok(_) => self.kept += 1,
            Err(_) => self.not += 1,
        }
        if arguments.json {
            let line = json!({
                "id": id,
                "verified": verdict.is_ok(),
                "tree_size": verdict.as_ref().ok().map(|newest| newest.size().get()),
                "why": verdict.as_ref().err().map(ToString::to_string),
            });
            writeln!(out, "{}", show::json(&line))?;
        } else if let Err(error) = verdict {
            let (id, why) = (show::printable(&id), show::printable(&error.to_string()));
            writeln!(out, "NOT VERIFIED: {id}: {why}.")?;
        } else if let Ok(newest) = verdict {
            let (id, size) = (show::printable(&id), newest.size());
            writeln!(out, "VERIFIED: {id}, under the root of {size} leaves.")?;
        }
        Ok(())
    }

    fn end(&self, arguments: &Arguments) -> Result<Answer> {
        if !arguments.json {
            let (kept, not) = (self.kept, self.not);
            writeln!(std::io::stdout(), "{kept} verified, {not} not.")?;
        }
        Ok(match self.not {
            0 => Answer::Yes,
            _ => Answer::No,
        })
    }
}

async fn check(
    arguments: &Arguments,
    remote: &Remote,
    keys: &KeyChain,
    acknowledgement: &Acknowledgement,
    told: &mut Told,
) -> Result<()> {
    let shown = fetch(remote, keys, acknowledgement).await?;
    let verdict = promise::verify(acknowledgement, &shown, keys);
    if let (Some(folder), Ok(_)) = (&arguments.out, &verdict) {
        keep(folder, acknowledgement, &shown)?;
    }
    told.one(arguments, acknowledgement, &verdict)
}

/// What the log shows for an acknowledgement. What it refuses is left out, and found missing.
async fn fetch(
    remote: &Remote,
    keys: &KeyChain,
    acknowledgement: &Acknowledgement,
) -> Result<Shown> {
    let newest = remote.checkpoint().await?;
    let mut shown = Shown {
        newest: newest.note,
        ..Shown::default()
    };
    // What does not open is refused when it is verified.
    let sizes = (
        keys.open(acknowledgement.checkpoint.as_bytes()),
        keys.open(shown.newest.as_bytes()),
    );
    let (Ok((first, _)), Ok((second, _))) = sizes else {
        return Ok(shown);
    };
    let (first, second) = (first.size().get(), second.size().get());
    if first > second {
        return Ok(shown);
    }
    shown.consistency = hashes(&remote.consistency(first, second).await?.path)?;
    for record in &acknowledgement.records {
        let index = record.leaf.seq;
        if index.get() < second {
            let proof = remote.inclusion(index.get(), second).await?;
            shown.inclusions.push((index, hashes(&proof.path)?));
        }
    }
    Ok(shown)
}

fn hashes(path: &[Bytes]) -> Result<Vec<NodeHash>> {
    let hashes = path.iter();
    let hashes = hashes.map(|hash| proven::bytes32(hash, "hash").map(NodeHash::from_bytes));
    hashes.collect()
}

/// Keeps the proofs, as they verify offline.
fn keep(folder: &Path, acknowledgement: &Acknowledgement, shown: &Shown) -> Result<()> {
    let first = acknowledgement.records.first();
    let folder = folder.join(first.map_or(0, |record| record.leaf.seq.get()).to_string());
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("make folder {}", folder.display()))?;
    let note = acknowledgement.checkpoint.as_bytes();
    let size = ceralacca_formats::checkpoint::claimed_size(note).unwrap_or_default();
    let request = AddCheckpoint {
        old: size,
        proof: shown.consistency.clone(),
        note: shown.newest.clone(),
    };
    let write = |name: &str, text: &str| {
        output::write(&folder.join(name), text.as_bytes(), Existing::Replace)
    };
    write(
        "acknowledgement.json",
        &String::from_utf8_lossy(&acknowledgement.to_bytes()),
    )?;
    write("consistency.txt", &request.to_text())?;
    for file in promise::proof_files(acknowledgement, shown) {
        write(&format!("{}.tlog-proof", file.index), &file.to_text())?;
    }
    Ok(())
}

fn offline(arguments: &Arguments, consistency: &Path, keys: &KeyChain) -> Result<Answer> {
    let acknowledgement = Acknowledgement::parse(&read(&arguments.file)?);
    let acknowledgement =
        acknowledgement.with_context(|| format!("acknowledgement {}", arguments.file.display()))?;
    let request = AddCheckpoint::parse(&read(consistency)?);
    let request = request.with_context(|| format!("proof {}", consistency.display()))?;
    let mut inclusions: Vec<(LeafIndex, Vec<NodeHash>)> = Vec::new();
    for path in &arguments.proof {
        let file = ProofFile::parse(&read(path)?);
        let file = file.with_context(|| format!("proof {}", path.display()))?;
        inclusions.push((file.index, file.path));
    }
    let shown = Shown {
        newest: request.note,
        consistency: request.proof,
        inclusions,
    };
    let verdict = promise::verify(&acknowledgement, &shown, keys);
    let mut told = Told::default();
    told.one(arguments, &acknowledgement, &verdict)?;
    told.end(arguments)
}

/// The bytes of a file, up to the first one too many.
fn read(path: &Path) -> Result<Vec<u8>> {
    let attempt = || format!("read {}", path.display());
    let file = File::open(path).with_context(attempt)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(attempt)?;
    Ok(bytes)
}
